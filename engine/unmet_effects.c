/*
 * What a cart lacks for an effect to bear on it once: the smallest number of
 * units, or amount, that would do, whoever else wants those that are there.
 */

#include "engine/condition_facts.h"
#include "engine/sorter.h"
#include "engine/unmet.h"

#define EXACT_PARTS  10    /* of a deal: its parts may share what matches several */
#define ALL_SETS     (1u << EXACT_PARTS)
#define EACH_SET     6     /* ticks of looking at a set of parts, */
#define EACH_MOVE    12    /* and of moving an item while sorting */

typedef struct {
    const pos_effect_t *effect;
    pos_effort_t       *effort;
    const pos_cart_t   *cart;
    const pos_part_t   *counted[EXACT_PARTS];    /* parts that ask for units  */
    uint32_t            count;
    int64_t             within[ALL_SETS];        /* units that match parts of the set alone */
    int64_t             asked[ALL_SETS];         /* units its parts ask for   */
} deal_wants_t;

static pos_gap_t
lacks(const pos_filter_t *filter, int64_t quantity, int64_t amount)
{
    return (pos_gap_t) { .reason = "no_items", .filter = filter, .quantity = quantity,
        .amount = amount, .goods = quantity > 0 || amount > 0 };
}

/* ---- deals ---- */

static int64_t
units_of(const pos_filter_t *filter, pos_effort_t *e)
{
    const pos_cart_t *cart = e->cart;
    int64_t           n = 0;

    if (!pos_effort_take_filter(e, filter)) {
        return 0;
    }
    for (uint32_t i = 0; i < cart->item_count; i++) {
        n += pos_filter_match(filter, &cart->items[i]) ? cart->items[i].units : 0;
    }
    return n;
}

static const pos_part_t *
part_of(const pos_effect_t *e, uint32_t p)
{
    return p < e->part_count ? &e->parts[p] : &e->gets[p - e->part_count];
}

/* The most units that the first `parts` parts can be given in all: by Hall, the least,
 * over each set of them, of what matches the set and what the others ask for. */
static int64_t
given(const deal_wants_t *w, uint32_t parts)
{
    uint32_t all = (1u << w->count) - 1, first = (1u << parts) - 1;
    int64_t  least = POS_INF;

    for (uint32_t set = 0; set <= first; set++) {
        int64_t n = w->within[all] - w->within[all & ~set] + w->asked[first] - w->asked[set];

        least = n < least ? n : least;
    }
    return least;
}

/* False: the effort stopped. */
static bool
count_units(deal_wants_t *w)
{
    uint32_t sets = 1u << w->count;

    for (uint32_t p = 0; p < w->count; p++) {
        if (!pos_effort_take_filter(w->effort, w->counted[p]->filter)) {
            return false;
        }
    }
    if (!pos_effort_take(w->effort, EACH_SET * (uint64_t) sets * (w->count + 3))) {
        return false;
    }
    memset(w->within, 0, sets * sizeof(*w->within));
    for (uint32_t i = 0; i < w->cart->item_count; i++) {
        uint32_t mask = 0;

        for (uint32_t p = 0; p < w->count; p++) {
            mask |= (uint32_t) pos_filter_match(w->counted[p]->filter, &w->cart->items[i]) << p;
        }
        w->within[mask] += w->cart->items[i].units;
    }
    for (uint32_t p = 0; p < w->count; p++) {
        for (uint32_t set = 0; set < sets; set++) {
            w->within[set] += set >> p & 1 ? w->within[set ^ 1u << p] : 0;
        }
    }
    w->asked[0] = 0;
    for (uint32_t set = 1; set < sets; set++) {
        w->asked[set] = w->asked[set & (set - 1)] + w->counted[__builtin_ctz(set)]->quantity;
    }
    return true;
}

/* ---- bought by amount ---- */

typedef struct {
    const pos_item_t *item;
    int64_t           price, units;    /* of one; not wanted by other parts yet */
    bool              wanted;          /* by the part by amount */
} stock_t;

static int
by_price(const void *a, const void *b)
{
    const stock_t *x = a, *y = b;

    return (x->price > y->price) - (x->price < y->price);
}

