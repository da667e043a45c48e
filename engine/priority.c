/*
 * `optimise: priority`: promotions in order of priority then id, each used if it
 * can be, and what is used stays used. A deal takes, of the units that those
 * before it left, the ones that save most, as often as one time more lowers what
 * is paid.
 *
 * Units that are treated alike are a *kind*; a *way* says how many of each kind a
 * deal takes in each of its roles. Every way is judged by evaluate.c where there
 * are few; a deal with more takes the dearest units, as deal.c does.
 */

#include "engine/priority.h"

/* ---- claims ---- */

bool
pos_priority_room(pos_rule_t *r, pos_claims_t *c, uint32_t room)
{
    size_t       words = r->plan->words;
    pos_arena_t *arena = r->plan->work->arena;
    pos_claims_t n = { .count = c->count, .room = 2 * room, .times = c->times };

    if (room <= c->room) {
        return true;
    }
    n.items = pos_arena_alloc(arena, n.room * sizeof(*n.items));
    n.units = pos_arena_alloc(arena, n.room * sizeof(*n.units));
    n.bits = pos_arena_alloc(arena, n.room * words * sizeof(*n.bits));
    if (n.times == NULL) {
        n.times = pos_arena_array(arena, r->plan->act_count + 1, sizeof(*n.times));
    }
    if (!n.items || !n.units || !n.bits || !n.times) {
        r->status = POS_NO_MEMORY;
        return false;
    }
    if (c->count) {
        memcpy(n.items, c->items, c->count * sizeof(*n.items));
        memcpy(n.units, c->units, c->count * sizeof(*n.units));
        memcpy(n.bits, c->bits, c->count * words * sizeof(*n.bits));
    }
    *c = n;
    return true;
}

void
pos_priority_put(pos_rule_t *r, pos_claims_t *c, uint32_t item, int64_t units, const uint64_t *bits, uint32_t touch)
{
    size_t words = r->plan->words;

    if (units < 1 || !pos_priority_room(r, c, c->count + 1)) {
        return;
    }
    c->items[c->count] = item;
    c->units[c->count] = units;
    pos_bits_copy(&c->bits[c->count * words], bits, r->plan->words);
    if (touch != POS_NIL) {
        pos_bit_set(&c->bits[c->count * words], touch);
    }
    c->count++;
}

static void
copy_claims(pos_rule_t *r, pos_claims_t *to, const pos_claims_t *from)
{
    size_t words = r->plan->words;

    to->count = 0;
    if (!pos_priority_room(r, to, from->count + 1)) {
        return;
    }
    to->count = from->count;
    memcpy(to->items, from->items, from->count * sizeof(*to->items));
    memcpy(to->units, from->units, from->count * sizeof(*to->units));
    memcpy(to->bits, from->bits, from->count * words * sizeof(*to->bits));
    memcpy(to->times, from->times, r->plan->act_count * sizeof(*to->times));
}

void
pos_priority_swap(pos_claims_t *a, pos_claims_t *b)
{
    pos_claims_t t = *a;

    *a = *b;
    *b = t;
}

/* The same where there is room, of one unit at least. */
static inline void
put(const pos_plan_t *plan, pos_claims_t *c, uint32_t item, int64_t units, const uint64_t *bits)
{
    c->items[c->count] = item;
    c->units[c->count] = units;
    pos_bits_copy(&c->bits[(size_t) c->count * plan->words], bits, plan->words);
    c->count++;
}

/* Units of an item keep their order in the claims; those that are treated alike
 * are judged as one class. */
static void
merge(pos_rule_t *r, const pos_claims_t *from, pos_claims_t *to)
{
    size_t   words = r->plan->words;
    uint32_t first = 0;

    to->count = 0;
    if (!pos_priority_room(r, to, from->count + 1)) {
        return;
    }
    for (uint32_t k = 0; k < from->count; k++) {
        uint32_t at;

        if (to->count && to->items[to->count - 1] != from->items[k]) {
            first = to->count;
        }
        for (at = first; at < to->count; at++) {
            if (pos_bits_same(&to->bits[at * words], &from->bits[k * words], r->plan->words)) {
                break;
            }
        }
        if (at < to->count) {
            to->units[at] += from->units[k];
        } else {
            put(r->plan, to, from->items[k], from->units[k], &from->bits[k * words]);
        }
    }
    memcpy(to->times, from->times, r->plan->act_count * sizeof(*to->times));
}

