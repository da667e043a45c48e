#!/usr/bin/perl
# Explaining any cart stops in time and says where; what it tells is true: whoever does
# what `missing` says has the promotion, and `without` is what the cart costs without it.
use v5.30;
use warnings;
use FindBin qw($Bin);
use lib "$FindBin::Bin/../../t/lib";
use PosCarts qw(price_all calculator);
use Cpanel::JSON::XS ();
use Test::More;
use Time::HiRes 'time';
use File::Temp qw(tempdir);

my $dir = tempdir(CLEANUP => 1);

die calculator() . ' is not built' if !-x calculator();

# So many products, each with a promotion of its own, all in one cart.
sub shop {
    my ($n) = @_;
    my @skus = map { sprintf 'P%04d', $_ } 1 .. $n;
    my $book = {
        retailer    => { code => 'r', currency => 'GBP', timezone => 'UTC' },
        price_lists => [{ code => 'base', currency => 'GBP', tax_included => \1 }],
        products    => [map { { sku => $_ } } @skus],
        prices      => [map { { sku => $_, list => 'base', amount => 1000 } } @skus],
        promotions  => [map { { id => lc, class => 'line', then => [{ amount_off => 100, items => { sku => [$_] } }] } } @skus],
    };
    my $request = { currency => 'GBP', at => '2026-06-01T12:00:00Z', lines => [map { { id => "$_", sku => $_, quantity => 1 } } @skus] };
    return ($book, $request, { %$request, explain => Cpanel::JSON::XS::true });
}

