#include "engine/decode.h"
#include "base/hash.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MEANT_MAX  32     /* letters of a name that a slip is looked for in */
#define MEANT_FAR  3      /* letters apart: not a slip any more             */


void
pos_decoder_init(pos_decoder_t *d, pos_arena_t *arena, pos_faults_t *faults,
    const pos_zone_t *zone)
{
    d->arena = arena;
    d->faults = faults;
    d->zone = zone;
    d->no_memory = false;
    d->before = faults->count;
}


pos_status_t
pos_decoder_status(const pos_decoder_t *d)
{
    if (d->no_memory) {
        return POS_NO_MEMORY;
    }
    return d->faults->count == d->before ? POS_OK : POS_INVALID;
}


pos_at_t
pos_at_base(pos_str_t base)
{
    return (pos_at_t) { NULL, base, 0 };
}


pos_at_t
pos_at_key(const pos_at_t *up, const char *name)
{
    return (pos_at_t) { up, pos_str_z(name), 0 };
}


pos_at_t
pos_at_str(const pos_at_t *up, pos_str_t name)
{
    /* An empty name is a name too: only a NULL says "index". */
    return (pos_at_t) { up, pos_str_of(name.data ? name.data : "", name.len), 0 };
}


pos_at_t
pos_at_index(const pos_at_t *up, size_t index)
{
    return (pos_at_t) { up, { NULL, 0 }, index };
}


pos_str_t
pos_at_pointer(const pos_at_t *at, pos_arena_t *arena)
{
    pos_str_t up;

    if (at->up == NULL) {
        return at->step;
    }
    up = pos_at_pointer(at->up, arena);
    if (at->step.data == NULL) {
        return pos_json_pointer_index(arena, up, at->index);
    }
    return pos_json_pointer(arena, up, at->step);
}


bool
pos_decode_fault(pos_decoder_t *d, const pos_at_t *at, const char *code,
    const char *format, ...)
{
    char    text[300];
    va_list args;

    if (d->faults->count >= d->faults->max) {
        d->faults->count++;
        return false;
    }
    va_start(args, format);
    (void) vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void) pos_fault(d->faults, pos_at_pointer(at, d->faults->arena), code, "%s", text);
    return false;
}


const pos_json_t *
pos_member(const pos_json_t *object, const char *name)
{
    const pos_json_t *v = pos_json_get(object, name);

    return v == NULL || v->type == POS_JSON_NULL ? NULL : v;
}


static bool
known_field(const char *const *names, pos_str_t key)
{
    for (; *names != NULL; names++) {
        if (strlen(*names) == key.len && memcmp(*names, key.data, key.len) == 0) {
            return true;
        }
    }
    return false;
}


/* Letters to change, add or leave out from one to the other; MEANT_FAR: many. */
static unsigned
letters_apart(const char *name, pos_str_t key)
{
    unsigned row[MEANT_MAX + 1], n = (unsigned) strlen(name);

    if (n > MEANT_MAX || key.len > MEANT_MAX) {
        return MEANT_FAR;
    }
    for (unsigned j = 0; j <= n; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= key.len; i++) {
        unsigned corner = row[0];

        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned change = corner + (key.data[i - 1] != name[j - 1]);
            unsigned one = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

            corner = row[j];
            row[j] = change < one ? change : one;
        }
    }
    return row[n];
}


const char *
pos_decode_meant(const char *const *names, pos_str_t key)
{
    const char *found = NULL;
    unsigned    least = key.len > 5 ? MEANT_FAR : 2;   /* "cases" is no slip for "class" */

    for (; *names != NULL; names++) {
        unsigned n = letters_apart(*names, key);

        if (n < least) {
            least = n;
            found = *names;
        }
    }
    return found;
}


void
pos_decode_unknown(pos_decoder_t *d, const pos_at_t *at, const char *const *names,
    pos_str_t key)
{
    const char *meant = pos_decode_meant(names, key);
    pos_at_t    here = pos_at_str(at, key);

    pos_decode_fault(d, &here, "unknown_field", "there is no field \"%.*s\" here%s%s%s",
        (int) (key.len > 100 ? 100 : key.len), key.data, meant ? "; is \"" : "",
        meant ? meant : "", meant ? "\" meant?" : "");
}


bool
pos_decode_object(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    const char *const *names)
{
    if (json == NULL || json->type != POS_JSON_OBJECT) {
        return pos_decode_fault(d, at, "type", "must be an object");
    }
    for (const pos_json_t *m = json->first; m != NULL && names != NULL; m = m->next) {
        if (!known_field(names, m->key)) {
            pos_decode_unknown(d, at, names, m->key);
        }
    }
    return true;
}


