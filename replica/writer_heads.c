/*
 * Where each retailer stands: heads read into memory when a book is opened, and
 * the mark that all retailers are there.
 */

#include "replica/writer_book.h"

#include <errno.h>
#include <stdlib.h>


pos_store_head_t *
pos_writer_stored(const pos_replica_writer_t *w, const char *id)
{
    size_t i;

    for (i = 0; i < w->head_count; i++) {
        if (strcmp(w->heads[i].head.id, id) == 0) {
            return &w->heads[i];
        }
    }

    return NULL;
}


static pos_store_head_t *
heads_add(pos_replica_writer_t *w)
{
    pos_store_head_t *grown;
    size_t            room;

    if (w->head_count == w->head_room) {
        room = w->head_room ? w->head_room * 2 : 16;
        grown = realloc(w->heads, room * sizeof(*grown));
        if (grown == NULL) {
            return NULL;
        }
        w->heads = grown;
        w->head_room = room;
    }

    memset(&w->heads[w->head_count], 0, sizeof(*w->heads));
    return &w->heads[w->head_count++];
}


pos_store_head_t *
pos_writer_need(pos_replica_writer_t *w, const char *id)
{
    pos_store_head_t *h = pos_writer_stored(w, id);
    uint32_t          no = 0;
    size_t            i;

    if (h != NULL || strlen(id) > POS_RETAILER_ID_MAX) {
        return h;
    }

    for (i = 0; i < w->head_count; i++) {
        no = w->heads[i].head.no > no ? w->heads[i].head.no : no;
    }

    h = heads_add(w);
    if (h != NULL) {
        h->head.no = no + 1;
        memcpy(h->head.id, id, strlen(id) + 1);
    }

    return h;
}


/* A damaged head is as good as none: its retailer is copied again. */
static int
heads_read(pos_replica_writer_t *w, MDB_txn *txn)
{
    pos_store_head_t  read, *h;
    MDB_cursor       *cursor;
    MDB_val           key, value;
    int               rc;

    rc = mdb_cursor_open(txn, w->target->head, &cursor);
    if (rc != 0) {
        return rc;
    }

    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        if (key.mv_size == 4
            && pos_store_get_u32(key.mv_data) == POS_STORE_WHOLE)
        {
            w->whole = true;
            continue;
        }
        if (key.mv_size != 4
            || !pos_store_head_read(pos_store_str(value),
                                    pos_store_get_u32(key.mv_data), &read))
        {
            rc = mdb_cursor_del(cursor, 0);
            if (rc != 0) {
                break;
            }
            continue;
        }

        h = heads_add(w);
        if (h == NULL) {
            rc = ENOMEM;
            break;
        }
        *h = read;
    }

    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}


/* Makes the databases too, in the same transaction. */
static int
load_work(pos_replica_writer_t *w, MDB_txn *txn, void *arg)
{
    pos_store_book_t *b = w->target;
    int               rc;

    (void) arg;

    w->head_count = 0;
    w->whole = false;
    rc = mdb_dbi_open(txn, "head", MDB_CREATE, &b->head);
    rc = rc ? rc : mdb_dbi_open(txn, "row", MDB_CREATE, &b->row);
    rc = rc ? rc : mdb_dbi_open(txn, "key", MDB_CREATE, &b->key);
    rc = rc ? rc : mdb_dbi_open(txn, "change", MDB_CREATE, &b->change);
    return rc ? rc : heads_read(w, txn);
}


pos_status_t
pos_writer_load_heads(pos_replica_writer_t *w)
{
    return pos_writer_transact(w, load_work, NULL);
}


int
pos_writer_put_head(pos_replica_writer_t *w, MDB_txn *txn,
    const pos_store_head_t *h)
{
    uint8_t bytes[4], buffer[POS_STORE_HEAD_MAX];
    MDB_val key, value;

    pos_store_put_u32(bytes, h->head.no);
    key = pos_store_val(bytes, 4);
    value = pos_store_val(buffer, pos_store_head_write(h, buffer));
    return mdb_put(txn, w->target->head, &key, &value, 0);
}


static int
whole_work(pos_replica_writer_t *w, MDB_txn *txn, void *arg)
{
    uint8_t bytes[4], framed[POS_FRAME_SIZE + 1];
    MDB_val key, value;

    (void) arg;

    pos_store_put_u32(bytes, POS_STORE_WHOLE);
    framed[POS_FRAME_SIZE] = 1;
    pos_frame_seal(framed, 1);
    key = pos_store_val(bytes, 4);
    value = pos_store_val(framed, sizeof(framed));
    return mdb_put(txn, w->target->head, &key, &value, 0);
}


pos_status_t
pos_writer_set_whole(pos_replica_writer_t *w)
{
    pos_status_t status;

    if (w->whole) {
        return POS_OK;
    }

    status = pos_writer_transact(w, whole_work, NULL);
    w->whole = status == POS_OK;
    return status;
}


const pos_head_t *
pos_writer_head(const pos_replica_writer_t *w, const char *id)
{
    pos_store_head_t *h = pos_writer_stored(w, id);

    return h ? &h->head : NULL;
}


size_t
pos_writer_head_count(const pos_replica_writer_t *w)
{
    return w->head_count;
}


const pos_head_t *
pos_writer_head_at(const pos_replica_writer_t *w, size_t index)
{
    return &w->heads[index].head;
}
