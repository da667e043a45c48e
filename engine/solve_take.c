/*
 * What a deal comes to when the units it takes are said: how often it is done,
 * or that it cannot be, and which of an nth's units are rewarded.
 */

#include "engine/solve.h"

static int64_t
taken(const pos_solve_t *z, const pos_deal_t *d, uint32_t role)
{
    int64_t n = 0;

    for (uint32_t k = 0; k < d->count; k++) {
        n += z->vars[d->first + k].role == role ? z->vars[d->first + k].x : 0;
    }
    return n;
}

/* Hall's condition for exactly these units over the parts of `mask`. */
static bool
fill_parts(const pos_solve_t *z, const pos_deal_t *d, uint64_t mask, int64_t times)
{
    const pos_act_t    *act = &z->plan->acts[d->act];
    const pos_effect_t *e = act->effect;

    for (uint32_t i = 0; i < act->subset_count && e->part_count > 1; i++) {
        int64_t room = 0, have = 0;

        if (act->subsets[i] & ~mask) {
            continue;
        }
        for (uint32_t p = 0; p < e->part_count; p++) {
            room += act->subsets[i] >> p & 1 ? times * e->parts[p].quantity : 0;
        }
        for (uint32_t k = 0; k < d->count; k++) {
            const pos_var_t *v = &z->vars[d->first + k];

            have += v->role == 0 && !(act->picks[v->pick].parts & mask & ~act->subsets[i]) ? v->x : 0;
        }
        if (have > room) {
            return false;
        }
    }
    return true;
}

/* ---- what is bought by amount ---- */

typedef struct {
    int64_t  worth[POS_SOLVE_COVERS];    /* the dearest first */
    uint64_t parts[POS_SOLVE_COVERS];
    uint32_t count;
    int64_t  want;
    bool     spare;                      /* units may be left over */
    /* By covers still to be made and units left: known not to be possible. */
    uint64_t failed[POS_SOLVE_COVERS + 1][(1 << POS_SOLVE_COVERS) / 64];
} cover_t;

/* False: too many units to try. */
static bool
add_unit(cover_t *c, int64_t worth, uint64_t parts)
{
    uint32_t at = c->count;

    if (c->count == POS_SOLVE_COVERS) {
        return false;
    }
    for (; at > 0 && c->worth[at - 1] < worth; at--) {
        c->worth[at] = c->worth[at - 1];
        c->parts[at] = c->parts[at - 1];
    }
    c->worth[at] = worth;
    c->parts[at] = parts;
    c->count++;
    return true;
}

static void
forget(cover_t *c)
{
    for (uint32_t k = 0; k <= c->count; k++) {
        memset(c->failed[k], 0, ((UINT32_C(1) << c->count) + 63) / 64 * sizeof(uint64_t));
    }
}

static bool cut_covers(cover_t *c, uint32_t left, int64_t times);

/* One cover, taken from the dearest down: it ends with the unit that reaches the sum, and so has
 * none to spare. Of equal units the first ones are taken. */
static bool
fill_cover(cover_t *c, uint32_t left, uint32_t from, int64_t sum, int64_t times)
{
    int64_t rest = 0, passed = -1;

    if (sum >= c->want) {
        return cut_covers(c, left, times - 1);
    }
    for (uint32_t i = from; i < c->count; i++) {
        rest += left >> i & 1 ? c->worth[i] : 0;
    }
    for (uint32_t i = from; i < c->count && sum + rest >= c->want; i++) {
        if (!(left >> i & 1)) {
            continue;
        }
        if (c->worth[i] != passed && fill_cover(c, left & ~(1u << i), i + 1, sum + c->worth[i], times)) {
            return true;
        }
        passed = c->worth[i];
        rest -= c->worth[i];
    }
    return false;
}

/* Can the units left be cut into `times` covers, each with none to spare? The dearest unit left is
 * in the next cover, or it and all its equals are left over. */
static bool
cut_covers(cover_t *c, uint32_t left, int64_t times)
{
    uint32_t first = left ? (uint32_t) __builtin_ctz(left) : 0, rest = left & (left - 1);
    bool     found;

    if (times == 0) {
        return c->spare || left == 0;
    }
    if (times > __builtin_popcount(left) || c->failed[times][left / 64] >> left % 64 & 1) {
        return false;
    }
    found = fill_cover(c, rest, first + 1, c->worth[first], times);
    if (!found && c->spare) {
        while (rest && c->worth[__builtin_ctz(rest)] == c->worth[first]) {
            rest &= rest - 1;
        }
        found = cut_covers(c, rest, times);
    }
    if (!found) {
        c->failed[times][left / 64] |= UINT64_C(1) << left % 64;
    }
    return found;
}

