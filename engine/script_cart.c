/*
 * The cart as a script sees it: read-only objects over the engine's own
 * structures. Nothing is copied into tables; lines are objects of 24 bytes that
 * only say which item, made once and used again by every later call.
 */

#include <stdio.h>
#include <stdlib.h>

#include "engine/script_vm.h"

typedef enum {
    PLACE_AT = 1, PLACE_CUSTOMER, PLACE_SHIPPING, PLACE_SHIP_TO, PLACE_COUNT
} place_t;

/* Field codes: numbers in a class's dispatch table, beside its methods. */
typedef enum {
    CART_SUBTOTAL = 1, CART_CURRENCY, CART_STORE, CART_CHANNEL, CART_AT,
    CART_CUSTOMER, CART_ATTRIBUTES, CART_MINOR_DIGITS, CART_COUPONS,
    CART_TENDERS, CART_FULFILMENT, CART_SHIP_TO, CART_SHIPPING, CART_SETTINGS,
    LINE_SKU, LINE_NAME, LINE_QUANTITY, LINE_UNIT_PRICE, LINE_LIST_PRICE,
    LINE_AMOUNT, LINE_ON_SALE, LINE_CATEGORIES, LINE_BRAND, LINE_TAGS,
    LINE_ATTRIBUTES, LINE_COST, LINE_UNIT, LINE_MEASURED, LINE_WEIGHT,
    AT_YEAR, AT_MONTH, AT_DAY, AT_HOUR, AT_MINUTE, AT_SECOND, AT_WEEKDAY,
    AT_DATE, AT_MINUTES,
    CUSTOMER_ID, CUSTOMER_GROUPS, CUSTOMER_ORDERS, CUSTOMER_BIRTHDAY,
    CUSTOMER_IS_BIRTHDAY, CUSTOMER_KNOWN, CUSTOMER_TAX_EXEMPT,
    SHIPPING_METHOD, SHIPPING_AMOUNT, SHIP_COUNTRY, SHIP_REGION
} field_t;

typedef struct {
    const char *name;
    field_t     field;
} field_name_t;

static const field_name_t cart_fields[] = {
    { "subtotal", CART_SUBTOTAL }, { "currency", CART_CURRENCY },
    { "store", CART_STORE }, { "channel", CART_CHANNEL }, { "at", CART_AT },
    { "customer", CART_CUSTOMER }, { "attributes", CART_ATTRIBUTES },
    { "minor_digits", CART_MINOR_DIGITS }, { "coupons", CART_COUPONS },
    { "tenders", CART_TENDERS }, { "fulfilment", CART_FULFILMENT },
    { "ship_to", CART_SHIP_TO }, { "shipping", CART_SHIPPING },
    { "settings", CART_SETTINGS }, { NULL, 0 },
};

static const field_name_t line_fields[] = {
    { "sku", LINE_SKU }, { "name", LINE_NAME }, { "quantity", LINE_QUANTITY },
    { "unit_price", LINE_UNIT_PRICE }, { "list_price", LINE_LIST_PRICE },
    { "amount", LINE_AMOUNT }, { "on_sale", LINE_ON_SALE },
    { "categories", LINE_CATEGORIES }, { "brand", LINE_BRAND },
    { "tags", LINE_TAGS }, { "attributes", LINE_ATTRIBUTES },
    { "cost", LINE_COST }, { "unit", LINE_UNIT }, { "measured", LINE_MEASURED },
    { "weight_grams", LINE_WEIGHT }, { NULL, 0 },
};

