/* What changed, as the writer keeps it. */

#include "replica/changes.h"


void
pos_changes_key(uint8_t out[POS_CHANGES_KEY], uint32_t no, uint32_t generation, uint64_t rev)
{
    pos_store_put_u32(out, no);
    pos_store_put_u32(out + 4, generation);
    pos_store_put_u32(out + 8, (uint32_t) (rev >> 32));
    pos_store_put_u32(out + 12, (uint32_t) rev);
}


/* The digest of after has its room, and is put there in the end. */
void
pos_changes_begin(pos_changes_t *c, const uint8_t before[POS_SHA256_SIZE])
{
    uint8_t *start = c->bytes + POS_FRAME_SIZE;

    c->out = (pos_bytes_out_t) { start, start, c->bytes + sizeof(c->bytes), false };
    pos_out_raw(&c->out, before, POS_SHA256_SIZE);
    pos_out_raw(&c->out, before, POS_SHA256_SIZE);
}


void
pos_changes_note(pos_changes_t *c, pos_kind_t kind, pos_str_t key)
{
    pos_out_u8(&c->out, pos_store_kind(kind));
    pos_out_str(&c->out, key);
}


/* Deletes the records from `first` on as long as they come before `last`. */
static int
delete_range(pos_replica_writer_t *w, MDB_txn *txn, uint8_t first[POS_CHANGES_KEY],
    const uint8_t last[POS_CHANGES_KEY])
{
    MDB_cursor *cursor;
    MDB_val     key = pos_store_val(first, POS_CHANGES_KEY), value;
    int         rc = mdb_cursor_open(txn, w->target->change, &cursor);

    if (rc != 0) {
        return rc;
    }

    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && key.mv_size == POS_CHANGES_KEY
           && memcmp(key.mv_data, last, POS_CHANGES_KEY) < 0)
    {
        rc = mdb_cursor_del(cursor, 0);
        rc = rc ? rc : mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }

    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}


int
pos_changes_drop(pos_replica_writer_t *w, MDB_txn *txn, uint32_t no)
{
    uint8_t first[POS_CHANGES_KEY], last[POS_CHANGES_KEY];

    pos_changes_key(first, no, 0, 0);
    pos_changes_key(last, no, UINT32_MAX, UINT64_MAX);
    return delete_range(w, txn, first, last);
}


static int
drop_old(pos_replica_writer_t *w, MDB_txn *txn, const pos_head_t *head)
{
    uint8_t  first[POS_CHANGES_KEY], last[POS_CHANGES_KEY];
    uint64_t rev = (uint64_t) head->rev;

    if (rev <= POS_CHANGES_KEPT) {
        return 0;
    }

    pos_changes_key(first, head->no, head->generation, 0);
    pos_changes_key(last, head->no, head->generation, rev - POS_CHANGES_KEPT + 1);
    return delete_range(w, txn, first, last);
}


int
pos_changes_put(pos_replica_writer_t *w, MDB_txn *txn, pos_changes_t *c,
    const pos_head_t *head)
{
    uint8_t *after = c->out.start + POS_SHA256_SIZE;
    uint8_t  bytes[POS_CHANGES_KEY];
    size_t   len = (size_t) (c->out.pos - c->out.start);
    MDB_val  key = pos_store_val(bytes, sizeof(bytes));
    MDB_val  value = pos_store_val(c->bytes, POS_FRAME_SIZE + len);
    int      rc;

    if (memcmp(after, head->small, POS_SHA256_SIZE) == 0) {
        return 0;
    }
    /* Nobody gets past a revision that is not listed. */
    if (c->out.full) {
        return pos_changes_drop(w, txn, head->no);
    }

    memcpy(after, head->small, POS_SHA256_SIZE);
    pos_frame_seal(c->bytes, len);
    pos_changes_key(bytes, head->no, head->generation, (uint64_t) head->rev);
    rc = mdb_put(txn, w->target->change, &key, &value, 0);
    return rc ? rc : drop_old(w, txn, head);
}
