/*
 * Memory runs out once: each allocation of the process in turn, in all that a worker
 * does. It answers by an error, keeps nothing of what it took, and the next call is
 * right. What else is held, by whom, is in memory.c.
 */

#include "engine/rehearse.h"
#include "engine/returns.h"
#include "engine/t/shop.h"

/* ---- malloc, failing ---- */

#if POS_ARENA_GUARDED
/* The sanitizer's own malloc stands there: arenas alone fail, and it looks for leaks. */
static const long held = 0;

static void
fail_nth(uint64_t nth)
{
    pos_arena_fail_nth(nth);
}
#else
static uint64_t fail_in;    /* 0: never */
static long     held;       /* blocks */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void  __libc_free(void *block);

static bool
fails(void)
{
    return fail_in > 0 && --fail_in == 0;
}

static void *
count(void *block)
{
    held += block != NULL;
    return block;
}

void *
malloc(size_t size)
{
    return fails() ? NULL : count(__libc_malloc(size));
}

void *
calloc(size_t n, size_t size)
{
    return fails() ? NULL : count(__libc_calloc(n, size));
}

void *
realloc(void *block, size_t size)
{
    void *p = fails() ? NULL : __libc_realloc(block, size);

    held += block == NULL && p != NULL;
    return p;
}

void *
aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : count(__libc_memalign(alignment, size));
}

int
posix_memalign(void **out, size_t alignment, size_t size)
{
    *out = aligned_alloc(alignment, size);
    return *out ? 0 : 12;    /* ENOMEM */
}

void
free(void *block)
{
    held -= block != NULL;
    __libc_free(block);
}

static void
fail_nth(uint64_t nth)
{
    fail_in = nth;
}
#endif

/* ---- a shop, in which ' is written for " and ` for ' ---- */

