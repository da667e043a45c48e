/* Fees: deposits, bags, recycling. So much a unit, never discounted. */

#include "engine/total.h"

bool
pos_fee_amount(const pos_work_t *w, const pos_fee_t *fee, int64_t quantity, int64_t *out)
{
    return pos_muldiv(fee->amount, quantity, POS_THOUSANDTHS, w->book->rounding, out);
}
