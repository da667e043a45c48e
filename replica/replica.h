/*
 * The edge copy, read side: the LMDB replica that posd keeps, opened read-only
 * by nginx workers (after fork, once a process) and by `posd check`.
 *
 *   DIR/current         names the book's file ("book.3.mdb"); replaced by rename
 *   DIR/book.<n>.mdb    the book: heads, rows, index of API keys
 *   DIR/levels.mdb      what may lag: clock, state, number of the book's file
 *
 * A snapshot is one read transaction: whole commits only, the same for as long
 * as it is open. Keep at most two a process and close a superseded one within
 * seconds, else freed pages cannot be reused. The file may be switched for a
 * rebuilt one at any time: open snapshots stay valid, new ones see the new file.
 *
 * What is stored is decoded as untrusted bytes: every value carries a layout
 * version and a CRC32C; a damaged one is POS_BROKEN for that row, is counted,
 * and never more than that.
 *
 * Not thread-safe; a replica belongs to one process and one thread.
 */

#ifndef POS_REPLICA_H
#define POS_REPLICA_H

#include "base/arena.h"
#include "base/base.h"
#include "base/hash.h"
#include "engine/book.h"

typedef struct pos_replica_s  pos_replica_t;
typedef struct pos_snapshot_s pos_snapshot_t;

/* POS_NOT_FOUND: no replica there yet (posd has not made one): try again by
 * timer. POS_BROKEN: pos_replica_error() of a NULL replica says why. */
pos_status_t pos_replica_open(const char *dir, pos_replica_t **out)
    POS_MUSTCHECK;
/* All snapshots must be closed before. NULL is allowed. */
void pos_replica_close(pos_replica_t *replica);
/* Text of the last failure of this replica (NULL: of the last open). */
const char *pos_replica_error(const pos_replica_t *replica);

/* Did anything of the book change since the snapshot last opened (its content,
 * or the file it lives in)? No system call, about 20 ns: ask as often as you like. */
bool pos_replica_changed(pos_replica_t *replica);

/* A snapshot of the newest whole commit; moves to the new file when the book's
 * file was switched. POS_NOT_FOUND or POS_BROKEN: keep the one you have.
 * References are the caller's to count. */
pos_status_t pos_snapshot_open(pos_replica_t *replica, pos_snapshot_t **out)
    POS_MUSTCHECK;
void pos_snapshot_close(pos_snapshot_t *snapshot);
/* Grows with every commit of one file; a new file starts again, so compare for
 * equality together with pos_snapshot_file(). */
uint64_t pos_snapshot_txnid(const pos_snapshot_t *snapshot);
uint32_t pos_snapshot_file(const pos_snapshot_t *snapshot);

/* Has this file ever held every retailer that the database has? Until then what
 * is not found here may exist all the same: it is no answer to "unknown". */
bool pos_snapshot_whole(const pos_snapshot_t *snapshot);

/* ---- heads: one a retailer ---- */

#define POS_RETAILER_ID_MAX  40
#define POS_EPOCH_MAX        48

typedef struct {
    uint32_t no;               /* of this file only: a rebuilt file numbers anew,
                                  so hold on to `id` across snapshots          */
    uint32_t generation;       /* prefix of its rows                           */
    char     id[POS_RETAILER_ID_MAX + 1];      /* pos.retailer's id as text    */
    char     epoch[POS_EPOCH_MAX + 1];         /* the database cluster's       */
    int64_t  rev;              /* the revision a quote names …                 */
    uint8_t  hash[POS_SHA256_SIZE];            /* … and its chain's hash       */
    int64_t  source_time;      /* µs UTC, the database's, of that commit       */
    int64_t  applied_time;     /* µs UTC, the database's, when it came here    */
    uint64_t rows[POS_KIND_COUNT];             /* how many of each kind        */
    uint8_t  small[POS_SHA256_SIZE];           /* digest of the content of all
                                  small entities (all kinds but SKU, COUPON and
                                  KEY): equal: nothing to compile              */
} pos_head_t;

/* The first head with a number above `after` (0: the first of all; numbers
 * start at 1). POS_NOT_FOUND at the end. POS_BROKEN: a damaged head; `out->no`
 * is set, so that the loop goes on behind it. */
pos_status_t pos_snapshot_next_head(pos_snapshot_t *snapshot, uint32_t after,
    pos_head_t *out) POS_MUSTCHECK;
