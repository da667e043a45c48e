/* Units said outright to go to this promotion or that: into a state's classes. */

#include "engine/state.h"

void
pos_claims_load(pos_state_t *s, const pos_claims_t *claims)
{
    const pos_cart_t *cart = &s->plan->work->cart;
    uint32_t          words = s->plan->words, at = 0;

    memcpy(s->times, claims->times, s->plan->act_count * sizeof(*s->times));
    for (uint32_t i = 0; i < cart->item_count && s->status == POS_OK; i++) {
        uint32_t seg = s->first[i];

        for (; at < claims->count && claims->items[at] == i; at++) {
            uint32_t rest = claims->units[at] < s->segs[seg].units ? pos_class_split(s, seg, claims->units[at]) : POS_NIL;

            pos_bits_copy(&s->bits[(size_t) seg * words], &claims->bits[(size_t) at * words], words);
            seg = rest;
        }
    }
}
