/*
 * Why a condition does not hold, and the smallest change of the cart that
 * would make it hold: the till's "one more for half price".
 *
 * Of "all" every part that fails must be mended, and what is missing is only
 * told where all of them can be told; parts that no change of the cart's goods
 * could mend (store, channel, customer) come first as reasons. Of "any" the
 * part that asks least is told. "not" turns both round.
 */

#include "engine/unmet.h"

#include "base/json_write.h"
#include "engine/condition_facts.h"

/* Ticks. */
#define ASK_PIECE   20


/* ---- single conditions ---- */

/* How much is missing: up to the least, or with `negated` beyond the most. 0: nothing
 * that is added would do. */
static int64_t
short_of(const pos_range_t *range, bool negated, int64_t fact, int64_t least, int64_t step)
{
    if (!negated) {
        return fact < least ? least - fact : 0;
    }
    return range->max == POS_INF ? 0 : (range->max / step + 1) * step - fact;
}


static bool
within(const pos_range_t *range, int64_t n)
{
    return n >= range->min && n <= range->max;
}


/* "Any at all" is one of them. */
static int64_t
least_quantity(const pos_range_t *range)
{
    return range->min == POS_NONE || range->min == 1 ? POS_THOUSANDTHS : range->min;
}


static int64_t
best_line(const pos_condition_t *c, const pos_cart_t *cart)
{
    int64_t best = 0;

    for (uint32_t i = 0; i < cart->item_count; i++) {
        const pos_item_t *item = &cart->items[i];

        if (item->quantity > best && item->quantity < c->range.min && pos_filter_match(c->filter, item)) {
            best = item->quantity;
        }
    }
    return best;
}


/* Some line is within the range, or with `negated` none is. */
static bool
line_gap(const pos_condition_t *c, bool negated, pos_effort_t *e, pos_gap_t *g)
{
    if (!pos_effort_take_filter(e, c->filter) || !pos_effort_take_filter(e, c->filter)
        || pos_condition_holds(c, e->cart) != negated)
    {
        return false;
    }
    if (!negated) {
        g->quantity = least_quantity(&c->range) - best_line(c, e->cart);
        g->line = true;
    }
    return true;
}


static bool
quantity_gap(const pos_condition_t *c, bool negated, pos_effort_t *e, pos_gap_t *g)
{
    int64_t have;

    if (!pos_effort_take_filter(e, c->filter)) {
        return false;
    }
    have = pos_facts_quantity(c->filter, e->cart);
    if (within(&c->range, have) != negated) {
        return false;
    }
    g->quantity = short_of(&c->range, negated, have, least_quantity(&c->range), POS_THOUSANDTHS);
    g->reason = have == 0 && g->quantity > 0 ? "no_items" : "condition";
    return true;
}


static bool
amount_gap(const pos_condition_t *c, bool negated, pos_effort_t *e, pos_gap_t *g)
{
    int64_t have;

    if (!pos_effort_take_filter(e, c->filter) || !pos_effort_take_filter(e, c->filter)) {
        return false;
    }
    have = pos_facts_amount(c->filter, e->cart, c->after_line);
    if (within(&c->range, have) != negated) {
        return false;
    }
    g->amount = short_of(&c->range, negated, have, c->range.min, 1);
    g->reason = g->amount > 0 && pos_facts_quantity(c->filter, e->cart) == 0 ? "no_items"
                                                                             : "condition";
    return true;
}


