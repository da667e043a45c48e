/*
 * The Test Anything Protocol, the little of it that a C test needs.
 */

#ifndef POS_TAP_H
#define POS_TAP_H

#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int tap_count, tap_failed;

static inline bool POS_PRINTF(4, 5)
tap_ok(bool good, const char *file, int line, const char *format, ...)
{
    va_list args;

    printf("%sok %d - ", good ? "" : "not ", ++tap_count);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");

    if (!good) {
        tap_failed++;
        printf("# failed at %s:%d\n", file, line);
    }

    return good;
}

#define ok(good, ...)  tap_ok(good, __FILE__, __LINE__, __VA_ARGS__)

#define is_int(got, want, ...)                                                 \
    do {                                                                       \
        int64_t got_ = (int64_t) (got), want_ = (int64_t) (want);              \
        if (!ok(got_ == want_, __VA_ARGS__)) {                                 \
            printf("# got %lld, want %lld\n", (long long) got_, (long long) want_); \
        }                                                                      \
    } while (0)

#define is_str(got, want, ...)                                                 \
    do {                                                                       \
        pos_str_t got_ = (got), want_ = pos_str_z(want);                       \
        if (!ok(pos_str_eq(got_, want_), __VA_ARGS__)) {                       \
            printf("# got  %.*s\n# want %s\n", (int) got_.len,                 \
                   got_.data ? got_.data : "(none)", want);                    \
        }                                                                      \
    } while (0)

static inline int
tap_done(void)
{
    printf("1..%d\n", tap_count);

    return tap_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static inline int
tap_skip_all(const char *why)
{
    printf("1..0 # SKIP %s\n", why);

    return EXIT_SUCCESS;
}

/* Processor time of this thread: bounds of time go by it, since whatever else runs on
 * the machine does not count. */
static inline int64_t
tap_cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

/* A whole file, or data NULL. */
static inline pos_str_t
tap_file(const char *path)
{
    char  *data = NULL;
    long   size;
    FILE  *file = fopen(path, "rb");

    if (file == NULL) {
        return pos_str_of(NULL, 0);
    }

    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);

    data = size >= 0 ? malloc((size_t) size + 1) : NULL;
    if (data && fread(data, 1, (size_t) size, file) != (size_t) size) {
        free(data);
        data = NULL;
    }

    fclose(file);

    return pos_str_of(data, data ? (size_t) size : 0);
}

/* Deterministic noise (splitmix64). */
static inline uint64_t
tap_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);

    return z ^ (z >> 31);
}

#endif
