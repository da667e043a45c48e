/*
 * Conditions of the cart: compile and judge.
 *
 * A condition object names one kind, with what belongs to it; several go into
 * `all`.
 */

#include "engine/cart.h"
#include "engine/condition_facts.h"
#include "engine/matches.h"
#include "engine/promotion_decode.h"

static const char *const condition_fields[] = { "all", "any", "not", "items", "line",
    "quantity", "amount", "distinct", "min", "subtotal", "after", "weight_grams",
    "customer", "store", "channel", "tender", "fulfilment", "ship_to", "attribute",
    NULL };

/* The most kinds one object can name. */
#define KINDS_MAX  16


/* ---- compile ---- */

typedef struct {
    pos_decoder_t    *d;
    const pos_at_t   *at;
    const pos_json_t *json;
    unsigned          depth;
    uint32_t          count;
    pos_condition_t  *made[KINDS_MAX];
} compile_t;


static pos_condition_t *
add(compile_t *c, pos_condition_kind_t kind)
{
    pos_condition_t *made = pos_decode_alloc(c->d, 1, sizeof(*made));

    if (made == NULL || c->count == KINDS_MAX) {
        return NULL;
    }
    made->kind = kind;
    made->range = made->orders = (pos_range_t) { POS_NONE, POS_INF };
    made->birthday = made->known = -1;
    c->made[c->count++] = made;
    return made;
}


static void
compile_list(compile_t *c, const char *name, pos_condition_kind_t kind)
{
    const pos_json_t       *list;
    const pos_condition_t **children;
    pos_condition_t        *made;
    pos_at_t                at = pos_at_key(c->at, name);
    uint32_t                n = 0;

    if (!pos_decode_array(c->d, c->at, c->json, name, &list)) {
        return;
    }
    if (list->count == 0) {
        pos_decode_fault(c->d, &at, "min_items", "needs at least one condition");
    }
    children = pos_decode_alloc(c->d, list->count, sizeof(*children));
    made = add(c, kind);
    if (children == NULL || made == NULL) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(&at, n);
        children[n++] = pos_decode_condition(c->d, &here, e, c->depth + 1);
    }
    made->child_count = n;
    made->children = children;
}


static void
compile_not(compile_t *c)
{
    const pos_json_t       *inner = pos_member(c->json, "not");
    const pos_condition_t **children;
    pos_condition_t        *made;
    pos_at_t                at = pos_at_key(c->at, "not");

    if (inner == NULL) {
        return;
    }
    children = pos_decode_alloc(c->d, 1, sizeof(*children));
    made = add(c, POS_COND_NOT);
    if (children != NULL && made != NULL) {
        children[0] = pos_decode_condition(c->d, &at, inner, c->depth + 1);
        made->child_count = 1;
        made->children = children;
    }
}


static bool
has(const compile_t *c, const char *name)
{
    return pos_member(c->json, name) != NULL;
}


/* `after` belongs to amounts: what line discounts left, or unit prices. */
static bool
after_line(compile_t *c, bool preset)
{
    static const char *const words[] = { "none", "line", NULL };
    int                      word = preset;

    pos_decode_enum(c->d, c->at, c->json, "after", POS_OPTIONAL, words, &word);
    return word == 1;
}


/* Without a range "items": F asks for any line that matches. */
static void
compile_items(compile_t *c)
{
    const pos_filter_t *filter;
    pos_condition_t    *made;

    if (!has(c, "items")) {
        return;
    }
    filter = pos_decode_filter_member(c->d, c->at, c->json, "items");
    if (has(c, "amount")) {
        made = add(c, POS_COND_ITEMS_AMOUNT);
        if (made != NULL) {
            made->filter = filter;
            made->after_line = after_line(c, false);
            pos_decode_range(c->d, c->at, c->json, "amount", 0, POS_MONEY_MAX,
                &made->range);
        }
    }
    if (has(c, "quantity") || !has(c, "amount")) {
        made = add(c, POS_COND_ITEMS_QUANTITY);
        if (made != NULL) {
            made->filter = filter;
            if (!has(c, "quantity")) {
                made->range.min = 1;
            }
            pos_decode_range(c->d, c->at, c->json, "quantity", 3, POS_QUANTITY_MAX,
                &made->range);
        }
    }
}


