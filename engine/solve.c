/*
 * The exact choice. Which promotions are used at all is decided where it can
 * matter, the more used the earlier; under each such set the deals' units are
 * searched, and what is left is settled. Where costs add up and more discounts
 * never cost more, all are used and each component of deals is searched alone.
 */

#include "engine/solve.h"

static void
copy_claims(const pos_solve_t *z, pos_claims_t *to, const pos_claims_t *from)
{
    to->count = from->count;
    memcpy(to->items, from->items, from->count * sizeof(*to->items));
    memcpy(to->units, from->units, from->count * sizeof(*to->units));
    memcpy(to->bits, from->bits, (size_t) from->count * z->plan->words * sizeof(*to->bits));
    memcpy(to->times, from->times, z->plan->act_count * sizeof(*to->times));
}

void
pos_solve_keep(pos_solve_t *z)
{
    pos_state_t *s = z->state;
    uint32_t     n = z->plan->candidate_count;

    z->better = true;
    z->state = z->trial;
    z->trial = s;
    memcpy(z->choice->used, z->try_choice->used, n);
    memcpy(z->choice->order, z->try_choice->order, n * sizeof(*z->choice->order));
    memcpy(z->choice->repeat, z->try_choice->repeat, n * sizeof(*z->choice->repeat));
    copy_claims(z, z->best_claims, z->claims);
    z->choice->claims = z->best_claims;
    z->state->choice = z->choice;
    z->trial->choice = z->try_choice;
}

/* ---- what may be used without a thought ---- */

static bool
asks_after_line(const pos_condition_t *c)
{
    if (c == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < c->child_count; i++) {
        if (asks_after_line(c->children[i])) {
            return true;
        }
    }
    return c->kind == POS_COND_SUBTOTAL && c->after_line;
}

static bool
is_split(const pos_act_t *act)
{
    const pos_effect_t *e = act->effect;

    if (act->phase == POS_PHASE_ORDER) {
        return true;
    }
    return e->reduce != POS_REDUCE_PERCENT &&
        (e->kind == POS_EFFECT_BUNDLE || (e->kind == POS_EFFECT_MARKDOWN && e->per != POS_PER_UNIT));
}

/* Where an amount was split over lines, what follows may depend on how: is it
 * only on their sum? */
static bool
sums_only(const pos_solve_t *z, uint32_t after, const pos_act_t *split)
{
    const pos_plan_t *plan = z->plan;

    for (uint32_t a = after; a < plan->act_count && plan->acts[a].phase <= POS_PHASE_ORDER; a++) {
        const pos_act_t *act = &plan->acts[a];

        if (!z->allowed[act->candidate] || act->phase == POS_PHASE_GIFT ||
            (act->phase == POS_PHASE_DEAL && split && split->phase == POS_PHASE_DEAL)) {
            continue;
        }
        if (act->phase != POS_PHASE_ORDER || act->picks || act->match.count != z->item_count) {
            return false;
        }
    }
    return true;
}

static bool
act_is_plain(const pos_solve_t *z, const pos_act_t *act)
{
    const pos_promotion_t *p = z->plan->candidates[act->candidate].promotion;

    return pos_model_cap(z, act) == POS_INF && p->floor_ppm < 0 && (act->phase == POS_PHASE_DEAL || act->picks == NULL) &&
        (p->class == POS_CLASS_LINE || (!asks_after_line(p->when) && !asks_after_line(act->effect->when))) &&
        act->effect->kind != POS_EFFECT_ORDER_TIERS;
}

static bool
shipping_contested(const pos_solve_t *z, uint32_t a)
{
    const pos_plan_t *plan = z->plan;

    for (uint32_t b = 0; b < plan->act_count; b++) {
        if (z->allowed[plan->acts[b].candidate] && pos_shuns(plan, plan->acts[a].candidate, plan->acts[b].candidate) &&
            (plan->acts[b].phase == POS_PHASE_SHIPPING || plan->acts[b].effect->shipping_too)) {
            return true;
        }
    }
    return false;
}

