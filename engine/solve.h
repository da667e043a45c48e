/*
 * The exact solver (docs/solver.md): a relaxed model of what units can cost,
 * bounds over it, and branch and bound over which units each deal takes.
 *
 * All model amounts are scaled by POS_SCALE, so that rates by unit lose little;
 * they are bounds, never what a customer pays: that evaluate.c alone says.
 */

#ifndef POS_SOLVE_H
#define POS_SOLVE_H

#include "engine/state.h"

#define POS_SCALE        INT64_C(1024)
#define POS_SOLVE_UNITS  400      /* of one item, in the model's tables      */
#define POS_SOLVE_TABLE  400000   /* entries of all tables                   */
#define POS_SOLVE_VARS   20000
#define POS_SETS_LOCAL   128      /* promotions on one item beside deals      */
#define POS_SOLVE_COVERS 14       /* units whose split by amount is searched */

/* Units of one item in one role of a deal: a bundle's and an nth's have one
 * role, a buy-and-get's pay in role 0 and are got in role 1 + g. */
typedef struct {
    uint32_t deal, item, pick, role;
    int32_t  cap;          /* units at most                                 */
    int32_t  lo, hi;       /* what the search has decided so far            */
    int32_t  x, seen;      /* in the relaxed solution; kept while probing   */
    int64_t *cost;         /* [n]: what n such units cost at least          */
    int64_t *gain;         /* [j]: what one more than j saves at most; falling */
    int64_t *pay;          /* nth: [n]: n of them that only pay             */
    int64_t  most_gain;    /* nth: of any count, per unit                   */
    int64_t  most_pay;     /* nth: the same of those that pay               */
} pos_var_t;

typedef struct {
    int64_t  weight;
    uint32_t var;
} pos_entry_t;

typedef struct {
    uint32_t     act;
    uint32_t     first, count;      /* vars                                 */
    uint32_t     role_count;
    int64_t      most;              /* repetitions                          */
    int64_t      need;              /* units bought or bundled at a time (counted) */
    int64_t      half;              /* half of all units of one repetition  */
    int64_t      times;             /* in the relaxed solution              */
    int64_t      price;             /* bundles: scaled, what one costs or saves */
    int64_t      cap;               /* what it may save in all, scaled      */
    int64_t      value;             /* priced: what it saves at most        */
    uint32_t     component;
    bool         dirty, done;
    pos_entry_t *entries;           /* scratch, as many as units            */
    uint32_t     entry_count;
    int64_t     *row;               /* scratch of an nth                    */
    int32_t     *row_from;
    int64_t     *gone;              /* scratch of several gets that choose  */
    int64_t     *chosen;            /* by times: what is bought by amount rewards so much, by `choose` */
} pos_deal_t;

typedef struct {
    int32_t   units;
    int64_t  *cost;        /* [n]: n units that no deal takes               */
    int64_t   rate;        /* least cost of one of them                     */
    int64_t   lambda;      /* the multiplier                                */
    int32_t   excess;      /* wanted beyond its units                       */
    uint32_t  var_count;
    uint32_t *vars;
} pos_sitem_t;

/* Memory that is given back in the order it was taken, while the search goes
 * back and forth: chunks of the quote's arena. */
#define POS_POOL_CHUNK   131072
#define POS_POOL_CHUNKS  64
typedef struct { uint32_t chunk; size_t used; } pos_pool_mark_t;
typedef struct {
    uint32_t        count;
    char           *chunks[POS_POOL_CHUNKS];
    pos_pool_mark_t at;
} pos_pool_t;

/* Costs by number of units, worked out once a quote: they hang on which acts are in the chain
 * and allowed, of the few that bear on the item, so that most decisions leave them as they are. */
typedef struct pos_known_s pos_known_t;
struct pos_known_s {
    pos_known_t *next;         /* of the same item                          */
    uint32_t     act, role;
    uint64_t     mask;         /* of the item's acts: they bear on it now   */
    int64_t      units;        /* tables go so far                          */
    uint64_t     work;         /* steps that it took, and takes again       */
    int64_t     *cost;
    int64_t     *rate;         /* [n]: least cost of one of up to n units   */
    int64_t     *gain;         /* a var's, at this rate; NULL: not asked    */
    int64_t      gain_rate, most_gain;
};

