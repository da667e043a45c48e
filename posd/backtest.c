/*
 * One back-test: its orders read, handed out in chunks, and what comes back put
 * together in their order.
 */

#include "posd/backtest_data.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define BT_TIMEOUT    (30 * 1000000LL)
#define BT_READ       (10 * 60 * 1000000LL)   /* until the first order comes    */
#define BT_BOOK       (30 * 1000000LL)        /* the replica may be behind       */
#define BT_RENEW      1000000
#define BT_LOOK_MS    100
#define BT_ATTEMPTS   3
#define BT_BLOCK      65536
#define BT_SNAPSHOTS  100
#define BT_COPY_HEAD  19                      /* bytes, and what these say follows */


/* ---- the job, as clients see it ---- */

static bool
says(pos_backtest_t *b, const char *sql, const char *json)
{
    const char *params[] = { b->lease->job, b->lease->lease, json };
    PGresult   *r = pos_pg_query(b->control, BT_TIMEOUT, sql, 3, params);
    bool        ok = r != NULL && PQntuples(r) == 1 && PQgetvalue(r, 0, 0)[0] != 'f';

    PQclear(r);
    return ok;
}


bool
pos_backtest_progress(pos_backtest_t *b, const char *step)
{
    char text[160];

    if (pos_stop || b->lost) {
        return false;
    }
    if (pos_now() < b->next_renew) {
        return true;
    }
    b->next_renew = pos_now() + BT_RENEW;
    snprintf(text, sizeof(text), "{\"step\": \"%s\", \"orders\": %llu, \"total\": %lld}", step,
        (unsigned long long) b->all.read, (long long) b->task.total);
    b->lost = !says(b, "select pos.job_progress($1, $2::bigint, $3::jsonb, 30)", text);
    return !b->lost;
}


static pos_status_t
fail_job(pos_backtest_t *b, const char *pointer, const char *code, const char *message)
{
    pos_arena_t *arena = pos_arena_create(BT_BLOCK, 0);
    pos_writer_t w;
    bool         ok = false;

    if (arena == NULL) {
        return POS_AGAIN;
    }
    pos_writer_init(&w, arena, 1024, BT_BLOCK);
    pos_write_object_begin(&w);
    pos_write_key(&w, "errors");
    pos_write_array_begin(&w);
    pos_write_object_begin(&w);
    pos_write_key(&w, "pointer");
    pos_write_string(&w, pos_str_z(pointer));
    pos_write_key(&w, "code");
    pos_write_string(&w, pos_str_z(code));
    pos_write_key(&w, "message");
    pos_write_string(&w, pos_str_z(message));
    pos_write_object_end(&w);
    pos_write_array_end(&w);
    pos_write_key(&w, "error_count");
    pos_write_int(&w, 1);
    pos_write_object_end(&w);
    pos_write_bytes(&w, pos_str_of("", 1));
    if (w.status == POS_OK) {
        pos_log("info", "job %s failed: %s", b->lease->job, message);
        ok = says(b, "select pos.fail_job($1, $2::bigint, $3::jsonb)", w.start);
    }
    pos_arena_destroy(arena);
    return ok ? POS_OK : POS_AGAIN;
}


/* ---- what is asked for ---- */

static bool
keep_text(const PGresult *r, int column, pos_str_t *out)
{
    pos_str_t text = pos_pg_value(r, 0, column);
    char     *copy = malloc(text.len + 1);

    if (copy == NULL) {
        return false;
    }
    if (text.len > 0) {
        memcpy(copy, text.data, text.len);
    }
    copy[text.len] = '\0';
    *out = pos_str_of(copy, text.len);
    return true;
}


