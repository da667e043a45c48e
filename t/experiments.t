#!/usr/bin/perl
# Two arms, the same for a customer on every worker and after a restart, in shares of their
# weights; orders that keep them; what each arm did; the winner for everybody, in one call.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Time::HiRes qw(time);
use PosCarts qw(price_all);
use PosTest;
use Test::More;

my $pos  = PosTest->start(workers => 2);
my $path = '/v1/experiments/delivery';
my %arm_of;

subtest 'in shares of the weights' => sub {
    my @weight = ([a => 1], [b => 3], [c => 6]);
    my $book = { retailer => { code => 'r', currency => 'GBP' }, products => [{ sku => 'S' }],
        price_lists => [{ code => 'l', currency => 'GBP' }], prices => [{ sku => 'S', list => 'l', amount => 100 }],
        promotions => [{ id => 'p', class => 'order', experiment => { code => 'e', arm => 'b' }, then => [{ amount_off => 1 }] }],
        experiments => [{ code => 'e', arms => [map { { code => $_->[0], weight => $_->[1] } } @weight] }] };
    my @customers = map { "cus_$_" } 1 .. 10_000;
    my ($quotes) = price_all({ book => $book, requests => [map { { currency => 'GBP', customer => { id => $_ }, lines => [{ sku => 'S', quantity => 1 }] } } @customers] });
    my (%n, $wrong);
    for my $q (@$quotes) {
        my $told = $q->{experiments}[0]{arm};
        $n{$told}++;
        $wrong++ if ($q->{discount} == 1) != ($told eq 'b');
    }
    is($wrong, undef, 'who is told to be in an arm gets what it gets');
    my $chi = 0;
    $chi += ($n{ $_->[0] } - 1000 * $_->[1])**2 / (1000 * $_->[1]) for @weight;
    cmp_ok($chi, '<', 9.21, "chi-square $chi of two degrees of freedom, which one in a hundred exceeds: " . join ' ', map { $n{ $_->[0] } } @weight);
};

subtest 'an experiment runs' => sub {
    my $r = $pos->put($path, { name => 'ten or twenty', arms => [{ code => 'ten' }, { code => 'twenty' }] });
    is_deeply([$r->{status}, $r->{json}{state}], [201, 'running'], 'from its put') or diag($r->{body});
    for my $arm (['ten', 10], ['twenty', 20]) {
        $pos->put("/v1/promotions/tea-$arm->[0]", { id => "tea-$arm->[0]", class => 'line', experiment => { code => 'delivery', arm => $arm->[0] },
            then => [{ amount_off => $arm->[1], per => 'line', items => { sku => ['TEA'] } }] });
        $r = $pos->publish("tea-$arm->[0]");
        is($r->{status}, 200, "$arm->[0] is live") or diag($r->{body});
    }
    my ($rev) = $r->{headers}{'pos-revision'} =~ /^(\d+)/;
    $pos->wait_for('the book', 10, sub { $pos->at_revision($rev) });
    for my $n (1 .. 60) {
        my $q = quote("cus_$n");
        my $e = $q->{experiments};
        is_deeply([map { [@$_{qw(code unit)}] } @$e], [['delivery', 'customer']], "cus_$n is part of it") or return;
        is(off($q), { ten => 10, twenty => 20 }->{ $e->[0]{arm} }, 'and gets what its arm gets');
        $arm_of{"cus_$n"} = $e->[0]{arm};
    }
    my $ten = grep { $_ eq 'ten' } values %arm_of;
    ok($ten > 10 && $ten < 50, "both arms have their customers: $ten of 60 in the first");
    is(quote(undef)->{experiments}, undef, 'a cart of nobody is part of nothing');
    is($pos->quote({ session => 's1', lines => PosTest::lines('TEA', 1) })->{json}{experiments}[0]{unit}, 'session', 'one without a customer goes by its session');
    is($pos->quote({ customer => { id => 'cus_1' }, lines => PosTest::lines('KETTLE-WHITE', 1) })->{json}{experiments}, undef, 'nor one of other goods');
};

subtest 'a customer stays in an arm' => sub {
    is(moved(16), 0, 'on every worker');
    $pos->reload;
    is(moved(4), 0, 'after a reload');
    $pos->stop;
    $pos->start_again;
    $pos->wait_for('the shop', 10, sub { $pos->quote({ lines => PosTest::lines('TEA', 1) })->{status} == 200 });
    is(moved(4), 0, 'and after a restart of everything');
};

