/*
 * Why each promotion that was looked at applied or not, what would make it
 * apply, and what the cart would cost without it. Nothing here changes the
 * quote: alternatives are judged apart.
 *
 * All of it is done in bounded work, counted before it is done (unmet.h): first
 * what each one lacks, then to whom the others lost, then the totals without.
 * What there is no room for is left out, and its entry says so.
 */

#include "engine/matches.h"
#include "engine/quote_write.h"
#include "engine/unmet.h"

#define TICKS_A_STEP   24    /* of a quote's budget: explaining may take twice what solving does */
#define STEP           15    /* what a step of the solver takes */
#define SHARE          8     /* of a quote's steps, for a total without, at first */

typedef struct {
    const char *reason;        /* NULL: not known */
    uint32_t    rival;         /* candidate, POS_NIL: none */
    int64_t     by;            /* of not_best; -1: not said */
    pos_str_t   missing;
    int64_t     without;
    bool        without_known;
    bool        stopped;       /* something is left out */
} verdict_t;

typedef struct {
    pos_quoted_t *q;
    pos_effort_t  effort;
    uint64_t      each;       /* ticks of judging one choice */
    verdict_t    *verdicts;   /* by promotion looked at */
    pos_state_t   state;      /* of an alternative */
    pos_choice_t  choice;
    bool          ready;
    pos_status_t  status;     /* sticks: no memory */
} explaining_t;

/* ---- what judging takes ---- */

/* A deal is tried for several numbers of times, over all sets of its parts. */
static uint64_t
act_ticks(const pos_act_t *act, uint64_t each_class)
{
    uint64_t parts = 2 + (uint64_t) act->effect->part_count + act->effect->get_count;
    uint64_t sets = act->subset_count ? act->subset_count : 1;

    return 20 + act->match.count * each_class + 4 * (uint64_t) act->effect->tier_count +
        (act->phase == POS_PHASE_DEAL ? 8 * act->pick_count * sets * parts : 0);
}

static uint64_t
choice_ticks(const pos_quoted_t *q)
{
    const pos_plan_t *plan = q->plan;
    uint64_t          classes = 1 + q->solution.state->seg_count / plan->span;
    uint64_t          n = 500 + (uint64_t) plan->span * 120 + (uint64_t) plan->candidate_count * 30;

    for (uint32_t a = 0; a < plan->act_count; a++) {
        n += act_ticks(&plan->acts[a], classes * (12 + 2 * (uint64_t) plan->words));
    }
    return n;
}

static uint64_t
matched(const pos_plan_t *plan, const pos_candidate_t *c)
{
    uint64_t n = 1;

    for (uint32_t i = 0; i < c->act_count; i++) {
        n += plan->acts[c->acts[i]].match.count;
    }
    return n;
}

/* ---- why not ---- */

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

/* Whom it lost to: the first that did something and that it does not go with. */
static uint32_t
rival_of(const pos_quoted_t *q, uint32_t k, pos_effort_t *effort)
{
    const pos_plan_t      *plan = q->plan;
    const pos_candidate_t *c = &plan->candidates[k];
    int64_t               *marks = q->solution.state->open;    /* of deals, which are done with it */

    if (effort && !pos_effort_take(effort, matched(plan, c) + plan->span)) {
        return POS_NIL;
    }
    pos_mark_items(plan, k, marks);
    for (uint32_t j = 0; j < plan->candidate_count; j++) {
        const pos_candidate_t *other = &plan->candidates[j];

        if (j == k || !q->solution.state->worked[j] || !pos_may_exclude(plan, k, j)) {
            continue;
        }
        if (effort && !pos_effort_take(effort, 20 + 3 * matched(plan, other))) {
            return POS_NIL;
        }
        if (pos_excludes(plan, marks, k, j)) {
            return j;
        }
    }
    return POS_NIL;
}

