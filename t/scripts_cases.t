#!/usr/bin/perl
# The shipped promotions keep what their own cases promise: every script is loaded in the
# sandbox, and each of its cases priced by poscalc against a book made from the case. Each
# script shows a cart that it is for and one that it just is not for.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosCarts qw(encode slurp);
use PosCases qw(quotes differs loaded rehearsed effect_of);
use Test::More;

my $root  = "$FindBin::Bin/..";
my @files = sort glob "$root/scripts/promotions/*.lua";
my (%source, %with, %shape);

cmp_ok(scalar @files, '>=', 36, 'there is a library');
my $with_code = 0;
for my $file (@files) {
    my ($name) = $file =~ m{([^/]+)\.lua$};
    my @promotions = loaded($file);
    my $text = slurp($file);
    utf8::decode($text);
    is(scalar @promotions, 1, "$name loads") or next;
    like($text, qr/\A-- [A-Z].*[.:]\n/, "$name says in one line what it does");
    is($promotions[0]{id}, $name, "$name carries its file's name");
    is(rehearsed($file), '', "$name: a rehearsal finds nothing");
    for my $promotion (@promotions) {
        $with_code += !!$promotion->{code};
        push @{ $with{setting} }, $name if %{ $promotion->{settings} };
        my @without_title = grep { !$promotion->{settings}{$_}{title} } sort keys %{ $promotion->{settings} };
        is("@without_title", '', "$name: a merchandiser is told what each setting is");
        run_cases($promotion, $text);
    }
    $source{$name} = $text =~ s/\n  cases = \{.*//sr;
    push @{ $shape{ shape_of($source{$name}) } }, $name;
}
cmp_ok($with_code, '>=', 20, 'twenty are code');
cmp_ok(scalar @{ $with{setting} }, '==', scalar @files, 'each has settings') or diag("only @{ $with{setting} }");
is(join("\n", map { "@$_" } grep { @$_ > 1 } values %shape), '', 'no two are the same rule with other numbers');

# All that a promotion can say and do is shown by one of them.
for my $word (':where\\(', ':quantity\\(', ':amount\\(', ':distinct\\(', ':cheapest\\(', ':priciest\\(', ':each\\(', ':percent_off\\(', ':amount_off\\(',
    ':unit_price\\(', 'cart:percent_off\\(', 'cart:amount_off\\(', 'cart:shipping_off', 'cart:deal', 'cart:bundle', 'cart:effect', 'cart:gift\\(',
    'cart:points', 'cart:message', 'cart:explain', 're\\.match', 're\\.find', 'json\\.decode', 'setting "', 'limits = ', 'active = ', 'floor = ',
    'stacking = ', 'group = ', 'priority = ', 'coupon = ', 'eligible = ', 'effects = ', 'customer:member\\(', 'after = "line"')
{
    ok((grep { /$word/ } values %source), "$word is used");
}
SKIP: {
    skip 'luacheck is not here', 1 if !grep { -x "$_/luacheck" } split /:/, $ENV{PATH};
    my $said = qx{cd '$root' && luacheck -q --no-color scripts/promotions 2>&1};
    is($? >> 8, 0, 'luacheck finds nothing') or diag($said);
}
done_testing();

sub run_cases {
    my ($promotion, $text) = @_;
    my @cases = @{ $promotion->{cases} };
    cmp_ok(scalar @cases, '>=', 2, "$promotion->{id} has cases");
    my @with    = quotes(map { [$_->{cart}, { id => $promotion->{id}, script => $text, $_->{settings} ? (settings => $_->{settings}) : () }] } @cases);
    my @without = quotes(map { [$_->{cart}] } @cases);
    my %gives;
    for my $i (0 .. $#cases) {
        my @wrong = differs($promotion->{id}, $cases[$i]{expect}, $with[$i]);
        is(join("\n", @wrong), '', "$promotion->{id}: $cases[$i]{name}") or diag(encode($with[$i]));
        $gives{ effect_of($with[$i]) ne effect_of($without[$i]) ? 'yes' : 'no' }++;
    }
    ok($gives{yes} && $gives{no}, "$promotion->{id}: a case where it gives something, and one where it does not");
    return;
}

# A script without its names and numbers.
sub shape_of {
    my ($source) = @_;
    return $source =~ s/--[^\n]*//gr =~ s/"(?:[^"\\]|\\.)*"/""/gr =~ s/\b[\d.]+\b/0/gr =~ s/\s+/ /gr;
}
