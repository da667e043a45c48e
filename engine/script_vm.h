/*
 * Inside of the sandbox, for engine/script*.c only.
 *
 * Rules of the house here:
 * - nothing of Lua is called but under pos_script_enter (a lua_cpcall), the
 *   marshalling of arguments and results included: any of it may raise;
 * - a C function reachable by a script never calls back into Lua without
 *   counting depth, and charges its own loops (pos_script_work), since the
 *   count hook sees bytecode only;
 * - every full userdata is ours (scripts cannot make one) and starts with
 *   pos_lua_head_t.
 */

#ifndef POS_SCRIPT_VM_H
#define POS_SCRIPT_VM_H

#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>

#include "base/hash.h"
#include "base/json_write.h"
#include "engine/script.h"
#include "engine/script_pool.h"

#define POS_SCRIPT_CHUNK         "script"     /* "script:12: message"        */
#define POS_SCRIPT_TEXT_MAX      240          /* bytes of a failure's text   */
#define POS_SCRIPT_DEPTH_MAX     40           /* Lua → C → Lua nesting       */
#define POS_SCRIPT_STRING_MAX    (32u << 10)  /* one string, in a call       */
#define POS_SCRIPT_STRING_LONG   (4u << 10)   /* one that leaves a call …    */
#define POS_SCRIPT_LONG_SHARE    8            /* … this part of its instructions */
#define POS_SCRIPT_NAMES_LONG    2048         /* names of a table likewise    */
#define POS_SCRIPT_STACK_MAX     (48u << 10)  /* bytes of the stack it runs on */
#define POS_SCRIPT_EXPORT_DEPTH  16
#define POS_SCRIPT_EXPORT_MAX    (256u << 10) /* bytes of a document's JSON  */

typedef enum {
    POS_PHASE_HOST,     /* no script runs: nothing is counted               */
    POS_PHASE_PARSE,    /* the parser: memory is counted                    */
    POS_PHASE_LOAD,     /* a file's chunk runs and its result is taken      */
    POS_PHASE_CALL      /* eligible or apply runs over a cart               */
} pos_script_phase_t;

typedef enum {
    POS_LUA_FROZEN,     /* a read-only view of a table                      */
    POS_LUA_STRINGS,    /* a read-only list of strings                      */
    POS_LUA_ATTRIBUTES, /* a read-only map of strings                       */
    POS_LUA_CART,
    POS_LUA_PLACE,      /* cart.at, .customer, .shipping, .ship_to          */
    POS_LUA_LINE,
    POS_LUA_SELECTION,
    POS_LUA_SETTING,    /* setting "name": replaced when the file is taken  */
    POS_LUA_NULL,       /* json.null                                        */
    POS_LUA_CLASSES
} pos_lua_class_t;

/* What JSON text compiled to. What it is charged in a call is the same whether it was met in
 * an earlier one or not. */
typedef struct {
    const void *out;        /* a filter or an effect                        */
    size_t      len;        /* of the text                                  */
    size_t      tree;       /* bytes that reading it took                   */
    uint32_t    serial;     /* of the last call that was charged for it     */
    bool        kept;       /* as long as the file; else for this call      */
} pos_script_content_t;

typedef struct {
    uint32_t class;     /* pos_lua_class_t                                  */
    uint32_t serial;    /* of the call it belongs to; 0: of all             */
} pos_lua_head_t;

typedef struct {
    pos_lua_head_t        head;
    uint32_t              numbers; /* of its names, beside those of its list  */
    pos_script_content_t *filter;  /* compiled when first used as one; lives in
                                      the file's arena, as long as the view   */
    uint64_t              work;    /* that using it as one is charged         */
} pos_lua_frozen_t;

typedef struct {
    pos_lua_head_t   head;
    uint32_t         count;
    const pos_str_t *values;
} pos_lua_strings_t;

/* Two lists; the first one's names win (a line's over its product's). */
typedef struct {
    pos_lua_head_t         head;
    uint32_t               count, behind_count;
    const pos_attribute_t *list, *behind;
} pos_lua_attributes_t;

typedef struct {
    pos_lua_head_t head;
    uint32_t       which;
} pos_lua_place_t;

typedef struct {
    pos_lua_head_t head;
    uint32_t       item;      /* canonical index                            */
    int64_t        units;     /* thousandths; -1: all of the item           */
} pos_lua_line_t;

typedef struct {
    pos_lua_head_t         head;
    uint32_t               count;
    uint32_t               cursor;   /* of the each() that runs             */
    const uint32_t        *items;    /* ascending, in the cart's arena      */
    const int64_t         *units;    /* thousandths; NULL: all of each      */
    const pos_selection_t *shown;    /* as given to the engine; NULL: not yet */
} pos_lua_selection_t;