/* All items, the cheapest first; NULL: the effort stopped, or no memory. */
static stock_t *
stock_of(const pos_filter_t *filter, pos_effort_t *e)
{
    const pos_cart_t *cart = e->cart;
    uint32_t          n = cart->item_count, rounds = 2;
    stock_t          *stock;
    pos_sorter_t      sorter;

    for (uint32_t width = 1; width < n; width *= 2) {
        rounds++;
    }
    if (!pos_effort_take_filter(e, filter) || !pos_effort_take(e, EACH_MOVE * (uint64_t) n * rounds)) {
        return NULL;
    }
    stock = pos_arena_alloc(cart->arena, 2 * ((size_t) n + 1) * sizeof(*stock));
    if (stock == NULL) {
        e->stopped = true;
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        const pos_item_t *item = &cart->items[i];

        stock[i] = (stock_t) { item, item->measured ? item->subtotal : item->unit_price, item->units,
            pos_filter_match(filter, item) };
    }
    pos_sorter_init(&sorter, stock, stock + n + 1, n, sizeof(*stock), by_price);
    while (!pos_sorter_step(&sorter, UINT32_MAX)) {
    }
    return stock;
}

/* Another part takes its units: `wanted` ones or the others. What it still needs. */
static int64_t
take_units(stock_t *stock, uint32_t n, const pos_filter_t *filter, bool wanted, int64_t need)
{
    for (uint32_t i = 0; i < n && need > 0; i++) {
        int64_t units = stock[i].units < need ? stock[i].units : need;

        if (units > 0 && stock[i].wanted == wanted && pos_filter_match(filter, stock[i].item)) {
            stock[i].units -= units;
            need -= units;
        }
    }
    return need;
}

/* A part by amount has what the others leave it; they take elsewhere first, then what
 * is cheapest. */
static int64_t
amount_lacking(const deal_wants_t *w, const pos_part_t *part)
{
    uint32_t n = w->cart->item_count;
    stock_t *stock = stock_of(part->filter, w->effort);
    int64_t  have = 0;

    if (stock == NULL) {
        return 0;
    }
    for (uint32_t p = 0; p < w->count; p++) {
        const pos_filter_t *filter = w->counted[p]->filter;

        if (!pos_effort_take_filter(w->effort, filter) || !pos_effort_take_filter(w->effort, filter)) {
            return 0;
        }
        (void) take_units(stock, n, filter, true,
            take_units(stock, n, filter, false, w->counted[p]->quantity));
    }
    for (uint32_t i = 0; i < n && have < part->amount; i++) {
        have += stock[i].wanted ? stock[i].units * stock[i].price : 0;
    }
    return have < part->amount ? part->amount - have : 0;
}

/* ---- all of a deal ---- */

static void
add_piece(pos_gap_t *sum, const pos_gap_t *piece, pos_effort_t *effort)
{
    if (!piece->goods) {
        return;
    }
    if (sum->reason == NULL) {
        *sum = *piece;
    } else {
        pos_gap_add(sum, piece, effort);
    }
}

/* More parts than can be weighed against each other: each by itself. */
static void
large_deal_gap(const deal_wants_t *w, pos_gap_t *out)
{
    for (uint32_t p = 0; p < w->effect->part_count + w->effect->get_count && !w->effort->stopped; p++) {
        const pos_part_t *part = part_of(w->effect, p);
        int64_t           n = part->quantity - units_of(part->filter, w->effort);
        pos_gap_t         piece = lacks(part->filter, n > 0 ? n * POS_THOUSANDTHS : 0, 0);

        add_piece(out, &piece, w->effort);
    }
}

static void
deal_gap(const pos_effect_t *e, pos_effort_t *effort, pos_gap_t *out)
{
    uint32_t     parts = e->part_count + e->get_count;
    deal_wants_t w;
    int64_t      before = 0;

    w.effect = e;
    w.effort = effort;
    w.cart = effort->cart;
    w.count = 0;
    if (parts > EXACT_PARTS) {
        large_deal_gap(&w, out);
        return;
    }
    for (uint32_t p = 0; p < parts; p++) {
        if (part_of(e, p)->amount == 0) {
            w.counted[w.count++] = part_of(e, p);
        }
    }
    if (!count_units(&w)) {
        return;
    }
    for (uint32_t k = 0; k < w.count; k++) {
        int64_t   now = given(&w, k + 1), n = w.counted[k]->quantity - (now - before);
        pos_gap_t piece = lacks(w.counted[k]->filter, n * POS_THOUSANDTHS, 0);

        before = now;
        add_piece(out, &piece, effort);
    }
    for (uint32_t p = 0; p < parts && !effort->stopped; p++) {
        if (part_of(e, p)->amount > 0) {
            pos_gap_t piece = lacks(part_of(e, p)->filter, 0, amount_lacking(&w, part_of(e, p)));

            add_piece(out, &piece, effort);
        }
    }
}

