/*
 * The module itself: directives, the counters' zone, the worker's beginning and
 * end. All settings belong to the whole http block: one worker serves one
 * contract, one replica, one database.
 */

#include "ngx_pos_contract.h"
#include "ngx_pos_generation.h"
#include "ngx_pos_metrics.h"
#include "ngx_pos_pg.h"
#include "ngx_pos_tally.h"
#include "ngx_pos_watchdog.h"

#include <openssl/rand.h>

ngx_pos_worker_t ngx_pos_worker;

static void     *ngx_pos_create_main_conf(ngx_conf_t *cf);
static char     *ngx_pos_init_main_conf(ngx_conf_t *cf, void *conf);
static ngx_int_t ngx_pos_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_pos_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_pos_init_process(ngx_cycle_t *cycle);
static void      ngx_pos_exit_process(ngx_cycle_t *cycle);
static char     *ngx_pos_set_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char     *ngx_pos_set_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

#define NGX_POS_CONF  (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_CONF_TAKE1)

static ngx_conf_num_bounds_t  ngx_pos_instructions = {
    ngx_conf_check_num_bounds, POS_SCRIPT_INSTRUCTIONS_LEAST, POS_SCRIPT_INSTRUCTIONS_MOST
};

static ngx_command_t ngx_pos_commands[] = {
    { ngx_string("pos_contract"), NGX_POS_CONF, ngx_pos_set_path, NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_pos_main_conf_t, contract_file), NULL },
    { ngx_string("pos_functions"), NGX_POS_CONF, ngx_pos_set_path, NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_pos_main_conf_t, functions_file), NULL },
    { ngx_string("pos_replica"), NGX_POS_CONF, ngx_pos_set_path, NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_pos_main_conf_t, replica), NULL },
    { ngx_string("pos_spool"), NGX_POS_CONF, ngx_pos_set_path, NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_pos_main_conf_t, spool), NULL },
    { ngx_string("pos_database"), NGX_POS_CONF, ngx_conf_set_str_slot, NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_pos_main_conf_t, conninfo), NULL },
    { ngx_string("pos_pool"), NGX_POS_CONF, ngx_conf_set_num_slot, NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_pos_main_conf_t, pool), NULL },
    { ngx_string("pos_queue"), NGX_POS_CONF, ngx_conf_set_num_slot, NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_pos_main_conf_t, queue), NULL },
    { ngx_string("pos_database_timeout"), NGX_POS_CONF, ngx_conf_set_msec_slot, NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_pos_main_conf_t, timeout), NULL },
    { ngx_string("pos_script_cpu_time"), NGX_POS_CONF, ngx_conf_set_msec_slot, NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_pos_main_conf_t, script_cpu_time), NULL },
    { ngx_string("pos_script_instructions"), NGX_POS_CONF, ngx_conf_set_num_slot, NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_pos_main_conf_t, script_instructions), &ngx_pos_instructions },
    { ngx_string("pos_check_responses"), NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_CONF_FLAG,
      ngx_conf_set_flag_slot, NGX_HTTP_MAIN_CONF_OFFSET, offsetof(ngx_pos_main_conf_t, check_responses), NULL },
    { ngx_string("pos_api"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, ngx_pos_set_api, NGX_HTTP_LOC_CONF_OFFSET, 0,
      NULL },
    ngx_null_command
};

static ngx_http_module_t ngx_pos_module_ctx = {
    ngx_pos_preconfiguration,
    ngx_pos_postconfiguration,
    ngx_pos_create_main_conf,
    ngx_pos_init_main_conf,
    NULL,
    NULL,
    NULL,
    NULL
};

ngx_module_t ngx_http_pos_module = {
    NGX_MODULE_V1,
    &ngx_pos_module_ctx,
    ngx_pos_commands,
    NGX_HTTP_MODULE,
    NULL,
    NULL,
    ngx_pos_init_process,
    NULL,
    NULL,
    ngx_pos_exit_process,
    NULL,
    NGX_MODULE_V1_PADDING
};

/* What x-pos-native and x-pos-prepare may name. */
const ngx_pos_native_t ngx_pos_natives[] = {
    { .name = "quote", .handler = ngx_pos_quote_handler, .own_checks = 1, .needs_book = 1 },
    { .name = "quote_batch", .handler = ngx_pos_batch_handler, .needs_book = 1, .stream_body = 1 },
    { .name = "prices", .handler = ngx_pos_prices_handler, .needs_book = 1 },
    { .name = "promotion_validate", .handler = ngx_pos_promotion_validate_handler, .own_checks = 1 },
    { .name = "promotion_check", .handler = ngx_pos_promotion_check_handler },
    { .name = "promotion_simulate", .handler = ngx_pos_promotion_simulate_handler },
    { .name = "health", .handler = ngx_pos_health_handler },
    { .name = "metrics", .handler = ngx_pos_metrics_handler },
    { .name = "openapi", .handler = ngx_pos_openapi_handler },
    { .name = NULL }
};

