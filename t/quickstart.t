#!/usr/bin/perl
# A newcomer follows docs/quickstart.md: every command block works, in its order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos  = PosTest->start;
my $text = PosTest::slurp("$PosTest::ROOT/docs/quickstart.md");
# What the page keeps in /tmp is the test's own: another user may have been here.
$text =~ s{/tmp/}{$pos->{dir}/}g;
my $script = ("set -euo pipefail\ncd '$PosTest::ROOT'\n");
my $n = 0;

while ($text =~ /^```\w+(?: ([^\n]*))?\n(.*?)^```$/gms) {
    my ($info, $block) = ($1 // '', $2);
    next if $info eq 'skip';
    if ($info =~ /^file=(\S+)/) { PosTest::spurt($1, $block); next }
    $n++;
    $script .= "$block\necho; echo \"=== $n done\"\n";
}
cmp_ok($n, '>=', 8, 'the quickstart has commands');
PosTest::spurt("$pos->{dir}/quickstart.sh", $script);
{
    local $ENV{POS_PORT} = $pos->{port};
    local $ENV{POS_DIR}  = $pos->{dir};
    my $out  = PosTest::command_output('bash', "$pos->{dir}/quickstart.sh");
    my $code = $? >> 8;
    my ($last) = $out =~ /.*=== (\d+) done/s;
    is($code, 0, 'all blocks of the quickstart succeed') or diag("stopped after block " . ($last // 0) . ":\n" . substr($out, -1500));
    like($out, qr/"total": ?520\b/, 'the lunch deal is 5.00 and a deposit');
    like($out, qr/tea-and-biscuits/, 'the promotion written in the quickstart is at work');
}

# The first curl that start prints shows a Lua promotion at work.
$pos->build_sh('start');
my ($curl) = $pos->{output} =~ /^(curl .*?\]\}')$/ms;
ok($curl, 'start prints a first curl') or diag($pos->{output});
my $first = PosTest::parse(PosTest::command_output('bash', '-c', $curl // 'true')) || {};
ok((grep { $_->{id} eq 'open-box' } @{ $first->{promotions} || [] }), 'which a Lua promotion discounts')
    or diag(PosTest::json($first));

done_testing;
