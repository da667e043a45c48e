/*
 * A worker builds its next book between requests, a step at a time: no step may
 * grow with the book, or a large one would hold requests up. Each step's cost is
 * the least of several builds, in processor time, so that what else the machine
 * does stays out of it; and books are held against each other, not against a
 * clock.
 */

#include "base/t/tap.h"
#include "base/json_write.h"
#include "engine/cart.h"


#define SMALL    2500
#define LARGE    20000
#define OTHERS   400      /* stores, categories, taxes, lists: they stay as many */
#define REPEATS  7
#define ROWS     20
#define STEPS    60000
#define SMALL_NS (500 * 1000)    /* a step of the allocator's own making, once in a build */

typedef struct {
    pos_arena_t       *arena;
    pos_memory_book_t *memory;
    pos_book_source_t  source;
} shop_t;

typedef enum { BY_STORE, ALL_ALIKE, BY_SKU } filing_t;

static int64_t cost[STEPS];


static void
put(pos_writer_t *w, const char *format, ...)
{
    char    text[500];
    va_list args;
    int     n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    pos_write_bytes(w, pos_str_of(text, (size_t) n));
}


static pos_str_t
book_text(pos_arena_t *arena, uint32_t count, filing_t filing)
{
    pos_writer_t w;
    uint32_t     i;

    pos_writer_init(&w, arena, 1 << 20, 1 << 28);
    put(&w, "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\"},\"stores\":[");
    for (i = 0; i < OTHERS; i++) {
        put(&w, "%s{\"code\":\"s%u\",\"tax_region\":\"g%u\"}", i ? "," : "", i, i);
    }
    put(&w, "],\"categories\":[");
    for (i = 0; i < OTHERS; i++) {
        put(&w, "%s{\"code\":\"c%u\"", i ? "," : "", i);
        if (i > 0) {
            put(&w, ",\"parent\":\"c%u\"", i / 2);
        }
        put(&w, "}");
    }
    put(&w, "],\"taxes\":[");
    for (i = 0; i < OTHERS; i++) {
        put(&w, "%s{\"region\":\"g%u\",\"category\":\"t\",\"code\":\"v\",\"percent\":%u}", i ? "," : "",
            i * 7919 % OTHERS, i % 20);
    }
    put(&w, "],\"price_lists\":[");
    for (i = 0; i < OTHERS; i++) {
        put(&w, "%s{\"code\":\"l%u\",\"currency\":\"GBP\",\"tax_included\":true,\"priority\":%u}", i ? "," : "",
            i, i * 7919 % 101);
    }
    put(&w, "],\"promotions\":[");
    for (i = 0; i < count; i++) {
        put(&w, "%s{\"id\":\"p%06u\",\"class\":\"line\",\"priority\":%u,", i ? "," : "", i, i * 7919 % 53);
        if (filing == BY_STORE) {
            put(&w, "\"when\":{\"all\":[{\"store\":[\"s%u\"]},{\"subtotal\":{\"min\":%u}}]},", i % OTHERS, i * 10);
        }
        put(&w, "\"then\":[{\"percent_off\":%u.5%s%s%u%s}]}", i % 90,
            filing == BY_SKU ? ",\"items\":{\"sku\":[\"" : ",\"max_amount\":", filing == BY_SKU ? "k" : "",
            i + 1, filing == BY_SKU ? "\"]}" : "");
    }
    put(&w, "]}");
    return pos_writer_result(&w);
}


static bool
open_shop(shop_t *s, uint32_t count, filing_t filing)
{
    pos_json_reader_t *reader = pos_json_reader_create(64u << 20);
    pos_faults_t       faults;
    pos_json_t        *json = NULL;
    pos_status_t       status;

    s->arena = pos_arena_create(65536, 0);
    s->memory = NULL;
    pos_faults_init(&faults, s->arena);
    status = pos_json_read(reader, book_text(s->arena, count, filing), s->arena, &faults, &json);
    if (status == POS_OK) {
        status = pos_memory_book_create(json, NULL, NULL, &faults, &s->memory);
    }
    if (status != POS_OK) {
        printf("# %s\n", faults.first ? faults.first->message.data : "no memory");
    } else {
        pos_memory_book_source(s->memory, &s->source);
    }
    pos_json_reader_destroy(reader);
    return status == POS_OK;
}


static void
note(uint32_t step, int64_t took, bool first)
{
    if (step < STEPS && (first || took < cost[step])) {
        cost[step] = took;
    }
}


/* Builds and lets go again; how many steps each took. */
static uint32_t
build(const pos_book_source_t *source, const pos_book_t *before, bool first, pos_book_t **out)
{
    pos_book_builder_t *b = NULL;
    pos_status_t        status = pos_book_builder_create(source, before, NULL, &b);
    uint32_t            steps = 0;

    *out = NULL;
    while (status == POS_OK && *out == NULL) {
        int64_t start = tap_cpu_ns();

        status = pos_book_builder_step(b, ROWS, out);
        note(steps++, tap_cpu_ns() - start, first);
        status = status == POS_AGAIN ? POS_OK : status;
    }
    pos_book_builder_destroy(b);
    return steps;
}


