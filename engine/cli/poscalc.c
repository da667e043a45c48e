/*
 * The engine alone: a book from a file, requests from standard input, one a
 * line, and for each one line out: a quote or a problem (RFC 9457). What it can do
 * besides is said by --help, below.
 */

#include "engine/cli/poscalc.h"
#include "engine/returns.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ZONE_MAX      (256 * 1024)
#define BOOK_MAX      (UINT32_MAX - 64)
#define REQUEST_MAX   (64u << 20)
#define ANSWER_MAX    (1u << 30)
#define QUOTE_BLOCK   (256 * 1024)

void
pos_calc_die(int code, const char *what, const char *detail)
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
        pos_calc_die(2, "cannot read", data ? strerror(errno) : "too large");
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
    pos_calc_t *calc = ctx;
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
book_problem(pos_calc_t *calc, const pos_faults_t *faults)
{
    pos_writer_t w;

    pos_writer_init(&w, calc->arena, 4096, ANSWER_MAX);
    write_problem(&w, faults, false, "The book is at fault");
    return pos_writer_result(&w);
}


/* The book's own problem is the program's only answer. */
static void
refuse_book(pos_calc_t *calc, const pos_faults_t *faults)
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
report_rows(pos_calc_t *calc, pos_faults_t *faults)
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
build_book(pos_calc_t *calc, pos_faults_t *faults)
{
    pos_book_builder_t *builder;
    pos_status_t        status;

    status = pos_book_builder_create(&calc->source, NULL, calc->vm, &builder);
    if (status != POS_OK) {
        pos_calc_die(1, "out of memory", "");
    }
    do {
        status = pos_book_builder_step(builder, 10000, &calc->book);
    } while (status == POS_AGAIN);
    if (status != POS_OK) {
        pos_calc_die(1, "cannot build the book", "");
    }
    pos_book_builder_destroy(builder);
    report_rows(calc, faults);
    return faults->count > 0 ? POS_INVALID : POS_OK;
}


/* The book of this text, ready to quote by; POS_INVALID with its faults. */
static pos_status_t
load_text(pos_calc_t *calc, pos_str_t text, pos_faults_t *faults)
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
        pos_calc_die(1, "out of memory", "");
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
        pos_calc_die(1, "cannot build the book", status == POS_NO_MEMORY ? "out of memory" : "");
    }
    return status;
}


void
pos_calc_load(pos_calc_t *calc, pos_str_t text)
{
    pos_faults_t faults;

    pos_faults_init(&faults, calc->arena);
    if (load_text(calc, text, &faults) != POS_OK) {
        refuse_book(calc, &faults);
    }
}


static void
load_book(pos_calc_t *calc)
{
    pos_str_t text;
    FILE     *f = fopen(calc->options.book, "rb");

    if (f == NULL) {
        pos_calc_die(2, calc->options.book, strerror(errno));
    }
    text = read_stream(f, BOOK_MAX);
    fclose(f);
    pos_calc_load(calc, text);
    if (calc->options.check) {
        pos_calc_check(calc, text);
    }
    free((void *) (uintptr_t) text.data);
}


void
pos_calc_unload(pos_calc_t *calc)
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


static pos_quote_options_t
quote_options(const pos_calc_t *calc)
{
    return (pos_quote_options_t) { .book = calc->book, .source = &calc->source, .vm = calc->vm,
        .revision = pos_memory_book_revision(calc->memory), .now = calc->options.now,
        .may_simulate = true, .may_override = true, .may_customer = true, .may_shipping = true,
        .for_order = calc->options.for_order,
        .node_budget = calc->options.budget ? calc->options.budget : POS_CALC_STEPS, .pointer = pos_str("") };
}


/* Takes a member out of an object; NULL: it is not there, or null. */
static const pos_json_t *
take_member(pos_json_t *object, pos_str_t name)
{
    for (pos_json_t **link = &object->first; *link != NULL; link = &(*link)->next) {
        const pos_json_t *member = *link;

        if (pos_str_eq(member->key, name)) {
            *link = member->next;
            object->count--;
            return member->type == POS_JSON_NULL ? NULL : member;
        }
    }
    return NULL;
}


/* The inputs stand in the request's own line; all faults are named in one answer. */
static pos_status_t
quote(pos_calc_t *calc, pos_json_t *request, pos_faults_t *faults, pos_writer_t *w,
    pos_quote_stats_t *stats)
{
    pos_quote_options_t options = quote_options(calc);
    const pos_json_t   *given = NULL;
    pos_inputs_t        inputs;
    pos_status_t        status = POS_OK, priced;

    if (calc->options.explain && !ask_for_explain(calc->quote, request)) {
        return POS_NO_MEMORY;
    }
    if (request->type == POS_JSON_OBJECT) {
        given = take_member(request, pos_str("inputs"));
    }
    if (given != NULL) {
        status = pos_inputs_read(given, pos_str("/inputs"), calc->quote, faults, &inputs);
        if (status == POS_NO_MEMORY) {
            return status;
        }
        options.inputs = &inputs;
    }
    priced = pos_quote(&options, request, calc->quote, faults, w, stats);
    return priced == POS_OK ? status : priced;
}


