/* Shipping discounts. Shipping stands behind the items as one unit. */

#include "engine/state.h"

static bool
bears_on(const pos_state_t *s, const pos_effect_t *e)
{
    pos_str_t method = s->plan->work->cart.shipping_method;

    return s->plan->shipping != POS_NIL &&
        (e->methods.count == 0 || pos_strset_has(&e->methods, method, pos_hash64(method)));
}

void
pos_shipping_claim(pos_state_t *s, uint32_t a)
{
    const pos_act_t *act = &s->plan->acts[a];
    uint32_t         seg;

    if (!bears_on(s, act->effect) || s->uses_left[act->candidate] < 1) {
        return;
    }
    seg = s->first[s->plan->shipping];
    if (pos_may_touch(s, act, seg)) {
        pos_bit_set(&s->bits[(size_t) seg * s->plan->words], act->touch);
        s->times[a] = 1;
    }
}

void
pos_shipping_apply(pos_state_t *s, uint32_t a)
{
    const pos_act_t *act = &s->plan->acts[a];
    uint32_t         seg;

    if (s->plan->shipping == POS_NIL) {
        return;
    }
    seg = s->first[s->plan->shipping];
    if (pos_bit(&s->bits[(size_t) seg * s->plan->words], act->touch)) {
        s->touched[0] = seg;
        pos_reduce_each(s, a, 1, act->effect->reduce, act->effect->value, act->effect->of_original,
            pos_act_cap(s, act));
    }
}
