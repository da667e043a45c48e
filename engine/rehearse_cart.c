/*
 * Carts for a rehearsal. Who buys, where, when and how much goes through what the
 * promotion's condition asks for and through what shops see anyway; the products
 * are those of the pool.
 */

#include "engine/rehearse_data.h"

#include <stdio.h>

#define HALF_HOUR   (INT64_C(30) * 60 * 1000000)
#define STRIDE      (INT64_C(29) * 3600 * 1000000 + INT64_C(13) * 60 * 1000000)
#define WEEK_STEPS  (7 * 48 + 1)

/* How much of what the n-th cart holds, by n % 8. */
typedef struct {
    uint32_t matching, others;     /* how many products of each at most      */
    int64_t  quantity;             /* of each                                */
} shape_t;

static const shape_t shapes[] = { { 1, 0, 1 }, { 1, 0, 2 }, { 2, 2, 3 }, { 0, 2, 1 },
    { 1, 1, 5 }, { 8, 4, 12 }, { 8, 0, 60 }, { 2, 1, 1 } };


/* ---- where, when, who ---- */

static const pos_price_list_t *
list_for(const pos_rehearsal_t *r, uint32_t n)
{
    const pos_book_t *book = r->options.book;

    return book->list_count ? &book->list_array[n % book->list_count] : NULL;
}


static const pos_store_t *
any_store(const pos_book_t *book, uint32_t n)
{
    const pos_store_t *found = NULL;
    uint32_t           skip = book->stores.count ? n % (uint32_t) book->stores.count : 0;

    for (size_t i = 0; book->stores.count > 0 && i <= book->stores.mask; i++) {
        if (book->stores.slots[i].hash != 0) {
            found = book->stores.slots[i].value;
            if (skip-- == 0) {
                break;
            }
        }
    }
    return found;
}


static const pos_store_t *
store_for(const pos_rehearsal_t *r, const pos_wishes_t *w, const pos_price_list_t *list, uint32_t n)
{
    const pos_book_t *book = r->options.book;

    if (w->store != NULL && w->store->values.count > 0) {
        return pos_map_get(&book->stores, w->store->values.values[n % w->store->values.count]);
    }
    if (list != NULL && list->stores.count > 0) {
        return pos_map_get(&book->stores, list->stores.values[n % list->stores.count]);
    }
    return n % 7 == 6 ? NULL : any_store(book, n / 2);
}


static pos_str_t
channel_for(const pos_wishes_t *w, const pos_price_list_t *list, uint32_t n)
{
    if (w->channel != NULL && w->channel->values.count > 0) {
        return w->channel->values.values[n % w->channel->values.count];
    }
    if (list != NULL && list->channels.count > 0) {
        return list->channels.values[n % list->channels.count];
    }
    return n % 2 ? pos_str("pos") : pos_str("web");
}


/* A moment at which the promotion is live, if there is one near. */
static int64_t
time_for(const pos_rehearsal_t *r, const pos_promotion_t *p, const pos_store_t *store, uint32_t n)
{
    const pos_zone_t *zone = store && store->zone ? store->zone : r->options.book->zone;
    pos_cart_t        cart = { .at = r->options.now + n * STRIDE };
    int64_t           start;

    if (cart.at < p->from) {
        cart.at = p->from + n * HALF_HOUR;
    }
    if (cart.at >= p->until) {
        start = p->from == POS_TIME_MIN ? p->until - STRIDE : p->from;
        cart.at = start + (p->until - start) / (POS_REHEARSAL_CARTS + 1) * n;
    }
    start = cart.at;
    for (uint32_t i = 0; i < WEEK_STEPS; i++) {
        pos_civil_of(zone, cart.at, &cart.local);
        if (pos_promotion_inactive(p, &cart) == NULL) {
            return cart.at;
        }
        cart.at += HALF_HOUR;
    }
    return start;
}


static void
write_birthday(pos_writer_t *w, const pos_zone_t *zone, int64_t at, bool today)
{
    char        text[24];
    pos_civil_t day;
    int         n;

    pos_civil_of(zone, at, &day);
    n = snprintf(text, sizeof(text), "1990-%02u-%02u", (unsigned) (today ? day.month : day.month % 12 + 1),
        (unsigned) (today && !(day.month == 2 && day.day == 29) ? day.day : 1));
    pos_write_key(w, "birthday");
    pos_write_string(w, pos_str_of(text, (size_t) n));
}


