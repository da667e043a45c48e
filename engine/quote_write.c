/* The quote as JSON. */

#include "engine/quote_write.h"
#include "engine/token.h"

/* Bytes of most answers, and of each of their lines. */
#define ANSWER_LEAST  600
#define LINE_LEAST    260
#define ADJUST_LEAST  75

#define write_literal(out, literal, comma) \
    do { \
        char *at = pos_writer_claim(out, sizeof(literal)); \
        if (at != NULL) { \
            pos_writer_tell(out, pos_put_literal(at, literal), comma); \
        } \
    } while (0)

static void
write_tax(pos_writer_t *out, const pos_tax_row_t *row, int64_t amount, int64_t fees)
{
    char *p = pos_writer_claim_value(out, row->head.len + 2 * POS_INT_ROOM + 10);

    if (p == NULL) {
        return;
    }
    p = pos_put_int(pos_put_bytes(p, row->head), amount);
    if (fees) {
        p = pos_put_literal(p, ",\"fees\":");
        p = pos_put_int(p, fees);
    }
    *p++ = '}';
    pos_writer_tell(out, p, true);
}

/* A line while it is written. */
typedef struct {
    const pos_line_result_t *line;
    const pos_item_t        *item;
    uint32_t                 run_count;
    pos_unit_run_t          *runs;
    uint32_t                 adjust_count;
    const uint32_t          *adjusts;       /* that touch it, in order of application */
} line_out_t;

/* Adds what the units [from, until) of an item bear of an adjustment, and how many of
 * them do. */
static inline __attribute__((always_inline)) void
add_share(const pos_quoted_t *q, uint32_t at, int64_t from, int64_t until, int64_t *amount,
    int64_t *units)
{
    const pos_state_t  *s = q->solution.state;
    const pos_adjust_t *adjust = &s->adjusts[at];

    /* An item of one class, and all of its units. */
    if (from == 0 && until == s->segs[adjust->seg].units && s->first[s->segs[adjust->seg].item] == adjust->seg) {
        *amount += adjust->amount;
        *units += until;
        return;
    }
    int64_t             start = q->index.starts ? q->index.starts[adjust->seg] : 0, n = s->segs[adjust->seg].units;
    int64_t             low = from > start ? from - start : 0;
    int64_t             high = until - start < n ? until - start : n;

    if (high > low) {
        *amount += pos_adjust_share(s, adjust, low, high);
        *units += high - low;
    }
}

/* For an order: what each run of units bore of the adjustments [from, until), since its units
 * come back one by one. */
static void
write_borne(const pos_quoted_t *q, pos_writer_t *out, const line_out_t *l, uint32_t from, uint32_t until)
{
    pos_write_key(out, "units");
    pos_write_array_begin(out);
    for (uint32_t r = 0; r < l->run_count; r++) {
        int64_t amount = 0, units = 0;

        for (uint32_t k = from; k < until; k++) {
            add_share(q, l->adjusts[k], l->runs[r].from, l->runs[r].until, &amount, &units);
        }
        pos_write_int(out, amount);
    }
    pos_write_array_end(out);
}

/* What it is for ends it: the effect's label, or else the promotion's name. */
static void
write_label(pos_writer_t *out, pos_str_t label, pos_str_t tail)
{
    char *p = pos_writer_claim(out, 12 + tail.len + POS_STRING_ROOM(label));

    if (p == NULL) {
        return;
    }
    if (tail.len > 0) {
        p = pos_put_bytes(p, tail);
    } else {
        p = pos_put_literal(p, ",\"label\":");
        p = pos_put_string(p, label);
        *p++ = '}';
    }
    pos_writer_tell(out, p, true);
}

