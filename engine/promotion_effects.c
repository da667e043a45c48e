/*
 * Effects: compile one element of `then`. What an effect is follows from the
 * one main member it has and from its promotion's class.
 */

#include "engine/promotion_decode.h"

#define DEAL_PARTS_MAX  32
#define TIERS_MAX       100

typedef enum {
    MAIN_REDUCE,     /* percent_off, amount_off, unit_price, price */
    MAIN_TIERS,
    MAIN_BUY,
    MAIN_NTH,
    MAIN_BUNDLE,
    MAIN_GIFT,
    MAIN_POINTS,
    MAIN_MESSAGE,
    MAIN_NONE
} main_t;

static const char *const main_names[] = { NULL, "tiers", "buy", "nth", "bundle", "gift",
    "points", "message" };

static const char *const choose_words[] = { "best", "cheapest", "priciest", NULL };
static const char *const of_words[] = { "price", "original", NULL };

static const char *const markdown_fields[] = { "percent_off", "amount_off", "unit_price",
    "items", "per", "max_units", "choose", "of", "max_amount", "when", "label", NULL };
static const char *const line_tiers_fields[] = { "tiers", "items", "count", "of",
    "max_amount", "when", "label", NULL };
static const char *const buy_fields[] = { "buy", "get", "repeat", "choose", "max_amount",
    "when", "label", NULL };
static const char *const nth_fields[] = { "nth", "order", "max_amount", "when", "label",
    NULL };
static const char *const bundle_fields[] = { "bundle", "price", "percent_off",
    "amount_off", "repeat", "choose", "max_amount", "when", "label", NULL };
static const char *const gift_fields[] = { "gift", "when", "label", NULL };
static const char *const order_fields[] = { "percent_off", "amount_off", "price", "items",
    "max_amount", "shipping", "of", "when", "label", NULL };
static const char *const order_tiers_fields[] = { "tiers", "items", "max_amount",
    "shipping", "of", "when", "label", NULL };
static const char *const shipping_fields[] = { "percent_off", "amount_off", "price",
    "methods", "max_amount", "of", "when", "label", NULL };
static const char *const points_fields[] = { "points", "when", "label", NULL };
static const char *const message_fields[] = { "message", "when", "label", NULL };


/* ---- reductions ---- */

/* Exactly one of percent_off, amount_off and `price` (unit_price for units,
 * price for a whole; NULL: not possible here). */
static bool
decode_reduce(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    const char *price, pos_reduce_t *reduce, int64_t *value)
{
    bool     percent = pos_member(json, "percent_off") != NULL;
    bool     amount = pos_member(json, "amount_off") != NULL;
    bool     fixed = price != NULL && pos_member(json, price) != NULL;
    unsigned given = (unsigned) percent + amount + fixed;

    if (given != 1) {
        return pos_decode_fault(d, at, given ? "ambiguous" : "required",
            "%s percent_off, amount_off%s%s",
            given ? "has more than one reduction; give only one of" : "needs one of",
            price ? " and " : "", price ? price : "");
    }
    if (percent) {
        *reduce = POS_REDUCE_PERCENT;
        return pos_decode_percent(d, at, json, "percent_off", POS_REQUIRED, POS_PPM,
            value);
    }
    if (amount) {
        *reduce = POS_REDUCE_AMOUNT;
        return pos_decode_int(d, at, json, "amount_off", POS_REQUIRED, 0, POS_MONEY_MAX,
            value);
    }
    *reduce = POS_REDUCE_PRICE;
    return pos_decode_int(d, at, json, price, POS_REQUIRED, 0, POS_MONEY_MAX, value);
}


/* Whole units, at least one. */
static void
decode_units(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    const char *name, pos_presence_t presence, int64_t *out)
{
    pos_decode_int(d, at, json, name, presence, 1, POS_UNITS_MAX, out);
}


static void
decode_of(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_effect_t *out)
{
    int of = 0;

    pos_decode_enum(d, at, json, "of", POS_OPTIONAL, of_words, &of);
    out->of_original = of == 1;
}


static void
decode_choose(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_choose_t *out)
{
    int choose = (int) *out;

    pos_decode_enum(d, at, json, "choose", POS_OPTIONAL, choose_words, &choose);
    *out = (pos_choose_t) choose;
}


/* ---- line class ---- */

