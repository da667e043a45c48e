/*
 * What a cart lacks for an effect to bear on it once: the smallest number of
 * units, or amount, that would do, whoever else wants those that are there.
 */

#include "engine/condition_facts.h"
#include "engine/unmet.h"

#define EXACT_PARTS  10    /* of a deal: its parts may share what matches several */

typedef struct {
    const pos_effect_t *effect;
    const pos_cart_t   *cart;
    const pos_part_t   *counted[EXACT_PARTS];    /* parts that ask for units  */
    uint32_t            count;
    int64_t             units[1u << EXACT_PARTS];    /* by the parts they match */
} deal_wants_t;

static pos_gap_t
lacks(const pos_filter_t *filter, int64_t quantity, int64_t amount)
{
    return (pos_gap_t) { .reason = "no_items", .filter = filter, .quantity = quantity,
        .amount = amount, .mendable = quantity > 0 || amount > 0 };
}

/* ---- deals ---- */

static int64_t
units_of(const pos_filter_t *filter, const pos_cart_t *cart)
{
    int64_t n = 0;

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

/* Units that match any part of a set. */
static int64_t
matching(const deal_wants_t *w, uint32_t set)
{
    int64_t n = 0;

    for (uint32_t mask = 1; mask < 1u << w->count; mask++) {
        n += mask & set ? w->units[mask] : 0;
    }
    return n;
}

/* The most units that the first `parts` parts can be given in all: by Hall, the least,
 * over each set of them, of what matches the set and what the others ask for. */
static int64_t
given(const deal_wants_t *w, uint32_t parts)
{
    int64_t least = POS_INF;

    for (uint32_t set = 0; set < 1u << parts; set++) {
        int64_t n = matching(w, set);

        for (uint32_t p = 0; p < parts; p++) {
            n += set >> p & 1 ? 0 : w->counted[p]->quantity;
        }
        least = n < least ? n : least;
    }
    return least;
}

static void
count_units(deal_wants_t *w)
{
    for (uint32_t i = 0; i < w->cart->item_count; i++) {
        uint32_t mask = 0;

        for (uint32_t p = 0; p < w->count; p++) {
            mask |= (uint32_t) pos_filter_match(w->counted[p]->filter, &w->cart->items[i]) << p;
        }
        w->units[mask] += w->cart->items[i].units;
    }
}

/* What the cheapest units cost of those that match both. */
static int64_t
cheapest(const pos_cart_t *cart, const pos_filter_t *a, const pos_filter_t *b, int64_t units)
{
    int64_t sum = 0, below = -1;

    while (units > 0) {
        int64_t price = POS_INF, n = 0;

        for (uint32_t i = 0; i < cart->item_count; i++) {
            const pos_item_t *item = &cart->items[i];
            int64_t           one = item->measured ? item->subtotal : item->unit_price;

            if (one <= below || one > price || !pos_filter_match(a, item) || !pos_filter_match(b, item)) {
                continue;
            }
            n = one < price ? item->units : n + item->units;
            price = one;
        }
        if (price == POS_INF) {
            return sum;
        }
        n = n < units ? n : units;
        sum += n * price;
        units -= n;
        below = price;
    }
    return sum;
}

/* A part by amount has what the others leave it; they take elsewhere first, then what
 * is cheapest. */
static int64_t
amount_lacking(const deal_wants_t *w, const pos_part_t *part)
{
    int64_t have = pos_facts_amount(part->filter, w->cart, false);

    for (uint32_t p = 0; p < w->count; p++) {
        const pos_filter_t *other = w->counted[p]->filter;
        int64_t             need = w->counted[p]->quantity;

        for (uint32_t i = 0; i < w->cart->item_count; i++) {
            const pos_item_t *item = &w->cart->items[i];

            need -= pos_filter_match(other, item) && !pos_filter_match(part->filter, item)
                ? item->units : 0;
        }
        have -= cheapest(w->cart, part->filter, other, need);
    }
    return have < part->amount ? part->amount - (have > 0 ? have : 0) : 0;
}

static void
add_piece(pos_gap_t *sum, const pos_gap_t *piece, pos_arena_t *arena)
{
    if (!piece->mendable) {
        return;
    }
    if (sum->reason == NULL) {
        *sum = *piece;
    } else {
        pos_gap_add(sum, piece, arena);
    }
}

/* More parts than can be weighed against each other: each by itself. */
static void
large_deal_gap(const deal_wants_t *w, pos_gap_t *out)
{
    for (uint32_t p = 0; p < w->effect->part_count + w->effect->get_count; p++) {
        const pos_part_t *part = part_of(w->effect, p);
        int64_t           n = part->quantity - units_of(part->filter, w->cart);
        pos_gap_t         piece = lacks(part->filter, n > 0 ? n * POS_THOUSANDTHS : 0, 0);

        add_piece(out, &piece, w->cart->arena);
    }
}

static void
deal_gap(const pos_effect_t *e, const pos_cart_t *cart, pos_gap_t *out)
{
    uint32_t     parts = e->part_count + e->get_count;
    deal_wants_t w = { .effect = e, .cart = cart };
    int64_t      before = 0;

    if (parts > EXACT_PARTS) {
        large_deal_gap(&w, out);
        return;
    }
    for (uint32_t p = 0; p < parts; p++) {
        if (part_of(e, p)->amount == 0) {
            w.counted[w.count++] = part_of(e, p);
        }
    }
    count_units(&w);
    for (uint32_t k = 0; k < w.count; k++) {
        int64_t   now = given(&w, k + 1), n = w.counted[k]->quantity - (now - before);
        pos_gap_t piece = lacks(w.counted[k]->filter, n * POS_THOUSANDTHS, 0);

        before = now;
        add_piece(out, &piece, cart->arena);
    }
    for (uint32_t p = 0; p < parts; p++) {
        if (part_of(e, p)->amount > 0) {
            pos_gap_t piece = lacks(part_of(e, p)->filter, 0, amount_lacking(&w, part_of(e, p)));

            add_piece(out, &piece, cart->arena);
        }
    }
}

/* ---- the others ---- */

static pos_gap_t
items_gap(const pos_effect_t *e, const pos_cart_t *cart)
{
    bool enough = pos_facts_quantity(e->filter, cart) > 0 || (e->shipping_too && cart->has_shipping);

    return lacks(e->filter, enough ? 0 : POS_THOUSANDTHS, 0);
}

/* The first step is the nearest one. */
static pos_gap_t
tiers_gap(const pos_effect_t *e, const pos_cart_t *cart)
{
    int64_t   have = 0;
    pos_gap_t g;

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
order_tiers_gap(const pos_effect_t *e, const pos_cart_t *cart)
{
    int64_t have = pos_facts_amount(e->filter, cart, true);

    if (have < e->tiers[0].threshold) {
        return lacks(e->filter, 0, e->tiers[0].threshold - have);
    }
    return items_gap(e, cart);
}

static pos_gap_t
nth_gap(const pos_effect_t *e, const pos_cart_t *cart)
{
    int64_t have = units_of(e->filter, cart);

    return lacks(e->filter, have < e->group ? (e->group - have) * POS_THOUSANDTHS : 0, 0);
}

static pos_gap_t
gift_gap(const pos_effect_t *e, const pos_cart_t *cart)
{
    int64_t have = e->gift_per ? pos_facts_quantity(e->gift_per, cart) : e->gift_per_quantity;

    return lacks(e->gift_per, have < e->gift_per_quantity ? e->gift_per_quantity - have : 0, 0);
}

static pos_gap_t
goods_of(const pos_effect_t *e, const pos_cart_t *cart)
{
    pos_gap_t g = { .reason = NULL };

    switch (e->kind) {
    case POS_EFFECT_MARKDOWN:
    case POS_EFFECT_ORDER:
        return items_gap(e, cart);
    case POS_EFFECT_LINE_TIERS:
        return tiers_gap(e, cart);
    case POS_EFFECT_ORDER_TIERS:
        return order_tiers_gap(e, cart);
    case POS_EFFECT_NTH:
        return nth_gap(e, cart);
    case POS_EFFECT_GIFT:
        return gift_gap(e, cart);
    case POS_EFFECT_BUY_GET:
    case POS_EFFECT_BUNDLE:
        deal_gap(e, cart, &g);
        return g;
    default:
        return g;
    }
}

bool
pos_effect_gap(const pos_effect_t *e, const pos_cart_t *cart, pos_gap_t *out)
{
    pos_gap_t goods = goods_of(e, cart);

    if (pos_condition_holds(e->when, cart)) {
        *out = goods;
        return goods.reason != NULL && goods.mendable;
    }
    *out = pos_condition_gap(e->when, cart);
    if (pos_str_eq(pos_str_z(out->reason), pos_str("no_items"))) {
        out->reason = "condition";    /* of the two, what holds the effect back */
    }
    if (goods.mendable) {
        pos_gap_join(out, &goods, cart->arena);
    }
    return true;
}
