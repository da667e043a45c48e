#include "engine/entities.h"
#include "base/json_write.h"

const char *const pos_retailer_fields[] = { "code", "name", "currency", "timezone",
    "rounding", "tax_rounding", "optimise", "cash_rounding", "shipping_tax_category",
    "points_per", "returns", "script_cost", "token_key", "token_ttl_seconds",
    "promotion_approval", "promotion_budget", "promotion_margin_percent", NULL };
const char *const pos_store_fields[] = { "code", "name", "tax_region", "timezone",
    NULL };
const char *const pos_category_fields[] = { "code", "name", "parent", NULL };
const char *const pos_price_list_fields[] = { "code", "name", "currency", "tax_included",
    "priority", "stores", "channels", "customer_groups", "from", "until", NULL };
const char *const pos_tax_fields[] = { "region", "category", "code", "percent",
    "compound", "ship_to", NULL };
const char *const pos_experiment_fields[] = { "code", "name", "unit", "arms", NULL };

#define TOKEN_TTL_SECONDS  900
#define TAX_PERCENT_MAX    (10 * POS_PPM)
#define PRIORITY_MAX       INT64_C(1000000000)


static void
decode_currency(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_str_t *out)
{
    unsigned exponent;

    *out = pos_str("");
    if (pos_decode_code(d, up, json, "currency", POS_REQUIRED, out)
        && !pos_currency_exponent(*out, &exponent))
    {
        pos_at_t at = pos_at_key(up, "currency");
        pos_decode_fault(d, &at, "unknown_currency", "is no ISO 4217 currency");
    }
}


static void
decode_token_key(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_book_t *book)
{
    uint8_t   bytes[64];
    pos_str_t hex;
    pos_at_t  at = pos_at_key(up, "token_key");

    if (!pos_decode_string(d, up, json, "token_key", POS_OPTIONAL, 2 * sizeof(bytes),
            &hex))
    {
        return;
    }
    if (hex.len < 32 || hex.len % 2 != 0 || !pos_unhex(hex, bytes)) {
        pos_decode_fault(d, &at, "format", "must be 16 to 64 bytes in hex");
        return;
    }
    pos_hmac_key(&book->token_key, pos_str_of((const char *) bytes, hex.len / 2));
    book->has_token_key = true;
}


/* How promotions are published: no quote goes by it. */
static void
check_promotion_rules(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json)
{
    static const char *const approvals[] = { "never", "always", "above_budget", NULL };
    int                      approval = 0;
    int64_t                  budget, margin;

    pos_decode_enum(d, at, json, "promotion_approval", POS_OPTIONAL, approvals, &approval);
    pos_decode_int(d, at, json, "promotion_budget", POS_OPTIONAL, 0, POS_MONEY_MAX, &budget);
    pos_decode_percent(d, at, json, "promotion_margin_percent", POS_OPTIONAL, POS_PPM, &margin);
}


void
pos_retailer_decode(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_book_t *book, pos_str_t *timezone)
{
    /* in the order of pos_rounding_t */
    static const char *const roundings[] = { "half_up", "half_even", "down", "half_down",
        NULL };
    static const char *const tax_roundings[] = { "line", "order", NULL };
    static const char *const optimise[] = { "customer", "priority", NULL };
    static const char *const returns[] = { "paid", "reprice", NULL };
    int                      rounding = 0, by_order = 0, priority = 0, policy = 0;
    int64_t                  ttl = TOKEN_TTL_SECONDS;

    book->shipping_tax_category = pos_str("");
    book->cash_rounding = 1;
    *timezone = pos_str("UTC");
    pos_decode_code(d, at, json, "code", POS_REQUIRED, &book->retailer);
    decode_currency(d, at, json, &book->currency);
    pos_decode_code(d, at, json, "timezone", POS_OPTIONAL, timezone);
    pos_decode_enum(d, at, json, "rounding", POS_OPTIONAL, roundings, &rounding);
    pos_decode_enum(d, at, json, "tax_rounding", POS_OPTIONAL, tax_roundings, &by_order);
    pos_decode_enum(d, at, json, "optimise", POS_OPTIONAL, optimise, &priority);
    pos_decode_enum(d, at, json, "returns", POS_OPTIONAL, returns, &policy);
    pos_decode_int(d, at, json, "cash_rounding", POS_OPTIONAL, 1, 100000,
        &book->cash_rounding);
    pos_decode_code(d, at, json, "shipping_tax_category", POS_OPTIONAL,
        &book->shipping_tax_category);
    pos_decode_int(d, at, json, "points_per", POS_OPTIONAL, 0, POS_MONEY_MAX,
        &book->points_per);
    pos_decode_bool(d, at, json, "script_cost", &book->script_cost);
    pos_decode_int(d, at, json, "token_ttl_seconds", POS_OPTIONAL, 1, 86400, &ttl);
    decode_token_key(d, at, json, book);
    check_promotion_rules(d, at, json);
    book->returns_reprice = policy == 1;
    book->rounding = (pos_rounding_t) rounding;
    book->tax_by_order = by_order == 1;
    book->optimise_priority = priority == 1;
    book->token_ttl_us = ttl * 1000000;
}


