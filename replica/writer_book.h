/*
 * One book file open for writing; for the writer's own files.
 */

#ifndef POS_REPLICA_WRITER_BOOK_H
#define POS_REPLICA_WRITER_BOOK_H

#include "replica/store.h"
#include "replica/writer.h"

struct pos_replica_writer_s {
    char              dir[POS_STORE_PATH_MAX];
    char              error[256];
    int               rc;              /* the last failure's, as LMDB has it */
    int               lock_fd;
    size_t            map;             /* bytes                              */
    pos_store_book_t  book;            /* what is served                     */
    pos_store_book_t  next;            /* being rebuilt; env NULL: none      */
    pos_store_book_t *target;          /* where writes go: one of the two    */
    pos_store_head_t *heads;           /* the target's, by number            */
    bool              whole;           /* the target's mark                  */
    size_t            head_count, head_room;
    MDB_env          *levels;
    MDB_dbi           levels_dbi;
    pos_store_clock_t clock;           /* as last written                    */
    uint8_t           boot_id[16];
    pos_store_key_t   sweep;           /* where the last sweep stopped       */
};

struct pos_bulk_s {
    pos_replica_writer_t *writer;
    size_t                head;        /* index into the writer's heads      */
    uint32_t              generation;
    uint64_t              rows[POS_KIND_COUNT];
    uint8_t               small[POS_SHA256_SIZE];
};

/* A write transaction's work. Called again from the start after the map grew,
 * so it must not keep anything from a call that failed. Returns LMDB's codes. */
typedef int (*pos_writer_work_t)(pos_replica_writer_t *w, MDB_txn *txn,
    void *arg);
pos_status_t pos_writer_transact(pos_replica_writer_t *w,
    pos_writer_work_t work, void *arg) POS_MUSTCHECK;
/* The same for what no reader sees yet, or none needs any more: its meta page is
 * not waited for. A power failure may take the last such transaction back, never
 * one that was followed by a durable one, and never leaves half of one. Each
 * wait spared is one that a publish does not stand behind. */
pos_status_t pos_writer_transact_soon(pos_replica_writer_t *w,
    pos_writer_work_t work, void *arg) POS_MUSTCHECK;
pos_status_t pos_writer_fail(pos_replica_writer_t *w, const char *what, int rc);

pos_store_head_t *pos_writer_stored(const pos_replica_writer_t *w,
    const char *id);
/* Finds or makes (in memory) the head of `id`. NULL without memory. */
pos_store_head_t *pos_writer_need(pos_replica_writer_t *w, const char *id);
pos_status_t pos_writer_load_heads(pos_replica_writer_t *w) POS_MUSTCHECK;
/* The key's entry in the index of keys, where it is this retailer's. */
int pos_writer_key_del(pos_replica_writer_t *w, MDB_txn *txn, pos_str_t hex,
    uint32_t no);
int pos_writer_put_head(pos_replica_writer_t *w, MDB_txn *txn,
    const pos_store_head_t *head);

#endif
