/*
 * A quote's memory: its arena and nothing else. Once warm, no quote asks the process
 * for any, scripts included, and a usual cart's arena is small.
 */

#include "engine/t/shop.h"

/* ---- malloc, counted ---- */

#if POS_ARENA_GUARDED
#define COUNTED  false    /* the sanitizer's own malloc stands there */
static uint64_t calls;
#else
#define COUNTED  true
static uint64_t calls;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

void *
malloc(size_t size)
{
    calls++;
    return __libc_malloc(size);
}

void *
calloc(size_t count, size_t size)
{
    calls++;
    return __libc_calloc(count, size);
}

void *
realloc(void *block, size_t size)
{
    calls++;
    return __libc_realloc(block, size);
}
#endif

/* ---- a shop ---- */

#define GOODS     200
#define TEXT_MAX  (256u << 10)

static pos_arena_t *arena;    /* of quotes */

static const char promotions[] =
    "{\"id\":\"markdown\",\"class\":\"line\",\"then\":[{\"percent_off\":10,\"items\":{\"sku\":[\"S1\",\"S2\"]}}]},"
    "{\"id\":\"buy-get\",\"class\":\"line\",\"then\":[{\"buy\":[{\"items\":{\"sku\":[\"S3\"]},\"quantity\":2}],"
    "\"get\":[{\"items\":{\"sku\":[\"S3\"]},\"quantity\":1,\"percent_off\":100}]}]},"
    "{\"id\":\"bundle\",\"class\":\"line\",\"then\":[{\"bundle\":[{\"items\":{\"sku\":[\"S4\"]},\"quantity\":1},"
    "{\"items\":{\"sku\":[\"S5\"]},\"quantity\":1}],\"price\":900}]},"
    "{\"id\":\"lua\",\"script\":\"return promotion { id = 'lua', name = 'By Lua', class = 'line',\\n"
    "apply = function(cart)\\n"
    "local sel = cart:items { sku = { 'S6' } }\\n"
    "local n = 0\\n"
    "for line in cart:items { category = { 'all' } }:each() do n = n + line.quantity end\\n"
    "sel:percent_off(n >= 3 and 25 or 15, 'By Lua ' .. n)\\nend }\"},"
    "{\"id\":\"order\",\"class\":\"order\",\"when\":{\"subtotal\":{\"min\":3000}},\"then\":[{\"amount_off\":500}]}";

static size_t
append(char *text, size_t at, const char *format, ...) POS_PRINTF(3, 4);

static size_t
append(char *text, size_t at, const char *format, ...)
{
    va_list args;
    int     n;

    va_start(args, format);
    n = vsnprintf(text + at, TEXT_MAX - at, format, args);
    va_end(args);
    return n < 0 || at + (size_t) n >= TEXT_MAX ? TEXT_MAX - 1 : at + (size_t) n;
}

static pos_str_t
book_text(char *text)
{
    size_t n = append(text, 0,
        "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\",\"points_per\":100},"
        "\"stores\":[{\"code\":\"london\",\"tax_region\":\"GB\"}],\"categories\":[{\"code\":\"all\"}],"
        "\"price_lists\":[{\"code\":\"base\",\"currency\":\"GBP\",\"tax_included\":true}],"
        "\"taxes\":[{\"region\":\"GB\",\"category\":\"standard\",\"code\":\"vat\",\"percent\":20}],"
        "\"products\":[");

    for (int i = 1; i <= GOODS; i++) {
        n = append(text, n, "%s{\"sku\":\"S%d\",\"name\":\"Product %d\",\"categories\":[\"all\"],"
                            "\"tax_category\":\"standard\",\"attributes\":{\"colour\":\"red\"}}",
            i > 1 ? "," : "", i, i);
    }
    n = append(text, n, "],\"prices\":[");
    for (int i = 1; i <= GOODS; i++) {
        n = append(text, n, "%s{\"sku\":\"S%d\",\"list\":\"base\",\"amount\":%d}", i > 1 ? "," : "", i,
            500 + i * 37 % 4000);
    }
    return pos_str_of(text, append(text, n, "],\"promotions\":[%s]}", promotions));
}

static pos_str_t
cart_text(char *text, int lines)
{
    size_t n = append(text, 0, "{\"currency\":\"GBP\",\"store\":\"london\",\"channel\":\"web\","
                               "\"at\":\"2026-03-02T12:00:00Z\",\"lines\":[");

    for (int i = 1; i <= lines; i++) {
        n = append(text, n, "%s{\"id\":\"%d\",\"sku\":\"S%d\",\"quantity\":%d}", i > 1 ? "," : "", i, i,
            i == 3 ? 3 : 1 + i % 2);
    }
    return pos_str_of(text, append(text, n, "]}"));
}

/* The promotions used; -1: no quote. */
static int
quote(shop_t *s, pos_str_t text)
{
    pos_quote_options_t options = { .book = s->book, .source = &s->source, .vm = s->vm,
        .revision = pos_memory_book_revision(s->memory), .may_simulate = true, .spent = true };
    pos_quote_stats_t   stats;
    pos_faults_t        faults;
    pos_json_t         *request;
    pos_writer_t        w;

    pos_arena_reset(arena);
    pos_faults_init(&faults, arena);
    pos_writer_init(&w, arena, POS_QUOTE_ROOM, 1u << 20);
    if (pos_json_read(s->reader, text, arena, &faults, &request) != POS_OK
        || pos_quote(&options, request, arena, &faults, &w, &stats) != POS_OK)
    {
        return -1;
    }
    return (int) stats.applied;
}

/* ---- what holds ---- */

static void
asks_for_nothing(shop_t *s, int lines)
{
    static char text[TEXT_MAX];
    pos_str_t   cart = cart_text(text, lines);
    size_t      held;
    uint64_t    before;
    int         least = 5;

    for (int i = 0; i < 1000; i++) {
        int used = quote(s, cart);

        least = used < least ? used : least;
    }
    held = pos_arena_held(arena);
    before = calls;
    for (int i = 0; i < 1000; i++) {
        int used = quote(s, cart);

        least = used < least ? used : least;
    }
    is_int(least, 5, "%d lines: each of two thousand quotes uses all five promotions", lines);
    is_int(calls - before, 0, "%d lines: the second thousand asks the process for no memory", lines);
    is_int(pos_arena_held(arena), held, "%d lines: and the arena stays as large as it was", lines);
}

int
main(void)
{
    static char text[TEXT_MAX];
    shop_t      shop = { 0 };
    void *volatile probe;
    size_t      most = POS_ARENA_GUARDED ? 80 : 64;
    uint64_t    before = calls;

    probe = malloc(1);
    free(probe);
    ok(!COUNTED || calls == before + 1, "calls of malloc are counted");
    arena = pos_arena_create(65536, 0);
    if (!ok(shop_make(&shop, book_text(text), 65536, TEXT_MAX, 1000) == POS_OK, "a shop with five promotions, one in Lua")) {
        return tap_done();
    }
    asks_for_nothing(&shop, 10);
    asks_for_nothing(&shop, 50);
    /* Guarded, the tree of the request is not cut anew. */
    ok(pos_arena_used(arena) < most << 10, "a cart of 50 lines takes %zu bytes of arena: under %zu KB",
        pos_arena_used(arena), most);
    asks_for_nothing(&shop, 200);
    shop_close(&shop);
    pos_arena_destroy(arena);
    return tap_done();
}
