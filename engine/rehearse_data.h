/* What the rehearsal's files share. */

#ifndef POS_REHEARSE_DATA_H
#define POS_REHEARSE_DATA_H

#include "base/json_write.h"
#include "engine/cart.h"
#include "engine/quote.h"
#include "engine/rehearse.h"

#define POS_REHEARSAL_TEXT   (1u << 20)   /* bytes of one cart's or case's JSON */
#define POS_REHEARSAL_POOL   8
#define POS_REHEARSAL_COUPON "REHEARSAL"    /* of the promotion at hand       */

/* A book with one promotion in it; everything else is the base's. */
typedef struct {
    pos_book_t        book;
    pos_book_source_t source;
} pos_stage_t;

/* The products of generated carts: some that the promotion's filters match and
 * some that they do not. */
typedef struct {
    uint32_t             matching_count, other_count;
    const pos_product_t *matching[POS_REHEARSAL_POOL];
    const pos_product_t *others[POS_REHEARSAL_POOL];
    uint32_t             attribute_count;      /* that filters ask of a line  */
    pos_attribute_t      attributes[POS_REHEARSAL_POOL];
} pos_pool_t;

/* What the promotion's condition names: the first of each kind. */
typedef struct {
    const pos_condition_t *store, *channel, *tender, *fulfilment, *ship_to, *customer;
    const pos_condition_t *attribute;
} pos_wishes_t;

typedef struct pos_subject_s pos_subject_t;
struct pos_subject_s {
    const pos_json_t *document;
    pos_promotion_t  *promotion;
    const pos_json_t *cases;           /* a list, or NULL                    */
    const pos_json_t *next_case;
    uint32_t          case_number;
    uint32_t          next_cart;
    uint32_t          found, limits;
    bool              ran;             /* its script, in a cart or a case    */
    bool              applied;         /* in a cart                          */
    uint32_t          carts;           /* priced                             */
    pos_arena_t      *arena;           /* its stage and its pools            */
    pos_stage_t       stage;
    pos_pool_t        pool;
    pos_subject_t    *next;
};

struct pos_rehearsal_s {
    pos_rehearsal_options_t  options;
    pos_arena_t             *arena;       /* findings, samples               */
    pos_arena_t             *scratch;     /* of one step                     */
    pos_json_reader_t       *reader;
    pos_memory_book_t       *own;         /* where the options have no book  */
    pos_book_t              *own_book;
    pos_book_source_t        own_source;
    uint32_t                 sample_count;
    const pos_product_t     *samples[POS_REHEARSAL_SAMPLES];
    pos_map_t                made_up;     /* SKU to product                  */
    pos_subject_t           *subjects, **last;
    pos_subject_t           *current;
    pos_rehearsal_result_t   result;
    const pos_finding_t    **last_finding;
};

/* rehearse.c */
pos_status_t pos_stage_init(pos_stage_t *stage, const pos_book_t *base,
    pos_promotion_t *promotion, pos_arena_t *arena) POS_MUSTCHECK;
/* What is not its arena's. A zeroed stage may be closed too. */
void pos_stage_close(pos_stage_t *stage);
pos_status_t pos_rehearsal_build(const pos_book_source_t *source, pos_book_t **out)
    POS_MUSTCHECK;
/* Prices a request; `*explain` is the promotion's own entry, or NULL. POS_INVALID:
 * the cart is refused, the faults say why. */
pos_status_t pos_rehearsal_quote(pos_rehearsal_t *r, const pos_stage_t *stage,
    const pos_json_t *request, pos_faults_t *faults, pos_json_t **quote,
    const pos_json_t **explain) POS_MUSTCHECK;
pos_finding_t *pos_rehearsal_find(pos_rehearsal_t *r, pos_subject_t *s, const char *code,
    pos_str_t message, uint32_t line);
/* Notes a script's failure, once each. */
pos_status_t pos_rehearsal_failed(pos_rehearsal_t *r, pos_subject_t *s,
    const pos_json_t *explain, pos_str_t cart, uint32_t number) POS_MUSTCHECK;

/* rehearse_pool.c */
pos_status_t pos_rehearsal_samples(pos_rehearsal_t *r) POS_MUSTCHECK;
/* Chooses the pools anew: by the filters known now. */
pos_status_t pos_rehearsal_pool(pos_rehearsal_t *r, pos_subject_t *s) POS_MUSTCHECK;
/* As the stage's source: `ctx` is the rehearsal. */
pos_status_t pos_rehearsal_product(void *ctx, pos_str_t sku, pos_arena_t *arena,
    const pos_product_t **out);
pos_status_t pos_rehearsal_coupon(void *ctx, pos_str_t code, pos_arena_t *arena,
    const pos_coupon_t **out);
void pos_rehearsal_wishes(const pos_subject_t *s, pos_wishes_t *out);
pos_str_t pos_rehearsal_first(const pos_strset_t *set, pos_str_t otherwise);

/* rehearse_cart.c */
/* The n-th cart's request. */
pos_status_t pos_rehearsal_cart(pos_rehearsal_t *r, const pos_subject_t *s, uint32_t n,
    pos_writer_t *w) POS_MUSTCHECK;

/* rehearse_case.c */
pos_status_t pos_rehearsal_case(pos_rehearsal_t *r, pos_subject_t *s,
    const pos_json_t *item) POS_MUSTCHECK;

/* rehearse_shape.c: POS_INVALID: the faults say what, by pointers into the case. */
pos_status_t pos_rehearsal_case_shape(pos_rehearsal_t *r, const pos_json_t *item,
    pos_faults_t *faults) POS_MUSTCHECK;

#endif
