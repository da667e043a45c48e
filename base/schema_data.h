/*
 * A compiled schema; for schema_*.c only.
 */

#ifndef POS_SCHEMA_DATA_H
#define POS_SCHEMA_DATA_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/map.h"
#include "base/schema.h"

/* Bits of `types`; a number that is whole is an integer too. */
#define POS_SCHEMA_NULL     0x01
#define POS_SCHEMA_BOOLEAN  0x02
#define POS_SCHEMA_INTEGER  0x04
#define POS_SCHEMA_NUMBER   0x08
#define POS_SCHEMA_STRING   0x10
#define POS_SCHEMA_ARRAY    0x20
#define POS_SCHEMA_OBJECT   0x40
#define POS_SCHEMA_ANY      0x7f

typedef enum {
    POS_FORMAT_NONE,
    POS_FORMAT_DATE_TIME,
    POS_FORMAT_DATE,
    POS_FORMAT_URI,
    POS_FORMAT_EMAIL,
    POS_FORMAT_CURRENCY,
    POS_FORMAT_ULID
} pos_format_t;

/* Bounds are decimals scaled by 10^9, in 128 bits: exact for any int64. */
#define POS_SCHEMA_DIGITS  9

typedef struct {
    pos_str_t           name;
    const pos_schema_t *schema;
    uint32_t            required;    /* its bit + 1 in `required`; 0: not    */
} pos_property_t;

struct pos_schema_s {
    const pos_schema_set_t *set;      /* whose match data patterns use        */
    const pos_schema_t  *ref;         /* $ref: this and nothing else          */
    bool                 refuse;      /* the schema `false`                   */
    uint8_t              types;
    uint8_t              format;
    bool                 unique_items;
    bool                 closed;      /* members not named are refused        */
    bool                 jit;         /* the pattern is machine code          */
    bool                 constrained; /* more is asked than a type            */
    bool                 rare;        /* enum, const or combined forms        */
    bool                 has_min, has_max, has_exclusive_min, has_multiple;
    __int128             min, max, exclusive_min, multiple;
    uint32_t             min_length, max_length;    /* code points; max UINT32_MAX: open */
    uint32_t             max_bytes;  /* our own: of UTF-8; what is a key has to fit */
    uint32_t             min_items, max_items;
    uint32_t             min_properties, max_properties;
    pcre2_code          *pattern;
    pos_str_t            pattern_text;
    pos_str_t            pattern_message;   /* in the pattern's place, or empty */
    pos_schema_t        *next_pattern;   /* of the set's                      */
    const pos_json_t    *enumeration; /* an array                             */
    const pos_json_t    *constant;
    uint32_t             property_count, required_count;
    pos_property_t      *properties;
    pos_str_t           *required;    /* names                                */
    const pos_schema_t  *additional;  /* of members not named                 */
    const pos_schema_t  *names;       /* propertyNames                        */
    const pos_schema_t  *items;
    const pos_schema_t **all, **any, **one;
    uint32_t             all_count, any_count, one_count;
    const pos_schema_t  *negated, *condition, *then, *otherwise;
};

struct pos_schema_set_s {
    pos_arena_t           *arena;
    const pos_json_t      *document;
    pos_map_t              by_pointer;    /* "#/…" to pos_schema_t            */
    pos_schema_t          *patterns;      /* those whose patterns are ours    */
    pcre2_match_context   *match;
    pcre2_match_data      *match_data;
};

/* A decimal's value scaled by 10^9. False: more digits than that, an exponent,
 * or out of range. */
bool pos_schema_decimal(pos_str_t text, __int128 *out);

/* Subjects and patterns are bounded, so that no pattern can stall a worker. */
#define POS_SCHEMA_MATCH_LIMIT   10000
#define POS_SCHEMA_PATTERN_MAX   1024
/* Every two members of a list with uniqueItems are compared. */
#define POS_SCHEMA_UNIQUE_MAX    1000

#endif
