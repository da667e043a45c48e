/*
 * Typed parameters: a script declares them with defaults, a merchandiser sets
 * values without touching code.
 *
 *   settings = { percent = { type = "percent", default = 15, title = "Off" } }
 *
 * Types: percent, amount (minor units), integer, quantity, number, boolean,
 * text, list (of texts), choice (with `values`), filter. `min` and `max` bound
 * the numbers.
 */

#include "engine/script_vm.h"

typedef struct {
    lua_State    *L;
    int           declaration, value;   /* stack                            */
    const char   *name, *type;
} setting_t;

static void
bad(const setting_t *s, const char *why)
{
    luaL_error(s->L, "setting '%s': %s", s->name, why);
}

static bool
bound(const setting_t *s, const char *name, double *out)
{
    bool there;

    lua_pushstring(s->L, name);
    lua_rawget(s->L, s->declaration);
    there = lua_type(s->L, -1) == LUA_TNUMBER;
    if (!there && !lua_isnil(s->L, -1)) {
        bad(s, "min and max are numbers");
    }
    *out = there ? lua_tonumber(s->L, -1) : 0;
    lua_pop(s->L, 1);
    return there;
}

static void
check_number(const setting_t *s, bool whole, double least, double most)
{
    double  n = lua_tonumber(s->L, s->value), limit;
    int64_t scaled;

    if (lua_type(s->L, s->value) != LUA_TNUMBER
        || !(whole ? pos_script_whole(n, &scaled) : pos_script_decimal(n, &scaled)))
    {
        bad(s, whole ? "not a whole number" : "not a number with at most 4 decimals");
    }
    if (bound(s, "min", &limit) && limit > least) {
        least = limit;
    }
    if (bound(s, "max", &limit) && limit < most) {
        most = limit;
    }
    if (n < least || n > most) {
        bad(s, "out of its bounds");
    }
}

static void
check_list(const setting_t *s)
{
    lua_State *L = s->L;
    int        i, count;

    if (!lua_istable(L, s->value)) {
        bad(s, "not a list");
    }
    count = (int) lua_objlen(L, s->value);
    pos_script_work(L, (uint64_t) count);
    for (i = 1; i <= count; i++) {
        lua_rawgeti(L, s->value, i);
        if (lua_type(L, -1) != LUA_TSTRING) {
            bad(s, "not a list of texts");
        }
        lua_pop(L, 1);
    }
}

