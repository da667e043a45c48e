/*
 * The engine alone: a book from a file, requests from standard input, one a
 * line, and for each one line out: a quote or a problem (RFC 9457).
 *
 *   poscalc --book BOOK.json [--explain] < REQUESTS.ndjson
 *   poscalc --book BOOK.json --bench N < REQUESTS.ndjson
 *   poscalc --book BOOK.json --stats < REQUESTS.ndjson
 *   poscalc --book BOOK.json --check
 *   poscalc --batch < BATCH.ndjson
 *
 * A batch brings its books along, one a line with the requests to it:
 * {"book": BOOK, "requests": [REQUEST, ...]}. Each request has its line out, the
 * book's problem where the book is at fault.
 *
 * --budget N gives the solver N steps (docs/solver.md); --stats says of each
 * quote what the solver did instead of the quote.
 *
 * A request without `at` is priced as of now, or of --at. Exit code 0: every
 * line was answered; 1: the book is at fault (its problem is the one line on
 * standard output); 2: wrong use.
 */

#include "engine/book.h"
#include "engine/quote.h"
#include "engine/script.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ZONE_DIR      "/usr/share/zoneinfo"
#define ZONE_MAX      (256 * 1024)
#define BOOK_MAX      (UINT32_MAX - 64)
#define REQUEST_MAX   (64u << 20)
#define ANSWER_MAX    (1u << 30)
#define SOLVER_STEPS  1500000    /* some 20 ms */
#define QUOTE_BLOCK   (256 * 1024)

typedef struct {
    const char *book;
    const char *zone_dir;
    bool        explain, check, batch, stats;
    uint64_t    budget;           /* the solver's steps; 0: as ever          */
    long        bench;            /* rounds; 0: none                         */
    int64_t     now;              /* µs                                      */
} options_t;

typedef struct {
    options_t          options;
    pos_arena_t       *arena;     /* as long as the program                  */
    pos_arena_t       *quote;     /* one answer                              */
    pos_json_reader_t *reader;
    pos_memory_book_t *memory;
    pos_book_source_t  source;
    pos_script_vm_t   *vm;
    pos_book_t        *book;
} calc_t;


static void
die(int code, const char *what, const char *detail)
{
    fprintf(stderr, "poscalc: %s%s%s\n", what, *detail ? ": " : "", detail);
    exit(code);
}


/* ---- files ---- */

static pos_str_t
read_stream(FILE *f, size_t max)
{
    size_t room = 65536, used = 0;
    char  *data = malloc(room);

    while (data != NULL) {
        size_t n = fread(data + used, 1, room - used, f);

        used += n;
        if (n == 0) {
            break;
        }
        if (used == room) {
            char *grown = used > max ? NULL : realloc(data, room *= 2);

            if (grown == NULL) {
                free(data);
            }
            data = grown;
        }
    }
    if (data == NULL || ferror(f)) {
        die(2, "cannot read", data ? strerror(errno) : "too large");
    }
    return pos_str_of(data, used);
}


/* Zone names come from the book: only plain relative names are opened. */
static bool
zone_name_is_plain(pos_str_t name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
                      || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+';

        if (!letter && (c != '/' || i == 0)) {
            return false;
        }
    }
    return name.len > 0 && name.len < 100;
}


static pos_status_t
load_zone(void *ctx, pos_str_t name, pos_str_t *tzif)
{
    calc_t *calc = ctx;
    char    path[PATH_MAX];
    char   *data = pos_arena_alloc(calc->arena, ZONE_MAX);
    FILE   *f;

    if (data == NULL) {
        return POS_NO_MEMORY;
    }
    if (!zone_name_is_plain(name)) {
        return POS_NOT_FOUND;
    }
    (void) snprintf(path, sizeof(path), "%s/%.*s", calc->options.zone_dir,
        (int) name.len, name.data);
    f = fopen(path, "rb");
    if (f == NULL) {
        return POS_NOT_FOUND;
    }
    *tzif = pos_str_of(data, fread(data, 1, ZONE_MAX, f));
    fclose(f);
    return tzif->len > 44 ? POS_OK : POS_NOT_FOUND;
}


/* ---- problems ---- */

