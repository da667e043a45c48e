/*
 * Carts for a rehearsal. Their products are of the retailer's own book: some
 * that the promotion's filters match, some that they do not; where no sampled
 * product matches a filter, one is made up that does. Who buys, where, when and
 * how much goes through what the promotion's condition asks for and through
 * what shops see anyway.
 */

#include "engine/rehearse_data.h"

#include <stdio.h>

#define FILTERS_MOST   32
#define HALF_HOUR      (INT64_C(30) * 60 * 1000000)
#define STRIDE         (INT64_C(29) * 3600 * 1000000 + INT64_C(13) * 60 * 1000000)
#define WEEK_STEPS     (7 * 48 + 1)
#define COUPON         "REHEARSAL"
#define MADE_UP_PRICE  1000

/* How much of what the n-th cart holds, by n % 8. */
typedef struct {
    uint32_t matching, others;     /* how many products of each at most      */
    int64_t  quantity;             /* of each                                */
} shape_t;

static const shape_t shapes[] = { { 1, 0, 1 }, { 1, 0, 2 }, { 2, 2, 3 }, { 0, 2, 1 },
    { 1, 1, 5 }, { 8, 4, 12 }, { 8, 0, 60 }, { 2, 1, 1 } };

/* What the promotion's condition names: the first of each kind. */
typedef struct {
    const pos_condition_t *store, *channel, *tender, *fulfilment, *ship_to, *customer;
    const pos_condition_t *attribute;
} wishes_t;

typedef struct {
    uint32_t            count;
    const pos_filter_t *list[FILTERS_MOST];
} filters_t;


/* ---- what the promotion asks for ---- */

static void
add_filter(filters_t *f, const pos_filter_t *filter)
{
    if (filter != NULL && !filter->any && filter->selection == NULL && f->count < FILTERS_MOST) {
        f->list[f->count++] = filter;
    }
}


static void
add_effect(filters_t *f, const pos_effect_t *e)
{
    add_filter(f, e->filter);
    add_filter(f, e->gift_per);
    for (uint32_t i = 0; i < e->part_count; i++) {
        add_filter(f, e->parts[i].filter);
    }
    for (uint32_t i = 0; i < e->get_count; i++) {
        add_filter(f, e->gets[i].filter);
    }
}


static void
add_condition(filters_t *f, wishes_t *w, const pos_condition_t *c)
{
    const pos_condition_t **wish = NULL;

    if (c == NULL || c->kind == POS_COND_NOT) {
        return;
    }
    add_filter(f, c->filter);
    for (uint32_t i = 0; i < c->child_count; i++) {
        add_condition(f, w, c->children[i]);
    }
    switch (c->kind) {
    case POS_COND_STORE:
        wish = &w->store;
        break;
    case POS_COND_CHANNEL:
        wish = &w->channel;
        break;
    case POS_COND_TENDER:
        wish = &w->tender;
        break;
    case POS_COND_FULFILMENT:
        wish = &w->fulfilment;
        break;
    case POS_COND_SHIP_TO:
        wish = &w->ship_to;
        break;
    case POS_COND_CUSTOMER:
        wish = &w->customer;
        break;
    case POS_COND_ATTRIBUTE:
        wish = &w->attribute;
        break;
    default:
        return;
    }
    *wish = *wish != NULL ? *wish : c;
}


static void
ask(const pos_subject_t *s, filters_t *f, wishes_t *w)
{
    const pos_promotion_t *p = s->promotion;

    memset(f, 0, sizeof(*f));
    memset(w, 0, sizeof(*w));
    add_condition(f, w, p->when);
    for (uint32_t i = 0; i < p->effect_count; i++) {
        add_effect(f, &p->effects[i]);
        add_condition(f, w, p->effects[i].when);
    }
    if (p->script != NULL) {
        f->count += pos_script_filters(p->script, &f->list[f->count], FILTERS_MOST - f->count);
    }
}


/* ---- products ---- */

pos_status_t
pos_rehearsal_samples(pos_rehearsal_t *r)
{
    const pos_product_t *p;
    pos_status_t         status = POS_OK;

    for (uint32_t i = 0; i < r->options.sku_count && status != POS_NO_MEMORY
         && r->sample_count < POS_REHEARSAL_SAMPLES; i++)
    {
        status = r->options.source->product(r->options.source->ctx, r->options.skus[i], r->arena, &p);
        if (status == POS_OK && p->price_count > 0) {
            r->samples[r->sample_count++] = p;
        }
    }
    return status == POS_NO_MEMORY ? status : POS_OK;
}


