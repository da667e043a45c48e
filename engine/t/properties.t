#!/usr/bin/perl
# What must hold of every quote, over random books and carts: parts sum to the whole,
# nothing is negative, no floor, limit or rule of stacking is broken, what is proved best
# stands up to less; and neither asking why, nor the order of lines or promotions, nor
# splitting a line, nor a promotion that cannot apply changes a total.
#
# Books have every kind of discount, in currencies of 0, 2 and 3 digits, tax inside,
# beside, compound and by destination; goods by the kilogram, fees, floors, gifts,
# coupons, limits with what was used before, prices by quantity and on sale.
#
# POS_SEED=n repeats a run; POS_ROUNDS=n makes it longer.

use strict;
use warnings;
use Cpanel::JSON::XS;
use FindBin;
use File::Temp qw(tempdir);
use List::Util qw(max shuffle sum0 uniq);
use Test::More;

my $calc = ($ENV{POS_BUILD} || "$FindBin::Bin/../../build") . '/poscalc';
die "no $calc: build first" unless -x $calc;

# The second has found a fault once: a price that counts from the original.
my @seeds  = defined $ENV{POS_SEED} ? $ENV{POS_SEED} : (20260601, 3);
my $rounds = $ENV{POS_ROUNDS} // 250;
my $dir    = tempdir(CLEANUP => 1);
my $json   = Cpanel::JSON::XS->new->canonical->allow_nonref;
my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);
diag "seeds @seeds, $rounds rounds each (POS_SEED, POS_ROUNDS)";

sub pick   { $_[ int rand @_ ] }
sub chance { rand() < $_[0] }
sub some   { my ($chance, %what) = @_; return chance($chance) ? %what : () }

# ---- random books ----

my @skus = map { "S$_" } 1 .. 7;    # S6 by the kilogram, S7 a gift as a rule
my @cats = qw(a b c);
my %digits = (JPY => 0, GBP => 2, KWD => 3);

sub random_filter {
    return {} if chance(0.3);
    return { sku => [ pick(@skus), pick(@skus) ] } if chance(0.4);
    return { not => { category => [ pick(@cats) ] } } if chance(0.2);
    return { unit_price => { min => 100 * int rand 10 } } if chance(0.2);
    return { on_sale => pick($true, $false) } if chance(0.1);
    return { attribute => { size => [ pick(qw(s m)) ] } } if chance(0.1);
    return { tag => ['t'] } if chance(0.1);
    return { category => [ pick(@cats, 'all') ] };
}

sub random_reduction {
    my ($price) = @_;
    my $r = rand;
    return (percent_off => pick(5, 10, 12.5, 20, 33.3333, 50, 100)) if $r < 0.6;
    return (amount_off => 1 + int rand 400) if $r < 0.85 || !$price;
    return ($price => int rand 900);
}

sub random_markdown {
    my %e = (random_reduction('unit_price'), items => random_filter());
    $e{per} = pick(qw(unit line all)) if $e{amount_off};
    if (chance(0.2)) { $e{max_units} = 1 + int rand 3; $e{choose} = pick(qw(best cheapest priciest)) }
    return { %e, some(0.15, of => 'original'), some(0.15, max_amount => 1 + int rand 800) };
}

sub random_deal {
    my $r = rand;
    if ($r < 0.5) {
        my $same = random_filter();
        my $buy = chance(0.8) ? { items => $same, quantity => 1 + int rand 3 } : { items => $same, amount => 500 + int rand 2000 };
        return { buy => [$buy], get => [ { items => chance(0.6) ? $same : random_filter(), quantity => 1 + int rand 2,
            random_reduction('unit_price'), some(0.4, choose => pick(qw(best cheapest priciest))) } ], some(0.3, repeat => 1 + int rand 3) };
    }
    if ($r < 0.7) {
        my $group = 2 + int rand 3;
        return { nth => { items => random_filter(), group => $group, position => 1 + int rand $group, random_reduction('unit_price') }, order => pick(qw(priciest cheapest)) };
    }
    return { bundle => [ map { { items => random_filter(), quantity => 1 + int rand 2 } } 1 .. 1 + int rand 3 ],
        (chance(0.5) ? (price => 500 + int rand 2000) : random_reduction()), some(0.3, repeat => 1 + int rand 3) };
}

