/*
 * Costs by number of units, for items and for the roles of deals, and what each
 * further unit in a role saves at most: increments that fall, so that the
 * dearest choice of them is greedy.
 */

#include "engine/solve.h"

static int64_t *
new_table(pos_solve_t *z, int64_t n)
{
    return z->too_large ? NULL : pos_pool_alloc(z, (size_t) (n + 1) * sizeof(int64_t));
}

/* The quotient rounded up. */
static int64_t
up(int64_t a, int64_t n)
{
    return a > 0 ? (a + n - 1) / n : -(-a / n);
}

/* Where stacking or a limit may split a class, its parts are rounded apart. */
static void
close_over_splits(int64_t *cost, int64_t n)
{
    for (int64_t i = 2; i <= n; i++) {
        for (int64_t k = 1; k <= i / 2; k++) {
            if (cost[k] + cost[i - k] < cost[i]) {
                cost[i] = cost[k] + cost[i - k];
            }
        }
    }
}

/* What was known is as good, and as many steps; its room is taken all the same, so that where
 * memory or steps end is where they would. `*known` may become NULL. */
static int64_t *
cost_table(pos_solve_t *z, uint32_t item, int64_t n, uint32_t act, uint32_t role, pos_known_t **known)
{
    int64_t *cost = new_table(z, n);
    uint64_t before = z->work;

    if (cost == NULL) {
        return NULL;
    }
    *known = pos_known_find(z, item, act, role, n, z->allowed);
    if (*known != NULL && (*known)->units == n && z->work + (*known)->work <= z->budget) {
        z->work += (*known)->work + (uint64_t) n * 4;
        return (*known)->cost;
    }
    *known = NULL;
    for (int64_t i = 0; i <= n; i++) {
        cost[i] = pos_model_cost(z, item, i, act, role, NULL);
    }
    if (z->work / 2 > z->budget) {
        z->too_large = true;    /* not even the tables can be had for the budget */
        return NULL;
    }
    if (z->plan->stacked || z->plan->limited) {
        close_over_splits(cost, n);
    }
    if (z->work <= z->budget) {
        *known = pos_known_keep(z, item, act, role, n, cost, z->work - before);
    }
    z->work += (uint64_t) n * 4;
    return cost;
}

/* Increments of the least concave function above what n units save. */
static void
make_gains(pos_var_t *v, int64_t rate, bool free_of_cost)
{
    int64_t total = 0;

    for (int32_t n = 0; n < v->cap;) {
        int64_t best = INT64_MIN;
        int32_t to = n + 1;

        for (int32_t m = n + 1; m <= v->cap; m++) {
            int64_t each = up(rate * m - (free_of_cost ? 0 : v->cost[m]) - total, m - n);

            if (each > best) {
                best = each;
                to = m;
            }
        }
        for (; n < to; n++) {
            v->gain[n] = best;
            total += best;
        }
    }
}

static int64_t
most_each(const int64_t *cost, int64_t rate, int32_t cap)
{
    int64_t most = INT64_MIN / 4;

    for (int32_t n = 1; n <= cap; n++) {
        int64_t each = up(rate * n - cost[n], n);

        most = each > most ? each : most;
    }
    return most;
}

