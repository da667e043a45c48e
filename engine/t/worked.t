#!/usr/bin/perl
# The worked examples of docs/pricing.md, to the cent.

use strict;
use warnings;
use FindBin;
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $calc = "$FindBin::Bin/../../" . ($ENV{BUILD} || 'build') . '/poscalc';
plan skip_all => "no $calc: build first" unless -x $calc;
my $dir  = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->canonical;

sub quote {
    my ($prices, $promotions, $request) = @_;
    my $book = {
        retailer => { code => 'acme', currency => 'GBP', timezone => 'Europe/London', shipping_tax_category => 'standard', points_per => 100 },
        stores => [ { code => 'london', tax_region => 'GB', timezone => 'Europe/London' } ],
        products => [ map { { sku => $_, name => $_, unit => $_ eq 'KG' ? 'kg' : 'each', tax_category => 'standard' } } sort keys %$prices ],
        price_lists => [ { code => 'base', currency => 'GBP', tax_included => JSON::PP::true, priority => 0 } ],
        prices => [ map { { sku => $_, list => 'base', amount => $prices->{$_} } } sort keys %$prices ],
        taxes => [ { region => 'GB', category => 'standard', code => 'vat', percent => 20 } ],
        promotions => $promotions,
    };
    open my $f, '>', "$dir/book" or die $!;
    print $f $json->encode($book);
    close $f;
    open $f, '>', "$dir/in" or die $!;
    print $f $json->encode({ store => 'london', at => '2026-11-27T09:00:00Z', %$request }), "\n";
    close $f;
    return $json->decode(scalar `$calc --book $dir/book < $dir/in`);
}

my $half = { id => 'second-half', name => 'Second pair half price', class => 'line',
    then => [ { buy => [ { items => {}, quantity => 1 } ], get => [ { items => {}, quantity => 1, percent_off => 50 } ] } ] };
my $off = { id => '25-off-order', name => '25 off', class => 'order', then => [ { amount_off => 2500 } ] };
my $ship = { id => 'free-shipping', name => 'Free shipping', class => 'shipping', then => [ { percent_off => 100 } ] };

my $q = quote({ S1 => 4999 }, [ $half, $off, $ship ],
    { lines => [ { id => '1', sku => 'S1', quantity => 2 } ], shipping => { method => 'standard', amount => 495 } });
is($q->{total}, 4998, 'second pair half price, 25.00 off, free shipping: 49.98');
is_deeply($q->{lines}[0]{units}, [ { quantity => 1, paid => 3332 }, { quantity => 1, paid => 1666 } ], 'each unit knows what it paid');
is_deeply([ @$q{qw(subtotal discount shipping_total tax points)} ], [ 9998, 5495, 0, 833, 49 ], 'and the figures around it');
is_deeply([ map { [ @$_{qw(promotion amount quantity)} ] } @{ $q->{lines}[0]{adjustments} } ],
    [ [ 'second-half', -2500, 1 ], [ '25-off-order', -2500, undef ] ], 'each discount is named on its line');
is_deeply($q->{promotions}, [ { id => 'second-half', amount => 2500, times => 1 }, { id => '25-off-order', amount => 2500 },
    { id => 'free-shipping', amount => 495 } ], 'and on the order');
ok($q->{optimal}, 'proved');

$q = quote({ T => 95 }, [ { id => 'ten', name => 'ten', class => 'line', then => [ { percent_off => 10 } ] },
    { id => 'third', name => 'third', class => 'line', then => [ { nth => { items => {}, group => 3, position => 3, percent_off => 100 } } ] } ],
    { lines => [ { sku => 'T', quantity => 3 } ] });
is($q->{total}, 171, '3 × 95 with 10 % off and one of three free: each class is rounded once');

my @twice = map { { id => "p$_", name => "p$_", class => 'line', then => [ { percent_off => $_ } ] } } 10, 20;
is(quote({ C => 10000 }, \@twice, { lines => [ { sku => 'C', quantity => 1 } ] })->{total}, 7200, '10 % and then 20 % off 100.00 leave 72.00');
$_->{then}[0]{of} = 'original' for @twice;
is(quote({ C => 10000 }, \@twice, { lines => [ { sku => 'C', quantity => 1 } ] })->{total}, 7000, 'of the original they leave 70.00');

$q = quote({ KG => 1299 }, [], { lines => [ map { { sku => 'KG', quantity => $_ } } 0.354, 0.354 ] });
is_deeply([ map { $_->{total} } @{ $q->{lines} } ], [ 460, 460 ], 'a measured amount is rounded once, at its line, and lines are not merged');

my $best = quote({ A => 1000, B => 600 }, [
    { id => 'x', name => 'x', class => 'line', priority => 5, stacking => 'exclusive', then => [ { percent_off => 5 } ] },
    { id => 'y', name => 'y', class => 'line', stacking => 'exclusive', then => [ { percent_off => 30, items => { sku => ['A'] } } ] } ],
    { lines => [ { sku => 'A', quantity => 1 }, { sku => 'B', quantity => 1 } ] });
is($best->{total}, 700 + 570, 'exclusive promotions are settled item by item, for the customer');

my $many = quote({ S1 => 4999 }, [ $half ], { lines => [ { sku => 'S1', quantity => 100000 } ] });
is($many->{promotions}[0]{times}, 50000, 'a deal over 100,000 units is as quick as over two');
cmp_ok(scalar @{ $many->{lines}[0]{units} }, '<=', 4, 'and its units are told in runs');

done_testing;
