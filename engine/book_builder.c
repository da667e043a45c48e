/*
 * Builds a compiled book from a source, in slices.
 *
 * The phases follow what refers to what: zones before stores, categories
 * before their parents are resolved, everything before the index. A row at
 * fault is left out and reported; only a missing retailer, or no memory, fails
 * the whole. Promotions whose content did not change are taken over from the
 * previous book, and one whose new version does not compile keeps the version
 * before.
 */

#include "engine/book_builder.h"

#include <stdlib.h>

#define SCRATCH_SIZE    65536
#define VALUE_MAX       (4u << 20)     /* bytes of one entity's document */
#define FIRST_ROOM      64


pos_status_t
pos_builder_grow(growing_t *g, size_t size)
{
    uint32_t room = g->room ? g->room * 2 : FIRST_ROOM;
    void    *items;

    if (g->count < g->room) {
        return POS_OK;
    }
    items = realloc(g->items, room * size);
    if (items == NULL) {
        return POS_NO_MEMORY;
    }
    g->items = items;
    g->room = room;
    return POS_OK;
}


/* ---- phases that read rows ---- */

static pos_kind_t
kind_of(phase_t phase)
{
    switch (phase) {
    case PHASE_ZONES:
        return POS_KIND_ZONE;
    case PHASE_RETAILER:
        return POS_KIND_RETAILER;
    case PHASE_STORES:
        return POS_KIND_STORE;
    case PHASE_CATEGORIES:
        return POS_KIND_CATEGORY;
    case PHASE_LISTS:
        return POS_KIND_PRICE_LIST;
    case PHASE_TAXES:
        return POS_KIND_TAX;
    case PHASE_EXPERIMENTS:
        return POS_KIND_EXPERIMENT;
    case PHASE_PROMOTIONS:
        return POS_KIND_PROMOTION;
    default:
        return POS_KIND_COUNT;
    }
}


static bool
reads_rows(phase_t phase)
{
    return kind_of(phase) != POS_KIND_COUNT;
}


/* The next row of a kind; its value is valid until the scratch is reset or the
 * source moves on. */
static pos_status_t
next_row(pos_book_builder_t *b, pos_kind_t kind, pos_str_t *key, pos_str_t *value)
{
    pos_status_t status = b->source.next(b->source.ctx, kind,
        b->begun ? &b->after : NULL, key, value);

    if (status != POS_OK) {
        return status;
    }
    if (key->len > sizeof(b->key_bytes)) {
        return POS_BROKEN;
    }
    if (key->len > 0) {
        memmove(b->key_bytes, key->data, key->len);
    }
    b->after = *key = pos_str_of(b->key_bytes, key->len);
    b->begun = true;
    return POS_OK;
}


static pos_status_t
add_row(pos_book_builder_t *b, pos_str_t key, pos_str_t value, unsigned *cost)
{
    switch (b->phase) {
    case PHASE_ZONES:
        return pos_builder_add_zone(b, key, value);
    case PHASE_RETAILER:
        return pos_builder_add_retailer(b, key, value);
    case PHASE_STORES:
        return pos_builder_add_store(b, key, value);
    case PHASE_CATEGORIES:
        return pos_builder_add_category(b, key, value);
    case PHASE_LISTS:
        return pos_builder_add_list(b, key, value);
    case PHASE_TAXES:
        return pos_builder_add_tax(b, key, value);
    case PHASE_EXPERIMENTS:
        return pos_builder_add_experiment(b, key, value);
    default:
        return pos_builder_add_promotion(b, key, value, cost);
    }
}


static void
next_phase(pos_book_builder_t *b)
{
    b->phase++;
    b->begun = false;
    b->at = 0;
    free(b->spare);
    b->spare = NULL;
}


/* One row, or the end of a phase. */
static pos_status_t
step_row(pos_book_builder_t *b, unsigned *cost)
{
    pos_str_t    key, value;
    pos_status_t status;

    pos_arena_reset(b->scratch);
    *cost = 1;
    status = next_row(b, kind_of(b->phase), &key, &value);
    if (status == POS_NOT_FOUND) {
        if (b->phase == PHASE_RETAILER && b->book->retailer.len == 0) {
            return POS_BROKEN;
        }
        next_phase(b);
        return POS_OK;
    }
    return status == POS_OK ? add_row(b, key, value, cost) : status;
}


static pos_status_t
step_rows(pos_book_builder_t *b, unsigned rows)
{
    unsigned done = 0;

    while (reads_rows(b->phase)) {
        unsigned     cost;
        pos_status_t status;

        if (done >= rows) {
            return POS_AGAIN;
        }
        status = step_row(b, &cost);
        if (status != POS_OK) {
            return status;
        }
        done += cost;
    }
    return POS_AGAIN;
}


