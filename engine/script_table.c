/*
 * Tables: walks in one fixed order (numbers, then names in byte order), and
 * insert, remove, sort and concat whose work is bounded and counted.
 */

#include <stdlib.h>

#include "engine/script_vm.h"

#define POS_TABLE_MAX  20000    /* elements of a list to sort, join or walk */

/* Pushes the plain table behind argument 1. */
static int
argument_table(lua_State *L)
{
    if (!pos_lua_push_plain(L, 1)) {
        luaL_checktype(L, 1, LUA_TTABLE);
    }
    return lua_gettop(L);
}

/* ---- merge sort of indices: always n log n, whatever the comparator says ---- */

typedef struct {
    lua_State *L;
    int        values;      /* table of what is compared                    */
    int        less;        /* function, or 0: < of numbers or of texts     */
} order_t;

static bool
comes_before(const order_t *o, uint32_t a, uint32_t b)
{
    lua_State *L = o->L;
    bool       yes;

    pos_script_work(L, 1);
    if (o->less) {
        lua_pushvalue(L, o->less);
        lua_rawgeti(L, o->values, (int) a);
        lua_rawgeti(L, o->values, (int) b);
        pos_script_callback(L, 2, 1);
        yes = lua_toboolean(L, -1);
        lua_pop(L, 1);
        return yes;
    }
    lua_rawgeti(L, o->values, (int) a);
    lua_rawgeti(L, o->values, (int) b);
    if (lua_type(L, -1) != lua_type(L, -2)
        || (lua_type(L, -1) != LUA_TNUMBER && lua_type(L, -1) != LUA_TSTRING))
    {
        luaL_error(L, "attempt to compare %s with %s",
            luaL_typename(L, -2), luaL_typename(L, -1));
    }
    yes = lua_lessthan(L, -2, -1);
    lua_pop(L, 2);
    return yes;
}

static void
merge(const order_t *o, uint32_t *to, const uint32_t *from, uint32_t start,
    uint32_t middle, uint32_t end)
{
    uint32_t a = start, b = middle, i;

    for (i = start; i < end; i++) {
        if (b >= end || (a < middle && !comes_before(o, from[b], from[a]))) {
            to[i] = from[a++];
        } else {
            to[i] = from[b++];
        }
    }
}

/* The indices 1 … n in order; in the VM's scratch memory. */
static uint32_t *
sorted(order_t *o, uint32_t n)
{
    uint32_t *from, *to, *swap, i, width;

    if (pos_script_vm_of(o->L)->phase != POS_PHASE_HOST) {
        pos_script_charge(o->L, 2 * (n + 1) * sizeof(*from));
    }
    from = pos_arena_array(pos_script_vm_of(o->L)->scratch, 2 * (n + 1), sizeof(*from));
    if (from == NULL) {
        pos_script_no_memory(o->L);
    }
    to = from + n + 1;
    for (i = 0; i < n; i++) {
        from[i] = i + 1;
    }
    for (width = 1; width < n; width *= 2) {
        for (i = 0; i < n; i += 2 * width) {
            uint32_t middle = i + width < n ? i + width : n;
            uint32_t end = i + 2 * width < n ? i + 2 * width : n;

            merge(o, to, from, i, middle, end);
        }
        swap = from;
        from = to;
        to = swap;
    }
    return from;
}

static void
sort_list(lua_State *L, int table, int less)
{
    order_t         o = { .L = L, .less = less };
    uint32_t        n = (uint32_t) lua_objlen(L, table), i;
    const uint32_t *order;

    if (n > POS_TABLE_MAX) {
        luaL_error(L, "sort: more than %d elements", POS_TABLE_MAX);
    }
    pos_script_work(L, n);
    lua_newtable(L);    /* not of n at once: that would count as a long string */
    o.values = lua_gettop(L);
    for (i = 1; i <= n; i++) {
        lua_rawgeti(L, table, (int) i);
        lua_rawseti(L, o.values, (int) i);
    }
    order = sorted(&o, n);
    for (i = 0; i < n; i++) {
        lua_rawgeti(L, o.values, (int) order[i]);
        lua_rawseti(L, table, (int) i + 1);
    }
    lua_settop(L, o.values - 1);
}

