/*
 * A promotion whose script fails in one quote after the other is of no use and
 * costs each of them: after so many in a row, counted by each worker, the
 * database is told to suspend it, with an event that says why. The feed then takes
 * it out of every node's book.
 *
 * The quote does not wait for that. What cannot be told now, since the database is
 * down or others are being told, is told after the next so many.
 */

#include "ngx_pos_metrics.h"
#include "ngx_pos_pg.h"
#include "ngx_pos_pricing.h"

#define NGX_POS_SUSPEND_AFTER   100
#define NGX_POS_SUSPEND_AT_ONCE 4
#define NGX_POS_SUSPEND_TEXT    4096

typedef struct {
    ngx_pos_pg_call_t call;
    bool              under_way;
    char              retailer[POS_RETAILER_ID_MAX + 1];
    char              request[NGX_POS_SUSPEND_TEXT];
} ngx_pos_suspend_t;

static ngx_pos_suspend_t ngx_pos_suspends[NGX_POS_SUSPEND_AT_ONCE];

static void
ngx_pos_suspend_answer(ngx_pos_pg_call_t *call)
{
    ngx_pos_suspend_t *s = call->data;

    s->under_way = false;

    if (call->outcome == NGX_POS_PG_DONE) {
        if (PQgetvalue(call->result, 0, 0)[0] == 't') {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "pos: retailer %s: suspended, since its script fails: %s",
                s->retailer, s->request);
        }
        PQclear(call->result);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
        "pos: retailer %s: a promotion whose script fails cannot be suspended now%s%s: %s", s->retailer,
        call->outcome == NGX_POS_PG_REFUSED ? ": " : "", call->outcome == NGX_POS_PG_REFUSED ? call->message : "",
        s->request);
}

/* NULL: as many as may be are under way. */
static ngx_pos_suspend_t *
ngx_pos_suspend_room(void)
{
    ngx_uint_t i;

    for (i = 0; i < NGX_POS_SUSPEND_AT_ONCE; i++) {
        if (!ngx_pos_suspends[i].under_way) {
            return &ngx_pos_suspends[i];
        }
    }

    return NULL;
}

/* {"promotion", "source", "failures", "last"}, zero-terminated. */
static bool
ngx_pos_suspend_write(ngx_pos_suspend_t *s, const pos_script_failure_t *failure, pos_arena_t *arena)
{
    char         hex[2 * POS_SHA256_SIZE];
    pos_str_t    text;
    pos_writer_t w;

    pos_hex(pos_str_of((const char *) failure->source, POS_SHA256_SIZE), hex);
    pos_writer_init(&w, arena, 512, NGX_POS_SUSPEND_TEXT);
    pos_write_object_begin(&w);
    pos_write_key(&w, "promotion");
    pos_write_string(&w, failure->promotion);
    pos_write_key(&w, "source");
    pos_write_string(&w, pos_str_of(hex, sizeof(hex)));
    pos_write_key(&w, "failures");
    pos_write_int(&w, failure->in_a_row);
    pos_write_key(&w, "last");
    pos_write_string(&w, failure->text);
    pos_write_object_end(&w);

    text = pos_writer_result(&w);
    if (w.status != POS_OK || text.len >= sizeof(s->request)) {
        return false;
    }

    ngx_memcpy(s->request, text.data, text.len);
    s->request[text.len] = '\0';

    return true;
}

static void
ngx_pos_suspend_tell(ngx_pos_ctx_t *ctx, const pos_script_failure_t *failure)
{
    ngx_pos_shop_t    *shop = ngx_pos_generation_shop(ctx->generation, ctx->key->retailer_no);
    ngx_pos_suspend_t *s = ngx_pos_suspend_room();

    if (s == NULL || shop == NULL || !ngx_pos_suspend_write(s, failure, ctx->arena)) {
        return;
    }

    ngx_memcpy(s->retailer, shop->head.id, sizeof(s->retailer));
    s->under_way = true;

    ngx_memzero(&s->call, sizeof(s->call));
    s->call.statement = "pos_suspend_failing";
    s->call.statement_index = NGX_POS_PG_SUSPEND_INDEX;
    s->call.sql = "select pos.suspend_failing($1::jsonb)";
    s->call.retailer = s->retailer;
    s->call.request = s->request;
    s->call.repeatable = true;
    s->call.writes = true;
    s->call.handler = ngx_pos_suspend_answer;
    s->call.data = s;

    ngx_pos_pg_submit(ngx_pos_worker.pg, &s->call);
}

void
ngx_pos_suspend_look(ngx_pos_ctx_t *ctx, const pos_quote_stats_t *stats)
{
    uint32_t i;

    for (i = 0; i < stats->failure_count && ngx_pos_worker.pg != NULL; i++) {
        if (stats->failures[i].in_a_row > 0 && stats->failures[i].in_a_row % NGX_POS_SUSPEND_AFTER == 0) {
            ngx_pos_suspend_tell(ctx, &stats->failures[i]);
        }
    }
}
