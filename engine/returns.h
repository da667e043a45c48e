/*
 * What comes back of an order, and what is refunded for it (docs: poscalc --help).
 *
 * A stored quote says what each unit paid, by promotion, tax and fees, so any units
 * in any order get back exactly what they paid, and all of them the whole order.
 * Where the retailer or a promotion says `reprice`, what is kept is priced again under
 * the order's own revision, time and inputs, and the refund is the difference between
 * what the order has paid and that; never below zero. An exchange is a return with a
 * sale beside it and one balance.
 *
 * Pure, as a quote is.
 */

#ifndef POS_RETURNS_H
#define POS_RETURNS_H

#include "engine/quote.h"

/* A document with these members; all but `quote` and `lines` may be missing.
 *
 *   quote    the stored quote
 *   request  what it was asked with; needed to price again
 *   before   the `state` of the return before this one
 *   lines    what comes back: [{"line": index in the quote's lines, or "id": the
 *            line's id; "quantity": all that is left, if missing; "unit": index in
 *            the line's units; missing: those that paid least}]
 *   shipping true: the shipping paid is refunded too
 *   sale     an exchange: the request of what is bought instead
 *   inputs   of that sale
 */
typedef struct {
    const pos_quote_options_t *order;    /* the book of the order; NULL: none is at
                                            hand, and nothing is priced again */
    const pos_quote_options_t *sale;     /* the book of today                 */
    pos_json_reader_t         *reader;   /* for our own quotes                */
} pos_return_options_t;

/* Writes the answer: {"policy", "lines", "goods", "fees", "shipping", "tax", "taxes",
 * "promotions", "points", "refund", "kept", "gifts", "state", "sale", "balance"}.
 * POS_INVALID: the faults say why (unknown_line, quantity, broken_quote,
 * other_revision, …) and nothing was written. */
pos_status_t pos_return(const pos_return_options_t *options, const pos_json_t *document,
    pos_arena_t *arena, pos_faults_t *faults, pos_writer_t *out) POS_MUSTCHECK;

#endif
