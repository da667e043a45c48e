/*
 * /healthz: is this worker alive, can it quote, how old is its replica, does the
 * database answer. /metrics: the same and all counters, as Prometheus text.
 * Quotes need no database, so without one the shop is degraded, not unready.
 */

#include "ngx_pos_contract.h"
#include "ngx_pos_generation.h"
#include "ngx_pos_metrics.h"
#include "ngx_pos_pg.h"
#include "ngx_pos_watchdog.h"

#define NGX_POS_HEALTH_STALE    5000000   /* µs: older is called degraded */
#define NGX_POS_HEALTH_MISSING  60        /* s: how long a missing function is told of */

typedef struct {
    bool                ready;
    bool                known;          /* the clock                          */
    bool                database;
    ngx_uint_t          missing;        /* workers that met one lately        */
    pos_replica_clock_t clock;
} ngx_pos_health_t;

static void
ngx_pos_health_read(ngx_pos_ctx_t *ctx, ngx_pos_health_t *health)
{
    ngx_uint_t         i;
    pos_replica_t     *replica;
    ngx_pos_metrics_t *metrics = ngx_pos_metrics();

    ngx_memzero(health, sizeof(*health));
    health->ready = ctx->generation != NULL && ctx->generation->whole;
    health->database = ngx_pos_worker.pg != NULL && ngx_pos_pg_up(ngx_pos_worker.pg);

    replica = ngx_pos_worker.conf->replica.len ? ngx_pos_generation_replica() : NULL;
    health->known = replica != NULL && pos_replica_clock(replica, &health->clock) == POS_OK;

    for (i = 0; i < NGX_POS_METRICS_WORKERS; i++) {
        health->missing += metrics->workers[i].missing_at + NGX_POS_HEALTH_MISSING > ngx_time();
        /* who asks cannot choose the worker that serves the next request */
        health->ready = health->ready && (metrics->workers[i].pid == 0 || metrics->workers[i].whole);
    }
}

static bool
ngx_pos_health_degraded(const ngx_pos_health_t *health)
{
    return !health->ready || !health->database || health->missing > 0 || !health->known
        || health->clock.state != POS_REPLICA_FOLLOWING || health->clock.stale > NGX_POS_HEALTH_STALE;
}

void
ngx_pos_health_handler(ngx_pos_ctx_t *ctx)
{
    pos_writer_t     w;
    ngx_pos_health_t health;

    ngx_pos_health_read(ctx, &health);
    pos_writer_init(&w, ctx->arena, 512, 4096);

    pos_write_object_begin(&w);
    pos_write_key(&w, "status");
    pos_write_string(&w,
        !health.ready ? pos_str("unready") : ngx_pos_health_degraded(&health) ? pos_str("degraded") : pos_str("ok"));
    pos_write_key(&w, "live");
    pos_write_bool(&w, true);
    pos_write_key(&w, "ready");
    pos_write_bool(&w, health.ready);

    pos_write_key(&w, "replica");
    pos_write_object_begin(&w);
    pos_write_key(&w, "state");
    pos_write_string(&w, health.known ? pos_str_z(pos_replica_state_name(health.clock.state)) : pos_str("absent"));
    pos_write_key(&w, "lag_ms");
    if (health.known) {
        pos_write_int(&w, health.clock.stale / 1000);
    } else {
        pos_write_null(&w);
    }
    pos_write_key(&w, "time");
    if (health.known) {
        pos_write_time(&w, health.clock.now);
    } else {
        pos_write_null(&w);
    }
    pos_write_key(&w, "clock_steady");
    pos_write_bool(&w, health.known && health.clock.steady);
    pos_write_object_end(&w);

    pos_write_key(&w, "database");
    pos_write_object_begin(&w);
    pos_write_key(&w, "reachable");
    pos_write_bool(&w, health.database);
    pos_write_key(&w, "functions_missing");
    pos_write_bool(&w, health.missing > 0);
    pos_write_object_end(&w);
    pos_write_object_end(&w);

    ngx_pos_answer(ctx, health.ready ? NGX_HTTP_OK : NGX_HTTP_SERVICE_UNAVAILABLE, pos_str("application/json"),
        pos_writer_result(&w));
}

/* ---- /metrics ---- */

