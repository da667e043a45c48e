#include "base/map.h"

#define POS_MAP_MIN  8


static pos_status_t
pos_map_alloc(pos_map_t *map, size_t size)
{
    map->slots = pos_arena_array(map->arena, size, sizeof(pos_map_slot_t));
    map->mask = size - 1;

    return map->slots ? POS_OK : POS_NO_MEMORY;
}


/* At most half full, so that a miss looks at about two slots. 0: too many. */
static size_t
pos_map_size(size_t expected)
{
    size_t size = POS_MAP_MIN;

    if (expected > SIZE_MAX / 4 / sizeof(pos_map_slot_t)) {
        return 0;
    }

    while (size < expected * 2) {
        size *= 2;
    }

    return size;
}


pos_status_t
pos_map_init(pos_map_t *map, pos_arena_t *arena, size_t expected)
{
    size_t size = pos_map_size(expected);

    map->arena = arena;
    map->count = 0;

    return size > 0 ? pos_map_alloc(map, size) : POS_NO_MEMORY;
}


pos_status_t
pos_map_reserve(pos_map_t *map, pos_arena_t *arena, size_t expected)
{
    size_t size = pos_map_size(expected);

    map->arena = arena;
    map->count = 0;
    map->mask = size - 1;
    map->slots = size > 0 ? pos_arena_alloc(arena, size * sizeof(pos_map_slot_t)) : NULL;

    return map->slots ? POS_OK : POS_NO_MEMORY;
}


bool
pos_map_clear(pos_map_t *map, size_t *done, size_t slots)
{
    size_t left = map->mask + 1 - *done;

    slots = slots < left ? slots : left;
    memset(map->slots + *done, 0, slots * sizeof(pos_map_slot_t));
    *done += slots;

    return *done > map->mask;
}


static inline uint64_t
pos_map_hash(pos_str_t key)
{
    uint64_t hash = pos_hash64(key);

    return hash + (hash == 0);
}


/* The key's slot, or the free one where it belongs. */
static inline pos_map_slot_t *
pos_map_slot(const pos_map_t *map, pos_str_t key, uint64_t hash)
{
    size_t          i;
    pos_map_slot_t *slot;

    for (i = hash & map->mask;; i = (i + 1) & map->mask) {
        slot = &map->slots[i];

        if (slot->hash == 0 || (slot->hash == hash && pos_str_eq(slot->key, key))) {
            return slot;
        }
    }
}


void *
pos_map_get_hashed(const pos_map_t *map, pos_str_t key, uint64_t hash)
{
    if (map->count == 0) {
        return NULL;
    }

    return pos_map_slot(map, key, hash + (hash == 0))->value;
}


void *
pos_map_get(const pos_map_t *map, pos_str_t key)
{
    return map->count ? pos_map_slot(map, key, pos_map_hash(key))->value : NULL;
}


#define POS_MAP_AT_ONCE  32
#define POS_CACHE_LINE   64

void
pos_map_expect(const pos_map_t *map, const pos_str_t *keys, size_t count, size_t size)
{
    size_t                i, n, at;
    const pos_map_slot_t *slots[POS_MAP_AT_ONCE];

    for (; map->count > 0 && count > 0; keys += n, count -= n) {
        n = count < POS_MAP_AT_ONCE ? count : POS_MAP_AT_ONCE;

        for (i = 0; i < n; i++) {
            slots[i] = &map->slots[pos_map_hash(keys[i]) & map->mask];
            __builtin_prefetch(slots[i]);
        }

        for (i = 0; i < n; i++) {
            for (at = 0; slots[i]->value != NULL && at < size; at += POS_CACHE_LINE) {
                __builtin_prefetch((const char *) slots[i]->value + at);
            }
        }
    }
}


static pos_status_t
pos_map_grow(pos_map_t *map)
{
    size_t          i, old_size = map->mask + 1;
    pos_map_t       bigger = *map;
    pos_map_slot_t *old = map->slots;

    if (pos_map_alloc(&bigger, old_size * 2) != POS_OK) {
        return POS_NO_MEMORY;
    }

    for (i = 0; i < old_size; i++) {
        if (old[i].hash) {
            *pos_map_slot(&bigger, old[i].key, old[i].hash) = old[i];
        }
    }

    *map = bigger;

    return POS_OK;
}


pos_status_t
pos_map_set_hashed(pos_map_t *map, pos_str_t key, uint64_t hash, void *value, void **old)
{
    pos_map_slot_t *slot;

    hash += hash == 0;
    if (map->count * 2 >= map->mask + 1 && pos_map_grow(map) != POS_OK) {
        return POS_NO_MEMORY;
    }

    slot = pos_map_slot(map, key, hash);

    if (old) {
        *old = slot->value;
    }

    if (slot->hash == 0) {
        slot->hash = hash;
        slot->key = key;
        map->count++;
    }

    slot->value = value;

    return POS_OK;
}


pos_status_t
pos_map_set(pos_map_t *map, pos_str_t key, void *value, void **old)
{
    return pos_map_set_hashed(map, key, pos_hash64(key), value, old);
}
