#!/usr/bin/perl
# What the engine alone costs, JSON to JSON on one core, by lines, live promotions and
# those of them that apply; and what is asked of it.

use strict;
use warnings;

use Bench;
use PosTest;

my $out = PosTest::command_output("$PosTest::BUILD/poscalc", '--bench');
print "\n### The engine\n\n$out";

my %us;
$us{"$1/$2/$3"} = $4 while $out =~ /^\| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) \|/mg;
die "no table: $out\n" if !%us;

Bench::row('10 lines, 100 promotions, 5 apply', $us{'10/100/5'}, 'µs', ['<=', 8]);
Bench::row('1,000 lines, 100 promotions, 5 apply', $us{'1000/100/5'}, 'µs', ['<=', 1000]);
Bench::row('10 lines, 5 apply: 10,000 promotions to 10', $us{'10/10000/5'} / $us{'10/10/5'}, '', ['<=', 1.15]);
Bench::row('200 lines, 5 apply: 10,000 promotions to 10', $us{'200/10000/5'} / $us{'200/10/5'}, '', ['<=', 1.15]);
Bench::table('What is asked of the engine');
