/*
 * From what a cart holds to the promotions that could touch it.
 *
 * Each promotion is filed under one anchor: a set of keys (a SKU, a category,
 * a coupon, a customer group …) of which a cart must have at least one for the
 * promotion to have any effect. A look-up visits the cart's own keys only, so
 * promotions that cannot apply cost nothing; within one key's list, blocks
 * that have ended, not begun, or ask for more goods are skipped whole.
 */

#ifndef POS_INDEX_H
#define POS_INDEX_H

#include "engine/book_data.h"

/* Equal values have equal keys; two values of one key only bring a promotion
 * in vain, so that keys are never compared by their text. */
uint64_t pos_anchor_key(pos_anchor_kind_t kind, uint64_t value_hash);
uint64_t pos_anchor_pair(pos_anchor_kind_t kind, pos_str_t name, pos_str_t value);

/* The best anchor of one promotion; its keys are in `arena`. */
pos_status_t pos_anchor_of(const pos_promotion_t *promotion, pos_arena_t *arena,
    pos_anchor_t *out) POS_MUSTCHECK;

/* Builds in slices of about `rows` promotions. POS_AGAIN: more to do. POS_OK:
 * book->index is set. The book's promotions must be in their final order. */
typedef struct pos_index_building_s pos_index_building_t;
pos_status_t pos_index_building_create(pos_book_t *book, pos_index_building_t **out)
    POS_MUSTCHECK;
pos_status_t pos_index_building_step(pos_index_building_t *building, unsigned rows)
    POS_MUSTCHECK;
void pos_index_building_destroy(pos_index_building_t *building);

/* A promotion that a book has and the one before it had not, or had and has no more; with
 * its number in the book that has it. */
typedef struct {
    const pos_promotion_t *promotion;
    uint32_t               number;
} pos_moved_t;

/* The same for a book that follows another, in slices: a promotion that changed is among
 * both. `before` and the lists must stay until it is done. */
typedef struct pos_index_following_s pos_index_following_t;
/* False: too many were added since it was built as a whole. */
bool pos_index_may_follow(const pos_index_t *before);
pos_status_t pos_index_following_create(pos_book_t *book, const pos_index_t *before,
    const pos_moved_t *went, uint32_t went_count, const pos_moved_t *came, uint32_t came_count,
    pos_index_following_t **out) POS_MUSTCHECK;
pos_status_t pos_index_following_step(pos_index_following_t *following, unsigned rows)
    POS_MUSTCHECK;
void pos_index_following_destroy(pos_index_following_t *following);

/* Gives back what it shares with others, a drawer a row; its own memory is its book's.
 * True: all of it. */
bool pos_index_release_some(pos_index_t *index, unsigned *rows);
void pos_index_release(pos_index_t *index);

#endif
