/*
 * A promotion compiled: what a JSON document and a Lua script both become.
 * Immutable, reference-counted, and free of anything that belongs to one book,
 * so that the next generation takes it over when its content did not change.
 */

#ifndef POS_PROMOTION_H
#define POS_PROMOTION_H

#include "engine/book.h"

#define POS_NONE   INT64_MIN    /* an absent lower bound  */
#define POS_INF    INT64_MAX    /* an absent upper bound  */

/* A set of strings: hashes first, then bytes. count 0: any. */
typedef struct {
    uint32_t         count;
    const uint64_t  *hashes;    /* ascending */
    const pos_str_t *values;    /* in the hashes' order */
} pos_strset_t;

bool pos_strset_search(const pos_strset_t *set, pos_str_t value, uint64_t hash);
/* Most sets are of one value: a compare of hashes answers nearly always. */
static inline bool
pos_strset_has(const pos_strset_t *set, pos_str_t value, uint64_t hash)
{
    if (set->count == 1 && set->hashes[0] != hash) {
        return false;
    }
    return pos_strset_search(set, value, hash);
}
/* The same without a hash at hand: short sets are compared by bytes. */
bool pos_strset_contains(const pos_strset_t *set, pos_str_t value);

typedef struct {
    int64_t min, max;           /* both included; POS_NONE, POS_INF: open */
} pos_range_t;

typedef struct {
    pos_str_t    name;
    pos_strset_t values;
} pos_attribute_filter_t;

/* An exact choice of units a script made: items by canonical index. */
typedef struct {
    uint32_t        count;
    const uint32_t *items;      /* ascending item indices                  */
    const int64_t  *units;      /* how many of each at most (thousandths);
                                   NULL: all of each                       */
} pos_selection_t;

typedef struct pos_filter_s pos_filter_t;
/* What a filter asks, where it is one thing alone. */
typedef enum { POS_ASKS_MORE, POS_ASKS_SKU, POS_ASKS_CATEGORY } pos_asks_t;

struct pos_filter_s {
    bool                          any;        /* {}: everything matches    */
    pos_asks_t                    asks;
    pos_strset_t                  sku, category, brand, tag;
    uint32_t                      attribute_count;
    const pos_attribute_filter_t *attributes;
    pos_range_t                   unit_price; /* minor units, before discounts */
    int8_t                        on_sale;    /* -1 any, 0, 1              */
    const pos_filter_t           *negated;    /* "not"                     */
    const pos_selection_t        *selection;  /* a script's; else NULL     */
    pos_str_t                     json;       /* its JSON, for `missing`   */
};

typedef enum {
    POS_COND_ALL, POS_COND_ANY, POS_COND_NOT,
    POS_COND_ITEMS_QUANTITY, POS_COND_ITEMS_AMOUNT, POS_COND_LINE_QUANTITY,
    POS_COND_DISTINCT, POS_COND_SUBTOTAL, POS_COND_WEIGHT, POS_COND_CUSTOMER,
    POS_COND_STORE, POS_COND_CHANNEL, POS_COND_TENDER, POS_COND_FULFILMENT,
    POS_COND_SHIP_TO, POS_COND_ATTRIBUTE
} pos_condition_kind_t;

typedef struct pos_condition_s pos_condition_t;
struct pos_condition_s {
    pos_condition_kind_t          kind;
    uint32_t                      child_count;
    const pos_condition_t *const *children;    /* all, any, not            */
    const pos_filter_t           *filter;      /* items, line, distinct    */
    pos_range_t                   range;       /* quantity in thousandths,
                                                  amounts, grams, counts   */
    bool                          after_line;  /* subtotal: the default    */
    pos_strset_t                  values;      /* store, channel, …, groups,
                                                  ship_to countries        */
    pos_strset_t                  ids;         /* customer ids, ship_to regions */
    pos_range_t                   orders;      /* customer orders          */
    int8_t                        birthday, known;   /* -1 not asked, 0, 1 */
    uint32_t                      attribute_count;
    const pos_attribute_filter_t *attributes;  /* of the cart              */
};

