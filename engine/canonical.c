#include "engine/canonical.h"

#include <stdlib.h>

#define SORTED_FEW  32

typedef struct {
    pos_sha256_t ctx;
    pos_arena_t *scratch;
    bool         no_memory;
    size_t       used;
    char         buffer[4096];
} canon_t;


static void
put(canon_t *c, const char *data, size_t len)
{
    if (len > sizeof(c->buffer) - c->used) {
        pos_sha256_update(&c->ctx, pos_str_of(c->buffer, c->used));
        c->used = 0;
    }
    if (len > sizeof(c->buffer)) {
        pos_sha256_update(&c->ctx, pos_str_of(data, len));
        return;
    }
    memcpy(c->buffer + c->used, data, len);
    c->used += len;
}


/* A length before the bytes is as good as quotes around them, and needs no
 * escapes. */
static void
put_text(canon_t *c, char kind, pos_str_t s)
{
    char header[9];

    header[0] = kind;
    for (int i = 0; i < 8; i++) {
        header[1 + i] = (char) ((uint64_t) s.len >> 8 * (7 - i));
    }
    put(c, header, sizeof(header));
    if (s.len > 0) {
        put(c, s.data, s.len);
    }
}


static pos_str_t
trimmed(pos_str_t number)
{
    if (memchr(number.data, '.', number.len) == NULL
        || memchr(number.data, 'e', number.len) || memchr(number.data, 'E', number.len))
    {
        return number;
    }
    while (number.data[number.len - 1] == '0') {
        number.len--;
    }
    if (number.data[number.len - 1] == '.') {
        number.len--;
    }
    return number;
}


static int
by_key(const void *a, const void *b)
{
    return pos_str_cmp((*(const pos_json_t *const *) a)->key,
        (*(const pos_json_t *const *) b)->key);
}


static void put_value(canon_t *c, const pos_json_t *v);


static void
put_object(canon_t *c, const pos_json_t *object)
{
    const pos_json_t  *few[SORTED_FEW];
    const pos_json_t **sorted = few;
    uint32_t           n = 0;

    if (object->count > SORTED_FEW) {
        sorted = pos_arena_array(c->scratch, object->count, sizeof(*sorted));
        if (sorted == NULL) {
            c->no_memory = true;
            return;
        }
    }
    for (const pos_json_t *m = object->first; m != NULL; m = m->next) {
        sorted[n++] = m;
    }
    qsort(sorted, n, sizeof(*sorted), by_key);
    put(c, "{", 1);
    for (uint32_t i = 0; i < n; i++) {
        put_text(c, 'k', sorted[i]->key);
        put_value(c, sorted[i]);
    }
    put(c, "}", 1);
}


static void
put_value(canon_t *c, const pos_json_t *v)
{
    switch (v->type) {
    case POS_JSON_NULL:
        put(c, "n", 1);
        return;
    case POS_JSON_FALSE:
        put(c, "f", 1);
        return;
    case POS_JSON_TRUE:
        put(c, "t", 1);
        return;
    case POS_JSON_NUMBER:
        put_text(c, '0', trimmed(v->text));
        return;
    case POS_JSON_STRING:
        put_text(c, 's', v->text);
        return;
    case POS_JSON_ARRAY:
        put(c, "[", 1);
        for (const pos_json_t *e = v->first; e != NULL; e = e->next) {
            put_value(c, e);
        }
        put(c, "]", 1);
        return;
    default:
        put_object(c, v);
    }
}


pos_status_t
pos_canonical_sha256(const pos_json_t *json, pos_arena_t *scratch,
    uint8_t out[POS_SHA256_SIZE])
{
    canon_t c;

    pos_sha256_init(&c.ctx);
    c.scratch = scratch;
    c.no_memory = false;
    c.used = 0;
    put_value(&c, json);
    pos_sha256_update(&c.ctx, pos_str_of(c.buffer, c.used));
    pos_sha256_final(&c.ctx, out);
    return c.no_memory ? POS_NO_MEMORY : POS_OK;
}