/* The orders stay as they are now for as long as this transaction reads. */
static bool
open_task(pos_backtest_t *b)
{
    const char          *retailer[] = { b->lease->retailer }, *job[] = { b->lease->job };
    pos_backtest_task_t *task = &b->task;
    pos_str_t            orders = { NULL, 0 };
    PGresult            *r;
    bool                 ok;

    if (pos_pg_connect(&b->pg, b->process->database, "posd back-test", 5000000) != POS_OK
        || !pos_pg_run(&b->pg, BT_TIMEOUT, "begin isolation level repeatable read read only"))
    {
        return false;
    }
    r = pos_pg_query(&b->pg, BT_TIMEOUT, "select set_config('pos.retailer', $1, false)", 1, retailer);
    if (r == NULL) {
        return false;
    }
    PQclear(r);
    r = pos_pg_query(&b->pg, BT_READ,
        "select backtest, promotion, version, \"row\", from_day, to_day, sample, rev, total, orders"
        " from pos.open_backtest($1)", 1, job);
    if (r == NULL) {
        return false;
    }
    snprintf(task->backtest, sizeof(task->backtest), "%s", PQgetvalue(r, 0, 0));
    task->version = pos_pg_int(r, 0, 2);
    task->from_day = (int32_t) pos_pg_int(r, 0, 4);
    task->to_day = (int32_t) pos_pg_int(r, 0, 5);
    task->sample = (uint32_t) pos_pg_int(r, 0, 6);
    task->sample = task->sample < POS_BACKTEST_SAMPLE ? task->sample : POS_BACKTEST_SAMPLE;
    task->rev = pos_pg_int(r, 0, 7);
    task->total = pos_pg_int(r, 0, 8);
    ok = keep_text(r, 1, &task->promotion) && keep_text(r, 3, &task->row) && keep_text(r, 9, &orders);
    task->orders = (char *) (uintptr_t) orders.data;
    PQclear(r);
    return ok;
}


/* ---- the book ---- */

static bool
find_head(pos_backtest_t *b, pos_snapshot_t *snapshot)
{
    pos_head_t   head = { .no = 0 };
    pos_status_t status;

    do {
        status = pos_snapshot_next_head(snapshot, head.no, &head);
        if (status == POS_OK && strcmp(head.id, b->lease->retailer) == 0) {
            b->head = head;
            return true;
        }
    } while (status == POS_OK || (status == POS_BROKEN && head.no > 0));
    return false;
}


static void
close_snapshots(pos_backtest_t *b)
{
    for (unsigned i = 0; i < b->worker_count; i++) {
        if (b->workers[i].snapshot != NULL) {
            pos_snapshot_close(b->workers[i].snapshot);
            b->workers[i].snapshot = NULL;
        }
    }
}


/* One for each worker, all of the same commit. */
static bool
open_snapshots(pos_backtest_t *b, pos_replica_t *replica)
{
    pos_snapshot_t *first;

    for (unsigned i = 0; i < b->worker_count; i++) {
        if (pos_snapshot_open(replica, &b->workers[i].snapshot) != POS_OK) {
            b->workers[i].snapshot = NULL;
            close_snapshots(b);
            return false;
        }
        first = b->workers[0].snapshot;
        if (pos_snapshot_txnid(b->workers[i].snapshot) != pos_snapshot_txnid(first)
            || pos_snapshot_file(b->workers[i].snapshot) != pos_snapshot_file(first))
        {
            close_snapshots(b);
            return false;
        }
    }
    return true;
}


static bool
book_here(pos_backtest_t *b)
{
    if (b->process->open == NULL && pos_replica_open(b->process->replica, &b->process->open) != POS_OK) {
        b->process->open = NULL;
        return false;
    }
    if (!open_snapshots(b, b->process->open)) {
        return false;
    }
    if (find_head(b, b->workers[0].snapshot) && b->head.rev >= b->task.rev) {
        return true;
    }
    close_snapshots(b);
    return false;
}


/* The result names the newest book that was used. */
static void
name_book(pos_backtest_t *b)
{
    char hex[2 * POS_SHA256_SIZE];

    pos_hex(pos_str_of((const char *) b->head.hash, POS_SHA256_SIZE), hex);
    snprintf(b->task.revision, sizeof(b->task.revision), "%lld-%.16s", (long long) b->head.rev, hex);
    b->turn++;
}


