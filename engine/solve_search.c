/*
 * Branch and bound over which units each deal takes. The bound is Lagrangian:
 * that an item's units go to one deal each is priced by a multiplier, and each
 * deal then takes what is best for it alone. Branching halves what one deal may
 * take of the item that the deals want most in excess.
 */

#include "engine/solve_options.h"

#define ROOT_STEPS   40
#define NODE_STEPS   4
#define RULED_DEPTH  4    /* deals are held to what is left to them above it */
#define PATIENCE     4
#define FULL_STEP    1024
#define LIST_STEPS   20000

/* What the deals save at most at these multipliers; INT64_MIN: they cannot. */
static int64_t
dual(pos_solve_t *z)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < z->item_count; i++) {
        if (pos_item_in_component(z, &z->items[i])) {
            sum += z->items[i].lambda * z->items[i].units;
        }
    }
    for (uint32_t d = 0; d < z->deal_count; d++) {
        pos_deal_t *deal = &z->deals[d];

        if (!pos_in_component(z, d)) {
            continue;
        }
        if (deal->dirty) {
            deal->value = pos_price_deal(z, deal);
        }
        if (deal->value == INT64_MIN) {
            return INT64_MIN;
        }
        sum += deal->value;
    }
    z->work += z->deal_count / 2 + z->item_count / 2;
    return sum + z->mu * z->halves_most;
}

/* Can no choice below this bound be better than what is known? */
static bool
cut(pos_solve_t *z, int64_t saved)
{
    if (z->component != POS_NIL) {
        return saved < z->best + POS_SCALE;
    }
    z->work += 8;
    return pos_model_after(z, z->base - z->constant - saved) >= z->state->objective + z->ties;
}

static void
touch_deals(pos_solve_t *z, const pos_sitem_t *item)
{
    for (uint32_t k = 0; k < item->var_count; k++) {
        z->deals[z->vars[item->vars[k]].deal].dirty = true;
    }
}

static void
set_mu(pos_solve_t *z, int64_t mu)
{
    for (uint32_t d = 0; d < z->deal_count && mu != z->mu; d++) {
        z->deals[d].dirty = true;
    }
    z->mu = mu;
}

static void
keep_lambdas(pos_solve_t *z, uint32_t depth)
{
    z->mus[depth] = z->mu;
    for (uint32_t i = 0; i < z->item_count; i++) {
        z->lambdas[(size_t) depth * z->item_count + i] = z->items[i].lambda;
    }
}

static void
restore_lambdas(pos_solve_t *z, uint32_t depth)
{
    set_mu(z, z->mus[depth]);
    for (uint32_t i = 0; i < z->item_count; i++) {
        int64_t lambda = z->lambdas[(size_t) depth * z->item_count + i];

        if (z->items[i].lambda != lambda) {
            z->items[i].lambda = lambda;
            touch_deals(z, &z->items[i]);
        }
    }
}

/* ---- multipliers ---- */

/* A repetition takes at least twice its half: all halves fit into half of the
 * units, rounded down, which the relaxation by item would not see. */
static void
start_halves(pos_solve_t *z)
{
    int64_t units = 0;

    for (uint32_t i = 0; i < z->item_count; i++) {
        units += pos_item_in_component(z, &z->items[i]) ? z->items[i].units : 0;
    }
    z->halves_most = units / 2;
    z->mu = 0;
}

