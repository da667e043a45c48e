#!/usr/bin/perl
# A merchandiser's script that is wrong, or means harm: refused with a line, or skipped,
# and nginx goes on serving within milliseconds.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;
use Time::HiRes qw(time);

my $pos     = PosTest->start;
my @workers = $pos->workers;

subtest 'refused at validation, with the line' => sub {
    my %bad = (
        'a syntax error'      => ["return promotion {\n  id = 'x',\n  class = = 'line'\n}", 'script_syntax', 3, qr/unexpected symbol near '='/],
        'no promotion at all' => ["local x = 1", 'script_error', 1, qr/returns no promotion/],
        'bytecode'            => ["\x1bLJ\x02", 'script_bytecode', 1, qr/bytecode/],
        'an unknown field'    => ["return promotion { id = 'x', class = 'line',\n  priorty = 3 }", 'unknown_field', 2, qr/"priorty"/],
        'an unknown function' => ["return promotion { id = 'x', class = 'line', aply = function() end }", 'script_error', 1, qr/aply/],
        'a global written'    => ["-- a\nx = 1\nreturn promotion { id = 'x', class = 'line' }", 'script_error', 2, qr/local x/],
        'an endless loop at load' => ["\nwhile true do end", 'script_limit', 2, qr/instructions/],
        'one in pcall'            => ["while true do pcall(function() while true do end end) end", 'script_limit', 1, qr/instructions/],
        'one in recursion'        => ["local function f() return f() end\nf()", 'script_limit', 1, qr/instructions/],
        'a memory bomb at load'   => ["local s = 'x'\nwhile true do s = s .. s end", 'script_limit', 2, qr/memory/],
        'memory in pcall'         => ["local t = {}\nwhile true do pcall(function() t[#t + 1] = { 1, 2, 3, 4 } end) end", 'script_limit', 2, qr/memory|instructions/],
    );
    for my $name (sort keys %bad) {
        my ($source, $code, $line, $message) = @{ $bad{$name} };
        my $start = time;
        my $r = validate($source);
        cmp_ok(time - $start, '<', 2, "$name: soon");
        is($r->{status}, 200, "$name is answered") or diag($r->{body});
        ok(exists $r->{json}{valid} && !$r->{json}{valid}, "$name is not valid");
        my ($said) = @{ $r->{json}{diagnostics} || [] };
        is("$said->{severity} $said->{code} " . ($said->{line} // '-'), "error $code " . ($line // '-'), "$name: as what it is, on its line") or diag($r->{body});
        like($said->{message}, $message, "$name: $said->{message}");
        my $put = $pos->request('PUT', '/v1/promotions/refused', body => $source, headers => { 'Content-Type' => 'text/x-lua' });
        PosTest::is_problem($put, 422, 'invalid_promotion', "$name: PUT refuses it");
        my ($fault) = @{ $put->{json}{errors} || [] };
        is("$fault->{code} " . ($fault->{line} // '-') . " $fault->{message}", "$code " . ($line // '-') . " $said->{message}", 'with the same words') or diag($put->{body});
        ok(!exists $fault->{column} || $fault->{column} > 0, 'and a column only where there is one');
    }
    for my $odd ("\x1bLJ\x02\0", "-- x\n\x1bLJ\xff", "-- \xc3") {
        PosTest::is_problem($pos->put_lua('refused', $odd), 422, 'invalid_request', 'bytes that are no text');
    }
    is($pos->get('/v1/promotions/refused')->{status}, 404, 'nothing is stored');
};

# Every way out that is known: each must end in a nil or an error inside the sandbox.
subtest 'no way out' => sub {
    my @escapes = (
        'os.execute("true")', 'os.exit', 'io.open("/etc/passwd")', 'require("ffi")', 'ffi.C', 'jit.on()', 'debug.getinfo(1)', 'package.loaded',
        'load("return 1")', 'loadstring("return 1")', 'dofile("/etc/passwd")', 'loadfile("/etc/passwd")', 'bit.bor(1, 2)', 'coroutine.create(function() end)',
        'getfenv(1)', 'setfenv(1, {})', 'getmetatable("").__index', 'getmetatable({}).x', 'rawset({}, "x", 1)', 'rawget({ 1 }, 1) + 1', 'rawequal(1, 1) and 1 + 1', 'rawlen({}) + 1',
        'setmetatable({}, {})', 'newproxy(true)', 'newproxy()', 'coroutine.wrap(function() end)', 'collectgarbage("stop")', 'collectgarbage("count")', 'gcinfo()', 'string.dump(function() end)',
        'xpcall(type, type, 1)', '("x"):rep(2)', 'string.rep("x", 2)', 'string.format("%99999d", 1)', 'string.format("%p", {})', 'string.format("%q", "x")',
        'string.gsub("a", "a", "b")', 'string.gmatch("a", "a")', 'string.match("a", "a")', '("a"):find("(a*)*b")',
        'math.random()', 'math.randomseed(1)', 'os.time()', 'os.clock()', 'print("x")', 'module("x")', 'unpack({ 1 })', 'table.unpack({ 1 })', 'table.concat({}, "x", 1, 1e9)',
        'getmetatable("").__index.upper = nil', '("").x = 1', 'string.upper = nil', 'math.floor = nil', 'table.insert = nil', 'pairs = nil', 'cart.subtotal = 0', 'cart.customer.id = "x"', 're.match = nil', 'json.decode = nil',
        'cart:items():amount_off(0/0, "x")', 'cart:items():amount_off(1/0, "x")', 'cart:items():amount_off(0.5, "x")', 'for k in pairs({ [{}] = 1 }) do end',
    );
    # Each is tried by a script that tells whether it came through: which this one does, so that is heard.
    is_deeply(told('local x = ("a"):upper() .. #cart.currency'), ['ESCAPED'], 'what may be done is told');
    is_deeply(told('cart:message(tostring({}) .. tostring(print) .. tostring(pairs) .. tostring(cart))'), ['tablenilfunctioncart', 'ESCAPED'], 'nothing has an address');
    is_deeply(told('local s = "" for k in pairs({ b = 1, a = 2, [2] = 3, [1] = 4 }) do s = s .. k end cart:message(s)'), ['12ab', 'ESCAPED'], 'pairs goes in one order');
    for my $escape (@escapes) {
        my $call = $escape =~ /\s=\s(?!1 })|^for / ? $escape : $escape =~ /:amount_off/ ? $escape : "local x = $escape";
        is_deeply(told($call), [], "$escape: did not get out");
    }
};

# Nothing that a script leaves anywhere is there for the next, its own or another's.
subtest 'nothing is handed on' => sub {
    my $source = "local seen = {}\nreturn promotion { id = 'esc', class = 'line', apply = function(cart)\n"
        . "  local ok = pcall(function() seen.x = 1 end)\n  cart:message(tostring(ok) .. tostring(seen.x))\nend }";
    publish_source('esc', $source) or return;
    my @said = map { messages($pos->quote({ lines => PosTest::lines('MUG-RED', 1) })) } 1 .. 4;
    is("@said", join(' ', ('falsenil') x 4), 'what is shared cannot be written to');
};

# Scripts that pass validation's carts and run away on a real one: skipped, others go on.
subtest 'run away while quoting' => sub {
    my %loops = (
        'a plain loop'     => 'while true do end',
        'a loop in pcall'  => 'while true do pcall(function() while true do end end) end',
        'recursion'        => 'local function f() return f() + 1 end f()',
        'a tail call'      => 'local function f() return f() end f()',
        'recursion in pcall' => 'local function f() pcall(f) pcall(f) end f()',
        'memory'           => 'local t = {} for i = 1, 1e8 do t[i] = {i} end',
        'one long string'  => 'local s = "x" for i = 1, 60 do s = s .. s end',
        'many proposals'   => 'for i = 1, 1e6 do cart:message("x") end',
        'sort without order' => 'local t = {} for i = 1, 2000 do t[i] = i end table.sort(t, function(a, b) return true end) while true do end',
        'an error'         => 'error("boom")',
        'an error that is a table' => 'error({})',
    );
    for my $name (sort keys %loops) {
        my $source = "return promotion { id = 'loop', class = 'line', apply = function(cart)\n"
            . "  if cart.subtotal == 4200 + 50 then\n    $loops{$name}\n  end\nend }";
        my $r = $pos->request('PUT', '/v1/promotions/loop', body => $source, headers => { 'Content-Type' => 'text/x-lua', if_match('loop') });
        ok($r->{status} =~ /^20/, "$name: stored") or diag($r->{body});
        ok(publish('loop'), "$name: published") or next;
        my $start = time;
        my $q = $pos->quote({ lines => PosTest::lines('MUG-RED', 5), explain => Cpanel::JSON::XS::true });
        cmp_ok(time - $start, '<', 1, "$name: stopped soon");
        is($q->{status}, 200, "$name: the quote goes on") or diag($q->{body});
        cmp_ok($q->{json}{discount} // 0, '>', 0, "$name: other promotions still apply");
        my ($told) = grep { $_->{id} eq 'loop' } @{ $q->{json}{explain} || [] };
        is($told->{reason}, 'script_error', "$name: explain says so") or diag(PosTest::json($told));
    }
};

is_deeply([$pos->workers], \@workers, 'no worker died of any');
done_testing;

sub validate {
    my ($source) = @_;
    return $pos->request('POST', '/v1/promotions/validate', body => $source, headers => { 'Content-Type' => 'text/x-lua' }, timeout => 10);
}

# What a cart is told by a script that does this, and says so if it came through.
sub told {
    my ($call) = @_;
    my $source = "return promotion { id = 'esc', class = 'line', apply = function(cart)\n"
        . "  local ok = pcall(function() $call; return true end)\n"
        . "  if ok then cart:message('ESCAPED') end\nend }";
    publish_source('esc', $source) or return ['not published'];
    my $q = $pos->quote({ lines => PosTest::lines('MUG-RED', 1), explain => Cpanel::JSON::XS::true });
    return ["status $q->{status}"] if $q->{status} != 200;
    my ($of) = grep { $_->{id} eq 'esc' } @{ $q->{json}{explain} };
    return ["failed: $of->{detail}"] if ($of->{reason} // '') eq 'script_error';
    return [messages($q)];
}

sub messages { my ($q) = @_; return map { $_->{text} } grep { $_->{promotion} eq 'esc' } @{ $q->{json}{messages} } }

sub publish_source {
    my ($id, $source) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $pos->put_lua($id, $source, headers => { if_match($id) });
    like($r->{status}, qr/^20[01]$/, "$id is stored") or diag("$source\n$r->{body}") if $r->{status} !~ /^20[01]$/;
    return publish($id) || !ok(0, "$id is published");
}

sub if_match {
    my ($id) = @_;
    my $etag = $pos->get("/v1/promotions/$id")->{headers}{etag};
    return $etag ? ('If-Match' => $etag) : ();
}

# Published and quoted by: the revision of the answer has reached the workers.
sub publish {
    my ($id) = @_;
    my $r = $pos->publish($id, {}, headers => { if_match($id) });
    if ($r->{status} != 200) { fail("publish $id") or diag($r->{body}); return 0 }
    my ($rev) = ($r->{headers}{'pos-revision'} // '') =~ /^(\d+)/;
    return $pos->wait_for("revision $rev", 5, sub { $pos->at_revision($rev) });
}
