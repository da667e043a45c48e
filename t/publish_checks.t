#!/usr/bin/perl
# A promotion that would go wrong is told so before a till finds it: errors stop it,
# warnings stop it until they are acknowledged by name.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos = PosTest->start;

subtest 'nothing to say' => sub {
    my $c = check(draft('plain', [{ percent_off => 5, items => { sku => ['KETTLE-WHITE'] } }]));
    is_deeply($c->{findings}, [], 'of five per cent off a kettle') or diag(PosTest::json($c->{findings}));
    is_deeply($c->{products}, { seen => 1, matched => 1, priced => 1, applied => 1, complete => bool(1) }, 'tried on that kettle');
    my $r = $pos->post('/v1/promotions/plain/publish', {});
    is($r->{status}, 200, 'published as it is') or diag($r->{body});
    is_deeply($r->{json}{findings}, [], 'and it says so');
};

subtest 'below cost, computed over the real products' => sub {
    my $c = check(draft('half', [{ percent_off => 50, items => { category => ['appliances'] } }], stacking => 'exclusive'));
    my $f = finding($c, 'below_cost');
    is(scalar @{ $f->{related} }, 10, 'the worst ten are named') or diag(PosTest::json($c));
    # 39.99 less half is 19.99 or 20.00 with 20 % of tax in it, for what cost 17.99.
    my %by = map { $_->{sku} => $_ } @{ $f->{products} };
    my ($kettle) = grep { /^(?:KETTLE|MIXER)/ } sort keys %by;
    ok($kettle, 'such as a mixer or a kettle');
    my $p = $by{$kettle};
    my $q = simulate('half', { lines => PosTest::lines($kettle, $p->{quantity}) })->{carts}[0]{with};
    my $net = $q->{lines}[0]{total};
    $net -= $_->{amount} for @{ $q->{lines}[0]{taxes} };
    is($p->{net}, $net, 'what is left of it is what a quote leaves') or diag(PosTest::json($q));
    cmp_ok($p->{net}, '<', $p->{cost}, 'which is less than it cost');
    my @margin = map { ($_->{net} - $_->{cost}) / $_->{quantity} } @{ $f->{products} };
    is_deeply(\@margin, [sort { $a <=> $b } @margin], 'the worst first');
    my $r = $pos->post('/v1/promotions/half/publish', {});
    PosTest::is_problem($r, 409, 'not_acknowledged', 'a warning stops it');
    is_deeply($r->{json}{acknowledge}, ['below_cost'], 'and says what to acknowledge') or diag($r->{body});
    is($pos->get('/v1/promotions/half')->{json}{state}, 'draft', 'it is a draft still');
    PosTest::is_problem($pos->post('/v1/promotions/half/publish', { acknowledge => ['overlap'] }), 409, 'not_acknowledged', 'not by another code');
    $c = check(draft('half', [{ percent_off => 50, items => { category => ['appliances'] } }], stacking => 'exclusive', floor => { margin_percent => 0 }));
    ok(!finding($c, 'below_cost'), 'a floor keeps it from that');
    $c = check(draft('trio', [{ nth => { items => { category => ['appliances'] }, group => 2, position => 2, percent_off => 100 } }], stacking => 'exclusive'));
    ok(finding($c, 'below_cost'), 'a deal is tried with as many as it takes');
};

subtest 'below the margin wanted' => sub {
    my @draft = ('slim', [{ percent_off => 30, items => { sku => ['KETTLE-NAVY'] } }]);
    ok(!finding(check(draft(@draft)), 'below_margin'), 'no margin is wanted');
    is($pos->patch('/v1/retailer', { promotion_margin_percent => 30 })->{status}, 200, '30 % is');
    # 39.99 less 30 % is 27.99, of which 23.32 is net, for what cost 17.99: 22.8 %.
    my $f = finding(check(draft(@draft)), 'below_margin');
    is_deeply($f->{related}, ['KETTLE-NAVY'], 'the kettle is named');
    is_deeply([@{ $f->{products}[0] }{qw(net cost)}], [2332, 1799], 'with what is left of it');
    is($pos->patch('/v1/retailer', { promotion_margin_percent => undef })->{status}, 200, 'it is not any more');
};

