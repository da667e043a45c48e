/*
 * Does the database give all the connections that the workers may take? The first
 * worker asks as soon as it has one: a pos_pool that is too large is read in the
 * log at the start, not in refused requests on the busiest day.
 */

#include "ngx_pos_pg.h"

/* What is kept for superusers is not for us; PostgreSQL 16 keeps more back. */
static const char ngx_pos_pg_room_sql[]
    = "select least(current_setting('max_connections')::int"
      " - current_setting('superuser_reserved_connections')::int"
      " - coalesce(current_setting('reserved_connections', true), '0')::int,"
      " nullif(d.datconnlimit, -1), nullif(r.rolconnlimit, -1))"
      " from pg_database d, pg_roles r"
      " where d.datname = current_database() and r.rolname = current_user and $1::text is not null";

static void
ngx_pos_pg_room_compare(ngx_pos_pg_pool_t *pool, ngx_int_t room)
{
    ngx_uint_t       need;
    ngx_core_conf_t *core = (ngx_core_conf_t *) ngx_get_conf(pool->cycle->conf_ctx, ngx_core_module);

    /* twice: during a reload the old workers still have theirs */
    need = 2 * core->worker_processes * pool->size;
    if (room < (ngx_int_t) need) {
        ngx_log_error(NGX_LOG_CRIT, pool->cycle->log, 0,
            "the database gives %i connections, but %i workers with a pos_pool of %ui may take %ui while nginx reloads",
            room, (ngx_int_t) core->worker_processes, pool->size, need);
    }
}

static void
ngx_pos_pg_room_answer(ngx_pos_pg_call_t *call)
{
    ngx_int_t          room;
    const char        *text;
    ngx_pos_pg_pool_t *pool = call->data;

    if (call->outcome == NGX_POS_PG_REFUSED) {
        ngx_log_error(NGX_LOG_WARN, pool->cycle->log, 0, "the database does not say how many connections it gives: %s",
            call->message);
        return;
    }

    if (call->outcome != NGX_POS_PG_DONE) {
        pool->room_asked = false;
        return;
    }

    text = PQgetvalue(call->result, 0, 0);
    room = ngx_atoi((u_char *) text, ngx_strlen(text));
    PQclear(call->result);
    ngx_pos_pg_room_compare(pool, room);
}

void
ngx_pos_pg_ask_room(ngx_pos_pg_pool_t *pool)
{
    ngx_pos_pg_call_t *call = &pool->room;

    ngx_memzero(call, sizeof(*call));
    call->statement = "pos_room";
    call->statement_index = NGX_POS_PG_ROOM_INDEX;
    call->sql = ngx_pos_pg_room_sql;
    call->retailer = "";
    call->request = "";
    call->repeatable = true;
    call->handler = ngx_pos_pg_room_answer;
    call->data = pool;
    pool->room_asked = true;

    ngx_pos_pg_submit(pool, call);
}
