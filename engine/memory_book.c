/*
 * A book from one JSON document: decodes it whole, names every fault, and
 * serves it as a source.
 */

#include "engine/canonical.h"
#include "engine/entities.h"

#include <stdlib.h>

#define BLOCK_SIZE  65536

typedef struct {
    pos_str_t key, value;
} memory_row_t;

typedef struct {
    uint32_t      count;
    memory_row_t *rows;          /* by key */
} section_t;

struct pos_memory_book_s {
    pos_arena_t *arena;
    section_t    sections[POS_KIND_COUNT];
    pos_map_t    products, coupons;
    char         revision[2 * POS_SHA256_SIZE];
};

/* While the document is read. */
typedef struct {
    pos_memory_book_t  *m;
    const pos_json_t   *document;
    pos_arena_t        *scratch;
    pos_faults_t       *faults;
    pos_decoder_t       d;
    pos_at_t            root;
    pos_zone_loader_t   zone;
    void               *zone_ctx;
    const pos_zone_t   *retailer_zone;
    pos_map_t           keys[POS_KIND_COUNT];    /* what there is, by code  */
    pos_map_t           zones;                   /* name to its zone        */
} reading_t;

static const char *const book_fields[] = { "retailer", "stores", "categories", "products",
    "price_lists", "prices", "taxes", "promotions", "coupons", "experiments", NULL };

static const char there[] = "";      /* a value for maps that are sets */


static bool
known(const reading_t *r, pos_kind_t kind, pos_str_t code)
{
    return pos_map_get(&r->keys[kind], code) != NULL;
}


static bool
set_key(reading_t *r, pos_map_t *map, pos_str_t key, void *value, void **old)
{
    if (pos_map_set(map, key, value, old) != POS_OK) {
        r->d.no_memory = true;
        return false;
    }
    return true;
}


/* Notes that there is such a thing; a second one of the code is a fault. */
static void
note_key(reading_t *r, const pos_at_t *at, const char *field, pos_kind_t kind,
    pos_str_t code)
{
    void    *old = NULL;
    pos_at_t here = pos_at_key(at, field);

    if (code.len > 0 && set_key(r, &r->keys[kind], code, (void *) there, &old)
        && old != NULL)
    {
        pos_decode_fault(&r->d, &here, "duplicate", "there is another one of this %s",
            field);
    }
}


static void
refuse(reading_t *r, const pos_at_t *up, const char *field, const char *code,
    pos_str_t name)
{
    pos_at_t at = pos_at_key(up, field);

    pos_decode_fault(&r->d, &at, code, "there is no \"%.*s\" in this book",
        (int) (name.len > 100 ? 100 : name.len), name.data);
}


static void
refuse_at(reading_t *r, const pos_at_t *up, const char *field, size_t index,
    const char *code, pos_str_t name)
{
    pos_at_t list = pos_at_key(up, field), at = pos_at_index(&list, index);

    pos_decode_fault(&r->d, &at, code, "there is no \"%.*s\" in this book",
        (int) (name.len > 100 ? 100 : name.len), name.data);
}


/* ---- sections ---- */

static section_t *
open_section(reading_t *r, const char *name, pos_kind_t kind, const pos_json_t **list)
{
    section_t *s = &r->m->sections[kind];

    *list = NULL;
    if (!pos_decode_array(&r->d, &r->root, r->document, name, list)) {
        return NULL;
    }
    s->rows = pos_decode_alloc(&r->d, (*list)->count, sizeof(*s->rows));
    return s->rows == NULL ? NULL : s;
}


static void
add_row(reading_t *r, section_t *s, pos_str_t key, const pos_json_t *json)
{
    s->rows[s->count++] = (memory_row_t) { key, pos_decode_copy(&r->d, json->text) };
}


static int
row_order(const void *a, const void *b)
{
    return pos_str_cmp(((const memory_row_t *) a)->key, ((const memory_row_t *) b)->key);
}


static void
sort_section(section_t *s)
{
    if (s->count > 1) {
        qsort(s->rows, s->count, sizeof(*s->rows), row_order);
    }
}