static void
write_fault(pos_writer_t *w, const pos_fault_t *f)
{
    pos_write_object_begin(w);
    pos_write_key(w, "pointer");
    pos_write_string(w, f->pointer);
    pos_write_key(w, "code");
    pos_write_string(w, pos_str_z(f->code));
    pos_write_key(w, "message");
    pos_write_string(w, f->message);
    if (f->line > 0) {
        pos_write_key(w, "line");
        pos_write_int(w, f->line);
        pos_write_key(w, "column");
        pos_write_int(w, f->column);
    }
    pos_write_object_end(w);
}


/* Text that is no JSON is a 400; JSON that says something wrong a 422. */
static bool
is_syntax(const pos_faults_t *faults)
{
    const char *code = faults->first ? faults->first->code : "";

    return strncmp(code, "json_", 5) == 0 || strcmp(code, "body_too_large") == 0;
}


static void
write_problem(pos_writer_t *w, const pos_faults_t *faults, bool forbidden,
    const char *title)
{
    const char *code = forbidden ? "scope_required"
                       : is_syntax(faults) ? faults->first->code : "invalid_request";

    pos_write_object_begin(w);
    pos_write_key(w, "type");
    pos_write_string(w, pos_arena_printf(w->arena, "/docs/errors#%s", code));
    pos_write_key(w, "title");
    pos_write_string(w, pos_str_z(title));
    pos_write_key(w, "status");
    pos_write_int(w, forbidden ? 403 : is_syntax(faults) ? 400 : 422);
    pos_write_key(w, "detail");
    pos_write_string(w, faults->first ? faults->first->message : pos_str(""));
    pos_write_key(w, "code");
    pos_write_string(w, pos_str_z(code));
    pos_write_key(w, "errors");
    pos_write_array_begin(w);
    for (const pos_fault_t *f = faults->first; f != NULL; f = f->next) {
        write_fault(w, f);
    }
    pos_write_array_end(w);
    if (faults->count > faults->max) {
        pos_write_key(w, "error_count");
        pos_write_int(w, faults->count);
    }
    pos_write_object_end(w);
}


static void
print_line(pos_str_t line)
{
    fwrite(line.data, 1, line.len, stdout);
    fputc('\n', stdout);
}


static pos_str_t
book_problem(calc_t *calc, const pos_faults_t *faults)
{
    pos_writer_t w;

    pos_writer_init(&w, calc->arena, 4096, ANSWER_MAX);
    write_problem(&w, faults, false, "The book is at fault");
    return pos_writer_result(&w);
}


/* The book's own problem is the program's only answer. */
static void
refuse_book(calc_t *calc, const pos_faults_t *faults)
{
    print_line(book_problem(calc, faults));
    fprintf(stderr, "poscalc: the book has %u fault%s; first at \"%.*s\": %.*s\n",
        faults->count, faults->count == 1 ? "" : "s",
        faults->first ? (int) faults->first->pointer.len : 0,
        faults->first ? faults->first->pointer.data : "",
        faults->first ? (int) faults->first->message.len : 0,
        faults->first ? faults->first->message.data : "");
    exit(1);
}


/* ---- the book ---- */

static void
report_rows(calc_t *calc, pos_faults_t *faults)
{
    static const char *const kinds[POS_KIND_COUNT] = { "retailer", "stores", "categories",
        "price_lists", "taxes", "experiments", "promotions", "coupons", "products",
        "keys", "zones" };

    for (const pos_book_report_t *r = pos_book_reports(calc->book); r; r = r->next) {
        pos_str_t pointer = pos_arena_printf(calc->arena, "/%s/%.*s", kinds[r->kind],
            (int) r->key.len, r->key.data);

        (void) pos_fault(faults, pointer, "does_not_compile", "%.*s",
            (int) r->message.len, r->message.data);
    }
}


/* POS_INVALID where rows of the book do not compile. */
static pos_status_t
build_book(calc_t *calc, pos_faults_t *faults)
{
    pos_book_builder_t *builder;
    pos_status_t        status;

    status = pos_book_builder_create(&calc->source, NULL, calc->vm, &builder);
    if (status != POS_OK) {
        die(1, "out of memory", "");
    }
    do {
        status = pos_book_builder_step(builder, 10000, &calc->book);
    } while (status == POS_AGAIN);
    if (status != POS_OK) {
        die(1, "cannot build the book", "");
    }
    pos_book_builder_destroy(builder);
    report_rows(calc, faults);
    return faults->count > 0 ? POS_INVALID : POS_OK;
}


