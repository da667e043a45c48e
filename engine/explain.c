/*
 * Why each promotion that was looked at applied or not, and what would make it
 * apply. Nothing here changes the quote: alternatives are judged apart.
 */

#include "engine/quote_write.h"

typedef struct {
    const char *reason;
    uint32_t    rival;        /* candidate, POS_NIL: none */
    int64_t     by;           /* of not_best; -1: not said */
} verdict_t;

static bool
matches_nothing(const pos_plan_t *plan, const pos_candidate_t *c)
{
    for (uint32_t i = 0; i < c->act_count; i++) {
        const pos_act_t *act = &plan->acts[c->acts[i]];

        if (act->match.count || act->phase == POS_PHASE_BONUS ||
            (act->phase == POS_PHASE_SHIPPING && plan->shipping != POS_NIL)) {
            return false;
        }
    }
    return true;
}

static uint32_t
rival_of(const pos_quoted_t *q, uint32_t k)
{
    for (uint32_t j = 0; j < q->plan->candidate_count; j++) {
        if (j != k && q->solution.state->worked[j] && pos_excludes(q->plan, k, j)) {
            return j;
        }
    }
    return POS_NIL;
}

static bool
held_by_floor(const pos_quoted_t *q, const pos_candidate_t *c)
{
    const pos_state_t *s = q->solution.state;

    for (uint32_t i = 0; i < c->act_count; i++) {
        const pos_match_t *m = &q->plan->acts[c->acts[i]].match;

        for (uint32_t k = 0; k < m->count; k++) {
            for (uint32_t seg = s->first[m->items[k]]; seg != POS_NIL; seg = s->segs[seg].next) {
                if (s->segs[seg].floor > 0 && s->segs[seg].left <= s->segs[seg].floor) {
                    return true;
                }
            }
        }
    }
    return false;
}

/* A gift is whole or not at all: what is left of a budget may be too little for it. */
static bool
held_by_budget(const pos_quoted_t *q, const pos_candidate_t *c)
{
    for (uint32_t i = 0; i < c->act_count; i++) {
        const pos_act_t *act = &q->plan->acts[c->acts[i]];

        if (act->phase == POS_PHASE_GIFT && act->gift_item != POS_NIL &&
            q->w->cart.items[act->gift_item].subtotal > c->amount_max) {
            return true;
        }
    }
    return false;
}

/* How much dearer the cart would be, were this one used before its rivals. */
static int64_t
forced(pos_quoted_t *q, uint32_t k)
{
    pos_state_t  other;
    pos_choice_t choice = { 0 };
    uint32_t     n = q->plan->candidate_count, at = 0;
    bool         alone = q->plan->candidates[k].promotion->stacking == POS_STACK_ALONE;

    choice.used = pos_arena_zalloc(q->w->arena, n + 1);
    choice.order = pos_arena_alloc(q->w->arena, (n + 1) * sizeof(uint32_t));
    choice.repeat = pos_arena_alloc(q->w->arena, (n + 1) * sizeof(int64_t));
    if (!choice.used || !choice.order || !choice.repeat || pos_state_init(&other, q->plan) != POS_OK) {
        return -1;
    }
    choice.order[at++] = k;
    for (uint32_t j = 0; j < n; j++) {
        choice.repeat[j] = POS_INF;
        choice.used[j] = j == k ||
            (!alone && q->plan->candidates[j].promotion->stacking != POS_STACK_ALONE);
        if (j != k) {
            choice.order[at++] = j;
        }
    }
    if (pos_evaluate(&other, &choice) != POS_OK || other.objective < q->solution.state->objective) {
        return -1;
    }
    return other.objective - q->solution.state->objective;
}

