#!/usr/bin/perl
# Whatever a client gets wrong, it is told where, in one clear answer, and nothing changes.

use strict;
use warnings;
use utf8;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos  = PosTest->start;
my %shop = (key => $pos->key('storefront'));
my $good = '{"currency":"GBP","store":"london","channel":"web","lines":[{"id":"1","sku":"MUG-RED","quantity":1}]}';
is($pos->request('POST', '/v1/quotes', body => $good, %shop)->{status}, 200, 'the good cart is good');
my $revision = revision();
my @workers  = $pos->workers;

sub revision { return $pos->get('/v1/prices?sku=MUG-RED&store=london', %shop)->{headers}{'pos-revision'} }

# name => [body, status, code, the place: a pointer, or line:column]
my @bodies = (
    ['nothing',              '',                                  400 => 'body_missing'],
    ['not JSON',             'hello',                             400 => 'json_syntax', '1:1'],
    ['broken JSON',          '{"lines": [',                       400 => 'json_syntax', '1:12'],
    ['truncated JSON',       substr($good, 0, -3),                400 => 'json_syntax', '1:99'],
    ['something after',      "$good x",                           400 => 'json_syntax', '1:103'],
    ['two documents',        "$good$good",                        400 => 'json_syntax', '1:102'],
    ['deeply nested',        ('[' x 5000) . (']' x 5000),         400 => 'json_depth', '1:33'],
    ['nested in a field',    with('attributes', ('{"a":' x 2000) . '1' . ('}' x 2000)), 400 => 'json_depth', '1:170'],
    ['a key twice',          '{"currency":"GBP","currency":"USD","store":"london","channel":"web","lines":[]}', 400 => 'json_duplicate_key', '/currency'],
    ['2 MB',                 with('session', '"' . ('x' x 2_097_152) . '"'), 413 => 'body_too_large'],
    ['bad UTF-8',            "{\"currency\":\"G\xff\xfe\"}",      400 => 'json_utf8', '1:15'],
    ['half a surrogate',     with('session', '"\ud800"'),         400 => 'json_utf8', '1:96'],
    ['a zero byte',          "{\"currency\":\"GBP\0\"}",          400 => 'json_syntax', '1:17'],
    ['an array',             '[]',                                422 => undef, ''],
    ['null',                 'null',                              422 => undef, ''],
    ['an unknown field',     with('curency', '"GBP"'),            422 => undef, '/curency'],
    ['lines that are text',  with('lines', '"x"'),                422 => undef, '/lines'],
    ['a number for a store', with('store', '7'),                  422 => undef, '/store'],
    ['an unknown store',     with('store', '"atlantis"'),         422 => undef, '/store'],
    ['an unknown currency',  with('currency', '"XXQ"'),           422 => undef, '/currency'],
    ['a currency without a list', with('currency', '"JPY"'),      422 => 'no_price', '/lines/0/sku'],
    ['a bad time',           with('at', '"yesterday"'),           422 => undef, '/at', admin => 1],
    ['30 February',          with('at', '"2026-02-30T00:00:00Z"'), 422 => undef, '/at', admin => 1],
    ['an unknown SKU',       line('sku', '"NO-SUCH"'),            422 => undef, '/lines/0/sku'],
    ['a SKU that is null',   line('sku', 'null'),                 422 => undef, '/lines/0/sku'],
    ['quantity zero',        line('quantity', '0'),               422 => undef, '/lines/0/quantity'],
    ['quantity below zero',  line('quantity', '-1'),              422 => undef, '/lines/0/quantity'],
    ['half a mug',           line('quantity', '0.5'),             422 => undef, '/lines/0/quantity'],
    ['four decimals',        line('quantity', '0.3541', 'CHEESE'), 422 => undef, '/lines/0/quantity'],
    ['too many',             line('quantity', '100001'),          422 => undef, '/lines/0/quantity'],
    ['a huge quantity',      line('quantity', '1e300'),           422 => undef, '/lines/0/quantity'],
    ['quantity as text',     line('quantity', '"1"'),             422 => undef, '/lines/0/quantity'],
    ['an unknown line field', line('qty', '1'),                   422 => undef, '/lines/0/qty'],
    ['no SKU at all',        with('lines', '[{"id":"1","quantity":1}]'), 422 => undef, '/lines/0/sku'],
    ['an override without a reason', line('price_override', '{"amount":1}'), 422 => undef, '/lines/0/price_override/reason', admin => 1],
    ['a negative override',  line('price_override', '{"amount":-1,"reason":"x"}'), 422 => undef, '/lines/0/price_override/amount', admin => 1],
    ['overflow of the total', line('price_override', '{"amount":9223372036854775807,"reason":"x"}', 'MUG-RED', 100_000), 422 => 'overflow', '/lines/0/price_override/amount', admin => 1],
    ['a discount over 100 %', line('discount', '{"percent":101,"reason":"x"}'), 422 => undef, '/lines/0/discount/percent', admin => 1],
);