static void
decode_markdown(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_effect_t *out)
{
    static const char *const words[] = { "unit", "line", "all", NULL };
    int                      per = POS_PER_UNIT;

    pos_decode_object(d, at, json, markdown_fields);
    out->kind = POS_EFFECT_MARKDOWN;
    decode_reduce(d, at, json, "unit_price", &out->reduce, &out->value);
    out->filter = pos_decode_filter_member(d, at, json, "items");
    if (pos_decode_enum(d, at, json, "per", POS_OPTIONAL, words, &per)
        && out->reduce != POS_REDUCE_AMOUNT)
    {
        pos_at_t here = pos_at_key(at, "per");
        pos_decode_fault(d, &here, "unknown_field", "only goes with amount_off");
    }
    out->per = (pos_per_t) per;
    decode_units(d, at, json, "max_units", POS_OPTIONAL, &out->max_units);
    decode_choose(d, at, json, &out->choose);
    decode_of(d, at, json, out);
}


static int64_t
decode_threshold(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    bool by_subtotal)
{
    int64_t threshold = 0;

    if (by_subtotal) {
        pos_decode_int(d, at, json, "subtotal", POS_REQUIRED, 0, POS_MONEY_MAX,
            &threshold);
    } else {
        pos_decode_decimal(d, at, json, "quantity", POS_REQUIRED, 3, 1, POS_QUANTITY_MAX,
            &threshold);
    }
    return threshold;
}


static void
place_tier(pos_decoder_t *d, const pos_at_t *at, pos_tier_t *tiers, uint32_t *count,
    pos_tier_t tier)
{
    uint32_t i = *count;

    for (; i > 0 && tiers[i - 1].threshold >= tier.threshold; i--) {
        if (tiers[i - 1].threshold == tier.threshold) {
            pos_decode_fault(d, at, "duplicate", "another tier has the same threshold");
            return;
        }
    }
    memmove(&tiers[i + 1], &tiers[i], (*count - i) * sizeof(*tiers));
    tiers[i] = tier;
    (*count)++;
}


/* Lowers the one that is reached first as much as the later one, or more? */
static bool
lowers_as_much(const pos_tier_t *first, const pos_tier_t *later)
{
    if (first->reduce != later->reduce) {
        return false;    /* that depends on the cart */
    }
    return first->reduce == POS_REDUCE_PRICE ? first->value <= later->value
                                             : first->value >= later->value;
}


/* Of the tiers reached the best counts, so each must lower more than those before it. */
static void
check_tiers(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *list, bool by_subtotal,
    const pos_tier_t *tiers, uint32_t count)
{
    size_t number = 0;

    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(at, number++);
        int64_t  threshold;
        uint32_t own = 0;

        if (!pos_json_decimal(pos_member(e, by_subtotal ? "subtotal" : "quantity"),
                by_subtotal ? 0 : 3, &threshold))
        {
            continue;
        }
        while (own < count && tiers[own].threshold != threshold) {
            own++;
        }
        for (uint32_t i = 0; i < own && own < count; i++) {
            if (lowers_as_much(&tiers[i], &tiers[own])) {
                pos_decode_fault(d, &here, "never_reached",
                    "never counts: a tier that is reached before it lowers as much");
                break;
            }
        }
    }
}


static void
decode_tiers(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    bool by_subtotal, pos_effect_t *out)
{
    static const char *const quantity_fields[] = { "quantity", "percent_off",
        "amount_off", "unit_price", NULL };
    static const char *const subtotal_fields[] = { "subtotal", "percent_off",
        "amount_off", "price", NULL };
    const pos_json_t        *list = NULL;
    pos_tier_t              *tiers;
    pos_at_t                 at = pos_at_key(up, "tiers");
    uint32_t                 before = d->faults->count;
    size_t                   i = 0;

    if (!pos_decode_array(d, up, json, "tiers", &list)) {
        return;
    }
    if (list->count == 0 || list->count > TIERS_MAX) {
        pos_decode_fault(d, &at, list->count ? "max_items" : "min_items",
            "needs 1 to %d tiers", TIERS_MAX);
        return;
    }
    tiers = pos_decode_alloc(d, list->count, sizeof(*tiers));
    if (tiers == NULL) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t   here = pos_at_index(&at, i++);
        pos_tier_t tier = { 0, POS_REDUCE_PERCENT, 0 };

        if (pos_decode_object(d, &here, e,
                by_subtotal ? subtotal_fields : quantity_fields))
        {
            tier.threshold = decode_threshold(d, &here, e, by_subtotal);
            decode_reduce(d, &here, e, by_subtotal ? "price" : "unit_price", &tier.reduce,
                &tier.value);
            place_tier(d, &here, tiers, &out->tier_count, tier);
        }
    }
    out->tiers = tiers;
    if (d->faults->count == before) {
        check_tiers(d, &at, list, by_subtotal, tiers, out->tier_count);
    }
}


