/*
 * The largest cart that is taken, over books that make the most of it: no worker may
 * stand still for it, nor take memory without measure.
 */

#include "engine/t/shop.h"

#define LINES    10000
#define COUPONS  100
#define ASKED    12
#define DEEP     60
#define TEXT     (8u << 20)
#define MB       (1u << 20)

typedef struct {
    char  *text;
    size_t len;
} text_t;

static void add(text_t *t, const char *format, ...) POS_PRINTF(2, 3);

static void
add(text_t *t, const char *format, ...)
{
    va_list args;
    int     n;

    va_start(args, format);
    n = vsnprintf(t->text + t->len, TEXT - t->len, format, args);
    va_end(args);
    t->len += n > 0 && t->len + (size_t) n < TEXT ? (size_t) n : 0;
}

static pos_str_t
str_of(const text_t *t)
{
    return pos_str_of(t->text, t->len);
}

/* ---- books ---- */

static void
add_head(text_t *t, const char *settings)
{
    t->len = 0;
    add(t, "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\",\"timezone\":\"UTC\"%s},"
           "\"stores\":[{\"code\":\"s\",\"tax_region\":\"R\"}],\"categories\":[{\"code\":\"all\"}],"
           "\"price_lists\":[{\"code\":\"l\",\"currency\":\"GBP\",\"tax_included\":true}]", settings);
}

/* One product with a sale an hour, of 400. */
static void
sales(text_t *t)
{
    add_head(t, "");
    add(t, ",\"products\":[{\"sku\":\"S0\",\"name\":\"S\"}],\"prices\":[{\"sku\":\"S0\",\"list\":\"l\",\"amount\":2000},"
           "{\"sku\":\"S0\",\"list\":\"l\",\"kind\":\"sale\",\"amount\":1000,\"from\":\"2026-06-20T00:00:00Z\"}");
    for (int i = 0; i < 400; i++) {
        add(t, ",{\"sku\":\"S0\",\"list\":\"l\",\"kind\":\"sale\",\"amount\":%d,\"from\":\"2026-06-%02dT%02d:00:00Z\","
               "\"until\":\"2026-06-%02dT%02d:59:00Z\"}", 1100 + i, 1 + i / 24, i % 24, 1 + i / 24, i % 24);
    }
    add(t, "]}");
}

/* A tax category for each product, and margin floors that ask for their rates. */
static void
categories(text_t *t)
{
    add_head(t, ",\"tax_rounding\":\"order\"");
    add(t, ",\"products\":[");
    for (int i = 0; i < LINES; i++) {
        add(t, "%s{\"sku\":\"S%d\",\"name\":\"S\",\"categories\":[\"all\"],\"cost\":10,\"tax_category\":\"c%d\"}",
            i ? "," : "", i, i);
    }
    add(t, "],\"prices\":[");
    for (int i = 0; i < LINES; i++) {
        add(t, "%s{\"sku\":\"S%d\",\"list\":\"l\",\"amount\":%d}", i ? "," : "", i, 100 + i % 997);
    }
    add(t, "],\"taxes\":[");
    for (int i = 0; i < LINES; i++) {
        add(t, "%s{\"region\":\"R\",\"category\":\"c%d\",\"code\":\"t%d\",\"percent\":%d}", i ? "," : "", i, i, 1 + i % 20);
    }
    add(t, "],\"promotions\":[");
    for (int i = 0; i < 10; i++) {
        add(t, "%s{\"id\":\"p%d\",\"class\":\"line\",\"floor\":{\"margin_percent\":10},\"then\":[{\"percent_off\":1,"
               "\"items\":{\"category\":[\"all\"]}}]}", i ? "," : "", i);
    }
    add(t, "]}");
}

/* Its ten thousand units fall into a thousand classes. */
static void
classes(text_t *t)
{
    add_head(t, "");
    add(t, ",\"products\":[{\"sku\":\"S0\",\"name\":\"S\"}],\"prices\":[{\"sku\":\"S0\",\"list\":\"l\",\"amount\":2000}],"
           "\"promotions\":[");
    for (int i = 0; i < 1000; i++) {
        add(t, "%s{\"id\":\"p%d\",\"class\":\"line\",\"then\":[{\"percent_off\":1,\"max_units\":%d}]}", i ? "," : "", i, i + 1);
    }
    add(t, "]}");
}

