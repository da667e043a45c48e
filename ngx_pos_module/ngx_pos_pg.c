/*
 * One connection: a state machine driven by its socket's events. Every change
 * of state goes through ngx_pos_pg_conn_state(), every end through
 * ngx_pos_pg_conn_close().
 */

#include "ngx_pos_metrics.h"
#include "ngx_pos_pg.h"

#define NGX_POS_PG_CONNECT_TIMEOUT  2000
#define NGX_POS_PG_LIFETIME         600000
#define NGX_POS_PG_RESULTS_A_WAKE   64

enum {
    NGX_POS_PG_STEP_PREPARE_SET,
    NGX_POS_PG_STEP_PREPARE_CALL,
    NGX_POS_PG_STEP_SET,
    NGX_POS_PG_STEP_CALL
};

#define NGX_POS_PG_SET_NAME  "pos_set_retailer"
#define NGX_POS_PG_SET_SQL   "select set_config('pos.retailer', $1, true)"

static void ngx_pos_pg_read(ngx_event_t *ev);
static void ngx_pos_pg_write(ngx_event_t *ev);
static void ngx_pos_pg_timer(ngx_event_t *ev);
static void ngx_pos_pg_connect_step(ngx_pos_pg_conn_t *conn);

static void
ngx_pos_pg_conn_state(ngx_pos_pg_conn_t *conn, ngx_pos_pg_state_e state)
{
    ngx_pos_pg_state_e from = conn->state;

    if (from == NGX_POS_PG_IDLE) {
        ngx_queue_remove(&conn->queue);
    }

    conn->state = state;
    if (conn->c != NULL) {
        conn->c->idle = state == NGX_POS_PG_IDLE;
    }

    ngx_pos_pg_on_state(conn, from);
}

void
ngx_pos_pg_conn_init(ngx_pos_pg_conn_t *conn, ngx_pos_pg_pool_t *pool)
{
    ngx_memzero(conn, sizeof(*conn));
    conn->pool = pool;
    conn->state = NGX_POS_PG_CLOSED;
    conn->timer.handler = ngx_pos_pg_timer;
    conn->timer.data = conn;
    conn->timer.log = pool->cycle->log;
    conn->timer.cancelable = 1;
}

/* ---- the socket in nginx's event loop ---- */

/* Interest in one direction, level-triggered; asks the kernel only on change. */
static ngx_int_t
ngx_pos_pg_watch(ngx_event_t *ev, ngx_int_t event, bool on)
{
    if ((bool) ev->active == on) {
        return NGX_OK;
    }

    return on ? ngx_add_event(ev, event, NGX_LEVEL_EVENT) : ngx_del_event(ev, event, 0);
}

static void
ngx_pos_pg_unregister(ngx_pos_pg_conn_t *conn)
{
    ngx_connection_t *c = conn->c;

    if (c == NULL) {
        return;
    }

    /* libpq closes a socket that failed by itself: the kernel has forgotten it
     * then, and only nginx's own marks are left to clear */
    if (PQsocket(conn->pg) != c->fd) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, NGX_CLOSE_EVENT);
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, NGX_CLOSE_EVENT);
        return;
    }

    (void) ngx_pos_pg_watch(c->read, NGX_READ_EVENT, false);
    (void) ngx_pos_pg_watch(c->write, NGX_WRITE_EVENT, false);
}

/* Gives nginx's connection back without closing the socket, which is libpq's. */
static void
ngx_pos_pg_forget(ngx_pos_pg_conn_t *conn)
{
    ngx_connection_t *c = conn->c;

    if (c == NULL) {
        return;
    }

    ngx_pos_pg_unregister(conn);

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }
    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    c->read->closed = 1;
    c->write->closed = 1;
    c->idle = 0;
    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
    conn->c = NULL;
}

