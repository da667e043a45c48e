/*
 * The request as JSON to a cart. Every fault is named by its pointer, all in
 * one answer; a field that the key may not set is refused with code
 * scope_required.
 */

#include "engine/work.h"

#include <stdarg.h>
#include <stdio.h>

/* As the contract has them (`Code`, `Text`, `Codes`, `Attributes`); what is sorted here
 * by insertion must stay short. */
#define MAX_CODE        200
#define MAX_TEXT        4000
#define MAX_CODES       1000
#define MAX_COUPONS     100
#define MAX_ATTRIBUTES  100
#define MAX_ORDERS      1000000000

#define IS(v, name) \
    ((v)->key.len == sizeof(name) - 1 && memcmp((v)->key.data, name, sizeof(name) - 1) == 0)

/* Where we are, without text until a fault needs it. */
typedef struct {
    const char *part;      /* "", "/customer", "/lines" … */
    int64_t     index;     /* below part; -1: none        */
    const char *below;     /* "" or "/discount" …         */
} place_t;

static pos_str_t
pointer_of(pos_work_t *w, const place_t *at, pos_str_t key)
{
    pos_str_t prefix = w->options->pointer, base;

    if (at->index >= 0) {
        base = pos_arena_printf(w->arena, "%.*s%s/%lld%s", (int) prefix.len,
            prefix.data ? prefix.data : "", at->part, (long long) at->index, at->below);
    } else {
        base = pos_arena_printf(w->arena, "%.*s%s%s", (int) prefix.len,
            prefix.data ? prefix.data : "", at->part, at->below);
    }
    return key.len ? pos_json_pointer(w->arena, base, key) : base;
}

static void
bad(pos_work_t *w, const place_t *at, pos_str_t key, const char *code, const char *message)
{
    w->invalid = true;
    (void) pos_fault(w->faults, pointer_of(w, at, key), code, "%s", message);
}

static void
forbidden(pos_work_t *w, const place_t *at, pos_str_t key, const char *scope)
{
    w->forbidden = true;
    (void) pos_fault(w->faults, pointer_of(w, at, key), "scope_required",
        "setting this needs the scope %s", scope);
}

static void
unknown(pos_work_t *w, const place_t *at, const pos_json_t *v)
{
    bad(w, at, v->key, "unknown_field", "no such field");
}

pos_status_t
pos_line_fault(pos_work_t *w, size_t line, const char *rest, const char *code,
    const char *message)
{
    place_t at = { "/lines", (int64_t) line, rest };

    bad(w, &at, (pos_str_t) { NULL, 0 }, code, message);
    return POS_INVALID;
}

/* The same for a member of the list `v`. */
static void
bad_member(pos_work_t *w, const place_t *at, pos_str_t key, uint32_t index, const char *code,
    const char *message)
{
    pos_str_t list = pointer_of(w, at, key);

    w->invalid = true;
    (void) pos_fault(w->faults,
        pos_arena_printf(w->arena, "%.*s/%u", (int) list.len, list.data ? list.data : "", index), code,
        "%s", message);
}

/* Characters, not bytes; what fits as bytes need not be counted. */
static bool
is_longer(pos_str_t text, size_t max)
{
    size_t n = 0;

    if (text.len <= max) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        n += ((unsigned char) text.data[i] & 0xc0) != 0x80;
    }
    return n > max;
}

static pos_str_t
read_text(pos_work_t *w, const place_t *at, const pos_json_t *v, size_t max)
{
    if (v->type == POS_JSON_NULL) {
        return (pos_str_t) { NULL, 0 };
    }
    if (v->type != POS_JSON_STRING) {
        bad(w, at, v->key, "type", "must be a string");
        return (pos_str_t) { NULL, 0 };
    }
    if (is_longer(v->text, max)) {
        bad(w, at, v->key, "max_length",
            max == MAX_CODE ? "must be at most 200 characters long" : "must be at most 4000 characters long");
        return (pos_str_t) { NULL, 0 };
    }
    return v->text;
}

