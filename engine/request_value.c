/*
 * The values of a request: each of its type and within its limits, or a fault at
 * its pointer.
 */

#include "engine/request_data.h"

/* ---- faults ---- */

static pos_str_t
pointer_of(pos_work_t *w, const pos_request_at_t *at, pos_str_t key)
{
    pos_str_t prefix = w->options->pointer, base;

    if (at->index >= 0) {
        base = pos_arena_printf(w->arena, "%.*s%s/%lld%s", (int) prefix.len,
                                prefix.data ? prefix.data : "", at->part,
                                (long long) at->index, at->below);
    } else {
        base = pos_arena_printf(w->arena, "%.*s%s%s", (int) prefix.len,
                                prefix.data ? prefix.data : "", at->part, at->below);
    }
    if (key.len && base.data) {
        base = pos_json_pointer(w->arena, base, key);
    }
    w->faults->lost |= base.data == NULL;
    return base;
}

void
pos_request_bad(pos_work_t *w, const pos_request_at_t *at, pos_str_t key,
                const char *code, const char *message)
{
    w->invalid = true;
    (void) pos_fault(w->faults, pointer_of(w, at, key), code, "%s", message);
}

void
pos_request_bad_member(pos_work_t *w, const pos_request_at_t *at, pos_str_t key,
                       uint32_t index, const char *code, const char *message)
{
    pos_str_t list = pointer_of(w, at, key);
    pos_str_t member = pos_json_pointer_index(w->arena, list, index);

    w->invalid = true;
    w->faults->lost |= member.data == NULL;
    (void) pos_fault(w->faults, member, code, "%s", message);
}

void
pos_request_forbidden(pos_work_t *w, const pos_request_at_t *at, pos_str_t key,
                      const char *scope)
{
    w->forbidden = true;
    (void) pos_fault(w->faults, pointer_of(w, at, key), "scope_required",
                     "setting this needs the scope %s", scope);
}

void
pos_request_unknown(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v)
{
    pos_request_bad(w, at, v->key, "unknown_field", "no such field");
}

/* ---- names and texts ---- */

/* Characters, not bytes; what fits as bytes need not be counted. */
static bool
is_longer(pos_str_t text, size_t max)
{
    size_t n = 0;

    if (text.len <= max) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        n += ((unsigned char) text.data[i] & 0xc0) != 0x80;
    }
    return n > max;
}

pos_str_t
pos_request_text(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v,
                 size_t max)
{
    if (v->type == POS_JSON_NULL) {
        return (pos_str_t) { NULL, 0 };
    }
    if (v->type != POS_JSON_STRING) {
        pos_request_bad(w, at, v->key, "type", "must be a string");
        return (pos_str_t) { NULL, 0 };
    }
    if (is_longer(v->text, max)) {
        pos_request_bad(w, at, v->key, "max_length",
                        max == POS_REQUEST_CODE_MAX
                            ? "must be at most 200 characters long"
                            : "must be at most 4000 characters long");
        return (pos_str_t) { NULL, 0 };
    }
    return v->text;
}

/* Of eight bytes: is one below the space, or the delete character? A borrow comes
 * only out of a byte that is one itself. */
static inline bool
word_has_control(const unsigned char *p)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t       v, del;

    memcpy(&v, p, sizeof(v));
    del = v ^ ones * 0x7f;
    return (((v - ones * 0x20) & ~v) | ((del - ones) & ~del)) & ones * 0x80;
}

static bool
has_control(const unsigned char *p, size_t len)
{
    size_t i = 0;

    for (; i + 8 <= len; i += 8) {
        if (word_has_control(p + i)) {
            return true;
        }
    }
    if (i < len && len >= 8) {
        return word_has_control(p + len - 8);
    }
    for (; i < len; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f) {
            return true;
        }
    }
    return false;
}

/* What is wrong with a name the client gives; NULL: nothing. */
const char *
pos_request_code_fault(const pos_json_t *v, const char **message)
{
    const unsigned char *p = (const unsigned char *) v->text.data;
    size_t               len = v->text.len;

    if (v->type != POS_JSON_STRING) {
        *message = "must be a string";
        return "type";
    }
    if (len == 0) {
        *message = "must be at least 1 characters long";
        return "min_length";
    }
    if (is_longer(v->text, POS_REQUEST_CODE_MAX)) {
        *message = "must be at most 200 characters long";
        return "max_length";
    }
    if (p[0] == '.' && (len == 1 || (len == 2 && p[1] == '.'))) {
        *message = "must be neither . nor .., which clients take out of a path";
        return "pattern";
    }
    if (p[0] == ' ' || p[len - 1] == ' ' || has_control(p, len)) {
        *message = "has a control character, or a space at an end";
        return "pattern";
    }
    return NULL;
}

pos_str_t
pos_request_code(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v)
{
    const char *message, *code;

    if (v->type == POS_JSON_NULL) {
        return (pos_str_t) { NULL, 0 };
    }
    code = pos_request_code_fault(v, &message);
    if (code != NULL) {
        pos_request_bad(w, at, v->key, code, message);
        return (pos_str_t) { NULL, 0 };
    }
    return v->text;
}