subtest 'orders keep their arms' => sub {
    my $n = 0;
    my @orders = map {
        my $q = quote($_);
        { id => 'o' . ++$n, at => $q->{at}, store => 'london', channel => 'web', customer => { id => $_ }, experiments => $q->{experiments}, total => $q->{total},
            lines => [map { { sku => $_->{sku}, quantity => $_->{quantity}, unit_price => $_->{unit_price}, discount => $_->{discount}, cost => 150 } } @{ $q->{lines} }] };
    } sort keys %arm_of;
    my %twice = (%{ $orders[0] }, experiments => [{ code => 'delivery', arm => 'ten' }, { code => 'delivery', arm => 'twenty' }]);
    my $bad = $pos->import_book({ orders => [\%twice] });
    is_deeply($bad->{json}{result}{errors}[0]{pointer}, '/orders/0/experiments/1/code', 'an order is in one arm of it') or diag($bad->{body});
    my $job = $pos->import_book({ orders => \@orders });
    is($job->{json}{status}, 'succeeded', 'sixty orders') or diag($job->{body});
    my $first = $pos->get('/v1/order-history?limit=1')->{json}{data}[0];
    is_deeply($first->{experiments}, [{ code => 'delivery', arm => $arm_of{ $first->{customer}{id} } }], 'as they say');
    PosTest::is_problem($pos->put($path, { arms => [{ code => 'ten', weight => 2 }, { code => 'twenty' }] }), 409, 'in_use', 'now the weights stay as they are');
    is($pos->put($path, { name => 'tea', arms => [{ code => 'ten' }, { code => 'twenty' }] })->{status}, 200, 'but not the name');
    $job = $pos->import_book({ experiments => [{ code => 'delivery', arms => [{ code => 'ten' }] }] });
    is($job->{json}{result}{errors}[0]{code}, 'in_use', 'an import does not change them either') or diag($job->{body});
};

subtest 'what each arm did' => sub {
    my $r = $pos->get("$path/results");
    is($r->{status}, 200, 'results') or diag($r->{body});
    my ($ten, $twenty) = @{ $r->{json}{currencies}[0]{arms} };
    my %n = (ten => 0, twenty => 0);
    $n{$_}++ for values %arm_of;
    is_deeply([map { @$_{qw(arm orders subjects)} } $ten, $twenty], [map { ($_, $n{$_}, $n{$_}) } qw(ten twenty)], 'who');
    my $price = $ten->{order_value}{mean} + 10;
    is($ten->{revenue}, ($price - 10) * $n{ten}, 'what they paid');
    is($twenty->{discount}, 20 * $n{twenty}, 'what came off');
    is($twenty->{order_value}{difference}{value}, -10, 'each order of the second arm brought ten less');
    is($twenty->{order_value}{difference}{low}, undef, 'of what never varies there is no interval');
    is($twenty->{known_cost_percent}, 100, 'all costs are known');
    ok(!$r->{json}{sample_ratio}{suspect}, 'the arms got their shares');
    is_deeply([@{ $r->{json}{sample_ratio}{arms}[0] }{qw(subjects expected)}], [$n{ten}, 30], 'of thirty each');
    is($pos->get("$path/results?until=2020-01-01T00:00:00Z")->{json}{orders}, 0, 'at another time there were none');
    PosTest::is_problem($pos->get('/v1/experiments/nix/results'), 404, 'not_found', 'nor of another experiment');
};

subtest 'the winner is for everybody' => sub {
    my %revision = map { $_ => 1 } map { quote("cus_$_")->{revision} } 1 .. 8;
    is(keys %revision, 1, 'one book');
    my ($before) = (keys %revision)[0] =~ /^(\d+)/;
    PosTest::is_problem($pos->post("$path/ship", { arm => 'thirty' }), 422, 'invalid', 'an arm that is not there');
    PosTest::is_problem($pos->post("$path/ship", { arm => 'twenty' }, headers => { 'If-Match' => '"0"' }), 412, 'precondition_failed', 'by what was read before');
    my $begun = time;
    my $r = $pos->post("$path/ship", { arm => 'twenty', reason => 'why not' }, headers => { 'Idempotency-Key' => 'ship-1' });
    is_deeply([@{ $r->{json} }{qw(state winner suspended)}], ['ended', 'twenty', ['tea-ten']], 'shipped') or diag($r->{body});
    my ($rev) = $r->{headers}{'pos-revision'} =~ /^(\d+)/;
    is($rev, $before + 1, 'in one revision');
    my $again = $pos->post("$path/ship", { arm => 'twenty', reason => 'why not' }, headers => { 'Idempotency-Key' => 'ship-1' });
    is($again->{body}, $r->{body}, 'a repeat is answered the same');
    ok($pos->wait_for('all get it', 10, sub { $pos->at_revision($rev) }), 'the book follows');
    note(sprintf 'on all workers after %.2f s', time - $begun);
    cmp_ok(time - $begun, '<', 5, 'at once, even here where much else runs');
    my @got = map { quote($_) } sort(keys %arm_of), undef;
    is_deeply([grep { off($_) != 20 || $_->{experiments} } @got], [], 'everybody gets it, and nobody is part of anything');
    my $v = $pos->get('/v1/promotions/tea-twenty/versions/2')->{json};
    is($v->{reason}, 'the experiment delivery shipped its arm twenty: why not', 'its version says why');
    is($v->{publications}[0]{reason}, $v->{reason}, 'and its publication');
    is($pos->get("$path/results")->{json}{winner}, 'twenty', 'the results stay');
    PosTest::is_problem($pos->post("$path/stop"), 409, 'illegal_state', 'what is ended is ended');
};

