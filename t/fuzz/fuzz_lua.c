/* Promotions in Lua by the grammar of what a script may write: the input's bytes choose among
 * the forms below, so that most of them compile, load and price, with values at the edges.
 * What remains of the bytes damages the text here and there. */

#include "t/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX   10000
#define DEPTH_MAX  9

/* `$E` stands for a form of that letter. The first few of each lead to no other. */
static const char *const chunks[] = {
    "return promotion { id = \"p\", class = \"line\", apply = function(cart)\n$B end }",
    "return promotion { id = \"p\", class = \"$c\", apply = function(cart)\n$B end }",
    "$D$D return promotion { id = \"p\", class = \"line\", $P apply = function(cart)\n$B end }",
    "$D local function f(a, b)\n$B end return promotion { id = \"p\", class = \"line\", $P apply = function(cart)\n$B $B end }",
    "return promotion { id = \"p\", class = \"$c\", $P eligible = function(cart) $B return $E end, apply = function(cart)\n$B end }",
    "$D return promotion { id = \"p\", class = \"$c\", $P effects = { $O, { $o } } }",
    "return promotion { id = \"p\", class = \"line\", settings = { a = { type = \"$t\", default = $E }, b = { type = \"percent\", default = $N, min = $N, max = $N } }, apply = function(cart)\n$B end }",
    "local t = {} for i = 1, $N do t[i] = $E end return promotion { id = \"p\", class = \"line\", when = t, apply = function(cart)\n local v = t $B end }",
};
static const char *const classes[] = { "line", "order", "shipping" };
static const char *const types[] = { "percent", "amount", "integer", "quantity", "number", "boolean", "text", "list", "choice", "filter" };
static const char *const declarations[] = {
    "local v = 1 ", "local v = {} ", "local w = { a = { 1, 2 }, [3] = true } ", "local v = $N ", "local v = $E ", "local w = $F ",
    "local v, w, x = pairs($A) ", "local w = function(...) return ... end ", "local v = setting \"a\" ",
};
static const char *const fields[] = {
    "", "priority = 3,", "name = $T,", "when = { subtotal = { min = $N } },", "when = { items = $F, quantity = { min = $N } },",
    "when = { any = { { channel = { $T } }, { weekdays = { $T } } } },", "stacking = \"$T\",", "limits = { { max = $N, of = \"uses\", per = \"order\" } },",
    "tax_basis = \"before\",", "floor = { margin_percent = $N },", "cases = { { cart = $A, expect = $A } },", "[$T] = $E,", "returns = \"reprice\",",
};
static const char *const blocks[] = {
    "cart:items():percent_off(5) ", "$S:percent_off($N, $T) ", "$X ", "$X $X ", "$X $X $X ", "$X $X $X $X $X ",
};
static const char *const statements[] = {
    "local v = 1 ", "cart:message($T) ", "local v = $E ", "v = $E ", "local v, w = $E, $E ", "$S:percent_off($N, $T) ", "$S:amount_off($N, $T, \"line\") ",
    "$S:amount_off($N, $T, { $o }) ", "$S:unit_price($N) ", "cart:percent_off($N) ", "cart:amount_off($N, $T, { $o }) ", "cart:shipping_off($E) ",
    "cart:deal { buy = { { items = $F, quantity = $N } }, get = { { items = $F, quantity = $N, percent_off = $N } }, times = $N } ",
    "cart:deal { buy = { { items = $S, quantity = $N } }, get = { { items = $S, quantity = $N, amount_off = $N } }, $o } ",
    "cart:bundle { { items = $S, quantity = $N }, { items = $F, quantity = 1 }, price = $N } ", "cart:effect { $o } ", "cart:effect $O ",
    "cart:gift($T, $N, { per = { items = $F, quantity = $N } }) ", "cart:points($E) ", "cart:explain($E) ", "cart:explain { reason = $T, missing = $A } ",
    "if $E then $B else $B end ", "for i = $N, $N do $B end ", "for i = 1, 3 do $B end ", "for k, v in pairs($E) do $B end ", "for i, v in ipairs($E) do $B end ",
    "for l in $S:each() do $B end ", "for l in cart:each() do local v = $L $B end ", "while $E do $B break end ", "repeat $B until $E ",
    "pcall(function() $B end) ", "local ok, v = pcall($E, $E) ", "error($E) ", "assert($E, $E) ", "table.insert(v, $E) ", "table.insert(v, $N, $E) ", "table.remove(v, $N) ",
    "table.sort(v, function(a, b) return $E end) ", "table.sort(v) ", "v[$E] = $E ", "w = v ", "do local w <close> = 1 end ", "goto out do $B end ::out:: ", "return $E ", "cart.$T = $E ", "local function g(n) if n > $N then return n end return g(n + 1) end local v = g(0) ",
};
static const char *const expressions[] = {
    "v", "nil", "true", "false", "cart", "l", "cart.subtotal", "cart.customer", "cart.attributes", "cart.at", "{}", "json.null", "$N", "$T", "$S", "$L", "$F", "$A", "$E + $E", "$E .. $E", "$E == $E",
    "$E < $E", "not $E", "-$E", "#$E", "$E and $E", "$E or $E", "$E ^ $N", "$E % $E", "$E // 1", "$E[$E]", "$E.$t", "$E($E)", "$S:quantity()", "$S:amount()", "$S:distinct()", "$S:first()", "$S:each()", "#$S",
    "cart:items($E)", "cart.settings.a", "cart.$f", "cart.at.$f", "cart.customer:member($T)", "(function(...) return ... end)($E, $E)", "function(a, b) $B end", "tostring($E)", "tonumber($E, $N)", "type($E)",
    "select($N, $E, $E)", "next($A, $E)", "string.format($T, $E, $E)", "string.sub($T, $N, $N)", "($T):find($T, $N, true)", "string.byte($T, $N, $N)", "string.char($N)", "($T):upper()", "table.concat($A, $T, $N, $N)",
    "math.floor($N)", "math.fmod($N, $N)", "math.max($N, $E)", "re.match($T, $R)", "re.find($T, $R)", "json.decode($J)", "pcall(pcall, $E)", "promotion($A)", "setting($T)", "string", "math.$f",
};
static const char *const selections[] = {
    "cart:items()", "cart:items({ sku = { \"BOOT\" } })", "cart:items($F)", "$S:where($F)", "$S:where(function(l) return $E end)", "$S:cheapest($N)", "$S:priciest($N)", "v", "l", "$E",
};
static const char *const lines[] = {
    "l", "cart:items():first()", "$S:first()", "l.sku", "l.quantity", "l.unit_price", "l.categories", "l.tags", "l.attributes.colour", "l.$f", "l:is_in($T)", "l.cost", "l.amount",
};
static const char *const filters[] = {
    "{}", "{ sku = { \"TEE\" } }", "{ category = { $T } }", "{ brand = { $T, $T } }", "{ [\"not\"] = $F }", "{ attribute = { colour = { $T } } }", "{ unit_price = { min = $N, max = $N } }", "{ on_sale = $E }",
    "{ any = { $F, $F } }", "{ tag = { $T } }", "w", "$A", "{ sku = $A }", "{ $f = $E }",
};
static const char *const tables[] = {
    "{}", "{ 1, 2, 3 }", "{ a = 1 }", "{ $E, $E }", "{ $E, a = $E }", "{ [$E] = $E }", "{ a = $A, b = $A }", "v", "w", "string", "cart.attributes", "l.categories", "{ $T, $T, $T }", "{ [$N] = $T }", "{ ... }",
};
static const char *const options[] = { "percent_off = $N", "amount_off = $N", "items = $F", "items = $S", "label = $T", "when = { subtotal = { min = $N }, after = \"line\" }", "per = \"unit\"", "max_units = $N", "max_amount = $N", "choose = \"cheapest\"", "$f = $E", "tiers = { { quantity = $N, percent_off = $N } }", "nth = { items = $S, every = $N }", "of = \"original\"", "$o, $o", "price = $N" };
static const char *const effects[] = { "{ percent_off = 5 }", "{ percent_off = $N, items = $F }", "{ $o, $o }", "{ buy = { { items = $F, quantity = $N } }, get = { { items = $F, percent_off = $N } } }", "{ message = $T }", "{ points = { add = $N, multiply = $N } }", "{ gift = { sku = $T, quantity = $N } }" };
static const char *const numbers[] = {
    "1", "0", "2", "3", "5", "10", "50", "99.99", "100", "-1", "-0", "0.5", "0.0001", "1/3", "1e3", "1e15", "1e16", "1e308", "-1e308", "5e-324", "0/0", "1/0", "-1/0", "2^31", "2^31-1", "-2^31", "2^53", "2^53+1", "2^63", "-2^63", "0x7fffffff", "1000", "1001", "100.00001",
    "cart.subtotal", "#$A", "$E",
};
static const char *const texts[] = {
    "\"x\"", "\"\"", "\"BOOT\"", "\"TEE\"", "\"shoes\"", "\"a\\0b\"", "\"\\255\"", "\"\\u{e9}\"", "\"%s %d\"", "\"%99.99f\"", "\"%5\"", "\"\\\",\\\"x\\\":1\"", "[[\n]]", "\"5\"", "\"0x10\"", "\"line\"", "\"exclusive\"", "\"mon\"", "(\"x\"):rep(3)", "$T .. $T", "tostring($E)",
    "l.sku", "\"a very long text that goes on and on, and on and on, and on and on, and on and on, and on and on, and on and on, and on and on, and on and on, and on and on, and on\"",
};
static const char *const names[] = { "a", "b", "sku", "name", "quantity", "percent_off", "amount", "hour", "weekday", "id", "groups", "orders", "coupons", "store", "channel", "shipping", "items", "huge", "pi", "nothing", "end_", "repeat_" };
static const char *const regexes[] = { "\"a\"", "\"(a*)*b\"", "\"^[A-Z]+$\"", "\"(?i)boot|tee\"", "\"(\"", "\"(a)(b)?(c)*\"", "\"(?=a)\\\\K\"", "\"(?R)\"", "\"\\\\C\"", "\"(?<=a)b\"", "\"(?C)a\"", "\"a{1000}{1000}\"", "\"(?(1)a|b)(c)\"", "\"\\\\p{L}+\"", "\"(*ACCEPT)a\"", "$T" };
static const char *const documents[] = { "\"{}\"", "\"[1,2,{}]\"", "\"[[[[[[[[1]]]]]]]]\"", "\"{\\\"a\\\":null}\"", "\"1e400\"", "\"[1,\"", "\"\\\"\\\\u0000\\\"\"", "\"{\\\"a\\\":1,\\\"a\\\":2}\"", "cart.attributes.json", "$T" };

