/*
 * Lua values to JSON text and back. The border where numbers become exact:
 * whole numbers, or decimals of at most 4 digits; NaN and infinity have no
 * JSON. This is the one file of the engine that looks at a double, since Lua
 * has no other number.
 */

#include <stdio.h>
#include <stdlib.h>

#include "engine/script_vm.h"

bool
pos_script_whole(double number, int64_t *whole)
{
    if (!(number >= -9007199254740992.0 && number <= 9007199254740992.0)) {
        return false;
    }
    *whole = (int64_t) number;
    return (double) *whole == number;
}

/* 12.345 has no exact double; the nearest one times 10^4 is within a hair of a
 * whole number, and that whole number is what was meant. */
bool
pos_script_decimal(double number, int64_t *scaled)
{
    double  times = number * 10000.0, off;
    int64_t near;

    if (!(times >= -9e15 && times <= 9e15)) {
        return false;
    }
    near = (int64_t) (times < 0 ? times - 0.5 : times + 0.5);
    off = times - (double) near;
    if (off > 1e-6 || off < -1e-6) {
        return false;
    }
    *scaled = near;
    return true;
}

static void export_value(lua_State *L, int index, pos_script_export_t *e);

/* "when.items[2].category" of where the export stands. */
static void
place_text(const pos_script_export_t *e, char *out, size_t size)
{
    size_t   n = 0;
    uint32_t i;
    int      wrote;

    out[0] = '\0';
    for (i = 0; i < e->depth && n + 1 < size; i++) {
        if (e->path[i].key) {
            wrote = snprintf(out + n, size - n, "%s%.*s", n ? "." : "",
                (int) e->path[i].len, e->path[i].key);
        } else {
            wrote = snprintf(out + n, size - n, "[%u]", e->path[i].index);
        }
        n += wrote > 0 ? (size_t) wrote : 0;
    }
}

static void
refuse(lua_State *L, const pos_script_export_t *e, const char *why)
{
    char place[120];

    place_text(e, place, sizeof(place));
    if (place[0] == '\0') {
        luaL_error(L, "%s", why);
    }
    luaL_error(L, "%s: %s", place, why);
}

static void
export_number(lua_State *L, int index, pos_script_export_t *e)
{
    double  number = lua_tonumber(L, index);
    int64_t n;

    if (pos_script_whole(number, &n)) {
        pos_write_int(e->writer, n);
    } else if (pos_script_decimal(number, &n)) {
        pos_write_decimal(e->writer, n, 4);
    } else {
        refuse(L, e, "not a number with at most 4 decimals");
    }
}

/* An empty table says nothing of its kind; its name does. */
static bool
list_by_name(const pos_script_export_t *e)
{
    static const char *const names[] = {
        "all", "any", "bundle", "brand", "buy", "cases", "categories",
        "category", "channel", "country", "coupons", "effects", "fees",
        "fulfilment", "get", "groups", "hours", "ids", "limits", "lines",
        "methods", "region", "sku", "store", "tag", "tags", "tender",
        "tenders", "tiers", "weekdays", NULL,
    };
    const char *key = e->depth ? e->path[e->depth - 1].key : NULL;
    size_t      len = e->depth ? e->path[e->depth - 1].len : 0;
    int         i;

    for (i = 0; key && names[i]; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], key, len) == 0) {
            return true;
        }
    }
    return false;
}

static void
export_list(lua_State *L, int table, uint32_t count, pos_script_export_t *e)
{
    uint32_t i;

    pos_write_array_begin(e->writer);
    for (i = 1; i <= count; i++) {
        e->path[e->depth].key = NULL;
        e->path[e->depth].index = i;
        e->depth++;
        lua_rawgeti(L, table, (int) i);
        export_value(L, lua_gettop(L), e);
        lua_pop(L, 1);
        e->depth--;
    }
    pos_write_array_end(e->writer);
}

static int
by_bytes(const void *a, const void *b)
{
    return pos_str_cmp(*(const pos_str_t *) a, *(const pos_str_t *) b);
}

/* Lua's keywords cannot stand as names: `until_` is written for "until", and
 * `effects` for "then". */
