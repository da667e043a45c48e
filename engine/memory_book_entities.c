/*
 * The small entities of a book's document: the retailer and its zones, stores,
 * categories, price lists, taxes and experiments. Each is decoded for its
 * faults and kept as it is written, as the builder takes it.
 */

#include "engine/memory_book_data.h"

/* ---- zones and the retailer ---- */

static const pos_zone_t *
load_zone(pos_memory_reading_t *r, const pos_at_t *up, pos_str_t name)
{
    const pos_zone_t     *zone = pos_map_get(&r->zones, name);
    pos_memory_section_t *s = &r->m->sections[POS_KIND_ZONE];
    pos_str_t             tzif;
    pos_at_t              at = pos_at_key(up, "timezone");

    if (zone != NULL) {
        return zone;
    }
    if (r->zone == NULL || r->zone(r->zone_ctx, name, &tzif) != POS_OK
        || pos_zone_read(r->m->arena, tzif, &zone) != POS_OK)
    {
        if (pos_str_eq(name, pos_str("UTC"))) {
            return pos_zone_utc();
        }
        pos_decode_fault(&r->d, &at, "unknown_timezone", "is no time zone known here");
        return NULL;
    }
    s->rows[s->count++] = (pos_memory_row_t) { name, tzif };
    (void) pos_memory_set(r, &r->zones, name, zone, NULL);
    return zone;
}


void
pos_memory_read_retailer(pos_memory_reading_t *r)
{
    const pos_json_t     *json = pos_member(r->document, "retailer");
    const pos_json_t     *stores = pos_member(r->document, "stores");
    pos_memory_section_t *s = &r->m->sections[POS_KIND_RETAILER];
    pos_memory_section_t *zones = &r->m->sections[POS_KIND_ZONE];
    pos_book_t            settings = { .retailer = pos_str("") };
    pos_str_t             timezone;
    pos_at_t              at = pos_at_key(&r->root, "retailer");

    s->rows = pos_decode_alloc(&r->d, 1, sizeof(*s->rows));
    zones->rows = pos_decode_alloc(&r->d, stores ? stores->count + 1 : 1,
        sizeof(*zones->rows));
    if (s->rows == NULL || zones->rows == NULL) {
        return;
    }
    if (json == NULL) {
        pos_decode_fault(&r->d, &at, "required", "is required");
        return;
    }
    if (!pos_decode_object(&r->d, &at, json, pos_retailer_fields)) {
        return;
    }
    pos_retailer_decode(&r->d, &at, json, &settings, &timezone);
    pos_memory_add_row(r, s, pos_str(""), json);
    r->retailer_zone = load_zone(r, &at, timezone);
    r->d.zone = r->retailer_zone ? r->retailer_zone : pos_zone_utc();
}


/* ---- the others ---- */

void
pos_memory_read_stores(pos_memory_reading_t *r)
{
    const pos_json_t     *list;
    pos_memory_section_t *s = pos_memory_section(r, "stores", POS_KIND_STORE, &list);
    pos_at_t              at = pos_at_key(&r->root, "stores");
    size_t                i = 0;

    for (const pos_json_t *e = s ? list->first : NULL; e != NULL; e = e->next) {
        pos_at_t    here = pos_at_index(&at, i++);
        pos_store_t store = { .code = pos_str("") };
        pos_str_t   timezone;

        if (!pos_decode_object(&r->d, &here, e, pos_store_fields)) {
            continue;
        }
        pos_store_decode(&r->d, &here, e, &store, &timezone);
        pos_memory_note(r, &here, "code", &r->keys[POS_KIND_STORE], store.code, "");
        if (timezone.len > 0) {
            (void) load_zone(r, &here, timezone);
        }
        pos_memory_add_row(r, s, store.code, e);
    }
}


/* After all of them are read: a parent may come after its children. */
static void
find_parents(pos_memory_reading_t *r, pos_category_t *made, const pos_str_t *parents,
             size_t count)
{
    pos_at_t at = pos_at_key(&r->root, "categories");

    for (size_t i = 0; i < count; i++) {
        pos_at_t here = pos_at_index(&at, i);

        if (parents[i].len == 0) {
            continue;
        }
        made[i].parent = pos_map_get(&r->keys[POS_KIND_CATEGORY], parents[i]);
        if (made[i].parent == NULL) {
            pos_memory_refuse(r, &here, "parent", "unknown_category", parents[i]);
        }
    }
}


