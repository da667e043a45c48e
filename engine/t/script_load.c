/*
 * How scripts are taken: what is refused and where, the documents that come out,
 * their settings, and the memory they may hold together.
 */

#include "engine/t/script_fixture.h"

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
    refuses("script_error", 1, 1, "return 1");
    refuses("script_error", 1, 1, "local x = 1");
    refuses("script_error", 1, 30, "return promotion { id = 'x', value = 0/0 }");
    refuses("script_error", 1, 30, "return promotion { id = 'x', value = 1/0 }");
    refuses("script_error", 1, 30, "return promotion { id = 'x', value = 1/3 }");
    refuses("script_error", 1, 30, "return promotion { id = 'x', f = function() end }");
    refuses("script_error", 1, 30, "return promotion { id = 'x', apply = error }");
    refuses("script_error", 1, 1, "return promotion { id = 'x', 1, 2 }");
    refuses("script_error", 1, 1, "local t = { id = 'x' } t.t = t return t");
    refuses("script_error", 1, 20, "return { id = 'x', when = { [{}] = 1 } }");
    refuses("script_error", 1, 20, "return { id = 'x', when = setting 'x' }");
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

int
main(void)
{
    script_begin();
    test_load();
    test_settings();
    test_load_memory();
    return script_done();
}