typedef struct pos_small_s pos_small_t;
typedef struct pos_solve_s pos_solve_t;
struct pos_solve_s {
    const pos_plan_t *plan;
    pos_pool_t        pool;
    uint8_t          *allowed;      /* by candidate: not decided against    */
    uint8_t          *must;         /* by candidate: decided for            */
    uint32_t          banned;
    bool              improved;     /* pos_improve() was asked               */
    bool              small_asked;
    pos_small_t      *small;        /* every deal's ways; NULL: there are many */
    uint64_t          work, budget;
    uint64_t          whole;        /* the budget of all, from the start     */
    bool              stop;         /* the budget is spent                  */
    bool              better;       /* something better than the first was found */
    bool              ties;         /* choices that cost the same are of interest */
    pos_status_t      status;
    uint32_t         *acts_of;      /* on units, item by item, in order of application */
    uint32_t         *acts_from;    /* into acts_of; item_count + 1         */
    pos_known_t     **known;        /* by item */
    size_t            known_room;   /* bytes left for them                  */
    /* the model */
    uint32_t          item_count, deal_count, var_count;
    pos_sitem_t      *items;
    pos_deal_t       *deals;
    pos_var_t        *vars;
    uint8_t          *in_chain;     /* by act: bears on units one by one    */
    bool              whole_order;  /* every order discount bears on all items */
    bool              exact;        /* costs are what a customer pays       */
    bool              too_large;
    bool              blind;        /* some deal is not searched in full    */
    int64_t           base;         /* all items at their rates             */
    int64_t           constant;     /* what else may be saved at most       */
    int64_t          *slack;        /* scratch: by subset of parts          */
    int64_t           mu;           /* multiplier of the halves' sum        */
    int64_t           halves_most;  /* half of all units, rounded down      */
    /* the search over deals */
    uint32_t          component;    /* searched now; POS_NIL: all           */
    int64_t           best;         /* savings of the best found in it      */
    int64_t           open;         /* the most that what was left unsearched could save */
    int32_t          *best_x;
    struct pos_trail_s { uint32_t var; int32_t lo, hi; } *trail;
    uint32_t          trail_count, trail_room;
    int64_t          *lambdas, *mus;    /* by depth                         */
    int32_t          *halves;       /* by depth                             */
    int32_t          *left, *keep;  /* scratch of repairs                   */
    int64_t          *elsewhere;    /* by item                              */
    int64_t          *rewarded, *counts;    /* scratch of settling          */
    uint32_t          depth_room;
    uint32_t          nodes;
    /* what is best in all */
    pos_state_t      *state, *trial;
    pos_choice_t     *choice, *try_choice;
    pos_claims_t     *claims, *best_claims;    /* of the trial, of the best */
    int64_t           least;        /* no unsearched choice makes less      */
    uint32_t          leaves;
};

/* solve_sets.c: the greatest sets of some promotions of which no two shun each other. */
typedef struct {
    const pos_plan_t *plan;
    uint32_t         *local, count;
    uint32_t          together;     /* of them that go with others          */
    uint32_t          number;       /* of sets; POS_NIL: or more            */
} pos_sets_t;

/* Sorts `local`, which stays the caller's; POS_SETS_LOCAL at most. */
void pos_sets_make(pos_sets_t *sets, const pos_plan_t *plan, uint32_t *local, uint32_t count);
/* Where those from `i` on end that are of one group with it; one of none stands for itself. */
uint32_t pos_sets_group(const pos_sets_t *sets, uint32_t i);
/* Of those in `local`, marks the ones in the set of that number, and only them. */
void pos_sets_mark(const pos_sets_t *sets, uint32_t number, uint8_t *touched);

/* Units of one item in one role of a deal (`act` POS_NIL: in none), and the sets of discounts that
 * may touch them, by candidate. */
typedef struct {
    uint32_t  item, act, role;
    int64_t   units;
    uint32_t  count;
    uint8_t **sets;
    bool      many;       /* rivals: the set that costs least is the last   */
    bool      partial;    /* there are more sets                            */
} pos_touching_t;

/* Finds the sets; false: no room, or more rivals than can be told apart (`stop`). */
bool pos_sets_find(pos_solve_t *z, pos_touching_t *u);

/* model.c: costs and deals under what is allowed. */
pos_status_t pos_model_make(pos_solve_t *z) POS_MUSTCHECK;
/* Lines plus shipping at least, when lines cost `lines` (scaled) before order
 * discounts; POS_INF: not permitted. */
int64_t pos_model_after(const pos_solve_t *z, int64_t lines);
/* What an act may take off in all, by its own cap and its promotion's. */
int64_t pos_model_cap(const pos_solve_t *z, const pos_act_t *act);
/* solve_known.c: what an act list and costs known take; false: no memory. */
bool pos_known_init(pos_solve_t *z) POS_MUSTCHECK;
/* Costs of so many units or more, touched by these candidates; NULL: not known. */
pos_known_t *pos_known_find(const pos_solve_t *z, uint32_t item, uint32_t act, uint32_t role, int64_t units,
    const uint8_t *touched);
/* Keeps a copy of the costs while there is room; NULL where there is none. */
pos_known_t *pos_known_keep(pos_solve_t *z, uint32_t item, uint32_t act, uint32_t role, int64_t units,
    const int64_t *cost, uint64_t work);
