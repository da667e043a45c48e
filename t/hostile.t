#!/usr/bin/perl
# Scripts that mean harm, in t/hostile: each says in its first lines what it tries and what
# is to come of it. Here the programs and a running nginx take them, all of them in one shop
# at last; engine/t/hostile.c looks at what each costs and whether others feel it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp qw(tempdir);
use PosTest;
use Test::More;

my $true = Cpanel::JSON::XS::true();
my @files = map { read_one($_) } sort glob "$PosTest::ROOT/t/hostile/*/*.lua";
my @loaded = grep { $_->{kind} ne 'refused' } @files;
my $dir = tempdir(CLEANUP => 1);

cmp_ok(scalar @files, '>=', 150, scalar(@files) . ' scripts');
is_deeply([grep { !defined $_->{kind} } @files], [], 'each says what is expected of it');

# As an author runs it: refused with file, line, code and a sentence.
subtest 'posscript' => sub {
    my $said = qx{'$PosTest::BUILD/posscript' @{[ map { $_->{path} } @files ]} 2>&1 >$dir/documents};
    is($? >> 8, 1, 'some of them are refused');
    my %said;
    push @{ $said{$1} }, "$3 at $2" while $said =~ /^(\S+\.lua):(\d+):\d+: (\w+): .+$/mg;
    for my $f (@files) {
        my @why = @{ $said{ $f->{path} } || [] };
        if ($f->{kind} ne 'refused') { is("@why", '', "$f->{name} loads") }
        elsif (@why) { ok(!$f->{what} || $why[0] =~ /^$f->{what} at [1-9]/ || $f->{what} =~ /^script_(?:too_large|syntax)$/ && $why[0] =~ /^$f->{what} /, "$f->{name}: $f->{what}") or diag("@why") }
    }
};

