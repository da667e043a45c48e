/* Fees, tax and totals of a judged choice. */

#ifndef POS_TOTAL_H
#define POS_TOTAL_H

#include "engine/state.h"

typedef struct {
    const pos_tax_row_t *row;
    int64_t              amount;
    int64_t              fees;      /* the part of it that is on fees */
} pos_tax_amount_t;

typedef struct {
    uint32_t          count;
    pos_tax_amount_t *list;     /* by code and rate, each once */
    int64_t           sum;
} pos_tax_list_t;

typedef struct {
    int64_t        *left;       /* by item: what it costs after discounts */
    int64_t        *original;   /* by item */
    int64_t        *fees;       /* by item */
    pos_tax_list_t *taxes;      /* by item; shipping's at plan->shipping */
    int64_t         subtotal, discount, shipping_total, fees_total, tax, total, cash_total;
} pos_totals_t;

pos_status_t pos_totals(pos_state_t *s, pos_totals_t *out) POS_MUSTCHECK;

/* fees.c: one fee of an item, all its units; false: overflow. */
bool pos_fee_amount(const pos_work_t *w, const pos_fee_t *fee, int64_t quantity, int64_t *out);

/* tax.c: each rate's part of one amount, rounded. */
bool pos_tax_piece(const pos_taxset_t *set, int64_t base, bool included, pos_rounding_t rounding,
    int64_t *parts, int64_t *scratch);
/* An exact sum of fractions: whole + above / below. */
typedef struct { __int128 whole, above, below; } pos_tax_sum_t;
/* Of what is not negative; of 0 and n it is n. */
__int128 pos_tax_gcd(__int128 a, __int128 b);
void pos_tax_sum_add(pos_tax_sum_t *sum, __int128 above, __int128 below);

#endif
