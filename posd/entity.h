/*
 * Rows of the feed (kind, key, JSON text) made into rows of the replica: SKUs
 * and coupons become binary records, all others stay as they are; and the
 * time zones that a retailer uses.
 */

#ifndef POS_POSD_ENTITY_H
#define POS_POSD_ENTITY_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "replica/writer.h"

typedef struct pos_entities_s pos_entities_t;

/* NULL without memory. */
pos_entities_t *pos_entities_create(void);
void            pos_entities_destroy(pos_entities_t *entities);
/* Forgets the rows made so far; their memory is used again. */
void            pos_entities_reset(pos_entities_t *entities);

/* The zone by name, or NULL: no such zone. `*tzif` (may be NULL) is its file's
 * bytes. Both live as long as `entities`. */
const pos_zone_t *pos_entities_zone(pos_entities_t *entities, pos_str_t name,
    pos_str_t *tzif);

/* Adds a row; a NULL value deletes. A value that cannot be read is reported in
 * the log and becomes a deletion, so that a bad row never stops the feed.
 * `zone` reads times without an offset. */
pos_status_t pos_entities_add(pos_entities_t *entities, const char *retailer,
    pos_str_t kind, pos_str_t key, pos_str_t value, const pos_zone_t *zone)
    POS_MUSTCHECK;
/* Adds the zone's own row. Unknown zones are reported and left out. */
pos_status_t pos_entities_add_zone(pos_entities_t *entities,
    const char *retailer, pos_str_t name) POS_MUSTCHECK;

const pos_row_t *pos_entities_rows(const pos_entities_t *entities,
    size_t *count);
/* Rows that could not be read, since creation. */
uint64_t pos_entities_bad(const pos_entities_t *entities);

#endif
