/*
 * Rows: applying a revision, copying a retailer in bulk, revealing.
 */

#include "replica/changes.h"

#include <errno.h>
#include <stdlib.h>

/* What a run of rows changes beside the rows: kept apart until it is
 * committed, because a transaction may be done again. */
typedef struct {
    uint32_t no, generation;
    uint64_t rows[POS_KIND_COUNT];
    uint8_t  small[POS_SHA256_SIZE];
    size_t   refused;
    pos_changes_t *changes;       /* NULL: they are not kept */
} tally_t;


/*
 * The digest of all small entities is the exclusive or of each one's SHA-256:
 * it follows from the content alone, whatever the order of changes, and one
 * row's change costs one row.
 */
static void
tally_digest(tally_t *t, pos_kind_t kind, const pos_store_key_t *row,
    pos_str_t payload)
{
    pos_sha256_t ctx;
    uint8_t      digest[POS_SHA256_SIZE], len[4];
    unsigned     i;

    if (!pos_store_is_small(kind)) {
        return;
    }

    pos_store_put_u32(len, (uint32_t) row->len);
    pos_sha256_init(&ctx);
    pos_sha256_update(&ctx, pos_str_of((const char *) len, 4));
    pos_sha256_update(&ctx, pos_str_of((const char *) row->bytes + 8,
                                       row->len - 8));
    pos_sha256_update(&ctx, payload);
    pos_sha256_final(&ctx, digest);
    for (i = 0; i < POS_SHA256_SIZE; i++) {
        t->small[i] ^= digest[i];
    }
}


/* SKU and COUPON come framed; the others' frame is made in place. */
static bool
row_is_framed(pos_kind_t kind)
{
    return kind == POS_KIND_SKU || kind == POS_KIND_COUPON;
}


static int
row_write(pos_replica_writer_t *w, MDB_txn *txn, const pos_row_t *r,
    const pos_store_key_t *row)
{
    MDB_val key = pos_store_val(row->bytes, row->len), value;
    int     rc;

    if (row_is_framed(r->kind)) {
        value = pos_store_val(r->value.data, r->value.len);
        return mdb_put(txn, w->target->row, &key, &value, 0);
    }

    value = (MDB_val) { POS_FRAME_SIZE + r->value.len, NULL };
    rc = mdb_put(txn, w->target->row, &key, &value, MDB_RESERVE);
    if (rc == 0) {
        memcpy((uint8_t *) value.mv_data + POS_FRAME_SIZE, r->value.data,
               r->value.len);
        pos_frame_seal(value.mv_data, r->value.len);
    }

    return rc;
}


static bool
row_same(const pos_row_t *r, pos_str_t stored)
{
    pos_str_t payload;

    if (row_is_framed(r->kind)) {
        return pos_str_eq(r->value, stored);
    }

    return pos_frame_open(stored, &payload) && pos_str_eq(r->value, payload);
}


static int
key_index_put(pos_replica_writer_t *w, MDB_txn *txn, pos_str_t hex, uint32_t no)
{
    uint8_t hash[POS_SHA256_SIZE], framed[POS_FRAME_SIZE + 4];
    MDB_val key = pos_store_val(hash, sizeof(hash));
    MDB_val value = pos_store_val(framed, sizeof(framed));

    if (!pos_unhex(hex, hash)) {
        return 0;
    }

    pos_store_put_u32(framed + POS_FRAME_SIZE, no);
    pos_frame_seal(framed, 4);
    return mdb_put(txn, w->target->key, &key, &value, 0);
}