/* One step against the excess; false: every item has what is wanted of it. */
static bool
step(pos_solve_t *z, int64_t bound, int64_t theta, bool *over)
{
    int64_t norm = 0, gap, halves = -z->halves_most;

    *over = false;
    for (uint32_t i = 0; i < z->item_count; i++) {
        pos_sitem_t *item = &z->items[i];

        item->excess = 0;
        if (pos_item_in_component(z, item)) {
            item->excess = pos_units_wanted(z, item) - item->units;
            *over |= item->excess > 0;
            if (item->excess < 0 && item->lambda == 0) {
                item->excess = 0;
            }
            norm += (int64_t) item->excess * item->excess;
        }
    }
    for (uint32_t d = 0; d < z->deal_count; d++) {
        halves += pos_in_component(z, d) ? z->deals[d].times * z->deals[d].half : 0;
    }
    *over |= halves > 0;
    halves = halves < 0 && z->mu == 0 ? 0 : halves;
    norm += halves * halves;
    z->work += z->var_count / 2;
    if (norm == 0) {
        return false;
    }
    gap = bound - (z->component != POS_NIL ? z->best + POS_SCALE / 2 : bound - bound / 32 - POS_SCALE);
    if (halves != 0) {
        int64_t by = (int64_t) ((__int128) gap * theta * halves / norm / FULL_STEP);

        by = by == 0 ? (halves > 0 ? 1 : -1) : by;
        set_mu(z, z->mu + by > 0 ? z->mu + by : 0);
    }
    for (uint32_t i = 0; i < z->item_count; i++) {
        pos_sitem_t *item = &z->items[i];
        int64_t      by = (int64_t) ((__int128) gap * theta * item->excess / norm / FULL_STEP), lambda;

        if (item->excess == 0) {
            continue;
        }
        by = by == 0 ? (item->excess > 0 ? 1 : -1) : by;
        lambda = item->lambda + by > 0 ? item->lambda + by : 0;
        if (lambda != item->lambda) {
            item->lambda = lambda;
            touch_deals(z, item);
        }
    }
    return true;
}

/* Lowers the bound by better multipliers, which are kept for this depth. */
static int64_t
tighten(pos_solve_t *z, uint32_t depth, int64_t bound, uint32_t steps)
{
    int64_t  best = bound, theta = FULL_STEP;
    uint32_t worse = 0;
    bool     over;

    keep_lambdas(z, depth);
    for (uint32_t k = 0; k < steps && !cut(z, best) && z->work <= z->budget; k++) {
        int64_t now;

        if (z->component != POS_NIL && (k & 7) == 0 && depth < 3) {
            pos_repair(z);
            (void) dual(z);
        }
        if (!step(z, best, theta, &over)) {
            break;
        }
        if (!over) {
            pos_note_solution(z);
        }
        now = dual(z);
        if (now == INT64_MIN) {
            return INT64_MIN;
        }
        if (now < best) {
            best = now;
            worse = 0;
            keep_lambdas(z, depth);
        } else if (++worse >= PATIENCE) {
            theta /= 2;
            worse = 0;
            restore_lambdas(z, depth);
            (void) dual(z);
        }
    }
    restore_lambdas(z, depth);
    (void) dual(z);
    return best;
}

/* ---- bounds of vars ---- */

static bool
set_bounds(pos_solve_t *z, uint32_t var, int32_t lo, int32_t hi)
{
    pos_var_t *v = &z->vars[var];

    if (lo > hi) {
        return false;
    }
    if (lo == v->lo && hi == v->hi) {
        return true;
    }
    if (z->trail_count == z->trail_room) {
        z->stop = true;
        return false;
    }
    z->trail[z->trail_count++] = (struct pos_trail_s) { var, v->lo, v->hi };
    v->lo = lo;
    v->hi = hi;
    z->deals[v->deal].dirty = true;
    return true;
}

/* What is promised to one deal is gone for the others. */
static bool
decide(pos_solve_t *z, uint32_t var, int32_t lo, int32_t hi)
{
    const pos_sitem_t *item = &z->items[z->vars[var].item];
    int32_t            room = item->units;

    if (!set_bounds(z, var, lo, hi)) {
        return false;
    }
    for (uint32_t k = 0; k < item->var_count; k++) {
        room -= z->vars[item->vars[k]].lo;
    }
    if (room < 0) {
        return false;
    }
    for (uint32_t k = 0; k < item->var_count; k++) {
        pos_var_t *v = &z->vars[item->vars[k]];

        if (v->hi > v->lo + room && !set_bounds(z, item->vars[k], v->lo, v->lo + room)) {
            return false;
        }
    }
    return true;
}

