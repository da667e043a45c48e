/*
 * A build in progress; for book_builder*.c only.
 */

#ifndef POS_BOOK_BUILDER_H
#define POS_BOOK_BUILDER_H

#include "engine/ancestry.h"
#include "engine/book_data.h"
#include "engine/index.h"
#include "engine/ranking.h"
#include "engine/sorter.h"

#define POS_BUILDER_MOVES  16          /* small steps that a row counts      */

typedef enum {
    PHASE_ZONES,           /* reads every zone in use                        */
    PHASE_RETAILER,        /* reads the settings: fails the build if missing */
    PHASE_STORES,
    PHASE_CATEGORIES,
    PHASE_PARENTS,         /* resolves parents                               */
    PHASE_ANCESTRY,        /* their depths and circles                       */
    PHASE_CIRCLES,         /* are cut                                        */
    PHASE_LISTS,
    PHASE_TAXES,
    PHASE_EXPERIMENTS,
    PHASE_PROMOTIONS,      /* takes over or compiles                         */
    PHASE_SORT_LISTS,      /* each in its order, and where it is asked for by */
    PHASE_NAME_LISTS,      /* name then entered there                        */
    PHASE_SORT_TAXES,
    PHASE_NAME_TAXES,
    PHASE_SORT_PROMOTIONS,
    PHASE_CLEAR_IDS,
    PHASE_NAME_PROMOTIONS,
    PHASE_INDEX,
    PHASE_DONE
} phase_t;

typedef struct {
    void   *items;
    uint32_t count, room;
} growing_t;

typedef struct pos_follow_s pos_follow_t;    /* book_follow.c */

struct pos_book_builder_s {
    pos_book_source_t   source;
    const pos_book_t   *previous;
    pos_book_t         *book;
    phase_t             phase;
    bool                begun;          /* `after` is set                    */
    bool                lost;           /* memory ran out for a report       */
    pos_str_t           after;          /* last key, in key_bytes            */
    char                key_bytes[512];
    pos_arena_t        *scratch;        /* one row's tree and faults         */
    pos_json_reader_t  *reader;
    pos_map_t           zones;          /* name to pos_zone_t                */
    pos_map_t           parents;        /* category's code to parent's code  */
    pos_map_t           rates;          /* a tax's head to its number + 1    */
    pos_map_t           zone_values;    /* name to its digest                */
    pos_book_report_t **last_report;
    growing_t           categories, lists, taxes;
    growing_t           promotions;     /* chunks, as pos_ranking_create() takes */
    uint32_t            promotion_count;
    pos_promotion_t   **ranked;         /* the same in their order; NULL: not yet */
    uint32_t            named;          /* of them the book has so many      */
    uint32_t            at;             /* within a phase: the next element  */
    size_t              cleared;        /* slots of the map by id            */
    void               *spare;          /* of the phase that sorts or walks  */
    pos_sorter_t        sorter;
    pos_ancestry_t      ancestry;
    pos_ranking_t      *ranking;
    pos_index_building_t *index;
    pos_follow_t       *follow;         /* NULL: the whole book is built     */
};

/* book.c: with a ground of its own, or on that of another, with its settings and entities. */
pos_book_t *pos_book_new(pos_script_vm_t *vm);
pos_book_t *pos_book_on(const pos_book_t *previous);

/* book_builder.c: all that a builder has, of the book being built but what it reads. */
pos_status_t pos_builder_new(const pos_book_t *previous, pos_book_t *book,
    pos_book_builder_t **out) POS_MUSTCHECK;

/* book_builder.c: room for one more element of `size` bytes. */
pos_status_t pos_builder_grow(growing_t *g, size_t size) POS_MUSTCHECK;

/* book_builder_report.c: `where` is a pointer or a line, or "". `kept`: the row's
 * version before serves. Without memory for it the build fails. */
void pos_builder_report(pos_book_builder_t *b, pos_kind_t kind, pos_str_t key,
    const char *where, pos_str_t message, bool kept);
/* The first of the faults. */
void pos_builder_report_fault(pos_book_builder_t *b, pos_kind_t kind, pos_str_t key,
    const pos_faults_t *faults, bool kept);

/* book_builder_entities.c: one row each. POS_OK: added, or reported and left out. */
pos_status_t pos_builder_add_zone(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
    POS_MUSTCHECK;
/* POS_BROKEN: at fault, and without its settings there is no book. */
pos_status_t pos_builder_add_retailer(pos_book_builder_t *b, pos_str_t key,
    pos_str_t value) POS_MUSTCHECK;
pos_status_t pos_builder_add_store(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
    POS_MUSTCHECK;
pos_status_t pos_builder_add_category(pos_book_builder_t *b, pos_str_t key,
    pos_str_t value) POS_MUSTCHECK;
pos_status_t pos_builder_add_list(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
    POS_MUSTCHECK;
pos_status_t pos_builder_add_tax(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
    POS_MUSTCHECK;
pos_status_t pos_builder_add_experiment(pos_book_builder_t *b, pos_str_t key,
    pos_str_t value) POS_MUSTCHECK;
/* A slice of PHASE_PARENTS, PHASE_ANCESTRY or PHASE_CIRCLES. POS_AGAIN: the phase
 * goes on. */
pos_status_t pos_builder_relate_categories(pos_book_builder_t *b, unsigned rows)
    POS_MUSTCHECK;

/* book_builder_promotions.c: one row, like those above. `cost` becomes what it counts
 * as, when it had to be compiled. */
pos_status_t pos_builder_add_promotion(pos_book_builder_t *b, pos_str_t key,
    pos_str_t value, unsigned *cost) POS_MUSTCHECK;
/* The promotion of a row with one reference: that of before where its content is the same or
 * the row is at fault, which is reported; NULL: left out. */
pos_status_t pos_builder_compile(pos_book_builder_t *b, pos_str_t key, pos_str_t value,
    pos_promotion_t *before, unsigned *cost, pos_promotion_t **out) POS_MUSTCHECK;
/* Releases those that no book has taken. */
void pos_builder_drop_promotions(pos_book_builder_t *b);

/* book_follow.c: a slice. POS_AGAIN: more to do. */
pos_status_t pos_follow_step(pos_book_builder_t *b, unsigned rows) POS_MUSTCHECK;
void pos_follow_destroy(pos_follow_t *follow);

/* book_builder_order.c: one slice each. POS_AGAIN: the phase goes on. */
pos_status_t pos_builder_sort_lists(pos_book_builder_t *b, unsigned rows) POS_MUSTCHECK;
pos_status_t pos_builder_name_lists(pos_book_builder_t *b, unsigned rows) POS_MUSTCHECK;
pos_status_t pos_builder_sort_taxes(pos_book_builder_t *b, unsigned rows) POS_MUSTCHECK;
pos_status_t pos_builder_name_taxes(pos_book_builder_t *b, unsigned rows) POS_MUSTCHECK;
pos_status_t pos_builder_sort_promotions(pos_book_builder_t *b, unsigned rows) POS_MUSTCHECK;
pos_status_t pos_builder_name_promotions(pos_book_builder_t *b, unsigned rows) POS_MUSTCHECK;

#endif
