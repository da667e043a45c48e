/*
 * The feed's loop: it keeps the writer open and the database connected, polls when
 * something was published, and copies and sweeps in between.
 */

#include "posd/feed_data.h"

#include <stdio.h>

#define FEED_POLL_US       1000000
#define FEED_CLOCK_US      500000
#define FEED_READERS_US    10000000
#define FEED_BACKOFF_MIN   100000
#define FEED_BACKOFF_MAX   2000000
#define FEED_SWEEP_ROWS    2000
#define FEED_COPY_MAX      30000000   /* between two tries to copy, at most  */
#define FEED_SAY_AGAIN     60000000


/* ---- what is said ---- */

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


/* Written when it says something new, else twice a second: a publish never waits
 * for the disk because of the clock of the one before. */
static void
feed_clock(pos_feed_t *f, int64_t db_time)
{
    int64_t now = pos_now();
    bool    fresh = db_time != 0 && f->complete
                    && !pos_writer_rebuilding(f->writer);

    if (f->state == f->clocked_state && fresh == f->clocked_fresh
        && now - f->clocked < FEED_CLOCK_US)
    {
        return;
    }

    if (pos_writer_clock(f->writer, db_time, fresh, f->state) != POS_OK) {
        feed_say(f, pos_writer_error(f->writer));
        f->writer_failed = true;
        return;
    }

    f->clocked = now;
    f->clocked_state = f->state;
    f->clocked_fresh = fresh;
}


/* ---- the connection ---- */

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


static void
feed_back_off(pos_feed_t *f)
{
    feed_detach(f);
    pos_wait(-1, f->backoff);
    f->backoff = f->backoff * 2 < FEED_BACKOFF_MAX ? f->backoff * 2
                                                   : FEED_BACKOFF_MAX;
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

    feed_back_off(f);
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


/* ---- one turn ---- */

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
    pos_status_t status = pos_feed_poll(f);

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

    feed_back_off(f);
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


/* ---- the loop ---- */

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
