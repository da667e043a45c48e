#!/usr/bin/perl
# Sixty-four clients at once at coupons and limits: a code of one use is used once; whatever
# is reserved, committed, released, let expire or killed half way, counters say what the
# journal says, and no limit is ever overrun.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use Cwd qw(abs_path);
use IPC::Open3 qw(open3);
use Test::More;
use PosSql;

my $clients = $ENV{POS_CLIENTS} || 64;
my $rounds  = $ENV{POS_ROUNDS}  || 8;
my $sql = PosSql->start(abs_path("$FindBin::Bin/../.."));
$sql->query(q(select pos.create_retailer('{"code": "acme", "currency": "GBP"}')));
my $json = Cpanel::JSON::XS->new->canonical;
my $as = q(set role pos_api; select set_config('pos.retailer', '1', false) \g /dev/null
);
sub request { return $json->encode({ path => {}, query => {}, headers => {}, actor => { scopes => ['*'] }, @_ }) }
sub as_api { my ($text) = @_; return join '', $sql->together($as . $text) }
sub call { my ($operation, @request) = @_; my $r = request(@request); return "select status from api.$operation('$r');\n" }
sub usage { my ($function, %request) = @_; my $r = $json->encode(\%request); return "select pos.usage_$function('$r') ->> 'state';\n" }

# The counters against the journal, and against what there is of each.
sub wrong {
    return $sql->query(q(
        select string_agg(format('%s/%s/%s: %s used, %s reserved; the journal has %s, %s; most %s', c.kind, c.name, c.subject, c.used, c.reserved, j.used, j.reserved, m.most), '; ')
          from pos.usage_counter c
          join (select coalesce(sum(l.quantity) filter (where l.state = 'committed'), 0) as used,
                       coalesce(sum(l.quantity) filter (where l.state = 'held'), 0) as reserved, x.ctid as at
                  from pos.usage_counter x
                  left join pos.usage_line l on (l.retailer_id, l.kind, l.name, l.of, l.per, l.subject, l.span, l.since)
                                              = (x.retailer_id, x.kind, x.name, x.of, x.per, x.subject, x.span, x.since)
                 group by x.ctid) j on j.at = c.ctid
          left join public.most m on (m.kind, m.name, m.of, m.per) = (c.kind, c.name, c.of, c.per)
         where (c.used, c.reserved) is distinct from (j.used, j.reserved) or c.used + c.reserved > m.most));
}

sub counted {
    my ($kind, $name, $of) = @_;
    return $sql->query("select concat_ws(' ', sum(used), sum(reserved)) from pos.usage_counter where kind = '$kind' and name = '$name' and of = '$of' and per = 'all'");
}

$sql->query('create table public.most (kind text, name text, of text, per text, most bigint)');
is(as_api(call('put_promotion', path => { id => 'p' }, prepared => { documents => [{ id => 'p', class => 'order', then => [], limits => [
    { max => 40, of => 'uses' }, { max => 1000, of => 'amount', per => 'all', window => 'day' }, { max => 3, of => 'orders', per => 'customer' }] }] })
    . call('publish_promotion', path => { id => 'p' }, body => {}, prepared => { version => 1, findings => [] })), "201\n200\n", 'a promotion with a limit, a budget and three orders a customer');
for (['ONCE', 1], ['TEN', 10], ['KILL', 5], ['SOON', 1], ['BACK', 1], ['TWIN', 9], ['WAIT', 9], ['LESS', 9]) {
    my ($code, $remaining) = @$_;
    is(as_api(call('put_coupon', path => { code => $code }, body => { promotions => ['p'], remaining => $remaining, $code eq 'TEN' ? (per_customer => 2) : () })), "201\n", "$code, for $remaining");
    $sql->query("insert into public.most values ('coupon', '$code', 'orders', 'all', $remaining)");
}
$sql->query(q(insert into public.most values ('coupon', 'TEN', 'orders', 'customer', 2), ('promotion', 'p', 'uses', 'all', 40), ('promotion', 'p', 'amount', 'all', 1000), ('promotion', 'p', 'orders', 'customer', 3)));

