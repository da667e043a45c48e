#include "base/json_write.h"
#include "base/clock.h"
#include "base/utf8.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define POS_WRITER_MIN    64
#define POS_INT_TEXT_MAX  20
#define POS_WRITER_STEP   2048


void
pos_writer_init(pos_writer_t *w, pos_arena_t *arena, size_t initial, size_t max)
{
    memset(w, 0, sizeof(*w));
    w->arena = arena;
    w->max = max;

    if (initial > max) {
        initial = max;
    }

    if (initial < POS_WRITER_MIN) {
        initial = POS_WRITER_MIN;
    }

    w->start = pos_arena_alloc(arena, initial);
    if (w->start == NULL) {
        w->status = POS_NO_MEMORY;
        return;
    }

    w->pos = w->start;
    w->end = w->start + (initial < max ? initial : max);
}


void
pos_writer_init_fixed(pos_writer_t *w, char *buffer, size_t size)
{
    memset(w, 0, sizeof(*w));
    w->start = buffer;
    w->pos = buffer;
    w->end = buffer + size;
    w->max = size;
}


pos_str_t
pos_writer_result(const pos_writer_t *w)
{
    return pos_str_of(w->start, (size_t) (w->pos - w->start));
}


/* After a failure there is no room left, so every later write ends here. */
static bool
pos_writer_fail(pos_writer_t *w, pos_status_t status)
{
    w->status = status;
    w->end = w->pos;

    return false;
}


static bool
pos_writer_move(pos_writer_t *w, size_t more)
{
    char  *bigger;
    size_t used = (size_t) (w->pos - w->start), size = (size_t) (w->end - w->start), least;

    /* Where it can grow in place it does so a little at a time: nothing is copied. */
    least = used + more;
    least = least < w->max && w->max - least > POS_WRITER_STEP ? least + POS_WRITER_STEP
            : least < w->max                                    ? w->max : least;
    if (pos_arena_extend(w->arena, w->start, (size_t) (w->end - w->start), least)) {
        w->end = w->start + least;
        return true;
    }

    size = size > w->max / 2 ? w->max : size * 2;
    if (size < used + more) {
        size = used + more;
    }

    bigger = pos_arena_alloc(w->arena, size);
    if (bigger == NULL) {
        return pos_writer_fail(w, POS_NO_MEMORY);
    }

    if (used) {
        memcpy(bigger, w->start, used);
    }

    w->start = bigger;
    w->pos = bigger + used;
    w->end = bigger + size;

    return true;
}


static bool
pos_writer_grow(pos_writer_t *w, size_t more)
{
    size_t used = (size_t) (w->pos - w->start);

    if (w->status != POS_OK) {
        return false;
    }

    if (w->arena == NULL || used > w->max || more > w->max - used) {
        return pos_writer_fail(w, POS_LIMIT);
    }

    return pos_writer_move(w, more);
}


/* The claim is more than will be written, so it may go past the maximum. */
bool
pos_writer_claim_slow(pos_writer_t *w, size_t n)
{
    size_t used = (size_t) (w->pos - w->start);

    if (w->status != POS_OK) {
        return false;
    }

    if (w->arena == NULL || used > w->max || n > SIZE_MAX / 2 - used) {
        return pos_writer_fail(w, POS_LIMIT);
    }

    return pos_writer_move(w, n);
}


void
pos_writer_over(pos_writer_t *w)
{
    (void) pos_writer_fail(w, POS_LIMIT);
}


static inline bool
pos_writer_room(pos_writer_t *w, size_t n)
{
    return (size_t) (w->end - w->pos) >= n || pos_writer_grow(w, n);
}


static inline void
pos_writer_put(pos_writer_t *w, const char *data, size_t len)
{
    if (len && pos_writer_room(w, len)) {
        memcpy(w->pos, data, len);
        w->pos += len;
    }
}


/* A comma where one is due, then the bytes, checked for room once. */
static inline void
pos_writer_item(pos_writer_t *w, const char *data, size_t len, bool comma_after)
{
    if (!pos_writer_room(w, len + w->comma)) {
        return;
    }

    if (w->comma) {
        *w->pos++ = ',';
    }

    if (len) {
        memcpy(w->pos, data, len);
        w->pos += len;
    }

    w->comma = comma_after;
}


