#!/usr/bin/perl
# An order that was tampered with, or damaged, place by place: each member of a stored
# quote, of its request and of the state between two returns is left out, made another
# figure or another type. Whatever it is, the answer is a refusal that names a place, or
# just what would have been refunded anyway; never more than was paid.

use strict;
use warnings;
use FindBin;
use File::Temp qw(tempdir);
use Cpanel::JSON::XS;
use Test::More;

my $calc = ($ENV{POS_BUILD} || "$FindBin::Bin/../../build") . '/poscalc';
die "no $calc: build first" unless -x $calc;
my $dir  = tempdir(CLEANUP => 1);
my $json = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);

sub spurt { my ($path, $text) = @_; open my $f, '>:raw', $path or die "$path: $!"; print $f $text; close $f; return }
sub slurp { my ($path) = @_; open my $f, '<:raw', $path or die "$path: $!"; local $/; return scalar <$f> }

sub calc {
    my ($book, $options, @lines) = @_;
    spurt("$dir/book", $json->encode($book));
    spurt("$dir/in", join '', map { $json->encode($_) . "\n" } @lines);
    my @out = map { $json->decode($_) } split /\n/, scalar `$calc --book $dir/book $options < $dir/in 2>$dir/err`;
    is($?, 0, "$options: poscalc lives") or diag(slurp("$dir/err"));
    is(scalar @out, scalar @lines, "$options: an answer to each of ${\ scalar @lines}");
    return @out;
}

my $shop = $json->decode(slurp("$FindBin::Bin/shop.json"));
$shop->{retailer}{cash_rounding} = 1;
my @promotions = (
    { id => 'half', class => 'line', then => [ { buy => [ { items => { sku => ['BOOT'] }, quantity => 1 } ], get => [ { items => { sku => ['BOOT'] }, quantity => 1, percent_off => 50 } ] } ] },
    { id => 'off', class => 'order', then => [ { amount_off => 2500, shipping => $true } ] },
    { id => 'mug', class => 'line', then => [ { gift => { sku => 'TEE', quantity => 1 } } ] },
);
my %visit = (currency => 'GBP', store => 'london', at => '2026-06-01T12:00:00Z', shipping => { method => 'm', amount => 495 });
my @lines = ({ id => '1', sku => 'BOOT', quantity => 3 }, { id => '2', sku => 'CHEESE', quantity => 0.354 }, { id => '3', sku => 'WATER', quantity => 2, discount => { amount => 10, reason => 'dent' } });

# Every path into a document, the longest first.
sub paths {
    my ($v, @path) = @_;
    return ((ref $v eq 'HASH' ? map { paths($v->{$_}, @path, $_) } sort keys %$v : ref $v eq 'ARRAY' ? map { paths($v->[$_], @path, $_) } 0 .. $#$v : ()), @path ? [@path] : ());
}

sub at : lvalue { my ($v, @path) = @_; my $last = pop @path; $v = ref $v eq 'HASH' ? $v->{$_} : $v->[$_] for @path; ref $v eq 'HASH' ? $v->{$last} : $v->[$last] }

sub changes {
    my ($document, @path) = @_;
    my $is = at($document, @path);
    my @to = (undef, 'x', 5, -1, 0.5, 9e15, $true, [], {}, [ 5, 'x', undef, {} ]);
    push @to, $is + 1, $is - 1, 2 * $is if !ref $is && $json->encode($is) =~ /^-?\d+$/;
    my @changed = map { my $copy = $json->decode($json->encode($document)); at($copy, @path) = $_; $copy } @to;
    my $less = $json->decode($json->encode($document));
    my $last = $path[-1];
    my $up = @path > 1 ? at($less, @path[ 0 .. $#path - 1 ]) : $less;
    ref $up eq 'HASH' ? delete $up->{$last} : splice @$up, $last, 1;
    return (@changed, $less);
}

for my $policy (qw(paid reprice)) {
    for my $included (0, 1) {
        my $book = { %$shop, promotions => \@promotions, retailer => { %{ $shop->{retailer} }, returns => $policy },
            price_lists => [ map { { %$_, tax_included => $included ? $true : $false } } @{ $shop->{price_lists} } ] };
        my $request = { %visit, lines => \@lines };
        my ($quote) = calc($book, '--for-order', $request);
        my $some = { quote => $quote, request => $request, lines => [ { line => 0, quantity => 1 }, { id => '2' } ] };
        my ($first) = calc($book, '--return', $some);
        my $rest = { quote => $quote, request => $request, before => $first->{state}, lines => [ map { { line => $_ } } 0, 2, 3 ], shipping => $true };
        my ($second) = calc($book, '--return', $rest);
        is($first->{refund} + $second->{refund}, $quote->{total}, "$policy: both returns are all that was paid");

        my $what = $policy . ($included ? ', tax included' : '');
        for my $case ([ $some, $first, 'quote' ], [ $some, $first, 'request' ], [ $some, $first, 'lines' ], [ $rest, $second, 'before' ], [ $rest, $second, 'shipping' ]) {
            my ($document, $answer, $part) = @$case;
            my @places = ref $document->{$part} ? map { [ $part, @$_ ] } paths($document->{$part}) : [$part];
            my (@asked, @at);
            for my $place (@places, [$part]) {
                my @changed = changes($document, @$place);
                push @asked, @changed;
                push @at, ("/@{[join '/', @$place]}") x @changed;
            }
            my @answers = calc($book, '--return', @asked);
            my ($refused, $same, $less, @bad) = (0, 0, 0);
            for my $i (0 .. $#answers) {
                my ($a, $d) = ($answers[$i], $asked[$i]);
                if ($a->{errors}) { $refused++; push @bad, [ 'names no place', $a, $d, $at[$i] ] if grep { !defined $_->{pointer} || !$_->{code} } @{ $a->{errors} }; next }
                if (!defined $a->{refund}) { push @bad, [ 'is no answer', $a, $d, $at[$i] ]; next }
                if ($a->{refund} == $answer->{refund}) { $same++; next }
                # Other lines may be asked for, a state may be another state, and a policy another policy;
                # never more than all that was paid.
                my $most = $quote->{total};
                if (($part ne 'quote' || $at[$i] eq '/quote/returns') && $a->{refund} >= 0 && $a->{refund} <= $most) { $less++; next }
                push @bad, [ "refunds $a->{refund} instead of $answer->{refund}", $a, $d, $at[$i] ];
            }
            is(scalar @bad, 0, "$what, $part: of ${\ scalar @asked} changes $refused are refused, $same change nothing, $less ask for something else")
                or diag(map { "$_->[3]: $_->[0]: ${\ $json->encode($_->[2])}\n" } @bad > 6 ? @bad[ 0 .. 5 ] : @bad);
            # By `paid` the request is not looked at.
            $policy eq 'paid' && $part eq 'request' ? is($same, scalar @asked, "$what: a request is not needed")
                : cmp_ok($refused, '>', @asked / 2, "$what, $part: most are refused");
        }
    }
}
done_testing;