/* What is wrong with a name the client gives; NULL: nothing. */
static const char *
code_fault(const pos_json_t *v, const char **message)
{
    const unsigned char *p = (const unsigned char *) v->text.data;
    size_t               len = v->text.len;

    if (v->type != POS_JSON_STRING) {
        *message = "must be a string";
        return "type";
    }
    if (len == 0) {
        *message = "must be at least 1 characters long";
        return "min_length";
    }
    if (is_longer(v->text, MAX_CODE)) {
        *message = "must be at most 200 characters long";
        return "max_length";
    }
    if (p[0] == '.' && (len == 1 || (len == 2 && p[1] == '.'))) {
        *message = "must be neither . nor .., which clients take out of a path";
        return "pattern";
    }
    *message = "has a control character, or a space at an end";
    if (p[0] == ' ' || p[len - 1] == ' ') {
        return "pattern";
    }
    for (size_t i = 0; i < len; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f) {
            return "pattern";
        }
    }
    return NULL;
}

static pos_str_t
read_code(pos_work_t *w, const place_t *at, const pos_json_t *v)
{
    const char *message, *code;

    if (v->type == POS_JSON_NULL) {
        return (pos_str_t) { NULL, 0 };
    }
    code = code_fault(v, &message);
    if (code != NULL) {
        bad(w, at, v->key, code, message);
        return (pos_str_t) { NULL, 0 };
    }
    return v->text;
}

static int64_t
read_money(pos_work_t *w, const place_t *at, const pos_json_t *v)
{
    int64_t n = 0;

    if (v->type != POS_JSON_NUMBER) {
        bad(w, at, v->key, "type", "must be an integer of minor units");
    } else if (!pos_json_int64(v, &n)) {
        bad(w, at, v->key, "type", "must be an integer of minor units, without fraction or exponent");
        n = 0;
    } else if (n < 0) {
        bad(w, at, v->key, "min", "must not be negative");
        n = 0;
    } else if (n > POS_MONEY_MAX) {
        bad(w, at, v->key, "overflow", "is more than any amount may be");
        n = 0;
    }
    return n;
}

static bool
read_bool(pos_work_t *w, const place_t *at, const pos_json_t *v)
{
    if (!pos_json_is_bool(v)) {
        bad(w, at, v->key, "type", "must be true or false");
    }
    return v->type == POS_JSON_TRUE;
}

static bool
is_object(pos_work_t *w, const place_t *at, const pos_json_t *v)
{
    if (v->type == POS_JSON_NULL) {
        return false;
    }
    if (v->type != POS_JSON_OBJECT) {
        bad(w, at, v->key, "type", "must be an object");
        return false;
    }
    return true;
}

/* Strings as a set: by hash, ascending. */
static bool
read_set(pos_work_t *w, const place_t *at, const pos_json_t *v, pos_strset_t *set)
{
    uint64_t   *hashes;
    pos_str_t  *values;
    uint32_t    n = 0, index = 0;
    const char *code, *message;

    if (v->type != POS_JSON_ARRAY) {
        if (v->type != POS_JSON_NULL) {
            bad(w, at, v->key, "type", "must be a list of strings");
        }
        return true;
    }
    if (v->count == 0) {
        return true;
    }
    if (v->count > MAX_CODES) {
        bad(w, at, v->key, "max_items", "must have at most 1000 members");
        return true;
    }
    hashes = pos_arena_alloc(w->arena, v->count * sizeof(*hashes));
    values = pos_arena_alloc(w->arena, v->count * sizeof(*values));
    if (hashes == NULL || values == NULL) {
        return false;
    }
    for (const pos_json_t *e = v->first; e; e = e->next, index++) {
        uint64_t hash;
        uint32_t i;

        code = code_fault(e, &message);
        if (code != NULL) {
            bad_member(w, at, v->key, index, code, message);
            continue;
        }
        hash = pos_hash64(e->text);
        for (i = n++; i > 0 && hashes[i - 1] > hash; i--) {
            hashes[i] = hashes[i - 1];
            values[i] = values[i - 1];
        }
        hashes[i] = hash;
        values[i] = e->text;
    }
    *set = (pos_strset_t) { n, hashes, values };
    return true;
}

