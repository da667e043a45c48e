#!/usr/bin/perl
# What comes back of an order: by hand to the cent, and over thousands of random orders
# whose units come back in random pieces and order. Every piece is refunded for what it
# paid, all of them for the whole order, with tax and fees; or, by `reprice`, for the
# difference to what is kept, which another calculation of what is kept confirms.
#
# POS_SEED=n repeats a run; POS_ROUNDS=n makes it longer.

use strict;
use warnings;
use FindBin;
use File::Temp qw(tempdir);
use List::Util qw(first max min shuffle sum0);
use Cpanel::JSON::XS;
use Test::More;
use lib "$FindBin::Bin/lib";
use RandomShop qw(chance pick random_book random_request);

my $calc = ($ENV{POS_BUILD} || "$FindBin::Bin/../../" . ($ENV{BUILD} || 'build')) . '/poscalc';
die "no $calc: build first" unless -x $calc;
my $dir  = tempdir(CLEANUP => 1);
my $json = Cpanel::JSON::XS->new->canonical->allow_nonref;
my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);

sub spurt { my ($path, $text) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f }

# One book, many lines, as many answers.
sub calc {
    my ($book, $options, @lines) = @_;
    return if !@lines;
    spurt("$dir/book", $json->encode($book));
    spurt("$dir/in", join '', map { $json->encode($_) . "\n" } @lines);
    my @out = map { $json->decode($_) } split /\n/, scalar `$calc --book $dir/book $options < $dir/in 2>$dir/err`;
    if ($? || @out != @lines) {
        diag(map { $json->encode($_) } $book, @out);
        die "poscalc: exit $?, ${\ scalar @out} answers\n";
    }
    return @out;
}

# ---- by hand ----

my $shop = $json->decode(do { local (@ARGV, $/) = ("$FindBin::Bin/shop.json"); scalar <> });
$shop->{retailer}{cash_rounding} = 1;
my %visit = (currency => 'GBP', store => 'london', at => '2026-06-01T12:00:00Z');

sub shop { my (%with) = @_; return { %$shop, %with, retailer => { %{ $shop->{retailer} }, %{ $with{retailer} || {} } } } }

# Quotes the lines, then gives them back step by step.
sub story {
    my ($book, $request, @steps) = @_;
    $request = { %visit, %$request };
    my ($quote) = calc($book, '', $request);
    my (@answers, $state);
    for my $step (@steps) {
        my ($answer) = calc($book, '--return', { quote => $quote, request => $request, ($state ? (before => $state) : ()), %$step });
        push @answers, $answer;
        $state = $answer->{state};
    }
    return ($quote, @answers);
}

my $half = { id => 'second-half', class => 'line', then => [ { buy => [ { items => {}, quantity => 1 } ], get => [ { items => {}, quantity => 1, percent_off => 50 } ] } ] };
my $off  = { id => 'off', class => 'order', then => [ { amount_off => 2500 } ] };
my $ship = { id => 'ship', class => 'shipping', then => [ { percent_off => 100 } ] };
my $two  = { lines => [ { id => '1', sku => 'BOOT', quantity => 2 } ], shipping => { amount => 495 } };

my ($q, $a, $b, $c) = story(shop(promotions => [ $half, $off, $ship ]), $two, { lines => [ { id => '1', quantity => 1 } ] }, { lines => [ { line => 0 } ] });
is_deeply($q->{lines}[0]{units}, [ { quantity => 1, paid => 3333 }, { quantity => 1, paid => 1667 } ], 'two boots at 50.00, the second half price, 25.00 off');
is($a->{refund}, 1667, 'of two boots the one that paid less comes back first');
is_deeply($a->{lines}[0]{discounts}, [ { promotion => 'second-half', amount => 2500 }, { promotion => 'off', amount => 833 } ], 'with what each promotion gave it');
is($a->{tax}, 278, 'and its tax');
is($b->{refund}, 3333, 'the other gets back what it paid: no discount is spread anew');
is($b->{points}, $q->{points} - $a->{points}, 'the points are taken back with them');
(undef, $a) = story(shop(promotions => [ $half, $off, $ship ]), $two, { lines => [ { line => 0, unit => 0, quantity => 1 } ] });
is($a->{refund}, 3333, 'or the unit that is named');

