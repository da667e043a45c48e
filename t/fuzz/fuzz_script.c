/* Any bytes as a Lua promotion; what loads prices carts. */

#include "t/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pos_fuzz_script(pos_str_of((const char *) data, size));

    return 0;
}