for my $case (@bodies) {
    my ($name, $body, $status, $code, $place, %o) = @$case;
    my $r = $pos->request('POST', '/v1/quotes', body => $body, ($o{admin} ? () : %shop));
    PosTest::is_problem($r, $status, { 400 => 'invalid_json', 413 => 'body_too_large', 422 => 'invalid_request' }->{ !defined $place && $status != 413 ? 0 : $status } // $code, "$name: $status");
    next if !defined $place;
    my @named = map { [$_->{pointer}, join(':', grep { defined } @$_{qw(line column)}), $_->{code}] } @{ ($r->{json} || {})->{errors} || [] };
    my ($at) = grep { $place =~ /^\d/ ? $_->[1] eq $place : $_->[0] eq $place } @named;
    ok($at, "$name: names $place") or diag("named: " . PosTest::json(\@named) . substr($r->{body}, 0, 300));
    is($at->[2], $code, "$name: as $code") if $at && defined $code;
}

subtest 'all faults in one answer' => sub {
    my $r = $pos->request('POST', '/v1/quotes', %shop,
        body => '{"currency":1,"store":"london","chanel":"web","lines":[{"id":"1","sku":"MUG-RED","quantity":"x"},{"id":"2","sku":5,"quantity":1}]}');
    my %p = map { $_->{pointer} => 1 } @{ $r->{json}{errors} || [] };
    ok($p{$_}, "names $_") for '/currency', '/chanel', '/lines/0/quantity', '/lines/1/sku';
    $r = $pos->quote({ lines => PosTest::lines('NO-1', 1, 'MUG-RED', 1, 'NO-2', 1) }, %shop);
    %p = map { $_->{pointer} => 1 } @{ $r->{json}{errors} || [] };
    is_deeply([sort keys %p], ['/lines/0/sku', '/lines/2/sku'], 'both unknown SKUs');
    $r = $pos->quote({ store => 'atlantis', lines => PosTest::lines('NO-1', 1, 'MUG-RED', -1) }, %shop);
    PosTest::is_problem($r, 422, undef, 'an unknown SKU beside other faults');
    is_deeply([sort map { "$_->{pointer} $_->{code}" } @{ $r->{json}{errors} || [] }],
        ['/lines/0/sku unknown_sku', '/lines/1/quantity quantity', '/store unknown_store'], 'is named with them');
};

subtest 'overflow by sum' => sub {
    my $r = $pos->quote({ lines => [map { { id => "$_", sku => 'MUG-RED', quantity => 1, price_override => { amount => 4_611_686_018_427_387_904, reason => 'x' } } } 1 .. 3] });
    PosTest::is_problem($r, 422, 'invalid_request', 'three halves of the range');
    is_deeply([map { "$_->{pointer} $_->{code}" } @{ $r->{json}{errors} }], [map { "/lines/$_/price_override/amount overflow" } 0 .. 2], 'are named, each');
    # Amounts that may be, whose sum may not.
    my $most = 1_000_000_000_000_000;
    $r = $pos->quote({ lines => [map { { id => "$_", sku => 'MUG-RED', quantity => 100_000, price_override => { amount => $most, reason => 'x' } } } 1 .. 3] });
    PosTest::is_problem($r, 422, 'invalid_request', 'a total out of range');
    ok((grep { $_->{code} eq 'overflow' } @{ $r->{json}{errors} || [] }), 'is called that') or diag($r->{body});
};

subtest 'who may set what' => sub {
    my %need = (
        'quotes:simulate' => { at => '2026-03-02T12:00:00Z' },
        'quotes:customer' => { customer => { id => 'c', groups => ['staff'] } },
        'quotes:shipping' => { shipping => { method => 'standard', amount => 1 } },
        'quotes:override' => { lines => [{ id => '1', sku => 'MUG-RED', quantity => 1, price_override => { amount => 1, reason => 'x' } }] },
    );
    for my $scope (sort keys %need) {
        my $cart = { lines => PosTest::lines('MUG-RED', 1), %{ $need{$scope} } };
        PosTest::is_problem($pos->quote($cart, %shop), 403, undef, "a storefront key lacks $scope");
        is($pos->quote($cart)->{status}, 200, 'an admin has it');
    }
};

subtest 'keys' => sub {
    my $cart = { lines => PosTest::lines('MUG-RED', 1) };
    my $real = $pos->key('storefront');
    (my $wrong = $real) =~ s/(.)$/$1 eq 'A' ? 'B' : 'A'/e;
    my %keys = (none => undef, empty => '', unknown => 'pos_test_' . 'x' x 32, 'wrong in one letter' => $wrong, 'of another kind' => 'Basic abc', long => 'pos_test_' . 'y' x 4000);
    for my $name (sort keys %keys) {
        my $r = $pos->quote($cart, key => $keys{$name});
        PosTest::is_problem($r, 401, undef, "a key that is $name");
        ok($r->{headers}{'www-authenticate'}, 'and says how to authenticate');
    }
    PosTest::is_problem($pos->quote($cart, key => undef, headers => { Authorization => 'Basic cG9zOng=' }), 401, undef, 'Basic');
    PosTest::is_problem($pos->put('/v1/promotions/x', { id => 'x' }, %shop), 403, undef, 'a storefront key may not write promotions');
};

# Clients take them out of a path before they send it, so nothing of that name could be reached.
subtest 'a name that no path can carry' => sub {
    my $said = 'must hold no control characters and no space at either end, and be neither . nor .., which clients take out of a path';
    for my $name ('.', '..') {
        my $r = $pos->put('/v1/prices', { prices => [ { sku => $name, list => 'base', amount => 1 } ] });
        is_deeply([map { "$_->{pointer} $_->{code} $_->{message}" } @{ $r->{json}{errors} }], ["/prices/0/sku pattern $said"], "$name is refused") or diag($r->{body});
        my $job = $pos->import_book({ products => [ { sku => $name, name => 'dots' } ] });
        is($job->{json}{status}, 'failed', "and fails an import");
        is_deeply([map { "$_->{pointer} $_->{code} $_->{message}" } @{ $job->{json}{result}{errors} }], ["/products/0/sku pattern $said"], 'in the same words') or diag($job->{body});
        $r = $pos->quote({ lines => PosTest::lines($name, 1) });
        is($r->{json}{errors}[0]{code}, 'pattern', 'a quote calls it that too') or diag($r->{body});
    }
    is($pos->quote({ lines => PosTest::lines($_, 1) })->{json}{errors}[0]{code}, 'unknown_sku', "$_ is a name as any other") for qw(... .a ..b);
};

subtest 'paths and methods' => sub {
    PosTest::is_problem($pos->get('/v1/nowhere'), 404, undef, 'an unknown path');
    PosTest::is_problem($pos->get('/v1/../etc/passwd'), 404, undef, 'a path that climbs');
    my $r = $pos->get('/v1/quotes');
    PosTest::is_problem($r, 405, undef, 'a wrong method');
    like($r->{headers}{allow} // '', qr/POST/, 'names the right one');
    PosTest::is_problem($pos->get('/v1/prices?sku=MUG-RED&store=london&colour=red', %shop), 422, undef, 'an unknown query parameter');
    PosTest::is_problem($pos->get('/v1/prices?store=london', %shop), 422, undef, 'a query parameter that is missing');
    my ($where) = @{ $pos->get('/v1/prices?sku=MUG-RED&store=nowhere', %shop)->{json}{errors} };
    is_deeply([@$where{qw(pointer code)}], ['/query/store', 'unknown_store'], 'a store that is not there is named by its place');
    my ($choice) = @{ $pos->put('/v1/products/ZZ', { name => 'z', unit => 'furlong' })->{json}{errors} };
    is($choice->{message}, 'must be one of "each","kg","l","m"', 'what may be chosen is said on one line');
    PosTest::is_problem($pos->get('/v1/products?limit=abc'), 422, undef, 'a limit that is no number');
    PosTest::is_problem($pos->get('/v1/products?limit=201'), 422, undef, 'a limit too large');
};

subtest 'a scope that does not exist' => sub {
    my $r = $pos->post('/v1/keys', { name => 'x', scopes => ['prices:read', 'everything:all'] });
    PosTest::is_problem($r, 422, undef, 'for a new key');
    is_deeply([map { $_->{pointer} } @{ $r->{json}{errors} }], ['/scopes/1'], 'is named');
};

# What the database would refuse as a whole is found before, by its place.
subtest 'times and zones in the book' => sub {
    for my $time ('2026-02-30T00:00:00Z', '2026-01-01T00:00:00+23:00', '2026-01-01T00:00:00+16:00', '0000-01-01T00:00:00Z', '2026-06-30T23:59:60Z', '2026-01-01T09:00') {
        my $r = $pos->put('/v1/prices', { prices => [{ sku => 'MUG-RED', list => 'gb', amount => 1, kind => 'sale', from => $time }] });
        PosTest::is_problem($r, 422, undef, "a price from $time");
        is($r->{json}{errors}[0]{pointer}, '/prices/0/from', 'is named');
        $r = $pos->put('/v1/coupons/NEVER', { promotions => ['open-box'], until => $time });
        is($r->{json}{errors}[0]{pointer}, '/until', 'and in a coupon');
        $r = $pos->post('/v1/keys', { name => 'x', scopes => ['prices:read'], expires_at => $time });
        is($r->{json}{errors}[0]{pointer}, '/expires_at', 'and in a key');
        $r = $pos->import_book({ coupons => [{ code => 'NEVER', promotions => ['open-box'], from => $time }] });
        is_deeply([map { $_->{pointer} } @{ $r->{json}{errors} || $r->{json}{result}{errors} || [] }], ['/coupons/0/from'], 'and in an import') or diag($r->{body});
    }
    # six bytes in the request, a hundred thousand digits in the database and in every list
    for my $number ('1e100000', '1e-10000', '1e999999', '9' x 900, '0.0000001') {
        my $r = $pos->request('PUT', '/v1/products/ZZ', body => qq({"attributes":{"a":$number}}));
        PosTest::is_problem($r, 422, undef, 'a number nobody means: ' . substr $number, 0, 10);
        is($r->{json}{errors}[0]{pointer}, '/attributes/a', 'is named');
    }
    my %many = (categories => 101, tags => 1001);
    for my $name (sort keys %many) {
        my $r = $pos->put('/v1/products/ZZ', { $name => [map { "x$_" } 1 .. $many{$name}] });
        is($r->{json}{errors}[0]{pointer}, "/$name", "too many $name");
    }
    my $r = $pos->put('/v1/stores/mars', { tax_region => 'GB', timezone => 'Mars/Base' });
    is_deeply([@{ $r->{json}{errors}[0] }{qw(pointer code)}], ['/timezone', 'unknown_timezone'], 'a store in no zone that there is');
};

subtest 'content types' => sub {
    PosTest::is_problem($pos->request('POST', '/v1/quotes', %shop, body => $good, headers => { 'Content-Type' => undef }), 415, undef, 'no type');
    PosTest::is_problem($pos->request('POST', '/v1/quotes', %shop, body => $good, headers => { 'Content-Type' => 'text/plain' }), 415, undef, 'text');
    is($pos->request('POST', '/v1/quotes', %shop, body => $good, headers => { 'Content-Type' => 'application/json; charset=utf-8' })->{status}, 200, 'JSON with a charset');
};

subtest 'books' => sub {
    my $r = $pos->import_book({ prices => [{ sku => 'NOT-THERE', list => 'gb', amount => 1, min_quantity => 1, kind => 'regular' }],
            products => [{ sku => 'THERE', name => 'There', unit => 'each', tax_category => 'standard' }] });
    is($r->{json}{status}, 'failed', 'a price for a product that is not there: the book is refused') or diag($r->{body});
    is_deeply([map { "$_->{pointer} $_->{code}" } @{ $r->{json}{result}{errors} }], ['/prices/0/sku unknown_sku'], 'at its place') or diag($r->{body});
    is($pos->get('/v1/products/THERE')->{status}, 404, 'and nothing of it is stored');
    $r = $pos->import_book('{"products": [');
    is($r->{json}{status}, 'failed', 'a broken book is refused') or diag($r->{body});
    like($r->{json}{result}{errors}[0]{message}, qr/line 1/, 'at its place') or diag($r->{body});
    $r = $pos->import_book({ produkts => [] });
    is($r->{json}{status}, 'failed', 'so is an unknown section') or diag($r->{body});
    is_deeply([map { "$_->{pointer} $_->{code}" } @{ $r->{json}{result}{errors} }], ['/produkts unknown_field'], 'by its name') or diag($r->{body});
};

is(revision(), $revision, 'nothing changed: the revision is what it was');
is_deeply([$pos->workers], \@workers, 'no worker died');
is($pos->request('POST', '/v1/quotes', body => $good, %shop)->{status}, 200, 'and the good cart is still good');
done_testing;

sub with {
    my ($field, $json) = @_;
    my %cart = (currency => '"GBP"', store => '"london"', channel => '"web"', lines => '[{"id":"1","sku":"MUG-RED","quantity":1}]');
    $cart{$field} = $json;
    return '{' . join(',', map { "\"$_\":$cart{$_}" } sort keys %cart) . '}';
}

sub line {
    my ($field, $json, $sku, $quantity) = @_;
    my %line = (id => '"1"', sku => '"' . ($sku // 'MUG-RED') . '"', quantity => $quantity // 1);
    $line{$field} = $json;
    return with('lines', '[{' . join(',', map { "\"$_\":$line{$_}" } sort keys %line) . '}]');
}
