/*
 * Shelf prices: what one unit costs here and now, before any promotion, and the lowest
 * price of the thirty days before a reduced one.
 */

#include "engine/t/shop.h"

#define BOOK \
    "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\"}," SHOP_GOODS ",\"prices\":[" \
    "{\"sku\":\"BOOT\",\"list\":\"base\",\"amount\":5000},{\"sku\":\"BOOT\",\"list\":\"base\",\"amount\":4500,\"min_quantity\":3}," \
    "{\"sku\":\"BOOT\",\"list\":\"staff\",\"amount\":4000}," \
    "{\"sku\":\"TEE\",\"list\":\"base\",\"amount\":1000}," \
    "{\"sku\":\"TEE\",\"list\":\"base\",\"amount\":900,\"kind\":\"sale\",\"from\":\"2026-05-10T00:00:00Z\",\"until\":\"2026-05-20T00:00:00Z\"}," \
    "{\"sku\":\"TEE\",\"list\":\"base\",\"amount\":800,\"kind\":\"sale\",\"from\":\"2026-05-25T00:00:00Z\",\"until\":\"2026-07-01T00:00:00Z\"}," \
    "{\"sku\":\"CHEESE\",\"list\":\"base\",\"amount\":1200,\"from\":\"2026-05-01T00:00:00Z\"}]}"

/* The answer, or its faults. */
static pos_str_t
shelf(shop_t *s, pos_price_query_t query, const char *sku)
{
    pos_quote_options_t options = shop_options(s);
    pos_faults_t        faults;
    pos_writer_t        w;

    query.quantity = query.quantity ? query.quantity : 1000;
    query.at = options.now;
    pos_faults_init(&faults, s->arena);
    pos_writer_init(&w, s->arena, 256, 65536);
    if (pos_price_write(&options, &query, pos_str_z(sku), s->arena, &faults, &w) == POS_OK) {
        return pos_writer_result(&w);
    }
    return shop_faults(s, &faults);
}

int
main(void)
{
    shop_t s;

    if (!ok(shop_open(&s, BOOK), "a shop")) {
        return tap_done();
    }
    is_str(shelf(&s, (pos_price_query_t) { .store = pos_str("london") }, "BOOT"),
        "{\"sku\":\"BOOT\",\"name\":\"Boot\",\"currency\":\"GBP\",\"list_price\":5000,\"unit_price\":5000,\"on_sale\":false,"
        "\"price_list\":\"base\",\"tax_included\":true,\"from\":null,\"until\":null}", "a boot");
    is_str(shop_member(&s, shelf(&s, (pos_price_query_t) { .quantity = 3000 }, "BOOT"), "unit_price"), "4500", "of three, each is cheaper");
    is_str(shop_member(&s, shelf(&s, (pos_price_query_t) { .customer_group = pos_str("staff") }, "BOOT"), "price_list"), "staff",
        "staff has its own list");
    is_str(shelf(&s, (pos_price_query_t) { .currency = pos_str("GBP") }, "TEE"),
        "{\"sku\":\"TEE\",\"name\":\"Tee\",\"currency\":\"GBP\",\"list_price\":1000,\"unit_price\":800,\"on_sale\":true,\"lowest_30d\":900,"
        "\"price_list\":\"base\",\"tax_included\":true,\"from\":\"2026-05-25T00:00:00Z\",\"until\":\"2026-07-01T00:00:00Z\"}",
        "a reduced tee, with the least of the thirty days before: an earlier sale");
    is_str(shop_member(&s, shelf(&s, (pos_price_query_t) { .at_text = pos_str("2026-05-22T12:00:00") }, "TEE"), "unit_price"), "1000",
        "between two sales it has its own price; the time is the store's");
    is_str(shop_member(&s, shelf(&s, (pos_price_query_t) { .at_text = pos_str("2026-05-10T00:00:00Z") }, "TEE"), "unit_price"), "900", "from is included");
    is_str(shop_member(&s, shelf(&s, (pos_price_query_t) { .at_text = pos_str("2026-05-20T00:00:00Z") }, "TEE"), "unit_price"), "1000", "until is not");

    is_str(shelf(&s, (pos_price_query_t) { .store = pos_str("paris") }, "BOOT"), "/store unknown_store", "no such store");
    is_str(shelf(&s, (pos_price_query_t) { .currency = pos_str("XYZ") }, "BOOT"), "/currency unknown_currency", "no such currency");
    is_str(shelf(&s, (pos_price_query_t) { .at_text = pos_str("tomorrow") }, "BOOT"), "/at format", "no such time");
    is_str(shelf(&s, (pos_price_query_t) { .currency = pos_str("USD") }, "BOOT"), " no_price", "no price in dollars");
    is_str(shelf(&s, (pos_price_query_t) { .at_text = pos_str("2026-04-01T00:00:00Z") }, "CHEESE"), " no_price", "none yet");
    is_str(shelf(&s, (pos_price_query_t) { 0 }, "HAT"), " unknown_sku", "no such SKU");
    shop_close(&s);
    return tap_done();
}
