#!/usr/bin/perl
# What quotes did with a promotion is there to look at a moment later: of all workers,
# through a reload and while the database is away.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos  = PosTest->start(env => { POS_WATCH => 0 });
my %shop = (key => $pos->key('storefront'));
my $tea  = { currency => 'GBP', store => 'london', channel => 'web', lines => PosTest::lines('TEA', 2) };
my $both = { %$tea, lines => PosTest::lines('TEA', 4) };

my $shown = 0;    # quotes with tea-off, before the count begins
publish({ id => 'tea-off', name => 'Tea off', class => 'line', then => [{ amount_off => 7, items => { sku => ['TEA'] } }] });
publish({ id => 'rich', name => 'Rich', class => 'line', when => { distinct => {}, min => 3 },
    then => [{ percent_off => 10, items => { sku => ['TEA'] } }] });
publish('frail', "return promotion { id = 'frail', name = 'Frail', class = 'line', apply = function(cart)\n"
    . "  if cart:items():quantity() > 3 then error('many') end\n  cart:items():amount_off(5, 'Frail', 'line')\nend }");
ok($pos->wait_for('the book', 10, sub { applied($tea) =~ /frail.*tea-off/ }), 'they are live');
ok($pos->wait_for('the first quotes', 10, sub { counts('tea-off')->{evaluated} == $shown }), 'the quotes that showed it are counted');
my %then = map { $_ => counts($_) } qw(tea-off rich frail);

subtest 'counted' => sub {
    my $quotes = 40;
    $pos->quote($tea,  %shop) for 1 .. $quotes;
    $pos->quote($both, %shop) for 1 .. 3;
    ok(reaches('tea-off', evaluated => $quotes + 3), 'each quote, whichever worker made it');
    is_deeply(since('tea-off'), { evaluated => 43, applied => 43, discount => 7 * (2 * $quotes + 4 * 3), script_errors => 0 }, 'what was given');
    is_deeply(since('rich'), { evaluated => 43, applied => 0, discount => 0, script_errors => 0 }, 'one that never held was looked at');
    is_deeply(since('frail'), { evaluated => 43, applied => $quotes, discount => 5 * $quotes, script_errors => 3 }, 'where its script failed');
    my $s = stats('frail');
    my $us = $s->{totals}[0]{script_us};
    ok($us > 0 && $us < 1_000_000, "its script took $us microseconds");
    is(stats('tea-off')->{totals}[0]{script_us}, 0, 'one without a script took none');
    is($s->{state}, 'active', 'how it stands');
    is_deeply([map { "$_->{currency} $_->{evaluated}" } @{ $s->{days} }], ["GBP " . $s->{totals}[0]{evaluated}], 'all today');
    is($s->{days}[0]{day}, $s->{until}, 'which is the last of the days');
    is_deeply($s->{limits}, [], 'it has no limits');
};

subtest 'batches and other currencies' => sub {
    my $before = counts('tea-off');
    my $r = $pos->request('POST', '/v1/quotes/batch', %shop, headers => { 'Content-Type' => 'application/x-ndjson' }, body => join '', map { PosTest::json($tea) . "\n" } 1 .. 5);
    is($r->{status}, 200, 'a batch') or diag($r->{body});
    ok(reaches('tea-off', evaluated => $before->{evaluated} - $then{'tea-off'}{evaluated} + 5), 'counts each cart');
    is($pos->quote({ %$tea, currency => 'USD', store => 'new-york' }, %shop)->{json}{promotions}[0]{id}, 'frail', 'dollars');
    my $s;
    ok($pos->wait_for('dollars', 10, sub { $s = stats('tea-off'); @{ $s->{totals} } == 2 }), 'another currency stands apart');
    is_deeply([map { "$_->{currency} " . ($_->{currency} eq 'USD' ? "$_->{evaluated} $_->{discount}" : '') } @{ $s->{totals} }], ['GBP ', 'USD 1 14'], 'by its name');
};

