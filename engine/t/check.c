/*
 * A draft against its shop: what is proved by structure, held against the engine's own
 * figures; the overlay's order; and what pricing the shop finds.
 */

#include "engine/t/shop.h"

#include "engine/book_data.h"
#include "engine/check.h"
#include "engine/overlay.h"

#define GOODS \
    "\"stores\":[{\"code\":\"london\",\"tax_region\":\"GB\"}],\"categories\":[{\"code\":\"all\"},{\"code\":\"shoes\",\"parent\":\"all\"}]," \
    "\"products\":[{\"sku\":\"BOOT\",\"name\":\"Boot\",\"categories\":[\"shoes\"],\"cost\":4000}," \
    "{\"sku\":\"TEE\",\"name\":\"Tee\",\"categories\":[\"all\"],\"cost\":100}]," \
    "\"price_lists\":[{\"code\":\"base\",\"currency\":\"GBP\",\"tax_included\":true}]," \
    "\"prices\":[{\"sku\":\"BOOT\",\"list\":\"base\",\"amount\":5000},{\"sku\":\"TEE\",\"list\":\"base\",\"amount\":999}]"
#define SHOP_OF(optimise, promotions) \
    "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\",\"optimise\":\"" optimise "\"}," GOODS ",\"promotions\":[" promotions "]}"
#define OFF(id, percent, items, more) \
    "{\"id\":\"" id "\",\"class\":\"line\",\"then\":[{\"percent_off\":" percent ",\"items\":" items "}]" more "}"
#define ALONE  ",\"stacking\":\"alone\""
#define EXCL   ",\"stacking\":\"exclusive\""
#define GROUP  ",\"group\":\"g\""

static shop_t shop;

static bool
open_shop(const char *text)
{
    return shop_make(&shop, pos_str_z(text), 16384, 1u << 20, 1000) == POS_OK && shop.book != NULL;
}


static const pos_promotion_t *
promotion(const char *id)
{
    uint32_t at;

    return pos_book_find(shop.book, pos_str_z(id), &at) ? shop.book->promotions[at] : NULL;
}


/* ---- beaten ---- */

typedef struct {
    bool        beaten;
    const char *name, *book;
} pair_t;

#define PAIR(draft, other)          SHOP_OF("customer", draft "," other)
#define THREE(draft, other, third)  SHOP_OF("customer", draft "," other "," third)
#define SHIP(when) \
    "{\"id\":\"s\",\"class\":\"shipping\",\"when\":" when ",\"then\":[{\"percent_off\":100}]}"