static void
bad_attribute(pos_work_t *w, const place_t *at, const pos_json_t *attributes, const pos_json_t *v,
    const char *code, const char *message)
{
    w->invalid = true;
    (void) pos_fault(w->faults, pos_json_pointer(w->arena, pointer_of(w, at, attributes->key), v->key), code,
        "%s", message);
}

/* Attributes by name; numbers and booleans as their text. */
static bool
read_attributes(pos_work_t *w, const place_t *at, const pos_json_t *v, uint32_t *count,
    const pos_attribute_t **out)
{
    pos_attribute_t *list;
    uint32_t         n = 0;

    if (!is_object(w, at, v) || v->count == 0) {
        return true;
    }
    if (v->count > MAX_ATTRIBUTES) {
        bad(w, at, v->key, "max_properties", "must have at most 100 members");
        return true;
    }
    list = pos_arena_alloc(w->arena, v->count * sizeof(*list));
    if (list == NULL) {
        return false;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        pos_attribute_t a = { e->key, e->text };
        uint32_t        i;

        if (a.name.len == 0 || is_longer(a.name, MAX_CODE)) {
            bad_attribute(w, at, v, e, "property_names", "its name must have 1 to 200 characters");
            continue;
        }
        switch (e->type) {
        case POS_JSON_STRING:
        case POS_JSON_NUMBER:
            if (is_longer(e->text, MAX_TEXT)) {
                bad_attribute(w, at, v, e, "max_length", "must be at most 4000 characters long");
                continue;
            }
            break;
        case POS_JSON_TRUE:
            a.value = pos_str("true");
            break;
        case POS_JSON_FALSE:
            a.value = pos_str("false");
            break;
        default:
            bad_attribute(w, at, v, e, "type", "must be a string, a number, true or false");
            continue;
        }
        for (i = n++; i > 0 && pos_str_cmp(list[i - 1].name, a.name) > 0; i--) {
            list[i] = list[i - 1];
        }
        list[i] = a;
    }
    *count = n;
    *out = list;
    return true;
}

static void
read_override(pos_work_t *w, size_t index, const pos_json_t *v, pos_line_t *line)
{
    place_t line_at = { "/lines", (int64_t) index, "" };
    place_t at = { "/lines", (int64_t) index, "/price_override" };
    bool    has_amount = false;

    if (!is_object(w, &line_at, v)) {
        return;
    }
    if (!w->options->may_override) {
        forbidden(w, &line_at, v->key, "quotes:override");
        return;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (IS(e, "amount")) {
            line->override_amount = read_money(w, &at, e);
            has_amount = true;
        } else if (IS(e, "reason")) {
            line->override_reason = read_text(w, &at, e, MAX_TEXT);
        } else {
            unknown(w, &at, e);
        }
    }
    if (!has_amount) {
        bad(w, &at, pos_str("amount"), "required", "an override names its amount");
    }
    if (line->override_reason.len == 0) {
        bad(w, &at, pos_str("reason"), "required", "an override names its reason");
    }
    line->has_override = true;
}

static void
read_discount(pos_work_t *w, size_t index, const pos_json_t *v, pos_line_t *line)
{
    place_t  line_at = { "/lines", (int64_t) index, "" };
    place_t  at = { "/lines", (int64_t) index, "/discount" };
    unsigned kinds = 0;

    if (!is_object(w, &line_at, v)) {
        return;
    }
    if (!w->options->may_override) {
        forbidden(w, &line_at, v->key, "quotes:override");
        return;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (IS(e, "amount")) {
            line->discount_value = read_money(w, &at, e);
            line->discount_reduce = POS_REDUCE_AMOUNT;
            kinds++;
        } else if (IS(e, "percent")) {
            line->discount_reduce = POS_REDUCE_PERCENT;
            if (!pos_json_decimal(e, 4, &line->discount_value) || line->discount_value < 0 ||
                line->discount_value > POS_PPM) {
                bad(w, &at, e->key, "percent", "must be 0 to 100 with at most 4 decimals");
                line->discount_value = 0;
            }
            kinds++;
        } else if (IS(e, "reason")) {
            line->discount_reason = read_text(w, &at, e, MAX_TEXT);
        } else {
            unknown(w, &at, e);
        }
    }
    if (kinds != 1) {
        bad(w, &line_at, v->key, "one_of", "a discount has either percent or amount");
    }
    if (line->discount_reason.len == 0) {
        bad(w, &at, pos_str("reason"), "required", "a manual discount names its reason");
    }
    line->has_discount = true;
}

