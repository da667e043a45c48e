/*
 * What holds of promotions for every cart, by their structure alone. Each rule is
 * sufficient and none is necessary: where it is not sure, it says no.
 */

#include "engine/book_data.h"
#include "engine/check.h"

#include <string.h>

/* ---- sets, ranges, filters ---- */

/* Is every value of `a` in `b`? An empty set is all values. */
static bool
set_within(const pos_strset_t *a, const pos_strset_t *b)
{
    if (b->count == 0) {
        return true;
    }
    if (a->count == 0) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (!pos_strset_has(b, a->values[i], a->hashes[i])) {
            return false;
        }
    }
    return true;
}


static bool
sets_meet(const pos_strset_t *a, const pos_strset_t *b)
{
    if (a->count == 0 || b->count == 0) {
        return true;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        if (pos_strset_has(b, a->values[i], a->hashes[i])) {
            return true;
        }
    }
    return false;
}


static bool
range_within(pos_range_t a, pos_range_t b)
{
    return a.min >= b.min && a.max <= b.max;
}


static bool
attributes_within(const pos_filter_t *a, const pos_filter_t *b)
{
    for (uint32_t i = 0; i < b->attribute_count; i++) {
        bool found = false;

        for (uint32_t k = 0; k < a->attribute_count && !found; k++) {
            found = pos_str_eq(a->attributes[k].name, b->attributes[i].name)
                    && set_within(&a->attributes[k].values, &b->attributes[i].values);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}


/* Does `b` match whatever `a` matches? NULL matches all. */
static bool
filter_within(const pos_filter_t *a, const pos_filter_t *b)
{
    if (b == NULL || b->any) {
        return true;
    }
    if (a == NULL || a->any || a->selection != NULL || b->selection != NULL) {
        return false;
    }
    if (pos_str_eq(a->json, b->json)) {
        return true;
    }
    return set_within(&a->sku, &b->sku) && set_within(&a->category, &b->category)
           && set_within(&a->brand, &b->brand) && set_within(&a->tag, &b->tag)
           && attributes_within(a, b) && range_within(a->unit_price, b->unit_price)
           && (b->on_sale < 0 || a->on_sale == b->on_sale)
           && (b->negated == NULL || (a->negated != NULL && pos_str_eq(a->negated->json, b->negated->json)));
}


/* ---- conditions ---- */

static bool
is_one_of(const pos_condition_t *c)
{
    return c->kind == POS_COND_STORE || c->kind == POS_COND_CHANNEL || c->kind == POS_COND_FULFILMENT;
}


static bool
same_filter(const pos_filter_t *a, const pos_filter_t *b)
{
    return a == b || (a != NULL && b != NULL && pos_str_eq(a->json, b->json));
}


static bool
asks_same_sum(const pos_condition_t *a, const pos_condition_t *b)
{
    switch (a->kind) {
    case POS_COND_ITEMS_QUANTITY:
    case POS_COND_ITEMS_AMOUNT:
    case POS_COND_DISTINCT:
        return a->kind == b->kind && same_filter(a->filter, b->filter);
    case POS_COND_SUBTOTAL:
        return a->kind == b->kind && a->after_line == b->after_line;
    case POS_COND_WEIGHT:
        return a->kind == b->kind;
    default:
        return false;
    }
}


/* Does `b` hold wherever `a` does? NULL always holds. */
static bool
implies(const pos_condition_t *a, const pos_condition_t *b)
{
    if (b == NULL) {
        return true;
    }
    if (b->kind == POS_COND_ALL) {
        for (uint32_t i = 0; i < b->child_count; i++) {
            if (!implies(a, b->children[i])) {
                return false;
            }
        }
        return true;
    }
    if (a == NULL) {
        return false;
    }
    if (a->kind == POS_COND_ALL) {
        for (uint32_t i = 0; i < a->child_count; i++) {
            if (implies(a->children[i], b)) {
                return true;
            }
        }
        return false;
    }
    if (b->kind == POS_COND_ANY) {
        for (uint32_t i = 0; i < b->child_count; i++) {
            if (implies(a, b->children[i])) {
                return true;
            }
        }
        return false;
    }
    if (is_one_of(a)) {
        return a->kind == b->kind && set_within(&a->values, &b->values);
    }
    /* What line discounts leave is another sum with the one than with the other. */
    return !(a->kind == POS_COND_SUBTOTAL && a->after_line) && asks_same_sum(a, b)
           && range_within(a->range, b->range);
}


static bool
exclude(const pos_condition_t *a, const pos_condition_t *b)
{
    if (is_one_of(a)) {
        return a->kind == b->kind && !sets_meet(&a->values, &b->values);
    }
    return asks_same_sum(a, b) && (a->range.max < b->range.min || b->range.max < a->range.min);
}


/* Leaves that must all hold: those of nested `all`s. */
#define LEAVES_MOST  64

static void
leaves(const pos_condition_t *c, const pos_condition_t **list, uint32_t *count)
{
    if (c->kind == POS_COND_ALL) {
        for (uint32_t i = 0; i < c->child_count; i++) {
            leaves(c->children[i], list, count);
        }
    } else if (*count < LEAVES_MOST) {
        list[(*count)++] = c;
    }
}


static bool
never_holds(const pos_condition_t *c)
{
    const pos_condition_t *list[LEAVES_MOST];
    uint32_t               count = 0;

    leaves(c, list, &count);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = i + 1; k < count; k++) {
            if (exclude(list[i], list[k])) {
                return true;
            }
        }
        if (list[i]->kind == POS_COND_ANY) {
            bool all = list[i]->child_count > 0;

            for (uint32_t k = 0; k < list[i]->child_count && all; k++) {
                all = never_holds(list[i]->children[k]);
            }
            if (all) {
                return true;
            }
        }
    }
    return false;
}


