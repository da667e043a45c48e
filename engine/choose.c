/*
 * Which promotions are used. Where nothing conflicts, all of them are, and one
 * evaluation is the whole work. Else a search over who claims first, who is
 * left out and which items a promotion keeps off, by improvement from what
 * `priority` would give, and exhaustively where few promotions conflict. Every
 * step is one evaluation, so an exact search can stand in its place.
 */

#include "engine/state.h"

#define DEFAULT_NODES   1500
#define EXPLAIN_NODES   300    /* for a cart without one promotion */
#define LEAST_NODES     16
#define MOST_WORK       300000 /* items judged in all, whatever the cart's size */
#define MOST_VETOES     (1u << 20)
#define MOST_COMPARED   200    /* candidates compared pair by pair */
#define EXHAUSTIVE      3      /* conflicting promotions tried in every order */

typedef struct {
    const pos_plan_t *plan;
    uint32_t          banned;
    uint32_t          count;        /* candidates                    */
    pos_state_t      *best, *trial;
    pos_choice_t      best_choice, choice, try_choice;
    uint32_t         *rivals;       /* candidates that conflict      */
    uint32_t          rival_count;
    uint64_t          nodes, budget;
    pos_status_t      status;
} search_t;

static bool
new_choice(search_t *x, pos_choice_t *c)
{
    pos_arena_t *arena = x->plan->work->arena;
    size_t       n = x->count + 1;

    c->used = pos_arena_zalloc(arena, n);
    c->order = pos_arena_alloc(arena, n * sizeof(*c->order));
    c->repeat = pos_arena_alloc(arena, n * sizeof(*c->repeat));
    c->veto = NULL;
    return c->used && c->order && c->repeat;
}

static bool
new_veto(search_t *x, pos_choice_t *c)
{
    c->veto = pos_arena_zalloc(x->plan->work->arena, (size_t) (x->count + 1) * x->plan->span);
    return c->veto != NULL;
}

static void
copy_choice(const search_t *x, pos_choice_t *to, const pos_choice_t *from)
{
    memcpy(to->used, from->used, x->count);
    memcpy(to->order, from->order, x->count * sizeof(*to->order));
    memcpy(to->repeat, from->repeat, x->count * sizeof(*to->repeat));
    if (to->veto && from->veto) {
        memcpy(to->veto, from->veto, (size_t) x->count * x->plan->span);
    }
}

static bool
is_alone(const search_t *x, uint32_t k)
{
    return x->plan->candidates[k].promotion->stacking == POS_STACK_ALONE;
}

/* Evaluates; a promotion whose claim was in vain (its condition failed later,
 * or it saved nothing) gives its units back to the others. */
static bool
settle(search_t *x, pos_state_t *s, pos_choice_t *c)
{
    bool again = true;

    for (uint32_t round = 0; again && round <= x->count; round++) {
        again = false;
        x->nodes++;
        x->status = pos_evaluate(s, c);
        if (x->status != POS_OK) {
            return false;
        }
        for (uint32_t k = 0; x->plan->stacked && k < x->count; k++) {
            if (c->used[k] && !s->worked[k]) {
                c->used[k] = 0;
                again = true;
            }
        }
    }
    return true;
}

/* Takes the trial over when it is better. */
static bool
keep_better(search_t *x)
{
    pos_state_t *s = x->trial;

    if (!pos_better(x->trial, x->best)) {
        return false;
    }
    x->trial = x->best;
    x->best = s;
    copy_choice(x, &x->best_choice, &x->try_choice);
    x->best->choice = &x->best_choice;
    x->trial->choice = &x->try_choice;
    return true;
}

/* One that stands alone is used with no other. */
static bool
permitted(const search_t *x, const pos_choice_t *c)
{
    uint32_t used = 0;
    bool     alone = false;

    for (uint32_t k = 0; k < x->count && x->plan->stacked; k++) {
        used += c->used[k];
        alone |= c->used[k] && is_alone(x, k);
    }
    return !alone || used == 1;
}

static bool
attempt(search_t *x)
{
    return permitted(x, &x->try_choice) && x->nodes < x->budget && settle(x, x->trial, &x->try_choice) && keep_better(x);
}

