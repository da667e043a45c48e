/*
 * Strings to pointers: open addressing in an arena, filled once, read often.
 * Keys are not copied.
 */

#ifndef POS_MAP_H
#define POS_MAP_H

#include "base/arena.h"
#include "base/base.h"
#include "base/hash.h"

typedef struct {
    uint64_t  hash;    /* 0: free; a hash of 0 is kept as 1 */
    pos_str_t key;
    void     *value;
} pos_map_slot_t;

typedef struct {
    pos_arena_t    *arena;
    pos_map_slot_t *slots;
    size_t          mask;
    size_t          count;
} pos_map_t;

/* Room for about `expected` keys; grows by itself. */
pos_status_t pos_map_init(pos_map_t *map, pos_arena_t *arena, size_t expected)
    POS_MUSTCHECK;
/* The same in steps, for a large one: after pos_map_reserve() it is of no use
 * until pos_map_clear() has emptied all its slots. `*done` begins at 0. */
pos_status_t pos_map_reserve(pos_map_t *map, pos_arena_t *arena, size_t expected)
    POS_MUSTCHECK;
bool pos_map_clear(pos_map_t *map, size_t *done, size_t slots);
/* NULL: not there. */
void *pos_map_get(const pos_map_t *map, pos_str_t key);
void *pos_map_get_hashed(const pos_map_t *map, pos_str_t key, uint64_t hash);
/* These keys are about to be asked for: their slots are on the way into the cache, and then the
 * first `size` bytes of what they stand for. */
void pos_map_expect(const pos_map_t *map, const pos_str_t *keys, size_t count, size_t size);
/* Sets or replaces; `*old` (may be NULL) is the value before, or NULL. */
pos_status_t pos_map_set(pos_map_t *map, pos_str_t key, void *value,
    void **old) POS_MUSTCHECK;
/* `hash` is pos_hash64() of the key. */
pos_status_t pos_map_set_hashed(pos_map_t *map, pos_str_t key, uint64_t hash, void *value,
    void **old) POS_MUSTCHECK;

#endif