/* Only while it still names this retailer. */
int
pos_writer_key_del(pos_replica_writer_t *w, MDB_txn *txn, pos_str_t hex, uint32_t no)
{
    uint8_t   hash[POS_SHA256_SIZE];
    MDB_val   key = pos_store_val(hash, sizeof(hash)), value;
    pos_str_t payload;
    int       rc;

    if (hex.len != 2 * sizeof(hash) || !pos_unhex(hex, hash)) {
        return 0;
    }

    rc = mdb_get(txn, w->target->key, &key, &value);
    if (rc != 0) {
        return rc == MDB_NOTFOUND ? 0 : rc;
    }

    if (pos_frame_open(pos_store_str(value), &payload) && payload.len == 4
        && pos_store_get_u32((const uint8_t *) payload.data) != no)
    {
        return 0;
    }

    return mdb_del(txn, w->target->key, &key, NULL);
}


static bool
row_accepted(const pos_row_t *r, const tally_t *t, pos_store_key_t *row)
{
    uint8_t hash[POS_SHA256_SIZE];

    if (r->kind == POS_KIND_KEY
        && (r->key.len != 2 * sizeof(hash) || !pos_unhex(r->key, hash)))
    {
        return false;
    }

    return pos_store_row_key(row, t->no, t->generation, r->kind, r->key);
}


static int
row_delete(pos_replica_writer_t *w, MDB_txn *txn, const pos_row_t *r,
    const pos_store_key_t *row, tally_t *t)
{
    MDB_val key = pos_store_val(row->bytes, row->len);
    int     rc = mdb_del(txn, w->target->row, &key, NULL);

    t->rows[r->kind] -= t->rows[r->kind] > 0;
    return rc == 0 && r->kind == POS_KIND_KEY
           ? pos_writer_key_del(w, txn, r->key, t->no) : rc;
}


static int
row_apply(pos_replica_writer_t *w, MDB_txn *txn, const pos_row_t *r, tally_t *t)
{
    pos_store_key_t row;
    pos_str_t       payload;
    MDB_val         key, old;
    bool            there;
    int             rc;

    if (!row_accepted(r, t, &row)) {
        t->refused++;
        return 0;
    }

    key = pos_store_val(row.bytes, row.len);
    rc = mdb_get(txn, w->target->row, &key, &old);
    if (rc != 0 && rc != MDB_NOTFOUND) {
        return rc;
    }

    there = rc == 0;
    if (there && r->value.data != NULL && row_same(r, pos_store_str(old))) {
        return 0;
    }
    if (there && pos_frame_open(pos_store_str(old), &payload)) {
        tally_digest(t, r->kind, &row, payload);
    }
    if (r->value.data == NULL && !there) {
        return 0;
    }
    if (t->changes != NULL && pos_store_is_small(r->kind)) {
        pos_changes_note(t->changes, r->kind, r->key);
    }
    if (r->value.data == NULL) {
        return row_delete(w, txn, r, &row, t);
    }

    t->rows[r->kind] += !there;
    tally_digest(t, r->kind, &row, r->value);
    return row_write(w, txn, r, &row);
}


static int
rows_apply(pos_replica_writer_t *w, MDB_txn *txn, const pos_row_t *rows,
    size_t count, bool index_keys, tally_t *t)
{
    size_t i;
    int    rc = 0;

    for (i = 0; rc == 0 && i < count; i++) {
        rc = row_apply(w, txn, &rows[i], t);
        if (rc == 0 && index_keys && rows[i].kind == POS_KIND_KEY
            && rows[i].value.data != NULL)
        {
            rc = key_index_put(w, txn, rows[i].key, t->no);
        }
    }

    return rc;
}


/* ---- a revision ---- */

typedef struct {
    const pos_revision_t *revision;
    const pos_row_t      *rows;
    size_t                count;
    pos_store_head_t     *head;        /* as committed last */
    pos_store_head_t      fresh;       /* as it will be     */
    size_t                refused;
} apply_t;


static bool
revision_take(pos_store_head_t *h, const pos_revision_t *r)
{
    size_t len = strlen(r->epoch);

    if (len > POS_EPOCH_MAX) {
        return false;
    }

    memcpy(h->head.epoch, r->epoch, len + 1);
    h->head.rev = r->rev;
    memcpy(h->head.hash, r->hash, POS_SHA256_SIZE);
    h->head.source_time = r->source_time;
    h->head.applied_time = r->applied_time;
    return true;
}


