/*
 * libpq for a process that may wait, but never for ever: every call has a
 * deadline and ends early when the process is told to stop.
 */

#ifndef POS_POSD_PG_H
#define POS_POSD_PG_H

#include <libpq-fe.h>
#include <signal.h>

#include "base/base.h"

typedef struct {
    PGconn *conn;          /* NULL: not connected */
    char    error[512];    /* of the last failure, one line */
    char    sqlstate[6];   /* of the last failure, or empty */
    char   *detail;        /* the error's DETAIL, malloc'ed, or NULL */
} pos_pg_t;

/* Set by SIGTERM and SIGINT: everything that waits returns. */
extern volatile sig_atomic_t pos_stop;

/* µs of the monotonic clock. */
int64_t pos_now(void);
/* Waits up to `us`, less when told to stop or when `fd` (-1: none) is readable. */
void pos_wait(int fd, int64_t us);
/* The same for either of two. */
void pos_wait_two(int fd, int other, int64_t us);

/* POS_AGAIN: told to stop, or the deadline passed; POS_BROKEN: refused. Sets
 * UTF-8, an application name and server-side timeouts. */
pos_status_t pos_pg_connect(pos_pg_t *pg, const char *conninfo,
    const char *name, int64_t timeout_us) POS_MUSTCHECK;
void pos_pg_close(pos_pg_t *pg);

/* One statement with text parameters; NULL on failure (error is filled; the
 * connection is closed when it cannot be used any more). The caller clears. */
PGresult *pos_pg_query(pos_pg_t *pg, int64_t timeout_us, const char *sql,
    int count, const char *const *params) POS_MUSTCHECK;
/* Several statements in one text, no results wanted. */
bool pos_pg_run(pos_pg_t *pg, int64_t timeout_us, const char *sql)
    POS_MUSTCHECK;
/* The two halves of a query, to work while the server does. */
bool pos_pg_send(pos_pg_t *pg, const char *sql) POS_MUSTCHECK;
PGresult *pos_pg_receive(pos_pg_t *pg, int64_t timeout_us) POS_MUSTCHECK;
/* Would pos_pg_receive() return without waiting? */
bool pos_pg_ready(pos_pg_t *pg);
/* COPY data, waiting while the socket is full. */
bool pos_pg_copy_put(pos_pg_t *pg, int64_t timeout_us, const char *data,
    size_t len) POS_MUSTCHECK;
bool pos_pg_copy_end(pos_pg_t *pg, int64_t timeout_us) POS_MUSTCHECK;
/* The next message of a COPY to here: its length, `*data` to be given to PQfreemem();
 * 0: the end, and all went well; -1: failure. */
int pos_pg_copy_get(pos_pg_t *pg, int64_t timeout_us, char **data) POS_MUSTCHECK;

pos_str_t pos_pg_value(const PGresult *result, int row, int column);
int64_t   pos_pg_int(const PGresult *result, int row, int column);
/* A bytea of exactly `len` bytes in hex form. */
bool      pos_pg_bytes(const PGresult *result, int row, int column,
    uint8_t *out, size_t len) POS_MUSTCHECK;

/* One line to standard error: time, level, text. */
void pos_log(const char *level, const char *format, ...) POS_PRINTF(2, 3);

#endif
