/* Which promotions touch what: their touch ids as bitmaps, groups, and what is contested. */

#include "engine/plan.h"

static pos_status_t
make_touches(pos_plan_t *plan)
{
    pos_arena_t *arena = plan->work->arena;
    uint32_t     n = 0;

    for (uint32_t a = 0; a < plan->act_count; a++) {
        plan->acts[a].touch = n;
        n += plan->acts[a].touch_count;
    }
    plan->touch_count = n;
    plan->words = n / 64 + 1;
    plan->exclusive = pos_arena_array(arena, plan->words, sizeof(uint64_t));
    plan->deals = pos_arena_array(arena, plan->words, sizeof(uint64_t));
    plan->act_of_touch = pos_arena_alloc(arena, (n + 1) * sizeof(uint32_t));
    if (plan->exclusive == NULL || plan->deals == NULL || plan->act_of_touch == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        plan->candidates[k].own = pos_arena_array(arena, plan->words, sizeof(uint64_t));
        if (plan->candidates[k].own == NULL) {
            return POS_NO_MEMORY;
        }
    }
    for (uint32_t a = 0; a < plan->act_count; a++) {
        const pos_act_t *act = &plan->acts[a];
        pos_candidate_t *c = &plan->candidates[act->candidate];

        for (uint32_t t = act->touch; t < act->touch + act->touch_count; t++) {
            plan->act_of_touch[t] = a;
            pos_bit_set(c->own, t);
            if (act->phase == POS_PHASE_DEAL) {
                pos_bit_set(plan->deals, t);
            }
            if (c->promotion->stacking == POS_STACK_EXCLUSIVE) {
                pos_bit_set(plan->exclusive, t);
            }
        }
    }
    return POS_OK;
}

/* Promotions of one group share one bitmap of their touch ids. */
static pos_status_t
make_groups(pos_plan_t *plan)
{
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        pos_candidate_t *c = &plan->candidates[k];

        plan->stacked |= c->promotion->stacking != POS_STACK_COMBINE;
        if (c->promotion->group.len == 0) {
            continue;
        }
        for (uint32_t j = 0; j < k && c->group == NULL; j++) {
            if (pos_str_eq(plan->candidates[j].promotion->group, c->promotion->group)) {
                c->group = plan->candidates[j].group;
                plan->stacked = true;
            }
        }
        if (c->group == NULL) {
            c->group = pos_arena_array(plan->work->arena, plan->words, sizeof(uint64_t));
            if (c->group == NULL) {
                return POS_NO_MEMORY;
            }
        }
        for (uint32_t i = 0; i < plan->words; i++) {
            c->group[i] |= c->own[i];
        }
    }
    return POS_OK;
}

/* Could two deals want the same unit? */
static pos_status_t
find_contests(pos_plan_t *plan)
{
    uint8_t *wanted;

    if (plan->deal_count < 2) {
        return POS_OK;
    }
    wanted = pos_arena_zalloc(plan->work->arena, plan->work->cart.item_count + 1);
    if (wanted == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t a = 0; a < plan->act_count; a++) {
        const pos_act_t *act = &plan->acts[a];

        for (uint32_t k = 0; act->phase == POS_PHASE_DEAL && k < act->pick_count; k++) {
            plan->contested |= wanted[act->picks[k].item]++ > 0;
            wanted[act->picks[k].item] = 1;
        }
    }
    return POS_OK;
}

pos_status_t
pos_plan_touches(pos_plan_t *plan)
{
    pos_status_t status = make_touches(plan);

    if (status == POS_OK) {
        status = make_groups(plan);
    }
    return status == POS_OK ? find_contests(plan) : status;
}
