/*
 * The products of a rehearsal's carts, which are of the retailer's own book: some
 * that the promotion's filters match, some that they do not; where no sampled
 * product matches a filter, one is made up that does.
 */

#include "engine/rehearse_data.h"

#define FILTERS_MOST   32
#define MADE_UP_PRICE  1000

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
add_condition(filters_t *f, pos_wishes_t *w, const pos_condition_t *c)
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
ask(const pos_subject_t *s, filters_t *f, pos_wishes_t *w)
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


void
pos_rehearsal_wishes(const pos_subject_t *s, pos_wishes_t *out)
{
    filters_t unused;

    ask(s, &unused, out);
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

    if (!pos_str_eq(code, pos_str(POS_REHEARSAL_COUPON))) {
        return source->coupon(source->ctx, code, arena, out);
    }
    coupon = pos_arena_alloc(arena, sizeof(*coupon));
    if (coupon == NULL) {
        return POS_NO_MEMORY;
    }
    *coupon = (pos_coupon_t) { .code = pos_str(POS_REHEARSAL_COUPON), .promotion_count = 1,
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


pos_str_t
pos_rehearsal_first(const pos_strset_t *set, pos_str_t otherwise)
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
    p->sku = pos_arena_str(r->arena, pos_rehearsal_first(&f->sku, name));
    p->name = p->sku;
    p->brand = pos_arena_str(r->arena, pos_rehearsal_first(&f->brand, pos_str("")));
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
    pos_wishes_t             unused;
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
