/*
 * A promotion as it was sent, compiled: what putting one and validating one
 * share.
 */

#ifndef NGX_POS_PROMOTION_H
#define NGX_POS_PROMOTION_H

#include "ngx_pos_contract.h"
#include "ngx_pos_generation.h"
#include "ngx_pos_pg.h"

#include "engine/check.h"
#include "engine/overlay.h"
#include "engine/rehearse.h"

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
/* The cases of the script in a row of a book; empty: it has none. */
pos_status_t ngx_pos_promotion_cases(ngx_pos_ctx_t *ctx, pos_str_t id, const pos_json_t *row, pos_str_t *cases);
/* Answers that it cannot be taken. */
void ngx_pos_promotion_fail(ngx_pos_ctx_t *ctx, pos_status_t rc);
/* The database's time, or, without a replica, this machine's. */
int64_t ngx_pos_promotion_now(void);

/* promotion_check.c: of what validate has, what pricing it over the shop's products
 * finds is written by `ngx_pos_promotion_tried` once `done` was called. */
typedef struct ngx_pos_check_s ngx_pos_check_t;
void ngx_pos_promotion_try(ngx_pos_ctx_t *ctx, pos_str_t id, const pos_json_t *row, const pos_json_t *summary,
    void (*done)(ngx_pos_ctx_t *ctx, ngx_pos_check_t *check));
void ngx_pos_promotion_tried(ngx_pos_check_t *check, pos_writer_t *w);

/* rehearse.c: a rehearsal over a shop's products; `shop` NULL: made up ones. */
pos_status_t ngx_pos_rehearse_open(ngx_pos_generation_t *generation, ngx_pos_shop_t *shop, pos_arena_t *arena,
    pos_rehearsal_t **out);

/* ---- a stored version, staged (promotion_stage.c) ----
 *
 * The version is read from the database, this node's book is waited for where it is
 * behind, and then its turn: a worker runs one stage at a time, publications first. The
 * shop's book is built with the version in it, and without, where that is wanted; then
 * the work is done. All in slices, between which others are served. */

typedef enum {
    NGX_POS_STAGE_READING,     /* its version, or the book is not new enough yet */
    NGX_POS_STAGE_WAITING,     /* for its turn; holds no book                */
    NGX_POS_STAGE_RUNNING,     /* the only one of the worker                 */
    NGX_POS_STAGE_WORKED,      /* its turn is over; it may hold books        */
    NGX_POS_STAGE_CLOSED       /* it holds nothing                           */
} ngx_pos_stage_state_e;

typedef struct ngx_pos_stage_s ngx_pos_stage_t;
struct ngx_pos_stage_s {
    /* set by the caller; the rest zeroed */
    bool                   publishing;     /* for nothing else is it checked whether it may be */
    bool                   needs_without;  /* the book without it, too               */
    bool                   any_arm;        /* its experiment is left out of account  */
    pos_status_t         (*work)(ngx_pos_stage_t *stage);   /* a slice's part; POS_AGAIN: more */
    void                 (*done)(ngx_pos_stage_t *stage);   /* closes it once all is written */
    bool                 (*late)(ngx_pos_stage_t *stage);   /* time is up: is what there is of use? NULL: no */
    void                 (*drop)(ngx_pos_stage_t *stage);   /* what the work holds   */
    void                  *data;

    /* for the work; JSON and strings live as long as the request */
    ngx_pos_ctx_t         *ctx;
    pos_str_t              id;
    int64_t                version;        /* 0: there is none                       */
    const pos_json_t      *said;           /* by pos.promotion_to_check              */
    const pos_json_t      *row;            /* as in a book; NULL: there is none      */
    const pos_json_t      *summary;        /* what it compiled to                    */
    ngx_pos_generation_t  *generation;     /* one reference, or NULL                 */
    ngx_pos_shop_t        *shop;           /* NULL: this node has no book of it      */
    bool                   behind;         /* and the book is not as new as the version */
    pos_overlay_t          with, without;
    pos_book_source_t      with_source, without_source;
    pos_book_t            *with_book, *without_book;
    pos_str_t              broken;         /* why it is not in with_book; or empty   */

    /* its own */
    ngx_pos_stage_state_e  state;
    ngx_queue_t            queue;          /* of those that wait                     */
    ngx_event_t            event;          /* of slices; its timer is the deadline   */
    ngx_event_t            wait;           /* for the book                           */
    ngx_pos_pg_call_t      call;
    pos_book_builder_t    *builder;
    ngx_uint_t             waited;
};

/* `from`, `until` and `version` are the body's. False: answered already. */
void ngx_pos_stage_begin(ngx_pos_ctx_t *ctx, ngx_pos_stage_t *stage);
/* The same for what is stored nowhere; its book is this node's as it is. */
void ngx_pos_stage_given(ngx_pos_ctx_t *ctx, ngx_pos_stage_t *stage, pos_str_t id, const pos_json_t *row,
    const pos_json_t *summary);
/* Its one end: lets go of its turn and of all that it holds. Again: nothing. */
void ngx_pos_stage_close(ngx_pos_stage_t *stage);
/* Answers that there is no such promotion, or no such version of it. */
void ngx_pos_stage_unknown(ngx_pos_stage_t *stage);

#endif
