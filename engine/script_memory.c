/*
 * What the Lua state holds: counted at each allocation against what the call may
 * take, and collected between calls.
 */

#include "engine/script_vm.h"

#define POS_VM_IDLE  (256u << 10)   /* blocks beyond what is held are kept up to this */

static bool
power_of_two(size_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* A fresh block that is longer than `most` and looks like a string: a table's
 * hash part is 24 bytes times a power of two, its array part and the string table
 * go by eights. (The copy of a table that a script writes down with all its values
 * may have any size.) */
static bool
string_over(size_t most, size_t old, size_t size)
{
    if (old != 0 || size <= most + 64) {
        return false;
    }
    if (power_of_two(size) || (size % 24 == 0 && power_of_two(size / 24))) {
        return false;
    }
    return !(size % 8 == 0 && power_of_two(size / 8 - 1));
}

/* The hash part of a large table: numbers can be chosen as names that all lie in one chain. */
static bool
hash_over(size_t old, size_t size)
{
    return old == 0 && size > POS_SCRIPT_NAMES_LONG * 24u && size % 24 == 0 && power_of_two(size / 24);
}

/* A deep stack is refused: `f(...)` copies all of it in one instruction. */
static bool
deep_stack(const pos_script_vm_t *vm, const void *block, size_t size)
{
    return block != NULL && block == vm->stack && size > POS_SCRIPT_STACK_MAX;
}

static bool
may_grow(pos_script_vm_t *vm, const void *block, size_t old, size_t size)
{
    size_t grow = size - old;

    if (vm->phase == POS_PHASE_HOST) {
        return true;
    }
    if (grow > vm->used_max - vm->used || deep_stack(vm, block, size)
        || (vm->phase != POS_PHASE_PARSE && string_over(POS_SCRIPT_STRING_MAX, old, size)))
    {
        return false;
    }
    if ((vm->phase != POS_PHASE_PARSE && string_over(POS_SCRIPT_STRING_LONG, old, size))
        || (vm->phase == POS_PHASE_CALL && hash_over(old, size)))
    {
        pos_script_shorten(vm);
    }
    vm->used += grow;
    return true;
}

void *
pos_script_count_memory(void *ctx, void *block, size_t old, size_t size)
{
    pos_script_vm_t *vm = ctx;
    bool             buffer = block != NULL && block == vm->buffer;
    void            *p;

    if (block == NULL) {
        old = 0;
    }
    if (buffer && size != 0 && size <= vm->buffer_size) {
        return block;
    }
    if (buffer) {
        old = vm->buffer_size;    /* Lua may think that it is less */
    }
    if (size == 0) {
        if (buffer) {
            vm->buffer = NULL;
        }
        if (block == vm->stack) {
            vm->stack = NULL;
        }
        pos_pool_free(&vm->pool, block, old);
        vm->held -= old;
        return NULL;
    }
    if (size > old && !may_grow(vm, block, old, size)) {
        pos_script_note_limit(vm, "memory");
        return NULL;
    }
    p = pos_pool_resize(&vm->pool, block, old, size);
    if (p == NULL && size <= old) {
        return block;
    }
    if (p == NULL) {
        vm->host_failed = true;    /* whatever the script makes of it */
        return NULL;
    }
    vm->held = vm->held - old + size;
    if (block != NULL ? block == vm->stack : vm->threading) {
        vm->stack = p;
    }
    if (buffer || (vm->widening && power_of_two(size))) {
        vm->buffer = p;
        vm->buffer_size = size;
    }
    return p;
}

/* ---- collecting ---- */

static int
collect_all(lua_State *L)
{
    lua_gc(L, LUA_GCCOLLECT, 0);
    lua_gc(L, LUA_GCSTOP, 0);
    return 0;
}

/* The collector rests during a call; between calls it does work in proportion
 * to what the call allocated, once enough has gathered. */
static int
collect_some(lua_State *L)
{
    pos_script_vm_t *vm = lua_touserdata(L, 1);
    size_t           steps = 4 + 4 * (vm->used >> 10);

    while (steps--) {
        if (lua_gc(L, LUA_GCSTEP, 0)) {
            vm->collecting = false;
            vm->collect_at = vm->held + vm->held / 2 + (256u << 10);
            break;
        }
    }
    lua_gc(L, LUA_GCSTOP, 0);
    return 0;
}

/* LuaJIT's buffer for texts grows with them, and a collection takes half of it away: it is made
 * as wide as any text may be, and stays so (pos_script_count_memory), else what a call takes would hang on
 * the collections before it. By a text that no script knows, since it lies about until the next. */
static int
widen_buffer(lua_State *L)
{
    pos_script_vm_t *vm = lua_touserdata(L, 1);
    uint64_t         hash = pos_hash64(pos_str_of((const char *) &L, sizeof(L)));
    char             text[POS_SCRIPT_STRING_MAX];

    for (size_t i = 0; i < sizeof(text); i += sizeof(hash)) {
        hash = hash * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        memcpy(text + i, &hash, sizeof(hash));
    }
    lua_pushlstring(L, text, sizeof(text));
    lua_pushliteral(L, "-");
    vm->widening = true;
    lua_concat(L, 2);
    return 0;
}

void
pos_script_collect_some(pos_script_vm_t *vm)
{
    (void) lua_cpcall(vm->state, collect_some, vm);
    lua_settop(vm->state, 0);
}

void
pos_script_collect(pos_script_vm_t *vm)
{
    vm->phase = POS_PHASE_HOST;
    (void) lua_cpcall(vm->state, collect_all, vm);
    (void) lua_cpcall(vm->state, widen_buffer, vm);
    vm->widening = false;
    lua_settop(vm->state, 0);
    if (pos_pool_idle(&vm->pool) > vm->held + POS_VM_IDLE) {
        pos_pool_trim(&vm->pool);
    }
    vm->collecting = false;
    vm->collect_at = vm->held + vm->held / 2 + (256u << 10);
}
