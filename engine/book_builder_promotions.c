/*
 * The promotions of a build: taken over from the previous book where their
 * content is the same, else compiled; one that does not compile keeps the
 * version before.
 */

#include "engine/book_builder.h"

#include <stdlib.h>

#define COMPILE_ROWS    20             /* what a compiled promotion counts */


static pos_promotion_t *
previous_promotion(const pos_book_builder_t *b, pos_str_t id)
{
    uintptr_t found;

    if (b->previous == NULL) {
        return NULL;
    }
    found = (uintptr_t) pos_map_get(&b->previous->promotion_by_id, id);
    return found ? b->previous->promotions[found - 1] : NULL;
}


/* ---- kept ---- */

/* Promotions are many: one array of them, grown, would be copied in one step. */
static pos_status_t
add_chunk(growing_t *chunks)
{
    pos_promotion_t **chunk;
    pos_status_t      status = pos_builder_grow(chunks, sizeof(chunk));

    if (status != POS_OK) {
        return status;
    }
    chunk = malloc(POS_RANKING_CHUNK * sizeof(*chunk));
    if (chunk == NULL) {
        return POS_NO_MEMORY;
    }
    ((pos_promotion_t ***) chunks->items)[chunks->count++] = chunk;
    return POS_OK;
}


static pos_promotion_t **
promotion_place(const pos_book_builder_t *b, uint32_t i)
{
    return &((pos_promotion_t ***)
                 b->promotions.items)[i / POS_RANKING_CHUNK][i % POS_RANKING_CHUNK];
}


static pos_status_t
keep_promotion(pos_book_builder_t *b, pos_promotion_t *p)
{
    if (b->promotion_count == b->promotions.count * POS_RANKING_CHUNK
        && add_chunk(&b->promotions) != POS_OK)
    {
        return POS_NO_MEMORY;
    }
    *promotion_place(b, b->promotion_count++) = p;
    return POS_OK;
}


void
pos_builder_drop_promotions(pos_book_builder_t *b)
{
    for (uint32_t i = 0; i < b->promotion_count; i++) {
        pos_promotion_release(*promotion_place(b, i));
    }
    for (uint32_t i = 0; i < b->promotions.count; i++) {
        free(((pos_promotion_t ***) b->promotions.items)[i]);
    }
    free(b->promotions.items);
}


/* ---- taken over or compiled ---- */

static void
content_digest(const pos_book_builder_t *b, pos_str_t value, uint8_t *out)
{
    pos_sha256_t ctx;

    pos_sha256_init(&ctx);
    pos_sha256_update(&ctx, pos_str_of((const char *) b->zone_digest, POS_SHA256_SIZE));
    pos_sha256_update(&ctx, value);
    pos_sha256_final(&ctx, out);
}


/* A compiled script belongs to its VM. */
static bool
may_take_over(const pos_book_builder_t *b, const pos_promotion_t *p)
{
    return p->script == NULL || b->previous->vm == b->book->vm;
}


static pos_status_t
keep_predecessor(pos_book_builder_t *b, pos_str_t key, pos_promotion_t *before,
    const pos_faults_t *faults)
{
    bool keep = before != NULL && may_take_over(b, before);

    pos_builder_report_fault(b, POS_KIND_PROMOTION, key, faults, keep);
    if (!keep) {
        return POS_OK;
    }
    pos_promotion_retain(before);
    return keep_promotion(b, before);
}


static pos_status_t
compile_promotion(pos_book_builder_t *b, pos_str_t key, pos_str_t value,
    const uint8_t *digest, pos_promotion_t *before)
{
    pos_promotion_t *made = NULL;
    pos_faults_t     faults;
    pos_json_t      *json;
    pos_status_t     status;

    pos_faults_init(&faults, b->scratch);
    status = pos_json_read(b->reader, value, b->scratch, &faults, &json);
    if (status == POS_OK) {
        status = pos_promotion_compile(json, b->book->zone, b->book->vm, pos_str(""),
            &faults, &made);
    }
    if (status == POS_NO_MEMORY) {
        return status;
    }
    if (status != POS_OK) {
        return keep_predecessor(b, key, before, &faults);
    }
    memcpy(made->digest, digest, POS_SHA256_SIZE);
    status = keep_promotion(b, made);
    if (status != POS_OK) {
        pos_promotion_release(made);
    }
    return status;
}


pos_status_t
pos_builder_add_promotion(pos_book_builder_t *b, pos_str_t key, pos_str_t value,
                          unsigned *cost)
{
    pos_promotion_t *before = previous_promotion(b, key);
    uint8_t          digest[POS_SHA256_SIZE];

    content_digest(b, value, digest);
    if (before != NULL && memcmp(before->digest, digest, sizeof(digest)) == 0
        && may_take_over(b, before))
    {
        pos_promotion_retain(before);
        return keep_promotion(b, before);
    }
    *cost = COMPILE_ROWS;
    return compile_promotion(b, key, value, digest, before);
}
