/*
 * The pool: at most `pos_pool` connections, at most `pos_queue` calls waiting,
 * first come first served, each with a deadline. What may be tried again is
 * decided here: a conflict (40001, 40P01) three times, a busy twin of an
 * Idempotency-Key (POS11) for two seconds, a connection that ended before or
 * without executing anything once more.
 *
 * Writes of one retailer's book wait for one another in the database, for as
 * long as lock_timeout allows where an import holds it. So that they never hold
 * up others, one retailer's writes have half of the pool and half of the queue.
 */

#include "ngx_pos_contract.h"
#include "ngx_pos_metrics.h"
#include "ngx_pos_pg.h"

#define NGX_POS_PG_WAIT_UNCONNECTED  80      /* ms: leaves room under 100     */
#define NGX_POS_PG_WAIT_QUEUE        1000
#define NGX_POS_PG_BACKOFF_MIN       50
#define NGX_POS_PG_BACKOFF_MAX       1000
#define NGX_POS_PG_CONFLICTS         3
#define NGX_POS_PG_RESENDS           2
#define NGX_POS_PG_TWIN_WAIT         2000
#define NGX_POS_PG_SLACK             1000    /* beyond statement_timeout      */

static void ngx_pos_pg_call_timer(ngx_event_t *ev);

static const char *
ngx_pos_pg_result_field(const PGresult *res, int field)
{
    const char *text = res ? PQresultErrorField(res, field) : NULL;

    return text ? text : "";
}

static bool
ngx_pos_pg_is(const char *sqlstate, const char *is)
{
    return ngx_strcmp(sqlstate, is) == 0;
}

/* ---- a call ---- */

static void
ngx_pos_pg_over(ngx_pos_pg_call_t *call, ngx_pos_pg_outcome_e outcome)
{
    ngx_pos_metrics_worker_t *mine = ngx_pos_metrics_mine();

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    if (outcome == NGX_POS_PG_OVERLOADED) {
        mine->pg_overloads++;
    } else if (outcome == NGX_POS_PG_TIMED_OUT) {
        mine->pg_timeouts++;
    }

    call->state = NGX_POS_PG_CALL_OVER;
    call->conn = NULL;
    call->outcome = outcome;
    call->handler(call);
}

static void
ngx_pos_pg_unqueue(ngx_pos_pg_call_t *call)
{
    ngx_queue_remove(&call->queue);
    call->pool->waiting_count--;
    ngx_pos_metrics_mine()->pg_waiting = call->pool->waiting_count;
}

static void
ngx_pos_pg_start(ngx_pos_pg_conn_t *conn, ngx_pos_pg_call_t *call)
{
    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    call->state = NGX_POS_PG_CALL_RUNNING;
    ngx_add_timer(&call->timer, call->pool->conf->timeout + NGX_POS_PG_SLACK);
    ngx_pos_pg_conn_run(conn, call);
}

/* Half, and the odd one. */
static ngx_uint_t
ngx_pos_pg_share(ngx_uint_t of)
{
    return (of + 1) / 2;
}

/* Under way for this writer, those whose client has gone included. */
static ngx_uint_t
ngx_pos_pg_writing(const ngx_pos_pg_pool_t *pool, uint32_t writer)
{
    ngx_uint_t i, n = 0;

    for (i = 0; i < pool->size; i++) {
        n += pool->conns[i].writer == writer;
    }

    return n;
}

static bool
ngx_pos_pg_may_start(const ngx_pos_pg_call_t *call)
{
    return call->writer == 0 || ngx_pos_pg_writing(call->pool, call->writer) < ngx_pos_pg_share(call->pool->size);
}

static bool
ngx_pos_pg_may_wait(const ngx_pos_pg_call_t *call)
{
    ngx_uint_t         n = 0;
    ngx_queue_t       *q;
    ngx_pos_pg_call_t *other;
    ngx_pos_pg_pool_t *pool = call->pool;

    if (pool->waiting_count >= pool->conf->queue || call->writer == 0) {
        return pool->waiting_count < pool->conf->queue;
    }

    for (q = ngx_queue_head(&pool->waiting); q != ngx_queue_sentinel(&pool->waiting); q = ngx_queue_next(q)) {
        other = ngx_queue_data(q, ngx_pos_pg_call_t, queue);
        n += other->writer == call->writer;
    }

    return n < ngx_pos_pg_share(pool->conf->queue);
}