/* ---- zones and the retailer ---- */

static const pos_zone_t *
load_zone(reading_t *r, const pos_at_t *up, pos_str_t name)
{
    const pos_zone_t *zone = pos_map_get(&r->zones, name);
    section_t        *s = &r->m->sections[POS_KIND_ZONE];
    pos_str_t         tzif;
    pos_at_t          at = pos_at_key(up, "timezone");

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
    s->rows[s->count++] = (memory_row_t) { name, tzif };
    (void) set_key(r, &r->zones, name, (void *) (uintptr_t) zone, NULL);
    return zone;
}


static void
read_retailer(reading_t *r)
{
    const pos_json_t *json = pos_member(r->document, "retailer");
    const pos_json_t *stores = pos_member(r->document, "stores");
    section_t        *s = &r->m->sections[POS_KIND_RETAILER];
    section_t        *zones = &r->m->sections[POS_KIND_ZONE];
    pos_book_t        settings = { .retailer = pos_str("") };
    pos_str_t         timezone;
    pos_at_t          at = pos_at_key(&r->root, "retailer");

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
    add_row(r, s, pos_str(""), json);
    r->retailer_zone = load_zone(r, &at, timezone);
    r->d.zone = r->retailer_zone ? r->retailer_zone : pos_zone_utc();
}


/* ---- small entities ---- */

static void
read_stores(reading_t *r)
{
    const pos_json_t *list;
    section_t        *s = open_section(r, "stores", POS_KIND_STORE, &list);
    pos_at_t          at = pos_at_key(&r->root, "stores");
    size_t            i = 0;

    for (const pos_json_t *e = s ? list->first : NULL; e != NULL; e = e->next) {
        pos_at_t    here = pos_at_index(&at, i++);
        pos_store_t store = { .code = pos_str("") };
        pos_str_t   timezone;

        if (!pos_decode_object(&r->d, &here, e, pos_store_fields)) {
            continue;
        }
        pos_store_decode(&r->d, &here, e, &store, &timezone);
        note_key(r, &here, "code", POS_KIND_STORE, store.code);
        if (timezone.len > 0) {
            (void) load_zone(r, &here, timezone);
        }
        add_row(r, s, store.code, e);
    }
}


static void
read_categories(reading_t *r)
{
    const pos_json_t *list;
    section_t        *s = open_section(r, "categories", POS_KIND_CATEGORY, &list);
    pos_at_t          at = pos_at_key(&r->root, "categories");
    pos_category_t   *made;
    pos_str_t        *parents;
    size_t            i = 0;

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
        void    *old = NULL;

        made[i].code = pos_str("");
        if (!pos_decode_object(&r->d, &here, e, pos_category_fields)) {
            continue;
        }
        pos_category_decode(&r->d, &here, e, &made[i], &parents[i]);
        if (made[i].code.len > 0
            && set_key(r, &r->keys[POS_KIND_CATEGORY], made[i].code, &made[i], &old)
            && old != NULL)
        {
            pos_at_t code = pos_at_key(&here, "code");
            pos_decode_fault(&r->d, &code, "duplicate",
                "there is another one of this code");
        }
        add_row(r, s, made[i].code, e);
    }
    for (i = 0; i < list->count; i++) {
        pos_at_t here = pos_at_index(&at, i);

        if (parents[i].len == 0) {
            continue;
        }
        made[i].parent = pos_map_get(&r->keys[POS_KIND_CATEGORY], parents[i]);
        if (made[i].parent == NULL) {
            refuse(r, &here, "parent", "unknown_category", parents[i]);
        }
    }
    for (i = 0; i < list->count; i++) {
        pos_category_t *c = made[i].parent;
        pos_at_t        here = pos_at_index(&at, i), parent = pos_at_key(&here, "parent");
        size_t          steps = 0;

        while (c != NULL && c != &made[i] && steps++ <= list->count) {
            c = c->parent;
        }
        if (c == &made[i]) {
            pos_decode_fault(&r->d, &parent, "cycle", "its parents go in a circle");
        }
    }
}


