/* Units of items in classes: claiming, splitting, merging. */

#include "engine/state.h"


static bool
grow(pos_state_t *s, void *array, size_t old, size_t room, size_t size)
{
    void **slot = array;
    void  *p = pos_arena_alloc(s->arena, room * size);

    if (p == NULL) {
        s->status = POS_NO_MEMORY;
        return false;
    }
    if (old) {
        memcpy(p, *slot, old * size);
    }
    *slot = p;
    return true;
}

static bool
grow_segs(pos_state_t *s, uint32_t room)
{
    uint32_t old = s->seg_count;
    bool     ok;

    ok = grow(s, &s->segs, old, room, sizeof(*s->segs)) &&
        grow(s, &s->bits, (size_t) old * s->plan->words, (size_t) room * s->plan->words, sizeof(uint64_t)) &&
        grow(s, &s->touched, 0, room, sizeof(uint32_t)) && grow(s, &s->weights, 0, room, sizeof(int64_t)) &&
        grow(s, &s->caps, 0, room, sizeof(int64_t)) && grow(s, &s->parts, 0, room, sizeof(int64_t));
    if (ok) {
        s->seg_room = room;
    }
    return ok;
}

pos_status_t
pos_state_init(pos_state_t *s, const pos_plan_t *plan)
{
    pos_arena_t *arena = plan->work->arena;
    uint32_t     span = plan->span, most = 1, splits;
    size_t       acts = plan->act_count + 1, cands = plan->candidate_count + 1;

    *s = (pos_state_t) { .plan = plan, .arena = arena };
    for (uint32_t a = 0; a < plan->act_count; a++) {
        most = plan->acts[a].subset_count > most ? plan->acts[a].subset_count : most;
    }
    s->first = pos_arena_alloc(arena, 3 * span * sizeof(uint32_t));
    s->times = pos_arena_alloc(arena, acts * sizeof(int64_t));
    s->saved = pos_arena_alloc(arena, 3 * cands * sizeof(int64_t));
    s->off = pos_arena_alloc(arena, 2 * cands + acts + span);
    s->open = pos_arena_alloc(arena, (3 * (size_t) span + most) * sizeof(int64_t));
    s->group_from = pos_arena_alloc(arena, ((size_t) span + 1) * sizeof(uint32_t));
    if (!s->first || !s->times || !s->saved || !s->off || !s->open || !s->group_from) {
        return POS_NO_MEMORY;
    }
    s->adjust_first = s->first + span;
    s->adjust_last = s->adjust_first + span;
    s->cap_left = s->saved + cands;
    s->uses_left = s->cap_left + cands;
    s->worked = s->off + cands;
    s->off_act = s->worked + cands;
    s->gifts = s->off_act + acts;
    s->take = s->open + span;
    s->group_parts = s->take + span;
    s->slack = s->group_parts + span;
    /* Nothing is claimed any more while amounts are split over items. */
    s->group_weights = s->open;
    s->group_caps = s->take;
    /* Each item, and what deals and limited markdowns split off. */
    splits = plan->limited ? span / 2 : plan->deal_count * 4;
    return grow_segs(s, span + (splits < span / 2 ? splits : span / 2) + 8) ? POS_OK : s->status;
}

pos_status_t
pos_choice_init(pos_choice_t *c, const pos_plan_t *plan)
{
    pos_arena_t *arena = plan->work->arena;
    size_t       n = plan->candidate_count + 1;

    *c = (pos_choice_t) { .used = pos_arena_zalloc(arena, n), .order = pos_arena_alloc(arena, n * sizeof(*c->order)),
        .repeat = pos_arena_alloc(arena, n * sizeof(*c->repeat)) };
    return c->used && c->order && c->repeat ? POS_OK : POS_NO_MEMORY;
}

static int64_t
min_price_of(const pos_state_t *s, const pos_item_t *item)
{
    int64_t n;

    if (item->gift || item->product->min_price <= 0) {
        return 0;
    }
    if (!pos_muldiv(item->product->min_price, item->quantity, POS_THOUSANDTHS,
            s->plan->work->book->rounding, &n)) {
        return POS_MONEY_MAX;
    }
    return n;
}

void
pos_class_open(pos_state_t *s, uint32_t item, int64_t units, int64_t original, int64_t floor)
{
    uint32_t at;

    if (s->seg_count == s->seg_room && !grow_segs(s, s->seg_room * 2)) {
        return;
    }
    at = s->seg_count++;
    s->segs[at] = (pos_class_units_t) { .item = item, .next = POS_NIL, .units = units,
        .original = original, .left = original, .floor = floor };
    pos_bits_clear(&s->bits[(size_t) at * s->plan->words], s->plan->words);
    s->first[item] = at;
}

