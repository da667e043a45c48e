/* A coupon's framed record. */

#include "replica/sku.h"
#include "replica/writer.h"


pos_status_t
pos_coupon_encode(const pos_coupon_t *c, uint8_t *buffer, size_t size,
    size_t *len)
{
    pos_bytes_out_t out;
    uint32_t        i;

    if (size < POS_FRAME_SIZE) {
        return POS_LIMIT;
    }

    out = (pos_bytes_out_t) { buffer + POS_FRAME_SIZE, buffer + POS_FRAME_SIZE,
                              buffer + size, false };
    pos_out_str(&out, c->code);
    pos_out_int(&out, c->remaining);
    pos_out_int(&out, c->per_customer);
    pos_out_int(&out, c->from);
    pos_out_int(&out, c->until);
    pos_out_varint(&out, c->promotion_count);
    for (i = 0; i < c->promotion_count; i++) {
        pos_out_str(&out, c->promotions[i]);
    }

    if (out.full) {
        return POS_LIMIT;
    }

    pos_frame_seal(buffer, (size_t) (out.pos - out.start));
    *len = (size_t) (out.pos - buffer);
    return POS_OK;
}