static const field_name_t place_fields[PLACE_COUNT][12] = {
    [PLACE_AT] = {
        { "year", AT_YEAR }, { "month", AT_MONTH }, { "day", AT_DAY },
        { "hour", AT_HOUR }, { "minute", AT_MINUTE }, { "second", AT_SECOND },
        { "weekday", AT_WEEKDAY }, { "date", AT_DATE },
        { "minutes", AT_MINUTES }, { NULL, 0 },
    },
    [PLACE_CUSTOMER] = {
        { "id", CUSTOMER_ID }, { "groups", CUSTOMER_GROUPS },
        { "orders", CUSTOMER_ORDERS }, { "birthday", CUSTOMER_BIRTHDAY },
        { "is_birthday", CUSTOMER_IS_BIRTHDAY }, { "known", CUSTOMER_KNOWN },
        { "tax_exempt", CUSTOMER_TAX_EXEMPT }, { NULL, 0 },
    },
    [PLACE_SHIPPING] = {
        { "method", SHIPPING_METHOD }, { "amount", SHIPPING_AMOUNT }, { NULL, 0 },
    },
    [PLACE_SHIP_TO] = {
        { "country", SHIP_COUNTRY }, { "region", SHIP_REGION }, { NULL, 0 },
    },
};

static const pos_cart_t *
cart_of(lua_State *L)
{
    const pos_cart_t *cart = pos_script_vm_of(L)->cart;

    if (cart == NULL) {
        luaL_error(L, "there is no cart while a file is loaded");
    }
    return cart;
}

static int
push_str(lua_State *L, pos_str_t s)
{
    if (s.len == 0) {
        lua_pushnil(L);
    } else {
        pos_script_give(L, s);
    }
    return 1;
}

static int
push_money(lua_State *L, int64_t n)
{
    lua_pushnumber(L, (lua_Number) n);
    return 1;
}

static int
push_quantity(lua_State *L, int64_t thousandths)
{
    lua_pushnumber(L, (lua_Number) thousandths / POS_THOUSANDTHS);
    return 1;
}

static int
push_place(lua_State *L, place_t which)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, pos_script_vm_of(L)->places_ref);
    lua_rawgeti(L, -1, (int) which);
    lua_remove(L, -2);
    return 1;
}

/* ---- the cart's fields ---- */

static int
push_customer(lua_State *L, const pos_cart_t *cart)
{
    if (!cart->customer_known && cart->customer_id.len == 0
        && cart->customer_groups.count == 0 && cart->customer_orders < 0
        && cart->customer_birthday == INT32_MIN)
    {
        lua_pushnil(L);
        return 1;
    }
    return push_place(L, PLACE_CUSTOMER);
}

static int
push_settings(lua_State *L)
{
    const pos_script_t *script = pos_script_vm_of(L)->script;

    if (script == NULL || script->settings == LUA_NOREF) {
        return luaL_error(L, "the promotion declares no settings");
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, script->settings);
    return 1;
}

static int
push_minor_digits(lua_State *L, const pos_cart_t *cart)
{
    unsigned exponent = 2;

    (void) pos_currency_exponent(cart->currency, &exponent);
    lua_pushinteger(L, (lua_Integer) exponent);
    return 1;
}

static int
cart_field(lua_State *L, field_t field)
{
    const pos_cart_t *cart = cart_of(L);

    switch (field) {
    case CART_SUBTOTAL:   return push_money(L, cart->subtotal);
    case CART_CURRENCY:   return push_str(L, cart->currency);
    case CART_STORE:      return push_str(L, cart->store ? cart->store->code : pos_str(""));
    case CART_CHANNEL:    return push_str(L, cart->channel);
    case CART_AT:         return push_place(L, PLACE_AT);
    case CART_CUSTOMER:   return push_customer(L, cart);
    case CART_FULFILMENT: return push_str(L, cart->fulfilment);
    case CART_SETTINGS:   return push_settings(L);
    case CART_SHIP_TO:
        return cart->ship_country.len ? push_place(L, PLACE_SHIP_TO) : 0;
    case CART_SHIPPING:
        return cart->has_shipping ? push_place(L, PLACE_SHIPPING) : 0;
    case CART_MINOR_DIGITS:
        return push_minor_digits(L, cart);
    case CART_ATTRIBUTES:
        pos_lua_push_attributes(L, cart->attributes, cart->attribute_count, NULL, 0);
        return 1;
    case CART_COUPONS:
        pos_lua_push_strings(L, cart->coupons, cart->coupon_count);
        return 1;
    case CART_TENDERS:
        pos_lua_push_strings(L, cart->tenders.values, cart->tenders.count);
        return 1;
    default:
        return 0;
    }
}

