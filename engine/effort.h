/*
 * How far explaining a cart may go.
 */

#ifndef POS_EFFORT_H
#define POS_EFFORT_H

#include "engine/cart.h"

/* Ticks of one value against a set and against a text, by measurement; strings are short. */
#define POS_ASK_SET   12
#define POS_ASK_TEXT  10

/* The work of explaining one cart, in ticks of about a nanosecond that are counted
 * before the work is done, the same on every machine, so that an answer replays. What
 * there is no room for is left out, and `stopped` says so until it is put back. */
typedef struct {
    const pos_cart_t *cart;
    uint64_t          done, most;
    bool              stopped;
    uint64_t          categories, tags, attributes;    /* of all items: what filters look at */
} pos_effort_t;

void pos_effort_init(pos_effort_t *effort, const pos_cart_t *cart, uint64_t most);
/* False: there is no room for so much more. */
bool pos_effort_take(pos_effort_t *effort, uint64_t ticks);
/* For one filter asked of every item. */
bool pos_effort_take_filter(pos_effort_t *effort, const pos_filter_t *filter);

#endif
