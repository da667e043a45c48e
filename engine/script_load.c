/*
 * A source becomes promotions: parsed, run once in the sandbox, and what it
 * returns taken as JSON documents with handles to their functions.
 */

#include <stdio.h>
#include <stdlib.h>

#include "engine/script_vm.h"

#define POS_LOAD_MEMORY  (4u << 20)    /* the parser and the chunk, at least */

typedef struct {
    pos_script_vm_t        *vm;
    pos_str_t               source;
    const pos_json_t       *settings;
    pos_arena_t            *arena;
    pos_script_file_t      *file;
    pos_script_promotion_t *items;
    uint32_t                count;
    bool                    syntax;     /* the parser refused it            */
    uint32_t                column;
} load_t;

/* ---- handles ---- */

static void
file_release(pos_script_file_t *file)
{
    if (--file->refs > 0) {
        return;
    }
    luaL_unref(file->vm->state, LUA_REGISTRYINDEX, file->guards);
    if (file->arena) {
        pos_arena_destroy(file->arena);
    }
    pos_arena_destroy(file->shape_arena);
    free(file);
}

void
pos_script_release(pos_script_t *script)
{
    lua_State *L;

    if (script == NULL || --script->refs > 0) {
        return;
    }
    L = script->file->vm->state;
    luaL_unref(L, LUA_REGISTRYINDEX, script->apply);
    luaL_unref(L, LUA_REGISTRYINDEX, script->eligible);
    luaL_unref(L, LUA_REGISTRYINDEX, script->settings);
    file_release(script->file);
    free(script);
}

static pos_script_file_t *
file_create(pos_script_vm_t *vm, pos_str_t source)
{
    pos_script_file_t *file = calloc(1, sizeof(*file));

    if (file) {
        file->vm = vm;
        file->refs = 1;
        file->guards = LUA_NOREF;
        pos_sha256(source, file->source);
    }
    return file;
}

static pos_script_t *
script_create(pos_script_file_t *file)
{
    pos_script_t *script = calloc(1, sizeof(*script));

    if (script) {
        script->file = file;
        script->refs = 1;
        script->apply = script->eligible = script->settings = LUA_NOREF;
        file->refs++;
    }
    return script;
}

/* ---- taking what the chunk returned ---- */

/* Pushes the function of that name; false (nothing pushed): there is none. */
static bool
push_function(lua_State *L, int promotion, const char *name)
{
    lua_pushstring(L, name);
    lua_rawget(L, promotion);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    if (lua_type(L, -1) != LUA_TFUNCTION || lua_iscfunction(L, -1)) {
        luaL_error(L, "%s: not a function of the script", name);
    }
    return true;
}

