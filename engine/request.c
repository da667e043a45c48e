/*
 * The request as JSON to a cart. Every fault is named by its pointer, all in
 * one answer; a field that the key may not set is refused with code
 * scope_required.
 */

#include "engine/request_data.h"

/* ---- who, where to, with what ---- */

static bool
read_customer(pos_work_t *w, const pos_json_t *v)
{
    pos_request_at_t top = { "", -1, "" }, at = { "/customer", -1, "" };
    pos_cart_t      *cart = &w->cart;

    if (!pos_request_object(w, &top, v)) {
        return true;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (POS_IS(e, "id")) {
            cart->customer_id = pos_request_code(w, &at, e);
            cart->customer_known = cart->customer_id.len > 0;
            continue;
        }
        if (!POS_IS(e, "groups") && !POS_IS(e, "orders") && !POS_IS(e, "birthday") &&
            !POS_IS(e, "tax_exempt")) {
            pos_request_unknown(w, &at, e);
            continue;
        }
        if (!w->options->may_customer) {
            pos_request_forbidden(w, &at, e->key, "quotes:customer");
            continue;
        }
        if (POS_IS(e, "groups")) {
            if (!pos_request_set(w, &at, e, &cart->customer_groups)) {
                return false;
            }
        } else if (e->type == POS_JSON_NULL) {
            continue;
        } else if (POS_IS(e, "orders")) {
            if (!pos_json_int64(e, &cart->customer_orders)) {
                pos_request_bad(w, &at, e->key, "type", "must be a count");
            } else if (cart->customer_orders < 0) {
                pos_request_bad(w, &at, e->key, "min", "must not be negative");
            } else if (cart->customer_orders > POS_REQUEST_ORDERS_MAX) {
                pos_request_bad(w, &at, e->key, "max", "is more than any customer has");
            }
        } else if (POS_IS(e, "birthday")) {
            if (e->type != POS_JSON_STRING ||
                !pos_date_read(e->text, &cart->customer_birthday)) {
                pos_request_bad(w, &at, e->key, "format", "must be a date, YYYY-MM-DD");
            }
        } else {
            cart->tax_exempt = pos_request_bool(w, &at, e);
        }
    }
    return true;
}

static void
read_ship_to(pos_work_t *w, const pos_json_t *v)
{
    pos_request_at_t top = { "", -1, "" }, at = { "/ship_to", -1, "" };

    if (!pos_request_object(w, &top, v)) {
        return;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (POS_IS(e, "country")) {
            w->cart.ship_country = pos_request_code(w, &at, e);
            if (w->cart.ship_country.len != 0 && w->cart.ship_country.len != 2) {
                pos_request_bad(w, &at, e->key, "format",
                                "must be a country of two letters, such as GB");
            }
        } else if (POS_IS(e, "region")) {
            w->cart.ship_region = pos_request_code(w, &at, e);
        } else {
            pos_request_unknown(w, &at, e);
        }
    }
}

static void
read_shipping(pos_work_t *w, const pos_json_t *v)
{
    pos_request_at_t top = { "", -1, "" }, at = { "/shipping", -1, "" };

    if (!pos_request_object(w, &top, v)) {
        return;
    }
    w->cart.has_shipping = true;
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (POS_IS(e, "method")) {
            w->cart.shipping_method = pos_request_code(w, &at, e);
        } else if (POS_IS(e, "amount")) {
            if (!w->options->may_shipping) {
                pos_request_forbidden(w, &at, e->key, "quotes:shipping");
            } else {
                w->cart.shipping_amount = pos_request_money(w, &at, e);
            }
        } else {
            pos_request_unknown(w, &at, e);
        }
    }
}

static void
read_compare(pos_work_t *w, const pos_json_t *v)
{
    pos_request_at_t top = { "", -1, "" }, at = { "/compare", -1, "" };

    if (!pos_request_object(w, &top, v)) {
        return;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (POS_IS(e, "total")) {
            w->cart.compare_total = pos_request_money(w, &at, e);
            w->cart.has_compare = true;
        } else {
            pos_request_unknown(w, &at, e);
        }
    }
    if (!w->cart.has_compare) {
        pos_request_bad(w, &at, pos_str("total"), "required",
                        "the old system's figure is its total");
    }
}

static bool
read_coupons(pos_work_t *w, const pos_json_t *v)
{
    pos_request_at_t top = { "", -1, "" };
    pos_str_t       *list;
    uint32_t         n = 0, index = 0;
    const char      *code, *message;

    if (v->type == POS_JSON_NULL || (v->type == POS_JSON_ARRAY && v->count == 0)) {
        return true;
    }
    if (v->type != POS_JSON_ARRAY) {
        pos_request_bad(w, &top, v->key, "type", "must be a list of coupon codes");
        return true;
    }
    if (v->count > POS_REQUEST_COUPONS_MAX) {
        pos_request_bad(w, &top, v->key, "max_items", "must have at most 100 members");
        return true;
    }
    list = pos_arena_array(w->arena, v->count, sizeof(*list));
    if (list == NULL) {
        return false;
    }
    for (const pos_json_t *e = v->first; e; e = e->next, index++) {
        code = pos_request_code_fault(e, &message);
        if (code != NULL) {
            pos_request_bad_member(w, &top, v->key, index, code, message);
            continue;
        }
        list[n++] = e->text;
    }
    w->cart.coupons = list;
    w->cart.coupon_count = n;
    return true;
}