const ngx_pos_native_t ngx_pos_prepares[] = {
    { .name = "promotion", .handler = ngx_pos_promotion_prepare },
    { .name = "promotion_publish", .handler = ngx_pos_promotion_publish_prepare },
    { .name = "import", .handler = ngx_pos_import_prepare, .file_body = 1 },
    { .name = NULL }
};

static void *
ngx_pos_create_main_conf(ngx_conf_t *cf)
{
    ngx_pos_main_conf_t *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_pos_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->pool = NGX_CONF_UNSET_UINT;
    conf->queue = NGX_CONF_UNSET_UINT;
    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->script_cpu_time = NGX_CONF_UNSET_MSEC;
    conf->script_instructions = NGX_CONF_UNSET;
    conf->check_responses = NGX_CONF_UNSET;

    if (ngx_array_init(&conf->places, cf->pool, 2, sizeof(ngx_pos_place_t)) != NGX_OK) {
        return NULL;
    }

    return conf;
}

static char *
ngx_pos_init_main_conf(ngx_conf_t *cf, void *data)
{
    ngx_pos_main_conf_t *conf = data;
    pos_script_limits_t  limits;

    ngx_conf_init_uint_value(conf->pool, 4);
    ngx_conf_init_uint_value(conf->queue, 64);
    ngx_conf_init_msec_value(conf->timeout, 5000);
    ngx_conf_init_msec_value(conf->script_cpu_time, 1000);
    pos_script_limits_default(&limits);
    ngx_conf_init_value(conf->script_instructions, (ngx_int_t) limits.instructions);
    ngx_conf_init_value(conf->check_responses, 0);

    if (conf->pool == 0 || conf->pool > 64) {
        return "pos_pool is not between 1 and 64";
    }

    return NGX_CONF_OK;
}

static char *
ngx_pos_set_path(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char      *rv;
    ngx_str_t *path;

    rv = ngx_conf_set_str_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    path = (ngx_str_t *) ((char *) conf + cmd->offset);

    return ngx_conf_full_name(cf->cycle, path, 0) == NGX_OK ? NGX_CONF_OK : NGX_CONF_ERROR;
}

static char *
ngx_pos_set_api(ngx_conf_t *cf, ngx_command_t *cmd, void *data)
{
    ngx_pos_place_t          *place;
    ngx_pos_main_conf_t      *conf;
    ngx_http_core_loc_conf_t *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_pos_request_handler;

    conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pos_module);
    place = ngx_array_push(&conf->places);
    if (place == NULL) {
        return NGX_CONF_ERROR;
    }
    place->server = ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module);
    place->location = clcf;

    return NGX_CONF_OK;
}

/* ---- variables for the access log ---- */

enum {
    NGX_POS_VAR_REQUEST_ID,
    NGX_POS_VAR_OPERATION,
    NGX_POS_VAR_RETAILER,
    NGX_POS_VAR_KEY,
    NGX_POS_VAR_REVISION,
    NGX_POS_VAR_CODE
};

static ngx_int_t
ngx_pos_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t which)
{
    pos_str_t      value = { NULL, 0 };
    ngx_pos_ctx_t *ctx = ngx_pos_ctx(r);

    v->not_found = 1;
    if (ctx == NULL) {
        return NGX_OK;
    }

    switch (which) {
    case NGX_POS_VAR_REQUEST_ID:
        value = pos_str_z(ctx->request_id);
        break;
    case NGX_POS_VAR_OPERATION:
        value = ctx->op ? ctx->op->id : value;
        break;
    case NGX_POS_VAR_RETAILER:
        value = ctx->key ? ctx->key->retailer : value;
        break;
    case NGX_POS_VAR_KEY:
        value = ctx->key ? ctx->key->id : value;
        break;
    case NGX_POS_VAR_REVISION:
        value = ctx->revision;
        break;
    case NGX_POS_VAR_CODE:
        value = ctx->code ? pos_str_z(ctx->code) : value;
        break;
    }

    if (value.data == NULL) {
        return NGX_OK;
    }

    v->data = (u_char *) value.data;
    v->len = value.len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}

