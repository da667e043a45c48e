/*
 * What a compiled book holds; for the engine's own files.
 */

#ifndef POS_BOOK_DATA_H
#define POS_BOOK_DATA_H

#include "engine/book.h"
#include "engine/promotion.h"
#include "engine/roster.h"

typedef enum {
    POS_RANK_UNKNOWN,
    POS_RANK_ASKED,         /* its ancestors are being asked                 */
    POS_RANK_KNOWN,         /* `depth` holds                                 */
    POS_RANK_CIRCLE         /* its ancestors go in a circle                  */
} pos_rank_t;

typedef struct pos_category_s pos_category_t;
struct pos_category_s {
    pos_str_t              code;
    uint64_t               hash;
    pos_category_t        *parent;
    uint32_t               depth;
    uint8_t                rank;        /* pos_rank_t; while a book is built */
    bool                   broken;      /* its parent is missing or a cycle */
};

typedef struct {
    pos_str_t         code, tax_region;
    const pos_zone_t *zone;
} pos_store_t;

typedef struct {
    pos_str_t    code, currency;
    bool         tax_included;
    int64_t      priority;
    pos_strset_t stores, channels, customer_groups;
    int64_t      from, until;
} pos_price_list_t;

typedef struct pos_tax_row_s pos_tax_row_t;
struct pos_tax_row_s {
    pos_str_t region, category, code;
    int64_t   ppm;
    bool      compound;
    pos_str_t ship_country, ship_region;   /* empty: none / any              */
    uint32_t  ordinal;                     /* order of application           */
    pos_str_t head;                        /* {"code":…,"percent":…,"amount": */
    uint32_t  rate;                        /* a number for each code and ppm */
    const pos_tax_row_t *next;             /* of its category, in order      */
};

typedef struct {
    pos_str_t code;
    int64_t   weight;
} pos_arm_t;

typedef struct {
    pos_str_t  code;
    uint32_t   number;                     /* in the book's, in byte order of codes */
    bool       by_customer;                /* else by session                */
    uint32_t   arm_count;
    pos_arm_t *arms;
    int64_t    weight_sum;
} pos_experiment_t;

typedef struct pos_index_s pos_index_t;    /* index.h */

/* All but promotions, which books that follow one another have in common. */
typedef struct {
    pos_arena_t *arena;        /* this too is in it                          */
    uint32_t     refs;         /* books                                      */
} pos_ground_t;

struct pos_book_s {
    pos_arena_t      *arena;               /* its own: this, its promotions' order, reports */
    pos_ground_t     *ground;              /* in its arena: settings, entities */
    uint32_t          refs;
    pos_script_vm_t  *vm;
    /* settings */
    pos_str_t         retailer, currency, shipping_tax_category;
    const pos_zone_t *zone;
    uint8_t           zone_digest[POS_SHA256_SIZE];    /* of the retailer's    */
    pos_rounding_t    rounding;
    bool              tax_by_order;        /* tax_rounding "order"           */
    bool              optimise_priority;
    bool              returns_reprice;     /* where a promotion does not say */
    bool              script_cost;         /* scripts may read cost          */
    int64_t           cash_rounding;
    int64_t           points_per;          /* minor units a point; 0: none   */
    bool              has_token_key;
    pos_hmac_key_t    token_key;           /* from "token_key" (hex) if any  */
    int64_t           token_ttl_us;
    /* entities */
    pos_map_t         stores, categories, lists, experiments;
    pos_map_t         taxes_of;            /* category to its first row      */
    uint32_t          list_count, tax_count, rate_count, promotion_count;
    pos_price_list_t *list_array;          /* priority desc, then code       */
    pos_tax_row_t    *taxes;               /* by (region, category), ordinal */
    pos_promotion_t **promotions;          /* by (priority desc, id asc): where one stands
                                              is its place                   */
    uint32_t         *numbers;             /* of each place                  */
    uint32_t         *places;              /* of each number                 */
    pos_roster_t      roster;              /* the promotions by number and id */
    pos_index_t      *index;
    pos_book_report_t *reports;
};

/* book.c: the place of a promotion by its id. */
bool pos_book_find(const pos_book_t *book, pos_str_t id, uint32_t *place);

#endif