/* One promotion's change; the book before is there twice, so that none is let go here. */
static uint32_t
follow(const pos_book_t *before, bool first)
{
    pos_book_change_t change = { pos_str("p000777"),
        pos_str("{\"id\":\"p000777\",\"class\":\"line\",\"priority\":3,\"then\":[{\"percent_off\":1,\"items\":{\"sku\":[\"k778\"]}}]}") };
    pos_book_builder_t *b = NULL;
    pos_book_t         *book = NULL;
    pos_status_t        status = pos_book_builder_follow(before, NULL, &change, 1, &b);
    uint32_t            steps = 0;

    while (status == POS_OK && book == NULL) {
        int64_t start = tap_cpu_ns();

        status = pos_book_builder_step(b, ROWS, &book);
        note(steps++, tap_cpu_ns() - start, first);
        status = status == POS_AGAIN ? POS_OK : status;
    }
    pos_book_builder_destroy(b);
    pos_book_release(book);
    return book != NULL ? steps : 0;
}


static uint32_t
let_go(pos_book_t *book, bool first)
{
    uint32_t steps = 0;
    bool     done = false;

    while (!done) {
        int64_t start = tap_cpu_ns();

        done = pos_book_release_some(book, ROWS);
        note(steps++, tap_cpu_ns() - start, first);
    }
    return steps;
}


static int64_t
sum_of(uint32_t steps)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < steps && i < STEPS; i++) {
        sum += cost[i];
    }
    return sum;
}


static int64_t
worst_of(uint32_t steps, const char *what, uint32_t count)
{
    int64_t  worst = 0, sum = sum_of(steps);
    uint32_t at = 0;

    for (uint32_t i = 0; i < steps && i < STEPS; i++) {
        if (cost[i] > worst) {
            worst = cost[i];
            at = i;
        }
    }
    printf("# %s, %u: %u steps, %lld us in all, the longest %lld us (the %u.)\n", what, count, steps,
        (long long) sum / 1000, (long long) worst / 1000, at + 1);
    return worst;
}


typedef struct {
    int64_t compile, take_over, follow, release;
    int64_t all_taken_over, all_followed;
} worst_t;


static worst_t
measure(uint32_t count, filing_t filing)
{
    shop_t      s;
    pos_book_t *book = NULL, *next;
    worst_t     worst = { 0 };
    uint32_t    steps = 0;

    if (!ok(open_shop(&s, count, filing), "a book of %u", count)) {
        exit(tap_done());
    }
    for (int i = 0; i < REPEATS; i++) {
        pos_book_release(book);
        steps = build(&s.source, NULL, i == 0, &book);
    }
    is_int(book ? pos_book_promotions(book) : 0, count, "is built");
    worst.compile = worst_of(steps, "compiled", count);
    for (int i = 0; i < REPEATS; i++) {
        steps = build(&s.source, book, i == 0, &next);
        pos_book_release(next);
    }
    worst.take_over = worst_of(steps, "taken over", count);
    worst.all_taken_over = sum_of(steps);
    for (int i = 0; i < REPEATS; i++) {
        steps = follow(book, i == 0);
    }
    ok(steps > 0, "is followed");
    worst.follow = worst_of(steps, "followed", count);
    worst.all_followed = sum_of(steps);
    pos_book_release(book);
    for (int i = 0; i < REPEATS; i++) {
        (void) build(&s.source, NULL, false, &book);
        steps = let_go(book, i == 0);
    }
    worst.release = worst_of(steps, "let go", count);
    pos_memory_book_destroy(s.memory);
    pos_arena_destroy(s.arena);
    return worst;
}


static bool
within(int64_t large, int64_t small)
{
    return large < 3 * small || large < SMALL_NS;
}


/* Eight times the book: a step that goes over all of it would take eight times as
 * long, or more where it sorts. */
static void
compare(filing_t filing, const char *what)
{
    worst_t small = measure(SMALL, filing), large = measure(LARGE, filing);

    ok(within(large.compile, small.compile), "%s: the longest step of compiling does not grow", what);
    ok(within(large.take_over, small.take_over), "%s: nor that of taking over", what);
    ok(within(large.follow, small.follow), "%s: nor that of following by one change", what);
    ok(large.all_followed * 8 < large.all_taken_over, "%s: which is a small part of it", what);
    ok(within(large.release, small.release), "%s: nor that of letting go", what);
}


int
main(void)
{
    compare(BY_STORE, "filed under stores");
    compare(BY_SKU, "filed under SKUs");
    compare(ALL_ALIKE, "filed all alike");
    return tap_done();
}