static void
ngx_pos_metrics_printf(ngx_pos_ctx_t *ctx, pos_writer_t *w, const char *fmt, ...)
{
    u_char  buf[512], *last;
    va_list args;

    va_start(args, fmt);
    last = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args);
    va_end(args);

    pos_write_bytes(w, pos_str_of((char *) buf, last - buf));
}

static void
ngx_pos_metrics_operation(ngx_pos_ctx_t *ctx, pos_writer_t *w, ngx_str_t *name, ngx_pos_metrics_op_t *op)
{
    uint64_t   total = 0;
    ngx_uint_t i;

    for (i = 1; i < NGX_POS_METRICS_CLASSES; i++) {
        if (op->classes[i] > 0) {
            ngx_pos_metrics_printf(ctx, w, "pos_requests_total{operation=\"%V\",status=\"%uixx\"} %uA\n", name, i,
                op->classes[i]);
        }
    }
    if (op->classes[0] > 0) {
        ngx_pos_metrics_printf(ctx, w, "pos_requests_total{operation=\"%V\",status=\"none\"} %uA\n", name,
            op->classes[0]);
    }

    for (i = 0; i <= NGX_POS_METRICS_BUCKETS; i++) {
        total += op->buckets[i];
    }
    if (total == 0) {
        return;
    }

    total = 0;
    for (i = 0; i < NGX_POS_METRICS_BUCKETS; i++) {
        total += op->buckets[i];
        ngx_pos_metrics_printf(ctx, w,
            "pos_request_seconds_bucket{operation=\"%V\",le=\"%uD.%06uD\"} %uL\n", name,
            ngx_pos_metrics_bounds_us[i] / 1000000, ngx_pos_metrics_bounds_us[i] % 1000000, total);
    }
    total += op->buckets[i];
    ngx_pos_metrics_printf(ctx, w, "pos_request_seconds_bucket{operation=\"%V\",le=\"+Inf\"} %uL\n", name, total);
    ngx_pos_metrics_printf(ctx, w, "pos_request_seconds_sum{operation=\"%V\"} %uL.%06uL\n", name,
        (uint64_t) op->sum_us / 1000000, (uint64_t) op->sum_us % 1000000);
    ngx_pos_metrics_printf(ctx, w, "pos_request_seconds_count{operation=\"%V\"} %uL\n", name, total);
}

static const struct {
    const char *name;
    size_t      offset;
    const char *kind;
} ngx_pos_worker_metrics[] = {
    { "pos_database_connections", offsetof(ngx_pos_metrics_worker_t, pg_live), "gauge" },
    { "pos_database_busy", offsetof(ngx_pos_metrics_worker_t, pg_busy), "gauge" },
    { "pos_database_waiting", offsetof(ngx_pos_metrics_worker_t, pg_waiting), "gauge" },
    { "pos_database_lost_total", offsetof(ngx_pos_metrics_worker_t, pg_lost), "counter" },
    { "pos_database_retries_total", offsetof(ngx_pos_metrics_worker_t, pg_retries), "counter" },
    { "pos_database_overloads_total", offsetof(ngx_pos_metrics_worker_t, pg_overloads), "counter" },
    { "pos_database_timeouts_total", offsetof(ngx_pos_metrics_worker_t, pg_timeouts), "counter" },
    { "pos_database_connect_failures_total", offsetof(ngx_pos_metrics_worker_t, pg_connect_failures), "counter" },
    { "pos_missing_functions_total", offsetof(ngx_pos_metrics_worker_t, missing_functions), "counter" },
    { "pos_generations_total", offsetof(ngx_pos_metrics_worker_t, generations), "counter" },
    { "pos_books_compiled_total", offsetof(ngx_pos_metrics_worker_t, books_compiled), "counter" },
    { "pos_books_failed_total", offsetof(ngx_pos_metrics_worker_t, books_failed), "counter" },
    { "pos_book_rows_left_out", offsetof(ngx_pos_metrics_worker_t, reports), "gauge" },
    { "pos_prepare_slice_max_microseconds", offsetof(ngx_pos_metrics_worker_t, slice_max_us), "gauge" },
    { "pos_quotes_total", offsetof(ngx_pos_metrics_worker_t, quotes), "counter" },
    { "pos_quote_lines_total", offsetof(ngx_pos_metrics_worker_t, quote_lines), "counter" },
    { "pos_quote_script_errors_total", offsetof(ngx_pos_metrics_worker_t, script_errors), "counter" },
    { "pos_quote_compare_differs_total", offsetof(ngx_pos_metrics_worker_t, compare_differs), "counter" },
    { "pos_quote_not_optimal_total", offsetof(ngx_pos_metrics_worker_t, not_optimal), "counter" },
    { NULL, 0, NULL }
};

