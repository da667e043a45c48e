#!/usr/bin/perl
# A merchandiser tries a promotion on carts before anybody else sees it: with it and
# without it, at any time, explained; and nothing is stored or sold by it.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use PosTest;
use Test::More;

my $pos  = PosTest->start(workers => 1);
my $path = '/v1/promotions/tea';
my %cart = (currency => 'GBP', store => 'london', channel => 'web');

sub put { my ($off, %more) = @_; return $pos->put($path, { id => 'tea', class => 'line', then => [{ amount_off => $off, per => 'line', items => { sku => ['TEA'] } }], %more }) }
sub simulate { my ($body) = @_; return $pos->post("$path/simulations", $body) }
sub explained { my ($quote, $id) = @_; return (grep { $_->{id} eq $id } @{ $quote->{explain} || [] })[0] }

sub stored { return join ' ', map { $pos->sql($_) } 'select count(*) from pos.audit', 'select string_agg(rev::text, \',\' order by rev) from pos.revision' }

is(put(7)->{status}, 201, 'a draft');
my @carts = ({ %cart, lines => PosTest::lines('TEA', 2) }, { %cart, lines => PosTest::lines('BISCUITS', 1) });
my $before = stored();

subtest 'a draft, with and without' => sub {
    my $r = simulate({ carts => \@carts });
    is($r->{status}, 200, 'simulated') or diag($r->{body});
    my ($tea, $biscuits) = @{ $r->{json}{carts} };
    is_deeply($tea->{difference}, { total => -7, discount => 7, tax => $tea->{with}{tax} - $tea->{without}{tax}, points => $tea->{difference}{points} }, 'it takes 7 off tea');
    is_deeply($biscuits->{difference}, { total => 0, discount => 0, tax => 0, points => 0 }, 'and nothing off biscuits');
    ok(explained($tea->{with}, 'tea')->{applied}, 'explained: it applied');
    ok(!explained($tea->{without}, 'tea'), 'and without it is not there');
    is_deeply($r->{json}{totals}, [{ currency => 'GBP', carts => 2, changed => 1, with => $tea->{with}{total} + $biscuits->{with}{total},
        without => $tea->{without}{total} + $biscuits->{without}{total}, difference => -7 }], 'added up');
    my $sold = $pos->quote({ lines => PosTest::lines('TEA', 2), explain => Cpanel::JSON::XS::true() })->{json};
    for my $q ($sold, $tea->{without}) { delete @$q{qw(at token)} }
    is_deeply($tea->{without}, $sold, 'without it is what the shop sells by');
    ok(!$tea->{with}{token}, 'no price is promised');
};

subtest 'any version, at any time' => sub {
    put(9, active => { from => '2031-01-01T00:00:00', until => '2031-02-01T00:00:00' });
    my $r = simulate({ carts => [$carts[0]] });
    is($r->{json}{totals}[0]{difference}, 0, 'the newest is not live yet');
    is(explained($r->{json}{carts}[0]{with}, 'tea')->{reason}, 'not_started', 'which is explained');
    is(simulate({ at => '2031-01-15T12:00:00Z', carts => [$carts[0]] })->{json}{totals}[0]{difference}, -9, 'but will be');
    is(simulate({ at => '2031-01-15T12:00:00Z', carts => [{ %{ $carts[0] }, at => '2031-02-01T00:00:00Z' }] })->{json}{totals}[0]{difference}, 0, 'a cart\'s own time goes first');
    is(simulate({ version => 1, carts => [$carts[0]] })->{json}{totals}[0]{difference}, -7, 'the first version');
    is(simulate({ from => '2020-01-01T00:00:00', carts => [$carts[0]] })->{json}{totals}[0]{difference}, -9, 'or as if scheduled otherwise');
    is(stored(), $before =~ s/^(\d+)/$1 + 1/er, 'nothing was stored but the version that was put');
};

subtest 'what is live already' => sub {
    my $r = $pos->publish('tea', { version => 1 });
    my ($rev) = $r->{headers}{'pos-revision'} =~ /^(\d+)/;
    $pos->wait_for('the book', 10, sub { $pos->at_revision($rev) });
    is(simulate({ version => 1, carts => [$carts[0]] })->{json}{totals}[0]{difference}, -7, 'against the shop without it');
    put(11);
    $r = simulate({ carts => [$carts[0]] });
    is($r->{json}{totals}[0]{difference}, -11, 'a new version in its place');
    is(scalar(grep { $_->{id} eq 'tea' } @{ $r->{json}{carts}[0]{with}{promotions} }), 1, 'not beside it');
};

subtest 'scripts' => sub {
    $pos->put_lua('lua', "return promotion { id = 'lua', class = 'line', apply = function(cart) cart:items { sku = { 'TEA' } }:amount_off(13, 'Lua', 'line') end }");
    my $r = $pos->post('/v1/promotions/lua/simulations', { carts => [$carts[0]] });
    is($r->{json}{totals}[0]{difference}, -13, 'a script is tried as it is') or diag($r->{body});
    $pos->put_lua('lua', "return promotion { id = 'lua', class = 'line', apply = function(cart) while true do end end }");
    $r = $pos->post('/v1/promotions/lua/simulations', { carts => [$carts[0]] });
    is(explained($r->{json}{carts}[0]{with}, 'lua')->{reason}, 'script_error', 'one without end ends by its limit');
};

