#!/usr/bin/perl
# What goes over the wire between nginx and PostgreSQL, seen by a tap in between: every
# statement is prepared once a connection, and a request is one pipeline, one round trip
# and one transaction.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::UNIX;
use PgTest;
use POSIX ();
use Test::More;

my $id = { name => 'id', in => 'path', required => Cpanel::JSON::XS::true, schema => { type => 'string' } };
my $t  = PgTest->new(
    contract => PgTest::contract(
        'get /things/{id}'  => { operationId => 'get_thing', parameters => [$id] },
        'post /things/{id}' => { operationId => 'act_thing', parameters => [$id] },
    ),
    functions => [qw(get_thing act_thing)],
    conninfo  => 'host=SOCKETS/tap port=PORT dbname=postgres user=postgres',
    http      => 'pos_pool 1;',
    sql       => <<'SQL',
create schema pos; create schema api;
create type pos.response as (status int, body jsonb, headers jsonb);
create table pos.seen (at serial, xid xid8, pid int);
create function pos.session() returns jsonb language sql as $$
  select jsonb_build_object('pid', pg_backend_pid(),
    'prepared', (select jsonb_agg(name order by name) from pg_prepared_statements)) $$;
create function api.get_thing(r jsonb) returns pos.response language plpgsql as $$
begin
  if r #>> '{path,id}' = 'bug' then perform 1 / 0; end if;
  return row(200, pos.session(), '{}'::jsonb)::pos.response;
end $$;
create function api.act_thing(r jsonb) returns pos.response language plpgsql as $$
begin
  insert into pos.seen (xid, pid) values (pg_current_xact_id(), pg_backend_pid());
  return row(200, pos.session(), '{}'::jsonb)::pos.response;
end $$;
SQL
);
my $tap = start_tap();
ok($t->start_nginx, 'nginx runs') or BAIL_OUT(PgTest::slurp("$t->{dir}/start.log"));

# (The first is the worker's own question how many connections there are.)
my %first = map { $_ => $t->request($_, '/v1/things/a') } qw(GET POST);
is($first{$_}{status}, 200, "the first $_") or diag($first{$_}{body}) for sort keys %first;
is_deeply([pipelines()], ['P B D E P B D E S', ('B D E P B D E S') x 2], 'a statement is parsed when it is first needed, in the pipeline that needs it');

