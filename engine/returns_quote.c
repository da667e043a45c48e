/*
 * The stored quote of a return: what each line, unit, promotion and tax came to. It is
 * held to its own sums, since every refund goes by them.
 */

#include "engine/returns_data.h"

#define QUANTITY_MAX  (INT64_C(100000) * POS_THOUSANDTHS)

static void
broken(pos_back_t *b, const pos_at_t *at, const char *what)
{
    pos_decode_fault(&b->d, at, "broken_quote", "%s", what);
}

/* No sum of an order is more than any amount may be. */
static void
add_up(pos_back_t *b, const pos_at_t *at, int64_t *sum, int64_t amount)
{
    if (!pos_add(*sum, amount, sum) || *sum > POS_MONEY_MAX) {
        *sum = 0;
        broken(b, at, "is more than any amount may be");
    }
}

uint32_t
pos_back_kind(const pos_back_t *b, pos_str_t code, int64_t ppm)
{
    uint32_t k = 0;

    while (k < b->kind_count && (b->kinds[k].ppm != ppm || !pos_str_eq(b->kinds[k].code, code))) {
        k++;
    }
    return k < b->kind_count ? k : POS_NIL;
}

/* The list `taxes` of a line or of shipping; `b->kinds` has room for all of them. */
static uint32_t
read_taxes(pos_back_t *b, const pos_at_t *up, const pos_json_t *json, pos_back_tax_t **out)
{
    pos_at_t          at = pos_at_key(up, "taxes");
    const pos_json_t *list;
    uint32_t          n = 0;

    *out = NULL;
    if (!pos_decode_array(&b->d, up, json, "taxes", &list)) {
        return 0;
    }
    *out = pos_decode_alloc(&b->d, list->count + 1, sizeof(**out));
    for (const pos_json_t *e = list->first; e && *out; e = e->next) {
        pos_at_t        here = pos_at_index(&at, n);
        pos_back_tax_t *t = &(*out)[n];

        *t = (pos_back_tax_t) { .code = pos_str("") };
        if (!pos_decode_object(&b->d, &here, e, NULL)) {
            break;
        }
        pos_decode_code(&b->d, &here, e, "code", POS_REQUIRED, &t->code);
        pos_decode_percent(&b->d, &here, e, "percent", POS_REQUIRED, POS_MONEY_MAX, &t->ppm);
        pos_decode_int(&b->d, &here, e, "amount", POS_REQUIRED, 0, POS_MONEY_MAX, &t->amount);
        pos_decode_int(&b->d, &here, e, "fees", POS_OPTIONAL, 0, t->amount, &t->fees);
        t->kind = pos_back_kind(b, t->code, t->ppm);
        if (t->kind == POS_NIL) {
            t->kind = b->kind_count;
            b->kinds[b->kind_count++] = *t;
        }
        add_up(b, &here, &b->whole.taxes[t->kind], t->amount);
        n++;
    }
    return n;
}

/* ---- lines ---- */

static void
read_runs(pos_back_t *b, const pos_at_t *up, const pos_json_t *json, pos_back_line_t *line)
{
    pos_at_t          at = pos_at_key(up, "units");
    const pos_json_t *list;
    int64_t           paid = 0, quantity = 0;

    if (!pos_decode_array(&b->d, up, json, "units", &list) || list->count == 0) {
        broken(b, &at, "says what each unit paid");
        return;
    }
    if (line->measured && list->count != 1) {
        broken(b, &at, "what is sold by measure is one unit");
        return;
    }
    line->runs = pos_decode_alloc(&b->d, list->count, sizeof(*line->runs));
    for (const pos_json_t *e = list->first; e && line->runs; e = e->next) {
        pos_at_t        here = pos_at_index(&at, line->run_count);
        pos_back_run_t *r = &line->runs[line->run_count++];

        *r = (pos_back_run_t) { .paid_before = paid, .quantity_before = quantity };
        if (!pos_decode_object(&b->d, &here, e, NULL)) {
            return;
        }
        pos_decode_decimal(&b->d, &here, e, "quantity", POS_REQUIRED, 3, 1, QUANTITY_MAX, &r->quantity);
        pos_decode_int(&b->d, &here, e, "paid", POS_REQUIRED, 0, POS_MONEY_MAX, &r->paid);
        if (!line->measured && (r->quantity < POS_THOUSANDTHS || r->quantity % POS_THOUSANDTHS ||
                r->paid % (r->quantity / POS_THOUSANDTHS))) {
            broken(b, &here, "whole units in one entry paid the same");
        }
        paid += r->paid;
        quantity += r->quantity;
        if (paid > line->total || quantity > line->quantity) {
            break;
        }
    }
    if (paid != line->total || quantity != line->quantity) {
        broken(b, &at, "do not add up to the line");
    }
}

