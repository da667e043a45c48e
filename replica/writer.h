/*
 * The replica's one writer; posd's. Every call is one durable LMDB transaction
 * or none: whole or not at all, after any crash. (What no reader sees yet, a
 * copy's rows and a sweep, is durable with the next call that is.) When the map is full it is
 * grown and the call is done again by itself.
 *
 * A retailer's revision is applied by pos_writer_apply(). One too big to list
 * is copied beside what is served and then revealed:
 *
 *   pos_bulk_begin → pos_bulk_put … (short transactions; other retailers'
 *   revisions are applied in between) → pos_bulk_reveal (one small write)
 *   → pos_writer_sweep until nothing is left of the old rows
 *
 * A whole rebuild writes a new file by the same calls and then switches:
 *   pos_writer_rebuild_begin → … → pos_writer_rebuild_switch
 */

#ifndef POS_REPLICA_WRITER_H
#define POS_REPLICA_WRITER_H

#include "replica/replica.h"

typedef struct pos_replica_writer_s pos_replica_writer_t;
typedef struct pos_bulk_s           pos_bulk_t;

/* A row to set, or to delete when `value.data` is NULL. `value` is what the
 * kind keeps: JSON text, TZif bytes; for SKU and COUPON the framed record of
 * pos_sku_encode() and pos_coupon_encode(). KEY rows' key is hex SHA-256. */
typedef struct {
    pos_kind_t kind;
    pos_str_t  key;
    pos_str_t  value;
} pos_row_t;

/* Where a retailer stands after a write. */
typedef struct {
    const char *id;                            /* at most POS_RETAILER_ID_MAX */
    const char *epoch;                         /* at most POS_EPOCH_MAX       */
    int64_t     rev;
    uint8_t     hash[POS_SHA256_SIZE];
    int64_t     source_time, applied_time;     /* µs UTC                      */
} pos_revision_t;

/* Makes DIR's files when they are not there. `map` is the first size of the
 * book's map (0: 1 GiB). POS_AGAIN: another process writes this replica.
 * A damaged file is left aside and a new, empty one begun. */
pos_status_t pos_writer_open(const char *dir, size_t map,
    pos_replica_writer_t **out) POS_MUSTCHECK;
void pos_writer_close(pos_replica_writer_t *writer);
/* Text of the last failure; NULL: of the last open. */
const char *pos_writer_error(const pos_replica_writer_t *writer);

/* The retailer's head, or NULL. Until the next call that writes. */
const pos_head_t *pos_writer_head(const pos_replica_writer_t *writer,
    const char *id);
/* All heads, revealed or not (generation 0); forgotten ones have an empty id. */
size_t pos_writer_head_count(const pos_replica_writer_t *writer);
const pos_head_t *pos_writer_head_at(const pos_replica_writer_t *writer,
    size_t index);

/* Applies rows and revision atomically. Rows whose key is too long (over 440
 * bytes) or not a hash are counted in `*refused` (may be NULL) and left out. */
pos_status_t pos_writer_apply(pos_replica_writer_t *writer,
    const pos_revision_t *revision, const pos_row_t *rows, size_t count,
    size_t *refused) POS_MUSTCHECK;
/* The retailer is gone: its head and rows are no longer seen; sweep frees them. */
pos_status_t pos_writer_forget(pos_replica_writer_t *writer, const char *id)
    POS_MUSTCHECK;

/* Every retailer that the database has is here: readers may take what is not
 * here for unknown. Durable; costs nothing when it was said before. */
pos_status_t pos_writer_set_whole(pos_replica_writer_t *writer) POS_MUSTCHECK;

/* A bulk copy begun earlier for the same retailer is given up. */
pos_status_t pos_bulk_begin(pos_replica_writer_t *writer, const char *id,
    pos_bulk_t **out) POS_MUSTCHECK;
/* One transaction; put the same key again to replace it. Deletions too. */
pos_status_t pos_bulk_put(pos_bulk_t *bulk, const pos_row_t *rows,
    size_t count, size_t *refused) POS_MUSTCHECK;
/* Frees `bulk`, whatever it returns. */
pos_status_t pos_bulk_reveal(pos_bulk_t *bulk, const pos_revision_t *revision)
    POS_MUSTCHECK;
void pos_bulk_abandon(pos_bulk_t *bulk);

/* Deletes up to `rows` rows that no head names any more, in one transaction.
 * POS_OK: none left; POS_AGAIN: call again. */
pos_status_t pos_writer_sweep(pos_replica_writer_t *writer, size_t rows)
    POS_MUSTCHECK;

/* From here on all calls above go to a new, empty file. */
pos_status_t pos_writer_rebuild_begin(pos_replica_writer_t *writer)
    POS_MUSTCHECK;
pos_status_t pos_writer_rebuild_switch(pos_replica_writer_t *writer)
    POS_MUSTCHECK;
/* Back to the file that is served. Bulk copies into the new one must have been
 * abandoned before. */
void pos_writer_rebuild_abandon(pos_replica_writer_t *writer);
bool pos_writer_rebuilding(const pos_replica_writer_t *writer);

/* Writes clock and state. `db_time` 0: the clock goes on as it was (only the
 * state changes); else the database's time as of now. `fresh`: all of the book
 * as of that time is here. */
pos_status_t pos_writer_clock(pos_replica_writer_t *writer, int64_t db_time,
    bool fresh, pos_replica_state_t state) POS_MUSTCHECK;
/* Frees the slots of dead readers: call every 10 s. */
int pos_writer_check_readers(pos_replica_writer_t *writer);

/* Framed record of a coupon. POS_LIMIT: over `size`. */
pos_status_t pos_coupon_encode(const pos_coupon_t *coupon, uint8_t *buffer,
    size_t size, size_t *len) POS_MUSTCHECK;

/* Bytes of the file that is written. */
size_t pos_writer_file_size(const pos_replica_writer_t *writer);

#endif
