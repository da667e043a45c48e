#include "ngx_pos_metrics.h"
#include "ngx_pos_pg.h"
#include "ngx_pos_tally.h"

#define NGX_POS_TALLY_EVERY    1000     /* ms                                   */
#define NGX_POS_TALLY_BUCKETS  8192
#define NGX_POS_TALLY_MOST     65536    /* promotions by currency; more are not counted */
#define NGX_POS_TALLY_ROWS     256      /* told at once                         */
#define NGX_POS_TALLY_TEXT     (256 * 1024)

typedef struct {
    uint64_t evaluated, applied, failed, script_ns;
    int64_t  discount;
} ngx_pos_tally_counts_t;

/* One promotion of one retailer in one currency; lives as long as the worker. */
typedef struct ngx_pos_tally_s ngx_pos_tally_t;
struct ngx_pos_tally_s {
    ngx_pos_tally_t        *next;       /* in its bucket                        */
    ngx_queue_t             queue;      /* in `dirty` or `sending`              */
    uint64_t                hash;
    ngx_pos_tally_counts_t  counts;     /* not told yet                         */
    ngx_pos_tally_counts_t  told;       /* under way                            */
    char                    retailer[POS_RETAILER_ID_MAX + 1];
    char                    currency[4];
    pos_str_t               promotion;
    unsigned                dirty:1;
};

static struct {
    ngx_pos_tally_t   **buckets;
    ngx_pool_t         *pool;
    ngx_uint_t          count;
    ngx_queue_t         dirty, sending;
    ngx_event_t         timer;
    ngx_connection_t    no_connection;   /* timers log through data->fd: -1 */
    ngx_pos_pg_call_t   call;
    char                retailer[POS_RETAILER_ID_MAX + 1];
    pos_arena_t        *arena;
    bool                under_way;
    bool                waits;      /* for a database; the log was told         */
} tally;

static void ngx_pos_tally_send(void);

uint64_t
ngx_pos_tally_clock(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* ---- counting ---- */

static ngx_pos_tally_t *
ngx_pos_tally_new(ngx_pos_shop_t *shop, pos_str_t promotion, const char *currency, uint64_t hash)
{
    u_char           *id;
    ngx_pos_tally_t  *t, **bucket = &tally.buckets[hash % NGX_POS_TALLY_BUCKETS];

    if (tally.count >= NGX_POS_TALLY_MOST) {
        return NULL;
    }

    t = ngx_pcalloc(tally.pool, sizeof(*t) + promotion.len);
    if (t == NULL) {
        return NULL;
    }

    id = (u_char *) (t + 1);
    ngx_memcpy(id, promotion.data, promotion.len);
    t->promotion = pos_str_of((char *) id, promotion.len);
    t->hash = hash;
    ngx_memcpy(t->retailer, shop->head.id, sizeof(t->retailer));
    ngx_memcpy(t->currency, currency, sizeof(t->currency));
    t->next = *bucket;
    *bucket = t;

    if (++tally.count == NGX_POS_TALLY_MOST) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "pos: statistics of more than %d promotions: others are not counted",
            NGX_POS_TALLY_MOST);
    }

    return t;
}

static ngx_pos_tally_t *
ngx_pos_tally_find(ngx_pos_shop_t *shop, pos_str_t promotion, const char *currency)
{
    uint64_t          hash = pos_hash64_seeded(promotion, pos_hash64(pos_str_z(shop->head.id)));
    ngx_pos_tally_t  *t;

    for (t = tally.buckets[hash % NGX_POS_TALLY_BUCKETS]; t != NULL; t = t->next) {
        if (t->hash == hash && ngx_memcmp(t->currency, currency, sizeof(t->currency)) == 0
            && pos_str_eq(t->promotion, promotion) && ngx_strcmp(t->retailer, shop->head.id) == 0)
        {
            return t;
        }
    }

    return ngx_pos_tally_new(shop, promotion, currency, hash);
}

/* A shop remembers where its promotions are counted, so that only the first quote of a
 * generation looks for them. */