for my $n (20, 1000) {
    my ($book, @requests) = shop($n);
    my $began = time;
    my ($plain, $told) = @{ (price_all({ book => $book, requests => \@requests }))[0] };
    is($told->{total}, $n * 900, "$n promotions on $n lines: all apply");
    my @without = map { $_->{without} } @{ $told->{explain} };
    my @said    = grep { defined } @without;
    is(scalar @without, $n, 'each is explained');
    is_deeply([map { $_ // 'null' } @without[0 .. $#said]], [map { $n * 900 + 100 } @said], 'what is said is right, and what is not comes after it');
    if ($n == 20) {
        is(@said + 0, $n, 'a cart as people fill it is told in full');
    } else {
        ok(@said > 20 && @said < $n, 'a large one as far as the work goes') or diag(scalar @said);
        is(scalar(grep { $_->{stopped} } @{ $told->{explain} }), $n - @said, 'and each of the others says so');
    }
    delete $told->{explain};
    is_deeply($told, $plain, 'and nothing else changes');
    cmp_ok(time - $began, '<', 60, 'in good time');
}

# Carts made to be dear to explain: the steps counted for all of it stay within what a
# quote in nginx may take, and what is left out is marked.
my $steps = 150_000;
my $most  = 24 * $steps;
for my $cart (hostile()) {
    my ($name, $lines, $promotions) = @$cart;
    my ($book, $plain) = many_lines($lines, $promotions);
    my ($stats, $told) = (measured($book, $plain, '--stats'), measured($book, $plain));
    ok($stats->{explain_work} > 0 && $stats->{explain_work} <= $most, "$name: $stats->{explain_work} ticks of $most");
    is(scalar @{ $told->{explain} }, @$promotions, "$name: every promotion is in the list");
    ok(!grep({ !$_->{stopped} && !defined($_->{applied} ? $_->{without} : $_->{reason}) } @{ $told->{explain} }), "$name: what is not said is marked");
    ok(scalar(grep { $_->{stopped} } @{ $told->{explain} }), "$name: it did not get to the end");
}

# What is told is true, over random books and carts.
my $oracle = "$Bin/../../t/oracle";
my $count  = $ENV{POS_CARTS} // 200;
my $tally  = qx{python3 $oracle/missing.py @{[calculator()]} 1 $count};
my $wrong  = $? >> 8;
$tally = Cpanel::JSON::XS::decode_json($tally);
is($wrong, 0, "$count random books and carts: what explain tells is true");
cmp_ok($tally->{$_->[0]} // 0, '>=', $_->[1] * $count, "$_->[0]: often enough to tell")
    for ['without', 1], ['missing', 0.3], ['one less', 0.05], ['explained', 0.9];
cmp_ok($tally->{'without, not proved'} // 0, '<', 0.03 * $count, 'nearly all totals without are proved');
done_testing();

# Products in every mixture of ten categories, one of each in the cart.
sub many_lines {
    my ($n, $promotions) = @_;
    my @skus = map { sprintf 'P%05d', $_ } 1 .. $n;
    my $at   = 0;
    my $book = {
        retailer    => { code => 'r', currency => 'GBP', timezone => 'UTC' },
        categories  => [map { { code => "c$_" } } 0 .. 15],
        price_lists => [{ code => 'base', currency => 'GBP', tax_included => \1 }],
        products    => [map { my $i = $_; { sku => $skus[$i], categories => [map { "c$_" } grep { $i >> $_ & 1 } 0 .. 9], tags => [map { "t$_" } 1 .. 20] } } 0 .. $#skus],
        prices      => [map { { sku => $skus[$_], list => 'base', amount => 1000 + $_ } } 0 .. $#skus],
        promotions  => [map { { %$_, id => sprintf('p%05d', $at++) } } @$promotions],
    };
    return ($book, { currency => 'GBP', at => '2026-06-01T12:00:00Z', explain => Cpanel::JSON::XS::true,
        lines => [map { { id => "$_", sku => $_, quantity => 1 } } @skus] });
}

sub hostile {
    my @parts = map { { items => { category => ["c$_"] }, quantity => 20_000 } } 0 .. 9;
    my $leaf  = { items => { category => [qw(c1 c12)] }, quantity => { min => 90_000 } };
    my $deep  = $leaf;
    $deep = $_ % 3 ? { all => [$deep, $leaf] } : { not => { not => $deep } } for 1 .. 12;
    return (
        ['filters of many kinds', 10_000, [map { { class => 'order', when => { items => { category => ['c10'], tag => [qw(x y)], not => { tag => ['q'] } }, quantity => { min => 3 } }, then => [{ amount_off => 5 }] } } 1 .. 300]],
        ['bundles of ten parts', 1000, [({ class => 'line', then => [{ bundle => \@parts, price => 100 }] }) x 200]],
        ['conditions in conditions', 1000, [({ class => 'order', when => $deep, then => [{ amount_off => 5 }] }) x 300]],
        ['bought by amount', 5000, [({ class => 'line', then => [{ buy => [{ items => { category => ['c0'] }, amount => 1_000_000_000_000 }],
            get => [map { { items => { category => ["c$_"] }, quantity => 3, percent_off => 50 } } 0 .. 8] }] }) x 12]],
        ['many pieces', 100, [map { my $p = $_; { class => 'order', when => { all => [map { { items => { sku => ["X$p-$_"] }, quantity => { min => 3 } } } 1 .. 300] }, then => [{ amount_off => 5 }] } } 1 .. 60]],
        ['rivals', 40, [map { { class => 'line', stacking => 'exclusive', then => [{ percent_off => 1 + $_ % 40, items => { sku => [sprintf('P%05d', 1 + $_ * 7 % 40), sprintf('P%05d', 1 + $_ * 11 % 40)] } }] } } 1 .. 400]],
    );
}

# By poscalc with nginx's budget.
sub measured {
    my ($book, $request, @options) = @_;
    spew("$dir/book.json", $book);
    spew("$dir/request", $request);
    my $calculator = calculator();
    return Cpanel::JSON::XS::decode_json(qx{$calculator --book $dir/book.json --budget $steps @options < $dir/request});
}

sub spew {
    my ($path, $data) = @_;
    open my $f, '>:raw', $path or die "$path: $!";
    print $f Cpanel::JSON::XS::encode_json($data), "\n";
    close $f or die "$path: $!";
    return;
}
