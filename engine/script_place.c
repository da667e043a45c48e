/*
 * Where in a source a field of its tables stands. Lua keeps no places of values,
 * so the text is walked once a fault: braces, names before a `=`, and what lies
 * in functions left out. A table that is put together elsewhere may not be found.
 */

#include <stdio.h>

#include "engine/script_vm.h"

#define PLACE_LEVELS  40
#define PLACE_STEPS   20

typedef struct {
    bool      brace;        /* a table; else a parenthesis                   */
    bool      named;        /* the element that is read now has a name …     */
    bool      begun;        /* … and its first token was seen                */
    pos_str_t name;
    uint32_t  index;        /* of the element among those without a name     */
    uint32_t  blocks;       /* of functions and the like that are open       */
} level_t;

typedef struct {
    pos_str_t source;
    pos_str_t steps[PLACE_STEPS];       /* the pointer's                     */
    uint32_t  step_count;
    level_t   levels[PLACE_LEVELS];
    uint32_t  depth;                    /* levels in use                     */
    size_t    found;                    /* the best place + 1; 0: none       */
    uint32_t  found_depth;
    size_t    named;                    /* of a field of the last step's name */
    uint32_t  named_count;
} place_t;

/* ---- comparing ---- */

/* `effects` stands for "then", `until_` for "until". */
static bool
same_name(pos_str_t name, pos_str_t step)
{
    if (name.len == step.len + 1 && name.data[step.len] == '_') {
        name.len--;
    }
    return pos_str_eq(name, step)
           || (pos_str_eq(step, pos_str("then")) && pos_str_eq(name, pos_str("effects")));
}

static bool
same_step(const level_t *level, pos_str_t step)
{
    uint32_t n = 0;

    if (level->named) {
        return same_name(level->name, step);
    }
    for (size_t i = 0; i < step.len; i++) {
        if (step.data[i] < '0' || step.data[i] > '9' || n > 100000) {
            return false;
        }
        n = n * 10 + (uint32_t) (step.data[i] - '0');
    }
    return step.len > 0 && n == level->index;
}

/* An element begins: is it what the pointer ends at? */
static void
compare(place_t *p, size_t at)
{
    const level_t *last = &p->levels[p->depth - 1];
    uint32_t       left = p->step_count, braces = 0, i;
    bool           same = true;

    for (i = p->depth; i > 0; i--) {
        if (!p->levels[i - 1].brace) {
            continue;
        }
        braces++;
        if (left > 0) {
            same &= same_step(&p->levels[i - 1], p->steps[--left]);
        }
    }
    if (same && left == 0 && (p->found == 0 || braces < p->found_depth)) {
        p->found = at + 1;
        p->found_depth = braces;
    }
    if (last->named && same_name(last->name, p->steps[p->step_count - 1])) {
        p->named = at + 1;
        p->named_count++;
    }
}

/* ---- walking ---- */

static size_t
skip_blank(pos_str_t s, size_t at)
{
    bool text;

    while (at < s.len && (strchr(" \t\r\n\v\f", s.data[at])
           || (s.data[at] == '-' && at + 1 < s.len && s.data[at + 1] == '-')))
    {
        at = pos_script_skip_token(s, at, &text);
    }
    return at;
}

static size_t
offset_of(pos_str_t s, uint32_t line, uint32_t column)
{
    size_t i = 0;

    for (; line > 1 && i < s.len; i++) {
        line -= s.data[i] == '\n';
    }
    for (; column > 1 && i < s.len; column--) {
        for (i++; i < s.len && ((unsigned char) s.data[i] & 0xc0) == 0x80; i++) { }
    }
    return i;
}

static bool
assigns(pos_str_t s, size_t at)
{
    at = skip_blank(s, at);
    return at < s.len && s.data[at] == '=' && (at + 1 == s.len || s.data[at + 1] != '=');
}

