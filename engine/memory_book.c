/*
 * A book from one JSON document, served as a source.
 */

#include "engine/memory_book_data.h"
#include "engine/script.h"

#include <stdlib.h>

#define BLOCK_SIZE  65536


pos_status_t
pos_memory_book_create(const pos_json_t *document, pos_zone_loader_t zone, void *zone_ctx,
    pos_faults_t *faults, pos_memory_book_t **out)
{
    pos_memory_book_t   *m = calloc(1, sizeof(*m));
    pos_memory_reading_t r = { .m = m, .document = document, .faults = faults,
        .zone = zone, .zone_ctx = zone_ctx };
    pos_status_t         status = POS_NO_MEMORY;

    if (m == NULL) {
        return POS_NO_MEMORY;
    }
    m->arena = pos_arena_create(BLOCK_SIZE, 0);
    r.scratch = pos_arena_create(BLOCK_SIZE, 0);
    if (m->arena != NULL && r.scratch != NULL) {
        status = pos_memory_read(&r);
    }
    if (r.vm != NULL) {
        pos_script_vm_destroy(r.vm);
    }
    if (r.scratch != NULL) {
        pos_arena_destroy(r.scratch);
    }
    if (status != POS_OK) {
        pos_memory_book_destroy(m);
        return status;
    }
    *out = m;
    return POS_OK;
}


void
pos_memory_book_destroy(pos_memory_book_t *memory)
{
    if (memory == NULL) {
        return;
    }
    if (memory->arena != NULL) {
        pos_arena_destroy(memory->arena);
    }
    free(memory);
}


pos_str_t
pos_memory_book_revision(const pos_memory_book_t *memory)
{
    return pos_str_of(memory->revision, sizeof(memory->revision));
}


/* ---- as a source ---- */

static pos_status_t
source_product(void *ctx, pos_str_t sku, pos_arena_t *arena, const pos_product_t **out)
{
    const pos_memory_book_t *m = ctx;

    (void) arena;
    *out = pos_map_get(&m->products, sku);
    return *out ? POS_OK : POS_NOT_FOUND;
}


static pos_status_t
source_coupon(void *ctx, pos_str_t code, pos_arena_t *arena, const pos_coupon_t **out)
{
    const pos_memory_book_t *m = ctx;

    (void) arena;
    *out = pos_map_get(&m->coupons, code);
    return *out ? POS_OK : POS_NOT_FOUND;
}


static pos_status_t
source_next(void *ctx, pos_kind_t kind, const pos_str_t *after, pos_str_t *key,
    pos_str_t *value)
{
    const pos_memory_book_t    *m = ctx;
    const pos_memory_section_t *s = &m->sections[kind];
    uint32_t                    low = 0, high = s->count;

    while (after != NULL && low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (pos_str_cmp(s->rows[middle].key, *after) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low >= s->count) {
        return POS_NOT_FOUND;
    }
    *key = s->rows[low].key;
    *value = s->rows[low].value;
    return POS_OK;
}


void
pos_memory_book_source(pos_memory_book_t *memory, pos_book_source_t *out)
{
    out->ctx = memory;
    out->product = source_product;
    out->expect = NULL;    /* in memory all of it is near */
    out->coupon = source_coupon;
    out->next = source_next;
}
