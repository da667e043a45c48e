/*
 * A component solved deal by deal. What matters of the deals decided is only how
 * many units they left of the items that later deals want: the frontier. Of all
 * ways to one frontier the one that has lost least against the Lagrangian bound
 * is kept; a way that has lost more than the gap is dropped. So equal units,
 * equal deals and orders of deciding cost nothing, and where the frontier stays
 * narrow, many overlapping deals do not either.
 */

#include "engine/solve.h"

#define ITEMS       48      /* of a component                        */
#define CLAIMS      1300    /* of one deal                           */
#define DEALS       96
#define VARS        40      /* of one deal                           */
#define CHUNK       1024    /* labels                                */
#define CHUNKS      40
#define SLOTS       16384
#define STAGE_MOST  9000    /* labels of one stage                   */
#define BUCKETS     64

typedef struct {
    int64_t  loss;
    uint32_t parent;
    uint16_t claim;
    uint16_t dropped;
    uint8_t  left[ITEMS];
} label_t;

typedef struct {
    int64_t loss;
    uint8_t take[ITEMS];    /* by the deal's own items */
    uint8_t x[VARS];        /* by its vars             */
} claim_t;

typedef struct {
    pos_solve_t *z;
    uint32_t     item_count, items[ITEMS];     /* of the component          */
    uint32_t     deal_count, deals[DEALS];     /* in order of deciding      */
    uint32_t     last[ITEMS];                  /* the stage an item ends at */
    claim_t     *claims;
    uint32_t     claim_count;
    uint32_t     own_count, own[ITEMS];        /* items of the stage's deal */
    label_t     *chunks[CHUNKS];
    uint32_t     label_count;
    uint32_t     stage_from[DEALS + 1];
    uint32_t    *slots;
    int64_t      bound, gap, dropped;          /* the least loss of what was dropped */
    bool         broken;
} frontier_t;

static label_t *
label(const frontier_t *f, uint32_t i)
{
    return &f->chunks[i / CHUNK][i % CHUNK];
}

static uint32_t
local_item(const frontier_t *f, uint32_t item)
{
    for (uint32_t k = 0; k < f->item_count; k++) {
        if (f->items[k] == item) {
            return k;
        }
    }
    return POS_NIL;
}

static bool
deal_has(const frontier_t *f, uint32_t deal, uint32_t item)
{
    const pos_deal_t *d = &f->z->deals[deal];

    for (uint32_t k = 0; k < d->count; k++) {
        if (f->z->vars[d->first + k].item == item) {
            return true;
        }
    }
    return false;
}

/* ---- order ---- */

static bool
gather(frontier_t *f)
{
    pos_solve_t *z = f->z;

    for (uint32_t d = 0; d < z->deal_count; d++) {
        if (z->deals[d].component != z->component || z->deals[d].count == 0) {
            continue;
        }
        if (f->deal_count == DEALS || z->deals[d].count > VARS) {
            return false;
        }
        f->deals[f->deal_count++] = d;
        for (uint32_t k = 0; k < z->deals[d].count; k++) {
            uint32_t item = z->vars[z->deals[d].first + k].item;

            if (local_item(f, item) != POS_NIL) {
                continue;
            }
            if (f->item_count == ITEMS || z->items[item].units > 200) {
                return false;
            }
            f->items[f->item_count++] = item;
        }
    }
    return f->deal_count > 0;
}

/* Next the deal that opens fewest items beyond those it ends. */
static void
order_deals(frontier_t *f)
{
    uint8_t open[ITEMS] = { 0 };

    for (uint32_t at = 0; at < f->deal_count; at++) {
        uint32_t best = at, t;
        int32_t  least = INT32_MAX;

        for (uint32_t k = at; k < f->deal_count; k++) {
            int32_t cost = 0;

            for (uint32_t i = 0; i < f->item_count; i++) {
                bool later = false;

                if (!deal_has(f, f->deals[k], f->items[i])) {
                    continue;
                }
                for (uint32_t j = at; j < f->deal_count && !later; j++) {
                    later = j != k && deal_has(f, f->deals[j], f->items[i]);
                }
                cost += later ? !open[i] : open[i] ? -1 : 0;
            }
            if (cost < least) {
                least = cost;
                best = k;
            }
        }
        t = f->deals[best];
        memmove(&f->deals[at + 1], &f->deals[at], (best - at) * sizeof(*f->deals));
        f->deals[at] = t;
        for (uint32_t i = 0; i < f->item_count; i++) {
            if (deal_has(f, t, f->items[i])) {
                open[i] = 1;
                f->last[i] = at;
            }
        }
    }
}

/* ---- a deal's claims ---- */

