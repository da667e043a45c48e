#!/usr/bin/perl
# A back-test over real input: 25,900 invoices of a UK gift retailer, with twenty live
# promotions, one of them in another version. What is measured is processor time of the
# engine, as the back-test itself says it; each of several runs must give the same result.
# With --once no bound is asked for.

use strict;
use warnings;

use Bench;
use PosTest;
use Time::HiRes qw(time);

my $once = grep { $_ eq '--once' } @ARGV;
my $data = $ENV{POS_DATA} || "$PosTest::ROOT/../shared/data/online_retail.csv.xz";
if (!-e $data) {
    print "\n### Back-test\n\nSkipped: $data is not here.\n";
    exit 0;
}

my (%prices, %invoices, @order);
read_rows();
my $pos = PosTest->start(check_responses => $once ? 'on' : 'off', env => { POS_WATCH => 0 });
imported($pos->import_book(book(), seconds => 300, timeout => 300));
my $begun = time;
imported($pos->import_book({ orders => [map { $invoices{$_} } @order] }, seconds => 300, timeout => 300));
my $import = time - $begun;
my $put = $pos->put('/v1/promotions/category-3', { id => 'category-3', class => 'line', then => [{ percent_off => 10, items => { category => ['c3'] } }] },
    headers => { 'If-Match' => $pos->get('/v1/promotions/category-3')->{headers}{etag} });
die "a version: $put->{status} $put->{body}\n" if $put->{status} != 200;

my (%results, $counts);
my ($engine, $elapsed) = runs($once ? 2 : 5);
printf "\nread %d, priced %d, refused %d, touched %d, %s\n", @{$counts}{qw(read priced refused touched)}, keys %results == 1 ? 'one result' : scalar(keys %results) . ' results';
exit(keys %results == 1 ? 0 : 1) if $once;

# What one core does is told by one worker: two may share a core's caches.
my $posd = $pos->pid('posd');
kill 'TERM', $posd;
$pos->wait_for('posd to end', 20, sub { !PosTest::alive($posd) });
$pos->start_posd('--workers', 1);
my ($alone) = runs(5);
Bench::row('real invoices imported into the history', @order / $import, '/s');
Bench::row('engine time of 25,900 invoices with twenty promotions, one worker', $alone, 'ms', ['<=', 1000 / 3]);
Bench::row('real baskets a second of engine time, priced and counted with and without', 1000 * $counts->{priced} / $alone, '/s');
Bench::row('the same, two workers', $engine, 'ms');
Bench::row('from start to end, with two workers', $elapsed, 'ms');
Bench::row('different results of ten runs', keys(%results) - 1, '', ['<=', 0]);
Bench::table('Back-test: real invoices, twenty promotions');

# So many back-tests: the medians of the engine's time and of the whole.
sub runs {
    my ($times) = @_;
    my (@engine, @elapsed);
    for (1 .. $times) {
        my $r = $pos->post('/v1/promotions/category-3/backtests', { from => '2010-12-01', to => '2011-12-31' });
        my $job = $pos->wait_job($r->{headers}{location}, 300);
        my $b = $pos->get("/v1/promotions/category-3/backtests/$r->{json}{backtest}")->{json};
        die "back-test: $r->{body} $job->{body}\n" if !$b->{result};
        $results{ PosTest::json($b->{result}) }++;
        push @engine,  $b->{run}{engine_ms};
        push @elapsed, $b->{run}{elapsed_ms};
        $counts = $b->{result}{orders};
    }
    return (Bench::percentile(50, @engine), Bench::percentile(50, @elapsed));
}

