/*
 * Rows on their way to the database's staging table, by COPY.
 */

#include "posd/import_data.h"

#include <stdio.h>
#include <stdlib.h>

#define STAGE_COPY_SIZE  (256 * 1024)


bool
pos_stage_create(pos_import_t *im)
{
    im->copy_room = STAGE_COPY_SIZE;
    im->copy = malloc(im->copy_room);
    return im->copy != NULL;
}


bool
pos_stage_begin(pos_import_t *im)
{
    PGresult *r;
    bool      ok;

    im->copy_len = 0;
    if (!pos_pg_run(im->stage, POS_IMPORT_TIMEOUT, "select pos.open_import()")
        || !pos_pg_send(im->stage, "copy pg_temp.import_row"
                                   " (section, ordinal, code, value) from stdin"))
    {
        return false;
    }

    r = pos_pg_receive(im->stage, POS_IMPORT_TIMEOUT);
    ok = r != NULL && PQresultStatus(r) == PGRES_COPY_IN;
    PQclear(r);
    return ok;
}


bool
pos_stage_flush(pos_import_t *im)
{
    bool ok = im->copy_len == 0
              || pos_pg_copy_put(im->stage, POS_IMPORT_TIMEOUT, im->copy,
                                 im->copy_len);

    im->copy_len = 0;
    return ok;
}


static bool
copy_room(pos_import_t *im, size_t need)
{
    char  *grown;
    size_t room = im->copy_room;

    while (room - im->copy_len < need) {
        room *= 2;
    }
    if (room != im->copy_room) {
        grown = realloc(im->copy, room);
        if (grown == NULL) {
            return false;
        }
        im->copy = grown;
        im->copy_room = room;
    }

    return true;
}


/* COPY's text format: backslash, tab and line ends are escaped. */
static char *
copy_text(char *p, pos_str_t text)
{
    size_t i;

    if (text.data == NULL) {
        *p++ = '\\';
        *p++ = 'N';
    }

    for (i = 0; i < text.len; i++) {
        char c = text.data[i];

        if (c == '\\' || c == '\t' || c == '\n' || c == '\r') {
            *p++ = '\\';
            c = c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : c;
        }
        *p++ = c;
    }

    return p;
}


bool
pos_stage_row(pos_import_t *im, const char *section, int64_t ordinal, pos_str_t code,
    pos_str_t value)
{
    char *p;

    if (!copy_room(im, 2 * (code.len + value.len) + 128)) {
        return false;
    }

    p = im->copy + im->copy_len;
    p += snprintf(p, 100, "%s\t%lld\t", section, (long long) ordinal);
    p = copy_text(p, code);
    *p++ = '\t';
    p = copy_text(p, value);
    *p++ = '\n';
    im->copy_len = (size_t) (p - im->copy);
    return im->copy_len < STAGE_COPY_SIZE || pos_stage_flush(im);
}