static void
write_adjustment(const pos_quoted_t *q, pos_writer_t *out, const line_out_t *l, uint32_t from,
    uint32_t until, int64_t amount, int64_t units)
{
    const pos_plan_t *plan = q->plan;
    uint32_t          a = q->solution.state->adjusts[l->adjusts[from]].act;
    const pos_act_t  *act = a == POS_NIL ? NULL : &plan->acts[a];
    pos_str_t         head = pos_str("{\"promotion\":null,\"amount\":"), tail = pos_str("");
    pos_str_t         label = l->item->line->rare->discount_reason;
    char             *p;

    if (act != NULL) {
        const pos_promotion_t *promotion = plan->candidates[act->candidate].promotion;

        label = act->effect->label;
        head = promotion->head;
        tail = label.len ? tail : promotion->tail;
    }
    p = pos_writer_claim_value(out, 20 + head.len + POS_INT_ROOM + POS_DECIMAL_ROOM);
    if (p == NULL) {
        return;
    }
    p = pos_put_int(pos_put_bytes(p, head), -amount);
    if (act == NULL || act->phase < POS_PHASE_ORDER) {
        p = pos_put_literal(p, ",\"quantity\":");
        p = pos_put_decimal(p, l->item->measured ? l->item->quantity : units * POS_THOUSANDTHS, 3);
    }
    pos_writer_tell(out, p, true);
    if (q->w->options->for_order) {
        write_borne(q, out, l, from, until);
    }
    write_label(out, label, tail);
}

static void
write_adjustments(const pos_quoted_t *q, pos_writer_t *out, const line_out_t *l)
{
    const pos_state_t *s = q->solution.state;
    uint32_t           at = 0;

    while (at < l->adjust_count) {
        uint32_t from = at, act = s->adjusts[l->adjusts[at]].act;
        int64_t  amount = 0, units = 0;

        for (; at < l->adjust_count && s->adjusts[l->adjusts[at]].act == act; at++) {
            add_share(q, l->adjusts[at], l->line->from, l->line->until, &amount, &units);
        }
        if (amount > 0) {
            write_adjustment(q, out, l, from, at, amount, units);
        }
    }
}

/* What a run paid in all: the entries' `paid` sum to the line's total. */
static void
write_units(pos_writer_t *out, const line_out_t *l)
{
    for (uint32_t r = 0; r < l->run_count; r++) {
        int64_t n = l->runs[r].until - l->runs[r].from;
        char   *p = pos_writer_claim_value(out, 30 + POS_DECIMAL_ROOM + POS_INT_ROOM);

        if (p == NULL) {
            return;
        }
        p = pos_put_literal(p, "{\"quantity\":");
        p = pos_put_decimal(p, l->item->measured ? l->line->quantity : n * POS_THOUSANDTHS, 3);
        p = pos_put_literal(p, ",\"paid\":");
        p = pos_put_int(p, n * l->runs[r].paid);
        *p++ = '}';
        pos_writer_tell(out, p, true);
    }
}

/* The law of the EU wants it beside a reduced price. */
static void
write_lowest(pos_writer_t *out, const pos_lowest_t *lowest)
{
    pos_write_key(out, "lowest_30d");
    if (lowest->known) {
        pos_write_int(out, lowest->amount);
    } else {
        pos_write_null(out);
    }
}

/* From the line's id to its prices. */
static void
write_goods(pos_writer_t *out, const pos_line_result_t *line, const pos_item_t *item, pos_str_t id)
{
    const pos_product_t *product = item->product;
    char                *p = pos_writer_claim_value(out,
        100 + POS_STRING_ROOM(id) + POS_STRING_ROOM(product->sku) + POS_STRING_ROOM(product->name) +
            POS_STRING_ROOM(product->unit) + POS_DECIMAL_ROOM + 2 * POS_INT_ROOM);

    if (p == NULL) {
        return;
    }
    p = pos_put_literal(p, "{\"id\":");
    p = id.data ? pos_put_string(p, id) : pos_put_literal(p, "null");
    p = pos_put_literal(p, ",\"sku\":");
    p = pos_put_string(p, product->sku);
    p = pos_put_literal(p, ",\"name\":");
    p = pos_put_string(p, product->name);
    p = pos_put_literal(p, ",\"quantity\":");
    p = pos_put_decimal(p, line->quantity, 3);
    if (item->measured) {
        p = pos_put_literal(p, ",\"unit\":");
        p = pos_put_string(p, product->unit);
    }
    p = pos_put_literal(p, ",\"list_price\":");
    p = pos_put_int(p, item->list_price);
    p = pos_put_literal(p, ",\"unit_price\":");
    p = pos_put_int(p, item->unit_price);
    pos_writer_tell(out, p, true);
}

