#!/usr/bin/perl
# docs/pricing.md and docs/promotions.md say what the engine does: their tables and
# pictures are its answers, their figures stand in those or are worked out from them here,
# their lists have every word that it takes or says, their commands run.
use v5.30;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/../../t/lib", "$Bin/../../docs/carts";
use Carts qw(cart quote words);
use List::Util qw(uniq);
use PosCarts qw(calculator price_all differences broken_invariants encode decode slurp);
use Test::More;

my $root = "$Bin/../..";
die calculator() . ' is not built' if !-x calculator();
binmode $_, ':utf8' for map { Test::More->builder->$_ } qw(output failure_output todo_output);

my %page = map { $_ => text("$root/docs/$_.md") } qw(pricing promotions);
my $out = qx{perl $root/docs/carts/draw.pl --check 2>&1};
is($?, 0, 'the pages show what the engine answers') or diag("$out\ndocs/carts/draw.pl draws them anew");

# ---- the pages' own carts come to the figures that were worked out by hand ----

for my $path (grep { !/words\.json$/ } glob "$root/docs/carts/*.json") {
    my ($name) = $path =~ m{([^/]+)\.json$};
    my $cart = cart($name);
    die "$name expects nothing" if !%{ decode(slurp($path))->{expect} // {} };
    my ($expect, @back) = ($cart->{expect}, Carts::returned($name));
    my @bad = (differences($expect, quote($name)), broken_invariants(quote($name)));
    for (['refunds', 'refund'], ['balances', 'balance']) {
        my ($want, $member) = @$_;
        my ($is, $ought) = map { join ' ', map { $_ // 'none' } @$_ } [map { $_->{$member} } @back], $expect->{$want} // [];
        push @bad, "$want: expected $ought, got $is" if $is ne $ought && ($want eq 'refunds' || $expect->{$want});
    }
    ok(!@bad, "$name: $cart->{shows}") or diag(map { "  $_\n" } @bad);
    like($page{pricing}, qr/^<!-- \w+ \Q$name\E\b/m, "and the page shows $name");
}
cmp_ok(scalar @{ quote('many-units')->{lines}[0]{units} }, '<=', 4, 'the units of a hundred thousand are told in runs');

# ---- figures in sentences ----

# What is worked out in words, from figures that stand in the same section.
my %worked = ('24.99' => '49.99 - 25.00', '100.00' => '50.00 + 50.00', '105.00' => '100.00 + 5.00', '1.80' => '60.00 - 58.20', '9.00' => '5.00 + 4.00');
my ($head, @sections) = split /^(?=## )/m, $page{pricing};
$sections[0] .= $head;
for my $section (@sections) {
    my ($title) = $section =~ /^## ([^\n]*)/;
    my %stands;
    for my $name (uniq $section =~ /^<!-- (?:receipt|split|claims|explain|return) ([\w-]+)/mg) {
        my $cart = cart($name);
        $stands{ sprintf '%.2f', $_ / 100 } = 1 for map { encode($_) =~ /:(\d+)\b(?!\.)/g } $cart->{book}, $cart->{request};
    }
    (my $prose = $section) =~ s{(<!-- \w+ [^\n]*-->\n)(.*?)<!-- end -->}{ $stands{$_} = 1 for $2 =~ /(\d+\.\d\d)(?!\d)/g; '' }gse;
    $prose =~ s/```.*?```//gs;
    my (@nowhere, @wrong);
    for my $figure (uniq $prose =~ /(?<![\d.])(\d+\.\d\d)(?!\d)/g) {
        next if $stands{$figure};
        my ($x, $sign, $y) = split / /, $worked{$figure} // '';
        if (!defined $y || !$stands{$x} || !$stands{$y}) { push @nowhere, $figure; next }
        push @wrong, "$figure is not $worked{$figure}" if sprintf('%.2f', $sign eq '+' ? $x + $y : $x - $y) ne $figure;
    }
    is("@nowhere @wrong", ' ', "$title: its figures stand in its carts");
}

# ---- the lists ----

# Every word of the reader's lists stands in the page's, in an example or in words.
my %reader = (filters => 'filter.c', conditions => 'condition.c', effects => 'promotion_effects.c', members => 'promotion.c');
for my $list (sort keys %reader) {
    my $said = join ' ', map { ref ? encode($_) : $_ } map { @$_ } @{ words($list)->{rows} };
    my $source = slurp("$root/engine/$reader{$list}");
    my @words = uniq map { /"(\w+)"/g } $source =~ /static const char \*const \w+\[\] = \{([^}]*)\}/g;
    cmp_ok(scalar @words, '>=', 8, "$list: the reader's words are found");
    my @missing = grep { $said !~ /\b\Q$_\E\b/ } @words;
    is("@missing", '', "$list: every word that the reader takes is there");
}

# Every example is a promotion that the book takes.
my $book = cart('price-plain')->{book};
my %order = (class => 'order', then => [{ amount_off => 100 }]);
my @tried = (
    (map { [ $_->[0], { class => 'line', then => [{ percent_off => 10, items => $_->[0] }] } ] } @{ words('filters')->{rows} }),
    (map { [ $_->[0], { %order, when => $_->[0] } ] } @{ words('conditions')->{rows} }),
    (map { my ($class, $effect) = @$_; map { [ $effect, { class => $_, then => [$effect] } ] } $class eq 'any' ? qw(line order shipping) : $class } @{ words('effects')->{rows} }),
    (map { [ $_->[0], $_->[0]{script} ? $_->[0] : { %order, %{ $_->[0] } } ] } @{ words('members')->{rows} }),
);
my $example = decode($page{promotions} =~ /```json\n(.*?)```/s ? do { my $json = $1; utf8::encode($json); $json } : 'null');
push @tried, [ $example, $example ];
my @answers = price_all(map { {
    book => { %$book, promotions => [{ id => 'p', %{ $_->[1] } }], experiments => [{ code => 'exp-1', unit => 'customer', arms => [{ code => 'b', weight => 1 }] }] },
    requests => [cart('price-plain')->{request}] } } @tried);
my @refused = map { $answers[$_][0]{lines} ? () : encode($tried[$_][0]) . ' ' . encode($answers[$_][0]{errors}) } 0 .. $#tried;
is(join("\n", @refused), '', scalar(@tried) . ' examples are taken');

# What a list's row says of money is what its example says.
for my $row (map { @{ words($_)->{rows} } } sort keys %reader) {
    my $example = join ' ', map { ref ? encode($_) : () } @$row;
    for my $figure (map { ref() ? () : /(\d+\.\d\d)/g } @$row) {
        my $amount = $figure =~ tr/.//dr + 0;
        like($example, qr/:$amount\b/, "$figure is what $example says");
    }
}

# Every reason and status is told, and the cart beside it shows it.
my ($contract) = slurp("$root/api/pricing.yaml") =~ /Why not: (.*?), or what its script says/;
my %told = map { my $list = $_; $list => { map { my @row = @$_; map { tr/`//dr } @row[0, -1] } @{ words($list)->{rows} } } } qw(reasons coupons);
is_deeply([sort keys %{ $told{reasons} }], [sort split /, /, $contract], 'every reason of the contract is told');
my @cases = map { my $page = decode(slurp($_)); ref $page eq 'HASH' ? @{ $page->{cases} } : @$page } glob "$Bin/cases/*.json";
my %status;
for my $expected (map { $_->{expect}{quote} // {} } @cases) {
    $status{$_} = 1 for map { m{^/coupons/\d+/status$} ? $expected->{$_} : m{^/coupons$} ? map { $_->{status} } @{ $expected->{$_} } : () } keys %$expected;
}
is_deeply([sort keys %{ $told{coupons} }], [sort keys %status], 'every status that a case shows is told');
for my $reason (sort keys %{ $told{reasons} }) {
    my $name = $told{reasons}{$reason};
    ok((grep { ($_->{reason} // '') eq $reason } @{ quote($name, explain => 1)->{explain} }), "$reason: $name shows it");
}
for my $status (sort keys %{ $told{coupons} }) {
    my $name = $told{coupons}{$status};
    ok((grep { $_->{status} eq $status } @{ quote($name)->{coupons} }), "$status: $name shows it");
}

# ---- commands and links ----

my @blocks = map { $page{$_} =~ /^```sh\n(.*?)^```$/gms } sort keys %page;
cmp_ok(scalar @blocks, '>=', 2, 'the pages have commands');
my $calculator = calculator();
s{build/poscalc}{$calculator}g for @blocks;
{
    local $ENV{SCRIPT} = join "\n", 'set -euo pipefail', @blocks;
    my $said = qx{cd $root && bash -c "\$SCRIPT" 2>&1};
    is($?, 0, 'which run') or diag($said);
    like($said, qr/"total":4998\b.*"explain":.*^the same bytes$/ms, 'and say what the page says of them');
}
for my $name (sort keys %page, 'quickstart') {
    my $page = $page{$name} // text("$root/docs/$name.md");
    for my $link (uniq grep { !/^https?:/ } $page =~ /\]\(([^)\s]+)\)/g) {
        my ($file, $anchor) = $link =~ /^([^#]*)#?(.*)$/;
        ok(-e "$root/docs/" . ($file || "$name.md"), "$name: $link is there");
        next if $anchor eq '' || $file;
        my @anchors = map { lc =~ s/[^\w -]//gr =~ tr/ /-/r } $page =~ /^#+ ([^\n]*)$/mg;
        ok((grep { $_ eq $anchor } @anchors), "$name: $link is a heading");
    }
}

done_testing();

sub text {
    my ($path) = @_;
    my $text = slurp($path);
    utf8::decode($text);
    return $text;
}