/* A product for each line. */
static void
add_goods(text_t *t, int count)
{
    add_head(t, "");
    add(t, ",\"products\":[");
    for (int i = 0; i < count; i++) {
        add(t, "%s{\"sku\":\"S%d\",\"name\":\"S\",\"categories\":[\"all\"]}", i ? "," : "", i);
    }
    add(t, "],\"prices\":[");
    for (int i = 0; i < count; i++) {
        add(t, "%s{\"sku\":\"S%d\",\"list\":\"l\",\"amount\":%d}", i ? "," : "", i, 100 + i % 997);
    }
    add(t, "]");
}

/* Each of three promotions asks a thousand times for what the cart has. */
static void
conditions(text_t *t)
{
    add_goods(t, LINES);
    add(t, ",\"promotions\":[");
    for (int i = 0; i < 3; i++) {
        add(t, "%s{\"id\":\"p%d\",\"class\":\"line\",\"when\":{\"all\":[", i ? "," : "", i);
        for (int k = 0; k < 1000; k++) {
            add(t, "%s{\"items\":{\"category\":[\"all\"],\"unit_price\":{\"min\":%d}},\"quantity\":{\"min\":1}}", k ? "," : "", k % 100);
        }
        add(t, "]},\"then\":[{\"percent_off\":1}]}");
    }
    add(t, "]}");
}

/* Each line has a promotion of its own. */
static void
singles(text_t *t)
{
    add_goods(t, LINES);
    add(t, ",\"promotions\":[");
    for (int i = 0; i < LINES; i++) {
        add(t, "%s{\"id\":\"p%d\",\"class\":\"line\",\"then\":[{\"percent_off\":1,\"items\":{\"sku\":[\"S%d\"]}}]}", i ? "," : "", i, i);
    }
    add(t, "]}");
}

static void
markdowns(text_t *t)
{
    add_goods(t, LINES);
    add(t, ",\"promotions\":[");
    for (int i = 0; i < 1000; i++) {
        add(t, "%s{\"id\":\"p%d\",\"class\":\"line\",\"then\":[{\"percent_off\":%d,\"items\":{\"category\":[\"all\"]}}]}",
            i ? "," : "", i, 1 + i % 30);
    }
    add(t, "]}");
}

/* Deals that all want the same units, each of them once. */
static void
rivals(text_t *t)
{
    add_goods(t, LINES);
    add(t, ",\"promotions\":[");
    for (int i = 0; i < 200; i++) {
        add(t, "%s{\"id\":\"p%d\",\"class\":\"line\",\"stacking\":\"exclusive\",\"limits\":[{\"of\":\"uses\",\"max\":1}],\"then\":"
               "[{\"nth\":{\"items\":{\"category\":[\"all\"]},\"group\":%d,\"position\":2,\"percent_off\":%d}}]}",
            i ? "," : "", i, 2 + i % 3, 10 + i % 50);
    }
    add(t, "]}");
}

/* A hundred coupons, each of which opens a thousand promotions. */
static void
coupons(text_t *t)
{
    add_goods(t, LINES);
    add(t, ",\"promotions\":[");
    for (int i = 0; i < 1000; i++) {
        add(t, "%s{\"id\":\"p%d\",\"class\":\"line\",\"coupon\":true,\"then\":[{\"percent_off\":%d,\"items\":{\"sku\":[\"S1\"]}}]}",
            i ? "," : "", i, 1 + i % 30);
    }
    add(t, "],\"coupons\":[");
    for (int i = 0; i < COUPONS; i++) {
        add(t, "%s{\"code\":\"C%d\",\"promotions\":[", i ? "," : "", i);
        for (int k = 0; k < 1000; k++) {
            add(t, "%s\"p%d\"", k ? "," : "", k);
        }
        add(t, "]}");
    }
    add(t, "]}");
}

/* A hundred coupons for half of the goods, each of whose promotions has twenty effects, and
 * forty promotions for the other half, before the one that beats them. */