void
pos_script_sort_names(lua_State *L, int table)
{
    sort_list(L, table, 0);
}

static int
table_sort(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TFUNCTION);
    }
    lua_settop(L, 2);
    sort_list(L, 1, lua_isnil(L, 2) ? 0 : 2);
    return 0;
}

static int
table_insert(lua_State *L)
{
    int n, at, i;

    luaL_checktype(L, 1, LUA_TTABLE);
    n = (int) lua_objlen(L, 1);
    switch (lua_gettop(L)) {
    case 2:
        at = n + 1;
        break;
    case 3:
        at = luaL_checkint(L, 2);
        luaL_argcheck(L, at >= 1 && at <= n + 1, 2, "outside the list");
        break;
    default:
        return luaL_error(L, "wrong number of arguments to 'insert'");
    }
    pos_script_work(L, (uint64_t) (n + 1 - at) / 4);
    for (i = n; i >= at; i--) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, 1, i + 1);
    }
    lua_rawseti(L, 1, at);
    return 0;
}

static int
table_remove(lua_State *L)
{
    int n, at, i;

    luaL_checktype(L, 1, LUA_TTABLE);
    n = (int) lua_objlen(L, 1);
    at = luaL_optint(L, 2, n);
    if (n == 0 || at < 1 || at > n) {
        return 0;
    }
    pos_script_work(L, (uint64_t) (n - at) / 4);
    lua_rawgeti(L, 1, at);
    for (i = at; i < n; i++) {
        lua_rawgeti(L, 1, i + 1);
        lua_rawseti(L, 1, i);
    }
    lua_pushnil(L);
    lua_rawseti(L, 1, n);
    return 1;
}

static int
table_concat(lua_State *L)
{
    size_t      len;
    const char *between;
    luaL_Buffer buffer;
    int         table, first, last;
    long        i;

    lua_settop(L, 4);
    between = luaL_optlstring(L, 2, "", &len);
    first = luaL_optint(L, 3, 1);
    table = argument_table(L);
    last = luaL_optint(L, 4, (int) lua_objlen(L, table));
    if (last - (long) first >= POS_TABLE_MAX) {
        return luaL_error(L, "concat: more than %d elements", POS_TABLE_MAX);
    }
    luaL_buffinit(L, &buffer);
    for (i = first; i <= last; i++) {
        pos_script_work(L, 1 + len / 64);
        lua_rawgeti(L, table, (int) i);
        if (!lua_isstring(L, -1)) {
            return luaL_error(L, "concat: element %d is no text", (int) i);
        }
        luaL_addvalue(&buffer);
        if (i < last) {
            luaL_addlstring(&buffer, between, len);
        }
    }
    luaL_pushresult(&buffer);
    return 1;
}

/* ---- walking ---- */

static int
ipairs_step(lua_State *L)
{
    lua_Integer i = lua_tointeger(L, 2) + 1;

    lua_pushinteger(L, i);
    if (lua_type(L, 1) == LUA_TTABLE) {
        lua_rawgeti(L, 1, (int) i);
    } else {
        lua_pushinteger(L, i);
        lua_gettable(L, 1);
    }
    return lua_isnil(L, -1) ? 0 : 2;
}

static void
check_list(lua_State *L)
{
    int class = pos_lua_class(L, 1);

    if (class != POS_LUA_FROZEN && class != POS_LUA_STRINGS) {
        luaL_checktype(L, 1, LUA_TTABLE);
    }
}

static int
table_ipairs(lua_State *L)
{
    check_list(L);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

/* Where a key stands in the order: numbers, texts, booleans. */
static int
rank(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:  return 1;
    case LUA_TSTRING:  return 2;
    case LUA_TBOOLEAN: return 3;
    default:
        return luaL_error(L, "only tables whose keys are numbers, texts or"
                             " booleans can be walked");
    }
}

