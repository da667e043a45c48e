/*
 * One choice said outright, judged by evaluate.c: is it permitted, and is it the
 * best so far?
 */

#include "engine/solve.h"

#define LEAF_WORK  40    /* of one judgement, besides its size */

/* Units that an nth cannot have are those of other deals, and those with a
 * promotion that it cannot share them with; `judged`: that works. */
static bool
nths_from_start(pos_solve_t *z, bool judged)
{
    const pos_plan_t   *plan = z->plan;
    const pos_claims_t *c = z->claims;

    for (uint32_t d = 0; d < z->deal_count; d++) {
        const pos_deal_t *deal = &z->deals[d];
        const pos_act_t  *act = &plan->acts[deal->act];

        if (act->effect->kind != POS_EFFECT_NTH || c->times[deal->act] == 0) {
            continue;
        }
        memset(z->elsewhere, 0, z->item_count * sizeof(*z->elsewhere));
        for (uint32_t k = 0; k < c->count; k++) {
            const uint64_t *bits = &c->bits[(size_t) k * plan->words];
            bool            gone = false;

            for (uint32_t touch = 0; touch < plan->touch_count && !gone; touch++) {
                uint32_t a = plan->act_of_touch[touch];

                gone = pos_bit(bits, touch) && a != deal->act &&
                    (plan->acts[a].phase == POS_PHASE_DEAL ||
                        (pos_shuns(plan, plan->acts[a].candidate, act->candidate) &&
                            (!judged || z->trial->saved[plan->acts[a].candidate] > 0)));
            }
            z->elsewhere[c->items[k]] += gone ? c->units[k] : 0;
        }
        if (!pos_nth_from_start(z, deal, z->elsewhere)) {
            return false;
        }
    }
    return true;
}

/* Is it used in earnest? What lowers nothing is not used, so that nothing need
 * give way to it. */
static bool
works(const pos_solve_t *z, uint32_t k)
{
    const pos_candidate_t *c = &z->plan->candidates[k];

    if (z->trial->off[k] == 2) {
        return !z->must[k];
    }
    for (uint32_t i = 0; i < c->act_count; i++) {
        pos_phase_t phase = z->plan->acts[c->acts[i]].phase;

        if (phase == POS_PHASE_GIFT || phase == POS_PHASE_BONUS) {
            return true;
        }
    }
    return z->trial->saved[k] > 0;
}

static bool
touches_class(const pos_solve_t *z, uint32_t k, const uint64_t *bits)
{
    const uint64_t *own = z->plan->candidates[k].own;

    for (uint32_t w = 0; w < z->plan->words; w++) {
        if (bits[w] & own[w]) {
            return true;
        }
    }
    return false;
}

/* Is there another on these units that works, and that this one does not go with? */
static bool
kept_off(const pos_solve_t *z, uint32_t k, uint32_t other, const uint64_t *bits)
{
    for (uint32_t j = 0; j < z->plan->candidate_count; j++) {
        if (j != k && z->trial->saved[j] > 0 && pos_shuns(z->plan, j, other) && touches_class(z, j, bits)) {
            return true;
        }
    }
    return false;
}

/* Does it keep a promotion that works from units on which it does nothing itself? Deals are
 * another matter: they need not take what they could. */
static bool
bars_idly(const pos_solve_t *z, uint32_t k)
{
    const pos_plan_t   *plan = z->plan;
    const pos_claims_t *c = z->claims;

    for (uint32_t a = 0; a < plan->act_count; a++) {
        const pos_act_t *act = &plan->acts[a];
        uint32_t         other = act->candidate;

        if (!pos_on_units(act) || !z->allowed[other] || z->trial->saved[other] <= 0 ||
            !pos_shuns(plan, k, other)) {
            continue;
        }
        for (uint32_t n = 0; n < c->count; n++) {
            const uint64_t *bits = &c->bits[(size_t) n * plan->words];

            if (touches_class(z, k, bits) && pos_act_matches(act, c->items[n]) && !kept_off(z, k, other, bits)) {
                return true;
            }
        }
    }
    return false;
}

static bool
deals_only(const pos_plan_t *plan, uint32_t k)
{
    const pos_candidate_t *c = &plan->candidates[k];

    for (uint32_t i = 0; i < c->act_count; i++) {
        if (plan->acts[c->acts[i]].phase != POS_PHASE_DEAL) {
            return false;
        }
    }
    return true;
}

/* `first` is the first to claim shipping. */
static void
judge_first(pos_solve_t *z, uint32_t first)
{
    const pos_plan_t *plan = z->plan;
    pos_choice_t     *c = z->try_choice;
    uint32_t          at = 0;
    bool              barring = false;

    z->leaves++;
    z->work += LEAF_WORK + z->claims->count * 2 + plan->act_count * 2;
    memcpy(c->used, z->allowed, plan->candidate_count);
    c->order[at++] = first;
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        bool busy = false;

        for (uint32_t i = 0; i < plan->candidates[k].act_count; i++) {
            busy |= z->claims->times[plan->candidates[k].acts[i]] > 0;
        }
        c->used[k] &= busy || !deals_only(plan, k);
        c->repeat[k] = POS_INF;
        if (k != first) {
            c->order[at++] = k;
        }
    }
    c->claims = z->claims;
    z->status = pos_evaluate(z->trial, c);
    if (z->status != POS_OK) {
        return;
    }
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        bool idle = c->used[k] && !works(z, k);

        if (idle && (z->must[k] || deals_only(plan, k) || (plan->stacked && bars_idly(z, k)))) {
            return;
        }
        barring |= idle && plan->stacked;
    }
    if (barring && !nths_from_start(z, true)) {
        return;
    }
    if (pos_better(z->trial, z->state) ||
        (z->ties && !pos_better(z->state, z->trial) && pos_earlier(z->trial, z->state))) {
        pos_solve_keep(z);
    }
}

static bool
wants_shipping(const pos_solve_t *z, uint32_t k)
{
    const pos_candidate_t *c = &z->plan->candidates[k];

    for (uint32_t i = 0; z->allowed[k] && i < c->act_count; i++) {
        const pos_act_t *act = &z->plan->acts[c->acts[i]];

        if (act->phase == POS_PHASE_SHIPPING || act->effect->shipping_too) {
            return true;
        }
    }
    return false;
}

/* Shipping is as one unit: of those that cannot share it, each may have it. */
void
pos_judge(pos_solve_t *z)
{
    uint32_t n = z->plan->candidate_count, first = 0;

    if (!nths_from_start(z, false)) {
        return;
    }
    while (first < n && !wants_shipping(z, first)) {
        first++;
    }
    judge_first(z, first < n ? first : 0);
    for (uint32_t k = first + 1; k < n && z->status == POS_OK && z->plan->shipping != POS_NIL; k++) {
        bool apart = false;

        for (uint32_t j = 0; j < n && wants_shipping(z, k); j++) {
            apart |= j != k && wants_shipping(z, j) && pos_shuns(z->plan, j, k);
        }
        if (apart) {
            judge_first(z, k);
        }
    }
}