static bool
covers(const pos_solve_t *z, const pos_deal_t *d, int64_t want, int64_t times)
{
    const pos_act_t *act = &z->plan->acts[d->act];
    cover_t          c;

    c.count = 0;
    c.want = want;
    c.spare = false;
    for (uint32_t k = 0; k < d->count; k++) {
        const pos_var_t *v = &z->vars[d->first + k];

        for (int32_t n = 0; v->role == 0 && n < v->x; n++) {
            if (!add_unit(&c, act->picks[v->pick].amount, 1)) {
                return false;
            }
        }
    }
    forget(&c);
    return c.count && cut_covers(&c, (1u << c.count) - 1, times);
}

/* ---- cheapest and priciest ---- */

typedef struct {
    const pos_solve_t  *z;
    const pos_act_t    *act;
    const pos_effect_t *e;
    int64_t             times, worth;
    bool                cheapest;
    uint64_t            filled;    /* parts that have their units */
    int64_t            *gone;      /* by pick: those; NULL: none  */
} chosen_t;

static int64_t
units_of(const chosen_t *c, uint32_t pick)
{
    int64_t units = c->z->items[c->act->picks[pick].item].units;

    units = units < c->act->picks[pick].most ? units : c->act->picks[pick].most;
    return c->gone ? units - c->gone[pick] : units;
}

static int64_t
need_of(const pos_effect_t *e, uint64_t subset)
{
    int64_t n = 0;

    for (uint32_t p = 0; p < e->part_count + e->get_count; p++) {
        if (subset >> p & 1) {
            n += p < e->part_count ? e->parts[p].quantity : e->gets[p - e->part_count].quantity;
        }
    }
    return n;
}

/* Units of the row, first ones first, into the part of `mask`: as many as leave all
 * parts yet to be filled able to be. Exact, since such sets form a matroid. */
static void
choose_row(chosen_t *c, uint64_t mask, int64_t want)
{
    const pos_act_t *act = c->act;
    int64_t         *slack = c->z->slack;
    uint64_t         other = ~(mask | c->filled);

    for (uint32_t i = 0; i < act->subset_count; i++) {
        slack[i] = -c->times * need_of(c->e, act->subsets[i] & other);
        for (uint32_t k = 0; k < act->pick_count; k++) {
            slack[i] += act->picks[k].parts & act->subsets[i] & other ? units_of(c, k) : 0;
        }
    }
    for (uint32_t j = 0; j < act->pick_count && want > 0; j++) {
        uint32_t k = c->cheapest ? act->cheapest[j] : j;
        int64_t  n = units_of(c, k);

        n = act->picks[k].parts & mask ? (n < want ? n : want) : 0;
        for (uint32_t i = 0; i < act->subset_count && n > 0; i++) {
            if (!(act->subsets[i] & ~other) && (act->picks[k].parts & act->subsets[i]) && slack[i] < n) {
                n = slack[i] > 0 ? slack[i] : 0;
            }
        }
        for (uint32_t i = 0; i < act->subset_count && n > 0; i++) {
            slack[i] -= !(act->subsets[i] & ~other) && (act->picks[k].parts & act->subsets[i]) ? n : 0;
        }
        c->worth += n * act->picks[k].amount;
        want -= n;
        if (c->gone != NULL) {
            c->gone[k] += n;
        }
    }
    c->filled |= mask;
}

/* A bundle of the first units of the row. */
static void
choose_bundle(chosen_t *c)
{
    const pos_act_t *act = c->act;
    int64_t         *slack = c->z->slack, want = c->times * need_of(c->e, act->counted);

    for (uint32_t i = 0; i < act->subset_count; i++) {
        slack[i] = c->times * need_of(c->e, act->subsets[i]);
    }
    for (uint32_t j = 0; j < act->pick_count && want > 0; j++) {
        uint32_t k = c->cheapest ? act->cheapest[j] : j;
        int64_t  n = units_of(c, k);

        n = n < want ? n : want;
        for (uint32_t i = 0; i < act->subset_count; i++) {
            if (!(act->picks[k].parts & ~act->subsets[i]) && slack[i] < n) {
                n = slack[i];
            }
        }
        for (uint32_t i = 0; i < act->subset_count; i++) {
            slack[i] -= act->picks[k].parts & ~act->subsets[i] ? 0 : n;
        }
        c->worth += n * act->picks[k].amount;
        want -= n;
    }
}

/* What is bought by amount: of all ways to reward units and still cover it, the
 * least (most) worth. POS_NONE: no way, or too many units to try. */
