/*
 * What filters find in one cart, kept while it is quoted: books ask the same of a
 * cart again and again, and a large cart is asked but once.
 */

#ifndef POS_MATCHES_H
#define POS_MATCHES_H

#include "engine/cart.h"

/* Items so few that they are rather asked than searched. */
#define POS_MATCHES_FEW  16

typedef struct {
    pos_match_t match;       /* items NULL: not listed yet */
    int64_t     quantity;    /* thousandths */
    int64_t     subtotal;    /* minor units, at unit prices */
    int64_t     distinct;    /* SKUs */
} pos_found_t;

/* For a cart whose items are made. Small carts keep nothing: asking is quicker. */
pos_status_t pos_matches_init(pos_cart_t *cart) POS_MUSTCHECK;
/* From now on nothing more is kept, since the arena's mark is taken; or again. */
void pos_matches_close(const pos_cart_t *cart, bool closed);
/* For the two below. */
const pos_found_t *pos_matches_get(const pos_cart_t *cart, const pos_filter_t *filter, bool listed);
void pos_items_of_sku(const pos_cart_t *cart, pos_str_t sku, uint32_t *from, uint32_t *until);

/* NULL: it is not kept; ask the items that pos_filter_range() names. */
static inline const pos_found_t *
pos_matches_find(const pos_cart_t *cart, const pos_filter_t *filter)
{
    return cart->matches ? pos_matches_get(cart, filter, false) : NULL;
}

/* The same with its items listed. */
static inline const pos_found_t *
pos_matches_list(const pos_cart_t *cart, const pos_filter_t *filter)
{
    return cart->matches ? pos_matches_get(cart, filter, true) : NULL;
}

/* The only items that may match, from..until - 1: those of its SKU, where it names one. */
static inline void
pos_filter_range(const pos_cart_t *cart, const pos_filter_t *filter, uint32_t *from, uint32_t *until)
{
    *from = 0;
    *until = cart->item_count;
    if (cart->item_count > POS_MATCHES_FEW && filter && filter->sku.count == 1) {
        pos_items_of_sku(cart, filter->sku.values[0], from, until);
    }
}

/* Grams. */
int64_t pos_matches_weight(const pos_cart_t *cart);

#endif
