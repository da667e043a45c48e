/*
 * A component solved item by item. All deals that want an item become one, whose
 * options are theirs together; what they take of an item that nobody else wants is
 * then forgotten, and of options that take the same of the others the best is kept.
 * So equal units, equal deals and orders of deciding cost nothing. One that loses
 * more than the gap to the best known is dropped, and the bound falls by what even
 * the best of several deals as one lose.
 *
 * Walks that keep few options at a time find a good solution and so a small gap; one
 * that keeps all within it proves it.
 */

#include "engine/solve_options.h"

#define SLOTS    4096
#define BUCKETS  64

typedef struct {
    pos_component_t *c;
    pos_solve_t     *z;
    uint32_t         slots[SLOTS];
    uint32_t         slot_count;
    uint32_t         count;            /* drafts */
    uint32_t         most;             /* options of several deals as one */
    int64_t          bound, gap;       /* of what does without what was dropped */
    int64_t          dropped;          /* the most that what was dropped could save */
    bool             broken;
} merge_t;

static void
drop(merge_t *m, const pos_option_t *o)
{
    m->dropped = m->bound - o->loss > m->dropped ? m->bound - o->loss : m->dropped;
}

/* ---- two as one ---- */

static uint32_t
hash(const pos_option_t *o, uint32_t words)
{
    uint64_t h = o->exhausts, part;

    for (uint32_t i = 0; i < words; i++) {
        memcpy(&part, o->take + 8 * i, 8);
        h = (h ^ part) * 0x9E3779B97F4A7C15u;
        h ^= h >> 29;
    }
    return (uint32_t) (h >> 20);
}

/* Of drafts that take the same, the best. */
static void
keep_draft(merge_t *m, const pos_option_t *o)
{
    uint32_t at = hash(o, m->c->words) & (m->slot_count - 1);

    for (; m->slots[at]; at = (at + 1) & (m->slot_count - 1)) {
        pos_option_t *old = &m->c->drafts[m->slots[at] - 1];

        if (old->exhausts == o->exhausts && memcmp(old->take, o->take, (size_t) m->c->words * 8) == 0) {
            if (o->loss < old->loss) {
                *old = *o;
            }
            return;
        }
    }
    if (m->count == POS_OPTIONS) {
        drop(m, o);
        return;
    }
    m->c->drafts[m->count] = *o;
    m->slots[at] = ++m->count;
}

/* Both together, without the items that close with them; false: they cannot be, or
 * lose too much. */
static bool
join(const merge_t *m, const pos_option_t *a, const pos_option_t *b, uint64_t closing, pos_option_t *to)
{
    const pos_component_t *c = m->c;
    uint64_t               over = 0;

    for (uint32_t w = 0; w < c->words; w++) {
        uint64_t x, y, room;

        memcpy(&x, a->take + 8 * w, 8);
        memcpy(&y, b->take + 8 * w, 8);
        memcpy(&room, c->room + 8 * w, 8);
        x += y;
        over |= (x + room) & 0x8080808080808080u;
        memcpy(to->take + 8 * w, &x, 8);
    }
    if (over) {
        return false;
    }
    to->exhausts = a->exhausts | b->exhausts;
    to->saved = a->saved + b->saved;
    to->loss = a->loss + b->loss;
    for (uint64_t left = closing; left; left &= left - 1) {
        uint32_t           i = (uint32_t) __builtin_ctzll(left);
        const pos_sitem_t *item = &m->z->items[c->items[i]];
        int64_t            n = c->units[i] - to->take[i], odd = item->cost[n] - item->rate * n;

        if (n > 0 && to->exhausts >> i & 1) {
            return false;
        }
        to->saved -= odd;
        to->loss += odd + c->lambda[i] * n;
        to->take[i] = 0;
    }
    to->exhausts &= ~closing;
    return to->loss <= m->gap;
}

static uint32_t
taken(const pos_option_t *o, uint32_t items)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < items; i++) {
        n += o->take[i];
    }
    return n;
}

/* Of `BUCKETS` equal ones from `least` to `most`. */
static uint32_t
bucket_of(int64_t loss, int64_t least, int64_t most)
{
    return (uint32_t) (((__int128) loss - least) * BUCKETS / ((__int128) most - least + 1));
}

/* Only about the best `most` drafts stay, and the one that takes least, which goes
 * with any other. */
