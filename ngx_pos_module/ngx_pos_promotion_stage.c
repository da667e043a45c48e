/*
 * A stored version of a promotion in its shop's book, as if it were published: what
 * the checks at publish and the simulations stand on.
 *
 * The version comes from the database, the book from this node's replica, which may
 * be milliseconds behind: it is waited for, not for long, and who goes on says so.
 */

#include "ngx_pos_metrics.h"
#include "ngx_pos_promotion.h"

#define NGX_POS_STAGE_SLICE_US  1000
#define NGX_POS_STAGE_ROWS      20
#define NGX_POS_STAGE_TIMEOUT   (30 * 1000)   /* ms, of its turn              */
#define NGX_POS_STAGE_PATIENCE  (60 * 1000)   /* ms, until its turn           */
#define NGX_POS_STAGE_MOST      32            /* that wait, of a kind         */
#define NGX_POS_STAGE_WAIT      10            /* ms between two looks at the book */
#define NGX_POS_STAGE_WAITS     200           /* looks                        */

/* Each stage takes its slice of every turn of the event loop: of several at once all
 * quotes wait for each. So one runs, and the others wait in the order they came. */
typedef struct {
    ngx_queue_t      waiting[2];      /* those that publish; the others       */
    ngx_uint_t       count[2];
    ngx_pos_stage_t *running;         /* or NULL                              */
    ngx_event_t      next;            /* posted when one has had its turn     */
} ngx_pos_stages_t;

static ngx_pos_stages_t  ngx_pos_stages;

static ngx_uint_t
ngx_pos_stage_kind(const ngx_pos_stage_t *stage)
{
    return stage->publishing ? 0 : 1;
}

/* Out of the queue, or off the worker. */
static void
ngx_pos_stage_leave(ngx_pos_stage_t *stage)
{
    if (stage->event.timer_set) {
        ngx_del_timer(&stage->event);
    }

    if (stage->event.posted) {
        ngx_delete_posted_event(&stage->event);
    }

    if (stage->wait.timer_set) {
        ngx_del_timer(&stage->wait);
    }

    if (stage->state == NGX_POS_STAGE_WAITING) {
        ngx_queue_remove(&stage->queue);
        ngx_pos_stages.count[ngx_pos_stage_kind(stage)]--;
    }

    if (stage->state == NGX_POS_STAGE_RUNNING) {
        ngx_pos_stages.running = NULL;
        ngx_post_event(&ngx_pos_stages.next, &ngx_posted_next_events);
    }

    stage->state = NGX_POS_STAGE_WORKED;
}

void
ngx_pos_stage_close(ngx_pos_stage_t *stage)
{
    ngx_pos_stage_leave(stage);
    stage->state = NGX_POS_STAGE_CLOSED;

    if (stage->drop != NULL) {
        stage->drop(stage);
    }

    pos_book_builder_destroy(stage->builder);
    stage->builder = NULL;

    if (stage->with_book != NULL) {
        pos_book_release(stage->with_book);
        stage->with_book = NULL;
    }

    if (stage->without_book != NULL) {
        pos_book_release(stage->without_book);
        stage->without_book = NULL;
    }

    if (stage->generation != NULL) {
        ngx_pos_generation_release(stage->generation);
        stage->generation = NULL;
    }

    stage->shop = NULL;
}

static void
ngx_pos_stage_cleanup(void *data)
{
    ngx_pos_stage_close(data);
}

static void
ngx_pos_stage_fail(ngx_pos_stage_t *stage, pos_status_t rc)
{
    ngx_log_error(NGX_LOG_ERR, stage->ctx->request->connection->log, 0,
                  "pos: a promotion could not be tried in its book: status %d", (int) rc);
    ngx_pos_stage_close(stage);
    ngx_pos_promotion_fail(stage->ctx, rc == POS_INVALID ? POS_BROKEN : rc);
}

static void
ngx_pos_stage_overloaded(ngx_pos_stage_t *stage)
{
    ngx_pos_stage_close(stage);
    ngx_pos_problem_unavailable(stage->ctx, "overloaded",
        "Too many promotions are being tried at once. Try again shortly.");
}

