#!/usr/bin/perl
# From the 200 of `publish` to every worker quoting by it, under load.

use strict;
use warnings;

use Bench;
use PosTest;

my $pos  = PosTest->start(check_responses => 'off');
my $cart = { lines => PosTest::lines('TEA', 1, 'MUG-RED', 6) };
my @ms   = Bench::publish_delays($pos, rounds => $ENV{POS_ROUNDS} || 200, admin => $pos->key('admin'), shop => $pos->key('storefront'), cart => $cart);
Bench::row('publish to every worker, median', Bench::percentile(50, @ms), 'ms');
Bench::row('publish to every worker, p99', Bench::percentile(99, @ms), 'ms', ['<=', 100]);
Bench::table('Publishing under load, ' . @ms . ' times');