static const char book_source[] =
    "{'retailer':{'code':'r','currency':'GBP','timezone':'UTC','returns':'reprice','tax_rounding':'order',"
    "'points_per':100,'shipping_tax_category':'t'},"
    "'stores':[{'code':'s','tax_region':'R','timezone':'UTC'}],"
    "'categories':[{'code':'all'},{'code':'tea','parent':'all'}],"
    "'products':[{'sku':'A','name':'A','categories':['tea'],'cost':100,'tax_category':'t','fees':"
    "[{'code':'d','amount':5,'tax_category':'u'}]},{'sku':'B','name':'B','categories':['all'],'tax_category':'t',"
    "'attributes':{'colour':'red'}},{'sku':'C','name':'C','unit':'kg','tax_category':'u'},"
    "{'sku':'D','name':'D','categories':['tea']},{'sku':'G','name':'G'}],"
    "'price_lists':[{'code':'l','currency':'GBP','tax_included':true}],"
    "'prices':[{'sku':'A','list':'l','amount':1000},{'sku':'B','list':'l','amount':700},{'sku':'B','list':'l',"
    "'amount':600,'kind':'sale','from':'2026-05-20T00:00:00Z'},{'sku':'C','list':'l','amount':1250},"
    "{'sku':'D','list':'l','amount':333},{'sku':'G','list':'l','amount':300}],"
    "'taxes':[{'region':'R','category':'t','code':'vat','percent':20},"
    "{'region':'R','category':'t','code':'city','percent':1.5,'compound':true},"
    "{'region':'R','category':'u','code':'vat','percent':5}],"
    "'coupons':[{'code':'SAVE','promotions':['saved']},{'code':'LATE','promotions':['saved'],'until':"
    "'2026-01-01T00:00:00Z'}],"
    "'experiments':[{'code':'x','unit':'session','arms':[{'code':'a'},{'code':'b'}]}],"
    "'promotions':["
    "{'id':'off','class':'line','floor':{'margin_percent':10},'then':[{'percent_off':10,'items':{'category':['tea']}}]},"
    "{'id':'tiers','class':'line','group':'g','then':[{'tiers':[{'quantity':2,'percent_off':5},{'quantity':4,"
    "'amount_off':30}],'items':{'sku':['B','D']}}]},"
    "{'id':'deal','class':'line','group':'g','limits':[{'max':3,'of':'uses','per':'customer','window':"
    "'week'}],'then':[{'buy':[{'items':{'sku':['B']},'quantity':1}],'get':[{'items':{},'quantity':1,'percent_off':50}]}]},"
    "{'id':'set','class':'line','group':'g','then':[{'bundle':[{'items':{'sku':['A']},'quantity':1},"
    "{'items':{'sku':['D']},'quantity':2}],'price':1100}]},"
    "{'id':'nth','class':'line','stacking':'exclusive','then':[{'nth':{'items':{},'group':3,'position':3,"
    "'percent_off':100}}]},"
    "{'id':'gift','class':'line','when':{'subtotal':{'min':3000}},'then':[{'gift':{'sku':'G','quantity':1}}]},"
    "{'id':'arm','class':'line','experiment':{'code':'x','arm':'a'},'then':[{'message':'hello'}]},"
    "{'id':'saved','class':'order','coupon':true,'when':{'all':[{'any':[{'items':{'attribute':{'colour':['red']}},"
    "'quantity':{'min':1}}]}]},'then':[{'amount_off':250}]},"
    "{'id':'order','class':'order','when':{'subtotal':{'min':2000},'after':'line'},'then':[{'percent_off':5},"
    "{'points':{'multiply':2}}]},"
    "{'id':'ship','class':'shipping','then':[{'percent_off':100,'max_amount':100}]},"
    "{'id':'lua','script':'local json = json\\nreturn promotion { id = `lua`, name = `By Lua`, class = `line`,\\n"
    "settings = { percent = { type = `percent`, default = 15 } },\\n"
    "eligible = function(cart) return re.match(cart.store, `^s$`) ~= nil end,\\n"
    "apply = function(cart)\\n"
    "local some, n = cart:items { sku = { `A`, `C` } }, 0\\n"
    "for line in cart:items { category = { `all` } }:each() do n = n + line.quantity end\\n"
    "local given = json.decode(cart.attributes.json)\\n"
    "some:percent_off(n >= given.most and 25 or setting `percent`, `By Lua ` .. n)\\n"
    "cart:deal { buy = { { items = { sku = { `D` } }, quantity = 1 } },"
    " get = { { items = { sku = { `B` } }, quantity = 1, percent_off = n } } }\\n"
    "cart:message(string.upper(`thanks`))\\nend }'}]}";

static const char request_source[] =
    "{'store':'s','at':'2026-06-03T12:00:00Z','session':'s-1','customer':{'id':'c','groups':['g','h']},"
    "'coupons':['SAVE','LATE','NONE'],'attributes':{'json':'{\\'most\\':3}'},'lines':[{'id':'1','sku':'A','quantity':4},"
    "{'id':'2','sku':'B','quantity':3,'attributes':{'size':'m'}},{'id':'3','sku':'C','quantity':0.354},"
    "{'id':'4','sku':'D','quantity':4,'discount':{'amount':7,'reason':'a dent'}},{'id':'5','sku':'A','quantity':1}],"
    "'shipping':{'method':'post','amount':400},'explain':%s}";

static const char wrong_source[] =
    "{'store':'none','at':'2026-06-03T12:00:00Z','lines':[{'id':'1','sku':'A','quantity':0.5},"
    "{'id':'1','sku':'Z','quantity':-1,'more':[1,2]}],'coupons':7}";

static const char inputs_source[] =
    "{'usage':[{'promotion':'deal','of':'uses','per':'customer','subject':'c','window':'week',"
    "'from':'2026-06-01','used':2}]}";

#define ROOM  (32u << 10)

