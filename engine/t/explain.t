#!/usr/bin/perl
# Explaining a large cart stops in time: what it would cost without each promotion is
# worked out for as many as the work allows, and null says where that ends.
use v5.30;
use warnings;
use FindBin qw($Bin);
use lib "$FindBin::Bin/../../t/lib";
use PosCarts qw(price_all calculator);
use Cpanel::JSON::XS ();
use Test::More;
use Time::HiRes 'time';

plan skip_all => calculator() . ' is not built' if !-x calculator();

# So many products, each with a promotion of its own, all in one cart.
sub shop {
    my ($n) = @_;
    my @skus = map { sprintf 'P%04d', $_ } 1 .. $n;
    my $book = {
        retailer    => { code => 'r', currency => 'GBP', timezone => 'UTC' },
        price_lists => [{ code => 'base', currency => 'GBP', tax_included => \1 }],
        products    => [map { { sku => $_ } } @skus],
        prices      => [map { { sku => $_, list => 'base', amount => 1000 } } @skus],
        promotions  => [map { { id => lc, class => 'line', then => [{ amount_off => 100, items => { sku => [$_] } }] } } @skus],
    };
    my $request = { currency => 'GBP', at => '2026-06-01T12:00:00Z', lines => [map { { id => "$_", sku => $_, quantity => 1 } } @skus] };
    return ($book, $request, { %$request, explain => Cpanel::JSON::XS::true });
}

for my $n (20, 1000) {
    my ($book, @requests) = shop($n);
    my $began = time;
    my ($plain, $told) = @{ (price_all({ book => $book, requests => \@requests }))[0] };
    is($told->{total}, $n * 900, "$n promotions on $n lines: all apply");
    my @without = map { $_->{without} } @{ $told->{explain} };
    my @said    = grep { defined } @without;
    is(scalar @without, $n, 'each is explained');
    is_deeply([map { $_ // 'null' } @without[0 .. $#said]], [map { $n * 900 + 100 } @said], 'what is said is right, and what is not comes after it');
    if ($n == 20) {
        is(@said + 0, $n, 'a cart as people fill it is told in full');
    } else {
        ok(@said > 20 && @said < $n, 'a large one as far as the work goes') or diag(scalar @said);
    }
    delete $told->{explain};
    is_deeply($told, $plain, 'and nothing else changes');
    cmp_ok(time - $began, '<', 60, 'in good time');
}
done_testing();
