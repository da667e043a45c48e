#!/usr/bin/perl
# Every operation of the contract is called with the contract's own example on a
# running node that checks each answer against the contract.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos      = PosTest->start(sample => 0, check_responses => 'on');
my $made     = PosTest::parse($pos->sql(q(select pos.create_retailer('{"code": "acme", "currency": "GBP", "timezone": "Europe/London"}'))));
my $admin    = $made->{sandbox}{admin};
$pos->wait_for('the new key to work', 10, sub { $pos->get('/v1/retailer', key => $admin)->{status} == 200 });
my $contract = $pos->get('/v1/openapi.json')->{json};
ok($contract->{openapi}, 'the contract is served') or BAIL_OUT('no contract');
my %seen;

# One call by its operation's id: the path's names filled in, the example sent.
sub call {
    my ($id, %o) = @_;
    for my $path (keys %{ $contract->{paths} }) {
        for my $method (keys %{ $contract->{paths}{$path} }) {
            my $op = $contract->{paths}{$path}{$method};
            next unless $op->{operationId} eq $id;
            $seen{$id} = 1;
            (my $at = $path) =~ s/\{(\w+)\}/$o{path}{$1} \/\/ die "$id: no $1"/ge;
            $at .= "?$o{query}" if $o{query};
            my $media = $op->{requestBody}{content};
            my $type  = $o{type} // (grep { /json/ } sort keys %{ $media // {} })[0];
            my %with  = (key => $o{key} // $admin, headers => $o{headers} // {});
            if ($type) {
                my $body = $o{body} // $media->{$type}{example};
                $with{body} = ref $body ? PosTest::json($body) : $body;
                $with{headers}{'Content-Type'} = $type;
            }
            return $pos->request(uc $method, $at, %with);
        }
    }
    die "no operation $id";
}

sub answers {
    my ($want, $id, %o) = @_;
    my $r = call($id, %o);
    is($r->{status}, $want, "$id: $want") or diag($r->{body});
    return $r;
}

my %code = (path => { code => 'london' });
answers(200, 'get_retailer');
answers(200, 'patch_retailer');
answers(201, 'put_store', %code);
answers(200, 'put_store', %code);
my $tag = answers(200, 'get_store', %code)->{headers}{etag};
ok($tag, 'with a tag');
answers(304, 'get_store', %code, headers => { 'If-None-Match' => $tag });
answers(412, 'put_store', %code, headers => { 'If-Match' => '"0"' });
answers(422, 'put_store', %code, body => { nmae => 'a typo' });
answers(200, 'list_stores');
answers(200, 'list_stores', query => 'limit=1');
answers(422, 'list_stores', query => 'limit=1000');
answers(422, 'list_stores', query => 'after=nonsense');
answers(201, 'put_category', path => { code => 'clothing' }, body => { name => 'Clothing' });
answers(201, 'put_category', path => { code => 'shoes' });
answers(200, 'get_category', path => { code => 'shoes' });
answers(200, 'list_categories');
answers(409, 'delete_category', path => { code => 'clothing' });
answers(201, 'put_product', path => { sku => 'S1' });
answers(422, 'put_product', path => { sku => 'S2' });
answers(200, 'get_product', path => { sku => 'S1' });
answers(404, 'get_product', path => { sku => 'S9' });
answers(200, 'list_products', query => 'sku=S1,S2');
answers(201, 'put_price_list', path => { code => 'base' });
answers(200, 'get_price_list', path => { code => 'base' });
answers(200, 'list_price_lists');
answers(200, 'put_prices');
answers(200, 'list_product_prices', path => { sku => 'S1' });
answers(201, 'put_tax', path => { region => 'GB' });
answers(200, 'get_tax', path => { region => 'GB' });
answers(200, 'list_taxes');
answers(201, 'put_experiment', path => { code => 'exp-1' });
answers(200, 'get_experiment', path => { code => 'exp-1' });
answers(200, 'list_experiments', query => 'state=running');
answers(200, 'get_experiment_results', path => { code => 'exp-1' }, query => 'from=2026-11-02T00:00:00Z');
answers(422, 'ship_experiment', path => { code => 'exp-1' }, body => { arm => 'c' });
answers(200, 'ship_experiment', path => { code => 'exp-1' });
answers(409, 'stop_experiment', path => { code => 'exp-1' });
answers(409, 'put_experiment', path => { code => 'exp-1' });
answers(201, 'put_experiment', path => { code => 'exp-3' });
answers(200, 'stop_experiment', path => { code => 'exp-3' });

my %half = (path => { id => 'second-half' });
answers(200, 'validate_promotion');
answers(200, 'validate_promotion', type => 'text/x-lua');
answers(201, 'put_promotion', %half);
answers(200, 'put_promotion', %half, query => 'reason=again');
answers(201, 'put_promotion', path => { id => 'open-box' }, type => 'text/x-lua');
answers(422, 'put_promotion', path => { id => 'other' }, type => 'text/x-lua');
answers(200, 'get_promotion', %half);
answers(200, 'get_promotion_stats', %half);
answers(200, 'list_promotions', query => 'state=draft');
answers(200, 'list_promotion_versions', %half);
answers(200, 'get_promotion_version', path => { id => 'second-half', version => 1 });
answers(200, 'diff_promotion_versions', path => { id => 'second-half', version => 2 });
answers(200, 'submit_promotion', %half);
my $other = $pos->post('/v1/keys', { name => 'reviewer', scopes => ['promotions:approve'] }, key => $admin)->{json}{secret};
$pos->wait_for('the reviewer\'s key', 10, sub { !grep { $pos->post('/v1/promotions/none/approve', { version => 1 }, key => $other)->{status} != 404 } 1 .. 8 });
answers(200, 'approve_promotion', %half, key => $other);
answers(200, 'reject_promotion', %half, key => $other);
answers(200, 'check_promotion', %half);
answers(200, 'simulate_promotion', %half);
my $live = answers(200, 'publish_promotion', %half, headers => { 'Idempotency-Key' => 'publish-1' });
my $again = answers(200, 'publish_promotion', %half, headers => { 'Idempotency-Key' => 'publish-1' });
is($again->{body}, $live->{body}, 'the same bytes');
is($again->{headers}{'idempotency-replayed'}, 'true', 'and it says so');
answers(422, 'publish_promotion', %half, headers => { 'Idempotency-Key' => 'publish-1' }, body => { version => 1 });
answers(201, 'put_coupon', path => { code => 'SAVE10' }, body => { promotions => ['second-half'] });
answers(200, 'get_coupon', path => { code => 'save10' });
answers(200, 'list_coupons');

my $revision = $live->{headers}{'pos-revision'};
my $quote;
$pos->wait_for('the book to arrive', 10, sub {
    $quote = call('create_quote');
    return $quote->{status} == 200 && $quote->{json}{discount} > 0;
});
answers(200, 'create_quote');
answers(200, 'create_quote_batch');
$pos->wait_for('one book on all workers', 10, sub {
    my %by = map { $_ => 1 } map { call('list_prices', query => 'sku=S1')->{json}{revision} } 1 .. 16;
    return keys %by == 1;
});
my $shelf = answers(200, 'list_prices', query => 'sku=S1,S9&store=london');
is_deeply($shelf->{json}{not_found}, ['S9'], 'what is not there is named');
answers(304, 'list_prices', query => 'sku=S1,S9&store=london', headers => { 'If-None-Match' => $shelf->{headers}{etag} });
answers(200, 'suspend_promotion', %half);
answers(409, 'publish_promotion', %half) if call('archive_promotion', %half)->{status} == 204;

answers(202, 'create_coupon_batch', body => { count => 10, pattern => 'SUMMER-####-####', promotions => ['open-box'] });
my $batch;
$pos->wait_for('the batch', 30, sub { $batch = answers(200, 'list_coupon_batches')->{json}{data}[0]; return $batch->{state} eq 'active' });
answers(200, 'get_coupon_batch', path => { id => $batch->{id} });
like(answers(200, 'export_coupon_batch', path => { id => $batch->{id} }, query => 'limit=5')->{headers}{link}, qr/rel="next"/, 'there is more');
answers(201, 'create_coupon_reservation', body => { id => 'cart-8f2c', coupons => ['save10'], expires_in => 60 });
answers(200, 'create_coupon_reservation', body => { id => 'cart-8f2c', coupons => ['SAVE10'] });
answers(200, 'get_coupon_reservation', path => { id => 'cart-8f2c' });
answers(200, 'commit_coupon_reservation', path => { id => 'cart-8f2c' });
answers(200, 'release_coupon_reservation', path => { id => 'cart-8f2c' });
answers(409, 'commit_coupon_reservation', path => { id => 'cart-8f2c' });
answers(200, 'revoke_coupon', path => { code => 'SAVE10' });
answers(200, 'revoke_coupon_batch', path => { id => $batch->{id} });

my $history = answers(202, 'create_import', body => { orders => [{ id => 'A-1', at => '2026-10-01T08:26:00Z', lines => [{ sku => 'S1', quantity => 2, unit_price => 4999 }] }] })->{json};
$pos->wait_job("/v1/jobs/$history->{id}", 30, key => $admin);
answers(200, 'list_order_history', query => 'limit=1');
answers(422, 'list_order_history', query => 'after=nonsense');
my $backtest = answers(202, 'create_backtest', %half, body => { from => '2026-10-01', to => '2026-10-31' })->{json};
answers(422, 'create_backtest', %half, body => { from => '2026-10-01', to => '2026-09-30' });
my %backtest = (path => { id => 'second-half', backtest => $backtest->{backtest} });
$pos->wait_job("/v1/jobs/$backtest->{id}", 30, key => $admin);
my $tried = answers(200, 'get_backtest', %backtest);
is($tried->{json}{result}{orders}{read}, 1, 'an order was back-tested');
answers(304, 'get_backtest', %backtest, headers => { 'If-None-Match' => $tried->{headers}{etag} });
answers(200, 'list_backtests', %half);

my $key = answers(201, 'create_key')->{json};
like($key->{secret}, qr/^pos_test_/, 'a secret, once');
answers(200, 'get_key', path => { id => $key->{id} });
answers(200, 'list_keys');
answers(204, 'revoke_key', path => { id => $key->{id} });

my $job = answers(202, 'create_import', headers => { 'Idempotency-Key' => 'import-1' },
    body => { coupons => [], experiments => [], prices => [{ sku => 'S1', list => 'base', amount => 100 }] });
like($job->{headers}{location}, qr{^/v1/jobs/job_}, 'a job');
my %job = (path => { id => $job->{json}{id} });
my $done;
$pos->wait_for('the import', 30, sub { $done = call('get_job', %job)->{json}; return $done->{status} =~ /succeeded|failed/ });
is($done->{status}, 'succeeded', 'it is imported') or diag(PosTest::json($done));
answers(200, 'get_job', %job);
answers(200, 'list_jobs');
answers(409, 'cancel_job', %job);

my $bad = answers(202, 'create_import', body => { prices => [{ sku => 'S1', list => 'base', amount => 100 }, { sku => 'S9', list => 'base', amount => 1 }] });
%job = (path => { id => $bad->{json}{id} });
$pos->wait_for('the bad import', 30, sub { $done = call('get_job', %job)->{json}; return $done->{status} =~ /succeeded|failed/ });
is($done->{status}, 'failed', 'a price for a product that is not there');
is($done->{result}{errors}[0]{pointer}, '/prices/1/sku', 'is named') or diag(PosTest::json($done));

answers(204, 'delete_prices', query => 'sku=S1&list=base');
answers(404, 'delete_prices', query => 'sku=S1&list=base');
answers(204, 'delete_product', path => { sku => 'S1' });
answers(204, 'delete_price_list', path => { code => 'base' });
answers(204, 'delete_category', path => { code => 'shoes' });
answers(204, 'delete_tax', path => { region => 'GB' });
answers(204, 'delete_store', %code);
answers(201, 'put_coupon', path => { code => 'X1' }, body => { promotions => ['open-box'] });
answers(204, 'delete_coupon', path => { code => 'x1' });
answers(201, 'put_experiment', path => { code => 'exp-2' }, body => { arms => [{ code => 'a' }] });
answers(204, 'delete_experiment', path => { code => 'exp-2' });
answers(200, 'health');
answers(200, 'metrics');
answers(200, 'get_openapi');

my @never = grep { !$seen{$_} } map { map { $_->{operationId} } values %$_ } values %{ $contract->{paths} };
is_deeply([sort @never], [], 'every operation was called');
done_testing;
