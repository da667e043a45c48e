/* Sending: fields every answer carries, the body straight from where it was
 * written, and, where it is asked for, the check of what we say ourselves. */

#include "ngx_pos_contract.h"

#define NGX_POS_TOGETHER_MAX  32   /* answers; so the first waits for few */

ngx_int_t
ngx_pos_answer_header(ngx_pos_ctx_t *ctx, const char *name, size_t name_len, pos_str_t value)
{
    ngx_table_elt_t *h;

    h = ngx_list_push(&ctx->request->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = name_len;
    h->value = ngx_pos_ngx_str(value);
    h->lowcase_key = (u_char *) name;

    return NGX_OK;
}

/* Is `etag` among the list of an If-None-Match? Weak comparison (RFC 9110). */
bool
ngx_pos_answer_matches(ngx_pos_ctx_t *ctx, pos_str_t etag)
{
    u_char          *p, *end, *start;
    ngx_table_elt_t *header = ctx->request->headers_in.if_none_match;

    if (header == NULL) {
        return false;
    }

    p = header->value.data;
    end = p + header->value.len;

    while (p < end) {
        while (p < end && (*p == ' ' || *p == ',')) {
            p++;
        }
        if (end - p >= 2 && p[0] == 'W' && p[1] == '/') {
            p += 2;
        }
        start = p;
        if (p < end && *p == '"') {
            p++;
            while (p < end && *p != '"') {
                p++;
            }
            p++;
        } else {
            while (p < end && *p != ',' && *p != ' ') {
                p++;
            }
        }
        if (p > end) {
            p = end;
        }
        if ((size_t) (p - start) == etag.len && ngx_memcmp(start, etag.data, etag.len) == 0) {
            return true;
        }
        if (p - start == 1 && *start == '*') {
            return true;
        }
    }

    return false;
}

ngx_int_t
ngx_pos_answer_begin(ngx_pos_ctx_t *ctx, ngx_uint_t status, pos_str_t content_type)
{
    ngx_http_request_t *r = ctx->request;

    ctx->answered = 1;
    /* If-Match was judged in the change's own transaction, before the change:
     * nginx would compare it with the new ETag and answer 412 to a success. */
    r->disable_not_modified = 1;

    if (ngx_pos_header(ctx, "Request-Id", pos_str_z(ctx->request_id)) != NGX_OK
        || (ctx->revision.len > 0 && ngx_pos_header(ctx, "Pos-Revision", ctx->revision) != NGX_OK))
    {
        return NGX_ERROR;
    }

    r->headers_out.status = status;
    if (status == 422) {
        ngx_str_set(&r->headers_out.status_line, "422 Unprocessable Content");
    } else if (status == 428) {
        ngx_str_set(&r->headers_out.status_line, "428 Precondition Required");
    } else if (status == 429) {
        ngx_str_set(&r->headers_out.status_line, "429 Too Many Requests");
    } else if (status == 431) {
        ngx_str_set(&r->headers_out.status_line, "431 Request Header Fields Too Large");
    }
    r->headers_out.content_type = ngx_pos_ngx_str(content_type);
    r->headers_out.content_type_len = content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    return ngx_http_send_header(r);
}

/* True: the answer is what the contract promises. */
static bool
ngx_pos_answer_check(ngx_pos_ctx_t *ctx, ngx_uint_t status, pos_str_t type, pos_str_t body)
{
    bool                   known;
    pos_json_t            *json;
    pos_faults_t           faults;
    pos_status_t           rc;
    const ngx_pos_media_t *media;
    const pos_fault_t     *fault;

    media = ngx_pos_contract_response(ctx->op, status, type, &known);

    if (!known) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
            "operation \"%*s\" answered status %ui, which its contract does not list", ctx->op->id.len,
            ctx->op->id.data, status);
        return status >= 400;
    }

    if (media == NULL || !media->json || media->schema == NULL || body.len == 0) {
        return true;
    }

    pos_faults_init(&faults, ctx->arena);
    rc = pos_json_read(ngx_pos_worker.reader, body, ctx->arena, &faults, &json);
    if (rc == POS_OK) {
        rc = pos_schema_validate(media->schema, json, pos_str(""), &faults);
    }
    if (rc == POS_OK) {
        return true;
    }

    for (fault = faults.first; fault != NULL; fault = fault->next) {
        ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0,
            "operation \"%*s\" answered %ui against its contract: %*s: %*s", ctx->op->id.len, ctx->op->id.data,
            status, fault->pointer.len, fault->pointer.data, fault->message.len, fault->message.data);
    }

    return false;
}

