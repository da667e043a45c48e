#include "base/money.h"

typedef unsigned __int128 pos_u128_t;

/* Up to this many parts the remainders live on the stack. */
#define POS_SPLIT_SMALL  64


static inline bool
pos_money_fits(int64_t n)
{
    return n >= -POS_MONEY_MAX && n <= POS_MONEY_MAX;
}


/* Whether the quotient of a division that leaves `rest` goes up by one. The
 * comparison is written so that doubling cannot overflow. */
static inline bool
pos_rounds_up(pos_u128_t quotient, pos_u128_t rest, pos_u128_t divisor,
    pos_rounding_t rounding)
{
    switch (rounding) {
    case POS_ROUND_HALF_UP:
        return rest >= divisor - rest;
    case POS_ROUND_HALF_EVEN:
        return rest > divisor - rest || (rest == divisor - rest && (quotient & 1));
    case POS_ROUND_HALF_DOWN:
        return rest > divisor - rest;
    case POS_ROUND_DOWN:
        break;
    }

    return false;
}


bool
pos_divide(__int128 numerator, __int128 divisor, pos_rounding_t rounding, int64_t *out)
{
    bool       negative = numerator < 0;
    int64_t    result;
    pos_u128_t n, d, quotient, rest;

    if (divisor <= 0) {
        return false;
    }

    n = negative ? -(pos_u128_t) numerator : (pos_u128_t) numerator;
    d = (pos_u128_t) divisor;

    if (n <= UINT64_MAX && d <= UINT64_MAX) {
        /* One instruction instead of a call. */
        quotient = (uint64_t) n / (uint64_t) d;
        rest = (uint64_t) n % (uint64_t) d;

    } else {
        quotient = n / d;
        rest = n % d;
    }

    if (rest != 0 && pos_rounds_up(quotient, rest, d, rounding)) {
        quotient++;
    }

    if (quotient > (pos_u128_t) POS_MONEY_MAX) {
        return false;
    }

    result = (int64_t) quotient;
    *out = negative ? -result : result;

    return true;
}


bool
pos_muldiv(int64_t a, int64_t b, int64_t divisor, pos_rounding_t rounding, int64_t *out)
{
    int64_t n, quotient, rest;

    /* Nearly always: nothing negative, and all of it fits a register. */
    if (rounding == POS_ROUND_HALF_UP && a >= 0 && b >= 0 && divisor > 0 && !__builtin_mul_overflow(a, b, &n)) {
        quotient = n / divisor;
        rest = n % divisor;
        quotient += rest != 0 && rest >= divisor - rest;
        if (quotient > POS_MONEY_MAX) {
            return false;
        }

        *out = quotient;

        return true;
    }

    return pos_divide((__int128) a * b, divisor, rounding, out);
}


bool
pos_add(int64_t a, int64_t b, int64_t *out)
{
    int64_t sum;

    if (__builtin_add_overflow(a, b, &sum) || !pos_money_fits(sum)) {
        return false;
    }

    *out = sum;

    return true;
}


bool
pos_sub(int64_t a, int64_t b, int64_t *out)
{
    int64_t difference;

    if (__builtin_sub_overflow(a, b, &difference) || !pos_money_fits(difference)) {
        return false;
    }

    *out = difference;

    return true;
}


/* What a split divides: magnitude and the weights' sum. */
typedef struct {
    uint64_t       amount;
    const int64_t *weights;   /* NULL: all equal */
    uint64_t       sum;
} pos_split_t;


static inline uint64_t
pos_split_weight(const pos_split_t *split, size_t i)
{
    return split->weights ? (uint64_t) split->weights[i] : 1;
}


static inline uint64_t
pos_split_floor(const pos_split_t *split, size_t i, uint64_t *rest)
{
    uint64_t   narrow, weight = pos_split_weight(split, i);
    pos_u128_t wide;

    if (!__builtin_mul_overflow(split->amount, weight, &narrow)) {
        *rest = narrow % split->sum;
        return narrow / split->sum;
    }

    wide = (pos_u128_t) split->amount * weight;
    *rest = (uint64_t) (wide % split->sum);

    return (uint64_t) (wide / split->sum);
}


/* False: a negative weight, or a sum past 64 bits. */
static bool
pos_split_sum(const int64_t *weights, size_t count, uint64_t *sum)
{
    size_t  i;
    int64_t total = 0;

    for (i = 0; i < count; i++) {
        if (weights[i] < 0 || __builtin_add_overflow(total, weights[i], &total)) {
            return false;
        }
    }

    *sum = (uint64_t) total;

    return true;
}


/* Where the winners among remainders end: those above the threshold win, and of those
 * equal to it the first `ties`. */
typedef struct {
    int64_t threshold;
    size_t  ties;
} pos_split_end_t;


/* The least threshold with at most `left` (fewer than there are) remainders above it,
 * by bisection of their range; `rests` holds fewer of them each time, and is used up. */
static pos_split_end_t
pos_split_end(int64_t *rests, size_t count, uint64_t left, uint64_t sum)
{
    size_t   i, n;
    int64_t  low = -1, high = (int64_t) (sum - 1), mid, rest;
    uint64_t above = 0;

    while (count > 1 && high - low > 1) {
        mid = low + (high - low) / 2;

        for (n = 0, i = 0; i < count; i++) {
            rest = rests[i];
            rests[i] = rests[n];
            rests[n] = rest;
            n += rest > mid;
        }

        if (above + n <= left) {
            /* They win: those that are left are no greater than `mid`. */
            high = mid;
            above += n;
            rests += n;
            count -= n;

        } else {
            low = mid;
            count = n;
        }
    }

    return (pos_split_end_t) { count == 1 ? rests[0] : high, left - above };
}


