/*
 * A value against a compiled schema: all faults in one pass. Where the value
 * stands is kept as a chain on the stack and written out only for a fault, so
 * a valid value costs no memory.
 */

#include "base/clock.h"
#include "base/json_write.h"
#include "base/money.h"
#include "base/schema_data.h"
#include "base/utf8.h"

#include <stdio.h>

#define ENUM_TEXT_MAX  4096    /* bytes of a list in a message */
#define DEPTH_MAX  256    /* of schemas within schemas, $ref loops included */

typedef struct place_s place_t;
struct place_s {
    const place_t *parent;
    pos_str_t      key;
    uint32_t       index;      /* when key.data is NULL */
};

typedef struct {
    pos_str_t     base;
    pos_faults_t *faults;      /* NULL: only ask whether it is valid */
    bool          valid;
    bool          no_memory;
    unsigned      depth;
    bool          trial;       /* faults are only compared with others' */
} run_t;

static void check(run_t *run, const pos_schema_t *s, const pos_json_t *v,
    const place_t *place);


static pos_str_t
pointer_of(pos_arena_t *arena, pos_str_t base, const place_t *place)
{
    pos_str_t before;

    if (place == NULL) {
        return base;
    }

    before = pointer_of(arena, base, place->parent);

    return place->key.data != NULL
               ? pos_json_pointer(arena, before, place->key)
               : pos_json_pointer_index(arena, before, place->index);
}


#define FAULT(run, place, code, ...)                                           \
    do {                                                                       \
        (run)->valid = false;                                                  \
        if ((run)->faults != NULL && (run)->faults->count >= (run)->faults->max) { \
            (run)->faults->count++;    /* only counted: make no pointer */     \
        } else if ((run)->faults != NULL) {                                    \
            (void) pos_fault((run)->faults,                                    \
                pointer_of((run)->faults->arena, (run)->base, place), code,    \
                __VA_ARGS__);                                                  \
        }                                                                      \
    } while (0)


static bool
quietly(run_t *run, const pos_schema_t *s, const pos_json_t *v)
{
    run_t asked = { run->base, NULL, true, false, run->depth, false };

    check(&asked, s, v, NULL);
    run->no_memory |= asked.no_memory;

    return asked.valid;
}


/* 1.0 is no integer here: money is written without a point. */

static bool
is_integer(const pos_json_t *v)
{
    for (size_t i = 0; i < v->text.len; i++) {
        char ch = v->text.data[i];

        if (ch == '.' || ch == 'e' || ch == 'E') {
            return false;
        }
    }

    return true;
}


static uint8_t
type_of(const pos_json_t *v)
{
    switch (v->type) {
    case POS_JSON_NULL:
        return POS_SCHEMA_NULL;
    case POS_JSON_FALSE:
    case POS_JSON_TRUE:
        return POS_SCHEMA_BOOLEAN;
    case POS_JSON_NUMBER:
        return is_integer(v) ? POS_SCHEMA_INTEGER : POS_SCHEMA_NUMBER;
    case POS_JSON_STRING:
        return POS_SCHEMA_STRING;
    case POS_JSON_ARRAY:
        return POS_SCHEMA_ARRAY;
    default:
        return POS_SCHEMA_OBJECT;
    }
}


static const char *
types_text(uint8_t types)
{
    switch (types) {
    case POS_SCHEMA_NULL:
        return "null";
    case POS_SCHEMA_BOOLEAN:
        return "true or false";
    case POS_SCHEMA_INTEGER:
        return "a whole number";
    case POS_SCHEMA_NUMBER | POS_SCHEMA_INTEGER:
        return "a number";
    case POS_SCHEMA_STRING:
        return "text";
    case POS_SCHEMA_ARRAY:
        return "a list";
    case POS_SCHEMA_OBJECT:
        return "an object";
    case POS_SCHEMA_STRING | POS_SCHEMA_NULL:
        return "text or null";
    case POS_SCHEMA_INTEGER | POS_SCHEMA_NULL:
        return "a whole number or null";
    case POS_SCHEMA_OBJECT | POS_SCHEMA_NULL:
        return "an object or null";
    case POS_SCHEMA_ARRAY | POS_SCHEMA_NULL:
        return "a list or null";
    default:
        return "of another type";
    }
}


