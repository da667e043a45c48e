#!/usr/bin/perl
# Sessions at once: no revision is lost, the chain holds, a twin is told so.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use Cwd qw(abs_path);
use Test::More;
use PosSql;

my $sql = PosSql->start(abs_path("$FindBin::Bin/../.."));
$sql->query(q(select pos.create_retailer('{"code": "acme", "currency": "GBP"}')));
my $as = q(set role pos_api; select set_config('pos.retailer', '1', false) \g /dev/null
);
sub request { return Cpanel::JSON::XS->new->canonical->encode({ path => {}, query => {}, headers => {}, actor => { scopes => ['*'] }, @_ }) }

my $before = $sql->query('select rev from pos.revision where retailer_id = 1');
my @said = $sql->together(map {
    my $session = $_;
    $as . join '', map {
        my $put = request(path => { code => "s$session-$_" }, body => { name => "store $_" });
        "select status from api.put_store('$put');\n"
    } 1 .. 20;
} 1 .. 6);
is(join('', @said), "201\n" x 120, '120 stores by six sessions at once');
is($sql->query('select rev from pos.revision where retailer_id = 1'), $before + 120, 'each is a revision');
is($sql->query(q(
    select count(*) from pos.revision_log l join pos.revision_log b on b.retailer_id = 1 and b.rev = l.rev - 1
     where l.retailer_id = 1 and l.hash = sha256(b.hash || int8send(l.rev) || l.nonce || sha256(convert_to(l.keys::text, 'UTF8')) || l.digest))),
    $before + 119, 'and the chain holds');

my $key = request(body => { name => 'k', scopes => ['prices:read'] }, idempotency_key => 'once', request_hash => 'h');
# Each takes a lock of its own name when it has got so far, and waits for the other's.
sub until_locked {
    return 'do $$ begin for i in 1 .. 1000 loop exit when exists (select from pg_locks'
        . " where locktype = 'advisory' and objid = $_[0] and granted); perform pg_sleep(0.01); end loop; end \$\$;\n";
}
@said = $sql->together(
    $as . "begin; select status from api.create_key('$key'); select pg_advisory_lock(1) \\g /dev/null\n" . until_locked(2) . "commit;\n",
    $as . until_locked(1) . "select status from api.create_key('$key');\nselect pg_advisory_lock(2), pg_sleep(1) \\g /dev/null\n");
like($said[0], qr/^201$/m, 'the first is at work');
like($said[1], qr/POS11/, 'its twin is told at once to come back');
is($sql->query("select count(*) from pos.api_key where name = 'k'"), 1, 'there is one key');

my $ask = request(path => { code => 'same' }, body => { name => 'n' });
@said = $sql->together(($as . "select status from api.put_store('$ask');\n") x 8);
is(join('', sort @said), ("200\n" x 7) . "201\n", 'one of eight creates');

$sql->query(q(insert into pos.job (retailer_id, job_id, kind, state) select 1, 'job_' || i, 'import', 'queued' from generate_series(1, 12) i));
@said = $sql->together(("set role pos_daemon;\n" . "select job_id from pos.claim_job(60);\n" x 3) x 6);
my @jobs = grep { length } map { split /\n/ } @said;
my %jobs = map { $_ => 1 } @jobs;
is(scalar(@jobs), 12, 'six workers take twelve jobs');
is(scalar(keys %jobs), 12, 'no job twice');

# Six sessions change three promotions, and three number the events meanwhile: each number
# is given once, and whoever looks sees no gap.
my $put = sub {
    my ($id) = @_;
    my $put = request(path => { id => $id }, prepared => { documents => [{ id => $id }] });
    return "select status from api.put_promotion('$put');\n";
};
$sql->together($as . join '', map { $put->("hot$_") } 0 .. 2);
$sql->query('create table public.seen (numbers bigint, most bigint)');
$sql->query('grant insert on public.seen to pos_daemon');
my $write  = $as . join '', map { $put->('hot' . $_ % 3) } 1 .. 40;
my $number = "set role pos_daemon;\n" . join '', map {
    "select pos.number_events(7) \\g /dev/null\n"
    . "insert into public.seen select count(seq), coalesce(max(seq), 0) from pos.event where retailer_id = 1;\n"
} 1 .. 80;
@said = $sql->together(($write) x 6, ($number) x 3);
is(join('', @said), "200\n" x 240, 'all changes are made, and nobody who numbers fails');
cmp_ok($sql->query('select count(distinct numbers) from public.seen'), '>', 10, 'they were numbered meanwhile');
is($sql->query('select count(*) from public.seen where numbers <> most'), 0, 'and no gap was ever to be seen');
$sql->query('select pos.number_events(1000)');
my $events = $sql->query('select count(*) from pos.event where retailer_id = 1');
cmp_ok($events, '>=', 243, "there are $events events");
is($sql->query(q(select concat_ws(' ', count(seq), min(seq), max(seq)) from pos.event where retailer_id = 1)), "$events 1 $events", 'all are numbered');
is($sql->query(q(
    select count(*) from pos.event a join pos.event b on (b.retailer_id, b.aggregate, b.version) = (a.retailer_id, a.aggregate, a.version + 1)
     where b.seq < a.seq)), 0, 'each promotion\'s by version');

undef $sql;
done_testing;