static pos_str_t
text_of(char *out, const char *source, const char *word)
{
    size_t n = (size_t) snprintf(out, ROOM, source, word);

    /* Within a JSON string, \' is \". */
    for (char *p = out; *p; p++) {
        *p = *p == '\'' ? '"' : *p == '`' ? '\'' : *p;
    }
    return pos_str_of(out, n);
}

static char book_room[ROOM], plain_room[ROOM], explain_room[ROOM], wrong_room[ROOM], inputs_room[ROOM];
static pos_str_t book_text, plain, explained, wrong, inputs_text;

/* Whole, or what came before the failure; POS_BROKEN: a book that lacks something. */
static pos_status_t
build(shop_t *s)
{
    pos_status_t status = shop_make(s, book_text, 256, ROOM, 100);

    if (status == POS_OK && pos_book_reports(s->book) != NULL) {
        const pos_book_report_t *r = pos_book_reports(s->book);

        printf("# reported: %.*s %.*s\n", (int) r->key.len, r->key.data, (int) r->message.len, r->message.data);
        return POS_BROKEN;
    }
    return status;
}

/* ---- what a worker does ---- */

#define ANSWER_MAX  (64u << 10)

typedef struct {
    char   text[ANSWER_MAX];
    size_t len;
} answer_t;

typedef pos_status_t (*work_pt)(shop_t *s, pos_arena_t *arena, pos_faults_t *faults, pos_writer_t *w);

static pos_status_t
price(shop_t *s, pos_str_t text, const pos_inputs_t *inputs, pos_arena_t *arena, pos_faults_t *faults,
    pos_writer_t *w)
{
    pos_quote_options_t options = { .book = s->book, .source = &s->source, .vm = s->vm, .inputs = inputs,
        .revision = pos_memory_book_revision(s->memory), .may_simulate = true, .may_customer = true,
        .may_shipping = true, .may_override = true, .for_order = inputs != NULL, .pointer = pos_str("") };
    pos_quote_stats_t   stats;
    pos_json_t         *json;
    pos_status_t        status = pos_json_read(s->reader, text, arena, faults, &json);

    return status == POS_OK ? pos_quote(&options, json, arena, faults, w, &stats) : status;
}

static pos_status_t
quote(shop_t *s, pos_arena_t *arena, pos_faults_t *faults, pos_writer_t *w)
{
    return price(s, plain, NULL, arena, faults, w);
}

static pos_status_t
explain(shop_t *s, pos_arena_t *arena, pos_faults_t *faults, pos_writer_t *w)
{
    return price(s, explained, NULL, arena, faults, w);
}

/* Its answer is the faults. */
static pos_status_t
refuse(shop_t *s, pos_arena_t *arena, pos_faults_t *faults, pos_writer_t *w)
{
    pos_status_t status = price(s, wrong, NULL, arena, faults, w);

    pos_writer_init(w, arena, 64, ANSWER_MAX);
    for (const pos_fault_t *f = faults->first; f != NULL && status == POS_INVALID; f = f->next) {
        pos_write_string(w, f->pointer);
        pos_write_string(w, f->message);
    }
    return status == POS_INVALID ? w->status : status == POS_OK ? POS_BROKEN : status;
}

static pos_status_t
keep(shop_t *s, pos_arena_t *arena, pos_faults_t *faults, pos_writer_t *w)
{
    pos_inputs_t inputs;
    pos_json_t  *json;
    pos_status_t status = pos_json_read(s->reader, inputs_text, arena, faults, &json);

    if (status == POS_OK) {
        status = pos_inputs_read(json, pos_str("/inputs"), arena, faults, &inputs);
    }
    return status == POS_OK ? price(s, plain, &inputs, arena, faults, w) : status;
}

static answer_t order;    /* what keep() answers */

