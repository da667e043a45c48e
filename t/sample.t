#!/usr/bin/perl
# The sample retailer, walked through as a merchandiser does: its stores and taxes, its
# goods, its price lists and sales, and each of its promotions at work.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos   = PosTest->start;
my $lines = \&PosTest::lines;

subtest 'three stores in two tax regimes and two currencies' => sub {
    my $stores = all('/v1/stores');
    is_deeply({ map { $_->{code} => $_->{tax_region} } @$stores }, { london => 'GB', manchester => 'GB', 'new-york' => 'US-NY' }, 'the stores');
    is_deeply([sort { $a cmp $b } keys %{ { map { $_->{currency} => 1 } @{ all('/v1/price-lists') } } }], ['GBP', 'USD'], 'the currencies');

    my $gb = quote({ lines => $lines->('KETTLE-NAVY', 1) });
    ok($gb->{tax_included}, 'in London prices hold the tax');
    is($gb->{total}, $gb->{subtotal}, 'nothing is added');
    is($gb->{tax}, int($gb->{total} / 6 + 0.5), 'of which a sixth is VAT of 20 %');
    is_deeply([map { $_->{code} } @{ $gb->{lines}[0]{taxes} }], ['vat'], 'one tax');
    is(quote({ lines => $lines->('TEA', 1) })->{tax}, 0, 'tea is free of it');
    is(quote({ store => 'manchester', lines => $lines->('KETTLE-NAVY', 1) })->{total}, $gb->{total}, 'Manchester is like London');

    my $us = quote({ currency => 'USD', store => 'new-york', lines => $lines->('KETTLE-NAVY', 1) });
    ok(!$us->{tax_included}, 'in New York prices are without tax');
    is_deeply([sort map { $_->{code} } @{ $us->{lines}[0]{taxes} }], ['mctd', 'ny-city', 'ny-state'], 'state, city and district have theirs');
    is($us->{total}, $us->{subtotal} - $us->{discount} + $us->{tax}, 'which is added');
    is($us->{tax}, rounded(0.04 * $us->{subtotal}) + rounded(0.045 * $us->{subtotal}) + rounded(0.00375 * $us->{subtotal}), 'each by its rate');
    PosTest::is_problem($pos->quote({ store => 'new-york', lines => $lines->('KETTLE-NAVY', 1) }), 422, undef, 'New York does not sell in pounds');
};

subtest 'at least 400 products in a tree of categories' => sub {
    my $products   = all('/v1/products');
    my %categories = map { $_->{code} => $_ } @{ all('/v1/categories') };
    cmp_ok(scalar(@$products), '>=', 400, scalar(@$products) . ' products');
    is(scalar(grep { !$_->{name} || !@{ $_->{categories} } } @$products), 0, 'each has a name and a category');
    is(join(' ', grep { !$categories{$_} } map { @{ $_->{categories} } } @$products), '', 'which is there');
    my %depth = map { $_ => depth(\%categories, $_) } keys %categories;
    is_deeply([sort keys %{ { map { $_ => 1 } values %depth } }], [1, 2, 3], 'the tree has three levels');
    my %used = map { $_ => 1 } map { @{ $_->{categories} } } @$products;
    is(join(' ', grep { !$used{$_} && !has_child(\%categories, $_) } sort keys %categories), '', 'no leaf of it is empty');

    # A promotion on the root reaches what is filed two levels below, and nothing else.
    my $at_work = publish('all-home', { name => 'All for the home', class => 'line', then => [{ percent_off => 5, items => { category => ['home'] } }] });
    ok($at_work, 'a promotion on the category home');
    my %off = map { $_->{sku} => scalar grep { $_->{promotion} eq 'all-home' } @{ $_->{adjustments} } }
        @{ quote({ lines => $lines->('PAN-20-CM' => 1, 'PILLOW-SOFT' => 1, BLOCKS => 1) })->{lines} };
    is_deeply(\%off, { 'PAN-20-CM' => 1, 'PILLOW-SOFT' => 1, BLOCKS => 0 }, 'reaches cookware and bedroom, not toys');
    $pos->post('/v1/promotions/all-home/suspend', {}, headers => { 'If-Match' => $pos->get('/v1/promotions/all-home')->{headers}{etag} });
};

