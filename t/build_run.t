#!/usr/bin/perl
# `./build.sh run` in a terminal: it prints a first curl that shows a Lua promotion at work,
# and Ctrl-C, whenever it comes, ends all that it started.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use POSIX ();
use PosTest;
use Test::More;
use Time::HiRes qw(sleep time);

subtest 'a newcomer runs it, tries the curl and presses Ctrl-C' => sub {
    my $pos = PosTest->new;
    my $run = begin($pos);
    ok(said($pos, qr/^curl .*?\]\}'$/ms, 120), 'a first curl is printed') or return diag(said($pos, qr/.*/s));
    $pos->started;
    my ($curl) = said($pos, qr/^(curl .*?\]\}')$/ms);
    my $first = PosTest::parse(PosTest::command_output('bash', '-c', $curl)) || {};
    my ($open_box) = grep { $_->{id} eq 'open-box' } @{ $first->{promotions} || [] };
    ok($open_box, 'its answer names the promotion open-box') or diag(PosTest::json($first));
    ok(-e "$PosTest::ROOT/scripts/promotions/open-box.lua", 'which is a Lua file');
    is($open_box->{amount}, int(0.15 * 2 * 2999 + 0.5), 'and takes the 15 % that are announced');
    my $three = PosTest::parse(PosTest::command_output('bash', '-c', $curl =~ s/"quantity": 2/"quantity": 3/r)) || {};
    is(($three->{promotions}[0] || {})->{amount}, int(0.25 * 3 * 2999 + 0.5), 'at three 25 %, as is announced');
    ok(PosTest::alive($run), 'it stays in the foreground');

    my @started = processes($pos);
    cmp_ok(scalar(@started), '>=', 10, 'nginx, its workers, posd, PostgreSQL and the watcher are its processes') or diag(join "\n", map { name($_) } @started);
    ctrl_c($pos, $run);
    nothing_left($pos, @started);
};

# The watcher is at starting PostgreSQL when Ctrl-C comes: a pipe in place of the file that
# it writes first holds it there. What it then starts must end too.
subtest 'Ctrl-C while what died is being started again' => sub {
    my $pos = PosTest->new;
    my $run = begin($pos);
    ok(said($pos, qr/is ready at/, 120), 'it runs') or return;
    $pos->started;
    my $conf = "$pos->{state}/pg/pos.conf";
    my ($uid, $text) = ((stat $conf)[4], PosTest::slurp($conf));
    PosTest::spurt("$conf.kept", $text);
    POSIX::mkfifo("$conf.pipe", 0600) or die "mkfifo: $!";
    chown $uid, -1, "$conf.kept", "$conf.pipe";
    rename "$conf.pipe", $conf or die "rename: $!";
    my $old = $pos->pid('postgres');
    kill 'KILL', $old;
    my $starting;
    $pos->wait_for('the watcher', 20, sub { ($starting) = grep { name($_) =~ /tee \Q$conf\E/ } processes($pos) });
    ok($starting, 'the watcher is at starting PostgreSQL');
    kill 'INT', -$run;
    ok(!ended($pos, $run, 1), 'run waits for it');
    # PostgreSQL refuses to start while its number is taken, by a zombie even.
    $pos->wait_for('the number to be free', 20, sub { !-e "/proc/$old" });
    open my $pipe, '+<', $conf or die "$conf: $!";
    rename "$conf.kept", $conf or die "rename: $!";
    ok(ended($pos, $run, 90), 'and ends when it is over');
    like($pos->log_text, qr/database system is ready.*database system is ready/s, 'PostgreSQL was started again');
    nothing_left($pos);
};

# At any step of the way up.
for my $moment (['the database is made', qr/creating the database/], ['the sample is loaded', qr/loading the sample/],
    ['posd starts', 'run/posd.pid'], ['nginx starts', 'nginx.conf'])
{
    my ($name, $sign) = @$moment;
    subtest "Ctrl-C when $name" => sub {
        delete local $ENV{POS_TEMPLATE};
        my $pos = PosTest->new;
        my $run = begin($pos);
        my $came = $pos->wait_for($name, 120, sub { ref $sign ? slurp_output($pos) =~ $sign : -e "$pos->{dir}/$sign" });
        ok($came, "it came so far: $name") or diag(slurp_output($pos));
        ctrl_c($pos, $run);
        unlike(slurp_output($pos), qr/is ready at/, 'it did not go on to the end');
        nothing_left($pos);
    };
}

done_testing;

sub begin { my ($pos) = @_; return $pos->build_sh_begin("$pos->{dir}.out", 'run') }

sub slurp_output { my ($pos) = @_; return PosTest::slurp("$pos->{dir}.out") // '' }

# What it has printed that matches, waiting for it.
sub said {
    my ($pos, $pattern, $seconds) = @_;
    my @found;
    $pos->wait_for("$pattern", $seconds // 0, sub { @found = slurp_output($pos) =~ $pattern });
    return wantarray ? @found : scalar @found;
}

# What the terminal does: SIGINT to the foreground process group.
sub ctrl_c {
    my ($pos, $run) = @_;
    kill 'INT', -$run;
    my $ended = ended($pos, $run, 90);
    my $code  = $? >> 8;
    ok($ended, 'Ctrl-C ends it') or return kill 'KILL', -$run;
    return is($code, 130, 'with the code of an interrupt');
}

sub ended {
    my ($pos, $run, $seconds) = @_;
    my $end = time + $seconds;
    until (waitpid($run, POSIX::WNOHANG()) == $run) {
        return 0 if time > $end;
        sleep 0.02;
    }
    return 1;
}

sub nothing_left {
    my ($pos, @started) = @_;
    my @left = grep { PosTest::alive($_) } @started, processes($pos);
    is(join("\n", map { "$_ " . name($_) } @left), '', 'no process is left');
    ok(!$pos->connect, 'nobody listens on its port');
    unlink "$pos->{dir}.out";
    return;
}

# Every process that has to do with this state folder: by its command, its folder, its
# environment, or a program file that it runs.
sub processes {
    my ($pos) = @_;
    my $state = Cwd::abs_path($pos->{dir}) // $pos->{dir};
    my @found;
    for my $pid (map { m{(\d+)$} } glob '/proc/[0-9]*') {
        next if $pid == $$;
        my $all = join "\0", map { $_ // '' } PosTest::slurp("/proc/$pid/cmdline"), PosTest::slurp("/proc/$pid/environ"),
            PosTest::slurp("/proc/$pid/maps"), readlink("/proc/$pid/cwd"), readlink("/proc/$pid/exe");
        push @found, $pid if $all =~ m{\Q$state\E(?![0-9])} || $all =~ m{\Q$pos->{dir}\E(?![0-9])};
    }
    return grep { PosTest::alive($_) } @found;
}

sub name { my ($pid) = @_; return (PosTest::slurp("/proc/$pid/cmdline") // '') =~ tr/\0/ /r }
