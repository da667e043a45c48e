/* Any bytes as a quote request, for a shop where promotions of every kind meet. */

#include "t/fuzz/fuzz.h"

#include <stdlib.h>

POS_FUZZ_JSON

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pos_fuzz_t f;

    if (f.book == NULL && !pos_fuzz_open(&f, pos_fuzz_shop())) {
        abort();
    }

    pos_fuzz_quote(&f, pos_str_of((const char *) data, size));

    return 0;
}
