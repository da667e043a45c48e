/*
 * Lines to items. Lines of the same SKU, unit price, attributes, manual
 * discount and tax category are one item; items stand in canonical order, so
 * that neither the order of lines nor splitting one changes anything. Measured
 * lines are never merged.
 */

#include "engine/work.h"

#define EXPECT_AT_ONCE  32

/* For a long cart: open addressing, a place in w->skus + 1; 0: free. */
typedef struct {
    uint32_t *slots;
    uint32_t  mask;
} sku_table_t;

static bool
table_make(pos_work_t *w, sku_table_t *table)
{
    uint32_t size = 64;

    while (size < 2 * w->cart.line_count) {
        size *= 2;
    }
    table->mask = size - 1;
    table->slots = pos_arena_array(w->arena, size, sizeof(*table->slots));
    return table->slots != NULL;
}

static inline bool
is_sku(const pos_sku_t *s, pos_str_t sku, uint64_t hash)
{
    return s->hash == hash && pos_str_eq(s->sku, sku);
}

/* POS_NIL: not yet; `*slot` is where it belongs. */
static uint32_t
sku_find(const pos_work_t *w, const sku_table_t *table, pos_str_t sku, uint64_t hash,
    uint32_t *slot)
{
    *slot = 0;
    if (table->slots) {
        for (uint32_t i = (uint32_t) hash & table->mask;; i = (i + 1) & table->mask) {
            uint32_t at = table->slots[i];

            if (at == 0) {
                *slot = i;
                return POS_NIL;
            }
            if (is_sku(&w->skus[at - 1], sku, hash)) {
                return at - 1;
            }
        }
    }
    for (uint32_t i = 0; i < w->sku_count; i++) {
        if (is_sku(&w->skus[i], sku, hash)) {
            return i;
        }
    }
    return POS_NIL;
}

static pos_status_t
sku_add(pos_work_t *w, sku_table_t *table, uint32_t slot, pos_str_t sku, uint64_t hash,
    uint32_t *out)
{
    const pos_book_source_t *source = w->options->source;
    pos_sku_t               *entry = &w->skus[w->sku_count];

    *entry = (pos_sku_t) { .sku = sku, .hash = hash };
    entry->found = source->product(source->ctx, sku, w->arena, &entry->product);
    if (entry->found == POS_NO_MEMORY) {
        return POS_NO_MEMORY;
    }
    *out = w->sku_count++;
    if (table->slots) {
        table->slots[slot] = w->sku_count;
    }
    return POS_OK;
}

/* Tells the source which products will be asked for. */
static void
expect_products(const pos_work_t *w)
{
    const pos_book_source_t *source = w->options->source;
    pos_str_t                skus[EXPECT_AT_ONCE];
    uint32_t                 n = 0;

    for (uint32_t i = 0; source->expect != NULL && i < w->cart.line_count; i++) {
        skus[n++] = w->cart.lines[i].sku;
        if (n == EXPECT_AT_ONCE || i == w->cart.line_count - 1) {
            source->expect(source->ctx, skus, n);
            n = 0;
        }
    }
}

/* Each distinct SKU once, with its quantity over the whole cart. */
static pos_status_t
gather_skus(pos_work_t *w)
{
    pos_cart_t *cart = &w->cart;
    size_t      room = cart->line_count ? cart->line_count : 1;
    sku_table_t table = { NULL, 0 };

    w->skus = pos_arena_alloc(w->arena, room * sizeof(*w->skus));
    w->sku_of_line = pos_arena_alloc(w->arena, room * sizeof(*w->sku_of_line));
    if (w->skus == NULL || w->sku_of_line == NULL) {
        return POS_NO_MEMORY;
    }
    memset(w->sku_of_line, 0xff, room * sizeof(*w->sku_of_line));
    if (cart->line_count > 16 && !table_make(w, &table)) {
        return POS_NO_MEMORY;
    }
    expect_products(w);
    for (uint32_t i = 0; i < cart->line_count; i++) {
        uint64_t hash = pos_hash64(cart->lines[i].sku);
        uint32_t slot, at = sku_find(w, &table, cart->lines[i].sku, hash, &slot);

        if (at == POS_NIL && sku_add(w, &table, slot, cart->lines[i].sku, hash, &at) != POS_OK) {
            return POS_NO_MEMORY;
        }
        w->sku_of_line[i] = at;
        w->skus[at].quantity += cart->lines[i].quantity;
    }
    return POS_OK;
}

static bool
known_sku(pos_work_t *w, uint32_t i)
{
    if (w->skus[w->sku_of_line[i]].found != POS_OK) {
        (void) pos_line_fault(w, i, "/sku", "unknown_sku", "no such SKU");
        return false;
    }
    return true;
}

