/*
 * The table of decoded products of a snapshot.
 */

#include "replica/hot.h"

#include <stdlib.h>

#define HOT_BLOCK  65536


pos_hot_t *
pos_hot_create(void)
{
    pos_hot_t *hot = calloc(1, sizeof(*hot));

    if (hot == NULL) {
        return NULL;
    }

    hot->arena = pos_arena_create(HOT_BLOCK, POS_HOT_MAX);
    if (hot->arena == NULL) {
        free(hot);
        return NULL;
    }

    return hot;
}


void
pos_hot_destroy(pos_hot_t *hot)
{
    if (hot != NULL) {
        pos_arena_destroy(hot->arena);
        free(hot);
    }
}


pos_hot_slot_t *
pos_hot_slot(pos_hot_t *hot, uint64_t hash)
{
    return hot ? &hot->slots[hash & (POS_HOT_SLOTS - 1)] : NULL;
}


const pos_product_t *
pos_hot_find(const pos_hot_slot_t *slot, uint64_t retailer, pos_str_t sku,
    uint64_t hash)
{
    if (slot == NULL || slot->product == NULL || slot->hash != hash
        || slot->retailer != retailer || !pos_str_eq(slot->product->sku, sku))
    {
        return NULL;
    }

    return slot->product;
}


/* A second miss of the same product admits it, so that one pass over a whole
 * catalogue does not fill the table with what is never asked for again. */
pos_arena_t *
pos_hot_admit(pos_hot_t *hot, pos_hot_slot_t *slot, uint64_t hash)
{
    if (slot == NULL || slot->product != NULL) {
        return NULL;
    }

    if (slot->missed != hash) {
        slot->missed = hash;
        return NULL;
    }

    return hot->arena;
}


void
pos_hot_keep(pos_hot_slot_t *slot, uint64_t retailer, uint64_t hash,
    const pos_product_t *product)
{
    slot->hash = hash;
    slot->retailer = retailer;
    slot->product = product;
}
