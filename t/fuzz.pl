#!/usr/bin/perl
# Runs the fuzzers of a folder, POS_FUZZ_SECONDS (60) each, POS_FUZZ_JOBS (1) at a time, or
# those that are named. Each begins with its corpus in t/fuzz/corpus and goes on with what
# it found before, beside the fuzzers; what breaks one is left there too. With POS_FUZZ_KEEP=1
# what was found is made small, and a corpus of it, for t/fuzz_corpora.t to go on trying.

use strict;
use warnings;

use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use FindBin;

my ($folder, @names) = @ARGV or die "usage: fuzz.pl FOLDER [NAME...]\n";
my $seconds = $ENV{POS_FUZZ_SECONDS} || 60;
my $jobs    = $ENV{POS_FUZZ_JOBS} || 1;
my $root    = "$FindBin::Bin/..";
my %largest = (book => 2200, json => 500, lua => 600, promotion => 600, quote => 600, return => 4000, schema => 500, script => 1500, zone => 4000);    # bytes, of what is kept
my $bad     = 0;

@names = sort map { m{/fuzz_(\w+)\.c$} } glob "$root/t/fuzz/fuzz_*.c" if !@names;
my %running;
for my $name (@names) {
    die "there is no fuzzer $name\n" if !-x "$folder/fuzz_$name";
    finish() while keys %running >= $jobs;
    start($name);
}
finish() while %running;
if ($ENV{POS_FUZZ_KEEP}) { keep($_) for @names }
exit($bad ? 1 : 0);

sub start {
    my ($name) = @_;
    make_path("$folder/corpus/$name");
    my @seeds = grep { -d } "$root/t/fuzz/corpus/$name", $name eq 'script' ? "$root/scripts/promotions" : ();
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        exec "$folder/fuzz_$name", "-max_total_time=$seconds", '-timeout=30', '-rss_limit_mb=4096', '-max_len=12000', '-print_final_stats=1',
            "-artifact_prefix=$folder/$name-", "$folder/corpus/$name", @seeds or die "$name: $!";
    }
    $running{$pid} = $name;
    return;
}

sub finish {
    my $pid = waitpid -1, 0;
    my $name = delete $running{$pid} // return;
    print "fuzz_$name: ", $? ? 'FAILED' : 'ok', "\n";
    $bad++ if $?;
    return;
}

# The fewest small inputs that run as much of the program as all of them.
sub keep {
    my ($name) = @_;
    my ($small, $kept) = ("$folder/small/$name", "$root/t/fuzz/corpus/$name");
    remove_tree($small);
    make_path($small, $kept);
    for my $file (glob("$folder/corpus/$name/* $kept/*")) {
        my ($as) = $file =~ m{([^/]+)$};
        copy($file, "$small/$as") or die "$file: $!" if -s $file <= $largest{$name};
    }
    my $out = "$small-kept";
    remove_tree($out);
    make_path($out);
    system("$folder/fuzz_$name", '-set_cover_merge=1', '-use_counters=0', '-max_len=12000', $out, $small) == 0 or die "$name does not merge\n";
    unlink glob "$kept/*";
    for my $file (glob "$out/*") {
        my ($as) = $file =~ m{([^/]{1,12})[^/]*$};
        copy($file, "$kept/$as") or die "$file: $!";
    }
    return;
}
