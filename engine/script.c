/*
 * The VM: one Lua state, its memory counted byte by byte (script_memory.c), its
 * instructions by a hook, the JIT off.
 *
 * The JIT is off because compiled traces never look at hooks: an endless loop
 * under it could not be stopped. A limit once hit sticks: every further
 * allocation of size, host function and instruction raises again, and the
 * host's pcall rethrows, so no script survives it.
 */

#include <stdio.h>
#include <stdlib.h>

#include "engine/decode.h"
#include "engine/script_vm.h"

#define POS_VM_HEAVY  (64u << 10)   /* a call that used more is cleaned after */

void
pos_script_limits_default(pos_script_limits_t *limits)
{
    *limits = (pos_script_limits_t) {
        .instructions = 100000,
        .call_memory = 1u << 20,
        .load_memory = 16u << 20,
        .proposals = 1000,
        .source = 64u << 10,
    };
}

/* The line of the script that runs; allocates nothing. */
static uint32_t
current_line(lua_State *L)
{
    lua_Debug debug;
    int       level;

    for (level = 0; level < 20 && lua_getstack(L, level, &debug); level++) {
        if (lua_getinfo(L, "l", &debug) && debug.currentline > 0) {
            return (uint32_t) debug.currentline;
        }
    }
    return 0;
}

void
pos_script_note_limit(pos_script_vm_t *vm, const char *limit)
{
    if (vm->stuck != NULL) {
        return;
    }
    vm->stuck = limit;
    vm->stuck_line = vm->phase >= POS_PHASE_LOAD ? current_line(vm->thread) : 0;
}

static void
instructions_over(lua_State *L, lua_Debug *debug)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);

    (void) debug;
    if (vm->phase == POS_PHASE_HOST) {
        return;
    }
    pos_script_stick(L, "instructions");
}

/* Comparing long strings, and looking along a long chain, costs time that no hook sees: a
 * call in which one comes up has a part of its instructions from then on. What it leaves is
 * collected, so that the next call makes it anew and is counted alike. */
void
pos_script_shorten(pos_script_vm_t *vm)
{
    if (vm->phase != POS_PHASE_HOST && !vm->shortened && vm->stuck == NULL) {
        vm->shortened = true;
        lua_sethook(vm->thread, instructions_over, LUA_MASKCOUNT,
            (int) (vm->limits.instructions / POS_SCRIPT_LONG_SHARE));
    }
}

int
pos_script_stick(lua_State *L, const char *limit)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);

    pos_script_note_limit(vm, limit);
    lua_sethook(L, instructions_over, LUA_MASKCOUNT, 1);
    lua_pushnil(L);
    lua_error(L);
    abort();    /* lua_error does not return; the compiler cannot know */
}

int
pos_script_no_memory(lua_State *L)
{
    pos_script_vm_of(L)->host_failed = true;
    pos_script_stick(L, "memory");
}

void
pos_script_work(lua_State *L, uint64_t n)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);

    vm->work += n;
    if (vm->phase != POS_PHASE_HOST && (vm->work > vm->work_max || vm->stuck)) {
        pos_script_stick(L, "instructions");
    }
}

void
pos_script_charge(lua_State *L, size_t bytes)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);

    if (bytes > vm->used_max - vm->used) {
        pos_script_stick(L, "memory");
    }
    vm->used += bytes;
    vm->charged += bytes;
}

void
pos_script_need(lua_State *L, size_t bytes)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);

    if (bytes > vm->used_max - vm->used) {
        pos_script_stick(L, "memory");
    }
}

void
pos_script_give(lua_State *L, pos_str_t text)
{
    if (text.len > POS_SCRIPT_STRING_LONG) {
        pos_script_shorten(pos_script_vm_of(L));
    }
    lua_pushlstring(L, text.data, text.len);
}

void
pos_script_callback(lua_State *L, int arguments, int results)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);

    if (vm->depth >= POS_SCRIPT_DEPTH_MAX) {
        luaL_error(L, "functions are nested too deep");
    }
    vm->depth++;
    lua_call(L, arguments, results);
    vm->depth--;
}

/* ---- entering ---- */

