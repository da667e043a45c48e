#!/usr/bin/perl
# What a quote costs, in instructions counted by callgrind, against what is recorded
# in cost.json: it fails where a common case grew by over a tenth, or where promotions
# that cannot apply cost anything. After a change that is meant to cost or to save,
# POS_RECORD=1 writes the file anew.
#
# Another compiler or library makes other instructions: recorded are those of one, and
# elsewhere the test is skipped.

use strict;
use warnings;
use FindBin qw($Bin);
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $calc = ($ENV{POS_BUILD} // "$Bin/../../build") . '/poscalc';
my $file = "$Bin/cost.json";
my $more = 0.10;
my $flat = 0.15;

die "no $calc: build first" if !-x $calc;
die "valgrind is not installed: apt-get install valgrind\n" if !grep { -x "$_/valgrind" } split /:/, $ENV{PATH} // '';

my $json = JSON::PP->new->canonical->pretty->indent_length(1);
my $dir  = tempdir(CLEANUP => 1);
my $made = made_by();
my $recorded = -e $file ? $json->decode(slurp($file)) : { made_by => '', costs => {} };
plan skip_all => "the figures are of $recorded->{made_by}, and this is $made" if !$ENV{POS_RECORD} && $made ne $recorded->{made_by};

my @lines = (1, 10, 50, 200);
my @books = ([0, 0], [10, 0], [10, 5], [100, 0], [100, 5], [100, 20], [1000, 0], [1000, 5], [1000, 20]);
my %cost;

for my $pair (@books) {
    my ($live, $applicable) = @$pair;
    my @costs = costs($live, $applicable);
    is(scalar @costs, 2 * @lines, "$live promotions, $applicable apply: each quote is counted") or next;
    # Each cart twice: the first warms up.
    $cost{"$lines[$_] lines, $live promotions, $applicable apply"} = $costs[ 2 * $_ + 1 ] for 0 .. $#lines;
}

if ($ENV{POS_RECORD}) {
    open my $f, '>', $file or die "$file: $!";
    print $f $json->encode({ made_by => $made, costs => \%cost });
    close $f;
    diag "recorded in $file";
}

for my $case (sort keys %cost) {
    my $was = $recorded->{costs}{$case} or next;
    my $by = $cost{$case} / $was - 1;
    ok($by <= $more, sprintf '%s: %d instructions, %+.1f %%', $case, $cost{$case}, 100 * $by);
    diag sprintf '%s: %d instructions were %d; POS_RECORD=1 if that is meant', $case, $cost{$case}, $was if $by < -$more;
}
ok(!grep({ !$recorded->{costs}{$_} } keys %cost) || $ENV{POS_RECORD}, 'each case is recorded');

for my $lines (@lines) {
    for my $applicable (0, 5) {
        my ($few, $many) = map { $cost{"$lines lines, $_ promotions, $applicable apply"} // 0 } 10, 1000;
        ok($few > 0 && $many <= (1 + $flat) * $few, sprintf '%d lines, %d apply: a thousand promotions cost %+.1f %% on ten', $lines, $applicable,
            100 * ($many / ($few || 1) - 1));
    }
}

done_testing();


sub slurp {
    my ($path) = @_;
    open my $f, '<', $path or die "$path: $!";
    local $/;
    return <$f>;
}

# The compiler, the system and the processor's kind.
sub made_by {
    my $gcc = qx{gcc -dumpfullversion -dumpmachine 2>/dev/null};
    $gcc =~ s/\s+/ /g;
    my $debian = -e '/etc/debian_version' ? slurp('/etc/debian_version') =~ s/\..*//sr : '';
    my $vector = slurp('/proc/cpuinfo') =~ /\bavx2\b/ ? 'avx2' : '';
    return "Debian $debian, gcc $gcc$vector";
}

# Instructions of each answer: two of each cart.
sub costs {
    my ($live, $applicable) = @_;
    spurt('book.json', JSON::PP->new->canonical->encode(book($live, $applicable)));
    spurt('requests', join '', map { my $cart = JSON::PP->new->canonical->encode(cart($_)); "$cart\n" x 2 } @lines);
    unlink glob "$dir/counts*";
    my $rc = system "valgrind --tool=callgrind --collect-atstart=no --toggle-collect=pos_calc_answer --dump-after=pos_calc_answer"
        . " --callgrind-out-file=$dir/counts $calc --book $dir/book.json < $dir/requests > $dir/answers 2> $dir/valgrind";
    if ($rc != 0) { diag slurp("$dir/valgrind"); return }
    my @quotes = map { JSON::PP->new->decode($_) } split /\n/, slurp("$dir/answers");
    my @used = map { scalar @{ $_->{promotions} || [] } } @quotes;
    is_deeply(\@used, [($applicable) x @used], "$live promotions, $applicable apply: just those are used");
    my @costs;
    for my $part (sort { ($a =~ /(\d+)$/)[0] <=> ($b =~ /(\d+)$/)[0] } glob "$dir/counts.*") {
        push @costs, $1 if slurp($part) =~ /^(?:totals|summary): (\d+)/m && $1 > 0;
    }
    return @costs;
}

sub spurt {
    my ($name, $text) = @_;
    open my $f, '>', "$dir/$name" or die $!;
    print $f $text;
    close $f;
    return;
}

sub cart {
    my ($lines) = @_;
    return { currency => 'GBP', store => 'london', channel => 'web', at => '2026-03-02T12:00:00Z',
        lines => [map { { id => "$_", sku => "S$_", quantity => $_ == 1 ? 3 : 1 + $_ % 2 } } 1 .. $lines] };
}

# Those that apply touch any cart with three of the first product; the others lack theirs.
sub book {
    my ($live, $applicable) = @_;
    my @effects = (
        { class => 'line', then => [{ percent_off => 5, items => { sku => [qw(S1 S2)] } }] },
        { class => 'order', when => { subtotal => { min => 100 } }, then => [{ amount_off => 100 }] },
        { class => 'line', then => [{ tiers => [{ quantity => 2, percent_off => 3 }, { quantity => 5, percent_off => 6 }], items => { sku => [qw(S1 S3)] } }] },
        { class => 'line', then => [{ percent_off => 2, items => { brand => ['b1'] } }] },
        { class => 'line', then => [{ buy => [{ items => { sku => ['S1'] }, quantity => 2 }], get => [{ items => { sku => ['S1'] }, quantity => 1, percent_off => 50 }] }] },
    );
    return {
        retailer    => { code => 'cost', currency => 'GBP', timezone => 'UTC', points_per => 100 },
        stores      => [{ code => 'london', tax_region => 'GB' }],
        categories  => [{ code => 'all' }, map { { code => "cat$_", parent => 'all' } } 0 .. 9],
        products    => [map { { sku => "S$_", name => "Product $_", categories => ['cat' . $_ % 10], brand => 'b' . $_ % 50, tax_category => 'standard' } } 1 .. 250],
        price_lists => [{ code => 'base', currency => 'GBP', tax_included => JSON::PP::true }],
        prices      => [map { { sku => "S$_", list => 'base', amount => 500 + $_ * 37 % 4000 } } 1 .. 250],
        taxes       => [{ region => 'GB', category => 'standard', code => 'vat', percent => 20 }],
        promotions  => [
            (map { my $kind = $_ >= 5 && $_ % 5 == 4 ? 0 : $_ % 5; { id => "p$_", name => "Promotion $_", %{ $effects[$kind] } } } 0 .. $applicable - 1),
            (map { { id => "o$_", name => "Other $_", class => 'line', then => [{ percent_off => 5 + $_ % 20, items => { sku => ['S' . (201 + $_ % 50)] } }] } } $applicable .. $live - 1),
        ],
    };
}
