/*
 * A basket as a program has it, priced without JSON on either side: with the promotions
 * of a book and, at the price of a second choice only, as if one of them did not exist.
 * What back-tests price past orders by. The steps are a quote's, and so are the figures.
 */

#ifndef POS_BASKET_H
#define POS_BASKET_H

#include "engine/quote.h"

typedef struct {
    pos_str_t sku;
    int64_t   quantity;              /* thousandths                          */
} pos_basket_line_t;

/* An empty string says nothing of the kind. */
typedef struct {
    pos_str_t                currency, store, channel, customer, session;
    int64_t                  at;     /* µs                                   */
    uint32_t                 group_count, coupon_count, line_count;
    const pos_str_t         *groups; /* the customer's                       */
    const pos_str_t         *coupons;
    const pos_basket_line_t *lines;
} pos_basket_t;

typedef struct {
    const pos_product_t *product;
    int64_t              quantity;   /* thousandths                          */
    int64_t              subtotal;   /* before discounts                     */
    int64_t              total;      /* after them, as its price list has it */
    int64_t              tax;        /* on `total`: in it, or on top         */
    bool                 gift;
} pos_basket_part_t;

typedef struct {
    pos_str_t promotion;
    int64_t   amount;                /* that it took off                     */
} pos_basket_use_t;

typedef struct {
    bool                     optimal;
    int64_t                  discount, total;   /* as a quote's              */
    int64_t                  points;
    uint32_t                 part_count, use_count;
    const pos_basket_part_t *parts;  /* the lines as given, then gifts       */
    const pos_basket_use_t  *uses;
} pos_basket_price_t;

typedef struct {
    pos_civil_t                 local;       /* `at` by the store's clock    */
    bool                        tax_included;
    bool                        reached;     /* the promotion was a candidate; if not,
                                                `without` is `with`          */
    bool                        applied;     /* it did something             */
    pos_basket_price_t          with, without;
    uint32_t                    failure_count;
    const pos_script_failure_t *failures;    /* of scripts, in `with`        */
} pos_basket_result_t;

/* Of the options' members those that are of use here: book, source, vm, inputs,
 * node_budget. */
typedef struct {
    pos_quote_options_t with, without;
    pos_str_t           promotion;    /* in the book of `with` and not in the other's; else the
                                         two are the same shop                */
} pos_basket_options_t;

/* All in the arena. POS_INVALID: the faults say why (those of a quote, their pointers into
 * a quote's request). */
pos_status_t pos_basket_price(const pos_basket_options_t *options, const pos_basket_t *basket,
    pos_arena_t *arena, pos_faults_t *faults, pos_basket_result_t *out) POS_MUSTCHECK;

#endif