($q, $a, $b) = story(shop(promotions => [ { %$half, returns => 'reprice' } ]), $two, { lines => [ { line => 0, quantity => 1, unit => 0 } ] }, { lines => [ { line => 0 } ], shipping => $true });
is_deeply([ @$a{qw(policy kept refund)} ], [ 'reprice', 5495, 2500 ], 'a broken deal is taken back: what is kept costs its whole price');
is($b->{refund}, 5000 + 495, 'and the rest comes back with it');
is($a->{refund} + $b->{refund}, $q->{total}, 'which is all that was paid');

($q, $a, $b) = story(shop(retailer => { returns => 'reprice' }, promotions => [ { %$half, returns => 'paid' } ]), $two, { lines => [ { line => 0, quantity => 1, unit => 0 } ] });
is($a->{refund}, 5000, 'a promotion that says paid keeps its share under a retailer that reprices');
is($q->{promotions}[0]{returns}, 'paid', 'which the quote says');

my $thirty = { id => 'thirty', class => 'order', returns => 'reprice', when => { subtotal => { min => 5500 } }, then => [ { amount_off => 3000 } ] };
($q, $a, $b) = story(shop(promotions => [$thirty]), { lines => [ { sku => 'BOOT', quantity => 1 }, { sku => 'TEE', quantity => 1 } ] }, { lines => [ { line => 1 } ] }, { lines => [ { line => 0 } ] });
is_deeply([ $q->{total}, $a->{refund}, $a->{kept}, $b->{refund} ], [ 3000, 0, 5000, 3000 ], 'below zero nothing is refunded, nor asked for; in the end all is back');

(undef, $a) = story(shop(retailer => { returns => 'reprice' }), { lines => [ { sku => 'BOOT', quantity => 2, discount => { amount => 200, reason => 'worn' } } ] }, { lines => [ { line => 0, quantity => 1 } ] });
is_deeply([ @$a{qw(kept refund)} ], [ 4900, 4900 ], 'of an amount taken off by hand what is kept has its share');

my $over = { %$ship, when => { subtotal => { min => 6000 } } };
for ([ reprice => 5000 - 495 ], [ paid => 5000 ]) {
    my ($policy, $refund) = @$_;
    (undef, $a, $b) = story(shop(promotions => [ { id => 'ten', class => 'line', returns => 'reprice', then => [ { percent_off => 0.0001, items => {} } ] }, { %$over, returns => $policy } ]), $two,
        { lines => [ { line => 0, quantity => 1 } ] }, { lines => [ { line => 0 } ], shipping => $true });
    is($a->{refund}, $refund, "free shipping over 60.00, by $policy, when 50.00 are kept");
    is($a->{refund} + $b->{refund}, 10000, 'and nothing is owed once all is back');
}

