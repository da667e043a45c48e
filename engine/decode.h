/*
 * Reading documents: typed members with limits, every fault named by its
 * JSON pointer. Pointers are only built when a fault is reported, so a sound
 * document pays nothing for them.
 *
 * A getter returns true when the member is there and sound. An absent member
 * (or null) leaves `*out` as it was, and is a fault only when it is required.
 */

#ifndef POS_DECODE_H
#define POS_DECODE_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/json.h"
#include "engine/promotion.h"

/* A place in a document: a chain of steps up to the base pointer. */
typedef struct pos_at_s pos_at_t;
struct pos_at_s {
    const pos_at_t *up;      /* NULL: `step` is the base pointer             */
    pos_str_t       step;    /* member's name; data NULL: an index           */
    size_t          index;
};

typedef struct {
    pos_arena_t      *arena;       /* what is decoded lives here             */
    pos_faults_t     *faults;
    const pos_zone_t *zone;        /* of times without offset; NULL refuses  */
    bool              no_memory;   /* sticks                                 */
    uint32_t          before;      /* faults at the start                    */
} pos_decoder_t;

#define POS_CODE_MAX  200     /* bytes of a code, SKU or id       */
#define POS_TEXT_MAX  4000    /* bytes of a name, label, message  */

typedef enum { POS_OPTIONAL, POS_REQUIRED } pos_presence_t;

void         pos_decoder_init(pos_decoder_t *d, pos_arena_t *arena,
            pos_faults_t *faults, const pos_zone_t *zone);
/* POS_OK, POS_NO_MEMORY or POS_INVALID (faults were added since init). */
pos_status_t pos_decoder_status(const pos_decoder_t *d);

static inline pos_at_t
pos_at_base(pos_str_t base)
{
    return (pos_at_t) { NULL, base, 0 };
}

static inline pos_at_t
pos_at_key(const pos_at_t *up, const char *name)
{
    return (pos_at_t) { up, pos_str_z(name), 0 };
}

static inline pos_at_t
pos_at_str(const pos_at_t *up, pos_str_t name)
{
    /* An empty name is a name too: only a NULL says "index". */
    return (pos_at_t) { up, pos_str_of(name.data ? name.data : "", name.len), 0 };
}

static inline pos_at_t
pos_at_index(const pos_at_t *up, size_t index)
{
    return (pos_at_t) { up, { NULL, 0 }, index };
}

/* In the faults' arena. */
pos_str_t pos_at_pointer(const pos_at_t *at, pos_arena_t *arena);

/* Always false, so that a getter can `return pos_decode_fault(…)`. */
bool pos_decode_fault(pos_decoder_t *d, const pos_at_t *at, const char *code,
    const char *format, ...) POS_PRINTF(4, 5);

/* NULL when absent or null. */
static inline const pos_json_t *
pos_member(const pos_json_t *object, const char *name)
{
    const pos_json_t *v = pos_json_get(object, name);

    return v == NULL || v->type == POS_JSON_NULL ? NULL : v;
}

/* Is `json` an object? `names` (ending with NULL) are all it may hold; NULL:
 * whatever else is there is ignored. */
bool pos_decode_object(pos_decoder_t *d, const pos_at_t *at,
    const pos_json_t *json, const char *const *names);
/* The name that a misspelt key was meant to be, by a letter or two; NULL: none. */
const char *pos_decode_meant(const char *const *names, pos_str_t key);
/* The fault of a field that is not among `names`. */
void pos_decode_unknown(pos_decoder_t *d, const pos_at_t *at,
    const char *const *names, pos_str_t key);
/* The member's array; false when absent or no array. */
bool pos_decode_array(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, const pos_json_t **out);
void *pos_decode_alloc(pos_decoder_t *d, size_t count, size_t size);
pos_str_t pos_decode_copy(pos_decoder_t *d, pos_str_t s);

bool pos_decode_string(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, pos_presence_t presence,
    size_t max, pos_str_t *out);
/* A code: 1 to POS_CODE_MAX bytes, no control characters. */
bool pos_decode_code(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, pos_presence_t presence,
    pos_str_t *out);
/* The same of a value by itself, at `at`. */
bool pos_decode_code_value(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *v,
    pos_str_t *out);
bool pos_decode_int(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, pos_presence_t presence,
    int64_t min, int64_t max, int64_t *out);
/* Scaled by 10^digits; min and max are scaled too. */
bool pos_decode_decimal(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, pos_presence_t presence,
    unsigned digits, int64_t min, int64_t max, int64_t *out);
/* Percent with at most 4 decimals, as ppm. */
bool pos_decode_percent(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, pos_presence_t presence,
    int64_t max_ppm, int64_t *out);
bool pos_decode_bool(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, bool *out);
bool pos_decode_time(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, int64_t *out);
/* `words` ends with NULL; `*out` is the index of the word. */
bool pos_decode_enum(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, pos_presence_t presence,
    const char *const *words, int *out);
/* A list of codes, or one code by itself. */
bool pos_decode_strings(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, uint32_t *count,
    const pos_str_t **out);
/* The same as a set: sorted by hash, without duplicates. */
bool pos_decode_set(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, pos_strset_t *out);
/* {name: [values] or value, …} */
bool pos_decode_attribute_filters(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, uint32_t *count,
    const pos_attribute_filter_t **out);
/* {name: value, …}; ordered by name. */
bool pos_decode_attributes(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, uint32_t *count,
    const pos_attribute_t **out);
/* {"min", "max"}, scaled; faults when both are missing or min > max. */
bool pos_decode_range(pos_decoder_t *d, const pos_at_t *up,
    const pos_json_t *object, const char *name, unsigned digits, int64_t max,
    pos_range_t *out);

#endif
