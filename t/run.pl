#!/usr/bin/perl
# Runs every test there is under one prove: unit executables, SQL, engine cases, style,
# end to end. What build.sh test calls. With arguments: only those files.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(remove_tree);

my $root  = abs_path(dirname(__FILE__) . '/..');
my $build = $ENV{POS_BUILD} || "$root/build";
my $template;

chdir $root;
exit main(@ARGV);

sub main {
    my (@only) = @_;
    my @files = @only ? @only : all_tests();
    $template = make_template() if grep { m{(?:^|/)t/[^/]+\.t$} } @files;
    $ENV{POS_TEMPLATE} = $template if $template;
    $ENV{POS_BUILD}    = $build;
    # What measures time or kills processes runs alone; of the rest one more at a time than there
    # are processors, since much of it waits.
    my @rules = map { "seq=$_" } grep { m{(?:kill9|publish|down|ready|reload|bulk)\.t$} } @files;
    my @jobs  = @only == 1 ? ('-v') : ('-j' . (1 + processors()), map { ('--rules', $_) } @rules, 'par=**');
    my $code = run('prove', '--timer', '-I', "$root/t/lib", @jobs, @files);
    clean();
    return $code;
}

sub all_tests {
    return (
        sort(grep { -x && -f } glob("$build/t/*")),
        sort(glob 'sql/t/*.t'), sort(glob 'engine/t/*.t'), sort(glob 'api/t/*.t'),
        sort(glob 't/*.t'),
    );
}

# One instance with the sample loaded, made once: each test starts from a copy of its
# cluster, which takes a tenth of the time that migrating and importing takes.
sub make_template {
    my $dir = "/tmp/pos-template-$$";
    local $ENV{POS_DIR}         = $dir;
    local $ENV{POS_PORT}        = free_port();
    local $ENV{POS_SKIP_BUILD}  = 1;
    local $ENV{POS_PG_NOSYNC}   = 1;
    local $ENV{POS_BUILD}       = $build;
    $template = $dir;
    my $code = run_quiet("$root/build.sh", 'start');
    run('./build.sh', 'stop');
    if ($code) {
        clean();
        die "the sample retailer does not start, so nothing else can be tested\n";
    }
    return $dir;
}

sub run_quiet {
    my (@command) = @_;
    open my $out, '>&', \*STDOUT or die;
    open STDOUT, '>', '/dev/null' or die;
    my $code = run(@command);
    open STDOUT, '>&', $out or die;
    return $code;
}

sub run {
    my (@command) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) { exec @command or die "$command[0]: $!" }
    local $SIG{INT}  = 'IGNORE';
    local $SIG{TERM} = sub { kill 'TERM', $pid };
    waitpid $pid, 0;
    return $? >> 8 || ($? & 127 ? 1 : 0);
}

sub processors {
    chomp(my $n = qx{nproc});
    return $n =~ /^\d+$/ && $n > 1 ? $n : 1;
}

sub free_port {
    require IO::Socket::INET;
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1', LocalPort => 0) or die "port: $!";
    return $s->sockport;
}

sub clean {
    return if !$template || !-d $template;
    remove_tree(abs_path($template));
    unlink $template;
    undef $template;
    return;
}
