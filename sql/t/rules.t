#!/usr/bin/perl
# Runs every pgTAP file beside it, each in a transaction that is rolled back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use Cwd qw(abs_path);
use Test::More;
use PosSql;

my $root = abs_path("$FindBin::Bin/../..");
my $sql  = PosSql->start($root);
$sql->query('create extension pgtap');
for my $path (sort glob "$root/sql/t/*.sql") {
    my ($name) = $path =~ m{([^/]+)\.sql\z};
    subtest $name => sub {
        my @lines = split /\n/, $sql->file($path);
        my $seen = 0;
        for my $line (@lines) {
            if ($line =~ /^(not )?ok \d+(?: - )?(.*)/) {
                ok(!$1, $2);
                $seen++;
            } elsif ($line =~ /^#/) {
                diag($line) if $line !~ /^# Looks like you planned/ || 1;
            }
        }
        my ($planned) = map { /^1\.\.(\d+)/ ? $1 : () } @lines;
        is($seen, $planned, 'every planned test ran');
    };
}
done_testing;
