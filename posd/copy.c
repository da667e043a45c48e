/*
 * A retailer copied whole, from one snapshot of the database, through cursors.
 * While a batch is written here, the server already makes the next one.
 */

#include "posd/feed.h"

#include <stdio.h>
#include <stdlib.h>

#define COPY_FETCH  "fetch 1000 from book_copy"


void
pos_copy_abandon(pos_copy_t *c)
{
    if (c->bulk != NULL) {
        pos_bulk_abandon(c->bulk);
        c->bulk = NULL;
    }
    pos_pg_close(&c->pg);
}


static bool
copy_cursor(pos_copy_t *c, const char *view)
{
    char sql[256];

    snprintf(sql, sizeof(sql),
             "declare book_copy no scroll cursor for"
             " select kind, key, value from pos.%s where retailer_id = %s%s",
             view, c->retailer, strcmp(view, "book_sku") ? "" : " order by key");
    return pos_pg_run(&c->pg, POS_FEED_TIMEOUT, sql)
           && pos_pg_send(&c->pg, COPY_FETCH);
}


static pos_status_t
copy_head(pos_copy_t *c)
{
    const char *params[] = { c->retailer };
    PGresult   *r;
    bool        ok;

    r = pos_pg_query(&c->pg, POS_FEED_TIMEOUT,
        "select r.rev, r.hash, (extract(epoch from r.at) * 1000000)::bigint,"
        " (extract(epoch from clock_timestamp()) * 1000000)::bigint,"
        " pos.book_epoch() from pos.revision r where r.retailer_id = $1::bigint",
        1, params);
    if (r == NULL) {
        return POS_BROKEN;
    }

    ok = PQntuples(r) == 1 && !PQgetisnull(r, 0, 4)
         && PQgetlength(r, 0, 4) <= POS_EPOCH_MAX
         && pos_pg_bytes(r, 0, 1, c->revision.hash, POS_SHA256_SIZE);
    if (ok) {
        c->revision.id = c->retailer;
        c->revision.rev = pos_pg_int(r, 0, 0);
        c->revision.source_time = pos_pg_int(r, 0, 2);
        c->revision.applied_time = pos_pg_int(r, 0, 3);
        snprintf(c->epoch, sizeof(c->epoch), "%s", PQgetvalue(r, 0, 4));
        c->revision.epoch = c->epoch;
    } else {
        snprintf(c->pg.error, sizeof(c->pg.error), "no head to copy");
    }

    PQclear(r);
    return ok ? POS_OK : POS_BROKEN;
}


static pos_status_t
copy_put(pos_copy_t *c, pos_entities_t *entities)
{
    const pos_row_t *rows;
    pos_status_t     status;
    size_t           count;

    rows = pos_entities_rows(entities, &count);
    status = pos_bulk_put(c->bulk, rows, count, &c->refused);
    c->rows += count;
    return status;
}


static pos_status_t
copy_start(pos_copy_t *c, const char *conninfo, pos_replica_writer_t *writer,
    pos_entities_t *entities)
{
    pos_status_t status;
    bool         ok;

    status = pos_pg_connect(&c->pg, conninfo, "posd copy", POS_FEED_TIMEOUT);
    if (status != POS_OK) {
        return status;
    }
    if (!pos_pg_run(&c->pg, POS_FEED_TIMEOUT,
                    "begin isolation level repeatable read read only")
        || !pos_feed_enter(&c->pg, c->retailer))
    {
        return POS_BROKEN;
    }

    status = copy_head(c);
    if (status != POS_OK) {
        return status;
    }

    c->zone = pos_feed_zone(&c->pg, c->retailer, entities, &ok);
    if (!ok) {
        return POS_BROKEN;
    }

    status = pos_bulk_begin(writer, c->retailer, &c->bulk);
    if (status != POS_OK) {
        c->bulk = NULL;
        return status;
    }

    pos_entities_reset(entities);
    status = pos_feed_add_zones(&c->pg, c->retailer, entities);
    if (status == POS_OK) {
        status = copy_put(c, entities);
    }
    if (status != POS_OK) {
        return status;
    }

    return copy_cursor(c, "book_small") ? POS_OK : POS_BROKEN;
}


pos_status_t
pos_copy_begin(pos_copy_t *c, const char *conninfo,
    pos_replica_writer_t *writer, pos_entities_t *entities,
    const char *retailer)
{
    pos_status_t status;

    c->skus = false;
    c->rows = c->refused = 0;
    c->started = pos_now();
    snprintf(c->retailer, sizeof(c->retailer), "%s", retailer);

    status = copy_start(c, conninfo, writer, entities);
    if (status != POS_OK) {
        pos_log("error", "copying retailer %s: %s", retailer,
                c->pg.error[0] ? c->pg.error : pos_writer_error(writer));
        pos_copy_abandon(c);
    }

    return status;
}


/* The batch that has come, while the next one is under way. */
static pos_status_t
copy_batch(pos_copy_t *c, pos_entities_t *entities, const PGresult *r)
{
    pos_status_t status = POS_OK;
    int          i, n = PQntuples(r);

    pos_entities_reset(entities);
    for (i = 0; status == POS_OK && i < n; i++) {
        status = pos_entities_add(entities, c->retailer, pos_pg_value(r, i, 0),
                                  pos_pg_value(r, i, 1), pos_pg_value(r, i, 2),
                                  c->zone);
    }

    return status == POS_OK ? copy_put(c, entities) : status;
}


static pos_status_t
copy_end(pos_copy_t *c)
{
    pos_status_t status;

    if (!pos_pg_run(&c->pg, POS_FEED_TIMEOUT, "commit")) {
        return POS_BROKEN;
    }

    status = pos_bulk_reveal(c->bulk, &c->revision);
    c->bulk = NULL;
    if (status == POS_OK) {
        pos_log("info", "retailer %s copied whole at revision %lld: %zu rows"
                " in %lld ms, %zu refused", c->retailer,
                (long long) c->revision.rev, c->rows,
                (long long) (pos_now() - c->started) / 1000, c->refused);
        pos_pg_close(&c->pg);
    }

    return status;
}


static pos_status_t
copy_next(pos_copy_t *c)
{
    if (!pos_pg_run(&c->pg, POS_FEED_TIMEOUT, "close book_copy")) {
        return POS_BROKEN;
    }
    if (c->skus) {
        return copy_end(c);
    }

    c->skus = true;
    return copy_cursor(c, "book_sku") ? POS_AGAIN : POS_BROKEN;
}


static pos_status_t
copy_advance(pos_copy_t *c, pos_entities_t *entities)
{
    PGresult     *r = pos_pg_receive(&c->pg, POS_FEED_TIMEOUT);
    pos_status_t  status;

    if (r == NULL) {
        return POS_BROKEN;
    }
    if (PQntuples(r) == 0) {
        PQclear(r);
        return copy_next(c);
    }

    if (!pos_pg_send(&c->pg, COPY_FETCH)) {
        PQclear(r);
        return POS_BROKEN;
    }

    status = copy_batch(c, entities, r);
    PQclear(r);
    return status == POS_OK ? POS_AGAIN : status;
}


pos_status_t
pos_copy_step(pos_copy_t *c, pos_entities_t *entities)
{
    pos_status_t status = copy_advance(c, entities);

    if (status != POS_OK && status != POS_AGAIN) {
        pos_log("error", "copying retailer %s failed: %s", c->retailer,
                c->pg.error[0] ? c->pg.error : "the replica cannot be written");
        pos_copy_abandon(c);
    }

    return status;
}
