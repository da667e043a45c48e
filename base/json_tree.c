/*
 * Reading the tree that the JSON door made.
 */

#include "base/json.h"


/* Nodes are made in the order of the text. Where they stand is the next one's place. */
static const pos_json_t *
pos_json_run(const pos_json_t *node, const pos_json_t *place)
{
    for (; node != NULL && node == place; node = node->next) {
        place = pos_json_run(node->first, place + 1);
    }

    return place;
}


void
pos_json_recycle(const pos_json_t *root, pos_arena_t *arena)
{
    const pos_json_t *end = pos_json_run(root->first, root + 1);

    pos_arena_recycle(arena, (void *) (uintptr_t) root, (size_t) (end - root) * sizeof(*root));
}


const pos_json_t *
pos_json_get_str(const pos_json_t *object, pos_str_t name)
{
    const pos_json_t *member;

    if (object == NULL || object->type != POS_JSON_OBJECT) {
        return NULL;
    }

    for (member = object->first; member; member = member->next) {
        if (pos_str_eq(member->key, name)) {
            return member;
        }
    }

    return NULL;
}


const pos_json_t *
pos_json_get(const pos_json_t *object, const char *name)
{
    return pos_json_get_str(object, pos_str_z(name));
}


/* Digits to n * 10^count + digits; false on overflow or another character. */
static bool
pos_json_digits(const char *p, const char *end, int64_t *n)
{
    for (; p < end; p++) {
        if (*p < '0' || *p > '9' || __builtin_mul_overflow(*n, 10, n)
            || __builtin_sub_overflow(*n, *p - '0', n)) {
            return false;
        }
    }

    return true;
}


static const int32_t pos_json_tens[10] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000
};


bool
pos_json_decimal(const pos_json_t *v, unsigned digits, int64_t *out)
{
    bool        negative;
    int64_t     n = 0;
    unsigned    pad;
    const char *p, *end, *point;

    if (v == NULL || v->type != POS_JSON_NUMBER || digits > 9) {
        return false;
    }

    p = v->text.data;
    end = p + v->text.len;

    /* A quantity or an amount: a few digits and nothing else. */
    if (v->text.len <= 6) {
        for (; p < end && *p >= '0' && *p <= '9'; p++) {
            n = n * 10 + (*p - '0');
        }
        if (p == end) {
            *out = n * pos_json_tens[digits];
            return true;
        }
        n = 0;
        p = v->text.data;
    }

    negative = *p == '-';
    p += negative;

    point = memchr(p, '.', (size_t) (end - p));
    pad = digits;

    /* Counted downwards, since INT64_MIN has no positive twin. */
    if (!pos_json_digits(p, point ? point : end, &n)) {
        return false;
    }

    if (point) {
        if ((size_t) (end - point - 1) > digits || !pos_json_digits(point + 1, end, &n)) {
            return false;
        }

        pad -= (unsigned) (end - point - 1);
    }

    while (pad--) {
        if (__builtin_mul_overflow(n, 10, &n)) {
            return false;
        }
    }

    if (!negative && __builtin_sub_overflow(0, n, &n)) {
        return false;
    }

    *out = n;

    return true;
}


bool
pos_json_int64(const pos_json_t *v, int64_t *out)
{
    return pos_json_decimal(v, 0, out);
}


bool
pos_json_is_bool(const pos_json_t *v)
{
    return v && (v->type == POS_JSON_TRUE || v->type == POS_JSON_FALSE);
}


pos_str_t
pos_json_pointer(pos_arena_t *arena, pos_str_t base, pos_str_t key)
{
    char  *p, *start;
    size_t i, size = base.len + key.len + 2;

    for (i = 0; i < key.len; i++) {
        size += key.data[i] == '~' || key.data[i] == '/';
    }

    p = start = pos_arena_alloc(arena, size);
    if (p == NULL) {
        return pos_str_of(NULL, 0);
    }

    if (base.len) {
        memcpy(p, base.data, base.len);
        p += base.len;
    }

    *p++ = '/';

    for (i = 0; i < key.len; i++) {
        if (key.data[i] == '~' || key.data[i] == '/') {
            *p++ = '~';
            *p++ = key.data[i] == '~' ? '0' : '1';
        } else {
            *p++ = key.data[i];
        }
    }

    *p = '\0';

    return pos_str_of(start, (size_t) (p - start));
}


pos_str_t
pos_json_pointer_index(pos_arena_t *arena, pos_str_t base, size_t index)
{
    return pos_arena_printf(arena, "%.*s/%zu", (int) base.len, base.data ? base.data : "", index);
}
