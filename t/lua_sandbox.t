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
        'a syntax error'      => ["return promotion {\n  id = 'x',\n  class = = 'line'\n}", 3],
        'no promotion at all' => ["local x = 1", undef],
        'bytecode'            => ["\x1bLJ\x02\x00", undef],
        'an unknown field'    => ["return promotion { id = 'x', class = 'line', aply = function() end }", undef],
        'a global written'    => ["-- a\nx = 1\nreturn promotion { id = 'x', class = 'line' }", 2],
        'an endless loop at load' => ["while true do end", undef],
        'a memory bomb at load'   => ["local t = {}\nfor i = 1, 1e9 do t[i] = 'x' .. i end\nreturn t", undef],
    );
    for my $name (sort keys %bad) {
        my ($source, $line) = @{ $bad{$name} };
        my $start = time;
        my $r = validate($source);
        my $said = diagnostics($r);
        ok(@$said, "$name is reported") or diag("$r->{status} $r->{body}");
        is($said->[0]{line}, $line, "$name: on its line") if defined $line;
        cmp_ok(time - $start, '<', 2, "$name: soon");
    }
};

# Every way out that is known: each must end in a nil or an error inside the sandbox.
subtest 'no way out' => sub {
    my @escapes = (
        'os.execute("true")', 'io.open("/etc/passwd")', 'require("ffi")', 'ffi.C', 'jit.on()', 'debug.getinfo(1)', 'package.loaded.os.exit()',
        'load("return 1")()', 'loadstring("return 1")()', 'dofile("/etc/passwd")', 'loadfile("/etc/passwd")()',
        'getfenv(1).os.exit()', 'setfenv(1, {})', 'getmetatable("").__index.rep("x", 1e9)', 'rawset(_G, "x", 1)', 'rawget(_G, "os").exit()',
        'setmetatable(_G, {})', 'newproxy(true)', 'coroutine.create(function() end)', 'collectgarbage("stop")', 'string.dump(function() end)',
        'xpcall(error, print)', '("x"):rep(1e9)', 'string.rep("x", 1e9)', 'string.format("%99999d", 1)', 'string.gsub("a", "a", "b")', 'string.find(("a"):rep(50), "(a*)*b")',
        'math.random()', 'os.time()', 'os.clock()', 'print("x")', 'module("x")', 'unpack({}, 1, 1e8)', 'table.concat({}, "x", 1, 1e9)',
        'getmetatable("").__index.upper = nil', 'string.upper = nil', 'math.floor = nil', 'table.insert = nil', 'cart.subtotal = 0', 'cart.customer.id = "x"', 're.match = nil',
    );
    for my $escape (@escapes) {
        my $call = $escape =~ /=(?!=)/ ? $escape : "local x = $escape";
        my $source = "return promotion { id = 'esc', class = 'line', apply = function(cart)\n"
            . "  local ok = pcall(function() $call; return true end)\n"
            . "  if ok then cart:message('ESCAPED') end\nend }";
        my $r = $pos->request('PUT', '/v1/promotions/esc', body => $source, headers => { 'Content-Type' => 'text/x-lua', if_match('esc') });
        if ($r->{status} !~ /^20/) { ok($r->{status} =~ /^4/, "$escape: refused"); next }
        publish('esc') or next;
        my $q = $pos->quote({ lines => PosTest::lines('MUG-RED', 1) });
        is($q->{status}, 200, "$escape: quotes go on");
        my @told = map { ref $_ ? values %$_ : $_ } @{ $q->{json}{messages} || [] };
        ok(!(grep { /ESCAPED/ } @told), "$escape: did not get out");
    }
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
        publish('loop') or next;
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

sub diagnostics {
    my ($r) = @_;
    my $j = $r->{json} || {};
    return $j->{diagnostics} || $j->{errors} || [];
}

sub if_match {
    my ($id) = @_;
    my $etag = $pos->get("/v1/promotions/$id")->{headers}{etag};
    return $etag ? ('If-Match' => $etag) : ();
}

# Published and quoted by: the revision of the answer has reached the workers.
sub publish {
    my ($id) = @_;
    my $r = $pos->post("/v1/promotions/$id/publish", {}, headers => { if_match($id) });
    if ($r->{status} != 200) { fail("publish $id") or diag($r->{body}); return 0 }
    my ($rev) = ($r->{headers}{'pos-revision'} // '') =~ /^(\d+)/;
    return $pos->wait_for("revision $rev", 5, sub { $pos->at_revision($rev) });
}