/* The turn is over before the answer is written: the next may go on. */
static void
ngx_pos_stage_done(ngx_pos_stage_t *stage)
{
    ngx_pos_stage_leave(stage);
    stage->done(stage);
}

/* ---- the books ---- */

/* The row without what is not to be looked at. */
static pos_status_t
ngx_pos_stage_text(ngx_pos_stage_t *stage, pos_str_t *out)
{
    pos_writer_t      w;
    const pos_json_t *m;

    pos_writer_init(&w, stage->ctx->arena, stage->row->text.len + 64, NGX_POS_PROMOTION_MAX);
    pos_write_object_begin(&w);

    for (m = stage->row->first; m != NULL; m = m->next) {
        if (!stage->any_arm || !pos_str_eq(m->key, pos_str("experiment"))) {
            pos_write_key_str(&w, m->key);
            pos_write_json(&w, m);
        }
    }

    if (stage->any_arm) {
        /* A script may name one in its source. */
        pos_write_key(&w, "experiment");
        pos_write_null(&w);
    }

    pos_write_object_end(&w);
    *out = pos_writer_result(&w);

    return w.status;
}

/* A draft that the book cannot take leaves the version before in it, or nothing. */
static pos_status_t
ngx_pos_stage_built(ngx_pos_stage_t *stage, pos_book_t *book)
{
    const pos_book_report_t *report;

    if (stage->with_book != NULL) {
        stage->without_book = book;
        return POS_OK;
    }

    stage->with_book = book;

    for (report = pos_book_reports(book); report != NULL; report = report->next) {
        if (report->kind == POS_KIND_PROMOTION && pos_str_eq(report->key, stage->id)) {
            stage->broken = pos_arena_str(stage->ctx->arena, report->message);
            return stage->broken.data != NULL ? POS_OK : POS_NO_MEMORY;
        }
    }

    return POS_OK;
}

static pos_status_t
ngx_pos_stage_build(ngx_pos_stage_t *stage)
{
    bool          first = stage->with_book == NULL;
    pos_book_t   *book;
    pos_status_t  rc;

    if (stage->builder == NULL) {
        rc = pos_book_builder_create(first ? &stage->with_source : &stage->without_source, stage->shop->book,
            ngx_pos_generation_vm(), &stage->builder);
        return rc == POS_OK ? POS_AGAIN : rc;
    }

    rc = pos_book_builder_step(stage->builder, NGX_POS_STAGE_ROWS, &book);
    if (rc == POS_AGAIN) {
        return rc;
    }

    pos_book_builder_destroy(stage->builder);
    stage->builder = NULL;

    if (rc == POS_OK) {
        rc = ngx_pos_stage_built(stage, book);
    }

    return rc == POS_OK ? POS_AGAIN : rc;
}

/* ---- slices ---- */

static pos_status_t
ngx_pos_stage_step(ngx_pos_stage_t *stage)
{
    if (stage->shop != NULL && stage->row != NULL
        && (stage->with_book == NULL
            || (stage->needs_without && stage->broken.len == 0 && stage->without_book == NULL)))
    {
        return ngx_pos_stage_build(stage);
    }

    return stage->work(stage);
}

static void
ngx_pos_stage_run(ngx_pos_stage_t *stage)
{
    uint64_t     begun = ngx_pos_metrics_now_us();
    pos_status_t rc;

    do {
        rc = ngx_pos_stage_step(stage);
    } while (rc == POS_AGAIN && ngx_pos_metrics_now_us() - begun < NGX_POS_STAGE_SLICE_US);

    if (rc == POS_AGAIN) {
        ngx_post_event(&stage->event, &ngx_posted_next_events);
        return;
    }

    if (rc != POS_OK) {
        ngx_pos_stage_fail(stage, rc);
        return;
    }

    ngx_pos_stage_done(stage);
}

