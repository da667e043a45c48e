/*
 * What a key may not set is refused, each place by its name, and never taken half: a
 * request that only asks for too much is forbidden, one that is wrong besides is wrong.
 */

#include "engine/t/shop.h"

#define BOOK "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\"}," SHOP_GOODS ",\"prices\":[{\"sku\":\"BOOT\",\"list\":\"base\",\"amount\":5000}," \
    "{\"sku\":\"TEE\",\"list\":\"base\",\"amount\":1000}],\"promotions\":[{\"id\":\"lua\",\"script\":\"return promotion { id = 'lua', name = 'L', class = 'order'," \
    " apply = function(cart) cart:amount_off(100, 'x') end }\"}]}"

#define ALL "{\"at\":\"2026-06-01T12:00:00Z\",\"customer\":{\"id\":\"c\",\"groups\":[\"staff\"],\"orders\":1,\"birthday\":\"1990-01-01\",\"tax_exempt\":true}," \
    "\"shipping\":{\"method\":\"m\",\"amount\":5},\"lines\":[{\"sku\":\"BOOT\",\"quantity\":1,\"price_override\":{\"amount\":1,\"reason\":\"r\"}," \
    "\"discount\":{\"percent\":1,\"reason\":\"r\"},\"tax_category\":\"zero\"}]%s}"

int
main(void)
{
    shop_t              s;
    pos_quote_options_t options;
    pos_quote_stats_t   stats;
    char                text[1000];

    if (!ok(shop_open(&s, BOOK), "a shop")) {
        return tap_done();
    }
    options = shop_options(&s);
    snprintf(text, sizeof(text), ALL, "");
    is_str(shop_member(&s, shop_quote(&s, &options, text, &stats), "total"), "5", "who may set everything: a boot for a penny, a pound off, and shipping");
    options.may_simulate = false;
    is_str(shop_quote(&s, &options, text, &stats), "/at scope_required", "who may not say the time");
    ok(stats.forbidden, "that is forbidden");
    options.may_override = options.may_customer = options.may_shipping = false;
    is_str(shop_quote(&s, &options, text, &stats),
        "/customer/groups scope_required, /customer/orders scope_required, /customer/birthday scope_required, "
        "/customer/tax_exempt scope_required, /shipping/amount scope_required, /lines/0/price_override scope_required, "
        "/lines/0/discount scope_required, /lines/0/tax_category scope_required, /at scope_required", "who may set nothing, is told everything");
    ok(stats.forbidden, "forbidden");
    snprintf(text, sizeof(text), ALL, ",\"colour\":1");
    shop_quote(&s, &options, text, &stats);
    ok(!stats.forbidden, "with a field that is not there it is wrong rather than forbidden");
    is_str(shop_member(&s, shop_quote(&s, &options, "{\"customer\":{\"id\":\"c\"},\"shipping\":{\"method\":\"m\"},\"lines\":[{\"sku\":\"BOOT\",\"quantity\":1,"
                                                    "\"price_override\":null,\"discount\":null,\"tax_category\":null}]}", &stats), "total"), "4900",
        "a customer's id, a method and what is null may be set by all");
    is_str(shop_quote(&s, &options, "[]", &stats), " type", "a request is an object");
    is_str(shop_quote(&s, &options, "{}", &stats), "/lines required", "with lines");
    options.pointer = pos_str("/0/body");
    is_str(shop_quote(&s, &options, "{\"lines\":[{\"sku\":\"NO\",\"quantity\":1}]}", &stats), "/0/body/lines/0/sku unknown_sku", "in a batch behind its place");
    options.pointer = pos_str("");

    options.vm = NULL;
    is_str(shop_member(&s, shop_quote(&s, &options, "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":1}]}", &stats), "total"), "5000",
        "where scripts cannot run, their promotions do not");
    is_int(stats.script_errors, 1, "which is counted");
    is_str(stats.failures[0].promotion, "lua", "by name");
    shop_close(&s);
    return tap_done();
}
