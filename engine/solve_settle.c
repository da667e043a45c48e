/*
 * Once it is said which units each deal takes, the rest is settled unit by
 * unit: which promotions that share no unit touch which, and where a limited
 * markdown begins. Every permitted way is judged by evaluate.c, but those that
 * a bound rules out.
 */

#include "engine/solve.h"

#define MOST_LEAST    64     /* units whose least cost is known by number */
#define MOST_ROW      4096

/* Units of one item in one deal's role, or in none. */
typedef struct {
    uint32_t  item, act, touch, role, deal;
    int64_t   units;
    int64_t   least;           /* cost at least                             */
    int64_t  *leasts;          /* [n]: the same of n of them, or NULL       */
    bool      whole;           /* paid for with its bundle                  */
    uint32_t  option_count;
    uint8_t **options;         /* by candidate: it may touch                */
} stack_t_;

/* Units of a stack that go by one option, then by what touches them. */
typedef struct {
    uint32_t  stack, option;
    int64_t   units;
} share_t;

typedef struct {
    pos_solve_t *z;
    uint32_t     stack_count;
    stack_t_    *stacks;
    uint32_t     share_count, share_room;
    share_t     *shares;
    uint64_t    *bits;         /* of the classes being made                 */
    bool         limited;
    bool         many;         /* options of a stack: ties are left alone   */
    bool         partial;      /* some options are not tried                */
    /* the units of items that a limited markdown bears on, in a row */
    uint32_t     row_count;
    uint32_t    *row;          /* a unit's share                            */
    uint64_t    *row_bits;
} settle_t;

static void *
room(pos_solve_t *z, size_t n)
{
    void *p = pos_pool_alloc(z, n ? n : 1);

    return p ? memset(p, 0, n ? n : 1) : NULL;
}

static bool
is_limited(const pos_act_t *act)
{
    return pos_on_units(act) && act->picks != NULL;
}

/* ---- stacks and their options ---- */

static bool
find_options(settle_t *t, stack_t_ *s)
{
    pos_touching_t u = { .item = s->item, .act = s->act, .role = s->role, .units = s->units };

    if (!pos_sets_find(t->z, &u)) {
        return false;
    }
    s->option_count = u.count;
    s->options = u.sets;
    t->many |= u.many;
    t->partial |= u.partial;
    return true;
}

static int64_t
option_cost(const settle_t *t, const stack_t_ *s, uint32_t option, int64_t units)
{
    return pos_model_cost(t->z, s->item, units, s->act, s->role, s->options[option]);
}

/* The same where a limited markdown may part them, so that they are rounded apart. */
static int64_t
share_cost(const settle_t *t, const stack_t_ *s, uint32_t option, int64_t units)
{
    int64_t rate = POS_INF;

    for (int64_t n = 1; t->limited && n <= units; n++) {
        int64_t cost = option_cost(t, s, option, n) / n;

        rate = cost < rate ? cost : rate;
    }
    return t->limited ? rate * units : option_cost(t, s, option, units);
}

/* The one option's costs as the model has them: they take as many steps as if they were worked out. */
static bool
least_known(const settle_t *t, stack_t_ *s)
{
    pos_solve_t       *z = t->z;
    uint64_t           work = (uint64_t) s->units * (1 + z->plan->act_count / 4);
    const pos_known_t *known;

    if (z->plan->stacked || z->plan->limited || z->work + work > z->budget) {
        return false;
    }
    known = pos_known_find(z, s->item, s->act, s->role, s->units, s->options[0]);
    if (known == NULL) {
        return false;
    }
    z->work += work;
    s->least = known->rate[s->units] * s->units;
    return true;
}

/* By number where options differ and each is rounded as a whole, else at the best rate. */
static bool
find_least(settle_t *t, stack_t_ *s)
{
    int64_t units = s->units, rate = POS_INF;
    bool    by_number = s->option_count > 1 && !t->limited && units <= MOST_LEAST;

    if (s->option_count == 1 && least_known(t, s)) {
        return true;
    }
    if (by_number && (s->leasts = room(t->z, (size_t) (units + 1) * sizeof(int64_t))) == NULL) {
        return false;
    }
    for (int64_t n = 1; n <= units; n++) {
        int64_t least = POS_INF;

        t->z->work += s->option_count;
        if (t->z->work > t->z->budget) {
            t->z->stop = true;
            return false;
        }
        for (uint32_t o = 0; o < s->option_count; o++) {
            int64_t cost = option_cost(t, s, o, n);

            least = cost < least ? cost : least;
        }
        rate = least / n < rate ? least / n : rate;
        for (int64_t m = 1; by_number && m <= n / 2; m++) {
            least = s->leasts[m] + s->leasts[n - m] < least ? s->leasts[m] + s->leasts[n - m] : least;
        }
        if (by_number) {
            s->leasts[n] = least;
        }
    }
    s->least = by_number ? s->leasts[units] : rate * units;
    return true;
}