static pos_str_t
json_name(const pos_script_export_t *e, pos_str_t key)
{
    static const char *const keywords[] = {
        "until_", "not_", "repeat_", "then_", "end_", "in_", "or_", "and_",
        NULL,
    };
    int i;

    if (e->document && e->depth == 0 && pos_str_eq(key, pos_str("effects"))) {
        return pos_str("then");
    }
    for (i = 0; keywords[i]; i++) {
        if (pos_str_eq(key, pos_str_z(keywords[i]))) {
            return pos_str_of(key.data, key.len - 1);
        }
    }
    return key;
}

static bool
left_out(const pos_script_export_t *e, pos_str_t key)
{
    return e->document && e->depth == 0
           && (pos_str_eq(key, pos_str("apply")) || pos_str_eq(key, pos_str("eligible"))
               || pos_str_eq(key, pos_str("settings")) || pos_str_eq(key, pos_str("cases")));
}

static void
export_member(lua_State *L, int table, pos_str_t key, pos_script_export_t *e)
{
    if (left_out(e, key)) {
        return;
    }
    if (!pos_script_is_text(key)) {
        refuse(L, e, "a name that is not UTF-8, or with a zero byte");
    }
    lua_pushlstring(L, key.data, key.len);
    lua_rawget(L, table);
    e->path[e->depth].key = key.data;
    e->path[e->depth].len = key.len;
    pos_write_key_str(e->writer, json_name(e, key));
    e->depth++;
    export_value(L, lua_gettop(L), e);
    e->depth--;
    lua_pop(L, 1);
}

static void
export_object(lua_State *L, int table, uint32_t count, pos_script_export_t *e)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);
    pos_str_t       *keys = pos_arena_array(vm->draft, count + 1, sizeof(*keys));
    uint32_t         i = 0;

    if (keys == NULL) {
        pos_script_no_memory(L);
    }
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        keys[i].data = lua_tolstring(L, -2, &keys[i].len);
        i++;
    }
    if (count > 1) {
        qsort(keys, count, sizeof(*keys), by_bytes);
    }
    pos_write_object_begin(e->writer);
    for (i = 0; i < count; i++) {
        export_member(L, table, keys[i], e);
    }
    pos_write_object_end(e->writer);
}

static void
export_table(lua_State *L, int table, pos_script_export_t *e)
{
    uint32_t names = 0, numbers = 0, list = (uint32_t) lua_objlen(L, table);

    if (e->depth >= POS_SCRIPT_EXPORT_DEPTH) {
        refuse(L, e, "tables are nested too deep (or in a circle)");
    }
    luaL_checkstack(L, 10, "tables are nested too deep");
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            names++;
        } else if (lua_type(L, -2) == LUA_TNUMBER) {
            numbers++;
        } else {
            refuse(L, e, "a name is neither text nor a place in a list");
        }
    }
    pos_script_work(L, 1 + names + numbers);
    if (names && numbers) {
        refuse(L, e, "mixes a list and names");
    }
    if (numbers && numbers != list) {
        refuse(L, e, "a list with holes");
    }
    if (numbers || (names == 0 && list_by_name(e))) {
        export_list(L, table, numbers, e);
    } else {
        export_object(L, table, names, e);
    }
}

/* A selection stands where a filter would: `{}` is written and the place kept,
 * so that the compiled effect gets the selection itself. */
static void
export_selection(lua_State *L, int index, pos_script_export_t *e)
{
    pos_script_hole_t *hole;
    uint32_t           at = e->depth;

    if (!e->selections || at == 0 || e->path[at - 1].key == NULL
        || e->path[at - 1].len != 5 || memcmp(e->path[at - 1].key, "items", 5) != 0)
    {
        refuse(L, e, "a selection can only be `items` of an effect");
    }
    if (e->hole_count == POS_SCRIPT_HOLES) {
        refuse(L, e, "too many selections");
    }
    hole = &e->holes[e->hole_count++];
    memset(hole, 0, sizeof(*hole));
    if (at >= 2 && e->path[at - 2].key == NULL && at >= 3 && e->path[at - 3].len < 8) {
        memcpy(hole->list, e->path[at - 3].key, e->path[at - 3].len);
        hole->index = e->path[at - 2].index - 1;
    } else if (at >= 2 && e->path[at - 2].key && e->path[at - 2].len < 8) {
        memcpy(hole->list, e->path[at - 2].key, e->path[at - 2].len);
    }
    hole->selection = pos_script_selection(L, index);
    pos_write_object_begin(e->writer);
    pos_write_object_end(e->writer);
}

