/*
 * Paths to operations. Paths without parameters are found by one look-up of the
 * whole; the others by walking segments, a literal before a parameter, with a
 * step back where the literal led nowhere.
 */

#include "ngx_pos_contract.h"

static pos_str_t
ngx_pos_route_segment(const char **p, const char *end)
{
    const char *start = *p;

    while (*p < end && **p != '/') {
        (*p)++;
    }

    return pos_str_of(start, *p - start);
}

static ngx_pos_node_t *
ngx_pos_route_child(ngx_pos_contract_t *contract, ngx_pos_node_t *node, pos_str_t segment)
{
    ngx_pos_node_t *child;

    if (segment.len >= 2 && segment.data[0] == '{') {
        if (node->param == NULL) {
            node->param = pos_arena_zalloc(contract->arena, sizeof(ngx_pos_node_t));
        }
        return node->param;
    }

    for (child = node->children; child != NULL; child = child->next) {
        if (pos_str_eq(child->segment, segment)) {
            return child;
        }
    }

    child = pos_arena_zalloc(contract->arena, sizeof(ngx_pos_node_t));
    if (child != NULL) {
        child->segment = segment;
        child->next = node->children;
        node->children = child;
    }

    return child;
}

static ngx_pos_operation_t **
ngx_pos_route_slot(ngx_pos_resource_t *resource, ngx_uint_t method)
{
    switch (method) {
    case NGX_HTTP_GET:
        return &resource->get;
    case NGX_HTTP_POST:
        return &resource->post;
    case NGX_HTTP_PUT:
        return &resource->put;
    case NGX_HTTP_PATCH:
        return &resource->patch;
    case NGX_HTTP_DELETE:
        return &resource->del;
    default:
        return NULL;
    }
}

/* POS_INVALID: the method has an operation already. */
pos_status_t
ngx_pos_route_add(ngx_pos_contract_t *contract, pos_str_t path, ngx_pos_operation_t *op)
{
    const char           *p = path.data, *end = path.data + path.len;
    bool                  literal = true;
    pos_str_t             segment;
    ngx_pos_node_t       *node = &contract->root;
    ngx_pos_operation_t **slot;

    while (p < end) {
        p++;
        segment = ngx_pos_route_segment(&p, end);
        literal = literal && !(segment.len >= 2 && segment.data[0] == '{');

        node = ngx_pos_route_child(contract, node, segment);
        if (node == NULL) {
            return POS_NO_MEMORY;
        }
    }

    if (node->resource == NULL) {
        node->resource = pos_arena_zalloc(contract->arena, sizeof(ngx_pos_resource_t));
        if (node->resource == NULL) {
            return POS_NO_MEMORY;
        }
        if (literal && pos_map_set(&contract->exact, path, node->resource, NULL) != POS_OK) {
            return POS_NO_MEMORY;
        }
    }

    slot = ngx_pos_route_slot(node->resource, op->method);
    if (slot == NULL || *slot != NULL) {
        return POS_INVALID;
    }
    *slot = op;

    return POS_OK;
}

static pos_status_t
ngx_pos_route_allow(ngx_pos_contract_t *contract, ngx_pos_node_t *node)
{
    ngx_pos_node_t     *child;
    ngx_pos_resource_t *res = node->resource;

    if (res != NULL) {
        res->allow = pos_arena_printf(contract->arena, "%s%s%s%s%sOPTIONS",
            res->get ? "GET, HEAD, " : "", res->post ? "POST, " : "", res->put ? "PUT, " : "",
            res->patch ? "PATCH, " : "", res->del ? "DELETE, " : "");
        if (res->allow.data == NULL) {
            return POS_NO_MEMORY;
        }
    }

    for (child = node->children; child != NULL; child = child->next) {
        if (ngx_pos_route_allow(contract, child) != POS_OK) {
            return POS_NO_MEMORY;
        }
    }

    return node->param ? ngx_pos_route_allow(contract, node->param) : POS_OK;
}

pos_status_t
ngx_pos_route_finish(ngx_pos_contract_t *contract)
{
    return ngx_pos_route_allow(contract, &contract->root);
}

static const ngx_pos_resource_t *
ngx_pos_route_walk(const ngx_pos_node_t *node, const char *p, const char *end, pos_str_t *segments,
    ngx_uint_t *count)
{
    ngx_uint_t                used = *count;
    pos_str_t                 segment;
    const ngx_pos_node_t     *child;
    const ngx_pos_resource_t *found;

    if (p == end) {
        return node->resource;
    }

    p++;
    segment = ngx_pos_route_segment(&p, end);

    for (child = node->children; child != NULL; child = child->next) {
        if (pos_str_eq(child->segment, segment)) {
            found = ngx_pos_route_walk(child, p, end, segments, count);
            if (found != NULL) {
                return found;
            }
            *count = used;
            break;
        }
    }

    if (node->param == NULL || segment.len == 0 || used == NGX_POS_PARAM_MAX) {
        return NULL;
    }

    segments[used] = segment;
    *count = used + 1;

    return ngx_pos_route_walk(node->param, p, end, segments, count);
}

const ngx_pos_resource_t *
ngx_pos_route_find(const ngx_pos_contract_t *contract, pos_str_t path,
    pos_str_t segments[NGX_POS_PARAM_MAX], ngx_uint_t *count)
{
    const ngx_pos_resource_t *resource;

    *count = 0;

    resource = pos_map_get(&contract->exact, path);
    if (resource != NULL) {
        return resource;
    }

    if (path.len == 0 || path.data[0] != '/') {
        return NULL;
    }

    return ngx_pos_route_walk(&contract->root, path.data, path.data + path.len, segments, count);
}

ngx_pos_operation_t *
ngx_pos_route_method(const ngx_pos_resource_t *resource, ngx_uint_t method)
{
    ngx_pos_operation_t **slot;

    slot = ngx_pos_route_slot((ngx_pos_resource_t *) resource,
        method == NGX_HTTP_HEAD ? NGX_HTTP_GET : method);

    return slot ? *slot : NULL;
}
