/* The counters' zone. */

#include "ngx_pos_contract.h"
#include "ngx_pos_generation.h"
#include "ngx_pos_metrics.h"

const uint32_t ngx_pos_metrics_bounds_us[NGX_POS_METRICS_BUCKETS] = { 25, 50, 100, 250, 500, 1000, 2500, 5000,
    10000, 25000, 100000, 500000, 1000000, 5000000 };

/* Without a place, what is counted is lost: nobody reads it here. */
static ngx_pos_metrics_worker_t  ngx_pos_metrics_none;
static ngx_pos_metrics_worker_t *ngx_pos_metrics_own = &ngx_pos_metrics_none;

uint64_t
ngx_pos_metrics_now_us(void)
{
    struct timespec ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static size_t
ngx_pos_metrics_size(const ngx_pos_contract_t *contract)
{
    return sizeof(ngx_pos_metrics_t) + (contract->operation_count + 1) * sizeof(ngx_pos_metrics_op_t);
}

static ngx_int_t
ngx_pos_metrics_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t     *slab = (ngx_slab_pool_t *) zone->shm.addr;
    ngx_pos_metrics_t   *metrics;
    ngx_pos_main_conf_t *conf = zone->data;

    if (data != NULL) {
        zone->data = data;
        return NGX_OK;
    }

    if (zone->shm.exists) {
        zone->data = slab->data;
        return NGX_OK;
    }

    metrics = ngx_slab_calloc(slab, ngx_pos_metrics_size(conf->contract));
    if (metrics == NULL) {
        return NGX_ERROR;
    }

    metrics->operation_count = conf->contract->operation_count;
    slab->data = metrics;
    zone->data = metrics;

    return NGX_OK;
}

ngx_int_t
ngx_pos_metrics_zone(ngx_conf_t *cf, ngx_pos_main_conf_t *conf)
{
    size_t    size;
    ngx_str_t name;

    name.data = ngx_pnalloc(cf->pool, sizeof("ngx_pos_0123456789abcdef"));
    if (name.data == NULL) {
        return NGX_ERROR;
    }
    name.len = ngx_sprintf(name.data, "ngx_pos_%016xL", conf->contract->digest) - name.data;

    size = 8 * ngx_pagesize + 2 * ngx_pos_metrics_size(conf->contract);
    size = ngx_align(size, ngx_pagesize);

    conf->zone = ngx_shared_memory_add(cf, &name, size, &ngx_http_pos_module);
    if (conf->zone == NULL) {
        return NGX_ERROR;
    }

    conf->zone->init = ngx_pos_metrics_init_zone;
    conf->zone->data = conf;

    return NGX_OK;
}

ngx_pos_metrics_t *
ngx_pos_metrics(void)
{
    return ngx_pos_worker.conf->zone->data;
}

/* Only that of a worker with the same number is taken over, and of those that were
 * killed too: they could not leave it. */
static bool
ngx_pos_metrics_take(ngx_pos_metrics_worker_t *slot, bool fresh)
{
    ngx_atomic_uint_t pid = slot->pid;

    if (fresh ? slot->begun != 0 || pid != 0 : slot->begun == 0 || slot->worker != ngx_worker) {
        return false;
    }

    if (pid != 0 && (kill((pid_t) pid, 0) == 0 || ngx_errno != NGX_ESRCH)) {
        return false;
    }

    return ngx_atomic_cmp_set(&slot->pid, pid, (ngx_atomic_uint_t) ngx_pid);
}

/* What is so now; counters count on. */
static void
ngx_pos_metrics_clear(ngx_pos_metrics_worker_t *slot)
{
    slot->whole = 0;
    slot->pg_live = 0;
    slot->pg_busy = 0;
    slot->pg_waiting = 0;
    slot->missing_at = 0;
    slot->generations = 0;
    slot->books_compiled = 0;
    slot->books_followed = 0;
    slot->books_failed = 0;
    slot->reports = 0;
    slot->revisions = 0;
    slot->slice_max_us = 0;
    slot->slice_cpu_max_us = slot->slices_cpu_us = 0;
}