subtest 'what would be is not counted' => sub {
    publish({ id => 'later', name => 'Later', class => 'line', active => { from => '2036-01-01T00:00:00Z' }, then => [{ amount_off => 3, items => { sku => ['TEA'] } }] });
    my $then = { %$tea, at => '2036-01-02T09:00:00Z' };
    ok($pos->wait_for('the book', 10, sub { grep { $_->{id} eq 'later' } @{ $pos->quote($then)->{json}{promotions} } }), 'it will be');
    my $before = since('tea-off')->{evaluated};
    $pos->quote($then) for 1 .. 5;
    $pos->quote($tea, %shop);
    ok(reaches('tea-off', evaluated => $before + 1), 'only what is bought now counts');
    is_deeply(stats('later')->{totals}, [], 'and what is yet to start gave nothing');
};

subtest 'nothing is lost by a reload, nor while the database is away' => sub {
    my $before = since('tea-off')->{evaluated};
    $pos->quote($tea, %shop) for 1 .. 10;
    $pos->reload;
    ok(reaches('tea-off', evaluated => $before + 10), 'a worker that leaves tells its last ones');
    is($pos->stop_postgres, 0, 'the database stops');
    $pos->quote($tea, %shop) for 1 .. 10;
    ok($pos->wait_for('a worker to notice', 10, sub { $pos->log_text =~ /statistics wait for the database/ }), 'they cannot be told');
    $pos->quote($tea, %shop) for 1 .. 10;
    is($pos->start_postgres, 0, 'and is back');
    ok(reaches('tea-off', evaluated => $before + 30), 'they are told then');
};

subtest 'what is asked for' => sub {
    is($pos->get('/v1/promotions/tea-off/stats?from=2020-01-01&until=2020-12-31')->{json}{days}[0], undef, 'other days have others');
    PosTest::is_problem($pos->get('/v1/promotions/tea-off/stats?from=2026-02-01&until=2026-01-31'), 422, 'invalid', 'days the wrong way round');
    PosTest::is_problem($pos->get('/v1/promotions/tea-off/stats?from=2020-01-01&until=2026-01-31'), 422, 'invalid', 'too many days');
    PosTest::is_problem($pos->get('/v1/promotions/tea-off/stats?from=yesterday'), 422, undef, 'no day at all');
    is($pos->get('/v1/promotions/tea-off/stats?from=0000-01-01')->{json}{errors}[0]{pointer}, '/query/from', 'which is named');
    PosTest::is_problem($pos->get('/v1/promotions/nothing/stats'), 404, 'not_found', 'a promotion that is not there');
    PosTest::is_problem($pos->get('/v1/promotions/tea-off/stats', %shop), 403, undef, 'a storefront does not see them');
};

$pos->finish;
done_testing;

sub stats { my ($id) = @_; return $pos->get("/v1/promotions/$id/stats")->{json} }

sub counts {
    my ($id) = @_;
    my ($t) = grep { $_->{currency} eq 'GBP' } @{ stats($id)->{totals} };
    return { map { $_ => $t->{$_} // 0 } qw(evaluated applied discount script_errors) };
}

sub since {
    my ($id) = @_;
    my $now = counts($id);
    return { map { $_ => $now->{$_} - $then{$id}{$_} } keys %$now };
}

sub reaches {
    my ($id, $what, $n) = @_;
    my $got;
    return $pos->wait_for("$what of $id", 15, sub { $got = since($id)->{$what}; $got >= $n }) && $got == $n || !diag("$what: $got, not $n");
}

sub publish {
    my ($document, $source) = @_;
    my $id = ref $document ? $document->{id} : $document;
    my $r  = $source ? $pos->put_lua($id, $source) : $pos->put("/v1/promotions/$id", $document);
    ok($r->{status} =~ /^20/, "$id is written") or diag($r->{body});
    is($pos->publish($id)->{status}, 200, 'and published');
    return;
}

sub applied {
    my ($cart) = @_;
    my @applied = sort map { $_->{id} } @{ $pos->quote($cart, %shop)->{json}{promotions} };
    $shown += grep { $_ eq 'tea-off' } @applied;
    return "@applied";
}
