/*
 * JSON Schema, compiled once at start: every keyword is known or an error.
 */

#include "base/schema_data.h"

typedef struct {
    pos_schema_set_t *set;
    pos_faults_t     *faults;
    bool              no_memory;
} compiler_t;

typedef void (*keyword_t)(compiler_t *c, pos_schema_t *schema,
    const pos_json_t *value, pos_str_t where);

static pos_schema_t *compile(compiler_t *c, const pos_json_t *json, pos_str_t where);


pos_status_t
pos_schema_set_create(pos_arena_t *arena, const pos_json_t *document,
    pos_schema_set_t **out)
{
    pos_schema_set_t *set = pos_arena_zalloc(arena, sizeof(*set));

    if (set == NULL || pos_map_init(&set->by_pointer, arena, 64) != POS_OK) {
        return POS_NO_MEMORY;
    }

    set->arena = arena;
    set->document = document;
    *out = set;

    return POS_OK;
}


void
pos_schema_set_destroy(pos_schema_set_t *set)
{
    pos_schema_t *schema;

    if (set == NULL) {
        return;
    }

    for (schema = set->patterns; schema != NULL; schema = schema->next_pattern) {
        pcre2_code_free(schema->pattern);
    }

    pcre2_match_data_free(set->match_data);
    pcre2_match_context_free(set->match);
}


/* Digits enough for any quantity: 64 bits do. */
static bool
small_whole(pos_str_t text, __int128 *out)
{
    int64_t n = 0;

    if (text.len == 0 || text.len > 9) {
        return false;
    }

    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }

        n = n * 10 + (text.data[i] - '0');
    }

    *out = n * 1000000000;

    return true;
}


bool
pos_schema_decimal(pos_str_t text, __int128 *out)
{
    size_t   i = 0;
    bool     negative = text.len > 0 && text.data[0] == '-';
    __int128 value = 0;
    unsigned whole = 0, fraction = 0;

    if (small_whole(text, out)) {
        return true;
    }

    for (i = negative; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        /* Checked within the loop: 128 bits hold 38 digits, 9 of them behind
         * the point. */
        if (++whole > 24) {
            return false;
        }

        value = value * 10 + (text.data[i] - '0');
    }

    if (whole == 0) {
        return false;
    }

    if (i < text.len && text.data[i] == '.') {
        for (i++; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
            if (fraction == POS_SCHEMA_DIGITS) {
                if (text.data[i] != '0') {
                    return false;
                }
                continue;
            }

            value = value * 10 + (text.data[i] - '0');
            fraction++;
        }
    }

    if (i != text.len) {
        return false;
    }

    for (; fraction < POS_SCHEMA_DIGITS; fraction++) {
        value *= 10;
    }

    *out = negative ? -value : value;

    return true;
}


static pos_str_t
child(compiler_t *c, pos_str_t where, pos_str_t key)
{
    pos_str_t at = pos_json_pointer(c->set->arena, where, key);

    c->no_memory |= at.data == NULL;

    return at;
}


static void
bad(compiler_t *c, pos_str_t where, const char *what)
{
    (void) pos_fault(c->faults, where, "schema_keyword", "%s", what);
}


