/*
 * Tax rates: which rows hold for a category in this cart. For shipped orders
 * the destination's rows win over the store's region.
 */

#include "engine/total.h"

pos_str_t
pos_item_tax_category(const pos_item_t *item)
{
    return item->line->rare->tax_category.len ? item->line->rare->tax_category : item->product->tax_category;
}

static bool
goes_to(const pos_cart_t *cart, const pos_tax_row_t *row)
{
    return pos_str_eq(row->ship_country, cart->ship_country) &&
        (row->ship_region.len == 0 || pos_str_eq(row->ship_region, cart->ship_region));
}

/* How well a row suits: 0 not, 1 the store's region, 2 the destination's
 * country, 3 its region. */
static unsigned
suits(const pos_cart_t *cart, const pos_tax_row_t *row, bool shipped)
{
    if (row->ship_country.len) {
        return shipped && goes_to(cart, row) ? (row->ship_region.len ? 3 : 2) : 0;
    }
    return cart->store && pos_str_eq(row->region, cart->store->tax_region) ? 1 : 0;
}

/* What is taxed more than so many times is refused: rates may be compounded without end. */
#define MOST_TIMES  10000

static void
fill(pos_taxset_t *set)
{
    unsigned compounds = 0;

    for (uint32_t i = 0; i < set->count; i++) {
        compounds += set->rows[i]->compound;
    }
    set->scale = POS_PPM;
    for (unsigned i = 0; i < compounds && i < 2; i++) {
        set->scale *= POS_PPM;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        const pos_tax_row_t *row = set->rows[i];
        __int128             base = row->compound ? set->scale + set->sum : set->scale;

        set->fractions[i] = base * row->ppm / POS_PPM;
        set->sum += set->fractions[i];
        if (set->sum / set->scale >= MOST_TIMES) {
            set->too_large = true;
            return;
        }
    }
}

/* How well the rows of the category that suit best do so, and how many they are. */
static unsigned
best_fit(const pos_cart_t *cart, const pos_tax_row_t *rows, bool shipped, uint32_t *count)
{
    unsigned best = 1;

    *count = 0;
    for (const pos_tax_row_t *row = rows; row != NULL; row = row->next) {
        unsigned fit = suits(cart, row, shipped);

        *count = fit > best ? 0 : *count;
        best = fit > best ? fit : best;
        *count += fit == best;
    }
    return best;
}

/* What suits less is never written down: there is room for the best alone. */
static pos_status_t
choose_rows(pos_work_t *w, pos_taxset_t *set)
{
    const pos_cart_t    *cart = &w->cart;
    const pos_tax_row_t *rows = pos_map_get(&w->book->taxes_of, set->category);
    bool                 shipped = pos_str_eq(cart->fulfilment, pos_str("ship")) && cart->ship_country.len;
    unsigned             best = best_fit(cart, rows, shipped, &set->count);
    uint32_t             n = 0;

    if (set->count == 0) {
        return POS_OK;
    }
    set->rows = pos_arena_alloc(w->arena, set->count * sizeof(*set->rows));
    set->fractions = pos_arena_array(w->arena, set->count, sizeof(*set->fractions));
    if (set->rows == NULL || set->fractions == NULL) {
        return POS_NO_MEMORY;
    }
    for (const pos_tax_row_t *row = rows; row != NULL; row = row->next) {
        if (suits(cart, row, shipped) == best) {
            set->rows[n++] = row;
        }
    }
    return POS_OK;
}

static pos_taxset_t *
add_set(pos_work_t *w, pos_str_t category)
{
    pos_taxset_t *set = pos_arena_alloc(w->arena, sizeof(*set));

    if (set == NULL) {
        return NULL;
    }
    *set = (pos_taxset_t) { .category = category, .scale = 1 };
    if (!w->cart.tax_exempt && choose_rows(w, set) != POS_OK) {
        return NULL;
    }
    fill(set);
    return set;
}

#define TAXSETS_FEW  8