void
pos_store_decode(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_store_t *out, pos_str_t *timezone)
{
    out->tax_region = pos_str("");
    *timezone = pos_str("");
    pos_decode_code(d, at, json, "code", POS_REQUIRED, &out->code);
    pos_decode_code(d, at, json, "tax_region", POS_OPTIONAL, &out->tax_region);
    pos_decode_code(d, at, json, "timezone", POS_OPTIONAL, timezone);
}


void
pos_category_decode(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_category_t *out, pos_str_t *parent)
{
    *parent = pos_str("");
    if (pos_decode_code(d, at, json, "code", POS_REQUIRED, &out->code)) {
        out->hash = pos_hash64(out->code);
    }
    pos_decode_code(d, at, json, "parent", POS_OPTIONAL, parent);
}


void
pos_price_list_decode(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_price_list_t *out)
{
    out->from = POS_TIME_MIN;
    out->until = POS_TIME_MAX;
    pos_decode_code(d, at, json, "code", POS_REQUIRED, &out->code);
    decode_currency(d, at, json, &out->currency);
    pos_decode_bool(d, at, json, "tax_included", &out->tax_included);
    pos_decode_int(d, at, json, "priority", POS_OPTIONAL, -PRIORITY_MAX, PRIORITY_MAX,
        &out->priority);
    pos_decode_set(d, at, json, "stores", &out->stores);
    pos_decode_set(d, at, json, "channels", &out->channels);
    pos_decode_set(d, at, json, "customer_groups", &out->customer_groups);
    pos_decode_time(d, at, json, "from", &out->from);
    if (pos_decode_time(d, at, json, "until", &out->until) && out->until <= out->from) {
        pos_at_t here = pos_at_key(at, "until");
        pos_decode_fault(d, &here, "empty_window", "must be after from");
    }
}


static void
decode_ship_to(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_tax_row_t *out)
{
    static const char *const fields[] = { "country", "region", NULL };
    const pos_json_t        *v = pos_member(json, "ship_to");
    pos_at_t                 at = pos_at_key(up, "ship_to");

    if (v == NULL || !pos_decode_object(d, &at, v, fields)) {
        return;
    }
    pos_decode_code(d, &at, v, "country", POS_REQUIRED, &out->ship_country);
    pos_decode_code(d, &at, v, "region", POS_OPTIONAL, &out->ship_region);
}


/* A quote writes it for each of its lines. */
static pos_str_t
tax_head(pos_decoder_t *d, const pos_tax_row_t *tax)
{
    char *start = pos_decode_alloc(d, 1, 40 + POS_STRING_ROOM(tax->code) + POS_DECIMAL_ROOM), *p;

    if (start == NULL) {
        return pos_str("");
    }
    p = pos_put_literal(start, "{\"code\":");
    p = pos_put_string(p, tax->code);
    p = pos_put_literal(p, ",\"percent\":");
    p = pos_put_decimal(p, tax->ppm, 4);
    p = pos_put_literal(p, ",\"amount\":");
    return pos_str_of(start, (size_t) (p - start));
}


