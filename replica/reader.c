/*
 * The read side: opens what posd writes, follows switches of the file, serves
 * snapshots and the engine's book source.
 */

#include "replica/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "replica/sku.h"

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
};

/* Why the last open failed: there is no replica to ask then. */
static char open_error[256];


const char *
pos_replica_error(const pos_replica_t *r)
{
    return r ? r->error : open_error;
}


void
pos_replica_faults(const pos_replica_t *r, pos_replica_faults_t *out)
{
    *out = r->faults;
}


const char *
pos_replica_state_name(pos_replica_state_t state)
{
    static const char *names[] = {
        "following", "detached", "rebuilding", "stopped"
    };

    return (unsigned) state <= POS_REPLICA_STOPPED ? names[state] : "unknown";
}


static pos_status_t
replica_fail(pos_replica_t *r, const char *what, int rc)
{
    snprintf(r->error, sizeof(r->error), "%.180s: %.60s", what,
             mdb_strerror(rc));
    return rc == ENOMEM ? POS_NO_MEMORY : rc == ENOENT ? POS_NOT_FOUND
                                                       : POS_BROKEN;
}


/* Notes a damaged value and gives the status that says so. */
static pos_status_t
replica_damaged(pos_replica_t *r, pos_kind_t kind, pos_str_t key)
{
    size_t i, n = key.len < sizeof(r->faults.key) - 1
                  ? key.len : sizeof(r->faults.key) - 1;

    r->faults.damaged++;
    r->faults.kind = kind;
    for (i = 0; i < n; i++) {
        r->faults.key[i] = key.data[i] >= ' ' && key.data[i] <= '~'
                           ? key.data[i] : '?';
    }
    r->faults.key[n] = '\0';
    return POS_BROKEN;
}


/*
 * A reader's map is far larger than the file, because a map cannot be moved
 * while a snapshot is open, and one always is. Address space is all it costs;
 * where even that is limited, less is tried.
 */
static int
reader_env_open(const char *path, size_t map, MDB_env **out)
{
    MDB_env *env;
    int      rc;

    for (;;) {
        rc = mdb_env_create(&env);
        if (rc != 0) {
            return rc;
        }

        mdb_env_set_maxdbs(env, 4);
        mdb_env_set_maxreaders(env, POS_STORE_READERS);
        mdb_env_set_mapsize(env, map);
        rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY | MDB_NOTLS,
                          0664);
        if (rc == 0) {
            *out = env;
            return 0;
        }

        mdb_env_close(env);
        if (rc != ENOMEM || map <= (size_t) 1 << 30) {
            return rc;
        }
        map /= 2;
    }
}


static int
book_databases(pos_store_book_t *book)
{
    MDB_txn *txn;
    int      rc;

    rc = mdb_txn_begin(book->env, NULL, MDB_RDONLY, &txn);
    if (rc != 0) {
        return rc;
    }

    rc = mdb_dbi_open(txn, "head", 0, &book->head);
    rc = rc ? rc : mdb_dbi_open(txn, "row", 0, &book->row);
    rc = rc ? rc : mdb_dbi_open(txn, "key", 0, &book->key);
    if (rc != 0) {
        mdb_txn_abort(txn);
        /* A file whose first commit is still to come. */
        return rc == MDB_NOTFOUND ? ENOENT : rc;
    }

    return mdb_txn_commit(txn);
}


static void
book_release(pos_store_book_t *book)
{
    if (book != NULL && --book->refs == 0) {
        mdb_env_close(book->env);
        free(book);
    }
}


