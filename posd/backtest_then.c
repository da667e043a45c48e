/*
 * The books of then: a replica of the job's own, at one past revision after another, each
 * opened for the orders that were sold by it. It lies beside posd's and goes with the job.
 */

#include "posd/backtest_data.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "posd/entity.h"
#include "posd/pg.h"

#define THEN_TIMEOUT  (10 * 60 * 1000000LL)    /* history is sorted before the first row comes */
#define THEN_LOOK     100000                   /* µs between two looks at the job */
#define THEN_MAP      (64 * 1024 * 1024)
#define THEN_PREFIX   "past-"
#define THEN_FETCH    "fetch 1000 from past_rows"

struct pos_backtest_then_s {
    char             dir[512];
    pos_pg_t         pg;
    pos_entities_t  *entities;
    char             zone[80];         /* times without an offset are read in it  */
    int64_t          rev;              /* that the replica is at; 0: at none      */
    pos_replica_t   *replica;          /* NULL: while it is written               */
    uint32_t         count;
    pos_then_book_t *books;
};


/* ---- the folder ---- */

static void
remove_folder(const char *dir)
{
    DIR           *d = opendir(dir);
    struct dirent *e;
    char           path[800];

    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
        if (unlink(path) != 0) {
            pos_log("warning", "%s stays: %s", path, strerror(errno));
        }
    }
    if (d != NULL) {
        closedir(d);
    }
    if (rmdir(dir) != 0) {
        pos_log("warning", "%s stays: %s", dir, strerror(errno));
    }
}


void
pos_then_clear(const char *replica)
{
    DIR           *d = opendir(replica);
    struct dirent *e;
    char           path[800];

    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strncmp(e->d_name, THEN_PREFIX, sizeof(THEN_PREFIX) - 1) == 0) {
            snprintf(path, sizeof(path), "%s/%s", replica, e->d_name);
            remove_folder(path);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
}


/* ---- which books ---- */

static bool
list_books(pos_backtest_then_t *t, const PGresult *r)
{
    int n = PQntuples(r);

    t->books = calloc((size_t) n + 1, sizeof(*t->books));
    for (int i = 0; t->books != NULL && i < n; i++) {
        t->books[i].rev = pos_pg_int(r, i, 0);
        t->books[i].since = pos_pg_int(r, i, 2);
        if (!pos_pg_bytes(r, i, 1, t->books[i].hash, POS_SHA256_SIZE)) {
            return false;
        }
    }
    t->count = (uint32_t) n;
    return t->books != NULL;
}


static bool
connect_then(pos_backtest_t *b, pos_backtest_then_t *t)
{
    const char *retailer[] = { b->lease->retailer }, *job[] = { b->lease->job };
    PGresult   *r;
    bool        ok;

    if (pos_pg_connect(&t->pg, b->process->database, "posd back-test's books", 5000000) != POS_OK
        || (r = pos_pg_query(&t->pg, THEN_TIMEOUT, "select set_config('pos.retailer', $1, false)", 1, retailer)) == NULL)
    {
        return false;
    }
    PQclear(r);
    r = pos_pg_query(&t->pg, THEN_TIMEOUT, "select rev, hash, since from pos.backtest_books($1)", 1, job);
    ok = r != NULL && list_books(t, r);
    PQclear(r);
    return ok;
}


pos_status_t
pos_then_open(pos_backtest_t *b, pos_backtest_then_t **out)
{
    pos_backtest_then_t *t = calloc(1, sizeof(*t));
    bool                 ok = t != NULL && connect_then(b, t);

    *out = NULL;
    if (ok && t->count > 0) {
        snprintf(t->dir, sizeof(t->dir), "%.460s/" THEN_PREFIX "XXXXXX", b->process->replica);
        t->entities = pos_entities_create();
        if (mkdtemp(t->dir) == NULL) {
            pos_log("error", "no folder %s for the books of then: %s", t->dir, strerror(errno));
            t->dir[0] = '\0';
        }
        ok = t->dir[0] != '\0' && t->entities != NULL;
        *out = ok ? t : NULL;
    }
    if (!ok && t != NULL && t->pg.error[0] != '\0') {
        pos_log("error", "job %s: the books of then: %s", b->lease->job, t->pg.error);
    }
    if (t != NULL && *out == NULL) {
        pos_then_close(t);
    }
    return !ok ? POS_AGAIN : *out != NULL ? POS_OK : POS_NOT_FOUND;
}


void
pos_then_close(pos_backtest_then_t *t)
{
    if (t->replica != NULL) {
        pos_replica_close(t->replica);
    }
    pos_pg_close(&t->pg);
    if (t->entities != NULL) {
        pos_entities_destroy(t->entities);
    }
    if (t->dir[0] != '\0') {
        remove_folder(t->dir);
    }
    free(t->books);
    free(t);
}


uint32_t
pos_then_book_of(const pos_backtest_then_t *t, int64_t at, uint32_t from)
{
    while (from + 1 < t->count && t->books[from + 1].since <= at) {
        from++;
    }
    return from;
}


/* ---- from one to the next ---- */

static bool
put_rows(pos_backtest_t *b, pos_backtest_then_t *t, pos_replica_writer_t *writer, const pos_revision_t *revision)
{
    const pos_row_t *rows;
    size_t           count, refused = 0;

    rows = pos_entities_rows(t->entities, &count);
    if (pos_writer_apply(writer, revision, rows, count, &refused) != POS_OK) {
        pos_log("error", "job %s: the book of then cannot be written: %s", b->lease->job, pos_writer_error(writer));
        return false;
    }
    if (refused > 0) {
        pos_log("warning", "job %s: %zu rows of revision %lld have keys that cannot be kept", b->lease->job, refused,
            (long long) revision->rev);
    }
    return true;
}


