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
#include "replica/quarantine_file.h"

#include <ngx_event.h>

#define NGX_POS_WATCH_PERIODS  2
#define NGX_POS_WATCH_LEAST    20    /* ms; the kernel counts by up to 10 */

typedef struct {
    pos_script_vm_t          *vm;
    pos_quarantine_t         *quarantine;
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
        data = slab->data = ngx_slab_calloc(slab, sizeof(pos_quarantine_t));
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

    size = ngx_align(8 * ngx_pagesize + 2 * sizeof(pos_quarantine_t), ngx_pagesize);

    conf->quarantine = ngx_shared_memory_add(cf, &name, size, &ngx_http_pos_module);
    if (conf->quarantine == NULL) {
        return NGX_ERROR;
    }

    conf->quarantine->init = ngx_pos_watchdog_init_zone;

    return NGX_OK;
}


/* ---- in the handler ---- */

/* Logs as nginx's own handlers do: into a buffer on the stack, then write(). */

static void
ngx_pos_watchdog_tick(int signo)
{
    u_char                hex[2 * POS_SHA256_SIZE];
    const pos_culprit_t  *culprit;

    if (!pos_script_watch(&watchdog.watch, watchdog.vm, NGX_POS_WATCH_PERIODS)) {
        return;
    }

    culprit = pos_quarantine_add(watchdog.quarantine, pos_script_running_source(watchdog.vm),
                                 pos_script_running(watchdog.vm));
    (void) ngx_hex_dump(hex, (u_char *) culprit->source, POS_SHA256_SIZE);

    ngx_time_sigsafe_update();
    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                  "pos: the script of promotion \"%*s\" has used %M ms of processor time in one call: "
                  "its source (SHA-256 %*s) is quarantined and this worker ends",
                  (size_t) culprit->len, culprit->promotion, watchdog.limit, sizeof(hex), hex);

    abort();
}


/* ---- the worker ---- */

ngx_int_t
ngx_pos_watchdog_start(ngx_cycle_t *cycle, pos_script_vm_t *vm)
{
    ngx_pos_main_conf_t  *conf = ngx_pos_worker.conf;

    ngx_memzero(&watchdog, sizeof(watchdog));
    watchdog.vm = vm;
    watchdog.limit = conf->script_cpu_time;
    watchdog.quarantine = conf->quarantine->data;

    pos_script_vm_quarantine(vm, watchdog.quarantine);

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
ngx_pos_watchdog_share(ngx_str_t *dir)
{
    pos_quarantine_t  *shared;

    if (pos_quarantine_open((char *) dir->data, &shared) != POS_OK) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, ngx_errno,
                      "pos: the quarantine in \"%V\" cannot be used: a script that runs away is known "
                      "to this nginx only, and its promotion is not suspended", dir);
        return;
    }

    watchdog.quarantine = shared;
    pos_script_vm_quarantine(watchdog.vm, shared);
}


void
ngx_pos_watchdog_stop(void)
{
    if (watchdog.ticking) {
        watchdog.ticking = 0;
        pos_cpu_timer_stop(watchdog.timer);
    }

    watchdog.vm = NULL;    /* a tick may be on its way still */
}


const pos_quarantine_t *
ngx_pos_watchdog_quarantine(void)
{
    return watchdog.quarantine;
}
