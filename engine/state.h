/*
 * A choice over a plan, judged. Units of an item that are treated alike form a
 * class: first every promotion claims its units (which splits items into
 * classes), then amounts are worked out class by class in order of
 * application, so that each effect is rounded once a class.
 *
 * A state is used again and again while choose.c searches: it allocates only
 * when it must grow.
 */

#ifndef POS_STATE_H
#define POS_STATE_H

#include "engine/plan.h"

/* Which units go to whom, said outright: the classes of every item, items
 * ascending, each with the touch ids that mark it, and how often each deal is
 * done. Made by settle.c, which sees to it that stacking and deals permit it. */
typedef struct {
    uint32_t  count, room;
    uint32_t *items;
    int64_t  *units;
    uint64_t *bits;        /* count * words of the plan                     */
    int64_t  *times;       /* by act                                        */
} pos_claims_t;

/* What is decided. `order` is the order in which promotions claim units;
 * `repeat` bounds a promotion's deals. With `claims` (may be NULL) nothing is
 * claimed greedily but shipping. */
typedef struct {
    uint8_t      *used;
    uint32_t     *order;
    int64_t      *repeat;
    pos_claims_t *claims;
} pos_choice_t;

/* Units of one item that are treated alike. */
typedef struct {
    uint32_t item;
    uint32_t next;         /* the item's next class, POS_NIL                */
    int64_t  units;
    int64_t  original;     /* at unit prices                                */
    int64_t  left;         /* what it still costs                           */
    int64_t  floor;        /* below which no discount may take it           */
    int64_t  untaxed;      /* discounts that tax does not see ("before")    */
    int64_t  extra;        /* units that bore the odd minor units so far    */
} pos_class_units_t;

/* One act's discount on one class. */
typedef struct {
    uint32_t seg;
    uint32_t act;          /* POS_NIL: manual                               */
    uint32_t next;         /* the item's next one in order of application   */
    int64_t  amount;       /* > 0                                           */
    int64_t  shift;        /* the first unit that bears an odd minor unit   */
} pos_adjust_t;

typedef struct {
    const pos_plan_t   *plan;
    const pos_choice_t *choice;
    pos_arena_t        *arena;
    pos_status_t        status;        /* sticks                            */
    pos_class_units_t  *segs;
    uint64_t           *bits;          /* touch ids by class                */
    uint32_t            seg_count, seg_room;
    pos_class_units_t  *opened;        /* what a judgement begins with, once it is not the first: each item's class */
    bool                judged;
    uint32_t           *first;         /* an item's first class             */
    pos_adjust_t       *adjusts;
    uint32_t            adjust_count, adjust_room;
    uint32_t           *adjust_first, *adjust_last;    /* by item           */
    int64_t            *times;         /* by act: repetitions               */
    int64_t            *saved;         /* by candidate                      */
    int64_t            *cap_left;      /* by candidate: amount limit        */
    int64_t            *uses_left;     /* by candidate                      */
    uint8_t            *off;           /* by candidate: condition failed later */
    uint8_t            *off_act;
    uint8_t            *worked;        /* by candidate: it did something    */
    uint8_t            *gifts;         /* by gift: given                    */
    /* scratch, as large as seg_room */
    uint32_t           *touched;
    int64_t            *weights, *caps, *parts;
    /* scratch by item */
    int64_t            *group_weights, *group_caps, *group_parts;
    uint32_t           *group_from;
    int64_t            *open;          /* by item: scratch of deals         */
    int64_t            *take;
    int64_t            *slack;
    /* what came out */
    bool                dropped;       /* some claim was in vain            */
    bool                lowered;       /* line discounts cost an order discount its condition or tier */
    int64_t             after_line;    /* left of all items before the order class */
    int64_t             lines_left;    /* gifts cost nothing                */
    int64_t             shipping_left;
    int64_t             objective;     /* lines plus shipping               */
    int64_t             points;
} pos_state_t;

/* classes.c */
pos_status_t pos_state_init(pos_state_t *s, const pos_plan_t *plan) POS_MUSTCHECK;
/* Nothing is used; `order` and `repeat` are as large as the plan's candidates, and not set. */
pos_status_t pos_choice_init(pos_choice_t *c, const pos_plan_t *plan) POS_MUSTCHECK;
void pos_state_reset(pos_state_t *s, const pos_choice_t *choice);
/* May the candidate touch this class? */
bool pos_may_touch(const pos_state_t *s, const pos_act_t *act, uint32_t seg);
int64_t pos_units_open(const pos_state_t *s, const pos_act_t *act, uint32_t item);
/* Marks up to `units` units of an item, from its first class on or, with
 * `back`, from its last; classes split where they must. */
void pos_claim(pos_state_t *s, const pos_act_t *act, uint32_t touch, uint32_t item, int64_t units,
    bool back);
/* claims.c: every item's classes as the choice's claims say. */
void pos_claims_load(pos_state_t *s, const pos_claims_t *claims);
/* Splits a class so that `units` stay in it; the rest's class, or POS_NIL. */
uint32_t pos_class_split(pos_state_t *s, uint32_t seg, int64_t units);
/* An item's first class: all its units. */
void pos_class_open(pos_state_t *s, uint32_t item, int64_t units, int64_t original, int64_t floor);
/* Makes one class of those of an item that are treated alike, and puts an item's in order:
 * roundings go by it. For states whose units are claimed and not discounted yet. */
void pos_classes_order(pos_state_t *s);