static void
read_price_lists(reading_t *r)
{
    const pos_json_t *list;
    section_t        *s = open_section(r, "price_lists", POS_KIND_PRICE_LIST, &list);
    pos_at_t          at = pos_at_key(&r->root, "price_lists");
    size_t            i = 0;

    for (const pos_json_t *e = s ? list->first : NULL; e != NULL; e = e->next) {
        pos_at_t         here = pos_at_index(&at, i++);
        pos_price_list_t row = { .code = pos_str("") };

        if (!pos_decode_object(&r->d, &here, e, pos_price_list_fields)) {
            continue;
        }
        pos_price_list_decode(&r->d, &here, e, &row);
        note_key(r, &here, "code", POS_KIND_PRICE_LIST, row.code);
        for (uint32_t k = 0; k < row.stores.count; k++) {
            if (!known(r, POS_KIND_STORE, row.stores.values[k])) {
                refuse(r, &here, "stores", "unknown_store", row.stores.values[k]);
            }
        }
        add_row(r, s, row.code, e);
    }
}


/* Keyed by its place, since the order of rates is the document's. */
static void
read_taxes(reading_t *r)
{
    const pos_json_t *list;
    section_t        *s = open_section(r, "taxes", POS_KIND_TAX, &list);
    pos_at_t          at = pos_at_key(&r->root, "taxes");
    size_t            i = 0;

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
        add_row(r, s, key, e);
    }
}


static void
read_experiments(reading_t *r)
{
    const pos_json_t *list;
    section_t        *s = open_section(r, "experiments", POS_KIND_EXPERIMENT, &list);
    pos_at_t          at = pos_at_key(&r->root, "experiments");
    size_t            i = 0;

    for (const pos_json_t *e = s ? list->first : NULL; e != NULL; e = e->next) {
        pos_at_t          here = pos_at_index(&at, i++), code = pos_at_key(&here, "code");
        pos_experiment_t *row = pos_decode_alloc(&r->d, 1, sizeof(*row));
        void             *old = NULL;

        if (row == NULL || !pos_decode_object(&r->d, &here, e, pos_experiment_fields)) {
            continue;
        }
        pos_experiment_decode(&r->d, &here, e, row);
        if (row->code.len > 0
            && set_key(r, &r->keys[POS_KIND_EXPERIMENT], row->code, row, &old)
            && old != NULL)
        {
            pos_decode_fault(&r->d, &code, "duplicate",
                "there is another one of this code");
        }
        add_row(r, s, row->code, e);
    }
}


/* ---- products and prices ---- */

static void
check_product(reading_t *r, const pos_at_t *at, const pos_product_t *p)
{
    for (uint32_t k = 0; k < p->category_count; k++) {
        if (!known(r, POS_KIND_CATEGORY, p->categories[k])) {
            refuse_at(r, at, "categories", k, "unknown_category", p->categories[k]);
        }
    }
    for (uint32_t k = 0; k < p->price_count; k++) {
        pos_at_t list = pos_at_key(at, "prices"), here = pos_at_index(&list, k);

        if (p->prices[k].list.len > 0
            && !known(r, POS_KIND_PRICE_LIST, p->prices[k].list))
        {
            refuse(r, &here, "list", "unknown_price_list", p->prices[k].list);
        }
    }
}


static void
read_products(reading_t *r)
{
    const pos_json_t *list = NULL;
    pos_at_t          at = pos_at_key(&r->root, "products");
    size_t            i = 0;

    if (!pos_decode_array(&r->d, &r->root, r->document, "products", &list)) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t             here = pos_at_index(&at, i++), sku = pos_at_key(&here, "sku");
        pos_str_t            base = pos_at_pointer(&here, r->scratch);
        const pos_product_t *p;
        void                *old = NULL;
        pos_status_t         status = pos_product_decode(e, r->d.zone, base, r->m->arena,
            r->faults, &p);

        if (status == POS_NO_MEMORY) {
            r->d.no_memory = true;
            return;
        }
        pos_product_check_fields(e, base, r->faults);
        check_product(r, &here, p);
        if (p->sku.len > 0
            && set_key(r, &r->m->products, p->sku, (void *) (uintptr_t) p, &old)
            && old != NULL)
        {
            pos_decode_fault(&r->d, &sku, "duplicate", "there is another one of this sku");
        }
    }
}


