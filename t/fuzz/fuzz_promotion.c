/* Any bytes as a promotion's document; what is accepted prices a cart. */

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pos_fuzz_t f;

    if (pos_fuzz_open(&f, (const char *) data, size)) {
        pos_fuzz_quote(&f, pos_str("{\"currency\":\"GBP\",\"store\":\"s\",\"channel\":\"web\","
                                   "\"coupons\":[\"C\"],\"shipping\":{\"method\":\"m\",\"amount\":99},\"explain\":true,"
                                   "\"lines\":[{\"id\":\"1\",\"sku\":\"A\",\"quantity\":5},"
                                   "{\"id\":\"2\",\"sku\":\"B\",\"quantity\":0.354}]}"));
        pos_fuzz_close(&f);
    }

    return 0;
}
