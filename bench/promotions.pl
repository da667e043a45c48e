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

# A change that nginx has no part in but by its replica.
my $changes = 100;
change(0);
my $before = Bench::workers_cpu($pos);
for my $n (1 .. $changes) { change($n) }
my $each = 1000 * (Bench::workers_cpu($pos) - $before) / $changes;
Bench::row("a change to a book of $count, all that it takes the worker", $each, 'ms', ['<=', 2]);
my ($slice) = $pos->get('/metrics', key => undef)->{body} =~ /^pos_prepare_slice_max_microseconds(?:\{[^}]*\})? (\d+)/m;
Bench::row('longest slice of preparing since the start', $slice / 1000, 'ms', ['<=', 2]) if defined $slice;

my @ms = Bench::publish_delays($pos, rounds => $rounds, admin => $pos->key('admin'), shop => $pos->key('storefront'), cart => $cart);
Bench::row("publish to the worker beside $count, median of $rounds", Bench::percentile(50, @ms), 'ms');
Bench::row("publish to the worker beside $count, p99", Bench::percentile(99, @ms), 'ms', ['<=', 100]);
Bench::table("$count live promotions");

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
    select undef, undef, undef, 0.25;    # asking whether it is there would cost the worker more than the change does
    return $pos->wait_for("change $n", 10, sub { $pos->quote($cart)->{body} =~ /"Change $n"/ }) || die "change $n is not sold by\n";
}
