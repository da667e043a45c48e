/*
 * What quotes, batches and shelf prices share: a key's retailer in the
 * request's generation, and what the key may set.
 */

#ifndef NGX_POS_PRICING_H
#define NGX_POS_PRICING_H

#include "ngx_pos_contract.h"
#include "ngx_pos_generation.h"

#include "engine/quote.h"

/* Fills the engine's options, and Pos-Revision. False: answered already. The
 * options' strings live as long as the request's generation. */
bool ngx_pos_pricing_begin(ngx_pos_ctx_t *ctx, pos_quote_options_t *options);

/* The status of a refused quote and the problem's code. */
ngx_uint_t ngx_pos_pricing_status(const pos_quote_stats_t *stats, pos_status_t rc, const char **code,
    const char **detail);

/* Counts a priced cart for /metrics, and the failures of its scripts. */
void ngx_pos_pricing_count(ngx_pos_ctx_t *ctx, const pos_quote_stats_t *stats);

/* Has each promotion suspended whose script failed in this quote, and in so many before. */
void ngx_pos_suspend_look(ngx_pos_ctx_t *ctx, const pos_quote_stats_t *stats);

#endif
