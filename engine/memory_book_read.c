/*
 * The document of a memory book, read whole: every fault is named by its
 * pointer, all in one answer.
 */

#include "engine/canonical.h"
#include "engine/memory_book_data.h"

#include <stdlib.h>

static const char *const book_fields[] = { "retailer", "stores", "categories", "products",
    "price_lists", "prices", "taxes", "promotions", "coupons", "experiments", NULL };


/* ---- what there is ---- */

bool
pos_memory_known(const pos_memory_reading_t *r, pos_kind_t kind, pos_str_t code)
{
    return pos_map_get(&r->keys[kind], code) != NULL;
}


bool
pos_memory_set(pos_memory_reading_t *r, pos_map_t *map, pos_str_t key, const void *value,
    void **old)
{
    if (pos_map_set(map, key, (void *) (uintptr_t) value, old) != POS_OK) {
        r->d.no_memory = true;
        return false;
    }
    return true;
}


void
pos_memory_note(pos_memory_reading_t *r, const pos_at_t *at, const char *field,
    pos_map_t *map, pos_str_t code, const void *value)
{
    void    *old = NULL;
    pos_at_t here = pos_at_key(at, field);

    if (code.len > 0 && pos_memory_set(r, map, code, value, &old) && old != NULL) {
        pos_decode_fault(&r->d, &here, "duplicate", "there is another one of this %s",
            field);
    }
}


static void
refuse_name(pos_memory_reading_t *r, const pos_at_t *at, const char *code, pos_str_t name)
{
    pos_decode_fault(&r->d, at, code, "there is no \"%.*s\" in this book",
        (int) (name.len > 100 ? 100 : name.len), name.data);
}


void
pos_memory_refuse(pos_memory_reading_t *r, const pos_at_t *up, const char *field,
    const char *code, pos_str_t name)
{
    pos_at_t at = pos_at_key(up, field);

    refuse_name(r, &at, code, name);
}


void
pos_memory_refuse_at(pos_memory_reading_t *r, const pos_at_t *up, const char *field,
    size_t index, const char *code, pos_str_t name)
{
    pos_at_t list = pos_at_key(up, field), at = pos_at_index(&list, index);

    refuse_name(r, &at, code, name);
}


/* ---- sections ---- */

pos_memory_section_t *
pos_memory_section(pos_memory_reading_t *r, const char *name, pos_kind_t kind,
                   const pos_json_t **list)
{
    pos_memory_section_t *s = &r->m->sections[kind];

    *list = NULL;
    if (!pos_decode_array(&r->d, &r->root, r->document, name, list)) {
        return NULL;
    }
    s->rows = pos_decode_alloc(&r->d, (*list)->count, sizeof(*s->rows));
    return s->rows == NULL ? NULL : s;
}


void
pos_memory_add_row(pos_memory_reading_t *r, pos_memory_section_t *s, pos_str_t key,
                   const pos_json_t *json)
{
    s->rows[s->count++] = (pos_memory_row_t) { key, pos_decode_copy(&r->d, json->text) };
}


static int
row_order(const void *a, const void *b)
{
    return pos_str_cmp(((const pos_memory_row_t *) a)->key,
                       ((const pos_memory_row_t *) b)->key);
}


static void
sort_section(pos_memory_section_t *s)
{
    if (s->count > 1) {
        qsort(s->rows, s->count, sizeof(*s->rows), row_order);
    }
}


/* ---- all of it ---- */

static bool
reading_init(pos_memory_reading_t *r)
{
    bool ok = pos_map_init(&r->zones, r->scratch, 16) == POS_OK
              && pos_map_init(&r->m->products, r->m->arena, 256) == POS_OK
              && pos_map_init(&r->m->coupons, r->m->arena, 16) == POS_OK;

    for (int k = 0; k < POS_KIND_COUNT && ok; k++) {
        ok = pos_map_init(&r->keys[k], r->scratch, 16) == POS_OK;
    }
    pos_decoder_init(&r->d, r->m->arena, r->faults, pos_zone_utc());
    r->root = pos_at_base(pos_str(""));
    return ok;
}


static void
read_all(pos_memory_reading_t *r)
{
    if (!pos_decode_object(&r->d, &r->root, r->document, book_fields)) {
        return;
    }
    pos_memory_read_retailer(r);
    if (r->d.no_memory) {
        return;
    }
    pos_memory_read_stores(r);
    pos_memory_read_categories(r);
    pos_memory_read_price_lists(r);
    pos_memory_read_taxes(r);
    pos_memory_read_experiments(r);
    pos_memory_read_products(r);
    pos_memory_read_prices(r);
    pos_memory_read_promotions(r);
    pos_memory_read_coupons(r);
}


/* What is not in the document decides about a quote too: the engine's own rules, and
 * those of the zones (but UTC, which is known without a file). */
static pos_status_t
name_revision(pos_memory_reading_t *r)
{
    const pos_memory_section_t *zones = &r->m->sections[POS_KIND_ZONE];
    pos_str_t                   engine = pos_str("engine " POS_ENGINE_VERSION "\n");
    uint8_t                     digest[POS_SHA256_SIZE];
    pos_sha256_t                all;
    pos_status_t                status;

    status = pos_canonical_sha256(r->document, r->scratch, digest);
    pos_sha256_init(&all);
    pos_sha256_update(&all, engine);
    pos_sha256_update(&all, pos_str_of((const char *) digest, sizeof(digest)));
    for (uint32_t i = 0; i < zones->count; i++) {
        if (!pos_str_eq(zones->rows[i].key, pos_str("UTC"))) {
            pos_sha256_update(&all, zones->rows[i].key);
            pos_sha256(zones->rows[i].value, digest);
            pos_sha256_update(&all, pos_str_of((const char *) digest, sizeof(digest)));
        }
    }
    pos_sha256_final(&all, digest);
    pos_hex(pos_str_of((const char *) digest, sizeof(digest)), r->m->revision);
    return status;
}


pos_status_t
pos_memory_read(pos_memory_reading_t *r)
{
    pos_status_t status;

    if (!reading_init(r)) {
        return POS_NO_MEMORY;
    }
    read_all(r);
    status = pos_decoder_status(&r->d);
    if (status != POS_OK) {
        return status;
    }
    for (int k = 0; k < POS_KIND_COUNT; k++) {
        sort_section(&r->m->sections[k]);
    }
    return name_revision(r);
}
