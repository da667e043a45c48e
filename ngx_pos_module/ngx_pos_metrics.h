/*
 * Counters in shared memory, written by every worker without a lock, read by
 * /metrics of any. The zone's name carries the contract's digest, so a reload
 * with the same operations goes on counting and another one starts anew.
 */

#ifndef NGX_POS_METRICS_H
#define NGX_POS_METRICS_H

#include "ngx_pos.h"
#include "ngx_pos_generation.h"

#define NGX_POS_METRICS_SLOTS    128  /* workers at once, those that leave included */
#define NGX_POS_METRICS_BUCKETS  14
#define NGX_POS_METRICS_CLASSES  6    /* 0: no answer, 1xx to 5xx */

typedef struct {
    ngx_atomic_t classes[NGX_POS_METRICS_CLASSES];
    ngx_atomic_t buckets[NGX_POS_METRICS_BUCKETS + 1];   /* the last: beyond */
    ngx_atomic_t sum_us;
} ngx_pos_metrics_op_t;

/* What one worker says of itself; only it writes. Its place is its own as long as it
 * lives: while nginx reloads, the old one with its number has another. Counters stay
 * when it goes, and the next with that number counts on. */
typedef struct {
    ngx_atomic_t pid;                /* who has it; 0: nobody                 */
    ngx_uint_t worker;               /* its number                            */
    ngx_uint_t begun;                /* who came later has the larger one; 0: never used */
    ngx_uint_t whole;                /* its generation has every retailer     */
    ngx_uint_t pg_live, pg_busy, pg_waiting;
    uint64_t   pg_lost, pg_retries, pg_overloads, pg_timeouts, pg_connect_failures;
    uint64_t   missing_functions;    /* operations the database did not know  */
    time_t     missing_at;           /* the last of them                      */
    uint64_t   generations, books_compiled, books_followed, books_failed, reports;
    uint64_t   revisions;            /* of its book, all retailers' together  */
    uint64_t   slice_max_us, slice_cpu_max_us, slices_cpu_us;
    uint64_t   quotes, quote_lines, script_errors, compare_differs, not_optimal;
} ngx_pos_metrics_worker_t;

struct ngx_pos_metrics_s {
    uint32_t                 operation_count;
    ngx_atomic_t             begun;          /* workers so far               */
    ngx_pos_metrics_worker_t slots[NGX_POS_METRICS_SLOTS];
    ngx_pos_metrics_op_t     operations[];   /* one more: no operation found */
};

ngx_int_t ngx_pos_metrics_zone(ngx_conf_t *cf, ngx_pos_main_conf_t *conf);
/* A request ends: counted by operation, status and time. */
void ngx_pos_metrics_request(ngx_pos_ctx_t *ctx);
/* What this worker's generation says of itself, whenever it may have changed. */
void ngx_pos_metrics_generation(const ngx_pos_generation_stats_t *stats);
/* A worker takes its place, before all else, and leaves it. */
void ngx_pos_metrics_enter(void);
void ngx_pos_metrics_leave(void);
/* This worker's own; never NULL. */
ngx_pos_metrics_worker_t *ngx_pos_metrics_mine(void);
/* Of those with this number the one that serves; NULL: there is none. */
ngx_pos_metrics_worker_t *ngx_pos_metrics_serving(ngx_uint_t worker);
/* How many workers serve. */
ngx_uint_t ngx_pos_metrics_workers(void);
ngx_pos_metrics_t *ngx_pos_metrics(void);
extern const uint32_t ngx_pos_metrics_bounds_us[NGX_POS_METRICS_BUCKETS];
uint64_t ngx_pos_metrics_now_us(void);

#endif
