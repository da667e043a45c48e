/*
 * One import: split, check and stage in one pass over the file; then one
 * transaction of the database's own function, which replaces the sections
 * that the document has and makes one revision.
 */

#include "posd/import_data.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMPORT_APPLY      (30 * 60 * 1000000LL)
#define IMPORT_ATTEMPTS   3


pos_import_t *
pos_import_create(const char *contract, const pos_script_limits_t *limits)
{
    pos_import_t *im = calloc(1, sizeof(*im));

    if (im == NULL) {
        return NULL;
    }

    im->contract = pos_arena_create(256 * 1024, 0);
    im->element = pos_arena_create(256 * 1024, 0);
    im->faults_arena = pos_arena_create(16 * 1024, 0);
    im->reader = pos_json_reader_create(POS_SPLIT_ELEMENT_MAX);
    if (im->contract == NULL || im->element == NULL || im->faults_arena == NULL
        || im->reader == NULL || !pos_stage_create(im)
        || pos_script_vm_create(limits, &im->vm) != POS_OK
        || !pos_import_load_contract(im, contract))
    {
        pos_import_destroy(im);
        return NULL;
    }

    return im;
}


pos_script_vm_t *
pos_import_vm(pos_import_t *im)
{
    return im->vm;
}


void
pos_import_destroy(pos_import_t *im)
{
    if (im == NULL) {
        return;
    }

    if (im->vm != NULL) {
        pos_script_vm_destroy(im->vm);
    }
    if (im->reader != NULL) {
        pos_json_reader_destroy(im->reader);
    }
    pos_schema_set_destroy(im->set);
    if (im->contract != NULL) {
        pos_arena_destroy(im->contract);
    }
    if (im->element != NULL) {
        pos_arena_destroy(im->element);
    }
    if (im->faults_arena != NULL) {
        pos_arena_destroy(im->faults_arena);
    }
    free(im->copy);
    free(im);
}


/* ---- the file ---- */

static pos_status_t
split_fail(pos_import_t *im, const pos_split_t *split, pos_status_t status)
{
    char text[200];

    if (status == POS_NO_MEMORY || status == POS_BROKEN) {
        return POS_AGAIN;
    }

    snprintf(text, sizeof(text), "line %llu: %s",
             (unsigned long long) pos_split_line(split), pos_split_error(split));
    (void) pos_fault(&im->faults, pos_str(""), "json_syntax", "%s", text);
    return POS_OK;
}


/* Reads the file to its end or first syntax error. POS_AGAIN: interrupted. */
static pos_status_t
import_read(pos_import_t *im, int fd)
{
    pos_split_item_t item;
    pos_split_t     *split = pos_split_create(fd);
    pos_status_t     status = POS_NO_MEMORY;

    while (split != NULL && !pos_stop) {
        status = pos_split_next(split, &item);
        if (status != POS_OK) {
            break;
        }
        if (!pos_import_item(im, &item)
            || !pos_job_progress(im, pos_split_offset(split), "checking"))
        {
            pos_log("warning", "job %s stops: %s", im->job->job,
                    im->lost ? "its lease is gone, or it was cancelled"
                             : im->stage->error);
            status = POS_AGAIN;
            break;
        }
    }

    if (split == NULL || pos_stop) {
        status = POS_AGAIN;
    } else if (status == POS_NOT_FOUND) {
        status = POS_OK;
    } else if (status != POS_AGAIN) {
        status = split_fail(im, split, status);
    }

    pos_split_destroy(split);
    return status;
}


/* ---- applying ---- */

static bool
apply_send(pos_import_t *im)
{
    char       *job = PQescapeLiteral(im->stage->conn, im->job->job,
                                      strlen(im->job->job));
    char        sql[400];
    bool        ok;

    if (job == NULL) {
        return false;
    }

    snprintf(sql, sizeof(sql),
             "begin; select set_config('pos.retailer', '%s', true);"
             " select pos.apply_import(%s, %s)::text; commit",
             im->job->retailer, job, im->job->lease);
    PQfreemem(job);
    ok = pos_pg_send(im->stage, sql);
    return ok;
}


