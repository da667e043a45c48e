/* Problem answers (RFC 9457). What a client may see is said here and in the
 * catalogue docs/errors.md; no SQL, path or stack ever is. */

#include "ngx_pos_contract.h"

const char *
ngx_pos_status_title(ngx_uint_t status)
{
    switch (status) {
    case 400:
        return "Bad request";
    case 401:
        return "Key needed";
    case 403:
        return "Not allowed";
    case 404:
        return "Not found";
    case 405:
        return "Method not allowed";
    case 406:
        return "Not acceptable";
    case 408:
        return "Request timed out";
    case 409:
        return "Conflict";
    case 412:
        return "Precondition failed";
    case 413:
        return "Too large";
    case 411:
        return "Length required";
    case 414:
        return "Too long";
    case 415:
        return "Unsupported media type";
    case 421:
        return "Misdirected";
    case 422:
        return "Invalid request";
    case 428:
        return "Precondition required";
    case 429:
        return "Too many requests";
    case 431:
        return "Header fields too large";
    case 501:
        return "Not implemented";
    case 503:
        return "Unavailable";
    case 504:
        return "Timed out";
    case 505:
        return "HTTP version not supported";
    case 507:
        return "No space left";
    default:
        return status >= 500 ? "Internal error" : "Refused";
    }
}

static void
ngx_pos_problem_fault_list(pos_writer_t *w, const pos_faults_t *faults)
{
    const pos_fault_t *fault;

    pos_write_key(w, "errors");
    pos_write_array_begin(w);

    for (fault = faults->first; fault != NULL; fault = fault->next) {
        pos_write_object_begin(w);
        pos_write_key(w, "pointer");
        pos_write_string(w, fault->pointer);
        pos_write_key(w, "code");
        pos_write_string(w, pos_str_z(fault->code));
        pos_write_key(w, "message");
        pos_write_string(w, fault->message);
        if (fault->line > 0) {
            pos_write_key(w, "line");
            pos_write_int(w, fault->line);
        }
        /* a fault of a script's run has a line only */
        if (fault->line > 0 && fault->column > 0) {
            pos_write_key(w, "column");
            pos_write_int(w, fault->column);
        }
        pos_write_object_end(w);
    }

    pos_write_array_end(w);
}

void
ngx_pos_problem_write(ngx_pos_ctx_t *ctx, pos_writer_t *w, ngx_uint_t status, pos_str_t code, pos_str_t detail,
    pos_str_t errors, const pos_json_t *extra)
{
    pos_str_t         type;
    const pos_json_t *v;

    type = pos_arena_printf(ctx->arena, "/docs/errors#%.*s", (int) code.len, code.data);

    pos_write_object_begin(w);
    pos_write_key(w, "type");
    pos_write_string(w, type);
    pos_write_key(w, "title");
    pos_write_string(w, pos_str_z(ngx_pos_status_title(status)));
    pos_write_key(w, "status");
    pos_write_int(w, status);
    pos_write_key(w, "detail");
    pos_write_string(w, detail);
    pos_write_key(w, "code");
    pos_write_string(w, code);
    pos_write_key(w, "request_id");
    pos_write_string(w, pos_str_z(ctx->request_id));

    if (errors.len > 0) {
        pos_write_key(w, "errors");
        pos_write_raw(w, errors);

    } else if (ctx->faults.count > 0) {
        ngx_pos_problem_fault_list(w, &ctx->faults);
    }

    for (v = extra ? extra->first : NULL; v != NULL; v = v->next) {
        if (!pos_str_eq(v->key, pos_str("code")) && !pos_str_eq(v->key, pos_str("detail"))
            && !pos_str_eq(v->key, pos_str("errors")) && !pos_str_eq(v->key, pos_str("headers"))
            && !pos_str_eq(v->key, pos_str("status")))
        {
            pos_write_key_str(w, v->key);
            pos_write_json(w, v);
        }
    }

    pos_write_object_end(w);
}

static void
ngx_pos_problem_send(ngx_pos_ctx_t *ctx, ngx_uint_t status, const char *code, const char *detail)
{
    pos_writer_t w;

    ctx->code = code;
    pos_writer_init(&w, ctx->arena, 1024, 1024 * 1024);
    ngx_pos_problem_write(ctx, &w, status, pos_str_z(code), pos_str_z(detail), pos_str(""), NULL);

    if (w.status != POS_OK) {
        ngx_pos_request_finish(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_pos_answer(ctx, status, pos_str("application/problem+json"), pos_writer_result(&w));
}

void
ngx_pos_problem(ngx_pos_ctx_t *ctx, ngx_uint_t status, const char *code, const char *detail)
{
    pos_faults_init(&ctx->faults, ctx->arena);
    ngx_pos_problem_send(ctx, status, code, detail);
}

void
ngx_pos_problem_faults(ngx_pos_ctx_t *ctx, ngx_uint_t status, const char *code, const char *detail)
{
    ngx_pos_problem_send(ctx, status, code, detail);
}

void
ngx_pos_problem_unavailable(ngx_pos_ctx_t *ctx, const char *code, const char *detail)
{
    if (ngx_pos_header(ctx, "Retry-After", pos_str("1")) != NGX_OK) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    ngx_pos_problem(ctx, NGX_HTTP_SERVICE_UNAVAILABLE, code, detail);
}
