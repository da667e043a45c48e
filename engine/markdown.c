/* Markdowns and tiers by quantity on lines, and manual discounts before them. */

#include "engine/state.h"

static void
claim_limited(pos_state_t *s, const pos_act_t *act)
{
    const pos_effect_t *e = act->effect;
    int64_t             left = e->kind == POS_EFFECT_MARKDOWN ? e->max_units : POS_INF;

    for (uint32_t k = 0; k < act->pick_count && left > 0; k++) {
        const pos_pick_t *pick =
            &act->picks[e->choose == POS_CHOOSE_CHEAPEST ? act->cheapest[k] : k];
        int64_t n = pos_units_open(s, act, pick->item);

        n = n < pick->most ? n : pick->most;
        n = n < left ? n : left;
        if (n > 0) {
            pos_claim(s, act, act->touch, pick->item, n, false);
            left -= left == POS_INF ? 0 : n;
        }
    }
}

void
pos_markdown_claim(pos_state_t *s, uint32_t a)
{
    const pos_act_t *act = &s->plan->acts[a];

    if (s->uses_left[act->candidate] < 1) {
        return;
    }
    s->times[a] = 1;
    if (act->picks) {
        claim_limited(s, act);
        return;
    }
    for (uint32_t k = 0; k < act->match.count; k++) {
        for (uint32_t seg = s->first[act->match.items[k]]; seg != POS_NIL; seg = s->segs[seg].next) {
            if (pos_may_touch(s, act, seg)) {
                pos_bit_set(&s->bits[(size_t) seg * s->plan->words], act->touch);
            }
        }
    }
}

/* Where the run of classes of one item ends that begins at `from`. */
static uint32_t
end_of_item(const pos_state_t *s, uint32_t from, uint32_t n)
{
    uint32_t to = from + 1;

    while (to < n && s->segs[s->touched[to]].item == s->segs[s->touched[from]].item) {
        to++;
    }
    return to;
}

/* One amount off each item touched, split over its classes. */
static void
reduce_lines(pos_state_t *s, uint32_t a, uint32_t n, int64_t value, int64_t cap)
{
    for (uint32_t from = 0, to; from < n; from = to) {
        to = end_of_item(s, from, n);
        pos_reduce_want_split(s, from, to, value);
    }
    pos_reduce_wanted(s, a, n, cap);
}

static void
reduce(pos_state_t *s, uint32_t a, uint32_t n, pos_reduce_t kind, int64_t value)
{
    const pos_effect_t *e = s->plan->acts[a].effect;
    int64_t             cap = pos_act_cap(s, &s->plan->acts[a]);

    if (kind == POS_REDUCE_AMOUNT && e->per == POS_PER_ALL) {
        pos_reduce_split(s, a, n, value < cap ? value : cap);
    } else if (kind == POS_REDUCE_AMOUNT && e->per == POS_PER_LINE) {
        reduce_lines(s, a, n, value, cap);
    } else {
        pos_reduce_each(s, a, n, kind, value, e->of_original, cap);
    }
}

/* Each item has its own tier; what they lose is capped together. */
static void
apply_tiers(pos_state_t *s, uint32_t a)
{
    const pos_act_t *act = &s->plan->acts[a];
    uint32_t         n = pos_touched(s, act, act->touch), at = 0;

    pos_floor_raise(s, act, n);
    if (act->effect->count_all && act->match.count) {
        reduce(s, a, n, act->tiers[0]->reduce, act->tiers[0]->value);
        return;
    }
    for (uint32_t from = 0, to; from < n; from = to) {
        to = end_of_item(s, from, n);
        while (act->match.items[at] != s->segs[s->touched[from]].item) {
            at++;
        }
        pos_reduce_want(s, from, to, act->tiers[at]->reduce, act->tiers[at]->value,
            act->effect->of_original);
    }
    pos_reduce_wanted(s, a, n, pos_act_cap(s, act));
}

void
pos_markdown_apply(pos_state_t *s, uint32_t a)
{
    const pos_act_t *act = &s->plan->acts[a];
    uint32_t         n;

    if (act->effect->kind == POS_EFFECT_LINE_TIERS) {
        apply_tiers(s, a);
        return;
    }
    n = pos_touched(s, act, act->touch);
    pos_floor_raise(s, act, n);
    reduce(s, a, n, act->effect->reduce, act->effect->value);
}

void
pos_manual_apply(pos_state_t *s)
{
    const pos_cart_t *cart = &s->plan->work->cart;

    for (uint32_t i = 0; s->plan->manual && i < cart->item_count; i++) {
        const pos_line_t *line = cart->items[i].line;
        uint32_t          n = 0;

        if (!line->has_discount) {
            continue;
        }
        for (uint32_t seg = s->first[i]; seg != POS_NIL; seg = s->segs[seg].next) {
            s->touched[n++] = seg;
        }
        if (line->discount_reduce == POS_REDUCE_PERCENT) {
            pos_reduce_each(s, POS_NIL, n, POS_REDUCE_PERCENT, line->discount_value, false, POS_INF);
        } else {
            pos_reduce_split(s, POS_NIL, n, line->discount_value);
        }
    }
}