static inline bool
pos_split_wins(pos_split_end_t *end, int64_t rest)
{
    if (rest == end->threshold && end->ties > 0) {
        end->ties--;
        return true;
    }

    return rest > end->threshold;
}


static void
pos_split_small(const pos_split_t *split, size_t count, int64_t *parts)
{
    size_t          i;
    uint64_t        left = split->amount, rest;
    int64_t         rests[POS_SPLIT_SMALL], used[POS_SPLIT_SMALL];
    pos_split_end_t end;

    for (i = 0; i < count; i++) {
        parts[i] = (int64_t) pos_split_floor(split, i, &rest);
        rests[i] = used[i] = (int64_t) rest;
        left -= (uint64_t) parts[i];
    }

    if (left == 0) {
        return;
    }

    end = pos_split_end(used, count, left, split->sum);

    for (i = 0; i < count; i++) {
        parts[i] += pos_split_wins(&end, rests[i]);
    }
}


/* Many parts, without memory for the remainders: they stand in `parts` until it is
 * known where the winners end, and are worked out once more after. */
static void
pos_split_large(const pos_split_t *split, size_t count, int64_t *parts)
{
    size_t          i;
    uint64_t        left = split->amount, rest;
    pos_split_end_t end;

    for (i = 0; i < count; i++) {
        left -= pos_split_floor(split, i, &rest);
        parts[i] = (int64_t) rest;
    }

    end = pos_split_end(parts, count, left, split->sum);

    for (i = 0; i < count; i++) {
        parts[i] = (int64_t) pos_split_floor(split, i, &rest);
        parts[i] += pos_split_wins(&end, (int64_t) rest);
    }
}


bool
pos_split(int64_t amount, const int64_t *weights, size_t count, int64_t *parts)
{
    size_t      i;
    pos_split_t split;

    if (count == 0 || !pos_money_fits(amount)) {
        return false;
    }

    if (!pos_split_sum(weights, count, &split.sum)) {
        return false;
    }

    split.amount = (uint64_t) (amount < 0 ? -amount : amount);
    split.weights = split.sum ? weights : NULL;

    if (split.sum == 0) {
        split.sum = count;
    }

    if (count <= POS_SPLIT_SMALL) {
        pos_split_small(&split, count, parts);
    } else {
        pos_split_large(&split, count, parts);
    }

    for (i = 0; amount < 0 && i < count; i++) {
        parts[i] = -parts[i];
    }

    return true;
}


bool
pos_split_capped(int64_t amount, const int64_t *weights, size_t count, int64_t *parts,
    int64_t *left)
{
    size_t   i;
    uint64_t sum, magnitude;

    if (count == 0 || !pos_money_fits(amount) || !pos_split_sum(weights, count, &sum)) {
        return false;
    }

    magnitude = (uint64_t) (amount < 0 ? -amount : amount);

    /* Within the sum no part can pass its weight: amount * w / sum <= w, and
     * a part is rounded up only where that quotient is no whole number. */
    if (magnitude <= sum && sum > 0) {
        *left = 0;
        return pos_split(amount, weights, count, parts);
    }

    for (i = 0; i < count; i++) {
        parts[i] = amount < 0 ? -weights[i] : weights[i];
    }

    *left = amount < 0 ? amount + (int64_t) sum : amount - (int64_t) sum;

    return true;
}


/* ISO 4217 currencies in use. Those with four digits (CLF, UYW) and units of
 * account without minor units (XDR, XAU) are no money a shop takes. */
static const char pos_currencies_0[] =
    "BIFCLPDJFGNFISKJPYKMFKRWPYGRWFUGXUYIVNDVUVXAFXOFXPF";
static const char pos_currencies_3[] = "BHDIQDJODKWDLYDOMRTND";
static const char pos_currencies_2[] =
    "AEDAFNALLAMDANGAOAARSAUDAWGAZNBAMBBDBDTBGNBMDBNDBOBBOVBRLBSDBTNBWPBYNBZD"
    "CADCDFCHECHFCHWCNYCOPCOUCRCCUCCUPCVECZKDKKDOPDZDEGPERNETBEURFJDFKPGBPGEL"
    "GHSGIPGMDGTQGYDHKDHNLHTGHUFIDRILSINRIRRJMDKESKGSKHRKPWKYDKZTLAKLBPLKRLRD"
    "LSLMADMDLMGAMKDMMKMNTMOPMRUMURMVRMWKMXNMXVMYRMZNNADNGNNIONOKNPRNZDPABPEN"
    "PGKPHPPKRPLNQARRONRSDRUBSARSBDSCRSDGSEKSGDSHPSLESOSSRDSSPSTNSVCSYPSZLTHB"
    "TJSTMTTOPTRYTTDTWDTZSUAHUSDUSNUYUUZSVEDVESWSTXCDYERZARZMWZWGZWL";


static bool
pos_currency_listed(const char *list, size_t size, pos_str_t code)
{
    size_t i;

    for (i = 0; i + 3 <= size; i += 3) {
        if (memcmp(list + i, code.data, 3) == 0) {
            return true;
        }
    }

    return false;
}


bool
pos_currency_exponent(pos_str_t code, unsigned *exponent)
{
    if (code.len != 3) {
        return false;
    }

    if (pos_currency_listed(pos_currencies_2, sizeof(pos_currencies_2) - 1, code)) {
        *exponent = 2;
        return true;
    }

    if (pos_currency_listed(pos_currencies_0, sizeof(pos_currencies_0) - 1, code)) {
        *exponent = 0;
        return true;
    }

    if (pos_currency_listed(pos_currencies_3, sizeof(pos_currencies_3) - 1, code)) {
        *exponent = 3;
        return true;
    }

    return false;
}