/* What its product alone says of a line. */
static bool
fits_product(pos_work_t *w, uint32_t i)
{
    if (!known_sku(w, i)) {
        return false;
    }
    if (!w->skus[w->sku_of_line[i]].product->measured && w->cart.lines[i].quantity % POS_THOUSANDTHS != 0) {
        (void) pos_line_fault(w, i, "/quantity", "quantity", "this product is sold in whole units");
        return false;
    }
    return true;
}

static void
check_line(pos_work_t *w, uint32_t i)
{
    pos_sku_t *sku = &w->skus[w->sku_of_line[i]];

    if (!fits_product(w, i)) {
        return;
    }
    if (!sku->priced && !sku->reported) {
        sku->priced = pos_price_choose(&w->cart, w->list_fits, sku->product, sku->quantity, &sku->price);
    }
    if (!sku->priced) {
        sku->reported = true;
        (void) pos_line_fault(w, i, "/sku", "no_price", "this SKU has no price for this store, channel, customer, currency and time");
        return;
    }
    if (i == 0) {
        w->tax_included = sku->price.list->tax_included;
    } else if (w->tax_included != sku->price.list->tax_included && !w->invalid) {
        (void) pos_line_fault(w, i, "/sku", "mixed_tax",
            "a cart never mixes price lists with and without tax");
    }
}

/* ---- canonical order ---- */