void
pos_write_open_slow(pos_writer_t *w, char bracket)
{
    pos_writer_item(w, &bracket, 1, false);
}


void
pos_write_close_slow(pos_writer_t *w, char bracket)
{
    pos_writer_put(w, &bracket, 1);
    w->comma = true;
}


void
pos_write_key_raw(pos_writer_t *w, const char *quoted, size_t len)
{
    pos_writer_item(w, quoted, len, false);
}


void
pos_write_bool(pos_writer_t *w, bool b)
{
    pos_writer_item(w, b ? "true" : "false", b ? 4 : 5, true);
}


void
pos_write_null(pos_writer_t *w)
{
    pos_writer_item(w, "null", 4, true);
}


void
pos_write_raw(pos_writer_t *w, pos_str_t json)
{
    pos_writer_item(w, json.data, json.len, true);
}


void
pos_write_bytes(pos_writer_t *w, pos_str_t bytes)
{
    pos_writer_put(w, bytes.data, bytes.len);
    w->comma = false;
}


static const char pos_digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                      "25262728293031323334353637383940414243444546474849"
                                      "50515253545556575859606162636465666768697071727374"
                                      "75767778798081828384858687888990919293949596979899";


/* Writes the digits so that they end at `end`; returns where they start. */
static inline char *
pos_write_digits(char *end, uint64_t n)
{
    while (n >= 100) {
        end -= 2;
        memcpy(end, pos_digit_pairs + 2 * (n % 100), 2);
        n /= 100;
    }

    if (n >= 10) {
        end -= 2;
        memcpy(end, pos_digit_pairs + 2 * n, 2);

    } else {
        *--end = (char) ('0' + n);
    }

    return end;
}


static void
pos_write_int_slow(pos_writer_t *w, int64_t n)
{
    char  text[POS_INT_TEXT_MAX + 1], *end = text + sizeof(text), *p;

    p = pos_write_digits(end, n < 0 ? -(uint64_t) n : (uint64_t) n);

    if (n < 0) {
        *--p = '-';
    }

    pos_writer_item(w, p, (size_t) (end - p), true);
}


/* Up to four digits by one store: all four are made, and those in front that
 * are not due are shifted out. Writes four bytes, returns how many count. */
static inline unsigned
pos_put_four(char *to, uint32_t n)
{
    uint32_t digits;
    unsigned count = 1 + (n > 9) + (n > 99) + (n > 999);

    memcpy(&digits, pos_digit_pairs + 2 * (n / 100), 2);
    memcpy((char *) &digits + 2, pos_digit_pairs + 2 * (n % 100), 2);
    digits >>= 8 * (4 - count);
    memcpy(to, &digits, 4);

    return count;
}


void
pos_write_long(pos_writer_t *w, int64_t n)
{
    char     *p = w->pos;
    uint64_t  all = n < 0 ? -(uint64_t) n : (uint64_t) n;
    uint32_t  rest = (uint32_t) all;

    if (w->end - p < POS_INT_TEXT_MAX + 2 || all > 99999999) {
        pos_write_int_slow(w, n);
        return;
    }

    /* A sign or a comma that is not due is written over. */
    *p = ',';
    p += w->comma;
    *p = '-';
    p += n < 0;

    if (rest > 9999) {
        p += pos_put_four(p, rest / 10000);
        rest %= 10000;
        memcpy(p, pos_digit_pairs + 2 * (rest / 100), 2);
        memcpy(p + 2, pos_digit_pairs + 2 * (rest % 100), 2);
        p += 4;

    } else {
        p += pos_put_four(p, rest);
    }

    w->pos = p;
    w->comma = true;
}


/* Apart, so that the common case needs no guarded stack. */
static __attribute__((noinline)) char *
pos_put_digits(char *p, uint64_t n)
{
    char text[POS_INT_TEXT_MAX + 1], *end = text + sizeof(text);
    char *digits = pos_write_digits(end, n);

    memcpy(p, digits, (size_t) (end - digits));

    return p + (end - digits);
}


