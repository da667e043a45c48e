#!/usr/bin/perl
# A merchandiser makes codes, hands them out and takes them back, as docs/coupons.md says; and
# what that page promises holds.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $count = $ENV{POS_COUPONS} || 20_000;
my $pos   = PosTest->start(env => { POS_WATCH => 0 });

subtest 'the page' => sub {
    my $text = PosTest::slurp("$PosTest::ROOT/docs/coupons.md");
    $text =~ s{/tmp/}{$pos->{dir}/}g;
    my $script = "set -euo pipefail\ncd '$PosTest::ROOT'\n";
    my $n = 0;
    while ($text =~ /^```sh\n(.*?)^```$/gms) {
        $n++;
        $script .= "$1\necho; echo \"=== $n done\"\n";
    }
    PosTest::spurt("$pos->{dir}/coupons.sh", $script);
    local $ENV{POS_PORT} = $pos->{port};
    local $ENV{POS_DIR}  = $pos->{dir};
    my $out  = PosTest::command_output('timeout', 120, 'bash', "$pos->{dir}/coupons.sh");
    my $code = $? >> 8;
    my ($last) = $out =~ /.*=== (\d+) done/s;
    cmp_ok($n, '>=', 9, 'it has commands');
    is($code, 0, 'all of them succeed') or diag("stopped after block " . ($last // 0) . ":\n" . substr($out, -1500));
    like($out, qr/^20001$/m, 'a line for each code, and a header');
};

# What the job comes to.
sub job {
    my ($id) = @_;
    my $job;
    $pos->wait_for("the job $id", 300, sub { $job = $pos->get("/v1/jobs/$id")->{json}; return $job->{status} =~ /^(?:succeeded|failed|cancelled)$/ });
    return $job;
}

sub batch {
    my (%more) = @_;
    return $pos->post('/v1/coupon-batches', { count => 1, pattern => 'ONE-####-###', promotions => ['ten-off'], %more });
}

sub status_of {
    my ($code) = @_;
    my $q = $pos->quote({ coupons => [$code], lines => PosTest::lines('TEA', 1) });
    return $q->{json}{coupons}[0]{status};
}

my (@codes, $batch);
subtest "$count codes" => sub {
    my $r = batch(count => $count, pattern => 'WINTER-####-####');
    is($r->{status}, 202, 'are asked for') or diag($r->{body});
    is($r->{headers}{location}, "/v1/jobs/$r->{json}{id}", 'by a job');
    $batch = $r->{json}{batch};
    is(job($r->{json}{id})->{status}, 'succeeded', 'and made');
    is($pos->get("/v1/coupon-batches/$batch")->{json}{state}, 'active', 'the batch is live');

    my ($next, $pages) = ("/v1/coupon-batches/$batch/codes", 0);
    while ($next) {
        my $page = $pos->get($next);
        is($page->{headers}{'content-type'}, 'text/csv', 'as CSV') if !$pages++;
        push @codes, split /\n/, $page->{body};
        ($next) = ($page->{headers}{link} // '') =~ /^<(.*)>; rel="next"$/;
    }
    is(shift @codes, 'code', 'they are exported');
    is(scalar @codes, $count, 'all');
    my %seen;
    $seen{$_}++ for @codes;
    is(scalar keys %seen, $count, 'each another');
    is(scalar(grep { !/^WINTER-[CDFHJKMNPRTVWXY3479]{4}-[CDFHJKMNPRTVWXY3479]{4}$/ } @codes), 0, 'of the pattern, without look-alikes');
    is(scalar(grep { !checks($_) } @codes), 0, 'each with its check letter');
    my @wrong = map { wrong($_) } @codes[map { int rand @codes } 1 .. 50];
    cmp_ok(scalar @wrong, '>', 7000, 'of fifty every wrong letter and every change of neighbours');
    is(scalar(grep { checks($_) } @wrong), 0, 'is seen');
    my %letters;
    $letters{$_}++ for map { (split //)[7, 8, 9, 10, 12, 13, 14] } @codes;
    is(scalar keys %letters, 19, 'all letters come');
    my $mean = 7 * $count / 19;
    is(join(' ', grep { abs($letters{$_} - $mean) > 6 * sqrt $mean } sort keys %letters), '', 'equally often');
    ok($pos->wait_for('the codes at the edge', 60, sub { status_of($codes[0]) ne 'unknown' }), 'they are live');
    is(join(' ', map { status_of($_) } lc $codes[0], $codes[-1], $codes[ $count / 2 ], 'WINTER-CCCC-CCCD'), 'applied applied applied unknown', 'in quotes, in any case');
    $pos->check_replica('the replica has them all');
    my $list = $pos->get("/v1/coupons?batch=$batch&limit=2")->{json};
    is_deeply([map { $_->{code} } @{ $list->{data} }], [(sort @codes)[0, 1]], 'and they are listed');
};

# Coupons that anybody read of the tables, as PostgreSQL counts them: each session tells so
# a second later, or ten where it has nothing to do, so a few of the exports' may come late.
sub coupons_read { return $pos->sql(q(select seq_tup_read + idx_tup_fetch from pg_stat_user_tables where schemaname = 'pos' and relname = 'coupon')) }

sub settings {
    my ($change) = @_;
    my $r = $pos->patch('/v1/retailer', $change);
    my ($rev) = ($r->{headers}{'pos-revision'} // '') =~ /^(\d+)/;
    return $r->{status} == 200 && defined $rev && $pos->wait_for("revision $rev", 60, sub { $pos->at_revision($rev) });
}

subtest 'the shop\'s settings' => sub {
    my $ending = sub { return PosTest::json([$pos->put('/v1/coupons/LOCAL', { promotions => ['ten-off'], until => $_[0] })->{status}]) };
    is($ending->('2999-01-01T00:00:00'), '[201]', 'a coupon ends by the shop\'s clock');
    sleep 2;
    my $before = coupons_read();
    for my $name ('Acme & Daughters', 'Acme & Sons', 'Acme & Company', 'Acme') {
        ok(settings({ name => $name }), "it is called $name");
        sleep 2;
    }
    cmp_ok(coupons_read() - $before, '<', 2 * $count, 'for which nobody reads all its coupons four times');
    my $said = () = $pos->log_text =~ /its settings bear on many coupons/g;
    is($said, 0, 'nor are they copied');
    for my $zone ('Pacific/Auckland', 'Europe/London') {
        ok(settings({ timezone => $zone }), "its clock is $zone\'s");
        $pos->check_replica('each coupon ends by it');
    }
    $said = () = $pos->log_text =~ /its settings bear on many coupons/g;
    is($said, 2, 'so many are copied, not kept in memory');
};

subtest 'one by one' => sub {
    my $code = $codes[1];
    my $tag = $pos->get("/v1/coupons/$code")->{headers}{etag};
    is($pos->get("/v1/coupons/$code", headers => { 'If-None-Match' => $tag })->{status}, 304, 'a coupon that is as it was');
    is($pos->post('/v1/coupon-reservations', { id => 'c1', coupons => [$code] })->{status}, 201, 'it is reserved');
    my $r = $pos->get("/v1/coupons/$code", headers => { 'If-None-Match' => $tag });
    is("$r->{status} $r->{json}{state}", '200 reserved', 'and says so');
    is($pos->post('/v1/coupon-reservations', { id => 'c1', coupons => [$code], expires_in => 1 })->{status}, 200, 'for a second');
    ok($pos->wait_for('the sweep', 20, sub { $pos->sql("select count(*) from pos.usage_line where usage_id = 'c1' and state = 'expired'") == 1 }), 'posd gives it back');
    is($pos->get('/v1/coupon-reservations/c1')->{json}{state}, 'expired', 'its reservation is over');
    PosTest::is_problem($pos->del("/v1/coupons/$code"), 409, 'coupon_of_batch', 'a batch\'s code is not deleted');
    is($pos->post("/v1/coupons/$code/revoke", { reason => 'lost' })->{json}{state}, 'revoked', 'but revoked');
    ok($pos->wait_for('the revocation', 10, sub { status_of($code) eq 'unknown' }), 'quotes know it no more');
    PosTest::is_problem($pos->post('/v1/coupon-reservations', { id => 'c2', coupons => [$code] }), 409, 'coupon_revoked', 'and nobody can reserve it');
    PosTest::is_problem($pos->put("/v1/coupons/$code", { promotions => ['ten-off'] }), 409, 'illegal_state', 'nor give it again');
};

subtest 'what is refused changes nothing' => sub {
    my $rows = sub { $pos->sql('select (select count(*) from pos.coupon_batch) + (select count(*) from pos.usage) + (select count(*) from pos.job)') };
    my $before = $rows->();
    my @refused = (
        [batch(count => 0), '/count min'], [batch(count => 1_000_001), '/count max'], [batch(pattern => 'summer-####'), '/pattern pattern'],
        [batch(pattern => 'X#'), '/pattern pattern'], [batch(pattern => '##'), '/pattern pattern_too_short'], [batch(promotions => ['none']), '/promotions/0 unknown_promotion'],
        [batch(from => '2027-01-01T00:00:00', until => '2027-01-01T00:00:00'), '/until empty_window'], [batch(limit => 1), '/limit unknown_field'],
        [$pos->post('/v1/coupon-reservations', { id => 'x', coupons => ['NONE'] }), '/coupons/0 unknown_coupon'],
        [$pos->post('/v1/coupon-reservations', { id => 'x', promotions => [{ id => 'none' }] }), '/promotions/0/id unknown_promotion'],
        [$pos->post('/v1/coupon-reservations', { id => 'x', expires_in => 0 }), '/expires_in min'],
        [$pos->post('/v1/coupon-reservations', { id => 'x', promotions => [{ id => 'ten-off', amount => 1 }], at => '2031-01-01T00:00:00Z' }), '/at unknown_field'],
        [$pos->post('/v1/coupon-reservations', { id => 'ord_1', coupons => [$codes[2]] }), '/id reserved'],
        [$pos->post('/v1/coupon-reservations/ord_1/release', undef), '/path/id reserved'],
    );
    is(join(' ', $_->[0]{status}, map { "$_->{pointer} $_->{code}" } @{ $_->[0]{json}{errors} }), "422 $_->[1]", $_->[1]) for @refused;
    is($rows->(), $before, 'nothing is there that was not');
    my $storefront = $pos->key('storefront');
    PosTest::is_problem($pos->post('/v1/coupon-batches', { count => 1, pattern => 'A######', promotions => ['ten-off'] }, key => $storefront), 403, 'scope_required', 'a storefront makes no codes');
};

# A key of its own for a till that only redeems.
sub redeemer { return $pos->post('/v1/keys', { name => $_[0], scopes => ['coupons:redeem'] })->{json}{secret} }

subtest 'a reservation is its key\'s' => sub {
    my ($one, $other) = (redeemer('one'), redeemer('other'));
    my $cart = { id => 'till-1', coupons => [$codes[4]] };
    ok($pos->wait_for('the keys', 10, sub { $pos->get('/v1/coupon-reservations/none', key => $_)->{status} == 404 }), 'a key works') for $one, $other;
    is($pos->post('/v1/coupon-reservations', $cart, key => $one)->{status}, 201, 'a till reserves');
    PosTest::is_problem($pos->post('/v1/coupon-reservations', $cart, key => $other), 409, 'reservation_taken', 'another cannot under the same id');
    PosTest::is_problem($pos->post("/v1/coupon-reservations/till-1/$_", undef, key => $other), 404, 'not_found', "nor $_ it") for qw(commit release);
    is($pos->get('/v1/coupon-reservations/till-1', key => $other)->{status}, 404, 'nor read it');
    is($pos->get('/v1/coupon-reservations/till-1')->{json}{state}, 'held', 'who keeps the coupons reads it');
    is($pos->post('/v1/coupon-reservations/till-1/release', undef, key => $one)->{json}{state}, 'released', 'and it is still the first one\'s');
};

subtest 'a batch is revoked' => sub {
    my %once = (headers => { 'Idempotency-Key' => 'revoke-winter' });
    my $r = $pos->post("/v1/coupon-batches/$batch/revoke", { reason => 'leaked' }, %once);
    is("$r->{status} $r->{json}{state}", '200 revoked', 'in one call');
    is($pos->post("/v1/coupon-batches/$batch/revoke", { reason => 'leaked' }, %once)->{body}, $r->{body}, 'whose repeat gets the same answer');
    PosTest::is_problem($pos->post('/v1/coupon-reservations', { id => 'c3', coupons => [$codes[2]] }), 409, 'coupon_revoked', 'at once nobody can reserve one');
    ok($pos->wait_for('the book', 60, sub { status_of($codes[3]) eq 'unknown' }), 'and soon quotes know none');
    $pos->check_replica('nor does the replica');
    PosTest::is_problem($pos->post("/v1/coupon-batches/$batch/revoke", {}), 409, 'illegal_state', 'once');
};

subtest 'one that is cancelled is not made' => sub {
    my $posd = $pos->pid('posd');
    kill 'TERM', $posd;
    $pos->wait_for('posd to end', 10, sub { !PosTest::alive($posd) });
    my $r = batch(count => 10);
    is($pos->post("/v1/jobs/$r->{json}{id}/cancel", undef)->{status}, 200, 'its job is cancelled');
    is($pos->get("/v1/coupon-batches/$r->{json}{batch}")->{json}{state}, 'failed', 'the batch says so');
    $r = batch(count => 10);
    is($pos->post("/v1/coupon-batches/$r->{json}{batch}/revoke", {})->{json}{state}, 'revoked', 'another is revoked before it is made');
    $pos->start_posd;
    my $job = job($r->{json}{id});
    is($job->{status}, 'cancelled', 'and never is');
    is($pos->sql("select count(*) from pos.coupon where batch_id = '$r->{json}{batch}'"), 0, 'no code of it');
};

# Another change of the book holds it, so that no attempt ends before posd is dead; an attempt
# that is over, its connection may go on and find so when the book is free.
subtest 'posd is killed while it makes a batch' => sub {
    my $id = $pos->sql("select retailer_id from pos.retailer where mode = 'test'");
    open my $change, '|-', PosTest::service_user(), 'psql', '-Xq', '-o', '/dev/null', '-h', "$pos->{state}/run", '-U', 'pos_super', '-d', 'pos'
        or die "psql: $!";
    $change->autoflush(1);
    print $change "begin; select from pos.revision where retailer_id = $id for update;\n";
    my $holds = q(select count(*) from pg_stat_activity where state = 'idle in transaction' and query like '%for update%');
    ok($pos->wait_for('the change', 5, sub { $pos->sql($holds) == 1 }), 'the book is held');
    my $r = batch(count => $count, pattern => 'KILLED-####-####');
    is($r->{status}, 202, "$count codes are asked for");
    my $job = "select state || ' ' || attempts from pos.job where job_id = '$r->{json}{id}'";
    my $makes = "select count(*) from pg_stat_activity where state = 'active' and query like 'select pos.make_coupon_batch(''$r->{json}{id}'', %'";
    for my $attempt (1, 2) {
        ok($pos->wait_for('the attempt', 30, sub { $pos->sql($job) eq "running $attempt" }), "attempt $attempt begins");
        # The first is killed wherever it is, the second when its codes are drawn.
        ok($attempt == 1 || $pos->wait_for('its codes', 30, sub { $pos->sql("$makes and wait_event_type = 'Lock' and query like '%, $attempt)%'") == 1 }), 'and comes as far as it should');
        my $posd = $pos->pid('posd');
        my @children = PosTest::children($posd);
        $pos->kill9($_) for $posd, @children;
        is($pos->sql($job), "running $attempt", 'posd is killed in the middle of it');
        # Half a minute would pass until its lease is over. Its last word may renew it once more.
        $pos->wait_for('its last words', 10, sub { $pos->sql("select count(*) from pg_stat_activity where application_name = 'posd jobs'") == 0 });
        $pos->sql("update pos.job set leased_until = now() where job_id = '$r->{json}{id}'");
        $pos->start_posd;
    }
    is($pos->sql("select count(*) from pos.coupon where code like 'KILLED-%'"), 0, 'no code is there yet');
    ok($pos->wait_for('the attempt', 30, sub { $pos->sql($job) eq 'running 3' }), 'the third attempt begins');
    close $change;
    is(job($r->{json}{id})->{status}, 'succeeded', 'and makes it');
    ok($pos->wait_for('those before', 60, sub { $pos->sql($makes) == 0 }), 'the others are gone');
    is($pos->sql("select count(*) || ' ' || count(distinct code) from pos.coupon where code like 'KILLED-%'"), "$count $count", 'exactly as many codes as were asked for, all different');
    is($pos->sql("select count(*) from pos.coupon where batch_id = '$r->{json}{batch}'"), $count, 'all of the batch');
    is($pos->get("/v1/coupon-batches/$r->{json}{batch}")->{json}{state}, 'active', 'which is live');
    $pos->check_replica('the replica has them');
};

done_testing;

# The check letter's rule, from docs/coupons.md alone.
sub checks {
    my ($code) = @_;
    my @letters = reverse split //, $code =~ s/^WINTER|-//gr;
    my $sum = 0;
    $sum += index('CDFHJKMNPRTVWXY3479', $letters[$_]) * 2**$_ for 0 .. $#letters;
    return $sum % 19 == 0;
}

# A code's every neighbour by one wrong letter or two changed over.
sub wrong {
    my ($code) = @_;
    my @wrong;
    for my $at (7 .. 10, 12 .. 15) {
        for my $letter (split //, 'CDFHJKMNPRTVWXY3479') {
            my $other = $code;
            substr $other, $at, 1, $letter;
            push @wrong, $other if $other ne $code;
        }
        my $to = $at == 10 ? 12 : $at + 1;
        next if $to > 15 || substr($code, $at, 1) eq substr($code, $to, 1);
        my $other = $code;
        (substr($other, $at, 1), substr($other, $to, 1)) = (substr($code, $to, 1), substr($code, $at, 1));
        push @wrong, $other;
    }
    return @wrong;
}
