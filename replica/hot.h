/*
 * Products that a snapshot is asked for again and again, decoded once. A row is
 * the same for as long as its snapshot is open, so a decoded one is too; nothing
 * here is ever replaced, because who was handed a product may still hold it.
 *
 * Bounded: the first to be asked for twice are kept until the table's slot or the
 * arena is full, and every change of the book brings a new snapshot, which learns
 * anew. Without memory nothing is kept and everything still works.
 */

#ifndef POS_REPLICA_HOT_H
#define POS_REPLICA_HOT_H

#include "engine/book.h"

#define POS_HOT_SLOTS  2048              /* a power of two                    */
#define POS_HOT_MAX    (1024 * 1024)     /* bytes of decoded products         */

typedef struct {
    uint64_t             hash;           /* of the product kept               */
    uint64_t             missed;         /* of the last one not found here    */
    uint64_t             retailer;       /* number and generation             */
    const pos_product_t *product;        /* NULL: the slot is free            */
} pos_hot_slot_t;

typedef struct {
    pos_arena_t   *arena;
    pos_hot_slot_t slots[POS_HOT_SLOTS];
} pos_hot_t;

/* NULL without memory, which the functions below allow. */
pos_hot_t *pos_hot_create(void);
void       pos_hot_destroy(pos_hot_t *hot);

/* The slot where this product is or would be; NULL without a table. */
pos_hot_slot_t *pos_hot_slot(pos_hot_t *hot, uint64_t hash);
/* NULL: not kept. */
const pos_product_t *pos_hot_find(const pos_hot_slot_t *slot, uint64_t retailer,
    pos_str_t sku, uint64_t hash);
/* After a miss: the arena to decode into where the product is to be kept now,
 * else NULL. It may be too full: then POS_NO_MEMORY is no fault. */
pos_arena_t *pos_hot_admit(pos_hot_t *hot, pos_hot_slot_t *slot, uint64_t hash);
void pos_hot_keep(pos_hot_slot_t *slot, uint64_t retailer, uint64_t hash,
    const pos_product_t *product);

#endif
