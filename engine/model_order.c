/* Order and shipping discounts over a bound of what lines cost: for each
 * threshold that may be reached, the least that can be left. */

#include "engine/solve.h"

typedef struct { int64_t min, max; } asked_t;

/* What a condition asks of the subtotal after line discounts, for certain. */
static void
asked_after_line(const pos_condition_t *c, asked_t *asked)
{
    if (c == NULL) {
        return;
    }
    if (c->kind == POS_COND_ALL) {
        for (uint32_t i = 0; i < c->child_count; i++) {
            asked_after_line(c->children[i], asked);
        }
    } else if (c->kind == POS_COND_SUBTOTAL && c->after_line) {
        asked->min = c->range.min != POS_NONE && c->range.min > asked->min ? c->range.min : asked->min;
        asked->max = c->range.max < asked->max ? c->range.max : asked->max;
    }
}

static asked_t
asked_of(const pos_solve_t *z, const pos_act_t *act)
{
    asked_t asked = { 0, POS_INF };

    if (z->plan->candidates[act->candidate].promotion->class != POS_CLASS_LINE) {
        asked_after_line(z->plan->candidates[act->candidate].promotion->when, &asked);
    }
    return asked;
}

static int64_t
reduce_whole(const pos_solve_t *z, const pos_act_t *act, pos_reduce_t reduce, int64_t value, int64_t left)
{
    const pos_cart_t *cart = &z->plan->work->cart;
    int64_t           cap = pos_model_cap(z, act), off = value;

    if (reduce == POS_REDUCE_PERCENT) {
        int64_t base = act->effect->of_original ? cart->subtotal + cart->shipping_amount : left;

        off = pos_muldiv(base, value, POS_PPM, z->plan->work->book->rounding, &off) ? off : left;
    } else if (reduce == POS_REDUCE_PRICE) {
        off = left > value ? left - value : 0;
    }
    off = off < cap ? off : cap;
    return off < left ? left - off : 0;
}

/* Order discounts on `lines` after line discounts. */
static int64_t
order_at(const pos_solve_t *z, int64_t lines, int64_t left)
{
    const pos_plan_t *plan = z->plan;

    for (uint32_t a = plan->phase_from[POS_PHASE_ORDER]; a < plan->phase_from[POS_PHASE_SHIPPING]; a++) {
        const pos_act_t    *act = &plan->acts[a];
        const pos_effect_t *e = act->effect;
        asked_t             asked;
        int64_t             least = left;

        if (!z->allowed[act->candidate]) {
            continue;
        }
        asked = asked_of(z, act);
        if (lines < asked.min || lines > asked.max) {
            continue;
        }
        if (e->kind == POS_EFFECT_ORDER_TIERS) {
            for (uint32_t t = 0; t < e->tier_count && e->tiers[t].threshold <= lines; t++) {
                int64_t n = reduce_whole(z, act, e->tiers[t].reduce, e->tiers[t].value, left);

                least = n < least ? n : least;
            }
        } else {
            least = reduce_whole(z, act, e->reduce, e->value, left);
        }
        left = least;
    }
    return left;
}

/* Does what was decided for still hold at `lines`? */
static bool
holds_at(const pos_solve_t *z, int64_t lines, int64_t *needed)
{
    const pos_plan_t *plan = z->plan;

    *needed = lines;
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        asked_t asked = { 0, POS_INF };

        if (!z->must[k] || plan->candidates[k].promotion->class == POS_CLASS_LINE) {
            continue;
        }
        asked_after_line(plan->candidates[k].promotion->when, &asked);
        if (lines > asked.max) {
            return false;
        }
        *needed = asked.min > *needed ? asked.min : *needed;
    }
    return true;
}

static int64_t
shipping_after(const pos_solve_t *z, const pos_act_t *act, int64_t left)
{
    const pos_effect_t *e = act->effect;
    int64_t             off;

    if (e->of_original && e->reduce == POS_REDUCE_PERCENT) {
        off = (int64_t) (((__int128) z->plan->work->cart.shipping_amount * e->value + POS_PPM - 1) / POS_PPM);
        return left > off ? left - off : 0;
    }
    return reduce_whole(z, act, e->reduce, e->value, left);
}

