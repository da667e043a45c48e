/*
 * What an operation takes and gives, compiled from the contract: parameters, the
 * body's media types, and the responses.
 */

#include "ngx_pos_contract_load.h"

/* A parameter may be sent more than once when its schema is a list. */
static bool
ngx_pos_load_is_array(ngx_pos_load_t *load, const pos_json_t *schema)
{
    const pos_json_t *type;

    type = pos_json_get(ngx_pos_load_deref(load, schema), "type");

    return type != NULL && type->type == POS_JSON_STRING && pos_str_eq(type->text, pos_str("array"));
}

static ngx_int_t
ngx_pos_load_param(ngx_pos_load_t *load, ngx_pos_operation_t *op, const pos_json_t *json, ngx_pos_param_t *out)
{
    size_t            i;
    char             *lowcase;
    const char       *where;
    const pos_json_t *name, *in, *schema, *required;

    name = pos_json_get(json, "name");
    in = pos_json_get(json, "in");
    schema = pos_json_get(json, "schema");
    required = pos_json_get(json, "required");

    if (name == NULL || in == NULL || schema == NULL || name->type != POS_JSON_STRING
        || in->type != POS_JSON_STRING)
    {
        return ngx_pos_load_fail(load, &op->id, "a parameter lacks name, in or schema");
    }

    if (pos_str_eq(in->text, pos_str("path"))) {
        out->in = NGX_POS_IN_PATH;
        where = "path";

    } else if (pos_str_eq(in->text, pos_str("query"))) {
        out->in = NGX_POS_IN_QUERY;
        where = "query";

    } else if (pos_str_eq(in->text, pos_str("header"))) {
        out->in = NGX_POS_IN_HEADER;
        where = "headers";

    } else {
        return ngx_pos_load_fail(load, &op->id, "a parameter is in neither path, query nor header");
    }

    lowcase = pos_arena_alloc(load->contract->arena, name->text.len + 1);
    out->pointer = pos_arena_printf(load->contract->arena, "/%s/%.*s", where, (int) name->text.len,
        name->text.data);
    if (lowcase == NULL || out->pointer.data == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < name->text.len; i++) {
        lowcase[i] = ngx_tolower((u_char) name->text.data[i]);
    }

    out->name = name->text;
    out->lowcase = pos_str_of(lowcase, name->text.len);
    out->required = out->in == NGX_POS_IN_PATH || (required != NULL && required->type == POS_JSON_TRUE);
    out->array = ngx_pos_load_is_array(load, schema);

    return ngx_pos_load_schema(load, &op->id, schema, where, &out->schema);
}

/* The path's parameters first, in the order in which the path names them. */
static ngx_int_t
ngx_pos_load_order(ngx_pos_load_t *load, ngx_pos_operation_t *op)
{
    uint32_t         i, place = 0;
    const char      *p, *end, *start;
    pos_str_t        name;
    ngx_pos_param_t  swap;

    p = load->path.data;
    end = p + load->path.len;

    for (; p < end; p++) {
        if (*p != '{') {
            continue;
        }
        start = ++p;
        while (p < end && *p != '}') {
            p++;
        }
        name = pos_str_of(start, p - start);

        for (i = place; i < op->param_count; i++) {
            if (op->params[i].in == NGX_POS_IN_PATH && pos_str_eq(op->params[i].name, name)) {
                break;
            }
        }
        if (i == op->param_count) {
            return ngx_pos_load_fail(load, &op->id, "the path names a parameter that is not declared");
        }

        swap = op->params[place];
        op->params[place] = op->params[i];
        op->params[i] = swap;
        place++;
    }

    return NGX_OK;
}

