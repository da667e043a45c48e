/*
 * Memory by lifetime: one arena a quote, one a book generation. Nothing is
 * freed piecemeal; reset keeps the blocks, so a warm arena never calls malloc.
 */

#ifndef POS_ARENA_H
#define POS_ARENA_H

#include "base/base.h"

/* At most `limit` bytes of blocks in all (0: no limit). NULL without memory. */
pos_arena_t *pos_arena_create(size_t block_size, size_t limit);
void         pos_arena_destroy(pos_arena_t *arena);

/* Forgets everything allocated, keeps the blocks for reuse. */
void   pos_arena_reset(pos_arena_t *arena);
size_t pos_arena_used(const pos_arena_t *arena);   /* bytes handed out     */
size_t pos_arena_held(const pos_arena_t *arena);   /* bytes of its blocks  */

/* Aligned to 16; NULL without memory or over the limit. Not zeroed. */
void *pos_arena_alloc(pos_arena_t *arena, size_t size) POS_MUSTCHECK;
void *pos_arena_zalloc(pos_arena_t *arena, size_t size) POS_MUSTCHECK;
/* count * size, checked for overflow. Zeroed. */
void *pos_arena_array(pos_arena_t *arena, size_t count, size_t size)
    POS_MUSTCHECK;
/* Copies bytes and adds a zero behind them (not counted in len).
 * `data` is NULL without memory. */
pos_str_t pos_arena_str(pos_arena_t *arena, pos_str_t s);
pos_str_t pos_arena_printf(pos_arena_t *arena, const char *format, ...)
    POS_PRINTF(2, 3);

/* Tests only: the n-th block allocation from now on fails once, in every
 * arena of the process (0: none). */
void pos_arena_fail_nth(uint64_t n);

#endif
