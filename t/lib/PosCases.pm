package PosCases;

# The cases of a promotion, as its script has them (docs/promotions-lua.md): what each
# cart's book and request are, and how the quote differs from what is expected.
#
#   my ($quote) = quotes([$case->{cart}, @promotions], ...);
#   my @wrong   = differs($id, $case->{expect}, $quote);     # one a line of text
#   my @loaded  = loaded($file);                             # what posscript says of a script

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();
use PosCarts qw(price_all encode decode);

our @EXPORT_OK = qw(quotes differs loaded rehearsed effect_of);

my $build = PosCarts::calculator() =~ s{/[^/]+\z}{}r;

# A quote for each [cart, promotion of its book, ...].
sub quotes {
    return map { $_->[0] } price_all(map { my ($cart, @promotions) = @$_; { book => book_of($cart, @promotions), requests => [request_of($cart)] } } @_);
}

# The promotions of a script, as posscript prints them; none where it does not load.
sub loaded {
    my ($file) = @_;
    open my $out, '-|', "$build/posscript", $file or die "posscript: $!\n";
    my @lines = <$out>;
    return close $out ? map { decode($_) } @lines : ();
}

# What a rehearsal of the script finds, as text; its own cases are in it.
sub rehearsed {
    my ($file) = @_;
    my $said = qx{'$build/posscript' --rehearse '$file' 2>&1 >/dev/null};
    return $? && $said eq '' ? "posscript: $?" : $said;
}

# What a customer notices of a quote: two quotes differ in it if a promotion gives anything.
sub effect_of {
    my ($quote) = @_;
    return encode([$quote->{total}, $quote->{points}, map { [$_->{sku}, $_->{quantity}] } @{ $quote->{lines} || [] }]);
}

# ---- the book of a case: its lines' products and the promotions, nothing else ----

# Its coupons are for each promotion that is a script or asks for one.
sub book_of {
    my ($cart, @promotions) = @_;
    my $currency = $cart->{currency} || 'GBP';
    my @needing  = map { $_->{id} } grep { $_->{coupon} || $_->{script} } @promotions;
    my (%products, %categories, @prices);
    for my $line (@{ $cart->{products} || [] }, @{ $cart->{lines} }) {
        next if $products{ $line->{sku} };
        $products{ $line->{sku} } = product_of($line);
        $categories{$_} = undef for @{ $line->{categories} || [] };
        push @prices, price($line, $line->{price}, 'regular');
        push @prices, price($line, $line->{sale}, 'sale') if defined $line->{sale};
    }
    $categories{ $_->{code} } = $_->{parent} for @{ $cart->{categories} || [] };
    return {
        retailer => {
            code => 'case', currency => $currency, timezone => $cart->{timezone} || 'Europe/London', points_per => 100,
            script_cost => $cart->{script_cost} ? JSON::PP::true : JSON::PP::false,
        },
        stores      => [{ code => $cart->{store} || 'shop', tax_region => 'none' }],
        categories  => [map { { code => $_, defined $categories{$_} ? (parent => $categories{$_}) : () } } sort keys %categories],
        products    => [map { $products{$_} } sort keys %products],
        price_lists => [{ code => 'base', currency => $currency, tax_included => JSON::PP::true, priority => 0 }],
        prices      => \@prices,
        taxes       => [],
        promotions  => \@promotions,
        coupons     => [map { { code => $_, promotions => \@needing } } @needing ? @{ $cart->{coupons} || [] } : ()],
    };
}

sub product_of {
    my ($line) = @_;
    my %product = (sku => $line->{sku}, name => $line->{name} || $line->{sku}, unit => $line->{unit} || 'each');
    for my $field (qw(categories brand tags cost weight_grams tax_category fees min_price)) {
        $product{$field} = $line->{$field} if defined $line->{$field};
    }
    return \%product;
}

sub price {
    my ($line, $amount, $kind) = @_;
    my $least = ($line->{unit} || 'each') eq 'each' ? 1 : 0.001;
    return { sku => $line->{sku}, list => 'base', amount => $amount, min_quantity => $least, kind => $kind };
}

# ---- the request of a case: the cart without its products' facts ----

sub request_of {
    my ($cart) = @_;
    my %request = (currency => $cart->{currency} || 'GBP', store => $cart->{store} || 'shop', channel => $cart->{channel} || 'web');
    $request{at} = $cart->{at} || '2026-11-27T12:00:00';
    for my $field (qw(customer coupons tenders fulfilment ship_to shipping attributes session)) {
        $request{$field} = $cart->{$field} if defined $cart->{$field};
    }
    my $n = 0;
    for my $line (@{ $cart->{lines} }) {
        my %of = (id => '' . ++$n, sku => $line->{sku}, quantity => $line->{quantity} || 1);
        for my $field (qw(attributes price_override discount)) {
            $of{$field} = $line->{$field} if defined $line->{$field};
        }
        push @{ $request{lines} }, \%of;
    }
    $request{explain} = JSON::PP::true;
    return \%request;
}

# ---- what is expected of the quote ----

sub differs {
    my ($id, $expect, $quote) = @_;
    return encode($quote) if !defined $quote->{total};
    my ($explained) = grep { $_->{id} eq $id } @{ $quote->{explain} || $quote->{explained} || [] };
    my @wrong;
    for my $key (sort keys %$expect) {
        my $want = $expect->{$key};
        my $got =
            $key eq 'lines'    ? by_sku($quote, $want, sub { $_[0]{discount} })
          : $key eq 'gifts'    ? by_sku($quote, $want, sub { $_[0]{total} == 0 ? $_[0]{quantity} : undef })
          : $key eq 'reason'   ? $explained->{reason}
          : $key eq 'missing'  ? $explained->{missing}
          : $key eq 'messages' ? [map { ref $_ ? $_->{text} || $_->{message} : $_ } @{ $quote->{messages} || [] }]
          :                      $quote->{$key};
        push @wrong, "$key: " . encode($got) . ' instead of ' . encode($want)
            if encode($got) ne encode($want);
    }
    return @wrong;
}

# The figure of each SKU named in the expectation, summed over its lines.
sub by_sku {
    my ($quote, $want, $figure) = @_;
    my %sum;
    for my $line (@{ $quote->{lines} }) {
        my $n = exists $want->{ $line->{sku} } ? $figure->($line) : undef;
        $sum{ $line->{sku} } += $n if defined $n;
    }
    return \%sum;
}

1;