static void
ngx_pos_metrics_workers(ngx_pos_ctx_t *ctx, pos_writer_t *w)
{
    uint64_t                  value;
    ngx_uint_t                i, m;
    ngx_pos_metrics_worker_t *worker;

    for (m = 0; ngx_pos_worker_metrics[m].name != NULL; m++) {
        ngx_pos_metrics_printf(ctx, w, "# TYPE %s %s\n", ngx_pos_worker_metrics[m].name,
            ngx_pos_worker_metrics[m].kind);

        for (i = 0; i < NGX_POS_METRICS_WORKERS; i++) {
            worker = &ngx_pos_metrics()->workers[i];
            if (worker->pid == 0) {
                continue;
            }
            ngx_memcpy(&value, (u_char *) worker + ngx_pos_worker_metrics[m].offset, sizeof(value));
            ngx_pos_metrics_printf(ctx, w, "%s{worker=\"%ui\"} %uL\n", ngx_pos_worker_metrics[m].name, i, value);
        }
    }
}

/* What the second fence behind the script sandbox caught. */
static void
ngx_pos_metrics_watchdog(ngx_pos_ctx_t *ctx, pos_writer_t *w)
{
    u_char                   hex[2 * POS_SHA256_SIZE];
    ngx_uint_t               i;
    const pos_culprit_t     *culprit;
    const pos_quarantine_t  *quarantine = ngx_pos_watchdog_quarantine();

    ngx_pos_metrics_printf(ctx, w, "# TYPE pos_script_watchdog_total counter\npos_script_watchdog_total %ui\n",
        (ngx_uint_t) quarantine->claimed);
    pos_write_bytes(w, pos_str("# TYPE pos_script_quarantined gauge\n"));

    for (i = 0; i < POS_QUARANTINE_MAX; i++) {
        culprit = pos_quarantine_at(quarantine, i);
        if (culprit == NULL) {
            continue;
        }
        (void) ngx_hex_dump(hex, (u_char *) culprit->source, POS_SHA256_SIZE);
        ngx_pos_metrics_printf(ctx, w, "pos_script_quarantined{promotion=\"%*s\",source=\"%*s\"} 1\n",
            (size_t) culprit->len, culprit->promotion, sizeof(hex), hex);
    }
}

void
ngx_pos_metrics_handler(ngx_pos_ctx_t *ctx)
{
    uint32_t                  i;
    ngx_str_t                 name, none = ngx_string("none");
    pos_writer_t              w;
    ngx_pos_health_t          health;
    ngx_pos_metrics_t        *metrics = ngx_pos_metrics();
    const ngx_pos_contract_t *contract = ngx_pos_worker.conf->contract;

    ngx_pos_health_read(ctx, &health);
    pos_writer_init(&w, ctx->arena, 64 * 1024, 16 * 1024 * 1024);

    ngx_pos_metrics_printf(ctx, &w, "# TYPE pos_ready gauge\npos_ready %d\n", (int) health.ready);
    if (health.known) {
        ngx_pos_metrics_printf(ctx, &w, "# TYPE pos_replica_lag_milliseconds gauge\npos_replica_lag_milliseconds %L\n",
            health.clock.stale / 1000);
    }

    pos_write_bytes(&w, pos_str("# TYPE pos_requests_total counter\n# TYPE pos_request_seconds histogram\n"));
    for (i = 0; i < metrics->operation_count; i++) {
        name = ngx_pos_ngx_str(contract->operations[i]->id);
        ngx_pos_metrics_operation(ctx, &w, &name, &metrics->operations[i]);
    }
    ngx_pos_metrics_operation(ctx, &w, &none, &metrics->operations[i]);
    ngx_pos_metrics_workers(ctx, &w);
    ngx_pos_metrics_watchdog(ctx, &w);

    if (w.status != POS_OK) {
        ngx_pos_request_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_pos_answer(ctx, NGX_HTTP_OK, pos_str("text/plain; version=0.0.4"), pos_writer_result(&w));
}
