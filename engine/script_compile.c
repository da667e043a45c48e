/*
 * What a script writes as tables becomes filters and effects by the same
 * decoder as the documents', once a content: a rule that runs a million times
 * compiles its filters at the first.
 */

#include "engine/script_vm.h"

#define POS_COMPILED_MAX    64              /* contents kept a file          */
#define POS_COMPILED_BYTES  (128u << 10)

char
pos_script_class_letter(pos_class_t class)
{
    return class == POS_CLASS_LINE ? 'l' : class == POS_CLASS_ORDER ? 'o' : 's';
}

void
pos_script_writer(lua_State *L, pos_writer_t *w, char kind)
{
    pos_writer_init(w, pos_script_vm_of(L)->scratch, 128, POS_SCRIPT_STRING_MAX);
    pos_write_bytes(w, pos_str_of(&kind, 1));
}

static void
refused(lua_State *L, const pos_faults_t *faults, const char *method)
{
    const pos_fault_t *fault = faults->first;

    if (fault == NULL) {
        pos_script_no_memory(L);
    }
    lua_pushlstring(L, fault->pointer.data, fault->pointer.len);
    lua_pushlstring(L, fault->message.data, fault->message.len);
    luaL_error(L, "%s: %s %s", method, lua_tostring(L, -2), lua_tostring(L, -1));
}

static pos_status_t
compile_json(char kind, const pos_json_t *json, pos_arena_t *arena,
    pos_faults_t *faults, const void **out)
{
    const pos_filter_t *filter;
    pos_effect_t       *effect;
    pos_class_t         class;
    pos_status_t        rc;

    if (kind == 'f') {
        rc = pos_filter_compile(json, pos_str(""), arena, faults, &filter);
        *out = filter;
        return rc;
    }
    class = kind == 'l' ? POS_CLASS_LINE : kind == 'o' ? POS_CLASS_ORDER : POS_CLASS_SHIPPING;
    effect = pos_arena_zalloc(arena, sizeof(*effect));
    *out = effect;
    if (effect == NULL) {
        return POS_NO_MEMORY;
    }
    return pos_effect_compile(json, class, pos_str(""), arena, faults, effect);
}

static const void *
compile_text(lua_State *L, pos_str_t text, pos_arena_t *arena, const char *method)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);
    pos_faults_t     faults;
    pos_json_t      *json;
    const void      *out = NULL;
    pos_status_t     rc;

    pos_script_work(L, 50 + text.len);
    pos_faults_init(&faults, vm->scratch);
    rc = pos_json_read(vm->reader, pos_str_of(text.data + 1, text.len - 1), vm->scratch, &faults, &json);
    if (rc == POS_OK) {
        rc = compile_json(text.data[0], json, arena, &faults, &out);
    }
    if (rc == POS_NO_MEMORY) {
        pos_script_no_memory(L);
    }
    if (rc != POS_OK) {
        refused(L, &faults, method);
    }
    return out;
}

void
pos_script_open_store(lua_State *L, pos_arena_t **arena, size_t block, pos_map_t *map,
    size_t expected)
{
    pos_arena_t *made = pos_arena_create(block, 0);
    pos_map_t    empty;

    if (made == NULL || pos_map_init(&empty, made, expected) != POS_OK) {
        pos_arena_destroy(made);
        pos_script_no_memory(L);
    }
    *map = empty;
    *arena = made;
}

/* Where contents are kept; NULL when no more are: they are then compiled for
 * the quote alone. */
static pos_map_t *
room_in(lua_State *L, pos_script_file_t *file)
{
    if (file->arena == NULL) {
        pos_script_open_store(L, &file->arena, 2048, &file->compiled, 16);
    }
    if (file->compiled.count >= POS_COMPILED_MAX
        || pos_arena_used(file->arena) > POS_COMPILED_BYTES)
    {
        return NULL;
    }
    return &file->compiled;
}

static const void *
keep(lua_State *L, pos_map_t *map, pos_arena_t *arena, pos_str_t text,
    const char *method)
{
    const void *out = compile_text(L, text, arena, method);
    pos_str_t   key = pos_arena_str(arena, text);

    if (key.data == NULL || pos_map_set(map, key, (void *) (uintptr_t) out, NULL) != POS_OK) {
        pos_script_no_memory(L);
    }
    return out;
}

const void *
pos_script_compile(lua_State *L, pos_str_t text, const char *method)
{
    pos_script_vm_t   *vm = pos_script_vm_of(L);
    pos_script_file_t *file = vm->script->file;
    pos_map_t         *map;
    const void        *out;

    pos_script_work(L, pos_script_compile_work(text));
    out = file->arena ? pos_map_get(&file->compiled, text) : NULL;
    if (out) {
        return out;
    }
    map = room_in(L, file);
    if (map == NULL) {
        pos_script_charge(L, 512 + text.len);
        return compile_text(L, text, vm->cart->arena, method);
    }
    return keep(L, map, file->arena, text, method);
}

const pos_effect_t *
pos_script_template(lua_State *L, pos_class_t class, const char *json)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);
    pos_writer_t     w;
    pos_str_t        text;
    const void      *out;
    char             key[80];
    size_t           len = strlen(json);

    if (len + 1 > sizeof(key)) {
        luaL_error(L, "a pattern of our own is too long");
    }
    key[0] = pos_script_class_letter(class);
    memcpy(key + 1, json, len);
    out = pos_map_get(&vm->templates, pos_str_of(key, len + 1));
    if (out) {
        return out;
    }
    pos_script_writer(L, &w, key[0]);
    pos_write_bytes(&w, pos_str_of(json, len));
    text = pos_writer_result(&w);
    return keep(L, &vm->templates, vm->keep, text, "effect");
}

uint32_t
pos_script_filters(const pos_script_t *script, const pos_filter_t **out, uint32_t most)
{
    const pos_map_t *map = &script->file->compiled;
    uint32_t         count = 0;

    for (size_t i = 0; script->file->arena && i <= map->mask && count < most; i++) {
        const pos_filter_t *filter = map->slots[i].value;

        if (map->slots[i].hash != 0 && map->slots[i].key.data[0] == 'f' && !filter->any) {
            out[count++] = filter;
        }
    }
    return count;
}