static int
cmp_int(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int64_t
line_price(const pos_work_t *w, uint32_t i)
{
    const pos_line_t *line = &w->cart.lines[i];

    return line->has_override ? line->rare->override_amount
                              : w->skus[w->sku_of_line[i]].price.unit_price;
}

static int
cmp_attributes(const pos_line_t *a, const pos_line_t *b)
{
    for (uint32_t i = 0; i < a->attribute_count && i < b->attribute_count; i++) {
        int c = pos_str_cmp(a->attributes[i].name, b->attributes[i].name);

        if (c == 0) {
            c = pos_str_cmp(a->attributes[i].value, b->attributes[i].value);
        }
        if (c) {
            return c;
        }
    }
    return cmp_int(a->attribute_count, b->attribute_count);
}

static int
cmp_discount(const pos_line_t *a, const pos_line_t *b)
{
    int c = cmp_int(a->has_discount, b->has_discount);

    if (c || !a->has_discount) {
        return c;
    }
    c = cmp_int(a->discount_reduce, b->discount_reduce);
    if (c == 0) {
        c = cmp_int(a->discount_value, b->discount_value);
    }
    return c ? c : pos_str_cmp(a->rare->discount_reason, b->rare->discount_reason);
}

static pos_str_t
line_tax(const pos_work_t *w, uint32_t i)
{
    const pos_line_t *line = &w->cart.lines[i];

    return line->rare->tax_category.len ? line->rare->tax_category
                                  : w->skus[w->sku_of_line[i]].product->tax_category;
}

static int
cmp_lines(const pos_work_t *w, uint32_t x, uint32_t y)
{
    const pos_line_t *a = &w->cart.lines[x], *b = &w->cart.lines[y];
    int               c = 0;

    if (w->sku_of_line[x] != w->sku_of_line[y]) {
        return pos_str_cmp(a->sku, b->sku);
    }
    c = cmp_int(line_price(w, x), line_price(w, y));
    if (c == 0 && (a->attribute_count || b->attribute_count)) {
        c = cmp_attributes(a, b);
    }
    if (c == 0) {
        c = cmp_discount(a, b);
    }
    if (c == 0 && (a->rare->tax_category.len || b->rare->tax_category.len)) {
        c = pos_str_cmp(line_tax(w, x), line_tax(w, y));
    }
    if (c == 0 && w->skus[w->sku_of_line[x]].product->measured) {
        c = cmp_int(a->quantity, b->quantity);
    }
    return c;
}

/* A line by the first bytes of its SKU, which tell most lines apart; nothing where it is shorter. */
typedef struct {
    uint64_t head;
    uint32_t line;
} place_t;

static uint64_t
head_of(pos_str_t sku)
{
    uint64_t head = 0;

    if (sku.len >= sizeof(head)) {
        memcpy(&head, sku.data, sizeof(head));
        return __builtin_bswap64(head);
    }
    for (size_t i = 0; i < sku.len; i++) {
        head |= (uint64_t) (uint8_t) sku.data[i] << (56 - 8 * i);
    }
    return head;
}

static inline bool
is_behind(const pos_work_t *w, place_t a, place_t b)
{
    return a.head != b.head ? a.head > b.head : cmp_lines(w, a.line, b.line) > 0;
}

/* Stable merge sort: equal lines stay in the order given. */
static void
sort_places(const pos_work_t *w, place_t *a, place_t *scratch, size_t n)
{
    size_t half = n / 2, i = 0, j = half, k = 0;

    if (n <= 8) {
        for (i = 1; i < n; i++) {
            place_t x = a[i];

            for (j = i; j > 0 && is_behind(w, a[j - 1], x); j--) {
                a[j] = a[j - 1];
            }
            a[j] = x;
        }
        return;
    }
    sort_places(w, a, scratch, half);
    sort_places(w, a + half, scratch, n - half);
    if (!is_behind(w, a[half - 1], a[half])) {
        return;
    }
    /* The second half stands where it is: what is merged never overtakes it. */
    memcpy(scratch, a, half * sizeof(*a));
    while (i < half && j < n) {
        a[k++] = is_behind(w, scratch[i], a[j]) ? a[j++] : scratch[i++];
    }
    memcpy(a + k, scratch + i, (half - i) * sizeof(*a));
}

#define PLACES_FEW  64    /* lines: their places stand on the stack */

/* The lines' numbers in canonical order; false: no memory. */
static bool
sort_lines(pos_work_t *w, uint32_t *order)
{
    uint32_t n = w->cart.line_count;
    place_t  few[2 * (PLACES_FEW + 1)], *places = few;

    if (n > PLACES_FEW) {
        places = pos_arena_alloc(w->arena, 2 * ((size_t) n + 1) * sizeof(*places));
    }
    if (places == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < n; i++) {
        places[i] = (place_t) { head_of(w->cart.lines[i].sku), i };
    }
    sort_places(w, places, places + n + 1, n);
    for (uint32_t i = 0; i < n; i++) {
        order[i] = places[i].line;
    }
    return true;
}

/* ---- items ---- */

static bool
item_categories(pos_work_t *w, pos_item_t *item)
{
    const pos_product_t  *product = item->product;
    const pos_item_t     *before = item > w->cart.items ? item - 1 : NULL;
    const pos_category_t *first;
    uint32_t              room, n = 0;

    if (product->category_count == 0) {
        return true;
    }
    first = pos_map_get(&w->book->categories, product->categories[0]);
    room = first ? first->depth + 1 : 0;
    for (uint32_t i = 1; i < product->category_count; i++) {
        const pos_category_t *c = pos_map_get(&w->book->categories, product->categories[i]);

        room += c ? c->depth + 1 : 0;
    }
    if (before && before->product->category_count == 1 && product->category_count == 1 &&
        before->category_count && before->categories[0] == first) {
        item->categories = before->categories;
        item->category_count = before->category_count;
        item->category_bits = before->category_bits;
        return true;
    }
    item->categories = pos_arena_alloc(w->arena, (room ? room : 1) * sizeof(*item->categories));
    if (item->categories == NULL) {
        return false;
    }
    /* One category and its ancestors: each once already. */
    for (const pos_category_t *c = first; product->category_count == 1 && c && n < room; c = c->parent) {
        item->categories[n++] = c;
    }
    for (uint32_t i = 0; product->category_count > 1 && i < product->category_count; i++) {
        const pos_category_t *c = i == 0 ? first : pos_map_get(&w->book->categories, product->categories[i]);

        for (; c && n < room; c = c->broken ? NULL : c->parent) {
            uint32_t k = 0;

            while (k < n && item->categories[k] != c) {
                k++;
            }
            if (k < n) {
                break;    /* its ancestors are there as well */
            }
            item->categories[n++] = c;
        }
    }
    item->category_count = n;
    for (uint32_t i = 0; i < n; i++) {
        item->category_bits |= pos_set_bit(item->categories[i]->hash);
    }
    return true;
}

static bool
item_amounts(pos_item_t *item, pos_rounding_t rounding)
{
    item->units = item->measured ? 1 : item->quantity / POS_THOUSANDTHS;
    if (item->measured) {
        if (!pos_muldiv(item->unit_price, item->quantity, POS_THOUSANDTHS, rounding, &item->subtotal)) {
            return false;
        }
    } else if (__builtin_mul_overflow(item->unit_price, item->units, &item->subtotal)
        || item->subtotal > POS_MONEY_MAX) {
        return false;
    }
    item->after_line = item->subtotal;
    return true;
}

static pos_status_t
open_item(pos_work_t *w, uint32_t line, pos_item_t *item)
{
    const pos_sku_t *sku = &w->skus[w->sku_of_line[line]];

    *item = (pos_item_t) { .product = sku->product, .line = &w->cart.lines[line],
        .index = (uint32_t) (item - w->cart.items), .price_list = sku->price.list->code,
        .tax_included = sku->price.list->tax_included,
        .on_sale = sku->price.sale && !w->cart.lines[line].has_override,
        .measured = sku->product->measured, .list_price = sku->price.list_price,
        .unit_price = line_price(w, line), .sku_hash = sku->hash };
    return item_categories(w, item) ? POS_OK : POS_NO_MEMORY;
}

static pos_status_t
close_item(pos_work_t *w, pos_item_t *item)
{
    pos_cart_t *cart = &w->cart;

    if (!item_amounts(item, w->book->rounding) ||
        !pos_add(cart->subtotal, item->subtotal, &cart->subtotal)) {
        return pos_line_fault(w, (size_t) (item->line - cart->lines), "/quantity", "overflow",
            "the amount is more than any amount may be");
    }
    return POS_OK;
}

/* Items, the lines of each, and each line's item, from lines in order. */
static pos_status_t
merge_lines(pos_work_t *w, const uint32_t *order)
{
    pos_cart_t  *cart = &w->cart;
    pos_item_t  *item = NULL;
    pos_status_t status;

    for (uint32_t k = 0; k < cart->line_count; k++) {
        uint32_t line = order[k];

        if (item == NULL || item->measured || w->sku_of_line[order[k - 1]] != w->sku_of_line[line] ||
            cmp_lines(w, order[k - 1], line) != 0) {
            if (item && (status = close_item(w, item)) != POS_OK) {
                return status;
            }
            item = &cart->items[cart->item_count];
            w->item_first[cart->item_count++] = k;
            if ((status = open_item(w, line, item)) != POS_OK) {
                return status;
            }
        }
        cart->lines[line].item = item->index;
        item->quantity += cart->lines[line].quantity;
    }
    w->item_first[cart->item_count] = cart->line_count;
    return item ? close_item(w, item) : POS_OK;
}

pos_status_t
pos_items_name_faults(pos_work_t *w)
{
    if (gather_skus(w) != POS_OK) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < w->cart.line_count; i++) {
        if (w->cart.lines[i].sku.len > 0) {
            (void) fits_product(w, i);
        }
    }
    return POS_INVALID;
}

