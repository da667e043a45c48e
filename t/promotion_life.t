#!/usr/bin/perl
# Every command of docs/promotion-life.md works, in its order.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos    = PosTest->start;
my $text   = PosTest::slurp("$PosTest::ROOT/docs/promotion-life.md");
my $script = "set -euo pipefail\ncd '$PosTest::ROOT'\n";
my $n      = 0;
while ($text =~ /^```sh\n(.*?)^```$/gms) {
    $n++;
    $script .= "$1\necho \"=== $n done\"\n";
}
cmp_ok($n, '>=', 6, 'the page has commands');
PosTest::spurt("$pos->{dir}/life.sh", $script);
{
    local $ENV{POS_PORT} = $pos->{port};
    local $ENV{POS_DIR}  = $pos->{dir};
    my $out = PosTest::command_output('bash', "$pos->{dir}/life.sh");
    is($? >> 8, 0, 'all of them succeed') or diag(substr $out, -3000);
    like($out, qr/=== $n done/, 'to the last');
}
is($pos->get('/v1/promotions/kettles')->{json}{state}, 'archived', 'and leave nothing live');

done_testing;