/* ---- time, customer, shipping ---- */

static int
push_date(lua_State *L, int year, int month, int day)
{
    char text[48];

    (void) snprintf(text, sizeof(text), "%04d-%02d-%02d", year, month, day);
    lua_pushstring(L, text);
    return 1;
}

static int
at_field(lua_State *L, const pos_civil_t *at, field_t field)
{
    static const char *const weekdays[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };

    switch (field) {
    case AT_YEAR:    lua_pushinteger(L, at->year); return 1;
    case AT_MONTH:   lua_pushinteger(L, at->month); return 1;
    case AT_DAY:     lua_pushinteger(L, at->day); return 1;
    case AT_HOUR:    lua_pushinteger(L, at->hour); return 1;
    case AT_MINUTE:  lua_pushinteger(L, at->minute); return 1;
    case AT_SECOND:  lua_pushinteger(L, at->second); return 1;
    case AT_WEEKDAY: lua_pushstring(L, weekdays[at->weekday % 7]); return 1;
    case AT_MINUTES: lua_pushinteger(L, at->hour * 60 + at->minute); return 1;
    default:         return push_date(L, at->year, at->month, at->day);
    }
}

static void
birthday_of(const pos_cart_t *cart, pos_civil_t *out)
{
    pos_civil_of(pos_zone_utc(), (int64_t) cart->customer_birthday * 86400 * 1000000, out);
}

/* Whether the day is the birthday's: the same rule as the condition's. */
static int
push_is_birthday(lua_State *L, const pos_cart_t *cart)
{
    static const pos_condition_t birthday = {
        .kind = POS_COND_CUSTOMER, .birthday = 1, .known = -1,
        .orders = { POS_NONE, POS_INF },
    };

    lua_pushboolean(L, cart->customer_birthday != INT32_MIN
                       && pos_condition_holds(&birthday, cart));
    return 1;
}

static int
customer_field(lua_State *L, const pos_cart_t *cart, field_t field)
{
    pos_civil_t born;

    switch (field) {
    case CUSTOMER_ID:
        return push_str(L, cart->customer_id);
    case CUSTOMER_GROUPS:
        pos_lua_push_strings(L, cart->customer_groups.values, cart->customer_groups.count);
        return 1;
    case CUSTOMER_ORDERS:
        return cart->customer_orders < 0 ? 0 : push_money(L, cart->customer_orders);
    case CUSTOMER_BIRTHDAY:
        if (cart->customer_birthday == INT32_MIN) {
            return 0;
        }
        birthday_of(cart, &born);
        return push_date(L, born.year, born.month, born.day);
    case CUSTOMER_IS_BIRTHDAY:
        return push_is_birthday(L, cart);
    case CUSTOMER_KNOWN:
        lua_pushboolean(L, cart->customer_known);
        return 1;
    default:
        lua_pushboolean(L, cart->tax_exempt);
        return 1;
    }
}

static int
place_field(lua_State *L, place_t which, field_t field)
{
    const pos_cart_t *cart = cart_of(L);

    switch (which) {
    case PLACE_AT:
        return at_field(L, &cart->local, field);
    case PLACE_CUSTOMER:
        return customer_field(L, cart, field);
    case PLACE_SHIPPING:
        return field == SHIPPING_METHOD ? push_str(L, cart->shipping_method)
                                        : push_money(L, cart->shipping_amount);
    default:
        return push_str(L, field == SHIP_COUNTRY ? cart->ship_country : cart->ship_region);
    }
}

/* customer:member("staff") */
static int
customer_member(lua_State *L)
{
    const pos_cart_t *cart = cart_of(L);
    pos_str_t         group;

    group.data = luaL_checklstring(L, 2, &group.len);
    lua_pushboolean(L, pos_strset_has(&cart->customer_groups, group, pos_hash64(group)));
    return 1;
}

/* ---- lines ---- */

static const pos_item_t *
item_of(lua_State *L, const pos_lua_line_t *line)
{
    const pos_cart_t *cart = cart_of(L);

    if (line->item >= cart->item_count) {
        luaL_error(L, "a line of an earlier quote");
    }
    return &cart->items[line->item];
}

