/* What goes with what, between two promotions as a whole. */

#include "engine/state.h"

/* Does it bear on shipping? `alone`: and on nothing else. */
static bool
ships(const pos_plan_t *plan, const pos_candidate_t *c, bool alone)
{
    for (uint32_t i = 0; i < c->act_count; i++) {
        const pos_act_t *act = &plan->acts[c->acts[i]];

        if (act->phase == POS_PHASE_SHIPPING || (!alone && act->effect->shipping_too)) {
            return true;
        }
    }
    return false;
}

void
pos_mark_items(const pos_plan_t *plan, uint32_t x, int64_t *marks)
{
    const pos_candidate_t *c = &plan->candidates[x];

    memset(marks, 0, plan->span * sizeof(*marks));
    for (uint32_t i = 0; i < c->act_count; i++) {
        const pos_act_t *act = &plan->acts[c->acts[i]];

        for (uint32_t k = 0; act->phase != POS_PHASE_SHIPPING && k < act->match.count; k++) {
            marks[act->match.items[k]] = 1;
        }
    }
}

/* `marks` are on the items of a. */
static bool
meet(const pos_plan_t *plan, const int64_t *marks, const pos_candidate_t *a, const pos_candidate_t *b)
{
    if ((ships(plan, a, true) && ships(plan, b, false)) || (ships(plan, a, false) && ships(plan, b, true))) {
        return true;
    }
    for (uint32_t i = 0; i < b->act_count; i++) {
        const pos_act_t *act = &plan->acts[b->acts[i]];

        for (uint32_t k = 0; act->phase != POS_PHASE_SHIPPING && k < act->match.count; k++) {
            if (marks[act->match.items[k]]) {
                return true;
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
pos_excludes(const pos_plan_t *plan, const int64_t *marks, uint32_t x, uint32_t y)
{
    const pos_candidate_t *a = &plan->candidates[x], *b = &plan->candidates[y];

    if (a->promotion->stacking == POS_STACK_ALONE || b->promotion->stacking == POS_STACK_ALONE) {
        return true;
    }
    return pos_may_exclude(plan, x, y) && meet(plan, marks, a, b);
}