void
ngx_pos_metrics_enter(void)
{
    ngx_uint_t                i;
    ngx_pos_metrics_t        *metrics = ngx_pos_metrics();
    ngx_pos_metrics_worker_t *slot;

    for (i = 0; i < 2 * NGX_POS_METRICS_SLOTS; i++) {
        slot = &metrics->slots[i % NGX_POS_METRICS_SLOTS];
        if (ngx_pos_metrics_take(slot, i >= NGX_POS_METRICS_SLOTS)) {
            ngx_pos_metrics_clear(slot);
            slot->worker = ngx_worker;
            slot->begun = ngx_atomic_fetch_add(&metrics->begun, 1) + 1;
            ngx_pos_metrics_own = slot;
            return;
        }
    }

    ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "pos: more than %d workers: /metrics leaves this one out",
                  NGX_POS_METRICS_SLOTS);
}

void
ngx_pos_metrics_leave(void)
{
    ngx_pos_metrics_clear(ngx_pos_metrics_own);
    ngx_pos_metrics_own->pid = 0;
    ngx_pos_metrics_own = &ngx_pos_metrics_none;
}

ngx_pos_metrics_worker_t *
ngx_pos_metrics_mine(void)
{
    return ngx_pos_metrics_own;
}

ngx_pos_metrics_worker_t *
ngx_pos_metrics_serving(ngx_uint_t worker)
{
    ngx_uint_t                i;
    ngx_pos_metrics_worker_t *slot, *found = NULL;

    for (i = 0; i < NGX_POS_METRICS_SLOTS; i++) {
        slot = &ngx_pos_metrics()->slots[i];
        if (slot->pid != 0 && slot->worker == worker && (found == NULL || slot->begun > found->begun)) {
            found = slot;
        }
    }

    return found;
}

ngx_uint_t
ngx_pos_metrics_workers(void)
{
    ngx_core_conf_t *core = (ngx_core_conf_t *) ngx_get_conf(ngx_pos_worker.cycle->conf_ctx, ngx_core_module);

    return (ngx_uint_t) core->worker_processes;
}

/* Every worker writes its own, so that /metrics of any tells of all. */
void
ngx_pos_metrics_generation(const ngx_pos_generation_stats_t *stats)
{
    ngx_pos_metrics_worker_t *mine = ngx_pos_metrics_mine();

    mine->generations = stats->swaps;
    mine->books_compiled = stats->compiled;
    mine->books_followed = stats->followed;
    mine->books_failed = stats->failed;
    mine->reports = stats->reports;
    mine->revisions = stats->revisions;
    mine->slice_max_us = stats->slice_max;
    mine->slice_cpu_max_us = stats->slice_cpu_max;
    mine->slices_cpu_us = stats->slices_cpu;
}

void
ngx_pos_metrics_request(ngx_pos_ctx_t *ctx)
{
    uint64_t              us;
    ngx_uint_t            i, class;
    ngx_pos_metrics_t    *metrics;
    ngx_pos_metrics_op_t *op;

    if (!ngx_pos_worker.ready) {
        return;
    }

    metrics = ngx_pos_metrics();
    op = &metrics->operations[ctx->op ? ctx->op->index : metrics->operation_count];

    us = ngx_pos_metrics_now_us() - ctx->started;
    for (i = 0; i < NGX_POS_METRICS_BUCKETS && us > ngx_pos_metrics_bounds_us[i]; i++) {
        /* void */
    }

    class = ctx->answered ? ctx->request->headers_out.status / 100 : 0;
    if (class >= NGX_POS_METRICS_CLASSES) {
        class = 0;
    }

    (void) ngx_atomic_fetch_add(&op->classes[class], 1);
    (void) ngx_atomic_fetch_add(&op->buckets[i], 1);
    (void) ngx_atomic_fetch_add(&op->sum_us, us);
}
