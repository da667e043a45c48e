package PosCarts;

# Carts with expected figures, priced by poscalc: what the tests of our own cases
# and of the peers' have in common.
#
#   my @answers = price_all({book => $book, requests => [$request, ...]}, ...);
#   my @bad     = differences($expect, $quote);   # one a line of text

use v5.30;
use warnings;

use Cpanel::JSON::XS ();
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp qw(tempdir);

our @EXPORT_OK = qw(price_all calculator encode decode slurp sum whole_book differences broken_invariants fault_differences);

my $root = dirname(__FILE__) . '/../..';
my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my $dir  = tempdir(CLEANUP => 1);

sub calculator { return ($ENV{POS_BUILD} // "$root/build") . '/poscalc' }
sub encode     { return $json->encode($_[0]) }
sub decode     { return $json->decode($_[0]) }

sub slurp {
    my ($path) = @_;
    open my $f, '<:raw', $path or die "$path: $!";
    local $/;
    return scalar <$f>;
}

sub spew {
    my ($path, @text) = @_;
    open my $f, '>:raw', $path or die "$path: $!";
    print $f @text;
    close $f or die "$path: $!";
    return;
}

# The book of a case: its own sections, those of the shared book that it names, and the
# shop's. Prices of products and lists that the case leaves out go with them.
sub whole_book {
    my ($shop, $case, $books) = @_;
    my $part = $case->{book} // {};
    my $name = ref $part ? $part->{like} : $part;
    if (defined $name) {
        my $shared = $books->{$name} or die "$case->{id}: there is no book '$name'";
        $part = { %$shared, ref $part ? %$part : () };
        delete $part->{like};
    }
    my %book = (%$shop, %$part);
    for my $of ([products => 'sku', 'sku'], [price_lists => 'code', 'list']) {
        my ($section, $key, $member) = @$of;
        next if !$part->{$section} || $part->{prices};
        my %there = map { $_->{$key} => 1 } @{ $book{$section} };
        $book{prices} = [grep { $there{ $_->{$member} } } @{ $book{prices} }];
    }
    return \%book;
}

# Answers to books with their requests, [{book, requests}, ...]: for each a list with a
# document a request, the book's problem where the book is refused. One process prices
# them all; one that dies is started again behind the book it died of, and the requests
# to that have no answer.
sub price_all {
    my (@entries) = @_;
    my @answers;
    while (@entries) {
        spew("$dir/batch", map { encode($_) . "\n" } @entries);
        my $calculator = calculator();
        my @lines = split /\n/, qx{$calculator --batch < $dir/batch 2> $dir/stderr};
        my $code  = $?;
        while (@entries && @lines >= @{ $entries[0]{requests} }) {
            my $entry = shift @entries;
            push @answers, [map { decode($_) } splice @lines, 0, scalar @{ $entry->{requests} }];
        }
        last if !$code && !@entries;
        die "poscalc: $code: " . slurp("$dir/stderr") if !$code || $code >> 8 == 2 || !@entries;
        push @answers, [map { decode($_) } @lines];
        shift @entries;
    }
    return @answers;
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
    };
}

# How a quote differs from what a case expects; `$tolerance` is in minor units.
sub differences {
    my ($expect, $quote, $tolerance) = @_;
    $tolerance //= 0;
    my $got = figures($quote);
    my @bad;
    for my $name (grep { defined $expect->{$_} } sort keys %$got) {
        push @bad, "$name: expected $expect->{$name}, got $got->{$name}"
            if abs($expect->{$name} - $got->{$name}) > $tolerance;
    }
    my $wanted = by_sku($expect->{lines} // [], 'total');
    my $is     = by_sku($quote->{lines}, 'total');
    for my $sku (sort keys %$wanted) {
        push @bad, "line $sku: expected $wanted->{$sku}, got " . ($is->{$sku} // 'nothing')
            if !defined $is->{$sku} || abs($wanted->{$sku} - $is->{$sku}) > $tolerance;
    }
    return (@bad, members($expect->{quote}, $quote), applied($expect->{applied}, $quote), explained($expect, $quote));
}

# Any member of the quote by its path.
sub members {
    my ($want, $quote) = @_;
    my @bad;
    for my $path (sort keys %{ $want // {} }) {
        my $at = $quote;
        for my $step (split m{/}, substr $path, 1) {
            $at = ref $at eq 'ARRAY' ? $at->[$step] : ref $at eq 'HASH' ? $at->{$step} : undef;
        }
        push @bad, "$path: expected @{[encode($want->{$path})]}, got @{[encode($at)]}"
            if encode($at) ne encode($want->{$path});
    }
    return @bad;
}

sub applied {
    my ($want, $quote) = @_;
    return if !$want;
    my ($is, $ids) = map { join ' ', sort @$_ } [map { $_->{id} } @{ $quote->{promotions} }], $want;
    return $is eq $ids ? () : "applied: expected $ids, got $is";
}

# What explain says, each by promotion: `reasons`; `missing`, of which a case names what
# matters; `without`; `beaten_by` whom a promotion lost and `by` how much.
sub explained {
    my ($expect, $quote) = @_;
    my %by = map { $_->{id} => $_ } @{ $quote->{explain} // [] };
    my @bad;
    my $compare = sub {
        my ($what, $id, $want, $is) = @_;
        push @bad, "$what of $id: expected @{[encode($want)]}, got @{[encode($is)]}" if encode($want) ne encode($is);
    };
    for my $id (sort keys %{ $expect->{reasons} // {} }) {
        my $e = $by{$id};
        $compare->('reason', $id, $expect->{reasons}{$id},
            !$e ? 'not explained' : $e->{reason} // ($e->{applied} ? 'applied' : '?'));
    }
    for my $id (sort keys %{ $expect->{missing} // {} }) {
        my ($want, $is) = ($expect->{missing}{$id}, $by{$id}{missing} // {});
        $compare->('missing', $id, $want, { map { $_ => $is->{$_} } keys %$want });
    }
    for my $what ([without => 'without'], [beaten_by => 'promotion'], [by => 'amount']) {
        my ($name, $member) = @$what;
        $compare->($name, $_, $expect->{$name}{$_}, $by{$_}{$member}) for sort keys %{ $expect->{$name} // {} };
    }
    return @bad;
}

# Faults as "pointer code", in any order.
sub fault_differences {
    my ($want, $problem) = @_;
    my ($is, $faults) = map { join "\n    ", sort @$_ }
        [map { "$_->{pointer} $_->{code}" } @{ $problem->{errors} // [] }], $want;
    return $is eq $faults ? () : "faults: expected\n    $faults\n  got\n    " . ($is || encode($problem));
}

# Names what a quote must keep, whatever it is about.
sub broken_invariants {
    my ($quote) = @_;
    my ($lines, @bad) = ($quote->{lines});
    for my $l (@$lines) {
        my $at    = "line $l->{sku}";
        my @units = @{ $l->{units} // [] };
        push @bad, "$at: units pay @{[sum(map { $_->{paid} } @units)]} of $l->{total}"
            if @units && sum(map { $_->{paid} } @units) != $l->{total};
        push @bad, "$at: total is not subtotal - discount" if $l->{subtotal} - $l->{discount} != $l->{total};
        my $off = -sum(map { $_->{amount} } @{ $l->{adjustments} // [] });
        push @bad, "$at: adjustments sum to $off of $l->{discount}" if $off != $l->{discount};
        push @bad, "$at: $_ is below zero" for grep { $l->{$_} < 0 } qw(subtotal discount total fees);
    }
    my $off = sum(map { $_->{discount} } @$lines) + ($quote->{shipping} ? $quote->{shipping}{discount} : 0);
    push @bad, "discount $quote->{discount} is not $off" if $quote->{discount} != $off;
    my $subtotal = sum(map { $_->{subtotal} } @$lines);
    push @bad, "subtotal $quote->{subtotal} is not $subtotal" if $quote->{subtotal} != $subtotal;
    my $total = sum(map { $_->{total} } @$lines) + $quote->{fees} + $quote->{shipping_total}
        + ($quote->{tax_included} ? 0 : $quote->{tax});
    push @bad, "total $quote->{total} is not $total" if $quote->{total} != $total;
    return @bad;
}

1;