/* Does using more never cost more? (docs/solver.md has the argument.) */
static bool
is_monotone(const pos_solve_t *z)
{
    const pos_plan_t *plan = z->plan;
    const pos_cart_t *cart = &plan->work->cart;

    for (uint32_t i = 0; i < cart->item_count; i++) {
        if (cart->items[i].product->min_price > 0 ||
            (cart->items[i].line->has_discount && cart->items[i].line->discount_reduce == POS_REDUCE_AMOUNT &&
                !sums_only(z, 0, NULL))) {
            return false;
        }
    }
    for (uint32_t a = 0; a < plan->act_count; a++) {
        const pos_act_t *act = &plan->acts[a];

        if (!z->allowed[act->candidate] || act->phase == POS_PHASE_GIFT || act->phase == POS_PHASE_BONUS) {
            continue;
        }
        if (act->phase == POS_PHASE_ORDER && act->effect->reduce == POS_REDUCE_PRICE && plan->stacked) {
            return false;    /* the bound wants to know whether it is used */
        }
        if (!act_is_plain(z, act) || (is_split(act) && !sums_only(z, a + 1, act)) ||
            ((act->phase == POS_PHASE_SHIPPING || act->effect->shipping_too) && shipping_contested(z, a))) {
            return false;
        }
    }
    return true;
}

#define FIRST_SHARE    8     /* of the steps, before a look around      */
#define IMPROVE_SHARE  4     /* of those left, for what improve.c builds */
#define LOOK_SHARE     32    /* of those left, for one look             */
#define LOOK_ROUNDS    3
#define SMALL_CART     10    /* units: ties are settled                 */

/* Promotions of which it must be decided whether they are used. */
static bool
is_open(const pos_solve_t *z, uint32_t k)
{
    const pos_candidate_t *c = &z->plan->candidates[k];

    for (uint32_t i = 0; i < c->act_count; i++) {
        pos_phase_t phase = z->plan->acts[c->acts[i]].phase;

        if (phase == POS_PHASE_MARKDOWN || phase == POS_PHASE_ORDER || phase == POS_PHASE_SHIPPING) {
            return true;
        }
    }
    return false;
}

/* ---- components ---- */

static void
flood(pos_solve_t *z, uint32_t deal, uint32_t component, uint32_t *queue)
{
    uint32_t n = 0;

    queue[n++] = deal;
    z->deals[deal].component = component;
    while (n > 0) {
        const pos_deal_t *d = &z->deals[queue[--n]];

        for (uint32_t k = 0; k < d->count; k++) {
            const pos_sitem_t *item = &z->items[z->vars[d->first + k].item];

            for (uint32_t j = 0; j < item->var_count; j++) {
                uint32_t other = z->vars[item->vars[j]].deal;

                if (z->deals[other].component == POS_NIL) {
                    z->deals[other].component = component;
                    queue[n++] = other;
                }
            }
        }
    }
}

static uint32_t
find_components(pos_solve_t *z)
{
    uint32_t *queue = pos_pool_alloc(z, (z->deal_count + 1) * sizeof(*queue)), count = 0;

    for (uint32_t d = 0; queue && d < z->deal_count; d++) {
        if (z->deals[d].component == POS_NIL) {
            flood(z, d, count++, queue);
        }
    }
    return count;
}

/* The best choice known, as far as the deals' units say. */
static void
x_from_state(pos_solve_t *z)
{
    const pos_state_t *s = z->state;
    uint32_t           words = z->plan->words;

    for (uint32_t v = 0; v < z->var_count; v++) {
        pos_var_t       *var = &z->vars[v];
        const pos_act_t *act = &z->plan->acts[z->deals[var->deal].act];
        bool             nth = act->effect->kind == POS_EFFECT_NTH;
        int64_t          n = 0;

        for (uint32_t seg = s->first[var->item]; seg != POS_NIL; seg = s->segs[seg].next) {
            const uint64_t *bits = &s->bits[(size_t) seg * words];

            n += pos_bit(bits, act->touch + var->role) || (nth && pos_bit(bits, act->touch + 1)) ? s->segs[seg].units : 0;
        }
        var->x = (int32_t) n;
    }
}

