#!/usr/bin/perl
# A merchandiser keeps the book over the API: products, prices, keys, imports; live and
# sandbox apart; repeats are safe.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos  = PosTest->start;
my %shop = (key => $pos->key('storefront'));

subtest 'an import is one revision, and only for its own retailer' => sub {
    my $book = PosTest::parse(PosTest::slurp("$PosTest::BUILD/sample.json"));
    my ($was) = $pos->quote({ lines => PosTest::lines('TROWEL', 1) }, %shop)->{json}{revision} =~ /^(\d+)/;
    my ($row) = grep { $_->{sku} eq 'TROWEL' && $_->{list} eq 'gb' && $_->{kind} eq 'regular' } @{ $book->{prices} };
    $row->{amount} = 1444;
    my $job = $pos->import_book($book);
    is($job->{json}{status}, 'succeeded', 'imported') or return diag($job->{body});
    ok($pos->wait_for('the new price', 5, sub { list_price('TROWEL', %shop) == 1444 }), 'the shelf has the new price');
    my ($is) = $pos->quote({ lines => PosTest::lines('TROWEL', 1) }, %shop)->{json}{revision} =~ /^(\d+)/;
    is($is, $was + 1, 'it was one revision');
    is(list_price('TROWEL', key => $pos->key('storefront', 'live')), 1400, 'the live twin has its own');
    is($pos->import_book({ coupons => [] })->{json}{status}, 'succeeded', 'a part alone');
    ok($pos->wait_for('no coupons', 5, sub {
        my $q = $pos->quote({ lines => PosTest::lines('TROWEL', 1), coupons => ['WELCOME10'] }, %shop)->{json};
        return ($q->{coupons}[0]{status} // '') eq 'unknown';
    }), 'replaces its own section');
    is(list_price('TROWEL', %shop), 1444, 'and leaves the others');
    $pos->check_replica;
};

subtest 'keys' => sub {
    my $r = $pos->post('/v1/keys', { name => 'till 4', scopes => ['quotes:create'] }, headers => { 'Idempotency-Key' => "key-$$" });
    is($r->{status}, 201, 'a new key') or return diag($r->{body});
    my $secret = $r->{json}{secret};
    ok($secret, 'its secret is shown') or return;
    ok($pos->wait_for('known', 5, sub { $pos->quote({ lines => PosTest::lines('TEA', 1) }, key => $secret)->{status} == 200 }), 'it may quote');
    PosTest::is_problem($pos->get('/v1/products', key => $secret), 403, undef, 'and nothing else');
    my $id = $r->{json}{id};
    unlike($pos->get("/v1/keys/$id")->{body}, qr/\Q$secret\E/, 'the secret is never shown again');
    my $again = $pos->post('/v1/keys', { name => 'till 4', scopes => ['quotes:create'] }, headers => { 'Idempotency-Key' => "key-$$" });
    is($again->{body}, $r->{body}, 'a repeat has the same answer');
    is($again->{headers}{'idempotency-replayed'}, 'true', 'and says so');
    PosTest::is_problem($pos->post('/v1/keys', { name => 'other', scopes => ['quotes:create'] }, headers => { 'Idempotency-Key' => "key-$$" }),
        422, undef, 'another body under the same key is refused');
    my $etag = $pos->get("/v1/keys/$id")->{headers}{etag};
    my $gone = $pos->post("/v1/keys/$id/revoke", {}, headers => { $etag ? ('If-Match' => $etag) : () });
    $gone = $pos->del("/v1/keys/$id", headers => { $etag ? ('If-Match' => $etag) : () }) if $gone->{status} == 404 || $gone->{status} == 405;
    like($gone->{status}, qr/^20/, 'revoked') or diag($gone->{body});
    ok($pos->wait_for('unknown', 5, sub { $pos->quote({ lines => PosTest::lines('TEA', 1) }, key => $secret)->{status} == 401 }), 'it opens nothing any more');
};

subtest 'live and sandbox' => sub {
    my $id = 'only-sandbox';
    $pos->put("/v1/promotions/$id", { id => $id, name => 'Sandbox', class => 'line', then => [{ percent_off => 50, items => { sku => ['TEA'] } }] });
    my $r = $pos->get("/v1/promotions/$id", key => $pos->key('admin', 'live'));
    PosTest::is_problem($r, 404, undef, 'what the sandbox has, live has not');
};

subtest 'lists and conditions' => sub {
    my $r = $pos->get('/v1/products?limit=7');
    is($r->{status}, 200, 'a page of products') or return diag($r->{body});
    my (%seen, $pages);
    my $page = $r->{json};
    while ($page) {
        $seen{ $_->{sku} }++ for @{ $page->{data} };
        last if !$page->{has_more} || ++$pages > 80;
        $page = $pos->get("/v1/products?limit=7&after=$page->{next}")->{json};
    }
    cmp_ok(scalar keys %seen, '>=', 400, 'all pages together have at least 400 products');
    is(scalar(grep { $_ > 1 } values %seen), 0, 'none twice');
    my $one = $pos->get('/v1/products/TEA');
    is($one->{status}, 200, 'one product') or return diag($one->{body});
    is($pos->get('/v1/products/TEA', headers => { 'If-None-Match' => $one->{headers}{etag} })->{status}, 304, 'unchanged');
    my $stale = $pos->put('/v1/products/TEA', strip($one->{json}), headers => { 'If-Match' => '"nothing"' });
    PosTest::is_problem($stale, 412, undef, 'a change on a version that is gone');
};

done_testing;

sub list_price {
    my ($sku, %o) = @_;
    return $pos->quote({ lines => PosTest::lines($sku, 1) }, %o)->{json}{lines}[0]{list_price} // 0;
}

sub strip {
    my ($json) = @_;
    my %copy = %$json;
    delete @copy{qw(id version created_at updated_at prices)};
    return \%copy;
}
