/*
 * A line as a script sees it: an object of 24 bytes that only says which item
 * and how much of it, made once and used again by every later call.
 */

#include "engine/script_cart.h"

typedef enum {
    LINE_SKU = 1, LINE_NAME, LINE_QUANTITY, LINE_UNIT_PRICE, LINE_LIST_PRICE,
    LINE_AMOUNT, LINE_ON_SALE, LINE_CATEGORIES, LINE_BRAND, LINE_TAGS,
    LINE_ATTRIBUTES, LINE_COST, LINE_UNIT, LINE_MEASURED, LINE_WEIGHT
} field_t;

static const pos_lua_field_t line_fields[] = {
    { "sku", LINE_SKU }, { "name", LINE_NAME }, { "quantity", LINE_QUANTITY },
    { "unit_price", LINE_UNIT_PRICE }, { "list_price", LINE_LIST_PRICE },
    { "amount", LINE_AMOUNT }, { "on_sale", LINE_ON_SALE },
    { "categories", LINE_CATEGORIES }, { "brand", LINE_BRAND },
    { "tags", LINE_TAGS }, { "attributes", LINE_ATTRIBUTES },
    { "cost", LINE_COST }, { "unit", LINE_UNIT }, { "measured", LINE_MEASURED },
    { "weight_grams", LINE_WEIGHT }, { NULL, 0 },
};

const pos_item_t *
pos_lua_line_item(lua_State *L, const pos_lua_line_t *line)
{
    const pos_cart_t *cart = pos_lua_cart(L);

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

static int
push_cost(lua_State *L, const pos_item_t *item)
{
    const pos_cart_t *cart = pos_lua_cart(L);

    if (cart->book == NULL || !cart->book->script_cost || !pos_cost_known(cart, item->product)) {
        return 0;
    }
    return pos_lua_push_money(L, item->product->cost);
}

static int
line_field(lua_State *L, const pos_lua_line_t *line, field_t field)
{
    const pos_item_t    *item = pos_lua_line_item(L, line);
    const pos_product_t *product = item->product;

    switch (field) {
    case LINE_SKU:        return pos_lua_push_str(L, product->sku);
    case LINE_NAME:       return pos_lua_push_str(L, product->name);
    case LINE_BRAND:      return pos_lua_push_str(L, product->brand);
    case LINE_UNIT:       return pos_lua_push_str(L, product->unit);
    case LINE_UNIT_PRICE: return pos_lua_push_money(L, item->unit_price);
    case LINE_LIST_PRICE: return pos_lua_push_money(L, item->list_price);
    case LINE_AMOUNT:
        return pos_lua_push_money(L, pos_lua_units_amount(item, line->units));
    case LINE_WEIGHT:     return pos_lua_push_money(L, product->weight_grams);
    case LINE_COST:       return push_cost(L, item);
    case LINE_CATEGORIES: return push_categories(L, item);
    case LINE_QUANTITY:
        return pos_lua_push_quantity(L, line->units < 0 ? item->quantity : line->units);
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

int
pos_lua_line_index(lua_State *L)
{
    const pos_lua_line_t *line = pos_lua_to(L, 1, POS_LUA_LINE);
    field_t               field = pos_lua_dispatch(L, "line");

    return field ? line_field(L, line, field) : 1;
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

void
pos_lua_push_line(lua_State *L, uint32_t item, int64_t units)
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
    item = pos_lua_line_item(L, line);
    pos_script_work(L, item->category_count);
    for (i = 0; i < item->category_count && !yes; i++) {
        yes = pos_str_eq(item->categories[i]->code, code);
    }
    lua_pushboolean(L, yes);
    return 1;
}

void
pos_lua_add_line_members(lua_State *L)
{
    lua_pushcfunction(L, line_has_category);
    lua_setfield(L, -2, "is_in");
    pos_lua_add_fields(L, line_fields);
}
