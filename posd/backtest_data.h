/*
 * A back-test while it runs; for backtest*.c only.
 */

#ifndef POS_POSD_BACKTEST_DATA_H
#define POS_POSD_BACKTEST_DATA_H

#include <pthread.h>

#include "base/json_write.h"
#include "engine/basket.h"
#include "engine/overlay.h"
#include "posd/backtest.h"

#define POS_BACKTEST_ORDERS   512              /* in a chunk, at most               */
#define POS_BACKTEST_BYTES    (1024 * 1024)    /* after which a chunk ends          */
#define POS_BACKTEST_GROUPS   2000             /* rows of a table, and one of others */
#define POS_BACKTEST_REASONS  100              /* told of                           */
#define POS_BACKTEST_WORST    10               /* carts                             */
#define POS_BACKTEST_SAMPLE   100              /* carts, at most                    */
#define POS_BACKTEST_LINES    50               /* of a cart shown                   */
#define POS_BACKTEST_WORKERS  64
#define POS_BACKTEST_KEPT     (64 * 1024 * 1024)    /* bytes of products, a worker */

/* ---- backtest_read.c: one past order ---- */

typedef struct {
    pos_str_t          id, store, channel, customer, session, currency;   /* data NULL: null */
    int64_t            at;             /* µs since 1970                             */
    int64_t            discount;       /* of the order beside its lines             */
    uint32_t           group_count, coupon_count, line_count;
    pos_str_t         *groups, *coupons;   /* room for one coupon more              */
    pos_basket_line_t *lines;
    const int64_t     *prices, *discounts;
    const int64_t     *costs;          /* a unit; INT64_MIN: not known              */
} pos_past_t;

/* A tuple of COPY's binary form, as pos.open_backtest() asks for; strings point into it.
 * POS_BROKEN: it is none. */
pos_status_t pos_past_decode(pos_str_t tuple, pos_arena_t *arena, pos_past_t *out) POS_MUSTCHECK;
/* Its time alone; INT64_MIN: it is none. */
int64_t pos_past_time(pos_str_t tuple);

/* ---- backtest_tally.c: what is counted ---- */

enum { POS_WITHOUT, POS_WITH, POS_ACTUAL, POS_WAYS };
enum { POS_OFF, POS_PAID, POS_REVENUE, POS_MARGIN, POS_AMOUNTS };

/* In minor units of one currency. */
typedef struct {
    int64_t amount[POS_WAYS][POS_AMOUNTS];
    int64_t costed;                    /* revenue without, of goods of known cost   */
} pos_figures_t;

typedef struct pos_group_s pos_group_t;
struct pos_group_s {
    pos_str_t     key;                 /* data NULL: of none                        */
    pos_str_t     currency;
    bool          others;
    int64_t       orders, touched;
    pos_figures_t figures;
    uint64_t      last;                /* the order counted last, from 1            */
    pos_group_t  *next;                /* in order of coming                        */
    pos_group_t  *same;                /* the same key in another currency          */
};

#define POS_GROUPS_LATELY  64

typedef struct {
    pos_arena_t  *arena;
    pos_map_t     by_key;
    pos_group_t  *lately[POS_GROUPS_LATELY];   /* rows asked for, by what their keys look like */
    pos_group_t  *none, *others;       /* by currency: `same`                       */
    pos_group_t  *first, **last;
    uint32_t      count;
} pos_groups_t;

typedef struct pos_count_s pos_count_t;
struct pos_count_s {
    pos_str_t    key;                  /* two names with a zero byte between        */
    pos_str_t    first;                /* order                                     */
    pos_str_t    message;
    int64_t      orders, without, with;
    pos_count_t *next;
};

typedef struct {
    pos_arena_t  *arena;
    pos_map_t     by_key;
    pos_count_t  *first, **last;
    uint32_t      count;
} pos_counts_t;

typedef enum { POS_CARTS_DEEPEST, POS_CARTS_LOWEST, POS_CARTS_SAMPLE, POS_CARTS } pos_carts_kind_t;

typedef struct {
    uint64_t  seq;                     /* of the order                              */
    uint64_t  hash;
    int64_t   discount, before, margin;
    pos_str_t text;                    /* JSON                                      */
} pos_shown_t;

typedef struct {
    pos_carts_kind_t kind;
    uint32_t         most, count;
    pos_shown_t      list[POS_BACKTEST_SAMPLE];   /* the first to be shown first     */
} pos_carts_t;