static ngx_int_t
ngx_pos_pg_register(ngx_pos_pg_conn_t *conn)
{
    int               fd = PQsocket(conn->pg);
    ngx_connection_t *c;

    if (fd < 0) {
        return NGX_ERROR;
    }

    if (conn->c != NULL && conn->c->fd == fd) {
        return NGX_OK;
    }
    ngx_pos_pg_forget(conn);

    c = ngx_get_connection(fd, conn->pool->cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = conn;
    c->log = conn->pool->cycle->log;
    c->read->handler = ngx_pos_pg_read;
    c->write->handler = ngx_pos_pg_write;
    c->read->log = c->log;
    c->write->log = c->log;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    conn->c = c;

    return NGX_OK;
}

/* ---- connecting ---- */

static void
ngx_pos_pg_notice(void *data, const PGresult *notice)
{
    const char        *severity, *context;
    ngx_pos_pg_conn_t *conn = data;

    severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    context = PQresultErrorField(notice, PG_DIAG_CONTEXT);

    /* A warning at commit: it waited for a standby in vain, say. Then nobody knows, and
     * it is never success. What a function says names the function as its context; where
     * a warning comes does not tell, since libpq hands it out before the call's own
     * result when both come together. */
    if (conn->call != NULL && (conn->answered || context == NULL) && severity != NULL
        && ngx_strcmp(severity, "WARNING") == 0)
    {
        conn->doubtful = true;
    }
}

void
ngx_pos_pg_conn_open(ngx_pos_pg_conn_t *conn)
{
    char                 options[128];
    const char          *keys[8], *values[8];
    ngx_pos_main_conf_t *conf = conn->pool->conf;

    (void) ngx_snprintf((u_char *) options, sizeof(options),
        "-c statement_timeout=%M -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000%Z",
        conf->timeout);

    keys[0] = "dbname";
    values[0] = (const char *) conf->conninfo.data;
    keys[1] = "application_name";
    values[1] = "ngx_pos";
    keys[2] = "options";
    values[2] = options;
    keys[3] = "client_encoding";
    values[3] = "UTF8";
    keys[4] = "gssencmode";
    values[4] = "disable";
    keys[5] = NULL;
    values[5] = NULL;

    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    ngx_memzero(conn->prepared, sizeof(conn->prepared));
    conn->was_live = false;
    conn->served = false;
    conn->pg = PQconnectStartParams(keys, values, 1);
    ngx_pos_pg_conn_state(conn, NGX_POS_PG_CONNECTING);

    if (conn->pg == NULL || PQstatus(conn->pg) == CONNECTION_BAD) {
        ngx_pos_pg_conn_close(conn, conn->pg ? PQerrorMessage(conn->pg) : "no memory to connect", true);
        return;
    }

    (void) PQsetNoticeReceiver(conn->pg, ngx_pos_pg_notice, conn);
    ngx_add_timer(&conn->timer, NGX_POS_PG_CONNECT_TIMEOUT);

    if (ngx_pos_pg_register(conn) != NGX_OK
        || ngx_pos_pg_watch(conn->c->write, NGX_WRITE_EVENT, true) != NGX_OK)
    {
        ngx_pos_pg_conn_close(conn, "no connection slot", true);
    }
}

static void
ngx_pos_pg_connected(ngx_pos_pg_conn_t *conn)
{
    ngx_del_timer(&conn->timer);

    if (PQsetnonblocking(conn->pg, 1) != 0 || PQenterPipelineMode(conn->pg) != 1
        || ngx_pos_pg_watch(conn->c->read, NGX_READ_EVENT, true) != NGX_OK)
    {
        ngx_pos_pg_conn_close(conn, "cannot enter pipeline mode", true);
        return;
    }

    conn->born = ngx_current_msec;
    conn->lifetime = NGX_POS_PG_LIFETIME + ngx_pos_random() % (NGX_POS_PG_LIFETIME / 4);
    conn->was_live = true;

    ngx_pos_pg_on_connected(conn);
}

static void
ngx_pos_pg_connect_step(ngx_pos_pg_conn_t *conn)
{
    bool                      reading;
    PostgresPollingStatusType poll;

    /* off before, on after: the socket may be another one behind the same fd */
    ngx_pos_pg_unregister(conn);
    poll = PQconnectPoll(conn->pg);

    if (poll == PGRES_POLLING_FAILED) {
        ngx_pos_pg_conn_close(conn, PQerrorMessage(conn->pg), true);
        return;
    }

    if (ngx_pos_pg_register(conn) != NGX_OK) {
        ngx_pos_pg_conn_close(conn, "no connection slot", true);
        return;
    }

    if (poll == PGRES_POLLING_OK) {
        ngx_pos_pg_connected(conn);
        return;
    }

    reading = poll == PGRES_POLLING_READING;
    if (ngx_pos_pg_watch(conn->c->read, NGX_READ_EVENT, reading) != NGX_OK
        || ngx_pos_pg_watch(conn->c->write, NGX_WRITE_EVENT, !reading) != NGX_OK)
    {
        ngx_pos_pg_conn_close(conn, "cannot watch the socket", true);
    }
}

/* ---- the one exit ---- */

static void
ngx_pos_pg_conn_clear(ngx_pos_pg_conn_t *conn)
{
    PQclear(conn->result);
    PQclear(conn->error);
    conn->result = NULL;
    conn->error = NULL;
    conn->answered = false;
    conn->doubtful = false;
    conn->step = 0;
    conn->step_count = 0;
    conn->writer = 0;
}

void
ngx_pos_pg_conn_close(ngx_pos_pg_conn_t *conn, const char *reason, bool lost)
{
    bool               connected = conn->was_live;
    size_t             len;
    ngx_pos_pg_call_t *call = conn->call;

    if (lost) {
        for (len = 0; reason[len] != '\0' && reason[len] != '\n'; len++) {
            /* void */
        }
        ngx_log_error(NGX_LOG_WARN, conn->pool->cycle->log, 0, "database connection closed: %*s", len, reason);
    }

    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    conn->call = NULL;
    ngx_pos_pg_conn_clear(conn);
    ngx_pos_pg_forget(conn);
    ngx_pos_pg_conn_state(conn, NGX_POS_PG_CLOSED);
    conn->was_live = false;

    if (conn->pg != NULL) {
        PQfinish(conn->pg);
        conn->pg = NULL;
    }

    if (lost) {
        ngx_pos_pg_on_lost(conn, call, connected);
    }
}

/* ---- a call ---- */

static bool
ngx_pos_pg_send(ngx_pos_pg_conn_t *conn, ngx_pos_pg_call_t *call)
{
    uint8_t    *steps = conn->steps;
    ngx_uint_t  n = 0, i = call->statement_index;
    const char *value;

    if (!(conn->prepared[0] & 1)) {
        steps[n++] = NGX_POS_PG_STEP_PREPARE_SET;
        if (!PQsendPrepare(conn->pg, NGX_POS_PG_SET_NAME, NGX_POS_PG_SET_SQL, 1, NULL)) {
            return false;
        }
    }

    steps[n++] = NGX_POS_PG_STEP_SET;
    value = call->retailer;
    if (!PQsendQueryPrepared(conn->pg, NGX_POS_PG_SET_NAME, 1, &value, NULL, NULL, 0)) {
        return false;
    }

    if (!(conn->prepared[i / 8] & (1 << (i % 8)))) {
        steps[n++] = NGX_POS_PG_STEP_PREPARE_CALL;
        if (!PQsendPrepare(conn->pg, call->statement, call->sql, 1, NULL)) {
            return false;
        }
    }

    steps[n++] = NGX_POS_PG_STEP_CALL;
    value = call->request;
    if (!PQsendQueryPrepared(conn->pg, call->statement, 1, &value, NULL, NULL, 0)
        || !PQpipelineSync(conn->pg))
    {
        return false;
    }

    conn->step = 0;
    conn->step_count = n;
    conn->statement = i;

    return true;
}

/* Sends what libpq still holds; asks for write events only while it must. */
static bool
ngx_pos_pg_flush(ngx_pos_pg_conn_t *conn)
{
    int rc = PQflush(conn->pg);

    if (rc < 0) {
        return false;
    }

    return ngx_pos_pg_watch(conn->c->write, NGX_WRITE_EVENT, rc > 0) == NGX_OK;
}

void
ngx_pos_pg_conn_run(ngx_pos_pg_conn_t *conn, ngx_pos_pg_call_t *call)
{
    ngx_pos_pg_conn_clear(conn);
    conn->call = call;
    conn->writer = call->writer;
    call->conn = conn;
    ngx_pos_pg_conn_state(conn, NGX_POS_PG_BUSY);

    if (!ngx_pos_pg_send(conn, call) || !ngx_pos_pg_flush(conn)) {
        ngx_pos_pg_conn_close(conn, PQerrorMessage(conn->pg), true);
    }
}

void
ngx_pos_pg_conn_park(ngx_pos_pg_conn_t *conn)
{
    if (ngx_exiting || ngx_terminate || ngx_quit || conn->pool->closing) {
        ngx_pos_pg_conn_close(conn, "no longer needed", false);
        return;
    }

    if (ngx_current_msec - conn->born > conn->lifetime) {
        ngx_pos_pg_conn_close(conn, "its lifetime is over", false);
        ngx_pos_pg_on_retired(conn);
        return;
    }

    ngx_pos_pg_conn_state(conn, NGX_POS_PG_IDLE);
    ngx_queue_insert_head(&conn->pool->idle, &conn->queue);
}

/* Nobody waits for the answer any more; the statement's own time limit bounds
 * how long this lasts, and the timer stands behind that. */
void
ngx_pos_pg_conn_drain(ngx_pos_pg_conn_t *conn)
{
    conn->call = NULL;
    ngx_pos_pg_conn_state(conn, NGX_POS_PG_DRAINING);
    ngx_add_timer(&conn->timer, conn->pool->conf->timeout + 1000);
}

static void
ngx_pos_pg_take(ngx_pos_pg_conn_t *conn, PGresult *res)
{
    bool       ok;
    ngx_uint_t step, i;

    step = conn->step < conn->step_count ? conn->steps[conn->step] : NGX_POS_PG_STEP_CALL;
    conn->step++;
    ok = PQresultStatus(res) == PGRES_TUPLES_OK || PQresultStatus(res) == PGRES_COMMAND_OK;

    if (ok && step == NGX_POS_PG_STEP_PREPARE_SET) {
        conn->prepared[0] |= 1;

    } else if (ok && step == NGX_POS_PG_STEP_PREPARE_CALL) {
        i = conn->statement;
        conn->prepared[i / 8] |= 1 << (i % 8);

    } else if (ok && step == NGX_POS_PG_STEP_CALL && conn->result == NULL) {
        conn->result = res;
        conn->answered = true;
        return;

    } else if (PQresultStatus(res) == PGRES_FATAL_ERROR && conn->error == NULL) {
        conn->error = res;
        return;
    }

    PQclear(res);
}

/* True: the sync came. */
static bool
ngx_pos_pg_results(ngx_pos_pg_conn_t *conn)
{
    PGresult   *res;
    ngx_uint_t  n, none = 0;

    for (n = 0; n < NGX_POS_PG_RESULTS_A_WAKE && none < 2 && !PQisBusy(conn->pg); n++) {
        res = PQgetResult(conn->pg);
        if (res == NULL) {
            none++;
            continue;
        }
        none = 0;

        if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
            PQclear(res);
            return true;
        }

        ngx_pos_pg_take(conn, res);

        if (PQstatus(conn->pg) == CONNECTION_BAD) {
            return false;
        }
    }

    return false;
}

