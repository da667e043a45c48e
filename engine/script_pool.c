#include "engine/script_pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define CHUNK    (16u << 10)        /* and so aligned: a block tells its chunk */
#define RESERVE  (64u << 10)

struct pos_pool_chunk_s {
    pos_pool_chunk_t *next;
    uint32_t          blocks, idle;     /* `idle` counts while it is trimmed */
} __attribute__((aligned(POS_POOL_STEP)));

/* Under AddressSanitizer each block is its own, so that it sees all misuse. */
static bool
is_large(size_t size)
{
    return POS_ARENA_GUARDED || size > POS_POOL_LARGE;
}

static size_t
class_of(size_t size)
{
    return (size - 1) / POS_POOL_STEP;
}

/* ---- the reserve ---- */

static bool
is_reserved(const pos_script_pool_t *pool, const void *block)
{
    return pool->reserve != NULL && (uintptr_t) block - (uintptr_t) pool->reserve < RESERVE;
}

static void *
from_reserve(pos_script_pool_t *pool, size_t size)
{
    size = (size + POS_POOL_STEP - 1) / POS_POOL_STEP * POS_POOL_STEP;
    if (pool->reserve == NULL || size > pool->reserve_left) {
        return NULL;
    }
    pool->reserve_left -= size;
    return pool->reserve + pool->reserve_left;
}

bool
pos_pool_reserve(pos_script_pool_t *pool)
{
    pool->reserve = malloc(RESERVE);
    pool->reserve_left = RESERVE;
    return pool->reserve != NULL;
}

bool
pos_pool_unreserve(pos_script_pool_t *pool)
{
    if (pool->reserve_left < RESERVE) {
        return false;
    }
    free(pool->reserve);
    pool->reserve = NULL;
    return true;
}

/* ---- large blocks ---- */

static void *
make_large(pos_script_pool_t *pool, size_t size)
{
    void *p = malloc(size);

    return p ? p : from_reserve(pool, size);
}

static void *
resize_large(pos_script_pool_t *pool, void *block, size_t old, size_t size)
{
    void *p = is_reserved(pool, block) ? NULL : realloc(block, size);

    if (p == NULL && pool->reserve != NULL) {
        p = make_large(pool, size);
        if (p != NULL) {
            memcpy(p, block, old < size ? old : size);
            pos_pool_free(pool, block, old);
        }
    }
    return p;
}

/* ---- small blocks ---- */

static void
put_back(pos_script_pool_t *pool, void *block, size_t class)
{
    *(void **) block = pool->free[class];
    pool->free[class] = block;
}

/* A new chunk is cut into blocks of one size. */
static bool
cut_chunk(pos_script_pool_t *pool, size_t class)
{
    size_t            step = (class + 1) * POS_POOL_STEP;
    pos_pool_chunk_t *chunk = aligned_alloc(CHUNK, CHUNK);

    if (chunk == NULL) {
        return false;
    }
    *chunk = (pos_pool_chunk_t) { .next = pool->chunks };
    pool->chunks = chunk;
    pool->chunk_bytes += CHUNK;
    for (size_t at = sizeof(*chunk); at + step <= CHUNK; at += step) {
        put_back(pool, (char *) chunk + at, class);
        chunk->blocks++;
    }
    return true;
}

static void *
take(pos_script_pool_t *pool, size_t size)
{
    size_t class = class_of(size);
    void  *block;

    if (pool->free[class] == NULL && !cut_chunk(pool, class)) {
        return from_reserve(pool, (class + 1) * POS_POOL_STEP);
    }
    block = pool->free[class];
    pool->free[class] = *(void **) block;
    pool->taken += size;
    return block;
}

/* ---- the door ---- */

void
pos_pool_free(pos_script_pool_t *pool, void *block, size_t size)
{
    if (block == NULL) {
        return;
    }
    if (pool->reserve != NULL && is_reserved(pool, block)) {
        return;
    }
    if (is_large(size)) {
        free(block);
    } else {
        put_back(pool, block, class_of(size));
        pool->taken -= size;
    }
}

void *
pos_pool_resize(pos_script_pool_t *pool, void *block, size_t old, size_t size)
{
    void *p;

    if (block != NULL && is_large(size) && is_large(old)) {
        return resize_large(pool, block, old, size);
    }
    if (block != NULL && !is_large(old) && !is_large(size) && class_of(old) == class_of(size)) {
        pool->taken += is_reserved(pool, block) ? 0 : size - old;
        return block;
    }
    p = is_large(size) ? make_large(pool, size) : take(pool, size);
    /* Who wanted less keeps what there is, and gives it back as what was asked for. */
    if (p == NULL && is_large(old) && size <= old) {
        pool->foreign = true;
        pool->taken += size;
    }
    if (p != NULL && block != NULL) {
        memcpy(p, block, old < size ? old : size);
        pos_pool_free(pool, block, old);
    }
    return p;
}

/* ---- giving back ---- */

static pos_pool_chunk_t *
chunk_of(void *block)
{
    return (pos_pool_chunk_t *) ((char *) block - ((uintptr_t) block & (CHUNK - 1)));
}

static void
count_idle(pos_script_pool_t *pool)
{
    for (pos_pool_chunk_t *chunk = pool->chunks; chunk != NULL; chunk = chunk->next) {
        chunk->idle = 0;
    }
    for (size_t class = 0; class < POS_POOL_LARGE / POS_POOL_STEP; class++) {
        for (void *block = pool->free[class]; block != NULL; block = *(void **) block) {
            chunk_of(block)->idle++;
        }
    }
}

static void
drop_blocks(pos_script_pool_t *pool)
{
    for (size_t class = 0; class < POS_POOL_LARGE / POS_POOL_STEP; class++) {
        void **link = &pool->free[class];

        while (*link != NULL) {
            const pos_pool_chunk_t *chunk = chunk_of(*link);

            if (chunk->idle == chunk->blocks) {
                *link = *(void **) *link;
            } else {
                link = *link;
            }
        }
    }
}

void
pos_pool_trim(pos_script_pool_t *pool)
{
    pos_pool_chunk_t **link = &pool->chunks;

    if (pool->foreign) {
        return;
    }
    count_idle(pool);
    drop_blocks(pool);
    while (*link != NULL) {
        pos_pool_chunk_t *chunk = *link;

        if (chunk->idle == chunk->blocks) {
            *link = chunk->next;
            pool->chunk_bytes -= CHUNK;
            free(chunk);
        } else {
            link = &chunk->next;
        }
    }
}

void
pos_pool_destroy(pos_script_pool_t *pool)
{
    while (pool->chunks != NULL) {
        pos_pool_chunk_t *chunk = pool->chunks;

        pool->chunks = chunk->next;
        free(chunk);
    }
    free(pool->reserve);
    memset(pool, 0, sizeof(*pool));
}
