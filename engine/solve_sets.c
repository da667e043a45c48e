/*
 * Which promotions may touch a unit together, beside its deal: the greatest sets
 * of which no two shun each other.
 */

#include "engine/solve.h"

#define FEW_RIVALS    12     /* whose sets stand in the order of their promotions */
#define FEW_OPTIONS   64
#define MOST_OPTIONS  128    /* those that cost least, where there are more */

static bool
is_apart(const pos_plan_t *plan, uint32_t k)
{
    return plan->candidates[k].promotion->stacking != POS_STACK_COMBINE;
}

static const uint64_t *
group_of(const pos_plan_t *plan, uint32_t k)
{
    return is_apart(plan, k) ? NULL : plan->candidates[k].group;
}

uint32_t
pos_sets_group(const pos_sets_t *sets, uint32_t i)
{
    const uint64_t *group = group_of(sets->plan, sets->local[i]);
    uint32_t        end = i + 1;

    while (group && end < sets->together && group_of(sets->plan, sets->local[end]) == group) {
        end++;
    }
    return end;
}

/* Group by group as they come up, then those that go with none. */
void
pos_sets_make(pos_sets_t *sets, const pos_plan_t *plan, uint32_t *local, uint32_t count)
{
    uint32_t sorted[POS_SETS_LOCAL], n = 0;
    uint64_t number = 1;

    *sets = (pos_sets_t) { .plan = plan, .local = local, .count = count };
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t *group = group_of(plan, local[i]);
        bool            seen = is_apart(plan, local[i]);

        for (uint32_t j = 0; j < i && !seen; j++) {
            seen = group && group_of(plan, local[j]) == group;
        }
        for (uint32_t j = i; j < count && !seen; j++) {
            if (j == i || (group && group_of(plan, local[j]) == group)) {
                sorted[n++] = local[j];
            }
        }
    }
    sets->together = n;
    for (uint32_t i = 0; i < count; i++) {
        if (is_apart(plan, local[i])) {
            sorted[n++] = local[i];
        }
    }
    memcpy(local, sorted, n * sizeof(*local));
    for (uint32_t i = 0, end; i < sets->together && number < POS_NIL; i = end) {
        end = pos_sets_group(sets, i);
        number *= end - i;
    }
    number = (sets->together ? number : 0) + count - sets->together;
    sets->number = number < POS_NIL ? (uint32_t) number : POS_NIL;
}

/* First each that goes with none; then one of each group, with all that are in none. */
void
pos_sets_mark(const pos_sets_t *sets, uint32_t number, uint8_t *touched)
{
    uint32_t alone = sets->count - sets->together;

    for (uint32_t i = 0; i < sets->count; i++) {
        touched[sets->local[i]] = i == sets->together + number;
    }
    if (number < alone) {
        return;
    }
    number -= alone;
    for (uint32_t i = 0, end; i < sets->together; i = end) {
        end = pos_sets_group(sets, i);
        touched[sets->local[i + number % (end - i)]] = 1;
        number /= end - i;
    }
}

/* ---- the sets of one stack of units ---- */

static void *
room(pos_solve_t *z, size_t n)
{
    void *p = pos_pool_alloc(z, n ? n : 1);

    return p ? memset(p, 0, n ? n : 1) : NULL;
}

static bool
add_option(pos_solve_t *z, pos_touching_t *u, const uint8_t *set, uint32_t most)
{
    uint32_t n = z->plan->candidate_count;

    if (u->count == most) {
        z->stop = true;
        return false;
    }
    if (u->sets == NULL) {
        u->sets = room(z, most * sizeof(*u->sets));
    }
    if (u->sets == NULL || (u->sets[u->count] = room(z, n + 1)) == NULL) {
        return false;
    }
    memcpy(u->sets[u->count++], set, n);
    return true;
}

/* All greatest sets of the local candidates of which no two shun each other. */
static bool
add_sets(pos_solve_t *z, pos_touching_t *u, const uint32_t *local, uint32_t count)
{
    const pos_plan_t *plan = z->plan;
    uint8_t          *set = room(z, plan->candidate_count + 1);
    uint32_t          shun[FEW_RIVALS] = { 0 };

    if (set == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < count; j++) {
            shun[i] |= pos_shuns(plan, local[i], local[j]) ? 1u << j : 0;
        }
    }
    for (uint32_t some = (1u << count); some-- > 0;) {
        bool good = true;

        for (uint32_t i = 0; i < count && good; i++) {
            good = some >> i & 1 ? !(shun[i] & some) : (shun[i] & some) != 0;
        }
        if (!good) {
            continue;
        }
        for (uint32_t i = 0; i < count; i++) {
            set[local[i]] = some >> i & 1;
        }
        if (!add_option(z, u, set, FEW_OPTIONS)) {
            return false;
        }
    }
    return true;
}

