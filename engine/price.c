/*
 * Price selection: of the rows valid at the cart's time whose list fits it and
 * whose quantity is reached, the list of highest priority that has a regular
 * row wins, and only its rows count.
 */

#include "engine/work.h"

static bool
set_fits(const pos_strset_t *set, pos_str_t value)
{
    if (set->count == 0) {
        return true;
    }
    return value.len > 0 && pos_strset_has(set, value, pos_hash64(value));
}

static bool
groups_fit(const pos_strset_t *wanted, const pos_strset_t *have)
{
    if (wanted->count == 0) {
        return true;
    }
    for (uint32_t i = 0; i < have->count; i++) {
        if (pos_strset_has(wanted, have->values[i], have->hashes[i])) {
            return true;
        }
    }
    return false;
}

static bool
list_fits(const pos_cart_t *cart, const pos_price_list_t *list)
{
    pos_str_t none = { NULL, 0 };

    return pos_str_eq(list->currency, cart->currency) && list->from <= cart->at &&
        cart->at < list->until && set_fits(&list->stores, cart->store ? cart->store->code : none) &&
        set_fits(&list->channels, cart->channel) &&
        groups_fit(&list->customer_groups, &cart->customer_groups);
}

/* The list's place in the book's order, or POS_NIL when it does not fit. */
static uint32_t
fitting_list(const pos_cart_t *cart, uint8_t *fits, pos_str_t code)
{
    const pos_book_t *book = cart->book;
    uint32_t          i;

    if (book->list_count <= 8) {
        for (i = 0; i < book->list_count && !pos_str_eq(book->list_array[i].code, code); i++) {
            continue;
        }
        if (i == book->list_count) {
            return POS_NIL;
        }
    } else {
        const pos_price_list_t *list = pos_map_get(&book->lists, code);

        if (list == NULL) {
            return POS_NIL;
        }
        i = (uint32_t) (list - book->list_array);
    }
    if (fits[i] == 0) {
        fits[i] = list_fits(cart, &book->list_array[i]) ? 1 : 2;
    }
    return fits[i] == 1 ? i : POS_NIL;
}

static bool
row_counts(const pos_cart_t *cart, const pos_price_t *row, int64_t quantity)
{
    /* 1 is no minimum: 0.354 kg costs what a kilogram costs. */
    return row->from <= cart->at && cart->at < row->until &&
        (row->min_quantity <= quantity || row->min_quantity <= POS_THOUSANDTHS);
}

bool
pos_price_choose(const pos_cart_t *cart, uint8_t *fits, const pos_product_t *product,
    int64_t quantity, pos_chosen_price_t *out)
{
    uint32_t           best = POS_NIL, i;
    const pos_price_t *regular = NULL, *sale = NULL, *won;

    /* One row is all that most products have. */
    if (product->price_count == 1 && !product->prices[0].sale) {
        won = &product->prices[0];
        best = row_counts(cart, won, quantity) ? fitting_list(cart, fits, won->list) : POS_NIL;
        if (best == POS_NIL) {
            return false;
        }
        *out = (pos_chosen_price_t) { &cart->book->list_array[best], won->amount, won->amount,
            won->from, won->until, false };
        return true;
    }
    for (i = 0; i < product->price_count; i++) {
        const pos_price_t *row = &product->prices[i];
        uint32_t           list;

        if (row->sale || !row_counts(cart, row, quantity)) {
            continue;
        }
        list = fitting_list(cart, fits, row->list);
        if (list != POS_NIL && list < best) {
            best = list;
        }
    }
    if (best == POS_NIL) {
        return false;
    }
    for (i = 0; i < product->price_count; i++) {
        const pos_price_t  *row = &product->prices[i];
        const pos_price_t **kind = row->sale ? &sale : &regular;

        if (row_counts(cart, row, quantity) &&
            pos_str_eq(row->list, cart->book->list_array[best].code) &&
            (*kind == NULL || row->amount < (*kind)->amount)) {
            *kind = row;
        }
    }
    won = sale && sale->amount < regular->amount ? sale : regular;
    *out = (pos_chosen_price_t) { &cart->book->list_array[best], regular->amount, won->amount,
        won->from, won->until, won == sale };
    return true;
}
