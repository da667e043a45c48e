/*
 * The index never loses a promotion: over random books and carts, whatever a
 * cart satisfies is among its candidates; and what cannot apply is not looked
 * at.
 */

#include "base/t/tap.h"
#include "base/json_write.h"
#include "engine/cart.h"

typedef struct {
    uint64_t state;
} chance_t;


/* xorshift64*: the same carts in every run. */
static uint32_t
chance(chance_t *c, uint32_t below)
{
    c->state ^= c->state >> 12;
    c->state ^= c->state << 25;
    c->state ^= c->state >> 27;
    return (uint32_t) ((c->state * UINT64_C(2685821657736338717)) >> 33) % below;
}


static void
put(pos_writer_t *w, const char *format, ...)
{
    char    text[500];
    va_list args;
    int     n;

    va_start(args, format);
    n = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    pos_write_bytes(w, pos_str_of(text, (size_t) n));
}


static void
put_filter(pos_writer_t *w, chance_t *c)
{
    switch (chance(c, 7)) {
    case 0:
        put(w, "{\"sku\":[\"S%u\",\"S%u\"]}", chance(c, 20), chance(c, 20));
        return;
    case 1:
        put(w, "{\"category\":[\"c%u\"]}", chance(c, 6));
        return;
    case 2:
        put(w, "{\"brand\":[\"b%u\"],\"category\":[\"c%u\"]}", chance(c, 3), chance(c, 6));
        return;
    case 3:
        put(w, "{\"tag\":[\"t%u\"]}", chance(c, 3));
        return;
    case 4:
        put(w, "{\"attribute\":{\"colour\":[\"k%u\"]}}", chance(c, 3));
        return;
    case 5:
        put(w, "{\"not\":{\"sku\":[\"S%u\"]}}", chance(c, 20));
        return;
    default:
        put(w, "{}");
    }
}


static void
put_condition(pos_writer_t *w, chance_t *c, unsigned depth)
{
    static const char *const joins[] = { "all", "any" };
    uint32_t                 kind = chance(c, depth > 2 ? 9 : 11);

    switch (kind) {
    case 0:
        put(w, "{\"store\":[\"s%u\"]}", chance(c, 2));
        return;
    case 1:
        put(w, "{\"channel\":[\"ch%u\"]}", chance(c, 2));
        return;
    case 2:
        put(w, "{\"subtotal\":{\"min\":%u}}", chance(c, 8000));
        return;
    case 3:
        put(w, "{\"customer\":{\"groups\":[\"g%u\"]}}", chance(c, 3));
        return;
    case 4:
        put(w, "{\"tender\":[\"x%u\"]}", chance(c, 2));
        return;
    case 5:
        put(w, "{\"attribute\":{\"club\":[\"a%u\"]}}", chance(c, 2));
        return;
    case 6:
    case 7:
        put(w, "{\"items\":");
        put_filter(w, c);
        put(w, ",\"%s\":{\"min\":%u}}", kind == 6 ? "quantity" : "amount",
            kind == 6 ? 1 + chance(c, 4) : chance(c, 3000));
        return;
    case 8:
        put(w, "{\"customer\":{\"ids\":[\"id%u\"]}}", chance(c, 2));
        return;
    case 9:
        put(w, "{\"not\":");
        put_condition(w, c, depth + 1);
        put(w, "}");
        return;
    default:
        put(w, "{\"%s\":[", joins[chance(c, 2)]);
        put_condition(w, c, depth + 1);
        put(w, ",");
        put_condition(w, c, depth + 1);
        put(w, "]}");
    }
}


static pos_str_t
random_promotions(pos_arena_t *arena, chance_t *c, uint32_t count)
{
    pos_writer_t w;

    pos_writer_init(&w, arena, 65536, 1 << 26);
    put(&w, "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\"},\"promotions\":[");
    for (uint32_t i = 0; i < count; i++) {
        put(&w, "%s{\"id\":\"p%u\",\"class\":\"line\",\"priority\":%u,", i ? "," : "", i,
            chance(c, 3));
        if (chance(c, 3) == 0) {
            put(&w, "\"active\":{\"from\":\"2026-0%u-01T00:00:00Z\",\"until\":\"2026-0%u-01T00:00:00Z\"},",
                1 + chance(c, 4), 5 + chance(c, 4));
        }
        if (chance(c, 3) > 0) {
            put(&w, "\"when\":");
            put_condition(&w, c, 0);
            put(&w, ",");
        }
        put(&w, "\"then\":[{\"percent_off\":10,\"items\":");
        put_filter(&w, c);
        put(&w, "}]}");
    }
    put(&w, "]}");
    return pos_writer_result(&w);
}


