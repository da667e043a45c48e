/*
 * Keys, heads and the clock, as they stand in the files.
 */

#include "replica/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name;
    uint8_t     stored;
    bool        small;
} kinds[POS_KIND_COUNT] = {
    [POS_KIND_RETAILER]   = { "retailer",   1,  true  },
    [POS_KIND_STORE]      = { "store",      2,  true  },
    [POS_KIND_CATEGORY]   = { "category",   3,  true  },
    [POS_KIND_PRICE_LIST] = { "price_list", 4,  true  },
    [POS_KIND_TAX]        = { "tax",        5,  true  },
    [POS_KIND_EXPERIMENT] = { "experiment", 6,  true  },
    [POS_KIND_PROMOTION]  = { "promotion",  7,  true  },
    [POS_KIND_COUPON]     = { "coupon",     8,  false },
    [POS_KIND_SKU]        = { "sku",        9,  false },
    [POS_KIND_KEY]        = { "key",        10, false },
    [POS_KIND_ZONE]       = { "zone",       11, true  }
};


const char *
pos_kind_name(pos_kind_t kind)
{
    return (unsigned) kind < POS_KIND_COUNT ? kinds[kind].name : "?";
}


bool
pos_kind_of(pos_str_t name, pos_kind_t *out)
{
    unsigned i;

    for (i = 0; i < POS_KIND_COUNT; i++) {
        if (pos_str_eq(name, pos_str_z(kinds[i].name))) {
            *out = (pos_kind_t) i;
            return true;
        }
    }

    return false;
}


uint8_t
pos_store_kind(pos_kind_t kind)
{
    return kinds[kind].stored;
}


bool
pos_store_kind_of(uint8_t stored, pos_kind_t *out)
{
    unsigned i;

    for (i = 0; i < POS_KIND_COUNT; i++) {
        if (kinds[i].stored == stored) {
            *out = (pos_kind_t) i;
            return true;
        }
    }

    return false;
}


bool
pos_store_is_small(pos_kind_t kind)
{
    return kinds[kind].small;
}


void
pos_store_put_u32(uint8_t *out, uint32_t v)
{
    out[0] = (uint8_t) (v >> 24);
    out[1] = (uint8_t) (v >> 16);
    out[2] = (uint8_t) (v >> 8);
    out[3] = (uint8_t) v;
}


uint32_t
pos_store_get_u32(const uint8_t *in)
{
    return (uint32_t) in[0] << 24 | (uint32_t) in[1] << 16
           | (uint32_t) in[2] << 8 | (uint32_t) in[3];
}


/* Coupons match whatever their case, so they are kept in upper case. */
static void
store_fold(uint8_t *key, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (key[i] >= 'a' && key[i] <= 'z') {
            key[i] = (uint8_t) (key[i] - 'a' + 'A');
        }
    }
}


bool
pos_store_row_key(pos_store_key_t *out, uint32_t no, uint32_t generation,
    pos_kind_t kind, pos_str_t key)
{
    if (key.len > POS_STORE_KEY_MAX) {
        return false;
    }

    pos_store_put_u32(out->bytes, no);
    pos_store_put_u32(out->bytes + 4, generation);
    out->bytes[8] = kinds[kind].stored;
    if (key.len > 0) {
        memcpy(out->bytes + POS_STORE_PREFIX, key.data, key.len);
    }
    if (kind == POS_KIND_COUPON) {
        store_fold(out->bytes + POS_STORE_PREFIX, key.len);
    }

    out->len = POS_STORE_PREFIX + key.len;
    return true;
}


size_t
pos_store_head_write(const pos_store_head_t *h, uint8_t buffer[POS_STORE_HEAD_MAX])
{
    pos_bytes_out_t out = { buffer + POS_FRAME_SIZE, buffer + POS_FRAME_SIZE,
                            buffer + POS_STORE_HEAD_MAX, false };
    unsigned        i;

    pos_out_str(&out, pos_str_z(h->head.id));
    pos_out_str(&out, pos_str_z(h->head.epoch));
    pos_out_varint(&out, h->head.generation);
    pos_out_varint(&out, h->building);
    pos_out_int(&out, h->head.rev);
    pos_out_raw(&out, h->head.hash, POS_SHA256_SIZE);
    pos_out_int(&out, h->head.source_time);
    pos_out_int(&out, h->head.applied_time);
    pos_out_raw(&out, h->head.small, POS_SHA256_SIZE);
    pos_out_varint(&out, POS_KIND_COUNT);
    for (i = 0; i < POS_KIND_COUNT; i++) {
        pos_out_varint(&out, h->head.rows[i]);
    }

    /* The sum of all maxima is below POS_STORE_HEAD_MAX. */
    pos_frame_seal(buffer, (size_t) (out.pos - out.start));
    return (size_t) (out.pos - buffer);
}


static void
store_text(pos_bytes_in_t *in, char *out, size_t max)
{
    pos_str_t s = pos_in_str(in);

    if (s.len > max) {
        in->bad = true;
        s.len = 0;
    }

    memcpy(out, s.data, s.len);
    out[s.len] = '\0';
}