void
pos_tax_decode(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_tax_row_t *out)
{
    out->region = out->ship_country = out->ship_region = pos_str("");
    decode_ship_to(d, at, json, out);
    /* A row for a destination needs no region of ours. */
    pos_decode_code(d, at, json, "region",
        out->ship_country.len ? POS_OPTIONAL : POS_REQUIRED, &out->region);
    pos_decode_code(d, at, json, "category", POS_REQUIRED, &out->category);
    pos_decode_code(d, at, json, "code", POS_REQUIRED, &out->code);
    pos_decode_percent(d, at, json, "percent", POS_REQUIRED, TAX_PERCENT_MAX, &out->ppm);
    pos_decode_bool(d, at, json, "compound", &out->compound);
    out->head = tax_head(d, out);
}


static void
decode_arm(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_experiment_t *out)
{
    static const char *const fields[] = { "code", "weight", NULL };
    pos_arm_t               *arm = &out->arms[out->arm_count];

    arm->weight = 1;
    if (!pos_decode_object(d, at, json, fields)) {
        return;
    }
    pos_decode_int(d, at, json, "weight", POS_OPTIONAL, 0, 1000000, &arm->weight);
    if (!pos_decode_code(d, at, json, "code", POS_REQUIRED, &arm->code)) {
        return;
    }
    for (uint32_t i = 0; i < out->arm_count; i++) {
        if (pos_str_eq(out->arms[i].code, arm->code)) {
            pos_decode_fault(d, at, "duplicate", "there is another arm of this code");
        }
    }
    out->weight_sum += arm->weight;
    out->arm_count++;
}


void
pos_experiment_decode(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_experiment_t *out)
{
    static const char *const units[] = { "customer", "session", NULL };
    const pos_json_t        *arms = NULL;
    pos_at_t                 here = pos_at_key(at, "arms");
    int                      unit = 0;
    size_t                   i = 0;

    pos_decode_code(d, at, json, "code", POS_REQUIRED, &out->code);
    pos_decode_enum(d, at, json, "unit", POS_OPTIONAL, units, &unit);
    out->by_customer = unit == 0;
    if (!pos_decode_array(d, at, json, "arms", &arms) || arms->count == 0) {
        pos_decode_fault(d, &here, "required", "needs at least one arm");
        return;
    }
    out->arms = pos_decode_alloc(d, arms->count, sizeof(*out->arms));
    if (out->arms == NULL) {
        return;
    }
    for (const pos_json_t *e = arms->first; e != NULL; e = e->next) {
        pos_at_t arm = pos_at_index(&here, i++);
        decode_arm(d, &arm, e, out);
    }
    if (out->weight_sum == 0) {
        pos_decode_fault(d, &here, "min", "some arm needs a weight above 0");
    }
}


pos_status_t
pos_entity_check(pos_kind_t kind, const pos_json_t *json, pos_str_t base, pos_arena_t *arena,
    pos_faults_t *faults)
{
    union {
        pos_book_t       book;
        pos_store_t      store;
        pos_category_t   category;
        pos_price_list_t list;
        pos_tax_row_t    tax;
        pos_experiment_t experiment;
    }            *into = pos_arena_zalloc(arena, sizeof(*into));
    pos_at_t      at = pos_at_base(base);
    pos_str_t     name;
    pos_decoder_t d;

    if (into == NULL) {
        return POS_NO_MEMORY;
    }
    pos_decoder_init(&d, arena, faults, pos_zone_utc());
    if (kind == POS_KIND_RETAILER) {
        pos_retailer_decode(&d, &at, json, &into->book, &name);
    } else if (kind == POS_KIND_STORE) {
        pos_store_decode(&d, &at, json, &into->store, &name);
    } else if (kind == POS_KIND_CATEGORY) {
        pos_category_decode(&d, &at, json, &into->category, &name);
    } else if (kind == POS_KIND_PRICE_LIST) {
        pos_price_list_decode(&d, &at, json, &into->list);
    } else if (kind == POS_KIND_TAX) {
        pos_tax_decode(&d, &at, json, &into->tax);
    } else if (kind == POS_KIND_EXPERIMENT) {
        pos_experiment_decode(&d, &at, json, &into->experiment);
    }
    return pos_decoder_status(&d);
}
