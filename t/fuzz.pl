#!/usr/bin/perl
# Runs the fuzzers given by their folder, POS_FUZZ_SECONDS (60) each, from seeds taken of
# the shipped promotions and the sample book. What crashes is left beside the fuzzer.

use strict;
use warnings;

use Cpanel::JSON::XS;
use File::Path qw(make_path);
use FindBin;

my ($folder) = @ARGV or die "usage: fuzz.pl FOLDER\n";
my $seconds = $ENV{POS_FUZZ_SECONDS} || 60;
my $root    = "$FindBin::Bin/..";
my $json    = Cpanel::JSON::XS->new->utf8->canonical;
my %seeds   = (
    fuzz_quote => [map { $json->encode($_) } carts()],
    fuzz_return => [map { slurp($_) } glob "$root/t/fuzz/corpus/return/*"],
    fuzz_promotion => [map { $json->encode($_) } @{ decode_json(slurp("$root/scripts/sample/promotions.json"))->{promotions} }],
    fuzz_json => [map { slurp($_) } glob "$root/t/fuzz/corpus/json/*"],
    fuzz_schema => [map { slurp($_) } glob "$root/t/fuzz/corpus/schema/*"],
    fuzz_zone => [map { -f "/usr/share/zoneinfo/$_" ? slurp("/usr/share/zoneinfo/$_") : () } qw(Europe/London Australia/Lord_Howe UTC Africa/Casablanca)],
    fuzz_script => [map { slurp($_) } glob("$root/scripts/promotions/*.lua"), glob("$root/t/fuzz/corpus/script/*")],
);
my $bad = 0;

for my $name (sort keys %seeds) {
    my $corpus = "$folder/corpus/$name";
    make_path($corpus);
    my $n = 0;
    for my $seed (@{ $seeds{$name} }) {
        open my $f, '>:raw', "$corpus/seed" . $n++ or die "$corpus: $!";
        print $f $seed;
        close $f;
    }
    my $pid = fork // die "fork: $!";
    if (!$pid) { exec "$folder/$name", "-max_total_time=$seconds", '-timeout=10', '-rss_limit_mb=4096', "-artifact_prefix=$folder/", $corpus or die "$name: $!" }
    waitpid $pid, 0;
    print "$name: ", $? ? 'FAILED' : 'ok', "\n";
    $bad++ if $?;
}
exit($bad ? 1 : 0);

sub carts {
    return (
        { currency => 'GBP', store => 's', channel => 'web', lines => [{ id => '1', sku => 'A', quantity => 3 }, { id => '2', sku => 'B', quantity => 0.354 }] },
        { currency => 'GBP', store => 's', channel => 'pos', at => '2026-01-01T00:00:00Z', coupons => ['C'], shipping => { method => 'm', amount => 5 }, compare => { total => 1 },
            lines => [{ id => '1', sku => 'A', quantity => 1, discount => { percent => 5, reason => 'r' }, price_override => { amount => 5, reason => 'r' } }] },
    );
}

sub slurp { my ($path) = @_; open my $f, '<:raw', $path or die "$path: $!\n"; local $/; return scalar <$f> }
