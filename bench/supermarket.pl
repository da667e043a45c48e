#!/usr/bin/perl
# Can the best choice be proved on a supermarket's carts? 40 lines, some 60 deals that apply and
# overlap: most within a category, a brand's across categories, meal deals over three.
#
# Times are of the whole quote, JSON to JSON. With nginx's steps: --budget 150000.
#
# usage: supermarket.pl [--books N] [--carts N] [--seed N] [--keep FOLDER] [--budget N]

use strict;
use warnings;

use Cpanel::JSON::XS;
use File::Temp;
use FindBin;
use Getopt::Long;

my %o = (books => 10, carts => 50, seed => 1, lines => 40, deals => 80, budget => 0);
GetOptions(\%o, 'books=i', 'carts=i', 'seed=i', 'lines=i', 'deals=i', 'keep=s', 'budget=i') or die "wrong use\n";
my $build   = $ENV{POS_BUILD} || "$FindBin::Bin/../build";
my $json    = Cpanel::JSON::XS->new->canonical;
my $folder  = $o{keep} || File::Temp->newdir;
my $state;

# The same numbers on every machine.
sub below {
    my ($n) = @_;
    $state = ($state * 1103515245 + 12345) & 0x7fffffff;
    return int(($state >> 8) * $n / (1 << 23));
}
sub one { return $_[below(scalar @_)] }

sub some {
    my ($n, @from) = @_;
    my @got;
    push @got, splice @from, below(scalar @from), 1 while @from && @got < $n;
    return sort @got;
}

my @categories = map { "aisle-$_" } 1 .. 12;

sub products {
    my @products;
    for my $c (0 .. $#categories) {
        my $level = 60 + 40 * below(12);
        for my $n (1 .. 10) {
            push @products, { sku => sprintf('%02d-%02d', $c, $n), name => "p$c-$n", unit => 'each', tax_category => 'standard',
                categories => [$categories[$c]], brand => 'brand-' . below(15),
                price => $level + 5 * below(60) - one(0, 0, 1) };
        }
    }
    return @products;
}

# One deal on the units of these products.
sub deal {
    my (@skus) = @_;
    my $items = { sku => \@skus };
    my %kinds = (
        three_for_two => sub { { nth => { items => $items, group => 3, position => 3, percent_off => 100 } } },
        second_half   => sub { { nth => { items => $items, group => 2, position => 2, percent_off => 50 } } },
        any_for       => sub { my $n = 2 + below(2); { bundle => [{ items => $items, quantity => $n }], price => $n * (100 + 25 * below(12)) } },
        any_percent   => sub { { bundle => [{ items => $items, quantity => 2 + below(3) }], percent_off => one(10, 15, 20, 25) } },
        buy_get       => sub { { buy => [{ items => $items, quantity => 1 + below(2) }],
            get => [{ items => $items, quantity => 1, percent_off => one(50, 100) }], repeat => one(1, 2, 3) } },
    );
    return $kinds{ one(sort keys %kinds) }->();
}

sub meal {
    my (@products) = @_;
    my @parts;
    for my $aisle (some(3, @categories)) {
        push @parts, { items => { sku => [some(3, map { $_->{sku} } grep { $_->{categories}[0] eq $aisle } @products)] }, quantity => 1 };
    }
    return { bundle => \@parts, price => 400 + 50 * below(12), repeat => one(1, 2) };
}

sub book {
    my ($optimise, $deals, @products) = @_;
    return { retailer => { code => 'mart', currency => 'GBP', timezone => 'Europe/London', optimise => $optimise },
        stores => [{ code => 's', tax_region => 'GB', timezone => 'Europe/London' }],
        categories => [map { { code => $_, parent => undef } } @categories],
        products => [map { my %p = %$_; delete $p{price}; \%p } @products],
        price_lists => [{ code => 'base', currency => 'GBP', tax_included => Cpanel::JSON::XS::true, priority => 0 }],
        prices => [map { { sku => $_->{sku}, list => 'base', amount => $_->{price} } } @products],
        taxes => [{ region => 'GB', category => 'standard', code => 'vat', percent => 20, compound => Cpanel::JSON::XS::false }],
        promotions => $deals, coupons => [] };
}

