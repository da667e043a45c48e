/*
 * Frames and bounded byte cursors.
 */

#include "replica/frame.h"


void
pos_frame_seal(uint8_t *buffer, size_t payload_len)
{
    uint32_t crc;

    buffer[4] = POS_FRAME_LAYOUT;
    crc = pos_crc32c(0, pos_str_of((const char *) buffer + 4, payload_len + 1));
    buffer[0] = (uint8_t) crc;
    buffer[1] = (uint8_t) (crc >> 8);
    buffer[2] = (uint8_t) (crc >> 16);
    buffer[3] = (uint8_t) (crc >> 24);
}


bool
pos_frame_open(pos_str_t framed, pos_str_t *payload)
{
    const uint8_t *b = (const uint8_t *) framed.data;
    uint32_t       crc;

    if (framed.len < POS_FRAME_SIZE || b[4] != POS_FRAME_LAYOUT) {
        return false;
    }

    crc = (uint32_t) b[0] | (uint32_t) b[1] << 8 | (uint32_t) b[2] << 16
          | (uint32_t) b[3] << 24;
    if (crc != pos_crc32c(0, pos_str_of(framed.data + 4, framed.len - 4))) {
        return false;
    }

    *payload = pos_str_of(framed.data + POS_FRAME_SIZE,
                          framed.len - POS_FRAME_SIZE);
    return true;
}


uint64_t
pos_in_varint_long(pos_bytes_in_t *in)
{
    uint64_t v = 0;
    unsigned shift;
    uint8_t  b;

    for (shift = 0; shift < 64; shift += 7) {
        b = pos_in_u8(in);
        if (shift == 63 && b > 1) {
            break;
        }
        v |= (uint64_t) (b & 0x7f) << shift;
        if (b < 0x80) {
            return v;
        }
    }

    in->bad = true;
    return 0;
}


void
pos_in_raw(pos_bytes_in_t *in, void *out, size_t len)
{
    if (len > pos_in_left(in)) {
        in->bad = true;
        memset(out, 0, len);
        return;
    }

    memcpy(out, in->pos, len);
    in->pos += len;
}


uint64_t
pos_in_u64(pos_bytes_in_t *in)
{
    uint8_t  b[8];
    uint64_t v = 0;
    int      i;

    pos_in_raw(in, b, 8);
    for (i = 7; i >= 0; i--) {
        v = v << 8 | b[i];
    }

    return v;
}


void
pos_out_u8(pos_bytes_out_t *out, uint8_t v)
{
    if (out->pos == out->end) {
        out->full = true;
        return;
    }

    *out->pos++ = v;
}


void
pos_out_varint(pos_bytes_out_t *out, uint64_t v)
{
    while (v >= 0x80) {
        pos_out_u8(out, (uint8_t) (v | 0x80));
        v >>= 7;
    }

    pos_out_u8(out, (uint8_t) v);
}


void
pos_out_int(pos_bytes_out_t *out, int64_t v)
{
    uint64_t u = (uint64_t) v;

    pos_out_varint(out, (u << 1) ^ (v < 0 ? UINT64_MAX : 0));
}


void
pos_out_str(pos_bytes_out_t *out, pos_str_t s)
{
    pos_out_varint(out, s.len);
    pos_out_raw(out, s.data, s.len);
}


void
pos_out_raw(pos_bytes_out_t *out, const void *data, size_t len)
{
    if (len > (size_t) (out->end - out->pos)) {
        out->full = true;
        return;
    }

    if (len > 0) {
        memcpy(out->pos, data, len);
        out->pos += len;
    }
}


void
pos_out_u64(pos_bytes_out_t *out, uint64_t v)
{
    uint8_t b[8];
    int     i;

    for (i = 0; i < 8; i++) {
        b[i] = (uint8_t) (v >> (8 * i));
    }

    pos_out_raw(out, b, 8);
}