void
pos_script_message(const char *message, size_t len, char *out,
    pos_script_outcome_t *outcome)
{
    const char *p = message, *end = message + len;
    size_t      n = 0, skip = sizeof(POS_SCRIPT_CHUNK ":") - 1;

    outcome->line = 0;
    if (len > skip && memcmp(p, POS_SCRIPT_CHUNK ":", skip) == 0) {
        for (p += skip; p < end && *p >= '0' && *p <= '9'
             && outcome->line < 100000; p++)
        {
            outcome->line = outcome->line * 10 + (uint32_t) (*p - '0');
        }
        p += p < end && *p == ':';
        p += p < end && *p == ' ';
    }
    if (outcome->line) {
        n = (size_t) snprintf(out, POS_SCRIPT_TEXT_MAX, "line %u: ", outcome->line);
    }
    for (; p < end && n < POS_SCRIPT_TEXT_MAX; p++) {
        unsigned char c = (unsigned char) *p;

        /* One printable ASCII line: it goes into logs and answers. */
        out[n++] = c < 0x20 || c >= 0x7f ? '?' : (char) c;
    }
    out[n] = '\0';
    outcome->text = pos_str_of(out, n);
}

/* "attempt to call global 'tostrng' (a nil value)" */
static void
add_meant(pos_script_vm_t *vm, pos_str_t *text)
{
    static const char *const names[] = {
        "assert", "byte", "ceil", "char", "concat", "decode", "error", "find", "floor", "format", "insert", "ipairs",
        "json", "lower", "match", "math", "next", "pairs", "pcall", "promotion", "remove", "reverse", "select", "setting",
        "sort", "string", "table", "tonumber", "tostring", "type", "upper", NULL,
    };
    const char *end = strstr(text->data, "' (a nil value)"), *start = end, *near;

    if (end == NULL || strstr(text->data, "attempt to ") == NULL) {
        return;
    }
    while (start > text->data && start[-1] != '\'') {
        start--;
    }
    near = pos_decode_meant(names, pos_str_of(start, (size_t) (end - start)));
    if (near != NULL && text->len + strlen(near) + 16 < sizeof(vm->text)) {
        text->len += (size_t) snprintf(vm->text + text->len, sizeof(vm->text) - text->len, "; is '%s' meant?", near);
    }
}

static void
outcome_of(pos_script_vm_t *vm, lua_State *L, int rc, pos_script_outcome_t *out)
{
    const char *message = "";
    size_t      len = 0;

    memset(out, 0, sizeof(*out));
    out->text = pos_str("");
    if (rc == 0 && vm->stuck == NULL) {
        return;
    }
    if (vm->stuck != NULL) {
        out->failure = vm->stuck;
        out->line = vm->stuck_line;
        len = (size_t) (out->line
            ? snprintf(vm->text, sizeof(vm->text), "line %u: over the limit of %s", out->line, vm->stuck)
            : snprintf(vm->text, sizeof(vm->text), "over the limit of %s", vm->stuck));
        out->text = pos_str_of(vm->text, len);
        return;
    }
    out->failure = rc == LUA_ERRMEM ? "memory" : "error";
    if (rc == LUA_ERRMEM) {
        vm->host_failed = true;
        message = "no memory";
        len = strlen(message);
    } else if (lua_type(L, -1) == LUA_TSTRING) {
        message = lua_tolstring(L, -1, &len);
    } else {
        message = "an error that is not text";
        len = strlen(message);
    }
    pos_script_message(message, len, vm->text, out);
    add_meant(vm, &out->text);
}

/* The last block that a new thread takes is its stack. */
static void
push_thread(lua_State *L, pos_script_vm_t *vm)
{
    vm->threading = true;
    vm->thread = lua_newthread(L);
    vm->threading = false;
    lua_checkstack(vm->thread, 64);
}

static int
new_thread(lua_State *L)
{
    pos_script_vm_t *vm = lua_touserdata(L, 1);

    push_thread(L, vm);
    lua_rawseti(L, LUA_REGISTRYINDEX, vm->thread_ref);
    return 0;
}

static bool
heavy(const pos_script_vm_t *vm)
{
    return vm->used - vm->charged > POS_VM_HEAVY;
}

static void
rest(pos_script_vm_t *vm)
{
    vm->collecting |= vm->held > vm->collect_at;
    if (heavy(vm) || vm->stuck || vm->shortened) {
        /* A fresh stack and no garbage: what this call left (a grown stack,
         * strings already made) must not make the next one cheaper, or it
         * would not replay. */
        (void) lua_cpcall(vm->state, new_thread, vm);
        lua_settop(vm->state, 0);
        pos_script_collect(vm);
        vm->held_clean = vm->held;
    } else if (vm->collecting) {
        pos_script_collect_some(vm);
    }
}

