/* The quote as JSON. */

#include "engine/quote_write.h"
#include "engine/token.h"

static void
write_tax(pos_writer_t *out, const pos_tax_row_t *row, int64_t amount, int64_t fees)
{
    pos_write_object_begin(out);
    pos_write_key(out, "code");
    pos_write_string(out, row->code);
    pos_write_key(out, "percent");
    pos_write_decimal(out, row->ppm, 4);
    pos_write_key(out, "amount");
    pos_write_int(out, amount);
    if (fees) {
        pos_write_key(out, "fees");
        pos_write_int(out, fees);
    }
    pos_write_object_end(out);
}

/* A line while it is written. */
typedef struct {
    const pos_line_result_t *line;
    const pos_item_t        *item;
    uint32_t                 run_count;
    pos_unit_run_t          *runs;
} line_out_t;

/* Where a class begins among its item's units. */
static int64_t
class_start(const pos_state_t *s, uint32_t seg)
{
    int64_t at = 0;

    for (uint32_t k = s->first[s->segs[seg].item]; k != seg; k = s->segs[k].next) {
        at += s->segs[k].units;
    }
    return at;
}

/* Adds what the units [from, until) of an item bear of an adjustment, and how many of
 * them do. */
static inline __attribute__((always_inline)) void
add_share(const pos_state_t *s, uint32_t at, int64_t from, int64_t until, int64_t *amount,
    int64_t *units)
{
    const pos_adjust_t *adjust = &s->adjusts[at];
    int64_t             start = class_start(s, adjust->seg), n = s->segs[adjust->seg].units;
    int64_t             low = from > start ? from - start : 0;
    int64_t             high = until - start < n ? until - start : n;

    if (high > low) {
        *amount += pos_adjust_share(s, adjust, low, high);
        *units += high - low;
    }
}

/* For an order: what each run of units bore, since its units come back one by one. */
static void
write_borne(const pos_quoted_t *q, pos_writer_t *out, const line_out_t *l, uint32_t first)
{
    const pos_state_t *s = q->solution.state;

    pos_write_key(out, "units");
    pos_write_array_begin(out);
    for (uint32_t r = 0; r < l->run_count; r++) {
        int64_t amount = 0, units = 0;

        for (uint32_t at = first; at != POS_NIL && s->adjusts[at].act == s->adjusts[first].act;
             at = s->adjusts[at].next) {
            add_share(s, at, l->runs[r].from, l->runs[r].until, &amount, &units);
        }
        pos_write_int(out, amount);
    }
    pos_write_array_end(out);
}

static void
write_adjustment(const pos_quoted_t *q, pos_writer_t *out, const line_out_t *l, uint32_t at,
    int64_t amount, int64_t units)
{
    const pos_plan_t *plan = q->plan;
    uint32_t          act = q->solution.state->adjusts[at].act;

    pos_write_object_begin(out);
    pos_write_key(out, "promotion");
    if (act == POS_NIL) {
        pos_write_null(out);
    } else {
        pos_write_string(out, plan->candidates[plan->acts[act].candidate].promotion->id);
    }
    pos_write_key(out, "amount");
    pos_write_int(out, -amount);
    if (act == POS_NIL || plan->acts[act].phase < POS_PHASE_ORDER) {
        pos_write_key(out, "quantity");
        pos_write_decimal(out, l->item->measured ? l->item->quantity : units * POS_THOUSANDTHS, 3);
    }
    if (q->w->options->for_order) {
        write_borne(q, out, l, at);
    }
    pos_write_key(out, "label");
    if (act == POS_NIL) {
        pos_write_string(out, l->item->line->discount_reason);
    } else if (plan->acts[act].effect->label.len) {
        pos_write_string(out, plan->acts[act].effect->label);
    } else {
        pos_write_string(out, plan->candidates[plan->acts[act].candidate].promotion->name);
    }
    pos_write_object_end(out);
}

static void
write_adjustments(const pos_quoted_t *q, pos_writer_t *out, const line_out_t *l)
{
    const pos_state_t *s = q->solution.state;
    uint32_t           at = s->adjust_first[l->line->item];

    pos_write_array_begin(out);
    while (at != POS_NIL) {
        uint32_t first = at, act = s->adjusts[at].act;
        int64_t  amount = 0, units = 0;

        for (; at != POS_NIL && s->adjusts[at].act == act; at = s->adjusts[at].next) {
            add_share(s, at, l->line->from, l->line->until, &amount, &units);
        }
        if (amount > 0) {
            write_adjustment(q, out, l, first, amount, units);
        }
    }
    pos_write_array_end(out);
}

/* What a run paid in all: the entries' `paid` sum to the line's total. */
static void
write_units(pos_writer_t *out, const line_out_t *l)
{
    pos_write_array_begin(out);
    for (uint32_t r = 0; r < l->run_count; r++) {
        int64_t n = l->runs[r].until - l->runs[r].from;

        pos_write_object_begin(out);
        pos_write_key(out, "quantity");
        pos_write_decimal(out, l->item->measured ? l->line->quantity : n * POS_THOUSANDTHS, 3);
        pos_write_key(out, "paid");
        pos_write_int(out, n * l->runs[r].paid);
        pos_write_object_end(out);
    }
    pos_write_array_end(out);
}