static const pair_t pairs[] = {
    { true, "exclusive, less, of the same", PAIR(OFF("a", "10", "{}", EXCL), OFF("b", "20", "{}", EXCL)) },
    { true, "as much", PAIR(OFF("a", "20", "{}", EXCL), OFF("b", "20", "{}", EXCL)) },
    { true, "of a part", PAIR(OFF("a", "10", "{\"sku\":[\"BOOT\"]}", EXCL), OFF("b", "20", "{\"sku\":[\"TEE\",\"BOOT\"]}", EXCL)) },
    { true, "the other combines", PAIR(OFF("a", "10", "{}", EXCL), OFF("b", "20", "{}", "")) },
    { true, "alone against any", PAIR(OFF("a", "10", "{}", ALONE), OFF("b", "20", "{}", EXCL)) },
    { true, "under a condition of its own", PAIR(OFF("a", "10", "{}", EXCL ",\"when\":{\"channel\":[\"web\"]}"), OFF("b", "20", "{}", EXCL)) },
    { true, "both under one", PAIR(OFF("a", "10", "{}", EXCL ",\"when\":{\"items\":{},\"quantity\":{\"min\":3}}"),
        OFF("b", "20", "{}", EXCL ",\"when\":{\"items\":{},\"quantity\":{\"min\":2}}")) },
    { false, "more", PAIR(OFF("a", "30", "{}", EXCL), OFF("b", "20", "{}", EXCL)) },
    { false, "of more goods", PAIR(OFF("a", "10", "{}", EXCL), OFF("b", "20", "{\"sku\":[\"BOOT\"]}", EXCL)) },
    { false, "it combines", PAIR(OFF("a", "10", "{}", ""), OFF("b", "20", "{}", EXCL)) },
    { false, "the other is alone", PAIR(OFF("a", "10", "{}", EXCL), OFF("b", "20", "{}", ALONE)) },
    { false, "the other has a limit", PAIR(OFF("a", "10", "{}", EXCL), OFF("b", "20", "{}", EXCL ",\"limits\":[{\"max\":1}]")) },
    { false, "the other has a floor", PAIR(OFF("a", "10", "{}", EXCL), OFF("b", "20", "{}", EXCL ",\"floor\":{\"margin_percent\":1}")) },
    { false, "the other needs a coupon", PAIR(OFF("a", "10", "{}", EXCL), OFF("b", "20", "{}", EXCL ",\"coupon\":true")) },
    { false, "the other is over sooner", PAIR(OFF("a", "10", "{}", EXCL), OFF("b", "20", "{}", EXCL ",\"active\":{\"until\":\"2030-01-01T00:00:00Z\"}")) },
    { false, "the other asks for more", PAIR(OFF("a", "10", "{}", EXCL), OFF("b", "20", "{}", EXCL ",\"when\":{\"channel\":[\"web\"]}")) },
    { false, "of what discounts leave", PAIR(OFF("a", "10", "{}", EXCL ",\"when\":{\"subtotal\":{\"min\":900}}"),
        OFF("b", "20", "{}", EXCL ",\"when\":{\"subtotal\":{\"min\":900}}")) },
    { false, "of another group", PAIR(OFF("a", "10", "{}", EXCL), OFF("b", "20", "{}", EXCL GROUP)) },
    { true, "as much, whatever others ask of what is left", THREE(OFF("a", "20", "{}", EXCL), OFF("b", "20", "{}", EXCL), SHIP("{\"subtotal\":{\"min\":9050}}")) },
    { true, "another asks for a sum at unit prices", THREE(OFF("a", "10", "{}", EXCL), OFF("b", "20", "{}", EXCL), SHIP("{\"subtotal\":{\"min\":9050},\"after\":\"none\"}")) },
    { false, "another asks for what is left", THREE(OFF("a", "9", "{}", EXCL), OFF("b", "10", "{}", EXCL), SHIP("{\"subtotal\":{\"min\":9050}}")) },
    { false, "in an effect", THREE(OFF("a", "9", "{}", EXCL), OFF("b", "10", "{}", EXCL),
        "{\"id\":\"s\",\"class\":\"order\",\"then\":[{\"amount_off\":900,\"when\":{\"any\":[{\"subtotal\":{\"min\":9050}}]}}]}") },
    { false, "or by tiers", THREE(OFF("a", "9", "{}", EXCL), OFF("b", "10", "{}", EXCL),
        "{\"id\":\"s\",\"class\":\"order\",\"then\":[{\"tiers\":[{\"subtotal\":9050,\"amount_off\":900}]}]}") },
    { false, "of one group, where a third comes between", THREE(OFF("a", "10", "{}", GROUP ",\"priority\":10"),
        OFF("b", "12", "{}", GROUP), "{\"id\":\"s\",\"class\":\"line\",\"priority\":5,\"then\":[{\"amount_off\":900}]}") },
    { false, "by priority", SHOP_OF("priority", OFF("a", "10", "{}", EXCL) "," OFF("b", "20", "{}", EXCL)) },
};


