/*
 * A shop for unit tests: a book from its JSON text, and quotes from it.
 */

#ifndef POS_T_SHOP_H
#define POS_T_SHOP_H

#include "base/t/tap.h"
#include "base/json_write.h"
#include "engine/quote.h"

typedef struct {
    pos_arena_t        *arena;
    pos_json_reader_t  *reader;
    pos_script_vm_t    *vm;
    pos_memory_book_t  *memory;
    pos_book_source_t   source;
    pos_book_t         *book;
} shop_t;

/* A retailer with one list in pounds, 20 % VAT inside, a boot, a tee and cheese. */
#define SHOP_GOODS \
    "\"stores\":[{\"code\":\"london\",\"tax_region\":\"GB\"}],\"categories\":[{\"code\":\"all\"},{\"code\":\"shoes\",\"parent\":\"all\"}]," \
    "\"products\":[{\"sku\":\"BOOT\",\"name\":\"Boot\",\"categories\":[\"shoes\"],\"tax_category\":\"standard\"}," \
    "{\"sku\":\"TEE\",\"name\":\"Tee\",\"tax_category\":\"standard\"}," \
    "{\"sku\":\"CHEESE\",\"name\":\"Cheese\",\"unit\":\"kg\",\"tax_category\":\"standard\"}]," \
    "\"price_lists\":[{\"code\":\"base\",\"currency\":\"GBP\",\"tax_included\":true}," \
    "{\"code\":\"staff\",\"currency\":\"GBP\",\"tax_included\":true,\"priority\":1,\"customer_groups\":[\"staff\"]}]," \
    "\"taxes\":[{\"region\":\"GB\",\"category\":\"standard\",\"code\":\"vat\",\"percent\":20}]"

/* NULL: the book is not built; why is in `status`. */
static inline pos_book_t *
shop_build(const pos_book_source_t *source, const pos_book_t *previous, pos_script_vm_t *vm, uint32_t step,
    pos_status_t *status)
{
    pos_book_builder_t *builder = NULL;
    pos_book_t         *book = NULL;

    *status = pos_book_builder_create(source, previous, vm, &builder);
    while (*status == POS_OK && book == NULL) {
        *status = pos_book_builder_step(builder, step, &book);
        *status = *status == POS_AGAIN ? POS_OK : *status;
    }
    pos_book_builder_destroy(builder);
    return book;
}

/* What was made before it failed is there, to be closed. NULL text: only the arena, the reader
 * and the VM. Texts that it reads are no longer than `longest`; `block` is the arena's. */
static inline pos_status_t
shop_make(shop_t *s, pos_str_t text, size_t block, size_t longest, uint32_t step)
{
    pos_script_limits_t limits;
    pos_faults_t        faults;
    pos_json_t         *json;
    pos_status_t        status;

    memset(s, 0, sizeof(*s));
    pos_script_limits_default(&limits);
    s->arena = pos_arena_create(block, 0);
    s->reader = pos_json_reader_create(longest);
    if (s->arena == NULL || s->reader == NULL) {
        return POS_NO_MEMORY;
    }
    status = pos_script_vm_create(&limits, &s->vm);
    if (status != POS_OK || text.data == NULL) {
        return status;
    }
    pos_faults_init(&faults, s->arena);
    status = pos_json_read(s->reader, text, s->arena, &faults, &json);
    if (status == POS_OK) {
        status = pos_memory_book_create(json, NULL, NULL, &faults, &s->memory);
    }
    for (const pos_fault_t *f = status == POS_INVALID ? faults.first : NULL; f; f = f->next) {
        printf("# %.*s %s: %.*s\n", (int) f->pointer.len, f->pointer.data, f->code, (int) f->message.len,
            f->message.data);
    }
    if (status == POS_OK) {
        pos_memory_book_source(s->memory, &s->source);
        s->book = shop_build(&s->source, NULL, s->vm, step, &status);
    }
    return status;
}

static inline bool
shop_open(shop_t *s, const char *text)
{
    return shop_make(s, text ? pos_str_z(text) : (pos_str_t) { NULL, 0 }, 65536, 1 << 20, 3) == POS_OK;
}

static inline void
shop_close(shop_t *s)
{
    pos_book_release(s->book);
    pos_memory_book_destroy(s->memory);
    pos_script_vm_destroy(s->vm);
    pos_json_reader_destroy(s->reader);
    pos_arena_destroy(s->arena);
}

static inline pos_quote_options_t
shop_options(const shop_t *s)
{
    return (pos_quote_options_t) { .book = s->book, .source = &s->source, .vm = s->vm, .revision = pos_str("r1"),
        .now = INT64_C(1780315200000000), .may_simulate = true, .may_override = true, .may_customer = true,
        .may_shipping = true, .pointer = pos_str("") };
}

static inline pos_str_t
shop_faults(shop_t *s, const pos_faults_t *faults)
{
    pos_str_t text = pos_str("");

    for (const pos_fault_t *f = faults->first; f; f = f->next) {
        text = pos_arena_printf(s->arena, "%.*s%s%.*s %s", (int) text.len, text.data, text.len ? ", " : "",
            (int) f->pointer.len, f->pointer.data, f->code);
    }
    return text;
}

/* The answer's text, or its faults as "pointer code, …"; in the shop's arena. */
static inline pos_str_t
shop_quote(shop_t *s, const pos_quote_options_t *options, const char *request, pos_quote_stats_t *stats)
{
    pos_faults_t faults;
    pos_json_t  *json;
    pos_writer_t w;

    pos_faults_init(&faults, s->arena);
    pos_writer_init(&w, s->arena, POS_QUOTE_ROOM, 1 << 20);
    memset(stats, 0, sizeof(*stats));
    if (pos_json_read(s->reader, pos_str_z(request), s->arena, &faults, &json) == POS_OK
        && pos_quote(options, json, s->arena, &faults, &w, stats) == POS_OK)
    {
        return pos_writer_result(&w);
    }
    return shop_faults(s, &faults);
}

/* A member of that answer, as text; empty: there is none. */
static inline pos_str_t
shop_member(shop_t *s, pos_str_t answer, const char *name)
{
    const pos_json_t *v = NULL;
    pos_faults_t      faults;
    pos_json_t       *json;

    pos_faults_init(&faults, s->arena);
    if (pos_json_read(s->reader, answer, s->arena, &faults, &json) == POS_OK) {
        v = pos_json_get(json, name);
    }
    return v == NULL ? pos_str("") : v->text;
}

#endif