static pos_status_t
give_back(shop_t *s, pos_arena_t *arena, pos_faults_t *faults, pos_writer_t *w)
{
    pos_quote_options_t  quoting = { .book = s->book, .source = &s->source, .vm = s->vm,
        .revision = pos_memory_book_revision(s->memory), .may_simulate = true, .may_customer = true,
        .may_shipping = true, .may_override = true, .pointer = pos_str("") };
    pos_return_options_t options = { &quoting, &quoting, s->reader };
    pos_json_t          *json;
    pos_str_t            document = pos_arena_printf(arena,
        "{\"quote\":%.*s,\"request\":%.*s,\"lines\":[{\"line\":0,\"quantity\":2},{\"line\":3,\"quantity\":1}],"
        "\"sale\":%.*s,\"inputs\":%.*s}", (int) order.len, order.text, (int) plain.len, plain.data,
        (int) plain.len, plain.data, (int) inputs_text.len, inputs_text.data);
    pos_status_t         status;

    if (document.data == NULL) {
        return POS_NO_MEMORY;
    }
    status = pos_json_read(s->reader, document, arena, faults, &json);
    return status == POS_OK ? pos_return(&options, json, arena, faults, w) : status;
}

/* Its answer is copied out, since the arena goes. */
static pos_status_t
work(shop_t *s, work_pt what, size_t block, uint64_t nth, answer_t *out)
{
    pos_arena_t *arena = pos_arena_create(block, 0);
    pos_faults_t faults;
    pos_writer_t w;
    pos_status_t status;

    fail_nth(nth);
    pos_faults_init(&faults, arena);
    pos_writer_init(&w, arena, POS_QUOTE_ROOM, ANSWER_MAX);
    status = what(s, arena, &faults, &w);
    fail_nth(0);
    out->len = 0;
    if (status == POS_OK) {
        pos_str_t text = pos_writer_result(&w);

        out->len = text.len;
        memcpy(out->text, text.data, text.len);
    } else if (status == POS_INVALID) {
        printf("# invalid: %.*s %s\n", (int) faults.first->pointer.len, faults.first->pointer.data,
            faults.first->message.data);
    }
    pos_arena_destroy(arena);
    return status;
}

