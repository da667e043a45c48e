/*
 * Rehearsals: what would fail at a till is found before, with its line and the
 * cart that shows it; what is sound passes; and the work is bounded.
 */

#include "base/t/tap.h"
#include "base/json_write.h"
#include "engine/rehearse.h"

#define NOW  (INT64_C(1795780800) * 1000000)    /* 2026-11-27T12:00:00Z, a Friday */

#define SHOP \
    "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\"},"                                       \
    "\"stores\":[{\"code\":\"leeds\",\"tax_region\":\"n\"},{\"code\":\"york\",\"tax_region\":\"n\"}]," \
    "\"categories\":[{\"code\":\"all\"},{\"code\":\"shoes\",\"parent\":\"all\"},{\"code\":\"food\"}],"  \
    "\"products\":[{\"sku\":\"BOOT\",\"name\":\"Boot\",\"categories\":[\"shoes\"],\"brand\":\"oak\"},"  \
    "{\"sku\":\"CLOG\",\"name\":\"Clog\",\"categories\":[\"shoes\"]},"                             \
    "{\"sku\":\"BUN\",\"name\":\"Bun\",\"categories\":[\"food\"]},"                                \
    "{\"sku\":\"BRIE\",\"name\":\"Brie\",\"unit\":\"kg\",\"categories\":[\"food\"]}],"             \
    "\"price_lists\":[{\"code\":\"base\",\"currency\":\"GBP\",\"tax_included\":true},"            \
    "{\"code\":\"export\",\"currency\":\"USD\",\"tax_included\":true}],"                           \
    "\"prices\":[{\"sku\":\"BOOT\",\"list\":\"base\",\"amount\":5000},"                            \
    "{\"sku\":\"BOOT\",\"list\":\"export\",\"amount\":7000},"                                       \
    "{\"sku\":\"CLOG\",\"list\":\"base\",\"amount\":3000},"                                        \
    "{\"sku\":\"BUN\",\"list\":\"base\",\"amount\":90},"                                           \
    "{\"sku\":\"BRIE\",\"list\":\"base\",\"amount\":1200}]}"

static pos_script_vm_t        *vm;
static pos_json_reader_t      *reader;
static pos_arena_t            *arena;
static pos_rehearsal_options_t options;
static const pos_str_t         skus[] = { { "BOOT", 4 }, { "CLOG", 4 }, { "BUN", 3 }, { "BRIE", 4 },
              { "GONE", 4 } };
static unsigned                steps;


static pos_json_t *
json_of(pos_str_t text)
{
    pos_json_t  *json = NULL;
    pos_faults_t faults;

    pos_faults_init(&faults, arena);
    if (pos_json_read(reader, text, arena, &faults, &json) != POS_OK) {
        printf("# no JSON: %.*s\n", (int) text.len, text.data);
    }
    return json;
}


static const pos_json_t *
document_of(const char *source)
{
    pos_writer_t w;

    pos_writer_init(&w, arena, 4096, 1u << 20);
    pos_write_object_begin(&w);
    pos_write_key(&w, "id");
    pos_write_string(&w, pos_str("p"));
    pos_write_key(&w, "script");
    pos_write_string(&w, pos_str_z(source));
    pos_write_object_end(&w);
    return json_of(pos_writer_result(&w));
}


/* The file's own cases, as whoever calls has them from loading it. */
static pos_str_t
cases_of(const char *source)
{
    pos_script_promotion_t *list = NULL;
    pos_faults_t            faults;
    uint32_t                count = 0;
    pos_str_t               cases = pos_str("");

    pos_faults_init(&faults, arena);
    if (pos_script_load(vm, pos_str_z(source), pos_str("t"), NULL, pos_str(""), arena, &faults,
            &list, &count) == POS_OK && count > 0)
    {
        cases = list[0].cases;
    }
    for (uint32_t i = 0; i < count; i++) {
        pos_script_release(list[i].script);
    }
    return cases;
}


static pos_rehearsal_t *
rehearse(const pos_json_t *document, pos_str_t cases)
{
    pos_rehearsal_t *r = NULL;
    pos_faults_t     faults;
    pos_status_t     status = pos_rehearsal_create(&options, &r);

    pos_faults_init(&faults, arena);
    if (status == POS_OK) {
        status = pos_rehearsal_add(r, document, cases, &faults);
    }
    if (status == POS_OK) {
        for (steps = 1; (status = pos_rehearsal_step(r)) == POS_AGAIN; steps++) {
            continue;
        }
    }
    if (!ok(status == POS_OK, "the rehearsal itself goes through")) {
        printf("# status %d: %s\n", (int) status, faults.first ? faults.first->message.data : "");
        exit(tap_done());
    }
    return r;
}


