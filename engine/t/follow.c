/*
 * A book that follows another is the one that building it as a whole comes to: hundreds
 * of random changes, one behind the other, done both ways and held side by side, to the
 * order, the index, the reports and the bytes of quotes. Books that are superseded serve
 * on as they were, and go in any order.
 */

#include "engine/t/shop.h"
#include "engine/index_data.h"

#define IDS      90
#define ROUNDS   400
#define KEPT     6
#define CARTS    4

#define PRICES "\"prices\":[{\"sku\":\"BOOT\",\"list\":\"base\",\"amount\":5000},{\"sku\":\"TEE\",\"list\":\"base\",\"amount\":1000}," \
    "{\"sku\":\"CHEESE\",\"list\":\"base\",\"amount\":1250}],\"experiments\":[{\"code\":\"x\",\"arms\":[{\"code\":\"a\"},{\"code\":\"b\"}]}]"
#define BOOK "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\",\"timezone\":\"UTC\"}," SHOP_GOODS "," PRICES "}"

/* ---- rows as a replica has them ---- */

typedef struct {
    const pos_book_source_t *goods;
    char                     ids[IDS][8];
    char                     texts[IDS][900];    /* empty: no such row */
    pos_str_t                every[IDS];
} rows_t;

static pos_status_t
next_row(void *ctx, pos_kind_t kind, const pos_str_t *after, pos_str_t *key, pos_str_t *value)
{
    rows_t *rows = ctx;

    if (kind != POS_KIND_PROMOTION) {
        pos_status_t status = rows->goods->next(rows->goods->ctx, kind, after, key, value);

        /* A store at fault: what is reported of other things stays reported. */
        if (kind != POS_KIND_STORE || status != POS_NOT_FOUND || (after != NULL && pos_str_eq(*after, pos_str("torn")))) {
            return status;
        }
        *key = pos_str("torn");
        *value = pos_str("{\"code\":5}");
        return POS_OK;
    }
    for (uint32_t i = 0; i < IDS; i++) {
        if (rows->texts[i][0] != '\0' && (after == NULL || pos_str_cmp(pos_str_z(rows->ids[i]), *after) > 0)) {
            *key = pos_str_z(rows->ids[i]);
            *value = pos_str_z(rows->texts[i]);
            return POS_OK;
        }
    }
    return POS_NOT_FOUND;
}

static pos_status_t
product(void *ctx, pos_str_t sku, pos_arena_t *arena, const pos_product_t **out)
{
    const rows_t *rows = ctx;

    return rows->goods->product(rows->goods->ctx, sku, arena, out);
}

/* One that names all there may be: some are there, some need none. */
static pos_status_t
coupon(void *ctx, pos_str_t code, pos_arena_t *arena, const pos_coupon_t **out)
{
    const rows_t *rows = ctx;
    pos_coupon_t *c = pos_arena_alloc(arena, sizeof(*c));

    if (c == NULL || !pos_str_eq(code, pos_str("SAVE"))) {
        return c == NULL ? POS_NO_MEMORY : POS_NOT_FOUND;
    }
    *c = (pos_coupon_t) { .code = pos_str("SAVE"), .promotion_count = IDS, .promotions = rows->every, .remaining = -1,
        .per_customer = -1, .from = POS_TIME_MIN, .until = POS_TIME_MAX };
    *out = c;
    return POS_OK;
}

static uint64_t state = 4711;

static uint32_t
chance(uint32_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t) ((state * UINT64_C(2685821657736338717)) >> 33) % below;
}

static const char *
one_of(const char *const *texts, uint32_t count)
{
    return texts[chance(count)];
}
#define ONE_OF(...)  one_of((const char *const[]) { __VA_ARGS__ }, sizeof((const char *const[]) { __VA_ARGS__ }) / sizeof(char *))

