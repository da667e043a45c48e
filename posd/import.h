/*
 * Imports: a book document, however large, becomes one revision.
 */

#ifndef POS_POSD_IMPORT_H
#define POS_POSD_IMPORT_H

#include "base/arena.h"
#include "base/json.h"
#include "engine/script.h"
#include "posd/pg.h"

typedef struct pos_import_s pos_import_t;

/* What imports share: the contract's schemas, the compiler of promotions. */
pos_import_t *pos_import_create(const char *contract,
    const pos_script_limits_t *limits);
void          pos_import_destroy(pos_import_t *import);
/* In which imports load their scripts. */
pos_script_vm_t *pos_import_vm(pos_import_t *import);

typedef struct {
    char    retailer[24];
    char    job[64];
    char    lease[24];
    char    kind[64];
    char    file[600];        /* path of the document, of an import */
    int     attempts;
} pos_import_job_t;

/* Does one leased job to its end: succeeded, or failed with its reasons. The
 * two connections must be usable; `stage` is where rows are staged and
 * applied, `control` tells the job's progress meanwhile. POS_OK: the job is
 * final. POS_AGAIN: interrupted (stop, lost connection, lease gone); whoever
 * holds the lease next does it again, nothing is half applied. */
pos_status_t pos_import_run(pos_import_t *import, pos_pg_t *stage,
    pos_pg_t *control, const pos_import_job_t *job) POS_MUSTCHECK;

#endif
