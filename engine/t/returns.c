/*
 * Returns and inputs when memory runs out: an error each time, never a crash, and
 * nothing is written; and the door by which a caller's own counters are read.
 * (What they come to is in returns.t and the cases.)
 */

#include "base/t/tap.h"
#include "engine/returns.h"

static const char book_text[] =
    "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\",\"timezone\":\"UTC\",\"returns\":\"reprice\"},"
    "\"stores\":[{\"code\":\"s\",\"tax_region\":\"R\"}],"
    "\"products\":[{\"sku\":\"A\",\"name\":\"A\",\"tax_category\":\"t\",\"fees\":[{\"code\":\"d\",\"amount\":5,"
    "\"tax_category\":\"t\"}]},{\"sku\":\"G\",\"name\":\"G\"}],"
    "\"price_lists\":[{\"code\":\"l\",\"currency\":\"GBP\",\"tax_included\":false}],"
    "\"prices\":[{\"sku\":\"A\",\"list\":\"l\",\"amount\":1000},{\"sku\":\"G\",\"list\":\"l\",\"amount\":300}],"
    "\"taxes\":[{\"region\":\"R\",\"category\":\"t\",\"code\":\"vat\",\"percent\":20}],"
    "\"promotions\":["
    "{\"id\":\"gift\",\"class\":\"line\",\"when\":{\"subtotal\":{\"min\":3000}},\"then\":[{\"gift\":{\"sku\":\"G\","
    "\"quantity\":1}}]},"
    "{\"id\":\"half\",\"class\":\"line\",\"limits\":[{\"max\":3,\"of\":\"uses\",\"per\":\"customer\",\"window\":\"week\"}],"
    "\"then\":[{\"buy\":[{\"items\":{},\"quantity\":1}],\"get\":[{\"items\":{},\"quantity\":1,\"percent_off\":50}]}]}]}";

static const char request_text[] =
    "{\"store\":\"s\",\"at\":\"2026-06-03T12:00:00Z\",\"customer\":{\"id\":\"c\"},"
    "\"lines\":[{\"id\":\"1\",\"sku\":\"A\",\"quantity\":4}],\"shipping\":{\"amount\":400}}";

static const char inputs_text[] =
    "{\"usage\":[{\"promotion\":\"half\",\"of\":\"uses\",\"per\":\"customer\",\"subject\":\"c\",\"window\":\"week\","
    "\"from\":\"2026-06-01\",\"used\":2}]}";

typedef struct {
    pos_json_reader_t  *reader;
    pos_arena_t        *arena;
    pos_memory_book_t  *memory;
    pos_book_source_t   source;
    pos_book_t         *book;
    pos_quote_options_t options;
} shop_t;

static pos_json_t *
parse(shop_t *s, pos_str_t text, pos_arena_t *arena)
{
    pos_faults_t faults;
    pos_json_t  *json = NULL;

    pos_faults_init(&faults, arena);
    return pos_json_read(s->reader, text, arena, &faults, &json) == POS_OK ? json : NULL;
}

static bool
open_shop(shop_t *s)
{
    pos_book_builder_t *builder;
    pos_faults_t        faults;
    pos_status_t        status;

    memset(s, 0, sizeof(*s));
    s->reader = pos_json_reader_create(1 << 20);
    s->arena = pos_arena_create(65536, 0);
    pos_faults_init(&faults, s->arena);
    status = pos_memory_book_create(parse(s, pos_str_z(book_text), s->arena), NULL, NULL, &faults,
        &s->memory);
    if (status != POS_OK) {
        return false;
    }
    pos_memory_book_source(s->memory, &s->source);
    if (pos_book_builder_create(&s->source, NULL, NULL, &builder) != POS_OK) {
        return false;
    }
    do {
        status = pos_book_builder_step(builder, 100, &s->book);
    } while (status == POS_AGAIN);
    pos_book_builder_destroy(builder);
    s->options = (pos_quote_options_t) { .book = s->book, .source = &s->source,
        .revision = pos_memory_book_revision(s->memory), .may_simulate = true, .may_customer = true,
        .may_shipping = true, .pointer = pos_str("") };
    return status == POS_OK;
}

static void
close_shop(shop_t *s)
{
    pos_book_release(s->book);
    pos_memory_book_destroy(s->memory);
    pos_arena_destroy(s->arena);
    pos_json_reader_destroy(s->reader);
}

/* ---- memory ---- */

static pos_status_t
quote_with_inputs(shop_t *s, pos_arena_t *arena, pos_str_t *out)
{
    pos_quote_options_t options = s->options;
    pos_inputs_t        inputs;
    pos_faults_t        faults;
    pos_writer_t        w;
    pos_status_t        status;
    const pos_json_t   *given = parse(s, pos_str_z(inputs_text), s->arena);
    const pos_json_t   *request = parse(s, pos_str_z(request_text), s->arena);

    pos_faults_init(&faults, arena);
    pos_writer_init(&w, arena, 16, 1 << 20);
    status = pos_inputs_read(given, pos_str("/inputs"), arena, &faults, &inputs);
    options.inputs = &inputs;
    options.for_order = true;
    if (status == POS_OK) {
        status = pos_quote(&options, request, arena, &faults, &w, NULL);
    }
    *out = status == POS_OK ? pos_arena_str(s->arena, pos_writer_result(&w)) : pos_str("");
    return status;
}

