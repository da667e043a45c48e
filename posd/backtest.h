/*
 * Back-tests: past orders priced with a version of a promotion in the book and
 * without it (docs/backtests.md).
 *
 * One process reads the orders by time, in one snapshot of the database, and cuts
 * them into chunks; threads price chunks, each on books of its own over a snapshot of
 * the replica, all of one revision, and count what came of them in the chunk's tally;
 * tallies are put together in the order of the chunks. Where a chunk ends follows from
 * the orders alone, so the result is the same whoever prices what, and when. Memory is
 * that of a few chunks and of tables of bounded size.
 */

#ifndef POS_POSD_BACKTEST_H
#define POS_POSD_BACKTEST_H

#include "engine/script.h"
#include "posd/import.h"
#include "replica/replica.h"

typedef struct {
    const char         *database;      /* conninfo                             */
    const char         *replica;       /* folder                               */
    pos_script_limits_t limits;
    long                script_ms;     /* of processor time, a script's call   */
    unsigned            workers;
    pos_replica_t      *open;          /* NULL: not yet; one a process         */
} pos_backtests_t;

/* Does one leased job to its end: succeeded, or failed with its reasons. `control` tells the
 * job's progress. POS_OK: the job is final. POS_AGAIN: interrupted; whoever holds the
 * lease next runs it again from its beginning, and nothing of it shows before. */
pos_status_t pos_backtest_run(pos_backtests_t *b, pos_pg_t *control, const pos_import_job_t *job)
    POS_MUSTCHECK;

#endif