#define FORM(letter, list)  { letter, list, sizeof(list) / sizeof((list)[0]) }

static const struct {
    char               letter;
    const char *const *list;
    size_t             count;
} forms[] = {
    FORM('C', chunks), FORM('c', classes), FORM('t', types), FORM('D', declarations), FORM('P', fields), FORM('B', blocks), FORM('X', statements),
    FORM('E', expressions), FORM('S', selections), FORM('L', lines), FORM('F', filters), FORM('A', tables), FORM('o', options), FORM('O', effects),
    FORM('N', numbers), FORM('T', texts), FORM('f', names), FORM('R', regexes), FORM('J', documents),
};

typedef struct {
    const uint8_t *data;
    size_t         size;
    char           text[TEXT_MAX + 1];
    size_t         len;
} maker_t;

/* Where the bytes have come to their end, the first. */
static size_t
choose(maker_t *m, size_t count)
{
    size_t n;

    if (m->size == 0) {
        return 0;
    }
    n = *m->data++;
    m->size--;
    return n % count;
}

static void
put(maker_t *m, char c)
{
    if (m->len < TEXT_MAX) {
        m->text[m->len++] = c;
    }
}

static void
expand(maker_t *m, char letter, unsigned depth)
{
    const char *p = "";

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (forms[i].letter == letter) {
            p = forms[i].list[depth >= DEPTH_MAX || m->len > TEXT_MAX / 2 ? 0 : choose(m, forms[i].count)];
        }
    }
    for (; *p; p++) {
        if (*p == '$') {
            expand(m, *++p, depth + 1);
        } else {
            put(m, *p);
        }
    }
}

static void
damage(maker_t *m)
{
    while (m->size >= 4 && m->len > 0) {
        size_t at = (m->data[0] * 256u + m->data[1]) % m->len;

        switch (m->data[2] % 3) {
        case 0:
            m->text[at] = (char) m->data[3];
            break;
        case 1:
            memmove(m->text + at, m->text + at + 1, --m->len - at);
            break;
        default:
            m->text[at] = m->text[m->data[3] % m->len];
            break;
        }
        m->data += 4;
        m->size -= 4;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static maker_t m;

    m = (maker_t) { .data = data, .size = size };
    expand(&m, 'C', 0);
    if (size % 8 == 0) {
        damage(&m);
    }
    if (getenv("POS_FUZZ_SHOW") != NULL) {
        printf("%.*s\n", (int) m.len, m.text);
    }
    pos_fuzz_script(pos_str_of(m.text, m.len));

    return 0;
}
