/*
 * The process for suspending: a promotion whose script held up a process, nginx's
 * or posd's, is out of use there and then; here the database learns of it, so that
 * the API says so and the feed takes it out of the book.
 *
 * The quarantine is the one source of what there is to do. It is looked through
 * against a retailer's promotions when either has changed since, so a database
 * that is down only delays it, and a source that is published once more is
 * suspended once more. Without anything in quarantine there is no connection.
 */

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "posd/commands.h"
#include "posd/feed.h"
#include "posd/pg.h"
#include "replica/quarantine_file.h"

#define SUSPEND_TIMEOUT   (30 * 1000000LL)
#define SUSPEND_POLL_US   500000
#define SUSPEND_RETRY_US  2000000
#define SUSPEND_SOURCES   (POS_QUARANTINE_MAX * (2 * POS_SHA256_SIZE + 1) + 1)

typedef struct {
    pos_pg_t          pg;
    pos_quarantine_t *quarantine;
    unsigned long     changes;     /* the quarantine's at the last look …     */
    PGresult         *heads;       /* … and the retailers' revisions; or NULL */
} suspend_t;


/* The sources in hex, with commas between. */
static void
suspend_sources(const pos_quarantine_t *quarantine, char out[SUSPEND_SOURCES])
{
    const pos_culprit_t *culprit;
    size_t               n = 0;
    unsigned             i;

    for (i = 0; i < POS_QUARANTINE_MAX; i++) {
        culprit = pos_quarantine_at(quarantine, i);
        if (culprit != NULL) {
            pos_hex(pos_str_of((const char *) culprit->source, POS_SHA256_SIZE), out + n);
            n += 2 * POS_SHA256_SIZE;
            out[n++] = ',';
        }
    }
    out[n > 0 ? n - 1 : 0] = '\0';
}


/* One promotion in a transaction of its own, since that is one revision. 1: one
 * was suspended; 0: there is none; -1: failure. */
static int
suspend_one(suspend_t *s, const char *retailer, const char *sources)
{
    const char *params[] = { sources };
    PGresult   *r;
    int         n;

    if (!pos_pg_run(&s->pg, SUSPEND_TIMEOUT, "begin")
        || !pos_feed_enter(&s->pg, retailer))
    {
        return -1;
    }

    r = pos_pg_query(&s->pg, SUSPEND_TIMEOUT,
        "select suspended, encode(culprit, 'hex') from pos.suspend_quarantined("
        "(select array_agg(decode(s, 'hex')) from unnest(string_to_array($1, ',')) s))",
        1, params);
    if (r == NULL || !pos_pg_run(&s->pg, SUSPEND_TIMEOUT, "commit")) {
        PQclear(r);
        return -1;
    }

    n = PQntuples(r);
    if (n > 0) {
        pos_log("warning", "retailer %s: promotion \"%s\" is suspended: its script"
                " (SHA-256 %s) is quarantined", retailer, PQgetvalue(r, 0, 0),
                PQgetvalue(r, 0, 1));
    }

    PQclear(r);
    return n > 0;
}


/* One that is locked for long, by an import say, holds up none behind it. */
static void
suspend_give_up(suspend_t *s, const char *retailer)
{
    pos_log("error", "suspend: retailer %s: %s", retailer, s->pg.error);
    if (s->pg.conn != NULL && !pos_pg_run(&s->pg, SUSPEND_TIMEOUT, "rollback")) {
        pos_pg_close(&s->pg);
    }
    s->pg.error[0] = '\0';
}


/* Rows come by retailer in both. */
static bool
suspend_seen(const suspend_t *s, const PGresult *heads, int row, int *at)
{
    while (s->heads != NULL && *at < PQntuples(s->heads)
           && pos_pg_int(s->heads, *at, 0) < pos_pg_int(heads, row, 0))
    {
        (*at)++;
    }

    return s->heads != NULL && *at < PQntuples(s->heads)
           && pos_pg_int(s->heads, *at, 0) == pos_pg_int(heads, row, 0)
           && pos_pg_int(s->heads, *at, 1) == pos_pg_int(heads, row, 1);
}


static bool
suspend_look(suspend_t *s)
{
    char           sources[SUSPEND_SOURCES];
    unsigned long  changes = pos_quarantine_changes(s->quarantine);
    PGresult      *heads;
    bool           failed = false;
    int            i, at = 0, n;

    suspend_sources(s->quarantine, sources);
    heads = pos_pg_query(&s->pg, SUSPEND_TIMEOUT,
                         "select retailer_id, rev from pos.book_heads()", 0, NULL);
    if (heads == NULL) {
        return false;
    }

    for (i = 0; s->pg.conn != NULL && i < PQntuples(heads); i++) {
        if (suspend_seen(s, heads, i, &at) && changes == s->changes) {
            continue;
        }
        do {
            n = suspend_one(s, PQgetvalue(heads, i, 0), sources);
        } while (n > 0 && !pos_stop);
        if (n < 0) {
            failed = true;
            suspend_give_up(s, PQgetvalue(heads, i, 0));
        }
    }

    if (failed) {
        PQclear(heads);
        return false;
    }

    PQclear(s->heads);
    s->heads = heads;
    s->changes = changes;
    return true;
}


/* What a whole look has seen stays known; one that fails in part is taken again. */
static void
suspend_turn(suspend_t *s, const char *database, int64_t *backoff)
{
    if (pos_quarantine_changes(s->quarantine) == 0) {
        pos_wait(-1, SUSPEND_POLL_US);
        return;
    }

    if ((s->pg.conn != NULL
         || pos_pg_connect(&s->pg, database, "posd suspend", 5000000) == POS_OK)
        && suspend_look(s))
    {
        *backoff = SUSPEND_POLL_US;
        pos_wait(-1, SUSPEND_POLL_US);
        return;
    }

    if (!pos_stop && s->pg.error[0] != '\0') {
        pos_log("error", "suspend: %s", s->pg.error);
    }
    pos_pg_close(&s->pg);
    pos_wait(-1, *backoff);
    *backoff = *backoff * 2 < SUSPEND_RETRY_US ? *backoff * 2 : SUSPEND_RETRY_US;
}


int
pos_command_suspend(const pos_options_t *o)
{
    suspend_t s = { 0 };
    int64_t   backoff = SUSPEND_POLL_US;

    if (pos_quarantine_open(o->replica, &s.quarantine) != POS_OK) {
        pos_log("error", "the quarantine in %s: %s", o->replica, strerror(errno));
        return 1;
    }

    while (!pos_stop) {
        suspend_turn(&s, o->database, &backoff);
    }

    PQclear(s.heads);
    pos_pg_close(&s.pg);
    return 0;
}
