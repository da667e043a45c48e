/*
 * JSON Schema 2020-12, the part the contract uses. A schema is compiled once;
 * a keyword that this validator does not implement is an error at compile
 * time, never ignored. All faults of a value are found in one pass.
 *
 * Implemented: type (one or a list, "null" too), enum, const, properties,
 * required, additionalProperties (false or schema), minProperties,
 * maxProperties, propertyNames (pattern/maxLength), items, minItems, maxItems,
 * uniqueItems (of at most 1,000), minLength, maxLength (code points), pattern (PCRE2, anchored
 * only as written), format (date-time, date, uri, email, currency, ulid),
 * minimum, maximum, exclusiveMinimum, multipleOf (decimal), oneOf, anyOf,
 * allOf, not, if/then/else, $ref (#/components/…, recursion allowed), and the
 * annotations title, description, default, example(s), deprecated, readOnly,
 * writeOnly, discriminator-free; "x-pos-*" keys. An object schema that lists
 * `properties` and says nothing about the rest refuses unknown members.
 */

#ifndef POS_SCHEMA_H
#define POS_SCHEMA_H

#include "base/arena.h"
#include "base/base.h"
#include "base/json.h"

typedef struct pos_schema_s     pos_schema_t;
typedef struct pos_schema_set_s pos_schema_set_t;

/* `document` is the whole OpenAPI document, which $ref points into; it must
 * outlive the set. Compiled schemas live in `arena`. */
pos_status_t pos_schema_set_create(pos_arena_t *arena,
    const pos_json_t *document, pos_schema_set_t **out) POS_MUSTCHECK;
/* Frees what PCRE2 holds for the patterns; before the arena goes. NULL is
 * nothing. A set serves one thread at a time. */
void pos_schema_set_destroy(pos_schema_set_t *set);
/* `where` is the schema's own pointer, for faults (code schema_keyword …). */
pos_status_t pos_schema_compile(pos_schema_set_t *set, const pos_json_t *json,
    pos_str_t where, pos_faults_t *faults, const pos_schema_t **out)
    POS_MUSTCHECK;
/* Adds a fault a place, each pointer starting with `base`. Codes: type,
 * required, unknown_field, enum, const, min, max, multiple_of, min_length,
 * max_length, pattern, format, min_items, max_items, not_unique, one_of, … */
pos_status_t pos_schema_validate(const pos_schema_t *schema,
    const pos_json_t *value, pos_str_t base, pos_faults_t *faults)
    POS_MUSTCHECK;
/* A parameter's text (path, query, header) by the schema's type: "12" for an
 * integer, "true" for a boolean, comma lists for arrays of those. `out` is the
 * typed value (in faults' arena). */
pos_status_t pos_schema_validate_text(const pos_schema_t *schema,
    pos_str_t text, pos_str_t base, pos_faults_t *faults, pos_json_t **out)
    POS_MUSTCHECK;

#endif
