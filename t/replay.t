#!/usr/bin/perl
# The same revision, request and inputs give the same bytes: alone or in a batch, run
# after run, and from what the quote says was read. A revision names a book by what it
# says, not by how it is laid out, with the zones it goes by.
#
# POS_REPLAY=all (in ./build.sh soak) also builds poscalc by gcc and clang, without
# optimisation and with all of it, and under the sanitizers, and compares thousands of
# quotes of all of them, byte by byte.

use strict;
use warnings;
use FindBin;
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use List::Util qw(shuffle);
use Cpanel::JSON::XS;
use Test::More;
use lib "$FindBin::Bin/../engine/t/lib";
use RandomShop qw(pick random_book random_request);

my $root  = "$FindBin::Bin/..";
my $build = $ENV{POS_BUILD} || "$root/build";
my $calc  = "$build/poscalc";
die "no $calc: build first" unless -x $calc;
my $dir  = tempdir(CLEANUP => 1);
my $json = Cpanel::JSON::XS->new->canonical;
my $any  = Cpanel::JSON::XS->new;    # members as Perl's hashes have them, at random
my $seed = $ENV{POS_SEED} // 20261126;
my $all  = ($ENV{POS_REPLAY} // '') eq 'all';

sub slurp { my ($path) = @_; open my $f, '<', $path or die "$path: $!"; local $/; return scalar <$f> }
sub spurt { my ($path, $text) = @_; open my $f, '>', $path or die "$path: $!"; print $f $text; close $f }

# A recording: a file of lines, how they are asked, and the bytes that are answered.
my @recordings;
sub record {
    my ($book, $options, @lines) = @_;
    my $n = @recordings;
    spurt("$dir/book$n", $json->encode($book)) if $book;
    spurt("$dir/in$n", join '', map { $json->encode($_) . "\n" } @lines);
    push @recordings, { in => "$dir/in$n", count => scalar @lines,
        ($book ? (book => "$dir/book$n") : ()), options => $book ? "--book $dir/book$n $options" : $options };
    return $recordings[-1];
}

sub answers {
    my ($program, $r) = @_;
    my $out = `$program $r->{options} < $r->{in} 2>$dir/err`;
    die "$program $r->{options} < $r->{in}: exit " . ($? >> 8) . "\n" . slurp("$dir/err") if $?;
    return $out;
}

# The case files' carts, each with its own book: what the case does not give is the
# shop's.
my $shop  = $json->decode(slurp("$root/engine/t/shop.json"));
my %visit = (currency => 'GBP', store => 'london', channel => 'web', at => '2026-06-01T12:00:00Z');

sub book_of {
    my ($case, $books) = @_;
    my $part = $case->{book} // {};
    $part = { like => $part } if !ref $part;
    my %book = (%$shop, ($part->{like} ? %{ $books->{ $part->{like} } } : ()), %$part);
    delete $book{like};
    for ([ products => 'sku', 'sku' ], [ price_lists => 'code', 'list' ]) {
        my ($section, $key, $member) = @$_;
        my %there = map { $_->{$key} => 1 } grep { ref eq 'HASH' } @{ $book{$section} };    # a faulty book's may be anything
        $book{prices} = [ grep { ref ne q(HASH) || $there{ $_->{$member} // '' } } @{ $book{prices} } ];
    }
    return \%book;
}

my @carts;
for my $file (sort glob "$root/engine/t/cases/*.json") {
    my $page = $json->decode(slurp($file));
    my ($books, $cases) = ref $page eq 'HASH' ? @$page{qw(books cases)} : ({}, $page);
    push @carts, map { { book => book_of($_, $books), requests => [ { %visit, %{ $_->{request} } } ] } } @$cases;
}
record(undef, '--batch', @carts);
srand $seed;
for my $n (1 .. ($all ? 45 : 10)) {
    record(random_book(pick(qw(paid reprice mixed))), pick('', '--for-order', '--explain'),
        map { { %{ random_request(pick(qw(paid reprice))) }, ($n % 3 ? () : (inputs => { usage => [] })) } } 1 .. 60);
}
# And what comes back of some of them.
for my $r (grep { $_->{book} && $_->{options} !~ /--explain/ } @recordings[0 .. $#recordings]) {
    my @quotes = map { $json->decode($_) } split /\n/, answers($calc, $r);
    my @asked = map { $json->decode($_) } split /\n/, slurp($r->{in});
    record($json->decode(slurp($r->{book})), '--return', map { { quote => $quotes[$_], request => $asked[$_],
        lines => [ map { { line => $_ } } grep { rand() < 0.5 } 0 .. $#{ $quotes[$_]{lines} } ] } } grep { $_ % 3 == 0 } 0 .. $#quotes);
}
my $count = 0;
$count += $_->{count} for @recordings;

# ---- run after run ----

$_->{bytes} = answers($calc, $_) for @recordings;
{
    local %ENV = (PATH => $ENV{PATH}, LC_ALL => 'C', TZ => 'Pacific/Kiritimati', MALLOC_PERTURB_ => 165);
    my @differ = grep { answers($calc, $_) ne $_->{bytes} } @recordings;
    is(scalar @differ, 0, "$count quotes again, in another environment");
}

# What one cart leaves behind is nothing to the next.
my ($last) = grep { $_->{count} == 60 } @recordings;
my @lines = split /^/, slurp($last->{in});
my @bytes = split /^/, $last->{bytes};
my @order = shuffle 0 .. $#lines;
spurt("$dir/shuffled", join '', map { $lines[$_] } @order);
is(answers($calc, { %$last, in => "$dir/shuffled" }), join('', map { $bytes[$_] } @order), 'in another order');
spurt("$dir/one", $lines[17]);
is(answers($calc, { %$last, in => "$dir/one" }), $bytes[17], 'and alone');

# ---- from the inputs that a quote names ----

my $limited = random_book('paid');
$limited->{promotions} = [
    { id => 'a', class => 'order', limits => [ { max => 500, of => 'amount', per => 'all', window => 'week' } ], then => [ { percent_off => 20 } ] },
    { id => 'b', class => 'line', limits => [ { max => 3, of => 'uses', per => 'customer' }, { max => 9, of => 'orders', per => 'store', window => 'month' } ],
        then => [ { buy => [ { items => {}, quantity => 1 } ], get => [ { items => {}, quantity => 1, percent_off => 50 } ] } ] },
];
my @counted = map { {
    %{ random_request('paid') }, customer => { id => 'c' },
    inputs => { usage => [ { promotion => 'a', of => 'amount', per => 'all', window => 'week', from => '2026-06-01', used => int rand 600 },
        { promotion => 'b', of => 'uses', per => 'customer', subject => 'c', used => int rand 4 },
        { promotion => 'b', of => 'orders', per => 'store', subject => 's', window => 'month', from => '2026-06-01', used => int rand 10 },
        { promotion => 'gone', of => 'orders', per => 'all', used => 5 } ] } } } 1 .. 200;
record($limited, '', @counted);
my $first = answers($calc, $recordings[-1]);
my @quotes = map { $json->decode($_) } split /\n/, $first;
my @stopped = grep { !@{ $_->{promotions} } } @quotes;
cmp_ok(scalar @stopped, '>', 0, 'limits stop some');
cmp_ok(scalar @stopped, '<', 100, 'and let others through');
record($limited, '', map { { %{ $counted[$_] }, inputs => $quotes[$_]{inputs} } } 0 .. $#counted);
is(answers($calc, $recordings[-1]), $first, 'a quote replays from the inputs that it names');
pop @recordings;
$recordings[-1]{bytes} = $first;
$count += $recordings[-1]{count};

# ---- what a revision names ----

sub revision {
    my ($book, $options) = @_;
    spurt("$dir/book", ref $book ? $any->encode($book) : $book);
    my $out = `$calc --book $dir/book --check ${\ ($options // '')}`;
    return $json->decode($out)->{revision} // "none: $out";
}
my $revision = revision($shop);
like($revision, qr/^[0-9a-f]{64}$/, 'a revision is a hash');
is(revision($json->pretty->encode($json->decode($json->encode($shop)))), $revision, 'of what the book says, however it is laid out');
isnt(revision({ %$shop, prices => [ map { { %$_, amount => $_->{amount} + 1 } } @{ $shop->{prices} } ] }), $revision, 'another price, another revision');
isnt(revision({ %$shop, promotions => [ { id => 's', script => "return promotion { id = 's', name = 'S', class = 'line', apply = function() end }" } ] }),
    revision({ %$shop, promotions => [ { id => 's', script => "return promotion { id = 's', name = 'S', class = 'line', apply = function() return end }" } ] }), 'another script too');
make_path(map { "$dir/zones/$_" } qw(Europe America));
copy("/usr/share/zoneinfo/$_", "$dir/zones/$_") or die "$_: $!" for qw(Europe/London Europe/Zurich America/Denver);
is(revision($shop, "--zoneinfo $dir/zones"), $revision, 'wherever the zones are');
copy('/usr/share/zoneinfo/Europe/Paris', "$dir/zones/Europe/Zurich") or die $!;
copy('/usr/share/zoneinfo/Asia/Tokyo', "$dir/zones/Europe/London") or die $!;
isnt(revision($shop, "--zoneinfo $dir/zones"), $revision, 'zones with other rules, another revision');

# ---- other compilers ----

SKIP: {
    skip 'POS_REPLAY=all builds poscalc five times', 1 if !$all;
    my @make = ('make', '-s', '-C', $root, '-j' . ($ENV{POS_JOBS} // 2));
    my %builds = (
        'gcc-O0'   => [ 'CC=gcc', 'CXX=g++', 'OPT=-O0', 'HARDEN=-fPIC' ],
        'gcc-O3'   => [ 'CC=gcc', 'CXX=g++', 'OPT=-O3' ],
        'clang-O0' => [ 'CC=clang', 'CXX=clang++', 'OPT=-O0', 'HARDEN=-fPIC' ],
        'clang-O3' => [ 'CC=clang', 'CXX=clang++', 'OPT=-O3' ],
        'sanitized' => [ 'CC=clang', 'CXX=clang++', 'OPT=-O1', 'HARDEN=-fPIC', 'SAN=address,undefined' ],
    );
    for my $name (sort keys %builds) {
        my $out = "$build-replay/$name";
        is(system(@make, "BUILD=$out", @{ $builds{$name} }, "$out/poscalc"), 0, "$name builds") or next;
        local $ENV{ASAN_OPTIONS} = 'detect_leaks=0';
        my @differ = grep { answers("$out/poscalc", $_) ne $_->{bytes} } @recordings;
        is(scalar @differ, 0, "$name: $count quotes, the same bytes") or diag("first: $differ[0]{options} < $differ[0]{in}");
    }
}
done_testing;
