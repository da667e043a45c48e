/*
 * What is kept, priced again as the order was: its own revision, time, inputs and
 * coupons. A gift that is kept and not earned any more is bought then, at the price of
 * that time. Promotions whose policy is `paid` keep the share that they gave to what is
 * kept, whatever the new price says.
 */

#include "engine/returns_data.h"

typedef struct {
    pos_back_t       *b;
    pos_inputs_t      inputs;
    const pos_json_t *quote;        /* of what is kept                      */
    pos_back_sums_t   sums;
    int64_t           other_tax;    /* of kinds that the order did not have */
    int64_t          *on_goods;     /* by promotion: on lines but gifts     */
    int64_t          *on_lines, *in_all;
} again_t;

/* ---- the request ---- */

/* By hand, an amount was taken off the whole line: what is kept has its share. */
static int64_t
manual_kept(const pos_back_line_t *line)
{
    int64_t kept = 0;

    for (uint32_t i = 0; i < line->adjust_count; i++) {
        const pos_back_adjust_t *a = &line->adjusts[i];

        for (uint32_t r = 0; a->promotion == POS_NIL && r < line->run_count; r++) {
            const pos_back_run_t *run = &line->runs[r];

            kept += a->runs[r] - pos_back_discount(line, i, r, 0, run->before + run->back);
        }
    }
    return kept;
}

static void
write_discount(pos_writer_t *w, const pos_json_t *json, const pos_back_line_t *line)
{
    pos_write_object_begin(w);
    for (const pos_json_t *e = json->first; e; e = e->next) {
        pos_write_key_str(w, e->key);
        if (pos_str_eq(e->key, pos_str("amount"))) {
            pos_write_int(w, manual_kept(line));
        } else {
            pos_write_json(w, e);
        }
    }
    pos_write_object_end(w);
}

static void
write_line(pos_writer_t *w, const pos_json_t *json, const pos_back_line_t *line)
{
    pos_write_object_begin(w);
    for (const pos_json_t *e = json->first; e; e = e->next) {
        pos_write_key_str(w, e->key);
        if (pos_str_eq(e->key, pos_str("quantity"))) {
            pos_write_decimal(w, pos_back_kept(line), 3);
        } else if (pos_str_eq(e->key, pos_str("discount")) && e->type == POS_JSON_OBJECT) {
            write_discount(w, e, line);
        } else {
            pos_write_json(w, e);
        }
    }
    pos_write_object_end(w);
}

static void
write_lines(const again_t *a, pos_writer_t *w, const pos_json_t *lines)
{
    const pos_back_t *b = a->b;
    uint32_t          i = 0;

    pos_write_array_begin(w);
    for (const pos_json_t *e = lines->first; e; e = e->next, i++) {
        if (pos_back_kept(&b->lines[i]) > 0) {
            write_line(w, e, &b->lines[i]);
        }
    }
    for (uint32_t c = 0; c < b->charged_count; c++) {
        pos_write_object_begin(w);
        pos_write_key(w, "sku");
        pos_write_string(w, b->charged[c].sku);
        pos_write_key(w, "quantity");
        pos_write_decimal(w, b->charged[c].quantity, 3);
        pos_write_object_end(w);
    }
    pos_write_array_end(w);
}

static bool
is_one_of(pos_str_t key, const char *const *names)
{
    while (*names && !pos_str_eq(key, pos_str_z(*names))) {
        names++;
    }
    return *names != NULL;
}

/* The inputs are those that the quote says were read. */
static void
write_request(const again_t *a, pos_writer_t *w)
{
    static const char *const left_out[] = { "at", "lines", "explain", "compare", "inputs", NULL };
    const pos_back_t        *b = a->b;
    bool                     shipped = !b->shipping_before && !b->shipping_back;

    pos_write_object_begin(w);
    for (const pos_json_t *e = b->request->first; e; e = e->next) {
        if (!is_one_of(e->key, left_out) && (shipped || !pos_str_eq(e->key, pos_str("shipping")))) {
            pos_write_key_str(w, e->key);
            pos_write_json(w, e);
        }
    }
    pos_write_key(w, "at");
    pos_write_json(w, pos_json_get(b->quote, "at"));
    pos_write_key(w, "lines");
    write_lines(a, w, pos_json_get(b->request, "lines"));
    pos_write_object_end(w);
}

