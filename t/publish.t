#!/usr/bin/perl
# A merchandiser publishes while the shop sells: every worker comes to quote by it, no
# request fails, no quote mixes two revisions. How soon is bench/publish.pl's.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;
use Time::HiRes qw(time);

my $rounds = $ENV{POS_ROUNDS} || 60;
my $pos    = PosTest->start(check_responses => 'off');
my $cart   = { lines => PosTest::lines('TEA', 3, 'BISCUITS', 1, 'MUG-RED', 6) };
my $load   = $pos->load(clients => 3, pause => 0.001, cart => $cart);
my @published;

# Two promotions of one number each, one data and one Lua, published alternately.
for my $n (1 .. $rounds) {
    my $id = $n % 2 ? 'flip-data' : 'flip-lua';
    my $put = $n % 2
        ? $pos->put("/v1/promotions/$id", { id => $id, name => "Round $n", class => 'line', then => [{ amount_off => $n, per => 'line', items => { sku => ['TEA'] } }] }, headers => { if_match($id) })
        : $pos->put_lua($id, "return promotion { id = '$id', name = 'Round $n', class = 'line', apply = function(cart)\n"
            . "  cart:items { sku = { 'BISCUITS' } }:amount_off($n, 'Round $n', 'line')\nend }", headers => { if_match($id) });
    ok($put->{status} =~ /^20[01]$/, "round $n stored") || diag($put->{body}) if $put->{status} !~ /^20[01]$/;
    my $r = $pos->publish($id, {}, headers => { if_match($id) });
    my $at = time;
    if ($r->{status} != 200) { fail("round $n published") or diag($r->{body}); next }
    push @published, [$at, $id, $n];
    # The next only when this one is there: ten connections in a row, so both workers.
    $pos->wait_for("round $n everywhere", 30, sub { !grep { amount($id) != $n } 1 .. 10 }) or fail("round $n is quoted everywhere");
}

my $records = $load->stop;
is(scalar @published, $rounds, 'all were published');
my @failed = grep { $_->[2] != 200 } @$records;
is(scalar @failed, 0, 'no request failed') or diag(PosTest::json($failed[0]));
cmp_ok(scalar @$records, '>', 10 * $rounds, 'under load');

# How long after each answer the old number was still given to a request sent after it:
# of interest, and a failure only if it goes on.
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
note(sprintf 'until every worker quotes by it: median %.1f ms, worst %.1f ms', 1000 * $delays[ @delays / 2 ], 1000 * $delays[-1]);
cmp_ok($delays[-1], '<', 5, 'no worker goes on by the version before');

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
    my $sells = $published[-1][1] eq 'flip-lua' ? $rounds : $rounds - 1;
    is($p->{amount}, $sells, 'the version before still sells');

    # One that the checks let through and a worker cannot compile: here by going round them.
    my $tell = sub {
        my ($script) = @_;
        return $pos->sql("begin; select set_config('pos.retailer', (select retailer_id::text from pos.retailer where mode = 'test'), true);"
            . " update pos.promotion_version v set document = jsonb_set(v.document, '{script}', to_jsonb(\$\$$script\$\$::text)) from pos.promotion p where v.retailer_id = pos.current_retailer()"
            . " and (v.retailer_id, v.promotion_id, v.version) = (p.retailer_id, p.promotion_id, p.published_version) and v.promotion_id = 'flip-lua' returning 1;"
            . " select pos.book_changed('[[\"promotion\", \"flip-lua\"]]'); commit");
    };
    my $good = $pos->sql("select v.document ->> 'script' from pos.promotion_version v join pos.promotion p on (v.retailer_id, v.promotion_id, v.version) = (p.retailer_id, p.promotion_id, p.published_version)"
        . " where v.promotion_id = 'flip-lua'");
    my $left_out = sub { my $n = 0; $n += $_ for $pos->get('/metrics', key => undef)->{body} =~ /^pos_book_rows_left_out\{[^}]*\} (\d+)$/mg; return $n };
    is($left_out->(), 0, 'nothing is left out');
    like($tell->("return promotion {\n id = = 1"), qr/^1$/m, 'a version that does not compile is in the book');
    ok($pos->wait_for('both workers', 10, sub { $left_out->() == 2 }), 'each worker reports it');
    like($pos->log_text, qr/\[error\].*promotion "flip-lua" left out, its version before serves: .*line 2/, 'by its line, and that the one before serves');
    is(join(' ', map { amount('flip-lua') } 1 .. 8), join(' ', ($sells) x 8), 'as it does, in every worker');
    like($tell->($good), qr/^1$/m, 'it is mended');
    ok($pos->wait_for('both workers', 10, sub { $left_out->() == 0 }), 'and nothing is left out any more');
};

done_testing;

# What the promotion takes off the cart of the load; -1: nothing.
sub amount {
    my ($id) = @_;
    my $q = $pos->quote($cart);
    my ($p) = grep { $_->{id} eq $id } @{ ($q->{json} || {})->{promotions} || [] };
    return $p ? $p->{amount} : -1;
}

sub if_match {
    my ($id) = @_;
    my $etag = $pos->get("/v1/promotions/$id")->{headers}{etag};
    return $etag ? ('If-Match' => $etag) : ();
}