sub random_line_effect {
    my $r = rand;
    return random_markdown() if $r < 0.4;
    return { tiers => [ { quantity => 2, percent_off => 5 }, { quantity => 5, percent_off => pick(12.5, 25, 33.3333) } ],
        items => random_filter(), count => pick(qw(line all)) } if $r < 0.5;
    return { gift => { sku => 'S7', quantity => 1 + int rand 2, some(0.5, per => { items => random_filter(), quantity => 1 + int rand 4 }) } } if $r < 0.58;
    return { points => chance(0.5) ? { multiply => 2 } : { add => 7 } } if $r < 0.62;
    return random_deal();
}

sub random_order_effect {
    my %e = chance(0.15) ? (tiers => [ { subtotal => 2000, percent_off => 5 }, { subtotal => 6000, amount_off => 900 } ])
        : chance(0.1) ? (price => 500 + int rand 5000) : chance(0.5) ? (percent_off => pick(5, 10, 15, 33.3333)) : (amount_off => 1 + int rand 3000);
    return { %e, some(0.5, items => random_filter()), some(0.2, max_amount => 1 + int rand 1500), some(0.2, shipping => $true) };
}

sub random_condition {
    my $r = rand;
    return { subtotal => { min => int rand 6000 }, some(0.4, after => 'none') } if $r < 0.4;
    return { items => random_filter(), quantity => { min => 1 + int rand 4 } } if $r < 0.55;
    return { items => random_filter(), amount => { min => int rand 3000 } } if $r < 0.65;
    return { line => random_filter(), quantity => { min => 1 + int rand 4 } } if $r < 0.72;
    return { distinct => random_filter(), min => 1 + int rand 3 } if $r < 0.8;
    return { customer => pick({ groups => ['staff'] }, { orders => { max => 2 } }, { known => $true }, { birthday => $true }) } if $r < 0.88;
    return pick({ tender => ['card'] }, { channel => ['web'] }, { fulfilment => ['ship'] }, { attribute => { table => ['7'] } }, { weight_grams => { max => 5000 } }) if $r < 0.95;
    return { not => random_condition() };
}

sub random_limit {
    my %of = (amount => 500, uses => 4, orders => 2);
    my $of = pick(sort keys %of);
    return { max => 1 + int rand $of{$of}, of => $of, per => pick($of eq 'orders' ? () : 'order', qw(customer store all)), some(0.3, window => pick(qw(day week month))) };
}

sub random_promotion {
    my ($n, $included) = @_;
    my $r = rand;
    my %p = (id => "p$n", priority => int rand 3);
    if ($r < 0.6)     { @p{qw(class then)} = ('line', [ map { random_line_effect() } 1 .. 1 + (rand() < 0.15) ]) }
    elsif ($r < 0.85) { @p{qw(class then)} = ('order', [ random_order_effect() ]) }
    else              { @p{qw(class then)} = ('shipping', [ { random_reduction('price') } ]) }
    $p{then}[0]{when} = random_condition() if chance(0.1);
    delete $p{limits}[0]{window} if $p{limits} && $p{limits}[0]{per} eq 'order';
    my %all = (%p, some(0.15, stacking => pick(qw(exclusive alone))), some(0.2, group => pick(qw(g h))), some(0.3, when => random_condition()),
        some(0.1, floor => { margin_percent => pick(0, 5, 20) }), some(0.2, limits => [ random_limit() ]), some(0.1, coupon => $true),
        ($included ? () : some(0.1, tax_basis => 'before')));
    delete $all{limits}[0]{window} if $all{limits} && $all{limits}[0]{per} eq 'order';
    return \%all;
}

