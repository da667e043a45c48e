/*
 * The feed: what the database commits, the replica holds, revision by revision.
 */

#ifndef POS_POSD_FEED_H
#define POS_POSD_FEED_H

#include "posd/entity.h"
#include "base/json_write.h"
#include "posd/pg.h"
#include "replica/writer.h"

typedef struct pos_feed_s pos_feed_t;

/* Follows the database until told to stop; reconnects, rebuilds and recovers
 * by itself. `tick` (may be NULL) is called about once a second. POS_OK: told
 * to stop; anything else: the replica cannot be written. */
pos_status_t pos_feed_run(const char *conninfo, const char *replica_dir,
    void (*tick)(void *ctx), void *ctx) POS_MUSTCHECK;

/* ---- shared with the bulk copy and the check ---- */

#define POS_FEED_TIMEOUT  (30 * 1000000LL)

/* Within a transaction: from here on this retailer's rows are seen. */
bool pos_feed_enter(pos_pg_t *pg, const char *retailer) POS_MUSTCHECK;
/* The zone in which a retailer writes times; UTC when it is unknown. */
const pos_zone_t *pos_feed_zone(pos_pg_t *pg, const char *retailer,
    pos_entities_t *entities, bool *ok);
/* Adds a row for each zone that the retailer and its stores use. */
pos_status_t pos_feed_add_zones(pos_pg_t *pg, const char *retailer,
    pos_entities_t *entities) POS_MUSTCHECK;

/* ---- bulk copy: a retailer whole, on a connection of its own ---- */

typedef struct {
    pos_pg_t          pg;
    pos_bulk_t       *bulk;          /* NULL: none runs                      */
    char              retailer[POS_RETAILER_ID_MAX + 1];
    char              epoch[POS_EPOCH_MAX + 1];
    pos_revision_t    revision;      /* of the snapshot that is copied       */
    const pos_zone_t *zone;
    bool              skus;          /* the second cursor's turn             */
    size_t            rows, refused;
    int64_t           started;       /* µs, monotonic                        */
} pos_copy_t;

pos_status_t pos_copy_begin(pos_copy_t *copy, const char *conninfo,
    pos_replica_writer_t *writer, pos_entities_t *entities,
    const char *retailer) POS_MUSTCHECK;
/* One short transaction's worth. POS_AGAIN: more to do; POS_OK: revealed. On
 * anything else the copy is abandoned. */
pos_status_t pos_copy_step(pos_copy_t *copy, pos_entities_t *entities)
    POS_MUSTCHECK;
void pos_copy_abandon(pos_copy_t *copy);

#endif