/* Does the draft give anything in some cart? */
static bool
is_given(void)
{
    static const char *const carts[] = { "{\"sku\":\"BOOT\",\"quantity\":1}", "{\"sku\":\"TEE\",\"quantity\":3}",
        "{\"sku\":\"BOOT\",\"quantity\":2},{\"sku\":\"TEE\",\"quantity\":7}" };
    static const char *const channels[] = { "web", "pos" };

    for (unsigned i = 0; i < 6; i++) {
        pos_quote_options_t options = { .book = shop.book, .source = &shop.source, .vm = shop.vm,
              .revision = pos_str("1"), .now = INT64_C(1795780800) * 1000000, .pointer = pos_str("") };
        pos_quote_stats_t   stats = { 0 };
        pos_faults_t        faults;
        pos_json_t         *request, *quote;
        pos_str_t           text = pos_arena_printf(shop.arena,
            "{\"currency\":\"GBP\",\"store\":\"london\",\"channel\":\"%s\",\"lines\":[%s]}", channels[i % 2], carts[i / 2]);
        pos_writer_t        w;
        const pos_json_t   *list;

        pos_faults_init(&faults, shop.arena);
        pos_writer_init(&w, shop.arena, 4096, 1u << 20);
        if (pos_json_read(shop.reader, text, shop.arena, &faults, &request) != POS_OK
            || pos_quote(&options, request, shop.arena, &faults, &w, &stats) != POS_OK
            || pos_json_read(shop.reader, pos_writer_result(&w), shop.arena, &faults, &quote) != POS_OK)
        {
            return true;
        }
        list = pos_json_get(quote, "promotions");
        for (const pos_json_t *p = list->first; p != NULL; p = p->next) {
            if (pos_str_eq(pos_json_get(p, "id")->text, pos_str("a")) && i < 6) {
                return true;
            }
        }
    }
    return false;
}


static void
test_beaten(void)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        bool as_much = strncmp(pairs[i].name, "as much", 7) == 0;

        if (!open_shop(pairs[i].book)) {
            ok(0, "%s: the shop is built", pairs[i].name);
            shop_close(&shop);
            continue;
        }
        ok(pos_check_beaten_by(shop.book, promotion("a"), promotion("b")) == pairs[i].beaten, "%s: %s", pairs[i].name,
            pairs[i].beaten ? "beaten" : "not surely beaten");
        if (pairs[i].beaten && !as_much) {
            ok(!is_given(), "%s: and no cart is given it", pairs[i].name);
        }
        shop_close(&shop);
    }
}


/* ---- never ---- */

static void
test_never(void)
{
    static const struct {
        bool        never;
        const char *when;
    } cases[] = {
        { true, "{\"all\":[{\"channel\":[\"web\"]},{\"channel\":[\"pos\"]}]}" },
        { true, "{\"all\":[{\"subtotal\":{\"max\":5}},{\"all\":[{\"subtotal\":{\"min\":6}}]}]}" },
        { true, "{\"any\":[{\"all\":[{\"store\":[\"a\"]},{\"store\":[\"b\"]}]}]}" },
        { false, "{\"all\":[{\"channel\":[\"web\",\"app\"]},{\"channel\":[\"pos\",\"app\"]}]}" },
        { false, "{\"all\":[{\"tender\":[\"card\"]},{\"tender\":[\"cash\"]}]}" },
        { false, "{\"all\":[{\"subtotal\":{\"max\":5},\"after\":\"none\"},{\"subtotal\":{\"min\":6},\"after\":\"line\"}]}" },
        { false, "{\"any\":[{\"channel\":[\"web\"]},{\"channel\":[\"pos\"]}]}" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[2048];

        snprintf(text, sizeof(text), "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\"}," GOODS
            ",\"promotions\":[{\"id\":\"a\",\"class\":\"line\",\"then\":[{\"percent_off\":1}],\"when\":%s}]}", cases[i].when);
        ok(open_shop(text) && promotion("a") != NULL && pos_check_never_holds(promotion("a")) == cases[i].never, "%s %s",
            cases[i].when, cases[i].never ? "never holds" : "may hold");
        shop_close(&shop);
    }
}


/* ---- the overlay ---- */

static void
test_overlay(void)
{
    static const struct {
        const char *id, *row, *order;
    } cases[] = {
        { "a", "{}", "a b d " }, { "b", "{}", "b d " }, { "c", "{}", "b c d " }, { "e", "{}", "b d e " },
        { "b", "", "d " }, { "d", "", "b " }, { "c", "", "b d " },
    };

    (void) open_shop(SHOP_OF("customer", OFF("b", "1", "{}", "") "," OFF("d", "1", "{}", "")));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        pos_overlay_t     overlay = { .base = shop.source, .id = pos_str_z(cases[i].id), .row = pos_str_z(cases[i].row) };
        pos_book_source_t source;
        pos_str_t         key, value, after;
        char              order[64] = "";
        bool              own = false;

        pos_overlay_source(&overlay, &source);
        for (const pos_str_t *from = NULL; source.next(source.ctx, POS_KIND_PROMOTION, from, &key, &value) == POS_OK; from = &after) {
            strncat(order, key.data, key.len);
            strcat(order, " ");
            own |= pos_str_eq(value, pos_str("{}"));
            after = key;
        }
        ok(strcmp(order, cases[i].order) == 0 && own == (cases[i].row[0] != '\0'), "%s%s: %s", cases[i].row[0] ? "with " : "without ",
            cases[i].id, order);
    }
    shop_close(&shop);
}


