#include "base/json_locate.h"
#include "base/json.h"
#include "base/utf8.h"

typedef struct {
    const char      *start;
    const char      *pos;
    const char      *end;
    unsigned         depth;
    uint8_t          inside[POS_JSON_MAX_DEPTH];   /* '{' or '[' a level */
    pos_json_spot_t *spot;
} pos_json_scan_t;


static bool
pos_scan_fail(pos_json_scan_t *s, const char *at, const char *code, const char *expected)
{
    s->spot->code = code;
    s->spot->expected = expected;
    s->spot->offset = (size_t) (at - s->start);

    return false;
}


static bool
pos_scan_syntax(pos_json_scan_t *s, const char *expected)
{
    return pos_scan_fail(s, s->pos, "json_syntax", expected);
}


static void
pos_scan_space(pos_json_scan_t *s)
{
    while (s->pos < s->end
           && (*s->pos == ' ' || *s->pos == '\n' || *s->pos == '\r' || *s->pos == '\t')) {
        s->pos++;
    }
}


static bool
pos_scan_is(pos_json_scan_t *s, char c)
{
    if (s->pos == s->end || *s->pos != c) {
        return false;
    }

    s->pos++;

    return true;
}


static bool
pos_scan_digits(pos_json_scan_t *s)
{
    const char *from = s->pos;

    while (s->pos < s->end && *s->pos >= '0' && *s->pos <= '9') {
        s->pos++;
    }

    return s->pos > from;
}


/* Behind a number or a literal no letter may follow. */
static bool
pos_scan_boundary(pos_json_scan_t *s, const char *expected)
{
    if (s->pos < s->end && strchr(" \n\r\t,:[]{}\"", *s->pos) == NULL) {
        return pos_scan_syntax(s, expected);
    }

    if (s->pos < s->end && *s->pos == '\0') {
        return pos_scan_syntax(s, expected);
    }

    return true;
}


static bool
pos_scan_number(pos_json_scan_t *s)
{
    (void) pos_scan_is(s, '-');

    if (pos_scan_is(s, '0')) {
        if (s->pos < s->end && *s->pos >= '0' && *s->pos <= '9') {
            return pos_scan_syntax(s, "a number has no leading zeros");
        }

    } else if (!pos_scan_digits(s)) {
        return pos_scan_syntax(s, "expected a digit");
    }

    if (pos_scan_is(s, '.') && !pos_scan_digits(s)) {
        return pos_scan_syntax(s, "expected a digit behind the decimal point");
    }

    if (s->pos < s->end && (*s->pos == 'e' || *s->pos == 'E')) {
        s->pos++;

        if (!pos_scan_is(s, '+')) {
            (void) pos_scan_is(s, '-');
        }

        if (!pos_scan_digits(s)) {
            return pos_scan_syntax(s, "expected a digit in the exponent");
        }
    }

    return pos_scan_boundary(s, "this is no part of a number");
}


static bool
pos_scan_literal(pos_json_scan_t *s, const char *word, size_t len)
{
    if ((size_t) (s->end - s->pos) < len || memcmp(s->pos, word, len) != 0) {
        return pos_scan_syntax(s, "expected a value: true, false and null are the only "
                                  "words, and strings stand in double quotes");
    }

    s->pos += len;

    return pos_scan_boundary(s, "expected a value: true, false and null are the only "
                                "words, and strings stand in double quotes");
}


