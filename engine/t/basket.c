/*
 * A basket priced without JSON comes to what a quote comes to: in the shop with the
 * promotion and in the shop without it, over random baskets and each promotion in turn.
 */

#include "engine/t/shop.h"

#include "engine/basket.h"
#include "engine/overlay.h"

#define BASKETS  400
#define SCRIPT   "return promotion { id = 'lua', class = 'line', apply = function(cart) local s = cart:items { sku = { 'TEE' } } " \
                 "if s:quantity() >= 2 then s:percent_off(15, 'Lua') end if s:quantity() >= 7 then error('too many') end end }"

static const char book_text[] =
    "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\"},"
    "\"stores\":[{\"code\":\"london\",\"tax_region\":\"GB\"}],"
    "\"categories\":[{\"code\":\"all\"},{\"code\":\"shoes\",\"parent\":\"all\"}],"
    "\"products\":[{\"sku\":\"BOOT\",\"categories\":[\"shoes\"],\"tax_category\":\"standard\"},"
    "{\"sku\":\"TEE\",\"categories\":[\"all\"],\"tax_category\":\"standard\",\"fees\":[{\"code\":\"bag\",\"amount\":10,\"tax_category\":\"standard\"}]},"
    "{\"sku\":\"HAT\",\"categories\":[\"all\"]},{\"sku\":\"SOCK\",\"categories\":[\"shoes\"],\"tax_category\":\"standard\"},"
    "{\"sku\":\"CHEESE\",\"unit\":\"kg\",\"tax_category\":\"standard\"}],"
    "\"price_lists\":[{\"code\":\"base\",\"currency\":\"GBP\",\"tax_included\":true},"
    "{\"code\":\"staff\",\"currency\":\"GBP\",\"tax_included\":true,\"priority\":1,\"customer_groups\":[\"staff\"]}],"
    "\"prices\":[{\"sku\":\"BOOT\",\"list\":\"base\",\"amount\":4999},{\"sku\":\"TEE\",\"list\":\"base\",\"amount\":999},"
    "{\"sku\":\"TEE\",\"list\":\"staff\",\"amount\":801},{\"sku\":\"HAT\",\"list\":\"base\",\"amount\":1333},"
    "{\"sku\":\"SOCK\",\"list\":\"base\",\"amount\":450},{\"sku\":\"CHEESE\",\"list\":\"base\",\"amount\":1717}],"
    "\"taxes\":[{\"region\":\"GB\",\"category\":\"standard\",\"code\":\"vat\",\"percent\":20}],"
    "\"promotions\":["
    "{\"id\":\"ten\",\"class\":\"line\",\"then\":[{\"percent_off\":10,\"items\":{\"category\":[\"shoes\"]}}]},"
    "{\"id\":\"exclusive\",\"class\":\"line\",\"stacking\":\"exclusive\",\"then\":[{\"percent_off\":17,\"items\":{\"sku\":[\"SOCK\",\"HAT\"]}}]},"
    "{\"id\":\"alone\",\"class\":\"order\",\"stacking\":\"alone\",\"then\":[{\"percent_off\":12}]},"
    "{\"id\":\"three\",\"class\":\"line\",\"then\":[{\"nth\":{\"items\":{\"sku\":[\"TEE\",\"HAT\"]},\"group\":3,\"position\":3,\"percent_off\":100},\"order\":\"priciest\"}]},"
    "{\"id\":\"pair\",\"class\":\"line\",\"group\":\"g\",\"then\":[{\"buy\":[{\"items\":{\"category\":[\"shoes\"]},\"quantity\":1}],"
    "\"get\":[{\"items\":{\"sku\":[\"TEE\"]},\"quantity\":1,\"percent_off\":50}]}]},"
    "{\"id\":\"outfit\",\"class\":\"line\",\"group\":\"g\",\"then\":[{\"bundle\":[{\"items\":{\"sku\":[\"TEE\"]},\"quantity\":1},"
    "{\"items\":{\"sku\":[\"HAT\"]},\"quantity\":1}],\"price\":1900}]},"
    "{\"id\":\"gift\",\"class\":\"line\",\"when\":{\"items\":{\"sku\":[\"BOOT\"]},\"quantity\":{\"min\":2}},\"then\":[{\"gift\":{\"sku\":\"SOCK\",\"quantity\":1}}]},"
    "{\"id\":\"spend\",\"class\":\"order\",\"when\":{\"subtotal\":{\"min\":6000}},\"then\":[{\"amount_off\":700}]},"
    "{\"id\":\"points\",\"class\":\"order\",\"then\":[{\"points\":{\"add\":5},\"when\":{\"items\":{\"sku\":[\"HAT\"]},\"quantity\":{\"min\":1}}}]},"
    "{\"id\":\"code\",\"class\":\"order\",\"coupon\":true,\"then\":[{\"percent_off\":3}]},"
    "{\"id\":\"lua\",\"script\":\"" SCRIPT "\"}],"
    "\"coupons\":[{\"code\":\"SAVE\",\"promotions\":[\"code\"]}]}";

