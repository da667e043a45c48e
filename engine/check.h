/*
 * What a draft would do in its shop, found before a till finds it: priced by the
 * engine itself over the shop's own products together with what is live, and, where
 * structure alone proves something, by structure.
 *
 * In steps of one product or one cart each. Nothing is guessed: a finding was met in a priced
 * cart, which shows that it may happen, or holds for every cart.
 */

#ifndef POS_CHECK_H
#define POS_CHECK_H

#include "base/json_write.h"
#include "engine/book.h"
#include "engine/script.h"

#define POS_CHECK_PRODUCTS  20000    /* priced at most                       */
#define POS_CHECK_WORST     10       /* products named                       */
#define POS_CHECK_LIVE      20       /* promotions named, of a kind          */

typedef struct pos_check_s pos_check_t;

typedef struct {
    const pos_book_t        *book;        /* with the draft in it            */
    const pos_book_source_t *source;      /* of `book`                       */
    pos_script_vm_t         *vm;
    pos_str_t                id;          /* the draft's                     */
    int64_t                  now;         /* µs                              */
    int64_t                  margin_ppm;  /* least margin wanted; -1: none   */
    bool                     show_costs;  /* may who reads it see them?      */
} pos_check_options_t;

/* What `options` points to must outlive the check. POS_NOT_FOUND: the book does not
 * have the draft. */
pos_status_t pos_check_create(const pos_check_options_t *options, pos_check_t **out) POS_MUSTCHECK;
/* The only products that it can touch, where its filters name them one by one. */
bool pos_check_names(pos_check_t *check, const pos_str_t **skus, uint32_t *count);
/* One product of the shop: is it one for the draft? */
pos_status_t pos_check_see(pos_check_t *check, pos_str_t sku) POS_MUSTCHECK;
/* Once all were seen: prices one cart. POS_AGAIN: there are more. */
pos_status_t pos_check_step(pos_check_t *check) POS_MUSTCHECK;
/* Writes what was found, also where not all carts were priced: objects {severity, code, message, pointer, related, …}. */
void pos_check_write(pos_check_t *check, pos_writer_t *w);
/* Writes {"seen", "matched", "priced", "applied", "complete"}. */
void pos_check_write_counts(const pos_check_t *check, pos_writer_t *w);
void pos_check_destroy(pos_check_t *check);

/* ---- check_structure.c ---- */

typedef struct pos_promotion_s pos_promotion_t;

/* Can the condition hold for no cart at all? */
bool pos_check_never_holds(const pos_promotion_t *promotion);
/* Does `other`, whenever the draft could give something on a unit, take that unit and
 * give at least as much, and are the two never given together? Only where it is sure. */
bool pos_check_beaten_by(const pos_book_t *book, const pos_promotion_t *draft,
    const pos_promotion_t *other);

#endif
