/*
 * The blocks of a Lua state. A call leaves small tables and objects behind, and
 * the next one makes them again: small blocks are kept by size, so that calls
 * ask the process for nothing once the state is warm. Larger ones are malloc's.
 */

#ifndef POS_SCRIPT_POOL_H
#define POS_SCRIPT_POOL_H

#include <stdbool.h>
#include <stddef.h>

#define POS_POOL_STEP   16u
#define POS_POOL_LARGE  256u        /* bytes; what is larger is malloc's */

typedef struct pos_pool_chunk_s pos_pool_chunk_t;

/* Zeroed, it is empty. */
typedef struct {
    void             *free[POS_POOL_LARGE / POS_POOL_STEP];
    pos_pool_chunk_t *chunks;
    size_t            chunk_bytes;  /* of all chunks                       */
    size_t            taken;        /* of them, as it was asked for        */
    char             *reserve;      /* NULL: none                          */
    size_t            reserve_left;
    bool              foreign;      /* a free list may hold a block of no chunk */
} pos_script_pool_t;

/* As realloc(): NULL and 0 make a block, `size` > 0. NULL: no memory, and the
 * block stays as it is. */
void *pos_pool_resize(pos_script_pool_t *pool, void *block, size_t old, size_t size);
void  pos_pool_free(pos_script_pool_t *pool, void *block, size_t size);

/* Bytes of chunks that nobody holds. */
static inline size_t
pos_pool_idle(const pos_script_pool_t *pool)
{
    return pool->chunk_bytes - pool->taken;
}
/* Gives chunks back of which no block is held. */
void  pos_pool_trim(pos_script_pool_t *pool);

/* From now on blocks are cut from a reserve where there is no memory for them: for
 * one who cannot do without. False: none, there is no memory. */
bool  pos_pool_reserve(pos_script_pool_t *pool);
/* The reserve goes, if none of it was needed; else it stays as long as the pool: false. */
bool  pos_pool_unreserve(pos_script_pool_t *pool);

/* Everything that is not large, whoever holds it. */
void  pos_pool_destroy(pos_script_pool_t *pool);

#endif
