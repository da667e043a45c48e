/*
 * Products, their price rows, and coupons: JSON to what a source serves.
 */

#include "engine/book.h"
#include "engine/decode.h"

static const char *const product_fields[] = { "sku", "name", "categories", "brand",
    "tags", "unit", "attributes", "tax_category", "weight_grams", "cost", "min_price",
    "fees", "prices", NULL };
static const char *const fee_fields[] = { "code", "amount", "tax_category", NULL };
static const char *const price_fields[] = { "list", "amount", "min_quantity", "kind",
    "from", "until", NULL };
static const char *const coupon_fields[] = { "code", "promotions", "remaining",
    "per_customer", "from", "until", NULL };

static const char *const units[] = { "each", "kg", "l", "m", NULL };


static void
decode_window(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json, int64_t *from,
    int64_t *until)
{
    *from = POS_TIME_MIN;
    *until = POS_TIME_MAX;
    pos_decode_time(d, at, json, "from", from);
    if (pos_decode_time(d, at, json, "until", until) && *until <= *from) {
        pos_at_t here = pos_at_key(at, "until");
        pos_decode_fault(d, &here, "empty_window", "must be after from");
    }
}


static void
decode_price(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json, pos_price_t *p)
{
    static const char *const kinds[] = { "regular", "sale", NULL };
    int                      kind = 0;

    memset(p, 0, sizeof(*p));
    p->min_quantity = POS_THOUSANDTHS;
    if (!pos_decode_object(d, at, json, NULL)) {
        return;
    }
    pos_decode_code(d, at, json, "list", POS_REQUIRED, &p->list);
    pos_decode_int(d, at, json, "amount", POS_REQUIRED, 0, POS_MONEY_MAX, &p->amount);
    pos_decode_decimal(d, at, json, "min_quantity", POS_OPTIONAL, 3, 0,
        100000 * POS_THOUSANDTHS, &p->min_quantity);
    pos_decode_enum(d, at, json, "kind", POS_OPTIONAL, kinds, &kind);
    p->sale = kind == 1;
    decode_window(d, at, json, &p->from, &p->until);
}


pos_status_t
pos_price_decode(const pos_json_t *json, const pos_zone_t *zone, pos_str_t base,
    pos_arena_t *arena, pos_faults_t *faults, pos_price_t *out)
{
    pos_decoder_t d;
    pos_at_t      at = pos_at_base(base);

    pos_decoder_init(&d, arena, faults, zone);
    decode_price(&d, &at, json, out);
    return pos_decoder_status(&d);
}


static bool
has_lower_row(const pos_product_t *p, pos_str_t list)
{
    for (uint32_t i = 0; i < p->price_count; i++) {
        if (p->prices[i].min_quantity >= 0 && p->prices[i].min_quantity < POS_THOUSANDTHS
            && !p->prices[i].sale
            && pos_str_eq(p->prices[i].list, list))
        {
            return true;
        }
    }
    return false;
}


/* Rows say "from quantity 1" when they mean "always". Of what is sold by
 * measure less than 1 can be bought, so there 1 is no minimum, unless another
 * row of the list says what less than 1 costs. */
void
pos_product_open_prices(const pos_product_t *p, pos_price_t *prices)
{
    for (uint32_t i = 0; i < p->price_count && p->measured; i++) {
        if (prices[i].min_quantity == POS_THOUSANDTHS && !has_lower_row(p, prices[i].list)) {
            prices[i].min_quantity = -1;
        }
    }
    for (uint32_t i = 0; i < p->price_count; i++) {
        if (prices[i].min_quantity < 0) {
            prices[i].min_quantity = 0;
        }
    }
}


static void
decode_prices(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_product_t *p)
{
    const pos_json_t *list;
    pos_price_t      *prices;
    pos_at_t          at = pos_at_key(up, "prices");

    if (!pos_decode_array(d, up, json, "prices", &list)) {
        return;
    }
    prices = pos_decode_alloc(d, list->count, sizeof(*prices));
    if (prices == NULL) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(&at, p->price_count);
        decode_price(d, &here, e, &prices[p->price_count++]);
    }
    p->prices = prices;
    pos_product_open_prices(p, prices);
}


static void
decode_fees(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_product_t *p)
{
    const pos_json_t *list;
    pos_fee_t        *fees;
    pos_at_t          at = pos_at_key(up, "fees");

    if (!pos_decode_array(d, up, json, "fees", &list)) {
        return;
    }
    fees = pos_decode_alloc(d, list->count, sizeof(*fees));
    if (fees == NULL) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t   here = pos_at_index(&at, p->fee_count);
        pos_fee_t *fee = &fees[p->fee_count++];

        memset(fee, 0, sizeof(*fee));
        fee->tax_category = pos_str("");
        if (pos_decode_object(d, &here, e, NULL)) {
            pos_decode_code(d, &here, e, "code", POS_REQUIRED, &fee->code);
            pos_decode_int(d, &here, e, "amount", POS_REQUIRED, 0, POS_MONEY_MAX,
                &fee->amount);
            pos_decode_code(d, &here, e, "tax_category", POS_OPTIONAL,
                &fee->tax_category);
        }
    }
    p->fees = fees;
}


