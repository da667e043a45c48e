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

die PosCarts::calculator() . ' is not built' if !-x PosCarts::calculator();

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

# A book that is at fault: its problem is a line out, its first fault a line for people.
write_file('broken', '{"retailer":{"code":"a","currency":"XYZ"},"stores":5}');
($code, $out, $err) = calc('--book', "$dir/broken");
is_deeply([ $code, map { "$_->{pointer} $_->{code}" } @{ decode_json($out)->{errors} } ], [ 1, '/retailer/currency unknown_currency', '/stores type' ], 'a book at fault');
is($err, qq(poscalc: the book has 2 faults; first at "/retailer/currency": is no ISO 4217 currency\n), 'which is said');
write_file('broken', '{"retailer":');
($code, $out, $err) = calc('--book', "$dir/broken");
is_deeply([ $code, @{ decode_json($out) }{qw(status code)} ], [ 1, 400, 'json_syntax' ], 'a book that is no JSON');
write_file('broken', '{"retailer":{"code":"a","currency":"GBP","timezone":"../../etc/passwd"}}');
($code, $out) = calc('--book', "$dir/broken");
is(decode_json($out)->{errors}[0]{code}, 'unknown_timezone', 'a zone is a name, and no way to another file');
write_file('broken', encode_json({ retailer => { code => 'a', currency => 'GBP' }, stores => [ map { { code => "s$_", colour => 1, city => 2 } } 1 .. 200 ] }));
($code, $out) = calc('--book', "$dir/broken");
my $many = decode_json($out);
cmp_ok(scalar @{ $many->{errors} }, '<', 400, 'of four hundred faults not all are told');
is($many->{error_count}, 400, 'but how many there are');
($code, $out, $err) = calc('--book', "$dir/none");
like("$code $out$err", qr{^2 poscalc: \Q$dir\E/none: No such file}, 'a book that is not there');
($code, $out) = calc(qw(--book BOOK --check));
like($out, qr/^\{"revision":"[0-9a-f]{64}","promotions":0/, '--check');

# Requests: a problem is an answer like any other, and the next is priced.
write_file('cart', join "\n", '', '  ', '[]', '{"lines":', '{"lines":[{"sku":"NO","quantity":1}]}', '{"lines":[{"sku":"S","quantity":2}],"note":"' . 'x' x 200_000 . '"}',
    '{"lines":[{"sku":"S","quantity":2}],"explain":false}');
($code, $out) = calc(qw(--book BOOK --explain --at 2026-03-02T12:00:00Z));
my @answers = map { decode_json($_) } split /\n/, $out;
is_deeply([ $code, map { $_->{code} // $_->{total} } @answers ], [ 0, 'invalid_request', 'json_syntax', 'invalid_request', 'invalid_request', 200 ], 'each line has its answer, blank ones have none');
is($answers[-1]{at}, '2026-03-02T12:00:00Z', '--at');
ok($answers[-1]{explain}, '--explain goes over what the request says');
($code, $out, $err) = calc(qw(--book BOOK --at yesterday));
is("$code $out$err", "2 poscalc: --at needs a time such as: 2026-11-27T09:00:00Z\n", '--at needs a time');

# Batches.
write_file('cart', qq({"book":$book,"requests":[{"lines":[{"sku":"S","quantity":1}]},{"lines":5}]}\n{"book":{},"requests":[{"lines":[]},{"lines":[]}]}\n));
($code, $out) = calc('--batch');
is_deeply([ $code, map { my $a = decode_json($_); $a->{code} // $a->{total} } split /\n/, $out ], [ 0, 100, ('invalid_request') x 3 ], '--batch: a broken book is the answer to each of its requests');
for ([ "[1\n", 'a line of the batch is no JSON' ], [ "{}\n", 'a line of the batch needs: {"book": {…}, "requests": […]}' ]) {
    write_file('cart', $_->[0]);
    ($code, $out, $err) = calc('--batch');
    is("$code $err", "2 poscalc: $_->[1]\n", '--batch that is none');
}

# How long it takes.
write_file('cart', '');
($code, $out, $err) = calc(qw(--book BOOK --bench 3));
is("$code $err", "2 poscalc: --bench needs requests\n", '--bench needs requests');
write_file('cart', qq({"lines":[{"sku":"S","quantity":2}]}\n{"lines":[{"sku":"NO","quantity":2}]}\n));
($code, $out) = calc(qw(--book BOOK --bench 20));
my $bench = decode_json($out);
is_deeply([ @$bench{qw(requests rounds quotes)} ], [ 2, 20, 1 ], '--bench: of two requests one is a quote');
ok(0 < $bench->{best_us} && $bench->{best_us} <= $bench->{median_us} && $bench->{median_us} <= $bench->{p99_us}, 'the best, the median, the worst');
($code, $out) = calc('--bench');
my @rows = map { [ /(-?[\d.]+)/g ] } grep { /^\| \d/ } split /\n/, $out;
is(scalar @rows, 60, '--bench alone: a table by lines, live promotions and those that apply');
is(scalar(grep { @$_ == 5 && $_->[3] > 0 && $_->[1] >= $_->[2] } @rows), 60, 'with what each costs');

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
