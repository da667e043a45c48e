#!/usr/bin/perl
# The engine against a slow, plain calculator written from the pricing rules alone: random
# small carts, every permitted choice tried. POS_ORACLE_CARTS (3000) of them from POS_SEED (1).

use strict;
use warnings;

use FindBin;
use IPC::Open3 qw(open3);
use JSON::PP;
use Test::More;

my $dir   = "$FindBin::Bin/oracle";
my $build = $ENV{POS_BUILD} || "$FindBin::Bin/../build";
my $carts = $ENV{POS_ORACLE_CARTS} || 3000;
my $seed  = $ENV{POS_SEED} || 1;

# Once the engine proves every small cart, this is 1: then an answer that is not proved fails.
# Three of three thousand are not yet; no better choice than theirs is known.
my $prove = 0;

# What the engine does not do yet: the share of carts (in percent) that may show it, and why.
# A kind that no longer occurs must go from here (a rare one need not occur in every run).
my %open = (
    'another choice of a tie: units'           => [0.2, 'where the first step proves a choice it is kept, though another takes earlier units'],
    'another choice of a tie: used promotions' => [0.2, 'or uses a promotion of greater priority, for the same'],
    'another choice of a tie: points'          => [0.1, 'or gives more points'],
);

# What the rules themselves work out.
my $example = '{"currency": "GBP", "store": "london", "channel": "web", "at": "2026-11-27T09:00:00Z",'
    . '"lines": [{"id": "1", "sku": "%s", "quantity": %d}]%s}';
my ($pairs, $threes) = answers("$dir/example.json",
    sprintf($example, 'S1', 2, ',"shipping": {"method": "standard", "amount": 495}'), sprintf($example, 'S2', 3, ''));
is_deeply([@$pairs{qw(total discount tax points)}, $pairs->{items}[0]{units}], [4998, 5495, 833, 49, [3332, 1666]],
    'second pair half price, 25.00 off the order, free shipping');
is_deeply([$threes->{total}, $threes->{items}[0]{units}], [171, [86, 85, 0]], '3 at 95, 10 % off and one of three free');

my ($code, $made, $said) = command('generator.py', 1, 300);
is($code, 0, 'books and carts are made') or diag($said);
is((command('generator.py', '--print', 7))[1], (command('generator.py', '--print', 7))[1], 'the same for the same seed');
my ($greedy) = $made =~ /greedy is not the optimum: ([\d.]+) %/;
cmp_ok($greedy, '>=', 30, 'often the promotion of greatest priority is not the best choice');
my ($mixes, $narrow) = $made =~ /mix deals: (\d+), of which (\d+) overlap with fewer than three others/;
ok($mixes && !$narrow, 'every mix-and-match deal competes with at least three others');
my @missing = grep { $made !~ /\d  \Q$_\E$/m } words();
is("@missing", '', 'every effect, filter, condition, stacking, limit and floor occurs');

($code, my $out, $said) = command('compare.py', '--poscalc', "$build/poscalc", '--carts', $carts, '--seed', $seed,
    '--jobs', 2, '--json', ($prove ? '--prove' : ()), map { ('--known', $_) } sort keys %open);
my $found = eval { decode_json($out) } or BAIL_OUT("compare.py: $said");
my $tally = $found->{tally};
cmp_ok($tally->{compared}, '>=', 0.97 * $carts, 'nearly all carts are compared');
cmp_ok($tally->{'not proved'} // 0, '<=', 3 + 0.002 * $carts, 'nearly all small carts are proved');
cmp_ok($tally->{'not proved, and worse'} // 0, '<=', $carts / 20_000, 'and the others are as cheap as can be');
my %kinds = %{ $found->{differences} };
for my $kind (sort keys %kinds) {
    my $share = sprintf '%.2f', 100 * $kinds{$kind} / $carts;
    if (my $known = $open{$kind}) {
        # a few carts more or less are chance
        ok($kinds{$kind} <= 3 + $carts * $known->[0] / 100, "$kind: $share % of carts, $known->[1]");
        next;
    }
    fail("$kind: $share % of carts");
    diag(grep { index($_, $kind) == 0 } @{ $found->{examples} });
}
ok(!keys %kinds || !grep({ !$open{$_} } keys %kinds), 'the engine and the oracle agree on all else');
if ($carts >= 3000 && $seed == 1) {
    my @mended = grep { !$kinds{$_} && $open{$_}[0] > 0.5 } sort keys %open;
    is("@mended", '', 'what is known to be wrong still is');
}
note(map { sprintf "%8s  %s\n", $tally->{$_}, $_ } sort keys %$tally);
done_testing;

sub answers {
    my ($book, @requests) = @_;
    my $pid = open3(my $in, my $from, undef, python(), "$dir/oracle.py", $book);
    print $in "$_\n" for @requests;
    close $in;
    my @got = map { decode_json($_) } <$from>;
    waitpid $pid, 0;
    return @got;
}

sub command {
    my ($program, @args) = @_;
    my $log = "$build/oracle-$$.log";
    my $pid = open3(my $in, my $from, undef, 'sh', '-c', 'log=$1; shift; exec "$@" 2>"$log"', 'sh', $log, python(), "$dir/$program", @args);
    close $in;
    my $got = do { local $/; <$from> };
    waitpid $pid, 0;
    my $status = $? >> 8;
    open my $f, '<', $log or die "$log: $!";
    my $err = do { local $/; <$f> } // '';
    unlink $log;
    return ($status, $got // '', $err);
}

sub python { return -x '/usr/bin/python3' ? '/usr/bin/python3' : 'python3' }

sub words {
    return (
        (map { "stacking $_ line" } qw(combine exclusive group alone)), (map { "stacking $_ order" } qw(combine exclusive group)),
        (map { "filter $_" } qw(sku category brand tag attribute unit_price on_sale not {})),
        (map { "condition $_" } qw(all any not items line distinct weight_grams customer store channel tender fulfilment ship_to attribute quantity amount),
            'subtotal after line', 'subtotal after none', map { "customer $_" } qw(groups ids orders birthday known)),
        (map { "line $_" } qw(percent_off amount_off unit_price tiers max_units max_amount), 'per unit', 'per line', 'per all',
            'of original', 'choose cheapest', 'choose priciest', 'count line', 'count all', qw(price_override discount tax_category)),
        (map { "deal $_" } 'buy quantity', 'buy amount', 'get percent_off', 'get amount_off', 'get unit_price', 'nth position', 'nth order cheapest',
            'bundle price', 'bundle percent_off', 'bundle amount_off', 'bundle repeat', 'buy choose cheapest', 'buy choose priciest'),
        (map { "order $_" } qw(percent_off amount_off price tiers max_amount shipping)), (map { "shipping $_" } qw(percent_off amount_off price methods)),
        'gift', 'gift per', 'points add', 'points multiply', 'message', "effect's when", 'limit uses per order', 'limit amount per order',
        (map { "promotion $_" } qw(coupon floor tax_basis when)), (map { "active $_" } qw(from until weekdays hours)),
        'product min_price', 'product fees', 'measured line', 'compound tax', "destination's tax", 'tax included', 'tax excluded', 'tax exempt',
        (map { "rounding $_" } qw(half_up half_even down)), 'tax_rounding line', 'tax_rounding order', 'cash_rounding 5', 'optimise priority',
        (map { "currency $_" } qw(GBP JPY KWD)), 'sale price', 'quantity price', 'list club',
    );
}
