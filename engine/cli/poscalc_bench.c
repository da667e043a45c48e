/*
 * What a quote costs: of requests given, or as a table over books and carts made
 * here, in which everything that a usual shop has is there.
 */

/* For sched_setaffinity(). */
#define _GNU_SOURCE

#include "engine/cli/poscalc.h"

#include <inttypes.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>


/* ---- requests given ---- */

/* -1 where the kernel does not count them. */
static int
open_counter(void)
{
    struct perf_event_attr attr;

    memset(&attr, 0, sizeof(attr));
    attr.type = PERF_TYPE_HARDWARE;
    attr.size = sizeof(attr);
    attr.config = PERF_COUNT_HW_INSTRUCTIONS;
    attr.exclude_kernel = 1;
    attr.exclude_hv = 1;
    return (int) syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}


static uint64_t
counted(int fd)
{
    uint64_t n = 0;

    return fd >= 0 && read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}


static double
seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}


static int
by_value(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}


static pos_str_t *
read_requests(size_t *count)
{
    pos_str_t  line, *lines = NULL;
    char      *data = NULL;
    size_t     room = 0, n = 0;

    while (pos_calc_next_line(&data, &room, &line)) {
        char *copy = malloc(line.len);

        lines = realloc(lines, (n + 1) * sizeof(*lines));
        if (lines == NULL || copy == NULL) {
            pos_calc_die(1, "out of memory", "");
        }
        memcpy(copy, line.data, line.len);
        lines[n++] = pos_str_of(copy, line.len);
    }
    free(data);
    *count = n;
    return lines;
}


void
pos_calc_stats(pos_calc_t *calc)
{
    size_t     count;
    pos_str_t *lines = read_requests(&count);
    bool       is_quote;

    for (size_t i = 0; i < count; i++) {
        double start;

        (void) pos_calc_answer(calc, lines[i], &is_quote);
        start = seconds();
        (void) pos_calc_answer(calc, lines[i], &is_quote);
        start = (seconds() - start) * 1e6;
        printf("{\"quote\":%s,\"optimal\":%s,\"lines\":%u,\"candidates\":%u,\"nodes\":%" PRIu64
               ",\"work\":%" PRIu64 ",\"explain_work\":%" PRIu64 ",\"us\":%.0f,\"total\":%" PRId64 "}\n",
            is_quote ? "true" : "false", calc->stats.optimal ? "true" : "false", calc->stats.lines,
            calc->stats.candidates, calc->stats.nodes, calc->stats.work, calc->stats.explain_work, start, calc->stats.total);
    }
}


void
pos_calc_bench(pos_calc_t *calc)
{
    size_t     count, bytes = 0, quotes = 0;
    pos_str_t *lines = read_requests(&count);
    long       rounds = calc->options.bench;
    double    *times = calloc((size_t) rounds, sizeof(*times));
    int        counter = open_counter();
    uint64_t   instructions;
    bool       is_quote;

    if (count == 0 || times == NULL) {
        pos_calc_die(2, "--bench needs requests", "");
    }
    for (long r = 0; r < rounds / 10 + 1; r++) {
        for (size_t i = 0; i < count; i++) {
            (void) pos_calc_answer(calc, lines[i], &is_quote);
        }
    }
    instructions = counted(counter);
    for (long r = 0; r < rounds; r++) {
        double start = seconds();

        for (size_t i = 0; i < count; i++) {
            bytes += pos_calc_answer(calc, lines[i], &is_quote).len;
            quotes += is_quote;
        }
        times[r] = (seconds() - start) * 1e6 / (double) count;
    }
    instructions = counted(counter) - instructions;
    qsort(times, (size_t) rounds, sizeof(*times), by_value);
    printf("{\"requests\":%zu,\"rounds\":%ld,\"quotes\":%zu,\"median_us\":%.2f,"
           "\"best_us\":%.2f,\"p99_us\":%.2f,\"instructions\":%.0f,"
           "\"answer_bytes\":%zu,\"arena_bytes\":%zu}\n",
        count, rounds, quotes / (size_t) rounds, times[rounds / 2], times[0],
        times[rounds * 99 / 100],
        (double) instructions / (double) rounds / (double) count,
        bytes / (size_t) rounds / count, pos_arena_held(calc->quote));
    free(times);
}


