/*
 * One request through its phases. The content handler takes one reference
 * (`count`) and everything after it owes exactly one finalize, whether it
 * answers at once or is woken later by the database, a timer or a thread.
 */

#include "ngx_pos_contract.h"
#include "ngx_pos_generation.h"
#include "ngx_pos_metrics.h"
#include "ngx_pos_pg.h"

#define NGX_POS_ARENA_BLOCK  (64 * 1024)
#define NGX_POS_ARENA_LIMIT  ((size_t) 1024 * 1024 * 1024)
#define NGX_POS_ARENA_KEEP   (512 * 1024)   /* larger ones are not kept warm */

static pos_arena_t *
ngx_pos_arena_take(void)
{
    ngx_pos_worker_t *worker = &ngx_pos_worker;

    if (worker->arena_count > 0) {
        return worker->arenas[--worker->arena_count];
    }

    return pos_arena_create(NGX_POS_ARENA_BLOCK, NGX_POS_ARENA_LIMIT);
}

static void
ngx_pos_arena_give(pos_arena_t *arena)
{
    ngx_pos_worker_t *worker = &ngx_pos_worker;

    if (!worker->ready || worker->arena_count == sizeof(worker->arenas) / sizeof(worker->arenas[0])
        || pos_arena_held(arena) > NGX_POS_ARENA_KEEP)
    {
        pos_arena_destroy(arena);
        return;
    }

    pos_arena_reset(arena);
    worker->arenas[worker->arena_count++] = arena;
}

/* nginx frees the request: whatever of ours still hangs on it lets go. */
static void
ngx_pos_request_cleanup(void *data)
{
    ngx_pos_ctx_t *ctx = data;

    if (ctx->call != NULL) {
        ngx_pos_pg_detach(ctx->call);
        ctx->call = NULL;
    }

    ngx_pos_answer_forget(ctx);
    ngx_pos_metrics_request(ctx);

    if (ctx->generation != NULL) {
        ngx_pos_generation_release(ctx->generation);
        ctx->generation = NULL;
    }

    ngx_pos_arena_give(ctx->arena);
}

static ngx_pos_ctx_t *
ngx_pos_request_create(ngx_http_request_t *r)
{
    uint64_t            random[2];
    ngx_time_t         *tp;
    ngx_pos_ctx_t      *ctx;
    ngx_http_cleanup_t *cleanup;

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_pos_ctx_t));
    cleanup = ngx_http_cleanup_add(r, 0);
    if (ctx == NULL || cleanup == NULL) {
        return NULL;
    }

    ctx->arena = ngx_pos_arena_take();
    if (ctx->arena == NULL) {
        return NULL;
    }

    ctx->request = r;
    ctx->started = ngx_pos_metrics_now_us();
    pos_faults_init(&ctx->faults, ctx->arena);
    cleanup->handler = ngx_pos_request_cleanup;
    cleanup->data = ctx;
    ngx_http_set_ctx(r, ctx, ngx_http_pos_module);

    tp = ngx_timeofday();
    random[0] = ngx_pos_random();
    random[1] = ngx_pos_random();
    pos_id_write("req_", (int64_t) tp->sec * 1000000 + tp->msec * 1000, (uint8_t *) random, ctx->request_id);

    return ctx;
}

ngx_pos_ctx_t *
ngx_pos_request_again(ngx_http_request_t *r)
{
    ngx_pos_ctx_t      *ctx;
    ngx_http_cleanup_t *cleanup;

    /* an internal redirect takes the contexts of all modules away */
    for (cleanup = r->main->cleanup; cleanup != NULL; cleanup = cleanup->next) {
        if (cleanup->handler == ngx_pos_request_cleanup) {
            ctx = cleanup->data;
            ngx_http_set_ctx(r, ctx, ngx_http_pos_module);
            return ctx;
        }
    }

    return ngx_pos_request_create(r);
}

ngx_str_t
ngx_pos_request_header(ngx_http_request_t *r, const char *lowcase, size_t len, bool *found)
{
    ngx_str_t        none = ngx_null_string;
    ngx_uint_t       i;
    ngx_list_part_t *part = &r->headers_in.headers.part;
    ngx_table_elt_t *h = part->elts;

    for (i = 0; /* void */; i++) {
        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }
            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == len && ngx_strncmp(h[i].lowcase_key, lowcase, len) == 0) {
            *found = true;
            return h[i].value;
        }
    }

    *found = false;

    return none;
}

static bool
ngx_pos_request_unreserved(u_char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.'
        || c == '_' || c == '~';
}

/*
 * RFC 3986, 6.2.2.2: "/v1/%71uotes" is "/v1/quotes". Only what is never a delimiter is
 * decoded, so segments are cut where they were, and nothing is decoded twice.
 */
static ngx_int_t
ngx_pos_request_normalize(ngx_pos_ctx_t *ctx)
{
    char      *out, *p;
    size_t     i;
    ngx_int_t  c;
    pos_str_t  path = ctx->path;

    if (path.len == 0 || memchr(path.data, '%', path.len) == NULL) {
        return NGX_OK;
    }

    out = p = pos_arena_alloc(ctx->arena, path.len);
    if (out == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < path.len; i++) {
        c = path.data[i] == '%' && path.len - i > 2 ? ngx_hextoi((u_char *) path.data + i + 1, 2) : NGX_ERROR;
        if (c != NGX_ERROR && ngx_pos_request_unreserved((u_char) c)) {
            *p++ = (char) c;
            i += 2;
        } else {
            *p++ = path.data[i];
        }
    }

    ctx->path = pos_str_of(out, p - out);

    return NGX_OK;
}

