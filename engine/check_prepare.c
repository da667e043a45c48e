/*
 * What a draft looks for, how many of it, and where and when: by its document, before
 * a product is seen.
 */

#include "engine/check_data.h"

#include "engine/rehearse_data.h"

#define HALF_HOUR       (INT64_C(30) * 60 * 1000000)
#define HALF_HOURS      (8 * 48)

/* ---- what the draft looks for ---- */

typedef enum {
    ASKED,         /* a condition may hold by it                         */
    NEEDED,        /* no cart without it                                 */
    BEARS          /* an effect is on it                                 */
} use_t;

static void
want(pos_check_t *c, const pos_filter_t *filter, int64_t units, use_t use)
{
    pos_check_wanted_t *w = c->wanted;

    c->everything |= use == BEARS && (filter == NULL || filter->any);
    if (filter == NULL || filter->any || filter->selection != NULL) {
        return;
    }
    for (uint32_t i = 0; i < c->wanted_count; i++, w++) {
        if (pos_str_eq(w->filter->json, filter->json)) {
            w->units += units;
            w->bears |= use == BEARS;
            w->needed |= use == NEEDED;
            return;
        }
    }
    if (c->wanted_count < POS_CHECK_FILTERS) {
        c->wanted_count++;
        *w = (pos_check_wanted_t) { .filter = filter, .units = units > 0 ? units : 1, .bears = use == BEARS,
              .needed = use == NEEDED };
    } else {
        c->everything = true;
    }
}


static void
try_quantity(pos_check_t *c, int64_t units)
{
    units = units < 1 ? 1 : units;
    for (uint32_t i = 0; i < c->quantity_count; i++) {
        if (c->quantities[i] == units) {
            return;
        }
    }
    if (c->quantity_count < POS_CHECK_QUANTITIES && units <= POS_CHECK_UNITS) {
        c->quantities[c->quantity_count++] = units;
    }
}


static int64_t
whole_units(int64_t thousandths)
{
    return (thousandths + POS_THOUSANDTHS - 1) / POS_THOUSANDTHS;
}


/* `must`: no cart is given anything unless this holds. */
static void
look_at_condition(pos_check_t *c, const pos_condition_t *w, bool must)
{
    int64_t least;
    use_t   use;

    if (w == NULL || w->kind == POS_COND_NOT) {
        return;
    }
    least = w->range.min > 0 ? w->range.min : 0;
    for (uint32_t i = 0; i < w->child_count; i++) {
        look_at_condition(c, w->children[i], must && (w->kind == POS_COND_ALL || w->child_count == 1));
    }
    /* An attribute may be a line's own, which no product tells of. */
    use = must && least > 0 && w->filter != NULL && w->filter->attribute_count == 0 ? NEEDED : ASKED;
    switch (w->kind) {
    case POS_COND_ITEMS_QUANTITY:
    case POS_COND_LINE_QUANTITY:
        want(c, w->filter, whole_units(least), use);
        try_quantity(c, whole_units(least));
        break;
    case POS_COND_ITEMS_AMOUNT:
    case POS_COND_SUBTOTAL:
        want(c, w->filter, 1, use);
        c->amount = least > c->amount ? least : c->amount;
        break;
    case POS_COND_DISTINCT:
        want(c, w->filter, 1, use);
        break;
    default:
        break;
    }
}


static int64_t
look_at_parts(pos_check_t *c, const pos_part_t *parts, uint32_t count)
{
    int64_t units = 0;

    for (uint32_t i = 0; i < count; i++) {
        want(c, parts[i].filter, parts[i].quantity, BEARS);
        units += parts[i].quantity;
        c->amount = parts[i].amount > c->amount ? parts[i].amount : c->amount;
    }
    return units;
}


static void
look_at_effect(pos_check_t *c, const pos_effect_t *e)
{
    int64_t units;

    look_at_condition(c, e->when, false);
    switch (e->kind) {
    case POS_EFFECT_BUY_GET:
    case POS_EFFECT_BUNDLE:
        units = look_at_parts(c, e->parts, e->part_count);
        units += look_at_parts(c, e->gets, e->get_count);
        try_quantity(c, units);
        break;
    case POS_EFFECT_NTH:
        want(c, e->filter, e->group, BEARS);
        try_quantity(c, e->group);
        break;
    case POS_EFFECT_LINE_TIERS:
        want(c, e->filter, 1, BEARS);
        for (uint32_t i = 0; i < e->tier_count; i++) {
            try_quantity(c, whole_units(e->tiers[i].threshold));
        }
        break;
    case POS_EFFECT_ORDER_TIERS:
        want(c, e->filter, 1, BEARS);
        if (e->tier_count > 0 && e->tiers[e->tier_count - 1].threshold > c->amount) {
            c->amount = e->tiers[e->tier_count - 1].threshold;
        }
        break;
    case POS_EFFECT_MARKDOWN:
    case POS_EFFECT_ORDER:
        want(c, e->filter, 1, BEARS);
        break;
    case POS_EFFECT_GIFT:
        want(c, e->gift_per, e->gift_per ? whole_units(e->gift_per_quantity) : 1, BEARS);
        break;
    default:
        break;
    }
}


/* ---- where and when ---- */

static bool
is_live(const pos_promotion_t *p, const pos_zone_t *zone, int64_t at)
{
    pos_cart_t cart = { .at = at };

    pos_civil_of(zone, at, &cart.local);
    return pos_promotion_inactive(p, &cart) == NULL;
}