static pos_status_t
give_back(pos_calc_t *calc, const pos_json_t *document, pos_faults_t *faults, pos_writer_t *w)
{
    pos_quote_options_t  order = quote_options(calc->order), sale = quote_options(calc);
    pos_return_options_t options = { &order, &sale, calc->reader };

    return pos_return(&options, document, calc->quote, faults, w);
}


/* One line's text to one answer in the quote's arena. */
pos_str_t
pos_calc_answer(pos_calc_t *calc, pos_str_t text, bool *is_quote)
{
    pos_faults_t        faults;
    pos_json_t         *request;
    pos_writer_t        w;
    pos_status_t        status;

    pos_arena_reset(calc->quote);
    memset(&calc->stats, 0, sizeof(calc->stats));
    pos_faults_init(&faults, calc->quote);
    pos_writer_init(&w, calc->quote, POS_QUOTE_ROOM, ANSWER_MAX);
    status = pos_json_read(calc->reader, text, calc->quote, &faults, &request);
    if (status == POS_OK) {
        status = calc->options.returns ? give_back(calc, request, &faults, &w)
                                       : quote(calc, request, &faults, &w, &calc->stats);
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
            "the answer could not be made");
    }
    write_problem(&w, &faults, calc->stats.forbidden, "The request is at fault");
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
bool
pos_calc_next_line(char **data, size_t *room, pos_str_t *line)
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
        pos_calc_die(2, "cannot write", strerror(errno));
    }
}


static void
run(pos_calc_t *calc)
{
    char     *data = NULL;
    size_t    room = 0;
    pos_str_t line;
    bool      is_quote;

    while (pos_calc_next_line(&data, &room, &line)) {
        print_line(pos_calc_answer(calc, line, &is_quote));
    }
    free(data);
    flush_answers();
}


/* Answers leave with each book: what a later one breaks does not take them along. */
static void
answer_all(pos_calc_t *calc, pos_str_t book, const pos_json_t *requests)
{
    pos_faults_t faults;
    bool         is_quote, is_sound;

    pos_arena_reset(calc->arena);
    pos_faults_init(&faults, calc->arena);
    is_sound = load_text(calc, book, &faults) == POS_OK;
    for (const pos_json_t *r = requests->first; r != NULL; r = r->next) {
        print_line(is_sound ? pos_calc_answer(calc, r->text, &is_quote)
                            : book_problem(calc, &faults));
    }
    pos_calc_unload(calc);
    flush_answers();
}


static void
run_batch(pos_calc_t *calc)
{
    pos_arena_t *tree = pos_arena_create(1 << 20, 0);
    char        *data = NULL;
    size_t       room = 0;
    pos_str_t    line;

    if (tree == NULL) {
        pos_calc_die(1, "out of memory", "");
    }
    while (pos_calc_next_line(&data, &room, &line)) {
        const pos_json_t *book, *requests;
        pos_json_t       *entry;
        pos_faults_t      faults;

        pos_arena_reset(tree);
        pos_faults_init(&faults, tree);
        if (pos_json_read(calc->reader, line, tree, &faults, &entry) != POS_OK) {
            pos_calc_die(2, "a line of the batch is no JSON", "");
        }
        book = pos_json_get(entry, "book");
        requests = pos_json_get(entry, "requests");
        if (book == NULL || requests == NULL || requests->type != POS_JSON_ARRAY) {
            pos_calc_die(2, "a line of the batch needs", "{\"book\": {…}, \"requests\": […]}");
        }
        answer_all(calc, book->text, requests);
    }
    free(data);
    pos_arena_destroy(tree);
}


/* ---- a run ---- */

static void
run_book(pos_calc_t *calc)
{
    pos_calc_t order = *calc;

    load_book(calc);
    if (calc->options.order_book != NULL) {
        order.options.book = calc->options.order_book;
        order.options.check = false;
        load_book(&order);
        calc->order = &order;
    }
    if (calc->options.stats) {
        pos_calc_stats(calc);
    } else if (calc->options.bench > 0) {
        pos_calc_bench(calc);
    } else if (!calc->options.check) {
        run(calc);
    }
    if (calc->order == &order) {
        calc->order = calc;
        pos_calc_unload(&order);
    }
}


int
main(int argc, char **argv)
{
    pos_calc_t calc = { .options = pos_calc_options(argc, argv) };

    calc.arena = pos_arena_create(65536, 0);
    calc.quote = pos_arena_create(QUOTE_BLOCK, 0);
    calc.reader = pos_json_reader_create(REQUEST_MAX);
    if (calc.arena == NULL || calc.quote == NULL || calc.reader == NULL) {
        pos_calc_die(1, "out of memory", "");
    }
    calc.order = &calc;
    if (calc.options.table) {
        pos_calc_bench_table(&calc);
    } else if (calc.options.batch) {
        run_batch(&calc);
    } else {
        run_book(&calc);
    }
    pos_calc_unload(&calc);
    pos_json_reader_destroy(calc.reader);
    pos_arena_destroy(calc.quote);
    pos_arena_destroy(calc.arena);
    return 0;
}
