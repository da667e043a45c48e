/*
 * A retailer's next book from the one that the worker has: what changed since is
 * read from the replica, and only that is compiled.
 */

#ifndef NGX_POS_FOLLOW_H
#define NGX_POS_FOLLOW_H

#include "ngx_pos_generation.h"

/* NGX_AGAIN: `*builder` follows the book of `before`, whose snapshot is an
 * earlier one; it reads from `*arena`, which the caller destroys after it.
 * NGX_DECLINED: what changed is not known, or too much: build the whole book.
 * NGX_ERROR: no memory. */
ngx_int_t ngx_pos_follow(pos_snapshot_t *snapshot, const pos_head_t *head,
    const ngx_pos_shop_t *before, pos_script_vm_t *vm, pos_arena_t **arena,
    pos_book_builder_t **builder);

#endif
