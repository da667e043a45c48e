/*
 * The splitter: a window over the file and a small state machine.
 */

#include "posd/split.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SPLIT_READ  (256 * 1024)

typedef enum {
    SPLIT_START,       /* before the object                     */
    SPLIT_FIRST,       /* behind its brace: a name or the end   */
    SPLIT_MEMBER,      /* behind a comma: a name                */
    SPLIT_AFTER,       /* behind a value: a comma or the end    */
    SPLIT_ELEMENT,     /* in an array, at an element            */
    SPLIT_COMMA,       /* in an array, behind an element        */
    SPLIT_END          /* behind the object                     */
} split_state_t;

struct pos_split_s {
    int            fd;
    split_state_t  state;
    char          *buffer;
    size_t         room, pos, len;
    uint64_t       taken;          /* bytes before the buffer's start */
    uint64_t       lines;          /* newlines passed                 */
    bool           eof;
    char           section[POS_SPLIT_NAME_MAX];
    int64_t        ordinal;
    char           error[120];
};


pos_split_t *
pos_split_create(int fd)
{
    pos_split_t *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        return NULL;
    }

    s->fd = fd;
    s->room = 2 * SPLIT_READ;
    s->buffer = malloc(s->room);
    if (s->buffer == NULL) {
        free(s);
        return NULL;
    }

    return s;
}


void
pos_split_destroy(pos_split_t *s)
{
    if (s != NULL) {
        free(s->buffer);
        free(s);
    }
}


const char *
pos_split_error(const pos_split_t *s)
{
    return s->error;
}


uint64_t
pos_split_offset(const pos_split_t *s)
{
    return s->taken + s->pos;
}


uint64_t
pos_split_line(const pos_split_t *s)
{
    return s->lines + 1;
}


static pos_status_t
split_fault(pos_split_t *s, const char *what)
{
    snprintf(s->error, sizeof(s->error), "%s", what);
    return POS_INVALID;
}


/* More bytes behind what there is; what was taken makes room. At the end of
 * the file `eof` is set and nothing added. */
static pos_status_t
split_fill(pos_split_t *s)
{
    char   *grown;
    ssize_t n;

    if (s->pos > 0) {
        memmove(s->buffer, s->buffer + s->pos, s->len - s->pos);
        s->taken += s->pos;
        s->len -= s->pos;
        s->pos = 0;
    }
    if (s->room - s->len < SPLIT_READ) {
        if (s->room > POS_SPLIT_ELEMENT_MAX + 2 * SPLIT_READ) {
            snprintf(s->error, sizeof(s->error), "an element is larger than %d bytes",
                     POS_SPLIT_ELEMENT_MAX);
            return POS_LIMIT;
        }
        grown = realloc(s->buffer, s->room * 2);
        if (grown == NULL) {
            return POS_NO_MEMORY;
        }
        s->buffer = grown;
        s->room *= 2;
    }

    do {
        n = read(s->fd, s->buffer + s->len, SPLIT_READ);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        snprintf(s->error, sizeof(s->error), "the file cannot be read");
        return POS_BROKEN;
    }

    s->eof = n == 0;
    s->len += (size_t) n;
    return POS_OK;
}


/* The next byte that is not white space, not taken; 0 at the end. */
static pos_status_t
split_peek(pos_split_t *s, char *out)
{
    pos_status_t status;
    char         c;

    for (;;) {
        while (s->pos < s->len) {
            c = s->buffer[s->pos];
            if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
                *out = c;
                return POS_OK;
            }
            s->lines += c == '\n';
            s->pos++;
        }
        if (s->eof) {
            *out = 0;
            return POS_OK;
        }
        status = split_fill(s);
        if (status != POS_OK) {
            return status;
        }
    }
}


/* How far a value reaches; carried on when more bytes come. */
typedef struct {
    size_t   at;           /* relative to the value's start */
    unsigned depth;
    bool     string, escape;
} reach_t;


/* True: the value ends before `at`. A scalar ends where the next token does,
 * which is not part of it. */
static bool
reach_step(reach_t *r, char c)
{
    if (r->string) {
        r->at++;
        if (r->escape) {
            r->escape = false;
        } else if (c == '\\') {
            r->escape = true;
        } else if (c == '"') {
            r->string = false;
            return r->depth == 0;
        }
        return false;
    }

    switch (c) {
    case '"':
        r->string = true;
        break;
    case '{':
    case '[':
        r->depth++;
        break;
    case '}':
    case ']':
        if (r->depth == 0) {
            return true;
        }
        r->at++;
        return --r->depth == 0;
    case ',':
    case ':':
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        if (r->depth == 0) {
            return true;
        }
        break;
    }

    r->at++;
    return false;
}


