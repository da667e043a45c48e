/*
 * The check's steps: which products the draft is for, carts of each with what else
 * the draft asks for, and what the engine made of them.
 */

#include "engine/check_data.h"

#include "engine/quote.h"

#include <stdlib.h>

#define BLOCK_SIZE      65536
#define TEXT_MAX        (4u << 20)     /* bytes of a quote's JSON            */

/* ---- the door ---- */

pos_status_t
pos_check_create(const pos_check_options_t *options, pos_check_t **out)
{
    pos_check_t *c = calloc(1, sizeof(*c));
    uint32_t     place;

    *out = NULL;
    if (c == NULL) {
        return POS_NO_MEMORY;
    }
    c->options = *options;
    c->arena = pos_arena_create(BLOCK_SIZE, 0);
    c->scratch = pos_arena_create(BLOCK_SIZE, 0);
    c->reader = pos_json_reader_create(TEXT_MAX);
    if (c->arena == NULL || c->scratch == NULL || c->reader == NULL) {
        pos_check_destroy(c);
        return POS_NO_MEMORY;
    }
    if (!pos_book_find(options->book, options->id, &place)) {
        pos_check_destroy(c);
        return POS_NOT_FOUND;
    }
    c->draft = options->book->promotions[place];
    if (pos_check_prepare(c) != POS_OK) {
        pos_check_destroy(c);
        return POS_NO_MEMORY;
    }
    *out = c;
    return POS_OK;
}


void
pos_check_destroy(pos_check_t *c)
{
    if (c == NULL) {
        return;
    }
    free(c->skus);
    pos_json_reader_destroy(c->reader);
    pos_arena_destroy(c->scratch);
    pos_arena_destroy(c->arena);
    free(c);
}


/* ---- products ---- */

/* Is it among those of a filter before? */
static bool
is_named(const pos_check_t *c, uint32_t filters, pos_str_t sku, uint64_t hash)
{
    for (uint32_t i = 0; i < filters; i++) {
        if (pos_strset_has(&c->wanted[i].filter->sku, sku, hash)) {
            return true;
        }
    }
    return false;
}


bool
pos_check_names(pos_check_t *c, const pos_str_t **skus, uint32_t *count)
{
    uint32_t   total = 0;
    pos_str_t *list;

    for (uint32_t i = 0; i < c->wanted_count; i++) {
        if (c->wanted[i].filter->sku.count == 0) {
            return false;
        }
        total += c->wanted[i].filter->sku.count;
    }
    list = c->everything || c->wanted_count == 0 ? NULL : pos_arena_array(c->arena, total, sizeof(*list));
    if (list == NULL) {
        return false;
    }
    *skus = list;
    *count = 0;
    for (uint32_t i = 0; i < c->wanted_count; i++) {
        const pos_strset_t *set = &c->wanted[i].filter->sku;

        for (uint32_t k = 0; k < set->count; k++) {
            if (!is_named(c, i, set->values[k], set->hashes[k])) {
                list[(*count)++] = set->values[k];
            }
        }
    }
    return true;
}


static pos_status_t
keep(pos_check_t *c, pos_str_t sku)
{
    c->matched++;
    if (c->sku_count == POS_CHECK_PRODUCTS) {
        return POS_OK;
    }
    if (c->sku_count == c->sku_room) {
        uint32_t   room = c->sku_room ? 2 * c->sku_room : 256;
        pos_str_t *skus = realloc(c->skus, room * sizeof(*skus));

        if (skus == NULL) {
            return POS_NO_MEMORY;
        }
        c->skus = skus;
        c->sku_room = room;
    }
    c->skus[c->sku_count] = pos_arena_str(c->arena, sku);
    return c->skus[c->sku_count++].data == NULL ? POS_NO_MEMORY : POS_OK;
}


