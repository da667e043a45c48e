#!/usr/bin/perl

# A reload drops nothing that waits for the database, closes idle connections, and
# leaves no connection and no old worker behind.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Path qw(remove_tree);
use PgTest;
use Test::More;
use Time::HiRes qw(time);

my %how = (
    contract => PgTest::contract('get /sleep/{id}' => { operationId => 'get_sleep',
        parameters => [ { name => 'id', in => 'path', required => Cpanel::JSON::XS::true, schema => { type => 'number' } } ] }),
    functions => ['get_sleep'],
    http      => "proxy_cache_path /tmp/pos-cache-$$ keys_zone=pos:1m;",
    sql       => <<'SQL',
create schema pos; create schema api;
create type pos.response as (status int, body jsonb, headers jsonb);
create function api.get_sleep(r jsonb) returns pos.response language sql as
  $$ select row(200, to_jsonb(coalesce(pg_sleep((r #>> '{path,id}')::float)::text, '')), null)::pos.response $$;
SQL
);
my $t = PgTest->new(%how);

ok($t->start_nginx, 'nginx runs') or BAIL_OUT(PgTest::slurp("$t->{dir}/start.log"));
is($t->request('GET', '/v1/sleep/0')->{status}, 200, 'a call');
my ($old) = $t->workers;

my @waiting = map { $t->begin('GET', '/v1/sleep/0.8') } 1 .. 6;
ok(PgTest::wait_for('calls to run', 5, sub { $t->psql("select count(*) from pg_stat_activity where state = 'active' and application_name = 'ngx_pos'") >= 2 }), 'calls are in the database');
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
# An old worker has given up its idle connections, and a request comes all the same; a new one
# has none yet. PostgreSQL takes its time to give them one.
subtest 'requests around a reload wait for a connection' => sub {
    my ($worker) = $t->workers;
    my ($postmaster) = PgTest::slurp("$t->{dir}/pg/postmaster.pid") =~ /^(\d+)/;
    is($t->request('GET', '/v1/sleep/0')->{status}, 200, 'a call');
    my $late = $t->connect_to;
    syswrite $late, "GET /v1/sleep/0 HTTP/1.1\r\nConnection: close\r\n";
    is($t->request('GET', '/v1/sleep/0')->{status}, 200, 'one more, behind half a request');
    kill 'STOP', $postmaster;
    $t->reload;
    ok(PgTest::wait_for('a new worker', 5, sub { grep { $_ != $worker } $t->workers }), 'a new worker came');
    ok(PgTest::wait_for('no connection', 5, sub { PgTest::slurp("/proc/$worker/cmdline") =~ /shutting down/ }), 'the old one ends');
    select undef, undef, undef, 0.1;    # it gives them up right after it says so
    my $new = $t->begin('GET', '/v1/sleep/0');
    syswrite $late, "Host: t\r\n\r\n";
    select undef, undef, undef, 0.4;
    kill 'CONT', $postmaster;
    is(PgTest::answer($late)->{status}, 200, 'the old worker waits for a connection');
    is(PgTest::answer($new)->{status}, 200, 'so does the new one');
    ok(PgTest::wait_for('the old worker to end', 8, sub { !kill 0, $worker }), 'then the old one ends');
};

# nginx's cache manager and loader run the same start as workers do: they keep out of it.
ok(grep({ (PgTest::slurp("/proc/$_/cmdline") // '') =~ /cache (?:manager|loader)/ } $t->children), 'there is a process that is no worker');
ok(PgTest::wait_for('connections', 5, sub { $t->psql("select count(*) from pg_stat_activity where application_name = 'ngx_pos'") <= 4 }),
    'no connection is left over');

$t->stop;
remove_tree("/tmp/pos-cache-$$");

# A worker is told to end whatever it does: what is in the database then is given up, with
# its connection, and nothing is left of either.
subtest 'a deadline for old workers' => sub {
    my $late = PgTest->new(%how, main => 'worker_shutdown_timeout 1s;', http => '');
    ok($late->start_nginx, 'nginx runs') or return;
    is($late->request('GET', '/v1/sleep/0')->{status}, 200, 'a call');
    my ($worker) = $late->workers;
    my @long = map { $late->begin('GET', '/v1/sleep/8') } 1 .. 2;
    ok(PgTest::wait_for('calls to run', 5, sub { $late->psql("select count(*) from pg_stat_activity where state = 'active' and application_name = 'ngx_pos'") >= 2 }), 'two that take long');
    my $began = time;
    $late->reload;
    ok(PgTest::wait_for('the old worker to end', 7, sub { !kill 0, $worker }), 'the old worker ends before they do');
    is_deeply([map { PgTest::answer($_, 2)->{status} } @long], [0, 0], 'which get no answer');
    is($late->request('GET', '/v1/sleep/0')->{status}, 200, 'the new one serves');
    $late->stop;
};

# Clients have taken all connections that a worker may have: the way to the database is
# found again once they leave.
subtest 'no connection is left for the database' => sub {
    my $full = PgTest->new(%how, connections => 12, http => 'pos_pool 2; keepalive_timeout 60s;', expect_log => qr/worker_connections are not enough/);
    ok($full->start_nginx, 'nginx runs') or return;
    is($full->request('GET', '/v1/sleep/0')->{status}, 200, 'a call');
    my ($worker) = $full->workers;
    ok($full->stop_pg, 'PostgreSQL stops');
    my @held = map { my $s = $full->connect_to; syswrite $s, "GET /v1/sleep/0.5 HTTP/1.1\r\nHost: "; $s } 1 .. 16;
    ok($full->start_pg, 'and starts');
    ok(PgTest::wait_for('attempts', 20, sub { PgTest::slurp("$full->{dir}/error.log") =~ /database connection closed: no connection slot/ }), 'there is none left to connect by');
    close $_ for @held;
    ok(PgTest::wait_for('the database', 20, sub { my $r = eval { $full->request('GET', '/v1/sleep/0') }; $r && $r->{status} == 200 }), 'when they leave all goes on');
    is_deeply([$full->workers], [$worker], 'in the same worker');
    $full->stop;
};
done_testing();
