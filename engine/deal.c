/*
 * Deals: buy and get, every nth, bundles. A deal claims the units it buys and
 * gets; a unit belongs to one deal at most. All work is by items with their
 * counts of units, never by unit.
 *
 * How often a deal can be done follows from Hall's condition: n times is
 * possible when, for every set of its parts, enough units match one of them.
 * Which units it takes is found greedily over the same slacks, which is exact
 * because sets of units that can fill given parts form a matroid.
 */

#include "engine/state.h"

typedef struct {
    pos_state_t        *s;
    const pos_act_t    *act;
    const pos_effect_t *e;
    bool                commit;    /* claim, or only try */
    int64_t             rewarded;  /* worth of what was last got */
} deal_t;

static const pos_part_t *
part_of(const deal_t *d, uint32_t part)
{
    return part < d->e->part_count ? &d->e->parts[part] : &d->e->gets[part - d->e->part_count];
}

static int64_t
need_of(const deal_t *d, uint64_t subset)
{
    int64_t n = 0;

    for (uint32_t p = 0; p < d->e->part_count + d->e->get_count; p++) {
        n += subset >> p & 1 ? part_of(d, p)->quantity : 0;
    }
    return n;
}

/* Units that may still be claimed, by pick. */
static void
open_picks(const deal_t *d)
{
    for (uint32_t k = 0; k < d->act->pick_count; k++) {
        int64_t n = pos_units_open(d->s, d->act, d->act->picks[k].item);

        d->s->open[k] = n < d->act->picks[k].most ? n : d->act->picks[k].most;
    }
}

/* All units of the cart, as if none were claimed. */
static void
open_cart(const deal_t *d)
{
    const pos_cart_t *cart = &d->s->plan->work->cart;

    for (uint32_t k = 0; k < d->act->pick_count; k++) {
        int64_t n = cart->items[d->act->picks[k].item].units;

        d->s->open[k] = n < d->act->picks[k].most ? n : d->act->picks[k].most;
    }
}

static int64_t
open_units(const deal_t *d, uint64_t subset)
{
    int64_t n = 0;

    for (uint32_t k = 0; k < d->act->pick_count; k++) {
        n += d->act->picks[k].parts & subset ? d->s->open[k] : 0;
    }
    return n;
}

static int64_t
most_times(const deal_t *d)
{
    int64_t most = d->s->uses_left[d->act->candidate];

    most = d->e->repeat < most ? d->e->repeat : most;
    for (uint32_t i = 0; i < d->act->subset_count && most > 0; i++) {
        int64_t need = need_of(d, d->act->subsets[i]);
        int64_t n = need > 0 ? open_units(d, d->act->subsets[i]) / need : POS_INF;

        most = n < most ? n : most;
    }
    for (uint32_t p = 0; p < d->e->part_count && most > 0; p++) {
        int64_t total = 0, want = d->e->parts[p].amount;

        for (uint32_t k = 0; want > 0 && k < d->act->pick_count; k++) {
            total += d->act->picks[k].parts >> p & 1 ? d->s->open[k] * d->act->picks[k].amount : 0;
        }
        if (want > 0 && total / want < most) {
            most = total / want;
        }
    }
    return most;
}

/* ---- buy and get ---- */

/* Fills one part with n times its quantity, leaving every other part able to
 * be filled. */