static void
decode_product(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_product_t *p)
{
    int unit = 0;

    p->name = p->brand = p->tax_category = pos_str("");
    pos_decode_code(d, at, json, "sku", POS_REQUIRED, &p->sku);
    pos_decode_string(d, at, json, "name", POS_OPTIONAL, POS_TEXT_MAX, &p->name);
    pos_decode_code(d, at, json, "brand", POS_OPTIONAL, &p->brand);
    pos_decode_code(d, at, json, "tax_category", POS_OPTIONAL, &p->tax_category);
    pos_decode_enum(d, at, json, "unit", POS_OPTIONAL, units, &unit);
    p->unit = pos_str_z(units[unit]);
    p->measured = unit != 0;
    pos_decode_strings(d, at, json, "categories", &p->category_count, &p->categories);
    pos_decode_strings(d, at, json, "tags", &p->tag_count, &p->tags);
    pos_decode_attributes(d, at, json, "attributes", &p->attribute_count, &p->attributes);
    pos_decode_int(d, at, json, "weight_grams", POS_OPTIONAL, 0, 1000000000,
        &p->weight_grams);
    p->has_cost = pos_decode_int(d, at, json, "cost", POS_OPTIONAL, 0, POS_MONEY_MAX,
        &p->cost);
    pos_decode_int(d, at, json, "min_price", POS_OPTIONAL, 0, POS_MONEY_MAX,
        &p->min_price);
    decode_fees(d, at, json, p);
    decode_prices(d, at, json, p);
}


pos_status_t
pos_product_decode(const pos_json_t *json, const pos_zone_t *zone, pos_str_t base,
    pos_arena_t *arena, pos_faults_t *faults, const pos_product_t **out)
{
    pos_decoder_t  d;
    pos_at_t       at = pos_at_base(base);
    pos_product_t *p = pos_arena_zalloc(arena, sizeof(*p));

    if (p == NULL) {
        return POS_NO_MEMORY;
    }
    pos_decoder_init(&d, arena, faults, zone);
    if (pos_decode_object(&d, &at, json, NULL)) {
        decode_product(&d, &at, json, p);
    }
    *out = p;
    return pos_decoder_status(&d);
}


pos_status_t
pos_coupon_decode(const pos_json_t *json, const pos_zone_t *zone, pos_str_t base,
    pos_arena_t *arena, pos_faults_t *faults, const pos_coupon_t **out)
{
    pos_decoder_t d;
    pos_at_t      at = pos_at_base(base);
    pos_coupon_t *c = pos_arena_zalloc(arena, sizeof(*c));

    if (c == NULL) {
        return POS_NO_MEMORY;
    }
    pos_decoder_init(&d, arena, faults, zone);
    c->remaining = c->per_customer = -1;
    if (pos_decode_object(&d, &at, json, NULL)) {
        pos_decode_code(&d, &at, json, "code", POS_REQUIRED, &c->code);
        pos_decode_strings(&d, &at, json, "promotions", &c->promotion_count,
            &c->promotions);
        pos_decode_int(&d, &at, json, "remaining", POS_OPTIONAL, 0, INT64_MAX - 1,
            &c->remaining);
        pos_decode_int(&d, &at, json, "per_customer", POS_OPTIONAL, 0, INT64_MAX - 1,
            &c->per_customer);
        decode_window(&d, &at, json, &c->from, &c->until);
    }
    *out = c;
    return pos_decoder_status(&d);
}


static void
check_list(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json, const char *name,
    const char *const *fields)
{
    const pos_json_t *list = pos_member(json, name);
    pos_at_t          at = pos_at_key(up, name);
    size_t            i = 0;

    if (list == NULL || list->type != POS_JSON_ARRAY) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(&at, i++);

        if (e->type == POS_JSON_OBJECT) {
            pos_decode_object(d, &here, e, fields);
        }
    }
}


/* Wrong types are the decoders' to report: here only names are looked at. */
void
pos_product_check_fields(const pos_json_t *json, pos_str_t base, pos_faults_t *faults)
{
    pos_decoder_t d;
    pos_at_t      at = pos_at_base(base);

    if (json == NULL || json->type != POS_JSON_OBJECT) {
        return;
    }
    pos_decoder_init(&d, faults->arena, faults, NULL);
    pos_decode_object(&d, &at, json, product_fields);
    check_list(&d, &at, json, "fees", fee_fields);
    check_list(&d, &at, json, "prices", price_fields);
}


void
pos_coupon_check_fields(const pos_json_t *json, pos_str_t base, pos_faults_t *faults)
{
    pos_decoder_t d;
    pos_at_t      at = pos_at_base(base);

    if (json == NULL || json->type != POS_JSON_OBJECT) {
        return;
    }
    pos_decoder_init(&d, faults->arena, faults, NULL);
    pos_decode_object(&d, &at, json, coupon_fields);
}
