/*
 * The sandbox: every known way out is closed, every limit stops and sticks,
 * nothing is carried from one quote to the next, and what scripts may do works.
 */

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/cpu_timer.h"
#include "base/hash.h"
#include "engine/script.h"

static int      tests, failures;
static pos_script_vm_t *vm;
static pos_arena_t     *arena;
static pos_faults_t     faults;

static void
ok(bool good, const char *format, ...)
{
    va_list args;

    tests++;
    failures += !good;
    printf("%sok %d - ", good ? "" : "not ", tests);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}

/* ---- a cart of three items ---- */

static pos_product_t   products[3];
static pos_line_t      lines[3];
static pos_item_t      items[3];
static pos_category_t  shoes = { .code = { "shoes", 5 } };
static const pos_category_t *shoe_list[] = { &shoes };
static const pos_attribute_t red[] = { { { "colour", 6 }, { "red", 3 } } };
static const pos_attribute_t cart_facts[] = {
    { { "json", 4 }, { "{\"a\":[1,2.5,null],\"b\":\"x\"}", 26 } },
};
static const pos_str_t staff[] = { { "staff", 5 } };
static uint64_t        staff_hash[1];
static pos_store_t     store = { .code = { "london", 6 } };
static pos_book_t      book;
static pos_cart_t      cart;
static pos_promotion_t promotion;

static void
item(unsigned i, const char *sku, int64_t price, int64_t units)
{
    products[i].sku = pos_str_z(sku);
    products[i].name = pos_str_z(sku);
    products[i].unit = pos_str("each");
    products[i].brand = pos_str("brand");
    products[i].has_cost = true;
    products[i].cost = price / 2;
    items[i] = (pos_item_t) {
        .product = &products[i], .line = &lines[i], .index = i,
        .quantity = units * POS_THOUSANDTHS, .units = units, .list_price = price,
        .unit_price = price, .subtotal = price * units,
        .sku_hash = pos_hash64(products[i].sku),
    };
    cart.subtotal += price * units;
}

static void
make_cart(void)
{
    shoes.hash = pos_hash64(shoes.code);
    staff_hash[0] = pos_hash64(staff[0]);
    cart = (pos_cart_t) {
        .currency = pos_str("GBP"), .channel = pos_str("web"), .store = &store,
        .customer_known = true, .customer_id = pos_str("c1"), .customer_orders = 3,
        .customer_birthday = INT32_MIN, .item_count = 3, .items = items,
        .attribute_count = 1, .attributes = cart_facts, .book = &book,
        .customer_groups = { 1, staff_hash, staff },
        .local = { .year = 2026, .month = 11, .day = 27, .hour = 9, .minute = 5, .weekday = 4 },
    };
    item(0, "A", 1000, 3);
    item(1, "B", 500, 2);
    item(2, "C", 250, 4);
    products[0].attributes = red;
    products[0].attribute_count = 1;
    items[1].categories = shoe_list;
    items[1].category_count = 1;
    cart.arena = arena;
    promotion = (pos_promotion_t) { .id = pos_str("p"), .class = POS_CLASS_LINE };
}

/* ---- running ---- */

static pos_script_t *
load(const char *source)
{
    pos_script_promotion_t *out;
    uint32_t                count;
    pos_status_t            rc;

    pos_faults_init(&faults, arena);
    rc = pos_script_load(vm, pos_str_z(source), pos_str("t"), NULL, pos_str("/script"),
        arena, &faults, &out, &count);
    if (rc != POS_OK || count == 0) {
        return NULL;
    }
    return out[0].script;
}

static const char *
said(void)
{
    return faults.first ? faults.first->message.data : "";
}

/* Runs `body` as apply and gives the result. */
static pos_script_result_t
apply(const char *head, const char *body)
{
    pos_script_result_t out = { 0 };
    size_t              size = strlen(head) + (body ? strlen(body) : 0) + 200;
    char               *source = malloc(size);
    pos_script_t       *script;
    static pos_script_t *before;

    if (body == NULL) {
        pos_script_release(before);
        before = NULL;
        free(source);
        return out;
    }
    snprintf(source, size, "%s return promotion { id = 'p', class = 'line',"
        " apply = function(cart)\n%s\nend }", head, body);
    script = load(source);
    free(source);
    if (script == NULL) {
        out.failed = true;
        out.failure = "load";
        out.failure_text = pos_str_z(said());
        return out;
    }
    if (pos_script_apply(vm, script, &promotion, &cart, &out) != POS_OK) {
        out.failed = true;
        out.failure = "host";
    }
    /* What was proposed points into the script's own memory: it lives until
     * the next call here, as a promotion lives longer than its quotes. */
    pos_script_release(before);
    before = script;
    return out;
}

static void
says(const char *expected, const char *body)
{
    pos_script_result_t r = apply("", body);
    pos_str_t           m = pos_str("");

    if (r.effect_count) {
        m = r.effects[0].message;
    }
    ok(!r.failed && pos_str_eq(m, pos_str_z(expected)), "%s -> %s", body, expected);
    if (r.failed || !pos_str_eq(m, pos_str_z(expected))) {
        printf("# %.*s | %s %.*s\n", (int) m.len, m.data ? m.data : "", r.failure ? r.failure : "",
            (int) r.failure_text.len, r.failure_text.data ? r.failure_text.data : "");
    }
}

static void
fails(const char *failure, const char *text, const char *body)
{
    pos_script_result_t r = apply("", body);
    bool                good = r.failed && strcmp(r.failure, failure) == 0
                && (text == NULL || (r.failure_text.data && strstr(r.failure_text.data, text)));

    ok(good, "%s: %.120s", failure, body);
    if (!good) {
        printf("# %s %.*s\n", r.failed ? r.failure : "it went through",
            (int) r.failure_text.len, r.failure_text.data ? r.failure_text.data : "");
    }
}

static double
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

/* ---- the tests ---- */