char *
pos_put_long(char *p, int64_t n)
{
    uint64_t all = n < 0 ? -(uint64_t) n : (uint64_t) n;
    uint32_t rest = (uint32_t) all;

    *p = '-';
    p += n < 0;

    if (all < 10) {
        *p = (char) ('0' + rest);
        return p + 1;
    }

    if (all < 10000) {
        uint32_t high = rest / 100;

        if (high == 0) {
            memcpy(p, pos_digit_pairs + 2 * rest, 2);
            return p + 2;
        }

        /* A digit that is not due is written over. */
        memcpy(p, pos_digit_pairs + 2 * high, 2);
        *p = high < 10 ? p[1] : *p;
        p += 1 + (high > 9);
        memcpy(p, pos_digit_pairs + 2 * (rest - 100 * high), 2);
        return p + 2;
    }

    return pos_put_digits(p, all);
}


char *
pos_put_decimal_any(char *p, int64_t n, unsigned digits)
{
    pos_writer_t w;

    pos_writer_init_fixed(&w, p, POS_DECIMAL_ROOM);
    pos_write_decimal_any(&w, n, digits);

    return w.pos;
}


void
pos_write_decimal_any(pos_writer_t *w, int64_t n, unsigned digits)
{
    char     text[48], *end = text + sizeof(text), *p = end;
    uint64_t rest = n < 0 ? -(uint64_t) n : (uint64_t) n;

    while (digits > 0 && rest % 10 == 0) {
        rest /= 10;
        digits--;
    }

    if (digits > 0) {
        for (; digits > 0; digits--, rest /= 10) {
            *--p = (char) ('0' + rest % 10);
        }

        *--p = '.';
    }

    p = pos_write_digits(p, rest);

    if (n < 0) {
        *--p = '-';
    }

    pos_writer_item(w, p, (size_t) (end - p), true);
}


#if defined(__SSE2__)
/* A bit for each of sixteen bytes that cannot be written as it is. As signed
 * bytes, those from 0x80 on are below the space too. */
static inline unsigned
pos_odd_bytes(__m128i v)
{
    __m128i odd = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
                               _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
                                            _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));

    return (unsigned) _mm_movemask_epi8(odd);
}
#endif


/* Bytes at the start of `p` that can be written as they are: no quote, no
 * backslash, no control character, ASCII. */
static inline size_t
pos_write_plain(const char *p, size_t len)
{
    size_t n = 0;

#if defined(__SSE2__)
    for (; len - n >= 16; n += 16) {
        unsigned mask = pos_odd_bytes(_mm_loadu_si128((const __m128i *) (p + n)));

        if (mask) {
            return n + (size_t) __builtin_ctz(mask);
        }
    }
#endif

    while (n < len && (unsigned char) p[n] >= 0x20 && (unsigned char) p[n] < 0x80
           && p[n] != '"' && p[n] != '\\') {
        n++;
    }

    return n;
}


static void
pos_write_escape(pos_writer_t *w, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    char              text[6] = { '\\', 'u', '0', '0', 0, 0 };

    switch (c) {
    case '"':
    case '\\':
        text[1] = (char) c;
        break;
    case '\b':
        text[1] = 'b';
        break;
    case '\f':
        text[1] = 'f';
        break;
    case '\n':
        text[1] = 'n';
        break;
    case '\r':
        text[1] = 'r';
        break;
    case '\t':
        text[1] = 't';
        break;
    default:
        text[4] = digits[c >> 4];
        text[5] = digits[c & 15];
        pos_writer_put(w, text, 6);
        return;
    }

    pos_writer_put(w, text, 2);
}


/* Text from a script may hold any bytes; what is no UTF-8 becomes U+FFFD, so
 * that the document stays a JSON text. */
static size_t
pos_write_odd(pos_writer_t *w, const char *p, size_t len)
{
    size_t n;

    if ((unsigned char) *p < 0x80) {
        pos_write_escape(w, (unsigned char) *p);
        return 1;
    }

    n = pos_utf8_len(p, len);
    if (n == 0) {
        pos_writer_put(w, "\xEF\xBF\xBD", 3);
        return 1;
    }

    pos_writer_put(w, p, n);

    return n;
}


static void
pos_write_quoted(pos_writer_t *w, pos_str_t s)
{
    size_t i = 0, n;

    while (i < s.len) {
        n = pos_write_plain(s.data + i, s.len - i);
        pos_writer_put(w, s.data + i, n);
        i += n;

        if (i < s.len) {
            i += pos_write_odd(w, s.data + i, s.len - i);
        }
    }
}


