/*
 * Loads the bundled OpenAPI document at configuration time and compiles it.
 * Whatever cannot be served as written stops nginx from starting: a schema
 * keyword that is not implemented, an operation that neither the manifest of
 * SQL functions nor a native handler serves, a prepare step that is not there.
 */

#include "ngx_pos_contract_load.h"

#define NGX_POS_CONTRACT_MAX  (16 * 1024 * 1024)

static const struct {
    const char *name;
    ngx_uint_t  method;
} ngx_pos_methods[] = {
    { "get", NGX_HTTP_GET },     { "post", NGX_HTTP_POST },     { "put", NGX_HTTP_PUT },
    { "patch", NGX_HTTP_PATCH }, { "delete", NGX_HTTP_DELETE }, { NULL, 0 }
};

ngx_int_t
ngx_pos_load_fail(ngx_pos_load_t *load, const pos_str_t *id, const char *why)
{
    ngx_str_t name = ngx_string("");

    if (id != NULL) {
        name = ngx_pos_ngx_str(*id);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, load->cf, 0, "contract: operation \"%V\" (%s %*s): %s", &name,
        load->method ? load->method : "-", load->path.len, load->path.data ? load->path.data : "", why);

    return NGX_ERROR;
}

static ngx_int_t
ngx_pos_read_whole(ngx_conf_t *cf, ngx_str_t *name, pos_arena_t *arena, pos_str_t *out)
{
    char           *data;
    ssize_t         n;
    ngx_file_t      file;
    ngx_file_info_t info;

    ngx_memzero(&file, sizeof(file));
    file.name = *name;
    file.log = cf->log;
    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "cannot open \"%V\"", name);
        return NGX_ERROR;
    }

    n = -1;
    data = NULL;

    if (ngx_fd_info(file.fd, &info) != NGX_FILE_ERROR && ngx_file_size(&info) <= NGX_POS_CONTRACT_MAX) {
        data = pos_arena_alloc(arena, ngx_file_size(&info) + 1);
        if (data != NULL) {
            n = ngx_read_file(&file, (u_char *) data, ngx_file_size(&info), 0);
        }
    }

    (void) ngx_close_file(file.fd);

    if (n < 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "cannot read \"%V\"", name);
        return NGX_ERROR;
    }

    data[n] = '\0';
    *out = pos_str_of(data, n);

    return NGX_OK;
}

/* One function name a line. */
static ngx_int_t
ngx_pos_load_functions(ngx_pos_contract_t *contract, pos_str_t text)
{
    const char *p = text.data, *end = text.data + text.len, *start;

    while (p < end) {
        start = p;
        while (p < end && *p > ' ') {
            p++;
        }
        if (p > start
            && pos_map_set(&contract->functions, pos_str_of(start, p - start), contract, NULL) != POS_OK)
        {
            return NGX_ERROR;
        }
        p++;
    }

    return NGX_OK;
}

/* Follows a reference of a parameter, body or response object; schemas follow
 * their own. */
const pos_json_t *
ngx_pos_load_deref(ngx_pos_load_t *load, const pos_json_t *json)
{
    int               hops;
    const char       *p, *end, *start;
    const pos_json_t *ref;

    for (hops = 0; hops < 8; hops++) {
        ref = pos_json_get(json, "$ref");
        if (ref == NULL || ref->type != POS_JSON_STRING || ref->text.len < 2) {
            return json;
        }

        json = load->contract->document;
        p = ref->text.data + 2;
        end = ref->text.data + ref->text.len;

        while (p < end && json != NULL) {
            start = p;
            while (p < end && *p != '/') {
                p++;
            }
            json = pos_json_get_str(json, pos_str_of(start, p - start));
            p++;
        }
    }

    return NULL;
}

ngx_int_t
ngx_pos_contract_scope(ngx_pos_contract_t *contract, pos_str_t name, ngx_uint_t *bit)
{
    ngx_uint_t i;

    for (i = 0; i < contract->scope_count; i++) {
        if (pos_str_eq(contract->scopes[i], name)) {
            *bit = i;
            return NGX_OK;
        }
    }

    if (contract->scope_count == 64 * NGX_POS_SCOPE_WORDS) {
        return NGX_ERROR;
    }

    *bit = contract->scope_count;
    contract->scopes[contract->scope_count++] = name;

    return NGX_OK;
}

