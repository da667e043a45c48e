/*
 * PostgreSQL from nginx's event loop, by libpq, never blocking.
 *
 * One call is one pipeline on one connection: the retailer is set, the function
 * is called, one sync: one round trip, one implicit transaction. A connection
 * carries one call at a time and goes back to the pool only after its sync.
 *
 * libpq's socket is registered level-triggered: PQconsumeInput reads 16 KB at
 * most, and an edge would not come again for what is left in the kernel. While
 * connecting, the registration is made afresh around every PQconnectPoll, since
 * libpq may put another socket behind the same number.
 */

#ifndef NGX_POS_PG_H
#define NGX_POS_PG_H

#include "ngx_pos.h"

#include <libpq-fe.h>

#define NGX_POS_PG_STATEMENTS  1024   /* 0 sets the retailer                 */
/* ours, behind the contract's: what the last ones of them are for */
#define NGX_POS_PG_ROOM_INDEX     (NGX_POS_PG_STATEMENTS - 1)   /* how many connections there are */
#define NGX_POS_PG_SUSPEND_INDEX  (NGX_POS_PG_STATEMENTS - 2)   /* suspends a promotion */
#define NGX_POS_PG_STAGE_INDEX    (NGX_POS_PG_STATEMENTS - 3)   /* reads a promotion's version */
#define NGX_POS_PG_TALLY_INDEX    (NGX_POS_PG_STATEMENTS - 4)   /* counts what promotions did  */

typedef enum {
    NGX_POS_PG_CLOSED,        /* no PGconn; perhaps waiting out a back-off   */
    NGX_POS_PG_CONNECTING,    /* PQconnectPoll wants more                    */
    NGX_POS_PG_IDLE,          /* in the pool's list of idle ones             */
    NGX_POS_PG_BUSY,          /* a call is out                               */
    NGX_POS_PG_DRAINING       /* its request went away: reading to the sync  */
} ngx_pos_pg_state_e;

typedef enum {
    NGX_POS_PG_DONE,          /* `result` holds one row                      */
    NGX_POS_PG_REFUSED,       /* `sqlstate`, `message`, `detail`             */
    NGX_POS_PG_UNAVAILABLE,   /* no database; nothing was executed           */
    NGX_POS_PG_OVERLOADED,    /* all connections taken, the queue full or too slow */
    NGX_POS_PG_TIMED_OUT,     /* no answer in time; may have been executed   */
    NGX_POS_PG_UNKNOWN        /* connection lost while it ran: perhaps executed */
} ngx_pos_pg_outcome_e;

typedef enum {
    NGX_POS_PG_CALL_NEW,
    NGX_POS_PG_CALL_QUEUED,   /* in the pool's queue                         */
    NGX_POS_PG_CALL_RUNNING,  /* on a connection                             */
    NGX_POS_PG_CALL_PAUSED,   /* waiting to be tried again                   */
    NGX_POS_PG_CALL_OVER
} ngx_pos_pg_call_state_e;

typedef struct ngx_pos_pg_conn_s ngx_pos_pg_conn_t;

/* The caller's memory, zeroed, alive until the handler ran or it detached. */
struct ngx_pos_pg_call_s {
    /* set by the caller */
    const char *statement;      /* its name, the same for the process's life */
    ngx_uint_t  statement_index;   /* from 1, below NGX_POS_PG_TALLY_INDEX */
    const char *sql;
    const char *retailer;       /* zero-terminated; "" for none              */
    const char *request;        /* zero-terminated JSON                      */
    bool        repeatable;     /* may be sent again when its outcome is lost */
    bool        writes;         /* may wait for what its retailer's other writes hold */
    void      (*handler)(ngx_pos_pg_call_t *call);   /* once                 */
    void       *data;

    /* for the handler; the result is its to clear, the texts end with it */
    ngx_pos_pg_outcome_e outcome;
    PGresult            *result;
    char                 sqlstate[6];
    const char          *message;
    const char          *detail;

    /* the pool's */
    ngx_pos_pg_call_state_e state;
    ngx_queue_t             queue;
    ngx_pos_pg_pool_t      *pool;
    ngx_pos_pg_conn_t      *conn;
    uint32_t                writer;     /* whose write it is; 0: none        */
    ngx_event_t             timer;      /* never cancelable: a reload waits  */
    ngx_msec_t              submitted;
    ngx_uint_t              attempts;   /* after a conflict                  */
    ngx_uint_t              resent;     /* after a lost connection           */
};

/* While the configuration is read: NGX_ERROR, and the log says why, where libpq could
 * not connect by it, or would have to ask for a host's address and wait. */
ngx_int_t ngx_pos_pg_check(ngx_conf_t *cf, ngx_str_t *conninfo);

