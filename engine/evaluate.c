/*
 * Judges one choice: claims in the choice's order, then amounts in order of
 * application (markdowns, deals, order, shipping; within each by priority and
 * id). Pure: the same plan and choice give the same state.
 */

#include "engine/state.h"

static void
claim(pos_state_t *s, uint32_t a)
{
    switch (s->plan->acts[a].phase) {
    case POS_PHASE_MARKDOWN:
        pos_markdown_claim(s, a);
        break;
    case POS_PHASE_DEAL:
        pos_deal_claim(s, a);
        break;
    case POS_PHASE_GIFT:
        pos_gift_claim(s, a);
        break;
    case POS_PHASE_ORDER:
        pos_order_claim(s, a);
        break;
    case POS_PHASE_SHIPPING:
        pos_shipping_claim(s, a);
        break;
    default:
        break;
    }
}

/* Said outright are items' units and deals; gifts and shipping claim as ever. */
static void
claim_rest(pos_state_t *s, uint32_t a)
{
    const pos_act_t *act = &s->plan->acts[a];

    if (act->phase == POS_PHASE_GIFT || act->phase == POS_PHASE_SHIPPING) {
        claim(s, a);
    } else if (act->phase == POS_PHASE_ORDER) {
        pos_order_claim_shipping(s, a);
    }
}

/* What line discounts left, for conditions and tiers of the classes after. */
static void
note_after_line(pos_state_t *s)
{
    pos_cart_t *cart = &s->plan->work->cart;

    s->after_line = 0;
    for (uint32_t i = 0; i < cart->item_count; i++) {
        int64_t left = 0;

        for (uint32_t seg = s->first[i]; seg != POS_NIL; seg = s->segs[seg].next) {
            left += s->segs[seg].left;
        }
        cart->items[i].after_line = left;
        s->after_line += left;
    }
    cart->subtotal_after_line = s->after_line;
    cart->after_line_known = true;
}

/* Which of those not used could not have been: for explain and coupons. */
static void
note_failed(pos_state_t *s)
{
    const pos_plan_t *plan = s->plan;

    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        const pos_promotion_t *p = plan->candidates[k].promotion;

        if (!s->choice->used[k] && p->class != POS_CLASS_LINE && !pos_condition_holds(p->when, &plan->work->cart)) {
            s->off[k] = 2;
        }
    }
}

/* Conditions of order and shipping promotions hold only now for certain. */
static bool
still_on(pos_state_t *s, uint32_t a)
{
    const pos_act_t       *act = &s->plan->acts[a];
    const pos_promotion_t *p = s->plan->candidates[act->candidate].promotion;
    const pos_cart_t      *cart = &s->plan->work->cart;
    uint8_t               *off = &s->off[act->candidate];

    if (*off == 0) {
        *off = p->class == POS_CLASS_LINE || pos_condition_holds(p->when, cart) ? 1 : 2;
    }
    if (*off == 1 && act->effect->when && !pos_condition_holds(act->effect->when, cart)) {
        s->off_act[a] = 1;
    }
    if (*off == 2 || s->off_act[a]) {
        s->lowered = true;
        s->dropped |= s->times[a] > 0;
        return false;
    }
    return true;
}

static void
apply(pos_state_t *s, uint32_t a)
{
    const pos_act_t *act = &s->plan->acts[a];

    switch (act->phase) {
    case POS_PHASE_MARKDOWN:
        pos_markdown_apply(s, a);
        break;
    case POS_PHASE_DEAL:
        pos_deal_apply(s, a);
        break;
    case POS_PHASE_GIFT:
        pos_gift_apply(s, a);
        break;
    case POS_PHASE_ORDER:
        if (still_on(s, a)) {
            pos_order_apply(s, a);
        }
        break;
    case POS_PHASE_SHIPPING:
        if (still_on(s, a)) {
            pos_shipping_apply(s, a);
        }
        break;
    default:
        if (still_on(s, a)) {
            s->worked[act->candidate] = 1;
        }
        break;
    }
}

static void
sum_up(pos_state_t *s)
{
    const pos_plan_t *plan = s->plan;

    s->lines_left = 0;
    for (uint32_t i = 0; i < plan->work->cart.item_count; i++) {
        for (uint32_t seg = s->first[i]; seg != POS_NIL; seg = s->segs[seg].next) {
            s->lines_left += s->segs[seg].left;
        }
    }
    s->shipping_left = plan->shipping == POS_NIL ? 0 : s->segs[s->first[plan->shipping]].left;
    s->objective = s->lines_left + s->shipping_left;
    s->points = pos_points(s);
}

pos_status_t
pos_evaluate(pos_state_t *s, const pos_choice_t *choice)
{
    const pos_plan_t *plan = s->plan;
    bool              known = false;

    pos_state_reset(s, choice);
    s->lowered = false;
    plan->work->cart.after_line_known = false;
    if (choice->claims) {
        pos_claims_load(s, choice->claims);
    }
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        const pos_candidate_t *c = &plan->candidates[choice->order[k]];

        for (uint32_t i = 0; choice->used[choice->order[k]] && i < c->act_count; i++) {
            if (choice->claims) {
                claim_rest(s, c->acts[i]);
            } else {
                claim(s, c->acts[i]);
            }
        }
    }
    if (choice->claims || plan->limited || plan->deal_count) {
        pos_classes_order(s);
    }
    pos_manual_apply(s);
    for (uint32_t a = 0; a < plan->act_count && s->status == POS_OK; a++) {
        if (!known && plan->acts[a].phase >= POS_PHASE_ORDER) {
            note_after_line(s);
            known = true;
        }
        if (choice->used[plan->acts[a].candidate]) {
            apply(s, a);
        }
    }
    if (choice->claims) {
        if (!known) {
            note_after_line(s);
        }
        note_failed(s);
    }
    sum_up(s);
    return s->status;
}

bool
pos_better(const pos_state_t *a, const pos_state_t *b)
{
    if (a->objective != b->objective) {
        return a->objective < b->objective;
    }
    if (a->points != b->points) {
        return a->points > b->points;
    }
    for (uint32_t k = 0; k < a->plan->candidate_count; k++) {
        if (a->worked[k] != b->worked[k]) {
            return a->worked[k] > b->worked[k];
        }
    }
    return false;
}
