/*
 * The table of rows found: the newest has the slot.
 */

#include "replica/found.h"

#include <stdlib.h>
#include <sys/mman.h>

#define ADDRESS_BITS  48
#define LENGTH_BITS   12
#define ADDRESS_MASK  ((UINT64_C(1) << ADDRESS_BITS) - 1)
#define LENGTH_MAX    ((UINT64_C(1) << LENGTH_BITS) - 1)
#define TAG_SHIFT     (ADDRESS_BITS + LENGTH_BITS)
#define SLOT_SIZE     (sizeof(uint64_t) + sizeof(uint32_t))


/* Mapped, not allocated: an allocator clears what it has used before, and this is
 * made in nginx's loop with each change of the book. */
pos_found_t *
pos_found_create(size_t rows)
{
    pos_found_t *found = malloc(sizeof(*found));
    size_t       slots = POS_FOUND_SLOTS_MIN;
    void        *map;

    if (found == NULL) {
        return NULL;
    }

    while (slots < rows && slots < POS_FOUND_SLOTS_MAX) {
        slots *= 2;
    }

    map = mmap(NULL, slots * SLOT_SIZE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        free(found);
        return NULL;
    }

    found->mask = slots - 1;
    found->rows = map;
    found->owners = (uint32_t *) (found->rows + slots);
    return found;
}


void
pos_found_destroy(pos_found_t *found)
{
    if (found != NULL) {
        (void) munmap(found->rows, (found->mask + 1) * SLOT_SIZE);
        free(found);
    }
}


bool
pos_found_get(const pos_found_t *found, uint32_t owner, uint64_t hash,
    pos_str_t *row)
{
    uint64_t at, slot;

    if (found == NULL) {
        return false;
    }

    at = hash & found->mask;
    slot = found->rows[at];
    if (slot == 0 || slot >> TAG_SHIFT != hash >> TAG_SHIFT
        || found->owners[at] != owner)
    {
        return false;
    }

    *row = pos_str_of((const char *) (uintptr_t) (slot & ADDRESS_MASK),
                      (size_t) (slot >> ADDRESS_BITS & LENGTH_MAX));
    return true;
}


void
pos_found_put(pos_found_t *found, uint32_t owner, uint64_t hash, pos_str_t row)
{
    uint64_t address = (uint64_t) (uintptr_t) row.data;

    if (found == NULL || row.len > LENGTH_MAX || address > ADDRESS_MASK) {
        return;
    }

    found->owners[hash & found->mask] = owner;
    found->rows[hash & found->mask] = address
                                      | (uint64_t) row.len << ADDRESS_BITS
                                      | hash >> TAG_SHIFT << TAG_SHIFT;
}


void
pos_found_fetch(const pos_found_t *found, uint64_t hash)
{
    if (found != NULL) {
        __builtin_prefetch(&found->rows[hash & found->mask]);
        __builtin_prefetch(&found->owners[hash & found->mask]);
    }
}


void
pos_found_fetch_row(const pos_found_t *found, uint64_t hash)
{
    const char *row;

    if (found == NULL || found->rows[hash & found->mask] == 0) {
        return;
    }

    row = (const char *) (uintptr_t) (found->rows[hash & found->mask] & ADDRESS_MASK);
    __builtin_prefetch(row);
    __builtin_prefetch(row + 64);
    __builtin_prefetch(row + 128);
}