static void
add_claim(frontier_t *f, pos_deal_t *d)
{
    pos_solve_t *z = f->z;
    int64_t      times = pos_deal_times(z, d), saved, loss;
    claim_t     *c = &f->claims[f->claim_count];

    z->work += 4;
    if (times < 0) {
        return;
    }
    saved = -pos_deal_cost(z, d, times);
    memset(c, 0, sizeof(*c));
    for (uint32_t k = 0; k < d->count; k++) {
        const pos_var_t *v = &z->vars[d->first + k];

        c->x[k] = (uint8_t) v->x;
        saved += v->x * (z->items[v->item].rate - z->items[v->item].lambda);
        for (uint32_t i = 0; i < f->own_count; i++) {
            c->take[i] += f->items[f->own[i]] == v->item ? (uint8_t) v->x : 0;
        }
    }
    loss = d->value - saved;
    if (loss > f->gap) {
        return;
    }
    /* of claims that take the same, the best */
    for (uint32_t k = 0; k < f->claim_count; k++) {
        if (memcmp(f->claims[k].take, c->take, ITEMS) == 0) {
            c->loss = loss;
            f->claims[k] = loss < f->claims[k].loss ? *c : f->claims[k];
            return;
        }
    }
    c->loss = loss;
    f->broken |= ++f->claim_count == CLAIMS;
}

static void
each_claim(frontier_t *f, pos_deal_t *d, uint32_t var)
{
    pos_var_t *v;
    int64_t    room;

    if (f->broken || f->z->work > f->z->budget) {
        f->broken = true;
        return;
    }
    if (var == d->count) {
        add_claim(f, d);
        return;
    }
    f->z->work++;
    v = &f->z->vars[d->first + var];
    room = f->z->items[v->item].units;
    for (uint32_t k = 0; k < var; k++) {
        room -= f->z->vars[d->first + k].item == v->item ? f->z->vars[d->first + k].x : 0;
    }
    for (v->x = 0; v->x <= v->cap && v->x <= room; v->x++) {
        each_claim(f, d, var + 1);
    }
    v->x = 0;
}

static void
make_claims(frontier_t *f, uint32_t deal)
{
    f->own_count = 0;
    f->claim_count = 0;
    for (uint32_t i = 0; i < f->item_count; i++) {
        if (deal_has(f, deal, f->items[i])) {
            f->own[f->own_count++] = i;
        }
    }
    each_claim(f, &f->z->deals[deal], 0);
}

/* ---- labels ---- */

