/* The counters' zone. */

#include "ngx_pos_contract.h"
#include "ngx_pos_generation.h"
#include "ngx_pos_metrics.h"

const uint32_t ngx_pos_metrics_bounds_us[NGX_POS_METRICS_BUCKETS] = { 25, 50, 100, 250, 500, 1000, 2500, 5000,
    10000, 25000, 100000, 500000, 1000000, 5000000 };

static ngx_pos_metrics_worker_t ngx_pos_metrics_none;

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

ngx_pos_metrics_worker_t *
ngx_pos_metrics_mine(void)
{
    ngx_pos_metrics_t *metrics;

    if (ngx_pos_worker.conf == NULL || ngx_worker >= NGX_POS_METRICS_WORKERS) {
        return &ngx_pos_metrics_none;
    }

    metrics = ngx_pos_metrics();
    metrics->workers[ngx_worker].pid = ngx_pid;

    return &metrics->workers[ngx_worker];
}

/* Every worker writes its own, so that /metrics of any tells of all. */
void
ngx_pos_metrics_generation(const ngx_pos_generation_stats_t *stats)
{
    ngx_pos_metrics_worker_t *mine = ngx_pos_metrics_mine();

    mine->generations = stats->swaps;
    mine->books_compiled = stats->compiled;
    mine->books_failed = stats->failed;
    mine->reports = stats->reports;
    mine->revisions = stats->revisions;
    mine->slice_max_us = stats->slice_max;
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
