#define _GNU_SOURCE
/*
 * The record of a product: small, whole again when it is read, and refused without
 * harm when it is damaged.
 */

#include "replica/t/fixture.h"


static bool
same_product(const pos_product_t *a, const pos_product_t *b)
{
    uint32_t i;

    if (!pos_str_eq(a->sku, b->sku) || !pos_str_eq(a->name, b->name)
        || !pos_str_eq(a->brand, b->brand) || !pos_str_eq(a->unit, b->unit)
        || !pos_str_eq(a->tax_category, b->tax_category)
        || a->measured != b->measured || a->has_cost != b->has_cost
        || a->cost != b->cost || a->min_price != b->min_price
        || a->weight_grams != b->weight_grams
        || a->category_count != b->category_count || a->tag_count != b->tag_count
        || a->attribute_count != b->attribute_count
        || a->fee_count != b->fee_count || a->price_count != b->price_count)
    {
        return false;
    }

    for (i = 0; i < a->price_count; i++) {
        if (!pos_str_eq(a->prices[i].list, b->prices[i].list)
            || a->prices[i].amount != b->prices[i].amount
            || a->prices[i].min_quantity != b->prices[i].min_quantity
            || a->prices[i].from != b->prices[i].from
            || a->prices[i].until != b->prices[i].until
            || a->prices[i].sale != b->prices[i].sale)
        {
            return false;
        }
    }

    return pos_str_eq(a->categories[1], b->categories[1])
           && pos_str_eq(a->attributes[0].value, b->attributes[0].value)
           && a->fees[0].amount == b->fees[0].amount;
}


static void
test_record(void)
{
    const pos_product_t *out;
    pos_product_t        p = sample("S1", 4999);
    pos_str_t            payload;
    uint8_t              buffer[2048];
    size_t               len;
    int64_t              start;
    int                  i;

    is_int(pos_sku_encode(&p, buffer, sizeof(buffer), &len), POS_OK, "a product is encoded");
    ok(len < 350, "its record with four prices is small: %zu bytes", len);
    ok(pos_frame_open(pos_str_of((char *) buffer, len), &payload), "the frame opens");
    is_int(pos_sku_decode(payload, arena, &out), POS_OK, "it decodes");
    ok(same_product(&p, out), "to the same product");

    p.unit = pos_str("metre");
    p.measured = true;
    p.min_price = 5;
    p.has_cost = false;
    p.cost = 0;
    is_int(pos_sku_encode(&p, buffer, sizeof(buffer), &len), POS_OK, "another unit, too");
    ok(pos_frame_open(pos_str_of((char *) buffer, len), &payload)
       && pos_sku_decode(payload, arena, &out) == POS_OK && same_product(&p, out),
       "is the same again");
    is_int(pos_sku_encode(&p, buffer, 40, &len), POS_LIMIT, "no room: a limit, not an overrun");

    p = sample("S1", 4999);
    is_int(pos_sku_encode(&p, buffer, sizeof(buffer), &len), POS_OK, "encoded");
    start = tap_cpu_ns();
    for (i = 0; i < 200000; i++) {
        if ((i & 63) == 0) {
            pos_arena_reset(arena);
        }
        if (!pos_frame_open(pos_str_of((char *) buffer, len), &payload)
            || pos_sku_decode(payload, arena, &out) != POS_OK)
        {
            break;
        }
    }
    start = tap_cpu_ns() - start;
    is_int(i, 200000, "decoded 200,000 times");
    printf("# %lld ns to check and decode a record of four prices\n", (long long) start / 200000);
}

/* With a right checksum, so that the decoder itself sees the damage. */
static void
test_record_damaged(void)
{
    const pos_product_t *out;
    pos_product_t        p = sample("S1", 4999);
    pos_str_t            payload;
    uint8_t              buffer[2048], copy[2048];
    uint64_t             seed = 42;
    size_t               len, n, i;
    unsigned             round, refused = 0, opened = 0;

    is_int(pos_sku_encode(&p, buffer, sizeof(buffer), &len), POS_OK, "encoded");
    for (i = 0; i < 8 * len; i++) {
        memcpy(copy, buffer, len);
        copy[i / 8] ^= (uint8_t) (1 << (i % 8));
        opened += pos_frame_open(pos_str_of((char *) copy, len), &payload);
    }
    is_int(opened, 0, "every single flipped bit is noticed");

    for (round = 0; round < 200000; round++) {
        memcpy(copy, buffer, len);
        n = chance(&seed) % 4 == 0 ? 5 + chance(&seed) % (len - 5) : len;
        for (i = chance(&seed) % 6; i > 0; i--) {
            copy[5 + chance(&seed) % (len - 5)] = (uint8_t) chance(&seed);
        }
        pos_arena_reset(arena);
        refused += pos_sku_decode(pos_str_of((char *) copy + 5, n - 5), arena, &out) != POS_OK;
    }
    ok(refused > 1000, "200,000 damaged records, %u refused, no crash", refused);
}


int
main(void)
{
    replica_begin();
    test_record();
    test_record_damaged();
    return replica_done();
}
