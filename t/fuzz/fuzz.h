/* What the fuzzers share: a shop, whole books made from JSON, and what must hold of
 * whatever is answered. */

#ifndef POS_FUZZ_H
#define POS_FUZZ_H

#include "base/json_write.h"
#include "engine/quote.h"

typedef struct {
    pos_arena_t       *arena;       /* lives as long as the book           */
    pos_memory_book_t *memory;
    pos_book_source_t  source;
    pos_book_t        *book;
} pos_fuzz_t;

/* One of each a process. */
pos_json_reader_t *pos_fuzz_reader(void);
pos_script_vm_t   *pos_fuzz_vm(void);

/* t/fuzz/book.json: some goods of each kind, and some thirty promotions that meet on
 * them. What may follow its `"promotions": [` is taken by pos_fuzz_open_promotions(). */
pos_str_t pos_fuzz_shop(void);

/* False when the document is refused; whatever was made is destroyed. */
bool pos_fuzz_open(pos_fuzz_t *f, pos_str_t document);
/* The shop with these promotions, JSON with commas between them, and no others. */
bool pos_fuzz_open_promotions(pos_fuzz_t *f, pos_str_t promotions);
void pos_fuzz_takes_promotions(void);    /* or ends: asked once, by whoever counts on it */
void pos_fuzz_close(pos_fuzz_t *f);

/* Whatever the request: refused with faults, or one document whose parts sum up, that
 * comes out the same again, and all of which can be given back. */
void pos_fuzz_quote(pos_fuzz_t *f, pos_str_t request);
/* Refused with faults, or an answer that refunds no less than nothing. */
void pos_fuzz_return(pos_fuzz_t *f, const pos_json_t *document, pos_arena_t *arena, int64_t *refund);

/* As a promotion: refused with faults, or it loads and prices a cart as above. */
void pos_fuzz_script(pos_str_t source);

/* Mutates JSON, values one behind the other, as JSON: copies values about, tweaks
 * numbers, adds and drops members. Now and then, and where it is no JSON, its bytes. */
size_t pos_fuzz_mutate(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t pos_fuzz_cross(const uint8_t *one, size_t one_size, const uint8_t *two, size_t two_size, uint8_t *out,
    size_t max, unsigned seed);

#define POS_FUZZ_JSON                                                                               \
    size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);          \
    size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,       \
        size_t two_size, uint8_t *out, size_t max, unsigned seed);                                  \
                                                                                                    \
    size_t                                                                                          \
    LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)                  \
    {                                                                                               \
        return pos_fuzz_mutate(data, size, max, seed);                                              \
    }                                                                                               \
                                                                                                    \
    size_t                                                                                          \
    LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,              \
        size_t two_size, uint8_t *out, size_t max, unsigned seed)                                   \
    {                                                                                               \
        return pos_fuzz_cross(one, one_size, two, two_size, out, max, seed);                        \
    }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
