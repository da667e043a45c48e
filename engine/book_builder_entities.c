/*
 * The small entities of a build: each row is decoded into its form, or reported
 * and left out.
 */

#include "engine/book_builder.h"
#include "engine/entities.h"

#include <stdlib.h>


/* ---- a row ---- */

typedef struct {
    pos_book_builder_t *b;
    pos_kind_t          kind;
    pos_str_t           key;
    pos_json_t         *json;
    pos_faults_t        faults;
    pos_decoder_t       d;
    pos_at_t            at;
} row_t;


/* Parses a row; false: it was reported (or `*status` says why not). */
static bool
open_row(pos_book_builder_t *b, pos_kind_t kind, pos_str_t key, pos_str_t value,
    row_t *row, pos_status_t *status)
{
    row->b = b;
    row->kind = kind;
    row->key = key;
    row->at = pos_at_base(pos_str(""));
    pos_faults_init(&row->faults, b->scratch);
    *status = pos_json_read(b->reader, value, b->scratch, &row->faults, &row->json);
    if (*status == POS_OK) {
        pos_decoder_init(&row->d, b->book->ground->arena, &row->faults, b->book->zone);
        (void) pos_decode_object(&row->d, &row->at, row->json, NULL);
        *status = pos_decoder_status(&row->d);
    }
    if (*status == POS_INVALID) {
        pos_builder_report_fault(b, kind, key, &row->faults, false);
        *status = POS_OK;
        return false;
    }
    return *status == POS_OK;
}


/* After decoding: true when the row is sound. */
static bool
close_row(row_t *row, pos_status_t *status)
{
    *status = pos_decoder_status(&row->d);
    if (*status == POS_INVALID) {
        pos_builder_report_fault(row->b, row->kind, row->key, &row->faults, false);
        *status = POS_OK;
        return false;
    }
    return *status == POS_OK;
}


/* ---- zones, the retailer, stores ---- */

