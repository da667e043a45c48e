/*
 * What pricing a draft over its shop's products finds, and what it does not claim: by
 * books of a few products.
 */

#include "engine/t/shop.h"

#include "engine/book_data.h"
#include "engine/check.h"

#define NOW  (INT64_C(1795780800) * 1000000)    /* a Friday, noon */
#define ALL  INT32_MAX

#define LIST(code, currency)  "{\"code\":\"" code "\",\"currency\":\"" currency "\",\"tax_included\":true}"
#define PRICES(list) \
    "{\"sku\":\"BOOT\",\"list\":\"" list "\",\"amount\":5000},{\"sku\":\"TEE\",\"list\":\"" list "\",\"amount\":999}"
#define BOOK(currency, lists, prices, promotions) \
    "{\"retailer\":{\"code\":\"r\",\"currency\":\"" currency "\"},\"stores\":[{\"code\":\"london\",\"tax_region\":\"GB\"}]," \
    "\"products\":[{\"sku\":\"BOOT\",\"name\":\"Boot\",\"brand\":\"Brindle\",\"cost\":5000}," \
    "{\"sku\":\"TEE\",\"name\":\"Tee\",\"brand\":\"Plain\",\"cost\":100}]," \
    "\"price_lists\":[" lists "],\"prices\":[" prices "],\"promotions\":[" promotions "]}"
#define SHOP(promotions)  BOOK("GBP", LIST("base", "GBP"), PRICES("base"), promotions)
#define DRAFT(then, more) "{\"id\":\"a\",\"class\":\"line\",\"then\":[" then "]" more "}"
#define OFF(percent, items)  "{\"percent_off\":" percent ",\"items\":" items "}"
#define BOOT              "{\"sku\":[\"BOOT\"]}"
#define TEE               "{\"sku\":[\"TEE\"]}"
#define WHEN(condition)   ",\"when\":" condition

/* ---- one check ---- */

typedef struct {
    shop_t       shop;
    pos_check_t *check;
    pos_str_t    findings, counts;
} trial_t;

/* Only `most` carts are priced. */
static void
try_it(trial_t *t, const char *book, bool show_costs, int most)
{
    static const char *const skus[] = { "BOOT", "TEE" };
    pos_check_options_t      options = { .id = pos_str("a"), .now = NOW, .margin_ppm = -1, .show_costs = show_costs };
    const pos_str_t         *names;
    uint32_t                 count = 0;
    pos_status_t             status;
    pos_writer_t             w;

    t->check = NULL;
    t->findings = t->counts = pos_str("");
    if (!shop_open(&t->shop, book)) {
        ok(0, "the book is built: %s", book);
        return;
    }
    options.book = t->shop.book;
    options.source = &t->shop.source;
    options.vm = t->shop.vm;
    status = pos_check_create(&options, &t->check);
    if (status != POS_OK) {
        ok(0, "the check is made: %d", (int) status);
        return;
    }
    if (pos_check_names(t->check, &names, &count)) {
        for (uint32_t i = 0; i < count; i++) {
            status = status == POS_OK ? pos_check_see(t->check, names[i]) : status;
        }
    } else {
        status = pos_check_see(t->check, pos_str_z(skus[0]));
        status = status == POS_OK ? pos_check_see(t->check, pos_str_z(skus[1])) : status;
    }
    for (int i = 0; i < most && (status == POS_OK || status == POS_AGAIN); i++) {
        status = pos_check_step(t->check);
        if (status == POS_OK) {
            break;
        }
    }
    pos_writer_init(&w, t->shop.arena, 4096, 1 << 20);
    pos_write_array_begin(&w);
    pos_check_write(t->check, &w);
    pos_write_array_end(&w);
    pos_write_bytes(&w, pos_str_of("", 1));
    t->findings = pos_writer_result(&w);
    pos_writer_init(&w, t->shop.arena, 256, 4096);
    pos_check_write_counts(t->check, &w);
    pos_write_bytes(&w, pos_str_of("", 1));
    t->counts = pos_writer_result(&w);
    ok(status == POS_OK || (status == POS_AGAIN && most < ALL), "checked: %d", (int) status);
}


