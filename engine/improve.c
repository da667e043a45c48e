/*
 * Where not everything can be searched: good choices, built promotion by promotion
 * (priority.c) in the orders that promise most. First by priority, then by what each
 * saves alone, then what is best with one left out or drawn first, as long as that
 * helps. The search goes on from there, and has less to look through.
 */

#include "engine/priority.h"

typedef struct {
    pos_rule_t  r;
    uint64_t    work, budget, best_budget;
    int64_t     least;          /* of what was built                  */
    uint32_t   *best, *order;   /* candidates, the first in turn first */
    uint32_t    best_count, count;
    bool        stands;         /* the best is what was built last    */
    int64_t    *alone;          /* by candidate: paid with it alone   */
} improve_t;

static bool
stands_alone(const improve_t *x, uint32_t k)
{
    return x->r.plan->candidates[k].promotion->stacking == POS_STACK_ALONE;
}

/* What is paid when these take turns; POS_INF: there was no time. By priority there is
 * more of it, since nothing that is answered may be worse. */
static int64_t
paid(improve_t *x)
{
    bool whole;

    x->r.work = 0;
    x->r.budget = x->budget - x->work;
    x->r.most = x->least == POS_INF ? 8 * x->budget : x->r.budget;
    whole = pos_turns_take(&x->r, x->order, x->count);
    x->work += x->r.work;
    x->stands = false;
    return whole ? x->r.best->objective : POS_INF;
}

/* Is the order better than the best? */
static bool
try(improve_t *x)
{
    int64_t objective = paid(x);

    if (objective >= x->least) {
        return false;
    }
    x->least = objective;
    x->stands = true;
    x->best_budget = x->r.budget;
    x->best_count = x->count;
    memcpy(x->best, x->order, x->count * sizeof(*x->order));
    return true;
}

static bool
goes_on(const improve_t *x)
{
    return x->work < x->budget && x->r.status == POS_OK;
}

/* By what each saves alone, most first; one that stands alone is an order of its own. */
static void
by_saving(improve_t *x, uint32_t banned)
{
    uint32_t n = x->r.plan->candidate_count, count = 0;
    uint32_t *sorted = x->order + n;

    for (uint32_t k = 0; k < n && goes_on(x); k++) {
        uint32_t at;

        if (k == banned) {
            continue;
        }
        x->order[0] = k;
        x->count = 1;
        x->alone[k] = paid(x);
        if (x->alone[k] < x->least) {
            x->least = x->alone[k];
            x->stands = true;
            x->best_budget = x->r.budget;
            x->best[0] = k;
            x->best_count = 1;
        }
        if (stands_alone(x, k)) {
            continue;
        }
        for (at = count++; at > 0 && x->alone[sorted[at - 1]] > x->alone[k]; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = k;
    }
    if (goes_on(x)) {
        memcpy(x->order, sorted, count * sizeof(*sorted));
        x->count = count;
        (void) try(x);
    }
}

/* The best order without one, or with one before all others (those that it lacks too). */
static bool
without_or_first(improve_t *x, uint32_t k)
{
    uint32_t n = 0;
    bool     had = false;

    for (uint32_t i = 0; i < x->best_count; i++) {
        if (x->best[i] != k) {
            x->order[n++] = x->best[i];
        } else {
            had = true;
        }
    }
    x->count = n;
    if (had && try(x)) {
        return true;
    }
    if (!goes_on(x) || (had && x->best[0] == k)) {
        return false;
    }
    memmove(x->order + 1, x->order, n * sizeof(*x->order));
    x->order[0] = k;
    x->count = n + 1;
    return try(x);
}

static void
climb(improve_t *x, uint32_t banned)
{
    uint32_t n = x->r.plan->candidate_count, since = 0;

    for (uint32_t k = 0; since < n && goes_on(x); k = (k + 1) % n) {
        since++;
        if (k != banned && !stands_alone(x, k) && without_or_first(x, k)) {
            since = 0;
        }
    }
}

static bool
make_room(improve_t *x, const pos_plan_t *plan)
{
    pos_arena_t  *arena = plan->work->arena;
    size_t        n = plan->candidate_count + 1;
    pos_state_t  *best = pos_arena_zalloc(arena, sizeof(*best)), *trial = pos_arena_zalloc(arena, sizeof(*trial));
    pos_choice_t *choice = pos_arena_zalloc(arena, sizeof(*choice));

    x->best = pos_arena_alloc(arena, n * sizeof(*x->best));
    x->order = pos_arena_alloc(arena, 2 * n * sizeof(*x->order));
    x->alone = pos_arena_alloc(arena, n * sizeof(*x->alone));
    if (!best || !trial || !choice || !x->best || !x->order || !x->alone) {
        return false;
    }
    return pos_choice_init(choice, plan) == POS_OK && pos_state_init(best, plan) == POS_OK &&
        pos_state_init(trial, plan) == POS_OK && pos_turns_init(&x->r, plan, best, trial, choice) == POS_OK;
}

pos_status_t
pos_improve(const pos_plan_t *plan, uint32_t banned, uint64_t budget, int64_t enough, pos_improved_t *out)
{
    improve_t *x = pos_arena_zalloc(plan->work->arena, sizeof(*x));

    if (x == NULL || !make_room(x, plan)) {
        return POS_NO_MEMORY;
    }
    x->budget = budget;
    x->least = POS_INF;
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        x->order[x->count] = k;
        x->count += k != banned;
    }
    (void) try(x);
    if (x->least < enough && goes_on(x)) {
        by_saving(x, banned);
        climb(x, banned);
    }
    if (x->r.status == POS_OK && x->least != POS_INF && !x->stands) {
        memcpy(x->order, x->best, x->best_count * sizeof(*x->best));
        x->count = x->best_count;
        x->r.work = 0;
        x->r.budget = x->best_budget;
        x->r.most = UINT64_MAX;
        (void) pos_turns_take(&x->r, x->order, x->count);
        x->work += x->r.work;
    }
    out->work = x->work;
    out->nodes = x->r.nodes;
    if (x->r.status == POS_OK && x->least != POS_INF) {
        out->state = x->r.best;
        out->choice = x->r.choice;
    }
    return x->r.status;
}