/* Rehearses a source and holds its first finding against what is expected; NULL:
 * there must be none. */
static void
expect(const char *what, const char *source, const char *code, uint32_t line, const char *message)
{
    pos_rehearsal_t              *r = rehearse(document_of(source), cases_of(source));
    const pos_rehearsal_result_t *result = pos_rehearsal_result(r);
    const pos_finding_t          *f = result->findings;

    if (code == NULL) {
        ok(f == NULL && result->ran > 0, "%s: nothing is found in %u carts, of which %u ran it", what,
            result->carts, result->ran);
    } else if (ok(f != NULL, "%s: is found", what)) {
        is_str(pos_str_z(f->code), code, "%s: %s", what, code);
        is_int(f->line, line, "%s: its line", what);
        ok(strstr(f->message.data, message) != NULL, "%s: %s", what, f->message.data);
    }
    if (f != NULL && (code == NULL || strstr(f->message.data, message) == NULL)) {
        printf("# line %u %s: %s\n# %s\n", f->line, f->code, f->message.data, f->cart.data);
    }
    pos_rehearsal_destroy(r);
}

#define LUA(head, body) \
    "return promotion { id = 'p', class = 'line', " head "\n  apply = function(cart)\n" body "\n  end }"


static void
failures_are_found(void)
{
    expect("a sound script", LUA("", "cart:items{ category = { 'shoes' } }:percent_off(10, 'x')"),
        NULL, 0, "");
    expect("a customer who is not known", LUA("", "if cart.customer.id == 'x' then end"),
        "script_error", 3, "customer");
    expect("a new customer's orders",
        LUA("", "local c = cart.customer\nif c and c.orders > 3 then end"), "script_error", 4, "");
    expect("no store", LUA("", "\nlocal s = 'at ' .. cart.store"), "script_error", 4, "");
    expect("an endless loop", LUA("", "while true do end"), "script_limit", 3, "instructions");
    expect("a loop within pcall", LUA("", "while true do pcall(function() while true do end end) end"),
        "script_limit", 3, "instructions");
    expect("a memory bomb", LUA("", "local t = {}\nfor i = 1, 1e8 do t[i] = { i } end"), "script_limit",
        4, "memory");
    expect("too many proposals", LUA("", "for i = 1, 1e6 do cart:message('x') end"), "script_limit", 3,
        "proposals");
    expect("a price off that is none", LUA("", "cart:items():percent_off(101, 'x')"), "script_error", 3, "");
    expect("only with twelve or more",
        LUA("", "if cart:items():quantity() >= 12 then\nerror('boom')\nend"), "script_error", 4, "boom");
    expect("only for a product it asks for itself",
        LUA("", "for l in cart:items{ sku = { 'BUN' } }:each() do\nif l.quantity > 1 then error('bun') end\nend"),
        "script_error", 4, "bun");
    expect("only for a brand that nobody stocks",
        LUA("", "for l in cart:items{ brand = { 'elm' } }:each() do\nerror('elm')\nend"), "script_error", 4, "elm");
    expect("only for a kilogram", LUA("", "for l in cart:each() do\nif l.measured then error('kg') end\nend"),
        "script_error", 4, "kg");
    expect("only in the other currency", LUA("", "if cart.currency == 'USD' then\nerror('usd')\nend"),
        "script_error", 4, "usd");
}


static void
conditions_are_met(void)
{
    expect("a condition of many parts",
        LUA("when = { all = { { store = { 'york' } }, { channel = { 'kiosk' } }, { tender = { 'gift' } },"
            " { customer = { groups = { 'staff' } } }, { attribute = { club = { 'gold' } } },"
            " { ship_to = { country = { 'IE' } } }, { subtotal = { min = 100000 } } } },", "error('met')"),
        "script_error", 3, "met");
    expect("hours and days", LUA("active = { weekdays = { 'tue' }, hours = { { '17:00', '17:30' } } },",
        "error('open')"), "script_error", 3, "open");
    expect("a month far away", LUA("active = { from = '2031-02-01T00:00:00', until_ = '2031-03-01T00:00:00' },", "error('feb')"),
        "script_error", 3, "feb");
    expect("a month long ago", LUA("active = { until_ = '2020-03-01T00:00:00' },", "error('past')"), "script_error", 3,
        "past");
    expect("a coupon", LUA("coupon = true,", "error('coupon')"), "script_error", 3, "coupon");
    expect("an attribute of a line",
        LUA("", "if cart:items{ attribute = { condition = { 'used' } } }:quantity() > 0 then error('used') end"),
        "script_error", 3, "used");
}