static void
decode_line_tiers(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_effect_t *out)
{
    static const char *const words[] = { "line", "all", NULL };
    int                      count = 0;

    pos_decode_object(d, at, json, line_tiers_fields);
    out->kind = POS_EFFECT_LINE_TIERS;
    out->filter = pos_decode_filter_member(d, at, json, "items");
    decode_tiers(d, at, json, false, out);
    pos_decode_enum(d, at, json, "count", POS_OPTIONAL, words, &count);
    out->count_all = count == 1;
    decode_of(d, at, json, out);
}


typedef enum { PART_BUY, PART_GET, PART_BUNDLE } part_kind_t;


static void
decode_part(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    part_kind_t kind, pos_choose_t choose, pos_part_t *out)
{
    static const char *const buy[] = { "items", "quantity", "amount", "choose", NULL };
    static const char *const get[] = { "items", "quantity", "percent_off", "amount_off",
        "unit_price", "choose", NULL };
    static const char *const bundle[] = { "items", "quantity", "choose", NULL };
    bool                     by_amount;

    memset(out, 0, sizeof(*out));
    out->choose = choose;
    if (!pos_decode_object(d, at, json,
            kind == PART_BUY ? buy : kind == PART_GET ? get : bundle))
    {
        return;
    }
    out->filter = pos_decode_filter_member(d, at, json, "items");
    by_amount = kind == PART_BUY && pos_member(json, "amount") != NULL;
    if (by_amount && pos_member(json, "quantity") != NULL) {
        pos_decode_fault(d, at, "ambiguous", "needs quantity or amount, not both");
    } else if (by_amount) {
        pos_decode_int(d, at, json, "amount", POS_REQUIRED, 1, POS_MONEY_MAX,
            &out->amount);
    } else {
        out->quantity = 1;
        decode_units(d, at, json, "quantity", POS_OPTIONAL, &out->quantity);
    }
    decode_choose(d, at, json, &out->choose);
    if (kind == PART_GET) {
        out->reduces = true;
        decode_reduce(d, at, json, "unit_price", &out->reduce, &out->value);
    }
}


static void
decode_parts(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    const char *name, part_kind_t kind, pos_choose_t choose, uint32_t *count,
    const pos_part_t **out)
{
    const pos_json_t *list = pos_member(json, name);
    pos_part_t       *parts;
    pos_at_t          at = pos_at_key(up, name);
    uint32_t          n = 0;

    if (list == NULL) {
        pos_decode_fault(d, &at, "required", "is required");
        return;
    }
    if (list->type != POS_JSON_ARRAY || list->count == 0
        || list->count > DEAL_PARTS_MAX)
    {
        pos_decode_fault(d, &at, list->type != POS_JSON_ARRAY ? "type" : "min_items",
            "must be a list of 1 to %d parts", DEAL_PARTS_MAX);
        return;
    }
    parts = pos_decode_alloc(d, list->count, sizeof(*parts));
    if (parts == NULL) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(&at, n);
        decode_part(d, &here, e, kind, choose, &parts[n++]);
    }
    *count = n;
    *out = parts;
}


static void
decode_buy_get(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_effect_t *out)
{
    pos_decode_object(d, at, json, buy_fields);
    out->kind = POS_EFFECT_BUY_GET;
    decode_choose(d, at, json, &out->choose);
    decode_parts(d, at, json, "buy", PART_BUY, POS_CHOOSE_BEST, &out->part_count,
        &out->parts);
    decode_parts(d, at, json, "get", PART_GET, out->choose, &out->get_count, &out->gets);
    decode_units(d, at, json, "repeat", POS_OPTIONAL, &out->repeat);
}


static void
decode_nth(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_effect_t *out)
{
    static const char *const fields[] = { "items", "group", "position", "percent_off",
        "amount_off", "unit_price", NULL };
    static const char *const words[] = { "priciest", "cheapest", NULL };
    const pos_json_t        *nth = pos_member(json, "nth");
    pos_at_t                 at = pos_at_key(up, "nth");
    int                      order = 0;

    pos_decode_object(d, up, json, nth_fields);
    out->kind = POS_EFFECT_NTH;
    pos_decode_enum(d, up, json, "order", POS_OPTIONAL, words, &order);
    out->cheapest_first = order == 1;
    if (!pos_decode_object(d, &at, nth, fields)) {
        return;
    }
    out->filter = pos_decode_filter_member(d, &at, nth, "items");
    decode_units(d, &at, nth, "group", POS_REQUIRED, &out->group);
    out->position = out->group;
    decode_units(d, &at, nth, "position", POS_OPTIONAL, &out->position);
    if (out->position > out->group) {
        pos_at_t here = pos_at_key(&at, "position");
        pos_decode_fault(d, &here, "max", "must be within the group");
    }
    decode_reduce(d, &at, nth, "unit_price", &out->reduce, &out->value);
}