/* The replica, at least as new as the orders. */
static bool
open_now(pos_backtest_t *b)
{
    int64_t until = pos_now() + BT_BOOK;

    while (!book_here(b)) {
        if (!pos_backtest_progress(b, "opening") || pos_now() >= until) {
            pos_log("error", "job %s: the replica has no revision %lld of retailer %s: %s", b->lease->job,
                (long long) b->task.rev, b->lease->retailer, pos_replica_error(b->process->open));
            return false;
        }
        pos_wait(-1, 20000);
    }
    name_book(b);
    return true;
}


/* No worker is at work. */
static bool
open_then(pos_backtest_t *b, uint32_t which)
{
    close_snapshots(b);
    if (!pos_then_go(b, b->then, which)) {
        return false;
    }
    if (!open_snapshots(b, pos_then_replica(b->then)) || !find_head(b, b->workers[0].snapshot)) {
        pos_log("error", "job %s: the book of then cannot be opened: %s", b->lease->job,
            pos_replica_error(pos_then_replica(b->then)));
        return false;
    }
    b->then_book = which;
    name_book(b);
    return true;
}


/* One of then is opened with the first order that was sold by it. */
static bool
open_book(pos_backtest_t *b)
{
    pos_status_t status = pos_then_open(b, &b->then);

    return status == POS_NOT_FOUND ? open_now(b) : status == POS_OK;
}


/* ---- workers ---- */

static bool
start_workers(pos_backtest_t *b)
{
    for (unsigned i = 0; i < b->chunk_count; i++) {
        b->chunks[i].tally.arena = pos_arena_create(BT_BLOCK, 0);
        if (b->chunks[i].tally.arena == NULL) {
            return false;
        }
    }
    for (unsigned i = 0; i < b->worker_count; i++) {
        pos_backtest_worker_t *w = &b->workers[i];

        w->job = b;
        w->started = pthread_create(&w->thread, NULL, pos_backtest_work, w) == 0;
        if (!w->started) {
            pos_log("error", "no thread for a back-test: %s", strerror(errno));
            return false;
        }
    }
    return true;
}


static void
end_workers(pos_backtest_t *b)
{
    pthread_mutex_lock(&b->lock);
    b->end = true;
    pthread_cond_broadcast(&b->to_work);
    pthread_mutex_unlock(&b->lock);
    for (unsigned i = 0; i < b->worker_count; i++) {
        if (b->workers[i].started) {
            (void) pthread_join(b->workers[i].thread, NULL);
            b->workers[i].started = false;
        }
    }
    for (unsigned i = 0; i < b->chunk_count; i++) {
        if (b->chunks[i].tally.arena != NULL) {
            pos_arena_destroy(b->chunks[i].tally.arena);
        }
        free(b->chunks[i].bytes);
    }
}


/* ---- chunks ---- */

/* Orders of a day that is not asked for, which a store's clock alone tells, are read but use no book. */
static void
note_book(pos_backtest_t *b, const pos_chunk_t *chunk)
{
    if (chunk->tally.read > 0 && chunk->book != b->used_turn) {
        b->used++;
        b->used_turn = chunk->book;
        memcpy(b->used_revision, b->task.revision, sizeof(b->used_revision));
    }
}


/* Takes what is priced, as far as its turn has come. `wait`: until one more is; no longer than
 * a look. False: a worker failed. */