static void
not_reached(void)
{
    const char *source = LUA("when = { not_ = { channel = { 'web', 'pos' } } },", "error('never')");
    const char *shown = LUA("when = { not_ = { channel = { 'web', 'pos' } } }, cases = { { cart = { channel ="
        " 'phone', lines = { { sku = 'A', price = 100 } } }, expect = { discount = 0 } } },", "");
    pos_rehearsal_t              *r = rehearse(document_of(source), pos_str(""));
    const pos_rehearsal_result_t *result = pos_rehearsal_result(r);

    ok(result->findings && strcmp(result->findings->code, "script_not_reached") == 0
        && result->findings->warning, "a script that no cart reaches is warned of");
    is_int(result->errors, 0, "which is no error");
    pos_rehearsal_destroy(r);
    r = rehearse(document_of(shown), cases_of(shown));
    ok(pos_rehearsal_result(r)->findings == NULL, "a case that reaches it is enough");
    pos_rehearsal_destroy(r);
}


static void
never_applied(void)
{
    static const struct { const char *document, *code; } list[] = {
        { "{\"id\":\"p\",\"class\":\"order\",\"when\":{\"all\":[{\"subtotal\":{\"min\":500}},"
          "{\"subtotal\":{\"max\":400}}]},\"then\":[{\"amount_off\":1}]}", "never_applied" },
        { "{\"id\":\"p\",\"class\":\"line\",\"then\":[{\"percent_off\":0,\"items\":{}}]}", "never_applied" },
        { "{\"id\":\"p\",\"class\":\"line\",\"when\":{\"customer\":{\"groups\":[\"staff\"]}},"
          "\"then\":[{\"percent_off\":10,\"items\":{}}]}", "" },
        { "{\"id\":\"p\",\"class\":\"order\",\"coupon\":true,\"then\":[{\"amount_off\":1}]}", "" },
        { "{\"id\":\"p\",\"class\":\"line\",\"then\":[{\"buy\":[{\"items\":{\"tag\":[\"t\"]},\"quantity\":3}],"
          "\"get\":[{\"items\":{\"sku\":[\"X\"]},\"quantity\":1,\"percent_off\":100}]}]}", "" },
        { "{\"id\":\"p\",\"class\":\"shipping\",\"when\":{\"subtotal\":{\"min\":5000}},"
          "\"then\":[{\"percent_off\":100}]}", "" },
    };

    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
        pos_rehearsal_t              *r = rehearse(json_of(pos_str_z(list[i].document)), pos_str(""));
        const pos_rehearsal_result_t *result = pos_rehearsal_result(r);

        is_str(result->findings ? pos_str_z(result->findings->code) : pos_str(""), list[i].code, "never applied, or not: %s",
            list[i].document);
        pos_rehearsal_destroy(r);
    }
}


#define CASES(list) \
    "return promotion { id = 'p', class = 'line', settings = { percent = { type = 'percent', default = 10 } },\n" \
    "apply = function(cart)\n if cart.subtotal == 777 then error('777') end\n"                             \
    "cart:items():percent_off(cart.settings.percent, 'x') end,\n cases = {" list "} }"
#define CART(price)  "cart = { lines = { { sku = 'TV', price = " #price " } } }"


