/*
 * The engine's door: a request and a book to a quote (docs/pricing.md).
 *
 * Pure: no clock, no file, no randomness; the same book, request and inputs
 * give the same bytes. After warm-up a quote allocates nothing but from the
 * arena given.
 */

#ifndef POS_QUOTE_H
#define POS_QUOTE_H

#include "base/json_write.h"
#include "engine/book.h"
#include "engine/inputs.h"
#include "engine/script.h"

typedef struct {
    const pos_book_t        *book;
    const pos_book_source_t *source;
    pos_script_vm_t         *vm;
    pos_str_t                revision;     /* as the quote names it          */
    int64_t                  now;          /* µs: `at` where none is given   */
    const pos_inputs_t      *inputs;       /* NULL: none are known           */
    /* what the key may set; a request that sets more is refused with code
     * scope_required, each place named */
    bool                     may_simulate;      /* at                        */
    bool                     may_override;      /* price_override, discount  */
    bool                     may_customer;      /* customer facts beyond id  */
    bool                     may_shipping;      /* shipping.amount           */
    bool                     for_order;    /* the quote is kept: each discount says
                                              what each run of units bore of it */
    bool                     trial;        /* nobody buys by it: a script that fails in it, or does
                                              not, counts for nothing          */
    bool                     tally;        /* the stats say what each promotion did  */
    uint64_t               (*clock)(void); /* ns, for the time that scripts took; NULL: none is told */
    bool                     spent;        /* the request's tree is not looked at again: its memory
                                              is used once it is read */
    uint64_t                 node_budget;       /* steps of the solver; 0: default (docs/solver.md) */
    pos_str_t                pointer;           /* prefix of faults' pointers */
} pos_quote_options_t;

/* A script that failed in this quote, and in how many calls in a row by now. */
typedef struct {
    pos_str_t      promotion;
    pos_str_t      text;          /* as explain says it                       */
    uint32_t       in_a_row;      /* 0: it was not called, or this does not count */
    const uint8_t *source;        /* SHA-256; lives as long as the book       */
} pos_script_failure_t;

/* What became of a promotion that could have touched the cart. */
typedef struct {
    uint32_t promotion;           /* its place in the book                    */
    bool     applied;
    bool     failed;              /* its script                               */
    int64_t  discount;            /* minor units of the quote's currency      */
    uint64_t script_ns;           /* what its script took                     */
} pos_quote_promotion_t;

/* Filled beside the answer, for counters and logs. */
typedef struct {
    uint32_t lines, candidates, applied, script_errors;
    bool     optimal;
    uint64_t nodes, work;     /* of the solver: of its tree, and its steps   */
    uint64_t explain_work;    /* ticks of some nanosecond                    */
    int64_t  total;
    bool     compare_differs;
    bool     forbidden;       /* the faults are scope_required ones: 403     */
    char                        currency[4];
    uint32_t                    promotion_count;
    const pos_quote_promotion_t *promotions;   /* in the arena; by options->tally */
    uint32_t                    failure_count;
    const pos_script_failure_t *failures;      /* in the arena               */
} pos_quote_stats_t;

/* For the writer of an answer to begin with: pos_quote() claims what it needs. */
#define POS_QUOTE_ROOM  64

/* Prices one request and writes the quote's JSON object. POS_INVALID: the
 * faults say why (unknown_sku, unknown_store, unknown_currency, no_price,
 * quantity, overflow, mixed_tax, unknown_field, …) and nothing was written. */
pos_status_t pos_quote(const pos_quote_options_t *options,
    const pos_json_t *request, pos_arena_t *arena, pos_faults_t *faults,
    pos_writer_t *out, pos_quote_stats_t *stats) POS_MUSTCHECK;

/* Shelf prices: list and unit price of one SKU for a context, before any
 * promotion; writes {"sku","list_price","unit_price","price_list","tax_included", "from","until"…}. */
typedef struct {
    pos_str_t store, channel, currency, customer_group;
    pos_str_t at_text;     /* RFC 3339; without an offset in the store's zone; empty: `at` */
    int64_t   at;
    int64_t   quantity;    /* thousandths */
} pos_price_query_t;
pos_status_t pos_price_write(const pos_quote_options_t *options,
    const pos_price_query_t *query, pos_str_t sku, pos_arena_t *arena,
    pos_faults_t *faults, pos_writer_t *out) POS_MUSTCHECK;

#endif
