/*
 * JSON Schema, compiled once at start: every keyword is known or an error.
 */

#include "base/schema_compile.h"

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


pos_str_t
pos_schema_child(pos_schema_compiler_t *c, pos_str_t where, pos_str_t key)
{
    pos_str_t at = pos_json_pointer(c->set->arena, where, key);

    c->no_memory |= at.data == NULL;

    return at;
}


void
pos_schema_bad(pos_schema_compiler_t *c, pos_str_t where, const char *what)
{
    (void) pos_fault(c->faults, where, "schema_keyword", "%s", what);
}


/* Follows "#/a/b" through the document; ~1 and ~0 as RFC 6901 has them. */

static const pos_json_t *
resolve(pos_schema_compiler_t *c, pos_str_t ref)
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
compile_ref(pos_schema_compiler_t *c, pos_schema_t *schema, pos_str_t ref, pos_str_t where)
{
    pos_schema_t     *known = pos_map_get(&c->set->by_pointer, ref);
    const pos_json_t *target;

    if (known == NULL) {
        target = resolve(c, ref);

        if (target == NULL) {
            pos_schema_bad(c, where, "$ref points to nothing");
            schema->types = POS_SCHEMA_ANY;
            return;
        }

        known = pos_schema_compile_at(c, target, pos_str_of(ref.data + 1, ref.len - 1));
    }

    schema->ref = known;
}


static void
mark_required(pos_schema_compiler_t *c, pos_schema_t *s, pos_str_t where)
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
            pos_schema_bad(c, where, "required names a member that properties does not");
        }
    }
}


static void
compile_reference(pos_schema_compiler_t *c, pos_schema_t *schema, const pos_json_t *json,
    const pos_json_t *ref, pos_str_t where)
{
    const pos_json_t *member;

    for (member = json->first; member != NULL; member = member->next) {
        if (member != ref && !pos_str_eq(member->key, pos_str("description"))) {
            pos_schema_bad(c, pos_schema_child(c, where, member->key),
                           "nothing may stand beside $ref");
        }
    }

    if (ref->type != POS_JSON_STRING) {
        pos_schema_bad(c, where, "$ref must be text");
        return;
    }

    compile_ref(c, schema, ref->text, where);
}


pos_schema_t *
pos_schema_compile_at(pos_schema_compiler_t *c, const pos_json_t *json, pos_str_t where)
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
    schema->max_length = schema->max_bytes = schema->max_items = schema->max_properties = UINT32_MAX;

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
        pos_schema_bad(c, where, "a schema must be an object, true or false");
        return schema;
    }

    ref = pos_json_get(json, "$ref");

    if (ref != NULL) {
        compile_reference(c, schema, json, ref, where);
        return schema;
    }

    schema->closed = pos_json_get(json, "properties") != NULL;

    for (member = json->first; member != NULL && !c->no_memory; member = member->next) {
        pos_schema_keyword(c, schema, member, where);
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
    uint32_t              before = faults->count;
    pos_schema_compiler_t c = { set, faults, false };
    pos_schema_t         *schema = pos_schema_compile_at(&c, json, where);

    if (c.no_memory) {
        return POS_NO_MEMORY;
    }

    *out = schema;

    return faults->count == before ? POS_OK : POS_INVALID;
}
