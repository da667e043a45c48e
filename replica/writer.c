/*
 * The writer's files: opening, growing, rebuilding, switching; clock and state.
 */

#include "replica/writer_book.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITER_MAP_FIRST  ((size_t) 1 << 30)

static char open_error[256];


const char *
pos_writer_error(const pos_replica_writer_t *w)
{
    return w ? w->error : open_error;
}


pos_status_t
pos_writer_fail(pos_replica_writer_t *w, const char *what, int rc)
{
    w->rc = rc;
    snprintf(w->error, sizeof(w->error), "%.180s: %.60s", what,
             mdb_strerror(rc));
    return rc == ENOMEM ? POS_NO_MEMORY : POS_BROKEN;
}


/* ---- transactions ---- */

static int
writer_grow(pos_replica_writer_t *w)
{
    int rc;

    if (w->map >= POS_STORE_MAP_MAX) {
        return MDB_MAP_FULL;
    }

    rc = mdb_env_set_mapsize(w->target->env, w->map * 2);
    w->map = rc == 0 ? w->map * 2 : w->map;
    return rc;
}


/* LMDB takes the flag from the environment alone (a transaction's own is passed
 * over), which is this writer's. */
static pos_status_t
writer_transact(pos_replica_writer_t *w, bool soon, pos_writer_work_t work,
    void *arg)
{
    MDB_txn *txn;
    int      rc;

    for (;;) {
        rc = mdb_env_set_flags(w->target->env, MDB_NOMETASYNC, soon);
        rc = rc ? rc : mdb_txn_begin(w->target->env, NULL, 0, &txn);
        if (rc != 0) {
            return pos_writer_fail(w, "begin", rc);
        }

        rc = work(w, txn, arg);
        if (rc == 0) {
            rc = mdb_txn_commit(txn);
        } else {
            mdb_txn_abort(txn);
        }
        if (rc == 0) {
            return POS_OK;
        }
        if (rc == MDB_MAP_FULL) {
            rc = writer_grow(w);
        }
        if (rc != 0) {
            return pos_writer_fail(w, "write", rc);
        }
    }
}


pos_status_t
pos_writer_transact(pos_replica_writer_t *w, pos_writer_work_t work, void *arg)
{
    return writer_transact(w, false, work, arg);
}


pos_status_t
pos_writer_transact_soon(pos_replica_writer_t *w, pos_writer_work_t work,
    void *arg)
{
    return writer_transact(w, true, work, arg);
}


/* ---- files ---- */

/* LMDB writes its lock file, which every reader maps too, through memory: a hole
 * in it on a full disk would be a SIGBUS. So all of it is taken beforehand. */
static int
lock_reserve(const char *path)
{
    char name[POS_STORE_PATH_MAX + 32];
    int  rc, fd;

    snprintf(name, sizeof(name), "%s-lock", path);
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0664);
    if (fd < 0) {
        return errno;
    }

    rc = posix_fallocate(fd, 0, (POS_STORE_READERS + 2) * 64);
    close(fd);
    return rc;
}


static int
env_open(const char *path, size_t map, unsigned flags, MDB_env **out)
{
    MDB_env *env;
    int      rc;

    rc = lock_reserve(path);
    if (rc != 0) {
        return rc;
    }

    rc = mdb_env_create(&env);
    if (rc != 0) {
        return rc;
    }

    mdb_env_set_maxdbs(env, 4);
    mdb_env_set_maxreaders(env, POS_STORE_READERS);
    mdb_env_set_mapsize(env, map);
    rc = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOTLS | flags, 0664);
    if (rc != 0) {
        mdb_env_close(env);
        return rc;
    }

    *out = env;
    return 0;
}


static int
book_open(pos_replica_writer_t *w, uint32_t number, pos_store_book_t *out)
{
    MDB_envinfo info;
    char        path[POS_STORE_PATH_MAX];
    int         rc;

    pos_store_book_path(w->dir, number, "", path);
    rc = env_open(path, w->map, 0, &out->env);
    if (rc != 0) {
        out->env = NULL;
        return rc;
    }

    /* A file grown by a writer before this one keeps its size. */
    mdb_env_info(out->env, &info);
    w->map = info.me_mapsize > w->map ? info.me_mapsize : w->map;
    out->number = number;
    mdb_reader_check(out->env, NULL);
    return 0;
}