static int
push_categories(lua_State *L, const pos_item_t *item)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);
    pos_str_t       *codes;
    uint32_t         i;

    pos_script_work(L, item->category_count);
    pos_script_charge(L, item->category_count * sizeof(*codes));
    codes = pos_arena_array(vm->cart->arena, item->category_count + 1, sizeof(*codes));
    if (codes == NULL) {
        pos_script_no_memory(L);
    }
    for (i = 0; i < item->category_count; i++) {
        codes[i] = item->categories[i]->code;
    }
    pos_lua_push_strings(L, codes, item->category_count);
    return 1;
}

static int64_t
units_amount(const pos_item_t *item, int64_t units)
{
    if (units < 0 || units >= item->quantity || item->measured) {
        return item->subtotal;
    }
    return item->unit_price * (units / POS_THOUSANDTHS);
}

static int
push_cost(lua_State *L, const pos_item_t *item)
{
    const pos_book_t *book = cart_of(L)->book;

    if (book == NULL || !book->script_cost || !item->product->has_cost) {
        return 0;
    }
    return push_money(L, item->product->cost);
}

static int
line_field(lua_State *L, const pos_lua_line_t *line, field_t field)
{
    const pos_item_t    *item = item_of(L, line);
    const pos_product_t *product = item->product;

    switch (field) {
    case LINE_SKU:        return push_str(L, product->sku);
    case LINE_NAME:       return push_str(L, product->name);
    case LINE_BRAND:      return push_str(L, product->brand);
    case LINE_UNIT:       return push_str(L, product->unit);
    case LINE_UNIT_PRICE: return push_money(L, item->unit_price);
    case LINE_LIST_PRICE: return push_money(L, item->list_price);
    case LINE_AMOUNT:     return push_money(L, units_amount(item, line->units));
    case LINE_WEIGHT:     return push_money(L, product->weight_grams);
    case LINE_COST:       return push_cost(L, item);
    case LINE_CATEGORIES: return push_categories(L, item);
    case LINE_QUANTITY:
        return push_quantity(L, line->units < 0 ? item->quantity : line->units);
    case LINE_ON_SALE:
        lua_pushboolean(L, item->on_sale);
        return 1;
    case LINE_MEASURED:
        lua_pushboolean(L, item->measured);
        return 1;
    case LINE_TAGS:
        pos_lua_push_strings(L, product->tags, product->tag_count);
        return 1;
    default:
        pos_lua_push_attributes(L, item->line ? item->line->attributes : NULL,
            item->line ? item->line->attribute_count : 0,
            product->attributes, product->attribute_count);
        return 1;
    }
}

/* A whole line's object is made once and kept: it says nothing but a number,
 * and no script can hold it beyond its call. */
static void
push_whole_line(lua_State *L, uint32_t item)
{
    pos_script_vm_t   *vm = pos_script_vm_of(L);
    pos_script_phase_t phase = vm->phase;
    pos_lua_line_t    *line;

    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->pool_ref);
    lua_rawgeti(L, -1, (int) item + 1);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        vm->phase = POS_PHASE_HOST;    /* not the script's memory */
        line = pos_lua_new(L, POS_LUA_LINE, sizeof(*line));
        line->item = item;
        line->units = -1;
        lua_pushvalue(L, -1);
        lua_rawseti(L, -3, (int) item + 1);
        vm->phase = phase;
    }
    lua_remove(L, -2);
}

static void
push_line(lua_State *L, uint32_t item, int64_t units)
{
    pos_lua_line_t *line;

    if (units < 0) {
        push_whole_line(L, item);
        return;
    }
    line = pos_lua_new(L, POS_LUA_LINE, sizeof(*line));
    line->item = item;
    line->units = units;
}

/* ---- selections ---- */

static void *
cart_alloc(lua_State *L, size_t count, size_t size)
{
    void *p;

    pos_script_charge(L, count * size);
    p = pos_arena_array(pos_script_vm_of(L)->cart->arena, count + 1, size);
    if (p == NULL) {
        pos_script_no_memory(L);
    }
    return p;
}