static void
decode_bundle(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_effect_t *out)
{
    pos_decode_object(d, at, json, bundle_fields);
    out->kind = POS_EFFECT_BUNDLE;
    decode_choose(d, at, json, &out->choose);
    decode_parts(d, at, json, "bundle", PART_BUNDLE, out->choose, &out->part_count,
        &out->parts);
    decode_reduce(d, at, json, "price", &out->reduce, &out->value);
    decode_units(d, at, json, "repeat", POS_OPTIONAL, &out->repeat);
}


static void
decode_gift(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_effect_t *out)
{
    static const char *const fields[] = { "sku", "quantity", "per", NULL };
    static const char *const per_fields[] = { "items", "quantity", NULL };
    const pos_json_t        *gift = pos_member(json, "gift");
    const pos_json_t        *per;
    pos_at_t                 at = pos_at_key(up, "gift");
    pos_at_t                 here = pos_at_key(&at, "per");

    pos_decode_object(d, up, json, gift_fields);
    out->kind = POS_EFFECT_GIFT;
    out->gift_quantity = POS_THOUSANDTHS;
    if (!pos_decode_object(d, &at, gift, fields)) {
        return;
    }
    pos_decode_code(d, &at, gift, "sku", POS_REQUIRED, &out->gift_sku);
    pos_decode_decimal(d, &at, gift, "quantity", POS_OPTIONAL, 3, 1,
        POS_UNITS_MAX * POS_THOUSANDTHS, &out->gift_quantity);
    per = pos_member(gift, "per");
    if (per != NULL && pos_decode_object(d, &here, per, per_fields)) {
        out->gift_per = pos_decode_filter_member(d, &here, per, "items");
        out->gift_per_quantity = POS_THOUSANDTHS;
        pos_decode_decimal(d, &here, per, "quantity", POS_OPTIONAL, 3, 1,
            POS_QUANTITY_MAX, &out->gift_per_quantity);
    }
}


/* ---- order and shipping ---- */

static void
decode_order(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json, bool tiers,
    pos_effect_t *out)
{
    pos_decode_object(d, at, json, tiers ? order_tiers_fields : order_fields);
    out->kind = tiers ? POS_EFFECT_ORDER_TIERS : POS_EFFECT_ORDER;
    out->filter = pos_decode_filter_member(d, at, json, "items");
    pos_decode_bool(d, at, json, "shipping", &out->shipping_too);
    decode_of(d, at, json, out);
    if (tiers) {
        decode_tiers(d, at, json, true, out);
    } else {
        decode_reduce(d, at, json, "price", &out->reduce, &out->value);
    }
}


static void
decode_shipping(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_effect_t *out)
{
    pos_decode_object(d, at, json, shipping_fields);
    out->kind = POS_EFFECT_SHIPPING;
    decode_reduce(d, at, json, "price", &out->reduce, &out->value);
    pos_decode_set(d, at, json, "methods", &out->methods);
    decode_of(d, at, json, out);
}


/* ---- any class ---- */

static void
decode_points(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_effect_t *out)
{
    static const char *const fields[] = { "multiply", "add", NULL };
    const pos_json_t        *points = pos_member(json, "points");
    pos_at_t                 at = pos_at_key(up, "points");

    pos_decode_object(d, up, json, points_fields);
    out->kind = POS_EFFECT_POINTS;
    if (!pos_decode_object(d, &at, points, fields)) {
        return;
    }
    if ((pos_member(points, "multiply") != NULL) == (pos_member(points, "add") != NULL)) {
        pos_decode_fault(d, &at, "required", "needs one of multiply and add");
        return;
    }
    pos_decode_decimal(d, &at, points, "multiply", POS_OPTIONAL, 6, 1, 1000 * POS_PPM,
        &out->points_multiply);
    pos_decode_int(d, &at, points, "add", POS_OPTIONAL, 0, POS_MONEY_MAX,
        &out->points_add);
}


static void
decode_message(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_effect_t *out)
{
    pos_decode_object(d, at, json, message_fields);
    out->kind = POS_EFFECT_MESSAGE;
    pos_decode_string(d, at, json, "message", POS_REQUIRED, POS_TEXT_MAX, &out->message);
}


