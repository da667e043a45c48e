/*
 * What a promotion asks of any cart before it can do anything.
 *
 * Of parts that must all hold, the most selective one's keys are enough. Of
 * parts of which one will do, all their keys are needed, and a part that asks
 * for nothing spoils the lot.
 */

#include "engine/index.h"

typedef struct {
    pos_arena_t *arena;
    bool         no_memory;
} anchoring_t;

static const pos_anchor_t nothing = { POS_ANCHOR_ALWAYS, 0, 0, NULL, 0 };


uint64_t
pos_anchor_key(pos_anchor_kind_t kind, uint64_t value_hash)
{
    uint64_t k = value_hash ^ ((uint64_t) kind + 1) * UINT64_C(0x9e3779b97f4a7c15);

    k ^= k >> 32;
    k *= UINT64_C(0xd6e8feb86659fd93);
    k ^= k >> 32;
    return k ? k : 1;
}


uint64_t
pos_anchor_pair(pos_anchor_kind_t kind, pos_str_t name, pos_str_t value)
{
    return pos_anchor_key(kind, pos_hash64(name) * 31 + pos_hash64(value));
}


/* Both are needed: the better one's keys, the greater subtotal. */
static pos_anchor_t
both(pos_anchor_t a, pos_anchor_t b)
{
    bool         b_better = b.kind < a.kind || (b.kind == a.kind && b.count < a.count);
    pos_anchor_t best = b_better ? b : a;

    best.subtotal = a.subtotal > b.subtotal ? a.subtotal : b.subtotal;
    return best;
}


/*
 * One of the two will do: all keys of both, the lesser subtotal. `room` is what sum->keys has
 * been given here, doubled when it is short: thousands of alternatives are no rarity.
 */
static void
either(anchoring_t *an, pos_anchor_t *sum, uint32_t *room, pos_anchor_t b)
{
    uint32_t  count = sum->count + b.count;
    int64_t   subtotal = sum->subtotal < b.subtotal ? sum->subtotal : b.subtotal;
    uint64_t *keys = sum->keys;

    if (sum->kind == POS_ANCHOR_ALWAYS || b.kind == POS_ANCHOR_ALWAYS) {
        *sum = nothing;
        sum->subtotal = subtotal;
        return;
    }
    if (*room < count) {
        keys = pos_arena_array(an->arena, (size_t) count * 2, sizeof(*keys));
        if (keys == NULL) {
            an->no_memory = true;
            *sum = nothing;
            return;
        }
        memcpy(keys, sum->keys, sum->count * sizeof(*keys));
        *room = count * 2;
    }
    memcpy(keys + sum->count, b.keys, b.count * sizeof(*keys));
    sum->keys = keys;
    sum->count = count;
    sum->subtotal = subtotal;
    sum->kind = sum->kind > b.kind ? sum->kind : b.kind;
    sum->kinds |= b.kinds;
}


static pos_anchor_t
of_set(anchoring_t *an, pos_anchor_kind_t kind, const pos_strset_t *set)
{
    pos_anchor_t a = nothing;

    if (set->count == 0) {
        return a;
    }
    a.keys = pos_arena_array(an->arena, set->count, sizeof(*a.keys));
    if (a.keys == NULL) {
        an->no_memory = true;
        return a;
    }
    a.kind = kind;
    a.kinds = 1u << kind;
    a.count = set->count;
    for (uint32_t i = 0; i < set->count; i++) {
        a.keys[i] = pos_anchor_key(kind, set->hashes[i]);
    }
    return a;
}


static pos_anchor_t
of_attributes(anchoring_t *an, pos_anchor_kind_t kind,
    const pos_attribute_filter_t *attributes, uint32_t count)
{
    pos_anchor_t best = nothing;

    for (uint32_t i = 0; i < count; i++) {
        const pos_attribute_filter_t *f = &attributes[i];
        pos_anchor_t                  a = of_set(an, kind, &f->values);

        for (uint32_t k = 0; k < a.count; k++) {
            a.keys[k] = pos_anchor_pair(kind, f->name, f->values.values[k]);
        }
        best = both(best, a);
    }
    return best;
}


static pos_anchor_t
of_filter(anchoring_t *an, const pos_filter_t *f)
{
    pos_anchor_t best = nothing;

    if (f == NULL || f->any) {
        return best;
    }
    best = both(best, of_set(an, POS_ANCHOR_SKU, &f->sku));
    best = both(best, of_attributes(an, POS_ANCHOR_ATTRIBUTE, f->attributes,
        f->attribute_count));
    best = both(best, of_set(an, POS_ANCHOR_TAG, &f->tag));
    best = both(best, of_set(an, POS_ANCHOR_BRAND, &f->brand));
    best = both(best, of_set(an, POS_ANCHOR_CATEGORY, &f->category));
    return best;
}


static pos_anchor_t
of_customer(anchoring_t *an, const pos_condition_t *c)
{
    return both(of_set(an, POS_ANCHOR_CUSTOMER, &c->ids),
        of_set(an, POS_ANCHOR_GROUP, &c->values));
}


static pos_anchor_t of_condition(anchoring_t *an, const pos_condition_t *c);


