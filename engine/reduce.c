/*
 * Taking amounts off classes. A class never goes below its floor; every
 * reduction is noted, so that lines and units can be told what they paid.
 */

#include "engine/state.h"

uint32_t
pos_touched(pos_state_t *s, const pos_act_t *act, uint32_t touch)
{
    uint32_t n = 0, words = s->plan->words;

    for (uint32_t k = 0; k < act->match.count; k++) {
        for (uint32_t seg = s->first[act->match.items[k]]; seg != POS_NIL; seg = s->segs[seg].next) {
            if (pos_bit(&s->bits[(size_t) seg * words], touch)) {
                s->touched[n++] = seg;
            }
        }
    }
    return n;
}

int64_t
pos_act_cap(const pos_state_t *s, const pos_act_t *act)
{
    int64_t cap = s->cap_left[act->candidate];

    return act->effect->max_amount < cap ? act->effect->max_amount : cap;
}

static uint32_t
new_adjust(pos_state_t *s)
{
    if (s->adjust_count == s->adjust_room) {
        uint32_t      room = s->adjust_room ? s->adjust_room * 2 : s->plan->span + 16;
        pos_adjust_t *p = pos_arena_alloc(s->arena, room * sizeof(*p));

        if (p == NULL) {
            s->status = POS_NO_MEMORY;
            return POS_NIL;
        }
        if (s->adjust_count) {
            memcpy(p, s->adjusts, s->adjust_count * sizeof(*p));
        }
        s->adjusts = p;
        s->adjust_room = room;
    }
    return s->adjust_count++;
}

/* Takes it off the class and notes that; what came off. */
static inline int64_t
take_off(pos_state_t *s, uint32_t act, uint32_t seg, int64_t amount)
{
    pos_class_units_t *c = &s->segs[seg];
    int64_t            room = c->left - c->floor;
    uint32_t           at;

    amount = amount < room ? amount : room;
    if (amount <= 0) {
        return 0;
    }
    at = new_adjust(s);
    if (at == POS_NIL) {
        return 0;
    }
    s->adjusts[at] = (pos_adjust_t) { seg, act, POS_NIL, amount, c->extra };
    if (s->adjust_first[c->item] == POS_NIL) {
        s->adjust_first[c->item] = at;
    } else {
        s->adjusts[s->adjust_last[c->item]].next = at;
    }
    s->adjust_last[c->item] = at;
    c->left -= amount;
    if (c->units > 1) {
        c->extra += amount % c->units;
        c->extra -= c->extra >= c->units ? c->units : 0;
    }
    if (act != POS_NIL && s->plan->candidates[s->plan->acts[act].candidate].promotion->tax_before) {
        c->untaxed += amount;
    }
    return amount;
}

/* `amount` came off by the act (POS_NIL: by hand). */
static void
note_saved(pos_state_t *s, uint32_t act, int64_t amount)
{
    uint32_t k;

    if (act == POS_NIL || amount == 0) {
        return;
    }
    k = s->plan->acts[act].candidate;
    s->saved[k] += amount;
    s->worked[k] = 1;
    if (s->cap_left[k] != POS_INF) {
        s->cap_left[k] -= amount;
    }
}

void
pos_take_off(pos_state_t *s, uint32_t act, uint32_t seg, int64_t amount)
{
    note_saved(s, act, take_off(s, act, seg, amount));
}

/* The parts of all classes touched. */
static void
take_off_parts(pos_state_t *s, uint32_t act, uint32_t n)
{
    int64_t sum = 0;

    for (uint32_t k = 0; k < n; k++) {
        sum += take_off(s, act, s->touched[k], s->parts[k]);
    }
    note_saved(s, act, sum);
}

/* Of an amount: what is left for the parts that do not stand at their caps, and their weights. */
typedef struct {
    int64_t left, open;
} rest_t;

static bool
fits(const int64_t *parts, const int64_t *caps, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (parts[i] > caps[i]) {
            return false;
        }
    }
    return true;
}

