#!/usr/bin/perl
# A retailer with a million SKUs, beside a small one.

use strict;
use warnings;

use Bench;
use PosTest;
use Time::HiRes qw(time);

my $count = $ENV{POS_BENCH_SKUS} || 1_000_000;
my $pos   = Bench::instance();
my %live  = (key => $pos->key('admin', 'live'));
Bench::import_book($pos, Bench::book(products => 200, promotions => Bench::promotions(20)), %live);

my ($file, $dearer) = map { "$pos->{state}/$_.json" } qw(big dearer);
write_book($file, $count, 0);
write_book($dearer, $count, 1);
Bench::row("import of $count SKUs", timed(sub { import_file($file) }), 's');
Bench::row('the same document again: nothing changes', timed(sub { import_file($file) }), 's');

# The first copy: a replica that is lost is made from the tables again.
$pos->stop;
PosTest::quietly('sh', '-c', "rm -rf '$pos->{state}'/replica/*");
my $start = time;
$pos->start_again;
Bench::pin($pos);
$pos->wait_for('the whole book', 600, sub { quote_of($count)->{status} == 200 }) or die "the copy did not finish\n";
Bench::row('first copy of the replica (with starting)', time - $start, 's', ['<=', 60]);
Bench::row('replica after the first copy', replica_mb(), 'MB', ['<=', 700]);

my ($small, $large) = Bench::in_turn(
    sub { Bench::wrk($pos, '/v1/quotes', random_script($pos->key('storefront', 'live'), 200)) },
    sub { Bench::wrk($pos, '/v1/quotes', random_script($pos->key('storefront'), $count)) },
);
die "what failed is no quote\n" if $small->{errors} || $large->{errors};
Bench::row('quotes of 10 random SKUs, small book', $small->{rps}, '/s');
Bench::row("quotes of 10 random SKUs of $count", $large->{rps}, '/s');
Bench::row('processor time a quote, small book', $small->{cpu}, 'µs');
Bench::row("processor time a quote, $count", $large->{cpu}, 'µs');
Bench::row('what a million costs more, a quote', $large->{cpu} - $small->{cpu}, 'µs', ['<=', 15]);
Bench::row('private memory of the worker', Bench::private_mb($pos), 'MB', ['<=', 40]);

# All of it again, every price a penny more, while the small retailer publishes: until
# it is imported, copied beside what is served, and what it replaced is swept.
my $begun    = time;
my $importer = fork // die "fork: $!";
if (!$importer) {
    my $ok = eval {
        my $revision = import_file($dearer)->{revision};
        $pos->wait_for('the dearer book', 600, sub { (quote_of($count)->{headers}{'pos-revision'} // '') eq $revision }) or die "it was not copied\n";
        1;
    };
    warn $@ if !$ok;
    POSIX::_exit($ok ? 0 : 1);
}
my $imported;
my @ms = Bench::publish_delays($pos, admin => $live{key}, shop => $pos->key('storefront', 'live'), cart => Bench::cart(),
    until => sub { waitpid($importer, POSIX::WNOHANG()) == $importer && ($imported = $? == 0, 1) });
die "the second import failed\n" if !$imported;
Bench::row('all of it again, every price changed, until it is sold by', time - $begun, 's');
Bench::row("another retailer's publish during the import, median of " . @ms, Bench::percentile(50, @ms), 'ms');
Bench::row("another retailer's publish during the import, p99", Bench::percentile(99, @ms), 'ms', ['<=', 100]);
Bench::row('replica after importing it all again', replica_mb(), 'MB', ['<=', 1400]);
Bench::row('private memory of the worker', Bench::private_mb($pos), 'MB', ['<=', 40]);
Bench::table('A million SKUs');

# Streamed: neither Perl nor curl holds it all.
sub import_file {
    my ($path) = @_;
    my $head = PosTest::command_output('curl', '-sS', '-m', 600, '-o', '/dev/null', '-D', '-', '-X', 'POST', '-T', $path, '-H', 'Expect:',
        '-H', 'Content-Type: application/json', '-H', 'Authorization: Bearer ' . $pos->key('admin'), "http://127.0.0.1:$pos->{port}/v1/imports");
    my ($job) = $head =~ /^location: (\S+)/mi or die "import: $head\n";
    my $end = $pos->wait_job($job, 600);
    die "import: $end->{body}\n" if ($end->{json}{status} // '') ne 'succeeded';
    return $end->{json}{result};
}

sub timed {
    my ($what) = @_;
    my $start = time;
    $what->();
    return time - $start;
}

sub write_book {
    my ($path, $n, $more) = @_;
    my $book = Bench::book(products => 0);
    my ($products, $prices) = (delete $book->{products}, delete $book->{prices});
    open my $f, '>:raw', $path or die "$path: $!";
    my $head = PosTest::json($book);
    chop $head;
    print $f $head, ',"products":[';
    for my $i (1 .. $n) { print $f $i > 1 ? ',' : '', PosTest::json(Bench::product($i)) }
    print $f '],"prices":[';
    for my $i (1 .. $n) { print $f $i > 1 ? ',' : '', priced($i, $more) }
    print $f ']}';
    close $f or die "$path: $!";
    return;
}

sub priced {
    my ($i, $more) = @_;
    my $price = Bench::price($i);
    $price->{amount} += $more;
    return PosTest::json($price);
}

sub quote_of {
    my ($i) = @_;
    return $pos->request('POST', '/v1/quotes', key => $pos->key('storefront'), json => Bench::cart(Bench::sku($i)));
}

# Bodies are made before, so that wrk's core is not what is measured; but in init(), since
# wrk knows its Host header only then.
sub random_script {
    my ($key, $n) = @_;
    return Bench::post_script($key, '') . <<"LUA";
math.randomseed(7)
local bodies = {}
function init()
  for i = 1, 20000 do
    local lines = {}
    for l = 1, 10 do
      lines[l] = string.format('{"id":"%d","quantity":1,"sku":"SKU%07d"}', l, math.random($n))
    end
    bodies[i] = wrk.format("POST", "/v1/quotes", nil, '{"currency":"GBP","store":"london","channel":"web","lines":[' .. table.concat(lines, ",") .. "]}")
  end
end
local at = 0
request = function()
  at = at % #bodies + 1
  return bodies[at]
end
LUA
}

sub replica_mb {
    my $kb = 0;
    for my $f (glob "$pos->{state}/replica/* $pos->{state}/replica/*/*") {
        $kb += (stat $f)[12] / 2 if -f $f;
    }
    return $kb / 1024;
}

# Pages of the replica are shared with the file; what is dirty and ours alone is private.
