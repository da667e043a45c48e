/*
 * POST /v1/quotes/batch: up to 1,000 carts, a JSON document a line; the answer
 * has a line for each, in their order: a quote, or a problem where that cart
 * cannot be priced.
 *
 * All carts are priced by the generation the request began with. The work is
 * done in slices of at most 2 ms; between two of them the worker serves others.
 * While the client is slow to read, nothing more is priced. A slice begins only
 * when all that went before has left, so one buffer, used again by each, is all
 * the answer that there ever is in memory. A client that reads a little now and
 * then, so that no single write is ever late, must keep a pace over the whole.
 */

#include "ngx_pos_pricing.h"

#define NGX_POS_BATCH_MAX       1000
#define NGX_POS_BATCH_SLICE_US  1500
#define NGX_POS_BATCH_TIMEOUT   (10 * 60 * 1000)   /* ms, of all of it */
#define NGX_POS_BATCH_PACE      (8 * 1024)         /* bytes a second, of a waited for client */
#define NGX_POS_BATCH_OUT       (64 * 1024)        /* a slice ends beyond it */
#define NGX_POS_BATCH_KEEP      (512 * 1024)       /* of an arena, between slices */
#define NGX_POS_BATCH_OUT_MAX   (256 * 1024 * 1024)

typedef struct {
    ngx_pos_ctx_t        *ctx;
    ngx_event_t           event;      /* posted between slices; its timer is the
                                         deadline and keeps a leaving worker up */
    pos_quote_options_t   options;
    pos_arena_t          *scratch;    /* of one cart */
    pos_arena_t          *out;        /* of one slice's answer */
    ngx_chain_t          *free, *busy;
    const char           *pos;
    const char           *end;
    ngx_msec_t            since;      /* when this wait for the client began   */
    ngx_msec_t            waited;     /* in all, before it                     */
    off_t                 first;      /* sent, when it was first waited for    */
    unsigned              slow:1;     /* it was waited for                     */
    unsigned              waiting:1;
    unsigned              done:1;
} ngx_pos_batch_t;

static void
ngx_pos_batch_stop(ngx_pos_batch_t *batch)
{
    if (batch->event.timer_set) {
        ngx_del_timer(&batch->event);
    }

    if (batch->event.posted) {
        ngx_delete_posted_event(&batch->event);
    }
}

static void
ngx_pos_batch_cleanup(void *data)
{
    ngx_pos_batch_t *batch = data;

    ngx_pos_batch_stop(batch);

    if (batch->scratch != NULL) {
        pos_arena_destroy(batch->scratch);
        batch->scratch = NULL;
    }

    if (batch->out != NULL) {
        pos_arena_destroy(batch->out);
        batch->out = NULL;
    }
}

static void
ngx_pos_batch_finish(ngx_pos_batch_t *batch, ngx_int_t rc)
{
    ngx_pos_batch_stop(batch);
    ngx_pos_request_finish(batch->ctx, rc);
}

/* The next line that holds more than blanks; false: there are no more. */
static bool
ngx_pos_batch_line(const char **pos, const char *end, pos_str_t *line)
{
    const char *start, *stop;

    while (*pos < end) {
        start = *pos;
        stop = memchr(start, '\n', end - start);
        if (stop == NULL) {
            stop = end;
        }
        *pos = stop < end ? stop + 1 : end;

        while (stop > start && (stop[-1] == '\r' || stop[-1] == ' ' || stop[-1] == '\t')) {
            stop--;
        }
        while (start < stop && (*start == ' ' || *start == '\t')) {
            start++;
        }

        if (stop > start) {
            *line = pos_str_of(start, stop - start);
            return true;
        }
    }

    return false;
}

static void
ngx_pos_batch_problem(ngx_pos_batch_t *batch, pos_faults_t *faults, ngx_uint_t status, const char *code,
    const char *detail, pos_writer_t *w)
{
    pos_faults_t   saved = batch->ctx->faults;
    pos_arena_t   *arena = batch->ctx->arena;

    batch->ctx->faults = *faults;
    batch->ctx->arena = batch->scratch;
    ngx_pos_problem_write(batch->ctx, w, status, pos_str_z(code), pos_str_z(detail), pos_str(""), NULL);
    batch->ctx->faults = saved;
    batch->ctx->arena = arena;
}