static ngx_pos_tally_t *
ngx_pos_tally_of(ngx_pos_shop_t *shop, uint32_t promotion, const char *currency)
{
    ngx_pos_tally_t *t = shop->tallies[promotion];

    if (t == NULL || ngx_memcmp(t->currency, currency, sizeof(t->currency)) != 0) {
        t = ngx_pos_tally_find(shop, pos_book_promotion_id(shop->book, promotion), currency);
        shop->tallies[promotion] = t;
    }

    return t;
}

static void
ngx_pos_tally_add(ngx_pos_tally_counts_t *to, const ngx_pos_tally_counts_t *more)
{
    to->evaluated += more->evaluated;
    to->applied += more->applied;
    to->failed += more->failed;
    to->script_ns += more->script_ns;
    to->discount += more->discount;
}

static void
ngx_pos_tally_mark(ngx_pos_tally_t *t)
{
    if (t->dirty) {
        return;
    }

    t->dirty = 1;
    ngx_queue_insert_tail(&tally.dirty, &t->queue);

    if (!tally.timer.timer_set && !tally.under_way) {
        ngx_add_timer(&tally.timer, NGX_POS_TALLY_EVERY);
    }
}

void
ngx_pos_tally_count(ngx_pos_shop_t *shop, const pos_quote_stats_t *stats)
{
    uint32_t                      i;
    ngx_pos_tally_t              *t;
    ngx_pos_tally_counts_t        one;
    const pos_quote_promotion_t  *p;

    if (tally.buckets == NULL || stats->promotion_count == 0) {
        return;
    }

    if (shop->tallies == NULL) {
        shop->tallies = ngx_pcalloc(shop->pool, pos_book_promotions(shop->book) * sizeof(*shop->tallies));
        if (shop->tallies == NULL) {
            return;
        }
    }

    for (i = 0; i < stats->promotion_count; i++) {
        p = &stats->promotions[i];
        t = ngx_pos_tally_of(shop, p->promotion, stats->currency);
        if (t == NULL) {
            continue;
        }

        one = (ngx_pos_tally_counts_t) { 1, p->applied, p->failed, p->script_ns, p->discount };
        ngx_pos_tally_add(&t->counts, &one);
        ngx_pos_tally_mark(t);
    }
}

/* ---- telling ---- */

static void
ngx_pos_tally_forget(bool keep)
{
    ngx_queue_t     *q;
    ngx_pos_tally_t *t;

    while (!ngx_queue_empty(&tally.sending)) {
        q = ngx_queue_head(&tally.sending);
        t = ngx_queue_data(q, ngx_pos_tally_t, queue);
        ngx_queue_remove(q);
        t->dirty = 0;

        if (keep) {
            ngx_pos_tally_add(&t->counts, &t->told);
        }
        if (t->counts.evaluated > 0) {
            t->dirty = 1;
            ngx_queue_insert_tail(&tally.dirty, &t->queue);
        }
    }
}

static void
ngx_pos_tally_answer(ngx_pos_pg_call_t *call)
{
    bool nothing_done = call->outcome == NGX_POS_PG_UNAVAILABLE || call->outcome == NGX_POS_PG_OVERLOADED;

    tally.under_way = false;

    if (call->outcome == NGX_POS_PG_DONE) {
        PQclear(call->result);
        tally.waits = false;

    } else if (!nothing_done) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "pos: retailer %s: promotions' statistics are lost%s%s", tally.retailer,
            call->outcome == NGX_POS_PG_REFUSED ? ": " : "", call->outcome == NGX_POS_PG_REFUSED ? call->message : "");

    } else if (!tally.waits) {
        tally.waits = true;
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "pos: promotions' statistics wait for the database");
    }

    /* what may have been counted is not told again */
    ngx_pos_tally_forget(nothing_done && !ngx_exiting);

    if (ngx_queue_empty(&tally.dirty)) {
        return;
    }

    if (call->outcome == NGX_POS_PG_DONE) {
        ngx_pos_tally_send();
    } else {
        ngx_add_timer(&tally.timer, NGX_POS_TALLY_EVERY);
    }
}