static bool
read_line(pos_work_t *w, size_t index, const pos_json_t *v, pos_line_t *line)
{
    place_t at = { "/lines", (int64_t) index, "" };
    bool    has_sku = false, has_quantity = false;

    if (v->type != POS_JSON_OBJECT) {
        (void) pos_line_fault(w, index, "", "type", "a line is an object");
        return true;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (IS(e, "sku")) {
            line->sku = read_code(w, &at, e);
            has_sku = e->type != POS_JSON_NULL;
        } else if (IS(e, "quantity")) {
            has_quantity = true;
            if (e->type != POS_JSON_NUMBER) {
                bad(w, &at, e->key, "type", "must be a number");
            } else if (!pos_json_decimal(e, 3, &line->quantity)) {
                bad(w, &at, e->key, "quantity", "at most 3 decimals, no exponent, up to 100000");
                line->quantity = 0;
            } else if (line->quantity <= 0) {
                bad(w, &at, e->key, "quantity", "must be more than 0");
                line->quantity = 0;
            } else if (line->quantity > 100000 * POS_THOUSANDTHS) {
                bad(w, &at, e->key, "quantity", "must be at most 100000");
                line->quantity = 0;
            }
        } else if (IS(e, "id")) {
            line->id = read_text(w, &at, e, MAX_CODE);
        } else if (IS(e, "attributes")) {
            if (!read_attributes(w, &at, e, &line->attribute_count, &line->attributes)) {
                return false;
            }
        } else if (IS(e, "price_override")) {
            read_override(w, index, e, line);
        } else if (IS(e, "discount")) {
            read_discount(w, index, e, line);
        } else if (IS(e, "tax_category")) {
            if (e->type != POS_JSON_NULL && !w->options->may_override) {
                forbidden(w, &at, e->key, "quotes:override");
            } else {
                line->tax_category = read_code(w, &at, e);
            }
        } else {
            unknown(w, &at, e);
        }
    }
    if (!has_sku) {
        bad(w, &at, pos_str("sku"), "required", "a line names its SKU");
    }
    if (!has_quantity) {
        bad(w, &at, pos_str("quantity"), "required", "a line has a quantity");
    }
    return true;
}