/* The first that waits and may start; NULL: there is none. */
static ngx_pos_pg_call_t *
ngx_pos_pg_next(ngx_pos_pg_pool_t *pool)
{
    ngx_queue_t       *q;
    ngx_pos_pg_call_t *call;

    for (q = ngx_queue_head(&pool->waiting); q != ngx_queue_sentinel(&pool->waiting); q = ngx_queue_next(q)) {
        call = ngx_queue_data(q, ngx_pos_pg_call_t, queue);
        if (ngx_pos_pg_may_start(call)) {
            return call;
        }
    }

    return NULL;
}

/* Is a connection being made, or waiting to be? */
static bool
ngx_pos_pg_trying(const ngx_pos_pg_pool_t *pool)
{
    ngx_uint_t i;

    if (pool->connecting > 0) {
        return true;
    }

    for (i = 0; i < pool->size; i++) {
        if (pool->conns[i].state == NGX_POS_PG_CLOSED && pool->conns[i].timer.timer_set) {
            return true;
        }
    }

    return false;
}

/* One more connection, unless enough are on their way. After an attempt that
 * failed only one is made at a time, by its back-off: calls do not hasten it. */
static void
ngx_pos_pg_grow(ngx_pos_pg_pool_t *pool)
{
    ngx_uint_t i;

    if (pool->connecting >= pool->waiting_count && pool->connecting > 0) {
        return;
    }

    if (pool->refused && ngx_pos_pg_trying(pool)) {
        return;
    }

    for (i = 0; i < pool->size; i++) {
        if (pool->conns[i].state == NGX_POS_PG_CLOSED && !pool->conns[i].timer.timer_set) {
            ngx_pos_pg_conn_open(&pool->conns[i]);
            return;
        }
    }
}

/* Running, waiting or over: the call may be gone when this returns. */
static void
ngx_pos_pg_place(ngx_pos_pg_call_t *call)
{
    ngx_queue_t       *q;
    ngx_pos_pg_pool_t *pool = call->pool;

    if (!ngx_queue_empty(&pool->idle) && ngx_pos_pg_may_start(call)) {
        q = ngx_queue_head(&pool->idle);
        ngx_pos_pg_start(ngx_queue_data(q, ngx_pos_pg_conn_t, queue), call);
        return;
    }

    if (pool->down && pool->live == 0) {
        ngx_pos_pg_over(call, NGX_POS_PG_UNAVAILABLE);
        return;
    }

    if (!ngx_pos_pg_may_wait(call)) {
        ngx_pos_pg_over(call, NGX_POS_PG_OVERLOADED);
        return;
    }

    call->state = NGX_POS_PG_CALL_QUEUED;
    ngx_queue_insert_tail(&pool->waiting, &call->queue);
    pool->waiting_count++;
    ngx_pos_metrics_mine()->pg_waiting = pool->waiting_count;
    /* Nobody waits long for a database that could not be reached. A worker that has no connection
     * yet, or none any more since it ends, knows no such thing: a reload refuses nothing. */
    ngx_add_timer(&call->timer,
        pool->live || !pool->refused ? NGX_POS_PG_WAIT_QUEUE : NGX_POS_PG_WAIT_UNCONNECTED);

    if (ngx_pos_pg_may_start(call)) {
        ngx_pos_pg_grow(pool);
    }
}

void
ngx_pos_pg_submit(ngx_pos_pg_pool_t *pool, ngx_pos_pg_call_t *call)
{
    call->pool = pool;
    call->submitted = ngx_current_msec;
    call->writer = call->writes && call->retailer[0] != '\0' ? pos_crc32c(0, pos_str_z(call->retailer)) | 1 : 0;
    call->timer.handler = ngx_pos_pg_call_timer;
    call->timer.data = call;
    call->timer.log = pool->cycle->log;

    /* Through the event loop, so that the handler never runs inside submit. */
    call->state = NGX_POS_PG_CALL_PAUSED;
    ngx_post_event(&call->timer, &ngx_posted_events);
}

void
ngx_pos_pg_detach(ngx_pos_pg_call_t *call)
{
    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }
    if (call->timer.posted) {
        ngx_delete_posted_event(&call->timer);
    }

    if (call->state == NGX_POS_PG_CALL_QUEUED) {
        ngx_pos_pg_unqueue(call);

    } else if (call->state == NGX_POS_PG_CALL_RUNNING) {
        ngx_pos_pg_conn_drain(call->conn);
    }

    call->state = NGX_POS_PG_CALL_OVER;
    call->conn = NULL;
}