/* What so many of its units cost at least. */
static int64_t
least_of(const stack_t_ *s, int64_t units)
{
    return s->whole ? 0 : s->leasts ? s->leasts[units] : s->least / s->units * units;
}

static bool
add_stack(settle_t *t, uint32_t item, uint32_t act, uint32_t deal, uint32_t role, uint32_t touch, int64_t units)
{
    stack_t_ *s = &t->stacks[t->stack_count];

    if (units <= 0) {
        return true;
    }
    *s = (stack_t_) { .item = item, .act = act, .deal = deal, .role = role, .touch = touch, .units = units };
    t->stack_count++;
    if (!find_options(t, s)) {
        return false;
    }
    return find_least(t, s);
}

/* Paid and bundled units stand first, rewarded ones last, as they are claimed
 * from an item's two ends. */
static int64_t
stack_rank(const settle_t *t, const stack_t_ *s)
{
    bool first = s->act != POS_NIL && (s->role == 0 || t->z->plan->acts[s->act].effect->kind == POS_EFFECT_BUNDLE);

    if (s->act == POS_NIL) {
        return 0;
    }
    return first ? (int64_t) s->touch - INT32_MAX : INT32_MAX - (int64_t) s->touch;
}

static void
sort_stacks(settle_t *t)
{
    for (uint32_t i = 1; i < t->stack_count; i++) {
        stack_t_ x = t->stacks[i];
        uint32_t j = i;

        for (; j > 0 && (t->stacks[j - 1].item > x.item || (t->stacks[j - 1].item == x.item &&
                 stack_rank(t, &t->stacks[j - 1]) > stack_rank(t, &x))); j--) {
            t->stacks[j] = t->stacks[j - 1];
        }
        t->stacks[j] = x;
    }
}

static bool
stack_deal(settle_t *t, uint32_t index)
{
    pos_solve_t      *z = t->z;
    const pos_deal_t *d = &z->deals[index];
    const pos_act_t  *act = &z->plan->acts[d->act];
    bool              nth = act->effect->kind == POS_EFFECT_NTH;

    if (nth && z->claims->times[d->act]) {
        pos_nth_rewarded(z, d, z->rewarded);
    }
    for (uint32_t k = 0; k < d->count; k++) {
        const pos_var_t *v = &z->vars[d->first + k];
        int64_t          good = nth && v->x ? z->rewarded[k] : 0;

        if (!add_stack(t, v->item, d->act, index, nth ? 0 : v->role, act->touch + v->role, v->x - good) ||
            !add_stack(t, v->item, d->act, index, 1, act->touch + 1, good)) {
            return false;
        }
    }
    return true;
}

/* Times of each deal; false: some deal cannot take just these units. */
static bool
count_times(pos_solve_t *z)
{
    const pos_plan_t *plan = z->plan;

    memset(z->claims->times, 0, plan->act_count * sizeof(int64_t));
    for (uint32_t d = 0; d < z->deal_count; d++) {
        int64_t times = pos_deal_times(z, &z->deals[d]), uses = 0;
        uint32_t k = plan->acts[z->deals[d].act].candidate;

        if (times < 0) {
            return false;
        }
        z->claims->times[z->deals[d].act] = times;
        for (uint32_t i = 0; i < plan->candidates[k].act_count; i++) {
            uses += z->claims->times[plan->candidates[k].acts[i]];
        }
        if (uses > plan->candidates[k].uses_max) {
            return false;
        }
    }
    for (uint32_t a = 0; a < plan->act_count; a++) {
        if (pos_on_units(&plan->acts[a]) && z->allowed[plan->acts[a].candidate]) {
            z->claims->times[a] = 1;
        }
    }
    return true;
}

