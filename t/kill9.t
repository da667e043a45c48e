#!/usr/bin/perl
# Processes are killed at random while carts are priced and promotions are published: no
# wrong quote, no lost publish, and at the end the replica equals the tables.
# POS_SOAK sets the rounds (./build.sh soak: 100).

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;
use Time::HiRes qw(time);

my $rounds = $ENV{POS_SOAK} || 10;
my $seed   = $ENV{POS_SEED} || time & 0xffff;
srand $seed;
note("seed $seed");

my $pos = PosTest->start(check_responses => 'off');
$pos->expect_log(qr/exited on signal 9|terminated by signal 9|was terminated|all server processes/);
my $load = $pos->load(clients => 2, pause => 0.002, cart => { lines => PosTest::lines('TEA', 1) });
my ($n, $kills, @acknowledged) = (0, 0);

for my $round (1 .. $rounds) {
    my @targets = qw(worker worker posd posd postgres backend);
    my $target  = $targets[ rand @targets ];
    publish_next();
    my $pid = $target eq 'worker' ? ($pos->workers)[ rand 2 ]
        : $target eq 'backend' ? (PosTest::children($pos->pid('postgres') // 0))[-1]
        :                        $pos->pid($target);
    next if !$pid;
    $kills += kill 'KILL', $pid;
    publish_next();
    ok($pos->wait_for('a publish reaches quotes', 30, \&live), "round $round: $target killed, all is well again")
        or diag($pos->log_tail);
}

cmp_ok($kills, '>=', 0.8 * $rounds, "$kills killed in $rounds rounds");
my $records = $load->stop;
my (%known, @wrong);
for my $r (grep { $_->[2] == 200 } @$records) {
    my $amount = $r->[5]{'soak'} // 0;
    my $price  = $r->[3] + $amount;
    push @wrong, $r if $price != 425 || $amount > $n;
    push @wrong, $r if defined $known{ $r->[4] } && $known{ $r->[4] } != $amount;
    $known{ $r->[4] } = $amount;
}
is(scalar @wrong, 0, 'no wrong quote among ' . @$records) or diag(PosTest::json($wrong[0]));
my @lost = grep { $_->[2] && $_->[2] != 200 } @$records;
is(scalar @lost, 0, 'no quote was refused') or diag(PosTest::json($lost[0]));
# A worker takes with it what it was just answering, and no more.
my $broken = grep { !$_->[2] } @$records;
cmp_ok($broken, '<=', 4 * $rounds, "in flight on killed workers: $broken");

my ($stored) = $pos->get('/v1/promotions/soak')->{body} =~ /"amount_off": ?(\d+)/;
cmp_ok($stored // 0, '>=', $acknowledged[-1], 'the last acknowledged publish is stored');
$pos->check_replica;
done_testing;

# Until it is acknowledged: a refusal or a lost connection is tried again with the same key.
sub publish_next {
    $n++;
    my $id = 'soak';
    my $ok = $pos->wait_for("publish $n", 30, sub {
        my $etag = $pos->get("/v1/promotions/$id", timeout => 5)->{headers}{etag};
        my %match = $etag ? ('If-Match' => $etag) : ();
        my $put = $pos->put("/v1/promotions/$id", { id => $id, name => "Soak $n", class => 'line', then => [{ amount_off => $n, per => 'line', items => { sku => ['TEA'] } }] },
            headers => {%match}, timeout => 5);
        return if $put->{status} !~ /^20/;
        my $r = $pos->publish($id, {}, timeout => 5,
            headers => { 'Idempotency-Key' => "soak-$$-$n", $put->{headers}{etag} ? ('If-Match' => $put->{headers}{etag}) : () });
        return $r->{status} == 200;
    });
    push @acknowledged, $n if $ok;
    return $ok;
}

# What was acknowledged last is what both workers quote by.
sub live {
    for (1 .. 8) {
        my $q = $pos->quote({ lines => PosTest::lines('TEA', 1) }, timeout => 2);
        my ($p) = grep { $_->{id} eq 'soak' } @{ ($q->{json} || {})->{promotions} || [] };
        return 0 if !$p || $p->{amount} < $acknowledged[-1];
    }
    return 1;
}