/* What lowers nothing is not used, so nothing need give way to it. */
static void
drop_idle(pos_solve_t *z)
{
    for (uint32_t d = 0; d < z->deal_count; d++) {
        const pos_deal_t *deal = &z->deals[d];
        int64_t           times = pos_deal_times(z, deal), saved = 0;

        if (times < 1 || z->plan->candidates[z->plan->acts[deal->act].candidate].act_count > 1) {
            continue;
        }
        for (uint32_t k = 0; k < deal->count; k++) {
            const pos_var_t *v = &z->vars[deal->first + k];

            saved += v->x * z->items[v->item].rate;
        }
        saved -= pos_deal_cost(z, deal, times);
        for (uint32_t k = 0; k < deal->count && saved <= 0; k++) {
            z->vars[deal->first + k].x = 0;
        }
    }
}

static int64_t
base_of(const pos_solve_t *z, uint32_t component)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < z->item_count; i++) {
        const pos_sitem_t *item = &z->items[i];

        if (item->var_count && z->deals[z->vars[item->vars[0]].deal].component == component) {
            sum += item->rate * item->units;
        }
    }
    return sum;
}

/* The smallest component of those not searched yet, so that what it leaves of the
 * budget is there for the largest. */
static uint32_t
next_component(uint32_t *sizes, uint32_t count)
{
    uint32_t best = POS_NIL;

    for (uint32_t c = 0; c < count; c++) {
        if (sizes[c] != POS_NIL && (best == POS_NIL || sizes[c] < sizes[best])) {
            best = c;
        }
    }
    sizes[best] = POS_NIL;
    return best;
}

static void
search_components(pos_solve_t *z)
{
    uint32_t count = find_components(z), *sizes = pos_pool_alloc(z, (count + 1) * sizeof(*sizes));
    uint64_t whole = z->budget;
    int64_t  saved = 0, found = 0, least;
    bool     better = false, open = false;

    if (sizes == NULL) {
        return;
    }
    memset(sizes, 0, (count + 1) * sizeof(*sizes));
    x_from_state(z);
    drop_idle(z);
    for (uint32_t v = 0; v < z->var_count; v++) {
        z->best_x[v] = z->vars[v].x;
        sizes[z->deals[z->vars[v].deal].component]++;
    }
    for (uint32_t n = 0; n < count && !pos_broken(z); n++) {
        uint32_t c = next_component(sizes, count);
        int64_t  cost, before;

        for (uint32_t v = 0; v < z->var_count; v++) {
            z->vars[v].x = z->best_x[v];
        }
        z->component = c;
        cost = pos_model_exact(z, c);
        z->best = before = cost < 0 ? 0 : base_of(z, c) - cost;
        better |= cost < 0;
        z->open = INT64_MIN;
        /* what earlier components left of the budget, shared by those to come */
        z->budget = z->work + (whole > z->work ? (whole - z->work) / (count - n) : 0);
        z->stop = false;
        pos_search_deals(z, INT64_MAX / 4);
        better |= z->best > before;
        open |= z->stop;
        found += z->best;
        saved += z->open > z->best ? z->open : z->best;
    }
    z->budget = whole;
    z->component = POS_NIL;
    for (uint32_t v = 0; v < z->var_count; v++) {
        z->vars[v].x = z->best_x[v];
    }
    z->stop = false;
    if (better && !pos_broken(z)) {
        z->budget = UINT64_MAX;
        pos_settle(z);
        z->budget = whole;
        /* what was found must be what a customer can have */
        open |= z->state->objective > pos_model_after(z, z->base - z->constant - found);
    }
    least = pos_model_after(z, z->base - z->constant - saved);
    z->least = least < z->least ? least : z->least;
    z->stop |= open;
}

/* ---- sets of promotions used ---- */

/* Under what is decided, all deals and settlements. */
static void
search_under(pos_solve_t *z, bool monotone, int64_t above)
{
    int64_t before = z->least;

    for (uint32_t i = 0; i < z->item_count; i++) {
        z->items[i].lambda = 0;
    }
    if (pos_model_make(z) != POS_OK || z->too_large) {
        z->least = 0;
        return;
    }
    if (monotone && z->exact && z->whole_order && !z->ties) {
        search_components(z);
        return;
    }
    z->component = POS_NIL;
    z->least = POS_INF;
    pos_search_deals(z, INT64_MAX / 4);
    /* what was left open is bounded from above as well */
    z->least = z->least > above ? z->least : above;
    z->least = z->least < before && z->stop ? z->least : before;
}

