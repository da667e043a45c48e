/*
 * What the module's files share: configuration, the worker, one request.
 *
 * A request's way: route (contract) → key and scope (auth) → body → validate →
 * prepare (a step in C, where the operation has one) → a native handler or one
 * SQL call → answer. Everything of a request lives in its arena, which goes
 * back to the worker's pool when nginx frees the request.
 */

#ifndef NGX_POS_H
#define NGX_POS_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/json_write.h"
#include "base/map.h"
#include "base/schema.h"

#define NGX_POS_MAX_BODY        (1024 * 1024)   /* bytes, unless x-pos-max-body */
#define NGX_POS_MAX_ANSWER      (256 * 1024 * 1024)
#define NGX_POS_REQUEST_ID_MAX  32
#define NGX_POS_RETRY_AFTER     1               /* seconds */

typedef struct ngx_pos_contract_s   ngx_pos_contract_t;
typedef struct ngx_pos_operation_s  ngx_pos_operation_t;
typedef struct ngx_pos_ctx_s        ngx_pos_ctx_t;
typedef struct ngx_pos_key_s        ngx_pos_key_t;
typedef struct ngx_pos_generation_s ngx_pos_generation_t;
typedef struct ngx_pos_pg_call_s    ngx_pos_pg_call_t;
typedef struct ngx_pos_pg_pool_s    ngx_pos_pg_pool_t;
typedef struct ngx_pos_metrics_s    ngx_pos_metrics_t;

/* A location that says pos_api. */
typedef struct {
    ngx_http_core_srv_conf_t *server;
    ngx_http_core_loc_conf_t *location;
} ngx_pos_place_t;

typedef struct {
    ngx_str_t           contract_file;
    ngx_str_t           functions_file;
    ngx_str_t           replica;          /* directory, zero-terminated      */
    ngx_str_t           conninfo;         /* libpq's, zero-terminated        */
    ngx_str_t           spool;            /* directory                       */
    ngx_uint_t          pool;             /* connections a worker            */
    ngx_uint_t          queue;            /* calls that may wait             */
    ngx_msec_t          timeout;          /* of one call in the database     */
    ngx_msec_t          script_cpu_time;  /* of one call; 0: not watched     */
    ngx_int_t           script_instructions;  /* of one call                 */
    ngx_flag_t          check_responses;
    ngx_array_t         places;           /* ngx_pos_place_t: who says pos_api */
    ngx_pos_contract_t *contract;
    ngx_shm_zone_t     *zone;             /* counters: ngx_pos_metrics_t     */
    ngx_shm_zone_t     *quarantine;       /* pos_quarantine_t                */
    ngx_thread_pool_t  *threads;
} ngx_pos_main_conf_t;

/* One a worker process, made in init_process. */
typedef struct {
    ngx_pos_main_conf_t *conf;
    ngx_cycle_t         *cycle;
    pos_json_reader_t   *reader;          /* of request bodies               */
    pos_arena_t         *arenas[64];      /* at rest, for the next request   */
    ngx_uint_t           arena_count;
    ngx_pos_pg_pool_t   *pg;              /* NULL: no pos_database           */
    ngx_queue_t          together;        /* ngx_pos_ctx_t: answers to send  */
    ngx_uint_t           together_count;
    ngx_event_t          together_event;
    ngx_event_t          sweep;           /* of bodies nobody reads          */
    uint64_t             random[2];
    unsigned             ready:1;
} ngx_pos_worker_t;

extern ngx_pos_worker_t ngx_pos_worker;
extern ngx_module_t     ngx_http_pos_module;

/* Scopes of a key as bits over the contract's scope table. */
#define NGX_POS_SCOPE_WORDS  4
typedef struct {
    uint64_t bits[NGX_POS_SCOPE_WORDS];
} ngx_pos_scopes_t;

/* An API key as a request sees it; all strings live as long as the request. */
struct ngx_pos_key_s {
    pos_str_t        id, retailer, mode, store;
    pos_str_t        scopes_json;         /* the array as stored             */
    uint32_t         retailer_no;         /* in its generation's snapshot    */
    int64_t          expires;             /* µs; POS_TIME_MAX: never         */
    bool             revoked;
    ngx_pos_scopes_t scopes;
};

#define NGX_POS_PARAM_MAX  16

