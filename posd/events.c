/*
 * The events' process: numbers committed events, so that whoever reads them by
 * number misses none. It may be killed at any instant: numbers are given in one
 * transaction, by one session at a time, and what has none yet is found again.
 */

#include "posd/commands.h"
#include "posd/pg.h"

#define EVENTS_TIMEOUT   (30 * 1000000LL)
#define EVENTS_BATCH     500
#define EVENTS_POLL_US   200000
#define EVENTS_OTHER_US  1000000         /* where another posd does it */
#define EVENTS_RETRY_US  2000000

#define EVENTS_TEXT_(n)  #n
#define EVENTS_TEXT(n)   EVENTS_TEXT_(n)


/* How many got a number; -1: another session is at it; -2: failure. */
static int64_t
events_number(pos_pg_t *pg)
{
    PGresult *r = pos_pg_query(pg, EVENTS_TIMEOUT,
        "select pos.number_events(" EVENTS_TEXT(EVENTS_BATCH) ")", 0, NULL);
    int64_t   n;

    if (r == NULL) {
        return -2;
    }

    n = PQgetisnull(r, 0, 0) ? -1 : pos_pg_int(r, 0, 0);
    PQclear(r);
    return n;
}


static void
events_turn(pos_pg_t *pg, const char *database, int64_t *backoff)
{
    int64_t n = -2;

    if (pg->conn != NULL
        || pos_pg_connect(pg, database, "posd events", 5000000) == POS_OK)
    {
        n = events_number(pg);
    }

    if (n == -2) {
        if (!pos_stop) {
            pos_log("error", "events: %s", pg->error);
        }
        pos_pg_close(pg);
        pos_wait(-1, *backoff);
        *backoff = *backoff * 2 < EVENTS_RETRY_US ? *backoff * 2 : EVENTS_RETRY_US;
        return;
    }

    *backoff = EVENTS_POLL_US;
    if (n < EVENTS_BATCH) {
        pos_wait(-1, n < 0 ? EVENTS_OTHER_US : EVENTS_POLL_US);
    }
}


int
pos_command_events(const pos_options_t *o)
{
    pos_pg_t pg = { 0 };
    int64_t  backoff = EVENTS_POLL_US;

    while (!pos_stop) {
        events_turn(&pg, o->database, &backoff);
    }

    pos_pg_close(&pg);
    return 0;
}