static pos_anchor_t
of_children(anchoring_t *an, const pos_condition_t *c)
{
    uint32_t     room = 0;
    pos_anchor_t sum = nothing;

    for (uint32_t i = 0; i < c->child_count; i++) {
        pos_anchor_t a = of_condition(an, c->children[i]);

        if (i == 0) {
            sum = a;
        } else if (c->kind == POS_COND_ALL) {
            sum = both(sum, a);
        } else {
            either(an, &sum, &room, a);
        }
    }
    return sum;
}


/* Line discounts only lower what conditions after them see. */
static pos_anchor_t
with_subtotal(pos_anchor_t a, const pos_range_t *range)
{
    if (range->min != POS_NONE) {
        a.subtotal = range->min;
    }
    return a;
}


static pos_anchor_t
of_condition(anchoring_t *an, const pos_condition_t *c)
{
    switch (c->kind) {
    case POS_COND_ALL:
    case POS_COND_ANY:
        return of_children(an, c);
    case POS_COND_ITEMS_QUANTITY:
    case POS_COND_DISTINCT:
        return c->range.min != POS_NONE && c->range.min > 0 ? of_filter(an, c->filter)
                                                            : nothing;
    case POS_COND_LINE_QUANTITY:
        return of_filter(an, c->filter);
    case POS_COND_ITEMS_AMOUNT:
        return with_subtotal(c->range.min != POS_NONE && c->range.min > 0
                                 ? of_filter(an, c->filter) : nothing, &c->range);
    case POS_COND_SUBTOTAL:
        return with_subtotal(nothing, &c->range);
    case POS_COND_CUSTOMER:
        return of_customer(an, c);
    case POS_COND_STORE:
        return of_set(an, POS_ANCHOR_STORE, &c->values);
    case POS_COND_CHANNEL:
        return of_set(an, POS_ANCHOR_CHANNEL, &c->values);
    case POS_COND_TENDER:
        return of_set(an, POS_ANCHOR_TENDER, &c->values);
    case POS_COND_FULFILMENT:
        return of_set(an, POS_ANCHOR_FULFILMENT, &c->values);
    case POS_COND_SHIP_TO:
        return of_set(an, POS_ANCHOR_COUNTRY, &c->values);
    case POS_COND_ATTRIBUTE:
        return of_attributes(an, POS_ANCHOR_CART_ATTRIBUTE, c->attributes,
            c->attribute_count);
    case POS_COND_NOT:
    case POS_COND_WEIGHT:
        return nothing;
    }
    return nothing;
}


static pos_anchor_t
of_parts(anchoring_t *an, const pos_part_t *parts, uint32_t count)
{
    pos_anchor_t best = nothing;

    for (uint32_t i = 0; i < count; i++) {
        best = both(best, of_filter(an, parts[i].filter));
    }
    return best;
}


static pos_anchor_t
of_effect_itself(anchoring_t *an, const pos_effect_t *e)
{
    pos_anchor_t a = nothing;

    switch (e->kind) {
    case POS_EFFECT_MARKDOWN:
    case POS_EFFECT_LINE_TIERS:
    case POS_EFFECT_NTH:
        return of_filter(an, e->filter);
    case POS_EFFECT_BUY_GET:
    case POS_EFFECT_BUNDLE:
        return both(of_parts(an, e->parts, e->part_count),
            of_parts(an, e->gets, e->get_count));
    case POS_EFFECT_GIFT:
        return of_filter(an, e->gift_per);
    case POS_EFFECT_ORDER:
    case POS_EFFECT_ORDER_TIERS:
        /* One that bears on shipping too needs no lines that match. */
        a = e->shipping_too ? nothing : of_filter(an, e->filter);
        if (e->kind == POS_EFFECT_ORDER_TIERS && e->tier_count > 0) {
            a.subtotal = e->tiers[0].threshold;
        }
        return a;
    case POS_EFFECT_SHIPPING:
    case POS_EFFECT_POINTS:
    case POS_EFFECT_MESSAGE:
        return nothing;
    }
    return nothing;
}


static pos_anchor_t
of_effect(anchoring_t *an, const pos_effect_t *e)
{
    pos_anchor_t a = of_effect_itself(an, e);

    return e->when == NULL ? a : both(a, of_condition(an, e->when));
}


/* A script may propose anything. */
static pos_anchor_t
of_effects(anchoring_t *an, const pos_promotion_t *p)
{
    uint32_t     room = 0;
    pos_anchor_t sum = nothing;

    if (p->script != NULL) {
        return nothing;
    }
    for (uint32_t i = 0; i < p->effect_count; i++) {
        pos_anchor_t a = of_effect(an, &p->effects[i]);

        if (i == 0) {
            sum = a;
        } else {
            either(an, &sum, &room, a);
        }
    }
    return sum;
}


pos_status_t
pos_anchor_of(const pos_promotion_t *promotion, pos_arena_t *arena, pos_anchor_t *out)
{
    anchoring_t an = { arena, false };

    if (promotion->coupon) {
        *out = nothing;
        out->kind = POS_ANCHOR_COUPON;
        return POS_OK;
    }
    *out = of_effects(&an, promotion);
    if (promotion->when != NULL) {
        *out = both(*out, of_condition(&an, promotion->when));
    }
    return an.no_memory ? POS_NO_MEMORY : POS_OK;
}
