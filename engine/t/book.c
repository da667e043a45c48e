/*
 * Building books: what is taken over, what keeps its predecessor, what is
 * reported; in slices; and without leaks when memory runs out.
 */

#include "base/t/tap.h"
#include "base/json_write.h"
#include "engine/cart.h"
#include "engine/script.h"


typedef struct {
    pos_arena_t       *arena;
    pos_memory_book_t *memory;
    pos_book_source_t  source;
} shop_t;

#define HEAD  "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\"}," \
              "\"experiments\":[{\"code\":\"e\",\"arms\":[{\"code\":\"a\"},{\"code\":\"b\",\"weight\":3}]}]," \
              "\"promotions\":["


static pos_status_t
open_shop(shop_t *s, pos_str_t text)
{
    pos_json_reader_t *reader = pos_json_reader_create(64u << 20);
    pos_faults_t       faults;
    pos_json_t        *json = NULL;
    pos_status_t       status;

    s->arena = pos_arena_create(65536, 0);
    s->memory = NULL;
    pos_faults_init(&faults, s->arena);
    status = pos_json_read(reader, text, s->arena, &faults, &json);
    if (status == POS_OK) {
        status = pos_memory_book_create(json, NULL, NULL, &faults, &s->memory);
    }
    if (status == POS_OK) {
        pos_memory_book_source(s->memory, &s->source);
    }
    pos_json_reader_destroy(reader);
    return status;
}


static void
close_shop(shop_t *s)
{
    pos_memory_book_destroy(s->memory);
    pos_arena_destroy(s->arena);
}


static double
ms(void)
{
    return (double) tap_cpu_ns() / 1e6;
}


/* The longest slice, in ms of processor time, goes to `worst`. */
static pos_book_t *
build(const pos_book_source_t *source, const pos_book_t *before, pos_script_vm_t *vm,
    double *worst)
{
    pos_book_builder_t *b = NULL;
    pos_book_t         *book = NULL;
    pos_status_t        status = pos_book_builder_create(source, before, vm, &b);

    *worst = 0;
    while (status == POS_OK && book == NULL) {
        double start = ms();

        status = pos_book_builder_step(b, 20, &book);
        status = status == POS_AGAIN ? POS_OK : status;
        if (ms() - start > *worst) {
            *worst = ms() - start;
        }
    }
    pos_book_builder_destroy(b);
    return book;
}


static pos_promotion_t *
promotion_of(const pos_book_t *book, const char *id)
{
    uint32_t at;

    return pos_book_find(book, pos_str_z(id), &at) ? book->promotions[at] : NULL;
}


/* A memory book refuses a script that does not compile; what replicas hold may have one. */
static pos_status_t
next_broken(void *ctx, pos_kind_t kind, const pos_str_t *after, pos_str_t *key, pos_str_t *value)
{
    const pos_book_source_t *real = ctx;
    pos_status_t             status = real->next(real->ctx, kind, after, key, value);

    if (status == POS_OK && kind == POS_KIND_PROMOTION && pos_str_eq(*key, pos_str("lua"))) {
        *value = pos_str(
            "{\"id\":\"lua\",\"script\":\"return promotion { id = 'lua', class = 'order' \"}");
    }
    return status;
}


static void
test_take_over(void)
{
    pos_book_source_t broken = { .next = next_broken };
    shop_t           first, second;
    pos_script_vm_t *vm;
    pos_book_t      *a, *b;
    double           worst;
    pos_script_limits_t limits;
    const pos_book_report_t *r;

    pos_script_limits_default(&limits);
    ok(pos_script_vm_create(&limits, &vm) == POS_OK, "a VM");
    is_int(open_shop(&first, pos_str(HEAD
        "{\"id\":\"same\",\"class\":\"order\",\"priority\":1,\"then\":[{\"amount_off\":1}]},"
        "{\"id\":\"new\",\"class\":\"order\",\"then\":[{\"amount_off\":1}]},"
        "{\"id\":\"lua\",\"script\":\"return promotion { id = 'lua', class = 'order', effects = { { amount_off = 1 } } }\"}"
        "]}")), POS_OK, "the first book");
    a = build(&first.source, NULL, vm, &worst);
    ok(a != NULL && pos_book_reports(a) == NULL, "it is built without reports");
    is_int(pos_book_promotions(a), 3, "with three promotions");
    is_str(a->promotions[0]->id, "same", "by priority first");
    is_str(a->promotions[1]->id, "lua", "then by id");

    is_int(open_shop(&second, pos_str(HEAD
        "{\"id\":\"same\",\"class\":\"order\",\"priority\":1,\"then\":[{\"amount_off\":1}]},"
        "{\"id\":\"new\",\"class\":\"order\",\"then\":[{\"amount_off\":2}]},"
        "{\"id\":\"lua\",\"script\":\"return promotion { id = 'lua', class = 'order', effects = { { amount_off = 2 } } }\"}"
        "]}")), POS_OK, "the next book, its script broken on its way");
    broken.ctx = &second.source;
    b = build(&broken, a, vm, &worst);
    ok(b != NULL, "is built");
    ok(promotion_of(b, "same") == promotion_of(a, "same"), "what did not change is taken over");
    ok(promotion_of(b, "new") != promotion_of(a, "new"), "what changed is compiled");
    is_int(promotion_of(b, "new")->effects[0].value, 2, "to its new value");
    ok(promotion_of(b, "lua") == promotion_of(a, "lua"), "a broken version keeps the one before");
    r = pos_book_reports(b);
    ok(r != NULL && r->kind == POS_KIND_PROMOTION && r->kept_before, "and is reported as kept");
    is_str(r ? r->key : pos_str(""), "lua", "by its id");
    ok(r != NULL && r->message.len > 5 && memcmp(r->message.data, "line ", 5) == 0,
        "with the line of the fault");
    pos_book_release(a);
    is_int(promotion_of(b, "same")->refs, 1, "the old book gone, the new one holds its own");
    pos_book_release(b);
    b = build(&broken, NULL, vm, &worst);
    ok(b != NULL && promotion_of(b, "lua") == NULL && !pos_book_reports(b)->kept_before,
        "without a predecessor it is left out");
    pos_book_release(b);
    close_shop(&first);
    close_shop(&second);
    pos_script_vm_destroy(vm);
}


