/* The answer to a return. */

#include "engine/returns_data.h"

static void
write_tax(pos_writer_t *out, const pos_back_tax_t *tax, int64_t amount)
{
    pos_write_object_begin(out);
    pos_write_key(out, "code");
    pos_write_string(out, tax->code);
    pos_write_key(out, "percent");
    pos_write_decimal(out, tax->ppm, 4);
    pos_write_key(out, "amount");
    pos_write_int(out, amount);
    pos_write_object_end(out);
}

static void
write_taxes(const pos_back_t *b, pos_writer_t *out, const int64_t *amounts)
{
    pos_write_key(out, "taxes");
    pos_write_array_begin(out);
    for (uint32_t k = 0; k < b->kind_count; k++) {
        write_tax(out, &b->kinds[k], amounts[k]);
    }
    pos_write_array_end(out);
}

/* ---- lines ---- */

typedef struct {
    int64_t quantity, paid, fees;
} came_back_t;

static void
write_line_taxes(const pos_back_line_t *line, pos_writer_t *out)
{
    pos_write_key(out, "taxes");
    pos_write_array_begin(out);
    for (uint32_t t = 0; t < line->tax_count; t++) {
        int64_t amount = 0;

        for (uint32_t r = 0; r < line->run_count; r++) {
            const pos_back_run_t *run = &line->runs[r];

            amount += pos_back_taxed(line, t, r, run->before, run->before + run->back);
        }
        write_tax(out, &line->taxes[t], amount);
    }
    pos_write_array_end(out);
}

static void
write_discounts(const pos_back_t *b, const pos_back_line_t *line, pos_writer_t *out)
{
    pos_write_key(out, "discounts");
    pos_write_array_begin(out);
    for (uint32_t i = 0; i < line->adjust_count; i++) {
        uint32_t promotion = line->adjusts[i].promotion;
        int64_t  amount = 0;

        for (uint32_t r = 0; r < line->run_count; r++) {
            const pos_back_run_t *run = &line->runs[r];

            amount += pos_back_discount(line, i, r, run->before, run->before + run->back);
        }
        pos_write_object_begin(out);
        pos_write_key(out, "promotion");
        if (promotion == POS_NIL) {
            pos_write_null(out);
        } else {
            pos_write_string(out, b->promotions[promotion].id);
        }
        pos_write_key(out, "amount");
        pos_write_int(out, amount);
        pos_write_object_end(out);
    }
    pos_write_array_end(out);
}

static void
write_units(const pos_back_line_t *line, pos_writer_t *out)
{
    pos_write_key(out, "units");
    pos_write_array_begin(out);
    for (uint32_t r = 0; r < line->run_count; r++) {
        const pos_back_run_t *run = &line->runs[r];

        if (run->back == 0) {
            continue;
        }
        pos_write_object_begin(out);
        pos_write_key(out, "unit");
        pos_write_int(out, r);
        pos_write_key(out, "quantity");
        pos_write_decimal(out, run->back, 3);
        pos_write_key(out, "paid");
        pos_write_int(out, pos_back_paid(run, run->before, run->before + run->back));
        pos_write_object_end(out);
    }
    pos_write_array_end(out);
}

static void
write_line(const pos_back_t *b, uint32_t index, const came_back_t *back, pos_writer_t *out)
{
    const pos_back_line_t *line = &b->lines[index];

    pos_write_object_begin(out);
    pos_write_key(out, "line");
    pos_write_int(out, index);
    pos_write_key(out, "id");
    if (line->has_id) {
        pos_write_string(out, line->id);
    } else {
        pos_write_null(out);
    }
    pos_write_key(out, "sku");
    pos_write_string(out, line->sku);
    pos_write_key(out, "quantity");
    pos_write_decimal(out, back->quantity, 3);
    pos_write_key(out, "paid");
    pos_write_int(out, back->paid);
    pos_write_key(out, "fees");
    pos_write_int(out, back->fees);
    write_line_taxes(line, out);
    write_discounts(b, line, out);
    write_units(line, out);
    if (line->gift) {
        pos_write_key(out, "gift");
        pos_write_bool(out, true);
    }
    pos_write_object_end(out);
}

static void
write_lines(const pos_back_t *b, pos_writer_t *out)
{
    pos_write_key(out, "lines");
    pos_write_array_begin(out);
    for (uint32_t i = 0; i < b->line_count; i++) {
        const pos_back_line_t *line = &b->lines[i];
        came_back_t            back = { 0, 0, 0 };

        for (uint32_t r = 0; r < line->run_count; r++) {
            const pos_back_run_t *run = &line->runs[r];

            back.quantity += run->back;
            back.paid += pos_back_paid(run, run->before, run->before + run->back);
            back.fees += pos_back_fees(line, r, run->before, run->before + run->back);
        }
        if (back.quantity > 0) {
            write_line(b, i, &back, out);
        }
    }
    pos_write_array_end(out);
}

/* ---- the order ---- */

static void
write_promotions(const pos_back_t *b, pos_writer_t *out)
{
    pos_write_key(out, "promotions");
    pos_write_array_begin(out);
    for (uint32_t k = 0; k < b->promotion_count; k++) {
        pos_write_object_begin(out);
        pos_write_key(out, "id");
        pos_write_string(out, b->promotions[k].id);
        pos_write_key(out, "amount");
        pos_write_int(out, b->promotions[k].back);
        pos_write_object_end(out);
    }
    pos_write_array_end(out);
}