typedef struct {
    pos_price_t    price;
    pos_product_t *product;
} price_row_t;


static bool
read_price(reading_t *r, const pos_at_t *at, const pos_json_t *json, price_row_t *out)
{
    static const char *const fields[] = { "sku", "list", "amount", "min_quantity", "kind",
        "from", "until", NULL };
    pos_str_t                sku = pos_str("");
    uint32_t                 before = r->faults->count;

    if (!pos_decode_object(&r->d, at, json, fields)) {
        return false;
    }
    if (pos_price_decode(json, r->d.zone, pos_at_pointer(at, r->scratch), r->m->arena,
            r->faults, &out->price) == POS_NO_MEMORY)
    {
        r->d.no_memory = true;
        return false;
    }
    if (pos_decode_code(&r->d, at, json, "sku", POS_REQUIRED, &sku)) {
        out->product = pos_map_get(&r->m->products, sku);
        if (out->product == NULL) {
            refuse(r, at, "sku", "unknown_sku", sku);
        }
    }
    if (out->price.list.len > 0 && !known(r, POS_KIND_PRICE_LIST, out->price.list)) {
        refuse(r, at, "list", "unknown_price_list", out->price.list);
    }
    return r->faults->count == before;
}


static int
price_order(const void *a, const void *b)
{
    const price_row_t *x = a, *y = b;

    return (x->product > y->product) - (x->product < y->product);
}


/* Rows come in any order: sorted by product, each product's are a run. */
static void
hand_out_prices(reading_t *r, price_row_t *rows, size_t count)
{
    qsort(rows, count, sizeof(*rows), price_order);
    for (size_t i = 0; i < count;) {
        pos_product_t *p = rows[i].product;
        pos_price_t   *prices;
        size_t         end = i;

        while (end < count && rows[end].product == p) {
            end++;
        }
        prices = pos_decode_alloc(&r->d, p->price_count + (end - i), sizeof(*prices));
        if (prices == NULL) {
            return;
        }
        if (p->price_count > 0) {
            memcpy(prices, p->prices, p->price_count * sizeof(*prices));
        }
        while (i < end) {
            prices[p->price_count++] = rows[i++].price;
        }
        p->prices = prices;
        pos_product_open_prices(p, prices);
    }
}


static void
read_prices(reading_t *r)
{
    const pos_json_t *list = NULL;
    price_row_t      *rows;
    pos_at_t          at = pos_at_key(&r->root, "prices");
    size_t            i = 0, count = 0;

    if (!pos_decode_array(&r->d, &r->root, r->document, "prices", &list)) {
        return;
    }
    rows = calloc(list->count + 1, sizeof(*rows));
    if (rows == NULL) {
        r->d.no_memory = true;
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(&at, i++);

        if (read_price(r, &here, e, &rows[count])) {
            count++;
        }
    }
    hand_out_prices(r, rows, count);
    free(rows);
}


/* ---- promotions and coupons ---- */

static void
check_experiment(reading_t *r, const pos_at_t *at, const pos_promotion_t *p)
{
    const pos_experiment_t *experiment;
    pos_at_t                here = pos_at_key(at, "experiment");

    if (p->experiment.len == 0) {
        return;
    }
    experiment = pos_map_get(&r->keys[POS_KIND_EXPERIMENT], p->experiment);
    if (experiment == NULL) {
        refuse(r, &here, "code", "unknown_experiment", p->experiment);
        return;
    }
    for (uint32_t i = 0; i < experiment->arm_count; i++) {
        if (pos_str_eq(experiment->arms[i].code, p->arm)) {
            return;
        }
    }
    refuse(r, &here, "arm", "unknown_arm", p->arm);
}


