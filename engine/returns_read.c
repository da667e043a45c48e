/*
 * A return's document: the state of the return before, and what comes back now.
 */

#include "engine/returns_data.h"

#define QUANTITY_MAX  (INT64_C(100000) * POS_THOUSANDTHS)

static const char *const fields[] = { "quote", "request", "before", "lines", "shipping", "sale",
    "inputs", NULL };

/* ---- the state before ---- */

static void
read_state_line(pos_back_t *b, const pos_at_t *at, const pos_json_t *json)
{
    static const char *const names[] = { "line", "units", NULL };
    pos_at_t                 units_at = pos_at_key(at, "units");
    const pos_json_t        *list;
    pos_back_line_t         *line;
    int64_t                  index = 0;
    uint32_t                 r = 0;

    if (!pos_decode_object(&b->d, at, json, names) ||
        !pos_decode_int(&b->d, at, json, "line", POS_REQUIRED, 0, (int64_t) b->line_count - 1, &index)) {
        return;
    }
    line = &b->lines[index];
    if (!pos_decode_array(&b->d, at, json, "units", &list) || list->count != line->run_count) {
        pos_decode_fault(&b->d, &units_at, "mismatch", "has a quantity for each of the line's units");
        return;
    }
    for (const pos_json_t *e = list->first; e; e = e->next, r++) {
        pos_at_t        here = pos_at_index(&units_at, r);
        pos_back_run_t *run = &line->runs[r];

        if (!pos_json_decimal(e, 3, &run->before) || run->before < 0 || run->before > run->quantity ||
            (!line->measured && run->before % POS_THOUSANDTHS)) {
            run->before = 0;
            pos_decode_fault(&b->d, &here, "quantity", "is no part of what was sold");
        }
    }
}

static void
read_refunded(pos_back_t *b, const pos_at_t *up, const pos_json_t *state)
{
    static const char *const names[] = { "goods", "fees", "shipping", "taxes", NULL };
    const pos_json_t        *json = pos_member(state, "refunded"), *list;
    pos_at_t                 at = pos_at_key(up, "refunded"), taxes_at = pos_at_key(&at, "taxes");
    size_t                   i = 0;

    if (json == NULL) {
        pos_decode_fault(&b->d, &at, "required", "is required");
        return;
    }
    if (!pos_decode_object(&b->d, &at, json, names)) {
        return;
    }
    pos_decode_int(&b->d, &at, json, "goods", POS_REQUIRED, 0, b->whole.goods, &b->before.goods);
    pos_decode_int(&b->d, &at, json, "fees", POS_REQUIRED, 0, b->whole.fees, &b->before.fees);
    pos_decode_int(&b->d, &at, json, "shipping", POS_REQUIRED, 0, b->whole.shipping, &b->before.shipping);
    if (!pos_decode_array(&b->d, &at, json, "taxes", &list)) {
        return;
    }
    for (const pos_json_t *e = list->first; e; e = e->next) {
        pos_at_t  here = pos_at_index(&taxes_at, i++);
        pos_str_t code = pos_str("");
        int64_t   ppm = 0, amount = 0;
        uint32_t  kind;

        if (!pos_decode_object(&b->d, &here, e, NULL)) {
            continue;
        }
        pos_decode_code(&b->d, &here, e, "code", POS_REQUIRED, &code);
        pos_decode_percent(&b->d, &here, e, "percent", POS_REQUIRED, POS_MONEY_MAX, &ppm);
        kind = pos_back_kind(b, code, ppm);
        if (kind == POS_NIL) {
            pos_decode_fault(&b->d, &here, "mismatch", "is no tax of this order");
        } else if (pos_decode_int(&b->d, &here, e, "amount", POS_REQUIRED, 0, b->whole.taxes[kind], &amount)) {
            b->before.taxes[kind] = amount;
        }
    }
}

static void
read_state(pos_back_t *b)
{
    static const char *const names[] = { "lines", "shipping", "refunded", NULL };
    const pos_json_t        *json = pos_member(b->document, "before"), *list;
    pos_at_t                 at = pos_at_key(&b->root, "before"), lines_at = pos_at_key(&at, "lines");
    size_t                   i = 0;

    if (json == NULL || !pos_decode_object(&b->d, &at, json, names)) {
        return;
    }
    if (pos_decode_array(&b->d, &at, json, "lines", &list)) {
        for (const pos_json_t *e = list->first; e; e = e->next) {
            pos_at_t here = pos_at_index(&lines_at, i++);

            read_state_line(b, &here, e);
        }
    }
    pos_decode_bool(&b->d, &at, json, "shipping", &b->shipping_before);
    read_refunded(b, &at, json);
}

/* ---- what comes back ---- */

