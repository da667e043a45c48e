/*
 * json.decode(text): our own strict reader, bounded in size and depth, into
 * fresh Lua tables.
 *
 * Not lua-cjson: C modules inside a VM that runs other people's scripts are
 * where such sandboxes broke (Redis CVE-2022-24834 was cjson's), it counts
 * neither our memory nor our work, and the engine has a reader already that
 * refuses duplicate keys and bad UTF-8 the same way everywhere.
 *
 * Like cjson.safe it returns nil and a message for text that is not JSON.
 * null within a list is json.null; a member that is null is absent.
 */

#include "engine/script_vm.h"

#define POS_JSON_TEXT_MAX  (32u << 10)

static int
json_decode(lua_State *L)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);
    pos_faults_t     faults;
    pos_json_t      *root;
    pos_status_t     rc;
    pos_str_t        text;

    text.data = luaL_checklstring(L, 1, &text.len);
    if (text.len > POS_JSON_TEXT_MAX) {
        lua_pushnil(L);
        lua_pushliteral(L, "more than 32768 bytes");
        return 2;
    }
    pos_script_work(L, 20 + text.len / 8);
    pos_script_charge(L, text.len * 2);
    pos_script_need(L, pos_script_tree(text));
    pos_arena_reset(vm->draft);
    pos_faults_init(&faults, vm->draft);
    rc = pos_json_read(vm->reader, text, vm->draft, &faults, &root);
    if (rc == POS_NO_MEMORY) {
        pos_script_no_memory(L);
    }
    if (rc != POS_OK) {
        lua_pushnil(L);
        lua_pushstring(L, faults.first ? faults.first->code : "json_syntax");
        return 2;
    }
    pos_script_push_json(L, root, true);
    return 1;
}

void
pos_script_open_json(lua_State *L, pos_script_vm_t *vm, int env)
{
    lua_newtable(L);
    lua_pushcfunction(L, json_decode);
    lua_setfield(L, -2, "decode");
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->null_ref);
    lua_setfield(L, -2, "null");
    pos_lua_push_frozen(L, -1);
    lua_setfield(L, env, "json");
    lua_pop(L, 1);
}
