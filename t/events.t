#!/usr/bin/perl
# Events are numbered once they are committed, while many write and whoever numbers them is
# killed: no gap is ever to be seen, nothing appears behind what was seen, none is left out.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use PosTest;
use Test::More;
use Time::HiRes qw(time);

my $pos = PosTest->start(check_responses => 'off');
$pos->expect_log(qr/for events ended|terminating connection|could not send|connection to client lost/);

my $WRITERS = 3;
my $EACH    = 400;

ok(all_numbered(), 'what happened before is numbered');
my $before = $pos->sql(q(select count(*) from pos.event where aggregate like 'promotion/ev-%'));
is($before, 0, 'none is of this test');

my @writers = map { writer($_) } 1 .. $WRITERS;
my ($looks, $kills, @gaps, @behind, %seen) = (0, 0);
my $next_kill = time + 0.1;
while (@writers) {
    look();
    if (time > $next_kill && $kills < 12) {
        my $pid = $kills % 2 ? $pos->pid('posd') : numberer();
        if ($pid && kill 'KILL', $pid) {
            $kills++;
            $next_kill = time + 0.3;
        }
    }
    @writers = grep { waitpid($_, POSIX::WNOHANG()) == 0 } @writers;
}
cmp_ok($kills, '>=', 4, "who numbers, or its parent, was killed $kills times");
ok($pos->wait_for('all events to be numbered', 20, \&all_numbered), 'all are numbered in the end') or diag($pos->log_tail);
look();
cmp_ok($looks, '>', 5, "looked $looks times");
is("@gaps", '', 'no gap was ever to be seen');
is("@behind", '', 'no number ever came to mean another event');
is($pos->sql(q(select count(*) from pos.event where aggregate like 'promotion/ev-%')), $WRITERS * $EACH, 'every acknowledged change has its event');
is($pos->sql(q(select count(*) from pos.event a join pos.event b
    on (b.retailer_id, b.aggregate, b.version) = (a.retailer_id, a.aggregate, a.version + 1) where b.seq < a.seq)), 0, 'each aggregate\'s come by version');
ok($pos->wait_for('who numbers', 10, \&numberer), 'it runs again');
my $began = time;
is($pos->put('/v1/promotions/ev-last', document('ev-last', 1))->{status}, 201, 'one more');
ok($pos->wait_for('its number', 5, \&all_numbered), sprintf 'is numbered after %.0f ms', 1000 * (time - $began));
$pos->check_replica;
done_testing;

sub document {
    my ($id, $n) = @_;
    return { id => $id, name => "Round $n", class => 'line', then => [{ percent_off => 10 }] };
}

# Puts its own promotion again and again; each must be acknowledged, once.
sub writer {
    my ($w) = @_;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    my $etag;
    for my $n (1 .. $EACH) {
        my $r = $pos->put("/v1/promotions/ev-$w", document("ev-$w", $n), headers => { $etag ? ('If-Match' => $etag) : () });
        POSIX::_exit(1) if $r->{status} !~ /^20[01]$/;
        $etag = $r->{headers}{etag};
    }
    POSIX::_exit(0);
}

# The numbers as one reader sees them: all from 1, and those seen before mean what they meant.
sub look {
    $looks++;
    my @rows = map { [split /\|/] } split /\n/, $pos->sql(
        q(select e.retailer_id, e.seq, e.id from pos.event e where e.seq is not null order by 1, 2));
    my %next;
    for my $row (@rows) {
        my ($retailer, $seq, $id) = @$row;
        push @gaps, "$retailer:$seq" if $seq != ++$next{$retailer};
        push @behind, "$retailer:$seq" if ($seen{"$retailer:$seq"} //= $id) ne $id;
    }
    return;
}

sub all_numbered { return $pos->sql('select count(*) from pos.event where seq is null') eq '0' }

sub numberer {
    my $posd = $pos->pid('posd') or return;
    return (grep { (PosTest::slurp("/proc/$_/cmdline") // '') =~ /\0events\0/ } PosTest::children($posd))[0];
}