/* Parts over their caps stand there from now on: their weight becomes -1. */
static rest_t
stand_at_caps(int64_t amount, int64_t *weights, const int64_t *caps, size_t n, int64_t *parts)
{
    rest_t rest = { amount, 0 };

    for (size_t i = 0; i < n; i++) {
        if (weights[i] >= 0 && parts[i] > caps[i]) {
            parts[i] = caps[i];
            weights[i] = -1;
        }
        rest.left -= weights[i] < 0 ? parts[i] : 0;
        rest.open += weights[i] > 0 ? weights[i] : 0;
    }
    return rest;
}

/* Whole minor units of a part's exact share; over the cap wherever the exact share is, be it by a
 * fraction, since that part will bear its cap and no more. */
static int64_t
whole_share(const rest_t *rest, int64_t weight, int64_t cap)
{
    __int128 share = (__int128) rest->left * weight;

    return share > (__int128) cap * rest->open ? cap + 1 : (int64_t) (share / rest->open);
}

/* What a part's exact share is over its whole units, in `open`ths; -1: it stands at its cap. */
static int64_t
remainder_of(const rest_t *rest, int64_t weight, int64_t part)
{
    return weight < 0
        ? -1
        : (int64_t) ((__int128) rest->left * weight - (__int128) part * rest->open);
}

/* The least remainder above which at most `odd` parts lie, by bisection: without memory, and
 * quick for ten thousand parts. */
static int64_t
least_remainder(const rest_t *rest, const int64_t *weights, const int64_t *parts, size_t n,
    int64_t odd, int64_t *above)
{
    int64_t low = -1, high = rest->open - 1;

    *above = 0;
    while (low < high) {
        int64_t mid = low + (high - low) / 2, count = 0;

        for (size_t i = 0; i < n; i++) {
            count += remainder_of(rest, weights[i], parts[i]) > mid;
        }
        if (count <= odd) {
            high = mid;
            *above = count;
        } else {
            low = mid + 1;
        }
    }
    return high;
}

/* Floors lose less than one minor unit a part: what they lose goes to the largest remainders,
 * ties to the earlier part. Each of these has room, since its exact share is below its cap. */
static void
place_odd(const rest_t *rest, const int64_t *weights, int64_t *parts, size_t n)
{
    int64_t odd = rest->left, above, least, ties;

    for (size_t i = 0; i < n; i++) {
        odd -= weights[i] >= 0 ? parts[i] : 0;
    }
    if (odd == 0) {
        return;
    }
    least = least_remainder(rest, weights, parts, n, odd, &above);
    ties = odd - above;
    for (size_t i = 0; i < n; i++) {
        int64_t remainder = remainder_of(rest, weights[i], parts[i]);

        if (remainder > least || (remainder == least && ties-- > 0)) {
            parts[i]++;
        }
    }
}

/* Splits an amount by weights, each part at most its cap, no cap above its weight; what one
 * cannot bear goes to the others, again by weight. `weights` is used up. False: overflow. */
static bool
share_out(int64_t amount, int64_t *weights, const int64_t *caps, size_t n, int64_t *parts)
{
    __int128 room = 0;
    rest_t   rest;
    bool     over;

    for (size_t i = 0; i < n; i++) {
        room += caps[i];
    }
    if (amount >= room) {
        memcpy(parts, caps, n * sizeof(*caps));
        return true;
    }
    if (amount <= 0) {
        memset(parts, 0, n * sizeof(*parts));
        return true;
    }
    if (n == 1) {
        parts[0] = amount;
        return true;
    }
    if (!pos_split(amount, weights, n, parts)) {
        return false;
    }
    if (fits(parts, caps, n)) {
        return true;
    }
    do {
        over = false;
        rest = stand_at_caps(amount, weights, caps, n, parts);
        for (size_t i = 0; i < n && rest.open > 0; i++) {
            if (weights[i] >= 0) {
                parts[i] = whole_share(&rest, weights[i], caps[i]);
                over |= parts[i] > caps[i];
            }
        }
    } while (over);
    if (rest.open > 0) {
        place_odd(&rest, weights, parts, n);
    }
    return true;
}

/* Splits one amount by what the classes touched still cost: over items first,
 * then over each one's classes, none above its cap. */
