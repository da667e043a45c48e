/*
 * Read-only views. LuaJIT has no read-only tables, so what scripts must not
 * change is shown to them through userdata: the libraries, a file's own
 * tables once it is loaded, lists and maps of the cart.
 *
 * After a file is loaded, everything its functions can reach is frozen, and
 * the local variables they hold are noted: a call that changes one is an
 * error and the value is put back, so no quote depends on the one before.
 */

#include "engine/script_vm.h"

#define POS_NUMBERS_FREE  256    /* names that are numbers, looked up for nothing */
#define POS_NUMBERS_STEP  64     /* of them, for a step of work               */

static const char *const class_names[POS_LUA_CLASSES] = {
    "table", "table", "table", "cart", "table", "line", "selection",
    "setting", "null",
};

void *
pos_lua_new(lua_State *L, pos_lua_class_t class, size_t size)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);
    pos_lua_head_t  *head = lua_newuserdata(L, size);

    memset(head, 0, size);
    head->class = class;
    head->serial = vm->phase == POS_PHASE_CALL ? vm->serial : 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->metas[class]);
    lua_setmetatable(L, -2);
    return head;
}

int
pos_lua_class(lua_State *L, int index)
{
    const pos_lua_head_t *head;

    if (lua_type(L, index) != LUA_TUSERDATA) {
        return -1;
    }
    head = lua_touserdata(L, index);
    return (int) head->class;
}

void *
pos_lua_to(lua_State *L, int index, pos_lua_class_t class)
{
    pos_lua_head_t *head;

    if (lua_type(L, index) != LUA_TUSERDATA) {
        return NULL;
    }
    head = lua_touserdata(L, index);
    if (head->class != (uint32_t) class) {
        return NULL;
    }
    if (head->serial != 0 && head->serial != pos_script_vm_of(L)->serial) {
        luaL_error(L, "a %s of an earlier quote", class_names[class]);
    }
    return head;
}

void
pos_lua_push_frozen(lua_State *L, int index)
{
    if (index < 0) {
        index = lua_gettop(L) + index + 1;
    }
    (void) pos_lua_new(L, POS_LUA_FROZEN, sizeof(pos_lua_frozen_t));
    lua_pushvalue(L, index);
    lua_setfenv(L, -2);
}

void
pos_lua_push_strings(lua_State *L, const pos_str_t *values, uint32_t count)
{
    pos_lua_strings_t *list = pos_lua_new(L, POS_LUA_STRINGS, sizeof(*list));

    list->values = values;
    list->count = count;
}

void
pos_lua_push_attributes(lua_State *L, const pos_attribute_t *list,
    uint32_t count, const pos_attribute_t *behind, uint32_t behind_count)
{
    pos_lua_attributes_t *map = pos_lua_new(L, POS_LUA_ATTRIBUTES, sizeof(*map));

    map->list = list;
    map->count = count;
    map->behind = behind;
    map->behind_count = behind_count;
}

static void
plain_strings(lua_State *L, const pos_lua_strings_t *list)
{
    uint32_t i;

    pos_script_work(L, list->count);
    lua_newtable(L);
    for (i = 0; i < list->count; i++) {
        pos_script_give(L, list->values[i]);
        lua_rawseti(L, -2, (int) i + 1);
    }
}

static void
plain_attributes(lua_State *L, const pos_attribute_t *list, uint32_t count)
{
    uint32_t i;

    pos_script_work(L, count);
    for (i = 0; i < count; i++) {
        pos_script_give(L, list[i].name);
        pos_script_give(L, list[i].value);
        lua_rawset(L, -3);
    }
}

bool
pos_lua_push_plain(lua_State *L, int index)
{
    const pos_lua_attributes_t *map;
    const pos_lua_strings_t    *list;

    if (lua_type(L, index) == LUA_TTABLE) {
        lua_pushvalue(L, index);
        return true;
    }
    if (pos_lua_to(L, index, POS_LUA_FROZEN)) {
        lua_getfenv(L, index);
        return true;
    }
    list = pos_lua_to(L, index, POS_LUA_STRINGS);
    if (list) {
        plain_strings(L, list);
        return true;
    }
    map = pos_lua_to(L, index, POS_LUA_ATTRIBUTES);
    if (map) {
        lua_newtable(L);
        plain_attributes(L, map->behind, map->behind_count);
        plain_attributes(L, map->list, map->count);
        return true;
    }
    return false;
}

/* ---- their metatables ---- */

