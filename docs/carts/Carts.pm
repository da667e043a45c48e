package Carts;

# The carts that docs/pricing.md works through, and what the engine answers to them.

use v5.30;
use warnings;

use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);
use PosCarts qw(price_all calculator encode decode slurp sum whole_book);

our @EXPORT_OK = qw(cart quote words);

my $here  = dirname(__FILE__);
my $tests = "$here/../../engine/t";
my $shop  = decode(slurp("$tests/shop.json"));
my %visit = (currency => 'GBP', store => 'london', channel => 'web', at => '2026-06-01T12:00:00Z');
my (%case, %cart, %quote);

# {book, request, expect, …} of that name: of docs/carts/NAME.json, which says only how
# it differs from the cart that its `like` names, or a case of engine/t/cases.
sub cart {
    my ($name) = @_;
    return $cart{$name} //= do {
        my $path = "$here/$name.json";
        my $own  = -e $path ? decode(slurp($path)) : {};
        my $case = !-e $path ? case_of($name) : defined $own->{like} ? cart($own->{like}) : {};
        my $book = { %$shop, %{ $case->{book} // {} }, %{ $own->{book} // {} } };
        $book->{retailer} = { %{ $shop->{retailer} }, %{ $case->{book}{retailer} // {} }, %{ $own->{book}{retailer} // {} } };
        +{ %$case, %$own, book => $book, request => { %visit, %{ $case->{request} // {} }, %{ $own->{request} // {} } } };
    };
}

sub case_of {
    my ($id) = @_;
    for my $file (%case ? () : glob "$tests/cases/*.json") {
        my $page = decode(slurp($file));
        my ($books, $cases) = ref $page eq 'HASH' ? @$page{qw(books cases)} : ({}, $page);
        $case{ $_->{id} } = { %$_, book => whole_book($shop, $_, $books) } for @$cases;
    }
    return $case{$id} // die "there is no cart '$id': neither docs/carts/$id.json nor a case of engine/t/cases\n";
}

# The engine's answer, with what each unit bore of each discount.
sub quote {
    my ($name, %with) = @_;
    my $explain = $with{explain} ? '--explain' : '';
    return $quote{"$name $explain"} //= do {
        my $cart = cart($name);
        my ($answer) = ask("--for-order $explain", $cart->{book}, $cart->{request});
        die "$name: " . encode($answer) . "\n" if !$answer->{lines};
        $answer;
    };
}

sub ask {
    my ($options, $book, @lines) = @_;
    state $dir = tempdir(CLEANUP => 1);
    for (['book', $book], ['lines', @lines]) {
        my ($file, @documents) = @$_;
        open my $f, '>:raw', "$dir/$file" or die "$dir/$file: $!";
        print $f map { encode($_) . "\n" } @documents;
        close $f or die "$dir/$file: $!";
    }
    my $calculator = calculator();
    my @answers = map { decode($_) } split /\n/, qx{$calculator --book $dir/book $options < $dir/lines};
    die "poscalc: exit $?: " . encode(\@answers) . "\n" if $? || @answers != @lines;
    return @answers;
}

# What comes back of the order by the cart's `returns`, one after the other.
sub returned {
    my ($name) = @_;
    my ($cart, $quote, $before) = (cart($name), quote($name));
    my @answers;
    for my $step (@{ $cart->{returns} }) {
        my %step = %$step;
        $step{sale} = { %visit, %{ $step{sale} } } if $step{sale};
        my ($answer) = ask('--return', $cart->{book}, { quote => $quote, request => $cart->{request}, ($before ? (before => $before) : ()), %step });
        die "$name: " . encode($answer) . "\n" if !defined $answer->{refund};
        $_->{name} //= $quote->{lines}[ $_->{line} ]{name} for @{ $answer->{lines} };
        push @answers, $answer;
        $before = $answer->{state};
    }
    return @answers;
}

# The units of a quote, each with the deal that has it and its part in it. What a deal
# lowers it has; what it counts as bought is told only where the cart leaves no choice.
sub claimed {
    my ($cart, $quote) = @_;
    my %promotion = map { $_->{id} => $_ } @{ $cart->{book}{promotions} };
    my %kind = map { my $p = $_; $p->{id} => (grep { exists $p->{then}[0]{$_} } qw(buy nth bundle))[0] } values %promotion;
    my @units;
    for my $line (@{ $quote->{lines} }) {
        for my $i (0 .. $#{ $line->{units} }) {
            my ($n, $paid) = @{ $line->{units}[$i] }{qw(quantity paid)};
            die "units that paid $paid for $n cannot be drawn\n" if $paid % $n;
            my ($deal) = map { $_->{promotion} } grep { $kind{ $_->{promotion} } && $_->{units}[$i] } @{ $line->{adjustments} };
            my $role = !$deal ? '' : $kind{$deal} eq 'bundle' ? 'together' : $paid ? 'reduced' : 'free';
            push @units, map { { sku => $line->{sku}, title => $line->{name} || $line->{sku}, price => $line->{unit_price}, paid => $paid / $n, deal => $deal, role => $role } } 1 .. $n;
        }
    }
    for my $used (grep { $_->{times} } @{ $quote->{promotions} }) {
        my ($effect, $id) = ($promotion{ $used->{id} }{then}[0], $used->{id});
        my $filter = $effect->{nth} ? $effect->{nth}{items} : $effect->{buy} ? $effect->{buy}[0]{items} : next;
        die "$id: several parts to buy cannot be drawn\n" if @{ $effect->{buy} // [] } > 1;
        my @open = grep { !defined $_->{deal} && fits($cart, $filter, $_->{sku}) } @units;
        if (my $nth = $effect->{nth}) {
            my $way = ($effect->{order} // 'priciest') eq 'priciest' ? -1 : 1;
            my @row = (sort { $way * ($a->{price} <=> $b->{price}) } @open, grep { ($_->{deal} // '') eq $id } @units)[0 .. $used->{times} * $nth->{group} - 1];
            my @wrong = grep { defined $row[$_]{deal} != ($_ % $nth->{group} == $nth->{position} - 1) } 0 .. $#row;
            die "$id: which units it counts is not for certain\n" if @wrong;
            $_->{deal} // (@$_{qw(deal role)} = ($id, 'counted')) for @row;
            next;
        }
        my $need = $used->{times} * $effect->{buy}[0]{quantity};
        my %skus = map { $_->{sku} => 1 } @open;
        die "$id: which units it counts is not for certain\n" if @open < $need || (@open > $need && keys %skus > 1);
        @$_{qw(deal role)} = ($id, 'bought') for @open[0 .. $need - 1];
    }
    return @units;
}

sub fits {
    my ($cart, $filter, $sku) = @_;
    my ($unknown) = grep { !/^(?:sku|category)$/ } keys %$filter;
    die "a filter by $unknown cannot be drawn\n" if $unknown;
    return 0 if $filter->{sku} && !grep { $_ eq $sku } @{ $filter->{sku} };
    return 1 if !$filter->{category};
    my %parent = map { $_->{code} => $_->{parent} } @{ $cart->{book}{categories} };
    my ($product) = grep { $_->{sku} eq $sku } @{ $cart->{book}{products} };
    for my $category (@{ $product->{categories} }) {
        for (my $at = $category; defined $at; $at = $parent{$at}) {
            return 1 if grep { $_ eq $at } @{ $filter->{category} };
        }
    }
    return 0;
}

# A list of docs/carts/words.json: {titles, rows}.
sub words {
    my ($list) = @_;
    state $words = decode(slurp("$here/words.json"));
    return $words->{$list} // die "words.json has no list '$list'\n";
}

1;
