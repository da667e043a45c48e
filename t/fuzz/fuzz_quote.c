/* Any bytes as a quote request, against a book with a promotion of each class. */

#include "fuzz.h"

static const char pos_fuzz_promotions[] =
    "{\"id\":\"p\",\"name\":\"p\",\"class\":\"line\",\"coupon\":true,\"then\":[{\"percent_off\":10,\"items\":{}}]},"
    "{\"id\":\"q\",\"name\":\"q\",\"class\":\"line\",\"then\":[{\"buy\":[{\"items\":{\"sku\":[\"A\"]},\"quantity\":2}],"
    "\"get\":[{\"items\":{\"sku\":[\"A\"]},\"quantity\":1,\"percent_off\":100}]}]},"
    "{\"id\":\"r\",\"name\":\"r\",\"class\":\"order\",\"when\":{\"subtotal\":{\"min\":500}},\"then\":[{\"amount_off\":100}]},"
    "{\"id\":\"s\",\"name\":\"s\",\"class\":\"shipping\",\"then\":[{\"percent_off\":50}]}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static pos_fuzz_t f;
    static bool       open;

    if (!open) {
        open = pos_fuzz_open(&f, pos_fuzz_promotions, sizeof(pos_fuzz_promotions) - 1);
        if (!open) {
            __builtin_trap();
        }
    }

    pos_fuzz_quote(&f, pos_str_of((const char *) data, size));

    return 0;
}
