/*
 * Filters over lines: compile and match. Matching allocates nothing and asks
 * the cheapest questions first.
 */

#include "engine/cart.h"
#include "engine/decode.h"
#include "engine/promotion_decode.h"

#define SET_SHORT  4

static const char *const filter_fields[] = { "sku", "category", "brand", "tag",
    "attribute", "unit_price", "on_sale", "not", NULL };


bool
pos_strset_search(const pos_strset_t *set, pos_str_t value, uint64_t hash)
{
    uint32_t low = 0, high = set->count;

    while (high - low > 8) {
        uint32_t middle = low + (high - low) / 2;

        if (set->hashes[middle] < hash) {
            low = middle + 1;
        } else {
            high = middle + 1;
        }
    }
    for (; low < set->count && set->hashes[low] <= hash; low++) {
        if (set->hashes[low] == hash && pos_str_eq(set->values[low], value)) {
            return true;
        }
    }
    return false;
}


bool
pos_strset_contains(const pos_strset_t *set, pos_str_t value)
{
    if (set->count > SET_SHORT) {
        return pos_strset_has(set, value, pos_hash64(value));
    }
    for (uint32_t i = 0; i < set->count; i++) {
        if (pos_str_eq(set->values[i], value)) {
            return true;
        }
    }
    return false;
}


/* ---- compile ---- */

const pos_filter_t *
pos_decode_filter(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    unsigned depth)
{
    pos_filter_t     *f = pos_decode_alloc(d, 1, sizeof(*f));
    const pos_json_t *negated;
    bool              on_sale;

    if (f == NULL) {
        return NULL;
    }
    f->any = true;
    f->on_sale = -1;
    f->unit_price = (pos_range_t) { POS_NONE, POS_INF };
    f->json = pos_str("{}");
    if (json == NULL) {
        return f;
    }
    if (depth > POS_NESTING_MAX) {
        pos_decode_fault(d, at, "too_deep", "is nested too deep");
        return f;
    }
    if (!pos_decode_object(d, at, json, filter_fields)) {
        return f;
    }
    pos_decode_set(d, at, json, "sku", &f->sku);
    pos_decode_set(d, at, json, "category", &f->category);
    pos_decode_set(d, at, json, "brand", &f->brand);
    pos_decode_set(d, at, json, "tag", &f->tag);
    pos_decode_attribute_filters(d, at, json, "attribute", &f->attribute_count,
        &f->attributes);
    pos_decode_range(d, at, json, "unit_price", 0, POS_MONEY_MAX, &f->unit_price);
    if (pos_decode_bool(d, at, json, "on_sale", &on_sale)) {
        f->on_sale = on_sale;
    }
    negated = pos_member(json, "not");
    if (negated != NULL) {
        pos_at_t here = pos_at_key(at, "not");
        f->negated = pos_decode_filter(d, &here, negated, depth + 1);
    }
    f->any = json->count == 0;
    if (json->count == 1 && (f->sku.count > 0 || f->category.count > 0)) {
        f->asks = f->sku.count > 0 ? POS_ASKS_SKU : POS_ASKS_CATEGORY;
    }
    f->json = pos_decode_copy(d, json->text);
    return f;
}


const pos_filter_t *
pos_decode_filter_member(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name)
{
    pos_at_t at = pos_at_key(up, name);

    return pos_decode_filter(d, &at, pos_member(object, name), 0);
}


pos_status_t
pos_filter_compile(const pos_json_t *json, pos_str_t base, pos_arena_t *arena,
    pos_faults_t *faults, const pos_filter_t **out)
{
    pos_decoder_t d;
    pos_at_t      at = pos_at_base(base);

    pos_decoder_init(&d, arena, faults, NULL);
    *out = pos_decode_filter(&d, &at, json, 0);
    return pos_decoder_status(&d);
}


/* ---- match ---- */

static bool
category_matches(const pos_strset_t *set, const pos_item_t *item)
{
    for (uint32_t i = 0; i < item->category_count; i++) {
        const pos_category_t *c = item->categories[i];

        if (pos_strset_has(set, c->code, c->hash)) {
            return true;
        }
    }
    return false;
}


static bool
tag_matches(const pos_strset_t *set, const pos_item_t *item)
{
    for (uint32_t i = 0; i < item->product->tag_count; i++) {
        if (pos_strset_contains(set, item->product->tags[i])) {
            return true;
        }
    }
    return false;
}


