/*
 * Waiting for PostgreSQL, with deadlines.
 */

#include "posd/pg.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"

#define WAIT_SLICE_MS  200     /* how long a signal that came just before a wait is missed */

volatile sig_atomic_t pos_stop;


int64_t
pos_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}


void
pos_log(const char *level, const char *format, ...)
{
    struct timespec ts;
    struct tm       tm;
    va_list         args;
    char            text[1024], at[32];

    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    strftime(at, sizeof(at), "%Y-%m-%dT%H:%M:%S", &tm);

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "%s.%03ldZ posd [%s] %s\n", at, ts.tv_nsec / 1000000,
            level, text);
}


/* True: readable or writable as asked. */
static bool
wait_slice(int fd, short events, int64_t us)
{
    struct pollfd p = { .fd = fd, .events = events };
    int64_t       ms = us <= 0 ? 0 : (us + 999) / 1000;

    if (ms > WAIT_SLICE_MS) {
        ms = WAIT_SLICE_MS;
    }

    return poll(&p, fd < 0 ? 0 : 1, (int) ms) > 0;
}


void
pos_wait(int fd, int64_t us)
{
    int64_t until = pos_now() + us;

    while (!pos_stop && pos_now() < until) {
        if (wait_slice(fd, POLLIN, until - pos_now())) {
            return;
        }
    }
}


void
pos_wait_two(int fd, int other, int64_t us)
{
    struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
                           { .fd = other, .events = POLLIN } };
    int64_t       until = pos_now() + us, left;

    while (!pos_stop && (left = until - pos_now()) > 0) {
        left = (left + 999) / 1000;
        if (poll(p, 2, left < WAIT_SLICE_MS ? (int) left : WAIT_SLICE_MS) > 0) {
            return;
        }
    }
}


static void
pg_fail(pos_pg_t *pg, const char *text)
{
    size_t n;

    snprintf(pg->error, sizeof(pg->error), "%s", text);
    for (n = strlen(pg->error); n > 0 && pg->error[n - 1] == '\n'; n--) {
        pg->error[n - 1] = '\0';
    }
    for (n = 0; pg->error[n] != '\0'; n++) {
        if (pg->error[n] == '\n') {
            pg->error[n] = ' ';
        }
    }
}


static bool
pg_wait(pos_pg_t *pg, short events, int64_t deadline)
{
    while (!pos_stop && pos_now() < deadline) {
        if (wait_slice(PQsocket(pg->conn), events, deadline - pos_now())) {
            return true;
        }
    }

    pg_fail(pg, pos_stop ? "stopped" : "no answer in time");
    return false;
}


void
pos_pg_close(pos_pg_t *pg)
{
    if (pg->conn != NULL) {
        PQfinish(pg->conn);
        pg->conn = NULL;
    }
    free(pg->detail);
    pg->detail = NULL;
}


static pos_status_t
pg_handshake(pos_pg_t *pg, int64_t deadline)
{
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;

    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED) {
            pg_fail(pg, PQerrorMessage(pg->conn));
            return POS_BROKEN;
        }
        if (!pg_wait(pg, next == PGRES_POLLING_READING ? POLLIN : POLLOUT,
                     deadline))
        {
            return POS_AGAIN;
        }
        next = PQconnectPoll(pg->conn);
    }

    return POS_OK;
}


static void
pg_quiet(void *arg, const char *message)
{
    (void) arg;
    (void) message;
}


pos_status_t
pos_pg_connect(pos_pg_t *pg, const char *conninfo, const char *name,
    int64_t timeout_us)
{
    const char *keys[] = { "dbname", "application_name", "client_encoding",
                           "tcp_user_timeout", "keepalives_idle", "options",
                           NULL };
    const char *values[] = { conninfo, name, "UTF8", "10000", "10",
                             "-c lock_timeout=10s -c timezone=UTC"
                             " -c datestyle=ISO -c client_min_messages=warning",
                             NULL };
    pos_status_t status;

    pos_pg_close(pg);
    pg->conn = PQconnectStartParams(keys, values, 1);
    if (pg->conn == NULL) {
        pg_fail(pg, "no memory");
        return POS_NO_MEMORY;
    }

    status = pg_handshake(pg, pos_now() + timeout_us);
    if (status == POS_OK && PQsetnonblocking(pg->conn, 1) != 0) {
        pg_fail(pg, PQerrorMessage(pg->conn));
        status = POS_BROKEN;
    }
    if (status != POS_OK) {
        pos_pg_close(pg);
        return status;
    }

    PQsetNoticeProcessor(pg->conn, pg_quiet, NULL);
    return POS_OK;
}


static bool
pg_flush(pos_pg_t *pg, int64_t deadline)
{
    int rc;

    while ((rc = PQflush(pg->conn)) == 1) {
        if (!pg_wait(pg, POLLIN | POLLOUT, deadline)) {
            return false;
        }
        if (PQconsumeInput(pg->conn) == 0) {
            rc = -1;
            break;
        }
    }

    if (rc != 0) {
        pg_fail(pg, PQerrorMessage(pg->conn));
    }

    return rc == 0;
}


/* The next result, NULL at the command's end (`*ok`) or on failure. */
static PGresult *
pg_next(pos_pg_t *pg, int64_t deadline, bool *ok)
{
    *ok = false;
    if (!pg_flush(pg, deadline)) {
        return NULL;
    }

    while (PQisBusy(pg->conn)) {
        if (!pg_wait(pg, POLLIN, deadline)) {
            return NULL;
        }
        if (PQconsumeInput(pg->conn) == 0) {
            pg_fail(pg, PQerrorMessage(pg->conn));
            return NULL;
        }
    }

    *ok = true;
    return PQgetResult(pg->conn);
}