static void
ngx_pos_pg_finish(ngx_pos_pg_conn_t *conn)
{
    bool               doubtful = conn->doubtful;
    PGresult          *result = conn->result, *error = conn->error;
    ngx_pos_pg_call_t *call = conn->call;

    conn->result = NULL;
    conn->error = NULL;
    conn->call = NULL;
    ngx_pos_pg_conn_clear(conn);

    if (!conn->served) {
        conn->served = true;
        ngx_pos_pg_on_served(conn);
    }

    if (conn->state == NGX_POS_PG_DRAINING) {
        ngx_del_timer(&conn->timer);
        PQclear(result);
        PQclear(error);
        ngx_pos_pg_on_ready(conn);
        return;
    }

    ngx_pos_pg_on_answer(conn, call, result, error, doubtful);
}

/* The server said why before it hung up: what it said was about this call. */
static void
ngx_pos_pg_hung_up(ngx_pos_pg_conn_t *conn)
{
    PGresult          *error = conn->error;
    ngx_pos_pg_call_t *call = conn->call;

    if (conn->state == NGX_POS_PG_BUSY && error != NULL && PQresultErrorField(error, PG_DIAG_SQLSTATE) != NULL) {
        conn->error = NULL;
        conn->call = NULL;
        ngx_pos_pg_conn_close(conn, PQerrorMessage(conn->pg), true);
        ngx_pos_pg_on_answer(NULL, call, NULL, error, false);
        return;
    }

    ngx_pos_pg_conn_close(conn, PQerrorMessage(conn->pg), true);
}

