/*
 * Deals over few units: every way in which each deal can take them is written down, once
 * a quote. What the deals still to come make of the units left at best is known for each
 * number of them, so that a choice is followed only while it can be better than the best
 * known. Of costs that do not add up the least is known, and settling says what they are.
 */

#include "engine/solve.h"

#define MOST_STATES  4096     /* numbers of units that can be left       */
#define MOST_NUMBERS 200000   /* of all deals                            */
#define MOST_TRIES   30000    /* of all deals, to find their ways        */
#define MOST_WAYS    4000     /* of one deal                             */
#define TRY_STEPS    4

/* Numbers of units, item by item, in one word: a field each, and above it a bit that is
 * borrowed from where there are too few. `index` counts such words from 0. */
typedef struct {
    uint64_t units;
    uint32_t index;
} count_t;

typedef struct {
    bool      made;
    uint32_t  count, vars;
    count_t  *taken;
    int64_t  *times;
    uint16_t *x;          /* by way and var of the deal */
} ways_t;

struct pos_small_s {
    uint32_t  item_count;
    uint32_t *items;
    count_t  *one;        /* of each item */
    uint64_t  guards;
    count_t   all;
    uint32_t  state_count;
    ways_t   *ways;       /* by act */
};

typedef struct {
    pos_solve_t       *z;
    const pos_small_t *s;
    int64_t          **rest;     /* by deal and index: what is left costs at least */
    int64_t          **cost;     /* by deal and way */
    int64_t            limit;    /* what costs so much is no better than the best */
    int64_t            apart;    /* items that no deal could take */
} descent_t;

/* ---- what there is to take ---- */

/* Ways at most in which a deal's vars share each item's units; it stops at MOST_TRIES. */
static uint64_t
tries_of(const pos_plan_t *plan, const pos_act_t *act, uint64_t most)
{
    const pos_effect_t *e = act->effect;
    uint64_t            tries = 1;

    for (uint32_t p = 0; p < act->pick_count && tries <= most; p++) {
        uint64_t units = (uint64_t) plan->work->cart.items[act->picks[p].item].units, ways = 1, roles = 1;

        if (e->kind == POS_EFFECT_BUY_GET) {
            roles = (act->picks[p].parts & ((UINT64_C(1) << e->part_count) - 1)) != 0;
            roles += (uint64_t) __builtin_popcountll(act->picks[p].parts >> e->part_count);
        }
        for (uint64_t k = 1; k <= roles && ways <= most; k++) {
            ways = ways * (units + k) / k;
        }
        tries *= ways;
    }
    return tries;
}

static bool
add_item(pos_small_t *s, uint32_t item, int64_t units, uint32_t *bit)
{
    uint32_t width = 1;

    while (units >> width) {
        width++;
    }
    if (*bit + width + 1 > 64 || s->state_count * (uint64_t) (units + 1) > MOST_STATES) {
        return false;
    }
    s->items[s->item_count] = item;
    s->one[s->item_count] = (count_t) { UINT64_C(1) << *bit, s->state_count };
    s->all.units += (uint64_t) units << *bit;
    s->all.index += (uint32_t) units * s->state_count;
    s->guards |= UINT64_C(1) << (*bit + width);
    s->state_count *= (uint32_t) units + 1;
    s->item_count++;
    *bit += width + 1;
    return true;
}

/* NULL: there is too much of it, or no memory (`status`). */
static pos_small_t *
make_small(pos_solve_t *z)
{
    const pos_plan_t *plan = z->plan;
    pos_arena_t      *arena = plan->work->arena;
    uint64_t          tries = 0, most = z->whole / 16 < MOST_TRIES ? z->whole / 16 : MOST_TRIES;
    uint32_t          bit = 0;
    uint32_t          deals = 0;
    pos_small_t      *s;

    for (uint32_t a = 0; a < plan->act_count; a++) {
        tries += plan->acts[a].phase == POS_PHASE_DEAL && tries <= most ? tries_of(plan, &plan->acts[a], most) : 0;
        deals += plan->acts[a].phase == POS_PHASE_DEAL;
    }
    if (tries > most) {
        return NULL;
    }
    s = pos_arena_zalloc(arena, sizeof(*s));
    if (s != NULL) {
        s->items = pos_arena_alloc(arena, (z->item_count + 1) * sizeof(*s->items));
        s->one = pos_arena_alloc(arena, (z->item_count + 1) * sizeof(*s->one));
        s->ways = pos_arena_array(arena, plan->act_count + 1, sizeof(*s->ways));
    }
    if (s == NULL || !s->items || !s->one || !s->ways) {
        z->status = POS_NO_MEMORY;
        return NULL;
    }
    s->state_count = 1;
    memset(z->elsewhere, 0, z->item_count * sizeof(*z->elsewhere));
    for (uint32_t a = 0; a < plan->act_count; a++) {
        for (uint32_t p = 0; plan->acts[a].phase == POS_PHASE_DEAL && p < plan->acts[a].pick_count; p++) {
            z->elsewhere[plan->acts[a].picks[p].item] = 1;
        }
    }
    for (uint32_t i = 0; i < z->item_count; i++) {
        if (z->elsewhere[i] && !add_item(s, i, plan->work->cart.items[i].units, &bit)) {
            return NULL;
        }
    }
    return (uint64_t) s->state_count * deals <= MOST_NUMBERS ? s : NULL;
}

