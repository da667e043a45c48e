#!/usr/bin/perl
# What would fail at a till is told to the author: validate prices a promotion over carts
# made from the shop's own book and over the script's cases, and stores nothing.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;
use Time::HiRes qw(time);

my $pos     = PosTest->start;
my @workers = $pos->workers;

subtest 'the shipped scripts and the shop\'s own promotions pass' => sub {
    for my $file (sort glob "$PosTest::ROOT/scripts/promotions/*.lua") {
        my ($name) = $file =~ m{([^/]+)$};
        my $r = validate(PosTest::slurp($file));
        is($r->{status}, 200, "$name is answered");
        # What is for goods that this shop lacks applies to no cart of it.
        my $others = grep { $_->{code} =~ /^unknown_/ } @{ $r->{json}{diagnostics} };
        my @found = grep { "$_->{severity} $_->{code}" !~ /^warning unknown_(?:sku|category|store)$/ && !($others && $_->{code} eq 'never_applied') }
            @{ $r->{json}{diagnostics} };
        is_deeply(\@found, [], "$name: nothing is found, but what another shop sells") or diag(PosTest::json(\@found));
        ok($r->{json}{valid}, "$name is valid");
        my $tried = $r->{json}{rehearsal};
        cmp_ok($tried->{cases}, '>=', 2, "$name: its cases were run");
        cmp_ok($tried->{carts}, '>=', 40, "$name: over $tried->{carts} carts, of which $tried->{refused} were refused");
    }
    my $list = $pos->get('/v1/promotions?limit=100')->{json}{data} || [];
    cmp_ok(scalar @$list, '>=', 15, 'the shop has promotions');
    for my $p (@$list) {
        my $full = $pos->get("/v1/promotions/$p->{id}")->{json};
        my $r = $full->{script} ? validate($full->{script}) : $pos->post('/v1/promotions/validate', $full->{document});
        my @errors = grep { $_->{severity} eq 'error' } @{ $r->{json}{diagnostics} || [{ severity => 'error' }] };
        is_deeply(\@errors, [], "$p->{id}: no error") or diag("$r->{status} $r->{body}");
    }
};

subtest 'found, with line and cart' => sub {
    my %bad = (
        'an unknown customer'  => ['local id = cart.customer.id', 'script_error', qr/customer/],
        'nowhere to ship to'   => ["local s = 'to ' .. cart.ship_to.country", 'script_error', qr/ship_to/],
        'an endless loop'      => ['while true do end', 'script_limit', qr/instructions/],
        'recursion in pcall'   => ['local function f() pcall(f) pcall(f) end f()', 'script_limit', qr/instructions|memory/],
        'a memory bomb'        => ['local t = {} for i = 1, 1e8 do t[i] = {i} end', 'script_limit', qr/memory/],
        'a million proposals'  => ['for i = 1, 1e6 do cart:message("x") end', 'script_limit', qr/proposals/],
        'only for a lot of tea' => ["for l in cart:items{ sku = { 'TEA' } }:each() do if l.quantity > 20 then error('much tea') end end", 'script_error', qr/much tea/],
        'only abroad'          => ["if cart.currency ~= 'GBP' then error('abroad') end", 'script_error', qr/abroad/],
        'an impossible price'  => ['cart:items():unit_price(-5, "x")', 'script_error', qr/unit_price/],
    );
    for my $name (sort keys %bad) {
        my ($body, $code, $message) = @{ $bad{$name} };
        my $r = validate("return promotion { id = 'bad', class = 'line', apply = function(cart)\n\n$body\nend }");
        is($r->{status}, 200, "$name: answered");
        ok(!$r->{json}{valid}, "$name: not valid");
        my ($d) = @{ $r->{json}{diagnostics} || [] };
        is($d->{code}, $code, "$name: $code") or diag($r->{body});
        is($d->{line}, 3, "$name: its line");
        like($d->{message}, $message, "$name: $d->{message}");
        is($d->{promotion}, 'bad', "$name: of this promotion");
        my $q = $pos->post('/v1/quotes', $d->{cart});
        is($q->{status}, 200, "$name: its cart can be priced by all of the shop") or diag($q->{body});
    }
};