bool
pos_check_never_holds(const pos_promotion_t *promotion)
{
    return promotion->when != NULL && never_holds(promotion->when);
}


/* ---- beaten ---- */

static bool
live_within(const pos_promotion_t *a, const pos_promotion_t *b)
{
    bool same_hours = b->hours_count == 0
                      || (a->hours_count == b->hours_count
                          && memcmp(a->hours, b->hours, a->hours_count * sizeof(*a->hours)) == 0);

    return a->from >= b->from && a->until <= b->until && (a->weekdays & ~b->weekdays) == 0 && same_hours;
}


/* Nothing but one plain reduction of whatever matches, which nothing stops. */
static const pos_effect_t *
plain_markdown(const pos_promotion_t *p)
{
    const pos_effect_t *e = p->effects;

    return p->script == NULL && p->class == POS_CLASS_LINE && p->effect_count == 1
           && e->kind == POS_EFFECT_MARKDOWN && e->when == NULL && e->max_units == POS_INF
           && e->max_amount == POS_INF && !p->tax_before
           && (e->reduce != POS_REDUCE_AMOUNT || e->per == POS_PER_UNIT) ? e : NULL;
}


static bool
saves_no_more(const pos_effect_t *a, const pos_effect_t *b)
{
    if (a->reduce != b->reduce) {
        return false;
    }
    return a->reduce == POS_REDUCE_PRICE ? a->value >= b->value : a->value <= b->value;
}


/*
 * The draft gives only on units that nothing else touches (exclusive), or on orders
 * without any other promotion (alone), so whatever it gives there, the other may give
 * instead. Then no choice with the draft is better than the same with the other.
 *
 * Not of two of one group that combine: what else is taken off the unit comes between
 * them, by priority, and may leave more with the one than with the other.
 */
static bool
may_stand_in(const pos_promotion_t *draft, const pos_promotion_t *other)
{
    return draft->stacking != POS_STACK_COMBINE
           && (other->stacking != POS_STACK_ALONE || draft->stacking == POS_STACK_ALONE);
}


static bool
asks_what_is_left(const pos_condition_t *c)
{
    if (c == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < c->child_count; i++) {
        if (asks_what_is_left(c->children[i])) {
            return true;
        }
    }
    return c->after_line && (c->kind == POS_COND_SUBTOTAL || c->kind == POS_COND_ITEMS_AMOUNT);
}


/* May something be given where line discounts leave more, and not where they leave
 * less? Then who saves less on the lines may save more in all. */
static bool
more_may_be_better(const pos_book_t *book)
{
    for (uint32_t i = 0; i < book->promotion_count; i++) {
        const pos_promotion_t *p = book->promotions[i];

        if (p->script != NULL || asks_what_is_left(p->when)) {
            return true;
        }
        for (uint32_t k = 0; k < p->effect_count; k++) {
            if (p->effects[k].kind == POS_EFFECT_ORDER_TIERS || asks_what_is_left(p->effects[k].when)) {
                return true;
            }
        }
    }
    return false;
}


bool
pos_check_beaten_by(const pos_book_t *book, const pos_promotion_t *draft, const pos_promotion_t *other)
{
    const pos_effect_t *a = plain_markdown(draft), *b = plain_markdown(other);

    /* By priority the first takes the unit, whatever it saves. */
    if (a == NULL || b == NULL || book->optimise_priority) {
        return false;
    }
    if (other->coupon || other->experiment.len > 0 || other->limit_count > 0 || other->floor_ppm >= 0) {
        return false;
    }
    /* One group's rule may hold the other off a unit where it holds the draft off none. */
    if (other->group.len > 0 && !pos_str_eq(other->group, draft->group)) {
        return false;
    }
    return may_stand_in(draft, other) && live_within(draft, other) && implies(draft->when, other->when)
           && filter_within(a->filter, b->filter) && a->of_original == b->of_original && saves_no_more(a, b)
           && (a->value == b->value || !more_may_be_better(book));
}