static pos_str_t
many(pos_arena_t *arena, uint32_t count)
{
    pos_writer_t w;

    pos_writer_init(&w, arena, 1 << 20, 1 << 28);
    pos_write_bytes(&w, pos_str(HEAD));
    for (uint32_t i = 0; i < count; i++) {
        char text[400];
        int  n = snprintf(text, sizeof(text), "%s{\"id\":\"p%06u\",\"name\":\"Promotion %u\","
            "\"class\":\"line\",\"priority\":%u,\"when\":{\"all\":[{\"store\":[\"s\"]},"
            "{\"subtotal\":{\"min\":%u}}]},\"then\":[{\"percent_off\":%u.5,\"items\":"
            "{\"category\":[\"c%u\"]}}]}", i ? "," : "", i, i, i % 5, i * 10, i % 90, i % 700);

        pos_write_bytes(&w, pos_str_of(text, (size_t) n));
    }
    pos_write_bytes(&w, pos_str("]}"));
    return pos_writer_result(&w);
}


static void
test_slices(void)
{
    pos_arena_t *arena = pos_arena_create(65536, 0);
    shop_t       s;
    pos_book_t  *a, *b;
    double       worst, start;

    is_int(open_shop(&s, many(arena, 10000)), POS_OK, "ten thousand promotions");
    start = ms();
    a = build(&s.source, NULL, NULL, &worst);
    printf("# compiled in %.1f ms, longest slice %.2f ms\n", ms() - start, worst);
    is_int(pos_book_promotions(a), 10000, "are compiled");
    start = ms();
    b = build(&s.source, a, NULL, &worst);
    printf("# taken over in %.1f ms, longest slice %.2f ms\n", ms() - start, worst);
    ok(b->promotions[7777] == a->promotions[7777], "and taken over");
    ok(worst < 20, "no slice holds a worker up");
    pos_book_release(a);
    pos_book_release(b);
    close_shop(&s);
    pos_arena_destroy(arena);
}


/* Every allocation of arenas fails once: an error, never a crash or a leak. */
static void
test_torture(void)
{
    pos_arena_t *arena = pos_arena_create(65536, 0);
    shop_t       s;
    uint32_t     failed = 0, nth = 0;
    bool         done = false;

    is_int(open_shop(&s, many(arena, 50)), POS_OK, "fifty promotions");
    while (!done && nth < 1000) {
        pos_book_t *book;
        double      worst;

        pos_arena_fail_nth(++nth);
        book = build(&s.source, NULL, NULL, &worst);
        pos_arena_fail_nth(0);
        done = book != NULL && pos_book_promotions(book) == 50 && pos_book_reports(book) == NULL;
        failed += !done;
        pos_book_release(book);
    }
    ok(done && failed > 0, "built in the end, after failing at each of %u allocations", failed);
    close_shop(&s);
    pos_arena_destroy(arena);
}


static void
test_experiment(void)
{
    shop_t          s;
    double          worst;
    pos_book_t     *book;
    uint32_t        in_a = 0, in_b = 0, by_session = 0;
    bool            by_customer;

    is_int(open_shop(&s, pos_str(HEAD "]}")), POS_OK, "an experiment of 1 : 3");
    book = build(&s.source, NULL, NULL, &worst);
    for (uint32_t i = 0; i < 10000; i++) {
        char       id[20];
        int        n = snprintf(id, sizeof(id), "cus_%u", i);
        pos_cart_t cart = { .book = book, .customer_known = true,
            .customer_id = pos_str_of(id, (size_t) n), .session = pos_str("s") };
        const pos_arm_t *arm = pos_experiment_arm(pos_map_get(&book->experiments, pos_str("e")), &cart, &by_customer);

        in_a += pos_str_eq(arm->code, pos_str("a"));
        in_b += pos_str_eq(arm->code, pos_str("b"));
        by_session += !by_customer;
    }
    is_int(in_a + in_b, 10000, "each customer is in exactly one arm");
    is_int(by_session, 0, "by the customer");
    /* chi-square of one degree of freedom: 6.63 is exceeded once in a hundred */
    ok((in_a - 2500.0) * (in_a - 2500.0) * 4 / 7500 < 6.63, "a quarter of them in the first: %u", in_a);
    pos_book_release(book);
    close_shop(&s);
}


int
main(void)
{
    test_take_over();
    test_slices();
    test_torture();
    test_experiment();
    return tap_done();
}
