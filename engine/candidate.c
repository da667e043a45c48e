/*
 * Which promotions could apply: named by the index (which names all of them
 * where the quote explains itself), live, in the right arm, their coupon given,
 * their condition holding, their script willing. Each one looked at keeps its
 * reason for explain.
 */

#include "engine/plan.h"

/* What one limit leaves for this order: what was used of it before is asked for,
 * and kept with the quote. */
static pos_status_t
limit_left(pos_plan_t *plan, const pos_promotion_t *p, const pos_limit_t *l, int64_t *left)
{
    pos_work_t         *w = plan->work;
    const pos_inputs_t *inputs = w->options->inputs;
    pos_str_t           store = w->cart.store ? w->cart.store->code : pos_str("");
    pos_usage_key_t     key;
    pos_usage_t        *usage;
    pos_status_t        status;

    *left = l->max;
    if (inputs == NULL || inputs->usage == NULL || l->per == POS_LIMIT_PER_ORDER) {
        return POS_OK;
    }
    if (!plan->today_known) {
        pos_civil_of(w->book->zone, w->cart.at, &plan->today);
        plan->today_known = true;
    }
    if (!pos_usage_key(l, p->id, l->per == POS_LIMIT_PER_STORE ? store : w->cart.customer_id,
            &plan->today, &key)) {
        return POS_OK;
    }
    usage = pos_arena_zalloc(w->arena, sizeof(*usage));
    if (usage == NULL) {
        return POS_NO_MEMORY;
    }
    usage->key = key;
    status = inputs->usage(inputs->ctx, &key, &usage->used);
    if (status != POS_OK) {
        return status;
    }
    *plan->usage_last = usage;
    plan->usage_last = &usage->next;
    *left = usage->used < l->max ? l->max - usage->used : 0;
    return POS_OK;
}

/* No window holds more than its whole, so each limit bounds one order too. */
static pos_status_t
read_limits(pos_plan_t *plan, pos_candidate_t *c)
{
    const pos_promotion_t *p = c->promotion;

    for (uint32_t i = 0; i < p->limit_count; i++) {
        const pos_limit_t *l = &p->limits[i];
        int64_t            left;
        pos_status_t       status = limit_left(plan, p, l, &left);

        if (status != POS_OK) {
            return status;
        }
        if (l->of == POS_LIMIT_AMOUNT) {
            c->amount_max = left < c->amount_max ? left : c->amount_max;
        } else if (l->of == POS_LIMIT_USES) {
            c->uses_max = left < c->uses_max ? left : c->uses_max;
        } else if (left < 1) {
            c->uses_max = 0;
        }
    }
    return POS_OK;
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

static bool
is_skipped(const pos_inputs_t *inputs, pos_str_t promotion)
{
    for (uint32_t i = 0; inputs && i < inputs->skipped_count; i++) {
        if (pos_str_eq(inputs->skipped[i], promotion)) {
            return true;
        }
    }
    return false;
}

/* Runs the script; its proposals stand behind the promotion's own effects. */
static pos_status_t
run_script(pos_plan_t *plan, uint32_t looked, pos_candidate_t *c, bool *willing)
{
    const pos_promotion_t *p = c->promotion;
    pos_work_t            *w = plan->work;
    pos_script_result_t    r = { 0 };
    pos_effect_t          *all;
    uint64_t               begun = w->options->clock ? w->options->clock() : 0;
    pos_status_t           status;

    *willing = false;
    if (w->options->vm == NULL || is_skipped(w->options->inputs, p->id)) {
        r.failure = w->options->vm == NULL ? "no_scripts" : "skipped, as the inputs say";
        return script_failed(plan, looked, &r);
    }
    status = pos_script_apply(w->options->vm, p->script, p, &w->cart, &r);
    if (status != POS_OK) {
        return status;
    }
    plan->looked[looked].script_ns = w->options->clock ? w->options->clock() - begun : 0;
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
    plan->looked[looked].said = r.explain_reason.len ? r.explain_reason.data : NULL;
    plan->looked[looked].said_missing = r.explain_missing;
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

bool
pos_condition_asks_later(const pos_condition_t *c)
{
    if (c == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < c->child_count; i++) {
        if (pos_condition_asks_later(c->children[i])) {
            return true;
        }
    }
    return c->kind == POS_COND_SUBTOTAL && c->after_line;
}

static pos_status_t
look_at(pos_plan_t *plan, uint32_t looked, bool reachable)
{
    pos_looked_t          *l = &plan->looked[looked];
    const pos_promotion_t *p = l->promotion;
    const pos_cart_t      *cart = &plan->work->cart;
    pos_candidate_t       *c = &plan->candidates[plan->candidate_count];
    pos_status_t           status;
    bool                   willing = true, in_arm;

    l->candidate = POS_NIL;
    l->reason = pos_promotion_inactive(p, cart);
    if (l->reason == NULL && p->experiment.len > 0) {
        status = pos_experiment_look(plan, p, reachable, &in_arm);
        if (status != POS_OK) {
            return status;
        }
        l->reason = in_arm ? NULL : "other_arm";
    }
    if (l->reason == NULL && p->coupon && !pos_coupon_opens(plan->work, p->id)) {
        l->reason = "needs_coupon";
    }
    /* Why exactly is for explain to find out, as far as its work goes. */
    if (l->reason == NULL && !reachable) {
        l->reason = "no_items";
    }
    if (l->reason == NULL && !pos_condition_holds(p->when, cart) &&
        (p->class == POS_CLASS_LINE || !pos_condition_asks_later(p->when))) {
        l->reason = "condition";
    }
    if (l->reason) {
        return POS_OK;
    }
    *c = (pos_candidate_t) { .promotion = p, .looked = looked, .effects = p->effects,
        .effect_count = p->effect_count, .uses_max = POS_INF, .amount_max = POS_INF };
    if (p->limit_count && (status = read_limits(plan, c)) != POS_OK) {
        return status;
    }
    if (c->uses_max < 1 || c->amount_max < 1) {
        l->reason = c->uses_max < 1 ? "limit" : "budget";
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
        plan->looked[i].number = all[i];
        plan->looked[i].reachable = at < found_count && found[at] == all[i];
        status = look_at(plan, i, plan->looked[i].reachable);
        if (status != POS_OK) {
            return status;
        }
    }
    return POS_OK;
}