/* `name =` or `["name"] =` at the offset. */
static bool
read_name(pos_str_t s, size_t at, size_t end, pos_str_t *name)
{
    size_t quoted;
    bool   text;

    if (s.data[at] != '[' || end != at + 1) {
        *name = pos_str_of(s.data + at, end - at);
        return pos_script_is_name(s.data[at]) && assigns(s, end);
    }
    quoted = skip_blank(s, end);
    if (quoted >= s.len || (s.data[quoted] != '"' && s.data[quoted] != '\'')) {
        return false;
    }
    end = pos_script_skip_token(s, quoted, &text);
    *name = pos_str_of(s.data + quoted + 1, end >= quoted + 2 ? end - quoted - 2 : 0);
    end = skip_blank(s, end);
    return end < s.len && s.data[end] == ']' && assigns(s, end + 1);
}

static bool
is_word(pos_str_t token, const char *const *words)
{
    for (; *words; words++) {
        if (pos_str_eq(token, pos_str_z(*words))) {
            return true;
        }
    }
    return false;
}

static void
open_level(place_t *p, bool brace)
{
    if (p->depth < PLACE_LEVELS) {
        p->levels[p->depth] = (level_t) { .brace = brace };
    }
    p->depth++;
}

static void
take(place_t *p, size_t at, size_t end)
{
    static const char *const open[] = { "function", "do", "if", "repeat", NULL };
    static const char *const close[] = { "end", "until", NULL };
    pos_str_t                token = pos_str_of(p->source.data + at, end - at);
    level_t                 *level = p->depth > 0 && p->depth <= PLACE_LEVELS ? &p->levels[p->depth - 1] : NULL;
    char                     c = token.data[0];

    if (c == '}' || c == ')') {
        p->depth -= p->depth > 0;
        return;
    }
    if (level != NULL && level->brace && level->blocks == 0) {
        if (c == ',' || c == ';') {
            level->index += !level->named;
            level->named = level->begun = false;
            return;
        }
        if (!level->begun) {
            level->begun = true;
            level->named = read_name(p->source, at, end, &level->name);
            compare(p, at);
            if (level->named) {
                return;
            }
        }
    }
    if (c == '{' || c == '(') {
        open_level(p, c == '{');
    } else if (level != NULL && is_word(token, open)) {
        level->blocks++;
    } else if (level != NULL && is_word(token, close)) {
        level->blocks -= level->blocks > 0;
    }
}

/* False: no pointer that leads into a table. */
static bool
read_steps(place_t *p, pos_str_t pointer)
{
    size_t i, from = 1;

    for (i = 1; i <= pointer.len && p->step_count < PLACE_STEPS; i++) {
        if (i == pointer.len || pointer.data[i] == '/') {
            p->steps[p->step_count++] = pos_str_of(pointer.data + from, i - from);
            from = i + 1;
        }
    }
    return p->step_count > 0 && i > pointer.len;
}

static size_t
find(pos_str_t source, pos_str_t pointer, const pos_json_t *over)
{
    place_t p = { .source = source };
    size_t  i, end;
    bool    text;

    if (!read_steps(&p, pointer) || pos_json_get_str(over, p.steps[0]) != NULL) {
        return 0;
    }
    for (i = skip_blank(source, 0); i < source.len; i = skip_blank(source, end)) {
        end = pos_script_skip_token(source, i, &text);
        take(&p, i, end);
    }
    return p.found ? p.found : p.named_count == 1 ? p.named : 0;
}

/* ---- errors while loading ---- */

/* "when.items[2].category: why" as "/when/items/1/category"; false: it begins otherwise. */
static bool
pointer_of(const char *message, char *out, size_t size)
{
    size_t   n = 0;
    unsigned index;
    int      read;

    for (; *message != ':' && *message != '\0' && n + 16 < size; ) {
        if (*message == '[' && sscanf(message, "[%u]%n", &index, &read) == 1 && index > 0) {
            n += (size_t) snprintf(out + n, size - n, "/%u", index - 1);
            message += read;
        } else if (pos_script_is_name(*message)) {
            for (out[n++] = '/'; pos_script_is_name(*message) && n + 16 < size; message++) {
                out[n++] = *message;
            }
        } else {
            return false;
        }
        message += *message == '.';
    }
    out[n] = '\0';
    return n > 0 && message[0] == ':' && message[1] == ' ';
}

