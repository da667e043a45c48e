/*
 * The pricing problem of one deal: given what each item's units are worth to
 * others (the multipliers), which units would it take, how often, and what
 * would it save beyond that? Bundles and what is bought are greedy over the
 * slacks of Hall's condition, falling in repetitions; an nth is a walk along
 * its sorted row. The value is never below what the deal can truly save.
 */

#include "engine/solve.h"

typedef struct {
    pos_solve_t        *z;
    pos_deal_t         *d;
    const pos_act_t    *act;
    const pos_effect_t *e;
} pricing_t;

static void
sort_entries(pos_entry_t *a, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++) {
        pos_entry_t x = a[i];
        uint32_t    j = i;

        for (; j > 0 && a[j - 1].weight < x.weight; j--) {
            a[j] = a[j - 1];
        }
        a[j] = x;
    }
}

/* The role's units that are free to be taken or left, by weight; what is forced
 * is summed. */
static uint32_t
gather(const pricing_t *p, uint32_t role, pos_entry_t *out, int64_t *forced, int64_t *units)
{
    uint32_t n = 0;

    *forced = 0;
    *units = 0;
    for (uint32_t i = 0; i < p->d->count; i++) {
        uint32_t         at = p->d->first + i;
        const pos_var_t *v = &p->z->vars[at];
        int64_t          lambda = p->z->items[v->item].lambda;

        if (v->role != role) {
            continue;
        }
        *units += v->lo;
        for (int32_t j = 0; j < v->hi; j++) {
            if (j < v->lo) {
                *forced += v->gain[j] - lambda;
            } else {
                out[n++] = (pos_entry_t) { v->gain[j] - lambda, at };
            }
        }
    }
    p->z->work += n + p->d->count;
    sort_entries(out, n);
    return n;
}

static void
clear(const pricing_t *p)
{
    for (uint32_t i = 0; i < p->d->count; i++) {
        p->z->vars[p->d->first + i].x = p->z->vars[p->d->first + i].lo;
    }
}

static int64_t
need_of(const pricing_t *p, uint64_t subset)
{
    int64_t n = 0;

    for (uint32_t i = 0; i < p->e->part_count; i++) {
        n += subset >> i & 1 ? p->e->parts[i].quantity : 0;
    }
    return n;
}

/* Takes the best `left` entries that Hall's condition for `times` repetitions
 * over the parts of `mask` permits. False: too few. */
static bool
take_best(const pricing_t *p, const pos_entry_t *entries, uint32_t n, uint64_t mask, int64_t times,
    int64_t left, int64_t *sum, bool mark)
{
    const pos_act_t *act = p->act;
    int64_t         *slack = p->z->slack;
    uint32_t         subsets = p->e->part_count > 1 ? act->subset_count : 0;

    *sum = 0;
    for (uint32_t i = 0; i < subsets; i++) {
        slack[i] = act->subsets[i] & ~mask ? POS_INF : times * need_of(p, act->subsets[i]);
    }
    for (uint32_t k = 0; k < p->d->count && subsets; k++) {
        const pos_var_t *v = &p->z->vars[p->d->first + k];

        for (uint32_t i = 0; v->role == 0 && v->lo && i < subsets; i++) {
            if (slack[i] != POS_INF && (act->picks[v->pick].parts & mask & ~act->subsets[i]) == 0) {
                slack[i] -= v->lo;
                if (slack[i] < 0) {
                    return false;
                }
            }
        }
    }
    for (uint32_t k = 0; k < n && left > 0; k++) {
        uint64_t parts = act->picks[p->z->vars[entries[k].var].pick].parts & mask;
        bool     fits = true;

        for (uint32_t i = 0; i < subsets && fits; i++) {
            fits = (parts & ~act->subsets[i]) || slack[i] > 0;
        }
        if (!fits) {
            continue;
        }
        for (uint32_t i = 0; i < subsets; i++) {
            slack[i] -= !(parts & ~act->subsets[i]) && slack[i] != POS_INF;
        }
        *sum += entries[k].weight;
        left--;
        if (mark) {
            p->z->vars[entries[k].var].x++;
        }
    }
    p->z->work += n * (1 + subsets / 2);
    return left == 0;
}

static uint64_t
all_parts(const pos_effect_t *e)
{
    return e->part_count < 64 ? (UINT64_C(1) << e->part_count) - 1 : UINT64_MAX;
}