static void
beaten(text_t *t)
{
    add_goods(t, LINES);
    add(t, ",\"promotions\":[");
    for (int i = 0; i < 40; i++) {
        add(t, "{\"id\":\"a%d\",\"class\":\"line\",\"stacking\":\"exclusive\",\"then\":[{\"percent_off\":20,\"items\":"
               "{\"unit_price\":{\"max\":500}}}]},", i);
    }
    for (int i = 0; i < COUPONS; i++) {
        add(t, "{\"id\":\"p%d\",\"class\":\"line\",\"stacking\":\"exclusive\",\"coupon\":true,\"then\":[", i);
        for (int k = 0; k < 20; k++) {
            add(t, "%s{\"percent_off\":1,\"items\":{\"unit_price\":{\"min\":501}}}", k ? "," : "");
        }
        add(t, "]},");
    }
    add(t, "{\"id\":\"z\",\"class\":\"line\",\"stacking\":\"exclusive\",\"then\":[{\"percent_off\":90,\"items\":"
           "{\"unit_price\":{\"min\":501}}}]}],\"coupons\":[");
    for (int i = 0; i < COUPONS; i++) {
        add(t, "%s{\"code\":\"C%d\",\"promotions\":[\"p%d\"]}", i ? "," : "", i, i);
    }
    add(t, "]}");
}

/* Many units of which each may have one of many discounts. */
static void
alternatives(text_t *t)
{
    add_goods(t, DEEP);
    add(t, ",\"promotions\":[{\"id\":\"d\",\"class\":\"line\",\"then\":[{\"nth\":{\"items\":{},\"group\":3,\"position\":3,"
           "\"percent_off\":100}}]}");
    for (int i = 0; i < 120; i++) {
        add(t, ",{\"id\":\"p%d\",\"class\":\"line\",\"stacking\":\"exclusive\",\"then\":[{\"percent_off\":%d,\"items\":{}}]}",
            i, 1 + i % 40);
    }
    add(t, "]}");
}

/* Of each two conditions the first just holds and the second just does not. */
static void
facts(text_t *t)
{
    static const char *const asked[] = {
        "{\"items\":{\"category\":[\"all\"]},\"quantity\":{\"min\":10000}}", "{\"items\":{\"category\":[\"all\"]},\"quantity\":{\"min\":10001}}",
        "{\"items\":{\"unit_price\":{\"max\":100}},\"quantity\":{\"min\":11}}", "{\"items\":{\"unit_price\":{\"max\":100}},\"quantity\":{\"min\":12}}",
        "{\"items\":{\"unit_price\":{\"max\":100}},\"amount\":{\"min\":1100}}", "{\"items\":{\"unit_price\":{\"max\":100}},\"amount\":{\"min\":1101}}",
        "{\"distinct\":{\"unit_price\":{\"max\":100}},\"min\":11}", "{\"distinct\":{\"unit_price\":{\"max\":100}},\"min\":12}",
        "{\"line\":{\"unit_price\":{\"max\":100}},\"quantity\":{\"min\":1}}", "{\"line\":{\"unit_price\":{\"max\":100}},\"quantity\":{\"min\":2}}",
        "{\"items\":{\"sku\":[\"S9999\"]},\"quantity\":{\"min\":1}}", "{\"items\":{\"sku\":[\"S10000\"]},\"quantity\":{\"min\":1}}",
    };

    add_goods(t, LINES);
    add(t, ",\"promotions\":[");
    for (int i = 0; i < ASKED; i++) {
        add(t, "%s{\"id\":\"p%02d\",\"class\":\"line\",\"when\":%s,\"then\":[{\"percent_off\":1,\"items\":{\"sku\":[\"S%d\"]}}]}",
            i ? "," : "", i, asked[i], 5000 + i);
    }
    add(t, "]}");
}

typedef enum { MANY, ONE_PRODUCT, ONE_ITEM, WITH_COUPONS, FEW_DEEP } cart_t;