static void
ngx_pos_stage_late(ngx_pos_stage_t *stage)
{
    ngx_log_error(NGX_LOG_ERR, stage->event.log, 0, "pos: trying a promotion in its book took longer than it may");

    if (stage->late != NULL && stage->late(stage)) {
        ngx_pos_stage_done(stage);
        return;
    }

    ngx_pos_stage_close(stage);
    ngx_pos_promotion_fail(stage->ctx, POS_AGAIN);
}

static void
ngx_pos_stage_event(ngx_event_t *ev)
{
    ngx_pos_stage_t *stage = ev->data;

    if (!ev->timedout) {
        ngx_pos_stage_run(stage);
        return;
    }

    if (stage->state == NGX_POS_STAGE_WAITING) {
        ngx_pos_stage_overloaded(stage);
        return;
    }

    ngx_pos_stage_late(stage);
}

/* ---- the book, as new as the version ---- */

/* This node's newest, in place of what the stage has. */
static void
ngx_pos_stage_acquire(ngx_pos_stage_t *stage)
{
    int64_t               rev = 0;
    const pos_json_t     *wanted = pos_json_get(stage->said, "revision");
    ngx_pos_generation_t *now;

    (void) (wanted != NULL && pos_json_int64(wanted, &rev));

    now = ngx_pos_worker.conf->replica.len ? ngx_pos_generation_acquire() : NULL;

    if (stage->generation != NULL) {
        ngx_pos_generation_release(stage->generation);
    }

    stage->generation = now;
    stage->shop = now != NULL ? ngx_pos_generation_shop(now, stage->ctx->key->retailer_no) : NULL;

    if (stage->shop != NULL && stage->shop->book == NULL) {
        stage->shop = NULL;
    }

    stage->behind = stage->shop == NULL || stage->shop->head.rev < rev;
}

static pos_status_t
ngx_pos_stage_overlay(ngx_pos_stage_t *stage)
{
    pos_status_t rc;

    if (stage->shop == NULL) {
        return POS_OK;
    }

    stage->with = (pos_overlay_t) { .base = stage->shop->source, .id = stage->id, .coupon = stage->any_arm };
    stage->without = stage->with;
    rc = ngx_pos_stage_text(stage, &stage->with.row);
    pos_overlay_source(&stage->with, &stage->with_source);
    pos_overlay_source(&stage->without, &stage->without_source);

    return rc;
}

/* ---- its turn ---- */

static void
ngx_pos_stage_start(ngx_pos_stage_t *stage)
{
    pos_status_t rc;

    ngx_pos_stage_leave(stage);
    ngx_pos_stages.running = stage;
    stage->state = NGX_POS_STAGE_RUNNING;
    ngx_pos_stage_acquire(stage);

    rc = ngx_pos_stage_overlay(stage);
    if (rc != POS_OK) {
        ngx_pos_stage_fail(stage, rc);
        return;
    }

    ngx_add_timer(&stage->event, NGX_POS_STAGE_TIMEOUT);
    ngx_pos_stage_run(stage);
}

static void
ngx_pos_stage_next(ngx_event_t *ev)
{
    ngx_uint_t   kind;
    ngx_queue_t *q;

    for (kind = 0; kind < 2; kind++) {
        q = &ngx_pos_stages.waiting[kind];

        if (ngx_pos_stages.running == NULL && !ngx_queue_empty(q)) {
            ngx_pos_stage_start(ngx_queue_data(ngx_queue_head(q), ngx_pos_stage_t, queue));
            return;
        }
    }
}

void
ngx_pos_stage_init_worker(ngx_cycle_t *cycle)
{
    ngx_memzero(&ngx_pos_stages, sizeof(ngx_pos_stages));
    ngx_queue_init(&ngx_pos_stages.waiting[0]);
    ngx_queue_init(&ngx_pos_stages.waiting[1]);
    ngx_pos_stages.next.handler = ngx_pos_stage_next;
    ngx_pos_stages.next.log = cycle->log;
}

