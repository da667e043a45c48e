/* Any bytes as a return, of the shop that fuzz_quote asks. */

#include "t/fuzz/fuzz.h"

#include <stdlib.h>

POS_FUZZ_JSON

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pos_fuzz_t f;
    int64_t           refund;
    pos_arena_t      *arena = pos_arena_create(65536, 64 << 20);
    pos_faults_t      faults;
    pos_json_t       *document;

    if (f.book == NULL && !pos_fuzz_open(&f, pos_fuzz_shop())) {
        abort();
    }
    pos_faults_init(&faults, arena);
    if (pos_json_read(pos_fuzz_reader(), pos_str_of((const char *) data, size), arena, &faults, &document) == POS_OK) {
        pos_fuzz_return(&f, document, arena, &refund);
    }
    pos_arena_destroy(arena);

    return 0;
}