/* `bundle` has reductions of its own beside it, so main names go first. */
static main_t
main_of(const pos_json_t *json)
{
    for (main_t m = MAIN_TIERS; m < MAIN_NONE; m++) {
        if (pos_member(json, main_names[m]) != NULL) {
            return m;
        }
    }
    if (pos_member(json, "percent_off") || pos_member(json, "amount_off")
        || pos_member(json, "unit_price") || pos_member(json, "price"))
    {
        return MAIN_REDUCE;
    }
    return MAIN_NONE;
}


static void
decode_line_class(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    main_t what, pos_effect_t *out)
{
    switch (what) {
    case MAIN_TIERS:
        decode_line_tiers(d, at, json, out);
        return;
    case MAIN_BUY:
        decode_buy_get(d, at, json, out);
        return;
    case MAIN_NTH:
        decode_nth(d, at, json, out);
        return;
    case MAIN_BUNDLE:
        decode_bundle(d, at, json, out);
        return;
    case MAIN_GIFT:
        decode_gift(d, at, json, out);
        return;
    default:
        decode_markdown(d, at, json, out);
    }
}


/* A slip of the pen in the one word that says what the effect is. */
static void
no_effect(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json)
{
    static const char *const words[] = { "percent_off", "amount_off", "unit_price",
        "tiers", "buy", "nth", "bundle", "gift", "points", "message", NULL };

    for (const pos_json_t *m = json->first; m != NULL; m = m->next) {
        if (pos_decode_meant(words, m->key) != NULL) {
            pos_decode_unknown(d, at, words, m->key);
        }
    }
    pos_decode_fault(d, at, "required",
        "says no effect: percent_off, amount_off, tiers, buy, nth, bundle, gift, "
        "points, message …");
}


/* The reduction that belongs to another class and stands alone; NULL: none. */
static const char *
strange_reduction(const pos_json_t *json, pos_class_t class)
{
    const char *strange = class == POS_CLASS_LINE ? "price" : "unit_price";
    const char *own = class == POS_CLASS_LINE ? "unit_price" : "price";

    return pos_member(json, strange) != NULL && pos_member(json, own) == NULL
           && pos_member(json, "percent_off") == NULL && pos_member(json, "amount_off") == NULL
               ? strange : NULL;
}


static void
decode_by_class(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json, main_t what,
    pos_class_t class, pos_effect_t *out)
{
    static const char *const classes[] = { "line", "order", "shipping" };
    const char              *strange = what == MAIN_REDUCE ? strange_reduction(json, class) : NULL;

    if (what == MAIN_NONE) {
        no_effect(d, at, json);
    } else if (strange != NULL) {
        pos_at_t here = pos_at_key(at, strange);
        pos_decode_fault(d, &here, "effect_class", "is no effect of class %s",
            classes[class]);
    } else if (what == MAIN_POINTS) {
        decode_points(d, at, json, out);
    } else if (what == MAIN_MESSAGE) {
        decode_message(d, at, json, out);
    } else if (class == POS_CLASS_LINE) {
        decode_line_class(d, at, json, what, out);
    } else if (class == POS_CLASS_ORDER && what <= MAIN_TIERS) {
        decode_order(d, at, json, what == MAIN_TIERS, out);
    } else if (class == POS_CLASS_SHIPPING && what == MAIN_REDUCE) {
        decode_shipping(d, at, json, out);
    } else {
        pos_at_t here = pos_at_key(at, main_names[what]);
        pos_decode_fault(d, &here, "effect_class", "is no effect of class %s",
            classes[class]);
    }
}


void
pos_decode_effect(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_class_t class, pos_effect_t *out)
{
    const pos_json_t *when;
    pos_at_t          here = pos_at_key(at, "when");

    memset(out, 0, sizeof(*out));
    out->max_units = out->max_amount = out->repeat = POS_INF;
    out->gift_sku = out->message = out->label = pos_str("");
    if (!pos_decode_object(d, at, json, NULL)) {
        return;
    }
    decode_by_class(d, at, json, main_of(json), class, out);
    pos_decode_int(d, at, json, "max_amount", POS_OPTIONAL, 0, POS_MONEY_MAX,
        &out->max_amount);
    pos_decode_string(d, at, json, "label", POS_OPTIONAL, POS_TEXT_MAX, &out->label);
    when = pos_member(json, "when");
    if (when != NULL) {
        out->when = pos_decode_condition(d, &here, when, 0);
    }
}


pos_status_t
pos_effect_compile(const pos_json_t *json, pos_class_t class, pos_str_t base,
    pos_arena_t *arena, pos_faults_t *faults, pos_effect_t *out)
{
    pos_decoder_t d;
    pos_at_t      at = pos_at_base(base);

    pos_decoder_init(&d, arena, faults, NULL);
    pos_decode_effect(&d, &at, json, class, out);
    return pos_decoder_status(&d);
}
