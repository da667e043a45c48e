/* Candidates' effects as acts, in order of application, with what they match. */

#include "engine/matches.h"
#include "engine/plan.h"

#define EXACT_PARTS  10    /* of a deal: above it Hall's condition is checked in part */
#define MOST_PARTS   64
#define SHORT_LIST   64    /* items: their list is as long as it may become, not copied */

static pos_phase_t
phase_of(const pos_effect_t *e)
{
    switch (e->kind) {
    case POS_EFFECT_MARKDOWN:
    case POS_EFFECT_LINE_TIERS:
        return POS_PHASE_MARKDOWN;
    case POS_EFFECT_BUY_GET:
    case POS_EFFECT_NTH:
    case POS_EFFECT_BUNDLE:
        return POS_PHASE_DEAL;
    case POS_EFFECT_GIFT:
        return POS_PHASE_GIFT;
    case POS_EFFECT_ORDER:
    case POS_EFFECT_ORDER_TIERS:
        return POS_PHASE_ORDER;
    case POS_EFFECT_SHIPPING:
        return POS_PHASE_SHIPPING;
    default:
        return POS_PHASE_BONUS;
    }
}

/* Whether an effect's own condition rules it out already. What asks for the
 * subtotal after line discounts is judged when it is known. */
static bool
ruled_out(const pos_plan_t *plan, const pos_effect_t *e)
{
    return e->when && phase_of(e) <= POS_PHASE_GIFT && !pos_condition_holds(e->when, &plan->work->cart);
}

/* ---- matching ---- */

/* One list for all that bear on everything. */
static bool
match_all(pos_plan_t *plan, pos_match_t *match)
{
    uint32_t *items, n = plan->work->cart.item_count;

    if (plan->all.items == NULL) {
        items = pos_arena_alloc(plan->work->arena, (n + 1) * sizeof(*items));
        if (items == NULL) {
            return false;
        }
        for (uint32_t i = 0; i < n; i++) {
            items[i] = i;
        }
        plan->all = (pos_match_t) { n, items };
    }
    *match = plan->all;
    return true;
}

static bool
match_list(pos_plan_t *plan, const uint32_t *list, uint32_t n, pos_match_t *match)
{
    uint32_t *items = pos_arena_alloc(plan->work->arena, (n + 1) * sizeof(*items));

    if (items == NULL) {
        return false;
    }
    memcpy(items, list, n * sizeof(*items));
    *match = (pos_match_t) { n, items };
    return true;
}

static uint32_t *
room_of(pos_plan_t *plan)
{
    if (plan->room == NULL) {
        plan->room = pos_arena_alloc(plan->work->arena, plan->work->cart.item_count * sizeof(*plan->room));
    }
    return plan->room;
}

/* The list may be shared: it is read only. */
static bool
match_filter(pos_plan_t *plan, const pos_filter_t *filter, pos_match_t *match)
{
    const pos_cart_t  *cart = &plan->work->cart;
    const pos_found_t *found;
    uint32_t           i, until, n, *items;
    bool               few;

    if (filter == NULL || (filter->any && filter->selection == NULL)) {
        return match_all(plan, match);
    }
    if (filter->any) {
        /* A script's selection, and nothing else; of this cart's items, ascending. */
        return match_list(plan, filter->selection->items, filter->selection->count, match);
    }
    found = pos_matches_list(cart, filter);
    if (found) {
        *match = found->match;
        return true;
    }
    pos_filter_range(cart, filter, &i, &until);
    few = until - i <= SHORT_LIST;
    items = few ? pos_arena_alloc(plan->work->arena, (until - i + 1) * sizeof(*items)) : room_of(plan);
    if (items == NULL) {
        return false;
    }
    n = pos_filter_list(filter, cart, i, until, items);
    *match = (pos_match_t) { n, items };
    return few || match_list(plan, items, n, match);
}