static void
write_data(char *out, size_t size, const char *id)
{
    const char *class = ONE_OF("line", "line", "order");
    bool        line = class[0] == 'l';
    const char *items = ONE_OF("", ",\"items\":{\"sku\":[\"BOOT\"]}", ",\"items\":{\"category\":[\"all\"]}",
        ",\"items\":{\"sku\":[\"TEE\",\"CHEESE\"]}", ",\"items\":{\"sku\":[\"NONE\",\"TEE\"]}");
    const char *when = ONE_OF("", "", "\"when\":{\"store\":[\"london\"]},", "\"when\":{\"subtotal\":{\"min\":3000}},",
        "\"when\":{\"any\":[{\"channel\":[\"web\"]},{\"customer\":{\"groups\":[\"staff\"]}}]},");
    const char *limits = ONE_OF("", "", "\"limits\":[{\"max\":1,\"of\":\"uses\",\"per\":\"order\"}],",
        "\"limits\":[{\"max\":700,\"of\":\"amount\",\"per\":\"order\"}],");
    const char *group = ONE_OF("", "", "\"group\":\"g\",", "\"group\":\"h\",\"stacking\":\"exclusive\",", "\"stacking\":\"exclusive\",", "\"stacking\":\"alone\",",
        "\"coupon\":true,", "\"active\":{\"until\":\"2026-01-01T00:00:00Z\"},", "\"experiment\":{\"code\":\"x\",\"arm\":\"a\"},");

    snprintf(out, size, "{\"id\":\"%s\",\"name\":\"N%u\",\"class\":\"%s\",\"priority\":%u,%s%s%s\"then\":[{\"percent_off\":%u%s}]}",
        id, chance(3), class, chance(4), when, limits, group, 1 + chance(30), line ? items : "");
}

static void
write_lua(char *out, size_t size, const char *id)
{
    snprintf(out, size, "{\"id\":\"%s\",\"priority\":%u,\"settings\":{\"percent\":%u},\"script\":\"return promotion { id = '%s', name = 'Lua', class = 'line',"
        " settings = { percent = { type = 'percent', default = 15 } }, when = { items = { sku = { '%s' } }, quantity = { min = %u } },"
        " apply = function(cart) cart:items { sku = { '%s' } }:percent_off(setting 'percent', 'L') end }\"}",
        id, chance(4), 1 + chance(40), id, ONE_OF("BOOT", "TEE"), 1 + chance(2), ONE_OF("BOOT", "CHEESE"));
}

/* A promotion's row becomes another, goes, or stays. */
static void
change(rows_t *rows, uint32_t i)
{
    char  *text = rows->texts[i];
    size_t size = sizeof(rows->texts[i]);

    switch (chance(10)) {
    case 0:
    case 1:
        text[0] = '\0';
        break;
    case 2:
    case 3:
        write_lua(text, size, rows->ids[i]);
        break;
    case 4:
        snprintf(text, size, "%s", ONE_OF("{\"id\":", "{\"id\":\"p\",\"class\":\"line\",\"then\":[{\"percent_off\":200}]}",
            "{\"id\":\"q\",\"script\":\"return promotion {\"}"));
        break;
    case 5:
        break;
    default:
        write_data(text, size, rows->ids[i]);
    }
}

/* ---- the two, side by side ---- */

static pos_book_t *
finish(pos_book_builder_t *b, uint32_t rows, pos_status_t *status)
{
    pos_book_t *book = NULL;

    while (*status == POS_OK && book == NULL) {
        *status = pos_book_builder_step(b, rows, &book);
        *status = *status == POS_AGAIN ? POS_OK : *status;
    }
    pos_book_builder_destroy(b);
    return book;
}

