#!/usr/bin/perl
# A merchandiser writes a promotion, another approves it, it is scheduled, published,
# compared, rolled back, suspended and archived; no two overwrite each other.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos = PosTest->start;
my %key = map { $_->[0] => key(@$_) } ['ann', 'promotions:read', 'promotions:write', 'promotions:publish'],
    ['bob', 'promotions:read', 'promotions:approve'], ['eve', '*'];
my $path = '/v1/promotions/towels';

subtest 'a draft and the steps that are possible' => sub {
    my $p = put('ann', 10)->{json};
    is($p->{state}, 'draft', 'a draft');
    is_deeply($p->{steps}, [qw(put submit publish archive)], 'what can be done with it');
    my $r = step('ann', 'suspend');
    PosTest::is_problem($r, 409, 'illegal_state', 'a draft is not suspended');
    is_deeply([$r->{json}{state}, $r->{json}{allowed}], ['draft', $p->{steps}], 'it says what could be done');
    PosTest::is_problem(step('bob', 'approve', { version => 1 }), 409, 'illegal_state', 'nor approved before anybody asked');
    ok(!$p->{needs_approval}, 'this retailer asks for no approvals');
};

subtest 'approval by another key, of one version' => sub {
    is($pos->patch('/v1/retailer', { promotion_approval => 'always' })->{status}, 200, 'now it does');
    my $r = step('ann', 'publish', acknowledging());
    PosTest::is_problem($r, 409, 'approval_required', 'publishing needs an approval and says so');
    is($r->{json}{version}, 1, 'of which version');
    $r = step('ann', 'submit', { reason => 'for spring' });
    is($r->{json}{state}, 'in_review', 'submitted');
    is_deeply([@{ $r->{json}{review} }{qw(version state note)}], [1, 'requested', 'for spring'], 'what is asked for');
    is(step('ann', 'approve', { version => 1 })->{status}, 403, 'its author has no scope for that');
    put('eve', 12);
    is($pos->get($path)->{json}{state}, 'draft', 'a new version is not under review');
    is(step('ann', 'submit')->{json}{review}{version}, 2, 'it is submitted by another than its author');
    PosTest::is_problem(step('eve', 'approve', { version => 2 }), 403, 'own_work', 'whoever wrote it does not approve it, whatever the scopes');
    is($pos->get($path)->{json}{review}{state}, 'requested', 'nothing changed');
    PosTest::is_problem(step('bob', 'approve', { version => 1 }), 409, 'other_version', 'nor is another version approved than was looked at');
    for my $s (qw(approve reject)) {
        my $blind = step('bob', $s, { reason => 'sight unseen' });
        PosTest::is_problem($blind, 422, 'invalid_request', "nor does anybody $s what was not looked at");
        is_deeply([map { "$_->{pointer} $_->{code}" } @{ $blind->{json}{errors} }], ['/version required'], 'which version?');
    }
    $r = step('bob', 'reject', { version => 2, reason => 'too much' });
    is_deeply([$r->{json}{state}, @{ $r->{json}{review} }{qw(state reason)}], ['draft', 'rejected', 'too much'], 'rejected, and why');
    is(step('ann', 'submit')->{json}{state}, 'in_review', 'asked for again');
    $r = step('bob', 'approve', { version => 2, reason => 'fine' });
    is($r->{json}{review}{state}, 'approved', 'approved');
    isnt($r->{json}{review}{decided_by}, $r->{json}{review}{submitted_by}, 'by another key than submitted it');
    PosTest::is_problem(step('ann', 'publish', acknowledging(version => 1)), 409, 'approval_required', 'version 1 is not');
    $r = step('ann', 'publish', acknowledging(reason => 'spring'));
    is($r->{json}{state}, 'active', 'version 2 is live') or diag($r->{body});
    ok($pos->wait_for('it is sold by', 10, sub { amount() == 12 }), 'and sold by');
    put('ann', 20);
    PosTest::is_problem(step('ann', 'publish', acknowledging()), 409, 'approval_required', 'the approval was not of version 3');
    is($pos->get($path)->{json}{state}, 'active', 'version 2 sells on meanwhile');
    ok(amount() == 12, 'for what it was');
};

