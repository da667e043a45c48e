/*
 * The frozen environment: an allow-list. Only base, string and math of Lua's
 * libraries are opened, chosen functions are taken from them, and what they
 * left behind (globals, the registry of loaded modules, coroutine) is cleared.
 *
 * Whatever could show an address, an order by hash or the time, or call back
 * into Lua from C where no hook looks, is host-written here or is not there.
 */

#include <stdio.h>

#include "engine/script_vm.h"

/* ---- text ---- */

void
pos_script_push_text(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TSTRING:
        lua_pushvalue(L, index);
        break;
    case LUA_TNUMBER:
        lua_pushvalue(L, index);
        (void) lua_tostring(L, -1);
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
        break;
    case LUA_TNIL:
        lua_pushliteral(L, "nil");
        break;
    case LUA_TUSERDATA:
        switch (pos_lua_class(L, index)) {
        case POS_LUA_CART: lua_pushliteral(L, "cart"); break;
        case POS_LUA_LINE: lua_pushliteral(L, "line"); break;
        case POS_LUA_SELECTION: lua_pushliteral(L, "selection"); break;
        case POS_LUA_SETTING: lua_pushliteral(L, "setting"); break;
        case POS_LUA_NULL: lua_pushliteral(L, "null"); break;
        default: lua_pushliteral(L, "table");
        }
        break;
    default:
        lua_pushstring(L, lua_typename(L, lua_type(L, index)));
    }
}

static int
env_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    pos_script_push_text(L, 1);
    return 1;
}

static int
env_type(lua_State *L)
{
    int class;

    luaL_checkany(L, 1);
    class = pos_lua_class(L, 1);
    if (class == POS_LUA_FROZEN || class == POS_LUA_STRINGS || class == POS_LUA_ATTRIBUTES) {
        lua_pushliteral(L, "table");
    } else {
        lua_pushstring(L, lua_typename(L, lua_type(L, 1)));
    }
    return 1;
}

static int
digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char) (c | 32);
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

static int
number_in_base(lua_State *L, int base)
{
    size_t      len, i;
    const char *s = luaL_checklstring(L, 1, &len);
    double      n = 0;

    luaL_argcheck(L, base >= 2 && base <= 36, 2, "base out of range");
    for (i = 0; i < len && i < 64; i++) {
        if (digit_of(s[i]) >= base) {
            break;
        }
        n = n * base + digit_of(s[i]);
    }
    if (len == 0 || i < len) {
        lua_pushnil(L);
    } else {
        lua_pushnumber(L, n);
    }
    return 1;
}

static int
env_tonumber(lua_State *L)
{
    if (!lua_isnoneornil(L, 2)) {
        return number_in_base(L, luaL_checkint(L, 2));
    }
    luaL_checkany(L, 1);
    pos_script_work(L, lua_type(L, 1) == LUA_TSTRING ? lua_objlen(L, 1) / 32 : 0);
    if (lua_isnumber(L, 1)) {
        lua_pushnumber(L, lua_tonumber(L, 1));
    } else {
        lua_pushnil(L);
    }
    return 1;
}

/* ---- errors ---- */

static int
env_error(lua_State *L)
{
    int level = luaL_optint(L, 2, 1);

    lua_settop(L, 1);
    if (lua_type(L, 1) == LUA_TSTRING && level > 0) {
        luaL_where(L, level);
        lua_pushvalue(L, 1);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int
env_assert(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_toboolean(L, 1)) {
        return lua_gettop(L);
    }
    if (lua_gettop(L) < 2) {
        return luaL_error(L, "assertion failed!");
    }
    lua_settop(L, 2);
    return lua_error(L);
}

/* Catches errors, never limits: once one is hit every pcall on the way out
 * raises again. */
static int
env_pcall(lua_State *L)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);
    uint32_t         depth = vm->depth;
    int              rc;

    luaL_checkany(L, 1);
    if (depth >= POS_SCRIPT_DEPTH_MAX) {
        return luaL_error(L, "pcall is nested too deep");
    }
    vm->depth++;
    rc = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    vm->depth = depth;
    if (vm->stuck != NULL || rc == LUA_ERRMEM) {
        pos_script_stick(L, vm->stuck ? vm->stuck : "memory");
    }
    if (rc != 0) {
        pos_script_work(L, 50);    /* unwinding costs more than an instruction */
    }
    lua_pushboolean(L, rc == 0);
    lua_insert(L, 1);
    return lua_gettop(L);
}