static void
make_var(pos_solve_t *z, uint32_t deal, uint32_t role, uint32_t pick)
{
    pos_deal_t         *d = &z->deals[deal];
    const pos_act_t    *act = &z->plan->acts[d->act];
    const pos_effect_t *e = act->effect;
    const pos_pick_t   *p = &act->picks[pick];
    pos_var_t          *v = &z->vars[z->var_count];
    pos_known_t        *known = NULL, *pay = NULL;
    int64_t             cap = z->items[p->item].units, rate = z->items[p->item].rate;
    bool                nth = e->kind == POS_EFFECT_NTH;

    cap = p->most < cap ? p->most : cap;
    *v = (pos_var_t) { .deal = deal, .item = p->item, .pick = pick, .role = role, .cap = (int32_t) cap,
        .hi = (int32_t) cap };
    v->cost = cost_table(z, p->item, cap, d->act, nth ? 1 : role, &known);
    v->gain = new_table(z, cap);
    v->pay = nth ? cost_table(z, p->item, cap, d->act, 0, &pay) : NULL;
    if (v->cost == NULL || v->gain == NULL || (nth && v->pay == NULL)) {
        return;
    }
    if (known != NULL && known->gain != NULL && known->gain_rate == rate) {
        v->gain = known->gain;
        v->most_gain = known->most_gain;
    } else {
        make_gains(v, rate, e->kind == POS_EFFECT_BUNDLE && e->reduce == POS_REDUCE_PRICE);
        v->most_gain = most_each(v->cost, rate, v->cap);
        pos_known_gains(z, known, rate, v->gain, v->most_gain);
    }
    v->most_pay = nth ? most_each(v->pay, rate, v->cap) : 0;
    z->var_count++;
    d->count++;
    d->entry_count += (uint32_t) cap;
}

/* ---- deals ---- */

static uint64_t
role_parts(const pos_effect_t *e, uint32_t role)
{
    if (e->kind == POS_EFFECT_NTH) {
        return UINT64_MAX;
    }
    if (e->kind == POS_EFFECT_BUNDLE) {
        return e->part_count < 64 ? (UINT64_C(1) << e->part_count) - 1 : UINT64_MAX;
    }
    return role ? UINT64_C(1) << (e->part_count + role - 1) : (UINT64_C(1) << e->part_count) - 1;
}

/* What is got cannot be bought with as well: where all that can be got could be
 * bought with, the cheapest of it is missing there. */
static int64_t
covered_times(const pos_solve_t *z, const pos_act_t *act, uint32_t part, __int128 worth, int64_t most)
{
    const pos_effect_t *e = act->effect;
    uint64_t            gets = 0;

    for (uint32_t g = 0; g < e->get_count; g++) {
        gets |= UINT64_C(1) << (e->part_count + g);
    }
    for (uint32_t k = 0; k < act->pick_count; k++) {
        if ((act->picks[k].parts & gets) && !(act->picks[k].parts >> part & 1)) {
            return most;
        }
    }
    for (int64_t t = 1; t <= most; t++) {
        int64_t  want = 0;
        __int128 got = 0;

        for (uint32_t g = 0; g < e->get_count; g++) {
            want += t * e->gets[g].quantity;
        }
        for (uint32_t j = 0; j < act->pick_count && want > 0; j++) {
            const pos_pick_t *p = &act->picks[act->cheapest[j]];
            int64_t           n = p->parts & gets ? z->items[p->item].units : 0;

            n = n < want ? n : want;
            got += (__int128) n * p->amount;
            want -= n;
        }
        if (want > 0 || got + (__int128) t * e->parts[part].amount > worth) {
            return t - 1;
        }
    }
    return most;
}

/* Repetitions at most, were all units there for this deal alone. */
static int64_t
most_times(const pos_solve_t *z, const pos_act_t *act)
{
    const pos_effect_t *e = act->effect;
    int64_t             most = z->plan->candidates[act->candidate].uses_max, all = 0;

    most = e->repeat < most ? e->repeat : most;
    for (uint32_t k = 0; k < act->pick_count; k++) {
        int64_t units = z->items[act->picks[k].item].units;

        all += act->picks[k].most < units ? act->picks[k].most : units;
    }
    if (e->kind == POS_EFFECT_NTH) {
        if (e->group < 1 || e->position < 1 || e->position > e->group) {
            return 0;
        }
        return all / e->group < most ? all / e->group : most;
    }
    for (uint32_t i = 0; i < act->subset_count; i++) {
        int64_t need = 0, have = 0;

        for (uint32_t p = 0; p < e->part_count + e->get_count; p++) {
            if (act->subsets[i] >> p & 1) {
                need += p < e->part_count ? e->parts[p].quantity : e->gets[p - e->part_count].quantity;
            }
        }
        for (uint32_t k = 0; k < act->pick_count; k++) {
            int64_t units = z->items[act->picks[k].item].units;

            units = act->picks[k].most < units ? act->picks[k].most : units;
            have += act->picks[k].parts & act->subsets[i] ? units : 0;
        }
        if (need > 0 && have / need < most) {
            most = have / need;
        }
    }
    for (uint32_t p = 0; p < e->part_count; p++) {
        __int128 worth = 0;

        for (uint32_t k = 0; e->parts[p].amount > 0 && k < act->pick_count; k++) {
            if (act->picks[k].parts >> p & 1) {
                worth += (__int128) act->picks[k].amount * z->items[act->picks[k].item].units;
            }
        }
        if (e->parts[p].amount > 0 && worth / e->parts[p].amount < most) {
            most = (int64_t) (worth / e->parts[p].amount);
        }
        if (e->parts[p].amount > 0) {
            most = covered_times(z, act, p, worth, most);
        }
    }
    return most < all ? most : all;
}

