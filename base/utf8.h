/*
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, none above
 * U+10FFFF.
 */

#ifndef POS_UTF8_H
#define POS_UTF8_H

#include "base/base.h"

static inline bool
pos_utf8_tail(char c)
{
    return ((unsigned char) c & 0xC0) == 0x80;
}

/* Bytes of the code point at `p`; 0 when it is not well formed. */
static inline size_t
pos_utf8_len(const char *p, size_t len)
{
    unsigned char a = len > 0 ? (unsigned char) p[0] : 0xFF;
    unsigned char b = len > 1 ? (unsigned char) p[1] : 0;

    if (a < 0x80) {
        return 1;
    }

    if (a < 0xC2 || a > 0xF4 || len < 2 || (b & 0xC0) != 0x80) {
        return 0;
    }

    if (a < 0xE0) {
        return 2;
    }

    if ((a == 0xE0 && b < 0xA0) || (a == 0xED && b > 0x9F) || (a == 0xF0 && b < 0x90)
        || (a == 0xF4 && b > 0x8F) || len < 3 || !pos_utf8_tail(p[2])) {
        return 0;
    }

    if (a < 0xF0) {
        return 3;
    }

    return len > 3 && pos_utf8_tail(p[3]) ? 4 : 0;
}

/* Writes one code point (valid, no surrogate); returns its bytes. */
static inline size_t
pos_utf8_put(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char) c;
        return 1;
    }

    if (c < 0x800) {
        out[0] = (char) (0xC0 | c >> 6);
        out[1] = (char) (0x80 | (c & 0x3F));
        return 2;
    }

    if (c < 0x10000) {
        out[0] = (char) (0xE0 | c >> 12);
        out[1] = (char) (0x80 | (c >> 6 & 0x3F));
        out[2] = (char) (0x80 | (c & 0x3F));
        return 3;
    }

    out[0] = (char) (0xF0 | c >> 18);
    out[1] = (char) (0x80 | (c >> 12 & 0x3F));
    out[2] = (char) (0x80 | (c >> 6 & 0x3F));
    out[3] = (char) (0x80 | (c & 0x3F));

    return 4;
}

/* Code points of well-formed text. */
static inline size_t
pos_utf8_count(pos_str_t s)
{
    size_t i, n = 0;

    for (i = 0; i < s.len; i++) {
        n += !pos_utf8_tail(s.data[i]);
    }

    return n;
}

#endif
