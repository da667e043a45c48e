#!/usr/bin/perl
# Carts with expected figures, priced by poscalc: ours in engine/t/cases, and
# the given ones where they are there. A case that contradicts the design is
# named below with its reason, and must still be answered.
#
# Our cases say only what matters to them: sections that `book` does not give
# are those of engine/t/shop.json, and a request is from London at noon UTC.
use v5.30;
use warnings;
use FindBin qw($Bin);
use File::Temp qw(tempdir);
use JSON::PP ();
use Test::More;

my %CONTRADICTS = (
    'odoo-negative-line-10' => 'a price is never negative (a price of -500 is refused with its place)',
    'odoo-uses-1'           => 'the use counted before is not in the documents: there is no limit to be reached',
    'solidus-tier-lines-1'  => 'the base rate of 10 % is not in the documents: 10.00 reaches no tier of 20.00',
    'solidus-tier-jpy'      => 'the base rate of 10 % is not in the documents: 15 reaches no tier of 20',
);

my $root    = "$Bin/../..";
my $poscalc = ($ENV{POS_BUILD} // "$root/build") . '/poscalc';
plan skip_all => "$poscalc is not built" if !-x $poscalc;

my $json = JSON::PP->new->utf8->canonical;
my $dir  = tempdir(CLEANUP => 1);

sub slurp {
    my ($path) = @_;
    open my $f, '<:raw', $path or die "$path: $!";
    local $/;
    return <$f>;
}

# One book, one request, one document out; and the exit code.
sub poscalc {
    my ($book, @requests) = @_;
    open my $f, '>:raw', "$dir/book.json" or die $!;
    print $f ref $book ? $json->encode($book) : $book;
    close $f;
    open my $in, '>:raw', "$dir/requests" or die $!;
    print $in ref $_ ? $json->encode($_) : $_, "\n" for @requests;
    close $in;
    my $out = qx{$poscalc --book $dir/book.json < $dir/requests 2>$dir/stderr};
    my @lines = split /\n/, $out;
    return ($? >> 8, map { $json->decode($_) } @lines);
}

sub sum {
    my $sum = 0;
    $sum += $_ for @_;
    return $sum;
}

sub by_sku {
    my ($lines, $field) = @_;
    my %by;
    $by{ $_->{sku} } += $_->{$field} for @$lines;
    return \%by;
}

# What a quote says in the words of a case's `expect`.
sub figures {
    my ($quote) = @_;
    my $lines = $quote->{lines};
    return {
        subtotal    => $quote->{subtotal},
        discount    => sum(map { $_->{discount} } @$lines),
        items_total => sum(map { $_->{total} } @$lines),
        total       => $quote->{total},
        tax         => $quote->{tax},
        shipping    => $quote->{shipping_total},
        lines       => by_sku($lines, 'total'),
    };
}

# The differences, one a line of text.
sub differences {
    my ($case, $quote) = @_;
    my $expect    = $case->{expect};
    my $tolerance = $case->{tolerance_minor} // $expect->{tolerance_minor} // 0;
    my $got       = figures($quote);
    my @bad;
    for my $name (qw(subtotal discount items_total total tax shipping)) {
        next if !defined $expect->{$name};
        push @bad, "$name: expected $expect->{$name}, got $got->{$name}"
            if abs($expect->{$name} - $got->{$name}) > $tolerance;
    }
    my $wanted = by_sku($expect->{lines} // [], 'total');
    for my $sku (sort keys %$wanted) {
        my $is = $got->{lines}{$sku} // 'nothing';
        push @bad, "line $sku: expected $wanted->{$sku}, got $is"
            if $is eq 'nothing' || abs($wanted->{$sku} - $is) > $tolerance;
    }
    return @bad, other_differences($expect, $quote);
}

# Our own cases say more: any member of the quote by its path, the problem's
# faults, the promotions that applied, coupons and what explain says.
sub other_differences {
    my ($expect, $quote) = @_;
    my @bad;
    for my $path (sort keys %{ $expect->{quote} // {} }) {
        my $at = $quote;
        for my $step (split m{/}, substr $path, 1) {
            $at = ref $at eq 'ARRAY' ? $at->[$step] : ref $at eq 'HASH' ? $at->{$step} : undef;
        }
        my ($is, $want) = map { JSON::PP->new->canonical->allow_nonref->encode($_) }
            $at, $expect->{quote}{$path};
        push @bad, "$path: expected $want, got $is" if $is ne $want;
    }
    if (my $want = $expect->{applied}) {
        my @is = sort map { $_->{id} } @{ $quote->{promotions} };
        push @bad, "applied: expected @{[sort @$want]}, got @is" if "@is" ne "@{[sort @$want]}";
    }
    for my $id (sort keys %{ $expect->{reasons} // {} }) {
        my ($e) = grep { $_->{id} eq $id } @{ $quote->{explain} // [] };
        my $is = $e ? $e->{reason} // ($e->{applied} ? 'applied' : '?') : 'not explained';
        push @bad, "reason of $id: expected $expect->{reasons}{$id}, got $is"
            if $is ne $expect->{reasons}{$id};
    }
    for my $id (sort keys %{ $expect->{missing} // {} }) {
        my ($e) = grep { $_->{id} eq $id } @{ $quote->{explain} // [] };
        my ($is, $want) = map { $json->encode($_ // {}) } $e->{missing}, $expect->{missing}{$id};
        push @bad, "missing of $id: expected $want, got $is" if $is ne $want;
    }
    return @bad;
}

# Faults as "pointer code", in order of their pointers.
sub fault_differences {
    my ($want, $problem) = @_;
    my @is   = sort map { "$_->{pointer} $_->{code}" } @{ $problem->{errors} // [] };
    my @want = sort @$want;
    return "@is" eq "@want" ? () : "faults: expected @want, got @is";
}

# Names what a quote must keep, whatever it is about.
sub broken_invariants {
    my ($quote) = @_;
    my ($lines, @bad) = ($quote->{lines});
    for my $l (@$lines) {
        my $paid = sum(map { $_->{paid} } @{ $l->{units} // [] });
        push @bad, "line $l->{id}: units pay $paid of $l->{total}"
            if $l->{units} && $paid != $l->{total};
        push @bad, "line $l->{id}: total is not subtotal - discount"
            if $l->{subtotal} - $l->{discount} != $l->{total};
        my $off = sum(map { $_->{amount} } @{ $l->{adjustments} // [] });
        push @bad, "line $l->{id}: adjustments sum to $off" if -$off != $l->{discount};
        push @bad, "line $l->{id}: below zero" if $l->{total} < 0;
    }
    my $goods = sum(map { $_->{total} } @$lines) + $quote->{fees} + $quote->{shipping_total};
    my $total = $goods + ($quote->{tax_included} ? 0 : $quote->{tax});
    push @bad, "total $quote->{total} is not $total" if $quote->{total} != $total;
    return @bad;
}

my $shop = $json->decode(slurp("$Bin/shop.json"));
my %visit = (currency => 'GBP', store => 'london', channel => 'web', at => '2026-06-01T12:00:00Z');

# Prices of products that the case leaves out go with them.
sub whole_book {
    my ($part) = @_;
    my %book = (%$shop, %{ $part // {} });
    if ($part->{products} && !$part->{prices}) {
        my %there = map { $_->{sku} => 1 } @{ $book{products} };
        $book{prices} = [grep { $there{ $_->{sku} } } @{ $book{prices} }];
    }
    if (my $lists = $part->{price_lists}) {
        my %there = map { $_->{code} => 1 } @$lists;
        $book{prices} = [grep { $there{ $_->{list} } } @{ $book{prices} }];
    }
    return \%book;
}

sub check {
    my ($case, $given) = @_;
    my ($id, $expect) = @$case{qw(id expect)};
    my ($code, $out) = $given ? poscalc($case->{book}, $case->{request})
        : poscalc(whole_book($case->{book}), { %visit, %{ $case->{request} } });
    my @bad;
    if (!defined $out) {
        @bad = ("no answer, exit code $code: " . slurp("$dir/stderr"));
    } elsif ($expect->{faults}) {
        @bad = fault_differences($expect->{faults}, $out);
    } elsif (!exists $out->{lines}) {
        @bad = ('a problem: ' . $json->encode($out));
    } else {
        @bad = (differences($case, $out), broken_invariants($out));
    }
    if (my $why = $CONTRADICTS{$id}) {
        ok(@bad && defined $out, "$id: the design says otherwise: $why");
        return 1;
    }
    ok(!@bad, "$id: $case->{shows}") or diag(map { "  $_\n" } @bad);
    return !@bad;
}

my @files = (sort(glob "$Bin/cases/*.json"),
    grep { !/splitting/ } sort glob "$root/../shared/data/cases/*.json");
my (@failed, $count);
for my $file (@files) {
    my $cases = $json->decode(slurp($file));
    for my $case (ref $cases eq 'ARRAY' ? @$cases : $cases) {
        $count++;
        push @failed, $case->{id} if !check($case, $file =~ m{shared/data});
    }
}
note("the given cases are not here: only ours were run") if !glob "$root/../shared/data/cases/*.json";
diag(scalar(@failed) . " of $count cases failed: @failed") if @failed;
done_testing();