static pos_back_line_t *
line_named(pos_back_t *b, const pos_at_t *at, const pos_json_t *json)
{
    bool      by_id = pos_member(json, "id") != NULL;
    pos_at_t  here = pos_at_key(at, by_id ? "id" : "line");
    pos_str_t id;
    int64_t   index;

    if (by_id == (pos_member(json, "line") != NULL)) {
        pos_decode_fault(&b->d, at, "one_of", "names its line by either line or id");
        return NULL;
    }
    if (!by_id) {
        return pos_decode_int(&b->d, at, json, "line", POS_REQUIRED, 0, INT32_MAX, &index) &&
                (index < b->line_count || pos_decode_fault(&b->d, &here, "unknown_line",
                                              "the order has no such line"))
            ? &b->lines[index] : NULL;
    }
    if (!pos_decode_string(&b->d, at, json, "id", POS_REQUIRED, POS_TEXT_MAX, &id)) {
        return NULL;
    }
    for (uint32_t i = 0; i < b->line_count; i++) {
        if (b->lines[i].has_id && pos_str_eq(b->lines[i].id, id)) {
            return &b->lines[i];
        }
    }
    pos_decode_fault(&b->d, &here, "unknown_line", "the order has no line of this id");
    return NULL;
}

/* Of units that are not told apart, those that paid least are the ones that come back:
 * the shop cannot know, and has them all to pay for in the end. */
static uint32_t
cheapest_run(const pos_back_line_t *line)
{
    uint32_t best = POS_NIL;

    for (uint32_t r = 0; r < line->run_count; r++) {
        const pos_back_run_t *run = &line->runs[r];

        if (run->before + run->back < run->quantity &&
            (best == POS_NIL || (__int128) run->paid * line->runs[best].quantity <
                    (__int128) line->runs[best].paid * run->quantity)) {
            best = r;
        }
    }
    return best;
}

static void
take_back(pos_back_line_t *line, int64_t unit, int64_t quantity)
{
    while (quantity > 0) {
        pos_back_run_t *run = &line->runs[unit >= 0 ? (uint32_t) unit : cheapest_run(line)];
        int64_t         room = run->quantity - run->before - run->back;
        int64_t         n = quantity < room ? quantity : room;

        run->back += n;
        quantity -= n;
    }
}

static void
read_back(pos_back_t *b, const pos_at_t *at, const pos_json_t *json)
{
    static const char *const names[] = { "line", "id", "quantity", "unit", NULL };
    pos_at_t                 here = pos_at_key(at, "quantity");
    pos_back_line_t         *line;
    int64_t                  unit = -1, left, quantity;
    uint32_t                 before = b->faults->count;

    if (!pos_decode_object(&b->d, at, json, names) || (line = line_named(b, at, json)) == NULL) {
        return;
    }
    pos_decode_int(&b->d, at, json, "unit", POS_OPTIONAL, 0, (int64_t) line->run_count - 1, &unit);
    if (b->faults->count != before) {
        return;
    }
    left = unit < 0 ? pos_back_kept(line)
        : line->runs[unit].quantity - line->runs[unit].before - line->runs[unit].back;
    quantity = left;
    pos_decode_decimal(&b->d, at, json, "quantity", POS_OPTIONAL, 3, 1, QUANTITY_MAX, &quantity);
    if (b->faults->count != before) {
        return;
    }
    if (!line->measured && quantity % POS_THOUSANDTHS) {
        pos_decode_fault(&b->d, &here, "quantity", "this product is sold in whole units");
    } else if (quantity > left || left == 0) {
        pos_decode_fault(&b->d, &here, "quantity", "of this only %lld.%03d is left to come back",
            (long long) (left / POS_THOUSANDTHS), (int) (left % POS_THOUSANDTHS));
    } else {
        take_back(line, unit, quantity);
    }
}

static void
read_backs(pos_back_t *b)
{
    pos_at_t          at = pos_at_key(&b->root, "lines");
    const pos_json_t *list;
    size_t            i = 0;

    if (!pos_decode_array(&b->d, &b->root, b->document, "lines", &list)) {
        if (pos_member(b->document, "lines") == NULL) {
            pos_decode_fault(&b->d, &at, "required", "says what comes back, if only []");
        }
        return;
    }
    for (const pos_json_t *e = list->first; e; e = e->next) {
        pos_at_t here = pos_at_index(&at, i++);

        read_back(b, &here, e);
    }
}

static void
read_shipping_back(pos_back_t *b)
{
    pos_at_t at = pos_at_key(&b->root, "shipping");

    pos_decode_bool(&b->d, &b->root, b->document, "shipping", &b->shipping_back);
    if (b->shipping_back && (!b->has_shipping || b->shipping_before)) {
        pos_decode_fault(&b->d, &at, "quantity", b->has_shipping
                ? "its shipping was refunded before" : "this order has no shipping");
    }
}

pos_status_t
pos_back_read(pos_back_t *b)
{
    uint32_t before;

    if (!pos_decode_object(&b->d, &b->root, b->document, fields) &&
        b->document->type != POS_JSON_OBJECT) {
        return pos_decoder_status(&b->d);
    }
    before = b->faults->count;
    pos_back_read_quote(b);
    /* Without a sound quote there is nothing that the rest could be held to. */
    if (b->faults->count != before || b->d.no_memory) {
        return pos_decoder_status(&b->d);
    }
    read_state(b);
    read_backs(b);
    read_shipping_back(b);
    b->request = pos_member(b->document, "request");
    return pos_decoder_status(&b->d);
}
