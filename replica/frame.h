/*
 * How everything stored is framed: CRC32C, layout version, payload. And the
 * bounded cursors that read and write payloads: bytes from a file are not
 * trusted, so a reader never moves past the end; it turns `bad` and stays so.
 *
 *   0  u32  CRC32C of all that follows, little endian
 *   4  u8   layout version
 *   5  ...  payload
 */

#ifndef POS_REPLICA_FRAME_H
#define POS_REPLICA_FRAME_H

#include "base/base.h"
#include "base/hash.h"

#define POS_FRAME_SIZE     5
#define POS_FRAME_LAYOUT   1

/* Writes the frame's head before `payload_len` bytes that stand at
 * buffer + POS_FRAME_SIZE already. */
void pos_frame_seal(uint8_t *buffer, size_t payload_len);
/* The payload, or false for wrong length, layout or checksum. */
bool pos_frame_open(pos_str_t framed, pos_str_t *payload) POS_MUSTCHECK;

typedef struct {
    const uint8_t *pos;
    const uint8_t *end;
    bool           bad;
} pos_bytes_in_t;

typedef struct {
    uint8_t *start;
    uint8_t *pos;
    uint8_t *end;
    bool     full;       /* something did not fit: the result is worthless */
} pos_bytes_out_t;

static inline size_t
pos_in_left(const pos_bytes_in_t *in)
{
    return (size_t) (in->end - in->pos);
}

static inline uint8_t
pos_in_u8(pos_bytes_in_t *in)
{
    if (in->pos == in->end) {
        in->bad = true;
        return 0;
    }

    return *in->pos++;
}

uint64_t pos_in_varint_long(pos_bytes_in_t *in);

/* LEB128, at most 10 bytes. */
static inline uint64_t
pos_in_varint(pos_bytes_in_t *in)
{
    if (in->pos != in->end && *in->pos < 0x80) {
        return *in->pos++;
    }

    return pos_in_varint_long(in);
}

/* Zigzag: small negatives stay small. */
static inline int64_t
pos_in_int(pos_bytes_in_t *in)
{
    uint64_t u = pos_in_varint(in);

    return (int64_t) ((u >> 1) ^ (~(u & 1) + 1));
}

/* A length and its bytes, which stay where they are. */
static inline pos_str_t
pos_in_str(pos_bytes_in_t *in)
{
    uint64_t  n = pos_in_varint(in);
    pos_str_t s;

    if (n > pos_in_left(in)) {
        in->bad = true;
        return (pos_str_t) { "", 0 };
    }

    s = pos_str_of((const char *) in->pos, (size_t) n);
    in->pos += n;
    return s;
}

/* A count of things that take at least `least` bytes each: one that could not
 * fit in what is left is refused before anybody allocates for it. */
static inline uint32_t
pos_in_count(pos_bytes_in_t *in, size_t least)
{
    uint64_t n = pos_in_varint(in);

    if (n > pos_in_left(in) / least) {
        in->bad = true;
        return 0;
    }

    return (uint32_t) n;
}

void pos_in_raw(pos_bytes_in_t *in, void *out, size_t len);
uint64_t pos_in_u64(pos_bytes_in_t *in);

void pos_out_u8(pos_bytes_out_t *out, uint8_t v);
void pos_out_varint(pos_bytes_out_t *out, uint64_t v);
void pos_out_int(pos_bytes_out_t *out, int64_t v);
void pos_out_str(pos_bytes_out_t *out, pos_str_t s);
void pos_out_raw(pos_bytes_out_t *out, const void *data, size_t len);
void pos_out_u64(pos_bytes_out_t *out, uint64_t v);

#endif