/* ---- phases that read no rows ---- */

/* One slice of a phase that reads no rows. POS_AGAIN: the phase goes on. */
static pos_status_t
finish(pos_book_builder_t *b, unsigned rows)
{
    switch (b->phase) {
    case PHASE_PARENTS:
    case PHASE_ANCESTRY:
    case PHASE_CIRCLES:
        return pos_builder_relate_categories(b, rows);
    case PHASE_SORT_LISTS:
        return pos_builder_sort_lists(b, rows);
    case PHASE_NAME_LISTS:
        return pos_builder_name_lists(b, rows);
    case PHASE_SORT_TAXES:
        return pos_builder_sort_taxes(b, rows);
    case PHASE_NAME_TAXES:
        return pos_builder_name_taxes(b, rows);
    case PHASE_SORT_PROMOTIONS:
        return pos_builder_sort_promotions(b, rows);
    case PHASE_CLEAR_IDS:
        return pos_roster_clear(&b->book->roster, &b->cleared, rows * POS_BUILDER_MOVES * 16)
            ? POS_OK : POS_AGAIN;
    case PHASE_NAME_PROMOTIONS:
        return pos_builder_name_promotions(b, rows);
    default:
        return pos_index_building_step(b->index, rows);
    }
}


/* ---- the door ---- */

pos_status_t
pos_book_builder_step(pos_book_builder_t *b, unsigned rows, pos_book_t **out)
{
    pos_status_t status;

    rows = rows > 0 ? rows : 1;
    if (b->follow != NULL && b->phase < PHASE_DONE) {
        status = pos_follow_step(b, rows);
        if (b->lost) {
            return POS_NO_MEMORY;
        }
        if (status != POS_OK) {
            return status;
        }
        b->phase = PHASE_DONE;
    }
    if (reads_rows(b->phase)) {
        status = step_rows(b, rows);
        return b->lost ? POS_NO_MEMORY : status;
    }
    if (b->phase < PHASE_DONE) {
        status = finish(b, rows);
        if (b->lost) {
            return POS_NO_MEMORY;
        }
        if (status != POS_OK) {
            return status;
        }
        next_phase(b);
        if (b->phase < PHASE_DONE) {
            return POS_AGAIN;
        }
    }
    if (b->book == NULL) {
        return POS_BROKEN;               /* already handed out */
    }
    *out = b->book;
    b->book = NULL;
    return POS_OK;
}


pos_status_t
pos_builder_new(const pos_book_t *previous, pos_book_t *book, pos_book_builder_t **out)
{
    pos_book_builder_t *b = calloc(1, sizeof(*b));

    if (b == NULL) {
        pos_book_release(book);
        return POS_NO_MEMORY;
    }
    b->previous = previous;
    b->book = book;
    b->scratch = pos_arena_create(SCRATCH_SIZE, 0);
    b->reader = pos_json_reader_create(VALUE_MAX);
    if (b->book == NULL || b->scratch == NULL || b->reader == NULL) {
        pos_book_builder_destroy(b);
        return POS_NO_MEMORY;
    }
    b->last_report = &b->book->reports;
    *out = b;
    return POS_OK;
}


static pos_status_t
builder_init(pos_book_builder_t *b)
{
    pos_arena_t *arena = b->book->ground->arena;

    if (pos_map_init(&b->zones, arena, 16) != POS_OK
        || pos_map_init(&b->zone_values, arena, 16) != POS_OK
        || pos_map_init(&b->rates, arena, 16) != POS_OK
        || pos_map_init(&b->parents, arena, 256) != POS_OK)
    {
        return POS_NO_MEMORY;
    }
    return POS_OK;
}


pos_status_t
pos_book_builder_create(const pos_book_source_t *source, const pos_book_t *previous,
    pos_script_vm_t *vm, pos_book_builder_t **out)
{
    pos_book_builder_t *b;
    pos_status_t        status = pos_builder_new(previous, pos_book_new(vm), &b);

    if (status != POS_OK) {
        return status;
    }
    b->source = *source;
    if (builder_init(b) != POS_OK) {
        pos_book_builder_destroy(b);
        return POS_NO_MEMORY;
    }
    *out = b;
    return POS_OK;
}


void
pos_book_builder_destroy(pos_book_builder_t *b)
{
    if (b == NULL) {
        return;
    }
    pos_builder_drop_promotions(b);
    free(b->categories.items);
    free(b->lists.items);
    free(b->taxes.items);
    free(b->spare);
    pos_ranking_destroy(b->ranking);
    pos_index_building_destroy(b->index);
    pos_follow_destroy(b->follow);
    if (b->book != NULL) {
        pos_book_release(b->book);
    }
    pos_arena_destroy(b->scratch);
    pos_json_reader_destroy(b->reader);
    free(b);
}
