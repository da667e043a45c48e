/*
 * Tax on what is left, and the totals. Each item's goods, each of its fees and
 * shipping are a *piece*: an amount with a tax category. By line, a piece is
 * rounded on its own; by order, each rate is summed exactly over all pieces,
 * rounded once and split back.
 */

#include "engine/total.h"

typedef struct {
    uint32_t            item;
    bool                fee;
    const pos_taxset_t *set;
    int64_t             base;
} piece_t;

typedef struct {
    pos_state_t  *s;
    pos_work_t   *w;
    pos_totals_t *out;
    piece_t      *pieces;
    uint32_t      piece_count;
    uint32_t      rate_most;      /* of any set */
    size_t        entry_count;    /* the rates of all pieces */
    bool          included;
    pos_tax_amount_t *first;      /* by item: room for its first tax */
} taxing_t;

static bool
note_tax(taxing_t *t, const piece_t *piece, const pos_tax_row_t *row, int64_t amount)
{
    pos_tax_list_t *list = &t->out->taxes[piece->item];

    for (uint32_t i = 0; i < list->count; i++) {
        if (list->list[i].row->rate == row->rate) {
            list->list[i].amount += amount;
            list->list[i].fees += piece->fee ? amount : 0;
            list->sum += amount;
            return true;
        }
    }
    /* One nearly always; then 4, 8, 16 and so on. */
    if (list->count == 0) {
        list->list = &t->first[piece->item];
    } else if (list->count == 1 || (list->count >= 4 && (list->count & (list->count - 1)) == 0)) {
        pos_tax_amount_t *p = pos_arena_alloc(t->w->arena,
            (list->count == 1 ? 4 : 2 * (size_t) list->count) * sizeof(*p));

        if (p == NULL) {
            return false;
        }
        memcpy(p, list->list, list->count * sizeof(*p));
        list->list = p;
    }
    list->list[list->count++] = (pos_tax_amount_t) { row, amount, piece->fee ? amount : 0 };
    list->sum += amount;
    return true;
}

static pos_status_t
add_piece(taxing_t *t, uint32_t item, bool fee, pos_str_t category, int64_t base)
{
    const pos_taxset_t *set;

    if (base == 0) {
        return POS_OK;    /* nothing paid, no tax to name */
    }
    set = pos_taxset(t->w, category);
    if (set == NULL || set->too_large) {
        return set ? POS_LIMIT : POS_NO_MEMORY;
    }
    t->pieces[t->piece_count++] = (piece_t) { item, fee, set, base };
    t->entry_count += set->count;
    t->rate_most = set->count > t->rate_most ? set->count : t->rate_most;
    return POS_OK;
}

static pos_status_t
add_item(taxing_t *t, uint32_t i)
{
    const pos_item_t *item = &t->w->cart.items[i];
    int64_t           untaxed = 0;
    pos_status_t      status;

    for (uint32_t seg = t->s->first[i]; seg != POS_NIL; seg = t->s->segs[seg].next) {
        t->out->left[i] += t->s->segs[seg].left;
        t->out->original[i] += t->s->segs[seg].original;
        untaxed += t->s->segs[seg].untaxed;
    }
    t->out->subtotal += t->out->original[i];
    t->out->discount += t->out->original[i] - t->out->left[i];
    t->out->total += t->out->left[i];
    status = add_piece(t, i, false, pos_item_tax_category(item), t->out->left[i] + (t->included ? 0 : untaxed));
    for (uint32_t f = 0; f < item->product->fee_count && status == POS_OK; f++) {
        const pos_fee_t *fee = &item->product->fees[f];
        int64_t          amount;

        if (!pos_fee_amount(t->w, fee, item->quantity, &amount) ||
            !pos_add(t->out->fees_total, amount, &t->out->fees_total)) {
            return POS_LIMIT;
        }
        t->out->fees[i] += amount;
        status = add_piece(t, i, true,
            fee->tax_category.len ? fee->tax_category : item->product->tax_category, amount);
    }
    return status;
}

static pos_status_t
gather(taxing_t *t)
{
    const pos_plan_t *plan = t->s->plan;
    uint32_t          items = t->w->cart.item_count + t->w->gift_count, room = items + 1;
    pos_status_t      status = POS_OK;

    for (uint32_t i = 0; i < items; i++) {
        room += t->w->cart.items[i].product->fee_count;
    }
    t->pieces = pos_arena_alloc(t->w->arena, room * sizeof(*t->pieces));
    if (t->pieces == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < items && status == POS_OK; i++) {
        if (t->s->first[i] != POS_NIL) {
            status = add_item(t, i);
        }
    }
    if (status == POS_OK && plan->shipping != POS_NIL) {
        const pos_class_units_t *seg = &t->s->segs[t->s->first[plan->shipping]];

        t->out->shipping_total = seg->left;
        t->out->discount += seg->original - seg->left;
        status = add_piece(t, plan->shipping, false, t->w->book->shipping_tax_category,
            seg->left + (t->included ? 0 : seg->untaxed));
    }
    return status;
}