static uint32_t
hash(const uint8_t *left)
{
    uint64_t h = 1469598103934665603u, part;

    for (uint32_t i = 0; i < ITEMS; i += 8) {
        memcpy(&part, left + i, 8);
        h = (h ^ part) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    return (uint32_t) (h >> 20) % SLOTS;
}

static bool
more_labels(frontier_t *f)
{
    uint32_t chunk = f->label_count / CHUNK;

    if (chunk == CHUNKS) {
        return false;
    }
    if (f->chunks[chunk] == NULL) {
        f->chunks[chunk] = pos_pool_alloc(f->z, CHUNK * sizeof(label_t));
    }
    return f->chunks[chunk] != NULL;
}

static void
reach(frontier_t *f, uint32_t stage, const label_t *to)
{
    uint32_t at = hash(to->left);

    /* what earlier stages left in the table is empty to this one */
    for (; f->slots[at] > f->stage_from[stage]; at = (at + 1) % SLOTS) {
        label_t *old = label(f, f->slots[at] - 1);

        if (memcmp(old->left, to->left, ITEMS) == 0) {
            if (to->loss < old->loss) {
                old->loss = to->loss;
                old->parent = to->parent;
                old->claim = to->claim;
            }
            return;
        }
    }
    if (f->label_count - f->stage_from[stage] >= STAGE_MOST || !more_labels(f)) {
        f->dropped = to->loss < f->dropped ? to->loss : f->dropped;
        return;
    }
    *label(f, f->label_count) = *to;
    f->slots[at] = ++f->label_count;
}

/* The label after one claim; false: it has lost too much. */
static bool
advance(const frontier_t *f, uint32_t stage, const label_t *from, const claim_t *c, label_t *to)
{
    *to = *from;
    to->loss += c->loss;
    for (uint32_t i = 0; i < f->own_count && to->loss <= f->gap; i++) {
        const pos_sitem_t *item = &f->z->items[f->items[f->own[i]]];
        uint8_t           *left = &to->left[f->own[i]];

        if (*left < c->take[i]) {
            return false;
        }
        *left -= c->take[i];
        if (f->last[f->own[i]] == stage) {
            to->loss += item->lambda * *left + item->cost[*left] - item->rate * *left;
            *left = 0;
        }
    }
    return to->loss <= f->gap;
}

/* Keeps the best of a stage, about so many. */
static void
narrow(frontier_t *f, uint32_t from, uint32_t most)
{
    uint32_t counts[BUCKETS + 1] = { 0 }, n = 0, cut = 0;

    if (f->label_count - from <= most) {
        return;
    }
    for (uint32_t i = from; i < f->label_count; i++) {
        counts[label(f, i)->loss * BUCKETS / (f->gap + 1)]++;
    }
    while (cut < BUCKETS && n + counts[cut] <= most) {
        n += counts[cut++];
    }
    cut = cut ? cut : 1;
    for (uint32_t i = from; i < f->label_count; i++) {
        label_t *l = label(f, i);

        if (l->loss * BUCKETS / (f->gap + 1) >= cut) {
            l->dropped = 1;
            f->dropped = l->loss < f->dropped ? l->loss : f->dropped;
        }
    }
}

static void
walk(frontier_t *f, uint32_t most)
{
    label_t start = { 0 }, to;

    f->dropped = POS_INF;
    for (uint32_t i = 0; i < f->item_count; i++) {
        start.left[i] = (uint8_t) f->z->items[f->items[i]].units;
    }
    memset(f->slots, 0, SLOTS * sizeof(*f->slots));
    f->label_count = 0;
    f->stage_from[0] = 0;
    if (!more_labels(f)) {
        f->broken = true;
        return;
    }
    *label(f, f->label_count++) = start;
    for (uint32_t stage = 0; stage < f->deal_count && !f->broken; stage++) {
        uint32_t from = f->stage_from[stage], until = f->label_count;

        make_claims(f, f->deals[stage]);
        f->stage_from[stage + 1] = until;
        for (uint32_t i = from; i < until && !f->broken; i++) {
            if (label(f, i)->dropped) {
                continue;
            }
            for (uint32_t c = 0; c < f->claim_count; c++) {
                if (advance(f, stage, label(f, i), &f->claims[c], &to)) {
                    to.parent = i;
                    to.claim = (uint16_t) c;
                    reach(f, stage + 1, &to);
                }
            }
            f->z->work += f->claim_count;
            f->broken |= f->z->work > f->z->budget;
        }
        narrow(f, until, most);
    }
}

/* The way to the best last label, as x. False: there is none within the gap. */
static bool
trace(frontier_t *f, int64_t *loss)
{
    uint32_t at = POS_NIL;

    for (uint32_t i = f->stage_from[f->deal_count]; i < f->label_count; i++) {
        if (at == POS_NIL || label(f, i)->loss < label(f, at)->loss) {
            at = i;
        }
    }
    if (at == POS_NIL) {
        return false;
    }
    *loss = label(f, at)->loss;
    for (uint32_t stage = f->deal_count; stage-- > 0; at = label(f, at)->parent) {
        pos_deal_t *d = &f->z->deals[f->deals[stage]];
        const claim_t *c;

        make_claims(f, f->deals[stage]);
        c = &f->claims[label(f, at)->claim];
        for (uint32_t k = 0; k < d->count; k++) {
            f->z->vars[d->first + k].x = c->x[k];
        }
    }
    return !f->broken;
}

/* Walks with few labels, then more, for a good solution and a small gap, then with all. True: what is best
 * in the component is known. Else `*bound` is lowered to what was not seen. */
bool
pos_frontier(pos_solve_t *z, int64_t *bound)
{
    static const uint32_t widths[] = { 60, 600, STAGE_MOST };
    pos_pool_mark_t       mark = z->pool.at;
    frontier_t           *f = pos_pool_alloc(z, sizeof(*f));
    bool                  solved = false;

    if (f == NULL) {
        return false;
    }
    memset(f, 0, sizeof(*f));
    f->z = z;
    f->bound = *bound;
    f->claims = pos_pool_alloc(z, CLAIMS * sizeof(*f->claims));
    f->slots = pos_pool_alloc(z, SLOTS * sizeof(*f->slots));
    if (f->claims == NULL || f->slots == NULL || !gather(f)) {
        z->pool.at = mark;
        return false;
    }
    order_deals(f);
    for (uint32_t pass = 0; pass < 3 && !solved && !f->broken; pass++) {
        int64_t loss = POS_INF;
        bool    found;

        f->gap = f->bound - z->best - POS_SCALE;
        if (f->gap < 0) {
            solved = true;
            break;
        }
        walk(f, widths[pass]);
        if (f->broken) {
            break;
        }
        found = trace(f, &loss);
        if (found) {
            pos_search_note(z);
        }
        /* a nth's row may forbid what was found: then it is no proof */
        if (f->dropped == POS_INF) {
            solved = !found || z->best > f->bound - loss - POS_SCALE;
        }
        loss = f->dropped < loss ? f->dropped : loss;
        if (loss != POS_INF && f->bound - loss < *bound) {
            *bound = f->bound - loss;
        }
    }
    z->pool.at = mark;
    return solved && !pos_broken(z);
}