void
pos_script_push_selection(lua_State *L, const uint32_t *items,
    const int64_t *units, uint32_t count)
{
    pos_lua_selection_t *s = pos_lua_new(L, POS_LUA_SELECTION, sizeof(*s));

    s->count = count;
    s->items = items;
    s->units = units;
}

static pos_lua_selection_t *
selection_at(lua_State *L, int index)
{
    pos_lua_selection_t *s = pos_lua_to(L, index, POS_LUA_SELECTION);

    if (s == NULL) {
        luaL_error(L, "a selection is expected: call it with a colon, as in"
                      " selection:quantity()");
    }
    return s;
}

const pos_selection_t *
pos_script_selection(lua_State *L, int index)
{
    pos_lua_line_t      *line = pos_lua_to(L, index, POS_LUA_LINE);
    pos_lua_selection_t *s;
    pos_selection_t     *shown;
    uint32_t            *item;
    int64_t             *units;

    s = line ? NULL : selection_at(L, index);
    if (s && s->shown) {
        return s->shown;
    }
    shown = cart_alloc(L, 1, sizeof(*shown));
    if (s) {
        *shown = (pos_selection_t) { s->count, s->items, s->units };
        s->shown = shown;
        return shown;
    }
    (void) item_of(L, line);
    item = cart_alloc(L, 1, sizeof(*item));
    *item = line->item;
    *shown = (pos_selection_t) { 1, item, NULL };
    if (line->units >= 0) {
        units = cart_alloc(L, 1, sizeof(*units));
        *units = line->units;
        shown->units = units;
    }
    return shown;
}

const pos_filter_t *
pos_script_filter(lua_State *L, int index)
{
    pos_script_export_t e = { 0 };
    pos_lua_frozen_t   *frozen = pos_lua_to(L, index, POS_LUA_FROZEN);
    pos_script_file_t  *file = pos_script_vm_of(L)->script->file;
    const pos_filter_t *filter;
    pos_writer_t        w;

    if (lua_isnoneornil(L, index)) {
        return NULL;
    }
    if (frozen && frozen->filter) {
        return frozen->filter;
    }
    if (frozen == NULL && lua_type(L, index) != LUA_TTABLE) {
        luaL_error(L, "a filter is a table, such as { category = { \"shoes\" } }");
    }
    pos_script_writer(L, &w, 'f');
    e.writer = &w;
    pos_script_export(L, index, &e);
    filter = pos_script_compile(L, pos_writer_result(&w), "filter");
    if (frozen && file->arena
        && pos_map_get(&file->compiled, pos_writer_result(&w)) == filter)
    {
        frozen->filter = filter;
    }
    return filter;
}

static bool
predicate(lua_State *L, int function, uint32_t item, int64_t units)
{
    bool yes;

    lua_pushvalue(L, function);
    push_line(L, item, units);
    pos_script_callback(L, 1, 1);
    yes = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return yes;
}

/* The items of `from` (NULL: the whole cart) that the filter or the function
 * at `index` takes. */
static int
push_matching(lua_State *L, int index, const pos_lua_selection_t *from)
{
    pos_script_vm_t    *vm = pos_script_vm_of(L);
    const pos_cart_t   *cart = cart_of(L);
    bool                function = lua_type(L, index) == LUA_TFUNCTION;
    const pos_filter_t *filter = function ? NULL : pos_script_filter(L, index);
    uint32_t            n = from ? from->count : cart->item_count, i, found = 0;
    uint32_t           *items, *at = NULL;
    int64_t            *units = NULL;

    pos_script_work(L, 1 + n / 2);
    at = vm->matches;
    if (at == NULL || function) {    /* a function may call us again */
        at = pos_arena_array(vm->scratch, cart->item_count + 1, sizeof(*at));
        if (at == NULL) {
            pos_script_no_memory(L);
        }
        if (function) {
            pos_script_charge(L, cart->item_count * sizeof(*at));
        } else {
            vm->matches = at;
        }
    }
    for (i = 0; i < n; i++) {
        uint32_t item = from ? from->items[i] : i;
        int64_t  take = from && from->units ? from->units[i] : -1;

        if (pos_filter_match(filter, &cart->items[item])
            && (!function || predicate(L, index, item, take)))
        {
            at[found++] = i;
        }
    }
    items = cart_alloc(L, found, sizeof(*items));
    if (from && from->units) {
        units = cart_alloc(L, found, sizeof(*units));
    }
    for (i = 0; i < found; i++) {
        items[i] = from ? from->items[at[i]] : at[i];
        if (units) {
            units[i] = from->units[at[i]];
        }
    }
    pos_script_push_selection(L, items, units, found);
    return 1;
}

