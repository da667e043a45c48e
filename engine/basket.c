/* A basket to its figures, once with a promotion and once without. */

#include "engine/basket.h"

#include "engine/lines.h"
#include "engine/request_data.h"

typedef struct {
    pos_work_t     work;
    pos_plan_t     plan;
    pos_solution_t solution;
} priced_t;


/* ---- the cart ---- */

/* As a request's: by hash, ascending. */
static bool
make_set(pos_arena_t *arena, const pos_str_t *values, uint32_t count, pos_strset_t *out)
{
    uint64_t  *hashes;
    pos_str_t *sorted;

    if (count == 0) {
        return true;
    }
    hashes = pos_arena_alloc(arena, count * sizeof(*hashes));
    sorted = pos_arena_alloc(arena, count * sizeof(*sorted));
    if (hashes == NULL || sorted == NULL) {
        return false;
    }
    for (uint32_t n = 0; n < count; n++) {
        uint64_t hash = pos_hash64(values[n]);
        uint32_t i;

        for (i = n; i > 0 && hashes[i - 1] > hash; i--) {
            hashes[i] = hashes[i - 1];
            sorted[i] = sorted[i - 1];
        }
        hashes[i] = hash;
        sorted[i] = values[n];
    }
    *out = (pos_strset_t) { count, hashes, sorted };
    return true;
}


static void
refuse(pos_work_t *w, const char *pointer, const char *code, const char *message)
{
    (void) pos_fault(w->faults, pos_str_z(pointer), code, "%s", message);
    w->invalid = true;
}


static bool
read_lines(pos_work_t *w, const pos_basket_t *basket)
{
    pos_cart_t *cart = &w->cart;

    cart->lines = pos_arena_alloc(w->arena, ((size_t) basket->line_count + 1) * sizeof(*cart->lines));
    if (cart->lines == NULL) {
        return false;
    }
    cart->line_count = basket->line_count;
    for (uint32_t i = 0; i < basket->line_count; i++) {
        pos_line_t *line = &cart->lines[i];

        *line = (pos_line_t) { .rare = &pos_line_plain, .sku = basket->lines[i].sku,
            .quantity = basket->lines[i].quantity };
        if (line->quantity <= 0 || line->quantity > 100000 * POS_THOUSANDTHS) {
            (void) pos_line_fault(w, i, "/quantity", "quantity", "must be more than 0 and at most 100000");
        }
    }
    return true;
}


static pos_status_t
read_basket(pos_work_t *w, const pos_basket_t *basket)
{
    pos_cart_t *cart = &w->cart;
    unsigned    exponent;

    cart->book = w->book;
    cart->arena = w->arena;
    cart->at = basket->at;
    cart->simulated = true;
    cart->currency = basket->currency.len > 0 ? basket->currency : w->book->currency;
    cart->channel = basket->channel;
    cart->session = basket->session;
    cart->customer_id = basket->customer;
    cart->customer_known = basket->customer.len > 0;
    cart->customer_orders = -1;
    cart->customer_birthday = INT32_MIN;
    cart->coupons = basket->coupons;
    cart->coupon_count = basket->coupon_count;
    if (!pos_str_eq(cart->currency, w->book->currency) && !pos_currency_exponent(cart->currency, &exponent)) {
        refuse(w, "/currency", "unknown_currency", "no such ISO 4217 currency");
    }
    if (basket->store.len > 0) {
        cart->store = pos_map_get(&w->book->stores, basket->store);
        if (cart->store == NULL) {
            refuse(w, "/store", "unknown_store", "no such store");
        }
    }
    if (!make_set(w->arena, basket->groups, basket->group_count, &cart->customer_groups)
        || !read_lines(w, basket))
    {
        return POS_NO_MEMORY;
    }
    pos_civil_of(cart->store && cart->store->zone ? cart->store->zone : w->book->zone, cart->at, &cart->local);
    return w->invalid ? POS_INVALID : POS_OK;
}


/* ---- the figures ---- */

static int64_t
tax_of(const pos_line_result_t *line, const pos_totals_t *totals)
{
    int64_t sum = 0;

    for (uint32_t t = 0; t < totals->taxes[line->item].count; t++) {
        sum += line->taxes[t] - (line->fee_taxes ? line->fee_taxes[t] : 0);
    }
    return sum;
}


static pos_status_t
take_parts(const pos_work_t *w, const pos_state_t *s, const pos_totals_t *totals, pos_basket_price_t *out)
{
    pos_line_result_t *lines;
    pos_basket_part_t *parts;
    uint32_t           count;
    pos_status_t       status = pos_lines_split(s, totals, &lines, &count);

    if (status != POS_OK) {
        return status;
    }
    parts = pos_arena_alloc(w->arena, ((size_t) count + 1) * sizeof(*parts));
    if (parts == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        const pos_line_result_t *line = &lines[i];

        parts[i] = (pos_basket_part_t) { w->cart.items[line->item].product, line->quantity, line->subtotal,
            line->total, tax_of(line, totals), i >= w->cart.line_count };
    }
    out->part_count = count;
    out->parts = parts;
    return POS_OK;
}


