/*
 * The sandbox: every known way out is closed, every limit stops and sticks,
 * nothing is carried from one quote to the next.
 */

#include "engine/t/script_fixture.h"

#include "engine/script_vm.h"

#define LONGEST_MS  400      /* of processor time, until a limit has stopped a script */

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

static void
in_time(int64_t start)
{
    double ms = (double) (tap_cpu_ns() - start) / 1e6;

    ok(ms < LONGEST_MS, "within %.1f ms of processor time", ms);
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
    int64_t         start;
    int             i;

    says("ok", TEXT("12") " for i = 1, 20000 do local x = i end cart:message('ok')");
    says("ok", TEXT("13") " for i = 1, 5000 do local x = i end cart:message('ok')");
    fails("instructions", NULL, TEXT("13") " for i = 1, 20000 do local x = i end cart:message('ok')");
    for (i = 0; i < 2; i++) {
        fails("instructions", NULL, TEXT("13") " local t = {} for i = 1, 20000 do local x = i end");
    }
    start = tap_cpu_ns();
    fails("instructions", NULL, TEXT("14") " local a, b = s .. 'a', s .. 'b' while true do local x = a < b end");
    in_time(start);

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
    int64_t start;
    int     i;

    for (i = 0; loops[i]; i++) {
        start = tap_cpu_ns();
        fails("instructions", "instructions", loops[i]);
        in_time(start);
    }
    for (i = 0; bombs[i]; i++) {
        pos_script_result_t r;

        start = tap_cpu_ns();
        r = apply("", bombs[i]);
        ok(r.failed && (strcmp(r.failure, "memory") == 0 || strcmp(r.failure, "instructions") == 0),
            "stopped by %s: %s", r.failure ? r.failure : "nothing", bombs[i]);
        in_time(start);
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

/* Lua's buffer for texts is kept wide while Lua itself thinks that a collection made it smaller: what
 * it may not become in a call is still what it is. */
static void
test_refused_text(void)
{
    size_t held = 0;
    int    bad = 0;

    for (int round = 0; round < 12; round++) {
        for (int i = 0; i < 60; i++) {
            bad += apply("", "local t = {} for i = 1, 900 do t[i] = i .. 'x' end").failed;
        }
        bad += !apply("", "local s = '0123456789abcdef' for i = 1, 10 do s = s .. s end"
            " local a = s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s"
            " .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s"
            " .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s").failed;
        if (round == 1) {
            held = pos_script_vm_held(vm);
        }
    }
    ok(bad == 0, "texts that are refused between others");
    ok(pos_script_vm_held(vm) < held + (64u << 10), "count for nothing once they are gone: %zu then %zu", held, pos_script_vm_held(vm));
}

/* What a call's patterns are charged does not hang on those that others left behind. */
static void
test_patterns_of_others(void)
{
    uint64_t work = 0, charged = 0;
    int      different = 0;

    for (int round = 0; round < 60; round++) {
        char body[240];

        snprintf(body, sizeof(body), "local n = 0 for i = 1, 20 do n = n + (re.match('abc', '^a.c$%03d') and 1 or 0)"
            " + (re.match('abc', '^x.' .. %d + i .. '$') and 1 or 0) end cart:message('' .. n)", round, 1000 + round * 20);
        different += apply("", body).failed || (round > 0 && (work != vm->work || charged != vm->charged));
        work = vm->work;
        charged = vm->charged;
    }
    ok(different == 0, "a pattern is charged once in a call, however full the store of them was: %d times it was not", different);
}

int
main(void)
{
    script_begin();
    test_refused_text();      /* while the buffer is as wide as at first */
    test_errors();
    test_state();
    test_escapes();
    test_limits();
    test_long_texts();
    test_replay();
    test_many();
    test_patterns_of_others();
    return script_done();
}