void
pos_script_enter(pos_script_vm_t *vm, pos_script_phase_t phase, size_t memory,
    lua_CFunction body, void *arg, pos_script_outcome_t *out)
{
    lua_State *L = vm->thread;
    int        rc;

    vm->stuck = NULL;
    vm->host_failed = false;
    vm->shortened = false;
    vm->threading = false;
    vm->used = vm->charged = 0;
    vm->used_max = memory;
    vm->work = 0;
    vm->work_max = vm->limits.instructions;
    if (vm->cart) {
        vm->work_max += 20 * (uint64_t) vm->cart->item_count;
    }
    vm->depth = 0;
    vm->matches = NULL;
    vm->contents.slots = NULL;
    vm->serial = vm->serial == UINT32_MAX ? 1 : vm->serial + 1;
    lua_sethook(L, instructions_over, LUA_MASKCOUNT, (int) vm->limits.instructions);
    vm->phase = phase;
    rc = lua_cpcall(L, body, arg);
    vm->phase = POS_PHASE_HOST;
    outcome_of(vm, L, rc, out);
    lua_settop(L, 0);
    pos_arena_reset(vm->scratch);
    pos_arena_reset(vm->draft);
    rest(vm);
}

/* ---- life ---- */

static int
open_vm(lua_State *L)
{
    pos_script_vm_t *vm = lua_touserdata(L, 1);

    lua_gc(L, LUA_GCSTOP, 0);
    if (!luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF)) {
        return luaL_error(L, "the JIT cannot be turned off");
    }
    lua_newtable(L);
    vm->pool_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    push_thread(L, vm);
    vm->thread_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    /* So that the registry's free list exists: luaL_unref then never allocates
     * and may be called outside a protected call. */
    lua_pushboolean(L, 1);
    luaL_unref(L, LUA_REGISTRYINDEX, luaL_ref(L, LUA_REGISTRYINDEX));

    pos_script_open_views(L, vm);
    pos_script_open_env(L, vm);
    pos_script_open_cart(L, vm);
    return 0;
}

static pos_status_t
open_state(pos_script_vm_t *vm)
{
    /* Where memory runs out within it, lua_newstate() reads through a pointer to nothing. */
    if (!pos_pool_reserve(&vm->pool)) {
        return POS_NO_MEMORY;
    }
    vm->state = lua_newstate(pos_script_count_memory, vm);
    if (!pos_pool_unreserve(&vm->pool) || vm->state == NULL || lua_cpcall(vm->state, open_vm, vm) != 0) {
        return POS_NO_MEMORY;
    }
    lua_settop(vm->state, 0);
    pos_script_collect(vm);
    vm->held_base = vm->held_clean = vm->held;
    return POS_OK;
}

pos_status_t
pos_script_vm_create(const pos_script_limits_t *limits, pos_script_vm_t **out)
{
    pos_script_vm_t *vm = calloc(1, sizeof(*vm));
    pos_status_t     rc;

    *out = NULL;
    if (vm == NULL) {
        return POS_NO_MEMORY;
    }
    vm->limits = *limits;
    vm->reader = pos_json_reader_create(POS_SCRIPT_EXPORT_MAX);
    vm->scratch = pos_arena_create(16u << 10, 0);
    vm->draft = pos_arena_create(16u << 10, 0);
    vm->keep = pos_arena_create(4u << 10, 0);
    rc = vm->reader && vm->scratch && vm->draft && vm->keep
         ? pos_map_init(&vm->templates, vm->keep, 16) : POS_NO_MEMORY;
    if (rc == POS_OK) {
        rc = pos_script_regexes_create(vm);
    }
    if (rc == POS_OK) {
        rc = open_state(vm);
    }
    if (rc != POS_OK) {
        pos_script_vm_destroy(vm);
        return rc;
    }
    *out = vm;
    return POS_OK;
}

void
pos_script_vm_destroy(pos_script_vm_t *vm)
{
    if (vm == NULL) {
        return;
    }
    vm->phase = POS_PHASE_HOST;
    if (vm->state) {
        lua_close(vm->state);
    }
    pos_pool_destroy(&vm->pool);
    pos_script_regexes_destroy(vm);
    if (vm->reader) {
        pos_json_reader_destroy(vm->reader);
    }
    if (vm->scratch) {
        pos_arena_destroy(vm->scratch);
    }
    if (vm->draft) {
        pos_arena_destroy(vm->draft);
    }
    if (vm->keep) {
        pos_arena_destroy(vm->keep);
    }
    free(vm);
}

size_t
pos_script_vm_held(const pos_script_vm_t *vm)
{
    return vm->held + pos_pool_idle(&vm->pool);
}

uint32_t
pos_script_calls(const pos_script_vm_t *vm)
{
    return vm ? vm->serial : 0;
}

const char *
pos_script_limit_hit(const pos_script_vm_t *vm)
{
    return vm ? vm->stuck : NULL;
}

/* ---- calling ---- */