static int
cart_items(lua_State *L)
{
    if (pos_lua_to(L, 1, POS_LUA_CART) == NULL) {
        return luaL_error(L, "call it with a colon: cart:items { ... }");
    }
    return push_matching(L, 2, NULL);
}

static int
selection_where(lua_State *L)
{
    return push_matching(L, 2, selection_at(L, 1));
}

static int
each_next(lua_State *L)
{
    pos_lua_selection_t  *s = selection_at(L, 1);
    const pos_lua_line_t *line = pos_lua_to(L, 2, POS_LUA_LINE);
    uint32_t              i = 0;

    if (line) {
        i = s->cursor;
        if (i >= s->count || s->items[i] != line->item) {
            for (i = 0; i < s->count && s->items[i] < line->item; i++) { }
            pos_script_work(L, i);
        }
        i++;
    }
    if (i >= s->count) {
        return 0;
    }
    s->cursor = i;
    push_line(L, s->items[i], s->units ? s->units[i] : -1);
    return 1;
}

/* for line in selection:each() do … end */
static int
selection_each(lua_State *L)
{
    (void) selection_at(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

static int
cart_each(lua_State *L)
{
    lua_settop(L, 1);
    (void) cart_items(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, -2);
    lua_pushnil(L);
    return 3;
}

static int
selection_quantity(lua_State *L)
{
    const pos_lua_selection_t *s = selection_at(L, 1);
    const pos_cart_t          *cart = cart_of(L);
    int64_t                    sum = 0;
    uint32_t                   i;

    pos_script_work(L, s->count / 8);
    for (i = 0; i < s->count; i++) {
        sum += s->units ? s->units[i] : cart->items[s->items[i]].quantity;
    }
    return push_quantity(L, sum);
}

static int
selection_amount(lua_State *L)
{
    const pos_lua_selection_t *s = selection_at(L, 1);
    const pos_cart_t          *cart = cart_of(L);
    int64_t                    sum = 0;
    uint32_t                   i;

    pos_script_work(L, s->count / 8);
    for (i = 0; i < s->count; i++) {
        int64_t amount = units_amount(&cart->items[s->items[i]], s->units ? s->units[i] : -1);

        if (!pos_add(sum, amount, &sum)) {
            return luaL_error(L, "the amount is too large");
        }
    }
    return push_money(L, sum);
}

/* Items of one SKU stand together in canonical order. */
static int
selection_distinct(lua_State *L)
{
    const pos_lua_selection_t *s = selection_at(L, 1);
    const pos_cart_t          *cart = cart_of(L);
    uint32_t                   i, n = 0;

    pos_script_work(L, s->count / 8);
    for (i = 0; i < s->count; i++) {
        n += i == 0 || !pos_str_eq(cart->items[s->items[i]].product->sku,
                            cart->items[s->items[i - 1]].product->sku);
    }
    lua_pushinteger(L, (lua_Integer) n);
    return 1;
}

typedef struct {
    int64_t  price;
    uint32_t at;       /* place in the selection */
} priced_t;

static int
by_price(const void *a, const void *b)
{
    const priced_t *x = a, *y = b;

    if (x->price != y->price) {
        return x->price < y->price ? -1 : 1;
    }
    return x->at < y->at ? -1 : x->at > y->at;
}

/* How many thousandths of one item the next `left` units take; a measured
 * line is one unit, taken whole. */
static int64_t
take_units(const pos_item_t *item, int64_t there, int64_t *left)
{
    int64_t whole = there / POS_THOUSANDTHS;

    if (*left <= 0) {
        return 0;
    }
    if (item->measured) {
        (*left)--;
        return there;
    }
    if (whole > *left) {
        whole = *left;
    }
    *left -= whole;
    return whole * POS_THOUSANDTHS;
}

static int
take_sorted(lua_State *L, int64_t sign)
{
    const pos_lua_selection_t *s = selection_at(L, 1);
    const pos_cart_t          *cart = cart_of(L);
    double                     number = luaL_optnumber(L, 2, 1);
    int64_t                    left, *taken, *units;
    uint32_t                  *items, i, n = 0;
    priced_t                  *order;

    if (!pos_script_whole(number, &left) || left < 0) {
        return luaL_error(L, "a whole number of units is expected");
    }
    pos_script_work(L, 4 + (uint64_t) s->count * 2);
    order = cart_alloc(L, s->count, sizeof(*order));
    taken = cart_alloc(L, s->count, sizeof(*taken));
    for (i = 0; i < s->count; i++) {
        order[i] = (priced_t) { sign * cart->items[s->items[i]].unit_price, i };
    }
    qsort(order, s->count, sizeof(*order), by_price);
    for (i = 0; i < s->count; i++) {
        const pos_item_t *item = &cart->items[s->items[order[i].at]];
        int64_t           there = s->units ? s->units[order[i].at] : item->quantity;

        taken[order[i].at] = take_units(item, there, &left);
    }
    items = cart_alloc(L, s->count, sizeof(*items));
    units = cart_alloc(L, s->count, sizeof(*units));
    for (i = 0; i < s->count; i++) {
        if (taken[i] > 0) {
            items[n] = s->items[i];
            units[n++] = taken[i];
        }
    }
    pos_script_push_selection(L, items, units, n);
    return 1;
}

static int
selection_cheapest(lua_State *L)
{
    return take_sorted(L, 1);
}

static int
selection_priciest(lua_State *L)
{
    return take_sorted(L, -1);
}

static int
selection_first(lua_State *L)
{
    const pos_lua_selection_t *s = selection_at(L, 1);

    if (s->count == 0) {
        return 0;
    }
    push_line(L, s->items[0], s->units ? s->units[0] : -1);
    return 1;
}

static int
selection_len(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer) selection_at(L, 1)->count);
    return 1;
}