subtest 'costs are for those who may see them' => sub {
    draft('half', [{ percent_off => 50, items => { category => ['appliances'] } }], stacking => 'exclusive');
    my %keys = map { my $scopes = $_; ($_ => $pos->post('/v1/keys', { name => $scopes, scopes => [split / /, $scopes] })->{json}{secret}) }
        'promotions:read', 'promotions:read products:read';
    my %seen;
    for my $scopes (sort keys %keys) {
        my $r;
        $pos->wait_for("a key of $scopes", 10, sub { $r = $pos->post('/v1/promotions/half/check', {}, key => $keys{$scopes}); $r->{status} == 200 }) or diag($r->{body});
        $seen{$scopes} = finding($r->{json}, 'below_cost');
    }
    my ($poor, $rich) = @seen{sort keys %keys};
    is_deeply([sort keys %{ $poor->{products}[0] }], [qw(quantity sku)], 'not for one that may not read products') or diag(PosTest::json($poor));
    unlike($poor->{message}, qr/leaves|cost of/, 'nor in words');
    is_deeply([sort keys %{ $rich->{products}[0] }], [qw(cost net quantity sku)], 'for one that may');
    is_deeply($poor->{related}, $rich->{related}, 'the products are the same');
};

subtest 'overlap with what is live' => sub {
    live('tea-5', [{ percent_off => 5, items => { sku => ['TEA'] } }]);
    my $c = check(draft('tea-3', [{ percent_off => 3, items => { sku => ['TEA'] } }]));
    my $f = finding($c, 'overlap');
    ok((grep { $_ eq 'tea-5' } @{ $f->{related} }), 'it stacks with another on tea') or diag(PosTest::json($c));
    ok(finding($c, 'unbounded_stacking'), 'and nothing bounds it');
    $c = check(draft('tea-3', [{ percent_off => 3, items => { sku => ['TEA'] } }], limits => [{ of => 'uses', max => 100 }]));
    ok(finding($c, 'overlap') && !finding($c, 'unbounded_stacking'), 'a limit does');
    ok(!finding(check(draft('tea-3', [{ percent_off => 3, items => { sku => ['TEA'] } }], stacking => 'exclusive')), 'overlap'), 'what is exclusive overlaps nothing');
};

subtest 'always beaten' => sub {
    live('cups-20', [{ percent_off => 20, items => { category => ['tableware'] } }], stacking => 'exclusive');
    my @never = ('worse' => [{ percent_off => 20, items => { category => ['tableware'] } }]);
    is_deeply(finding(check(draft(@never, stacking => 'exclusive')), 'always_beaten')->{related}, ['cups-20'], 'it never saves more');
    my $q = simulate('worse', { lines => PosTest::lines('MUG-RED', 1) })->{carts}[0];
    is_deeply([grep { $_->{id} eq 'worse' } @{ $q->{with}{promotions} }], [], 'nor is it given');
    ok(!finding(check(draft(@never)), 'always_beaten'), 'with others it may come to more');
    ok(!finding(check(draft('worse', [{ percent_off => 15, items => { category => ['tableware'] } }], stacking => 'exclusive')), 'always_beaten'),
        'so may less, where an order must come to something after it');
    ok(!finding(check(draft('worse', [{ percent_off => 25, items => { category => ['tableware'] } }], stacking => 'exclusive')), 'always_beaten'), 'nor is one that saves more');
    ok(!finding(check(draft('worse', [{ percent_off => 15, items => { sku => ['TEA'] } }], stacking => 'exclusive')), 'always_beaten'), 'or other goods');
    ok(finding(check(draft(@never, stacking => 'exclusive', when => { channel => ['web'] })), 'always_beaten'), 'a condition of its own does not help');
    live('cups-20', [{ percent_off => 20, items => { category => ['tableware'] } }], stacking => 'exclusive', when => { channel => ['pos'] });
    ok(!finding(check(draft(@never, stacking => 'exclusive')), 'always_beaten'), 'where the other asks for more than it, it may win');
};

