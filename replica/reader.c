/*
 * The read side: opens what posd writes, follows switches of the file, opens
 * snapshots and tells the time.
 */

#include "replica/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

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


pos_status_t
pos_reader_fail(pos_replica_t *r, const char *what, int rc)
{
    snprintf(r->error, sizeof(r->error), "%.180s: %.60s", what,
             mdb_strerror(rc));
    return rc == ENOMEM ? POS_NO_MEMORY : rc == ENOENT ? POS_NOT_FOUND
                                                       : POS_BROKEN;
}


pos_status_t
pos_reader_damaged(pos_replica_t *r, pos_kind_t kind, pos_str_t key)
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
    /* A writer from before there were changes made the file. */
    if (rc == 0 && mdb_dbi_open(txn, "change", 0, &book->change) != 0) {
        book->change = 0;
    }
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
        return pos_reader_fail(r, "book", ENOMEM);
    }

    pos_store_book_path(r->dir, number, "", path);
    rc = reader_env_open(path, POS_STORE_MAP_MAX, &book->env);
    if (rc != 0) {
        free(book);
        return pos_reader_fail(r, path, rc);
    }

    book->number = number;
    book->refs = 1;
    rc = book_databases(book);
    if (rc != 0) {
        book_release(book);
        return pos_reader_fail(r, path, rc);
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
        return pos_reader_fail(r, path, rc);
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
        return pos_reader_fail(r, path, rc);
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
            (void) pos_reader_damaged(r, POS_KIND_COUNT, pos_str("clock"));
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
        return pos_reader_fail(r, "snapshot", ENOMEM);
    }

    rc = r->book->change == 0 ? book_databases(r->book) : 0;
    rc = rc ? rc : snapshot_begin(r->book, &s->txn);
    if (rc != 0) {
        free(s);
        return pos_reader_fail(r, "snapshot", rc);
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

    pos_hot_destroy(s->hot);
    pos_found_destroy(s->found);
    if (s->walk != NULL) {
        mdb_cursor_close(s->walk);
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
