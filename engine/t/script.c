/*
 * What scripts may do: read the cart, use the library, propose effects.
 */

#include "engine/t/script_fixture.h"

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
    cart.currency = pos_str("USD");    /* a cost is in the retailer's */
    says("nil", "cart:message(tostring(cart:items():first().cost))");
    cart.currency = pos_str("GBP");
    book.script_cost = false;
    says("red nil", "local a = cart:items():first().attributes cart:message(a.colour .. ' ' .. tostring(a.size))");
    says("colour=red ", "local s = '' for k, v in pairs(cart:items():first().attributes) do s = s .. k .. '=' .. v .. ' ' end cart:message(s)");
}

/* Filters that stand as literals are found again by how they stand. */
static void
test_literals(void)
{
    says("3 2 9 3 5", "local function n(f) return cart:items(f):quantity() end local s = ''"
        " for i = 1, 2 do s = n { sku = { 'A' } } .. ' ' .. n { sku = { 'B' } } .. ' ' .. n {} .. ' ' .. n { sku = { 'A' }, attribute = { colour = { 'red' } } }"
        " .. ' ' .. n { sku = { 'A', 'B' } } end cart:message(s)");
    says("A3 B2 C4 ", "local s = '' for i, sku in ipairs { 'A', 'B', 'C' } do local f = { sku = { sku } }"
        " s = s .. sku .. cart:items(f):quantity() .. ' ' end cart:message(s)");
    says("2 0", "local function n(c) return cart:items { category = { c }, sku = { 'B' } }:quantity() end"
        " cart:message(n('shoes') .. ' ' .. n('hats'))");
    says("3 2", "local f = { sku = { 'A' } } local a = cart:items(f):quantity() f.sku[1] = 'B' cart:message(a .. ' ' .. cart:items(f):quantity())");
    fails("error", "filter", "for i = 1, 2 do cart:items { colour = { 'red' } } end");
    fails("error", "mixes", "cart:items { sku = { 'A' } } cart:items { sku = { 'A', x = 'B' } }");
    fails("error", "holes", "cart:items { sku = { 'A' } } cart:items { sku = { 'A', [3] = 'B' } }");
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

/* ---- what a rule costs: with an argument, instead of the tests ---- */

static void
bench(void)
{
    pos_script_t       *script;
    pos_script_result_t r;
    int64_t             start;
    int                 i;

    script = load("local BOXES = { attribute = { colour = { 'red' } } }\n"
        "return promotion { id = 'p', class = 'line', apply = function(cart)\n"
        "local boxes = cart:items(BOXES)\nlocal percent = boxes:quantity() >= 3 and 25 or 15\n"
        "boxes:percent_off(percent, 'Open box') end }");
    start = tap_cpu_ns();
    for (i = 0; i < 100000; i++) {
        (void) !pos_script_apply(vm, script, &promotion, &cart, &r);
        if (i % 100 == 0) {
            pos_arena_reset(arena);
        }
    }
    printf("# a rule costs %.2f µs\n", (double) (tap_cpu_ns() - start) / 1e3 / 100000);
    pos_script_release(script);
}

int
main(int argc, char **argv)
{
    (void) argv;
    script_begin();
    if (argc > 1) {
        bench();
    } else {
        test_cart();
        test_literals();
        test_library();
        test_order();
        test_proposals();
        test_eligible();
    }
    return script_done();
}