# In two processes, whose addresses and hashes begin with chance: the same bytes.
subtest 'poscalc, twice' => sub {
    my $shop = PosTest::parse(PosTest::slurp("$PosTest::ROOT/engine/t/shop.json"));
    my $cart = { currency => 'GBP', store => 'london', channel => 'web', at => '2026-06-01T12:00:00Z', explain => $true,
        customer => { id => 'c', groups => ['staff'] }, lines => [{ id => '1', sku => 'BOOT', quantity => 2 }, { id => '2', sku => 'TEE', quantity => 2 }, { id => '3', sku => 'CHEESE', quantity => 0.354 }] };
    my $witness = { id => 'witness', class => 'line', then => [{ percent_off => 10, items => { sku => ['CHEESE'] } }] };
    PosTest::spurt("$dir/batch", join '', map { PosTest::json({ book => { %$shop, promotions => [$witness, { id => 'hostile', script => text($_->{source}) }] }, requests => [$cart, $cart] }) . "\n" } @loaded);
    my @runs = map { scalar qx{'$PosTest::BUILD/poscalc' --batch < $dir/batch} } 1 .. 2;
    is($? >> 8, 0, 'every line is answered');
    ok($runs[0] eq $runs[1], 'two processes say the same');
    my @lines = split /\n/, $runs[0];
    is(scalar @lines, 2 * @loaded, 'a line for each') or return;
    for my $f (@loaded) {
        my ($one, $two) = splice @lines, 0, 2;
        is($two, $one, "$f->{name}: the second quote is the first");
        my $q = PosTest::parse($one) || {};
        my ($explained) = grep { $_->{id} eq 'hostile' } @{ $q->{explain} || [] };
        my ($gave) = map { $_->{amount} } grep { $_->{id} eq 'hostile' } @{ $q->{promotions} || [] };
        if ($f->{kind} eq 'skipped') { is($explained->{reason}, 'script_error', "$f->{name}: skipped") or diag($one) }
        elsif ($f->{what} ne '*') { is($gave // 0, $f->{what}, "$f->{name}: gives what it may") or diag($one) }
    }
};

my $pos     = PosTest->start(workers => 2);
my @workers = sort $pos->workers;
my $live    = { lines => PosTest::lines('TEA', 2), at => '2026-06-01T12:00:00Z', explain => $true };
my %other   = (key => $pos->key('admin', 'live'));
my $before  = $pos->quote($live, %other);
is($before->{status}, 200, 'another retailer sells') or diag($before->{body});

subtest 'validate' => sub {
    for my $f (@files) {
        my $r = $pos->request('POST', '/v1/promotions/validate', body => $f->{source}, headers => { 'Content-Type' => 'text/x-lua' }, timeout => 30);
        if ($f->{source} =~ /[\0\e]/ || length $f->{source} > 65536) { like("$r->{status} $r->{body}", qr/^(?:4\d\d|200 .*"valid":false)/s, "$f->{name} is refused"); next }
        is($r->{status}, 200, "$f->{name} is answered") or diag($r->{body});
        my ($d) = grep { $_->{severity} eq 'error' } @{ $r->{json}{diagnostics} || [] };
        if ($f->{kind} eq 'discount') { ok($r->{json}{valid}, "$f->{name} is valid") or diag($r->{body}); next }
        ok(exists $r->{json}{valid} && !$r->{json}{valid}, "$f->{name} is not valid") or diag($r->{body});
        ok($d && length $d->{message} > 3 && $d->{message} !~ /[\0-\x1f]/, "$f->{name}: which is said in a sentence: " . ($d->{message} // '')) or diag($r->{body});
        ok($d->{line}, "$f->{name}: with the line") or diag($r->{body}) if $f->{kind} eq 'skipped' && $d->{code} ne 'script_error';
    }
};
is_deeply([sort $pos->workers], \@workers, 'no worker ended of any');

# All that load, live in one shop at once.
subtest 'at the till' => sub {
    my @promotions = map { { id => $_->{id}, script => text($_->{source} =~ s/"hostile"/"$_->{id}"/gr) } } @loaded;
    my $sold = PosTest::parse(PosTest::slurp("$PosTest::BUILD/sample.json"))->{promotions};
    my $job = $pos->import_book({ promotions => [@$sold, @promotions, { id => 'witness', class => 'line', then => [{ amount_off => 7, items => { sku => ['TEA'] }, per => 'line' }] }] });
    is($job->{json}{status}, 'succeeded', scalar(@promotions) . ' hostile promotions are live') or diag(substr $job->{body}, 0, 2000);
    my $cart = { currency => 'GBP', store => 'london', channel => 'web', at => '2026-06-01T12:00:00Z', lines => PosTest::lines('TEA', 3), explain => $true };
    my $q;
    ok($pos->wait_for('all of them', 30, sub { $q = $pos->quote($cart, timeout => 30); grep { $_->{id} eq $promotions[-1]{id} } @{ $q->{json}{explain} || [] } }), 'the book has them');
    my %said = map { $_->{id} => $_ } @{ $q->{json}{explain} || [] };
    for my $f (@loaded) {
        my $reason = $said{ $f->{id} }{reason} // '';
        ok($f->{kind} eq 'skipped' ? $reason eq 'script_error' : $reason ne 'script_error', "$f->{name}: as expected") or diag(PosTest::json($said{ $f->{id} }));
    }
    ok($said{witness}{applied} || ($said{witness}{reason} // '') !~ /error/, 'the promotion of data is judged');
    my @odd = grep { $_->{status} != 200 || $_->{body} ne $q->{body} } map { $pos->quote($cart, timeout => 30) } 1 .. 6;
    is(scalar @odd, 0, 'each worker answers the same, by the byte') or diag("$odd[0]{status} $odd[0]{body}\n$q->{body}");
    my $after = $pos->quote($live, %other);
    is($after->{body}, $before->{body}, 'the other retailer sells as before, by the byte');
};
is_deeply([sort $pos->workers], \@workers, 'and no worker ended');
done_testing;

sub read_one {
    my ($path) = @_;
    my $source = PosTest::slurp($path);
    my ($name) = $path =~ m{t/hostile/([^/]+/[^/]+)\.lua$};
    my ($kind, $what) = $source =~ /^-- expect: (refused|skipped|discount) ?(\S*)/m;
    return { path => $path, name => $name, source => $source, kind => $kind, what => $what, id => 'h-' . ($name =~ tr{/_}{--}r) };
}

# A source's bytes as JSON takes them.
sub text {
    my ($bytes) = @_;
    utf8::decode($bytes);
    return $bytes;
}