static int64_t
chosen_by_amount(const pos_solve_t *z, const pos_act_t *act, int64_t times, bool cheapest)
{
    const pos_effect_t *e = act->effect;
    cover_t             c;
    uint32_t            get = e->part_count;
    int64_t             best = POS_NONE;

    c.count = 0;
    c.want = e->parts[0].amount;
    c.spare = true;

    for (uint32_t k = 0; k < act->pick_count; k++) {
        for (int64_t n = 0; n < z->items[act->picks[k].item].units; n++) {
            if (!add_unit(&c, act->picks[k].amount, act->picks[k].parts)) {
                return POS_NONE;
            }
        }
    }
    forget(&c);
    for (uint32_t some = 0; some < 1u << c.count; some++) {
        uint32_t rest = 0;
        int64_t  sum = 0;
        bool     fits = __builtin_popcount(some) == times * e->gets[0].quantity;

        for (uint32_t i = 0; i < c.count && fits; i++) {
            fits = !(some >> i & 1) || c.parts[i] >> get & 1;
            sum += some >> i & 1 ? c.worth[i] : 0;
            rest |= !(some >> i & 1) && c.parts[i] & 1 ? 1u << i : 0;
        }
        if (fits && (best == POS_NONE || (cheapest ? sum < best : sum > best)) && cut_covers(&c, rest, times)) {
            best = sum;
        }
    }
    return best;
}

/* The units rewarded are the cheapest (priciest) that the deal could reward in
 * this cart, done as often. */
static bool
keeps_choose(const pos_solve_t *z, const pos_deal_t *d, int64_t times)
{
    const pos_act_t    *act = &z->plan->acts[d->act];
    const pos_effect_t *e = act->effect;
    chosen_t            c = { .z = z, .act = act, .e = e, .times = times };
    bool                bundle = e->kind == POS_EFFECT_BUNDLE;
    pos_choose_t        choose = bundle ? e->choose : e->get_count ? e->gets[0].choose : POS_CHOOSE_BEST;
    int64_t             worth = 0;

    if (choose == POS_CHOOSE_BEST || e->kind == POS_EFFECT_NTH) {
        return true;
    }
    c.cheapest = choose == POS_CHOOSE_CHEAPEST;
    for (uint32_t k = 0; k < d->count; k++) {
        const pos_var_t *v = &z->vars[d->first + k];

        worth += bundle || v->role ? v->x * act->picks[v->pick].amount : 0;
    }
    if (!bundle && e->part_count == 1 && e->get_count == 1 && e->parts[0].amount > 0) {
        if (times > POS_SOLVE_COVERS) {
            return false;    /* more units than are tried */
        }
        if (d->chosen[times] == POS_INF) {
            d->chosen[times] = chosen_by_amount(z, act, times, c.cheapest);
        }
        return d->chosen[times] == worth;
    }
    if (bundle) {
        choose_bundle(&c);
    } else if (e->get_count > 1) {
        c.gone = d->gone;
        memset(c.gone, 0, act->pick_count * sizeof(*c.gone));
    }
    for (uint32_t g = 0; g < e->get_count; g++) {
        choose_row(&c, UINT64_C(1) << (e->part_count + g), times * e->gets[g].quantity);
    }
    return worth == c.worth;
}

/* An nth takes its units from the start of its row: none stands before its last
 * one that nothing else claims. */
bool
pos_nth_from_start(const pos_solve_t *z, const pos_deal_t *d, const int64_t *taken_elsewhere)
{
    const pos_act_t *act = &z->plan->acts[d->act];
    bool             down = !act->effect->cheapest_first;
    int64_t          last = 0;
    bool             any = false;

    for (uint32_t k = 0; k < d->count; k++) {
        const pos_var_t *v = &z->vars[d->first + k];
        int64_t          amount = act->picks[v->pick].amount;

        if (v->x > 0 && (!any || (down ? amount < last : amount > last))) {
            last = amount;
            any = true;
        }
    }
    for (uint32_t k = 0; k < d->count && any; k++) {
        const pos_var_t *v = &z->vars[d->first + k];
        int64_t          amount = act->picks[v->pick].amount;

        if ((down ? amount > last : amount < last) && v->x + taken_elsewhere[v->item] < v->cap) {
            return false;
        }
    }
    return true;
}

static int64_t
buy_get_times(const pos_solve_t *z, const pos_deal_t *d)
{
    const pos_effect_t *e = z->plan->acts[d->act].effect;
    int64_t             times = -1;
    uint64_t            mask = (UINT64_C(1) << e->part_count) - 1;

    for (uint32_t g = 0; g < e->get_count; g++) {
        int64_t n = taken(z, d, g + 1);

        if (n % e->gets[g].quantity || (times >= 0 && n / e->gets[g].quantity != times)) {
            return -1;
        }
        times = n / e->gets[g].quantity;
    }
    if (times < 0) {
        return -1;
    }
    for (uint32_t p = 0; p < e->part_count; p++) {
        if (e->parts[p].amount > 0) {
            if (times == 0) {
                return taken(z, d, 0) == 0 ? 0 : -1;
            }
            return e->part_count == 1 && covers(z, d, e->parts[p].amount, times) ? times : -1;
        }
    }
    return taken(z, d, 0) == times * d->need && fill_parts(z, d, mask, times) ? times : -1;
}

