/* What one order comes to: without the promotion, with it, and as it happened. */

#include "posd/backtest_data.h"


/* ---- figures ---- */

/* What the line was sold for, less its own discount and its share of the order's; `before` is
 * without either. */
static bool
actual_amounts(const pos_book_t *book, const pos_past_t *o, int64_t *before, int64_t *amounts, int64_t *weights,
    int64_t *parts)
{
    for (uint32_t i = 0; i < o->line_count; i++) {
        if (!pos_muldiv(o->prices[i], o->lines[i].quantity, POS_THOUSANDTHS, book->rounding, &before[i])) {
            return false;
        }
        amounts[i] = before[i] - o->discounts[i];
        weights[i] = amounts[i] > 0 ? amounts[i] : 0;
    }
    if (o->discount == 0 || o->line_count == 0) {
        return true;
    }
    if (!pos_split(o->discount, weights, o->line_count, parts)) {
        return false;
    }
    for (uint32_t i = 0; i < o->line_count; i++) {
        amounts[i] -= parts[i];
    }
    return true;
}


/* Puts one way's amounts of a line; `cost` is of all its units, or INT64_MIN. */
static void
put(pos_cart_line_t *line, unsigned way, int64_t discount, int64_t paid, int64_t tax, int64_t cost)
{
    int64_t *a = line->figures.amount[way];

    line->has[way] = true;
    a[POS_OFF] = discount;
    a[POS_PAID] = paid;
    a[POS_REVENUE] = paid - tax;
    a[POS_MARGIN] = cost != INT64_MIN ? paid - tax - cost : 0;
    if (way == POS_WITHOUT) {
        line->figures.costed = cost != INT64_MIN ? a[POS_REVENUE] : 0;
    }
}


/* The tax in what was paid, at the rate that the line bears now. */
static int64_t
actual_tax(const pos_book_t *book, const pos_basket_result_t *r, uint32_t i, int64_t paid)
{
    const pos_basket_part_t *part = &r->without.parts[i];
    int64_t                  tax = 0;

    if (part->total == 0) {
        part = &r->with.parts[i];
    }
    if (!r->tax_included || part->total == 0
        || !pos_muldiv(paid, part->tax, part->total, book->rounding, &tax))
    {
        return 0;
    }
    return tax;
}


/* The order's own cost, `each`, is in its currency; the product's is in the retailer's. */
static bool
cost_of(const pos_book_t *book, const pos_past_t *o, const pos_product_t *p, int64_t each, int64_t quantity, int64_t *out)
{
    *out = INT64_MIN;
    if (each == INT64_MIN) {
        if (!p->has_cost || !pos_str_eq(o->currency, book->currency)) {
            return true;
        }
        each = p->cost;
    }
    return pos_muldiv(each, quantity, POS_THOUSANDTHS, book->rounding, out);
}


static pos_str_t
category_of(const pos_product_t *p)
{
    return p->category_count > 0 ? p->categories[0] : (pos_str_t) { NULL, 0 };
}


static int64_t
tax_within(const pos_basket_result_t *r, const pos_basket_part_t *part)
{
    return r->tax_included ? part->tax : 0;
}


static void
put_part(const pos_cart_figures_t *cart, pos_cart_line_t *line, unsigned way, const pos_basket_part_t *part,
    int64_t cost)
{
    put(line, way, part->subtotal - part->total, part->total, tax_within(cart->result, part), cost);
}


/* Gifts stand behind the lines, those of either way in a line of its own. */
static bool
put_gifts(const pos_book_t *book, pos_cart_figures_t *cart, unsigned way, const pos_basket_price_t *price)
{
    for (uint32_t i = cart->order->line_count; i < price->part_count; i++) {
        const pos_basket_part_t *part = &price->parts[i];
        pos_cart_line_t         *line = &cart->lines[cart->line_count++];
        int64_t                  cost;

        *line = (pos_cart_line_t) { .product = part->product, .category = category_of(part->product),
            .quantity = part->quantity, .gift = true };
        if (!cost_of(book, cart->order, part->product, INT64_MIN, part->quantity, &cost)) {
            return false;
        }
        cart->cost_known &= cost != INT64_MIN;
        put_part(cart, line, way, part, cost);
    }
    return true;
}


static bool
put_lines(const pos_book_t *book, pos_cart_figures_t *cart, const int64_t *before, const int64_t *actual)
{
    const pos_past_t          *o = cart->order;
    const pos_basket_result_t *r = cart->result;

    for (uint32_t i = 0; i < o->line_count; i++) {
        pos_cart_line_t     *line = &cart->lines[cart->line_count++];
        const pos_product_t *p = r->with.parts[i].product;
        int64_t              cost;

        line->product = p;
        line->category = category_of(p);
        line->quantity = o->lines[i].quantity;
        line->gift = false;
        if (!cost_of(book, o, p, o->costs[i], line->quantity, &cost)) {
            return false;
        }
        cart->cost_known &= cost != INT64_MIN;
        put_part(cart, line, POS_WITHOUT, &r->without.parts[i], cost);
        put_part(cart, line, POS_WITH, &r->with.parts[i], cost);
        put(line, POS_ACTUAL, before[i] - actual[i], actual[i], actual_tax(book, r, i, actual[i]), cost);
    }
    return true;
}


