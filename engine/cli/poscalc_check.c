/*
 * --check: a book that is sound, and what its author may not have meant. No fault,
 * since books come in any order and promotions before their coupons: names that are
 * not there, and promotions that no cart can ever get.
 */

#include "engine/cli/poscalc.h"

#include <stdio.h>

#include "base/json_write.h"
#include "engine/decode.h"
#include "engine/references.h"

#define BOOK_MAX  (UINT32_MAX - 64)

typedef struct {
    const pos_calc_t *calc;
    const pos_json_t *document;
    pos_arena_t      *arena;
    pos_faults_t      found;
    pos_decoder_t     d;
} check_t;

static bool
names(const pos_json_t *list, pos_str_t name)
{
    for (const pos_json_t *e = list ? list->first : NULL; e != NULL; e = e->next) {
        if (pos_str_eq(e->text, name)) {
            return true;
        }
    }
    return false;
}

/* One that asks for a coupon, which no coupon opens. */
static void
check_coupon(check_t *c, const pos_at_t *up, const pos_json_t *promotion)
{
    const pos_json_t *asks = pos_member(promotion, "coupon"), *id = pos_member(promotion, "id");
    const pos_json_t *coupons = pos_member(c->document, "coupons");
    pos_at_t          at = pos_at_key(up, "coupon");

    if (asks == NULL || asks->type != POS_JSON_TRUE || id == NULL) {
        return;
    }
    for (const pos_json_t *e = coupons ? coupons->first : NULL; e != NULL; e = e->next) {
        if (names(pos_member(e, "promotions"), id->text)) {
            return;
        }
    }
    pos_decode_fault(&c->d, &at, "never_applied", "it asks for a coupon, and no coupon is for it");
}

/* One for an arm of an experiment that nobody is put in. */
static void
check_arm(check_t *c, const pos_at_t *up, const pos_json_t *promotion)
{
    const pos_json_t *of = pos_member(promotion, "experiment"), *list = pos_member(c->document, "experiments");
    const pos_json_t *code = of ? pos_member(of, "code") : NULL, *arm = of ? pos_member(of, "arm") : NULL;
    pos_at_t          experiment = pos_at_key(up, "experiment"), at = pos_at_key(&experiment, "arm");

    for (const pos_json_t *e = list && code && arm ? list->first : NULL; e != NULL; e = e->next) {
        const pos_json_t *arms = pos_member(e, "arms"), *its = pos_member(e, "code");

        for (const pos_json_t *a = arms && its && pos_str_eq(its->text, code->text) ? arms->first : NULL; a != NULL; a = a->next) {
            const pos_json_t *name = pos_member(a, "code"), *weight = pos_member(a, "weight");
            int64_t           n = 1;

            if (name && pos_str_eq(name->text, arm->text) && weight && pos_json_decimal(weight, 0, &n) && n == 0) {
                pos_decode_fault(&c->d, &at, "never_applied", "this arm weighs nothing: nobody is in it");
            }
        }
    }
}

/* Of what an order has one only: two lists that have none in common. */
static bool
are_apart(const pos_json_t *a, const pos_json_t *b)
{
    if (a->type != POS_JSON_ARRAY || b->type != POS_JSON_ARRAY || a->count == 0 || b->count == 0) {
        return false;
    }
    for (const pos_json_t *e = a->first; e != NULL; e = e->next) {
        if (names(b, e->text)) {
            return false;
        }
    }
    return true;
}

static void
check_when(check_t *c, const pos_at_t *up, const pos_json_t *promotion)
{
    static const char *const one_only[] = { "store", "channel", "fulfilment" };
    const pos_json_t        *when = pos_member(promotion, "when"), *all = when ? pos_member(when, "all") : NULL;
    pos_at_t                 when_at = pos_at_key(up, "when"), all_at = pos_at_key(&when_at, "all");
    size_t                   i = 0;

    for (const pos_json_t *e = all ? all->first : NULL; e != NULL; e = e->next, i++) {
        pos_at_t at = pos_at_index(&all_at, i);
        bool     told = false;

        for (const pos_json_t *before = all->first; before != e && !told; before = before->next) {
            for (size_t k = 0; k < sizeof(one_only) / sizeof(*one_only) && !told; k++) {
                const pos_json_t *a = pos_member(before, one_only[k]), *b = pos_member(e, one_only[k]);

                told = a && b && are_apart(a, b);
            }
        }
        if (told) {
            pos_decode_fault(&c->d, &at, "never_applied", "cannot hold beside a condition before it");
        }
    }
}

static void
check_promotions(check_t *c)
{
    const pos_json_t *list = pos_member(c->document, "promotions");
    pos_at_t          root = pos_at_base(pos_str("")), promotions = pos_at_key(&root, "promotions");
    size_t            i = 0;

    for (const pos_json_t *e = list ? list->first : NULL; e != NULL; e = e->next, i++) {
        pos_at_t at = pos_at_index(&promotions, i);
        uint32_t left = POS_REFERENCES_MAX;

        if (pos_references_check(e, pos_at_pointer(&at, c->arena), c->calc->book, &c->calc->source, &left, &c->found) != POS_OK) {
            pos_calc_die(1, "out of memory", "");
        }
        check_coupon(c, &at, e);
        check_arm(c, &at, e);
        check_when(c, &at, e);
    }
}

static void
print_answer(check_t *c)
{
    pos_writer_t out;
    pos_str_t    text;

    pos_writer_init(&out, c->arena, 4096, SIZE_MAX / 2);
    pos_write_object_begin(&out);
    pos_write_key(&out, "revision");
    pos_write_string(&out, pos_memory_book_revision(c->calc->memory));
    pos_write_key(&out, "promotions");
    pos_write_int(&out, (int64_t) pos_book_promotions(c->calc->book));
    pos_write_key(&out, "warnings");
    pos_write_array_begin(&out);
    for (const pos_fault_t *f = c->found.first; f != NULL; f = f->next) {
        pos_write_object_begin(&out);
        pos_write_key(&out, "pointer");
        pos_write_string(&out, f->pointer);
        pos_write_key(&out, "code");
        pos_write_string(&out, pos_str_z(f->code));
        pos_write_key(&out, "message");
        pos_write_string(&out, f->message);
        pos_write_object_end(&out);
    }
    pos_write_array_end(&out);
    pos_write_object_end(&out);
    text = pos_writer_result(&out);
    if (text.data == NULL) {
        pos_calc_die(1, "out of memory", "");
    }
    printf("%.*s\n", (int) text.len, text.data);
}

void
pos_calc_check(pos_calc_t *calc, pos_str_t text)
{
    check_t            c = { .calc = calc, .arena = pos_arena_create(1 << 16, 0) };
    pos_json_reader_t *reader = pos_json_reader_create(BOOK_MAX);
    pos_json_t        *document;

    if (c.arena == NULL || reader == NULL) {
        pos_calc_die(1, "out of memory", "");
    }
    pos_faults_init(&c.found, c.arena);
    c.found.max = UINT32_MAX;
    pos_decoder_init(&c.d, c.arena, &c.found, NULL);
    if (pos_json_read(reader, text, c.arena, &c.found, &document) != POS_OK) {
        pos_calc_die(1, "cannot read the book again", "");
    }
    c.document = document;
    check_promotions(&c);
    if (c.found.lost || c.d.no_memory) {
        pos_calc_die(1, "out of memory", "");
    }
    print_answer(&c);
    pos_json_reader_destroy(reader);
    pos_arena_destroy(c.arena);
}