/* By the changes of the rows named, and of those that are reported. */
static pos_book_t *
follow(const pos_book_t *before, rows_t *rows, const bool *named, pos_script_vm_t *vm, uint32_t step, pos_status_t *status)
{
    pos_book_change_t   changes[IDS];
    pos_book_builder_t *b = NULL;
    uint32_t            count = 0;

    for (uint32_t i = 0; i < IDS; i++) {
        bool reported = false;

        for (const pos_book_report_t *r = pos_book_reports(before); r; r = r->next) {
            reported |= r->kind == POS_KIND_PROMOTION && pos_str_eq(r->key, pos_str_z(rows->ids[i]));
        }
        if (named[i] || reported) {
            changes[count++] = (pos_book_change_t) { pos_str_z(rows->ids[i]),
                rows->texts[i][0] ? pos_str_z(rows->texts[i]) : pos_str_of(NULL, 0) };
        }
    }
    *status = pos_book_builder_follow(before, vm, changes, count, &b);
    return *status == POS_OK ? finish(b, step, status) : NULL;
}

static bool
same_reports(const pos_book_t *a, const pos_book_t *b)
{
    const pos_book_report_t *x = pos_book_reports(a), *y = pos_book_reports(b);

    while (x != NULL && y != NULL && x->kind == y->kind && pos_str_eq(x->key, y->key)
           && pos_str_eq(x->message, y->message) && x->kept_before == y->kept_before)
    {
        x = x->next;
        y = y->next;
    }
    return x == NULL && y == NULL;
}

/* What a book is made of and in which order: equal, equal. */
static void
content(const pos_book_t *book, uint8_t out[POS_SHA256_SIZE])
{
    pos_sha256_t hash;

    pos_sha256_init(&hash);
    for (uint32_t i = 0; i < book->promotion_count; i++) {
        const pos_promotion_t *p = book->promotions[i];

        pos_sha256_update(&hash, p->id);
        pos_sha256_update(&hash, pos_str_of((const char *) p->content, sizeof(p->content)));
        pos_sha256_update(&hash, pos_str_of((const char *) &p->priority, sizeof(p->priority)));
    }
    pos_sha256_final(&hash, out);
}

static bool
same_order(const pos_book_t *a, const pos_book_t *b)
{
    uint8_t x[POS_SHA256_SIZE], y[POS_SHA256_SIZE];

    content(a, x);
    content(b, y);
    for (uint32_t i = 0; i < a->promotion_count; i++) {
        uint32_t place;

        if (!pos_book_find(a, a->promotions[i]->id, &place) || place != i || a->places[a->numbers[i]] != i
            || pos_roster_at(&a->roster, a->numbers[i]) != a->promotions[i])
        {
            return false;
        }
    }
    return a->promotion_count == b->promotion_count && memcmp(x, y, sizeof(x)) == 0;
}

/* Is an entry like it in the other index, in a block whose bounds let it be seen? */
static bool
filed_in(const pos_book_t *book, const pos_entry_t *e, uint32_t place)
{
    const pos_index_t  *index = book->index;
    const pos_drawer_t *d = index->drawers[e->key >> index->shift];
    const pos_slot_t   *slot = d ? pos_drawer_slot(d, e->key) : NULL;

    for (uint32_t k = 0; slot != NULL && slot->key != 0 && k < slot->count; k++) {
        const pos_block_t *b = &d->blocks[slot->first + k];

        for (uint32_t i = b->first; i < b->first + b->count; i++) {
            const pos_entry_t *f = &d->entries[i];

            if (f->key == e->key && book->places[f->promotion] == place && f->from == e->from && f->until == e->until
                && f->subtotal == e->subtotal && b->from <= e->from && b->until >= e->until && b->subtotal <= e->subtotal)
            {
                return true;
            }
        }
    }
    return false;
}

static bool
index_within(const pos_book_t *a, const pos_book_t *b, uint32_t *entries)
{
    *entries = 0;
    for (uint32_t d = 0; d < a->index->drawer_count; d++) {
        const pos_drawer_t *drawer = a->index->drawers[d];

        for (uint32_t i = 0; drawer != NULL && i < drawer->entry_count; i++) {
            const pos_entry_t *e = &drawer->entries[i];

            if (!filed_in(b, e, a->places[e->promotion])) {
                return false;
            }
            ++*entries;
        }
    }
    return true;
}

