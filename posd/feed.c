/*
 * The revision protocol. A poll is one repeatable-read transaction: epoch,
 * heads, log rows behind ours. Contiguous and on the hash chain, they are
 * proved complete; the current rows of their keys, read in the same snapshot,
 * bring the replica to exactly that head. Anything else is copied whole.
 */

#include "posd/feed.h"

#include <stdio.h>
#include <stdlib.h>

#define FEED_POLL_US       1000000
#define FEED_READERS_US    10000000
#define FEED_BACKOFF_MIN   100000
#define FEED_BACKOFF_MAX   2000000
#define FEED_LOG_MAX       2000      /* log rows a retailer applied at once  */
#define FEED_SWEEP_ROWS    2000
#define FEED_LOST          POS_BROKEN
#define FEED_COPY_MAX      30000000   /* between two tries to copy, at most  */
#define FEED_SAY_AGAIN     60000000

struct pos_feed_s {
    const char           *conninfo, *dir;
    pos_pg_t              pg;
    pos_replica_writer_t *writer;
    pos_entities_t       *entities;
    pos_copy_t            copy;
    pos_arena_t          *arena;           /* one poll's                     */
    pos_json_reader_t    *reader;
    char                  epoch[POS_EPOCH_MAX + 1];
    int64_t               db_time;         /* µs UTC, of this poll           */
    bool                  complete;        /* this poll left nothing to copy */
    char                  wanted[POS_RETAILER_ID_MAX + 1];  /* to be copied next */
    pos_replica_state_t   state;
    int64_t               next_poll, next_readers, next_tick, backoff;
    bool                  sweep;           /* old rows may be left           */
    bool                  writer_failed;
    int64_t               next_copy, copy_pause;
    int64_t               say_again;       /* when a failure is logged anew  */
    char                  said[256];
};


/* The replica cannot be written, for as long as the disk is full perhaps: said
 * when it begins, when it changes and once a minute. */
static void
feed_say(pos_feed_t *f, const char *text)
{
    if (strncmp(f->said, text, sizeof(f->said) - 1) == 0
        && pos_now() < f->say_again)
    {
        return;
    }

    snprintf(f->said, sizeof(f->said), "%s", text);
    f->say_again = pos_now() + FEED_SAY_AGAIN;
    pos_log("error", "replica: %s", text);
}


bool
pos_feed_enter(pos_pg_t *pg, const char *retailer)
{
    const char *params[] = { retailer };
    PGresult   *r = pos_pg_query(pg, POS_FEED_TIMEOUT,
                                 "select set_config('pos.retailer', $1, true)",
                                 1, params);

    PQclear(r);
    return r != NULL;
}


const pos_zone_t *
pos_feed_zone(pos_pg_t *pg, const char *retailer, pos_entities_t *entities,
    bool *ok)
{
    const char       *params[] = { retailer };
    const pos_zone_t *zone = NULL;
    PGresult         *r;

    r = pos_pg_query(pg, POS_FEED_TIMEOUT,
        "select timezone from pos.retailer where retailer_id = $1::bigint", 1,
        params);
    *ok = r != NULL;
    if (r != NULL && PQntuples(r) == 1) {
        zone = pos_entities_zone(entities, pos_pg_value(r, 0, 0), NULL);
    }

    PQclear(r);
    return zone ? zone : pos_zone_utc();
}


pos_status_t
pos_feed_add_zones(pos_pg_t *pg, const char *retailer, pos_entities_t *entities)
{
    const char   *params[] = { retailer };
    pos_status_t  status = POS_OK;
    PGresult     *r;
    int           i;

    r = pos_pg_query(pg, POS_FEED_TIMEOUT,
        "select timezone from pos.retailer where retailer_id = $1::bigint"
        " union select document ->> 'timezone' from pos.store"
        " where retailer_id = $1::bigint and document ->> 'timezone' is not null",
        1, params);
    if (r == NULL) {
        return FEED_LOST;
    }

    for (i = 0; status == POS_OK && i < PQntuples(r); i++) {
        status = pos_entities_add_zone(entities, retailer,
                                       pos_pg_value(r, i, 0));
    }

    PQclear(r);
    return status;
}


