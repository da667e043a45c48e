/*
 * Which promotions could apply: named by the index (which names all of them
 * where the quote explains itself), live, in the right arm, their coupon given,
 * their condition holding, their script willing. Each one looked at keeps its
 * reason for explain.
 */

#include "engine/plan.h"

static bool
has_coupon(const pos_coupon_t *const *good, uint32_t count, pos_str_t id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (pos_coupon_names(good[i], id)) {
            return true;
        }
    }
    return false;
}

/* Limits of the order itself; the others are counted where orders are kept. */
static void
order_limits(pos_candidate_t *c)
{
    const pos_promotion_t *p = c->promotion;

    c->uses_max = POS_INF;
    c->amount_max = POS_INF;
    for (uint32_t i = 0; i < p->limit_count; i++) {
        const pos_limit_t *l = &p->limits[i];

        if (l->of == POS_LIMIT_AMOUNT) {
            /* No window holds more than its whole, so it bounds one order too. */
            c->amount_max = l->max < c->amount_max ? l->max : c->amount_max;
        } else if (l->of == POS_LIMIT_USES) {
            c->uses_max = l->max < c->uses_max ? l->max : c->uses_max;
        } else if (l->max < 1) {
            c->uses_max = 0;
        }
    }
}

static pos_status_t
script_failed(pos_plan_t *plan, uint32_t looked, const pos_script_result_t *r)
{
    pos_arena_t  *arena = plan->work->arena;
    pos_looked_t *l = &plan->looked[looked];

    l->reason = "script_error";
    l->detail = r->failure_text.len ? r->failure_text : pos_str_z(r->failure ? r->failure : "error");
    if (plan->script_errors == NULL) {
        plan->script_errors = pos_arena_array(arena, plan->looked_count, sizeof(uint32_t));
        if (plan->script_errors == NULL) {
            return POS_NO_MEMORY;
        }
    }
    plan->script_errors[plan->script_error_count++] = looked;
    return POS_OK;
}

/* Runs the script; its proposals stand behind the promotion's own effects. */
static pos_status_t
run_script(pos_plan_t *plan, uint32_t looked, pos_candidate_t *c, bool *willing)
{
    const pos_promotion_t *p = c->promotion;
    pos_work_t            *w = plan->work;
    pos_script_result_t    r = { 0 };
    pos_effect_t          *all;
    pos_status_t           status;

    *willing = false;
    if (w->options->vm == NULL) {
        r.failure = "no_scripts";
        return script_failed(plan, looked, &r);
    }
    status = pos_script_apply(w->options->vm, p->script, p, &w->cart, &r);
    if (status != POS_OK) {
        return status;
    }
    if (r.failed) {
        return script_failed(plan, looked, &r);
    }
    if (!r.eligible || p->effect_count + r.effect_count == 0) {
        plan->looked[looked].reason = r.explain_reason.len
            ? pos_arena_str(w->arena, r.explain_reason).data
            : r.eligible ? "no_items" : "condition";
        plan->looked[looked].missing = r.explain_missing;
        return POS_OK;
    }
    *willing = true;
    if (p->effect_count == 0) {
        c->effects = r.effects;
        c->effect_count = r.effect_count;
        return POS_OK;
    }
    all = pos_arena_array(w->arena, p->effect_count + r.effect_count, sizeof(*all));
    if (all == NULL) {
        return POS_NO_MEMORY;
    }
    memcpy(all, p->effects, p->effect_count * sizeof(*all));
    if (r.effect_count) {
        memcpy(all + p->effect_count, r.effects, r.effect_count * sizeof(*all));
    }
    c->effects = all;
    c->effect_count = p->effect_count + r.effect_count;
    return POS_OK;
}

/* Does the condition ask for the subtotal after line discounts? Then only the
 * evaluation can say. */
static bool
asks_later(const pos_condition_t *c)
{
    if (c == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < c->child_count; i++) {
        if (asks_later(c->children[i])) {
            return true;
        }
    }
    return c->kind == POS_COND_SUBTOTAL && c->after_line;
}