subtest 'price lists by channel and by customer group' => sub {
    my %lists = map { $_->{code} => $_ } @{ all('/v1/price-lists') };
    is_deeply($lists{'gb-app'}{channels}, ['app'], 'one is for the app');
    is_deeply($lists{'gb-trade'}{customer_groups}, ['trade'], 'one for trade');

    is(priced('TSHIRT-WHITE-M'), '2200 gb', 'a T-shirt on the web');
    is(priced('TSHIRT-WHITE-M', channel => 'app'), '2090 gb-app', 'is 5 % less in the app');
    is(priced('PLATE-SAGE'), '1100 gb', 'a plate');
    is(priced('PLATE-SAGE', groups => ['trade']), '990 gb-trade', 'is a tenth less for trade');
    is(priced('PLATE-SAGE', groups => ['trade'], quantity => 12), '880 gb-trade', 'and a fifth by the dozen');
    is(priced('PLATE-SAGE', groups => ['staff']), '1100 gb', 'not for another group');
    is(priced('BLOCKS', groups => ['trade']), '2499 gb', 'what the list of trade lacks has the price of all');
    is(priced('KETTLE-WHITE', store => 'new-york', currency => 'USD', channel => 'pos'), '5395 us', 'a kettle in New York');
    is(priced('KETTLE-WHITE', store => 'new-york', currency => 'USD', channel => 'web'), '5195 us-web', 'is less on the web');

    my $shelf = $pos->get('/v1/prices?sku=PLATE-SAGE&store=london&customer_group=trade')->{json}{data}[0];
    is("$shelf->{unit_price} $shelf->{price_list}", '990 gb-trade', 'the shelf of trade says the same');
    $shelf = $pos->get('/v1/prices?sku=TSHIRT-WHITE-M&store=london&channel=app')->{json}{data}[0];
    is("$shelf->{unit_price} $shelf->{price_list}", '2090 gb-app', 'and so does that of the app');
};

subtest 'sale prices within their dates' => sub {
    my $prices = rows('TOASTER-CHARCOAL');
    my ($sale) = grep { $_->{kind} eq 'sale' && $_->{list} eq 'gb' } @$prices;
    ok($sale && $sale->{from} && $sale->{until}, 'a toaster has a sale price with dates') or return diag(PosTest::json($prices));
    my ($regular) = grep { $_->{kind} eq 'regular' && $_->{list} eq 'gb' } @$prices;
    cmp_ok($sale->{amount}, '<', $regular->{amount}, 'below its regular one');
    my %at = (before => '2024-12-31T23:59:59Z', first => '2025-01-01T00:00:00Z', last => '2034-12-31T23:59:59Z', after => '2035-01-01T00:00:00Z');
    my %is = map { $_ => (quote({ at => $at{$_}, lines => $lines->('TOASTER-CHARCOAL', 1) })->{lines}[0] || {})->{unit_price} } keys %at;
    is_deeply(\%is, { before => $regular->{amount}, first => $sale->{amount}, last => $sale->{amount}, after => $regular->{amount} },
        'it holds from the first second to the last, not before and not after') or diag(explain \%is);
    is(quote({ at => $at{last}, lines => $lines->('TOASTER-CHARCOAL', 1) })->{lines}[0]{list_price}, $regular->{amount}, 'the price it is down from is named');

    # London has summer time then.
    my ($season) = grep { $_->{kind} eq 'sale' } @{ rows('MUG-RED') };
    is("$season->{from} $season->{until}", '2035-05-31T23:00:00.000000Z 2035-06-30T23:00:00.000000Z', 'a mug is on sale in June 2035, by days of the retailer\'s own zone');
    my %day = map { $_ => quote({ at => $_, lines => $lines->('MUG-RED', 1) })->{lines}[0] } '2035-05-31T22:59:59Z', '2035-05-31T23:00:00Z', '2035-06-30T22:59:59Z', '2035-06-30T23:00:00Z';
    is_deeply([map { $day{$_}{unit_price} < $day{$_}{list_price} ? 1 : 0 } sort keys %day], [0, 1, 1, 0], 'from midnight to midnight in London');
};

subtest 'coupons' => sub {
    my $cart  = sub { my ($code, %o) = @_; return { lines => $lines->('BLOCKS', 2), coupons => [$code], %o } };
    my $plain = quote({ lines => $lines->('BLOCKS', 2) });
    my $q     = quote($cart->('WELCOME10'));
    is($q->{coupons}[0]{status}, 'applied', 'WELCOME10 is taken') or diag(PosTest::json($q));
    is($q->{total}, $plain->{total} - rounded($plain->{total} / 10), 'and takes a tenth off');
    is(quote($cart->('welcome10'))->{total}, $q->{total}, 'in small letters too');
    $q = quote($cart->('SUMMER24'));
    is("$q->{coupons}[0]{status} $q->{total}", "expired $plain->{total}", 'a coupon of the past is expired and takes nothing off');
    is(quote($cart->('SUMMER24', at => '2024-07-01T12:00:00Z'))->{coupons}[0]{status}, 'applied', 'in its summer it worked');
    is(quote($cart->('NOTHING'))->{coupons}[0]{status}, 'unknown', 'one that is none is unknown');
};

