/*
 * Bytes as text: hex, base64url (RFC 4648) and ULIDs.
 */

#include "base/hash.h"


void
pos_hex(pos_str_t bytes, char *out)
{
    static const char digits[] = "0123456789abcdef";
    size_t            i;

    for (i = 0; i < bytes.len; i++) {
        out[2 * i] = digits[(uint8_t) bytes.data[i] >> 4];
        out[2 * i + 1] = digits[(uint8_t) bytes.data[i] & 15];
    }
}


static int
pos_unhex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }

    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }

    return -1;
}


bool
pos_unhex(pos_str_t hex, uint8_t *out)
{
    int    high, low;
    size_t i;

    if (hex.len % 2) {
        return false;
    }

    for (i = 0; i < hex.len; i += 2) {
        high = pos_unhex_digit(hex.data[i]);
        low = pos_unhex_digit(hex.data[i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }

        out[i / 2] = (uint8_t) (high << 4 | low);
    }

    return true;
}


static const char pos_base64url_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


size_t
pos_base64url(pos_str_t bytes, char *out)
{
    char          *p = out;
    size_t         i;
    unsigned       bits = 0;
    uint32_t       buffer = 0;

    for (i = 0; i < bytes.len; i++) {
        buffer = buffer << 8 | (uint8_t) bytes.data[i];
        bits += 8;

        while (bits >= 6) {
            bits -= 6;
            *p++ = pos_base64url_digits[(buffer >> bits) & 63];
        }
    }

    if (bits) {
        *p++ = pos_base64url_digits[(buffer << (6 - bits)) & 63];
    }

    return (size_t) (p - out);
}


static int
pos_unbase64url_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }

    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }

    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }

    return c == '-' ? 62 : c == '_' ? 63 : -1;
}


/* Strict: one text a value, so left-over bits must be zero. */
bool
pos_unbase64url(pos_str_t text, uint8_t *out, size_t *len)
{
    int      digit;
    size_t   i, n = 0;
    unsigned bits = 0;
    uint32_t buffer = 0;

    if (text.len % 4 == 1) {
        return false;
    }

    for (i = 0; i < text.len; i++) {
        digit = pos_unbase64url_digit(text.data[i]);
        if (digit < 0) {
            return false;
        }

        buffer = buffer << 6 | (uint32_t) digit;
        bits += 6;

        if (bits >= 8) {
            bits -= 8;
            out[n++] = (uint8_t) (buffer >> bits);
        }
    }

    if (buffer & ((1u << bits) - 1)) {
        return false;
    }

    *len = n;

    return true;
}


static void
pos_crockford(uint64_t value, unsigned count, char *out)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    while (count--) {
        out[count] = digits[value & 31];
        value >>= 5;
    }
}


void
pos_id_write(const char *prefix, int64_t unix_us, const uint8_t random[10], char *out)
{
    size_t   i, n = strlen(prefix);
    uint64_t high = 0, low = 0, ms = unix_us > 0 ? (uint64_t) unix_us / 1000 : 0;

    for (i = 0; i < 5; i++) {
        high = high << 8 | random[i];
        low = low << 8 | random[i + 5];
    }

    memcpy(out, prefix, n);
    pos_crockford(ms & ((UINT64_C(1) << 48) - 1), 10, out + n);
    pos_crockford(high, 8, out + n + 10);
    pos_crockford(low, 8, out + n + 18);
    out[n + 26] = '\0';
}
