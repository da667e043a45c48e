/*
 * The ways in which a deal can take units, and which of them is best. A way says how
 * many units of each kind are taken in each of the deal's roles; every one is tried,
 * so this is for carts with few.
 */

#include "engine/priority.h"

static void
put_way(pos_way_t *w, pos_claims_t *out)
{
    pos_rule_t             *r = w->r;
    const pos_claims_t *base = &r->base;
    size_t              words = r->plan->words;
    uint32_t            k = 0;

    out->count = 0;
    if (!pos_priority_room(r, out, base->count + 1)) {
        return;
    }
    for (uint32_t c = 0; c < base->count && r->status == POS_OK; c++) {
        int64_t left = base->units[c];

        if (k < w->kind_count && w->kinds[k].class == c) {
            for (uint32_t role = 0; role < w->role_count; role++) {
                int64_t n = w->put[k * w->role_count + role];

                pos_priority_put(r, out, base->items[c], n, &base->bits[c * words], w->act->touch + role);
                left -= n;
            }
            k++;
        }
        pos_priority_put(r, out, base->items[c], left, &base->bits[c * words], POS_NIL);
    }
    memcpy(out->times, base->times, r->plan->act_count * sizeof(*out->times));
    out->times[w->a] = w->times;
}

/* The kind's place in an nth's row; ties in canonical order. */
static bool
stands_before(const pos_way_t *w, uint32_t j, uint32_t k)
{
    int64_t a = w->kinds[j].amount, b = w->kinds[k].amount;

    return a == b ? j < k : w->act->effect->cheapest_first ? a < b : a > b;
}

static int64_t
rewarded_up_to(const pos_effect_t *e, int64_t end)
{
    return (end + e->group - e->position) / e->group;
}

/* Of the units taken, those at the position are rewarded. */
static void
reward_nth(pos_way_t *w)
{
    for (uint32_t k = 0; k < w->kind_count; k++) {
        int64_t at = 0, n = w->take[2 * (size_t) k], good;

        for (uint32_t j = 0; j < w->kind_count; j++) {
            at += stands_before(w, j, k) ? w->take[2 * (size_t) j] : 0;
        }
        good = rewarded_up_to(w->act->effect, at + n) - rewarded_up_to(w->act->effect, at);
        w->put[2 * (size_t) k] = n - good;
        w->put[2 * (size_t) k + 1] = good;
    }
}

static pos_choose_t
choose_of(const pos_effect_t *e)
{
    switch (e->kind) {
    case POS_EFFECT_NTH:
        return POS_CHOOSE_BEST;
    case POS_EFFECT_BUNDLE:
        return e->choose;
    default:
        return e->get_count ? e->gets[0].choose : POS_CHOOSE_BEST;
    }
}

/* What the rewarded units cost before discounts; of two the less is wanted. */
static int64_t
worth_of(const pos_way_t *w)
{
    const pos_effect_t *e = w->act->effect;
    pos_choose_t        choose = choose_of(e);
    int64_t             worth = 0;

    if (choose == POS_CHOOSE_BEST) {
        return 0;
    }
    for (uint32_t k = 0; k < w->kind_count; k++) {
        for (uint32_t role = e->kind != POS_EFFECT_BUNDLE; role < w->role_count; role++) {
            worth += w->take[k * w->role_count + role] * w->kinds[k].amount;
        }
    }
    return choose == POS_CHOOSE_CHEAPEST ? worth : -worth;
}

static void
one_way(pos_way_t *w)
{
    pos_rule_t *r = w->r;
    int64_t worth = worth_of(w);

    if (!w->judging) {
        w->worth = w->ways == 0 || worth < w->worth ? worth : w->worth;
        w->ways++;
        return;
    }
    if (worth > w->worth) {
        return;
    }
    memcpy(w->put, w->take, (size_t) w->kind_count * w->role_count * sizeof(*w->put));
    if (w->act->effect->kind == POS_EFFECT_NTH) {
        reward_nth(w);
    }
    put_way(w, &r->tried);
    if (!pos_priority_judge(r, &r->tried, w->act->candidate, r->trial)) {
        return;
    }
    if (!w->any || r->trial->objective < r->best->objective ||
        (r->trial->objective == r->best->objective && pos_earlier(r->trial, r->best))) {
        pos_state_t *s = r->best;

        r->best = r->trial;
        r->trial = s;
        pos_priority_swap(&r->better, &r->tried);
        w->any = true;
    }
}

static bool
is_over(const pos_way_t *w)
{
    return pos_ways_many(w) || w->r->status != POS_OK;
}

/* One step on the way to a way; false: there are too many. */
static bool
goes_on(pos_way_t *w)
{
    w->tries++;
    return !is_over(w);
}

static uint64_t
bought_parts(const pos_effect_t *e)
{
    return (UINT64_C(1) << e->part_count) - 1;
}

static int64_t
need_of(const pos_effect_t *e, uint64_t subset)
{
    int64_t n = 0;

    for (uint32_t p = 0; p < e->part_count; p++) {
        n += subset >> p & 1 ? e->parts[p].quantity : 0;
    }
    return n;
}

