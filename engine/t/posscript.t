#!/usr/bin/perl
# posscript, which loads promotions' files as nginx would: what it says of good ones and,
# by file, line and column, of bad ones, alone or rehearsed.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use Test::More;

my $program = ($ENV{POS_BUILD} || "$FindBin::Bin/../../build") . '/posscript';
die "no $program: build first" unless -x $program;
my $dir = tempdir(CLEANUP => 1);

sub file {
    my ($name, $text) = @_;
    open my $f, '>', "$dir/$name" or die "$name: $!";
    print $f $text;
    close $f or die "$name: $!";
    return "$dir/$name";
}

sub run {
    my (@args) = @_;
    my $out = qx{'$program' @args 2>$dir/err};
    my $code = $? >> 8;
    open my $f, '<', "$dir/err" or die $!;
    local $/;
    my $err = <$f> // '';
    $err =~ s/\Q$dir\E\///g;
    return ($code, $out, $err);
}

my $two = file('two.lua', "return {\n promotion { id = 'a', class = 'order', effects = { { amount_off = 1 } } },\n"
    . " promotion { id = 'b', class = 'line', apply = function(cart) cart:items({}):percent_off(5) end,\n  cases = { { cart = { lines = { { sku = 'S', price = 100 } } }, expect = { total = 95 } } } },\n}\n");
my ($code, $out, $err) = run($two);
my @promotions = map { decode_json($_) } split /\n/, $out;
is_deeply([ $code, $err, map { $_->{id} } @promotions ], [ 0, '', 'a', 'b' ], 'a line for each promotion of a file');
is_deeply([ map { $_->{code} ? 1 : 0 } @promotions ], [ 0, 1 ], 'which says whether it is code');
is_deeply([ map { scalar @{ $_->{cases} } } @promotions ], [ 0, 1 ], 'with its cases');

my $syntax = file('syntax.lua', "return promotion {\n id = = 'a' }\n");
my $field  = file('field.lua', "return promotion {\n id = 'a', class = 'order',\n  effects = { { amount_of = 1 } } }\n");
($code, $out, $err) = run($syntax, $two);
is($code, 1, 'one bad file of two is a failure');
like($err, qr/^syntax\.lua:2:\d+: script_syntax: /, 'told with its line');
is(scalar(my @lines = split /\n/, $out), 2, 'and the good one is there');

($code, $out, $err) = run('--rehearse', $field);
is($code, 1, 'a field that is none');
like($err, qr/field\.lua:3:\d+: unknown_field/, 'is found by a rehearsal, with its line') or diag($err);

my $wrong = file('wrong.lua', "return promotion { id = 'a', class = 'line',\n apply = function(cart)\n  cart:items({}):percent_off(5)\n end,\n"
    . " cases = { { name = 'ten', cart = { lines = { { sku = 'S', price = 100 } } }, expect = { total = 90 } } } }\n");
($code, $out, $err) = run('--rehearse', $wrong);
is($code, 1, 'a case that does not come to what it says');
like($err, qr/^wrong\.lua:\d+:0: case_failed: .*90/m, 'is told with what was expected') or diag($err);

my $fails = file('fails.lua', "return promotion { id = 'a', class = 'line',\n apply = function(cart)\n  local x = nil + 1\n end }\n");
($code, $out, $err) = run('--rehearse', $fails);
is($code, 1, 'a script that fails when it runs');
like($err, qr/^fails\.lua:3:0: script_error: .*\n {2,}?\{.*"lines"/m, 'is told with its line and the cart') or diag($err);

my $never = file('never.lua', "return promotion { id = 'a', class = 'order', when = { store = { 'nowhere' } },\n active = { untill = 1 }, effects = { { amount_off = 1 } } }\n");
($code, $out, $err) = run('--rehearse', $never);
is($code, 1, 'another slip') and like($err, qr/untill/, 'is named');

($code, $out, $err) = run("$dir/none.lua");
is($code, 1, 'a file that is not there');
like($err, qr/none\.lua: No such file/, 'is said');
($code, $out, $err) = run();
like("$code $err", qr/^2 usage: posscript \[--rehearse\] FILE\.lua \.\.\.\n/, 'without files it says how');
for my $option ('--help', '-x') {
    ($code, undef, $err) = run($option);
    like("$code $err", qr/^2 usage: posscript /, "and with $option, which is no file");
}
done_testing;