/* ---- ways ---- */

typedef struct {
    pos_solve_t      *z;
    const pos_deal_t *d;
    ways_t           *w;
    uint32_t          room;
    bool              full;
} listing_t;

static bool
grow(listing_t *l)
{
    pos_arena_t *arena = l->z->plan->work->arena;
    ways_t       n = *l->w;

    l->room = l->room ? 2 * l->room : 32;
    n.taken = pos_arena_alloc(arena, l->room * sizeof(*n.taken));
    n.times = pos_arena_alloc(arena, l->room * sizeof(*n.times));
    n.x = pos_arena_alloc(arena, ((size_t) l->room * n.vars + 1) * sizeof(*n.x));
    if (!n.taken || !n.times || !n.x) {
        l->z->status = POS_NO_MEMORY;
        return false;
    }
    if (n.count) {
        memcpy(n.taken, l->w->taken, n.count * sizeof(*n.taken));
        memcpy(n.times, l->w->times, n.count * sizeof(*n.times));
        memcpy(n.x, l->w->x, (size_t) n.count * n.vars * sizeof(*n.x));
    }
    *l->w = n;
    return true;
}

static void
keep_way(listing_t *l)
{
    pos_solve_t       *z = l->z;
    ways_t            *w = l->w;
    const pos_small_t *s = z->small;
    int64_t            times = pos_deal_times(z, l->d);

    z->work += TRY_STEPS;
    if (times < 1) {
        return;
    }
    if (w->count == MOST_WAYS) {
        l->full = true;
        return;
    }
    if (w->count == l->room && !grow(l)) {
        return;
    }
    w->taken[w->count] = (count_t) { 0, 0 };
    w->times[w->count] = times;
    for (uint32_t k = 0; k < l->d->count; k++) {
        const pos_var_t *v = &z->vars[l->d->first + k];
        uint32_t         i = 0;

        while (s->items[i] != v->item) {
            i++;
        }
        w->taken[w->count].units += (uint64_t) v->x * s->one[i].units;
        w->taken[w->count].index += (uint32_t) v->x * s->one[i].index;
        w->x[(size_t) w->count * w->vars + k] = (uint16_t) v->x;
    }
    w->count++;
}

/* Every number that the var and those after it can take. */
static void
try_from(listing_t *l, uint32_t k)
{
    pos_var_t *v = &l->z->vars[l->d->first + k];

    if (l->full || l->z->status != POS_OK) {
        return;
    }
    if (k == l->d->count) {
        keep_way(l);
        return;
    }
    for (int32_t n = 0; n <= v->cap && n <= l->z->elsewhere[v->item]; n++) {
        v->x = n;
        l->z->elsewhere[v->item] -= n;
        try_from(l, k + 1);
        l->z->elsewhere[v->item] += n;
    }
    v->x = 0;
}

/* False: there are too many. */
static bool
list_ways(pos_solve_t *z, const pos_deal_t *d)
{
    listing_t l = { .z = z, .d = d, .w = &z->small->ways[d->act] };

    if (!l.w->made) {
        l.w->made = true;
        l.w->vars = d->count;
        for (uint32_t i = 0; i < z->item_count; i++) {
            z->elsewhere[i] = z->items[i].units;
        }
        try_from(&l, 0);
        l.w->count = l.full ? POS_NIL : l.w->count;
    }
    return l.w->count != POS_NIL && l.w->vars == d->count && z->status == POS_OK;
}

static void
set_way(pos_solve_t *z, const pos_deal_t *d, const ways_t *w, uint32_t way)
{
    for (uint32_t k = 0; k < d->count; k++) {
        z->vars[d->first + k].x = w->x[(size_t) way * w->vars + k];
    }
}

static void
set_none(pos_solve_t *z, const pos_deal_t *d)
{
    for (uint32_t k = 0; k < d->count; k++) {
        z->vars[d->first + k].x = 0;
    }
}

/* ---- what is left ---- */

static int64_t
units_in(const pos_small_t *s, count_t c, uint32_t i)
{
    uint64_t above = i + 1 < s->item_count ? s->one[i + 1].units : 0;

    return (int64_t) ((above ? c.units & (above - 1) : c.units) / s->one[i].units);
}

