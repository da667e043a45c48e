/*
 * What can be proved about a choice.
 *
 * Without conflicts, using every promotion is best: each discount is a function
 * of what it finds that never leaves less for more, and none raises a price. A
 * deal also chooses units and splits classes, which moves roundings by a minor
 * unit an act; so it counts as settled only when each repetition saves more
 * than that, and when nothing else tells its units apart.
 *
 * The bound lets every promotion have every unit it matches, at once.
 */

#include "engine/state.h"

static bool
matches(const pos_act_t *act, uint32_t item)
{
    uint32_t low = 0, high = act->match.count;

    /* Where nothing before it is left out, an item stands at its own number. */
    if (item < high && act->match.items[item] == item) {
        return true;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (act->match.items[middle] < item) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < act->match.count && act->match.items[low] == item;
}

static bool
all_or_none(const pos_match_t *m, const pos_act_t *deal, bool *all)
{
    uint32_t i = 0, both = 0;

    for (uint32_t k = 0; k < deal->match.count; k++) {
        while (i < m->count && m->items[i] < deal->match.items[k]) {
            i++;
        }
        both += i < m->count && m->items[i] == deal->match.items[k];
    }
    *all = both > 0;
    return both == 0 || both == deal->match.count;
}

/* Does this act treat all units that the deal could take alike? */
static bool
even_handed(const pos_act_t *act, const pos_act_t *deal, bool *touches)
{
    *touches = false;
    if (act->phase == POS_PHASE_MARKDOWN || act->phase == POS_PHASE_ORDER) {
        if (!all_or_none(&act->match, deal, touches)) {
            return false;
        }
        return !*touches || deal->match.count < 2 || act->phase == POS_PHASE_ORDER ||
            (act->effect->kind == POS_EFFECT_MARKDOWN &&
             (act->effect->reduce != POS_REDUCE_AMOUNT || act->effect->per == POS_PER_UNIT));
    }
    return true;
}

/* Doing it once more then takes no unit from its rewards: each part that buys could have all that
 * may be rewarded, or none of it. Else what is spent on buying may be worth more as a reward. */
static bool
buys_evenly(const pos_act_t *deal)
{
    uint64_t get = UINT64_C(1) << deal->effect->part_count, all = UINT64_MAX, any = 0;

    for (uint32_t k = 0; k < deal->pick_count; k++) {
        if (deal->picks[k].parts & get) {
            all &= deal->picks[k].parts;
            any |= deal->picks[k].parts;
        }
    }
    return any == 0 || all == any;
}

/* Does the greedy choice of units save the most there is? */
static bool
picks_best(const pos_act_t *deal, bool marked_down)
{
    const pos_effect_t *e = deal->effect;
    bool                same = deal->pick_count > 0 &&
        deal->picks[0].amount == deal->picks[deal->pick_count - 1].amount;

    if (e->max_amount != POS_INF || deal->subset_count > 1023) {
        return false;
    }
    if (e->kind == POS_EFFECT_BUNDLE && e->choose != POS_CHOOSE_BEST && e->reduce == POS_REDUCE_PRICE) {
        return false;    /* what one more saves need not fall */
    }
    if (e->kind == POS_EFFECT_NTH) {
        return e->reduce == POS_REDUCE_PERCENT || same;
    }
    if (e->kind == POS_EFFECT_BUNDLE) {
        return e->reduce == POS_REDUCE_PERCENT || !marked_down || deal->match.count < 2;
    }
    for (uint32_t p = 0; p < e->part_count; p++) {
        if (e->parts[p].amount > 0) {
            return false;
        }
    }
    return e->get_count == 1 &&
        (same || (buys_evenly(deal) && (e->gets[0].reduce == POS_REDUCE_PERCENT || !marked_down)));
}

/* The units it rewards at a percentage, done so often, and that percentage; 0: none. */
static int64_t
rewarded(const pos_act_t *deal, int64_t times, int64_t *ppm)
{
    const pos_effect_t *e = deal->effect;
    int64_t             each = e->kind == POS_EFFECT_NTH;
    pos_reduce_t        reduce = e->kind == POS_EFFECT_BUY_GET ? e->gets[0].reduce : e->reduce;

    *ppm = e->kind == POS_EFFECT_BUY_GET ? e->gets[0].value : e->value;
    if (e->kind == POS_EFFECT_BUY_GET) {
        each = e->gets[0].reduces ? e->gets[0].quantity : 0;
    }
    for (uint32_t p = 0; e->kind == POS_EFFECT_BUNDLE && p < e->part_count; p++) {
        each += e->parts[p].quantity;
    }
    return reduce == POS_REDUCE_PERCENT ? each * times : 0;
}

/* The dearest are rewarded, class by class, each rounded. Could others be rounded so much better
 * that they save more? Not one alone; nor those that cost the same, where nothing is rounded; nor
 * those that cost so much less that no rounding makes up for it. */
static bool
rounds_no_better(const pos_act_t *deal, int64_t times)
{
    int64_t ppm, units = rewarded(deal, times, &ppm), classes = units < deal->pick_count ? units : deal->pick_count;

    for (uint32_t k = 1; k < deal->pick_count && classes > 1; k++) {
        int64_t  less = deal->picks[k - 1].amount - deal->picks[k].amount;
        __int128 off = (__int128) (less ? less : deal->picks[k].amount) * ppm;

        if (less ? off < (__int128) classes * POS_PPM : off % POS_PPM != 0) {
            return false;
        }
    }
    return true;
}

/* What markdowns leave of one of the pick's units. `whole` becomes false where they round, `rounds`
 * counts those that may. */
static int64_t
marked(const pos_plan_t *plan, const pos_pick_t *pick, bool *whole, int64_t *rounds)
{
    int64_t left = pick->amount;

    *rounds = 0;
    for (uint32_t a = 0; a < plan->act_count && plan->acts[a].phase == POS_PHASE_MARKDOWN; a++) {
        const pos_effect_t *e = plan->acts[a].effect;

        if (!matches(&plan->acts[a], pick->item)) {
            continue;
        }
        if (e->reduce == POS_REDUCE_PERCENT) {
            __int128 off = (__int128) (e->of_original ? pick->amount : left) * e->value;

            *whole &= off % POS_PPM == 0;
            *rounds += 1;
            left -= (int64_t) (off / POS_PPM);
        } else if (e->reduce == POS_REDUCE_AMOUNT) {
            left -= e->value;
        } else {
            left = e->value < left ? e->value : left;
        }
        left = left > 0 ? left : 0;
    }
    return left;
}

/* The same where units are marked down too, those that are not rewarded as well: which units a
 * deal takes parts them into classes, each rounded by itself. */
static bool
marks_no_better(const pos_plan_t *plan, const pos_act_t *deal, int64_t times)
{
    int64_t ppm, units = rewarded(deal, times, &ppm), rounds, before = 0;
    bool    whole = true;

    for (uint32_t k = 0; k < deal->pick_count && deal->pick_count > 1; k++) {
        int64_t  left = marked(plan, &deal->picks[k], &whole, &rounds), less = before - left;
        __int128 most = (__int128) 3 * deal->pick_count * (rounds + 1) * POS_PPM;

        if (units > 0 && (__int128) left * ppm % POS_PPM != 0) {
            whole = false;
        }
        if (k > 0 && !whole && (units == 0 || (__int128) less * ppm < most)) {
            return false;
        }
        before = left;
    }
    return true;
}

static bool
settled(const pos_state_t *s, uint32_t d)
{
    const pos_plan_t *plan = s->plan;
    const pos_act_t  *deal = &plan->acts[d];
    int64_t           slack = 2;
    bool              marked_down = false, touches;

    for (uint32_t a = 0; a < plan->act_count; a++) {
        if (a == d) {
            continue;
        }
        if (!even_handed(&plan->acts[a], deal, &touches)) {
            return false;
        }
        marked_down |= touches && plan->acts[a].phase == POS_PHASE_MARKDOWN;
        slack += touches ? 2 : 0;
    }
    for (uint32_t k = 0; k < deal->match.count; k++) {
        if (plan->work->cart.items[deal->match.items[k]].line->has_discount) {
            return false;
        }
    }
    if (!picks_best(deal, marked_down) || !rounds_no_better(deal, s->times[d]) ||
        (marked_down && !marks_no_better(plan, deal, s->times[d]))) {
        return false;
    }
    return s->times[d] == 0 || s->saved[deal->candidate] / s->times[d] > slack;
}

static bool
has_prices(const pos_plan_t *plan)
{
    const pos_cart_t *cart = &plan->work->cart;

    for (uint32_t i = 0; i < cart->item_count; i++) {
        if (cart->items[i].product->min_price > 0) {
            return true;
        }
    }
    return false;
}

/* A margin floor stops what comes after it: without that promotion others may save more. */
static bool
has_floors(const pos_plan_t *plan)
{
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        if (plan->candidates[k].promotion->floor_ppm >= 0) {
            return true;
        }
    }
    return false;
}