typedef struct {
    pos_lua_head_t head;
    uint32_t       len;
    char           name[64];
} pos_lua_setting_t;

/* One source file: what its promotions share. */
typedef struct {
    pos_script_vm_t *vm;
    uint32_t         refs;
    pos_arena_t     *arena;      /* compiled filters and effects; lazily    */
    pos_map_t        compiled;   /* canonical JSON text to its content      */
    pos_arena_t     *shape_arena;
    pos_map_t        shapes;     /* tables as they stand to their content; lazily */
    int              guards;     /* registry: {function, n, value, …}       */
    uint32_t         guard_count;
    uint8_t          source[POS_SHA256_SIZE];
    unsigned long    looked;     /* the quarantine's changes at the last look */
    bool             quarantined;
} pos_script_file_t;

struct pos_script_s {
    pos_script_file_t *file;
    uint32_t           refs;
    int                apply, eligible, settings;    /* registry; LUA_NOREF */
    uint32_t           failures;                     /* in a row            */
    bool               untold;                       /* the last is not one of them */
};

typedef struct pos_regex_s pos_regex_t;

struct pos_script_vm_s {
    lua_State           *state;
    lua_State           *thread;       /* scripts run on it                 */
    int                  thread_ref;
    pos_script_limits_t  limits;
    pos_script_phase_t   phase;
    const char          *stuck;        /* the limit that was hit; sticks    */
    uint32_t             stuck_line;   /* where the script was then; 0: not known */
    pos_script_pool_t    pool;         /* what it holds them in             */
    size_t               held;         /* bytes the state holds             */
    size_t               held_base;    /* of them after creation            */
    size_t               held_clean;   /* when nothing was left of a call    */
    size_t               used, used_max;     /* since the entry, gross      */
    size_t               charged;      /* of them, what is not the state's  */
    uint64_t             work, work_max;     /* by C functions              */
    uint32_t             depth;
    uint32_t             serial;       /* of calls                          */
    void                *stack;        /* the thread's block, to bound it   */
    bool                 threading;    /* that block is about to be made    */
    void                *buffer;       /* LuaJIT's for texts, kept as wide as it was made */
    size_t               buffer_size;
    bool                 widening;     /* that block is about to be made    */
    bool                 shortened;    /* what is slow came up in this call  */
    size_t               collect_at;   /* held bytes that start a collection */
    bool                 collecting;
    const pos_script_file_t *file;     /* that runs in a phase but the host's */
    pos_str_t            loading;      /* its name while it is loaded       */
    const pos_quarantine_t *quarantine;     /* NULL: none                   */
    /* the call */
    const pos_cart_t      *cart;
    pos_script_t          *script;
    const pos_promotion_t *promotion;
    pos_script_result_t   *result;
    uint32_t               effect_room;
    uint32_t              *matches;       /* room for every item, in scratch */
    pos_map_t              contents;      /* compiled for this call alone; lazily */
    bool                   host_failed;   /* memory of our own ran out      */
    /* registry references */
    int                  metas[POS_LUA_CLASSES];
    int                  env, cart_ref, places_ref, pool_ref, null_ref;
    int                  format_ref;
    /* helpers */
    pos_json_reader_t   *reader;
    pos_arena_t         *scratch;      /* emptied after each entry          */
    pos_arena_t         *draft;        /* emptied by each function that uses it */
    pos_arena_t         *keep;         /* as long as the VM                 */
    pos_map_t            templates;
    const pos_effect_t  *reductions[3][3][2];    /* of them, by class, kind and items */
    struct pos_regex_cache_s *regexes;
    char                 text[POS_SCRIPT_TEXT_MAX + 1];
};

static inline pos_script_vm_t *
pos_script_vm_of(lua_State *L)
{
    void *vm;

    (void) lua_getallocf(L, &vm);
    return vm;
}

/* ---- script.c ---- */

typedef struct {
    const char *failure;      /* NULL: none; instructions, memory, proposals, error */
    pos_str_t   text;         /* bounded, one line; in vm->text             */
    uint32_t    line;         /* 0: not known                               */
} pos_script_outcome_t;

/* Runs `body` (its first argument a light userdata `arg`) under all limits. */
void pos_script_enter(pos_script_vm_t *vm, pos_script_phase_t phase,
    size_t memory, lua_CFunction body, void *arg, pos_script_outcome_t *out);
/* Hits a limit: nothing of the script runs any more. */
int pos_script_stick(lua_State *L, const char *limit)
    __attribute__((noreturn));
