/*
 * The book as the engine reads it: one retailer at one revision.
 *
 * Two halves. The small entities (settings, stores, categories, price lists,
 * taxes, experiments, promotions) are compiled once into a pos_book_t, which
 * is immutable and serves many quotes. Products with their prices, and
 * coupons, may be millions: they are read at quote time through a
 * pos_book_source_t, which poscalc serves from memory and nginx from LMDB.
 *
 * Building a book is done in slices, so that a worker never stalls; what did
 * not change is taken over from the book before, compiled promotions most of
 * all.
 */

#ifndef POS_BOOK_H
#define POS_BOOK_H

#include "base/arena.h"
#include "base/base.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/map.h"
#include "base/money.h"

/* Goes up with every change by which the same book, request and inputs give another
 * figure. */
#define POS_ENGINE_VERSION  "2"

/* ---- what a source serves ---- */

typedef struct {
    pos_str_t list;           /* price list's code                           */
    int64_t   amount;         /* minor units of the list's currency          */
    int64_t   min_quantity;   /* thousandths                                 */
    int64_t   from, until;    /* µs; from is included, until is not          */
    bool      sale;           /* kind "sale"; else "regular"                 */
} pos_price_t;

typedef struct {
    pos_str_t code;
    int64_t   amount;         /* minor units, a unit                         */
    pos_str_t tax_category;
} pos_fee_t;

typedef struct {
    pos_str_t name;
    pos_str_t value;
} pos_attribute_t;

typedef struct {
    pos_str_t              sku, name, brand, tax_category;
    pos_str_t              unit;        /* each, kg, l, m                    */
    bool                   measured;    /* not "each"                        */
    bool                   has_cost;
    uint32_t               category_count, tag_count, attribute_count;
    uint32_t               fee_count, price_count;
    const pos_str_t       *categories, *tags;
    const pos_attribute_t *attributes;
    const pos_fee_t       *fees;
    const pos_price_t     *prices;      /* of all lists                      */
    int64_t                weight_grams, cost, min_price;
} pos_product_t;

typedef struct {
    pos_str_t        code;            /* as written by the retailer          */
    uint32_t         promotion_count;
    const pos_str_t *promotions;
    int64_t          remaining;       /* -1: no limit                        */
    int64_t          per_customer;    /* -1: no limit                        */
    int64_t          from, until;
} pos_coupon_t;

typedef enum {
    POS_KIND_RETAILER,      /* one, key ""                                   */
    POS_KIND_STORE,
    POS_KIND_CATEGORY,
    POS_KIND_PRICE_LIST,
    POS_KIND_TAX,
    POS_KIND_EXPERIMENT,
    POS_KIND_PROMOTION,
    POS_KIND_COUPON,
    POS_KIND_SKU,           /* product with its prices                       */
    POS_KIND_KEY,           /* API keys: not the engine's                    */
    POS_KIND_ZONE,          /* TZif bytes by zone name                       */
    POS_KIND_COUNT
} pos_kind_t;

/* Strings a source hands out live as long as what it reads from (a snapshot, a
 * memory book); what it decodes lives in the arena given. POS_NOT_FOUND: no
 * such thing. POS_BROKEN: the stored value is damaged. */
typedef struct {
    void *ctx;
    pos_status_t (*product)(void *ctx, pos_str_t sku, pos_arena_t *arena,
        const pos_product_t **out);
    /* These products will be asked for next; NULL: the source does not care. */
    void (*expect)(void *ctx, const pos_str_t *skus, uint32_t count);
    /* `code` as pos_coupon_key() has it. */
    pos_status_t (*coupon)(void *ctx, pos_str_t code, pos_arena_t *arena,
        const pos_coupon_t **out);
    /* The first small entity of a kind whose key comes after `after` in byte
     * order (NULL: the first of all): its key and its value, JSON text (TZif
     * for zones). Not for SKU and COUPON. */
    pos_status_t (*next)(void *ctx, pos_kind_t kind, const pos_str_t *after,
        pos_str_t *key, pos_str_t *value);
} pos_book_source_t;

/* ---- compiled: one retailer's small entities ---- */

typedef struct pos_book_s         pos_book_t;
typedef struct pos_book_builder_s pos_book_builder_t;
typedef struct pos_script_vm_s    pos_script_vm_t;    /* script.h */

/* A compile error of one row: that row is left out (a promotion keeps its
 * predecessor), everything else goes on. In the book's arena. */
typedef struct pos_book_report_s pos_book_report_t;
struct pos_book_report_s {
    pos_kind_t          kind;
    pos_str_t           key;
    pos_str_t           message;      /* first fault, with line where known */
    bool                kept_before;  /* the predecessor's version serves   */
    pos_book_report_t  *next;
};

/* Starts building. `previous` (may be NULL) must stay alive until the build is
 * done; `vm` compiles scripts and must outlive the book (NULL: scripts are
 * reported as errors). */
pos_status_t pos_book_builder_create(const pos_book_source_t *source,
    const pos_book_t *previous, pos_script_vm_t *vm, pos_book_builder_t **out)
    POS_MUSTCHECK;
