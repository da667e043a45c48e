/*
 * What units can cost at least. Every discount on units is a function of what
 * it finds that is monotone and takes no more off less; so what is split over
 * several lines, or limited, may be left out of the chain and taken off the sum.
 */

#include "engine/solve.h"

#define MOST_SETS  128    /* of promotions on one item that are tried */

bool
pos_shuns(const pos_plan_t *plan, uint32_t a, uint32_t b)
{
    const pos_candidate_t *x = &plan->candidates[a], *y = &plan->candidates[b];

    return a != b && (x->promotion->stacking != POS_STACK_COMBINE ||
        y->promotion->stacking != POS_STACK_COMBINE || (x->group && x->group == y->group));
}

/* Where the item stands among those that the act bears on, or would. */
static uint32_t
place_of(const pos_act_t *act, uint32_t item)
{
    uint32_t low = 0, high = act->match.count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (act->match.items[middle] < item) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool
pos_act_matches(const pos_act_t *act, uint32_t item)
{
    uint32_t at = place_of(act, item);

    return at < act->match.count && act->match.items[at] == item;
}

/* ---- the chain ---- */

static int64_t
reduction(const pos_solve_t *z, const pos_item_t *item, int64_t n, int64_t left, int64_t original,
    pos_reduce_t reduce, int64_t value, bool of_original)
{
    pos_rounding_t rounding = z->plan->work->book->rounding;
    int64_t        base = of_original ? original : left, off = 0;

    if (reduce == POS_REDUCE_PERCENT) {
        return pos_muldiv(base, value, POS_PPM, rounding, &off) ? off : 0;
    }
    if (!pos_muldiv(value, item->measured ? item->quantity : n * POS_THOUSANDTHS, POS_THOUSANDTHS, rounding, &off)) {
        off = POS_MONEY_MAX;
    }
    if (reduce == POS_REDUCE_PRICE) {
        off = base > off ? base - off : 0;
    }
    return off < left ? off : left;
}

static int64_t
take(int64_t left, int64_t off, int64_t floor)
{
    int64_t room = left > floor ? left - floor : 0;

    return left - (off < room ? off : room);
}

static int64_t
floor_of(const pos_item_t *item, int64_t n)
{
    int64_t floor;

    if (item->product->min_price <= 0) {
        return 0;
    }
    if (!pos_muldiv(item->product->min_price, item->measured ? item->quantity : n * POS_THOUSANDTHS,
            POS_THOUSANDTHS, POS_ROUND_DOWN, &floor)) {
        return 0;
    }
    return floor;
}

static const pos_tier_t *
tier_of(const pos_act_t *act, uint32_t item)
{
    uint32_t at = place_of(act, item);

    return at < act->match.count && act->match.items[at] == item ? act->tiers[at] : NULL;
}

static int64_t
mark_down(const pos_solve_t *z, const pos_act_t *act, uint32_t i, int64_t n, int64_t left,
    int64_t original, int64_t floor)
{
    const pos_item_t   *item = &z->plan->work->cart.items[i];
    const pos_effect_t *e = act->effect;

    if (e->kind == POS_EFFECT_LINE_TIERS) {
        const pos_tier_t *t = tier_of(act, i);

        return t ? take(left, reduction(z, item, n, left, original, t->reduce, t->value, e->of_original), floor) : left;
    }
    return take(left, reduction(z, item, n, left, original, e->reduce, e->value, e->of_original), floor);
}

/* What the deal takes off units in this role, each on its own. */
static int64_t
reward(const pos_solve_t *z, const pos_act_t *act, uint32_t role, const pos_item_t *item, int64_t n,
    int64_t left, int64_t original, int64_t floor)
{
    const pos_effect_t *e = act->effect;

    if (e->kind == POS_EFFECT_BUNDLE) {
        return e->reduce == POS_REDUCE_PERCENT
            ? take(left, reduction(z, item, n, left, original, e->reduce, e->value, e->of_original), floor) : left;
    }
    if (e->kind == POS_EFFECT_NTH) {
        return role ? take(left, reduction(z, item, n, left, original, e->reduce, e->value, e->of_original), floor) : left;
    }
    if (role == 0 || !e->gets[role - 1].reduces) {
        return left;
    }
    return take(left, reduction(z, item, n, left, original, e->gets[role - 1].reduce,
        e->gets[role - 1].value, e->of_original), floor);
}

static int64_t
fold(const pos_act_t *act, int64_t scaled, int64_t original)
{
    __int128 off = (__int128) (act->effect->of_original ? original * POS_SCALE : scaled) * act->effect->value;
    int64_t  n = scaled - (int64_t) ((off + POS_PPM - 1) / POS_PPM);

    if (act->effect->reduce == POS_REDUCE_PRICE) {
        return 0;    /* paid for as a whole: is_last_price() */
    }
    return n > 0 ? n : 0;
}

/* `touched` says which candidates touch the units. */
static int64_t
chain(pos_solve_t *z, uint32_t i, int64_t n, uint32_t deal, uint32_t role, const uint8_t *touched)
{
    const pos_plan_t *plan = z->plan;
    const pos_item_t *item = &plan->work->cart.items[i];
    int64_t           original = pos_item_unit_amount(item) * n, left = original, floor = floor_of(item, n), scaled;
    uint32_t          k = z->acts_from[i], end = z->acts_from[i + 1];

    z->work += plan->act_count / 4;
    if (item->line->has_discount && item->line->discount_reduce == POS_REDUCE_PERCENT) {
        left = take(left, reduction(z, item, n, left, original, POS_REDUCE_PERCENT, item->line->discount_value, false),
            floor);
    }
    for (; k < end && plan->acts[z->acts_of[k]].phase == POS_PHASE_MARKDOWN; k++) {
        const pos_act_t *act = &plan->acts[z->acts_of[k]];

        if (z->in_chain[z->acts_of[k]] && touched[act->candidate]) {
            left = mark_down(z, act, i, n, left, original, floor);
        }
    }
    if (deal != POS_NIL) {
        left = reward(z, &plan->acts[deal], role, item, n, left, original, floor);
    }
    scaled = left * POS_SCALE;
    for (; k < end; k++) {
        const pos_act_t *act = &plan->acts[z->acts_of[k]];

        if (z->in_chain[z->acts_of[k]] && touched[act->candidate]) {
            scaled = fold(act, scaled, original);
        }
    }
    return scaled;
}

/* ---- sets of promotions that may touch a unit together ---- */

typedef struct {
    const pos_solve_t *z;
    uint32_t           item, act, count;
    uint32_t           local[POS_SETS_LOCAL];
} sets_t;

/* The candidates whose discounts could touch the item beside the deal. */
static void
find_local(sets_t *t, uint8_t *touched, bool *contested)
{
    const pos_plan_t *plan = t->z->plan;
    uint32_t          owner = t->act == POS_NIL ? POS_NIL : plan->acts[t->act].candidate;

    *contested = false;
    for (uint32_t i = t->z->acts_from[t->item]; i < t->z->acts_from[t->item + 1]; i++) {
        uint32_t a = t->z->acts_of[i], k = plan->acts[a].candidate;

        if (!t->z->in_chain[a] || !t->z->allowed[k] || touched[k] ||
            (owner != POS_NIL && pos_shuns(plan, owner, k))) {
            continue;
        }
        touched[k] = 1;
        for (uint32_t j = 0; plan->stacked && j < t->count && j < POS_SETS_LOCAL; j++) {
            *contested |= pos_shuns(plan, t->local[j], k);
        }
        if (t->count < POS_SETS_LOCAL) {
            t->local[t->count] = k;
        }
        t->count++;
    }
}

int64_t
pos_model_cost(pos_solve_t *z, uint32_t item, int64_t n, uint32_t act, uint32_t role,
    const uint8_t *touched)
{
    sets_t     t;
    pos_sets_t sets;
    uint8_t    own[z->plan->candidate_count + 1];
    int64_t    least = POS_INF;
    bool       contested = false;

    if (n == 0) {
        return 0;
    }
    if (touched) {
        return chain(z, item, n, act, role, touched);
    }
    memset(own, 0, sizeof(own));
    t.z = z;
    t.item = item;
    t.act = act;
    t.count = 0;
    find_local(&t, own, &contested);
    if (!contested || t.count > POS_SETS_LOCAL || z->work > z->budget) {
        return chain(z, item, n, act, role, own);
    }
    pos_sets_make(&sets, z->plan, t.local, t.count);
    if (sets.number > MOST_SETS) {
        return chain(z, item, n, act, role, own);
    }
    for (uint32_t k = 0; k < sets.number; k++) {
        int64_t cost;

        pos_sets_mark(&sets, k, own);
        cost = chain(z, item, n, act, role, own);
        least = cost < least ? cost : least;
    }
    return least;
}

/* ---- what bears on the sum instead ---- */

int64_t
pos_model_cap(const pos_solve_t *z, const pos_act_t *act)
{
    int64_t cap = z->plan->candidates[act->candidate].amount_max;

    return act->effect->max_amount < cap ? act->effect->max_amount : cap;
}

/* What the act takes off one unit at its full price, at most. */
static int64_t
unit_saving(const pos_solve_t *z, const pos_act_t *act, uint32_t i)
{
    const pos_item_t   *item = &z->plan->work->cart.items[i];
    const pos_effect_t *e = act->effect;
    int64_t             amount = pos_item_unit_amount(item);
    const pos_tier_t   *t = e->kind == POS_EFFECT_LINE_TIERS ? tier_of(act, i) : NULL;

    return reduction(z, item, 1, amount, amount, t ? t->reduce : e->reduce, t ? t->value : e->value, true) + 1;
}

/* Any of the units that match may be those it touches, since others may be kept
 * from it. What it saves falls along the picks, but for measured lines, which a
 * price by measure ranks in another way: then all may save as the best one. */
static int64_t
limited_saving(const pos_solve_t *z, const pos_act_t *act)
{
    const pos_effect_t *e = act->effect;
    int64_t             left = e->kind == POS_EFFECT_MARKDOWN ? e->max_units : POS_INF, most = left, sum = 0, best = 0;
    bool                split = e->kind == POS_EFFECT_MARKDOWN && e->reduce == POS_REDUCE_AMOUNT && e->per != POS_PER_UNIT;
    bool                falling = true;

    for (uint32_t k = 0; k < act->pick_count; k++) {
        falling &= !z->plan->work->cart.items[act->picks[k].item].measured;
    }
    for (uint32_t k = 0; k < act->pick_count && (left > 0 || !falling); k++) {
        const pos_item_t *item = &z->plan->work->cart.items[act->picks[k].item];
        int64_t           each = split ? e->value : unit_saving(z, act, item->index), n = split ? 1 : item->units;

        n = n < act->picks[k].most ? n : act->picks[k].most;
        n = n < left || !falling ? n : left;
        best = each > best ? each : best;
        sum += n * each;
        left -= left == POS_INF || !falling ? 0 : n;
    }
    if (!falling && (__int128) most * best < sum) {
        sum = most * best;
    }
    return split && e->per == POS_PER_ALL && sum > e->value ? e->value : sum;
}

static int64_t
matched_subtotal(const pos_solve_t *z, const pos_act_t *act)
{
    int64_t sum = 0;

    for (uint32_t k = 0; k < act->match.count; k++) {
        sum += z->plan->work->cart.items[act->match.items[k]].subtotal;
    }
    return sum;
}

/* A markdown: in the chain, unless it is split, limited, or capped below what
 * it would take off. */
static int64_t
markdown_constant(pos_solve_t *z, uint32_t a)
{
    const pos_act_t    *act = &z->plan->acts[a];
    const pos_effect_t *e = act->effect;
    int64_t             cap = pos_model_cap(z, act), sum = 0;

    z->exact &= cap == POS_INF && act->picks == NULL;
    if (act->picks) {
        sum = limited_saving(z, act);
    } else if (e->kind == POS_EFFECT_MARKDOWN && e->reduce == POS_REDUCE_AMOUNT && e->per != POS_PER_UNIT) {
        z->exact = false;
        sum = e->value;
        for (uint32_t k = 0; e->per == POS_PER_LINE && k < act->match.count; k++) {
            sum = k ? sum + e->value : sum;
        }
        cap = matched_subtotal(z, act) < cap ? matched_subtotal(z, act) : cap;
    } else {
        for (uint32_t k = 0; k < act->match.count && cap != POS_INF; k++) {
            uint32_t i = act->match.items[k];

            sum += unit_saving(z, act, i) * z->plan->work->cart.items[i].units;
        }
        if (cap == POS_INF || sum <= cap) {
            z->in_chain[a] = 1;
            return 0;
        }
    }
    return sum < cap ? sum : cap;
}

static bool
unfiltered(const pos_plan_t *plan, const pos_act_t *act)
{
    return act->picks == NULL && act->match.count == plan->work->cart.item_count;
}

/* The most an order discount may save, as a percentage or (ppm -1) an amount. */
static void
order_most(const pos_solve_t *z, const pos_act_t *act, int64_t *ppm, int64_t *amount)
{
    const pos_effect_t *e = act->effect;
    int64_t             whole = matched_subtotal(z, act);
    uint32_t            count = e->kind == POS_EFFECT_ORDER_TIERS ? e->tier_count : 1;

    whole += e->shipping_too ? z->plan->work->cart.shipping_amount : 0;
    *ppm = -1;
    *amount = 0;
    for (uint32_t t = 0; t < count; t++) {
        bool         tiers = e->kind == POS_EFFECT_ORDER_TIERS;
        pos_reduce_t reduce = tiers ? e->tiers[t].reduce : e->reduce;
        int64_t      value = tiers ? e->tiers[t].value : e->value, n = value;

        if (tiers && e->tiers[t].threshold > whole) {
            continue;
        }
        if (reduce == POS_REDUCE_PERCENT) {
            n = (int64_t) ((__int128) whole * value / POS_PPM) + 1;
            *ppm = count == 1 ? value : -1;
        } else if (reduce == POS_REDUCE_PRICE) {
            n = whole > value ? whole - value : 0;
        }
        n = n < whole ? n : whole;
        *amount = n > *amount ? n : *amount;
    }
    if (*amount > pos_model_cap(z, act)) {
        *amount = pos_model_cap(z, act);
        *ppm = -1;
    }
}

/* A price for what it touches, which it is known to lower, and nothing follows:
 * those units cost that price, whatever they are. */
static bool
is_last_price(const pos_solve_t *z, uint32_t a)
{
    const pos_act_t *act = &z->plan->acts[a];

    if (act->effect->kind != POS_EFFECT_ORDER || act->effect->reduce != POS_REDUCE_PRICE || act->picks ||
        act->effect->shipping_too || !z->must[act->candidate] || pos_model_cap(z, act) != POS_INF ||
        act->effect->value > POS_MONEY_MAX / POS_SCALE ||
        z->plan->candidates[act->candidate].act_count != 1 || z->plan->candidates[act->candidate].promotion->floor_ppm >= 0) {
        return false;
    }
    for (uint32_t b = a + 1; b < z->plan->act_count; b++) {
        if (z->plan->acts[b].phase == POS_PHASE_ORDER && z->allowed[z->plan->acts[b].candidate]) {
            return false;
        }
    }
    return true;
}

/* A discount is split in whole minor units, so that what a later percentage finds of its lines
 * may be off by less than one on each: over all, by a quarter of their number at most, and that
 * percentage of it is taken once more. */
static int64_t
split_slack(const pos_solve_t *z, uint32_t a)
{
    const pos_plan_t *plan = z->plan;
    int64_t           parts = 0, most = 0;

    for (uint32_t k = 0; k < plan->acts[a].match.count; k++) {
        parts += plan->stacked ? plan->work->cart.items[plan->acts[a].match.items[k]].units : 1;
    }
    for (uint32_t b = a + 1; b < plan->act_count; b++) {
        const pos_act_t *act = &plan->acts[b];

        if (act->phase == POS_PHASE_ORDER && z->allowed[act->candidate] && act->effect->kind == POS_EFFECT_ORDER &&
            act->effect->reduce == POS_REDUCE_PERCENT && (plan->stacked || !unfiltered(plan, act))) {
            most = act->effect->value > most ? act->effect->value : most;
        }
    }
    return most ? (int64_t) ((__int128) POS_SCALE * parts * most / 4 / POS_PPM) + 1 : 0;
}

static int64_t
order_constant(pos_solve_t *z, uint32_t a)
{
    const pos_act_t *act = &z->plan->acts[a];
    int64_t          ppm, amount, ship = 0;

    if (is_last_price(z, a)) {
        z->in_chain[a] = 1;
        return -act->effect->value * POS_SCALE;
    }
    order_most(z, act, &ppm, &amount);
    if (ppm < 0 || act->picks) {
        return amount * POS_SCALE;
    }
    z->in_chain[a] = 1;
    if (act->effect->shipping_too) {
        ship = (int64_t) ((__int128) z->plan->work->cart.shipping_amount * ppm / POS_PPM) + 1;
    }
    return ship * POS_SCALE + POS_SCALE / 2 + split_slack(z, a);
}

static bool
order_is_whole(const pos_solve_t *z)
{
    const pos_plan_t *plan = z->plan;

    for (uint32_t a = 0; a < plan->act_count; a++) {
        const pos_act_t *act = &plan->acts[a];

        if (act->phase != POS_PHASE_ORDER || !z->allowed[act->candidate]) {
            continue;
        }
        if (!unfiltered(plan, act)) {
            return false;
        }
        for (uint32_t k = 0; k < plan->candidate_count; k++) {
            if (z->allowed[k] && pos_shuns(plan, k, act->candidate)) {
                return false;
            }
        }
    }
    return true;
}

static void
make_constants(pos_solve_t *z)
{
    const pos_plan_t *plan = z->plan;
    const pos_cart_t *cart = &plan->work->cart;

    memset(z->in_chain, 0, plan->act_count + 1);
    z->whole_order = order_is_whole(z);
    z->exact = !plan->stacked && !plan->limited;
    z->constant = 0;
    for (uint32_t a = 0; a < plan->act_count; a++) {
        const pos_act_t *act = &plan->acts[a];

        if (!z->allowed[act->candidate]) {
            continue;
        }
        if (act->phase == POS_PHASE_MARKDOWN) {
            z->constant += markdown_constant(z, a) * POS_SCALE;
        } else if (act->phase == POS_PHASE_ORDER && !z->whole_order) {
            z->constant += order_constant(z, a);
        } else if (act->phase == POS_PHASE_DEAL) {
            z->exact &= pos_model_cap(z, act) == POS_INF;
        }
        z->exact &= plan->candidates[act->candidate].promotion->floor_ppm < 0;
    }
    z->exact &= z->whole_order;
    for (uint32_t i = 0; i < cart->item_count; i++) {
        const pos_item_t *item = &cart->items[i];

        z->exact &= item->product->min_price <= 0;
        if (item->line->has_discount && item->line->discount_reduce == POS_REDUCE_AMOUNT) {
            z->constant += item->line->discount_value * POS_SCALE;
            z->exact = false;
        }
    }
}

pos_status_t
pos_model_make(pos_solve_t *z)
{
    make_constants(z);
    pos_model_tables(z);
    return z->status;
}
