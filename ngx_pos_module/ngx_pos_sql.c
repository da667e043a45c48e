/*
 * An operation served by PostgreSQL: the request as one JSON value, one call of
 * api.<operation_id>, its row as the answer. The body goes in as it was sent
 * (read and checked before), the answer goes out from libpq's own memory.
 */

#include "ngx_pos_contract.h"
#include "ngx_pos_generation.h"
#include "ngx_pos_metrics.h"
#include "ngx_pos_pg.h"

#define NGX_POS_SQL_REQUEST_MAX  (64 * 1024 * 1024)

/* ---- the request ---- */

static void
ngx_pos_sql_write_params(ngx_pos_ctx_t *ctx, pos_writer_t *w, ngx_pos_in_e in)
{
    uint32_t               i;
    const ngx_pos_param_t *param;

    pos_write_object_begin(w);

    for (i = 0; i < ctx->op->param_count; i++) {
        param = &ctx->op->params[i];
        if (param->in != in || ctx->values[i] == NULL) {
            continue;
        }
        pos_write_key_str(w, in == NGX_POS_IN_HEADER ? param->lowcase : param->name);
        pos_write_json(w, ctx->values[i]);
    }

    pos_write_object_end(w);
}

static void
ngx_pos_sql_write_actor(ngx_pos_ctx_t *ctx, pos_writer_t *w, pos_str_t retailer)
{
    const ngx_pos_key_t *key = ctx->key;

    if (key == NULL) {
        pos_write_null(w);
        return;
    }

    pos_write_object_begin(w);
    pos_write_key(w, "key_id");
    pos_write_string(w, key->id);
    pos_write_key(w, "retailer_id");
    pos_write_string(w, retailer);
    pos_write_key(w, "scopes");
    pos_write_raw(w, key->scopes_json);
    pos_write_key(w, "mode");
    pos_write_string(w, key->mode);
    pos_write_key(w, "store");
    if (key->store.len > 0) {
        pos_write_string(w, key->store);
    } else {
        pos_write_null(w);
    }
    pos_write_object_end(w);
}

/* Method, path, query and body as sent, with their lengths fixed by
 * separators that none of the first three can hold. */
static void
ngx_pos_sql_write_hash(ngx_pos_ctx_t *ctx, pos_writer_t *w)
{
    char         hex[2 * POS_SHA256_SIZE];
    uint8_t      digest[POS_SHA256_SIZE];
    pos_sha256_t sha;

    pos_sha256_init(&sha);
    pos_sha256_update(&sha, ngx_pos_str(ctx->request->method_name));
    pos_sha256_update(&sha, pos_str(" "));
    pos_sha256_update(&sha, ctx->path);
    pos_sha256_update(&sha, pos_str("?"));
    pos_sha256_update(&sha, ctx->query);
    pos_sha256_update(&sha, pos_str("\n"));
    pos_sha256_update(&sha,
        ctx->has_body_digest ? pos_str_of((char *) ctx->body_digest, sizeof(ctx->body_digest)) : ctx->body);
    pos_sha256_final(&sha, digest);
    pos_hex(pos_str_of((char *) digest, sizeof(digest)), hex);

    pos_write_key(w, "request_hash");
    pos_write_string(w, pos_str_of(hex, sizeof(hex)));
}

static void
ngx_pos_sql_write_body(ngx_pos_ctx_t *ctx, pos_writer_t *w)
{
    pos_write_key(w, "body");

    if (ctx->json != NULL) {
        pos_write_raw(w, ctx->body);
    } else if (ctx->body.len > 0) {
        pos_write_string(w, ctx->body);
    } else {
        pos_write_null(w);
    }

    pos_write_key(w, "content_type");
    if (ctx->content_type.len > 0) {
        pos_write_string(w, ctx->content_type);
    } else {
        pos_write_null(w);
    }
}

