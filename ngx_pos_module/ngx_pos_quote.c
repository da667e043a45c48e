/*
 * POST /v1/quotes: the hot path. Everything it needs is in this process: the
 * request's arena, the generation's compiled book, the mapped replica. No
 * system call, no lock, no allocation once the arenas are warm.
 */

#include "ngx_pos_metrics.h"
#include "ngx_pos_pricing.h"
#include "ngx_pos_tally.h"

#define NGX_POS_QUOTE_MAX   (64 * 1024 * 1024)
#define NGX_POS_STALE_AFTER (3 * 1000000)        /* µs; posd says it each second */

/* While posd does not follow the database, every answer priced from the replica
 * says for how many seconds it has not. */
static bool
ngx_pos_pricing_say_stale(ngx_pos_ctx_t *ctx, const pos_replica_clock_t *clock)
{
    pos_str_t seconds;

    if (clock->state == POS_REPLICA_FOLLOWING && clock->stale < NGX_POS_STALE_AFTER) {
        return true;
    }

    seconds = pos_arena_printf(ctx->arena, "%lld", (long long) (clock->stale / 1000000));

    return seconds.data != NULL && ngx_pos_header(ctx, "Pos-Stale", seconds) == NGX_OK;
}

bool
ngx_pos_pricing_begin(ngx_pos_ctx_t *ctx, pos_quote_options_t *options)
{
    ngx_pos_shop_t           *shop;
    pos_replica_clock_t       clock;
    const ngx_pos_contract_t *contract = ngx_pos_worker.conf->contract;

    shop = ngx_pos_generation_shop(ctx->generation, ctx->key->retailer_no);

    if (shop == NULL || shop->book == NULL) {
        ngx_pos_problem_unavailable(ctx, "book_unavailable", "This retailer's price book is not here yet.");
        return false;
    }

    if (pos_replica_clock(ngx_pos_generation_replica(), &clock) != POS_OK) {
        ngx_pos_problem_unavailable(ctx, "clock_unavailable", "The database's time is not known here yet.");
        return false;
    }

    if (!ngx_pos_pricing_say_stale(ctx, &clock)) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return false;
    }

    ngx_memzero(options, sizeof(*options));
    options->book = shop->book;
    options->source = &shop->source;
    options->vm = ngx_pos_generation_vm();
    options->revision = shop->revision;
    options->now = clock.now;
    options->tally = ngx_pos_worker.pg != NULL;
    options->clock = ngx_pos_tally_clock;
    options->may_simulate = ngx_pos_key_may(ctx, contract->may_simulate);
    options->may_override = ngx_pos_key_may(ctx, contract->may_override);
    options->may_customer = ngx_pos_key_may(ctx, contract->may_customer);
    options->may_shipping = ngx_pos_key_may(ctx, contract->may_shipping);

    ctx->revision = shop->revision;

    return true;
}

ngx_uint_t
ngx_pos_pricing_status(const pos_quote_stats_t *stats, pos_status_t rc, const char **code, const char **detail)
{
    switch (rc) {

    case POS_INVALID:
        if (stats->forbidden) {
            *code = "scope_required";
            *detail = "The key lacks a scope for what the request sets; errors[] names each place.";
            return NGX_HTTP_FORBIDDEN;
        }
        *code = "invalid_request";
        *detail = "The cart cannot be priced; errors[] names each place.";
        return 422;

    case POS_LIMIT:
        *code = "too_large";
        *detail = "The quote would be larger than an answer may be.";
        return 422;

    case POS_NO_MEMORY:
        *code = "no_memory";
        *detail = "The worker is out of memory; try again.";
        return NGX_HTTP_SERVICE_UNAVAILABLE;

    default:
        *code = "replica_broken";
        *detail = "A stored row cannot be read; it is reported and being mended.";
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
}

void
ngx_pos_pricing_count(ngx_pos_ctx_t *ctx, const pos_quote_stats_t *stats)
{
    ngx_pos_metrics_worker_t *mine = ngx_pos_metrics_mine();

    mine->quotes++;
    mine->quote_lines += stats->lines;
    mine->script_errors += stats->script_errors;
    mine->compare_differs += stats->compare_differs;
    mine->not_optimal += !stats->optimal;

    ngx_pos_tally_count(ngx_pos_generation_shop(ctx->generation, ctx->key->retailer_no), stats);

    if (stats->failure_count > 0) {
        ngx_pos_suspend_look(ctx, stats);
    }
}

void
ngx_pos_quote_handler(ngx_pos_ctx_t *ctx)
{
    const char          *code, *detail;
    ngx_uint_t           status;
    pos_writer_t         w;
    pos_status_t         rc;
    pos_quote_stats_t    stats;
    pos_quote_options_t  options;

    if (!ngx_pos_pricing_begin(ctx, &options)) {
        return;
    }

    ngx_memzero(&stats, sizeof(stats));
    pos_writer_init(&w, ctx->arena, POS_QUOTE_ROOM, NGX_POS_QUOTE_MAX);

    options.spent = true;
    rc = pos_quote(&options, ctx->json, ctx->arena, &ctx->faults, &w, &stats);
    ctx->json = NULL;

    if (rc == POS_OK) {
        rc = w.status;
    }

    if (rc == POS_OK) {
        ngx_pos_pricing_count(ctx, &stats);
        ngx_pos_answer_together(ctx, NGX_HTTP_OK, pos_str("application/json"), pos_writer_result(&w));
        return;
    }

    status = ngx_pos_pricing_status(&stats, rc, &code, &detail);

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        ngx_log_error(NGX_LOG_CRIT, ctx->request->connection->log, 0,
                      "pos: quote failed with status %d: %s", (int) rc, code);
        ngx_pos_problem_unavailable(ctx, code, detail);
        return;
    }

    ngx_pos_problem_faults(ctx, status, code, detail);
}
