/*
 * Collecting faults: every one is counted, the first `max` are kept.
 */

#include "base/base.h"
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>

/* Longer messages are cut: they quote input, which may be of any length. */
#define POS_FAULT_MESSAGE_MAX  500


void
pos_faults_init(pos_faults_t *faults, pos_arena_t *arena)
{
    faults->arena = arena;
    faults->first = NULL;
    faults->last = &faults->first;
    faults->count = 0;
    faults->max = POS_FAULTS_MAX;
    faults->lost = false;
}


/* A cut must not leave half a code point behind. */
static size_t
pos_fault_cut(const char *text, size_t len)
{
    while (len > 0 && ((unsigned char) text[len] & 0xC0) == 0x80) {
        len--;
    }

    return len;
}


static pos_fault_t *
pos_fault_add(pos_faults_t *faults, pos_str_t pointer, const char *code, const char *format,
    va_list args)
{
    char         message[POS_FAULT_MESSAGE_MAX + 1];
    int          n;
    size_t       len;
    pos_fault_t *fault;

    if (faults == NULL || faults->count++ >= faults->max || faults->arena == NULL) {
        return NULL;
    }

    n = vsnprintf(message, sizeof(message), format, args);
    len = n < 0 ? 0 : (size_t) n;

    if (len > POS_FAULT_MESSAGE_MAX) {
        len = pos_fault_cut(message, POS_FAULT_MESSAGE_MAX - 1);
    }

    fault = pos_arena_zalloc(faults->arena, sizeof(pos_fault_t));
    if (fault == NULL) {
        faults->lost = true;
        return NULL;
    }

    fault->code = code;
    fault->pointer = pos_arena_str(faults->arena, pointer);
    fault->message = pos_arena_str(faults->arena, pos_str_of(message, len));

    if (fault->pointer.data == NULL || fault->message.data == NULL) {
        faults->lost = true;
        return NULL;
    }

    *faults->last = fault;
    faults->last = &fault->next;

    return fault;
}


pos_status_t
pos_fault(pos_faults_t *faults, pos_str_t pointer, const char *code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void) pos_fault_add(faults, pointer, code, format, args);
    va_end(args);

    return POS_INVALID;
}


pos_status_t
pos_fault_at(pos_faults_t *faults, pos_str_t pointer, uint32_t line, uint32_t column,
    const char *code, const char *format, ...)
{
    va_list      args;
    pos_fault_t *fault;

    va_start(args, format);
    fault = pos_fault_add(faults, pointer, code, format, args);
    va_end(args);

    if (fault) {
        fault->line = line;
        fault->column = column;
    }

    return POS_INVALID;
}
