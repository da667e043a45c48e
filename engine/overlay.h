/*
 * A book's source with one promotion put into it, or taken out of it: the shop as
 * it would be with a draft. A book is built from it as from any other source, so
 * that the draft meets what is live by the same index and the same solver as in a
 * quote.
 */

#ifndef POS_OVERLAY_H
#define POS_OVERLAY_H

#include "engine/book.h"

#define POS_OVERLAY_COUPON  "PROMOTION-CHECK"   /* what opens the draft, where it is asked for */

/* The caller's memory; what it points to must outlive the books built from it. */
typedef struct {
    pos_book_source_t base;
    pos_str_t         id;
    pos_str_t         row;       /* the promotion's document; empty: it is left out */
    bool              coupon;    /* POS_OVERLAY_COUPON opens it              */
} pos_overlay_t;

/* `out` reads through the overlay. */
void pos_overlay_source(pos_overlay_t *overlay, pos_book_source_t *out);

#endif
