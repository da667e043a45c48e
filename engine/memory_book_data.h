/*
 * A memory book, and what is shared while its document is read; for
 * memory_book*.c only.
 */

#ifndef POS_MEMORY_BOOK_DATA_H
#define POS_MEMORY_BOOK_DATA_H

#include "engine/entities.h"

typedef struct {
    pos_str_t key, value;
} pos_memory_row_t;

/* The small entities of one kind. */
typedef struct {
    uint32_t          count;
    pos_memory_row_t *rows;          /* by key, once all is read            */
} pos_memory_section_t;

struct pos_memory_book_s {
    pos_arena_t         *arena;
    pos_memory_section_t sections[POS_KIND_COUNT];
    pos_map_t            products;   /* by SKU                              */
    pos_map_t            coupons;    /* by pos_coupon_key()                 */
    char                 revision[2 * POS_SHA256_SIZE];
};

/* While the document is read. */
typedef struct {
    pos_memory_book_t  *m;
    const pos_json_t   *document;
    pos_arena_t        *scratch;
    pos_faults_t       *faults;
    pos_decoder_t       d;
    pos_at_t            root;
    pos_zone_loader_t   zone;
    void               *zone_ctx;
    const pos_zone_t   *retailer_zone;
    pos_map_t           keys[POS_KIND_COUNT];    /* what there is, by code  */
    pos_map_t           zones;                   /* name to its zone        */
    pos_script_vm_t    *vm;                      /* once a script is read   */
} pos_memory_reading_t;

/* ---- memory_book_read.c ---- */

/* Reads the whole document of `r` into its book. POS_INVALID: every fault is
 * among the reading's. */
pos_status_t pos_memory_read(pos_memory_reading_t *r) POS_MUSTCHECK;

/* Whether the part of the document read so far has such a thing. */
bool pos_memory_known(const pos_memory_reading_t *r, pos_kind_t kind, pos_str_t code);
/* Notes `value` ("" where only the code counts) by its code in `map`: a second one is a fault at
 * the member `field` of `at`. A code that is at fault itself is empty. */
void pos_memory_note(pos_memory_reading_t *r, const pos_at_t *at, const char *field,
    pos_map_t *map, pos_str_t code, const void *value);
/* The same, without the fault; false without memory. */
bool pos_memory_set(pos_memory_reading_t *r, pos_map_t *map, pos_str_t key,
    const void *value, void **old);
/* The fault of a member (or of one of its list's) that names what is not there. */
void pos_memory_refuse(pos_memory_reading_t *r, const pos_at_t *up, const char *field,
    const char *code, pos_str_t name);
void pos_memory_refuse_at(pos_memory_reading_t *r, const pos_at_t *up, const char *field,
    size_t index, const char *code, pos_str_t name);

/* The document's list of that name, and room for a row of each of its elements;
 * NULL: it has none, or there is no memory. */
pos_memory_section_t *pos_memory_section(pos_memory_reading_t *r, const char *name,
    pos_kind_t kind, const pos_json_t **list);
/* Appends the element as it is written. */
void pos_memory_add_row(pos_memory_reading_t *r, pos_memory_section_t *s, pos_str_t key,
    const pos_json_t *json);

/* ---- memory_book_entities.c; in this order, since the later name the earlier ---- */

void pos_memory_read_retailer(pos_memory_reading_t *r);
void pos_memory_read_stores(pos_memory_reading_t *r);
void pos_memory_read_categories(pos_memory_reading_t *r);
void pos_memory_read_price_lists(pos_memory_reading_t *r);
void pos_memory_read_taxes(pos_memory_reading_t *r);
void pos_memory_read_experiments(pos_memory_reading_t *r);

/* ---- memory_book_products.c ---- */

void pos_memory_read_products(pos_memory_reading_t *r);
/* The document's own list of prices, added to its products'. */
void pos_memory_read_prices(pos_memory_reading_t *r);

/* ---- memory_book_promotions.c ---- */

void pos_memory_read_promotions(pos_memory_reading_t *r);
void pos_memory_read_coupons(pos_memory_reading_t *r);

#endif
