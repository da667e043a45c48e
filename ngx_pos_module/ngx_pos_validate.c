/*
 * Parameters and body against the contract, all faults in one pass. Pointers:
 * /path/<name>, /query/<name>, /headers/<name>; the body's own are bare.
 */

#include "ngx_pos_contract.h"

#define NGX_POS_QUERY_MAX  64

typedef struct {
    pos_str_t name, value;
    bool      used;
    bool      broken;    /* its value's percent-encoding */
} ngx_pos_pair_t;

static int
ngx_pos_hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes; `plus`: a + is a space. False: broken, or a NUL. */
static bool
ngx_pos_decode(pos_arena_t *arena, pos_str_t in, bool plus, pos_str_t *out)
{
    int    high, low;
    char  *data;
    size_t i, n = 0;

    if (memchr(in.data, '%', in.len) == NULL && (!plus || memchr(in.data, '+', in.len) == NULL)) {
        *out = in;
        return true;
    }

    data = pos_arena_alloc(arena, in.len + 1);
    if (data == NULL) {
        return false;
    }

    for (i = 0; i < in.len; i++) {
        if (in.data[i] == '%') {
            high = i + 2 < in.len ? ngx_pos_hex_digit(in.data[i + 1]) : -1;
            low = i + 2 < in.len ? ngx_pos_hex_digit(in.data[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0)) {
                return false;
            }
            data[n++] = (char) (high * 16 + low);
            i += 2;
        } else {
            data[n++] = plus && in.data[i] == '+' ? ' ' : in.data[i];
        }
    }

    *out = pos_str_of(data, n);

    return true;
}

static bool
ngx_pos_is_utf8(pos_str_t s)
{
    size_t  i;
    u_char *p = (u_char *) s.data, *end = p + s.len;

    for (i = 0; i < s.len; i++) {
        if (p[i] >= 0x80) {
            break;
        }
    }
    p += i;

    while (p < end) {
        if (*p < 0x80) {
            p++;
        } else if (ngx_utf8_decode(&p, end - p) > 0x10ffff) {
            return false;
        }
    }

    return true;
}

static void
ngx_pos_validate_value(ngx_pos_ctx_t *ctx, uint32_t i, pos_str_t text)
{
    const ngx_pos_param_t *param = &ctx->op->params[i];

    if (!ngx_pos_is_utf8(text)) {
        (void) pos_fault(&ctx->faults, param->pointer, "utf8", "is not UTF-8");
        return;
    }

    if (pos_schema_validate_text(param->schema, text, param->pointer, &ctx->faults, &ctx->values[i]) != POS_OK
        && ctx->faults.count == 0)
    {
        (void) pos_fault(&ctx->faults, param->pointer, "type", "cannot be read");
    }
}

static void
ngx_pos_validate_path(ngx_pos_ctx_t *ctx)
{
    uint32_t  i;
    pos_str_t value;

    for (i = 0; i < ctx->op->param_count && ctx->op->params[i].in == NGX_POS_IN_PATH; i++) {
        if (!ngx_pos_decode(ctx->arena, ctx->segments[i], false, &value)) {
            (void) pos_fault(&ctx->faults, ctx->op->params[i].pointer, "encoding", "is not well percent-encoded");
            continue;
        }
        ngx_pos_validate_value(ctx, i, value);
    }
}

static uint32_t
ngx_pos_validate_pairs(ngx_pos_ctx_t *ctx, ngx_pos_pair_t *pairs)
{
    uint32_t    count = 0;
    pos_str_t   name, value;
    const char *p = ctx->query.data, *end = p + ctx->query.len, *start, *equals;

    while (p < end) {
        start = p;
        equals = NULL;
        while (p < end && *p != '&') {
            if (*p == '=' && equals == NULL) {
                equals = p;
            }
            p++;
        }
        name = pos_str_of(start, (equals ? equals : p) - start);
        value = equals ? pos_str_of(equals + 1, p - equals - 1) : pos_str("");
        p++;

        if (name.len == 0 && value.len == 0) {
            continue;
        }

        if (count == NGX_POS_QUERY_MAX) {
            (void) pos_fault(&ctx->faults, pos_str("/query"), "too_many", "has more than %d parameters",
                NGX_POS_QUERY_MAX);
            break;
        }

        if (!ngx_pos_decode(ctx->arena, name, true, &pairs[count].name) || !ngx_pos_is_utf8(pairs[count].name)) {
            (void) pos_fault(&ctx->faults, pos_str("/query"), "encoding", "is not well percent-encoded");
            continue;
        }

        pairs[count].broken = !ngx_pos_decode(ctx->arena, value, true, &pairs[count].value);
        pairs[count++].used = false;
    }

    return count;
}

static void
ngx_pos_validate_query_param(ngx_pos_ctx_t *ctx, uint32_t i, ngx_pos_pair_t *pairs, uint32_t count)
{
    bool                   found = false;
    uint32_t               k;
    pos_str_t              value = pos_str("");
    const ngx_pos_param_t *param = &ctx->op->params[i];

    for (k = 0; k < count; k++) {
        if (!pos_str_eq(pairs[k].name, param->name)) {
            continue;
        }
        pairs[k].used = true;

        if (pairs[k].broken) {
            (void) pos_fault(&ctx->faults, param->pointer, "encoding", "is not well percent-encoded");
            return;
        }

        if (!found) {
            value = pairs[k].value;
            found = true;

        } else if (param->array) {
            value = pos_arena_printf(ctx->arena, "%.*s,%.*s", (int) value.len, value.data,
                (int) pairs[k].value.len, pairs[k].value.data);

        } else {
            (void) pos_fault(&ctx->faults, param->pointer, "duplicate", "is given more than once");
            return;
        }
    }

    if (found) {
        ngx_pos_validate_value(ctx, i, value);

    } else if (param->required) {
        (void) pos_fault(&ctx->faults, param->pointer, "required", "is required");
    }
}

