/*
 * What each keyword of JSON Schema asks of its value, put into the schema.
 */

#include "base/schema_compile.h"

typedef void (*keyword_t)(pos_schema_compiler_t *c, pos_schema_t *schema,
    const pos_json_t *value, pos_str_t where);


/* ---- types and values ---- */

static uint8_t
type_bit(pos_str_t name)
{
    static const struct { const char *name; uint8_t bits; } types[] = {
        { "null", POS_SCHEMA_NULL },
        { "boolean", POS_SCHEMA_BOOLEAN },
        { "integer", POS_SCHEMA_INTEGER },
        { "number", POS_SCHEMA_NUMBER | POS_SCHEMA_INTEGER },
        { "string", POS_SCHEMA_STRING },
        { "array", POS_SCHEMA_ARRAY },
        { "object", POS_SCHEMA_OBJECT },
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (pos_str_eq(name, pos_str_z(types[i].name))) {
            return types[i].bits;
        }
    }

    return 0;
}


static void
kw_type(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    uint8_t           bits, all = 0;
    const pos_json_t *one;

    if (v->type == POS_JSON_STRING) {
        all = type_bit(v->text);

        if (all == 0) {
            pos_schema_bad(c, where, "no such type");
        }

    } else if (v->type == POS_JSON_ARRAY) {
        for (one = v->first; one != NULL; one = one->next) {
            bits = one->type == POS_JSON_STRING ? type_bit(one->text) : 0;

            if (bits == 0) {
                pos_schema_bad(c, where, "no such type");
            }

            all |= bits;
        }

    } else {
        pos_schema_bad(c, where, "type must be a name or a list of names");
    }

    s->types = all;
}


static void
kw_enum(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    if (v->type != POS_JSON_ARRAY || v->count == 0) {
        pos_schema_bad(c, where, "enum must be a list");
    }

    s->enumeration = v;
}


static void
kw_const(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    (void) c;
    (void) where;
    s->constant = v;
}


/* ---- objects and lists ---- */

static void
kw_properties(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v,
              pos_str_t where)
{
    uint32_t          n = 0;
    const pos_json_t *one;

    if (v->type != POS_JSON_OBJECT) {
        pos_schema_bad(c, where, "properties must be an object");
        return;
    }

    s->properties = pos_arena_array(c->set->arena, v->count + 1, sizeof(pos_property_t));

    if (s->properties == NULL) {
        c->no_memory = true;
        return;
    }

    for (one = v->first; one != NULL; one = one->next) {
        s->properties[n].name = one->key;
        s->properties[n].schema =
            pos_schema_compile_at(c, one, pos_schema_child(c, where, one->key));
        n++;
    }

    s->property_count = n;
}


static void
kw_required(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    const pos_json_t *one;

    if (v->type != POS_JSON_ARRAY || v->count > 64) {
        pos_schema_bad(c, where, "required must be a list of at most 64 names");
        return;
    }

    s->required = pos_arena_array(c->set->arena, v->count + 1, sizeof(pos_str_t));

    if (s->required == NULL) {
        c->no_memory = true;
        return;
    }

    for (one = v->first; one != NULL; one = one->next) {
        if (one->type != POS_JSON_STRING) {
            pos_schema_bad(c, where, "required must name members");
            continue;
        }

        s->required[s->required_count++] = one->text;
    }
}


static void
kw_additional(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v,
              pos_str_t where)
{
    if (v->type == POS_JSON_FALSE) {
        s->closed = true;

    } else {
        s->closed = false;
        s->additional = pos_schema_compile_at(c, v, where);
    }
}


static void
kw_names(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->names = pos_schema_compile_at(c, v, where);
}


static void
kw_items(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->items = pos_schema_compile_at(c, v, where);
}


static void
kw_unique(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    if (!pos_json_is_bool(v)) {
        pos_schema_bad(c, where, "uniqueItems must be true or false");
    }

    s->unique_items = v->type == POS_JSON_TRUE;
}


/* ---- counts and bounds ---- */