static int
line_has_category(lua_State *L)
{
    const pos_lua_line_t *line = pos_lua_to(L, 1, POS_LUA_LINE);
    const pos_item_t     *item;
    pos_str_t             code;
    uint32_t              i;
    bool                  yes = false;

    if (line == NULL) {
        return luaL_error(L, "call it with a colon: line:is_in(\"shoes\")");
    }
    code.data = luaL_checklstring(L, 2, &code.len);
    item = item_of(L, line);
    pos_script_work(L, item->category_count);
    for (i = 0; i < item->category_count && !yes; i++) {
        yes = pos_str_eq(item->categories[i]->code, code);
    }
    lua_pushboolean(L, yes);
    return 1;
}

/* ---- dispatch: a table of methods and field codes a class ---- */

static int
unknown_field(lua_State *L, const char *what)
{
    pos_script_push_text(L, 2);
    return luaL_error(L, "a %s has no '%s'", what, lua_tostring(L, -1));
}

/* 0: a method was pushed; else the field's code. */
static field_t
dispatch(lua_State *L, const char *what)
{
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    switch (lua_type(L, -1)) {
    case LUA_TFUNCTION:
        return 0;
    case LUA_TNUMBER:
        return (field_t) lua_tointeger(L, -1);
    default:
        unknown_field(L, what);
        return 0;
    }
}

static int
cart_index(lua_State *L)
{
    field_t field = dispatch(L, "cart");

    return field ? cart_field(L, field) : 1;
}

static int
line_index(lua_State *L)
{
    const pos_lua_line_t *line = pos_lua_to(L, 1, POS_LUA_LINE);
    field_t               field = dispatch(L, "line");

    return field ? line_field(L, line, field) : 1;
}