/* By any of its prices. */
static bool
matches(const pos_check_t *c, const pos_product_t *p, const pos_filter_t *filter)
{
    const pos_category_t *categories[64];
    pos_line_t            line = { .sku = p->sku };
    pos_item_t            item = { .product = p, .line = &line, .categories = categories,
                   .sku_hash = pos_hash64(p->sku) };

    for (uint32_t i = 0; i < p->category_count; i++) {
        const pos_category_t *category = pos_map_get(&c->options.book->categories, p->categories[i]);

        for (; category != NULL && item.category_count < 64; category = category->parent) {
            categories[item.category_count++] = category;
        }
    }
    for (uint32_t i = 0; i < p->price_count; i++) {
        item.unit_price = p->prices[i].amount;
        item.on_sale = p->prices[i].sale;
        if (pos_filter_match(filter, &item)) {
            return true;
        }
    }
    return false;
}


pos_status_t
pos_check_see(pos_check_t *c, pos_str_t sku)
{
    const pos_product_t *p;
    pos_check_brand_t   *brand;
    bool                 match = c->everything;
    pos_status_t         status;

    pos_arena_reset(c->scratch);
    status = c->options.source->product(c->options.source->ctx, sku, c->scratch, &p);
    if (status != POS_OK) {
        return status == POS_NO_MEMORY ? status : POS_OK;
    }
    brand = c->brand_count > 0 ? pos_map_get(&c->brand_of, p->brand) : NULL;
    if (brand != NULL) {
        brand->seen = true;
    }
    if (p->price_count == 0) {
        return POS_OK;
    }
    c->seen++;
    for (uint32_t i = 0; i < c->wanted_count; i++) {
        pos_check_wanted_t *w = &c->wanted[i];

        if ((w->sku.len == 0 || !match) && matches(c, p, w->filter)) {
            match = true;
            if (w->sku.len == 0) {
                w->sku = pos_arena_str(c->arena, sku);
            }
        }
    }
    return match ? keep(c, sku) : POS_OK;
}


/* ---- one cart ---- */

static void
write_line(pos_writer_t *w, pos_str_t id, pos_str_t sku, int64_t units)
{
    pos_write_object_begin(w);
    pos_write_key(w, "id");
    pos_write_string(w, id);
    pos_write_key(w, "sku");
    pos_write_string(w, sku);
    pos_write_key(w, "quantity");
    pos_write_int(w, units);
    pos_write_object_end(w);
}


static void
write_context(pos_writer_t *w, const pos_check_t *c, const pos_check_context_t *context)
{
    pos_write_key(w, "currency");
    pos_write_string(w, context->currency);
    if (context->store.len > 0) {
        pos_write_key(w, "store");
        pos_write_string(w, context->store);
    }
    pos_write_key(w, "channel");
    pos_write_string(w, context->channel);
    pos_write_key(w, "at");
    pos_write_time(w, context->at);
    if (context->group.len > 0) {
        pos_write_key(w, "customer");
        pos_write_object_begin(w);
        pos_write_key(w, "id");
        pos_write_string(w, pos_str("promotion-check"));
        pos_write_key(w, "groups");
        pos_write_array_begin(w);
        pos_write_string(w, context->group);
        pos_write_array_end(w);
        pos_write_object_end(w);
    }
    if (c->draft->coupon) {
        pos_write_key(w, "coupons");
        pos_write_array_begin(w);
        pos_write_string(w, pos_str("PROMOTION-CHECK"));
        pos_write_array_end(w);
    }
}


/* The product, and one of each other thing that the draft asks for. */
static void
write_cart(pos_writer_t *w, const pos_check_t *c, const pos_check_context_t *context, const pos_product_t *p,
    int64_t units)
{
    char id[3] = "w0";

    pos_write_object_begin(w);
    write_context(w, c, context);
    pos_write_key(w, "lines");
    pos_write_array_begin(w);
    write_line(w, pos_str("1"), p->sku, units);
    for (uint32_t i = 0; i < c->wanted_count; i++) {
        const pos_check_wanted_t *other = &c->wanted[i];

        if (other->sku.len > 0 && other->units <= POS_CHECK_UNITS && !matches(c, p, other->filter)) {
            id[1] = (char) ('a' + i);
            write_line(w, pos_str_of(id, 2), other->sku, other->units);
        }
    }
    pos_write_array_end(w);
    pos_write_object_end(w);
}