subtest 'twenty promotions are live, half of them Lua, and each is at work in some cart' => sub {
    my @promotions = grep { $_->{id} ne 'all-home' } @{ all('/v1/promotions') };
    is(scalar(@promotions), 20, 'twenty');
    is(join(' ', map { "$_->{id} $_->{state}" } grep { $_->{state} ne 'active' } @promotions), '', 'all are live');
    my %lua = map { $_->{id} => 1 } grep { defined $_->{script} } @promotions;
    is(scalar(keys %lua), 10, 'ten are Lua');
    my $wednesday = '2026-03-04T12:00:00Z';
    my %shows = (
        'mug-multibuy'       => { lines => $lines->('MUG-RED', 4) },
        'books-3-for-2'      => { lines => $lines->('BOOK-NIGHT-FERRY' => 1, 'BOOK-THE-SALT-ROAD' => 1, 'BOOK-THE-QUIET-ORCHARD' => 1) },
        'lunch-deal'         => { lines => $lines->('SANDWICH-EGG-CRESS' => 1, 'CRISPS-SEA-SALT' => 1, COLA => 1) },
        'towels-buy-2-get-1' => { lines => $lines->('TOWEL-WHITE' => 2, 'HANDTOWEL-WHITE' => 1) },
        'knitwear-15'        => { lines => $lines->('JUMPER-NAVY-M', 1) },
        'garden-weekend'     => { lines => $lines->('TROWEL', 1), at => '2026-03-07T12:00:00Z' },
        'spend-100-save-10'  => { lines => $lines->('BLOCKS', 5) },
        'free-shipping-50'   => { lines => $lines->('BLOCKS', 3), shipping => { method => 'standard', amount => 495 } },
        'welcome-10'         => { lines => $lines->('BLOCKS', 1), coupons => ['WELCOME10'] },
        'free-shipping-code' => { lines => $lines->('BLOCKS', 1), coupons => ['SHIPFREE'], shipping => { method => 'express', amount => 995 } },
        'second-half-price'  => { lines => $lines->('BOOT-UK-7', 2), at => '2026-03-06T12:00:00Z' },
        'clearance-ladder'   => { lines => $lines->('VASE-CLEAR', 2) },
        'happy-hour'         => { lines => $lines->('WINE-RED', 1), channel => 'pos', at => '2026-03-04T17:30:00Z' },
        'staff-discount'     => { lines => $lines->('BLOCKS', 1), customer => { id => 'c1', groups => ['staff'] } },
        'birthday'           => { lines => $lines->('BLOCKS', 1), customer => { id => 'c1', birthday => '1990-03-20' } },
        'first-order'        => { lines => $lines->('BLOCKS', 2), customer => { id => 'c1', orders => 0 } },
        'price-match'        => { lines => [{ id => '1', sku => 'BLOCKS', quantity => 1, attributes => { competitor_price => '2000' } }], channel => 'pos' },
        'free-gift'          => { lines => $lines->('BLOCKS', 3), channel => 'app' },
        'open-box'           => { lines => $lines->('KETTLE-OB', 2) },
        'double-points'      => { lines => $lines->('BLOCKS', 1), customer => { id => 'c1' } },
    );
    is_deeply([sort keys %shows], [sort map { $_->{id} } @promotions], 'the carts below show each of them');
    for my $id (sort keys %shows) {
        my $q = quote({ at => $wednesday, explain => Cpanel::JSON::XS::true, %{ $shows{$id} } });
        ok((grep { $_->{id} eq $id } @{ $q->{promotions} || [] }), ($lua{$id} ? 'Lua: ' : '') . $id) or diag(PosTest::json($q));
    }
};

done_testing;

sub quote {
    my ($cart) = @_;
    my $r = $pos->quote($cart);
    diag("$r->{status} $r->{body}") if $r->{status} != 200;
    return $r->{json} || {};
}

# Every element of a list, page by page.
sub all {
    my ($path) = @_;
    my ($after, @all) = ('');
    while (1) {
        my $r = $pos->get("$path?limit=100$after");
        diag("$path: $r->{status} $r->{body}") if $r->{status} != 200;
        push @all, @{ $r->{json}{data} || [] };
        return \@all if !$r->{json}{has_more};
        $after = "&after=$r->{json}{next}";
    }
}

# A product's price rows.
sub rows { my ($sku) = @_; return $pos->get("/v1/products/$sku/prices")->{json}{data} }

# "unit price, list" of one line.
sub priced {
    my ($sku, %o) = @_;
    my ($groups, $quantity) = (delete $o{groups}, delete $o{quantity});
    my $line = quote({ at => '2026-03-02T12:00:00Z', lines => $lines->($sku, $quantity || 1), ($groups ? (customer => { id => 'c1', groups => $groups }) : ()), %o })->{lines}[0];
    return "$line->{list_price} $line->{price_list}";
}

sub depth {
    my ($categories, $code) = @_;
    my $depth = 0;
    for (; defined $code; $code = $categories->{$code}{parent}) { return 99 if ++$depth > 50 }
    return $depth;
}

sub has_child { my ($categories, $code) = @_; return scalar grep { ($_->{parent} // '') eq $code } values %$categories }

sub rounded { my ($x) = @_; return int($x + 0.5) }

sub publish {
    my ($id, $promotion) = @_;
    my $put = $pos->put("/v1/promotions/$id", { id => $id, %$promotion });
    my $r   = $pos->publish($id, {}, headers => { 'If-Match' => $put->{headers}{etag} });
    diag("$put->{body} $r->{body}") if $r->{status} != 200;
    my ($revision) = ($r->{headers}{'pos-revision'} // '') =~ /^(\d+)/;
    return $pos->wait_for("$id at work", 10, sub {
        my @now = map { grep { $_->{id} eq $id } @{ quote({ lines => $lines->('PAN-20-CM', 1) })->{promotions} } } 1 .. 4;
        return @now == 4;
    });
}