subtest 'refused' => sub {
    my $r = simulate({ carts => [$carts[0], { %cart, lines => PosTest::lines('NONE', 1, 'TEA', 1, 'NEITHER', 1) }] });
    PosTest::is_problem($r, 422, 'invalid_request', 'a cart that cannot be priced');
    is_deeply([map { "$_->{code} $_->{pointer}" } @{ $r->{json}{errors} }], ['unknown_sku /carts/1/lines/0/sku', 'unknown_sku /carts/1/lines/2/sku'], 'each place is named') or diag($r->{body});
    PosTest::is_problem(simulate({ carts => [] }), 422, 'invalid_request', 'no carts');
    PosTest::is_problem(simulate({ carts => [($carts[0]) x 51] }), 422, 'invalid_request', 'too many');
    PosTest::is_problem(simulate({ carts => [$carts[0]], version => 99 }), 422, 'invalid', 'no such version');
    PosTest::is_problem($pos->post('/v1/promotions/none/simulations', { carts => [$carts[0]] }), 404, 'not_found', 'no such promotion');
    PosTest::is_problem($pos->post("$path/simulations", { carts => [$carts[0]] }, key => $pos->key('storefront')), 403, 'scope_required', 'not for a storefront');
};

subtest 'a script that is live is not tried in earnest' => sub {
    # It fails on tea for nobody, and a hundred quotes in a row suspend it.
    $pos->put_lua('frail', "return promotion { id = 'frail', class = 'line', apply = function(cart) if cart:items { sku = { 'TEA' } }:quantity() > 0 then local x = cart.customer.id end end }");
    my $r = $pos->publish('frail', {});
    my ($rev) = $r->{headers}{'pos-revision'} =~ /^(\d+)/;
    $pos->wait_for('the book', 10, sub { $pos->at_revision($rev) });
    my $fails = sub { $pos->quote({ lines => PosTest::lines('TEA', 2) }) for 1 .. shift };
    $pos->quote({ lines => PosTest::lines('BISCUITS', 1) });    # and once more from the start
    $fails->(1);
    # 98 calls that fail; and two that do not, which excuse nothing either.
    $r = simulate({ carts => [($carts[0]) x 49, $carts[1]] });
    is(explained($r->{json}{carts}[0]{without}, 'frail')->{reason}, 'script_error', 'it fails in a simulation of another') or diag($r->{body});
    $fails->(98);
    is($pos->get('/v1/promotions/frail')->{json}{state}, 'active', 'which counts for nothing: 99 quotes');
    $fails->(1);
    $pos->wait_for('the hundredth', 10, sub { $pos->get('/v1/promotions/frail')->{json}{state} eq 'suspended' }) or fail('nor is it forgotten: the hundredth suspends');
};

# Sends them all at once, and quotes one after the other until all are answered: how many
# were answered by the first answer, and by the last.
sub quotes_during {
    my ($body, $count) = @_;
    my $till = $pos->connect;
    my %waits = map { $_ => $_ } map { $pos->connect } 1 .. $count;
    my $text = $pos->request_text('POST', "$path/simulations", json => $body);
    my ($first, $quotes, @answered) = (undef, 0);
    PosTest::send_all($_, $text, 20) for values %waits;
    while (%waits) {
        my $r = $pos->quote({ lines => PosTest::lines('BISCUITS', 1) }, socket => $till);
        die "a quote failed: $r->{status} $r->{body}" if $r->{status} != 200;
        $quotes++;
        for my $s (IO::Select->new(values %waits)->can_read(0)) {
            $first //= $quotes;
            push @answered, delete $waits{$s};
        }
    }
    # Read now: they are long, and the till would stand still meanwhile.
    my @statuses = map { PosTest::read_answer($_, 'POST', 20)->{status} } @answered;
    return { first => $first, last => $quotes, statuses => join(' ', @statuses) };
}

subtest 'the worker sells meanwhile' => sub {
    my @goods = map { $_->{sku} } grep { ($_->{unit} // '') eq 'each' } @{ $pos->get('/v1/products?limit=200')->{json}{data} };
    my @big = map { { %cart, lines => PosTest::lines(map { $_ => 2 } @goods) } } 1 .. 50;
    cmp_ok(scalar @goods, '>', 100, 'carts of many lines');
    is(simulate({ carts => [$carts[0]] })->{status}, 200, 'the book is as new as the shop');
    # The first pays for what the others find warm: memory, products, the till's own connection.
    quotes_during({ carts => \@big }, 1);
    my $one  = quotes_during({ carts => \@big }, 1);
    my $many = quotes_during({ carts => \@big }, 8);
    is($many->{statuses}, join(' ', (200) x 8), 'eight at once');
    # All at once they would leave a till as few turns as one does; and end together.
    cmp_ok($one->{last}, '>', 10, 'quotes beside one');
    cmp_ok($many->{last}, '>', 4 * $one->{last}, "and beside eight for as much longer ($one->{last}, $many->{last})");
    cmp_ok(2 * $many->{first}, '<', $many->{last}, "the first does not wait for the others ($many->{first})");
    # A client that goes away leaves nothing behind: the end of this test looks for it.
    for (1 .. 5) {
        my $s = $pos->connect;
        print $s $pos->request_text('POST', "$path/simulations", json => { carts => \@big });
        close $s;
    }
    is(simulate({ carts => [$carts[0]] })->{status}, 200, 'nor does it keep its turn');
};

done_testing;