typedef struct {
    pos_arena_t *arena;
    int64_t      read, priced, touched, applied, refused, not_proved, refused_otherwise;
    pos_groups_t totals, days, stores, categories, customer_groups;
    pos_counts_t reasons, conflicts, failures;
    pos_carts_t  carts[POS_CARTS];
    int64_t      engine_ns, read_ns;
    bool         no_memory, overflow;
} pos_tally_t;

/* Empties it; `sample` carts are to be shown. False: no memory. */
bool pos_tally_reset(pos_tally_t *t, uint32_t sample) POS_MUSTCHECK;
/* The row of a group. NULL: no memory. */
pos_group_t *pos_groups_row(pos_groups_t *groups, pos_str_t key, pos_str_t currency);
/* Counts an order once in a row, however many of its lines are in it. */
void pos_group_order(pos_group_t *row, uint64_t order, bool touched);
/* False: over what a number holds. */
bool pos_figures_add(pos_figures_t *to, const pos_figures_t *from) POS_MUSTCHECK;
/* `most` rows (0: any number), then NULL with `*full`. NULL without: no memory. */
pos_count_t *pos_counts_row(pos_counts_t *counts, pos_str_t a, pos_str_t b, uint32_t most, bool *full);
/* Would the cart be shown? */
bool pos_carts_wants(const pos_carts_t *carts, const pos_shown_t *cart);
/* One that is wanted; the text of the one that gives way is in `*out`. */
void pos_carts_put(pos_carts_t *carts, const pos_shown_t *cart, pos_str_t *out);
/* Adds a chunk's tally to that of all before it, whose carts own their texts. */
void pos_tally_add(pos_tally_t *all, const pos_tally_t *chunk);
/* Frees those texts. */
void pos_tally_drop(pos_tally_t *all);

/* ---- backtest_price.c: a worker ---- */

typedef enum {
    POS_CHUNK_FREE,          /* the reader's                                     */
    POS_CHUNK_READ,          /* waits for a worker, or is with one               */
    POS_CHUNK_PRICED         /* waits for its turn                               */
} pos_chunk_state_t;

typedef struct {
    pos_chunk_state_t state;
    uint64_t          first;           /* its first order's number, from 0          */
    uint32_t          book;            /* by which it is priced: the job's `turn`   */
    uint32_t          count;
    char             *bytes;           /* tuples, each behind its length (4 bytes)  */
    size_t            used, room;
    pos_tally_t       tally;
    pos_carts_t       limits[POS_CARTS];   /* of all before that were merged when it was read */
} pos_chunk_t;

/* What is asked for. */
typedef struct {
    char             backtest[64];
    pos_str_t        promotion, row;   /* malloc'ed                                 */
    int64_t          version, rev, total;
    int32_t          from_day, to_day;
    uint32_t         sample;
    char            *orders;           /* the statement; malloc'ed                  */
    char             revision[48];     /* of the snapshots                          */
} pos_backtest_task_t;

typedef struct pos_backtest_s      pos_backtest_t;
typedef struct pos_backtest_then_s pos_backtest_then_t;

typedef struct {
    pos_backtest_t       *job;
    pthread_t             thread;
    bool                  started;
    pos_snapshot_t       *snapshot;
    pos_snapshot_source_t own;
    pos_book_source_t     snapshot_source;
    pos_book_source_t     source;      /* the same through what is kept             */
    pos_arena_t          *kept;        /* products, decoded once                    */
    pos_map_t             products;    /* by SKU                                    */
    pos_map_t             words;       /* what products share: the codes of lists and categories */
    pos_script_vm_t      *vm;
    pos_arena_t          *scratch;     /* of one order                              */
    pos_overlay_t         overlay[2];
    pos_book_source_t     sources[2];
    pos_book_t           *books[2];    /* POS_WITHOUT, POS_WITH                     */
    pos_basket_options_t  options;
    bool                  coupon;      /* the promotion asks for one                */
    uint32_t              turn;        /* whose books these are; 0: of none yet     */
    uint8_t               small[POS_SHA256_SIZE];   /* the digest of what they are built of */
} pos_backtest_worker_t;