/* How many units of the item a script selected. */
static int64_t
selected_units(const pos_filter_t *filter, const pos_item_t *item)
{
    const pos_selection_t *s = filter ? filter->selection : NULL;
    uint32_t               low = 0, high = s ? s->count : 0;

    if (s == NULL || s->units == NULL) {
        return POS_INF;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (s->items[middle] < item->index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == s->count || s->items[low] != item->index) {
        return 0;
    }
    return item->measured ? s->units[low] > 0 : s->units[low] / POS_THOUSANDTHS;
}

static bool
limits_units(const pos_filter_t *filter)
{
    return filter && filter->selection && filter->selection->units;
}

/* All items by what a unit costs, falling; ties in canonical order. */
static pos_status_t
order_by_price(pos_plan_t *plan)
{
    const pos_cart_t *cart = &plan->work->cart;
    uint32_t          n = cart->item_count, *a, *b;

    if (plan->dearest) {
        return POS_OK;
    }
    a = pos_arena_alloc(plan->work->arena, (n + 1) * sizeof(*a));
    b = pos_arena_alloc(plan->work->arena, (n + 1) * sizeof(*b));
    if (a == NULL || b == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < n; i++) {
        a[i] = i;
    }
    for (uint32_t width = 1; width < n; width *= 2) {
        uint32_t *t;

        for (uint32_t lo = 0; lo < n; lo += 2 * width) {
            uint32_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
            uint32_t i = lo, j = mid, k = lo;

            while (i < mid || j < hi) {
                bool left = j >= hi || (i < mid &&
                    pos_item_unit_amount(&cart->items[a[i]]) >= pos_item_unit_amount(&cart->items[a[j]]));

                b[k++] = left ? a[i++] : a[j++];
            }
        }
        t = a;
        a = b;
        b = t;
    }
    plan->dearest = a;
    return POS_OK;
}

/* From picks dearest first to the same cheapest first, ties canonical. */
static bool
order_cheapest(pos_plan_t *plan, pos_act_t *act)
{
    uint32_t n = act->pick_count, k = 0, end = n;

    act->cheapest = pos_arena_alloc(plan->work->arena, (n + 1) * sizeof(uint32_t));
    if (act->cheapest == NULL) {
        return false;
    }
    while (end > 0) {
        uint32_t from = end - 1;

        while (from > 0 && act->picks[from - 1].amount == act->picks[end - 1].amount) {
            from--;
        }
        for (uint32_t i = from; i < end; i++) {
            act->cheapest[k++] = i;
        }
        end = from;
    }
    return true;
}

/* `parts` holds for each item the parts it matches. */
static pos_status_t
make_picks(pos_plan_t *plan, pos_act_t *act, const uint64_t *parts, const int64_t *most)
{
    const pos_cart_t *cart = &plan->work->cart;
    uint32_t          n = 0, *items;

    if (order_by_price(plan) != POS_OK) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < cart->item_count; i++) {
        n += parts[i] != 0;
    }
    act->picks = pos_arena_alloc(plan->work->arena, (n + 1) * sizeof(*act->picks));
    items = pos_arena_alloc(plan->work->arena, (n + 1) * sizeof(*items));
    if (act->picks == NULL || items == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t k = 0; k < cart->item_count; k++) {
        uint32_t i = plan->dearest[k];

        if (parts[i]) {
            act->picks[act->pick_count++] = (pos_pick_t) { i, parts[i],
                pos_item_unit_amount(&cart->items[i]), most ? most[i] : POS_INF };
        }
        if (parts[k]) {
            items[act->match.count++] = k;
        }
    }
    act->match.items = items;
    return order_cheapest(plan, act) ? POS_OK : POS_NO_MEMORY;
}

static pos_status_t
make_subsets(pos_plan_t *plan, pos_act_t *act, const pos_part_t *const *parts, uint32_t count)
{
    uint32_t n = 0, list[MOST_PARTS];

    for (uint32_t p = 0; p < count; p++) {
        if (parts[p]->amount == 0) {
            act->counted |= UINT64_C(1) << p;
            list[n++] = p;
        }
    }
    if (n == 0) {
        return POS_OK;
    }
    act->subset_count = n <= EXACT_PARTS ? (1u << n) - 1 : n + 1;
    act->subsets = pos_arena_array(plan->work->arena, act->subset_count, sizeof(uint64_t));
    if (act->subsets == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t s = 0; s < act->subset_count; s++) {
        if (n > EXACT_PARTS) {
            act->subsets[s] = s < n ? UINT64_C(1) << list[s] : act->counted;
            continue;
        }
        for (uint32_t k = 0; k < n; k++) {
            if ((s + 1) >> k & 1) {
                act->subsets[s] |= UINT64_C(1) << list[k];
            }
        }
    }
    return POS_OK;
}

