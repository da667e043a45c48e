/*
 * The jobs' process: leases one job after the other and does it. It may be
 * killed at any instant: the lease runs out, and the job is done again from
 * its beginning, since nothing of it shows before its one transaction.
 */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "posd/commands.h"
#include "posd/coupon_batch.h"
#include "posd/file.h"
#include "posd/import.h"
#include "posd/pg.h"
#include "posd/watch.h"

#define JOBS_TIMEOUT     (30 * 1000000LL)
#define JOBS_POLL_US     500000
#define JOBS_SPOOL_US    (10 * 60 * 1000000LL)
#define JOBS_SPOOL_OLD   3600               /* seconds */
#define JOBS_LEASE       "30"               /* seconds */

typedef struct {
    const pos_options_t *options;
    pos_import_t        *import;
    pos_pg_t             control, stage;
    int64_t              next_spool, backoff;
} jobs_t;


/* Only a plain name within the spool folder. */
static bool
spool_name_ok(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL
           && strlen(name) < 200;
}


/* The row of a claimed job; 1 a job, 0 none, -1 failure. */
static int
jobs_claim(jobs_t *j, pos_import_job_t *job)
{
    PGresult *r;
    char     *name;
    int       n;

    r = pos_pg_query(&j->control, JOBS_TIMEOUT,
        "select retailer_id, job_id, lease, attempts,"
        " coalesce(params ->> 'spool', params ->> 'file', ''), kind"
        " from pos.claim_job(" JOBS_LEASE ") where job_id is not null", 0, NULL);
    if (r == NULL) {
        return -1;
    }

    n = PQntuples(r);
    if (n > 0) {
        snprintf(job->retailer, sizeof(job->retailer), "%s", PQgetvalue(r, 0, 0));
        snprintf(job->job, sizeof(job->job), "%s", PQgetvalue(r, 0, 1));
        snprintf(job->lease, sizeof(job->lease), "%s", PQgetvalue(r, 0, 2));
        job->attempts = (int) pos_pg_int(r, 0, 3);
        name = PQgetvalue(r, 0, 4);
        snprintf(job->file, sizeof(job->file), "%s/%s", j->options->spool,
                 spool_name_ok(name) ? name : "?");
        snprintf(job->kind, sizeof(job->kind), "%s", PQgetvalue(r, 0, 5));
    }

    PQclear(r);
    return n > 0;
}


static bool
jobs_connect(jobs_t *j)
{
    if (j->control.conn == NULL
        && (pos_pg_connect(&j->control, j->options->database, "posd jobs",
                           5000000) != POS_OK
            || !pos_pg_run(&j->control, JOBS_TIMEOUT, "listen pos_job")))
    {
        return false;
    }

    return j->stage.conn != NULL
           || pos_pg_connect(&j->stage, j->options->database, "posd import",
                             5000000) == POS_OK;
}


/* Uploads whose job is final; and, when they are old, those that no job names:
 * a younger one may be about to get its job. */
static void
jobs_clear_file(jobs_t *j, const char *name)
{
    const char *params[] = { name };
    PGresult   *r;
    char        path[800];
    struct stat st;
    bool        old, named, wanted;

    snprintf(path, sizeof(path), "%s/%s", j->options->spool, name);
    if (stat(path, &st) != 0) {
        return;
    }

    r = pos_pg_query(&j->control, JOBS_TIMEOUT,
        "select count(*) > 0,"
        " coalesce(bool_or(state in ('queued', 'running')), false)"
        " from pos.job where params ->> 'spool' = $1 or params ->> 'file' = $1",
        1, params);
    if (r == NULL) {
        return;
    }

    old = st.st_mtime + JOBS_SPOOL_OLD < time(NULL);
    named = PQgetvalue(r, 0, 0)[0] == 't';
    wanted = PQgetvalue(r, 0, 1)[0] == 't';
    if (!wanted && (named || old) && unlink(path) == 0) {
        pos_log("info", "removed the upload %s, which no job needs", name);
    }

    PQclear(r);
}


static void
jobs_clear_spool(jobs_t *j)
{
    struct dirent *e;
    DIR           *d;

    if (pos_now() < j->next_spool) {
        return;
    }

    j->next_spool = pos_now() + JOBS_SPOOL_US;
    d = opendir(j->options->spool);
    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strncmp(e->d_name, "imp_", 4) == 0 && spool_name_ok(e->d_name)) {
            jobs_clear_file(j, e->d_name);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
}


static void
jobs_do(jobs_t *j, const pos_import_job_t *job)
{
    pos_log("info", "job %s of retailer %s, attempt %d", job->job, job->retailer,
            job->attempts);
    if (strcmp(job->kind, "coupon_batch") == 0) {
        if (pos_coupon_batch_run(&j->stage, &j->control, job) == POS_OK) {
            return;
        }
    } else if (pos_import_run(j->import, &j->stage, &j->control, job) == POS_OK) {
        (void) unlink(job->file);
        return;
    }

    pos_pg_close(&j->stage);
    pos_wait(-1, JOBS_POLL_US);
}