static pos_status_t
book_open(pos_replica_t *r, uint32_t number, pos_store_book_t **out)
{
    pos_store_book_t *book;
    char              path[POS_STORE_PATH_MAX];
    int               rc;

    book = calloc(1, sizeof(*book));
    if (book == NULL) {
        return replica_fail(r, "book", ENOMEM);
    }

    pos_store_book_path(r->dir, number, "", path);
    rc = reader_env_open(path, POS_STORE_MAP_MAX, &book->env);
    if (rc != 0) {
        free(book);
        return replica_fail(r, path, rc);
    }

    book->number = number;
    book->refs = 1;
    rc = book_databases(book);
    if (rc != 0) {
        book_release(book);
        return replica_fail(r, path, rc);
    }

    *out = book;
    return POS_OK;
}


static pos_status_t
levels_open(pos_replica_t *r)
{
    char     path[POS_STORE_PATH_MAX + 16];
    MDB_txn *txn;
    int      rc;

    snprintf(path, sizeof(path), "%s/levels.mdb", r->dir);
    rc = reader_env_open(path, POS_STORE_LEVELS_MAP, &r->levels);
    if (rc != 0) {
        r->levels = NULL;
        return replica_fail(r, path, rc);
    }

    rc = mdb_txn_begin(r->levels, NULL, MDB_RDONLY, &txn);
    if (rc == 0) {
        rc = mdb_dbi_open(txn, NULL, 0, &r->levels_dbi);
        if (rc == 0) {
            rc = mdb_txn_commit(txn);
        } else {
            mdb_txn_abort(txn);
        }
    }
    if (rc == 0) {
        rc = mdb_txn_begin(r->levels, NULL, MDB_RDONLY, &r->levels_txn);
    }
    if (rc != 0) {
        r->levels_txn = NULL;
        return replica_fail(r, path, rc);
    }

    mdb_txn_reset(r->levels_txn);
    return POS_OK;
}


static void
levels_take(pos_replica_t *r)
{
    MDB_val           key, value;
    pos_str_t         payload;
    pos_store_clock_t clock;

    key = pos_store_val("clock", 5);
    if (mdb_get(r->levels_txn, r->levels_dbi, &key, &value) == 0) {
        if (pos_store_clock_read(pos_store_str(value), &clock)) {
            r->clock = clock;
            r->clock_known = true;
        } else {
            (void) replica_damaged(r, POS_KIND_COUNT, pos_str("clock"));
        }
    }

    key = pos_store_val("book", 4);
    if (mdb_get(r->levels_txn, r->levels_dbi, &key, &value) == 0
        && pos_frame_open(pos_store_str(value), &payload) && payload.len == 4)
    {
        r->hint = pos_store_get_u32((const uint8_t *) payload.data);
    }
}


/* Reads the levels again when they were written since. */
static void
levels_refresh(pos_replica_t *r)
{
    MDB_envinfo info;

    mdb_env_info(r->levels, &info);
    if (info.me_last_txnid == r->levels_seen) {
        return;
    }

    if (mdb_txn_renew(r->levels_txn) == 0) {
        r->levels_seen = mdb_txn_id(r->levels_txn);
        levels_take(r);
        mdb_txn_reset(r->levels_txn);
    }
}


/* The file may be switched and the old one removed between reading its name
 * and opening it: then the name is read again. */
static pos_status_t
book_follow(pos_replica_t *r)
{
    pos_store_book_t *book;
    pos_status_t      status;
    uint32_t          number;
    int               i;

    for (i = 0; i < 3; i++) {
        status = pos_store_current(r->dir, &number);
        if (status != POS_OK) {
            snprintf(r->error, sizeof(r->error), "%.200s/current: %s", r->dir,
                     status == POS_NOT_FOUND ? "not there" : "damaged");
            return status;
        }
        if (r->book != NULL && r->book->number == number) {
            return POS_OK;
        }

        status = book_open(r, number, &book);
        if (status == POS_OK) {
            book_release(r->book);
            r->book = book;
            r->seen = 0;
            return POS_OK;
        }
        if (status != POS_NOT_FOUND) {
            return status;
        }
    }

    return status;
}


