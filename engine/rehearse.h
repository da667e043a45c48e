/*
 * A promotion's rehearsal: before it is published it is priced over carts made
 * from the retailer's own book, and over the examples of its script, so that
 * what fails at run time is found by its author and not by a customer.
 *
 * Pure and bounded: a fixed number of carts, in steps of one cart each; nothing
 * is stored, and the same book, time and promotion give the same findings.
 */

#ifndef POS_REHEARSE_H
#define POS_REHEARSE_H

#include "engine/book.h"
#include "engine/script.h"

#define POS_REHEARSAL_CARTS    48     /* generated, a promotion             */
#define POS_REHEARSAL_CASES    200    /* a promotion                        */
#define POS_REHEARSAL_SAMPLES  64     /* SKUs looked at                     */
#define POS_REHEARSAL_FOUND    10     /* findings kept, a promotion         */

typedef struct pos_rehearsal_s pos_rehearsal_t;

typedef struct {
    const pos_book_t        *book;     /* NULL: a shop of made-up products   */
    const pos_book_source_t *source;   /* of `book`                          */
    pos_script_vm_t         *vm;
    int64_t                  now;      /* µs: carts are of this time and after */
    uint32_t                 sku_count;
    const pos_str_t         *skus;     /* a sample of the book's             */
} pos_rehearsal_options_t;

typedef struct pos_finding_s pos_finding_t;
struct pos_finding_s {
    pos_str_t            promotion;
    pos_str_t            pointer;      /* into the script's cases, or empty  */
    const char          *code;         /* script_error, script_limit, case_failed,
                                          case_invalid, script_not_reached,
                                          never_applied, cases_left_out      */
    pos_str_t            message;
    uint32_t             line;         /* of the script; 0: not known        */
    uint32_t             number;       /* of the case, from 1; 0: none       */
    bool                 warning;
    pos_str_t            cart;         /* the request that failed, or empty  */
    const pos_finding_t *next;
};

typedef struct {
    uint32_t             carts;        /* generated and priced               */
    uint32_t             refused;      /* generated, but of no sellable items */
    uint32_t             ran;          /* of `carts` those whose script ran  */
    uint32_t             applied;      /* of `carts`                         */
    uint32_t             cases;
    uint32_t             errors;       /* findings that are no warnings      */
    const pos_finding_t *findings;
} pos_rehearsal_result_t;

/* What `options` points to must outlive the rehearsal. */
pos_status_t pos_rehearsal_create(const pos_rehearsal_options_t *options,
    pos_rehearsal_t **out) POS_MUSTCHECK;
/* Adds a promotion, as it stands in a book, and its script's cases (a JSON list,
 * or empty). POS_INVALID: it does not compile; the faults say why. */
pos_status_t pos_rehearsal_add(pos_rehearsal_t *rehearsal, const pos_json_t *document,
    pos_str_t cases, pos_faults_t *faults) POS_MUSTCHECK;
/* Prices one cart. POS_AGAIN: there are more; POS_OK: all is done. */
pos_status_t pos_rehearsal_step(pos_rehearsal_t *rehearsal) POS_MUSTCHECK;
/* Valid until the rehearsal is destroyed. */
const pos_rehearsal_result_t *pos_rehearsal_result(const pos_rehearsal_t *rehearsal);
void pos_rehearsal_destroy(pos_rehearsal_t *rehearsal);

#endif
