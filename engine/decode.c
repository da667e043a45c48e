/*
 * The decoder itself: where we are in a document, what is at fault there, and
 * what the values go by.
 */

#include "engine/decode.h"

#include <stdarg.h>
#include <stdio.h>


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


/* ---- places and faults ---- */

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


/* ---- members ---- */

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


/* ---- what is kept ---- */

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
