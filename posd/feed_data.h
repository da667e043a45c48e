/*
 * The feed while it runs; for feed*.c only.
 */

#ifndef POS_POSD_FEED_DATA_H
#define POS_POSD_FEED_DATA_H

#include "posd/feed.h"

#define POS_FEED_LOST  POS_BROKEN      /* the connection; its error says why  */

struct pos_feed_s {
    const char           *conninfo, *dir;
    pos_pg_t              pg;
    pos_replica_writer_t *writer;
    pos_entities_t       *entities;
    pos_copy_t            copy;
    pos_arena_t          *arena;           /* one poll's                     */
    pos_json_reader_t    *reader;
    char                  epoch[POS_EPOCH_MAX + 1];
    int64_t               db_time;         /* µs UTC, of this poll           */
    bool                  complete;        /* this poll left nothing to copy */
    char                  wanted[POS_RETAILER_ID_MAX + 1];  /* to be copied next */
    pos_replica_state_t   state;
    int64_t               clocked;         /* when the clock was last written */
    pos_replica_state_t   clocked_state;
    bool                  clocked_fresh;
    int64_t               next_poll, next_readers, next_tick, backoff;
    bool                  sweep;           /* old rows may be left           */
    bool                  writer_failed;
    int64_t               next_copy, copy_pause;
    int64_t               say_again;       /* when a failure is logged anew  */
    char                  said[256];
};


/* One retailer's log behind what the replica has. */
typedef struct {
    const char *id;
    int64_t     rev;                       /* the database's head            */
    uint8_t     hash[POS_SHA256_SIZE];
    int64_t     source_time;
    pos_map_t   keys;                      /* "kind\x1fkey", each once       */
    bool        bulk, retailer, places;    /* what the keys touch            */
    bool        coupons;                   /* their times mean others        */
    pos_str_t   json;                      /* the distinct keys, JSON        */
} pos_feed_log_t;

/* feed_poll.c: one transaction of the database, applied whole. POS_FEED_LOST, or
 * `writer_failed` is set: the transaction is left open. */
pos_status_t pos_feed_poll(pos_feed_t *f) POS_MUSTCHECK;

/* feed_log.c: reads the rows from `have` to the head that `log` names. POS_INVALID:
 * they do not lead there. What it gathers lives in the poll's arena. */
pos_status_t pos_feed_log_read(pos_feed_t *f, const pos_head_t *have,
    pos_feed_log_t *log) POS_MUSTCHECK;

/* feed_rows.c: do the settings since `have` move the retailer's coupons? Sets
 * `log->coupons`, and `log->bulk` where there are too many to read at once. */
pos_status_t pos_feed_settings(pos_feed_t *f, const pos_head_t *have,
    pos_feed_log_t *log) POS_MUSTCHECK;

/* feed_rows.c: brings the replica to the log's head by the current rows of its keys. */
pos_status_t pos_feed_apply(pos_feed_t *f, const pos_feed_log_t *log) POS_MUSTCHECK;

#endif