static bool
merge(pos_backtest_t *b, bool wait)
{
    struct timespec until;
    pos_chunk_t    *chunk = &b->chunks[b->merged % b->chunk_count];
    bool            due, ok;

    pthread_mutex_lock(&b->lock);
    if (wait && chunk->state != POS_CHUNK_PRICED && b->failed == POS_OK) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += BT_LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void) pthread_cond_timedwait(&b->to_merge, &b->lock, &until);
    }
    due = b->merged < b->read && chunk->state == POS_CHUNK_PRICED;
    ok = b->failed == POS_OK;
    pthread_mutex_unlock(&b->lock);
    while (ok && due) {
        pos_tally_add(&b->all, &chunk->tally);
        note_book(b, chunk);
        chunk->state = POS_CHUNK_FREE;
        chunk = &b->chunks[++b->merged % b->chunk_count];
        pthread_mutex_lock(&b->lock);
        due = b->merged < b->read && chunk->state == POS_CHUNK_PRICED;
        pthread_mutex_unlock(&b->lock);
    }
    return ok;
}


static void
hand_over(pos_backtest_t *b, pos_chunk_t *chunk)
{
    for (unsigned k = 0; k < POS_CARTS; k++) {
        chunk->limits[k] = b->all.carts[k];
    }
    pthread_mutex_lock(&b->lock);
    chunk->state = POS_CHUNK_READ;
    b->read++;
    pthread_cond_signal(&b->to_work);
    pthread_mutex_unlock(&b->lock);
}


static bool
chunk_room(pos_chunk_t *chunk, size_t need)
{
    size_t room = chunk->room ? chunk->room : 65536;
    char  *bytes;

    while (room - chunk->used < need) {
        room *= 2;
    }
    if (room == chunk->room) {
        return true;
    }
    bytes = realloc(chunk->bytes, room);
    if (bytes == NULL) {
        return false;
    }
    chunk->bytes = bytes;
    chunk->room = room;
    return true;
}


static bool
chunk_add(pos_backtest_t *b, pos_chunk_t *chunk, const char *tuple, size_t len)
{
    uint32_t n = (uint32_t) len;

    if (!chunk_room(chunk, len + sizeof(n))) {
        snprintf(b->pg.error, sizeof(b->pg.error), "no memory for orders");
        return false;
    }
    memcpy(chunk->bytes + chunk->used, &n, sizeof(n));
    memcpy(chunk->bytes + chunk->used + sizeof(n), tuple, len);
    chunk->used += len + sizeof(n);
    chunk->count++;
    b->orders++;
    return true;
}


/* Where the first tuple begins in the first message; 0: the form is another. */
static size_t
copy_head(const char *data, size_t len)
{
    static const char signature[] = "PGCOPY\n\377\r\n";
    uint32_t          more;

    if (len < BT_COPY_HEAD || memcmp(data, signature, sizeof(signature)) != 0) {
        return 0;
    }
    memcpy(&more, data + BT_COPY_HEAD - 4, 4);
    return more == 0 ? BT_COPY_HEAD : 0;
}


/* Waits until all that was read is priced: no worker has a chunk. */
static bool
drain(pos_backtest_t *b)
{
    while (b->merged < b->read) {
        if (!merge(b, true) || !pos_backtest_progress(b, "pricing")) {
            return false;
        }
    }
    return true;
}


/* A chunk that is the reader's; NULL: the job cannot go on. */
static pos_chunk_t *
free_chunk(pos_backtest_t *b)
{
    pos_chunk_t *chunk = &b->chunks[b->read % b->chunk_count];

    while (b->read - b->merged >= b->chunk_count) {
        if (!merge(b, true) || !pos_backtest_progress(b, "pricing")) {
            return NULL;
        }
    }
    chunk->used = 0;
    chunk->count = 0;
    chunk->first = b->orders;
    chunk->book = b->turn;
    return chunk;
}


/* Was the order sold by the book that is open? */
static bool
of_this_book(const pos_backtest_t *b, const char *tuple, size_t len)
{
    int64_t at = pos_past_time(pos_str_of(tuple, len));

    return b->then == NULL || (b->turn > 0 && pos_then_book_of(b->then, at, b->then_book) == b->then_book);
}


