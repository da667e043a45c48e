/*
 * What nginx refuses by itself, before or beside our handler: a broken request
 * line or header, a body or head over its limits, TRACE. Its own pages are HTML;
 * here they become problems like all others.
 *
 * `pos_api` gives its server (which answers for what is refused while the head
 * is read) and its location error pages for the statuses that the configuration
 * has none for. They lead to a path that no client can ask for; it is answered
 * in the rewrite phase, so no location can take it.
 */

#include "ngx_pos_contract.h"

#define NGX_POS_TRANSPORT_URI  "/.pos/problem"

typedef struct {
    ngx_int_t   status;     /* what nginx ends the request with      */
    ngx_uint_t  answer;     /* what the client is told               */
    const char *code;
    const char *detail;
} ngx_pos_transport_t;

static const ngx_pos_transport_t ngx_pos_transports[] = {
    { NGX_HTTP_BAD_REQUEST, 400, "bad_request",
      "The request line, a header field, or the chunks of the body are not HTTP as they must be." },
    { NGX_HTTP_FORBIDDEN, 403, "forbidden", "This server does not let you in here." },
    { NGX_HTTP_NOT_FOUND, 404, "no_such_path", "There is no resource at this path." },
    { NGX_HTTP_NOT_ALLOWED, 405, "method_not_allowed", "This method is not taken here." },
    { NGX_HTTP_LENGTH_REQUIRED, 411, "length_required", "The request must say how long its body is." },
    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, 413, "body_too_large", "The body is larger than this server takes." },
    { NGX_HTTP_REQUEST_URI_TOO_LARGE, 414, "uri_too_long", "The request line is longer than this server takes." },
    { NGX_HTTP_MISDIRECTED_REQUEST, 421, "misdirected", "This connection is for another host." },
    { NGX_HTTP_TOO_MANY_REQUESTS, 429, "too_many_requests", "Too many requests; come back later." },
    { NGX_HTTP_REQUEST_HEADER_TOO_LARGE, 431, "headers_too_large",
      "The header fields are larger than this server takes." },
    { NGX_HTTPS_CERT_ERROR, 400, "bad_request", "The client's certificate is not one that this server trusts." },
    { NGX_HTTPS_NO_CERT, 400, "bad_request", "This server needs a certificate of its clients." },
    { NGX_HTTP_TO_HTTPS, 400, "bad_request", "This port speaks HTTPS, and plain HTTP was sent." },
    { NGX_HTTP_INTERNAL_SERVER_ERROR, 500, "internal", "The server failed; it is logged." },
    { NGX_HTTP_NOT_IMPLEMENTED, 501, "not_implemented", "This transfer encoding is not taken; use chunked or a length." },
    { NGX_HTTP_SERVICE_UNAVAILABLE, 503, "overloaded", "Too many requests; come back later." },
    { NGX_HTTP_VERSION_NOT_SUPPORTED, 505, "http_version", "This version of HTTP is not spoken here." },
    { NGX_HTTP_INSUFFICIENT_STORAGE, 507, "disk_full", "There is no space for what was sent; nothing was taken." },
};

#define NGX_POS_TRANSPORTS  (sizeof(ngx_pos_transports) / sizeof(ngx_pos_transports[0]))

static const ngx_pos_transport_t *
ngx_pos_transport_find(ngx_int_t status)
{
    ngx_uint_t i;

    for (i = 0; i < NGX_POS_TRANSPORTS; i++) {
        if (ngx_pos_transports[i].status == status) {
            return &ngx_pos_transports[i];
        }
    }

    return NULL;
}

static bool
ngx_pos_transport_asked(ngx_http_request_t *r)
{
    return r->internal && r->uri.len == sizeof(NGX_POS_TRANSPORT_URI) - 1
        && ngx_memcmp(r->uri.data, NGX_POS_TRANSPORT_URI, sizeof(NGX_POS_TRANSPORT_URI) - 1) == 0;
}