/* Takes the value that stands at the window's start. */
static pos_status_t
split_value(pos_split_t *s, pos_str_t *out)
{
    pos_status_t status;
    reach_t      r = { 0 };
    size_t       i;

    for (;;) {
        while (s->pos + r.at < s->len) {
            if (reach_step(&r, s->buffer[s->pos + r.at])) {
                goto found;
            }
            if (r.at > POS_SPLIT_ELEMENT_MAX) {
                snprintf(s->error, sizeof(s->error),
                         "an element is larger than %d bytes",
                         POS_SPLIT_ELEMENT_MAX);
                return POS_LIMIT;
            }
        }
        if (s->eof) {
            if (r.depth > 0 || r.string || r.at == 0) {
                return split_fault(s, "the document is cut off");
            }
            goto found;
        }
        status = split_fill(s);
        if (status != POS_OK) {
            return status;
        }
    }

found:
    if (r.at == 0) {
        return split_fault(s, "a value is missing");
    }

    *out = pos_str_of(s->buffer + s->pos, r.at);
    for (i = 0; i < r.at; i++) {
        s->lines += out->data[i] == '\n';
    }
    s->pos += r.at;
    return POS_OK;
}


/* A member's name: plain, since only plain ones are known. */
static pos_status_t
split_name(pos_split_t *s)
{
    pos_status_t status;
    pos_str_t    text;
    char         c;

    status = split_value(s, &text);
    if (status != POS_OK) {
        return status;
    }
    if (text.len < 2 || text.data[0] != '"' || text.data[text.len - 1] != '"') {
        return split_fault(s, "a member's name is missing");
    }
    if (text.len - 2 >= POS_SPLIT_NAME_MAX
        || memchr(text.data, '\\', text.len) != NULL)
    {
        text = pos_str("\"?\"");
    }

    memcpy(s->section, text.data + 1, text.len - 2);
    s->section[text.len - 2] = '\0';
    status = split_peek(s, &c);
    if (status != POS_OK) {
        return status;
    }
    if (c != ':') {
        return split_fault(s, "a colon is missing");
    }

    s->pos++;
    return POS_OK;
}


static void
split_item(const pos_split_t *s, pos_split_item_t *item, bool array,
    int64_t ordinal, pos_str_t text)
{
    memcpy(item->section, s->section, sizeof(item->section));
    item->array = array;
    item->ordinal = ordinal;
    item->text = text;
}


/* A member; POS_AGAIN: an array was entered. */
static pos_status_t
split_member(pos_split_t *s, pos_split_item_t *item)
{
    pos_status_t status;
    pos_str_t    text;
    char         c;

    status = split_name(s);
    if (status == POS_OK) {
        status = split_peek(s, &c);
    }
    if (status != POS_OK) {
        return status;
    }

    if (c != '[') {
        status = split_value(s, &text);
        s->state = SPLIT_AFTER;
        split_item(s, item, false, 0, status == POS_OK ? text : pos_str(""));
        return status;
    }

    s->pos++;
    s->ordinal = 0;
    status = split_peek(s, &c);
    if (status != POS_OK) {
        return status;
    }
    if (c == ']') {
        s->pos++;
        s->state = SPLIT_AFTER;
        split_item(s, item, true, -1, pos_str(""));
        return POS_OK;
    }

    s->state = SPLIT_ELEMENT;
    return POS_AGAIN;
}


static pos_status_t
split_element(pos_split_t *s, pos_split_item_t *item)
{
    pos_status_t status;
    pos_str_t    text;

    status = split_value(s, &text);
    if (status == POS_OK) {
        s->state = SPLIT_COMMA;
        split_item(s, item, true, s->ordinal++, text);
    }

    return status;
}


/* One token's step between values. POS_AGAIN: go on. */
static pos_status_t
split_between(pos_split_t *s, char c)
{
    switch (s->state) {
    case SPLIT_START:
        if (c != '{') {
            return split_fault(s, "the document is not an object");
        }
        s->state = SPLIT_FIRST;
        break;
    case SPLIT_FIRST:
        s->state = SPLIT_END;     /* only a closing brace comes here */
        break;
    case SPLIT_AFTER:
        if (c != ',' && c != '}') {
            return split_fault(s, c ? "a comma is missing"
                                    : "the document is cut off");
        }
        s->state = c == ',' ? SPLIT_MEMBER : SPLIT_END;
        break;
    case SPLIT_COMMA:
        if (c != ',' && c != ']') {
            return split_fault(s, c ? "a comma is missing"
                                    : "the document is cut off");
        }
        s->state = c == ',' ? SPLIT_ELEMENT : SPLIT_AFTER;
        break;
    default:
        return c == 0 ? POS_NOT_FOUND
                      : split_fault(s, "there is more behind the document");
    }

    s->pos++;
    return POS_AGAIN;
}


pos_status_t
pos_split_next(pos_split_t *s, pos_split_item_t *item)
{
    pos_status_t status;
    char         c;

    do {
        status = split_peek(s, &c);
        if (status != POS_OK) {
            return status;
        }

        if (s->state == SPLIT_ELEMENT) {
            status = split_element(s, item);
        } else if (s->state == SPLIT_MEMBER
                   || (s->state == SPLIT_FIRST && c != '}'))
        {
            status = split_member(s, item);
        } else {
            status = split_between(s, c);
        }
    } while (status == POS_AGAIN);

    return status;
}
