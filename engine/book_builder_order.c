/*
 * What was read is put in its order and entered where it is asked for by name, in
 * slices like all of the build.
 */

#include "engine/book_builder.h"

#include <stdlib.h>


static int
list_order(const void *a, const void *b)
{
    const pos_price_list_t *x = a, *y = b;

    if (x->priority != y->priority) {
        return x->priority > y->priority ? -1 : 1;
    }
    return pos_str_cmp(x->code, y->code);
}


/* Compound rates come after the plain ones of their category. */
static int
tax_order(const void *a, const void *b)
{
    const pos_tax_row_t *x = a, *y = b;
    int                  c = pos_str_cmp(x->region, y->region);

    c = c ? c : pos_str_cmp(x->category, y->category);
    if (c != 0) {
        return c;
    }
    if (x->compound != y->compound) {
        return x->compound ? 1 : -1;
    }
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}


/* A slice of putting the rows in their order and of handing them over. */
static pos_status_t
sort_rows(pos_book_builder_t *b, growing_t *g, size_t size, pos_order_pt order,
    unsigned rows, void *handed, uint32_t *count)
{
    void *items;

    if (b->spare == NULL) {
        b->spare = malloc((g->count + 1) * size);
        if (b->spare == NULL) {
            return POS_NO_MEMORY;
        }
        pos_sorter_init(&b->sorter, g->items, b->spare, g->count, size, order);
    }
    if (!pos_sorter_step(&b->sorter, rows * POS_BUILDER_MOVES)) {
        return POS_AGAIN;
    }
    items = pos_arena_alloc(b->book->ground->arena, (g->count + 1) * size);
    if (items == NULL) {
        return POS_NO_MEMORY;
    }
    if (g->count > 0) {
        memcpy(items, g->items, g->count * size);
    }
    memcpy(handed, &items, sizeof(items));
    *count = g->count;
    return POS_OK;
}


pos_status_t
pos_builder_sort_lists(pos_book_builder_t *b, unsigned rows)
{
    pos_book_t *book = b->book;

    return sort_rows(b, &b->lists, sizeof(*book->list_array), list_order, rows,
        &book->list_array, &book->list_count);
}


pos_status_t
pos_builder_sort_taxes(pos_book_builder_t *b, unsigned rows)
{
    pos_book_t *book = b->book;

    return sort_rows(b, &b->taxes, sizeof(*book->taxes), tax_order, rows, &book->taxes,
        &book->tax_count);
}


static pos_status_t
number_rate(pos_book_builder_t *b, pos_tax_row_t *row)
{
    uintptr_t    number = (uintptr_t) pos_map_get(&b->rates, row->head);
    pos_status_t status = POS_OK;

    if (number == 0) {
        number = ++b->book->rate_count;
        status = pos_map_set(&b->rates, row->head, (void *) number, NULL);
    }
    row->rate = (uint32_t) (number - 1);
    return status;
}


/* From the last row on, so that each category's rows are strung in their order. */
pos_status_t
pos_builder_name_taxes(pos_book_builder_t *b, unsigned rows)
{
    pos_book_t  *book = b->book;
    pos_status_t status = POS_OK;

    for (; b->at < book->tax_count && status == POS_OK && rows > 0; rows--) {
        pos_tax_row_t *row = &book->taxes[book->tax_count - ++b->at];
        void          *next = NULL;

        status = pos_map_set(&book->taxes_of, row->category, row, &next);
        row->next = next;
        if (status == POS_OK) {
            status = number_rate(b, row);
        }
    }
    return status == POS_OK && b->at < book->tax_count ? POS_AGAIN : status;
}


pos_status_t
pos_builder_name_lists(pos_book_builder_t *b, unsigned rows)
{
    pos_book_t  *book = b->book;
    pos_status_t status = POS_OK;

    for (; b->at < book->list_count && status == POS_OK && rows > 0; rows--) {
        pos_price_list_t *list = &book->list_array[b->at++];

        status = pos_map_set(&book->lists, list->code, list, NULL);
    }
    return status == POS_OK && b->at < book->list_count ? POS_AGAIN : status;
}


pos_status_t
pos_builder_sort_promotions(pos_book_builder_t *b, unsigned rows)
{
    pos_book_t  *book = b->book;
    uint32_t     count = b->promotion_count;
    pos_status_t status = POS_OK;

    if (b->ranking == NULL) {
        status = pos_ranking_create(b->promotions.items, count, book->arena, &b->ranking);
    }
    if (status == POS_OK) {
        status = pos_ranking_step(b->ranking, rows, &b->ranked);
    }
    if (status == POS_OK) {
        status = pos_roster_reserve(&book->roster, book->arena, count);
    }
    if (status != POS_OK) {
        return status;
    }
    book->promotions = b->ranked;
    book->promotion_count = count;
    book->numbers = pos_arena_alloc(book->arena, (count + 1) * sizeof(*book->numbers));
    book->places = pos_arena_alloc(book->arena, book->roster.room * sizeof(*book->places));
    return book->numbers == NULL || book->places == NULL ? POS_NO_MEMORY : POS_OK;
}


/* In a book that is built as a whole numbers are places. */
pos_status_t
pos_builder_name_promotions(pos_book_builder_t *b, unsigned rows)
{
    pos_book_t  *book = b->book;
    pos_status_t status = POS_OK;

    for (; b->named < book->promotion_count && status == POS_OK && rows > 0; rows--) {
        uint32_t number = b->named;

        status = pos_roster_add(&book->roster, book->promotions[number], &number);
        if (status == POS_OK) {
            book->numbers[number] = book->places[number] = number;
            b->named++;
        }
    }
    if (status == POS_OK && b->named < book->promotion_count) {
        return POS_AGAIN;
    }
    return status == POS_OK ? pos_index_building_create(book, &b->index) : status;
}