static bool
read_lines(pos_work_t *w, const pos_json_t *v)
{
    place_t     at = { "", -1, "" };
    pos_cart_t *cart = &w->cart;
    size_t      i = 0;

    if (v->type != POS_JSON_ARRAY) {
        bad(w, &at, v->key, "type", "must be a list of lines");
        return true;
    }
    cart->lines = pos_arena_array(w->arena, v->count ? v->count : 1, sizeof(*cart->lines));
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

static bool
read_customer(pos_work_t *w, const pos_json_t *v)
{
    place_t     top = { "", -1, "" }, at = { "/customer", -1, "" };
    pos_cart_t *cart = &w->cart;

    if (!is_object(w, &top, v)) {
        return true;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (IS(e, "id")) {
            cart->customer_id = read_code(w, &at, e);
            cart->customer_known = cart->customer_id.len > 0;
            continue;
        }
        if (!IS(e, "groups") && !IS(e, "orders") && !IS(e, "birthday") && !IS(e, "tax_exempt")) {
            unknown(w, &at, e);
            continue;
        }
        if (!w->options->may_customer) {
            forbidden(w, &at, e->key, "quotes:customer");
            continue;
        }
        if (IS(e, "groups")) {
            if (!read_set(w, &at, e, &cart->customer_groups)) {
                return false;
            }
        } else if (e->type == POS_JSON_NULL) {
            continue;
        } else if (IS(e, "orders")) {
            if (!pos_json_int64(e, &cart->customer_orders) || cart->customer_orders < 0
                || cart->customer_orders > MAX_ORDERS) {
                bad(w, &at, e->key, "type", "must be a count");
            }
        } else if (IS(e, "birthday")) {
            if (e->type != POS_JSON_STRING || !pos_date_read(e->text, &cart->customer_birthday)) {
                bad(w, &at, e->key, "format", "must be a date, YYYY-MM-DD");
            }
        } else {
            cart->tax_exempt = read_bool(w, &at, e);
        }
    }
    return true;
}

static void
read_ship_to(pos_work_t *w, const pos_json_t *v)
{
    place_t top = { "", -1, "" }, at = { "/ship_to", -1, "" };

    if (!is_object(w, &top, v)) {
        return;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (IS(e, "country")) {
            w->cart.ship_country = read_code(w, &at, e);
            if (w->cart.ship_country.len != 0 && w->cart.ship_country.len != 2) {
                bad(w, &at, e->key, "format", "must be a country of two letters, such as GB");
            }
        } else if (IS(e, "region")) {
            w->cart.ship_region = read_code(w, &at, e);
        } else {
            unknown(w, &at, e);
        }
    }
}

static void
read_shipping(pos_work_t *w, const pos_json_t *v)
{
    place_t top = { "", -1, "" }, at = { "/shipping", -1, "" };

    if (!is_object(w, &top, v)) {
        return;
    }
    w->cart.has_shipping = true;
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (IS(e, "method")) {
            w->cart.shipping_method = read_code(w, &at, e);
        } else if (IS(e, "amount")) {
            if (!w->options->may_shipping) {
                forbidden(w, &at, e->key, "quotes:shipping");
            } else {
                w->cart.shipping_amount = read_money(w, &at, e);
            }
        } else {
            unknown(w, &at, e);
        }
    }
}

static void
read_compare(pos_work_t *w, const pos_json_t *v)
{
    place_t top = { "", -1, "" }, at = { "/compare", -1, "" };

    if (!is_object(w, &top, v)) {
        return;
    }
    for (const pos_json_t *e = v->first; e; e = e->next) {
        if (IS(e, "total")) {
            w->cart.compare_total = read_money(w, &at, e);
            w->cart.has_compare = true;
        } else {
            unknown(w, &at, e);
        }
    }
    if (!w->cart.has_compare) {
        bad(w, &at, pos_str("total"), "required", "the old system's figure is its total");
    }
}

static bool
read_coupons(pos_work_t *w, const pos_json_t *v)
{
    place_t     top = { "", -1, "" };
    pos_str_t  *list;
    uint32_t    n = 0, index = 0;
    const char *code, *message;

    if (v->type == POS_JSON_NULL || (v->type == POS_JSON_ARRAY && v->count == 0)) {
        return true;
    }
    if (v->type != POS_JSON_ARRAY) {
        bad(w, &top, v->key, "type", "must be a list of coupon codes");
        return true;
    }
    if (v->count > MAX_COUPONS) {
        bad(w, &top, v->key, "max_items", "must have at most 100 members");
        return true;
    }
    list = pos_arena_array(w->arena, v->count, sizeof(*list));
    if (list == NULL) {
        return false;
    }
    for (const pos_json_t *e = v->first; e; e = e->next, index++) {
        code = code_fault(e, &message);
        if (code != NULL) {
            bad_member(w, &top, v->key, index, code, message);
            continue;
        }
        list[n++] = e->text;
    }
    w->cart.coupons = list;
    w->cart.coupon_count = n;
    return true;
}

static void
read_store(pos_work_t *w, const pos_json_t *v)
{
    place_t   top = { "", -1, "" };
    pos_str_t code = read_code(w, &top, v);

    if (code.len == 0) {
        return;
    }
    w->cart.store = pos_map_get(&w->book->stores, code);
    if (w->cart.store == NULL) {
        bad(w, &top, v->key, "unknown_store", "no such store");
    }
}

