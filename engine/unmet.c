/*
 * Why a condition does not hold, and the smallest change of the cart that
 * would make it hold: the till's "one more for half price".
 *
 * Of "all" the first part that fails gives the reason, and what is missing is
 * only told when every failing part can be told; parts that no change of the
 * cart's goods could mend (store, channel, customer) come first as reasons.
 * Of "any" the part that asks least is told.
 */

#include "base/json_write.h"
#include "engine/cart.h"
#include "engine/condition_facts.h"

typedef struct {
    const char         *reason;
    const pos_filter_t *filter;       /* of what; NULL: any                  */
    int64_t             quantity;     /* thousandths missing; 0: none        */
    int64_t             amount;       /* minor units missing; 0: none        */
    int64_t             distinct;     /* different products missing          */
    int64_t             weight;       /* grams missing                       */
    bool                line;         /* on one line                         */
    bool                mendable;     /* adding goods would do               */
    bool                customer_known;   /* naming the customer would do    */
    const pos_strset_t *tenders;      /* paying by one of these would do     */
    const pos_strset_t *fulfilments;
} gap_t;


static gap_t
gap(const char *reason)
{
    return (gap_t) { .reason = reason };
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


static gap_t
goods_gap(const pos_condition_t *c, const pos_cart_t *cart)
{
    gap_t   g = gap("condition");
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


static gap_t
customer_gap(const pos_condition_t *c, const pos_cart_t *cart)
{
    gap_t g = gap("customer");

    g.customer_known = !cart->customer_known && c->known != 0;
    return g;
}


/* Is `a` the smaller change? Things that can be mended go first. */
static bool
smaller(const gap_t *a, const gap_t *b)
{
    if (a->mendable != b->mendable) {
        return a->mendable;
    }
    if ((a->quantity > 0) != (b->quantity > 0)) {
        return a->quantity > 0;
    }
    if (a->quantity != b->quantity) {
        return a->quantity < b->quantity;
    }
    return a->amount < b->amount;
}


static gap_t find_gap(const pos_condition_t *c, const pos_cart_t *cart);


static gap_t
any_gap(const pos_condition_t *c, const pos_cart_t *cart)
{
    gap_t best = gap("condition");

    for (uint32_t i = 0; i < c->child_count; i++) {
        gap_t g = find_gap(c->children[i], cart);

        if (i == 0 || smaller(&g, &best)) {
            best = g;
        }
    }
    return best;
}


static bool
told(const gap_t *g)
{
    return g->mendable || g->customer_known || g->tenders || g->fulfilments;
}


/* Several gaps at once are told as the widest of one kind: 2 more units of F
 * and 250 more on the order are answered by both members together. */
static void
join(gap_t *sum, const gap_t *g)
{
    if (!g->mendable || !sum->mendable) {
        if (sum->mendable) {        /* what goods cannot mend is the reason */
            *sum = *g;
        }
        return;
    }
    if (sum->quantity == 0 && g->quantity > 0) {
        sum->quantity = g->quantity;
        sum->filter = g->filter;
        sum->line = g->line;
    }
    if (g->amount > sum->amount) {
        sum->amount = g->amount;
    }
    if (g->distinct > sum->distinct) {
        sum->distinct = g->distinct;
    }
    if (g->weight > sum->weight) {
        sum->weight = g->weight;
    }
}


static gap_t
all_gap(const pos_condition_t *c, const pos_cart_t *cart)
{
    gap_t sum = gap(NULL);

    for (uint32_t i = 0; i < c->child_count; i++) {
        gap_t g;

        if (pos_condition_holds(c->children[i], cart)) {
            continue;
        }
        g = find_gap(c->children[i], cart);
        if (sum.reason == NULL) {
            sum = g;
        } else {
            join(&sum, &g);
        }
    }
    if (sum.reason == NULL) {
        sum.reason = "condition";
    }
    return sum;
}


static gap_t
find_gap(const pos_condition_t *c, const pos_cart_t *cart)
{
    gap_t g = gap("condition");

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
write_goods(pos_writer_t *w, const gap_t *g)
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
    if (g->filter != NULL) {
        pos_write_key(w, "items");
        pos_write_raw(w, g->filter->json);
    }
    if (g->line) {
        pos_write_key(w, "line");
        pos_write_bool(w, true);
    }
}


static pos_str_t
missing_of(const gap_t *g, pos_arena_t *arena)
{
    pos_writer_t w;

    if (!told(g)) {
        return pos_str("");
    }
    pos_writer_init(&w, arena, 256, 1 << 20);
    pos_write_object_begin(&w);
    if (g->mendable) {
        write_goods(&w, g);
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
    gap_t g = condition ? find_gap(condition, cart) : gap("condition");

    out->reason = g.reason;
    out->missing = missing_of(&g, cart->arena);
}