/* ---- the table ---- */

#define GOODS       1200           /* the first of them are in carts           */
#define IN_CARTS    1000
#define KINDS       5
#define ROUNDS      15
#define ROUND_US    8000.0

typedef struct {
    char  *data;
    size_t len, room;
} text_t;

static void add(text_t *t, const char *format, ...) POS_PRINTF(2, 3);

static void
add(text_t *t, const char *format, ...)
{
    va_list args;
    int     n;

    if (t->room - t->len < 1024) {
        t->room = t->room ? t->room * 2 : 65536;
        t->data = realloc(t->data, t->room);
        if (t->data == NULL) {
            pos_calc_die(1, "out of memory", "");
        }
    }
    va_start(args, format);
    n = vsnprintf(t->data + t->len, t->room - t->len, format, args);
    va_end(args);
    t->len += n > 0 ? (size_t) n : 0;
}


/* Each touches a cart that holds three of the first product: a markdown, an order
 * discount, tiers, a brand's markdown and, once, a buy-get. */
static void
add_applicable(text_t *t, int i)
{
    static const char *const effects[KINDS] = {
        "\"class\":\"line\",\"then\":[{\"percent_off\":5,\"items\":{\"sku\":[\"S1\",\"S2\"]}}]",
        "\"class\":\"order\",\"when\":{\"subtotal\":{\"min\":100}},\"then\":[{\"amount_off\":100}]",
        "\"class\":\"line\",\"then\":[{\"tiers\":[{\"quantity\":2,\"percent_off\":3},"
        "{\"quantity\":5,\"percent_off\":6}],\"items\":{\"sku\":[\"S1\",\"S3\"]}}]",
        "\"class\":\"line\",\"then\":[{\"percent_off\":2,\"items\":{\"brand\":[\"b1\"]}}]",
        "\"class\":\"line\",\"then\":[{\"buy\":[{\"items\":{\"sku\":[\"S1\"]},\"quantity\":2}],"
        "\"get\":[{\"items\":{\"sku\":[\"S1\"]},\"quantity\":1,\"percent_off\":50}]}]",
    };
    int kind = i >= KINDS && i % KINDS == KINDS - 1 ? 0 : i % KINDS;

    add(t, "{\"id\":\"p%d\",\"name\":\"Promotion %d\",%s},", i, i, effects[kind]);
}


static void
add_other(text_t *t, int i)
{
    add(t, "{\"id\":\"o%d\",\"name\":\"Other %d\",\"class\":\"line\",\"then\":[{\"percent_off\":%d,"
           "\"items\":{\"sku\":[\"S%d\"]}}]},", i, i, 5 + i % 20, IN_CARTS + 1 + i % (GOODS - IN_CARTS));
}


static text_t
make_book(int live, int applicable)
{
    text_t t = { NULL, 0, 0 };

    add(&t, "{\"retailer\":{\"code\":\"bench\",\"currency\":\"GBP\",\"timezone\":\"UTC\",\"points_per\":100},"
            "\"stores\":[{\"code\":\"london\",\"tax_region\":\"GB\"}],\"categories\":[{\"code\":\"all\"}");
    for (int i = 0; i < 10; i++) {
        add(&t, ",{\"code\":\"cat%d\",\"parent\":\"all\"}", i);
    }
    add(&t, "],\"price_lists\":[{\"code\":\"base\",\"currency\":\"GBP\",\"tax_included\":true}],"
            "\"taxes\":[{\"region\":\"GB\",\"category\":\"standard\",\"code\":\"vat\",\"percent\":20}],"
            "\"products\":[");
    for (int i = 1; i <= GOODS; i++) {
        add(&t, "%s{\"sku\":\"S%d\",\"name\":\"Product %d\",\"categories\":[\"cat%d\"],\"brand\":\"b%d\","
                "\"tax_category\":\"standard\",\"attributes\":{\"colour\":\"red\"}}", i > 1 ? "," : "", i, i,
            i % 10, i % 50);
    }
    add(&t, "],\"prices\":[");
    for (int i = 1; i <= GOODS; i++) {
        add(&t, "%s{\"sku\":\"S%d\",\"list\":\"base\",\"amount\":%d}", i > 1 ? "," : "", i, 500 + i * 37 % 4000);
    }
    add(&t, "],\"promotions\":[");
    for (int i = 0; i < applicable; i++) {
        add_applicable(&t, i);
    }
    for (int i = applicable; i < live; i++) {
        add_other(&t, i);
    }
    t.len -= live > 0;    /* the last comma */
    add(&t, "]}");
    return t;
}