static void
cases_are_run(void)
{
    const char *good = CASES("{" CART(1000) ", expect = { discount = 100, total = 900, lines = { TV = 100 } } },"
        "{ settings = { percent = 50 }, " CART(1000) ", expect = { discount = 500 } }");
    const char *wrong = CASES("{" CART(1000) ", expect = { discount = 100 } },"
        "{ name = 'half', settings = { percent = 50 }, " CART(1000) ", expect = { discount = 450 } }");
    pos_rehearsal_t     *r;
    const pos_finding_t *f;

    expect("cases that hold", good, NULL, 0, "");
    expect("a case that does not", wrong, "case_failed", 0,
        "case 2 (half): discount is 500 instead of 450");
    expect("a case that fails as it runs", CASES("{" CART(777) ", expect = {} }"), "script_error", 3, "777");
    expect("a case without a cart", CASES("{ expect = {} }"), "case_invalid", 0, "case 1: a case needs a cart");
    expect("a case whose cart is a number", CASES("{ cart = 5, expect = {} }"), "case_invalid", 0,
        "case 1: /cart must be an object");
    expect("a case that is a number", CASES("5"), "case_invalid", 0, "case 1: must be an object");
    expect("an expectation that is a number", CASES("{" CART(100) ", expect = 5 }"), "case_invalid", 0,
        "case 1: /expect must be an object");
    expect("settings that are a number", CASES("{" CART(100) ", settings = 3 }"), "case_invalid", 0,
        "case 1: /settings must be an object");
    expect("a misspelt expectation", CASES("{" CART(100) ", expects = { discount = 1 } }"), "case_invalid", 0,
        "case 1: /expects there is no field \"expects\" here; is \"expect\" meant?");
    expect("a misspelt line", CASES("{ cart = { line = { { sku = 'TV', price = 100 } } } }"), "case_invalid", 0,
        "case 1: /cart/line there is no field \"line\" here; is \"lines\" meant?");
    expect("a misspelt quantity", CASES("{ cart = { lines = { { sku = 'TV', price = 100, qty = 2 } } } }"),
        "case_invalid", 0, "case 1: /cart/lines/0/qty there is no field \"qty\" here");
    expect("lines that are one line", CASES("{ cart = { lines = { sku = 'TV', price = 100 } } }"), "case_invalid", 0,
        "case 1: /cart/lines must be a list");
    expect("an expectation of no figure", CASES("{" CART(100) ", expect = { discont = 10 } }"), "case_failed", 0,
        "case 1: a quote has no discont");
    expect("a case of a broken cart", CASES("{ cart = { lines = { { sku = 'TV', price = -1 } } }, expect = {} }"),
        "case_invalid", 0, "/prices/0/amount");
    expect("settings it does not take", CASES("{ settings = { percent = 500 }, " CART(100) ", expect = {} }"),
        "case_invalid", 0, "'percent': out of its bounds");
    expect("an expectation of something else",
        CASES("{" CART(1000) ", expect = { lines = { TV = 100, RADIO = 5 } } }"), "case_failed", 0, "RADIO");
    expect("a message that is not there", CASES("{" CART(1000) ", expect = { messages = { 'Hi' } } }"),
        "case_failed", 0, "messages is [] instead of");

    r = rehearse(document_of(wrong), cases_of(wrong));
    f = pos_rehearsal_result(r)->findings;
    is_int(f->number, 2, "the case has its number");
    is_str(f->pointer, "/cases/1/expect/discount", "and its place");
    is_int(pos_rehearsal_result(r)->cases, 2, "both were run");
    pos_rehearsal_destroy(r);

    wrong = CASES("{ cart = { lines = { { sku = 'TV', price = 100, qty = 2 } } } }");
    r = rehearse(document_of(wrong), cases_of(wrong));
    is_str(pos_rehearsal_result(r)->findings->pointer, "/cases/0/cart/lines/0/qty", "a slip has its place too");
    pos_rehearsal_destroy(r);
}


/* However much a script fails or a file holds, the work ends. */
static void
work_is_bounded(void)
{
    const char                   *loop = LUA("", "while true do end");
    const char                   *bun = LUA("", "local n = 0\nfor l in cart:each() do n = n + l.quantity end\n"
                                    "error('number ' .. n)");
    pos_writer_t                  w;
    pos_rehearsal_t              *r = rehearse(document_of(loop), pos_str(""));
    const pos_rehearsal_result_t *result = pos_rehearsal_result(r);

    is_int(result->carts, 2, "a script that runs away is given up after two carts");
    pos_rehearsal_destroy(r);
    r = rehearse(document_of(bun), pos_str(""));
    result = pos_rehearsal_result(r);
    ok(result->errors > 1 && result->errors <= POS_REHEARSAL_FOUND, "%u different errors are told",
        result->errors);
    ok(steps <= POS_REHEARSAL_CARTS + 1, "in %u steps", steps);
    ok(result->findings->cart.len > 0 && strstr(result->findings->cart.data, "\"lines\":[{\"sku\":") != NULL,
        "with the cart that shows it");
    pos_rehearsal_destroy(r);

    pos_writer_init(&w, arena, 65536, 1u << 20);
    pos_write_bytes(&w, pos_str("[{}"));
    for (int i = 1; i < POS_REHEARSAL_CASES + 5; i++) {
        pos_write_bytes(&w, pos_str(",{\"cart\":{\"lines\":[{\"sku\":\"A\",\"price\":1}]}}"));
    }
    pos_write_bytes(&w, pos_str("]"));
    r = rehearse(document_of(LUA("", "")), pos_writer_result(&w));
    result = pos_rehearsal_result(r);
    is_int(result->cases, POS_REHEARSAL_CASES, "cases are run up to a number");
    is_int(result->errors, 1, "of these one is at fault");
    pos_rehearsal_destroy(r);
}