static bool
share_over_items(pos_state_t *s, uint32_t n, int64_t amount)
{
    uint32_t groups = 0;

    for (uint32_t k = 0; k < n; k++) {
        const pos_class_units_t *c = &s->segs[s->touched[k]];

        s->weights[k] = c->left;
        if (k == 0 || c->item != s->segs[s->touched[k - 1]].item) {
            s->group_from[groups] = k;
            s->group_weights[groups] = 0;
            s->group_caps[groups++] = 0;
        }
        s->group_weights[groups - 1] += s->weights[k];
        s->group_caps[groups - 1] += s->caps[k];
    }
    s->group_from[groups] = n;
    if (!share_out(amount, s->group_weights, s->group_caps, groups, s->group_parts)) {
        s->status = POS_LIMIT;
        return false;
    }
    for (uint32_t g = 0; g < groups; g++) {
        uint32_t from = s->group_from[g], count = s->group_from[g + 1] - from;

        /* A part is no more than its group's cap, which is that of its one class. */
        if (count == 1) {
            s->parts[from] = s->group_parts[g];
        } else if (!share_out(s->group_parts[g], s->weights + from, s->caps + from, count, s->parts + from)) {
            s->status = POS_LIMIT;
            return false;
        }
    }
    return true;
}

void
pos_reduce_split(pos_state_t *s, uint32_t act, uint32_t n, int64_t amount)
{
    if (n == 0 || amount <= 0) {
        return;
    }
    for (uint32_t k = 0; k < n; k++) {
        const pos_class_units_t *c = &s->segs[s->touched[k]];

        s->caps[k] = c->left > c->floor ? c->left - c->floor : 0;
    }
    if (!share_over_items(s, n, amount)) {
        return;
    }
    take_off_parts(s, act, n);
}

/* What one class would lose before caps and floors. */
static int64_t
class_reduction(const pos_state_t *s, const pos_class_units_t *c, pos_reduce_t reduce,
    int64_t value, bool of_original)
{
    const pos_work_t *w = s->plan->work;
    const pos_item_t *item = &w->cart.items[c->item];
    pos_rounding_t    rounding = w->book->rounding;
    int64_t           base = of_original ? c->original : c->left, n = 0;

    if (reduce == POS_REDUCE_PERCENT) {
        return pos_muldiv(base, value, POS_PPM, rounding, &n) ? n : 0;
    }
    if (c->item == s->plan->shipping) {
        n = value;
    } else if (!pos_muldiv(value, item->measured ? item->quantity : c->units * POS_THOUSANDTHS,
                   POS_THOUSANDTHS, rounding, &n)) {
        n = POS_MONEY_MAX;
    }
    if (reduce == POS_REDUCE_PRICE) {
        n = base > n ? base - n : 0;
    }
    return n < c->left ? n : c->left;
}

void
pos_reduce_want(pos_state_t *s, uint32_t from, uint32_t to, pos_reduce_t reduce, int64_t value,
    bool of_original)
{
    for (uint32_t k = from; k < to; k++) {
        const pos_class_units_t *c = &s->segs[s->touched[k]];
        int64_t                  room = c->left > c->floor ? c->left - c->floor : 0;
        int64_t                  off = room ? class_reduction(s, c, reduce, value, of_original) : 0;

        s->parts[k] = off < room ? off : room;
    }
}

void
pos_reduce_want_split(pos_state_t *s, uint32_t from, uint32_t to, int64_t amount)
{
    for (uint32_t k = from; k < to; k++) {
        const pos_class_units_t *c = &s->segs[s->touched[k]];

        s->weights[k] = c->left;
        s->caps[k] = c->left > c->floor ? c->left - c->floor : 0;
    }
    if (!share_out(amount, s->weights + from, s->caps + from, to - from, s->parts + from)) {
        s->status = POS_LIMIT;
    }
}

void
pos_reduce_wanted(pos_state_t *s, uint32_t act, uint32_t n, int64_t cap)
{
    __int128 sum = 0;

    for (uint32_t k = 0; k < n; k++) {
        s->caps[k] = s->parts[k];
        sum += s->parts[k];
    }
    if (sum == 0 || (sum > cap && !share_over_items(s, n, cap))) {
        return;
    }
    take_off_parts(s, act, n);
}

void
pos_reduce_each(pos_state_t *s, uint32_t act, uint32_t n, pos_reduce_t reduce, int64_t value,
    bool of_original, int64_t cap)
{
    pos_reduce_want(s, 0, n, reduce, value, of_original);
    pos_reduce_wanted(s, act, n, cap);
}
