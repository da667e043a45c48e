/* The price lock's token: see token.h for its layout. */

#include "engine/token.h"

#include <endian.h>

#define VERSION  1
#define FIXED    (1 + 8 + POS_SHA256_SIZE + 3 * 8 + 1)

/* ---- the request's digest ---- */

typedef struct {
    pos_sha256_t hash;
    char         buffer[1024];
    size_t       len;
} digest_t;

static void
add_bytes(digest_t *d, const void *bytes, size_t len)
{
    if (d->len + len > sizeof(d->buffer)) {
        pos_sha256_update(&d->hash, pos_str_of(d->buffer, d->len));
        d->len = 0;
    }
    if (len > sizeof(d->buffer)) {
        pos_sha256_update(&d->hash, pos_str_of(bytes, len));
        return;
    }
    if (len) {
        memcpy(d->buffer + d->len, bytes, len);
        d->len += len;
    }
}

static inline void
put64(uint8_t *out, int64_t n)
{
    uint64_t big = htobe64((uint64_t) n);

    memcpy(out, &big, sizeof(big));
}

static inline void
add_int(digest_t *d, int64_t n)
{
    if (sizeof(d->buffer) - d->len >= sizeof(n)) {
        put64((uint8_t *) d->buffer + d->len, n);
        d->len += sizeof(n);
    } else {
        uint8_t b[8];

        put64(b, n);
        add_bytes(d, b, sizeof(b));
    }
}

static void
add_str(digest_t *d, pos_str_t s)
{
    add_int(d, (int64_t) s.len);
    if (s.len > 0) {
        add_bytes(d, s.data, s.len);
    }
}

static void
add_attributes(digest_t *d, const pos_attribute_t *list, uint32_t count)
{
    add_int(d, count);
    for (uint32_t i = 0; i < count; i++) {
        add_str(d, list[i].name);
        add_str(d, list[i].value);
    }
}

static void
add_set(digest_t *d, const pos_strset_t *set)
{
    add_int(d, set->count);
    for (uint32_t i = 0; i < set->count; i++) {
        add_str(d, set->values[i]);
    }
}

static void
add_line(digest_t *d, const pos_line_t *line)
{
    add_str(d, line->id);
    add_str(d, line->sku);
    add_int(d, line->quantity);
    add_attributes(d, line->attributes, line->attribute_count);
    add_int(d, line->has_override ? line->rare->override_amount : -1);
    add_str(d, line->rare->override_reason);
    add_int(d, line->has_discount ? (int64_t) line->discount_reduce : -1);
    add_int(d, line->discount_value);
    add_str(d, line->rare->discount_reason);
    add_str(d, line->rare->tax_category);
}

pos_status_t
pos_request_digest(const pos_cart_t *cart, uint8_t out[POS_SHA256_SIZE])
{
    digest_t d;

    d.len = 0;
    pos_sha256_init(&d.hash);
    add_str(&d, cart->currency);
    add_str(&d, cart->store ? cart->store->code : (pos_str_t) { NULL, 0 });
    add_str(&d, cart->channel);
    add_str(&d, cart->customer_id);
    add_set(&d, &cart->customer_groups);
    add_int(&d, cart->customer_orders);
    add_int(&d, cart->customer_birthday);
    add_int(&d, cart->tax_exempt);
    add_int(&d, cart->coupon_count);
    for (uint32_t i = 0; i < cart->coupon_count; i++) {
        add_str(&d, cart->coupons[i]);
    }
    add_set(&d, &cart->tenders);
    add_str(&d, cart->fulfilment);
    add_str(&d, cart->ship_country);
    add_str(&d, cart->ship_region);
    add_attributes(&d, cart->attributes, cart->attribute_count);
    add_int(&d, cart->has_shipping ? cart->shipping_amount : -1);
    add_str(&d, cart->shipping_method);
    add_int(&d, cart->line_count);
    for (uint32_t i = 0; i < cart->line_count; i++) {
        add_line(&d, &cart->lines[i]);
    }
    pos_sha256_update(&d.hash, pos_str_of(d.buffer, d.len));
    pos_sha256_final(&d.hash, out);
    return POS_OK;
}

/* ---- the token ---- */

static int64_t
get64(const uint8_t *in)
{
    uint64_t n = 0;

    for (int i = 0; i < 8; i++) {
        n = n << 8 | in[i];
    }
    return (int64_t) n;
}

size_t
pos_token_write(const pos_token_t *t, const pos_hmac_key_t *key, char out[POS_TOKEN_MAX])
{
    uint8_t raw[FIXED + POS_TOKEN_REVISION_MAX + POS_SHA256_SIZE], *p = raw;

    if (t->revision.len > POS_TOKEN_REVISION_MAX) {
        return 0;
    }
    *p++ = VERSION;
    put64(p, t->expires);
    p += 8;
    memcpy(p, t->digest, POS_SHA256_SIZE);
    p += POS_SHA256_SIZE;
    put64(p, t->total);
    put64(p + 8, t->tax);
    put64(p + 16, t->discount);
    p += 24;
    *p++ = (uint8_t) t->revision.len;
    if (t->revision.len) {
        memcpy(p, t->revision.data, t->revision.len);
    }
    p += t->revision.len;
    pos_hmac(key, pos_str_of((const char *) raw, (size_t) (p - raw)), p);
    p += POS_SHA256_SIZE;
    return pos_base64url(pos_str_of((const char *) raw, (size_t) (p - raw)), out);
}

bool
pos_token_read(pos_str_t text, const pos_hmac_key_t *key, uint8_t *raw, pos_token_t *out)
{
    uint8_t mac[POS_SHA256_SIZE];
    size_t  len, revision;

    if (text.len > POS_TOKEN_MAX - 4 || !pos_unbase64url(text, raw, &len) ||
        len < FIXED + POS_SHA256_SIZE || raw[0] != VERSION) {
        return false;
    }
    revision = raw[FIXED - 1];
    if (len != FIXED + revision + POS_SHA256_SIZE) {
        return false;
    }
    pos_hmac(key, pos_str_of((const char *) raw, FIXED + revision), mac);
    if (!pos_equal_secret(mac, raw + FIXED + revision, POS_SHA256_SIZE)) {
        return false;
    }
    out->expires = get64(raw + 1);
    memcpy(out->digest, raw + 9, POS_SHA256_SIZE);
    out->total = get64(raw + 41);
    out->tax = get64(raw + 49);
    out->discount = get64(raw + 57);
    out->revision = pos_str_of((const char *) raw + FIXED, revision);
    return true;
}