pos_status_t
pos_rehearsal_product(void *ctx, pos_str_t sku, pos_arena_t *arena, const pos_product_t **out)
{
    pos_rehearsal_t         *r = ctx;
    const pos_book_source_t *source = r->options.source;

    *out = pos_map_get(&r->made_up, sku);
    return *out != NULL ? POS_OK : source->product(source->ctx, sku, arena, out);
}


/* The promotion of the step brings its coupon along. */
pos_status_t
pos_rehearsal_coupon(void *ctx, pos_str_t code, pos_arena_t *arena, const pos_coupon_t **out)
{
    pos_rehearsal_t         *r = ctx;
    const pos_book_source_t *source = r->options.source;
    pos_coupon_t            *coupon;

    if (!pos_str_eq(code, pos_str(COUPON))) {
        return source->coupon(source->ctx, code, arena, out);
    }
    coupon = pos_arena_alloc(arena, sizeof(*coupon));
    if (coupon == NULL) {
        return POS_NO_MEMORY;
    }
    *coupon = (pos_coupon_t) { .code = pos_str(COUPON), .promotion_count = 1,
        .promotions = &r->current->promotion->id, .remaining = -1, .per_customer = -1,
        .from = POS_TIME_MIN, .until = POS_TIME_MAX };
    *out = coupon;
    return POS_OK;
}


/* Does the filter match the product by any of its prices? */
static bool
matches(const pos_rehearsal_t *r, const pos_product_t *p, const pos_filter_t *f)
{
    const pos_category_t *categories[64];
    pos_line_t            line = { .sku = p->sku };
    pos_item_t            item = { .product = p, .line = &line, .categories = categories,
                   .sku_hash = pos_hash64(p->sku) };

    for (uint32_t i = 0; i < p->category_count; i++) {
        const pos_category_t *c = pos_map_get(&r->options.book->categories, p->categories[i]);

        for (; c != NULL && item.category_count < 64; c = c->parent) {
            categories[item.category_count++] = c;
        }
    }
    for (uint32_t i = 0; i < p->price_count; i++) {
        item.unit_price = p->prices[i].amount;
        item.on_sale = p->prices[i].sale;
        if (pos_filter_match(f, &item)) {
            return true;
        }
    }
    return false;
}


static bool
in_pool(const pos_pool_t *pool, const pos_product_t *p)
{
    for (uint32_t i = 0; i < pool->matching_count; i++) {
        if (pool->matching[i] == p) {
            return true;
        }
    }
    return false;
}


static void
add_matching(pos_pool_t *pool, const pos_product_t *p)
{
    if (pool->matching_count < POS_REHEARSAL_POOL && !in_pool(pool, p)) {
        pool->matching[pool->matching_count++] = p;
    }
}


static pos_price_t *
made_up_prices(pos_rehearsal_t *r, int64_t amount, bool sale, uint32_t *count)
{
    const pos_book_t *book = r->options.book;
    pos_price_t      *prices = pos_arena_array(r->arena, book->list_count + 1, sizeof(*prices));

    *count = book->list_count;
    for (uint32_t i = 0; prices != NULL && i < book->list_count; i++) {
        prices[i] = (pos_price_t) { book->list_array[i].code, amount, 0, POS_TIME_MIN,
            POS_TIME_MAX, sale };
    }
    return prices;
}


static pos_str_t
first_of(const pos_strset_t *set, pos_str_t otherwise)
{
    return set->count > 0 ? set->values[0] : otherwise;
}


/* A product that the filter (NULL: none) matches, as far as products can. */
static pos_status_t
make_up(pos_rehearsal_t *r, const pos_filter_t *f, const pos_product_t **out)
{
    static const pos_filter_t none = { .unit_price = { POS_NONE, POS_INF }, .on_sale = -1 };
    pos_product_t            *p = pos_arena_zalloc(r->arena, sizeof(*p));
    pos_price_t              *prices;
    pos_str_t                 name;
    int64_t                   amount = MADE_UP_PRICE;

    f = f != NULL ? f : &none;
    amount = amount < f->unit_price.min ? f->unit_price.min : amount;
    amount = amount > f->unit_price.max ? f->unit_price.max : amount;
    name = pos_arena_printf(r->arena, "rehearsal-%zu", r->made_up.count + 1);
    prices = made_up_prices(r, amount, f->on_sale == 1, p ? &p->price_count : &(uint32_t) { 0 });
    if (p == NULL || name.data == NULL || prices == NULL) {
        return POS_NO_MEMORY;
    }
    p->sku = pos_arena_str(r->arena, first_of(&f->sku, name));
    p->name = p->sku;
    p->brand = pos_arena_str(r->arena, first_of(&f->brand, pos_str("")));
    p->unit = pos_str("each");
    p->tax_category = pos_str("");
    p->prices = prices;
    p->min_price = 0;
    if (f->category.count > 0) {
        p->categories = f->category.values;
        p->category_count = 1;
    }
    if (f->tag.count > 0) {
        p->tags = f->tag.values;
        p->tag_count = 1;
    }
    *out = p;
    return p->sku.data == NULL || p->brand.data == NULL
        ? POS_NO_MEMORY : pos_map_set(&r->made_up, p->sku, p, NULL);
}