static bool
make_stacks(settle_t *t)
{
    pos_solve_t *z = t->z;
    uint32_t     most = z->item_count + 2 * z->var_count;

    t->stacks = room(z, (most + 1) * sizeof(*t->stacks));
    if (t->stacks == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < z->item_count; i++) {
        int64_t left = z->items[i].units;

        for (uint32_t k = 0; k < z->items[i].var_count; k++) {
            left -= z->vars[z->items[i].vars[k]].x;
        }
        if (left < 0 || !add_stack(t, i, POS_NIL, POS_NIL, 0, 0, left)) {
            return false;
        }
    }
    for (uint32_t d = 0; d < z->deal_count; d++) {
        if (!stack_deal(t, d)) {
            return false;
        }
    }
    sort_stacks(t);
    return true;
}

/* ---- classes ---- */

static bool
put_class(settle_t *t, uint32_t item, int64_t units, const uint64_t *bits)
{
    pos_claims_t *c = t->z->claims;
    uint32_t      words = t->z->plan->words;

    if (c->count == c->room) {
        t->z->stop = true;
        return false;
    }
    c->items[c->count] = item;
    c->units[c->count] = units;
    memcpy(&c->bits[(size_t) c->count * words], bits, words * sizeof(uint64_t));
    c->count++;
    return true;
}

/* What touches the units of a share, limited markdowns apart. */
static void
share_bits(const settle_t *t, const share_t *s, uint64_t *bits)
{
    const pos_plan_t *plan = t->z->plan;
    const stack_t_   *stack = &t->stacks[s->stack];

    memset(bits, 0, plan->words * sizeof(uint64_t));
    if (stack->act != POS_NIL) {
        pos_bit_set(bits, stack->touch);
    }
    for (uint32_t k = t->z->acts_from[stack->item]; k < t->z->acts_from[stack->item + 1]; k++) {
        const pos_act_t *act = &plan->acts[t->z->acts_of[k]];

        if (!is_limited(act) && stack->options[s->option][act->candidate]) {
            pos_bit_set(bits, act->touch);
        }
    }
}

static void
judge_shares(settle_t *t)
{
    t->z->claims->count = 0;
    for (uint32_t k = 0; k < t->share_count; k++) {
        share_bits(t, &t->shares[k], t->bits);
        if (!put_class(t, t->stacks[t->shares[k].stack].item, t->shares[k].units, t->bits)) {
            return;
        }
    }
    pos_judge(t->z);
}

/* ---- limited markdowns ---- */

static uint32_t
item_of(const settle_t *t, uint32_t unit)
{
    return t->stacks[t->shares[t->row[unit]].stack].item;
}

static void
touch_row(settle_t *t, uint32_t a)
{
    const pos_plan_t   *plan = t->z->plan;
    const pos_act_t    *act = &plan->acts[a];
    const pos_effect_t *e = act->effect;
    int64_t             left = e->kind == POS_EFFECT_MARKDOWN ? e->max_units : POS_INF;

    for (uint32_t p = 0; p < act->pick_count && left > 0; p++) {
        const pos_pick_t *pick = &act->picks[e->choose == POS_CHOOSE_CHEAPEST ? act->cheapest[p] : p];
        int64_t           most = pick->most;

        for (uint32_t u = 0; u < t->row_count && left > 0 && most > 0; u++) {
            const share_t *s = &t->shares[t->row[u]];

            if (item_of(t, u) == pick->item && t->stacks[s->stack].options[s->option][act->candidate]) {
                pos_bit_set(&t->row_bits[(size_t) u * plan->words], act->touch);
                left -= left == POS_INF ? 0 : 1;
                most -= most == POS_INF ? 0 : 1;
            }
        }
    }
}

/* Is a promotion on the unit that cannot share it with this one? */
static bool
is_barred(const settle_t *t, uint32_t unit, uint32_t candidate)
{
    const pos_plan_t *plan = t->z->plan;
    const uint64_t   *bits = &t->row_bits[(size_t) unit * plan->words];

    for (uint32_t touch = 0; touch < plan->touch_count; touch++) {
        if (pos_bit(bits, touch) && pos_shuns(plan, plan->acts[plan->act_of_touch[touch]].candidate, candidate)) {
            return true;
        }
    }
    return false;
}