/* `units` of a discount: what each run bore. */
static void
read_told(pos_back_t *b, const pos_at_t *up, const pos_json_t *json, const pos_back_line_t *line,
    pos_back_adjust_t *a)
{
    pos_at_t          at = pos_at_key(up, "units");
    const pos_json_t *list;
    int64_t           sum = 0;
    uint32_t          r = 0;

    if (!pos_decode_array(&b->d, up, json, "units", &list)) {
        return;
    }
    for (const pos_json_t *e = list->first; e && r < line->run_count; e = e->next, r++) {
        if (!pos_json_int64(e, &a->runs[r]) || a->runs[r] < 0 || a->runs[r] > a->amount - sum) {
            broken(b, &at, "are amounts up to the discount's own");
            return;
        }
        sum += a->runs[r];
    }
    if (r != line->run_count || r != list->count || sum != a->amount) {
        broken(b, &at, "do not add up to the discount");
    }
    a->told = true;
}

static uint32_t
promotion_of(const pos_back_t *b, const pos_json_t *adjustment)
{
    const pos_json_t *id = pos_member(adjustment, "promotion");
    uint32_t          k = 0;

    if (id == NULL) {
        return POS_NIL;
    }
    while (k < b->promotion_count && !pos_str_eq(b->promotions[k].id, id->text)) {
        k++;
    }
    return k;
}

/* False: the promotion gave less in all. */
static bool
give(pos_back_t *b, const pos_back_adjust_t *a)
{
    pos_back_promotion_t *p;

    if (a->promotion == POS_NIL) {
        return true;
    }
    p = &b->promotions[a->promotion];
    p->on_lines += a->amount;
    return p->on_lines <= p->amount;
}

static void
read_adjusts(pos_back_t *b, const pos_at_t *up, const pos_json_t *json, pos_back_line_t *line,
    int64_t discount)
{
    pos_at_t          at = pos_at_key(up, "adjustments");
    const pos_json_t *list;
    int64_t           sum = 0;
    uint32_t          told = 0;

    if (!pos_decode_array(&b->d, up, json, "adjustments", &list)) {
        if (discount != 0) {
            broken(b, &at, "do not add up to the discount");
        }
        return;
    }
    line->adjusts = pos_decode_alloc(&b->d, list->count + 1, sizeof(*line->adjusts));
    for (const pos_json_t *e = list->first; e && line->adjusts; e = e->next) {
        pos_at_t           here = pos_at_index(&at, line->adjust_count);
        pos_back_adjust_t *a = &line->adjusts[line->adjust_count];

        *a = (pos_back_adjust_t) { .quantity = -1 };
        a->runs = pos_decode_alloc(&b->d, line->run_count + 1, sizeof(*a->runs));
        if (a->runs == NULL || !pos_decode_object(&b->d, &here, e, NULL)) {
            return;
        }
        pos_decode_int(&b->d, &here, e, "amount", POS_REQUIRED, -POS_MONEY_MAX, 0, &a->amount);
        a->amount = -a->amount;
        pos_decode_decimal(&b->d, &here, e, "quantity", POS_OPTIONAL, 3, 1, QUANTITY_MAX, &a->quantity);
        a->promotion = promotion_of(b, e);
        if (a->promotion != POS_NIL && a->promotion == b->promotion_count) {
            broken(b, &here, "is of a promotion that the quote does not name");
            return;
        }
        if (a->amount > discount - sum || !give(b, a)) {
            broken(b, &here, "is more than was given");
            return;
        }
        line->adjust_count++;
        read_told(b, &here, e, line, a);
        told += a->told;
        sum += a->amount;
    }
    if (sum != discount || (told && told != line->adjust_count)) {
        broken(b, &at, told && told != line->adjust_count
                ? "either all say what the units bore, or none" : "do not add up to the discount");
    }
}