static void
narrow(merge_t *m)
{
    uint32_t counts[BUCKETS + 1] = { 0 }, n = 0, cut = 0, kept = 0, light = 0;
    int64_t  least = INT64_MAX, most = 0;

    if (m->count <= m->most) {
        return;
    }
    for (uint32_t k = 0; k < m->count; k++) {
        least = m->c->drafts[k].loss < least ? m->c->drafts[k].loss : least;
        most = m->c->drafts[k].loss > most ? m->c->drafts[k].loss : most;
        light = taken(&m->c->drafts[k], m->c->item_count) < taken(&m->c->drafts[light], m->c->item_count) ? k : light;
    }
    for (uint32_t k = 0; k < m->count; k++) {
        counts[bucket_of(m->c->drafts[k].loss, least, most)]++;
    }
    while (cut < BUCKETS && n + counts[cut] <= m->most) {
        n += counts[cut++];
    }
    cut = cut ? cut : 1;
    for (uint32_t k = 0; k < m->count; k++) {
        pos_option_t *o = &m->c->drafts[k];

        if (k == light || bucket_of(o->loss, least, most) < cut) {
            m->c->drafts[kept++] = *o;
        } else {
            drop(m, o);
        }
    }
    m->count = kept;
}

/* The drafts as a chooser. */
static void
keep_chooser(merge_t *m, uint32_t left, uint32_t right, uint64_t mask)
{
    pos_component_t *c = m->c;
    pos_chooser_t   *to = &c->choosers[c->count];

    *to = (pos_chooser_t) { .deal = POS_NIL, .left = left, .right = right, .alive = true, .mask = mask };
    if (!pos_pool_fits(m->z, m->count * sizeof(*to->options))) {
        m->broken = true;
        return;
    }
    to->options = pos_pool_alloc(m->z, m->count * sizeof(*to->options));
    if (to->options == NULL) {
        m->broken = true;
        return;
    }
    pos_options_order(c, c->drafts, m->count, to->options);
    to->count = m->count;
    for (uint64_t rest = mask; rest; rest &= rest - 1) {
        to->own[to->own_count++] = (uint8_t) __builtin_ctzll(rest);
    }
    c->choosers[left].alive = false;
    if (right != POS_NIL) {
        c->choosers[right].alive = false;
    }
    c->count++;
}

/* What is decided about the items costs nothing more. */
static void
close_items(merge_t *m, uint64_t closing)
{
    m->c->open &= ~closing;
    for (; closing; closing &= closing - 1) {
        m->c->lambda[__builtin_ctzll(closing)] = 0;
    }
}

/* The bound falls by what the best draft loses. */
static void
lower(merge_t *m)
{
    int64_t least = INT64_MAX;

    for (uint32_t k = 0; k < m->count; k++) {
        least = m->c->drafts[k].loss < least ? m->c->drafts[k].loss : least;
    }
    for (uint32_t k = 0; k < m->count; k++) {
        m->c->drafts[k].loss -= least;
    }
    m->bound -= least;
    m->gap -= least;
}

/* Two choosers as one (or one alone, `right` POS_NIL), without the items that no
 * other wants. */
static void
merge(merge_t *m, uint32_t left, uint32_t right)
{
    static const pos_option_t none;
    pos_component_t          *c = m->c;
    const pos_chooser_t      *a = &c->choosers[left], *b = right == POS_NIL ? NULL : &c->choosers[right];
    const pos_option_t       *others = b ? b->options : &none;
    uint32_t                  other_count = b ? b->count : 1;
    uint64_t                  mask = a->mask | (b ? b->mask : 0), closing = mask;

    for (uint32_t d = 0; d < c->count; d++) {
        closing &= c->choosers[d].alive && d != left && d != right ? ~c->choosers[d].mask : UINT64_MAX;
    }
    m->slot_count = 16;
    while (m->slot_count < SLOTS && m->slot_count < 2 * a->count * other_count) {
        m->slot_count *= 2;
    }
    memset(m->slots, 0, m->slot_count * sizeof(*m->slots));
    m->count = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        uint32_t j = 0;

        for (; j < other_count && a->options[i].loss + others[j].loss <= m->gap; j++) {
            pos_option_t to;

            if (join(m, &a->options[i], &others[j], closing, &to)) {
                to.a = i;
                to.b = j;
                keep_draft(m, &to);
            }
        }
        m->z->work += 1 + j;
        if (m->z->work > m->z->budget) {
            m->broken = true;
            return;
        }
    }
    narrow(m);
    if (m->count == 0) {
        m->gap = -1;    /* nothing better than what is known is left */
        return;
    }
    lower(m);
    keep_chooser(m, left, right, mask & ~closing);
    close_items(m, closing);
}

/* ---- item by item ---- */