/* ---- amounts, yes and no, objects ---- */

int64_t
pos_request_money(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v)
{
    int64_t n = 0;

    if (v->type != POS_JSON_NUMBER) {
        pos_request_bad(w, at, v->key, "type", "must be an integer of minor units");
    } else if (!pos_json_int64(v, &n)) {
        pos_request_bad(
            w, at, v->key, "type",
            "must be an integer of minor units, without fraction or exponent");
        n = 0;
    } else if (n < 0) {
        pos_request_bad(w, at, v->key, "min", "must not be negative");
        n = 0;
    } else if (n > POS_MONEY_MAX) {
        pos_request_bad(w, at, v->key, "overflow", "is more than any amount may be");
        n = 0;
    }
    return n;
}

bool
pos_request_bool(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v)
{
    if (!pos_json_is_bool(v)) {
        pos_request_bad(w, at, v->key, "type", "must be true or false");
    }
    return v->type == POS_JSON_TRUE;
}

bool
pos_request_object(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v)
{
    if (v->type == POS_JSON_NULL) {
        return false;
    }
    if (v->type != POS_JSON_OBJECT) {
        pos_request_bad(w, at, v->key, "type", "must be an object");
        return false;
    }
    return true;
}

/* ---- lists and maps ---- */

/* Strings as a set: by hash, ascending. */
bool
pos_request_set(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v,
                pos_strset_t *set)
{
    uint64_t   *hashes;
    pos_str_t  *values;
    uint32_t    n = 0, index = 0;
    const char *code, *message;

    if (v->type != POS_JSON_ARRAY) {
        if (v->type != POS_JSON_NULL) {
            pos_request_bad(w, at, v->key, "type", "must be a list of strings");
        }
        return true;
    }
    if (v->count == 0) {
        return true;
    }
    if (v->count > POS_REQUEST_CODES_MAX) {
        pos_request_bad(w, at, v->key, "max_items", "must have at most 1000 members");
        return true;
    }
    hashes = pos_arena_alloc(w->arena, v->count * sizeof(*hashes));
    values = pos_arena_alloc(w->arena, v->count * sizeof(*values));
    if (hashes == NULL || values == NULL) {
        return false;
    }
    for (const pos_json_t *e = v->first; e; e = e->next, index++) {
        uint64_t hash;
        uint32_t i;

        code = pos_request_code_fault(e, &message);
        if (code != NULL) {
            pos_request_bad_member(w, at, v->key, index, code, message);
            continue;
        }
        hash = pos_hash64(e->text);
        for (i = n++; i > 0 && hashes[i - 1] > hash; i--) {
            hashes[i] = hashes[i - 1];
            values[i] = values[i - 1];
        }
        hashes[i] = hash;
        values[i] = e->text;
    }
    *set = (pos_strset_t) { n, hashes, values };
    return true;
}

static void
bad_attribute(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *attributes,
              const pos_json_t *v, const char *code, const char *message)
{
    w->invalid = true;
    (void) pos_fault(
        w->faults, pos_json_pointer(w->arena, pointer_of(w, at, attributes->key), v->key),
        code, "%s", message);
}

/* Attributes by name; numbers and booleans as their text. */
bool
pos_request_attributes(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v,
                       uint32_t *count, const pos_attribute_t **out)
{
    pos_attribute_t *list;
    uint32_t         n = 0;

    if (!pos_request_object(w, at, v) || v->count == 0) {
        return true;
    }
    if (v->count > POS_REQUEST_ATTRIBUTES_MAX) {
        pos_request_bad(w, at, v->key, "max_properties", "must have at most 100 members");
        return true;
    }
    list = pos_arena_alloc(w->arena, v->count * sizeof(*list));
    if (list == NULL) {
        return false;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        pos_attribute_t a = { e->key, e->text };
        uint32_t        i;

        if (a.name.len == 0 || is_longer(a.name, POS_REQUEST_CODE_MAX)) {
            bad_attribute(w, at, v, e, "property_names",
                          "its name must have 1 to 200 characters");
            continue;
        }
        switch (e->type) {
        case POS_JSON_STRING:
        case POS_JSON_NUMBER:
            if (is_longer(e->text, POS_REQUEST_TEXT_MAX)) {
                bad_attribute(w, at, v, e, "max_length",
                              "must be at most 4000 characters long");
                continue;
            }
            break;
        case POS_JSON_TRUE:
            a.value = pos_str("true");
            break;
        case POS_JSON_FALSE:
            a.value = pos_str("false");
            break;
        default:
            bad_attribute(w, at, v, e, "type",
                          "must be a string, a number, true or false");
            continue;
        }
        for (i = n++; i > 0 && pos_str_cmp(list[i - 1].name, a.name) > 0; i--) {
            list[i] = list[i - 1];
        }
        list[i] = a;
    }
    *count = n;
    *out = list;
    return true;
}
