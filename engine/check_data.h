/* What the check's files share. */

#ifndef POS_CHECK_DATA_H
#define POS_CHECK_DATA_H

#include "engine/cart.h"
#include "engine/check.h"

#define POS_CHECK_FILTERS     16
#define POS_CHECK_QUANTITIES  6
#define POS_CHECK_CONTEXTS    16
#define POS_CHECK_UNITS       1000   /* in a line                        */
#define POS_CHECK_FAILURES    3      /* of its script: each may cost a whole budget */

/* Something the draft looks for in a cart, and how many of it one cart should hold. */
typedef struct {
    const pos_filter_t *filter;
    int64_t             units;
    pos_str_t           sku;           /* the first product seen that it matches */
    bool                bears;         /* an effect is on it                 */
    bool                needed;        /* without it the condition cannot hold */
} pos_check_wanted_t;

typedef struct {
    pos_str_t store, channel, currency, group;
    int64_t   at;
} pos_check_context_t;

typedef struct {
    pos_str_t sku;
    int64_t   net, cost;               /* of `quantity`                      */
    int64_t   quantity;
} pos_check_loss_t;

typedef struct {
    pos_str_t id;
} pos_check_partner_t;

typedef struct {
    pos_str_t name;
    bool      seen;                    /* of some product                    */
} pos_check_brand_t;

struct pos_check_s {
    pos_check_options_t    options;
    const pos_promotion_t *draft;
    pos_arena_t           *arena;
    pos_arena_t           *scratch;    /* of one product or cart             */
    pos_json_reader_t     *reader;
    pos_check_wanted_t               wanted[POS_CHECK_FILTERS];
    uint32_t               wanted_count;
    bool                   everything; /* some effect bears on any product   */
    int64_t                quantities[POS_CHECK_QUANTITIES];
    uint32_t               quantity_count;
    int64_t                amount;     /* money that a condition asks for    */
    pos_check_context_t              contexts[POS_CHECK_CONTEXTS];
    uint32_t               context_count;
    uint32_t               lists;      /* of the book whose customers are among them */
    bool                   timeless;   /* in one of them it is at no time live */
    pos_map_t              brand_of;   /* name to its place in `brands`      */
    pos_check_brand_t     *brands;     /* that are asked for                 */
    uint32_t               brand_count;
    pos_str_t             *skus;       /* that it is for                     */
    uint32_t               sku_count, sku_room;
    uint32_t               at;         /* the next of them                   */
    uint32_t               context, nth;      /* of its carts: the next      */
    bool                   given;             /* in one of its carts before  */
    pos_check_loss_t       worst;             /* of its carts; quantity 0: none */
    uint32_t               failures;          /* carts that the draft's script failed in */
    uint32_t               seen, matched, priced, applied;
    uint32_t               below_cost, below_margin;
    pos_str_t              foreign;           /* the first currency it was given in that no cost is in */
    uint32_t               loss_count;
    pos_check_loss_t                 losses[POS_CHECK_WORST];      /* the worst first  */
    uint32_t               partner_count;
    pos_check_partner_t              partners[POS_CHECK_LIVE];
    bool                   more_partners;
};

/* check_prepare.c: from `options` and `draft`. */
pos_status_t pos_check_prepare(pos_check_t *check) POS_MUSTCHECK;

#endif