static uint8_t
type_bit(pos_str_t name)
{
    static const struct { const char *name; uint8_t bits; } types[] = {
        { "null", POS_SCHEMA_NULL },       { "boolean", POS_SCHEMA_BOOLEAN },
        { "integer", POS_SCHEMA_INTEGER }, { "number", POS_SCHEMA_NUMBER | POS_SCHEMA_INTEGER },
        { "string", POS_SCHEMA_STRING },   { "array", POS_SCHEMA_ARRAY },
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
kw_type(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    uint8_t           bits, all = 0;
    const pos_json_t *one;

    if (v->type == POS_JSON_STRING) {
        all = type_bit(v->text);

        if (all == 0) {
            bad(c, where, "no such type");
        }

    } else if (v->type == POS_JSON_ARRAY) {
        for (one = v->first; one != NULL; one = one->next) {
            bits = one->type == POS_JSON_STRING ? type_bit(one->text) : 0;

            if (bits == 0) {
                bad(c, where, "no such type");
            }

            all |= bits;
        }

    } else {
        bad(c, where, "type must be a name or a list of names");
    }

    s->types = all;
}


static void
kw_enum(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    if (v->type != POS_JSON_ARRAY || v->count == 0) {
        bad(c, where, "enum must be a list");
    }

    s->enumeration = v;
}


static void
kw_const(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    (void) c;
    (void) where;
    s->constant = v;
}


static void
kw_properties(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    uint32_t          n = 0;
    const pos_json_t *one;

    if (v->type != POS_JSON_OBJECT) {
        bad(c, where, "properties must be an object");
        return;
    }

    s->properties = pos_arena_array(c->set->arena, v->count + 1, sizeof(pos_property_t));

    if (s->properties == NULL) {
        c->no_memory = true;
        return;
    }

    for (one = v->first; one != NULL; one = one->next) {
        s->properties[n].name = one->key;
        s->properties[n].schema = compile(c, one, child(c, where, one->key));
        n++;
    }

    s->property_count = n;
}


static void
kw_required(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    const pos_json_t *one;

    if (v->type != POS_JSON_ARRAY || v->count > 64) {
        bad(c, where, "required must be a list of at most 64 names");
        return;
    }

    s->required = pos_arena_array(c->set->arena, v->count + 1, sizeof(pos_str_t));

    if (s->required == NULL) {
        c->no_memory = true;
        return;
    }

    for (one = v->first; one != NULL; one = one->next) {
        if (one->type != POS_JSON_STRING) {
            bad(c, where, "required must name members");
            continue;
        }

        s->required[s->required_count++] = one->text;
    }
}


static void
kw_additional(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    if (v->type == POS_JSON_FALSE) {
        s->closed = true;

    } else {
        s->closed = false;
        s->additional = compile(c, v, where);
    }
}


static void
kw_names(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->names = compile(c, v, where);
}


static void
kw_items(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->items = compile(c, v, where);
}


static void
kw_unique(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    if (!pos_json_is_bool(v)) {
        bad(c, where, "uniqueItems must be true or false");
    }

    s->unique_items = v->type == POS_JSON_TRUE;
}


static uint32_t
count_of(compiler_t *c, const pos_json_t *v, pos_str_t where)
{
    int64_t n;

    if (!pos_json_int64(v, &n) || n < 0 || n > UINT32_MAX) {
        bad(c, where, "must be a count");
        return 0;
    }

    return (uint32_t) n;
}

#define COUNT_KEYWORD(name, field)                                             \
    static void name(compiler_t *c, pos_schema_t *s, const pos_json_t *v,      \
        pos_str_t where)                                                       \
    {                                                                          \
        s->field = count_of(c, v, where);                                      \
    }

COUNT_KEYWORD(kw_min_length, min_length)
COUNT_KEYWORD(kw_max_length, max_length)
COUNT_KEYWORD(kw_min_items, min_items)
COUNT_KEYWORD(kw_max_items, max_items)
COUNT_KEYWORD(kw_min_properties, min_properties)
COUNT_KEYWORD(kw_max_properties, max_properties)


static bool
bound(compiler_t *c, const pos_json_t *v, pos_str_t where, __int128 *out)
{
    if (v->type != POS_JSON_NUMBER || !pos_schema_decimal(v->text, out)) {
        bad(c, where, "must be a number without exponent, at most 9 decimals");
        return false;
    }

    return true;
}


static void
kw_minimum(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->has_min = bound(c, v, where, &s->min);
}


static void
kw_maximum(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->has_max = bound(c, v, where, &s->max);
}


static void
kw_exclusive_minimum(compiler_t *c, pos_schema_t *s, const pos_json_t *v,
    pos_str_t where)
{
    s->has_exclusive_min = bound(c, v, where, &s->exclusive_min);
}


static void
kw_multiple(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->has_multiple = bound(c, v, where, &s->multiple);

    if (s->has_multiple && s->multiple <= 0) {
        bad(c, where, "multipleOf must be above 0");
        s->has_multiple = false;
    }
}


static void
kw_pattern(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    int               code;
    PCRE2_SIZE        offset;
    pos_schema_set_t *set = c->set;

    if (v->type != POS_JSON_STRING || v->text.len > POS_SCHEMA_PATTERN_MAX) {
        bad(c, where, "pattern must be text of at most 1024 bytes");
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
        bad(c, where, "pattern does not compile");
        return;
    }

    s->next_pattern = set->patterns;
    set->patterns = s;

    /* Without JIT the same pattern is matched by the interpreter. */
    s->jit = pcre2_jit_compile(s->pattern, PCRE2_JIT_COMPLETE) == 0;
}


/* Our own: what a pattern asks, in words. */
static void
kw_message(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    if (v->type != POS_JSON_STRING || v->text.len == 0) {
        bad(c, where, "x-pos-message must be text");
        return;
    }

    s->pattern_message = v->text;
}


static void
kw_format(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
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

    bad(c, where, "this format is not implemented");
}


static const pos_schema_t **
compile_list(compiler_t *c, const pos_json_t *v, pos_str_t where, uint32_t *count)
{
    uint32_t             n = 0;
    const pos_json_t    *one;
    const pos_schema_t **list;

    if (v->type != POS_JSON_ARRAY || v->count == 0) {
        bad(c, where, "must be a list of schemas");
        return NULL;
    }

    list = pos_arena_array(c->set->arena, v->count, sizeof(*list));

    if (list == NULL) {
        c->no_memory = true;
        return NULL;
    }

    for (one = v->first; one != NULL; one = one->next) {
        list[n] = compile(c, one, pos_json_pointer_index(c->set->arena, where, n));
        n++;
    }

    *count = n;

    return list;
}


static void
kw_all(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->all = compile_list(c, v, where, &s->all_count);
}


static void
kw_any(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->any = compile_list(c, v, where, &s->any_count);
}


static void
kw_one(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->one = compile_list(c, v, where, &s->one_count);
}


static void
kw_not(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->negated = compile(c, v, where);
}


static void
kw_if(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->condition = compile(c, v, where);
}


static void
kw_then(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->then = compile(c, v, where);
}


static void
kw_else(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
{
    s->otherwise = compile(c, v, where);
}


static void
kw_annotation(compiler_t *c, pos_schema_t *s, const pos_json_t *v, pos_str_t where)
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


static void
compile_keyword(compiler_t *c, pos_schema_t *schema, const pos_json_t *member,
    pos_str_t where)
{
    pos_str_t at = child(c, where, member->key);

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

    bad(c, at, "this keyword is not implemented");
}


/* Follows "#/a/b" through the document; ~1 and ~0 as RFC 6901 has them. */

static const pos_json_t *
resolve(compiler_t *c, pos_str_t ref)
{
    size_t            i = 2, n;
    char              name[256];
    const pos_json_t *at = c->set->document;

    if (ref.len < 2 || memcmp(ref.data, "#/", 2) != 0) {
        return NULL;
    }

    while (i <= ref.len && at != NULL) {
        for (n = 0; i < ref.len && ref.data[i] != '/'; i++) {
            if (n == sizeof(name)) {
                return NULL;
            }

            if (ref.data[i] == '~' && i + 1 < ref.len) {
                name[n++] = ref.data[++i] == '1' ? '/' : '~';

            } else {
                name[n++] = ref.data[i];
            }
        }

        at = pos_json_get_str(at, pos_str_of(name, n));
        i++;
    }

    return at;
}


static void
compile_ref(compiler_t *c, pos_schema_t *schema, pos_str_t ref, pos_str_t where)
{
    pos_schema_t     *known = pos_map_get(&c->set->by_pointer, ref);
    const pos_json_t *target;

    if (known == NULL) {
        target = resolve(c, ref);

        if (target == NULL) {
            bad(c, where, "$ref points to nothing");
            schema->types = POS_SCHEMA_ANY;
            return;
        }

        known = compile(c, target, pos_str_of(ref.data + 1, ref.len - 1));
    }

    schema->ref = known;
}


static void
mark_required(compiler_t *c, pos_schema_t *s, pos_str_t where)
{
    uint32_t i, k;

    for (i = 0; i < s->required_count; i++) {
        for (k = 0; k < s->property_count; k++) {
            if (pos_str_eq(s->required[i], s->properties[k].name)) {
                s->properties[k].required = i + 1;
                break;
            }
        }

        if (k == s->property_count && s->closed) {
            bad(c, where, "required names a member that properties does not");
        }
    }
}


static pos_schema_t *
compile(compiler_t *c, const pos_json_t *json, pos_str_t where)
{
    pos_str_t         key;
    pos_schema_t     *schema = pos_arena_zalloc(c->set->arena, sizeof(*schema));
    const pos_json_t *member, *ref;

    if (schema == NULL) {
        c->no_memory = true;
        return NULL;
    }

    schema->set = c->set;
    schema->types = POS_SCHEMA_ANY;
    schema->max_length = schema->max_items = schema->max_properties = UINT32_MAX;

    /* Known before its inside is compiled: a schema may refer to itself. */
    key = pos_arena_printf(c->set->arena, "#%.*s", (int) where.len, where.data);

    if (where.data == NULL || key.data == NULL
        || pos_map_set(&c->set->by_pointer, key, schema, NULL) != POS_OK)
    {
        c->no_memory = true;
        return schema;
    }

    if (pos_json_is_bool(json)) {
        schema->refuse = json->type == POS_JSON_FALSE;
        schema->constrained = schema->refuse;
        return schema;
    }

    if (json->type != POS_JSON_OBJECT) {
        bad(c, where, "a schema must be an object, true or false");
        return schema;
    }

    ref = pos_json_get(json, "$ref");

    if (ref != NULL) {
        for (member = json->first; member != NULL; member = member->next) {
            if (member != ref && !pos_str_eq(member->key, pos_str("description"))) {
                bad(c, child(c, where, member->key), "nothing may stand beside $ref");
            }
        }

        if (ref->type != POS_JSON_STRING) {
            bad(c, where, "$ref must be text");
            return schema;
        }

        compile_ref(c, schema, ref->text, where);
        return schema;
    }

    schema->closed = pos_json_get(json, "properties") != NULL;

    for (member = json->first; member != NULL && !c->no_memory; member = member->next) {
        compile_keyword(c, schema, member, where);
    }

    mark_required(c, schema, where);

    schema->rare = schema->enumeration != NULL || schema->constant != NULL
                   || schema->all_count + schema->any_count + schema->one_count > 0
                   || schema->negated != NULL || schema->condition != NULL;

    if (schema->unique_items && schema->max_items > POS_SCHEMA_UNIQUE_MAX) {
        schema->max_items = POS_SCHEMA_UNIQUE_MAX;
    }

    return schema;
}


pos_status_t
pos_schema_compile(pos_schema_set_t *set, const pos_json_t *json, pos_str_t where,
    pos_faults_t *faults, const pos_schema_t **out)
{
    uint32_t      before = faults->count;
    compiler_t    c = { set, faults, false };
    pos_schema_t *schema = compile(&c, json, where);

    if (c.no_memory) {
        return POS_NO_MEMORY;
    }

    *out = schema;

    return faults->count == before ? POS_OK : POS_INVALID;
}
