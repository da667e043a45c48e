/*
 * The parts of a promotion's document, decoded with a decoder already at
 * hand; promotion.h has the doors for other rooms.
 */

#ifndef POS_PROMOTION_DECODE_H
#define POS_PROMOTION_DECODE_H

#include "engine/decode.h"
#include "engine/promotion.h"

#define POS_NESTING_MAX    16         /* of conditions and of `not`            */
#define POS_UNITS_MAX      INT64_C(100000)
#define POS_QUANTITY_MAX   (POS_UNITS_MAX * POS_THOUSANDTHS * 1000)

/* A filter always comes back: {} when absent, NULL only without memory. */
const pos_filter_t *pos_decode_filter(pos_decoder_t *d, const pos_at_t *at,
    const pos_json_t *json, unsigned depth);
const pos_filter_t *pos_decode_filter_member(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name);
/* NULL when the document is at fault. */
const pos_condition_t *pos_decode_condition(pos_decoder_t *d, const pos_at_t *at,
    const pos_json_t *json, unsigned depth);
void pos_decode_effect(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_class_t class, pos_effect_t *out);

/* NULL when there is none of the name. */
const pos_str_t *pos_attribute_find(const pos_attribute_t *attributes, uint32_t count,
    pos_str_t name);

#endif