/* Is there as much? Then it is taken off. */
static bool
take_off(const pos_small_t *s, count_t *from, count_t taken)
{
    uint64_t left = (from->units | s->guards) - taken.units;

    if ((left & s->guards) != s->guards) {
        return false;
    }
    *from = (count_t) { left & ~s->guards, from->index - taken.index };
    return true;
}

/* The next number of units, from none; false: that was the last. */
static bool
next_count(const pos_small_t *s, count_t *c)
{
    for (uint32_t i = 0; i < s->item_count; i++) {
        if (units_in(s, *c, i) < units_in(s, s->all, i)) {
            c->units += s->one[i].units;
            c->index += s->one[i].index;
            return true;
        }
        c->index -= (uint32_t) units_in(s, *c, i) * s->one[i].index;
        c->units -= (uint64_t) units_in(s, *c, i) * s->one[i].units;
    }
    return false;
}

/* The least that all ways of the deal and those after it come to, for each number left. */
static bool
fill_rest(descent_t *t, uint32_t d)
{
    pos_solve_t       *z = t->z;
    const pos_small_t *s = t->s;
    const ways_t      *w = &s->ways[z->deals[d].act];
    int64_t           *rest = pos_pool_alloc(z, s->state_count * sizeof(*rest)), *after = t->rest[d + 1];
    int64_t           *best = pos_pool_alloc(z, s->state_count * sizeof(*best));
    uint32_t          *first = pos_pool_alloc(z, (w->count + 1) * sizeof(*first)), n = 0;
    count_t            c = { 0, 0 };

    if (!rest || !best || !first) {
        return false;
    }
    for (uint32_t i = 0; i < s->state_count; i++) {
        best[i] = POS_INF;
    }
    for (uint32_t k = 0; k < w->count; k++) {
        int64_t *b = &best[w->taken[k].index];

        if (*b == POS_INF) {
            first[n++] = k;
        }
        *b = t->cost[d][k] < *b ? t->cost[d][k] : *b;
    }
    z->work += (uint64_t) s->state_count * (n + 4) / 4 + w->count;
    do {
        int64_t least = after[c.index];

        for (uint32_t k = 0; k < n; k++) {
            count_t left = c;

            if (take_off(s, &left, w->taken[first[k]]) && best[w->taken[first[k]].index] + after[left.index] < least) {
                least = best[w->taken[first[k]].index] + after[left.index];
            }
        }
        rest[c.index] = least;
    } while (next_count(s, &c));
    t->rest[d] = rest;
    return true;
}

static bool
fill_last(descent_t *t)
{
    pos_solve_t       *z = t->z;
    const pos_small_t *s = t->s;
    int64_t           *rest = pos_pool_alloc(z, s->state_count * sizeof(*rest));
    count_t            c = { 0, 0 };

    if (rest == NULL) {
        return false;
    }
    z->work += s->state_count;
    do {
        int64_t sum = 0;

        for (uint32_t i = 0; i < s->item_count; i++) {
            sum += z->items[s->items[i]].cost[units_in(s, c, i)];
        }
        rest[c.index] = sum;
    } while (next_count(s, &c));
    t->rest[z->deal_count] = rest;
    return true;
}

/* ---- the descent ---- */

static int64_t
least_with(const descent_t *t, int64_t lines)
{
    return pos_model_after(t->z, lines - t->z->constant);
}

