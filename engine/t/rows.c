/*
 * A book from rows as a replica holds them, which nobody has checked together: what is
 * at fault is left out and told, what it would have been for goes on without it, and
 * only a retailer that cannot be read stops all.
 */

#define _GNU_SOURCE    /* memmem */

#include "engine/t/shop.h"
#include "engine/book_data.h"

typedef struct {
    pos_kind_t   kind;
    const char  *key, *value;
    pos_status_t status;    /* in place of the row                           */
} row_t;

#define MOST  40

typedef struct {
    row_t rows[MOST];
} rows_t;

static pos_status_t
next_row(void *ctx, pos_kind_t kind, const pos_str_t *after, pos_str_t *key, pos_str_t *value)
{
    const row_t *best = NULL;

    for (const row_t *r = ((rows_t *) ctx)->rows; r->key; r++) {
        if (r->kind == kind && (after == NULL || pos_str_cmp(pos_str_z(r->key), *after) > 0)
            && (best == NULL || strcmp(r->key, best->key) < 0))
        {
            best = r;
        }
    }
    if (best == NULL) {
        return POS_NOT_FOUND;
    }
    *key = pos_str_z(best->key);
    *value = pos_str_z(best->value);
    return best->status;
}

static pos_book_t *
build(rows_t *rows, const pos_book_t *previous, pos_script_vm_t *vm)
{
    pos_book_source_t source = { .ctx = rows, .next = next_row };
    pos_status_t      status;

    return shop_build(&source, previous, vm, 3, &status);
}

/* Each report as "kind key: message", in any order. */
static bool
reported(const pos_book_t *book, pos_kind_t kind, const char *key, const char *message)
{
    for (const pos_book_report_t *r = pos_book_reports(book); r; r = r->next) {
        if (r->kind == kind && pos_str_eq(r->key, pos_str_z(key)) && r->message.len >= strlen(message)
            && memmem(r->message.data, r->message.len, message, strlen(message)) != NULL)
        {
            return true;
        }
    }
    for (const pos_book_report_t *r = pos_book_reports(book); r; r = r->next) {
        printf("# %d %.*s: %.*s\n", r->kind, (int) r->key.len, r->key.data, (int) r->message.len, r->message.data);
    }
    return false;
}

static size_t
reports(const pos_book_t *book)
{
    size_t n = 0;

    for (const pos_book_report_t *r = pos_book_reports(book); r; r = r->next) {
        n++;
    }
    return n;
}

#define RETAILER  { POS_KIND_RETAILER, "", "{\"code\":\"r\",\"currency\":\"GBP\"}", POS_OK }

