#!/usr/bin/perl
# Steps that do not follow, fifty clients that take the same one at once, clients that leave in the
# middle and clients that are slow: each step is taken once, and everybody is told how it stands.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(sleep);

my $pos   = PosTest->start(workers => 2);
my $admin = $pos->key('admin');
my $n     = 0;

my $reviewer = made(201, $pos->post('/v1/keys', { name => 'reviewer', scopes => ['promotions:read', 'promotions:approve'] }))->{secret};
$pos->wait_for('the reviewer\'s key', 10, sub { !grep { $pos->post('/v1/promotions/none/approve', { version => 1 }, key => $reviewer)->{status} != 404 } 1 .. 8 });

sub made {
    my ($want, $r) = @_;
    BAIL_OUT("cannot be made: $r->{status} $r->{body}") if $r->{status} != $want;
    return $r->{json};
}

# A promotion of its own, so that nothing else is in the way.
sub promotion {
    my ($id, %more) = @_;
    made(201, $pos->put("/v1/promotions/$id", { id => $id, class => 'line', stacking => 'exclusive', then => [{ percent_off => 1, items => { sku => ['MUG-RED'] } }], %more }));
    return "/v1/promotions/$id";
}

# --- steps -----------------------------------------------------------------------------------

my %step = (
    submit  => sub { $pos->post("$_[0]/submit", {}) },
    approve => sub { $pos->post("$_[0]/approve", { version => $_[1] }, key => $reviewer) },
    reject  => sub { $pos->post("$_[0]/reject", { version => $_[1], reason => 'no' }, key => $reviewer) },
    publish => sub { $pos->post("$_[0]/publish", { acknowledge => [qw(overlap unbounded_stacking always_beaten no_products not_checked)] }) },
    suspend => sub { $pos->post("$_[0]/suspend", { reason => 'no' }) },
    archive => sub { $pos->del($_[0]) },
);
my %state = (
    draft     => [],
    submitted => ['submit'],
    approved  => [qw(submit approve)],
    rejected  => [qw(submit reject)],
    active    => ['publish'],
    suspended => [qw(publish suspend)],
    archived  => ['archive'],
    'active and submitted' => [qw(publish submit)],
    'suspended and approved' => [qw(publish suspend submit approve)],
);

subtest 'a promotion in each of its states' => sub {
    for my $state (sort keys %state) {
        my $path = promotion('s' . ++$n);
        for my $before (@{ $state{$state} }) {
            my $r = $step{$before}->($path, 1);
            ok($r->{status} == 200 || $r->{status} == 204, "$before") or diag($r->{body});
        }
        my $now = $pos->get($path);
        my %may = map { $_ => 1 } @{ $now->{json}{steps} };
        for my $s (grep { !$may{$_} } sort keys %step) {
            my $r = $step{$s}->($path, 1);
            PosTest::is_problem($r, 409, 'illegal_state', "$state: no $s");
            is_deeply($r->{json}{allowed}, $now->{json}{steps}, 'what may be done instead is told');
            like($r->{json}{detail}, qr/\b$now->{json}{steps}[0]\b/, 'in words, too');
        }
        is($pos->get($path)->{body}, $now->{body}, "$state: it is as it was");
        # And each that is named is possible: on to another of its states.
        for my $s (grep { $step{$_} && $_ ne 'archive' } @{ $now->{json}{steps} }) {
            my $other = promotion('s' . ++$n);
            $step{$_}->($other, 1) for @{ $state{$state} };
            my $r = $step{$s}->($other, 1);
            is($r->{status}, 200, "$state: $s") or diag($r->{body});
        }
    }
    for my $s (sort keys %step) {
        my $path = promotion('s' . ++$n);
        PosTest::is_problem($step{$s}->("$path-not", 1), 404, 'not_found', "$s of none");
    }
    my $path = promotion('s' . ++$n);
    $step{submit}->($path);
    my $r = $step{approve}->($path, 7);
    cmp_ok($r->{status}, '>=', 409, 'a version that is not there is not approved') or diag($r->{body});
    is($pos->get($path)->{json}{review}{state}, 'requested', 'and the review goes on');
};