/* And on to where its adjustments begin. */
static void
write_amounts(pos_writer_t *out, const pos_line_result_t *line, const pos_item_t *item)
{
    char *p = pos_writer_claim_value(out, 100 + POS_STRING_ROOM(item->price_list) + 4 * POS_INT_ROOM);

    if (p == NULL) {
        return;
    }
    p = pos_put_literal(p, "\"price_list\":");
    p = pos_put_string(p, item->price_list);
    p = pos_put_literal(p, ",\"subtotal\":");
    p = pos_put_int(p, line->subtotal);
    p = pos_put_literal(p, ",\"discount\":");
    p = pos_put_int(p, line->subtotal - line->total);
    p = pos_put_literal(p, ",\"total\":");
    p = pos_put_int(p, line->total);
    p = pos_put_literal(p, ",\"fees\":");
    p = pos_put_int(p, line->fees);
    p = pos_put_literal(p, ",\"adjustments\":[");
    pos_writer_tell(out, p, false);
}

static void
write_line(const pos_quoted_t *q, pos_writer_t *out, uint32_t index)
{
    const pos_line_result_t *line = &q->lines[index];
    const pos_item_t        *item = &q->w->cart.items[line->item];
    const pos_tax_list_t    *taxes = &q->totals.taxes[line->item];
    pos_str_t                none = { NULL, 0 };
    line_out_t               l = { .line = line, .item = item, .runs = q->runs };

    l.run_count = pos_line_runs(q->solution.state, line, l.runs);
    l.adjusts = pos_line_adjusts(&q->index, q->solution.state, line, &l.adjust_count);
    write_goods(out, line, item, index < q->w->cart.line_count ? q->w->cart.lines[index].id : none);
    if (item->on_sale) {
        write_lowest(out, item->gift ? &q->lowest_of_gift[line->item - q->w->cart.item_count]
                                     : &q->w->skus[q->w->sku_of_line[index]].lowest);
    }
    write_amounts(out, line, item);
    write_adjustments(q, out, &l);
    write_literal(out, "],\"taxes\":[", false);
    for (uint32_t t = 0; t < taxes->count; t++) {
        write_tax(out, taxes->list[t].row, line->taxes[t],
            line->fee_taxes ? line->fee_taxes[t] : 0);
    }
    write_literal(out, "],\"units\":[", false);
    write_units(out, &l);
    if (item->gift) {
        write_literal(out, "],\"gift\":true}", true);
    } else {
        write_literal(out, "]}", true);
    }
}

/* Room for the runs of any line, taken before the answer begins to grow. */
static bool
make_runs(pos_quoted_t *q)
{
    size_t most = 2;

    for (uint32_t i = 0; i < q->line_count; i++) {
        size_t n = pos_line_runs_most(q->solution.state, &q->lines[i]);

        most = n > most ? n : most;
    }
    q->runs = pos_arena_alloc(q->w->arena, most * sizeof(*q->runs));
    return q->runs != NULL;
}