/* Gifts are added later: room for as many as the book could give is not known
 * here, so the array is moved when the first one comes (pos_item_gift). */
pos_status_t
pos_items_make(pos_work_t *w)
{
    pos_cart_t *cart = &w->cart;
    uint32_t    n = cart->line_count;

    w->list_fits = pos_arena_zalloc(w->arena, w->book->list_count + 1);
    if (w->list_fits == NULL || gather_skus(w) != POS_OK) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < n; i++) {
        check_line(w, i);
    }
    if (w->invalid) {
        return POS_INVALID;
    }
    cart->items = pos_arena_alloc(w->arena, ((size_t) n + 1) * sizeof(*cart->items));
    w->item_lines = pos_arena_alloc(w->arena, ((size_t) n + 1) * sizeof(uint32_t));
    w->item_first = pos_arena_alloc(w->arena, ((size_t) n + 2) * sizeof(uint32_t));
    if (!cart->items || !w->item_lines || !w->item_first || !sort_lines(w, w->item_lines)) {
        return POS_NO_MEMORY;
    }
    return merge_lines(w, w->item_lines);
}

pos_item_t *
pos_item_gift(pos_work_t *w, pos_str_t sku, int64_t each, int64_t times, pos_status_t *status)
{
    int64_t                  quantity = each * times;
    const pos_book_source_t *source = w->options->source;
    pos_item_t              *item = &w->cart.items[w->cart.item_count + w->gift_count];
    pos_line_t              *line;
    const pos_product_t     *product;
    pos_chosen_price_t       price;

    *status = source->product(source->ctx, sku, w->arena, &product);
    if (*status != POS_OK || w->gift_count == w->gift_room) {
        *status = *status == POS_NO_MEMORY ? POS_NO_MEMORY : POS_OK;
        return NULL;
    }
    if (!product->measured && each % POS_THOUSANDTHS != 0) {
        return NULL;    /* half a T-shirt is none to give */
    }
    if (!pos_price_choose(&w->cart, w->list_fits, product, quantity, &price) ||
        (w->cart.line_count && price.list->tax_included != w->tax_included)) {
        return NULL;
    }
    line = pos_arena_zalloc(w->arena, sizeof(*line));
    if (line == NULL) {
        *status = POS_NO_MEMORY;
        return NULL;
    }
    line->sku = product->sku;
    line->rare = &pos_line_plain;
    line->quantity = quantity;
    *item = (pos_item_t) { .product = product, .line = line,
        .index = w->cart.item_count + w->gift_count, .price_list = price.list->code,
        .tax_included = price.list->tax_included, .on_sale = price.sale,
        .measured = product->measured, .gift = true, .quantity = quantity,
        .list_price = price.list_price, .unit_price = price.unit_price,
        .sku_hash = pos_hash64(product->sku) };
    if (!item_amounts(item, w->book->rounding)) {
        return NULL;
    }
    if (!item_categories(w, item)) {
        *status = POS_NO_MEMORY;
        return NULL;
    }
    w->gift_count++;
    return item;
}