subtest 'approval above a budget' => sub {
    PosTest::is_problem($pos->patch('/v1/retailer', { promotion_approval => 'above_budget' }), 422, 'invalid', 'which budget?');
    is($pos->patch('/v1/retailer', { promotion_approval => 'above_budget', promotion_budget => 50_000 })->{status}, 200, '500.00');
    my %needs = (
        'no limit' => [1, []],
        'a limit above it' => [1, [{ of => 'amount', max => 50_001 }]],
        'a limit within it' => [0, [{ of => 'amount', max => 50_000 }]],
        'the least of two' => [0, [{ of => 'amount', max => 90_000 }, { of => 'amount', per => 'all', max => 100 }]],
        'a limit of a day is none over the years' => [1, [{ of => 'amount', max => 100, window => 'day' }]],
        'nor is one of a customer' => [1, [{ of => 'amount', max => 100, per => 'customer' }]],
        'or of uses' => [1, [{ of => 'uses', max => 1 }]],
        'none counts points' => [1, [{ of => 'amount', max => 1 }], class => 'order', then => [{ points => { add => 1_000_000 } }]],
    );
    for my $name (sort keys %needs) {
        my ($needed, $limits, @more) = @{ $needs{$name} };
        my $r = put('ann', 20, limits => $limits, @more);
        is($r->{json}{needs_approval} ? 1 : 0, $needed, $name) or diag($r->{body});
    }
    my $r = $pos->put_lua('generous', "return promotion {\n  id = 'generous', class = 'order', limits = { { of = 'amount', max = 1 } },\n"
        . "  apply = function(cart) cart:points(1000000) end,\n}\n");
    is_deeply([$r->{status}, $r->{json}{needs_approval}], [201, Cpanel::JSON::XS::true], 'which a script may give') or diag($r->{body});
    $pos->patch('/v1/retailer', { promotion_approval => 'never', promotion_budget => undef });
};

subtest 'an approval is by none who ever submitted it' => sub {
    $pos->patch('/v1/retailer', { promotion_approval => 'always' });
    my $n = put('ann', 25)->{json}{version};
    is(step('eve', 'submit')->{status}, 200, 'eve submits it');
    is(step('bob', 'reject', { version => $n })->{status}, 200, 'bob rejects it');
    is(step('ann', 'submit')->{status}, 200, 'ann submits it again');
    PosTest::is_problem(step('eve', 'approve', { version => $n }), 403, 'own_work', 'eve still does not approve it');
    is(step('bob', 'approve', { version => $n })->{json}{review}{state}, 'approved', 'bob does');
};