static verdict_t
judge(pos_quoted_t *q, uint32_t k)
{
    const pos_candidate_t *c = &q->plan->candidates[k];
    verdict_t              v = { NULL, POS_NIL, -1 };

    if (q->solution.state->off[k] == 2) {
        v.reason = "condition";
    } else if (held_by_budget(q, c)) {
        v.reason = "budget";
    } else if (matches_nothing(q->plan, c)) {
        v.reason = c->act_count ? "no_items" : "condition";
    } else if ((v.rival = rival_of(q, k)) != POS_NIL) {
        v.reason = q->w->book->optimise_priority ? "excluded_by" : "not_best";
        v.by = q->w->book->optimise_priority ? -1 : forced(q, k);
        if (v.by < 0) {
            v.reason = "excluded_by";
        }
    } else if (held_by_floor(q, c)) {
        v.reason = "floor";
    } else {
        v.reason = "no_items";
    }
    return v;
}

/* ---- coupons ---- */

const char *
pos_coupon_status(const pos_quoted_t *q, uint32_t coupon)
{
    const pos_coupon_state_t *c = &q->w->coupons[coupon];
    const char               *status = "condition";

    if (c->status) {
        return c->status;
    }
    for (uint32_t k = 0; k < q->plan->candidate_count; k++) {
        const pos_promotion_t *p = q->plan->candidates[k].promotion;

        if (!pos_coupon_names(c->coupon, p->id)) {
            continue;
        }
        if (q->solution.state->worked[k]) {
            return p->coupon ? "applied" : "not_needed";
        }
        if (q->solution.state->off[k] == 2 || matches_nothing(q->plan, &q->plan->candidates[k])) {
            continue;
        }
        status = rival_of(q, k) != POS_NIL ? "excluded" : "not_needed";
    }
    return status;
}

/* ---- the list ---- */

static int64_t
total_without(pos_quoted_t *q, uint32_t k)
{
    pos_solution_t other;
    pos_totals_t   totals;

    if (pos_choose(q->plan, k, &other) != POS_OK || pos_totals(other.state, &totals) != POS_OK) {
        return -1;
    }
    return totals.total;
}

static void
write_missing(pos_quoted_t *q, pos_writer_t *out, const pos_looked_t *l)
{
    pos_unmet_t unmet = { NULL, { NULL, 0 } };
    pos_str_t   missing = l->missing;

    if (missing.len == 0 && l->candidate != POS_NIL && q->solution.state->off[l->candidate] == 2) {
        pos_condition_unmet(l->promotion->when, &q->w->cart, &unmet);
        missing = unmet.missing;
    }
    if (missing.len) {
        pos_write_key(out, "missing");
        pos_write_raw(out, missing);
    }
}

static void
write_looked(pos_quoted_t *q, pos_writer_t *out, const pos_looked_t *l)
{
    bool      applied = l->candidate != POS_NIL && q->solution.state->worked[l->candidate];
    verdict_t v = { l->reason, POS_NIL, -1 };

    if (!applied && l->candidate != POS_NIL) {
        v = judge(q, l->candidate);
    }
    pos_write_object_begin(out);
    pos_write_key(out, "id");
    pos_write_string(out, l->promotion->id);
    pos_write_key(out, "applied");
    pos_write_bool(out, applied);
    if (!applied) {
        pos_write_key(out, "reason");
        pos_write_string(out, pos_str_z(v.reason ? v.reason : "no_items"));
        if (v.rival != POS_NIL) {
            pos_write_key(out, "promotion");
            pos_write_string(out, q->plan->candidates[v.rival].promotion->id);
        }
        if (v.by >= 0) {
            pos_write_key(out, "amount");
            pos_write_int(out, v.by);
        }
        if (l->detail.len) {
            pos_write_key(out, "detail");
            pos_write_string(out, l->detail);
        }
        write_missing(q, out, l);
    }
    pos_write_key(out, "without");
    pos_write_int(out, applied ? total_without(q, l->candidate) : q->totals.total);
    pos_write_object_end(out);
}

pos_status_t
pos_explain_write(pos_quoted_t *q, pos_writer_t *out)
{
    pos_write_key(out, "explain");
    pos_write_array_begin(out);
    for (uint32_t i = 0; i < q->plan->looked_count; i++) {
        /* Alternatives leave their own figures in the cart: put ours back. */
        pos_status_t status = pos_evaluate(q->solution.state, q->solution.choice);

        if (status != POS_OK) {
            return status;
        }
        write_looked(q, out, &q->plan->looked[i]);
    }
    pos_write_array_end(out);
    return POS_OK;
}