static bool
same_index(const pos_book_t *a, const pos_book_t *b)
{
    uint32_t in_a, in_b;

    return index_within(a, b, &in_a) && index_within(b, a, &in_b) && in_a == in_b && in_a == a->index->entry_count
           && in_b == b->index->entry_count && a->index->kinds == b->index->kinds && a->index->words == b->index->words
           && memcmp(a->index->filed, b->index->filed, sizeof(a->index->filed)) == 0;
}

static const char *const carts[CARTS] = {
    "{\"currency\":\"GBP\",\"store\":\"london\",\"channel\":\"web\",\"coupons\":[\"SAVE\"],\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2},{\"sku\":\"TEE\",\"quantity\":3}]}",
    "{\"currency\":\"GBP\",\"channel\":\"pos\",\"session\":\"s1\",\"lines\":[{\"sku\":\"CHEESE\",\"quantity\":1.5},{\"sku\":\"TEE\",\"quantity\":1}]}",
    "{\"currency\":\"GBP\",\"store\":\"london\",\"customer\":{\"id\":\"c\",\"groups\":[\"staff\"]},\"lines\":[{\"sku\":\"BOOT\",\"quantity\":1}]}",
    "{\"currency\":\"GBP\",\"store\":\"london\",\"channel\":\"web\",\"explain\":true,\"lines\":[{\"sku\":\"TEE\",\"quantity\":2},{\"sku\":\"BOOT\",\"quantity\":1}]}",
};

static pos_str_t
quote(shop_t *s, rows_t *rows, const pos_book_t *book, const char *cart, pos_quote_stats_t *stats)
{
    pos_book_source_t   source = { .ctx = rows, .product = product, .coupon = coupon, .next = next_row };
    pos_quote_options_t options = shop_options(s);

    options.book = book;
    options.source = &source;
    options.trial = true;
    options.node_budget = 3000;    /* contested carts as they are: the way is held to the other, not the end */
    return shop_quote(s, &options, cart, stats);
}

static bool
same_quotes(shop_t *s, rows_t *rows, const pos_book_t *a, const pos_book_t *b, uint32_t *applied)
{
    bool same = true;

    for (uint32_t i = 0; i < CARTS; i++) {
        pos_quote_stats_t x, y;
        pos_str_t         one = quote(s, rows, a, carts[i], &x), other = quote(s, rows, b, carts[i], &y);

        if (!pos_str_eq(one, other) || x.candidates != y.candidates) {
            printf("# %.*s\n# %.*s\n", (int) one.len, one.data, (int) other.len, other.data);
            same = false;
        }
        *applied += x.applied;
    }
    pos_arena_reset(s->arena);
    return same;
}

/* ---- books that are superseded ---- */

typedef struct {
    pos_book_t *book;
    uint8_t     content[POS_SHA256_SIZE];
    char        quote[8192];
} kept_t;

static void
keep(shop_t *s, rows_t *rows, kept_t *k, pos_book_t *book)
{
    pos_quote_stats_t stats;
    pos_str_t         text = quote(s, rows, book, carts[1], &stats);

    pos_book_retain(book);
    k->book = book;
    content(book, k->content);
    snprintf(k->quote, sizeof(k->quote), "%.*s", (int) text.len, text.data);
    pos_arena_reset(s->arena);
}

static bool
let_go(shop_t *s, rows_t *rows, kept_t *k)
{
    pos_quote_stats_t stats;
    uint8_t           now[POS_SHA256_SIZE];
    pos_str_t         text = quote(s, rows, k->book, carts[1], &stats);
    bool              same = strncmp(k->quote, text.data, text.len) == 0 && strlen(k->quote) == text.len;

    content(k->book, now);
    same = same && memcmp(now, k->content, sizeof(now)) == 0;
    pos_arena_reset(s->arena);
    if (chance(2) == 0) {
        pos_book_release(k->book);
    } else {
        while (!pos_book_release_some(k->book, 1 + chance(40))) { }
    }
    k->book = NULL;
    return same;
}