pos_status_t
pos_cart_figure(const pos_book_t *book, pos_cart_figures_t *cart, pos_arena_t *arena)
{
    const pos_basket_result_t *r = cart->result;
    uint32_t                   n = cart->order->line_count;
    size_t                     room = (size_t) r->with.part_count + r->without.part_count + 1;
    int64_t                   *amounts = pos_arena_alloc(arena, 4 * ((size_t) n + 1) * sizeof(*amounts));
    int64_t                   *before = amounts + 3 * (size_t) n;

    cart->lines = pos_arena_alloc(arena, room * sizeof(*cart->lines));
    if (amounts == NULL || cart->lines == NULL) {
        return POS_NO_MEMORY;
    }
    cart->touched = r->with.total != r->without.total || r->with.discount != r->without.discount
                    || r->with.points != r->without.points;
    cart->cost_known = true;
    cart->line_count = 0;
    memset(&cart->figures, 0, sizeof(cart->figures));
    if (!actual_amounts(book, cart->order, before, amounts, amounts + n, amounts + 2 * (size_t) n)
        || !put_lines(book, cart, before, amounts) || !put_gifts(book, cart, POS_WITHOUT, &r->without)
        || !put_gifts(book, cart, POS_WITH, &r->with))
    {
        return POS_LIMIT;
    }
    for (uint32_t i = 0; i < cart->line_count; i++) {
        if (!pos_figures_add(&cart->figures, &cart->lines[i].figures)) {
            return POS_LIMIT;
        }
    }
    return POS_OK;
}


/* ---- shown ---- */

static void
write_text(pos_writer_t *w, pos_str_t text)
{
    if (text.data != NULL) {
        pos_write_string(w, text);
    } else {
        pos_write_null(w);
    }
}


static int64_t
use_of(const pos_basket_price_t *price, pos_str_t promotion, bool *found)
{
    *found = false;
    for (uint32_t i = 0; i < price->use_count; i++) {
        if (pos_str_eq(price->uses[i].promotion, promotion)) {
            *found = true;
            return price->uses[i].amount;
        }
    }
    return 0;
}


static void
write_use(pos_writer_t *w, pos_str_t id, int64_t without, int64_t with)
{
    pos_write_object_begin(w);
    pos_write_key(w, "id");
    pos_write_string(w, id);
    pos_write_key(w, "without");
    pos_write_int(w, without);
    pos_write_key(w, "with");
    pos_write_int(w, with);
    pos_write_object_end(w);
}


static void
write_uses(pos_writer_t *w, const pos_basket_result_t *r)
{
    bool found;

    pos_write_key(w, "promotions");
    pos_write_array_begin(w);
    for (uint32_t i = 0; i < r->with.use_count; i++) {
        const pos_basket_use_t *use = &r->with.uses[i];

        write_use(w, use->promotion, use_of(&r->without, use->promotion, &found), use->amount);
    }
    for (uint32_t i = 0; i < r->without.use_count; i++) {
        const pos_basket_use_t *use = &r->without.uses[i];

        (void) use_of(&r->with, use->promotion, &found);
        if (!found) {
            write_use(w, use->promotion, use->amount, 0);
        }
    }
    pos_write_array_end(w);
}


static void
write_paid(pos_writer_t *w, const pos_cart_line_t *line, unsigned way)
{
    if (line->has[way]) {
        pos_write_int(w, line->figures.amount[way][POS_PAID]);
    } else {
        pos_write_null(w);
    }
}


static void
write_lines(pos_writer_t *w, const pos_cart_figures_t *cart)
{
    uint32_t n = cart->line_count < POS_BACKTEST_LINES ? cart->line_count : POS_BACKTEST_LINES;

    pos_write_key(w, "lines");
    pos_write_array_begin(w);
    for (uint32_t i = 0; i < n; i++) {
        const pos_cart_line_t *line = &cart->lines[i];

        pos_write_object_begin(w);
        pos_write_key(w, "sku");
        pos_write_string(w, line->product->sku);
        pos_write_key(w, "quantity");
        pos_write_decimal(w, line->quantity, 3);
        pos_write_key(w, "gift");
        pos_write_bool(w, line->gift);
        pos_write_key(w, "without");
        write_paid(w, line, POS_WITHOUT);
        pos_write_key(w, "with");
        write_paid(w, line, POS_WITH);
        pos_write_key(w, "actual");
        write_paid(w, line, POS_ACTUAL);
        pos_write_object_end(w);
    }
    pos_write_array_end(w);
    pos_write_key(w, "more_lines");
    pos_write_int(w, cart->line_count - n);
}


pos_str_t
pos_cart_text(const pos_cart_figures_t *cart, pos_arena_t *arena)
{
    const pos_past_t *o = cart->order;
    pos_writer_t      w;

    pos_writer_init(&w, arena, 2048, 1u << 20);
    pos_write_object_begin(&w);
    pos_write_key(&w, "id");
    pos_write_string(&w, o->id);
    pos_write_key(&w, "at");
    pos_write_time(&w, o->at);
    pos_write_key(&w, "day");
    pos_write_string(&w, pos_str_z(cart->day));
    pos_write_key(&w, "store");
    write_text(&w, o->store);
    pos_write_key(&w, "channel");
    write_text(&w, o->channel);
    pos_write_key(&w, "currency");
    pos_write_string(&w, o->currency);
    pos_figures_write(&w, &cart->figures);
    write_uses(&w, cart->result);
    write_lines(&w, cart);
    pos_write_object_end(&w);
    return w.status == POS_OK ? pos_writer_result(&w) : (pos_str_t) { NULL, 0 };
}
