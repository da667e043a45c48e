/*
 * Digests and checksums. SHA-256 and HMAC by OpenSSL, CRC32C (RFC 3720) by
 * the processor where it can, and a fast hash for tables in memory (never
 * stored, never trusted: equal hashes are followed by a comparison).
 */

#ifndef POS_HASH_H
#define POS_HASH_H

#include "base/base.h"

#define POS_SHA256_SIZE  32

typedef struct { uint64_t opaque[16]; } pos_sha256_t;   /* >= SHA256_CTX */

void pos_sha256_init(pos_sha256_t *ctx);
void pos_sha256_update(pos_sha256_t *ctx, pos_str_t bytes);
void pos_sha256_final(pos_sha256_t *ctx, uint8_t out[POS_SHA256_SIZE]);
void pos_sha256(pos_str_t bytes, uint8_t out[POS_SHA256_SIZE]);

/* HMAC-SHA-256 with the key's two inner states made once. */
typedef struct { pos_sha256_t inner, outer; } pos_hmac_key_t;
void pos_hmac_key(pos_hmac_key_t *key, pos_str_t secret);
void pos_hmac(const pos_hmac_key_t *key, pos_str_t bytes,
    uint8_t out[POS_SHA256_SIZE]);
/* Takes the same time whatever differs. */
bool pos_equal_secret(const uint8_t *a, const uint8_t *b, size_t len);

/* Goes on from `crc`, the result over the bytes before (0 at the start). */
uint32_t pos_crc32c(uint32_t crc, pos_str_t bytes);
/* The same by table, whatever the processor can. */
uint32_t pos_crc32c_portable(uint32_t crc, pos_str_t bytes);
uint64_t pos_hash64(pos_str_t bytes);
/* For tables over names a client chooses: with a seed it cannot know, it
 * cannot pick names that collide. */
uint64_t pos_hash64_seeded(pos_str_t bytes, uint64_t seed);

void pos_hex(pos_str_t bytes, char *out);                 /* 2 * len, lower */
bool pos_unhex(pos_str_t hex, uint8_t *out);              /* len / 2 bytes  */
size_t pos_base64url(pos_str_t bytes, char *out);         /* no padding     */
bool pos_unbase64url(pos_str_t text, uint8_t *out, size_t *len);

/* "ord_" + ULID (Crockford base 32, 26 characters): sorts by time. `out` has
 * room for the prefix and 27 bytes; randomness is the caller's 10 bytes. */
void pos_id_write(const char *prefix, int64_t unix_us,
    const uint8_t random[10], char *out);

#endif