static void
test_escapes(void)
{
    static const char *const absent[] = {
        "load", "loadstring", "loadfile", "dofile", "require", "module", "package", "ffi",
        "jit", "debug", "io", "os", "bit", "coroutine", "getfenv", "setfenv",
        "setmetatable", "getmetatable", "rawset", "rawget", "rawequal", "rawlen",
        "collectgarbage", "gcinfo", "newproxy", "xpcall", "unpack", "print", "_G",
        "arg", "thread", NULL,
    };
    static const char *const no_members[] = {
        "string.dump", "string.rep", "string.gsub", "string.gmatch", "string.match",
        "math.random", "math.randomseed", "table.unpack", "table.foreach", "table.getn",
        "table.maxn", "table.new", "('').rep", "('').gsub", "('').dump", NULL,
    };
    static const char *const refused[] = {
        "local x = getmetatable('').__index", "string.upper = nil", "math.floor = nil",
        "table.insert = nil", "json.decode = nil", "re.match = nil", "x = 1",
        "pairs = nil", "cart.subtotal = 0", "cart.at.hour = 1", "cart.customer.id = 'x'",
        "cart.attributes.a = 1", "cart.customer.groups[1] = 'x'",
        "cart:items():first().unit_price = 1", "('').x = 1",
        "cart:items().where = 1", "string.format('%99999d', 1)", "string.format('%p', {})",
        "string.format('%q', 'x')", "string.format('%a', 1)",
        "local a = ('a'):find('(a*)*b')", "table.concat({}, 'x', 1, 1e9)",
        "re.match(cart, 'x')", "cart.items(1)", "cart.items()", "cart:explode()",
        "local x = cart.nothing", "local x = pcall .. ''", "for k in pairs(cart) do end",
        "for k in pairs({ [{}] = 1 }) do end", "table.sort(cart)",
        "next(cart)", "cart:items().each()", "local l = cart:items():first() l:each()",
        "cart:items { sku = 1e400 }", "cart:items { nonsense = 1 }",
        "cart:items():percent_off(0/0)", "cart:items():percent_off(101)",
        "cart:items():percent_off(-1)", "cart:items():percent_off(1/3)",
        "cart:items():amount_off(0.5)", "cart:items():amount_off(-5)",
        "cart:items():amount_off(math.huge)", "cart:items():amount_off(1e300)",
        "cart:items():unit_price(2^60)", "cart:percent_off(10)", "cart:shipping_off()",
        "cart:items():amount_off(1, 'x', { nonsense = 1 })",
        "cart:message(('x'):upper():lower() .. string.format('%99d', 1) .. string.format('%99d', 1) .. string.format('%99d', 1))",
        "table.sort({ 2, 'a', 3 })",
        "cart:deal { buy = cart, get = 1 }", "cart:effect { percent_off = 1, items = cart }",
        "local t = {} t.t = t cart:items(t)", "tostring()", "select(0)", NULL,
    };
    char body[300];
    int  i;

    for (i = 0; absent[i]; i++) {
        snprintf(body, sizeof(body), "cart:message(tostring(%s))", absent[i]);
        says("nil", body);
    }
    for (i = 0; no_members[i]; i++) {
        snprintf(body, sizeof(body), "cart:message(tostring(%s))", no_members[i]);
        says("nil", body);
    }
    for (i = 0; refused[i]; i++) {
        fails("error", "line 2", refused[i]);
    }
    says("ABC", "cart:message(('abc'):upper())");
    says("false", "cart:message(tostring((pcall(function() x = 1 end))))");
}

#define WIDE \
    "local function f(...) while true do select('#', ...) select('#', ...) select('#', ...) end end" \
    " local function g(n, ...) if n == 0 then return f(...) end return g(n - 1, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, ...) end "
#define TEXT(doublings)  "local s = 'x' for i = 1, " doublings " do s = s .. s end "

/* A long text is taken, but leaves a call a part of its instructions: what an
 * instruction may cost by it is bounded together. */
static void
test_long_texts(void)
{
    static char     text[5000], source[6000];
    const pos_attribute_t attribute = { { "note", 4 }, { text, sizeof(text) } };
    pos_cart_t      before = cart;
    double          start;
    int             i;

    says("ok", TEXT("12") " for i = 1, 20000 do local x = i end cart:message('ok')");
    says("ok", TEXT("13") " for i = 1, 5000 do local x = i end cart:message('ok')");
    fails("instructions", NULL, TEXT("13") " for i = 1, 20000 do local x = i end cart:message('ok')");
    for (i = 0; i < 2; i++) {
        fails("instructions", NULL, TEXT("13") " local t = {} for i = 1, 20000 do local x = i end");
    }
    start = now_ms();
    fails("instructions", NULL, TEXT("14") " local a, b = s .. 'a', s .. 'b' while true do local x = a < b end");
    ok(now_ms() - start < 200, "comparing them ends within %.1f ms", now_ms() - start);

    memset(text, 'x', sizeof(text));
    cart.attributes = &attribute;
    cart.attribute_count = 1;
    says("5000", "cart:message('' .. #cart.attributes.note)");
    fails("instructions", NULL, "local s = cart.attributes.note for i = 1, 20000 do local x = i end");
    cart = before;

    snprintf(source, sizeof(source), "return promotion { id = 'p',\n  name = '%.5000s' }", text);
    ok(load(source) == NULL && strcmp(faults.first->code, "script_limit") == 0 && faults.first->line == 2
        && faults.first->column == 10, "a long literal is refused at its place: %s", said());
    snprintf(source, sizeof(source), "return promotion { id = 'p', %.5000s = 1 }", text);
    ok(load(source) == NULL && strcmp(faults.first->code, "script_limit") == 0, "so is a long name");
    snprintf(source, sizeof(source), "-- %.5000s\n--[[ %.500s ]] return promotion { id = 'p', class = 'line', apply = function() end }", text, text);
    pos_script_release(load(source));
    ok(faults.count == 0, "not a comment: %s", said());
    ok(load(TEXT("13") "return promotion { id = 'p', apply = function(cart) cart:message(s) end }") == NULL
        && strstr(faults.first->message.data, "is kept for the calls") != NULL, "nor is one kept from loading on: %s", said());
    ok(load("local t = { " "['k'] = 1 } " TEXT("13") "t[1] = s return promotion { id = 'p', apply = function(cart) return t end }") == NULL,
        "nor in a table");
}

