/*
 * The sweep's process: gives back what checkouts reserved and let expire. Whoever
 * needs it before it comes looks for itself, so it may be killed, or be late, at
 * any time: nothing is lost and nothing comes back twice.
 */

#include "posd/commands.h"
#include "posd/feed.h"
#include "posd/pg.h"

#define SWEEP_TIMEOUT   (30 * 1000000LL)
#define SWEEP_POLL_US   1000000
#define SWEEP_RETRY_US  8000000


/* One retailer's, in a transaction of its own. */
static bool
sweep_retailer(pos_pg_t *pg, const char *retailer)
{
    PGresult *r;

    if (!pos_pg_run(pg, SWEEP_TIMEOUT, "begin") || !pos_feed_enter(pg, retailer)) {
        return false;
    }

    r = pos_pg_query(pg, SWEEP_TIMEOUT, "select pos.usage_sweep()", 0, NULL);
    PQclear(r);
    return r != NULL && pos_pg_run(pg, SWEEP_TIMEOUT, "commit");
}


static bool
sweep_all(pos_pg_t *pg)
{
    PGresult *r = pos_pg_query(pg, SWEEP_TIMEOUT,
                               "select retailer_id from pos.usage_overdue()", 0, NULL);
    bool      ok = r != NULL;
    int       i;

    for (i = 0; ok && !pos_stop && i < PQntuples(r); i++) {
        ok = sweep_retailer(pg, PQgetvalue(r, i, 0));
    }

    PQclear(r);
    return ok;
}


int
pos_command_sweep(const pos_options_t *o)
{
    pos_pg_t pg = { 0 };
    int64_t  backoff = SWEEP_POLL_US;

    while (!pos_stop) {
        if ((pg.conn != NULL
             || pos_pg_connect(&pg, o->database, "posd sweep", 5000000) == POS_OK)
            && sweep_all(&pg))
        {
            backoff = SWEEP_POLL_US;
        } else {
            if (!pos_stop) {
                pos_log("error", "sweep: %s", pg.error);
            }
            pos_pg_close(&pg);
            backoff = backoff * 2 < SWEEP_RETRY_US ? backoff * 2 : SWEEP_RETRY_US;
        }
        pos_wait(-1, backoff);
    }

    pos_pg_close(&pg);
    return 0;
}
