/*
 * What a snapshot holds: heads, rows, keys, and the engine's book source. All of
 * it is untrusted bytes: a damaged value is noted, never served.
 */

#include "base/hash.h"
#include "replica/reader.h"
#include "replica/sku.h"

#define EXPECT_STRIDE  32


static pos_status_t
snapshot_failed(pos_snapshot_t *s, const char *what, int rc)
{
    if (rc == MDB_NOTFOUND) {
        return POS_NOT_FOUND;
    }

    return pos_reader_fail(s->replica, what, rc);
}


/* A retailer that was never revealed is not there for readers. */
static pos_status_t
head_take(pos_snapshot_t *s, uint32_t no, MDB_val value, pos_head_t *out)
{
    pos_store_head_t stored;

    if (!pos_store_head_read(pos_store_str(value), no, &stored)) {
        memset(out, 0, sizeof(*out));
        out->no = no;
        return pos_reader_damaged(s->replica, POS_KIND_COUNT, pos_str("head"));
    }

    *out = stored.head;
    return out->generation == 0 ? POS_NOT_FOUND : POS_OK;
}


pos_status_t
pos_snapshot_head(pos_snapshot_t *s, uint32_t no, pos_head_t *out)
{
    uint8_t bytes[4];
    MDB_val key, value;
    int     rc;

    pos_store_put_u32(bytes, no);
    key = pos_store_val(bytes, 4);
    rc = mdb_get(s->txn, s->book->head, &key, &value);
    if (rc != 0) {
        return snapshot_failed(s, "head", rc);
    }

    return head_take(s, no, value, out);
}


