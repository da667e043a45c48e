#!/usr/bin/perl
# The bad-input, sandbox, watchdog, transport and quote tests again, with nginx under the address and
# undefined-behaviour sanitizers. Built once into build-asan; POS_ASAN=0 leaves it out.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

plan skip_all => 'POS_ASAN=0' if ($ENV{POS_ASAN} // 1) eq '0';

my $out = PosTest::command_output("$PosTest::ROOT/build.sh", 'asan');
my ($nginx) = $out =~ m{^(/\S+/nginx)$}m;
plan skip_all => "no nginx with sanitizers: $out" if !$nginx || !-x $nginx;

$ENV{POS_NGINX}        = $nginx;
$ENV{POS_NGINX_MODULE} = '';
for my $test (qw(quote bad_input lua_sandbox watchdog transport)) {
    my $said = PosTest::command_output($^X, "-I$FindBin::Bin/lib", "$FindBin::Bin/$test.t");
    my @bad = grep { /^\s*not ok|Sanitizer|runtime error|bad log line/ } split /\n/, $said;
    ok(!$? && !@bad, "$test.t under the sanitizers") or diag(join "\n", @bad[0 .. ($#bad < 20 ? $#bad : 20)]);
}
done_testing;