static void
check_choice(const setting_t *s)
{
    lua_State *L = s->L;
    int        i, count;
    bool       found = false;

    lua_pushliteral(L, "values");
    lua_rawget(L, s->declaration);
    if (!lua_istable(L, -1)) {
        bad(s, "a choice needs its values");
    }
    count = (int) lua_objlen(L, -1);
    pos_script_work(L, (uint64_t) count);
    for (i = 1; i <= count && !found; i++) {
        lua_rawgeti(L, -1, i);
        found = lua_rawequal(L, -1, s->value);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    if (!found) {
        bad(s, "not one of its values");
    }
}

static void
check_value(const setting_t *s)
{
    int type = lua_type(s->L, s->value);

    if (strcmp(s->type, "percent") == 0) {
        check_number(s, false, 0, 100);
    } else if (strcmp(s->type, "amount") == 0) {
        check_number(s, true, 0, 1e15);
    } else if (strcmp(s->type, "integer") == 0) {
        check_number(s, true, -1e15, 1e15);
    } else if (strcmp(s->type, "quantity") == 0) {
        check_number(s, false, 0, 1e9);
    } else if (strcmp(s->type, "number") == 0) {
        check_number(s, false, -1e11, 1e11);
    } else if (strcmp(s->type, "boolean") == 0) {
        if (type != LUA_TBOOLEAN) {
            bad(s, "neither true nor false");
        }
    } else if (strcmp(s->type, "text") == 0 || strcmp(s->type, "string") == 0) {
        if (type != LUA_TSTRING) {
            bad(s, "not a text");
        }
    } else if (strcmp(s->type, "list") == 0) {
        check_list(s);
    } else if (strcmp(s->type, "filter") == 0) {
        if (type != LUA_TTABLE) {
            bad(s, "not a filter");
        }
    } else if (strcmp(s->type, "choice") == 0) {
        check_choice(s);
    } else {
        bad(s, "its type is none of percent, amount, integer, quantity, number,"
               " boolean, text, list, choice, filter");
    }
}

/* Pushes the value in force: the given one, else the default. */
static void
push_value(setting_t *s, const pos_json_t *given)
{
    const pos_json_t *value = pos_json_get(given, s->name);

    if (value) {
        pos_script_push_json(s->L, value, false);
    } else {
        lua_pushliteral(s->L, "default");
        lua_rawget(s->L, s->declaration);
    }
    s->value = lua_gettop(s->L);
    if (lua_isnil(s->L, s->value)) {
        bad(s, "it has no default");
    }
    check_value(s);
}

static void
one_setting(lua_State *L, int settings, int values, pos_str_t name,
    const pos_json_t *given, pos_writer_t *declared)
{
    pos_script_export_t e = { .writer = declared };
    setting_t           s = { .L = L, .name = name.data };

    lua_pushlstring(L, name.data, name.len);
    lua_rawget(L, settings);
    if (!lua_istable(L, -1)) {
        bad(&s, "declared as { type = ..., default = ... }");
    }
    s.declaration = lua_gettop(L);
    lua_pushliteral(L, "type");
    lua_rawget(L, s.declaration);
    s.type = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    push_value(&s, given);
    lua_pushlstring(L, name.data, name.len);
    lua_pushvalue(L, s.value);
    lua_rawset(L, values);
    /* The declaration with its value in force, for whoever shows it. */
    lua_pushliteral(L, "value");
    lua_pushvalue(L, s.value);
    lua_rawset(L, s.declaration);
    pos_write_key_str(declared, name);
    pos_script_export(L, s.declaration, &e);
    lua_settop(L, s.declaration - 1);
}

static void
check_given(lua_State *L, int values, const pos_json_t *given)
{
    const pos_json_t *m;

    for (m = given ? given->first : NULL; m; m = m->next) {
        lua_pushlstring(L, m->key.data, m->key.len);
        lua_rawget(L, values);
        if (lua_isnil(L, -1)) {
            lua_pushlstring(L, m->key.data, m->key.len);
            luaL_error(L, "setting '%s': the script declares no such setting",
                lua_tostring(L, -1));
        }
        lua_pop(L, 1);
    }
}

void
pos_script_settings(lua_State *L, int promotion, const pos_json_t *given,
    pos_writer_t *declared)
{
    int settings, values, i, count = 0;

    lua_pushliteral(L, "settings");
    lua_rawget(L, promotion);
    if (lua_isnil(L, -1)) {
        if (given && given->count) {
            luaL_error(L, "the script declares no settings");
        }
        return;
    }
    if (!lua_istable(L, -1)) {
        luaL_error(L, "settings: not a table");
    }
    settings = lua_gettop(L);
    lua_newtable(L);
    values = lua_gettop(L);
    /* The names in byte order, by the environment's own sorted walk. */
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, settings); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_objlen(L, -2) > 63) {
            luaL_error(L, "settings: a name is text of at most 63 bytes");
        }
        lua_pushvalue(L, -2);
        lua_rawseti(L, values + 1, ++count);
    }
    pos_script_sort_names(L, values + 1);
    pos_write_object_begin(declared);
    for (i = 1; i <= count; i++) {
        pos_str_t name;

        lua_rawgeti(L, values + 1, i);
        name.data = lua_tolstring(L, -1, &name.len);
        one_setting(L, settings, values, name, given, declared);
        lua_settop(L, values + 1);
    }
    pos_write_object_end(declared);
    check_given(L, values, given);
    lua_settop(L, values);
    lua_remove(L, settings);
}