static void
decide(pos_solve_t *z, uint32_t k, bool changed, int64_t above)
{
    pos_pool_mark_t mark = z->pool.at;

    if (z->status != POS_OK) {
        return;
    }
    while (k < z->plan->candidate_count && (!z->allowed[k] || !is_open(z, k))) {
        k++;
    }
    if (k == z->plan->candidate_count) {
        search_under(z, false, above);
        z->pool.at = mark;
        return;
    }
    if (changed) {
        int64_t bound, least;

        z->component = POS_NIL;
        z->work += 50;
        if (pos_model_make(z) != POS_OK || z->too_large) {
            z->least = 0;
            return;
        }
        bound = pos_search_bound(z);
        least = bound == INT64_MIN ? POS_INF : pos_model_after(z, z->base - z->constant - bound);
        z->pool.at = mark;
        above = least > above ? least : above;
        if (least >= z->state->objective + z->ties) {
            return;
        }
        if (z->work > z->budget) {
            z->stop = true;
            z->least = least < z->least ? least : z->least;
            return;
        }
    }
    z->must[k] = 1;
    decide(z, k + 1, z->whole_order == false, above);
    z->must[k] = 0;
    z->allowed[k] = 0;
    decide(z, k + 1, true, above);
    z->allowed[k] = 1;
}

/* With no more of the promotions that are open than these and that one (POS_NIL: none). Is it better
 * than what is known? */
static bool
look(pos_solve_t *z, const uint8_t *from, uint32_t k, uint64_t whole)
{
    pos_pool_mark_t mark = z->pool.at;
    int64_t         before = z->state->objective;

    for (uint32_t j = 0; j < z->plan->candidate_count; j++) {
        z->allowed[j] = from[j] && (j == k || z->must[j] || !is_open(z, j));
    }
    if (k != POS_NIL) {
        z->must[k] = 1;
    }
    z->budget = z->work + (whole - z->work) / LOOK_SHARE;
    z->stop = false;
    search_under(z, false, 0);
    if (k != POS_NIL) {
        z->must[k] = 0;
    }
    z->pool.at = mark;
    return z->state->objective < before;
}

/* The best of the choices that use these and one more of those that are open; POS_NIL: none is
 * better than what is known. */
static uint32_t
one_more(pos_solve_t *z, const uint8_t *from)
{
    uint32_t best = POS_NIL;
    uint64_t whole = z->budget;

    for (uint32_t k = 0; k < z->plan->candidate_count && z->work < whole && !pos_broken(z); k++) {
        if (from[k] && !z->must[k] && is_open(z, k) && look(z, from, k, whole)) {
            best = k;
        }
    }
    z->budget = whole;
    return best;
}

/* A tree that is too large for the steps is not left with what its first leaf gives: from none,
 * what helps most is used, promotion by promotion. */
static void
look_around(pos_solve_t *z)
{
    uint32_t n = z->plan->candidate_count, k = 0;
    uint8_t *from = pos_pool_alloc(z, n + 1);
    uint64_t whole = z->budget;

    if (from == NULL) {
        return;
    }
    memcpy(from, z->allowed, n);
    (void) look(z, from, POS_NIL, whole);
    z->budget = whole;
    for (uint32_t round = 0; round < LOOK_ROUNDS && k != POS_NIL; round++) {
        k = one_more(z, from);
        if (k != POS_NIL) {
            z->must[k] = 1;
        }
    }
    memset(z->must, 0, n);
    memcpy(z->allowed, from, n);
}

/* What improve.c builds, where it is better than what is known. */
static void
improve(pos_solve_t *z)
{
    uint32_t       n = z->plan->candidate_count;
    pos_improved_t found = { 0 };

    z->improved = true;
    z->status = pos_improve(z->plan, z->banned, (z->budget - z->work) / IMPROVE_SHARE, POS_INF, &found);
    z->work += found.work;
    z->leaves += (uint32_t) found.nodes;
    if (z->status != POS_OK || found.state == NULL || found.state->objective >= z->state->objective ||
        found.choice->claims->count > z->best_claims->room) {
        return;
    }
    z->better = true;
    z->state = found.state;
    memcpy(z->choice->used, found.choice->used, n);
    memcpy(z->choice->order, found.choice->order, n * sizeof(*z->choice->order));
    memcpy(z->choice->repeat, found.choice->repeat, n * sizeof(*z->choice->repeat));
    copy_claims(z, z->best_claims, found.choice->claims);
    z->choice->claims = z->best_claims;
    z->state->choice = z->choice;
}

