#!/usr/bin/perl
# What a quote costs, as ratios to the same nginx on the same core answering as many bytes
# after reading the same request.

use strict;
use warnings;

use Bench;
use PosTest;
use Time::HiRes qw(time);

my $pos  = Bench::instance();
my $key  = $pos->key('storefront');
my $book = Bench::book(products => 200, promotions => Bench::promotions(20));
Bench::import_book($pos, $book);
# The live twin has ten thousand promotions of which the same five apply.
Bench::import_book($pos, Bench::book(products => 200, promotions => Bench::promotions(10_000)), key => $pos->key('admin', 'live'));

my $cart = PosTest::json(Bench::cart());
my $many = $pos->key('storefront', 'live');
my $answer;
$pos->wait_for('the books', 30, sub {
    $answer = $pos->request('POST', '/v1/quotes', body => $cart, key => $key);
    my $live = $pos->request('POST', '/v1/quotes', body => $cart, key => $many);
    return @{ ($answer->{json} || {})->{promotions} || [] } == 5 && @{ ($live->{json} || {})->{promotions} || [] } == 5;
}) or die "the quote is not as expected: $answer->{body}\n";

# A parameter of nginx's configuration holds 4 KB at most.
my $left = length $answer->{body};
my ($sets, $names) = ('', '');
for my $i (1 .. 1 + int($left / 3000)) {
    my $size = $left > 3000 ? 3000 : $left;
    $sets .= "set \$b$i " . 'x' x $size . ";\n" if $size;
    $names .= "\$b$i" if $size;
    $left -= $size;
}
PosTest::spurt("$pos->{state}/bench.conf", "location = /baseline { default_type application/json; $sets return 200 \"$names\"; }\n");
chmod 0644, "$pos->{state}/bench.conf";
$pos->{options}{nginx_server} = "include $pos->{state}/bench.conf;";
$pos->stop;
$pos->start_again;
Bench::pin($pos);
$pos->wait_for('the answer', 10, sub { $pos->request('POST', '/v1/quotes', body => $cart, key => $many)->{status} == 200 });

my $script = Bench::post_script($key, $cart);
my ($base, $quote, $large) = Bench::in_turn(
    sub { Bench::wrk($pos, '/baseline',  $script) },
    sub { Bench::wrk($pos, '/v1/quotes', $script) },
    sub { Bench::wrk($pos, '/v1/quotes', Bench::post_script($many, $cart)) },
);
Bench::row('`return 200`, ' . length($answer->{body}) . ' bytes', $base->{rps}, '/s');
Bench::row('quotes, 10 lines, 20 promotions, 5 apply', $quote->{rps}, '/s');
Bench::row('ratio of requests a second', $quote->{rps} / $base->{rps}, '', ['>=', 0.4]);
Bench::row('worker busy, `return 200`', $base->{busy}, '');
Bench::row('worker busy, quotes', $quote->{busy}, '');
Bench::row('processor time, `return 200`', $base->{cpu}, 'µs');
Bench::row('processor time, quotes', $quote->{cpu}, 'µs');
Bench::row('ratio by processor time', $base->{cpu} / $quote->{cpu}, '', ['>=', 0.4]);
Bench::row('p99 of `return 200`', $base->{p99}, 'µs');
Bench::row('p99 of quotes', $quote->{p99}, 'µs');
Bench::row('ratio of p99', $quote->{p99} / ($base->{p99} || 1), '', ['<=', 3]);
Bench::row('quotes, 10,000 promotions, 5 apply', $large->{rps}, '/s');
Bench::row('ratio to 20 promotions', $large->{rps} / $quote->{rps}, '', ['>=', 0.8]);
Bench::row('ratio to 20 promotions, by processor time', $quote->{cpu} / $large->{cpu}, '', ['>=', 0.8]);

my $poscalc = poscalc_cost();
Bench::row('`poscalc`, a 10-line quote, JSON to JSON', $poscalc, 'µs', ['<=', 15]);
Bench::table('Quotes');

# The difference between many carts and one, so that loading the book is not counted.
sub poscalc_cost {
    my $n = 50_000;
    my %with_at = (%{ PosTest::parse($cart) }, at => '2026-03-02T12:00:00Z');
    my $line = PosTest::json(\%with_at) . "\n";
    PosTest::spurt("$pos->{state}/book.json", PosTest::json($book));
    PosTest::spurt("$pos->{state}/one.ndjson", $line);
    PosTest::spurt("$pos->{state}/many.ndjson", $line x $n);
    my @costs;
    for (1 .. $Bench::ROUNDS) {
        my @took;
        for my $file (qw(one many)) {
            my $start = time;
            PosTest::quietly('sh', '-c', "exec taskset -c 0 '$PosTest::BUILD/poscalc' --book '$pos->{state}/book.json' < '$pos->{state}/$file.ndjson' > /dev/null");
            push @took, time - $start;
        }
        push @costs, ($took[1] - $took[0]) / ($n - 1) * 1e6;
    }
    return Bench::percentile(50, @costs);
}