struct ngx_pos_ctx_s {
    ngx_http_request_t        *request;
    const ngx_pos_operation_t *op;
    pos_arena_t               *arena;
    pos_faults_t               faults;
    ngx_pos_generation_t      *generation;   /* one reference, or NULL       */
    const ngx_pos_key_t       *key;
    char                       request_id[NGX_POS_REQUEST_ID_MAX];
    uint64_t                   started;      /* µs, monotonic                */
    pos_str_t                  path, query;  /* as sent, undecoded           */
    pos_str_t                  segments[NGX_POS_PARAM_MAX];   /* path values  */
    pos_json_t                *values[NGX_POS_PARAM_MAX];     /* by parameter */
    pos_str_t                  body;         /* bytes as sent                */
    pos_json_t                *json;         /* the body, when it is JSON    */
    pos_str_t                  content_type; /* media type, lower case       */
    pos_str_t                  idempotency_key;
    pos_str_t                  prepared;     /* JSON, or empty               */
    pos_str_t                  revision;     /* for Pos-Revision; may be empty */
    const char                *code;         /* of the problem answered      */
    ngx_pos_pg_call_t         *call;         /* in the database, or NULL     */
    void                      *work;         /* a native handler's own state */
    ngx_queue_t                together;     /* in the worker's, while queued */
    ngx_uint_t                 status;       /* of the queued answer         */
    pos_str_t                  answer, answer_type;
    uint8_t                    body_digest[POS_SHA256_SIZE];   /* of a body in a file */
    size_t                     body_limit;   /* of a body read in pieces     */
    char                      *body_buffer;
    size_t                     body_room;
    unsigned                   answered:1;
    unsigned                   body_pieces:1;
    unsigned                   has_body_digest:1;
    unsigned                   suspended:1;  /* woken by an event of ours    */
    unsigned                   queued:1;     /* its answer waits in together */
};

/* module.c */
uint64_t ngx_pos_random(void);
#define ngx_pos_ctx(r)  ((ngx_pos_ctx_t *) ngx_http_get_module_ctx(r, ngx_http_pos_module))

/* request.c: the phases. Each ends in exactly one finalize. */
ngx_int_t ngx_pos_request_handler(ngx_http_request_t *r);
/* The request, whatever it was, now ends in an answer of nginx's: its context,
 * with the identifier it had; a new one, where it never came to our handler. */
ngx_pos_ctx_t *ngx_pos_request_again(ngx_http_request_t *r);
/* The body is there: validates, prepares, dispatches. */
void ngx_pos_request_run(ngx_http_request_t *r);
/* After a prepare step: on to the handler. */
void ngx_pos_request_dispatch(ngx_pos_ctx_t *ctx);
/* Hands the request back to nginx with the result of sending. When an event of
 * ours woke it, nginx's posted requests are run too. Never touch it after. */
void ngx_pos_request_finish(ngx_pos_ctx_t *ctx, ngx_int_t rc);
/* It waits for an event of ours: a client that goes away is noticed. */
void ngx_pos_request_suspend(ngx_pos_ctx_t *ctx);
ngx_str_t ngx_pos_request_header(ngx_http_request_t *r, const char *lowcase, size_t len, bool *found);

/* body.c: reads the whole body into memory (or refuses), then runs. */
ngx_int_t ngx_pos_body_read(ngx_pos_ctx_t *ctx);
/* Could the body not be written to its file for want of space? */
bool ngx_pos_body_disk_full(ngx_http_request_t *r);
/* Before it is read: type, presence, length. False: answered already. */
bool ngx_pos_body_acceptable(ngx_pos_ctx_t *ctx);

/* spool.c: refuses a spool that no body could be moved to. */
ngx_int_t ngx_pos_spool_check(ngx_conf_t *cf, ngx_pos_main_conf_t *conf);
/* Sweeps, soon, what killed workers left. */
void ngx_pos_spool_init_worker(ngx_pos_worker_t *worker);

/* validate.c: parameters and body against the contract. Faults are collected;
 * `*status` is the answer's when there are some (400: the body is no JSON). */
void ngx_pos_validate(ngx_pos_ctx_t *ctx, ngx_uint_t *status);
/* The JSON body, where there is one, against the operation's schema of it. */
pos_status_t ngx_pos_validate_json(ngx_pos_ctx_t *ctx, pos_faults_t *faults);

/* auth.c: false: answered already. */
bool ngx_pos_auth(ngx_pos_ctx_t *ctx);
bool ngx_pos_key_may(const ngx_pos_ctx_t *ctx, ngx_uint_t scope);
/* Decodes a key's document; all in `arena`. */
pos_status_t ngx_pos_key_decode(pos_str_t json, pos_arena_t *arena, ngx_pos_key_t *out);