static void
decide_all(pos_solve_t *z)
{
    uint64_t whole = z->budget;
    int64_t  least = z->least;

    if (z->ties || z->stop || z->work > whole) {
        decide(z, 0, true, 0);
        return;
    }
    z->budget = z->work + (whole - z->work) / FIRST_SHARE;
    decide(z, 0, true, 0);
    z->budget = whole;
    if (z->stop && z->work < whole && !pos_broken(z) && !z->improved) {
        improve(z);
    }
    if (z->stop && z->work < whole && !pos_broken(z)) {
        look_around(z);
        z->stop = false;
        z->least = least;
        decide(z, 0, true, 0);
    }
}

static void
search_set(pos_solve_t *z)
{
    pos_pool_mark_t mark = z->pool.at;

    if (is_monotone(z)) {
        search_under(z, true, 0);
    } else {
        decide_all(z);
    }
    z->pool.at = mark;
}

static bool
is_alone(const pos_plan_t *plan, uint32_t k)
{
    return plan->candidates[k].promotion->stacking == POS_STACK_ALONE;
}

/* All sets of promotions: each that stands alone, which is soon done, and those that
 * stand with others. */
static void
search_all(pos_solve_t *z, uint32_t banned)
{
    const pos_plan_t *plan = z->plan;

    for (uint32_t k = 0; k < plan->candidate_count && z->status == POS_OK; k++) {
        if (is_alone(plan, k) && k != banned) {
            memset(z->allowed, 0, plan->candidate_count);
            z->allowed[k] = 1;
            search_set(z);
        }
    }
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        z->allowed[k] = k != banned && !is_alone(plan, k);
    }
    if (z->status == POS_OK) {
        search_set(z);
    }
}

/* For a small cart, whose optimum is proved, the ties are settled as the page
 * says; a larger one keeps the first that was found. */
static void
break_ties(pos_solve_t *z, uint32_t banned)
{
    int64_t units = 0, least = z->least;

    for (uint32_t i = 0; i < z->item_count; i++) {
        units += z->plan->work->cart.items[i].units;
    }
    if (units > SMALL_CART || z->stop || pos_broken(z)) {
        return;
    }
    z->ties = true;
    z->budget += z->budget;
    search_all(z, banned);
    z->ties = false;
    z->stop = false;
    z->too_large = false;
    z->least = least;
}

/* `out` holds the best known choice, and is left with a better one and with
 * what is proved. */
pos_status_t
pos_solve(const pos_plan_t *plan, uint32_t banned, uint64_t budget, pos_solution_t *out)
{
    pos_solve_t *z = pos_arena_zalloc(plan->work->arena, sizeof(*z));

    if (z == NULL) {
        return POS_NO_MEMORY;
    }
    z->plan = plan;
    z->budget = z->whole = budget;
    z->banned = banned;
    z->component = POS_NIL;
    z->least = POS_INF;
    if (!pos_solve_room(z, out)) {
        return POS_NO_MEMORY;
    }
    search_all(z, banned);
    break_ties(z, banned);
    if (z->status != POS_OK) {
        return z->status;
    }
    if (z->better) {
        out->state = z->state;
        out->choice = z->choice;
    }
    /* The cart's facts are those of the choice again, not of what was tried. */
    if (pos_evaluate(out->state, out->choice) != POS_OK) {
        return out->state->status;
    }
    out->nodes += z->nodes + z->leaves;
    out->work = z->work;
    out->improved = z->improved;
    if (z->least > out->state->objective || (!z->stop && !z->too_large)) {
        z->least = z->least < out->state->objective && (z->stop || z->too_large) ? z->least : out->state->objective;
    }
    z->least = z->blind ? 0 : z->least;
    out->bound = z->least;
    out->optimal = z->least >= out->state->objective;
    return POS_OK;
}
