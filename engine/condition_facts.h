/*
 * What conditions measure on a cart. Gifts are never seen.
 */

#ifndef POS_CONDITION_FACTS_H
#define POS_CONDITION_FACTS_H

#include "engine/cart.h"

/* thousandths */
int64_t pos_facts_quantity(const pos_filter_t *filter, const pos_cart_t *cart);
/* minor units, at unit prices or at what line discounts left (once known) */
int64_t pos_facts_amount(const pos_filter_t *filter, const pos_cart_t *cart, bool after);
int64_t pos_facts_subtotal(const pos_condition_t *condition, const pos_cart_t *cart);
/* different SKUs */
int64_t pos_facts_distinct(const pos_filter_t *filter, const pos_cart_t *cart);
/* grams */
int64_t pos_facts_weight(const pos_cart_t *cart);

#endif
