#!/usr/bin/perl
# The loader of real sales (bench/online_retail.pl) over rows as dirty as real ones: each
# that cannot be sold is counted by its reason, none is lost, and all ways of pricing give
# the sum of the others. With the real data at hand its figures are checked too.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp qw(tempdir);
use PosTest;
use Test::More;

my $HEAD = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country';
my $dir  = tempdir('pos-sales-XXXXXX', TMPDIR => 1, CLEANUP => 1);

# [row, what it must come to: its pence, or the reason that keeps it out]
my @rows = (
    ['536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom', 6 * 255],
    ['536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom', 6 * 255],
    ['536365,85123a,the same in small letters,1,2010-12-01 08:26:00,2.95,17850.0,United Kingdom', 295],
    ['536365,  71053 ,"LANTERN, ""WHITE""",2,2010-12-01 08:26:00,3.390,17850.0,United Kingdom', 2 * 339],
    ["536366,22632,\"HAND WARMER\nIN TWO LINES\",3,2010-12-01 08:28:00,1.85,,United Kingdom", 3 * 185],
    ['536366,22633,12" PLATE,1,2010-12-01 08:28:00,4,17850.0,United Kingdom', 400],
    ['536367,84879,,1,2010-12-01 08:34:00,0,13047.0,EIRE', 0],
    ["536367,22745,CAF\xc9 SIGN,100000,2010-12-01 08:34:00,0.01,13047.0,EIRE", 100_000],
    ["536367,POST,POSTAGE,1,2010-12-01 08:34:00,18.00,13047.0,EIRE\r", 1800],
    ['C536379,D,Discount,-1,2010-12-01 09:41:00,27.50,14527.0,United Kingdom',    'cancelled invoice'],
    ['C536379,D,Discount,1,2010-12-01 09:41:00,27.50,14527.0,United Kingdom',     'cancelled invoice'],
    ['536589,21777,,-10,2010-12-01 16:50:00,0.0,,United Kingdom',                 'quantity not above zero (stock written off)'],
    ['536589,21777,,0,2010-12-01 16:50:00,1.0,,United Kingdom',                   'quantity not above zero (stock written off)'],
    ['536367,22746,SIGN,100001,2010-12-01 08:34:00,0.01,13047.0,EIRE',            'quantity over 100,000'],
    ['536367,22746,SIGN,1.5,2010-12-01 08:34:00,0.01,13047.0,EIRE',               'quantity is not a whole number'],
    ['536367,22746,SIGN,"1,200",2010-12-01 08:34:00,0.01,13047.0,EIRE',           'quantity is not a whole number'],
    ['536367,22746,SIGN,,2010-12-01 08:34:00,0.01,13047.0,EIRE',                  'quantity is not a whole number'],
    ['A563186,B,Adjust bad debt,1,2011-08-12 14:51:00,-11062.06,,United Kingdom', 'negative price (bad debt)'],
    ['536368,22747,SIGN,1,2010-12-01 08:34:00,0.001,13047.0,EIRE',                'price finer than a penny'],
    ['536368,22747,SIGN,1,2010-12-01 08:34:00,,13047.0,EIRE',                     'price is not a number'],
    ['536368,22747,SIGN,1,2010-12-01 08:34:00,1e2,13047.0,EIRE',                  'price is not a number'],
    ['536368,22747,SIGN,1,2010-12-01 08:34:00,NaN,13047.0,EIRE',                  'price is not a number'],
    ['536368,22747,SIGN,1,2010-12-01 08:34:00,1000000.01,13047.0,EIRE',           'price over a million'],
    [',22747,SIGN,1,2010-12-01 08:34:00,1.00,13047.0,EIRE',                       'no invoice number'],
    ['536368,,SIGN,1,2010-12-01 08:34:00,1.00,13047.0,EIRE',                      'no stock code that can be read'],
    ["536368,22\t747,SIGN,1,2010-12-01 08:34:00,1.00,13047.0,EIRE",               'no stock code that can be read'],
    ['536368,22747,SIGN,1,12/1/2010 8:34,1.00,13047.0,EIRE',                      'no time that can be read'],
    ['536368,22747,SIGN,1,2011-02-30 08:34:00,1.00,13047.0,EIRE',                 'no time that can be read'],
    ['',                                                                          'not eight fields'],
    ['536368,22747,SIGN,1',                                                       'not eight fields'],
    ['536368,22747,SIGN, LARGE,1,2010-12-01 08:34:00,1.00,13047.0,EIRE',          'not eight fields'],
    ['536368,22747,"SIGN,1,2010-12-01 08:34:00,1.00,13047.0,EIRE',                'a quote without its end'],
    map({ ["537000,2200$_,AFTER THE QUOTE,$_,2010-12-02 09:00:00,1.10,13047.0,EIRE", 110 * $_] } 1 .. 9),
    map({ ["537001,2201$_,AFTER THE QUOTE,$_,2010-12-02 09:01:00,0.95,13047.0,EIRE", 95 * $_] } 1 .. 9),
    ["537002,22020,\"the last: no end and no line feed,1,2010-12-02 09:02:00,1.10,,EIRE", 'a quote without its end'],
);

