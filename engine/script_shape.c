/*
 * A script writes its filters as literals, `{ sku = { "S1" } }`, which Lua makes
 * anew at each call. Their content as JSON says which compiled filter they are, but
 * costs more than all the rest of a short call; so what such a table looks like,
 * its bytes as it is walked, is kept beside. A table that is walked in another
 * order is another shape, and goes the long way once.
 */

#include "engine/script_vm.h"

#define SHAPES_MAX   64     /* a file */
#define TEXT_MAX     63     /* bytes: nothing is charged for a text this short */

typedef struct {
    pos_script_content_t *filter;
    uint64_t              work;
} shape_t;

typedef struct {
    char  *start;
    size_t len;
} shaping_t;

/* The string at `index` behind its length. */
static bool
add_text(lua_State *L, shaping_t *s, int index)
{
    size_t      len;
    const char *text;

    if (lua_type(L, index) != LUA_TSTRING) {
        return false;
    }
    text = lua_tolstring(L, index, &len);
    if (len > TEXT_MAX || s->len + len + 2 > POS_SCRIPT_SHAPE_MAX) {
        return false;
    }
    s->start[s->len++] = (char) len;
    memcpy(s->start + s->len, text, len);
    s->len += len;
    return true;
}

/* The list on top; a list that is not walked from 1 on is none. */
static bool
add_list(lua_State *L, shaping_t *s)
{
    int    list = lua_gettop(L), n = 0;
    size_t count = s->len++;
    bool   ok = true;

    for (lua_pushnil(L); lua_next(L, list) != 0; lua_settop(L, list + 1)) {
        ok = lua_type(L, list + 1) == LUA_TNUMBER && lua_tonumber(L, list + 1) == ++n
             && add_text(L, s, list + 2);
        if (!ok) {
            lua_settop(L, list);
            return false;
        }
    }
    s->start[count] = (char) n;
    return n > 0 && n < 32 && (size_t) n == lua_objlen(L, list);
}

size_t
pos_script_shape(lua_State *L, int index, char room[POS_SCRIPT_SHAPE_MAX])
{
    shaping_t s = { room, 0 };
    int       top = lua_gettop(L);
    bool      ok = true;

    /* As far as pos_script_export() would go for it. */
    luaL_checkstack(L, 11, "tables are nested too deep");
    for (lua_pushnil(L); ok && lua_next(L, index) != 0; lua_settop(L, top + 1)) {
        ok = lua_type(L, top + 2) == LUA_TTABLE && s.len + 1 < POS_SCRIPT_SHAPE_MAX
             && add_text(L, &s, top + 1) && add_list(L, &s);
    }
    lua_settop(L, top);
    return ok ? s.len : 0;
}

const pos_filter_t *
pos_script_of_shape(lua_State *L, pos_str_t shape)
{
    const pos_script_file_t *file = pos_script_vm_of(L)->script->file;
    const shape_t           *found = pos_map_get(&file->shapes, shape);

    if (found == NULL) {
        return NULL;
    }
    pos_script_work(L, found->work);
    pos_script_first_use(L, found->filter);
    return found->filter->out;
}

void
pos_script_keep_shape(lua_State *L, pos_str_t shape, pos_script_content_t *filter,
    uint64_t work)
{
    pos_script_file_t *file = pos_script_vm_of(L)->script->file;
    shape_t           *kept;
    pos_str_t          key;

    if (file->shape_arena == NULL) {
        pos_script_open_store(L, &file->shape_arena, 1024, &file->shapes, 8);
    }
    if (file->shapes.count >= SHAPES_MAX) {
        return;
    }
    key = pos_arena_str(file->shape_arena, shape);
    kept = pos_arena_alloc(file->shape_arena, sizeof(*kept));
    if (key.data == NULL || kept == NULL) {
        pos_script_no_memory(L);
    }
    *kept = (shape_t) { filter, work };
    if (pos_map_set(&file->shapes, key, kept, NULL) != POS_OK) {
        pos_script_no_memory(L);
    }
}