/* Charges n steps of C work / n bytes of the cart's arena. */
void pos_script_work(lua_State *L, uint64_t n);
void pos_script_charge(lua_State *L, size_t bytes);
/* Hits the limit where so many bytes would, which are not kept. */
void pos_script_need(lua_State *L, size_t bytes);
/* Memory of our own ran out: ends the call, which reports POS_NO_MEMORY. */
int pos_script_no_memory(lua_State *L) __attribute__((noreturn));
/* Pushes a text of the cart or the book. */
void pos_script_give(lua_State *L, pos_str_t text);
/* lua_call from C with its depth counted. */
void pos_script_callback(lua_State *L, int arguments, int results);
/* Notes the limit that is hit, the first alone, and where. */
void pos_script_note_limit(pos_script_vm_t *vm, const char *limit);
/* From here on the call has a part of its instructions. */
void pos_script_shorten(pos_script_vm_t *vm);
/* "script:12: text" to a line and one bounded, printable line of text. */
void pos_script_message(const char *message, size_t len, char *out,
    pos_script_outcome_t *outcome);

/* ---- script_memory.c ---- */

/* The state's allocator; `ctx` is the VM. */
void *pos_script_count_memory(void *ctx, void *block, size_t old, size_t size);
/* Between calls: all that nothing holds any more, or a step of it. */
void pos_script_collect(pos_script_vm_t *vm);
void pos_script_collect_some(pos_script_vm_t *vm);

/* ---- script_watch.c ---- */

bool pos_script_look(const pos_script_vm_t *vm, pos_script_file_t *file);

/* In each call, so it looks again only when the quarantine has changed since. */
static inline bool
pos_script_quarantined(const pos_script_vm_t *vm, pos_script_file_t *file)
{
    if (vm->quarantine == NULL) {
        return false;
    }
    return pos_quarantine_changes(vm->quarantine) != file->looked ? pos_script_look(vm, file)
                                                                  : file->quarantined;
}

/* ---- script_frozen.c ---- */

void *pos_lua_new(lua_State *L, pos_lua_class_t class, size_t size);
/* NULL: something else. An object of an earlier call raises. */
void *pos_lua_to(lua_State *L, int index, pos_lua_class_t class);
int   pos_lua_class(lua_State *L, int index);      /* -1: no userdata       */
/* Pushes a read-only view of the table at the index. */
void pos_lua_push_frozen(lua_State *L, int index);
/* Pushes the plain table behind any view; false (nothing pushed): none. */
bool pos_lua_push_plain(lua_State *L, int index);
void pos_lua_push_strings(lua_State *L, const pos_str_t *values, uint32_t count);
void pos_lua_push_attributes(lua_State *L, const pos_attribute_t *list,
    uint32_t count, const pos_attribute_t *behind, uint32_t behind_count);
void pos_script_open_views(lua_State *L, pos_script_vm_t *vm);
/* Makes everything that the function on top can reach read-only and notes its
 * local variables in the table `guards`; `memo` remembers what was seen. */
void pos_script_freeze(lua_State *L, int function, int memo, int guards);
/* The same for the table on top, which its view replaces. */
void pos_script_freeze_table(lua_State *L, int memo, int guards);
/* The name of a local that a call changed (it is put back), or NULL. */
const char *pos_script_guard(pos_script_vm_t *vm, const pos_script_file_t *file);

/* ---- script_export.c ---- */

typedef struct {
    char     list[8];      /* "buy", "get", "bundle", "per" or ""           */
    uint32_t index;        /* within the list                               */
    const pos_selection_t *selection;
} pos_script_hole_t;

#define POS_SCRIPT_HOLES  32

typedef struct {
    pos_writer_t      *writer;
    int                settings;    /* stack index of values; 0: none        */
    bool               document;    /* the promotion itself: drop functions,
                                       settings and cases                    */
    bool               selections;  /* allowed under `items`                 */
    uint32_t           hole_count;
    pos_script_hole_t  holes[POS_SCRIPT_HOLES];
    uint32_t           depth;
    struct { const char *key; size_t len; uint32_t index; } path[POS_SCRIPT_EXPORT_DEPTH + 2];
} pos_script_export_t;

/* Writes the value as JSON, members in byte order of their Lua names; what cannot be JSON raises
 * an error that names the place. */
void pos_script_export(lua_State *L, int index, pos_script_export_t *export);
/* A Lua number as a decimal of 4 digits: exact, or false. */
bool pos_script_decimal(double number, int64_t *scaled);
bool pos_script_whole(double number, int64_t *whole);
/* Pushes a JSON value as fresh Lua values. */
void pos_script_push_json(lua_State *L, const pos_json_t *json, bool nulls);

/* ---- script_source.c ---- */

/* A number such as 42LL or 3i, which would load the FFI, or a literal or a name over
 * POS_SCRIPT_STRING_LONG: 0, or the byte offset + 1 and what is wrong there. */
size_t pos_script_not_taken(pos_str_t source, const char **code, const char **why);
/* Behind the token at `at`, which is taken by its first byte. `text`: it may become
 * a string of the script. */