subtest 'never reached' => sub {
    my $c = check(draft('never', [{ percent_off => 5 }], when => { all => [{ channel => ['web'] }, { channel => ['pos'] }] }));
    is(finding($c, 'never_holds')->{severity}, 'error', 'a cart is of one channel');
    PosTest::is_problem($pos->post('/v1/promotions/never/publish', { acknowledge => ['never_holds'] }), 422, 'checks_failed', 'an error cannot be acknowledged');
    $c = check(draft('never', [{ percent_off => 5 }], when => { all => [{ items => {}, quantity => { min => 5 } }, { items => {}, quantity => { max => 3 } }] }));
    ok(finding($c, 'never_holds'), 'nor of two quantities');
    $c = check(draft('never', [{ percent_off => 5 }], active => { until => '2020-01-01T00:00:00' }));
    is(finding($c, 'expired')->{pointer}, '/active/until', 'over') or diag(PosTest::json($c));
    my $r = $pos->post('/v1/promotions/never/publish', {});
    PosTest::is_problem($r, 422, 'checks_failed', 'is not published');
    is_deeply([map { "$_->{code} $_->{pointer}" } @{ $r->{json}{errors} }], ['expired /active/until'], 'the place is named');
    $c = check(draft('never', [{ percent_off => 5 }], experiment => { code => 'none', arm => 'a' }));
    ok(finding($c, 'unknown_experiment'), 'no such experiment');
    $pos->put('/v1/experiments/exp', { arms => [{ code => 'a' }, { code => 'b', weight => 0 }] });
    for my $arm (['c', 1], ['b', 1], ['a', 0]) {
        $c = check(draft('never', [{ percent_off => 5 }], experiment => { code => 'exp', arm => $arm->[0] }));
        is(!!finding($c, 'unknown_arm'), !!$arm->[1], "arm $arm->[0]");
    }
};

subtest 'what is not there' => sub {
    my $c = check(draft('lost', [{ percent_off => 5, items => { sku => ['TEEA'] } }], when => { store => ['paris'] }));
    is(finding($c, 'unknown_sku')->{pointer}, '/then/0/items/sku/0', 'a SKU');
    is(finding($c, 'unknown_store')->{pointer}, '/when/store/0', 'a store');
    ok(finding($c, 'no_products'), 'so it is for nothing that is sold');
    ok(finding(check(draft('lost', [{ percent_off => 5, items => { category => ['boats'] } }])), 'unknown_category'), 'a category');
    $c = check(draft('lost', [{ percent_off => 5, items => { brand => ['Brindel'] } }]));
    ok(finding($c, 'unknown_brand'), 'a brand') or diag(PosTest::json($c));
    cmp_ok($c->{products}{seen}, '>', 100, 'looked for in all of the shop');
    ok(!finding(check(draft('lost', [{ percent_off => 5, items => { brand => ['Brindle'] } }], stacking => 'exclusive')), 'unknown_brand'), 'one that there is');
};

subtest 'coupons' => sub {
    my @draft = ('spring', [{ percent_off => 5 }], class => 'order', coupon => bool(1), stacking => 'exclusive');
    ok(finding(check(draft(@draft)), 'no_coupon'), 'no code opens it');
    is($pos->put('/v1/coupons/SPRING', { promotions => ['spring', 'welcome-10'] })->{status}, 201, 'one does');
    my $c = check(draft(@draft));
    ok(!finding($c, 'no_coupon'), 'so that is well');
    is_deeply(finding($c, 'coupon_shared')->{related}, ['welcome-10'], 'it opens another too, and the two never go together');
};

subtest 'warnings acknowledged once are known' => sub {
    draft('known', [{ percent_off => 3, items => { sku => ['TEA'] } }]);
    my $r = $pos->publish('known', { reason => 'meant so' });
    is($r->{status}, 200, 'published') or diag($r->{body});
    is($pos->post('/v1/promotions/known/suspend', {})->{status}, 200, 'suspended');
    is($pos->post('/v1/promotions/known/publish', {})->{status}, 200, 'and taken up again without more ado');
    my $v = $pos->get('/v1/promotions/known/versions/1')->{json};
    is_deeply($v->{publications}[0]{acknowledged}, $v->{publications}[1]{acknowledged}, 'it is on record');
    ok((grep { $_ eq 'overlap' } @{ $v->{publications}[1]{acknowledged} }), 'what was');
};

subtest 'a script that fails is told' => sub {
    $pos->put_lua('frail', "return promotion { id = 'frail', class = 'line', apply = function(cart) local x = cart.customer.id end }");
    my $f = finding(check('frail'), 'script_error');
    like($f->{message}, qr/customer/, 'with what fails');
    is($f->{severity}, 'warning', 'a quote goes on without it');
};

