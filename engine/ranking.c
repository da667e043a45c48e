/*
 * Rows come by key, which is the id: then only priorities are left to sort,
 * which is several times faster than following every pointer.
 */

#include "engine/ranking.h"
#include "engine/sorter.h"

#include <stdlib.h>

#define MOVES  16     /* that a row counts */

typedef struct {
    int64_t                priority;
    const pos_promotion_t *promotion;
} ranked_t;

struct pos_ranking_s {
    pos_promotion_t *const *const *chunks;
    uint32_t                count, read, written;
    bool                    ascend;      /* by id, so far                    */
    bool                    sorting;
    ranked_t               *ranks, *spare;
    pos_sorter_t            sorter;
    pos_promotion_t       **out;
};


/* Stable: what comes by id stays so within a priority. */
static int
by_priority(const void *a, const void *b)
{
    const ranked_t *x = a, *y = b;

    return (x->priority < y->priority) - (x->priority > y->priority);
}


static int
by_priority_and_id(const void *a, const void *b)
{
    const ranked_t *x = a, *y = b;
    int             c = by_priority(a, b);

    return c != 0 ? c : pos_str_cmp(x->promotion->id, y->promotion->id);
}


pos_status_t
pos_ranking_create(pos_promotion_t *const *const *chunks, uint32_t count, pos_arena_t *arena,
    pos_ranking_t **out)
{
    pos_ranking_t *r = calloc(1, sizeof(*r));

    *out = r;
    if (r == NULL) {
        return POS_NO_MEMORY;
    }
    r->chunks = chunks;
    r->count = count;
    r->ascend = true;
    r->ranks = malloc((count + 1) * sizeof(*r->ranks));
    r->spare = malloc((count + 1) * sizeof(*r->spare));
    r->out = pos_arena_alloc(arena, (count + 1) * sizeof(*r->out));
    return r->ranks == NULL || r->spare == NULL || r->out == NULL ? POS_NO_MEMORY : POS_OK;
}


static const pos_promotion_t *
row_at(const pos_ranking_t *r, uint32_t i)
{
    return r->chunks[i / POS_RANKING_CHUNK][i % POS_RANKING_CHUNK];
}


static void
read_row(pos_ranking_t *r)
{
    const pos_promotion_t *p = row_at(r, r->read);

    if (r->read > 0 && pos_str_cmp(row_at(r, r->read - 1)->id, p->id) >= 0) {
        r->ascend = false;
    }
    r->ranks[r->read++] = (ranked_t) { p->priority, p };
}


static void
write_row(pos_ranking_t *r)
{
    r->out[r->written] = (pos_promotion_t *) (uintptr_t) r->ranks[r->written].promotion;
    r->written++;
}


pos_status_t
pos_ranking_step(pos_ranking_t *r, unsigned rows, pos_promotion_t ***out)
{
    if (r->read < r->count) {
        for (; rows > 0 && r->read < r->count; rows--) {
            read_row(r);
        }
        return POS_AGAIN;
    }
    if (!r->sorting) {
        r->sorting = true;
        pos_sorter_init(&r->sorter, r->ranks, r->spare, r->count, sizeof(*r->ranks),
            r->ascend ? by_priority : by_priority_and_id);
    }
    if (!pos_sorter_step(&r->sorter, rows * MOVES)) {
        return POS_AGAIN;
    }
    for (rows *= MOVES; rows > 0 && r->written < r->count; rows--) {
        write_row(r);
    }
    if (r->written < r->count) {
        return POS_AGAIN;
    }
    *out = r->out;
    return POS_OK;
}


void
pos_ranking_destroy(pos_ranking_t *r)
{
    if (r != NULL) {
        free(r->ranks);
        free(r->spare);
        free(r);
    }
}
