#!/usr/bin/perl

# A worker's way to the database: large answers, broken ones, conflicts, a full pool,
# a client that leaves, a connection that ends, a database that stands still.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PgTest;
use Test::More;
use Time::HiRes qw(time);

my $id = { name => 'id', in => 'path', required => Cpanel::JSON::XS::true, schema => { type => 'string' } };
my $t  = PgTest->new(
    contract => PgTest::contract(
        'get /big/{id}'     => { operationId => 'get_big',   parameters => [$id] },
        'get /things/{id}'  => { operationId => 'get_thing', parameters => [$id] },
        'post /things/{id}' => { operationId => 'act_thing', parameters => [$id] },
        'get /missing'      => { operationId => 'get_missing' },
    ),
    functions => [qw(get_big get_thing act_thing get_missing)],
    http      => 'pos_pool 3; pos_queue 4; pos_database_timeout 2s;',
    # The first address refuses: libpq puts another socket behind the same number.
    conninfo => 'hostaddr=127.0.0.1,127.0.0.1 port=1,PORT dbname=postgres user=postgres sslmode=prefer',
    sql      => <<'SQL',
create schema pos; create schema api;
create type pos.response as (status int, body jsonb, headers jsonb);
create table pos.t (id int primary key, n int); insert into pos.t values (1, 0), (2, 0);
create function api.get_big(r jsonb) returns pos.response language sql as
  $$ select row(200, to_jsonb(repeat('x', (r #>> '{path,id}')::int)), '{}'::jsonb)::pos.response $$;
create function api.get_thing(r jsonb) returns pos.response language plpgsql as $$
declare id text := r #>> '{path,id}';
begin
  if id like 'sleep-%' then perform pg_sleep(split_part(id, '-', 2)::float); end if;
  if id = 'none' then raise exception using errcode = 'POS04', message = 'no',
    detail = '{"code":"thing_unknown","detail":"There is no such thing.","errors":[{"pointer":"/path/id","code":"unknown","message":"no"}]}'; end if;
  if id = 'bug' then perform 1 / 0; end if;
  if id = 'number' then perform '1e999999'::numeric; end if;
  return row(200, jsonb_build_object('id', id, 'pid', pg_backend_pid()), '{}'::jsonb)::pos.response;
end $$;
create function api.act_thing(r jsonb) returns pos.response language plpgsql as $$
declare id text := r #>> '{path,id}';
begin
  if id = 'ab' then update pos.t set n = n + 1 where t.id = 1; perform pg_sleep(0.3); update pos.t set n = n + 1 where t.id = 2;
  elsif id = 'ba' then update pos.t set n = n + 1 where t.id = 2; perform pg_sleep(0.3); update pos.t set n = n + 1 where t.id = 1;
  elsif id = 'twin' then raise exception using errcode = 'POS11', message = 'busy';
  elsif id = 'half' then update pos.t set n = n + 100 where t.id = 1; perform 1 / 0;
  elsif id = 'forget' then deallocate all;
  elsif id = 'words' then raise warning 'in passing'; raise notice 'and more';
  elsif id = 'doubt' then update pos.t set n = n where t.id = 1; end if;
  return row(201, '{}'::jsonb, jsonb_build_object('Location', '/v1/things/' || id))::pos.response;
end $$;
SQL
);

ok($t->start_nginx, 'nginx runs') or BAIL_OUT(PgTest::slurp("$t->{dir}/start.log"));
ok(PgTest::wait_for('the database', 10, sub { $t->request('GET', '/v1/things/a')->{status} == 200 }),
    'connected through a socket that was replaced while connecting');

# Bigger than libpq's 16 KB buffer: edge-triggered events would hang here.
for my $size (16_000, 20_000, 100_000, 5_000_000, 8_000_000) {
    my $r = $t->request('GET', "/v1/big/$size");
    # What is large may need more than the timeout where much else runs; one that hangs always does.
    for (1 .. 20) { last if $size < 1_000_000 || $r->{status} !~ /^50[34]$/; $r = $t->request('GET', "/v1/big/$size") }
    is(length $r->{body}, $size + 2, "an answer of $size bytes comes whole") or diag(substr "$r->{status} $r->{body}", 0, 300);
}

my $r = $t->request('GET', '/v1/things/none');
is($r->{status}, 404, 'POS04 is 404');
is($r->{json}{code}, 'thing_unknown', 'with its own code');
is($r->{json}{errors}[0]{pointer}, '/path/id', 'and its errors');
$r = $t->request('GET', '/v1/things/bug');
is($r->{status}, 500, 'a bug is 500');
unlike($r->{body}, qr/zero|division|sql/i, 'that says nothing of SQL');
is($t->request('GET', '/v1/things/number')->{status}, 422, 'a number nobody can store is 422');
$r = $t->request('GET', '/v1/missing');
is($r->{status}, 503, 'a function the database lacks is 503');
ok($r->{headers}{'retry-after'}, 'with Retry-After');

# A session has lost its prepared statements, as behind a pooler. (Another connection is
# open, so that there is time for a new one.)
is($t->request('POST', '/v1/things/calm')->{status}, 201, 'a write, now prepared');
my $other = $t->begin('GET', '/v1/things/sleep-1.5');
is($t->request('POST', '/v1/things/forget')->{status}, 201, 'its session forgets what it prepared');
is($t->request('POST', "/v1/things/calm$_")->{status}, 201, "which costs nobody his write ($_)") for 1 .. 3;
is(PgTest::answer($other)->{status}, 200, 'nor another his answer');

# Words of a function are nothing; at commit they mean that nobody knows: a standby did not answer.
is($t->request('POST', '/v1/things/words')->{status}, 201, 'a warning in passing is no matter');
$t->psql("alter system set synchronous_standby_names = 'nobody'");
$t->psql('select pg_reload_conf()');
ok(PgTest::wait_for('the setting', 5, sub { $t->psql('show synchronous_standby_names') eq 'nobody' }), 'a standby is asked for that is not there');
my $waits = "from pg_stat_activity where wait_event = 'SyncRep' and application_name = 'ngx_pos'";
my $doubt;
for (1 .. 9) {    # where much else runs, its time may be over before it is cancelled
    my $waiting = $t->begin('POST', '/v1/things/doubt');
    PgTest::wait_for('the commit to wait', 2, sub { $t->psql("select count(pg_cancel_backend(pid)) $waits") > 0 });
    $doubt = PgTest::answer($waiting);
    last if $doubt->{status} != 504;
}
is("$doubt->{status} " . ($doubt->{json}{code} // ''), '503 outcome_unknown', 'and is given up: that is never success');
ok($doubt->{headers}{'retry-after'}, 'and may be asked again');
$t->psql('alter system reset synchronous_standby_names');
$t->psql('select pg_reload_conf()');
ok(PgTest::wait_for('the setting', 5, sub { $t->psql('show synchronous_standby_names') eq '' }), 'without it');
is($t->request('POST', '/v1/things/doubt')->{status}, 201, 'all is well again');

# One transaction a request.
is($t->request('POST', '/v1/things/half')->{status}, 500, 'an error half way');
is($t->psql('select n from pos.t where id = 1'), '0', 'leaves nothing behind');

# Two that lock in opposite order: one is a deadlock's victim and is tried again.
my @both = map { $t->begin('POST', "/v1/things/$_") } qw(ab ba);
is_deeply([ map { PgTest::answer($_)->{status} } @both ], [ 201, 201 ], 'a deadlock is tried again unseen');
is($t->psql('select n from pos.t where id = 1'), '2', 'and each took effect once');

my $began = time;
$r = $t->request('POST', '/v1/things/twin');
is($r->{status}, 409, 'a twin that never ends is 409');
# Bounds from above are such as only what hangs reaches: the machine may be busy.
my $took = time - $began;
ok($took > 1.5 && $took < 30, sprintf 'after two seconds of waiting (%.1f s)', $took);
ok($r->{headers}{'retry-after'}, 'with Retry-After');

$began = time;
$r = $t->request('GET', '/v1/things/sleep-9');
is($r->{status}, 504, 'too slow is 504');
ok(time - $began < 8.5, 'before it would have ended');

# 3 connections, 4 may wait: of 12 at once the rest is refused at once.
$began = time;
my @many = map { $t->begin('GET', '/v1/things/sleep-0.5') } 1 .. 12;
my %count;
$count{ PgTest::answer($_)->{status} }++ for @many;
ok(($count{200} // 0) >= 6, 'a full pool serves what fits');
ok(($count{503} // 0) >= 4, 'and refuses the rest');
is(($count{200} // 0) + ($count{503} // 0), 12, 'and nothing else happens');
ok(time - $began < 30, 'and nobody hangs');

# Clients that leave: their connections come back, nobody gets their answers.
for (1 .. 3) { close $t->begin('GET', '/v1/things/sleep-1') }
select undef, undef, undef, 0.1;
ok(PgTest::wait_for('connections to come back', 5, sub {
    my $a = $t->request('GET', '/v1/things/mine');
    $a->{status} == 200 && $a->{json}{id} eq 'mine';
}), 'after clients left the pool serves again');
is($t->request('GET', "/v1/things/x$_")->{json}{id}, "x$_", "each gets its own answer ($_)") for 1 .. 5;

# A backend that ends while idle, and while busy.
$t->psql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ngx_pos'");
# 80 ms is all that a call waits for the first new one: where much else runs it may take longer.
for (1 .. 9) { $r = $t->request('GET', '/v1/things/after'); last if $r->{status} != 503 }
is($r->{status}, 200, 'idle connections that ended are not noticed')
    or diag(join "\n", grep { defined } (grep { /database|attempt/ } split /\n/, PgTest::slurp("$t->{dir}/error.log"))[-12 .. -1]);
my $busy = $t->begin('GET', '/v1/things/sleep-0.7');
PgTest::wait_for('it to run', 3, sub { $t->psql("select count(*) from pg_stat_activity where state = 'active' and application_name = 'ngx_pos'") > 0 });
$t->psql("select pg_terminate_backend(pid) from pg_stat_activity where state = 'active' and application_name = 'ngx_pos'");
is(PgTest::answer($busy)->{status}, 200, 'a read whose backend was ended is read again');

# A database that stands still.
my @backends = split /\n/, $t->psql("select pid from pg_stat_activity where application_name = 'ngx_pos'");
my $postmaster = (split /\n/, PgTest::slurp("$t->{dir}/pg/postmaster.pid"))[0];
kill 'STOP', $postmaster, @backends;
$began = time;
my @frozen = map { $t->begin('GET', '/v1/things/frozen') } 1 .. 12;
my @status = map { PgTest::answer($_)->{status} } @frozen;
ok(!(grep { $_ != 503 && $_ != 504 } @status), "while it stands still all are refused (@status)");
ok(time - $began < 60, 'and nobody waits for it to move');
kill 'CONT', $postmaster, @backends;
ok(PgTest::wait_for('it to move again', 10, sub { $t->request('GET', '/v1/things/a')->{status} == 200 }), 'then all goes on');

# Down: 503 at once, and by itself back.
ok($t->stop_pg, 'PostgreSQL stops');
$t->request('GET', '/v1/things/a');
my @took;
for (1 .. 20) {
    my $start = time;
    $r = $t->request('GET', '/v1/things/a');
    push @took, time - $start;
    last if $r->{status} != 503 || !$r->{headers}{'retry-after'};
}
is($r->{status}, 503, 'down is 503');
ok($r->{headers}{'retry-after'}, 'with Retry-After');
@took = sort { $a <=> $b } @took;
ok($took[0] < 0.1, sprintf 'without a timer (%.0f ms)', 1000 * $took[0]);
ok($took[-1] < 2, sprintf "and none waits for the database's timeout (%.0f ms)", 1000 * $took[-1]);
ok($t->start_pg, 'PostgreSQL starts');
ok(PgTest::wait_for('the database', 5, sub { $t->request('GET', '/v1/things/a')->{status} == 200 }), 'all recovers by itself');
is(scalar($t->workers), 1, 'one worker');

$t->stop;
done_testing();
