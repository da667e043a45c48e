/*
 * The cart as a script sees it: read-only objects over the engine's own
 * structures. Nothing is copied into tables. Here are the cart's own fields and
 * its places (the time, the customer, shipping and where to), and how all of
 * its classes are opened; lines and selections have files of their own.
 */

#include <stdio.h>
#include <stdlib.h>

#include "engine/decode.h"
#include "engine/script_cart.h"

#define MEANT_MAX  40     /* names of a class */

typedef enum {
    PLACE_AT = 1, PLACE_CUSTOMER, PLACE_SHIPPING, PLACE_SHIP_TO, PLACE_COUNT
} place_t;

/* Field codes: numbers in a class's dispatch table, beside its methods. */
typedef enum {
    CART_SUBTOTAL = 1, CART_CURRENCY, CART_STORE, CART_CHANNEL, CART_AT,
    CART_CUSTOMER, CART_ATTRIBUTES, CART_MINOR_DIGITS, CART_COUPONS,
    CART_TENDERS, CART_FULFILMENT, CART_SHIP_TO, CART_SHIPPING, CART_SETTINGS,
    AT_YEAR, AT_MONTH, AT_DAY, AT_HOUR, AT_MINUTE, AT_SECOND, AT_WEEKDAY,
    AT_DATE, AT_MINUTES,
    CUSTOMER_ID, CUSTOMER_GROUPS, CUSTOMER_ORDERS, CUSTOMER_BIRTHDAY,
    CUSTOMER_IS_BIRTHDAY, CUSTOMER_KNOWN, CUSTOMER_TAX_EXEMPT,
    SHIPPING_METHOD, SHIPPING_AMOUNT, SHIP_COUNTRY, SHIP_REGION
} field_t;

static const pos_lua_field_t cart_fields[] = {
    { "subtotal", CART_SUBTOTAL }, { "currency", CART_CURRENCY },
    { "store", CART_STORE }, { "channel", CART_CHANNEL }, { "at", CART_AT },
    { "customer", CART_CUSTOMER }, { "attributes", CART_ATTRIBUTES },
    { "minor_digits", CART_MINOR_DIGITS }, { "coupons", CART_COUPONS },
    { "tenders", CART_TENDERS }, { "fulfilment", CART_FULFILMENT },
    { "ship_to", CART_SHIP_TO }, { "shipping", CART_SHIPPING },
    { "settings", CART_SETTINGS }, { NULL, 0 },
};

static const pos_lua_field_t place_fields[PLACE_COUNT][12] = {
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
    const pos_cart_t *cart = pos_lua_cart(L);

    switch (field) {
    case CART_SUBTOTAL:   return pos_lua_push_money(L, cart->subtotal);
    case CART_CURRENCY:   return pos_lua_push_str(L, cart->currency);
    case CART_STORE:
        return pos_lua_push_str(L, cart->store ? cart->store->code : pos_str(""));
    case CART_CHANNEL:    return pos_lua_push_str(L, cart->channel);
    case CART_AT:         return push_place(L, PLACE_AT);
    case CART_CUSTOMER:   return push_customer(L, cart);
    case CART_FULFILMENT: return pos_lua_push_str(L, cart->fulfilment);
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
    static const char *const weekdays[] = { "mon", "tue", "wed", "thu",
                                            "fri", "sat", "sun" };

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
        return pos_lua_push_str(L, cart->customer_id);
    case CUSTOMER_GROUPS:
        pos_lua_push_strings(L, cart->customer_groups.values, cart->customer_groups.count);
        return 1;
    case CUSTOMER_ORDERS:
        return cart->customer_orders < 0 ? 0 : pos_lua_push_money(L, cart->customer_orders);
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
    const pos_cart_t *cart = pos_lua_cart(L);

    switch (which) {
    case PLACE_AT:
        return at_field(L, &cart->local, field);
    case PLACE_CUSTOMER:
        return customer_field(L, cart, field);
    case PLACE_SHIPPING:
        return field == SHIPPING_METHOD ? pos_lua_push_str(L, cart->shipping_method)
                                        : pos_lua_push_money(L, cart->shipping_amount);
    default:
        return pos_lua_push_str(L, field == SHIP_COUNTRY ? cart->ship_country
                                                         : cart->ship_region);
    }
}

/* customer:member("staff") */
static int
customer_member(lua_State *L)
{
    const pos_cart_t *cart = pos_lua_cart(L);
    pos_str_t         group;

    group.data = luaL_checklstring(L, 2, &group.len);
    lua_pushboolean(L, pos_strset_has(&cart->customer_groups, group, pos_hash64(group)));
    return 1;
}

/* ---- dispatch: a table of methods and field codes a class ---- */

static int
by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* NULL: none is near. The table's own order goes by chance. */
static const char *
meant(lua_State *L, int fields, pos_str_t name)
{
    const char *names[MEANT_MAX + 1];
    uint32_t    count = 0;

    for (lua_pushnil(L); lua_next(L, fields); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING && count < MEANT_MAX) {
            names[count++] = lua_tostring(L, -2);
        }
    }
    qsort(names, count, sizeof(names[0]), by_name);
    names[count] = NULL;
    return pos_decode_meant(names, name);
}

int
pos_lua_unknown_field(lua_State *L, int fields, const char *what)
{
    const char *near;
    pos_str_t   name;

    pos_script_push_text(L, 2);
    name.data = lua_tolstring(L, -1, &name.len);
    near = meant(L, fields, name);
    if (near != NULL) {
        return luaL_error(L, "a %s has no '%s'; is '%s' meant?", what, name.data, near);
    }
    return luaL_error(L, "a %s has no '%s'", what, name.data);
}

static int
cart_index(lua_State *L)
{
    field_t field = pos_lua_dispatch(L, "cart");

    return field ? cart_field(L, field) : 1;
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
        lua_pop(L, 1);
        return pos_lua_unknown_field(L, lua_gettop(L), names[place->which]);
    }
    return place_field(L, (place_t) place->which, field);
}

void
pos_lua_add_fields(lua_State *L, const pos_lua_field_t *fields)
{
    for (; fields->name; fields++) {
        lua_pushinteger(L, fields->code);
        lua_setfield(L, -2, fields->name);
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
        pos_lua_add_fields(L, place_fields[which]);
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
    int cart, selection;

    lua_newtable(L);
    cart = lua_gettop(L);
    pos_lua_add_fields(L, cart_fields);
    pos_lua_add_items(L);
    lua_newtable(L);
    selection = lua_gettop(L);
    pos_lua_add_selection_methods(L);
    lua_newtable(L);
    pos_script_add_effects(L, cart, selection);
    pos_script_add_effects(L, 0, lua_gettop(L));
    /* A line's own unit_price is its price: the effect goes by selections. */
    pos_lua_add_line_members(L);
    set_index(L, vm, POS_LUA_LINE, pos_lua_line_index);
    set_index(L, vm, POS_LUA_SELECTION, pos_lua_selection_index);
    set_index(L, vm, POS_LUA_CART, cart_index);
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->metas[POS_LUA_SELECTION]);
    lua_pushcfunction(L, pos_lua_selection_len);
    lua_setfield(L, -2, "__len");
    lua_pop(L, 1);
    open_places(L, vm);
    (void) pos_lua_new(L, POS_LUA_CART, sizeof(pos_lua_head_t));
    vm->cart_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}
