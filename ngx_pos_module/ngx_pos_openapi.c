/* GET /v1/openapi.json: the very document nginx runs by. */

#include "ngx_pos_contract.h"

void
ngx_pos_openapi_handler(ngx_pos_ctx_t *ctx)
{
    pos_str_t                 etag;
    const ngx_pos_contract_t *contract = ngx_pos_worker.conf->contract;

    etag = pos_str_z(contract->etag);

    if (ngx_pos_header(ctx, "ETag", etag) != NGX_OK
        || ngx_pos_header(ctx, "Cache-Control", pos_str("no-cache")) != NGX_OK)
    {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    if (ngx_pos_answer_matches(ctx, etag)) {
        ngx_pos_answer(ctx, NGX_HTTP_NOT_MODIFIED, pos_str(""), pos_str(""));
        return;
    }

    ngx_pos_answer(ctx, NGX_HTTP_OK, pos_str("application/json"), contract->text);
}