static void
jobs_turn(jobs_t *j)
{
    pos_import_job_t job;
    PGnotify        *n;
    int              claimed = jobs_connect(j) ? jobs_claim(j, &job) : -1;

    if (claimed < 0) {
        if (!pos_stop) {
            pos_log("error", "jobs: %s%s", j->control.error, j->stage.error);
        }
        pos_pg_close(&j->control);
        pos_pg_close(&j->stage);
        pos_wait(-1, j->backoff);
        j->backoff = j->backoff < 2000000 ? j->backoff * 2 : 2000000;
        return;
    }

    j->backoff = 100000;
    if (claimed > 0) {
        jobs_do(j, &job);
        return;
    }

    jobs_clear_spool(j);
    if (j->control.conn != NULL) {
        pos_wait(PQsocket(j->control.conn), JOBS_POLL_US);
        if (PQconsumeInput(j->control.conn) == 0) {
            pos_pg_close(&j->control);
            return;
        }
        while ((n = PQnotifies(j->control.conn)) != NULL) {
            PQfreemem(n);
        }
    }
}


/* What imports are checked and loaded by, watched. */
static bool
jobs_import(jobs_t *j)
{
    pos_script_limits_t limits;
    long                ms;

    if (!pos_watch_limits(j->options->instructions, &limits)) {
        return false;
    }

    j->import = pos_import_create(j->options->contract, &limits);
    if (j->import == NULL) {
        pos_log("error", "imports cannot be checked: no usable contract");
        return false;
    }
    if (!pos_watch_limit(j->options->script_cpu, &ms)
        || !pos_watch_start(pos_import_vm(j->import), ms, j->options->replica))
    {
        pos_watch_stop();
        pos_import_destroy(j->import);
        return false;
    }

    return true;
}


int
pos_command_jobs(const pos_options_t *o)
{
    jobs_t j = { .options = o, .backoff = 100000 };

    if (!jobs_import(&j)) {
        return 1;
    }

    while (!pos_stop) {
        jobs_turn(&j);
    }

    pos_pg_close(&j.control);
    pos_pg_close(&j.stage);
    pos_watch_stop();
    pos_import_destroy(j.import);
    return 0;
}


/* ---- seed ---- */

/* A job of our own making, leased to us, for the import to work under. */
static bool
seed_job(pos_pg_t *pg, const char *retailer, pos_import_job_t *job)
{
    const char *params[] = { retailer };
    PGresult   *r;

    if (!pos_pg_run(pg, JOBS_TIMEOUT, "begin")) {
        return false;
    }

    r = pos_pg_query(pg, JOBS_TIMEOUT,
        "select set_config('pos.retailer', $1, true)", 1, params);
    PQclear(r);
    if (r == NULL) {
        return false;
    }

    r = pos_pg_query(pg, JOBS_TIMEOUT,
        "insert into pos.job (retailer_id, job_id, kind, state, attempts, lease,"
        " leased_until, started_at) values ($1::bigint, pos.new_id('job'),"
        " 'import', 'running', 1, 1, now() + interval '1 hour', now())"
        " returning job_id", 1, params);
    if (r == NULL) {
        return false;
    }

    snprintf(job->retailer, sizeof(job->retailer), "%s", retailer);
    snprintf(job->job, sizeof(job->job), "%s", PQgetvalue(r, 0, 0));
    snprintf(job->lease, sizeof(job->lease), "1");
    job->attempts = 1;
    PQclear(r);
    return pos_pg_run(pg, JOBS_TIMEOUT, "commit");
}


static bool
seed_import(jobs_t *j, const char *retailer)
{
    pos_import_job_t job = { 0 };
    const char      *params[] = { job.job };
    PGresult        *r;
    bool             ok;

    snprintf(job.file, sizeof(job.file), "%s", j->options->book);
    if (!seed_job(&j->control, retailer, &job)
        || pos_import_run(j->import, &j->stage, &j->control, &job) != POS_OK)
    {
        return false;
    }

    r = pos_pg_query(&j->control, JOBS_TIMEOUT,
        "select state from pos.job where job_id = $1", 1, params);
    ok = r != NULL && PQntuples(r) == 1
         && strcmp(PQgetvalue(r, 0, 0), "succeeded") == 0;
    PQclear(r);
    return ok;
}


/* The document's retailer object is the new retailer's settings. */
static PGresult *
seed_create(jobs_t *j)
{
    const char *params[1];
    PGresult   *r;
    size_t      len;
    char       *text = pos_file_read(j->options->book, 512 * 1024 * 1024, &len);

    if (text == NULL) {
        snprintf(j->control.error, sizeof(j->control.error), "%s: %s",
                 j->options->book, strerror(errno));
        return NULL;
    }

    params[0] = text;
    r = pos_pg_query(&j->control, JOBS_TIMEOUT,
        "select k::text, k #>> '{live,retailer_id}', k #>> '{sandbox,retailer_id}'"
        " from pos.create_retailer($1::jsonb -> 'retailer') k", 1, params);
    free(text);
    return r;
}


int
pos_command_seed(const pos_options_t *o)
{
    jobs_t    j = { .options = o };
    PGresult *r = NULL;
    bool      ok;

    if (!jobs_import(&j)) {
        return 1;
    }

    ok = jobs_connect(&j) && (r = seed_create(&j)) != NULL
         && seed_import(&j, PQgetvalue(r, 0, 1))
         && seed_import(&j, PQgetvalue(r, 0, 2));
    if (ok) {
        printf("%s\n", PQgetvalue(r, 0, 0));
    } else {
        pos_log("error", "seed: %s%s", j.control.error, j.stage.error);
    }

    PQclear(r);
    pos_pg_close(&j.control);
    pos_pg_close(&j.stage);
    pos_import_destroy(j.import);
    return ok ? 0 : 1;
}