/* The book of this text, ready to quote by; POS_INVALID with its faults. */
static pos_status_t
load_text(calc_t *calc, pos_str_t text, pos_faults_t *faults)
{
    pos_script_limits_t limits;
    pos_json_reader_t  *reader = pos_json_reader_create(BOOK_MAX);
    pos_arena_t        *tree = pos_arena_create(1 << 20, 0);
    pos_json_t         *document;
    pos_status_t        status;

    pos_script_limits_default(&limits);
    if (reader == NULL || tree == NULL
        || pos_script_vm_create(&limits, &calc->vm) != POS_OK)
    {
        die(1, "out of memory", "");
    }
    status = pos_json_read(reader, text, tree, faults, &document);
    if (status == POS_OK) {
        status = pos_memory_book_create(document, load_zone, calc, faults,
            &calc->memory);
    }
    pos_json_reader_destroy(reader);
    pos_arena_destroy(tree);
    if (status == POS_OK) {
        pos_memory_book_source(calc->memory, &calc->source);
        status = build_book(calc, faults);
    }
    if (status != POS_OK && status != POS_INVALID) {
        die(1, "cannot build the book", status == POS_NO_MEMORY ? "out of memory" : "");
    }
    return status;
}


static void
load_book(calc_t *calc)
{
    pos_faults_t faults;
    pos_str_t    text;
    FILE        *f = fopen(calc->options.book, "rb");

    if (f == NULL) {
        die(2, calc->options.book, strerror(errno));
    }
    text = read_stream(f, BOOK_MAX);
    fclose(f);
    pos_faults_init(&faults, calc->arena);
    if (load_text(calc, text, &faults) != POS_OK) {
        refuse_book(calc, &faults);
    }
    free((void *) (uintptr_t) text.data);
}


static void
unload_book(calc_t *calc)
{
    if (calc->book != NULL) {
        pos_book_release(calc->book);
    }
    if (calc->memory != NULL) {
        pos_memory_book_destroy(calc->memory);
    }
    if (calc->vm != NULL) {
        pos_script_vm_destroy(calc->vm);
    }
    calc->book = NULL;
    calc->memory = NULL;
    calc->vm = NULL;
}


/* ---- quotes ---- */

/* `--explain` is as if every request said so. */
static bool
ask_for_explain(pos_arena_t *arena, pos_json_t *request)
{
    pos_json_t *member, **link;

    if (request->type != POS_JSON_OBJECT) {
        return true;
    }
    for (link = &request->first; *link != NULL; link = &(*link)->next) {
        if (pos_str_eq((*link)->key, pos_str("explain"))) {
            (*link)->type = POS_JSON_TRUE;
            return true;
        }
    }
    member = pos_arena_zalloc(arena, sizeof(*member));
    if (member == NULL) {
        return false;
    }
    member->type = POS_JSON_TRUE;
    member->key = pos_str("explain");
    *link = member;
    request->count++;
    return true;
}


/* One request's text to one answer in the quote's arena. */
static pos_str_t
answer(calc_t *calc, pos_str_t text, bool *is_quote, pos_quote_stats_t *stats)
{
    pos_quote_options_t options = { .book = calc->book, .source = &calc->source,
        .vm = calc->vm, .revision = pos_memory_book_revision(calc->memory),
        .now = calc->options.now, .may_simulate = true, .may_override = true,
        .may_customer = true, .may_shipping = true, .pointer = pos_str(""),
        .node_budget = calc->options.budget ? calc->options.budget : SOLVER_STEPS };
    pos_faults_t        faults;
    pos_json_t         *request;
    pos_writer_t        w;
    pos_status_t        status;

    pos_arena_reset(calc->quote);
    memset(stats, 0, sizeof(*stats));
    pos_faults_init(&faults, calc->quote);
    pos_writer_init(&w, calc->quote, 8192, ANSWER_MAX);
    status = pos_json_read(calc->reader, text, calc->quote, &faults, &request);
    if (status == POS_OK && calc->options.explain
        && !ask_for_explain(calc->quote, request))
    {
        status = POS_NO_MEMORY;
    }
    if (status == POS_OK) {
        status = pos_quote(&options, request, calc->quote, &faults, &w, stats);
    }
    *is_quote = status == POS_OK && w.status == POS_OK;
    if (*is_quote) {
        return pos_writer_result(&w);
    }
    pos_writer_init(&w, calc->quote, 4096, ANSWER_MAX);
    if (faults.count == 0) {
        (void) pos_fault(&faults, pos_str(""),
            status == POS_NO_MEMORY || w.status == POS_NO_MEMORY ? "no_memory"
            : status == POS_LIMIT || w.status == POS_LIMIT       ? "limit" : "internal",
            "the quote could not be made");
    }
    write_problem(&w, &faults, stats->forbidden, "The request is at fault");
    return pos_writer_result(&w);
}


