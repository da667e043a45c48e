/*
 * The book's small entities, one element of its document each, decoded into
 * book_data.h's forms. The builder ignores unknown fields (rows may grow); the
 * memory book asks for the names too.
 */

#ifndef POS_ENTITIES_H
#define POS_ENTITIES_H

#include "engine/book_data.h"
#include "engine/decode.h"

/* Names an element may hold, ending with NULL. */
extern const char *const pos_retailer_fields[];
extern const char *const pos_store_fields[];
extern const char *const pos_category_fields[];
extern const char *const pos_price_list_fields[];
extern const char *const pos_tax_fields[];
extern const char *const pos_experiment_fields[];

/* Sets the book's settings but its zone, whose name goes to `timezone`. */
void pos_retailer_decode(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_book_t *book, pos_str_t *timezone);
/* `timezone` is empty when the store has none of its own. */
void pos_store_decode(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_store_t *out, pos_str_t *timezone);
/* `parent` is empty for a root. */
void pos_category_decode(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_category_t *out, pos_str_t *parent);
void pos_price_list_decode(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_price_list_t *out);
void pos_tax_decode(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_tax_row_t *out);
void pos_experiment_decode(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_experiment_t *out);

#endif
