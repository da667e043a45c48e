/* Any bytes as a return: refused with faults, or an answer that refunds no less than
 * nothing. */

#include "fuzz.h"
#include "engine/returns.h"

#include <stdio.h>
#include <stdlib.h>

static const char pos_fuzz_promotions[] =
    "{\"id\":\"q\",\"name\":\"q\",\"class\":\"line\",\"returns\":\"reprice\",\"then\":[{\"buy\":[{\"items\":{\"sku\":[\"A\"]},"
    "\"quantity\":1}],\"get\":[{\"items\":{\"sku\":[\"A\"]},\"quantity\":1,\"percent_off\":100}]}]},"
    "{\"id\":\"g\",\"name\":\"g\",\"class\":\"line\",\"when\":{\"subtotal\":{\"min\":900}},"
    "\"then\":[{\"gift\":{\"sku\":\"A\",\"quantity\":1}}]},"
    "{\"id\":\"p\",\"name\":\"p\",\"class\":\"order\",\"when\":{\"subtotal\":{\"min\":500}},\"then\":[{\"amount_off\":100}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
give_back(pos_fuzz_t *f, const pos_json_t *document, pos_arena_t *arena, pos_faults_t *faults)
{
    pos_quote_options_t  options = { .book = f->book, .source = &f->source, .vm = f->vm,
        .revision = pos_str("1"), .pointer = pos_str("") };
    pos_return_options_t all = { &options, &options, f->reader };
    pos_writer_t         out;
    pos_json_t          *again;
    pos_status_t         status;
    int64_t              refund = -1;

    pos_writer_init(&out, arena, 4096, 16 << 20);
    status = pos_return(&all, document, arena, faults, &out);
    if (status == POS_INVALID && faults->count == 0) {
        fprintf(stderr, "refused without a fault\n");
        abort();
    }
    if (status == POS_OK && (pos_json_read(f->reader, pos_writer_result(&out), arena, faults, &again) != POS_OK ||
            !pos_json_int64(pos_json_get(again, "refund"), &refund) || refund < 0)) {
        fprintf(stderr, "no answer\n");
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pos_fuzz_t f;
    static bool       open;
    pos_arena_t      *arena = pos_arena_create(65536, 64 << 20);
    pos_faults_t      faults;
    pos_json_t       *document;

    if (!open) {
        open = pos_fuzz_open(&f, pos_fuzz_promotions, sizeof(pos_fuzz_promotions) - 1);
        if (!open) {
            __builtin_trap();
        }
    }
    pos_faults_init(&faults, arena);
    if (pos_json_read(f.reader, pos_str_of((const char *) data, size), arena, &faults, &document) == POS_OK) {
        give_back(&f, document, arena, &faults);
    }
    pos_arena_destroy(arena);

    return 0;
}