subtest 'a script gives its experiment up' => sub {
    $pos->put('/v1/experiments/lua', { arms => [{ code => 'all' }] });
    $pos->put_lua('tea-lua', "return promotion {\n  id = 'tea-lua', class = 'line', experiment = { code = 'lua', arm = 'all' },\n"
        . "  ['then'] = { { amount_off = 3, per = 'line', items = { sku = { 'TEA' } } } },\n}\n");
    my $r = $pos->publish('tea-lua');
    is($r->{status}, 200, 'live for those who are known') or diag($r->{body});
    is_deeply([grep { $_->{code} eq 'never_applied' } @{ $r->{json}{findings} }], [], 'its check priced it as if for everybody');
    $r = $pos->post('/v1/experiments/lua/ship', { arm => 'all' });
    is_deeply($r->{json}{published}, [{ id => 'tea-lua', version => 2 }], 'shipped') or diag($r->{body});
    ok($pos->wait_for('everybody', 10, sub { grep({ $_->{id} eq 'tea-lua' } @{ quote(undef)->{promotions} }) == 1 }), 'and given to all');
};

subtest 'every command of docs/experiments.md works' => sub {
    my ($n, $script) = (0, "set -euo pipefail\ncd '$PosTest::ROOT'\n");
    my $text = PosTest::slurp("$PosTest::ROOT/docs/experiments.md");
    while ($text =~ /^```sh\n(.*?)^```$/gms) {
        $n++;
        $script .= "$1\necho \"=== $n done\"\n";
    }
    cmp_ok($n, '>=', 6, 'the page has commands');
    PosTest::spurt("$pos->{dir}/guide.sh", $script);
    local $ENV{POS_PORT} = $pos->{port};
    local $ENV{POS_DIR}  = $pos->{dir};
    my $out = PosTest::command_output('timeout', 120, 'bash', "$pos->{dir}/guide.sh");
    is($? >> 8, 0, 'all of them succeed') or diag(substr $out, -3000);
    like($out, qr/=== $n done/, 'to the last');
    is($pos->get('/v1/experiments/kettles')->{json}{winner}, 'tenth', 'and ship the winner');
};

subtest 'an import without it' => sub {
    $pos->put('/v1/experiments/spring', { arms => [{ code => 'a' }] });
    $pos->put('/v1/experiments/unused', { arms => [{ code => 'a' }] });
    my $job = $pos->import_book({ orders => [{ id => 'x1', at => '2026-01-01T00:00:00Z', experiments => [{ code => 'spring', arm => 'a' }], lines => [] }] });
    is($job->{json}{status}, 'succeeded', 'an order of it') or diag($job->{body});
    $job = $pos->import_book({ experiments => [] });
    is($job->{json}{status}, 'succeeded', 'a book of none') or diag($job->{body});
    is($pos->get('/v1/experiments/spring')->{json}{state}, 'ended', 'ends it');
    is($pos->get('/v1/experiments/unused')->{status}, 404, 'what no order was part of is gone');
    is($pos->get('/v1/experiments/spring/results')->{json}{orders}, 1, 'its results stay');
};

done_testing;

sub quote {
    my ($customer) = @_;
    my $r = $pos->quote({ lines => PosTest::lines('TEA', 1), $customer ? (customer => { id => $customer }) : () });
    die "no quote: $r->{body}" if $r->{status} != 200;
    return $r->{json};
}

# What the arms' promotions take off.
sub off {
    my ($q) = @_;
    my $off = 0;
    $off += $_->{amount} for grep { $_->{id} =~ /^tea-t/ } @{ $q->{promotions} };
    return $off;
}

# Customers who are found in another arm, each asked for by several connections.
sub moved {
    my ($times) = @_;
    my $moved = 0;
    for my $customer (map { "cus_$_" } 1 .. 12) {
        for (1 .. $times) {
            $moved++ if quote($customer)->{experiments}[0]{arm} ne $arm_of{$customer};
        }
    }
    return $moved;
}
