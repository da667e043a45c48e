/* A worker's books: one without the promotion and one with the version, over a snapshot of its own. */

#include "posd/backtest_data.h"

#include <stdio.h>

#include "posd/watch.h"

#define BOOK_ROWS  1000


/* ---- products ---- */

/* The same word for all who have it, so that it is in the cache when it is compared. */
static bool
share_word(pos_backtest_worker_t *w, pos_str_t *word)
{
    const pos_str_t *shared = pos_map_get(&w->words, *word);
    pos_str_t       *own;

    if (shared == NULL) {
        own = pos_arena_alloc(w->kept, sizeof(*own));
        if (own == NULL || pos_map_set(&w->words, *word, own, NULL) != POS_OK) {
            return false;
        }
        *own = *word;
        shared = own;
    }
    *word = *shared;
    return true;
}


/* A product's own bytes side by side: all that pricing asks of it, most of them within PRODUCT_BYTES. */
typedef struct {
    pos_product_t product;
    pos_price_t   prices[];
} kept_t;

#define PRODUCT_BYTES  (sizeof(kept_t) + sizeof(pos_price_t) + 3 * sizeof(pos_str_t))


/* NULL: no memory. */
static const pos_product_t *
keep_product(pos_backtest_worker_t *w, const pos_product_t *from)
{
    size_t     prices = from->price_count * sizeof(pos_price_t), categories = from->category_count * sizeof(pos_str_t);
    kept_t    *kept = pos_arena_alloc(w->kept, sizeof(*kept) + prices + categories + from->sku.len + 1);
    pos_str_t *codes;
    char      *sku;

    if (kept == NULL) {
        return NULL;
    }
    codes = (pos_str_t *) (void *) ((char *) kept->prices + prices);
    sku = (char *) codes + categories;
    kept->product = *from;
    for (uint32_t i = 0; i < from->price_count; i++) {
        kept->prices[i] = from->prices[i];
        if (!share_word(w, &kept->prices[i].list)) {
            return NULL;
        }
    }
    for (uint32_t i = 0; i < from->category_count; i++) {
        codes[i] = from->categories[i];
        if (!share_word(w, &codes[i])) {
            return NULL;
        }
    }
    memcpy(sku, from->sku.data, from->sku.len);
    kept->product.sku = pos_str_of(sku, from->sku.len);
    kept->product.prices = kept->prices;
    kept->product.categories = codes;
    return &kept->product;
}


/* The snapshot stays as it is, so a product is decoded once, while there is room. */
static pos_status_t
kept_product(void *ctx, pos_str_t sku, pos_arena_t *arena, const pos_product_t **out)
{
    pos_backtest_worker_t *w = ctx;
    const pos_product_t   *p = pos_map_get(&w->products, sku);
    pos_arena_t           *into = pos_arena_used(w->kept) < POS_BACKTEST_KEPT ? w->kept : arena;
    pos_status_t           status;

    if (p != NULL) {
        *out = p;
        return POS_OK;
    }
    status = w->snapshot_source.product(w->snapshot_source.ctx, sku, into, out);
    if (status == POS_OK && into == w->kept) {
        *out = keep_product(w, *out);
        status = *out != NULL ? pos_map_set(&w->products, (*out)->sku, (void *) (uintptr_t) *out, NULL) : POS_NO_MEMORY;
    }
    return status;
}


/* Products are many and met at random: they come from memory side by side instead of one by one. */
static void
kept_expect(void *ctx, const pos_str_t *skus, uint32_t count)
{
    const pos_backtest_worker_t *w = ctx;

    pos_map_expect(&w->products, skus, count, PRODUCT_BYTES);
}


static pos_status_t
kept_coupon(void *ctx, pos_str_t code, pos_arena_t *arena, const pos_coupon_t **out)
{
    const pos_backtest_worker_t *w = ctx;

    return w->snapshot_source.coupon(w->snapshot_source.ctx, code, arena, out);
}


static pos_status_t
kept_next(void *ctx, pos_kind_t kind, const pos_str_t *after, pos_str_t *key, pos_str_t *value)
{
    const pos_backtest_worker_t *w = ctx;

    return w->snapshot_source.next(w->snapshot_source.ctx, kind, after, key, value);
}


static pos_status_t
open_source(pos_backtest_worker_t *w)
{
    if (w->kept == NULL) {
        w->kept = pos_arena_create(POS_WORK_BLOCK, 0);
    } else {
        pos_arena_reset(w->kept);
    }
    if (w->kept == NULL) {
        return POS_NO_MEMORY;
    }
    pos_snapshot_source(w->snapshot, &w->job->head, &w->own, &w->snapshot_source);
    w->source = (pos_book_source_t) { .ctx = w, .product = kept_product, .expect = kept_expect, .coupon = kept_coupon, .next = kept_next };
    return pos_map_init(&w->products, w->kept, 4096) == POS_OK ? pos_map_init(&w->words, w->kept, 256) : POS_NO_MEMORY;
}


/* ---- books ---- */

/* What `previous` has already is not compiled again. */
static pos_status_t
build(pos_backtest_worker_t *w, unsigned which, const pos_book_t *previous, pos_book_t **out)
{
    pos_book_builder_t *builder = NULL;
    pos_status_t        status;

    *out = NULL;
    status = pos_book_builder_create(&w->sources[which], previous, w->vm, &builder);
    while (status == POS_OK && *out == NULL && !pos_stop) {
        status = pos_book_builder_step(builder, BOOK_ROWS, out);
        status = status == POS_AGAIN ? POS_OK : status;
    }
    pos_book_builder_destroy(builder);
    return status == POS_OK && *out == NULL ? POS_AGAIN : status;
}