static void
start(const search_t *x, pos_choice_t *c)
{
    for (uint32_t k = 0; k < x->count; k++) {
        c->used[k] = k != x->banned && !is_alone(x, k);
        c->order[k] = k;
        c->repeat[k] = POS_INF;
    }
    if (c->veto) {
        memset(c->veto, 0, (size_t) x->count * x->plan->span);
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

/* ---- search ---- */

/* Does it take part in any conflict of its own making? For very many. */
static bool
contends(const search_t *x, uint32_t k)
{
    const pos_candidate_t *c = &x->plan->candidates[k];

    if (c->promotion->stacking != POS_STACK_COMBINE || c->group) {
        return true;
    }
    for (uint32_t i = 0; i < c->act_count; i++) {
        if (x->plan->acts[c->acts[i]].phase == POS_PHASE_DEAL) {
            return true;
        }
    }
    return false;
}

static bool
has_rival(const search_t *x, uint32_t a)
{
    if (x->count > MOST_COMPARED) {
        return contends(x, a);
    }
    for (uint32_t b = 0; b < x->count; b++) {
        if (a != b && b != x->banned && pos_excludes(x->plan, a, b)) {
            return true;
        }
    }
    return false;
}

static void
find_rivals(search_t *x)
{
    for (uint32_t a = 0; a < x->count; a++) {
        bool rival = a != x->banned && has_rival(x, a);

        /* A line discount may cost an order discount its threshold. */
        if (!rival && x->best->lowered && a != x->banned) {
            rival = x->plan->candidates[a].promotion->class == POS_CLASS_LINE;
        }
        if (rival) {
            x->rivals[x->rival_count++] = a;
        }
    }
}

static void
to_front(const search_t *x, pos_choice_t *c, uint32_t k)
{
    uint32_t at = 0;

    while (c->order[at] != k) {
        at++;
    }
    memmove(c->order + 1, c->order, at * sizeof(*c->order));
    c->order[0] = k;
    c->used[k] = !is_alone(x, k) || c->used[k];
}

static bool
improve_rival(search_t *x, uint32_t k)
{
    bool better = false;

    if (is_alone(x, k)) {
        only(x, &x->try_choice, k);
        return attempt(x);
    }
    if (x->best_choice.used[k]) {
        copy_choice(x, &x->try_choice, &x->best_choice);
        x->try_choice.used[k] = 0;
        better |= attempt(x);
    }
    copy_choice(x, &x->try_choice, &x->best_choice);
    to_front(x, &x->try_choice, k);
    better |= attempt(x);
    /* The same, with everything else in again. */
    start(x, &x->try_choice);
    to_front(x, &x->try_choice, k);
    better |= attempt(x);
    return better;
}

/* One repetition less may leave a unit that another deal makes more of. */
static bool
improve_repeats(search_t *x, uint32_t k)
{
    const pos_candidate_t *c = &x->plan->candidates[k];
    bool                   better = false;

    for (uint32_t i = 0; i < c->act_count; i++) {
        int64_t times = x->best->times[c->acts[i]];

        if (x->plan->acts[c->acts[i]].phase == POS_PHASE_DEAL && times > 1) {
            copy_choice(x, &x->try_choice, &x->best_choice);
            x->try_choice.repeat[k] = times - 1;
            better |= attempt(x);
        }
    }
    return better;
}

/* Keeps a promotion off one item, so that a rival may have it. */
static bool
improve_items(search_t *x, uint32_t k)
{
    const pos_candidate_t *c = &x->plan->candidates[k];
    bool                   better = false;

    for (uint32_t i = 0; i < c->act_count; i++) {
        const pos_match_t *m = &x->plan->acts[c->acts[i]].match;

        for (uint32_t j = 0; j < m->count && x->nodes < x->budget; j++) {
            size_t at = (size_t) k * x->plan->span + m->items[j];

            copy_choice(x, &x->try_choice, &x->best_choice);
            x->try_choice.veto[at] ^= 1;
            x->try_choice.used[k] = 1;
            better |= attempt(x);
            if (x->status != POS_OK) {
                return false;
            }
        }
    }
    return better;
}

/* Every order of few rivals, each with every subset of them left out. */
static void
exhaust(search_t *x)
{
    static const uint8_t orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 },
        { 2, 0, 1 }, { 2, 1, 0 } };
    uint32_t n = x->rival_count;

    for (uint32_t o = 0; o < 6 && n == EXHAUSTIVE; o++) {
        for (uint32_t out = 0; out < 1u << n; out++) {
            start(x, &x->try_choice);
            for (uint32_t i = n; i-- > 0;) {
                to_front(x, &x->try_choice, x->rivals[orders[o][i]]);
            }
            for (uint32_t i = 0; i < n; i++) {
                if (out >> i & 1) {
                    x->try_choice.used[x->rivals[i]] = 0;
                }
            }
            (void) attempt(x);
        }
    }
}

