/*
 * Builds a compiled book from a source, in slices.
 *
 * The phases follow what refers to what: zones before stores, categories
 * before their parents are resolved, everything before the index. A row at
 * fault is left out and reported; only a missing retailer, or no memory, fails
 * the whole. Promotions whose content did not change are taken over from the
 * previous book, and one whose new version does not compile keeps the version
 * before.
 */

#include "engine/book_builder.h"
#include "engine/cart.h"
#include "engine/entities.h"

#include <stdio.h>
#include <stdlib.h>

#define SCRATCH_SIZE    65536
#define VALUE_MAX       (4u << 20)     /* bytes of one entity's document */
#define COMPILE_ROWS    20             /* what a compiled promotion counts */
#define FIRST_ROOM      64


/* ---- reports ---- */

static void
report(pos_book_builder_t *b, pos_kind_t kind, pos_str_t key, const char *where,
    pos_str_t message, bool kept)
{
    pos_book_report_t *r = pos_arena_zalloc(b->book->arena, sizeof(*r));

    if (r == NULL) {
        return;
    }
    r->kind = kind;
    r->key = pos_arena_str(b->book->arena, key);
    r->message = pos_arena_printf(b->book->arena, "%s%s%.*s", where, *where ? ": " : "",
        (int) message.len, message.data);
    r->kept_before = kept;
    *b->last_report = r;
    b->last_report = &r->next;
}


static void
report_fault(pos_book_builder_t *b, pos_kind_t kind, pos_str_t key,
    const pos_faults_t *faults, bool kept)
{
    const pos_fault_t *f = faults->first;
    char               where[160] = "";
    int                shown;

    if (f == NULL) {
        report(b, kind, key, "", pos_str("is at fault"), kept);
        return;
    }
    shown = f->pointer.len > 100 ? 100 : (int) f->pointer.len;
    if (f->line > 0) {
        (void) snprintf(where, sizeof(where), "line %u", f->line);
    } else if (shown > 0) {
        (void) snprintf(where, sizeof(where), "%.*s", shown, f->pointer.data);
    }
    report(b, kind, key, where, f->message, kept);
}


/* ---- rows ---- */

static pos_status_t
grow(growing_t *g, size_t size)
{
    uint32_t room = g->room ? g->room * 2 : FIRST_ROOM;
    void    *items;

    if (g->count < g->room) {
        return POS_OK;
    }
    items = realloc(g->items, room * size);
    if (items == NULL) {
        return POS_NO_MEMORY;
    }
    g->items = items;
    g->room = room;
    return POS_OK;
}


/* The next row of a kind; its value is valid until the scratch is reset or the
 * source moves on. */
static pos_status_t
next_row(pos_book_builder_t *b, pos_kind_t kind, pos_str_t *key, pos_str_t *value)
{
    pos_status_t status = b->source.next(b->source.ctx, kind,
        b->begun ? &b->after : NULL, key, value);

    if (status != POS_OK) {
        return status;
    }
    if (key->len > sizeof(b->key_bytes)) {
        return POS_BROKEN;
    }
    if (key->len > 0) {
        memmove(b->key_bytes, key->data, key->len);
    }
    b->after = *key = pos_str_of(b->key_bytes, key->len);
    b->begun = true;
    return POS_OK;
}


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
        pos_decoder_init(&row->d, b->book->arena, &row->faults, b->book->zone);
        (void) pos_decode_object(&row->d, &row->at, row->json, NULL);
        *status = pos_decoder_status(&row->d);
    }
    if (*status == POS_INVALID) {
        report_fault(b, kind, key, &row->faults, false);
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
        report_fault(row->b, row->kind, row->key, &row->faults, false);
        *status = POS_OK;
        return false;
    }
    return *status == POS_OK;
}


/* ---- phases ---- */

static pos_status_t
add_zone(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
{
    const pos_zone_t *zone;
    uint8_t          *digest = pos_arena_alloc(b->book->arena, POS_SHA256_SIZE);
    pos_str_t         name = pos_arena_str(b->book->arena, key);
    pos_status_t      status;

    if (digest == NULL || name.data == NULL) {
        return POS_NO_MEMORY;
    }
    status = pos_zone_read(b->book->arena, value, &zone);
    if (status == POS_NO_MEMORY) {
        return status;
    }
    if (status != POS_OK) {
        report(b, POS_KIND_ZONE, key, "", pos_str("is no sound TZif data"), false);
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
        memcpy(b->zone_digest, digest, POS_SHA256_SIZE);
    }
}


static pos_status_t
add_retailer(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
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
        report(b, POS_KIND_RETAILER, key, "/timezone",
            pos_str("its zone is not here: times are read as UTC"), false);
        b->book->zone = pos_zone_utc();
    }
    note_zone_digest(b, timezone);
    return POS_OK;
}


