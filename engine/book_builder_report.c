/*
 * What was at fault in a build, for whoever publishes: told beside the book.
 */

#include "engine/book_builder.h"

#include <stdio.h>


void
pos_builder_report(pos_book_builder_t *b, pos_kind_t kind, pos_str_t key, const char *where,
    pos_str_t message, bool kept)
{
    pos_book_report_t *r = pos_arena_zalloc(b->book->arena, sizeof(*r));

    if (r == NULL) {
        b->lost = true;
        return;
    }
    r->kind = kind;
    r->key = pos_arena_str(b->book->arena, key);
    r->message = pos_arena_printf(b->book->arena, "%s%s%.*s", where, *where ? ": " : "",
        (int) message.len, message.data);
    r->kept_before = kept;
    b->lost |= r->key.data == NULL || r->message.data == NULL;
    *b->last_report = r;
    b->last_report = &r->next;
}


void
pos_builder_report_fault(pos_book_builder_t *b, pos_kind_t kind, pos_str_t key,
    const pos_faults_t *faults, bool kept)
{
    const pos_fault_t *f = faults->first;
    char               where[160] = "";
    int                shown;

    b->lost |= faults->lost;
    if (f == NULL) {
        pos_builder_report(b, kind, key, "", pos_str("is at fault"), kept);
        return;
    }
    shown = f->pointer.len > 100 ? 100 : (int) f->pointer.len;
    if (f->line > 0) {
        (void) snprintf(where, sizeof(where), "line %u", f->line);
    } else if (shown > 0) {
        (void) snprintf(where, sizeof(where), "%.*s", shown, f->pointer.data);
    }
    pos_builder_report(b, kind, key, where, f->message, kept);
}
