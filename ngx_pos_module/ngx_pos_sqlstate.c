/*
 * What the database refused, as an answer. Our own codes (POS..) carry what to
 * say in their detail; PostgreSQL's are mapped by class and say nothing of
 * their text to the client.
 */

#include "ngx_pos_contract.h"
#include "ngx_pos_metrics.h"

typedef struct {
    const char *sqlstate;     /* five characters, or two: the whole class     */
    ngx_uint_t  status;
    const char *code;
    const char *detail;
    unsigned    retry:1;      /* Retry-After                                  */
    unsigned    log:1;        /* not the client's fault                       */
} ngx_pos_refusal_t;

static const ngx_pos_refusal_t ngx_pos_refusals[] = {
    { "POS00", 422, "invalid_request", "The request cannot be carried out as it is.", 0, 0 },
    { "POS03", 403, "forbidden", "The key may not do this.", 0, 0 },
    { "POS04", 404, "not_found", "There is no such thing.", 0, 0 },
    { "POS09", 409, "conflict", "The thing is not in a state that allows this.", 0, 0 },
    { "POS12", 412, "precondition_failed", "The thing has changed since it was read.", 0, 0 },
    { "POS28", 428, "precondition_required", "Send If-Match with the tag that was read.", 0, 0 },
    { "POS22", 422, "idempotency_key_reused", "This Idempotency-Key was used for another request.", 0, 0 },
    { "POS10", 409, "in_progress", "The same request is being carried out.", 1, 0 },
    { "POS11", 409, "in_progress", "The same request is being carried out.", 1, 0 },
    { "57014", 504, "database_timeout", "The database took too long; nothing was changed.", 0, 1 },
    { "55P03", 503, "busy", "Another request holds what this one needs. Try again shortly.", 1, 1 },
    { "40", 503, "busy", "Other requests were in the way. Try again shortly.", 1, 1 },
    { "53100", 507, "disk_full", "There is no space left; nothing was changed.", 1, 1 },
    { "53", 503, "database_unavailable", "The database has no room for this now.", 1, 1 },
    { "57", 503, "database_unavailable", "The database cannot be reached. Try again shortly.", 1, 1 },
    { "08", 503, "database_unavailable", "The database cannot be reached. Try again shortly.", 1, 1 },
    { "25006", 503, "database_unavailable", "The database takes no changes now.", 1, 1 },
    { "42883", 503, "not_available", "The database does not know this operation yet.", 1, 1 },
    { "3F000", 503, "not_available", "The database does not know this operation yet.", 1, 1 },
    /* values that no schema can judge: numbers out of range, bytes that are no
     * text, times that do not exist; the rest of class 22 is a fault of ours */
    { "22003", 422, "invalid_value", "A number is out of range.", 0, 1 },
    { "22007", 422, "invalid_value", "A time is not valid.", 0, 1 },
    { "22008", 422, "invalid_value", "A time is out of range.", 0, 1 },
    { "22021", 422, "invalid_value", "A text holds characters that cannot be stored.", 0, 1 },
    { "22P02", 422, "invalid_value", "A value is not of the type it must be.", 0, 1 },
    { "22P05", 422, "invalid_value", "A text holds characters that cannot be stored.", 0, 1 },
    { "23", 409, "conflict", "The change would break a rule of the stored data.", 0, 1 },
    { "54", 422, "too_complex", "The request is too large or too complex.", 0, 1 },
    { NULL, 500, "internal", "The operation failed; it is logged.", 0, 1 }
};

static const ngx_pos_refusal_t *
ngx_pos_refusal_find(const char *sqlstate)
{
    const ngx_pos_refusal_t *r;

    for (r = ngx_pos_refusals; r->sqlstate != NULL; r++) {
        if (ngx_strncmp(r->sqlstate, sqlstate, ngx_strlen(r->sqlstate)) == 0) {
            break;
        }
    }

    return r;
}

static pos_str_t
ngx_pos_refusal_text(const pos_json_t *detail, const char *name, const char *fallback)
{
    const pos_json_t *v = pos_json_get(detail, name);

    return v != NULL && v->type == POS_JSON_STRING && v->text.len > 0 ? v->text : pos_str_z(fallback);
}

static ngx_int_t
ngx_pos_refusal_headers(ngx_pos_ctx_t *ctx, const pos_json_t *detail, bool retry)
{
    const pos_json_t *headers, *h;

    headers = pos_json_get(detail, "headers");
    for (h = headers ? headers->first : NULL; h != NULL; h = h->next) {
        if (h->key.len == 11 && strncasecmp(h->key.data, "retry-after", 11) == 0) {
            retry = false;
        }
        if (memchr(h->text.data, '\n', h->text.len) == NULL && memchr(h->text.data, '\r', h->text.len) == NULL
            && ngx_pos_answer_header(ctx, h->key.data, h->key.len, h->text) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return retry ? ngx_pos_header(ctx, "Retry-After", pos_str("1")) : NGX_OK;
}

void
ngx_pos_sql_refusal(ngx_pos_ctx_t *ctx, const char *sqlstate, const char *message, const char *text)
{
    bool                     ours = ngx_strncmp(sqlstate, "POS", 3) == 0;
    pos_str_t                code, detail;
    pos_json_t              *json = NULL;
    pos_writer_t             w;
    pos_faults_t             faults;
    const pos_json_t        *errors;
    const ngx_pos_refusal_t *r = ngx_pos_refusal_find(sqlstate);
    ngx_uint_t               level = r->log ? NGX_LOG_ERR : NGX_LOG_INFO;

    ngx_log_error(level, ctx->request->connection->log, 0,
        "operation \"%*s\": database says %s: %s", ctx->op->id.len, ctx->op->id.data, sqlstate, message);

    if (ngx_strcmp(r->code, "not_available") == 0) {
        ngx_pos_metrics_mine()->missing_functions++;
        ngx_pos_metrics_mine()->missing_at = ngx_time();
    }

    if (ours && text[0] != '\0') {
        pos_faults_init(&faults, ctx->arena);
        if (pos_json_read(ngx_pos_worker.reader, pos_str_z(text), ctx->arena, &faults, &json) != POS_OK) {
            json = NULL;
        }
    }

    code = ngx_pos_refusal_text(json, "code", r->code);
    detail = ngx_pos_refusal_text(json, "detail", ours && message[0] != '\0' ? message : r->detail);
    code = pos_arena_str(ctx->arena, code);
    detail = pos_arena_str(ctx->arena, detail);
    errors = pos_json_get(json, "errors");

    if (code.data == NULL || detail.data == NULL || ngx_pos_refusal_headers(ctx, json, r->retry) != NGX_OK) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    ctx->code = code.data;
    pos_writer_init(&w, ctx->arena, 1024, 4 * 1024 * 1024);
    ngx_pos_problem_write(ctx, &w, r->status, code, detail,
        errors != NULL && errors->type == POS_JSON_ARRAY && errors->count > 0 ? errors->text : pos_str(""), json);

    ngx_pos_answer(ctx, r->status, pos_str("application/problem+json"), pos_writer_result(&w));
}