/* ---- one retailer's log ---- */

typedef struct {
    const char *id;
    int64_t     rev;                       /* the database's head            */
    uint8_t     hash[POS_SHA256_SIZE];
    int64_t     source_time;
    pos_map_t   keys;                      /* "kind\x1fkey", each once       */
    bool        bulk, retailer, places;    /* what the keys touch            */
    pos_str_t   json;                      /* the distinct keys, JSON        */
} feed_log_t;


/* hash(n) = sha256(hash(n-1), n, nonce, sha256(keys), digest). */
static bool
log_chains(const PGresult *r, int row, int64_t rev, uint8_t hash[POS_SHA256_SIZE])
{
    pos_sha256_t ctx;
    uint8_t      n[8], nonce[16], keys[POS_SHA256_SIZE], digest[POS_SHA256_SIZE];
    uint8_t      said[POS_SHA256_SIZE];
    int          i;

    if (!pos_pg_bytes(r, row, 1, said, sizeof(said))
        || !pos_pg_bytes(r, row, 2, nonce, sizeof(nonce))
        || !pos_pg_bytes(r, row, 5, digest, sizeof(digest)))
    {
        return false;
    }

    for (i = 0; i < 8; i++) {
        n[i] = (uint8_t) ((uint64_t) rev >> (56 - 8 * i));
    }

    pos_sha256(pos_pg_value(r, row, 4), keys);
    pos_sha256_init(&ctx);
    pos_sha256_update(&ctx, pos_str_of((const char *) hash, POS_SHA256_SIZE));
    pos_sha256_update(&ctx, pos_str_of((const char *) n, sizeof(n)));
    pos_sha256_update(&ctx, pos_str_of((const char *) nonce, sizeof(nonce)));
    pos_sha256_update(&ctx, pos_str_of((const char *) keys, sizeof(keys)));
    pos_sha256_update(&ctx, pos_str_of((const char *) digest, sizeof(digest)));
    pos_sha256_final(&ctx, hash);
    return memcmp(hash, said, POS_SHA256_SIZE) == 0;
}


static pos_status_t
log_key(pos_feed_t *f, feed_log_t *log, const pos_json_t *pair, pos_writer_t *w)
{
    const pos_json_t *kind = pair->first;
    const pos_json_t *key = kind ? kind->next : NULL;
    pos_str_t         name;
    pos_status_t      status;

    if (pair->type != POS_JSON_ARRAY || key == NULL
        || kind->type != POS_JSON_STRING || key->type != POS_JSON_STRING)
    {
        return POS_INVALID;
    }

    name = pos_arena_printf(f->arena, "%.*s\x1f%.*s", (int) kind->text.len,
                            kind->text.data, (int) key->text.len,
                            key->text.data);
    if (name.data == NULL) {
        return POS_NO_MEMORY;
    }
    if (pos_map_get(&log->keys, name) != NULL) {
        return POS_OK;
    }

    status = pos_map_set(&log->keys, name, log, NULL);
    log->retailer |= pos_str_eq(kind->text, pos_str("retailer"));
    log->places |= pos_str_eq(kind->text, pos_str("store"));
    pos_write_array_begin(w);
    pos_write_string(w, kind->text);
    pos_write_string(w, key->text);
    pos_write_array_end(w);
    return status;
}


static pos_status_t
log_keys(pos_feed_t *f, feed_log_t *log, pos_str_t text, pos_writer_t *w)
{
    pos_faults_t      faults;
    pos_json_t       *root;
    const pos_json_t *pair;
    pos_status_t      status;

    pos_faults_init(&faults, f->arena);
    status = pos_json_read(f->reader, text, f->arena, &faults, &root);
    if (status != POS_OK || root->type != POS_JSON_ARRAY) {
        return status ? status : POS_INVALID;
    }

    for (pair = root->first; status == POS_OK && pair; pair = pair->next) {
        status = log_key(f, log, pair, w);
    }

    return status;
}