static void
check_promotion(reading_t *r, const pos_at_t *at, const pos_promotion_t *p)
{
    check_experiment(r, at, p);
    for (uint32_t i = 0; i < p->effect_count; i++) {
        const pos_effect_t *e = &p->effects[i];
        pos_at_t            then = pos_at_key(at, "then"), here = pos_at_index(&then, i);
        pos_at_t            gift = pos_at_key(&here, "gift");

        if (e->kind == POS_EFFECT_GIFT && !pos_map_get(&r->m->products, e->gift_sku)) {
            refuse(r, &gift, "sku", "unknown_sku", e->gift_sku);
        }
    }
}


/* Data promotions are compiled here for their faults alone. Scripts need a VM,
 * which the builder has: their faults are its reports. */
static void
read_promotion(reading_t *r, const pos_at_t *at, const pos_json_t *json)
{
    pos_promotion_t *p;
    pos_status_t     status;

    if (pos_member(json, "script") != NULL) {
        return;
    }
    status = pos_promotion_compile(json, r->d.zone, NULL,
        pos_at_pointer(at, r->scratch), r->faults, &p);
    if (status == POS_NO_MEMORY) {
        r->d.no_memory = true;
    } else if (status == POS_OK) {
        check_promotion(r, at, p);
        pos_promotion_release(p);
    }
}


static void
read_promotions(reading_t *r)
{
    const pos_json_t *list;
    section_t        *s = open_section(r, "promotions", POS_KIND_PROMOTION, &list);
    pos_at_t          at = pos_at_key(&r->root, "promotions");
    size_t            i = 0;

    for (const pos_json_t *e = s ? list->first : NULL; e != NULL; e = e->next) {
        pos_at_t          here = pos_at_index(&at, i++);
        const pos_json_t *id;
        pos_str_t         key = pos_str("");

        if (!pos_decode_object(&r->d, &here, e, NULL)) {
            continue;
        }
        read_promotion(r, &here, e);
        id = pos_member(e, "id");
        if (id != NULL && id->type == POS_JSON_STRING) {
            key = pos_decode_copy(&r->d, id->text);
        } else if (pos_member(e, "script") != NULL) {
            pos_at_t id_at = pos_at_key(&here, "id");
            pos_decode_fault(&r->d, &id_at, "required", "is required");
        }
        note_key(r, &here, "id", POS_KIND_PROMOTION, key);
        add_row(r, s, key, e);
    }
}


static pos_str_t
upper(reading_t *r, pos_str_t code)
{
    char *up = pos_arena_alloc(r->m->arena, code.len + 1);

    if (up == NULL) {
        r->d.no_memory = true;
        return pos_str("");
    }
    for (size_t i = 0; i < code.len; i++) {
        char c = code.data[i];
        up[i] = c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
    }
    return pos_str_of(up, code.len);
}


static void
read_coupon(reading_t *r, const pos_at_t *at, const pos_json_t *json)
{
    const pos_coupon_t *c;
    pos_str_t           base = pos_at_pointer(at, r->scratch);
    pos_at_t            code = pos_at_key(at, "code");
    void               *old = NULL;

    if (pos_coupon_decode(json, r->d.zone, base, r->m->arena, r->faults, &c)
        == POS_NO_MEMORY)
    {
        r->d.no_memory = true;
        return;
    }
    pos_coupon_check_fields(json, base, r->faults);
    for (uint32_t i = 0; i < c->promotion_count; i++) {
        if (!known(r, POS_KIND_PROMOTION, c->promotions[i])) {
            refuse_at(r, at, "promotions", i, "unknown_promotion", c->promotions[i]);
        }
    }
    if (c->code.len > 0
        && set_key(r, &r->m->coupons, upper(r, c->code), (void *) (uintptr_t) c, &old)
        && old != NULL)
    {
        pos_decode_fault(&r->d, &code, "duplicate",
            "there is another one of this code (upper and lower case are one)");
    }
}


