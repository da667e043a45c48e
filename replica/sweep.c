/* Rows that no head names any more, freed a few at a time. */

#include "replica/writer_book.h"

#include <errno.h>


typedef struct {
    size_t          left;        /* rows that may still be deleted here */
    bool            more;
    pos_store_key_t at;
} sweep_t;


static const pos_store_head_t *
sweep_head(const pos_replica_writer_t *w, uint32_t no)
{
    size_t i;

    for (i = 0; i < w->head_count; i++) {
        if (w->heads[i].head.no == no) {
            return &w->heads[i];
        }
    }

    return NULL;
}


static int
sweep_delete(pos_replica_writer_t *w, MDB_txn *txn, MDB_cursor *cursor,
    MDB_val key, uint32_t no)
{
    char hex[2 * POS_SHA256_SIZE];
    int  rc;

    if (((const uint8_t *) key.mv_data)[8] != pos_store_kind(POS_KIND_KEY)
        || key.mv_size != POS_STORE_PREFIX + sizeof(hex))
    {
        return mdb_cursor_del(cursor, 0);
    }

    memcpy(hex, (const char *) key.mv_data + POS_STORE_PREFIX, sizeof(hex));
    rc = mdb_cursor_del(cursor, 0);
    if (rc == 0) {
        const pos_store_head_t *h = sweep_head(w, no);
        pos_store_key_t         row;
        MDB_val                 live, value;

        /* A key that the served generation has too stays known. */
        if (h != NULL
            && pos_store_row_key(&row, no, h->head.generation, POS_KIND_KEY,
                                 pos_str_of(hex, sizeof(hex))))
        {
            live = pos_store_val(row.bytes, row.len);
            if (mdb_get(txn, w->target->row, &live, &value) == 0) {
                return 0;
            }
        }
        rc = pos_writer_key_del(w, txn, pos_str_of(hex, sizeof(hex)), no);
    }

    return rc;
}


/* Skips generations that are served or being copied, deletes the others. */
static int
sweep_rows(pos_replica_writer_t *w, MDB_txn *txn, MDB_cursor *cursor, sweep_t *s)
{
    const pos_store_head_t *h;
    uint32_t                no, generation;
    MDB_val                 key, value;
    int                     rc;

    for (;;) {
        key = pos_store_val(s->at.bytes, s->at.len);
        rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
        if (rc != 0) {
            return rc;
        }
        if (key.mv_size < POS_STORE_PREFIX) {
            rc = mdb_cursor_del(cursor, 0);
            if (rc != 0) {
                return rc;
            }
            continue;
        }

        no = pos_store_get_u32(key.mv_data);
        generation = pos_store_get_u32((const uint8_t *) key.mv_data + 4);
        h = sweep_head(w, no);
        if (h != NULL && (generation == h->head.generation
                          || generation == h->building))
        {
            if (generation == UINT32_MAX) {
                return EINVAL;
            }
            pos_store_put_u32(s->at.bytes, no);
            pos_store_put_u32(s->at.bytes + 4, generation + 1);
            s->at.len = 8;
            continue;
        }
        if (s->left == 0) {
            s->more = true;
            return 0;
        }

        s->left--;
        memcpy(s->at.bytes, key.mv_data, 8);
        s->at.len = 8;
        rc = sweep_delete(w, txn, cursor, key, no);
        if (rc != 0) {
            return rc;
        }
    }
}


static int
sweep_work(pos_replica_writer_t *w, MDB_txn *txn, void *arg)
{
    sweep_t    *s = arg;
    size_t      left = s->left;
    MDB_cursor *cursor;
    int         rc;

    s->more = false;
    s->at = w->sweep;
    if (s->at.len == 0) {
        memset(s->at.bytes, 0, 8);
        s->at.len = 8;
    }

    rc = mdb_cursor_open(txn, w->target->row, &cursor);
    if (rc != 0) {
        return rc;
    }

    rc = sweep_rows(w, txn, cursor, s);
    mdb_cursor_close(cursor);
    if (rc != 0 && rc != MDB_NOTFOUND) {
        s->left = left;
        return rc;
    }

    return 0;
}


pos_status_t
pos_writer_sweep(pos_replica_writer_t *w, size_t rows)
{
    sweep_t      s = { .left = rows };
    pos_status_t status = pos_writer_transact_soon(w, sweep_work, &s);

    if (status != POS_OK) {
        return status;
    }

    if (s.more) {
        w->sweep = s.at;
        return POS_AGAIN;
    }

    w->sweep.len = 0;
    return POS_OK;
}