/* ---- the tests ---- */

static void
open_rows(rows_t *rows, const shop_t *s)
{
    memset(rows, 0, sizeof(*rows));
    rows->goods = &s->source;
    for (uint32_t i = 0; i < IDS; i++) {
        snprintf(rows->ids[i], sizeof(rows->ids[i]), "p%02u", i);
        rows->every[i] = pos_str_z(rows->ids[i]);
    }
}

typedef struct {
    uint32_t followed, whole, order, reports, index, quotes, applied, kept_as_they_were, kept;
} tally_t;

static void
compare(shop_t *s, rows_t *rows, const pos_book_t *a, const pos_book_t *b, tally_t *t)
{
    t->order += same_order(a, b);
    t->reports += same_reports(a, b);
    t->index += same_index(a, b);
    t->quotes += same_quotes(s, rows, a, b, &t->applied);
}

static void
test_random(shop_t *s, uint32_t most)
{
    rows_t            rows;
    pos_book_source_t source = { .ctx = &rows, .next = next_row };
    pos_book_t       *a, *b, *next;
    kept_t            kept[KEPT] = { 0 };
    tally_t           t = { 0 };
    pos_status_t      status;

    open_rows(&rows, s);
    for (uint32_t i = 0; i < 5; i++) {
        write_data(rows.texts[i], sizeof(rows.texts[i]), rows.ids[i]);
    }
    a = shop_build(&source, NULL, s->vm, 3, &status);
    b = shop_build(&source, NULL, s->vm, 3, &status);
    for (uint32_t round = 0; a != NULL && b != NULL && round < ROUNDS; round++) {
        bool     named[IDS] = { false };
        uint32_t slot = chance(KEPT);

        for (uint32_t n = 1 + chance(most); n > 0; n--) {
            uint32_t i = chance(IDS);

            named[i] = true;
            change(&rows, i);
        }
        next = follow(a, &rows, named, s->vm, 1 + chance(30), &status);
        if (status == POS_LIMIT || chance(40) == 0) {
            pos_book_release(next);
            next = shop_build(&source, a, s->vm, 30, &status);
            t.whole++;
        } else {
            t.followed += next != NULL;
        }
        if (kept[slot].book != NULL) {
            t.kept_as_they_were += let_go(s, &rows, &kept[slot]);
            t.kept++;
        }
        keep(s, &rows, &kept[slot], a);
        pos_book_release(a);
        a = next;
        next = shop_build(&source, b, s->vm, 30, &status);
        pos_book_release(b);
        b = next;
        if (a != NULL && b != NULL) {
            compare(s, &rows, a, b, &t);
        }
    }
    printf("# %u followed, %u built as a whole; %u discounts\n", t.followed, t.whole, t.applied);
    ok(t.followed > ROUNDS * 3 / 4 && t.whole > 0, "most books follow the one before, some are built as a whole");
    ok(t.applied > ROUNDS, "many promotions apply");
    is_int(t.order, ROUNDS, "all have what building them as a whole comes to, in its order");
    is_int(t.reports, ROUNDS, "and its reports");
    is_int(t.index, ROUNDS, "each is filed where it is there");
    is_int(t.quotes, ROUNDS, "and quotes are the same to the byte");
    pos_book_release(a);
    pos_book_release(b);
    for (uint32_t i = 0; i < KEPT; i++) {
        if (kept[i].book != NULL) {
            t.kept_as_they_were += let_go(s, &rows, &kept[i]);
            t.kept++;
        }
    }
    is_int(t.kept_as_they_were, t.kept, "a book that others followed stays as it was until it goes");
}