sub deals {
    my (@products) = @_;
    my @deals;
    for my $n (1 .. $o{deals}) {
        my $kind = below(10);
        my $one;
        if ($kind < 7) {
            my $aisle = one(@categories);
            $one = deal(some(2 + below(4), map { $_->{sku} } grep { $_->{categories}[0] eq $aisle } @products));
        } elsif ($kind < 9) {
            $one = deal(some(4 + below(3), map { $_->{sku} } @products));
        } else {
            $one = meal(@products);
        }
        push @deals, { id => sprintf('d%03d', $n), name => "d$n", class => 'line', priority => below(3), then => [$one] };
    }
    push @deals, { id => 'm1', name => 'm1', class => 'line', then => [{ percent_off => 10, items => { brand => ['brand-1'] } }] };
    push @deals, { id => 'm2', name => 'm2', class => 'line', then => [{ amount_off => 20, items => { brand => ['brand-2'] } }] };
    push @deals, { id => 'o1', name => 'o1', class => 'order', when => { customer => { groups => ['club'] } }, then => [{ percent_off => 5 }] };
    return \@deals;
}

sub cart {
    my (@products) = @_;
    my $line = 0;
    return { currency => 'GBP', store => 's', at => '2026-11-27T09:00:00Z',
        # A draw more than is looked at: the figures in docs/solver.md were made with it.
        customer => do { one(0, 1); { id => 'c', groups => one([], ['club']) } },
        lines => [map { { id => '' . ++$line, sku => $_, quantity => one(1, 1, 1, 1, 2, 2, 3, 4) } } some($o{lines}, map { $_->{sku} } @products)] };
}

sub spurt { my ($file, $text) = @_; open my $f, '>', $file or die "$file: $!\n"; print $f $text; close $f or die }

sub stats {
    my ($book, $requests) = @_;
    my $budget = $o{budget} ? "--budget $o{budget}" : '';
    open my $in, '-|', "$build/poscalc --book $book --stats $budget < $requests" or die;
    return map { $json->decode($_) } <$in>;
}

sub at { my ($share, @sorted) = @_; return $sorted[int($share * $#sorted)] }

my (@all, %sum);
for my $b (1 .. $o{books}) {
    $state = $o{seed} * 1000 + $b;
    below(2) for 1 .. 10;
    my @products = products();
    my $deals    = deals(@products);
    spurt("$folder/$_-$b.json", $json->encode(book($_, $deals, @products))) for qw(customer priority);
    spurt("$folder/carts-$b.ndjson", join '', map { $json->encode(cart(@products)) . "\n" } 1 .. $o{carts});
    my @best   = stats("$folder/customer-$b.json", "$folder/carts-$b.ndjson");
    my @greedy = stats("$folder/priority-$b.json", "$folder/carts-$b.ndjson");
    for my $i (0 .. $#best) {
        $sum{deals} += $best[$i]{candidates};
        $sum{proved} += $best[$i]{optimal} ? 1 : 0;
        $sum{soon} += $best[$i]{optimal} && $best[$i]{us} <= 2000 ? 1 : 0;
        $sum{total} += $best[$i]{total};
        $sum{greedy} += $greedy[$i]{total};
        $sum{worse}++ if $greedy[$i]{total} > $best[$i]{total};
        push @all, $best[$i];
    }
}
my $n = @all or die "no carts\n";
printf "carts                    %d, of %d lines, %.1f promotions each\n", $n, $o{lines}, $sum{deals} / $n;
printf "proved best              %.2f %%\n", 100 * $sum{proved} / $n;
printf "proved within 2 ms       %.2f %%\n", 100 * ($sum{soon} || 0) / $n;
printf "greedy is not best       %.1f %%, and costs %.2f %% more\n", 100 * ($sum{worse} || 0) / $n, 100 * ($sum{greedy} / $sum{total} - 1);
for my $what (qw(us nodes work)) {
    my @sorted = sort { $a <=> $b } map { $_->{$what} } @all;
    printf "%-24s p50 %.0f, p99 %.0f, max %.0f\n", $what, at(0.5, @sorted), at(0.99, @sorted), $sorted[-1];
}
