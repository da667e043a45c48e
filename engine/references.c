/*
 * The names in a promotion's document that a book does not have. Where a member of
 * these names stands, at whatever depth, it means the same: filters have `sku` and
 * `category`, gifts have `sku`, conditions have `store`.
 */

#include "engine/references.h"

#include "engine/book_data.h"
#include "engine/decode.h"

typedef struct {
    const pos_book_t        *book;
    const pos_book_source_t *source;
    pos_arena_t             *scratch;
    pos_decoder_t            d;
    uint32_t                *left;
    pos_status_t             status;
} references_t;

typedef struct {
    const char *member, *code, *what;
    bool      (*known)(references_t *r, pos_str_t name);
} reference_t;

static bool
knows_product(references_t *r, pos_str_t name)
{
    const pos_product_t *product;
    pos_status_t         status;

    pos_arena_reset(r->scratch);
    status = r->source->product(r->source->ctx, name, r->scratch, &product);
    if (status == POS_NO_MEMORY) {
        r->status = status;
    }
    return status != POS_NOT_FOUND;
}

static bool
knows_category(references_t *r, pos_str_t name)
{
    return pos_map_get(&r->book->categories, name) != NULL;
}

static bool
knows_store(references_t *r, pos_str_t name)
{
    return pos_map_get(&r->book->stores, name) != NULL;
}

static const reference_t kinds[] = {
    { "sku",      "unknown_sku",      "product",  knows_product },
    { "category", "unknown_category", "category", knows_category },
    { "store",    "unknown_store",    "store",    knows_store },
};

/* Whose members are named by the retailer, or are no part of the rule. */
static const char *const elsewhere[] = { "attribute", "settings", "script", "cases", NULL };

static const reference_t *
reference_of(pos_str_t key)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        if (pos_str_eq(key, pos_str_z(kinds[i].member))) {
            return &kinds[i];
        }
    }
    return NULL;
}

static bool
is_elsewhere(pos_str_t key)
{
    for (int i = 0; elsewhere[i] != NULL; i++) {
        if (pos_str_eq(key, pos_str_z(elsewhere[i]))) {
            return true;
        }
    }
    return false;
}

static void
look_up(references_t *r, const pos_at_t *at, const reference_t *kind, const pos_json_t *name)
{
    if (name->type != POS_JSON_STRING || *r->left == 0) {
        return;
    }
    --*r->left;
    if (!kind->known(r, name->text)) {
        pos_decode_fault(&r->d, at, kind->code, "there is no %s \"%.*s\" in the book now", kind->what,
            (int) (name->text.len > 100 ? 100 : name->text.len), name->text.data);
    }
}

/* What is sold each is given whole. */
static void
check_gift(references_t *r, const pos_at_t *up, const pos_json_t *gift)
{
    const pos_json_t    *sku = pos_member(gift, "sku");
    const pos_product_t *product;
    pos_at_t             at = pos_at_key(up, "quantity");
    int64_t              quantity;

    if (sku == NULL || sku->type != POS_JSON_STRING || *r->left == 0 ||
        !pos_json_decimal(pos_member(gift, "quantity"), 3, &quantity) || quantity % POS_THOUSANDTHS == 0) {
        return;
    }
    --*r->left;
    pos_arena_reset(r->scratch);
    if (r->source->product(r->source->ctx, sku->text, r->scratch, &product) == POS_OK && !product->measured) {
        pos_decode_fault(&r->d, &at, "quantity", "this product is sold in whole units: nothing is given");
    }
}

static void
walk(references_t *r, const pos_at_t *at, const pos_json_t *json, const reference_t *kind)
{
    size_t i = 0;

    if (kind != NULL && json->type != POS_JSON_ARRAY) {
        look_up(r, at, kind, json);
        return;
    }
    for (const pos_json_t *m = json->first; m != NULL; m = m->next) {
        bool     member = json->type == POS_JSON_OBJECT;
        pos_at_t here = member ? pos_at_str(at, m->key) : pos_at_index(at, i++);

        if (member && pos_str_eq(m->key, pos_str("gift")) && m->type == POS_JSON_OBJECT) {
            check_gift(r, &here, m);
        }
        if (!member || !is_elsewhere(m->key)) {
            walk(r, &here, m, member ? reference_of(m->key) : kind);
        }
    }
}

pos_status_t
pos_references_check(const pos_json_t *document, pos_str_t base, const pos_book_t *book,
    const pos_book_source_t *source, uint32_t *left, pos_faults_t *missing)
{
    references_t r = { .book = book, .source = source, .left = left };
    pos_at_t     at = pos_at_base(base);

    r.scratch = pos_arena_create(4096, 0);
    if (r.scratch == NULL) {
        return POS_NO_MEMORY;
    }
    pos_decoder_init(&r.d, r.scratch, missing, NULL);
    walk(&r, &at, document, NULL);
    pos_arena_destroy(r.scratch);
    return r.status;
}