static void
test_limits(void)
{
    static const char *const loops[] = {
        "while true do end",
        "for i = 1, 1e12 do end",
        "while true do pcall(function() while true do end end) end",
        "repeat pcall(pcall, pcall) until false",
        "local function f() return f() end f()",
        "local function f() pcall(f) pcall(f) end f()",
        "local function f() pcall(f) return f() end f()",
        "local t = {} for i = 1, 5000 do t[i] = i end table.sort(t, function(a, b) while true do end end)",
        "local t = {} for i = 1, 5000 do t[i] = i end while true do table.sort(t, function(a, b) return true end) end",
        "cart:items():where(function(l) while true do end end)",
        "cart:items():where(function(l) while true do pcall(error) end end)",
        "while true do local x = tostring(1) end",
        "while true do pcall(function() cart.at = nil end) end",
        "local ok = pcall(function() while true do end end) cart:message('survived')",
        "while true do re.match('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'a') end",
        "local s = 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' s = s .. s s = s .. s s = s .. s while true do pcall(re.match, s, '(a*)*(a*)*(a*)*b') end",
        "goto x ::x:: goto x",
        "local s = 'x' for i = 1, 14 do s = s .. s end local a, b = s .. 'a', s .. 'b' while true do local x = a < b end",
        "local s = 'x' for i = 1, 14 do s = s .. s end while true do local x = s:find('y', 1, true) end",
        "local s = 'x' for i = 1, 14 do s = s .. s end while true do local x = s:upper() end",
        "local t = {} for i = 1, 1000 do t[i] = i end while true do for k in pairs(t) do end end",
        "local t = {} for i = 1, 1000 do t[i] = i end while true do next(t) end",
        NULL,
    };
    static const char *const bombs[] = {
        "while true do cart:items { sku = { 'A' } } end",
        "while true do json.decode('[[[[[[1]]]]]]') end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local t = {} for i = 1, 1e9 do t[i] = {} end",
        "local t = {} for i = 1, 1e9 do t = { t } end",
        "local t = {} while true do pcall(function() t[#t + 1] = { 1, 2, 3, 4 } end) end",
        "local s = 'x' while true do pcall(function() s = s .. s end) end",
        "local t = {} for i = 1, 3000 do t[i] = '0123456789' end local x = table.concat(t) while true do x = table.concat(t, x) end",
        "local s = string.format('%99d', 1) while true do s = string.format('%s%s', s, s) end",
        "local t = {} for i = 1, 1e6 do t[i] = function() return i end end",
        "local t = {} for i = 1, 1e6 do t[i] = cart:items() end",
        "local s = ('x') for i = 1, 15 do s = s .. s end local t = {} for i = 1, 1000 do t[i] = s .. i end",
        NULL,
    };
    double start;
    int    i;

    for (i = 0; loops[i]; i++) {
        start = now_ms();
        fails("instructions", "instructions", loops[i]);
        start = now_ms() - start;
        ok(start < 400, "within %.1f ms", start);
    }
    for (i = 0; bombs[i]; i++) {
        pos_script_result_t r;

        start = now_ms();
        r = apply("", bombs[i]);
        start = now_ms() - start;
        ok(r.failed && (strcmp(r.failure, "memory") == 0 || strcmp(r.failure, "instructions") == 0),
            "stopped by %s: %s", r.failure ? r.failure : "nothing", bombs[i]);
        ok(start < 400, "within %.1f ms", start);
    }
    fails("proposals", NULL, "for i = 1, 1e5 do cart:message('x') end");
    fails("proposals", NULL, "for i = 1, 1e5 do pcall(cart.message, cart, 'x') end");
    fails("memory", NULL, "local function f() return 1 + f() end f()");
    fails("memory", NULL, "local function f() return 1 + f() end cart:message(tostring((pcall(f))))");
    says("201", "local function f(n) return n == 0 and 1 or 1 + f(n - 1) end cart:message('' .. f(200))");
    fails("memory", NULL, WIDE "g(300)");
    says("again", "cart:message('again')");
    ok(pos_script_vm_held(vm) < 4u << 20, "the VM holds %zu bytes after it all", pos_script_vm_held(vm));
}

static void
test_errors(void)
{
    fails("error", "line 2: boom", "error('boom')");
    fails("error", "line 3: boom", "\nerror('boom')");
    fails("error", "not text", "error({})");
    fails("error", "not text", "error(nil)");
    fails("error", "not text", "error(function() end)");
    fails("error", "a?b", "error('a\\nb')");
    fails("error", "boom", "error(error('boom'))");
    fails("error", "line 2", "local x = nil + 1");
    fails("error", "line 2", "cart:items():cheapest('x')");
    fails("error", "write `local count`", "count = 1");
    says("false boom", "local ok, e = pcall(error, 'boom') cart:message(tostring(ok) .. ' ' .. e)");
    says("true 1 2", "local ok, a, b = pcall(function() return 1, 2 end) cart:message(tostring(ok) .. ' ' .. a .. ' ' .. b)");
    says("table", "local ok, e = pcall(error, {}) cart:message(tostring(e))");
    says("function table cart selection line", "cart:message(tostring(error) .. ' ' .. tostring({}) .. ' ' .. tostring(cart) .. ' ' .. tostring(cart:items()) .. ' ' .. tostring(cart:items():first()))");
    says("table table", "cart:message(string.format('%s %s', {}, cart.attributes))");
    {
        char long_error[400];
        pos_script_result_t r;

        memset(long_error, 'x', sizeof(long_error) - 1);
        memcpy(long_error, "error('", 7);
        memcpy(long_error + 390, "')", 3);
        r = apply("", long_error);
        ok(r.failed && r.failure_text.len < 260, "a failure's text is bounded: %zu", r.failure_text.len);
    }
}

static void
refuses(const char *code, uint32_t line, uint32_t column, const char *source)
{
    pos_script_t *script = load(source);
    bool          good = script == NULL && faults.first && strcmp(faults.first->code, code) == 0
                && faults.first->line == line && (column == 0 || faults.first->column == column);

    ok(good, "%s %u:%u: %s", code, line, column, source);
    if (!good && faults.first) {
        printf("# %s %u:%u %s\n", faults.first->code, faults.first->line, faults.first->column, said());
    }
    pos_script_release(script);
}

