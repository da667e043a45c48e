/*
 * The products of a book's document, and its list of prices: rows that say
 * which product they are of.
 */

#include "engine/memory_book_data.h"

#include <stdlib.h>


static void
check_product(pos_memory_reading_t *r, const pos_at_t *at, const pos_product_t *p)
{
    for (uint32_t k = 0; k < p->category_count; k++) {
        if (!pos_memory_known(r, POS_KIND_CATEGORY, p->categories[k])) {
            pos_memory_refuse_at(r, at, "categories", k, "unknown_category",
                                 p->categories[k]);
        }
    }
    for (uint32_t k = 0; k < p->price_count; k++) {
        pos_at_t list = pos_at_key(at, "prices"), here = pos_at_index(&list, k);

        if (p->prices[k].list.len > 0
            && !pos_memory_known(r, POS_KIND_PRICE_LIST, p->prices[k].list))
        {
            pos_memory_refuse(r, &here, "list", "unknown_price_list", p->prices[k].list);
        }
    }
}


void
pos_memory_read_products(pos_memory_reading_t *r)
{
    const pos_json_t *list = NULL;
    pos_at_t          at = pos_at_key(&r->root, "products");
    size_t            i = 0;

    if (!pos_decode_array(&r->d, &r->root, r->document, "products", &list)) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t             here = pos_at_index(&at, i++);
        pos_str_t            base = pos_at_pointer(&here, r->scratch);
        const pos_product_t *p;
        pos_status_t         status = pos_product_decode(e, r->d.zone, base, r->m->arena,
            r->faults, &p);

        if (status == POS_NO_MEMORY) {
            r->d.no_memory = true;
            return;
        }
        pos_product_check_fields(e, base, r->faults);
        check_product(r, &here, p);
        pos_memory_note(r, &here, "sku", &r->m->products, p->sku, p);
    }
}


/* ---- prices ---- */

typedef struct {
    pos_price_t    price;
    pos_product_t *product;
    size_t         place;      /* in the document */
} price_row_t;


static bool
read_price(pos_memory_reading_t *r, const pos_at_t *at, const pos_json_t *json,
           price_row_t *out)
{
    static const char *const fields[] = { "sku", "list", "amount", "min_quantity", "kind",
        "from", "until", NULL };
    pos_str_t                sku = pos_str("");
    uint32_t                 before = r->faults->count;

    if (!pos_decode_object(&r->d, at, json, fields)) {
        return false;
    }
    if (pos_price_decode(json, r->d.zone, pos_at_pointer(at, r->scratch), r->m->arena,
            r->faults, &out->price) == POS_NO_MEMORY)
    {
        r->d.no_memory = true;
        return false;
    }
    if (pos_decode_code(&r->d, at, json, "sku", POS_REQUIRED, &sku)) {
        out->product = pos_map_get(&r->m->products, sku);
        if (out->product == NULL) {
            pos_memory_refuse(r, at, "sku", "unknown_sku", sku);
        }
    }
    if (out->price.list.len > 0 &&
        !pos_memory_known(r, POS_KIND_PRICE_LIST, out->price.list)) {
        pos_memory_refuse(r, at, "list", "unknown_price_list", out->price.list);
    }
    return r->faults->count == before;
}


static int
price_order(const void *a, const void *b)
{
    const price_row_t *x = a, *y = b;

    return (x->product > y->product) - (x->product < y->product);
}


/* What tells two prices of a product apart; of one that is there twice nobody knows
 * which holds. */
static int
compare_prices(const pos_price_t *a, const pos_price_t *b)
{
    int c = pos_str_cmp(a->list, b->list);

    c = c ? c : (a->sale > b->sale) - (a->sale < b->sale);
    c = c ? c : (a->min_quantity > b->min_quantity) - (a->min_quantity < b->min_quantity);
    return c ? c : (a->from > b->from) - (a->from < b->from);
}


static int
row_order(const void *a, const void *b)
{
    const price_row_t *x = *(const price_row_t *const *) a, *y = *(const price_row_t *const *) b;
    int                c = compare_prices(&x->price, &y->price);

    return c ? c : (x->place > y->place) - (x->place < y->place);
}


/* Names the rows of one product that are there twice, in `sorted`'s room. */
static void
refuse_twice(pos_memory_reading_t *r, const price_row_t *rows, size_t count, const price_row_t **sorted)
{
    pos_at_t prices = pos_at_key(&r->root, "prices");

    for (size_t i = 0; i < count; i++) {
        sorted[i] = &rows[i];
    }
    qsort(sorted, count, sizeof(*sorted), row_order);
    for (size_t i = 1, first = 0; i < count; i++) {
        pos_at_t at = pos_at_index(&prices, sorted[i]->place);

        if (compare_prices(&sorted[first]->price, &sorted[i]->price) != 0) {
            first = i;
            continue;
        }
        pos_decode_fault(&r->d, &at, "duplicate", "this price is at %zu already: same SKU, list, kind, quantity and start",
            sorted[first]->place);
    }
}


/* Rows come in any order: sorted by product, each product's are a run. */
static void
hand_out_prices(pos_memory_reading_t *r, price_row_t *rows, size_t count)
{
    const price_row_t **sorted = calloc(count + 1, sizeof(*sorted));

    if (sorted == NULL) {
        r->d.no_memory = true;
        return;
    }
    qsort(rows, count, sizeof(*rows), price_order);
    for (size_t i = 0; i < count;) {
        pos_product_t *p = rows[i].product;
        pos_price_t   *prices;
        size_t         end = i;

        while (end < count && rows[end].product == p) {
            end++;
        }
        refuse_twice(r, &rows[i], end - i, sorted);
        prices = pos_decode_alloc(&r->d, p->price_count + (end - i), sizeof(*prices));
        if (prices == NULL) {
            break;
        }
        if (p->price_count > 0) {
            memcpy(prices, p->prices, p->price_count * sizeof(*prices));
        }
        while (i < end) {
            prices[p->price_count++] = rows[i++].price;
        }
        p->prices = prices;
        pos_product_open_prices(p, prices);
    }
    free(sorted);
}


void
pos_memory_read_prices(pos_memory_reading_t *r)
{
    const pos_json_t *list = NULL;
    price_row_t      *rows;
    pos_at_t          at = pos_at_key(&r->root, "prices");
    size_t            i = 0, count = 0;

    if (!pos_decode_array(&r->d, &r->root, r->document, "prices", &list)) {
        return;
    }
    rows = calloc(list->count + 1, sizeof(*rows));
    if (rows == NULL) {
        r->d.no_memory = true;
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(&at, i++);

        rows[count].place = i - 1;
        if (read_price(r, &here, e, &rows[count])) {
            count++;
        }
    }
    hand_out_prices(r, rows, count);
    free(rows);
}