static void
book_remove(pos_replica_writer_t *w, uint32_t number)
{
    char path[POS_STORE_PATH_MAX];

    pos_store_book_path(w->dir, number, "", path);
    (void) unlink(path);
    pos_store_book_path(w->dir, number, "-lock", path);
    (void) unlink(path);
}


static int
sync_dir(const char *dir)
{
    int rc, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return errno;
    }

    rc = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return rc;
}


static int
write_synced(const char *path, const char *text, size_t len)
{
    int rc = 0, fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0) {
        return errno;
    }

    if (write(fd, text, len) != (ssize_t) len || fsync(fd) != 0) {
        rc = errno ? errno : EIO;
    }

    close(fd);
    return rc;
}


/* After this returns 0 the file of that number is the one that is served,
 * whatever crashes. */
static int
current_set(pos_replica_writer_t *w, uint32_t number)
{
    char path[POS_STORE_PATH_MAX], fresh[POS_STORE_PATH_MAX], text[40];
    int  n, rc;

    snprintf(path, sizeof(path), "%.480s/current", w->dir);
    snprintf(fresh, sizeof(fresh), "%.480s/current.new", w->dir);
    n = snprintf(text, sizeof(text), "book.%u.mdb\n", (unsigned) number);

    rc = write_synced(fresh, text, (size_t) n);
    if (rc == 0 && rename(fresh, path) != 0) {
        rc = errno;
    }

    return rc ? rc : sync_dir(w->dir);
}


static uint32_t
books_highest(const char *dir)
{
    struct dirent *e;
    uint32_t       highest = 0;
    unsigned       n;
    DIR           *d = opendir(dir);

    if (d == NULL) {
        return 0;
    }

    while ((e = readdir(d)) != NULL) {
        if (sscanf(e->d_name, "book.%u.mdb", &n) == 1 && n > highest) {
            highest = n;
        }
    }

    closedir(d);
    return highest;
}


/* What a rebuild that never ended, or a switch, has left lying about. */
static void
books_clear(pos_replica_writer_t *w)
{
    uint32_t n, highest = books_highest(w->dir);

    for (n = highest; n > 0 && n + 1000 > highest; n--) {
        if (n != w->book.number) {
            book_remove(w, n);
        }
    }
}


static bool
is_damage(int rc)
{
    return rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH
           || rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND
           || rc == MDB_PANIC || rc == MDB_INCOMPATIBLE || rc == MDB_BAD_DBI;
}


/* Opens the current file; a missing or damaged one is replaced by an empty one
 * under a new number. One that only cannot be opened now, on a full disk or
 * without memory, is still the book that is served. */
static pos_status_t
writer_open_book(pos_replica_writer_t *w)
{
    pos_status_t status;
    uint32_t     number;
    int          rc;

    w->target = &w->book;
    if (pos_store_current(w->dir, &number) == POS_OK) {
        rc = book_open(w, number, &w->book);
        if (rc == 0) {
            status = pos_writer_load_heads(w);
            if (status == POS_OK) {
                return POS_OK;
            }
            rc = w->rc;
            mdb_env_close(w->book.env);
            w->book.env = NULL;
        }
        if (!is_damage(rc)) {
            return pos_writer_fail(w, "book", rc);
        }
    }

    number = books_highest(w->dir) + 1;
    rc = book_open(w, number, &w->book);
    if (rc != 0) {
        return pos_writer_fail(w, "book", rc);
    }
    if (pos_writer_load_heads(w) != POS_OK) {
        return POS_BROKEN;
    }

    rc = current_set(w, number);
    return rc ? pos_writer_fail(w, "current", rc) : POS_OK;
}


/* ---- levels ---- */