# All wait for one lock, so that they begin together. It is held before the first of them
# comes, who would have it to his end else.
my $gate = "select pg_advisory_lock_shared(77) \\g /dev/null\n";
sub at_once {
    my (@each) = @_;
    my @holder = $sql->begin("select pg_advisory_lock(77) \\g /dev/null\n"
        . "do \$\$ begin for i in 1 .. 3000 loop exit when (select count(*) from pg_locks where locktype = 'advisory' and objid = 77 and not granted) >= " . @each
        . "; perform pg_sleep(0.01); end loop; end \$\$;\n");
    $sql->query(held(77));
    my @said = $sql->together(map { $as . $gate . $_ } @each);
    $sql->said(@holder);
    return @said;
}

subtest 'a code of one use' => sub {
    my @said = at_once(map { usage('commit', id => "o$_", coupons => ['Once']) } 1 .. $clients);
    is(scalar(grep { /^committed$/ } @said), 1, "of $clients orders one has it");
    is(scalar(grep { /POS09/ } @said), $clients - 1, 'all others are told');
    is(counted('coupon', 'ONCE', 'orders'), '1 0', 'it is used once');
    my ($winner) = $sql->query("select usage_id from pos.usage_line where name = 'ONCE' and state = 'committed'") =~ /(o\d+)/;
    @said = at_once((usage('commit', id => $winner, coupons => ['ONCE'])) x $clients);
    is(join('', sort @said), "committed\n" x $clients, 'its order may say so again, as often as it likes');
    is(counted('coupon', 'ONCE', 'orders'), '1 0', 'which counts nothing');
    @said = at_once(("select pos.usage_release('$winner') ->> 'state';\n") x 8, map { usage('commit', id => "again$_", coupons => ['ONCE']) } 1 .. $clients - 8);
    is(scalar(grep { /^released$/ } @said), 8, 'eight cancel it at once');
    my $had = grep { /^committed$/ } @said;
    # All may have asked before it was back.
    $had += as_api(usage('commit', id => 'later', coupons => ['ONCE'])) =~ /committed/;
    is($had, 1, 'it comes back once, and one has it');
    is(counted('coupon', 'ONCE', 'orders'), '1 0', 'which counts');
    is(scalar(grep { /40P01|55P03/ } @said), 0, 'and nobody stood in another\'s way for ever');
    is(wrong(), '', 'the journal agrees');
};

subtest 'a hold that is over' => sub {
    # In one session: another may take a second to begin.
    my ($slow, $early) = split /\n/, as_api(usage('reserve', id => 'slow', coupons => ['SOON'], expires_in => 1) . usage('reserve', id => 'early', coupons => ['SOON']));
    is($slow, 'held', 'one reserves for a second');
    like($early, qr/POS09/, 'another comes too early');
    $sql->query("select pg_sleep(greatest(0, extract(epoch from expires_at - clock_timestamp()))) from pos.usage where usage_id = 'slow'");
    my @said = at_once((usage('commit', id => 'slow')) x 2, (map { usage('reserve', id => "late$_", coupons => ['SOON'], expires_in => 600) } 1 .. $clients - 6),
        ("select pos.usage_sweep() * 0;\n") x 4);
    my $taken = grep { /^(?:held|committed)$/ } @said;
    ok($taken == 1 || (grep { /^committed$/ } @said) == 2 && $taken == 2, 'at its end one has it: whoever was first, or its own') or diag(join '', @said);
    is(wrong(), '', 'the journal agrees');
    my ($used, $reserved) = split ' ', counted('coupon', 'SOON', 'orders');
    is($used + $reserved, 1, 'once');
};

subtest 'given back by the sweep' => sub {
    as_api(usage('reserve', id => 'gone', coupons => ['BACK'], promotions => [{ id => 'p', uses => 2, amount => 30 }], customer => 'c0', expires_in => 1));
    is(counted('coupon', 'BACK', 'orders'), '0 1', 'reserved');
    $sql->query("select pg_sleep(greatest(0, extract(epoch from expires_at - clock_timestamp()))) from pos.usage where usage_id = 'gone'");
    my @said = at_once(("select pos.usage_sweep();\n") x 16);
    my $ended = 0;
    $ended += $_ for map { /^(\d+)$/ } @said;
    is($ended, 4, 'sixteen sweeps end each of its four counters once');
    is(counted('coupon', 'BACK', 'orders'), '0 0', 'it is there again');
    like(as_api("select pos.usage_read('gone') ->> 'state';\n"), qr/expired/, 'and it says so');
    is(wrong(), '', 'the journal agrees');
};

