/*
 * Reading the body: from nginx's buffers, from its temp file, in pieces when
 * nobody said how long it will be (chunked, or HTTP/2 without a length), so that
 * the operation's own limit is kept whatever way it comes.
 */

#include "ngx_pos_contract.h"

/* Media type without parameters, lower case; false: a charset not UTF-8. */
static bool
ngx_pos_body_type(ngx_pos_ctx_t *ctx, ngx_str_t value, pos_str_t *out)
{
    char   *lower;
    size_t  i, len;
    u_char *charset;

    for (len = 0; len < value.len && value.data[len] != ';'; len++) {
        /* void */
    }
    charset = ngx_strlcasestrn(value.data + len, value.data + value.len, (u_char *) "charset=", 8 - 1);
    while (len > 0 && value.data[len - 1] == ' ') {
        len--;
    }

    lower = pos_arena_alloc(ctx->arena, len + 1);
    if (lower == NULL) {
        return false;
    }
    for (i = 0; i < len; i++) {
        lower[i] = ngx_tolower(value.data[i]);
    }
    *out = pos_str_of(lower, len);

    if (charset == NULL) {
        return true;
    }
    charset += 8;
    if (charset < value.data + value.len && *charset == '"') {
        charset++;
    }

    return (size_t) (value.data + value.len - charset) >= 5
        && ngx_strncasecmp(charset, (u_char *) "utf-8", 5) == 0;
}

static const ngx_pos_media_t *
ngx_pos_body_media(const ngx_pos_operation_t *op, pos_str_t type)
{
    uint32_t i;

    for (i = 0; i < op->media_count; i++) {
        if (pos_str_eq(op->media[i].type, type)) {
            return &op->media[i];
        }
    }

    return NULL;
}

static void
ngx_pos_body_refuse_type(ngx_pos_ctx_t *ctx)
{
    uint32_t     i;
    pos_writer_t w, detail;

    pos_writer_init(&w, ctx->arena, 128, 4096);
    for (i = 0; i < ctx->op->media_count; i++) {
        if (i > 0) {
            pos_write_bytes(&w, pos_str(", "));
        }
        pos_write_bytes(&w, ctx->op->media[i].type);
    }

    if (ngx_pos_header(ctx, "Accept", pos_writer_result(&w)) != NGX_OK) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    /* ends with a zero, where there was room */
    pos_writer_init(&detail, ctx->arena, 256, 4096);
    pos_write_bytes(&detail, pos_str("The Content-Type is missing or another than what this takes, in UTF-8: "));
    pos_write_bytes(&detail, pos_writer_result(&w));
    pos_write_bytes(&detail, pos_str_of(".", 2));

    ngx_pos_problem(ctx, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type",
        detail.status == POS_OK ? pos_writer_result(&detail).data : "The Content-Type is not one this takes.");
}

/* Nothing here inflates: a packed body is refused by its name, not as bytes that are no JSON. */
static bool
ngx_pos_body_plain(ngx_pos_ctx_t *ctx)
{
    bool      found;
    ngx_str_t coding;

    coding = ngx_pos_request_header(ctx->request, "content-encoding", sizeof("content-encoding") - 1, &found);
    if (!found || coding.len == 0
        || (coding.len == 8 && ngx_strncasecmp(coding.data, (u_char *) "identity", 8) == 0))
    {
        return true;
    }

    if (ngx_pos_header(ctx, "Accept-Encoding", pos_str("identity")) != NGX_OK) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return false;
    }

    ngx_pos_problem(ctx, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported_encoding",
        "The body has a Content-Encoding; send it as it is.");

    return false;
}

bool
ngx_pos_body_acceptable(ngx_pos_ctx_t *ctx)
{
    bool                       has_body;
    ngx_http_request_t        *r = ctx->request;
    const ngx_pos_operation_t *op = ctx->op;

    has_body = r->headers_in.content_length_n > 0 || r->headers_in.chunked;
#if (NGX_HTTP_V2)
    has_body = has_body || (r->stream != NULL && !r->stream->in_closed);
#endif

    if (!has_body) {
        if (op->body_required) {
            ngx_pos_problem(ctx, NGX_HTTP_BAD_REQUEST, "body_missing", "This operation needs a body.");
            return false;
        }
        return true;
    }

    if (op->media_count == 0) {
        /* A body nobody asked for is let go, as RFC 9110 allows. */
        return true;
    }

    if (r->headers_in.content_length_n > 0 && (uint64_t) r->headers_in.content_length_n > op->max_body) {
        ngx_pos_problem(ctx, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "body_too_large",
            "The body is larger than this operation takes.");
        return false;
    }

    if (r->headers_in.content_type == NULL
        || !ngx_pos_body_type(ctx, r->headers_in.content_type->value, &ctx->content_type)
        || ngx_pos_body_media(op, ctx->content_type) == NULL)
    {
        ngx_pos_body_refuse_type(ctx);
        return false;
    }

    return ngx_pos_body_plain(ctx);
}