/* The least share of a line discount's price that order discounts leave. */
static int64_t
least_share(const pos_solve_t *z, const pos_act_t *deal, int64_t amount)
{
    const pos_plan_t *plan = z->plan;

    for (uint32_t a = 0; a < plan->act_count && !z->whole_order; a++) {
        const pos_act_t *act = &plan->acts[a];

        if (act->phase != POS_PHASE_ORDER || !z->in_chain[a] || !z->allowed[act->candidate] ||
            pos_shuns(plan, act->candidate, deal->candidate)) {
            continue;
        }
        if (act->effect->of_original || act->effect->reduce == POS_REDUCE_PRICE) {
            return 0;
        }
        amount -= (int64_t) (((__int128) amount * act->effect->value + POS_PPM - 1) / POS_PPM);
    }
    return amount > 0 ? amount : 0;
}

static void
price_bundles(const pos_solve_t *z, pos_deal_t *d, const pos_act_t *act)
{
    const pos_effect_t *e = act->effect;
    int64_t             value = e->value < POS_MONEY_MAX / POS_SCALE ? e->value : POS_MONEY_MAX / POS_SCALE;

    if (e->kind != POS_EFFECT_BUNDLE || e->reduce == POS_REDUCE_PERCENT) {
        return;
    }
    d->price = e->reduce == POS_REDUCE_PRICE ? least_share(z, act, value * POS_SCALE) : -value * POS_SCALE;
}

static void
make_deal(pos_solve_t *z, uint32_t a)
{
    const pos_act_t    *act = &z->plan->acts[a];
    const pos_effect_t *e = act->effect;
    uint32_t            index = z->deal_count++;
    int64_t             units = 0;
    pos_deal_t         *d = &z->deals[index];

    *d = (pos_deal_t) { .act = a, .first = z->var_count, .dirty = true, .component = POS_NIL,
        .role_count = e->kind == POS_EFFECT_BUY_GET ? 1 + e->get_count : 1 };
    d->cap = pos_model_cap(z, act);
    d->cap = d->cap < POS_MONEY_MAX ? d->cap * POS_SCALE : POS_INF;
    d->most = z->allowed[act->candidate] ? most_times(z, act) : 0;
    price_bundles(z, d, act);
    for (uint32_t p = 0; p < e->part_count; p++) {
        d->need += e->parts[p].quantity;
    }
    for (uint32_t p = 0; p < e->part_count; p++) {
        z->blind |= e->parts[p].amount > 0 && (e->part_count > 1 || e->get_count > 1);
    }
    d->half = d->need;
    for (uint32_t g = 0; g < e->get_count; g++) {
        d->half += e->gets[g].quantity;
    }
    d->half = (e->kind == POS_EFFECT_NTH ? e->group : d->half) / 2;
    for (uint32_t k = 0; k < act->pick_count; k++) {
        units += z->items[act->picks[k].item].units;
    }
    z->blind |= units > POS_SOLVE_COVERS && e->part_count && e->parts[0].amount > 0;
    for (uint32_t role = 0; role < d->role_count && d->most > 0; role++) {
        for (uint32_t k = 0; k < act->pick_count; k++) {
            if (act->picks[k].parts & role_parts(e, role) && !pos_broken(z)) {
                make_var(z, index, role, k);
            }
        }
    }
}

