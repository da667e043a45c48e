/*
 * A value against a compiled schema: all faults in one pass. Here is the walk,
 * through objects and lists; single values and combined forms have files of
 * their own.
 */

#include "base/schema_run.h"

#define DEPTH_MAX  256    /* of schemas within schemas, $ref loops included */


pos_str_t
pos_schema_pointer(pos_arena_t *arena, pos_str_t base, const pos_schema_place_t *place)
{
    pos_str_t before;

    if (place == NULL) {
        return base;
    }

    before = pos_schema_pointer(arena, base, place->parent);

    return place->key.data != NULL
               ? pos_json_pointer(arena, before, place->key)
               : pos_json_pointer_index(arena, before, place->index);
}


/* ---- types ---- */

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


uint8_t
pos_schema_type_of(const pos_json_t *v)
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


/* ---- lists ---- */

static void
check_unique(pos_schema_run_t *run, const pos_json_t *v, const pos_schema_place_t *place)
{
    uint32_t          i = 0;
    const pos_json_t *a, *b;

    for (a = v->first; a != NULL; a = a->next, i++) {
        for (b = v->first; b != a; b = b->next) {
            if (pos_schema_same(a, b)) {
                pos_schema_place_t at = { place, { NULL, 0 }, i };

                POS_SCHEMA_FAULT(run, &at, "not_unique", "stands in the list before");
                break;
            }
        }
    }
}


static __attribute__((noinline)) void
check_array(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *v,
            const pos_schema_place_t *place)
{
    pos_schema_place_t at = { place, { NULL, 0 }, 0 };
    const pos_json_t  *one;

    if (v->count < s->min_items) {
        POS_SCHEMA_FAULT(run, place, "min_items", "must have at least %u members",
                         s->min_items);
    }

    if (v->count > s->max_items) {
        POS_SCHEMA_FAULT(run, place, "max_items", "must have at most %u members",
                         s->max_items);
        return;
    }

    if (s->unique_items) {
        check_unique(run, v, place);
    }

    if (s->items == NULL) {
        return;
    }

    for (one = v->first; one != NULL; one = one->next, at.index++) {
        pos_schema_check(run, s->items, one, &at);

        if (!run->valid && run->faults == NULL) {
            return;
        }
    }
}


/* ---- objects ---- */

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
check_member(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *one,
    const pos_property_t *property, const pos_schema_place_t *at)
{
    if (property != NULL) {
        pos_schema_check(run, property->schema, one, at);

    } else if (s->additional != NULL) {
        pos_schema_check(run, s->additional, one, at);

    } else if (s->closed) {
        POS_SCHEMA_FAULT(run, at, "unknown_field", "there is no such field here");
    }
}


static void
check_missing(pos_schema_run_t *run, const pos_schema_t *s, uint64_t seen,
              const pos_json_t *v, const pos_schema_place_t *place)
{
    for (uint32_t i = 0; i < s->required_count; i++) {
        if ((seen & (UINT64_C(1) << i)) != 0
            || pos_json_get_str(v, s->required[i]) != NULL)
        {
            continue;
        }

        pos_schema_place_t at = { place, s->required[i], 0 };

        POS_SCHEMA_FAULT(run, &at, "required", "must be there");
    }
}


static __attribute__((noinline)) void
check_object(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *v,
             const pos_schema_place_t *place)
{
    uint32_t              hint = 0;
    uint64_t              seen = 0;
    const pos_json_t     *one;
    const pos_property_t *property;

    if (v->count < s->min_properties) {
        POS_SCHEMA_FAULT(run, place, "min_properties", "must have at least %u members",
              s->min_properties);
    }

    if (v->count > s->max_properties) {
        POS_SCHEMA_FAULT(run, place, "max_properties", "must have at most %u members",
              s->max_properties);
        return;
    }

    for (one = v->first; one != NULL; one = one->next) {
        pos_schema_place_t at = { place, one->key, 0 };

        property = s->property_count > 0 ? property_of(s, one->key, hint) : NULL;

        if (property != NULL) {
            hint = (uint32_t) (property - s->properties) + 1;

            if (property->required > 0) {
                seen |= UINT64_C(1) << (property->required - 1);
            }
        }

        if (s->names != NULL) {
            pos_json_t name = { .type = POS_JSON_STRING, .text = one->key };

            pos_schema_check(run, s->names, &name, &at);
        }

        check_member(run, s, one, property, &at);

        if (!run->valid && run->faults == NULL) {
            return;
        }
    }

    check_missing(run, s, seen, v, place);
}


/* ---- all of it ---- */

static void
check_typed(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *v,
            const pos_schema_place_t *place)
{
    switch (v->type) {
    case POS_JSON_NUMBER:
        pos_schema_check_number(run, s, v, place);
        break;
    case POS_JSON_STRING:
        pos_schema_check_string(run, s, v, place);
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


/* Kept apart from pos_schema_check(), so that what only asks for a type stays cheap. */
/* Kept apart from check(), so that what only asks for a type stays cheap. */
void
pos_schema_check_all(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *v,
                     const pos_schema_place_t *place)
{
    if (++run->depth > DEPTH_MAX) {
        POS_SCHEMA_FAULT(run, place, "depth", "is nested too deeply");

    } else if (s->refuse) {
        POS_SCHEMA_FAULT(run, place, "unknown_field", "nothing may stand here");

    } else if ((s->types & pos_schema_type_of(v)) == 0) {
        POS_SCHEMA_FAULT(run, place, "type", "must be %s", types_text(s->types));

    } else {
        if (s->rare) {
            pos_schema_check_forms(run, s, v, place);
        }

        check_typed(run, s, v, place);
    }

    run->depth--;
}


pos_status_t
pos_schema_validate(const pos_schema_t *schema, const pos_json_t *value, pos_str_t base,
    pos_faults_t *faults)
{
    pos_schema_run_t run = { base, faults, true, false, 0, false };

    pos_schema_check(&run, schema, value, NULL);

    if (run.no_memory) {
        return POS_NO_MEMORY;
    }

    return run.valid ? POS_OK : POS_INVALID;
}
