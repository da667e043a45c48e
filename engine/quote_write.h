/* The quote as JSON, in the shape of docs/pricing.md. */

#ifndef POS_QUOTE_WRITE_H
#define POS_QUOTE_WRITE_H

#include "engine/lines.h"

typedef struct {
    pos_work_t              *w;
    pos_plan_t              *plan;
    pos_solution_t           solution;
    pos_totals_t             totals;
    const pos_line_result_t *lines;
    uint32_t                 line_count;
    pos_unit_run_t          *runs;         /* scratch: of one line */
    uint64_t                 explain_work; /* ticks that explaining took */
    pos_lines_index_t        index;
    pos_lowest_t            *lowest_of_gift;   /* by gift; NULL: none is on sale */
} pos_quoted_t;

pos_status_t pos_quote_write(pos_quoted_t *q, pos_writer_t *out) POS_MUSTCHECK;

/* explain.c */
const char *pos_coupon_status(const pos_quoted_t *q, uint32_t coupon);
pos_status_t pos_explain_write(pos_quoted_t *q, pos_writer_t *out) POS_MUSTCHECK;

#endif
