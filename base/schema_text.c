/*
 * Parameters: a path's or query's text is typed by its schema, a list cut at its
 * commas, and then validated like any value.
 */

#include "base/schema_data.h"
#include "base/utf8.h"


static bool
is_number(pos_str_t text)
{
    __int128 n;
    size_t   digits = text.len > 0 && text.data[0] == '-';

    /* "007" is no JSON number */
    if (text.len > digits + 1 && text.data[digits] == '0' && text.data[digits + 1] != '.') {
        return false;
    }

    return pos_schema_decimal(text, &n);
}


static bool
is_utf8(pos_str_t text)
{
    size_t i, n;

    for (i = 0; i < text.len; i += n) {
        n = pos_utf8_len(text.data + i, text.len - i);

        if (n == 0 || text.data[i] == '\0') {
            return false;
        }
    }

    return true;
}


static pos_json_t *
typed(uint8_t types, pos_str_t text, pos_arena_t *arena)
{
    pos_json_t *v = pos_arena_zalloc(arena, sizeof(*v));

    if (v == NULL) {
        return NULL;
    }

    v->text = text;
    v->type = POS_JSON_STRING;

    if ((types & POS_SCHEMA_STRING) != 0) {
        return v;
    }

    if ((types & (POS_SCHEMA_INTEGER | POS_SCHEMA_NUMBER)) != 0 && is_number(text)) {
        v->type = POS_JSON_NUMBER;

    } else if ((types & POS_SCHEMA_BOOLEAN) != 0 && pos_str_eq(text, pos_str("true"))) {
        v->type = POS_JSON_TRUE;

    } else if ((types & POS_SCHEMA_BOOLEAN) != 0 && pos_str_eq(text, pos_str("false"))) {
        v->type = POS_JSON_FALSE;
    }

    return v;
}


static pos_json_t *
typed_list(const pos_schema_t *items, pos_str_t text, pos_arena_t *arena)
{
    size_t       start = 0, i;
    uint8_t      types = items != NULL ? items->types : POS_SCHEMA_STRING;
    pos_json_t  *list = pos_arena_zalloc(arena, sizeof(*list)), *one, **last;

    if (list == NULL) {
        return NULL;
    }

    list->type = POS_JSON_ARRAY;
    last = &list->first;

    for (i = 0; i <= text.len && text.len > 0; i++) {
        if (i < text.len && text.data[i] != ',') {
            continue;
        }

        one = typed(types, pos_str_of(text.data + start, i - start), arena);

        if (one == NULL) {
            return NULL;
        }

        *last = one;
        last = &one->next;
        list->count++;
        start = i + 1;
    }

    return list;
}


pos_status_t
pos_schema_validate_text(const pos_schema_t *schema, pos_str_t text, pos_str_t base,
    pos_faults_t *faults, pos_json_t **out)
{
    const pos_schema_t *s = schema, *items;

    /* A path or query may hold any bytes; patterns count on UTF-8. */
    if (!is_utf8(text)) {
        *out = NULL;
        return pos_fault(faults, base, "utf8", "is not UTF-8, or has a NUL in it");
    }

    while (s->ref != NULL && s->ref != s) {
        s = s->ref;
    }

    items = s->items;

    while (items != NULL && items->ref != NULL && items->ref != items) {
        items = items->ref;
    }

    *out = (s->types & POS_SCHEMA_ARRAY) != 0 && (s->types & POS_SCHEMA_STRING) == 0
               ? typed_list(items, text, faults->arena)
               : typed(s->types, text, faults->arena);

    if (*out == NULL) {
        return POS_NO_MEMORY;
    }

    return pos_schema_validate(schema, *out, base, faults);
}