static pos_book_t *
book_of(pos_str_t text, pos_arena_t *arena, pos_memory_book_t **memory)
{
    pos_json_reader_t  *reader = pos_json_reader_create(64u << 20);
    pos_book_builder_t *builder;
    pos_book_source_t   source;
    pos_book_t         *book = NULL;
    pos_faults_t        faults;
    pos_json_t         *json;

    pos_faults_init(&faults, arena);
    if (pos_json_read(reader, text, arena, &faults, &json) != POS_OK
        || pos_memory_book_create(json, NULL, NULL, &faults, memory) != POS_OK)
    {
        printf("# %.*s: %.*s\n", (int) faults.first->pointer.len, faults.first->pointer.data,
            (int) faults.first->message.len, faults.first->message.data);
        exit(EXIT_FAILURE);
    }
    pos_json_reader_destroy(reader);
    pos_memory_book_source(*memory, &source);
    if (pos_book_builder_create(&source, NULL, NULL, &builder) != POS_OK) {
        exit(EXIT_FAILURE);
    }
    while (pos_book_builder_step(builder, 1000, &book) == POS_AGAIN) {
    }
    pos_book_builder_destroy(builder);
    return book;
}


static pos_str_t
word(pos_arena_t *arena, const char *letter, uint32_t n)
{
    return pos_arena_printf(arena, "%s%u", letter, n);
}


static pos_strset_t
one_of(pos_arena_t *arena, pos_str_t value)
{
    pos_str_t *values = pos_arena_alloc(arena, sizeof(*values));
    uint64_t  *hashes = pos_arena_alloc(arena, sizeof(*hashes));

    *values = value;
    *hashes = pos_hash64(value);
    return (pos_strset_t) { 1, hashes, values };
}


static pos_item_t
random_item(pos_arena_t *arena, chance_t *c, uint32_t index)
{
    pos_product_t         *p = pos_arena_zalloc(arena, sizeof(*p));
    pos_str_t             *tag = pos_arena_alloc(arena, sizeof(*tag));
    pos_attribute_t       *a = pos_arena_alloc(arena, sizeof(*a));
    pos_category_t        *category = pos_arena_zalloc(arena, sizeof(*category));
    const pos_category_t **categories = pos_arena_alloc(arena, sizeof(*categories));
    pos_item_t             item = { .product = p, .index = index };

    p->sku = word(arena, "S", chance(c, 20));
    p->brand = word(arena, "b", chance(c, 3));
    *tag = word(arena, "t", chance(c, 3));
    p->tags = tag;
    p->tag_count = 1;
    *a = (pos_attribute_t) { pos_str("colour"), word(arena, "k", chance(c, 3)) };
    p->attributes = a;
    p->attribute_count = 1;
    category->code = word(arena, "c", chance(c, 6));
    category->hash = pos_hash64(category->code);
    categories[0] = category;
    item.categories = categories;
    item.category_count = 1;
    item.sku_hash = pos_hash64(p->sku);
    item.units = 1 + chance(c, 3);
    item.quantity = item.units * POS_THOUSANDTHS;
    item.unit_price = 100 + chance(c, 1000);
    item.subtotal = item.units * item.unit_price;
    return item;
}


static pos_cart_t
random_cart(pos_arena_t *arena, chance_t *c, const pos_book_t *book)
{
    pos_store_t     *store = pos_arena_zalloc(arena, sizeof(*store));
    pos_attribute_t *a = pos_arena_alloc(arena, sizeof(*a));
    pos_cart_t       cart = { .book = book, .arena = arena, .store = store };

    store->code = word(arena, "s", chance(c, 2));
    cart.channel = word(arena, "ch", chance(c, 2));
    cart.fulfilment = pos_str("ship");
    cart.customer_known = chance(c, 2);
    cart.customer_id = cart.customer_known ? word(arena, "id", chance(c, 2)) : pos_str("");
    cart.customer_orders = -1;
    cart.customer_birthday = INT32_MIN;
    if (chance(c, 2)) {
        cart.customer_groups = one_of(arena, word(arena, "g", chance(c, 3)));
    }
    cart.tenders = one_of(arena, word(arena, "x", chance(c, 2)));
    *a = (pos_attribute_t) { pos_str("club"), word(arena, "a", chance(c, 3)) };
    cart.attributes = a;
    cart.attribute_count = chance(c, 2);
    cart.ship_country = cart.ship_region = pos_str("");
    (void) pos_time_read(pos_str("2026-05-20T12:00:00Z"), NULL, &cart.at);
    cart.at += (int64_t) chance(c, 60) * 86400 * 1000000;
    cart.item_count = 1 + chance(c, 5);
    cart.items = pos_arena_alloc(arena, cart.item_count * sizeof(*cart.items));
    for (uint32_t i = 0; i < cart.item_count; i++) {
        cart.items[i] = random_item(arena, c, i);
        cart.subtotal += cart.items[i].subtotal;
    }
    return cart;
}