static int64_t
number(const pos_json_t *json, const char *name)
{
    const pos_json_t *v = pos_json_get(json, name);
    int64_t           n = 0;

    return v != NULL && pos_json_int64(v, &n) ? n : 0;
}


static void
note_partner(pos_check_t *c, pos_str_t id)
{
    for (uint32_t i = 0; i < c->partner_count; i++) {
        if (pos_str_eq(c->partners[i].id, id)) {
            return;
        }
    }
    if (c->partner_count == POS_CHECK_LIVE) {
        c->more_partners = true;
        return;
    }
    c->partners[c->partner_count] = (pos_check_partner_t) { pos_arena_str(c->arena, id) };
    c->partner_count += c->partners[c->partner_count].id.data != NULL;
}


/* What is left a unit of the first less than of the second? */
static bool
worse(const pos_check_loss_t *a, const pos_check_loss_t *b)
{
    return (__int128) (a->net - a->cost) * b->quantity < (__int128) (b->net - b->cost) * a->quantity;
}


static void
note_loss(pos_check_t *c, pos_check_loss_t loss)
{
    uint32_t i = c->loss_count;

    if (i < POS_CHECK_WORST) {
        c->loss_count++;
    } else if (!worse(&loss, &c->losses[--i])) {
        return;
    }
    for (; i > 0 && worse(&loss, &c->losses[i - 1]); i--) {
        c->losses[i] = c->losses[i - 1];
    }
    c->losses[i] = loss;
}


/* The product's line of a quote: does the draft bear on it, with whom, and what is
 * left of it without tax? False: the draft gives nothing on it. */
static bool
read_line(pos_check_t *c, const pos_json_t *quote, int64_t *net)
{
    const pos_json_t *lines = pos_json_get(quote, "lines"), *line = lines ? lines->first : NULL;
    const pos_json_t *included = pos_json_get(quote, "tax_included");
    const pos_json_t *list, *id;
    bool              ours = false;

    while (line != NULL && ((id = pos_json_get(line, "id")) == NULL || !pos_str_eq(id->text, pos_str("1")))) {
        line = line->next;
    }
    list = line ? pos_json_get(line, "adjustments") : NULL;
    for (const pos_json_t *a = list ? list->first : NULL; a != NULL; a = a->next) {
        id = pos_json_get(a, "promotion");
        ours |= id != NULL && pos_str_eq(id->text, c->options.id) && number(a, "amount") < 0;
    }
    if (!ours) {
        return false;
    }
    for (const pos_json_t *a = list->first; a != NULL; a = a->next) {
        id = pos_json_get(a, "promotion");
        if (id != NULL && id->type == POS_JSON_STRING && !pos_str_eq(id->text, c->options.id)) {
            note_partner(c, id->text);
        }
    }
    *net = number(line, "total");
    list = pos_json_get(line, "taxes");
    if (included != NULL && included->type == POS_JSON_TRUE) {
        for (const pos_json_t *t = list ? list->first : NULL; t != NULL; t = t->next) {
            *net -= number(t, "amount");
        }
    }
    return true;
}


/* Prices a cart. `*quote` NULL: it cannot be sold so. */
static pos_status_t
price_cart(pos_check_t *c, const pos_check_context_t *context, const pos_product_t *p, int64_t units, pos_json_t **quote)
{
    pos_quote_stats_t   stats = { 0 };
    pos_quote_options_t options = { .book = c->options.book, .source = c->options.source,
          .vm = c->options.vm, .revision = pos_str("check"), .now = c->options.now,
          .may_simulate = true, .may_customer = true, .trial = true, .pointer = pos_str("") };
    pos_faults_t        faults;
    pos_json_t         *request;
    pos_writer_t        w;
    pos_status_t        status;

    *quote = NULL;
    pos_writer_init(&w, c->scratch, 1024, TEXT_MAX);
    write_cart(&w, c, context, p, units);
    pos_faults_init(&faults, c->scratch);
    status = w.status == POS_OK
        ? pos_json_read(c->reader, pos_writer_result(&w), c->scratch, &faults, &request) : w.status;
    if (status != POS_OK) {
        return status;
    }
    pos_writer_init(&w, c->scratch, 8192, TEXT_MAX);
    status = pos_quote(&options, request, c->scratch, &faults, &w, &stats);
    /* Another's script may fail as it likes: its promotion is left out, here as at a till. */
    for (uint32_t i = 0; i < stats.failure_count; i++) {
        c->failures += pos_str_eq(stats.failures[i].promotion, c->options.id);
    }
    if (status == POS_INVALID) {
        return POS_OK;
    }
    if (status == POS_OK) {
        status = w.status;
    }
    return status == POS_OK
        ? pos_json_read(c->reader, pos_writer_result(&w), c->scratch, &faults, quote) : status;
}