/* Does the act take every unit that it can? */
static bool
takes_all(const settle_t *t, uint32_t a)
{
    const pos_plan_t   *plan = t->z->plan;
    const pos_act_t    *act = &plan->acts[a];
    const pos_effect_t *e = act->effect;
    int64_t             taken = 0, most = is_limited(act) && e->kind == POS_EFFECT_MARKDOWN ? e->max_units : POS_INF;
    bool                missed = false;

    for (uint32_t u = 0; u < t->row_count; u++) {
        taken += pos_bit(&t->row_bits[(size_t) u * plan->words], act->touch);
    }
    for (uint32_t p = 0; p < act->match.count; p++) {
        const pos_pick_t *pick = NULL;
        uint32_t          item = act->match.items[p];
        int64_t           mine = 0;

        if (is_limited(act)) {
            pick = &act->picks[e->choose == POS_CHOOSE_CHEAPEST ? act->cheapest[p] : p];
            item = pick->item;
        }
        for (uint32_t u = 0; u < t->row_count; u++) {
            if (item_of(t, u) != item) {
                continue;
            }
            if (pos_bit(&t->row_bits[(size_t) u * plan->words], act->touch)) {
                if (missed && most != POS_INF) {
                    return false;
                }
                mine++;
            } else if (!is_barred(t, u, act->candidate)) {
                if (pick && mine >= pick->most) {
                    continue;
                }
                missed = true;
                if (most == POS_INF || taken < most) {
                    return false;
                }
            }
        }
    }
    return true;
}

static void
judge_row(settle_t *t)
{
    const pos_plan_t *plan = t->z->plan;

    for (uint32_t u = 0; u < t->row_count; u++) {
        share_bits(t, &t->shares[t->row[u]], &t->row_bits[(size_t) u * plan->words]);
    }
    t->z->work += t->row_count * plan->act_count;
    for (uint32_t a = 0; a < plan->act_count; a++) {
        if (is_limited(&plan->acts[a]) && t->z->allowed[plan->acts[a].candidate]) {
            touch_row(t, a);
        }
    }
    for (uint32_t a = 0; a < plan->act_count; a++) {
        if (pos_on_units(&plan->acts[a]) && t->z->allowed[plan->acts[a].candidate] && !takes_all(t, a)) {
            return;
        }
    }
    t->z->claims->count = 0;
    for (uint32_t u = 0; u < t->row_count;) {
        uint32_t end = u + 1;

        while (end < t->row_count && item_of(t, end) == item_of(t, u) &&
               memcmp(&t->row_bits[(size_t) end * plan->words], &t->row_bits[(size_t) u * plan->words],
                   plan->words * sizeof(uint64_t)) == 0) {
            end++;
        }
        if (!put_class(t, item_of(t, u), end - u, &t->row_bits[(size_t) u * plan->words])) {
            return;
        }
        u = end;
    }
    pos_judge(t->z);
}

/* Every order of an item's units that can be told apart, item by item. */
static void
arrange(settle_t *t, uint32_t from, int64_t *left)
{
    pos_solve_t *z = t->z;
    uint32_t     item;

    if (z->stop || z->status != POS_OK || z->work > z->budget) {
        z->stop = true;
        return;
    }
    while (from < t->share_count && left[from] == 0) {
        from++;
    }
    if (from == t->share_count) {
        judge_row(t);
        return;
    }
    z->work++;
    item = t->stacks[t->shares[from].stack].item;
    for (uint32_t k = from; k < t->share_count && t->stacks[t->shares[k].stack].item == item; k++) {
        if (left[k] > 0) {
            left[k]--;
            t->row[t->row_count++] = k;
            arrange(t, from, left);
            t->row_count--;
            left[k]++;
        }
    }
}

static void
judge_limited(settle_t *t)
{
    int64_t *left = t->z->counts, units = 0;

    for (uint32_t k = 0; k < t->share_count; k++) {
        left[k] = t->shares[k].units;
        units += left[k];
    }
    if (units > MOST_ROW) {
        t->z->stop = true;
        return;
    }
    t->row_count = 0;
    arrange(t, 0, left);
}

/* ---- shares of stacks ---- */

