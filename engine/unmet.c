/*
 * Why a condition does not hold, and the smallest change of the cart that
 * would make it hold: the till's "one more for half price".
 *
 * Of "all" the first part that fails gives the reason, and what is missing is
 * only told when every failing part can be told; parts that no change of the
 * cart's goods could mend (store, channel, customer) come first as reasons.
 * Of "any" the part that asks least is told.
 */

#include "engine/unmet.h"

#include "base/json_write.h"
#include "engine/condition_facts.h"

static pos_gap_t
gap(const char *reason)
{
    return (pos_gap_t) { .reason = reason };
}


/* How far a fact is below its range; 0 when it is above (nothing to add). */
static int64_t
short_of(const pos_range_t *range, int64_t fact)
{
    return range->min != POS_NONE && fact < range->min ? range->min - fact : 0;
}


static int64_t
best_line(const pos_condition_t *c, const pos_cart_t *cart)
{
    int64_t best = 0;

    for (uint32_t i = 0; i < cart->item_count; i++) {
        const pos_item_t *item = &cart->items[i];

        if (item->quantity > best && item->quantity < c->range.min
            && pos_filter_match(c->filter, item))
        {
            best = item->quantity;
        }
    }
    return best;
}


static pos_gap_t
goods_gap(const pos_condition_t *c, const pos_cart_t *cart)
{
    pos_gap_t   g = gap("condition");
    int64_t have;

    g.filter = c->filter;
    switch (c->kind) {
    case POS_COND_ITEMS_QUANTITY:
        have = pos_facts_quantity(c->filter, cart);
        g.quantity = short_of(&c->range, have);
        g.mendable = g.quantity > 0;
        g.reason = have == 0 && g.mendable ? "no_items" : "condition";
        return g;
    case POS_COND_ITEMS_AMOUNT:
        have = pos_facts_amount(c->filter, cart, c->after_line);
        g.amount = short_of(&c->range, have);
        g.mendable = g.amount > 0;
        g.reason = g.mendable && pos_facts_quantity(c->filter, cart) == 0 ? "no_items"
                                                                          : "condition";
        return g;
    case POS_COND_LINE_QUANTITY:
        g.quantity = short_of(&c->range, best_line(c, cart));
        g.line = true;
        g.mendable = g.quantity > 0;
        return g;
    case POS_COND_DISTINCT:
        g.distinct = short_of(&c->range, pos_facts_distinct(c->filter, cart));
        g.mendable = g.distinct > 0;
        return g;
    case POS_COND_SUBTOTAL:
        g.amount = short_of(&c->range, pos_facts_subtotal(c, cart));
        g.mendable = g.amount > 0;
        return g;
    default:
        g.weight = short_of(&c->range, pos_facts_weight(cart));
        g.mendable = g.weight > 0;
        return g;
    }
}


static pos_gap_t
customer_gap(const pos_condition_t *c, const pos_cart_t *cart)
{
    pos_gap_t g = gap("customer");

    g.customer_known = !cart->customer_known && c->known != 0;
    return g;
}


/* Units and amounts of all its pieces. */
static pos_gap_t
sum_of(const pos_gap_t *g)
{
    pos_gap_t sum = { .mendable = g->mendable };

    for (; g != NULL; g = g->also) {
        sum.quantity += g->quantity;
        sum.amount += g->amount;
    }
    return sum;
}


bool
pos_gap_smaller(const pos_gap_t *x, const pos_gap_t *y)
{
    pos_gap_t a = sum_of(x), b = sum_of(y);

    if (a.mendable != b.mendable) {
        return a.mendable;
    }
    if ((a.quantity > 0) != (b.quantity > 0)) {
        return a.quantity > 0;
    }
    if (a.quantity != b.quantity) {
        return a.quantity < b.quantity;
    }
    return a.amount < b.amount;
}


static pos_gap_t
any_gap(const pos_condition_t *c, const pos_cart_t *cart)
{
    pos_gap_t best = gap("condition");

    for (uint32_t i = 0; i < c->child_count; i++) {
        pos_gap_t g = pos_condition_gap(c->children[i], cart);

        if (i == 0 || pos_gap_smaller(&g, &best)) {
            best = g;
        }
    }
    return best;
}


