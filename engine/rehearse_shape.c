/*
 * Is a script's example written as examples are? What is misspelt in one would
 * else be left out of its cart in silence, and the example prove nothing.
 */

#include "engine/decode.h"
#include "engine/rehearse_data.h"

static const char *const case_fields[] = { "name", "settings", "cart", "expect", NULL };
static const char *const cart_fields[] = { "currency", "store", "channel", "at", "timezone",
    "script_cost", "categories", "products", "lines", "customer", "coupons", "tenders",
    "fulfilment", "ship_to", "shipping", "attributes", "session", NULL };
static const char *const category_fields[] = { "code", "parent", NULL };
static const char *const product_fields[] = { "sku", "name", "unit", "categories", "brand",
    "tags", "cost", "weight_grams", "tax_category", "fees", "min_price", "price", "sale", NULL };
static const char *const line_fields[] = { "sku", "name", "unit", "categories", "brand", "tags",
    "cost", "weight_grams", "tax_category", "fees", "min_price", "price", "sale", "quantity",
    "attributes", "price_override", "discount", NULL };


/* An empty table of a script is a list as well as an object. */
static bool
is_empty(const pos_json_t *v)
{
    return v->type == POS_JSON_ARRAY && v->count == 0;
}


static void
check_object(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object, const char *name)
{
    const pos_json_t *v = pos_member(object, name);
    pos_at_t          at = pos_at_key(up, name);

    if (v != NULL && !is_empty(v)) {
        (void) pos_decode_object(d, &at, v, NULL);
    }
}


static void
check_list(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object, const char *name,
    const char *const *fields)
{
    const pos_json_t *list;
    pos_at_t          at = pos_at_key(up, name);
    size_t            i = 0;

    if (pos_member(object, name) == NULL || !pos_decode_array(d, up, object, name, &list)) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(&at, i++);

        (void) pos_decode_object(d, &here, e, fields);
    }
}


pos_status_t
pos_rehearsal_case_shape(pos_rehearsal_t *r, const pos_json_t *item, pos_faults_t *faults)
{
    const pos_json_t *cart;
    pos_decoder_t     d;
    pos_at_t          at = pos_at_base(pos_str("")), inner = pos_at_key(&at, "cart");

    pos_decoder_init(&d, r->scratch, faults, pos_zone_utc());
    if (pos_decode_object(&d, &at, item, case_fields)) {
        cart = pos_member(item, "cart");
        check_object(&d, &at, item, "settings");
        check_object(&d, &at, item, "expect");
        if (cart != NULL && !is_empty(cart) && pos_decode_object(&d, &inner, cart, cart_fields)) {
            check_list(&d, &inner, cart, "categories", category_fields);
            check_list(&d, &inner, cart, "products", product_fields);
            check_list(&d, &inner, cart, "lines", line_fields);
        }
    }
    return pos_decoder_status(&d);
}