static pos_status_t
find_lowest_of_gifts(pos_quoted_t *q, pos_lowest_room_t *room)
{
    const pos_work_t *w = q->w;
    const pos_item_t *item = &w->cart.items[w->cart.item_count], *before = NULL;
    pos_status_t      status = POS_OK;

    for (uint32_t g = 0; g < w->gift_count && status == POS_OK; g++, item++) {
        if (!q->solution.state->gifts[g] || !item->on_sale) {
            continue;
        }
        if (q->lowest_of_gift == NULL) {
            q->lowest_of_gift = pos_arena_array(w->arena, w->gift_count, sizeof(*q->lowest_of_gift));
        }
        if (q->lowest_of_gift == NULL) {
            return POS_NO_MEMORY;
        }
        /* Many promotions may give the same. */
        if (before && before->quantity == item->quantity && pos_str_eq(before->product->sku, item->product->sku)) {
            q->lowest_of_gift[g] = q->lowest_of_gift[before - &w->cart.items[w->cart.item_count]];
        } else {
            status = pos_price_lowest(&w->cart, item->product, item->quantity, room, &q->lowest_of_gift[g]);
        }
        before = item;
    }
    return status;
}

/* Once a product: ten thousand lines may be of the same. */
static pos_status_t
find_lowest(pos_quoted_t *q)
{
    pos_work_t       *w = q->w;
    pos_lowest_room_t room = { 0 };
    pos_status_t      status = POS_OK;

    for (uint32_t i = 0; i < w->cart.line_count && status == POS_OK; i++) {
        const pos_item_t *item = &w->cart.items[w->cart.lines[i].item];
        pos_sku_t        *sku = &w->skus[w->sku_of_line[i]];

        if (item->on_sale && !sku->lowest_asked) {
            sku->lowest_asked = true;
            status = pos_price_lowest(&w->cart, sku->product, sku->quantity, &room, &sku->lowest);
        }
    }
    return status == POS_OK ? find_lowest_of_gifts(q, &room) : status;
}

static void
write_shipping(const pos_quoted_t *q, pos_writer_t *out)
{
    const pos_tax_list_t *taxes;

    if (q->plan->shipping == POS_NIL) {
        return;
    }
    taxes = &q->totals.taxes[q->plan->shipping];
    pos_write_key(out, "shipping");
    pos_write_object_begin(out);
    if (q->w->cart.shipping_method.len) {
        pos_write_key(out, "method");
        pos_write_string(out, q->w->cart.shipping_method);
    }
    pos_write_key(out, "amount");
    pos_write_int(out, q->w->cart.shipping_amount);
    pos_write_key(out, "discount");
    pos_write_int(out, q->w->cart.shipping_amount - q->totals.shipping_total);
    pos_write_key(out, "total");
    pos_write_int(out, q->totals.shipping_total);
    pos_write_key(out, "taxes");
    pos_write_array_begin(out);
    for (uint32_t t = 0; t < taxes->count; t++) {
        write_tax(out, taxes->list[t].row, taxes->list[t].amount, 0);
    }
    pos_write_array_end(out);
    pos_write_object_end(out);
}

static void
write_promotion(const pos_quoted_t *q, pos_writer_t *out, uint32_t k)
{
    const pos_candidate_t *c = &q->plan->candidates[k];
    const pos_state_t     *s = q->solution.state;
    pos_str_t              id = c->promotion->id;
    int64_t                times = 0;
    char                  *p = pos_writer_claim_value(out, 60 + POS_STRING_ROOM(id) + 2 * POS_INT_ROOM);

    if (p == NULL) {
        return;
    }
    p = pos_put_literal(p, "{\"id\":");
    p = pos_put_string(p, id);
    p = pos_put_literal(p, ",\"amount\":");
    p = pos_put_int(p, s->saved[k]);
    for (uint32_t i = 0; i < c->act_count; i++) {
        times += q->plan->acts[c->acts[i]].phase == POS_PHASE_DEAL ? s->times[c->acts[i]] : 0;
    }
    if (times) {
        p = pos_put_literal(p, ",\"times\":");
        p = pos_put_int(p, times);
    }
    if (c->promotion->returns != POS_RETURNS_RETAILER &&
        (c->promotion->returns == POS_RETURNS_REPRICE) != q->w->book->returns_reprice) {
        p = pos_put_literal(p, ",\"returns\":");
        p = pos_put_string(p, q->w->book->returns_reprice ? pos_str("paid") : pos_str("reprice"));
    }
    *p++ = '}';
    pos_writer_tell(out, p, true);
}