/* Hall's condition: do the units taken to be bought fill every part? */
static bool
fills_parts(const pos_way_t *w)
{
    const pos_effect_t *e = w->act->effect;

    for (uint32_t i = 0; i < w->act->subset_count; i++) {
        uint64_t subset = w->act->subsets[i];
        int64_t  have = 0;

        if (subset & ~bought_parts(e)) {
            continue;
        }
        for (uint32_t k = 0; k < w->kind_count; k++) {
            have += w->kinds[k].parts & subset ? w->take[k * w->role_count] : 0;
        }
        if (have < w->times * need_of(e, subset)) {
            return false;
        }
    }
    return true;
}

static void step(pos_way_t *w, uint32_t at);

static void
take(pos_way_t *w, uint32_t k, uint32_t role, int64_t n)
{
    w->take[k * w->role_count + role] += n;
    w->free[k] -= n;
}

/* So many units more that fit one of the parts, of this kind and those after; most of
 * the first, so that of ways that come to the same the one of the earliest is found first. */
static void
fill(pos_way_t *w, uint32_t at, uint64_t parts, uint32_t role, uint32_t k, int64_t want)
{
    int64_t rest = 0, most;

    if (!goes_on(w)) {
        return;
    }
    if (k == w->kind_count) {
        if (want == 0 && (at > 0 || w->act->effect->kind == POS_EFFECT_NTH || fills_parts(w))) {
            step(w, at + 1);
        }
        return;
    }
    for (uint32_t j = k; j < w->kind_count && rest < want; j++) {
        rest += w->kinds[j].parts & parts ? w->free[j] : 0;
    }
    if (rest < want) {
        return;
    }
    most = w->kinds[k].parts & parts ? w->free[k] : 0;
    for (int64_t n = want < most ? want : most; n >= w->kinds[k].least; n--) {
        take(w, k, role, n);
        fill(w, at, parts, role, k + 1, want - n);
        take(w, k, role, -n);
    }
}

/* Units worth the part's amount, none of them to spare; each repetition for
 * itself, and in order, since their order means nothing. */
static void
cover(pos_way_t *w, uint32_t at, uint32_t part, int64_t again, uint32_t k, int64_t sum, int64_t least)
{
    int64_t  want = w->act->effect->parts[part].amount, n = 0;
    int64_t *mine = &w->covers[(size_t) (again - 1) * w->kind_count];

    if (!goes_on(w)) {
        return;
    }
    if (k == w->kind_count) {
        if (sum < want || sum - least >= want) {
            return;
        }
        for (uint32_t j = 0; again < w->times && j < k && mine[j] >= mine[w->kind_count + j]; j++) {
            if (mine[j] > mine[w->kind_count + j]) {
                return;
            }
        }
        if (again > 1) {
            cover(w, at, part, again - 1, 0, 0, POS_INF);
        } else {
            step(w, at + 1);
        }
        return;
    }
    for (;;) {
        int64_t each = w->kinds[k].amount;

        mine[k] = n;
        take(w, k, 0, n);
        cover(w, at, part, again, k + 1, sum + n * each, n > 0 && each < least ? each : least);
        take(w, k, 0, -n);
        if (!(w->kinds[k].parts >> part & 1) || n == w->free[k] || sum + n * each >= want) {
            return;
        }
        n++;
    }
}

/* First what is bought by number, then each part by amount, then what is got. */
static void
step(pos_way_t *w, uint32_t at)
{
    const pos_effect_t *e = w->act->effect;
    uint32_t            seen = 0;

    if (at == 0) {
        uint64_t counted = e->kind == POS_EFFECT_NTH ? UINT64_MAX : w->act->counted & bought_parts(e);

        fill(w, 0, counted, 0, 0, w->times * (e->kind == POS_EFFECT_NTH ? e->group : need_of(e, counted)));
        return;
    }
    for (uint32_t p = 0; p < e->part_count; p++) {
        if (e->parts[p].amount > 0 && ++seen == at) {
            cover(w, at, p, w->times, 0, 0, POS_INF);
            return;
        }
    }
    if (at - seen <= e->get_count) {
        uint32_t g = at - seen - 1;

        fill(w, at, UINT64_C(1) << (e->part_count + g), 1 + g, 0, w->times * e->gets[g].quantity);
        return;
    }
    one_way(w);
}

/* An nth takes its units from the start of the row: only at the last price is
 * there a choice. */
static void
from_start(pos_way_t *w)
{
    int64_t want = w->times * w->act->effect->group;

    for (uint32_t k = 0; k < w->kind_count; k++) {
        int64_t before = 0, alike = 0;

        for (uint32_t j = 0; j < w->kind_count; j++) {
            bool same = w->kinds[j].amount == w->kinds[k].amount;

            before += !same && stands_before(w, j, k) ? w->kinds[j].units : 0;
            alike += same ? w->kinds[j].units : 0;
        }
        w->kinds[k].least = before + alike <= want ? w->kinds[k].units : 0;
        w->free[k] = before >= want ? 0 : w->kinds[k].units;
    }
}