static void
data_and_repeats(void)
{
    const pos_json_t *json = json_of(pos_str("{\"id\":\"d\",\"class\":\"line\",\"then\":[{\"percent_off\":10,"
        "\"items\":{\"category\":[\"shoes\"]}}]}"));
    pos_rehearsal_t  *r = rehearse(json, pos_str("")), *again;
    uint32_t          applied = pos_rehearsal_result(r)->applied, carts = pos_rehearsal_result(r)->carts;

    ok(pos_rehearsal_result(r)->findings == NULL, "a promotion of data is sound");
    ok(applied > carts / 3 && applied < carts, "and applies to %u of %u carts, not to all", applied, carts);
    is_int(pos_rehearsal_result(r)->refused, 0, "no cart is refused");
    again = rehearse(json, pos_str(""));
    is_int(pos_rehearsal_result(again)->applied, applied, "again the same");
    pos_rehearsal_destroy(r);
    pos_rehearsal_destroy(again);
}


/* Whichever allocation fails, the rehearsal says so or carries on; nothing leaks
 * (the sanitizers' builds look). */
static void
out_of_memory(void)
{
    const pos_json_t *document = document_of(CASES("{" CART(1000) ", expect = { discount = 1 } }"));
    pos_str_t         cases = cases_of(CASES("{" CART(1000) ", expect = { discount = 1 } }"));
    pos_faults_t      faults;
    unsigned          failed = 0, other = 0;

    for (uint64_t n = 1; n < 60; n++) {
        pos_rehearsal_t *r = NULL;
        pos_status_t     status;

        pos_faults_init(&faults, arena);
        pos_arena_fail_nth(n);
        status = pos_rehearsal_create(&options, &r);
        if (status == POS_OK) {
            status = pos_rehearsal_add(r, document, cases, &faults);
        }
        while (status == POS_OK || status == POS_AGAIN) {
            status = pos_rehearsal_step(r);
            if (status == POS_OK) {
                break;
            }
        }
        pos_arena_fail_nth(0);
        failed += status == POS_NO_MEMORY;
        other += status != POS_NO_MEMORY && status != POS_OK;
        pos_rehearsal_destroy(r);
    }
    ok(failed > 10 && failed < 59, "%u times memory ran out", failed);
    is_int(other, 0, "and was never called something else");
}


int
main(void)
{
    pos_script_limits_t limits;
    pos_memory_book_t  *memory = NULL;
    pos_book_source_t   source;
    pos_book_builder_t *builder = NULL;
    pos_book_t         *book = NULL;
    pos_faults_t        faults;

    pos_script_limits_default(&limits);
    arena = pos_arena_create(1u << 20, 0);
    reader = pos_json_reader_create(1u << 20);
    pos_faults_init(&faults, arena);
    if (pos_script_vm_create(&limits, &vm) != POS_OK
        || pos_memory_book_create(json_of(pos_str(SHOP)), NULL, NULL, &faults, &memory) != POS_OK)
    {
        printf("# %s\n", faults.first ? faults.first->message.data : "no memory");
        return EXIT_FAILURE;
    }
    pos_memory_book_source(memory, &source);
    if (pos_book_builder_create(&source, NULL, vm, &builder) == POS_OK) {
        while (pos_book_builder_step(builder, 1000, &book) == POS_AGAIN) {
            continue;
        }
    }
    options = (pos_rehearsal_options_t) { .book = book, .source = &source, .vm = vm, .now = NOW,
        .sku_count = sizeof(skus) / sizeof(skus[0]), .skus = skus };
    failures_are_found();
    conditions_are_met();
    not_reached();
    never_applied();
    cases_are_run();
    work_is_bounded();
    data_and_repeats();
    out_of_memory();

    options = (pos_rehearsal_options_t) { .vm = vm, .now = NOW };
    expect("no shop yet: a sound script", LUA("", "cart:items{ tag = { 'x' } }:percent_off(10, 'x')"), NULL,
        0, "");
    expect("no shop yet: only for a product it asks for",
        LUA("", "for l in cart:items{ tag = { 'x' } }:each() do\nerror('tag')\nend"), "script_error", 4, "tag");
    cases_are_run();

    pos_book_builder_destroy(builder);
    pos_book_release(book);
    pos_memory_book_destroy(memory);
    pos_script_vm_destroy(vm);
    pos_json_reader_destroy(reader);
    pos_arena_destroy(arena);
    return tap_done();
}
