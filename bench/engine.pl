#!/usr/bin/perl
# What the engine alone costs, JSON to JSON on one core, by lines, live promotions and
# those of them that apply; and what is asked of it.

use strict;
use warnings;

use Bench;
use File::Temp qw(tempdir);
use PosTest;
use Time::HiRes qw(time);

my $out = PosTest::command_output("$PosTest::BUILD/poscalc", '--bench');
print "\n### The engine\n\n$out";

my %us;
$us{"$1/$2/$3"} = $4 while $out =~ /^\| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) \|/mg;
die "no table: $out\n" if !%us;

Bench::row('10 lines, 100 promotions, 5 apply', $us{'10/100/5'}, 'µs', ['<=', 8]);
Bench::row('1,000 lines, 100 promotions, 5 apply', $us{'1000/100/5'}, 'µs', ['<=', 1000]);
Bench::row('10 lines, 5 apply: 10,000 promotions to 10', $us{'10/10000/5'} / $us{'10/10/5'}, '', ['<=', 1.15]);
Bench::row('200 lines, 5 apply: 10,000 promotions to 10', $us{'200/10000/5'} / $us{'200/10/5'}, '', ['<=', 1.15]);

# The same rule as data and in Lua; a hundred rules in Lua that all apply; a file as long as may be.
my $dir = tempdir(CLEANUP => 1);
my $data = priced(10, { id => 'd', class => 'line', then => [{ percent_off => 15, items => { sku => ['P3', 'P4'] } }] });
my $lua  = priced(10, lua('l', "local s = cart:items { sku = { 'P3', 'P4' } }\nlocal p = s:quantity() >= 9 and 25 or 15\ns:percent_off(p, 'Off')"));
Bench::row('10 lines: a promotion in Lua, above the same as data', $lua - $data, 'µs', ['<=', 2]);
my $hundred = priced(20, map { lua("l$_", "local s = cart:items { sku = { 'P" . (1 + $_ % 20) . "' } }\nif s:quantity() >= 2 then s:percent_off(" . (5 + $_ % 20) . ", 'Off') end") } 1 .. 100);
Bench::row('20 lines: 100 promotions in Lua, all of which apply', $hundred, 'µs', ['<=', 300]);
Bench::row('a script of 64 KiB loads', loads(), 'ms', ['<=', 5]);
Bench::table('What is asked of the engine');

sub lua {
    my ($id, $body) = @_;
    return { id => $id, script => "return promotion { id = '$id', class = 'line', apply = function(cart)\n$body\nend }" };
}

# Best of five runs, in µs a quote.
sub priced {
    my ($lines, @promotions) = @_;
    my @skus = map { "P$_" } 1 .. $lines;
    PosTest::spurt("$dir/book", PosTest::json({
        retailer => { code => 'r', currency => 'GBP' }, products => [map { { sku => $_, name => $_, tax_category => 's' } } @skus],
        price_lists => [{ code => 'b', currency => 'GBP', tax_included => Cpanel::JSON::XS::true() }], prices => [map { { sku => $_, list => 'b', amount => 1000 } } @skus],
        promotions => \@promotions }));
    PosTest::spurt("$dir/cart", PosTest::json({ currency => 'GBP', at => '2026-03-02T12:00:00Z', lines => [map { { id => $_, sku => $_, quantity => 2 } } @skus] }) . "\n");
    my @us = sort { $a <=> $b } map { qx{'$PosTest::BUILD/poscalc' --book $dir/book --bench 3000 < $dir/cart} =~ /"median_us":([\d.]+)/ ? $1 : die "no figure\n" } 1 .. 5;
    return $us[0];
}

# Fifty times less once, in one process.
sub loads {
    my $body = '';
    for (my $i = 1; length $body < 64_000; $i++) {
        $body .= "    if cart:items { sku = { 'P$i' } }:quantity() >= $i then cart:items { sku = { 'P$i' } }:percent_off(5, 'Off $i') end\n";
    }
    PosTest::spurt("$dir/large.lua", "return promotion { id = 'l', class = 'line', apply = function(cart)\n$body end }\n");
    my @ms = map { my $start = time; PosTest::command_output("$PosTest::BUILD/posscript", ("$dir/large.lua") x $_); die "it does not load\n" if $?; 1000 * (time - $start) } 1, 51;
    return ($ms[1] - $ms[0]) / 50;
}