static pos_status_t
ngx_pos_sql_request(ngx_pos_ctx_t *ctx, pos_str_t retailer, const char **out)
{
    ngx_time_t  *tp = ngx_timeofday();
    pos_writer_t w;

    pos_writer_init(&w, ctx->arena, 1024 + ctx->body.len + ctx->prepared.len, NGX_POS_SQL_REQUEST_MAX);

    pos_write_object_begin(&w);
    pos_write_key(&w, "method");
    pos_write_string(&w, ngx_pos_str(ctx->request->method_name));
    pos_write_key(&w, "path");
    ngx_pos_sql_write_params(ctx, &w, NGX_POS_IN_PATH);
    pos_write_key(&w, "query");
    ngx_pos_sql_write_params(ctx, &w, NGX_POS_IN_QUERY);
    pos_write_key(&w, "headers");
    ngx_pos_sql_write_params(ctx, &w, NGX_POS_IN_HEADER);
    ngx_pos_sql_write_body(ctx, &w);
    pos_write_key(&w, "actor");
    ngx_pos_sql_write_actor(ctx, &w, retailer);
    pos_write_key(&w, "idempotency_key");
    if (ctx->idempotency_key.len > 0) {
        pos_write_string(&w, ctx->idempotency_key);
    } else {
        pos_write_null(&w);
    }
    ngx_pos_sql_write_hash(ctx, &w);
    pos_write_key(&w, "at");
    pos_write_time(&w, (int64_t) tp->sec * 1000000 + tp->msec * 1000);
    pos_write_key(&w, "request_id");
    pos_write_string(&w, pos_str_z(ctx->request_id));
    pos_write_key(&w, "prepared");
    if (ctx->prepared.len > 0) {
        pos_write_raw(&w, ctx->prepared);
    } else {
        pos_write_null(&w);
    }
    pos_write_object_end(&w);
    pos_write_bytes(&w, pos_str_of("", 1));

    *out = pos_writer_result(&w).data;

    return w.status;
}

/* ---- the answer ---- */

static void
ngx_pos_sql_clear(void *data)
{
    PQclear(data);
}

static bool
ngx_pos_sql_header_allowed(pos_str_t name, pos_str_t value)
{
    size_t                  i;
    static const pos_str_t ours[] = { pos_str("content-length"), pos_str("connection"),
        pos_str("transfer-encoding"), pos_str("request-id"), pos_str("date"), pos_str("server") };

    for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (name.len == ours[i].len && strncasecmp(name.data, ours[i].data, name.len) == 0) {
            return false;
        }
    }

    for (i = 0; i < value.len; i++) {
        if ((u_char) value.data[i] < 0x20 || value.data[i] == 0x7f) {
            return false;
        }
    }

    return name.len > 0;
}

/* Puts the row's headers on the answer; the content type and the tag are
 * handed out, since they decide more than a line. */
