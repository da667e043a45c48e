/*
 * Writes JSON into a buffer that grows in an arena up to a stated maximum.
 * Errors stick: check `status` once at the end. Commas are the writer's.
 */

#ifndef POS_JSON_WRITE_H
#define POS_JSON_WRITE_H

#include "base/arena.h"
#include "base/base.h"
#include "base/json.h"

typedef struct {
    pos_arena_t *arena;
    char        *start;
    char        *pos;
    char        *end;
    size_t       max;      /* bytes                                          */
    pos_status_t status;   /* POS_OK, POS_NO_MEMORY or POS_LIMIT; sticks     */
    bool         comma;    /* the next value needs a comma before it         */
} pos_writer_t;

void pos_writer_init(pos_writer_t *w, pos_arena_t *arena, size_t initial,
    size_t max);
/* Writes into memory of the caller's; never grows. */
void pos_writer_init_fixed(pos_writer_t *w, char *buffer, size_t size);
/* What was written; no zero stands behind it. */
pos_str_t pos_writer_result(const pos_writer_t *w);

/* What the inline writers below do where the room is short. */
void pos_write_open_slow(pos_writer_t *w, char bracket);
void pos_write_close_slow(pos_writer_t *w, char bracket);

static inline void
pos_write_open(pos_writer_t *w, char bracket)
{
    if (w->end - w->pos < 2) {
        pos_write_open_slow(w, bracket);
        return;
    }
    /* The comma is written over where none is due. */
    *w->pos = ',';
    w->pos[w->comma] = bracket;
    w->pos += 1 + w->comma;
    w->comma = false;
}

static inline void
pos_write_close(pos_writer_t *w, char bracket)
{
    if (w->pos == w->end) {
        pos_write_close_slow(w, bracket);
        return;
    }
    *w->pos++ = bracket;
    w->comma = true;
}

static inline void pos_write_object_begin(pos_writer_t *w) { pos_write_open(w, '{'); }
static inline void pos_write_object_end(pos_writer_t *w) { pos_write_close(w, '}'); }
static inline void pos_write_array_begin(pos_writer_t *w) { pos_write_open(w, '['); }
static inline void pos_write_array_end(pos_writer_t *w) { pos_write_close(w, ']'); }

/* A member's name, which must need no escape: a literal. */
#define pos_write_key(w, literal) \
    pos_write_key_inline(w, "\"" literal "\":", sizeof(literal) + 2)
void pos_write_key_raw(pos_writer_t *w, const char *quoted, size_t len);
/* An answer is half keys: with the length known the copy is a few moves. */
static inline __attribute__((always_inline)) void
pos_write_key_inline(pos_writer_t *w, const char *quoted, size_t len)
{
    if ((size_t) (w->end - w->pos) < len + 1) {
        pos_write_key_raw(w, quoted, len);
        return;
    }
    *w->pos = ',';
    memcpy(w->pos + w->comma, quoted, len);
    w->pos += len + w->comma;
    w->comma = false;
}
void pos_write_key_str(pos_writer_t *w, pos_str_t key);   /* escaped */
void pos_write_string(pos_writer_t *w, pos_str_t s);      /* escaped, UTF-8 */
void pos_write_long(pos_writer_t *w, int64_t n);
/* Half the numbers of an answer are one digit: counts, percents, no fee. */
static inline void
pos_write_int(pos_writer_t *w, int64_t n)
{
    if ((uint64_t) n > 9 || w->end - w->pos < 2) {
        pos_write_long(w, n);
        return;
    }
    *w->pos = ',';
    w->pos[w->comma] = (char) ('0' + n);
    w->pos += 1 + w->comma;
    w->comma = true;
}
void pos_write_bool(pos_writer_t *w, bool b);
void pos_write_null(pos_writer_t *w);
/* n / 10^digits without trailing zeros: (125000, 4) writes 12.5. */
void pos_write_decimal_any(pos_writer_t *w, int64_t n, unsigned digits);
/* Quantities and percentages are whole numbers nearly always. */
static inline void
pos_write_decimal(pos_writer_t *w, int64_t n, unsigned digits)
{
    int64_t unit = digits == 3 ? 1000 : digits == 4 ? 10000 : 0;

    if (unit != 0 && n % unit == 0) {
        pos_write_int(w, n / unit);
    } else {
        pos_write_decimal_any(w, n, digits);
    }
}
/* ---- a piece of known size ----
 *
 * Where the most that a piece can take is known, room for it is claimed once, the
 * functions that follow write without looking, and the writer is told where they
 * ended. Only for writers with an arena. What goes over `max` by a claim fails when
 * it is told. */

#define POS_INT_ROOM      20
#define POS_DECIMAL_ROOM  24
#define POS_STRING_ROOM(s)  (6 * (s).len + 2)

bool pos_writer_claim_slow(pos_writer_t *w, size_t n);
/* Where to write up to `n` bytes; NULL: `status` says why. No comma is written. */
static inline char *
pos_writer_claim(pos_writer_t *w, size_t n)
{
    return (size_t) (w->end - w->pos) >= n || pos_writer_claim_slow(w, n) ? w->pos : NULL;
}
/* The same for a value: behind the comma that is due. */
static inline char *
pos_writer_claim_value(pos_writer_t *w, size_t n)
{
    char *p = pos_writer_claim(w, n + 1);

    if (p == NULL) {
        return NULL;
    }
    *p = ',';
    return p + w->comma;
}
void pos_writer_over(pos_writer_t *w);
/* What was claimed ends at `p`; `comma`: the next value needs one before it. */
static inline void
pos_writer_tell(pos_writer_t *w, char *p, bool comma)
{
    w->pos = p;
    w->comma = comma;
    if ((size_t) (p - w->start) > w->max) {
        pos_writer_over(w);
    }
}

/* All of these return where they ended. */
#define pos_put_literal(p, literal) \
    ((char *) memcpy(p, literal, sizeof(literal) - 1) + sizeof(literal) - 1)
char *pos_put_long(char *p, int64_t n);
/* POS_INT_ROOM */
static inline char *
pos_put_int(char *p, int64_t n)
{
    if ((uint64_t) n > 9) {
        return pos_put_long(p, n);
    }
    *p = (char) ('0' + n);
    return p + 1;
}
char *pos_put_decimal_any(char *p, int64_t n, unsigned digits);
char *pos_put_string(char *p, pos_str_t s);               /* POS_STRING_ROOM */
/* POS_DECIMAL_ROOM; as pos_write_decimal(). */
static inline char *
pos_put_decimal(char *p, int64_t n, unsigned digits)
{
    int64_t unit = digits == 3 ? 1000 : digits == 4 ? 10000 : 0;

    if (unit != 0 && n % unit == 0) {
        return pos_put_int(p, n / unit);
    }
    return pos_put_decimal_any(p, n, digits);
}
static inline char *
pos_put_bytes(char *p, pos_str_t bytes)
{
    return (char *) memcpy(p, bytes.data, bytes.len) + bytes.len;
}

/* Text that is JSON already. */
void pos_write_raw(pos_writer_t *w, pos_str_t json);
/* The same, without the white space between its tokens: on one line, however it was laid out. */
void pos_write_compact(pos_writer_t *w, pos_str_t json);
void pos_write_json(pos_writer_t *w, const pos_json_t *value);
/* Bytes as they are, and no comma before the next value: newlines between
 * documents. */
void pos_write_bytes(pos_writer_t *w, pos_str_t bytes);
/* RFC 3339 UTC with the least fraction that is exact, as a string. */
void pos_write_time(pos_writer_t *w, int64_t unix_us);

#endif
