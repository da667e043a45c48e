#!/usr/bin/perl
# A storefront prices carts of the sample retailer.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos  = PosTest->start;
my $shop = $pos->key('storefront');
my %as   = (key => $shop);

subtest 'lunch deal' => sub {
    my $r = $pos->quote({ lines => PosTest::lines('SANDWICH-EGG-CRESS', 1, 'CRISPS-SEA-SALT', 1, 'COLA', 1) }, %as);
    is($r->{status}, 200, 'priced') or return diag($r->{body});
    my $q = $r->{json};
    is($q->{subtotal}, 375 + 120 + 165, 'subtotal before discounts');
    is($q->{discount}, 160, 'what the bundle saves');
    is($q->{fees}, 20, 'the deposit is never discounted');
    is($q->{total}, 520, '5.00 and the deposit');
    ok($q->{tax_included}, 'VAT is included');
    sums_up($q);
    ok($r->{headers}{'request-id'}, 'has a Request-Id');
    is($r->{headers}{'pos-revision'}, $q->{revision}, 'and names the revision it was priced by');
};

subtest 'dollars with tax added' => sub {
    my $r = $pos->quote({ currency => 'USD', store => 'new-york', channel => 'pos', lines => PosTest::lines('MUG-SAGE', 1) }, %as);
    is($r->{status}, 200, 'priced') or return diag($r->{body});
    my $q = $r->{json};
    ok(!$q->{tax_included}, 'tax is not included');
    is($q->{total}, $q->{subtotal} - $q->{discount} + $q->{tax}, 'tax is added');
    is(scalar @{ $q->{lines}[0]{taxes} }, 3, 'state, city and transport');
    sums_up($q);
};

subtest 'Lua' => sub {
    my $two   = $pos->quote({ lines => PosTest::lines('KETTLE-OB', 2) }, %as)->{json};
    my $three = $pos->quote({ lines => PosTest::lines('KETTLE-OB', 3) }, %as)->{json};
    is(amount($two,   'open-box'), int(2 * 2999 * 0.15 + 0.5), '15 % for two');
    is(amount($three, 'open-box'), int(3 * 2999 * 0.25 + 0.5), '25 % for three');
};

subtest 'coupons' => sub {
    my $cart = { lines => PosTest::lines('RAINCOAT-NAVY-M', 1) };
    my $q    = $pos->quote({ %$cart, coupons => ['welcome10', 'NONSUCH', 'SUMMER24'] }, %as)->{json};
    is_deeply([map { $_->{status} } @{ $q->{coupons} }], ['applied', 'unknown', 'expired'], 'each coupon says what became of it');
    my $none = $pos->quote($cart, %as)->{json};
    cmp_ok($q->{total}, '<', $none->{total}, 'the coupon lowers the total');
};

subtest 'measured goods' => sub {
    my $r = $pos->quote({ lines => [{ id => '1', sku => 'CHEESE', quantity => 0.354 }] }, %as);
    is($r->{status}, 200, 'priced') or return diag($r->{body});
    is($r->{json}{lines}[0]{subtotal}, int(1690 * 0.354 + 0.5), 'rounded once, at the line');
};

subtest 'order of lines' => sub {
    my @skus = ('MUG-RED', 3, 'MUG-SAGE', 2, 'BOOK-NIGHT-FERRY', 2, 'BOOK-THE-SALT-ROAD', 1, 'JUMPER-NAVY-M', 1);
    my $one  = $pos->quote({ lines => PosTest::lines(@skus) }, %as)->{json};
    my @rev  = reverse map { [@skus[2 * $_, 2 * $_ + 1]] } 0 .. $#skus / 2;
    my $two  = $pos->quote({ lines => PosTest::lines(map { @$_ } @rev) }, %as)->{json};
    is($two->{total}, $one->{total}, 'changes no total');
    sums_up($one);
};