static void
ngx_pos_batch_cart(ngx_pos_batch_t *batch, pos_str_t line, pos_writer_t *w)
{
    const char         *code, *detail;
    pos_json_t         *json;
    ngx_uint_t          status;
    pos_faults_t        faults;
    pos_status_t        rc;
    pos_writer_t        quote;
    pos_quote_stats_t   stats;

    pos_arena_reset(batch->scratch);
    pos_faults_init(&faults, batch->scratch);
    ngx_memzero(&stats, sizeof(stats));
    w->comma = false;

    rc = pos_json_read(ngx_pos_worker.reader, line, batch->scratch, &faults, &json);

    if (rc == POS_INVALID) {
        ngx_pos_batch_problem(batch, &faults, NGX_HTTP_BAD_REQUEST, "invalid_json",
            "The line is not JSON as it must be.", w);
        pos_write_bytes(w, pos_str("\n"));
        return;
    }

    pos_writer_init(&quote, batch->scratch, NGX_POS_BATCH_OUT / 4, NGX_POS_BATCH_OUT_MAX);

    if (rc == POS_OK) {
        batch->options.spent = true;
        rc = pos_quote(&batch->options, json, batch->scratch, &faults, &quote, &stats);
    }

    if (rc == POS_OK) {
        rc = quote.status;
    }

    if (rc == POS_OK) {
        ngx_pos_pricing_count(batch->ctx, &stats);
        pos_write_bytes(w, pos_writer_result(&quote));

    } else {
        status = ngx_pos_pricing_status(&stats, rc, &code, &detail);
        ngx_pos_batch_problem(batch, &faults, status, code, detail, w);
    }

    pos_write_bytes(w, pos_str("\n"));
}

