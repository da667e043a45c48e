/* The result of a back-test as JSON: rows by their keys, whatever order they came in. */

#include "posd/backtest_data.h"

#include <stdlib.h>

#define RESULT_MAX     (64 * 1024 * 1024)
#define SHOWN_MOST     100       /* conflicts and failures */


/* ---- rows ---- */

static void
write_money(pos_writer_t *w, const int64_t amount[POS_AMOUNTS])
{
    pos_write_object_begin(w);
    pos_write_key(w, "discount");
    pos_write_int(w, amount[POS_OFF]);
    pos_write_key(w, "paid");
    pos_write_int(w, amount[POS_PAID]);
    pos_write_key(w, "revenue");
    pos_write_int(w, amount[POS_REVENUE]);
    pos_write_key(w, "margin");
    pos_write_int(w, amount[POS_MARGIN]);
    pos_write_object_end(w);
}


void
pos_figures_write(pos_writer_t *w, const pos_figures_t *f)
{
    int64_t  revenue = f->amount[POS_WITHOUT][POS_REVENUE];
    __int128 share = revenue > 0 ? (__int128) f->costed * 10000 / revenue : 0;

    pos_write_key(w, "without");
    write_money(w, f->amount[POS_WITHOUT]);
    pos_write_key(w, "with");
    write_money(w, f->amount[POS_WITH]);
    pos_write_key(w, "actual");
    write_money(w, f->amount[POS_ACTUAL]);
    pos_write_key(w, "known_cost_percent");
    if (revenue > 0) {
        pos_write_decimal(w, (int64_t) share, 2);
    } else {
        pos_write_null(w);
    }
}


/* By key, none first and the others last; then by currency. */
static int
compare_groups(const void *a, const void *b)
{
    const pos_group_t *x = *(const pos_group_t *const *) a, *y = *(const pos_group_t *const *) b;
    int                c = (int) x->others - (int) y->others;

    c = c != 0 ? c : (x->key.data != NULL) - (y->key.data != NULL);
    c = c != 0 || x->key.data == NULL ? c : pos_str_cmp(x->key, y->key);
    return c != 0 ? c : pos_str_cmp(x->currency, y->currency);
}


static void
write_group(pos_writer_t *w, const pos_group_t *row, const char *name)
{
    pos_write_object_begin(w);
    if (name != NULL) {
        pos_write_key_str(w, pos_str_z(name));
        if (row->key.data != NULL) {
            pos_write_string(w, row->key);
        } else {
            pos_write_null(w);
        }
    }
    if (row->others) {
        pos_write_key(w, "others");
        pos_write_bool(w, true);
    }
    pos_write_key(w, "currency");
    pos_write_string(w, row->currency);
    pos_write_key(w, "orders");
    pos_write_int(w, row->orders);
    pos_write_key(w, "touched");
    pos_write_int(w, row->touched);
    pos_figures_write(w, &row->figures);
    pos_write_object_end(w);
}


/* `member` is the result's, `name` the row's own (NULL: it has none). */
static void
write_groups(pos_writer_t *w, const pos_groups_t *groups, const char *member, const char *name, pos_arena_t *arena)
{
    const pos_group_t **rows = pos_arena_alloc(arena, ((size_t) groups->count + 1) * sizeof(*rows));
    uint32_t            n = 0;

    if (rows == NULL) {
        w->status = POS_NO_MEMORY;
        return;
    }
    for (const pos_group_t *row = groups->first; row != NULL; row = row->next) {
        rows[n++] = row;
    }
    qsort(rows, n, sizeof(*rows), compare_groups);
    pos_write_key_str(w, pos_str_z(member));
    pos_write_array_begin(w);
    for (uint32_t i = 0; i < n; i++) {
        write_group(w, rows[i], name);
    }
    pos_write_array_end(w);
}


/* ---- counts ---- */

/* What was lost first, then most orders, then by name. */
static int
compare_counts(const void *a, const void *b)
{
    const pos_count_t *x = *(const pos_count_t *const *) a, *y = *(const pos_count_t *const *) b;
    __int128           lost = ((__int128) y->without - y->with) - ((__int128) x->without - x->with);

    if (lost != 0) {
        return lost < 0 ? -1 : 1;
    }
    if (x->orders != y->orders) {
        return x->orders > y->orders ? -1 : 1;
    }
    return pos_str_cmp(x->key, y->key);
}


static const pos_count_t **
sorted_counts(const pos_counts_t *counts, pos_arena_t *arena)
{
    const pos_count_t **rows = pos_arena_alloc(arena, ((size_t) counts->count + 1) * sizeof(*rows));
    uint32_t            n = 0;

    for (const pos_count_t *row = counts->first; rows != NULL && row != NULL; row = row->next) {
        rows[n++] = row;
    }
    if (rows != NULL) {
        qsort(rows, n, sizeof(*rows), compare_counts);
    }
    return rows;
}


static pos_str_t
name_of(const pos_count_t *row, bool second)
{
    size_t a = strnlen(row->key.data, row->key.len);

    return second ? pos_str_of(row->key.data + a + 1, row->key.len - a - 1) : pos_str_of(row->key.data, a);
}


