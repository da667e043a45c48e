/*
 * The blocks of a Lua state. A call leaves small tables and objects behind, and
 * the next one makes them again: small blocks are kept by size, so that calls
 * ask the process for nothing once the state is warm. Larger ones are malloc's.
 */

#ifndef POS_SCRIPT_POOL_H
#define POS_SCRIPT_POOL_H

#include <stddef.h>

#define POS_POOL_STEP   16u
#define POS_POOL_LARGE  256u        /* bytes; what is larger is malloc's */

typedef struct pos_pool_chunk_s pos_pool_chunk_t;

/* Zeroed, it is empty. */
typedef struct {
    void             *free[POS_POOL_LARGE / POS_POOL_STEP];
    pos_pool_chunk_t *chunks;
} pos_script_pool_t;

/* As realloc(): NULL and 0 make a block, `size` > 0. NULL: no memory, and the
 * block stays as it is. */
void *pos_pool_resize(pos_script_pool_t *pool, void *block, size_t old, size_t size);
void  pos_pool_free(pos_script_pool_t *pool, void *block, size_t size);
/* Everything that is not large, whoever holds it. */
void  pos_pool_destroy(pos_script_pool_t *pool);

#endif