typedef enum {
    POS_EFFECT_MARKDOWN,    /* percent_off, amount_off, unit_price on lines */
    POS_EFFECT_LINE_TIERS,
    POS_EFFECT_BUY_GET,
    POS_EFFECT_NTH,
    POS_EFFECT_BUNDLE,
    POS_EFFECT_GIFT,
    POS_EFFECT_ORDER,       /* percent_off, amount_off, price               */
    POS_EFFECT_ORDER_TIERS,
    POS_EFFECT_SHIPPING,
    POS_EFFECT_POINTS,
    POS_EFFECT_MESSAGE
} pos_effect_kind_t;

typedef enum {
    POS_REDUCE_PERCENT,     /* value in ppm                                 */
    POS_REDUCE_AMOUNT,      /* value in minor units off                     */
    POS_REDUCE_PRICE        /* value is the price after it                  */
} pos_reduce_t;

typedef enum { POS_PER_UNIT, POS_PER_LINE, POS_PER_ALL } pos_per_t;
typedef enum { POS_CHOOSE_BEST, POS_CHOOSE_CHEAPEST, POS_CHOOSE_PRICIEST } pos_choose_t;

/* A part of a deal: what is bought, got or bundled. */
typedef struct {
    const pos_filter_t *filter;
    int64_t             quantity;    /* whole units; 0 when by amount        */
    int64_t             amount;      /* buy by amount; 0 when by quantity    */
    bool                reduces;     /* a `get` with a reduction             */
    pos_reduce_t        reduce;
    int64_t             value;
    pos_choose_t        choose;
} pos_part_t;

typedef struct {
    int64_t      threshold;          /* thousandths or minor units           */
    pos_reduce_t reduce;
    int64_t      value;
} pos_tier_t;

typedef struct {
    pos_effect_kind_t      kind;
    const pos_condition_t *when;         /* the effect's own; NULL: none     */
    const pos_filter_t    *filter;       /* items it bears on                */
    pos_reduce_t           reduce;
    int64_t                value;
    pos_per_t              per;          /* of amount_off                    */
    pos_choose_t           choose;
    int64_t                max_units;    /* POS_INF: all                     */
    int64_t                max_amount;   /* POS_INF: no cap                  */
    bool                   of_original;  /* of: "original"                   */
    bool                   count_all;    /* tiers: count "all"               */
    bool                   shipping_too; /* order: shipping true             */
    uint32_t               part_count;
    const pos_part_t      *parts;        /* bundle's, or buy's               */
    uint32_t               get_count;
    const pos_part_t      *gets;
    int64_t                repeat;       /* POS_INF: as often as it can      */
    int64_t                group, position;   /* nth                         */
    bool                   cheapest_first;    /* nth order: "cheapest"       */
    uint32_t               tier_count;
    const pos_tier_t      *tiers;        /* ascending threshold              */
    pos_strset_t           methods;      /* shipping                         */
    pos_str_t              gift_sku;
    int64_t                gift_quantity;       /* thousandths               */
    const pos_filter_t    *gift_per;            /* NULL: once                */
    int64_t                gift_per_quantity;   /* thousandths               */
    int64_t                points_add;          /* points                    */
    int64_t                points_multiply;     /* ppm; 0: not a multiply    */
    pos_str_t              message;
    pos_str_t              label;        /* empty: the promotion's name      */
} pos_effect_t;

typedef enum { POS_CLASS_LINE, POS_CLASS_ORDER, POS_CLASS_SHIPPING } pos_class_t;
typedef enum { POS_STACK_COMBINE, POS_STACK_EXCLUSIVE, POS_STACK_ALONE } pos_stacking_t;
typedef enum { POS_LIMIT_USES, POS_LIMIT_ORDERS, POS_LIMIT_AMOUNT } pos_limit_of_t;
typedef enum { POS_LIMIT_PER_ORDER, POS_LIMIT_PER_CUSTOMER, POS_LIMIT_PER_STORE, POS_LIMIT_PER_ALL } pos_limit_per_t;
typedef enum { POS_WINDOW_NONE, POS_WINDOW_DAY, POS_WINDOW_WEEK, POS_WINDOW_MONTH } pos_limit_window_t;

typedef struct {
    int64_t            max;
    pos_limit_of_t     of;
    pos_limit_per_t    per;
    pos_limit_window_t window;
} pos_limit_t;

typedef enum {
    POS_RETURNS_RETAILER,   /* not said: as the retailer has it              */
    POS_RETURNS_PAID,       /* the unit's own share comes back               */
    POS_RETURNS_REPRICE     /* what is kept is priced again                  */
} pos_returns_t;