/* The units that this product is tried with: the n-th; 0: no more. */
static int64_t
nth_quantity(const pos_check_t *c, const pos_product_t *p, uint32_t n)
{
    int64_t units;

    if (n < c->quantity_count) {
        return c->quantities[n];
    }
    if (n > c->quantity_count || c->amount == 0 || p->prices[0].amount <= 0) {
        return 0;
    }
    units = (c->amount + p->prices[0].amount - 1) / p->prices[0].amount;
    return units > 1 && units <= POS_THOUSANDTHS * 100 ? units : 0;
}


/* All carts of the product at hand are priced. */
static void
end_product(pos_check_t *c, const pos_product_t *p)
{
    pos_check_loss_t worst = c->worst;

    worst.sku = c->skus[c->at++];
    c->priced++;
    c->applied += c->given;
    c->context = c->nth = 0;
    c->given = false;
    c->worst.quantity = 0;
    if (worst.quantity == 0 || !p->has_cost) {
        return;
    }
    if (worst.net < worst.cost) {
        c->below_cost++;
    } else if (c->options.margin_ppm >= 0
               && (__int128) (worst.net - worst.cost) * POS_PPM < (__int128) worst.net * c->options.margin_ppm)
    {
        c->below_margin++;
    } else {
        return;
    }
    note_loss(c, worst);
}


/* The next cart of a product. */
static pos_status_t
step_product(pos_check_t *c, const pos_product_t *p)
{
    int64_t          units = c->context < c->context_count ? nth_quantity(c, p, c->nth++) : 0;
    pos_check_loss_t loss = { .sku = pos_str(""), .quantity = units };
    bool             comparable;
    pos_json_t      *quote;
    pos_status_t     status;

    if (units == 0) {
        c->nth = 0;
        if (c->context >= c->context_count || ++c->context == c->context_count) {
            end_product(c, p);
        }
        return POS_OK;
    }
    if (__builtin_mul_overflow(p->cost, units, &loss.cost)) {
        return POS_OK;
    }
    status = price_cart(c, &c->contexts[c->context], p, units, &quote);
    if (status == POS_OK && quote != NULL && read_line(c, quote, &loss.net)) {
        c->given = true;
        /* A cost is in the retailer's own currency. */
        comparable = pos_str_eq(c->contexts[c->context].currency, c->options.book->currency);
        if (!comparable && p->has_cost && c->foreign.len == 0) {
            c->foreign = c->contexts[c->context].currency;
        }
        if (comparable && (c->worst.quantity == 0 || worse(&loss, &c->worst))) {
            c->worst = loss;
        }
    }
    return status;
}


pos_status_t
pos_check_step(pos_check_t *c)
{
    const pos_product_t *p;
    pos_status_t         status;

    if (c->at == c->sku_count || c->failures >= POS_CHECK_FAILURES) {
        return POS_OK;
    }
    pos_arena_reset(c->scratch);
    status = c->options.source->product(c->options.source->ctx, c->skus[c->at], c->scratch, &p);
    if (status == POS_OK) {
        status = step_product(c, p);
    } else if (status != POS_NO_MEMORY) {
        c->at++;
        status = POS_OK;
    }
    if (status != POS_OK) {
        return status;
    }
    return c->at < c->sku_count ? POS_AGAIN : POS_OK;
}