static int
env_select(lua_State *L)
{
    int n = lua_gettop(L), i;

    if (lua_type(L, 1) == LUA_TSTRING && *lua_tostring(L, 1) == '#') {
        lua_pushinteger(L, n - 1);
        return 1;
    }
    i = luaL_checkint(L, 1);
    if (i < 0) {
        i = n + i;
    } else if (i > n) {
        i = n;
    }
    luaL_argcheck(L, i >= 1, 1, "index out of range");
    return n - i;
}

/* ---- promotions ---- */

static int
env_promotion(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    return 1;
}

static int
env_setting(lua_State *L)
{
    size_t             len;
    const char        *name = luaL_checklstring(L, 1, &len);
    pos_lua_setting_t *setting;

    luaL_argcheck(L, len > 0 && len < sizeof(setting->name), 1, "a name of 1 to 63 bytes");
    setting = pos_lua_new(L, POS_LUA_SETTING, sizeof(*setting));
    memcpy(setting->name, name, len);
    setting->len = (uint32_t) len;
    return 1;
}

static int
env_write(lua_State *L)
{
    pos_script_push_text(L, 2);
    return luaL_error(L, "a promotion has no globals of its own: write `local %s`",
        lua_tostring(L, -1));
}

/* ---- putting it together ---- */

static const luaL_Reg functions[] = {
    { "tostring", env_tostring },
    { "tonumber", env_tonumber },
    { "type", env_type },
    { "error", env_error },
    { "assert", env_assert },
    { "pcall", env_pcall },
    { "select", env_select },
    { "promotion", env_promotion },
    { "setting", env_setting },
    { NULL, NULL },
};

/* Everything of math that has one exact answer or is the C library's; no
 * random. */
static void
open_math(lua_State *L, int env)
{
    static const char *const names[] = {
        "abs", "ceil", "floor", "max", "min", "fmod", "modf", "sqrt", "pow",
        "exp", "log", "log10", "huge", "pi", NULL,
    };
    int i;

    lua_newtable(L);
    lua_getglobal(L, "math");
    for (i = 0; names[i]; i++) {
        lua_getfield(L, -1, names[i]);
        lua_setfield(L, -3, names[i]);
    }
    lua_pop(L, 1);
    pos_lua_push_frozen(L, -1);
    lua_setfield(L, env, "math");
    lua_pop(L, 1);
}

static void
open_library(lua_State *L, lua_CFunction open, const char *name)
{
    lua_pushcfunction(L, open);
    lua_pushstring(L, name);
    lua_call(L, 1, 0);
}

/* The real globals and the loaded modules are emptied, so that even a hole in
 * the environment leads nowhere. */
static void
clear_behind(lua_State *L)
{
    for (lua_pushnil(L); lua_next(L, LUA_GLOBALSINDEX); lua_pushnil(L)) {
        lua_pop(L, 1);
        lua_pushnil(L);
        lua_rawset(L, LUA_GLOBALSINDEX);
    }
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "_LOADED");
    lua_pushnil(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "_PRELOAD");
}

void
pos_script_open_env(lua_State *L, pos_script_vm_t *vm)
{
    const luaL_Reg *f;
    int             env;

    open_library(L, luaopen_base, "");
    open_library(L, luaopen_string, LUA_STRLIBNAME);
    open_library(L, luaopen_math, LUA_MATHLIBNAME);

    lua_newtable(L);
    env = lua_gettop(L);
    for (f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, env, f->name);
    }
    open_math(L, env);
    pos_script_open_strings(L, vm, env);
    pos_script_open_tables(L, env);
    pos_script_open_regex(L, env);
    pos_script_open_json(L, vm, env);

    /* What chunks get: an empty table, so that every write is refused. */
    lua_newtable(L);
    lua_newtable(L);
    lua_pushvalue(L, env);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, env_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    vm->env = luaL_ref(L, LUA_REGISTRYINDEX);
    clear_behind(L);
    lua_settop(L, env - 1);
}