static void
search(search_t *x)
{
    bool better = true;

    x->rivals = pos_arena_alloc(x->plan->work->arena, (x->count + 1) * sizeof(uint32_t));
    if (x->rivals == NULL || (x->plan->stacked && (size_t) x->count * x->plan->span <= MOST_VETOES &&
        (!new_veto(x, &x->best_choice) || !new_veto(x, &x->try_choice)))) {
        x->status = POS_NO_MEMORY;
        return;
    }
    find_rivals(x);
    exhaust(x);
    while (better && x->nodes < x->budget && x->status == POS_OK) {
        better = false;
        for (uint32_t i = 0; i < x->rival_count && x->status == POS_OK; i++) {
            better |= improve_rival(x, x->rivals[i]);
        }
        for (uint32_t i = 0; i < x->rival_count && x->status == POS_OK; i++) {
            better |= improve_repeats(x, x->rivals[i]);
            if (x->best_choice.veto && !better) {
                better |= improve_items(x, x->rivals[i]);
            }
        }
    }
}

/* How many choices may be judged: fewer for large carts, by size and never by
 * time, so that a quote replays. */
static uint64_t
budget_of(const pos_plan_t *plan, uint32_t banned)
{
    uint64_t budget = plan->work->options->node_budget, most = MOST_WORK / plan->span;

    if (budget == 0) {
        budget = banned == POS_NIL ? DEFAULT_NODES : EXPLAIN_NODES;
        budget = budget < most ? budget : most;
    }
    return budget > LEAST_NODES ? budget : LEAST_NODES;
}

static pos_status_t
search_init(search_t *x, const pos_plan_t *plan, uint32_t banned)
{
    *x = (search_t) { .plan = plan, .banned = banned, .count = plan->candidate_count,
        .budget = budget_of(plan, banned) };
    x->best = pos_arena_zalloc(plan->work->arena, sizeof(*x->best));
    if (x->best == NULL || !new_choice(x, &x->best_choice)) {
        return POS_NO_MEMORY;
    }
    return pos_state_init(x->best, plan);
}

static pos_status_t
trial_init(search_t *x)
{
    x->trial = pos_arena_zalloc(x->plan->work->arena, sizeof(*x->trial));
    if (x->trial == NULL || !new_choice(x, &x->try_choice)) {
        return POS_NO_MEMORY;
    }
    return pos_state_init(x->trial, x->plan);
}

pos_status_t
pos_choose(const pos_plan_t *plan, uint32_t banned, pos_solution_t *out)
{
    search_t     x;
    bool         by_rule = plan->work->book->optimise_priority;
    pos_status_t status = search_init(&x, plan, banned);

    if (status == POS_OK && (plan->stacked || plan->contested)) {
        status = trial_init(&x);
    }
    if (status != POS_OK) {
        return status;
    }
    by_priority(&x);
    out->optimal = by_rule;
    if (x.status == POS_OK && !by_rule) {
        bool conflicts = plan->stacked || plan->contested || x.best->lowered;

        if (conflicts && x.trial == NULL) {
            x.status = trial_init(&x);
        }
        if (conflicts && x.status == POS_OK) {
            search(&x);
        }
        out->optimal = !conflicts && pos_proved(x.best);
    }
    if (x.status != POS_OK) {
        return x.status;
    }
    out->choice = pos_arena_alloc(plan->work->arena, sizeof(*out->choice));
    if (out->choice == NULL) {
        return POS_NO_MEMORY;
    }
    *out->choice = x.best_choice;
    out->state = x.best;
    out->state->choice = out->choice;
    out->nodes = (uint32_t) x.nodes;
    out->bound = out->optimal ? x.best->objective : pos_bound(plan);
    out->optimal |= out->bound == x.best->objective;
    return POS_OK;
}