static void
export_setting(lua_State *L, int index, pos_script_export_t *e)
{
    const pos_lua_setting_t *setting = lua_touserdata(L, index);

    if (e->settings == 0 || !lua_istable(L, e->settings)) {
        refuse(L, e, "the promotion declares no settings");
    }
    lua_pushlstring(L, setting->name, setting->len);
    lua_rawget(L, e->settings);
    if (lua_isnil(L, -1)) {
        refuse(L, e, "no such setting is declared");
    }
    export_value(L, lua_gettop(L), e);
    lua_pop(L, 1);
}

static void
export_object_of_ours(lua_State *L, int index, pos_script_export_t *e)
{
    switch (pos_lua_class(L, index)) {
    case POS_LUA_SELECTION:
    case POS_LUA_LINE:
        export_selection(L, index, e);
        return;
    case POS_LUA_SETTING:
        export_setting(L, index, e);
        return;
    case POS_LUA_NULL:
        pos_write_null(e->writer);
        return;
    default:
        break;
    }
    if (!pos_lua_push_plain(L, index)) {
        refuse(L, e, "the cart cannot stand in a document");
    }
    export_table(L, lua_gettop(L), e);
    lua_pop(L, 1);
}

static void
export_value(lua_State *L, int index, pos_script_export_t *e)
{
    pos_str_t s;

    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        pos_write_bool(e->writer, lua_toboolean(L, index));
        break;
    case LUA_TNUMBER:
        export_number(L, index, e);
        break;
    case LUA_TSTRING:
        s.data = lua_tolstring(L, index, &s.len);
        pos_script_work(L, s.len / 64);
        if (!pos_script_is_text(s)) {
            refuse(L, e, "a text that is not UTF-8, or with a zero byte");
        }
        pos_write_string(e->writer, s);
        break;
    case LUA_TTABLE:
        export_table(L, index, e);
        break;
    case LUA_TUSERDATA:
        export_object_of_ours(L, index, e);
        break;
    case LUA_TFUNCTION:
        refuse(L, e, "a function can only be `apply` or `eligible`");
        break;
    default:
        refuse(L, e, "not a value");
    }
    if (e->writer->status == POS_LIMIT) {
        refuse(L, e, "the document is too large");
    }
    if (e->writer->status != POS_OK) {
        pos_script_no_memory(L);
    }
}

void
pos_script_export(lua_State *L, int index, pos_script_export_t *e)
{
    e->depth = 0;
    e->hole_count = 0;
    export_value(L, index, e);
}

/* ---- and back ---- */

void
pos_script_push_json(lua_State *L, const pos_json_t *json, bool nulls)
{
    const pos_json_t *m;
    int               i = 0;

    luaL_checkstack(L, 6, "JSON is nested too deep");
    pos_script_work(L, 1 + json->count);
    switch (json->type) {
    case POS_JSON_NULL:
        if (nulls) {
            lua_rawgeti(L, LUA_REGISTRYINDEX, pos_script_vm_of(L)->null_ref);
        } else {
            lua_pushnil(L);
        }
        return;
    case POS_JSON_FALSE:
    case POS_JSON_TRUE:
        lua_pushboolean(L, json->type == POS_JSON_TRUE);
        return;
    case POS_JSON_NUMBER:
        lua_pushlstring(L, json->text.data, json->text.len);
        lua_pushnumber(L, lua_tonumber(L, -1));
        lua_remove(L, -2);
        return;
    case POS_JSON_STRING:
        pos_script_give(L, json->text);
        return;
    case POS_JSON_ARRAY:
        lua_newtable(L);
        for (m = json->first; m; m = m->next) {
            pos_script_push_json(L, m, true);
            lua_rawseti(L, -2, ++i);
        }
        return;
    default:
        lua_newtable(L);
        for (m = json->first; m; m = m->next) {
            pos_script_give(L, m->key);
            pos_script_push_json(L, m, false);
            lua_rawset(L, -3);
        }
    }
}
