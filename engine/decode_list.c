/*
 * Lists, sets and attributes.
 */

#include "engine/decode.h"
#include "base/hash.h"

#include <stdlib.h>

#define FEW  16      /* members that are sorted by insertion, on the stack */


/* ---- lists and sets of codes ---- */

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
        n = pos_decode_code_value(d, &at, v, &list[0]);
    } else {
        size_t i = 0;

        for (const pos_json_t *e = v->first; e != NULL; e = e->next) {
            pos_at_t here = pos_at_index(&at, i++);
            n += pos_decode_code_value(d, &here, e, &list[n]);
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
    if (n > FEW) {
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
    hashed_t   few[FEW], *h = few;
    uint32_t   n = 0;

    if (count > FEW) {
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


/* ---- attributes ---- */

static bool
attribute_name(pos_decoder_t *d, const pos_at_t *at, pos_str_t name)
{
    if (name.len == 0 || name.len > POS_CODE_MAX) {
        return pos_decode_fault(d, at, "max_length", "a name has 1 to %d bytes",
            POS_CODE_MAX);
    }
    return true;
}


/* Zeros behind a decimal point say nothing: 3.50 is 3.5, and 3.0 is 3. */
static pos_str_t
plain_number(pos_str_t text)
{
    const char *point = memchr(text.data, '.', text.len);

    if (point == NULL || memchr(text.data, 'e', text.len) || memchr(text.data, 'E', text.len)) {
        return text;
    }
    while (text.data[text.len - 1] == '0') {
        text.len--;
    }
    text.len -= text.data[text.len - 1] == '.';
    return text;
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
        *out = pos_decode_copy(d, plain_number(v->text));
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


/* A list of values, or one of them alone. */
static bool
attribute_values(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *v,
    pos_strset_t *out)
{
    bool              many = v->type == POS_JSON_ARRAY;
    pos_str_t        *list = pos_decode_alloc(d, many ? v->count : 1, sizeof(*list));
    const pos_json_t *e = many ? v->first : v;
    uint32_t          n = 0;
    size_t            i = 0;

    if (list == NULL) {
        return false;
    }
    for (; e != NULL; e = many ? e->next : NULL) {
        pos_at_t here = many ? pos_at_index(at, i++) : *at;

        n += e->type == POS_JSON_STRING ? pos_decode_code_value(d, &here, e, &list[n])
                                        : attribute_value(d, &here, e, &list[n]);
    }
    return set_of(d, list, n, out);
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
        pos_at_t here = pos_at_str(&at, m->key);

        if (attribute_name(d, &here, m->key) && m->type != POS_JSON_NULL
            && attribute_values(d, &here, m, &list[n].values))
        {
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

        if (attribute_name(d, &here, m->key) && m->type != POS_JSON_NULL
            && attribute_value(d, &here, m, &list[n].value))
        {
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
