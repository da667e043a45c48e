#!/usr/bin/perl

# A reload drops nothing that waits for the database, closes idle connections, and
# leaves no connection and no old worker behind.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PgTest;
use Test::More;

my $t = PgTest->new(
    contract => PgTest::contract('get /sleep/{id}' => { operationId => 'get_sleep',
        parameters => [ { name => 'id', in => 'path', required => Cpanel::JSON::XS::true, schema => { type => 'number' } } ] }),
    functions => ['get_sleep'],
    sql       => <<'SQL',
create schema pos; create schema api;
create type pos.response as (status int, body jsonb, headers jsonb);
create function api.get_sleep(r jsonb) returns pos.response language sql as
  $$ select row(200, to_jsonb(coalesce(pg_sleep((r #>> '{path,id}')::float)::text, '')), null)::pos.response $$;
SQL
);

ok($t->start_nginx, 'nginx runs') or BAIL_OUT(PgTest::slurp("$t->{dir}/start.log"));
is($t->request('GET', '/v1/sleep/0')->{status}, 200, 'a call');
my ($old) = $t->workers;

my @waiting = map { $t->begin('GET', '/v1/sleep/0.8') } 1 .. 6;
ok(PgTest::wait_for('calls to run', 5, sub { $t->psql("select count(*) from pg_stat_activity where state = 'active' and application_name = 'ngx_pos'") >= 4 }), 'calls are in the database');
$t->reload;
ok(PgTest::wait_for('a new worker', 5, sub { grep { $_ != $old } $t->workers }), 'a new worker came');
is($t->request('GET', '/v1/sleep/0')->{status}, 200, 'the new one serves');
is_deeply([ map { PgTest::answer($_)->{status} } @waiting ], [ (200) x 6 ], 'nothing in flight was dropped');
ok(PgTest::wait_for('the old worker to end', 8, sub { !kill 0, $old }), 'the old worker ended by itself');

# Idle connections do not hold an old worker.
for my $n (1 .. 5) {
    ($old) = $t->workers;
    is($t->request('GET', '/v1/sleep/0')->{status}, 200, "call $n");
    $t->reload;
    ok(PgTest::wait_for('the worker to change', 8, sub { !kill 0, $old }), "reload $n");
}
ok(PgTest::wait_for('connections', 5, sub { $t->psql("select count(*) from pg_stat_activity where application_name = 'ngx_pos'") <= 4 }),
    'no connection is left over');

$t->stop;
done_testing();
