/*
 * Each discount on a class is dealt to its units evenly, the odd minor units
 * going round from unit to unit (largest remainder over what each still costs
 * comes to the same). A line holds a run of its item's units.
 */

#include "engine/lines.h"

static int64_t
overlap(int64_t a, int64_t b, int64_t c, int64_t d)
{
    int64_t from = a > c ? a : c, until = b < d ? b : d;

    return until > from ? until - from : 0;
}

int64_t
pos_units_share(int64_t amount, int64_t units, int64_t shift, int64_t from, int64_t until)
{
    int64_t end = shift + amount % units, share = amount / units * (until - from);

    share += overlap(from, until, shift, end < units ? end : units);
    return share + (end > units ? overlap(from, until, 0, end - units) : 0);
}

int64_t
pos_adjust_share(const pos_state_t *s, const pos_adjust_t *adjust, int64_t from, int64_t until)
{
    return pos_units_share(adjust->amount, s->segs[adjust->seg].units, adjust->shift, from, until);
}

int64_t
pos_units_paid(const pos_class_units_t *c, int64_t from, int64_t until)
{
    int64_t off = c->original - c->left;

    return (c->original / c->units - off / c->units) * (until - from) -
        overlap(from, until, 0, off % c->units);
}

uint32_t
pos_line_runs_most(const pos_state_t *s, const pos_line_result_t *line)
{
    uint32_t n = 0;

    for (uint32_t seg = s->first[line->item]; seg != POS_NIL; seg = s->segs[seg].next) {
        n += 2;    /* those that bear an odd minor unit, and the others */
    }
    return n;
}

uint32_t
pos_line_runs(const pos_state_t *s, const pos_line_result_t *line, pos_unit_run_t *out)
{
    int64_t  start = 0;
    uint32_t n = 0;

    for (uint32_t seg = s->first[line->item]; seg != POS_NIL; seg = s->segs[seg].next) {
        const pos_class_units_t *c = &s->segs[seg];
        int64_t off = c->original - c->left, odd = off % c->units;
        int64_t most = c->original / c->units - off / c->units;
        int64_t from = line->from > start ? line->from - start : 0;
        int64_t until = line->until - start < c->units ? line->until - start : c->units;

        while (from < until) {
            int64_t end = from < odd && odd < until ? odd : until;
            int64_t paid = most - (from < odd);

            if (n && out[n - 1].paid == paid) {
                out[n - 1].until = start + end;
            } else {
                out[n++] = (pos_unit_run_t) { start + from, start + end, paid };
            }
            from = end;
        }
        start += c->units;
    }
    return n;
}

static int64_t
line_total(const pos_state_t *s, const pos_line_result_t *line)
{
    int64_t at = 0, total = 0;

    for (uint32_t seg = s->first[line->item]; seg != POS_NIL; seg = s->segs[seg].next) {
        const pos_class_units_t *c = &s->segs[seg];
        int64_t from = line->from > at ? line->from - at : 0;
        int64_t until = line->until - at < c->units ? line->until - at : c->units;

        if (until > from) {
            total += pos_units_paid(c, from, until);
        }
        at += c->units;
    }
    return total;
}

static pos_status_t
line_fees(const pos_work_t *w, const pos_item_t *item, pos_line_result_t *line)
{
    for (uint32_t f = 0; f < item->product->fee_count; f++) {
        int64_t amount;

        if (!pos_fee_amount(w, &item->product->fees[f], line->quantity, &amount)) {
            return POS_LIMIT;
        }
        line->fees += amount;
    }
    return POS_OK;
}

/* The item's taxes over its lines, by what each paid for goods and for fees. */
static pos_status_t
split_taxes(const pos_work_t *w, const pos_tax_list_t *taxes, pos_line_result_t *lines,
    const uint32_t *which, uint32_t count)
{
    int64_t *weights = pos_arena_alloc(w->arena, 4 * (size_t) count * sizeof(int64_t));
    int64_t *fees, *parts, *fee_parts;

    if (weights == NULL) {
        return POS_NO_MEMORY;
    }
    fees = weights + count;
    parts = fees + count;
    fee_parts = parts + count;
    for (uint32_t k = 0; k < count; k++) {
        weights[k] = lines[which[k]].total;
        fees[k] = lines[which[k]].fees;
        lines[which[k]].taxes = pos_arena_array(w->arena, 2 * (size_t) taxes->count, sizeof(int64_t));
        if (lines[which[k]].taxes == NULL) {
            return POS_NO_MEMORY;
        }
        lines[which[k]].fee_taxes = lines[which[k]].taxes + taxes->count;
    }
    for (uint32_t t = 0; t < taxes->count; t++) {
        if (!pos_split(taxes->list[t].amount - taxes->list[t].fees, weights, count, parts) ||
            !pos_split(taxes->list[t].fees, fees, count, fee_parts)) {
            return POS_LIMIT;
        }
        for (uint32_t k = 0; k < count; k++) {
            lines[which[k]].taxes[t] = parts[k] + fee_parts[k];
            lines[which[k]].fee_taxes[t] = fee_parts[k];
        }
    }
    return POS_OK;
}

