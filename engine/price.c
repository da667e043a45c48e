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

/* ---- the 30 days before a reduction ---- */

#define PRIOR_US  (INT64_C(30) * 86400 * 1000000)

typedef struct {
    pos_cart_t    cart;        /* the same, at another time          */
    pos_product_t product;     /* the same, with the rows that count */
    uint8_t      *fits;
    int64_t       quantity;
} prior_t;

static bool
chosen_at(prior_t *p, int64_t at, pos_chosen_price_t *out)
{
    memset(p->fits, 0, p->cart.book->list_count);
    p->cart.at = at;
    return pos_price_choose(&p->cart, p->fits, &p->product, p->quantity, out);
}

/* A price that goes on under another row was not reduced anew. */
static int64_t
reduced_since(prior_t *p, pos_chosen_price_t price)
{
    int64_t amount = price.unit_price, since = POS_TIME_MAX;

    for (uint32_t i = 0; i <= p->product.price_count; i++) {
        since = price.from > price.list->from ? price.from : price.list->from;
        if (since == POS_TIME_MIN || !chosen_at(p, since - 1, &price) || !price.sale ||
            price.unit_price != amount) {
            break;
        }
    }
    return since;
}

static void
look(prior_t *p, int64_t at, int64_t from, int64_t until, bool *known, int64_t *lowest)
{
    pos_chosen_price_t price;

    if (at >= from && at < until && chosen_at(p, at, &price) &&
        (!*known || price.unit_price < *lowest)) {
        *lowest = price.unit_price;
        *known = true;
    }
}

/* Prices change only where a row or a list begins or ends. */
static bool
lowest_between(prior_t *p, int64_t from, int64_t until, int64_t *lowest)
{
    const pos_book_t *book = p->cart.book;
    bool              known = false;

    look(p, from, from, until, &known, lowest);
    for (uint32_t i = 0; i < p->product.price_count; i++) {
        look(p, p->product.prices[i].from, from, until, &known, lowest);
        look(p, p->product.prices[i].until, from, until, &known, lowest);
    }
    for (uint32_t i = 0; i < book->list_count; i++) {
        look(p, book->list_array[i].from, from, until, &known, lowest);
        look(p, book->list_array[i].until, from, until, &known, lowest);
    }
    return known;
}

static bool
make_room(const pos_cart_t *cart, uint32_t rows, pos_lowest_room_t *room)
{
    if (room->fits == NULL) {
        room->fits = pos_arena_alloc(cart->arena, cart->book->list_count + 1);
    }
    if (room->fits != NULL && room->row_room < rows) {
        room->rows = pos_arena_array(cart->arena, 2 * (size_t) rows, sizeof(*room->rows));
        room->row_room = room->rows ? 2 * rows : 0;
    }
    return room->fits != NULL && room->row_room >= rows;
}

pos_status_t
pos_price_lowest(const pos_cart_t *cart, const pos_product_t *product, int64_t quantity,
    pos_lowest_room_t *room, pos_lowest_t *out)
{
    prior_t            p = { .cart = *cart, .product = *product, .quantity = quantity };
    pos_chosen_price_t now;
    int64_t            since;

    *out = (pos_lowest_t) { false, 0 };
    if (!make_room(cart, product->price_count, room)) {
        return POS_NO_MEMORY;
    }
    p.fits = room->fits;
    if (!chosen_at(&p, cart->at, &now) || !now.sale) {
        return POS_OK;
    }
    since = reduced_since(&p, now);
    if (since == POS_TIME_MIN || since < INT64_MIN + PRIOR_US) {
        return POS_OK;
    }
    p.product.price_count = 0;
    p.product.prices = room->rows;
    for (uint32_t i = 0; i < product->price_count; i++) {
        if (product->prices[i].from < since && product->prices[i].until > since - PRIOR_US) {
            room->rows[p.product.price_count++] = product->prices[i];
        }
    }
    out->known = lowest_between(&p, since - PRIOR_US, since, &out->amount);
    return POS_OK;
}