bool
pos_decode_array(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, const pos_json_t **out)
{
    const pos_json_t *v = pos_member(object, name);

    if (v == NULL) {
        return false;
    }
    if (v->type != POS_JSON_ARRAY) {
        pos_at_t at = pos_at_key(up, name);
        return pos_decode_fault(d, &at, "type", "must be a list");
    }
    *out = v;
    return true;
}


void *
pos_decode_alloc(pos_decoder_t *d, size_t count, size_t size)
{
    void *p = pos_arena_array(d->arena, count ? count : 1, size);

    if (p == NULL) {
        d->no_memory = true;
    }
    return p;
}


pos_str_t
pos_decode_copy(pos_decoder_t *d, pos_str_t s)
{
    pos_str_t copy;

    if (s.len == 0) {
        return pos_str("");
    }
    copy = pos_arena_str(d->arena, s);
    if (copy.data == NULL) {
        d->no_memory = true;
        return pos_str("");
    }
    return copy;
}


/* The member, or NULL with a fault when it is required. */
static const pos_json_t *
present(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence)
{
    const pos_json_t *v = pos_member(object, name);

    if (v == NULL && presence == POS_REQUIRED) {
        pos_at_t at = pos_at_key(up, name);
        pos_decode_fault(d, &at, "required", "is required");
    }
    return v;
}


bool
pos_decode_string(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence, size_t max, pos_str_t *out)
{
    const pos_json_t *v = present(d, up, object, name, presence);
    pos_at_t          at = pos_at_key(up, name);

    if (v == NULL) {
        return false;
    }
    if (v->type != POS_JSON_STRING) {
        return pos_decode_fault(d, &at, "type", "must be a string");
    }
    if (v->text.len > max) {
        return pos_decode_fault(d, &at, "max_length", "must be at most %zu bytes", max);
    }
    *out = pos_decode_copy(d, v->text);
    return true;
}


static bool
code_value(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *v, pos_str_t *out)
{
    if (v->type != POS_JSON_STRING) {
        return pos_decode_fault(d, at, "type", "must be a string");
    }
    if (v->text.len == 0) {
        return pos_decode_fault(d, at, "min_length", "must not be empty");
    }
    if (v->text.len > POS_CODE_MAX) {
        return pos_decode_fault(d, at, "max_length", "must be at most %d bytes",
            POS_CODE_MAX);
    }
    for (size_t i = 0; i < v->text.len; i++) {
        if ((unsigned char) v->text.data[i] < 0x20 || v->text.data[i] == 0x7f) {
            return pos_decode_fault(d, at, "pattern", "must hold no control characters");
        }
    }
    *out = pos_decode_copy(d, v->text);
    return true;
}


bool
pos_decode_code(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence, pos_str_t *out)
{
    const pos_json_t *v = present(d, up, object, name, presence);
    pos_at_t          at = pos_at_key(up, name);

    return v != NULL && code_value(d, &at, v, out);
}


static const int64_t powers[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000,
    100000000, 1000000000 };


/* A limit as people write it: 100000 with digits 3 is 100. */
static const char *
scaled_text(int64_t n, unsigned digits, char *out, size_t size)
{
    int64_t whole = n / powers[digits], rest = n % powers[digits];

    if (rest == 0) {
        (void) snprintf(out, size, "%lld", (long long) whole);
    } else {
        (void) snprintf(out, size, "%lld.%0*lld", (long long) whole, (int) digits,
            (long long) (rest < 0 ? -rest : rest));
    }
    return out;
}


static bool
decimal_value(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *v, unsigned digits,
    int64_t min, int64_t max, int64_t *out)
{
    char    limit[40];
    int64_t n;

    if (v->type != POS_JSON_NUMBER) {
        return pos_decode_fault(d, at, "type", "must be a %s%s",
            digits ? "number" : "whole number",
            v->type == POS_JSON_STRING ? ", without quotes" : "");
    }
    if (!pos_json_decimal(v, digits, &n)) {
        return digits ? pos_decode_fault(d, at, "decimals",
                   "must be a decimal with at most %u places, without exponent", digits)
                      : pos_decode_fault(d, at, "type", "must be a whole number");
    }
    if (n < min) {
        return pos_decode_fault(d, at, "min", "must be at least %s",
            scaled_text(min, digits, limit, sizeof(limit)));
    }
    if (n > max) {
        return pos_decode_fault(d, at, "max", "must be at most %s",
            scaled_text(max, digits, limit, sizeof(limit)));
    }
    *out = n;
    return true;
}


bool
pos_decode_decimal(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence, unsigned digits, int64_t min, int64_t max,
    int64_t *out)
{
    const pos_json_t *v = present(d, up, object, name, presence);
    pos_at_t          at = pos_at_key(up, name);

    return v != NULL && decimal_value(d, &at, v, digits, min, max, out);
}