static const char *const ids[] = { "ten", "exclusive", "alone", "three", "pair", "outfit", "gift", "spend", "points", "code", "lua" };
static const char *const skus[] = { "BOOT", "TEE", "HAT", "SOCK", "CHEESE" };

static shop_t   shop;
static uint32_t seed = 11;


static uint32_t
chance(uint32_t n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}


/* The same basket in both forms; the request's text is in the shop's arena. */
static pos_str_t
random_basket(pos_basket_t *out)
{
    static pos_basket_line_t lines[8];
    static pos_str_t         groups[1], coupons[1];
    pos_writer_t             w;

    *out = (pos_basket_t) { .at = INT64_C(1780315200000000), .lines = lines, .groups = groups, .coupons = coupons };
    out->line_count = 1 + chance(7);
    out->store = chance(4) ? pos_str("london") : pos_str("");
    groups[0] = pos_str("staff");
    coupons[0] = pos_str("save");
    out->group_count = chance(2);
    out->coupon_count = chance(2);
    pos_writer_init(&w, shop.arena, 1024, 65536);
    pos_write_object_begin(&w);
    pos_write_key(&w, "lines");
    pos_write_array_begin(&w);
    for (uint32_t i = 0; i < out->line_count; i++) {
        uint32_t sku = chance(5);

        lines[i].sku = pos_str_z(skus[sku]);
        lines[i].quantity = sku == 4 ? 1 + chance(3000) : (1 + chance(4)) * POS_THOUSANDTHS;
        pos_write_object_begin(&w);
        pos_write_key(&w, "sku");
        pos_write_string(&w, lines[i].sku);
        pos_write_key(&w, "quantity");
        pos_write_decimal(&w, lines[i].quantity, 3);
        pos_write_object_end(&w);
    }
    pos_write_array_end(&w);
    pos_write_key(&w, "at");
    pos_write_time(&w, out->at);
    if (out->store.len > 0) {
        pos_write_key(&w, "store");
        pos_write_string(&w, out->store);
    }
    if (out->group_count > 0) {
        pos_write_bytes(&w, pos_str(",\"customer\":{\"groups\":[\"staff\"]}"));
        w.comma = true;
    }
    if (out->coupon_count > 0) {
        pos_write_bytes(&w, pos_str(",\"coupons\":[\"save\"]"));
        w.comma = true;
    }
    pos_write_object_end(&w);
    pos_write_bytes(&w, pos_str_of("", 1));
    return pos_writer_result(&w);
}


/* "total discount points, sku total tax, …, promotion amount, …" of a quote's JSON. */
static pos_str_t
said_by_quote(pos_str_t answer)
{
    pos_faults_t faults;
    pos_json_t  *json;
    pos_str_t    text;

    pos_faults_init(&faults, shop.arena);
    if (pos_json_read(shop.reader, answer, shop.arena, &faults, &json) != POS_OK) {
        return pos_str("no quote");
    }
    text = pos_arena_printf(shop.arena, "%.*s %.*s %.*s", (int) pos_json_get(json, "total")->text.len, pos_json_get(json, "total")->text.data,
        (int) pos_json_get(json, "discount")->text.len, pos_json_get(json, "discount")->text.data,
        (int) pos_json_get(json, "points")->text.len, pos_json_get(json, "points")->text.data);
    for (const pos_json_t *l = pos_json_get(json, "lines")->first; l != NULL; l = l->next) {
        pos_str_t sku = pos_json_get(l, "sku")->text, total = pos_json_get(l, "total")->text;

        text = pos_arena_printf(shop.arena, "%.*s, %.*s %.*s", (int) text.len, text.data, (int) sku.len, sku.data, (int) total.len, total.data);
    }
    for (const pos_json_t *p = pos_json_get(json, "promotions")->first; p != NULL; p = p->next) {
        pos_str_t id = pos_json_get(p, "id")->text, amount = pos_json_get(p, "amount")->text;

        text = pos_arena_printf(shop.arena, "%.*s, %.*s %.*s", (int) text.len, text.data, (int) id.len, id.data, (int) amount.len, amount.data);
    }
    return text;
}


static bool
used(const pos_basket_price_t *p, pos_str_t id, int64_t *amount)
{
    for (uint32_t i = 0; i < p->use_count; i++) {
        if (pos_str_eq(p->uses[i].promotion, id)) {
            *amount = p->uses[i].amount;
            return true;
        }
    }
    return false;
}


