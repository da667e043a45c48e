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
    ngx_uint_t                i;
    pos_replica_t            *replica;
    ngx_pos_metrics_worker_t *worker;

    ngx_memzero(health, sizeof(*health));
    health->ready = ctx->generation != NULL && ctx->generation->whole;
    health->database = ngx_pos_worker.pg != NULL && ngx_pos_pg_up(ngx_pos_worker.pg);

    replica = ngx_pos_worker.conf->replica.len ? ngx_pos_generation_replica() : NULL;
    health->known = replica != NULL && pos_replica_clock(replica, &health->clock) == POS_OK;

    for (i = 0; i < ngx_pos_metrics_workers(); i++) {
        worker = ngx_pos_metrics_serving(i);
        if (worker == NULL) {
            continue;
        }
        health->missing += worker->missing_at + NGX_POS_HEALTH_MISSING > ngx_time();
        /* who asks cannot choose the worker that serves the next request */
        health->ready = health->ready && worker->whole;
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
ngx_pos_metrics_printf(pos_writer_t *w, const char *fmt, ...)
{
    u_char  buf[512], *last;
    va_list args;

    va_start(args, fmt);
    last = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args);
    va_end(args);

    pos_write_bytes(w, pos_str_of((char *) buf, last - buf));
}

/* What stands before a metric's lines, which must all follow it at once. */
static void
ngx_pos_metrics_about(pos_writer_t *w, const char *name, const char *kind, const char *help)
{
    ngx_pos_metrics_printf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void
ngx_pos_metrics_statuses(pos_writer_t *w, ngx_str_t *name, const ngx_pos_metrics_op_t *op)
{
    ngx_uint_t i;

    for (i = 1; i < NGX_POS_METRICS_CLASSES; i++) {
        if (op->classes[i] > 0) {
            ngx_pos_metrics_printf(w, "pos_requests_total{operation=\"%V\",status=\"%uixx\"} %uA\n", name, i,
                op->classes[i]);
        }
    }
    if (op->classes[0] > 0) {
        ngx_pos_metrics_printf(w, "pos_requests_total{operation=\"%V\",status=\"none\"} %uA\n", name,
            op->classes[0]);
    }
}

static void
ngx_pos_metrics_seconds(pos_writer_t *w, ngx_str_t *name, const ngx_pos_metrics_op_t *op)
{
    uint64_t   total = 0;
    ngx_uint_t i;

    for (i = 0; i <= NGX_POS_METRICS_BUCKETS; i++) {
        total += op->buckets[i];
    }
    if (total == 0) {
        return;
    }

    total = 0;
    for (i = 0; i < NGX_POS_METRICS_BUCKETS; i++) {
        total += op->buckets[i];
        ngx_pos_metrics_printf(w, "pos_request_seconds_bucket{operation=\"%V\",le=\"%uD.%06uD\"} %uL\n", name,
            ngx_pos_metrics_bounds_us[i] / 1000000, ngx_pos_metrics_bounds_us[i] % 1000000, total);
    }
    total += op->buckets[i];
    ngx_pos_metrics_printf(w, "pos_request_seconds_bucket{operation=\"%V\",le=\"+Inf\"} %uL\n", name, total);
    ngx_pos_metrics_printf(w, "pos_request_seconds_sum{operation=\"%V\"} %uL.%06uL\n", name,
        (uint64_t) op->sum_us / 1000000, (uint64_t) op->sum_us % 1000000);
    ngx_pos_metrics_printf(w, "pos_request_seconds_count{operation=\"%V\"} %uL\n", name, total);
}

typedef void (*ngx_pos_metrics_write_pt)(pos_writer_t *w, ngx_str_t *name, const ngx_pos_metrics_op_t *op);

/* Of every operation of the contract, and of what was none of them. */
static void
ngx_pos_metrics_operations(pos_writer_t *w, ngx_pos_metrics_write_pt write)
{
    uint32_t                  i;
    ngx_str_t                 name, none = ngx_string("none");
    ngx_pos_metrics_t        *metrics = ngx_pos_metrics();
    const ngx_pos_contract_t *contract = ngx_pos_worker.conf->contract;

    for (i = 0; i < metrics->operation_count; i++) {
        name = ngx_pos_ngx_str(contract->operations[i]->id);
        write(w, &name, &metrics->operations[i]);
    }
    write(w, &none, &metrics->operations[i]);
}

#define NGX_POS_OF(field)  offsetof(ngx_pos_metrics_worker_t, field)

/* COUNTED: by all who had this number. HELD: of those who still have it, so that what
 * the old ones hold while nginx reloads is seen. NOW: of the one that serves. */
typedef enum {
    NGX_POS_COUNTED,
    NGX_POS_HELD,
    NGX_POS_NOW
} ngx_pos_metrics_sum_e;

static const struct {
    const char            *name;
    size_t                 offset;
    ngx_pos_metrics_sum_e  sum;
    const char            *kind;
    const char            *help;
} ngx_pos_worker_metrics[] = {
    { "pos_database_connections", NGX_POS_OF(pg_live), NGX_POS_HELD, "gauge", "Connections to the database that work." },
    { "pos_database_busy", NGX_POS_OF(pg_busy), NGX_POS_HELD, "gauge", "Of these, those with a call under way." },
    { "pos_database_waiting", NGX_POS_OF(pg_waiting), NGX_POS_HELD, "gauge", "Calls that wait for a connection." },
    { "pos_database_lost_total", NGX_POS_OF(pg_lost), NGX_POS_COUNTED, "counter", "Connections that ended by themselves." },
    { "pos_database_retries_total", NGX_POS_OF(pg_retries), NGX_POS_COUNTED, "counter",
      "Calls tried again after a conflict, a busy twin or a lost connection." },
    { "pos_database_overloads_total", NGX_POS_OF(pg_overloads), NGX_POS_COUNTED, "counter",
      "Calls refused because all connections were taken." },
    { "pos_database_timeouts_total", NGX_POS_OF(pg_timeouts), NGX_POS_COUNTED, "counter", "Calls that got no answer in time." },
    { "pos_database_connect_failures_total", NGX_POS_OF(pg_connect_failures), NGX_POS_COUNTED, "counter",
      "Attempts to connect that failed." },
    { "pos_missing_functions_total", NGX_POS_OF(missing_functions), NGX_POS_COUNTED, "counter",
      "Calls of a function that the database lacks." },
    { "pos_generations_total", NGX_POS_OF(generations), NGX_POS_NOW, "counter",
      "Generations of the book put in service since the worker began." },
    { "pos_books_compiled_total", NGX_POS_OF(books_compiled), NGX_POS_NOW, "counter",
      "Retailers' books compiled since the worker began." },
    { "pos_books_followed_total", NGX_POS_OF(books_followed), NGX_POS_NOW, "counter",
      "Of these, made from the book before and the promotions that changed since." },
    { "pos_books_failed_total", NGX_POS_OF(books_failed), NGX_POS_NOW, "counter",
      "Retailers' books that could not be compiled." },
    { "pos_book_rows_left_out", NGX_POS_OF(reports), NGX_POS_NOW, "gauge", "Rows at fault that the books in service leave out." },
    { "pos_book_revisions", NGX_POS_OF(revisions), NGX_POS_NOW, "gauge",
      "The revisions of all books in service, added up; the same in every worker that has followed." },
    { "pos_prepare_slice_max_microseconds", NGX_POS_OF(slice_max_us), NGX_POS_NOW, "gauge",
      "The longest slice in which a book was prepared or let go, by the clock." },
    { "pos_prepare_cpu_microseconds_total", NGX_POS_OF(slices_cpu_us), NGX_POS_NOW, "counter",
      "Processor time of all such slices." },
    { "pos_prepare_slice_cpu_max_microseconds", NGX_POS_OF(slice_cpu_max_us), NGX_POS_NOW, "gauge",
      "The longest of them by the processor time that the worker had in it." },
    { "pos_quotes_total", NGX_POS_OF(quotes), NGX_POS_COUNTED, "counter", "Carts priced." },
    { "pos_quote_lines_total", NGX_POS_OF(quote_lines), NGX_POS_COUNTED, "counter", "Lines of the carts priced." },
    { "pos_quote_script_errors_total", NGX_POS_OF(script_errors), NGX_POS_COUNTED, "counter",
      "Promotions' scripts that failed in a quote." },
    { "pos_quote_compare_differs_total", NGX_POS_OF(compare_differs), NGX_POS_COUNTED, "counter",
      "Quotes that differ from the total sent to compare." },
    { "pos_quote_not_optimal_total", NGX_POS_OF(not_optimal), NGX_POS_COUNTED, "counter",
      "Quotes whose deals are not proved the best." },
    { NULL, 0, NGX_POS_COUNTED, NULL, NULL }
};

static uint64_t
ngx_pos_metrics_field(const ngx_pos_metrics_worker_t *slot, size_t offset)
{
    uint64_t value;

    ngx_memcpy(&value, (const u_char *) slot + offset, sizeof(value));

    return value;
}

static uint64_t
ngx_pos_metrics_sum(ngx_uint_t worker, size_t offset, ngx_pos_metrics_sum_e sum)
{
    uint64_t                  total = 0;
    ngx_uint_t                i;
    ngx_pos_metrics_worker_t *slot;

    for (i = 0; i < NGX_POS_METRICS_SLOTS; i++) {
        slot = &ngx_pos_metrics()->slots[i];
        if (slot->begun != 0 && slot->worker == worker && (sum == NGX_POS_COUNTED || slot->pid != 0)) {
            total += ngx_pos_metrics_field(slot, offset);
        }
    }

    return total;
}

static void
ngx_pos_metrics_each_worker(pos_writer_t *w)
{
    uint64_t                  value;
    ngx_uint_t                i, m;
    ngx_pos_metrics_worker_t *serving;

    for (m = 0; ngx_pos_worker_metrics[m].name != NULL; m++) {
        ngx_pos_metrics_about(w, ngx_pos_worker_metrics[m].name, ngx_pos_worker_metrics[m].kind,
            ngx_pos_worker_metrics[m].help);

        for (i = 0; i < ngx_pos_metrics_workers(); i++) {
            serving = ngx_pos_metrics_serving(i);
            if (serving == NULL) {
                continue;
            }
            value = ngx_pos_worker_metrics[m].sum == NGX_POS_NOW
                ? ngx_pos_metrics_field(serving, ngx_pos_worker_metrics[m].offset)
                : ngx_pos_metrics_sum(i, ngx_pos_worker_metrics[m].offset, ngx_pos_worker_metrics[m].sum);
            ngx_pos_metrics_printf(w, "%s{worker=\"%ui\"} %uL\n", ngx_pos_worker_metrics[m].name, i, value);
        }
    }
}

/* What the second fence behind the script sandbox caught. */
static void
ngx_pos_metrics_watchdog(pos_writer_t *w)
{
    u_char                   hex[2 * POS_SHA256_SIZE];
    ngx_uint_t               i;
    const pos_culprit_t     *culprit;
    const pos_quarantine_t  *quarantine = ngx_pos_watchdog_quarantine();

    ngx_pos_metrics_about(w, "pos_script_watchdog_total", "counter",
        "Processes ended because a script ran on behind the sandbox's limits.");
    ngx_pos_metrics_printf(w, "pos_script_watchdog_total %ui\n", (ngx_uint_t) quarantine->claimed);
    ngx_pos_metrics_about(w, "pos_script_quarantined", "gauge",
        "1 for each script, by the SHA-256 of its source, that is kept out for it.");

    for (i = 0; i < POS_QUARANTINE_MAX; i++) {
        culprit = pos_quarantine_at(quarantine, i);
        if (culprit == NULL) {
            continue;
        }
        (void) ngx_hex_dump(hex, (u_char *) culprit->source, POS_SHA256_SIZE);
        ngx_pos_metrics_printf(w, "pos_script_quarantined{promotion=\"%*s\",source=\"%*s\"} 1\n",
            (size_t) culprit->len, culprit->promotion, sizeof(hex), hex);
    }
}

static void
ngx_pos_metrics_node(pos_writer_t *w, const ngx_pos_health_t *health)
{
    ngx_pos_metrics_about(w, "pos_ready", "gauge", "1 when every worker can quote for every retailer.");
    ngx_pos_metrics_printf(w, "pos_ready %d\n", (int) health->ready);

    ngx_pos_metrics_about(w, "pos_replica_lag_milliseconds", "gauge",
        "How long ago the replica was last known to hold what the database holds; missing without a replica.");
    if (health->known) {
        ngx_pos_metrics_printf(w, "pos_replica_lag_milliseconds %L\n", health->clock.stale / 1000);
    }
}

void
ngx_pos_metrics_handler(ngx_pos_ctx_t *ctx)
{
    pos_writer_t     w;
    ngx_pos_health_t health;

    ngx_pos_health_read(ctx, &health);
    pos_writer_init(&w, ctx->arena, 64 * 1024, 16 * 1024 * 1024);

    ngx_pos_metrics_node(&w, &health);
    ngx_pos_metrics_about(&w, "pos_requests_total", "counter", "Requests by operation and class of status.");
    ngx_pos_metrics_operations(&w, ngx_pos_metrics_statuses);
    ngx_pos_metrics_about(&w, "pos_request_seconds", "histogram", "From a request's arrival to its end, the delivery of its answer included.");
    ngx_pos_metrics_operations(&w, ngx_pos_metrics_seconds);
    ngx_pos_metrics_each_worker(&w);
    ngx_pos_metrics_watchdog(&w);

    if (w.status != POS_OK) {
        ngx_pos_request_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_pos_answer(ctx, NGX_HTTP_OK, pos_str("text/plain; version=0.0.4"), pos_writer_result(&w));
}