/* One class an item, of all its units. Whoever judges more than once copies them; there is room
 * for them from the start (pos_state_init). */
static void
open_items(pos_state_t *s)
{
    const pos_cart_t *cart = &s->plan->work->cart;
    uint32_t          n = cart->item_count;

    for (uint32_t i = 0; i < n; i++) {
        s->first[i] = i;
    }
    memset(s->bits, 0, (size_t) n * s->plan->words * sizeof(*s->bits));
    s->seg_count = n;
    if (s->opened) {
        memcpy(s->segs, s->opened, n * sizeof(*s->segs));
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        const pos_item_t *item = &cart->items[i];

        s->segs[i] = (pos_class_units_t) { .item = i, .next = POS_NIL, .units = item->units,
            .original = item->subtotal, .left = item->subtotal, .floor = min_price_of(s, item) };
    }
    if (s->judged && grow(s, &s->opened, 0, n + 1, sizeof(*s->opened))) {
        memcpy(s->opened, s->segs, n * sizeof(*s->segs));
    }
    s->judged = true;
}

void
pos_state_reset(pos_state_t *s, const pos_choice_t *choice)
{
    const pos_plan_t *plan = s->plan;
    uint32_t          span = plan->span;

    s->choice = choice;
    s->status = POS_OK;
    s->dropped = false;
    s->adjust_count = 0;
    memset(s->first, 0xff, 3 * span * sizeof(uint32_t));
    memset(s->times, 0, plan->act_count * sizeof(int64_t));
    memset(s->off, 0, 2 * ((size_t) plan->candidate_count + 1) + plan->act_count + 1 + span);
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        s->saved[k] = 0;
        s->cap_left[k] = plan->candidates[k].amount_max;
        s->uses_left[k] = plan->candidates[k].uses_max;
        if (choice->repeat[k] < s->uses_left[k]) {
            s->uses_left[k] = choice->repeat[k];
        }
    }
    open_items(s);
    if (plan->shipping != POS_NIL) {
        pos_class_open(s, plan->shipping, 1, plan->work->cart.shipping_amount, 0);
    }
}

bool
pos_may_touch(const pos_state_t *s, const pos_act_t *act, uint32_t seg)
{
    const pos_plan_t      *plan = s->plan;
    const pos_candidate_t *c = &plan->candidates[act->candidate];
    const uint64_t        *bits = &s->bits[(size_t) seg * plan->words];
    bool                   exclusive = c->promotion->stacking == POS_STACK_EXCLUSIVE;
    bool                   deal = act->phase == POS_PHASE_DEAL;

    if (!plan->stacked && !deal) {
        return true;
    }
    for (uint32_t i = 0; i < plan->words; i++) {
        uint64_t others = bits[i] & ~c->own[i];

        if ((exclusive && others) || (others & plan->exclusive[i]) ||
            (c->group && (others & c->group[i])) || (deal && (bits[i] & plan->deals[i]))) {
            return false;
        }
    }
    return true;
}

int64_t
pos_units_open(const pos_state_t *s, const pos_act_t *act, uint32_t item)
{
    int64_t n = 0;

    for (uint32_t seg = s->first[item]; seg != POS_NIL; seg = s->segs[seg].next) {
        n += pos_may_touch(s, act, seg) ? s->segs[seg].units : 0;
    }
    return n;
}

/* Splits a class in two: `units` stay, the rest follows it. */
static bool
split(pos_state_t *s, uint32_t seg, int64_t units)
{
    pos_class_units_t *a, *b;
    int64_t            all = s->segs[seg].units;
    uint32_t           words = s->plan->words, at;

    if (s->seg_count == s->seg_room && !grow_segs(s, s->seg_room * 2)) {
        return false;
    }
    at = s->seg_count++;
    a = &s->segs[seg];
    b = &s->segs[at];
    *b = *a;
    b->units = all - units;
    b->original = a->original / all * b->units;
    b->left = b->original;
    b->floor = a->floor / all * b->units;
    a->units = units;
    a->original -= b->original;
    a->left = a->original;
    a->floor -= b->floor;
    a->next = at;
    pos_bits_copy(&s->bits[(size_t) at * words], &s->bits[(size_t) seg * words], words);
    return true;
}

uint32_t
pos_class_split(pos_state_t *s, uint32_t seg, int64_t units)
{
    if (units >= s->segs[seg].units || !split(s, seg, units)) {
        return POS_NIL;
    }
    return s->segs[seg].next;
}