static uint64_t
ngx_pos_batch_clock(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* No more than that stays while a client is slow to read: what one huge cart
 * needed is given back. */
static bool
ngx_pos_batch_arena(pos_arena_t **arena)
{
    if (*arena != NULL && pos_arena_held(*arena) <= NGX_POS_BATCH_KEEP) {
        pos_arena_reset(*arena);
        return true;
    }

    pos_arena_destroy(*arena);
    *arena = pos_arena_create(NGX_POS_BATCH_OUT, NGX_POS_BATCH_OUT_MAX);

    return *arena != NULL;
}

/* Prices carts until the time of a slice or its room is used up. */
static void
ngx_pos_batch_price(ngx_pos_batch_t *batch, pos_writer_t *w)
{
    uint64_t    begun = ngx_pos_batch_clock();
    pos_str_t   line;

    do {
        if (!ngx_pos_batch_line(&batch->pos, batch->end, &line)) {
            batch->done = 1;
            return;
        }
        ngx_pos_batch_cart(batch, line, w);

    } while (pos_writer_result(w).len < NGX_POS_BATCH_OUT - NGX_POS_BATCH_OUT / 4
             && ngx_pos_batch_clock() - begun < NGX_POS_BATCH_SLICE_US);
}

/* Prices for one slice and hands what was written to nginx. */
static ngx_int_t
ngx_pos_batch_slice(ngx_pos_batch_t *batch)
{
    pos_str_t           out;
    ngx_int_t           rc;
    ngx_buf_t          *b;
    ngx_chain_t        *chain;
    pos_writer_t        w;
    ngx_http_request_t *r = batch->ctx->request;

    if (!ngx_pos_batch_arena(&batch->out)) {
        return NGX_ERROR;
    }

    pos_writer_init(&w, batch->out, NGX_POS_BATCH_OUT, NGX_POS_BATCH_OUT_MAX);
    ngx_pos_batch_price(batch, &w);

    chain = ngx_chain_get_free_buf(r->pool, &batch->free);
    if (w.status != POS_OK || chain == NULL || !ngx_pos_batch_arena(&batch->scratch)) {
        return NGX_ERROR;
    }

    out = pos_writer_result(&w);
    b = chain->buf;
    ngx_memzero(b, sizeof(ngx_buf_t));
    b->tag = (ngx_buf_tag_t) &ngx_http_pos_module;
    b->pos = b->start = (u_char *) out.data;
    b->last = b->end = b->pos + out.len;
    b->memory = out.len > 0;
    b->flush = 1;
    b->last_buf = batch->done;
    b->last_in_chain = 1;

    rc = ngx_http_output_filter(r, chain);

    ngx_chain_update_chains(r->pool, &batch->free, &batch->busy, &chain, (ngx_buf_tag_t) &ngx_http_pos_module);

    return rc;
}

/* Only waiting for the client counts, neither pricing nor nginx's own rate limit. */
static void
ngx_pos_batch_waits(ngx_pos_batch_t *batch, bool waits)
{
    if (batch->waiting) {
        batch->waited += ngx_current_msec - batch->since;
    }

    if (waits && !batch->slow) {
        batch->slow = 1;
        batch->first = batch->ctx->request->connection->sent;
    }

    batch->waiting = waits;
    batch->since = ngx_current_msec;
}

/* How long it may be waited for now: for one write as long as nginx allows, and in
 * all no longer than that and the time in which what has left since would have, at
 * the least pace. What the kernel took at once says nothing about who reads. */
static ngx_msec_t
ngx_pos_batch_patience(ngx_pos_batch_t *batch, ngx_msec_t send_timeout)
{
    off_t      taken = batch->ctx->request->connection->sent - batch->first;
    ngx_msec_t allowed = send_timeout + (ngx_msec_t) taken * 1000 / NGX_POS_BATCH_PACE;

    return allowed > batch->waited ? ngx_min(send_timeout, allowed - batch->waited) : 0;
}

static void
ngx_pos_batch_too_slow(ngx_pos_batch_t *batch)
{
    batch->ctx->request->connection->timedout = 1;
    ngx_pos_batch_finish(batch, NGX_HTTP_REQUEST_TIME_OUT);
}

/* The client has read some: the rest goes out, then pricing goes on. */
static void
ngx_pos_batch_writable(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_msec_t                 patience;
    ngx_event_t               *wev = r->connection->write;
    ngx_pos_ctx_t             *ctx = ngx_pos_ctx(r);
    ngx_pos_batch_t           *batch = ctx->work;
    ngx_http_core_loc_conf_t  *clcf;

    if (wev->timedout) {
        ngx_pos_batch_too_slow(batch);
        return;
    }

    rc = ngx_http_output_filter(r, NULL);
    if (rc == NGX_ERROR) {
        ngx_pos_batch_finish(batch, NGX_ERROR);
        return;
    }

    if (r->buffered || r->connection->buffered) {
        clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
        ngx_pos_batch_waits(batch, !wev->delayed);

        if (!wev->delayed) {
            patience = ngx_pos_batch_patience(batch, clcf->send_timeout);
            if (patience == 0) {
                ngx_pos_batch_too_slow(batch);
                return;
            }
            ngx_add_timer(wev, patience);
        }
        if (ngx_handle_write_event(wev, clcf->send_lowat) != NGX_OK) {
            ngx_pos_batch_finish(batch, NGX_ERROR);
        }
        return;
    }

    ngx_pos_batch_waits(batch, false);

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    r->write_event_handler = ngx_http_request_empty_handler;
    ngx_post_event(&batch->event, &ngx_posted_next_events);
}

static void
ngx_pos_batch_run(ngx_pos_batch_t *batch)
{
    ngx_int_t           rc;
    ngx_http_request_t *r = batch->ctx->request;

    rc = ngx_pos_batch_slice(batch);

    if (rc == NGX_ERROR || batch->done) {
        ngx_pos_batch_finish(batch, rc);
        return;
    }

    if (r->buffered || r->connection->buffered) {
        r->write_event_handler = ngx_pos_batch_writable;
        ngx_pos_batch_writable(r);
        return;
    }

    ngx_post_event(&batch->event, &ngx_posted_next_events);
}

static void
ngx_pos_batch_event(ngx_event_t *ev)
{
    ngx_pos_batch_t *batch = ev->data;

    if (ev->timedout) {
        ngx_log_error(NGX_LOG_ERR, ev->log, 0, "pos: a batch took longer than it may");
        ngx_pos_batch_finish(batch, NGX_ERROR);
        return;
    }

    ngx_pos_batch_run(batch);
}

/* All refusals of the whole come before its first byte. */
static bool
ngx_pos_batch_count(ngx_pos_ctx_t *ctx)
{
    pos_str_t   line;
    ngx_uint_t  count = 0;
    const char *pos = ctx->body.data, *end = pos + ctx->body.len;

    while (ngx_pos_batch_line(&pos, end, &line)) {
        count++;
    }

    if (count == 0) {
        ngx_pos_problem(ctx, NGX_HTTP_BAD_REQUEST, "body_missing", "A batch holds a cart a line, at least one.");
        return false;
    }

    if (count > NGX_POS_BATCH_MAX) {
        (void) pos_fault(&ctx->faults, pos_str(""), "max_items", "has %lu carts; a batch takes %d",
            (unsigned long) count, NGX_POS_BATCH_MAX);
        ngx_pos_problem_faults(ctx, 422, "invalid_request", "The batch holds too many carts.");
        return false;
    }

    return true;
}

void
ngx_pos_batch_handler(ngx_pos_ctx_t *ctx)
{
    ngx_int_t           rc;
    ngx_pos_batch_t    *batch;
    ngx_http_cleanup_t *cleanup;
    ngx_http_request_t *r = ctx->request;

    batch = ngx_pcalloc(r->pool, sizeof(ngx_pos_batch_t));
    cleanup = ngx_http_cleanup_add(r, 0);
    if (batch == NULL || cleanup == NULL) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    cleanup->handler = ngx_pos_batch_cleanup;
    cleanup->data = batch;
    ctx->work = batch;

    if (!ngx_pos_pricing_begin(ctx, &batch->options) || !ngx_pos_batch_count(ctx)) {
        return;
    }

    batch->ctx = ctx;
    batch->pos = ctx->body.data;
    batch->end = batch->pos + ctx->body.len;
    batch->event.handler = ngx_pos_batch_event;
    batch->event.data = batch;
    batch->event.log = r->connection->log;

    if (!ngx_pos_batch_arena(&batch->scratch)) {
        ngx_pos_problem_unavailable(ctx, "no_memory", "The worker is out of memory; try again.");
        return;
    }

    rc = ngx_pos_answer_begin(ctx, NGX_HTTP_OK, pos_str("application/x-ndjson"));
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        ngx_pos_request_finish(ctx, rc);
        return;
    }

    ngx_add_timer(&batch->event, NGX_POS_BATCH_TIMEOUT);
    ngx_pos_request_suspend(ctx);
    ngx_pos_batch_run(batch);
}