/* A state's classes, before anything is worked out on them. */
static void
read_classes(pos_rule_t *r, const pos_state_t *s, pos_claims_t *out)
{
    out->count = 0;
    if (!pos_priority_room(r, out, s->seg_count + 1)) {
        return;
    }
    for (uint32_t i = 0; i < r->plan->work->cart.item_count; i++) {
        for (uint32_t seg = s->first[i]; seg != POS_NIL; seg = s->segs[seg].next) {
            put(r->plan, out, i, s->segs[seg].units, &s->bits[(size_t) seg * r->plan->words]);
        }
    }
    memcpy(out->times, s->times, r->plan->act_count * sizeof(*out->times));
}

/* ---- judging ---- */

bool
pos_priority_judge(pos_rule_t *r, const pos_claims_t *claims, uint32_t k, pos_state_t *s)
{
    /* Claims that there was no memory for are not whole. */
    if (r->status == POS_OK) {
        merge(r, claims, &r->judged);
    }
    if (r->status != POS_OK) {
        return false;
    }
    r->choice->claims = &r->judged;
    r->nodes++;
    r->status = pos_evaluate(s, r->choice);
    r->work += s->seg_count + s->adjust_count + r->plan->act_count;
    for (uint32_t j = 0; r->status == POS_OK && j < r->plan->candidate_count; j++) {
        if (r->choice->used[j] && s->off[j] == 2) {
            return false;
        }
    }
    return r->status == POS_OK && (k == POS_NIL || s->worked[k]);
}

static void
load(pos_rule_t *r, const pos_claims_t *claims)
{
    pos_state_reset(r->trial, r->choice);
    pos_claims_load(r->trial, claims);
    r->status = r->trial->status;
}

/* ---- one deal ---- */

static int64_t
uses_left(const pos_rule_t *r, const pos_claims_t *claims, uint32_t k)
{
    const pos_candidate_t *c = &r->plan->candidates[k];
    int64_t                left = c->uses_max;

    for (uint32_t i = 0; left != POS_INF && i < c->act_count; i++) {
        left -= r->plan->acts[c->acts[i]].phase == POS_PHASE_DEAL ? claims->times[c->acts[i]] : 0;
    }
    return left;
}

/* The dearest units, as often as there are units for it. */
static bool
take_dearest(pos_rule_t *r, uint32_t a, int64_t least)
{
    uint32_t k = r->plan->acts[a].candidate;

    load(r, &r->base);
    if (r->status == POS_OK) {
        r->trial->uses_left[k] = uses_left(r, &r->base, k);
        pos_deal_claim(r->trial, a);
        r->status = r->trial->status;
    }
    if (r->status != POS_OK || r->trial->times[a] < 1) {
        return false;
    }
    read_classes(r, r->trial, &r->tried);
    if (!pos_priority_judge(r, &r->tried, k, r->trial) || r->trial->objective >= least) {
        return false;
    }
    pos_priority_swap(&r->base, &r->tried);
    return true;
}

/* Adds the deal to the base where that lowers what is paid, `*least`. The trial
 * is the base, judged. */
static bool
add_deal(pos_rule_t *r, uint32_t a, int64_t *least)
{
    const pos_act_t *act = &r->plan->acts[a];
    pos_way_t            cart, w = { .r = r, .cart = &cart, .a = a, .act = act };
    int64_t          most = uses_left(r, &r->base, act->candidate);
    bool             few, added = false;

    most = act->effect->repeat < most ? act->effect->repeat : most;
    few = (act->subset_count == 0 || act->subset_count == (UINT64_C(1) << __builtin_popcountll(act->counted)) - 1) &&
        pos_way_kinds(&w) && r->work <= r->budget;
    for (w.times = 1; few && w.times <= most; w.times++) {
        if (!pos_ways_judge(&w)) {
            few = !pos_ways_many(&w);
            break;
        }
        if (!w.any || r->best->objective >= *least) {
            break;
        }
        *least = r->best->objective;
        pos_priority_swap(&r->found, &r->better);
        added = true;
    }
    if (r->status != POS_OK) {
        return false;
    }
    if (!few && take_dearest(r, a, *least)) {
        *least = r->trial->objective;
        return true;
    }
    if (added) {
        copy_claims(r, &r->base, &r->found);
    }
    return added;
}

/* ---- one promotion ---- */

/* What needs no choice: its markdowns and order discounts, on all they may touch. */
static void
add_rest(pos_rule_t *r, uint32_t k)
{
    const pos_candidate_t *c = &r->plan->candidates[k];

    load(r, &r->now);
    for (uint32_t i = 0; r->status == POS_OK && i < c->act_count; i++) {
        if (r->plan->acts[c->acts[i]].phase == POS_PHASE_MARKDOWN) {
            pos_markdown_claim(r->trial, c->acts[i]);
        } else if (r->plan->acts[c->acts[i]].phase == POS_PHASE_ORDER) {
            pos_order_claim(r->trial, c->acts[i]);
        }
        r->status = r->trial->status;
    }
    if (r->status == POS_OK) {
        read_classes(r, r->trial, &r->base);
    }
}