static void
ngx_pos_pg_pause(ngx_pos_pg_call_t *call, ngx_msec_t delay)
{
    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    ngx_pos_metrics_mine()->pg_retries++;
    call->conn = NULL;
    call->state = NGX_POS_PG_CALL_PAUSED;
    ngx_add_timer(&call->timer, delay);
}

static void
ngx_pos_pg_call_timer(ngx_event_t *ev)
{
    ngx_pos_pg_conn_t *conn;
    ngx_pos_pg_call_t *call = ev->data;

    switch (call->state) {
    case NGX_POS_PG_CALL_PAUSED:
        ngx_pos_pg_place(call);
        return;

    case NGX_POS_PG_CALL_QUEUED:
        ngx_pos_pg_unqueue(call);
        ngx_pos_pg_over(call, call->pool->live ? NGX_POS_PG_OVERLOADED : NGX_POS_PG_UNAVAILABLE);
        return;

    case NGX_POS_PG_CALL_RUNNING:
        /* statement_timeout should have ended it: the server does not answer */
        conn = call->conn;
        conn->call = NULL;
        ngx_pos_pg_conn_close(conn, "the database does not answer", true);
        ngx_pos_pg_over(call, NGX_POS_PG_TIMED_OUT);
        return;

    default:
        return;
    }
}

/* ---- what connections report ---- */

void
ngx_pos_pg_on_state(ngx_pos_pg_conn_t *conn, ngx_pos_pg_state_e from)
{
    int                       live, was;
    ngx_pos_pg_pool_t        *pool = conn->pool;
    ngx_pos_metrics_worker_t *mine = ngx_pos_metrics_mine();

    live = conn->state >= NGX_POS_PG_IDLE;
    was = from >= NGX_POS_PG_IDLE;
    pool->live += live - was;

    live = conn->state >= NGX_POS_PG_BUSY;
    was = from >= NGX_POS_PG_BUSY;
    pool->busy += live - was;

    live = conn->state == NGX_POS_PG_CONNECTING;
    was = from == NGX_POS_PG_CONNECTING;
    pool->connecting += live - was;

    mine->pg_live = pool->live;
    mine->pg_busy = pool->busy;
}

void
ngx_pos_pg_on_connected(ngx_pos_pg_conn_t *conn)
{
    ngx_pos_pg_pool_t *pool = conn->pool;

    pool->refused = false;
    if (!pool->room_asked && ngx_worker == 0) {
        ngx_pos_pg_ask_room(pool);
    }

    ngx_pos_pg_on_ready(conn);

    /* For those who still wait, since one asked for all: each that is given asks for the next, so
     * that a server that is full refuses one and not a row of them. */
    if (ngx_pos_pg_next(pool) != NULL && !pool->closing) {
        ngx_pos_pg_grow(pool);
    }
}

void
ngx_pos_pg_on_served(ngx_pos_pg_conn_t *conn)
{
    conn->pool->backoff = 0;
    conn->pool->dropped = false;
}

/* Free to work: the next in the queue, else into the pool. */
void
ngx_pos_pg_on_ready(ngx_pos_pg_conn_t *conn)
{
    ngx_pos_pg_call_t *call;
    ngx_pos_pg_pool_t *pool = conn->pool;

    pool->down = false;

    call = pool->closing ? NULL : ngx_pos_pg_next(pool);
    if (call == NULL) {
        ngx_pos_pg_conn_park(conn);
        return;
    }

    ngx_pos_pg_unqueue(call);
    ngx_pos_pg_start(conn, call);
}

/* A write that ended with its connection may have held back one that waits. */
static void
ngx_pos_pg_serve(ngx_pos_pg_pool_t *pool)
{
    ngx_queue_t       *q;
    ngx_pos_pg_call_t *call;

    while (!ngx_queue_empty(&pool->idle) && (call = ngx_pos_pg_next(pool)) != NULL) {
        q = ngx_queue_head(&pool->idle);
        ngx_pos_pg_unqueue(call);
        ngx_pos_pg_start(ngx_queue_data(q, ngx_pos_pg_conn_t, queue), call);
    }
}