/* All of it into one piece of memory; what is in one buffer stays there. */
static ngx_int_t
ngx_pos_body_gather(ngx_pos_ctx_t *ctx)
{
    char               *data, *p;
    size_t              size, len;
    ssize_t             n;
    ngx_buf_t          *b;
    ngx_chain_t        *cl;
    ngx_http_request_t *r = ctx->request;

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_OK;
    }

    cl = r->request_body->bufs;
    if (cl->next == NULL && !cl->buf->in_file) {
        ctx->body = pos_str_of((char *) cl->buf->pos, cl->buf->last - cl->buf->pos);
        return NGX_OK;
    }

    size = 0;
    for (cl = r->request_body->bufs; cl != NULL; cl = cl->next) {
        size += ngx_buf_size(cl->buf);
    }

    if (size > ctx->op->max_body) {
        return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
    }

    data = pos_arena_alloc(ctx->arena, size + 1);
    if (data == NULL) {
        return NGX_ERROR;
    }

    p = data;
    for (cl = r->request_body->bufs; cl != NULL; cl = cl->next) {
        b = cl->buf;
        len = ngx_buf_size(b);

        if (b->in_file) {
            n = ngx_read_file(b->file, (u_char *) p, len, b->file_pos);
            if (n != (ssize_t) len) {
                return NGX_ERROR;
            }
        } else {
            ngx_memcpy(p, b->pos, len);
        }
        p += len;
    }

    ctx->body = pos_str_of(data, size);

    return NGX_OK;
}

static void
ngx_pos_body_too_large(ngx_pos_ctx_t *ctx)
{
    ngx_http_request_t *r = ctx->request;

    r->keepalive = 0;
    ngx_pos_problem(ctx, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "body_too_large",
        "The body is larger than this operation takes.");
}

static void
ngx_pos_body_ready(ngx_http_request_t *r)
{
    ngx_int_t      rc;
    ngx_pos_ctx_t *ctx = ngx_pos_ctx(r);

    if (ctx->op->prepare != NULL && ctx->op->prepare->file_body) {
        ngx_pos_request_run(r);
        return;
    }

    rc = ngx_pos_body_gather(ctx);
    if (rc == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
        ngx_pos_body_too_large(ctx);
        return;
    }
    if (rc != NGX_OK) {
        ngx_pos_problem(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "internal", "The body could not be read.");
        return;
    }

    ngx_pos_request_run(r);
}

/* ---- in pieces ---- */

/* Takes over what has been read; false: too much. */
static ngx_int_t
ngx_pos_body_take(ngx_pos_ctx_t *ctx)
{
    char               *grown;
    size_t              len, room;
    ngx_chain_t        *cl;
    ngx_http_request_t *r = ctx->request;

    for (cl = r->request_body->bufs; cl != NULL; cl = cl->next) {
        len = ngx_buf_size(cl->buf);

        if (ctx->body.len + len > ctx->op->max_body) {
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }

        if (ctx->body.len + len > ctx->body_room) {
            room = ngx_max(2 * ctx->body_room, ctx->body.len + len);
            grown = pos_arena_alloc(ctx->arena, room);
            if (grown == NULL) {
                return NGX_ERROR;
            }
            if (ctx->body.len) {
                ngx_memcpy(grown, ctx->body_buffer, ctx->body.len);
            }
            ctx->body_buffer = grown;
            ctx->body_room = room;
        }

        ngx_memcpy(ctx->body_buffer + ctx->body.len, cl->buf->pos, len);
        ctx->body = pos_str_of(ctx->body_buffer, ctx->body.len + len);
        cl->buf->pos = cl->buf->last;
    }

    r->request_body->bufs = NULL;

    return NGX_OK;
}

static void
ngx_pos_body_more(ngx_http_request_t *r)
{
    ngx_int_t      rc;
    ngx_pos_ctx_t *ctx = ngx_pos_ctx(r);

    for (;;) {
        rc = ngx_pos_body_take(ctx);
        if (rc == NGX_HTTP_REQUEST_ENTITY_TOO_LARGE) {
            ngx_pos_body_too_large(ctx);
            return;
        }
        if (rc != NGX_OK) {
            ngx_pos_problem(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "internal", "The body could not be read.");
            return;
        }

        if (!r->reading_body) {
            r->read_event_handler = ngx_http_block_reading;
            ngx_pos_request_run(r);
            return;
        }

        rc = ngx_http_read_unbuffered_request_body(r);
        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
            ngx_pos_request_finish(ctx, rc);
            return;
        }
        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            r->read_event_handler = ngx_pos_body_more;
            return;
        }
    }
}

bool
ngx_pos_body_disk_full(ngx_http_request_t *r)
{
    static const u_char  page[4096];
    ngx_temp_file_t     *file = r->request_body ? r->request_body->temp_file : NULL;

    /* What nginx met is logged and forgotten: the file is asked once more. */
    return file != NULL && file->file.fd != NGX_INVALID_FILE
        && pwrite(file->file.fd, page, sizeof(page), file->file.offset) == -1
        && (ngx_errno == ENOSPC || ngx_errno == EDQUOT);
}

/* Reading takes a reference of its own, which stands for ours from here on: when
 * it fails later, nginx ends the request by itself and gives back just one. */
ngx_int_t
ngx_pos_body_read(ngx_pos_ctx_t *ctx)
{
    ngx_int_t           rc;
    ngx_http_request_t *r = ctx->request;

    r->main->count--;

    if (ctx->op->prepare != NULL && ctx->op->prepare->file_body) {
        r->request_body_in_file_only = 1;
        r->request_body_in_persistent_file = 1;
        r->request_body_in_clean_file = 1;
        r->request_body_file_group_access = 1;
        rc = ngx_http_read_client_request_body(r, ngx_pos_body_ready);

    } else if (r->headers_in.content_length_n < 0) {
        r->request_body_no_buffering = 1;
        rc = ngx_http_read_client_request_body(r, ngx_pos_body_more);

    } else {
        r->request_body_in_single_buf = 1;
        rc = ngx_http_read_client_request_body(r, ngx_pos_body_ready);
    }

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        r->main->count++;
        return rc;
    }

    return NGX_DONE;
}
