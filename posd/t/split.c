/*
 * The splitter finds the same elements wherever the file's reads end, and
 * refuses what is no object of arrays.
 */

#include "base/t/tap.h"

#include <sys/wait.h>
#include <unistd.h>

#include "posd/split.h"

typedef struct {
    char         seen[512];     /* "section ordinal text;" of every item */
    pos_status_t status;
    uint64_t     line;
} cut_t;


/* A process writes the text in pieces of `piece` bytes; it is read here. */
static cut_t
cut(const char *text, size_t piece)
{
    cut_t             c = { .status = POS_BROKEN };
    pos_split_item_t  item;
    pos_split_t      *split;
    size_t            at, n, len = strlen(text), used = 0;
    int               fds[2];
    pid_t             pid;

    if (pipe(fds) != 0) {
        return c;
    }

    pid = fork();
    if (pid == 0) {
        for (at = 0; at < len; at += n) {
            n = len - at < piece ? len - at : piece;
            if (write(fds[1], text + at, n) != (ssize_t) n) {
                break;
            }
        }
        _exit(0);
    }

    close(fds[1]);
    split = pos_split_create(fds[0]);
    while (split != NULL && (c.status = pos_split_next(split, &item)) == POS_OK
           && used < sizeof(c.seen) - 100)
    {
        used += (size_t) snprintf(c.seen + used, sizeof(c.seen) - used, "%s %d %.*s;", item.section,
                                  (int) item.ordinal, (int) item.text.len, item.text.data);
    }
    c.line = pos_split_line(split);
    pos_split_destroy(split);
    close(fds[0]);
    waitpid(pid, NULL, 0);
    return c;
}


static void
is_cut(const char *text, const char *want, const char *what)
{
    static const size_t pieces[] = { 1, 2, 7, 4096 };
    unsigned            i;
    cut_t               c;

    for (i = 0; i < 4; i++) {
        c = cut(text, pieces[i]);
        is_int(c.status, POS_NOT_FOUND, "%s ends well, read by %zu", what, pieces[i]);
        is_str(pos_str_z(c.seen), want, "%s", what);
    }
}


static void
refused(const char *text, const char *what)
{
    cut_t c = cut(text, 3);

    is_int(c.status, POS_INVALID, "%s is refused", what);
}


int
main(void)
{
    cut_t c;

    is_cut("{}", "", "an empty object");
    is_cut(" { \"a\" : [ 1 , {\"b\":[2,\"]}\\\"\"]} ,\"x,y\" ],\n\"r\":{\"c\":1}, \"e\":[ ] } \n",
           "a 0 1;a 1 {\"b\":[2,\"]}\\\"\"]};a 2 \"x,y\";r 0 {\"c\":1};e -1 ;", "a book");
    is_cut("{\"\\u0061\":[1]}", "? 0 1;", "an escaped name, which no section has");
    refused("", "nothing");
    refused("[]", "an array");
    refused("{\"a\":[1,]}", "a comma too many");
    refused("{\"a\":[1 2]}", "a comma missing");
    refused("{\"a\":[1}", "a wrong bracket");
    refused("{\"a\":[{\"b\":1", "a document cut off");
    refused("{\"a\":[\"b", "a string cut off");
    refused("{\"a\":[1]", "an object cut off");
    refused("{\"a\":[1]},", "something behind");
    refused("{\"a\" [1]}", "a colon missing");
    refused("{,}", "a name missing");
    c = cut("{\n\"a\":\n[1,\n,]}", 2);
    is_int((int64_t) c.line, 4, "the line is told");
    return tap_done();
}