/* The item whose choosers make the fewest options together. */
static uint32_t
next_item(const pos_component_t *c)
{
    uint32_t best = POS_NIL;
    uint64_t least = UINT64_MAX;

    for (uint64_t left = c->open; left; left &= left - 1) {
        uint32_t i = (uint32_t) __builtin_ctzll(left);
        uint64_t size = 1;

        for (uint32_t d = 0; d < c->count && size < least; d++) {
            if (c->choosers[d].alive && c->choosers[d].mask >> i & 1) {
                size *= c->choosers[d].count;
            }
        }
        if (size < least) {
            least = size;
            best = i;
        }
    }
    return best;
}

/* The chooser of the item with the fewest options, but this one. */
static uint32_t
smallest(const pos_component_t *c, uint32_t item, uint32_t but)
{
    uint32_t best = POS_NIL;

    for (uint32_t d = 0; d < c->count; d++) {
        if (d != but && c->choosers[d].alive && c->choosers[d].mask >> item & 1 &&
            (best == POS_NIL || c->choosers[d].count < c->choosers[best].count)) {
            best = d;
        }
    }
    return best;
}

/* Options that lose more than the gap are passed over in this walk. */
static void
trim(merge_t *m)
{
    pos_component_t *c = m->c;

    for (uint32_t d = 0; d < c->count; d++) {
        pos_chooser_t *chooser = &c->choosers[d];

        while (chooser->alive && chooser->count > 1 && chooser->options[chooser->count - 1].loss > m->gap) {
            chooser->count--;
        }
    }
    m->z->work += c->count / 8;
}

/* All items, one after the other; what then is the best of each is a solution. */
static void
walk(merge_t *m)
{
    pos_component_t *c = m->c;

    while (c->open && m->gap >= 0 && !m->broken) {
        uint32_t item = next_item(c);

        while (c->open >> item & 1 && m->gap >= 0 && !m->broken) {
            uint32_t a = smallest(c, item, POS_NIL);

            merge(m, a, smallest(c, item, a));
            trim(m);
        }
        m->z->work += c->item_count;
    }
    if (m->broken || m->gap < 0) {
        return;
    }
    for (uint32_t d = 0; d < c->count; d++) {
        c->choosers[d].best = 0;
    }
    pos_options_note(c);
}

/* The deals as they were before the walk. */
static void
restore(pos_component_t *c, const int64_t *lambda)
{
    c->count = c->deal_count;
    c->open = UINT64_MAX >> (64 - c->item_count);
    memcpy(c->lambda, lambda, sizeof(c->lambda));
    for (uint32_t d = 0; d < c->count; d++) {
        c->choosers[d].alive = true;
        c->choosers[d].count = c->choosers[d].listed;
    }
}

/* One walk; the most that the component may save after it. */
static int64_t
pass(merge_t *m, uint32_t most)
{
    pos_component_t *c = m->c;
    pos_pool_mark_t  mark = m->z->pool.at;
    int64_t          lambda[POS_OPTION_ITEMS], bound = m->bound;

    memcpy(lambda, c->lambda, sizeof(lambda));
    m->most = most;
    m->dropped = INT64_MIN;
    walk(m);
    if (!m->broken) {
        /* a nth's row may forbid what was found: then it is no proof */
        bound = m->gap >= 0 && m->bound > m->dropped ? m->bound : m->dropped;
        bound = bound > m->z->best ? bound : m->z->best;
    }
    restore(c, lambda);
    m->z->pool.at = mark;
    return bound;
}

bool
pos_merge(pos_component_t *c, int64_t *bound)
{
    static const struct {
        uint32_t steps, most;
    } passes[] = { { 20, 4 }, { 15, 32 }, { 15, 200 }, { 10, POS_OPTIONS }, { 10, POS_OPTIONS } };
    pos_solve_t *z = c->z;
    merge_t     *m = pos_pool_alloc(z, sizeof(*m));

    if (m == NULL) {
        return false;
    }
    *m = (merge_t) { .c = c, .z = z };
    for (uint32_t k = 0; k < sizeof(passes) / sizeof(passes[0]) && !m->broken; k++) {
        int64_t known, most;

        m->bound = pos_options_bound(c, passes[k].steps);
        *bound = m->bound < *bound ? m->bound : *bound;
        m->gap = m->bound - z->best - POS_SCALE;
        if (m->gap < 0) {
            return true;
        }
        pos_options_drop(c, m->gap);
        known = z->best;
        most = pass(m, passes[k].most);
        *bound = most < *bound ? most : *bound;
        if (*bound < z->best + POS_SCALE) {
            return !pos_broken(z);
        }
        if (passes[k].most == POS_OPTIONS && z->best == known) {
            break;    /* the same again */
        }
    }
    return false;
}