/* ---- where and when ---- */

static void
read_store(pos_work_t *w, const pos_json_t *v)
{
    pos_request_at_t top = { "", -1, "" };
    pos_str_t        code = pos_request_code(w, &top, v);

    if (code.len == 0) {
        return;
    }
    w->cart.store = pos_map_get(&w->book->stores, code);
    if (w->cart.store == NULL) {
        pos_request_bad(w, &top, v->key, "unknown_store", "no such store");
    }
}

static void
read_currency(pos_work_t *w, const pos_json_t *v)
{
    pos_request_at_t top = { "", -1, "" };
    unsigned         exponent;

    if (v->type == POS_JSON_NULL) {
        return;
    }
    w->cart.currency = pos_request_code(w, &top, v);
    if (v->type == POS_JSON_STRING && !pos_str_eq(w->cart.currency, w->book->currency) &&
        !pos_currency_exponent(w->cart.currency, &exponent)) {
        pos_request_bad(w, &top, v->key, "unknown_currency", "no such ISO 4217 currency");
    }
}

static void
read_at(pos_work_t *w, const pos_json_t *v)
{
    pos_request_at_t  top = { "", -1, "" };
    const pos_zone_t *zone =
        w->cart.store && w->cart.store->zone ? w->cart.store->zone : w->book->zone;

    if (v == NULL || v->type == POS_JSON_NULL) {
        return;
    }
    if (!w->options->may_simulate) {
        pos_request_forbidden(w, &top, v->key, "quotes:simulate");
        return;
    }
    if (v->type != POS_JSON_STRING || !pos_time_read(v->text, zone, &w->cart.at)) {
        pos_request_bad(w, &top, v->key, "format", "must be an RFC 3339 time");
        return;
    }
    w->cart.simulated = true;
}

/* ---- all of it ---- */

static bool
read_member(pos_work_t *w, const pos_json_t *v, const pos_json_t **at)
{
    pos_request_at_t top = { "", -1, "" };
    pos_cart_t      *cart = &w->cart;

    if (POS_IS(v, "lines")) {
        return pos_request_lines(w, v);
    } else if (POS_IS(v, "store")) {
        read_store(w, v);
    } else if (POS_IS(v, "currency")) {
        read_currency(w, v);
    } else if (POS_IS(v, "channel")) {
        cart->channel = pos_request_code(w, &top, v);
    } else if (POS_IS(v, "at")) {
        *at = v;
    } else if (POS_IS(v, "session")) {
        cart->session = pos_request_code(w, &top, v);
    } else if (POS_IS(v, "customer")) {
        return read_customer(w, v);
    } else if (POS_IS(v, "coupons")) {
        return read_coupons(w, v);
    } else if (POS_IS(v, "tenders")) {
        return pos_request_set(w, &top, v, &cart->tenders);
    } else if (POS_IS(v, "fulfilment")) {
        cart->fulfilment = pos_request_code(w, &top, v);
    } else if (POS_IS(v, "ship_to")) {
        read_ship_to(w, v);
    } else if (POS_IS(v, "attributes")) {
        return pos_request_attributes(w, &top, v, &cart->attribute_count,
                                      &cart->attributes);
    } else if (POS_IS(v, "shipping")) {
        read_shipping(w, v);
    } else if (POS_IS(v, "compare")) {
        read_compare(w, v);
    } else if (POS_IS(v, "explain")) {
        cart->explain = v->type != POS_JSON_NULL && pos_request_bool(w, &top, v);
    } else {
        pos_request_unknown(w, &top, v);
    }
    return true;
}

pos_status_t
pos_request_read(pos_work_t *w, const pos_json_t *request)
{
    pos_request_at_t  top = { "", -1, "" };
    pos_cart_t       *cart = &w->cart;
    const pos_json_t *at = NULL;

    cart->book = w->book;
    cart->arena = w->arena;
    cart->currency = w->book->currency;
    cart->at = w->options->now;
    cart->trial = w->options->trial;
    cart->customer_orders = -1;
    cart->customer_birthday = INT32_MIN;
    if (request->type != POS_JSON_OBJECT) {
        pos_request_bad(w, &top, (pos_str_t) { NULL, 0 }, "type",
                        "a quote request is an object");
        return POS_INVALID;
    }
    for (const pos_json_t *v = request->first; v; v = v->next) {
        if (!read_member(w, v, &at)) {
            return POS_NO_MEMORY;
        }
    }
    if (pos_json_get(request, "lines") == NULL) {
        pos_request_bad(w, &top, pos_str("lines"), "required",
                        "a quote request has lines");
    }
    read_at(w, at);
    pos_civil_of(cart->store && cart->store->zone ? cart->store->zone : w->book->zone,
                 cart->at, &cart->local);
    return w->invalid || w->forbidden ? POS_INVALID : POS_OK;
}