/* reduce.c: amounts. `touched` lists the classes a touch id marks. */
uint32_t pos_touched(pos_state_t *s, const pos_act_t *act, uint32_t touch);
/* The most the act may still take off in all. */
int64_t pos_act_cap(const pos_state_t *s, const pos_act_t *act);
/* Reduces each class touched, `value` being a percentage, an amount a unit or
 * a price a unit; the whole within `cap`. */
void pos_reduce_each(pos_state_t *s, uint32_t act, uint32_t n, pos_reduce_t reduce, int64_t value,
    bool of_original, int64_t cap);
/* Splits one amount over the classes touched: over items first, then classes,
 * by what they still cost; what one cannot bear goes to the others. */
void pos_reduce_split(pos_state_t *s, uint32_t act, uint32_t n, int64_t amount);
/* In two steps, where items are reduced each in its own way but capped together: what
 * the classes touched from..to - 1 are to lose, as pos_reduce_each() or one amount split
 * over them would have it; then all of it for n classes, or `cap` of it, split by what
 * each still costs. */
void pos_reduce_want(pos_state_t *s, uint32_t from, uint32_t to, pos_reduce_t reduce,
    int64_t value, bool of_original);
void pos_reduce_want_split(pos_state_t *s, uint32_t from, uint32_t to, int64_t amount);
void pos_reduce_wanted(pos_state_t *s, uint32_t act, uint32_t n, int64_t cap);
/* Takes an amount off one class, as far as its floor allows. */
void pos_take_off(pos_state_t *s, uint32_t act, uint32_t seg, int64_t amount);

/* One file a kind: `claim` marks units, `apply` works out amounts. */
void pos_markdown_claim(pos_state_t *s, uint32_t act);
void pos_markdown_apply(pos_state_t *s, uint32_t act);
void pos_manual_apply(pos_state_t *s);
void pos_deal_claim(pos_state_t *s, uint32_t act);
void pos_deal_apply(pos_state_t *s, uint32_t act);
void pos_gift_claim(pos_state_t *s, uint32_t act);
void pos_gift_apply(pos_state_t *s, uint32_t act);
void pos_order_claim(pos_state_t *s, uint32_t act);
void pos_order_claim_shipping(pos_state_t *s, uint32_t act);
void pos_order_apply(pos_state_t *s, uint32_t act);
void pos_shipping_claim(pos_state_t *s, uint32_t act);
void pos_shipping_apply(pos_state_t *s, uint32_t act);

/* floor.c: lifts the floor of the classes touched to the promotion's margin. */
void pos_floor_raise(pos_state_t *s, const pos_act_t *act, uint32_t n);

/* evaluate.c */
pos_status_t pos_evaluate(pos_state_t *s, const pos_choice_t *choice) POS_MUSTCHECK;
/* Lines plus shipping, then points, then used promotions by (priority, id). */
bool pos_better(const pos_state_t *a, const pos_state_t *b);
/* ties.c: of two of which neither is better, does a take the earlier units? */
bool pos_earlier(const pos_state_t *a, const pos_state_t *b);

/* choose.c: the best choice found. `banned` (POS_NIL: none) is left out, as if
 * it did not exist; POS_LIMIT: that takes too long to settle. */
typedef struct {
    pos_state_t  *state;
    pos_choice_t *choice;
    bool          optimal;
    int64_t       bound;       /* no permitted choice makes less */
    uint64_t      nodes;       /* of the search, and choices judged          */
    uint64_t      work;        /* of the solver, in its steps                */
    bool          improved;    /* it is no worse than pos_improve() finds    */
} pos_solution_t;
/* `steps` of the solver at most. */
pos_status_t pos_choose(const pos_plan_t *plan, uint32_t banned, uint64_t steps,
    pos_solution_t *out) POS_MUSTCHECK;
/* Of a quote: the same whatever the machine, so that it replays. */
uint64_t pos_choose_steps(const pos_plan_t *plan);

/* priority.c: `optimise: priority` to the letter, in `best` as judged and in `choice`
 * (its arrays as large as the plan's candidates). The states may change places.
 * `whole` is false where the budget ended before the last promotion. */
pos_status_t pos_by_priority(const pos_plan_t *plan, uint32_t banned, uint64_t budget,
    pos_state_t **best, pos_state_t **trial, pos_choice_t *choice, uint64_t *nodes, bool *whole)
    POS_MUSTCHECK;

/* improve.c: the best that promotions by turns come to, in orders tried while `work` is within
 * `budget`; never worse than by priority, and no other is tried where that pays `enough` or more.
 * `state` is NULL where that alone took too long. */
typedef struct {
    pos_state_t  *state;
    pos_choice_t *choice;
    uint64_t      work, nodes;
} pos_improved_t;
pos_status_t pos_improve(const pos_plan_t *plan, uint32_t banned, uint64_t budget, int64_t enough,
    pos_improved_t *out) POS_MUSTCHECK;

/* bound.c: no permitted choice makes lines plus shipping less than this. */
int64_t pos_bound(const pos_plan_t *plan);
/* Is using everything, as judged here, proved to be best? For plans without
 * conflicts only. */
bool pos_proved(const pos_state_t *s);

/* stacking.c: `marks`, one for each item of the plan, become 1 where candidate x has an
 * effect on the item and 0 elsewhere. */
void pos_mark_items(const pos_plan_t *plan, uint32_t x, int64_t *marks);
/* Can two candidates' promotions never share a unit? `marks` are those of x. */
bool pos_excludes(const pos_plan_t *plan, const int64_t *marks, uint32_t x, uint32_t y);
/* The same, were there units that both could touch. */
bool pos_may_exclude(const pos_plan_t *plan, uint32_t a, uint32_t b);

/* points.c: after the amounts are known. */
int64_t pos_points(pos_state_t *s);

#endif
