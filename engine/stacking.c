/* What goes with what, between two promotions as a whole. */

#include "engine/state.h"

static bool
meet(const pos_plan_t *plan, const pos_candidate_t *a, const pos_candidate_t *b)
{
    for (uint32_t i = 0; i < a->act_count; i++) {
        const pos_act_t *x = &plan->acts[a->acts[i]];

        for (uint32_t j = 0; j < b->act_count; j++) {
            const pos_act_t *y = &plan->acts[b->acts[j]];
            uint32_t         m = 0, n = 0;

            if (x->phase == POS_PHASE_SHIPPING || y->phase == POS_PHASE_SHIPPING) {
                if ((x->phase == POS_PHASE_SHIPPING || x->effect->shipping_too) &&
                    (y->phase == POS_PHASE_SHIPPING || y->effect->shipping_too)) {
                    return true;
                }
                continue;
            }
            while (m < x->match.count && n < y->match.count) {
                uint32_t p = x->match.items[m], q = y->match.items[n];

                if (p == q) {
                    return true;
                }
                m += p < q;
                n += q < p;
            }
        }
    }
    return false;
}

static bool
has_deal(const pos_plan_t *plan, const pos_candidate_t *c)
{
    for (uint32_t i = 0; i < c->act_count; i++) {
        if (plan->acts[c->acts[i]].phase == POS_PHASE_DEAL) {
            return true;
        }
    }
    return false;
}

bool
pos_may_exclude(const pos_plan_t *plan, uint32_t x, uint32_t y)
{
    const pos_candidate_t *a = &plan->candidates[x], *b = &plan->candidates[y];

    return a->promotion->stacking != POS_STACK_COMBINE || b->promotion->stacking != POS_STACK_COMBINE ||
        (a->group && a->group == b->group) || (has_deal(plan, a) && has_deal(plan, b));
}

bool
pos_excludes(const pos_plan_t *plan, uint32_t x, uint32_t y)
{
    const pos_candidate_t *a = &plan->candidates[x], *b = &plan->candidates[y];

    if (a->promotion->stacking == POS_STACK_ALONE || b->promotion->stacking == POS_STACK_ALONE) {
        return true;
    }
    return pos_may_exclude(plan, x, y) && meet(plan, a, b);
}
