/*
 * What a cart lacks for a condition or an effect, for explain: in bounded work.
 */

#ifndef POS_UNMET_H
#define POS_UNMET_H

#include "engine/effort.h"

typedef struct pos_gap_s pos_gap_t;
struct pos_gap_s {
    const char            *reason;
    const pos_filter_t    *filter;       /* of what; NULL: any                  */
    int64_t                quantity;     /* thousandths missing; 0: none        */
    int64_t                amount;       /* minor units missing; 0: none        */
    int64_t                distinct;     /* different products missing          */
    int64_t                weight;       /* grams missing                       */
    bool                   line;         /* on one line                         */
    bool                   goods;        /* some of these are missing           */
    bool                   beyond;       /* and something that is not told how to mend */
    bool                   customer_known;    /* the customer is to be named    */
    const pos_strset_t    *tenders;      /* one of these is to be paid by       */
    const pos_strset_t    *fulfilments;
    const pos_condition_t *ship_to;
    pos_gap_t             *also;         /* what is missing besides, of other goods */
};

/* unmet.c: false: the condition holds (NULL always does), or the effort stopped. */
bool pos_condition_gap(const pos_condition_t *condition, pos_effort_t *effort, pos_gap_t *out);
/* Is `a` the smaller change? What can be told goes first, then what goods alone mend. */
bool pos_gap_smaller(const pos_gap_t *a, const pos_gap_t *b);
/* Both must be mended; one article may do for both. What goods cannot mend is the
 * reason. */
void pos_gap_join(pos_gap_t *sum, const pos_gap_t *g, pos_effort_t *effort);
/* Both must be mended, each by goods of its own. */
void pos_gap_add(pos_gap_t *sum, const pos_gap_t *g, pos_effort_t *effort);

/* unmet_effects.c: of an effect, its own condition included; false: it lacks nothing, or
 * the effort stopped. */
bool pos_effect_gap(const pos_effect_t *effect, pos_effort_t *effort, pos_gap_t *out);

/* Why a promotion does not apply to the cart, going by its condition and by what its
 * effects ask for, the nearest of them; and, where it can be told in full, the smallest
 * change that would mend it. */
typedef struct {
    const char *reason;    /* condition, wrong_store, wrong_channel, wrong_tender, customer,
                              no_items; NULL: it lacks nothing, or the effort stopped */
    pos_str_t   missing;   /* a JSON object in the cart's arena, or empty */
} pos_unmet_t;
void pos_promotion_unmet(const pos_promotion_t *promotion, pos_effort_t *effort, pos_unmet_t *out);

#endif
