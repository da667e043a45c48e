/*
 * An open replica and its snapshots; for reader.c and snapshot.c only.
 */

#ifndef POS_REPLICA_READER_H
#define POS_REPLICA_READER_H

#include "replica/found.h"
#include "replica/hot.h"
#include "replica/store.h"

struct pos_replica_s {
    char                 dir[POS_STORE_PATH_MAX];
    char                 error[256];
    pos_store_book_t    *book;          /* the file snapshots are opened of  */
    uint64_t             seen;          /* txnid of the last snapshot        */
    uint32_t             hint;          /* file number the levels name       */
    MDB_env             *levels;
    MDB_dbi              levels_dbi;
    MDB_txn             *levels_txn;    /* reset between uses                */
    uint64_t             levels_seen;   /* their txnid when last read        */
    pos_store_clock_t    clock;
    bool                 clock_known;
    uint8_t              boot_id[16];
    pos_replica_faults_t faults;
};

struct pos_snapshot_s {
    pos_replica_t    *replica;
    pos_store_book_t *book;
    MDB_txn          *txn;
    MDB_cursor       *walk;          /* over rows; NULL: none yet            */
    MDB_val           walked;        /* the key that it stands on; empty: none */
    bool              asked;         /* for a product: the tables are made  */
    pos_hot_t        *hot;
    pos_found_t      *found;
};

pos_status_t pos_reader_fail(pos_replica_t *r, const char *what, int rc);
/* Notes a damaged value and gives the status that says so. */
pos_status_t pos_reader_damaged(pos_replica_t *r, pos_kind_t kind, pos_str_t key);

#endif
