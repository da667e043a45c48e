/*
 * A promotion's margin floor: the net price after all discounts stays at or
 * above cost ÷ (1 − margin). Once such a promotion has touched a class, later
 * ones keep to its floor too. In a currency that is not the cost's none is judged.
 */

#include "engine/state.h"

#define INT128_ROOM  ((__int128) 1 << 126)

/* Smallest integer n with n * below >= above; both positive. */
static __int128
ceil_divide(__int128 above, __int128 below)
{
    return (above + below - 1) / below;
}

static int64_t
margin_floor(pos_state_t *s, const pos_class_units_t *c, int64_t margin_ppm)
{
    pos_work_t         *w = s->plan->work;
    const pos_item_t   *item = &w->cart.items[c->item];
    const pos_taxset_t *taxes;
    int64_t             quantity = item->measured ? item->quantity : c->units * POS_THOUSANDTHS;
    __int128            n, above, below;

    if (margin_ppm >= POS_PPM) {
        return POS_MONEY_MAX;
    }
    n = ceil_divide((__int128) item->product->cost * quantity * POS_PPM,
        (__int128) POS_THOUSANDTHS * (POS_PPM - margin_ppm));
    if (item->tax_included && n > 0) {
        taxes = pos_taxset(w, pos_item_tax_category(item));
        if (taxes == NULL || taxes->too_large) {
            s->status = taxes ? POS_LIMIT : POS_NO_MEMORY;
            return 0;
        }
        below = (__int128) POS_THOUSANDTHS * (POS_PPM - margin_ppm) * taxes->scale;
        if (taxes->count && !__builtin_mul_overflow((__int128) item->product->cost * quantity * POS_PPM,
                taxes->scale + taxes->sum, &above) && above < INT128_ROOM - below) {
            n = ceil_divide(above, below);    /* rounded once where it fits */
        } else if (taxes->count && n < POS_MONEY_MAX) {
            n = ceil_divide(n * (taxes->scale + taxes->sum), taxes->scale);
        }
    }
    return n < POS_MONEY_MAX ? (int64_t) n : POS_MONEY_MAX;
}

void
pos_floor_raise(pos_state_t *s, const pos_act_t *act, uint32_t n)
{
    const pos_cart_t *cart = &s->plan->work->cart;
    int64_t           margin = s->plan->candidates[act->candidate].promotion->floor_ppm;

    for (uint32_t k = 0; margin >= 0 && k < n; k++) {
        pos_class_units_t *c = &s->segs[s->touched[k]];

        if (c->item < cart->item_count && pos_cost_known(cart, cart->items[c->item].product)) {
            int64_t floor = margin_floor(s, c, margin);

            c->floor = floor > c->floor ? floor : c->floor;
        }
    }
}
