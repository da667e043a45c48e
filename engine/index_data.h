/*
 * What the index is made of; for index*.c and drawer.c only.
 *
 * Keys lie in drawers, by their first bits. A drawer never changes once it is made:
 * books that follow one another share those of which no promotion came or went, and
 * count them. An entry has its promotion's number (roster.h), which stays the same in
 * all of them.
 */

#ifndef POS_INDEX_DATA_H
#define POS_INDEX_DATA_H

#include "engine/index.h"

#define POS_BLOCK         16
#define POS_DRAWER_KEYS   32      /* entries of a drawer, about              */
#define POS_ANCHOR_KINDS  (POS_ANCHOR_ALWAYS + 1)
#define POS_INDEX_MOVES   16      /* small steps that a row counts           */

typedef struct {
    int64_t  from, until, subtotal;
    uint64_t key;
    uint32_t promotion;                /* its number                         */
} pos_entry_t;

/* Bounds over up to POS_BLOCK entries of one list. */
typedef struct {
    int64_t  from, until, subtotal;    /* least, greatest, least             */
    uint32_t first, count;             /* entries                            */
} pos_block_t;

typedef struct {
    uint64_t key;                      /* 0: free                            */
    uint32_t first, count;             /* blocks                             */
} pos_slot_t;

typedef struct {
    uint32_t     refs;                 /* indexes                            */
    uint32_t     entry_count;
    uint32_t     mask;
    pos_slot_t  *slots;
    pos_block_t *blocks;
    pos_entry_t *entries;              /* by key, then latest end first      */
} pos_drawer_t;

struct pos_index_s {
    uint32_t       words;              /* of a set of promotions, 64 a word  */
    uint32_t       kinds;              /* bit: some promotion is filed so    */
    uint32_t       filed[POS_ANCHOR_KINDS];    /* how many are               */
    uint32_t       entry_count;
    uint32_t       entries_made;       /* when its drawers were laid out     */
    uint32_t       shift;              /* a key's drawer is key >> shift     */
    uint32_t       drawer_count;
    pos_drawer_t **drawers;            /* a reference each; NULL: empty      */
};

static inline pos_slot_t *
pos_drawer_slot(const pos_drawer_t *drawer, uint64_t key)
{
    size_t i = key & drawer->mask;

    while (drawer->slots[i].key != 0 && drawer->slots[i].key != key) {
        i = (i + 1) & drawer->mask;
    }
    return &drawer->slots[i];
}

/* By key, then latest end first. */
int pos_entry_order(const void *a, const void *b);

/* A promotion's k-th key; false: it has no more. */
bool pos_anchor_at(const pos_anchor_t *anchor, uint32_t k, uint64_t *key);
/* Counts one in (`step` 1) or out (-1) by what it is filed under. */
void pos_index_count(pos_index_t *index, const pos_anchor_t *anchor, int step);

/* A drawer being made of entries in their order, which stay the caller's. */
typedef struct {
    const pos_entry_t *entries;
    uint32_t           count, at;
    uint32_t           keys, blocks;
    uint32_t           run;            /* entries of the key that is counted */
    pos_drawer_t      *drawer;         /* NULL: they are being counted       */
} pos_drawer_making_t;

void pos_drawer_making_init(pos_drawer_making_t *making, const pos_entry_t *entries,
    uint32_t count);
/* Takes what it did from `*moves`. POS_AGAIN: more to do. POS_OK: `drawer` is done, with
 * one reference. */
pos_status_t pos_drawer_making_step(pos_drawer_making_t *making, uint32_t *moves)
    POS_MUSTCHECK;
void pos_drawer_release(pos_drawer_t *drawer);

#endif