/* A var's gains beside the costs they follow from. */
void pos_known_gains(pos_solve_t *z, pos_known_t *known, int64_t rate, const int64_t *gain, int64_t most);
/* model_tables.c: every item's and every deal's costs by number of units. */
void pos_model_tables(pos_solve_t *z);
/* Do these two share no unit? */
bool pos_shuns(const pos_plan_t *plan, uint32_t a, uint32_t b);
/* Is the item among those that the act bears on? */
bool pos_act_matches(const pos_act_t *act, uint32_t item);
/* What n units of an item cost at least in a deal's role (`deal` POS_NIL:
 * in none), touched by the candidates marked (NULL: by the best set, or by all once the budget is
 * spent, which no set goes below). Scaled. */
int64_t pos_model_cost(pos_solve_t *z, uint32_t item, int64_t n, uint32_t act, uint32_t role,
    const uint8_t *touched);

/* solve_price.c: the most a deal saves at the items' multipliers within the vars'
 * bounds; sets its vars' x. INT64_MIN: not possible. */
int64_t pos_price_deal(pos_solve_t *z, pos_deal_t *d);
/* solve_take.c: how often the deal is done when it takes exactly x; -1: it cannot. */
int64_t pos_deal_times(const pos_solve_t *z, const pos_deal_t *d);
/* An nth's rewarded units among those claimed, by var. */
void pos_nth_rewarded(const pos_solve_t *z, const pos_deal_t *d, int64_t *rewarded);

/* solve_search.c: branch and bound over the deals' vars, which are known to
 * save no more than `above`. */
void pos_search_deals(pos_solve_t *z, int64_t above);
/* What the deals save at most; INT64_MIN: what was decided cannot be. */
int64_t pos_search_bound(pos_solve_t *z);
/* solve_small.c: the same, and all that is left settled, where each deal's ways can be
 * written down; false: they cannot, or there is no room, and nothing was done. */
bool pos_search_small(pos_solve_t *z);
/* Does an nth take the first units of its row, but for those taken elsewhere (by
 * item)? */
bool pos_nth_from_start(const pos_solve_t *z, const pos_deal_t *d, const int64_t *taken_elsewhere);
/* What the deal's units cost, done so often with its vars' x. */
int64_t pos_deal_cost(const pos_solve_t *z, const pos_deal_t *d, int64_t times);
/* What all items cost with the deals' x, scaled; -1: not permitted. */
int64_t pos_model_exact(const pos_solve_t *z, uint32_t component);

/* solve_repair.c: the x of now as a choice, kept when it is the best of the component. */
void pos_note_solution(pos_solve_t *z);
/* The same, once an nth has the first units of its row. */
void pos_search_note(pos_solve_t *z);
/* Deals by what they save, each taking what the ones before left. */
void pos_repair(pos_solve_t *z);

/* solve_settle.c: every way to settle what is left once the deals' vars are fixed. */
void pos_settle(pos_solve_t *z);

static inline bool
pos_broken(const pos_solve_t *z)
{
    return z->status != POS_OK || z->too_large;
}

static inline bool
pos_in_component(const pos_solve_t *z, uint32_t deal)
{
    return z->component == POS_NIL || z->deals[deal].component == z->component;
}

static inline bool
pos_item_in_component(const pos_solve_t *z, const pos_sitem_t *item)
{
    return item->var_count && pos_in_component(z, z->vars[item->vars[0]].deal);
}

/* Of the item, in the solution of now; more than there are, where it is relaxed. */
static inline int32_t
pos_units_wanted(const pos_solve_t *z, const pos_sitem_t *item)
{
    int32_t n = 0;

    for (uint32_t k = 0; k < item->var_count; k++) {
        n += z->vars[item->vars[k]].x;
    }
    return n;
}

/* Does the act discount units that no deal need take? */
static inline bool
pos_on_units(const pos_act_t *act)
{
    return act->phase == POS_PHASE_MARKDOWN || act->phase == POS_PHASE_ORDER;
}

/* solve_judge.c: the claims of now, with what is allowed used. */
void pos_judge(pos_solve_t *z);

/* solve_memory.c: all that it needs from the start, zeroed or not; false: no memory. */
bool pos_solve_room(pos_solve_t *z, const pos_solution_t *known);
/* Memory of the search, not zeroed; NULL sets `too_large` or `status`. */
void *pos_pool_alloc(pos_solve_t *z, size_t size);
/* Would there be room? What goes without asks first. */
bool pos_pool_fits(const pos_solve_t *z, size_t size);
/* The trial is better: it is what is best now. */
void pos_solve_keep(pos_solve_t *z);
/* Improves `state` and `choice`; says whether that is proved best. */
pos_status_t pos_solve(const pos_plan_t *plan, uint32_t banned, uint64_t budget,
    pos_solution_t *out) POS_MUSTCHECK;

#endif
