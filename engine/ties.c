/*
 * Of two choices that cost the same, give the same points and use the same
 * promotions, the one that takes the earliest units in canonical order, promotion
 * by promotion; then the one that rewards the earlier ones.
 */

#include "engine/state.h"

static bool
touches(const pos_state_t *s, uint32_t seg, const uint64_t *map)
{
    for (uint32_t i = 0; i < s->plan->words; i++) {
        if (s->bits[(size_t) seg * s->plan->words + i] & map[i]) {
            return true;
        }
    }
    return false;
}

static int64_t
units_touched(const pos_state_t *s, uint32_t candidate, uint32_t item)
{
    int64_t n = 0;

    for (uint32_t seg = s->first[item]; seg != POS_NIL; seg = s->segs[seg].next) {
        n += touches(s, seg, s->plan->candidates[candidate].own) ? s->segs[seg].units : 0;
    }
    return n;
}

/* Units of the item that the candidate's deals reward. */
static int64_t
units_rewarded(const pos_state_t *s, uint32_t candidate, uint32_t item)
{
    const pos_candidate_t *c = &s->plan->candidates[candidate];
    int64_t                n = 0;

    for (uint32_t i = 0; i < c->act_count; i++) {
        const pos_act_t *act = &s->plan->acts[c->acts[i]];
        uint32_t         from = act->touch + (act->effect->kind != POS_EFFECT_BUNDLE);

        for (uint32_t seg = s->first[item]; act->phase == POS_PHASE_DEAL && seg != POS_NIL; seg = s->segs[seg].next) {
            for (uint32_t t = from; t < act->touch + act->touch_count; t++) {
                n += pos_bit(&s->bits[(size_t) seg * s->plan->words], t) ? s->segs[seg].units : 0;
            }
        }
    }
    return n;
}

static bool
touches_later(const pos_state_t *s, uint32_t candidate, uint32_t item)
{
    for (uint32_t i = item + 1; i < s->plan->work->cart.item_count; i++) {
        if (units_touched(s, candidate, i) > 0) {
            return true;
        }
    }
    return false;
}

/* -1: a's units are earlier, 1: b's, 0: the same. */
static int
compare_candidate(const pos_state_t *a, const pos_state_t *b, uint32_t k)
{
    uint32_t items = a->plan->work->cart.item_count;

    for (uint32_t i = 0; i < items; i++) {
        int64_t x = units_touched(a, k, i), y = units_touched(b, k, i);

        if (x > y) {
            return touches_later(b, k, i) ? -1 : 1;
        }
        if (y > x) {
            return touches_later(a, k, i) ? 1 : -1;
        }
    }
    for (uint32_t i = 0; i < items; i++) {
        int64_t x = units_rewarded(a, k, i), y = units_rewarded(b, k, i);

        if (x != y) {
            return x > y ? -1 : 1;
        }
    }
    return 0;
}

bool
pos_earlier(const pos_state_t *a, const pos_state_t *b)
{
    for (uint32_t k = 0; k < a->plan->candidate_count; k++) {
        int order = compare_candidate(a, b, k);

        if (order != 0) {
            return order < 0;
        }
    }
    return false;
}
