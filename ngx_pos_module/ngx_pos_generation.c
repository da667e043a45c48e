/*
 * Preparing and swapping generations.
 *
 * One cancelable timer drives everything, so that a worker told to leave does
 * not wait for it. It ticks every 10 ms, which bounds how late a publish is
 * seen; while a generation is being prepared it ticks as fast as the loop
 * allows, each tick a slice of at most 2 ms, with requests served in between.
 */

#include "ngx_pos_follow.h"
#include "ngx_pos_metrics.h"
#include "ngx_pos_slice.h"
#include "ngx_pos_watchdog.h"

#include <ngx_event.h>

#define NGX_POS_TICK        10     /* ms between looks at the replica         */
#define NGX_POS_TICK_FAST   1      /* ms between slices                       */
#define NGX_POS_FIRST_MAX   5000000 /* µs for the first generation at start   */
#define NGX_POS_TICK_OPEN   100    /* ms between attempts to open             */
#define NGX_POS_SLICE_US    1000   /* below 2 ms by what one more step may take,
                                      and what a busy machine takes from it   */
#define NGX_POS_SLICE_ROWS  20     /* rows between two looks at the clock     */

typedef struct {
    ngx_event_t                 timer;
    ngx_str_t                   dir;
    pos_replica_t              *replica;
    pos_script_vm_t            *vm;
    ngx_pos_generation_t       *current;
    ngx_pos_generation_t       *next;       /* being prepared                 */
    ngx_pos_generation_t       *left;       /* to let go of                   */
    pos_book_builder_t         *builder;    /* of next's last shop            */
    pos_arena_t                *changes;    /* that it follows; NULL: none    */
    uint32_t                    last_no;    /* heads up to here are in next   */
    uint64_t                    started_us;
    ngx_uint_t                  number;
    ngx_pos_generation_stats_t  stats;
    unsigned                    follows:1;  /* the builder does               */
    unsigned                    missing_logged:1;
} ngx_pos_edge_t;

static ngx_pos_edge_t  edge;
static ngx_connection_t  edge_dummy;   /* timers log through data->fd: -1 */