static void
read_line(pos_back_t *b, const pos_at_t *at, const pos_json_t *json, pos_back_line_t *line)
{
    uint32_t before = b->faults->count;
    int64_t  subtotal = 0, discount = 0;

    *line = (pos_back_line_t) { .sku = pos_str(""), .id = pos_str("") };
    if (!pos_decode_object(&b->d, at, json, NULL)) {
        return;
    }
    line->has_id = pos_decode_string(&b->d, at, json, "id", POS_OPTIONAL, POS_TEXT_MAX, &line->id);
    pos_decode_string(&b->d, at, json, "sku", POS_REQUIRED, POS_TEXT_MAX, &line->sku);
    pos_decode_bool(&b->d, at, json, "gift", &line->gift);
    pos_decode_decimal(&b->d, at, json, "quantity", POS_REQUIRED, 3, 1, QUANTITY_MAX, &line->quantity);
    pos_decode_int(&b->d, at, json, "unit_price", POS_REQUIRED, 0, POS_MONEY_MAX, &line->unit_price);
    pos_decode_int(&b->d, at, json, "subtotal", POS_REQUIRED, 0, POS_MONEY_MAX, &subtotal);
    pos_decode_int(&b->d, at, json, "discount", POS_REQUIRED, 0, POS_MONEY_MAX, &discount);
    pos_decode_int(&b->d, at, json, "total", POS_REQUIRED, 0, POS_MONEY_MAX, &line->total);
    pos_decode_int(&b->d, at, json, "fees", POS_OPTIONAL, 0, POS_MONEY_MAX, &line->fees);
    line->measured = pos_member(json, "unit") != NULL || line->quantity % POS_THOUSANDTHS;
    if (b->faults->count != before) {
        return;
    }
    if (subtotal - discount != line->total || (!line->measured &&
            (__int128) line->unit_price * line->quantity != (__int128) subtotal * POS_THOUSANDTHS)) {
        broken(b, at, "its total is its price less its discount");
        return;
    }
    read_runs(b, at, json, line);
    if (b->faults->count == before && !b->d.no_memory) {
        read_adjusts(b, at, json, line, discount);
        line->tax_count = read_taxes(b, at, json, &line->taxes);
    }
    if (b->faults->count == before && !b->d.no_memory) {
        pos_back_attribute(line);
    }
    add_up(b, at, &b->whole.goods, line->total);
    add_up(b, at, &b->whole.fees, line->fees);
}

/* ---- the order ---- */

static void
read_promotions(pos_back_t *b, const pos_at_t *up)
{
    static const char *const policies[] = { "paid", "reprice", NULL };
    pos_at_t                 at = pos_at_key(up, "promotions");
    const pos_json_t        *list;
    int                      policy = 0;

    pos_decode_enum(&b->d, up, b->quote, "returns", POS_OPTIONAL, policies, &policy);
    b->reprice = policy == 1;
    if (!pos_decode_array(&b->d, up, b->quote, "promotions", &list)) {
        return;
    }
    b->promotions = pos_decode_alloc(&b->d, list->count + 1, sizeof(*b->promotions));
    for (const pos_json_t *e = list->first; e && b->promotions; e = e->next) {
        pos_at_t              here = pos_at_index(&at, b->promotion_count);
        pos_back_promotion_t *p = &b->promotions[b->promotion_count++];
        int                   own = policy;

        *p = (pos_back_promotion_t) { .id = pos_str("") };
        if (!pos_decode_object(&b->d, &here, e, NULL)) {
            return;
        }
        pos_decode_string(&b->d, &here, e, "id", POS_REQUIRED, POS_TEXT_MAX, &p->id);
        pos_decode_int(&b->d, &here, e, "amount", POS_REQUIRED, 0, POS_MONEY_MAX, &p->amount);
        pos_decode_enum(&b->d, &here, e, "returns", POS_OPTIONAL, policies, &own);
        p->reprice = own == 1;
        b->reprice |= p->reprice;
    }
}

static void
read_shipping(pos_back_t *b, const pos_at_t *up)
{
    const pos_json_t *json = pos_member(b->quote, "shipping");
    pos_at_t          at = pos_at_key(up, "shipping");

    b->has_shipping = json != NULL;
    if (json == NULL || !pos_decode_object(&b->d, &at, json, NULL)) {
        return;
    }
    pos_decode_int(&b->d, &at, json, "total", POS_REQUIRED, 0, POS_MONEY_MAX, &b->whole.shipping);
    b->shipping_tax_count = read_taxes(b, &at, json, &b->shipping_taxes);
}