static void
ngx_pos_pg_on_idle_input(ngx_pos_pg_conn_t *conn, int consumed)
{
    PGnotify *notify;

    if (!consumed || PQstatus(conn->pg) == CONNECTION_BAD) {
        ngx_pos_pg_conn_close(conn, PQerrorMessage(conn->pg), true);
        return;
    }

    /* Settings reported and notices are fine, an answer is not. */
    if (PQisBusy(conn->pg) == 0) {
        PGresult *res = PQgetResult(conn->pg);
        if (res != NULL) {
            PQclear(res);
            ngx_pos_pg_conn_close(conn, "an answer came that nobody asked for", true);
            return;
        }
    }

    while ((notify = PQnotifies(conn->pg)) != NULL) {
        PQfreemem(notify);
    }
}

static void
ngx_pos_pg_read(ngx_event_t *ev)
{
    int                consumed;
    ngx_connection_t  *c = ev->data;
    ngx_pos_pg_conn_t *conn = c->data;

    if (c->close && (conn->state == NGX_POS_PG_IDLE || c->error)) {
        ngx_pos_pg_conn_close(conn, "the worker ends", conn->state == NGX_POS_PG_BUSY);
        return;
    }

    if (conn->state == NGX_POS_PG_CONNECTING) {
        ngx_pos_pg_connect_step(conn);
        return;
    }

    consumed = PQconsumeInput(conn->pg);

    if (conn->state == NGX_POS_PG_IDLE) {
        ngx_pos_pg_on_idle_input(conn, consumed);
        return;
    }

    if (ngx_pos_pg_results(conn)) {
        ngx_pos_pg_finish(conn);
        return;
    }

    if (!consumed || PQstatus(conn->pg) == CONNECTION_BAD) {
        ngx_pos_pg_hung_up(conn);
        return;
    }

    if (!ngx_pos_pg_flush(conn)) {
        ngx_pos_pg_hung_up(conn);
        return;
    }

    /* more results than one wake takes: level-triggering would not tell of
     * what libpq has read already */
    if (!PQisBusy(conn->pg)) {
        ngx_post_event(ev, &ngx_posted_events);
    }
}

static void
ngx_pos_pg_write(ngx_event_t *ev)
{
    ngx_connection_t  *c = ev->data;
    ngx_pos_pg_conn_t *conn = c->data;

    if (conn->state == NGX_POS_PG_CONNECTING) {
        ngx_pos_pg_connect_step(conn);
        return;
    }

    if (!ngx_pos_pg_flush(conn)) {
        ngx_pos_pg_conn_close(conn, PQerrorMessage(conn->pg), true);
    }
}

static void
ngx_pos_pg_timer(ngx_event_t *ev)
{
    ngx_pos_pg_conn_t *conn = ev->data;

    switch (conn->state) {
    case NGX_POS_PG_CLOSED:
        if (!ngx_exiting) {
            ngx_pos_pg_on_retry(conn);
        }
        break;
    case NGX_POS_PG_CONNECTING:
        ngx_pos_pg_conn_close(conn, "connecting took too long", true);
        break;
    case NGX_POS_PG_DRAINING:
        ngx_pos_pg_conn_close(conn, "an abandoned call did not end", true);
        break;
    default:
        break;
    }
}