/* Rows must follow each other and the chain must end in the head's hash. */
static pos_status_t
log_take(pos_feed_t *f, const pos_head_t *have, feed_log_t *log, const PGresult *r)
{
    pos_writer_t w;
    pos_status_t status;
    uint8_t      hash[POS_SHA256_SIZE];
    int64_t      rev = have->rev;
    int          i;

    memcpy(hash, have->hash, sizeof(hash));
    pos_writer_init(&w, f->arena, 4096, 64 * 1024 * 1024);
    status = pos_map_init(&log->keys, f->arena, 64);
    pos_write_array_begin(&w);

    for (i = 0; status == POS_OK && i < PQntuples(r); i++) {
        if (pos_pg_int(r, i, 0) != ++rev || !log_chains(r, i, rev, hash)) {
            return POS_INVALID;
        }
        log->bulk |= PQgetvalue(r, i, 3)[0] == 't';
        log->source_time = pos_pg_int(r, i, 6);
        status = log_keys(f, log, pos_pg_value(r, i, 4), &w);
    }

    pos_write_array_end(&w);
    if (status != POS_OK || w.status != POS_OK) {
        return status ? status : w.status;
    }
    if (rev != log->rev || memcmp(hash, log->hash, sizeof(hash)) != 0) {
        return POS_INVALID;
    }

    /* libpq takes it as a C string: the writer's bytes have no zero behind them. */
    log->json = pos_arena_str(f->arena, pos_writer_result(&w));
    return log->json.data ? POS_OK : POS_NO_MEMORY;
}


static pos_status_t
log_read(pos_feed_t *f, const pos_head_t *have, feed_log_t *log)
{
    char          from[24], to[24];
    const char   *params[] = { log->id, from, to };
    pos_status_t  status;
    PGresult     *r;

    snprintf(from, sizeof(from), "%lld", (long long) have->rev);
    snprintf(to, sizeof(to), "%lld", (long long) log->rev);
    r = pos_pg_query(&f->pg, POS_FEED_TIMEOUT,
        "select rev, hash, nonce, bulk, keys::text, digest,"
        " (extract(epoch from at) * 1000000)::bigint from pos.revision_log"
        " where retailer_id = $1::bigint and rev > $2::bigint"
        " and rev <= $3::bigint order by rev", 3, params);
    if (r == NULL) {
        return FEED_LOST;
    }

    status = log_take(f, have, log, r);
    PQclear(r);
    return status;
}


/* ---- applying ---- */

static pos_status_t
rows_add(pos_feed_t *f, const char *id, const PGresult *r, const pos_zone_t *zone)
{
    pos_status_t status = POS_OK;
    int          i;

    for (i = 0; status == POS_OK && i < PQntuples(r); i++) {
        status = pos_entities_add(f->entities, id, pos_pg_value(r, i, 0),
                                  pos_pg_value(r, i, 1), pos_pg_value(r, i, 2),
                                  zone);
    }

    return status;
}


static pos_status_t
rows_query(pos_feed_t *f, const char *id, const pos_zone_t *zone,
    const char *sql, int count, const char *const *params)
{
    PGresult     *r = pos_pg_query(&f->pg, POS_FEED_TIMEOUT, sql, count, params);
    pos_status_t  status;

    if (r == NULL) {
        return FEED_LOST;
    }

    status = rows_add(f, id, r, zone);
    PQclear(r);
    return status;
}


/* A retailer's zone is part of what its coupons' times mean: with its settings
 * the coupons are read again. */
static pos_status_t
rows_read(pos_feed_t *f, const feed_log_t *log)
{
    const char       *params[] = { log->id, log->json.data };
    const pos_zone_t *zone;
    pos_status_t      status;
    bool              ok;

    zone = pos_feed_zone(&f->pg, log->id, f->entities, &ok);
    if (!ok) {
        return FEED_LOST;
    }

    pos_entities_reset(f->entities);
    status = rows_query(f, log->id, zone,
        "select kind, key, value from pos.book_rows($1::bigint, $2::jsonb)",
        2, params);
    if (status == POS_OK && log->retailer) {
        status = rows_query(f, log->id, zone,
            "select kind, key, value from pos.book_small"
            " where retailer_id = $1::bigint and kind = 'coupon'", 1, params);
    }
    if (status == POS_OK && (log->retailer || log->places)) {
        status = pos_feed_add_zones(&f->pg, log->id, f->entities);
    }

    return status;
}