static int
take_function(lua_State *L, int promotion, const char *name, int memo, int guards)
{
    int ref = LUA_NOREF;

    if (push_function(L, promotion, name)) {
        pos_script_freeze(L, lua_gettop(L), memo, guards);
        ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    return ref;
}

static bool
has(lua_State *L, int promotion, const char *name)
{
    bool there = push_function(L, promotion, name);

    lua_pop(L, there ? 1 : 0);
    return there;
}

static pos_str_t
export_member(lua_State *L, load_t *load, int promotion, const char *name)
{
    pos_script_export_t e = { 0 };
    pos_writer_t        w;
    pos_str_t           text = pos_str("");

    lua_pushstring(L, name);
    lua_rawget(L, promotion);
    if (!lua_isnil(L, -1)) {
        if (!lua_istable(L, -1) || (lua_objlen(L, -1) == 0)) {
            luaL_error(L, "%s: not a list", name);
        }
        pos_writer_init(&w, load->arena, 1024, POS_SCRIPT_EXPORT_MAX);
        e.writer = &w;
        pos_script_export(L, lua_gettop(L), &e);
        text = pos_writer_result(&w);
    }
    lua_pop(L, 1);
    return text;
}

static void
take_document(lua_State *L, load_t *load, int promotion, int values,
    pos_script_promotion_t *out)
{
    pos_script_export_t e = { .settings = values, .document = true };
    pos_writer_t        w;
    pos_str_t           id;

    pos_writer_init(&w, load->arena, 1024, POS_SCRIPT_EXPORT_MAX);
    e.writer = &w;
    pos_script_export(L, promotion, &e);
    out->document = pos_writer_result(&w);
    lua_pushliteral(L, "id");
    lua_rawget(L, promotion);
    out->id = pos_str("");
    if (lua_type(L, -1) == LUA_TSTRING) {
        id.data = lua_tolstring(L, -1, &id.len);
        out->id = pos_arena_str(load->arena, id);
        if (out->id.data == NULL) {
            pos_script_no_memory(L);
        }
    }
    lua_pop(L, 1);
}

/* The document, while nothing is frozen yet. Leaves the settings' values (or
 * nil) on the stack. */
static void
take_data(lua_State *L, load_t *load, int promotion, pos_script_promotion_t *out)
{
    pos_writer_t w;
    int          values;

    if (lua_type(L, promotion) != LUA_TTABLE) {
        luaL_error(L, "the file returns something that is no promotion");
    }
    out->settings = pos_str("");
    pos_writer_init(&w, load->arena, 256, POS_SCRIPT_EXPORT_MAX);
    pos_script_settings(L, promotion, load->settings, &w);
    values = lua_gettop(L);
    if (lua_istable(L, values)) {
        out->settings = pos_writer_result(&w);
    }
    take_document(L, load, promotion, values, out);
    out->cases = export_member(L, load, promotion, "cases");
}

static void
take_code(lua_State *L, load_t *load, int promotion, int values, int memo,
    int guards, pos_script_promotion_t *out)
{
    if (!has(L, promotion, "apply") && !has(L, promotion, "eligible")) {
        return;
    }
    out->script = script_create(load->file);
    if (out->script == NULL) {
        pos_script_no_memory(L);
    }
    out->script->apply = take_function(L, promotion, "apply", memo, guards);
    out->script->eligible = take_function(L, promotion, "eligible", memo, guards);
    if (lua_istable(L, values)) {
        lua_pushvalue(L, values);
        pos_script_freeze_table(L, memo, guards);
        out->script->settings = luaL_ref(L, LUA_REGISTRYINDEX);
    }
}

/* Pushes the i-th promotion's plain table. */
static void
push_promotion(lua_State *L, int result, bool list, uint32_t i)
{
    if (!list) {
        lua_pushvalue(L, result);
        return;
    }
    lua_rawgeti(L, result, (int) i + 1);
    if (pos_lua_push_plain(L, -1)) {
        lua_remove(L, -2);
    }
}

static bool
is_list(lua_State *L, int result)
{
    bool list;

    lua_rawgeti(L, result, 1);
    list = lua_type(L, -1) == LUA_TTABLE;
    lua_pop(L, 1);
    return list;
}

static void
take_result(lua_State *L, load_t *load, int result)
{
    int      memo, guards, kept;
    uint32_t i, count;
    bool     list;

    if (lua_type(L, result) != LUA_TTABLE) {
        luaL_error(L, "the file returns no promotion: end it with `return promotion { ... }`");
    }
    list = is_list(L, result);
    count = list ? (uint32_t) lua_objlen(L, result) : 1;
    if (count > 1000) {
        luaL_error(L, "more than 1000 promotions in one file");
    }
    load->items = pos_arena_array(load->arena, count, sizeof(*load->items));
    if (load->items == NULL) {
        pos_script_no_memory(L);
    }
    load->count = count;
    lua_newtable(L);
    memo = lua_gettop(L);
    lua_newtable(L);
    guards = memo + 1;
    lua_newtable(L);
    kept = guards + 1;
    for (i = 0; i < load->count; i++) {
        push_promotion(L, result, list, i);
        take_data(L, load, kept + 1, &load->items[i]);
        lua_rawseti(L, kept, (int) i + 1);
        lua_settop(L, kept);
    }
    for (i = 0; i < load->count; i++) {
        push_promotion(L, result, list, i);
        lua_rawgeti(L, kept, (int) i + 1);
        take_code(L, load, kept + 1, kept + 2, memo, guards, &load->items[i]);
        lua_settop(L, kept);
    }
    lua_settop(L, guards);
    load->file->guard_count = (uint32_t) (lua_objlen(L, guards) / 3);
    load->file->guards = luaL_ref(L, LUA_REGISTRYINDEX);
}

static int
load_body(lua_State *L)
{
    load_t          *load = lua_touserdata(L, 1);
    pos_script_vm_t *vm = load->vm;
    int              rc;

    rc = luaL_loadbufferx(L, load->source.data, load->source.len, "=" POS_SCRIPT_CHUNK, "t");
    if (rc != 0) {
        load->syntax = rc == LUA_ERRSYNTAX;
        if (load->syntax) {
            pos_script_outcome_t at;
            char                 text[POS_SCRIPT_TEXT_MAX + 1];
            const char          *message = lua_tostring(L, -1);

            pos_script_message(message, strlen(message), text, &at);
            load->column = pos_script_error_column(L, load->source, message, at.line);
        }
        return lua_error(L);
    }
    vm->phase = POS_PHASE_LOAD;
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm->env);
    lua_setfenv(L, -2);
    lua_call(L, 0, 1);
    take_result(L, load, lua_gettop(L));
    return 0;
}

/* ---- the door ---- */

static pos_status_t
fault_at(pos_faults_t *faults, pos_str_t base, const char *code, uint32_t line,
    uint32_t column, const char *message)
{
    pos_fault_t **last = faults->last;

    (void) pos_fault(faults, base, code, "%s", message);
    if (last && *last) {
        (*last)->line = line;
        (*last)->column = column;
    }
    return POS_INVALID;
}

