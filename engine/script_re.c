/*
 * re.match(subject, pattern) and re.find(subject, pattern): PCRE2 under a
 * match limit, since Lua's own patterns can run for seconds where no hook
 * looks. Compiled patterns are kept, a bounded number of them.
 *
 * A subject is at most 4 KiB and a pattern 256 bytes; a match costs the script
 * 100 steps and one a byte, so the count of matches in a call is bounded too.
 *
 * PCRE2's own limit starts anew at each place of the subject where a match may begin,
 * and does not see how far one repeat runs: callouts before each item count both.
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
#define POS_RE_STEPS        20000   /* in one match                         */
#define POS_RE_BYTES        (512u << 10)    /* of all that are kept          */

struct pos_regex_s {
    uint64_t     hash;
    uint32_t     len;
    uint32_t     serial;    /* of the last call that was charged for it      */
    size_t       size;      /* of its code                                   */
    bool         refers;    /* back to a group                               */
    char         pattern[POS_RE_PATTERN_MAX];
    pcre2_code  *code;
};

typedef struct {
    size_t    at;           /* in the subject, at the last callout           */
    uint64_t  steps, most;
    uint64_t  each;         /* steps for an item                             */
} steps_t;

struct pos_regex_cache_s {
    pcre2_compile_context *compile;
    pcre2_match_context   *match;
    pcre2_match_data      *data;
    steps_t                steps;
    uint32_t               count;
    size_t                 bytes;
    uint32_t               serial;    /* of the call that these were charged in: */
    uint32_t               charged;
    size_t                 charged_bytes;
    pos_regex_t            kept[POS_RE_KEPT];
};

/* Before each item of a pattern. */
static int
count_step(pcre2_callout_block *block, void *data)
{
    steps_t *steps = data;
    size_t   moved = block->current_position > steps->at ? block->current_position - steps->at
                                                         : steps->at - block->current_position;

    steps->at = block->current_position;
    steps->steps += steps->each + moved / 8;
    return steps->steps > steps->most ? PCRE2_ERROR_CALLOUT : 0;
}

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
    pcre2_set_callout(cache->match, count_step, &cache->steps);
    return POS_OK;
}

static void
forget(struct pos_regex_cache_s *cache)
{
    while (cache->count > 0) {
        pcre2_code_free(cache->kept[--cache->count].code);
    }
    cache->bytes = cache->charged_bytes = cache->charged = 0;
}

/* What this call uses stays. */
static void
forget_others(struct pos_regex_cache_s *cache)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < cache->count; i++) {
        if (cache->kept[i].serial != cache->serial) {
            pcre2_code_free(cache->kept[i].code);
            continue;
        }
        if (n != i) {
            cache->kept[n] = cache->kept[i];
        }
        n++;
    }
    cache->count = n;
    cache->bytes = cache->charged_bytes;
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

static pos_regex_t *
kept(struct pos_regex_cache_s *cache, pos_str_t pattern, uint64_t hash)
{
    for (uint32_t i = 0; i < cache->count; i++) {
        pos_regex_t *regex = &cache->kept[i];

        if (regex->hash == hash && pos_str_eq(pos_str_of(regex->pattern, regex->len), pattern)) {
            return regex;
        }
    }
    return NULL;
}

static pos_regex_t *
compile(lua_State *L, struct pos_regex_cache_s *cache, pos_str_t pattern, uint64_t hash)
{
    pos_regex_t *regex;
    PCRE2_SIZE   offset;
    PCRE2_UCHAR  why[80];
    uint32_t     references = 0;
    int          code;

    if (cache->count == POS_RE_KEPT || cache->bytes > POS_RE_BYTES) {
        forget_others(cache);
    }
    regex = &cache->kept[cache->count];
    regex->code = pcre2_compile((PCRE2_SPTR) pattern.data, pattern.len,
        PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_AUTO_CALLOUT, &code, &offset, cache->compile);
    if (regex->code == NULL) {
        pos_script_work(L, 1000);
        pcre2_get_error_message(code, why, sizeof(why));
        luaL_error(L, "regular expression, at %d: %s", (int) offset + 1, (const char *) why);
    }
    (void) pcre2_pattern_info(regex->code, PCRE2_INFO_SIZE, &regex->size);
    (void) pcre2_pattern_info(regex->code, PCRE2_INFO_BACKREFMAX, &references);
    regex->refers = references > 0;
    regex->hash = hash;
    regex->serial = 0;
    regex->len = (uint32_t) pattern.len;
    memcpy(regex->pattern, pattern.data, pattern.len);
    cache->bytes += regex->size;
    cache->count++;
    return regex;
}

/* Charged as if each call compiled it, whichever did, and as if there were only those of this call:
 * these alone say when there is no room for more. */
static const pos_regex_t *
regex_of(lua_State *L, struct pos_regex_cache_s *cache, pos_str_t pattern)
{
    uint32_t     serial = pos_script_vm_of(L)->serial;
    uint64_t     hash = pos_hash64(pattern);
    pos_regex_t *regex = kept(cache, pattern, hash);

    if (cache->serial != serial) {
        cache->serial = serial;
        cache->charged = 0;
        cache->charged_bytes = 0;
    }
    if (regex != NULL && regex->serial == serial) {
        return regex;
    }
    if (cache->charged == POS_RE_KEPT || cache->charged_bytes > POS_RE_BYTES) {
        forget(cache);
        regex = NULL;
    }
    if (regex == NULL) {
        regex = compile(L, cache, pattern, hash);
    }
    pos_script_work(L, 1000);
    pos_script_charge(L, regex->size);
    regex->serial = serial;
    cache->charged++;
    cache->charged_bytes += regex->size;
    return regex;
}

static int
match(struct pos_regex_cache_s *cache, const pos_regex_t *regex, pos_str_t subject)
{
    cache->steps = (steps_t) { .most = POS_RE_STEPS, .each = 1 + (regex->refers ? subject.len / 16 : 0) };
    return pcre2_match(regex->code, (PCRE2_SPTR) subject.data, subject.len, 0, 0, cache->data, cache->match);
}

/* The number of groups and the whole; 0: no match. */
static int
run(lua_State *L, pos_str_t *subject, size_t **vector)
{
    struct pos_regex_cache_s *cache = pos_script_vm_of(L)->regexes;
    const pos_regex_t        *regex;
    pos_str_t                 pattern;
    uint32_t                  groups = 0;
    int                       rc;

    subject->data = luaL_checklstring(L, 1, &subject->len);
    pattern.data = luaL_checklstring(L, 2, &pattern.len);
    luaL_argcheck(L, subject->len <= POS_RE_SUBJECT_MAX, 1, "a subject over 4096 bytes");
    luaL_argcheck(L, pattern.len <= POS_RE_PATTERN_MAX, 2, "a pattern over 256 bytes");
    pos_script_work(L, 100 + subject->len);
    regex = regex_of(L, cache, pattern);
    (void) pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (groups > POS_RE_GROUPS) {
        luaL_error(L, "regular expression: more than %d groups", POS_RE_GROUPS);
    }
    rc = match(cache, regex, *subject);
    pos_script_work(L, cache->steps.steps);
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
