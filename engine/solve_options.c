/*
 * What each deal of a component could take, written down: every number of units of
 * every item in every role that comes to whole repetitions.
 */

#include "engine/solve_options.h"

/* ---- the component ---- */

static uint32_t
local_item(const pos_component_t *c, uint32_t item)
{
    for (uint32_t k = 0; k < c->item_count; k++) {
        if (c->items[k] == item) {
            return k;
        }
    }
    return POS_NIL;
}

static bool
add_item(pos_component_t *c, pos_chooser_t *chooser, uint32_t item)
{
    uint32_t at = local_item(c, item);

    if (at == POS_NIL) {
        if (c->item_count == POS_OPTION_ITEMS || c->z->items[item].units > POS_OPTION_UNITS) {
            return false;
        }
        at = c->item_count++;
        c->items[at] = item;
        c->units[at] = c->z->items[item].units;
    }
    if (!(chooser->mask >> at & 1)) {
        chooser->mask |= UINT64_C(1) << at;
        chooser->own[chooser->own_count++] = (uint8_t) at;
    }
    return true;
}

static bool
gather(pos_component_t *c)
{
    pos_solve_t *z = c->z;

    for (uint32_t d = 0; d < z->deal_count; d++) {
        const pos_deal_t *deal = &z->deals[d];
        pos_chooser_t    *chooser = &c->choosers[c->deal_count];

        if (deal->component != z->component || deal->count == 0) {
            continue;
        }
        if (c->deal_count == POS_OPTION_DEALS || deal->count > POS_OPTION_VARS) {
            return false;
        }
        c->deal_count++;
        *chooser = (pos_chooser_t) { .deal = d, .alive = true };
        for (uint32_t k = 0; k < deal->count; k++) {
            if (!add_item(c, chooser, z->vars[deal->first + k].item)) {
                return false;
            }
        }
    }
    return c->deal_count > 0;
}

