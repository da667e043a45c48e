#!/usr/bin/perl
# Real input: 541,909 rows of a UK gift retailer's sales. One product a stock code, its
# price the most frequent one; each invoice a cart with its rows at their own prices. All are
# priced through HTTP (single and batch) and through poscalc, and must give the sum of
# their rows. Every row that cannot be sold is counted by its reason, and none is lost.

use strict;
use warnings;

use Bench;
use PosTest;
use Time::Local qw(timegm);
use Time::HiRes qw(time);

my $data = $ENV{POS_DATA} || "$PosTest::ROOT/../shared/data/online_retail.csv.xz";
if (!-e $data) {
    print "\n### Real sales\n\nSkipped: $data is not here.\n";
    exit 0;
}

my @COLUMNS = qw(InvoiceNo StockCode Description Quantity InvoiceDate UnitPrice CustomerID Country);
my (%prices, %names, %invoices, @order, %dirty);
my ($rows, $priced, $refused) = (0, 0, 0);
read_rows($data);
$refused += $_ for values %dirty;
die "$rows rows, but $priced priced and $refused left out\n" if $rows != $priced + $refused;
my $book  = make_book();
my @carts = make_carts();

my $pos = PosTest->start(check_responses => 'off', h2 => 0);
my $job = $pos->import_book($book, seconds => 300, timeout => 300);
die "import: $job->{status} $job->{body}\n" if (($job->{json} || {})->{status} // '') ne 'succeeded';
my $last = $book->{products}[-1]{sku};
$pos->wait_for('the book', 60, sub { $pos->quote({ lines => PosTest::lines($last, 1) })->{status} == 200 });

my %answers = (batch => batch(), single => single(), poscalc => poscalc());
print "\n### Real sales: " . @order . " invoices of $rows rows\n\n";
print "| rows left out | rows |\n| --- | --- |\n", map({ "| $_ | $dirty{$_} |\n" } sort keys %dirty), "\n";
print "The other $priced rows are priced.\n\n";
print "| by | carts | agree | differ | refused | pence | a second |\n| --- | --- | --- | --- | --- | --- | --- |\n";
my $bad = 0;
for my $way (sort keys %answers) { report($way, $answers{$way}) }
my $empty = @order - @carts;
print "\n$empty invoices have no row that can be sold (cancellations above all).\n";
exit($bad ? 1 : 0);

sub report {
    my ($way, $got) = @_;
    my ($agree, $pence, %why) = (0, 0);
    my ($differ, $refused) = (0, 0);
    for my $i (0 .. $#carts) {
        my $a = $got->{answers}[$i];
        if (ref $a && defined $a->{total}) {
            $pence += $a->{total};
            if ($a->{total} == $carts[$i]{sum}) { $agree++; next }
            $differ++;
            $why{"total $a->{total}, rows $carts[$i]{sum} (invoice $carts[$i]{cart}{session})"}++;
        }
        else {
            $refused++;
            my ($e) = @{ (ref $a ? $a->{errors} : undef) || [] };
            $why{ $e ? "$e->{code}: $e->{message}" : ref $a ? $a->{detail} // $a->{code} // '?' : 'no answer' }++;
        }
    }
    printf "| %s | %d | %d | %d | %d | %d | %.0f |\n", $way, scalar @carts, $agree, $differ, $refused, $pence, @carts / ($got->{seconds} || 1);
    my @why = sort { $why{$b} <=> $why{$a} } keys %why;
    print STDERR "$way: $why{$_} x $_\n" for @why[0 .. ($#why < 9 ? $#why : 9)];
    $bad += $differ + $refused;
    return;
}

# --- the data ---------------------------------------------------------------------

sub read_rows {
    my ($path) = @_;
    open my $f, '-|', 'xz', '-dc', $path or die "xz: $!";
    my @waiting;
    my $next = sub { return @waiting ? shift @waiting : scalar <$f> };
    my $head = join ',', split_csv($next->() // '');
    die "the columns are $head\n" if $head ne join ',', @COLUMNS;
    while (defined(my $line = $next->())) {
        my @more;
        while (unclosed(join '', $line, @more) && @more < 20) { push @more, $next->() // last }
        $rows++;
        # No end to the quotes: the lines behind are rows of their own again.
        if (unclosed(join '', $line, @more)) { unshift @waiting, @more; $dirty{'a quote without its end'}++; next }
        take_row(split_csv(join '', $line, @more));
    }
    close $f or die "xz: $?";
    return;
}

# Does a field begin with a quote that does not end? One within a field is a sign like any other.
sub unclosed {
    my ($text) = @_;
    $text =~ s/(?:^|,)\K"(?:[^"]|"")*"(?=,|\r?\n?\z)//g;
    return $text =~ /(?:^|,)"(?:[^"]|"")*\z/;
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

# A row goes into its invoice or is counted by the one reason that keeps it out.
sub take_row {
    my (@row) = @_;
    my $reason = why_not(@row);
    if ($reason) { $dirty{$reason}++ }
    my ($invoice, $code, $name, $quantity, $date, $price) = @row;
    if (length($invoice // '') && !$invoices{$invoice}) { push @order, $invoice; $invoices{$invoice} = [] }
    return if $reason;
    $priced++;
    my ($pounds, $pence) = split /\./, $price;
    my $amount = $pounds * 100 + substr(($pence // '') . '00', 0, 2);
    $code =~ s/^\s+|\s+$//g;
    $prices{$code}{$amount}++;
    $names{$code}{$name}++ if length $name;
    $date =~ s/ /T/;
    push @{ $invoices{$invoice} }, [$code, $quantity, $amount, "${date}Z"];
    return;
}

sub why_not {
    my (@row) = @_;
    my ($invoice, $code, $name, $quantity, $date, $price) = @row;
    return @row != @COLUMNS                           ? 'not eight fields'
        : !length $invoice                            ? 'no invoice number'
        : $code !~ /[!-~]/ || $code =~ /[^ -~]/ || length $code > 200 ? 'no stock code that can be read'
        : !is_time($date)                             ? 'no time that can be read'
        : $price !~ /^-?\d+(?:\.\d+)?$/               ? 'price is not a number'
        : $quantity !~ /^-?\d+$/                      ? 'quantity is not a whole number'
        : $invoice =~ /^C/                            ? 'cancelled invoice'
        : $quantity <= 0                              ? 'quantity not above zero (stock written off)'
        : $quantity > 100_000                         ? 'quantity over 100,000'
        : $price =~ /^-/                              ? 'negative price (bad debt)'
        : $price !~ /^\d+(?:\.\d{1,2}0*)?$/           ? 'price finer than a penny'
        : $price > 1_000_000                          ? 'price over a million'
        :                                               undef;
}

sub is_time {
    my ($text) = @_;
    my ($year, $month, $day, $hour, $minute, $second) = $text =~ /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)$/ or return 0;
    return defined eval { timegm($second, $minute, $hour, $day, $month - 1, $year) };
}

sub most_frequent {
    my ($counts) = @_;
    my ($best) = sort { $counts->{$b} <=> $counts->{$a} || $a cmp $b } keys %$counts;
    return $best;
}

sub make_book {
    my @codes = sort keys %prices;
    my $book  = Bench::book(products => 0);
    $book->{products} = [map { my $name = most_frequent($names{$_} || { $_ => 1 });
        { sku => $_, name => utf8_of($name), categories => [], tags => [], unit => 'each', attributes => {}, tax_category => 'none' } } @codes];
    $book->{categories} = [];
    $book->{prices} = [map { { sku => $_, list => 'base', amount => 0 + most_frequent($prices{$_}), min_quantity => 1, kind => 'regular' } } @codes];
    return $book;
}

sub utf8_of { my ($text) = @_; my $copy = $text; utf8::decode($copy) or utf8::upgrade($copy); return $copy }

sub make_carts {
    my @made;
    for my $invoice (@order) {
        my @lines_of = @{ $invoices{$invoice} } or next;
        my ($n, $sum) = (0, 0);
        my @lines;
        for my $row (@lines_of) {
            my ($code, $quantity, $amount) = @$row;
            $sum += $quantity * $amount;
            push @lines, { id => ++$n . '', sku => $code, quantity => 0 + $quantity, price_override => { amount => $amount, reason => 'price of the day' } };
        }
        push @made, { sum => $sum, cart => { currency => 'GBP', store => 'london', channel => 'web', session => $invoice, at => $lines_of[0][3], lines => \@lines } };
    }
    $_->{json} = PosTest::json($_->{cart}) for @made;
    return @made;
}

# --- the three ways -----------------------------------------------------------------

sub single {
    my $start  = time;
    my $socket = $pos->connect;
    my @answers = map { $pos->request('POST', '/v1/quotes', body => $_->{json}, socket => $socket)->{json} } @carts;
    return { answers => \@answers, seconds => time - $start };
}

sub batch {
    my $start = time;
    my (@answers, @part);
    my $size = 0;
    my $send = sub {
        my $body = join '', map { "$_->{json}\n" } @part;
        my $r = $pos->request('POST', '/v1/quotes/batch', body => $body, timeout => 120, headers => { 'Content-Type' => 'application/x-ndjson' });
        my @lines = map { PosTest::parse($_) } split /\n/, $r->{status} == 200 ? $r->{body} : '';
        warn "batch: $r->{status} " . substr($r->{body}, 0, 300) . "\n" if $r->{status} != 200;
        push @answers, @lines[0 .. $#part];
        @part = ();
        $size = 0;
    };
    for my $cart (@carts) {
        $send->() if @part && (@part == 1000 || $size + length($cart->{json}) > 1_000_000);
        push @part, $cart;
        $size += 1 + length $cart->{json};
    }
    $send->() if @part;
    return { answers => \@answers, seconds => time - $start };
}

sub poscalc {
    PosTest::spurt("$pos->{state}/book.json",    PosTest::json($book));
    PosTest::spurt("$pos->{state}/carts.ndjson", join '', map { "$_->{json}\n" } @carts);
    my $start = time;
    my $out = PosTest::command_output('sh', '-c', "exec '$PosTest::BUILD/poscalc' --book '$pos->{state}/book.json' < '$pos->{state}/carts.ndjson'");
    my $took = time - $start;
    my @lines = map { PosTest::parse($_) } split /\n/, $out;
    return { answers => \@lines, seconds => $took };
}
