/*
 * The job of making a batch of coupons: codes drawn here, made one revision there.
 */

#ifndef POS_POSD_COUPON_BATCH_H
#define POS_POSD_COUPON_BATCH_H

#include "posd/import.h"

/* Does one leased job to its end: succeeded, or failed with its reasons. `stage` is where
 * the codes go, `control` tells the job's progress meanwhile. POS_OK: the job is
 * final. POS_AGAIN: interrupted; whoever holds the lease next does it again, and
 * nothing of it shows before. */
pos_status_t pos_coupon_batch_run(pos_pg_t *stage, pos_pg_t *control,
    const pos_import_job_t *job) POS_MUSTCHECK;

#endif
