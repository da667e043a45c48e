/*
 * Drawing coupons' codes.
 */

#include "posd/coupon_codes.h"

#include <errno.h>
#include <sys/random.h>

/* The most whole times that the letters go into a byte: above, it is drawn again,
 * or the first letters would come more often. */
#define CODES_FAIR  (256 / POS_CODE_LETTER_COUNT * POS_CODE_LETTER_COUNT)


pos_status_t
pos_codes_init(pos_codes_t *codes, const char *pattern)
{
    size_t i;

    codes->len = strlen(pattern);
    codes->count = 0;
    codes->random_at = sizeof(codes->random);
    if (codes->len > POS_CODE_PATTERN_MAX) {
        return POS_INVALID;
    }

    memcpy(codes->pattern, pattern, codes->len + 1);
    for (i = 0; i < codes->len; i++) {
        if (pattern[i] == '#') {
            codes->places[codes->count++] = i;
        }
    }

    return codes->count < 2 ? POS_INVALID : POS_OK;
}


static pos_status_t
codes_fill(pos_codes_t *codes)
{
    size_t  have = 0;
    ssize_t n;

    while (have < sizeof(codes->random)) {
        n = getrandom(codes->random + have, sizeof(codes->random) - have, 0);
        if (n < 0 && errno != EINTR) {
            return POS_BROKEN;
        }
        have += n > 0 ? (size_t) n : 0;
    }

    codes->random_at = 0;
    return POS_OK;
}


static pos_status_t
codes_letter(pos_codes_t *codes, unsigned *out)
{
    pos_status_t status;

    do {
        if (codes->random_at == sizeof(codes->random)) {
            status = codes_fill(codes);
            if (status != POS_OK) {
                return status;
            }
        }
        *out = codes->random[codes->random_at++];
    } while (*out >= CODES_FAIR);

    *out %= POS_CODE_LETTER_COUNT;
    return POS_OK;
}


/* With each letter that follows, those before weigh twice as much: Horner's way to
 * the sum of letter * 2^place, which the last one, of weight 1, makes 0. */
pos_status_t
pos_codes_draw(pos_codes_t *codes, char *out)
{
    static const char letters[] = POS_CODE_LETTERS;
    pos_status_t      status;
    unsigned          letter, sum = 0;
    size_t            i;

    memcpy(out, codes->pattern, codes->len);
    for (i = 0; i + 1 < codes->count; i++) {
        status = codes_letter(codes, &letter);
        if (status != POS_OK) {
            return status;
        }
        out[codes->places[i]] = letters[letter];
        sum = (sum + letter) * 2 % POS_CODE_LETTER_COUNT;
    }

    letter = (POS_CODE_LETTER_COUNT - sum) % POS_CODE_LETTER_COUNT;
    out[codes->places[i]] = letters[letter];
    return POS_OK;
}