static bool
told(const pos_gap_t *g)
{
    return g->mendable || g->customer_known || g->tenders || g->fulfilments;
}


/* ---- several at once ---- */

static bool
names_goods(const pos_filter_t *f)
{
    return f != NULL && !f->any;
}


static bool
same_goods(const pos_gap_t *a, const pos_gap_t *b)
{
    if (!names_goods(a->filter) || !names_goods(b->filter)) {
        return names_goods(a->filter) == names_goods(b->filter);
    }
    return a->line == b->line && pos_str_eq(a->filter->json, b->filter->json);
}


static int64_t
larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}


static bool
counts(const pos_gap_t *g)
{
    return g->quantity > 0 || g->distinct > 0;
}


/* One piece is told with another where that leaves no doubt: `items` is what a
 * quantity is of, and an amount beside a quantity is the order's. */
static bool
may_merge(const pos_gap_t *a, const pos_gap_t *b)
{
    const pos_gap_t *named = names_goods(a->filter) ? a : b, *other = named == a ? b : a;

    if (names_goods(a->filter) == names_goods(b->filter)) {
        return same_goods(a, b) && (!names_goods(a->filter) || counts(a) == counts(b));
    }
    return counts(named) && !counts(other);
}


static bool
merge(pos_gap_t *into, const pos_gap_t *g)
{
    if (!may_merge(into, g)) {
        return false;
    }
    if (into->filter == NULL || names_goods(g->filter)) {
        into->filter = g->filter;
        into->line = g->line;
    }
    into->quantity = larger(into->quantity, g->quantity);
    into->amount = larger(into->amount, g->amount);
    into->distinct = larger(into->distinct, g->distinct);
    into->weight = larger(into->weight, g->weight);
    return true;
}


/* A piece of its own at the end; without memory the writer says so later. */
static void
append(pos_gap_t *sum, const pos_gap_t *g, pos_arena_t *arena)
{
    pos_gap_t *made = pos_arena_zalloc(arena, sizeof(*made));

    if (made == NULL) {
        return;
    }
    *made = *g;
    made->also = NULL;
    while (sum->also != NULL) {
        sum = sum->also;
    }
    sum->also = made;
}


void
pos_gap_join(pos_gap_t *sum, const pos_gap_t *g, pos_arena_t *arena)
{
    if (!g->mendable || !sum->mendable) {
        if (sum->mendable) {        /* what goods cannot mend is the reason */
            *sum = *g;
        }
        return;
    }
    for (; g != NULL; g = g->also) {
        pos_gap_t *into = sum;

        while (into != NULL && !merge(into, g)) {
            into = into->also;
        }
        if (into == NULL) {
            append(sum, g, arena);
        }
    }
}


void
pos_gap_add(pos_gap_t *sum, const pos_gap_t *g, pos_arena_t *arena)
{
    for (pos_gap_t *into = sum; into != NULL; into = into->also) {
        if (same_goods(into, g) && (into->quantity > 0) == (g->quantity > 0)) {
            into->quantity += g->quantity;
            into->amount += g->amount;
            return;
        }
    }
    append(sum, g, arena);
}


static pos_gap_t
all_gap(const pos_condition_t *c, const pos_cart_t *cart)
{
    pos_gap_t sum = gap(NULL);

    for (uint32_t i = 0; i < c->child_count; i++) {
        pos_gap_t g;

        if (pos_condition_holds(c->children[i], cart)) {
            continue;
        }
        g = pos_condition_gap(c->children[i], cart);
        if (sum.reason == NULL) {
            sum = g;
        } else {
            pos_gap_join(&sum, &g, cart->arena);
        }
    }
    if (sum.reason == NULL) {
        sum.reason = "condition";
    }
    return sum;
}


pos_gap_t
pos_condition_gap(const pos_condition_t *c, const pos_cart_t *cart)
{
    pos_gap_t g = gap("condition");

    switch (c->kind) {
    case POS_COND_ALL:
        return all_gap(c, cart);
    case POS_COND_ANY:
        return any_gap(c, cart);
    case POS_COND_CUSTOMER:
        return customer_gap(c, cart);
    case POS_COND_STORE:
        return gap("wrong_store");
    case POS_COND_CHANNEL:
        return gap("wrong_channel");
    case POS_COND_TENDER:
        g.reason = "wrong_tender";
        g.tenders = &c->values;
        return g;
    case POS_COND_FULFILMENT:
        g.fulfilments = &c->values;
        return g;
    case POS_COND_NOT:
    case POS_COND_SHIP_TO:
    case POS_COND_ATTRIBUTE:
        return g;
    default:
        return goods_gap(c, cart);
    }
}


