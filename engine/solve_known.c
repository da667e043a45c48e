/*
 * Which acts bear on an item, and costs that were worked out before. A decision for or
 * against a promotion changes the costs of the items that it bears on, and of no other.
 */

#include "engine/solve.h"

#define MOST_KNOWN  (512 * 1024)    /* bytes of tables */
#define MOST_ACTS   64              /* of an item: a bit each in the mask */

bool
pos_known_init(pos_solve_t *z)
{
    const pos_plan_t *plan = z->plan;
    pos_arena_t      *arena = plan->work->arena;
    size_t            all = 0;

    for (uint32_t a = 0; a < plan->act_count; a++) {
        all += pos_on_units(&plan->acts[a]) ? plan->acts[a].match.count : 0;
    }
    z->acts_from = pos_arena_array(arena, (size_t) z->item_count + 2, sizeof(*z->acts_from));
    z->acts_of = pos_arena_alloc(arena, (all + 1) * sizeof(*z->acts_of));
    z->known = pos_arena_array(arena, (size_t) z->item_count + 1, sizeof(*z->known));
    if (!z->acts_from || !z->acts_of || !z->known) {
        return false;
    }
    z->known_room = MOST_KNOWN;
    /* Counted one place further on, so that filling moves each to where it belongs. */
    for (uint32_t a = 0; a < plan->act_count; a++) {
        for (uint32_t k = 0; pos_on_units(&plan->acts[a]) && k < plan->acts[a].match.count; k++) {
            z->acts_from[plan->acts[a].match.items[k] + 2]++;
        }
    }
    for (uint32_t i = 2; i < z->item_count + 2; i++) {
        z->acts_from[i] += z->acts_from[i - 1];
    }
    for (uint32_t a = 0; a < plan->act_count; a++) {
        for (uint32_t k = 0; pos_on_units(&plan->acts[a]) && k < plan->acts[a].match.count; k++) {
            z->acts_of[z->acts_from[plan->acts[a].match.items[k] + 1]++] = a;
        }
    }
    return true;
}

/* False: the item has more acts than there are bits. */
static bool
mask_of(const pos_solve_t *z, uint32_t item, const uint8_t *touched, uint64_t *mask)
{
    uint32_t from = z->acts_from[item], count = z->acts_from[item + 1] - from;

    *mask = 0;
    for (uint32_t k = 0; k < count && count <= MOST_ACTS; k++) {
        uint32_t a = z->acts_of[from + k];

        *mask |= (uint64_t) (z->in_chain[a] && touched[z->plan->acts[a].candidate]) << k;
    }
    return count <= MOST_ACTS;
}

pos_known_t *
pos_known_find(const pos_solve_t *z, uint32_t item, uint32_t act, uint32_t role, int64_t units,
    const uint8_t *touched)
{
    pos_known_t *known = z->known[item];
    uint64_t     mask;

    if (known == NULL || !mask_of(z, item, touched, &mask)) {
        return NULL;
    }
    while (known != NULL && (known->mask != mask || known->act != act || known->role != role || known->units < units)) {
        known = known->next;
    }
    return known;
}

static int64_t *
copy(pos_solve_t *z, const int64_t *from, size_t n)
{
    int64_t *to;

    if (n * sizeof(*to) > z->known_room) {
        return NULL;
    }
    to = pos_arena_alloc(z->plan->work->arena, n * sizeof(*to));
    if (to == NULL) {
        z->status = POS_NO_MEMORY;
        return NULL;
    }
    z->known_room -= n * sizeof(*to);
    if (from != NULL) {
        memcpy(to, from, n * sizeof(*to));
    }
    return to;
}

pos_known_t *
pos_known_keep(pos_solve_t *z, uint32_t item, uint32_t act, uint32_t role, int64_t units, const int64_t *cost,
    uint64_t work)
{
    uint64_t     mask;
    int64_t     *costs, *rates;
    pos_known_t *known;

    if (!mask_of(z, item, z->allowed, &mask) || z->known_room < 2 * (size_t) (units + 1) * sizeof(*cost) + sizeof(*known)) {
        return NULL;
    }
    costs = copy(z, cost, (size_t) units + 1);
    rates = copy(z, NULL, (size_t) units + 1);
    known = pos_arena_alloc(z->plan->work->arena, sizeof(*known));
    if (!costs || !rates || !known) {
        z->status = POS_NO_MEMORY;
        return NULL;
    }
    z->known_room -= sizeof(*known);
    rates[0] = POS_INF;
    for (int64_t n = 1; n <= units; n++) {
        rates[n] = cost[n] / n < rates[n - 1] ? cost[n] / n : rates[n - 1];
    }
    *known = (pos_known_t) { z->known[item], act, role, mask, units, work, costs, rates, NULL, 0, 0 };
    z->known[item] = known;
    return known;
}

void
pos_known_gains(pos_solve_t *z, pos_known_t *known, int64_t rate, const int64_t *gain, int64_t most)
{
    int64_t *gains = known != NULL && known->gain == NULL ? copy(z, gain, (size_t) known->units + 1) : NULL;

    if (gains != NULL) {
        known->gain = gains;
        known->gain_rate = rate;
        known->most_gain = most;
    }
}