/* By number: one get. */
pos_status_t pos_snapshot_head(pos_snapshot_t *snapshot, uint32_t no,
    pos_head_t *out) POS_MUSTCHECK;

/* ---- one retailer's book ---- */

/* The source's ctx; the caller's memory, valid as long as the snapshot. To move
 * a book to a newer snapshot of the same digest, fill it again in place. */
typedef struct {
    pos_snapshot_t *snapshot;
    uint32_t        no;
    uint32_t        generation;
} pos_snapshot_source_t;

/* Strings handed out point into the map and live as long as the snapshot. */
void pos_snapshot_source(pos_snapshot_t *snapshot, const pos_head_t *head,
    pos_snapshot_source_t *ctx, pos_book_source_t *out);

/* ---- what changed ---- */

/* The promotions whose rows are not what they were when `small` of the retailer's head was
 * `since`, ascending, each once; it may name some that are the same again. The array is in
 * `arena`, the keys live as long as the snapshot. POS_NOT_FOUND: that is not known, or other
 * small entities changed too, or so much that it is not worth it. */
pos_status_t pos_snapshot_changes(pos_snapshot_t *snapshot, const pos_head_t *head,
    const uint8_t since[POS_SHA256_SIZE], pos_arena_t *arena, const pos_str_t **keys,
    uint32_t *count) POS_MUSTCHECK;
/* One row, its value as pos_snapshot_next_row() has it. */
pos_status_t pos_snapshot_row(pos_snapshot_t *snapshot, const pos_head_t *head,
    pos_kind_t kind, pos_str_t key, pos_str_t *value) POS_MUSTCHECK;

/* ---- API keys ---- */

/* The key with this SHA-256, of whatever retailer: `*json` is its document
 * {"id","hash","retailer","mode","scopes",…} (into the map), `*no` the
 * retailer's number in this snapshot. POS_NOT_FOUND: no such key. Expiry and
 * `revoked` are the caller's to judge. */
pos_status_t pos_snapshot_key(pos_snapshot_t *snapshot,
    const uint8_t hash[POS_SHA256_SIZE], uint32_t *no, pos_str_t *json)
    POS_MUSTCHECK;

/* ---- any row, for checks and tools ---- */

/* The first row of a retailer whose (kind, key) comes after the given one
 * (`after` NULL: the kind's first). The value is what the kind stores, without
 * its frame: JSON, TZif, or a SKU record. POS_NOT_FOUND: the kind has no more.
 * POS_BROKEN: a damaged value; `*key` is set, so that the loop goes on. */
pos_status_t pos_snapshot_next_row(pos_snapshot_t *snapshot,
    const pos_head_t *head, pos_kind_t kind, const pos_str_t *after,
    pos_str_t *key, pos_str_t *value) POS_MUSTCHECK;

/* ---- clock and state ---- */

typedef enum {
    POS_REPLICA_FOLLOWING,    /* posd follows the database                    */
    POS_REPLICA_DETACHED,     /* posd cannot reach the database               */
    POS_REPLICA_REBUILDING,   /* a new file is being made; this one is stale  */
    POS_REPLICA_STOPPED       /* posd ended in good order                     */
} pos_replica_state_t;

typedef struct {
    int64_t             now;       /* µs UTC: the database's time now          */
    int64_t             stale;     /* µs since posd last saw the database and
                                      had all of it here; 0 or more            */
    pos_replica_state_t state;     /* as posd last wrote it                    */
    bool                steady;    /* `now` advanced by the machine's monotonic
                                      clock; false after a reboot without the
                                      database: then by the wall clock         */
} pos_replica_clock_t;

/* Two clock reads and a look at the map; no lock, no file. POS_NOT_FOUND: the
 * database's time was never known here. */
pos_status_t pos_replica_clock(pos_replica_t *replica, pos_replica_clock_t *out)
    POS_MUSTCHECK;
const char *pos_replica_state_name(pos_replica_state_t state);

/* ---- faults found in stored bytes, since open ---- */

typedef struct {
    uint64_t   damaged;        /* values that were refused                     */
    pos_kind_t kind;           /* of the last one                              */
    char       key[64];        /* its key's beginning, printable               */
} pos_replica_faults_t;

void pos_replica_faults(const pos_replica_t *replica, pos_replica_faults_t *out);

/* "store", "sku", …: the feed's names. False: no such kind. */
const char *pos_kind_name(pos_kind_t kind);
bool        pos_kind_of(pos_str_t name, pos_kind_t *out);

#endif
