/*
 * The contract compiled: operations, their parameters, schemas and scopes, and
 * the route tree. Made once at configuration time, read only afterwards; all of
 * it lives in one arena that dies with the cycle.
 */

#ifndef NGX_POS_CONTRACT_H
#define NGX_POS_CONTRACT_H

#include "ngx_pos.h"

typedef enum {
    NGX_POS_IN_PATH,
    NGX_POS_IN_QUERY,
    NGX_POS_IN_HEADER
} ngx_pos_in_e;

typedef struct {
    pos_str_t           name;       /* headers: as in the contract          */
    pos_str_t           lowcase;    /* headers: for the lookup              */
    pos_str_t           pointer;    /* /query/limit                         */
    ngx_pos_in_e        in;
    bool                required;
    bool                array;      /* may be repeated                      */
    const pos_schema_t *schema;
} ngx_pos_param_t;

typedef struct {
    pos_str_t           type;       /* application/json, lower case         */
    bool                json;
    const pos_schema_t *schema;     /* NULL: any                            */
} ngx_pos_media_t;

typedef struct {
    ngx_uint_t       status;        /* 0: default                           */
    uint32_t         media_count;
    ngx_pos_media_t *media;
} ngx_pos_response_t;

typedef struct {
    const char         *name;
    ngx_pos_handler_pt  handler;
    unsigned            own_checks:1;   /* validates its JSON body by itself  */
    unsigned            needs_book:1;   /* 503 without a generation           */
    unsigned            file_body:1;    /* prepare step: body goes to a file  */
    unsigned            stream_body:1;  /* JSON lines: not parsed as one      */
} ngx_pos_native_t;

struct ngx_pos_operation_s {
    pos_str_t               id;         /* operationId, zero-terminated      */
    uint32_t                index;
    ngx_uint_t              method;     /* NGX_HTTP_GET …                    */
    const ngx_pos_native_t *native;     /* NULL: api.<id> in the database    */
    const ngx_pos_native_t *prepare;
    const char             *statement;  /* prepared statement's name         */
    const char             *sql;
    bool                    is_public;
    bool                    idempotent; /* takes Idempotency-Key             */
    bool                    has_scope;
    ngx_uint_t              scope;      /* bit                               */
    pos_str_t               scope_name;
    bool                    body_required;
    size_t                  max_body;
    uint32_t                param_count, media_count, response_count;
    ngx_pos_param_t        *params;     /* path's first, in the path's order */
    ngx_pos_media_t        *media;
    ngx_pos_response_t     *responses;
};

/* What a path leads to. */
typedef struct {
    ngx_pos_operation_t *get, *post, *put, *patch, *del;
    pos_str_t            allow;         /* for 405 and OPTIONS               */
} ngx_pos_resource_t;

typedef struct ngx_pos_node_s ngx_pos_node_t;
struct ngx_pos_node_s {
    pos_str_t           segment;        /* empty: a parameter                */
    ngx_pos_node_t     *children;       /* static ones                       */
    ngx_pos_node_t     *param;
    ngx_pos_node_t     *next;
    ngx_pos_resource_t *resource;
};

struct ngx_pos_contract_s {
    pos_arena_t          *arena;
    pos_str_t             text;         /* the bundled document              */
    char                  etag[72];     /* quoted                            */
    pos_json_t           *document;
    pos_schema_set_t     *schemas;
    pos_map_t             functions;    /* names the manifest holds          */
    pos_map_t             exact;        /* whole static paths → resource     */
    ngx_pos_node_t        root;
    uint32_t              operation_count, operation_room;
    ngx_pos_operation_t **operations;
    uint32_t              scope_count;
    pos_str_t             scopes[64 * NGX_POS_SCOPE_WORDS];
    uint64_t              digest;       /* of the operations' names          */
    /* scopes that a quote's options ask for */
    ngx_uint_t            may_simulate, may_override, may_customer, may_shipping;
    ngx_uint_t            may_cost;       /* see what products cost                   */
};

/* Loads, compiles and checks. NULL: logged, naming the operation at fault. */
ngx_pos_contract_t *ngx_pos_contract_load(ngx_conf_t *cf, ngx_str_t *contract, ngx_str_t *functions);

/* Bit of a scope's name; makes one where it is new. */
ngx_int_t ngx_pos_contract_scope(ngx_pos_contract_t *contract, pos_str_t name, ngx_uint_t *bit);
/* Sets the bits of one scope of a key: "*", "promotions:*" or a name. */
void ngx_pos_contract_grant(const ngx_pos_contract_t *contract, pos_str_t name, ngx_pos_scopes_t *out);

/* route.c */
pos_status_t ngx_pos_route_add(ngx_pos_contract_t *contract, pos_str_t path, ngx_pos_operation_t *op);
pos_status_t ngx_pos_route_finish(ngx_pos_contract_t *contract);
/* The path is as sent: undecoded, without the query. Segments that stand for
 * parameters come back undecoded in order. NULL: no such path. */
const ngx_pos_resource_t *ngx_pos_route_find(const ngx_pos_contract_t *contract, pos_str_t path,
    pos_str_t segments[NGX_POS_PARAM_MAX], ngx_uint_t *count);
ngx_pos_operation_t *ngx_pos_route_method(const ngx_pos_resource_t *resource, ngx_uint_t method);

/* The media of an answer that the contract promises; NULL: it says nothing. */
const ngx_pos_media_t *ngx_pos_contract_response(const ngx_pos_operation_t *op, ngx_uint_t status,
    pos_str_t content_type, bool *known);

extern const ngx_pos_native_t ngx_pos_natives[];
extern const ngx_pos_native_t ngx_pos_prepares[];

#endif
