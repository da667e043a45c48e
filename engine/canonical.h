/*
 * A JSON document's canonical form, hashed: members by name in byte order, no
 * white space, numbers without trailing zeros. Two documents that say the same
 * in another lay-out have one digest.
 */

#ifndef POS_CANONICAL_H
#define POS_CANONICAL_H

#include "base/hash.h"
#include "base/json.h"

/* POS_NO_MEMORY or POS_OK; `scratch` holds the orders of members meanwhile. */
pos_status_t pos_canonical_sha256(const pos_json_t *json, pos_arena_t *scratch,
    uint8_t out[POS_SHA256_SIZE]) POS_MUSTCHECK;

#endif