/* Numbers can be chosen as names that LuaJIT all keeps in one chain. */
static int
frozen_index(lua_State *L)
{
    const pos_lua_frozen_t *frozen = lua_touserdata(L, 1);

    if (frozen->numbers > POS_NUMBERS_FREE && lua_type(L, 2) == LUA_TNUMBER) {
        pos_script_work(L, frozen->numbers / POS_NUMBERS_STEP);
    }
    lua_getfenv(L, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}

static int
frozen_len(lua_State *L)
{
    lua_getfenv(L, 1);
    lua_pushinteger(L, (lua_Integer) lua_objlen(L, -1));
    return 1;
}

static int
read_only(lua_State *L)
{
    int class = pos_lua_class(L, 1);

    return luaL_error(L, "this %s is read-only",
        class < 0 ? "table" : class_names[class]);
}

static int
strings_index(lua_State *L)
{
    const pos_lua_strings_t *list = pos_lua_to(L, 1, POS_LUA_STRINGS);
    lua_Number               n = lua_type(L, 2) == LUA_TNUMBER ? lua_tonumber(L, 2) : 0;
    uint32_t                 i;

    if (!(n >= 1 && n <= list->count)) {
        return 0;
    }
    i = (uint32_t) n;
    if ((lua_Number) i != n) {
        return 0;
    }
    pos_script_give(L, list->values[i - 1]);
    return 1;
}

static int
strings_len(lua_State *L)
{
    const pos_lua_strings_t *list = pos_lua_to(L, 1, POS_LUA_STRINGS);

    lua_pushinteger(L, (lua_Integer) list->count);
    return 1;
}

static bool
push_attribute(lua_State *L, const pos_attribute_t *list, uint32_t count,
    pos_str_t name)
{
    uint32_t i;

    for (i = 0; i < count; i++) {
        if (pos_str_eq(list[i].name, name)) {
            pos_script_give(L, list[i].value);
            return true;
        }
    }
    return false;
}

static int
attributes_index(lua_State *L)
{
    const pos_lua_attributes_t *map = pos_lua_to(L, 1, POS_LUA_ATTRIBUTES);
    pos_str_t                   name;

    if (lua_type(L, 2) != LUA_TSTRING) {
        return 0;
    }
    pos_script_work(L, map->count + map->behind_count);
    name.data = lua_tolstring(L, 2, &name.len);
    return push_attribute(L, map->list, map->count, name)
           || push_attribute(L, map->behind, map->behind_count, name);
}

static void
class_meta(lua_State *L, pos_script_vm_t *vm, pos_lua_class_t class,
    lua_CFunction index, lua_CFunction len)
{
    lua_newtable(L);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pushcfunction(L, read_only);
    lua_setfield(L, -2, "__newindex");
    if (index) {
        lua_pushcfunction(L, index);
        lua_setfield(L, -2, "__index");
    }
    if (len) {
        lua_pushcfunction(L, len);
        lua_setfield(L, -2, "__len");
    }
    vm->metas[class] = luaL_ref(L, LUA_REGISTRYINDEX);
}

void
pos_script_open_views(lua_State *L, pos_script_vm_t *vm)
{
    int class;

    class_meta(L, vm, POS_LUA_FROZEN, frozen_index, frozen_len);
    class_meta(L, vm, POS_LUA_STRINGS, strings_index, strings_len);
    class_meta(L, vm, POS_LUA_ATTRIBUTES, attributes_index, NULL);
    for (class = POS_LUA_CART; class < POS_LUA_CLASSES; class++) {
        class_meta(L, vm, (pos_lua_class_t) class, NULL, NULL);
    }
    (void) pos_lua_new(L, POS_LUA_NULL, sizeof(pos_lua_head_t));
    vm->null_ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* ---- freezing what a file's functions reach ---- */

typedef struct {
    lua_State *L;
    int        memo, guards;
    int        depth;
} freeze_t;

static void freeze_function(freeze_t *f, int function);

/* Kept from loading on, a long text would come up in no call. */
static void
check_text(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TSTRING && lua_objlen(L, index) > POS_SCRIPT_STRING_LONG) {
        luaL_error(L, "a text of %d bytes is kept for the calls; at most %d",
            (int) lua_objlen(L, index), (int) POS_SCRIPT_STRING_LONG);
    }
}

static bool
outside_list(lua_State *L, int index, size_t list)
{
    return lua_type(L, index) == LUA_TNUMBER
           && !(lua_tonumber(L, index) >= 1 && lua_tonumber(L, index) <= (lua_Number) list);
}

/* Replaces the table on top of the stack by its view, frozen all through. */
static void
freeze_table(freeze_t *f)
{
    lua_State        *L = f->L;
    int               table = lua_gettop(L);
    size_t            list = lua_objlen(L, table);
    pos_lua_frozen_t *view;

    lua_pushvalue(L, table);
    lua_rawget(L, f->memo);
    if (!lua_isnil(L, -1)) {
        lua_replace(L, table);
        return;
    }
    lua_pop(L, 1);
    pos_lua_push_frozen(L, table);
    view = lua_touserdata(L, -1);
    lua_pushvalue(L, table);
    lua_pushvalue(L, -2);
    lua_rawset(L, f->memo);
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        view->numbers += outside_list(L, -2, list);
        check_text(L, -1);
        check_text(L, -2);
        if (lua_type(L, -1) == LUA_TTABLE) {
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            if (++f->depth > 60) {
                luaL_error(L, "tables are nested too deep");
            }
            luaL_checkstack(L, 20, "tables are nested too deep");
            freeze_table(f);
            f->depth--;
            lua_rawset(L, table);
        } else if (lua_type(L, -1) == LUA_TFUNCTION) {
            freeze_function(f, lua_gettop(L));
        }
    }
    lua_replace(L, table);
}