static pos_status_t
tax_by_line(taxing_t *t)
{
    int64_t *parts = pos_arena_alloc(t->w->arena, 2 * ((size_t) t->rate_most + 1) * sizeof(int64_t));

    if (parts == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t k = 0; k < t->piece_count; k++) {
        const piece_t *p = &t->pieces[k];

        if (p->set->count == 0) {
            continue;
        }
        if (!pos_tax_piece(p->set, p->base, t->included, t->w->book->rounding, parts,
                parts + t->rate_most + 1)) {
            return POS_LIMIT;
        }
        for (uint32_t r = 0; r < p->set->count; r++) {
            if (!note_tax(t, p, p->set->rows[r], parts[r])) {
                return POS_NO_MEMORY;
            }
        }
    }
    return POS_OK;
}

/* ---- by order ---- */

/* One rate of one piece. */
typedef struct {
    uint32_t piece, row;
} entry_t;

/* All pieces' rates, rate by rate in the order in which they come up. */
typedef struct {
    uint32_t  rate_count;
    uint32_t *until;       /* by rate: where its entries end; rate_count */
    entry_t  *entries;
    int64_t  *weights, *parts;
} by_rate_t;

/* The rates are those of the pieces: other sets may have been asked for, a floor's for one, of
 * which nothing is taxed. */
static pos_status_t
sort_by_rate(const taxing_t *t, by_rate_t *b)
{
    size_t    n = t->entry_count;
    uint32_t *place = pos_arena_array(t->w->arena, (size_t) t->w->book->rate_count + 1, sizeof(*place));

    b->until = pos_arena_array(t->w->arena, (size_t) t->w->book->rate_count + 1, sizeof(*b->until));
    b->entries = pos_arena_alloc(t->w->arena, (n + 1) * sizeof(*b->entries));
    b->weights = pos_arena_alloc(t->w->arena, 2 * (n + 1) * sizeof(*b->weights));
    if (!place || !b->until || !b->entries || !b->weights) {
        return POS_NO_MEMORY;
    }
    b->parts = b->weights + n + 1;
    for (uint32_t k = 0; k < t->piece_count; k++) {
        for (uint32_t r = 0; r < t->pieces[k].set->count; r++) {
            uint32_t *at = &place[t->pieces[k].set->rows[r]->rate];

            *at = *at ? *at : ++b->rate_count;
            b->until[*at]++;    /* counted one behind, then moved there */
        }
    }
    for (uint32_t at = 0; at < b->rate_count; at++) {
        b->until[at + 1] += b->until[at];
    }
    for (uint32_t k = 0; k < t->piece_count; k++) {
        for (uint32_t r = 0; r < t->pieces[k].set->count; r++) {
            b->entries[b->until[place[t->pieces[k].set->rows[r]->rate] - 1]++] = (entry_t) { k, r };
        }
    }
    return POS_OK;
}

/* Below what a piece's tax at a rate stands as a fraction. */
static __int128
below_of(const taxing_t *t, const piece_t *p)
{
    return p->set->scale + (t->included ? p->set->sum : 0);
}

/* What a piece is taxed at the entry's rate, as a fraction in lowest terms. */
static void
share_of(const taxing_t *t, const entry_t *e, __int128 *above, __int128 *below)
{
    const piece_t *p = &t->pieces[e->piece];
    __int128       g;

    *above = p->set->fractions[e->row];
    *below = below_of(t, p);
    g = pos_tax_gcd(*above, *below);
    *above /= g;
    *below /= g;
}

static bool
same_share(const taxing_t *t, const entry_t *a, const entry_t *b)
{
    const piece_t *p = &t->pieces[a->piece], *q = &t->pieces[b->piece];

    return p->set == q->set || (p->set->fractions[a->row] == q->set->fractions[b->row] && below_of(t, p) == below_of(t, q));
}

/* A number of which every entry's fraction of a unit is a whole part; 0: none of any use. */
static __int128
common_below(const taxing_t *t, const by_rate_t *b, uint32_t from, uint32_t until)
{
    __int128 common = 1;

    for (uint32_t e = from; e < until; e++) {
        __int128 above, below;

        if (e > from && same_share(t, &b->entries[e - 1], &b->entries[e])) {
            continue;
        }
        share_of(t, &b->entries[e], &above, &below);
        if (__builtin_mul_overflow(common / pos_tax_gcd(common, below), below, &common)) {
            return 0;
        }
    }
    return common;
}

/* Each entry's unrounded tax as a weight. Exactly in proportion, since a cent may hang on it;
 * where that does not fit 64 bits, to a thousandth of a minor unit. */
