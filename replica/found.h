/*
 * Where the rows of products were found: finding one in a book of a million goes
 * through four pages of the map and some ten cache lines, each waited for in turn;
 * the second time it is one line here and the row itself. A row stays where it is
 * for as long as its snapshot is open.
 *
 * Every change of the book brings a new snapshot, which learns anew. An entry may
 * lead to another product's row, never to another retailer's: the caller looks at
 * what it finds there. Without
 * memory nothing is remembered and everything still works.
 */

#ifndef POS_REPLICA_FOUND_H
#define POS_REPLICA_FOUND_H

#include "base/base.h"

#define POS_FOUND_SLOTS_MIN  1024
#define POS_FOUND_SLOTS_MAX  (1024 * 1024)    /* twelve bytes each */

typedef struct {
    uint64_t  mask;
    uint64_t *rows;        /* address, 48 bits; length, 12; of the hash, 4 */
    uint32_t *owners;      /* retailer's number */
} pos_found_t;

/* For a book of so many rows; NULL without memory, which the functions below
 * allow. Pages are taken only as slots are used. */
pos_found_t *pos_found_create(size_t rows);
void         pos_found_destroy(pos_found_t *found);

/* False: not remembered. Else a row of this retailer with, most likely, this hash. */
bool pos_found_get(const pos_found_t *found, uint32_t owner, uint64_t hash,
    pos_str_t *row);
/* Fetches ahead, so that what is asked for soon is waited for together: first
 * the entry, then, once it has come, the row it leads to. */
void pos_found_fetch(const pos_found_t *found, uint64_t hash);
void pos_found_fetch_row(const pos_found_t *found, uint64_t hash);
/* What does not fit an entry (a row over 4 KB) is not remembered. */
void pos_found_put(pos_found_t *found, uint32_t owner, uint64_t hash,
    pos_str_t row);

#endif
