/*
 * Why each promotion that was looked at applied or not, and what would make it
 * apply. Nothing here changes the quote: alternatives are judged apart.
 */

#include "engine/quote_write.h"

#define WORK_MAX  2000000    /* items and effects judged for one answer's alternatives */
#define SOLVING   8          /* a cart without one promotion: its room, in choices judged */

typedef struct {
    const char *reason;
    uint32_t    rival;        /* candidate, POS_NIL: none */
    int64_t     by;           /* of not_best; -1: not said */
    pos_str_t   missing;
} verdict_t;

/* Alternatives leave their own figures in the cart, which is put right before the
 * quote's own are read again. */
typedef struct {
    pos_quoted_t *q;
    pos_state_t   state;      /* of an alternative */
    pos_choice_t  choice;
    bool          ready;
    bool          stale;      /* the cart has another's figures */
    uint64_t      work;
    pos_status_t  status;     /* sticks: no memory */
} explaining_t;

/* Is there work left for one more choice? By size and never by time. */
static bool
may_judge(explaining_t *x, uint64_t choices)
{
    uint64_t each = x->q->plan->span + x->q->plan->act_count;

    if (x->work >= WORK_MAX) {
        return false;
    }
    x->work += choices * each;
    return true;
}

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

static bool
make_ready(explaining_t *x)
{
    pos_arena_t *arena = x->q->w->arena;
    size_t       n = x->q->plan->candidate_count;

    if (!x->ready) {
        x->choice.used = pos_arena_zalloc(arena, n + 1);
        x->choice.order = pos_arena_alloc(arena, (n + 1) * sizeof(uint32_t));
        x->choice.repeat = pos_arena_alloc(arena, (n + 1) * sizeof(int64_t));
        x->ready = x->choice.used && x->choice.order && x->choice.repeat &&
            pos_state_init(&x->state, x->q->plan) == POS_OK;
        x->status = x->ready ? x->status : POS_NO_MEMORY;
    }
    return x->ready;
}

/* How much dearer the cart would be, were this one used before its rivals. */
static int64_t
forced(explaining_t *x, uint32_t k)
{
    const pos_plan_t *plan = x->q->plan;
    uint32_t          n = plan->candidate_count, at = 0;
    bool              alone = plan->candidates[k].promotion->stacking == POS_STACK_ALONE;
    pos_status_t      status;

    if (!may_judge(x, 1) || !make_ready(x)) {
        return -1;    /* not said */
    }
    x->choice.order[at++] = k;
    for (uint32_t j = 0; j < n; j++) {
        x->choice.repeat[j] = POS_INF;
        x->choice.used[j] = j == k ||
            (!alone && plan->candidates[j].promotion->stacking != POS_STACK_ALONE);
        if (j != k) {
            x->choice.order[at++] = j;
        }
    }
    x->stale = true;
    status = pos_evaluate(&x->state, &x->choice);
    x->status = status == POS_NO_MEMORY ? status : x->status;
    if (status != POS_OK || !x->state.worked[k] || x->state.objective < x->q->solution.state->objective) {
        return -1;
    }
    return x->state.objective - x->q->solution.state->objective;
}

/* Whom it would put out: the first that did something and now does not. */
static uint32_t
put_out(const explaining_t *x)
{
    for (uint32_t j = 0; j < x->q->plan->candidate_count; j++) {
        if (x->q->solution.state->worked[j] && !x->state.worked[j]) {
            return j;
        }
    }
    return POS_NIL;
}