static void
test_load(void)
{
    static const char     bytecode[] = "\x1bLJ\x02\x00";
    pos_script_promotion_t *out;
    uint32_t                count;
    char                   *large = malloc(70000);

    refuses("script_bytecode", 1, 1, bytecode);
    refuses("script_syntax", 3, 11, "return promotion {\n  id = 'x',\n  class = = 'line'\n}");
    refuses("script_syntax", 1, 8, "return +");
    refuses("script_syntax", 2, 7, "-- é\nlocal 1 = 2");
    refuses("script_syntax", 1, 13, "local x = f(");
    refuses("script_syntax", 2, 9, "-- LL\nlocal x=42LL return {}");
    refuses("script_syntax", 1, 11, "local x = 0xffULL");
    refuses("script_syntax", 1, 11, "local x = 3i");
    refuses("script_error", 1, 0, "x = 1");
    refuses("script_error", 2, 0, "\nerror('no')");
    refuses("script_error", 0, 0, "return 1");
    refuses("script_error", 0, 0, "local x = 1");
    refuses("script_error", 0, 0, "return promotion { id = 'x', value = 0/0 }");
    refuses("script_error", 0, 0, "return promotion { id = 'x', value = 1/0 }");
    refuses("script_error", 0, 0, "return promotion { id = 'x', value = 1/3 }");
    refuses("script_error", 0, 0, "return promotion { id = 'x', f = function() end }");
    refuses("script_error", 0, 0, "return promotion { id = 'x', apply = error }");
    refuses("script_error", 0, 0, "return promotion { id = 'x', 1, 2 }");
    refuses("script_error", 0, 0, "local t = { id = 'x' } t.t = t return t");
    refuses("script_error", 0, 0, "return { id = 'x', when = { [{}] = 1 } }");
    refuses("script_error", 0, 0, "return { id = 'x', when = setting 'x' }");
    refuses("script_limit", 1, 0, "while true do end");
    refuses("script_limit", 2, 0, "local t = {}\nfor i = 1, 1e9 do t[i] = {} end");
    refuses("script_error", 1, 0, "cart:items()");

    memset(large, ' ', 69999);
    large[69999] = '\0';
    refuses("script_too_large", 0, 0, large);
    free(large);

    pos_faults_init(&faults, arena);
    ok(pos_script_load(vm, pos_str("-- LL 1i [[ ]] \nlocal s = [==[ 12LL ]] ]==] .. '4LL' .. \"5i\\\"6LL\"\n"
           "return { promotion { id = 'b', name = s, effects = { { percent_off = 12.5, items = {} } },"
           " active = { until_ = '2027-01-01', weekdays = {} }, when = { all = {} } },"
           " promotion { id = 'a', settings = { p = { type = 'percent', default = 15 } },"
           " when = { x = setting 'p' }, cases = { { cart = { 1 } } }, apply = function(cart) cart:message('' .. cart.settings.p) end } }"),
        pos_str("t"), NULL, pos_str(""), arena, &faults, &out, &count) == POS_OK && count == 2,
        "a list of promotions loads: %s", said());
    ok(pos_str_eq(out[0].document, pos_str("{\"active\":{\"until\":\"2027-01-01\",\"weekdays\":[]},\"then\":[{\"items\":{},\"percent_off\":12.5}],"
        "\"id\":\"b\",\"name\":\" 12LL ]] 4LL5i\\\"6LL\",\"when\":{\"all\":[]}}")),
        "a document in byte order: %.*s", (int) out[0].document.len, out[0].document.data);
    ok(out[0].script == NULL && out[1].script != NULL, "data has no handle, code has one");
    ok(pos_str_eq(out[1].document, pos_str("{\"id\":\"a\",\"when\":{\"x\":15}}")), "settings are put in: %.*s",
        (int) out[1].document.len, out[1].document.data);
    ok(pos_str_eq(out[1].cases, pos_str("[{\"cart\":[1]}]")), "cases apart: %.*s", (int) out[1].cases.len, out[1].cases.data);
    ok(pos_str_eq(out[1].settings, pos_str("{\"p\":{\"default\":15,\"type\":\"percent\",\"value\":15}}")), "settings shown: %.*s",
        (int) out[1].settings.len, out[1].settings.data);
    pos_script_release(out[1].script);
}

static void
with_settings(const char *json, bool good, const char *expected)
{
    pos_json_reader_t      *reader = pos_json_reader_create(10000);
    pos_json_t             *settings;
    pos_script_promotion_t *out;
    pos_script_result_t     r;
    uint32_t                count;
    pos_status_t            rc;

    pos_faults_init(&faults, arena);
    rc = pos_json_read(reader, pos_str_z(json), arena, &faults, &settings);
    if (rc == POS_OK) {
        rc = pos_script_load(vm, pos_str("return promotion { id = 'x', settings = {"
            " percent = { type = 'percent', default = 10, max = 50 }, skus = { type = 'list', default = { 'A' } },"
            " on = { type = 'boolean', default = true }, per = { type = 'choice', values = { 'a', 'b' }, default = 'a' } },"
            " apply = function(cart) local s = cart.settings"
            " cart:message(s.percent .. s.skus[1] .. tostring(s.on) .. s.per .. #s.skus) end }"),
            pos_str("t"), settings, pos_str(""), arena, &faults, &out, &count);
    }
    ok((rc == POS_OK) == good, "settings %s: %s", json, said());
    if (rc == POS_OK) {
        ok(pos_script_apply(vm, out[0].script, &promotion, &cart, &r) == POS_OK && !r.failed
            && pos_str_eq(r.effects[0].message, pos_str_z(expected)), "give %s", expected);
        pos_script_release(out[0].script);
    }
    pos_json_reader_destroy(reader);
}