static void
compile_line(compile_t *c)
{
    pos_condition_t *made;

    if (!has(c, "line")) {
        return;
    }
    if (has(c, "items")) {
        return;    /* a quantity would be of both: it is refused */
    }
    made = add(c, POS_COND_LINE_QUANTITY);
    if (made != NULL) {
        made->filter = pos_decode_filter_member(c->d, c->at, c->json, "line");
        if (!has(c, "quantity")) {
            made->range.min = 1;
        }
        pos_decode_range(c->d, c->at, c->json, "quantity", 3, POS_QUANTITY_MAX,
            &made->range);
    }
}


static void
compile_distinct(compile_t *c)
{
    pos_condition_t *made;

    if (!has(c, "distinct")) {
        return;
    }
    made = add(c, POS_COND_DISTINCT);
    if (made != NULL) {
        made->filter = pos_decode_filter_member(c->d, c->at, c->json, "distinct");
        made->range.min = 1;
        pos_decode_int(c->d, c->at, c->json, "min", POS_OPTIONAL, 1, POS_UNITS_MAX,
            &made->range.min);
    }
}


static void
compile_amounts(compile_t *c)
{
    pos_condition_t *made;

    if (has(c, "subtotal")) {
        made = add(c, POS_COND_SUBTOTAL);
        if (made != NULL) {
            made->after_line = after_line(c, true);
            pos_decode_range(c->d, c->at, c->json, "subtotal", 0, POS_MONEY_MAX,
                &made->range);
        }
    }
    if (has(c, "weight_grams")) {
        made = add(c, POS_COND_WEIGHT);
        if (made != NULL) {
            pos_decode_range(c->d, c->at, c->json, "weight_grams", 0, POS_MONEY_MAX,
                &made->range);
        }
    }
}


static void
compile_customer(compile_t *c)
{
    static const char *const fields[] = { "groups", "ids", "orders", "birthday", "known",
        NULL };
    const pos_json_t        *v = pos_member(c->json, "customer");
    pos_condition_t         *made;
    pos_at_t                 at = pos_at_key(c->at, "customer");
    bool                     yes;

    if (v == NULL || !pos_decode_object(c->d, &at, v, fields)) {
        return;
    }
    made = add(c, POS_COND_CUSTOMER);
    if (made == NULL) {
        return;
    }
    pos_decode_set(c->d, &at, v, "groups", &made->values);
    pos_decode_set(c->d, &at, v, "ids", &made->ids);
    pos_decode_range(c->d, &at, v, "orders", 0, POS_MONEY_MAX, &made->orders);
    if (pos_decode_bool(c->d, &at, v, "birthday", &yes)) {
        made->birthday = yes;
    }
    if (pos_decode_bool(c->d, &at, v, "known", &yes)) {
        made->known = yes;
    }
}


static void
compile_set(compile_t *c, const char *name, pos_condition_kind_t kind)
{
    pos_condition_t *made;

    if (has(c, name)) {
        made = add(c, kind);
        if (made != NULL) {
            pos_decode_set(c->d, c->at, c->json, name, &made->values);
        }
    }
}


static void
compile_ship_to(compile_t *c)
{
    static const char *const fields[] = { "country", "region", NULL };
    const pos_json_t        *v = pos_member(c->json, "ship_to");
    pos_condition_t         *made;
    pos_at_t                 at = pos_at_key(c->at, "ship_to");

    if (v == NULL || !pos_decode_object(c->d, &at, v, fields)) {
        return;
    }
    made = add(c, POS_COND_SHIP_TO);
    if (made != NULL) {
        pos_decode_set(c->d, &at, v, "country", &made->values);
        pos_decode_set(c->d, &at, v, "region", &made->ids);
    }
}


