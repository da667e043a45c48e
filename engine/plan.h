/*
 * The plan: which promotions could apply to a cart and what each of their
 * effects (an *act*) could bear on. Made once a quote; a choice over it is
 * judged by evaluate.c as often as choose.c wants, so everything that does not
 * depend on the choice is worked out here.
 */

#ifndef POS_PLAN_H
#define POS_PLAN_H

#include "engine/work.h"

/* The order in which discounts are applied. */
typedef enum {
    POS_PHASE_MARKDOWN,
    POS_PHASE_DEAL,
    POS_PHASE_GIFT,
    POS_PHASE_ORDER,
    POS_PHASE_SHIPPING,
    POS_PHASE_BONUS,      /* points, messages */
    POS_PHASE_COUNT
} pos_phase_t;

/* A thing that could be taken by a deal or a limited markdown: an item, and
 * which parts of the deal it matches (bit p: part p). */
typedef struct {
    uint32_t item;
    uint64_t parts;
    int64_t  amount;      /* what one unit costs before discounts           */
    int64_t  most;        /* units at most (a script's selection); POS_INF  */
} pos_pick_t;

typedef struct {
    const pos_effect_t *effect;
    uint32_t            candidate;
    pos_phase_t         phase;
    uint32_t            touch;        /* its first touch id                 */
    uint32_t            touch_count;
    pos_match_t         match;        /* of its filter, or of all its parts */
    /* deals and limited markdowns: what can be picked, dearest first, and the
     * same from the cheapest on (indices; ties in canonical order both ways) */
    uint32_t            pick_count;
    pos_pick_t         *picks;
    uint32_t           *cheapest;
    uint64_t           *subsets;      /* of parts, for Hall's condition     */
    uint32_t            subset_count;
    uint64_t            counted;      /* parts asked by quantity            */
    /* tiers by quantity: the tier each matched item reached, or NULL       */
    const pos_tier_t  **tiers;
    /* gifts */
    uint32_t            gift_item;    /* POS_NIL: none to give              */
    int64_t             gift_times;
} pos_act_t;

typedef struct {
    const pos_promotion_t *promotion;
    uint32_t               looked;       /* its entry in plan->looked        */
    uint32_t               act_count;
    uint32_t              *acts;         /* in the promotion's order         */
    uint64_t              *own;          /* touch ids, a bitmap              */
    uint64_t              *group;        /* touch ids of its group, or NULL  */
    const pos_effect_t    *effects;      /* data and script                  */
    uint32_t               effect_count;
    int64_t                uses_max;     /* what the limits leave this order */
    int64_t                amount_max;
} pos_candidate_t;

/* A promotion that was looked at, for explain. */
typedef struct {
    const pos_promotion_t *promotion;
    uint32_t               number;         /* its place in the book          */
    bool                   reachable;      /* the cart could bring it        */
    uint64_t               script_ns;
    const char            *reason;       /* why it is no candidate, or NULL  */
    pos_str_t              missing;
    const char            *said;         /* by a script that proposed; NULL: nothing */
    pos_str_t              said_missing;
    pos_str_t              detail;       /* of a script error                */
    uint32_t               candidate;    /* POS_NIL: none                    */
} pos_looked_t;

/* A cart's part in an experiment. */
typedef struct {
    const pos_experiment_t *experiment;    /* NULL: it was not asked for yet */
    const pos_arm_t        *arm;           /* NULL: it is in none            */
    bool                    by_customer;   /* else by session                */
    bool                    exposed;       /* a live promotion of the experiment, in
                                              whichever arm, could have touched it */
} pos_share_t;