/* Notes a local once, however many functions share it. */
static void
freeze_local(freeze_t *f, int function, int n)
{
    lua_State *L = f->L;
    int        value = lua_gettop(L), count;

    check_text(L, value);
    if (lua_type(L, value) == LUA_TTABLE) {
        freeze_table(f);
        lua_pushvalue(L, value);
        lua_setupvalue(L, function, n);
    } else if (lua_type(L, value) == LUA_TFUNCTION) {
        freeze_function(f, value);
    }
    lua_pushlightuserdata(L, lua_upvalueid(L, function, n));
    lua_rawget(L, f->memo);
    if (!lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return;
    }
    lua_pop(L, 1);
    lua_pushlightuserdata(L, lua_upvalueid(L, function, n));
    lua_pushboolean(L, 1);
    lua_rawset(L, f->memo);
    count = (int) lua_objlen(L, f->guards);
    lua_pushvalue(L, function);
    lua_rawseti(L, f->guards, count + 1);
    lua_pushinteger(L, n);
    lua_rawseti(L, f->guards, count + 2);
    /* A nil would leave a hole: a light userdata stands in, which no script
     * can hold. */
    lua_pushvalue(L, value);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushlightuserdata(L, pos_script_vm_of(L));
    }
    lua_rawseti(L, f->guards, count + 3);
}

static void
freeze_function(freeze_t *f, int function)
{
    lua_State *L = f->L;
    int        n;

    lua_pushvalue(L, function);
    lua_rawget(L, f->memo);
    if (!lua_isnil(L, -1) || lua_iscfunction(L, function)) {
        lua_pop(L, 1);
        return;
    }
    lua_pop(L, 1);
    lua_pushvalue(L, function);
    lua_pushboolean(L, 1);
    lua_rawset(L, f->memo);
    if (++f->depth > 60) {
        luaL_error(L, "functions are nested too deep");
    }
    luaL_checkstack(L, 20, "functions are nested too deep");
    for (n = 1; lua_getupvalue(L, function, n) != NULL; n++) {
        freeze_local(f, function, n);
        lua_pop(L, 1);
    }
    f->depth--;
}

void
pos_script_freeze(lua_State *L, int function, int memo, int guards)
{
    freeze_t f = { L, memo, guards, 0 };

    freeze_function(&f, function);
}

void
pos_script_freeze_table(lua_State *L, int memo, int guards)
{
    freeze_t f = { L, memo, guards, 0 };

    freeze_table(&f);
}

/* To the bit: 0 and -0 are equal, and can be told apart. */
static bool
same_value(lua_State *L, int a, int b)
{
    lua_Number x, y;

    if (lua_type(L, a) != LUA_TNUMBER || lua_type(L, b) != LUA_TNUMBER) {
        return lua_rawequal(L, a, b);
    }
    x = lua_tonumber(L, a);
    y = lua_tonumber(L, b);
    return memcmp(&x, &y, sizeof(x)) == 0;
}

const char *
pos_script_guard(pos_script_vm_t *vm, const pos_script_file_t *file)
{
    lua_State  *L = vm->state;
    const char *changed = NULL, *name;
    uint32_t    i;
    int         n;

    if (file->guard_count == 0) {
        return NULL;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, file->guards);
    for (i = 0; i < file->guard_count; i++) {
        lua_rawgeti(L, 1, (int) (3 * i) + 1);
        lua_rawgeti(L, 1, (int) (3 * i) + 2);
        n = (int) lua_tointeger(L, 3);
        lua_rawgeti(L, 1, (int) (3 * i) + 3);
        if (lua_type(L, 4) == LUA_TLIGHTUSERDATA) {
            lua_pushnil(L);
            lua_replace(L, 4);
        }
        name = lua_getupvalue(L, 2, n);
        if (!same_value(L, 4, 5)) {
            changed = name;
            lua_pop(L, 1);
            lua_setupvalue(L, 2, n);
        }
        lua_settop(L, 1);
    }
    lua_settop(L, 0);
    return changed;
}