static bool
goods_gap(const pos_condition_t *c, bool negated, pos_effort_t *e, pos_gap_t *g)
{
    const pos_cart_t *cart = e->cart;
    int64_t           have;
    bool              unmet;

    switch (c->kind) {
    case POS_COND_ITEMS_QUANTITY:
        unmet = quantity_gap(c, negated, e, g);
        break;
    case POS_COND_ITEMS_AMOUNT:
        unmet = amount_gap(c, negated, e, g);
        break;
    case POS_COND_LINE_QUANTITY:
        unmet = line_gap(c, negated, e, g);
        break;
    case POS_COND_DISTINCT:
        if (!pos_effort_take_filter(e, c->filter) || !pos_effort_take(e, POS_ASK_TEXT * (uint64_t) cart->item_count)) {
            return false;
        }
        have = pos_facts_distinct(c->filter, cart);
        unmet = within(&c->range, have) == negated;
        if (c->filter == NULL || c->filter->sku.count == 0 || (int64_t) c->filter->sku.count >= c->range.min) {
            g->distinct = short_of(&c->range, negated, have, c->range.min, 1);
        }
        break;
    case POS_COND_SUBTOTAL:
        have = pos_facts_subtotal(c, cart);
        unmet = within(&c->range, have) == negated;
        g->amount = short_of(&c->range, negated, have, c->range.min, 1);
        break;
    default:
        if (!pos_effort_take_filter(e, NULL)) {
            return false;
        }
        have = pos_facts_weight(cart);
        unmet = within(&c->range, have) == negated;
        g->weight = short_of(&c->range, negated, have, c->range.min, 1);
        break;
    }
    g->filter = c->filter;
    g->goods = g->quantity > 0 || g->amount > 0 || g->distinct > 0 || g->weight > 0;
    g->beyond = !g->goods;
    return unmet && !e->stopped;
}


static const char *
reason_of(pos_condition_kind_t kind)
{
    switch (kind) {
    case POS_COND_CUSTOMER:
        return "customer";
    case POS_COND_STORE:
        return "wrong_store";
    case POS_COND_CHANNEL:
        return "wrong_channel";
    case POS_COND_TENDER:
        return "wrong_tender";
    default:
        return "condition";
    }
}


/* What no goods mend. How to mend it is told where whoever buys could. */
static bool
other_gap(const pos_condition_t *c, bool negated, pos_effort_t *e, pos_gap_t *g)
{
    const pos_cart_t *cart = e->cart;
    uint64_t          given = 1 + cart->customer_groups.count + cart->tenders.count;

    for (uint32_t i = 0; i < c->attribute_count; i++) {
        given += cart->attribute_count + c->attributes[i].values.count;
    }
    if (!pos_effort_take(e, POS_ASK_SET * given) || pos_condition_holds(c, cart) != negated) {
        return false;
    }
    g->reason = reason_of(c->kind);
    if (!negated) {
        g->customer_known = c->kind == POS_COND_CUSTOMER && !cart->customer_known && c->known != 0;
        g->tenders = c->kind == POS_COND_TENDER ? &c->values : NULL;
        g->fulfilments = c->kind == POS_COND_FULFILMENT ? &c->values : NULL;
        g->ship_to = c->kind == POS_COND_SHIP_TO ? c : NULL;
    }
    g->beyond = !g->customer_known && !g->tenders && !g->fulfilments && !g->ship_to;
    return true;
}


/* ---- which is the smaller ---- */

static bool
told(const pos_gap_t *g)
{
    return !g->beyond;
}


/* Is there more to it than goods? */
static bool
asks_more(const pos_gap_t *g)
{
    return g->beyond || g->customer_known || g->tenders || g->fulfilments || g->ship_to;
}


/* All its pieces. */
static pos_gap_t
sum_of(const pos_gap_t *g)
{
    pos_gap_t sum = { .reason = NULL };

    for (; g != NULL; g = g->also) {
        sum.quantity += g->quantity;
        sum.amount += g->amount;
        sum.distinct += g->distinct;
        sum.weight += g->weight;
    }
    return sum;
}


bool
pos_gap_smaller(const pos_gap_t *x, const pos_gap_t *y)
{
    pos_gap_t a = sum_of(x), b = sum_of(y);

    if (told(x) != told(y)) {
        return told(x);
    }
    if (asks_more(x) != asks_more(y)) {
        return asks_more(y);
    }
    if ((a.quantity > 0) != (b.quantity > 0)) {
        return a.quantity > 0;
    }
    if (a.quantity != b.quantity) {
        return a.quantity < b.quantity;
    }
    if (a.amount != b.amount) {
        return a.amount < b.amount;
    }
    return a.distinct != b.distinct ? a.distinct < b.distinct : a.weight < b.weight;
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
    *made = (pos_gap_t) { .filter = g->filter, .quantity = g->quantity, .amount = g->amount,
        .distinct = g->distinct, .weight = g->weight, .line = g->line, .goods = true };
    while (sum->also != NULL) {
        sum = sum->also;
    }
    sum->also = made;
}


