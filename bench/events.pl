#!/usr/bin/perl
# Numbering of events with a backlog, and what it costs the feed: how long a published
# promotion takes to reach a quote while 100,000 events wait for their numbers.

use strict;
use warnings;

use PosTest;
use Time::HiRes qw(time);

my $BACKLOG = $ENV{POS_EVENTS} || 100_000;
my $pos = PosTest->start(check_responses => 'off');
my ($n, $etag) = (0);

publish() for 1 .. 20;
my @idle = map { publish() } 1 .. 100;

my ($numberer) = grep { (PosTest::slurp("/proc/$_/cmdline") // '') =~ /\0events\0/ } PosTest::children($pos->pid('posd'));
kill 'STOP', $numberer;
for my $part (1 .. 10) {
    $pos->sql(sprintf q(insert into pos.event (retailer_id, aggregate, version, id, type, data, at)
        select 1, 'bench/' || %1$d || '-' || (n / 10), 1 + n %% 10, 'evt_' || lpad((%1$d * 1000000 + n)::text, 26, '0'), 'bench', '{}', clock_timestamp()
          from generate_series(0, %2$d - 1) n), $part, $BACKLOG / 10);
}
$pos->sql('analyze pos.event') if $ENV{POS_ANALYZE};
my ($began, @busy) = (time);
kill 'CONT', $numberer;
while (1) {
    push @busy, publish();
    last if @busy % 5 == 0 && $pos->sql('select not exists (select from pos.event where seq is null and type = \'bench\')') eq 't';
    last if time - $began > 50;
}
my $took = time - $began;
printf "%d events waited: numbered after %.1f s, %.0f a second%s\n", $BACKLOG, $took, $BACKLOG / $took,
    $pos->sql('select count(*) from pos.event where seq is null') > 50 ? ' (NOT ALL)' : '';
printf "%-24s %6s %8s %8s %8s\n", 'a publish in quotes, ms', 'count', 'median', 'p95', 'longest';
row('nothing waiting', @idle);
row('while it catches up', @busy);

sub row {
    my ($name, @t) = @_;
    @t = sort { $a <=> $b } @t;
    printf "%-24s %6d %8.1f %8.1f %8.1f\n", $name, scalar @t, map { 1000 * $_ } $t[$#t / 2], $t[$#t * 0.95], $t[-1];
    return;
}

# From the sending of the publish to the first quote with the new amount.
sub publish {
    $n++;
    my $amount = 1 + $n % 200;
    my $put = $pos->put('/v1/promotions/bench', { id => 'bench', name => "Round $n", class => 'line',
        then => [{ amount_off => $amount, per => 'line', items => { sku => ['TEA'] } }] }, headers => { $etag ? ('If-Match' => $etag) : () });
    my $sent = time;
    my $r = $pos->publish('bench', {}, headers => { 'If-Match' => $put->{headers}{etag} });
    die "publish: $r->{status} $r->{body}\n" if $r->{status} != 200;
    $etag = $r->{headers}{etag};
    my $end = time + 20;
    while (time < $end) {
        my $q = $pos->quote({ lines => PosTest::lines('TEA', 1) });
        return time - $sent if grep { $_->{id} eq 'bench' && $_->{amount} == $amount } @{ $q->{json}{promotions} || [] };
    }
    die "publish $n never reached a quote\n";
}