static bool
is_blank(pos_str_t line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (strchr(" \t\r\n", line.data[i]) == NULL || line.data[i] == '\0') {
            return false;
        }
    }
    return true;
}


/* Blank lines are no requests. */
static bool
next_line(char **data, size_t *room, pos_str_t *line)
{
    ssize_t n;

    do {
        n = getline(data, room, stdin);
        if (n < 0) {
            return false;
        }
        /* Without its end, a fault's line is always 1. */
        *line = pos_str_of(*data, (size_t) n - ((*data)[n - 1] == '\n'));
    } while (is_blank(*line));
    return true;
}


static void
flush_answers(void)
{
    if (fflush(stdout) != 0) {
        die(2, "cannot write", strerror(errno));
    }
}


static void
run(calc_t *calc)
{
    char     *data = NULL;
    size_t    room = 0;
    pos_str_t line;
    bool      is_quote;
    pos_quote_stats_t stats;

    while (next_line(&data, &room, &line)) {
        print_line(answer(calc, line, &is_quote, &stats));
    }
    free(data);
    flush_answers();
}


/* Answers leave with each book: what a later one breaks does not take them along. */
static void
answer_all(calc_t *calc, pos_str_t book, const pos_json_t *requests)
{
    pos_faults_t faults;
    bool         is_quote, is_sound;
    pos_quote_stats_t stats;

    pos_arena_reset(calc->arena);
    pos_faults_init(&faults, calc->arena);
    is_sound = load_text(calc, book, &faults) == POS_OK;
    for (const pos_json_t *r = requests->first; r != NULL; r = r->next) {
        print_line(is_sound ? answer(calc, r->text, &is_quote, &stats)
                            : book_problem(calc, &faults));
    }
    unload_book(calc);
    flush_answers();
}


static void
run_batch(calc_t *calc)
{
    pos_arena_t *tree = pos_arena_create(1 << 20, 0);
    char        *data = NULL;
    size_t       room = 0;
    pos_str_t    line;

    if (tree == NULL) {
        die(1, "out of memory", "");
    }
    while (next_line(&data, &room, &line)) {
        const pos_json_t *book, *requests;
        pos_json_t       *entry;
        pos_faults_t      faults;

        pos_arena_reset(tree);
        pos_faults_init(&faults, tree);
        if (pos_json_read(calc->reader, line, tree, &faults, &entry) != POS_OK) {
            die(2, "a line of the batch is no JSON", "");
        }
        book = pos_json_get(entry, "book");
        requests = pos_json_get(entry, "requests");
        if (book == NULL || requests == NULL || requests->type != POS_JSON_ARRAY) {
            die(2, "a line of the batch needs", "{\"book\": {…}, \"requests\": […]}");
        }
        answer_all(calc, book->text, requests);
    }
    free(data);
    pos_arena_destroy(tree);
}


/* ---- bench ---- */

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

    while (next_line(&data, &room, &line)) {
        char *copy = malloc(line.len);

        lines = realloc(lines, (n + 1) * sizeof(*lines));
        if (lines == NULL || copy == NULL) {
            die(1, "out of memory", "");
        }
        memcpy(copy, line.data, line.len);
        lines[n++] = pos_str_of(copy, line.len);
    }
    free(data);
    *count = n;
    return lines;
}