/* What is wrong with the text before Lua sees it. */
static pos_status_t
check_source(const pos_script_vm_t *vm, pos_str_t source, pos_str_t base,
    pos_faults_t *faults)
{
    const char *code, *why;
    uint32_t    line, column;
    size_t      at;

    if (source.len > vm->limits.source) {
        return pos_fault(faults, base, "script_too_large",
            "the script has %zu bytes; at most %zu", source.len, vm->limits.source);
    }
    if (source.len && source.data[0] == LUA_SIGNATURE[0]) {
        return fault_at(faults, base, "script_bytecode", 1, 1,
            "this is bytecode; only source text is taken");
    }
    if (source.len && memchr(source.data, 0, source.len)) {
        return pos_fault(faults, base, "script_syntax", "a zero byte in the source");
    }
    at = pos_script_not_taken(source, &code, &why);
    if (at) {
        pos_script_place(source, at - 1, &line, &column);
        return fault_at(faults, base, code, line, column, why);
    }
    return POS_OK;
}

/* "line 3: text" says the line twice beside the fault's own. */
static const char *
without_line(const pos_script_outcome_t *outcome)
{
    const char *text = outcome->text.data, *colon = strstr(text, ": ");

    return outcome->line && colon ? colon + 2 : text;
}

/* In place of "unexpected symbol near 'then'". */
static pos_status_t
reserved_name(load_t *load, pos_str_t word, bool member, uint32_t line, pos_str_t base,
    pos_faults_t *faults)
{
    char text[160];

    (void) snprintf(text, sizeof(text), "%.*s is a word of Lua's own and cannot be a name: write [\"%.*s\"]%s",
        (int) word.len, word.data, (int) word.len, word.data,
        member ? " without the dot" : pos_str_eq(word, pos_str("then")) ? " = ..., or effects = ..." : " = ...");
    return fault_at(faults, base, "script_syntax", line, load->column, text);
}

static pos_status_t
load_failed(load_t *load, const pos_script_outcome_t *outcome, pos_str_t base,
    pos_faults_t *faults)
{
    const char *code = "script_error";
    uint32_t    line = outcome->line;
    pos_str_t   word;
    bool        member = false;

    if (load->vm->host_failed) {
        return POS_NO_MEMORY;
    }
    if (load->syntax) {
        code = "script_syntax";
        word = pos_script_reserved_name(load->source, outcome->line, &load->column, &member);
        if (word.len > 0) {
            return reserved_name(load, word, member, outcome->line, base, faults);
        }
    } else if (strcmp(outcome->failure, "error") != 0) {
        code = "script_limit";
    }
    if (load->column == 0) {
        pos_script_error_place(load->source, without_line(outcome), &line, &load->column);
    }
    return fault_at(faults, base, code, line, load->column, without_line(outcome));
}

static void
drop(load_t *load)
{
    uint32_t i;

    for (i = 0; i < load->count; i++) {
        pos_script_release(load->items[i].script);
        load->items[i].script = NULL;
    }
}

/* Garbage is not held against a retailer: it is collected before refusing. */
static bool
over_load_memory(pos_script_vm_t *vm)
{
    size_t most = vm->held_base + vm->limits.load_memory;

    if (vm->held > most) {
        pos_script_collect(vm);
    }
    return vm->held > most;
}

pos_status_t
pos_script_load(pos_script_vm_t *vm, pos_str_t source, pos_str_t name,
    const pos_json_t *settings, pos_str_t base, pos_arena_t *arena,
    pos_faults_t *faults, pos_script_promotion_t **out, uint32_t *count)
{
    load_t               load = { .vm = vm, .source = source, .settings = settings, .arena = arena };
    pos_script_outcome_t outcome;
    pos_status_t         rc = check_source(vm, source, base, faults);
    size_t               memory = 4 * vm->limits.call_memory;

    *out = NULL;
    *count = 0;
    if (rc != POS_OK) {
        return rc;
    }
    load.file = file_create(vm, source);
    if (load.file == NULL) {
        return POS_NO_MEMORY;
    }
    if (pos_script_quarantined(vm, load.file)) {
        file_release(load.file);
        return pos_fault(faults, base, "script_quarantined",
            "this source once ran for longer than a script may and is not run again");
    }
    memory = memory < POS_LOAD_MEMORY ? POS_LOAD_MEMORY : memory;
    vm->file = load.file;
    vm->loading = name;
    pos_script_enter(vm, POS_PHASE_PARSE, memory, load_body, &load, &outcome);
    vm->file = NULL;
    if (outcome.failure != NULL) {
        rc = load_failed(&load, &outcome, base, faults);
    } else if (over_load_memory(vm)) {
        rc = pos_fault(faults, base, "script_limit",
            "the retailer's scripts hold more than %zu bytes", vm->limits.load_memory);
    }
    if (rc != POS_OK) {
        drop(&load);
    }
    file_release(load.file);
    if (rc == POS_OK) {
        *out = load.items;
        *count = load.count;
    }
    return rc;
}
