/*
 * A cart while it is priced. Lines of the request become items (design:
 * "lines of the same SKU, unit price, attributes, manual discount and tax
 * category are one item"), in canonical order; all arithmetic is on items and
 * is split back over lines at the end. Filters, conditions and scripts see
 * items at unit prices.
 */

#ifndef POS_CART_H
#define POS_CART_H

#include "engine/book_data.h"

/* What few lines have. */
typedef struct {
    int64_t                override_amount;
    pos_str_t              override_reason;
    pos_str_t              discount_reason;
    pos_str_t              tax_category;   /* empty: the product's           */
} pos_line_rare_t;

typedef struct {
    pos_str_t              id;             /* the line's, or ""              */
    pos_str_t              sku;
    int64_t                quantity;       /* thousandths                    */
    uint32_t               item;           /* index of its item              */
    uint32_t               attribute_count;
    const pos_attribute_t *attributes;     /* by name                        */
    bool                   has_override;
    bool                   has_discount;   /* manual                         */
    pos_reduce_t           discount_reduce;    /* PERCENT or AMOUNT (a line) */
    int64_t                discount_value;
    const pos_line_rare_t *rare;           /* not NULL: one of nothing       */
} pos_line_t;

typedef struct {
    const pos_product_t        *product;
    const pos_line_t           *line;      /* one of its lines: attributes … */
    uint32_t                    index;     /* canonical                      */
    uint32_t                    category_count;
    const pos_category_t      **categories;    /* own and all ancestors      */
    pos_str_t                   price_list;
    bool                        tax_included;
    bool                        on_sale;
    bool                        measured;
    bool                        gift;      /* added by a promotion: unseen   */
    int64_t                     quantity;  /* thousandths, of all its lines  */
    int64_t                     units;     /* whole units; 1 when measured   */
    int64_t                     list_price, unit_price;   /* minor units     */
    int64_t                     subtotal;  /* before any discount            */
    int64_t                     after_line;    /* left after line discounts  */
    uint64_t                    sku_hash;
    uint64_t                    category_bits;  /* pos_set_bit() of each     */
} pos_item_t;

/* One bit of 64: a set none of whose bits a thing has does not have the thing. */
static inline uint64_t
pos_set_bit(uint64_t hash)
{
    return UINT64_C(1) << (hash & 63);
}

typedef struct pos_matches_s pos_matches_t;    /* matches.c */

typedef struct {
    /* the request */
    pos_str_t              currency, channel, session, fulfilment;
    const pos_store_t     *store;
    int64_t                at;             /* µs                             */
    bool                   simulated;      /* `at` was given                 */
    pos_civil_t            local;          /* `at` in the store's zone       */
    bool                   customer_known;
    pos_str_t              customer_id;
    pos_strset_t           customer_groups;
    int64_t                customer_orders;    /* -1: not said               */
    int32_t                customer_birthday;  /* days since 1970; INT32_MIN: not said */
    bool                   tax_exempt;
    pos_strset_t           tenders;
    pos_str_t              ship_country, ship_region;
    uint32_t               attribute_count;
    const pos_attribute_t *attributes;
    uint32_t               coupon_count;
    const pos_str_t       *coupons;        /* as given                       */
    bool                   has_shipping;
    pos_str_t              shipping_method;
    int64_t                shipping_amount;
    bool                   has_compare;
    int64_t                compare_total;
    bool                   explain;
    bool                   trial;          /* a script's failures in it do not count */
    /* lines and items */
    uint32_t               line_count, item_count;
    pos_line_t            *lines;          /* in the request's order         */
    pos_item_t            *items;          /* canonical order; gifts behind  */
    int64_t                subtotal;       /* of all items, before discounts */
    int64_t                subtotal_after_line;   /* set before the order class */
    bool                   after_line_known;
    pos_arena_t           *arena;          /* the quote's                    */
    const pos_book_t      *book;
    pos_matches_t         *matches;        /* NULL: none are kept            */
} pos_cart_t;

/* Items in ascending order. */
typedef struct {
    uint32_t        count;
    const uint32_t *items;
} pos_match_t;

/* filter.c: does the item match? Gifts never do. */
bool pos_filter_judge(const pos_filter_t *filter, const pos_item_t *item);
/* Which of the cart's items from..until - 1 match, ascending, into `out` (room for all of them);
 * their number. */
uint32_t pos_filter_list(const pos_filter_t *filter, const pos_cart_t *cart, uint32_t from, uint32_t until,
    uint32_t *out);
/* Most filters name one SKU, and most items are another. */
static inline bool
pos_filter_match(const pos_filter_t *filter, const pos_item_t *item)
{
    return (filter == NULL || filter->sku.count != 1 || filter->sku.hashes[0] == item->sku_hash)
           && pos_filter_judge(filter, item);
}

/* Can what it costs be held against the cart's prices? A cost is in the retailer's currency. */
static inline bool
pos_cost_known(const pos_cart_t *cart, const pos_product_t *product)
{
    return product->has_cost && pos_str_eq(cart->currency, cart->book->currency);
}

/* request_line.c: of a line that has nothing of it */
extern const pos_line_rare_t pos_line_plain;

/* condition.c: does it hold? A NULL condition holds. */
bool pos_condition_holds(const pos_condition_t *condition, const pos_cart_t *cart);

/* active.c: NULL when live at the cart's time; else not_started, ended,
 * outside_hours. */
const char *pos_promotion_inactive(const pos_promotion_t *promotion, const pos_cart_t *cart);

/* experiment.c: the cart's arm; NULL: it has nobody to hash. Says whether it is the
 * customer's or the session's. */
const pos_arm_t *pos_experiment_arm(const pos_experiment_t *experiment, const pos_cart_t *cart,
    bool *by_customer);

/* index.c: the promotions that could touch this cart, as indices into
 * book->promotions, ascending (so by priority desc, id asc), no duplicates. Coupons given that name a
 * promotion bring it in. In the cart's arena. */
pos_status_t pos_index_candidates(const pos_cart_t *cart,
    const pos_coupon_t *const *coupons, uint32_t coupon_count,
    const uint32_t **out, uint32_t *count) POS_MUSTCHECK;
pos_status_t pos_index_build(pos_book_t *book) POS_MUSTCHECK;

#endif
