#!/usr/bin/perl
# PostgreSQL stops, or gives fewer connections than nginx would take: it is asked again
# seldomer and seldomer, whatever clients do, and all recovers by itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::UNIX;
use PgTest;
use POSIX ();
use Test::More;
use Time::HiRes qw(time);

my $id = { name => 'id', in => 'path', required => Cpanel::JSON::XS::true, schema => { type => 'string' } };
my %how = (
    contract  => PgTest::contract('get /sleep/{id}' => { operationId => 'get_sleep', parameters => [$id] }),
    functions => ['get_sleep'],
    sql       => <<'SQL',
create role shop login;
create schema pos; create schema api;
create type pos.response as (status int, body jsonb, headers jsonb);
create function api.get_sleep(r jsonb) returns pos.response language plpgsql as $$
begin perform pg_sleep((r #>> '{path,id}')::float); return row(200, '{}'::jsonb, '{}'::jsonb)::pos.response; end $$;
grant usage on schema pos, api to shop;
SQL
    conninfo => 'host=SOCKETS port=PORT dbname=postgres user=shop',
);

subtest 'PostgreSQL is stopped' => sub {
    my $t = PgTest->new(%how, http => 'pos_pool 4;');
    ok($t->start_nginx, 'nginx runs') or BAIL_OUT(PgTest::slurp("$t->{dir}/start.log"));
    ok(connections($t, 4), 'the pool has its four connections');
    unlike(log_of($t), qr/the database gives/, 'which fit into those that PostgreSQL gives');

    for my $outage (1, 2) {
        my $from = length log_of($t);
        ok($t->stop_pg, "outage $outage: PostgreSQL stops");
        # Clients come without a pause; that hastens nothing.
        my ($asked, @not) = (0);
        my $long = PgTest::wait_for('attempts', 60, sub {
            my $r = $t->request('GET', '/v1/sleep/0');
            $asked++;
            push @not, $r->{status} if $r->{status} != 503;
            return @{ waits(log_of($t, $from)) } >= 10;
        });
        ok($long, 'it is tried again and again') or return;
        cmp_ok(scalar(@not), '<=', 4, "of $asked requests all but those that were under way were refused") or diag("@not");
        my $log   = log_of($t, $from);
        my @waits = @{ waits($log) };
        my @bad;
        for my $n (0 .. $#waits) {
            my $step = 50 * 2**$n > 1000 ? 1000 : 50 * 2**$n;
            push @bad, "wait $n of $waits[$n] ms" if $waits[$n] < $step / 2 || $waits[$n] >= $step * 3 / 2;
        }
        is("@bad", '', "each wait is twice the last, up to a second, with jitter: @waits");
        my $attempts = () = $log =~ /database connection closed: connection to server/g;
        cmp_ok($attempts, '<=', @waits + 3, "one connection tries for all of the pool: $attempts attempts, " . @waits . ' waits')
            or diag($log);
        # By nginx's own clock: its timers and the times in its log are read from one.
        my %second;
        $second{$_}++ for @{ stamps($log) }[6 .. $#waits];
        is(join(' ', grep { $second{$_} > 2 } sort keys %second), '', 'and waits as long as it says: at last no more than two attempts a second');

        ok($t->start_pg, 'PostgreSQL starts');
        ok(PgTest::wait_for('the database', 30, sub { $t->request('GET', '/v1/sleep/0')->{status} == 200 }), 'and all recovers by itself');
        ok(connections($t, 4), 'with the whole pool');
    }
    $t->stop;
};

# Something in the way takes logins and drops them, or the server does after each.
subtest 'logins are taken and dropped' => sub {
    my $t = PgTest->new(%how, http => 'pos_pool 4;', conninfo => 'host=SOCKETS/door port=PORT dbname=postgres user=shop');
    mkdir "$t->{dir}/run/door";
    my $door = door($t);
    ok($t->start_nginx, 'nginx runs') or BAIL_OUT(PgTest::slurp("$t->{dir}/start.log"));
    my (%status, @slow);
    my $long = PgTest::wait_for('attempts', 60, sub {
        my $began = time;
        $status{ $t->request('GET', '/v1/sleep/0')->{status} }++;
        push @slow, time - $began if time - $began > 2;
        return @{ waits(log_of($t)) } >= 10;
    });
    ok($long, 'it is tried again and again') or return diag(log_of($t));
    is(join(' ', sort keys %status), '503', 'requests are refused meanwhile') or diag(explain \%status);
    is("@slow", '', 'and none waits');
    my @waits = @{ waits(log_of($t)) };
    my @bad   = grep { my $step = 50 * 2**$_ > 1000 ? 1000 : 50 * 2**$_; $waits[$_] < $step / 2 || $waits[$_] >= $step * 3 / 2 } 0 .. $#waits;
    is("@waits[@bad]", '', "seldomer and seldomer: @waits");
    my $logins = -s "$t->{dir}/logins";
    cmp_ok($logins, '<=', @waits + 4, "by one connection: $logins logins");
    kill 'USR1', $door;
    ok(PgTest::wait_for('the database', 30, sub { $t->request('GET', '/v1/sleep/0')->{status} == 200 }), 'when they are kept all recovers');
    ok(connections($t, 4), 'with the whole pool');
    kill 'TERM', $door;
    waitpid $door, 0;
    $t->stop;
};

# Of eight connections the server keeps three for superusers.
subtest 'the pool would take more connections than PostgreSQL gives' => sub {
    my $t = PgTest->new(%how, http => 'pos_pool 8;', max_connections => 8);
    ok($t->start_nginx, 'nginx runs') or BAIL_OUT(PgTest::slurp("$t->{dir}/start.log"));
    ok(PgTest::wait_for('a word', 10, sub { log_of($t) =~ /\[crit\]/ }), 'it says so at the start');
    like(log_of($t), qr/\[crit\].*the database gives 5 connections, but 1 workers with a pos_pool of 8 may take 16/, 'with the figures') or diag(log_of($t));

    # Others have taken some: the pool works with what is left.
    my @others = map { session($t) } 1 .. 3;
    $t->psql(q{select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'ngx_pos'});
    is(PgTest::wait_for('two', 10, sub { ours($t) >= 1 }), 1, 'it has a connection');
    my %status;
    for (1 .. 30) {
        $status{ PgTest::answer($_)->{status} }++ for map { $t->begin('GET', '/v1/sleep/0.01') } 1 .. 8;
    }
    is_deeply(\%status, { 200 => 240 }, 'bursts that would need more are served by those that it has, in turn') or diag(explain \%status);
    cmp_ok(ours($t), '<=', 2, 'no more than the server gives');
    my $refused = () = log_of($t) =~ /too many clients already|remaining connection slots/g;
    cmp_ok($refused, '>=', 1, 'the log says why there are no more');
# Those of the first burst may be under way together.
    my $waits = @{ waits(log_of($t)) };
    cmp_ok($refused, '<=', $waits + 7, "and each refusal is waited out before the next attempt: $refused, $waits waits");

    close $_ for @others;
    PgTest::wait_for('room', 10, sub { $t->psql(q{select count(*) from pg_stat_activity where usename = 'shop' and application_name <> 'ngx_pos'}) == 0 });
    # Longer than calls may wait, so that each needs a connection of its own; and none comes after.
    %status = ();
    $status{ PgTest::answer($_)->{status} }++ for map { $t->begin('GET', '/v1/sleep/0.9') } 1 .. 5;
    is_deeply(\%status, { 200 => 5 }, 'when the others leave, calls that wait together each get a connection') or diag(explain \%status);
    ok(PgTest::wait_for('the pool to grow', 30, sub { connections($t, 5, 1) }), 'when the others leave, the pool takes what is free');
    is($t->psql("select count(*) from pg_stat_activity where usename = 'shop'"), 5, 'and PostgreSQL has no room for more');
    $t->stop;
};

done_testing();

sub log_of { my ($t, $from) = @_; return substr PgTest::slurp("$t->{dir}/error.log"), $from // 0 }

# The waits that the log announces, and the seconds at which it does.
sub waits  { my ($log) = @_; return [$log =~ /next attempt to reach the database in (\d+) ms/g] }
sub stamps { my ($log) = @_; return [$log =~ /^(\S+ \S+) .*next attempt to reach the database/mg] }

sub ours { my ($t) = @_; return $t->psql("select count(*) from pg_stat_activity where application_name = 'ngx_pos'") }

# Does the pool come to this many, when so many requests are there at once?
sub connections {
    my ($t, $count, $once) = @_;
    my $round = sub {
        PgTest::answer($_) for map { $t->begin('GET', '/v1/sleep/0.1') } 1 .. $count;
        return ours($t) == $count;
    };
    return $once ? $round->() : PgTest::wait_for("$count connections", 20, $round);
}

# A process in front of PostgreSQL: each login goes through to its end, and then, until it
# is told otherwise, the connection is dropped. `logins` grows by one byte for each.
sub door {
    my ($t) = @_;
    my $path   = "$t->{dir}/run/door/.s.PGSQL.$t->{pg_port}";
    my $listen = IO::Socket::UNIX->new(Local => $path, Listen => 16) or die "$path: $!";
    chmod 0777, $path;
    chmod 0755, "$t->{dir}/run/door";
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    my $keep = 0;
    $SIG{USR1} = sub { $keep = 1 };
    $SIG{TERM} = sub { POSIX::_exit(0) };
    $SIG{PIPE} = 'IGNORE';
    open my $logins, '>>', "$t->{dir}/logins" or POSIX::_exit(1);
    $logins->autoflush(1);
    my ($select, %peer) = (IO::Select->new($listen));
    while (1) {
        for my $s ($select->can_read(1)) {
            if ($s == $listen) {
                my $client = $listen->accept or next;
                my $server = IO::Socket::UNIX->new(Peer => "$t->{dir}/run/.s.PGSQL.$t->{pg_port}") or next;
                my $pair = { client => $client, server => $server };
                $peer{$_} = $pair for $client, $server;
                $select->add($client, $server);
                next;
            }
            next if !defined fileno $s;
            my $pair = $peer{$s};
            my $bytes = '';
            my $more = sysread $s, $bytes, 65536;
            my $ready = $more && $s == $pair->{server} && !$pair->{in} && $bytes =~ /Z\0\0\0\x05I\z/;
            syswrite $s == $pair->{client} ? $pair->{server} : $pair->{client}, $bytes if $more;
            if ($ready) { $pair->{in} = 1; print $logins '.' }
            next if $more && !($ready && !$keep);
            $select->remove($pair->{client}, $pair->{server});
            close $_ for @$pair{qw(client server)};
        }
    }
}

# Another client's connection, held until it is closed.
sub session {
    my ($t) = @_;
    my $others = sub { $t->psql("select count(*) from pg_stat_activity where usename = 'shop' and application_name = 'psql'") };
    my $before = $others->();
    open my $in, '|-', 'psql', '-h', "$t->{dir}/run", '-p', $t->{pg_port}, '-U', 'shop', '-qX', 'postgres' or die "psql: $!";
    ok(PgTest::wait_for('a session', 10, sub { $others->() > $before }), 'another client takes a connection');
    return $in;
}
