/*
 * What is found out about the way to the database before requests are: can libpq
 * connect without ever waiting for a name server? And:
 * does the database give all the connections that the workers may take? The first
 * worker asks as soon as it has one: a pos_pool that is too large is read in the
 * log at the start, not in refused requests on the busiest day.
 */

#include "ngx_pos_pg.h"

#include <arpa/inet.h>

/* ---- what the configuration says ---- */

/* A folder with a socket, or a number: what libpq can use without asking anybody. */
static bool
ngx_pos_pg_is_address(const char *host, size_t len)
{
    char            text[INET6_ADDRSTRLEN];
    unsigned char   address[sizeof(struct in6_addr)];

    if (len == 0 || host[0] == '/' || host[0] == '@') {
        return true;
    }
    if (len >= sizeof(text)) {
        return false;
    }

    ngx_memcpy(text, host, len);
    text[len] = '\0';

    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

/* Of a list with commas the first that is a name, and has none or an empty place in the list of
 * addresses, so that libpq would look it up; NULL: there is none. */
static const char *
ngx_pos_pg_host_name(const char *hosts, const char *addresses, size_t *len)
{
    size_t given;

    for (;;) {
        *len = strcspn(hosts, ",");
        given = strcspn(addresses, ",");
        if (given == 0 && !ngx_pos_pg_is_address(hosts, *len)) {
            return hosts;
        }
        if (hosts[*len] == '\0') {
            return NULL;
        }
        hosts += *len + 1;
        addresses += given + (addresses[given] == ',');
    }
}

static const char *
ngx_pos_pg_option(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++) {
        if (ngx_strcmp(options->keyword, keyword) == 0) {
            return options->val != NULL ? options->val : "";
        }
    }

    return "";
}

ngx_int_t
ngx_pos_pg_check(ngx_conf_t *cf, ngx_str_t *conninfo)
{
    char             *error = NULL;
    size_t            len;
    const char       *name;
    PQconninfoOption *options = PQconninfoParse((const char *) conninfo->data, &error);

    if (options == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"pos_database\": %s", error != NULL ? error : "no memory");
        PQfreemem(error);
        return NGX_ERROR;
    }

    if (ngx_pos_pg_option(options, "service")[0] != '\0') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"pos_database\": what is behind a service cannot be looked at; name the host");
        PQconninfoFree(options);
        return NGX_ERROR;
    }

    name = ngx_pos_pg_host_name(ngx_pos_pg_option(options, "host"), ngx_pos_pg_option(options, "hostaddr"), &len);
    if (name != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
            "\"pos_database\": looking up the host \"%*s\" would hold up a worker; give its address with hostaddr=",
            len, name);
    }
    PQconninfoFree(options);

    return name != NULL ? NGX_ERROR : NGX_OK;
}

/* ---- what the database says ---- */

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