static bool
fill(deal_t *d, uint32_t part, int64_t want, uint32_t touch, bool cheapest, bool back)
{
    pos_state_t     *s = d->s;
    const pos_act_t *act = d->act;
    uint64_t         bit = UINT64_C(1) << part;

    for (uint32_t j = 0; j < act->pick_count && want > 0; j++) {
        uint32_t          k = cheapest ? act->cheapest[j] : j;
        const pos_pick_t *pick = &act->picks[k];
        int64_t           n = s->take[k] < want ? s->take[k] : want;

        if (!(pick->parts & bit) || n <= 0) {
            continue;
        }
        for (uint32_t i = 0; i < act->subset_count && n > 0; i++) {
            if (!(act->subsets[i] & bit) && (act->subsets[i] & pick->parts) && s->slack[i] < n) {
                n = s->slack[i];
            }
        }
        if (n <= 0) {
            continue;
        }
        for (uint32_t i = 0; i < act->subset_count; i++) {
            if (!(act->subsets[i] & bit) && (act->subsets[i] & pick->parts)) {
                s->slack[i] -= n;
            }
        }
        s->take[k] -= n;
        want -= n;
        d->rewarded += touch > act->touch ? n * pick->amount : 0;
        if (d->commit) {
            pos_claim(s, act, touch, pick->item, n, back);
        }
    }
    return want == 0;
}

/* Takes units worth at least the part's amount, n times over. */
static bool
fill_amount(deal_t *d, uint32_t part, int64_t times)
{
    pos_state_t     *s = d->s;
    const pos_act_t *act = d->act;
    int64_t          want = d->e->parts[part].amount, have = 0;

    for (uint32_t k = 0; k < act->pick_count && times > 0; k++) {
        const pos_pick_t *pick = &act->picks[k];
        int64_t           used = 0;

        if (!(pick->parts >> part & 1) || pick->amount <= 0) {
            continue;
        }
        while (s->take[k] > 0 && times > 0) {
            int64_t each = (want + pick->amount - 1) / pick->amount;
            int64_t n = (want - have + pick->amount - 1) / pick->amount;

            if (n > s->take[k]) {
                have += s->take[k] * pick->amount;
                n = s->take[k];
            } else {
                int64_t more = (s->take[k] - n) / each;

                more = more < times - 1 ? more : times - 1;
                times -= 1 + more;
                n += more * each;
                have = 0;
            }
            used += n;
            s->take[k] -= n;
        }
        if (d->commit && used > 0) {
            pos_claim(s, act, act->touch, pick->item, used, false);
        }
    }
    return times == 0;
}

/* Rewards are picked first, as `choose` says; what is bought comes from the
 * other end, so that a rewarded unit is never spent on buying. */
static bool
arrange(deal_t *d, int64_t times, bool commit)
{
    pos_state_t        *s = d->s;
    const pos_effect_t *e = d->e;
    bool                cheapest = e->get_count && e->gets[0].choose == POS_CHOOSE_CHEAPEST;

    d->commit = commit;
    d->rewarded = 0;
    memcpy(s->take, s->open, d->act->pick_count * sizeof(*s->take));
    for (uint32_t i = 0; i < d->act->subset_count; i++) {
        s->slack[i] = open_units(d, d->act->subsets[i]) - times * need_of(d, d->act->subsets[i]);
        if (s->slack[i] < 0) {
            return false;
        }
    }
    for (uint32_t g = 0; g < e->get_count; g++) {
        if (!fill(d, e->part_count + g, times * e->gets[g].quantity, d->act->touch + 1 + g,
                e->gets[g].choose == POS_CHOOSE_CHEAPEST, true)) {
            return false;
        }
    }
    for (uint32_t p = 0; p < e->part_count; p++) {
        if (e->parts[p].amount == 0 &&
            !fill(d, p, times * e->parts[p].quantity, d->act->touch, !cheapest, false)) {
            return false;
        }
    }
    for (uint32_t p = 0; p < e->part_count; p++) {
        if (e->parts[p].amount > 0 && !fill_amount(d, p, times)) {
            return false;
        }
    }
    return true;
}

/* The cheapest (priciest) are those of the cart: when another deal has them,
 * this one does not go on to the next. */
static bool
keeps_choose(deal_t *d, int64_t times)
{
    int64_t worth;

    if (d->e->get_count == 0 || d->e->gets[0].choose == POS_CHOOSE_BEST) {
        return true;
    }
    (void) arrange(d, times, false);
    worth = d->rewarded;
    open_cart(d);
    (void) arrange(d, times, false);
    open_picks(d);
    return worth == d->rewarded;
}