static pos_status_t
take_uses(const priced_t *p, pos_basket_price_t *out)
{
    const pos_state_t *s = p->solution.state;
    pos_basket_use_t  *uses;

    if (p->plan.candidate_count == 0) {
        return POS_OK;
    }
    uses = pos_arena_alloc(p->work.arena, p->plan.candidate_count * sizeof(*uses));
    if (uses == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t k = 0; k < p->plan.candidate_count; k++) {
        if (s->worked[k]) {
            uses[out->use_count++] = (pos_basket_use_t) { p->plan.candidates[k].promotion->id, s->saved[k] };
        }
    }
    out->uses = uses;
    return POS_OK;
}


/* The best choice, without the candidate `banned`, and what it comes to. POS_LIMIT: too
 * large amounts; of a banned one also that it takes too long to settle. */
static pos_status_t
choose(priced_t *p, uint32_t banned, pos_basket_price_t *out)
{
    pos_totals_t totals;
    pos_status_t status = pos_choose(&p->plan, banned, pos_choose_steps(&p->plan), &p->solution);

    *out = (pos_basket_price_t) { 0 };
    if (status == POS_OK) {
        status = pos_totals(p->solution.state, &totals);
    }
    if (status == POS_OK) {
        status = take_parts(&p->work, p->solution.state, &totals, out);
    }
    if (status == POS_OK) {
        status = take_uses(p, out);
    }
    if (status == POS_OK) {
        out->optimal = p->solution.optimal;
        out->discount = totals.discount;
        out->total = totals.total;
        out->points = p->solution.state->points;
    }
    return status;
}


static pos_status_t
plan(priced_t *p, const pos_quote_options_t *options, const pos_basket_t *basket, pos_arena_t *arena,
    pos_faults_t *faults)
{
    pos_status_t status;

    memset(&p->work, 0, sizeof(p->work));
    p->work.options = options;
    p->work.book = options->book;
    p->work.arena = arena;
    p->work.faults = faults;
    p->work.tax_included = options->book->list_count && options->book->list_array[0].tax_included;
    status = read_basket(&p->work, basket);
    if (status == POS_OK) {
        status = pos_items_make(&p->work);
    } else if (status == POS_INVALID) {
        status = pos_items_name_faults(&p->work);
    }
    return status == POS_OK ? pos_plan_make(&p->work, &p->plan) : status;
}


static pos_status_t
too_large(pos_faults_t *faults)
{
    return pos_fault(faults, pos_str(""), "overflow", "an amount of this cart is more than any amount may be");
}


static pos_status_t
take_failures(const priced_t *p, pos_basket_result_t *out)
{
    pos_script_failure_t *failed;

    if (p->plan.script_error_count == 0) {
        return POS_OK;
    }
    failed = pos_arena_array(p->work.arena, p->plan.script_error_count, sizeof(*failed));
    if (failed == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < p->plan.script_error_count; i++) {
        const pos_looked_t *l = &p->plan.looked[p->plan.script_errors[i]];

        failed[i].promotion = l->promotion->id;
        failed[i].text = l->detail;
    }
    out->failures = failed;
    out->failure_count = p->plan.script_error_count;
    return POS_OK;
}


static uint32_t
candidate_of(const pos_plan_t *plan, pos_str_t id)
{
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        if (pos_str_eq(plan->candidates[k].promotion->id, id)) {
            return k;
        }
    }
    return POS_NIL;
}


/* Of two choices each proved to be the best one there is no other: the shop without the
 * promotion would come to the same. What is not proved is priced in that shop. */
static pos_status_t
price_without(const pos_basket_options_t *options, const pos_basket_t *basket, priced_t *p, uint32_t banned,
    pos_basket_result_t *out)
{
    pos_status_t status = POS_LIMIT;

    if (out->with.optimal) {
        p->work.taxset_count = 0;
        p->work.taxsets = NULL;
        status = choose(p, banned, &out->without);
    }
    if (status == POS_LIMIT || (status == POS_OK && !out->without.optimal)) {
        status = plan(p, &options->without, basket, p->work.arena, p->work.faults);
        if (status == POS_OK) {
            status = choose(p, POS_NIL, &out->without);
        }
    }
    return status;
}


pos_status_t
pos_basket_price(const pos_basket_options_t *options, const pos_basket_t *basket, pos_arena_t *arena,
    pos_faults_t *faults, pos_basket_result_t *out)
{
    priced_t     p;
    uint32_t     k = POS_NIL;
    pos_status_t status = plan(&p, &options->with, basket, arena, faults);

    memset(out, 0, sizeof(*out));
    out->local = p.work.cart.local;
    if (status == POS_OK) {
        status = choose(&p, POS_NIL, &out->with);
    }
    if (status == POS_OK) {
        status = take_failures(&p, out);
    }
    if (status == POS_OK) {
        out->tax_included = p.work.tax_included;
        out->without = out->with;
        k = candidate_of(&p.plan, options->promotion);
        out->reached = k != POS_NIL;
        out->applied = out->reached && p.solution.state->worked[k];
    }
    if (status == POS_OK && out->reached) {
        status = price_without(options, basket, &p, k, out);
    }
    if (status == POS_LIMIT) {
        status = too_large(faults);
    }
    return status == POS_INVALID && faults->lost ? POS_NO_MEMORY : status;
}