typedef struct { int32_t from, until; } pos_minutes_t;  /* of the day; until <= from wraps midnight */

/* A script's compiled code (script.h). */
typedef struct pos_script_s pos_script_t;

/* What a promotion is filed under in the index, in order of selectivity: the best
 * that it offers is taken. */
typedef enum {
    POS_ANCHOR_COUPON,
    POS_ANCHOR_SKU,
    POS_ANCHOR_CUSTOMER,
    POS_ANCHOR_GROUP,
    POS_ANCHOR_ATTRIBUTE,
    POS_ANCHOR_TAG,
    POS_ANCHOR_BRAND,
    POS_ANCHOR_CATEGORY,
    POS_ANCHOR_CART_ATTRIBUTE,
    POS_ANCHOR_STORE,
    POS_ANCHOR_CHANNEL,
    POS_ANCHOR_TENDER,
    POS_ANCHOR_COUNTRY,
    POS_ANCHOR_FULFILMENT,
    POS_ANCHOR_ALWAYS
} pos_anchor_kind_t;

/* ALWAYS has one key of its own, COUPON none: coupons name promotions. */
typedef struct {
    pos_anchor_kind_t kind;        /* the least selective of its keys        */
    uint32_t          kinds;       /* bit: keys of this kind are among them  */
    uint32_t          count;
    uint64_t         *keys;
    int64_t           subtotal;    /* least value of goods needed; 0: none   */
} pos_anchor_t;

typedef struct pos_promotion_s pos_promotion_t;
struct pos_promotion_s {
    pos_arena_t           *arena;        /* its own                          */
    uint32_t               refs;
    uint64_t               content[2];   /* the builder's, of its row and the zone */
    pos_anchor_t           anchor;
    pos_str_t              id, name;
    uint64_t               id_hash;      /* pos_hash64()                     */
    pos_class_t            class;
    int64_t                priority;
    pos_stacking_t         stacking;
    pos_str_t              group;        /* empty: none                      */
    int64_t                from, until;
    uint8_t                weekdays;     /* bit 0 Monday; 0x7f: all          */
    uint32_t               hours_count;
    const pos_minutes_t   *hours;
    bool                   coupon;       /* needs one                        */
    const pos_condition_t *when;         /* NULL: always                     */
    uint32_t               effect_count;
    const pos_effect_t    *effects;
    uint32_t               limit_count;
    const pos_limit_t     *limits;
    int64_t                floor_ppm;    /* -1: none                         */
    bool                   tax_before;   /* tax_basis "before"               */
    pos_returns_t          returns;
    pos_str_t              experiment, arm;
    pos_script_t          *script;       /* NULL: data only                  */
    pos_str_t              head;         /* {"promotion":ID,"amount":        */
    pos_str_t              tail;         /* ,"label":NAME}                   */
};

/* Compiles one promotion's JSON document (script or not). All faults at once,
 * pointers starting with `base`; faults in a script carry line and column.
 * `zone` reads times without an offset. One reference. */
pos_status_t pos_promotion_compile(const pos_json_t *json, const pos_zone_t *zone,
    pos_script_vm_t *vm, pos_str_t base, pos_faults_t *faults,
    pos_promotion_t **out) POS_MUSTCHECK;
/* The same faults for the document of a script that is loaded already (NULL: of
 * none), which is not run again; nothing is kept. */
pos_status_t pos_promotion_check(const pos_json_t *document, pos_script_t *script,
    const pos_zone_t *zone, pos_str_t base, pos_faults_t *faults) POS_MUSTCHECK;
void pos_promotion_retain(pos_promotion_t *promotion);
void pos_promotion_release(pos_promotion_t *promotion);

/* Single effects and filters, for a script's proposals: the same
 * decoder as the document's. All in `arena`. */
pos_status_t pos_effect_compile(const pos_json_t *json, pos_class_t class,
    pos_str_t base, pos_arena_t *arena, pos_faults_t *faults, pos_effect_t *out)
    POS_MUSTCHECK;
pos_status_t pos_filter_compile(const pos_json_t *json, pos_str_t base,
    pos_arena_t *arena, pos_faults_t *faults, const pos_filter_t **out)
    POS_MUSTCHECK;

#endif