/* A quote names promotions by class; a basket by priority: put in the quote's order. */
static pos_str_t
said_by_basket(const pos_basket_price_t *p)
{
    static const char *const order[] = { "exclusive", "gift", "lua", "outfit", "pair", "ten", "three", "alone", "code", "points", "spend" };
    pos_str_t                text = pos_arena_printf(shop.arena, "%lld %lld %lld", (long long) p->total, (long long) p->discount, (long long) p->points);
    int64_t                  amount;

    for (uint32_t i = 0; i < p->part_count; i++) {
        pos_str_t sku = p->parts[i].product->sku;

        text = pos_arena_printf(shop.arena, "%.*s, %.*s %lld", (int) text.len, text.data, (int) sku.len, sku.data, (long long) p->parts[i].total);
    }
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (used(p, pos_str_z(order[i]), &amount)) {
            text = pos_arena_printf(shop.arena, "%.*s, %s %lld", (int) text.len, text.data, order[i], (long long) amount);
        }
    }
    return text;
}


/* With the n-th promotion and without it. */
static void
test_promotion(const char *id)
{
    pos_overlay_t        overlay = { .base = shop.source, .id = pos_str_z(id) };
    pos_book_source_t    source;
    pos_basket_options_t options = { .with = shop_options(&shop), .without = shop_options(&shop), .promotion = pos_str_z(id) };
    pos_status_t         status;
    pos_book_t          *book;
    uint32_t             bad = 0, reached = 0, applied = 0, failed = 0;

    pos_overlay_source(&overlay, &source);
    book = shop_build(&source, shop.book, shop.vm, 1000, &status);
    options.without.book = book;
    options.without.source = &source;
    for (int n = 0; n < BASKETS && book != NULL; n++) {
        pos_arena_mark_t    mark = pos_arena_mark(shop.arena);
        pos_basket_t        basket;
        pos_str_t           request = random_basket(&basket);
        pos_basket_result_t r;
        pos_faults_t        faults;
        pos_quote_stats_t   stats;
        pos_str_t           with, without;

        pos_faults_init(&faults, shop.arena);
        status = pos_basket_price(&options, &basket, shop.arena, &faults, &r);
        with = said_by_quote(shop_quote(&shop, &options.with, request.data, &stats));
        failed += stats.script_errors != r.failure_count;
        without = said_by_quote(shop_quote(&shop, &options.without, request.data, &stats));
        if (status != POS_OK || !pos_str_eq(with, said_by_basket(&r.with)) || !pos_str_eq(without, said_by_basket(&r.without))) {
            if (bad++ == 0) {
                pos_str_t a = said_by_basket(&r.with), b = said_by_basket(&r.without);

                printf("# %s\n# with: %.*s\n#  not: %.*s\n# without: %.*s\n#  not: %.*s\n", request.data, (int) with.len, with.data,
                    (int) a.len, a.data, (int) without.len, without.data, (int) b.len, b.data);
            }
        }
        reached += r.reached;
        applied += r.applied;
        pos_arena_rewind(shop.arena, mark);
    }
    ok(book != NULL && bad == 0, "%s: %d baskets come to what quotes come to", id, BASKETS);
    ok(reached > 0 && applied > 0 && applied <= reached, "%s reaches %u and applies to %u", id, reached, applied);
    ok(failed == 0, "%s: scripts fail alike", id);
    if (book != NULL) {
        pos_book_release(book);
    }
}


static void
test_refused(void)
{
    pos_basket_options_t options = { .with = shop_options(&shop), .without = shop_options(&shop), .promotion = pos_str("ten") };
    pos_basket_line_t    lines[] = { { pos_str("TEE"), 1000 }, { pos_str("NONE"), 1000 }, { pos_str("HAT"), 500 }, { pos_str("HAT"), 0 } };
    pos_basket_t         basket = { .store = pos_str("nowhere"), .currency = pos_str("XXZ"), .line_count = 4, .lines = lines };
    pos_basket_result_t  r;
    pos_faults_t         faults;
    pos_str_t            said;

    pos_faults_init(&faults, shop.arena);
    ok(pos_basket_price(&options, &basket, shop.arena, &faults, &r) == POS_INVALID, "a basket that cannot be priced");
    said = shop_faults(&shop, &faults);
    ok(pos_str_eq(said, pos_str("/currency unknown_currency, /store unknown_store, /lines/3/quantity quantity, "
                                "/lines/1/sku unknown_sku, /lines/2/quantity quantity")),
        "names all: %.*s", (int) said.len, said.data);
}


int
main(void)
{
    ok(shop_make(&shop, pos_str_z(book_text), 65536, 1 << 20, 1000) == POS_OK && pos_book_promotions(shop.book) == sizeof(ids) / sizeof(ids[0]),
        "a shop with all its promotions");
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        test_promotion(ids[i]);
    }
    test_refused();
    shop_close(&shop);
    return tap_done();
}