static bool
applies(const pos_promotion_t *p, const pos_cart_t *cart)
{
    if (pos_promotion_inactive(p, cart) != NULL || !pos_condition_holds(p->when, cart)) {
        return false;
    }
    for (uint32_t i = 0; i < cart->item_count; i++) {
        if (pos_filter_match(p->effects[0].filter, &cart->items[i])) {
            return true;
        }
    }
    return false;
}


typedef struct {
    uint64_t applied, looked, lost, unordered;
} tally_t;


static void
compare(const pos_cart_t *cart, tally_t *t)
{
    const uint32_t *found;
    uint32_t        count, at = 0;

    if (pos_index_candidates(cart, NULL, 0, &found, &count) != POS_OK) {
        exit(EXIT_FAILURE);
    }
    t->looked += count;
    for (uint32_t i = 1; i < count; i++) {
        t->unordered += found[i - 1] >= found[i];
    }
    for (uint32_t i = 0; i < cart->book->promotion_count; i++) {
        while (at < count && found[at] < i) {
            at++;
        }
        if (applies(cart->book->promotions[i], cart)) {
            t->applied++;
            t->lost += at == count || found[at] != i;
        }
    }
}


static void
test_random(void)
{
    chance_t     c = { 42 };
    pos_arena_t *arena = pos_arena_create(65536, 0), *scratch = pos_arena_create(65536, 0);
    tally_t      t = { 0, 0, 0, 0 };
    uint64_t     all = 0;

    for (int book = 0; book < 20; book++) {
        pos_memory_book_t *memory;
        pos_book_t        *b = book_of(random_promotions(arena, &c, 300), arena, &memory);

        for (int i = 0; i < 50; i++) {
            pos_cart_t cart = random_cart(scratch, &c, b);

            compare(&cart, &t);
            all += b->promotion_count;
            pos_arena_reset(scratch);
        }
        pos_book_release(b);
        pos_memory_book_destroy(memory);
        pos_arena_reset(arena);
    }
    printf("# %llu applied of %llu looked at of %llu\n", (unsigned long long) t.applied,
        (unsigned long long) t.looked, (unsigned long long) all);
    ok(t.applied > 10000, "many promotions apply");
    is_int(t.lost, 0, "none that applies is lost");
    is_int(t.unordered, 0, "candidates come in order, each once");
    ok(t.looked < all / 2, "fewer than half are looked at");
    pos_arena_destroy(arena);
    pos_arena_destroy(scratch);
}


/* Ten thousand of which none can apply: other SKUs, other stores, ended, not
 * begun, out of reach. None is looked at. */
static void
test_nothing_looked_at(void)
{
    chance_t           c = { 7 };
    pos_arena_t       *arena = pos_arena_create(65536, 0);
    pos_memory_book_t *memory;
    pos_book_t        *book;
    pos_cart_t         cart;
    const uint32_t    *found;
    pos_writer_t       w;
    uint32_t           count = 1;

    pos_writer_init(&w, arena, 65536, 1 << 26);
    put(&w, "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\"},\"promotions\":[");
    for (uint32_t i = 0; i < 10000; i++) {
        put(&w, "%s{\"id\":\"p%u\",\"class\":\"order\",\"then\":[{\"amount_off\":1}],", i ? "," : "", i);
        switch (i % 5) {
        case 0:
            put(&w, "\"when\":{\"items\":{\"sku\":[\"other%u\"]}}}", i);
            break;
        case 1:
            put(&w, "\"when\":{\"store\":[\"elsewhere%u\"]}}", i % 50);
            break;
        case 2:
            put(&w, "\"active\":{\"until\":\"2025-01-01T00:00:00Z\"}}");
            break;
        case 3:
            put(&w, "\"active\":{\"from\":\"2030-01-01T00:00:00Z\"}}");
            break;
        default:
            put(&w, "\"when\":{\"subtotal\":{\"min\":%u}}}", 1000000 + i);
        }
    }
    put(&w, "]}");
    book = book_of(pos_writer_result(&w), arena, &memory);
    is_int(book->promotion_count, 10000, "ten thousand promotions");
    cart = random_cart(arena, &c, book);
    ok(pos_index_candidates(&cart, NULL, 0, &found, &count) == POS_OK, "asked");
    is_int(count, 0, "none is looked at");
    cart.explain = true;
    ok(pos_index_candidates(&cart, NULL, 0, &found, &count) == POS_OK, "asked to explain");
    is_int(count, 10000, "all are");
    pos_book_release(book);
    pos_memory_book_destroy(memory);
    pos_arena_destroy(arena);
}


int
main(void)
{
    test_random();
    test_nothing_looked_at();
    return tap_done();
}