static int64_t
charged(const pos_back_t *b, pos_str_t sku)
{
    for (uint32_t c = 0; c < b->charged_count; c++) {
        if (pos_str_eq(b->charged[c].sku, sku)) {
            return b->charged[c].quantity;
        }
    }
    return 0;
}

/* Gifts that the customer keeps, once a SKU. */
static void
write_gifts(const pos_back_t *b, pos_writer_t *out)
{
    pos_write_key(out, "gifts");
    pos_write_array_begin(out);
    for (uint32_t i = 0; i < b->line_count; i++) {
        const pos_back_line_t *line = &b->lines[i];
        int64_t                kept = 0;
        bool                   told = false;

        for (uint32_t k = 0; k < b->line_count && line->gift; k++) {
            if (b->lines[k].gift && pos_str_eq(b->lines[k].sku, line->sku)) {
                kept += pos_back_kept(&b->lines[k]);
                told |= k < i;
            }
        }
        if (kept == 0 || told) {
            continue;
        }
        pos_write_object_begin(out);
        pos_write_key(out, "sku");
        pos_write_string(out, line->sku);
        pos_write_key(out, "kept");
        pos_write_decimal(out, kept, 3);
        pos_write_key(out, "charged");
        pos_write_decimal(out, charged(b, line->sku), 3);
        pos_write_object_end(out);
    }
    pos_write_array_end(out);
}

static void
write_state_line(const pos_back_t *b, uint32_t index, pos_writer_t *out)
{
    const pos_back_line_t *line = &b->lines[index];

    if (pos_back_kept(line) == line->quantity) {
        return;
    }
    pos_write_object_begin(out);
    pos_write_key(out, "line");
    pos_write_int(out, index);
    pos_write_key(out, "units");
    pos_write_array_begin(out);
    for (uint32_t r = 0; r < line->run_count; r++) {
        pos_write_decimal(out, line->runs[r].before + line->runs[r].back, 3);
    }
    pos_write_array_end(out);
    pos_write_object_end(out);
}

static void
write_state(const pos_back_t *b, pos_writer_t *out)
{
    pos_write_key(out, "state");
    pos_write_object_begin(out);
    pos_write_key(out, "lines");
    pos_write_array_begin(out);
    for (uint32_t i = 0; i < b->line_count; i++) {
        write_state_line(b, i, out);
    }
    pos_write_array_end(out);
    pos_write_key(out, "shipping");
    pos_write_bool(out, b->shipping_before || b->shipping_back);
    pos_write_key(out, "refunded");
    pos_write_object_begin(out);
    pos_write_key(out, "goods");
    pos_write_int(out, b->before.goods + b->now.goods);
    pos_write_key(out, "fees");
    pos_write_int(out, b->before.fees + b->now.fees);
    pos_write_key(out, "shipping");
    pos_write_int(out, b->before.shipping + b->now.shipping);
    pos_write_key(out, "taxes");
    pos_write_array_begin(out);
    for (uint32_t k = 0; k < b->kind_count; k++) {
        write_tax(out, &b->kinds[k], b->before.taxes[k] + b->now.taxes[k]);
    }
    pos_write_array_end(out);
    pos_write_object_end(out);
    pos_write_object_end(out);
}

static void
write_sums(const pos_back_t *b, int64_t tax, pos_writer_t *out)
{
    int64_t points = pos_back_portion(b->points, b->before.goods + b->now.goods, b->whole.goods) -
        pos_back_portion(b->points, b->before.goods, b->whole.goods);

    pos_write_key(out, "goods");
    pos_write_int(out, b->now.goods);
    pos_write_key(out, "fees");
    pos_write_int(out, b->now.fees);
    pos_write_key(out, "shipping");
    pos_write_int(out, b->now.shipping);
    pos_write_key(out, "tax");
    pos_write_int(out, tax);
    write_taxes(b, out, b->now.taxes);
    write_promotions(b, out);
    pos_write_key(out, "points");
    pos_write_int(out, points);
}

void
pos_back_write(const pos_back_t *b, pos_writer_t *out)
{
    int64_t tax = 0, refund;

    for (uint32_t k = 0; k < b->kind_count; k++) {
        tax += b->now.taxes[k];
    }
    refund = b->now.goods + b->now.fees + b->now.shipping + (b->tax_included ? 0 : tax);
    pos_write_object_begin(out);
    pos_write_key(out, "policy");
    pos_write_string(out, b->reprice ? pos_str("reprice") : pos_str("paid"));
    pos_write_key(out, "currency");
    pos_write_string(out, b->currency);
    pos_write_key(out, "revision");
    pos_write_string(out, b->revision);
    write_lines(b, out);
    write_sums(b, tax, out);
    pos_write_key(out, "refund");
    pos_write_int(out, refund);
    if (b->reprice) {
        pos_write_key(out, "kept");
        pos_write_int(out, b->kept_total);
    }
    write_gifts(b, out);
    write_state(b, out);
    if (b->sale.len) {
        pos_write_key(out, "sale");
        pos_write_raw(out, b->sale);
        pos_write_key(out, "balance");
        pos_write_int(out, b->sale_total - refund);
    }
    pos_write_object_end(out);
}
