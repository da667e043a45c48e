#include "t/fuzz/fuzz.h"
#include "engine/rehearse.h"
#include "engine/returns.h"

#include <stdio.h>
#include <stdlib.h>

/* The file's bytes, with a zero behind them; the compiler runs in the root. */
__asm__(".pushsection .rodata\n"
        "pos_fuzz_book_bytes: .incbin \"t/fuzz/book.json\"\n"
        ".byte 0\n"
        ".popsection\n");
extern const char pos_fuzz_book_bytes[];

pos_json_reader_t *
pos_fuzz_reader(void)
{
    static pos_json_reader_t *reader;

    if (reader == NULL && (reader = pos_json_reader_create(4 << 20)) == NULL) {
        abort();
    }
    return reader;
}


pos_script_vm_t *
pos_fuzz_vm(void)
{
    static pos_script_vm_t *vm;
    pos_script_limits_t     limits;

    if (vm == NULL) {
        pos_script_limits_default(&limits);
        limits.load_memory = 256 << 20;
        if (pos_script_vm_create(&limits, &vm) != POS_OK) {
            abort();
        }
    }
    return vm;
}


pos_str_t
pos_fuzz_shop(void)
{
    return pos_str_of(pos_fuzz_book_bytes, strlen(pos_fuzz_book_bytes));
}


/* ---- books ---- */

/* The zones that books here may name, from Debian's tzdata. */
static pos_status_t
pos_fuzz_zone(void *ctx, pos_str_t name, pos_str_t *tzif)
{
    static const char *const names[] = { "UTC", "Europe/London", "Europe/Zurich", "America/Denver" };
    static char              bytes[4][65536];
    static size_t            sizes[4];

    (void) ctx;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char  path[64];
        FILE *file;

        if (!pos_str_eq(name, pos_str_of(names[i], strlen(names[i])))) {
            continue;
        }
        if (sizes[i] == 0) {
            snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", names[i]);
            file = fopen(path, "rb");
            if (file == NULL || (sizes[i] = fread(bytes[i], 1, sizeof(bytes[i]), file)) == 0) {
                fprintf(stderr, "no %s\n", path);
                abort();
            }
            fclose(file);
        }
        *tzif = pos_str_of(bytes[i], sizes[i]);
        return POS_OK;
    }

    return POS_NOT_FOUND;
}


static bool
pos_fuzz_build(pos_fuzz_t *f, const pos_book_t *previous, unsigned rows, pos_book_t **out)
{
    pos_status_t        status;
    pos_book_builder_t *builder;

    if (pos_book_builder_create(&f->source, previous, pos_fuzz_vm(), &builder) != POS_OK) {
        return false;
    }

    do {
        status = pos_book_builder_step(builder, rows, out);
    } while (status == POS_AGAIN);

    pos_book_builder_destroy(builder);

    return status == POS_OK;
}


/* Built at once, then, where it can be, once more in small steps out of itself: what is
 * taken over must be worth the same. */
bool
pos_fuzz_open(pos_fuzz_t *f, pos_str_t document)
{
    pos_book_t   *first;
    pos_json_t   *root;
    pos_status_t  status;
    pos_faults_t  faults;

    memset(f, 0, sizeof(*f));
    f->arena = pos_arena_create(65536, 64 << 20);
    if (f->arena == NULL) {
        abort();
    }

    pos_faults_init(&faults, f->arena);

    status = pos_json_read(pos_fuzz_reader(), document, f->arena, &faults, &root);
    if (status == POS_OK) {
        status = pos_memory_book_create(root, pos_fuzz_zone, NULL, &faults, &f->memory);
    }
    if (status != POS_OK) {
        if (status == POS_INVALID && faults.count == 0) {
            fprintf(stderr, "a book refused without a fault\n");
            abort();
        }
        pos_fuzz_close(f);
        return false;
    }

    pos_memory_book_source(f->memory, &f->source);
    if (!pos_fuzz_build(f, NULL, 100000, &first)) {
        fprintf(stderr, "a book that was taken is not built\n");
        abort();
    }
    if (!pos_fuzz_build(f, first, 3, &f->book)
        || pos_book_promotions(f->book) != pos_book_promotions(first))
    {
        fprintf(stderr, "a book is not built out of itself\n");
        abort();
    }
    pos_book_release(first);

    return true;
}