/* Who waits pins no generation: it takes the newest when its turn comes. */
static void
ngx_pos_stage_queue(ngx_pos_stage_t *stage)
{
    ngx_uint_t kind = ngx_pos_stage_kind(stage);

    if (ngx_pos_stages.running == NULL && !ngx_pos_stages.next.posted) {
        ngx_pos_stage_start(stage);
        return;
    }

    if (ngx_pos_stages.count[kind] == NGX_POS_STAGE_MOST) {
        ngx_pos_stage_overloaded(stage);
        return;
    }

    if (stage->generation != NULL) {
        ngx_pos_generation_release(stage->generation);
        stage->generation = NULL;
        stage->shop = NULL;
    }

    ngx_queue_insert_tail(&ngx_pos_stages.waiting[kind], &stage->queue);
    ngx_pos_stages.count[kind]++;
    stage->state = NGX_POS_STAGE_WAITING;
    ngx_add_timer(&stage->event, NGX_POS_STAGE_PATIENCE);
}

static void
ngx_pos_stage_look(ngx_pos_stage_t *stage)
{
    /* there is nothing to try, or it was tried, and answered, before */
    if (stage->row == NULL) {
        ngx_pos_stage_done(stage);
        return;
    }

    ngx_pos_stage_acquire(stage);

    if (stage->behind && ngx_pos_worker.conf->replica.len && stage->waited++ < NGX_POS_STAGE_WAITS) {
        ngx_add_timer(&stage->wait, NGX_POS_STAGE_WAIT);
        return;
    }

    ngx_pos_stage_queue(stage);
}

static void
ngx_pos_stage_waited(ngx_event_t *ev)
{
    ngx_pos_stage_look(ev->data);
}

/* ---- the version ---- */

/* {"row", "version", "findings", "revision", …} */
static pos_status_t
ngx_pos_stage_read(ngx_pos_stage_t *stage, PGresult *result)
{
    pos_str_t         text;
    pos_json_t       *said;
    pos_status_t      rc;
    pos_faults_t      faults;
    const pos_json_t *version;

    text = pos_arena_str(stage->ctx->arena, pos_str_of(PQgetvalue(result, 0, 0), PQgetlength(result, 0, 0)));
    PQclear(result);

    if (text.data == NULL) {
        return POS_NO_MEMORY;
    }

    pos_faults_init(&faults, stage->ctx->arena);
    rc = pos_json_read(ngx_pos_worker.reader, text, stage->ctx->arena, &faults, &said);
    if (rc != POS_OK) {
        return rc;
    }

    stage->said = said;
    stage->row = pos_json_get(said, "row");
    if (stage->row != NULL && stage->row->type != POS_JSON_OBJECT) {
        stage->row = NULL;
    }

    stage->summary = pos_json_get(said, "summary");
    version = pos_json_get(said, "version");
    (void) (version != NULL && pos_json_int64(version, &stage->version));

    return POS_OK;
}

static void
ngx_pos_stage_fetched(ngx_pos_pg_call_t *call)
{
    pos_status_t     rc;
    ngx_pos_stage_t *stage = call->data;

    stage->ctx->call = NULL;

    if (call->outcome != NGX_POS_PG_DONE) {
        ngx_pos_stage_close(stage);
        ngx_pos_sql_failed(stage->ctx, call);
        return;
    }

    rc = ngx_pos_stage_read(stage, call->result);
    if (rc != POS_OK) {
        ngx_pos_stage_fail(stage, rc);
        return;
    }

    ngx_pos_stage_look(stage);
}

/* What the body says of it, with its id and the request's key; zero-terminated. */
static const char *
ngx_pos_stage_request(ngx_pos_stage_t *stage)
{
    static const char *const  names[] = { "version", "from", "until" };
    ngx_uint_t                i;
    pos_writer_t              w;
    const pos_json_t         *v;

    pos_writer_init(&w, stage->ctx->arena, 256, 4096);
    pos_write_object_begin(&w);
    pos_write_key(&w, "id");
    pos_write_string(&w, stage->id);
    pos_write_key(&w, "publishing");
    pos_write_bool(&w, stage->publishing);
    pos_write_key(&w, "idempotency_key");
    if (stage->publishing && stage->ctx->idempotency_key.len > 0) {
        pos_write_string(&w, stage->ctx->idempotency_key);
    } else {
        pos_write_null(&w);
    }

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        v = stage->ctx->json != NULL ? pos_json_get(stage->ctx->json, names[i]) : NULL;
        if (v != NULL) {
            pos_write_key_str(&w, pos_str_z(names[i]));
            pos_write_json(&w, v);
        }
    }

    pos_write_object_end(&w);
    pos_write_bytes(&w, pos_str_of("", 1));

    return w.status == POS_OK ? pos_writer_result(&w).data : NULL;
}

