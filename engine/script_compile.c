/*
 * What a script writes as tables becomes filters and effects by the same
 * decoder as the documents', once a content: a rule that runs a million times
 * compiles its filters at the first.
 */

#include "base/utf8.h"
#include "engine/script_vm.h"

#define POS_COMPILED_MAX    64              /* contents kept a file          */
#define POS_COMPILED_BYTES  (128u << 10)

char
pos_script_class_letter(pos_class_t class)
{
    return class == POS_CLASS_LINE ? 'l' : class == POS_CLASS_ORDER ? 'o' : 's';
}

bool
pos_script_is_text(pos_str_t text)
{
    size_t i, n;

    for (i = 0; i < text.len; i += n) {
        n = text.data[i] == '\0' ? 0 : pos_utf8_len(text.data + i, text.len - i);
        if (n == 0) {
            return false;
        }
    }
    return true;
}

void
pos_script_writer(lua_State *L, pos_writer_t *w, char kind)
{
    pos_writer_init(w, pos_script_vm_of(L)->draft, 128, POS_SCRIPT_STRING_MAX);
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

    pos_faults_init(&faults, vm->draft);
    rc = pos_json_read(vm->reader, pos_str_of(text.data + 1, text.len - 1), vm->draft, &faults, &json);
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

/* ---- contents ---- */

/* Nodes are counted by what stands before each. */
size_t
pos_script_tree(pos_str_t text)
{
    size_t nodes = 1;

    for (size_t i = 0; i < text.len; i++) {
        nodes += text.data[i] == ',' || text.data[i] == '[' || text.data[i] == '{';
    }
    return nodes * sizeof(pos_json_t) + 2 * text.len;
}

/* A script must not fare differently because an earlier call has compiled for it. */
static void
charge_first(lua_State *L, size_t len, size_t tree)
{
    pos_script_work(L, 50 + len);
    pos_script_charge(L, 512 + 8 * len);
    pos_script_need(L, tree);
}

void
pos_script_first_use(lua_State *L, pos_script_content_t *content)
{
    uint32_t serial = pos_script_vm_of(L)->serial;

    if (content->serial != serial) {
        charge_first(L, content->len, content->tree);
        content->serial = serial;
    }
}

/* Contents are kept in the file, up to a number; the others in the call. */
static bool
room_in(lua_State *L, pos_script_file_t *file)
{
    if (file->arena == NULL) {
        pos_script_open_store(L, &file->arena, 2048, &file->compiled, 16);
    }
    return file->compiled.count < POS_COMPILED_MAX && pos_arena_used(file->arena) <= POS_COMPILED_BYTES;
}

static pos_script_content_t *
keep(lua_State *L, pos_map_t *map, pos_arena_t *arena, pos_arena_t *keys, pos_str_t text, const char *method)
{
    pos_script_content_t *content;
    const void           *out = compile_text(L, text, arena, method);
    pos_str_t             key = pos_arena_str(keys, text);

    content = pos_arena_alloc(keys, sizeof(*content));
    if (key.data == NULL || content == NULL || pos_map_set(map, key, content, NULL) != POS_OK) {
        pos_script_no_memory(L);
    }
    *content = (pos_script_content_t) { .out = out, .len = text.len, .tree = pos_script_tree(text), .serial = pos_script_vm_of(L)->serial,
        .kept = arena == keys };
    return content;
}

static pos_script_content_t *
for_this_call(lua_State *L, pos_str_t text, const char *method)
{
    pos_script_vm_t      *vm = pos_script_vm_of(L);
    pos_script_content_t *content;

    if (vm->contents.slots == NULL && pos_map_init(&vm->contents, vm->scratch, 16) != POS_OK) {
        pos_script_no_memory(L);
    }
    content = pos_map_get(&vm->contents, text);
    if (content == NULL) {
        charge_first(L, text.len, pos_script_tree(text));
        content = keep(L, &vm->contents, vm->cart->arena, vm->scratch, text, method);
    }
    return content;
}

pos_script_content_t *
pos_script_compile(lua_State *L, pos_str_t text, const char *method)
{
    pos_script_vm_t      *vm = pos_script_vm_of(L);
    pos_script_file_t    *file = vm->script->file;
    pos_script_content_t *content;

    pos_script_work(L, pos_script_compile_work(text));
    content = file->arena ? pos_map_get(&file->compiled, text) : NULL;
    if (content) {
        pos_script_first_use(L, content);
        return content;
    }
    if (!room_in(L, file)) {
        return for_this_call(L, text, method);
    }
    charge_first(L, text.len, pos_script_tree(text));
    return keep(L, &file->compiled, file->arena, file->arena, text, method);
}

const pos_effect_t *
pos_script_template(lua_State *L, pos_class_t class, const char *json)
{
    pos_script_vm_t *vm = pos_script_vm_of(L);
    pos_script_content_t *content;
    char             key[80];
    size_t           len = strlen(json);

    if (len + 1 > sizeof(key)) {
        luaL_error(L, "a pattern of our own is too long");
    }
    key[0] = pos_script_class_letter(class);
    memcpy(key + 1, json, len);
    content = pos_map_get(&vm->templates, pos_str_of(key, len + 1));
    if (content == NULL) {
        content = keep(L, &vm->templates, vm->keep, vm->keep, pos_str_of(key, len + 1), "effect");
    }
    return content->out;
}

uint32_t
pos_script_filters(const pos_script_t *script, const pos_filter_t **out, uint32_t most)
{
    const pos_map_t *map = &script->file->compiled;
    uint32_t         count = 0;

    for (size_t i = 0; script->file->arena && i <= map->mask && count < most; i++) {
        const pos_script_content_t *content = map->slots[i].value;
        const pos_filter_t         *filter = map->slots[i].hash != 0 ? content->out : NULL;

        if (filter != NULL && map->slots[i].key.data[0] == 'f' && !filter->any) {
            out[count++] = filter;
        }
    }
    return count;
}