static pos_status_t
price(again_t *a)
{
    pos_back_t         *b = a->b;
    pos_quote_options_t options = *b->options->order;
    pos_writer_t        w;
    pos_json_t         *tree;
    pos_status_t        status;

    options.inputs = &a->inputs;
    options.may_simulate = options.may_override = options.may_customer = options.may_shipping = true;
    options.for_order = false;
    options.pointer = pos_str("/request");
    pos_writer_init(&w, b->arena, POS_BACK_ROOM, POS_BACK_MAX);
    write_request(a, &w);
    if (w.status != POS_OK) {
        return w.status;
    }
    status = pos_json_read(b->options->reader, pos_writer_result(&w), b->arena, b->faults, &tree);
    if (status != POS_OK) {
        return status;
    }
    pos_writer_init(&w, b->arena, POS_BACK_ROOM, POS_BACK_MAX);
    status = pos_quote(&options, tree, b->arena, b->faults, &w, NULL);
    if (status != POS_OK) {
        return status;
    }
    status = pos_json_read(b->options->reader, pos_writer_result(&w), b->arena, b->faults, &tree);
    a->quote = tree;
    return status;
}

/* ---- its figures ---- */

/* Our own quote has what it must have. */
static int64_t
figure(const pos_json_t *object, const char *name)
{
    int64_t n = 0;

    (void) pos_json_int64(pos_json_get(object, name), &n);
    return n;
}

static void
add_taxes(again_t *a, const pos_json_t *object)
{
    const pos_json_t *list = pos_member(object, "taxes");

    for (const pos_json_t *e = list ? list->first : NULL; e; e = e->next) {
        int64_t  ppm = 0;
        uint32_t kind;

        (void) pos_json_decimal(pos_json_get(e, "percent"), 4, &ppm);
        kind = pos_back_kind(a->b, pos_json_get(e, "code")->text, ppm);
        *(kind == POS_NIL ? &a->other_tax : &a->sums.taxes[kind]) += figure(e, "amount");
    }
}

static void
add_promotion(const again_t *a, const pos_json_t *id, int64_t *to, int64_t amount)
{
    for (uint32_t k = 0; id && k < a->b->promotion_count; k++) {
        to[k] += pos_str_eq(a->b->promotions[k].id, id->text) ? amount : 0;
    }
}

static void
add_line(again_t *a, const pos_json_t *line)
{
    const pos_json_t *adjusts = pos_json_get(line, "adjustments");

    a->sums.goods += figure(line, "total");
    a->sums.fees += figure(line, "fees");
    add_taxes(a, line);
    for (const pos_json_t *e = adjusts->first; e; e = e->next) {
        add_promotion(a, pos_member(e, "promotion"), a->on_lines, -figure(e, "amount"));
        if (pos_json_get(line, "gift") == NULL) {
            add_promotion(a, pos_member(e, "promotion"), a->on_goods, -figure(e, "amount"));
        }
    }
}

static void
read_figures(again_t *a)
{
    const pos_json_t *list = pos_json_get(a->quote, "lines");

    for (const pos_json_t *e = list->first; e; e = e->next) {
        add_line(a, e);
    }
    a->sums.shipping = figure(a->quote, "shipping_total");
    add_taxes(a, pos_json_get(a->quote, "shipping"));
    list = pos_json_get(a->quote, "promotions");
    for (const pos_json_t *e = list->first; e; e = e->next) {
        add_promotion(a, pos_json_get(e, "id"), a->in_all, figure(e, "amount"));
    }
}

/* ---- gifts ---- */

static int64_t
gifts_earned(const again_t *a, pos_str_t sku)
{
    const pos_json_t *list = pos_json_get(a->quote, "lines");
    int64_t           n = 0, quantity = 0;

    for (const pos_json_t *e = list->first; e; e = e->next) {
        if (pos_member(e, "gift") && pos_str_eq(pos_json_get(e, "sku")->text, sku) &&
            pos_json_decimal(pos_json_get(e, "quantity"), 3, &quantity)) {
            n += quantity;
        }
    }
    return n;
}

/* A gift of a promotion whose policy is `paid` stays the customer's. */
static bool
may_be_charged(const pos_back_t *b, const pos_back_line_t *line)
{
    uint32_t k = line->adjust_count ? line->adjusts[0].promotion : POS_NIL;

    return line->gift && k != POS_NIL && b->promotions[k].reprice && pos_back_kept(line) > 0;
}