static void
compile_attribute(compile_t *c)
{
    pos_condition_t *made;

    if (has(c, "attribute")) {
        made = add(c, POS_COND_ATTRIBUTE);
        if (made != NULL) {
            pos_decode_attribute_filters(c->d, c->at, c->json, "attribute",
                &made->attribute_count, &made->attributes);
        }
    }
}


/* A member that only means something beside another one. */
static void
check_companion(compile_t *c, const char *name, const char *a, const char *b)
{
    if (has(c, name) && !has(c, a) && (b == NULL || !has(c, b))) {
        pos_at_t at = pos_at_key(c->at, name);

        pos_decode_fault(c->d, &at, "unknown_field", "only goes with %s%s%s", a,
            b ? " or " : "", b ? b : "");
    }
}


/* Of {"channel": […], "any": […]} nobody knows whether both must hold. */
static void
check_one_kind(compile_t *c)
{
    static const char *const kinds[] = { "all", "any", "not", "items", "line", "distinct",
        "subtotal", "weight_grams", "customer", "store", "channel", "tender", "fulfilment",
        "ship_to", "attribute", NULL };
    unsigned n = 0;

    for (int i = 0; kinds[i] != NULL; i++) {
        n += has(c, kinds[i]);
    }
    if (n > 1) {
        pos_decode_fault(c->d, c->at, "ambiguous",
            "names several conditions: put them into all, or any, each by itself");
    }
}


static const pos_condition_t *
joined(compile_t *c)
{
    const pos_condition_t **children;
    uint32_t                n = c->count;

    if (n == 1) {
        return c->made[0];
    }
    children = pos_decode_alloc(c->d, n, sizeof(*children));
    if (children == NULL) {
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++) {
        children[i] = c->made[i];
    }
    c->count = 0;
    pos_condition_t *all = add(c, POS_COND_ALL);
    if (all != NULL) {
        all->child_count = n;
        all->children = children;
    }
    return all;
}


const pos_condition_t *
pos_decode_condition(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    unsigned depth)
{
    compile_t c = { .d = d, .at = at, .json = json, .depth = depth };
    uint32_t  before = d->faults->count;

    if (depth > POS_NESTING_MAX) {
        pos_decode_fault(d, at, "too_deep", "is nested too deep");
        return NULL;
    }
    if (!pos_decode_object(d, at, json, condition_fields)) {
        return NULL;
    }
    compile_list(&c, "all", POS_COND_ALL);
    compile_list(&c, "any", POS_COND_ANY);
    compile_not(&c);
    compile_items(&c);
    compile_line(&c);
    compile_distinct(&c);
    compile_amounts(&c);
    compile_customer(&c);
    compile_set(&c, "store", POS_COND_STORE);
    compile_set(&c, "channel", POS_COND_CHANNEL);
    compile_set(&c, "tender", POS_COND_TENDER);
    compile_set(&c, "fulfilment", POS_COND_FULFILMENT);
    compile_ship_to(&c);
    compile_attribute(&c);
    check_one_kind(&c);
    check_companion(&c, "quantity", "items", "line");
    check_companion(&c, "amount", "items", NULL);
    check_companion(&c, "min", "distinct", NULL);
    check_companion(&c, "after", "subtotal", "items");
    if (d->faults->count != before || d->no_memory) {
        return NULL;
    }
    return joined(&c);   /* {} holds always: an "all" of nothing */
}


/* ---- what a condition asks of the cart ---- */

int64_t
pos_facts_quantity(const pos_filter_t *filter, const pos_cart_t *cart)
{
    const pos_found_t *found = pos_matches_find(cart, filter);
    int64_t            sum = 0;
    uint32_t           i, until;

    if (found != NULL) {
        return found->quantity;
    }
    for (pos_filter_range(cart, filter, &i, &until); i < until; i++) {
        if (pos_filter_match(filter, &cart->items[i])) {
            sum += cart->items[i].quantity;
        }
    }
    return sum;
}


