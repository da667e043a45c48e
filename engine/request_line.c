/*
 * The lines of a request: what is bought, and what a till may change of its
 * price by hand.
 */

#include "engine/request_data.h"

pos_status_t
pos_line_fault(pos_work_t *w, size_t line, const char *rest, const char *code,
               const char *message)
{
    pos_request_at_t at = { "/lines", (int64_t) line, rest };

    pos_request_bad(w, &at, (pos_str_t) { NULL, 0 }, code, message);
    return POS_INVALID;
}

const pos_line_rare_t pos_line_plain = { .override_amount = 0 };

/* A line's own; NULL without memory. */
static pos_line_rare_t *
rare_of(pos_work_t *w, pos_line_t *line)
{
    if (line->rare == &pos_line_plain) {
        pos_line_rare_t *rare = pos_arena_zalloc(w->arena, sizeof(*rare));

        if (rare == NULL) {
            return NULL;
        }
        line->rare = rare;
    }
    return (pos_line_rare_t *) (uintptr_t) line->rare;
}

/* ---- by hand ---- */

static bool
read_override(pos_work_t *w, size_t index, const pos_json_t *v, pos_line_t *line)
{
    pos_request_at_t line_at = { "/lines", (int64_t) index, "" };
    pos_request_at_t at = { "/lines", (int64_t) index, "/price_override" };
    bool             has_amount = false;
    pos_line_rare_t *rare = rare_of(w, line);

    if (rare == NULL) {
        return false;
    }
    if (!pos_request_object(w, &line_at, v)) {
        return true;
    }
    if (!w->options->may_override) {
        pos_request_forbidden(w, &line_at, v->key, "quotes:override");
        return true;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (POS_IS(e, "amount")) {
            rare->override_amount = pos_request_money(w, &at, e);
            has_amount = true;
        } else if (POS_IS(e, "reason")) {
            rare->override_reason = pos_request_text(w, &at, e, POS_REQUEST_TEXT_MAX);
        } else {
            pos_request_unknown(w, &at, e);
        }
    }
    if (!has_amount) {
        pos_request_bad(w, &at, pos_str("amount"), "required",
                        "an override names its amount");
    }
    if (rare->override_reason.len == 0) {
        pos_request_bad(w, &at, pos_str("reason"), "required",
                        "an override names its reason");
    }
    line->has_override = true;
    return true;
}

static int64_t
read_percent(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v)
{
    int64_t n = 0;

    if (v->type != POS_JSON_NUMBER) {
        pos_request_bad(w, at, v->key, "type", "must be a number");
    } else if (!pos_json_decimal(v, 4, &n)) {
        pos_request_bad(w, at, v->key, "decimals", "at most 4 decimals, no exponent");
        n = 0;
    } else if (n < 0) {
        pos_request_bad(w, at, v->key, "min", "must not be negative");
    } else if (n > POS_PPM) {
        pos_request_bad(w, at, v->key, "max", "must be at most 100");
    }
    return n < 0 || n > POS_PPM ? 0 : n;
}

static bool
read_discount(pos_work_t *w, size_t index, const pos_json_t *v, pos_line_t *line)
{
    pos_request_at_t line_at = { "/lines", (int64_t) index, "" };
    pos_request_at_t at = { "/lines", (int64_t) index, "/discount" };
    unsigned         kinds = 0;
    pos_line_rare_t *rare = rare_of(w, line);

    if (rare == NULL) {
        return false;
    }
    if (!pos_request_object(w, &line_at, v)) {
        return true;
    }
    if (!w->options->may_override) {
        pos_request_forbidden(w, &line_at, v->key, "quotes:override");
        return true;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (POS_IS(e, "amount")) {
            line->discount_value = pos_request_money(w, &at, e);
            line->discount_reduce = POS_REDUCE_AMOUNT;
            kinds++;
        } else if (POS_IS(e, "percent")) {
            line->discount_reduce = POS_REDUCE_PERCENT;
            line->discount_value = read_percent(w, &at, e);
            kinds++;
        } else if (POS_IS(e, "reason")) {
            rare->discount_reason = pos_request_text(w, &at, e, POS_REQUEST_TEXT_MAX);
        } else {
            pos_request_unknown(w, &at, e);
        }
    }
    if (kinds != 1) {
        pos_request_bad(w, &line_at, v->key, "one_of",
                        "a discount has either percent or amount");
    }
    if (rare->discount_reason.len == 0) {
        pos_request_bad(w, &at, pos_str("reason"), "required",
                        "a manual discount names its reason");
    }
    line->has_discount = true;
    return true;
}

