/*
 * The contract while it is loaded; for ngx_pos_contract*.c only.
 */

#ifndef NGX_POS_CONTRACT_LOAD_H
#define NGX_POS_CONTRACT_LOAD_H

#include "ngx_pos_contract.h"

typedef struct {
    ngx_conf_t         *cf;
    ngx_pos_contract_t *contract;
    pos_str_t           prefix;      /* of servers[0].url: "/v1" or ""       */
    pos_str_t           path;        /* the path item at hand                */
    const pos_json_t   *item;
    const char         *method;
} ngx_pos_load_t;

/* Logs what keeps nginx from starting; NGX_ERROR. */
ngx_int_t ngx_pos_load_fail(ngx_pos_load_t *load, const pos_str_t *id, const char *why);
const pos_json_t *ngx_pos_load_deref(ngx_pos_load_t *load, const pos_json_t *json);
ngx_int_t ngx_pos_load_schema(ngx_pos_load_t *load, const pos_str_t *id, const pos_json_t *json,
    const char *what, const pos_schema_t **out);

/* ngx_pos_contract_io.c */
ngx_int_t ngx_pos_load_params(ngx_pos_load_t *load, ngx_pos_operation_t *op, const pos_json_t *json);
ngx_int_t ngx_pos_load_responses(ngx_pos_load_t *load, ngx_pos_operation_t *op, const pos_json_t *json);
ngx_int_t ngx_pos_load_body(ngx_pos_load_t *load, ngx_pos_operation_t *op, const pos_json_t *json);

#endif
