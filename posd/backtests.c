/*
 * The back-tests' process: leases one after the other and runs it, apart from all other
 * jobs, which so never wait for one; and behind everybody else on the machine.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "posd/backtest.h"
#include "posd/backtest_data.h"
#include "posd/commands.h"
#include "posd/watch.h"

#define BACKTESTS_TIMEOUT  (30 * 1000000LL)
#define BACKTESTS_POLL     500000
#define BACKTESTS_BACKOFF  2000000
#define BACKTESTS_NICE     10


/* 1 a job, 0 none, -1 failure. */
static int
claim(pos_pg_t *control, pos_import_job_t *job)
{
    PGresult *r;
    int       n;

    r = pos_pg_query(control, BACKTESTS_TIMEOUT,
        "select retailer_id, job_id, lease, attempts from pos.claim_backtest(30) where job_id is not null", 0, NULL);
    if (r == NULL) {
        return -1;
    }
    n = PQntuples(r);
    if (n > 0) {
        memset(job, 0, sizeof(*job));
        snprintf(job->retailer, sizeof(job->retailer), "%s", PQgetvalue(r, 0, 0));
        snprintf(job->job, sizeof(job->job), "%s", PQgetvalue(r, 0, 1));
        snprintf(job->lease, sizeof(job->lease), "%s", PQgetvalue(r, 0, 2));
        job->attempts = (int) pos_pg_int(r, 0, 3);
    }
    PQclear(r);
    return n > 0;
}


static bool
connected(pos_pg_t *control, const char *database)
{
    return control->conn != NULL
           || (pos_pg_connect(control, database, "posd back-tests", 5000000) == POS_OK
               && pos_pg_run(control, BACKTESTS_TIMEOUT, "listen pos_job"));
}


/* Until something is said, or a moment has passed. */
static void
listen_on(pos_pg_t *control)
{
    PGnotify *n;

    pos_wait(PQsocket(control->conn), BACKTESTS_POLL);
    if (PQconsumeInput(control->conn) == 0) {
        pos_pg_close(control);
        return;
    }
    while ((n = PQnotifies(control->conn)) != NULL) {
        PQfreemem(n);
    }
}


static void
turn(pos_backtests_t *b, pos_pg_t *control, int64_t *backoff)
{
    pos_import_job_t job;
    int              claimed = connected(control, b->database) ? claim(control, &job) : -1;

    if (claimed < 0) {
        if (!pos_stop) {
            pos_log("error", "back-tests: %s", control->error);
        }
        pos_pg_close(control);
        pos_wait(-1, *backoff);
        *backoff = *backoff < BACKTESTS_BACKOFF ? *backoff * 2 : BACKTESTS_BACKOFF;
        return;
    }
    *backoff = 100000;
    if (claimed == 0) {
        listen_on(control);
        return;
    }
    pos_log("info", "job %s of retailer %s, attempt %d", job.job, job.retailer, job.attempts);
    if (pos_backtest_run(b, control, &job) != POS_OK) {
        pos_wait(-1, BACKTESTS_POLL);
    }
}


/* 0 or nothing: one for each processor. */
static bool
workers_of(const char *text, unsigned *out)
{
    char *end = NULL;
    long  n = text != NULL ? strtol(text, &end, 10) : 0;

    if (text != NULL && (*text == '\0' || *end != '\0' || n < 0 || n > POS_BACKTEST_WORKERS)) {
        pos_log("error", "--workers is not 0 (one a processor) to %d", POS_BACKTEST_WORKERS);
        return false;
    }
    if (n == 0) {
        n = sysconf(_SC_NPROCESSORS_ONLN);
        n = n < 1 ? 1 : n > POS_BACKTEST_WORKERS ? POS_BACKTEST_WORKERS : n;
    }
    *out = (unsigned) n;
    return true;
}


int
pos_command_backtests(const pos_options_t *o)
{
    pos_backtests_t b = { .database = o->database, .replica = o->replica };
    pos_pg_t        control = { 0 };
    int64_t         backoff = 100000;

    if (!pos_watch_limits(o->instructions, &b.limits) || !pos_watch_limit(o->script_cpu, &b.script_ms)
        || !workers_of(o->workers, &b.workers) || !pos_watch_open(o->replica))
    {
        return 1;
    }
    if (setpriority(PRIO_PROCESS, 0, BACKTESTS_NICE) != 0) {
        pos_log("warning", "back-tests run at no lower priority: %s", strerror(errno));
    }
    pos_then_clear(o->replica);
    while (!pos_stop) {
        turn(&b, &control, &backoff);
    }
    pos_pg_close(&control);
    pos_replica_close(b.open);
    return 0;
}