struct pos_backtest_s {
    pos_backtests_t        *process;
    const pos_import_job_t *lease;
    pos_backtest_task_t     task;
    pos_backtest_then_t    *then;              /* NULL: the book of now             */
    pos_head_t              head;              /* of the book of this turn          */
    uint32_t                turn;              /* of books, from 1; changed while no worker is at work */
    unsigned                worker_count, chunk_count;
    pos_backtest_worker_t   workers[POS_BACKTEST_WORKERS];
    pos_chunk_t             chunks[2 * POS_BACKTEST_WORKERS + 1];
    /* under the lock */
    pthread_mutex_t         lock;
    pthread_cond_t          to_work, to_merge;
    uint64_t                read, taken;       /* chunks                            */
    bool                    end;               /* workers go home                   */
    pos_status_t            failed;            /* of a worker                       */
    char                    why[400];
    /* the reader's */
    uint64_t                merged;
    uint64_t                orders;            /* read                              */
    uint32_t                used, used_turn;   /* books that counted orders were priced by; the last one's turn */
    char                    used_revision[48];
    uint32_t                then_book;         /* by which those are priced that are read now */
    char                   *held;              /* a tuple of the next book's orders */
    size_t                  held_len;
    pos_tally_t             all;
    pos_pg_t                pg, *control;
    int64_t                 begun, next_renew;
    bool                    lost;
};

/* Renews the lease when it is time; false when it is somebody else's, or the job was
 * cancelled, or this process is to stop. */
bool pos_backtest_progress(pos_backtest_t *b, const char *step) POS_MUSTCHECK;

/* ---- backtest_then.c: the books that the orders were sold by ---- */

typedef struct {
    int64_t rev;
    int64_t since;                     /* µs since 1970                             */
    uint8_t hash[POS_SHA256_SIZE];
} pos_then_book_t;

/* POS_NOT_FOUND: the book of now is asked for, or there never was another. */
pos_status_t pos_then_open(pos_backtest_t *b, pos_backtest_then_t **out) POS_MUSTCHECK;
void         pos_then_close(pos_backtest_then_t *then);
/* The number of the book in force at a time, from 0, not before `from`: times only grow. */
uint32_t pos_then_book_of(const pos_backtest_then_t *then, int64_t at, uint32_t from);
/* Makes the replica that book; all snapshots must be closed. */
bool           pos_then_go(pos_backtest_t *b, pos_backtest_then_t *then, uint32_t which) POS_MUSTCHECK;
pos_replica_t *pos_then_replica(const pos_backtest_then_t *then);
/* What the database said last when it would not. */
const char *pos_then_error(const pos_backtest_then_t *then);
/* Removes what killed processes have left in the replica's folder. */
void pos_then_clear(const char *replica);

/* ---- backtest_books.c: a worker's books ---- */

#define POS_WORK_BLOCK  65536    /* bytes, of a worker's arenas */

/* Ends the job's work; the first to say why is heard. */
void pos_books_fail(pos_backtest_worker_t *w, pos_status_t status, const char *why);
/* False: it has failed, and the job knows. */
bool pos_books_begin(pos_backtest_worker_t *w) POS_MUSTCHECK;
/* The books of the job's turn, in place of those of the one before. False: as above. */
bool pos_books_open(pos_backtest_worker_t *w) POS_MUSTCHECK;
void pos_books_end(pos_backtest_worker_t *w);

/* A thread's life: `data` is its pos_backtest_worker_t. */
void *pos_backtest_work(void *data);

/* ---- backtest_cart.c: one order's figures, and the order shown ---- */

typedef struct {
    const pos_product_t *product;
    pos_str_t            category;     /* data NULL: none                           */
    int64_t              quantity;
    bool                 gift;
    bool                 has[POS_WAYS];
    pos_figures_t        figures;
} pos_cart_line_t;

typedef struct {
    const pos_past_t          *order;
    const pos_basket_result_t *result;
    uint64_t                   seq;
    char                       day[12];
    bool                       touched;
    bool                       cost_known;     /* of all that is sold               */
    uint32_t                   line_count;
    pos_cart_line_t           *lines;
    pos_figures_t              figures;
} pos_cart_figures_t;

/* POS_LIMIT: over what a number holds. */
pos_status_t pos_cart_figure(const pos_book_t *book, pos_cart_figures_t *cart, pos_arena_t *arena) POS_MUSTCHECK;
/* As the result shows it; data NULL: no memory. */
pos_str_t pos_cart_text(const pos_cart_figures_t *cart, pos_arena_t *arena);

/* ---- backtest_write.c ---- */

/* The member `figures` of a row or a cart: {"without": …, "with": …, "actual": …, …}'s inside. */
void pos_figures_write(pos_writer_t *w, const pos_figures_t *figures);
/* The result; a zero stands behind it. */
pos_str_t pos_backtest_result(const pos_backtest_t *b, pos_arena_t *arena);

#endif
