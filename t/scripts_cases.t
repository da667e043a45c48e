#!/usr/bin/perl
# The shipped promotions keep what their own cases promise: every script is loaded in the
# sandbox, and each of its cases priced by poscalc against a book made from the case.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use IPC::Open2 qw(open2);
use JSON::PP;
use Test::More;

my $root  = "$FindBin::Bin/..";
my $build = $ENV{POS_BUILD} || "$root/build";
my $json  = JSON::PP->new->utf8->canonical->allow_nonref;
my $dir   = tempdir(CLEANUP => 1);
my @files = sort glob "$root/scripts/promotions/*.lua";

cmp_ok(scalar @files, '>=', 14, 'there is a library');
my $with_code = 0;
for my $file (@files) {
    my ($name) = $file =~ m{([^/]+)\.lua$};
    my @promotions = load($file);
    ok(@promotions, "$name loads") or next;
    like(slurp($file), qr/\A-- [A-Z].*[.:]\n/, "$name says in one line what it does");
    is($promotions[0]{id}, $name, "$name carries its file's name");
    is(qx{'$build/posscript' --rehearse '$file' 2>&1 >/dev/null}, '', "$name: a rehearsal finds nothing");
    for my $promotion (@promotions) {
        $with_code += !!$promotion->{code};
        cmp_ok(scalar @{ $promotion->{cases} }, '>=', 2, "$promotion->{id} has cases");
        run_case($file, $promotion, $_) for @{ $promotion->{cases} };
    }
}
cmp_ok($with_code, '>=', 10, 'at least ten are code');
SKIP: {
    skip 'luacheck is not here', 1 if !grep { -x "$_/luacheck" } split /:/, $ENV{PATH};
    my $said = qx{cd '$root' && luacheck -q --no-color scripts/promotions 2>&1};
    is($? >> 8, 0, 'luacheck finds nothing') or diag($said);
}
done_testing();

sub load {
    my ($file) = @_;
    open my $out, '-|', "$build/posscript", $file or die "posscript: $!\n";
    my @lines = <$out>;
    close $out or diag("$file does not load");
    return map { $json->decode($_) } @lines;
}

sub run_case {
    my ($file, $promotion, $case) = @_;
    my $cart = $case->{cart};
    my $name = "$promotion->{id}: $case->{name}";
    my $path = "$dir/book.json";
    open my $book, '>', $path or die "$path: $!\n";
    print {$book} $json->encode(book_of($file, $promotion, $case));
    close $book or die "$path: $!\n";
    my $quote = quote($path, request_of($cart));
    if (!defined $quote->{total}) {
        fail($name);
        diag($json->encode($quote));
        return;
    }
    my @wrong = compare($promotion->{id}, $case->{expect}, $quote);
    ok(!@wrong, $name) or diag(join "\n", @wrong, $json->encode($quote));
    return;
}

# ---- a case's book: its lines' products, its promotion, nothing else ----

sub book_of {
    my ($file, $promotion, $case) = @_;
    my $cart = $case->{cart};
    my $currency = $cart->{currency} || 'GBP';
    my (%products, %categories, @prices);
    for my $line (@{ $cart->{products} || [] }, @{ $cart->{lines} }) {
        next if $products{ $line->{sku} };
        $products{ $line->{sku} } = product_of($line);
        $categories{$_} = undef for @{ $line->{categories} || [] };
        push @prices, price($line, $line->{price}, 'regular');
        push @prices, price($line, $line->{sale}, 'sale') if defined $line->{sale};
    }
    $categories{ $_->{code} } = $_->{parent} for @{ $cart->{categories} || [] };
    return {
        retailer => {
            code => 'case', currency => $currency, timezone => $cart->{timezone} || 'Europe/London', points_per => 100,
            script_cost => $cart->{script_cost} ? JSON::PP::true : JSON::PP::false,
        },
        stores      => [{ code => $cart->{store} || 'shop', tax_region => 'none' }],
        categories  => [map { { code => $_, defined $categories{$_} ? (parent => $categories{$_}) : () } } sort keys %categories],
        products    => [map { $products{$_} } sort keys %products],
        price_lists => [{ code => 'base', currency => $currency, tax_included => JSON::PP::true, priority => 0 }],
        prices      => \@prices,
        taxes       => [],
        promotions  => [{
            id => $promotion->{id}, script => decoded($file),
            $case->{settings} ? (settings => $case->{settings}) : (),
        }],
        coupons     => [map { { code => $_, promotions => [$promotion->{id}] } } @{ $cart->{coupons} || [] }],
    };
}