subtest 'what is over' => sub {
    made(201, $pos->put('/v1/experiments/over', { arms => [{ code => 'a' }, { code => 'b' }] }));
    made(200, $pos->post('/v1/experiments/over/stop', {}));
    my $ended = $pos->get('/v1/experiments/over')->{body};
    PosTest::is_problem($pos->post('/v1/experiments/over/stop', {}), 409, 'illegal_state', 'a stopped experiment is not stopped');
    PosTest::is_problem($pos->post('/v1/experiments/over/ship', { arm => 'a' }), 409, 'illegal_state', 'nor shipped');
    PosTest::is_problem($pos->put('/v1/experiments/over', { arms => [{ code => 'a' }] }), 409, 'illegal_state', 'nor put');
    is($pos->get('/v1/experiments/over')->{body}, $ended, 'it is as it was');

    promotion('coded', coupon => Cpanel::JSON::XS::true());
    made(201, $pos->put('/v1/coupons/OVER', { promotions => ['coded'] }));
    made(200, $pos->post('/v1/coupons/OVER/revoke', { reason => 'first' }));
    is($pos->post('/v1/coupons/OVER/revoke', { reason => 'second' })->{json}{revoked_reason}, 'first', 'a coupon is revoked once');
    PosTest::is_problem($pos->put('/v1/coupons/OVER', { promotions => ['coded'] }), 409, 'illegal_state', 'and not put again');
    PosTest::is_problem($pos->del('/v1/coupons/OVER'), 409, 'illegal_state', 'nor deleted');
    PosTest::is_problem($pos->post('/v1/coupon-reservations', { id => 'over-1', coupons => ['OVER'] }), 409, 'coupon_revoked', 'nor reserved');

    made(201, $pos->put('/v1/coupons/ONCE', { promotions => ['coded'], remaining => 5 }));
    made(201, $pos->post('/v1/coupon-reservations', { id => 'over-2', coupons => ['ONCE'] }));
    made(200, $pos->post('/v1/coupon-reservations/over-2/release'));
    is($pos->post('/v1/coupon-reservations/over-2/release')->{status}, 200, 'released again changes nothing');
    PosTest::is_problem($pos->post('/v1/coupon-reservations/over-2/commit'), 409, 'illegal_state', 'what is released is not committed');
    made(201, $pos->post('/v1/coupon-reservations', { id => 'over-3', coupons => ['ONCE'] }));
    made(200, $pos->post('/v1/coupon-reservations/over-3/commit'));
    PosTest::is_problem($pos->post('/v1/coupon-reservations', { id => 'over-3', coupons => ['ONCE'] }), 409, 'illegal_state', 'what is committed is not reserved anew');
    is($pos->get('/v1/coupons/ONCE')->{json}{used}, 1, 'one is used');

    my $job = made(202, $pos->post('/v1/promotions/coded/backtests', { from => '2026-10-01', to => '2026-10-01' }));
    $pos->wait_job("/v1/jobs/$job->{id}", 30);
    my $done = $pos->get("/v1/jobs/$job->{id}")->{body};
    PosTest::is_problem($pos->post("/v1/jobs/$job->{id}/cancel"), 409, 'illegal_state', 'a finished back-test is not cancelled');
    is($pos->get("/v1/jobs/$job->{id}")->{body}, $done, 'and stays what it is');
};