pos_status_t
pos_replica_open(const char *dir, pos_replica_t **out)
{
    pos_replica_t *r;
    pos_status_t   status;

    if (strlen(dir) + 32 > POS_STORE_PATH_MAX) {
        snprintf(open_error, sizeof(open_error), "the path is too long");
        return POS_LIMIT;
    }

    r = calloc(1, sizeof(*r));
    if (r == NULL) {
        snprintf(open_error, sizeof(open_error), "no memory");
        return POS_NO_MEMORY;
    }

    memcpy(r->dir, dir, strlen(dir) + 1);
    pos_store_boot_id(r->boot_id);
    status = levels_open(r);
    if (status == POS_OK) {
        levels_refresh(r);
        status = book_follow(r);
    }
    if (status != POS_OK) {
        memcpy(open_error, r->error, sizeof(open_error));
        pos_replica_close(r);
        return status;
    }

    *out = r;
    return POS_OK;
}


void
pos_replica_close(pos_replica_t *r)
{
    if (r == NULL) {
        return;
    }

    if (r->levels_txn != NULL) {
        mdb_txn_abort(r->levels_txn);
    }
    if (r->levels != NULL) {
        mdb_env_close(r->levels);
    }
    book_release(r->book);
    free(r);
}


bool
pos_replica_changed(pos_replica_t *r)
{
    MDB_envinfo info;

    levels_refresh(r);
    if (r->hint != 0 && r->hint != r->book->number) {
        return true;
    }

    mdb_env_info(r->book->env, &info);
    return info.me_last_txnid != r->seen;
}


/* The file outgrew this process's map: it can be enlarged only while no
 * snapshot of it is open here. */
static int
snapshot_begin(pos_store_book_t *book, MDB_txn **txn)
{
    int rc = mdb_txn_begin(book->env, NULL, MDB_RDONLY, txn);

    if (rc == MDB_MAP_RESIZED && book->refs == 1) {
        rc = mdb_env_set_mapsize(book->env, 0);
        rc = rc ? rc : mdb_txn_begin(book->env, NULL, MDB_RDONLY, txn);
    }

    return rc;
}


pos_status_t
pos_snapshot_open(pos_replica_t *r, pos_snapshot_t **out)
{
    pos_snapshot_t *s;
    pos_status_t    status;
    int             rc;

    levels_refresh(r);
    if (r->hint != 0 && r->hint != r->book->number) {
        status = book_follow(r);
        if (status != POS_OK) {
            return status;
        }
    }

    s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return replica_fail(r, "snapshot", ENOMEM);
    }

    rc = snapshot_begin(r->book, &s->txn);
    if (rc != 0) {
        free(s);
        return replica_fail(r, "snapshot", rc);
    }

    s->replica = r;
    s->book = r->book;
    s->book->refs++;
    r->seen = mdb_txn_id(s->txn);
    *out = s;
    return POS_OK;
}


void
pos_snapshot_close(pos_snapshot_t *s)
{
    if (s == NULL) {
        return;
    }

    mdb_txn_abort(s->txn);
    book_release(s->book);
    free(s);
}


uint64_t
pos_snapshot_txnid(const pos_snapshot_t *s)
{
    return mdb_txn_id(s->txn);
}


uint32_t
pos_snapshot_file(const pos_snapshot_t *s)
{
    return s->book->number;
}


bool
pos_snapshot_whole(const pos_snapshot_t *s)
{
    uint8_t bytes[4];
    MDB_val key, value;

    pos_store_put_u32(bytes, POS_STORE_WHOLE);
    key = pos_store_val(bytes, 4);
    return mdb_get(s->txn, s->book->head, &key, &value) == 0;
}


static pos_status_t
snapshot_failed(pos_snapshot_t *s, const char *what, int rc)
{
    if (rc == MDB_NOTFOUND) {
        return POS_NOT_FOUND;
    }

    return replica_fail(s->replica, what, rc);
}


