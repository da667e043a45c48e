/*
 * The SKU record: a product and all its price rows, of all lists, in a few
 * hundred bytes, so that one get prices a line. Payload of a frame (frame.h):
 *
 *   u8      flags: 1 has cost, 2 has minimum price, 4 has weight,
 *                  8 unit is text (else bits 4-5: each, kg, l, m)
 *   str     sku, name, brand, tax category [, unit]
 *   int     [cost] [minimum price] [weight in grams]
 *   counts  categories, tags, attributes, fees, lists, prices
 *   ...     the strings; pairs; fees (code, amount, tax category); lists' codes
 *   prices: list's index · u8 flags (1 sale, 2 from, 4 until, 8 minimum other
 *           than 1) · int amount · [int minimum] · [u64 from] · [u64 until]
 *
 * Integers are varints, amounts zigzag; u64 little endian.
 */

#ifndef POS_REPLICA_SKU_H
#define POS_REPLICA_SKU_H

#include "engine/book.h"
#include "replica/frame.h"

#define POS_SKU_RECORD_MAX  (1024 * 1024)

/* Writes a whole framed record; `*len` is its size. POS_LIMIT: over `size`. */
pos_status_t pos_sku_encode(const pos_product_t *product, uint8_t *buffer,
    size_t size, size_t *len) POS_MUSTCHECK;

/* Is this the record of that SKU? Before its frame is opened. */
bool pos_sku_is(pos_str_t framed, pos_str_t sku);

/* Decodes a frame's payload. Strings point into it; one allocation from the
 * arena holds the rest. POS_BROKEN: not such a record. */
pos_status_t pos_sku_decode(pos_str_t payload, pos_arena_t *arena,
    const pos_product_t **out) POS_MUSTCHECK;

#endif