/* Was it the disk that nginx could not write the body to? */
static const ngx_pos_transport_t *
ngx_pos_transport_cause(ngx_pos_ctx_t *ctx, ngx_int_t status)
{
    if (status == NGX_HTTP_INTERNAL_SERVER_ERROR && ngx_pos_body_disk_full(ctx->request)) {
        status = NGX_HTTP_INSUFFICIENT_STORAGE;
    }

    return ngx_pos_transport_find(status);
}

/* The fields that a status must or should come with. */
static ngx_int_t
ngx_pos_transport_fields(ngx_pos_ctx_t *ctx, ngx_uint_t status)
{
    if (status == NGX_HTTP_SERVICE_UNAVAILABLE || status == NGX_HTTP_TOO_MANY_REQUESTS) {
        return ngx_pos_header(ctx, "Retry-After", pos_str("1"));
    }

    if (status == NGX_HTTP_NOT_ALLOWED) {
        return ngx_pos_header(ctx, "Allow", pos_str("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }

    return NGX_OK;
}

static ngx_int_t
ngx_pos_transport_handler(ngx_http_request_t *r)
{
    ngx_pos_ctx_t             *ctx;
    const ngx_pos_transport_t *t;

    if (!ngx_pos_transport_asked(r)) {
        return NGX_DECLINED;
    }

    ctx = ngx_pos_request_again(r);
    t = ctx ? ngx_pos_transport_cause(ctx, r->err_status) : NULL;
    if (t == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* what is sent from here on is an answer of ours, by its own status */
    r->err_status = 0;
    r->expect_tested = 1;

    if (ngx_pos_transport_fields(ctx, t->answer) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_pos_problem(ctx, t->answer, t->code, t->detail);

    return NGX_DONE;
}

/* ---- configuration ---- */

static bool
ngx_pos_transport_has(const ngx_array_t *pages, ngx_int_t status)
{
    ngx_uint_t           i;
    ngx_http_err_page_t *page;

    page = pages ? pages->elts : NULL;

    for (i = 0; pages != NULL && i < pages->nelts; i++) {
        if (page[i].status == status) {
            return true;
        }
    }

    return false;
}

/* An inherited array is shared with other locations: it is copied, never added to. */
static ngx_int_t
ngx_pos_transport_pages(ngx_conf_t *cf, ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t           i, count;
    ngx_array_t         *pages, *had = clcf->error_pages;
    ngx_http_err_page_t *page;

    count = had ? had->nelts : 0;
    pages = ngx_array_create(cf->pool, count + NGX_POS_TRANSPORTS, sizeof(ngx_http_err_page_t));
    if (pages == NULL) {
        return NGX_ERROR;
    }

    if (count > 0) {
        page = ngx_array_push_n(pages, count);
        ngx_memcpy(page, had->elts, count * sizeof(ngx_http_err_page_t));
    }

    for (i = 0; i < NGX_POS_TRANSPORTS; i++) {
        if (ngx_pos_transport_has(had, ngx_pos_transports[i].status)) {
            continue;
        }
        page = ngx_array_push(pages);
        ngx_memzero(page, sizeof(ngx_http_err_page_t));
        page->status = ngx_pos_transports[i].status;
        page->overwrite = -1;
        ngx_str_set(&page->value.value, NGX_POS_TRANSPORT_URI);
    }

    clcf->error_pages = pages;

    return NGX_OK;
}

ngx_int_t
ngx_pos_transport_init(ngx_conf_t *cf, ngx_array_t *places)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *handler;
    ngx_pos_place_t            *place = places->elts;
    ngx_http_core_main_conf_t  *cmcf;

    for (i = 0; i < places->nelts; i++) {
        if (ngx_pos_transport_pages(cf, place[i].location) != NGX_OK
            || ngx_pos_transport_pages(cf, place[i].server->ctx->loc_conf[ngx_http_core_module.ctx_index]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    handler = ngx_array_push(&cmcf->phases[NGX_HTTP_SERVER_REWRITE_PHASE].handlers);
    if (handler == NULL) {
        return NGX_ERROR;
    }
    *handler = ngx_pos_transport_handler;

    return NGX_OK;
}