static pos_status_t
add_store(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
{
    row_t        row;
    pos_store_t *store = pos_arena_zalloc(b->book->arena, sizeof(*store));
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
        report(b, POS_KIND_STORE, key, "/timezone",
            pos_str("its zone is not here: the retailer's is used"), false);
        store->zone = b->book->zone;
    }
    return pos_map_set(&b->book->stores, store->code, store, NULL);
}


static pos_status_t
add_category(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
{
    row_t           row;
    pos_category_t *category = pos_arena_zalloc(b->book->arena, sizeof(*category));
    pos_str_t      *parent = pos_arena_alloc(b->book->arena, sizeof(*parent));
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
    status = grow(&b->categories, sizeof(category));
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
        report(b, POS_KIND_CATEGORY, category->code, "/parent",
            pos_str("there is no such category"), false);
    }
}


static void
cut_circle(pos_book_builder_t *b, pos_category_t *category)
{
    if (category->broken && category->parent != NULL) {
        report(b, POS_KIND_CATEGORY, category->code, "/parent",
            pos_str("its parents go in a circle"), false);
        category->parent = NULL;
    }
}


/* One slice of what is done once all categories are there. */
static pos_status_t
relate_categories(pos_book_builder_t *b, unsigned rows)
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
        return pos_ancestry_step(&b->ancestry, rows * POS_BUILDER_MOVES) ? POS_OK : POS_AGAIN;
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