static void
end_it(trial_t *t)
{
    pos_check_destroy(t->check);
    shop_close(&t->shop);
}


/* ---- what is found ---- */

typedef struct {
    const char *name, *book;
    const char *has, *has_not;      /* in the findings; NULL: not asked      */
    const char *counts;             /* in the counts                         */
} case_t;

#define HOURS(list)  ",\"active\":{\"hours\":" list "}"
#define LIVE_THREE \
    ",{\"id\":\"b\",\"class\":\"line\",\"then\":[{\"tiers\":[{\"quantity\":3,\"percent_off\":10}],\"items\":" TEE "}]}"
#define FRAIL \
    ",{\"id\":\"b\",\"script\":\"return promotion { id = 'b', class = 'line', apply = function(cart) local x = cart.none.none end }\"}"
#define GROUP(n)  "{\"code\":\"l" n "\",\"currency\":\"GBP\",\"tax_included\":true,\"customer_groups\":[\"g" n "\"]},"
#define SIXTEEN \
    GROUP("1") GROUP("2") GROUP("3") GROUP("4") GROUP("5") GROUP("6") GROUP("7") GROUP("8") GROUP("9") GROUP("10") \
    GROUP("11") GROUP("12") GROUP("13") GROUP("14") GROUP("15") GROUP("16")
#define SAME(n)   "{\"code\":\"s" n "\",\"currency\":\"GBP\",\"tax_included\":true},"