/* How many entries `taxes` have in all: room for the order's kinds. */
static uint32_t
taxes_in(const pos_json_t *quote, const pos_json_t *lines)
{
    const pos_json_t *taxes = pos_member(pos_member(quote, "shipping"), "taxes");
    uint32_t          n = taxes ? taxes->count : 0;

    for (const pos_json_t *e = lines->first; e; e = e->next) {
        taxes = pos_member(e, "taxes");
        n += taxes ? taxes->count : 0;
    }
    return n;
}

static bool
open_sums(pos_back_t *b, pos_back_sums_t *sums, uint32_t kinds)
{
    *sums = (pos_back_sums_t) { .taxes = pos_decode_alloc(&b->d, kinds + 1, sizeof(*sums->taxes)) };
    return sums->taxes != NULL;
}

/* The order's own figures are its parts', or one of those was changed. */
static void
check_sums(pos_back_t *b, const pos_at_t *up)
{
    static const char *const names[] = { "fees", "shipping_total", "tax", "total" };
    __int128                 is[4] = { b->whole.fees, b->whole.shipping, 0, 0 }, rest = 0;
    int64_t                  said = 0, shipping = 0;
    pos_at_t                 promotions_at = pos_at_key(up, "promotions"), shipping_at = pos_at_key(up, "shipping");

    if (b->has_shipping) {
        pos_decode_int(&b->d, &shipping_at, pos_member(b->quote, "shipping"), "discount", POS_OPTIONAL, 0, POS_MONEY_MAX, &shipping);
    }
    for (uint32_t k = 0; k < b->promotion_count; k++) {
        rest += b->promotions[k].amount - b->promotions[k].on_lines;
    }
    if (rest != shipping) {
        broken(b, &promotions_at, "gave what neither the lines nor shipping bore, or less");
    }
    for (uint32_t k = 0; k < b->kind_count; k++) {
        is[2] += b->whole.taxes[k];
    }
    is[3] = (__int128) b->whole.goods + is[0] + is[1] + (b->tax_included ? 0 : is[2]);
    for (int i = 0; i < 4; i++) {
        pos_at_t at = pos_at_key(up, names[i]);

        if (pos_decode_int(&b->d, up, b->quote, names[i], POS_REQUIRED, 0, POS_MONEY_MAX, &said) && said != is[i]) {
            broken(b, &at, "is not what its parts add up to");
        }
    }
}

void
pos_back_read_quote(pos_back_t *b)
{
    pos_at_t          at = pos_at_key(&b->root, "quote"), lines_at = pos_at_key(&at, "lines");
    const pos_json_t *list;
    uint32_t          room, before = b->faults->count;

    b->quote = pos_member(b->document, "quote");
    if (b->quote == NULL) {
        pos_decode_fault(&b->d, &at, "required", "is required");
        return;
    }
    if (!pos_decode_object(&b->d, &at, b->quote, NULL)) {
        return;
    }
    if (!pos_decode_array(&b->d, &at, b->quote, "lines", &list)) {
        broken(b, &lines_at, "is required");
        return;
    }
    room = taxes_in(b->quote, list);
    b->kinds = pos_decode_alloc(&b->d, room + 1, sizeof(*b->kinds));
    b->lines = pos_decode_alloc(&b->d, list->count + 1, sizeof(*b->lines));
    if (!open_sums(b, &b->whole, room) || !open_sums(b, &b->before, room) ||
        !open_sums(b, &b->now, room) || b->kinds == NULL || b->lines == NULL) {
        return;
    }
    pos_decode_string(&b->d, &at, b->quote, "currency", POS_REQUIRED, 3, &b->currency);
    pos_decode_string(&b->d, &at, b->quote, "revision", POS_REQUIRED, POS_TEXT_MAX, &b->revision);
    pos_decode_bool(&b->d, &at, b->quote, "tax_included", &b->tax_included);
    pos_decode_int(&b->d, &at, b->quote, "points", POS_OPTIONAL, 0, POS_MONEY_MAX, &b->points);
    read_promotions(b, &at);
    for (const pos_json_t *e = list->first; e && !b->d.no_memory; e = e->next) {
        pos_at_t here = pos_at_index(&lines_at, b->line_count);

        read_line(b, &here, e, &b->lines[b->line_count++]);
    }
    read_shipping(b, &at);
    if (b->faults->count == before && !b->d.no_memory) {
        check_sums(b, &at);
    }
}