static void
test_settings(void)
{
    with_settings("{}", true, "10Atruea1");
    with_settings("{\"percent\":12.5,\"skus\":[\"B\",\"C\"],\"on\":false,\"per\":\"b\"}", true, "12.5Bfalseb2");
    with_settings("{\"percent\":51}", false, "");
    with_settings("{\"percent\":\"10\"}", false, "");
    with_settings("{\"percent\":1.00001}", false, "");
    with_settings("{\"skus\":[1]}", false, "");
    with_settings("{\"on\":1}", false, "");
    with_settings("{\"per\":\"c\"}", false, "");
    with_settings("{\"nothing\":1}", false, "");
    fails("error", "declares no settings", "cart.settings.x = 1");
}

static void
test_state(void)
{
    pos_script_t       *script;
    pos_script_result_t r = { 0 };
    int                 i;

    r = apply("local n = 0", "n = n + 1 cart:message('x')");
    ok(r.failed && strstr(r.failure_text.data, "'n' was changed"), "a local kept between quotes is an error: %s", r.failure_text.data);
    r = apply("local seen = {}", "seen.x = 1");
    ok(r.failed && strstr(r.failure_text.data, "read-only"), "a shared table is read-only: %s", r.failure_text.data);
    r = apply("local a = { b = { c = {} } }", "a.b.c[1] = cart");
    ok(r.failed && strstr(r.failure_text.data, "read-only"), "all through");
    r = apply("local a = { f = function() return 1 end } local n local function g() n = a.f() end", "g()");
    ok(r.failed && strstr(r.failure_text.data, "'n' was changed"), "in a helper too: %s", r.failure_text.data);
    r = apply("local t = { 3, 1, 2 } local u = { b = 2, a = 1, [1] = 0 }",
        "local s = '' for i, v in ipairs(t) do s = s .. i .. v .. ' ' end"
        " for k, v in pairs(u) do s = s .. k .. v .. ' ' end"
        " cart:message(s .. #t .. type(t) .. table.concat(t, ','))");
    ok(!r.failed && pos_str_eq(r.effects[0].message, pos_str("13 21 32 10 a1 b2 3table3,1,2")),
        "a shared table reads like a table: %.*s", (int) r.effects[0].message.len, r.effects[0].message.data);

    script = load("local last\nreturn promotion { id = 'p', class = 'line', apply = function(cart)\n"
        "if last then cart:message('kept') end last = cart:items() end }");
    for (i = 0; i < 3; i++) {
        ok(pos_script_apply(vm, script, &promotion, &cart, &r) == POS_OK && r.failed && r.effect_count == 0,
            "every run fails alike");
    }
    pos_script_release(script);
}

static void
test_order(void)
{
    says("1=a 2=b 10=c a=1 b=2 z=3 ", "local t = { z = 3, b = 2, [10] = 'c', a = 1, 'a', 'b' } local s = ''"
        " for k, v in pairs(t) do s = s .. k .. '=' .. v .. ' ' end cart:message(s)");
    says("1 a nil", "local t = { a = 1, [1] = 2 } local k = next(t) local l = next(t, k)"
        " cart:message(tostring(k) .. ' ' .. tostring(l) .. ' ' .. tostring(next(t, l)))");
    says("1,2,3|c,b,a", "local t = { 3, 1, 2 } table.sort(t) local u = { 'a', 'c', 'b' }"
        " table.sort(u, function(x, y) return x > y end) cart:message(table.concat(t, ',') .. '|' .. table.concat(u, ','))");
    says("a1 b1 a2 b2", "local t = { { 'b', 1 }, { 'a', 2 }, { 'a', 1 }, { 'b', 2 } }"
        " table.sort(t, function(x, y) return x[2] < y[2] or x[2] == y[2] and x[1] < y[1] end)"
        " local s = {} for i, v in ipairs(t) do s[i] = v[1] .. v[2] end cart:message(table.concat(s, ' '))");
    says("2 a 3", "local t = { 'b' } table.insert(t, 1, 'a') table.insert(t, 'c') local n = #t"
        " local x = table.remove(t, 1) cart:message(#t .. ' ' .. x .. ' ' .. n)");
    says("nil", "local t = {} for i = 1, 20 do t['k' .. i] = i end for k in pairs(t) do t[k] = nil end cart:message(tostring(next(t)))");
}

static void
test_library(void)
{
    says("2 3", "cart:message(table.concat({ ('abc'):find('bc', 1, true) }, ' '))");
    says("  12|0.50|x", "cart:message(string.format('%4d|%.2f|%s', 12, 0.5, 'x'))");
    says("10 255 nil 12.5", "cart:message(tostring(tonumber('10')) .. ' ' .. tonumber('ff', 16) .. ' ' .. tostring(tonumber('x')) .. ' ' .. tonumber('12.5'))");
    says("b 3", "cart:message(select(2, 'a', 'b') .. ' ' .. select('#', 1, 2, 3))");
    says("3 -2 2", "cart:message(math.max(1, 3) .. ' ' .. math.floor(-1.5) .. ' ' .. math.sqrt(4))");
    says("12 ab", "local a, b = re.match('12-ab', '(\\\\d+)-(\\\\w+)') cart:message(a .. ' ' .. b)");
    says("false", "local a, b = re.match('b', '(a)?(b)') cart:message(tostring(a))");
    says("2 3", "local a, b = re.find('xabx', 'ab') cart:message(a .. ' ' .. b)");
    says("nil", "cart:message(tostring(re.match('x', 'y')))");
    fails("error", "regular expression", "re.match('x', '(')");
    fails("error", "regular expression", "re.match('x', '(((((((((((((((((((((((((x)))))))))))))))))))))))))')");
    says("1 2.5 null x 3", "local v = json.decode(cart.attributes.json)"
        " cart:message(v.a[1] .. ' ' .. v.a[2] .. ' ' .. tostring(v.a[3]) .. ' ' .. v.b .. ' ' .. #v.a)");
    says("nil json_syntax", "local v, e = json.decode('{') cart:message(tostring(v) .. ' ' .. e)");
    says("nil json_duplicate_key", "local v, e = json.decode('{\"a\":1,\"a\":2}') cart:message(tostring(v) .. ' ' .. e)");
    says("true", "cart:message(tostring(json.decode('[null]')[1] == json.null))");
}