static void
ngx_pos_request_split(ngx_pos_ctx_t *ctx)
{
    u_char             *mark;
    ngx_http_request_t *r = ctx->request;

    mark = ngx_strlchr(r->unparsed_uri.data, r->unparsed_uri.data + r->unparsed_uri.len, '?');

    ctx->path = ngx_pos_str(r->unparsed_uri);
    ctx->query = pos_str("");

    if (mark != NULL) {
        ctx->path.len = (char *) mark - ctx->path.data;
        ctx->query = pos_str_of((char *) mark + 1, r->unparsed_uri.len - ctx->path.len - 1);
    }
}

/* False: answered (404, 405, OPTIONS). */
static bool
ngx_pos_request_route(ngx_pos_ctx_t *ctx)
{
    ngx_uint_t                count;
    ngx_http_request_t       *r = ctx->request;
    const ngx_pos_contract_t *contract = ngx_pos_worker.conf->contract;
    const ngx_pos_resource_t *resource;

    ngx_pos_request_split(ctx);
    if (ngx_pos_request_normalize(ctx) != NGX_OK) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return false;
    }

    resource = ngx_pos_route_find(contract, ctx->path, ctx->segments, &count);
    if (resource == NULL) {
        ngx_pos_problem(ctx, NGX_HTTP_NOT_FOUND, "no_such_path", "There is no resource at this path; GET /v1/openapi.json lists those that are.");
        return false;
    }

    ctx->op = ngx_pos_route_method(resource, r->method);
    if (ctx->op != NULL) {
        return true;
    }

    if (ngx_pos_header(ctx, "Allow", resource->allow) != NGX_OK) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return false;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        ngx_pos_answer(ctx, NGX_HTTP_NO_CONTENT, pos_str(""), pos_str(""));
        return false;
    }

    ngx_pos_problem(ctx, NGX_HTTP_NOT_ALLOWED, "method_not_allowed",
        "The resource does not take this method; the Allow field lists those it takes.");

    return false;
}

static ngx_int_t
ngx_pos_request_begin(ngx_pos_ctx_t *ctx)
{
    bool                       has_body;
    ngx_http_request_t        *r = ctx->request;
    const ngx_pos_operation_t *op;

    if (!ngx_pos_request_route(ctx)) {
        return NGX_DONE;
    }
    op = ctx->op;

    ctx->generation = ngx_pos_worker.conf->replica.len ? ngx_pos_generation_acquire() : NULL;

    if (!op->is_public && !ngx_pos_auth(ctx)) {
        return NGX_DONE;
    }

    if (op->native != NULL && op->native->needs_book && ctx->generation == NULL) {
        ngx_pos_problem_unavailable(ctx, "replica_unavailable", "The price book is not here yet.");
        return NGX_DONE;
    }

    if (!ngx_pos_body_acceptable(ctx)) {
        return NGX_DONE;
    }

    has_body = r->headers_in.content_length_n > 0 || r->headers_in.chunked
#if (NGX_HTTP_V2)
        || (r->stream != NULL && !r->stream->in_closed)
#endif
        ;

    if (op->media_count > 0 && has_body) {
        return ngx_pos_body_read(ctx);
    }

    ngx_pos_request_run(r);

    return NGX_DONE;
}

ngx_int_t
ngx_pos_request_handler(ngx_http_request_t *r)
{
    ngx_int_t      rc;
    ngx_pos_ctx_t *ctx;

    ctx = ngx_pos_request_create(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* one reference for the way through; reading a body takes its own */
    r->main->count++;

    rc = ngx_pos_request_begin(ctx);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        r->main->count--;
        return rc;
    }

    return NGX_DONE;
}

void
ngx_pos_request_run(ngx_http_request_t *r)
{
    ngx_uint_t     status = 422;
    ngx_pos_ctx_t *ctx = ngx_pos_ctx(r);

    if (ctx->body.len == 0 && ctx->op->body_required
        && !(ctx->op->prepare && ctx->op->prepare->file_body && r->request_body && r->request_body->temp_file))
    {
        ngx_pos_problem(ctx, NGX_HTTP_BAD_REQUEST, "body_missing", "This operation needs a body.");
        return;
    }

    ngx_pos_validate(ctx, &status);

    if (ctx->faults.count > 0) {
        if (status == NGX_HTTP_BAD_REQUEST) {
            ngx_pos_problem_faults(ctx, status, "invalid_json", "The body is not JSON as it must be.");
        } else {
            ngx_pos_problem_faults(ctx, status, "invalid_request", "The request does not fit the contract.");
        }
        return;
    }

    if (ctx->op->prepare != NULL) {
        ctx->op->prepare->handler(ctx);
        return;
    }

    ngx_pos_request_dispatch(ctx);
}

void
ngx_pos_request_dispatch(ngx_pos_ctx_t *ctx)
{
    if (ctx->op->native != NULL) {
        ctx->op->native->handler(ctx);
        return;
    }

    ngx_pos_sql_call(ctx);
}

void
ngx_pos_request_finish(ngx_pos_ctx_t *ctx, ngx_int_t rc)
{
    bool                suspended = ctx->suspended;
    ngx_connection_t   *c = ctx->request->connection;
    ngx_http_request_t *r = ctx->request;

    ngx_http_finalize_request(r, rc);

    if (suspended) {
        ngx_http_run_posted_requests(c);
    }
}

void
ngx_pos_request_suspend(ngx_pos_ctx_t *ctx)
{
    ctx->suspended = 1;
    ctx->request->read_event_handler = ngx_http_test_reading;
    ctx->request->write_event_handler = ngx_http_request_empty_handler;
}