static pos_str_t
ngx_pos_answer_replace(ngx_pos_ctx_t *ctx)
{
    pos_writer_t w;

    ctx->code = "contract_broken";
    pos_faults_init(&ctx->faults, ctx->arena);
    pos_writer_init(&w, ctx->arena, 512, 4096);
    ngx_pos_problem_write(ctx, &w, 500, pos_str("contract_broken"),
        pos_str("The answer did not fit the contract; it is logged."), pos_str(""), NULL);

    return pos_writer_result(&w);
}

ngx_int_t
ngx_pos_answer_send(ngx_pos_ctx_t *ctx, ngx_uint_t status, pos_str_t content_type, pos_str_t body)
{
    ngx_int_t           rc;
    ngx_buf_t          *b;
    ngx_chain_t         out;
    ngx_http_request_t *r = ctx->request;

    if (ngx_pos_worker.conf->check_responses && ctx->op != NULL
        && !ngx_pos_answer_check(ctx, status, content_type, body))
    {
        status = NGX_HTTP_INTERNAL_SERVER_ERROR;
        content_type = pos_str("application/problem+json");
        body = ngx_pos_answer_replace(ctx);
    }

    if (!r->discard_body && (r->request_body == NULL || r->reading_body)) {
        rc = ngx_http_discard_request_body(r);
        if (rc != NGX_OK) {
            r->keepalive = 0;
        }
    }

    if (status == NGX_HTTP_NO_CONTENT || status == NGX_HTTP_NOT_MODIFIED) {
        body.len = 0;
    }

    r->headers_out.content_length_n = (off_t) body.len;
    if (status == NGX_HTTP_NO_CONTENT || status == NGX_HTTP_NOT_MODIFIED) {
        r->headers_out.content_length_n = -1;
    }

    rc = ngx_pos_answer_begin(ctx, status, body.len ? content_type : pos_str(""));
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    if (body.len > 0) {
        b->pos = b->start = (u_char *) body.data;
        b->last = b->end = b->pos + body.len;
        b->memory = 1;
    }
    b->last_buf = r == r->main;
    b->last_in_chain = 1;
    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}

void
ngx_pos_answer(ngx_pos_ctx_t *ctx, ngx_uint_t status, pos_str_t content_type, pos_str_t body)
{
    ngx_pos_request_finish(ctx, ngx_pos_answer_send(ctx, status, content_type, body));
}

/* ---- answers that leave together ---- */

void
ngx_pos_answer_forget(ngx_pos_ctx_t *ctx)
{
    if (ctx->queued) {
        ctx->queued = 0;
        ngx_queue_remove(&ctx->together);
        ngx_pos_worker.together_count--;
    }
}

/* Sending one may end others (streams of one connection that breaks): those have
 * left the queue by then. */
static void
ngx_pos_answer_flush(void)
{
    ngx_queue_t   *queue = &ngx_pos_worker.together;
    ngx_pos_ctx_t *ctx;

    while (!ngx_queue_empty(queue)) {
        ctx = ngx_queue_data(ngx_queue_head(queue), ngx_pos_ctx_t, together);
        ngx_pos_answer_forget(ctx);
        ngx_pos_answer(ctx, ctx->status, ctx->answer_type, ctx->answer);
    }
}

static void
ngx_pos_answer_event(ngx_event_t *ev)
{
    ngx_pos_answer_flush();
}

void
ngx_pos_answer_init(ngx_cycle_t *cycle)
{
    ngx_pos_worker_t *worker = &ngx_pos_worker;

    ngx_queue_init(&worker->together);
    worker->together_count = 0;
    worker->together_event.handler = ngx_pos_answer_event;
    worker->together_event.log = cycle->log;
}

void
ngx_pos_answer_together(ngx_pos_ctx_t *ctx, ngx_uint_t status, pos_str_t content_type, pos_str_t body)
{
    ngx_pos_worker_t *worker = &ngx_pos_worker;

    ctx->status = status;
    ctx->answer_type = content_type;
    ctx->answer = body;
    ctx->queued = 1;
    ngx_queue_insert_tail(&worker->together, &ctx->together);
    ngx_pos_request_suspend(ctx);

    if (++worker->together_count == NGX_POS_TOGETHER_MAX) {
        ngx_pos_answer_flush();
        return;
    }

    if (!worker->together_event.posted) {
        ngx_post_event(&worker->together_event, &ngx_posted_events);
    }
}
