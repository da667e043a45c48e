/* Gifts: an item of its own at its price, wholly discounted. */

#include "engine/state.h"

void
pos_gift_claim(pos_state_t *s, uint32_t a)
{
    const pos_act_t  *act = &s->plan->acts[a];
    const pos_cart_t *cart = &s->plan->work->cart;
    const pos_item_t *item;

    if (act->gift_item == POS_NIL || s->uses_left[act->candidate] < 1) {
        return;
    }
    if (pos_act_cap(s, act) < cart->items[act->gift_item].subtotal) {
        return;    /* a gift is whole or not at all */
    }
    item = &cart->items[act->gift_item];
    pos_class_open(s, act->gift_item, item->units, item->subtotal, 0);
    if (s->status != POS_OK) {
        return;
    }
    pos_bit_set(&s->bits[(size_t) s->first[act->gift_item] * s->plan->words], act->touch);
    s->gifts[act->gift_item - cart->item_count] = 1;
    s->times[a] = act->gift_times;
}

void
pos_gift_apply(pos_state_t *s, uint32_t a)
{
    const pos_act_t *act = &s->plan->acts[a];

    if (act->gift_item != POS_NIL && s->first[act->gift_item] != POS_NIL) {
        uint32_t seg = s->first[act->gift_item];

        s->worked[act->candidate] = 1;
        pos_take_off(s, a, seg, s->segs[seg].left);
    }
}