/* The name that a message quotes, as a word of its own; `until` where it is not there. */
static size_t
quoted_word(pos_str_t source, size_t at, size_t until, const char *message)
{
    const char *from = strchr(message, '\''), *end = from ? strchr(from + 1, '\'') : NULL;
    size_t      len = end ? (size_t) (end - from) - 1 : 0;

    for (; len > 0 && at + len <= until; at++) {
        if (memcmp(source.data + at, from + 1, len) == 0 && (at == 0 || !pos_script_is_name(source.data[at - 1]))
            && (at + len == source.len || !pos_script_is_name(source.data[at + len])))
        {
            return at;
        }
    }
    return until;
}

/* There, or at the line's beginning. */
static size_t
in_line(pos_str_t source, uint32_t line, const char *message)
{
    size_t at = skip_blank(source, offset_of(source, line, 1)), end, word;

    for (end = at; end < source.len && source.data[end] != '\n'; end++) { }
    word = quoted_word(source, at, end, message);
    return word < end ? word : at;
}

/* What names neither a line nor a field is about the file's end, where it returns. */
void
pos_script_error_place(pos_str_t source, const char *message, uint32_t *line, uint32_t *column)
{
    char   pointer[200];
    size_t at = 0;

    if (*line > 0) {
        at = in_line(source, *line, message) + 1;
    } else if (pointer_of(message, pointer, sizeof(pointer))) {
        at = find(source, pos_str_z(pointer), NULL);
    } else if (quoted_word(source, 0, source.len, message) < source.len) {
        at = quoted_word(source, 0, source.len, message) + 1;
    }
    if (at == 0) {
        for (at = source.len; at > 1 && strchr(" \t\r\n", source.data[at - 1]) != NULL; at--) { }
        for (; at > 1 && source.data[at - 2] != '\n'; at--) { }
    }
    pos_script_place(source, at > 0 ? at - 1 : 0, line, column);
}

void
pos_script_locate(pos_str_t source, pos_str_t base, const pos_json_t *over, pos_fault_t *fault)
{
    size_t at;

    for (; fault != NULL; fault = fault->next) {
        if (fault->line > 0 || fault->pointer.len <= base.len
            || memcmp(fault->pointer.data, base.data, base.len) != 0)
        {
            continue;
        }
        at = find(source, pos_str_of(fault->pointer.data + base.len, fault->pointer.len - base.len), over);
        if (at > 0) {
            pos_script_place(source, at - 1, &fault->line, &fault->column);
        }
    }
}

/* ---- reserved words ---- */

static bool
is_reserved(pos_str_t token)
{
    static const char *const words[] = {
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function",
        "goto", "if", "in", "local", "nil", "not", "or", "repeat", "return", "then",
        "true", "until", "while", NULL,
    };

    return is_word(token, words);
}

/* The parser stops at the word, or at the `=` behind it. */
pos_str_t
pos_script_reserved_name(pos_str_t source, uint32_t line, uint32_t *column, bool *member)
{
    pos_str_t token, before = pos_str("");
    size_t    at = offset_of(source, line, *column), i, end;
    bool      text;

    *member = false;
    if (line == 0 || *column == 0) {
        return pos_str("");
    }
    for (i = skip_blank(source, 0); i < at; i = skip_blank(source, end)) {
        end = pos_script_skip_token(source, i, &text);
        before = pos_str_of(source.data + i, end - i);
    }
    if (i != at || i >= source.len) {
        return pos_str("");
    }
    end = pos_script_skip_token(source, i, &text);
    token = pos_str_of(source.data + i, end - i);
    *member = pos_str_eq(before, pos_str(".")) || pos_str_eq(before, pos_str(":"));
    if (is_reserved(token) && (*member || assigns(source, end))) {
        return token;
    }
    *member = false;
    if (is_reserved(before) && assigns(source, i)) {
        pos_script_place(source, (size_t) (before.data - source.data), &line, column);
        return before;
    }
    return pos_str("");
}