static int
levels_put(pos_replica_writer_t *w, const char *name, const uint8_t *framed,
    size_t len)
{
    MDB_txn *txn;
    MDB_val  key = pos_store_val(name, strlen(name));
    MDB_val  value = pos_store_val(framed, len);
    int      rc;

    rc = mdb_txn_begin(w->levels, NULL, 0, &txn);
    if (rc != 0) {
        return rc;
    }

    rc = mdb_put(txn, w->levels_dbi, &key, &value, 0);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }

    return mdb_txn_commit(txn);
}


static int
levels_put_book(pos_replica_writer_t *w)
{
    uint8_t framed[POS_FRAME_SIZE + 4];

    pos_store_put_u32(framed + POS_FRAME_SIZE, w->book.number);
    pos_frame_seal(framed, 4);
    return levels_put(w, "book", framed, sizeof(framed));
}


static int
levels_start(pos_replica_writer_t *w)
{
    MDB_txn *txn;
    MDB_val  key = pos_store_val("clock", 5), value;
    int      rc;

    rc = mdb_txn_begin(w->levels, NULL, 0, &txn);
    if (rc != 0) {
        return rc;
    }

    rc = mdb_dbi_open(txn, NULL, 0, &w->levels_dbi);
    if (rc != 0) {
        mdb_txn_abort(txn);
        return rc;
    }

    if (mdb_get(txn, w->levels_dbi, &key, &value) != 0
        || !pos_store_clock_read(pos_store_str(value), &w->clock))
    {
        memset(&w->clock, 0, sizeof(w->clock));
    }

    return mdb_txn_commit(txn);
}


static pos_status_t
writer_open_levels(pos_replica_writer_t *w)
{
    char path[POS_STORE_PATH_MAX + 16];
    int  rc;

    snprintf(path, sizeof(path), "%s/levels.mdb", w->dir);
    /* A clock of before a power failure is worth nothing, and the file's number
     * is a hint: neither is worth waiting for. */
    rc = env_open(path, POS_STORE_LEVELS_MAP, MDB_NOMETASYNC, &w->levels);
    if (is_damage(rc)) {
        (void) unlink(path);
        rc = env_open(path, POS_STORE_LEVELS_MAP, MDB_NOMETASYNC, &w->levels);
    }
    if (rc != 0) {
        w->levels = NULL;
        return pos_writer_fail(w, path, rc);
    }

    rc = levels_start(w);
    rc = rc ? rc : levels_put_book(w);
    return rc ? pos_writer_fail(w, path, rc) : POS_OK;
}


pos_status_t
pos_writer_clock(pos_replica_writer_t *w, int64_t db_time, bool fresh,
    pos_replica_state_t state)
{
    uint8_t framed[POS_STORE_CLOCK_MAX];
    int     rc;

    if (db_time != 0) {
        w->clock.db_time = db_time;
        w->clock.boot_time = pos_store_boottime();
        w->clock.wall_time = pos_store_walltime();
        memcpy(w->clock.boot_id, w->boot_id, sizeof(w->boot_id));
        if (fresh) {
            w->clock.fresh_time = db_time;
        }
    }

    w->clock.state = (uint8_t) state;
    rc = levels_put(w, "clock", framed, pos_store_clock_write(&w->clock, framed));
    return rc ? pos_writer_fail(w, "clock", rc) : POS_OK;
}


int
pos_writer_check_readers(pos_replica_writer_t *w)
{
    int dead = 0;

    mdb_reader_check(w->levels, NULL);
    mdb_reader_check(w->book.env, &dead);
    return dead;
}


size_t
pos_writer_file_size(const pos_replica_writer_t *w)
{
    struct stat st;
    char        path[POS_STORE_PATH_MAX];

    pos_store_book_path(w->dir, w->target->number, "", path);
    return stat(path, &st) == 0 ? (size_t) st.st_size : 0;
}


/* ---- opening and closing ---- */