my %reasons;
$reasons{ $_->[1] }++ for grep { $_->[1] =~ /\D/ } @rows;
my @sold = grep { $_->[1] !~ /\D/ } @rows;
my $pence = 0;
$pence += $_->[1] for @sold;

subtest 'rows made by hand' => sub {
    my $said = load(join("\n", $HEAD, map { $_->[0] } @rows));
    is($said->{code}, 0, 'it ends well') or diag($said->{text});
    is_deeply($said->{reasons}, \%reasons, 'each row that cannot be sold is counted by its reason') or diag($said->{text});
    is($said->{priced}, scalar(@sold), 'all others are priced');
    is($said->{rows}, scalar(@rows), 'and none is lost');
    for my $way (qw(single batch poscalc)) {
        is_deeply($said->{by}{$way}, { carts => 5, agree => 5, differ => 0, refused => 0, pence => $pence }, "$way: five carts, each the sum of its rows") or diag(explain $said->{by}{$way});
    }
    is($said->{invoices}, 9, 'of nine invoices that can be read');
    is($said->{empty}, 4, 'four have nothing to sell, which is said');
};

subtest 'another file' => sub {
    my $said = load("Invoice,Item,Price\n1,2,3\n");
    isnt($said->{code}, 0, 'with other columns is refused');
    like($said->{text}, qr/the columns are Invoice,Item,Price/, 'in plain words');
};

my ($real) = grep { -e } grep { defined } $ENV{POS_DATA}, "$PosTest::ROOT/../shared/data/online_retail.csv.xz";
SKIP: {
    skip 'the real data is not here', 1 if !$real;
    subtest 'the real sales' => sub {
        my $said = run($real);
        is($said->{code}, 0, 'it ends well') or diag($said->{text});
        is($said->{rows}, 541_909, 'it has all the rows there are');
        my $out = 0;
        $out += $_ for values %{ $said->{reasons} };
        is($said->{priced} + $out, 541_909, 'priced or counted by reason');
        is($said->{reasons}{'cancelled invoice'}, 9288, 'as many are cancelled as its source says');
        is($said->{invoices}, 25_900, 'and there are as many invoices');
        my %sums = map { $_->{pence} => 1 } values %{ $said->{by} };
        is(scalar(keys %sums), 1, 'all ways give one sum');
        is_deeply([map { $_->{carts} - $_->{agree} } values %{ $said->{by} }], [0, 0, 0], 'and each cart is the sum of its rows');
    };
}

done_testing;

sub load {
    my ($csv) = @_;
    PosTest::spurt("$dir/sales.csv", $csv);
    system('xz', '-kf', "$dir/sales.csv") == 0 or die 'xz';
    return run("$dir/sales.csv.xz");
}

# What the loader says of a file.
sub run {
    my ($file) = @_;
    local $ENV{POS_DATA} = $file;
    my $text = PosTest::command_output($^X, '-I', "$PosTest::ROOT/t/lib", '-I', "$PosTest::ROOT/bench", "$PosTest::ROOT/bench/online_retail.pl");
    my %said = (text => $text, code => $?);
    @said{qw(invoices rows)} = $text =~ /^### Real sales: (\d+) invoices of (\d+) rows$/m;
    my ($left_out) = $text =~ /^\| rows left out \| rows \|\n\| --- \| --- \|\n((?:\|.*\n)*)/m;
    $said{reasons} = { ($left_out // '') =~ /^\| (.*?) \| (\d+) \|$/mg };
    ($said{priced}) = $text =~ /^The other (\d+) rows are priced\.$/m;
    ($said{empty})  = $text =~ /^(\d+) invoices have no row that can be sold/m;
    while ($text =~ /^\| (single|batch|poscalc) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| \d+ \|$/mg) {
        $said{by}{$1} = { carts => $2, agree => $3, differ => $4, refused => $5, pence => $6 };
    }
    return \%said;
}
