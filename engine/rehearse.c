/* The rehearsal's steps, and what they found. */

#include "engine/index.h"
#include "engine/rehearse_data.h"

#include <stdlib.h>

#define BLOCK_SIZE    16384
#define LIMITS_MOST   2        /* of one promotion: each costs a whole budget */

/* A shop for those that have none yet; its products are made up. */
#define EMPTY_SHOP \
    "{\"retailer\":{\"code\":\"rehearsal\",\"currency\":\"GBP\"},"                    \
    "\"stores\":[{\"code\":\"shop\",\"tax_region\":\"none\"}],"                       \
    "\"price_lists\":[{\"code\":\"base\",\"currency\":\"GBP\",\"tax_included\":true}]," \
    "\"products\":[],\"prices\":[]}"


/* ---- a stage: a book with one promotion ---- */

static pos_status_t
set_up(pos_book_t *book, pos_promotion_t *promotion)
{
    size_t       done = 0;
    uint32_t     number = 0;
    pos_status_t status;

    (void) pos_roster_clear(&book->roster, &done, SIZE_MAX);
    pos_promotion_retain(promotion);
    status = pos_roster_add(&book->roster, promotion, &number);
    if (status != POS_OK) {
        pos_promotion_release(promotion);
        return status;
    }
    return pos_index_build(book);
}


pos_status_t
pos_stage_init(pos_stage_t *stage, const pos_book_t *base, pos_promotion_t *promotion,
    pos_arena_t *arena)
{
    pos_book_t  *book = &stage->book;
    pos_status_t status;

    *book = *base;
    book->arena = arena;
    book->refs = 1;
    book->index = NULL;
    book->reports = NULL;
    book->promotion_count = 1;
    book->promotions = pos_arena_alloc(arena, sizeof(*book->promotions));
    book->numbers = pos_arena_zalloc(arena, sizeof(*book->numbers));
    book->places = pos_arena_zalloc(arena, sizeof(*book->places));
    status = pos_roster_reserve(&book->roster, arena, 1);
    if (status != POS_OK || book->promotions == NULL || book->numbers == NULL || book->places == NULL) {
        book->roster = (pos_roster_t) { 0 };
        return POS_NO_MEMORY;
    }
    book->promotions[0] = promotion;
    status = set_up(book, promotion);
    if (status != POS_OK) {
        pos_stage_close(stage);
    }
    return status;
}


void
pos_stage_close(pos_stage_t *stage)
{
    unsigned all = UINT32_MAX;

    pos_index_release(stage->book.index);
    (void) pos_roster_release(&stage->book.roster, &all);
}


pos_status_t
pos_rehearsal_build(const pos_book_source_t *source, pos_book_t **out)
{
    pos_book_builder_t *builder;
    pos_status_t        status = pos_book_builder_create(source, NULL, NULL, &builder);

    if (status != POS_OK) {
        return status;
    }
    do {
        status = pos_book_builder_step(builder, 1000, out);
    } while (status == POS_AGAIN);
    pos_book_builder_destroy(builder);
    return status;
}


static pos_status_t
open_own_shop(pos_rehearsal_t *r)
{
    pos_json_t  *json;
    pos_faults_t faults;
    pos_status_t status;

    pos_faults_init(&faults, r->arena);
    status = pos_json_read(r->reader, pos_str(EMPTY_SHOP), r->arena, &faults, &json);
    if (status == POS_OK) {
        status = pos_memory_book_create(json, NULL, NULL, &faults, &r->own);
    }
    if (status != POS_OK) {
        return status;
    }
    pos_memory_book_source(r->own, &r->own_source);
    r->options.source = &r->own_source;
    status = pos_rehearsal_build(&r->own_source, &r->own_book);
    r->options.book = r->own_book;
    return status;
}


/* ---- findings ---- */

