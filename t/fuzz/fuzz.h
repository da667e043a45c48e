/* What the fuzzers share: a small book built from JSON, and one cart for it. */

#ifndef POS_FUZZ_H
#define POS_FUZZ_H

#include "base/json_write.h"
#include "engine/quote.h"

typedef struct {
    pos_json_reader_t *reader;
    pos_arena_t       *arena;       /* lives as long as the book           */
    pos_memory_book_t *memory;
    pos_book_source_t  source;
    pos_book_t        *book;
    pos_script_vm_t   *vm;
} pos_fuzz_t;

/* False when the document is refused; whatever was made is destroyed. */
bool pos_fuzz_open(pos_fuzz_t *f, const char *promotion, size_t len);
void pos_fuzz_close(pos_fuzz_t *f);
void pos_fuzz_quote(pos_fuzz_t *f, pos_str_t request);

#endif