static pos_status_t
match_deal(pos_plan_t *plan, pos_act_t *act)
{
    const pos_effect_t *e = act->effect;
    const pos_cart_t   *cart = &plan->work->cart;
    const pos_part_t   *parts[MOST_PARTS];
    uint32_t            n = e->part_count + e->get_count;
    uint64_t           *bits;
    int64_t            *most = NULL;
    pos_match_t         match;
    pos_status_t        status;

    if (n > MOST_PARTS) {
        return POS_OK;    /* no shop's deal; it matches nothing */
    }
    bits = pos_arena_array(plan->work->arena, cart->item_count + 1, sizeof(*bits));
    if (bits == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t p = 0; p < n; p++) {
        parts[p] = p < e->part_count ? &e->parts[p] : &e->gets[p - e->part_count];
    }
    for (uint32_t p = 0; p < (n ? n : 1); p++) {
        const pos_filter_t *f = n ? parts[p]->filter : e->filter;

        if (limits_units(f) && most == NULL) {
            most = pos_arena_array(plan->work->arena, cart->item_count + 1, sizeof(*most));
            if (most == NULL) {
                return POS_NO_MEMORY;
            }
            for (uint32_t i = 0; i < cart->item_count; i++) {
                most[i] = POS_INF;
            }
        }
        if (!match_filter(plan, f, &match)) {
            return POS_NO_MEMORY;
        }
        for (uint32_t k = 0; k < match.count; k++) {
            uint32_t i = match.items[k];

            bits[i] |= UINT64_C(1) << p;
            if (limits_units(f)) {
                int64_t units = selected_units(f, &cart->items[i]);

                most[i] = units < most[i] ? units : most[i];
            }
        }
    }
    status = make_picks(plan, act, bits, most);
    return status == POS_OK && n ? make_subsets(plan, act, parts, n) : status;
}

static pos_status_t
match_limited(pos_plan_t *plan, pos_act_t *act)
{
    const pos_cart_t   *cart = &plan->work->cart;
    const pos_filter_t *f = act->effect->filter;
    uint64_t           *bits = pos_arena_array(plan->work->arena, cart->item_count + 1, sizeof(*bits));
    int64_t            *most = pos_arena_array(plan->work->arena, cart->item_count + 1, sizeof(*most));

    if (bits == NULL || most == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t k = 0; k < act->match.count; k++) {
        uint32_t i = act->match.items[k];

        bits[i] = 1;
        most[i] = selected_units(f, &cart->items[i]);
    }
    act->match.count = 0;
    return make_picks(plan, act, bits, most);
}

/* Tiers by quantity depend on the cart alone. Items that reach none leave. */
static pos_status_t
match_tiers(pos_plan_t *plan, pos_act_t *act)
{
    const pos_effect_t *e = act->effect;
    const pos_cart_t   *cart = &plan->work->cart;
    int64_t             all = 0, amount = 0, units = 0;
    uint32_t            n = 0, *reached;
    const uint32_t     *items = act->match.items;

    act->tiers = pos_arena_array(plan->work->arena, act->match.count + 1, sizeof(*act->tiers));
    reached = pos_arena_alloc(plan->work->arena, (act->match.count + 1) * sizeof(*reached));
    if (act->tiers == NULL || reached == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t k = 0; k < act->match.count; k++) {
        all += cart->items[items[k]].quantity;
        amount += cart->items[items[k]].subtotal;
        units += cart->items[items[k]].units;
    }
    for (uint32_t k = 0; k < act->match.count; k++) {
        const pos_item_t *item = &cart->items[items[k]];
        const pos_tier_t *t = e->count_all
            ? pos_tier_best(e->tiers, e->tier_count, all, amount, units)
            : pos_tier_best(e->tiers, e->tier_count, item->quantity, item->subtotal, item->units);

        if (t) {
            reached[n] = items[k];
            act->tiers[n++] = t;
        }
    }
    act->match = (pos_match_t) { n, reached };
    return POS_OK;
}

static pos_status_t
match_gift(pos_plan_t *plan, pos_act_t *act)
{
    const pos_effect_t *e = act->effect;
    pos_work_t         *w = plan->work;
    int64_t             quantity = 0;
    pos_match_t         per;
    pos_status_t        status;
    pos_item_t         *item;

    act->gift_item = POS_NIL;
    act->gift_times = 1;
    if (e->gift_per) {
        if (!match_filter(plan, e->gift_per, &per)) {
            return POS_NO_MEMORY;
        }
        for (uint32_t k = 0; k < per.count; k++) {
            quantity += w->cart.items[per.items[k]].quantity;
        }
        act->gift_times = e->gift_per_quantity > 0 ? quantity / e->gift_per_quantity : 0;
    }
    if (act->gift_times > plan->candidates[act->candidate].uses_max) {
        act->gift_times = plan->candidates[act->candidate].uses_max;
    }
    if (act->gift_times < 1 || e->gift_quantity > 100000 * POS_THOUSANDTHS / act->gift_times) {
        return POS_OK;
    }
    item = pos_item_gift(w, e->gift_sku, e->gift_quantity, act->gift_times, &status);
    while (item && item->subtotal > plan->candidates[act->candidate].amount_max && act->gift_times > 1) {
        /* A gift is whole, but of several those are given that the limit is enough for. */
        int64_t each = (item->subtotal + act->gift_times - 1) / act->gift_times;
        int64_t enough = plan->candidates[act->candidate].amount_max / each;

        act->gift_times = enough < 1 ? 1 : enough < act->gift_times ? enough : act->gift_times - 1;
        w->gift_count--;
        item = pos_item_gift(w, e->gift_sku, e->gift_quantity, act->gift_times, &status);
    }
    if (item) {
        act->gift_item = item->index;
    }
    return status;
}