static int64_t
claim_buy_get(deal_t *d)
{
    int64_t low = 0, high = most_times(d);

    if (high < 1) {
        return 0;
    }
    if (arrange(d, high, false)) {
        low = high;
    }
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;

        if (arrange(d, middle, false)) {
            low = middle;
        } else {
            high = middle;
        }
    }
    while (low > 0 && !keeps_choose(d, low)) {
        low--;
    }
    if (low > 0) {
        (void) arrange(d, low, true);
    }
    return low;
}

/* ---- bundles ---- */

/* The dearest (or cheapest) units that fill every part n times; their worth at
 * unit prices, or -1 when there are too few. */
static int64_t
bundle(deal_t *d, int64_t times, bool commit)
{
    pos_state_t     *s = d->s;
    const pos_act_t *act = d->act;
    bool             cheapest = d->e->choose == POS_CHOOSE_CHEAPEST;
    int64_t          worth = 0, left = times * need_of(d, act->counted);

    for (uint32_t i = 0; i < act->subset_count; i++) {
        s->slack[i] = times * need_of(d, act->subsets[i]);
    }
    for (uint32_t j = 0; j < act->pick_count && left > 0; j++) {
        uint32_t          k = cheapest ? act->cheapest[j] : j;
        const pos_pick_t *pick = &act->picks[k];
        int64_t           n = s->open[k] < left ? s->open[k] : left;

        for (uint32_t i = 0; i < act->subset_count; i++) {
            if ((pick->parts & ~act->subsets[i]) == 0 && s->slack[i] < n) {
                n = s->slack[i];
            }
        }
        if (n <= 0) {
            continue;
        }
        for (uint32_t i = 0; i < act->subset_count; i++) {
            s->slack[i] -= (pick->parts & ~act->subsets[i]) == 0 ? n : 0;
        }
        left -= n;
        worth += n * pick->amount;
        if (commit) {
            pos_claim(s, act, act->touch, pick->item, n, false);
        }
    }
    return left == 0 ? worth : -1;
}

/* With a price for all, one more bundle must be worth more than its price. */
static int64_t
claim_bundle(deal_t *d)
{
    int64_t low = 0, high = most_times(d) + 1;

    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2, worth = bundle(d, middle, false);
        bool    pays = worth >= 0;

        if (pays && d->e->reduce == POS_REDUCE_PRICE) {
            pays = worth - (middle > 1 ? bundle(d, middle - 1, false) : 0) > d->e->value;
        }
        if (pays) {
            low = middle;
        } else {
            high = middle;
        }
    }
    while (low > 0 && d->e->choose != POS_CHOOSE_BEST) {
        int64_t worth = bundle(d, low, false), whole;

        open_cart(d);
        whole = bundle(d, low, false);
        open_picks(d);
        if (worth == whole) {
            break;
        }
        low--;
    }
    if (low > 0) {
        (void) bundle(d, low, true);
    }
    return low;
}

/* ---- every nth ---- */

/* Of the units up to `end` in the row, how many stand at the position. */
static int64_t
rewarded(const pos_effect_t *e, int64_t end)
{
    return (end + e->group - e->position) / e->group;
}

static int64_t
claim_nth(deal_t *d)
{
    const pos_effect_t *e = d->e;
    const pos_act_t    *act = d->act;
    int64_t             total = 0, at = 0, groups, most = d->s->uses_left[act->candidate];

    for (uint32_t k = 0; k < act->pick_count; k++) {
        total += d->s->open[k];
    }
    if (e->group < 1 || e->position < 1 || e->position > e->group) {
        return 0;
    }
    groups = total / e->group;
    most = e->repeat < most ? e->repeat : most;
    groups = groups < most ? groups : most;
    for (uint32_t j = 0; j < act->pick_count && at < groups * e->group; j++) {
        uint32_t k = e->cheapest_first ? act->cheapest[j] : j;
        int64_t  n = d->s->open[k], good;

        n = n < groups * e->group - at ? n : groups * e->group - at;
        good = rewarded(e, at + n) - rewarded(e, at);
        if (good > 0) {
            pos_claim(d->s, act, act->touch + 1, act->picks[k].item, good, true);
        }
        if (n > good) {
            pos_claim(d->s, act, act->touch, act->picks[k].item, n - good, false);
        }
        at += n;
    }
    return groups;
}