void
ngx_pos_contract_grant(const ngx_pos_contract_t *contract, pos_str_t name, ngx_pos_scopes_t *out)
{
    bool       all, family;
    ngx_uint_t i;
    pos_str_t  scope;

    all = pos_str_eq(name, pos_str("*"));
    family = name.len > 2 && name.data[name.len - 1] == '*' && name.data[name.len - 2] == ':';

    for (i = 0; i < contract->scope_count; i++) {
        scope = contract->scopes[i];

        if (all || pos_str_eq(scope, name)
            || (family && scope.len >= name.len && memcmp(scope.data, name.data, name.len - 1) == 0))
        {
            out->bits[i / 64] |= UINT64_C(1) << (i % 64);
        }
    }
}

ngx_int_t
ngx_pos_load_schema(ngx_pos_load_t *load, const pos_str_t *id, const pos_json_t *json, const char *what,
    const pos_schema_t **out)
{
    pos_str_t           where;
    pos_status_t        status;
    pos_faults_t        faults;
    const pos_fault_t  *fault;
    ngx_pos_contract_t *contract = load->contract;

    pos_faults_init(&faults, contract->arena);
    where = pos_arena_printf(contract->arena, "%.*s/%s", (int) id->len, id->data, what);

    status = pos_schema_compile(contract->schemas, json, where, &faults, out);
    if (status == POS_OK) {
        return NGX_OK;
    }

    for (fault = faults.first; fault != NULL; fault = fault->next) {
        ngx_conf_log_error(NGX_LOG_EMERG, load->cf, 0, "contract: schema %*s: %*s", fault->pointer.len,
            fault->pointer.data, fault->message.len, fault->message.data);
    }

    return ngx_pos_load_fail(load, id, "its schema does not compile");
}

static const ngx_pos_native_t *
ngx_pos_load_native(const ngx_pos_native_t *table, const pos_json_t *name)
{
    for (; table->name != NULL; table++) {
        if (name->type == POS_JSON_STRING && pos_str_eq(pos_str_z(table->name), name->text)) {
            return table;
        }
    }

    return NULL;
}

static ngx_int_t
ngx_pos_load_served_by(ngx_pos_load_t *load, ngx_pos_operation_t *op, const pos_json_t *json)
{
    const pos_json_t   *native, *prepare;
    ngx_pos_contract_t *contract = load->contract;

    native = pos_json_get(json, "x-pos-native");
    prepare = pos_json_get(json, "x-pos-prepare");

    if (native != NULL) {
        op->native = ngx_pos_load_native(ngx_pos_natives, native);
        if (op->native == NULL) {
            return ngx_pos_load_fail(load, &op->id, "x-pos-native names no handler of this module");
        }

    } else if (pos_map_get(&contract->functions, op->id) == NULL) {
        return ngx_pos_load_fail(load, &op->id,
            "is served by nothing: the manifest holds no such function and it has no x-pos-native");
    }

    if (prepare != NULL) {
        op->prepare = ngx_pos_load_native(ngx_pos_prepares, prepare);
        if (op->prepare == NULL) {
            return ngx_pos_load_fail(load, &op->id, "x-pos-prepare names no step of this module");
        }
    }

    op->statement = op->id.data;
    op->sql = pos_arena_printf(contract->arena,
        "select status, body::text, headers::text from api.%.*s($1::jsonb)", (int) op->id.len, op->id.data)
                  .data;

    return op->sql ? NGX_OK : NGX_ERROR;
}

static ngx_int_t
ngx_pos_load_scope(ngx_pos_load_t *load, ngx_pos_operation_t *op, const pos_json_t *json)
{
    const pos_json_t *scope, *idempotent;

    idempotent = pos_json_get(json, "x-pos-idempotent");
    op->idempotent = idempotent != NULL && idempotent->type == POS_JSON_TRUE;

    scope = pos_json_get(json, "x-pos-scope");
    if (scope == NULL || scope->type != POS_JSON_STRING || scope->text.len == 0) {
        return ngx_pos_load_fail(load, &op->id, "has no x-pos-scope");
    }

    op->scope_name = scope->text;
    op->is_public = pos_str_eq(scope->text, pos_str("public"));
    if (op->is_public) {
        return NGX_OK;
    }

    op->has_scope = true;
    if (ngx_pos_contract_scope(load->contract, scope->text, &op->scope) != NGX_OK) {
        return ngx_pos_load_fail(load, &op->id, "there are too many scopes");
    }

    return NGX_OK;
}