/* False: there are too many, or none. */
static bool
count_ways(pos_way_t *w)
{
    w->ways = 0;
    w->tries = 0;
    w->judging = false;
    for (uint32_t k = 0; k < w->kind_count; k++) {
        w->free[k] = w->kinds[k].units;
    }
    if (w->act->effect->kind == POS_EFFECT_NTH) {
        from_start(w);
    }
    step(w, 0);
    w->r->work += w->tries / 4;
    return !is_over(w) && w->ways > 0;
}

/* Judges every way; false: there are too many, or none. The cheapest (priciest) are
 * those of the cart: when another deal has them, this one does not go on to the next. */
bool
pos_ways_judge(pos_way_t *w)
{
    w->any = false;
    if (!count_ways(w)) {
        return false;
    }
    if (choose_of(w->act->effect) != POS_CHOOSE_BEST) {
        w->cart->times = w->times;
        if (!count_ways(w->cart)) {
            w->ways = w->cart->ways;
            w->tries = w->cart->tries;
            return false;
        }
        w->worth = w->cart->worth;
    }
    w->judging = true;
    w->tries = 0;
    step(w, 0);
    return w->r->status == POS_OK;
}

/* ---- kinds ---- */

/* Room for so many kinds, and for so many repetitions of a part by amount. Takes are zero. */
static bool
make_room(pos_way_t *w, pos_way_room_t *room, size_t kinds, int64_t times)
{
    size_t each = (kinds + 1) * sizeof(int64_t), roles = w->act->touch_count;
    size_t need = (kinds + 1) * sizeof(*w->kinds) + each * (2 * roles + 1 + (size_t) times + 1);

    w->role_count = w->act->touch_count;
    if (need > room->room) {
        room->room = 2 * need;
        room->bytes = pos_arena_alloc(w->r->plan->work->arena, room->room);
    }
    if (room->bytes == NULL) {
        room->room = 0;
        w->r->status = POS_NO_MEMORY;
        return false;
    }
    memset(room->bytes, 0, need);
    w->kinds = (pos_kind_units_t *) (void *) room->bytes;
    w->take = (int64_t *) (void *) (w->kinds + kinds + 1);
    w->put = w->take + (kinds + 1) * roles;
    w->free = w->put + (kinds + 1) * roles;
    w->covers = w->free + kinds + 1;
    return true;
}

static int64_t
units_of_picks(const pos_way_t *w)
{
    const pos_cart_t *cart = &w->r->plan->work->cart;
    int64_t           units = 0;

    for (uint32_t p = 0; p < w->act->pick_count; p++) {
        units += cart->items[w->act->picks[p].item].units;
    }
    return units;
}

/* What the deal could take, were the cart there for it alone. */
static bool
find_cart(pos_way_t *w)
{
    const pos_cart_t *cart = &w->r->plan->work->cart;

    if (choose_of(w->act->effect) == POS_CHOOSE_BEST) {
        return true;
    }
    *w->cart = (pos_way_t) { .r = w->r, .a = w->a, .act = w->act };
    if (!make_room(w->cart, &w->r->rooms[1], w->act->pick_count, units_of_picks(w))) {
        return false;
    }
    for (uint32_t p = 0; p < w->act->pick_count; p++) {
        const pos_pick_t *pick = &w->act->picks[p];

        w->cart->kinds[w->cart->kind_count++] = (pos_kind_units_t) { .amount = pick->amount, .parts = pick->parts,
            .units = cart->items[pick->item].units };
    }
    return true;
}

/* The classes of the trial, just judged, that the deal may take from. */
bool
pos_way_kinds(pos_way_t *w)
{
    pos_rule_t            *r = w->r;
    const pos_state_t *s = r->trial;
    size_t             words = r->plan->words;
    int64_t            units = units_of_picks(w);

    if (units > POS_MOST_WAYS || !make_room(w, &r->rooms[0], r->base.count, units) || !find_cart(w)) {
        return false;
    }
    for (uint32_t i = 0; i < r->plan->work->cart.item_count; i++) {
        r->pick_of[i] = POS_NIL;
    }
    for (uint32_t p = 0; p < w->act->pick_count; p++) {
        r->pick_of[w->act->picks[p].item] = p;
        if (w->act->picks[p].most != POS_INF) {
            return false;    /* a script's selection */
        }
    }
    for (uint32_t c = 0; c < r->base.count; c++) {
        uint32_t seg = s->first[r->base.items[c]], p = r->pick_of[r->base.items[c]];

        while (seg != POS_NIL && memcmp(&s->bits[(size_t) seg * words], &r->base.bits[c * words], words * sizeof(uint64_t)) != 0) {
            seg = s->segs[seg].next;
        }
        if (p != POS_NIL && seg != POS_NIL && pos_may_touch(s, w->act, seg)) {
            bool nth = w->act->effect->kind == POS_EFFECT_NTH;

            w->kinds[w->kind_count++] = (pos_kind_units_t) { .class = c, .amount = w->act->picks[p].amount,
                .parts = nth ? UINT64_MAX : w->act->picks[p].parts, .units = r->base.units[c] };
        }
    }
    return w->kind_count > 0;
}
