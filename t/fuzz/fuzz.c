#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

static const char pos_fuzz_head[] =
    "{\"retailer\":{\"code\":\"f\",\"currency\":\"GBP\",\"timezone\":\"UTC\",\"rounding\":\"half_up\","
    "\"tax_rounding\":\"line\",\"optimise\":\"customer\",\"cash_rounding\":1,"
    "\"shipping_tax_category\":\"standard\",\"points_per\":100},"
    "\"stores\":[{\"code\":\"s\",\"tax_region\":\"GB\",\"timezone\":\"UTC\"}],"
    "\"categories\":[{\"code\":\"c\"},{\"code\":\"d\",\"parent\":\"c\"}],"
    "\"products\":[{\"sku\":\"A\",\"name\":\"A\",\"categories\":[\"d\"],\"brand\":\"b\",\"tags\":[\"t\"],"
    "\"unit\":\"each\",\"attributes\":{\"x\":\"y\"},\"tax_category\":\"standard\",\"weight_grams\":9,\"cost\":50},"
    "{\"sku\":\"B\",\"name\":\"B\",\"unit\":\"kg\",\"tax_category\":\"standard\"}],"
    "\"price_lists\":[{\"code\":\"l\",\"currency\":\"GBP\",\"tax_included\":true,\"priority\":0}],"
    "\"prices\":[{\"sku\":\"A\",\"list\":\"l\",\"amount\":999,\"min_quantity\":1,\"kind\":\"regular\"},"
    "{\"sku\":\"B\",\"list\":\"l\",\"amount\":333,\"min_quantity\":1,\"kind\":\"regular\"}],"
    "\"taxes\":[{\"region\":\"GB\",\"category\":\"standard\",\"code\":\"vat\",\"percent\":20,\"compound\":false}],"
    "\"promotions\":[";
static const char pos_fuzz_tail[] =
    "],\"coupons\":[{\"code\":\"C\",\"promotions\":[\"p\"]}],\"experiments\":[]}";

/* A version 1 TZif file of UTC: no transitions, one type. */
static const char pos_fuzz_utc[] =
    "TZif\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\4"
    "\0\0\0\0\0\0UTC";

static pos_status_t
pos_fuzz_zone(void *ctx, pos_str_t name, pos_str_t *tzif)
{
    (void) ctx;

    if (!pos_str_eq(name, pos_str("UTC"))) {
        return POS_NOT_FOUND;
    }

    *tzif = pos_str_of(pos_fuzz_utc, sizeof(pos_fuzz_utc));

    return POS_OK;
}

static bool
pos_fuzz_build(pos_fuzz_t *f)
{
    pos_status_t        status;
    pos_book_builder_t *builder;
    pos_script_limits_t limits;

    pos_script_limits_default(&limits);
    if (pos_script_vm_create(&limits, &f->vm) != POS_OK) {
        return false;
    }

    pos_memory_book_source(f->memory, &f->source);
    if (pos_book_builder_create(&f->source, NULL, f->vm, &builder) != POS_OK) {
        return false;
    }

    do {
        status = pos_book_builder_step(builder, 100, &f->book);
    } while (status == POS_AGAIN);

    pos_book_builder_destroy(builder);

    return status == POS_OK;
}

bool
pos_fuzz_open(pos_fuzz_t *f, const char *promotion, size_t len)
{
    char         *text;
    size_t        head = sizeof(pos_fuzz_head) - 1, tail = sizeof(pos_fuzz_tail) - 1;
    pos_json_t   *document;
    pos_faults_t  faults;

    memset(f, 0, sizeof(*f));
    f->reader = pos_json_reader_create(1 << 20);
    f->arena = pos_arena_create(65536, 64 << 20);
    text = malloc(head + len + tail + 1);
    if (f->reader == NULL || f->arena == NULL || text == NULL) {
        abort();
    }

    memcpy(text, pos_fuzz_head, head);
    if (len > 0) {
        memcpy(text + head, promotion, len);
    }
    memcpy(text + head + len, pos_fuzz_tail, tail);

    pos_faults_init(&faults, f->arena);

    if (pos_json_read(f->reader, pos_str_of(text, head + len + tail), f->arena, &faults, &document) != POS_OK
        || pos_memory_book_create(document, pos_fuzz_zone, NULL, &faults, &f->memory) != POS_OK
        || !pos_fuzz_build(f))
    {
        free(text);
        pos_fuzz_close(f);
        return false;
    }

    free(text);

    return true;
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
    if (f->vm) {
        pos_script_vm_destroy(f->vm);
    }
    pos_arena_destroy(f->arena);
    pos_json_reader_destroy(f->reader);
    memset(f, 0, sizeof(*f));
}

/* Whatever the request: refused with faults, or one JSON document that reads. */
void
pos_fuzz_quote(pos_fuzz_t *f, pos_str_t request)
{
    pos_arena_t        *arena = pos_arena_create(65536, 64 << 20);
    pos_json_t         *root, *again;
    pos_status_t        status;
    pos_writer_t        out;
    pos_faults_t        faults;
    pos_quote_stats_t   stats;
    pos_quote_options_t options;

    memset(&options, 0, sizeof(options));
    options.book = f->book;
    options.source = &f->source;
    options.vm = f->vm;
    options.revision = pos_str("1");
    options.may_simulate = options.may_override = options.may_customer = options.may_shipping = true;

    pos_faults_init(&faults, arena);

    if (pos_json_read(f->reader, request, arena, &faults, &root) == POS_OK) {
        pos_writer_init(&out, arena, 4096, 16 << 20);
        status = pos_quote(&options, root, arena, &faults, &out, &stats);

        if (status == POS_INVALID && faults.count == 0) {
            fprintf(stderr, "refused without a fault\n");
            abort();
        }
        if (status == POS_OK && out.status == POS_OK
            && (pos_json_read(f->reader, pos_writer_result(&out), arena, &faults, &again) != POS_OK
                || stats.total < 0))
        {
            fprintf(stderr, "not a quote\n");
            abort();
        }
    }

    pos_arena_destroy(arena);
}
