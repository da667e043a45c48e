/*
 * The price lock: a quote's totals, signed with the retailer's key.
 *
 * base64url of: version (1 byte, 1), expiry (8 bytes, µs UTC, big endian), the
 * request's digest (32), total, tax, discount (8 each, big endian), the length
 * of the revision (1) and the revision, HMAC-SHA-256 of all before it (32).
 */

#ifndef POS_TOKEN_H
#define POS_TOKEN_H

#include "engine/total.h"

typedef struct {
    int64_t   expires;
    uint8_t   digest[POS_SHA256_SIZE];
    int64_t   total, tax, discount;
    pos_str_t revision;
} pos_token_t;

#define POS_TOKEN_REVISION_MAX  128
#define POS_TOKEN_MAX           384    /* characters */

/* SHA-256 over what a cart asks for, independent of how it was written. */
pos_status_t pos_request_digest(const pos_cart_t *cart, uint8_t out[POS_SHA256_SIZE]) POS_MUSTCHECK;
/* Returns the length, or 0 when the revision is too long. */
size_t pos_token_write(const pos_token_t *token, const pos_hmac_key_t *key, char out[POS_TOKEN_MAX]);
/* False: not ours, damaged or changed. The revision points into `scratch`,
 * which has POS_TOKEN_MAX bytes. Whether it expired is the caller's to say. */
bool pos_token_read(pos_str_t text, const pos_hmac_key_t *key, uint8_t *scratch, pos_token_t *out)
    POS_MUSTCHECK;

#endif