# Now and then the rule is written in Lua: it proposes what data could say.
sub random_script {
    my ($n) = @_;
    my ($percent, $units) = (pick(5, 12.5, 50), 1 + int rand 3);
    return { id => "p$n", script => "return promotion { id = 'p$n', class = 'line', priority = ${\ int rand 3}, apply = function(cart) "
        . "cart:items({ category = { 'all' } }):${\ pick(qw(cheapest priciest))}($units):percent_off($percent, 'lua') end }" };
}

sub random_book {
    my $included = chance(0.5);
    my $currency = pick(qw(GBP GBP JPY KWD));
    my @promotions = map { chance(0.06) ? random_script($_) : random_promotion($_, $included) } 1 .. 1 + int rand 6;
    my @coupons = map { { code => "C$_->{id}", promotions => [ $_->{id} ], some(0.2, remaining => pick(0, 1)) } } grep { $_->{coupon} } @promotions;
    return {
        retailer => { code => 'r', currency => $currency, timezone => 'UTC', rounding => pick(qw(half_up half_even down)),
            tax_rounding => pick(qw(line order)), optimise => pick(qw(customer customer priority)),
            shipping_tax_category => pick(qw(std red none)), points_per => 100, cash_rounding => pick(1, 5, 50) },
        stores => [ { code => 's', tax_region => 'R', timezone => 'UTC' } ],
        categories => [ { code => 'all' }, map { { code => $_, parent => 'all' } } @cats ],
        products => [ map { { sku => $_, name => $_, some(0.9, categories => [ pick(@cats) ]), unit => $_ eq 'S6' ? 'kg' : 'each', tags => chance(0.3) ? ['t'] : [],
            tax_category => pick(qw(std red none)), cost => int rand 400, weight_grams => int rand 1500, some(0.3, min_price => int rand 900),
            some(0.15, fees => [ { code => 'deposit', amount => 25, tax_category => pick(qw(std none)) } ]) } } @skus ],
        price_lists => [ { code => 'base', currency => $currency, tax_included => $included ? $true : $false },
            { code => 'staff', currency => $currency, tax_included => $included ? $true : $false, priority => 1, customer_groups => ['staff'] } ],
        prices => [ map { my $amount = int 50 + rand 1500; my $sku = $_; ({ sku => $sku, list => 'base', amount => $amount },
            (chance(0.2) ? { sku => $sku, list => 'base', amount => int(0.9 * $amount), min_quantity => 3 } : ()),
            (chance(0.2) ? { sku => $sku, list => 'base', amount => int(0.7 * $amount), kind => 'sale', from => '2026-05-01T00:00:00Z' } : ()),
            (chance(0.1) ? { sku => $sku, list => 'staff', amount => int(0.8 * $amount) } : ())) } @skus ],
        taxes => [ { region => 'R', category => 'std', code => 'vat', percent => 20 }, { region => 'R', category => 'red', code => 'vat', percent => 5 },
            (chance(0.3) ? { region => 'R', category => 'std', code => 'city', percent => 1.75, compound => pick($true, $false) } : ()),
            (chance(0.3) ? { region => 'R', category => 'std', code => 'duty', percent => 7.5, ship_to => { country => 'FR' } } : ()) ],
        promotions => \@promotions, coupons => \@coupons,
    };
}

# ---- random requests ----