bool
pos_proved(const pos_state_t *s)
{
    const pos_plan_t *plan = s->plan;

    if (plan->candidate_count == 0) {
        return true;
    }
    if (plan->limited || ((plan->deal_count || plan->candidate_count > 1) && has_floors(plan)) ||
        (plan->deal_count && has_prices(plan))) {
        return false;
    }
    for (uint32_t a = 0; a < plan->act_count; a++) {
        const pos_act_t *act = &plan->acts[a];

        if (plan->candidate_count > 1 && (act->effect->max_amount != POS_INF ||
                plan->candidates[act->candidate].amount_max != POS_INF)) {
            return false;
        }
        if (act->phase == POS_PHASE_DEAL &&
            (plan->candidates[act->candidate].act_count > 1 || !settled(s, a))) {
            return false;
        }
    }
    return true;
}

/* ---- the bound ---- */

/* The least one unit (or a measured line) can cost after a reduction. */
static int64_t
least(int64_t left, int64_t original, pos_reduce_t reduce, int64_t value, bool of_original,
    int64_t quantity)
{
    int64_t n = 0;

    if (reduce == POS_REDUCE_PERCENT) {
        __int128 off = (__int128) (of_original ? original : left) * value;

        n = left - (int64_t) ((off + POS_PPM - 1) / POS_PPM);
    } else {
        __int128 whole = (__int128) value * quantity / POS_THOUSANDTHS;

        n = whole > POS_MONEY_MAX ? POS_MONEY_MAX : (int64_t) whole;
        if (reduce == POS_REDUCE_AMOUNT) {
            n = left - n - 1;
        } else if (of_original) {
            /* what the price takes off the original, off what is left of it */
            n = original > n ? left - (original - n) : left;
        } else {
            n = n < left ? n : left;
        }
    }
    return n > 0 ? n : 0;
}