bool
pos_fuzz_open_promotions(pos_fuzz_t *f, pos_str_t promotions)
{
    /* The coupon's own goes before them. */
    static const char  key[] = "\n  \"promotions\": [", tail[] = "]}";
    static const char  save[] = "{\"id\":\"save\",\"class\":\"order\",\"coupon\":true,\"then\":[{\"amount_off\":50}]},";
    bool               good;
    char              *text, *end;
    pos_str_t          shop = pos_fuzz_shop();
    const char        *at = strstr(shop.data, key);

    if (at == NULL) {
        abort();
    }
    text = malloc(shop.len + sizeof(save) + promotions.len + sizeof(tail));
    if (text == NULL) {
        abort();
    }

    end = pos_put_bytes(text, pos_str_of(shop.data, (size_t) (at - shop.data) + sizeof(key) - 1));
    end = pos_put_bytes(end, pos_str_of(save, sizeof(save) - 1));
    end = promotions.len > 0 ? pos_put_bytes(end, promotions) : end;
    end = pos_put_bytes(end, pos_str_of(tail, sizeof(tail) - 1));
    good = pos_fuzz_open(f, pos_str_of(text, (size_t) (end - text)));
    free(text);

    return good;
}


/* A shop that no longer takes any promotion would be fuzzed in vain. */
void
pos_fuzz_takes_promotions(void)
{
    static bool asked;
    pos_fuzz_t  f;

    if (!asked) {
        asked = true;
        if (!pos_fuzz_open_promotions(&f, pos_str("{\"id\":\"p\",\"class\":\"line\",\"then\":[{\"percent_off\":10}]}"))) {
            fprintf(stderr, "the shop takes no promotion\n");
            abort();
        }
        pos_fuzz_close(&f);
    }
}


void
pos_fuzz_close(pos_fuzz_t *f)
{
    if (f->book) {
        pos_book_release(f->book);
    }
    if (f->memory) {
        pos_memory_book_destroy(f->memory);
    }
    pos_arena_destroy(f->arena);
    memset(f, 0, sizeof(*f));
}


/* ---- answers ---- */

static void
must(bool holds, const char *what, pos_str_t answer)
{
    if (!holds) {
        fprintf(stderr, "%s: %.*s\n", what, (int) answer.len, answer.data);
        abort();
    }
}


static int64_t
figure(const pos_json_t *object, const char *name)
{
    int64_t n = 0;

    if (pos_json_get(object, name) != NULL && !pos_json_int64(pos_json_get(object, name), &n)) {
        fprintf(stderr, "%s is no whole number\n", name);
        abort();
    }
    return n;
}


static int64_t
sum_of(const pos_json_t *list, const char *name)
{
    int64_t           sum = 0;
    const pos_json_t *v;

    for (v = list ? list->first : NULL; v; v = v->next) {
        sum += figure(v, name);
    }
    return sum;
}


/* As pos_quote_options_t has it: whatever comes from a till. */
static pos_quote_options_t
options_of(pos_fuzz_t *f)
{
    return (pos_quote_options_t) { .book = f->book, .source = &f->source, .vm = pos_fuzz_vm(), .revision = pos_str("1"),
        .now = INT64_C(1795770000000000), .may_simulate = true, .may_override = true, .may_customer = true,
        .may_shipping = true, .for_order = true, .pointer = pos_str("") };
}


static void
must_sum_up(const pos_json_t *quote, pos_str_t answer)
{
    int64_t           goods = 0, fees = 0, taxes = 0, discount = 0, subtotal = 0;
    const pos_json_t *v, *ship = pos_json_get(quote, "shipping");
    bool              included = pos_json_get(quote, "tax_included")->type == POS_JSON_TRUE;

    for (v = pos_json_get(quote, "lines")->first; v; v = v->next) {
        int64_t total = figure(v, "total"), off = figure(v, "discount");

        must(total >= 0 && off >= 0 && figure(v, "fees") >= 0, "below zero", answer);
        must(figure(v, "subtotal") - off == total, "a line", answer);
        must(sum_of(pos_json_get(v, "units"), "paid") == total, "units", answer);
        must(-sum_of(pos_json_get(v, "adjustments"), "amount") == off, "adjustments", answer);
        goods += total;
        discount += off;
        fees += figure(v, "fees");
        subtotal += figure(v, "subtotal");
        taxes += sum_of(pos_json_get(v, "taxes"), "amount");
    }
    taxes += sum_of(pos_json_get(ship, "taxes"), "amount");
    discount += figure(ship, "discount");
    must(figure(quote, "subtotal") == subtotal, "subtotal", answer);
    must(figure(quote, "fees") == fees, "fees", answer);
    must(figure(quote, "discount") == discount, "discount", answer);
    must(figure(quote, "tax") == taxes && taxes >= 0, "taxes", answer);
    must(figure(quote, "total") == goods + fees + figure(quote, "shipping_total") + (included ? 0 : taxes), "total", answer);
    must(figure(quote, "points") >= 0 && figure(quote, "shipping_total") >= 0, "below zero", answer);
    must(figure(quote, "bound") <= goods + figure(quote, "shipping_total"), "bound", answer);
}


