/* Items split back over the lines they came from, unit by unit. */

#ifndef POS_LINES_H
#define POS_LINES_H

#include "engine/total.h"

typedef struct {
    uint32_t item;
    int64_t  from, until;      /* the item's units that are this line's     */
    int64_t  quantity;         /* thousandths                               */
    int64_t  subtotal, total, fees;
    int64_t *taxes;            /* one for each of the item's tax amounts    */
    int64_t *fee_taxes;        /* the part of each that is on fees; NULL: none */
} pos_line_result_t;

/* One result a line of the cart, then one a gift given. */
pos_status_t pos_lines_split(const pos_state_t *s, const pos_totals_t *totals,
    pos_line_result_t **out, uint32_t *count) POS_MUSTCHECK;

/* Units that paid the same, by their places in the item. */
typedef struct {
    int64_t from, until;
    int64_t paid;              /* by each */
} pos_unit_run_t;

/* The line's units in runs: at most `pos_line_runs_most()`, two a class. */
uint32_t pos_line_runs_most(const pos_state_t *s, const pos_line_result_t *line);
uint32_t pos_line_runs(const pos_state_t *s, const pos_line_result_t *line, pos_unit_run_t *out);

/* What the units [from, until) of so many bear of an amount that is dealt to them evenly, the odd
 * minor units going round from the unit `shift` on. */
int64_t pos_units_share(int64_t amount, int64_t units, int64_t shift, int64_t from, int64_t until);
/* What the units [from, until) of a class bear of one adjustment. */
int64_t pos_adjust_share(const pos_state_t *s, const pos_adjust_t *adjust, int64_t from, int64_t until);
/* What the units [from, until) of a class paid. */
int64_t pos_units_paid(const pos_class_units_t *c, int64_t from, int64_t until);

#endif