# What a schema cannot say: each is refused at its place, and nothing of it stays.
subtest 'places that do not go together' => sub {
    my @wrong = (
        ['GET', '/v1/order-history?from=2026-02-01T00:00:00&until=2026-01-01T00:00:00', undef, '/query/until empty_window'],
        ['GET', '/v1/experiments/over/results?from=2026-02-01T00:00:00&until=2026-01-01T00:00:00', undef, '/query/until empty_window'],
        ['GET', '/v1/promotions/coded/stats?from=2026-02-01&until=2026-01-01', undef, '/query/until empty_window'],
        ['GET', '/v1/promotions/coded/stats?from=2020-02-01&until=2026-01-01', undef, '/query/until too_long'],
        ['POST', '/v1/promotions/coded/backtests', { from => '2026-10-02', to => '2026-10-01' }, '/to empty_window'],
        ['POST', '/v1/promotions/coded/backtests', { from => '2026-10-01', to => '2026-10-02', stores => ['atlantis'] }, '/stores/0 unknown_store'],
        ['POST', '/v1/promotions/coded/backtests', { from => '2026-10-01', to => '2026-10-02', version => 9 }, '/version unknown_version'],
        ['POST', '/v1/promotions/coded/publish', { from => '2031-02-01T00:00:00', until => '2031-01-01T00:00:00' }, '/until empty_window'],
        ['POST', '/v1/promotions/coded/publish', { version => 9 }, '/version unknown_version'],
        ['POST', '/v1/promotions/coded/check', { version => 9 }, '/version unknown_version'],
        ['POST', '/v1/promotions/coded/simulations', { version => 9, carts => [{ lines => [] }] }, '/version unknown_version'],
        ['PUT', '/v1/experiments/twice', { arms => [{ code => 'a' }, { code => 'b' }, { code => 'a' }] }, '/arms/2/code duplicate'],
        ['PUT', '/v1/experiments/nobody', { arms => [{ code => 'a', weight => 0 }, { code => 'b', weight => 0 }] }, '/arms min'],
        ['PUT', '/v1/experiments/other', { code => 'another', arms => [{ code => 'a' }] }, '/code mismatch'],
        ['PUT', '/v1/taxes/ZZ', { rows => [({ category => 'standard', code => 'vat', percent => 20 }) x 2] }, '/rows/1 duplicate'],
        ['PUT', '/v1/coupons/W1', { promotions => ['coded', 'none'] }, '/promotions/1 unknown_promotion'],
        ['PUT', '/v1/coupons/W2', { promotions => ['coded'], from => '2031-02-01T00:00:00', until => '2031-01-01T00:00:00' }, '/until empty_window'],
        ['POST', '/v1/coupon-batches', { count => 1, pattern => 'ZZ-########', promotions => ['none'] }, '/promotions/0 unknown_promotion'],
        ['POST', '/v1/coupon-batches', { count => 1, pattern => 'ZZ-##', promotions => ['coded'] }, '/pattern pattern_too_short'],
        ['POST', '/v1/coupon-batches', { count => 1, pattern => 'ZZ-########', promotions => ['coded'], until => '2021-01-01T00:00:00' }, '/until in_the_past'],
        ['POST', '/v1/coupon-reservations', { id => 'w', coupons => ['NONE', 'NO2'] }, '/coupons/0 unknown_coupon', '/coupons/1 unknown_coupon'],
        ['POST', '/v1/coupon-reservations', { id => 'w', promotions => [{ id => 'none' }] }, '/promotions/0/id unknown_promotion'],
        ['POST', '/v1/coupon-reservations', { id => 'ord_1' }, '/id reserved'],
        ['POST', '/v1/keys', { name => 'w', scopes => ['prices:read'], store => 'atlantis' }, '/store unknown_store'],
        ['POST', '/v1/keys', { name => 'w', scopes => ['prices:read'], expires_at => '2020-01-01T00:00:00Z' }, '/expires_at in_the_past'],
        ['PUT', '/v1/products/W', { categories => ['none', 'no2'] }, '/categories/0 unknown_category', '/categories/1 unknown_category'],
        ['PUT', '/v1/categories/w', { parent => 'w' }, '/parent category_cycle'],
        ['PUT', '/v1/price-lists/w', { currency => 'GBP', stores => ['atlantis'] }, '/stores/0 unknown_store'],
        ['PUT', '/v1/prices', { prices => [({ sku => 'TEA', list => 'gb', amount => 1 }) x 2] }, '/prices/1 duplicate'],
        ['PUT', '/v1/prices', { prices => [{ sku => 'NO', list => 'none', amount => 1 }] }, '/prices/0/sku unknown_sku', '/prices/0/list unknown_price_list'],
        ['PATCH', '/v1/retailer', { timezone => 'Mars/Base' }, '/timezone unknown_timezone'],
        ['PUT', '/v1/promotions/w', { id => 'w', class => 'line', active => { from => '2031-02-01T00:00:00', until => '2031-01-01T00:00:00', hours => [['25:00', '26:00']] }, then => [{ percent_off => 1 }] },
            '/active/until empty_window', '/active/hours/0/0 format', '/active/hours/0/1 format'],
    );
    my $before = $pos->sql(q(select concat_ws(' ', (select count(*) from pos.audit), (select max(rev) from pos.revision_log), (select count(*) from pos.job))));
    for my $case (@wrong) {
        my ($method, $path, $body, @places) = @$case;
        my $r = $pos->request($method, $path, (defined $body ? (json => $body) : ()));
        my %said = map { ("$_->{pointer} $_->{code}" => 1) } @{ ($r->{json} || {})->{errors} || [] };
        ok($r->{status} == 422 && !(grep { !$said{$_} } @places), "$method $path: @places") or diag("$r->{status} $r->{body}");
    }
    is($pos->sql(q(select concat_ws(' ', (select count(*) from pos.audit), (select max(rev) from pos.revision_log), (select count(*) from pos.job)))), $before, 'nothing is changed by them');
};