/* When its hours open on one of the next days. */
static bool
opens(const pos_promotion_t *p, const pos_zone_t *zone, int64_t begin, int64_t *at)
{
    pos_civil_t day;

    for (int i = 0; i < HALF_HOURS; i += 48) {
        for (uint32_t k = 0; k < p->hours_count; k++) {
            pos_civil_of(zone, begin + i * HALF_HOUR, &day);
            day.hour = (uint8_t) (p->hours[k].from / 60 % 24);
            day.minute = (uint8_t) (p->hours[k].from % 60);
            day.second = 0;
            *at = pos_civil_to_time(zone, &day);
            if (*at >= begin && is_live(p, zone, *at)) {
                return true;
            }
        }
    }
    return false;
}


/* False: there is none, as far as was looked; `*at` is then when to begin with. */
static bool
live_moment(const pos_check_t *c, const pos_zone_t *zone, int64_t *at)
{
    const pos_promotion_t *p = c->draft;
    int64_t                begin = c->options.now < p->from ? p->from : c->options.now;

    if (begin >= p->until) {
        begin = p->from == POS_TIME_MIN ? p->until - HALF_HOUR * HALF_HOURS : p->from;
    }
    for (int i = 0; i < HALF_HOURS; i++) {
        *at = begin + i * HALF_HOUR;
        if (is_live(p, zone, *at)) {
            return true;
        }
    }
    if (opens(p, zone, begin, at)) {
        return true;
    }
    *at = begin;
    return false;
}


static const pos_store_t *
first_store(const pos_book_t *book)
{
    for (size_t i = 0; book->stores.count > 0 && i <= book->stores.mask; i++) {
        if (book->stores.slots[i].hash != 0) {
            return book->stores.slots[i].value;
        }
    }
    return NULL;
}


/* One for each price list: where it is in force, and where the draft asks to be. */
/* The prices of two lists are found by one cart where the same customers get them. */
static bool
is_known(const pos_check_t *c, const pos_check_context_t *x)
{
    for (uint32_t i = 0; i < c->context_count; i++) {
        const pos_check_context_t *k = &c->contexts[i];

        if (pos_str_eq(k->store, x->store) && pos_str_eq(k->channel, x->channel) && pos_str_eq(k->group, x->group)
            && pos_str_eq(k->currency, x->currency)) {
            return true;
        }
    }
    return false;
}


static void
choose_contexts(pos_check_t *c, const pos_wishes_t *wishes)
{
    const pos_book_t *book = c->options.book;

    for (uint32_t i = 0; i < book->list_count; i++) {
        const pos_price_list_t *list = &book->list_array[i];
        const pos_store_t      *store = first_store(book);
        pos_str_t               code = pos_rehearsal_first(&list->stores, store ? store->code : pos_str(""));
        pos_check_context_t     context = { .currency = list->currency };

        if (wishes->store != NULL) {
            code = pos_rehearsal_first(&wishes->store->values, code);
        }
        store = pos_map_get(&book->stores, code);
        context.store = store != NULL ? store->code : pos_str("");
        context.channel = pos_rehearsal_first(&list->channels, pos_str("web"));
        if (wishes->channel != NULL) {
            context.channel = pos_rehearsal_first(&wishes->channel->values, context.channel);
        }
        context.group = pos_rehearsal_first(&list->customer_groups, pos_str(""));
        if (wishes->customer != NULL) {
            context.group = pos_rehearsal_first(&wishes->customer->values, context.group);
        }
        if (is_known(c, &context)) {
            c->lists++;
        } else if (c->context_count < POS_CHECK_CONTEXTS) {
            c->lists++;
            c->timeless |= !live_moment(c, store != NULL && store->zone != NULL ? store->zone : book->zone, &context.at);
            c->contexts[c->context_count++] = context;
        }
    }
}


/* A brand has no entry of its own in a book: there is one where a product has it. What
 * is looked for by SKU is not looked for in all of the shop. */
static pos_status_t
look_for_brands(pos_check_t *c)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < c->wanted_count; i++) {
        most += c->wanted[i].filter->brand.count;
    }
    c->brands = pos_arena_zalloc(c->arena, (most + 1) * sizeof(*c->brands));
    if (c->brands == NULL || pos_map_init(&c->brand_of, c->arena, most) != POS_OK) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < c->wanted_count; i++) {
        const pos_filter_t *f = c->wanted[i].filter;

        for (uint32_t k = 0; f->sku.count == 0 && k < f->brand.count; k++) {
            pos_check_brand_t *brand = &c->brands[c->brand_count];

            if (pos_map_get(&c->brand_of, f->brand.values[k]) != NULL) {
                continue;
            }
            brand->name = f->brand.values[k];
            if (pos_map_set(&c->brand_of, brand->name, brand, NULL) != POS_OK) {
                return POS_NO_MEMORY;
            }
            c->brand_count++;
        }
    }
    return POS_OK;
}


pos_status_t
pos_check_prepare(pos_check_t *c)
{
    pos_subject_t subject = { .promotion = (pos_promotion_t *) c->draft };
    pos_wishes_t  wishes;

    try_quantity(c, 1);
    look_at_condition(c, c->draft->when, true);
    for (uint32_t i = 0; i < c->draft->effect_count; i++) {
        look_at_effect(c, &c->draft->effects[i]);
    }
    c->everything |= c->draft->script != NULL;
    pos_rehearsal_wishes(&subject, &wishes);
    choose_contexts(c, &wishes);
    return look_for_brands(c);
}