static void
ngx_pos_tally_write(ngx_pos_tally_t *t, pos_writer_t *w)
{
    pos_write_object_begin(w);
    pos_write_key(w, "promotion");
    pos_write_string(w, t->promotion);
    pos_write_key(w, "currency");
    pos_write_string(w, pos_str_z(t->currency));
    pos_write_key(w, "evaluated");
    pos_write_int(w, (int64_t) t->told.evaluated);
    pos_write_key(w, "applied");
    pos_write_int(w, (int64_t) t->told.applied);
    pos_write_key(w, "discount");
    pos_write_int(w, t->told.discount);
    pos_write_key(w, "script_errors");
    pos_write_int(w, (int64_t) t->told.failed);
    pos_write_key(w, "script_ns");
    pos_write_int(w, (int64_t) t->told.script_ns);
    pos_write_object_end(w);
}

/* The rows of one retailer, the one that waits longest, zero-terminated; NULL: no memory. */
static const char *
ngx_pos_tally_rows(void)
{
    ngx_uint_t       n = 0;
    pos_str_t        text;
    ngx_queue_t     *q, *next;
    pos_writer_t     w;
    ngx_pos_tally_t *t = ngx_queue_data(ngx_queue_head(&tally.dirty), ngx_pos_tally_t, queue);

    ngx_memcpy(tally.retailer, t->retailer, sizeof(tally.retailer));
    pos_arena_reset(tally.arena);
    pos_writer_init(&w, tally.arena, 4096, NGX_POS_TALLY_TEXT);
    pos_write_array_begin(&w);

    for (q = ngx_queue_head(&tally.dirty); q != ngx_queue_sentinel(&tally.dirty) && n < NGX_POS_TALLY_ROWS; q = next) {
        next = ngx_queue_next(q);
        t = ngx_queue_data(q, ngx_pos_tally_t, queue);
        if (ngx_strcmp(t->retailer, tally.retailer) != 0) {
            continue;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&tally.sending, q);
        t->told = t->counts;
        ngx_memzero(&t->counts, sizeof(t->counts));
        ngx_pos_tally_write(t, &w);
        n++;
    }

    pos_write_array_end(&w);
    pos_write_bytes(&w, pos_str_of("", 1));
    text = pos_writer_result(&w);

    return w.status == POS_OK ? text.data : NULL;
}

static void
ngx_pos_tally_send(void)
{
    const char *rows;

    rows = ngx_pos_tally_rows();
    if (rows == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "pos: no memory to tell promotions' statistics");
        ngx_pos_tally_forget(true);
        ngx_add_timer(&tally.timer, NGX_POS_TALLY_EVERY);
        return;
    }

    tally.under_way = true;
    ngx_memzero(&tally.call, sizeof(tally.call));
    tally.call.statement = "pos_promotion_tally";
    tally.call.statement_index = NGX_POS_PG_TALLY_INDEX;
    tally.call.sql = "select pos.promotion_tally($1::jsonb)";
    tally.call.retailer = tally.retailer;
    tally.call.request = rows;
    tally.call.handler = ngx_pos_tally_answer;

    ngx_pos_pg_submit(ngx_pos_worker.pg, &tally.call);
}

static void
ngx_pos_tally_timer(ngx_event_t *ev)
{
    if (!tally.under_way && !ngx_queue_empty(&tally.dirty)) {
        ngx_pos_tally_send();
    }
}

ngx_int_t
ngx_pos_tally_init_worker(ngx_cycle_t *cycle)
{
    ngx_memzero(&tally, sizeof(tally));
    tally.pool = cycle->pool;
    tally.arena = pos_arena_create(16384, 4 * NGX_POS_TALLY_TEXT);
    tally.buckets = ngx_pcalloc(cycle->pool, NGX_POS_TALLY_BUCKETS * sizeof(*tally.buckets));

    if (tally.arena == NULL || tally.buckets == NULL) {
        return NGX_ERROR;
    }

    ngx_queue_init(&tally.dirty);
    ngx_queue_init(&tally.sending);

    /* not cancelable: a worker that leaves tells its last ones first */
    tally.timer.handler = ngx_pos_tally_timer;
    tally.timer.log = cycle->log;
    tally.timer.data = &tally.no_connection;
    tally.no_connection.fd = (ngx_socket_t) -1;

    return NGX_OK;
}

void
ngx_pos_tally_exit_worker(void)
{
    pos_arena_destroy(tally.arena);
    tally.arena = NULL;
    tally.buckets = NULL;
}