static bool
key_before(lua_State *L, int a, int b)
{
    int ra = rank(L, a), rb = rank(L, b);

    if (ra != rb) {
        return ra < rb;
    }
    return ra == 3 ? !lua_toboolean(L, a) && lua_toboolean(L, b) : lua_lessthan(L, a, b);
}

static int
compare_keys(lua_State *L)
{
    lua_pushboolean(L, key_before(L, 1, 2));
    return 1;
}

/* pairs' iterator: upvalues are the plain table, the sorted keys, the place, and the call,
 * since one that is kept from loading on would tell quotes apart. */
static int
pairs_step(lua_State *L)
{
    int i = (int) lua_tointeger(L, lua_upvalueindex(3));

    if (lua_tonumber(L, lua_upvalueindex(4)) != pos_script_vm_of(L)->serial) {
        return luaL_error(L, "a walk through a table that began before this quote");
    }

    for (;;) {
        lua_rawgeti(L, lua_upvalueindex(2), ++i);
        if (lua_isnil(L, -1)) {
            return 0;
        }
        lua_pushvalue(L, -1);
        lua_rawget(L, lua_upvalueindex(1));
        if (!lua_isnil(L, -1)) {
            lua_pushinteger(L, i);
            lua_replace(L, lua_upvalueindex(3));
            return 2;
        }
        lua_pop(L, 2);
    }
}

static int
table_pairs(lua_State *L)
{
    int table = argument_table(L), keys, n = 0;

    lua_newtable(L);
    keys = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        (void) rank(L, -2);
        if (++n > POS_TABLE_MAX) {
            return luaL_error(L, "pairs: more than %d elements", POS_TABLE_MAX);
        }
        pos_script_work(L, 1);
        lua_pushvalue(L, -2);
        lua_rawseti(L, keys, n);
    }
    lua_pushcfunction(L, compare_keys);
    sort_list(L, keys, keys + 1);
    lua_settop(L, keys);
    lua_pushinteger(L, 0);
    lua_pushnumber(L, pos_script_vm_of(L)->serial);
    lua_pushcclosure(L, pairs_step, 4);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* next(t, key): the least key behind `key` in pairs' order. */
static int
table_next(lua_State *L)
{
    int  table, best;
    bool first;

    lua_settop(L, 2);
    table = argument_table(L);
    lua_pushnil(L);
    best = lua_gettop(L);
    first = lua_isnil(L, 2);
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        int key = lua_gettop(L) - 1;

        pos_script_work(L, 1);
        if ((first ? rank(L, key) > 0 : key_before(L, 2, key))
            && (lua_isnil(L, best) || key_before(L, key, best)))
        {
            lua_pushvalue(L, key);
            lua_replace(L, best);
        }
    }
    if (lua_isnil(L, best)) {
        return 1;
    }
    lua_pushvalue(L, best);
    lua_pushvalue(L, best);
    lua_rawget(L, table);
    return 2;
}

void
pos_script_open_tables(lua_State *L, int env)
{
    static const luaL_Reg functions[] = {
        { "insert", table_insert },
        { "remove", table_remove },
        { "sort", table_sort },
        { "concat", table_concat },
        { NULL, NULL },
    };
    const luaL_Reg *f;

    lua_newtable(L);
    for (f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
    pos_lua_push_frozen(L, -1);
    lua_setfield(L, env, "table");
    lua_pop(L, 1);
    lua_pushcfunction(L, ipairs_step);
    lua_pushcclosure(L, table_ipairs, 1);
    lua_setfield(L, env, "ipairs");
    lua_pushcfunction(L, table_pairs);
    lua_setfield(L, env, "pairs");
    lua_pushcfunction(L, table_next);
    lua_setfield(L, env, "next");
}