/* Eight bytes at once: no quote, no backslash, no control character, ASCII.
 * A borrow can only come out of a byte that fails itself. */
static inline bool
pos_word_is_plain(uint64_t v)
{
    const uint64_t ones = 0x0101010101010101;
    uint64_t       odd = v | (v - ones * 0x20) | ((v ^ ones * '"') - ones)
                         | ((v ^ ones * '\\') - ones);

    return (odd & ones * 0x80) == 0;
}


/* Fewer than 16 bytes, by two moves that overlap: copied, and whether they
 * could be written as they are. */
static inline bool
pos_copy_short(char *to, const char *p, size_t len)
{
    uint64_t a, b;
    uint32_t c, d;

    if (len >= 8) {
        memcpy(&a, p, 8);
        memcpy(&b, p + len - 8, 8);
        memcpy(to, &a, 8);
        memcpy(to + len - 8, &b, 8);
#if defined(__SSE2__)
        return pos_odd_bytes(_mm_set_epi64x((long long) b, (long long) a)) == 0;
#else
        return pos_word_is_plain(a) && pos_word_is_plain(b);
#endif
    }

    if (len >= 4) {
        memcpy(&c, p, 4);
        memcpy(&d, p + len - 4, 4);
        memcpy(to, &c, 4);
        memcpy(to + len - 4, &d, 4);
        return pos_word_is_plain(c | (uint64_t) d << 32);
    }

    if (len == 0) {
        return true;
    }

    to[0] = p[0];
    to[len / 2] = p[len / 2];
    to[len - 1] = p[len - 1];
    a = (unsigned char) p[0] | (unsigned) (unsigned char) p[len / 2] << 8
        | (unsigned) (unsigned char) p[len - 1] << 16;

    return pos_word_is_plain(a | 0x2020202020000000);
}


static inline bool
pos_copy_plain(char *to, const char *p, size_t len)
{
    if (len < 16) {
        return pos_copy_short(to, p, len);
    }

#if defined(__SSE2__)
    if (len <= 32) {
        __m128i a = _mm_loadu_si128((const __m128i *) p);
        __m128i b = _mm_loadu_si128((const __m128i *) (p + len - 16));

        _mm_storeu_si128((__m128i *) to, a);
        _mm_storeu_si128((__m128i *) (to + len - 16), b);
        return (pos_odd_bytes(a) | pos_odd_bytes(b)) == 0;
    }
#endif

    if (pos_write_plain(p, len) < len) {
        return false;
    }

    memcpy(to, p, len);

    return true;
}


void
pos_write_string(pos_writer_t *w, pos_str_t s)
{
    char *p = w->pos;

    if ((size_t) (w->end - p) >= 3 && (size_t) (w->end - p) - 3 >= s.len) {
        *p = ',';
        p += w->comma;
        *p++ = '"';

        if (pos_copy_plain(p, s.data, s.len)) {
            p[s.len] = '"';
            w->pos = p + s.len + 1;
            w->comma = true;
            return;
        }
    }

    pos_writer_item(w, "\"", 1, true);
    pos_write_quoted(w, s);
    pos_writer_put(w, "\"", 1);
}


static __attribute__((noinline)) char *
pos_put_odd_string(char *p, pos_str_t s)
{
    pos_writer_t w;

    pos_writer_init_fixed(&w, p, POS_STRING_ROOM(s));
    pos_write_string(&w, s);

    return w.pos;
}


char *
pos_put_string(char *p, pos_str_t s)
{
    *p = '"';

    if (pos_copy_plain(p + 1, s.data, s.len)) {
        p[s.len + 1] = '"';
        return p + s.len + 2;
    }

    return pos_put_odd_string(p, s);
}


void
pos_write_key_str(pos_writer_t *w, pos_str_t key)
{
    pos_write_string(w, key);
    pos_writer_put(w, ":", 1);
    w->comma = false;
}


void
pos_write_time(pos_writer_t *w, int64_t unix_us)
{
    char   text[POS_TIME_TEXT_MAX + 2];
    size_t n;

    if (unix_us == POS_TIME_MIN || unix_us == POS_TIME_MAX) {
        pos_write_null(w);
        return;
    }

    text[0] = '"';
    n = pos_time_write(unix_us, text + 1);
    text[n + 1] = '"';
    pos_writer_item(w, text, n + 2, true);
}