static int64_t
price_bundle(const pricing_t *p)
{
    pos_deal_t *d = p->d;
    int64_t     forced, units, best, last = INT64_MIN, best_times = 0;
    uint32_t    n = gather(p, 0, d->entries, &forced, &units);
    uint64_t    mask = all_parts(p->e);

    clear(p);
    best = units ? INT64_MIN : 0;
    for (int64_t t = units ? (units + d->need - 1) / d->need : 1; t <= d->most; t++) {
        int64_t sum, value;

        if (t * d->need - units > n) {
            break;
        }
        if (!take_best(p, d->entries, n, mask, t, t * d->need - units, &sum, false)) {
            if (last != INT64_MIN) {
                break;
            }
            continue;
        }
        value = forced + sum - (d->price + p->z->mu * d->half) * t;
        if (value > best) {
            best = value;
            best_times = t;
        } else if (last != INT64_MIN && value < last) {
            break;
        }
        last = value;
    }
    if (best_times) {
        int64_t sum;

        (void) take_best(p, d->entries, n, mask, best_times, best_times * d->need - units, &sum, true);
    }
    if (units && best != INT64_MIN) {
        int64_t idle = 0;

        /* Repetitions that cost more than their units leave them as they are. */
        for (uint32_t k = 0; k < d->count; k++) {
            const pos_var_t *v = &p->z->vars[d->first + k];

            idle -= v->lo * p->z->items[v->item].lambda;
        }
        best = idle > best ? idle : best;
    }
    d->times = best_times;
    return best;
}

/* ---- buy and get ---- */

typedef struct {
    pos_entry_t *entries;
    uint32_t     count;
    int64_t      forced, units, quantity;
} role_t;

/* What covering an amount saves at most: by the units that lose least for their
 * worth, the last one in part. */
static int64_t
cover(const pricing_t *p, const role_t *r, int64_t want, bool mark)
{
    int64_t sum = 0;

    for (uint32_t k = 0; k < p->d->count; k++) {
        const pos_var_t *v = &p->z->vars[p->d->first + k];

        want -= v->role == 0 ? v->lo * p->act->picks[v->pick].amount : 0;
    }
    for (uint32_t i = 1; i < r->count; i++) {
        pos_entry_t x = r->entries[i];
        int64_t     amount = p->act->picks[p->z->vars[x.var].pick].amount;
        uint32_t    j = i;

        for (; j > 0 && (__int128) r->entries[j - 1].weight * amount <
                 (__int128) x.weight * p->act->picks[p->z->vars[r->entries[j - 1].var].pick].amount; j--) {
            r->entries[j] = r->entries[j - 1];
        }
        r->entries[j] = x;
    }
    for (uint32_t k = 0; k < r->count && (want > 0 || r->entries[k].weight > 0); k++) {
        int64_t amount = p->act->picks[p->z->vars[r->entries[k].var].pick].amount, weight = r->entries[k].weight;

        if (amount > want && weight < 0) {
            sum -= (int64_t) ((__int128) -weight * (want > 0 ? want : 0) / amount);
        } else {
            sum += weight;
        }
        want -= amount;
        p->z->vars[r->entries[k].var].x += mark;
    }
    p->z->work += r->count;
    return sum;
}

static bool
role_value(const pricing_t *p, const role_t *r, uint32_t role, int64_t times, int64_t *value, bool mark)
{
    int64_t left = times * r->quantity - r->units, sum = 0;

    if (role == 0) {
        for (uint32_t i = 0; i < p->e->part_count; i++) {
            if (p->e->parts[i].amount > 0) {
                *value += r->forced + cover(p, r, times * p->e->parts[i].amount, mark);
                return true;
            }
        }
    }
    if (left < 0 || left > r->count) {
        return false;
    }
    if (role == 0) {
        if (!take_best(p, r->entries, r->count, all_parts(p->e), times, left, &sum, mark)) {
            return false;
        }
    } else {
        for (int64_t k = 0; k < left; k++) {
            sum += r->entries[k].weight;
            p->z->vars[r->entries[k].var].x += mark;
        }
        p->z->work += (uint64_t) left;
    }
    *value += r->forced + sum;
    return true;
}

static bool
value_at(const pricing_t *p, const role_t *roles, int64_t times, int64_t *value, bool mark)
{
    *value = 0;
    for (uint32_t role = 0; role < p->d->role_count; role++) {
        if (!role_value(p, &roles[role], role, times, value, mark)) {
            return false;
        }
    }
    return true;
}

