#!/usr/bin/perl
# What public engines' own tests and documents come to, priced by ours: carts in
# the documents of the design, and allocations of an amount over parts. Where one
# contradicts the design, it is named here with the reason, and must still be
# answered otherwise: an entry that holds is to be taken away.
#
# The figures are others' work and not part of the project: they are looked for
# beside the checkout, and the test is skipped where they are not.
use v5.30;
use warnings;
use FindBin qw($Bin);
use lib "$FindBin::Bin/../../t/lib";
use PosCarts qw(price_all calculator encode decode slurp sum differences broken_invariants);
use Cpanel::JSON::XS ();
use Test::More;

my %CONTRADICTS = (
    'odoo-negative-line-10' => 'a price is never negative (a price of -500 is refused with its place)',
    'odoo-uses-1'           => 'the use counted before is not in the documents: there is no limit to be reached',
    'solidus-tier-lines-1'  => 'the base rate of 10 % is not in the documents: 10.00 reaches no tier of 20.00',
    'solidus-tier-jpy'      => 'the base rate of 10 % is not in the documents: 15 reaches no tier of 20',
);

my $calculator = calculator();
die "$calculator is not built" if !-x $calculator;
my @files = map { sort glob "$Bin/../../$_/shared/data/cases/*.json" } '..', '../..';
plan skip_all => 'the figures of peers are not here' if !@files;

my @carts  = map { my $page = decode(slurp($_)); ref $page eq 'ARRAY' ? @$page : $page } grep { !/splitting/ } @files;
my @splits = map { @{ decode(slurp($_)) } } grep { /splitting/ } @files;
my @answers = price_all((map { { book => $_->{book}, requests => [$_->{request}] } } @carts), (map { order_of($_) } @splits));
cart($_, shift(@answers)->[0]) for @carts;
split_amount($_, shift(@answers)->[0]) for @splits;
done_testing();

sub cart {
    my ($case, $out) = @_;
    my ($id, $expect) = @$case{qw(id expect)};
    my @bad = !$out ? 'no answer'
        : $out->{lines} ? (differences($expect, $out, $case->{tolerance_minor} // $expect->{tolerance_minor}), broken_invariants($out))
        :                 'a problem: ' . encode($out);
    if (my $why = $CONTRADICTS{$id}) {
        ok(@bad && $out, "$id: the design says otherwise: $why");
        return;
    }
    ok(!@bad, "$id: $case->{shows} ($case->{source})") or diag(map { "  $_\n" } @bad);
    return;
}

# The amount is an order's discount, the weights are its lines' prices: as many
# times over as it takes for them to bear the amount, which leaves the shares as
# they are; where they write a discount as an amount below zero, ours is the amount
# off. Parts are in order, so SKUs are too.
sub order_of {
    my ($case) = @_;
    my ($amount, $weights) = (abs $case->{amount}, $case->{weights});
    my $whole = sum(@$weights);
    my $times = $whole ? int(($amount + $whole - 1) / $whole) || 1 : 1;
    my @sku   = map { sprintf 'P%03d', $_ } 0 .. $#$weights;
    my $book  = {
        retailer    => { code => 'r', currency => 'GBP' },
        stores      => [{ code => 's' }],
        products    => [map { { sku => $_ } } @sku],
        price_lists => [{ code => 'base', currency => 'GBP', tax_included => Cpanel::JSON::XS::true }],
        prices      => [map { { sku => $sku[$_], list => 'base', amount => $weights->[$_] * $times } } 0 .. $#sku],
        promotions  => [{ id => 'p', class => 'order', then => [{ amount_off => $amount }] }],
    };
    my $request = { store => 's', at => '2026-06-01T12:00:00Z', lines => [map { { sku => $_, quantity => 1 } } @sku] };
    return { book => $book, requests => [$request] };
}

sub split_amount {
    my ($case, $out) = @_;
    my @expected = map { abs } @{ $case->{expected} };
    my $shares = $out && $out->{lines} ? join ' ', map { $_->{discount} } @{ $out->{lines} } : encode($out);
    is($shares, "@expected", "$case->{id}: @{[abs $case->{amount}]} over @{ $case->{weights} } ($case->{source})");
    return;
}