static bool
ngx_pos_stage_init(ngx_pos_ctx_t *ctx, ngx_pos_stage_t *stage)
{
    ngx_http_cleanup_t *cleanup;

    cleanup = ngx_http_cleanup_add(ctx->request, 0);
    if (cleanup == NULL) {
        return false;
    }

    cleanup->handler = ngx_pos_stage_cleanup;
    cleanup->data = stage;
    stage->ctx = ctx;
    stage->event.handler = ngx_pos_stage_event;
    stage->event.data = stage;
    stage->event.log = ctx->request->connection->log;
    stage->wait.handler = ngx_pos_stage_waited;
    stage->wait.data = stage;
    stage->wait.log = ctx->request->connection->log;

    return true;
}

/* That a client went away is told once. Who was gone with the last of the request does
 * not wait for a turn. */
static void
ngx_pos_stage_suspend(ngx_pos_ctx_t *ctx)
{
    ngx_event_t *read = ctx->request->connection->read;

    ngx_pos_request_suspend(ctx);

    if (read->pending_eof) {
        ngx_post_event(read, &ngx_posted_events);
    }
}

void
ngx_pos_stage_given(ngx_pos_ctx_t *ctx, ngx_pos_stage_t *stage, pos_str_t id, const pos_json_t *row,
    const pos_json_t *summary)
{
    if (!ngx_pos_stage_init(ctx, stage)) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    stage->id = id;
    stage->row = row;
    stage->summary = summary;
    ngx_pos_stage_suspend(ctx);
    ngx_pos_stage_look(stage);
}

void
ngx_pos_stage_begin(ngx_pos_ctx_t *ctx, ngx_pos_stage_t *stage)
{
    pos_str_t retailer;

    if (!ngx_pos_stage_init(ctx, stage)) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    ctx->work = stage;
    stage->id = ctx->values[0]->text;

    if (ngx_pos_worker.pg == NULL) {
        ngx_pos_problem_unavailable(ctx, "database_unavailable", "There is no database here.");
        return;
    }

    retailer = ngx_pos_sql_retailer(ctx);
    stage->call.request = ngx_pos_stage_request(stage);
    if (retailer.data == NULL || stage->call.request == NULL) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    stage->call.statement = "pos_promotion_to_check";
    stage->call.statement_index = NGX_POS_PG_STAGE_INDEX;
    stage->call.sql = "select pos.promotion_to_check($1::jsonb)";
    stage->call.retailer = retailer.data;
    stage->call.repeatable = true;
    stage->call.handler = ngx_pos_stage_fetched;
    stage->call.data = stage;
    ctx->call = &stage->call;

    ngx_pos_stage_suspend(ctx);
    ngx_pos_pg_submit(ngx_pos_worker.pg, &stage->call);
}

void
ngx_pos_stage_unknown(ngx_pos_stage_t *stage)
{
    int64_t           newest = 0;
    ngx_pos_ctx_t    *ctx = stage->ctx;
    const pos_json_t *v = pos_json_get(stage->said, "newest");

    (void) (v != NULL && pos_json_int64(v, &newest));

    if (newest == 0) {
        ngx_pos_problem(ctx, NGX_HTTP_NOT_FOUND, "not_found", "There is no such promotion.");
        return;
    }

    (void) pos_fault(&ctx->faults, pos_str("/version"), "unknown_version", "the promotion has versions 1 to %lld",
        (long long) newest);
    ngx_pos_problem_faults(ctx, 422, "invalid", "The promotion has no such version.");
}