static void
claim_front(pos_state_t *s, const pos_act_t *act, uint32_t touch, uint32_t item, int64_t units)
{
    for (uint32_t seg = s->first[item]; seg != POS_NIL && units > 0; seg = s->segs[seg].next) {
        if (!pos_may_touch(s, act, seg)) {
            continue;
        }
        if (s->segs[seg].units > units && !split(s, seg, units)) {
            return;
        }
        units -= s->segs[seg].units;
        pos_bit_set(&s->bits[(size_t) seg * s->plan->words], touch);
    }
}

static void
claim_back(pos_state_t *s, const pos_act_t *act, uint32_t touch, uint32_t item, int64_t units)
{
    while (units > 0 && s->status == POS_OK) {
        uint32_t last = POS_NIL;

        for (uint32_t seg = s->first[item]; seg != POS_NIL; seg = s->segs[seg].next) {
            if (!pos_bit(&s->bits[(size_t) seg * s->plan->words], touch) && pos_may_touch(s, act, seg)) {
                last = seg;
            }
        }
        if (last == POS_NIL) {
            return;
        }
        if (s->segs[last].units > units) {
            if (!split(s, last, s->segs[last].units - units)) {
                return;
            }
            last = s->segs[last].next;
        }
        units -= s->segs[last].units;
        pos_bit_set(&s->bits[(size_t) last * s->plan->words], touch);
    }
}

void
pos_claim(pos_state_t *s, const pos_act_t *act, uint32_t touch, uint32_t item, int64_t units,
    bool back)
{
    if (back) {
        claim_back(s, act, touch, item, units);
    } else {
        claim_front(s, act, touch, item, units);
    }
}

/* Where a class stands among its item's: deals buy and bundle the first units and reward the
 * last ones; in between stand those that no deal has. */
static int64_t
place_of(const pos_state_t *s, uint32_t seg)
{
    const pos_plan_t *plan = s->plan;
    const uint64_t   *bits = &s->bits[(size_t) seg * plan->words];

    for (uint32_t i = 0; i < plan->words; i++) {
        uint64_t mine = bits[i] & plan->deals[i];

        if (mine) {
            uint32_t touch = i * 64 + (uint32_t) __builtin_ctzll(mine);
            int64_t  from_end = (int64_t) plan->touch_count - touch;

            return touch == plan->acts[plan->act_of_touch[touch]].touch ? -from_end : from_end;
        }
    }
    return 0;
}

/* -1: a stands first; 0: they are treated alike. Their places are in `weights`. In one place that one is first that the first
 * discount touches in which they differ. */
static int
compare_classes(const pos_state_t *s, uint32_t a, uint32_t b)
{
    const uint64_t *x = &s->bits[(size_t) a * s->plan->words], *y = &s->bits[(size_t) b * s->plan->words];
    int64_t         p = s->weights[a], q = s->weights[b];

    if (p != q) {
        return p < q ? -1 : 1;
    }
    for (uint32_t i = 0; i < s->plan->words; i++) {
        uint64_t differ = x[i] ^ y[i];

        if (differ) {
            return x[i] & differ & -differ ? -1 : 1;
        }
    }
    return 0;
}

/* Puts one class where it belongs among those of its item that are in order; one alike takes
 * it in. */
static void
put_in_order(pos_state_t *s, uint32_t *head, uint32_t seg)
{
    uint32_t *slot = head;
    int       order = -1;

    while (*slot != POS_NIL && (order = compare_classes(s, seg, *slot)) > 0) {
        slot = &s->segs[*slot].next;
    }
    if (*slot != POS_NIL && order == 0) {
        pos_class_units_t *same = &s->segs[*slot];

        same->units += s->segs[seg].units;
        same->original += s->segs[seg].original;
        same->left = same->original;
        same->floor += s->segs[seg].floor;
        return;
    }
    s->segs[seg].next = *slot;
    *slot = seg;
}

void
pos_classes_order(pos_state_t *s)
{
    for (uint32_t i = 0; i < s->plan->span; i++) {
        uint32_t rest = s->first[i];

        if (rest == POS_NIL || s->segs[rest].next == POS_NIL) {
            continue;
        }
        for (uint32_t seg = rest; seg != POS_NIL; seg = s->segs[seg].next) {
            s->weights[seg] = place_of(s, seg);
        }
        s->first[i] = POS_NIL;
        while (rest != POS_NIL) {
            uint32_t next = s->segs[rest].next;

            put_in_order(s, &s->first[i], rest);
            rest = next;
        }
    }
}
