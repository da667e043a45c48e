/*
 * The promotions of a build: taken over from the previous book where their
 * content is the same, else compiled; one that does not compile keeps the
 * version before.
 */

#include "engine/book_builder.h"

#include <stdlib.h>

#define COMPILE_ROWS    20             /* what a compiled promotion counts */


/* Its version in the book before; NULL: it had none. */
static pos_promotion_t *
previous_promotion(const pos_book_builder_t *b, pos_str_t id)
{
    uint32_t number;

    return b->previous != NULL && pos_roster_find(&b->previous->roster, id, &number)
               ? pos_roster_at(&b->previous->roster, number) : NULL;
}


/* ---- kept ---- */

/* Promotions are many: one array of them, grown, would be copied in one step. */
static pos_status_t
add_chunk(pos_book_builder_t *b)
{
    pos_promotion_t **chunk;
    pos_status_t      status = pos_builder_grow(&b->promotions, sizeof(chunk));

    if (status != POS_OK) {
        return status;
    }
    chunk = malloc(POS_RANKING_CHUNK * sizeof(*chunk));
    if (chunk == NULL) {
        return POS_NO_MEMORY;
    }
    ((pos_promotion_t ***) b->promotions.items)[b->promotions.count++] = chunk;
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
        && add_chunk(b) != POS_OK)
    {
        return POS_NO_MEMORY;
    }
    *promotion_place(b, b->promotion_count++) = p;
    return POS_OK;
}


void
pos_builder_drop_promotions(pos_book_builder_t *b)
{
    for (uint32_t i = b->named; i < b->promotion_count; i++) {
        pos_promotion_release(b->ranked != NULL ? b->ranked[i] : *promotion_place(b, i));
    }
    for (uint32_t i = 0; i < b->promotions.count; i++) {
        free(((pos_promotion_t ***) b->promotions.items)[i]);
    }
    free(b->promotions.items);
}


/* ---- taken over or compiled ---- */

/* 128 bits that tell one version of a retailer's own row from the next; who finds two that
 * are alike keeps his own shop at the first. SHA-256 would be a quarter of a change's work. */
static void
content_of(const pos_book_builder_t *b, pos_str_t value, uint64_t out[2])
{
    uint64_t seeds[2];

    memcpy(seeds, b->book->zone_digest, sizeof(seeds));
    out[0] = pos_hash64_seeded(value, seeds[0]);
    out[1] = pos_hash64_seeded(value, seeds[1] ^ UINT64_C(0x9e3779b97f4a7c15));
}


/* A compiled script belongs to its VM. */
static bool
may_take_over(const pos_book_builder_t *b, const pos_promotion_t *p)
{
    return p->script == NULL || b->previous->vm == b->book->vm;
}


/* At fault: what it was before serves on, if anything. */
static pos_promotion_t *
predecessor(pos_book_builder_t *b, pos_str_t key, pos_promotion_t *before,
    const pos_faults_t *faults)
{
    bool keep = before != NULL && may_take_over(b, before);

    pos_builder_report_fault(b, POS_KIND_PROMOTION, key, faults, keep);
    if (!keep) {
        return NULL;
    }
    pos_promotion_retain(before);
    return before;
}


pos_status_t
pos_builder_compile(pos_book_builder_t *b, pos_str_t key, pos_str_t value,
    pos_promotion_t *before, unsigned *cost, pos_promotion_t **out)
{
    pos_faults_t faults;
    pos_json_t  *json;
    pos_status_t status;
    uint64_t     content[2];

    content_of(b, value, content);
    if (before != NULL && memcmp(before->content, content, sizeof(content)) == 0
        && may_take_over(b, before))
    {
        pos_promotion_retain(before);
        *out = before;
        return POS_OK;
    }
    *cost = COMPILE_ROWS;
    pos_faults_init(&faults, b->scratch);
    status = pos_json_read(b->reader, value, b->scratch, &faults, &json);
    if (status == POS_OK) {
        status = pos_promotion_compile(json, b->book->zone, b->book->vm, pos_str(""),
            &faults, out);
    }
    if (status == POS_OK) {
        memcpy((*out)->content, content, sizeof(content));
        return POS_OK;
    }
    if (status == POS_NO_MEMORY) {
        return status;
    }
    *out = predecessor(b, key, before, &faults);
    return POS_OK;
}


pos_status_t
pos_builder_add_promotion(pos_book_builder_t *b, pos_str_t key, pos_str_t value,
                          unsigned *cost)
{
    pos_promotion_t *made = NULL;
    pos_status_t     status = pos_builder_compile(b, key, value, previous_promotion(b, key),
            cost, &made);

    if (status != POS_OK || made == NULL) {
        return status;
    }
    status = keep_promotion(b, made);
    if (status != POS_OK) {
        pos_promotion_release(made);
    }
    return status;
}
