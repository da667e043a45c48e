/*
 * Coupons' codes: a pattern with each # replaced by a letter that nobody could
 * have guessed, the last one by a check letter over those before.
 */

#ifndef POS_POSD_COUPON_CODES_H
#define POS_POSD_COUPON_CODES_H

#include "base/base.h"

/* None is taken for another, and they spell no word. 19, a prime: see
 * sql/api/coupon_batches.sql, which checks codes by the same sum. */
#define POS_CODE_LETTERS      "CDFHJKMNPRTVWXY3479"
#define POS_CODE_LETTER_COUNT 19
#define POS_CODE_PATTERN_MAX  64

typedef struct {
    char     pattern[POS_CODE_PATTERN_MAX + 1];
    size_t   len;
    size_t   places[POS_CODE_PATTERN_MAX];     /* where the # are            */
    size_t   count;
    uint8_t  random[4096];                     /* of the kernel, not used yet */
    size_t   random_at;
} pos_codes_t;

/* POS_INVALID: too long, or fewer than two #. */
pos_status_t pos_codes_init(pos_codes_t *codes, const char *pattern) POS_MUSTCHECK;
/* Writes one code, `codes->len` bytes, no zero behind. All codes of the pattern are
 * equally likely. POS_BROKEN: the kernel gives no random bytes. */
pos_status_t pos_codes_draw(pos_codes_t *codes, char *out) POS_MUSTCHECK;

#endif