size_t pos_script_skip_token(pos_str_t source, size_t at, bool *text);
bool   pos_script_is_name(char c);
void pos_script_place(pos_str_t source, size_t offset, uint32_t *line,
    uint32_t *column);
/* The column of the token a syntax error names, by parsing up to it. */
uint32_t pos_script_error_column(lua_State *L, pos_str_t source,
    const char *message, uint32_t line);

/* ---- script_place.c ---- */

/* Where an error while loading belongs, by the line it names (0: none) and its words. */
void pos_script_error_place(pos_str_t source, const char *message, uint32_t *line,
    uint32_t *column);

/* The reserved word that a syntax error at this place (which moves to it) comes from,
 * since it stands as a name; empty: none. `member`: behind a dot. */
pos_str_t pos_script_reserved_name(pos_str_t source, uint32_t line, uint32_t *column,
    bool *member);

/* ---- script_settings.c ---- */

/* The promotion's table is at `promotion`. Pushes the values table (or nil) and
 * writes the declarations as JSON. `given` may be NULL. Raises. */
void pos_script_settings(lua_State *L, int promotion, const pos_json_t *given,
    pos_writer_t *declared);

/* ---- the rest of what a script sees ---- */

void pos_script_open_env(lua_State *L, pos_script_vm_t *vm);        /* script_env.c  */
void pos_script_open_strings(lua_State *L, pos_script_vm_t *vm, int env); /* script_string.c */
void pos_script_open_tables(lua_State *L, int env);                 /* script_table.c */
void pos_script_open_regex(lua_State *L, int env);                  /* script_re.c   */
void pos_script_open_json(lua_State *L, pos_script_vm_t *vm, int env);  /* script_json.c */
void pos_script_open_cart(lua_State *L, pos_script_vm_t *vm);       /* script_cart.c */
void pos_script_add_effects(lua_State *L, int cart, int selection); /* script_proposals.c */
pos_status_t pos_script_regexes_create(pos_script_vm_t *vm) POS_MUSTCHECK;
void pos_script_regexes_destroy(pos_script_vm_t *vm);

/* script_table.c: sorts a plain list of texts in byte order. */
void pos_script_sort_names(lua_State *L, int table);
/* Pushes the text tostring() gives: never an address. */
void pos_script_push_text(lua_State *L, int index);

/* ---- script_selection.c, for script_proposals.c ---- */

/* The selection (or the line as one) at the index; raises for anything else. */
const pos_selection_t *pos_script_selection(lua_State *L, int index);
/* A filter from a table (literal or frozen), compiled once a content. */
const pos_filter_t *pos_script_filter(lua_State *L, int index);
/* The selection of all items a filter takes out of `from` (NULL: the cart). */
void pos_script_push_selection(lua_State *L, const uint32_t *items,
    const int64_t *units, uint32_t count);

/* ---- script_shape.c: filters by how their tables stand ---- */

#define POS_SCRIPT_SHAPE_MAX  256

/* The bytes of a plain table of lists of strings at the index; 0: another table. */
size_t pos_script_shape(lua_State *L, int index, char room[POS_SCRIPT_SHAPE_MAX]);
/* NULL: not seen yet. Charges what compiling it again would. */
const pos_filter_t *pos_script_of_shape(lua_State *L, pos_str_t shape);
/* `filter` is one that is kept. */
void pos_script_keep_shape(lua_State *L, pos_str_t shape, pos_script_content_t *filter,
    uint64_t work);

/* ---- script_compile.c: JSON text to filters and effects, kept by content ---- */

/* `text` is one byte that tells the kind ('f' a filter, 'l' 'o' 's' an effect
 * of that class) and then JSON. `method` names the caller in errors. */
pos_script_content_t *pos_script_compile(lua_State *L, pos_str_t text, const char *method);
/* What it charges each time … */
static inline uint64_t
pos_script_compile_work(pos_str_t text)
{
    return 1 + text.len / 32;
}
/* … and the first time in a call. */
void pos_script_first_use(lua_State *L, pos_script_content_t *content);
/* Bytes that reading such a text takes, at the most. */
size_t pos_script_tree(pos_str_t text);
/* The same for the VM's own patterns, kept as long as the VM. */
const pos_effect_t *pos_script_template(lua_State *L, pos_class_t class,
    const char *json);
/* Makes what a file fills lazily, an arena and a map in it: both, or neither and it raises. */
void pos_script_open_store(lua_State *L, pos_arena_t **arena, size_t block, pos_map_t *map,
    size_t expected);
char pos_script_class_letter(pos_class_t class);
/* In vm->draft, which whoever begins to use it empties. */
void pos_script_writer(lua_State *L, pos_writer_t *w, char kind);
/* An argument that comes into answers and documents: UTF-8 without zero bytes. */
bool pos_script_is_text(pos_str_t text);

#endif
