/*
 * Exact arithmetic: money in minor units, rates in parts per million,
 * quantities in thousandths. 128 bits in between; overflow is an error.
 */

#ifndef POS_MONEY_H
#define POS_MONEY_H

#include "base/base.h"

#define POS_MONEY_MAX     INT64_C(1000000000000000)  /* 10^15: any amount    */
#define POS_PPM           INT64_C(1000000)           /* 100 %                */
#define POS_THOUSANDTHS   INT64_C(1000)              /* quantity 1           */

typedef enum {
    POS_ROUND_HALF_UP,     /* away from zero; the default */
    POS_ROUND_HALF_EVEN,
    POS_ROUND_DOWN,        /* towards zero */
    POS_ROUND_HALF_DOWN    /* halves towards zero */
} pos_rounding_t;

/* a * b / divisor, rounded; false on overflow beyond POS_MONEY_MAX or
 * divisor <= 0. */
bool pos_muldiv(int64_t a, int64_t b, int64_t divisor, pos_rounding_t rounding,
    int64_t *out) POS_MUSTCHECK;
/* Rounded quotient of a 128-bit numerator; the same limits. */
bool pos_divide(__int128 numerator, __int128 divisor, pos_rounding_t rounding,
    int64_t *out) POS_MUSTCHECK;
bool pos_add(int64_t a, int64_t b, int64_t *out) POS_MUSTCHECK;
bool pos_sub(int64_t a, int64_t b, int64_t *out) POS_MUSTCHECK;

/* Splits `amount` (either sign, |amount| within the money limit) over `count`
 * parts in proportion to `weights` (>= 0) by largest remainder, ties to the
 * earlier part. Parts sum to the amount exactly. When all weights are 0 the
 * weights count as equal. False: overflow or count 0. */
bool pos_split(int64_t amount, const int64_t *weights, size_t count,
    int64_t *parts) POS_MUSTCHECK;
/* The same, and no part above its weight (what the part still costs);
 * `*left` is what could not be placed: amount beyond the weights' sum. */
bool pos_split_capped(int64_t amount, const int64_t *weights, size_t count,
    int64_t *parts, int64_t *left) POS_MUSTCHECK;

/* ISO 4217: "GBP" to exponent 0, 2 or 3. False: no such currency. */
bool pos_currency_exponent(pos_str_t code, unsigned *exponent);

#endif