bool
pos_decode_int(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence, int64_t min, int64_t max, int64_t *out)
{
    return pos_decode_decimal(d, up, object, name, presence, 0, min, max, out);
}


bool
pos_decode_percent(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence, int64_t max_ppm, int64_t *out)
{
    /* One percent is 10,000 ppm: 4 decimals of a percent are exactly a ppm. */
    return pos_decode_decimal(d, up, object, name, presence, 4, 0, max_ppm, out);
}


bool
pos_decode_bool(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, bool *out)
{
    const pos_json_t *v = pos_member(object, name);
    pos_at_t          at = pos_at_key(up, name);

    if (v == NULL) {
        return false;
    }
    if (!pos_json_is_bool(v)) {
        return pos_decode_fault(d, &at, "type", "must be true or false");
    }
    *out = v->type == POS_JSON_TRUE;
    return true;
}


bool
pos_decode_time(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, int64_t *out)
{
    const pos_json_t *v = pos_member(object, name);
    pos_at_t          at = pos_at_key(up, name);

    if (v == NULL) {
        return false;
    }
    if (v->type != POS_JSON_STRING) {
        return pos_decode_fault(d, &at, "type", "must be a string");
    }
    if (!pos_time_read(v->text, d->zone, out)) {
        return pos_decode_fault(d, &at, "format",
            "must be a time as RFC 3339 writes it: 2026-11-27T09:00:00Z");
    }
    return true;
}


bool
pos_decode_enum(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence, const char *const *words, int *out)
{
    const pos_json_t *v = present(d, up, object, name, presence);
    pos_at_t          at = pos_at_key(up, name);
    char              list[200];
    size_t            used = 0;

    if (v == NULL) {
        return false;
    }
    for (int i = 0; v->type == POS_JSON_STRING && words[i] != NULL; i++) {
        if (pos_str_eq(v->text, pos_str_z(words[i]))) {
            *out = i;
            return true;
        }
    }
    list[0] = '\0';
    for (int i = 0; words[i] != NULL && used < sizeof(list) - 1; i++) {
        used += (size_t) snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
            words[i]);
    }
    return pos_decode_fault(d, &at, "enum", "must be one of %s", list);
}


bool
pos_decode_strings(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, uint32_t *count, const pos_str_t **out)
{
    const pos_json_t *v = pos_member(object, name);
    pos_at_t          at = pos_at_key(up, name);
    pos_str_t        *list;
    uint32_t          n = 0;

    if (v == NULL) {
        return false;
    }
    if (v->type != POS_JSON_ARRAY && v->type != POS_JSON_STRING) {
        return pos_decode_fault(d, &at, "type", "must be a list of strings");
    }
    list = pos_decode_alloc(d, v->type == POS_JSON_ARRAY ? v->count : 1, sizeof(*list));
    if (list == NULL) {
        return false;
    }
    if (v->type == POS_JSON_STRING) {
        n = code_value(d, &at, v, &list[0]);
    } else {
        size_t i = 0;

        for (const pos_json_t *e = v->first; e != NULL; e = e->next) {
            pos_at_t here = pos_at_index(&at, i++);
            n += code_value(d, &here, e, &list[n]);
        }
    }
    *count = n;
    *out = list;
    return true;
}


typedef struct {
    uint64_t  hash;
    pos_str_t value;
} hashed_t;


static int
by_hash(const void *a, const void *b)
{
    const hashed_t *x = a, *y = b;

    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return pos_str_cmp(x->value, y->value);
}


/* Few enough for insertion: nearly every list of a promotion is short. */
static void
sort_hashed(hashed_t *h, uint32_t n)
{
    if (n > 16) {
        qsort(h, n, sizeof(*h), by_hash);
        return;
    }
    for (uint32_t i = 1; i < n; i++) {
        hashed_t x = h[i];
        uint32_t j = i;

        for (; j > 0 && by_hash(&h[j - 1], &x) > 0; j--) {
            h[j] = h[j - 1];
        }
        h[j] = x;
    }
}


static bool
set_of(pos_decoder_t *d, const pos_str_t *list, uint32_t count, pos_strset_t *out)
{
    uint64_t  *hashes = pos_decode_alloc(d, count, sizeof(*hashes));
    pos_str_t *values = pos_decode_alloc(d, count, sizeof(*values));
    hashed_t   few[16], *h = few;
    uint32_t   n = 0;

    if (count > 16) {
        h = pos_decode_alloc(d, count, sizeof(*h));
    }
    if (hashes == NULL || values == NULL || h == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        h[i].hash = pos_hash64(list[i]);
        h[i].value = list[i];
    }
    sort_hashed(h, count);
    for (uint32_t i = 0; i < count; i++) {
        if (n > 0 && pos_str_eq(values[n - 1], h[i].value)) {
            continue;
        }
        hashes[n] = h[i].hash;
        values[n++] = h[i].value;
    }
    *out = (pos_strset_t) { n, hashes, values };
    return true;
}


