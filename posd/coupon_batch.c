/*
 * A batch of coupons: its codes stream into a table of the session, then one
 * transaction of the database's own function makes coupons of them.
 */

#include "posd/coupon_batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "posd/coupon_codes.h"

#define BATCH_TIMEOUT   (30 * 1000000LL)
#define BATCH_MAKE      (30 * 60 * 1000000LL)
#define BATCH_ATTEMPTS  3
#define BATCH_RENEW     3000000
#define BATCH_COPY      (64 * 1024)

typedef struct {
    pos_pg_t               *stage, *control;
    const pos_import_job_t *job;
    pos_codes_t             codes;
    int64_t                 count;         /* of the batch                   */
    int64_t                 drawn;
    int64_t                 next_renew;
    bool                    lost;          /* the lease                      */
} batch_t;


/* ---- the job, as clients see it ---- */

static bool
batch_says(batch_t *b, const char *sql, const char *json)
{
    const char *params[] = { b->job->job, b->job->lease, json };
    PGresult   *r = pos_pg_query(b->control, BATCH_TIMEOUT, sql, 3, params);
    bool        ok = r != NULL && PQntuples(r) == 1 && PQgetvalue(r, 0, 0)[0] != 'f';

    PQclear(r);
    return ok;
}


/* Renews the lease; false when it is somebody else's, or the job cancelled. */
static bool
batch_progress(batch_t *b, const char *step)
{
    char text[128];

    if (pos_now() < b->next_renew) {
        return true;
    }

    b->next_renew = pos_now() + BATCH_RENEW;
    snprintf(text, sizeof(text), "{\"step\": \"%s\", \"codes\": %lld, \"count\": %lld}",
             step, (long long) (b->drawn < b->count ? b->drawn : b->count), (long long) b->count);
    b->lost = !batch_says(b, "select pos.job_progress($1, $2::bigint, $3::jsonb, 30)", text);
    return !b->lost;
}


static pos_status_t
batch_fail(batch_t *b, const char *json)
{
    pos_log("info", "job %s failed: %.300s", b->job->job, json);
    return batch_says(b, "select pos.fail_job($1, $2::bigint, $3::jsonb)", json)
           ? POS_OK : POS_AGAIN;
}


/* The reasons that the database gives go to the client as they are. */
static pos_status_t
batch_refused(batch_t *b)
{
    pos_log("info", "job %s: %s %s", b->job->job, b->stage->sqlstate, b->stage->error);
    if (b->stage->conn == NULL || b->lost || memcmp(b->stage->sqlstate, "POS", 3) != 0
        || b->stage->detail == NULL)
    {
        return POS_AGAIN;
    }

    return batch_fail(b, b->stage->detail);
}


/* ---- the codes ---- */

static bool
batch_open(batch_t *b)
{
    const char *retailer[] = { b->job->retailer }, *job[] = { b->job->job };
    PGresult   *r;
    bool        ok;

    r = pos_pg_query(b->stage, BATCH_TIMEOUT, "select set_config('pos.retailer', $1, false)", 1, retailer);
    if (r == NULL) {
        return false;
    }

    PQclear(r);
    r = pos_pg_query(b->stage, BATCH_TIMEOUT, "select pattern, codes from pos.open_coupon_batch($1)", 1, job);
    if (r == NULL) {
        return false;
    }

    b->count = pos_pg_int(r, 0, 1);
    ok = pos_codes_init(&b->codes, PQgetvalue(r, 0, 0)) == POS_OK;
    PQclear(r);
    return ok;
}


/* One buffer full of codes, each with its line's end. */
static bool
batch_put(batch_t *b, int64_t want)
{
    char   buffer[BATCH_COPY];
    size_t used = 0;

    while (b->drawn < want && used + b->codes.len + 1 <= sizeof(buffer)) {
        if (pos_codes_draw(&b->codes, buffer + used) != POS_OK) {
            snprintf(b->stage->error, sizeof(b->stage->error), "there are no random bytes");
            return false;
        }
        used += b->codes.len;
        buffer[used++] = '\n';
        b->drawn++;
    }

    return pos_pg_copy_put(b->stage, BATCH_TIMEOUT, buffer, used);
}


/* A few more than are wanted: one in 500 may be there already, and some come twice. */
static bool
batch_draw(batch_t *b)
{
    int64_t   want = b->count + b->count / 64 + 64;
    PGresult *r;
    bool      ok;

    if (!pos_pg_send(b->stage, "copy pg_temp.coupon_code (code) from stdin")) {
        return false;
    }

    r = pos_pg_receive(b->stage, BATCH_TIMEOUT);
    ok = r != NULL && PQresultStatus(r) == PGRES_COPY_IN;
    PQclear(r);
    while (ok && b->drawn < want) {
        ok = !pos_stop && batch_put(b, want) && batch_progress(b, "drawing");
    }

    return ok && pos_pg_copy_end(b->stage, BATCH_TIMEOUT);
}


/* ---- made coupons ---- */

static bool
batch_send(batch_t *b)
{
    char *job = PQescapeLiteral(b->stage->conn, b->job->job, strlen(b->job->job));
    char  sql[300];
    bool  ok;

    if (job == NULL) {
        return false;
    }

    snprintf(sql, sizeof(sql), "select pos.make_coupon_batch(%s, %s)::text", job, b->job->lease);
    PQfreemem(job);
    ok = pos_pg_send(b->stage, sql);
    return ok;
}


static pos_status_t
batch_make(batch_t *b)
{
    int64_t   until = pos_now() + BATCH_MAKE;
    PGresult *r;

    if (!batch_send(b)) {
        return POS_AGAIN;
    }

    while (!pos_pg_ready(b->stage)) {
        if (pos_stop || pos_now() >= until) {
            pos_pg_close(b->stage);
            return POS_AGAIN;
        }
        /* A lease that is gone here may have ended by our own commit; if not,
         * the transaction itself finds out and rolls back. */
        (void) (b->lost || batch_progress(b, "making"));
        pos_wait(PQsocket(b->stage->conn), 200000);
    }

    r = pos_pg_receive(b->stage, BATCH_TIMEOUT);
    if (r == NULL) {
        return batch_refused(b);
    }

    pos_log("info", "job %s: %lld coupons of retailer %s", b->job->job,
            (long long) b->count, b->job->retailer);
    PQclear(r);
    return POS_OK;
}


pos_status_t
pos_coupon_batch_run(pos_pg_t *stage, pos_pg_t *control, const pos_import_job_t *job)
{
    batch_t      b = { .stage = stage, .control = control, .job = job };
    pos_status_t status = POS_AGAIN;

    if (job->attempts > BATCH_ATTEMPTS) {
        return batch_fail(&b, "{\"errors\": [{\"pointer\": \"\", \"code\": \"interrupted\", \"message\":"
                              " \"the batch was interrupted too often\"}], \"error_count\": 1}");
    }

    if (batch_open(&b) && batch_draw(&b)) {
        b.next_renew = 0;
        status = batch_make(&b);
    } else {
        pos_log("warning", "job %s stops: %s", job->job,
                b.lost ? "its lease is gone, or it was cancelled" : stage->error);
    }

    /* The session has the retailer set, and the codes. */
    pos_pg_close(stage);
    return status;
}
