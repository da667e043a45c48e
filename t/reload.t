#!/usr/bin/perl
# nginx reloads under load, again and again: no accepted request is dropped, no
# connection to PostgreSQL and no reader of the replica is left behind.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos = PosTest->start(check_responses => 'off', pool => 3);
my $cart = { lines => PosTest::lines('MUG-RED', 6, 'KETTLE-OB', 2) };
my $total = $pos->quote($cart)->{json}{total};
my $load = $pos->load(clients => 3, cart => $cart, pause => 0.001);

# A writer on its own: every write must be answered, whichever worker has it.
my $writer = fork // die "fork: $!";
if (!$writer) {
    my $bad = 0;
    for my $n (1 .. 150) {
        my $r = $pos->put("/v1/categories/reload-$n", { code => "reload-$n" });
        if ($r->{status} !~ /^20/) { $bad++; diag("write $n: $r->{status} $r->{body}") }
    }
    POSIX::_exit($bad > 100 ? 100 : $bad);
}

for my $round (1 .. 5) {
    my %old = map { $_ => 1 } $pos->workers;
    $pos->reload;
    ok($pos->wait_for('new workers', 20, sub { my @w = $pos->workers; @w >= 2 && !grep { $old{$_} } @w }), "reload $round");
}
waitpid $writer, 0;
is($? >> 8, 0, 'every write was answered') or diag(grep { /database/ } split /(?<=\n)/, PosTest::slurp("$pos->{state}/log/nginx.log"));
my $records = $load->stop;
my @failed = grep { $_->[2] && $_->[2] != 200 } @$records;
is(scalar @failed, 0, 'no quote of ' . @$records . ' failed') or diag(PosTest::json($failed[0]));
is(scalar(grep { !$_->[2] && $_->[6] ne '' } @$records), 0, 'none was cut off half way');
is(scalar(grep { $_->[2] == 200 && $_->[3] != $total } @$records), 0, 'all had the right price');

my $master = $pos->pid('nginx');
ok($pos->wait_for('old workers gone', 40, sub { PosTest::children($master) == 2 }), 'the old workers are gone');
ok($pos->wait_for('connections', 15, sub {
    $pos->sql("select count(*) from pg_stat_activity where usename = 'pos_api'") <= 2 * 3;
}), 'and their connections to PostgreSQL too');
my $stored = $pos->sql("select count(*) from pos.category where code like 'reload-%'");
is($stored + 0, 150, 'every acknowledged write is there once');
$pos->check_replica;

# Ten thousand requests leave no descriptor behind.
my ($worker) = $pos->workers;
my $before = descriptors();
for (1 .. 300) { $pos->quote($cart); $pos->get('/v1/nowhere'); $pos->get('/v1/categories?limit=1') }
ok($pos->wait_for('descriptors', 5, sub { descriptors() <= $before + 8 }), 'no descriptor is left over');
done_testing;

sub descriptors {
    my $n = 0;
    for my $pid ($pos->workers) { my @fds = glob "/proc/$pid/fd/*"; $n += @fds }
    return $n;
}
