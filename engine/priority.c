/*
 * `optimise: priority`: promotions in order of priority then id, each used if it
 * can be, and what is used stays used. A deal takes, of the units that those
 * before it left, the ones that save most, as often as one time more lowers what
 * is paid.
 *
 * Units that are treated alike are a *kind*; a *way* says how many of each kind a
 * deal takes in each of its roles. Every way is judged by evaluate.c where there
 * are few; a deal with more takes the dearest units, as deal.c does.
 */

#include "engine/state.h"

#define MOST_WAYS  400    /* of one deal, done so often */

typedef struct {
    uint32_t class;       /* in the claims that the deal is added to */
    uint64_t parts;       /* of the deal that it fits                */
    int64_t  amount;      /* of a unit before discounts              */
    int64_t  units;
    int64_t  least;       /* of it that every way takes              */
} kind_t;

typedef struct {
    const pos_plan_t *plan;
    uint64_t          nodes, work, budget;
    pos_status_t      status;
    pos_state_t      *best, *trial;
    pos_choice_t     *choice;
    pos_claims_t      now, base, better, found, tried, judged;
    uint32_t         *pick_of;      /* by item */
} rule_t;

/* One deal, done `times` times. */
typedef struct way_s {
    rule_t          *r;
    struct way_s    *cart;          /* the same, were no unit taken: for `choose` */
    uint32_t         a;
    const pos_act_t *act;
    uint32_t         role_count, kind_count;
    kind_t          *kinds;
    int64_t         *take;          /* by kind and role */
    int64_t         *put;           /* the same, an nth's rewarded apart */
    int64_t         *free;          /* by kind */
    int64_t         *covers;        /* by repetition and kind: of a part by amount */
    int64_t          times, ways;
    int64_t          worth;         /* of the rewarded units as `choose` wants them */
    bool             judging;       /* else ways are counted */
    bool             any;           /* some way is permitted */
} way_t;

/* ---- claims ---- */

static bool
grow(rule_t *r, pos_claims_t *c, uint32_t room)
{
    size_t       words = r->plan->words;
    pos_arena_t *arena = r->plan->work->arena;
    pos_claims_t n = { .count = c->count, .room = 2 * room, .times = c->times };

    if (room <= c->room) {
        return true;
    }
    n.items = pos_arena_alloc(arena, n.room * sizeof(*n.items));
    n.units = pos_arena_alloc(arena, n.room * sizeof(*n.units));
    n.bits = pos_arena_alloc(arena, n.room * words * sizeof(*n.bits));
    if (n.times == NULL) {
        n.times = pos_arena_array(arena, r->plan->act_count + 1, sizeof(*n.times));
    }
    if (!n.items || !n.units || !n.bits || !n.times) {
        r->status = POS_NO_MEMORY;
        return false;
    }
    if (c->count) {
        memcpy(n.items, c->items, c->count * sizeof(*n.items));
        memcpy(n.units, c->units, c->count * sizeof(*n.units));
        memcpy(n.bits, c->bits, c->count * words * sizeof(*n.bits));
    }
    *c = n;
    return true;
}

static void
put_class(rule_t *r, pos_claims_t *c, uint32_t item, int64_t units, const uint64_t *bits, uint32_t touch)
{
    size_t words = r->plan->words;

    if (units < 1 || !grow(r, c, c->count + 1)) {
        return;
    }
    c->items[c->count] = item;
    c->units[c->count] = units;
    memcpy(&c->bits[c->count * words], bits, words * sizeof(*bits));
    if (touch != POS_NIL) {
        pos_bit_set(&c->bits[c->count * words], touch);
    }
    c->count++;
}

static void
copy_claims(rule_t *r, pos_claims_t *to, const pos_claims_t *from)
{
    size_t words = r->plan->words;

    to->count = 0;
    if (!grow(r, to, from->count + 1)) {
        return;
    }
    to->count = from->count;
    memcpy(to->items, from->items, from->count * sizeof(*to->items));
    memcpy(to->units, from->units, from->count * sizeof(*to->units));
    memcpy(to->bits, from->bits, from->count * words * sizeof(*to->bits));
    memcpy(to->times, from->times, r->plan->act_count * sizeof(*to->times));
}