static const case_t cases[] = {
    { "below cost", SHOP(DRAFT(OFF("5", BOOT), "")), "\"net\":4750,\"cost\":5000", NULL, "\"complete\":true" },
    { "a cost in another currency is compared with nothing",
        BOOK("JPY", LIST("base", "USD"), PRICES("base"), DRAFT(OFF("5", BOOT), "")), NULL, "below_cost", "\"applied\":1,\"complete\":true" },
    { "and no floor is judged by it", BOOK("GBP", LIST("base", "GBP") "," LIST("us", "USD"), PRICES("us"),
        DRAFT(OFF("50", BOOT), ",\"floor\":{\"margin_percent\":5}")), "\"floor_not_judged\",\"message\":\"costs are in GBP: in USD", "below_cost", NULL },
    { "in the cost's own it is", SHOP(DRAFT(OFF("50", TEE), ",\"floor\":{\"margin_percent\":5}")), NULL, "floor_not_judged",
        "\"applied\":1" },
    { "without a floor nothing is said of it", BOOK("GBP", LIST("base", "GBP") "," LIST("us", "USD"), PRICES("us"), DRAFT(OFF("50", BOOT), "")),
        NULL, "floor_not_judged", "\"applied\":1" },
    { "a product named twice is tried once",
        SHOP(DRAFT(OFF("95", TEE), WHEN("{\"items\":{\"sku\":[\"TEE\",\"BOOT\"]}}"))), "\"related\":[\"TEE\"]", NULL,
        "{\"seen\":2,\"matched\":2" },
    { "other ways to get it", SHOP("{\"id\":\"a\",\"class\":\"shipping\",\"then\":[{\"percent_off\":100}]"
        WHEN("{\"any\":[{\"items\":{\"tag\":[\"nope\"]}},{\"subtotal\":{\"min\":1000}}]}") "}"), NULL, "no_products", NULL },
    { "none of something", SHOP("{\"id\":\"a\",\"class\":\"shipping\",\"then\":[{\"percent_off\":100}]"
        WHEN("{\"items\":{\"tag\":[\"nope\"]},\"quantity\":{\"max\":0}}") "}"), NULL, "no_products", NULL },
    { "no way to get it", SHOP("{\"id\":\"a\",\"class\":\"shipping\",\"then\":[{\"percent_off\":100}]"
        WHEN("{\"all\":[{\"items\":{\"tag\":[\"nope\"]}},{\"subtotal\":{\"min\":1000}}]}") "}"), "no_products", NULL, NULL },
    { "nothing that it bears on", SHOP(DRAFT(OFF("5", "{\"tag\":[\"nope\"]}"), WHEN("{\"items\":" TEE "}"))), "no_products", NULL, NULL },
    { "one of two brands", SHOP(DRAFT(OFF("1", "{\"brand\":[\"Brindle\",\"Brindel\"]}"), "")), "of the brand \\\"Brindel\\\"",
        "of the brand \\\"Brindle\\\"", NULL },
    { "a brand that a condition asks for", SHOP("{\"id\":\"a\",\"class\":\"order\",\"then\":[{\"percent_off\":1}]"
        WHEN("{\"items\":{\"brand\":[\"Brindel\"]}}") "}"), "of the brand \\\"Brindel\\\"", NULL, NULL },
    { "an overlap in a later cart", SHOP(DRAFT("{\"tiers\":[{\"quantity\":1,\"percent_off\":1},{\"quantity\":3,\"percent_off\":3}],"
        "\"items\":" TEE "}", "") LIVE_THREE), "\"overlap\"", NULL, NULL },
    { "another's script fails", SHOP(DRAFT(OFF("1", "{}"), "") FRAIL), NULL, "not_checked", "\"priced\":2,\"applied\":2,\"complete\":true" },
    { "its own fails", SHOP("{\"id\":\"a\",\"script\":\"return promotion { id = 'a', class = 'line', apply = function(cart) "
        "local x = cart.none.none end }\"}"), NULL, "\"below_cost\"", "\"applied\":0" },
    { "minutes of a day", SHOP(DRAFT(OFF("5", BOOT), HOURS("[[\"13:05\",\"13:10\"]]"))), "below_cost", NULL, "\"applied\":1,\"complete\":true" },
    { "past midnight", SHOP(DRAFT(OFF("5", BOOT), HOURS("[[\"02:01\",\"02:02\"]]"))), "below_cost", NULL, "\"applied\":1,\"complete\":true" },
    { "at no time", SHOP(DRAFT(OFF("5", BOOT), ",\"active\":{\"from\":\"2031-01-06T00:00:00Z\",\"until\":\"2031-01-07T00:00:00Z\","
        "\"weekdays\":[\"tue\"]}")), "\"not_checked\",\"message\":\"it was priced at a time", NULL, "\"applied\":0,\"complete\":false" },
    { "more price lists than are tried", BOOK("GBP", SIXTEEN LIST("base", "GBP"), PRICES("base"), DRAFT(OFF("1", TEE), "")),
        "priced in 16 of the 17 price lists", NULL, "\"complete\":false" },
    { "more lists than customers", BOOK("GBP", SAME("1") SAME("2") SAME("3") SAME("4") SAME("5") SAME("6") SAME("7") SAME("8") SAME("9")
        SAME("10") SAME("11") SAME("12") SAME("13") SAME("14") SAME("15") SAME("16") LIST("base", "GBP"), PRICES("base"),
        DRAFT(OFF("1", TEE), "")), NULL, "not_checked", "\"complete\":true" },
    { "loss in the last of many lists", BOOK("GBP", GROUP("1") GROUP("2") GROUP("3") GROUP("4") GROUP("5") LIST("base", "USD") ","
        LIST("low", "GBP"), PRICES("base") ",{\"sku\":\"BOOT\",\"list\":\"low\",\"amount\":5000}", DRAFT(OFF("5", BOOT), "")),
        "\"net\":4750,\"cost\":5000", NULL, "\"complete\":true" },
    { "as many", BOOK("GBP", LIST("l1", "GBP") "," LIST("l2", "USD"), PRICES("l1") "," PRICES("l2"), DRAFT(OFF("1", TEE), "")), NULL,
        "not_checked", "\"complete\":true" },
};