static ngx_http_variable_t ngx_pos_variables[] = {
    { ngx_string("pos_request_id"), NULL, ngx_pos_variable, NGX_POS_VAR_REQUEST_ID, NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("pos_operation"), NULL, ngx_pos_variable, NGX_POS_VAR_OPERATION, NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("pos_retailer"), NULL, ngx_pos_variable, NGX_POS_VAR_RETAILER, NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("pos_key"), NULL, ngx_pos_variable, NGX_POS_VAR_KEY, NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("pos_revision"), NULL, ngx_pos_variable, NGX_POS_VAR_REVISION, NGX_HTTP_VAR_NOCACHEABLE, 0 },
    { ngx_string("pos_code"), NULL, ngx_pos_variable, NGX_POS_VAR_CODE, NGX_HTTP_VAR_NOCACHEABLE, 0 },
    ngx_http_null_variable
};

static ngx_int_t
ngx_pos_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_variable_t *var, *v;

    for (v = ngx_pos_variables; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }
        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}

static ngx_int_t
ngx_pos_postconfiguration(ngx_conf_t *cf)
{
    ngx_str_t            threads = ngx_string("default");
    ngx_pos_main_conf_t *conf;

    conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pos_module);
    if (conf->places.nelts == 0) {
        return NGX_OK;
    }

    if (conf->contract_file.len == 0 || conf->functions_file.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"pos_api\" needs \"pos_contract\" and \"pos_functions\"");
        return NGX_ERROR;
    }

    conf->contract = ngx_pos_contract_load(cf, &conf->contract_file, &conf->functions_file);
    if (conf->contract == NULL) {
        return NGX_ERROR;
    }

    conf->threads = ngx_thread_pool_add(cf, &threads);
    if (conf->threads == NULL) {
        return NGX_ERROR;
    }

    if (ngx_pos_spool_check(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_pos_transport_init(cf, &conf->places) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conf->conninfo.len && ngx_pos_pg_check(cf, &conf->conninfo) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_pos_watchdog_zone(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_pos_metrics_zone(cf, conf);
}

/* ---- the worker ---- */

uint64_t
ngx_pos_random(void)
{
    uint64_t a = ngx_pos_worker.random[0], b = ngx_pos_worker.random[1];

    /* xorshift128+: identifiers need to differ, not to be secret */
    ngx_pos_worker.random[0] = b;
    a ^= a << 23;
    a ^= a >> 17;
    a ^= b ^ (b >> 26);
    ngx_pos_worker.random[1] = a;

    return a + b;
}

static ngx_int_t
ngx_pos_init_process(ngx_cycle_t *cycle)
{
    ngx_pos_worker_t    *worker = &ngx_pos_worker;
    ngx_pos_main_conf_t *conf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) {
        return NGX_OK;
    }

    conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_pos_module);
    if (conf == NULL || conf->places.nelts == 0) {
        return NGX_OK;
    }

    ngx_memzero(worker, sizeof(*worker));
    worker->conf = conf;
    worker->cycle = cycle;
    ngx_pos_metrics_enter();
    worker->reader = pos_json_reader_create(NGX_POS_MAX_ANSWER);

    if (worker->reader == NULL || RAND_bytes((u_char *) worker->random, sizeof(worker->random)) != 1) {
        return NGX_ERROR;
    }
    worker->random[0] |= 1;

    if (conf->replica.len && ngx_pos_generation_init_worker(cycle, &conf->replica) != NGX_OK) {
        return NGX_ERROR;
    }

    if (conf->conninfo.len) {
        worker->pg = ngx_pos_pg_create(cycle, conf);
        if (worker->pg == NULL || ngx_pos_tally_init_worker(cycle) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_pos_answer_init(cycle);
    ngx_pos_stage_init_worker(cycle);
    ngx_pos_spool_init_worker(worker);
    worker->ready = 1;

    return NGX_OK;
}

static void
ngx_pos_exit_process(ngx_cycle_t *cycle)
{
    ngx_pos_worker_t *worker = &ngx_pos_worker;

    if (!worker->ready) {
        return;
    }
    worker->ready = 0;

    if (worker->pg != NULL) {
        ngx_pos_pg_destroy(worker->pg);
        ngx_pos_tally_exit_worker();
    }

    if (worker->conf->replica.len) {
        ngx_pos_generation_exit_worker();
    }

    while (worker->arena_count > 0) {
        pos_arena_destroy(worker->arenas[--worker->arena_count]);
    }

    pos_json_reader_destroy(worker->reader);
    ngx_pos_metrics_leave();
}