subtest 'explain changes nothing else' => sub {
    my $cart = { lines => PosTest::lines('SANDWICH-EGG-CRESS', 1) };
    my $r = $pos->quote({ %$cart, explain => Cpanel::JSON::XS::true }, %as);
    my ($plain, $told) = ($pos->quote($cart, %as)->{json}, $r->{json});
    my $explained = delete $told->{explain};
    ok(ref $explained, 'every promotion that was looked at is explained') or diag($r->{body});
    delete @{$_}{qw(at token)} for $plain, $told;
    is_deeply($told, $plain, 'the rest is the same');
};

subtest 'prices with ETag' => sub {
    my $path = '/v1/prices?sku=MUG-SAGE,KETTLE-NAVY,CHEESE&store=london';
    my $r = $pos->get($path, %as);
    is($r->{status}, 200, 'priced') or return diag($r->{body});
    my %amount = map { $_->{sku} => $_ } @{ $r->{json}{data} || $r->{json}{prices} || [] };
    is(scalar keys %amount, 3, 'three products');
    my $etag = $r->{headers}{etag};
    ok($etag, 'has an ETag');
    my $again = $pos->get($path, %as, headers => { 'If-None-Match' => $etag });
    is($again->{status}, 304, 'unchanged');
    is($again->{body}, '', 'and says nothing more');
    for my $tag ("W/$etag", qq("a", W/"b,c", $etag), '*') {
        is($pos->get($path, %as, headers => { 'If-None-Match' => $tag })->{status}, 304, "as $tag too");
    }
    is($pos->get('/v1/prices?sku=MUG-SAGE&sku=KETTLE-NAVY&sku=CHEESE&store=london', %as)->{body}, $r->{body}, 'the SKUs may be parameters of their own');
    my $changed = $pos->put('/v1/categories/etag', { name => 'Another revision' });
    my ($revision) = $changed->{headers}{'pos-revision'} =~ /^(\d+)/;
    ok($pos->wait_for('the revision', 10, sub { $pos->at_revision($revision) }), 'the book has changed') or return;
    my $new = $pos->get($path, %as, headers => { 'If-None-Match' => $etag });
    is($new->{status}, 200, 'another revision of the book is another tag');
    isnt($new->{headers}{etag}, $etag, 'and it is sent');
};

subtest 'a shelf at another time' => sub {
    # The sale ends with the year in UTC, which is at seven in the evening there.
    my $sale = sub { $pos->get("/v1/prices?sku=KETTLE-CHARCOAL&store=new-york&currency=USD&at=$_[0]")->{json}{data}[0]{on_sale} };
    is(PosTest::json([map { $sale->($_) } '2034-12-31T18:59:59', '2034-12-31T19:00:00']), '[true,false]', 'a time without an offset is the store\'s own');
    is(PosTest::json([map { $sale->($_) } '2034-12-31T23:59:59Z', '2034-12-31T19:00:00-05:00']), '[true,false]', 'one with an offset is what it says');
    my $r = $pos->get('/v1/prices?sku=TEA&currency=ABC&at=yesterday');
    PosTest::is_problem($r, 422, undef, 'two faults');
    is(join(' ', sort map { $_->{pointer} } @{ $r->{json}{errors} }), '/query/at /query/currency', 'are named together');
    PosTest::is_problem($pos->get('/v1/prices?sku=TEA&at=2034-12-31T18:59:59', %as), 403, 'scope_required', 'a storefront asks for now');
};

subtest 'batch' => sub {
    my @carts = map { { currency => 'GBP', store => 'london', channel => 'web', lines => PosTest::lines('MUG-RED', $_) } } 1 .. 200;
    $carts[99] = { currency => 'GBP', store => 'london', channel => 'web', lines => PosTest::lines('NO-SUCH', 1) };
    my $body = join '', map { PosTest::json($_) . "\n" } @carts;
    my $r = $pos->request('POST', '/v1/quotes/batch', %as, body => $body, headers => { 'Content-Type' => 'application/x-ndjson' });
    is($r->{status}, 200, 'answered') or return diag($r->{body});
    my @answers = map { PosTest::parse($_) } split /\n/, $r->{body};
    is(scalar @answers, 200, 'one line a cart');
    is($answers[99]{status}, 422, 'a bad cart has a problem of its own, in its place') or diag(PosTest::json($answers[99]));
    is($answers[0]{total}, $pos->quote($carts[0], %as)->{json}{total}, 'the same as a quote alone');
    is(scalar(grep { defined $_->{total} } @answers), 199, 'all others are priced');
    my %revisions = map { $_->{revision} => 1 } grep { $_->{revision} } @answers;
    is(scalar keys %revisions, 1, 'by one revision');
};