/* In a worker. NULL without memory. */
ngx_pos_pg_pool_t *ngx_pos_pg_create(ngx_cycle_t *cycle, ngx_pos_main_conf_t *conf);
void ngx_pos_pg_destroy(ngx_pos_pg_pool_t *pool);

/* The handler is called later, from the event loop. */
void ngx_pos_pg_submit(ngx_pos_pg_pool_t *pool, ngx_pos_pg_call_t *call);
/* The request goes away: the handler will not be called. */
void ngx_pos_pg_detach(ngx_pos_pg_call_t *call);

/* Has a connection that works, as far as known. */
bool ngx_pos_pg_up(const ngx_pos_pg_pool_t *pool);

/* ---- between ngx_pos_pg.c (a connection) and ngx_pos_pg_pool.c ---- */

struct ngx_pos_pg_conn_s {
    ngx_pos_pg_state_e  state;
    ngx_pos_pg_pool_t  *pool;
    ngx_queue_t         queue;         /* in pool->idle while IDLE           */
    PGconn             *pg;
    ngx_connection_t   *c;             /* nginx's view of libpq's socket     */
    ngx_pos_pg_call_t  *call;          /* while BUSY                         */
    ngx_event_t         timer;         /* connect, drain, back-off: cancelable */
    ngx_msec_t          born;
    ngx_msec_t          lifetime;
    bool                was_live;      /* since it last was CLOSED           */
    bool                served;        /* and has answered since             */
    /* the call at hand */
    uint8_t             steps[5];
    ngx_uint_t          step, step_count;
    ngx_uint_t          statement;     /* index of the one prepared by it    */
    uint32_t            writer;        /* its call's, though that be gone    */
    PGresult           *result;
    PGresult           *error;
    bool                answered;      /* the call's own result came         */
    bool                doubtful;      /* a warning came at commit           */
    uint8_t             prepared[NGX_POS_PG_STATEMENTS / 8];
};

struct ngx_pos_pg_pool_s {
    ngx_pos_main_conf_t *conf;
    ngx_cycle_t         *cycle;
    ngx_queue_t          idle;         /* most recently used first           */
    ngx_queue_t          waiting;      /* calls, first come first            */
    ngx_uint_t           waiting_count;
    ngx_uint_t           live;         /* IDLE, BUSY or DRAINING             */
    ngx_uint_t           busy;
    ngx_uint_t           connecting;
    ngx_msec_t           backoff;      /* the last wait; 0 after a success   */
    bool                 refused;      /* the last attempt failed            */
    bool                 dropped;      /* one was lost before any answered   */
    bool                 down;         /* and no connection works            */
    bool                 room_asked;
    ngx_pos_pg_call_t    room;
    bool                 closing;
    ngx_uint_t           size;
    ngx_pos_pg_conn_t   *conns;
};

/* connection → pool */
void ngx_pos_pg_on_state(ngx_pos_pg_conn_t *conn, ngx_pos_pg_state_e from);
void ngx_pos_pg_on_connected(ngx_pos_pg_conn_t *conn);   /* just made        */
void ngx_pos_pg_on_served(ngx_pos_pg_conn_t *conn);      /* its first answer */
void ngx_pos_pg_on_ready(ngx_pos_pg_conn_t *conn);       /* take the next    */
void ngx_pos_pg_on_retry(ngx_pos_pg_conn_t *conn);       /* its wait is over */
void ngx_pos_pg_on_retired(ngx_pos_pg_conn_t *conn);     /* closed by its age */
void ngx_pos_pg_on_lost(ngx_pos_pg_conn_t *conn, ngx_pos_pg_call_t *call, bool connected);
void ngx_pos_pg_on_answer(ngx_pos_pg_conn_t *conn, ngx_pos_pg_call_t *call, PGresult *result, PGresult *error,
    bool doubtful);

/* pool → ngx_pos_pg_room.c: says in the log when the database gives fewer
 * connections than all workers may take. Asked again until it was answered. */
void ngx_pos_pg_ask_room(ngx_pos_pg_pool_t *pool);

/* pool → connection */
void ngx_pos_pg_conn_init(ngx_pos_pg_conn_t *conn, ngx_pos_pg_pool_t *pool);
void ngx_pos_pg_conn_open(ngx_pos_pg_conn_t *conn);
void ngx_pos_pg_conn_run(ngx_pos_pg_conn_t *conn, ngx_pos_pg_call_t *call);
void ngx_pos_pg_conn_park(ngx_pos_pg_conn_t *conn);
void ngx_pos_pg_conn_drain(ngx_pos_pg_conn_t *conn);
/* The one exit: whatever it was doing ends here, for this reason. */
void ngx_pos_pg_conn_close(ngx_pos_pg_conn_t *conn, const char *reason, bool lost);

#endif