/* Everything at once gets back all that was paid. */
static void
must_come_back(pos_fuzz_t *f, const pos_json_t *quote, pos_str_t answer, pos_str_t request, pos_arena_t *arena)
{
    int64_t           refund;
    pos_json_t       *document;
    pos_str_t         text;
    uint32_t          i, lines = pos_json_get(quote, "lines")->count;
    pos_writer_t      w;
    pos_faults_t      faults;
    const pos_json_t *ship = pos_json_get(quote, "shipping");

    pos_writer_init(&w, arena, 4096, 16 << 20);
    pos_write_object_begin(&w);
    pos_write_key(&w, "quote");
    pos_write_raw(&w, answer);
    pos_write_key(&w, "request");
    pos_write_raw(&w, request);
    pos_write_key(&w, "lines");
    pos_write_array_begin(&w);
    for (i = 0; i < lines; i++) {
        pos_write_object_begin(&w);
        pos_write_key(&w, "line");
        pos_write_int(&w, i);
        pos_write_object_end(&w);
    }
    pos_write_array_end(&w);
    pos_write_key(&w, "shipping");
    pos_write_bool(&w, ship != NULL && ship->type == POS_JSON_OBJECT);
    pos_write_object_end(&w);
    text = pos_writer_result(&w);
    pos_faults_init(&faults, arena);
    must(w.status == POS_OK && pos_json_read(pos_fuzz_reader(), text, arena, &faults, &document) == POS_OK, "document", text);
    pos_fuzz_return(f, document, arena, &refund);
    must(refund == figure(quote, "total"), "all that comes back is not all that was paid", text);
}


void
pos_fuzz_return(pos_fuzz_t *f, const pos_json_t *document, pos_arena_t *arena, int64_t *refund)
{
    pos_json_t          *again;
    pos_faults_t         faults;
    pos_status_t         status;
    pos_writer_t         out;
    pos_quote_options_t  options = options_of(f);
    pos_return_options_t all = { &options, &options, pos_fuzz_reader() };

    *refund = -1;
    pos_faults_init(&faults, arena);
    pos_writer_init(&out, arena, 4096, 16 << 20);
    status = pos_return(&all, document, arena, &faults, &out);
    if (status == POS_INVALID) {
        must(faults.count > 0, "refused without a fault", pos_str(""));
    }
    if (status == POS_OK) {
        must(pos_json_read(pos_fuzz_reader(), pos_writer_result(&out), arena, &faults, &again) == POS_OK
                && pos_json_int64(pos_json_get(again, "refund"), refund) && *refund >= 0, "no answer", pos_writer_result(&out));
    }
}


static pos_status_t
ask(const pos_quote_options_t *options, const pos_json_t *request, pos_arena_t *arena, pos_str_t *answer)
{
    pos_status_t      status;
    pos_faults_t      faults;
    pos_writer_t      out;
    pos_quote_stats_t stats;

    pos_faults_init(&faults, arena);
    pos_writer_init(&out, arena, 4096, 16 << 20);
    status = pos_quote(options, request, arena, &faults, &out, &stats);
    must(status != POS_INVALID || faults.count > 0, "refused without a fault", pos_str(""));
    *answer = pos_writer_result(&out);

    return status == POS_OK ? out.status : status;
}


void
pos_fuzz_quote(pos_fuzz_t *f, pos_str_t request)
{
    pos_str_t           answer, twice;
    pos_json_t         *root, *quote, **link;
    pos_arena_t        *arena = pos_arena_create(65536, 64 << 20);
    pos_faults_t        faults;
    pos_inputs_t        inputs;
    pos_quote_options_t options = options_of(f);

    pos_faults_init(&faults, arena);
    if (pos_json_read(pos_fuzz_reader(), request, arena, &faults, &root) != POS_OK) {
        pos_arena_destroy(arena);
        return;
    }
    /* As poscalc does: `inputs` stand in the request's own line. */
    for (link = root->type == POS_JSON_OBJECT ? &root->first : NULL; link && *link; link = &(*link)->next) {
        if (pos_str_eq((*link)->key, pos_str("inputs"))) {
            if (pos_inputs_read(*link, pos_str("/inputs"), arena, &faults, &inputs) == POS_OK) {
                options.inputs = &inputs;
            }
            *link = (*link)->next;
            root->count--;
            break;
        }
    }
    if (ask(&options, root, arena, &answer) == POS_OK) {
        must(ask(&options, root, arena, &twice) == POS_OK && pos_str_eq(answer, twice), "another answer the second time", twice);
        must(pos_json_read(pos_fuzz_reader(), answer, arena, &faults, &quote) == POS_OK, "not a quote", answer);
        must_sum_up(quote, answer);
        must_come_back(f, quote, answer, request, arena);
    }

    pos_arena_destroy(arena);
}


