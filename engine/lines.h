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

/* Which adjustments touch which units, since a line may hold few of its item's, and an item
 * have thousands of classes. */
typedef struct {
    int64_t  *starts;          /* by class: its first unit's place in the item; NULL: no item
                                  has more than one class                  */
    uint32_t *classes;         /* each item's, one item after the other    */
    uint32_t *class_from;      /* by item: into `classes`; and one more    */
    uint32_t *adjusts;         /* each class's, in order of application    */
    uint32_t *adjust_from;     /* by class: into `adjusts`; and one more   */
    uint32_t *rank;            /* by adjustment: its place in the item's   */
    uint32_t *room;            /* for those of one line                    */
} pos_lines_index_t;

pos_status_t pos_lines_index(const pos_state_t *s, pos_lines_index_t *out) POS_MUSTCHECK;
/* Those that touch the line's units, in order of application; valid until the next call. */
const uint32_t *pos_line_adjusts(const pos_lines_index_t *index, const pos_state_t *s,
    const pos_line_result_t *line, uint32_t *count);

/* What the units [from, until) of so many bear of an amount that is dealt to them evenly, the odd
 * minor units going round from the unit `shift` on. */
int64_t pos_units_share(int64_t amount, int64_t units, int64_t shift, int64_t from, int64_t until);
/* What the units [from, until) of a class bear of one adjustment. */
int64_t pos_adjust_share(const pos_state_t *s, const pos_adjust_t *adjust, int64_t from, int64_t until);
/* What the units [from, until) of a class paid. */
int64_t pos_units_paid(const pos_class_units_t *c, int64_t from, int64_t until);

#endif