void
pos_deal_claim(pos_state_t *s, uint32_t a)
{
    deal_t d = { s, &s->plan->acts[a], s->plan->acts[a].effect, false, 0 };

    if (d.act->pick_count == 0 || s->uses_left[d.act->candidate] < 1) {
        return;
    }
    open_picks(&d);
    switch (d.e->kind) {
    case POS_EFFECT_BUY_GET:
        s->times[a] = claim_buy_get(&d);
        break;
    case POS_EFFECT_BUNDLE:
        s->times[a] = claim_bundle(&d);
        break;
    default:
        s->times[a] = claim_nth(&d);
        break;
    }
    s->uses_left[d.act->candidate] -= s->uses_left[d.act->candidate] == POS_INF ? 0 : s->times[a];
}

/* ---- amounts ---- */

static void
apply_bundle(pos_state_t *s, uint32_t a, uint32_t n)
{
    const pos_effect_t *e = s->plan->acts[a].effect;
    int64_t             cap = pos_act_cap(s, &s->plan->acts[a]), left = 0, amount;

    if (e->reduce == POS_REDUCE_PERCENT) {
        pos_reduce_each(s, a, n, e->reduce, e->value, e->of_original, cap);
        return;
    }
    for (uint32_t k = 0; k < n; k++) {
        left += s->segs[s->touched[k]].left;
    }
    if (e->value > POS_MONEY_MAX / s->times[a]) {
        amount = e->reduce == POS_REDUCE_PRICE ? 0 : left;
    } else if (e->reduce == POS_REDUCE_PRICE) {
        amount = left - e->value * s->times[a];
    } else {
        amount = e->value * s->times[a];
    }
    amount = amount < left ? amount : left;
    pos_reduce_split(s, a, n, amount < cap ? amount : cap);
}

/* Are the units that this touch marks discounted, or only counted? */
static bool
rewards(const pos_effect_t *e, uint32_t t)
{
    switch (e->kind) {
    case POS_EFFECT_BUNDLE:
        return true;
    case POS_EFFECT_NTH:
        return t == 1;
    default:
        return t > 0 && e->gets[t - 1].reduces;
    }
}

/* A margin floor is that of the units discounted: what a deal only counts stays
 * open to other promotions. */
void
pos_deal_apply(pos_state_t *s, uint32_t a)
{
    const pos_act_t    *act = &s->plan->acts[a];
    const pos_effect_t *e = act->effect;
    int64_t             before = s->saved[act->candidate];

    if (s->times[a] < 1) {
        return;
    }
    for (uint32_t t = 0; t < act->touch_count; t++) {
        uint32_t n;
        int64_t  cap = pos_act_cap(s, act), done = s->saved[act->candidate] - before;

        if (!rewards(e, t)) {
            continue;
        }
        n = pos_touched(s, act, act->touch + t);
        if (e->max_amount != POS_INF && e->max_amount - done < cap) {
            cap = e->max_amount - done;
        }
        pos_floor_raise(s, act, n);
        if (e->kind == POS_EFFECT_BUNDLE) {
            apply_bundle(s, a, n);
        } else if (e->kind == POS_EFFECT_NTH) {
            pos_reduce_each(s, a, n, e->reduce, e->value, e->of_original, cap);
        } else {
            pos_reduce_each(s, a, n, e->gets[t - 1].reduce, e->gets[t - 1].value, e->of_original, cap);
        }
    }
}