static ngx_int_t
ngx_pos_sql_headers(ngx_pos_ctx_t *ctx, const pos_json_t *headers, pos_str_t *type, pos_str_t *etag)
{
    pos_str_t         name;
    const pos_json_t *h;

    for (h = headers && headers->type == POS_JSON_OBJECT ? headers->first : NULL; h != NULL; h = h->next) {
        if (h->type != POS_JSON_STRING && h->type != POS_JSON_NUMBER) {
            continue;
        }
        if (!ngx_pos_sql_header_allowed(h->key, h->text)) {
            continue;
        }

        if (h->key.len == 12 && strncasecmp(h->key.data, "content-type", 12) == 0) {
            *type = h->text;
            continue;
        }
        if (h->key.len == 4 && strncasecmp(h->key.data, "etag", 4) == 0) {
            *etag = h->text;
        }
        if (h->key.len == 12 && strncasecmp(h->key.data, "pos-revision", 12) == 0) {
            ctx->revision = h->text;
            continue;
        }

        name = h->key;
        if (ngx_pos_answer_header(ctx, name.data, name.len, h->text) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

static pos_status_t
ngx_pos_sql_read(ngx_pos_ctx_t *ctx, pos_str_t text, pos_json_t **out)
{
    pos_faults_t faults;

    *out = NULL;
    if (text.len == 0) {
        return POS_OK;
    }

    pos_faults_init(&faults, ctx->arena);

    return pos_json_read(ngx_pos_worker.reader, text, ctx->arena, &faults, out);
}

static pos_str_t
ngx_pos_sql_value(const PGresult *result, int column)
{
    return PQgetisnull(result, 0, column)
        ? pos_str("")
        : pos_str_of(PQgetvalue(result, 0, column), PQgetlength(result, 0, column));
}

static void
ngx_pos_sql_broken(ngx_pos_ctx_t *ctx, const char *why)
{
    ngx_log_error(NGX_LOG_ERR, ctx->request->connection->log, 0, "operation \"%*s\": %s", ctx->op->id.len,
        ctx->op->id.data, why);
    ngx_pos_problem(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "internal", "The operation failed; it is logged.");
}

static void
ngx_pos_sql_answer(ngx_pos_ctx_t *ctx, PGresult *result)
{
    ngx_int_t           status;
    pos_str_t           body, type, etag, text;
    pos_json_t         *headers, *json;
    ngx_pool_cleanup_t *cleanup;

    cleanup = ngx_pool_cleanup_add(ctx->request->pool, 0);
    if (cleanup == NULL) {
        PQclear(result);
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }
    cleanup->handler = ngx_pos_sql_clear;
    cleanup->data = result;

    text = ngx_pos_sql_value(result, 0);
    status = ngx_atoi((u_char *) text.data, text.len);
    body = ngx_pos_sql_value(result, 1);
    type = pos_str("application/json");
    etag = pos_str("");

    if (status < 200 || status > 599 || ngx_pos_sql_read(ctx, ngx_pos_sql_value(result, 2), &headers) != POS_OK) {
        ngx_pos_sql_broken(ctx, "the function's row is no answer");
        return;
    }

    if (status >= 400) {
        type = pos_str("application/problem+json");
    }

    if (ngx_pos_sql_headers(ctx, headers, &type, &etag) != NGX_OK) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    if (status == 200 && ctx->op->method == NGX_HTTP_GET && etag.len > 0 && ngx_pos_answer_matches(ctx, etag)) {
        ngx_pos_answer(ctx, NGX_HTTP_NOT_MODIFIED, type, pos_str(""));
        return;
    }

    /* Text that is not JSON travels as a JSON string. */
    if (body.len > 1 && body.data[0] == '"' && strstr(type.data, "json") == NULL) {
        if (ngx_pos_sql_read(ctx, body, &json) != POS_OK) {
            ngx_pos_sql_broken(ctx, "the function's text cannot be read");
            return;
        }
        body = json->text;
    }

    ngx_pos_answer(ctx, status, type, body);
}

void
ngx_pos_sql_failed(ngx_pos_ctx_t *ctx, const ngx_pos_pg_call_t *call)
{
    switch (call->outcome) {
    case NGX_POS_PG_REFUSED:
        ngx_pos_sql_refusal(ctx, call->sqlstate, call->message, call->detail);
        return;

    case NGX_POS_PG_OVERLOADED:
        ngx_pos_problem_unavailable(ctx, "overloaded", "Too much is being asked at once. Try again shortly.");
        return;

    case NGX_POS_PG_TIMED_OUT:
        ngx_pos_problem(ctx, NGX_HTTP_GATEWAY_TIME_OUT, "database_timeout",
            "The database took too long. The request may have been carried out: repeat it with the same "
            "Idempotency-Key.");
        return;

    case NGX_POS_PG_UNKNOWN:
        ngx_pos_problem_unavailable(ctx, "outcome_unknown",
            "The connection to the database was lost. The request may have been carried out: repeat it with "
            "the same Idempotency-Key.");
        return;

    case NGX_POS_PG_DONE:
    case NGX_POS_PG_UNAVAILABLE:
        break;
    }

    ngx_pos_problem_unavailable(ctx, "database_unavailable", "The database cannot be reached. Try again shortly.");
}

static void
ngx_pos_sql_done(ngx_pos_pg_call_t *call)
{
    ngx_pos_ctx_t *ctx = call->data;

    ctx->call = NULL;

    if (call->outcome == NGX_POS_PG_DONE) {
        ngx_pos_sql_answer(ctx, call->result);
        return;
    }

    ngx_pos_sql_failed(ctx, call);
}

pos_str_t
ngx_pos_sql_retailer(ngx_pos_ctx_t *ctx)
{
    pos_str_t       retailer = pos_str("");
    ngx_pos_shop_t *shop;

    if (ctx->key != NULL) {
        retailer = ctx->key->retailer;
        shop = ngx_pos_generation_shop(ctx->generation, ctx->key->retailer_no);
        if (shop != NULL) {
            retailer = pos_str_z(shop->head.id);
        }
    }

    return pos_arena_printf(ctx->arena, "%.*s", (int) retailer.len, retailer.data);
}

void
ngx_pos_sql_call(ngx_pos_ctx_t *ctx)
{
    pos_str_t          retailer;
    ngx_pos_pg_call_t *call;

    if (ngx_pos_worker.pg == NULL) {
        ngx_pos_problem_unavailable(ctx, "database_unavailable", "There is no database here.");
        return;
    }

    retailer = ngx_pos_sql_retailer(ctx);

    call = pos_arena_zalloc(ctx->arena, sizeof(ngx_pos_pg_call_t));
    if (call == NULL || retailer.data == NULL
        || ngx_pos_sql_request(ctx, retailer, &call->request) != POS_OK)
    {
        ngx_pos_sql_broken(ctx, "no memory for the request");
        return;
    }

    call->statement = ctx->op->statement;
    call->statement_index = ctx->op->index + 1;
    call->sql = ctx->op->sql;
    call->retailer = retailer.data;
    call->repeatable = ctx->op->method == NGX_HTTP_GET || ctx->op->method == NGX_HTTP_PUT
        || ctx->op->method == NGX_HTTP_DELETE || ctx->idempotency_key.len > 0;
    call->writes = ctx->op->method != NGX_HTTP_GET;
    call->handler = ngx_pos_sql_done;
    call->data = ctx;
    ctx->call = call;

    ngx_pos_request_suspend(ctx);
    ngx_pos_pg_submit(ngx_pos_worker.pg, call);
}
