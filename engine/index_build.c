/* The whole index, in slices: entries gathered, sent to their drawers, and each drawer made. */

#include "engine/cart.h"
#include "engine/index_data.h"
#include "engine/sorter.h"

#include <stdlib.h>

typedef enum {
    STAGE_GATHER,      /* asks each promotion for its keys       */
    STAGE_CLEAR,       /* empties the counts                     */
    STAGE_TOUCH,       /* and the room for entries               */
    STAGE_COUNT,       /* how many each drawer has               */
    STAGE_PLACE,       /* where each drawer's entries begin      */
    STAGE_SCATTER,     /* entries to their drawers' places       */
    STAGE_MAKE,        /* orders each drawer's and makes it      */
    STAGE_DONE
} stage_t;

struct pos_index_building_s {
    pos_book_t         *book;
    pos_index_t        *index;
    stage_t             stage;
    uint32_t            next;          /* promotion to ask                   */
    size_t              at;            /* of the stage: drawer or entry      */
    pos_entry_t        *gathered;      /* spare for sorting, once scattered  */
    uint32_t            count, room;
    pos_entry_t        *scattered;
    uint32_t           *ends;          /* of each drawer's entries           */
    bool                sorting, making;       /* the drawer `at`            */
    pos_sorter_t        sorter;
    pos_drawer_making_t made;
};


bool
pos_anchor_at(const pos_anchor_t *a, uint32_t k, uint64_t *key)
{
    bool any = a->kind == POS_ANCHOR_ALWAYS;

    if (k >= (any ? 1 : a->count)) {
        return false;
    }
    *key = any ? pos_anchor_key(POS_ANCHOR_ALWAYS, 0) : a->keys[k];
    return true;
}


void
pos_index_count(pos_index_t *index, const pos_anchor_t *a, int step)
{
    for (uint32_t bits = a->kinds; bits != 0; bits &= bits - 1) {
        uint32_t kind = (uint32_t) __builtin_ctz(bits);

        index->filed[kind] += (uint32_t) step;
        index->kinds &= ~(UINT32_C(1) << kind);
        index->kinds |= (uint32_t) (index->filed[kind] > 0) << kind;
    }
}


static bool
gather(pos_index_building_t *g, uint64_t key, const pos_promotion_t *p)
{
    if (g->count == g->room) {
        uint32_t     room = g->room * 2;
        pos_entry_t *grown = realloc(g->gathered, room * sizeof(*grown));

        if (grown == NULL) {
            return false;
        }
        g->gathered = grown;
        g->room = room;
    }
    g->gathered[g->count++] = (pos_entry_t) { p->from, p->until, p->anchor.subtotal, key,
        g->book->numbers[g->next] };
    return true;
}


static pos_status_t
gather_next(pos_index_building_t *g)
{
    const pos_promotion_t *p = g->book->promotions[g->next];
    uint64_t               key;

    for (uint32_t k = 0; pos_anchor_at(&p->anchor, k, &key); k++) {
        if (!gather(g, key, p)) {
            return POS_NO_MEMORY;
        }
    }
    pos_index_count(g->index, &p->anchor, 1);
    g->next++;
    return POS_OK;
}


static pos_status_t
make_room(pos_index_building_t *g)
{
    pos_index_t *index = g->index;
    uint32_t     bits = 1;

    while ((size_t) POS_DRAWER_KEYS << bits < g->count) {
        bits++;
    }
    index->shift = 64 - bits;
    index->entry_count = index->entries_made = g->count;
    index->drawers = pos_arena_array(g->book->arena, (size_t) 1 << bits, sizeof(*index->drawers));
    g->ends = malloc(((size_t) 1 << bits) * sizeof(*g->ends));
    g->scattered = malloc((g->count + 1) * sizeof(*g->scattered));
    if (index->drawers == NULL || g->ends == NULL || g->scattered == NULL) {
        return POS_NO_MEMORY;
    }
    index->drawer_count = UINT32_C(1) << bits;
    return POS_OK;
}


/* How far a stage goes in one step: `at` up to what is given back. */
static size_t
until(const pos_index_building_t *g, size_t all, size_t moves)
{
    return moves < all - g->at ? g->at + moves : all;
}


static uint32_t *
end_of(const pos_index_building_t *g, uint64_t key)
{
    return &g->ends[key >> g->index->shift];
}


static void
clear_counts(pos_index_building_t *g, size_t end)
{
    memset(&g->ends[g->at], 0, (end - g->at) * sizeof(*g->ends));
    g->at = end;
}


/* Scattering goes all over the entries: its first step would fault in a page a move,
 * which costs milliseconds where faults are dear. In order, a step takes a few. */
static void
touch_entries(pos_index_building_t *g, size_t end)
{
    memset(&g->scattered[g->at], 0, (end - g->at) * sizeof(*g->scattered));
    g->at = end;
}


static void
count_entries(pos_index_building_t *g, size_t end)
{
    for (; g->at < end; g->at++) {
        ++*end_of(g, g->gathered[g->at].key);
    }
}


/* Counts become beginnings, which scattering moves to the ends. */
static void
place_drawers(pos_index_building_t *g, size_t end)
{
    for (; g->at < end; g->at++) {
        uint32_t count = g->ends[g->at];

        g->ends[g->at] = g->next;
        g->next += count;
    }
}


static void
scatter(pos_index_building_t *g, size_t end)
{
    for (; g->at < end; g->at++) {
        const pos_entry_t *e = &g->gathered[g->at];

        g->scattered[(*end_of(g, e->key))++] = *e;
    }
}