static text_t
make_cart(int lines)
{
    text_t t = { NULL, 0, 0 };

    add(&t, "{\"currency\":\"GBP\",\"store\":\"london\",\"channel\":\"web\",\"at\":\"2026-03-02T12:00:00Z\",\"lines\":[");
    for (int i = 1; i <= lines; i++) {
        add(&t, "%s{\"id\":\"%d\",\"sku\":\"S%d\",\"quantity\":%d}", i > 1 ? "," : "", i, i, i == 1 ? 3 : 1 + i % 2);
    }
    add(&t, "]}");
    return t;
}


/* Of this thread alone: what else runs on the machine costs it little. */
static double
own_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double) t.tv_sec * 1e6 + (double) t.tv_nsec / 1e3;
}


/* The median of some rounds, µs a quote. */
static double
cost_of(pos_calc_t *calc, pos_str_t cart)
{
    double times[ROUNDS], start = own_us(), once;
    bool   is_quote = true;
    long   n;

    for (n = 0; n < 20 || own_us() - start < ROUND_US; n++) {
        (void) pos_calc_answer(calc, cart, &is_quote);
        if (!is_quote) {
            pos_calc_die(1, "a cart of its own is refused", "");
        }
    }
    once = (own_us() - start) / (double) n;
    n = (long) (ROUND_US / once) + 1;
    for (int r = 0; r < ROUNDS; r++) {
        start = own_us();
        for (long k = 0; k < n; k++) {
            (void) pos_calc_answer(calc, cart, &is_quote);
        }
        times[r] = (own_us() - start) / (double) n;
    }
    qsort(times, ROUNDS, sizeof(*times), by_value);
    return times[ROUNDS / 2];
}


static void
table_rows(pos_calc_t *calc, int live, int applicable)
{
    static const int lines[] = { 1, 10, 50, 200, 1000 };
    text_t           book = make_book(live, applicable);

    pos_calc_load(calc, pos_str_of(book.data, book.len));
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        text_t cart = make_cart(lines[i]);
        double us = cost_of(calc, pos_str_of(cart.data, cart.len));

        printf("| %d | %d | %d | %.1f | %.0f |\n", lines[i], live, applicable, us, us * 1000 / lines[i]);
        fflush(stdout);
        free(cart.data);
    }
    pos_calc_unload(calc);
    free(book.data);
}


void
pos_calc_bench_table(pos_calc_t *calc)
{
    static const int lives[] = { 0, 10, 100, 1000, 10000 };
    static const int applicables[] = { 0, 5, 20 };
    cpu_set_t        core;

    /* Where it is already, and there alone. */
    CPU_ZERO(&core);
    CPU_SET(sched_getcpu(), &core);
    (void) sched_setaffinity(0, sizeof(core), &core);
    printf("| lines | live promotions | applicable | µs a quote | ns a line |\n"
           "| ---: | ---: | ---: | ---: | ---: |\n");
    for (size_t l = 0; l < sizeof(lives) / sizeof(lives[0]); l++) {
        for (size_t a = 0; a < sizeof(applicables) / sizeof(applicables[0]); a++) {
            if (applicables[a] <= lives[l]) {
                table_rows(calc, lives[l], applicables[a]);
            }
        }
    }
}