/* Of two sets of which one value each is asked for, one may do for both. */
static const pos_strset_t *
join_sets(const pos_strset_t *a, const pos_strset_t *b, pos_gap_t *sum)
{
    if (a == NULL || b == NULL) {
        return a ? a : b;
    }
    for (uint32_t i = 0; i < a->count || a->count != b->count; i++) {
        if (a->count != b->count || !pos_str_eq(a->values[i], b->values[i])) {
            sum->beyond = true;
            break;
        }
    }
    return a;
}


static void
join_others(pos_gap_t *sum, const pos_gap_t *g)
{
    if (asks_more(g) && !asks_more(sum)) {
        sum->reason = g->reason;
    }
    sum->beyond |= g->beyond || (sum->ship_to && g->ship_to);
    sum->customer_known |= g->customer_known;
    sum->tenders = join_sets(sum->tenders, g->tenders, sum);
    sum->fulfilments = join_sets(sum->fulfilments, g->fulfilments, sum);
    sum->ship_to = sum->ship_to ? sum->ship_to : g->ship_to;
}


/* The first goods among what is missing. */
static void
take_goods(pos_gap_t *sum, const pos_gap_t *g)
{
    sum->filter = g->filter;
    sum->quantity = g->quantity;
    sum->amount = g->amount;
    sum->distinct = g->distinct;
    sum->weight = g->weight;
    sum->line = g->line;
    sum->goods = g->goods;
    sum->also = g->also;
}


void
pos_gap_join(pos_gap_t *sum, const pos_gap_t *g, pos_effort_t *e)
{
    join_others(sum, g);
    if (!sum->goods) {
        take_goods(sum, g);
        return;
    }
    for (; g != NULL && g->goods; g = g->also) {
        pos_gap_t *into = sum;

        while (into != NULL && pos_effort_take(e, ASK_PIECE) && !merge(into, g)) {
            into = into->also;
        }
        if (e->stopped) {
            return;
        }
        if (into == NULL) {
            append(sum, g, e->cart->arena);
        }
    }
}


void
pos_gap_add(pos_gap_t *sum, const pos_gap_t *g, pos_effort_t *e)
{
    if (!sum->goods) {
        take_goods(sum, g);
        return;
    }
    for (pos_gap_t *into = sum; into != NULL && pos_effort_take(e, ASK_PIECE); into = into->also) {
        if (same_goods(into, g) && (into->quantity > 0) == (g->quantity > 0)) {
            into->quantity += g->quantity;
            into->amount += g->amount;
            return;
        }
    }
    append(sum, g, e->cart->arena);
}


/* ---- conditions of conditions ---- */

static bool gap_of(const pos_condition_t *c, bool negated, pos_effort_t *e, pos_gap_t *out);


/* All must hold (or with `negated` none may). */
static bool
all_gap(const pos_condition_t *c, bool negated, pos_effort_t *e, pos_gap_t *out)
{
    bool unmet = false;

    for (uint32_t i = 0; i < c->child_count && !e->stopped; i++) {
        pos_gap_t g;

        if (!gap_of(c->children[i], negated, e, &g)) {
            continue;
        }
        if (unmet) {
            pos_gap_join(out, &g, e);
        } else {
            *out = g;
        }
        unmet = true;
    }
    return unmet && !e->stopped;
}


static bool
any_gap(const pos_condition_t *c, bool negated, pos_effort_t *e, pos_gap_t *out)
{
    *out = (pos_gap_t) { .reason = "condition", .beyond = true };
    for (uint32_t i = 0; i < c->child_count; i++) {
        pos_gap_t g;

        if (!gap_of(c->children[i], negated, e, &g)) {
            return false;
        }
        if (i == 0 || pos_gap_smaller(&g, out)) {
            *out = g;
        }
    }
    return true;
}


static bool
gap_of(const pos_condition_t *c, bool negated, pos_effort_t *e, pos_gap_t *out)
{
    if (!pos_effort_take(e, ASK_PIECE)) {
        return false;
    }
    *out = (pos_gap_t) { .reason = "condition" };
    switch (c->kind) {
    case POS_COND_ALL:
        return negated ? any_gap(c, true, e, out) : all_gap(c, false, e, out);
    case POS_COND_ANY:
        return negated ? all_gap(c, true, e, out) : any_gap(c, false, e, out);
    case POS_COND_NOT:
        return gap_of(c->children[0], !negated, e, out);
    case POS_COND_CUSTOMER:
    case POS_COND_STORE:
    case POS_COND_CHANNEL:
    case POS_COND_TENDER:
    case POS_COND_FULFILMENT:
    case POS_COND_SHIP_TO:
    case POS_COND_ATTRIBUTE:
        return other_gap(c, negated, e, out);
    default:
        return goods_gap(c, negated, e, out);
    }
}


