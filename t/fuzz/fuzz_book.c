/* A book, a line feed, and requests to it, each on a line of its own. */

#include "t/fuzz/fuzz.h"

POS_FUZZ_JSON

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned    requests;
    pos_str_t   rest = pos_str_of((const char *) data, size);
    pos_fuzz_t  f;
    const char *cut = size ? memchr(data, '\n', size) : NULL;

    if (!pos_fuzz_open(&f, pos_str_of(rest.data, cut ? (size_t) (cut - rest.data) : size))) {
        return 0;
    }

    for (requests = 0; cut != NULL && requests < 4; requests++) {
        rest = pos_str_of(cut + 1, rest.len - (size_t) (cut + 1 - rest.data));
        cut = rest.len ? memchr(rest.data, '\n', rest.len) : NULL;
        pos_fuzz_quote(&f, pos_str_of(rest.data, cut ? (size_t) (cut - rest.data) : rest.len));
    }
    pos_fuzz_close(&f);

    return 0;
}