# The cart of a diagnostic shows the same fault in a quote, once the script is live.
subtest 'the same at the till' => sub {
    my $source = "return promotion { id = 'shown', class = 'line', apply = function(cart)\n"
        . "  if cart:items():quantity() > 30 then error('thirty') end\nend }";
    my $r = validate($source);
    my ($d) = @{ $r->{json}{diagnostics} };
    like($d->{message}, qr/thirty/, 'found');
    is($pos->get('/v1/promotions/shown')->{status}, 404, 'nothing was stored');
    is($pos->put_lua('shown', $source)->{status}, 201, 'it may be put all the same');
    my $etag = $pos->get('/v1/promotions/shown')->{headers}{etag};
    my $live = $pos->publish('shown', {}, headers => { 'If-Match' => $etag });
    is($live->{status}, 200, 'and published') or diag($live->{body});
    my ($rev) = $live->{headers}{'pos-revision'} =~ /^(\d+)/;
    $pos->wait_for("revision $rev", 5, sub { $pos->at_revision($rev) });
    my $q = $pos->post('/v1/quotes', $d->{cart});
    my ($told) = grep { $_->{id} eq 'shown' } @{ $q->{json}{explain} || [] };
    is($told->{reason}, 'script_error', 'the quote of that cart fails likewise') or diag($q->{body});
    is($told->{detail}, "line 2: $d->{message}", 'with the same words');
};

subtest 'cases' => sub {
    my $head = "return promotion { id = 'c', class = 'line', apply = function(cart)\n cart:items():percent_off(10, 'x') end,\n cases = {";
    my $cart = "cart = { lines = { { sku = 'TV', price = 1000, quantity = 2 } } }";
    my $good = validate("$head { $cart, expect = { discount = 200, total = 1800 } } } }")->{json};
    ok($good->{valid}, 'a case that holds') or diag(PosTest::json($good));
    my $bad = validate("$head { $cart, expect = { discount = 200 } }, { name = 'two', $cart, expect = { discount = 100 } } } }")->{json};
    ok(!$bad->{valid}, 'one that does not');
    my ($d) = @{ $bad->{diagnostics} };
    is($d->{code}, 'case_failed', 'is called that');
    is($d->{case}, 2, 'has its number');
    is($d->{pointer}, '/cases/1/expect/discount', 'its place');
    is($d->{message}, 'case 2 (two): discount is 200 instead of 100', 'and both figures');
    my $json = $pos->post('/v1/promotions/validate', { id => 'c', priority => 3, script => "$head { $cart, expect = { discount = 1 } } } }" })->{json};
    is($json->{diagnostics}[0]{case}, 1, 'cases of a script within a document are run too') or diag(PosTest::json($json));
};

subtest 'several in a file' => sub {
    my $r = validate("return { promotion { id = 'a', class = 'line', apply = function(cart) end },\n"
        . "promotion { id = 'b', class = 'line', apply = function(cart)\nerror('b') end } }");
    is(scalar @{ $r->{json}{documents} }, 2, 'two documents');
    is_deeply([map { "$_->{promotion} $_->{line} $_->{code}" } @{ $r->{json}{diagnostics} }], ['b 3 script_error'], 'the one at fault is named');
};

