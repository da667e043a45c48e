/*
 * re.match(subject, pattern) and re.find(subject, pattern): PCRE2 under a
 * match limit, since Lua's own patterns can run for seconds where no hook
 * looks. Compiled patterns are kept, a bounded number of them.
 *
 * A subject is at most 4 KiB and a pattern 256 bytes; a match costs the script
 * 100 steps and one a byte, so the count of matches in a call is bounded too.
 */

#define PCRE2_CODE_UNIT_WIDTH 8

#include <pcre2.h>
#include <stdlib.h>

#include "engine/script_vm.h"

#define POS_RE_PATTERN_MAX  256
#define POS_RE_SUBJECT_MAX  4096
#define POS_RE_KEPT         256
#define POS_RE_MATCH_LIMIT  5000
#define POS_RE_DEPTH_LIMIT  250
#define POS_RE_HEAP_KIB     64
#define POS_RE_GROUPS       16

struct pos_regex_s {
    uint64_t     hash;
    uint32_t     len;
    char         pattern[POS_RE_PATTERN_MAX];
    pcre2_code  *code;
};

struct pos_regex_cache_s {
    pcre2_compile_context *compile;
    pcre2_match_context   *match;
    pcre2_match_data      *data;
    uint32_t               count;
    pos_regex_t            kept[POS_RE_KEPT];
};

pos_status_t
pos_script_regexes_create(pos_script_vm_t *vm)
{
    struct pos_regex_cache_s *cache = calloc(1, sizeof(*cache));

    vm->regexes = cache;
    if (cache == NULL) {
        return POS_NO_MEMORY;
    }
    cache->compile = pcre2_compile_context_create(NULL);
    cache->match = pcre2_match_context_create(NULL);
    cache->data = pcre2_match_data_create(POS_RE_GROUPS + 1, NULL);
    if (!cache->compile || !cache->match || !cache->data) {
        return POS_NO_MEMORY;
    }
    pcre2_set_parens_nest_limit(cache->compile, 20);
    pcre2_set_max_pattern_length(cache->compile, POS_RE_PATTERN_MAX);
    pcre2_set_match_limit(cache->match, POS_RE_MATCH_LIMIT);
    pcre2_set_depth_limit(cache->match, POS_RE_DEPTH_LIMIT);
    pcre2_set_heap_limit(cache->match, POS_RE_HEAP_KIB);
    return POS_OK;
}

static void
forget(struct pos_regex_cache_s *cache)
{
    while (cache->count > 0) {
        pcre2_code_free(cache->kept[--cache->count].code);
    }
}

void
pos_script_regexes_destroy(pos_script_vm_t *vm)
{
    struct pos_regex_cache_s *cache = vm->regexes;

    if (cache == NULL) {
        return;
    }
    forget(cache);
    pcre2_match_data_free(cache->data);
    pcre2_match_context_free(cache->match);
    pcre2_compile_context_free(cache->compile);
    free(cache);
}

static pcre2_code *
compile(lua_State *L, struct pos_regex_cache_s *cache, pos_str_t pattern)
{
    uint64_t     hash = pos_hash64(pattern);
    pos_regex_t *regex;
    PCRE2_SIZE   offset;
    PCRE2_UCHAR  why[80];
    uint32_t     i;
    int          code;

    for (i = 0; i < cache->count; i++) {
        regex = &cache->kept[i];
        if (regex->hash == hash && pos_str_eq(pos_str_of(regex->pattern, regex->len), pattern)) {
            return regex->code;
        }
    }
    pos_script_work(L, 1000);
    if (cache->count == POS_RE_KEPT) {
        forget(cache);
    }
    regex = &cache->kept[cache->count];
    regex->code = pcre2_compile((PCRE2_SPTR) pattern.data, pattern.len,
        PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &offset, cache->compile);
    if (regex->code == NULL) {
        pcre2_get_error_message(code, why, sizeof(why));
        luaL_error(L, "regular expression, at %d: %s", (int) offset + 1, (const char *) why);
    }
    regex->hash = hash;
    regex->len = (uint32_t) pattern.len;
    memcpy(regex->pattern, pattern.data, pattern.len);
    cache->count++;
    return regex->code;
}

/* The number of groups and the whole; 0: no match. */
static int
run(lua_State *L, pos_str_t *subject, size_t **vector)
{
    struct pos_regex_cache_s *cache = pos_script_vm_of(L)->regexes;
    pos_str_t                 pattern;
    uint32_t                  groups = 0;
    pcre2_code               *code;
    int                       rc;

    subject->data = luaL_checklstring(L, 1, &subject->len);
    pattern.data = luaL_checklstring(L, 2, &pattern.len);
    luaL_argcheck(L, subject->len <= POS_RE_SUBJECT_MAX, 1, "a subject over 4096 bytes");
    luaL_argcheck(L, pattern.len <= POS_RE_PATTERN_MAX, 2, "a pattern over 256 bytes");
    pos_script_work(L, 100 + subject->len);
    code = compile(L, cache, pattern);
    (void) pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (groups > POS_RE_GROUPS) {
        luaL_error(L, "regular expression: more than %d groups", POS_RE_GROUPS);
    }
    rc = pcre2_match(code, (PCRE2_SPTR) subject->data, subject->len, 0, 0, cache->data, cache->match);
    if (rc == PCRE2_ERROR_NOMATCH || (rc <= PCRE2_ERROR_UTF8_ERR1 && rc >= PCRE2_ERROR_UTF8_ERR21)) {
        return 0;
    }
    if (rc < 0) {
        pos_script_work(L, POS_RE_MATCH_LIMIT);
        luaL_error(L, "regular expression: the match takes too long");
    }
    *vector = pcre2_get_ovector_pointer(cache->data);
    /* Groups behind the last one that matched are unset in the vector. */
    return (int) groups + 1;
}

static void
push_group(lua_State *L, pos_str_t subject, const size_t *vector, int group)
{
    size_t from = vector[2 * group], until = vector[2 * group + 1];

    if (from == PCRE2_UNSET || until < from) {
        lua_pushboolean(L, 0);
    } else {
        lua_pushlstring(L, subject.data + from, until - from);
    }
}

static int
re_match(lua_State *L)
{
    pos_str_t subject;
    size_t   *vector;
    int       groups = run(L, &subject, &vector), i;

    if (groups == 0) {
        lua_pushnil(L);
        return 1;
    }
    for (i = groups == 1 ? 0 : 1; i < groups; i++) {
        push_group(L, subject, vector, i);
    }
    return groups == 1 ? 1 : groups - 1;
}

static int
re_find(lua_State *L)
{
    pos_str_t subject;
    size_t   *vector;
    int       groups = run(L, &subject, &vector), i;

    if (groups == 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, (lua_Integer) vector[0] + 1);
    lua_pushinteger(L, (lua_Integer) vector[1]);
    for (i = 1; i < groups; i++) {
        push_group(L, subject, vector, i);
    }
    return groups + 1;
}

void
pos_script_open_regex(lua_State *L, int env)
{
    lua_newtable(L);
    lua_pushcfunction(L, re_match);
    lua_setfield(L, -2, "match");
    lua_pushcfunction(L, re_find);
    lua_setfield(L, -2, "find");
    pos_lua_push_frozen(L, -1);
    lua_setfield(L, env, "re");
    lua_pop(L, 1);
}