static void
swap_claims(pos_claims_t *a, pos_claims_t *b)
{
    pos_claims_t t = *a;

    *a = *b;
    *b = t;
}

/* Units of an item keep their order in the claims; those that are treated alike
 * are judged as one class. */
static void
merge(rule_t *r, const pos_claims_t *from, pos_claims_t *to)
{
    size_t   words = r->plan->words;
    uint32_t first = 0;

    to->count = 0;
    if (!grow(r, to, from->count + 1)) {
        return;
    }
    for (uint32_t k = 0; k < from->count; k++) {
        uint32_t at;

        if (to->count && to->items[to->count - 1] != from->items[k]) {
            first = to->count;
        }
        for (at = first; at < to->count; at++) {
            if (memcmp(&to->bits[at * words], &from->bits[k * words], words * sizeof(uint64_t)) == 0) {
                break;
            }
        }
        if (at < to->count) {
            to->units[at] += from->units[k];
        } else {
            put_class(r, to, from->items[k], from->units[k], &from->bits[k * words], POS_NIL);
        }
    }
    memcpy(to->times, from->times, r->plan->act_count * sizeof(*to->times));
}

/* A state's classes, before anything is worked out on them. */
static void
read_classes(rule_t *r, const pos_state_t *s, pos_claims_t *out)
{
    out->count = 0;
    if (!grow(r, out, s->seg_count + 1)) {
        return;
    }
    for (uint32_t i = 0; i < r->plan->work->cart.item_count; i++) {
        for (uint32_t seg = s->first[i]; seg != POS_NIL; seg = s->segs[seg].next) {
            put_class(r, out, i, s->segs[seg].units, &s->bits[(size_t) seg * r->plan->words], POS_NIL);
        }
    }
    memcpy(out->times, s->times, r->plan->act_count * sizeof(*out->times));
}

/* ---- judging ---- */

/* Is it permitted, and does candidate k do something? */
static bool
judge(rule_t *r, const pos_claims_t *claims, uint32_t k, pos_state_t *s)
{
    merge(r, claims, &r->judged);
    if (r->status != POS_OK) {
        return false;
    }
    r->choice->claims = &r->judged;
    r->nodes++;
    r->status = pos_evaluate(s, r->choice);
    r->work += s->seg_count + s->adjust_count + r->plan->act_count;
    for (uint32_t j = 0; r->status == POS_OK && j <= k; j++) {
        if (r->choice->used[j] && s->off[j] == 2) {
            return false;
        }
    }
    return r->status == POS_OK && s->worked[k];
}

static void
load(rule_t *r, const pos_claims_t *claims)
{
    pos_state_reset(r->trial, r->choice);
    pos_claims_load(r->trial, claims);
    r->status = r->trial->status;
}

/* ---- ways ---- */

static void
put_way(way_t *w, pos_claims_t *out)
{
    rule_t             *r = w->r;
    const pos_claims_t *base = &r->base;
    size_t              words = r->plan->words;
    uint32_t            k = 0;

    out->count = 0;
    if (!grow(r, out, base->count + 1)) {
        return;
    }
    for (uint32_t c = 0; c < base->count && r->status == POS_OK; c++) {
        int64_t left = base->units[c];

        if (k < w->kind_count && w->kinds[k].class == c) {
            for (uint32_t role = 0; role < w->role_count; role++) {
                int64_t n = w->put[k * w->role_count + role];

                put_class(r, out, base->items[c], n, &base->bits[c * words], w->act->touch + role);
                left -= n;
            }
            k++;
        }
        put_class(r, out, base->items[c], left, &base->bits[c * words], POS_NIL);
    }
    memcpy(out->times, base->times, r->plan->act_count * sizeof(*out->times));
    out->times[w->a] = w->times;
}