static void
cart(text_t *t, cart_t of)
{
    t->len = 0;
    add(t, "{\"store\":\"s\",\"at\":\"2026-06-20T12:00:00Z\",\"coupons\":[");
    for (int i = 0; of == WITH_COUPONS && i < COUPONS; i++) {
        add(t, "%s\"C%d\"", i ? "," : "", i);
    }
    add(t, "],\"lines\":[");
    for (int i = 0; i < (of == FEW_DEEP ? DEEP : LINES); i++) {
        add(t, "%s{\"id\":\"%d\",\"sku\":\"S%d\",\"quantity\":%d,\"attributes\":{\"a\":\"%d\"}}", i ? "," : "", i,
            of == ONE_PRODUCT || of == ONE_ITEM ? 0 : i, of == FEW_DEEP ? 400 : 1, of == ONE_ITEM ? 0 : i);
    }
    add(t, "]}");
}

/* ---- a quote ---- */

/* Milliseconds of processor time, the second time, when memory is there. */
static int64_t
quote(shop_t *s, pos_str_t text, size_t *used, pos_quote_stats_t *stats, pos_status_t *status)
{
    pos_quote_options_t options = { .book = s->book, .source = &s->source,
        .revision = pos_memory_book_revision(s->memory), .may_simulate = true, .pointer = pos_str("") };
    pos_arena_t        *arena = pos_arena_create(MB, 0);
    pos_faults_t        faults;
    pos_json_t         *request;
    pos_writer_t        w;
    uint64_t            from = 0;

    for (int turn = 0; turn < 2; turn++) {
        pos_arena_reset(arena);
        pos_faults_init(&faults, arena);
        from = tap_cpu_ns();
        *status = pos_json_read(s->reader, text, arena, &faults, &request);
        if (*status == POS_OK) {
            pos_writer_init(&w, arena, POS_QUOTE_ROOM, 64 * MB);
            *status = pos_quote(&options, request, arena, &faults, &w, stats);
        }
    }
    *used = pos_arena_used(arena);
    pos_arena_destroy(arena);
    return (int64_t) (tap_cpu_ns() - from) / 1000000;
}

/* `ms` is ten times what it takes, since machines differ. */
static void
test(const char *what, void (*book)(text_t *t), cart_t of, int64_t ms, size_t most)
{
    text_t       text = { malloc(TEXT), 0 };
    shop_t       s;
    pos_quote_stats_t stats;
    pos_status_t status;
    size_t       used;
    int64_t      took;

    book(&text);
    if (text.text == NULL || !ok(shop_make(&s, str_of(&text), MB, TEXT, 10000) == POS_OK, "%s", what)) {
        return;
    }
    cart(&text, of);
    took = quote(&s, str_of(&text), &used, &stats, &status);
    is_int(status, POS_OK, "%s: a quote", what);
    if (book == facts) {
        is_int(stats.applied, ASKED / 2, "%s: those apply whose conditions hold", what);
    }
    ok(took < ms, "%s: in %lld ms, under %lld", what, (long long) took, (long long) ms);
    ok(used < most, "%s: with %zu MB, under %zu", what, used / MB, most / MB);
    shop_close(&s);
    free(text.text);
}

/* Sanitizers take their time. */
#define SLOWLY(ms)  (POS_ARENA_GUARDED ? 50 * (ms) : (ms))

int
main(void)
{
    test("one product with 400 sales", sales, ONE_PRODUCT, POS_ARENA_GUARDED ? 10000 : 200, 48 * MB);
    test("a tax category for each line under ten floors", categories, MANY, POS_ARENA_GUARDED ? 20000 : 400, 96 * MB);
    test("one product by a thousand promotions of few units", classes, ONE_ITEM, POS_ARENA_GUARDED ? 60000 : 2000, 256 * MB);
    test("three promotions of a thousand conditions", conditions, MANY, SLOWLY(200), 32 * MB);
    test("conditions at their limits", facts, MANY, SLOWLY(200), 32 * MB);
    test("a promotion for each line", singles, MANY, SLOWLY(200), 56 * MB);
    test("a thousand promotions on every line", markdowns, MANY, SLOWLY(2000), 96 * MB);
    test("two hundred deals for the same units", rivals, MANY, SLOWLY(2000), 192 * MB);
    test("a hundred coupons for a thousand promotions", coupons, WITH_COUPONS, SLOWLY(200), 32 * MB);
    test("a hundred coupons for what another beats", beaten, WITH_COUPONS, SLOWLY(4000), 192 * MB);
    test("sixty lines of 400 units for 120 discounts", alternatives, FEW_DEEP, SLOWLY(500), 64 * MB);
    return tap_done();
}
