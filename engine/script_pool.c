#include "engine/script_pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

#define CHUNK  (16u << 10)

struct pos_pool_chunk_s {
    pos_pool_chunk_t *next;
} __attribute__((aligned(POS_POOL_STEP)));

/* Under AddressSanitizer each block is its own, so that it sees all misuse. */
static bool
is_large(size_t size)
{
    return POS_ARENA_GUARDED || size > POS_POOL_LARGE;
}

static void
put_back(pos_script_pool_t *pool, void *block, size_t size)
{
    size_t class = (size - 1) / POS_POOL_STEP;

    *(void **) block = pool->free[class];
    pool->free[class] = block;
}

/* A new chunk is cut into blocks of one size. */
static bool
cut_chunk(pos_script_pool_t *pool, size_t class)
{
    size_t            step = (class + 1) * POS_POOL_STEP;
    pos_pool_chunk_t *chunk = malloc(CHUNK);

    if (chunk == NULL) {
        return false;
    }
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    for (size_t at = sizeof(*chunk); at + step <= CHUNK; at += step) {
        put_back(pool, (char *) chunk + at, step);
    }
    return true;
}

static void *
take(pos_script_pool_t *pool, size_t size)
{
    size_t class = (size - 1) / POS_POOL_STEP;
    void  *block;

    if (pool->free[class] == NULL && !cut_chunk(pool, class)) {
        return NULL;
    }
    block = pool->free[class];
    pool->free[class] = *(void **) block;
    return block;
}

void
pos_pool_free(pos_script_pool_t *pool, void *block, size_t size)
{
    if (block == NULL) {
        return;
    }
    if (is_large(size)) {
        free(block);
    } else {
        put_back(pool, block, size);
    }
}

void *
pos_pool_resize(pos_script_pool_t *pool, void *block, size_t old, size_t size)
{
    void *p;

    if (is_large(size) && (block == NULL || is_large(old))) {
        return realloc(block, size);
    }
    if (block != NULL && !is_large(old)
        && (old - 1) / POS_POOL_STEP == (size - 1) / POS_POOL_STEP)
    {
        return block;
    }
    p = is_large(size) ? malloc(size) : take(pool, size);
    if (p != NULL && block != NULL) {
        memcpy(p, block, old < size ? old : size);
        pos_pool_free(pool, block, old);
    }
    return p;
}

void
pos_pool_destroy(pos_script_pool_t *pool)
{
    while (pool->chunks != NULL) {
        pos_pool_chunk_t *chunk = pool->chunks;

        pool->chunks = chunk->next;
        free(chunk);
    }
    memset(pool, 0, sizeof(*pool));
}