const pos_str_t *
pos_attribute_find(const pos_attribute_t *attributes, uint32_t count, pos_str_t name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (pos_str_eq(attributes[i].name, name)) {
            return &attributes[i].value;
        }
    }
    return NULL;
}


/* A line's own attribute (an engraving, a condition) goes before its product's
 * of the same name. */
static bool
attribute_matches(const pos_attribute_filter_t *a, const pos_item_t *item)
{
    const pos_str_t *value = NULL;

    if (item->line != NULL) {
        value = pos_attribute_find(item->line->attributes, item->line->attribute_count,
            a->name);
    }
    if (value == NULL) {
        value = pos_attribute_find(item->product->attributes,
            item->product->attribute_count, a->name);
    }
    return value != NULL
           && (a->values.count == 0 || pos_strset_contains(&a->values, *value));
}


static bool
attributes_match(const pos_filter_t *f, const pos_item_t *item)
{
    for (uint32_t i = 0; i < f->attribute_count; i++) {
        if (!attribute_matches(&f->attributes[i], item)) {
            return false;
        }
    }
    return true;
}


static bool
selected(const pos_selection_t *selection, uint32_t index)
{
    uint32_t low = 0, high = selection->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (selection->items[middle] < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < selection->count && selection->items[low] == index;
}


static bool
fields_match(const pos_filter_t *f, const pos_item_t *item)
{
    if (f->sku.count > 0 && !pos_strset_has(&f->sku, item->product->sku, item->sku_hash)) {
        return false;
    }
    if (item->unit_price < f->unit_price.min || item->unit_price > f->unit_price.max
        || (f->on_sale >= 0 && f->on_sale != (int8_t) item->on_sale))
    {
        return false;
    }
    if (f->category.count > 0 && !category_matches(&f->category, item)) {
        return false;
    }
    if (f->brand.count > 0 && !pos_strset_contains(&f->brand, item->product->brand)) {
        return false;
    }
    if (f->tag.count > 0 && !tag_matches(&f->tag, item)) {
        return false;
    }
    if (f->attribute_count > 0 && !attributes_match(f, item)) {
        return false;
    }
    return f->negated == NULL || !pos_filter_match(f->negated, item);
}


bool
pos_filter_judge(const pos_filter_t *filter, const pos_item_t *item)
{
    if (item->gift) {
        return false;
    }
    if (filter == NULL) {
        return true;
    }
    if (filter->selection != NULL && !selected(filter->selection, item->index)) {
        return false;
    }
    return filter->any || fields_match(filter, item);
}


/* Bits of the hashes of a set: most of what is not in it has none of them. */
static uint64_t
bits_of(const pos_strset_t *set)
{
    uint64_t bits = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        bits |= pos_set_bit(set->hashes[i]);
    }
    return bits;
}


static uint32_t
list_by_sku(const pos_strset_t *set, const pos_cart_t *cart, uint32_t from, uint32_t until, uint32_t *out)
{
    uint64_t bits = set->count < until - from ? bits_of(set) : UINT64_MAX;
    uint32_t n = 0;

    for (uint32_t i = from; i < until; i++) {
        const pos_item_t *item = &cart->items[i];

        if ((bits & pos_set_bit(item->sku_hash)) && pos_strset_has(set, item->product->sku, item->sku_hash)) {
            out[n++] = i;
        }
    }
    return n;
}


static uint32_t
list_by_category(const pos_strset_t *set, const pos_cart_t *cart, uint32_t from, uint32_t until, uint32_t *out)
{
    uint64_t bits = set->count < until - from ? bits_of(set) : UINT64_MAX;
    uint32_t n = 0;

    for (uint32_t i = from; i < until; i++) {
        if ((bits & cart->items[i].category_bits) && category_matches(set, &cart->items[i])) {
            out[n++] = i;
        }
    }
    return n;
}


/* No item of the range is a gift: those stand behind it. */
uint32_t
pos_filter_list(const pos_filter_t *filter, const pos_cart_t *cart, uint32_t from, uint32_t until, uint32_t *out)
{
    uint32_t n = 0;

    if (filter != NULL && filter->selection == NULL && filter->asks != POS_ASKS_MORE) {
        return filter->asks == POS_ASKS_SKU ? list_by_sku(&filter->sku, cart, from, until, out)
                                            : list_by_category(&filter->category, cart, from, until, out);
    }
    for (uint32_t i = from; i < until; i++) {
        if (pos_filter_match(filter, &cart->items[i])) {
            out[n++] = i;
        }
    }
    return n;
}