# As a merchandiser slips: each is told where, and what was meant where that is plain.
subtest 'slips' => sub {
    my @slips = (
        ['a misspelt field',      { prioritty => 3 }, '/prioritty', 'there is no field "prioritty" here; is "priority" meant?'],
        ['a misspelt effect',     { then => [{ percentoff => 10 }] }, '/then/0/percentoff', 'there is no field "percentoff" here; is "percent_off" meant?'],
        ['a percent in quotes',   { then => [{ percent_off => '10' }] }, '/then/0/percent_off', 'must be a number, without quotes'],
        ['an amount in quotes',   { then => [{ amount_off => '10' }] }, '/then/0/amount_off', 'must be a whole number, without quotes'],
        ['two reductions',        { then => [{ percent_off => 10, amount_off => 5 }] }, '/then/0', 'has more than one reduction; give only one of percent_off, amount_off and unit_price'],
        ['a misspelt condition',  { when => { stor => ['london'] } }, '/when/stor', 'there is no field "stor" here; is "store" meant?'],
        ['dates reversed',        { active => { from => '2026-12-01T00:00:00Z', until => '2026-11-01T00:00:00Z' } }, '/active/until', 'must be after from'],
        ['a class there is not',  { class => 'basket' }, '/class', 'must be one of line, order, shipping'],
        ['a filter in its place', { then => [{ percent_off => 10, items => 'TEA' }] }, '/then/0/items', 'must be an object'],
        ['no effects',            { then => undef }, '/then', 'is required'],
    );
    for my $slip (@slips) {
        my ($name, $with, $pointer, $message) = @$slip;
        my $r = $pos->post('/v1/promotions/validate', { id => 't', class => 'line', then => [{ percent_off => 10 }], %$with });
        my ($d) = @{ $r->{json}{diagnostics} };
        is("$d->{pointer} $d->{message}", "$pointer $message", $name) or diag($r->{body});
    }
    my $comma = validate("return promotion {\n  id = 'a'\n  class = 'line',\n}")->{json}{diagnostics}[0];
    is("$comma->{line}:$comma->{column} $comma->{code}", '3:3 script_syntax', 'a missing comma is found where it is missed');
    # Lua's own words as names: what to write instead.
    my @words = (
        ["{ id = 'a', class = 'line',\n  then = { { percent_off = 10 } } }", '2:3', 'then is a word of Lua\'s own and cannot be a name: write ["then"] = ..., or effects = ...'],
        ["{ id = 'a', class = 'line', settings = {\n\n end = { type = 'text' } } }", '3:2', 'end is a word of Lua\'s own and cannot be a name: write ["end"] = ...'],
        ["{ id = 'a', class = 'line',\nnot = 1 }", '2:1', 'not is a word of Lua\'s own and cannot be a name: write ["not"] = ...'],
        ["{ id = 'a', class = 'line', apply = function(cart)\nlocal t = cart.settings\nlocal u = t.end\nend }", '3:13', 'end is a word of Lua\'s own and cannot be a name: write ["end"] without the dot'],
    );
    for my $word (@words) {
        my ($source, $place, $message) = @$word;
        my $d = validate("return promotion $source")->{json}{diagnostics}[0];
        is("$d->{line}:$d->{column} $d->{code} $d->{message}", "$place script_syntax $message", $message);
    }
    my $other = validate("return promotion { id = 'a',\nif x == 1 then return 2 end }")->{json}{diagnostics}[0];
    unlike($other->{message}, qr/cannot be a name/, 'which a stray statement is not told');
    my $name = validate("return promotion { id = 'a', class = 'line',\napply = function(cart)\nlocal x = cart.custmer\nend }")->{json}{diagnostics}[0];
    is("$name->{line} $name->{message}", "3 a cart has no 'custmer'; is 'customer' meant?", 'a misspelt name in a script has its line, and what was meant');
};