static void
ngx_pos_pg_refuse_all(ngx_pos_pg_pool_t *pool)
{
    ngx_queue_t       *q;
    ngx_pos_pg_call_t *call;

    while (!ngx_queue_empty(&pool->waiting)) {
        q = ngx_queue_head(&pool->waiting);
        call = ngx_queue_data(q, ngx_pos_pg_call_t, queue);
        ngx_pos_pg_unqueue(call);
        ngx_pos_pg_over(call, NGX_POS_PG_UNAVAILABLE);
    }
}

/* A server, or what stands before it, may take logins and drop them: one works that
 * has answered, or has stayed for as long as the longest wait. The first that did
 * neither may have been unlucky. */
static bool
ngx_pos_pg_worked(const ngx_pos_pg_conn_t *conn, bool connected)
{
    bool lucky = !conn->pool->dropped;

    if (!connected || conn->served || ngx_current_msec - conn->born >= NGX_POS_PG_BACKOFF_MAX) {
        return connected;
    }

    conn->pool->dropped = true;

    return lucky;
}

/* A connection that worked is opened again at once; where none could be made,
 * one tries again, after a wait that grows each time, with jitter, so that
 * workers do not come in step. */
static void
ngx_pos_pg_reopen(ngx_pos_pg_conn_t *conn, bool worked)
{
    ngx_msec_t         wait = 1;
    ngx_pos_pg_pool_t *pool = conn->pool;

    if (ngx_exiting || pool->closing) {
        return;
    }

    if (!worked) {
        if (ngx_pos_pg_trying(pool)) {
            return;
        }

        pool->backoff
            = pool->backoff ? ngx_min(2 * pool->backoff, NGX_POS_PG_BACKOFF_MAX) : NGX_POS_PG_BACKOFF_MIN;
        wait = pool->backoff / 2 + ngx_pos_random() % pool->backoff;
        ngx_log_error(NGX_LOG_INFO, pool->cycle->log, 0, "next attempt to reach the database in %M ms", wait);
    }

    ngx_add_timer(&conn->timer, wait);
}

/* While others work, one that is not needed stays closed: the server may give no
 * more of them. With none left it is how the database is noticed again. */
void
ngx_pos_pg_on_retry(ngx_pos_pg_conn_t *conn)
{
    ngx_pos_pg_pool_t *pool = conn->pool;

    if (pool->live == 0 || ngx_pos_pg_next(pool) != NULL) {
        ngx_pos_pg_conn_open(conn);
    }
}

/* One stays, or nobody would know whether the database can be reached. */
void
ngx_pos_pg_on_retired(ngx_pos_pg_conn_t *conn)
{
    if (conn->pool->live == 0) {
        ngx_add_timer(&conn->timer, 1);
    }
}

void
ngx_pos_pg_on_lost(ngx_pos_pg_conn_t *conn, ngx_pos_pg_call_t *call, bool connected)
{
    bool                      worked = ngx_pos_pg_worked(conn, connected);
    ngx_pos_pg_pool_t        *pool = conn->pool;
    ngx_pos_metrics_worker_t *mine = ngx_pos_metrics_mine();

    if (connected) {
        mine->pg_lost++;
    } else {
        mine->pg_connect_failures++;
    }
    if (!worked) {
        pool->refused = true;
        pool->down = pool->live == 0;
    }

    ngx_pos_pg_reopen(conn, worked);

    if (call != NULL) {
        if (call->repeatable && call->resent++ < NGX_POS_PG_RESENDS) {
            ngx_pos_pg_pause(call, 5);
        } else {
            ngx_pos_pg_over(call, NGX_POS_PG_UNKNOWN);
        }
    }

    if (pool->down && pool->connecting == 0) {
        ngx_pos_pg_refuse_all(pool);
    } else {
        ngx_pos_pg_serve(pool);
    }
}

/* May it be tried again, and when? 0: no. */
static ngx_msec_t
ngx_pos_pg_again(ngx_pos_pg_call_t *call, const char *sqlstate)
{
    if (ngx_pos_pg_is(sqlstate, "40001") || ngx_pos_pg_is(sqlstate, "40P01")) {
        if (call->attempts++ < NGX_POS_PG_CONFLICTS) {
            return 2 + ngx_pos_random() % (10 * call->attempts);
        }
        return 0;
    }

    if (ngx_pos_pg_is(sqlstate, "POS11")) {
        if (ngx_current_msec - call->submitted < NGX_POS_PG_TWIN_WAIT) {
            return 20 + ngx_pos_random() % 40;
        }
        return 0;
    }

    /* The statement is not known here, or means another type now; the server
     * is ending this session. An error means that nothing was executed. */
    if (ngx_pos_pg_is(sqlstate, "26000") || ngx_pos_pg_is(sqlstate, "0A000")
        || ngx_pos_pg_is(sqlstate, "57P01") || ngx_pos_pg_is(sqlstate, "57P02")
        || ngx_pos_pg_is(sqlstate, "57P03"))
    {
        return call->resent++ < NGX_POS_PG_RESENDS ? 5 : 0;
    }

    return 0;
}