/* ---- scripts ---- */

/* Alone, in a VM of its own. */
static bool
loads(pos_str_t source, pos_arena_t *arena)
{
    uint32_t                i, count = 0;
    pos_status_t            status;
    pos_faults_t            faults;
    pos_script_vm_t        *vm;
    pos_script_limits_t     limits;
    pos_script_promotion_t *promotions = NULL;

    pos_script_limits_default(&limits);
    if (pos_script_vm_create(&limits, &vm) != POS_OK) {
        abort();
    }
    pos_faults_init(&faults, arena);
    status = pos_script_load(vm, source, pos_str("fuzz"), NULL, pos_str(""), arena, &faults, &promotions, &count);
    must(status != POS_INVALID || faults.count > 0, "refused without a fault", source);
    for (i = 0; i < count && status == POS_OK; i++) {
        if (promotions[i].script) {
            pos_script_release(promotions[i].script);
        }
    }
    pos_script_vm_destroy(vm);

    return status == POS_OK;
}


/* As validating it does, over made-up carts. */
static void
rehearse(const pos_json_t *document, pos_arena_t *arena)
{
    pos_status_t             status;
    pos_faults_t             faults;
    pos_rehearsal_t         *rehearsal;
    pos_rehearsal_options_t  options = { .vm = pos_fuzz_vm(), .now = INT64_C(1795770000000000) };

    pos_faults_init(&faults, arena);
    if (pos_rehearsal_create(&options, &rehearsal) != POS_OK) {
        abort();
    }
    status = pos_rehearsal_add(rehearsal, document, pos_str(""), &faults);
    must(status != POS_INVALID || faults.count > 0, "refused without a fault", document->text);
    if (status == POS_OK) {
        do {
            status = pos_rehearsal_step(rehearsal);
        } while (status == POS_AGAIN);
        must(status == POS_OK, "rehearsed in vain", document->text);
    }
    pos_rehearsal_destroy(rehearsal);
}


void
pos_fuzz_script(pos_str_t source)
{
    pos_json_t   *document;
    pos_fuzz_t    f;
    pos_arena_t  *arena = pos_arena_create(65536, 64 << 20);
    pos_writer_t  w;
    pos_faults_t  faults;

    pos_fuzz_takes_promotions();
    if (loads(source, arena)) {
        pos_writer_init(&w, arena, 4096, 1 << 20);
        pos_write_object_begin(&w);
        pos_write_key(&w, "id");
        pos_write_string(&w, pos_str("p"));
        pos_write_key(&w, "script");
        pos_write_string(&w, source);
        pos_write_object_end(&w);
        if (w.status == POS_OK && pos_fuzz_open_promotions(&f, pos_writer_result(&w))) {
            pos_fuzz_quote(&f, pos_str("{\"currency\":\"GBP\",\"store\":\"london\",\"channel\":\"web\",\"at\":\"2026-06-01T12:00:00Z\","
                                       "\"customer\":{\"id\":\"c\",\"groups\":[\"staff\"]},\"explain\":true,"
                                       "\"shipping\":{\"method\":\"m\",\"amount\":495},\"lines\":["
                                       "{\"id\":\"1\",\"sku\":\"BOOT\",\"quantity\":2},{\"id\":\"2\",\"sku\":\"CHEESE\",\"quantity\":0.354},"
                                       "{\"id\":\"3\",\"sku\":\"TEE\",\"quantity\":3,\"attributes\":{\"a\":\"b\"}}]}"));
            pos_fuzz_close(&f);
            pos_faults_init(&faults, arena);
            if (source.len % 8 == 0
                && pos_json_read(pos_fuzz_reader(), pos_writer_result(&w), arena, &faults, &document) == POS_OK)
            {
                rehearse(document, arena);
            }
        }
    }
    pos_arena_destroy(arena);
}