/* One writer a replica: two would each trust their own heads in memory. */
static pos_status_t
writer_lock(pos_replica_writer_t *w)
{
    char path[POS_STORE_PATH_MAX + 16];

    if (mkdir(w->dir, 0775) != 0 && errno != EEXIST) {
        return pos_writer_fail(w, w->dir, errno);
    }

    snprintf(path, sizeof(path), "%s/writer.lock", w->dir);
    w->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (w->lock_fd < 0) {
        return pos_writer_fail(w, path, errno);
    }

    if (flock(w->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(w->error, sizeof(w->error),
                 "another process writes this replica");
        return POS_AGAIN;
    }

    return POS_OK;
}


static pos_status_t
writer_start(pos_replica_writer_t *w)
{
    pos_status_t status = writer_lock(w);

    if (status == POS_OK) {
        status = writer_open_book(w);
    }
    if (status == POS_OK) {
        status = writer_open_levels(w);
    }
    if (status == POS_OK) {
        books_clear(w);
    }

    return status;
}


pos_status_t
pos_writer_open(const char *dir, size_t map, pos_replica_writer_t **out)
{
    pos_replica_writer_t *w;
    pos_status_t          status;

    if (strlen(dir) + 40 > POS_STORE_PATH_MAX) {
        snprintf(open_error, sizeof(open_error), "the path is too long");
        return POS_LIMIT;
    }

    w = calloc(1, sizeof(*w));
    if (w == NULL) {
        snprintf(open_error, sizeof(open_error), "no memory");
        return POS_NO_MEMORY;
    }

    memcpy(w->dir, dir, strlen(dir) + 1);
    w->lock_fd = -1;
    w->map = map ? map : WRITER_MAP_FIRST;
    pos_store_boot_id(w->boot_id);

    status = writer_start(w);
    if (status != POS_OK) {
        memcpy(open_error, w->error, sizeof(open_error));
        pos_writer_close(w);
        return status;
    }

    *out = w;
    return POS_OK;
}


void
pos_writer_close(pos_replica_writer_t *w)
{
    if (w == NULL) {
        return;
    }

    if (w->next.env != NULL) {
        pos_writer_rebuild_abandon(w);
    }
    if (w->levels != NULL) {
        mdb_env_close(w->levels);
    }
    if (w->book.env != NULL) {
        mdb_env_close(w->book.env);
    }
    if (w->lock_fd >= 0) {
        close(w->lock_fd);
    }
    free(w->heads);
    free(w);
}


/* ---- rebuilding ---- */

bool
pos_writer_rebuilding(const pos_replica_writer_t *w)
{
    return w->next.env != NULL;
}


pos_status_t
pos_writer_rebuild_begin(pos_replica_writer_t *w)
{
    pos_status_t status;
    int          rc;

    if (w->next.env != NULL) {
        return POS_INVALID;
    }

    rc = book_open(w, books_highest(w->dir) + 1, &w->next);
    if (rc != 0) {
        return pos_writer_fail(w, "new book", rc);
    }

    w->target = &w->next;
    w->sweep.len = 0;
    status = pos_writer_load_heads(w);
    if (status != POS_OK) {
        pos_writer_rebuild_abandon(w);
    }

    return status;
}


pos_status_t
pos_writer_rebuild_switch(pos_replica_writer_t *w)
{
    uint32_t old = w->book.number;
    int      rc;

    rc = current_set(w, w->next.number);
    if (rc != 0) {
        return pos_writer_fail(w, "current", rc);
    }

    mdb_env_close(w->book.env);
    w->book = w->next;
    w->next.env = NULL;
    w->target = &w->book;

    /* Readers look here; one that misses it still finds `current` renamed. */
    rc = levels_put_book(w);
    if (rc != 0) {
        return pos_writer_fail(w, "levels", rc);
    }

    book_remove(w, old);
    return POS_OK;
}


void
pos_writer_rebuild_abandon(pos_replica_writer_t *w)
{
    uint32_t number = w->next.number;

    mdb_env_close(w->next.env);
    w->next.env = NULL;
    w->target = &w->book;
    w->sweep.len = 0;
    book_remove(w, number);
    if (pos_writer_load_heads(w) != POS_OK) {
        w->head_count = 0;
        w->whole = false;
    }
}