static pos_status_t
feed_apply(pos_feed_t *f, const feed_log_t *log)
{
    pos_revision_t   revision;
    const pos_row_t *rows;
    pos_status_t     status;
    size_t           count, refused = 0;

    status = rows_read(f, log);
    if (status != POS_OK) {
        return status;
    }

    revision = (pos_revision_t) { .id = log->id, .epoch = f->epoch,
                                  .rev = log->rev,
                                  .source_time = log->source_time,
                                  .applied_time = f->db_time };
    memcpy(revision.hash, log->hash, sizeof(revision.hash));
    rows = pos_entities_rows(f->entities, &count);
    status = pos_writer_apply(f->writer, &revision, rows, count, &refused);
    if (status != POS_OK) {
        f->writer_failed = true;
        return status;
    }
    if (refused > 0) {
        pos_log("error", "retailer %s: %zu rows have keys that cannot be kept",
                log->id, refused);
    }

    return POS_OK;
}


static void
feed_want_copy(pos_feed_t *f, const char *id, const char *why)
{
    f->complete = false;
    if (f->copy.bulk != NULL || f->wanted[0] != '\0'
        || pos_now() < f->next_copy)
    {
        return;
    }

    snprintf(f->wanted, sizeof(f->wanted), "%s", id);
    pos_log("info", "retailer %s will be copied whole: %s", id, why);
}


/* Brings one retailer to the head that the database has. */
static pos_status_t
feed_retailer(pos_feed_t *f, feed_log_t *log)
{
    const pos_head_t *have = pos_writer_head(f->writer, log->id);
    pos_status_t      status;

    if (f->copy.bulk != NULL && strcmp(f->copy.retailer, log->id) == 0) {
        f->complete = false;
        return POS_OK;
    }
    if (have == NULL || have->generation == 0) {
        feed_want_copy(f, log->id, "it is not here yet");
        return POS_OK;
    }
    if (have->rev == log->rev && memcmp(have->hash, log->hash, 32) == 0) {
        return POS_OK;
    }
    if (have->rev >= log->rev) {
        feed_want_copy(f, log->id, "the database's history is another one");
        return POS_OK;
    }
    if (log->rev - have->rev > FEED_LOG_MAX) {
        feed_want_copy(f, log->id, "it is far behind");
        return POS_OK;
    }

    if (!pos_feed_enter(&f->pg, log->id)) {
        return FEED_LOST;
    }

    status = log_read(f, have, log);
    if (status == POS_INVALID) {
        feed_want_copy(f, log->id, "its log does not lead here");
        return POS_OK;
    }
    if (status == POS_OK && log->bulk) {
        feed_want_copy(f, log->id, "a large import");
        return POS_OK;
    }

    return status == POS_OK ? feed_apply(f, log) : status;
}


/* ---- a poll ---- */

static bool
poll_epoch(pos_feed_t *f)
{
    PGresult *r;
    bool      ok;

    r = pos_pg_query(&f->pg, POS_FEED_TIMEOUT,
        "select pos.book_epoch(),"
        " (extract(epoch from clock_timestamp()) * 1000000)::bigint", 0, NULL);
    if (r == NULL) {
        return false;
    }

    ok = !PQgetisnull(r, 0, 0) && PQgetlength(r, 0, 0) <= POS_EPOCH_MAX;
    if (ok) {
        snprintf(f->epoch, sizeof(f->epoch), "%s", PQgetvalue(r, 0, 0));
        f->db_time = pos_pg_int(r, 0, 1);
    } else {
        snprintf(f->pg.error, sizeof(f->pg.error),
                 "the database is a standby: it has no epoch to follow");
    }

    PQclear(r);
    return ok;
}


/* Another cluster, or another timeline of it: nothing here can be trusted to
 * be part of its history. */
