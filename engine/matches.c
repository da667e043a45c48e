/* What filters find in one cart, by the filter's text. */

#include "engine/matches.h"

#include "base/map.h"

#define FEW  256    /* items: to ask them all takes no longer than to look up */

struct pos_matches_s {
    pos_arena_t *arena;
    pos_map_t    found;
    uint32_t    *room;       /* scratch: as many as items */
    int64_t      weight;     /* -1: not asked for yet */
    bool         closed;
};

pos_status_t
pos_matches_init(pos_cart_t *cart)
{
    pos_matches_t *m;

    cart->matches = NULL;
    if (cart->item_count < FEW) {
        return POS_OK;
    }
    m = pos_arena_zalloc(cart->arena, sizeof(*m));
    if (m == NULL) {
        return POS_NO_MEMORY;
    }
    m->arena = cart->arena;
    m->weight = -1;
    m->room = pos_arena_alloc(cart->arena, cart->item_count * sizeof(*m->room));
    if (m->room == NULL || pos_map_init(&m->found, cart->arena, 16) != POS_OK) {
        return POS_NO_MEMORY;
    }
    cart->matches = m;
    return POS_OK;
}

void
pos_matches_close(const pos_cart_t *cart, bool closed)
{
    if (cart->matches) {
        cart->matches->closed = closed;
    }
}

void
pos_items_of_sku(const pos_cart_t *cart, pos_str_t sku, uint32_t *from, uint32_t *until)
{
    uint32_t low = 0, high = cart->item_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (pos_str_cmp(cart->items[middle].product->sku, sku) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *from = low;
    while (low < cart->item_count && pos_str_eq(cart->items[low].product->sku, sku)) {
        low++;
    }
    *until = low;
}

/* Items come in canonical order, so equal SKUs are neighbours. */
static void
ask(const pos_cart_t *cart, const pos_filter_t *filter, pos_found_t *found)
{
    const pos_item_t *last = NULL;
    uint32_t         *items = cart->matches->room;

    *found = (pos_found_t) { .match = { pos_filter_list(filter, cart, 0, cart->item_count, items), NULL } };
    for (uint32_t k = 0; k < found->match.count; k++) {
        const pos_item_t *item = &cart->items[items[k]];

        found->quantity += item->quantity;
        found->subtotal += item->subtotal;
        found->distinct += last == NULL || !pos_str_eq(last->product->sku, item->product->sku);
        last = item;
    }
}

/* What was found last, from the scratch. */
static bool
list(const pos_cart_t *cart, pos_found_t *found)
{
    uint32_t *items;

    if (found->match.items) {
        return true;
    }
    items = pos_arena_alloc(cart->matches->arena, (found->match.count + 1) * sizeof(*items));
    if (items) {
        memcpy(items, cart->matches->room, found->match.count * sizeof(*items));
    }
    found->match.items = items;
    return items != NULL;
}

const pos_found_t *
pos_matches_get(const pos_cart_t *cart, const pos_filter_t *filter, bool listed)
{
    pos_matches_t *m = cart->matches;
    pos_found_t   *found;
    pos_str_t      key;

    if (filter && (filter->selection || filter->sku.count == 1)) {
        return NULL;
    }
    key = filter && !filter->any ? filter->json : pos_str("");
    found = pos_map_get(&m->found, key);
    if (m->closed) {
        return found && (!listed || found->match.items) ? found : NULL;
    }
    if (found == NULL) {
        found = pos_arena_zalloc(m->arena, sizeof(*found));
        if (found == NULL || pos_map_set(&m->found, key, found, NULL) != POS_OK) {
            return NULL;
        }
        ask(cart, filter, found);
    } else if (listed && found->match.items == NULL) {
        ask(cart, filter, found);
    }
    return listed && !list(cart, found) ? NULL : found;
}

int64_t
pos_matches_weight(const pos_cart_t *cart)
{
    __int128 sum = 0;

    if (cart->matches && cart->matches->weight >= 0) {
        return cart->matches->weight;
    }
    for (uint32_t i = 0; i < cart->item_count; i++) {
        const pos_item_t *item = &cart->items[i];

        if (!item->gift) {
            sum += (__int128) item->product->weight_grams * item->quantity;
        }
    }
    sum /= POS_THOUSANDTHS;
    sum = sum > POS_MONEY_MAX ? POS_MONEY_MAX : sum;
    if (cart->matches) {
        cart->matches->weight = (int64_t) sum;
    }
    return (int64_t) sum;
}