/* Uses the promotion where it can be; `*least` is what is paid. */
static bool
add_promotion(pos_rule_t *r, uint32_t k, int64_t *least)
{
    const pos_candidate_t *c = &r->plan->candidates[k];
    bool                   added;

    r->choice->used[k] = 1;
    add_rest(r, k);
    added = r->status == POS_OK && pos_priority_judge(r, &r->base, k, r->trial);
    *least = added ? r->trial->objective : *least;
    for (uint32_t i = 0; r->status == POS_OK && i < c->act_count; i++) {
        if (r->plan->acts[c->acts[i]].phase == POS_PHASE_DEAL && add_deal(r, c->acts[i], least)) {
            added = true;
            (void) pos_priority_judge(r, &r->base, k, r->trial);
        }
    }
    r->choice->used[k] = added;
    if (added) {
        pos_priority_swap(&r->now, &r->base);
    }
    return added;
}

/* No unit is taken, and no promotion used. */
static void
start(pos_rule_t *r)
{
    const pos_plan_t *plan = r->plan;
    const pos_cart_t *cart = &plan->work->cart;

    r->now.count = 0;
    memset(r->now.times, 0, plan->act_count * sizeof(*r->now.times));
    for (uint32_t i = 0; i < cart->item_count; i++) {
        pos_priority_put(r, &r->now, i, cart->items[i].units, r->none, POS_NIL);
    }
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        r->choice->used[k] = 0;
        r->choice->order[k] = k;
        r->choice->repeat[k] = POS_INF;
    }
}

pos_status_t
pos_turns_init(pos_rule_t *r, const pos_plan_t *plan, pos_state_t *best, pos_state_t *trial, pos_choice_t *choice)
{
    uint32_t room = plan->work->cart.item_count + 1;

    *r = (pos_rule_t) { .plan = plan, .best = best, .trial = trial, .choice = choice };
    r->none = pos_arena_array(plan->work->arena, plan->words, sizeof(*r->none));
    r->pick_of = pos_arena_array(plan->work->arena, room, sizeof(*r->pick_of));
    if (r->none == NULL || r->pick_of == NULL) {
        return POS_NO_MEMORY;
    }
    (void) pos_priority_room(r, &r->now, room);
    (void) pos_priority_room(r, &r->better, room);
    (void) pos_priority_room(r, &r->found, room);
    return r->status;
}

bool
pos_turns_take(pos_rule_t *r, const uint32_t *order, uint32_t count)
{
    const pos_plan_t *plan = r->plan;
    bool              any = false, alone = false;
    int64_t           least = POS_INF;

    start(r);
    if (r->status == POS_OK && plan->candidate_count) {
        (void) pos_priority_judge(r, &r->now, POS_NIL, r->trial);
        least = r->trial->objective;
    }
    for (uint32_t i = 0; r->status == POS_OK && i < count && r->work <= r->most; i++) {
        bool stands_alone = plan->candidates[order[i]].promotion->stacking == POS_STACK_ALONE;

        if (!alone && !(stands_alone && any) && add_promotion(r, order[i], &least)) {
            any = true;
            alone = stands_alone;
        }
    }
    if (r->status == POS_OK) {
        merge(r, &r->now, &r->judged);
    }
    if (r->status == POS_OK) {
        r->choice->claims = &r->judged;
        r->status = pos_evaluate(r->best, r->choice);
    }
    return r->status == POS_OK && r->work <= r->most;
}

pos_status_t
pos_by_priority(const pos_plan_t *plan, uint32_t banned, uint64_t budget, pos_state_t **best,
    pos_state_t **trial, pos_choice_t *choice, uint64_t *nodes, bool *whole)
{
    pos_rule_t r;
    uint32_t  *order = pos_arena_alloc(plan->work->arena, (plan->candidate_count + 1) * sizeof(*order)), count = 0;

    for (uint32_t k = 0; order && k < plan->candidate_count; k++) {
        if (k != banned) {
            order[count++] = k;
        }
    }
    if (order == NULL || pos_turns_init(&r, plan, *best, *trial, choice) != POS_OK) {
        return POS_NO_MEMORY;
    }
    r.budget = budget;
    r.most = 8 * budget;
    *whole = pos_turns_take(&r, order, count);
    if (r.status == POS_OK) {
        choice->claims = pos_arena_alloc(plan->work->arena, sizeof(*choice->claims));
        if (choice->claims) {
            *choice->claims = r.judged;
        } else {
            r.status = POS_NO_MEMORY;
        }
    }
    *best = r.best;
    *trial = r.trial;
    *nodes += r.nodes;
    return r.status;
}
