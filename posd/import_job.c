/*
 * An import's job, as clients see it: how far it is, and why it failed.
 */

#include "posd/import_data.h"

#include <stdio.h>

#include "base/json_write.h"

#define JOB_RENEW_US   3000000


static bool
job_says(pos_import_t *im, const char *sql, pos_str_t json)
{
    const char *params[] = { im->job->job, im->job->lease, json.data };
    PGresult   *r = pos_pg_query(im->control, POS_IMPORT_TIMEOUT, sql, 3, params);
    bool        ok = r != NULL && PQntuples(r) == 1
                     && PQgetvalue(r, 0, 0)[0] != 'f';

    PQclear(r);
    return ok;
}


/* Renews the lease; false when it is somebody else's, or the job cancelled. */
bool
pos_job_progress(pos_import_t *im, uint64_t taken, const char *step)
{
    char text[200];

    if (pos_now() < im->next_renew) {
        return true;
    }

    im->next_renew = pos_now() + JOB_RENEW_US;
    snprintf(text, sizeof(text),
             "{\"step\": \"%s\", \"bytes\": %llu, \"size\": %llu,"
             " \"elements\": %llu}", step, (unsigned long long) taken,
             (unsigned long long) im->size, (unsigned long long) im->elements);
    if (!job_says(im, "select pos.job_progress($1, $2::bigint, $3::jsonb, 30)",
                  pos_str_z(text)))
    {
        im->lost = true;
        return false;
    }

    return true;
}


pos_status_t
pos_job_fail(pos_import_t *im, pos_str_t result)
{
    pos_log("info", "job %s failed: %.300s", im->job->job, result.data);
    return job_says(im, "select pos.fail_job($1, $2::bigint, $3::jsonb)", result)
           ? POS_OK : POS_AGAIN;
}


pos_status_t
pos_job_fail_faults(pos_import_t *im)
{
    const pos_fault_t *f;
    pos_writer_t       w;

    pos_writer_init(&w, im->faults_arena, 4096, 4 * 1024 * 1024);
    pos_write_object_begin(&w);
    pos_write_key(&w, "errors");
    pos_write_array_begin(&w);
    for (f = im->faults.first; f != NULL; f = f->next) {
        pos_write_object_begin(&w);
        pos_write_key(&w, "pointer");
        pos_write_string(&w, f->pointer);
        pos_write_key(&w, "code");
        pos_write_string(&w, pos_str_z(f->code));
        pos_write_key(&w, "message");
        pos_write_string(&w, f->message);
        if (f->line > 0) {
            pos_write_key(&w, "line");
            pos_write_int(&w, f->line);
            pos_write_key(&w, "column");
            pos_write_int(&w, f->column);
        }
        pos_write_object_end(&w);
    }
    pos_write_array_end(&w);
    pos_write_key(&w, "error_count");
    pos_write_int(&w, im->faults.count);
    pos_write_object_end(&w);
    pos_write_bytes(&w, pos_str_of("\0", 1));

    return w.status == POS_OK ? pos_job_fail(im, pos_writer_result(&w)) : POS_AGAIN;
}


pos_status_t
pos_job_fail_text(pos_import_t *im, const char *code, const char *text)
{
    (void) pos_fault(&im->faults, pos_str(""), code, "%s", text);
    return pos_job_fail_faults(im);
}