/* Few are looked through, which is the quicker way. */
static pos_taxset_t *
find_set(const pos_work_t *w, pos_str_t category)
{
    if (w->taxset_count > TAXSETS_FEW) {
        return pos_map_get(&w->taxset_of, category);
    }
    for (pos_taxset_t *set = w->taxsets; set != NULL; set = set->next) {
        if (pos_str_eq(set->category, category)) {
            return set;
        }
    }
    return NULL;
}

static pos_status_t
enter_set(pos_work_t *w, pos_taxset_t *set)
{
    pos_status_t status = POS_OK;

    if (w->taxset_count == TAXSETS_FEW) {
        status = pos_map_init(&w->taxset_of, w->arena, 64);
        for (pos_taxset_t *e = w->taxsets; e != NULL && status == POS_OK; e = e->next) {
            status = pos_map_set(&w->taxset_of, e->category, e, NULL);
        }
    }
    if (w->taxset_count >= TAXSETS_FEW && status == POS_OK) {
        status = pos_map_set(&w->taxset_of, set->category, set, NULL);
    }
    if (status == POS_OK) {
        set->next = w->taxsets;
        w->taxsets = set;
        w->taxset_count++;
    }
    return status;
}

const pos_taxset_t *
pos_taxset(pos_work_t *w, pos_str_t category)
{
    pos_taxset_t *set = find_set(w, category);

    if (set == NULL) {
        set = add_set(w, category);
        if (set != NULL && enter_set(w, set) != POS_OK) {
            return NULL;
        }
    }
    return set;
}

/* ---- one piece on its own: tax_rounding "line" ---- */

/* Fractions as weights that fit 64 bits, in proportion. */
static bool
split_rates(const pos_taxset_t *set, int64_t whole, int64_t *parts, int64_t *weights)
{
    __int128 down = 1;

    while (set->sum / down > INT64_C(1000000000000)) {
        down *= 10;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        weights[i] = (int64_t) (set->fractions[i] / down);
    }
    return pos_split(whole, weights, set->count, parts);
}

bool
pos_tax_piece(const pos_taxset_t *set, int64_t base, bool included, pos_rounding_t rounding,
    int64_t *parts, int64_t *scratch)
{
    int64_t whole;

    if (!included) {
        for (uint32_t i = 0; i < set->count; i++) {
            if (!pos_divide((__int128) base * set->fractions[i], set->scale, rounding, &parts[i])) {
                return false;
            }
        }
        return true;
    }
    if (set->sum == 0) {
        memset(parts, 0, set->count * sizeof(*parts));
        return true;
    }
    if (!pos_divide((__int128) base * set->sum, set->scale + set->sum, rounding, &whole)) {
        return false;
    }
    if (set->count == 1) {
        parts[0] = whole;
        return true;
    }
    return split_rates(set, whole, parts, scratch);
}

/* ---- exact sums of fractions: tax_rounding "order" ---- */

__int128
pos_tax_gcd(__int128 a, __int128 b)
{
    while (b > INT64_MAX || (b && a > INT64_MAX)) {
        __int128 t = a % b;

        a = b;
        b = t;
    }
    if (b) {
        int64_t x = (int64_t) a, y = (int64_t) b;

        while (y) {
            int64_t t = x % y;

            x = y;
            y = t;
        }
        return x;
    }
    return a;
}

void
pos_tax_sum_add(pos_tax_sum_t *sum, __int128 above, __int128 below)
{
    __int128 g = pos_tax_gcd(above, below), common;

    if (g > 1) {
        above /= g;
        below /= g;
    }
    sum->whole += above / below;
    above %= below;
    if (sum->below == 0) {
        sum->above = above;
        sum->below = below;
        return;
    }
    g = pos_tax_gcd(sum->below, below);
    common = sum->below / g;
    if (common > ((__int128) 1 << 62) / below) {
        /* Far beyond any real set of rates: keep 18 digits. */
        common = (__int128) INT64_C(1000000000000000000);
        sum->above = sum->above * (common / 1000000) / (sum->below / 1000000 + 1);
        above = above * (common / 1000000) / (below / 1000000 + 1);
        sum->below = common;
        sum->above += above;
        return;
    }
    sum->above = sum->above * (below / g) + above * common;
    sum->below = common * below;
    sum->whole += sum->above / sum->below;
    sum->above %= sum->below;
}