static void
write_set(pos_writer_t *w, const pos_strset_t *set)
{
    pos_write_array_begin(w);
    for (uint32_t i = 0; i < set->count; i++) {
        pos_write_string(w, set->values[i]);
    }
    pos_write_array_end(w);
}


static void
write_goods(pos_writer_t *w, const pos_gap_t *g)
{
    if (g->quantity > 0) {
        pos_write_key(w, "quantity");
        pos_write_decimal(w, g->quantity, 3);
    }
    if (g->amount > 0) {
        pos_write_key(w, "amount");
        pos_write_int(w, g->amount);
    }
    if (g->distinct > 0) {
        pos_write_key(w, "distinct");
        pos_write_int(w, g->distinct);
    }
    if (g->weight > 0) {
        pos_write_key(w, "weight_grams");
        pos_write_int(w, g->weight);
    }
    if (names_goods(g->filter) || (g->filter != NULL && g->amount == 0)) {
        pos_write_key(w, "items");
        pos_write_raw(w, g->filter->json);
    }
    if (g->line) {
        pos_write_key(w, "line");
        pos_write_bool(w, true);
    }
}


static void
write_also(pos_writer_t *w, const pos_gap_t *g)
{
    if (g == NULL) {
        return;
    }
    pos_write_key(w, "also");
    pos_write_array_begin(w);
    for (; g != NULL; g = g->also) {
        pos_write_object_begin(w);
        write_goods(w, g);
        pos_write_object_end(w);
    }
    pos_write_array_end(w);
}


pos_str_t
pos_gap_missing(const pos_gap_t *g, pos_arena_t *arena)
{
    pos_writer_t w;

    if (!told(g)) {
        return pos_str("");
    }
    pos_writer_init(&w, arena, 256, 1 << 20);
    pos_write_object_begin(&w);
    if (g->mendable) {
        write_goods(&w, g);
        write_also(&w, g->also);
    } else if (g->customer_known) {
        pos_write_key(&w, "customer");
        pos_write_bool(&w, true);
    } else if (g->tenders != NULL) {
        pos_write_key(&w, "tender");
        write_set(&w, g->tenders);
    } else {
        pos_write_key(&w, "fulfilment");
        write_set(&w, g->fulfilments);
    }
    pos_write_object_end(&w);
    return w.status == POS_OK ? pos_writer_result(&w) : pos_str("");
}


void
pos_condition_unmet(const pos_condition_t *condition, const pos_cart_t *cart,
    pos_unmet_t *out)
{
    pos_gap_t g = condition ? pos_condition_gap(condition, cart) : gap("condition");

    out->reason = g.reason;
    out->missing = pos_gap_missing(&g, cart->arena);
}


/* The effect that asks least; false: one of them lacks nothing. */
static bool
nearest_effect(const pos_promotion_t *p, const pos_cart_t *cart, pos_gap_t *out)
{
    for (uint32_t i = 0; i < p->effect_count; i++) {
        pos_gap_t g;

        if (!pos_effect_gap(&p->effects[i], cart, &g)) {
            return false;
        }
        if (i == 0 || pos_gap_smaller(&g, out)) {
            *out = g;
        }
    }
    return p->effect_count > 0;
}


void
pos_promotion_unmet(const pos_promotion_t *p, const pos_cart_t *cart, pos_unmet_t *out)
{
    pos_gap_t sum = { .reason = NULL }, effect;

    if (!pos_condition_holds(p->when, cart)) {
        sum = pos_condition_gap(p->when, cart);
    }
    /* What a script will do is the script's to tell. */
    if (p->script == NULL && nearest_effect(p, cart, &effect)) {
        if (sum.reason == NULL) {
            sum = effect;
        } else {
            pos_gap_join(&sum, &effect, cart->arena);
        }
    }
    out->reason = sum.reason;
    out->missing = sum.reason ? pos_gap_missing(&sum, cart->arena) : pos_str("");
}