/* The next order's book, once all that was read is priced. */
static bool
turn_to_held(pos_backtest_t *b)
{
    int64_t at = b->held != NULL ? pos_past_time(pos_str_of(b->held, b->held_len)) : 0;

    return b->held == NULL || (drain(b) && open_then(b, pos_then_book_of(b->then, at, b->then_book)));
}


static bool
hold(pos_backtest_t *b, const char *tuple, size_t len)
{
    b->held = malloc(len);
    if (b->held == NULL) {
        snprintf(b->pg.error, sizeof(b->pg.error), "no memory for orders");
        return false;
    }
    memcpy(b->held, tuple, len);
    b->held_len = len;
    return true;
}


static bool
take_held(pos_backtest_t *b, pos_chunk_t *chunk)
{
    bool ok = b->held == NULL || chunk_add(b, chunk, b->held, b->held_len);

    free(b->held);
    b->held = NULL;
    return ok;
}


/* One chunk full, all of one book. `*more`: there may be another. */
static bool
read_chunk(pos_backtest_t *b, pos_chunk_t *chunk, bool *head, bool *more)
{
    if (!take_held(b, chunk)) {
        return false;
    }
    while (b->held == NULL && chunk->count < POS_BACKTEST_ORDERS && chunk->used < POS_BACKTEST_BYTES) {
        char  *data = NULL;
        int    n = pos_pg_copy_get(&b->pg, BT_READ, &data);
        size_t from = 0;
        bool   ok = true;

        if (n <= 0) {
            *more = false;
            return n == 0;
        }
        if (!*head) {
            from = copy_head(data, (size_t) n);
            *head = from > 0;
            ok = *head;
        }
        /* The last message is no tuple but says that there is none. */
        if (ok && (size_t) n - from > 2) {
            ok = of_this_book(b, data + from, (size_t) n - from) ? chunk_add(b, chunk, data + from, (size_t) n - from)
                                                                 : hold(b, data + from, (size_t) n - from);
        }
        PQfreemem(data);
        if (!ok) {
            return false;
        }
    }
    return true;
}


static bool
read_all(pos_backtest_t *b)
{
    PGresult *r;
    bool      more = true, head = false;

    if (!pos_pg_send(&b->pg, b->task.orders)) {
        return false;
    }
    r = pos_pg_receive(&b->pg, BT_READ);
    if (r == NULL || PQresultStatus(r) != PGRES_COPY_OUT) {
        PQclear(r);
        return false;
    }
    PQclear(r);
    while (more) {
        pos_chunk_t *chunk = free_chunk(b);

        if (chunk == NULL || !read_chunk(b, chunk, &head, &more)) {
            return false;
        }
        if (chunk->count > 0) {
            hand_over(b, chunk);
        }
        if (!merge(b, false) || !pos_backtest_progress(b, "pricing") || !turn_to_held(b)) {
            return false;
        }
    }
    if (!drain(b) || (b->turn == 0 && !open_then(b, 0))) {
        return false;
    }
    if (b->used > 0) {
        memcpy(b->task.revision, b->used_revision, sizeof(b->task.revision));
    }
    return pos_pg_run(&b->pg, BT_TIMEOUT, "commit");
}


/* ---- the end ---- */