# Until so many others wait for a lock.
sub waited {
    my ($n) = @_;
    return "do \$\$ begin for i in 1 .. 2000 loop exit when (select count(*) from pg_stat_activity where datname = current_database()"
        . " and wait_event_type = 'Lock' and pid <> pg_backend_pid() and query like '%usage%') >= $n; perform pg_stat_clear_snapshot(), pg_sleep(0.01); end loop; end \$\$;\n";
}
sub held { my ($name) = @_; return "do \$\$ begin for i in 1 .. 2000 loop exit when exists (select from pg_locks where locktype = 'advisory' and objid = $name and granted); perform pg_sleep(0.01); end loop; end \$\$;\n" }

subtest 'one step, said by eight at once' => sub {
    my $events = sub { return $sql->query("select string_agg(e.type, ' ' order by e.version) from pos.event e where e.aggregate = 'coupon_reservation/twin'") };
    my $audits = sub { return $sql->query("select count(*) from pos.audit where key = 'twin' and operation = '$_[0]_coupon_reservation'") };
    my @twins = map { $as . held(1) . "/* usage */ " . call('create_coupon_reservation', body => { id => 'twin', coupons => ['TWIN'] }) } 1 .. 8;
    my @said = $sql->together("begin;\n$as" . usage('reserve', id => 'twin') . "select pg_advisory_xact_lock(1) \\g /dev/null\nreset role;\n" . waited(8) . "rollback;\n", @twins);
    is(join('', sort @said[1 .. 8]), "200\n" x 7 . "201\n", 'one of eight makes a reservation, the others make it anew');
    for my $step ('commit', 'release') {
        @said = $sql->together("begin;\nselect from pos.usage where usage_id = 'twin' for update;\nselect pg_advisory_xact_lock(1) \\g /dev/null\n" . waited(8) . "commit;\n",
            map { $as . held(1) . "/* usage */ " . call("${step}_coupon_reservation", path => { id => 'twin' }) } 1 .. 8);
        is(join('', @said[1 .. 8]), "200\n" x 8, "eight $step it");
        is($audits->($step), 1, 'the audit has it once');
    }
    is($events->(), 'coupon_reservation.held ' x 8 . 'coupon_reservation.committed coupon_reservation.released', 'each is one event');
};

# What is revoked, or lowered, while a checkout waits for a counter is revoked for it too.
subtest 'what comes while it waits' => sub {
    is(as_api(usage('reserve', id => 'w0', coupons => ['WAIT', 'LESS'])), "held\n", 'two counters are there');
    for (['WAIT', "revoked_at = now()", 'reserve', 'coupon_revoked'], ['LESS', q(document = document || '{"remaining": 1}'), 'commit', 'coupon_used_up']) {
        my ($code, $change, $step, $why) = @$_;
        my @said = $sql->together("begin;\nselect from pos.usage_counter where name = '$code' for update;\nselect pg_advisory_xact_lock(1) \\g /dev/null\n"
            . waited(1) . "update pos.coupon set $change where code = '$code';\ncommit;\n",
            "\\set VERBOSITY verbose\n" . $as . held(1) . usage($step, id => "w$code", coupons => [$code]));
        like($said[1], qr/POS09.*"$why"/s, "$why: it is told");
    }
    is(wrong(), '', 'the journal agrees');
};

# Its codes are half written, and wait here for another's: it is revoked all the same, at once.
subtest 'a batch that is being made is revoked' => sub {
    is(as_api(call('create_coupon_batch', body => { count => 2, pattern => 'W-####', promotions => ['p'] })), "202\n", 'a batch is asked for');
    my $batch = $sql->query('select batch_id from pos.coupon_batch');
    my @said = $sql->together(
        "begin;\nselect set_config('pos.retailer', '1', false) \\g /dev/null\ninsert into pos.coupon (retailer_id, code, document) values (1, 'W-2', '{}');\nselect pg_advisory_xact_lock(1) \\g /dev/null\n"
            . "do \$\$ begin for i in 1 .. 500 loop exit when exists (select from pos.coupon_batch where state = 'revoked'); perform pg_sleep(0.01); end loop; end \$\$;\nrollback;\n",
        "set role pos_daemon; select set_config('pos.retailer', '1', false) \\g /dev/null\nselect job_id as job, lease from pos.claim_job(60) \\gset\nselect pos.open_coupon_batch(:'job') \\g /dev/null\n"
            . "insert into pg_temp.coupon_code (code) values ('W-1'), ('W-2'), ('W-3');\n" . held(1) . "select pos.make_coupon_batch(:'job', :lease) /* usage */;\n",
        held(1) . waited(1) . $as . call('revoke_coupon_batch', path => { id => $batch }, body => {}));
    is($said[2], "200\n", 'it is revoked');
    like($said[1], qr/\AERROR:  POS09/, 'who makes it cannot commit');
    is($sql->query("select count(*) from pos.coupon where batch_id = '$batch'"), 0, 'none of its codes is there');
    is($sql->query("select string_agg(j.state || ' ' || b.state, ' ') from pos.coupon_batch b join pos.job j using (retailer_id, job_id)"), 'cancelled revoked', 'nor will be');
};