# --- at once ------------------------------------------------------------------------------------

# The same request, or one a client, by so many clients that are all connected before the first is
# sent. Who is told that too many wait comes again, as it is told to.
sub together {
    my ($clients, $text) = @_;
    my @texts = map { $text->($_) } 1 .. $clients;
    my @answers;
    my @left = 0 .. $#texts;
    while (@left) {
        my %socket = map { $_ => $pos->connect // die 'connect' } @left;
        PosTest::send_all($socket{$_}, $texts[$_], 10) for @left;
        $answers[$_] = PosTest::read_answer($socket{$_}, 'POST', 60) for @left;
        @left = grep { $answers[$_]{status} == 503 && $answers[$_]{json}{code} eq 'overloaded' && $answers[$_]{headers}{'retry-after'} } @left;
    }
    return @answers;
}

# How often which status (and code) was the answer.
sub tally {
    my (@answers) = @_;
    my %count;
    $count{ $_->{status} . ($_->{status} >= 400 ? " $_->{json}{code}" : '') }++ for @answers;
    return join ', ', map { "$_: $count{$_}" } sort keys %count;
}

sub step_text { my ($path, $body, %o) = @_; return sub { $pos->request_text('POST', $path, json => $body, %o) } }

subtest 'fifty at once' => sub {
    made(201, $pos->put('/v1/experiments/race', { arms => [{ code => 'a' }, { code => 'b' }] }));
    my $armed = promotion('armed', experiment => { code => 'race', arm => 'b' });
    made(200, $step{publish}->($armed));
    is(tally(together(50, step_text('/v1/experiments/race/ship', { arm => 'b' }))), '200: 1, 409 illegal_state: 49', 'an experiment is shipped once');
    is($pos->get($armed)->{json}{version}, 2, 'in one version');
    made(201, $pos->put('/v1/experiments/race2', { arms => [{ code => 'a' }, { code => 'b' }] }));
    my @both = together(50, sub { $_[0] % 2 ? $pos->request_text('POST', '/v1/experiments/race2/ship', json => { arm => 'b' }) : $pos->request_text('POST', '/v1/experiments/race2/stop', json => {}) });
    is(tally(@both), '200: 1, 409 illegal_state: 49', 'or stopped, not both');

    my $path = promotion('r' . ++$n);
    is(tally(together(50, step_text("$path/submit", {}))), '200: 1, 409 illegal_state: 49', 'submitted once');
    is(tally(together(50, sub { $_[0] % 2 ? $pos->request_text('POST', "$path/approve", json => { version => 1 }, key => $reviewer) : $pos->request_text('POST', "$path/reject", json => { version => 1, reason => 'no' }, key => $reviewer) }))
            =~ s/\d+$//r =~ s/: \d+, /, /gr, '200, 409 illegal_state: ', 'approved or rejected: some are told that it is decided');
    like($pos->get($path)->{json}{review}{state}, qr/^(?:approved|rejected)$/, 'and it is one of them');
    my $live = promotion('r' . ++$n);
    my @published = together(20, step_text("$live/publish", { acknowledge => [qw(overlap unbounded_stacking always_beaten)] }));
    is(tally(@published), '200: 20', 'published by twenty: each is told so');
    is($pos->sql("select count(*) from pos.promotion_publication p where p.promotion_id = 'r$n'"), 1, 'it was once');
    is(tally(together(50, step_text("$live/suspend", { reason => 'no' }))), '200: 50', 'suspended by fifty');
    is($pos->sql("select count(*) from pos.event e where e.aggregate = 'promotion/r$n' and e.type = 'promotion.suspended'"), 1, 'it was once');
    my @gone = together(50, sub { $pos->request_text('DELETE', $live) });
    is((grep { $_->{status} != 204 && $_->{status} != 409 } @gone) + 0, 0, 'archived') or diag(tally(@gone));

    made(201, $pos->put('/v1/coupons/LAST', { promotions => ['coded'], remaining => 1 }));
    is(tally(together(50, sub { $pos->request_text('POST', '/v1/coupon-reservations', json => { id => "last-$_[0]", coupons => ['LAST'] }) })), '201: 1, 409 coupon_used_up: 49', 'the last coupon goes to one cart');
    made(201, $pos->put('/v1/coupons/MANY', { promotions => ['coded'], remaining => 100 }));
    is(tally(together(50, step_text('/v1/coupon-reservations', { id => 'same', coupons => ['MANY'] }))), '200: 49, 201: 1', 'one cart reserves once');
    is(tally(together(50, step_text('/v1/coupon-reservations/same/commit', undef))), '200: 50', 'and commits once');
    is($pos->get('/v1/coupons/MANY')->{json}{used}, 1, 'one is used');
    is(tally(together(50, sub { $pos->request_text('POST', '/v1/coupon-reservations/same/' . ($_[0] % 2 ? 'commit' : 'release')) })) =~ /^200: \d+(?:, 409 illegal_state: \d+)?$/, 1, 'commit or release: nothing breaks');
    like($pos->get('/v1/coupons/MANY')->{json}{used}, qr/^[01]$/, 'one or none is used');

    my @keys = together(50, step_text('/v1/keys', { name => 'once', scopes => ['prices:read'] }, headers => { 'Idempotency-Key' => 'race' }));
    is(tally(@keys), '201: 50', 'a key is asked for under one Idempotency-Key');
    is(scalar(keys %{ { map { $_->{body} => 1 } @keys } }), 1, 'and all get the same');
    my @other = together(20, sub { $pos->request_text('POST', '/v1/keys', json => { name => $_[0] % 2 ? 'one' : 'two', scopes => ['prices:read'] }, headers => { 'Idempotency-Key' => 'race2' }) });
    is(tally(@other), '201: 10, 422 idempotency_key_reused: 10', 'two bodies under one: one of them is made');

    my $tag = $pos->get('/v1/coupons/MANY')->{headers}{etag};
    is(tally(together(50, sub { $pos->request_text('PUT', '/v1/coupons/MANY', json => { promotions => ['coded'], remaining => 100 + $_[0] }, headers => { 'If-Match' => $tag }) })), '200: 1, 412 precondition_failed: 49', 'one of fifty that read the same changes it');
    my @jobs = together(20, step_text('/v1/promotions/coded/backtests', { from => '2020-01-01', to => '2026-12-31' }, headers => { 'Idempotency-Key' => 'bt' }));
    is(scalar(keys %{ { map { $_->{json}{id} // $_->{body} => 1 } @jobs } }), 1, 'one back-test for twenty that ask at once');
    my @cancelled = together(20, step_text("/v1/jobs/$jobs[0]{json}{id}/cancel", undef));
    is((grep { $_->{status} == 200 } @cancelled) <= 1, 1, 'which is cancelled once, or was done before') or diag(tally(@cancelled));
    my @mixed = together(50, sub { $_[0] % 2 ? $pos->request_text('PUT', '/v1/stores/race', json => { name => "n$_[0]" }) : $pos->request_text('DELETE', '/v1/stores/race') });
    is((grep { $_->{status} >= 500 || !$_->{status} } @mixed) + 0, 0, 'put and deleted at once') or diag(tally(@mixed));
    $pos->check_replica;
};

# --- clients that leave, and slow ones ---------------------------------------------------------------

my @texts = (
    $pos->request_text('PUT', '/v1/promotions/left', socket => 1, json => { id => 'left', class => 'line', then => [{ percent_of => 1 }] }),
    $pos->request_text('POST', '/v1/promotions/coded/simulations', socket => 1, json => { version => 9, carts => [{ lines => PosTest::lines('TEA', 1) }] }),
    $pos->request_text('POST', '/v1/promotions/coded/check', socket => 1, json => {}),
    $pos->request_text('POST', '/v1/promotions/coded/backtests', socket => 1, json => { from => '2026-10-02', to => '2026-10-01' }),
    $pos->request_text('POST', '/v1/experiments/over/ship', socket => 1, json => { arm => 'a' }),
    $pos->request_text('POST', '/v1/coupon-reservations', socket => 1, json => { id => 'left', coupons => ['NONE'] }),
    $pos->request_text('POST', '/v1/coupon-batches', socket => 1, json => { count => 1, pattern => 'ZZ-##', promotions => ['coded'] }),
    $pos->request_text('POST', '/v1/imports', socket => 1, body => '{"orders": 7}', headers => { 'Content-Encoding' => 'gzip' }),
    $pos->request_text('GET', '/v1/experiments/over/results', socket => 1),
    $pos->request_text('GET', '/v1/order-history', socket => 1),
    $pos->request_text('GET', '/v1/promotions/coded/stats', socket => 1),
);

sub abrupt { my ($socket) = @_; setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0; close $socket; return }

subtest 'clients that leave' => sub {
    my @workers = sort $pos->workers;
    my $audit = $pos->sql('select count(*) from pos.audit');
    for my $text (@texts) {
        my $body = index($text, "\r\n\r\n") + 4;
        for my $at (1, int($body / 2), $body - 2, $body, int(($body + length $text) / 2), length($text) - 1, (length $text) x 4) {
            my $socket = $pos->connect;
            PosTest::send_all($socket, substr($text, 0, $at), 5);
            $at % 2 ? abrupt($socket) : close $socket;
        }
    }
    my $good = grep { ($pos->quote({ lines => PosTest::lines('TEA', 1) })->{status} // 0) == 200 } 1 .. 20;
    is($good, 20, 'others go on');
    is_deeply([sort $pos->workers], \@workers, 'no worker died');
    is($pos->sql('select count(*) from pos.audit'), $audit, 'and nothing was changed');
};

subtest 'slow bodies' => sub {
    my @slow = map { { text => $_, socket => $pos->connect, at => 0 } } @texts;
    # All of them stand in the middle of their bodies, or of their heads, while others are served.
    for my $part (1 .. 6) {
        for my $s (@slow) {
            my $to = $part == 6 ? length $s->{text} : int(length($s->{text}) * $part / 6);
            PosTest::send_all($s->{socket}, substr($s->{text}, $s->{at}, $to - $s->{at}), 5);
            $s->{at} = $to;
        }
        is($pos->quote({ lines => PosTest::lines('TEA', 1) })->{status}, 200, 'a till does not wait for them') if $part % 3 == 0;
        sleep 0.05;
    }
    my @late = map { PosTest::read_answer($_->{socket}, 'POST', 20) } @slow;
    my @prompt = map { my $socket = $pos->connect; PosTest::send_all($socket, $_, 5); PosTest::read_answer($socket, 'POST', 20) } @texts;
    is_deeply([map { "$_->{status} " . (($_->{json} || {})->{code} // '') } @late], [map { "$_->{status} " . (($_->{json} || {})->{code} // '') } @prompt], 'each gets the answer that it would have had');
};

done_testing;
