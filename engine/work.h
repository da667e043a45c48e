/*
 * One quote while it is made: what its files share.
 *
 * The order of work: request.c → item.c (with price.c) → plan.c (which
 * promotions could apply, and to what) → choose.c (which are used; evaluate.c
 * judges a choice) → total.c (fees, tax) → quote_write.c. Everything lives in
 * the quote's arena.
 */

#ifndef POS_WORK_H
#define POS_WORK_H

#include "engine/cart.h"
#include "engine/quote.h"

#define POS_NIL  UINT32_MAX

/* The rates of one tax category for this cart, in order of application. A
 * rate's fraction is of the net price, over `scale`, compounding included. */
typedef struct pos_taxset_s pos_taxset_t;
struct pos_taxset_s {
    pos_str_t             category;
    uint32_t              count;
    const pos_tax_row_t **rows;
    __int128             *fractions;
    __int128              scale;
    __int128              sum;         /* of the fractions */
    bool                  too_large;   /* that, for amounts of this engine */
    pos_taxset_t         *next;        /* that was asked for before it */
};

/* What price selection found for a SKU at a quantity. */
typedef struct {
    const pos_price_list_t *list;
    int64_t                 list_price, unit_price;
    int64_t                 from, until;   /* of the row that won */
    bool                    sale;
} pos_chosen_price_t;

/* The lowest price before a reduction. */
typedef struct {
    bool    known;
    int64_t amount;
} pos_lowest_t;

/* What working it out takes, used for one product after the other. Zeroed, it is empty. */
typedef struct {
    uint8_t     *fits;                  /* by list */
    pos_price_t *rows;
    uint32_t     row_room;
} pos_lowest_room_t;

/* One SKU of the cart. */
typedef struct {
    pos_str_t            sku;
    const pos_product_t *product;
    uint64_t             hash;
    int64_t              quantity;      /* of all its lines */
    pos_status_t         found;
    bool                 priced;
    bool                 reported;      /* its fault is told already */
    bool                 lowest_asked;
    pos_chosen_price_t   price;
    pos_lowest_t         lowest;        /* if it was asked for */
} pos_sku_t;

typedef struct {
    const char         *status;         /* "unknown", "expired", …; NULL: it is good */
    const pos_coupon_t *coupon;
} pos_coupon_state_t;

/* A promotion that a good coupon names. */
typedef struct {
    uint32_t coupon;       /* the first that does, as given */
    uint32_t candidate;    /* POS_NIL: it is none */
} pos_opened_t;

typedef struct {
    const pos_quote_options_t *options;
    const pos_book_t          *book;
    pos_arena_t               *arena;
    pos_faults_t              *faults;
    pos_cart_t                 cart;
    uint8_t                   *list_fits;    /* by list: 0 not asked, 1 yes, 2 no */
    bool                       tax_included;
    uint32_t                   sku_count;
    pos_sku_t                 *skus;
    uint32_t                  *sku_of_line;
    uint32_t                  *item_lines;   /* lines ordered by item, then as given */
    uint32_t                  *item_first;   /* into item_lines; item_count + 1 */
    uint32_t                   gift_room;    /* items allocated behind item_count */
    uint32_t                   gift_count;
    uint32_t                   taxset_count;
    pos_taxset_t              *taxsets;
    pos_map_t                  taxset_of;    /* by category, once there are many */
    pos_coupon_state_t        *coupons;
    pos_map_t                  opened;       /* by promotion: what good coupons name */
    pos_coupon_usage_t        *coupon_usage;      /* counters read, in that order */
    pos_coupon_usage_t        *coupon_usage_last;
    bool                       forbidden;    /* a scope was lacking */
    bool                       invalid;      /* any other fault */
} pos_work_t;

/* request.c: POS_INVALID with all faults at once, or POS_OK. */
pos_status_t pos_request_read(pos_work_t *w, const pos_json_t *request) POS_MUSTCHECK;
/* A fault at /lines/<line><rest> of the request. Returns POS_INVALID. */
pos_status_t pos_line_fault(pos_work_t *w, size_t line, const char *rest, const char *code,
    const char *message);

/* price.c */
bool pos_price_choose(const pos_cart_t *cart, uint8_t *list_fits, const pos_product_t *product,
    int64_t quantity, pos_chosen_price_t *out);

/* The lowest unit price, in the cart's context, of the 30 days before the present
 * reduction began (directive 98/6/EC, article 6a); not known when the price is no
 * reduction, has no beginning, or there was no price then. */
pos_status_t pos_price_lowest(const pos_cart_t *cart, const pos_product_t *product,
    int64_t quantity, pos_lowest_room_t *room, pos_lowest_t *out) POS_MUSTCHECK;

/* item.c: looks up every SKU, prices the lines and makes the items. */
pos_status_t pos_items_make(pos_work_t *w) POS_MUSTCHECK;
/* A request with other faults has its unknown SKUs, and parts of what is sold whole, named too,
 * since all faults are told at once. POS_INVALID, or no memory. */
pos_status_t pos_items_name_faults(pos_work_t *w) POS_MUSTCHECK;
/* Adds a gift's item behind the others, `each` (thousandths) so many `times`, whose
 * product fits an int64_t; NULL: no such product or price, a part of what is sold each,
 * or no memory (`*status`). */
pos_item_t *pos_item_gift(pos_work_t *w, pos_str_t sku, int64_t each, int64_t times,
    pos_status_t *status);
/* What one unit costs before discounts: a measured line is one unit. */
static inline int64_t
pos_item_unit_amount(const pos_item_t *item)
{
    return item->measured ? item->subtotal : item->unit_price;
}

/* tax.c: NULL without memory. */
const pos_taxset_t *pos_taxset(pos_work_t *w, pos_str_t category);
pos_str_t pos_item_tax_category(const pos_item_t *item);

#endif