static void
undo(pos_solve_t *z, uint32_t count)
{
    while (z->trail_count > count) {
        struct pos_trail_s *t = &z->trail[--z->trail_count];

        z->vars[t->var].lo = t->lo;
        z->vars[t->var].hi = t->hi;
        z->deals[z->vars[t->var].deal].dirty = true;
    }
}

/* ---- what can be ruled out ---- */

/* The bound, were the var's deal held to this; its value and x are put back. */
static int64_t
bound_with(pos_solve_t *z, pos_deal_t *d, uint32_t var, int32_t lo, int32_t hi, int64_t bound)
{
    pos_var_t *v = &z->vars[var];
    int32_t    old_lo = v->lo, old_hi = v->hi;
    int64_t    value;

    v->lo = lo;
    v->hi = hi;
    value = pos_price_deal(z, d);
    v->lo = old_lo;
    v->hi = old_hi;
    return value == INT64_MIN ? INT64_MIN : bound - d->value + value;
}

/* Takes from the vars' bounds what would leave nothing better to be found.
 * False: nothing is left at all. */
static bool
rule_out(pos_solve_t *z, int64_t bound)
{
    for (uint32_t d = 0; d < z->deal_count; d++) {
        pos_deal_t *deal = &z->deals[d];

        if (!pos_in_component(z, d) || deal->count == 0 || z->work > z->budget) {
            continue;
        }
        for (uint32_t k = 0; k < deal->count; k++) {
            uint32_t   at = deal->first + k;
            pos_var_t *v = &z->vars[at];
            int64_t    with;

            while (v->lo < v->hi) {
                with = bound_with(z, deal, at, v->lo + 1, v->hi, bound);
                if (with != INT64_MIN && !cut(z, with)) {
                    break;
                }
                if (!set_bounds(z, at, v->lo, v->lo)) {
                    return false;
                }
            }
            while (v->lo < v->hi) {
                with = bound_with(z, deal, at, v->lo, v->hi - 1, bound);
                if (with != INT64_MIN && !cut(z, with)) {
                    break;
                }
                if (!decide(z, at, v->hi, v->hi)) {
                    return false;
                }
            }
        }
        deal->dirty = true;
    }
    return true;
}

/* ---- the tree ---- */

/* The var to branch on: of the item most in excess, the one that saves most;
 * without excess, where a multiplier is paid for nothing; else any. */
static uint32_t
branch_var(const pos_solve_t *z)
{
    uint32_t best = POS_NIL;
    int64_t  most = INT64_MIN;

    for (uint32_t i = 0; i < z->item_count; i++) {
        const pos_sitem_t *item = &z->items[i];
        int64_t            excess, rank;

        if (!pos_item_in_component(z, item)) {
            continue;
        }
        excess = pos_units_wanted(z, item) - item->units;
        rank = excess > 0 ? (INT64_C(1) << 40) + excess * (item->lambda + 1) : -excess * item->lambda;
        for (uint32_t k = 0; k < item->var_count; k++) {
            const pos_var_t *v = &z->vars[item->vars[k]];
            int64_t          own;

            if (v->lo == v->hi) {
                continue;
            }
            own = rank * 16 + (v->x > v->lo ? 2 : 0) + (v->x < v->hi);
            if (own > most) {
                most = own;
                best = item->vars[k];
            }
        }
    }
    return best;
}

static void
left_open(pos_solve_t *z, int64_t bound)
{
    if (z->component != POS_NIL) {
        z->open = bound > z->open ? bound : z->open;
    } else {
        int64_t least = pos_model_after(z, z->base - z->constant - bound);

        z->least = least < z->least ? least : z->least;
    }
}

static void node(pos_solve_t *z, uint32_t depth, int64_t above);

/* At least what the relaxed solution takes of the var, then less. */
static void
branch(pos_solve_t *z, uint32_t depth, uint32_t var, int64_t bound)
{
    uint32_t mine = z->trail_count;

    for (uint32_t side = 0; side < 2; side++) {
        const pos_var_t *v = &z->vars[var];
        int32_t          lo = v->lo, hi = v->hi, x = v->x > lo ? v->x : lo + 1;

        if (side) {
            restore_lambdas(z, depth);
        }
        if (cut(z, bound)) {
            break;
        }
        /* the same halves on both sides: x is read once */
        x = side ? z->halves[depth] : x;
        z->halves[depth] = x;
        if (decide(z, var, side ? lo : x, side ? x - 1 : hi)) {
            node(z, depth + 1, bound);
        }
        undo(z, mine);
        if (z->stop) {
            left_open(z, bound);
        }
    }
}