/* All requests N times over, JSON to JSON, after a tenth to warm up. */
static void
bench(calc_t *calc)
{
    size_t     count, bytes = 0, quotes = 0;
    pos_str_t *lines = read_requests(&count);
    long       rounds = calc->options.bench;
    double    *times = calloc((size_t) rounds, sizeof(*times));
    pos_quote_stats_t stats;
    int        counter = open_counter();
    uint64_t   instructions;
    bool       is_quote;

    if (count == 0 || times == NULL) {
        die(2, "--bench needs requests", "");
    }
    for (long r = 0; r < rounds / 10 + 1; r++) {
        for (size_t i = 0; i < count; i++) {
            (void) answer(calc, lines[i], &is_quote, &stats);
        }
    }
    instructions = counted(counter);
    for (long r = 0; r < rounds; r++) {
        double start = seconds();

        for (size_t i = 0; i < count; i++) {
            bytes += answer(calc, lines[i], &is_quote, &stats).len;
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


/* What the solver did, a line a request: the second time, when all is warm. */
static void
write_stats(calc_t *calc)
{
    size_t            count;
    pos_str_t        *lines = read_requests(&count);
    pos_quote_stats_t stats;
    bool              is_quote;

    for (size_t i = 0; i < count; i++) {
        double start;

        (void) answer(calc, lines[i], &is_quote, &stats);
        start = seconds();
        (void) answer(calc, lines[i], &is_quote, &stats);
        start = (seconds() - start) * 1e6;
        printf("{\"quote\":%s,\"optimal\":%s,\"lines\":%u,\"candidates\":%u,\"nodes\":%" PRIu64
               ",\"work\":%" PRIu64 ",\"us\":%.0f,\"total\":%" PRId64 "}\n",
            is_quote ? "true" : "false", stats.optimal ? "true" : "false", stats.lines, stats.candidates,
            stats.nodes, stats.work, start, stats.total);
    }
}


/* ---- command line ---- */

static void
usage(void)
{
    die(2, "usage",
        "poscalc --book BOOK.json [--explain] [--at TIME] [--budget N] [--bench N | --stats | --check] "
        "[--zoneinfo DIR] < REQUESTS.ndjson, or poscalc --batch < BATCH.ndjson");
}


static const char *
value_of(int argc, char **argv, int *i)
{
    if (*i + 1 >= argc) {
        usage();
    }
    return argv[++*i];
}


static int64_t
time_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}


static options_t
read_options(int argc, char **argv)
{
    options_t o = { .zone_dir = ZONE_DIR, .now = time_now() };

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--book") == 0) {
            o.book = value_of(argc, argv, &i);
        } else if (strcmp(argv[i], "--explain") == 0) {
            o.explain = true;
        } else if (strcmp(argv[i], "--check") == 0) {
            o.check = true;
        } else if (strcmp(argv[i], "--batch") == 0) {
            o.batch = true;
        } else if (strcmp(argv[i], "--zoneinfo") == 0) {
            o.zone_dir = value_of(argc, argv, &i);
        } else if (strcmp(argv[i], "--stats") == 0) {
            o.stats = true;
        } else if (strcmp(argv[i], "--budget") == 0) {
            o.budget = strtoull(value_of(argc, argv, &i), NULL, 10);
        } else if (strcmp(argv[i], "--bench") == 0) {
            o.bench = strtol(value_of(argc, argv, &i), NULL, 10);
            if (o.bench < 1 || o.bench > 10000000) {
                usage();
            }
        } else if (strcmp(argv[i], "--at") == 0) {
            if (!pos_time_read(pos_str_z(value_of(argc, argv, &i)), NULL, &o.now)) {
                die(2, "--at needs a time such as", "2026-11-27T09:00:00Z");
            }
        } else {
            usage();
        }
    }
    if ((o.book == NULL) != o.batch || (o.batch && (o.check || o.bench > 0))) {
        usage();
    }
    return o;
}


static void
run_book(calc_t *calc)
{
    load_book(calc);
    if (calc->options.check) {
        printf("{\"revision\":\"%.*s\",\"promotions\":%zu}\n", 64,
            pos_memory_book_revision(calc->memory).data, pos_book_promotions(calc->book));
    } else if (calc->options.stats) {
        write_stats(calc);
    } else if (calc->options.bench > 0) {
        bench(calc);
    } else {
        run(calc);
    }
}


int
main(int argc, char **argv)
{
    calc_t calc = { .options = read_options(argc, argv) };

    calc.arena = pos_arena_create(65536, 0);
    calc.quote = pos_arena_create(QUOTE_BLOCK, 0);
    calc.reader = pos_json_reader_create(REQUEST_MAX);
    if (calc.arena == NULL || calc.quote == NULL || calc.reader == NULL) {
        die(1, "out of memory", "");
    }
    if (calc.options.batch) {
        run_batch(&calc);
    } else {
        run_book(&calc);
    }
    unload_book(&calc);
    pos_json_reader_destroy(calc.reader);
    pos_arena_destroy(calc.quote);
    pos_arena_destroy(calc.arena);
    return 0;
}
