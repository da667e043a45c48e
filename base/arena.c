/*
 * A chain of blocks, filled in order. `current` is the block being filled;
 * blocks before it are full, blocks behind it are empty and wait for reuse.
 */

#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#if POS_ARENA_GUARDED
#include <sanitizer/asan_interface.h>
#define pos_arena_poison(p, n)    ASAN_POISON_MEMORY_REGION(p, n)
#define pos_arena_unpoison(p, n)  ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define pos_arena_poison(p, n)    ((void) (p), (void) (n))
#define pos_arena_unpoison(p, n)  ((void) (p), (void) (n))
#endif

#define POS_ARENA_BLOCK_MIN  64
/* How many kept blocks are looked at for a large piece before a new one is
 * made: a workload that repeats itself finds its block at once. */
#define POS_ARENA_SEARCH     16

struct pos_arena_block_s {
    pos_arena_block_t *next;
    size_t             size;    /* bytes behind this header */
} __attribute__((aligned(POS_ARENA_ALIGN)));

/* The only state of the process in this room; see pos_arena_fail_nth(). */
static _Atomic uint64_t pos_arena_fail_in;


void
pos_arena_fail_nth(uint64_t n)
{
    pos_arena_fail_in = n;
}


static bool
pos_arena_must_fail(void)
{
    uint64_t n = pos_arena_fail_in;

    if (n == 0) {
        return false;
    }

    pos_arena_fail_in = n - 1;

    return n == 1;
}


pos_arena_t *
pos_arena_create(size_t block_size, size_t limit)
{
    pos_arena_t *arena;

    if (pos_arena_must_fail()) {
        return NULL;
    }

    arena = calloc(1, sizeof(pos_arena_t));
    if (arena == NULL) {
        return NULL;
    }

    if (block_size < POS_ARENA_BLOCK_MIN) {
        block_size = POS_ARENA_BLOCK_MIN;
    }

    arena->block_size = (block_size + POS_ARENA_ALIGN - 1) & ~(size_t) (POS_ARENA_ALIGN - 1);
    arena->limit = limit;

    return arena;
}


void
pos_arena_destroy(pos_arena_t *arena)
{
    pos_arena_block_t *block, *next;

    if (arena == NULL) {
        return;
    }

    for (block = arena->first; block; block = next) {
        next = block->next;
        pos_arena_unpoison(block + 1, block->size);
        free(block);
    }

    free(arena);
}


static void
pos_arena_enter(pos_arena_t *arena, pos_arena_block_t *block)
{
    arena->current = block;
    arena->later = NULL;
    arena->pos = (char *) (block + 1);
    arena->end = arena->pos + block->size;
}


void
pos_arena_reset(pos_arena_t *arena)
{
    pos_arena_block_t *block;

    arena->used = 0;

    if (arena->first == NULL) {
        return;
    }

    for (block = arena->first; block; block = block->next) {
        pos_arena_poison(block + 1, block->size);
#if !POS_ARENA_GUARDED
        break;
#endif
    }

    pos_arena_enter(arena, arena->first);
}


/* What is left of a recycled piece is lost. */
static void
pos_arena_go_on(pos_arena_t *arena)
{
    if (arena->later) {
        arena->used += (size_t) (arena->end - arena->pos);
        arena->pos = arena->later;
        arena->end = (char *) (arena->current + 1) + arena->current->size;
        arena->later = NULL;
    }
}


void
pos_arena_recycle(pos_arena_t *arena, void *piece, size_t size)
{
    size &= ~(size_t) (POS_ARENA_ALIGN - 1);

    if (arena->later || arena->current == NULL) {
        return;
    }

    pos_arena_poison(piece, size);

    /* Guarded, whoever still looks at it is told. */
    if (!POS_ARENA_GUARDED) {
        arena->later = arena->pos;
        arena->pos = piece;
        arena->end = arena->pos + size;
        arena->used -= size;
    }
}


pos_arena_mark_t
pos_arena_mark(pos_arena_t *arena)
{
    pos_arena_go_on(arena);

    return (pos_arena_mark_t) { arena->current, arena->pos, arena->used };
}


/* Blocks are filled in the order of the chain: those behind the mark's are free again. */
void
pos_arena_rewind(pos_arena_t *arena, pos_arena_mark_t mark)
{
    pos_arena_block_t *block;

    if (mark.current == NULL) {
        pos_arena_reset(arena);
        return;
    }

    for (block = mark.current->next; block; block = block->next) {
        pos_arena_poison(block + 1, block->size);
#if !POS_ARENA_GUARDED
        break;
#endif
    }

    pos_arena_enter(arena, mark.current);
    arena->pos = mark.pos;
    arena->used = mark.used;
    pos_arena_poison(arena->pos, (size_t) (arena->end - arena->pos));
}


size_t
pos_arena_used(const pos_arena_t *arena)
{
    return arena->used;
}


size_t
pos_arena_held(const pos_arena_t *arena)
{
    return arena->held;
}


/* Puts `block` right behind the current one and fills it next. */
static void
pos_arena_link(pos_arena_t *arena, pos_arena_block_t *block)
{
    if (arena->current) {
        block->next = arena->current->next;
        arena->current->next = block;

    } else {
        block->next = arena->first;
        arena->first = block;
    }

    pos_arena_enter(arena, block);
}


