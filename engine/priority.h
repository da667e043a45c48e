/* What the files of `optimise: priority` share. */

#ifndef POS_PRIORITY_H
#define POS_PRIORITY_H

#include "engine/state.h"

#define POS_MOST_WAYS   400    /* of one deal, done so often */
#define POS_MOST_TRIES  20000  /* to find them               */

typedef struct {
    uint32_t class;       /* in the claims that the deal is added to */
    uint64_t parts;       /* of the deal that it fits                */
    int64_t  amount;      /* of a unit before discounts              */
    int64_t  units;
    int64_t  least;       /* of it that every way takes              */
} pos_kind_units_t;

/* Arrays of a way, used again by the next. */
typedef struct {
    size_t room;
    char  *bytes;
} pos_way_room_t;

typedef struct {
    const pos_plan_t *plan;
    uint64_t          nodes, work;
    uint64_t          budget;       /* of the work, to try ways in           */
    uint64_t          most;         /* of it in all                          */
    pos_status_t      status;
    pos_state_t      *best, *trial;
    pos_choice_t     *choice;
    pos_claims_t      now, base, better, found, tried, judged;
    uint32_t         *pick_of;      /* by item */
    uint64_t         *none;         /* of the touches */
    pos_way_room_t    rooms[2];     /* of a way, and of its cart */
} pos_rule_t;

/* priority.c: promotions by turns, each used if it can be, and what is used stays used. The states
 * may change places, `choice` has arrays as large as the plan's candidates. */
pos_status_t pos_turns_init(pos_rule_t *r, const pos_plan_t *plan, pos_state_t *best, pos_state_t *trial,
    pos_choice_t *choice) POS_MUSTCHECK;
/* Into `best` and `choice`, whose claims are the rule's. False: at the most work there were
 * promotions left, or `status` says what failed. */
bool pos_turns_take(pos_rule_t *r, const uint32_t *order, uint32_t count);

/* One deal, done `times` times. */
typedef struct pos_way_s {
    pos_rule_t      *r;
    struct pos_way_s    *cart;          /* the same, were no unit taken: for `choose` */
    uint32_t         a;
    const pos_act_t *act;
    uint32_t         role_count, kind_count;
    pos_kind_units_t *kinds;
    int64_t         *take;          /* by kind and role */
    int64_t         *put;           /* the same, an nth's rewarded apart */
    int64_t         *free;          /* by kind */
    int64_t         *covers;        /* by repetition and kind: of a part by amount */
    int64_t          times, ways;
    uint64_t         tries;
    int64_t          worth;         /* of the rewarded units as `choose` wants them */
    bool             judging;       /* else ways are counted */
    bool             any;           /* some way is permitted */
} pos_way_t;

/* More than are tried? */
static inline bool
pos_ways_many(const pos_way_t *w)
{
    return w->ways > POS_MOST_WAYS || w->tries > POS_MOST_TRIES;
}

/* priority.c: room for so many classes; without memory false, and `status` says so. */
bool pos_priority_room(pos_rule_t *r, pos_claims_t *c, uint32_t room);
/* One class more, marked by a touch id too (POS_NIL: none). */
void pos_priority_put(pos_rule_t *r, pos_claims_t *c, uint32_t item, int64_t units, const uint64_t *bits,
    uint32_t touch);
void pos_priority_swap(pos_claims_t *a, pos_claims_t *b);
/* Is it permitted, and does candidate k do something? In the state what it comes to. */
bool pos_priority_judge(pos_rule_t *r, const pos_claims_t *claims, uint32_t k, pos_state_t *s);

/* priority_ways.c: the classes of the base, just judged in the trial, that the deal
 * may take from; false: none, or too many to try all ways. */
bool pos_way_kinds(pos_way_t *w);
/* Judges every way to do the deal `times` times: `any` is permitted, and the best is in
 * `better`, as judged in the rule's best state. False: there are too many, or none. */
bool pos_ways_judge(pos_way_t *w);

#endif