static verdict_t
judge(explaining_t *x, uint32_t k)
{
    pos_quoted_t          *q = x->q;
    const pos_candidate_t *c = &q->plan->candidates[k];
    verdict_t              v = { NULL, POS_NIL, -1, { NULL, 0 } };

    if (q->solution.state->off[k] == 2) {
        v.reason = "condition";
    } else if (held_by_budget(q, c)) {
        v.reason = "budget";
    } else if (matches_nothing(q->plan, c)) {
        v.reason = c->act_count ? "no_items" : "condition";
    } else if ((v.rival = rival_of(q, k)) != POS_NIL) {
        v.reason = q->w->book->optimise_priority ? "excluded_by" : "not_best";
        v.by = q->w->book->optimise_priority ? -1 : forced(x, k);
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

/* False: the work for alternatives is used up, or the total is past all bounds. */
static bool
total_without(explaining_t *x, uint32_t k, int64_t *out)
{
    pos_solution_t other;
    pos_totals_t   totals;
    pos_status_t   status;

    if (!may_judge(x, SOLVING)) {
        return false;
    }
    x->stale = true;
    status = pos_choose(x->q->plan, k, &other);
    if (status == POS_OK) {
        (void) may_judge(x, other.nodes);
        status = pos_totals(other.state, &totals);
    }
    if (status != POS_OK) {
        x->status = status == POS_NO_MEMORY ? status : x->status;
        return false;
    }
    *out = totals.total;
    return true;
}

/* The cart as the quote left it. Where nothing follows the line discounts, what they
 * left is what is left. */
static pos_status_t
put_right(explaining_t *x)
{
    pos_quoted_t *q = x->q;
    pos_cart_t   *cart = &q->w->cart;
    pos_status_t  status = POS_OK;

    if (x->stale) {
        status = pos_evaluate(q->solution.state, q->solution.choice);
    }
    if (status == POS_OK && !cart->after_line_known) {
        cart->subtotal_after_line = 0;
        for (uint32_t i = 0; i < cart->item_count; i++) {
            cart->items[i].after_line = q->totals.left[i];
            cart->subtotal_after_line += q->totals.left[i];
        }
        cart->after_line_known = true;
    }
    x->stale = false;
    return status;
}

/* What the promotion's own words ask for and the cart lacks. Line promotions are
 * judged before there are line discounts. */
static pos_unmet_t
unmet_of(explaining_t *x, const pos_promotion_t *p)
{
    pos_cart_t *cart = &x->q->w->cart;
    pos_unmet_t unmet = { NULL, { NULL, 0 } };

    if (x->work < WORK_MAX) {
        x->work += cart->item_count;
        cart->after_line_known = p->class != POS_CLASS_LINE;
        pos_promotion_unmet(p, cart, &unmet);
        cart->after_line_known = true;
    }
    return unmet;
}

/* Reasons that a change of the cart may mend. */
static bool
is_mendable(const char *reason)
{
    static const char *const reasons[] = { "condition", "no_items", "customer", "wrong_store",
        "wrong_channel", "wrong_tender", NULL };

    for (int i = 0; reason && reasons[i]; i++) {
        if (strcmp(reason, reasons[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool
all_off(const pos_quoted_t *q, const pos_candidate_t *c)
{
    for (uint32_t i = 0; i < c->act_count; i++) {
        if (!q->solution.state->off_act[c->acts[i]]) {
            return false;
        }
    }
    return c->act_count > 0;
}

static verdict_t
verdict_of(explaining_t *x, const pos_looked_t *l)
{
    const pos_quoted_t *q = x->q;
    verdict_t           v = { l->reason, POS_NIL, -1, l->missing };
    pos_unmet_t         unmet = { NULL, { NULL, 0 } };

    if (l->missing.len == 0 && (l->candidate != POS_NIL || is_mendable(l->reason))) {
        unmet = unmet_of(x, l->promotion);
    }
    if (unmet.reason) {
        v.reason = unmet.reason;
        v.missing = unmet.missing;
    } else if (l->candidate != POS_NIL && all_off(q, &q->plan->candidates[l->candidate])) {
        v.reason = "condition";
    } else if (l->candidate != POS_NIL) {
        v = judge(x, l->candidate);
        if (strcmp(v.reason, "no_items") == 0 && !q->w->book->optimise_priority &&
            !matches_nothing(q->plan, &q->plan->candidates[l->candidate])) {
            v.by = forced(x, l->candidate);
            v.rival = v.by < 0 ? POS_NIL : put_out(x);
            v.reason = v.by < 0 ? "no_items" : "not_best";
        }
    }
    return v;
}

static void
write_verdict(const pos_quoted_t *q, pos_writer_t *out, const pos_looked_t *l, const verdict_t *v)
{
    pos_write_key(out, "reason");
    pos_write_string(out, pos_str_z(v->reason ? v->reason : "no_items"));
    if (v->rival != POS_NIL) {
        pos_write_key(out, "promotion");
        pos_write_string(out, q->plan->candidates[v->rival].promotion->id);
    }
    if (v->by >= 0) {
        pos_write_key(out, "amount");
        pos_write_int(out, v->by);
    }
    if (l->detail.len) {
        pos_write_key(out, "detail");
        pos_write_string(out, l->detail);
    }
    if (v->missing.len) {
        pos_write_key(out, "missing");
        pos_write_raw(out, v->missing);
    }
}

/* Where the work for alternatives is used up, `without` is null. */
static void
write_looked(explaining_t *x, pos_writer_t *out, const pos_looked_t *l)
{
    pos_quoted_t *q = x->q;
    bool          applied = l->candidate != POS_NIL && q->solution.state->worked[l->candidate];
    int64_t       without = q->totals.total;

    pos_write_object_begin(out);
    pos_write_key(out, "id");
    pos_write_string(out, l->promotion->id);
    pos_write_key(out, "applied");
    pos_write_bool(out, applied);
    if (!applied) {
        verdict_t v = verdict_of(x, l);

        write_verdict(q, out, l, &v);
    }
    pos_write_key(out, "without");
    if (applied && !total_without(x, l->candidate, &without)) {
        pos_write_null(out);
    } else {
        pos_write_int(out, without);
    }
    pos_write_object_end(out);
}

pos_status_t
pos_explain_write(pos_quoted_t *q, pos_writer_t *out)
{
    explaining_t x = { .q = q, .stale = true };

    pos_write_key(out, "explain");
    pos_write_array_begin(out);
    for (uint32_t i = 0; i < q->plan->looked_count; i++) {
        pos_status_t status = put_right(&x);

        if (status != POS_OK) {
            return status;
        }
        write_looked(&x, out, &q->plan->looked[i]);
    }
    pos_write_array_end(out);
    return x.status;
}