static void
read_coupons(reading_t *r)
{
    const pos_json_t *list = NULL;
    pos_at_t          at = pos_at_key(&r->root, "coupons");
    size_t            i = 0;

    if (!pos_decode_array(&r->d, &r->root, r->document, "coupons", &list)) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(&at, i++);
        read_coupon(r, &here, e);
    }
}


/* ---- the door ---- */

static bool
reading_init(reading_t *r)
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
read_all(reading_t *r)
{
    if (!pos_decode_object(&r->d, &r->root, r->document, book_fields)) {
        return;
    }
    read_retailer(r);
    if (r->d.no_memory) {
        return;
    }
    read_stores(r);
    read_categories(r);
    read_price_lists(r);
    read_taxes(r);
    read_experiments(r);
    read_products(r);
    read_prices(r);
    read_promotions(r);
    read_coupons(r);
}


static pos_status_t
read_document(reading_t *r)
{
    uint8_t      digest[POS_SHA256_SIZE];
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
    status = pos_canonical_sha256(r->document, r->scratch, digest);
    pos_hex(pos_str_of((const char *) digest, sizeof(digest)), r->m->revision);
    return status;
}


pos_status_t
pos_memory_book_create(const pos_json_t *document, pos_zone_loader_t zone, void *zone_ctx,
    pos_faults_t *faults, pos_memory_book_t **out)
{
    pos_memory_book_t *m = calloc(1, sizeof(*m));
    reading_t          r = { .m = m, .document = document, .faults = faults,
                 .zone = zone, .zone_ctx = zone_ctx };
    pos_status_t       status = POS_NO_MEMORY;

    if (m == NULL) {
        return POS_NO_MEMORY;
    }
    m->arena = pos_arena_create(BLOCK_SIZE, 0);
    r.scratch = pos_arena_create(BLOCK_SIZE, 0);
    if (m->arena != NULL && r.scratch != NULL) {
        status = read_document(&r);
    }
    if (r.scratch != NULL) {
        pos_arena_destroy(r.scratch);
    }
    if (status != POS_OK) {
        pos_memory_book_destroy(m);
        return status;
    }
    *out = m;
    return POS_OK;
}


void
pos_memory_book_destroy(pos_memory_book_t *memory)
{
    if (memory == NULL) {
        return;
    }
    if (memory->arena != NULL) {
        pos_arena_destroy(memory->arena);
    }
    free(memory);
}


pos_str_t
pos_memory_book_revision(const pos_memory_book_t *memory)
{
    return pos_str_of(memory->revision, sizeof(memory->revision));
}


/* ---- as a source ---- */

static pos_status_t
source_product(void *ctx, pos_str_t sku, pos_arena_t *arena, const pos_product_t **out)
{
    const pos_memory_book_t *m = ctx;

    (void) arena;
    *out = pos_map_get(&m->products, sku);
    return *out ? POS_OK : POS_NOT_FOUND;
}


static pos_status_t
source_coupon(void *ctx, pos_str_t code, pos_arena_t *arena, const pos_coupon_t **out)
{
    const pos_memory_book_t *m = ctx;

    (void) arena;
    *out = pos_map_get(&m->coupons, code);
    return *out ? POS_OK : POS_NOT_FOUND;
}


static pos_status_t
source_next(void *ctx, pos_kind_t kind, const pos_str_t *after, pos_str_t *key,
    pos_str_t *value)
{
    const pos_memory_book_t *m = ctx;
    const section_t         *s = &m->sections[kind];
    uint32_t                 low = 0, high = s->count;

    while (after != NULL && low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (pos_str_cmp(s->rows[middle].key, *after) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low >= s->count) {
        return POS_NOT_FOUND;
    }
    *key = s->rows[low].key;
    *value = s->rows[low].value;
    return POS_OK;
}


void
pos_memory_book_source(pos_memory_book_t *memory, pos_book_source_t *out)
{
    out->ctx = memory;
    out->product = source_product;
    out->expect = NULL;    /* in memory all of it is near */
    out->coupon = source_coupon;
    out->next = source_next;
}
