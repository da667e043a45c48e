# Random books and carts, the same from the same seed of srand: every kind of discount,
# tax within and beside prices, fees, goods by the kilogram, gifts and limits.
package RandomShop;

use strict;
use warnings;
use Cpanel::JSON::XS ();
use Exporter 'import';

our @EXPORT_OK = qw(chance pick random_book random_request);

my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);

sub pick   { $_[ int rand @_ ] }
sub chance { rand() < $_[0] }

my @skus = map { "S$_" } 1 .. 7;    # S6 by the kilogram, S7 a gift

sub random_filter { chance(0.4) ? {} : { sku => [ pick(@skus), pick(@skus) ] } }

sub random_promotion {
    my ($n) = @_;
    my $r = rand;
    my %p = (id => "p$n", name => "p$n", priority => int rand 3);
    if ($r < 0.25) { @p{qw(class then)} = ('line', [ { chance(0.6) ? (percent_off => pick(5, 12.5, 33.3333)) : (amount_off => 1 + int rand 300), items => random_filter(), (chance(0.3) ? (max_units => 1 + int rand 3) : ()) } ]) }
    elsif ($r < 0.5) { my $f = random_filter(); @p{qw(class then)} = ('line', [ { buy => [ { items => $f, quantity => 1 + int rand 2 } ], get => [ { items => $f, quantity => 1, percent_off => pick(25, 50, 100) } ] } ]) }
    elsif ($r < 0.6) { @p{qw(class then)} = ('line', [ { gift => { sku => 'S7', quantity => 1 + int rand 2 } } ]) }
    elsif ($r < 0.9) { @p{qw(class then)} = ('order', [ { chance(0.5) ? (percent_off => pick(5, 10, 33.3333)) : (amount_off => 1 + int rand 2000), (chance(0.3) ? (shipping => $true) : ()), (chance(0.4) ? (items => random_filter()) : ()) } ]) }
    else { @p{qw(class then)} = ('shipping', [ { percent_off => pick(50, 100) } ]) }
    $p{when} = { subtotal => { min => int rand 4000 }, after => 'none' } if chance(0.4);
    $p{stacking} = 'exclusive' if chance(0.1);
    $p{limits} = [ { max => 1 + int rand 600, of => 'amount', per => pick(qw(all store)), window => pick(qw(day week month)) } ] if chance(0.1);
    return \%p;
}

sub random_book {
    my ($policy) = @_;
    my $included = chance(0.5) ? $true : $false;
    my $book = {
        retailer => { code => 'r', currency => 'GBP', timezone => 'UTC', rounding => pick(qw(half_up half_even down)), tax_rounding => pick(qw(line order)),
            shipping_tax_category => 'std', points_per => 10, ($policy eq 'reprice' ? (returns => 'reprice') : ()) },
        stores => [ { code => 's', tax_region => 'R' } ],
        products => [ map { { sku => $_, name => $_, unit => $_ eq 'S6' ? 'kg' : 'each', tax_category => pick(qw(std red none)),
            (chance(0.3) ? (fees => [ { code => 'deposit', amount => 1 + int rand 40, tax_category => pick(qw(std red none)) } ]) : ()) } } @skus ],
        price_lists => [ { code => 'base', currency => 'GBP', tax_included => $included } ],
        prices => [ map { { sku => $_, list => 'base', amount => int 50 + rand 1500 } } @skus ],
        taxes => [ { region => 'R', category => 'std', code => 'vat', percent => 20 }, { region => 'R', category => 'red', code => 'vat', percent => 5 },
            (chance(0.3) ? { region => 'R', category => 'std', code => 'city', percent => 1.75, compound => $true } : ()) ],
        promotions => [ map { random_promotion($_) } 1 .. 1 + int rand 5 ],
    };
    if ($policy eq 'mixed') { chance(0.5) and $_->{returns} = pick(qw(paid reprice)) for @{ $book->{promotions} } }
    return $book;
}

sub random_request {
    my ($policy) = @_;
    my $n = 0;
    return { store => 's', at => '2026-06-01T12:00:00Z',
        lines => [ map { my $sku = pick(@skus[ 0 .. 5 ]); { id => 'l' . $n++, sku => $sku, quantity => $sku eq 'S6' ? (1 + int rand 3000) / 1000 : 1 + int rand 4,
            (chance(0.1) ? (discount => { ($policy eq 'reprice' ? (percent => 10) : (amount => int rand 200)), reason => 'r' }) : ()) } } 1 .. 1 + int rand 4 ],
        (chance(0.5) ? (shipping => { method => 'm', amount => int rand 600 }) : ()) };
}

1;