/* The reasons that the database gives go to the client as they are. */
static pos_status_t
apply_refused(pos_import_t *im)
{
    char state[sizeof(im->stage->sqlstate)];

    /* The rollback is a command too, and clears it. */
    memcpy(state, im->stage->sqlstate, sizeof(state));
    pos_log("info", "job %s: %s %s", im->job->job, im->stage->sqlstate,
            im->stage->error);
    if (im->stage->conn == NULL || im->lost) {
        return POS_AGAIN;
    }
    if (!pos_pg_run(im->stage, POS_IMPORT_TIMEOUT, "rollback")) {
        return POS_AGAIN;
    }
    if (memcmp(state, "POS", 3) == 0 && im->stage->detail != NULL) {
        return pos_job_fail(im, pos_str_z(im->stage->detail));
    }
    if (memcmp(state, "40", 2) == 0
        || memcmp(state, "55P03", 5) == 0
        || memcmp(state, "57", 2) == 0
        || memcmp(state, "53", 2) == 0)
    {
        return POS_AGAIN;
    }

    return pos_job_fail_text(im, "internal", "the import could not be applied");
}


static pos_status_t
import_apply(pos_import_t *im)
{
    int64_t   until = pos_now() + IMPORT_APPLY;
    PGresult *r;

    if (!apply_send(im)) {
        return POS_AGAIN;
    }

    im->next_renew = 0;
    while (!pos_pg_ready(im->stage)) {
        if (pos_stop || pos_now() >= until) {
            pos_pg_close(im->stage);
            return POS_AGAIN;
        }
        /* A lease that is gone here may have ended by our own commit; if not,
         * the transaction itself finds out and rolls back. */
        (void) (im->lost || pos_job_progress(im, im->size, "applying"));
        pos_wait(PQsocket(im->stage->conn), 200000);
    }

    r = pos_pg_receive(im->stage, POS_IMPORT_TIMEOUT);
    if (r == NULL) {
        return apply_refused(im);
    }

    PQclear(r);
    pos_log("info", "job %s: imported %llu elements into retailer %s",
            im->job->job, (unsigned long long) im->elements, im->job->retailer);
    return POS_OK;
}


/* ---- one job ---- */

static bool
has_sections(const pos_import_t *im)
{
    unsigned i;

    for (i = 0; i < POS_SECTION_COUNT; i++) {
        if (im->seen[i]) {
            return true;
        }
    }

    return false;
}


static pos_status_t
import_stage(pos_import_t *im, int fd)
{
    pos_status_t status;

    if (!pos_stage_begin(im)) {
        pos_log("error", "job %s: %s", im->job->job, im->stage->error);
        return POS_AGAIN;
    }

    status = import_read(im, fd);
    if (status != POS_OK) {
        /* Leaving COPY half way: this connection is of no further use. */
        pos_pg_close(im->stage);
        return status;
    }

    if (!pos_stage_flush(im) || !pos_pg_copy_end(im->stage, IMPORT_APPLY)) {
        pos_log("error", "job %s: %s", im->job->job, im->stage->error);
        return im->stage->sqlstate[0] == '2'
               ? pos_job_fail_text(im, "invalid", "a value cannot be stored")
               : POS_AGAIN;
    }

    if (im->faults.count == 0 && !has_sections(im)) {
        (void) pos_fault(&im->faults, pos_str(""), "min_properties",
                         "there is no section of a book in it");
    }

    return im->faults.count > 0 ? pos_job_fail_faults(im) : import_apply(im);
}


static void
import_reset(pos_import_t *im, pos_pg_t *stage, pos_pg_t *control,
    const pos_import_job_t *job)
{
    im->stage = stage;
    im->control = control;
    im->job = job;
    im->elements = im->size = 0;
    im->lost = false;
    im->next_renew = 0;
    memset(im->seen, 0, sizeof(im->seen));
    pos_arena_reset(im->faults_arena);
    pos_faults_init(&im->faults, im->faults_arena);
}


pos_status_t
pos_import_run(pos_import_t *im, pos_pg_t *stage, pos_pg_t *control,
    const pos_import_job_t *job)
{
    struct stat  st;
    pos_status_t status;
    int          fd;

    import_reset(im, stage, control, job);
    if (job->attempts > IMPORT_ATTEMPTS) {
        return pos_job_fail_text(im, "interrupted",
                             "the import was interrupted too often");
    }

    fd = open(job->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        return pos_job_fail_text(im, "internal", "the upload is gone");
    }

    im->size = (uint64_t) st.st_size;
    status = import_stage(im, fd);
    close(fd);
    return status;
}
