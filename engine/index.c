/* A cart's look at the index. */

#include "engine/cart.h"
#include "engine/index_data.h"

#define VISITED  32

typedef struct {
    const pos_index_t  *index;
    const pos_cart_t   *cart;
    const pos_drawer_t *drawer;        /* that is looked into                */
    const uint32_t     *places;        /* the book's, of numbers             */
    uint64_t           *set;
    uint32_t            marked;
    uint32_t            visited_count;
    const pos_slot_t   *visited[VISITED];
} lookup_t;


static void
mark(lookup_t *l, uint32_t promotion)
{
    uint64_t bit = UINT64_C(1) << promotion % 64;

    l->marked += (l->set[promotion / 64] & bit) == 0;
    l->set[promotion / 64] |= bit;
}


/* A category's long list is walked once, however many lines are in it. */
static bool
visited_before(lookup_t *l, const pos_slot_t *slot)
{
    if (slot->count == 1) {
        return false;
    }
    for (uint32_t i = 0; i < l->visited_count; i++) {
        if (l->visited[i] == slot) {
            return true;
        }
    }
    if (l->visited_count < VISITED) {
        l->visited[l->visited_count++] = slot;
    }
    return false;
}


static void
visit_block(lookup_t *l, const pos_block_t *b)
{
    int64_t at = l->cart->at, subtotal = l->cart->subtotal;

    for (uint32_t i = b->first; i < b->first + b->count; i++) {
        const pos_entry_t *e = &l->drawer->entries[i];

        if (e->until > at && e->from <= at && e->subtotal <= subtotal) {
            mark(l, l->places[e->promotion]);
        }
    }
}


static void
visit(lookup_t *l, uint64_t key)
{
    const pos_drawer_t *drawer = l->index->drawers[key >> l->index->shift];
    const pos_slot_t   *slot;
    const pos_block_t  *b, *end;

    if (drawer == NULL) {
        return;
    }
    slot = pos_drawer_slot(drawer, key);
    if (slot->key == 0 || visited_before(l, slot)) {
        return;
    }
    l->drawer = drawer;
    b = &drawer->blocks[slot->first];
    end = b + slot->count;
    /* Latest end first: once a block has ended, all behind it have. */
    for (; b < end && b->until > l->cart->at; b++) {
        if (b->from <= l->cart->at && b->subtotal <= l->cart->subtotal) {
            visit_block(l, b);
        }
    }
}


static bool
filed(const lookup_t *l, pos_anchor_kind_t kind)
{
    return (l->index->kinds >> kind & 1) != 0;
}


static void
visit_attributes(lookup_t *l, pos_anchor_kind_t kind, const pos_attribute_t *a,
    uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        visit(l, pos_anchor_pair(kind, a[i].name, a[i].value));
    }
}


static void
visit_item(lookup_t *l, const pos_item_t *item)
{
    const pos_product_t *p = item->product;

    if (filed(l, POS_ANCHOR_SKU)) {
        visit(l, pos_anchor_key(POS_ANCHOR_SKU, item->sku_hash));
    }
    if (filed(l, POS_ANCHOR_ATTRIBUTE)) {
        visit_attributes(l, POS_ANCHOR_ATTRIBUTE, p->attributes, p->attribute_count);
        if (item->line != NULL) {
            visit_attributes(l, POS_ANCHOR_ATTRIBUTE, item->line->attributes,
                item->line->attribute_count);
        }
    }
    for (uint32_t i = 0; i < p->tag_count && filed(l, POS_ANCHOR_TAG); i++) {
        visit(l, pos_anchor_key(POS_ANCHOR_TAG, pos_hash64(p->tags[i])));
    }
    if (filed(l, POS_ANCHOR_BRAND)) {
        visit(l, pos_anchor_key(POS_ANCHOR_BRAND, pos_hash64(p->brand)));
    }
    for (uint32_t i = 0; i < item->category_count && filed(l, POS_ANCHOR_CATEGORY); i++) {
        visit(l, pos_anchor_key(POS_ANCHOR_CATEGORY, item->categories[i]->hash));
    }
}


