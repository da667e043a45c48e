#!/usr/bin/perl
# The one script: starts, says what runs, starts again what dies, stops, leaves nothing;
# several side by side; as an ordinary user.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $one = PosTest->start;
my $two = PosTest->start;

is($one->build_sh('status'), 0, 'status of what runs');
like($one->{output}, qr/postgresql running.*posd running.*nginx running.*ready at/s, 'names all three');
isnt($one->key, $two->key, 'two side by side have keys of their own') if !$ENV{POS_TEMPLATE};
my @pids = map { $one->pid($_) } qw(nginx posd postgres);
is($one->build_sh('start'), 0, 'start again');
is_deeply([map { $one->pid($_) } qw(nginx posd postgres)], \@pids, 'starts nothing twice');
is((stat "$one->{state}/keys.json")[2] & 077, 0, 'keys.json is for its owner only');
is_deeply([sort keys %{ $one->{keys} }], ['live', 'sandbox'], 'and has both modes');
is_deeply([sort keys %{ $one->{keys}{live} }], ['admin', 'storefront'], 'with two keys each');

subtest 'PostgreSQL is reached by its unix socket alone, and only by its user' => sub {
    my $postmaster = $one->pid('postgres');
    my $socket = "$one->{state}/run/.s.PGSQL.5432";
    my %listens = map { $_->[0] => $_ } listening();
    # All of its processes, since a child inherits what the postmaster listens on.
    my @sockets = map { sockets($_) } $postmaster, PosTest::children($postmaster);
    my @inet = map { $listens{$_} ? "$listens{$_}[1] of $one->{state}" : () } @sockets;
    is("@inet", '', 'no process of it listens on a TCP port');
    my ($http) = grep { $listens{$_} } map { sockets($_) } $one->workers;
    is(($listens{$http // ''} || [])->[1], '127.0.0.1:' . $one->{port}, 'as nginx is seen to do in the same way');
    is($one->sql(q{select setting = '' from pg_settings where name = 'listen_addresses'}), 't', 'its setting says so too');
    is((stat $socket)[2] & 077, 0, 'the socket is for its owner only');
    is((stat "$one->{state}/run")[2] & 077, 0, 'and so is its folder');
    is((stat "$one->{state}/$_")[2] & 077, 0, "$_ is closed to others") for qw(pg replica spool tmp);
    SKIP: {
        skip 'only root can be somebody else', 2 if $>;
        my @psql = ('psql', '-XAt', '-h', "$one->{state}/run", '-U', 'pos_super', '-d', 'pos', '-c', 'select 42');
        like(PosTest::command_output(PosTest::service_user(), @psql), qr/^42$/, 'the service user gets in');
        like(PosTest::command_output('setpriv', '--reuid', 'nobody', '--clear-groups', @psql), qr/Permission denied/, 'another user does not');
    }
};

for my $name (qw(posd postgres)) {
    my $pid = $one->pid($name);
    $one->kill9($pid);
    ok($one->wait_for("$name again", 15, sub { my $p = $one->pid($name); $p && $p != $pid && PosTest::alive($p) }), "$name is started again when it dies");
}
ok($one->wait_for('ready', 15, sub { $one->get('/healthz', key => undef)->{body} =~ /"ready": ?true/ }), 'and all is ready');

@pids = grep { defined } map { $one->pid($_) } qw(nginx posd postgres watch);
is($one->stop, 0, 'stop');
is(scalar(grep { PosTest::alive($_) } @pids), 0, 'ends all of it');
is($one->stop, 0, 'stop again does no harm');
is($one->build_sh('status'), 3, 'status says that it is stopped');
is($two->get('/healthz', key => undef)->{status}, 200, 'the other goes on');
is($one->build_sh('start'), 0, 'and it starts again from what it kept');
is($one->quote({ lines => PosTest::lines('TEA', 1) })->{status}, 200, 'with its book and keys');

for my $folder ('my shop', 'a;b', 'c{d', 'e,f') {
    my $out = PosTest::command_output('env', "POS_DIR=/tmp/pos-t-$$/$folder", 'POS_SKIP_BUILD=1', "$PosTest::ROOT/build.sh", 'start');
    like($out, qr/^build\.sh: the path \S.*\Q$folder\E has a space or a sign/, "a folder \"$folder\" is refused in plain words");
    isnt($?, 0, 'and nothing is started');
}

{
    my $taken = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0);
    my ($port, $dir) = ($taken->sockport, "/tmp/pos-t-$$-taken");
    my $out = PosTest::command_output('env', "POS_PORT=$port", "POS_DIR=$dir", 'POS_SKIP_BUILD=1', "POS_BUILD=$PosTest::BUILD", "$PosTest::ROOT/build.sh", 'start');
    isnt($?, 0, 'a port that is taken');
    is($out, "build.sh: port $port is taken by another program; take another one: POS_PORT=" . ($port + 1) . " ./build.sh start\n", 'is told, and what to do');
    ok(!-e "$dir/pg/PG_VERSION", 'and nothing is started');
    File::Path::remove_tree($dir);
}

SKIP: {
    skip 'not root: everything here ran as an ordinary user already', 2 if $>;
    my $port = PosTest::free_port();
    my $dir  = "/tmp/pos-t-$$-user";
    my $user = 'nobody';
    mkdir $dir;
    chown scalar(getpwnam $user), -1, $dir;
    my %env = (POS_PORT => $port, POS_DIR => "$dir/state", POS_SKIP_BUILD => 1, POS_PG_NOSYNC => 1, POS_BUILD => $PosTest::BUILD, HOME => $dir);
    my @as = ('setpriv', '--reuid', $user, '--clear-groups', 'env', (map { "$_=$env{$_}" } sort keys %env), "$PosTest::ROOT/build.sh");
    my $out = PosTest::command_output(@as, 'start');
    SKIP: {
        skip 'the checkout is not readable to an ordinary user', 2 if $out =~ /Permission denied/ && $out !~ /ready/;
        like($out, qr/is ready at/, 'an ordinary user starts it') or diag($out);
        PosTest::command_output(@as, 'stop');
        is($?, 0, 'and stops it');
    }
    File::Path::remove_tree($dir);
}

done_testing;

# Every TCP and UDP socket that waits for somebody: [inode, address].
sub listening {
    my @found;
    for my $kind (qw(tcp tcp6 udp udp6)) {
        for my $line (split /\n/, PosTest::slurp("/proc/net/$kind") // '') {
            my ($address, $port, $state, $inode) = $line =~ /^\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) \S+ \S+ \S+\s+\d+\s+\d+ (\d+)/ or next;
            next if $kind =~ /^tcp/ && $state ne '0A';
            my $ip = length $address == 8 ? join('.', reverse map { hex } $address =~ /../g) : "[$address]";
            push @found, [$inode, "$ip:" . hex $port];
        }
    }
    return @found;
}

# The inodes of a process's sockets.
sub sockets {
    my ($pid) = @_;
    return map { (readlink($_) // '') =~ /^socket:\[(\d+)\]/ ? $1 : () } glob "/proc/$pid/fd/*";
}