bool
pos_condition_gap(const pos_condition_t *c, pos_effort_t *e, pos_gap_t *out)
{
    return c != NULL && gap_of(c, false, e, out);
}


/* ---- as JSON ---- */

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
        pos_write_compact(w, g->filter->json);
    }
    if (g->line) {
        pos_write_key(w, "line");
        pos_write_bool(w, true);
    }
}


static void
write_ship_to(pos_writer_t *w, const pos_condition_t *c)
{
    pos_write_key(w, "ship_to");
    pos_write_object_begin(w);
    if (c->values.count > 0) {
        pos_write_key(w, "country");
        write_set(w, &c->values);
    }
    if (c->ids.count > 0) {
        pos_write_key(w, "region");
        write_set(w, &c->ids);
    }
    pos_write_object_end(w);
}


static void
write_others(pos_writer_t *w, const pos_gap_t *g)
{
    if (g->customer_known) {
        pos_write_key(w, "customer");
        pos_write_bool(w, true);
    }
    if (g->tenders != NULL) {
        pos_write_key(w, "tender");
        write_set(w, g->tenders);
    }
    if (g->fulfilments != NULL) {
        pos_write_key(w, "fulfilment");
        write_set(w, g->fulfilments);
    }
    if (g->ship_to != NULL) {
        write_ship_to(w, g->ship_to);
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


/* The bytes that are going to be written, about. */
static uint64_t
text_ticks(const pos_gap_t *g)
{
    uint64_t n = 400;

    n += g->tenders ? 200 * (uint64_t) g->tenders->count : 0;
    n += g->fulfilments ? 200 * (uint64_t) g->fulfilments->count : 0;
    n += g->ship_to ? 200 * ((uint64_t) g->ship_to->values.count + g->ship_to->ids.count) : 0;
    for (; g != NULL; g = g->also) {
        n += 200 + (g->filter ? g->filter->json.len : 0);
    }
    return n;
}


/* Empty where there is nothing to tell. */
static pos_str_t
missing(const pos_gap_t *g, pos_effort_t *e)
{
    pos_writer_t w;

    if (!told(g) || !pos_effort_take(e, text_ticks(g))) {
        return pos_str("");
    }
    pos_writer_init(&w, e->cart->arena, 256, 1 << 20);
    pos_write_object_begin(&w);
    if (g->goods) {
        write_goods(&w, g);
    }
    write_others(&w, g);
    write_also(&w, g->also);
    pos_write_object_end(&w);
    return w.status == POS_OK ? pos_writer_result(&w) : pos_str("");
}


/* The effect that asks least; false: one of them lacks nothing. */
static bool
nearest_effect(const pos_promotion_t *p, pos_effort_t *e, pos_gap_t *out)
{
    for (uint32_t i = 0; i < p->effect_count; i++) {
        pos_gap_t g;

        if (!pos_effect_gap(&p->effects[i], e, &g)) {
            return false;
        }
        if (i == 0 || pos_gap_smaller(&g, out)) {
            *out = g;
        }
    }
    return p->effect_count > 0;
}


void
pos_promotion_unmet(const pos_promotion_t *p, pos_effort_t *e, pos_unmet_t *out)
{
    pos_gap_t sum = { .reason = NULL }, effect;
    bool      unmet = pos_condition_gap(p->when, e, &sum);

    *out = (pos_unmet_t) { NULL, { NULL, 0 } };
    /* What a script will do is the script's to tell. */
    if (p->script == NULL && !e->stopped && nearest_effect(p, e, &effect)) {
        if (unmet) {
            pos_gap_join(&sum, &effect, e);
        } else {
            sum = effect;
        }
        unmet = true;
    }
    if (!unmet || e->stopped) {
        return;
    }
    out->reason = sum.reason;
    out->missing = missing(&sum, e);
}
