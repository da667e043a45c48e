/*
 * The generation a worker serves by: one LMDB snapshot and every retailer's
 * book compiled from it. When the replica changes, the next one is prepared
 * beside it in slices, and swapped whole; a request keeps the one it began
 * with, and the last request to let go closes it.
 */

#ifndef NGX_POS_GENERATION_H
#define NGX_POS_GENERATION_H

#include <ngx_config.h>
#include <ngx_core.h>

#include "engine/book.h"
#include "engine/script.h"
#include "replica/replica.h"

/* "<rev>-<first 16 hex digits of the chain's hash>" */
#define NGX_POS_REVISION_MAX  (20 + 1 + 16)

/* One retailer in one generation. */
typedef struct {
    pos_head_t             head;
    pos_book_t            *book;     /* NULL: its book could not be built     */
    pos_snapshot_source_t  context;
    pos_book_source_t      source;
    pos_str_t              revision;
    u_char                 revision_text[NGX_POS_REVISION_MAX];
    ngx_pool_t            *pool;     /* its generation's                      */
    void                 **tallies;  /* ngx_pos_tally's, by promotion; NULL: none yet */
} ngx_pos_shop_t;

typedef struct ngx_pos_generation_s ngx_pos_generation_t;
struct ngx_pos_generation_s {
    ngx_uint_t       refs;
    ngx_uint_t       number;      /* counts up in this worker                 */
    pos_snapshot_t  *snapshot;
    ngx_array_t      shops;       /* ngx_pos_shop_t *, ascending by head.no   */
    ngx_pool_t      *pool;        /* lives as long as the generation          */
    void            *auth;        /* ngx_pos_auth's: keys already read        */
    ngx_pos_generation_t *next;   /* nobody's any more: let go in slices      */
    unsigned         whole:1;     /* what it lacks does not exist             */
};

typedef struct {
    ngx_uint_t  swaps;            /* generations put in service               */
    ngx_uint_t  alive;            /* not closed yet; more than 2 is unusual   */
    ngx_uint_t  compiled;         /* books built, not taken over              */
    ngx_uint_t  followed;         /* of them, from the one before and what
                                     changed of it                            */
    ngx_uint_t  failed;           /* books that could not be built            */
    ngx_uint_t  reports;          /* rows left out of the current books       */
    uint64_t    revisions;        /* the current books' revisions, added up   */
    ngx_msec_t  slice_max;        /* longest slice, µs …                      */
    ngx_msec_t  slice_cpu_max;    /* … and by processor time alone            */
    uint64_t    slices_cpu;       /* processor time of all slices, µs         */
    ngx_msec_t  prepare_last;     /* first slice to swap, ms                  */
} ngx_pos_generation_stats_t;

/* In a worker, after fork. `dir` is zero-terminated and outlives the worker.
 * A replica that is not there yet is looked for again by timer. */
ngx_int_t ngx_pos_generation_init_worker(ngx_cycle_t *cycle, ngx_str_t *dir);
void ngx_pos_generation_exit_worker(void);

/* The current one with a reference, or NULL while there is none. */
ngx_pos_generation_t *ngx_pos_generation_acquire(void);
void ngx_pos_generation_release(ngx_pos_generation_t *generation);

/* A retailer by its number in this generation's snapshot; NULL: none. */
ngx_pos_shop_t *ngx_pos_generation_shop(ngx_pos_generation_t *generation,
    uint32_t no);

/* The one script VM of this worker, and the replica (NULL: none yet). */
pos_script_vm_t *ngx_pos_generation_vm(void);
pos_replica_t *ngx_pos_generation_replica(void);

#endif