static void
test_faults(shop_t *s)
{
    rows_t rows = { {
        { POS_KIND_RETAILER, "", "{\"code\":\"r\",\"currency\":\"GBP\",\"timezone\":\"Mars/Phobos\"}", POS_OK },
        { POS_KIND_ZONE, "Mars/Deimos", "no TZif", POS_OK },
        { POS_KIND_STORE, "good", "{\"code\":\"good\",\"tax_region\":\"GB\"}", POS_OK },
        { POS_KIND_STORE, "lost", "{\"code\":\"lost\",\"timezone\":\"Mars/Phobos\"}", POS_OK },
        { POS_KIND_STORE, "torn", "{\"code\":\"torn\",", POS_OK },
        { POS_KIND_STORE, "type", "{\"code\":5}", POS_OK },
        { POS_KIND_CATEGORY, "a", "{\"code\":\"a\",\"parent\":\"b\"}", POS_OK },
        { POS_KIND_CATEGORY, "b", "{\"code\":\"b\",\"parent\":\"a\"}", POS_OK },
        { POS_KIND_CATEGORY, "c", "{\"code\":\"c\",\"parent\":\"a\"}", POS_OK },
        { POS_KIND_CATEGORY, "d", "{\"code\":\"d\",\"parent\":\"gone\"}", POS_OK },
        { POS_KIND_CATEGORY, "e", "[]", POS_OK },
        { POS_KIND_CATEGORY, "f", "{\"code\":\"\"}", POS_OK },
        { POS_KIND_PRICE_LIST, "l", "{\"code\":\"l\",\"currency\":\"GBP\",\"tax_included\":true}", POS_OK },
        { POS_KIND_PRICE_LIST, "m", "{\"code\":\"m\",\"currency\":\"XYZ\"}", POS_OK },
        { POS_KIND_PRICE_LIST, "n", "5", POS_OK },
        { POS_KIND_TAX, "t", "{\"region\":\"GB\",\"category\":\"standard\",\"code\":\"vat\",\"percent\":-1}", POS_OK },
        { POS_KIND_TAX, "u", "{", POS_OK },
        { POS_KIND_EXPERIMENT, "x", "{\"code\":\"x\",\"arms\":[]}", POS_OK },
        { POS_KIND_EXPERIMENT, "y", "null", POS_OK },
        { POS_KIND_PROMOTION, "p", "{\"id\":\"p\",\"class\":\"line\",\"then\":[{\"percent_off\":200}]}", POS_OK },
        { POS_KIND_PROMOTION, "q", "{\"id\":\"q\",\"class\":\"order\",\"then\":[{\"amount_off\":1}]}", POS_OK },
        { POS_KIND_PROMOTION, "r", "{\"id\":", POS_OK },
        { POS_KIND_PROMOTION, "s", "{\"id\":\"s\",\"script\":\"return promotion { id = 's', class = 'order',\\n effects = { { amount_of = 1 } } }\"}", POS_OK },
    } };
    pos_book_t *book = build(&rows, NULL, s->vm), *next;

    if (!ok(book != NULL, "a book whose rows are nearly all at fault")) {
        return;
    }
    ok(reported(book, POS_KIND_RETAILER, "", "its zone is not here"), "the retailer's zone is not there");
    ok(book->zone == pos_zone_utc(), "it goes by UTC");
    ok(reported(book, POS_KIND_ZONE, "Mars/Deimos", "no sound TZif"), "a zone that is none");
    ok(reported(book, POS_KIND_STORE, "lost", "the retailer's is used"), "a store's zone is not there");
    ok(((const pos_store_t *) pos_map_get(&book->stores, pos_str("lost")))->zone == book->zone, "it has the retailer's");
    ok(reported(book, POS_KIND_STORE, "torn", ""), "a store's row cut off");
    ok(reported(book, POS_KIND_STORE, "type", "/code"), "a store whose code is a number, with its place");
    is_int(book->stores.count, 2, "two stores of four are there");
    ok(reported(book, POS_KIND_CATEGORY, "a", "circle") || reported(book, POS_KIND_CATEGORY, "b", "circle"), "categories in a circle");
    ok(reported(book, POS_KIND_CATEGORY, "d", "no such category"), "a category's parent is not there");
    ok(reported(book, POS_KIND_CATEGORY, "e", "") && reported(book, POS_KIND_CATEGORY, "f", ""), "categories that are none");
    is_int(book->categories.count, 4, "four categories of six are there");
    ok(reported(book, POS_KIND_PRICE_LIST, "m", "ISO 4217") && reported(book, POS_KIND_PRICE_LIST, "n", ""), "price lists");
    is_int(book->list_count, 1, "one list of three is there");
    ok(reported(book, POS_KIND_TAX, "t", "/percent") && reported(book, POS_KIND_TAX, "u", ""), "taxes");
    ok(reported(book, POS_KIND_EXPERIMENT, "x", "") && reported(book, POS_KIND_EXPERIMENT, "y", ""), "experiments");
    ok(reported(book, POS_KIND_PROMOTION, "p", "percent_off") && reported(book, POS_KIND_PROMOTION, "r", ""), "promotions");
    ok(reported(book, POS_KIND_PROMOTION, "s", "line 2"), "a script, with its line");
    is_int(pos_book_promotions(book), 1, "one promotion of four is live");

    next = build(&rows, book, s->vm);
    ok(next != NULL && reports(next) == reports(book), "built out of itself it says the same");
    is_int(next ? pos_book_promotions(next) : 0, 1, "and has the same");

    /* A row that becomes wrong keeps the version before it. */
    rows.rows[20].value = "{\"id\":\"q\",\"class\":\"order\",\"then\":[{\"amount_off\":-1}]}";
    pos_book_release(next);
    next = build(&rows, book, s->vm);
    ok(next != NULL && reported(next, POS_KIND_PROMOTION, "q", "amount_off"), "a promotion whose next version is wrong is told");
    is_int(next ? pos_book_promotions(next) : 0, 1, "and goes on as it was");
    pos_book_retain(book);
    pos_book_release(book);
    ok(!pos_book_release_some(next, 0), "a book is given back in slices");
    ok(pos_book_release_some(next, 100), "until it is gone");
    ok(pos_book_release_some(NULL, 1), "of no book it is done");
    pos_book_retain(book);
    ok(pos_book_release_some(book, 1), "who is not the last gives back at once");
    is_int(pos_book_promotions(book), 1, "and the book stays");
    pos_book_release(book);
}

static void
test_stops(shop_t *s)
{
    static char longest[2000];
    rows_t      none = { { { POS_KIND_STORE, "a", "{\"code\":\"a\"}", POS_OK } } };
    rows_t      torn = { { { POS_KIND_RETAILER, "", "{", POS_OK } } };
    rows_t      wrong = { { { POS_KIND_RETAILER, "", "{\"code\":\"r\"}", POS_OK } } };
    rows_t      damaged = { { RETAILER, { POS_KIND_STORE, "a", "", POS_BROKEN } } };
    rows_t      long_key = { { RETAILER, { POS_KIND_STORE, longest, "{\"code\":\"a\"}", POS_OK } } };
    rows_t      sound = { { RETAILER } };
    pos_book_t *book;

    memset(longest, 'k', sizeof(longest) - 1);
    ok(build(&none, NULL, s->vm) == NULL, "without a retailer there is no book");
    ok(build(&torn, NULL, s->vm) == NULL, "nor with one that cannot be read");
    ok(build(&wrong, NULL, s->vm) == NULL, "nor without its currency");
    ok(build(&damaged, NULL, s->vm) == NULL, "a source that is damaged stops all");
    ok(build(&long_key, NULL, s->vm) == NULL, "so does a key longer than any");
    ok((book = build(&sound, NULL, s->vm)) != NULL && reports(book) == 0, "a retailer alone is a book");
    pos_book_release(book);
}

int
main(void)
{
    shop_t s;

    if (!ok(shop_open(&s, NULL), "a VM")) {
        return tap_done();
    }
    test_faults(&s);
    test_stops(&s);
    shop_close(&s);
    return tap_done();
}