static void
test_cases(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const case_t *c = &cases[i];
        trial_t       t;
        bool          good;

        try_it(&t, c->book, true, ALL);
        good = (c->has == NULL || strstr(t.findings.data, c->has) != NULL)
               && (c->has_not == NULL || strstr(t.findings.data, c->has_not) == NULL)
               && (c->counts == NULL || strstr(t.counts.data, c->counts) != NULL);
        ok(good, "%s", c->name);
        if (!good) {
            printf("# %s\n# %s\n", t.findings.data, t.counts.data);
        }
        end_it(&t);
    }
}


/* ---- what is shown ---- */

static void
test_costs(void)
{
    trial_t t;

    try_it(&t, SHOP(DRAFT(OFF("5", BOOT), "")), false, ALL);
    ok(strstr(t.findings.data, "below_cost") != NULL && strstr(t.findings.data, "\"products\":[{\"sku\":\"BOOT\",\"quantity\":1}]") != NULL,
        "who may not see costs is told which product");
    ok(strstr(t.findings.data, "5000") == NULL && strstr(t.findings.data, "4750") == NULL, "and no figure that tells them");
    end_it(&t);
}


static void
test_time_is_up(void)
{
    trial_t t;

    /* A cart each and a step that ends the product: one of the two is through. */
    try_it(&t, SHOP(DRAFT(OFF("5", "{\"brand\":[\"Brindle\",\"Plain\"]}"), "")), true, 2);
    ok(strstr(t.findings.data, "priced on 1 of the 2 products it may be for: the time for it was up") != NULL, "that it is not all is said");
    ok(strstr(t.findings.data, "below_cost") != NULL, "and what was found by then");
    ok(strstr(t.counts.data, "\"priced\":1") != NULL && strstr(t.counts.data, "\"complete\":false") != NULL, "%s", t.counts.data);
    end_it(&t);
}


/* ---- what a trial leaves behind ---- */

/* Fails unless there is a tee in the cart. */
#define PICKY \
    "{\"id\":\"b\",\"script\":\"return promotion { id = 'b', class = 'line', apply = function(cart) " \
    "if cart:items { sku = { 'TEE' } }:quantity() < 1 then local x = cart.none.none end end }\"}"

static uint32_t
in_a_row(shop_t *shop, bool trial, const char *sku)
{
    pos_quote_options_t options = shop_options(shop);
    pos_quote_stats_t   stats;
    char                request[256];

    options.trial = trial;
    snprintf(request, sizeof(request),
        "{\"currency\":\"GBP\",\"store\":\"london\",\"channel\":\"web\",\"lines\":[{\"id\":\"1\",\"sku\":\"%s\",\"quantity\":1}]}", sku);
    (void) shop_quote(shop, &options, request, &stats);
    return stats.failure_count > 0 ? stats.failures[0].in_a_row : 0;
}


static void
test_trial(void)
{
    trial_t t;

    try_it(&t, SHOP(DRAFT(OFF("1", "{}"), "") "," PICKY), true, ALL);
    ok(in_a_row(&t.shop, false, "BOOT") == 1, "a check counts for nothing");
    ok(in_a_row(&t.shop, true, "BOOT") == 0 && in_a_row(&t.shop, true, "BOOT") == 0, "nor does a trial that fails");
    ok(in_a_row(&t.shop, false, "BOOT") == 2, "a quote does");
    (void) in_a_row(&t.shop, true, "TEE");
    ok(in_a_row(&t.shop, false, "BOOT") == 3, "a trial that succeeds excuses nothing");
    (void) in_a_row(&t.shop, false, "TEE");
    ok(in_a_row(&t.shop, false, "BOOT") == 1, "a quote that does starts anew");
    end_it(&t);
}


int
main(void)
{
    test_cases();
    test_costs();
    test_time_is_up();
    test_trial();
    return tap_done();
}