/* The kind's place in an nth's row; ties in canonical order. */
static bool
stands_before(const way_t *w, uint32_t j, uint32_t k)
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
reward_nth(way_t *w)
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
worth_of(const way_t *w)
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
one_way(way_t *w)
{
    rule_t *r = w->r;
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
    if (!judge(r, &r->tried, w->act->candidate, r->trial)) {
        return;
    }
    if (!w->any || r->trial->objective < r->best->objective ||
        (r->trial->objective == r->best->objective && pos_earlier(r->trial, r->best))) {
        pos_state_t *s = r->best;

        r->best = r->trial;
        r->trial = s;
        swap_claims(&r->better, &r->tried);
        w->any = true;
    }
}

static bool
is_over(const way_t *w)
{
    return w->ways > MOST_WAYS || w->r->status != POS_OK;
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
fills_parts(const way_t *w)
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

static void step(way_t *w, uint32_t at);

static void
take(way_t *w, uint32_t k, uint32_t role, int64_t n)
{
    w->take[k * w->role_count + role] += n;
    w->free[k] -= n;
}

/* So many units more that fit one of the parts, of this kind and those after; most of
 * the first, so that of ways that come to the same the one of the earliest is found first. */
static void
fill(way_t *w, uint32_t at, uint64_t parts, uint32_t role, uint32_t k, int64_t want)
{
    int64_t rest = 0, most;

    if (is_over(w)) {
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
cover(way_t *w, uint32_t at, uint32_t part, int64_t again, uint32_t k, int64_t sum, int64_t least)
{
    int64_t  want = w->act->effect->parts[part].amount, n = 0;
    int64_t *mine = &w->covers[(size_t) (again - 1) * w->kind_count];

    if (is_over(w)) {
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
step(way_t *w, uint32_t at)
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
from_start(way_t *w)
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
count_ways(way_t *w)
{
    w->ways = 0;
    w->judging = false;
    for (uint32_t k = 0; k < w->kind_count; k++) {
        w->free[k] = w->kinds[k].units;
    }
    if (w->act->effect->kind == POS_EFFECT_NTH) {
        from_start(w);
    }
    step(w, 0);
    return !is_over(w) && w->ways > 0;
}

/* Judges every way; false: there are too many, or none. The cheapest (priciest) are
 * those of the cart: when another deal has them, this one does not go on to the next. */
static bool
all_ways(way_t *w)
{
    w->any = false;
    if (!count_ways(w)) {
        return false;
    }
    if (choose_of(w->act->effect) != POS_CHOOSE_BEST) {
        w->cart->times = w->times;
        if (!count_ways(w->cart)) {
            w->ways = w->cart->ways;
            return false;
        }
        w->worth = w->cart->worth;
    }
    w->judging = true;
    step(w, 0);
    return w->r->status == POS_OK;
}

/* ---- one deal ---- */

/* Room for so many kinds, and for so many repetitions of a part by amount. */
static bool
make_room(way_t *w, size_t kinds, int64_t times)
{
    pos_arena_t *arena = w->r->plan->work->arena;

    w->role_count = w->act->touch_count;
    w->kinds = pos_arena_alloc(arena, (kinds + 1) * sizeof(*w->kinds));
    w->take = pos_arena_array(arena, (kinds + 1) * w->role_count, sizeof(*w->take));
    w->put = pos_arena_array(arena, (kinds + 1) * w->role_count, sizeof(*w->put));
    w->free = pos_arena_array(arena, kinds + 1, sizeof(*w->free));
    w->covers = pos_arena_array(arena, kinds + 1, (size_t) (times + 1) * sizeof(*w->covers));
    if (!w->kinds || !w->take || !w->put || !w->free || !w->covers) {
        w->r->status = POS_NO_MEMORY;
    }
    return w->r->status == POS_OK;
}

static int64_t
units_of_picks(const way_t *w)
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
find_cart(way_t *w)
{
    const pos_cart_t *cart = &w->r->plan->work->cart;

    if (choose_of(w->act->effect) == POS_CHOOSE_BEST) {
        return true;
    }
    *w->cart = (way_t) { .r = w->r, .a = w->a, .act = w->act };
    if (!make_room(w->cart, w->act->pick_count, units_of_picks(w))) {
        return false;
    }
    for (uint32_t p = 0; p < w->act->pick_count; p++) {
        const pos_pick_t *pick = &w->act->picks[p];

        w->cart->kinds[w->cart->kind_count++] = (kind_t) { .amount = pick->amount, .parts = pick->parts,
            .units = cart->items[pick->item].units };
    }
    return true;
}

/* The classes of the trial, just judged, that the deal may take from. */
static bool
find_kinds(way_t *w)
{
    rule_t            *r = w->r;
    const pos_state_t *s = r->trial;
    size_t             words = r->plan->words;
    int64_t            units = units_of_picks(w);

    if (units > MOST_WAYS || !make_room(w, r->base.count, units) || !find_cart(w)) {
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

            w->kinds[w->kind_count++] = (kind_t) { .class = c, .amount = w->act->picks[p].amount,
                .parts = nth ? UINT64_MAX : w->act->picks[p].parts, .units = r->base.units[c] };
        }
    }
    return w->kind_count > 0;
}

static int64_t
uses_left(const rule_t *r, const pos_claims_t *claims, uint32_t k)
{
    const pos_candidate_t *c = &r->plan->candidates[k];
    int64_t                left = c->uses_max;

    for (uint32_t i = 0; left != POS_INF && i < c->act_count; i++) {
        left -= r->plan->acts[c->acts[i]].phase == POS_PHASE_DEAL ? claims->times[c->acts[i]] : 0;
    }
    return left;
}

/* The dearest units, as often as there are units for it. */
static bool
take_dearest(rule_t *r, uint32_t a, int64_t least)
{
    uint32_t k = r->plan->acts[a].candidate;

    load(r, &r->base);
    if (r->status == POS_OK) {
        r->trial->uses_left[k] = uses_left(r, &r->base, k);
        pos_deal_claim(r->trial, a);
        r->status = r->trial->status;
    }
    if (r->status != POS_OK || r->trial->times[a] < 1) {
        return false;
    }
    read_classes(r, r->trial, &r->tried);
    if (!judge(r, &r->tried, k, r->trial) || r->trial->objective >= least) {
        return false;
    }
    swap_claims(&r->base, &r->tried);
    return true;
}

/* Adds the deal to the base where that lowers what is paid, `*least`. The trial
 * is the base, judged. */
static bool
add_deal(rule_t *r, uint32_t a, int64_t *least)
{
    const pos_act_t *act = &r->plan->acts[a];
    way_t            cart, w = { .r = r, .cart = &cart, .a = a, .act = act };
    int64_t          most = uses_left(r, &r->base, act->candidate);
    bool             few, added = false;

    most = act->effect->repeat < most ? act->effect->repeat : most;
    few = (act->subset_count == 0 || act->subset_count == (UINT64_C(1) << __builtin_popcountll(act->counted)) - 1) &&
        find_kinds(&w) && r->work <= r->budget;
    for (w.times = 1; few && w.times <= most; w.times++) {
        if (!all_ways(&w)) {
            few = w.ways <= MOST_WAYS;
            break;
        }
        if (!w.any || r->best->objective >= *least) {
            break;
        }
        *least = r->best->objective;
        swap_claims(&r->found, &r->better);
        added = true;
    }
    if (r->status != POS_OK) {
        return false;
    }
    if (!few && take_dearest(r, a, *least)) {
        *least = r->trial->objective;
        return true;
    }
    if (added) {
        copy_claims(r, &r->base, &r->found);
    }
    return added;
}

/* ---- one promotion ---- */

/* What needs no choice: its markdowns and order discounts, on all they may touch. */
static void
add_rest(rule_t *r, uint32_t k)
{
    const pos_candidate_t *c = &r->plan->candidates[k];

    load(r, &r->now);
    for (uint32_t i = 0; r->status == POS_OK && i < c->act_count; i++) {
        if (r->plan->acts[c->acts[i]].phase == POS_PHASE_MARKDOWN) {
            pos_markdown_claim(r->trial, c->acts[i]);
        } else if (r->plan->acts[c->acts[i]].phase == POS_PHASE_ORDER) {
            pos_order_claim(r->trial, c->acts[i]);
        }
        r->status = r->trial->status;
    }
    if (r->status == POS_OK) {
        read_classes(r, r->trial, &r->base);
    }
}

/* Uses the promotion where it can be; `*least` is what is paid. */
static bool
add_promotion(rule_t *r, uint32_t k, int64_t *least)
{
    const pos_candidate_t *c = &r->plan->candidates[k];
    bool                   added;

    r->choice->used[k] = 1;
    add_rest(r, k);
    added = r->status == POS_OK && judge(r, &r->base, k, r->trial);
    *least = added ? r->trial->objective : *least;
    for (uint32_t i = 0; r->status == POS_OK && i < c->act_count; i++) {
        if (r->plan->acts[c->acts[i]].phase == POS_PHASE_DEAL && add_deal(r, c->acts[i], least)) {
            added = true;
            (void) judge(r, &r->base, k, r->trial);
        }
    }
    r->choice->used[k] = added;
    if (added) {
        swap_claims(&r->now, &r->base);
    }
    return added;
}

static void
start(rule_t *r)
{
    const pos_cart_t *cart = &r->plan->work->cart;
    uint64_t         *none = pos_arena_array(r->plan->work->arena, r->plan->words, sizeof(*none));

    r->pick_of = pos_arena_array(r->plan->work->arena, cart->item_count + 1, sizeof(*r->pick_of));
    if (none == NULL || r->pick_of == NULL) {
        r->status = POS_NO_MEMORY;
        return;
    }
    (void) grow(r, &r->now, cart->item_count + 1);
    (void) grow(r, &r->better, cart->item_count + 1);
    (void) grow(r, &r->found, cart->item_count + 1);
    for (uint32_t i = 0; i < cart->item_count; i++) {
        put_class(r, &r->now, i, cart->items[i].units, none, POS_NIL);
    }
}

pos_status_t
pos_by_priority(const pos_plan_t *plan, uint32_t banned, uint64_t budget, pos_state_t **best,
    pos_state_t **trial, pos_choice_t *choice, uint64_t *nodes, bool *whole)
{
    rule_t  r = { .plan = plan, .budget = budget, .best = *best, .trial = *trial, .choice = choice };
    bool    any = false, alone = false;
    int64_t least = POS_INF;

    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        choice->used[k] = 0;
        choice->order[k] = k;
        choice->repeat[k] = POS_INF;
    }
    start(&r);
    if (r.status == POS_OK && plan->candidate_count) {
        (void) judge(&r, &r.now, 0, r.trial);
        least = r.trial->objective;
    }
    for (uint32_t k = 0; r.status == POS_OK && k < plan->candidate_count && r.work <= 8 * budget; k++) {
        bool stands_alone = plan->candidates[k].promotion->stacking == POS_STACK_ALONE;

        if (k != banned && !alone && !(stands_alone && any) && add_promotion(&r, k, &least)) {
            any = true;
            alone = stands_alone;
        }
    }
    *whole = r.work <= 8 * budget;
    if (r.status == POS_OK) {
        merge(&r, &r.now, &r.judged);
    }
    if (r.status == POS_OK) {
        choice->claims = &r.judged;
        r.status = pos_evaluate(r.best, choice);
        choice->claims = pos_arena_alloc(plan->work->arena, sizeof(*choice->claims));
        if (choice->claims) {
            *choice->claims = r.judged;
        } else {
            r.status = POS_NO_MEMORY;
        }
    }
    *best = r.best;
    *trial = r.trial;
    *nodes += r.nodes;
    return r.status;
}
