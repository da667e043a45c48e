/*
 * What the tests of scripts share: one VM, a cart of three items, and ways to run a
 * few lines of Lua over it.
 */

#ifndef POS_SCRIPT_FIXTURE_H
#define POS_SCRIPT_FIXTURE_H

#include "base/hash.h"
#include "base/t/tap.h"
#include "engine/script.h"

static pos_script_vm_t *vm;
static pos_arena_t     *arena;
static pos_faults_t     faults;

/* ---- a cart of three items ---- */

static pos_product_t   products[3];
static pos_line_t      lines[3];
static pos_item_t      items[3];
static pos_category_t  shoes = { .code = { "shoes", 5 } };
static const pos_category_t *shoe_list[] = { &shoes };
static const pos_attribute_t red[] = { { { "colour", 6 }, { "red", 3 } } };
static const pos_attribute_t cart_facts[] = {
    { { "json", 4 }, { "{\"a\":[1,2.5,null],\"b\":\"x\"}", 26 } },
};
static const pos_str_t staff[] = { { "staff", 5 } };
static uint64_t        staff_hash[1];
static pos_store_t     store = { .code = { "london", 6 } };
static pos_book_t      book;
static pos_cart_t      cart;
static pos_promotion_t promotion;

static inline void
item(unsigned i, const char *sku, int64_t price, int64_t units)
{
    products[i].sku = pos_str_z(sku);
    products[i].name = pos_str_z(sku);
    products[i].unit = pos_str("each");
    products[i].brand = pos_str("brand");
    products[i].has_cost = true;
    products[i].cost = price / 2;
    items[i] = (pos_item_t) {
        .product = &products[i], .line = &lines[i], .index = i,
        .quantity = units * POS_THOUSANDTHS, .units = units, .list_price = price,
        .unit_price = price, .subtotal = price * units,
        .sku_hash = pos_hash64(products[i].sku),
    };
    cart.subtotal += price * units;
}

static inline void
make_cart(void)
{
    shoes.hash = pos_hash64(shoes.code);
    staff_hash[0] = pos_hash64(staff[0]);
    cart = (pos_cart_t) {
        .currency = pos_str("GBP"), .channel = pos_str("web"), .store = &store,
        .customer_known = true, .customer_id = pos_str("c1"), .customer_orders = 3,
        .customer_birthday = INT32_MIN, .item_count = 3, .items = items,
        .attribute_count = 1, .attributes = cart_facts, .book = &book,
        .customer_groups = { 1, staff_hash, staff },
        .local = { .year = 2026, .month = 11, .day = 27, .hour = 9, .minute = 5, .weekday = 4 },
    };
    item(0, "A", 1000, 3);
    item(1, "B", 500, 2);
    item(2, "C", 250, 4);
    products[0].attributes = red;
    products[0].attribute_count = 1;
    items[1].categories = shoe_list;
    items[1].category_count = 1;
    cart.arena = arena;
    book.currency = pos_str("GBP");
    promotion = (pos_promotion_t) { .id = pos_str("p"), .class = POS_CLASS_LINE };
}

/* ---- running ---- */

/* A file's first promotion; NULL: refused, or it is data alone. */
static inline pos_script_t *
load(const char *source)
{
    pos_script_promotion_t *out;
    uint32_t                count;
    pos_status_t            rc;

    pos_faults_init(&faults, arena);
    rc = pos_script_load(vm, pos_str_z(source), pos_str("t"), NULL, pos_str("/script"),
        arena, &faults, &out, &count);
    if (rc != POS_OK || count == 0) {
        return NULL;
    }
    return out[0].script;
}

static inline const char *
said(void)
{
    return faults.first ? faults.first->message.data : "";
}

/* Runs `body` as apply, behind `head`, and gives the result. NULL: releases what the
 * last one left. */
static inline pos_script_result_t
apply(const char *head, const char *body)
{
    pos_script_result_t out = { 0 };
    size_t              size = strlen(head) + (body ? strlen(body) : 0) + 200;
    char               *source = malloc(size);
    pos_script_t       *script;
    static pos_script_t *before;

    if (body == NULL) {
        pos_script_release(before);
        before = NULL;
        free(source);
        return out;
    }
    snprintf(source, size, "%s return promotion { id = 'p', class = 'line',"
        " apply = function(cart)\n%s\nend }", head, body);
    script = load(source);
    free(source);
    if (script == NULL) {
        out.failed = true;
        out.failure = "load";
        out.failure_text = pos_str_z(said());
        return out;
    }
    if (pos_script_apply(vm, script, &promotion, &cart, &out) != POS_OK) {
        out.failed = true;
        out.failure = "host";
    }
    /* What was proposed points into the script's own memory: it lives until
     * the next call here, as a promotion lives longer than its quotes. */
    pos_script_release(before);
    before = script;
    return out;
}

/* A line of Lua whose first message is `expected`. */
static inline void
says(const char *expected, const char *body)
{
    pos_script_result_t r = apply("", body);
    pos_str_t           m = pos_str("");

    if (r.effect_count) {
        m = r.effects[0].message;
    }
    ok(!r.failed && pos_str_eq(m, pos_str_z(expected)), "%s -> %s", body, expected);
    if (r.failed || !pos_str_eq(m, pos_str_z(expected))) {
        printf("# %.*s | %s %.*s\n", (int) m.len, m.data ? m.data : "", r.failure ? r.failure : "",
            (int) r.failure_text.len, r.failure_text.data ? r.failure_text.data : "");
    }
}

/* One that ends by that failure, with `text` (NULL: any) in what is said of it. */
static inline void
fails(const char *failure, const char *text, const char *body)
{
    pos_script_result_t r = apply("", body);
    bool                good = r.failed && strcmp(r.failure, failure) == 0
                && (text == NULL || (r.failure_text.data && strstr(r.failure_text.data, text)));

    ok(good, "%s: %.120s", failure, body);
    if (!good) {
        printf("# %s %.*s\n", r.failed ? r.failure : "it went through",
            (int) r.failure_text.len, r.failure_text.data ? r.failure_text.data : "");
    }
}

/* ---- a program of tests ---- */

static inline void
script_begin(void)
{
    pos_script_limits_t limits;

    setvbuf(stdout, NULL, _IOLBF, 0);    /* what was, is seen if it dies */
    arena = pos_arena_create(1u << 16, 0);
    pos_script_limits_default(&limits);
    if (arena == NULL || pos_script_vm_create(&limits, &vm) != POS_OK) {
        printf("Bail out! no VM\n");
        exit(1);
    }
    make_cart();
}

static inline int
script_done(void)
{
    (void) apply("", NULL);
    ok(pos_script_running(vm).len == 0, "nothing runs outside of a call");
    pos_script_vm_destroy(vm);
    pos_arena_destroy(arena);
    return tap_done();
}

#endif