/* The zone of the book; NULL: the database does not say. */
static const pos_zone_t *
find_zone(pos_backtest_then_t *t, const char *rev, bool *moved)
{
    const char       *params[] = { rev };
    const pos_zone_t *zone;
    PGresult         *r = pos_pg_query(&t->pg, THEN_TIMEOUT, "select pos.backtest_zone($1::bigint)", 1, params);

    if (r == NULL || PQntuples(r) != 1) {
        PQclear(r);
        return NULL;
    }
    *moved = strcmp(t->zone, PQgetvalue(r, 0, 0)) != 0;
    snprintf(t->zone, sizeof(t->zone), "%s", PQgetvalue(r, 0, 0));
    PQclear(r);
    zone = pos_entities_zone(t->entities, pos_str_z(t->zone), NULL);
    return zone != NULL ? zone : pos_zone_utc();
}


/* All that any book of the retailer names, with the first. */
static bool
add_zones(pos_backtest_t *b, pos_backtest_then_t *t)
{
    PGresult *r = pos_pg_query(&t->pg, THEN_TIMEOUT, "select pos.backtest_zones()", 0, NULL);
    bool      ok = r != NULL;

    for (int i = 0; ok && i < PQntuples(r); i++) {
        ok = pos_entities_add_zone(t->entities, b->lease->retailer, pos_pg_value(r, i, 0)) == POS_OK;
    }
    PQclear(r);
    return ok;
}


/* The first come when all history is sorted: meanwhile the lease is renewed, and a job that was
 * cancelled ends. */
static PGresult *
wait_for_rows(pos_backtest_t *b, pos_backtest_then_t *t)
{
    if (!pos_pg_send(&t->pg, THEN_FETCH)) {
        return NULL;
    }
    while (!pos_pg_ready(&t->pg)) {
        if (!pos_backtest_progress(b, "opening")) {
            return NULL;
        }
        pos_wait(PQsocket(t->pg.conn), THEN_LOOK);
    }
    return pos_pg_receive(&t->pg, THEN_TIMEOUT);
}


/* One fetch; `*more`: there may be another. */
static bool
fetch_rows(pos_backtest_t *b, pos_backtest_then_t *t, const pos_zone_t *zone, bool *more)
{
    PGresult *r = wait_for_rows(b, t);
    bool      ok = r != NULL;

    *more = ok && PQntuples(r) > 0;
    for (int i = 0; ok && i < PQntuples(r); i++) {
        ok = pos_entities_add(t->entities, b->lease->retailer, pos_pg_value(r, i, 0), pos_pg_value(r, i, 1),
                 pos_pg_value(r, i, 2), zone) == POS_OK;
    }
    PQclear(r);
    return ok;
}


/* Keys to the API are in no book of then. Where the zone moved all is read anew: it is part of
 * what times without an offset mean. */
static bool
write_book(pos_backtest_t *b, pos_backtest_then_t *t, const pos_then_book_t *book, pos_replica_writer_t *writer)
{
    pos_revision_t    revision = { .id = b->lease->retailer, .epoch = "then", .rev = book->rev };
    const pos_zone_t *zone;
    char              sql[240], rev[24];
    bool              moved = true, more = true, ok;

    memcpy(revision.hash, book->hash, POS_SHA256_SIZE);
    snprintf(rev, sizeof(rev), "%lld", (long long) book->rev);
    zone = find_zone(t, rev, &moved);
    snprintf(sql, sizeof(sql),
        "begin read only; declare past_rows no scroll cursor for select kind, key, value"
        " from pos.book_between(pos.current_retailer(), %lld, %lld) where kind <> 'key'",
        moved ? 0LL : (long long) t->rev, (long long) book->rev);
    pos_entities_reset(t->entities);
    ok = zone != NULL && (t->rev > 0 || add_zones(b, t)) && pos_pg_run(&t->pg, THEN_TIMEOUT, sql);
    while (ok && more) {
        ok = fetch_rows(b, t, zone, &more) && put_rows(b, t, writer, &revision) && pos_backtest_progress(b, "opening");
        pos_entities_reset(t->entities);
    }
    return ok && pos_pg_run(&t->pg, THEN_TIMEOUT, "commit");
}


/* LMDB allows one opening of a file in a process: it is read and written by turns. */
bool
pos_then_go(pos_backtest_t *b, pos_backtest_then_t *t, uint32_t which)
{
    pos_replica_writer_t *writer = NULL;
    bool                  ok;

    if (t->replica != NULL) {
        pos_replica_close(t->replica);
        t->replica = NULL;
    }
    if (pos_writer_open(t->dir, THEN_MAP, &writer) != POS_OK) {
        pos_log("error", "job %s: no replica for the books of then: %s", b->lease->job, pos_writer_error(NULL));
        return false;
    }
    ok = write_book(b, t, &t->books[which], writer);
    pos_writer_close(writer);
    if (ok) {
        t->rev = t->books[which].rev;
        ok = pos_replica_open(t->dir, &t->replica) == POS_OK;
    }
    return ok;
}


pos_replica_t *
pos_then_replica(const pos_backtest_then_t *t)
{
    return t->replica;
}


const char *
pos_then_error(const pos_backtest_then_t *t)
{
    return t->pg.error;
}