static int64_t
rest_least(const settle_t *t, uint32_t stack)
{
    int64_t sum = 0;

    for (uint32_t k = stack; k < t->stack_count; k++) {
        const stack_t_ *s = &t->stacks[k];

        sum += s->whole ? 0 : s->least;
    }
    return sum;
}

/* Bundles at a price, or at an amount off that may be all they cost: their units cost that, by
 * whatever option, and so nothing by themselves (what order discounts may leave of a price can be
 * nothing too). Else the amount is off. */
static int64_t
bundles_least(settle_t *t)
{
    pos_solve_t *z = t->z;
    int64_t      off = 0;

    for (uint32_t d = 0; d < z->deal_count; d++) {
        const pos_effect_t *e = z->plan->acts[z->deals[d].act].effect;
        int64_t             times = z->claims->times[z->deals[d].act], sum = 0, price = z->deals[d].price * times;
        bool                at_price = e->reduce == POS_REDUCE_PRICE;

        if (times == 0 || e->kind != POS_EFFECT_BUNDLE || e->reduce == POS_REDUCE_PERCENT) {
            continue;
        }
        for (uint32_t k = 0; k < t->stack_count; k++) {
            sum += t->stacks[k].deal == d ? t->stacks[k].least : 0;
        }
        if (!at_price && -price < sum) {
            off -= price;
            continue;
        }
        off -= !at_price ? 0 : price < sum ? price : sum;
        for (uint32_t k = 0; k < t->stack_count; k++) {
            t->stacks[k].whole |= t->stacks[k].deal == d;
        }
    }
    return off;
}

static void
share(settle_t *t, uint32_t stack, uint32_t option, int64_t units, int64_t cost, int64_t off)
{
    pos_solve_t    *z = t->z;
    const stack_t_ *s = &t->stacks[stack];

    if (z->stop || z->status != POS_OK || z->work > z->budget) {
        z->stop = true;
        return;
    }
    z->work += 10;
    if (stack == t->stack_count) {
        if (t->limited) {
            judge_limited(t);
        } else {
            judge_shares(t);
        }
        return;
    }
    if (pos_model_after(z, cost + least_of(s, units) + rest_least(t, stack + 1) - off - z->constant) >
        z->state->objective - (t->many && !z->ties)) {
        return;
    }
    for (int64_t n = option + 1 == s->option_count ? units : 0; n <= units; n++) {
        int64_t  more = n && !s->whole ? share_cost(t, s, option, n) : 0;
        bool     done = n == units;

        if (n) {
            t->shares[t->share_count++] = (share_t) { stack, option, n };
        }
        share(t, done ? stack + 1 : stack, done ? 0 : option + 1, done ? t->stacks[stack + 1].units : units - n,
            cost + more, off);
        t->share_count -= n > 0;
    }
}

static bool
bears_limited(const pos_solve_t *z)
{
    for (uint32_t a = 0; a < z->plan->act_count; a++) {
        if (is_limited(&z->plan->acts[a]) && z->allowed[z->plan->acts[a].candidate]) {
            return true;
        }
    }
    return false;
}

static void
settle(pos_solve_t *z)
{
    settle_t t = { .z = z, .limited = bears_limited(z) };
    size_t   words = z->plan->words, units = 0;

    z->rewarded = room(z, (z->var_count + 1) * sizeof(int64_t));
    if (z->rewarded == NULL || !count_times(z) || !make_stacks(&t)) {
        return;
    }
    for (uint32_t k = 0; k < t.stack_count; k++) {
        units += (size_t) t.stacks[k].units;
        t.share_room += t.stacks[k].option_count;
    }
    t.shares = room(z, (t.share_room + 1) * sizeof(*t.shares));
    t.bits = room(z, words * sizeof(uint64_t));
    z->counts = room(z, (t.share_room + 1) * sizeof(int64_t));
    if (t.limited && units <= MOST_ROW) {
        t.row = room(z, (units + 1) * sizeof(uint32_t));
        t.row_bits = room(z, (units + 1) * words * sizeof(uint64_t));
    }
    if (!pos_broken(z)) {
        z->work += t.stack_count * 20;
        share(&t, 0, 0, t.stack_count ? t.stacks[0].units : 0, 0, bundles_least(&t));
        z->stop |= t.partial;
    }
}

void
pos_settle(pos_solve_t *z)
{
    pos_pool_mark_t mark = z->pool.at;

    settle(z);
    z->pool.at = mark;
}