/* The least that lines may cost without coming to more than what is known. */
static void
set_limit(descent_t *t)
{
    int64_t low = 0, high = t->z->plan->work->cart.subtotal * POS_SCALE + 1;
    int64_t most = t->z->state->objective + t->z->ties;

    while (low < high) {
        int64_t middle = low + (high - low) / 2;

        t->z->work += 8;
        if (least_with(t, middle) >= most) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    t->limit = low;
}

static void
leave_open(descent_t *t, int64_t lines)
{
    int64_t least = least_with(t, lines);

    t->z->stop = true;
    t->z->least = least < t->z->least ? least : t->z->least;
}

static void descend(descent_t *t, uint32_t d, count_t left, int64_t cost);

static void
follow(descent_t *t, uint32_t d, uint32_t way, count_t left, int64_t cost)
{
    pos_solve_t  *z = t->z;
    const ways_t *w = &t->s->ways[z->deals[d].act];

    if (way == POS_NIL) {
        set_none(z, &z->deals[d]);
        descend(t, d + 1, left, cost);
    } else if (take_off(t->s, &left, w->taken[way])) {
        set_way(z, &z->deals[d], w, way);
        descend(t, d + 1, left, cost + t->cost[d][way]);
    }
}

/* What the way comes to at least; POS_INF: there are no such units. */
static int64_t
value_of(const descent_t *t, uint32_t d, uint32_t way, count_t left, int64_t cost)
{
    const ways_t *w = &t->s->ways[t->z->deals[d].act];

    if (way == POS_NIL) {
        return cost + t->rest[d + 1][left.index];
    }
    return take_off(t->s, &left, w->taken[way]) ? cost + t->cost[d][way] + t->rest[d + 1][left.index] : POS_INF;
}

/* The most promising way first, since what it comes to spares others. */
static void
descend(descent_t *t, uint32_t d, count_t left, int64_t cost)
{
    pos_solve_t *z = t->z;
    uint32_t     count, best = POS_NIL;
    int64_t      least;

    if (z->stop || z->status != POS_OK || z->work > z->budget) {
        leave_open(t, cost + t->rest[d][left.index]);
        return;
    }
    if (d == z->deal_count) {
        int64_t before = z->state->objective;

        z->nodes++;
        pos_settle(z);
        if (z->stop) {
            leave_open(t, cost + t->rest[d][left.index]);
        }
        if (z->state->objective < before) {
            set_limit(t);
        }
        return;
    }
    count = z->deals[d].count ? t->s->ways[z->deals[d].act].count : 0;
    z->work += 2 + count / 4;
    least = value_of(t, d, POS_NIL, left, cost);
    for (uint32_t k = 0; k < count; k++) {
        int64_t value = value_of(t, d, k, left, cost);

        if (value < least) {
            least = value;
            best = k;
        }
    }
    if (least < t->limit) {
        follow(t, d, best, left, cost);
    }
    if (best != POS_NIL && value_of(t, d, POS_NIL, left, cost) < t->limit) {
        follow(t, d, POS_NIL, left, cost);
    }
    for (uint32_t k = 0; k < count && least < t->limit; k++) {
        if (k != best && value_of(t, d, k, left, cost) < t->limit) {
            follow(t, d, k, left, cost);
        }
    }
}

static bool
make_costs(descent_t *t)
{
    pos_solve_t *z = t->z;

    t->rest = pos_pool_alloc(z, (z->deal_count + 1) * sizeof(*t->rest));
    t->cost = pos_pool_alloc(z, (z->deal_count + 1) * sizeof(*t->cost));
    if (!t->rest || !t->cost || !fill_last(t)) {
        return false;
    }
    for (uint32_t d = z->deal_count; d-- > 0;) {
        const pos_deal_t *deal = &z->deals[d];
        const ways_t     *w = &t->s->ways[deal->act];

        if (deal->count == 0) {
            t->rest[d] = t->rest[d + 1];
            continue;
        }
        t->cost[d] = pos_pool_alloc(z, (w->count + 1) * sizeof(int64_t));
        for (uint32_t k = 0; t->cost[d] && k < w->count; k++) {
            set_way(z, deal, w, k);
            t->cost[d][k] = pos_deal_cost(z, deal, w->times[k]);
        }
        z->work += w->count * 2;
        if (!t->cost[d] || !fill_rest(t, d)) {
            return false;
        }
    }
    return true;
}

/* Items that no deal could take at all. */
static int64_t
cost_apart(const pos_solve_t *z)
{
    const pos_small_t *s = z->small;
    int64_t            sum = 0;
    uint32_t           k = 0;

    for (uint32_t i = 0; i < z->item_count; i++) {
        if (k < s->item_count && s->items[k] == i) {
            k++;
        } else {
            sum += z->items[i].cost[z->items[i].units];
        }
    }
    return sum;
}

/* Is there time to say what is left at best, and for a descent? */
static bool
has_time(const pos_solve_t *z)
{
    uint64_t work = z->work;

    for (uint32_t d = 0; d < z->deal_count; d++) {
        work += z->deals[d].count ? (uint64_t) z->small->state_count * z->small->ways[z->deals[d].act].count / 4 : 0;
    }
    return work < z->budget;
}

bool
pos_search_small(pos_solve_t *z)
{
    pos_pool_mark_t mark = z->pool.at;
    descent_t       t = { .z = z };
    bool            fits;

    if (!z->small_asked) {
        z->small_asked = true;
        z->small = make_small(z);
    }
    fits = z->small != NULL;
    for (uint32_t d = 0; fits && d < z->deal_count; d++) {
        fits = z->deals[d].count == 0 || list_ways(z, &z->deals[d]);
    }
    for (uint32_t v = 0; v < z->var_count; v++) {
        z->vars[v].x = 0;
    }
    if (!fits) {
        z->small = NULL;
        return z->status != POS_OK;
    }
    if (!has_time(z)) {
        return false;
    }
    t.s = z->small;
    t.apart = cost_apart(z);
    if (!make_costs(&t)) {
        return true;    /* `status` or `too_large` says so */
    }
    set_limit(&t);
    z->nodes++;
    if (t.apart + t.rest[0][t.s->all.index] < t.limit) {
        descend(&t, 0, t.s->all, t.apart);
    }
    z->pool.at = mark;
    return true;
}
