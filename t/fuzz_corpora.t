#!/usr/bin/perl
# What fuzzers have found, once more: every input of t/fuzz/corpus, and each shipped
# promotion, as files of their target. (`./build.sh fuzz` looks for more.)

use strict;
use warnings;

use FindBin;
use Test::More;

my $root  = "$FindBin::Bin/..";
my $build = $ENV{POS_BUILD} || "$root/build";
my @names = sort map { m{/fuzz_(\w+)\.c$} } glob "$root/t/fuzz/fuzz_*.c";
die "no $build/once: make unit" if !-d "$build/once";

for my $name (@names) {
    my @files = (sort(glob "$root/t/fuzz/corpus/$name/*"), $name eq 'script' ? sort glob "$root/scripts/promotions/*.lua" : ());
    cmp_ok(scalar @files, '>', 3, "$name: a corpus") or next;
    # Each is named before it is tried: the last is what broke.
    my @said = qx{'$build/once/fuzz_$name' @files 2>&1};
    is($?, 0, "$name: ${\ scalar @files} inputs") or diag(@said > 30 ? @said[-30 .. -1] : @said);
    is(scalar(grep { m{/corpus/|\.lua$} } @said), scalar @files, "$name: all of them were read");
}
done_testing;