sub imported {
    my ($job) = @_;
    die "import: $job->{status} $job->{body}\n" if (($job->{json} || {})->{status} // '') ne 'succeeded';
    return;
}

# Every invoice; of its rows those that the history takes: a price that is none, or less
# than nothing (bad debt), is no row of an order.
sub read_rows {
    open my $f, '-|', 'xz', '-dc', $data or die "xz: $!";
    my $head = <$f>;
    while (my $line = <$f>) {
        my ($invoice, $sku, undef, $quantity, $date, $price, $customer) = split_csv($line);
        $sku =~ s/^\s+|\s+$//g;
        push @order, $invoice if !$invoices{$invoice};
        my $o = $invoices{$invoice} ||= { id => $invoice, at => ($date =~ s/ /T/r) . 'Z', channel => 'web', lines => [] };
        $o->{customer} ||= { id => $customer =~ s/\.0$//r } if length $customer;
        next if $price !~ /^\d+(?:\.\d+)?$/ || !$quantity || !length $sku;
        my $pence = sprintf '%.0f', 100 * $price;
        push @{ $o->{lines} }, { sku => $sku, quantity => $quantity + 0, unit_price => $pence + 0 };
        $prices{$sku}{$pence}++ if $pence > 0;
    }
    close $f or die "xz: $?";
    return;
}

sub split_csv {
    my ($line) = @_;
    $line =~ s/\r?\n\z//;
    return split /,/, $line, -1 if index($line, '"') < 0;
    my @fields;
    while ($line =~ /\G(?:"((?:[^"]|"")*)"|([^,]*))(,|\z)/g) {
        my ($quoted, $plain, $end) = ($1, $2, $3);
        push @fields, defined $quoted ? $quoted =~ s/""/"/gr : $plain;
        last if !length $end;
    }
    return @fields;
}

# One product a stock code, its price the most frequent one; twenty categories of them.
sub book {
    my @skus = sort keys %prices;
    my @often = sort { keys %{ $prices{$b} } <=> keys %{ $prices{$a} } || $a cmp $b } @skus;
    my @p;
    push @p, { id => "markdown-$_", class => 'line', then => [{ percent_off => 5 + $_, items => { sku => [@often[ 20 * $_ .. 20 * $_ + 9 ]] } }] } for 1 .. 6;
    push @p, { id => "category-$_", class => 'line', then => [{ percent_off => 3 + $_, items => { category => ["c$_"] } }] } for 1 .. 5;
    push @p, { id => "two-and-one-$_", class => 'line', then => [{ buy => [{ items => { sku => [$often[ 3 * $_ ]] }, quantity => 2 }], get => [{ items => { sku => [$often[ 3 * $_ ]] }, quantity => 1, percent_off => 100 }] }] } for 1 .. 3;
    push @p, { id => "bundle-$_", class => 'line', then => [{ bundle => [map { { items => { sku => [$_] }, quantity => 1 } } @often[ 200 + $_, 210 + $_ ]], percent_off => 15 }] } for 1 .. 3;
    push @p, { id => "tiers-$_", class => 'line', then => [{ tiers => [{ quantity => 12, percent_off => 3 }, { quantity => 24, percent_off => 5 }], items => { category => ['c' . (8 + $_)] } }] } for 1 .. 2;
    push @p, { id => 'spend', class => 'order', when => { subtotal => { min => 20_000 } }, then => [{ percent_off => 2 }] };
    my $n = 0;
    return {
        retailer    => { code => 'gifts', currency => 'GBP', timezone => 'Europe/London' },
        categories  => [map { { code => "c$_" } } 0 .. 19],
        products    => [map { { sku => $_, name => $_, categories => ['c' . $n++ % 20], $n % 4 ? (cost => 50) : () } } @skus],
        price_lists => [{ code => 'base', currency => 'GBP', tax_included => Cpanel::JSON::XS::true() }],
        prices      => [map { my $by = $prices{$_}; { sku => $_, list => 'base', amount => 0 + (sort { $by->{$b} <=> $by->{$a} || $a <=> $b } keys %$by)[0] } } @skus],
        promotions  => \@p, stores => [], taxes => [], coupons => [], experiments => [],
    };
}