static void
weigh(const taxing_t *t, by_rate_t *b, uint32_t from, uint32_t until)
{
    __int128 common, above = 1, below = 1, sum = 0;
    uint32_t alike = from + 1;

    while (alike < until && same_share(t, &b->entries[from], &b->entries[alike])) {
        alike++;
    }
    common = alike == until ? 1 : common_below(t, b, from, until);
    for (uint32_t e = from; e < until && common; e++) {
        __int128 weight;

        if (alike < until && (e == from || !same_share(t, &b->entries[e - 1], &b->entries[e]))) {
            share_of(t, &b->entries[e], &above, &below);
        }
        if (__builtin_mul_overflow(common / below, above * t->pieces[b->entries[e].piece].base, &weight) ||
            weight > INT64_MAX - sum) {
            common = 0;
            break;
        }
        b->weights[e] = (int64_t) weight;
        sum += weight;
    }
    for (uint32_t e = from; e < until && common == 0; e++) {
        const piece_t *p = &t->pieces[b->entries[e].piece];

        b->weights[e] = (int64_t) ((__int128) p->base * p->set->fractions[b->entries[e].row] / (below_of(t, p) / 1000));
    }
}

/* The unrounded tax of the entries from..until - 1 in all. Pieces with one denominator are summed
 * before fractions are. */
static void
add_up(const taxing_t *t, const by_rate_t *b, uint32_t from, uint32_t until, pos_tax_sum_t *sum)
{
    __int128 alike = 0, below = 0;

    for (uint32_t e = from; e < until; e++) {
        const piece_t *p = &t->pieces[b->entries[e].piece];
        __int128       above = (__int128) p->base * p->set->fractions[b->entries[e].row], both;

        if (below == below_of(t, p) && !__builtin_add_overflow(alike, above, &both)) {
            alike = both;
            continue;
        }
        if (below) {
            pos_tax_sum_add(sum, alike, below);
        }
        alike = above;
        below = below_of(t, p);
    }
    pos_tax_sum_add(sum, alike, below);
}

static pos_status_t
tax_one_rate(taxing_t *t, by_rate_t *b, uint32_t from, uint32_t until)
{
    pos_tax_sum_t sum = { 0, 0, 0 };
    int64_t       whole;

    add_up(t, b, from, until, &sum);
    weigh(t, b, from, until);
    if (!pos_divide(sum.whole * sum.below + sum.above, sum.below, t->w->book->rounding, &whole) ||
        !pos_split(whole, b->weights + from, until - from, b->parts + from)) {
        return POS_LIMIT;
    }
    for (uint32_t e = from; e < until; e++) {
        const piece_t *p = &t->pieces[b->entries[e].piece];

        if (!note_tax(t, p, p->set->rows[b->entries[e].row], b->parts[e])) {
            return POS_NO_MEMORY;
        }
    }
    return POS_OK;
}

static pos_status_t
tax_by_order(taxing_t *t)
{
    by_rate_t    b = { 0 };
    pos_status_t status = sort_by_rate(t, &b);
    uint32_t     from = 0;

    for (uint32_t at = 0; at < b.rate_count && status == POS_OK; at++) {
        status = tax_one_rate(t, &b, from, b.until[at]);
        from = b.until[at];
    }
    return status;
}

static int64_t
cash_rounded(int64_t total, int64_t step, pos_rounding_t rounding)
{
    int64_t n;

    return step > 1 && pos_divide(total, step, rounding, &n) ? n * step : total;
}

pos_status_t
pos_totals(pos_state_t *s, pos_totals_t *out)
{
    pos_work_t  *w = s->plan->work;
    taxing_t     t = { .s = s, .w = w, .out = out };
    uint32_t     span = s->plan->span;
    pos_status_t status;

    *out = (pos_totals_t) { 0 };
    out->left = pos_arena_array(w->arena, 3 * (size_t) span, sizeof(int64_t));
    out->taxes = pos_arena_array(w->arena, span, sizeof(*out->taxes));
    t.first = pos_arena_alloc(w->arena, span * sizeof(*t.first));
    if (out->left == NULL || out->taxes == NULL || t.first == NULL) {
        return POS_NO_MEMORY;
    }
    out->original = out->left + span;
    out->fees = out->original + span;
    t.included = w->tax_included;
    status = gather(&t);
    if (status == POS_OK) {
        status = w->book->tax_by_order ? tax_by_order(&t) : tax_by_line(&t);
    }
    if (status != POS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < span; i++) {
        out->tax += out->taxes[i].sum;
    }
    out->total += out->fees_total + out->shipping_total + (t.included ? 0 : out->tax);
    out->cash_total = cash_rounded(out->total, w->book->cash_rounding, w->book->rounding);
    return out->total > POS_MONEY_MAX ? POS_LIMIT : POS_OK;
}
