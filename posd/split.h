/*
 * Cuts a large JSON object into the elements of its top-level arrays, without
 * ever having more than one element in memory. It only finds where elements
 * end: each one's text is then read strictly by the JSON door.
 */

#ifndef POS_POSD_SPLIT_H
#define POS_POSD_SPLIT_H

#include "base/base.h"

#define POS_SPLIT_ELEMENT_MAX  (4 * 1024 * 1024)
#define POS_SPLIT_NAME_MAX     64

typedef struct {
    char      section[POS_SPLIT_NAME_MAX];   /* the member's name            */
    bool      array;
    int64_t   ordinal;     /* in its array; -1: an array that is empty       */
    pos_str_t text;        /* until the next call                            */
} pos_split_item_t;

typedef struct pos_split_s pos_split_t;

/* Reads `fd`, which stays the caller's. NULL without memory. */
pos_split_t *pos_split_create(int fd);
void         pos_split_destroy(pos_split_t *split);
/* POS_OK: an item; POS_NOT_FOUND: the document ended as it should; POS_INVALID:
 * it is not such a document (pos_split_error says why); POS_LIMIT: an element
 * is too large; POS_BROKEN: the file cannot be read. */
pos_status_t pos_split_next(pos_split_t *split, pos_split_item_t *item)
    POS_MUSTCHECK;
const char *pos_split_error(const pos_split_t *split);
uint64_t    pos_split_offset(const pos_split_t *split);   /* bytes taken */
uint64_t    pos_split_line(const pos_split_t *split);     /* 1-based     */

#endif