ngx_int_t
ngx_pos_load_params(ngx_pos_load_t *load, ngx_pos_operation_t *op, const pos_json_t *json)
{
    int               pass;
    const pos_json_t *list, *param;

    op->params = pos_arena_array(load->contract->arena, NGX_POS_PARAM_MAX, sizeof(ngx_pos_param_t));
    if (op->params == NULL) {
        return NGX_ERROR;
    }

    for (pass = 0; pass < 2; pass++) {
        list = pos_json_get(pass == 0 ? load->item : json, "parameters");

        for (param = list ? list->first : NULL; param != NULL; param = param->next) {
            if (op->param_count == NGX_POS_PARAM_MAX) {
                return ngx_pos_load_fail(load, &op->id, "has too many parameters");
            }
            if (ngx_pos_load_param(load, op, ngx_pos_load_deref(load, param),
                    &op->params[op->param_count])
                != NGX_OK)
            {
                return NGX_ERROR;
            }
            op->param_count++;
        }
    }

    return ngx_pos_load_order(load, op);
}

static bool
ngx_pos_is_json_type(pos_str_t type)
{
    return pos_str_eq(type, pos_str("application/json"))
        || (type.len > 5 && memcmp(type.data + type.len - 5, "+json", 5) == 0);
}

static ngx_int_t
ngx_pos_load_media(ngx_pos_load_t *load, ngx_pos_operation_t *op, const pos_json_t *content, const char *what,
    ngx_pos_media_t **out, uint32_t *count)
{
    ngx_pos_media_t  *media;
    const pos_json_t *entry, *schema;

    *count = 0;
    *out = NULL;
    if (content == NULL || content->count == 0) {
        return NGX_OK;
    }

    media = pos_arena_array(load->contract->arena, content->count, sizeof(ngx_pos_media_t));
    if (media == NULL) {
        return NGX_ERROR;
    }

    for (entry = content->first; entry != NULL; entry = entry->next) {
        media[*count].type = entry->key;
        media[*count].json = ngx_pos_is_json_type(entry->key);

        schema = pos_json_get(entry, "schema");
        if (schema != NULL
            && ngx_pos_load_schema(load, &op->id, schema, what, &media[*count].schema) != NGX_OK)
        {
            return NGX_ERROR;
        }
        (*count)++;
    }

    *out = media;

    return NGX_OK;
}

ngx_int_t
ngx_pos_load_responses(ngx_pos_load_t *load, ngx_pos_operation_t *op, const pos_json_t *json)
{
    int64_t             status;
    pos_json_t          number;
    ngx_pos_response_t *out;
    const pos_json_t   *list, *entry, *response;

    list = pos_json_get(json, "responses");
    if (list == NULL || list->count == 0) {
        return ngx_pos_load_fail(load, &op->id, "has no responses");
    }

    op->responses = pos_arena_array(load->contract->arena, list->count, sizeof(ngx_pos_response_t));
    if (op->responses == NULL) {
        return NGX_ERROR;
    }

    for (entry = list->first; entry != NULL; entry = entry->next) {
        out = &op->responses[op->response_count++];
        response = ngx_pos_load_deref(load, entry);

        ngx_memzero(&number, sizeof(number));
        number.type = POS_JSON_NUMBER;
        number.text = entry->key;
        out->status = pos_json_int64(&number, &status) ? (ngx_uint_t) status : 0;

        if (ngx_pos_load_media(load, op, pos_json_get(response, "content"), "response", &out->media,
                &out->media_count)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

ngx_int_t
ngx_pos_load_body(ngx_pos_load_t *load, ngx_pos_operation_t *op, const pos_json_t *json)
{
    int64_t           limit;
    const pos_json_t *body, *required, *max;

    op->max_body = NGX_POS_MAX_BODY;

    max = pos_json_get(json, "x-pos-max-body");
    if (max != NULL) {
        if (!pos_json_int64(max, &limit) || limit <= 0) {
            return ngx_pos_load_fail(load, &op->id, "x-pos-max-body is not a number of bytes");
        }
        op->max_body = limit;
    }

    body = ngx_pos_load_deref(load, pos_json_get(json, "requestBody"));
    if (body == NULL) {
        return NGX_OK;
    }

    required = pos_json_get(body, "required");
    op->body_required = required != NULL && required->type == POS_JSON_TRUE;

    return ngx_pos_load_media(load, op, pos_json_get(body, "content"), "body", &op->media, &op->media_count);
}
