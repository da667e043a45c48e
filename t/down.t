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
my $posd   = $pos->pid('posd');
my $load   = $pos->load(clients => 2, pause => 0.002, cart => $cart);

for my $round (1, 2) {
    is($pos->stop_postgres($round == 1 ? 'fast' : 'immediate'), 0, "round $round: PostgreSQL is stopped");
    my $q = $pos->quote($cart, %shop);
    is($q->{status}, 200, 'quotes go on');
    is($q->{json}{total}, $before->{total}, 'at the same price');
    is($pos->get('/v1/prices?sku=MUG-RED&store=london', %shop)->{status}, 200, 'so do prices');
    PosTest::is_problem($pos->quote($cart, key => 'pos_test_' . 'x' x 32), 401, undef, 'and the check of keys');
    my @slow;
    for (1 .. 20) {
        my $start = time;
        my $r = $pos->put('/v1/categories/winter', { code => 'winter' });
        my $took = time - $start;
        push @slow, $took if $took > 0.1;
        if ($_ == 20) {
            PosTest::is_problem($r, 503, undef, 'a write is refused');
            ok($r->{headers}{'retry-after'}, 'and says when to come back');
        }
    }
    cmp_ok(scalar @slow, '<=', 1, 'within 100 ms') or diag("took @slow");
    my $h;
    $pos->wait_for('healthz sees it', 10, sub {
        $h = $pos->get('/healthz', key => undef);
        return $h->{body} =~ /"(?:stale|staleness|lag|age)\w*"/ && $h->{body} =~ /database/;
    });
    is($h->{status}, 200, '/healthz: still ready') or diag($h->{body});
    my $stale = $pos->wait_for('staleness', 10, sub {
        my $r = $pos->quote($cart, %shop);
        return join ' ', grep { /stale|age/i } keys %{ $r->{headers} }, keys %{ $r->{json} };
    });
    ok($stale, 'a quote says how stale it is');
    is($pos->start_postgres, 0, 'PostgreSQL is back');
    my $start = time;
    ok($pos->wait_for('writes', 15, sub {
        my $etag = $pos->get('/v1/categories/winter')->{headers}{etag};
        return $pos->put('/v1/categories/winter', { code => 'winter', name => "Winter $round" }, headers => { $etag ? ('If-Match' => $etag) : () })->{status} =~ /^20/;
    }), 'writes recover by themselves');
    note(sprintf 'after %.1f s', time - $start);
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