static void
test_cart(void)
{
    says("5000 GBP web london 2 9:5 fri 2026-11-27", "cart:message(cart.subtotal .. ' ' .. cart.currency .. ' ' .. cart.channel .. ' '"
        " .. cart.store .. ' ' .. cart.minor_digits .. ' ' .. cart.at.hour .. ':' .. cart.at.minute .. ' ' .. cart.at.weekday .. ' ' .. cart.at.date)");
    says("c1 3 staff true false nil", "local c = cart.customer cart:message(c.id .. ' ' .. c.orders .. ' ' .. c.groups[1] .. ' '"
        " .. tostring(c:member('staff')) .. ' ' .. tostring(c:member('x')) .. ' ' .. tostring(c.birthday))");
    says("A3 B2 C4 ", "local s = '' for line in cart:items():each() do s = s .. line.sku .. line.quantity .. ' ' end cart:message(s)");
    says("9 5000 3 3", "local s = cart:items() cart:message(s:quantity() .. ' ' .. s:amount() .. ' ' .. s:distinct() .. ' ' .. #s)");
    says("3 3000", "local s = cart:items { attribute = { colour = { 'red' } } } cart:message(s:quantity() .. ' ' .. s:amount())");
    says("B shoes true", "local l = cart:items { category = { 'shoes' } }:first() cart:message(l.sku .. ' ' .. l.categories[1] .. ' ' .. tostring(l:is_in('shoes')))");
    says("C4 B1 ", "local s = '' for line in cart:items():cheapest(5):each() do s = line.sku .. line.quantity .. ' ' .. s end cart:message(s)");
    says("3 3000", "local s = cart:items():priciest(3) cart:message(s:quantity() .. ' ' .. s:amount())");
    says("0", "cart:message('' .. cart:items():cheapest(0):quantity())");
    says("2", "cart:message('' .. cart:items():where(function(l) return l.unit_price <= 500 end):distinct())");
    says("1", "cart:message('' .. cart:items():where { unit_price = { max = 500 } }:where { sku = { 'C' } }:distinct())");
    says("nil", "cart:message(tostring(cart:items():first().cost))");
    book.script_cost = true;
    says("500", "cart:message(tostring(cart:items():first().cost))");
    book.script_cost = false;
    says("red nil", "local a = cart:items():first().attributes cart:message(a.colour .. ' ' .. tostring(a.size))");
    says("colour=red ", "local s = '' for k, v in pairs(cart:items():first().attributes) do s = s .. k .. '=' .. v .. ' ' end cart:message(s)");
}

static void
test_proposals(void)
{
    pos_script_result_t r;

    r = apply("", "cart:items { sku = { 'A' } }:percent_off(12.5, 'Off')");
    ok(!r.failed && r.effect_count == 1 && r.effects[0].kind == POS_EFFECT_MARKDOWN
        && r.effects[0].reduce == POS_REDUCE_PERCENT && r.effects[0].value == 125000
        && r.effects[0].filter->selection->count == 1 && pos_str_eq(r.effects[0].label, pos_str("Off"))
        && r.effects[0].max_units == POS_INF && r.effects[0].max_amount == POS_INF && r.effects[0].repeat == POS_INF,
        "a percentage: %s", r.failed ? r.failure_text.data : "");
    r = apply("", "cart:items():cheapest(2):amount_off(100, 'Off', 'all')");
    ok(!r.failed && r.effects[0].per == POS_PER_ALL && r.effects[0].value == 100
        && r.effects[0].filter->selection->units[0] == 2000, "an amount over some units: %s", r.failed ? r.failure_text.data : "");
    r = apply("", "cart:items():amount_off(100, 'Off', { per = 'line', max_amount = 50, when = { subtotal = { min = 5 }, after = 'line' } })");
    ok(!r.failed && r.effects[0].per == POS_PER_LINE && r.effects[0].max_amount == 50
        && r.effects[0].when->kind == POS_COND_SUBTOTAL && r.effects[0].value == 100, "options: %s", r.failed ? r.failure_text.data : "");
    r = apply("", "local s = cart:items { sku = { 'A' } } cart:deal { buy = { { items = s, quantity = 2 } },"
        " get = { { items = { sku = { 'B' } }, quantity = 1, percent_off = 50 } }, times = 3 }");
    ok(!r.failed && r.effects[0].kind == POS_EFFECT_BUY_GET && r.effects[0].parts[0].filter->selection->items[0] == 0
        && r.effects[0].gets[0].filter->selection == NULL && r.effects[0].gets[0].value == 500000 && r.effects[0].repeat == 3,
        "a deal: %s", r.failed ? r.failure_text.data : "");
    r = apply("", "cart:bundle { { items = { sku = { 'A' } } }, { items = cart:items { sku = { 'B' } } }, price = 1200, label = 'Both' }");
    ok(!r.failed && r.effects[0].kind == POS_EFFECT_BUNDLE && r.effects[0].part_count == 2 && r.effects[0].value == 1200
        && r.effects[0].parts[1].filter->selection->items[0] == 1, "a bundle: %s", r.failed ? r.failure_text.data : "");
    r = apply("", "cart:gift('G', 2, { per = { items = cart:items(), quantity = 3 }, label = 'Gift' })");
    ok(!r.failed && r.effects[0].kind == POS_EFFECT_GIFT && r.effects[0].gift_quantity == 2000
        && r.effects[0].gift_per->selection->count == 3 && r.effects[0].gift_per_quantity == 3000, "a gift: %s", r.failed ? r.failure_text.data : "");
    r = apply("", "cart:points(50) cart:points { multiply = 2 } cart:message('hi')"
        " cart:effect { nth = { items = cart:items(), group = 3, percent_off = 100 } }");
    ok(!r.failed && r.effect_count == 4 && r.effects[0].points_add == 50 && r.effects[1].points_multiply == 2 * POS_PPM
        && r.effects[3].kind == POS_EFFECT_NTH && r.effects[3].filter->selection->count == 3, "points, messages, nth: %s", r.failed ? r.failure_text.data : "");
    r = apply("", "cart:items():percent_off(0) cart:items { sku = { 'none' } }:percent_off(10)");
    ok(!r.failed && r.effect_count == 0, "nothing off, or off nothing, is no proposal");
    r = apply("", "cart:explain { reason = 'one more', missing = { quantity = 1 } }");
    ok(!r.failed && pos_str_eq(r.explain_reason, pos_str("one more")) && pos_str_eq(r.explain_missing, pos_str("{\"quantity\":1}")), "explain");
    r = apply("", "cart:items():first():percent_off(10)");
    ok(r.failed == false && r.effects[0].filter->selection->count == 1, "a line's own percentage: %s", r.failed ? r.failure_text.data : "");
    r = apply("", "for i = 1, 500 do cart:items { sku = { 'A' .. i % 90 } } end cart:items { sku = { 'A' } }:percent_off(10)");
    ok(!r.failed && r.effect_count == 1, "more filters than are kept: %s", r.failed ? r.failure_text.data : "");

    promotion.class = POS_CLASS_ORDER;
    r = apply("", "cart:percent_off(10, 'Ten') cart:amount_off(1000, 'Off', { when = { subtotal = { min = 5000 }, after = 'line' } })"
        " cart:items { sku = { 'A' } }:percent_off(5)");
    ok(!r.failed && r.effect_count == 3 && r.effects[0].kind == POS_EFFECT_ORDER && r.effects[0].value == 100000
        && r.effects[1].when && r.effects[2].filter->selection->count == 1, "order: %s", r.failed ? r.failure_text.data : "");
    promotion.class = POS_CLASS_SHIPPING;
    r = apply("", "cart:shipping_off() cart:shipping_off(200, 'Less') cart:shipping_off { price = 100, methods = { 'standard' } }");
    ok(!r.failed && r.effect_count == 3 && r.effects[0].kind == POS_EFFECT_SHIPPING && r.effects[0].value == POS_PPM
        && r.effects[1].value == 200 && r.effects[2].reduce == POS_REDUCE_PRICE, "shipping: %s", r.failed ? r.failure_text.data : "");
    promotion.class = POS_CLASS_LINE;
}

