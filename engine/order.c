/* Order discounts: worked out on what all their lines (and shipping, if they
 * bear on it) still cost, rounded once, split over them. */

#include "engine/state.h"

void
pos_order_claim_shipping(pos_state_t *s, uint32_t a)
{
    const pos_act_t *act = &s->plan->acts[a];
    uint32_t         ship = s->plan->shipping;

    if (act->effect->shipping_too && ship != POS_NIL && s->uses_left[act->candidate] > 0 &&
        pos_may_touch(s, act, s->first[ship])) {
        pos_bit_set(&s->bits[(size_t) s->first[ship] * s->plan->words], act->touch);
    }
}

void
pos_order_claim(pos_state_t *s, uint32_t a)
{
    const pos_act_t *act = &s->plan->acts[a];

    if (s->uses_left[act->candidate] < 1) {
        return;
    }
    s->times[a] = 1;
    if (act->picks) {
        for (uint32_t k = 0; k < act->pick_count; k++) {
            pos_claim(s, act, act->touch, act->picks[k].item, act->picks[k].most, false);
        }
    } else {
        for (uint32_t k = 0; k < act->match.count; k++) {
            for (uint32_t seg = s->first[act->match.items[k]]; seg != POS_NIL;
                 seg = s->segs[seg].next) {
                if (pos_may_touch(s, act, seg)) {
                    pos_bit_set(&s->bits[(size_t) seg * s->plan->words], act->touch);
                }
            }
        }
    }
    pos_order_claim_shipping(s, a);
}

/* The items' subtotal after line discounts, which tiers go by. */
static const pos_tier_t *
tier_reached(pos_state_t *s, const pos_act_t *act)
{
    const pos_cart_t *cart = &s->plan->work->cart;
    const pos_effect_t *e = act->effect;
    int64_t           subtotal = 0, before = 0;
    const pos_tier_t *tier;

    for (uint32_t k = 0; k < act->match.count; k++) {
        subtotal += cart->items[act->match.items[k]].after_line;
        before += cart->items[act->match.items[k]].subtotal;
    }
    tier = pos_tier_best(e->tiers, e->tier_count, subtotal, subtotal, 1);
    s->lowered |= tier != pos_tier_best(e->tiers, e->tier_count, before, before, 1);
    return tier;
}

void
pos_order_apply(pos_state_t *s, uint32_t a)
{
    const pos_act_t    *act = &s->plan->acts[a];
    const pos_effect_t *e = act->effect;
    const pos_work_t   *w = s->plan->work;
    pos_reduce_t        kind = e->reduce;
    int64_t             value = e->value, base = 0, left = 0, amount, cap = pos_act_cap(s, act);
    uint32_t            n = pos_touched(s, act, act->touch), ship = s->plan->shipping;

    if (e->kind == POS_EFFECT_ORDER_TIERS) {
        const pos_tier_t *tier = tier_reached(s, act);

        if (tier == NULL) {
            return;
        }
        kind = tier->reduce;
        value = tier->value;
    }
    if (e->shipping_too && ship != POS_NIL &&
        pos_bit(&s->bits[(size_t) s->first[ship] * s->plan->words], act->touch)) {
        s->touched[n++] = s->first[ship];
    }
    pos_floor_raise(s, act, n);
    for (uint32_t k = 0; k < n; k++) {
        left += s->segs[s->touched[k]].left;
        base += e->of_original ? s->segs[s->touched[k]].original : s->segs[s->touched[k]].left;
    }
    amount = value;
    if (kind == POS_REDUCE_PERCENT &&
        !pos_muldiv(base, value, POS_PPM, w->book->rounding, &amount)) {
        s->status = POS_LIMIT;
        return;
    }
    if (kind == POS_REDUCE_PRICE) {
        amount = left > value ? left - value : 0;
    }
    amount = amount < left ? amount : left;
    pos_reduce_split(s, a, n, amount < cap ? amount : cap);
}