# Every client does what comes to its mind with a few orders that all share.
subtest 'anything at once' => sub {
    my $seed = $ENV{POS_SEED} || 20261126;
    srand $seed;
    note("seed $seed");
    my $some = sub {
        my $id = 'r' . int rand 40;
        my %of = (coupons => ['TEN'], promotions => [{ id => 'p', uses => 1 + int rand 3, amount => 5 * int rand 12 }], customer => 'c' . int rand 6);
        delete $of{ (sort keys %of)[int rand 2] } if rand() < 0.3;
        return usage('reserve', id => $id, %of, expires_in => 1 + int rand 2) if rand() < 0.45;
        return usage('commit', id => $id, %of) if rand() < 0.2;
        return usage('commit', id => $id) if rand() < 0.4;
        return "select pos.usage_release('$id') ->> 'state';\n" if rand() < 0.8;
        return "select pos.usage_sweep() * 0;\n";
    };
    my @said = at_once(map { join '', map { $some->() } 1 .. $rounds } 1 .. $clients);
    my %seen;
    $seen{$_}++ for grep { defined } map { /(?:ERROR:  (\w+)|^(held|committed|released)$)/mg } @said;
    note(join ', ', map { "$_ $seen{$_}" } sort keys %seen);
    is(join(' ', grep { !/^(?:POS09|POS04|POS00|held|committed|released)$/ } sort keys %seen), '', 'no deadlock, no fault') or diag((grep { /4\d\w{3}|2\d\w{3}|X/ } @said)[0]);
    is(wrong(), '', 'the journal agrees, and no limit was overrun');
    ok($seen{$_}, "$_ happened") for qw(held committed released POS09);
};

# Clients die in the middle: the server takes back what was not committed.
subtest 'killed' => sub {
    like(as_api(usage('commit', id => 'k0', coupons => ['KILL'])), qr/committed/, 'one order is through');
    my @clients = map {
        my $n = $_;
        my $pid = open3(my $in, my $out, undef, 'psql', '-qXAt', '-d', $sql->{db});
        print $in $as, "begin;\n", usage('commit', id => "k$n", coupons => ['KILL']), $n % 2 ? '' : "commit;\n", "select pg_sleep(60);\n";
        $in->flush;
        [$pid, $in, $out];
    } 1 .. 12;
    my $wait = "do \$\$ begin for i in 1 .. 500 loop exit when (select count(*) from pg_stat_activity where datname = current_database()"
        . " and (state = 'active' or state like 'idle in%') and pid <> pg_backend_pid() and (wait_event_type = 'Lock' or query like '%pg_sleep%')) >= 12; perform pg_sleep(0.01); end loop; end \$\$;";
    $sql->query($wait);
    kill 'KILL', map { $_->[0] } @clients;
    waitpid $_->[0], 0 for @clients;
    # A session that waits for a lock learns only then that nobody listens any more.
    $sql->query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'");
    $sql->query("do \$\$ begin for i in 1 .. 3000 loop exit when not exists (select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'); perform pg_sleep(0.01); end loop; end \$\$;");
    is(wrong(), '', 'the journal agrees');
    my ($used, $reserved) = split ' ', counted('coupon', 'KILL', 'orders');
    is($used, $sql->query("select count(*) from pos.usage where usage_id like 'k%' and state = 'committed'"), "$used committed orders, so many uses");
    is($reserved, 0, 'nothing is left of the others');
    my $left = 5 - $used;
    my @said = at_once(map { usage('commit', id => "after$_", coupons => ['KILL']) } 1 .. 16);
    is(scalar(grep { /^committed$/ } @said), $left, 'what they had is there for others');
    is(counted('coupon', 'KILL', 'orders'), '5 0', 'all five');
};

undef $sql;
done_testing;