static pos_status_t
match_act(pos_plan_t *plan, pos_act_t *act)
{
    const pos_effect_t *e = act->effect;
    pos_status_t        status = POS_OK;

    switch (e->kind) {
    case POS_EFFECT_BUY_GET:
        act->touch_count = 1 + e->get_count;
        status = match_deal(plan, act);
        break;
    case POS_EFFECT_NTH:
        act->touch_count = 2;
        status = match_deal(plan, act);
        break;
    case POS_EFFECT_BUNDLE:
        act->touch_count = 1;
        status = match_deal(plan, act);
        break;
    case POS_EFFECT_MARKDOWN:
    case POS_EFFECT_LINE_TIERS:
    case POS_EFFECT_ORDER:
    case POS_EFFECT_ORDER_TIERS:
        act->touch_count = 1;
        if (!match_filter(plan, e->filter, &act->match)) {
            return POS_NO_MEMORY;
        }
        if (e->kind == POS_EFFECT_LINE_TIERS) {
            status = match_tiers(plan, act);
        } else if ((e->kind == POS_EFFECT_MARKDOWN && e->max_units != POS_INF) ||
            limits_units(e->filter)) {
            status = match_limited(plan, act);
        }
        break;
    case POS_EFFECT_SHIPPING:
        act->touch_count = 1;
        break;
    case POS_EFFECT_GIFT:
        act->touch_count = 1;
        status = match_gift(plan, act);
        break;
    default:
        break;
    }
    return status;
}

/* ---- acts ---- */

static pos_status_t
make_acts(pos_plan_t *plan)
{
    pos_work_t *w = plan->work;
    uint32_t    count[POS_PHASE_COUNT + 1] = { 0 }, total = 0;

    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        pos_candidate_t *c = &plan->candidates[k];

        c->acts = pos_arena_alloc(w->arena, (c->effect_count + 1) * sizeof(uint32_t));
        if (c->acts == NULL) {
            return POS_NO_MEMORY;
        }
        for (uint32_t e = 0; e < c->effect_count; e++) {
            if (!ruled_out(plan, &c->effects[e])) {
                count[phase_of(&c->effects[e]) + 1]++;
                total++;
                w->gift_room += c->effects[e].kind == POS_EFFECT_GIFT;
            }
        }
    }
    for (uint32_t p = 1; p <= POS_PHASE_COUNT; p++) {
        count[p] += count[p - 1];
    }
    plan->acts = pos_arena_array(w->arena, total + 1, sizeof(*plan->acts));
    if (plan->acts == NULL) {
        return POS_NO_MEMORY;
    }
    plan->act_count = total;
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        pos_candidate_t *c = &plan->candidates[k];

        for (uint32_t e = 0; e < c->effect_count; e++) {
            if (!ruled_out(plan, &c->effects[e])) {
                pos_phase_t phase = phase_of(&c->effects[e]);
                uint32_t    at = count[phase]++;

                plan->acts[at].effect = &c->effects[e];
                plan->acts[at].candidate = k;
                plan->acts[at].phase = phase;
                c->acts[c->act_count++] = at;
            }
        }
    }
    return POS_OK;
}

static bool
bears_on_shipping(const pos_plan_t *plan, const pos_effect_t *e)
{
    pos_str_t method = plan->work->cart.shipping_method;

    if (!plan->work->cart.has_shipping) {
        return false;
    }
    if (e->kind != POS_EFFECT_SHIPPING) {
        return e->shipping_too;
    }
    return e->methods.count == 0 || pos_strset_has(&e->methods, method, pos_hash64(method));
}