static bool
held_by_floor(explaining_t *x, const pos_candidate_t *c)
{
    const pos_quoted_t *q = x->q;
    const pos_state_t  *s = q->solution.state;

    if (!pos_effort_take(&x->effort, 5 * matched(q->plan, c) * (1 + s->seg_count / q->plan->span))) {
        return false;
    }
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
all_off(const pos_quoted_t *q, const pos_candidate_t *c)
{
    for (uint32_t i = 0; i < c->act_count; i++) {
        if (!q->solution.state->off_act[c->acts[i]]) {
            return false;
        }
    }
    return c->act_count > 0;
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

/* How much dearer the cart would be, were this one used before its rivals; -1: it would
 * do nothing then either, or there is no room to find out. */
static int64_t
forced(explaining_t *x, uint32_t k)
{
    const pos_plan_t *plan = x->q->plan;
    uint32_t          n = plan->candidate_count, at = 0;
    bool              alone = plan->candidates[k].promotion->stacking == POS_STACK_ALONE;
    pos_status_t      status;

    if (!pos_effort_take(&x->effort, x->each) || !make_ready(x)) {
        return -1;
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
    status = pos_evaluate(&x->state, &x->choice);
    x->status = status == POS_NO_MEMORY ? status : x->status;
    if (status != POS_OK || !x->state.worked[k] ||
        x->state.objective < x->q->solution.state->objective) {
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

/* Of a candidate that lacks nothing. */
static void
judge(explaining_t *x, uint32_t k, verdict_t *v)
{
    pos_quoted_t          *q = x->q;
    const pos_candidate_t *c = &q->plan->candidates[k];
    bool                   best = !q->w->book->optimise_priority;

    x->effort.stopped = false;
    if (q->solution.state->off[k] == 2 || all_off(q, c)) {
        v->reason = "condition";
    } else if (held_by_budget(q, c)) {
        v->reason = "budget";
    } else if (matches_nothing(q->plan, c)) {
        v->reason = c->act_count ? "no_items" : "condition";
    } else if ((v->rival = rival_of(q, k, &x->effort)) != POS_NIL) {
        v->by = best ? forced(x, k) : -1;
        v->reason = v->by < 0 && !x->effort.stopped ? "excluded_by" : "not_best";
    } else if (held_by_floor(x, c)) {
        v->reason = "floor";
    } else if (!x->effort.stopped) {
        v->by = best ? forced(x, k) : -1;
        v->rival = v->by < 0 ? POS_NIL : put_out(x);
        v->reason = v->by < 0 ? "no_items" : "not_best";
    }
    v->stopped = x->effort.stopped;
    if (v->stopped && v->rival == POS_NIL) {
        v->reason = NULL;
    }
}

/* ---- coupons ---- */

/* Of two coupons for one promotion the first is used up by it, not both. Of several promotions
 * that lost, the last one tells why. */
const char *
pos_coupon_status(const pos_quoted_t *q, uint32_t coupon)
{
    const pos_coupon_state_t *c = &q->w->coupons[coupon];
    uint32_t                  lost = POS_NIL;
    bool                      had = false;

    if (c->status) {
        return c->status;
    }
    for (uint32_t i = 0; i < c->coupon->promotion_count; i++) {
        const pos_opened_t *o = pos_coupon_opens(q->w, c->coupon->promotions[i]);
        uint32_t            k = o->candidate;

        if (k == POS_NIL) {
            continue;
        }
        if (q->solution.state->worked[k]) {
            if (q->plan->candidates[k].promotion->coupon && o->coupon == coupon) {
                return "applied";
            }
            had = true;
        } else if (q->solution.state->off[k] != 2 && !matches_nothing(q->plan, &q->plan->candidates[k])) {
            lost = lost == POS_NIL || k > lost ? k : lost;
        }
    }
    if (had || lost == POS_NIL) {
        return had ? "not_needed" : "condition";
    }
    return rival_of(q, lost, NULL) != POS_NIL ? "excluded" : "not_needed";
}

/* ---- totals without ---- */

/* What is charged beforehand is what it may take at most (ties are searched for once
 * more); what it did not take is given back. What is made for it is forgotten again. */
static void
total_without(explaining_t *x, uint32_t k, uint64_t steps, verdict_t *v)
{
    pos_quoted_t    *q = x->q;
    pos_arena_mark_t mark = pos_arena_mark(q->w->arena);
    pos_work_t       work = *q->w;
    pos_plan_t       plan = *q->plan;
    uint64_t         solving = q->solution.work ? 2 * STEP * steps : 0, more;
    pos_solution_t   other = { 0 };
    pos_totals_t     totals;
    pos_status_t     status;

    x->effort.stopped = false;
    /* A cart that does not keep to its steps would not do so without one either. */
    if (q->solution.work > 2 * pos_choose_steps(q->plan) || !pos_effort_take(&x->effort, 3 * x->each + solving)) {
        v->stopped = true;
        return;
    }
    pos_matches_close(&q->w->cart, true);
    /* It finds tax sets of its own: one that it enters in those there are would stay behind. */
    q->w->taxset_count = 0;
    q->w->taxsets = NULL;
    status = pos_choose(q->plan, k, steps, &other);
    more = STEP * other.work + (other.work || other.nodes < 2 ? 0 : (other.nodes - 2) * x->each);
    x->effort.done -= solving;
    more = more < x->effort.most - x->effort.done ? more : x->effort.most - x->effort.done;
    (void) pos_effort_take(&x->effort, more);
    if (status == POS_OK) {
        status = pos_totals(other.state, &totals);
    }
    if (status == POS_OK) {
        v->without = totals.total;
        v->without_known = true;
    }
    v->stopped = status != POS_OK || (!other.optimal && steps < pos_choose_steps(q->plan));
    x->status = status == POS_NO_MEMORY ? status : x->status;
    pos_matches_close(&q->w->cart, false);
    *q->w = work;
    *q->plan = plan;
    pos_arena_rewind(q->w->arena, mark);
}

/* First each with a share of a quote's steps; then, as far as there is room, those that
 * these did not do for with all that a quote has. */
static void
find_totals(explaining_t *x)
{
    const pos_quoted_t *q = x->q;
    uint64_t            all = pos_choose_steps(q->plan);

    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < q->plan->looked_count && x->status == POS_OK; i++) {
            uint32_t   k = q->plan->looked[i].candidate;
            verdict_t *v = &x->verdicts[i];

            if (k != POS_NIL && q->solution.state->worked[k] && (pass == 0 || (v->stopped && v->without_known))) {
                total_without(x, k, pass ? all : all / SHARE, v);
            }
        }
    }
}

/* ---- the list ---- */

/* The cart as the quote left it, alternatives or not: what line discounts left. */
static void
put_right(const pos_quoted_t *q)
{
    const pos_state_t *s = q->solution.state;
    pos_cart_t        *cart = &q->w->cart;

    cart->subtotal_after_line = 0;
    for (uint32_t i = 0; i < cart->item_count; i++) {
        int64_t left = cart->items[i].subtotal;

        for (uint32_t at = s->adjust_first[i]; at != POS_NIL; at = s->adjusts[at].next) {
            uint32_t act = s->adjusts[at].act;

            left -= act == POS_NIL || q->plan->acts[act].phase < POS_PHASE_ORDER ? s->adjusts[at].amount : 0;
        }
        cart->items[i].after_line = left;
        cart->subtotal_after_line += left;
    }
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

/* What the promotion's own words ask for and the cart lacks. Line promotions are
 * judged before there are line discounts. */
static void
find_unmet(explaining_t *x, const pos_looked_t *l, verdict_t *v)
{
    pos_cart_t *cart = &x->q->w->cart;
    pos_unmet_t unmet;

    if (l->missing.len || (l->candidate == POS_NIL && !is_mendable(l->reason))) {
        return;
    }
    x->effort.stopped = false;
    cart->after_line_known = l->promotion->class != POS_CLASS_LINE;
    pos_promotion_unmet(l->promotion, &x->effort, &unmet);
    cart->after_line_known = true;
    v->stopped = x->effort.stopped;
    if (unmet.reason) {
        v->reason = unmet.reason;
        v->missing = unmet.missing;
    }
}

static void
write_verdict(const pos_quoted_t *q, pos_writer_t *out, const pos_looked_t *l, const verdict_t *v)
{
    pos_write_key(out, "reason");
    if (v->reason) {
        pos_write_string(out, pos_str_z(v->reason));
    } else {
        pos_write_null(out);
    }
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

static void
write_looked(const pos_quoted_t *q, pos_writer_t *out, const pos_looked_t *l, const verdict_t *v)
{
    bool applied = l->candidate != POS_NIL && q->solution.state->worked[l->candidate];

    pos_write_object_begin(out);
    pos_write_key(out, "id");
    pos_write_string(out, l->promotion->id);
    pos_write_key(out, "applied");
    pos_write_bool(out, applied);
    if (!applied) {
        write_verdict(q, out, l, v);
    }
    pos_write_key(out, "without");
    if (applied && !v->without_known) {
        pos_write_null(out);
    } else {
        pos_write_int(out, applied ? v->without : q->totals.total);
    }
    if (v->stopped) {
        pos_write_key(out, "stopped");
        pos_write_bool(out, true);
    }
    pos_write_object_end(out);
}

/* A script that proposed and said something as well knows better what holds back what it
 * proposed than that there was nothing for it; not better who got the goods instead. */
static void
take_its_word(const pos_looked_t *l, verdict_t *v)
{
    if (v->reason == NULL || v->missing.len || (strcmp(v->reason, "no_items") && strcmp(v->reason, "condition"))) {
        return;
    }
    v->reason = l->said ? l->said : v->reason;
    v->missing = l->said_missing;
}

static void
find_out(explaining_t *x)
{
    const pos_quoted_t *q = x->q;
    const uint8_t      *worked = q->solution.state->worked;
    uint64_t            most = x->effort.most;

    put_right(q);
    /* None starves the ones after it. */
    x->effort.most = most / 2;
    for (uint32_t i = 0; i < q->plan->looked_count; i++) {
        const pos_looked_t *l = &q->plan->looked[i];

        x->verdicts[i] = (verdict_t) { .reason = l->reason, .rival = POS_NIL, .by = -1, .missing = l->missing };
        if (l->candidate == POS_NIL || !worked[l->candidate]) {
            find_unmet(x, l, &x->verdicts[i]);
        }
    }
    x->effort.most = most / 4 * 3;
    for (uint32_t i = 0; i < q->plan->looked_count; i++) {
        uint32_t   k = q->plan->looked[i].candidate;
        verdict_t *v = &x->verdicts[i];

        if (k != POS_NIL && !worked[k] && v->reason == NULL && !v->stopped) {
            judge(x, k, v);
        }
        if (k == POS_NIL || !worked[k]) {
            take_its_word(&q->plan->looked[i], v);
        }
    }
    x->effort.most = most;
    find_totals(x);
}

pos_status_t
pos_explain_write(pos_quoted_t *q, pos_writer_t *out)
{
    explaining_t x = { .q = q, .each = choice_ticks(q) };

    pos_effort_init(&x.effort, &q->w->cart, TICKS_A_STEP * pos_choose_steps(q->plan));
    x.verdicts = pos_arena_array(q->w->arena, q->plan->looked_count + 1, sizeof(*x.verdicts));
    if (x.verdicts == NULL) {
        return POS_NO_MEMORY;
    }
    find_out(&x);
    q->explain_work = x.effort.done;
    pos_write_key(out, "explain");
    pos_write_array_begin(out);
    for (uint32_t i = 0; i < q->plan->looked_count; i++) {
        write_looked(q, out, &q->plan->looked[i], &x.verdicts[i]);
    }
    pos_write_array_end(out);
    return x.status;
}