static void
visit_str(lookup_t *l, pos_anchor_kind_t kind, pos_str_t value)
{
    if (value.len > 0 && filed(l, kind)) {
        visit(l, pos_anchor_key(kind, pos_hash64(value)));
    }
}


static void
visit_set(lookup_t *l, pos_anchor_kind_t kind, const pos_strset_t *set)
{
    for (uint32_t i = 0; i < set->count && filed(l, kind); i++) {
        visit(l, pos_anchor_key(kind, set->hashes[i]));
    }
}


static void
visit_coupons(lookup_t *l, const pos_coupon_t *const *coupons, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < coupons[i]->promotion_count; k++) {
            uint32_t place;

            if (pos_book_find(l->cart->book, coupons[i]->promotions[k], &place)) {
                mark(l, place);
            }
        }
    }
}


static void
visit_cart(lookup_t *l)
{
    const pos_cart_t *cart = l->cart;

    visit(l, pos_anchor_key(POS_ANCHOR_ALWAYS, 0));
    for (uint32_t i = 0; i < cart->item_count; i++) {
        if (!cart->items[i].gift) {
            visit_item(l, &cart->items[i]);
        }
    }
    visit_str(l, POS_ANCHOR_CUSTOMER, cart->customer_id);
    visit_set(l, POS_ANCHOR_GROUP, &cart->customer_groups);
    if (filed(l, POS_ANCHOR_CART_ATTRIBUTE)) {
        visit_attributes(l, POS_ANCHOR_CART_ATTRIBUTE, cart->attributes,
            cart->attribute_count);
    }
    if (cart->store != NULL) {
        visit_str(l, POS_ANCHOR_STORE, cart->store->code);
    }
    visit_str(l, POS_ANCHOR_CHANNEL, cart->channel);
    visit_set(l, POS_ANCHOR_TENDER, &cart->tenders);
    visit_str(l, POS_ANCHOR_COUNTRY, cart->ship_country);
    visit_str(l, POS_ANCHOR_FULFILMENT, cart->fulfilment);
}


/* With explain everything is looked at, so that each promotion can say why it
 * does not apply; which ones apply stays the same. */
static void
mark_all(lookup_t *l, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        mark(l, i);
    }
}


static pos_status_t
list_marked(const lookup_t *l, const uint32_t **out, uint32_t *count)
{
    uint32_t *list = pos_arena_alloc(l->cart->arena, (l->marked + 1) * sizeof(*list));
    uint32_t  left = l->marked;

    if (list == NULL) {
        return POS_NO_MEMORY;
    }
    *out = list;
    *count = l->marked;
    for (uint32_t w = 0; left > 0; w++) {
        if (l->set[w] == 0) {
            continue;
        }
        left -= (uint32_t) __builtin_popcountll(l->set[w]);
        for (uint64_t bits = l->set[w]; bits != 0; bits &= bits - 1) {
            *list++ = w * 64 + (uint32_t) __builtin_ctzll(bits);
        }
    }
    return POS_OK;
}


pos_status_t
pos_index_candidates(const pos_cart_t *cart, const pos_coupon_t *const *coupons,
    uint32_t coupon_count, const uint32_t **out, uint32_t *count)
{
    lookup_t l = { .index = cart->book->index, .cart = cart, .places = cart->book->places };

    l.set = pos_arena_array(cart->arena, l.index->words + 1, sizeof(*l.set));
    if (l.set == NULL) {
        return POS_NO_MEMORY;
    }
    if (cart->explain) {
        mark_all(&l, cart->book->promotion_count);
    } else {
        visit_cart(&l);
        visit_coupons(&l, coupons, coupon_count);
    }
    return list_marked(&l, out, count);
}