ngx_pos_shop_t *
ngx_pos_generation_shop(ngx_pos_generation_t *generation, uint32_t no)
{
    size_t            low, high, middle;
    ngx_pos_shop_t  **shops;

    shops = generation->shops.elts;
    low = 0;
    high = generation->shops.nelts;

    while (low < high) {
        middle = low + (high - low) / 2;

        if (shops[middle]->head.no == no) {
            return shops[middle];
        }

        if (shops[middle]->head.no < no) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    return NULL;
}


static ngx_pos_shop_t *
ngx_pos_generation_shop_by_id(ngx_pos_generation_t *generation, const char *id,
    uint32_t hint)
{
    ngx_uint_t        i;
    ngx_pos_shop_t   *shop, **shops;

    if (generation == NULL) {
        return NULL;
    }

    /* numbers stay the same but across a rebuilt file */

    shop = ngx_pos_generation_shop(generation, hint);

    if (shop != NULL && ngx_strcmp(shop->head.id, id) == 0) {
        return shop;
    }

    shops = generation->shops.elts;

    for (i = 0; i < generation->shops.nelts; i++) {
        if (ngx_strcmp(shops[i]->head.id, id) == 0) {
            return shops[i];
        }
    }

    return NULL;
}


static void
ngx_pos_generation_destroy(ngx_pos_generation_t *generation)
{
    /* Its snapshot has tables to unmap, its books may hold ten thousand
     * promotions: they go in slices. */

    edge.stats.alive--;
    generation->next = edge.left;
    edge.left = generation;
}


/* Lets go of some of what no request uses any more. False: there is no more. */

static ngx_flag_t
ngx_pos_generation_let_go(void)
{
    ngx_pos_shop_t        **shops;
    ngx_pos_generation_t   *generation;

    generation = edge.left;

    if (generation == NULL) {
        return 0;
    }

    if (generation->snapshot != NULL) {
        pos_snapshot_close(generation->snapshot);
        generation->snapshot = NULL;
        return 1;
    }

    shops = generation->shops.elts;

    if (generation->shops.nelts == 0) {
        edge.left = generation->next;
        ngx_destroy_pool(generation->pool);
        return 1;
    }

    if (pos_book_release_some(shops[generation->shops.nelts - 1]->book,
                              NGX_POS_SLICE_ROWS))
    {
        generation->shops.nelts--;
    }

    return 1;
}


ngx_pos_generation_t *
ngx_pos_generation_acquire(void)
{
    if (edge.current != NULL) {
        edge.current->refs++;
    }

    return edge.current;
}


void
ngx_pos_generation_release(ngx_pos_generation_t *generation)
{
    if (--generation->refs == 0) {
        ngx_pos_generation_destroy(generation);
    }
}


pos_script_vm_t *
ngx_pos_generation_vm(void)
{
    return edge.vm;
}


pos_replica_t *
ngx_pos_generation_replica(void)
{
    return edge.replica;
}


static void
ngx_pos_generation_end_builder(void)
{
    pos_book_builder_destroy(edge.builder);
    edge.builder = NULL;
    pos_arena_destroy(edge.changes);
    edge.changes = NULL;
}


static void
ngx_pos_generation_abandon(void)
{
    ngx_pos_generation_end_builder();

    if (edge.next != NULL) {
        ngx_pos_generation_release(edge.next);
        edge.next = NULL;
    }
}


/* Opens a snapshot and makes the empty generation that shops are added to. */

static ngx_int_t
ngx_pos_generation_begin(void)
{
    ngx_pool_t            *pool;
    ngx_pos_generation_t  *generation;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    generation = ngx_pcalloc(pool, sizeof(ngx_pos_generation_t));
    if (generation == NULL
        || ngx_array_init(&generation->shops, pool, 16,
                          sizeof(ngx_pos_shop_t *))
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    generation->pool = pool;
    generation->refs = 1;
    generation->number = ++edge.number;
    edge.stats.alive++;

    if (pos_snapshot_open(edge.replica, &generation->snapshot) != POS_OK) {
        generation->snapshot = NULL;
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "pos: no snapshot of the replica: %s; serving by the one "
                      "before", pos_replica_error(edge.replica));
        ngx_pos_generation_release(generation);
        return NGX_ERROR;
    }

    generation->whole = pos_snapshot_whole(generation->snapshot);

    edge.next = generation;
    edge.last_no = 0;
    edge.started_us = ngx_pos_metrics_now_us();

    return NGX_OK;
}


static void
ngx_pos_generation_name_revision(ngx_pos_shop_t *shop)
{
    u_char  *p;

    p = ngx_snprintf(shop->revision_text, NGX_POS_REVISION_MAX - 16, "%L-",
                     (int64_t) shop->head.rev);
    p = ngx_hex_dump(p, shop->head.hash, 8);

    shop->revision = pos_str_of((char *) shop->revision_text,
                                p - shop->revision_text);
}


/*
 * A retailer's shop in the next generation: its book is taken over when the
 * small entities did not change; otherwise a builder is left to work on it.
 */

static ngx_int_t
ngx_pos_generation_add_shop(const pos_head_t *head)
{
    ngx_int_t         rc;
    pos_status_t      status;
    ngx_pos_shop_t   *shop, *before, **slot;

    shop = ngx_pcalloc(edge.next->pool, sizeof(ngx_pos_shop_t));
    slot = ngx_array_push(&edge.next->shops);
    if (shop == NULL || slot == NULL) {
        return NGX_ERROR;
    }

    *slot = shop;
    shop->head = *head;
    shop->pool = edge.next->pool;

    pos_snapshot_source(edge.next->snapshot, head, &shop->context,
                        &shop->source);
    ngx_pos_generation_name_revision(shop);

    before = ngx_pos_generation_shop_by_id(edge.current, head->id, head->no);

    if (before != NULL && before->book != NULL
        && ngx_memcmp(before->head.small, head->small, POS_SHA256_SIZE) == 0)
    {
        shop->book = before->book;
        pos_book_retain(shop->book);
        return NGX_OK;
    }

    edge.follows = 0;

    if (before != NULL && before->book != NULL) {
        rc = ngx_pos_follow(edge.next->snapshot, head, before, edge.vm,
                            &edge.changes, &edge.builder);

        if (rc != NGX_DECLINED) {
            edge.follows = (rc == NGX_AGAIN);
            return rc;
        }
    }

    status = pos_book_builder_create(&shop->source,
                                     before != NULL ? before->book : NULL,
                                     edge.vm, &edge.builder);

    if (status != POS_OK) {
        edge.builder = NULL;
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


static void
ngx_pos_generation_log_reports(ngx_pos_shop_t *shop)
{
    const pos_book_report_t  *report;

    for (report = pos_book_reports(shop->book); report; report = report->next) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "pos: retailer %s revision %*s: %s \"%*s\" left out%s: %*s",
                      shop->head.id, shop->revision.len, shop->revision.data,
                      pos_kind_name(report->kind),
                      report->key.len, report->key.data,
                      report->kept_before ? ", its version before serves" : "",
                      report->message.len, report->message.data);
    }
}


/* Gives the last shop's builder some rows. NGX_DONE: that shop is finished. */

static ngx_int_t
ngx_pos_generation_build(void)
{
    pos_book_t      *book;
    pos_status_t     status;
    ngx_pos_shop_t  *shop;

    status = pos_book_builder_step(edge.builder, NGX_POS_SLICE_ROWS, &book);

    if (status == POS_AGAIN) {
        return NGX_AGAIN;
    }

    ngx_pos_generation_end_builder();

    shop = ((ngx_pos_shop_t **) edge.next->shops.elts)
                                                [edge.next->shops.nelts - 1];

    if (status != POS_OK) {
        edge.stats.failed++;
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                      "pos: retailer %s revision %*s: its book cannot be built "
                      "(status %d); its quotes are refused",
                      shop->head.id, shop->revision.len, shop->revision.data,
                      (int) status);
        return NGX_DONE;
    }

    shop->book = book;
    edge.stats.compiled++;
    edge.stats.followed += edge.follows;
    ngx_pos_generation_log_reports(shop);

    return NGX_DONE;
}