static int
apply_work(pos_replica_writer_t *w, MDB_txn *txn, void *arg)
{
    apply_t      *a = arg;
    pos_changes_t changes;
    tally_t       t = { .changes = &changes };
    int           rc;

    a->fresh = *a->head;
    if (a->fresh.head.generation == 0) {
        /* 0 means never revealed; and what a bulk copy writes is its own. */
        a->fresh.head.generation = a->fresh.building + 1;
    }

    t.no = a->fresh.head.no;
    t.generation = a->fresh.head.generation;
    memcpy(t.rows, a->fresh.head.rows, sizeof(t.rows));
    memcpy(t.small, a->fresh.head.small, sizeof(t.small));
    pos_changes_begin(&changes, t.small);
    rc = rows_apply(w, txn, a->rows, a->count, true, &t);
    if (rc != 0) {
        return rc;
    }

    memcpy(a->fresh.head.rows, t.rows, sizeof(t.rows));
    memcpy(a->fresh.head.small, t.small, sizeof(t.small));
    if (!revision_take(&a->fresh, a->revision)) {
        return EINVAL;
    }

    a->refused = t.refused;
    rc = pos_changes_put(w, txn, &changes, &a->fresh.head);
    return rc ? rc : pos_writer_put_head(w, txn, &a->fresh);
}


pos_status_t
pos_writer_apply(pos_replica_writer_t *w, const pos_revision_t *revision,
    const pos_row_t *rows, size_t count, size_t *refused)
{
    apply_t      a = { .revision = revision, .rows = rows, .count = count };
    pos_status_t status;

    a.head = pos_writer_need(w, revision->id);
    if (a.head == NULL) {
        return pos_writer_fail(w, "head", ENOMEM);
    }

    status = pos_writer_transact(w, apply_work, &a);
    if (status == POS_OK) {
        *a.head = a.fresh;
        if (refused != NULL) {
            *refused = a.refused;
        }
    }

    return status;
}


static int
head_work(pos_replica_writer_t *w, MDB_txn *txn, void *arg)
{
    return pos_writer_put_head(w, txn, arg);
}


static int
forget_work(pos_replica_writer_t *w, MDB_txn *txn, void *arg)
{
    pos_store_head_t *h = arg;
    int               rc = pos_changes_drop(w, txn, h->head.no);

    return rc ? rc : pos_writer_put_head(w, txn, h);
}


/* The number stays taken, by an empty head: rows of it may still stand. */
pos_status_t
pos_writer_forget(pos_replica_writer_t *w, const char *id)
{
    pos_store_head_t *h = pos_writer_stored(w, id), gone = { 0 };
    pos_status_t      status;

    if (h == NULL) {
        return POS_OK;
    }

    gone.head.no = h->head.no;
    status = pos_writer_transact(w, forget_work, &gone);
    if (status == POS_OK) {
        *h = gone;
        w->sweep.len = 0;
    }

    return status;
}


/* ---- bulk ---- */

pos_status_t
pos_bulk_begin(pos_replica_writer_t *w, const char *id, pos_bulk_t **out)
{
    pos_store_head_t *h = pos_writer_need(w, id), fresh;
    pos_bulk_t       *b = calloc(1, sizeof(*b));
    pos_status_t      status;

    if (h == NULL || b == NULL) {
        free(b);
        return pos_writer_fail(w, "bulk", ENOMEM);
    }

    fresh = *h;
    b->generation = (h->building > h->head.generation
                     ? h->building : h->head.generation) + 1;
    fresh.building = b->generation;
    status = pos_writer_transact(w, head_work, &fresh);
    if (status != POS_OK) {
        free(b);
        return status;
    }

    *h = fresh;
    b->writer = w;
    b->head = (size_t) (h - w->heads);
    *out = b;
    return POS_OK;
}


