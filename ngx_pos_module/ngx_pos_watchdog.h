/*
 * The second fence behind the script sandbox. A timer of the worker's own
 * processor time looks a few times a second whether one call of a script goes
 * on and on. One that has used pos_script_cpu_time is noted by its source in
 * memory that posd shares, and the worker ends; the next one, all others and posd
 * keep that source out at once, and posd has its promotion suspended. Nothing is
 * done in a quote but to look at one counter.
 */

#ifndef NGX_POS_WATCHDOG_H
#define NGX_POS_WATCHDOG_H

#include "ngx_pos.h"

#include "engine/script.h"

ngx_int_t ngx_pos_watchdog_zone(ngx_conf_t *cf, ngx_pos_main_conf_t *conf);

/* In a worker: watches the VM, and has it keep out what is in quarantine. */
ngx_int_t ngx_pos_watchdog_start(ngx_cycle_t *cycle, pos_script_vm_t *vm);
/* From now on by the quarantine in the replica's folder, which posd shares. Where
 * that cannot be, by the one before, and the log says so. */
void ngx_pos_watchdog_share(ngx_str_t *dir);
void ngx_pos_watchdog_stop(void);

/* What it caught so far. Outlives reloads, since the sources are as bad after one. */
const pos_quarantine_t *ngx_pos_watchdog_quarantine(void);

#endif