# Gifts.
my $mug = { id => 'mug', class => 'line', when => { subtotal => { min => 5000 } }, then => [ { gift => { sku => 'TEE', quantity => 1 } } ] };
my $boot = { lines => [ { sku => 'BOOT', quantity => 1 }, { sku => 'CRISPS', quantity => 1 } ] };
(undef, $a, $b) = story(shop(promotions => [$mug]), $boot, { lines => [ { line => 0 } ] }, { lines => [ { line => 2 } ] });
is($a->{refund}, 5000, 'paid: a gift that is kept is not charged');
is_deeply($a->{gifts}, [ { sku => 'TEE', kept => 1, charged => 0 } ], 'but named');
is($b->{refund}, 0, 'and worth nothing when it comes');
is_deeply($b->{gifts}, [], 'after which none is kept');
my $strict = shop(promotions => [ { %$mug, returns => 'reprice' } ]);
(undef, $a, $b) = story($strict, $boot, { lines => [ { line => 0 } ] }, { lines => [ { line => 2 } ] });
is_deeply([ $a->{refund}, $a->{gifts} ], [ 4000, [ { sku => 'TEE', kept => 1, charged => 1 } ] ], 'reprice: a gift that is kept and not earned is charged');
is($b->{refund}, 1000, 'until it comes back');
(undef, $a) = story($strict, $boot, { lines => [ { line => 0 }, { line => 2 } ] });
is($a->{refund}, 5000, 'with it at once, all is refunded');
(undef, $a) = story($strict, $boot, { lines => [ { line => 1 } ] });
is_deeply([ $a->{refund}, $a->{gifts}[0]{charged} ], [ 95, 0 ], 'and one that is still earned is free');
(undef, $a) = story(shop(retailer => { returns => 'reprice' }, promotions => [ { %$mug, returns => 'paid' } ]), $boot, { lines => [ { line => 0 } ] });
is_deeply([ $a->{policy}, $a->{refund}, $a->{gifts}[0]{charged} ], [ 'reprice', 5000, 0 ], 'one of a promotion that says paid stays the customer\'s');

# By measure.
($q, $a, $b, $c) = story(shop(promotions => [ { id => 'p', class => 'line', then => [ { percent_off => 10, items => {} } ] } ]), { lines => [ { sku => 'CHEESE', quantity => 0.354 } ] },
    map { { lines => [ { line => 0, ($_ ? (quantity => $_) : ()) } ] } } 0.1, 0.2, 0);
is_deeply([ map { $_->{refund} } $q->{lines}[0]{total} ? ($a, $b, $c) : () ], [ 112, 225, 61 ], 'cheese comes back by its measure');
is(sum0(map { $_->{refund} } $a, $b, $c), $q->{total}, 'and adds up');

# Exchange.
($q, $a) = story(shop(promotions => [$half]), $two, { lines => [ { line => 0, quantity => 1 } ], sale => { %visit, lines => [ { sku => 'SHOE', quantity => 1 } ] } });
is_deeply([ $a->{refund}, $a->{sale}{total}, $a->{balance} ], [ 2500, 3000, 500 ], 'an exchange has one balance');

# What a limit had used then counts again.
my $once = { %$half, returns => 'reprice', limits => [ { max => 2, of => 'uses', per => 'all' } ] };
($q, $a) = story(shop(promotions => [$once]), { lines => [ { sku => 'BOOT', quantity => 4 } ],
    inputs => { usage => [ { promotion => 'second-half', of => 'uses', per => 'all', used => 1 } ] } }, { lines => [ { line => 0, quantity => 1 } ] });
is_deeply([ $q->{discount}, $a->{kept} ], [ 2500, 12500 ], 'what is kept is priced again by the inputs of then');

# An order's quote says which units bore what.
($q) = calc(shop(promotions => [ $half, $off ]), '--for-order', { %visit, %$two });
is_deeply([ map { $_->{units} } @{ $q->{lines}[0]{adjustments} } ], [ [ 0, 2500 ], [ 1667, 833 ] ], 'for an order each discount says what the units bore');

