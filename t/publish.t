#!/usr/bin/perl
# A merchandiser publishes while the shop sells: every worker quotes by it within 100 ms,
# no request fails, no quote mixes two revisions.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;
use Time::HiRes qw(time);

my $rounds = $ENV{POS_ROUNDS} || 60;
my $pos    = PosTest->start(check_responses => 'off');
my $load   = $pos->load(clients => 3, pause => 0.001, cart => { lines => PosTest::lines('TEA', 3, 'BISCUITS', 1, 'MUG-RED', 6) });
my @published;

# Two promotions of one number each, one data and one Lua, published alternately.
for my $n (1 .. $rounds) {
    my $id = $n % 2 ? 'flip-data' : 'flip-lua';
    my $put = $n % 2
        ? $pos->put("/v1/promotions/$id", { id => $id, name => "Round $n", class => 'line', then => [{ amount_off => $n, per => 'line', items => { sku => ['TEA'] } }] }, headers => { if_match($id) })
        : $pos->put_lua($id, "return promotion { id = '$id', name = 'Round $n', class = 'line', apply = function(cart)\n"
            . "  cart:items { sku = { 'BISCUITS' } }:amount_off($n, 'Round $n', 'line')\nend }", headers => { if_match($id) });
    ok($put->{status} =~ /^20[01]$/, "round $n stored") || diag($put->{body}) if $put->{status} !~ /^20[01]$/;
    my $r = $pos->post("/v1/promotions/$id/publish", {}, headers => { if_match($id) });
    my $at = time;
    if ($r->{status} != 200) { fail("round $n published") or diag($r->{body}); next }
    push @published, [$at, $id, $n];
    # The next only when this one has had its time.
    select undef, undef, undef, 0.15;
}

my $records = $load->stop;
is(scalar @published, $rounds, 'all were published');
my @failed = grep { $_->[2] != 200 } @$records;
is(scalar @failed, 0, 'no request failed') or diag(PosTest::json($failed[0]));
cmp_ok(scalar @$records, '>', 20 * $rounds, 'under load');

# How long after each answer the old number was still given to a request sent after it.
my @delays;
for my $i (0 .. $#published) {
    my ($at, $id, $n) = @{ $published[$i] };
    my $next = $i + 2 <= $#published ? $published[ $i + 2 ][0] - 0.1 : $at + 5;
    my $late = 0;
    for my $r (grep { $_->[0] > $at && $_->[0] < $next } @$records) {
        my $delay = $r->[0] - $at;
        $late = $delay if ($r->[5]{$id} // 0) != $n && $delay > $late;
    }
    push @delays, $late;
}
@delays = sort { $a <=> $b } @delays;
my $p99 = $delays[ int(0.99 * $#delays) ] // 9;
note(sprintf 'until every worker quotes by it: median %.1f ms, p99 %.1f ms, worst %.1f ms', 1000 * $delays[ @delays / 2 ], 1000 * $p99, 1000 * $delays[-1]);
cmp_ok($p99, '<', 0.1, 'live everywhere within 100 ms');

my %by;
for my $r (@$records) { $by{ $r->[4] }{ join ' ', $r->[3], map { "$_=$r->[5]{$_}" } sort keys %{ $r->[5] } }++ if $r->[2] == 200 }
my @mixed = grep { keys %{ $by{$_} } > 1 } keys %by;
is("@mixed", '', 'each revision has exactly one price for this cart');
$pos->check_replica;

subtest 'a bad version keeps its predecessor' => sub {
    my $r = $pos->put_lua('flip-lua', 'return promotion {', headers => { if_match('flip-lua') });
    PosTest::is_problem($r, 422, undef, 'a syntax error is refused at upload');
    my $q = $pos->quote({ lines => PosTest::lines('BISCUITS', 1) });
    my ($p) = grep { $_->{id} eq 'flip-lua' } @{ $q->{json}{promotions} };
    is($p->{amount}, $published[-1][1] eq 'flip-lua' ? $rounds : $rounds - 1, 'the version before still sells');
};

done_testing;

sub if_match {
    my ($id) = @_;
    my $etag = $pos->get("/v1/promotions/$id")->{headers}{etag};
    return $etag ? ('If-Match' => $etag) : ();
}
