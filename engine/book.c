/*
 * A compiled book's life: made empty, shared, and let go, a large one in slices.
 */

#include "engine/book_builder.h"

#include <limits.h>

#define BLOCK_SIZE  65536


static pos_book_t *
book_in(pos_arena_t *arena)
{
    pos_book_t *book = arena != NULL ? pos_arena_zalloc(arena, sizeof(*book)) : NULL;

    if (book == NULL) {
        pos_arena_destroy(arena);
        return NULL;
    }
    book->arena = arena;
    book->refs = 1;
    return book;
}


static pos_ground_t *
ground_new(void)
{
    pos_arena_t  *arena = pos_arena_create(BLOCK_SIZE, 0);
    pos_ground_t *ground = arena != NULL ? pos_arena_alloc(arena, sizeof(*ground)) : NULL;

    if (ground == NULL) {
        pos_arena_destroy(arena);
        return NULL;
    }
    *ground = (pos_ground_t) { arena, 1 };
    return ground;
}


pos_book_t *
pos_book_new(pos_script_vm_t *vm)
{
    pos_book_t   *book = book_in(pos_arena_create(BLOCK_SIZE, 0));
    pos_ground_t *ground = book != NULL ? ground_new() : NULL;

    if (ground == NULL) {
        pos_book_release(book);
        return NULL;
    }
    book->ground = ground;
    book->vm = vm;
    if (pos_map_init(&book->stores, ground->arena, 64) != POS_OK
        || pos_map_init(&book->categories, ground->arena, 256) != POS_OK
        || pos_map_init(&book->lists, ground->arena, 16) != POS_OK
        || pos_map_init(&book->taxes_of, ground->arena, 16) != POS_OK
        || pos_map_init(&book->experiments, ground->arena, 16) != POS_OK)
    {
        pos_book_release(book);
        return NULL;
    }
    return book;
}


pos_book_t *
pos_book_on(const pos_book_t *previous)
{
    pos_arena_t *arena = pos_arena_create(BLOCK_SIZE, 0);
    pos_book_t  *book = book_in(arena);

    if (book == NULL) {
        return NULL;
    }
    *book = *previous;
    book->arena = arena;
    book->refs = 1;
    book->ground->refs++;
    book->promotion_count = 0;
    book->promotions = NULL;
    book->numbers = book->places = NULL;
    book->roster = (pos_roster_t) { 0 };
    book->index = NULL;
    book->reports = NULL;
    return book;
}


void
pos_book_retain(pos_book_t *book)
{
    book->refs++;
}


static void
ground_release(pos_ground_t *ground)
{
    if (ground != NULL && --ground->refs == 0) {
        pos_arena_destroy(ground->arena);
    }
}


/* Nobody has the book any more. */
static bool
let_go(pos_book_t *book, unsigned rows)
{
    if (!pos_roster_release(&book->roster, &rows) || !pos_index_release_some(book->index, &rows)) {
        return false;
    }
    ground_release(book->ground);
    pos_arena_destroy(book->arena);
    return true;
}


void
pos_book_release(pos_book_t *book)
{
    if (book != NULL && --book->refs == 0) {
        (void) let_go(book, UINT_MAX);
    }
}


bool
pos_book_release_some(pos_book_t *book, unsigned rows)
{
    if (book == NULL) {
        return true;
    }
    if (book->refs > 1) {
        book->refs--;
        return true;
    }
    return let_go(book, rows);
}


bool
pos_book_find(const pos_book_t *book, pos_str_t id, uint32_t *place)
{
    uint32_t number;

    if (!pos_roster_find(&book->roster, id, &number)) {
        return false;
    }
    *place = book->places[number];
    return true;
}


const pos_book_report_t *
pos_book_reports(const pos_book_t *book)
{
    return book->reports;
}


size_t
pos_book_promotions(const pos_book_t *book)
{
    return book->promotion_count;
}

pos_str_t
pos_book_promotion_id(const pos_book_t *book, size_t place)
{
    return book->promotions[place]->id;
}