static void
write_promotions(const pos_quoted_t *q, pos_writer_t *out)
{
    pos_write_key(out, "promotions");
    pos_write_array_begin(out);
    for (int class = POS_CLASS_LINE; class <= POS_CLASS_SHIPPING; class++) {
        for (uint32_t k = 0; k < q->plan->candidate_count; k++) {
            if (q->solution.state->worked[k] &&
                q->plan->candidates[k].promotion->class == (pos_class_t) class) {
                write_promotion(q, out, k);
            }
        }
    }
    pos_write_array_end(out);
}

static void
write_coupons(const pos_quoted_t *q, pos_writer_t *out)
{
    pos_write_key(out, "coupons");
    pos_write_array_begin(out);
    for (uint32_t i = 0; i < q->w->cart.coupon_count; i++) {
        pos_write_object_begin(out);
        pos_write_key(out, "code");
        pos_write_string(out, q->w->cart.coupons[i]);
        pos_write_key(out, "status");
        pos_write_string(out, pos_str_z(pos_coupon_status(q, i)));
        pos_write_object_end(out);
    }
    pos_write_array_end(out);
}

static void
write_messages(const pos_quoted_t *q, pos_writer_t *out)
{
    const pos_state_t *s = q->solution.state;

    pos_write_key(out, "messages");
    pos_write_array_begin(out);
    for (uint32_t a = 0; a < q->plan->act_count; a++) {
        const pos_act_t *act = &q->plan->acts[a];

        if (act->effect->kind == POS_EFFECT_MESSAGE && q->solution.choice->used[act->candidate] &&
            s->off[act->candidate] != 2 && !s->off_act[a]) {
            pos_write_object_begin(out);
            pos_write_key(out, "promotion");
            pos_write_string(out, q->plan->candidates[act->candidate].promotion->id);
            pos_write_key(out, "text");
            pos_write_string(out, act->effect->message);
            pos_write_object_end(out);
        }
    }
    pos_write_array_end(out);
}

static void
write_inputs(const pos_quoted_t *q, pos_writer_t *out)
{
    pos_write_key(out, "inputs");
    pos_write_object_begin(out);
    if (q->plan->usage) {
        pos_write_key(out, "usage");
        pos_write_array_begin(out);
        for (const pos_usage_t *u = q->plan->usage; u; u = u->next) {
            pos_usage_write(out, u);
        }
        pos_write_array_end(out);
    }
    if (q->w->coupon_usage) {
        pos_write_key(out, "coupons");
        pos_write_array_begin(out);
        for (const pos_coupon_usage_t *u = q->w->coupon_usage; u; u = u->next) {
            pos_coupon_usage_write(out, u);
        }
        pos_write_array_end(out);
    }
    if (q->plan->script_error_count) {
        pos_write_key(out, "scripts_skipped");
        pos_write_array_begin(out);
        for (uint32_t i = 0; i < q->plan->script_error_count; i++) {
            pos_write_string(out, q->plan->looked[q->plan->script_errors[i]].promotion->id);
        }
        pos_write_array_end(out);
    }
    pos_write_object_end(out);
}

