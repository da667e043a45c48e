/*
 * A component of deals with all that each deal could take written down: its
 * options. Where deals are what shops make of them there are few, and what is
 * written down is priced, compared and dropped with little work.
 */

#ifndef POS_SOLVE_OPTIONS_H
#define POS_SOLVE_OPTIONS_H

#include "engine/solve.h"

#define POS_OPTION_ITEMS  64      /* of a component                         */
#define POS_OPTION_DEALS  96
#define POS_OPTION_VARS   40      /* of one deal                            */
#define POS_OPTION_UNITS  127     /* of one item; bytes are added eight at a time */
#define POS_OPTIONS       1300    /* of one deal, or of several as one      */

/* One way to take units. Items are those of the component, by number. */
typedef struct {
    int64_t  saved;        /* against units untouched, scaled                */
    int64_t  loss;         /* against the best there is at the multipliers   */
    uint64_t exhausts;     /* items that it asks to be left to nobody        */
    uint32_t a, b;         /* of the deal: which x; of two as one: their options */
    uint8_t  take[POS_OPTION_ITEMS];
} pos_option_t;

typedef struct {
    int64_t  loss;
    uint32_t at;
} pos_option_key_t;

/* A deal, or several as one. */
typedef struct {
    uint32_t      deal;          /* POS_NIL: the two below as one            */
    uint32_t      left, right;   /* right POS_NIL: one alone, with less open */
    bool          alive;         /* not part of another                      */
    uint64_t      mask;          /* items that others want too, once joined  */
    uint32_t      own_count;
    uint8_t       own[POS_OPTION_ITEMS];
    uint32_t      count, best;   /* best: at the multipliers                 */
    uint32_t      listed;        /* with those that a walk passes over       */
    pos_option_t *options;
    uint8_t      *x;             /* of a deal: by its vars, option by option */
} pos_chooser_t;

typedef struct {
    pos_solve_t  *z;
    uint32_t      item_count, items[POS_OPTION_ITEMS];
    uint32_t      words;         /* of eight items each                      */
    int64_t       units[POS_OPTION_ITEMS], lambda[POS_OPTION_ITEMS];
    uint8_t       room[POS_OPTION_ITEMS];    /* 127 less its units */
    uint64_t      open;          /* items that are not settled within one chooser */
    uint32_t      deal_count, count;
    pos_chooser_t choosers[3 * POS_OPTION_DEALS];
    pos_option_t *drafts;        /* scratch: POS_OPTIONS of them             */
    pos_option_key_t keys[POS_OPTIONS];    /* scratch */
} pos_component_t;

/* The component searched now, without its options yet; NULL: too large for this
 * (or no memory, which the solver's status says). */
pos_component_t *pos_component_make(pos_solve_t *z);
/* Writes down the options that lose no more than `gap` at the multipliers and
 * values of now (POS_INF: all), in no more than `steps`. False: too many. */
bool pos_options_list(pos_component_t *c, int64_t gap, uint64_t steps);

/* solve_bound.c: multipliers that make the bound low, in so many steps from those
 * there are; returns the bound. Each option's loss is known after it. */
int64_t pos_options_bound(pos_component_t *c, uint32_t steps);
/* Multipliers to start from. */
void pos_options_guess(pos_component_t *c);
/* Puts them in order, those that lose least first. */
void pos_options_order(pos_component_t *c, const pos_option_t *from, uint32_t count, pos_option_t *to);
/* Forgets the deals' options that lose more than the gap; orders the others. */
void pos_options_drop(pos_component_t *c, int64_t gap);
/* The options picked, as a solution. */
void pos_options_note(pos_component_t *c);

/* solve_merge.c: the component item by item, once its options are listed. True: what
 * is best in it is known. Else `*bound` is lowered to what it may save. */
bool pos_merge(pos_component_t *c, int64_t *bound);

#endif