static pos_status_t
poll_check_epoch(pos_feed_t *f)
{
    const pos_head_t *h;
    size_t            i;

    for (i = 0; i < pos_writer_head_count(f->writer); i++) {
        h = pos_writer_head_at(f->writer, i);
        if (h->generation == 0 || strcmp(h->epoch, f->epoch) == 0) {
            continue;
        }

        pos_log("warning", "the database's epoch is %s, the replica's %s:"
                " rebuilding", f->epoch, h->epoch);
        if (f->copy.bulk != NULL) {
            pos_copy_abandon(&f->copy);
        }
        if (pos_writer_rebuilding(f->writer)) {
            pos_writer_rebuild_abandon(f->writer);
        }
        f->state = POS_REPLICA_REBUILDING;
        if (pos_writer_rebuild_begin(f->writer) != POS_OK) {
            f->writer_failed = true;
            return POS_BROKEN;
        }
        return POS_OK;
    }

    return POS_OK;
}


static bool
heads_have(const PGresult *r, const char *id)
{
    int i;

    for (i = 0; i < PQntuples(r); i++) {
        if (strcmp(PQgetvalue(r, i, 0), id) == 0) {
            return true;
        }
    }

    return false;
}


/* Retailers that the database has no more. */
static pos_status_t
poll_forget(pos_feed_t *f, const PGresult *r)
{
    const pos_head_t *h;
    pos_status_t      status = POS_OK;
    char              id[POS_RETAILER_ID_MAX + 1];
    size_t            i;

    for (i = 0; status == POS_OK && i < pos_writer_head_count(f->writer); i++) {
        h = pos_writer_head_at(f->writer, i);
        if (h->id[0] != '\0' && !heads_have(r, h->id)) {
            memcpy(id, h->id, sizeof(id));
            pos_log("warning", "retailer %s is gone", id);
            status = pos_writer_forget(f->writer, id);
            f->writer_failed = status != POS_OK;
            f->sweep = true;
        }
    }

    return status;
}


static pos_status_t
poll_heads(pos_feed_t *f)
{
    feed_log_t    log;
    pos_status_t  status = POS_OK;
    PGresult     *r;
    int           i;

    r = pos_pg_query(&f->pg, POS_FEED_TIMEOUT,
        "select retailer_id, rev, hash from pos.book_heads()", 0, NULL);
    if (r == NULL) {
        return FEED_LOST;
    }

    for (i = 0; status == POS_OK && i < PQntuples(r); i++) {
        memset(&log, 0, sizeof(log));
        log.id = PQgetvalue(r, i, 0);
        log.rev = pos_pg_int(r, i, 1);
        if (!pos_pg_bytes(r, i, 2, log.hash, sizeof(log.hash))) {
            status = POS_BROKEN;
            break;
        }
        status = feed_retailer(f, &log);
    }
    if (status == POS_OK) {
        status = poll_forget(f, r);
    }

    PQclear(r);
    return status;
}


static pos_status_t
feed_poll(pos_feed_t *f)
{
    pos_status_t status;

    pos_arena_reset(f->arena);
    f->complete = true;
    f->wanted[0] = '\0';
    if (!pos_pg_run(&f->pg, POS_FEED_TIMEOUT,
                    "begin isolation level repeatable read read only")
        || !poll_epoch(f))
    {
        return FEED_LOST;
    }

    status = poll_check_epoch(f);
    if (status == POS_OK) {
        status = poll_heads(f);
    }
    if (status != POS_OK) {
        return status;
    }

    return pos_pg_run(&f->pg, POS_FEED_TIMEOUT, "commit") ? POS_OK : FEED_LOST;
}


/* ---- the loop ---- */

static void
feed_clock(pos_feed_t *f, int64_t db_time)
{
    if (pos_writer_clock(f->writer, db_time,
                         db_time != 0 && f->complete
                         && !pos_writer_rebuilding(f->writer),
                         f->state) != POS_OK)
    {
        feed_say(f, pos_writer_error(f->writer));
        f->writer_failed = true;
    }
}


static void
feed_detach(pos_feed_t *f)
{
    if (!pos_stop) {
        pos_log("error", "database: %s", f->pg.error);
    }

    pos_copy_abandon(&f->copy);
    pos_pg_close(&f->pg);
    if (f->state != POS_REPLICA_DETACHED) {
        f->state = POS_REPLICA_DETACHED;
        feed_clock(f, 0);
    }
}