/* The law of the EU wants it beside a reduced price. */
static void
write_lowest(const pos_quoted_t *q, pos_writer_t *out, const pos_item_t *item, uint32_t index)
{
    const pos_work_t *w = q->w;
    int64_t           lowest = 0;
    bool              known = false;
    pos_status_t      status = pos_price_lowest(&w->cart, item->product,
        item->gift ? item->quantity : w->skus[w->sku_of_line[index]].quantity, &known, &lowest);

    if (status != POS_OK) {
        out->status = status;
        return;
    }
    pos_write_key(out, "lowest_30d");
    if (known) {
        pos_write_int(out, lowest);
    } else {
        pos_write_null(out);
    }
}

static void
write_line(const pos_quoted_t *q, pos_writer_t *out, uint32_t index)
{
    const pos_line_result_t *line = &q->lines[index];
    const pos_item_t        *item = &q->w->cart.items[line->item];
    const pos_line_t        *given = index < q->w->cart.line_count ? &q->w->cart.lines[index] : NULL;
    const pos_tax_list_t    *taxes = &q->totals.taxes[line->item];
    const pos_state_t       *s = q->solution.state;
    pos_unit_run_t           few[2];
    line_out_t               l = { .line = line, .item = item, .runs = few };

    /* Most items are one class. */
    if (s->segs[s->first[line->item]].next != POS_NIL) {
        l.runs = pos_arena_alloc(q->w->arena, pos_line_runs_most(s, line) * sizeof(*l.runs));
        if (l.runs == NULL) {
            out->status = POS_NO_MEMORY;
            return;
        }
    }
    l.run_count = pos_line_runs(s, line, l.runs);
    pos_write_object_begin(out);
    pos_write_key(out, "id");
    if (given && given->id.data) {
        pos_write_string(out, given->id);
    } else {
        pos_write_null(out);
    }
    pos_write_key(out, "sku");
    pos_write_string(out, item->product->sku);
    pos_write_key(out, "name");
    pos_write_string(out, item->product->name);
    pos_write_key(out, "quantity");
    pos_write_decimal(out, line->quantity, 3);
    if (item->measured) {
        pos_write_key(out, "unit");
        pos_write_string(out, item->product->unit);
    }
    pos_write_key(out, "list_price");
    pos_write_int(out, item->list_price);
    pos_write_key(out, "unit_price");
    pos_write_int(out, item->unit_price);
    if (item->on_sale) {
        write_lowest(q, out, item, index);
    }
    pos_write_key(out, "price_list");
    pos_write_string(out, item->price_list);
    pos_write_key(out, "subtotal");
    pos_write_int(out, line->subtotal);
    pos_write_key(out, "discount");
    pos_write_int(out, line->subtotal - line->total);
    pos_write_key(out, "total");
    pos_write_int(out, line->total);
    pos_write_key(out, "fees");
    pos_write_int(out, line->fees);
    pos_write_key(out, "adjustments");
    write_adjustments(q, out, &l);
    pos_write_key(out, "taxes");
    pos_write_array_begin(out);
    for (uint32_t t = 0; t < taxes->count; t++) {
        write_tax(out, taxes->list[t].row, line->taxes[t],
            line->fee_taxes ? line->fee_taxes[t] : 0);
    }
    pos_write_array_end(out);
    pos_write_key(out, "units");
    write_units(out, &l);
    if (item->gift) {
        pos_write_key(out, "gift");
        pos_write_bool(out, true);
    }
    pos_write_object_end(out);
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
    int64_t                times = 0;

    pos_write_object_begin(out);
    pos_write_key(out, "id");
    pos_write_string(out, c->promotion->id);
    pos_write_key(out, "amount");
    pos_write_int(out, s->saved[k]);
    for (uint32_t i = 0; i < c->act_count; i++) {
        times += q->plan->acts[c->acts[i]].phase == POS_PHASE_DEAL ? s->times[c->acts[i]] : 0;
    }
    if (times) {
        pos_write_key(out, "times");
        pos_write_int(out, times);
    }
    if (c->promotion->returns != POS_RETURNS_RETAILER &&
        (c->promotion->returns == POS_RETURNS_REPRICE) != q->w->book->returns_reprice) {
        pos_write_key(out, "returns");
        pos_write_string(out, q->w->book->returns_reprice ? pos_str("paid") : pos_str("reprice"));
    }
    pos_write_object_end(out);
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

    pos_write_key(out, "subtotal");
    pos_write_int(out, t->subtotal);
    pos_write_key(out, "discount");
    pos_write_int(out, t->discount);
    pos_write_key(out, "shipping_total");
    pos_write_int(out, t->shipping_total);
    pos_write_key(out, "fees");
    pos_write_int(out, t->fees_total);
    pos_write_key(out, "tax");
    pos_write_int(out, t->tax);
    pos_write_key(out, "total");
    pos_write_int(out, t->total);
    if (q->w->book->cash_rounding > 1) {
        pos_write_key(out, "cash_total");
        pos_write_int(out, t->cash_total);
    }
}

pos_status_t
pos_quote_write(pos_quoted_t *q, pos_writer_t *out)
{
    pos_work_t  *w = q->w;
    pos_status_t status = POS_OK;

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
    for (uint32_t i = 0; i < q->line_count; i++) {
        write_line(q, out, i);
    }
    pos_write_array_end(out);
    write_shipping(q, out);
    write_totals(q, out);
    write_promotions(q, out);
    write_coupons(q, out);
    write_messages(q, out);
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
    pos_write_object_end(out);
    return status == POS_OK ? out->status : status;
}