subtest 'an approval is of the times in the version' => sub {
    my %day = (from => '2031-01-01T00:00:00', until => '2031-01-02T00:00:00');
    my $n = put('ann', 26, active => \%day)->{json}{version};
    step('ann', 'submit');
    is(step('bob', 'approve', { version => $n })->{status}, 200, 'for a day of 2031');
    for my $wider ({ from => '2020-01-01T00:00:00' }, { until => '2031-01-02T00:00:01' }, { from => '2020-01-01T00:00:00', until => '2099-01-01T00:00:00' }) {
        my $r = step('ann', 'publish', acknowledging(%$wider));
        PosTest::is_problem($r, 409, 'approval_required', 'not for ' . join ' to ', map { $wider->{$_} // '' } qw(from until));
        like($r->{json}{detail}, qr/times/, 'it says why');
        my $check = $pos->post("$path/check", { version => $n, %$wider }, key => $key{ann});
        ok(!$check->{json}{approved}, 'a check says so, too') or diag($check->{body});
    }
    is($pos->get("$path/versions/$n")->{json}{publications}[0], undef, 'nothing was published');
    my $r = step('ann', 'publish', acknowledging(from => '2031-01-01T12:00:00'));
    is($r->{json}{state}, 'scheduled', 'for half of it') or diag($r->{body});
    is(step('ann', 'publish', acknowledging())->{json}{schedule}, undef, 'and for all of it');
    $pos->patch('/v1/retailer', { promotion_approval => 'never' });
    my %year = (from => '2031-01-01T00:00:00', until => '2032-01-01T00:00:00');
    is(step('ann', 'publish', acknowledging(%year))->{json}{state}, 'scheduled', 'for a year, while nobody asks');
    $pos->patch('/v1/retailer', { promotion_approval => 'always' });
    is(step('ann', 'suspend', { reason => 'r' })->{status}, 200, 'suspended');
    is(step('ann', 'publish', acknowledging(%year))->{json}{state}, 'scheduled', 'what it was published for, it may be again');
};

subtest 'what an import brought was live' => sub {
    my $home = '/v1/promotions/welcome-10';
    is($pos->get("$home/versions/1")->{json}{publications}[0]{reason} =~ s/_\w+//r, 'import job', 'a publication says so');
    is($pos->post("$home/suspend", { reason => 'r' })->{json}{state}, 'suspended', 'suspended');
    my $r = $pos->post("$home/publish", { acknowledge => [qw(overlap unbounded_stacking below_cost no_coupon coupon_shared)] });
    is($r->{json}{state}, 'active', 'it goes back without an approval') or diag($r->{body});
    $pos->patch('/v1/retailer', { promotion_approval => 'never', promotion_budget => undef });
};

subtest 'scheduled by the retailer\'s clock' => sub {
    my $n = put('ann', 30)->{json}{version};
    PosTest::is_problem(step('ann', 'publish', acknowledging(from => '2031-01-02T00:00:00', until => '2031-01-01T00:00:00')), 422, 'invalid', 'it would end before it begins');
    PosTest::is_problem(step('ann', 'publish', acknowledging(until => '2020-01-01T00:00:00')), 422, 'checks_failed', 'it would be over');
    my $r = step('ann', 'publish', acknowledging(from => '2031-07-01T09:00:00', until => '2031-07-02T00:00:00'));
    is($r->{json}{state}, 'scheduled', 'scheduled') or diag($r->{body});
    is_deeply($r->{json}{schedule}, { from => '2031-07-01T09:00:00', until => '2031-07-02T00:00:00' }, 'for when');
    my ($rev) = ($r->{headers}{'pos-revision'} // '') =~ /^(\d+)/;
    $pos->wait_for('the book', 10, sub { $pos->at_revision($rev) });
    is(amount(), 0, 'not sold by yet');
    is(amount('2031-07-01T07:59:59Z'), 0, 'nor a second before nine, which in London\'s summer is eight by UTC');
    is(amount('2031-07-01T08:00:00Z'), 30, 'but then');
    is(amount('2031-07-01T22:59:59Z'), 30, 'until midnight');
    is(amount('2031-07-01T23:00:00Z'), 0, 'and not after');
    is(step('ann', 'publish', acknowledging(until => '2031-07-02T00:00:00'))->{json}{state}, 'active', 'from now on instead');
    ok($pos->wait_for('it is sold by', 10, sub { amount() == 30 }), 'it is sold by');
};

subtest 'what changed, and back' => sub {
    my $v = $pos->get("$path/versions/2")->{json};
    is($v->{review}{state}, 'approved', 'a version knows its review');
    is($v->{publications}[0]{reason}, 'spring', 'and when it was published, and why');
    like($v->{author}, qr/^key_/, 'and who wrote it');
    my $d = $pos->get("$path/versions/2/diff")->{json};
    is_deeply($d->{patch}, [{ op => 'replace', path => '/then/0/amount_off', value => 12 }], 'what version 2 made of version 1');
    $d = $pos->get("$path/versions/1/diff?against=2")->{json};
    is_deeply($d->{patch}, [{ op => 'replace', path => '/then/0/amount_off', value => 10 }], 'the other way round');
    PosTest::is_problem($pos->get("$path/versions/1/diff?against=99"), 422, 'invalid', 'no such version');
    PosTest::is_problem($pos->get("$path/versions/99/diff"), 404, 'not_found', 'nor this');
    my $r = step('ann', 'publish', { version => 2 });
    is_deeply([$r->{status}, $r->{json}{published_version}, $r->{json}{schedule}], [200, 2, undef], 'back to version 2 in one call, warnings known') or diag($r->{body});
    ok($pos->wait_for('it is sold by', 10, sub { amount() == 12 }), 'it is sold by');
};

subtest 'scripts are compared by lines' => sub {
    my @line = ('-- Towels.', 'local n = 1', 'return promotion {', "  id = 'cloth', class = 'line',", '  apply = function(cart) end', '}');
    is($pos->put_lua('cloth', join "\n", @line)->{status}, 201, 'one');
    $line[1] = 'local n = 2';
    splice @line, 4, 0, "  name = 'Cloth',";
    is($pos->put_lua('cloth', join "\n", @line)->{status}, 200, 'another');
    my $d = $pos->get('/v1/promotions/cloth/versions/2/diff')->{json};
    is_deeply($d->{script}, [{ op => 'remove', line => 2, text => 'local n = 1' }, { op => 'add', line => 2, text => 'local n = 2' },
        { op => 'add', line => 5, text => "  name = 'Cloth'," }], 'lines that go and come');
    is_deeply([map { "$_->{op} $_->{path}" } @{ $d->{patch} }], ['add /name'], 'and what it makes of the document');
    is($pos->get('/v1/promotions/cloth/versions/1/diff')->{json}{script}[0]{op}, 'add', 'the first version is all new');
};

subtest 'nobody overwrites another' => sub {
    my $tag = $pos->get($path)->{headers}{etag};
    put('eve', 40);
    for my $s (qw(submit publish suspend approve)) {
        my $r = step($s eq 'approve' ? ('bob', $s, { version => 1 }) : ('ann', $s, {}), $tag);
        PosTest::is_problem($r, 412, 'precondition_failed', "$s by what was read before");
    }
    is($pos->get($path)->{json}{published_version}, 2, 'nothing changed');
    is(step('ann', 'submit', {}, $pos->get($path)->{headers}{etag})->{status}, 200, 'by what is there it goes');
    my %again = (json => { reason => 'once' }, key => $key{ann}, headers => { 'Idempotency-Key' => 'suspend-towels' });
    my @r = map { $pos->request('POST', "$path/suspend", %again) } 1, 2;
    is($r[0]{json}{state}, 'suspended', 'suspended');
    is($r[1]{body}, $r[0]{body}, 'a repeat is answered the same');
    ok($pos->wait_for('it is out of the book', 10, sub { amount() == 0 }), 'not sold by any more');
    is(step('ann', 'publish', { version => 2 })->{json}{state}, 'active', 'taken up again');
    is($pos->del($path, key => $key{ann})->{status}, 204, 'archived');
    my $r = step('ann', 'submit');
    is_deeply($r->{json}{allowed}, [qw(put archive)], 'what is archived is only put anew') or diag($r->{body});
    is(put('ann', 5)->{json}{state}, 'draft', 'and is a draft again');
};

subtest 'each step is an event and an audit row' => sub {
    my $events = $pos->sql("select string_agg(type, ' ' order by version) from pos.event where aggregate = 'promotion/towels'");
    my @type = map { s/^promotion\.//r } split / /, $events;
    my %n;
    $n{$_}++ for @type;
    is_deeply([sort keys %n], [qw(approved archived published rejected submitted suspended version_created)], 'every kind of step');
    my $audits = $pos->sql("select count(*) from pos.audit where kind = 'promotion' and key = 'towels'");
    is($audits, scalar @type, 'as many audit rows');
    my $bad = $pos->sql("select count(*) from pos.audit where kind = 'promotion' and key = 'towels' and (actor is null or after is null or after = before)");
    is($bad, 0, 'each with who, and what it made');
};

done_testing;

sub key {
    my ($name, @scopes) = @_;
    my $r = $pos->post('/v1/keys', { name => $name, scopes => \@scopes });
    my $secret = $r->{json}{secret} or BAIL_OUT("no key: $r->{body}");
    $pos->wait_for("$name\'s key", 10, sub { !grep { $pos->get('/v1/promotions?limit=1', key => $secret)->{status} != 200 } 1 .. 8 });
    return $secret;
}

# An amount off each towel: the shop's own price and product.
sub put {
    my ($who, $off, %more) = @_;
    return $pos->put($path, { id => 'towels', class => 'line', then => [{ amount_off => $off, per => 'line', items => { sku => ['TEA'] } }], %more }, key => $key{$who});
}

sub acknowledging { return { @_, acknowledge => [qw(overlap unbounded_stacking below_cost)] } }

sub step {
    my ($who, $step, $body, $tag) = @_;
    return $pos->post("$path/$step", $body, key => $key{$who}, headers => { $tag ? ('If-Match' => $tag) : () });
}

# What it takes off a packet of tea.
sub amount {
    my ($at) = @_;
    my $q = $pos->quote({ lines => PosTest::lines('TEA', 1), $at ? (at => $at) : () });
    die "no quote: $q->{body}" if $q->{status} != 200;
    my ($p) = grep { $_->{id} eq 'towels' } @{ $q->{json}{promotions} };
    return $p ? $p->{amount} : 0;
}