/* A row at fault keeps what it was before, and which book a worker had before hangs on who priced
 * what: then the book is built of its own rows alone. */
static pos_status_t
build_without(pos_backtest_worker_t *w, const pos_book_t *previous, pos_book_t **out)
{
    pos_status_t status = build(w, POS_WITHOUT, previous, out);
    bool         kept = false;

    for (const pos_book_report_t *r = status == POS_OK ? pos_book_reports(*out) : NULL; r != NULL; r = r->next) {
        kept |= r->kept_before;
    }
    if (!kept) {
        return status;
    }
    pos_book_release(*out);
    return build(w, POS_WITHOUT, NULL, out);
}


void
pos_books_fail(pos_backtest_worker_t *w, pos_status_t status, const char *why)
{
    pthread_mutex_lock(&w->job->lock);
    if (w->job->failed == POS_OK) {
        w->job->failed = status;
        snprintf(w->job->why, sizeof(w->job->why), "%s", why);
    }
    w->job->end = true;
    pthread_cond_broadcast(&w->job->to_merge);
    pthread_cond_broadcast(&w->job->to_work);
    pthread_mutex_unlock(&w->job->lock);
}


/* The version must be in the book that has it. */
static bool
compiled(pos_backtest_worker_t *w)
{
    const pos_book_report_t *report;
    pos_str_t                id = w->overlay[POS_WITH].id;
    uint32_t                 place;
    char                     why[400];

    for (report = pos_book_reports(w->books[POS_WITH]); report != NULL; report = report->next) {
        if (report->kind == POS_KIND_PROMOTION && pos_str_eq(report->key, id)) {
            snprintf(why, sizeof(why), "%.*s", (int) report->message.len, report->message.data);
            pos_books_fail(w, POS_INVALID, why);
            return false;
        }
    }
    if (!pos_book_find(w->books[POS_WITH], id, &place)) {
        pos_books_fail(w, POS_INVALID, "the book does not take it");
        return false;
    }
    w->coupon = w->books[POS_WITH]->promotions[place]->coupon;
    return true;
}


static void
quote_options(pos_backtest_worker_t *w, unsigned which, pos_quote_options_t *out)
{
    *out = (pos_quote_options_t) { .book = w->books[which], .source = &w->sources[which], .vm = w->vm,
        .revision = pos_str_z(w->job->task.revision), .may_simulate = true, .pointer = pos_str("") };
}


static void
set_options(pos_backtest_worker_t *w)
{
    quote_options(w, POS_WITH, &w->options.with);
    quote_options(w, POS_WITHOUT, &w->options.without);
    w->options.promotion = w->job->task.promotion;
}


static pos_status_t
build_books(pos_backtest_worker_t *w)
{
    const pos_backtest_task_t *task = &w->job->task;
    pos_book_t                *before[2] = { w->books[0], w->books[1] };
    pos_status_t               status;

    for (unsigned i = POS_WITHOUT; i <= POS_WITH; i++) {
        w->overlay[i] = (pos_overlay_t) { .base = w->source, .id = task->promotion, .coupon = true };
        w->overlay[i].row = i == POS_WITH ? task->row : pos_str("");
        pos_overlay_source(&w->overlay[i], &w->sources[i]);
        w->books[i] = NULL;
    }
    status = build_without(w, before[POS_WITHOUT], &w->books[POS_WITHOUT]);
    if (status == POS_OK) {
        status = build(w, POS_WITH, w->books[POS_WITHOUT], &w->books[POS_WITH]);
    }
    for (unsigned i = POS_WITHOUT; i <= POS_WITH; i++) {
        if (before[i] != NULL) {
            pos_book_release(before[i]);
        }
    }
    return status;
}


bool
pos_books_open(pos_backtest_worker_t *w)
{
    const pos_head_t *head = &w->job->head;
    pos_status_t      status = open_source(w);

    if (status == POS_OK && (w->turn == 0 || memcmp(w->small, head->small, sizeof(w->small)) != 0)) {
        status = build_books(w);
    }
    if (status != POS_OK) {
        pos_books_fail(w, status == POS_INVALID ? POS_BROKEN : status, "the book cannot be built");
        return false;
    }
    memcpy(w->small, head->small, sizeof(w->small));
    w->turn = w->job->turn;
    set_options(w);
    return compiled(w);
}


bool
pos_books_begin(pos_backtest_worker_t *w)
{
    pos_status_t status;

    w->scratch = pos_arena_create(POS_WORK_BLOCK, 0);
    status = w->scratch != NULL ? pos_script_vm_create(&w->job->process->limits, &w->vm) : POS_NO_MEMORY;
    if (status == POS_OK && !pos_watch_start(w->vm, w->job->process->script_ms, w->job->process->replica)) {
        status = POS_BROKEN;
    }
    if (status != POS_OK) {
        pos_books_fail(w, status, "a worker cannot begin");
        return false;
    }
    /* A version at fault fails the job though there be no orders. */
    return w->job->then != NULL || pos_books_open(w);
}


void
pos_books_end(pos_backtest_worker_t *w)
{
    for (unsigned i = POS_WITHOUT; i <= POS_WITH; i++) {
        if (w->books[i] != NULL) {
            pos_book_release(w->books[i]);
            w->books[i] = NULL;
        }
    }
    pos_watch_leave();
    if (w->vm != NULL) {
        pos_script_vm_destroy(w->vm);
        w->vm = NULL;
    }
    if (w->kept != NULL) {
        pos_arena_destroy(w->kept);
        w->kept = NULL;
    }
    if (w->scratch != NULL) {
        pos_arena_destroy(w->scratch);
        w->scratch = NULL;
    }
}