static int
selection_index(lua_State *L)
{
    (void) dispatch(L, "selection");
    return 1;
}

static int
place_index(lua_State *L)
{
    static const char *const names[] = { "", "time", "customer", "shipping", "ship_to" };
    const pos_lua_place_t   *place = pos_lua_to(L, 1, POS_LUA_PLACE);
    field_t                  field;

    lua_rawgeti(L, lua_upvalueindex(1), (int) place->which);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    if (lua_type(L, -1) == LUA_TFUNCTION) {
        return 1;
    }
    field = (field_t) lua_tointeger(L, -1);
    if (field == 0) {
        return unknown_field(L, names[place->which]);
    }
    return place_field(L, (place_t) place->which, field);
}

static void
add_fields(lua_State *L, const field_name_t *names)
{
    for (; names->name; names++) {
        lua_pushinteger(L, names->field);
        lua_setfield(L, -2, names->name);
    }
}

static void
add_each(lua_State *L, lua_CFunction each)
{
    lua_pushcfunction(L, each_next);
    lua_pushcclosure(L, each, 1);
    lua_setfield(L, -2, "each");
}

static void
add_methods(lua_State *L, const luaL_Reg *methods)
{
    for (; methods->name; methods++) {
        lua_pushcfunction(L, methods->func);
        lua_setfield(L, -2, methods->name);
    }
}

/* Takes the dispatch table from the stack. */
static void
set_index(lua_State *L, pos_script_vm_t *vm, pos_lua_class_t class, lua_CFunction index)
{
    lua_pushcclosure(L, index, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->metas[class]);
    lua_insert(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

static void
open_places(lua_State *L, pos_script_vm_t *vm)
{
    pos_lua_place_t *place;
    uint32_t         which;

    lua_newtable(L);
    lua_newtable(L);
    for (which = PLACE_AT; which < PLACE_COUNT; which++) {
        place = pos_lua_new(L, POS_LUA_PLACE, sizeof(*place));
        place->which = which;
        lua_rawseti(L, -3, (int) which);
        lua_newtable(L);
        add_fields(L, place_fields[which]);
        if (which == PLACE_CUSTOMER) {
            lua_pushcfunction(L, customer_member);
            lua_setfield(L, -2, "member");
        }
        lua_rawseti(L, -2, (int) which);
    }
    set_index(L, vm, POS_LUA_PLACE, place_index);
    vm->places_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

void
pos_script_open_cart(lua_State *L, pos_script_vm_t *vm)
{
    static const luaL_Reg selection_methods[] = {
        { "where", selection_where }, { "quantity", selection_quantity },
        { "amount", selection_amount }, { "distinct", selection_distinct },
        { "cheapest", selection_cheapest }, { "priciest", selection_priciest },
        { "first", selection_first }, { NULL, NULL },
    };
    int cart, selection, line;

    lua_newtable(L);
    cart = lua_gettop(L);
    add_fields(L, cart_fields);
    lua_pushcfunction(L, cart_items);
    lua_setfield(L, cart, "items");
    add_each(L, cart_each);
    lua_newtable(L);
    selection = lua_gettop(L);
    add_methods(L, selection_methods);
    add_each(L, selection_each);
    lua_newtable(L);
    line = lua_gettop(L);
    lua_pushcfunction(L, line_has_category);
    lua_setfield(L, line, "is_in");
    pos_script_add_effects(L, cart, selection);
    pos_script_add_effects(L, 0, line);
    /* A line's own unit_price is its price: the effect goes by selections. */
    add_fields(L, line_fields);
    set_index(L, vm, POS_LUA_LINE, line_index);
    set_index(L, vm, POS_LUA_SELECTION, selection_index);
    set_index(L, vm, POS_LUA_CART, cart_index);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->metas[POS_LUA_SELECTION]);
    lua_pushcfunction(L, selection_len);
    lua_setfield(L, -2, "__len");
    lua_pop(L, 1);
    open_places(L, vm);
    (void) pos_lua_new(L, POS_LUA_CART, sizeof(pos_lua_head_t));
    vm->cart_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}
