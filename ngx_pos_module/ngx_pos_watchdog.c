/*
 * The shape of it: a call that is found running by three ticks in a row, half of
 * pos_script_cpu_time apart, has used all of that time. The thread is then
 * somewhere in C, in the middle of anything, so the worker can only end. It
 * aborts: the master starts another after a signal (after an exit with code 2
 * it would not), and a core, where they are kept, shows the way through the
 * first fence. What was asked of this worker meanwhile gets no answer and may be
 * asked again.
 */

#include "ngx_pos_watchdog.h"

#include "base/cpu_timer.h"

#include <ngx_event.h>

#define NGX_POS_WATCH_PERIODS  2
#define NGX_POS_WATCH_LEAST    20    /* ms; the kernel counts by up to 10 */

typedef struct {
    pos_script_vm_t          *vm;
    ngx_pos_quarantine_t     *quarantine;
    pos_script_quarantine_t   view;        /* what the VM asks               */
    pos_script_watch_t        watch;
    timer_t                   timer;
    ngx_msec_t                limit;
    unsigned                  ticking:1;
} ngx_pos_watchdog_t;

static ngx_pos_watchdog_t  watchdog;


static ngx_int_t
ngx_pos_watchdog_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *slab = (ngx_slab_pool_t *) zone->shm.addr;

    if (data == NULL && !zone->shm.exists) {
        data = slab->data = ngx_slab_calloc(slab, sizeof(ngx_pos_quarantine_t));
    }

    zone->data = data != NULL ? data : slab->data;

    return zone->data != NULL ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_pos_watchdog_zone(ngx_conf_t *cf, ngx_pos_main_conf_t *conf)
{
    size_t     size;
    ngx_str_t  name = ngx_string("ngx_pos_quarantine");

    if (conf->script_cpu_time != 0 && conf->script_cpu_time < NGX_POS_WATCH_LEAST) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"pos_script_cpu_time\" is neither 0 (off) nor at least %dms", NGX_POS_WATCH_LEAST);
        return NGX_ERROR;
    }

    size = ngx_align(8 * ngx_pagesize + 2 * sizeof(ngx_pos_quarantine_t), ngx_pagesize);

    conf->quarantine = ngx_shared_memory_add(cf, &name, size, &ngx_http_pos_module);
    if (conf->quarantine == NULL) {
        return NGX_ERROR;
    }

    conf->quarantine->init = ngx_pos_watchdog_init_zone;

    return NGX_OK;
}


/* ---- in the handler ---- */

static size_t
ngx_pos_watchdog_name(u_char *out, pos_str_t name)
{
    size_t  i;

    /* it goes into a log line and a label */

    for (i = 0; i < name.len && i < NGX_POS_CULPRIT; i++) {
        out[i] = name.data[i];

        if (out[i] < 0x20 || out[i] >= 0x7f || out[i] == '"' || out[i] == '\\') {
            out[i] = '?';
        }
    }

    return i;
}


static ngx_pos_culprit_t *
ngx_pos_watchdog_note(ngx_pos_quarantine_t *quarantine, const uint8_t *source, pos_str_t name)
{
    ngx_pos_culprit_t  *culprit;

    culprit = &quarantine->ring[ngx_atomic_fetch_add(&quarantine->claimed, 1) % NGX_POS_QUARANTINE];

    culprit->whole = 0;
    ngx_memory_barrier();

    ngx_memcpy(culprit->source, source, POS_SHA256_SIZE);
    culprit->len = ngx_pos_watchdog_name(culprit->promotion, name);

    ngx_memory_barrier();
    culprit->whole = 1;
    (void) ngx_atomic_fetch_add(&quarantine->changes, 1);

    return culprit;
}


/* Logs as nginx's own handlers do: into a buffer on the stack, then write(). */

static void
ngx_pos_watchdog_tick(int signo)
{
    u_char              hex[2 * POS_SHA256_SIZE];
    const uint8_t      *source;
    ngx_pos_culprit_t  *culprit;

    if (!pos_script_watch(&watchdog.watch, watchdog.vm, NGX_POS_WATCH_PERIODS)) {
        return;
    }

    source = pos_script_running_source(watchdog.vm);
    culprit = ngx_pos_watchdog_note(watchdog.quarantine, source, pos_script_running(watchdog.vm));
    (void) ngx_hex_dump(hex, culprit->source, POS_SHA256_SIZE);

    ngx_time_sigsafe_update();
    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                  "pos: the script of promotion \"%*s\" has used %M ms of processor time in one call: "
                  "its source (SHA-256 %*s) is quarantined and this worker ends",
                  culprit->len, culprit->promotion, watchdog.limit, sizeof(hex), hex);

    abort();
}


/* ---- the worker ---- */

static bool
ngx_pos_watchdog_holds(void *ctx, const uint8_t *source)
{
    ngx_uint_t             i;
    ngx_pos_quarantine_t  *quarantine = ctx;

    for (i = 0; i < NGX_POS_QUARANTINE; i++) {
        if (quarantine->ring[i].whole && ngx_memcmp(quarantine->ring[i].source, source, POS_SHA256_SIZE) == 0) {
            return true;
        }
    }

    return false;
}


ngx_int_t
ngx_pos_watchdog_start(ngx_cycle_t *cycle, pos_script_vm_t *vm)
{
    ngx_pos_main_conf_t  *conf = ngx_pos_worker.conf;

    ngx_memzero(&watchdog, sizeof(watchdog));
    watchdog.vm = vm;
    watchdog.limit = conf->script_cpu_time;
    watchdog.quarantine = conf->quarantine->data;
    watchdog.view.ctx = watchdog.quarantine;
    watchdog.view.changes = &watchdog.quarantine->changes;
    watchdog.view.holds = ngx_pos_watchdog_holds;

    pos_script_vm_quarantine(vm, &watchdog.view);

    if (watchdog.limit == 0) {
        return NGX_OK;
    }

    if (pos_cpu_timer_start(watchdog.limit * 1000 / NGX_POS_WATCH_PERIODS, ngx_pos_watchdog_tick,
                            &watchdog.timer) != POS_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno, "pos: no timer to watch the promotion scripts by");
        return NGX_ERROR;
    }

    watchdog.ticking = 1;

    return NGX_OK;
}


void
ngx_pos_watchdog_stop(void)
{
    if (watchdog.ticking) {
        watchdog.ticking = 0;
        pos_cpu_timer_stop(watchdog.timer);
    }
}


const ngx_pos_culprit_t *
ngx_pos_watchdog_culprit(ngx_uint_t i)
{
    ngx_uint_t                   k;
    const ngx_pos_culprit_t     *ring;
    const ngx_pos_quarantine_t  *quarantine = ngx_pos_worker.conf->quarantine->data;

    ring = quarantine->ring;

    if (i >= NGX_POS_QUARANTINE || !ring[i].whole) {
        return NULL;
    }

    /* two workers may have met it at once */

    for (k = 0; k < i; k++) {
        if (ring[k].whole && ngx_memcmp(ring[k].source, ring[i].source, POS_SHA256_SIZE) == 0) {
            return NULL;
        }
    }

    return &ring[i];
}


ngx_uint_t
ngx_pos_watchdog_ended(void)
{
    const ngx_pos_quarantine_t  *quarantine = ngx_pos_worker.conf->quarantine->data;

    return quarantine->claimed;
}