static bool
pos_scan_hex(pos_json_scan_t *s, uint32_t *unit)
{
    int      i;
    uint32_t n = 0;

    for (i = 0; i < 4; i++, s->pos++) {
        unsigned char c = s->pos < s->end ? (unsigned char) *s->pos : 0;
        unsigned char letter = c | 32;

        if (c >= '0' && c <= '9') {
            n = n << 4 | (uint32_t) (c - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            n = n << 4 | (uint32_t) (letter - 'a' + 10);
        } else {
            return pos_scan_syntax(s, "expected four hexadecimal digits behind \\u");
        }
    }

    *unit = n;

    return true;
}


/* Behind "\u". */
static bool
pos_scan_unicode(pos_json_scan_t *s)
{
    uint32_t    unit;
    const char *at = s->pos - 2;

    if (!pos_scan_hex(s, &unit)) {
        return false;
    }

    if (unit == 0) {
        return pos_scan_fail(s, at, "json_syntax", "NUL is not allowed in a string");
    }

    if (unit < 0xD800 || unit > 0xDFFF) {
        return true;
    }

    if (unit < 0xDC00 && pos_scan_is(s, '\\') && pos_scan_is(s, 'u')) {
        if (!pos_scan_hex(s, &unit)) {
            return false;
        }

        if (unit >= 0xDC00 && unit <= 0xDFFF) {
            return true;
        }
    }

    return pos_scan_fail(s, at, "json_utf8", "half of a surrogate pair alone");
}


static bool
pos_scan_escape(pos_json_scan_t *s)
{
    if (s->pos == s->end || *s->pos == '\0' || strchr("\"\\/bfnrtu", *s->pos) == NULL) {
        return pos_scan_syntax(s, "no such escape: a backslash is written \\\\");
    }

    return *s->pos++ != 'u' || pos_scan_unicode(s);
}


/* Behind the opening quote. */
static bool
pos_scan_string(pos_json_scan_t *s)
{
    size_t n;

    while (s->pos < s->end) {
        if (*s->pos == '"') {
            s->pos++;
            return true;
        }

        if (*s->pos == '\\') {
            s->pos++;
            if (!pos_scan_escape(s)) {
                return false;
            }
            continue;
        }

        if ((unsigned char) *s->pos < 0x20) {
            return pos_scan_syntax(s, "a control character must be escaped in a string "
                                      "(is the closing quote missing?)");
        }

        n = pos_utf8_len(s->pos, (size_t) (s->end - s->pos));
        if (n == 0) {
            return pos_scan_fail(s, s->pos, "json_utf8", "this byte is not UTF-8");
        }

        s->pos += n;
    }

    return pos_scan_syntax(s, "the text ends within a string");
}


static bool
pos_scan_open(pos_json_scan_t *s, char c)
{
    if (s->depth == POS_JSON_MAX_DEPTH) {
        s->pos--;
        return pos_scan_fail(s, s->pos, "json_depth",
                             "arrays and objects are nested more than 32 deep");
    }

    s->inside[s->depth++] = (uint8_t) c;

    return true;
}


/* A member's name and its colon. */
static bool
pos_scan_key(pos_json_scan_t *s, const char *expected)
{
    pos_scan_space(s);

    if (!pos_scan_is(s, '"')) {
        return pos_scan_syntax(s, expected);
    }

    if (!pos_scan_string(s)) {
        return false;
    }

    pos_scan_space(s);

    if (!pos_scan_is(s, ':')) {
        return pos_scan_syntax(s, "expected \":\" behind the name");
    }

    return true;
}


/* One scalar, or the start of an array or object (`*opened`). */
static bool
pos_scan_value(pos_json_scan_t *s, bool *opened)
{
    *opened = false;
    pos_scan_space(s);

    if (s->pos == s->end) {
        return pos_scan_syntax(s, "expected a value, found the end of the text");
    }

    switch (*s->pos) {
    case '{':
    case '[':
        *opened = true;
        return pos_scan_open(s, *s->pos++);
    case '"':
        s->pos++;
        return pos_scan_string(s);
    case 't':
        return pos_scan_literal(s, "true", 4);
    case 'f':
        return pos_scan_literal(s, "false", 5);
    case 'n':
        return pos_scan_literal(s, "null", 4);
    default:
        break;
    }

    if (*s->pos == '-' || (*s->pos >= '0' && *s->pos <= '9')) {
        return pos_scan_number(s);
    }

    if ((unsigned char) *s->pos >= 0x80
        && pos_utf8_len(s->pos, (size_t) (s->end - s->pos)) == 0) {
        return pos_scan_fail(s, s->pos, "json_utf8", "this byte is not UTF-8");
    }

    if (s->pos == s->start && s->end - s->pos >= 3 && memcmp(s->pos, "\xEF\xBB\xBF", 3) == 0) {
        return pos_scan_syntax(s, "a byte order mark is not allowed");
    }

    return pos_scan_syntax(s, "expected a value");
}


/* Behind "{" or "[": an end, or the first member's name. `*closed`: an end. */
static bool
pos_scan_first(pos_json_scan_t *s, bool *closed)
{
    bool object = s->inside[s->depth - 1] == '{';

    pos_scan_space(s);
    *closed = pos_scan_is(s, object ? '}' : ']');

    if (*closed) {
        s->depth--;
        return true;
    }

    return !object || pos_scan_key(s, "expected a name in double quotes or \"}\"");
}


/* Behind a value: ends and commas. `*more`: another value follows. */
static bool
pos_scan_after(pos_json_scan_t *s, bool *more)
{
    *more = false;

    while (s->depth > 0) {
        bool object = s->inside[s->depth - 1] == '{';

        pos_scan_space(s);

        if (pos_scan_is(s, ',')) {
            *more = true;
            return !object || pos_scan_key(s, "expected a name in double quotes");
        }

        if (!pos_scan_is(s, object ? '}' : ']')) {
            return pos_scan_syntax(s, object ? "expected \",\" or \"}\"" : "expected \",\" or \"]\"");
        }

        s->depth--;
    }

    return true;
}


bool
pos_json_scan(pos_str_t text, pos_json_spot_t *spot)
{
    bool            opened, more = true;
    pos_json_scan_t s = { .start = text.data, .pos = text.data, .spot = spot };

    s.end = text.data + text.len;
    memset(spot, 0, sizeof(*spot));

    while (more) {
        if (!pos_scan_value(&s, &opened)) {
            return false;
        }

        if (opened) {
            bool closed;

            if (!pos_scan_first(&s, &closed)) {
                return false;
            }

            if (!closed) {
                continue;
            }
        }

        if (!pos_scan_after(&s, &more)) {
            return false;
        }
    }

    pos_scan_space(&s);

    return s.pos == s.end || pos_scan_syntax(&s, "expected the end of the text");
}


void
pos_json_place(pos_str_t text, size_t offset, uint32_t *line, uint32_t *column)
{
    size_t i, from = 0;

    *line = 1;

    for (i = 0; i < offset && i < text.len; i++) {
        if (text.data[i] == '\n') {
            (*line)++;
            from = i + 1;
        }
    }

    *column = (uint32_t) pos_utf8_count(pos_str_of(text.data + from, i - from)) + 1;
}