static void
test_refused(shop_t *s)
{
    static rows_t       rows;
    pos_book_source_t   source = { .ctx = &rows, .next = next_row };
    pos_book_change_t   wrong[] = { { pos_str("p02"), { NULL, 0 } }, { pos_str("p01"), { NULL, 0 } } };
    pos_book_builder_t *builder = NULL;
    pos_status_t        status;
    pos_book_t         *book, *next;

    open_rows(&rows, s);
    snprintf(rows.texts[3], sizeof(rows.texts[3]), "{\"id\":");
    write_data(rows.texts[4], sizeof(rows.texts[4]), rows.ids[4]);
    book = shop_build(&source, NULL, s->vm, 3, &status);
    is_int(pos_book_builder_follow(book, s->vm, wrong, 1, &builder), POS_LIMIT, "what is reported must be among the changes");
    is_int(pos_book_builder_follow(book, NULL, wrong, 0, &builder), POS_LIMIT, "another VM has another book");
    wrong[0].key = pos_str("p03");
    is_int(pos_book_builder_follow(book, s->vm, wrong, 2, &builder), POS_LIMIT, "changes come in order");
    is_int(pos_book_builder_follow(book, s->vm, wrong, 1, &builder), POS_OK, "one row at fault, gone");
    next = finish(builder, 20, &status);
    ok(next != NULL && pos_book_reports(next)->kind == POS_KIND_STORE && pos_book_reports(next)->next == NULL
            && pos_book_promotions(next) == 1, "is reported no more, what is not a promotion is");
    ok(next != NULL && next->promotions[0] == book->promotions[0], "and the other promotion is the same one");
    pos_book_release(book);
    is_int(next->promotions[0]->refs, 1, "which both books hold once");
    is_int(pos_book_builder_follow(next, s->vm, wrong, 1, &builder), POS_OK, "a build begun");
    is_int(pos_book_builder_step(builder, 1, &book), POS_AGAIN, "and gone on with");
    pos_book_builder_destroy(builder);
    is_int(next->promotions[0]->refs, 1, "can be given up");
    pos_book_release(next);
}

/* Every allocation of arenas fails once: the book before is none the worse. */
static void
test_torture(shop_t *s)
{
    static rows_t     rows;
    pos_book_source_t source = { .ctx = &rows, .next = next_row };
    bool              named[IDS] = { false };
    uint32_t          nth = 0, wrong = 0;
    pos_status_t      status;
    pos_book_t       *book, *next = NULL, *whole;
    tally_t           t = { 0 };

    open_rows(&rows, s);
    for (uint32_t i = 0; i < 40; i++) {
        write_data(rows.texts[i], sizeof(rows.texts[i]), rows.ids[i]);
    }
    book = shop_build(&source, NULL, s->vm, 3, &status);
    write_lua(rows.texts[7], sizeof(rows.texts[7]), rows.ids[7]);
    write_data(rows.texts[50], sizeof(rows.texts[50]), rows.ids[50]);
    rows.texts[9][0] = '\0';
    named[7] = named[9] = named[50] = true;
    while (next == NULL && nth < 1000) {
        pos_arena_fail_nth(++nth);
        next = follow(book, &rows, named, s->vm, 3, &status);
        pos_arena_fail_nth(0);
        if (next != NULL && pos_book_reports(next)->next != NULL) {
            pos_book_release(next);    /* the script's own, which is told */
            next = NULL;
        }
        wrong += next == NULL && status != POS_NO_MEMORY && status != POS_OK;
    }
    is_int(wrong, 0, "no memory is the only fault");
    ok(next != NULL && nth > 5, "followed in the end, after failing at each of %u allocations", nth - 1);
    whole = shop_build(&source, book, s->vm, 3, &status);
    if (next != NULL && whole != NULL) {
        compare(s, &rows, next, whole, &t);
    }
    is_int(t.order + t.reports + t.index + t.quotes, 4, "and right");
    pos_book_release(whole);
    pos_book_release(book);
    pos_book_release(next);
}

int
main(void)
{
    shop_t s;

    if (!ok(shop_open(&s, BOOK), "a shop")) {
        return tap_done();
    }
    test_random(&s, 1);
    test_random(&s, 8);
    test_refused(&s);
    test_torture(&s);
    shop_close(&s);
    return tap_done();
}