/* ---- the others ---- */

static pos_gap_t
items_gap(const pos_effect_t *e, pos_effort_t *effort)
{
    bool enough = e->shipping_too && effort->cart->has_shipping;

    if (!enough && pos_effort_take_filter(effort, e->filter)) {
        enough = pos_facts_quantity(e->filter, effort->cart) > 0;
    }
    return lacks(e->filter, enough ? 0 : POS_THOUSANDTHS, 0);
}

/* The first step is the nearest one. */
static pos_gap_t
tiers_gap(const pos_effect_t *e, pos_effort_t *effort)
{
    const pos_cart_t *cart = effort->cart;
    int64_t           have = 0;
    pos_gap_t         g;

    if (!pos_effort_take_filter(effort, e->filter)) {
        return lacks(e->filter, 0, 0);
    }
    if (e->count_all) {
        have = pos_facts_quantity(e->filter, cart);
    }
    for (uint32_t i = 0; i < cart->item_count && !e->count_all; i++) {
        if (cart->items[i].quantity > have && pos_filter_match(e->filter, &cart->items[i])) {
            have = cart->items[i].quantity;
        }
    }
    g = lacks(e->filter, have < e->tiers[0].threshold ? e->tiers[0].threshold - have : 0, 0);
    g.line = !e->count_all;
    return g;
}

static pos_gap_t
order_tiers_gap(const pos_effect_t *e, pos_effort_t *effort)
{
    int64_t have;

    if (!pos_effort_take_filter(effort, e->filter)) {
        return lacks(e->filter, 0, 0);
    }
    have = pos_facts_amount(e->filter, effort->cart, true);
    if (have < e->tiers[0].threshold) {
        return lacks(e->filter, 0, e->tiers[0].threshold - have);
    }
    return items_gap(e, effort);
}

static pos_gap_t
nth_gap(const pos_effect_t *e, pos_effort_t *effort)
{
    int64_t have = units_of(e->filter, effort);

    return lacks(e->filter, have < e->group ? (e->group - have) * POS_THOUSANDTHS : 0, 0);
}

static pos_gap_t
gift_gap(const pos_effect_t *e, pos_effort_t *effort)
{
    int64_t have = e->gift_per_quantity;

    if (e->gift_per && pos_effort_take_filter(effort, e->gift_per)) {
        have = pos_facts_quantity(e->gift_per, effort->cart);
    }
    return lacks(e->gift_per, have < e->gift_per_quantity ? e->gift_per_quantity - have : 0, 0);
}

static pos_gap_t
goods_of(const pos_effect_t *e, pos_effort_t *effort)
{
    pos_gap_t g = { .reason = NULL };

    switch (e->kind) {
    case POS_EFFECT_MARKDOWN:
    case POS_EFFECT_ORDER:
        return items_gap(e, effort);
    case POS_EFFECT_LINE_TIERS:
        return tiers_gap(e, effort);
    case POS_EFFECT_ORDER_TIERS:
        return order_tiers_gap(e, effort);
    case POS_EFFECT_NTH:
        return nth_gap(e, effort);
    case POS_EFFECT_GIFT:
        return gift_gap(e, effort);
    case POS_EFFECT_BUY_GET:
    case POS_EFFECT_BUNDLE:
        deal_gap(e, effort, &g);
        return g;
    default:
        return g;
    }
}

bool
pos_effect_gap(const pos_effect_t *e, pos_effort_t *effort, pos_gap_t *out)
{
    pos_gap_t goods = goods_of(e, effort);

    if (effort->stopped || !pos_condition_gap(e->when, effort, out)) {
        *out = goods;
        return !effort->stopped && goods.goods;
    }
    if (pos_str_eq(pos_str_z(out->reason), pos_str("no_items"))) {
        out->reason = "condition";    /* of the two, what holds the effect back */
    }
    if (goods.goods) {
        pos_gap_join(out, &goods, effort);
    }
    return !effort->stopped;
}