static void
pg_take_error(pos_pg_t *pg, const PGresult *result)
{
    const char *field = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    snprintf(pg->sqlstate, sizeof(pg->sqlstate), "%s", field ? field : "");
    field = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    free(pg->detail);
    pg->detail = field ? strdup(field) : NULL;
    pg_fail(pg, PQresultErrorMessage(result));
}


/* The last result of a command; all must be good. A connection on which an
 * answer is still to come cannot be used again. */
PGresult *
pos_pg_receive(pos_pg_t *pg, int64_t timeout_us)
{
    int64_t         deadline = pos_now() + timeout_us;
    PGresult       *last = NULL, *r;
    ExecStatusType  status;
    bool            ok, failed = false;

    pg->sqlstate[0] = '\0';
    for (;;) {
        r = pg_next(pg, deadline, &ok);
        if (!ok) {
            PQclear(last);
            pos_pg_close(pg);
            return NULL;
        }
        if (r == NULL) {
            break;
        }

        status = PQresultStatus(r);
        if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
            pg_take_error(pg, r);
            failed = true;
        }
        PQclear(last);
        last = r;
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) {
            return last;
        }
    }

    if (PQstatus(pg->conn) != CONNECTION_OK) {
        failed = true;
        pos_pg_close(pg);
    }
    if (failed) {
        PQclear(last);
        return NULL;
    }

    return last;
}


bool
pos_pg_send(pos_pg_t *pg, const char *sql)
{
    if (pg->conn == NULL || PQsendQuery(pg->conn, sql) == 0) {
        pg_fail(pg, pg->conn ? PQerrorMessage(pg->conn) : "not connected");
        return false;
    }

    return true;
}


bool
pos_pg_ready(pos_pg_t *pg)
{
    return pg->conn == NULL || PQflush(pg->conn) < 0
           || PQconsumeInput(pg->conn) == 0 || !PQisBusy(pg->conn);
}


PGresult *
pos_pg_query(pos_pg_t *pg, int64_t timeout_us, const char *sql, int count,
    const char *const *params)
{
    if (pg->conn == NULL
        || PQsendQueryParams(pg->conn, sql, count, NULL, params, NULL, NULL,
                             0) == 0)
    {
        pg_fail(pg, pg->conn ? PQerrorMessage(pg->conn) : "not connected");
        return NULL;
    }

    return pos_pg_receive(pg, timeout_us);
}


bool
pos_pg_run(pos_pg_t *pg, int64_t timeout_us, const char *sql)
{
    PGresult *r;

    if (!pos_pg_send(pg, sql)) {
        return false;
    }

    r = pos_pg_receive(pg, timeout_us);
    PQclear(r);
    return r != NULL;
}


bool
pos_pg_copy_put(pos_pg_t *pg, int64_t timeout_us, const char *data, size_t len)
{
    int64_t deadline = pos_now() + timeout_us;
    int     rc;

    while ((rc = PQputCopyData(pg->conn, data, (int) len)) == 0) {
        if (!pg_wait(pg, POLLOUT, deadline)) {
            return false;
        }
    }

    if (rc < 0) {
        pg_fail(pg, PQerrorMessage(pg->conn));
        return false;
    }

    return pg_flush(pg, deadline);
}


bool
pos_pg_copy_end(pos_pg_t *pg, int64_t timeout_us)
{
    int64_t   deadline = pos_now() + timeout_us;
    PGresult *r;
    int       rc;

    while ((rc = PQputCopyEnd(pg->conn, NULL)) == 0) {
        if (!pg_wait(pg, POLLOUT, deadline)) {
            return false;
        }
    }

    if (rc < 0) {
        pg_fail(pg, PQerrorMessage(pg->conn));
        return false;
    }

    r = pos_pg_receive(pg, timeout_us);
    PQclear(r);
    return r != NULL;
}


int
pos_pg_copy_get(pos_pg_t *pg, int64_t timeout_us, char **data)
{
    int64_t   deadline = pos_now() + timeout_us;
    PGresult *r;
    int       n;

    while ((n = PQgetCopyData(pg->conn, data, 1)) == 0) {
        if (!pg_wait(pg, POLLIN, deadline)) {
            pos_pg_close(pg);
            return -1;
        }
        if (PQconsumeInput(pg->conn) == 0) {
            pg_fail(pg, PQerrorMessage(pg->conn));
            pos_pg_close(pg);
            return -1;
        }
    }

    if (n > 0) {
        return n;
    }

    r = pos_pg_receive(pg, timeout_us);
    PQclear(r);
    return r != NULL ? 0 : -1;
}


pos_str_t
pos_pg_value(const PGresult *r, int row, int column)
{
    if (PQgetisnull(r, row, column)) {
        return (pos_str_t) { NULL, 0 };
    }

    return pos_str_of(PQgetvalue(r, row, column),
                      (size_t) PQgetlength(r, row, column));
}


int64_t
pos_pg_int(const PGresult *r, int row, int column)
{
    return strtoll(PQgetvalue(r, row, column), NULL, 10);
}


bool
pos_pg_bytes(const PGresult *r, int row, int column, uint8_t *out, size_t len)
{
    pos_str_t text = pos_pg_value(r, row, column);

    return text.len == 2 * len + 2 && text.data[0] == '\\'
           && text.data[1] == 'x'
           && pos_unhex(pos_str_of(text.data + 2, 2 * len), out);
}