static pos_status_t
add_list(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
{
    row_t             row;
    pos_price_list_t *list;
    pos_status_t      status = grow(&b->lists, sizeof(*list));

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


static pos_status_t
add_tax(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
{
    row_t          row;
    pos_tax_row_t *tax;
    pos_status_t   status = grow(&b->taxes, sizeof(*tax));

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


static pos_status_t
add_experiment(pos_book_builder_t *b, pos_str_t key, pos_str_t value)
{
    row_t             row;
    pos_experiment_t *experiment = pos_arena_zalloc(b->book->arena, sizeof(*experiment));
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
    return pos_map_set(&b->book->experiments, experiment->code, experiment, NULL);
}


/* ---- promotions ---- */

static pos_promotion_t *
previous_promotion(const pos_book_builder_t *b, pos_str_t id)
{
    uintptr_t found;

    if (b->previous == NULL) {
        return NULL;
    }
    found = (uintptr_t) pos_map_get(&b->previous->promotion_by_id, id);
    return found ? b->previous->promotions[found - 1] : NULL;
}


/* Promotions are many: one array of them, grown, would be copied in one step. */
static pos_status_t
add_chunk(growing_t *chunks)
{
    pos_promotion_t **chunk;
    pos_status_t      status = grow(chunks, sizeof(chunk));

    if (status != POS_OK) {
        return status;
    }
    chunk = malloc(POS_RANKING_CHUNK * sizeof(*chunk));
    if (chunk == NULL) {
        return POS_NO_MEMORY;
    }
    ((pos_promotion_t ***) chunks->items)[chunks->count++] = chunk;
    return POS_OK;
}


static pos_promotion_t **
promotion_place(const pos_book_builder_t *b, uint32_t i)
{
    return &((pos_promotion_t ***) b->promotions.items)[i / POS_RANKING_CHUNK][i % POS_RANKING_CHUNK];
}


static pos_status_t
keep_promotion(pos_book_builder_t *b, pos_promotion_t *p)
{
    if (b->promotion_count == b->promotions.count * POS_RANKING_CHUNK
        && add_chunk(&b->promotions) != POS_OK)
    {
        return POS_NO_MEMORY;
    }
    *promotion_place(b, b->promotion_count++) = p;
    return POS_OK;
}


static void
content_digest(const pos_book_builder_t *b, pos_str_t value, uint8_t *out)
{
    pos_sha256_t ctx;

    pos_sha256_init(&ctx);
    pos_sha256_update(&ctx, pos_str_of((const char *) b->zone_digest, POS_SHA256_SIZE));
    pos_sha256_update(&ctx, value);
    pos_sha256_final(&ctx, out);
}


/* A compiled script belongs to its VM. */
static bool
may_take_over(const pos_book_builder_t *b, const pos_promotion_t *p)
{
    return p->script == NULL || b->previous->vm == b->book->vm;
}


static pos_status_t
keep_predecessor(pos_book_builder_t *b, pos_str_t key, pos_promotion_t *before,
    const pos_faults_t *faults)
{
    bool keep = before != NULL && may_take_over(b, before);

    report_fault(b, POS_KIND_PROMOTION, key, faults, keep);
    if (!keep) {
        return POS_OK;
    }
    pos_promotion_retain(before);
    return keep_promotion(b, before);
}


static pos_status_t
compile_promotion(pos_book_builder_t *b, pos_str_t key, pos_str_t value,
    const uint8_t *digest, pos_promotion_t *before)
{
    pos_promotion_t *made = NULL;
    pos_faults_t     faults;
    pos_json_t      *json;
    pos_status_t     status;

    pos_faults_init(&faults, b->scratch);
    status = pos_json_read(b->reader, value, b->scratch, &faults, &json);
    if (status == POS_OK) {
        status = pos_promotion_compile(json, b->book->zone, b->book->vm, pos_str(""),
            &faults, &made);
    }
    if (status == POS_NO_MEMORY) {
        return status;
    }
    if (status != POS_OK) {
        return keep_predecessor(b, key, before, &faults);
    }
    memcpy(made->digest, digest, POS_SHA256_SIZE);
    status = keep_promotion(b, made);
    if (status != POS_OK) {
        pos_promotion_release(made);
    }
    return status;
}


static pos_status_t
add_promotion(pos_book_builder_t *b, pos_str_t key, pos_str_t value, unsigned *cost)
{
    pos_promotion_t *before = previous_promotion(b, key);
    uint8_t          digest[POS_SHA256_SIZE];

    content_digest(b, value, digest);
    if (before != NULL && memcmp(before->digest, digest, sizeof(digest)) == 0
        && may_take_over(b, before))
    {
        pos_promotion_retain(before);
        return keep_promotion(b, before);
    }
    *cost = COMPILE_ROWS;
    return compile_promotion(b, key, value, digest, before);
}


/* ---- phases that read no rows ---- */

/* One slice of a phase that reads no rows. POS_AGAIN: the phase goes on. */
static pos_status_t
finish(pos_book_builder_t *b, unsigned rows)
{
    pos_book_t *book = b->book;

    switch (b->phase) {
    case PHASE_PARENTS:
    case PHASE_ANCESTRY:
    case PHASE_CIRCLES:
        return relate_categories(b, rows);
    case PHASE_SORT_LISTS:
        return pos_builder_sort_lists(b, rows);
    case PHASE_NAME_LISTS:
        return pos_builder_name_lists(b, rows);
    case PHASE_SORT_TAXES:
        return pos_builder_sort_taxes(b, rows);
    case PHASE_SORT_PROMOTIONS:
        return pos_builder_sort_promotions(b, rows);
    case PHASE_CLEAR_IDS:
        return pos_map_clear(&book->promotion_by_id, &b->cleared, rows * POS_BUILDER_MOVES * 4)
            ? POS_OK : POS_AGAIN;
    case PHASE_NAME_PROMOTIONS:
        return pos_builder_name_promotions(b, rows);
    default:
        return pos_index_building_step(b->index, rows);
    }
}


/* ---- the door ---- */

static pos_kind_t
kind_of(phase_t phase)
{
    switch (phase) {
    case PHASE_ZONES:
        return POS_KIND_ZONE;
    case PHASE_RETAILER:
        return POS_KIND_RETAILER;
    case PHASE_STORES:
        return POS_KIND_STORE;
    case PHASE_CATEGORIES:
        return POS_KIND_CATEGORY;
    case PHASE_LISTS:
        return POS_KIND_PRICE_LIST;
    case PHASE_TAXES:
        return POS_KIND_TAX;
    case PHASE_EXPERIMENTS:
        return POS_KIND_EXPERIMENT;
    case PHASE_PROMOTIONS:
        return POS_KIND_PROMOTION;
    default:
        return POS_KIND_COUNT;
    }
}


static pos_status_t
add_row(pos_book_builder_t *b, pos_str_t key, pos_str_t value, unsigned *cost)
{
    switch (b->phase) {
    case PHASE_ZONES:
        return add_zone(b, key, value);
    case PHASE_RETAILER:
        return add_retailer(b, key, value);
    case PHASE_STORES:
        return add_store(b, key, value);
    case PHASE_CATEGORIES:
        return add_category(b, key, value);
    case PHASE_LISTS:
        return add_list(b, key, value);
    case PHASE_TAXES:
        return add_tax(b, key, value);
    case PHASE_EXPERIMENTS:
        return add_experiment(b, key, value);
    default:
        return add_promotion(b, key, value, cost);
    }
}


static void
next_phase(pos_book_builder_t *b)
{
    b->phase++;
    b->begun = false;
    b->at = 0;
    free(b->spare);
    b->spare = NULL;
}


static bool
reads_rows(phase_t phase)
{
    return kind_of(phase) != POS_KIND_COUNT;
}


/* One row, or the end of a phase. */
static pos_status_t
step_row(pos_book_builder_t *b, unsigned *cost)
{
    pos_str_t    key, value;
    pos_status_t status;

    pos_arena_reset(b->scratch);
    *cost = 1;
    status = next_row(b, kind_of(b->phase), &key, &value);
    if (status == POS_NOT_FOUND) {
        if (b->phase == PHASE_RETAILER && b->book->retailer.len == 0) {
            return POS_BROKEN;
        }
        next_phase(b);
        return POS_OK;
    }
    return status == POS_OK ? add_row(b, key, value, cost) : status;
}


static pos_status_t
step_rows(pos_book_builder_t *b, unsigned rows)
{
    unsigned done = 0;

    while (reads_rows(b->phase)) {
        unsigned     cost;
        pos_status_t status;

        if (done >= rows) {
            return POS_AGAIN;
        }
        status = step_row(b, &cost);
        if (status != POS_OK) {
            return status;
        }
        done += cost;
    }
    return POS_AGAIN;
}


pos_status_t
pos_book_builder_step(pos_book_builder_t *b, unsigned rows, pos_book_t **out)
{
    pos_status_t status;

    rows = rows > 0 ? rows : 1;
    if (reads_rows(b->phase)) {
        return step_rows(b, rows);
    }
    if (b->phase < PHASE_DONE) {
        status = finish(b, rows);
        if (status != POS_OK) {
            return status;
        }
        next_phase(b);
        if (b->phase < PHASE_DONE) {
            return POS_AGAIN;
        }
    }
    if (b->book == NULL) {
        return POS_BROKEN;               /* already handed out */
    }
    *out = b->book;
    b->book = NULL;
    return POS_OK;
}


static pos_status_t
builder_init(pos_book_builder_t *b, pos_script_vm_t *vm)
{
    b->book = pos_book_new(vm);
    b->scratch = pos_arena_create(SCRATCH_SIZE, 0);
    b->reader = pos_json_reader_create(VALUE_MAX);
    if (b->book == NULL || b->scratch == NULL || b->reader == NULL) {
        return POS_NO_MEMORY;
    }
    b->last_report = &b->book->reports;
    if (pos_map_init(&b->zones, b->book->arena, 16) != POS_OK
        || pos_map_init(&b->zone_values, b->book->arena, 16) != POS_OK
        || pos_map_init(&b->parents, b->book->arena, 256) != POS_OK)
    {
        return POS_NO_MEMORY;
    }
    return POS_OK;
}


pos_status_t
pos_book_builder_create(const pos_book_source_t *source, const pos_book_t *previous,
    pos_script_vm_t *vm, pos_book_builder_t **out)
{
    pos_book_builder_t *b = calloc(1, sizeof(*b));

    if (b == NULL) {
        return POS_NO_MEMORY;
    }
    b->source = *source;
    b->previous = previous;
    if (builder_init(b, vm) != POS_OK) {
        pos_book_builder_destroy(b);
        return POS_NO_MEMORY;
    }
    *out = b;
    return POS_OK;
}


void
pos_book_builder_destroy(pos_book_builder_t *b)
{
    if (b == NULL) {
        return;
    }
    for (uint32_t i = 0; i < b->promotion_count; i++) {
        pos_promotion_release(*promotion_place(b, i));
    }
    for (uint32_t i = 0; i < b->promotions.count; i++) {
        free(((pos_promotion_t ***) b->promotions.items)[i]);
    }
    free(b->categories.items);
    free(b->lists.items);
    free(b->taxes.items);
    free(b->promotions.items);
    free(b->spare);
    pos_ranking_destroy(b->ranking);
    pos_index_building_destroy(b->index);
    if (b->book != NULL) {
        pos_book_release(b->book);
    }
    pos_arena_destroy(b->scratch);
    pos_json_reader_destroy(b->reader);
    free(b);
}
