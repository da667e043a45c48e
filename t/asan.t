#!/usr/bin/perl
# Tests that others have passed, again with nginx and posd under the address and
# undefined-behaviour sanitizers. Built once into build-asan; POS_ASAN=0 leaves it out.
# POS_ASAN=all (./build.sh soak) adds those that attack, kill and take things away.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;
use Time::HiRes qw(time);

my $which = $ENV{POS_ASAN} // 1;
plan skip_all => 'POS_ASAN=0' if $which eq '0';

my $out = PosTest::command_output("$PosTest::ROOT/build.sh", 'asan');
my ($nginx) = $out =~ m{^(/\S+/nginx)$}m;
my ($posd)  = $out =~ m{^(/\S+/posd)$}m;
plan skip_all => "no nginx with sanitizers: $out" if $out =~ /source is not to be had/;
die "nothing to run under sanitizers was built: $out\n" if !$nginx || !-x $nginx || !$posd;

$ENV{POS_NGINX}        = $nginx;
$ENV{POS_NGINX_MODULE} = '';
$ENV{POS_POSD}         = $posd;
my @tests = qw(quote bad_input lua_sandbox watchdog transport);
push @tests, qw(contract_abuse contract_steps attack down kill9 events spool reload disk_full) if $which eq 'all';
for my $test (@tests) {
    my $began = time;
    my $said = PosTest::command_output($^X, "-I$FindBin::Bin/lib", "$FindBin::Bin/$test.t");
    my @bad = grep { /^\s*not ok|Sanitizer|runtime error|bad log line/ } split /\n/, $said;
    push @bad, grep { /^\s*#(?! Subtest)/ } split /\n/, $said if $? || @bad;
    ok(!$? && !@bad, sprintf '%s.t under the sanitizers (%.0f s)', $test, time - $began)
        or diag(join "\n", @bad[0 .. ($#bad < 30 ? $#bad : 30)], "exit $?");
}
done_testing;