static bool
ngx_pos_is_operation_id(const pos_json_t *id)
{
    size_t i;

    if (id == NULL || id->type != POS_JSON_STRING || id->text.len == 0 || id->text.len > 60) {
        return false;
    }

    for (i = 0; i < id->text.len; i++) {
        if (!((id->text.data[i] >= 'a' && id->text.data[i] <= 'z')
                || (id->text.data[i] >= '0' && id->text.data[i] <= '9') || id->text.data[i] == '_'))
        {
            return false;
        }
    }

    return true;
}

static ngx_int_t
ngx_pos_load_operation(ngx_pos_load_t *load, ngx_uint_t method, const pos_json_t *json)
{
    pos_str_t            route;
    const pos_json_t    *id;
    ngx_pos_contract_t  *contract = load->contract;
    ngx_pos_operation_t *op;

    id = pos_json_get(json, "operationId");
    if (!ngx_pos_is_operation_id(id)) {
        return ngx_pos_load_fail(load, NULL, "operationId is missing or not snake_case");
    }

    op = pos_arena_zalloc(contract->arena, sizeof(ngx_pos_operation_t));
    if (op == NULL || contract->operation_count == contract->operation_room) {
        return NGX_ERROR;
    }

    op->id = pos_arena_str(contract->arena, id->text);
    op->method = method;
    op->index = contract->operation_count;
    contract->operations[contract->operation_count++] = op;
    contract->digest = contract->digest * 31 + pos_hash64(op->id);

    if (ngx_pos_load_served_by(load, op, json) != NGX_OK || ngx_pos_load_scope(load, op, json) != NGX_OK
        || ngx_pos_load_params(load, op, json) != NGX_OK || ngx_pos_load_body(load, op, json) != NGX_OK
        || ngx_pos_load_responses(load, op, json) != NGX_OK)
    {
        return NGX_ERROR;
    }

    route = pos_arena_printf(contract->arena, "%.*s%.*s", (int) load->prefix.len, load->prefix.data,
        (int) load->path.len, load->path.data);

    if (route.data == NULL || ngx_pos_route_add(contract, route, op) != POS_OK) {
        return ngx_pos_load_fail(load, &op->id, "another operation has the same path and method");
    }

    return NGX_OK;
}