/* Numbers are equal by value, objects whatever the order of members. */

static bool
same(const pos_json_t *a, const pos_json_t *b)
{
    __int128          x, y;
    const pos_json_t *p, *q;

    if (a->type != b->type || a->count != b->count) {
        return false;
    }

    switch (a->type) {
    case POS_JSON_STRING:
        return pos_str_eq(a->text, b->text);

    case POS_JSON_NUMBER:
        if (pos_schema_decimal(a->text, &x) && pos_schema_decimal(b->text, &y)) {
            return x == y;
        }
        return pos_str_eq(a->text, b->text);

    case POS_JSON_ARRAY:
        for (p = a->first, q = b->first; p != NULL && q != NULL; p = p->next, q = q->next) {
            if (!same(p, q)) {
                return false;
            }
        }
        return true;

    case POS_JSON_OBJECT:
        for (p = a->first; p != NULL; p = p->next) {
            q = pos_json_get_str(b, p->key);

            if (q == NULL || !same(p, q)) {
                return false;
            }
        }
        return true;

    default:
        return true;
    }
}


static void
check_enum(run_t *run, const pos_schema_t *s, const pos_json_t *v, const place_t *place)
{
    pos_str_t         listed;
    pos_writer_t      w;
    const pos_json_t *one;

    for (one = s->enumeration->first; one != NULL; one = one->next) {
        if (same(one, v)) {
            return;
        }
    }

    if (run->faults == NULL) {
        run->valid = false;
        return;
    }

    /* Written anew: the contract's own text is laid out over many lines. */
    pos_writer_init(&w, run->faults->arena, 256, ENUM_TEXT_MAX);

    for (one = s->enumeration->first; one != NULL; one = one->next) {
        pos_write_json(&w, one);
    }

    listed = pos_writer_result(&w);
    FAULT(run, place, "enum", "must be one of %.*s", (int) listed.len, listed.data);
}


#define BOUND_TEXT_MAX  48

/* A bound as the contract wrote it: whole part, and decimals if any. */
static const char *
bound_text(__int128 n, char text[BOUND_TEXT_MAX])
{
    bool               negative = n < 0;
    unsigned           digits = POS_SCHEMA_DIGITS;
    unsigned long long whole, rest;

    n = negative ? -n : n;
    whole = (unsigned long long) (n / 1000000000);
    rest = (unsigned long long) (n % 1000000000);

    if (rest == 0) {
        (void) snprintf(text, BOUND_TEXT_MAX, "%s%llu", negative ? "-" : "", whole);
        return text;
    }

    for (; rest % 10 == 0; rest /= 10) {
        digits--;
    }

    (void) snprintf(text, BOUND_TEXT_MAX, "%s%llu.%0*llu", negative ? "-" : "", whole,
                    (int) digits, rest);

    return text;
}


/* A 128-bit remainder is a call; what fits 64 bits is one instruction. */
static bool
is_multiple(__int128 n, __int128 of)
{
    if (n == (int64_t) n && of == (int64_t) of) {
        return (int64_t) n % (int64_t) of == 0;
    }

    return n % of == 0;
}


static __attribute__((noinline)) void
check_number(run_t *run, const pos_schema_t *s, const pos_json_t *v, const place_t *place)
{
    char     text[BOUND_TEXT_MAX];
    __int128 n;

    if (!s->has_min && !s->has_max && !s->has_exclusive_min && !s->has_multiple) {
        return;
    }

    if (!pos_schema_decimal(v->text, &n)) {
        FAULT(run, place, "number", "must be written plainly: no exponent, at most 24 "
              "digits and 9 decimals");
        return;
    }

    if (s->has_min && n < s->min) {
        FAULT(run, place, "min", "must be at least %s", bound_text(s->min, text));
    }

    if (s->has_exclusive_min && n <= s->exclusive_min) {
        FAULT(run, place, "min", "must be above %s", bound_text(s->exclusive_min, text));
    }

    if (s->has_max && n > s->max) {
        FAULT(run, place, "max", "must be at most %s", bound_text(s->max, text));
    }

    if (s->has_multiple && !is_multiple(n, s->multiple)) {
        FAULT(run, place, "multiple_of", "has more decimals than allowed, or is not a "
              "multiple of what is asked");
    }
}


