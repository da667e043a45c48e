/*
 * The current rows of what was published, read in the poll's snapshot and given to
 * the replica; and what a retailer's rows are read by.
 */

#include "posd/feed_data.h"

#include <stdio.h>

#define ROWS_COUPONS  "5001"     /* so many are copied with all the rest */


/* ---- shared with the bulk copy and the check ---- */

bool
pos_feed_enter(pos_pg_t *pg, const char *retailer)
{
    const char *params[] = { retailer };
    PGresult   *r = pos_pg_query(pg, POS_FEED_TIMEOUT,
                                 "select set_config('pos.retailer', $1, true)",
                                 1, params);

    PQclear(r);
    return r != NULL;
}


const pos_zone_t *
pos_feed_zone(pos_pg_t *pg, const char *retailer, pos_entities_t *entities,
    bool *ok)
{
    const char       *params[] = { retailer };
    const pos_zone_t *zone = NULL;
    PGresult         *r;

    r = pos_pg_query(pg, POS_FEED_TIMEOUT,
        "select timezone from pos.retailer where retailer_id = $1::bigint", 1,
        params);
    *ok = r != NULL;
    if (r != NULL && PQntuples(r) == 1) {
        zone = pos_entities_zone(entities, pos_pg_value(r, 0, 0), NULL);
    }

    PQclear(r);
    return zone ? zone : pos_zone_utc();
}


pos_status_t
pos_feed_add_zones(pos_pg_t *pg, const char *retailer, pos_entities_t *entities)
{
    const char   *params[] = { retailer };
    pos_status_t  status = POS_OK;
    PGresult     *r;
    int           i;

    r = pos_pg_query(pg, POS_FEED_TIMEOUT,
        "select timezone from pos.retailer where retailer_id = $1::bigint"
        " union select document ->> 'timezone' from pos.store"
        " where retailer_id = $1::bigint and document ->> 'timezone' is not null",
        1, params);
    if (r == NULL) {
        return POS_FEED_LOST;
    }

    for (i = 0; status == POS_OK && i < PQntuples(r); i++) {
        status = pos_entities_add_zone(entities, retailer,
                                       pos_pg_value(r, i, 0));
    }

    PQclear(r);
    return status;
}


/* ---- applying ---- */

static pos_status_t
rows_add(pos_feed_t *f, const char *id, const PGresult *r, const pos_zone_t *zone)
{
    pos_status_t status = POS_OK;
    int          i;

    for (i = 0; status == POS_OK && i < PQntuples(r); i++) {
        status = pos_entities_add(f->entities, id, pos_pg_value(r, i, 0),
                                  pos_pg_value(r, i, 1), pos_pg_value(r, i, 2),
                                  zone);
    }

    return status;
}


static pos_status_t
rows_query(pos_feed_t *f, const char *id, const pos_zone_t *zone,
    const char *sql, int count, const char *const *params)
{
    PGresult     *r = pos_pg_query(&f->pg, POS_FEED_TIMEOUT, sql, count, params);
    pos_status_t  status;

    if (r == NULL) {
        return POS_FEED_LOST;
    }

    status = rows_add(f, id, r, zone);
    PQclear(r);
    return status;
}


/* A retailer's zone is part of what its coupons' times mean; no other setting is. The
 * log proves that the replica has what history says of its revision. */
pos_status_t
pos_feed_settings(pos_feed_t *f, const pos_head_t *have, pos_feed_log_t *log)
{
    char        rev[24];
    const char *params[] = { log->id, rev, ROWS_COUPONS };
    PGresult   *r;

    snprintf(rev, sizeof(rev), "%lld", (long long) have->rev);
    r = pos_pg_query(&f->pg, POS_FEED_TIMEOUT,
        "select case when z.moved then (select count(*) from (select"
        " from pos.coupon where retailer_id = $1::bigint limit $3::bigint) c)"
        " else 0 end, $3::bigint from (select timezone is distinct from"
        " (select h.value::jsonb ->> 'timezone' from pos.book_history h"
        " where h.retailer_id = $1::bigint and h.kind = 'retailer'"
        " and h.key = '' and h.rev <= $2::bigint order by h.rev desc limit 1)"
        " as moved from pos.retailer where retailer_id = $1::bigint) z",
        3, params);
    if (r == NULL) {
        return POS_FEED_LOST;
    }

    if (PQntuples(r) == 1) {
        log->coupons = pos_pg_int(r, 0, 0) > 0;
        log->bulk = pos_pg_int(r, 0, 0) == pos_pg_int(r, 0, 1);
    }

    PQclear(r);
    return POS_OK;
}


static pos_status_t
rows_read(pos_feed_t *f, const pos_feed_log_t *log)
{
    const char       *params[] = { log->id, log->json.data };
    const pos_zone_t *zone;
    pos_status_t      status;
    bool              ok;

    zone = pos_feed_zone(&f->pg, log->id, f->entities, &ok);
    if (!ok) {
        return POS_FEED_LOST;
    }

    pos_entities_reset(f->entities);
    status = rows_query(f, log->id, zone,
        "select kind, key, value from pos.book_rows($1::bigint, $2::jsonb)",
        2, params);
    if (status == POS_OK && log->coupons) {
        status = rows_query(f, log->id, zone,
            "select kind, key, value from pos.book_small"
            " where retailer_id = $1::bigint and kind = 'coupon'", 1, params);
    }
    if (status == POS_OK && (log->retailer || log->places)) {
        status = pos_feed_add_zones(&f->pg, log->id, f->entities);
    }

    return status;
}


pos_status_t
pos_feed_apply(pos_feed_t *f, const pos_feed_log_t *log)
{
    pos_revision_t   revision;
    const pos_row_t *rows;
    pos_status_t     status;
    size_t           count, refused = 0;

    status = rows_read(f, log);
    if (status != POS_OK) {
        return status;
    }

    revision = (pos_revision_t) { .id = log->id, .epoch = f->epoch,
                                  .rev = log->rev,
                                  .source_time = log->source_time,
                                  .applied_time = f->db_time };
    memcpy(revision.hash, log->hash, sizeof(revision.hash));
    rows = pos_entities_rows(f->entities, &count);
    status = pos_writer_apply(f->writer, &revision, rows, count, &refused);
    if (status != POS_OK) {
        f->writer_failed = true;
        return status;
    }
    if (refused > 0) {
        pos_log("error", "retailer %s: %zu rows have keys that cannot be kept",
                log->id, refused);
    }

    return POS_OK;
}