pos_finding_t *
pos_rehearsal_find(pos_rehearsal_t *r, pos_subject_t *s, const char *code, pos_str_t message,
    uint32_t line)
{
    pos_finding_t *f = pos_arena_zalloc(r->arena, sizeof(*f));

    if (f == NULL) {
        return NULL;
    }
    f->promotion = s->promotion->id;
    f->pointer = pos_str("");
    f->cart = pos_str("");
    f->code = code;
    f->message = pos_arena_str(r->arena, message);
    f->line = line;
    if (f->message.data == NULL) {
        return NULL;
    }
    *r->last_finding = f;
    r->last_finding = (const pos_finding_t **) &f->next;
    s->found++;
    r->result.errors++;
    return f;
}


static bool
known_failure(const pos_rehearsal_t *r, const pos_subject_t *s, uint32_t line, pos_str_t message)
{
    for (const pos_finding_t *f = r->result.findings; f != NULL; f = f->next) {
        if (f->line == line && pos_str_eq(f->promotion, s->promotion->id)
            && pos_str_eq(f->message, message))
        {
            return true;
        }
    }
    return false;
}


/* "line 12: text" as the sandbox says it. */
static pos_str_t
split_line(pos_str_t text, uint32_t *line)
{
    size_t skip = sizeof("line ") - 1, i = skip;

    *line = 0;
    if (text.len < skip || memcmp(text.data, "line ", skip) != 0) {
        return text;
    }
    for (; i < text.len && i < skip + 6 && text.data[i] >= '0' && text.data[i] <= '9'; i++) {
        *line = *line * 10 + (uint32_t) (text.data[i] - '0');
    }
    if (i + 2 > text.len || text.data[i] != ':' || text.data[i + 1] != ' ') {
        *line = 0;
        return text;
    }
    return pos_str_of(text.data + i + 2, text.len - i - 2);
}


pos_status_t
pos_rehearsal_failed(pos_rehearsal_t *r, pos_subject_t *s, const pos_json_t *explain,
    pos_str_t cart, uint32_t number)
{
    const char       *limit = pos_script_limit_hit(r->options.vm);
    const pos_json_t *detail = pos_json_get(explain, "detail");
    pos_str_t         message;
    uint32_t          line;
    pos_finding_t    *f;

    message = split_line(detail ? detail->text : pos_str("the script fails"), &line);
    s->limits += limit != NULL;
    if (s->found >= POS_REHEARSAL_FOUND || known_failure(r, s, line, message)) {
        return POS_OK;
    }
    f = pos_rehearsal_find(r, s, limit ? "script_limit" : "script_error", message, line);
    if (f == NULL) {
        return POS_NO_MEMORY;
    }
    f->number = number;
    f->cart = pos_arena_str(r->arena, cart);
    if (number > 0) {
        f->pointer = pos_arena_printf(r->arena, "/cases/%u", number - 1);
    }
    return f->cart.data == NULL || f->pointer.data == NULL ? POS_NO_MEMORY : POS_OK;
}


/* ---- pricing one cart ---- */

pos_status_t
pos_rehearsal_quote(pos_rehearsal_t *r, const pos_stage_t *stage, const pos_json_t *request,
    pos_faults_t *faults, pos_json_t **quote, const pos_json_t **explain)
{
    pos_quote_stats_t   stats = { 0 };
    pos_quote_options_t options = { .book = &stage->book, .source = &stage->source,
          .vm = r->options.vm, .revision = pos_str("rehearsal"), .now = r->options.now,
          .may_simulate = true, .may_override = true, .may_customer = true,
          .may_shipping = true, .trial = true, .pointer = pos_str("") };
    const pos_json_t   *list;
    pos_writer_t        w;
    pos_status_t        status;

    pos_writer_init(&w, r->scratch, 8192, POS_REHEARSAL_TEXT);
    status = pos_quote(&options, request, r->scratch, faults, &w, &stats);
    if (status == POS_OK) {
        status = w.status;
    }
    if (status == POS_OK) {
        status = pos_json_read(r->reader, pos_writer_result(&w), r->scratch, faults, quote);
    }
    if (status != POS_OK) {
        return status;
    }
    list = pos_json_get(*quote, "explain");
    *explain = list ? list->first : NULL;
    return POS_OK;
}


static bool
is_text(const pos_json_t *v, const char *text)
{
    return v != NULL && v->type == POS_JSON_STRING && pos_str_eq(v->text, pos_str_z(text));
}