static bool
all_in(pos_str_t s, const char *set)
{
    for (size_t i = 0; i < s.len; i++) {
        if (strchr(set, s.data[i]) == NULL || s.data[i] == '\0') {
            return false;
        }
    }

    return true;
}


static bool
looks_like_email(pos_str_t s)
{
    const char *at = memchr(s.data, '@', s.len);
    size_t      rest;

    if (at == NULL || at == s.data || s.len > 254) {
        return false;
    }

    rest = s.len - (size_t) (at - s.data) - 1;

    return rest > 0 && memchr(at + 1, '@', rest) == NULL
           && memchr(s.data, ' ', s.len) == NULL;
}


static bool
format_holds(uint8_t format, pos_str_t s)
{
    int32_t  days;
    int64_t  time;
    unsigned exponent;

    switch (format) {
    case POS_FORMAT_DATE_TIME:
        /* Without an offset it is in the retailer's zone: any zone will do. */
        return pos_time_read(s, pos_zone_utc(), &time);
    case POS_FORMAT_DATE:
        return pos_date_read(s, &days);
    case POS_FORMAT_CURRENCY:
        return pos_currency_exponent(s, &exponent);
    case POS_FORMAT_ULID:
        return s.len == 26 && all_in(s, "0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    case POS_FORMAT_EMAIL:
        return s.len > 0 && looks_like_email(s);
    case POS_FORMAT_URI:
        return s.len > 3 && memchr(s.data, ':', s.len) != NULL
               && memchr(s.data, ' ', s.len) == NULL;
    default:
        return true;
    }
}


static const char *
format_text(uint8_t format)
{
    static const char *const texts[] = {
        "", "a time as RFC 3339 has it, such as 2026-11-27T09:00:00Z",
        "a date such as 2026-11-27", "a URI", "an e-mail address",
        "a currency of ISO 4217, such as GBP", "a ULID"
    };

    return texts[format];
}


/* Match data and limits belong to the set: matching allocates nothing. */

static bool
pattern_holds(const pos_schema_t *s, pos_str_t text)
{
    if (s->jit) {
        return pcre2_jit_match(s->pattern, (PCRE2_SPTR) text.data, text.len, 0, 0,
                   s->set->match_data, s->set->match) >= 0;
    }

    return pcre2_match(s->pattern, (PCRE2_SPTR) text.data, text.len, 0,
               PCRE2_NO_UTF_CHECK, s->set->match_data, s->set->match) >= 0;
}


static __attribute__((noinline)) void
check_string(run_t *run, const pos_schema_t *s, const pos_json_t *v, const place_t *place)
{
    size_t length;

    /* A code point has 1 to 4 bytes: most lengths need no counting. */
    if (v->text.len > s->max_length || v->text.len / 4 < s->min_length) {
        length = pos_utf8_count(v->text);

        if (length < s->min_length) {
            FAULT(run, place, "min_length", "must be at least %u characters long",
                  s->min_length);
        }

        if (length > s->max_length) {
            FAULT(run, place, "max_length", "must be at most %u characters long",
                  s->max_length);
            return;    /* patterns see bounded text only */
        }
    }

    if (s->pattern != NULL && !pattern_holds(s, v->text)) {
        if (s->pattern_message.len > 0) {
            FAULT(run, place, "pattern", "%.*s", (int) s->pattern_message.len,
                  s->pattern_message.data);
        } else {
            FAULT(run, place, "pattern", "must match %.*s", (int) s->pattern_text.len,
                  s->pattern_text.data);
        }
    }

    if (s->format != POS_FORMAT_NONE && !format_holds(s->format, v->text)) {
        FAULT(run, place, "format", "must be %s", format_text(s->format));
    }
}


static void
check_unique(run_t *run, const pos_json_t *v, const place_t *place)
{
    uint32_t          i = 0;
    const pos_json_t *a, *b;

    for (a = v->first; a != NULL; a = a->next, i++) {
        for (b = v->first; b != a; b = b->next) {
            if (same(a, b)) {
                place_t at = { place, { NULL, 0 }, i };

                FAULT(run, &at, "not_unique", "stands in the list before");
                break;
            }
        }
    }
}


static __attribute__((noinline)) void
check_array(run_t *run, const pos_schema_t *s, const pos_json_t *v, const place_t *place)
{
    place_t           at = { place, { NULL, 0 }, 0 };
    const pos_json_t *one;

    if (v->count < s->min_items) {
        FAULT(run, place, "min_items", "must have at least %u members", s->min_items);
    }

    if (v->count > s->max_items) {
        FAULT(run, place, "max_items", "must have at most %u members", s->max_items);
        return;
    }

    if (s->unique_items) {
        check_unique(run, v, place);
    }

    if (s->items == NULL) {
        return;
    }

    for (one = v->first; one != NULL; one = one->next, at.index++) {
        check(run, s->items, one, &at);

        if (!run->valid && run->faults == NULL) {
            return;
        }
    }
}


static inline bool
is_named(const pos_property_t *p, pos_str_t name)
{
    return p->name.len == name.len
           && (name.len == 0
               || (p->name.data[0] == name.data[0]
                   && memcmp(p->name.data, name.data, name.len) == 0));
}


static const pos_property_t *
property_of(const pos_schema_t *s, pos_str_t name, uint32_t hint)
{
    uint32_t i;

    /* Members tend to come in the schema's order: start behind the last. */
    for (i = hint; i < s->property_count; i++) {
        if (is_named(&s->properties[i], name)) {
            return &s->properties[i];
        }
    }

    for (i = 0; i < hint; i++) {
        if (is_named(&s->properties[i], name)) {
            return &s->properties[i];
        }
    }

    return NULL;
}


static void
check_member(run_t *run, const pos_schema_t *s, const pos_json_t *one,
    const pos_property_t *property, const place_t *at)
{
    if (property != NULL) {
        check(run, property->schema, one, at);

    } else if (s->additional != NULL) {
        check(run, s->additional, one, at);

    } else if (s->closed) {
        FAULT(run, at, "unknown_field", "there is no such field here");
    }
}


static void
check_missing(run_t *run, const pos_schema_t *s, uint64_t seen, const pos_json_t *v,
    const place_t *place)
{
    for (uint32_t i = 0; i < s->required_count; i++) {
        if ((seen & (UINT64_C(1) << i)) != 0
            || pos_json_get_str(v, s->required[i]) != NULL)
        {
            continue;
        }

        place_t at = { place, s->required[i], 0 };

        FAULT(run, &at, "required", "must be there");
    }
}


static __attribute__((noinline)) void
check_object(run_t *run, const pos_schema_t *s, const pos_json_t *v, const place_t *place)
{
    uint32_t              hint = 0;
    uint64_t              seen = 0;
    const pos_json_t     *one;
    const pos_property_t *property;

    if (v->count < s->min_properties) {
        FAULT(run, place, "min_properties", "must have at least %u members",
              s->min_properties);
    }

    if (v->count > s->max_properties) {
        FAULT(run, place, "max_properties", "must have at most %u members",
              s->max_properties);
        return;
    }

    for (one = v->first; one != NULL; one = one->next) {
        place_t at = { place, one->key, 0 };

        property = s->property_count > 0 ? property_of(s, one->key, hint) : NULL;

        if (property != NULL) {
            hint = (uint32_t) (property - s->properties) + 1;

            if (property->required > 0) {
                seen |= UINT64_C(1) << (property->required - 1);
            }
        }

        if (s->names != NULL) {
            pos_json_t name = { .type = POS_JSON_STRING, .text = one->key };

            check(run, s->names, &name, &at);
        }

        check_member(run, s, one, property, &at);

        if (!run->valid && run->faults == NULL) {
            return;
        }
    }

    check_missing(run, s, seen, v, place);
}


/* When no branch fits, the faults of the branch that comes nearest are the
 * useful ones: the one with fewest, and of those one whose type fits. */

static void
report_nearest(run_t *run, const pos_schema_t **list, uint32_t count,
    const pos_json_t *v, const place_t *place)
{
    uint32_t     i, score, best = 0, best_score = UINT32_MAX;
    pos_faults_t faults;
    run_t        trial;

    run->valid = false;

    if (run->faults == NULL) {
        return;
    }

    /* A trial within a trial would double the work at every level. */
    if (run->trial) {
        run->faults->count++;
        return;
    }

    for (i = 0; i < count; i++) {
        const pos_schema_t *s = list[i];

        while (s->ref != NULL) {
            s = s->ref;
        }

        pos_faults_init(&faults, run->faults->arena);
        faults.max = 0;
        trial = (run_t) { run->base, &faults, true, false, run->depth, true };
        check(&trial, list[i], v, place);
        score = faults.count + ((s->types & type_of(v)) == 0 ? 1000 : 0);

        if (score < best_score) {
            best_score = score;
            best = i;
        }
    }

    check(run, list[best], v, place);
}


static void
check_any(run_t *run, const pos_schema_t *s, const pos_json_t *v, const place_t *place)
{
    for (uint32_t i = 0; i < s->any_count; i++) {
        if (quietly(run, s->any[i], v)) {
            return;
        }
    }

    report_nearest(run, s->any, s->any_count, v, place);
}


static void
check_one(run_t *run, const pos_schema_t *s, const pos_json_t *v, const place_t *place)
{
    uint32_t fits = 0;

    for (uint32_t i = 0; i < s->one_count; i++) {
        fits += quietly(run, s->one[i], v);
    }

    if (fits == 0) {
        report_nearest(run, s->one, s->one_count, v, place);

    } else if (fits > 1) {
        FAULT(run, place, "one_of", "fits more than one of the forms allowed here: say "
              "which by leaving the other's fields out");
    }
}


static void
check_combined(run_t *run, const pos_schema_t *s, const pos_json_t *v, const place_t *place)
{
    const pos_schema_t *branch;

    for (uint32_t i = 0; i < s->all_count; i++) {
        check(run, s->all[i], v, place);
    }

    if (s->any_count > 0) {
        check_any(run, s, v, place);
    }

    if (s->one_count > 0) {
        check_one(run, s, v, place);
    }

    if (s->negated != NULL && quietly(run, s->negated, v)) {
        FAULT(run, place, "not", "must not have this form");
    }

    if (s->condition != NULL) {
        branch = quietly(run, s->condition, v) ? s->then : s->otherwise;

        if (branch != NULL) {
            check(run, branch, v, place);
        }
    }
}


static __attribute__((noinline)) void
check_rare(run_t *run, const pos_schema_t *s, const pos_json_t *v, const place_t *place)
{
    if (s->enumeration != NULL) {
        check_enum(run, s, v, place);
    }

    if (s->constant != NULL && !same(s->constant, v)) {
        FAULT(run, place, "const", "must be %.*s", (int) s->constant->text.len,
              s->constant->text.data);
    }

    check_combined(run, s, v, place);
}


static void
check_typed(run_t *run, const pos_schema_t *s, const pos_json_t *v, const place_t *place)
{
    switch (v->type) {
    case POS_JSON_NUMBER:
        check_number(run, s, v, place);
        break;
    case POS_JSON_STRING:
        check_string(run, s, v, place);
        break;
    case POS_JSON_ARRAY:
        check_array(run, s, v, place);
        break;
    case POS_JSON_OBJECT:
        check_object(run, s, v, place);
        break;
    default:
        break;
    }
}


/* Kept apart from check(), so that what only asks for a type stays cheap. */
static __attribute__((noinline)) void
check_all(run_t *run, const pos_schema_t *s, const pos_json_t *v, const place_t *place)
{
    if (++run->depth > DEPTH_MAX) {
        FAULT(run, place, "depth", "is nested too deeply");

    } else if (s->refuse) {
        FAULT(run, place, "unknown_field", "nothing may stand here");

    } else if ((s->types & type_of(v)) == 0) {
        FAULT(run, place, "type", "must be %s", types_text(s->types));

    } else {
        if (s->rare) {
            check_rare(run, s, v, place);
        }

        check_typed(run, s, v, place);
    }

    run->depth--;
}


static void
check(run_t *run, const pos_schema_t *s, const pos_json_t *v, const place_t *place)
{
    while (s->ref != NULL && s->ref != s) {
        s = s->ref;
    }

    if (s->constrained || (s->types & type_of(v)) == 0) {
        check_all(run, s, v, place);
    }
}


pos_status_t
pos_schema_validate(const pos_schema_t *schema, const pos_json_t *value, pos_str_t base,
    pos_faults_t *faults)
{
    run_t run = { base, faults, true, false, 0, false };

    check(&run, schema, value, NULL);

    if (run.no_memory) {
        return POS_NO_MEMORY;
    }

    return run.valid ? POS_OK : POS_INVALID;
}