static bool
same(const answer_t *a, const answer_t *b)
{
    return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* ---- what holds ---- */

#define MOST  20000

typedef struct {
    uint32_t failed, other, changed, leaked;
    uint32_t in_a_row;    /* that went well: some things can do without */
} tally_t;

/* Enough of them to say that no allocation is left to fail. */
static bool
is_over(tally_t *t, pos_status_t status)
{
    t->failed += status == POS_NO_MEMORY;
    t->other += status != POS_NO_MEMORY && status != POS_OK;
    t->in_a_row = status == POS_OK ? t->in_a_row + 1 : 0;
    return t->in_a_row == 30;
}

static void
tell(const tally_t *t, uint64_t nth, const char *what)
{
    ok(t->failed > 10 && nth < MOST, "%s: memory runs out at each of %u allocations", what, t->failed);
    is_int(t->other, 0, "%s: which is never called anything else", what);
    is_int(t->changed, 0, "%s: the answer after is as ever", what);
}

/* Of a worker that is warm. */
static void
test_warm(shop_t *s, work_pt what, const char *name, answer_t *right)
{
    static answer_t got;
    tally_t         t = { 0 };
    uint64_t        nth;
    pos_status_t    status = work(s, what, 64, 0, right);

    is_int(status, POS_OK, "%s: %zu bytes", name, right->len);
    for (nth = 1; nth < MOST; nth++) {
        status = work(s, what, 64, nth, &got);
        t.changed += status == POS_OK && !same(&got, right);
        if (is_over(&t, status)) {
            break;
        }
        t.changed += nth % 8 == 0 && (work(s, what, 65536, 0, &got) != POS_OK || !same(&got, right));
    }
    tell(&t, nth, name);
}

/* The first of a worker: what scripts compile to is made by it. */
static void
test_first(work_pt what, const answer_t *right)
{
    static answer_t got;
    tally_t         t = { 0 };
    uint64_t        nth;

    for (nth = 1; nth < MOST; nth++) {
        long         before = held;
        shop_t       s = { 0 };
        pos_status_t built = build(&s), status = work(&s, what, 4096, nth, &got);

        t.other += built != POS_OK;
        t.changed += status == POS_OK && !same(&got, right);
        for (int i = 0; i < 2 && status != POS_OK; i++) {
            t.changed += work(&s, what, 4096, 0, &got) != POS_OK || !same(&got, right);
        }
        shop_close(&s);
        t.leaked += held != before;
        if (is_over(&t, status)) {
            break;
        }
    }
    tell(&t, nth, "the first quote");
    is_int(t.leaked, 0, "and none of it is left when the worker ends");
}

static void
test_build(void)
{
    tally_t  t = { 0 };
    uint64_t nth;

    for (nth = 1; nth < MOST; nth++) {
        long         before = held;
        shop_t       s = { 0 };
        pos_status_t status;

        fail_nth(nth);
        status = build(&s);
        fail_nth(0);
        shop_close(&s);
        t.leaked += held != before;
        if (is_over(&t, status)) {
            break;
        }
    }
    tell(&t, nth, "a VM and a book");
    is_int(t.leaked, 0, "and none of it is left");
}

/* A memory book refuses what is at fault; what replicas hold may be. */
static pos_status_t
next_broken(void *ctx, pos_kind_t kind, const pos_str_t *after, pos_str_t *key, pos_str_t *value)
{
    const pos_book_source_t *real = ctx;
    pos_status_t             status = real->next(real->ctx, kind, after, key, value);

    if (status == POS_OK && kind == POS_KIND_PROMOTION && pos_str_eq(*key, pos_str("tiers"))) {
        *value = pos_str("{\"id\":\"tiers\",\"class\":\"none\",\"then\":[{\"buy\":1}]}");
    }
    return status;
}

static pos_status_t
build_broken(const shop_t *s, pos_str_t *report)
{
    pos_book_source_t   source = { .ctx = (void *) (uintptr_t) &s->source, .next = next_broken };
    pos_book_builder_t *builder = NULL;
    pos_book_t         *book = NULL;
    pos_status_t        status = pos_book_builder_create(&source, NULL, s->vm, &builder);
    static char         room[200];

    while (status == POS_OK && book == NULL) {
        status = pos_book_builder_step(builder, 100, &book);
        status = status == POS_AGAIN ? POS_OK : status;
    }
    pos_book_builder_destroy(builder);
    *report = pos_str("");
    if (status == POS_OK && pos_book_reports(book) != NULL) {
        const pos_str_t *m = &pos_book_reports(book)->message;

        *report = pos_str_of(room, (size_t) snprintf(room, sizeof(room), "%.*s", (int) m->len, m->data));
    }
    pos_book_release(book);
    return status;
}

/* A promotion that is left out is told, or there is no book. */
static void
test_report(void)
{
    tally_t   t = { 0 };
    shop_t    s = { 0 };
    pos_str_t report = pos_str("");
    uint64_t  nth;
    long      before = held;

    ok(build(&s) == POS_OK && build_broken(&s, &report) == POS_OK, "a book of which one promotion is at fault");
    is_str(report, "/class: must be one of line, order, shipping", "which is told");
    for (nth = 1; nth < MOST; nth++) {
        pos_status_t status;

        fail_nth(nth);
        status = build_broken(&s, &report);
        fail_nth(0);
        t.changed += status == POS_OK
            && !pos_str_eq(report, pos_str("/class: must be one of line, order, shipping"));
        if (is_over(&t, status)) {
            break;
        }
    }
    tell(&t, nth, "a book with a report");
    shop_close(&s);
    is_int(held - before, 0, "and none of it is left");
}

/* The book that another becomes: one promotion another, one gone, one new, one in Lua. */
static pos_book_t *
follow(const shop_t *s, pos_status_t *status)
{
    const pos_book_change_t changes[] = {
        { pos_str("lua"), pos_str("{\"id\":\"lua\",\"script\":\"return promotion { id = 'lua', name = 'Less', class = 'line',"
            " apply = function(cart) cart:items { sku = { 'C' } }:percent_off(7, 'Less') end }\"}") },
        { pos_str("new"), pos_str("{\"id\":\"new\",\"class\":\"order\",\"then\":[{\"percent_off\":1}]}") },
        { pos_str("nth"), pos_str("{\"id\":\"nth\",\"class\":\"line\",\"then\":[{\"nth\":{\"items\":{},\"group\":2,\"position\":2,\"percent_off\":50}}]}") },
        { pos_str("off"), pos_str("{\"id\":\"off\",\"class\":\"line\",\"then\":[{\"percent_off\":20}]}") },
        { pos_str("ship"), { NULL, 0 } },
    };
    pos_book_builder_t *builder = NULL;
    pos_book_t         *book = NULL;

    *status = pos_book_builder_follow(s->book, s->vm, changes, 5, &builder);
    while (*status == POS_OK && book == NULL) {
        *status = pos_book_builder_step(builder, 1, &book);
        *status = *status == POS_AGAIN ? POS_OK : *status;
    }
    pos_book_builder_destroy(builder);
    /* A script without memory is left out, which is told: the next change tries it again. */
    if (book != NULL && pos_book_reports(book) != NULL) {
        pos_book_release(book);
        book = NULL;
        *status = POS_NO_MEMORY;
    }
    return book;
}

/* What it comes to, by the answer that it gives. */
static pos_status_t
follow_answer(shop_t *s, uint64_t nth, answer_t *out)
{
    pos_book_t  *before = s->book, *book;
    pos_status_t status;

    fail_nth(nth);
    book = follow(s, &status);
    fail_nth(0);
    if (book != NULL) {
        s->book = book;
        status = work(s, quote, 65536, 0, out);
        s->book = before;
        pos_book_release(book);
    }
    return status;
}

static void
test_follow(const answer_t *before)
{
    static answer_t right, got;
    tally_t         t = { 0 };
    shop_t          s = { 0 };
    uint64_t        nth;
    long            start = held;

    ok(build(&s) == POS_OK && follow_answer(&s, 0, &right) == POS_OK && !same(&right, before), "a book that follows another");
    for (nth = 1; nth < MOST; nth++) {
        pos_status_t status = follow_answer(&s, nth, &got);

        t.changed += status == POS_OK && !same(&got, &right);
        if (is_over(&t, status)) {
            break;
        }
        t.changed += nth % 8 == 0 && (work(&s, quote, 65536, 0, &got) != POS_OK || !same(&got, before));
    }
    tell(&t, nth, "following");
    shop_close(&s);
    is_int(held - start, 0, "and none of it is left");
}

int
main(void)
{
    static answer_t right, other;
    shop_t          s = { 0 };
    long            before;

    setvbuf(stdout, NULL, _IOLBF, 0);    /* what was, is seen if it dies */
    book_text = text_of(book_room, book_source, "");
    plain = text_of(plain_room, request_source, "false");
    explained = text_of(explain_room, request_source, "true");
    wrong = text_of(wrong_room, wrong_source, "");
    inputs_text = text_of(inputs_room, inputs_source, "");
    printf("# a buffer for it is made here\n");
    before = held;
    if (!ok(build(&s) == POS_OK, "a shop of every kind of promotion")) {
        return tap_done();
    }
    test_warm(&s, keep, "an order by its inputs", &order);
    test_warm(&s, quote, "a quote", &right);
    test_warm(&s, explain, "one with reasons", &other);
    test_warm(&s, refuse, "a refusal", &other);
    test_warm(&s, give_back, "a return and a sale", &other);
    shop_close(&s);
    is_int(held - before, 0, "nothing is left of all that");
    test_first(quote, &right);
    test_build();
    test_report();
    test_follow(&right);
    return tap_done();
}
