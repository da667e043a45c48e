/*
 * string without patterns, rep and dump; format with few verbs and short
 * widths. The metatable of strings is sealed and leads to the same filtered
 * functions, since any literal reaches it.
 */

#define _GNU_SOURCE    /* memmem */

#include "engine/script_vm.h"

/* Plain search only: Lua's patterns run where no hook looks. */
static int
string_find(lua_State *L)
{
    size_t      len, want, start;
    const char *s = luaL_checklstring(L, 1, &len), *p, *found;
    const char *needle = luaL_checklstring(L, 2, &want);
    int         init = luaL_optint(L, 3, 1);

    if (!lua_toboolean(L, 4)) {
        for (p = needle; p < needle + want; p++) {
            if (strchr("^$*+?.([%-", *p) && *p) {
                return luaL_error(L, "find takes plain text here: give true as its"
                    " 4th argument, or use re.find");
            }
        }
    }
    if (init < 0) {
        init = (int) len + init + 1;
    }
    start = init < 1 ? 0 : (size_t) init - 1;
    if (start > len) {
        lua_pushnil(L);
        return 1;
    }
    pos_script_work(L, (len - start) / 32 + want / 32);
    found = memmem(s + start, len - start, needle, want);
    if (found == NULL) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, (lua_Integer) (found - s) + 1);
    lua_pushinteger(L, (lua_Integer) (found - s) + (lua_Integer) want);
    return 2;
}

/* Checks one "%-5.2f"; the offset behind it. */
static size_t
check_verb(lua_State *L, const char *s, size_t len, size_t i)
{
    unsigned digits = 0, number = 0;

    while (i < len && strchr("-+ #0", s[i]) && s[i]) {
        i++;
    }
    for (; i < len && ((s[i] >= '0' && s[i] <= '9') || s[i] == '.'); i++) {
        digits = s[i] == '.' ? 0 : digits + 1;
        number = s[i] == '.' ? 0 : number * 10 + (unsigned) (s[i] - '0');
        if (digits > 2) {
            luaL_error(L, "format: a width over 99");
        }
    }
    if (i >= len || s[i] == '\0' || strchr("cdiouxXeEfgGs", s[i]) == NULL) {
        luaL_error(L, "format: a verb that is not one of %%c d i o u x X e f g s");
    }
    if (strchr("eEfgG", s[i]) != NULL) {
        pos_script_work(L, 1 + number / 4);    /* each digit is a division of a long number */
    }
    return i;
}

static int
string_format(lua_State *L)
{
    size_t      len, i;
    const char *s = luaL_checklstring(L, 1, &len);
    int         argument = 1, top = lua_gettop(L);

    pos_script_work(L, len / 8);
    for (i = 0; i < len; i++) {
        if (s[i] != '%') {
            continue;
        }
        if (i + 1 < len && s[i + 1] == '%') {
            i++;
            continue;
        }
        i = check_verb(L, s, len, i + 1);
        argument++;
        if (s[i] == 's' && argument <= top) {
            /* Not Lua's own tostring, which would show an address. */
            pos_script_push_text(L, argument);
            lua_replace(L, argument);
        }
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, pos_script_vm_of(L)->format_ref);
    lua_insert(L, 1);
    lua_call(L, top, 1);
    return 1;
}

/* The C library's own, its work counted by the subject's length. Its function
 * is the upvalue. */
static int
string_counted(lua_State *L)
{
    size_t len;

    (void) luaL_checklstring(L, 1, &len);
    pos_script_work(L, len / 32);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* Numbers read as strings too ("1" .. 2), so `s` may be either. */
static int
string_len(lua_State *L)
{
    size_t len;

    (void) luaL_checklstring(L, 1, &len);
    lua_pushinteger(L, (lua_Integer) len);
    return 1;
}

static void
seal(lua_State *L, int string)
{
    lua_pushliteral(L, "");
    lua_newtable(L);
    lua_pushvalue(L, string);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_pop(L, 1);
}

void
pos_script_open_strings(lua_State *L, pos_script_vm_t *vm, int env)
{
    static const char *const counted[] = { "byte", "lower", "upper", "reverse", "sub", "char", NULL };
    int                      string, library, i;

    lua_getglobal(L, "string");
    library = lua_gettop(L);
    lua_getfield(L, library, "format");
    vm->format_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    string = lua_gettop(L);
    for (i = 0; counted[i]; i++) {
        lua_getfield(L, library, counted[i]);
        if (strcmp(counted[i], "char") != 0) {
            lua_pushcclosure(L, string_counted, 1);
        }
        lua_setfield(L, string, counted[i]);
    }
    lua_pushcfunction(L, string_find);
    lua_setfield(L, string, "find");
    lua_pushcfunction(L, string_format);
    lua_setfield(L, string, "format");
    lua_pushcfunction(L, string_len);
    lua_setfield(L, string, "len");
    seal(L, string);
    pos_lua_push_frozen(L, string);
    lua_setfield(L, env, "string");
    lua_settop(L, library - 1);
}