/* One drawer, or a part of its work. */
static pos_status_t
make_drawer(pos_index_building_t *g, uint32_t *moves)
{
    uint32_t     begin = g->at > 0 ? g->ends[g->at - 1] : 0, count = g->ends[g->at] - begin;
    uint32_t     before = *moves;
    pos_status_t status;

    if (!g->sorting) {
        g->sorting = true;
        pos_sorter_init(&g->sorter, g->scattered + begin, g->gathered, count, sizeof(*g->scattered),
            pos_entry_order);
    }
    if (!g->making) {
        if (!pos_sorter_step(&g->sorter, before)) {
            *moves = 0;
            return POS_AGAIN;
        }
        *moves -= count < before ? count : before;
        g->making = true;
        pos_drawer_making_init(&g->made, g->scattered + begin, count);
    }
    status = pos_drawer_making_step(&g->made, moves);
    if (status == POS_OK) {
        g->index->drawers[g->at++] = g->made.drawer;
        g->made.drawer = NULL;
        g->sorting = g->making = false;
    }
    return status;
}


static pos_status_t
make_drawers(pos_index_building_t *g, uint32_t moves)
{
    while (g->at < g->index->drawer_count && moves > 0) {
        uint32_t     begin = g->at > 0 ? g->ends[g->at - 1] : 0;
        pos_status_t status = POS_OK;

        if (g->ends[g->at] == begin) {
            g->at++;
            moves--;
        } else {
            status = make_drawer(g, &moves);
        }
        if (status != POS_OK && status != POS_AGAIN) {
            return status;
        }
    }
    return POS_OK;
}


/* What begins a stage, once for all. */
static pos_status_t
enter_stage(pos_index_building_t *g)
{
    g->at = 0;
    switch (++g->stage) {
    case STAGE_CLEAR:
        g->next = 0;
        return make_room(g);
    default:
        return POS_OK;
    }
}


static pos_status_t
step_stage(pos_index_building_t *g, unsigned rows)
{
    size_t       moves = (size_t) rows * POS_INDEX_MOVES, drawers = g->index->drawer_count;
    pos_status_t status = POS_OK;
    bool         over;

    switch (g->stage) {
    case STAGE_GATHER:
        while (rows-- > 0 && g->next < g->book->promotion_count && status == POS_OK) {
            status = gather_next(g);
        }
        over = g->next == g->book->promotion_count;
        break;
    case STAGE_CLEAR:
        clear_counts(g, until(g, drawers, moves * 4));
        over = g->at == drawers;
        break;
    case STAGE_TOUCH:
        touch_entries(g, until(g, g->count, moves));
        over = g->at == g->count;
        break;
    case STAGE_COUNT:
        count_entries(g, until(g, g->count, moves));
        over = g->at == g->count;
        break;
    case STAGE_PLACE:
        place_drawers(g, until(g, drawers, moves * 4));
        over = g->at == drawers;
        break;
    case STAGE_SCATTER:
        scatter(g, until(g, g->count, moves));
        over = g->at == g->count;
        break;
    default:
        status = make_drawers(g, (uint32_t) moves);
        over = g->at == drawers;
        break;
    }
    return status == POS_OK && over ? enter_stage(g) : status;
}


pos_status_t
pos_index_building_create(pos_book_t *book, pos_index_building_t **out)
{
    pos_index_building_t *g = calloc(1, sizeof(*g));

    if (g == NULL) {
        return POS_NO_MEMORY;
    }
    g->book = book;
    g->room = 4 * book->promotion_count + 64;    /* seldom grows; untouched it costs nothing */
    g->index = pos_arena_zalloc(book->arena, sizeof(*g->index));
    g->gathered = malloc(g->room * sizeof(*g->gathered));
    if (g->index == NULL || g->gathered == NULL) {
        pos_index_building_destroy(g);
        return POS_NO_MEMORY;
    }
    g->index->words = (book->promotion_count + 63) / 64;
    *out = g;
    return POS_OK;
}


pos_status_t
pos_index_building_step(pos_index_building_t *g, unsigned rows)
{
    pos_status_t status = step_stage(g, rows > 0 ? rows : 1);

    if (status != POS_OK) {
        return status;
    }
    if (g->stage < STAGE_DONE) {
        return POS_AGAIN;
    }
    g->book->index = g->index;
    g->index = NULL;
    return POS_OK;
}


void
pos_index_building_destroy(pos_index_building_t *g)
{
    if (g != NULL) {
        pos_index_release(g->index);
        pos_drawer_release(g->made.drawer);
        free(g->gathered);
        free(g->scattered);
        free(g->ends);
        free(g);
    }
}


pos_status_t
pos_index_build(pos_book_t *book)
{
    pos_index_building_t *g;
    pos_status_t          status = pos_index_building_create(book, &g);

    if (status != POS_OK) {
        return status;
    }
    do {
        status = pos_index_building_step(g, 1000);
    } while (status == POS_AGAIN);
    pos_index_building_destroy(g);
    return status;
}


bool
pos_index_release_some(pos_index_t *index, unsigned *rows)
{
    for (; index != NULL && index->drawer_count > 0 && *rows > 0; --*rows) {
        pos_drawer_release(index->drawers[--index->drawer_count]);
    }
    return index == NULL || index->drawer_count == 0;
}


void
pos_index_release(pos_index_t *index)
{
    unsigned all = UINT32_MAX;

    (void) pos_index_release_some(index, &all);
}
