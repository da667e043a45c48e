/*
 * Which promotions are used. First all, each claiming what those before it left;
 * where nothing conflicts, and that is proved to be best, one evaluation is the
 * whole work. Else the solver goes on from there; or, where the retailer goes by
 * priority, priority.c.
 */

#include "engine/solve.h"

#define DEFAULT_STEPS  150000 /* some 2 ms; docs/solver.md */
#define EXPLAIN_ROUNDS 8      /* of settling it: POS_LIMIT */

typedef struct {
    const pos_plan_t *plan;
    uint32_t          banned;
    uint32_t          count;        /* candidates                    */
    pos_state_t      *best, *trial;
    pos_choice_t      best_choice, try_choice;
    uint64_t          nodes;
    pos_status_t      status;
} search_t;

static void
copy_choice(const search_t *x, pos_choice_t *to, const pos_choice_t *from)
{
    memcpy(to->used, from->used, x->count);
    memcpy(to->order, from->order, x->count * sizeof(*to->order));
    memcpy(to->repeat, from->repeat, x->count * sizeof(*to->repeat));
}

static bool
is_alone(const search_t *x, uint32_t k)
{
    return x->plan->candidates[k].promotion->stacking == POS_STACK_ALONE;
}

/* Would the others' amounts be others without one that saved nothing? A deal and a limited
 * markdown part an item's units, a margin floor stops others. */
static bool
leaves_traces(const search_t *x, const pos_state_t *s, uint32_t k)
{
    const pos_candidate_t *c = &x->plan->candidates[k];

    if (x->plan->stacked || (c->promotion->floor_ppm >= 0 && x->count > 1)) {
        return true;
    }
    for (uint32_t i = 0; i < c->act_count; i++) {
        const pos_act_t *act = &x->plan->acts[c->acts[i]];

        if ((act->phase == POS_PHASE_DEAL && s->times[c->acts[i]] > 0) || (act->phase == POS_PHASE_MARKDOWN && act->picks)) {
            return true;
        }
    }
    return false;
}

/* Evaluates; a promotion whose claim was in vain (its condition failed later,
 * or it saved nothing) is not used, and gives its units back to the others. */
static bool
settle(search_t *x, pos_state_t *s, pos_choice_t *c)
{
    bool again = true;

    for (uint32_t round = 0; again && round <= x->count; round++) {
        again = false;
        if (x->banned != POS_NIL && x->nodes == EXPLAIN_ROUNDS) {
            x->status = POS_LIMIT;
            return false;
        }
        x->nodes++;
        x->status = pos_evaluate(s, c);
        if (x->status != POS_OK) {
            return false;
        }
        for (uint32_t k = 0; k < x->count; k++) {
            if (c->used[k] && !s->worked[k] && leaves_traces(x, s, k)) {
                c->used[k] = 0;
                again = true;
            }
        }
    }
    return true;
}

static void
start(const search_t *x, pos_choice_t *c)
{
    for (uint32_t k = 0; k < x->count; k++) {
        c->used[k] = k != x->banned && !is_alone(x, k);
        c->order[k] = k;
        c->repeat[k] = POS_INF;
    }
}

static void
only(const search_t *x, pos_choice_t *c, uint32_t k)
{
    start(x, c);
    memset(c->used, 0, x->count);
    c->used[k] = 1;
}

/* By priority then id, each if it can be. One that stands alone wins only
 * when nothing before it did anything. */
static void
by_priority(search_t *x)
{
    uint32_t first = 0;

    start(x, &x->best_choice);
    if (!settle(x, x->best, &x->best_choice) || !x->plan->stacked) {
        return;
    }
    while (first < x->count && !x->best->worked[first]) {
        first++;
    }
    for (uint32_t k = 0; k < first; k++) {
        if (is_alone(x, k) && k != x->banned) {
            only(x, &x->try_choice, k);
            if (!settle(x, x->trial, &x->try_choice)) {
                return;
            }
            if (x->trial->worked[k]) {
                pos_state_t *s = x->trial;

                x->trial = x->best;
                x->best = s;
                copy_choice(x, &x->best_choice, &x->try_choice);
                x->best->choice = &x->best_choice;
                return;
            }
        }
    }
}

uint64_t
pos_choose_steps(const pos_plan_t *plan)
{
    uint64_t budget = plan->work->options->node_budget;

    return budget ? budget : DEFAULT_STEPS;
}

static bool
asks_later(const pos_plan_t *plan)
{
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        if (pos_condition_asks_later(plan->candidates[k].promotion->when)) {
            return true;
        }
    }
    for (uint32_t a = 0; a < plan->act_count; a++) {
        if (pos_condition_asks_later(plan->acts[a].effect->when)) {
            return true;
        }
    }
    return false;
}

