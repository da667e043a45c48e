/*
 * The JSON door: text to a tree of nodes in an arena (RFC 8259, strict).
 * simdjson does the work behind it; no C++ type shows here.
 *
 * Beyond RFC 8259 it refuses: duplicate keys, a depth over the limit, bytes
 * that are not UTF-8, NUL in strings and keys, anything behind the value.
 * Numbers keep their text: money and rates are never floating point.
 */

#ifndef POS_JSON_H
#define POS_JSON_H

#include "base/arena.h"
#include "base/base.h"

typedef enum {
    POS_JSON_NULL,
    POS_JSON_FALSE,
    POS_JSON_TRUE,
    POS_JSON_NUMBER,
    POS_JSON_STRING,
    POS_JSON_ARRAY,
    POS_JSON_OBJECT
} pos_json_type_t;

typedef struct pos_json_s pos_json_t;
struct pos_json_s {
    uint8_t     type;     /* pos_json_type_t                                */
    uint32_t    count;    /* members of an array or object                  */
    pos_str_t   key;      /* within an object: this member's name, unescaped */
    pos_str_t   text;     /* string: unescaped; number: as written; of an
                             array or object: its raw JSON text             */
    pos_json_t *first;    /* first member                                   */
    pos_json_t *next;     /* next member of the parent                      */
};

typedef struct pos_json_reader_s pos_json_reader_t;  /* reusable; not shared */

#define POS_JSON_MAX_DEPTH  32

/* `max_size` bounds a document's bytes. NULL without memory. */
pos_json_reader_t *pos_json_reader_create(size_t max_size);
void               pos_json_reader_destroy(pos_json_reader_t *reader);

/* Reads one whole document. The input is copied (simdjson needs padding); all
 * strings of the tree live in `arena`. A fault names line and column and has
 * code json_syntax, json_utf8, json_depth, json_duplicate_key or
 * body_too_large. POS_INVALID, POS_NO_MEMORY or POS_OK. */
pos_status_t pos_json_read(pos_json_reader_t *reader, pos_str_t text,
    pos_arena_t *arena, pos_faults_t *faults, pos_json_t **root) POS_MUSTCHECK;

/* Gives the nodes of a tree that was read into `arena`, as far as they stand side by side,
 * back to it (pos_arena_recycle). Its strings stay. */
void pos_json_recycle(const pos_json_t *root, pos_arena_t *arena);

/* Member by name; NULL when `object` is NULL, no object, or has none. */
const pos_json_t *pos_json_get(const pos_json_t *object, const char *name);
const pos_json_t *pos_json_get_str(const pos_json_t *object, pos_str_t name);

/* An integer without fraction or exponent that fits. False otherwise. */
bool pos_json_int64(const pos_json_t *v, int64_t *out);
/* A decimal with at most `digits` (0 to 9) digits behind the point, scaled by
 * 10^digits: digits 4 reads 12.5 as 125000; no exponent. False otherwise. */
bool pos_json_decimal(const pos_json_t *v, unsigned digits, int64_t *out);
bool pos_json_is_bool(const pos_json_t *v);

/* The pointer's text with one more step, ~ and / escaped, in `arena`. */
pos_str_t pos_json_pointer(pos_arena_t *arena, pos_str_t base, pos_str_t key);
pos_str_t pos_json_pointer_index(pos_arena_t *arena, pos_str_t base,
    size_t index);

#endif
