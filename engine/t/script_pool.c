/* Blocks of a Lua state: kept by size, each whole while it is held. */

#include "base/t/tap.h"
#include "base/arena.h"
#include "engine/script_pool.h"

#define HELD   500
#define TURNS  200000

typedef struct {
    unsigned char *block;
    size_t         size;
    unsigned char  mark;
} held_t;

static bool
is_whole(const held_t *h, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (h->block[i] != h->mark) {
            return false;
        }
    }
    return true;
}

/* Sizes and turns by a fixed sequence: each run is the same. */
static uint32_t
next_number(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void
take_turns(pos_script_pool_t *pool)
{
    static held_t all[HELD];
    uint32_t      state = 7;
    bool          whole = true, aligned = true;

    for (int turn = 0; turn < TURNS; turn++) {
        held_t *h = &all[next_number(&state) % HELD];
        size_t  size = 1 + next_number(&state) % (next_number(&state) % 8 == 0 ? 4000 : 300);

        if (h->block != NULL && turn % 3 == 0) {
            whole &= is_whole(h, h->size);
            pos_pool_free(pool, h->block, h->size);
            h->block = NULL;
            continue;
        }
        bool fresh = h->block == NULL;

        h->block = pos_pool_resize(pool, h->block, fresh ? 0 : h->size, size);
        whole &= fresh || is_whole(h, h->size < size ? h->size : size);
        aligned &= ((uintptr_t) h->block & 7) == 0;
        h->size = size;
        h->mark = (unsigned char) turn;
        memset(h->block, h->mark, size);
    }
    ok(whole, "what a block holds is neither lost nor written over");
    ok(aligned, "every block is aligned to 8");
    for (int i = 0; i < HELD; i++) {
        if (all[i].block != NULL) {
            pos_pool_free(pool, all[i].block, all[i].size);
        }
    }
}

/* What a call took at most stays for the next, but for what is idle for good. */
static void
give_back(pos_script_pool_t *pool)
{
    static void *all[2000];

    for (int i = 0; i < 2000; i++) {
        all[i] = pos_pool_resize(pool, NULL, 0, 20 + (size_t) i % 100);
    }
    ok(POS_ARENA_GUARDED || pool->chunk_bytes > 100u << 10, "chunks are counted: %zu bytes", pool->chunk_bytes);
    ok(pos_pool_idle(pool) < 120u << 10, "of which %zu are idle", pos_pool_idle(pool));
    pos_pool_trim(pool);
    memset(all[1], 1, 21);
    memset(all[1999], 1, 119);
    for (int i = 0; i < 1999; i++) {
        pos_pool_free(pool, all[i], 20 + (size_t) i % 100);
    }
    pos_pool_trim(pool);
    is_int(pool->chunk_bytes, POS_ARENA_GUARDED ? 0 : 16 << 10, "all chunks but the one that is in use are given back");
    all[0] = pos_pool_resize(pool, NULL, 0, 120);
    memset(all[0], 2, 120);
    ok(((unsigned char *) all[1999])[118] == 1, "whose blocks are the next of their size");
    is_int(pool->chunk_bytes, POS_ARENA_GUARDED ? 0 : 16 << 10, "without another chunk");
    pos_pool_free(pool, all[0], 120);
    pos_pool_free(pool, all[1999], 119);
    pos_pool_trim(pool);
    is_int(pool->chunk_bytes, 0, "and then none is left");
}

/* ---- no memory for a chunk ---- */

#if !POS_ARENA_GUARDED
static bool no_chunks;

void *__libc_memalign(size_t alignment, size_t size);

void *
aligned_alloc(size_t alignment, size_t size)
{
    return no_chunks ? NULL : __libc_memalign(alignment, size);
}

/* A large block that its holder could not exchange for a small one is a small one from
 * then on, though it lies in no chunk. */
static void
shrink_in_vain(pos_script_pool_t *pool)
{
    char *large = pos_pool_resize(pool, NULL, 0, 1000), *small;

    no_chunks = true;
    ok(pos_pool_resize(pool, large, 1000, 40) == NULL, "there is no chunk for a smaller block");
    no_chunks = false;
    small = pos_pool_resize(pool, NULL, 0, 200);
    pos_pool_free(pool, large, 40);
    pos_pool_free(pool, small, 200);
    pos_pool_trim(pool);
    small = pos_pool_resize(pool, NULL, 0, 40);
    ok(small == large, "what was kept instead is the next of the smaller size");
    memset(small, 3, 40);
    pos_pool_free(pool, small, 40);
    pos_pool_destroy(pool);
}
#else
static void
shrink_in_vain(pos_script_pool_t *pool)
{
    ok(pool->chunks == NULL, "every block is malloc's here");
}
#endif

int
main(void)
{
    pos_script_pool_t pool = { 0 };
    void             *a, *b;

    take_turns(&pool);
    is_int(pool.taken, 0, "nobody holds a block then");
    pos_pool_trim(&pool);
    is_int(pool.chunk_bytes, 0, "and all chunks are given back");
    give_back(&pool);
    a = pos_pool_resize(&pool, NULL, 0, 40);
    pos_pool_free(&pool, a, 40);
    b = pos_pool_resize(&pool, NULL, 0, 33);
    ok(POS_ARENA_GUARDED || a == b, "a block given back is the next of its size");
    a = pos_pool_resize(&pool, b, 33, 48);
    ok(POS_ARENA_GUARDED || a == b, "growing within its size moves nothing");
    pos_pool_free(&pool, a, 48);
    pos_pool_free(&pool, NULL, 0);
    pos_pool_destroy(&pool);
    ok(pool.chunks == NULL, "and everything goes at once");
    shrink_in_vain(&pool);
    return tap_done();
}
