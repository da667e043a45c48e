#!/usr/bin/perl
# The manifest: the operations that sql/api has functions for, one name a line,
# sorted. nginx starts, and `posd migrate` accepts the database, by it.
#   perl sql/manifest.pl sql/api/*.sql > build/functions.txt
use strict;
use warnings;

my %file;
for my $path (@ARGV) {
    open my $in, '<', $path or die "$path: $!\n";
    while (my $line = <$in>) {
        next unless $line =~ /^\s*create\s+or\s+replace\s+function\s+api\.([a-z0-9_]+)\s*\(\s*request\s+jsonb\s*\)/i;
        die "$path:$.: api.$1 is in $file{$1} already\n" if $file{$1};
        $file{$1} = $path;
    }
}
print "$_\n" for sort keys %file;