/* ---- all ---- */

static void
make_items(pos_solve_t *z)
{
    const pos_cart_t *cart = &z->plan->work->cart;

    z->base = 0;
    for (uint32_t i = 0; i < cart->item_count; i++) {
        pos_sitem_t *item = &z->items[i];
        pos_known_t *known = NULL;
        int64_t      lambda = item->lambda;

        if (cart->items[i].units > POS_SOLVE_UNITS) {
            z->too_large = true;
            return;
        }
        *item = (pos_sitem_t) { .units = (int32_t) cart->items[i].units, .lambda = lambda };
        item->cost = cost_table(z, i, item->units, POS_NIL, 0, &known);
        if (item->cost == NULL) {
            return;
        }
        item->rate = known != NULL ? known->rate[item->units] : POS_INF;
        for (int32_t n = 1; known == NULL && n <= item->units; n++) {
            item->rate = item->cost[n] / n < item->rate ? item->cost[n] / n : item->rate;
        }
    }
}

static void
link_items(pos_solve_t *z)
{
    for (uint32_t v = 0; v < z->var_count; v++) {
        z->items[z->vars[v].item].var_count++;
    }
    for (uint32_t i = 0; i < z->item_count; i++) {
        z->items[i].vars = pos_pool_alloc(z, (z->items[i].var_count + 1) * sizeof(uint32_t));
        if (z->items[i].vars == NULL) {
            return;
        }
        z->items[i].var_count = 0;
    }
    for (uint32_t v = 0; v < z->var_count; v++) {
        pos_sitem_t *item = &z->items[z->vars[v].item];

        item->vars[item->var_count++] = v;
    }
    /* What no deal can take costs what all its units do; its rate is not asked. */
    for (uint32_t i = 0; i < z->item_count; i++) {
        z->base += z->items[i].var_count ? z->items[i].rate * z->items[i].units : z->items[i].cost[z->items[i].units];
    }
}

/* A deal's scratch: its units, the row of an nth, and what `choose` asks for. */
static void
make_scratch(pos_solve_t *z, pos_deal_t *d)
{
    const pos_act_t    *act = &z->plan->acts[d->act];
    const pos_effect_t *e = act->effect;
    size_t              states = 0;

    if (e->get_count && e->gets[0].choose != POS_CHOOSE_BEST) {
        d->gone = e->get_count > 1 ? pos_pool_alloc(z, act->pick_count * sizeof(*d->gone)) : NULL;
        d->chosen = pos_pool_alloc(z, (POS_SOLVE_COVERS + 1) * sizeof(*d->chosen));
        for (uint32_t t = 0; d->chosen && t <= POS_SOLVE_COVERS; t++) {
            d->chosen[t] = POS_INF;    /* not asked for yet */
        }
    }
    d->entries = pos_pool_alloc(z, (d->entry_count + 1) * sizeof(pos_entry_t));
    if (e->kind == POS_EFFECT_NTH && d->count) {
        states = (size_t) (d->entry_count + e->group + 1);
        if (states * d->count > POS_SOLVE_TABLE) {
            z->too_large = true;
            return;
        }
        d->row = pos_pool_alloc(z, 2 * states * sizeof(int64_t));
        d->row_from = pos_pool_alloc(z, states * d->count * sizeof(int32_t));
    }
}

void
pos_model_tables(pos_solve_t *z)
{
    const pos_plan_t *plan = z->plan;

    z->var_count = 0;
    z->deal_count = 0;
    if (z->too_large) {
        return;
    }
    make_items(z);
    for (uint32_t a = 0; a < plan->act_count && !pos_broken(z); a++) {
        if (plan->acts[a].phase == POS_PHASE_DEAL) {
            make_deal(z, a);
        }
    }
    if (!pos_broken(z)) {
        link_items(z);
        for (uint32_t d = 0; d < z->deal_count && !pos_broken(z); d++) {
            make_scratch(z, &z->deals[d]);
        }
    }
}