static int64_t
found_amount(const pos_found_t *found, const pos_cart_t *cart, bool after)
{
    int64_t sum = 0;

    if (!after) {
        return found->subtotal;
    }
    for (uint32_t k = 0; k < found->match.count; k++) {
        sum += cart->items[found->match.items[k]].after_line;
    }
    return sum;
}


int64_t
pos_facts_amount(const pos_filter_t *filter, const pos_cart_t *cart, bool after)
{
    const pos_found_t *found;
    int64_t            sum = 0;
    uint32_t           i, until;

    after = after && cart->after_line_known;
    found = after ? pos_matches_list(cart, filter) : pos_matches_find(cart, filter);
    if (found != NULL) {
        return found_amount(found, cart, after);
    }
    for (pos_filter_range(cart, filter, &i, &until); i < until; i++) {
        if (pos_filter_match(filter, &cart->items[i])) {
            sum += after ? cart->items[i].after_line : cart->items[i].subtotal;
        }
    }
    return sum;
}


int64_t
pos_facts_subtotal(const pos_condition_t *c, const pos_cart_t *cart)
{
    return c->after_line && cart->after_line_known ? cart->subtotal_after_line
                                                   : cart->subtotal;
}


/* Different SKUs: items come in canonical order, so equal SKUs are neighbours. */
int64_t
pos_facts_distinct(const pos_filter_t *filter, const pos_cart_t *cart)
{
    const pos_found_t *found = pos_matches_find(cart, filter);
    const pos_item_t  *last = NULL;
    int64_t            count = 0;
    uint32_t           i, until;

    if (found != NULL) {
        return found->distinct;
    }
    for (pos_filter_range(cart, filter, &i, &until); i < until; i++) {
        const pos_item_t *item = &cart->items[i];

        if (!pos_filter_match(filter, item)) {
            continue;
        }
        if (last == NULL || !pos_str_eq(last->product->sku, item->product->sku)) {
            count++;
        }
        last = item;
    }
    return count;
}


int64_t
pos_facts_weight(const pos_cart_t *cart)
{
    return pos_matches_weight(cart);
}


static bool
within(const pos_range_t *range, int64_t n)
{
    return n >= range->min && n <= range->max;
}


static bool
line_within(const pos_condition_t *c, const pos_cart_t *cart)
{
    const pos_found_t *found = pos_matches_list(cart, c->filter);
    uint32_t           i, until;

    for (uint32_t k = 0; found != NULL && k < found->match.count; k++) {
        if (within(&c->range, cart->items[found->match.items[k]].quantity)) {
            return true;
        }
    }
    if (found != NULL) {
        return false;
    }
    for (pos_filter_range(cart, c->filter, &i, &until); i < until; i++) {
        if (within(&c->range, cart->items[i].quantity)
            && pos_filter_match(c->filter, &cart->items[i]))
        {
            return true;
        }
    }
    return false;
}


static bool
sets_meet(const pos_strset_t *a, const pos_strset_t *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        if (pos_strset_has(a, b->values[i], b->hashes[i])) {
            return true;
        }
    }
    return false;
}


/* Days since 1970 to month and day (proleptic Gregorian, days_from_civil's
 * inverse: howardhinnant.github.io/date_algorithms.html). */
static void
month_day(int32_t days, unsigned *month, unsigned *day)
{
    int32_t  z = days + 719468;
    int32_t  era = (z >= 0 ? z : z - 146096) / 146097;
    uint32_t doe = (uint32_t) (z - era * 146097);
    uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    uint32_t mp = (5 * doy + 2) / 153;

    *day = doy - (153 * mp + 2) / 5 + 1;
    *month = mp < 10 ? mp + 3 : mp - 9;
}