static void
ngx_pos_generation_swap(void)
{
    uint64_t                  revisions;
    ngx_uint_t                i, reports;
    ngx_pos_shop_t          **shops;
    ngx_pos_generation_t     *before;
    const pos_book_report_t  *report;

    before = edge.current;
    edge.current = edge.next;
    edge.next = NULL;

    reports = 0;
    revisions = 0;
    shops = edge.current->shops.elts;

    for (i = 0; i < edge.current->shops.nelts; i++) {
        if (shops[i]->book == NULL) {
            continue;
        }

        revisions += shops[i]->head.rev;

        for (report = pos_book_reports(shops[i]->book);
             report;
             report = report->next)
        {
            reports++;
        }
    }

    ngx_pos_metrics_mine()->whole = edge.current->whole;
    edge.stats.swaps++;
    edge.stats.reports = reports;
    edge.stats.revisions = revisions;
    edge.stats.prepare_last =
        (ngx_msec_t) ((ngx_pos_metrics_now_us() - edge.started_us) / 1000);

    if (before != NULL) {
        ngx_pos_generation_release(before);
    }
}


/* One slice. NGX_OK: swapped. NGX_AGAIN: more to do. NGX_ERROR: given up. */

static ngx_int_t
ngx_pos_generation_slice(void)
{
    ngx_int_t        rc;
    pos_head_t       head;
    pos_status_t     status;
    ngx_pos_slice_t  slice;

    ngx_pos_slice_begin(&slice);

    do {
        if (edge.builder != NULL) {
            rc = ngx_pos_generation_build();

            if (rc == NGX_AGAIN || rc == NGX_DONE) {
                continue;
            }
        }

        status = pos_snapshot_next_head(edge.next->snapshot, edge.last_no,
                                        &head);

        if (status == POS_NOT_FOUND) {
            ngx_pos_generation_swap();
            ngx_pos_slice_end(&slice, &edge.stats);
            return NGX_OK;
        }

        edge.last_no = head.no;

        if (status != POS_OK) {
            ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                          "pos: damaged head of retailer %uD in the replica",
                          head.no);
            continue;
        }

        if (ngx_pos_generation_add_shop(&head) == NGX_ERROR) {
            ngx_pos_generation_abandon();
            return NGX_ERROR;
        }

    } while (!ngx_pos_slice_over(&slice, NGX_POS_SLICE_US));

    ngx_pos_slice_end(&slice, &edge.stats);

    return NGX_AGAIN;
}


static ngx_msec_t
ngx_pos_generation_open(void)
{
    ngx_uint_t    level;
    pos_status_t  status;

    status = pos_replica_open((char *) edge.dir.data, &edge.replica);

    if (status == POS_OK) {
        edge.missing_logged = 0;
        /* Before any script runs: what is in a book comes from here, and who may
         * send one is known from here. */
        ngx_pos_watchdog_share(&edge.dir);
        return NGX_POS_TICK_FAST;
    }

    edge.replica = NULL;

    if (!edge.missing_logged) {
        edge.missing_logged = 1;
        level = (status == POS_NOT_FOUND) ? NGX_LOG_NOTICE : NGX_LOG_CRIT;
        ngx_log_error(level, ngx_cycle->log, 0, "pos: replica \"%V\": %s; looking "
                      "again", &edge.dir,
                      status == POS_NOT_FOUND ? "not there yet"
                                              : pos_replica_error(NULL));
    }

    return NGX_POS_TICK_OPEN;
}


