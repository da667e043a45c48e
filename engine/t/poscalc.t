#!/usr/bin/perl
# poscalc's command line: what it does not understand it says in a line, with exit code 2.

use strict;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use lib "$FindBin::Bin/../../t/lib";
use PosCarts;
use Test::More;

plan skip_all => PosCarts::calculator() . ' is not built' if !-x PosCarts::calculator();

my $dir = tempdir(CLEANUP => 1);
my $book = encode_json({ retailer => { code => 'a', currency => 'GBP' }, products => [{ sku => 'S', name => 'S', tax_category => 's' }],
    price_lists => [{ code => 'b', currency => 'GBP', tax_included => JSON::PP::true }], prices => [{ sku => 'S', list => 'b', amount => 100 }] });
write_file('book', $book);
write_file('cart', qq({"currency":"GBP","at":"2026-03-02T12:00:00Z","lines":[{"id":"1","sku":"S","quantity":2}]}\n));

my @wrong = (
    [[], '--book is needed, or --batch'],
    [['--frobnicate'], '--frobnicate is no option'],
    [['--book'], '--book needs a value'],
    [[qw(--book BOOK --budget -5)], '--budget needs a whole number above zero'],
    [[qw(--book BOOK --budget 5x)], '--budget needs a whole number above zero'],
    [[qw(--book BOOK --budget 99999999999999999999)], '--budget needs a whole number above zero'],
    [[qw(--book BOOK --bench 0)], '--bench needs a whole number above zero'],
    [[qw(--book BOOK --batch)], '--batch goes with none of --book, --check, --stats, --bench and --order-book'],
    [[qw(--book BOOK --stats --bench 3)], '--check, --stats and --bench are one at a time'],
    [[qw(--book BOOK --return --explain)], '--return goes with neither --explain nor --stats'],
    [[qw(--book BOOK --order-book BOOK)], '--order-book needs --return'],
);
for my $case (@wrong) {
    my ($args, $said) = @$case;
    my ($code, $out, $err) = calc(@$args);
    is_deeply([$code, $out, $err], [2, '', "poscalc: $said; see poscalc --help\n"], "poscalc @$args");
}

my ($code, $out, $err) = calc('--help');
is("$code $err", '0 ', '--help is no mistake');
like($out, qr/^  \Q$_\E\b/m, "and tells of $_") for qw(--batch --explain --at --for-order --return --order-book --budget --stats --bench --check --zoneinfo);
($code, $out, $err) = calc(qw(--book BOOK --stats));
my $stats = decode_json($out);
is_deeply([$code, @$stats{qw(quote optimal lines total)}], [0, JSON::PP::true, JSON::PP::true, 1, 200], '--stats') or diag($out);
($code, $out) = calc(qw(--book BOOK --budget 5));
is(decode_json($out)->{total}, 200, '--budget');

# What its author may not have meant is told beside a sound book's revision.
write_file('warned', encode_json({
    %{ decode_json($book) },
    experiments => [{ code => 'e', arms => [{ code => 'a', weight => 0 }, { code => 'b', weight => 1 }] }],
    promotions  => [
        { id => 'p', class => 'line', then => [{ percent_off => 5, items => { sku => ['NO'], category => ['none'] } }], when => { store => ['moon'] } },
        { id => 'q', class => 'order', coupon => JSON::PP::true, then => [{ amount_off => 1 }] },
        { id => 'r', class => 'order', experiment => { code => 'e', arm => 'a' }, then => [{ amount_off => 1 }] },
        { id => 's', class => 'order', when => { all => [{ channel => ['web'] }, { tender => ['cash'] }, { channel => ['pos'] }] }, then => [{ amount_off => 1 }] },
        { id => 't', class => 'order', coupon => JSON::PP::true, experiment => { code => 'e', arm => 'b' },
            when => { all => [{ channel => ['web', 'pos'] }, { channel => ['pos'] }] }, then => [{ amount_off => 1 }] },
    ],
    coupons => [{ code => 'C', promotions => ['t'] }],
}));
($code, $out, $err) = calc("--book", "$dir/warned", "--check");
my $checked = eval { decode_json($out) } // {};
is_deeply([$code, $err, $checked->{promotions}, sort map { "$_->{pointer} $_->{code}" } @{ $checked->{warnings} }], [0, '', 5,
    '/promotions/0/then/0/items/category/0 unknown_category', '/promotions/0/then/0/items/sku/0 unknown_sku', '/promotions/0/when/store/0 unknown_store',
    '/promotions/1/coupon never_applied', '/promotions/2/experiment/arm never_applied', '/promotions/3/when/all/2 never_applied'],
    '--check warns of names that are not there, and of promotions that no cart can get') or diag($out);
($code, $out) = calc(qw(--book BOOK --check));
is_deeply(decode_json($out)->{warnings}, [], 'and of nothing else');

done_testing;

sub write_file {
    my ($name, $text) = @_;
    open my $f, '>', "$dir/$name" or die "$name: $!";
    print $f $text;
    close $f or die "$name: $!";
    return;
}

sub calc {
    my @args = map { $_ eq 'BOOK' ? "$dir/book" : $_ } @_;
    my $status = system 'sh', '-c', 'out=$1; shift; exec "$@" <"$out/cart" >"$out/out" 2>"$out/err"', 'sh', $dir, PosCarts::calculator(), @args;
    return ($status >> 8, map { my $name = $_; open my $f, '<', "$dir/$name" or die "$name: $!"; local $/; scalar(<$f>) // '' } qw(out err));
}
