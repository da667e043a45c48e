#!/usr/bin/perl
# PostgreSQL stops. The shop goes on selling and says how old its book is; writes are
# refused at once; when PostgreSQL is back, all is well by itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;
use Time::HiRes qw(time);

my $pos  = PosTest->start(env => { POS_WATCH => 0 });
my %shop = (key => $pos->key('storefront'));
my $cart = { lines => PosTest::lines('MUG-RED', 6) };
my $before = $pos->quote($cart, %shop)->{json};
my $shelf  = '/v1/prices?sku=MUG-RED&store=london';
my $prices = $pos->get($shelf, %shop)->{body} =~ s/"revision":"[^"]+"//r;
is(join(' ', grep { defined } stale()), '', 'while the database is there nothing is called stale');
my $posd   = $pos->pid('posd');
my $load   = $pos->load(clients => 2, pause => 0.002, cart => $cart);

for my $round (1, 2) {
    is($pos->stop_postgres($round == 1 ? 'fast' : 'immediate'), 0, "round $round: PostgreSQL is stopped");
    my $q = $pos->quote($cart, %shop);
    is($q->{status}, 200, 'quotes go on');
    is($q->{json}{total}, $before->{total}, 'at the same price');
    is($pos->get($shelf, %shop)->{body} =~ s/"revision":"[^"]+"//r, $prices, 'so do prices, as they were');
    PosTest::is_problem($pos->quote($cart, key => 'pos_test_' . 'x' x 32), 401, undef, 'and the check of keys');
    my (@slow, @other);
    for (1 .. 20) {
        my $start = time;
        my $r = $pos->put('/v1/categories/winter', { code => 'winter' });
        my $took = time - $start;
        push @slow, $took if $took > 0.1;
        push @other, "$r->{status} $r->{body}" if $r->{status} != 503 || ($r->{headers}{'retry-after'} // '') !~ /^[1-9]\d*$/;
        PosTest::is_problem($r, 503, 'database_unavailable', 'a write is refused') if $_ == 20;
    }
    is("@other", '', 'as is each, with the time to come back');
    cmp_ok(scalar @slow, '<=', 1, 'within 100 ms') or diag("took @slow");
    PosTest::is_problem($pos->get('/v1/categories'), 503, 'database_unavailable', 'so is what is read from the database');
    my $h;
    $pos->wait_for('healthz sees it', 20, sub {
        $h = $pos->get('/healthz', key => undef);
        return $h->{json}{replica}{lag_ms} > 5000 && !$h->{json}{database}{reachable};
    });
    is("$h->{status} $h->{json}{status} $h->{json}{ready}", '200 degraded 1', '/healthz: ready still, and no more than that') or diag($h->{body});
    cmp_ok($h->{json}{replica}{lag_ms}, '>', 5000, 'with the age of the replica') or diag($h->{body});
    ok(!$h->{json}{database}{reachable}, 'and that there is no database');
    is(join(' ', map { defined && $_ >= 5 ? 'stale' : $_ // 'silent' } stale()), 'stale stale stale', 'a quote, a batch and prices say for how many seconds they are stale');
    my ($then) = stale();
    ok($pos->wait_for('more of them', 10, sub { (stale())[0] > $then }), 'which become more');
    is($pos->start_postgres, 0, 'PostgreSQL is back');
    my $start = time;
    ok($pos->wait_for('writes', 15, sub {
        my $etag = $pos->get('/v1/categories/winter')->{headers}{etag};
        return $pos->put('/v1/categories/winter', { code => 'winter', name => "Winter $round" }, headers => { $etag ? ('If-Match' => $etag) : () })->{status} =~ /^20/;
    }), 'writes recover by themselves');
    note(sprintf 'after %.1f s', time - $start);
    ok($pos->wait_for('freshness', 15, sub { !grep { defined } stale() }), 'and nothing is stale any more');
    is($pos->pid('posd'), $posd, 'posd outlived it');
    $pos->check_replica("round $round: the replica follows again");
}

my $records = $load->stop;
my @failed = grep { $_->[2] != 200 } @$records;
is(scalar @failed, 0, 'of ' . @$records . ' quotes under way none failed') or diag(PosTest::json($failed[0]));
my %totals = map { $_->[3] => 1 } @$records;
is_deeply([keys %totals], [$before->{total}], 'and all had the one right price');

subtest 'nginx starts and quotes without a database' => sub {
    $pos->stop_postgres('fast');
    my @old = $pos->workers;
    $pos->reload;
    $pos->wait_for('new workers', 10, sub { !grep { my $w = $_; grep { $_ == $w } @old } $pos->workers });
    is($pos->quote($cart, %shop)->{status}, 200, 'after a reload');
    $pos->start_postgres;
    ok($pos->wait_for('writes', 15, sub { $pos->get('/v1/categories')->{status} == 200 }), 'and finds it when it comes');
};

done_testing;

# What a quote, a batch and shelf prices say of their age, in seconds; undef: nothing.
sub stale {
    my $line = PosTest::json({ currency => 'GBP', store => 'london', channel => 'web', %$cart });
    my @answers = (
        $pos->quote($cart, %shop),
        $pos->request('POST', '/v1/quotes/batch', %shop, body => "$line\n", headers => { 'Content-Type' => 'application/x-ndjson' }),
        $pos->get($shelf, %shop),
    );
    return map { $_->{status} == 200 ? $_->{headers}{'pos-stale'} : "status $_->{status}" } @answers;
}