/* `first` is room for a tax of each line and of its fees: nearly all have one. */
static pos_status_t
whole_item(const pos_work_t *w, const pos_totals_t *totals, uint32_t item, int64_t **first,
    pos_line_result_t *line)
{
    const pos_item_t     *it = &w->cart.items[item];
    const pos_tax_list_t *taxes = &totals->taxes[item];

    *line = (pos_line_result_t) { .item = item, .until = it->units, .quantity = it->quantity,
        .subtotal = totals->original[item], .total = totals->left[item], .fees = totals->fees[item] };
    if (taxes->count == 0) {
        return POS_OK;
    }
    if (taxes->count == 1) {
        line->taxes = *first;
        *first += 2;
    } else {
        line->taxes = pos_arena_alloc(w->arena, 2 * (size_t) taxes->count * sizeof(int64_t));
    }
    if (line->taxes == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t t = 0; t < taxes->count; t++) {
        line->taxes[t] = taxes->list[t].amount;
    }
    if (line->fees == 0) {
        return POS_OK;
    }
    line->fee_taxes = line->taxes + taxes->count;
    for (uint32_t t = 0; t < taxes->count; t++) {
        line->fee_taxes[t] = taxes->list[t].fees;
    }
    return POS_OK;
}

static pos_status_t
split_item(const pos_state_t *s, const pos_totals_t *totals, uint32_t item, pos_line_result_t *lines)
{
    const pos_work_t *w = s->plan->work;
    const pos_item_t *it = &w->cart.items[item];
    const uint32_t   *which = w->item_lines + w->item_first[item];
    uint32_t          count = w->item_first[item + 1] - w->item_first[item];
    int64_t           at = 0;
    pos_status_t      status = POS_OK;

    for (uint32_t k = 0; k < count && status == POS_OK; k++) {
        pos_line_result_t *line = &lines[which[k]];
        int64_t            units = w->cart.lines[which[k]].quantity / POS_THOUSANDTHS;

        *line = (pos_line_result_t) { .item = item, .from = at, .until = at + units,
            .quantity = units * POS_THOUSANDTHS, .subtotal = units * it->unit_price };
        at += units;
        line->total = line_total(s, line);
        status = line_fees(w, it, line);
    }
    if (status == POS_OK && totals->taxes[item].count) {
        status = split_taxes(w, &totals->taxes[item], lines, which, count);
    }
    return status;
}

pos_status_t
pos_lines_split(const pos_state_t *s, const pos_totals_t *totals, pos_line_result_t **out,
    uint32_t *count)
{
    const pos_work_t  *w = s->plan->work;
    pos_line_result_t *lines;
    uint32_t           n = w->cart.line_count;
    size_t             room = (size_t) n + w->gift_count + 1;
    int64_t           *first = pos_arena_alloc(w->arena, 2 * room * sizeof(*first));
    pos_status_t       status = POS_OK;

    lines = pos_arena_alloc(w->arena, room * sizeof(*lines));
    if (lines == NULL || first == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < w->cart.item_count && status == POS_OK; i++) {
        if (w->item_first[i + 1] - w->item_first[i] == 1) {
            status = whole_item(w, totals, i, &first, &lines[w->item_lines[w->item_first[i]]]);
        } else {
            status = split_item(s, totals, i, lines);
        }
    }
    for (uint32_t g = 0; g < w->gift_count && status == POS_OK; g++) {
        if (s->gifts[g]) {
            status = whole_item(w, totals, w->cart.item_count + g, &first, &lines[n++]);
        }
    }
    *out = lines;
    *count = n;
    return status;
}

/* ---- adjustments by the units that they touch ---- */

static void
index_classes(const pos_state_t *s, pos_lines_index_t *x)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->plan->span; i++) {
        int64_t start = 0;

        x->class_from[i] = n;
        for (uint32_t seg = s->first[i]; seg != POS_NIL; seg = s->segs[seg].next) {
            x->starts[seg] = start;
            x->classes[n++] = seg;
            start += s->segs[seg].units;
        }
    }
    x->class_from[s->plan->span] = n;
}