static void
write_groups(pos_writer_t *w, const pos_condition_t *wish, const pos_price_list_t *list, uint32_t n)
{
    const pos_strset_t *groups = wish && wish->values.count ? &wish->values
        : list ? &list->customer_groups : NULL;

    pos_write_key(w, "groups");
    pos_write_array_begin(w);
    if (groups != NULL && groups->count > 0) {
        pos_write_string(w, groups->values[n % groups->count]);
    }
    pos_write_array_end(w);
}


/* Nobody, somebody of whom only the name is known, a new and an old customer. */
static void
write_customer(pos_writer_t *w, const pos_rehearsal_t *r, const pos_wishes_t *wishes,
    const pos_price_list_t *list, const pos_store_t *store, int64_t at, uint32_t n)
{
    const pos_condition_t *wish = wishes->customer;
    const pos_zone_t      *zone = store && store->zone ? store->zone : r->options.book->zone;
    int64_t                orders = n % 4 == 2 ? 0 : 7;

    if (n % 4 == 0) {
        return;
    }
    pos_write_key(w, "customer");
    pos_write_object_begin(w);
    pos_write_key(w, "id");
    pos_write_string(w, wish && wish->ids.count ? wish->ids.values[n % wish->ids.count]
                                                : pos_str("rehearsal"));
    if (n % 4 > 1 || (wish != NULL && wish->values.count > 0)) {
        write_groups(w, wish, list, n);
    }
    if (n % 4 > 1) {
        if (wish != NULL && (orders < wish->orders.min || orders > wish->orders.max)) {
            orders = wish->orders.min > 0 ? wish->orders.min : 0;
        }
        pos_write_key(w, "orders");
        pos_write_int(w, orders);
        write_birthday(w, zone, at, n % 4 == 2 || (wish != NULL && wish->birthday == 1));
    }
    pos_write_object_end(w);
}


/* ---- the rest of a cart ---- */

static void
write_one(pos_writer_t *w, pos_str_t name, const pos_condition_t *wish, pos_str_t otherwise,
    uint32_t n)
{
    bool asked = wish != NULL && wish->values.count > 0;

    if (asked || n % 3 == 1) {
        pos_write_key_str(w, name);
        pos_write_string(w, asked ? wish->values.values[n % wish->values.count] : otherwise);
    }
}


static void
write_list(pos_writer_t *w, pos_str_t name, const pos_condition_t *wish, pos_str_t otherwise,
    uint32_t n)
{
    bool asked = wish != NULL && wish->values.count > 0;

    if (asked || n % 3 == 2) {
        pos_write_key_str(w, name);
        pos_write_array_begin(w);
        pos_write_string(w, asked ? wish->values.values[n % wish->values.count] : otherwise);
        pos_write_array_end(w);
    }
}


static void
write_delivery(pos_writer_t *w, const pos_condition_t *wish, uint32_t n)
{
    if (wish != NULL || n % 3 == 1) {
        pos_write_key(w, "ship_to");
        pos_write_object_begin(w);
        pos_write_key(w, "country");
        pos_write_string(w, wish ? pos_rehearsal_first(&wish->values, pos_str("GB")) : pos_str("GB"));
        if (wish != NULL && wish->ids.count > 0) {
            pos_write_key(w, "region");
            pos_write_string(w, wish->ids.values[0]);
        }
        pos_write_object_end(w);
    }
    if (n % 2 == 0) {
        pos_write_key(w, "shipping");
        pos_write_object_begin(w);
        pos_write_key(w, "method");
        pos_write_string(w, pos_str("standard"));
        pos_write_key(w, "amount");
        pos_write_int(w, 499);
        pos_write_object_end(w);
    }
}


static void
write_attributes(pos_writer_t *w, const pos_attribute_t *list, uint32_t count)
{
    pos_write_key(w, "attributes");
    pos_write_object_begin(w);
    for (uint32_t i = 0; i < count; i++) {
        pos_write_key_str(w, list[i].name);
        pos_write_string(w, list[i].value);
    }
    pos_write_object_end(w);
}


static void
write_wished_attributes(pos_writer_t *w, const pos_condition_t *wish)
{
    pos_attribute_t list[POS_REHEARSAL_POOL];
    uint32_t        count = 0;

    for (uint32_t i = 0; wish && i < wish->attribute_count && count < POS_REHEARSAL_POOL; i++) {
        if (wish->attributes[i].values.count > 0) {
            list[count++] = (pos_attribute_t) { wish->attributes[i].name,
                wish->attributes[i].values.values[0] };
        }
    }
    if (count > 0) {
        write_attributes(w, list, count);
    }
}


