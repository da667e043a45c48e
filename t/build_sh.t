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
