/*
 * What a cart lacks for a condition or an effect, for explain.
 */

#ifndef POS_UNMET_H
#define POS_UNMET_H

#include "engine/cart.h"

typedef struct pos_gap_s pos_gap_t;
struct pos_gap_s {
    const char         *reason;       /* NULL: nothing is unmet              */
    const pos_filter_t *filter;       /* of what; NULL: any                  */
    int64_t             quantity;     /* thousandths missing; 0: none        */
    int64_t             amount;       /* minor units missing; 0: none        */
    int64_t             distinct;     /* different products missing          */
    int64_t             weight;       /* grams missing                       */
    bool                line;         /* on one line                         */
    bool                mendable;     /* adding goods would do               */
    bool                customer_known;   /* naming the customer would do    */
    const pos_strset_t *tenders;      /* paying by one of these would do     */
    const pos_strset_t *fulfilments;
    pos_gap_t          *also;         /* what is missing besides, of other goods */
};

/* unmet.c: of a condition that does not hold. */
pos_gap_t pos_condition_gap(const pos_condition_t *condition, const pos_cart_t *cart);
/* Is `a` the smaller change? Things that can be mended go first. */
bool pos_gap_smaller(const pos_gap_t *a, const pos_gap_t *b);
/* Both must be mended; one article may do for both. What goods cannot mend is the
 * reason. */
void pos_gap_join(pos_gap_t *sum, const pos_gap_t *g, pos_arena_t *arena);
/* Both must be mended, each by goods of its own. */
void pos_gap_add(pos_gap_t *sum, const pos_gap_t *g, pos_arena_t *arena);
/* As a JSON object, or empty where there is nothing to tell. */
pos_str_t pos_gap_missing(const pos_gap_t *g, pos_arena_t *arena);

/* unmet_effects.c: of an effect, its own condition included; false: it lacks nothing. */
bool pos_effect_gap(const pos_effect_t *effect, const pos_cart_t *cart, pos_gap_t *out);

#endif