static pos_status_t
look_at(pos_plan_t *plan, uint32_t looked, const pos_coupon_t *const *good, uint32_t good_count,
    bool reachable)
{
    pos_looked_t          *l = &plan->looked[looked];
    const pos_promotion_t *p = l->promotion;
    const pos_cart_t      *cart = &plan->work->cart;
    pos_candidate_t       *c = &plan->candidates[plan->candidate_count];
    pos_status_t           status;
    bool                   willing = true;

    l->candidate = POS_NIL;
    l->reason = pos_promotion_inactive(p, cart);
    if (l->reason == NULL && !pos_experiment_in_arm(p, cart)) {
        l->reason = "other_arm";
    }
    if (l->reason == NULL && p->coupon && !has_coupon(good, good_count, p->id)) {
        l->reason = "needs_coupon";
    }
    if (l->reason == NULL && !pos_condition_holds(p->when, cart) &&
        (p->class == POS_CLASS_LINE || !reachable || !asks_later(p->when))) {
        l->reason = "condition";
        if (cart->explain) {
            pos_unmet_t unmet = { "condition", { NULL, 0 } };

            pos_condition_unmet(p->when, cart, &unmet);
            l->reason = unmet.reason;
        }
    }
    if (l->reason == NULL && !reachable) {
        l->reason = "no_items";
    }
    if (l->reason) {
        return POS_OK;
    }
    *c = (pos_candidate_t) { .promotion = p, .looked = looked, .effects = p->effects,
        .effect_count = p->effect_count };
    order_limits(c);
    if (c->uses_max < 1 || c->amount_max < 1) {
        l->reason = "limit";
        return POS_OK;
    }
    if (p->script && (status = run_script(plan, looked, c, &willing)) != POS_OK) {
        return status;
    }
    if (willing) {
        l->candidate = plan->candidate_count++;
    }
    return POS_OK;
}

/* What could touch the cart, and all that are to be looked at: the same, but
 * for a quote that explains itself. */
static pos_status_t
ask_index(pos_work_t *w, const pos_coupon_t *const *good, uint32_t good_count,
    const uint32_t **found, uint32_t *n, const uint32_t **all, uint32_t *all_count)
{
    bool         explain = w->cart.explain;
    pos_status_t status;

    w->cart.explain = false;
    status = pos_index_candidates(&w->cart, good, good_count, found, n);
    w->cart.explain = explain;
    *all = *found;
    *all_count = *n;
    if (status == POS_OK && explain) {
        status = pos_index_candidates(&w->cart, good, good_count, all, all_count);
    }
    return status;
}

pos_status_t
pos_candidates(pos_plan_t *plan)
{
    pos_work_t          *w = plan->work;
    const pos_coupon_t **good;
    const uint32_t      *found = NULL, *all = NULL;
    uint32_t             good_count, found_count = 0, n = 0, at = 0;
    pos_status_t         status;

    status = pos_coupons_read(w, &good, &good_count);
    if (status == POS_OK) {
        status = ask_index(w, good, good_count, &found, &found_count, &all, &n);
    }
    if (status != POS_OK || n == 0) {
        return status;
    }
    plan->looked = pos_arena_array(w->arena, n, sizeof(*plan->looked));
    plan->candidates = pos_arena_array(w->arena, n, sizeof(*plan->candidates));
    if (plan->looked == NULL || plan->candidates == NULL) {
        return POS_NO_MEMORY;
    }
    plan->looked_count = n;
    for (uint32_t i = 0; i < n; i++) {
        while (at < found_count && found[at] < all[i]) {
            at++;
        }
        plan->looked[i].promotion = w->book->promotions[all[i]];
        status = look_at(plan, i, good, good_count, at < found_count && found[at] == all[i]);
        if (status != POS_OK) {
            return status;
        }
    }
    return POS_OK;
}