static int
call_body(lua_State *L)
{
    pos_script_vm_t *vm = lua_touserdata(L, 1);
    pos_script_t    *script = vm->script;

    if (script->eligible != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, script->eligible);
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->cart_ref);
        lua_call(L, 1, 1);
        if (!lua_toboolean(L, -1)) {
            vm->result->eligible = false;
            return 0;
        }
        lua_pop(L, 1);
    }
    if (script->apply != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, script->apply);
        lua_rawgeti(L, LUA_REGISTRYINDEX, vm->cart_ref);
        lua_call(L, 1, 0);
    }
    return 0;
}

static void
failed(pos_script_vm_t *vm, const pos_cart_t *cart,
    const pos_script_outcome_t *outcome, pos_script_result_t *out)
{
    out->failed = true;
    out->failure = outcome->failure;
    out->failure_text = pos_arena_str(cart->arena, outcome->text);
    out->effect_count = 0;
    out->explain_reason = pos_str("");
    out->explain_missing = pos_str("");
    vm->host_failed |= out->failure_text.data == NULL;
}

static pos_status_t
keep_out(pos_script_vm_t *vm, const pos_cart_t *cart, pos_script_result_t *out)
{
    pos_script_outcome_t outcome = { .failure = "quarantined" };

    outcome.text = pos_str("quarantined: it once ran for longer than a script may");
    vm->stuck = NULL;
    vm->host_failed = false;
    failed(vm, cart, &outcome, out);
    return vm->host_failed ? POS_NO_MEMORY : POS_OK;
}

/* Whoever asks for a quote chooses the cart's size, and shall not have a promotion suspended by
 * it: a limit that a script hits on more lines than this says nothing of the script. */
#define TELLING_LINES  100

/* Nor by trying drafts beside it. */
static void
count_failure(pos_script_t *script, const pos_script_vm_t *vm, const pos_cart_t *cart, bool failed)
{
    if (cart->trial) {
        return;
    }
    script->untold = failed && vm->stuck != NULL && cart->line_count > TELLING_LINES;
    if (!script->untold) {
        script->failures = failed ? script->failures + 1 : 0;
    }
}

static void
empty_result(pos_script_result_t *out)
{
    memset(out, 0, sizeof(*out));
    out->eligible = true;
    out->explain_reason = pos_str("");
    out->explain_missing = pos_str("");
    out->failure_text = pos_str("");
}

/* Texts that calls before have left need not be made again, so one that takes much memory
 * would come to its limit later: where what is left could make the difference, it is called
 * once more with nothing left. */
static void
call(pos_script_vm_t *vm, pos_script_outcome_t *outcome)
{
    size_t left = vm->held > vm->held_clean ? vm->held - vm->held_clean : 0;

    vm->effect_room = 0;
    pos_script_enter(vm, POS_PHASE_CALL, vm->limits.call_memory, call_body, vm, outcome);
    if (left > vm->used_max - vm->used && heavy(vm) && !vm->host_failed) {
        empty_result(vm->result);
        vm->effect_room = 0;
        pos_script_enter(vm, POS_PHASE_CALL, vm->limits.call_memory, call_body, vm, outcome);
    }
}

pos_status_t
pos_script_apply(pos_script_vm_t *vm, pos_script_t *script,
    const pos_promotion_t *promotion, const pos_cart_t *cart,
    pos_script_result_t *out)
{
    pos_script_outcome_t outcome;
    const char          *changed;

    empty_result(out);
    if (pos_script_quarantined(vm, script->file)) {
        script->failures = 0;
        return keep_out(vm, cart, out);
    }
    vm->file = script->file;
    vm->cart = cart;
    vm->script = script;
    vm->result = out;
    vm->promotion = promotion;
    call(vm, &outcome);
    vm->promotion = NULL;

    changed = pos_script_guard(vm, script->file);
    if (changed != NULL && outcome.failure == NULL) {
        outcome.failure = "error";
        outcome.text = pos_str_of(vm->text, (size_t) snprintf(vm->text,
            sizeof(vm->text), "a promotion keeps nothing between quotes:"
            " local '%.60s' was changed", changed));
    }
    count_failure(script, vm, cart, outcome.failure != NULL);
    if (outcome.failure != NULL) {
        failed(vm, cart, &outcome, out);
    }
    vm->file = NULL;
    vm->cart = NULL;
    vm->script = NULL;
    vm->result = NULL;
    return vm->host_failed ? POS_NO_MEMORY : POS_OK;
}

uint32_t
pos_script_failures(const pos_script_t *script)
{
    return script->untold ? 0 : script->failures;
}

const uint8_t *
pos_script_source(const pos_script_t *script)
{
    return script->file->source;
}