sub random_request {
    my ($book) = @_;
    my @lines = map { { sku => $_, quantity => $_ eq 'S6' ? (1 + int rand 3000) / 1000 : 1 + int rand(chance(0.05) ? 200 : 7), some(0.2, attributes => { size => pick(qw(s m)) }) } }
        map { pick(@skus) } 1 .. 1 + int rand 5;
    for (@lines) {
        $_->{discount} = { chance(0.5) ? (percent => 10) : (amount => 150), reason => 'damaged' } if chance(0.1);
        $_->{price_override} = { amount => int rand 1000, reason => 'match' } if chance(0.1);
        $_->{tax_category} = 'none' if chance(0.05);
    }
    $lines[$_]{id} = $_ + 1 . '' for 0 .. $#lines;
    my %customer = (id => 'c', some(0.3, groups => ['staff']), some(0.5, orders => int rand 5), some(0.3, birthday => pick('1990-06-01', '1990-07-01')), some(0.1, tax_exempt => $true));
    return { currency => $book->{retailer}{currency}, store => 's', at => '2026-06-01T12:00:00Z', lines => \@lines,
        some(0.6, shipping => { method => 'm', amount => int rand 800 }), some(0.6, customer => \%customer), some(0.3, channel => 'web'),
        some(0.3, tenders => ['card']), some(0.3, fulfilment => 'ship'), some(0.3, ship_to => { country => pick(qw(FR GB)) }), some(0.2, attributes => { table => '7' }),
        (@{ $book->{coupons} } && chance(0.7) ? (coupons => [ map { $_->{code} } @{ $book->{coupons} } ]) : ()), random_inputs($book) };
}

my %day = (day => '2026-06-01', week => '2026-06-01', month => '2026-06-01');

# What orders before took, of the limits there are.
sub random_inputs {
    my ($book) = @_;
    my @usage;
    for my $p (@{ $book->{promotions} }) {
        for my $l (@{ $p->{limits} || [] }) {
            next if $l->{per} eq 'order' || chance(0.3);
            push @usage, { promotion => $p->{id}, of => $l->{of}, per => $l->{per}, used => int rand($l->{max} + 2), ($l->{per} eq 'customer' ? (subject => 'c') : $l->{per} eq 'store' ? (subject => 's') : ()),
                ($l->{window} ? (window => $l->{window}, from => $day{ $l->{window} }) : ()) };
        }
    }
    return @usage ? (inputs => { usage => \@usage }) : ();
}

# ---- answers ----