# Each slip in a file: line and column, code, and a sentence that says what would be right.
subtest 'slips in a script' => sub {
    my $head = "return promotion {\n  id = 'a', class = 'line',\n  apply = function(cart)\n";
    my @loading = (
        ['no return',            "-- a\nlocal x = 1\n", '2:1 script_error', 'the file returns no promotion: end it with `return promotion { ... }`'],
        ['no closing brace',     "return promotion {\n  id = 'a',\n", '3:1 script_syntax', "unexpected symbol near '<eof>'"],
        ['one word too many',    "return promotion {\n  id = 'a' 5,\n}", '2:12 script_syntax', "'}' expected (to close '{' at line 1) near '5'"],
        ['an unknown field',     "return promotion {\n  id = 'a', class = 'line', effects = { { percent_off = 10 } },\n  prioritty = 3 }", '3:3 unknown_field', 'there is no field "prioritty" here; is "priority" meant?'],
        ['an unknown filter',    "return promotion {\n  id = 'a', class = 'line', effects = { { percent_off = 10, items = {\n  categry = { 'x' } } } } }", '3:3 unknown_field', 'there is no field "categry" here; is "category" meant?'],
        ['a function misspelt',  "local x = 1\nlocal y = tostrng(x)\n", '2:11 script_error', "attempt to call global 'tostrng' (a nil value); is 'tostring' meant?"],
        ['apply misspelt',       "return promotion {\n  id = 'a', class = 'line',\n  aply = function(cart) end }", '3:3 script_error', 'aply: a function can only be `apply` or `eligible`'],
        ['a global',             "total = 5\nreturn promotion { id = 'a', class = 'line' }", '1:1 script_error', 'a promotion has no globals of its own: write `local total`'],
        ['no number',            "return promotion { id = 'a', class = 'line',\n  effects = { { percent_off = 0 / 0 } } }", '2:17 script_error', 'effects[1].percent_off: not a number with at most 4 decimals'],
        ['a setting of no type', "return promotion { id = 'a', class = 'line', settings = {\n  off = { type = 'percnt', default = 1 } } }", '2:3 script_error',
            "setting 'off': its type is none of percent, amount, integer, quantity, number, boolean, text, list, choice, filter"],
    );
    for my $slip (@loading) {
        my ($name, $source, $place, $message) = @$slip;
        my $d = validate($source)->{json}{diagnostics}[0] || {};
        is(join(':', map { $_ // '-' } @$d{qw(line column)}) . " $d->{code} $d->{message}", "$place $message", $name);
    }
    my @calling = (
        ["cart:itms()", "a cart has no 'itms'; is 'items' meant?"],
        ["cart:items():percent_of(5)", "a selection has no 'percent_of'; is 'percent_off' meant?"],
        ["for l in cart:items():each() do local q = l.quantty end", "a line has no 'quantty'; is 'quantity' meant?"],
        ["local h = cart.at.huor", "a time has no 'huor'"],
        ["local h = cart.at.weekdy", "a time has no 'weekdy'; is 'weekday' meant?"],
        ["cart:items { categry = { 'x' } }", 'filter: /categry there is no field "categry" here; is "category" meant?'],
        ["cart:items('TEA')", 'a filter is a table, such as { category = { "shoes" } }'],
        ["cart.items()", 'call it with a colon: cart:items { ... }'],
        ["cart:items():percent_off('ten')", "bad argument #1 to 'percent_off' (number expected, got string)"],
        ["cart:items():percent_off(110)", "bad argument #1 to 'percent_off' (a percentage is 0 to 100 with at most 4 decimals)"],
        ["cart:items():amount_off(4.99)", "bad argument #1 to 'amount_off' (an amount is a whole number of minor units)"],
        ["cart:percent_off(5)", 'cart:percent_off needs a promotion of class "order"'],
        ["cart:items():percent_off(5, 'x', { whn = 1 })", 'percent_off: /whn there is no field "whn" here; is "when" meant?'],
        ["cart:deal { by = 1 }", 'deal: /by there is no field "by" here; is "buy" meant?'],
        ["local s = strin.format('%d', 1)", "attempt to index global 'strin' (a nil value); is 'string' meant?"],
        ["local s = string.formt('%d', 1)", "attempt to call field 'formt' (a nil value); is 'format' meant?"],
    );
    for my $slip (@calling) {
        my ($body, $message) = @$slip;
        my $d = validate("$head    $body\n  end }")->{json}{diagnostics}[0] || {};
        is(($d->{line} // '-') . " $d->{code} $d->{message}", "4 script_error $message", $body);
    }
};

# A fault of a Lua file's table has the line of the field it names.
subtest 'lines of fields' => sub {
    my $lua = <<'LUA';
-- prioritty = 1, in words
local function helper() local prioritty = 2 return { x = 1 } end
local SHOES = { categori = { "shoes" } }
return promotion {
  id = "a",
  class = "line",
  apply = function(cart) local a, b = 1, { 2, prioritty = 3 } if a then prioritty = b end end,
  prioritty = 3,
  effects = {
    { percent_off = 10 }, -- , {
    { percent_off = 10, items = SHOES }, { percent_off = "ten" },
    {
      ["amountoff"] = 3,
    },
  },
  when = { subtotal = { minn = 3 }, any = { { until_ = 1 } } },
}
LUA
    my %where = map { $_->{pointer} => join ':', map { $_ // '-' } @$_{qw(line column)} } @{ validate($lua)->{json}{diagnostics} };
    my %want = ('/prioritty' => '8:3', '/then/1/items/categori' => '3:17', '/then/2/percent_off' => '11:44', '/then/3/amountoff' => '13:7', '/when/subtotal/minn' => '16:25');
    is($where{$_}, $want{$_}, "$_ is at $want{$_}") for sort keys %want;
    my $two = validate("return {\n promotion { id = 'a', class = 'line', effects = { { percent_off = 1 } },\n  prio = 1 },\n promotion { id = 'b',\n  class = 'line', prio = 2, effects = { { percent_off = 1 } } } }")->{json}{diagnostics};
    is_deeply([map { "$_->{pointer} $_->{line}" } @$two], ['/0/prio 3', '/1/prio 5'], 'each of two in a file has its own');
    my $json = $pos->post('/v1/promotions/validate', { id => 'a', priority => 'x', script => "return promotion { id = 'a', class = 'line',\npriority = 2, prio = 3, apply = function() end }" })->{json}{diagnostics};
    is_deeply([map { "$_->{pointer} " . ($_->{line} // '-') } @$json], ['/prio 2', '/priority -'], 'what a document lays over a script is not in the script');
    my $put = $pos->put_lua('a', $lua);
    is({ map { $_->{pointer} => $_->{line} } @{ $put->{json}{errors} } }->{'/prioritty'}, 8, 'PUT says so too') or diag($put->{body});
    my $cases = $pos->post('/v1/promotions/validate', { id => 'a', class => 'line', then => [{ percent_off => 10 }], cases => [] })->{json}{diagnostics};
    is_deeply([map { "$_->{pointer} $_->{code} $_->{message}" } @$cases], ['/cases unknown_field cases belong into the Lua file of a script; a JSON document has none'], 'cases in a document');
};

# Not there yet, or a slip: said, and no more than that, since books come in any order.
subtest 'names that the book does not have' => sub {
    my $told = sub { [map { "$_->{severity} $_->{pointer} $_->{code} " . ($_->{line} // '-') } @{ $_[0]->{json}{diagnostics} }] };
    my $document = {
        id => 'names', class => 'line', when => { all => [{ store => ['london', 'atlantis'] }, { items => { category => ['hats-and-caps'] }, quantity => { min => 1 } }] },
        then => [{ percent_off => 10, items => { sku => ['TEA', 'TEAA'], attribute => { sku => ['any'] }, not => { sku => ['MUG-BLUEISH'] } } }],
    };
    my $r = $pos->post('/v1/promotions/validate', $document);
    is_deeply($told->($r), ['warning /then/0/items/not/sku/0 unknown_sku -', 'warning /then/0/items/sku/1 unknown_sku -',
        'warning /when/all/0/store/1 unknown_store -', 'warning /when/all/1/items/category/0 unknown_category -',
        'warning  never_applied -'], 'are warnings, each at its place, and that no cart gets anything of it') or diag($r->{body});
    is($r->{json}{diagnostics}[2]{message}, 'there is no store "atlantis" in the book now', 'in words');
    ok($r->{json}{valid}, 'it is valid all the same');
    my $put = $pos->put('/v1/promotions/names', $document);
    is($put->{status}, 201, 'and may be put') or diag($put->{body});
    $r = validate("return promotion { id = 'names', class = 'line',\n effects = {\n  { percent_off = 10, items = { sku = { 'TEA',\n   'TEAA' } } } } }");
    is_deeply($told->($r), ['warning /then/0/items/sku/1 unknown_sku 4'], 'in a script with the line') or diag($r->{body});
    $r = validate("return { promotion { id = 'a', class = 'line', when = { store = 'atlantis' }, effects = { { percent_off = 1 } } },\n promotion { id = 'b', class = 'line', effects = { { percent_off = 1, items = { sku = { 'TEA' } } } } } }");
    is_deeply($told->($r), ['warning /0/when/store unknown_store 1', 'warning  never_applied -'], 'of several the one that is meant') or diag($r->{body});
    is_deeply($told->($pos->post('/v1/promotions/validate', { %$document, class => 'basket' })), ['error /class enum -'], 'first what is wrong');
    $r = $pos->post('/v1/promotions/validate', { id => 'g', class => 'line', then => [{ gift => { sku => 'TEAPOTT' } }] });
    is($told->($r)->[0], 'warning /then/0/gift/sku unknown_sku -', 'gifts too') or diag($r->{body});
    $r = $pos->post('/v1/promotions/validate', { id => 'g', class => 'line', then => [{ gift => { sku => 'TEA', quantity => 1.5 } }] });
    is($told->($r)->[0], 'warning /then/0/gift/quantity quantity -', 'and a gift of a part of what is sold each') or diag($r->{body});
};

# Putting a file checks what validating it checks: the faults of all its promotions at once.
subtest 'a file of several is put' => sub {
    my $file = "return {\n  promotion { id = 'fine', class = 'line', ['then'] = { { percent_off = 10 } } },\n"
        . "  promotion { id = 'half', class = 'line', ['then'] = { { percent_off = 'ten' } } },\n"
        . "  promotion { id = 'odd', class = 'basket', prio = 3, apply = function(cart) end },\n}\n";
    my @faults = ('/1/then/0/percent_off', '/2/class', '/2/prio');
    my $events = $pos->sql('select count(*) from pos.event');
    my $put = $pos->put_lua('fine', $file);
    PosTest::is_problem($put, 422, 'invalid_promotion', 'refused');
    is_deeply([sort map { $_->{pointer} } @{ $put->{json}{errors} }], \@faults, 'every fault of every promotion is named') or diag($put->{body});
    my $r = validate($file);
    is_deeply([sort map { $_->{pointer} } @{ $r->{json}{diagnostics} }], \@faults, 'as validate names them');
    is_deeply({ map { $_->{pointer} => $_->{message} } @{ $put->{json}{errors} } },
        { map { $_->{pointer} => $_->{message} } @{ $r->{json}{diagnostics} } }, 'in the same words');
    is($pos->get("/v1/promotions/$_")->{status}, 404, "$_ is not stored") for qw(fine half odd);
    is($pos->sql('select count(*) from pos.event'), $events, 'nothing happened');
    my $sound = $pos->put_lua('fine', "return {\n  promotion { id = 'fine', class = 'line', ['then'] = { { percent_off = 10 } } },\n"
        . "  promotion { id = 'half', class = 'line', ['then'] = { { percent_off = 5 } } } }");
    is($sound->{status}, 422, 'a sound file of several is refused too');
    is($sound->{json}{errors}[0]{code}, 'one_promotion', 'since one is put at a time') or diag($sound->{body});
    is($pos->get("/v1/promotions/$_")->{status}, 404, "$_ is not stored") for qw(fine half);
};

# A rehearsal that uses its limits up is done in slices: quotes go on meanwhile.
subtest 'others are served meanwhile' => sub {
    my $slow = "return promotion { id = 'slow', class = 'line', apply = function(cart)\nlocal n = 0 for i = 1, 18000 do n = n + i % 7 end end, cases = {"
        . "{ cart = { lines = { { sku = 'A', price = 1 } } } }," x 200 . "} }";
    my $r = validate($slow);
    ok($r->{json}{valid}, 'a slow one passes') or diag($r->{body});
    is($r->{json}{rehearsal}{cases}, 200, 'with all its cases');
    my $load = $pos->load(clients => 2, cart => { lines => PosTest::lines('TEA', 3) });
    my $end = time + 2;
    my $count = 0;
    while (time < $end) { $count++ if validate($slow)->{status} == 200 }
    my $records = $load->stop;
    cmp_ok($count, '>', 1, "$count rehearsals");
    is(scalar(grep { $_->[2] != 200 } @$records), 0, 'no quote failed');
    cmp_ok(scalar @$records, '>', 20 * $count, 'and many were given between: ' . @$records);
};

# Its keys were copied once an alternative: twenty thousand took 1.6 GB and half a minute.
subtest 'twenty thousand alternatives' => sub {
    my $wide = { id => 'wide', class => 'line', then => [{ percent_off => 10, items => {} }], when => { any => [map { { channel => ["c$_"] } } 1 .. 20_000] } };
    my $r = $pos->post('/v1/promotions/validate', $wide, timeout => 120);
    ok($r->{json}{valid}, 'are answered') or diag(substr $r->{body}, 0, 300);
    my ($peak) = sort { $b <=> $a } map { PosTest::slurp("/proc/$_/status") =~ /^VmHWM:\s+(\d+)/m ? $1 : die 'no VmHWM' } $pos->workers;
    SKIP: {
        skip 'the sanitizer keeps what was freed', 1 if $ENV{POS_NGINX};
        cmp_ok($peak, '<', 600_000, "in $peak KB");
    }
};

is_deeply([$pos->workers], \@workers, 'no worker died of any');
done_testing;

sub validate {
    my ($source) = @_;
    return $pos->request('POST', '/v1/promotions/validate', body => $source, headers => { 'Content-Type' => 'text/x-lua' }, timeout => 20);
}
