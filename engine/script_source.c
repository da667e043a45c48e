/*
 * What is looked for in the source text itself: numbers that are not Lua's, texts
 * that are too long to be compared without a bound, and the column of a syntax error (LuaJIT says only the line and the token).
 */

#include "engine/script_vm.h"

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool
pos_script_is_name(char c)
{
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z') || (unsigned char) c >= 0x80;
}

/* Behind "[[", "[=[" …: the offset past its end; `at` itself when it is none. */
static size_t
skip_long(pos_str_t s, size_t at)
{
    size_t level = 0, i = at + 1, n;

    while (i < s.len && s.data[i] == '=') {
        level++;
        i++;
    }
    if (i >= s.len || s.data[i] != '[') {
        return at;
    }
    for (i++; i < s.len; i++) {
        if (s.data[i] != ']') {
            continue;
        }
        for (n = 0; i + 1 + n < s.len && s.data[i + 1 + n] == '='; n++) { }
        if (n == level && i + 1 + n < s.len && s.data[i + 1 + n] == ']') {
            return i + n + 2;
        }
    }
    return s.len;
}

static size_t
skip_quoted(pos_str_t s, size_t at)
{
    char   quote = s.data[at];
    size_t i;

    for (i = at + 1; i < s.len && s.data[i] != quote && s.data[i] != '\n'; i++) {
        if (s.data[i] == '\\') {
            i++;
            if (i < s.len && s.data[i] == 'z') {
                while (i + 1 < s.len && strchr(" \t\r\n\v\f", s.data[i + 1]) && s.data[i + 1]) {
                    i++;
                }
            }
        }
    }
    return i < s.len ? i + 1 : s.len;
}

static size_t
skip_comment(pos_str_t s, size_t at)
{
    size_t i = at + 2;

    if (i < s.len && s.data[i] == '[' && skip_long(s, i) != i) {
        return skip_long(s, i);
    }
    while (i < s.len && s.data[i] != '\n' && s.data[i] != '\r') {
        i++;
    }
    return i;
}

/* As LuaJIT's lexer takes a number: everything that could belong to one. */
static size_t
skip_number(pos_str_t s, size_t at)
{
    size_t i = at;
    bool   hex = s.data[at] == '0' && at + 1 < s.len && (s.data[at + 1] | 32) == 'x';

    while (i < s.len) {
        char c = (char) (s.data[i] | 32);

        if ((c == (hex ? 'p' : 'e')) && i + 1 < s.len
            && (s.data[i + 1] == '+' || s.data[i + 1] == '-'))
        {
            i += 2;
        } else if (pos_script_is_name(s.data[i]) || s.data[i] == '.') {
            i++;
        } else {
            break;
        }
    }
    return i;
}

size_t
pos_script_skip_token(pos_str_t s, size_t at, bool *text)
{
    char   c = s.data[at], next = at + 1 < s.len ? s.data[at + 1] : '\0';
    size_t i = at + 1;

    *text = false;
    if (c == '-' && next == '-') {
        return skip_comment(s, at);
    }
    if (is_digit(c) || (c == '.' && is_digit(next))) {
        return skip_number(s, at);
    }
    *text = true;
    if (c == '"' || c == '\'') {
        return skip_quoted(s, at);
    }
    if (c == '[' && skip_long(s, at) != at) {
        return skip_long(s, at);
    }
    while (pos_script_is_name(c) && i < s.len && pos_script_is_name(s.data[i])) {
        i++;
    }
    return i;
}

/* The sandbox's allocator cannot tell a literal from what the parser needs. */
size_t
pos_script_not_taken(pos_str_t s, const char **code, const char **why)
{
    size_t i, end;
    bool   text;
    char   last;

    for (i = 0; i < s.len; i = end) {
        end = pos_script_skip_token(s, i, &text);
        last = (char) (s.data[end - 1] | 32);
        if (text && end - i > POS_SCRIPT_STRING_LONG) {
            *code = "script_limit";
            *why = "a text or a name of more than 4096 bytes";
            return i + 1;
        }
        if (!text && s.data[i] != '-' && (last == 'l' || last == 'u' || last == 'i')) {
            *code = "script_syntax";
            *why = "a number with the ending LL, ULL or i is not taken";
            return i + 1;
        }
    }
    return 0;
}

void
pos_script_place(pos_str_t source, size_t offset, uint32_t *line,
    uint32_t *column)
{
    size_t i, start = 0;

    *line = 1;
    for (i = 0; i < offset && i < source.len; i++) {
        if (source.data[i] == '\n') {
            (*line)++;
            start = i + 1;
        }
    }
    *column = 1;
    for (i = start; i < offset; i++) {
        *column += ((unsigned char) source.data[i] & 0xc0) != 0x80;
    }
}

/* The token of "… near 'token'"; empty: none. */
static pos_str_t
near_token(const char *message)
{
    const char *p = strstr(message, " near '"), *next;
    size_t      len;

    while (p && (next = strstr(p + 1, " near '")) != NULL) {
        p = next;
    }
    if (p == NULL) {
        return pos_str("");
    }
    p += strlen(" near '");
    len = strlen(p);
    return pos_str_of(p, len ? len - 1 : 0);
}

static bool
same_error(lua_State *L, pos_str_t source, size_t len, const char *message)
{
    const char *text;
    bool        same = false;

    if (luaL_loadbufferx(L, source.data, len, "=" POS_SCRIPT_CHUNK, "t") == LUA_ERRSYNTAX) {
        text = lua_tostring(L, -1);
        same = text != NULL && strcmp(text, message) == 0;
    }
    lua_pop(L, 1);
    return same;
}

/* The n-th place of the token in the line, from 0; `end` where there are fewer. `*count`: how
 * many there are up to it. */
static size_t
occurrence(pos_str_t source, size_t start, size_t end, pos_str_t token, size_t n, size_t *count)
{
    size_t i;

    *count = 0;
    for (i = start; i + token.len <= end; i++) {
        if (memcmp(source.data + i, token.data, token.len) == 0 && (*count)++ == n) {
            return i;
        }
    }
    return end;
}

/* The token may stand in its line more than once: it is the first at which a
 * source cut off behind it fails in the same words, as do all behind that one. */
uint32_t
pos_script_error_column(lua_State *L, pos_str_t source, const char *message,
    uint32_t line)
{
    pos_str_t token = near_token(message);
    size_t    start = 0, end, low = 0, high = 0, middle, at, count;
    uint32_t  n, column;

    for (n = 1; n < line && start < source.len; start++) {
        n += source.data[start] == '\n';
    }
    for (end = start; end < source.len && source.data[end] != '\n'; end++) { }
    if (pos_str_eq(token, pos_str("<eof>"))) {
        pos_script_place(source, end, &n, &column);
        return column;
    }
    if (token.len == 0) {
        return 0;
    }
    (void) occurrence(source, start, end, token, SIZE_MAX, &high);
    while (low < high) {
        middle = (low + high) / 2;
        at = occurrence(source, start, end, token, middle, &count);
        if (same_error(L, source, at + token.len, message)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    at = occurrence(source, start, end, token, low, &count);
    if (at == end || !same_error(L, source, at + token.len, message)) {
        return 0;
    }
    pos_script_place(source, at, &n, &column);
    return column;
}