static bool
read_tax_category(pos_work_t *w, const pos_request_at_t *at, const pos_json_t *v, pos_line_t *line)
{
    pos_line_rare_t *rare = rare_of(w, line);

    if (rare != NULL) {
        rare->tax_category = pos_request_code(w, at, v);
    }
    return rare != NULL;
}

/* ---- lines ---- */

static bool
read_line(pos_work_t *w, size_t index, const pos_json_t *v, pos_line_t *line)
{
    pos_request_at_t at = { "/lines", (int64_t) index, "" };
    bool             has_sku = false, has_quantity = false;

    line->rare = &pos_line_plain;
    if (v->type != POS_JSON_OBJECT) {
        (void) pos_line_fault(w, index, "", "type", "a line is an object");
        return true;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (POS_IS(e, "sku")) {
            line->sku = pos_request_code(w, &at, e);
            has_sku = e->type != POS_JSON_NULL;
        } else if (POS_IS(e, "quantity")) {
            has_quantity = true;
            if (e->type != POS_JSON_NUMBER) {
                pos_request_bad(w, &at, e->key, "type", "must be a number");
            } else if (!pos_json_decimal(e, 3, &line->quantity)) {
                pos_request_bad(w, &at, e->key, "quantity",
                                "at most 3 decimals, no exponent, up to 100000");
                line->quantity = 0;
            } else if (line->quantity <= 0) {
                pos_request_bad(w, &at, e->key, "quantity", "must be more than 0");
                line->quantity = 0;
            } else if (line->quantity > 100000 * POS_THOUSANDTHS) {
                pos_request_bad(w, &at, e->key, "quantity", "must be at most 100000");
                line->quantity = 0;
            }
        } else if (POS_IS(e, "id")) {
            line->id = pos_request_text(w, &at, e, POS_REQUEST_CODE_MAX);
        } else if (POS_IS(e, "attributes")) {
            if (!pos_request_attributes(w, &at, e, &line->attribute_count,
                                        &line->attributes)) {
                return false;
            }
        } else if (POS_IS(e, "price_override")) {
            if (!read_override(w, index, e, line)) {
                return false;
            }
        } else if (POS_IS(e, "discount")) {
            if (!read_discount(w, index, e, line)) {
                return false;
            }
        } else if (POS_IS(e, "tax_category")) {
            if (e->type != POS_JSON_NULL && !w->options->may_override) {
                pos_request_forbidden(w, &at, e->key, "quotes:override");
            } else if (!read_tax_category(w, &at, e, line)) {
                return false;
            }
        } else {
            pos_request_unknown(w, &at, e);
        }
    }
    if (!has_sku) {
        pos_request_bad(w, &at, pos_str("sku"), "required", "a line names its SKU");
    }
    if (!has_quantity) {
        pos_request_bad(w, &at, pos_str("quantity"), "required", "a line has a quantity");
    }
    return true;
}

bool
pos_request_lines(pos_work_t *w, const pos_json_t *v)
{
    pos_request_at_t at = { "", -1, "" };
    pos_cart_t      *cart = &w->cart;
    size_t           i = 0;

    if (v->type != POS_JSON_ARRAY) {
        pos_request_bad(w, &at, v->key, "type", "must be a list of lines");
        return true;
    }
    cart->lines =
        pos_arena_array(w->arena, v->count ? v->count : 1, sizeof(*cart->lines));
    if (cart->lines == NULL) {
        return false;
    }
    cart->line_count = v->count;
    for (const pos_json_t *e = v->first; e; e = e->next, i++) {
        if (!read_line(w, i, e, &cart->lines[i])) {
            return false;
        }
    }
    return true;
}
