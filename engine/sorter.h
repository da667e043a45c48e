/*
 * A stable sort in steps of a bounded number of moves, for what a worker orders
 * between requests.
 */

#ifndef POS_SORTER_H
#define POS_SORTER_H

#include "base/base.h"

typedef int (*pos_order_pt)(const void *a, const void *b);

typedef struct {
    char        *from, *to;       /* runs are merged from one to the other   */
    char        *items;           /* where they shall be in the end          */
    size_t       size;            /* of an item                              */
    uint32_t     count, width;    /* of the runs that are sorted             */
    uint32_t     left, left_end, right, right_end, out;
    uint32_t     ascend;          /* so many are in order as they came       */
    bool         merging;
    pos_order_pt order;
} pos_sorter_t;

/* `spare` has room for as many. Both belong to the sorter until it is done. */
void pos_sorter_init(pos_sorter_t *sorter, void *items, void *spare, uint32_t count,
    size_t size, pos_order_pt order);
/* Moves at most `moves` items, with a comparison each; true: `items` is sorted. */
bool pos_sorter_step(pos_sorter_t *sorter, uint32_t moves);

#endif