my $rounds = 20;
for (1 .. $rounds) {
    for my $method (qw(GET POST)) {
        my $r = $t->request($method, "/v1/things/$_");
        is("$r->{status} " . ($r->{json}{pid} // ''), "200 $first{GET}{json}{pid}", "$method $_ is on the same connection") if $_ == 1 || $_ == $rounds || $r->{status} != 200;
    }
}
my @seen = pipelines();
is(scalar(@seen), 3 + 2 * $rounds, 'one pipeline a request');
is_deeply([unique(@seen[3 .. $#seen])], ['B D E B D E S'], 'the retailer is set and the function called, both prepared before, and one sync');
my @statements = split ' ', names('P');
is(scalar(@statements), 4, "four statements were parsed in all: @statements");
is_deeply([sort @statements], $t->request('GET', '/v1/things/last')->{json}{prepared}, 'which are those that the session holds');
is(names('Q'), '', 'no simple query is sent');
is($t->psql('select count(distinct xid) from pos.seen') . ' ' . $t->psql('select count(*) from pos.seen'), join(' ', (1 + $rounds) x 2), 'each request was a transaction');

# An error in the call ends that pipeline only: nothing is parsed again for it.
is($t->request('GET', '/v1/things/bug')->{status}, 500, 'a bug');
is($t->request('GET', '/v1/things/b')->{json}{pid}, $first{GET}{json}{pid}, 'costs no connection');
is(scalar(split ' ', names('P')), 4, 'and no parse');

# A new session knows nothing: there, once more.
$t->psql("select pg_terminate_backend($first{GET}{json}{pid})");
ok(PgTest::wait_for('another session', 10, sub { my $r = $t->request('GET', '/v1/things/c'); ($r->{json} || {})->{pid} && $r->{json}{pid} != $first{GET}{json}{pid} }), 'another session');
is($t->request('GET', '/v1/things/d')->{status}, 200, 'serves');
is(scalar(split ' ', names('P')), 6, 'with its two statements parsed once');

$t->stop;
done_testing();

END { if ($tap) { local $?; kill 'TERM', $tap; waitpid $tap, 0 } }

# What nginx sent, each pipeline (up to its Sync) as the letters of its messages.
sub pipelines {
    my @all;
    my @now;
    for my $message (split /\n/, PgTest::slurp("$t->{dir}/tap.log")) {
        my ($letter) = $message =~ /^(\S)/;
        push @now, $letter;
        if ($letter eq 'S') { push @all, join ' ', @now; @now = () }
    }
    return @all;
}

# The names of the statements in all messages of this kind.
sub names {
    my ($kind) = @_;
    return join ' ', PgTest::slurp("$t->{dir}/tap.log") =~ /^$kind (.*)$/mg;
}

sub unique { my %seen; return grep { !$seen{$_}++ } @_ }

# A process between nginx and PostgreSQL. It writes down each message of nginx's, and keeps
# back whatever the server says of a pipeline until its Sync has come: had nginx to wait
# for anything in the middle, it would wait for ever.
sub start_tap {
    mkdir "$t->{dir}/run/tap";
    my $path   = "$t->{dir}/run/tap/.s.PGSQL.$t->{pg_port}";
    my $listen = IO::Socket::UNIX->new(Local => $path, Listen => 16) or die "$path: $!";
    chmod 0777, $path;
    chmod 0755, "$t->{dir}/run/tap";
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    $SIG{TERM} = sub { POSIX::_exit(0) };
    $SIG{PIPE} = 'IGNORE';    # one end may be gone already; its own end of file says so
    open my $log, '>', "$t->{dir}/tap.log" or POSIX::_exit(1);
    $log->autoflush(1);
    my $select = IO::Select->new($listen);
    my %peer;
    while (1) {
        for my $s ($select->can_read) {
            if ($s == $listen) {
                my $client = $listen->accept or next;
                my $server = IO::Socket::UNIX->new(Peer => "$t->{dir}/run/.s.PGSQL.$t->{pg_port}") or do { close $client; next };
                my $pair = { client => $client, server => $server, in => '', out => '', started => 0, open => 0 };
                $peer{$_} = $pair for $client, $server;
                $select->add($client, $server);
                next;
            }
            my $pair = $peer{$s};
            next if !defined fileno $s;    # closed with its twin in this very round
            if (!sysread $s, my $bytes, 65536) {
                $select->remove($pair->{client}, $pair->{server});
                close $_ for @$pair{qw(client server)};
                next;
            }
            elsif ($s == $pair->{client}) { from_client($pair, $bytes, $log) }
            else                          { $pair->{out} .= $bytes }
            if (!$pair->{open}) { syswrite $pair->{client}, $pair->{out}; $pair->{out} = '' }
        }
    }
}

# The first message has no letter; `open` while a pipeline has begun and not synced.
sub from_client {
    my ($pair, $bytes, $log) = @_;
    $pair->{in} .= $bytes;
    while (length $pair->{in} >= 5) {
        my $start = $pair->{started} ? 1 : 0;
        my $size  = unpack 'N', substr $pair->{in}, $start, 4;
        last if length $pair->{in} < $start + $size;
        my $message = substr $pair->{in}, 0, $start + $size, '';
        syswrite $pair->{server}, $message;
        if (!$pair->{started}) { $pair->{started} = 1; next }
        my $letter = substr $message, 0, 1;
        next if $letter =~ /[pX]/;
        my ($first, $second) = unpack 'Z* Z*', substr $message, 5;
        print $log $letter, ' ', $letter eq 'B' ? $second : $letter eq 'P' ? $first : '', "\n";
        $pair->{open} = $letter ne 'S';
    }
    return;
}