/* ---- priced ---- */

static void
test_priced(void)
{
    pos_check_options_t options = { .id = pos_str("a"), .now = INT64_C(1795780800) * 1000000, .margin_ppm = -1 };
    pos_check_t        *check = NULL;
    pos_writer_t        w;
    pos_str_t           text = pos_str("");
    pos_status_t        status;

    (void) open_shop(SHOP_OF("customer", OFF("a", "15", "{\"category\":[\"all\"]}", "") "," OFF("b", "10", "{\"sku\":[\"BOOT\"]}", "")));
    options.book = shop.book;
    options.source = &shop.source;
    options.vm = shop.vm;
    options.show_costs = true;
    status = pos_check_create(&options, &check);
    ok(status == POS_OK, "a check is made");
    if (status != POS_OK) {
        shop_close(&shop);
        return;
    }
    ok(pos_check_see(check, pos_str("BOOT")) == POS_OK && pos_check_see(check, pos_str("TEE")) == POS_OK
       && pos_check_see(check, pos_str("NONE")) == POS_OK, "products are seen");
    do {
        status = pos_check_step(check);
    } while (status == POS_AGAIN);
    pos_writer_init(&w, shop.arena, 4096, 1u << 20);
    pos_write_array_begin(&w);
    pos_check_write(check, &w);
    pos_write_array_end(&w);
    text = pos_arena_printf(shop.arena, "%.*s", (int) pos_writer_result(&w).len, pos_writer_result(&w).data);
    /* 5000 less 15 % less 10 % is 3825, for what cost 4000; either alone leaves 4250 or more. */
    ok(strstr(text.data, "{\"sku\":\"BOOT\",\"quantity\":1,\"net\":3825,\"cost\":4000}") != NULL, "what the two leave of the boot");
    ok(strstr(text.data, "\"overlap\"") != NULL && strstr(text.data, "\"related\":[\"b\"]") != NULL, "that they go together");
    ok(strstr(text.data, "unbounded_stacking") != NULL, "and nothing bounds it");
    pos_writer_init(&w, shop.arena, 256, 4096);
    pos_check_write_counts(check, &w);
    ok(pos_str_eq(pos_writer_result(&w), pos_str("{\"seen\":2,\"matched\":2,\"priced\":2,\"applied\":2,\"complete\":true}")), "all was tried");
    pos_check_destroy(check);
    options.id = pos_str("nobody");
    ok(pos_check_create(&options, &check) == POS_NOT_FOUND, "what the book does not have is not checked");
    shop_close(&shop);
}


int
main(void)
{
    test_beaten();
    test_never();
    test_overlay();
    test_priced();
    return tap_done();
}