static int64_t
least_after(const pos_plan_t *plan, const pos_act_t *act, uint32_t item, int64_t left)
{
    const pos_effect_t *e = act->effect;
    const pos_item_t   *it = &plan->work->cart.items[item];
    int64_t             original = pos_item_unit_amount(it), n = left;
    int64_t             quantity = it->measured ? it->quantity : POS_THOUSANDTHS;

    switch (e->kind) {
    case POS_EFFECT_MARKDOWN:
        if (e->reduce == POS_REDUCE_AMOUNT && e->per != POS_PER_UNIT) {
            return left > e->value ? left - e->value : 0;
        }
        return least(left, original, e->reduce, e->value, e->of_original, quantity);
    case POS_EFFECT_LINE_TIERS:
        for (uint32_t t = 0; t < e->tier_count; t++) {
            int64_t m = e->tiers[t].reduce == POS_REDUCE_PERCENT
                ? least(left, original, POS_REDUCE_PERCENT, e->tiers[t].value, e->of_original, quantity)
                : 0;

            n = m < n ? m : n;
        }
        return n;
    case POS_EFFECT_NTH:
        return least(left, original, e->reduce, e->value, e->of_original, quantity);
    case POS_EFFECT_BUNDLE:
        return e->reduce == POS_REDUCE_PERCENT
            ? least(left, original, e->reduce, e->value, e->of_original, quantity) : 0;
    case POS_EFFECT_BUY_GET:
        for (uint32_t g = 0; g < e->get_count; g++) {
            int64_t m = least(left, original, e->gets[g].reduce, e->gets[g].value, e->of_original, quantity);

            n = e->gets[g].reduces && m < n ? m : n;
        }
        return n;
    default:
        return left;
    }
}

static int64_t
least_whole(const pos_effect_t *e, int64_t left, int64_t most)
{
    int64_t n = left;
    uint32_t count = e->kind == POS_EFFECT_ORDER_TIERS ? e->tier_count : 1;

    for (uint32_t t = 0; t < count; t++) {
        pos_reduce_t reduce = e->kind == POS_EFFECT_ORDER_TIERS ? e->tiers[t].reduce : e->reduce;
        int64_t      value = e->kind == POS_EFFECT_ORDER_TIERS ? e->tiers[t].value : e->value;
        int64_t      m = left - value;

        if (reduce == POS_REDUCE_PERCENT) {
            m = left - (int64_t) (((__int128) (e->of_original ? most : left) * value + POS_PPM - 1) / POS_PPM);
        } else if (reduce == POS_REDUCE_PRICE) {
            m = 0;
        }
        n = m < n ? m : n;
    }
    return n > 0 ? n : 0;
}

int64_t
pos_bound(const pos_plan_t *plan)
{
    const pos_cart_t *cart = &plan->work->cart;
    int64_t           lines = 0, shipping = cart->has_shipping ? cart->shipping_amount : 0, all;

    for (uint32_t i = 0; i < cart->item_count; i++) {
        const pos_item_t *item = &cart->items[i];
        int64_t           left = item->line->has_discount ? 0 : pos_item_unit_amount(item);

        for (uint32_t a = 0; a < plan->act_count && left > 0; a++) {
            if (plan->acts[a].phase <= POS_PHASE_DEAL && matches(&plan->acts[a], i)) {
                left = least_after(plan, &plan->acts[a], i, left);
            }
        }
        lines += left * item->units;
    }
    all = lines + shipping;
    for (uint32_t a = 0; a < plan->act_count; a++) {
        const pos_effect_t *e = plan->acts[a].effect;

        if (plan->acts[a].phase == POS_PHASE_ORDER) {
            all = least_whole(e, all, cart->subtotal + cart->shipping_amount);
        } else if (plan->acts[a].phase == POS_PHASE_SHIPPING && shipping > 0) {
            int64_t left = least_whole(e, shipping, cart->shipping_amount);

            all -= shipping - left;
            shipping = left;
        }
    }
    return all > 0 ? all : 0;
}