static ngx_int_t
ngx_pos_load_paths(ngx_pos_load_t *load)
{
    ngx_uint_t          m;
    const pos_json_t   *paths, *path, *json;
    ngx_pos_contract_t *contract = load->contract;

    paths = pos_json_get(contract->document, "paths");
    if (paths == NULL || paths->type != POS_JSON_OBJECT || paths->count == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, load->cf, 0, "contract: it has no paths");
        return NGX_ERROR;
    }

    contract->operation_room = paths->count * 5;
    contract->operations = pos_arena_array(contract->arena, contract->operation_room, sizeof(void *));
    if (contract->operations == NULL) {
        return NGX_ERROR;
    }

    for (path = paths->first; path != NULL; path = path->next) {
        load->path = path->key;
        load->item = path;

        for (m = 0; ngx_pos_methods[m].name != NULL; m++) {
            json = pos_json_get(path, ngx_pos_methods[m].name);
            load->method = ngx_pos_methods[m].name;

            if (json != NULL && ngx_pos_load_operation(load, ngx_pos_methods[m].method, json) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return ngx_pos_route_finish(contract) == POS_OK ? NGX_OK : NGX_ERROR;
}

/* The path of the first server's address: what stands before every path. */
static pos_str_t
ngx_pos_load_prefix(const pos_json_t *document)
{
    size_t            i, slashes = 0;
    pos_str_t         url;
    const pos_json_t *servers, *first;

    servers = pos_json_get(document, "servers");
    first = servers ? pos_json_get(servers->first, "url") : NULL;
    if (first == NULL || first->type != POS_JSON_STRING) {
        return pos_str("");
    }

    url = first->text;
    if (url.len > 0 && url.data[0] != '/') {
        for (i = 0; i < url.len && slashes < 3; i++) {
            slashes += url.data[i] == '/';
        }
        if (slashes < 3) {
            return pos_str("");
        }
        url = pos_str_of(url.data + i - 1, url.len - i + 1);
    }

    while (url.len > 0 && url.data[url.len - 1] == '/') {
        url.len--;
    }

    return url;
}

static ngx_int_t
ngx_pos_load_document(ngx_pos_load_t *load)
{
    uint8_t             digest[POS_SHA256_SIZE];
    pos_status_t        status;
    pos_faults_t        faults;
    pos_json_reader_t  *reader;
    ngx_pos_contract_t *contract = load->contract;

    pos_faults_init(&faults, contract->arena);

    reader = pos_json_reader_create(NGX_POS_CONTRACT_MAX);
    if (reader == NULL) {
        return NGX_ERROR;
    }
    status = pos_json_read(reader, contract->text, contract->arena, &faults, &contract->document);
    pos_json_reader_destroy(reader);

    if (status != POS_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, load->cf, 0, "contract: it is no JSON: %*s",
            faults.first ? faults.first->message.len : 0, faults.first ? faults.first->message.data : "");
        return NGX_ERROR;
    }

    pos_sha256(contract->text, digest);
    contract->etag[0] = '"';
    pos_hex(pos_str_of((char *) digest, sizeof(digest)), contract->etag + 1);
    contract->etag[1 + 2 * sizeof(digest)] = '"';
    contract->etag[2 + 2 * sizeof(digest)] = '\0';

    load->prefix = ngx_pos_load_prefix(contract->document);

    return pos_schema_set_create(contract->arena, contract->document, &contract->schemas) == POS_OK
        ? NGX_OK
        : NGX_ERROR;
}

static ngx_int_t
ngx_pos_load_option_scopes(ngx_pos_contract_t *contract)
{
    return ngx_pos_contract_scope(contract, pos_str("quotes:simulate"), &contract->may_simulate) == NGX_OK
            && ngx_pos_contract_scope(contract, pos_str("quotes:override"), &contract->may_override) == NGX_OK
            && ngx_pos_contract_scope(contract, pos_str("quotes:customer"), &contract->may_customer) == NGX_OK
            && ngx_pos_contract_scope(contract, pos_str("quotes:shipping"), &contract->may_shipping) == NGX_OK
            && ngx_pos_contract_scope(contract, pos_str("products:read"), &contract->may_cost) == NGX_OK
        ? NGX_OK
        : NGX_ERROR;
}

static void
ngx_pos_contract_cleanup(void *data)
{
    ngx_pos_contract_t *contract = data;

    if (contract->schemas != NULL) {
        pos_schema_set_destroy(contract->schemas);
    }
    pos_arena_destroy(contract->arena);
}

ngx_pos_contract_t *
ngx_pos_contract_load(ngx_conf_t *cf, ngx_str_t *file, ngx_str_t *functions)
{
    pos_str_t           names;
    ngx_pos_load_t      load;
    ngx_pool_cleanup_t *cleanup;
    ngx_pos_contract_t *contract;

    contract = ngx_pcalloc(cf->pool, sizeof(ngx_pos_contract_t));
    cleanup = ngx_pool_cleanup_add(cf->pool, 0);
    if (contract == NULL || cleanup == NULL) {
        return NULL;
    }

    contract->arena = pos_arena_create(256 * 1024, 0);
    if (contract->arena == NULL) {
        return NULL;
    }
    cleanup->handler = ngx_pos_contract_cleanup;
    cleanup->data = contract;

    ngx_memzero(&load, sizeof(load));
    load.cf = cf;
    load.contract = contract;

    if (pos_map_init(&contract->functions, contract->arena, 256) != POS_OK
        || pos_map_init(&contract->exact, contract->arena, 128) != POS_OK
        || ngx_pos_load_option_scopes(contract) != NGX_OK
        || ngx_pos_read_whole(cf, functions, contract->arena, &names) != NGX_OK
        || ngx_pos_load_functions(contract, names) != NGX_OK
        || ngx_pos_read_whole(cf, file, contract->arena, &contract->text) != NGX_OK
        || ngx_pos_load_document(&load) != NGX_OK || ngx_pos_load_paths(&load) != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the contract \"%V\" cannot be served", file);
        return NULL;
    }

    return contract;
}

const ngx_pos_media_t *
ngx_pos_contract_response(const ngx_pos_operation_t *op, ngx_uint_t status, pos_str_t type, bool *known)
{
    uint32_t                  i, m;
    const ngx_pos_response_t *found = NULL;

    for (i = 0; i < op->response_count; i++) {
        if (op->responses[i].status == status) {
            found = &op->responses[i];
            break;
        }
        if (op->responses[i].status == 0) {
            found = &op->responses[i];
        }
    }

    *known = found != NULL;

    for (m = 0; found != NULL && m < found->media_count; m++) {
        if (type.len >= found->media[m].type.len
            && memcmp(type.data, found->media[m].type.data, found->media[m].type.len) == 0)
        {
            return &found->media[m];
        }
    }

    return NULL;
}
