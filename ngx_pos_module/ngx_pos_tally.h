/*
 * What quotes did with each promotion: counted in the worker, told to the database
 * a second later (pos.promotion_tally), from where GET /v1/promotions/{id}/stats has it.
 *
 * These are figures to watch a promotion by, not accounts: a worker that is killed
 * takes its last second along, and where the database's answer is lost they are left
 * out rather than counted twice.
 */

#ifndef NGX_POS_TALLY_H
#define NGX_POS_TALLY_H

#include "ngx_pos_generation.h"

#include "engine/quote.h"

/* In a worker that has a database, after fork. */
ngx_int_t ngx_pos_tally_init_worker(ngx_cycle_t *cycle);
void ngx_pos_tally_exit_worker(void);
/* Counts one priced cart of this shop. */
void ngx_pos_tally_count(ngx_pos_shop_t *shop, const pos_quote_stats_t *stats);
/* Monotonic nanoseconds, for pos_quote_options_t. */
uint64_t ngx_pos_tally_clock(void);

#endif