static bool
is_idle(const pos_plan_t *plan, const pos_act_t *act)
{
    return act->match.count == 0 && act->phase != POS_PHASE_BONUS &&
        !(act->phase == POS_PHASE_GIFT && act->gift_item != POS_NIL) &&
        !bears_on_shipping(plan, act->effect);
}

/* Acts that bear on nothing leave, and promotions left without any: a plan is
 * the same however many promotions were looked at. */
static void
drop_idle(pos_plan_t *plan)
{
    uint32_t acts = 0, kept = 0;

    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        pos_candidate_t *c = &plan->candidates[k];
        pos_looked_t    *l = &plan->looked[c->looked];
        uint32_t         busy = 0;

        for (uint32_t i = 0; i < c->act_count; i++) {
            busy += !is_idle(plan, &plan->acts[c->acts[i]]);
        }
        l->reason = busy ? NULL : c->act_count ? "no_items" : "condition";
        l->candidate = busy ? kept++ : POS_NIL;
    }
    for (uint32_t a = 0; a < plan->act_count; a++) {
        if (!is_idle(plan, &plan->acts[a])) {
            plan->acts[acts] = plan->acts[a];
            plan->acts[acts].candidate =
                plan->looked[plan->candidates[plan->acts[a].candidate].looked].candidate;
            acts++;
        }
    }
    for (uint32_t k = 0; k < plan->candidate_count; k++) {
        uint32_t to = plan->looked[plan->candidates[k].looked].candidate;

        if (to != POS_NIL) {
            pos_opened_t *o = plan->work->opened.count ? pos_coupon_opens(plan->work, plan->candidates[k].promotion->id) : NULL;

            plan->candidates[to] = plan->candidates[k];
            plan->candidates[to].act_count = 0;
            if (o) {
                o->candidate = to;
            }
        }
    }
    plan->act_count = acts;
    plan->candidate_count = kept;
}

static void
find_phases(pos_plan_t *plan)
{
    uint32_t a = 0;

    for (uint32_t phase = 0; phase <= POS_PHASE_COUNT; phase++) {
        while (a < plan->act_count && plan->acts[a].phase < (pos_phase_t) phase) {
            a++;
        }
        plan->phase_from[phase] = a;
    }
}

/* Each candidate's acts again, in its own order of effects. */
static void
collect_acts(pos_plan_t *plan)
{
    for (uint32_t a = 0; a < plan->act_count; a++) {
        pos_act_t       *act = &plan->acts[a];
        pos_candidate_t *c = &plan->candidates[act->candidate];
        uint32_t         i = c->act_count++;

        for (; i > 0 && plan->acts[c->acts[i - 1]].effect > act->effect; i--) {
            c->acts[i] = c->acts[i - 1];
        }
        c->acts[i] = a;
        plan->deal_count += act->phase == POS_PHASE_DEAL;
        plan->limited |= act->picks != NULL && act->phase != POS_PHASE_DEAL;
    }
}

static pos_status_t
make_gift_room(pos_work_t *w)
{
    pos_item_t *items;

    if (w->gift_room == 0) {
        return POS_OK;
    }
    items = pos_arena_array(w->arena, (size_t) w->cart.item_count + w->gift_room + 1, sizeof(*items));
    if (items == NULL) {
        return POS_NO_MEMORY;
    }
    memcpy(items, w->cart.items, w->cart.item_count * sizeof(*items));
    w->cart.items = items;
    return POS_OK;
}

pos_status_t
pos_plan_make(pos_work_t *w, pos_plan_t *plan)
{
    pos_status_t status;

    *plan = (pos_plan_t) { .work = w };
    plan->usage_last = &plan->usage;
    status = pos_matches_init(&w->cart);
    if (status == POS_OK) {
        status = pos_candidates(plan);
    }
    if (status == POS_OK) {
        status = make_acts(plan);
    }
    if (status == POS_OK) {
        status = make_gift_room(w);
    }
    for (uint32_t a = 0; status == POS_OK && a < plan->act_count; a++) {
        status = match_act(plan, &plan->acts[a]);
    }
    if (status == POS_OK) {
        drop_idle(plan);
        find_phases(plan);
        collect_acts(plan);
        status = pos_plan_touches(plan);
    }
    for (uint32_t i = 0; i < w->cart.item_count; i++) {
        plan->manual |= w->cart.items[i].line->has_discount;
    }
    plan->shipping = w->cart.has_shipping ? w->cart.item_count + w->gift_count : POS_NIL;
    plan->span = w->cart.item_count + w->gift_count + 1;
    return status;
}