/* problem.c: answers by RFC 9457. `code` is a literal of docs/errors.md. */
void ngx_pos_problem(ngx_pos_ctx_t *ctx, ngx_uint_t status, const char *code, const char *detail);
/* With the faults collected in ctx as errors[]. */
void ngx_pos_problem_faults(ngx_pos_ctx_t *ctx, ngx_uint_t status, const char *code, const char *detail);
/* `errors` is a JSON array's text or empty. */
void ngx_pos_problem_write(ngx_pos_ctx_t *ctx, pos_writer_t *w, ngx_uint_t status, pos_str_t code,
    pos_str_t detail, pos_str_t errors, const pos_json_t *extra);
void ngx_pos_problem_unavailable(ngx_pos_ctx_t *ctx, const char *code, const char *detail);
const char *ngx_pos_status_title(ngx_uint_t status);

/* transport.c: nginx's own refusals at these places become problems too. */
ngx_int_t ngx_pos_transport_init(ngx_conf_t *cf, ngx_array_t *places);

/* answer.c */
ngx_int_t ngx_pos_answer_header(ngx_pos_ctx_t *ctx, const char *name, size_t name_len, pos_str_t value);
#define ngx_pos_header(ctx, name, value)  ngx_pos_answer_header(ctx, name, sizeof(name) - 1, value)
/* Sends `body` (kept alive by the request: its arena, pool or a cleanup). */
ngx_int_t ngx_pos_answer_send(ngx_pos_ctx_t *ctx, ngx_uint_t status, pos_str_t content_type, pos_str_t body);
/* The same and finishes the request. */
void ngx_pos_answer(ngx_pos_ctx_t *ctx, ngx_uint_t status, pos_str_t content_type, pos_str_t body);
/* The same, but once the events at hand are handled: quotes asked for at once are
 * priced one after another and leave one after another. A send that wakes a
 * sleeping client costs as much as a quote; the second of a row finds it awake. */
void ngx_pos_answer_together(ngx_pos_ctx_t *ctx, ngx_uint_t status, pos_str_t content_type, pos_str_t body);
/* The request goes away: its queued answer too. */
void ngx_pos_answer_forget(ngx_pos_ctx_t *ctx);
void ngx_pos_answer_init(ngx_cycle_t *cycle);
/* Header only, for an answer that streams. */
ngx_int_t ngx_pos_answer_begin(ngx_pos_ctx_t *ctx, ngx_uint_t status, pos_str_t content_type);
/* Does If-None-Match hold this tag (quotes included)? */
bool ngx_pos_answer_matches(ngx_pos_ctx_t *ctx, pos_str_t etag);

/* sql.c */
void ngx_pos_sql_call(ngx_pos_ctx_t *ctx);
/* Answers for a call that was not done. */
void ngx_pos_sql_failed(ngx_pos_ctx_t *ctx, const ngx_pos_pg_call_t *call);
/* The key's retailer as the database knows it, zero-terminated; data NULL: no memory. */
pos_str_t ngx_pos_sql_retailer(ngx_pos_ctx_t *ctx);
/* sqlstate.c: maps what the database said to an answer. */
void ngx_pos_sql_refusal(ngx_pos_ctx_t *ctx, const char *sqlstate, const char *message, const char *detail);

/* promotion_stage.c: before a worker's first request. */
void ngx_pos_stage_init_worker(ngx_cycle_t *cycle);

/* Native handlers and prepare steps: each ends in an answer, now or later. A
 * prepare step ends in an answer or in ngx_pos_request_dispatch. */
typedef void (*ngx_pos_handler_pt)(ngx_pos_ctx_t *ctx);
void ngx_pos_quote_handler(ngx_pos_ctx_t *ctx);
void ngx_pos_batch_handler(ngx_pos_ctx_t *ctx);
void ngx_pos_prices_handler(ngx_pos_ctx_t *ctx);
void ngx_pos_promotion_validate_handler(ngx_pos_ctx_t *ctx);
void ngx_pos_promotion_prepare(ngx_pos_ctx_t *ctx);
void ngx_pos_promotion_publish_prepare(ngx_pos_ctx_t *ctx);
void ngx_pos_promotion_check_handler(ngx_pos_ctx_t *ctx);
void ngx_pos_promotion_simulate_handler(ngx_pos_ctx_t *ctx);
void ngx_pos_import_prepare(ngx_pos_ctx_t *ctx);
void ngx_pos_health_handler(ngx_pos_ctx_t *ctx);
void ngx_pos_metrics_handler(ngx_pos_ctx_t *ctx);
void ngx_pos_openapi_handler(ngx_pos_ctx_t *ctx);

static inline pos_str_t
ngx_pos_str(ngx_str_t s)
{
    return pos_str_of((const char *) s.data, s.len);
}

static inline ngx_str_t
ngx_pos_ngx_str(pos_str_t s)
{
    ngx_str_t out;

    out.data = (u_char *) s.data;
    out.len = s.len;

    return out;
}

#endif