pos_status_t
pos_builder_add_zone(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
{
    const pos_zone_t *zone;
    uint8_t          *digest = pos_arena_alloc(b->book->ground->arena, POS_SHA256_SIZE);
    pos_str_t         name = pos_arena_str(b->book->ground->arena, key);
    pos_status_t      status;

    if (digest == NULL || name.data == NULL) {
        return POS_NO_MEMORY;
    }
    status = pos_zone_read(b->book->ground->arena, value, &zone);
    if (status == POS_NO_MEMORY) {
        return status;
    }
    if (status != POS_OK) {
        pos_builder_report(b, POS_KIND_ZONE, key, "", pos_str("is no sound TZif data"),
                           false);
        return POS_OK;
    }
    pos_sha256(value, digest);
    status = pos_map_set(&b->zones, name, (void *) (uintptr_t) zone, NULL);
    return status == POS_OK ? pos_map_set(&b->zone_values, name, digest, NULL) : status;
}


static const pos_zone_t *
zone_named(const pos_book_builder_t *b, pos_str_t name)
{
    const pos_zone_t *zone = pos_map_get(&b->zones, name);

    if (zone == NULL
        && (pos_str_eq(name, pos_str("UTC")) || pos_str_eq(name, pos_str("Etc/UTC"))))
    {
        return pos_zone_utc();
    }
    return zone;
}


/* What times without offset mean is a part of a promotion's content. */
static void
note_zone_digest(pos_book_builder_t *b, pos_str_t name)
{
    const uint8_t *digest = pos_map_get(&b->zone_values, name);

    if (digest != NULL) {
        memcpy(b->book->zone_digest, digest, POS_SHA256_SIZE);
    }
}


pos_status_t
pos_builder_add_retailer(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
{
    row_t        row;
    pos_str_t    timezone;
    pos_status_t status;

    b->book->zone = pos_zone_utc();
    if (!open_row(b, POS_KIND_RETAILER, key, value, &row, &status)) {
        return status == POS_OK ? POS_BROKEN : status;
    }
    pos_retailer_decode(&row.d, &row.at, row.json, b->book, &timezone);
    if (!close_row(&row, &status)) {
        return status == POS_OK ? POS_BROKEN : status;
    }
    b->book->zone = zone_named(b, timezone);
    if (b->book->zone == NULL) {
        pos_builder_report(b, POS_KIND_RETAILER, key, "/timezone",
            pos_str("its zone is not here: times are read as UTC"), false);
        b->book->zone = pos_zone_utc();
    }
    note_zone_digest(b, timezone);
    return POS_OK;
}


pos_status_t
pos_builder_add_store(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
{
    row_t        row;
    pos_store_t *store = pos_arena_zalloc(b->book->ground->arena, sizeof(*store));
    pos_str_t    timezone;
    pos_status_t status;

    if (store == NULL) {
        return POS_NO_MEMORY;
    }
    if (!open_row(b, POS_KIND_STORE, key, value, &row, &status)) {
        return status;
    }
    pos_store_decode(&row.d, &row.at, row.json, store, &timezone);
    if (!close_row(&row, &status)) {
        return status;
    }
    store->zone = timezone.len ? zone_named(b, timezone) : b->book->zone;
    if (store->zone == NULL) {
        pos_builder_report(b, POS_KIND_STORE, key, "/timezone",
            pos_str("its zone is not here: the retailer's is used"), false);
        store->zone = b->book->zone;
    }
    return pos_map_set(&b->book->stores, store->code, store, NULL);
}


/* ---- categories ---- */

pos_status_t
pos_builder_add_category(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
{
    row_t           row;
    pos_category_t *category = pos_arena_zalloc(b->book->ground->arena, sizeof(*category));
    pos_str_t      *parent = pos_arena_alloc(b->book->ground->arena, sizeof(*parent));
    pos_status_t    status;

    if (category == NULL || parent == NULL) {
        return POS_NO_MEMORY;
    }
    if (!open_row(b, POS_KIND_CATEGORY, key, value, &row, &status)) {
        return status;
    }
    pos_category_decode(&row.d, &row.at, row.json, category, parent);
    if (!close_row(&row, &status)) {
        return status;
    }
    status = pos_builder_grow(&b->categories, sizeof(category));
    if (status != POS_OK) {
        return status;
    }
    ((pos_category_t **) b->categories.items)[b->categories.count++] = category;
    status = pos_map_set(&b->book->categories, category->code, category, NULL);
    if (status == POS_OK && parent->len > 0) {
        status = pos_map_set(&b->parents, category->code, parent, NULL);
    }
    return status;
}


static void
resolve_parent(pos_book_builder_t *b, pos_category_t *category)
{
    const pos_str_t *parent = pos_map_get(&b->parents, category->code);

    if (parent == NULL) {
        return;
    }
    category->parent = pos_map_get(&b->book->categories, *parent);
    if (category->parent == NULL) {
        category->broken = true;
        pos_builder_report(b, POS_KIND_CATEGORY, category->code, "/parent",
            pos_str("there is no such category"), false);
    }
}


static void
cut_circle(pos_book_builder_t *b, pos_category_t *category)
{
    if (category->broken && category->parent != NULL) {
        pos_builder_report(b, POS_KIND_CATEGORY, category->code, "/parent",
            pos_str("its parents go in a circle"), false);
        category->parent = NULL;
    }
}


/* Once all categories are there. */
pos_status_t
pos_builder_relate_categories(pos_book_builder_t *b, unsigned rows)
{
    pos_category_t **all = b->categories.items;
    uint32_t         count = b->categories.count;

    if (b->phase == PHASE_ANCESTRY) {
        if (b->spare == NULL) {
            b->spare = malloc((count + 1) * sizeof(*all));
            if (b->spare == NULL) {
                return POS_NO_MEMORY;
            }
            pos_ancestry_init(&b->ancestry, all, count, b->spare);
        }
        return pos_ancestry_step(&b->ancestry, rows * POS_BUILDER_MOVES) ? POS_OK
                                                                         : POS_AGAIN;
    }
    for (; rows > 0 && b->at < count; rows--) {
        if (b->phase == PHASE_PARENTS) {
            resolve_parent(b, all[b->at++]);
        } else {
            cut_circle(b, all[b->at++]);
        }
    }
    return b->at < count ? POS_AGAIN : POS_OK;
}


/* ---- price lists, taxes, experiments ---- */

pos_status_t
pos_builder_add_list(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
{
    row_t             row;
    pos_price_list_t *list;
    pos_status_t      status = pos_builder_grow(&b->lists, sizeof(*list));

    if (status != POS_OK || !open_row(b, POS_KIND_PRICE_LIST, key, value, &row, &status)) {
        return status;
    }
    list = &((pos_price_list_t *) b->lists.items)[b->lists.count];
    memset(list, 0, sizeof(*list));
    pos_price_list_decode(&row.d, &row.at, row.json, list);
    if (close_row(&row, &status)) {
        b->lists.count++;
    }
    return status;
}


pos_status_t
pos_builder_add_tax(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
{
    row_t          row;
    pos_tax_row_t *tax;
    pos_status_t   status = pos_builder_grow(&b->taxes, sizeof(*tax));

    if (status != POS_OK || !open_row(b, POS_KIND_TAX, key, value, &row, &status)) {
        return status;
    }
    tax = &((pos_tax_row_t *) b->taxes.items)[b->taxes.count];
    memset(tax, 0, sizeof(*tax));
    pos_tax_decode(&row.d, &row.at, row.json, tax);
    tax->ordinal = b->taxes.count;
    if (close_row(&row, &status)) {
        b->taxes.count++;
    }
    return status;
}


pos_status_t
pos_builder_add_experiment(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
{
    row_t             row;
    pos_experiment_t *experiment = pos_arena_zalloc(b->book->ground->arena, sizeof(*experiment));
    void             *before;
    pos_status_t      status;

    if (experiment == NULL) {
        return POS_NO_MEMORY;
    }
    if (!open_row(b, POS_KIND_EXPERIMENT, key, value, &row, &status)) {
        return status;
    }
    pos_experiment_decode(&row.d, &row.at, row.json, experiment);
    if (!close_row(&row, &status)) {
        return status;
    }
    experiment->number = (uint32_t) b->book->experiments.count;
    status = pos_map_set(&b->book->experiments, experiment->code, experiment, &before);
    if (status == POS_OK && before != NULL) {
        experiment->number = ((const pos_experiment_t *) before)->number;
    }
    return status;
}