# Faults.
sub faults { my ($line, $book) = @_; my ($p) = calc($book || shop(promotions => [ $half, $off, $ship ]), '--return', $line); return join ' ', sort map { "$_->{pointer}:$_->{code}" } @{ $p->{errors} || [] } }
my $request = { %visit, lines => [ { id => '1', sku => 'BOOT', quantity => 2 }, { id => '2', sku => 'CHEESE', quantity => 0.5 } ] };
my ($quote) = calc(shop(promotions => [ $half, $off, $ship ]), '', $request);
my @faults = (
    [ 'a line that is not there', { lines => [ { line => 7, quantity => 1 }, { id => 'x' } ] }, '/lines/0/line:unknown_line /lines/1/id:unknown_line' ],
    [ 'more than was bought', { lines => [ { line => 0, quantity => 3 } ] }, '/lines/0/quantity:quantity' ],
    [ 'more than is left', { lines => [ { line => 0, quantity => 1 } ], before => { lines => [ { line => 0, units => [ 1, 1 ] } ], refunded => { goods => 0, fees => 0, shipping => 0 } } }, '/lines/0/quantity:quantity' ],
    [ 'more than is left of it in one return', { lines => [ { line => 0, quantity => 2 }, { line => 0, quantity => 1 } ] }, '/lines/1/quantity:quantity' ],
    [ 'half a boot', { lines => [ { line => 0, quantity => 0.5 } ] }, '/lines/0/quantity:quantity' ],
    [ 'nothing of it', { lines => [ { line => 0, quantity => 0 } ] }, '/lines/0/quantity:min' ],
    [ 'a unit that is not there', { lines => [ { line => 0, unit => 2 } ] }, '/lines/0/unit:max' ],
    [ 'no line named', { lines => [ {} ] }, '/lines/0:one_of' ],
    [ 'a typo', { lines => [ { line => 0, qty => 1 } ], policy => 'paid' }, '/lines/0/qty:unknown_field /policy:unknown_field' ],
    [ 'no lines', {}, '/lines:required' ],
    [ 'shipping that was not paid', { lines => [], shipping => $true }, '/shipping:quantity' ],
    [ 'a state of another order', { lines => [], before => { lines => [ { line => 0, units => [3] } ], refunded => { goods => 99999, fees => 0, shipping => 0 } } }, '/before/lines/0/units:mismatch /before/refunded/goods:max' ],
    [ 'a sale at fault', { lines => [], sale => { lines => [ { sku => 'NO', quantity => 1 } ] } }, '/sale/lines/0/sku:unknown_sku' ],
    [ 'a sale in another currency', { lines => [], sale => { currency => 'USD', lines => [] } }, '/sale/currency:mismatch' ],
    [ 'inputs without a sale', { lines => [], inputs => {} }, '/inputs:unknown_field' ],
);
is(faults({ quote => $quote, request => $request, %{ $_->[1] } }), $_->[2], "fault: $_->[0]") for @faults;
is(faults({ lines => [] }), '/quote:required', 'fault: no quote');
my $changed = $json->decode($json->encode($quote));
$changed->{lines}[0]{units}[0]{paid}++;
$changed->{lines}[1]{adjustments}[0]{amount}++;
is(faults({ quote => $changed, lines => [] }), '/quote/lines/0/units:broken_quote /quote/lines/1/adjustments:broken_quote', 'fault: a quote whose parts do not add up');
my $reprice = shop(retailer => { returns => 'reprice' });
my ($other) = calc($reprice, '', $request);
is(faults({ quote => $other, request => $request, lines => [] }), '/quote/revision:other_revision', 'fault: another book than the order was priced by');
is(faults({ quote => $other, lines => [] }, $reprice), '/request:required', 'fault: no request to price again');
is(faults({ quote => $other, request => { %$request, lines => [ { sku => 'TEE', quantity => 2 } ] }, lines => [] }, $reprice), '/request/lines/0:mismatch /request/lines/1:mismatch', 'fault: the request of another order');
spurt("$dir/old", $json->encode($reprice));
($a) = calc(shop(), "--return --order-book $dir/old", { quote => $other, request => $request, lines => [ { line => 0, quantity => 1 } ] });
is($a->{refund}, 5000, 'the book of the order may stand beside that of today');

# ---- at random ----

my @why;
sub must { my ($ok, $what) = @_; push @why, $what if !$ok; return $ok }