static pos_status_t
search_init(search_t *x, const pos_plan_t *plan, uint32_t banned)
{
    *x = (search_t) { .plan = plan, .banned = banned, .count = plan->candidate_count };
    x->best = pos_arena_zalloc(plan->work->arena, sizeof(*x->best));
    if (x->best == NULL || pos_choice_init(&x->best_choice, plan) != POS_OK) {
        return POS_NO_MEMORY;
    }
    return pos_state_init(x->best, plan);
}

static pos_status_t
trial_init(search_t *x)
{
    x->trial = pos_arena_zalloc(x->plan->work->arena, sizeof(*x->trial));
    if (x->trial == NULL || pos_choice_init(&x->try_choice, x->plan) != POS_OK) {
        return POS_NO_MEMORY;
    }
    return pos_state_init(x->trial, x->plan);
}

/* By the retailer's word. Where promotions cannot meet, all are used at once; and
 * where the budget ends, the dearest units are taken as at first. */
static pos_status_t
by_word(search_t *x, uint64_t steps, pos_solution_t *out)
{
    const pos_plan_t *plan = x->plan;
    pos_status_t      status;

    out->optimal = true;
    if (plan->stacked || plan->deal_count || asks_later(plan)) {
        status = pos_by_priority(plan, x->banned, steps, &x->best, &x->trial, &x->best_choice, &x->nodes, &out->optimal);
        if (status != POS_OK) {
            return status;
        }
    }
    if (!out->optimal) {
        x->best_choice.claims = NULL;
        by_priority(x);
    }
    return x->status;
}

/* What is not proved is no worse than `priority` would be. */
static pos_status_t
no_worse_than_by_word(search_t *x, uint64_t steps, pos_solution_t *out)
{
    pos_improved_t found = { 0 };
    pos_status_t   status = pos_improve(x->plan, x->banned, steps / 4, out->state->objective, &found);

    out->nodes += found.nodes;
    out->work += found.work;
    if (status == POS_OK && found.state != NULL && found.state->objective < out->state->objective) {
        *out->choice = *found.choice;
        out->state = found.state;
        out->state->choice = out->choice;
    } else if (status == POS_OK) {
        /* What the cart was left with, as conditions see it, is of the last judged. */
        status = pos_evaluate(out->state, out->choice);
    }
    return status;
}

/* From what all of them give to what is best. */
static pos_status_t
solve(search_t *x, uint64_t steps, pos_solution_t *out)
{
    int64_t      bound;
    pos_status_t status;

    out->choice = pos_arena_alloc(x->plan->work->arena, sizeof(*out->choice));
    if (out->choice == NULL) {
        return POS_NO_MEMORY;
    }
    *out->choice = x->best_choice;
    out->state = x->best;
    out->state->choice = out->choice;
    out->nodes = x->nodes;
    status = pos_solve(x->plan, x->banned, steps, out);
    if (status == POS_OK && !out->optimal && !out->improved) {
        status = no_worse_than_by_word(x, steps, out);
    }
    if (status != POS_OK || out->optimal) {
        return status;
    }
    bound = pos_bound(x->plan);
    if (out->bound < bound) {
        out->bound = bound < out->state->objective ? bound : out->state->objective;
        out->optimal = out->bound == out->state->objective;
    }
    return status;
}

pos_status_t
pos_choose(const pos_plan_t *plan, uint32_t banned, uint64_t steps, pos_solution_t *out)
{
    search_t     x;
    bool         by_rule = plan->work->book->optimise_priority;
    pos_status_t status = search_init(&x, plan, banned);

    if (status == POS_OK && (plan->stacked || plan->contested || by_rule)) {
        status = trial_init(&x);
    }
    if (status != POS_OK) {
        return status;
    }
    by_priority(&x);
    if (x.status == POS_OK && by_rule) {
        x.status = by_word(&x, steps, out);
    } else if (x.status == POS_OK) {
        bool conflicts = plan->stacked || plan->contested || x.best->lowered;

        out->optimal = !conflicts && pos_proved(x.best);
    }
    if (x.status != POS_OK) {
        return x.status;
    }
    out->work = 0;
    if (!by_rule && !out->optimal) {
        return solve(&x, steps, out);
    }
    out->choice = pos_arena_alloc(plan->work->arena, sizeof(*out->choice));
    if (out->choice == NULL) {
        return POS_NO_MEMORY;
    }
    *out->choice = x.best_choice;
    out->state = x.best;
    out->state->choice = out->choice;
    out->nodes = x.nodes;
    out->bound = x.best->objective;
    if (!out->optimal) {
        int64_t bound = pos_bound(plan);

        out->bound = bound < out->bound ? bound : out->bound;
    }
    return POS_OK;
}