static bool
feed_connect(pos_feed_t *f)
{
    if (f->pg.conn != NULL) {
        return true;
    }

    if (pos_pg_connect(&f->pg, f->conninfo, "posd feed", 5000000) == POS_OK
        && pos_pg_run(&f->pg, POS_FEED_TIMEOUT,
                      "set statement_timeout = '30s'; listen pos_book"))
    {
        f->next_poll = 0;
        return true;
    }

    feed_detach(f);
    pos_wait(-1, f->backoff);
    f->backoff = f->backoff * 2 < FEED_BACKOFF_MAX ? f->backoff * 2
                                                   : FEED_BACKOFF_MAX;
    return false;
}


/* True: something was published since. */
static bool
feed_notified(pos_feed_t *f)
{
    PGnotify *n;
    bool      any = false;

    if (PQconsumeInput(f->pg.conn) == 0) {
        f->next_poll = 0;
        return true;
    }

    while ((n = PQnotifies(f->pg.conn)) != NULL) {
        PQfreemem(n);
        any = true;
    }

    return any;
}


static void
feed_after_poll(pos_feed_t *f)
{
    if (f->complete && pos_writer_set_whole(f->writer) != POS_OK) {
        feed_say(f, pos_writer_error(f->writer));
        f->writer_failed = true;
        return;
    }
    if (f->complete && pos_writer_rebuilding(f->writer)) {
        if (pos_writer_rebuild_switch(f->writer) != POS_OK) {
            feed_say(f, pos_writer_error(f->writer));
            f->writer_failed = true;
            return;
        }
        pos_log("info", "the rebuilt replica is in use");
    }

    f->state = pos_writer_rebuilding(f->writer) ? POS_REPLICA_REBUILDING
                                                : POS_REPLICA_FOLLOWING;
    feed_clock(f, f->db_time);

    if (f->wanted[0] != '\0' && f->copy.bulk == NULL
        && pos_copy_begin(&f->copy, f->conninfo, f->writer, f->entities,
                          f->wanted) != POS_OK)
    {
        /* Logged there; the next poll asks for it again. */
        return;
    }
}


static void
feed_try_poll(pos_feed_t *f)
{
    pos_status_t status = feed_poll(f);

    f->next_poll = pos_now() + FEED_POLL_US;
    if (status == POS_OK) {
        f->backoff = FEED_BACKOFF_MIN;
        feed_after_poll(f);
        return;
    }
    if (f->writer_failed) {
        /* The next poll must see the database as it is then. */
        feed_say(f, pos_writer_error(f->writer));
        if (!pos_pg_run(&f->pg, POS_FEED_TIMEOUT, "rollback")) {
            pos_pg_close(&f->pg);
        }
        return;
    }

    feed_detach(f);
    pos_wait(-1, f->backoff);
    f->backoff = f->backoff * 2 < FEED_BACKOFF_MAX ? f->backoff * 2
                                                   : FEED_BACKOFF_MAX;
}


static void
feed_copy_step(pos_feed_t *f)
{
    pos_status_t status = pos_copy_step(&f->copy, f->entities);

    if (status == POS_AGAIN) {
        return;
    }

    f->sweep = true;
    if (status == POS_OK) {
        f->next_poll = 0;
        f->copy_pause = 0;
        return;
    }

    /* What failed once, on a full disk, would read all of the database again
     * and again. */
    f->copy_pause = f->copy_pause ? f->copy_pause * 2 : FEED_POLL_US;
    f->copy_pause = f->copy_pause < FEED_COPY_MAX ? f->copy_pause : FEED_COPY_MAX;
    f->next_copy = pos_now() + f->copy_pause;
    f->next_poll = pos_now() + FEED_POLL_US;
}


static void
feed_sweep(pos_feed_t *f)
{
    pos_status_t status = pos_writer_sweep(f->writer, FEED_SWEEP_ROWS);

    if (status != POS_AGAIN) {
        f->sweep = false;
    }
    if (status != POS_AGAIN && status != POS_OK) {
        feed_say(f, pos_writer_error(f->writer));
        f->writer_failed = true;
    }
}