static void
node(pos_solve_t *z, uint32_t depth, int64_t above)
{
    int64_t  bound;
    uint32_t var, mark = z->trail_count;
    bool     over = z->stop || z->work > z->budget || depth + 1 >= z->depth_room;

    if (over && depth > 0) {
        z->stop = true;
        left_open(z, above);
        return;
    }
    z->nodes++;
    bound = dual(z);
    if (bound == INT64_MIN) {
        return;
    }
    bound = bound < above ? bound : above;
    if (cut(z, bound)) {
        return;
    }
    if (over) {
        z->stop = true;
        left_open(z, bound);
        return;
    }
    bound = tighten(z, depth, bound, depth ? NODE_STEPS : ROOT_STEPS);
    if (bound == INT64_MIN || cut(z, bound)) {
        return;
    }
    pos_note_solution(z);
    if (depth < RULED_DEPTH) {
        /* by the value at these very multipliers, not by a lower bound from above */
        if (!rule_out(z, dual(z))) {
            undo(z, mark);
            return;
        }
        if (dual(z) == INT64_MIN) {
            undo(z, mark);
            return;
        }
    }
    var = branch_var(z);
    if (var == POS_NIL) {
        if (z->component == POS_NIL) {
            pos_settle(z);
            if (z->stop) {
                left_open(z, bound);
            }
        }
        undo(z, mark);
        return;
    }
    branch(z, depth, var, bound);
    undo(z, mark);
}

/* A component whose deals' options can be written down: at once, or those left
 * when multipliers have narrowed the gap. True: what is best is known. */
static bool
search_options(pos_solve_t *z, int64_t *above)
{
    pos_pool_mark_t  mark = z->pool.at;
    pos_component_t *c = pos_component_make(z);
    bool             listed = c && pos_options_list(c, POS_INF, LIST_STEPS), solved = false;

    if (listed) {
        pos_options_guess(c);
    } else {
        int64_t bound = dual(z);

        bound = bound == INT64_MIN ? bound : tighten(z, 0, bound, ROOT_STEPS);
        if (bound == INT64_MIN || cut(z, bound)) {
            z->pool.at = mark;
            return true;
        }
        *above = bound < *above ? bound : *above;
        set_mu(z, 0);
        bound = dual(z);
        listed = c && pos_options_list(c, bound - z->best - POS_SCALE, z->budget / 4);
    }
    if (listed) {
        /* a deal without an option that is better than what is known: nothing is */
        for (uint32_t d = 0; d < c->count; d++) {
            solved |= c->choosers[d].count == 0;
        }
        solved = solved || pos_merge(c, above);
        for (uint32_t i = 0; i < c->item_count; i++) {
            z->items[c->items[i]].lambda = c->lambda[i];
        }
    }
    for (uint32_t d = 0; d < z->deal_count; d++) {
        z->deals[d].dirty |= pos_in_component(z, d);
    }
    z->pool.at = mark;
    return solved;
}

void
pos_search_deals(pos_solve_t *z, int64_t above)
{
    for (uint32_t d = 0; d < z->deal_count; d++) {
        z->deals[d].dirty |= pos_in_component(z, d);
    }
    z->trail_count = 0;
    start_halves(z);
    if (z->component != POS_NIL ? search_options(z, &above) : pos_search_small(z)) {
        return;
    }
    node(z, 0, above);
}

/* A bound alone: a few steps from the multipliers there are. */
int64_t
pos_search_bound(pos_solve_t *z)
{
    int64_t bound;

    start_halves(z);
    bound = dual(z);
    return bound == INT64_MIN ? bound : tighten(z, 0, bound, ROOT_STEPS / 4);
}
