/*
 * The revision protocol. A poll is one repeatable-read transaction: epoch,
 * heads, log rows behind ours. Contiguous and on the hash chain, they are
 * proved complete; the current rows of their keys, read in the same snapshot,
 * bring the replica to exactly that head. Anything else is copied whole.
 */

#include "posd/feed_data.h"

#include <stdio.h>

#define FEED_LOG_MAX       2000      /* log rows a retailer applied at once  */


/* ---- one retailer ---- */

static void
feed_want_copy(pos_feed_t *f, const char *id, const char *why)
{
    f->complete = false;
    if (f->copy.bulk != NULL || f->wanted[0] != '\0'
        || pos_now() < f->next_copy)
    {
        return;
    }

    snprintf(f->wanted, sizeof(f->wanted), "%s", id);
    pos_log("info", "retailer %s will be copied whole: %s", id, why);
}


/* Brings one retailer to the head that the database has. */
static pos_status_t
feed_retailer(pos_feed_t *f, pos_feed_log_t *log)
{
    const pos_head_t *have = pos_writer_head(f->writer, log->id);
    pos_status_t      status;

    if (f->copy.bulk != NULL && strcmp(f->copy.retailer, log->id) == 0) {
        f->complete = false;
        return POS_OK;
    }
    if (have == NULL || have->generation == 0) {
        feed_want_copy(f, log->id, "it is not here yet");
        return POS_OK;
    }
    if (have->rev == log->rev && memcmp(have->hash, log->hash, 32) == 0) {
        return POS_OK;
    }
    if (have->rev >= log->rev) {
        feed_want_copy(f, log->id, "the database's history is another one");
        return POS_OK;
    }
    if (log->rev - have->rev > FEED_LOG_MAX) {
        feed_want_copy(f, log->id, "it is far behind");
        return POS_OK;
    }

    if (!pos_feed_enter(&f->pg, log->id)) {
        return POS_FEED_LOST;
    }

    status = pos_feed_log_read(f, have, log);
    if (status == POS_INVALID) {
        feed_want_copy(f, log->id, "its log does not lead here");
        return POS_OK;
    }
    if (status == POS_OK && log->bulk) {
        feed_want_copy(f, log->id, "a large import");
        return POS_OK;
    }
    if (status == POS_OK && log->retailer) {
        status = pos_feed_settings(f, have, log);
    }
    if (status == POS_OK && log->bulk) {
        feed_want_copy(f, log->id, "its settings bear on many coupons");
        return POS_OK;
    }

    return status == POS_OK ? pos_feed_apply(f, log) : status;
}


/* ---- a poll ---- */

static bool
poll_epoch(pos_feed_t *f)
{
    PGresult *r;
    bool      ok;

    r = pos_pg_query(&f->pg, POS_FEED_TIMEOUT,
        "select pos.book_epoch(),"
        " (extract(epoch from clock_timestamp()) * 1000000)::bigint", 0, NULL);
    if (r == NULL) {
        return false;
    }

    ok = !PQgetisnull(r, 0, 0) && PQgetlength(r, 0, 0) <= POS_EPOCH_MAX;
    if (ok) {
        snprintf(f->epoch, sizeof(f->epoch), "%s", PQgetvalue(r, 0, 0));
        f->db_time = pos_pg_int(r, 0, 1);
    } else {
        snprintf(f->pg.error, sizeof(f->pg.error),
                 "the database is a standby: it has no epoch to follow");
    }

    PQclear(r);
    return ok;
}


/* Another cluster, or another timeline of it: nothing here can be trusted to
 * be part of its history. */
static pos_status_t
poll_check_epoch(pos_feed_t *f)
{
    const pos_head_t *h;
    size_t            i;

    for (i = 0; i < pos_writer_head_count(f->writer); i++) {
        h = pos_writer_head_at(f->writer, i);
        if (h->generation == 0 || strcmp(h->epoch, f->epoch) == 0) {
            continue;
        }

        pos_log("warning", "the database's epoch is %s, the replica's %s:"
                " rebuilding", f->epoch, h->epoch);
        if (f->copy.bulk != NULL) {
            pos_copy_abandon(&f->copy);
        }
        if (pos_writer_rebuilding(f->writer)) {
            pos_writer_rebuild_abandon(f->writer);
        }
        f->state = POS_REPLICA_REBUILDING;
        if (pos_writer_rebuild_begin(f->writer) != POS_OK) {
            f->writer_failed = true;
            return POS_BROKEN;
        }
        return POS_OK;
    }

    return POS_OK;
}


static bool
heads_have(const PGresult *r, const char *id)
{
    int i;

    for (i = 0; i < PQntuples(r); i++) {
        if (strcmp(PQgetvalue(r, i, 0), id) == 0) {
            return true;
        }
    }

    return false;
}


/* Retailers that the database has no more. */
static pos_status_t
poll_forget(pos_feed_t *f, const PGresult *r)
{
    const pos_head_t *h;
    pos_status_t      status = POS_OK;
    char              id[POS_RETAILER_ID_MAX + 1];
    size_t            i;

    for (i = 0; status == POS_OK && i < pos_writer_head_count(f->writer); i++) {
        h = pos_writer_head_at(f->writer, i);
        if (h->id[0] != '\0' && !heads_have(r, h->id)) {
            memcpy(id, h->id, sizeof(id));
            pos_log("warning", "retailer %s is gone", id);
            status = pos_writer_forget(f->writer, id);
            f->writer_failed = status != POS_OK;
            f->sweep = true;
        }
    }

    return status;
}


static pos_status_t
poll_heads(pos_feed_t *f)
{
    pos_feed_log_t    log;
    pos_status_t  status = POS_OK;
    PGresult     *r;
    int           i;

    r = pos_pg_query(&f->pg, POS_FEED_TIMEOUT,
        "select retailer_id, rev, hash from pos.book_heads()", 0, NULL);
    if (r == NULL) {
        return POS_FEED_LOST;
    }

    for (i = 0; status == POS_OK && i < PQntuples(r); i++) {
        memset(&log, 0, sizeof(log));
        log.id = PQgetvalue(r, i, 0);
        log.rev = pos_pg_int(r, i, 1);
        if (!pos_pg_bytes(r, i, 2, log.hash, sizeof(log.hash))) {
            status = POS_BROKEN;
            break;
        }
        status = feed_retailer(f, &log);
    }
    if (status == POS_OK) {
        status = poll_forget(f, r);
    }

    PQclear(r);
    return status;
}


pos_status_t
pos_feed_poll(pos_feed_t *f)
{
    pos_status_t status;

    pos_arena_reset(f->arena);
    f->complete = true;
    f->wanted[0] = '\0';
    if (!pos_pg_run(&f->pg, POS_FEED_TIMEOUT,
                    "begin isolation level repeatable read read only")
        || !poll_epoch(f))
    {
        return POS_FEED_LOST;
    }

    status = poll_check_epoch(f);
    if (status == POS_OK) {
        status = poll_heads(f);
    }
    if (status != POS_OK) {
        return status;
    }

    return pos_pg_run(&f->pg, POS_FEED_TIMEOUT, "commit") ? POS_OK : POS_FEED_LOST;
}