subtest 'lines of a batch as other systems write them' => sub {
    my $cart = PosTest::json({ currency => 'GBP', store => 'london', channel => 'web', lines => PosTest::lines('MUG-RED', 1) });
    my %batches = (
        'CRLF'            => ["$cart\r\n$cart\r\n", '200 200'],
        'no last newline' => ["$cart\n$cart", '200 200'],
        'blank lines'     => ["\n$cart\n\n\n$cart\n\n", '200 200'],
        'one cut off'     => ["$cart\n{\"lines\":\n$cart\n", '200 400 200'],
        'two on a line'   => ["$cart$cart\n$cart\n", '400 200'],
        'no object'       => ["null\n[]\n", '422 422'],
    );
    my $send = sub { $pos->request('POST', '/v1/quotes/batch', %as, body => $_[0], headers => { 'Content-Type' => 'application/x-ndjson' }) };
    for my $name (sort keys %batches) {
        my ($body, $want) = @{ $batches{$name} };
        is(join(' ', map { $_->{status} // 200 } map { PosTest::parse($_) } split /\n/, $send->($body)->{body}), $want, $name);
    }
    PosTest::is_problem($send->("\n\r\n"), 400, 'body_missing', 'only blank lines');
    PosTest::is_problem($send->("$cart\n" x 1001), 422, 'invalid_request', 'one more than a thousand');
};

subtest 'the engine alone says the same' => sub {
    my @carts = (
        { currency => 'GBP', store => 'london', channel => 'web', at => '2026-03-02T12:00:00Z', lines => PosTest::lines('MUG-RED', 6, 'KETTLE-OB', 3, 'COLA', 2) },
        { currency => 'USD', store => 'new-york', channel => 'pos', at => '2026-03-07T12:00:00Z', lines => PosTest::lines('JUMPER-NAVY-M', 1, 'TROWEL', 2) },
    );
    PosTest::spurt("$pos->{dir}/carts.ndjson", join '', map { PosTest::json($_) . "\n" } @carts);
    my $out = PosTest::command_output('sh', '-c',
        "exec '$PosTest::BUILD/poscalc' --book '$PosTest::BUILD/sample.json' < '$pos->{dir}/carts.ndjson'");
    my @engine = map { PosTest::parse($_) } split /\n/, $out;
    for my $i (0 .. $#carts) {
        my $http = $pos->quote($carts[$i])->{json};
        my $calc = $engine[$i];
        delete @{$_}{qw(revision token)} for $http, $calc;
        is_deeply($calc, $http, "cart $i: poscalc and HTTP agree in every field");
    }
};

done_testing;

sub amount {
    my ($quote, $id) = @_;
    my ($p) = grep { $_->{id} eq $id } @{ $quote->{promotions} || [] };
    return $p ? $p->{amount} : undef;
}

# The invariants of every quote.
sub sums_up {
    my ($q) = @_;
    my $sum = sub { my ($field, @of) = @_; my $n = 0; $n += $_->{$field} for @of; return $n };
    my @lines = @{ $q->{lines} };
    is($sum->('subtotal', @lines), $q->{subtotal}, 'subtotals sum up');
    for my $line (@lines) {
        is($sum->('paid', @{ $line->{units} }), $line->{total}, "units of line $line->{id} sum up") if $line->{units};
        is($line->{subtotal} - $line->{discount}, $line->{total}, "line $line->{id} adds up");
    }
    my $total = $sum->('total', @lines) + $q->{fees} + ($q->{shipping_total} // 0) + ($q->{tax_included} ? 0 : $q->{tax});
    is($q->{total}, $total, 'the total is what the lines, fees, shipping and tax make');
    return;
}