static pos_status_t
count_cart(pos_rehearsal_t *r, pos_subject_t *s, const pos_json_t *explain, pos_str_t text,
    bool ran)
{
    const pos_json_t *applied = explain ? pos_json_get(explain, "applied") : NULL;

    r->result.carts++;
    r->result.ran += ran;
    s->ran |= ran;
    s->carts++;
    if (applied != NULL && applied->type == POS_JSON_TRUE) {
        s->applied = true;
        r->result.applied++;
    }
    if (explain != NULL && is_text(pos_json_get(explain, "reason"), "script_error")) {
        return pos_rehearsal_failed(r, s, explain, text, 0);
    }
    return POS_OK;
}


static pos_status_t
try_cart(pos_rehearsal_t *r, pos_subject_t *s)
{
    uint32_t          calls = pos_script_calls(r->options.vm);
    pos_json_t       *request, *quote;
    const pos_json_t *explain;
    pos_faults_t      faults;
    pos_writer_t      w;
    pos_status_t      status;

    pos_writer_init(&w, r->scratch, 2048, POS_REHEARSAL_TEXT);
    status = pos_rehearsal_cart(r, s, s->next_cart, &w);
    pos_faults_init(&faults, r->scratch);
    if (status == POS_OK) {
        status = pos_json_read(r->reader, pos_writer_result(&w), r->scratch, &faults, &request);
    }
    if (status == POS_OK) {
        status = pos_rehearsal_quote(r, &s->stage, request, &faults, &quote, &explain);
    }
    if (status == POS_INVALID) {
        r->result.refused++;
        return POS_OK;
    }
    return status == POS_OK
        ? count_cart(r, s, explain, pos_writer_result(&w), calls != pos_script_calls(r->options.vm))
        : status;
}


/* ---- steps ---- */

static pos_status_t
warn(pos_rehearsal_t *r, pos_subject_t *s, const char *code, pos_str_t message)
{
    pos_finding_t *f = pos_rehearsal_find(r, s, code, message, 0);

    if (f == NULL) {
        return POS_NO_MEMORY;
    }
    f->warning = true;
    r->result.errors--;
    return POS_OK;
}


static pos_status_t
end_subject(pos_rehearsal_t *r, pos_subject_t *s)
{
    pos_status_t status = POS_OK;

    if (s->next_case != NULL) {
        status = warn(r, s, "cases_left_out", pos_str("there are more cases than are rehearsed"));
    }
    if (status == POS_OK && s->promotion->script != NULL && !s->ran) {
        status = warn(r, s, "script_not_reached",
            pos_str("none of the carts tried lets the script run: its when, times, coupon or "
            "filters keep it out; a case with such a cart would show that it can"));
    }
    /* Its own cases bring goods along that a shop may not have yet. */
    if (status == POS_OK && s->promotion->script == NULL && !s->applied && s->carts > 0
        && s->case_number == 0)
    {
        status = warn(r, s, "never_applied",
            pos_str("none of the carts tried gets anything of it: see whether its conditions, times, "
            "effects and limits can all hold at once"));
    }
    r->current = s->next;
    return status;
}


/* Half of the carts are made by the filters of the document, the other half by
 * those that the script has used by then as well. */
static pos_status_t
step_cart(pos_rehearsal_t *r, pos_subject_t *s)
{
    pos_status_t status = POS_OK;

    if (s->next_cart == 0 || s->next_cart == POS_REHEARSAL_CARTS / 2) {
        status = pos_rehearsal_pool(r, s);
    }
    if (status == POS_OK) {
        status = try_cart(r, s);
    }
    s->next_cart++;
    return status;
}


static pos_status_t
step_subject(pos_rehearsal_t *r, pos_subject_t *s)
{
    const pos_json_t *item = s->next_case;

    if (s->next_cart < POS_REHEARSAL_CARTS && s->limits < LIMITS_MOST) {
        return step_cart(r, s);
    }
    if (item != NULL && s->case_number < POS_REHEARSAL_CASES && s->limits < 2 * LIMITS_MOST) {
        s->next_case = item->next;
        s->case_number++;
        r->result.cases++;
        return pos_rehearsal_case(r, s, item);
    }
    return end_subject(r, s);
}