typedef struct {
    pos_work_t      *work;
    uint32_t         looked_count;
    pos_looked_t    *looked;
    uint32_t         candidate_count;
    pos_candidate_t *candidates;      /* by (priority desc, id)             */
    uint32_t         act_count;
    pos_act_t       *acts;            /* in order of application            */
    uint32_t         phase_from[POS_PHASE_COUNT + 1];    /* into acts, in which a phase's are side by side */
    uint32_t         touch_count;
    uint32_t        *act_of_touch;
    uint32_t         words;           /* of a bitmap of touch ids           */
    uint64_t        *exclusive;       /* touch ids of exclusive promotions  */
    uint64_t        *deals;           /* touch ids of deals                 */
    uint32_t        *dearest;         /* all items by unit amount, falling  */
    uint32_t        *room;            /* scratch: as many as items          */
    pos_match_t      all;             /* of what any item matches           */
    bool             manual;          /* any item has a manual discount     */
    bool             stacked;         /* any exclusive, alone or group      */
    bool             contested;       /* deals that could want the same unit */
    bool             limited;         /* acts that split items into classes */
    uint32_t         deal_count;
    uint32_t         shipping;        /* index of shipping as an item; POS_NIL */
    uint32_t         span;            /* items, gifts and shipping          */
    uint32_t         script_error_count;
    uint32_t        *script_errors;   /* entries of looked                  */
    pos_usage_t     *usage;           /* counters read, in the order read   */
    pos_usage_t    **usage_last;      /* where the next one goes            */
    pos_civil_t      today;           /* in the retailer's zone             */
    bool             today_known;
    pos_share_t     *shares;          /* by the experiment's number; NULL: none was asked for */
    uint32_t         exposures;       /* of shares                          */
} pos_plan_t;

/* candidate.c: looks at the promotions the index names. */
pos_status_t pos_candidates(pos_plan_t *plan) POS_MUSTCHECK;
/* Does the condition (may be NULL) ask for the subtotal after line discounts? Then
 * only the evaluation can say. */
bool pos_condition_asks_later(const pos_condition_t *c);
/* plan.c: candidates, then their acts. */
pos_status_t pos_plan_make(pos_work_t *w, pos_plan_t *plan) POS_MUSTCHECK;
/* touches.c: once acts and what they match are known. */
pos_status_t pos_plan_touches(pos_plan_t *plan) POS_MUSTCHECK;

/* experiment.c: of a promotion that is of an experiment and live. */
pos_status_t pos_experiment_look(pos_plan_t *plan, const pos_promotion_t *promotion, bool reachable,
    bool *in_arm) POS_MUSTCHECK;
/* The quote's `experiments`, in byte order of their codes; nothing where it is part of none. */
void pos_experiments_write(const pos_plan_t *plan, pos_writer_t *out);

/* coupon.c: looks up the codes given; the good ones as a list. */
pos_status_t pos_coupons_read(pos_work_t *w, const pos_coupon_t ***good, uint32_t *count)
    POS_MUSTCHECK;
/* What the good ones say of a promotion; NULL: none names it. */
pos_opened_t *pos_coupon_opens(const pos_work_t *w, pos_str_t promotion);

/* tier.c: the best tier reached at `reached`, judged on an amount and units;
 * NULL: none. */
const pos_tier_t *pos_tier_best(const pos_tier_t *tiers, uint32_t count, int64_t reached,
    int64_t amount, int64_t units);

/* Of so many words; one nearly always. */
static inline void
pos_bits_clear(uint64_t *map, uint32_t words)
{
    if (words == 1) {
        *map = 0;
    } else {
        memset(map, 0, words * sizeof(*map));
    }
}

static inline void
pos_bits_copy(uint64_t *to, const uint64_t *from, uint32_t words)
{
    if (words == 1) {
        *to = *from;
    } else {
        memcpy(to, from, words * sizeof(*to));
    }
}

static inline bool
pos_bits_same(const uint64_t *a, const uint64_t *b, uint32_t words)
{
    return words == 1 ? *a == *b : memcmp(a, b, words * sizeof(*a)) == 0;
}

static inline bool
pos_bit(const uint64_t *map, uint32_t bit)
{
    return map[bit / 64] >> (bit % 64) & 1;
}

static inline void
pos_bit_set(uint64_t *map, uint32_t bit)
{
    map[bit / 64] |= UINT64_C(1) << (bit % 64);
}

#endif