static void
index_adjusts(const pos_state_t *s, pos_lines_index_t *x)
{
    for (uint32_t i = 0; i < s->plan->span; i++) {
        uint32_t rank = 0;

        for (uint32_t at = s->adjust_first[i]; at != POS_NIL; at = s->adjusts[at].next) {
            x->rank[at] = rank++;
            x->adjust_from[s->adjusts[at].seg + 1]++;
        }
    }
    for (uint32_t seg = 0; seg < s->seg_count; seg++) {
        x->adjust_from[seg + 1] += x->adjust_from[seg];
    }
    /* Filled from the front, each class's end moves up to where the next one begins. */
    for (uint32_t seg = s->seg_count; seg > 0; seg--) {
        x->adjust_from[seg] = x->adjust_from[seg - 1];
    }
    for (uint32_t i = 0; i < s->plan->span; i++) {
        for (uint32_t at = s->adjust_first[i]; at != POS_NIL; at = s->adjusts[at].next) {
            x->adjusts[x->adjust_from[s->adjusts[at].seg + 1]++] = at;
        }
    }
}

static bool
has_classes(const pos_state_t *s)
{
    for (uint32_t i = 0; i < s->plan->span; i++) {
        if (s->first[i] != POS_NIL && s->segs[s->first[i]].next != POS_NIL) {
            return true;
        }
    }
    return false;
}

pos_status_t
pos_lines_index(const pos_state_t *s, pos_lines_index_t *out)
{
    pos_arena_t *arena = s->plan->work->arena;
    size_t       adjusts = (size_t) s->adjust_count + 1, classes = (size_t) s->seg_count + 2;

    *out = (pos_lines_index_t) { 0 };
    out->room = pos_arena_alloc(arena, adjusts * sizeof(uint32_t));
    if (out->room == NULL) {
        return POS_NO_MEMORY;
    }
    if (!has_classes(s)) {
        return POS_OK;
    }
    out->starts = pos_arena_alloc(arena, classes * sizeof(int64_t));
    out->classes = pos_arena_alloc(arena, classes * sizeof(uint32_t));
    out->class_from = pos_arena_alloc(arena, ((size_t) s->plan->span + 1) * sizeof(uint32_t));
    out->adjust_from = pos_arena_array(arena, classes, sizeof(uint32_t));
    out->adjusts = pos_arena_alloc(arena, 2 * adjusts * sizeof(uint32_t));
    if (!out->starts || !out->classes || !out->class_from || !out->adjust_from || !out->adjusts) {
        return POS_NO_MEMORY;
    }
    out->rank = out->adjusts + adjusts;
    index_classes(s, out);
    index_adjusts(s, out);
    return POS_OK;
}

/* The first of the item's classes that ends behind the unit. */
static uint32_t
class_at(const pos_lines_index_t *x, const pos_state_t *s, uint32_t item, int64_t unit)
{
    uint32_t low = x->class_from[item], high = x->class_from[item + 1];

    while (low < high) {
        uint32_t middle = low + (high - low) / 2, seg = x->classes[middle];

        if (x->starts[seg] + s->segs[seg].units <= unit) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void
sift(uint32_t *list, const uint32_t *rank, uint32_t at, uint32_t n)
{
    uint32_t moved = list[at];

    for (uint32_t child = 2 * at + 1; child < n; at = child, child = 2 * at + 1) {
        child += child + 1 < n && rank[list[child + 1]] > rank[list[child]];
        if (rank[list[child]] <= rank[moved]) {
            break;
        }
        list[at] = list[child];
    }
    list[at] = moved;
}

static void
sort_by_rank(uint32_t *list, const uint32_t *rank, uint32_t n)
{
    for (uint32_t at = n / 2; at > 0; at--) {
        sift(list, rank, at - 1, n);
    }
    for (; n > 1; n--) {
        uint32_t last = list[n - 1];

        list[n - 1] = list[0];
        list[0] = last;
        sift(list, rank, 0, n - 1);
    }
}

const uint32_t *
pos_line_adjusts(const pos_lines_index_t *x, const pos_state_t *s, const pos_line_result_t *line,
    uint32_t *count)
{
    uint32_t n = 0, from, first;

    *count = 0;
    if (x->starts == NULL) {
        for (uint32_t at = s->adjust_first[line->item]; at != POS_NIL; at = s->adjusts[at].next) {
            x->room[n++] = at;
        }
        *count = n;
        return x->room;
    }
    first = from = class_at(x, s, line->item, line->from);
    for (; from < x->class_from[line->item + 1] && x->starts[x->classes[from]] < line->until; from++) {
        const uint32_t *of = &x->adjust_from[x->classes[from]];

        memcpy(x->room + n, x->adjusts + of[0], (of[1] - of[0]) * sizeof(uint32_t));
        n += of[1] - of[0];
    }
    if (from - first > 1) {
        sort_by_rank(x->room, x->rank, n);
    }
    *count = n;
    return x->room;
}