/* One promotion's row as it is now; `value.data` NULL: there is none any more. */
typedef struct {
    pos_str_t key;
    pos_str_t value;
} pos_book_change_t;

/* Starts building what `previous` becomes by these changes, ascending by key, each key once;
 * that nothing else of the retailer changed is the caller's word. They must name each promotion
 * that `previous` reports, changed or not: it is tried again. Keys, values and `previous` must
 * stay alive until the build is done. The book is the one that pos_book_builder_create() would
 * come to, and shares with `previous` what is the same, each part freed with the last book.
 * POS_LIMIT: too much changed since a book was built as a whole, or by another VM: do so. */
pos_status_t pos_book_builder_follow(const pos_book_t *previous, pos_script_vm_t *vm,
    const pos_book_change_t *changes, uint32_t count, pos_book_builder_t **out) POS_MUSTCHECK;
/* Does about `rows` entities' work (a promotion to compile counts 20). POS_AGAIN: more to do.
 * POS_OK: `*out` is ready, with one reference. Anything else: the builder
 * failed as a whole (no retailer row, no memory); destroy it. */
pos_status_t pos_book_builder_step(pos_book_builder_t *builder, unsigned rows,
    pos_book_t **out) POS_MUSTCHECK;
/* The source may move to a newer snapshot of the same revision in between. */
void pos_book_builder_destroy(pos_book_builder_t *builder);

void pos_book_retain(pos_book_t *book);
void pos_book_release(pos_book_t *book);       /* frees at the last one */
/* The same in slices of about `rows` promotions, for a worker: true once the
 * reference is given back. Nobody else may use the book in between. */
bool pos_book_release_some(pos_book_t *book, unsigned rows);
const pos_book_report_t *pos_book_reports(const pos_book_t *book);
size_t pos_book_promotions(const pos_book_t *book);   /* live ones compiled */
/* The id of one, by its place below that; lives as long as the book. */
pos_str_t pos_book_promotion_id(const pos_book_t *book, size_t place);

/* ---- a book from one JSON document (poscalc, validate, tests) ---- */

typedef struct pos_memory_book_s pos_memory_book_t;

/* Decodes the whole document of design: every fault named by pointer (unknown
 * fields, a price for a product that is not there, …). `zone` reads TZif bytes
 * by name for the caller, who may touch files; they must outlive the book. */
typedef pos_status_t (*pos_zone_loader_t)(void *ctx, pos_str_t name,
    pos_str_t *tzif);
pos_status_t pos_memory_book_create(const pos_json_t *document,
    pos_zone_loader_t zone, void *zone_ctx, pos_faults_t *faults,
    pos_memory_book_t **out) POS_MUSTCHECK;
void pos_memory_book_destroy(pos_memory_book_t *memory);
void pos_memory_book_source(pos_memory_book_t *memory, pos_book_source_t *out);
/* Hex SHA-256 of the document's canonical form, of the engine's version and of the
 * rules of the zones it names: the revision it quotes by. */
pos_str_t pos_memory_book_revision(const pos_memory_book_t *memory);

/* One product element ({product fields…, "prices": […]}) decoded; used by the
 * memory book and by the replica's encoder. Times without offset are read in
 * `zone`. Faults' pointers start with `base`. Unknown fields are ignored, so
 * that stored rows may grow; whoever takes input from people calls the
 * `check_fields` of the same element too. */
pos_status_t pos_product_decode(const pos_json_t *json, const pos_zone_t *zone,
    pos_str_t base, pos_arena_t *arena, pos_faults_t *faults,
    const pos_product_t **out) POS_MUSTCHECK;
/* What a coupon is found by: its code in upper case (ASCII folding). In the
 * arena; without memory its data is NULL. */
pos_str_t pos_coupon_key(pos_str_t code, pos_arena_t *arena);
pos_status_t pos_coupon_decode(const pos_json_t *json, const pos_zone_t *zone,
    pos_str_t base, pos_arena_t *arena, pos_faults_t *faults,
    const pos_coupon_t **out) POS_MUSTCHECK;
void pos_product_check_fields(const pos_json_t *json, pos_str_t base,
    pos_faults_t *faults);
void pos_coupon_check_fields(const pos_json_t *json, pos_str_t base,
    pos_faults_t *faults);
/* An element of a small section (retailer, store, category, price list, tax, experiment;
 * others are taken as they are): what a book's builder would leave out is told. */
pos_status_t pos_entity_check(pos_kind_t kind, const pos_json_t *json, pos_str_t base,
    pos_arena_t *arena, pos_faults_t *faults) POS_MUSTCHECK;
/* Makes rows from quantity 1 of a measured product rows without minimum;
 * `prices` are the product's own. */
void pos_product_open_prices(const pos_product_t *product, pos_price_t *prices);
/* One row of `prices`, without its SKU. */
pos_status_t pos_price_decode(const pos_json_t *json, const pos_zone_t *zone,
    pos_str_t base, pos_arena_t *arena, pos_faults_t *faults, pos_price_t *out)
    POS_MUSTCHECK;

#endif
