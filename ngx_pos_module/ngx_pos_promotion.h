/*
 * A promotion as it was sent, compiled: what putting one and validating one
 * share.
 */

#ifndef NGX_POS_PROMOTION_H
#define NGX_POS_PROMOTION_H

#include "ngx_pos_contract.h"

#define NGX_POS_PROMOTION_MAX  (4 * 1024 * 1024)   /* of what is written from it */

/* One promotion as it would stand in a book. */
typedef struct {
    const pos_json_t *document;
    pos_str_t         cases;       /* its script's own, or empty              */
} ngx_pos_promotion_row_t;

typedef struct {
    pos_str_t                source;       /* Lua; empty: data only           */
    pos_str_t                documents;    /* JSON array: what the body came to */
    uint32_t                 count;        /* promotions in the source        */
    uint32_t                 row_count;
    ngx_pos_promotion_row_t *rows;
} ngx_pos_promotion_t;

/* All in the request's arena; POS_INVALID: ctx's faults say why. */
pos_status_t ngx_pos_promotion_read(ngx_pos_ctx_t *ctx, ngx_pos_promotion_t *out);
/* The pointer to the i-th promotion of a file: "" where it is the only one. data
 * NULL: no memory. */
pos_str_t ngx_pos_promotion_base(ngx_pos_ctx_t *ctx, const ngx_pos_promotion_t *out, uint32_t i);
/* Answers that it cannot be taken. */
void ngx_pos_promotion_fail(ngx_pos_ctx_t *ctx, pos_status_t rc);

#endif
