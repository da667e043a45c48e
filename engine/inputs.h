/*
 * Inputs: what a quote reads beside the book and the request. They are levels
 * that change with every order (how often a promotion or a coupon was used so far), and
 * the scripts that a limit kept from running. The quote names all that it read, so
 * that the same book, request and inputs give the same bytes again.
 */

#ifndef POS_INPUTS_H
#define POS_INPUTS_H

#include "base/json_write.h"
#include "engine/promotion.h"

/* One counter: what orders so far took of a promotion, within one window. */
typedef struct {
    pos_str_t          promotion;
    pos_limit_of_t     of;
    pos_limit_per_t    per;        /* CUSTOMER, STORE or ALL                 */
    pos_str_t          subject;    /* customer's id, store's code; ALL: empty */
    pos_limit_window_t window;
    int32_t            from;       /* the window's first day, in days since 1970 in the
                                      retailer's zone; without a window 0    */
} pos_usage_key_t;

/* One that was read. */
typedef struct pos_usage_s pos_usage_t;
struct pos_usage_s {
    pos_usage_key_t key;
    int64_t         used;          /* orders, uses or minor units            */
    pos_usage_t    *next;
};

/* How many orders used a coupon so far. */
typedef struct pos_coupon_usage_s pos_coupon_usage_t;
struct pos_coupon_usage_s {
    pos_str_t           code;      /* as the book has it                     */
    pos_limit_per_t     per;       /* ALL or CUSTOMER                        */
    pos_str_t           subject;   /* customer's id; ALL: empty              */
    int64_t             used;
    pos_coupon_usage_t *next;
};

typedef struct {
    void            *ctx;
    /* What was used before this order, 0 where nothing was. NULL: usage is not
     * known here, and a limit bounds each order by itself alone. */
    pos_status_t   (*usage)(void *ctx, const pos_usage_key_t *key, int64_t *used);
    /* What was used of a coupon before this order (`used` of it is not read). NULL:
     * not known here, and `remaining` is what the book says. */
    pos_status_t   (*coupon)(void *ctx, const pos_coupon_usage_t *key, int64_t *used);
    /* Promotions whose scripts are not run, as they were not then. */
    uint32_t         skipped_count;
    const pos_str_t *skipped;
} pos_inputs_t;

/* The counter that a limit goes by at a time; weeks begin on Monday. False: none,
 * since the limit is of the order itself, or of a customer or store that the cart
 * does not name (`subject` is empty). */
bool pos_usage_key(const pos_limit_t *limit, pos_str_t promotion, pos_str_t subject,
    const pos_civil_t *at, pos_usage_key_t *out);

/* From the document that a quote keeps as its `inputs`; every fault is named below
 * `base`. What is read lives in `arena`, and points into `json`. */
pos_status_t pos_inputs_read(const pos_json_t *json, pos_str_t base, pos_arena_t *arena,
    pos_faults_t *faults, pos_inputs_t *out) POS_MUSTCHECK;

/* One counter as that document has it. */
void pos_usage_write(pos_writer_t *out, const pos_usage_t *usage);
void pos_coupon_usage_write(pos_writer_t *out, const pos_coupon_usage_t *usage);

#endif