static void
test_eligible(void)
{
    pos_script_t       *script = load("return promotion { id = 'p', eligible = function(cart) return cart.subtotal > 9000 end,"
                      " apply = function(cart) cart:message('x') end }");
    pos_script_result_t r;

    ok(pos_script_apply(vm, script, &promotion, &cart, &r) == POS_OK && !r.failed && !r.eligible && r.effect_count == 0,
        "not eligible: apply is not called");
    pos_script_release(script);
}

/* The same bytes, however often and after whatever else. */
static void
test_replay(void)
{
    static const char *const source = "return promotion { id = 'p', class = 'line', apply = function(cart)\n"
        "local t = {} for i = 1, 900 do t[i] = 'replay ' .. i .. ' of it' end\n"
        "local n = 0 while true do n = n + 1 t[n] = { n, tostring(n) .. 'x' } end end }";
    pos_script_t       *script = load(source);
    pos_script_result_t r;
    int                 i, bad = 0;
    const char         *first = NULL;

    for (i = 0; i < 20; i++) {
        if (pos_script_apply(vm, script, &promotion, &cart, &r) != POS_OK || !r.failed) {
            bad++;
        }
        first = first ? first : r.failure;
        bad += strcmp(first, r.failure) != 0;
    }
    ok(bad == 0, "a script that hits a limit hits the same one each time: %s", first);
    pos_script_release(script);
}

static void
test_many(void)
{
    size_t held = 0;
    int    i, bad = 0;

    for (i = 0; i < 3000; i++) {
        pos_script_result_t r = apply("local S = { sku = { 'A' } }", "local s = cart:items(S) if s:quantity() > 2 then s:percent_off(10, 'x') end");

        bad += r.failed || r.effect_count != 1;
        if (i == 999) {
            held = pos_script_vm_held(vm);
        }
    }
    ok(bad == 0, "3000 loads, calls and releases");
    ok(pos_script_vm_held(vm) < held + held / 2 + (1u << 20), "leave nothing behind: %zu then %zu", held, pos_script_vm_held(vm));
}

/* ---- the second fence ---- */

/* One instruction that compares 32 KiB, again and again: the first fence lets it
 * run for a hundred times what an ordinary script takes. */
#define LONG  "local a = 'x' for i = 1, 15 do a = a .. a end local b = a .. 'b' a = a .. 'a'" \
    " while true do if a < b and a < b and a < b and a < b then end end "

static struct {
    pos_script_watch_t     watch;
    volatile sig_atomic_t  ticks, seen, overran;
    char                   name[8];
    uint8_t                source[POS_SHA256_SIZE];
} fence;

static void
fence_tick(int signal)
{
    pos_str_t      name = pos_script_running(vm);
    const uint8_t *source = pos_script_running_source(vm);

    (void) signal;
    fence.ticks++;
    if (source != NULL && name.len < sizeof(fence.name)) {
        fence.seen++;
        memcpy(fence.name, name.data, name.len);
        fence.name[name.len] = '\0';
        memcpy(fence.source, source, sizeof(fence.source));
    }
    fence.overran |= pos_script_watch(&fence.watch, vm, 2);
}

static bool
fence_saw(const char *name, const char *source)
{
    uint8_t digest[POS_SHA256_SIZE];

    pos_sha256(pos_str_z(source), digest);
    return fence.seen > 0 && strcmp(fence.name, name) == 0
        && memcmp(fence.source, digest, sizeof(digest)) == 0;
}

