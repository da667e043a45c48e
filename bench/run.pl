#!/usr/bin/perl
# Runs the benchmarks one after another and prints their tables. With names: only those.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);

my $here = abs_path(dirname(__FILE__));
my @all  = grep { -e "$here/$_.pl" } qw(engine quotes publish promotions bulk events online_retail backtest);
my @run  = @ARGV ? @ARGV : @all;
my $bad  = 0;

$| = 1;
for my $name (@run) {
    my $script = "$here/$name.pl";
    if (!-e $script) { warn "no benchmark is called $name; there are: @all\n"; $bad++; next }
    my $pid = fork // die "fork: $!";
    if (!$pid) { exec $^X, '-I', "$here/../t/lib", '-I', $here, $script or die "$script: $!" }
    waitpid $pid, 0;
    $bad++ if $?;
}
exit($bad ? 1 : 0);
