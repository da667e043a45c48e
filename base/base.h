/*
 * What every room speaks: results, strings, faults.
 *
 * A function that can fail returns pos_status_t, puts what it makes into
 * out-parameters (last), and fills a pos_fault_t at the place where it found
 * the fault. Faults in input are collected, so that one answer names them all.
 */

#ifndef POS_BASE_H
#define POS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define POS_MUSTCHECK     __attribute__((warn_unused_result))
#define POS_PRINTF(f, a)  __attribute__((format(printf, f, a)))

typedef enum {
    POS_OK = 0,
    POS_AGAIN,       /* not done yet: call again */
    POS_NOT_FOUND,   /* asked for a thing that is not there */
    POS_INVALID,     /* the input is at fault; the faults say where */
    POS_LIMIT,       /* a stated limit was reached */
    POS_NO_MEMORY,   /* an allocation failed */
    POS_BROKEN       /* our own state or a file is not what it must be */
} pos_status_t;

/* Bytes with a length; no terminating zero is promised. */
typedef struct {
    const char *data;
    size_t      len;
} pos_str_t;

#define pos_str(literal)  ((pos_str_t) { (literal), sizeof(literal) - 1 })

static inline pos_str_t
pos_str_of(const char *data, size_t len)
{
    return (pos_str_t) { data, len };
}

static inline pos_str_t
pos_str_z(const char *z)
{
    return (pos_str_t) { z, strlen(z) };
}

/* Most names are short: two loads that overlap cost less than a call. */
static inline bool
pos_str_eq(pos_str_t a, pos_str_t b)
{
    uint64_t x[2], y[2];
    uint32_t v[2], w[2];

    if (a.len != b.len) {
        return false;
    }
    if (a.len >= 8 && a.len <= 16) {
        memcpy(&x[0], a.data, 8);
        memcpy(&x[1], a.data + a.len - 8, 8);
        memcpy(&y[0], b.data, 8);
        memcpy(&y[1], b.data + a.len - 8, 8);
        return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
    }
    if (a.len >= 4 && a.len < 8) {
        memcpy(&v[0], a.data, 4);
        memcpy(&v[1], a.data + a.len - 4, 4);
        memcpy(&w[0], b.data, 4);
        memcpy(&w[1], b.data + a.len - 4, 4);
        return ((v[0] ^ w[0]) | (v[1] ^ w[1])) == 0;
    }
    if (a.len > 0 && a.len < 4) {
        return ((a.data[0] ^ b.data[0]) | (a.data[a.len / 2] ^ b.data[a.len / 2]) | (a.data[a.len - 1] ^ b.data[a.len - 1])) == 0;
    }
    return a.len == 0 || memcmp(a.data, b.data, a.len) == 0;
}

/* Byte order, shorter first on a common prefix. */
static inline int
pos_str_cmp(pos_str_t a, pos_str_t b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int    c = n ? memcmp(a.data, b.data, n) : 0;

    return c ? c : (a.len > b.len) - (a.len < b.len);
}

typedef struct pos_arena_s pos_arena_t;

/* One fault: `pointer` is an RFC 6901 JSON pointer into the input ("" is the
 * whole); `code` a snake_case word of docs/errors.md; `message` is for people.
 * `line` and `column` (1-based, 0 unknown) are for sources such as Lua. */
typedef struct pos_fault_s pos_fault_t;
struct pos_fault_s {
    pos_str_t    pointer;
    const char  *code;
    pos_str_t    message;
    uint32_t     line;
    uint32_t     column;
    pos_fault_t *next;
};

/* Collected in the order found; past `max` they are only counted. */
typedef struct {
    pos_arena_t  *arena;
    pos_fault_t  *first;
    pos_fault_t **last;
    uint32_t      count;
    uint32_t      max;
    bool          lost;       /* memory ran out for one, or for its pointer */
} pos_faults_t;

#define POS_FAULTS_MAX  100

void pos_faults_init(pos_faults_t *faults, pos_arena_t *arena);

/* Adds one fault; pointer and message are copied into the faults' arena.
 * `code` must be a literal. Always returns POS_INVALID, so that a caller can
 * `return pos_fault(…)`; without memory the fault is counted, not kept, and `lost` says so. */
pos_status_t pos_fault(pos_faults_t *faults, pos_str_t pointer,
    const char *code, const char *format, ...) POS_PRINTF(4, 5);
/* The same, with a place in a source text. */
pos_status_t pos_fault_at(pos_faults_t *faults, pos_str_t pointer,
    uint32_t line, uint32_t column, const char *code, const char *format, ...)
    POS_PRINTF(6, 7);

#endif
