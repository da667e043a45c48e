#!/usr/bin/perl
# A book of 10,000 live promotions, 2,000 of them in Lua: what one change costs a worker, how
# soon it is sold by, and what the book takes of a worker's memory.

use strict;
use warnings;

use Bench;
use PosTest;
use Time::HiRes qw(time);

my $count  = $ENV{POS_BENCH_PROMOTIONS} || 10_000;
my $rounds = $ENV{POS_ROUNDS} || 200;
my $pos    = Bench::instance();
my @others = map { $_ % 5 ? data($_) : script($_) } 1 .. $count - 20;
my $start  = time;
my $empty  = Bench::private_mb($pos);
Bench::import_book($pos, Bench::book(products => 2000, promotions => [@{ Bench::promotions(20) }, @others]));
Bench::row("import of $count promotions, a fifth in Lua", time - $start, 's');
my $cart = Bench::cart();
$pos->wait_for('the book', 120, sub { my $q = $pos->quote($cart); $q->{status} == 200 && grep { $_->{id} eq 'lua' } @{ $q->{json}{promotions} } })
    or die "the book is not there\n";
Bench::row("private memory of the worker with $count promotions", Bench::private_mb($pos), 'MB', ['<=', 150]);
Bench::row('of which before them', $empty, 'MB');

longest_slice("while all $count were compiled", ['<=', 2]);

# A worker that has seen nothing but changes, and changes that nginx has no part in but by
# its replica.
my ($first) = $pos->workers;
$pos->reload;
$pos->wait_for('a new worker', 60, sub { my @now = $pos->workers; @now == 1 && $now[0] != $first && !PosTest::alive($first) }) or die "no new worker\n";
Bench::pin($pos);
my $changes = 100;
change(0);
my $with = cost(sub { change($_[0]) });
my $without = cost(sub { no_change($_[0]) });
Bench::row("a change to a book of $count: the slices that prepare it and let the book before go", $with->{slices}, 'ms', ['<=', 2]);
Bench::row('the same, by what the worker takes over doing as much without a change', $with->{all} - $without->{all}, 'ms', ['<=', 2]);
Bench::row('which takes it, its looks at the replica and a quote or two', $without->{all}, 'ms');
longest_slice('of these changes', ['<=', 2]);

my @ms = Bench::publish_delays($pos, rounds => $rounds, admin => $pos->key('admin'), shop => $pos->key('storefront'), cart => $cart);
Bench::row("publish to the worker beside $count, median of $rounds", Bench::percentile(50, @ms), 'ms');
Bench::row("publish to the worker beside $count, p99", Bench::percentile(99, @ms), 'ms', ['<=', 100]);
Bench::table("$count live promotions");

# Of each, in ms of processor time: all that the worker takes, and its slices.
sub cost {
    my ($what) = @_;
    my ($all, $slices) = (Bench::workers_cpu($pos), prepared());
    $what->($_) for 1 .. $changes;
    return { all => 1000 * (Bench::workers_cpu($pos) - $all) / $changes, slices => (prepared() - $slices) / 1000 / $changes };
}

# By the processor time that the worker had in it, and by the clock.
sub longest_slice {
    my ($of, $bound) = @_;
    my $text = $pos->get('/metrics', key => undef)->{body};
    my ($cpu)  = $text =~ /^pos_prepare_slice_cpu_max_microseconds(?:\{[^}]*\})? (\d+)/m;
    my ($wall) = $text =~ /^pos_prepare_slice_max_microseconds(?:\{[^}]*\})? (\d+)/m;
    Bench::row("longest slice $of, by processor time", $cpu / 1000, 'ms', $bound);
    Bench::row('the same by the wall clock, what else ran on its core included', $wall / 1000, 'ms');
    return;
}

sub prepared { return ($pos->get('/metrics', key => undef)->{body} =~ /^pos_prepare_cpu_microseconds_total(?:\{[^}]*\})? (\d+)/m)[0] // 0 }

sub data {
    my ($i) = @_;
    return { id => "data-$i", name => "Data $i", class => 'line', then => [{ percent_off => 5 + $i % 20, items => { sku => [Bench::sku(50 + $i % 1900)] } }] };
}

sub script {
    my ($i) = @_;
    my $sku = Bench::sku(50 + $i % 1900);
    return { id => "lua-$i", script => "return promotion {\n  id = 'lua-$i', name = 'Lua $i', class = 'line',\n  when = { items = { sku = { '$sku' } }, quantity = { min = 2 } },\n"
        . "  apply = function(cart)\n    local sel = cart:items { sku = { '$sku' } }\n    sel:percent_off(sel:quantity() > 5 and " . (20 + $i % 10) . " or 10, 'Lua $i')\n  end,\n}\n" };
}

# Publishes a version through the database alone, and waits until it is sold by.
sub change {
    my ($n) = @_;
    my $document = PosTest::json({ id => 'bench-change', name => "Change $n", class => 'line',
        then => [{ amount_off => 1 + $n, per => 'line', items => { sku => [Bench::sku(1)] } }] });
    my $request = "jsonb_build_object('path', '{\"id\": \"bench-change\"}'::jsonb, 'query', '{}'::jsonb, 'headers', '{}'::jsonb,"
        . " 'actor', '{\"key_id\": \"bench\", \"scopes\": [\"*\"]}'::jsonb, 'idempotency_key', null, 'body', ";
    $pos->sql("begin; select set_config('pos.retailer', (select retailer_id::text from pos.retailer where mode = 'test' limit 1), true);"
        . " select api.put_promotion($request '$document'::jsonb, 'prepared', '{\"documents\": [$document]}'::jsonb));"
        . " select api.publish_promotion($request '{}'::jsonb, 'prepared', jsonb_build_object('version',"
        . " (select version from pos.promotion where promotion_id = 'bench-change'), 'findings', '[]'::jsonb))); commit");
    return seen("change $n", qr/"Change $n"/);
}

# All that change() does but to change anything.
sub no_change {
    my ($n) = @_;
    $pos->sql("begin; select set_config('pos.retailer', (select retailer_id::text from pos.retailer where mode = 'test' limit 1), true);"
        . " select version from pos.promotion where promotion_id = 'bench-change'; commit");
    return seen("no change $n", qr/"Change $changes"/);
}

sub seen {
    my ($what, $said) = @_;
    select undef, undef, undef, 0.25;    # asking whether it is there would cost the worker more than the change does
    return $pos->wait_for($what, 10, sub { $pos->quote($cart)->{body} =~ $said }) || die "$what is not sold by\n";
}
