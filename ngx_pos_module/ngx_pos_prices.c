/*
 * GET /v1/prices?sku=A,B: list and selling prices for shelves and product
 * pages, before any promotion. The tag names the revision and the content, so
 * a sale that begins by the clock changes it as surely as a publish does.
 */

#include "ngx_pos_pricing.h"

#define NGX_POS_PRICES_SIZE  (8 * 1024)
#define NGX_POS_PRICES_MAX   (4 * 1024 * 1024)

static const pos_json_t *
ngx_pos_prices_value(const ngx_pos_ctx_t *ctx, const char *name)
{
    uint32_t i;

    for (i = 0; i < ctx->op->param_count; i++) {
        if (ctx->op->params[i].in == NGX_POS_IN_QUERY && pos_str_eq(ctx->op->params[i].name, pos_str_z(name))) {
            return ctx->values[i];
        }
    }

    return NULL;
}

static pos_str_t
ngx_pos_prices_text(const ngx_pos_ctx_t *ctx, const char *name)
{
    const pos_json_t *v = ngx_pos_prices_value(ctx, name);

    return v != NULL ? v->text : pos_str("");
}

/* `at` prices a shelf as of another time, which is a simulation's right. */
static bool
ngx_pos_prices_query(ngx_pos_ctx_t *ctx, pos_quote_options_t *options, pos_price_query_t *query)
{
    pos_str_t at = ngx_pos_prices_text(ctx, "at");

    ngx_memzero(query, sizeof(*query));
    query->store = ngx_pos_prices_text(ctx, "store");
    query->channel = ngx_pos_prices_text(ctx, "channel");
    query->currency = ngx_pos_prices_text(ctx, "currency");
    query->customer_group = ngx_pos_prices_text(ctx, "customer_group");
    query->quantity = POS_THOUSANDTHS;
    query->at = options->now;
    options->pointer = pos_str("/query");

    if (at.len == 0) {
        return true;
    }

    if (!options->may_simulate) {
        (void) pos_fault(&ctx->faults, pos_str("/query/at"), "scope_required", "needs the scope quotes:simulate");
        ngx_pos_problem_faults(ctx, NGX_HTTP_FORBIDDEN, "scope_required", "The key may not set the time.");
        return false;
    }

    query->at_text = at;

    return true;
}

/* Unknown SKUs, and those without a price here, are named, not refused: a
 * product page asks for many at once. Anything else refuses the whole. */
static pos_status_t
ngx_pos_prices_one(ngx_pos_ctx_t *ctx, pos_quote_options_t *options, pos_price_query_t *query, pos_str_t sku,
    pos_writer_t *w, pos_writer_t *missing)
{
    pos_status_t        rc;
    pos_faults_t        faults;
    const pos_fault_t  *fault;

    pos_faults_init(&faults, ctx->arena);
    rc = pos_price_write(options, query, sku, ctx->arena, &faults, w);

    if (rc == POS_NOT_FOUND) {
        pos_write_string(missing, sku);
        return POS_OK;
    }

    if (rc != POS_INVALID) {
        return rc;
    }

    for (fault = faults.first; fault != NULL; fault = fault->next) {
        if (ngx_strcmp(fault->code, "unknown_sku") == 0 || ngx_strcmp(fault->code, "no_price") == 0) {
            pos_write_string(missing, sku);
            return POS_OK;
        }
    }

    if (ctx->faults.count == 0) {
        ctx->faults = faults;
    }

    return POS_INVALID;
}

static void
ngx_pos_prices_send(ngx_pos_ctx_t *ctx, pos_str_t body)
{
    pos_str_t etag;

    etag = pos_arena_printf(ctx->arena, "\"%.*s-%08x\"", (int) ctx->revision.len, ctx->revision.data,
        pos_crc32c(0, body));

    if (etag.data == NULL || ngx_pos_header(ctx, "ETag", etag) != NGX_OK
        || ngx_pos_header(ctx, "Cache-Control", pos_str("private, no-cache")) != NGX_OK)
    {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    if (ngx_pos_answer_matches(ctx, etag)) {
        ngx_pos_answer(ctx, NGX_HTTP_NOT_MODIFIED, pos_str(""), pos_str(""));
        return;
    }

    ngx_pos_answer(ctx, NGX_HTTP_OK, pos_str("application/json"), body);
}

static pos_status_t
ngx_pos_prices_list(ngx_pos_ctx_t *ctx, pos_quote_options_t *options, pos_price_query_t *query, pos_writer_t *w)
{
    pos_status_t       rc = POS_OK;
    pos_writer_t       missing;
    const pos_json_t  *skus, *sku;

    pos_writer_init(&missing, ctx->arena, 256, NGX_POS_PRICES_MAX);
    pos_write_array_begin(&missing);

    pos_write_object_begin(w);
    pos_write_key(w, "revision");
    pos_write_string(w, options->revision);
    pos_write_key(w, "data");
    pos_write_array_begin(w);

    skus = ngx_pos_prices_value(ctx, "sku");

    for (sku = skus != NULL ? skus->first : NULL; sku != NULL && rc == POS_OK; sku = sku->next) {
        rc = ngx_pos_prices_one(ctx, options, query, sku->text, w, &missing);
    }

    pos_write_array_end(w);
    pos_write_array_end(&missing);
    pos_write_key(w, "not_found");
    pos_write_raw(w, pos_writer_result(&missing));
    pos_write_object_end(w);

    if (rc == POS_OK) {
        rc = missing.status == POS_OK ? w->status : missing.status;
    }

    return rc;
}

void
ngx_pos_prices_handler(ngx_pos_ctx_t *ctx)
{
    const char          *code, *detail;
    ngx_uint_t           status;
    pos_writer_t         w;
    pos_status_t         rc;
    pos_quote_stats_t    stats;
    pos_price_query_t    query;
    pos_quote_options_t  options;

    if (!ngx_pos_pricing_begin(ctx, &options) || !ngx_pos_prices_query(ctx, &options, &query)) {
        return;
    }

    pos_writer_init(&w, ctx->arena, NGX_POS_PRICES_SIZE, NGX_POS_PRICES_MAX);

    rc = ngx_pos_prices_list(ctx, &options, &query, &w);

    if (rc == POS_OK) {
        ngx_pos_prices_send(ctx, pos_writer_result(&w));
        return;
    }

    ngx_memzero(&stats, sizeof(stats));
    status = ngx_pos_pricing_status(&stats, rc, &code, &detail);

    if (status == NGX_HTTP_SERVICE_UNAVAILABLE) {
        ngx_pos_problem_unavailable(ctx, code, detail);
        return;
    }

    ngx_pos_problem_faults(ctx, status, code, "The prices cannot be told; errors[] says why.");
}