static void
test_watch(void)
{
    static const char   called[] = "return promotion { id = 'p', class = 'line', apply = function(cart)\n" LONG "\nend }";
    static const char   quick[] = "return promotion { id = 'p', class = 'line', apply = function(cart)"
        " for i = 1, 1000 do local x = i end cart:items():percent_off(10, 'x') end }";
    pos_script_result_t r;
    pos_script_t       *script = load(called), *other = load(quick);
    timer_t             timer;
    int                 i;

    ok(script != NULL && other != NULL, "the watched scripts load: %s", said());
    ok(pos_cpu_timer_start(4000, fence_tick, &timer) == POS_OK, "a timer of processor time");
    ok(pos_script_apply(vm, script, &promotion, &cart, &r) == POS_OK && r.failed
        && strcmp(r.failure, "instructions") == 0, "a call that is slow ends by the first fence");
    ok(fence.overran && fence_saw("p", called), "the second saw it run on, and whose source it is: %s", fence.name);

    memset(&fence, 0, sizeof(fence));
    for (i = 0; (fence.seen < 3 || fence.ticks < 6) && i < 1000000; i++) {
        (void) !pos_script_apply(vm, other, &promotion, &cart, &r);
    }
    ok(fence.seen >= 3 && !fence.overran, "many short calls are no long one: %d ticks", (int) fence.ticks);

    memset(&fence, 0, sizeof(fence));
    ok(load(LONG) == NULL && fence.overran && fence_saw("t", LONG), "loading is watched too: %s", fence.name);
    pos_cpu_timer_stop(timer);
    pos_script_release(script);
    pos_script_release(other);
}

static void
test_quarantine(void)
{
    static const char       bad[] = "return promotion { id = 'p', class = 'line', apply = function(cart) end }";
    static pos_quarantine_t quarantine;
    uint8_t                 source[POS_SHA256_SIZE];
    pos_script_result_t     r;
    pos_script_t           *script, *other;
    int                     i;

    pos_script_vm_quarantine(vm, &quarantine);
    script = load(bad);
    other = load("return promotion { id = 'q', class = 'line', apply = function(cart) end }");
    ok(pos_script_apply(vm, script, &promotion, &cart, &r) == POS_OK && !r.failed,
        "a quarantine that is empty keeps nothing out");
    pos_sha256(pos_str_z(bad), source);
    (void) pos_quarantine_add(&quarantine, source, pos_str("a \"name\""));
    ok(pos_script_apply(vm, script, &promotion, &cart, &r) == POS_OK && r.failed
        && strcmp(r.failure, "quarantined") == 0 && r.failure_text.len > 0, "what is loaded is not called any more");
    ok(pos_script_apply(vm, other, &promotion, &cart, &r) == POS_OK && !r.failed, "others are");
    ok(load(bad) == NULL && strcmp(faults.first->code, "script_quarantined") == 0, "nor is it loaded");
    (void) pos_quarantine_add(&quarantine, source, pos_str("again"));
    ok(pos_quarantine_at(&quarantine, 0)->len == 8 && memcmp(pos_quarantine_at(&quarantine, 0)->promotion, "a ?name?", 8) == 0
        && pos_quarantine_at(&quarantine, 1) == NULL && quarantine.claimed == 2, "met twice, it is listed once, its name without quotes");
    for (i = 0; i < POS_QUARANTINE_MAX; i++) {
        source[0]++;
        (void) pos_quarantine_add(&quarantine, source, pos_str("other"));
    }
    ok(pos_quarantine_holds(&quarantine, source) && pos_script_apply(vm, script, &promotion, &cart, &r) == POS_OK && !r.failed,
        "the oldest gives way to the newest");
    pos_script_release(script);
    pos_script_release(other);
    pos_script_vm_quarantine(vm, NULL);
}

static void
test_load_memory(void)
{
    pos_script_limits_t     limits;
    pos_script_vm_t        *small, *whole = vm;
    pos_script_t           *held[200] = { 0 };
    int                     i, n = 0;

    pos_script_limits_default(&limits);
    limits.load_memory = 1u << 20;
    if (pos_script_vm_create(&limits, &small) != POS_OK) {
        ok(false, "a small VM");
        return;
    }
    vm = small;
    for (i = 0; i < 200; i++) {
        held[i] = load("local t = {} for i = 1, 2000 do t[i] = i end\n"
            "return promotion { id = 'p', apply = function(cart) return t[1] end }");
        n += held[i] != NULL;
    }
    ok(n > 10 && n < 200, "scripts over the load limit are refused: %d taken", n);
    ok(faults.first && strcmp(faults.first->code, "script_limit") == 0, "as a limit: %s", said());
    for (i = 0; i < 200; i++) {
        pos_script_release(held[i]);
    }
    held[0] = load("return promotion { id = 'p', apply = function(cart) end }");
    ok(held[0] != NULL, "and taken again once others are gone");
    pos_script_release(held[0]);
    pos_script_vm_destroy(small);
    vm = whole;
}

static void
bench(void)
{
    pos_script_t       *script;
    pos_script_result_t r;
    double              start;
    int                 i;

    script = load("local BOXES = { attribute = { colour = { 'red' } } }\n"
        "return promotion { id = 'p', class = 'line', apply = function(cart)\n"
        "local boxes = cart:items(BOXES)\nlocal percent = boxes:quantity() >= 3 and 25 or 15\n"
        "boxes:percent_off(percent, 'Open box') end }");
    start = now_ms();
    for (i = 0; i < 100000; i++) {
        (void) !pos_script_apply(vm, script, &promotion, &cart, &r);
        if (i % 100 == 0) {
            pos_arena_reset(arena);
        }
    }
    printf("# a rule costs %.2f µs\n", (now_ms() - start) / 100);
    pos_script_release(script);
}

int
main(int argc, char **argv)
{
    pos_script_limits_t limits;

    (void) argv;
    arena = pos_arena_create(1u << 16, 0);
    pos_script_limits_default(&limits);
    if (arena == NULL || pos_script_vm_create(&limits, &vm) != POS_OK) {
        printf("Bail out! no VM\n");
        return 1;
    }
    make_cart();
    if (argc > 1) {
        bench();
    } else {
        test_cart();
        test_library();
        test_order();
        test_proposals();
        test_eligible();
        test_errors();
        test_load();
        test_settings();
        test_state();
        test_escapes();
        test_limits();
        test_replay();
        test_many();
        test_watch();
        test_quarantine();
        test_long_texts();
        test_load_memory();
        (void) apply("", NULL);
        ok(pos_script_running(vm).len == 0, "nothing runs outside of a call");
        printf("1..%d\n", tests);
    }
    pos_script_vm_destroy(vm);
    pos_arena_destroy(arena);
    return failures != 0;
}
