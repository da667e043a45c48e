/* Shelf prices: what one SKU costs in a context, before any promotion. */

#include "engine/work.h"

/* Every fault is named, not the first alone. */
static pos_status_t
context(const pos_quote_options_t *options, const pos_price_query_t *query, pos_arena_t *arena,
    pos_faults_t *faults, pos_cart_t *cart)
{
    pos_str_t         at = options->pointer;
    const pos_zone_t *zone = options->book->zone;
    pos_status_t      status = POS_OK;
    unsigned          exponent;
    uint64_t         *hash;

    *cart = (pos_cart_t) { .book = options->book, .arena = arena, .at = query->at,
        .channel = query->channel,
        .currency = query->currency.len ? query->currency : options->book->currency };
    if (!pos_currency_exponent(cart->currency, &exponent)) {
        status = pos_fault(faults, pos_json_pointer(arena, at, pos_str("currency")), "unknown_currency",
            "no such ISO 4217 currency");
    }
    if (query->store.len) {
        cart->store = pos_map_get(&options->book->stores, query->store);
        if (cart->store == NULL) {
            status = pos_fault(faults, pos_json_pointer(arena, at, pos_str("store")), "unknown_store",
                "no such store");
        } else if (cart->store->zone != NULL) {
            zone = cart->store->zone;
        }
    }
    if (query->at_text.len && !pos_time_read(query->at_text, zone, &cart->at)) {
        status = pos_fault(faults, pos_json_pointer(arena, at, pos_str("at")), "format",
            "must be an RFC 3339 time");
    }
    if (query->customer_group.len) {
        hash = pos_arena_alloc(arena, sizeof(*hash));
        if (hash == NULL) {
            return POS_NO_MEMORY;
        }
        *hash = pos_hash64(query->customer_group);
        cart->customer_groups = (pos_strset_t) { 1, hash, &query->customer_group };
    }
    return status;
}

static void
write_time_or_null(pos_writer_t *out, int64_t at)
{
    if (at == POS_TIME_MIN || at == POS_TIME_MAX) {
        pos_write_null(out);
    } else {
        pos_write_time(out, at);
    }
}

pos_status_t
pos_price_write(const pos_quote_options_t *options, const pos_price_query_t *query, pos_str_t sku,
    pos_arena_t *arena, pos_faults_t *faults, pos_writer_t *out)
{
    pos_cart_t           cart;
    const pos_product_t *product;
    pos_chosen_price_t   price;
    uint8_t             *fits;
    pos_lowest_room_t    room = { 0 };
    pos_lowest_t         lowest = { 0 };
    pos_status_t         status = context(options, query, arena, faults, &cart);

    if (status != POS_OK) {
        return status;
    }
    fits = pos_arena_zalloc(arena, options->book->list_count + 1);
    if (fits == NULL) {
        return POS_NO_MEMORY;
    }
    status = options->source->product(options->source->ctx, sku, arena, &product);
    if (status == POS_NOT_FOUND) {
        return pos_fault(faults, options->pointer, "unknown_sku", "no such SKU");
    }
    if (status != POS_OK) {
        return status;
    }
    if (!pos_price_choose(&cart, fits, product, query->quantity, &price)) {
        return pos_fault(faults, options->pointer, "no_price", "this SKU has no price for this store, channel, customer, currency and time");
    }
    if (price.sale) {
        status = pos_price_lowest(&cart, product, query->quantity, &room, &lowest);
        if (status != POS_OK) {
            return status;
        }
    }
    pos_write_object_begin(out);
    pos_write_key(out, "sku");
    pos_write_string(out, product->sku);
    pos_write_key(out, "name");
    pos_write_string(out, product->name);
    pos_write_key(out, "currency");
    pos_write_string(out, cart.currency);
    pos_write_key(out, "list_price");
    pos_write_int(out, price.list_price);
    pos_write_key(out, "unit_price");
    pos_write_int(out, price.unit_price);
    pos_write_key(out, "on_sale");
    pos_write_bool(out, price.sale);
    if (price.sale) {
        pos_write_key(out, "lowest_30d");
        if (lowest.known) {
            pos_write_int(out, lowest.amount);
        } else {
            pos_write_null(out);
        }
    }
    pos_write_key(out, "price_list");
    pos_write_string(out, price.list->code);
    pos_write_key(out, "tax_included");
    pos_write_bool(out, price.list->tax_included);
    pos_write_key(out, "from");
    write_time_or_null(out, price.from);
    pos_write_key(out, "until");
    write_time_or_null(out, price.until);
    pos_write_object_end(out);
    return out->status;
}