/* Takes the first kept block that is large enough out of the empty ones. */
static pos_arena_block_t *
pos_arena_reuse(pos_arena_t *arena, size_t size)
{
    unsigned            n;
    pos_arena_block_t **link, *block;

    if (arena->current == NULL) {
        return NULL;
    }

    link = &arena->current->next;

    for (n = 0; n < POS_ARENA_SEARCH && *link; n++) {
        block = *link;

        if (block->size >= size) {
            *link = block->next;
            return block;
        }

        link = &block->next;
    }

    return NULL;
}


static pos_arena_block_t *
pos_arena_grow(pos_arena_t *arena, size_t size)
{
    size_t             room = size > arena->block_size ? size : arena->block_size;
    pos_arena_block_t *block;

    if (room > SIZE_MAX - sizeof(pos_arena_block_t) - arena->held) {
        return NULL;
    }

    if (arena->limit && arena->held + room + sizeof(pos_arena_block_t) > arena->limit) {
        /* A last, smaller block may still fit under the limit. */
        room = size;
        if (arena->held + room + sizeof(pos_arena_block_t) > arena->limit) {
            return NULL;
        }
    }

    if (pos_arena_must_fail()) {
        return NULL;
    }

    block = malloc(sizeof(pos_arena_block_t) + room);
    if (block == NULL) {
        return NULL;
    }

    block->size = room;
    arena->held += sizeof(pos_arena_block_t) + room;
    pos_arena_poison(block + 1, room);

    return block;
}


static void *
pos_arena_next_block(pos_arena_t *arena, size_t rounded)
{
    pos_arena_block_t *block = pos_arena_reuse(arena, rounded);

    if (block == NULL) {
        block = pos_arena_grow(arena, rounded);
        if (block == NULL) {
            return NULL;
        }
    }

    pos_arena_link(arena, block);

    return arena->pos;
}


/* What a recycled piece is too small for; what is left of that is for others. */
static void *
pos_arena_from_block(pos_arena_t *arena, size_t rounded)
{
    char *p = arena->later, *end = (char *) (arena->current + 1) + arena->current->size;

    if ((size_t) (end - p) < rounded) {
        return NULL;
    }

    arena->later += rounded;
    arena->used += rounded;

    return p;
}


void *
pos_arena_alloc_slow(pos_arena_t *arena, size_t size)
{
    void  *p = arena->pos;
    size_t rounded;

    if (size > SIZE_MAX / 2) {
        return NULL;
    }

    rounded = (size + POS_ARENA_ALIGN - 1) & ~(size_t) (POS_ARENA_ALIGN - 1);
    rounded += (rounded == 0) * POS_ARENA_ALIGN;

    if (arena->later && (size_t) (arena->end - arena->pos) < rounded) {
        p = pos_arena_from_block(arena, rounded);
        if (p != NULL) {
            return p;
        }
        pos_arena_go_on(arena);
        p = arena->pos;
    }

    if ((size_t) (arena->end - arena->pos) < rounded) {
        p = pos_arena_next_block(arena, rounded);
        if (p == NULL) {
            return NULL;
        }
    }

    arena->pos += rounded;
    arena->used += rounded;
    pos_arena_unpoison(p, size);

    return p;
}


bool
pos_arena_extend(pos_arena_t *arena, void *piece, size_t old, size_t size)
{
    size_t had = (old + POS_ARENA_ALIGN - 1) & ~(size_t) (POS_ARENA_ALIGN - 1), more;

    if (old == 0 || size < old || size > SIZE_MAX / 2 || (char *) piece + had != (arena->later ? arena->later : arena->pos)) {
        return false;
    }

    /* The answer, that is: what is left of a recycled piece is for nobody any more. */
    pos_arena_go_on(arena);

    more = ((size + POS_ARENA_ALIGN - 1) & ~(size_t) (POS_ARENA_ALIGN - 1)) - had;
    if ((size_t) (arena->end - arena->pos) < more) {
        return false;
    }

    arena->pos += more;
    arena->used += more;
    pos_arena_unpoison(piece, size);

    return true;
}


pos_str_t
pos_arena_str(pos_arena_t *arena, pos_str_t s)
{
    char *p = s.len == SIZE_MAX ? NULL : pos_arena_alloc(arena, s.len + 1);

    if (p == NULL) {
        return pos_str_of(NULL, 0);
    }

    if (s.len) {
        memcpy(p, s.data, s.len);
    }

    p[s.len] = '\0';

    return pos_str_of(p, s.len);
}


pos_str_t
pos_arena_printf(pos_arena_t *arena, const char *format, ...)
{
    int     n;
    char   *p;
    va_list args;

    va_start(args, format);
    n = vsnprintf(NULL, 0, format, args);
    va_end(args);

    p = n < 0 ? NULL : pos_arena_alloc(arena, (size_t) n + 1);
    if (p == NULL) {
        return pos_str_of(NULL, 0);
    }

    va_start(args, format);
    (void) vsnprintf(p, (size_t) n + 1, format, args);
    va_end(args);

    return pos_str_of(p, (size_t) n);
}