typedef struct {
    pos_bulk_t      *bulk;
    const pos_row_t *rows;
    size_t           count;
    tally_t          tally;
} bulk_put_t;


static int
bulk_work(pos_replica_writer_t *w, MDB_txn *txn, void *arg)
{
    bulk_put_t *p = arg;

    p->tally = (tally_t) { .no = w->heads[p->bulk->head].head.no,
                           .generation = p->bulk->generation };
    memcpy(p->tally.rows, p->bulk->rows, sizeof(p->tally.rows));
    memcpy(p->tally.small, p->bulk->small, sizeof(p->tally.small));
    return rows_apply(w, txn, p->rows, p->count, false, &p->tally);
}


pos_status_t
pos_bulk_put(pos_bulk_t *b, const pos_row_t *rows, size_t count, size_t *refused)
{
    bulk_put_t   p = { .bulk = b, .rows = rows, .count = count };
    pos_status_t status = pos_writer_transact_soon(b->writer, bulk_work,
                                                   &p);

    if (status == POS_OK) {
        memcpy(b->rows, p.tally.rows, sizeof(b->rows));
        memcpy(b->small, p.tally.small, sizeof(b->small));
        if (refused != NULL) {
            *refused += p.tally.refused;
        }
    }

    return status;
}


/* The index of API keys learns of the new generation's keys; those that are
 * gone stay in it until the sweep, and lead to no row. */
static int
bulk_index(pos_replica_writer_t *w, MDB_txn *txn, const pos_store_head_t *h)
{
    pos_store_key_t  from;
    MDB_cursor      *cursor;
    MDB_val          key, value;
    pos_str_t        hex;
    int              rc;

    if (!pos_store_row_key(&from, h->head.no, h->head.generation, POS_KIND_KEY,
                           pos_str("")))
    {
        return EINVAL;
    }

    rc = mdb_cursor_open(txn, w->target->row, &cursor);
    if (rc != 0) {
        return rc;
    }

    key = pos_store_val(from.bytes, from.len);
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && key.mv_size > POS_STORE_PREFIX
           && memcmp(key.mv_data, from.bytes, POS_STORE_PREFIX) == 0)
    {
        hex = pos_str_of((const char *) key.mv_data + POS_STORE_PREFIX,
                         key.mv_size - POS_STORE_PREFIX);
        rc = key_index_put(w, txn, hex, h->head.no);
        rc = rc ? rc : mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }

    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}


static int
reveal_work(pos_replica_writer_t *w, MDB_txn *txn, void *arg)
{
    pos_store_head_t *h = arg;
    int               rc = bulk_index(w, txn, h);

    rc = rc ? rc : pos_changes_drop(w, txn, h->head.no);
    return rc ? rc : pos_writer_put_head(w, txn, h);
}


pos_status_t
pos_bulk_reveal(pos_bulk_t *b, const pos_revision_t *revision)
{
    pos_replica_writer_t *w = b->writer;
    pos_store_head_t      fresh = w->heads[b->head];
    pos_status_t          status;

    if (!revision_take(&fresh, revision)) {
        pos_bulk_abandon(b);
        return pos_writer_fail(w, "reveal", EINVAL);
    }

    fresh.head.generation = b->generation;
    fresh.building = 0;
    memcpy(fresh.head.rows, b->rows, sizeof(b->rows));
    memcpy(fresh.head.small, b->small, sizeof(b->small));
    status = pos_writer_transact(w, reveal_work, &fresh);
    if (status == POS_OK) {
        w->heads[b->head] = fresh;
        w->sweep.len = 0;
        free(b);
    } else {
        pos_bulk_abandon(b);
    }

    return status;
}


/* Its generation stays noted in the head, so that its number is never used
 * again while rows of it may stand; the next copy's begin lets them be swept. */
void
pos_bulk_abandon(pos_bulk_t *b)
{
    free(b);
}
