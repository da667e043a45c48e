/*
 * A plain, strict RFC 8259 scanner. It runs only when the JSON door refused a
 * text, to say where and why; its verdict on a text equals the door's, but
 * for duplicate keys, which it does not look for.
 */

#ifndef POS_JSON_LOCATE_H
#define POS_JSON_LOCATE_H

#include "base/base.h"

typedef struct {
    const char *code;       /* json_syntax, json_utf8, json_depth; NULL: fine */
    const char *expected;   /* "expected a value", … */
    size_t      offset;     /* of the byte at fault; the length at the end */
} pos_json_spot_t;

#ifdef __cplusplus
extern "C" {
#endif

/* True: the text is one JSON value within the depth limit. */
bool pos_json_scan(pos_str_t text, pos_json_spot_t *spot);

/* 1-based line and column (in code points) of a byte. */
void pos_json_place(pos_str_t text, size_t offset, uint32_t *line, uint32_t *column);

#ifdef __cplusplus
}
#endif

#endif
