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

#define NGX_POS_QUARANTINE  64    /* the last so many sources are kept out */
#define NGX_POS_CULPRIT     64    /* bytes of a promotion's id             */

/* Written by a signal handler: claimed by an atomic add, since no lock may be
 * taken there; `whole` comes last. */
typedef struct {
    ngx_atomic_t  whole;
    u_char        source[POS_SHA256_SIZE];
    u_char        promotion[NGX_POS_CULPRIT];
    size_t        len;
} ngx_pos_culprit_t;

/* Outlives reloads, since the sources are as bad after one. */
typedef struct {
    ngx_atomic_t       claimed;   /* workers ended so far                  */
    ngx_atomic_t       changes;   /* grows once an entry is whole          */
    ngx_pos_culprit_t  ring[NGX_POS_QUARANTINE];
} ngx_pos_quarantine_t;

ngx_int_t ngx_pos_watchdog_zone(ngx_conf_t *cf, ngx_pos_main_conf_t *conf);

/* In a worker: watches the VM, and has it keep out what is in quarantine. */
ngx_int_t ngx_pos_watchdog_start(ngx_cycle_t *cycle, pos_script_vm_t *vm);
void ngx_pos_watchdog_stop(void);

/* For /metrics; NULL: that entry is empty, or its source came before. */
const ngx_pos_culprit_t *ngx_pos_watchdog_culprit(ngx_uint_t i);
ngx_uint_t ngx_pos_watchdog_ended(void);

#endif