/* What needs doing now, in the order of who waits for it: publishes, then the
 * copy, then the sweep; waits only when there is none of them. */
static void
feed_turn(pos_feed_t *f)
{
    if (feed_notified(f) || pos_now() >= f->next_poll) {
        feed_try_poll(f);
    } else if (f->copy.bulk != NULL && pos_pg_ready(&f->copy.pg)) {
        feed_copy_step(f);
    } else if (f->copy.bulk != NULL) {
        pos_wait_two(PQsocket(f->pg.conn), PQsocket(f->copy.pg.conn),
                     f->next_poll - pos_now());
    } else if (f->sweep && !pos_writer_rebuilding(f->writer)) {
        feed_sweep(f);
    } else {
        pos_wait(PQsocket(f->pg.conn), f->next_poll - pos_now());
    }
}


static pos_status_t
feed_open_writer(pos_feed_t *f)
{
    pos_status_t status;

    if (f->writer != NULL && !f->writer_failed) {
        return POS_OK;
    }

    if (f->writer != NULL) {
        /* A failed write may be a full disk: begin again from what is there. */
        pos_copy_abandon(&f->copy);
        pos_writer_close(f->writer);
        f->writer = NULL;
        pos_wait(-1, 1000000);
    }

    status = pos_writer_open(f->dir, 0, &f->writer);
    if (status != POS_OK) {
        feed_say(f, pos_writer_error(NULL));
        return status;
    }

    f->writer_failed = false;
    f->sweep = true;
    f->state = POS_REPLICA_DETACHED;
    return POS_OK;
}


static void
feed_periodic(pos_feed_t *f, void (*tick)(void *), void *ctx)
{
    int64_t now = pos_now();
    int     dead;

    if (now >= f->next_readers) {
        f->next_readers = now + FEED_READERS_US;
        dead = pos_writer_check_readers(f->writer);
        if (dead > 0) {
            pos_log("info", "freed the slots of %d dead readers", dead);
        }
    }
    if (tick != NULL && now >= f->next_tick) {
        f->next_tick = now + FEED_POLL_US;
        tick(ctx);
    }
}


/* One that never could be opened is a mistake that somebody must mend; one that
 * could is waited for. */
static pos_status_t
feed_loop(pos_feed_t *f, void (*tick)(void *), void *ctx)
{
    pos_status_t status;
    int          failures = 0;
    bool         opened = false;

    while (!pos_stop) {
        status = feed_open_writer(f);
        if (status != POS_OK) {
            if (!opened && ++failures > 60) {
                return status;
            }
            pos_wait(-1, 1000000);
            continue;
        }

        opened = true;
        feed_periodic(f, tick, ctx);
        if (feed_connect(f)) {
            feed_turn(f);
        }
    }

    return POS_OK;
}


pos_status_t
pos_feed_run(const char *conninfo, const char *dir, void (*tick)(void *),
    void *ctx)
{
    pos_feed_t   f = { .conninfo = conninfo, .dir = dir,
                       .state = POS_REPLICA_DETACHED,
                       .backoff = FEED_BACKOFF_MIN };
    pos_status_t status = POS_NO_MEMORY;

    f.entities = pos_entities_create();
    f.arena = pos_arena_create(64 * 1024, 0);
    f.reader = pos_json_reader_create(64 * 1024 * 1024);
    if (f.entities != NULL && f.arena != NULL && f.reader != NULL) {
        status = feed_loop(&f, tick, ctx);
    }

    pos_copy_abandon(&f.copy);
    pos_pg_close(&f.pg);
    if (f.writer != NULL) {
        f.state = POS_REPLICA_STOPPED;
        feed_clock(&f, 0);
        pos_writer_close(f.writer);
    }
    if (f.reader != NULL) {
        pos_json_reader_destroy(f.reader);
    }
    if (f.arena != NULL) {
        pos_arena_destroy(f.arena);
    }
    pos_entities_destroy(f.entities);
    return status;
}