/* A promise needs the retailer's key, and is never made for another time. */
static void
write_token(const pos_quoted_t *q, pos_writer_t *out)
{
    const pos_book_t *book = q->w->book;
    pos_token_t       token;
    char              text[POS_TOKEN_MAX];
    size_t            len;

    if (!book->has_token_key || q->w->cart.simulated || book->token_ttl_us <= 0 ||
        q->w->cart.at > INT64_MAX - book->token_ttl_us ||
        pos_request_digest(&q->w->cart, token.digest) != POS_OK) {
        return;
    }
    token.expires = q->w->cart.at + book->token_ttl_us;
    token.total = q->totals.total;
    token.tax = q->totals.tax;
    token.discount = q->totals.discount;
    token.revision = q->w->options->revision;
    len = pos_token_write(&token, &book->token_key, text);
    if (len) {
        pos_write_key(out, "token");
        pos_write_string(out, pos_str_of(text, len));
    }
}

static void
write_totals(const pos_quoted_t *q, pos_writer_t *out)
{
    const pos_totals_t *t = &q->totals;
    char               *p = pos_writer_claim_value(out, 120 + 7 * POS_INT_ROOM);

    if (p == NULL) {
        return;
    }
    p = pos_put_literal(p, "\"subtotal\":");
    p = pos_put_int(p, t->subtotal);
    p = pos_put_literal(p, ",\"discount\":");
    p = pos_put_int(p, t->discount);
    p = pos_put_literal(p, ",\"shipping_total\":");
    p = pos_put_int(p, t->shipping_total);
    p = pos_put_literal(p, ",\"fees\":");
    p = pos_put_int(p, t->fees_total);
    p = pos_put_literal(p, ",\"tax\":");
    p = pos_put_int(p, t->tax);
    p = pos_put_literal(p, ",\"total\":");
    p = pos_put_int(p, t->total);
    if (q->w->book->cash_rounding > 1) {
        p = pos_put_literal(p, ",\"cash_total\":");
        p = pos_put_int(p, t->cash_total);
    }
    pos_writer_tell(out, p, true);
}

pos_status_t
pos_quote_write(pos_quoted_t *q, pos_writer_t *out)
{
    pos_work_t  *w = q->w;
    pos_status_t status = POS_OK;

    if (!make_runs(q)) {
        return POS_NO_MEMORY;
    }
    status = find_lowest(q);
    if (status == POS_OK) {
        status = pos_lines_index(q->solution.state, &q->index);
    }
    if (status != POS_OK) {
        return status;
    }
    /* From here on the answer is what grows, and it does so in place. */
    (void) pos_writer_claim(out, ANSWER_LEAST + LINE_LEAST * (size_t) q->line_count +
        ADJUST_LEAST * (size_t) q->solution.state->adjust_count);
    pos_write_object_begin(out);
    pos_write_key(out, "currency");
    pos_write_string(out, w->cart.currency);
    pos_write_key(out, "at");
    pos_write_time(out, w->cart.at);
    pos_write_key(out, "revision");
    pos_write_string(out, w->options->revision);
    pos_write_key(out, "tax_included");
    pos_write_bool(out, w->tax_included);
    pos_write_key(out, "lines");
    pos_write_array_begin(out);
    for (uint32_t i = 0; i < q->line_count && out->status == POS_OK; i++) {
        write_line(q, out, i);
    }
    pos_write_array_end(out);
    write_shipping(q, out);
    write_totals(q, out);
    write_promotions(q, out);
    write_coupons(q, out);
    write_messages(q, out);
    pos_experiments_write(q->plan, out);
    pos_write_key(out, "points");
    pos_write_int(out, q->solution.state->points);
    write_inputs(q, out);
    if (w->book->returns_reprice) {
        pos_write_key(out, "returns");
        pos_write_string(out, pos_str("reprice"));
    }
    pos_write_key(out, "optimal");
    pos_write_bool(out, q->solution.optimal);
    if (!q->solution.optimal) {
        pos_write_key(out, "bound");
        pos_write_int(out, q->solution.bound);
    }
    write_token(q, out);
    if (w->cart.explain) {
        status = pos_explain_write(q, out);
    }
    write_literal(out, "}", true);
    return status == POS_OK ? out->status : status;
}