static pos_status_t
find_charges(again_t *a)
{
    pos_back_t *b = a->b;

    b->charged = pos_arena_array(b->arena, b->line_count + 1, sizeof(*b->charged));
    if (b->charged == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < b->line_count; i++) {
        const pos_back_line_t *line = &b->lines[i];
        uint32_t               c = 0;

        if (!may_be_charged(b, line)) {
            continue;
        }
        while (c < b->charged_count && !pos_str_eq(b->charged[c].sku, line->sku)) {
            c++;
        }
        if (c == b->charged_count) {
            b->charged[b->charged_count++] =
                (pos_back_charge_t) { line->sku, -gifts_earned(a, line->sku) };
        }
        b->charged[c].quantity += pos_back_kept(line);
    }
    for (uint32_t c = b->charged_count; c > 0; c--) {
        if (b->charged[c - 1].quantity <= 0) {
            b->charged[c - 1] = b->charged[--b->charged_count];
        }
    }
    return POS_OK;
}

/* ---- the difference ---- */

static int64_t
goods_kept_paid(const pos_back_t *b)
{
    int64_t kept = b->whole.goods;

    for (uint32_t i = 0; i < b->line_count; i++) {
        for (uint32_t r = 0; r < b->lines[i].run_count; r++) {
            const pos_back_run_t *run = &b->lines[i].runs[r];

            kept -= pos_back_paid(run, 0, run->before + run->back);
        }
    }
    return kept;
}

/* What is lost of a share is given back, but never more than was paid for it. */
static int64_t
protected(int64_t priced, int64_t paid, int64_t lost)
{
    if (priced <= paid) {
        return priced;
    }
    return priced - lost > paid ? priced - lost : paid;
}

static void
protect(again_t *a)
{
    pos_back_t *b = a->b;
    int64_t     lines = 0, shipping = 0;
    int64_t     before = a->sums.goods + a->sums.fees + a->sums.shipping, after;

    for (uint32_t k = 0; k < b->promotion_count; k++) {
        const pos_back_promotion_t *p = &b->promotions[k];
        int64_t                     on_lines = p->kept - a->on_goods[k];
        int64_t on_shipping = p->amount - p->on_lines - (a->in_all[k] - a->on_lines[k]);

        lines += !p->reprice && on_lines > 0 ? on_lines : 0;
        shipping += !p->reprice && on_shipping > 0 ? on_shipping : 0;
    }
    a->sums.goods = protected(a->sums.goods, goods_kept_paid(b), lines);
    a->sums.shipping = protected(a->sums.shipping, b->whole.shipping, shipping);
    after = a->sums.goods + a->sums.fees + a->sums.shipping;
    if (after != before) {
        for (uint32_t k = 0; k < b->kind_count; k++) {
            a->sums.taxes[k] = pos_back_portion(a->sums.taxes[k], after, before);
        }
        a->other_tax = pos_back_portion(a->other_tax, after, before);
    }
}

/* What was paid less what was given back less what is kept. One part that costs more
 * now is paid by the others. */
static void
subtract(again_t *a)
{
    pos_back_t *b = a->b;
    int64_t    *parts[] = { &b->now.goods, &b->now.fees, &b->now.shipping };
    int64_t     owed = b->tax_included ? 0 : a->other_tax, sum;

    b->now.goods = b->whole.goods - b->before.goods - a->sums.goods;
    b->now.fees = b->whole.fees - b->before.fees - a->sums.fees;
    b->now.shipping = b->whole.shipping - b->before.shipping - a->sums.shipping;
    for (uint32_t k = 0; k < b->kind_count; k++) {
        b->now.taxes[k] = b->whole.taxes[k] - b->before.taxes[k] - a->sums.taxes[k];
    }
    for (uint32_t i = 0; i < 3 + b->kind_count; i++) {
        int64_t *part = i < 3 ? parts[i] : &b->now.taxes[i - 3];

        if (*part < 0) {
            owed -= i < 3 || !b->tax_included ? *part : 0;
            *part = 0;
        }
    }
    for (uint32_t i = 0; i < 3 + (b->tax_included ? 0 : b->kind_count) && owed > 0; i++) {
        int64_t *part = i < 3 ? parts[i] : &b->now.taxes[i - 3];
        int64_t  n = *part < owed ? *part : owed;

        *part -= n;
        owed -= n;
    }
    /* Included tax is a part of what comes back. */
    sum = b->now.goods + b->now.fees + b->now.shipping;
    for (uint32_t k = 0; b->tax_included && k < b->kind_count; k++) {
        b->now.taxes[k] = b->now.taxes[k] < sum ? b->now.taxes[k] : sum;
        sum -= b->now.taxes[k];
    }
}

/* ---- all of it ---- */