# Of books with their requests, [[book, request, ...], ...]: a list of answers for each.
sub quotes {
    my (@asked) = @_;
    open my $f, '>', "$dir/in" or die $!;
    print $f $json->encode({ book => $_->[0], requests => [ @$_[ 1 .. $#$_ ] ] }), "\n" for @asked;
    close $f or die $!;
    my @out = map { $json->decode($_) } split /\n/, `$calc --batch --for-order < $dir/in`;
    return map { [ splice @out, 0, $#$_ ] } @asked;
}

my @why;
sub must { my ($ok, $text) = @_; push @why, $text unless $ok; return $ok }

sub objective { my ($q) = @_; return sum0(map { $_->{total} } @{ $q->{lines} }) + $q->{shipping_total} }

sub sums_hold {
    my ($q, $book) = @_;
    my ($lines, $ship) = ($q->{lines}, $q->{shipping});
    my $included = $q->{tax_included};
    must(sum0(map { $_->{total} } @$lines) + $q->{fees} + $q->{shipping_total} + ($included ? 0 : $q->{tax}) == $q->{total}, 'totals sum');
    must(sum0(map { $_->{subtotal} } @$lines) == $q->{subtotal}, 'subtotals sum');
    must(sum0(map { $_->{discount} } @$lines) + ($ship ? $ship->{discount} : 0) == $q->{discount}, 'discounts sum');
    must(sum0(map { $_->{fees} } @$lines) == $q->{fees}, 'fees sum');
    must(sum0(map { $_->{amount} } map { @{ $_->{taxes} } } @$lines, $ship || ()) == $q->{tax}, 'taxes sum');
    must(($ship ? $ship->{amount} - $ship->{discount} - $ship->{total} : 0) == 0 && $q->{shipping_total} == ($ship ? $ship->{total} : 0), 'shipping adds up');
    my %by;
    for my $l (@$lines) {
        must($l->{subtotal} - $l->{discount} == $l->{total}, "line $l->{sku} adds up");
        must(sum0(map { -$_->{amount} } @{ $l->{adjustments} }) == $l->{discount}, "adjustments of $l->{sku} sum");
        must(sum0(map { $_->{paid} } @{ $l->{units} }) == $l->{total}, "units of $l->{sku} sum");
        must(abs(sum0(map { $_->{quantity} } @{ $l->{units} }) - $l->{quantity}) < 1e-9, "units of $l->{sku} are all there");
        must(!$included || sum0(map { $_->{amount} } @{ $l->{taxes} }) <= $l->{total} + $l->{fees}, "tax inside $l->{sku} is less than it costs");
        must(!grep({ $_ < 0 } $l->{total}, $l->{discount}, $l->{fees}, map({ $_->{paid} } @{ $l->{units} }), map({ $_->{amount} } @{ $l->{taxes} })),
            "nothing of $l->{sku} is negative");
        for my $a (@{ $l->{adjustments} }) {
            must(sum0(@{ $a->{units} }) == -$a->{amount} && !grep({ $_ < 0 } @{ $a->{units} }), "what units of $l->{sku} bore sums");
            $by{ $a->{promotion} } += -$a->{amount} if defined $a->{promotion};
        }
    }
    # Of a promotion's amount the lines bear what they say, and shipping the rest.
    my $rest = sum0(map { $_->{amount} - ($by{ $_->{id} } // 0) } @{ $q->{promotions} });
    must($rest == ($ship ? $ship->{discount} : 0), 'promotions give what lines and shipping got');
    must(!grep({ ($by{ $_->{id} } // 0) > $_->{amount} } @{ $q->{promotions} }), 'none gives a line more than it gives');
    must(!grep({ $_ < 0 } $q->{total}, $q->{tax}, $q->{shipping_total}, $q->{points}), 'nothing is negative');
    must($q->{optimal} || $q->{bound} <= objective($q), 'the bound is a bound');
    my ($step, $cash) = ($book->{retailer}{cash_rounding}, $q->{cash_total} // $q->{total});
    must($cash % $step == 0 && abs($cash - $q->{total}) <= $step - ($book->{retailer}{rounding} eq 'down' ? 1 : $step / 2), 'cash is rounded to what there is');
    return;
}

# Stacking, limits and floors, of the figures themselves.
sub rules_hold {
    my ($q, $book, $request) = @_;
    my %promotion = map { $_->{id} => $_ } @{ $book->{promotions} };
    my %product   = map { $_->{sku} => $_ } @{ $book->{products} };
    my @used      = map { $_->{id} } @{ $q->{promotions} };
    must(@used == 1 || !grep({ ($promotion{$_}{stacking} // '') eq 'alone' } @used), 'alone is alone');
    for my $l (@{ $q->{lines} }) {
        for my $run (0 .. $#{ $l->{units} }) {
            my @on = uniq(map { $_->{promotion} } grep { defined $_->{promotion} && $_->{units}[$run] > 0 } @{ $l->{adjustments} });
            # Units that paid the same stand together, whatever it is that lowered each.
            @on = () if $l->{units}[$run]{quantity} > 1 && $l->{sku} ne 'S6';
            must(@on <= 1 || !grep({ ($promotion{$_}{stacking} // '') eq 'exclusive' } @on), "exclusive shares no unit of $l->{sku}");
            my %in;
            $in{$_}++ for grep { defined } map { $promotion{$_}{group} } @on;
            must(!grep({ $_ > 1 } values %in), "one of a group touches a unit of $l->{sku}");
            my $least = $l->{gift} ? 0 : $product{ $l->{sku} }{min_price} // 0;
            my ($n, $paid) = @{ $l->{units}[$run] }{qw(quantity paid)};
            # Who lowers a price by hand may go below.
            must($paid >= int($least * $n) || $l->{unit_price} < $least || grep({ !defined $_->{promotion} } @{ $l->{adjustments} }), "$l->{sku} is not under its least price") if $least;
        }
    }
    for my $p (@{ $q->{promotions} }) {
        for my $limit (@{ $promotion{ $p->{id} }{limits} || [] }) {
            my ($usage) = grep { $_->{promotion} eq $p->{id} && $_->{of} eq $limit->{of} && $_->{per} eq $limit->{per} } @{ $request->{inputs}{usage} || [] };
            next if $limit->{per} eq 'customer' && !$request->{customer};
            my $left = $limit->{max} - ($usage && $limit->{per} ne 'order' ? $usage->{used} : 0);
            my $took = $limit->{of} eq 'amount' ? $p->{amount} : $limit->{of} eq 'uses' ? $p->{times} // 1 : 1;
            must($took <= $left, "$p->{id} takes $took $limit->{of} of the $left that its limit leaves");
        }
        must(!$promotion{ $p->{id} }{coupon} || grep({ $_ eq "C$p->{id}" } @{ $request->{coupons} || [] }), "$p->{id} needs its coupon");
    }
    return;
}

sub by_sku { my %t; $t{ $_->{sku} } += $_->{total} for @{ $_[0]{lines} }; return $json->encode(\%t) }

sub split_a_line {
    my ($request) = @_;
    my $copy = $json->decode($json->encode($request));
    # An amount by hand is of its line as it stands.
    my @can = grep { $_->{quantity} > 1 && $_->{sku} ne 'S6' && !exists(($_->{discount} || {})->{amount}) } @{ $copy->{lines} } or return $request;
    my $line = pick(@can);
    my $part = 1 + int rand($line->{quantity} - 1);
    splice @{ $copy->{lines} }, rand(1 + @{ $copy->{lines} }), 0, { %$line, id => 'split', quantity => $line->{quantity} - $part };
    $line->{quantity} = $part;
    return $copy;
}

# One that is for another store, and one whose time is over.
my @idle = ({ id => 'a-idle', class => 'line', priority => 9, when => { store => ['elsewhere'] }, then => [ { percent_off => 90, items => {} } ] },
    { id => 'z-idle', class => 'order', active => { until => '2026-01-01T00:00:00Z' }, then => [ { percent_off => 90 } ] });

# ---- the rounds ----

my ($failed, $optimal, $improved, %kinds) = (0, 0, 0);
for my $seed (@seeds) {
    srand $seed;
    my @carts = map {
        my $book = random_book();
        my $request = random_request($book);
        { round => "$seed/$_", book => $book, request => $request };
    } 1 .. $rounds;
    while (my @some = splice @carts, 0, 50) {
        my @asked;
        for my $cart (@some) {
            my ($book, $request) = @$cart{qw(book request)};
            my @ps = @{ $book->{promotions} };
            push @asked, [ $book, $request, { %$request, explain => $true }, { %$request, lines => [ shuffle @{ $request->{lines} } ] }, split_a_line($request) ],
                [ { %$book, promotions => [ shuffle @ps ] }, $request ], [ { %$book, promotions => [ @idle, @ps ] }, $request ],
                [ { %$book, retailer => { %{ $book->{retailer} }, optimise => 'priority' } }, $request ];
            # Not to use a promotion is always permitted: what is proved best stands up to it.
            $cart->{less} = $book->{retailer}{optimise} eq 'customer' && @ps > 1 && !@{ $book->{coupons} } ? [ 0 .. $#ps ] : [];
            push @asked, map { my $out = $_; [ { %$book, promotions => [ @ps[ grep { $_ != $out } 0 .. $#ps ] ] }, $request ] } @{ $cart->{less} };
        }
        my @answers = quotes(@asked);
        for my $cart (@some) {
            my ($book, $request) = @$cart{qw(book request)};
            my ($q, $explained, $shuffled, $splitted) = @{ shift @answers };
            my ($turned, $beside, $by_rule) = map { $_->[0] } splice @answers, 0, 3;
            my @less = map { $_->[0] } splice @answers, 0, scalar @{ $cart->{less} };
            @why = ();
            if (!$q || !$q->{lines}) {
                must(0, 'a quote: ' . $json->encode($q || {}));
            } else {
                sums_hold($_, $book), rules_hold($_, $book, $request) for $q, $by_rule;
                must(delete $explained->{explain}, 'explains');
                must($json->encode($explained) eq $json->encode($q), 'explain changes nothing else');
                for ([ $shuffled, 'shuffling lines' ], [ $splitted, 'splitting a line' ], [ $turned, 'turning promotions' ], [ $beside, 'what cannot apply' ]) {
                    my ($other, $what) = @$_;
                    must(!grep({ $other->{$_} != $q->{$_} } qw(total tax discount fees shipping_total points)) && by_sku($other) eq by_sku($q), "$what changes no total");
                    must($json->encode($other->{promotions}) eq $json->encode($q->{promotions}), "$what changes no promotion's amount");
                    sums_hold($other, $book);
                }
                $optimal += $q->{optimal} ? 1 : 0;
                $kinds{$_}++ for kinds_of($q, $book, $request);
                if ($book->{retailer}{optimise} eq 'customer') {
                    my ($a, $b) = (objective($q), objective($by_rule));
                    must($a <= $b, "at least as good as priority ($a, $b)");
                    $improved += $a < $b;
                    for my $i ($q->{optimal} ? 0 .. $#less : ()) {
                        my $c = objective($less[$i]);
                        must($a <= $c, "optimal, yet cheaper without $book->{promotions}[$i]{id} ($a, $c)");
                        must($less[$i]{optimal} || $less[$i]{bound} <= $c, 'the bound without one');
                    }
                }
            }
            next unless @why;
            $failed++;
            diag "round $cart->{round}: $_" for uniq(@why);
            diag 'book: ' . $json->encode($book), "\nrequest: " . $json->encode($request) if $failed == 1;
        }
    }
}

# What a quote is an example of: each must occur, or nothing is shown of it.
sub kinds_of {
    my ($q, $book, $request) = @_;
    my %promotion = map { $_->{id} => $_ } @{ $book->{promotions} };
    my @used = map { $promotion{ $_->{id} } } @{ $q->{promotions} };
    my @effects = map { @{ $_->{then} || [] } } @used;
    return (
        $q->{tax_included} ? 'tax inside' : 'tax beside', "digits $digits{ $q->{currency} }", "by $book->{retailer}{optimise}", "tax by $book->{retailer}{tax_rounding}",
        (map { exists $_->{compound} && $_->{compound} ? 'compound tax' : () } @{ $book->{taxes} }), ($q->{fees} ? 'fees' : ()), ($request->{inputs} && grep({ $_->{limits} } @used) ? 'limits with inputs' : ()),
        (map { $_->{gift} ? 'gift' : () } @{ $q->{lines} }), (map { exists $_->{price_override} ? 'override' : (), exists $_->{discount} ? 'by hand' : (), $_->{sku} eq 'S6' ? 'measured' : () } @{ $request->{lines} }),
        (map { my $e = $_; map { "used $_" } grep { exists $e->{$_} } qw(percent_off amount_off unit_price price tiers buy nth bundle gift points) } @effects),
        (map { ($_->{stacking} ? "used $_->{stacking}" : ()), ($_->{group} ? 'used group' : ()), ($_->{script} ? 'used script' : ()), ($_->{coupon} ? 'used coupon' : ()), ($_->{floor} ? 'used floor' : ()),
            ($_->{tax_basis} ? 'used tax_basis' : ()) } @used),
    );
}

my $all = $rounds * @seeds;
is($failed, 0, "$rounds x ${\ scalar @seeds} random books and carts keep every property");
if ($all >= 300) {
    my @kinds = ('tax inside', 'tax beside', 'digits 0', 'digits 2', 'digits 3', 'by customer', 'by priority', 'tax by line', 'tax by order', 'compound tax', 'fees', 'limits with inputs',
        qw(gift override measured), 'by hand', map { "used $_" } qw(percent_off amount_off unit_price price tiers buy nth bundle gift points exclusive alone group script coupon floor tax_basis));
    is(join(', ', grep { ($kinds{$_} // 0) < 3 } @kinds), '', 'every kind occurs');
    cmp_ok($optimal, '>=', 0.95 * $all, "nearly all are proved best: $optimal of $all");
    cmp_ok($improved, '>=', 0.05 * $all, "and often better than by priority: $improved");
}
done_testing;