pos_status_t
pos_snapshot_next_head(pos_snapshot_t *s, uint32_t after, pos_head_t *out)
{
    MDB_cursor   *cursor;
    MDB_val       key, value;
    pos_status_t  status;
    uint8_t       bytes[4];
    uint32_t      no;
    int           rc;

    if (after == UINT32_MAX) {
        return POS_NOT_FOUND;
    }

    rc = mdb_cursor_open(s->txn, s->book->head, &cursor);
    if (rc != 0) {
        return snapshot_failed(s, "heads", rc);
    }

    pos_store_put_u32(bytes, after + 1);
    key = pos_store_val(bytes, 4);
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    status = POS_NOT_FOUND;
    while (rc == 0) {
        no = key.mv_size == 4 ? pos_store_get_u32(key.mv_data) : after + 1;
        status = head_take(s, no, value, out);
        if (status != POS_NOT_FOUND) {
            break;
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }

    mdb_cursor_close(cursor);
    return rc == 0 ? status : snapshot_failed(s, "heads", rc);
}


/* One row by key, its frame still closed. */
static pos_status_t
row_find(pos_snapshot_t *s, uint32_t no, uint32_t generation, pos_kind_t kind,
    pos_str_t name, pos_str_t *framed)
{
    pos_store_key_t row;
    MDB_val         key, value;
    int             rc;

    if (!pos_store_row_key(&row, no, generation, kind, name)) {
        return POS_NOT_FOUND;
    }

    key = pos_store_val(row.bytes, row.len);
    rc = mdb_get(s->txn, s->book->row, &key, &value);
    if (rc != 0) {
        return snapshot_failed(s, "row", rc);
    }

    *framed = pos_store_str(value);
    return POS_OK;
}


/* The same, its frame opened. */
static pos_status_t
row_get(pos_snapshot_t *s, uint32_t no, uint32_t generation, pos_kind_t kind,
    pos_str_t name, pos_str_t *payload)
{
    pos_str_t    framed;
    pos_status_t status = row_find(s, no, generation, kind, name, &framed);

    if (status == POS_OK && !pos_frame_open(framed, payload)) {
        return pos_reader_damaged(s->replica, kind, name);
    }

    return status;
}


/* Rows are asked for one behind the other: where the cursor stands on the row that was given
 * last, it has only to go on. */
static int
row_walk(pos_snapshot_t *s, const pos_store_key_t *row, size_t after_len, MDB_val *key,
    MDB_val *value)
{
    bool next = after_len > 0 && s->walked.mv_size == after_len
                && memcmp(s->walked.mv_data, row->bytes, after_len) == 0;
    int  rc = s->walk != NULL ? 0 : mdb_cursor_open(s->txn, s->book->row, &s->walk);

    if (rc == 0) {
        rc = mdb_cursor_get(s->walk, key, value, next ? MDB_NEXT : MDB_SET_RANGE);
    }
    s->walked = rc == 0 ? *key : (MDB_val) { 0, NULL };
    return rc;
}


/* The first row of a kind behind `after`. */
static pos_status_t
row_next(pos_snapshot_t *s, uint32_t no, uint32_t generation, pos_kind_t kind,
    const pos_str_t *after, pos_str_t *name, pos_str_t *payload)
{
    pos_store_key_t  row;
    MDB_val          key, value;
    size_t           after_len = 0;
    int              rc;

    if (!pos_store_row_key(&row, no, generation, kind,
                           after ? *after : pos_str("")))
    {
        return POS_NOT_FOUND;
    }
    if (after != NULL) {
        /* The least key above: one zero byte longer. */
        after_len = row.len;
        row.bytes[row.len++] = 0;
    }

    key = pos_store_val(row.bytes, row.len);
    rc = row_walk(s, &row, after_len, &key, &value);
    if (rc != 0) {
        return snapshot_failed(s, "row", rc);
    }
    if (key.mv_size < POS_STORE_PREFIX
        || memcmp(key.mv_data, row.bytes, POS_STORE_PREFIX) != 0)
    {
        return POS_NOT_FOUND;
    }

    *name = pos_str_of((const char *) key.mv_data + POS_STORE_PREFIX,
                       key.mv_size - POS_STORE_PREFIX);
    if (!pos_frame_open(pos_store_str(value), payload)) {
        return pos_reader_damaged(s->replica, kind, *name);
    }

    return POS_OK;
}


pos_status_t
pos_snapshot_row(pos_snapshot_t *s, const pos_head_t *head, pos_kind_t kind, pos_str_t key,
    pos_str_t *value)
{
    return row_get(s, head->no, head->generation, kind, key, value);
}


pos_status_t
pos_snapshot_next_row(pos_snapshot_t *s, const pos_head_t *head,
    pos_kind_t kind, const pos_str_t *after, pos_str_t *key, pos_str_t *value)
{
    return row_next(s, head->no, head->generation, kind, after, key, value);
}


/* ---- the engine's source ---- */

/* Into `kept` where that is given and has room; `*keep` says whether it had. */
static pos_status_t
product_decode(pos_str_t payload, pos_str_t sku, pos_arena_t *arena,
    pos_arena_t *kept, const pos_product_t **out, bool *keep)
{
    pos_status_t status = kept ? pos_sku_decode(payload, kept, out) : POS_NO_MEMORY;

    *keep = status != POS_NO_MEMORY;
    if (!*keep) {
        status = pos_sku_decode(payload, arena, out);
    }

    return status == POS_OK && !pos_str_eq((*out)->sku, sku) ? POS_BROKEN : status;
}


/* Both tables pay for themselves from the first product on. */
static void
product_tables(pos_snapshot_t *s)
{
    MDB_stat stat;

    if (s->asked) {
        return;
    }

    s->asked = true;
    s->hot = pos_hot_create();
    if (mdb_stat(s->txn, s->book->row, &stat) == 0) {
        s->found = pos_found_create(stat.ms_entries);
    }
}


static pos_status_t
product_row(const pos_snapshot_source_t *c, pos_str_t sku, uint64_t hash,
    pos_str_t *payload)
{
    pos_snapshot_t *s = c->snapshot;
    pos_str_t       framed;
    pos_status_t    status;

    if (!pos_found_get(s->found, c->no, hash, &framed)
        || !pos_sku_is(framed, sku))
    {
        status = row_find(s, c->no, c->generation, POS_KIND_SKU, sku, &framed);
        if (status != POS_OK) {
            return status;
        }

        pos_found_put(s->found, c->no, hash, framed);
    }

    return pos_frame_open(framed, payload)
           ? POS_OK : pos_reader_damaged(s->replica, POS_KIND_SKU, sku);
}


static pos_status_t
source_product(void *ctx, pos_str_t sku, pos_arena_t *arena,
    const pos_product_t **out)
{
    pos_snapshot_source_t *c = ctx;
    pos_snapshot_t        *s = c->snapshot;
    pos_hot_slot_t        *slot;
    pos_status_t           status;
    pos_str_t              payload;
    uint64_t               retailer = (uint64_t) c->no << 32 | c->generation;
    uint64_t               hash = pos_hash64_seeded(sku, retailer);
    bool                   keep;

    product_tables(s);
    slot = pos_hot_slot(s->hot, hash);
    *out = pos_hot_find(slot, retailer, sku, hash);
    if (*out != NULL) {
        return POS_OK;
    }

    status = product_row(c, sku, hash, &payload);
    if (status != POS_OK) {
        return status;
    }

    status = product_decode(payload, sku, arena, pos_hot_admit(s->hot, slot, hash), out, &keep);
    if (status == POS_BROKEN) {
        return pos_reader_damaged(s->replica, POS_KIND_SKU, sku);
    }

    if (status == POS_OK && keep) {
        pos_hot_keep(slot, retailer, hash, *out);
    }

    return status;
}


/* In strides, so that entries have come before they are read. */
static void
source_expect(void *ctx, const pos_str_t *skus, uint32_t count)
{
    pos_snapshot_source_t *c = ctx;
    pos_found_t           *found = c->snapshot->found;
    uint64_t               retailer = (uint64_t) c->no << 32 | c->generation;
    uint64_t               hashes[EXPECT_STRIDE];
    uint32_t               i, n;

    for (; found != NULL && count > 0; skus += n, count -= n) {
        n = count < EXPECT_STRIDE ? count : EXPECT_STRIDE;
        for (i = 0; i < n; i++) {
            hashes[i] = pos_hash64_seeded(skus[i], retailer);
            pos_found_fetch(found, hashes[i]);
        }
        for (i = 0; i < n; i++) {
            pos_found_fetch_row(found, hashes[i]);
        }
    }
}


static pos_str_t *
source_strings(pos_bytes_in_t *in, pos_arena_t *arena, uint32_t count)
{
    pos_str_t *strings = pos_arena_array(arena, count ? count : 1,
                                         sizeof(*strings));
    uint32_t   i;

    for (i = 0; strings != NULL && i < count; i++) {
        strings[i] = pos_in_str(in);
    }

    return strings;
}


/* The coupon's record is binary like the SKU's, behind its JSON (the writer
 * lays both down): quotes never parse JSON. */
static pos_status_t
source_coupon(void *ctx, pos_str_t code, pos_arena_t *arena,
    const pos_coupon_t **out)
{
    pos_snapshot_source_t *c = ctx;
    pos_bytes_in_t         in;
    pos_coupon_t          *coupon;
    pos_status_t           status;
    pos_str_t              payload;

    status = row_get(c->snapshot, c->no, c->generation, POS_KIND_COUPON, code,
                     &payload);
    if (status != POS_OK) {
        return status;
    }

    coupon = pos_arena_zalloc(arena, sizeof(*coupon));
    if (coupon == NULL) {
        return POS_NO_MEMORY;
    }

    in = (pos_bytes_in_t) { (const uint8_t *) payload.data,
                            (const uint8_t *) payload.data + payload.len,
                            false };
    coupon->code = pos_in_str(&in);
    coupon->remaining = pos_in_int(&in);
    coupon->per_customer = pos_in_int(&in);
    coupon->from = pos_in_int(&in);
    coupon->until = pos_in_int(&in);
    coupon->promotion_count = pos_in_count(&in, 1);
    coupon->promotions = source_strings(&in, arena, coupon->promotion_count);
    if (coupon->promotions == NULL) {
        return POS_NO_MEMORY;
    }
    if (in.bad || in.pos != in.end) {
        return pos_reader_damaged(c->snapshot->replica, POS_KIND_COUPON, code);
    }

    *out = coupon;
    return POS_OK;
}


static pos_status_t
source_next(void *ctx, pos_kind_t kind, const pos_str_t *after, pos_str_t *key,
    pos_str_t *value)
{
    pos_snapshot_source_t *c = ctx;

    return row_next(c->snapshot, c->no, c->generation, kind, after, key, value);
}


void
pos_snapshot_source(pos_snapshot_t *s, const pos_head_t *head,
    pos_snapshot_source_t *ctx, pos_book_source_t *out)
{
    *ctx = (pos_snapshot_source_t) { s, head->no, head->generation };
    *out = (pos_book_source_t) { ctx, source_product, source_expect,
                                 source_coupon, source_next };
}


/* ---- API keys ---- */

/* The index says whose key it is; the retailer's own row, in the generation
 * that is served, says whether it still is. */
pos_status_t
pos_snapshot_key(pos_snapshot_t *s, const uint8_t hash[POS_SHA256_SIZE],
    uint32_t *no, pos_str_t *json)
{
    char         hex[2 * POS_SHA256_SIZE];
    pos_head_t   head;
    pos_status_t status;
    pos_str_t    payload;
    MDB_val      key, value;
    int          rc;

    key = pos_store_val(hash, POS_SHA256_SIZE);
    rc = mdb_get(s->txn, s->book->key, &key, &value);
    if (rc != 0) {
        return snapshot_failed(s, "key", rc);
    }
    if (!pos_frame_open(pos_store_str(value), &payload) || payload.len != 4) {
        return pos_reader_damaged(s->replica, POS_KIND_KEY, pos_str(""));
    }

    *no = pos_store_get_u32((const uint8_t *) payload.data);
    status = pos_snapshot_head(s, *no, &head);
    if (status != POS_OK) {
        return status;
    }

    pos_hex(pos_str_of((const char *) hash, POS_SHA256_SIZE), hex);
    return row_get(s, *no, head.generation, POS_KIND_KEY,
                   pos_str_of(hex, sizeof(hex)), json);
}
