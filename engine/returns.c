/* One return from JSON to JSON: what each unit paid comes back, or the difference to
 * what is kept. */

#include "engine/returns_data.h"

/* ---- the units' own shares ---- */

static void
add_run(pos_back_t *b, const pos_back_line_t *line, uint32_t r)
{
    const pos_back_run_t *run = &line->runs[r];
    int64_t               from = run->before, until = run->before + run->back;

    b->now.goods += pos_back_paid(run, from, until);
    b->now.fees += pos_back_fees(line, r, from, until);
    for (uint32_t t = 0; t < line->tax_count; t++) {
        b->now.taxes[line->taxes[t].kind] += pos_back_taxed(line, t, r, from, until);
    }
    for (uint32_t i = 0; i < line->adjust_count; i++) {
        if (line->adjusts[i].promotion != POS_NIL) {
            pos_back_promotion_t *p = &b->promotions[line->adjusts[i].promotion];

            p->back += pos_back_discount(line, i, r, from, until);
            p->kept += line->gift ? 0
                : line->adjusts[i].runs[r] - pos_back_discount(line, i, r, 0, until);
        }
    }
}

static void
add_shares(pos_back_t *b)
{
    for (uint32_t i = 0; i < b->line_count; i++) {
        for (uint32_t r = 0; r < b->lines[i].run_count; r++) {
            add_run(b, &b->lines[i], r);
        }
    }
    if (!b->shipping_back) {
        return;
    }
    b->now.shipping = b->whole.shipping;
    for (uint32_t t = 0; t < b->shipping_tax_count; t++) {
        b->now.taxes[b->shipping_taxes[t].kind] += b->shipping_taxes[t].amount;
    }
    for (uint32_t k = 0; k < b->promotion_count; k++) {
        b->promotions[k].back += b->promotions[k].amount - b->promotions[k].on_lines;
    }
}

/* A part that was refunded before, by another policy or a price that fell, is not paid
 * out twice. */
static int64_t
not_twice(int64_t now, int64_t whole, int64_t before)
{
    return now < whole - before ? now : whole - before;
}

static void
hold_to_paid(pos_back_t *b)
{
    b->now.goods = not_twice(b->now.goods, b->whole.goods, b->before.goods);
    b->now.fees = not_twice(b->now.fees, b->whole.fees, b->before.fees);
    b->now.shipping = not_twice(b->now.shipping, b->whole.shipping, b->before.shipping);
    for (uint32_t k = 0; k < b->kind_count; k++) {
        b->now.taxes[k] = not_twice(b->now.taxes[k], b->whole.taxes[k], b->before.taxes[k]);
    }
}

/* ---- the sale of an exchange ---- */

/* One balance is of one currency. */
static void
check_currency(pos_back_t *b, const pos_json_t *sale)
{
    pos_at_t          at = pos_at_key(&b->root, "sale"), here = pos_at_key(&at, "currency");
    const pos_json_t *asked = pos_member(sale, "currency");

    if (!pos_str_eq(asked ? asked->text : b->options->sale->book->currency, b->currency)) {
        pos_decode_fault(&b->d, &here, "mismatch", "the order was paid in %.*s",
            (int) b->currency.len, b->currency.data);
    }
}

static pos_status_t
price_sale(pos_back_t *b)
{
    const pos_json_t   *sale = pos_member(b->document, "sale");
    const pos_json_t   *given = pos_member(b->document, "inputs");
    pos_at_t            at = pos_at_key(&b->root, "sale"), inputs_at = pos_at_key(&b->root, "inputs");
    pos_quote_options_t options = *b->options->sale;
    pos_inputs_t        inputs;
    pos_quote_stats_t   stats;
    pos_writer_t        w;
    pos_status_t        status;

    if (sale == NULL) {
        if (given != NULL) {
            pos_decode_fault(&b->d, &inputs_at, "unknown_field", "are a sale's, and there is none");
        }
        return pos_decoder_status(&b->d);
    }
    check_currency(b, sale);
    options.pointer = pos_at_pointer(&at, b->arena);
    if (given != NULL) {
        status = pos_inputs_read(given, pos_at_pointer(&inputs_at, b->arena), b->arena, b->faults, &inputs);
        if (status == POS_NO_MEMORY) {
            return status;
        }
        options.inputs = &inputs;
    }
    pos_writer_init(&w, b->arena, POS_BACK_ROOM, POS_BACK_MAX);
    status = pos_quote(&options, sale, b->arena, b->faults, &w, &stats);
    b->sale = pos_writer_result(&w);
    b->sale_total = stats.total;
    return status == POS_OK ? pos_decoder_status(&b->d) : status;
}

/* ---- all of it ---- */

pos_status_t
pos_return(const pos_return_options_t *options, const pos_json_t *document, pos_arena_t *arena,
    pos_faults_t *faults, pos_writer_t *out)
{
    pos_back_t   b = { .options = options, .document = document, .arena = arena, .faults = faults };
    pos_status_t status;

    pos_decoder_init(&b.d, arena, faults, NULL);
    b.root = pos_at_base(pos_str(""));
    status = pos_back_read(&b);
    if (status != POS_OK) {
        return status == POS_INVALID && faults->lost ? POS_NO_MEMORY : status;
    }
    add_shares(&b);
    if (b.reprice) {
        status = pos_back_reprice(&b);
    } else {
        hold_to_paid(&b);
    }
    if (status == POS_OK) {
        status = price_sale(&b);
    }
    if (status == POS_OK) {
        pos_back_write(&b, out);
    }
    return status == POS_OK ? out->status : status;
}