/* Born on 29 February, one celebrates on the 28th in common years. */
static bool
has_birthday(const pos_cart_t *cart)
{
    unsigned month, day;
    int32_t  year = cart->local.year;
    bool     leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (cart->customer_birthday == INT32_MIN) {
        return false;
    }
    month_day(cart->customer_birthday, &month, &day);
    if (month == 2 && day == 29 && !leap) {
        day = 28;
    }
    return cart->local.month == month && cart->local.day == day;
}


static bool
customer_fits(const pos_condition_t *c, const pos_cart_t *cart)
{
    if (c->known >= 0 && c->known != (int8_t) cart->customer_known) {
        return false;
    }
    if (c->ids.count > 0
        && (!cart->customer_known || !pos_strset_contains(&c->ids, cart->customer_id)))
    {
        return false;
    }
    if (c->values.count > 0 && !sets_meet(&c->values, &cart->customer_groups)) {
        return false;
    }
    if ((c->orders.min != POS_NONE || c->orders.max != POS_INF)
        && (cart->customer_orders < 0 || !within(&c->orders, cart->customer_orders)))
    {
        return false;
    }
    return c->birthday < 0 || c->birthday == (int8_t) has_birthday(cart);
}


static bool
attributes_hold(const pos_condition_t *c, const pos_cart_t *cart)
{
    for (uint32_t i = 0; i < c->attribute_count; i++) {
        const pos_attribute_filter_t *a = &c->attributes[i];
        const pos_str_t              *value = pos_attribute_find(cart->attributes,
            cart->attribute_count, a->name);

        if (value == NULL
            || (a->values.count > 0 && !pos_strset_contains(&a->values, *value)))
        {
            return false;
        }
    }
    return true;
}


/* An empty set is any. */
static bool
set_allows(const pos_strset_t *set, pos_str_t value)
{
    return set->count == 0 || pos_strset_contains(set, value);
}


static bool
children_hold(const pos_condition_t *c, const pos_cart_t *cart)
{
    bool any = c->kind == POS_COND_ANY;

    for (uint32_t i = 0; i < c->child_count; i++) {
        if (pos_condition_holds(c->children[i], cart) == any) {
            return any;
        }
    }
    return !any;
}


bool
pos_condition_holds(const pos_condition_t *c, const pos_cart_t *cart)
{
    if (c == NULL) {
        return true;
    }
    switch (c->kind) {
    case POS_COND_ALL:
    case POS_COND_ANY:
        return children_hold(c, cart);
    case POS_COND_NOT:
        return !pos_condition_holds(c->children[0], cart);
    case POS_COND_ITEMS_QUANTITY:
        return within(&c->range, pos_facts_quantity(c->filter, cart));
    case POS_COND_ITEMS_AMOUNT:
        return within(&c->range, pos_facts_amount(c->filter, cart, c->after_line));
    case POS_COND_LINE_QUANTITY:
        return line_within(c, cart);
    case POS_COND_DISTINCT:
        return within(&c->range, pos_facts_distinct(c->filter, cart));
    case POS_COND_SUBTOTAL:
        return within(&c->range, pos_facts_subtotal(c, cart));
    case POS_COND_WEIGHT:
        return within(&c->range, pos_facts_weight(cart));
    case POS_COND_CUSTOMER:
        return customer_fits(c, cart);
    case POS_COND_STORE:
        return c->values.count == 0
               || (cart->store != NULL
                   && pos_strset_contains(&c->values, cart->store->code));
    case POS_COND_CHANNEL:
        return set_allows(&c->values, cart->channel);
    case POS_COND_TENDER:
        return c->values.count == 0 || sets_meet(&c->values, &cart->tenders);
    case POS_COND_FULFILMENT:
        return set_allows(&c->values, cart->fulfilment);
    case POS_COND_SHIP_TO:
        return set_allows(&c->values, cart->ship_country)
               && set_allows(&c->ids, cart->ship_region);
    case POS_COND_ATTRIBUTE:
        return attributes_hold(c, cart);
    }
    return false;
}