static uint32_t
count_of(pos_schema_compiler_t *c, const pos_json_t *v, pos_str_t where)
{
    int64_t n;

    if (!pos_json_int64(v, &n) || n < 0 || n > UINT32_MAX) {
        pos_schema_bad(c, where, "must be a count");
        return 0;
    }

    return (uint32_t) n;
}
#define COUNT_KEYWORD(name, field)                                             \
    static void name(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v,      \
        pos_str_t where)                                                       \
    {                                                                          \
        s->field = count_of(c, v, where);                                      \
    }

COUNT_KEYWORD(kw_min_length, min_length)
COUNT_KEYWORD(kw_max_length, max_length)
COUNT_KEYWORD(kw_max_bytes, max_bytes)
COUNT_KEYWORD(kw_min_items, min_items)
COUNT_KEYWORD(kw_max_items, max_items)
COUNT_KEYWORD(kw_min_properties, min_properties)
COUNT_KEYWORD(kw_max_properties, max_properties)


static bool
bound(pos_schema_compiler_t *c, const pos_json_t *v, pos_str_t where, __int128 *out)
{
    if (v->type != POS_JSON_NUMBER || !pos_schema_decimal(v->text, out)) {
        pos_schema_bad(c, where, "must be a number without exponent, at most 9 decimals");
        return false;
    }

    return true;
}


static void
kw_minimum(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->has_min = bound(c, v, where, &s->min);
}


static void
kw_maximum(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->has_max = bound(c, v, where, &s->max);
}


static void
kw_exclusive_minimum(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v,
    pos_str_t where)
{
    s->has_exclusive_min = bound(c, v, where, &s->exclusive_min);
}


static void
kw_multiple(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->has_multiple = bound(c, v, where, &s->multiple);

    if (s->has_multiple && s->multiple <= 0) {
        pos_schema_bad(c, where, "multipleOf must be above 0");
        s->has_multiple = false;
    }
}


/* ---- texts ---- */

static void
kw_pattern(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    int               code;
    PCRE2_SIZE        offset;
    pos_schema_set_t *set = c->set;

    if (v->type != POS_JSON_STRING || v->text.len > POS_SCHEMA_PATTERN_MAX) {
        pos_schema_bad(c, where, "pattern must be text of at most 1024 bytes");
        return;
    }

    if (set->match == NULL) {
        set->match = pcre2_match_context_create(NULL);
        set->match_data = pcre2_match_data_create(1, NULL);

        if (set->match == NULL || set->match_data == NULL) {
            c->no_memory = true;
            return;
        }

        pcre2_set_match_limit(set->match, POS_SCHEMA_MATCH_LIMIT);
        pcre2_set_depth_limit(set->match, POS_SCHEMA_MATCH_LIMIT);
    }

    s->pattern = pcre2_compile((PCRE2_SPTR) v->text.data, v->text.len,
        PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_UTF_CHECK, &code, &offset, NULL);
    s->pattern_text = v->text;

    if (s->pattern == NULL) {
        pos_schema_bad(c, where, "pattern does not compile");
        return;
    }

    s->next_pattern = set->patterns;
    set->patterns = s;

    /* Without JIT the same pattern is matched by the interpreter. */
    s->jit = pcre2_jit_compile(s->pattern, PCRE2_JIT_COMPLETE) == 0;
}


/* Our own: what a pattern asks, in words. */
static void
kw_message(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    if (v->type != POS_JSON_STRING || v->text.len == 0) {
        pos_schema_bad(c, where, "x-pos-message must be text");
        return;
    }

    s->pattern_message = v->text;
}


static void
kw_format(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    static const struct { const char *name; pos_format_t format; } formats[] = {
        { "date-time", POS_FORMAT_DATE_TIME }, { "date", POS_FORMAT_DATE },
        { "uri", POS_FORMAT_URI },             { "email", POS_FORMAT_EMAIL },
        { "currency", POS_FORMAT_CURRENCY },   { "ulid", POS_FORMAT_ULID },
    };

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
        if (v->type == POS_JSON_STRING && pos_str_eq(v->text, pos_str_z(formats[i].name))) {
            s->format = (uint8_t) formats[i].format;
            return;
        }
    }

    /* Widths of numbers are what we always have; others must be known. */
    if (v->type == POS_JSON_STRING
        && (pos_str_eq(v->text, pos_str("int64")) || pos_str_eq(v->text, pos_str("int32"))))
    {
        return;
    }

    pos_schema_bad(c, where, "this format is not implemented");
}