/* Sampled ones first, then such as the filter names, then one made up. */
static pos_status_t
fill_for(pos_rehearsal_t *r, pos_pool_t *pool, const pos_filter_t *f)
{
    const pos_product_t *p;
    uint32_t             found = 0;
    pos_status_t         status;

    for (uint32_t i = 0; i < r->sample_count && found < 2; i++) {
        if (matches(r, r->samples[i], f)) {
            add_matching(pool, r->samples[i]);
            found++;
        }
    }
    for (uint32_t i = 0; i < f->sku.count && i < 4 && found < 2; i++) {
        status = pos_rehearsal_product(r, f->sku.values[i], r->arena, &p);
        if (status == POS_OK && p->price_count > 0) {
            add_matching(pool, p);
            found++;
        } else if (status == POS_NO_MEMORY) {
            return status;
        }
    }
    if (found > 0 || pool->matching_count == POS_REHEARSAL_POOL) {
        return POS_OK;
    }
    status = make_up(r, f, &p);
    if (status == POS_OK) {
        add_matching(pool, p);
    }
    return status;
}


static void
add_attributes(pos_pool_t *pool, const pos_filter_t *f)
{
    for (uint32_t i = 0; i < f->attribute_count; i++) {
        bool known = pool->attribute_count == POS_REHEARSAL_POOL;

        for (uint32_t k = 0; k < pool->attribute_count; k++) {
            known |= pos_str_eq(pool->attributes[k].name, f->attributes[i].name);
        }
        if (!known && f->attributes[i].values.count > 0) {
            pool->attributes[pool->attribute_count++] = (pos_attribute_t) {
                f->attributes[i].name, f->attributes[i].values.values[0] };
        }
    }
}


static bool
matches_none(const pos_rehearsal_t *r, const filters_t *filters, const pos_product_t *p)
{
    for (uint32_t i = 0; i < filters->count; i++) {
        if (matches(r, p, filters->list[i])) {
            return false;
        }
    }
    return true;
}


pos_status_t
pos_rehearsal_pool(pos_rehearsal_t *r, pos_subject_t *s)
{
    pos_pool_t          *pool = &s->pool;
    const pos_product_t *p;
    filters_t            filters;
    wishes_t             unused;
    pos_status_t         status = POS_OK;

    memset(pool, 0, sizeof(*pool));
    ask(s, &filters, &unused);
    for (uint32_t i = 0; i < filters.count && status == POS_OK; i++) {
        status = fill_for(r, pool, filters.list[i]);
        add_attributes(pool, filters.list[i]);
    }
    for (uint32_t i = 0; i < r->sample_count; i++) {
        if (filters.count == 0) {
            add_matching(pool, r->samples[i]);
        } else if (pool->other_count < POS_REHEARSAL_POOL && matches_none(r, &filters, r->samples[i])) {
            pool->others[pool->other_count++] = r->samples[i];
        }
    }
    if (status == POS_OK && pool->matching_count + pool->other_count == 0) {
        status = make_up(r, NULL, &p);
        if (status == POS_OK) {
            add_matching(pool, p);
        }
    }
    return status;
}


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
store_for(const pos_rehearsal_t *r, const wishes_t *w, const pos_price_list_t *list, uint32_t n)
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
channel_for(const wishes_t *w, const pos_price_list_t *list, uint32_t n)
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
write_customer(pos_writer_t *w, const pos_rehearsal_t *r, const wishes_t *wishes,
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
        pos_write_string(w, wish ? first_of(&wish->values, pos_str("GB")) : pos_str("GB"));
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
    filters_t               unused;
    wishes_t                wishes;
    int64_t                 at;

    ask(s, &unused, &wishes);
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
        pos_write_string(w, pos_str(COUPON));
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