static int64_t
price_buy_get(const pricing_t *p)
{
    pos_deal_t  *d = p->d;
    role_t       roles[65];
    pos_entry_t *at = d->entries;
    int64_t      best, best_times = 0, last = INT64_MIN, from = 1;
    bool         any_forced = false;

    clear(p);
    for (uint32_t role = 0; role < d->role_count; role++) {
        role_t *r = &roles[role];

        *r = (role_t) { .entries = at, .quantity = role ? p->e->gets[role - 1].quantity : d->need };
        r->count = gather(p, role, at, &r->forced, &r->units);
        any_forced |= r->units > 0;
        at += r->count;
        if (r->quantity > 0 && (r->units + r->quantity - 1) / r->quantity > from) {
            from = (r->units + r->quantity - 1) / r->quantity;
        }
    }
    best = any_forced ? INT64_MIN : 0;
    for (int64_t t = from; t <= d->most; t++) {
        int64_t value;

        if (!value_at(p, roles, t, &value, false)) {
            if (last != INT64_MIN) {
                break;
            }
            continue;
        }
        value -= p->z->mu * d->half * t;
        if (value > best) {
            best = value;
            best_times = t;
        } else if (last != INT64_MIN && value < last) {
            break;
        }
        last = value;
    }
    if (best_times) {
        int64_t value;

        (void) value_at(p, roles, best_times, &value, true);
    }
    d->times = best_times;
    return best;
}

/* ---- every nth ---- */

static uint32_t
nth_var(const pricing_t *p, uint32_t step)
{
    /* one role: vars stand as picks do */
    return p->d->first + (p->e->cheapest_first ? p->act->cheapest[step] : step);
}

/* Along the row: state is how many are claimed, up to whole groups unless
 * repetitions are few. */
static int64_t
price_nth(const pricing_t *p)
{
    pos_deal_t *d = p->d;
    int64_t     group = p->e->group, total = 0, states, best = INT64_MIN;
    int64_t    *now, *next;
    int32_t    *from;
    bool        counted;

    for (uint32_t k = 0; k < d->count; k++) {
        total += p->z->vars[d->first + k].hi;
    }
    counted = d->most < total / group;
    states = counted ? d->most * group + 1 : group;
    now = d->row;
    next = now + states;
    from = d->row_from;
    for (int64_t m = 0; m < states; m++) {
        now[m] = m ? INT64_MIN : 0;
    }
    for (uint32_t step = 0; step < d->count; step++) {
        const pos_var_t *v = &p->z->vars[nth_var(p, step)];
        int64_t          lambda = p->z->items[v->item].lambda, *t;
        int32_t         *back = from + (size_t) step * (size_t) states;

        for (int64_t m = 0; m < states; m++) {
            next[m] = INT64_MIN;
        }
        for (int64_t m = 0; m < states; m++) {
            int64_t value = now[m];

            for (int32_t c = 0; value != INT64_MIN && c <= v->hi; c++) {
                int64_t to = counted ? m + c : (m + c) % group;

                if (c) {
                    value += ((m + c - 1) % group == p->e->position - 1 ? v->most_gain : v->most_pay) - lambda;
                    value -= (m + c) % group == 0 ? p->z->mu * d->half : 0;
                }
                if (to >= states) {
                    break;
                }
                if (c >= v->lo && value > next[to]) {
                    next[to] = value;
                    back[to] = c;
                }
            }
            p->z->work += now[m] != INT64_MIN ? (uint64_t) v->hi / 2 + 1 : 0;
        }
        t = now;
        now = next;
        next = t;
    }
    {
        int64_t end = 0;

        for (int64_t m = 0; m < states; m += group) {
            if (now[m] > best) {
                best = now[m];
                end = m;
            }
        }
        d->times = 0;
        for (uint32_t step = d->count; best != INT64_MIN && step-- > 0;) {
            pos_var_t *v = &p->z->vars[nth_var(p, step)];

            v->x = from[(size_t) step * (size_t) states + (size_t) end];
            d->times += v->x;
            end = counted ? end - v->x : ((end - v->x) % group + group) % group;
        }
    }
    d->times /= group;
    return best;
}

int64_t
pos_price_deal(pos_solve_t *z, pos_deal_t *d)
{
    pricing_t p = { z, d, &z->plan->acts[d->act], z->plan->acts[d->act].effect };
    int64_t   value;

    d->dirty = false;
    d->times = 0;
    if (d->count == 0 || d->most < 1) {
        for (uint32_t k = 0; k < d->count; k++) {
            if (z->vars[d->first + k].lo > 0) {
                return INT64_MIN;
            }
            z->vars[d->first + k].x = 0;
        }
        return 0;
    }
    switch (p.e->kind) {
    case POS_EFFECT_BUNDLE:
        value = price_bundle(&p);
        break;
    case POS_EFFECT_NTH:
        value = price_nth(&p);
        break;
    default:
        value = price_buy_get(&p);
        break;
    }
    return value > d->cap ? d->cap : value;
}