#define MOST_SHIPPING  8    /* discounts whose sets are tried */

/* All of them, whether they go together or not. */
static int64_t
shipping_with_all(const pos_solve_t *z, int64_t left)
{
    const pos_plan_t *plan = z->plan;

    for (uint32_t a = plan->phase_from[POS_PHASE_SHIPPING]; a < plan->phase_from[POS_PHASE_BONUS]; a++) {
        const pos_act_t *act = &plan->acts[a];

        if (z->allowed[act->candidate]) {
            left = shipping_after(z, act, left);
        }
    }
    return left;
}

static int64_t
shipping_least(const pos_solve_t *z, uint32_t from, int64_t left, uint32_t *used, uint32_t count)
{
    const pos_plan_t *plan = z->plan;
    int64_t           least = left;

    for (uint32_t a = from; a < plan->phase_from[POS_PHASE_BONUS]; a++) {
        const pos_act_t *act = &plan->acts[a];
        bool             apart = false;
        int64_t          n;

        if (!z->allowed[act->candidate]) {
            continue;
        }
        for (uint32_t k = 0; k < count; k++) {
            apart |= pos_shuns(plan, used[k], act->candidate);
        }
        if (apart) {
            continue;
        }
        n = shipping_after(z, act, left);
        used[count] = act->candidate;
        n = shipping_least(z, a + 1, n, used, count + 1);
        least = n < least ? n : least;
    }
    return least;
}

int64_t
pos_model_after(const pos_solve_t *z, int64_t lines)
{
    const pos_plan_t *plan = z->plan;
    int64_t           whole = lines > 0 ? (lines + POS_SCALE - 1) / POS_SCALE : lines / POS_SCALE, needed, least, ship;
    int64_t           full = plan->shipping == POS_NIL ? 0 : plan->work->cart.shipping_amount;
    uint32_t          used[MOST_SHIPPING], discounts = 0;
    bool              shared = false;

    for (uint32_t a = plan->phase_from[POS_PHASE_SHIPPING]; a < plan->phase_from[POS_PHASE_BONUS]; a++) {
        discounts += z->allowed[plan->acts[a].candidate];
    }
    ship = discounts > MOST_SHIPPING ? shipping_with_all(z, full)
        : full ? shipping_least(z, plan->phase_from[POS_PHASE_SHIPPING], full, used, 0) : 0;
    for (uint32_t a = plan->phase_from[POS_PHASE_ORDER]; a < plan->phase_from[POS_PHASE_SHIPPING]; a++) {
        shared |= z->allowed[plan->acts[a].candidate] && plan->acts[a].effect->shipping_too;
    }
    if (whole < 0 && !(shared && !z->whole_order)) {
        whole = 0;    /* else what was taken off the sum may be shipping's */
    }
    if (!z->whole_order) {
        return whole + ship > 0 ? whole + ship : 0;
    }
    if (!holds_at(z, whole, &needed)) {
        return POS_INF;
    }
    full = shared ? full : 0;
    least = order_at(z, needed, needed + full);
    for (uint32_t a = plan->phase_from[POS_PHASE_ORDER]; a < plan->phase_from[POS_PHASE_SHIPPING]; a++) {
        const pos_act_t *act = &plan->acts[a];
        int64_t          min, n;

        if (!z->allowed[act->candidate]) {
            continue;
        }
        min = asked_of(z, act).min;
        for (uint32_t t = 0; t <= act->effect->tier_count; t++) {
            n = t < act->effect->tier_count ? act->effect->tiers[t].threshold : min;
            if (n > needed && n <= plan->work->cart.subtotal) {
                n = order_at(z, n, n + full);
                least = n < least ? n : least;
            }
        }
    }
    /* Where an order discount bears on shipping too, shipping's own discounts
     * take off no more than they would alone. */
    if (shared) {
        least -= full - ship;
        return least > 0 ? least : 0;
    }
    return least + ship;
}