/* A list's currency and tax hold for the whole cart, so its lines are such as
 * have a price of that kind. */
static bool
sellable(const pos_rehearsal_t *r, const pos_product_t *p, const pos_price_list_t *list)
{
    for (uint32_t i = 0; list != NULL && i < p->price_count; i++) {
        const pos_price_list_t *of = pos_map_get(&r->options.book->lists, p->prices[i].list);

        if (of != NULL && pos_str_eq(of->currency, list->currency)
            && of->tax_included == list->tax_included
            && (of == list || of->stores.count + of->channels.count + of->customer_groups.count == 0))
        {
            return true;
        }
    }
    return false;
}


static void
write_lines_of(pos_writer_t *w, const pos_rehearsal_t *r, const pos_pool_t *pool,
    const pos_product_t *const *products, uint32_t count, uint32_t most, int64_t quantity,
    const pos_price_list_t *list, uint32_t n)
{
    uint32_t written = 0;

    for (uint32_t i = 0; i < count && written < most; i++) {
        const pos_product_t *p = products[(i + n) % count];

        if (!sellable(r, p, list)) {
            continue;
        }
        pos_write_object_begin(w);
        pos_write_key(w, "sku");
        pos_write_string(w, p->sku);
        pos_write_key(w, "quantity");
        pos_write_decimal(w, p->measured ? quantity * POS_THOUSANDTHS + 250
                                         : quantity * POS_THOUSANDTHS, 3);
        if (n % 4 != 1 && pool->attribute_count > 0 && products == pool->matching) {
            write_attributes(w, pool->attributes, pool->attribute_count);
        }
        pos_write_object_end(w);
        written++;
    }
}


static void
write_lines(pos_writer_t *w, const pos_rehearsal_t *r, const pos_pool_t *pool,
    const pos_price_list_t *list, uint32_t n)
{
    shape_t shape = shapes[n % 8];

    if (pool->other_count == 0 && shape.matching == 0) {
        shape.matching = 1;
    }
    pos_write_key(w, "lines");
    pos_write_array_begin(w);
    write_lines_of(w, r, pool, pool->matching, pool->matching_count, shape.matching, shape.quantity, list, n);
    write_lines_of(w, r, pool, pool->others, pool->other_count, shape.others, shape.quantity, list, n);
    pos_write_array_end(w);
}


pos_status_t
pos_rehearsal_cart(pos_rehearsal_t *r, const pos_subject_t *s, uint32_t n, pos_writer_t *w)
{
    const pos_price_list_t *list = list_for(r, n);
    const pos_store_t      *store;
    pos_wishes_t            wishes;
    int64_t                 at;

    pos_rehearsal_wishes(s, &wishes);
    store = store_for(r, &wishes, list, n);
    at = time_for(r, s->promotion, store, n);
    pos_write_object_begin(w);
    if (list != NULL) {
        pos_write_key(w, "currency");
        pos_write_string(w, list->currency);
    }
    if (store != NULL) {
        pos_write_key(w, "store");
        pos_write_string(w, store->code);
    }
    pos_write_key(w, "channel");
    pos_write_string(w, channel_for(&wishes, list, n));
    pos_write_key(w, "at");
    pos_write_time(w, at);
    write_customer(w, r, &wishes, list, store, at, n);
    write_list(w, pos_str("tenders"), wishes.tender, pos_str("card"), n);
    write_one(w, pos_str("fulfilment"), wishes.fulfilment, pos_str("delivery"), n);
    write_delivery(w, wishes.ship_to, n);
    write_wished_attributes(w, wishes.attribute);
    if (s->promotion->coupon) {
        pos_write_key(w, "coupons");
        pos_write_array_begin(w);
        pos_write_string(w, pos_str(POS_REHEARSAL_COUPON));
        pos_write_array_end(w);
    }
    pos_write_key(w, "session");
    pos_write_string(w, pos_arena_printf(r->scratch, "rehearsal-%u", n));
    write_lines(w, r, &s->pool, list, n);
    pos_write_key(w, "explain");
    pos_write_bool(w, true);
    pos_write_object_end(w);
    return w->status;
}