static void
read_currency(pos_work_t *w, const pos_json_t *v)
{
    place_t  top = { "", -1, "" };
    unsigned exponent;

    if (v->type == POS_JSON_NULL) {
        return;
    }
    w->cart.currency = read_code(w, &top, v);
    if (v->type == POS_JSON_STRING && !pos_currency_exponent(w->cart.currency, &exponent)) {
        bad(w, &top, v->key, "unknown_currency", "no such ISO 4217 currency");
    }
}

static void
read_at(pos_work_t *w, const pos_json_t *v)
{
    place_t           top = { "", -1, "" };
    const pos_zone_t *zone = w->cart.store && w->cart.store->zone ? w->cart.store->zone : w->book->zone;

    if (v == NULL || v->type == POS_JSON_NULL) {
        return;
    }
    if (!w->options->may_simulate) {
        forbidden(w, &top, v->key, "quotes:simulate");
        return;
    }
    if (v->type != POS_JSON_STRING || !pos_time_read(v->text, zone, &w->cart.at)) {
        bad(w, &top, v->key, "format", "must be an RFC 3339 time");
        return;
    }
    w->cart.simulated = true;
}

static bool
read_member(pos_work_t *w, const pos_json_t *v, const pos_json_t **at)
{
    place_t     top = { "", -1, "" };
    pos_cart_t *cart = &w->cart;

    if (IS(v, "lines")) {
        return read_lines(w, v);
    } else if (IS(v, "store")) {
        read_store(w, v);
    } else if (IS(v, "currency")) {
        read_currency(w, v);
    } else if (IS(v, "channel")) {
        cart->channel = read_code(w, &top, v);
    } else if (IS(v, "at")) {
        *at = v;
    } else if (IS(v, "session")) {
        cart->session = read_code(w, &top, v);
    } else if (IS(v, "customer")) {
        return read_customer(w, v);
    } else if (IS(v, "coupons")) {
        return read_coupons(w, v);
    } else if (IS(v, "tenders")) {
        return read_set(w, &top, v, &cart->tenders);
    } else if (IS(v, "fulfilment")) {
        cart->fulfilment = read_code(w, &top, v);
    } else if (IS(v, "ship_to")) {
        read_ship_to(w, v);
    } else if (IS(v, "attributes")) {
        return read_attributes(w, &top, v, &cart->attribute_count, &cart->attributes);
    } else if (IS(v, "shipping")) {
        read_shipping(w, v);
    } else if (IS(v, "compare")) {
        read_compare(w, v);
    } else if (IS(v, "explain")) {
        cart->explain = v->type != POS_JSON_NULL && read_bool(w, &top, v);
    } else {
        unknown(w, &top, v);
    }
    return true;
}

pos_status_t
pos_request_read(pos_work_t *w, const pos_json_t *request)
{
    place_t           top = { "", -1, "" };
    pos_cart_t       *cart = &w->cart;
    const pos_json_t *at = NULL;

    cart->book = w->book;
    cart->arena = w->arena;
    cart->currency = w->book->currency;
    cart->at = w->options->now;
    cart->customer_orders = -1;
    cart->customer_birthday = INT32_MIN;
    if (request->type != POS_JSON_OBJECT) {
        bad(w, &top, (pos_str_t) { NULL, 0 }, "type", "a quote request is an object");
        return POS_INVALID;
    }
    for (const pos_json_t *v = request->first; v; v = v->next) {
        if (!read_member(w, v, &at)) {
            return POS_NO_MEMORY;
        }
    }
    if (pos_json_get(request, "lines") == NULL) {
        bad(w, &top, pos_str("lines"), "required", "a quote request has lines");
    }
    read_at(w, at);
    pos_civil_of(cart->store && cart->store->zone ? cart->store->zone : w->book->zone, cart->at,
        &cart->local);
    return w->invalid || w->forbidden ? POS_INVALID : POS_OK;
}