static void
ngx_pos_validate_query(ngx_pos_ctx_t *ctx)
{
    uint32_t        i, count;
    ngx_pos_pair_t *pairs = NULL;

    count = 0;
    if (ctx->query.len > 0) {
        pairs = pos_arena_array(ctx->arena, NGX_POS_QUERY_MAX, sizeof(ngx_pos_pair_t));
        if (pairs == NULL) {
            return;
        }
        count = ngx_pos_validate_pairs(ctx, pairs);
    }

    for (i = 0; i < ctx->op->param_count; i++) {
        if (ctx->op->params[i].in == NGX_POS_IN_QUERY) {
            ngx_pos_validate_query_param(ctx, i, pairs, count);
        }
    }

    for (i = 0; i < count; i++) {
        if (!pairs[i].used) {
            (void) pos_fault(&ctx->faults, pos_json_pointer(ctx->arena, pos_str("/query"), pairs[i].name),
                "unknown_parameter", "is no parameter of this operation");
        }
    }
}

static void
ngx_pos_validate_headers(ngx_pos_ctx_t *ctx)
{
    bool                   found;
    uint32_t               i;
    ngx_str_t              value;
    const ngx_pos_param_t *param;

    for (i = 0; i < ctx->op->param_count; i++) {
        param = &ctx->op->params[i];
        if (param->in != NGX_POS_IN_HEADER) {
            continue;
        }

        value = ngx_pos_request_header(ctx->request, param->lowcase.data, param->lowcase.len, &found);
        if (found) {
            ngx_pos_validate_value(ctx, i, ngx_pos_str(value));

        } else if (param->required) {
            (void) pos_fault(&ctx->faults, param->pointer, "required", "is required");
        }
    }
}

/* Idempotency-Key: 1 to 255 visible characters; a draft's quotes are taken off. */
static void
ngx_pos_validate_idempotency(ngx_pos_ctx_t *ctx)
{
    bool      found;
    size_t    i;
    ngx_str_t value;

    if (!ctx->op->idempotent) {
        return;
    }

    value = ngx_pos_request_header(ctx->request, "idempotency-key", sizeof("idempotency-key") - 1, &found);
    if (!found) {
        return;
    }

    if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"') {
        value.data++;
        value.len -= 2;
    }

    for (i = 0; i < value.len && value.data[i] > 0x20 && value.data[i] < 0x7f; i++) {
        /* void */
    }

    if (value.len == 0 || value.len > 255 || i < value.len) {
        (void) pos_fault(&ctx->faults, pos_str("/headers/Idempotency-Key"), "format",
            "must be 1 to 255 visible ASCII characters");
        return;
    }

    ctx->idempotency_key = ngx_pos_str(value);
}

static const ngx_pos_media_t *
ngx_pos_validate_media(ngx_pos_ctx_t *ctx)
{
    uint32_t i;

    for (i = 0; i < ctx->op->media_count; i++) {
        if (pos_str_eq(ctx->op->media[i].type, ctx->content_type)) {
            return &ctx->op->media[i];
        }
    }

    return NULL;
}

pos_status_t
ngx_pos_validate_json(ngx_pos_ctx_t *ctx, pos_faults_t *faults)
{
    pos_status_t           rc;
    const ngx_pos_media_t *media = ngx_pos_validate_media(ctx);

    if (ctx->json == NULL || media == NULL || media->schema == NULL) {
        return POS_OK;
    }

    rc = pos_schema_validate(media->schema, ctx->json, pos_str(""), faults);

    return rc != POS_OK && faults->count == 0
           ? pos_fault(faults, pos_str(""), "type", "the body cannot be checked") : rc;
}

static void
ngx_pos_validate_body(ngx_pos_ctx_t *ctx, ngx_uint_t *status)
{
    pos_status_t               rc;
    const ngx_pos_media_t     *media;
    const ngx_pos_operation_t *op = ctx->op;

    if (ctx->body.len == 0 || (op->native && op->native->stream_body)
        || (op->prepare && op->prepare->file_body))
    {
        return;
    }

    media = ngx_pos_validate_media(ctx);
    if (media == NULL) {
        return;
    }

    if (!media->json) {
        if (!ngx_pos_is_utf8(ctx->body) || memchr(ctx->body.data, '\0', ctx->body.len) != NULL) {
            (void) pos_fault(&ctx->faults, pos_str(""), "utf8", "the body is not UTF-8 text");
        }
        return;
    }

    rc = pos_json_read(ngx_pos_worker.reader, ctx->body, ctx->arena, &ctx->faults, &ctx->json);
    if (rc != POS_OK) {
        *status = NGX_HTTP_BAD_REQUEST;
        if (ctx->faults.count == 0) {
            (void) pos_fault(&ctx->faults, pos_str(""), "json_syntax", "the body could not be read as JSON");
        }
        return;
    }

    if (!(op->native && op->native->own_checks)) {
        (void) ngx_pos_validate_json(ctx, &ctx->faults);
    }
}

void
ngx_pos_validate(ngx_pos_ctx_t *ctx, ngx_uint_t *status)
{
    if (ctx->op->param_count > 0) {
        ngx_pos_validate_path(ctx);
        ngx_pos_validate_headers(ctx);
    }

    if (ctx->op->param_count > 0 || ctx->query.len > 0) {
        ngx_pos_validate_query(ctx);
    }

    ngx_pos_validate_idempotency(ctx);
    ngx_pos_validate_body(ctx, status);
}
