/*
 * Numbers as schemas compare them: exact decimals, never floating point.
 */

#include "base/schema_data.h"


/* Digits enough for any quantity: 64 bits do. */
static bool
small_whole(pos_str_t text, __int128 *out)
{
    int64_t n = 0;

    if (text.len == 0 || text.len > 9) {
        return false;
    }

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }

        n = n * 10 + (text.data[i] - '0');
    }

    *out = n * 1000000000;

    return true;
}


bool
pos_schema_decimal(pos_str_t text, __int128 *out)
{
    size_t   i = 0;
    bool     negative = text.len > 0 && text.data[0] == '-';
    __int128 value = 0;
    unsigned whole = 0, fraction = 0;

    if (small_whole(text, out)) {
        return true;
    }

    for (i = negative; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        /* Checked within the loop: 128 bits hold 38 digits, 9 of them behind
         * the point. */
        if (++whole > 24) {
            return false;
        }

        value = value * 10 + (text.data[i] - '0');
    }

    if (whole == 0) {
        return false;
    }

    if (i < text.len && text.data[i] == '.') {
        for (i++; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
            if (fraction == POS_SCHEMA_DIGITS) {
                if (text.data[i] != '0') {
                    return false;
                }
                continue;
            }

            value = value * 10 + (text.data[i] - '0');
            fraction++;
        }
    }

    if (i != text.len) {
        return false;
    }

    for (; fraction < POS_SCHEMA_DIGITS; fraction++) {
        value *= 10;
    }

    *out = negative ? -value : value;

    return true;
}