/* `conn` is NULL when it hung up with this error. */
void
ngx_pos_pg_on_answer(ngx_pos_pg_conn_t *conn, ngx_pos_pg_call_t *call, PGresult *result, PGresult *error,
    bool doubtful)
{
    ngx_msec_t delay;

    if (error == NULL) {
        if (conn != NULL) {
            ngx_pos_pg_on_ready(conn);
        }
        if (doubtful || result == NULL || PQntuples(result) != 1) {
            PQclear(result);
            ngx_pos_pg_over(call, NGX_POS_PG_UNKNOWN);
            return;
        }
        call->result = result;
        ngx_pos_pg_over(call, NGX_POS_PG_DONE);
        return;
    }

    PQclear(result);
    ngx_cpystrn((u_char *) call->sqlstate, (u_char *) ngx_pos_pg_result_field(error, PG_DIAG_SQLSTATE),
        sizeof(call->sqlstate));

    if (conn != NULL) {
        if (ngx_pos_pg_is(call->sqlstate, "26000") || ngx_pos_pg_is(call->sqlstate, "0A000")) {
            ngx_pos_pg_conn_close(conn, "its prepared statements are stale", true);
        } else {
            ngx_pos_pg_on_ready(conn);
        }
    }

    delay = ngx_pos_pg_again(call, call->sqlstate);
    if (delay > 0) {
        PQclear(error);
        ngx_pos_pg_pause(call, delay);
        return;
    }

    call->message = ngx_pos_pg_result_field(error, PG_DIAG_MESSAGE_PRIMARY);
    call->detail = ngx_pos_pg_result_field(error, PG_DIAG_MESSAGE_DETAIL);
    ngx_pos_pg_over(call, NGX_POS_PG_REFUSED);
    PQclear(error);
}

/* ---- the pool's beginning and end ---- */

ngx_pos_pg_pool_t *
ngx_pos_pg_create(ngx_cycle_t *cycle, ngx_pos_main_conf_t *conf)
{
    ngx_uint_t         i;
    ngx_pos_pg_pool_t *pool;

    if (conf->contract->operation_count >= NGX_POS_PG_TALLY_INDEX) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "the contract has more than %d operations", NGX_POS_PG_TALLY_INDEX - 1);
        return NULL;
    }

    pool = ngx_pcalloc(cycle->pool, sizeof(ngx_pos_pg_pool_t));
    if (pool == NULL) {
        return NULL;
    }

    pool->conns = ngx_pcalloc(cycle->pool, conf->pool * sizeof(ngx_pos_pg_conn_t));
    if (pool->conns == NULL) {
        return NULL;
    }

    pool->conf = conf;
    pool->cycle = cycle;
    pool->size = conf->pool;
    ngx_queue_init(&pool->idle);
    ngx_queue_init(&pool->waiting);

    for (i = 0; i < pool->size; i++) {
        ngx_pos_pg_conn_init(&pool->conns[i], pool);
    }

    /* one is opened at once, so that the first call finds it */
    ngx_add_timer(&pool->conns[0].timer, 1);

    return pool;
}

void
ngx_pos_pg_destroy(ngx_pos_pg_pool_t *pool)
{
    ngx_uint_t i;

    pool->closing = true;

    for (i = 0; i < pool->size; i++) {
        if (pool->conns[i].call != NULL) {
            pool->conns[i].call->state = NGX_POS_PG_CALL_OVER;
        }
        if (pool->conns[i].state != NGX_POS_PG_CLOSED) {
            ngx_pos_pg_conn_close(&pool->conns[i], "the worker ends", false);
        } else if (pool->conns[i].timer.timer_set) {
            ngx_del_timer(&pool->conns[i].timer);
        }
    }
}

bool
ngx_pos_pg_up(const ngx_pos_pg_pool_t *pool)
{
    return pool->live > 0;
}