bool
pos_store_head_read(pos_str_t framed, uint32_t no, pos_store_head_t *h)
{
    pos_bytes_in_t in;
    pos_str_t      payload;
    unsigned       i;

    memset(h, 0, sizeof(*h));
    h->head.no = no;
    if (!pos_frame_open(framed, &payload)) {
        return false;
    }

    in = (pos_bytes_in_t) { (const uint8_t *) payload.data,
                            (const uint8_t *) payload.data + payload.len,
                            false };
    store_text(&in, h->head.id, POS_RETAILER_ID_MAX);
    store_text(&in, h->head.epoch, POS_EPOCH_MAX);
    h->head.generation = (uint32_t) pos_in_varint(&in);
    h->building = (uint32_t) pos_in_varint(&in);
    h->head.rev = pos_in_int(&in);
    pos_in_raw(&in, h->head.hash, POS_SHA256_SIZE);
    h->head.source_time = pos_in_int(&in);
    h->head.applied_time = pos_in_int(&in);
    pos_in_raw(&in, h->head.small, POS_SHA256_SIZE);
    if (pos_in_varint(&in) != POS_KIND_COUNT) {
        return false;
    }
    for (i = 0; i < POS_KIND_COUNT; i++) {
        h->head.rows[i] = pos_in_varint(&in);
    }

    return !in.bad && in.pos == in.end;
}


size_t
pos_store_clock_write(const pos_store_clock_t *c, uint8_t buffer[POS_STORE_CLOCK_MAX])
{
    pos_bytes_out_t out = { buffer + POS_FRAME_SIZE, buffer + POS_FRAME_SIZE,
                            buffer + POS_STORE_CLOCK_MAX, false };

    pos_out_int(&out, c->db_time);
    pos_out_int(&out, c->boot_time);
    pos_out_int(&out, c->wall_time);
    pos_out_int(&out, c->fresh_time);
    pos_out_raw(&out, c->boot_id, 16);
    pos_out_u8(&out, c->state);

    pos_frame_seal(buffer, (size_t) (out.pos - out.start));
    return (size_t) (out.pos - buffer);
}


bool
pos_store_clock_read(pos_str_t framed, pos_store_clock_t *c)
{
    pos_bytes_in_t in;
    pos_str_t      payload;

    if (!pos_frame_open(framed, &payload)) {
        return false;
    }

    in = (pos_bytes_in_t) { (const uint8_t *) payload.data,
                            (const uint8_t *) payload.data + payload.len,
                            false };
    c->db_time = pos_in_int(&in);
    c->boot_time = pos_in_int(&in);
    c->wall_time = pos_in_int(&in);
    c->fresh_time = pos_in_int(&in);
    pos_in_raw(&in, c->boot_id, 16);
    c->state = pos_in_u8(&in);

    return !in.bad && in.pos == in.end && c->state <= POS_REPLICA_STOPPED;
}


static int64_t
store_clock(clockid_t id)
{
    struct timespec ts;

    clock_gettime(id, &ts);
    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


int64_t
pos_store_boottime(void)
{
    return store_clock(CLOCK_BOOTTIME);
}


int64_t
pos_store_walltime(void)
{
    return store_clock(CLOCK_REALTIME);
}


/* All zero when the kernel does not say: then no two boots count as the same
 * but this one's own. */
void
pos_store_boot_id(uint8_t out[16])
{
    char    text[40], hex[32];
    ssize_t n;
    size_t  i, j = 0;
    int     fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(out, 0, 16);
    if (fd < 0) {
        return;
    }

    n = read(fd, text, sizeof(text));
    close(fd);
    for (i = 0; n > 0 && i < (size_t) n && j < sizeof(hex); i++) {
        if (text[i] != '-' && text[i] != '\n') {
            hex[j++] = text[i];
        }
    }

    if (j != sizeof(hex) || !pos_unhex(pos_str_of(hex, j), out)) {
        memset(out, 0, 16);
    }
}


pos_status_t
pos_store_current(const char *dir, uint32_t *number)
{
    char          path[POS_STORE_PATH_MAX], text[64], *end;
    unsigned long n;
    ssize_t       len;
    int           fd;

    snprintf(path, sizeof(path), "%s/current", dir);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? POS_NOT_FOUND : POS_BROKEN;
    }

    len = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (len < 6 || memcmp(text, "book.", 5) != 0) {
        return POS_BROKEN;
    }

    text[len] = '\0';
    n = strtoul(text + 5, &end, 10);
    if (n == 0 || n >= UINT32_MAX || strncmp(end, ".mdb", 4) != 0) {
        return POS_BROKEN;
    }

    *number = (uint32_t) n;
    return POS_OK;
}


void
pos_store_book_path(const char *dir, uint32_t number, const char *suffix,
    char out[POS_STORE_PATH_MAX])
{
    snprintf(out, POS_STORE_PATH_MAX, "%s/book.%u.mdb%s", dir,
             (unsigned) number, suffix);
}