subtest 'what a script says of itself is tried again' => sub {
    my $lua = sub { "return promotion { id = 'halves', class = 'line', apply = function(cart) cart:items { sku = { 'TEA' } }:percent_off(50) end,\n"
        . "  cases = { { name = 'half', cart = { lines = { { sku = 'TEA', quantity = 1, price = 400 } } }, expect = { discount = $_[0] } } } }" };
    $pos->put_lua('halves', $lua->(200));
    is(finding(check('halves'), 'case_failed'), undef, 'as it says');
    my $r = $pos->put_lua('halves', $lua->(150));
    is($r->{status}, 200, 'a version that does not do as it says') or diag($r->{body});
    my $f = finding(check('halves'), 'case_failed');
    is_deeply([@$f{qw(severity pointer message)}], ['warning', '/cases/0/expect/discount', 'case 1 (half): discount is 200 instead of 150'], 'is told') or diag(PosTest::json($f));
    $r = $pos->post('/v1/promotions/halves/publish', { acknowledge => [qw(overlap unbounded_stacking below_cost)] });
    PosTest::is_problem($r, 409, 'not_acknowledged', 'nor goes live unseen');
    is_deeply($r->{json}{acknowledge}, ['case_failed'], 'for that');
};

subtest 'validate finds the same, before anything is stored' => sub {
    my %half = (id => 'unstored', class => 'line', stacking => 'exclusive', then => [{ percent_off => 50, items => { category => ['appliances'] } }]);
    my $r = $pos->post('/v1/promotions/validate', \%half);
    is_deeply(finding($r->{json}, 'below_cost')->{related}, finding(check(draft('half', $half{then}, stacking => 'exclusive')), 'below_cost')->{related},
        'the products that it would sell below cost') or diag($r->{body});
    $r = $pos->request('POST', '/v1/promotions/validate', headers => { 'Content-Type' => 'text/x-lua' },
        body => "return promotion { id = 'unstored', class = 'line', apply = function(cart) cart:items { sku = { 'KETTLE-WHITE' } }:percent_off(60, 'x') end }");
    is_deeply(finding($r->{json}, 'below_cost')->{related}, ['KETTLE-WHITE'], 'by a script, too') or diag($r->{body});
};

subtest 'asked for what is not there' => sub {
    PosTest::is_problem($pos->post('/v1/promotions/none/check', {}), 404, 'not_found', 'no such promotion');
    PosTest::is_problem($pos->post('/v1/promotions/plain/check', { version => 9 }), 422, 'invalid', 'no such version');
    PosTest::is_problem($pos->post('/v1/promotions/none/publish', {}), 404, 'not_found', 'nor to publish');
    PosTest::is_problem($pos->post('/v1/promotions/plain/publish', { version => 9 }), 422, 'invalid', 'nor that version');
};

subtest 'a book that does not follow' => sub {
    kill 'STOP', $pos->pid('posd') or die;
    draft('late', [{ percent_off => 5, items => { sku => ['KETTLE-SAGE'] } }]);
    $pos->put('/v1/experiments/late', { arms => [{ code => 'a' }] });    # a revision that this node does not see
    my $r = $pos->post('/v1/promotions/late/publish', {});
    PosTest::is_problem($r, 409, 'not_acknowledged', 'it was not tried on the shop as it is');
    ok((grep { $_ eq 'not_checked' } @{ $r->{json}{acknowledge} }), 'which it says') or diag($r->{body});
    kill 'CONT', $pos->pid('posd') or die;
    $pos->wait_for('posd', 10, sub { $pos->post('/v1/promotions/late/publish', {})->{status} == 200 }) or fail('published once it follows');
};

done_testing;

sub bool { return $_[0] ? Cpanel::JSON::XS::true() : Cpanel::JSON::XS::false() }

sub draft {
    my ($id, $then, %more) = @_;
    my $r = $pos->put("/v1/promotions/$id", { id => $id, class => 'line', then => $then, %more });
    diag($r->{body}) if $r->{status} !~ /^20/;
    return $id;
}

sub live {
    my $id = draft(@_);
    my $r = $pos->publish($id, {});
    is($r->{status}, 200, "$id is live") or diag($r->{body});
    return;
}

sub check {
    my ($id) = @_;
    my $r = $pos->post("/v1/promotions/$id/check", {});
    is($r->{status}, 200, "$id is checked") or diag($r->{body});
    return $r->{json} || {};
}

sub finding {
    my ($check, $code) = @_;
    my ($f) = grep { $_->{code} eq $code } @{ $check->{findings} || [] };
    return $f;
}

sub simulate {
    my ($id, $cart) = @_;
    my $r = $pos->post("/v1/promotions/$id/simulations", { carts => [{ currency => 'GBP', store => 'london', channel => 'web', %$cart }] });
    diag($r->{body}) if $r->{status} != 200;
    return $r->{json} || {};
}