/* ---- forms combined ---- */

static const pos_schema_t **
compile_list(pos_schema_compiler_t *c, const pos_json_t *v, pos_str_t where,
             uint32_t *count)
{
    uint32_t             n = 0;
    const pos_json_t    *one;
    const pos_schema_t **list;

    if (v->type != POS_JSON_ARRAY || v->count == 0) {
        pos_schema_bad(c, where, "must be a list of schemas");
        return NULL;
    }

    list = pos_arena_array(c->set->arena, v->count, sizeof(*list));

    if (list == NULL) {
        c->no_memory = true;
        return NULL;
    }

    for (one = v->first; one != NULL; one = one->next) {
        list[n] = pos_schema_compile_at(c, one,
                                        pos_json_pointer_index(c->set->arena, where, n));
        n++;
    }

    *count = n;

    return list;
}


static void
kw_all(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->all = compile_list(c, v, where, &s->all_count);
}


static void
kw_any(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->any = compile_list(c, v, where, &s->any_count);
}


static void
kw_one(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->one = compile_list(c, v, where, &s->one_count);
}


static void
kw_not(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->negated = pos_schema_compile_at(c, v, where);
}


static void
kw_if(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->condition = pos_schema_compile_at(c, v, where);
}


static void
kw_then(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->then = pos_schema_compile_at(c, v, where);
}


static void
kw_else(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->otherwise = pos_schema_compile_at(c, v, where);
}


/* ---- all of them ---- */

static void
kw_annotation(pos_schema_compiler_t *c, pos_schema_t *s, const pos_json_t *v,
              pos_str_t where)
{
    (void) c;
    (void) s;
    (void) v;
    (void) where;
}


static const struct {
    const char *name;
    keyword_t   compile;
} keywords[] = {
    { "type", kw_type },
    { "enum", kw_enum },
    { "const", kw_const },
    { "properties", kw_properties },
    { "required", kw_required },
    { "additionalProperties", kw_additional },
    { "propertyNames", kw_names },
    { "minProperties", kw_min_properties },
    { "maxProperties", kw_max_properties },
    { "items", kw_items },
    { "minItems", kw_min_items },
    { "maxItems", kw_max_items },
    { "uniqueItems", kw_unique },
    { "minLength", kw_min_length },
    { "maxLength", kw_max_length },
    { "x-pos-max-bytes", kw_max_bytes },
    { "pattern", kw_pattern },
    { "x-pos-message", kw_message },
    { "format", kw_format },
    { "minimum", kw_minimum },
    { "maximum", kw_maximum },
    { "exclusiveMinimum", kw_exclusive_minimum },
    { "multipleOf", kw_multiple },
    { "allOf", kw_all },
    { "anyOf", kw_any },
    { "oneOf", kw_one },
    { "not", kw_not },
    { "if", kw_if },
    { "then", kw_then },
    { "else", kw_else },
    { "title", kw_annotation },
    { "description", kw_annotation },
    { "default", kw_annotation },
    { "example", kw_annotation },
    { "examples", kw_annotation },
    { "deprecated", kw_annotation },
    { "readOnly", kw_annotation },
    { "writeOnly", kw_annotation },
};


void
pos_schema_keyword(pos_schema_compiler_t *c, pos_schema_t *schema, const pos_json_t *member,
    pos_str_t where)
{
    pos_str_t at = pos_schema_child(c, where, member->key);

    for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
        if (pos_str_eq(member->key, pos_str_z(keywords[i].name))) {
            keywords[i].compile(c, schema, member, at);
            schema->constrained |= keywords[i].compile != kw_type
                                   && keywords[i].compile != kw_annotation;
            return;
        }
    }

    if (member->key.len > 6 && memcmp(member->key.data, "x-pos-", 6) == 0) {
        return;
    }

    pos_schema_bad(c, at, "this keyword is not implemented");
}