int64_t
pos_deal_times(const pos_solve_t *z, const pos_deal_t *d)
{
    const pos_effect_t *e = z->plan->acts[d->act].effect;
    int64_t             n, times;

    if (d->count == 0) {
        return 0;
    }
    if (e->kind == POS_EFFECT_BUY_GET) {
        times = buy_get_times(z, d);
    } else {
        n = taken(z, d, 0);
        times = e->kind == POS_EFFECT_NTH ? e->group : d->need;
        if (times < 1 || n % times) {
            return -1;
        }
        times = n / times;
        if (e->kind == POS_EFFECT_BUNDLE && !fill_parts(z, d, (UINT64_C(1) << e->part_count) - 1, times)) {
            return -1;
        }
    }
    if (times > d->most || (times > 0 && !keeps_choose(z, d, times))) {
        return -1;
    }
    return times;
}

void
pos_nth_rewarded(const pos_solve_t *z, const pos_deal_t *d, int64_t *rewarded)
{
    const pos_act_t    *act = &z->plan->acts[d->act];
    const pos_effect_t *e = act->effect;
    int64_t             at = 0;

    for (uint32_t step = 0; step < d->count; step++) {
        uint32_t         k = e->cheapest_first ? act->cheapest[step] : step;
        const pos_var_t *v = &z->vars[d->first + k];
        int64_t          end = at + v->x;

        rewarded[k] = (end + e->group - e->position) / e->group - (at + e->group - e->position) / e->group;
        at = end;
    }
}

/* ---- the sum ---- */

int64_t
pos_deal_cost(const pos_solve_t *z, const pos_deal_t *d, int64_t times)
{
    const pos_effect_t *e = z->plan->acts[d->act].effect;
    int64_t             sum = 0, rewarded[d->count + 1];

    if (e->kind == POS_EFFECT_NTH && times > 0) {
        pos_nth_rewarded(z, d, rewarded);
        for (uint32_t k = 0; k < d->count; k++) {
            const pos_var_t *v = &z->vars[d->first + k];

            sum += v->cost[rewarded[k]] + v->pay[v->x - rewarded[k]];
        }
        return sum;
    }
    for (uint32_t k = 0; k < d->count; k++) {
        sum += z->vars[d->first + k].cost[z->vars[d->first + k].x];
    }
    if (e->kind == POS_EFFECT_BUNDLE && e->reduce != POS_REDUCE_PERCENT && times > 0) {
        int64_t price = d->price * times;

        if (e->reduce == POS_REDUCE_PRICE) {
            return price < sum ? price : sum;
        }
        return sum + price > 0 ? sum + price : 0;
    }
    return sum;
}

/* What the deal's own amount of a price bundle hides: one amount can save more
 * than its units cost, which is told only here. */
int64_t
pos_model_exact(const pos_solve_t *z, uint32_t component)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < z->item_count; i++) {
        const pos_sitem_t *item = &z->items[i];
        int64_t            left = item->units;

        if (item->var_count == 0 ||
            (component != POS_NIL && z->deals[z->vars[item->vars[0]].deal].component != component)) {
            continue;
        }
        for (uint32_t k = 0; k < item->var_count; k++) {
            left -= z->vars[item->vars[k]].x;
        }
        if (left < 0) {
            return -1;
        }
        sum += item->cost[left];
    }
    for (uint32_t v = 0; v < z->var_count; v++) {
        z->elsewhere[z->vars[v].item] = 0;
    }
    for (uint32_t v = 0; v < z->var_count; v++) {
        z->elsewhere[z->vars[v].item] += z->vars[v].x;
    }
    for (uint32_t d = 0; d < z->deal_count; d++) {
        const pos_deal_t *deal = &z->deals[d];
        int64_t           times;

        if (component != POS_NIL && deal->component != component) {
            continue;
        }
        times = pos_deal_times(z, deal);
        if (times < 0) {
            return -1;
        }
        if (times > 0 && z->plan->acts[deal->act].effect->kind == POS_EFFECT_NTH) {
            for (uint32_t k = 0; k < deal->count; k++) {
                z->elsewhere[z->vars[deal->first + k].item] -= z->vars[deal->first + k].x;
            }
            if (!pos_nth_from_start(z, deal, z->elsewhere)) {
                return -1;
            }
            for (uint32_t k = 0; k < deal->count; k++) {
                z->elsewhere[z->vars[deal->first + k].item] += z->vars[deal->first + k].x;
            }
        }
        sum += pos_deal_cost(z, deal, times);
    }
    return sum;
}