static pos_status_t
finish(pos_backtest_t *b, pos_arena_t *arena)
{
    char        run[240], summary[400];
    pos_str_t   result = pos_backtest_result(b, arena);
    const char *params[] = { b->lease->job, b->lease->lease, result.data, run, summary };
    PGresult   *r;
    bool        ok;

    if (result.data == NULL) {
        return fail_job(b, "", "too_large", "the result is larger than a result may be");
    }
    snprintf(run, sizeof(run), "{\"engine_ms\": %.3f, \"read_ms\": %.3f, \"elapsed_ms\": %.3f, \"workers\": %u}",
        (double) b->all.engine_ns / 1e6, (double) b->all.read_ns / 1e6, (double) (pos_now() - b->begun) / 1e3,
        b->worker_count);
    snprintf(summary, sizeof(summary),
        "{\"revision\": \"%s\", \"orders\": %lld, \"priced\": %lld, \"touched\": %lld, \"refused\": %lld}",
        b->task.revision, (long long) b->all.read, (long long) b->all.priced, (long long) b->all.touched,
        (long long) b->all.refused);
    r = pos_pg_query(&b->pg, BT_TIMEOUT,
        "select pos.finish_backtest($1, $2::bigint, $3::jsonb, $4::jsonb, $5::jsonb)", 5, params);
    ok = r != NULL && PQntuples(r) == 1 && PQgetvalue(r, 0, 0)[0] == 't';
    PQclear(r);
    if (ok) {
        pos_log("info", "job %s: %lld orders of retailer %s priced in %lld ms", b->lease->job,
            (long long) b->all.priced, b->lease->retailer, (long long) (pos_now() - b->begun) / 1000);
    }
    return ok ? POS_OK : POS_AGAIN;
}


static pos_status_t
run(pos_backtest_t *b)
{
    pos_arena_t *arena = pos_arena_create(BT_BLOCK, 0);
    bool         priced;
    pos_status_t status = POS_AGAIN;

    if (arena == NULL) {
        return POS_AGAIN;
    }
    b->all.arena = pos_arena_create(BT_BLOCK, 0);
    priced = b->all.arena != NULL && pos_tally_reset(&b->all, b->task.sample) && start_workers(b) && read_all(b);
    end_workers(b);
    if (b->failed == POS_INVALID) {
        status = fail_job(b, "/version", "does_not_compile", b->why);
    } else if (b->failed == POS_BROKEN) {
        status = fail_job(b, "", "internal", b->why);
    } else if (priced && b->all.overflow) {
        status = fail_job(b, "", "overflow", "a sum is more than a number holds; ask for fewer days");
    } else if (priced && !b->all.no_memory && b->failed == POS_OK) {
        b->next_renew = 0;
        status = pos_backtest_progress(b, "writing") ? finish(b, arena) : POS_AGAIN;
    }
    pos_tally_drop(&b->all);
    if (b->all.arena != NULL) {
        pos_arena_destroy(b->all.arena);
    }
    pos_arena_destroy(arena);
    return status;
}


pos_status_t
pos_backtest_run(pos_backtests_t *process, pos_pg_t *control, const pos_import_job_t *job)
{
    pos_backtest_t *b = calloc(1, sizeof(*b));
    pos_status_t    status = POS_AGAIN;

    if (b == NULL) {
        return POS_AGAIN;
    }
    b->process = process;
    b->control = control;
    b->lease = job;
    b->worker_count = process->workers;
    b->chunk_count = 2 * process->workers + 1;
    b->begun = pos_now();
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->to_work, NULL);
    pthread_cond_init(&b->to_merge, NULL);
    if (job->attempts > BT_ATTEMPTS) {
        status = fail_job(b, "", "interrupted", "the back-test was interrupted too often");
    } else if (open_task(b) && open_book(b)) {
        status = run(b);
    }
    if (status != POS_OK) {
        pos_log("warning", "job %s stops: %s", job->job,
            b->lost ? "its lease is gone, or it was cancelled" : b->why[0] ? b->why
            : b->pg.error[0] || b->then == NULL ? b->pg.error : pos_then_error(b->then));
    }
    close_snapshots(b);
    if (b->then != NULL) {
        pos_then_close(b->then);
    }
    free(b->held);
    pos_pg_close(&b->pg);
    free((char *) (uintptr_t) b->task.promotion.data);
    free((char *) (uintptr_t) b->task.row.data);
    free(b->task.orders);
    pthread_cond_destroy(&b->to_merge);
    pthread_cond_destroy(&b->to_work);
    pthread_mutex_destroy(&b->lock);
    free(b);
    return status;
}
