/*
 * A compiled book's life: made empty, shared, and let go, a large one in slices.
 */

#include "engine/book_builder.h"

#define BLOCK_SIZE  65536


pos_book_t *
pos_book_new(pos_script_vm_t *vm)
{
    pos_arena_t *arena = pos_arena_create(BLOCK_SIZE, 0);
    pos_book_t  *book;

    if (arena == NULL) {
        return NULL;
    }
    book = pos_arena_zalloc(arena, sizeof(*book));
    if (book == NULL) {
        pos_arena_destroy(arena);
        return NULL;
    }
    book->arena = arena;
    book->refs = 1;
    book->vm = vm;
    if (pos_map_init(&book->stores, arena, 64) != POS_OK
        || pos_map_init(&book->categories, arena, 256) != POS_OK
        || pos_map_init(&book->lists, arena, 16) != POS_OK
        || pos_map_init(&book->taxes_of, arena, 16) != POS_OK
        || pos_map_init(&book->experiments, arena, 16) != POS_OK)
    {
        pos_arena_destroy(arena);
        return NULL;
    }
    return book;
}


void
pos_book_retain(pos_book_t *book)
{
    book->refs++;
}


void
pos_book_release(pos_book_t *book)
{
    if (book == NULL || --book->refs > 0) {
        return;
    }
    for (uint32_t i = 0; i < book->promotion_count; i++) {
        pos_promotion_release(book->promotions[i]);
    }
    pos_arena_destroy(book->arena);
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
    for (; rows > 0 && book->promotion_count > 0; rows--) {
        pos_promotion_release(book->promotions[--book->promotion_count]);
    }
    if (book->promotion_count > 0) {
        return false;
    }
    pos_book_release(book);
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