static ngx_msec_t
ngx_pos_generation_work(void)
{
    if (edge.replica == NULL) {
        return ngx_pos_generation_open();
    }

    if (edge.next == NULL) {
        if (edge.current != NULL && !pos_replica_changed(edge.replica)) {
            return NGX_POS_TICK;
        }

        if (ngx_pos_generation_begin() != NGX_OK) {
            return NGX_POS_TICK_OPEN;
        }
    }

    switch (ngx_pos_generation_slice()) {

    case NGX_AGAIN:
        return NGX_POS_TICK_FAST;

    case NGX_OK:
        return NGX_POS_TICK;

    default:
        return NGX_POS_TICK_OPEN;
    }
}


static ngx_msec_t
ngx_pos_generation_clean(void)
{
    ngx_pos_slice_t  slice;

    ngx_pos_slice_begin(&slice);

    do {
        if (!ngx_pos_generation_let_go()) {
            break;
        }

    } while (!ngx_pos_slice_over(&slice, NGX_POS_SLICE_US));

    ngx_pos_slice_end(&slice, &edge.stats);

    return NGX_POS_TICK_FAST;
}


static void
ngx_pos_generation_tick(ngx_event_t *ev)
{
    ngx_msec_t  wait;

    if (ngx_exiting || ngx_terminate) {
        ngx_pos_generation_abandon();
        return;
    }

    /* What was superseded goes first, so that it cannot pile up. */

    wait = (edge.left != NULL) ? ngx_pos_generation_clean()
                               : ngx_pos_generation_work();

    ngx_pos_metrics_generation(&edge.stats);
    ngx_add_timer(ev, wait);
}


ngx_int_t
ngx_pos_generation_init_worker(ngx_cycle_t *cycle, ngx_str_t *dir)
{
    uint64_t             begun;
    ngx_msec_t           wait;
    pos_script_limits_t  limits;

    ngx_memzero(&edge, sizeof(ngx_pos_edge_t));
    ngx_pos_metrics_mine()->whole = 0;

    edge.dir = *dir;

    pos_script_limits_default(&limits);
    limits.instructions = (uint32_t) ngx_pos_worker.conf->script_instructions;

    if (pos_script_vm_create(&limits, &edge.vm) != POS_OK) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "pos: no memory for the promotion scripts' state");
        return NGX_ERROR;
    }

    /* Before the first book is built: loading runs scripts too. */
    if (ngx_pos_watchdog_start(cycle, edge.vm) != NGX_OK) {
        return NGX_ERROR;
    }

    edge_dummy.fd = (ngx_socket_t) -1;

    edge.timer.handler = ngx_pos_generation_tick;
    edge.timer.data = &edge_dummy;
    edge.timer.log = cycle->log;
    edge.timer.cancelable = 1;

    /* The first generation stands before the first request is taken: a worker
     * that comes after a reload or a crash must not refuse what the one before
     * it would have answered. Bounded, so that a huge book cannot hold it. */
    begun = ngx_pos_metrics_now_us();

    do {
        wait = ngx_pos_generation_work();
    } while (edge.current == NULL && wait == NGX_POS_TICK_FAST
             && ngx_pos_metrics_now_us() - begun < NGX_POS_FIRST_MAX);

    edge.stats.slice_max = 0;
    edge.stats.slice_cpu_max = 0;
    ngx_pos_metrics_generation(&edge.stats);
    ngx_add_timer(&edge.timer, wait);

    return NGX_OK;
}


void
ngx_pos_generation_exit_worker(void)
{
    if (edge.timer.timer_set) {
        ngx_del_timer(&edge.timer);
    }

    ngx_pos_watchdog_stop();
    ngx_pos_generation_abandon();

    if (edge.current != NULL) {
        ngx_pos_generation_release(edge.current);
        edge.current = NULL;
    }

    while (ngx_pos_generation_let_go()) { /* void */ }

    /* A request still suspended holds its generation; the process is about to
     * end and the map goes with it, so nothing is closed under its feet. */

    if (edge.stats.alive != 0) {
        return;
    }

    pos_replica_close(edge.replica);
    edge.replica = NULL;

    if (edge.vm != NULL) {
        pos_script_vm_destroy(edge.vm);
        edge.vm = NULL;
    }
}