static void
refuse_circles(pos_memory_reading_t *r, const pos_category_t *made, size_t count)
{
    pos_at_t at = pos_at_key(&r->root, "categories");

    for (size_t i = 0; i < count; i++) {
        const pos_category_t *c = made[i].parent;
        pos_at_t              here = pos_at_index(&at, i);
        pos_at_t              parent = pos_at_key(&here, "parent");
        size_t                steps = 0;

        while (c != NULL && c != &made[i] && steps++ <= count) {
            c = c->parent;
        }
        if (c == &made[i]) {
            pos_decode_fault(&r->d, &parent, "cycle", "its parents go in a circle");
        }
    }
}


void
pos_memory_read_categories(pos_memory_reading_t *r)
{
    const pos_json_t     *list;
    pos_memory_section_t *s =
        pos_memory_section(r, "categories", POS_KIND_CATEGORY, &list);
    pos_at_t        at = pos_at_key(&r->root, "categories");
    pos_category_t *made;
    pos_str_t      *parents;
    size_t          i = 0;

    if (s == NULL) {
        return;
    }
    made = pos_decode_alloc(&r->d, list->count, sizeof(*made));
    parents = pos_decode_alloc(&r->d, list->count, sizeof(*parents));
    if (made == NULL || parents == NULL) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next, i++) {
        pos_at_t here = pos_at_index(&at, i);

        made[i].code = pos_str("");
        if (!pos_decode_object(&r->d, &here, e, pos_category_fields)) {
            continue;
        }
        pos_category_decode(&r->d, &here, e, &made[i], &parents[i]);
        pos_memory_note(r, &here, "code", &r->keys[POS_KIND_CATEGORY], made[i].code,
                        &made[i]);
        pos_memory_add_row(r, s, made[i].code, e);
    }
    find_parents(r, made, parents, list->count);
    refuse_circles(r, made, list->count);
}


void
pos_memory_read_price_lists(pos_memory_reading_t *r)
{
    const pos_json_t     *list;
    pos_memory_section_t *s =
        pos_memory_section(r, "price_lists", POS_KIND_PRICE_LIST, &list);
    pos_at_t at = pos_at_key(&r->root, "price_lists");
    size_t   i = 0;

    for (const pos_json_t *e = s ? list->first : NULL; e != NULL; e = e->next) {
        pos_at_t         here = pos_at_index(&at, i++);
        pos_price_list_t row = { .code = pos_str("") };

        if (!pos_decode_object(&r->d, &here, e, pos_price_list_fields)) {
            continue;
        }
        pos_price_list_decode(&r->d, &here, e, &row);
        pos_memory_note(r, &here, "code", &r->keys[POS_KIND_PRICE_LIST], row.code, "");
        for (uint32_t k = 0; k < row.stores.count; k++) {
            if (!pos_memory_known(r, POS_KIND_STORE, row.stores.values[k])) {
                pos_memory_refuse(r, &here, "stores", "unknown_store",
                                  row.stores.values[k]);
            }
        }
        pos_memory_add_row(r, s, row.code, e);
    }
}


/* Keyed by its place, since the order of rates is the document's. */
void
pos_memory_read_taxes(pos_memory_reading_t *r)
{
    const pos_json_t     *list;
    pos_memory_section_t *s = pos_memory_section(r, "taxes", POS_KIND_TAX, &list);
    pos_at_t              at = pos_at_key(&r->root, "taxes");
    size_t                i = 0;

    for (const pos_json_t *e = s ? list->first : NULL; e != NULL; e = e->next, i++) {
        pos_at_t      here = pos_at_index(&at, i);
        pos_tax_row_t row = { .code = pos_str("") };
        pos_str_t     key;

        if (!pos_decode_object(&r->d, &here, e, pos_tax_fields)) {
            continue;
        }
        pos_tax_decode(&r->d, &here, e, &row);
        key = pos_arena_printf(r->m->arena, "%010zu", i);
        if (key.data == NULL) {
            r->d.no_memory = true;
            return;
        }
        pos_memory_add_row(r, s, key, e);
    }
}


void
pos_memory_read_experiments(pos_memory_reading_t *r)
{
    const pos_json_t     *list;
    pos_memory_section_t *s =
        pos_memory_section(r, "experiments", POS_KIND_EXPERIMENT, &list);
    pos_at_t at = pos_at_key(&r->root, "experiments");
    size_t   i = 0;

    for (const pos_json_t *e = s ? list->first : NULL; e != NULL; e = e->next) {
        pos_at_t          here = pos_at_index(&at, i++);
        pos_experiment_t *row = pos_decode_alloc(&r->d, 1, sizeof(*row));

        if (row == NULL || !pos_decode_object(&r->d, &here, e, pos_experiment_fields)) {
            continue;
        }
        pos_experiment_decode(&r->d, &here, e, row);
        pos_memory_note(r, &here, "code", &r->keys[POS_KIND_EXPERIMENT], row->code, row);
        pos_memory_add_row(r, s, row->code, e);
    }
}