pos_component_t *
pos_component_make(pos_solve_t *z)
{
    pos_component_t *c = pos_pool_alloc(z, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    c->z = z;
    c->item_count = 0;
    c->deal_count = 0;
    if (!gather(c)) {
        return NULL;
    }
    c->count = c->deal_count;
    memset(c->room, 127, sizeof(c->room));
    for (uint32_t i = 0; i < c->item_count; i++) {
        c->room[i] = (uint8_t) (127 - c->units[i]);
    }
    c->words = (c->item_count + 7) / 8;
    c->open = UINT64_MAX >> (64 - c->item_count);
    c->drafts = pos_pool_alloc(z, POS_OPTIONS * sizeof(*c->drafts));
    return c->drafts ? c : NULL;
}

/* ---- what a deal could take ---- */

typedef struct {
    pos_component_t *c;
    pos_chooser_t   *chooser;
    pos_deal_t      *deal;
    const pos_act_t *act;
    uint8_t          item[POS_OPTION_VARS];    /* by var, as the component has them */
    int64_t          room[POS_OPTION_ITEMS];
    int64_t          gap;
    uint64_t         until;
    uint8_t         *x;
    uint32_t         count;
    bool             broken;
} lister_t;

/* Units of a role in one repetition; 0: any number. */
static int64_t
role_quantity(const lister_t *l, uint32_t role)
{
    const pos_effect_t *e = l->act->effect;

    if (e->kind == POS_EFFECT_NTH) {
        return e->group;
    }
    if (role > 0) {
        return e->gets[role - 1].quantity;
    }
    for (uint32_t p = 0; p < e->part_count; p++) {
        if (e->parts[p].amount > 0) {
            return 0;
        }
    }
    return l->deal->need;
}

/* Which own items an nth that takes this must find none of left over: the ones
 * before its last. (Of an item that it may not take whole, some may be left:
 * what is found is then looked at again.) */
static uint64_t
exhausted(const lister_t *l)
{
    const pos_solve_t *z = l->c->z;
    bool               down = !l->act->effect->cheapest_first, any = false;
    int64_t            last = 0;
    uint64_t           mask = 0;

    if (l->act->effect->kind != POS_EFFECT_NTH) {
        return 0;
    }
    for (uint32_t k = 0; k < l->deal->count; k++) {
        const pos_var_t *v = &z->vars[l->deal->first + k];
        int64_t          amount = l->act->picks[v->pick].amount;

        if (v->x > 0 && (!any || (down ? amount < last : amount > last))) {
            last = amount;
            any = true;
        }
    }
    for (uint32_t k = 0; k < l->deal->count && any; k++) {
        const pos_var_t *v = &z->vars[l->deal->first + k];
        int64_t          amount = l->act->picks[v->pick].amount;

        if ((down ? amount > last : amount < last) && v->cap >= z->items[v->item].units) {
            mask |= UINT64_C(1) << l->item[k];
        }
    }
    return mask;
}

static void
add_option(lister_t *l)
{
    pos_solve_t *z = l->c->z;
    int64_t      times = pos_deal_times(z, l->deal), priced = 0;
    pos_option_t *o = &l->c->drafts[l->count];
    uint8_t      *x = l->x + (size_t) l->count * POS_OPTION_VARS;

    z->work += 4;
    if (times < 0) {
        return;
    }
    memset(o, 0, sizeof(*o));
    o->saved = -pos_deal_cost(z, l->deal, times);
    for (uint32_t k = 0; k < l->deal->count; k++) {
        const pos_var_t *v = &z->vars[l->deal->first + k];

        x[k] = (uint8_t) v->x;
        o->take[l->item[k]] += (uint8_t) v->x;
        o->saved += v->x * z->items[v->item].rate;
        priced += v->x * l->c->lambda[l->item[k]];
    }
    if (times > 0 && o->saved <= 0 && z->plan->candidates[l->act->candidate].act_count == 1) {
        return;    /* what lowers nothing is not used */
    }
    if (l->gap != POS_INF && l->deal->value - (o->saved - priced) > l->gap) {
        return;
    }
    o->exhausts = exhausted(l);
    o->a = l->count;
    /* of options that take the same in other roles, the best */
    for (uint32_t k = 0; k < l->count && l->chooser->own_count < l->deal->count; k++) {
        pos_option_t *same = &l->c->drafts[k];

        if (memcmp(same->take, o->take, (size_t) l->c->words * 8) == 0) {
            if (same->saved < o->saved) {
                same->saved = o->saved;
                memcpy(l->x + (size_t) k * POS_OPTION_VARS, x, POS_OPTION_VARS);
            }
            return;
        }
    }
    l->broken |= ++l->count == POS_OPTIONS;
}

/* Var by var; what one role took fits whole repetitions, as many as the other
 * roles'. */
static void
each_option(lister_t *l, uint32_t at, int64_t taken, int64_t times)
{
    pos_solve_t *z = l->c->z;
    pos_var_t   *v = &z->vars[l->deal->first + at];
    int64_t      quantity, room, x, step;
    bool         last;

    if (l->broken || z->work > l->until) {
        l->broken = true;
        return;
    }
    if (at == l->deal->count) {
        add_option(l);
        return;
    }
    z->work++;
    quantity = role_quantity(l, v->role);
    last = at + 1 == l->deal->count || v[1].role != v->role;
    room = l->room[l->item[at]] < v->cap ? l->room[l->item[at]] : v->cap;
    x = 0;
    step = 1;
    if (quantity > 0) {
        int64_t most = (times >= 0 ? times : l->deal->most) * quantity - taken;

        room = most < room ? most : room;
        x = !last ? 0 : times >= 0 ? most : (quantity - taken % quantity) % quantity;
        step = last ? quantity : 1;
    }
    for (; x <= room; x += step) {
        int64_t done = last && quantity > 0 ? (taken + x) / quantity : times;

        v->x = (int32_t) x;
        l->room[l->item[at]] -= v->x;
        each_option(l, at + 1, last ? 0 : taken + x, done);
        l->room[l->item[at]] += v->x;
    }
    v->x = 0;
}

static bool
keep_options(lister_t *l)
{
    pos_solve_t   *z = l->c->z;
    pos_chooser_t *chooser = l->chooser;

    chooser->x = pos_pool_alloc(z, (size_t) l->count * l->deal->count + 1);
    chooser->options = pos_pool_alloc(z, (l->count + 1) * sizeof(*chooser->options));
    if (chooser->x == NULL || chooser->options == NULL) {
        return false;
    }
    chooser->count = chooser->listed = l->count;
    memcpy(chooser->options, l->c->drafts, l->count * sizeof(*chooser->options));
    for (uint32_t k = 0; k < l->count; k++) {
        memcpy(chooser->x + (size_t) k * l->deal->count, l->x + (size_t) k * POS_OPTION_VARS, l->deal->count);
    }
    return true;
}

static void
start_deal(lister_t *l, pos_chooser_t *chooser)
{
    pos_solve_t *z = l->c->z;

    l->chooser = chooser;
    l->deal = &z->deals[chooser->deal];
    l->act = &z->plan->acts[l->deal->act];
    l->count = 0;
    for (uint32_t i = 0; i < l->c->item_count; i++) {
        l->room[i] = l->c->units[i];
    }
    for (uint32_t k = 0; k < l->deal->count; k++) {
        pos_var_t *v = &z->vars[l->deal->first + k];

        l->item[k] = (uint8_t) local_item(l->c, v->item);
        v->x = 0;
    }
}

bool
pos_options_list(pos_component_t *c, int64_t gap, uint64_t steps)
{
    pos_solve_t *z = c->z;
    lister_t     l = { .c = c, .gap = gap, .until = z->work + steps < z->budget ? z->work + steps : z->budget };

    l.x = pos_pool_alloc(z, POS_OPTIONS * POS_OPTION_VARS);
    for (uint32_t i = 0; i < c->item_count; i++) {
        c->lambda[i] = z->items[c->items[i]].lambda;
    }
    for (uint32_t d = 0; l.x && d < c->deal_count; d++) {
        start_deal(&l, &c->choosers[d]);
        each_option(&l, 0, 0, -1);
        if (l.broken || !keep_options(&l)) {
            return false;
        }
    }
    return l.x != NULL;
}