static pos_status_t
check_request(pos_back_t *b)
{
    pos_at_t          at = pos_at_key(&b->root, "request"), lines_at = pos_at_key(&at, "lines");
    pos_at_t          quote_at = pos_at_key(&b->root, "quote");
    pos_at_t          revision_at = pos_at_key(&quote_at, "revision");
    const pos_json_t *list;
    uint32_t          i = 0;

    if (b->options->order == NULL || !pos_str_eq(b->revision, b->options->order->revision)) {
        pos_decode_fault(&b->d, &revision_at, "other_revision",
            "what is kept is priced again by the book of this revision, which is not at hand");
    }
    if (pos_member(b->quote, "at") == NULL) {
        pos_decode_fault(&b->d, &quote_at, "broken_quote", "says what time it is of");
    }
    if (b->request == NULL) {
        pos_decode_fault(&b->d, &at, "required", "what is kept is priced again by it");
        return pos_decoder_status(&b->d);
    }
    if (!pos_decode_object(&b->d, &at, b->request, NULL) ||
        !pos_decode_array(&b->d, &at, b->request, "lines", &list)) {
        pos_decode_fault(&b->d, &lines_at, "required", "is required");
        return pos_decoder_status(&b->d);
    }
    for (const pos_json_t *e = list->first; e; e = e->next, i++) {
        const pos_json_t *sku = pos_member(e, "sku");
        pos_at_t          here = pos_at_index(&lines_at, i);
        int64_t           quantity;

        if (i >= b->line_count || b->lines[i].gift || sku == NULL ||
            !pos_str_eq(sku->text, b->lines[i].sku) ||
            !pos_json_decimal(pos_member(e, "quantity"), 3, &quantity) ||
            quantity != b->lines[i].quantity) {
            pos_decode_fault(&b->d, &here, "mismatch", "is not the line that was quoted");
        }
    }
    for (; i < b->line_count; i++) {
        pos_at_t here = pos_at_index(&lines_at, i);

        if (!b->lines[i].gift) {
            pos_decode_fault(&b->d, &here, "mismatch", "is a line of the quote, and missing here");
        }
    }
    return pos_decoder_status(&b->d);
}

static pos_status_t
price_kept(again_t *a)
{
    pos_back_t       *b = a->b;
    const pos_json_t *inputs = pos_member(b->quote, "inputs");
    pos_status_t      status = check_request(b);

    if (status == POS_OK && inputs) {
        status = pos_inputs_read(inputs, pos_str("/quote/inputs"), b->arena, b->faults, &a->inputs);
    }
    if (status == POS_OK) {
        status = price(a);
    }
    if (status == POS_OK) {
        status = find_charges(a);
    }
    if (status == POS_OK && b->charged_count > 0) {
        status = price(a);
    }
    if (status == POS_OK) {
        read_figures(a);
        protect(a);
    }
    return status;
}

pos_status_t
pos_back_reprice(pos_back_t *b)
{
    again_t      a = { .b = b };
    bool         kept = false;
    pos_status_t status = POS_OK;

    a.sums.taxes = pos_arena_array(b->arena, b->kind_count + 1, sizeof(*a.sums.taxes));
    a.on_goods = pos_arena_array(b->arena, 3 * (size_t) b->promotion_count + 1, sizeof(*a.on_goods));
    if (a.sums.taxes == NULL || a.on_goods == NULL) {
        return POS_NO_MEMORY;
    }
    a.on_lines = a.on_goods + b->promotion_count;
    a.in_all = a.on_lines + b->promotion_count;
    for (uint32_t i = 0; i < b->line_count; i++) {
        kept |= pos_back_kept(&b->lines[i]) > 0;
    }
    if (kept) {
        status = price_kept(&a);
    } else if (!b->shipping_before && !b->shipping_back) {
        /* With no goods left, the way to the customer costs what it cost. */
        a.sums.shipping = b->whole.shipping;
        for (uint32_t t = 0; t < b->shipping_tax_count; t++) {
            a.sums.taxes[b->shipping_taxes[t].kind] += b->shipping_taxes[t].amount;
        }
    }
    if (status != POS_OK) {
        return status;
    }
    b->kept_total = a.sums.goods + a.sums.fees + a.sums.shipping;
    for (uint32_t k = 0; !b->tax_included && k < b->kind_count; k++) {
        b->kept_total += a.sums.taxes[k];
    }
    b->kept_total += b->tax_included ? 0 : a.other_tax;
    subtract(&a);
    return POS_OK;
}
