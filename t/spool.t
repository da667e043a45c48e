#!/usr/bin/perl
# A worker is killed in the middle of an upload. What it had of the body is removed by the
# worker that takes its place; what another is just reading stays, and becomes an import.
# A spool that no body can be moved to is refused at the start.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos  = PosTest->start(workers => 2);
$pos->expect_log(qr/exited on signal 9/);
my $body = "$pos->{state}/spool/body";
my $book = PosTest::slurp("$PosTest::BUILD/sample.json") . ' ' x 300_000;

is_deeply([files()], [], 'no body is there');
my ($first, $file, $worker) = half_upload();
$pos->kill9($worker);
ok($pos->wait_for('the sweep', 15, sub { !-e $file }), 'the body of a killed worker is removed');
close $first;

subtest 'what is being read stays' => sub {
    my ($second, $live, $reader) = half_upload();
    plant($_) for 1 .. 700;
    PosTest::spurt("$body/kept.txt", 'not nginx\'s');
    my ($other) = grep { $_ != $reader } $pos->workers;
    $pos->kill9($other);
    ok($pos->wait_for('the sweep', 15, sub { files() == 1 }), 'hundreds that nobody reads are removed');
    is_deeply([files()], [$live], 'all but the one');
    ok(-e "$body/kept.txt", 'and nothing else');
    PosTest::send_all($second, substr($book, 250_000), 10);
    my $r = PosTest::read_answer($second, 'POST', 20);
    is($r->{status}, 202, 'its upload goes on') or diag($r->{body});
    is($pos->wait_job($r->{headers}{location}, 60)->{json}{status}, 'succeeded', 'and is imported');
    is_deeply([files()], [], 'then none is left');
};

subtest 'another file system' => sub {
    my ($here, $there) = map { (stat $_)[0] } $pos->{state}, '/dev/shm';
    plan skip_all => 'there is no other file system to try' if !$there || $here == $there;
    my $conf = PosTest::slurp("$pos->{state}/nginx.conf");
    $conf =~ s{pos_spool \S+;}{pos_spool /dev/shm/pos-no-such;} or die 'no pos_spool';
    PosTest::spurt("$pos->{state}/other.conf", $conf);
    my $binary = $ENV{POS_NGINX} ? "$pos->{state}/lib/nginx" : '/usr/sbin/nginx';
    my $said = PosTest::command_output(PosTest::service_user(), $binary, '-t', '-e', '/dev/null', '-p', $pos->{state}, '-c', "$pos->{state}/other.conf");
    isnt($?, 0, 'is refused');
    like($said, qr/client_body_temp_path.*on another file system than "pos_spool" \/dev\/shm/, 'by name') or diag($said);
};
done_testing;

sub files { return grep { -f && m{/\d+\z} } glob "$body/*" }

# As nginx would have left it, under a number it does not come to.
sub plant {
    my ($n) = @_;
    my $path = sprintf "%s/9%09d", $body, $n;
    PosTest::spurt($path, 'x');
    my ($uid, $gid) = (stat $body)[4, 5];
    chown $uid, $gid, $path or die "$path: $!";
    return;
}

# Enough of an import for nginx to have put it into a file: the connection, the file and
# the worker that reads.
sub half_upload {
    my $socket = $pos->connect;
    my $text   = $pos->request_text('POST', '/v1/imports', body => $book, socket => 1);
    PosTest::send_all($socket, substr($text, 0, 250_000 + length($text) - length $book), 10);
    my ($path, $reader);
    $pos->wait_for('a body in a file', 10, sub {
        for my $pid ($pos->workers) {
            for my $fd (glob "/proc/$pid/fd/*") {
                my $to = readlink $fd // '';
                ($path, $reader) = ($to, $pid) if $to =~ m{^\Q$body\E/\d+\z};
            }
        }
        return $path && -s $path;
    });
    ok($path && -s $path, 'half an upload lies in a file');
    return ($socket, $path, $reader);
}
