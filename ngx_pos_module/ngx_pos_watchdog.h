/*
 * The second fence behind the script sandbox. A timer of the worker's own
 * processor time looks a few times a second whether one call of a script goes
 * on and on. One that has used pos_script_cpu_time is noted in shared memory by
 * its source, and the worker ends; the next one, and all others at once, keep
 * that source out. Nothing is done in a quote but to look at one counter.
 */

#ifndef NGX_POS_WATCHDOG_H
#define NGX_POS_WATCHDOG_H

#include "ngx_pos.h"

#include "engine/script.h"

ngx_int_t ngx_pos_watchdog_zone(ngx_conf_t *cf, ngx_pos_main_conf_t *conf);

/* In a worker: watches the VM, and has it keep out what is in quarantine. */
ngx_int_t ngx_pos_watchdog_start(ngx_cycle_t *cycle, pos_script_vm_t *vm);
void ngx_pos_watchdog_stop(void);

/* What it caught so far. Outlives reloads, since the sources are as bad after one. */
const pos_quarantine_t *ngx_pos_watchdog_quarantine(void);

#endif