pos_status_t
pos_rehearsal_step(pos_rehearsal_t *r)
{
    pos_status_t status;

    if (r->current == NULL) {
        return POS_OK;
    }
    pos_arena_reset(r->scratch);
    status = step_subject(r, r->current);
    if (status != POS_OK) {
        return status;
    }
    return r->current != NULL ? POS_AGAIN : POS_OK;
}


/* ---- the door ---- */

static pos_status_t
rehearsal_init(pos_rehearsal_t *r)
{
    pos_status_t status;

    r->arena = pos_arena_create(BLOCK_SIZE, 0);
    r->scratch = pos_arena_create(4 * BLOCK_SIZE, 0);
    r->reader = pos_json_reader_create(POS_REHEARSAL_TEXT);
    if (r->arena == NULL || r->scratch == NULL || r->reader == NULL) {
        return POS_NO_MEMORY;
    }
    r->last = &r->subjects;
    r->last_finding = &r->result.findings;
    status = pos_map_init(&r->made_up, r->arena, 16);
    if (status == POS_OK && r->options.book == NULL) {
        status = open_own_shop(r);
    }
    return status == POS_OK ? pos_rehearsal_samples(r) : status;
}


pos_status_t
pos_rehearsal_create(const pos_rehearsal_options_t *options, pos_rehearsal_t **out)
{
    pos_rehearsal_t *r = calloc(1, sizeof(*r));
    pos_status_t     status;

    *out = NULL;
    if (r == NULL) {
        return POS_NO_MEMORY;
    }
    r->options = *options;
    status = rehearsal_init(r);
    if (status != POS_OK) {
        pos_rehearsal_destroy(r);
        return status;
    }
    *out = r;
    return POS_OK;
}


static pos_status_t
read_cases(pos_rehearsal_t *r, pos_subject_t *s, pos_str_t text, pos_faults_t *faults)
{
    pos_json_t  *cases;
    pos_status_t status;

    if (text.len == 0) {
        return POS_OK;
    }
    status = pos_json_read(r->reader, text, r->arena, faults, &cases);
    if (status == POS_OK && cases->type == POS_JSON_ARRAY) {
        s->next_case = cases->first;
    }
    return status;
}


pos_status_t
pos_rehearsal_add(pos_rehearsal_t *r, const pos_json_t *document, pos_str_t cases,
    pos_faults_t *faults)
{
    pos_subject_t *s = pos_arena_zalloc(r->arena, sizeof(*s));
    pos_status_t   status;

    if (s == NULL) {
        return POS_NO_MEMORY;
    }
    s->document = document;
    status = pos_promotion_compile(document, r->options.book->zone, r->options.vm, pos_str(""),
        faults, &s->promotion);
    if (status != POS_OK) {
        return status;
    }
    *r->last = s;
    r->last = &s->next;
    if (r->current == NULL) {
        r->current = s;
    }
    s->arena = pos_arena_create(BLOCK_SIZE, 0);
    if (s->arena == NULL) {
        return POS_NO_MEMORY;
    }
    s->stage.source = (pos_book_source_t) { .ctx = r, .product = pos_rehearsal_product,
        .coupon = pos_rehearsal_coupon };
    status = read_cases(r, s, cases, faults);
    return status == POS_OK
        ? pos_stage_init(&s->stage, r->options.book, s->promotion, s->arena) : status;
}


const pos_rehearsal_result_t *
pos_rehearsal_result(const pos_rehearsal_t *r)
{
    return &r->result;
}


void
pos_rehearsal_destroy(pos_rehearsal_t *r)
{
    if (r == NULL) {
        return;
    }
    for (pos_subject_t *s = r->subjects; s != NULL; s = s->next) {
        pos_stage_close(&s->stage);
        pos_promotion_release(s->promotion);
        pos_arena_destroy(s->arena);
    }
    pos_book_release(r->own_book);
    pos_memory_book_destroy(r->own);
    pos_json_reader_destroy(r->reader);
    pos_arena_destroy(r->scratch);
    pos_arena_destroy(r->arena);
    free(r);
}
