/*
 * What the objects of a cart share; for script_cart.c, script_line.c and
 * script_selection.c only.
 *
 * A class has one table: its methods, and the codes of its fields, which start
 * at 1. All of these may raise, and need a cart unless they say otherwise.
 */

#ifndef POS_SCRIPT_CART_H
#define POS_SCRIPT_CART_H

#include "engine/script_vm.h"

typedef struct {
    const char *name;        /* NULL: the list's end                         */
    int         code;
} pos_lua_field_t;

/* ---- what any of them pushes; all answer 1 ---- */

static inline const pos_cart_t *
pos_lua_cart(lua_State *L)
{
    const pos_cart_t *cart = pos_script_vm_of(L)->cart;

    if (cart == NULL) {
        luaL_error(L, "there is no cart while a file is loaded");
    }
    return cart;
}

/* The empty text is nil. */
static inline int
pos_lua_push_str(lua_State *L, pos_str_t s)
{
    if (s.len == 0) {
        lua_pushnil(L);
    } else {
        pos_script_give(L, s);
    }
    return 1;
}

static inline int
pos_lua_push_money(lua_State *L, int64_t n)
{
    lua_pushnumber(L, (lua_Number) n);
    return 1;
}

static inline int
pos_lua_push_quantity(lua_State *L, int64_t thousandths)
{
    lua_pushnumber(L, (lua_Number) thousandths / POS_THOUSANDTHS);
    return 1;
}

/* ---- script_cart.c: tables of classes ---- */

/* Raises for the name at 2, which is none of the table `fields`. */
int pos_lua_unknown_field(lua_State *L, int fields, const char *what);
/* To the table on top. */
void pos_lua_add_fields(lua_State *L, const pos_lua_field_t *fields);

/* In a class's __index. 0: a method was pushed; else the field's code. */
static inline int
pos_lua_dispatch(lua_State *L, const char *what)
{
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    switch (lua_type(L, -1)) {
    case LUA_TFUNCTION:
        return 0;
    case LUA_TNUMBER:
        return (int) lua_tointeger(L, -1);
    default:
        return pos_lua_unknown_field(L, lua_upvalueindex(1), what);
    }
}

/* ---- script_line.c ---- */

/* A line of this cart's; raises for one of an earlier quote. */
const pos_item_t *pos_lua_line_item(lua_State *L, const pos_lua_line_t *line);
/* `units` thousandths of an item as a line; -1: all of it. */
void pos_lua_push_line(lua_State *L, uint32_t item, int64_t units);
/* is_in() and the fields, to the table on top. */
void pos_lua_add_line_members(lua_State *L);
/* The __index; its upvalue is that table. */
int pos_lua_line_index(lua_State *L);

/* Minor units of so many thousandths; -1, or more than there are: of all. */
static inline int64_t
pos_lua_units_amount(const pos_item_t *item, int64_t units)
{
    if (units < 0 || units >= item->quantity || item->measured) {
        return item->subtotal;
    }
    return item->unit_price * (units / POS_THOUSANDTHS);
}

/* ---- script_selection.c ---- */

/* The cart's items() and each(), to the table on top. */
void pos_lua_add_items(lua_State *L);
/* A selection's methods, to the table on top. */
void pos_lua_add_selection_methods(lua_State *L);
/* The __index; its upvalue is that table. And the __len. */
int pos_lua_selection_index(lua_State *L);
int pos_lua_selection_len(lua_State *L);

#endif