static pos_status_t
give_back(shop_t *s, const pos_json_t *document, pos_arena_t *arena, int64_t *refund)
{
    pos_return_options_t options = { &s->options, &s->options, s->reader };
    pos_faults_t         faults;
    pos_writer_t         w;
    pos_status_t         status;

    pos_faults_init(&faults, arena);
    pos_writer_init(&w, arena, 16, 1 << 20);
    status = pos_return(&options, document, arena, &faults, &w);
    *refund = -1;
    if (status == POS_OK) {
        (void) pos_json_int64(pos_json_get(parse(s, pos_writer_result(&w), s->arena), "refund"), refund);
    }
    return status;
}

static const pos_json_t *
return_document(shop_t *s, pos_str_t quote)
{
    return parse(s, pos_arena_printf(s->arena,
        "{\"quote\":%.*s,\"request\":%s,\"lines\":[{\"line\":0,\"quantity\":2}],"
        "\"sale\":%s,\"inputs\":%s}", (int) quote.len, quote.data, request_text, request_text,
        inputs_text), s->arena);
}

static void
test_memory(void)
{
    shop_t            s;
    pos_arena_t      *arena;
    pos_str_t         quote = pos_str(""), again;
    pos_status_t      status;
    int64_t           refund;
    uint32_t          failed = 0, wrong = 0;
    const pos_json_t *document;

    ok(open_shop(&s), "a shop with a gift, fees, tax and a limit");
    arena = pos_arena_create(65536, 0);
    is_int(quote_with_inputs(&s, arena, &quote), POS_OK, "an order by its inputs");
    document = return_document(&s, quote);
    is_int(give_back(&s, document, arena, &refund), POS_OK, "two of its four units come back");
    /* Four are 4000 - 500 for the one use that was left, and 20 of fees; two are 2000 -
     * 500 and 10, and the gift is kept and dear: 300. */
    is_int(refund, (3500 - 1500) * 12 / 10 + 12 - 300, "for the difference, less the gift");
    pos_arena_destroy(arena);

    /* Small blocks: nearly every allocation is one. */
    for (int what = 0; what < 2; what++) {
        for (uint64_t nth = 1; nth < 3000; nth++) {
            arena = pos_arena_create(64, 0);
            pos_arena_fail_nth(nth);
            status = what ? give_back(&s, document, arena, &refund) : quote_with_inputs(&s, arena, &again);
            pos_arena_fail_nth(0);
            pos_arena_destroy(arena);
            failed += status == POS_NO_MEMORY;
            wrong += status != POS_OK && status != POS_NO_MEMORY;
            if (status == POS_OK) {
                break;
            }
        }
        is_int(status, POS_OK, "%s in the end", what ? "a return" : "a quote");
    }
    ok(failed > 100 && wrong == 0, "after failing at each of %u allocations for want of memory", failed);
    close_shop(&s);
}

/* ---- a caller's own counters ---- */

typedef struct {
    uint32_t        asked;
    pos_usage_key_t key;
    pos_status_t    answer;
} counters_t;

static pos_status_t
count(void *ctx, const pos_usage_key_t *key, int64_t *used)
{
    counters_t *c = ctx;

    c->asked++;
    c->key = *key;
    *used = 3;
    return c->answer;
}

static void
test_door(void)
{
    shop_t              s;
    counters_t          counters = { .answer = POS_OK };
    pos_inputs_t        inputs = { .ctx = &counters, .usage = count };
    pos_quote_options_t options;
    pos_quote_stats_t   stats;
    pos_faults_t        faults;
    pos_writer_t        w;
    const pos_json_t   *request;

    ok(open_shop(&s), "the shop again");
    request = parse(&s, pos_str_z(request_text), s.arena);
    options = s.options;
    options.inputs = &inputs;
    pos_faults_init(&faults, s.arena);
    pos_writer_init(&w, s.arena, 4096, 1 << 20);
    is_int(pos_quote(&options, request, s.arena, &faults, &w, &stats), POS_OK, "a quote by counters of the caller's");
    is_int(counters.asked, 1, "each counter is asked once");
    is_str(counters.key.promotion, "half", "by promotion");
    is_str(counters.key.subject, "c", "and customer");
    is_int(counters.key.from, 20605, "from the Monday of that week on");
    is_int(stats.applied, 1, "three of three are used: only the gift is left");
    counters.answer = POS_BROKEN;
    pos_writer_init(&w, s.arena, 4096, 1 << 20);
    is_int(pos_quote(&options, request, s.arena, &faults, &w, &stats), POS_BROKEN, "a counter that cannot be read is no zero");
    close_shop(&s);
}

int
main(void)
{
    test_memory();
    test_door();
    return tap_done();
}