# What is left of each line, in thousandths.
sub kept { my ($o) = @_; return map { my $i = $_; my $k = int(1000 * $o->{quote}{lines}[$i]{quantity} + 0.5); $k -= $o->{gone}{$i} // 0; $k } 0 .. $#{ $o->{quote}{lines} } }

sub random_step {
    my ($o, $all) = @_;
    my @kept = kept($o);
    my @lines;
    for my $i (shuffle grep { $kept[$_] > 0 } 0 .. $#kept) {
        next if !$all && chance(0.5);
        my $measured = $o->{quote}{lines}[$i]{unit};
        my $n = $all ? $kept[$i] : $measured ? 1 + int rand $kept[$i] : 1000 * (1 + int rand($kept[$i] / 1000));
        push @lines, { line => $i, $n == $kept[$i] && chance(0.5) ? () : (quantity => $n / 1000) };
        $o->{gone}{$i} += $n;
    }
    my $ship = $o->{quote}{shipping} && !$o->{shipped} && ($all || chance(0.15));
    $o->{shipped} ||= $ship;
    return { quote => $o->{quote}, request => $o->{request}, lines => \@lines, ($ship ? (shipping => $true) : ()), ($o->{state} ? (before => $o->{state}) : ()) };
}

# What is kept, asked anew: by whoever knows no more than the design.
sub kept_request {
    my ($o) = @_;
    my @kept = kept($o);
    my %r = %{ $o->{request} };
    $r{lines} = [ map { { %{ $r{lines}[$_] }, quantity => $kept[$_] / 1000 } } grep { $kept[$_] > 0 } 0 .. $#{ $r{lines} } ];
    delete $r{shipping} if $o->{shipped};
    return @{ $r{lines} } ? \%r : undef;
}

sub check_step {
    my ($o, $step, $answer, $again) = @_;
    my $quote = $o->{quote};
    return must(0, 'an answer: ' . $json->encode($answer)) if !$answer->{state};
    my $included = $quote->{tax_included};
    must($answer->{refund} == sum0(@$answer{qw(goods fees shipping)}) + ($included ? 0 : $answer->{tax}), 'the parts sum to the refund');
    must($answer->{tax} == sum0(map { $_->{amount} } @{ $answer->{taxes} }), 'taxes sum to the tax');
    must(!(first { $_ < 0 } map { values %$_ } { map { $_ => $answer->{$_} } qw(goods fees shipping tax refund points) },
            map { { amount => $_->{amount} } } @{ $answer->{taxes} }, @{ $answer->{promotions} }, map { (@{ $_->{taxes} }, @{ $_->{discounts} }, { amount => $_->{paid} }) } @{ $answer->{lines} }), 'nothing is negative');
    must($answer->{tax} <= $answer->{refund}, 'tax is a part of the refund');
    $o->{refunded} += $answer->{refund};
    must($o->{refunded} <= $quote->{total}, "never more than what was paid ($o->{refunded} of $quote->{total})");
    for my $l (@{ $answer->{lines} }) {
        my $sold = $quote->{lines}[ $l->{line} ];
        must($l->{paid} == sum0(map { $_->{paid} } @{ $l->{units} }), 'units sum to the line');
        if (!$sold->{unit}) {
            must($_->{paid} == $sold->{units}[ $_->{unit} ]{paid} / $sold->{units}[ $_->{unit} ]{quantity} * $_->{quantity}, 'each unit gets what it paid') for @{ $l->{units} };
            must($l->{paid} + sum0(map { $_->{amount} } @{ $l->{discounts} }) == $l->{quantity} * $sold->{unit_price}, 'what a unit paid and what it was given are its price');
            must($l->{fees} == $sold->{fees} / $sold->{quantity} * $l->{quantity}, 'fees by the unit');
        }
    }
    if ($answer->{policy} eq 'paid') {
        must($answer->{goods} == sum0(map { $_->{paid} } @{ $answer->{lines} }), 'paid: goods are what the units paid');
        for my $t (@{ $answer->{taxes} }) {
            my $of_lines = sum0(map { $_->{amount} } grep { $_->{code} eq $t->{code} && $_->{percent} == $t->{percent} } map { @{ $_->{taxes} } } @{ $answer->{lines} });
            must($t->{amount} >= $of_lines && ($step->{shipping} || $t->{amount} == $of_lines), 'paid: taxes are what the lines bore');
        }
    } elsif ($o->{policy} eq 'reprice' && !grep { $_->{gift} } @{ $quote->{lines} }) {
        my $kept = $again ? $again->{total} : $o->{shipped} || !$quote->{shipping} ? 0
            : $quote->{shipping_total} + ($included ? 0 : sum0(map { $_->{amount} } @{ $quote->{shipping}{taxes} }));
        must($answer->{kept} == $kept, "reprice: what is kept costs $kept, not $answer->{kept}");
        must($answer->{refund} == max(0, $quote->{total} - ($o->{refunded} - $answer->{refund}) - $kept), 'reprice: the refund is the difference');
    }
    push @{ $o->{answers} }, $answer;
    $o->{state} = $answer->{state};
}

# Once all is back, so is everything that was paid.
sub check_order {
    my ($o) = @_;
    my ($quote, @answers) = ($o->{quote}, @{ $o->{answers} || [] });
    my $sum = sub { my ($name) = @_; sum0(map { $_->{$name} } @answers) };
    must($sum->('refund') == $quote->{total}, "all of the order is $quote->{total}, not " . $sum->('refund'));
    must($sum->('tax') == $quote->{tax}, "all of the tax is $quote->{tax}, not " . $sum->('tax'));
    must($sum->('fees') == $quote->{fees}, 'all of the fees');
    must($sum->('goods') == sum0(map { $_->{total} } @{ $quote->{lines} }), 'all of the goods');
    must($sum->('shipping') == $quote->{shipping_total}, 'all of the shipping');
    must($sum->('points') == $quote->{points}, 'all of the points');
    my (%back, %gave);
    $back{ $_->{id} } += $_->{amount} for map { @{ $_->{promotions} } } @answers;
    $gave{ $_->{id} } += $_->{amount} for @{ $quote->{promotions} };
    must($json->encode(\%back) eq $json->encode(\%gave), 'each promotion as it gave');
}

my $seed   = $ENV{POS_SEED} // 20261126;
my $rounds = $ENV{POS_ROUNDS} // 45;
srand $seed;
my ($orders, $failed, %refunds) = (0, 0);
for my $round (1 .. $rounds) {
    my $policy = (qw(paid reprice mixed))[ $round % 3 ];
    my $book   = random_book($policy);
    my @orders = map { { policy => $policy, request => $_ } } map { random_request($policy) } 1 .. 50;
    my @quotes = calc($book, chance(0.5) ? '--for-order' : '', map { $_->{request} } @orders);
    $orders[$_]{quote} = $quotes[$_] for 0 .. $#orders;
    my $pieces = 1 + int rand 4;
    for my $step (0 .. $pieces) {
        my @steps = map { random_step($_, $step == $pieces) } @orders;
        my @again = map { kept_request($_) } @orders;
        my @given = calc($book, '', grep { $_ } @again);
        my @answers = calc($book, '--return', @steps);
        for my $i (0 .. $#orders) {
            @why = ();
            check_step($orders[$i], $steps[$i], $answers[$i], $again[$i] ? shift @given : undef);
            check_order($orders[$i]) if $step == $pieces;
            next unless @why && !$orders[$i]{failed}++;
            diag "round $round, order $i ($policy): $_" for @why;
            diag 'book: ' . $json->encode($book), "\nline: " . $json->encode($steps[$i]), "\nanswer: " . $json->encode($answers[$i]) if !$failed++;
        }
        $refunds{ $_->{policy} }++ for grep { $_->{refund} } @answers;
    }
    $orders += @orders;
}
note "$orders orders, returns with a refund: " . join ', ', map { "$_ $refunds{$_}" } sort keys %refunds;
is($failed, 0, "$orders random orders come back in pieces for exactly what was paid (seed $seed)");
ok($refunds{paid} > $orders / 10 && $refunds{reprice} > $orders / 10, 'by both policies');
done_testing;
