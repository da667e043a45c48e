/*
 * Memory by lifetime: one arena a quote, one a book generation. Nothing is
 * freed piecemeal; reset keeps the blocks, so a warm arena never calls malloc.
 */

#ifndef POS_ARENA_H
#define POS_ARENA_H

#include "base/base.h"

/* Under AddressSanitizer what was not handed out is poisoned. */
#if defined(__SANITIZE_ADDRESS__)
#define POS_ARENA_GUARDED  1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POS_ARENA_GUARDED  1
#endif
#endif
#ifndef POS_ARENA_GUARDED
#define POS_ARENA_GUARDED  0
#endif

/* At most `limit` bytes of blocks in all (0: no limit). NULL without memory. */
pos_arena_t *pos_arena_create(size_t block_size, size_t limit);
void         pos_arena_destroy(pos_arena_t *arena);

/* Forgets everything allocated, keeps the blocks for reuse. */
void   pos_arena_reset(pos_arena_t *arena);
size_t pos_arena_used(const pos_arena_t *arena);   /* bytes handed out     */
size_t pos_arena_held(const pos_arena_t *arena);   /* bytes of its blocks  */

/* Shown only so that the functions below can be inline: arena.c alone writes it. */
typedef struct pos_arena_block_s pos_arena_block_t;
struct pos_arena_s {
    char              *pos;        /* both aligned */
    char              *end;
    size_t             used;       /* rounded up to the alignment */
    pos_arena_block_t *current;
    char              *later;      /* while a recycled piece is cut: where the block goes on; or NULL */
    pos_arena_block_t *first;
    size_t             block_size;
    size_t             limit;
    size_t             held;
};

#define POS_ARENA_ALIGN  16

void *pos_arena_alloc_slow(pos_arena_t *arena, size_t size) POS_MUSTCHECK;

/* Aligned to 16; NULL without memory or over the limit. Not zeroed. */
static inline POS_MUSTCHECK void *
pos_arena_alloc(pos_arena_t *arena, size_t size)
{
    size_t room = (size_t) (arena->end - arena->pos);
    size_t rounded = (size + POS_ARENA_ALIGN - 1) & ~(size_t) (POS_ARENA_ALIGN - 1);
    void  *p = arena->pos;

    /* Nothing at all goes the long way too. */
    if (POS_ARENA_GUARDED || size - 1 >= room) {
        return pos_arena_alloc_slow(arena, size);
    }
    arena->pos += rounded;
    arena->used += rounded;
    return p;
}

/* What was handed out since the mark is forgotten, and its blocks are kept for reuse. */
typedef struct {
    pos_arena_block_t *current;
    char              *pos;
    size_t             used;
} pos_arena_mark_t;
pos_arena_mark_t pos_arena_mark(pos_arena_t *arena);
void             pos_arena_rewind(pos_arena_t *arena, pos_arena_mark_t mark);

/* Makes the piece that was cut last, of `old` bytes, larger where it stands. False:
 * it was not the last, or there is no room behind it. */
bool pos_arena_extend(pos_arena_t *arena, void *piece, size_t old, size_t size);

/* A piece, or whole pieces that stand side by side, are of no use any more: what is asked
 * for next is cut from there, until something does not fit. One at a time, and none
 * behind a mark that is still to be rewound to. */
void pos_arena_recycle(pos_arena_t *arena, void *piece, size_t size);

static inline POS_MUSTCHECK void *
pos_arena_zalloc(pos_arena_t *arena, size_t size)
{
    void *p = pos_arena_alloc(arena, size);

    return p ? memset(p, 0, size) : NULL;
}

/* count * size, checked for overflow. Zeroed. */
static inline POS_MUSTCHECK void *
pos_arena_array(pos_arena_t *arena, size_t count, size_t size)
{
    size_t bytes;

    return __builtin_mul_overflow(count, size, &bytes) ? NULL : pos_arena_zalloc(arena, bytes);
}

/* Copies bytes and adds a zero behind them (not counted in len).
 * `data` is NULL without memory. */
pos_str_t pos_arena_str(pos_arena_t *arena, pos_str_t s);
pos_str_t pos_arena_printf(pos_arena_t *arena, const char *format, ...)
    POS_PRINTF(2, 3);

/* Tests only: the n-th block allocation from now on fails once, in every
 * arena of the process (0: none). */
void pos_arena_fail_nth(uint64_t n);

#endif
