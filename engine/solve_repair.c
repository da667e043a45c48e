/*
 * What the relaxed solution is good for: deals take what it says, by what they save, each
 * what those before it left; and the best so found of a component is kept.
 */

#include "engine/solve.h"

static int64_t
component_base(const pos_solve_t *z)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < z->item_count; i++) {
        sum += pos_item_in_component(z, &z->items[i]) ? z->items[i].rate * z->items[i].units : 0;
    }
    return sum;
}

/* The x of now as a choice: kept when it is the best of the component. */
void
pos_note_solution(pos_solve_t *z)
{
    int64_t cost;

    if (z->component == POS_NIL) {
        return;
    }
    cost = pos_model_exact(z, z->component);
    z->work += z->var_count;
    if (cost >= 0 && component_base(z) - cost > z->best) {
        z->best = component_base(z) - cost;
        for (uint32_t v = 0; v < z->var_count; v++) {
            if (pos_in_component(z, z->vars[v].deal)) {
                z->best_x[v] = z->vars[v].x;
            }
        }
    }
}

static int32_t
free_units(const pos_solve_t *z, uint32_t item)
{
    return z->items[item].units - pos_units_wanted(z, &z->items[item]);
}

/* An nth that passed over free units takes them for its last ones, as its row
 * wants it; which saves no less where the last of a group is rewarded. */
static void
shift_nth(pos_solve_t *z, pos_deal_t *d)
{
    const pos_act_t *act = &z->plan->acts[d->act];
    uint32_t         front = 0, back = d->count;

    while (front < d->count && back > 0) {
        uint32_t   i = act->effect->cheapest_first ? act->cheapest[front] : front;
        uint32_t   j = act->effect->cheapest_first ? act->cheapest[back - 1] : back - 1;
        pos_var_t *early = &z->vars[d->first + i], *late = &z->vars[d->first + j];

        if (act->picks[early->pick].amount == act->picks[late->pick].amount || front >= back) {
            return;
        }
        if (late->x == 0) {
            back--;
        } else if (early->x == early->cap || free_units(z, early->item) < 1) {
            front++;
        } else {
            early->x++;
            late->x--;
        }
    }
}

static void
shift_nths(pos_solve_t *z)
{
    for (uint32_t d = 0; d < z->deal_count; d++) {
        if (pos_in_component(z, d) && z->plan->acts[z->deals[d].act].effect->kind == POS_EFFECT_NTH) {
            shift_nth(z, &z->deals[d]);
        }
    }
}

/* One deal takes of what is left. Its own roles may want the same unit, which
 * pricing does not see: then what is paid gives way. */
static bool
take_left(pos_solve_t *z, pos_deal_t *deal, int32_t *left)
{
    bool over = true;

    for (uint32_t k = 0; k < deal->count; k++) {
        pos_var_t *v = &z->vars[deal->first + k];

        v->hi = v->lo + left[v->item] < v->hi ? v->lo + left[v->item] : v->hi;
    }
    for (uint32_t round = 0; over && round < 4; round++) {
        if (pos_price_deal(z, deal) == INT64_MIN) {
            return false;
        }
        over = false;
        for (uint32_t k = 0; k < deal->count && deal->role_count > 1; k++) {
            pos_var_t *v = &z->vars[deal->first + k];
            int32_t    mine = 0;

            for (uint32_t j = 0; j < deal->count; j++) {
                const pos_var_t *u = &z->vars[deal->first + j];

                mine += u->item == v->item && u != v ? u->x - u->lo : 0;
            }
            if (mine + v->x - v->lo > left[v->item]) {
                over = true;
                if (v->role == 0) {
                    v->hi = v->lo + (left[v->item] > mine ? left[v->item] - mine : 0);
                }
            }
        }
    }
    for (uint32_t k = 0; k < deal->count; k++) {
        pos_var_t *v = &z->vars[deal->first + k];

        v->x = over ? v->lo : v->x;
        left[v->item] -= v->x - v->lo;
    }
    return true;
}

/* Deals by what they save, each taking what the ones before left; then each
 * once more for what nobody took. */
void
pos_repair(pos_solve_t *z)
{
    int32_t *left = z->left, *keep = z->keep;

    for (uint32_t i = 0; i < z->item_count; i++) {
        left[i] = z->items[i].units;
    }
    for (uint32_t v = 0; v < z->var_count; v++) {
        keep[v] = z->vars[v].hi;
        keep[z->var_count + v] = z->vars[v].lo;
        if (pos_in_component(z, z->vars[v].deal)) {
            left[z->vars[v].item] -= z->vars[v].lo;
        }
    }
    for (uint32_t d = 0; d < z->deal_count; d++) {
        z->deals[d].done = !pos_in_component(z, d) || z->deals[d].count == 0;
    }
    for (uint32_t round = 0; round < z->deal_count; round++) {
        uint32_t    at = POS_NIL;
        pos_deal_t *deal;

        for (uint32_t d = 0; d < z->deal_count; d++) {
            if (!z->deals[d].done && (at == POS_NIL || z->deals[d].value > z->deals[at].value)) {
                at = d;
            }
        }
        if (at == POS_NIL) {
            break;
        }
        deal = &z->deals[at];
        deal->done = true;
        if (!take_left(z, deal, left)) {
            break;
        }
    }
    shift_nths(z);
    pos_note_solution(z);
    for (uint32_t v = 0; v < z->var_count; v++) {
        z->vars[v].hi = keep[v];
        z->vars[v].lo = keep[z->var_count + v];
    }
    for (uint32_t d = 0; d < z->deal_count; d++) {
        z->deals[d].dirty |= pos_in_component(z, d);
    }
}

void
pos_search_note(pos_solve_t *z)
{
    shift_nths(z);
    pos_note_solution(z);
}