sub product_of {
    my ($line) = @_;
    my %product = (sku => $line->{sku}, name => $line->{name} || $line->{sku}, unit => $line->{unit} || 'each');
    for my $field (qw(categories brand tags cost weight_grams tax_category fees min_price)) {
        $product{$field} = $line->{$field} if defined $line->{$field};
    }
    return \%product;
}

sub price {
    my ($line, $amount, $kind) = @_;
    my $least = ($line->{unit} || 'each') eq 'each' ? 1 : 0.001;
    return { sku => $line->{sku}, list => 'base', amount => $amount, min_quantity => $least, kind => $kind };
}

# ---- a case's request: the cart without its products' facts ----

sub request_of {
    my ($cart) = @_;
    my %request = (currency => $cart->{currency} || 'GBP', store => $cart->{store} || 'shop', channel => $cart->{channel} || 'web');
    $request{at} = $cart->{at} || '2026-11-27T12:00:00';
    for my $field (qw(customer coupons tenders fulfilment ship_to shipping attributes session)) {
        $request{$field} = $cart->{$field} if defined $cart->{$field};
    }
    my $n = 0;
    for my $line (@{ $cart->{lines} }) {
        my %of = (id => '' . ++$n, sku => $line->{sku}, quantity => $line->{quantity} || 1);
        for my $field (qw(attributes price_override discount)) {
            $of{$field} = $line->{$field} if defined $line->{$field};
        }
        push @{ $request{lines} }, \%of;
    }
    $request{explain} = JSON::PP::true;
    return \%request;
}

sub quote {
    my ($book, $request) = @_;
    my $pid = open2(my $out, my $in, "$build/poscalc", '--book', $book);
    print {$in} $json->encode($request), "\n";
    close $in;
    my $answer = <$out>;
    waitpid $pid, 0;
    return defined $answer ? eval { $json->decode($answer) } || { answer => $answer } : { exit => $? };
}

# ---- what is expected of the quote ----

sub compare {
    my ($id, $expect, $quote) = @_;
    my ($explained) = grep { $_->{id} eq $id } @{ $quote->{explain} || $quote->{explained} || [] };
    my @wrong;
    for my $key (sort keys %$expect) {
        my $want = $expect->{$key};
        my $got =
            $key eq 'lines'    ? by_sku($quote, $want, sub { $_[0]{discount} })
          : $key eq 'gifts'    ? by_sku($quote, $want, sub { $_[0]{total} == 0 ? $_[0]{quantity} : undef })
          : $key eq 'reason'   ? $explained->{reason}
          : $key eq 'missing'  ? $explained->{missing}
          : $key eq 'messages' ? [map { ref $_ ? $_->{text} || $_->{message} : $_ } @{ $quote->{messages} || [] }]
          :                      $quote->{$key};
        push @wrong, "$key: " . $json->encode($got) . ' instead of ' . $json->encode($want)
            if $json->encode($got) ne $json->encode($want);
    }
    return @wrong;
}

# The figure of each SKU named in the expectation, summed over its lines.
sub by_sku {
    my ($quote, $want, $figure) = @_;
    my %sum;
    for my $line (@{ $quote->{lines} }) {
        my $n = exists $want->{ $line->{sku} } ? $figure->($line) : undef;
        $sum{ $line->{sku} } += $n if defined $n;
    }
    return \%sum;
}

sub slurp   { my ($path) = @_; open my $f, '<:raw', $path or die "$path: $!\n"; local $/; return scalar <$f> }
sub decoded { my $text = slurp(@_); utf8::decode($text); return $text }
