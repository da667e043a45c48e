/*
 * Does a promotion name what there is? No fault of the promotion, since books come
 * in any order, but most often a slip, which its author is told.
 */

#ifndef POS_REFERENCES_H
#define POS_REFERENCES_H

#include "engine/book.h"

#define POS_REFERENCES_MAX  1000    /* names looked up in one file */

/* `document` is whole: for a script, what it returned. Adds to `missing` each SKU,
 * category and store that the book does not have, by pointers that begin with
 * `base`, and each gift of a part of what is sold each. `*left`, at first
 * POS_REFERENCES_MAX, is how many may still be looked up: a file of many promotions
 * is one piece of work. POS_OK or POS_NO_MEMORY. */
pos_status_t pos_references_check(const pos_json_t *document, pos_str_t base,
    const pos_book_t *book, const pos_book_source_t *source, uint32_t *left,
    pos_faults_t *missing) POS_MUSTCHECK;

#endif