bool
pos_decode_set(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_strset_t *out)
{
    const pos_str_t *list;
    uint32_t         count;

    return pos_decode_strings(d, up, object, name, &count, &list)
           && set_of(d, list, count, out);
}


bool
pos_decode_attribute_filters(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, uint32_t *count,
    const pos_attribute_filter_t **out)
{
    const pos_json_t       *v = pos_member(object, name);
    pos_at_t                at = pos_at_key(up, name);
    pos_attribute_filter_t *list;
    uint32_t                n = 0;

    if (v == NULL || !pos_decode_object(d, &at, v, NULL)) {
        return false;
    }
    list = pos_decode_alloc(d, v->count, sizeof(*list));
    if (list == NULL) {
        return false;
    }
    for (const pos_json_t *m = v->first; m != NULL; m = m->next) {
        char     key[POS_CODE_MAX + 1];
        pos_at_t here = pos_at_str(&at, m->key);

        if (m->key.len == 0 || m->key.len > POS_CODE_MAX) {
            pos_decode_fault(d, &here, "max_length", "a name has 1 to %d bytes",
                POS_CODE_MAX);
            continue;
        }
        memcpy(key, m->key.data, m->key.len);
        key[m->key.len] = '\0';
        if (pos_decode_set(d, &at, v, key, &list[n].values)) {
            list[n++].name = pos_decode_copy(d, m->key);
        }
    }
    *count = n;
    *out = list;
    return true;
}


static int
by_name(const void *a, const void *b)
{
    return pos_str_cmp(((const pos_attribute_t *) a)->name,
        ((const pos_attribute_t *) b)->name);
}


/* Values are strings; numbers and booleans are taken as they are written, so
 * that {"size": 42} can be matched by "42". */
static bool
attribute_value(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *v, pos_str_t *out)
{
    switch (v->type) {
    case POS_JSON_STRING:
        if (v->text.len > POS_TEXT_MAX) {
            return pos_decode_fault(d, at, "max_length", "must be at most %d bytes",
                POS_TEXT_MAX);
        }
        *out = pos_decode_copy(d, v->text);
        return true;
    case POS_JSON_NUMBER:
        *out = pos_decode_copy(d, v->text);
        return true;
    case POS_JSON_TRUE:
        *out = pos_str("true");
        return true;
    case POS_JSON_FALSE:
        *out = pos_str("false");
        return true;
    default:
        return pos_decode_fault(d, at, "type", "must be a string, a number or a boolean");
    }
}


bool
pos_decode_attributes(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, uint32_t *count, const pos_attribute_t **out)
{
    const pos_json_t *v = pos_member(object, name);
    pos_at_t          at = pos_at_key(up, name);
    pos_attribute_t  *list;
    uint32_t          n = 0;

    if (v == NULL || !pos_decode_object(d, &at, v, NULL)) {
        return false;
    }
    list = pos_decode_alloc(d, v->count, sizeof(*list));
    if (list == NULL) {
        return false;
    }
    for (const pos_json_t *m = v->first; m != NULL; m = m->next) {
        pos_at_t here = pos_at_str(&at, m->key);

        if (m->key.len == 0 || m->key.len > POS_CODE_MAX) {
            pos_decode_fault(d, &here, "max_length", "a name has 1 to %d bytes",
                POS_CODE_MAX);
        } else if (m->type != POS_JSON_NULL
                   && attribute_value(d, &here, m, &list[n].value)) {
            list[n++].name = pos_decode_copy(d, m->key);
        }
    }
    if (n > 1) {
        qsort(list, n, sizeof(*list), by_name);
    }
    *count = n;
    *out = list;
    return true;
}


bool
pos_decode_range(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, unsigned digits, int64_t max, pos_range_t *out)
{
    static const char *const fields[] = { "min", "max", NULL };
    const pos_json_t        *v = pos_member(object, name);
    pos_at_t                 at = pos_at_key(up, name);
    uint32_t                 before = d->faults->count;

    if (v == NULL || !pos_decode_object(d, &at, v, fields)) {
        return false;
    }
    out->min = POS_NONE;
    out->max = POS_INF;
    pos_decode_decimal(d, &at, v, "min", POS_OPTIONAL, digits, 0, max, &out->min);
    pos_decode_decimal(d, &at, v, "max", POS_OPTIONAL, digits, 0, max, &out->max);
    if (d->faults->count != before) {
        return false;
    }
    if (out->min == POS_NONE && out->max == POS_INF) {
        return pos_decode_fault(d, &at, "required", "needs min or max");
    }
    if (out->min > out->max) {
        return pos_decode_fault(d, &at, "empty_range", "min is above max");
    }
    return true;
}
