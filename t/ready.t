#!/usr/bin/perl
# A node that does not have the book yet says so: it is not ready, and it calls no key
# unknown that it merely has not been told of. When the book comes, it serves.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos  = PosTest->start(env => { POS_WATCH => 0 });
my %shop = (key => $pos->key('storefront'));
my $cart = { lines => PosTest::lines('MUG-RED', 1) };

is($pos->quote($cart, %shop)->{status}, 200, 'start returns when a key is known and its book is there');

# A new node in an outage: no replica, and no database to make one from.
kill 'TERM', $pos->pid('posd');
$pos->wait_for('posd gone', 10, sub { !PosTest::alive($pos->pid('posd')) });
is($pos->stop_postgres('fast'), 0, 'PostgreSQL is stopped');
unlink glob "$pos->{state}/replica/*";
my @old = $pos->workers;
$pos->reload;
$pos->wait_for('new workers', 10, sub { !grep { my $w = $_; grep { $_ == $w } @old } $pos->workers });
unready('without a replica');

$pos->start_posd;
$pos->wait_for('an empty replica', 10, sub { -e "$pos->{state}/replica/current" });
unready('with an empty one');

is($pos->start_postgres, 0, 'PostgreSQL is back');
ok($pos->wait_for('ready', 20, sub { $pos->get('/healthz', key => undef)->{status} == 200 }), 'the node becomes ready by itself');
for (1 .. 6) {
    is($pos->quote($cart, %shop)->{status}, 200, 'and from then on every worker serves');
}
PosTest::is_problem($pos->quote($cart, key => 'pos_test_' . 'x' x 32), 401, 'key_unknown', 'now an unknown key is one');
$pos->check_replica;
done_testing;

sub unready {
    my ($when) = @_;
    for (1 .. 4) {
        my $r = $pos->quote($cart, %shop);
        PosTest::is_problem($r, 503, 'replica_unavailable', "$when a good key is not called unknown");
        ok($r->{headers}{'retry-after'}, 'and may come again');
        my $h = $pos->get('/healthz', key => undef);
        is("$h->{status} " . ($h->{json}{ready} // ''), '503 0', "$when the node is not ready");
    }
    return;
}