/* A retailer that was never revealed is not there for readers. */
static pos_status_t
head_take(pos_snapshot_t *s, uint32_t no, MDB_val value, pos_head_t *out)
{
    pos_store_head_t stored;

    if (!pos_store_head_read(pos_store_str(value), no, &stored)) {
        memset(out, 0, sizeof(*out));
        out->no = no;
        return replica_damaged(s->replica, POS_KIND_COUNT, pos_str("head"));
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


/* One row by key, its frame opened. */
static pos_status_t
row_get(pos_snapshot_t *s, uint32_t no, uint32_t generation, pos_kind_t kind,
    pos_str_t name, pos_str_t *payload)
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

    if (!pos_frame_open(pos_store_str(value), payload)) {
        return replica_damaged(s->replica, kind, name);
    }

    return POS_OK;
}


/* The first row of a kind behind `after`. */
static pos_status_t
row_next(pos_snapshot_t *s, uint32_t no, uint32_t generation, pos_kind_t kind,
    const pos_str_t *after, pos_str_t *name, pos_str_t *payload)
{
    pos_store_key_t  row;
    MDB_cursor      *cursor;
    MDB_val          key, value;
    int              rc;

    if (!pos_store_row_key(&row, no, generation, kind,
                           after ? *after : pos_str("")))
    {
        return POS_NOT_FOUND;
    }
    if (after != NULL) {
        /* The least key above: one zero byte longer. */
        row.bytes[row.len++] = 0;
    }

    rc = mdb_cursor_open(s->txn, s->book->row, &cursor);
    if (rc != 0) {
        return snapshot_failed(s, "row", rc);
    }

    key = pos_store_val(row.bytes, row.len);
    rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    mdb_cursor_close(cursor);
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
        return replica_damaged(s->replica, kind, *name);
    }

    return POS_OK;
}


pos_status_t
pos_snapshot_next_row(pos_snapshot_t *s, const pos_head_t *head,
    pos_kind_t kind, const pos_str_t *after, pos_str_t *key, pos_str_t *value)
{
    return row_next(s, head->no, head->generation, kind, after, key, value);
}


/* ---- the engine's source ---- */

static pos_status_t
source_product(void *ctx, pos_str_t sku, pos_arena_t *arena,
    const pos_product_t **out)
{
    pos_snapshot_source_t *c = ctx;
    pos_status_t           status;
    pos_str_t              payload;

    status = row_get(c->snapshot, c->no, c->generation, POS_KIND_SKU, sku,
                     &payload);
    if (status != POS_OK) {
        return status;
    }

    status = pos_sku_decode(payload, arena, out);
    if (status == POS_OK && !pos_str_eq((*out)->sku, sku)) {
        status = POS_BROKEN;
    }

    return status == POS_BROKEN
           ? replica_damaged(c->snapshot->replica, POS_KIND_SKU, sku) : status;
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
        return replica_damaged(c->snapshot->replica, POS_KIND_COUPON, code);
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
    *out = (pos_book_source_t) { ctx, source_product, source_coupon,
                                 source_next };
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
        return replica_damaged(s->replica, POS_KIND_KEY, pos_str(""));
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


/* ---- clock ---- */

pos_status_t
pos_replica_clock(pos_replica_t *r, pos_replica_clock_t *out)
{
    const pos_store_clock_t *c = &r->clock;
    int64_t                  passed;

    levels_refresh(r);
    if (!r->clock_known || c->db_time == 0) {
        return POS_NOT_FOUND;
    }

    out->steady = memcmp(c->boot_id, r->boot_id, sizeof(r->boot_id)) == 0;
    passed = out->steady ? pos_store_boottime() - c->boot_time
                         : pos_store_walltime() - c->wall_time;
    out->now = c->db_time + (passed > 0 ? passed : 0);
    out->stale = out->now > c->fresh_time ? out->now - c->fresh_time : 0;
    out->state = (pos_replica_state_t) c->state;
    return POS_OK;
}