static void
write_reason(pos_writer_t *w, const pos_count_t *row)
{
    pos_str_t name = name_of(row, true);

    pos_write_key(w, "code");
    pos_write_string(w, name_of(row, false));
    pos_write_key(w, "name");
    if (name.len > 0) {
        pos_write_string(w, name);
    } else {
        pos_write_null(w);
    }
    pos_write_key(w, "orders");
    pos_write_int(w, row->orders);
    pos_write_key(w, "first");
    pos_write_string(w, row->first);
}


static void
write_conflict(pos_writer_t *w, const pos_count_t *row)
{
    pos_write_key(w, "promotion");
    pos_write_string(w, name_of(row, false));
    pos_write_key(w, "currency");
    pos_write_string(w, name_of(row, true));
    pos_write_key(w, "orders");
    pos_write_int(w, row->orders);
    pos_write_key(w, "without");
    pos_write_int(w, row->without);
    pos_write_key(w, "with");
    pos_write_int(w, row->with);
}


static void
write_failure(pos_writer_t *w, const pos_count_t *row)
{
    pos_write_key(w, "promotion");
    pos_write_string(w, name_of(row, false));
    pos_write_key(w, "orders");
    pos_write_int(w, row->orders);
    pos_write_key(w, "first");
    pos_write_string(w, row->first);
    pos_write_key(w, "message");
    pos_write_string(w, row->message);
}


static void
write_counts(pos_writer_t *w, const pos_counts_t *counts, const char *member,
    void (*write)(pos_writer_t *w, const pos_count_t *row), pos_arena_t *arena)
{
    const pos_count_t **rows = sorted_counts(counts, arena);

    if (rows == NULL) {
        w->status = POS_NO_MEMORY;
        return;
    }
    pos_write_key_str(w, pos_str_z(member));
    pos_write_array_begin(w);
    for (uint32_t i = 0; i < counts->count && i < SHOWN_MOST; i++) {
        pos_write_object_begin(w);
        write(w, rows[i]);
        pos_write_object_end(w);
    }
    pos_write_array_end(w);
}


/* ---- carts ---- */

static int
compare_times(const void *a, const void *b)
{
    const pos_shown_t *x = a, *y = b;

    return x->seq < y->seq ? -1 : x->seq > y->seq;
}


static void
write_carts(pos_writer_t *w, const pos_carts_t *carts, const char *member)
{
    pos_shown_t list[POS_BACKTEST_SAMPLE];

    memcpy(list, carts->list, carts->count * sizeof(*list));
    if (carts->kind == POS_CARTS_SAMPLE) {
        qsort(list, carts->count, sizeof(*list), compare_times);
    }
    pos_write_key_str(w, pos_str_z(member));
    pos_write_array_begin(w);
    for (uint32_t i = 0; i < carts->count; i++) {
        pos_write_raw(w, list[i].text);
    }
    pos_write_array_end(w);
}


/* ---- all ---- */

static void
write_orders(pos_writer_t *w, const pos_tally_t *t)
{
    pos_write_key(w, "orders");
    pos_write_object_begin(w);
    pos_write_key(w, "read");
    pos_write_int(w, t->read);
    pos_write_key(w, "priced");
    pos_write_int(w, t->priced);
    pos_write_key(w, "touched");
    pos_write_int(w, t->touched);
    pos_write_key(w, "applied");
    pos_write_int(w, t->applied);
    pos_write_key(w, "refused");
    pos_write_int(w, t->refused);
    pos_write_key(w, "not_proved");
    pos_write_int(w, t->not_proved);
    pos_write_object_end(w);
}


pos_str_t
pos_backtest_result(const pos_backtest_t *b, pos_arena_t *arena)
{
    const pos_tally_t *t = &b->all;
    pos_writer_t       w;

    pos_writer_init(&w, arena, 65536, RESULT_MAX);
    pos_write_object_begin(&w);
    pos_write_key(&w, "revision");
    pos_write_string(&w, pos_str_z(b->task.revision));
    pos_write_key(&w, "books");
    pos_write_int(&w, b->used);
    write_orders(&w, t);
    write_counts(&w, &t->reasons, "refused", write_reason, arena);
    pos_write_key(&w, "refused_otherwise");
    pos_write_int(&w, t->refused_otherwise);
    write_groups(&w, &t->totals, "totals", NULL, arena);
    write_groups(&w, &t->days, "by_day", "day", arena);
    write_groups(&w, &t->stores, "by_store", "store", arena);
    write_groups(&w, &t->categories, "by_category", "category", arena);
    write_groups(&w, &t->customer_groups, "by_customer_group", "customer_group", arena);
    write_counts(&w, &t->conflicts, "conflicts", write_conflict, arena);
    write_counts(&w, &t->failures, "script_failures", write_failure, arena);
    write_carts(&w, &t->carts[POS_CARTS_DEEPEST], "deepest_discounts");
    write_carts(&w, &t->carts[POS_CARTS_LOWEST], "lowest_margins");
    write_carts(&w, &t->carts[POS_CARTS_SAMPLE], "sample");
    pos_write_object_end(&w);
    pos_write_bytes(&w, pos_str_of("", 1));
    return w.status == POS_OK ? pos_writer_result(&w) : (pos_str_t) { NULL, 0 };
}