static int64_t
set_cost(pos_solve_t *z, const pos_touching_t *u, const uint8_t *set)
{
    return pos_model_cost(z, u->item, u->units, u->act, u->role, set);
}

/* Of the largest group, or of those that go with none where they are more, the one that costs
 * most by itself goes. */
static void
drop_dearest(pos_solve_t *z, const pos_touching_t *u, pos_sets_t *sets, uint8_t *set)
{
    uint32_t alone = sets->count - sets->together, from = sets->together, worst = 0;
    uint32_t size = sets->number - alone > MOST_OPTIONS / 2 ? 1 : alone;
    int64_t  most = -1;

    for (uint32_t i = 0, end; i < sets->together; i = end) {
        end = pos_sets_group(sets, i);
        if (end - i > size) {
            from = i;
            size = end - i;
        }
    }
    memset(set, 0, z->plan->candidate_count);
    for (uint32_t i = from; i < from + size; i++) {
        int64_t cost;

        set[sets->local[i]] = 1;
        cost = set_cost(z, u, set);
        set[sets->local[i]] = 0;
        if (cost >= most) {
            most = cost;
            worst = i;
        }
    }
    memmove(&sets->local[worst], &sets->local[worst + 1], (sets->count - worst - 1) * sizeof(*sets->local));
    pos_sets_make(sets, z->plan, sets->local, sets->count - 1);
}

/* Many rivals: the sets stand from the dearest to the one that costs least, which is tried first. */
static bool
add_many(pos_solve_t *z, pos_touching_t *u, uint32_t *local, uint32_t count)
{
    const pos_plan_t *plan = z->plan;
    uint8_t          *set = room(z, plan->candidate_count + 1);
    int64_t          *costs = room(z, MOST_OPTIONS * sizeof(*costs));
    pos_sets_t        sets;

    if (set == NULL || costs == NULL) {
        return false;
    }
    pos_sets_make(&sets, plan, local, count);
    while (sets.number > MOST_OPTIONS) {
        u->partial = true;
        drop_dearest(z, u, &sets, set);
    }
    memset(set, 0, plan->candidate_count);
    for (uint32_t k = 0; k < sets.number; k++) {
        uint32_t at = k;
        uint8_t *own;

        pos_sets_mark(&sets, k, set);
        if (!add_option(z, u, set, MOST_OPTIONS)) {
            return false;
        }
        own = u->sets[k];
        costs[k] = set_cost(z, u, own);
        for (int64_t cost = costs[k]; at > 0 && costs[at - 1] < cost; at--) {
            costs[at] = costs[at - 1];
            u->sets[at] = u->sets[at - 1];
            costs[at - 1] = cost;
            u->sets[at - 1] = own;
        }
    }
    u->many = true;
    z->work += sets.number * 4;
    return true;
}

bool
pos_sets_find(pos_solve_t *z, pos_touching_t *u)
{
    const pos_plan_t *plan = z->plan;
    uint32_t          local[POS_SETS_LOCAL], count = 0;
    uint8_t          *set = room(z, plan->candidate_count + 1);
    bool              apart = false;

    if (set == NULL) {
        return false;
    }
    for (uint32_t i = z->acts_from[u->item]; i < z->acts_from[u->item + 1]; i++) {
        uint32_t k = plan->acts[z->acts_of[i]].candidate;

        if (!z->allowed[k] || set[k] ||
            (u->act != POS_NIL && pos_shuns(plan, plan->acts[u->act].candidate, k))) {
            continue;
        }
        for (uint32_t j = 0; plan->stacked && j < plan->candidate_count; j++) {
            apart |= set[j] && pos_shuns(plan, j, k);
        }
        if (count < POS_SETS_LOCAL) {
            local[count] = k;
        }
        count++;
        set[k] = 1;
    }
    if (!apart) {
        return add_option(z, u, set, 1);
    }
    if (count > POS_SETS_LOCAL) {
        z->stop = true;
        return false;
    }
    return count > FEW_RIVALS ? add_many(z, u, local, count) : add_sets(z, u, local, count);
}
