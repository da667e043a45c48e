#!/usr/bin/perl
# A promotion's script that fails in one cart after the other is suspended by itself, says
# why, and comes back when it is published again. One that fails now and then goes on.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos  = PosTest->start(workers => 1, env => { POS_WATCH => 0 });
my %shop = (key => $pos->key('storefront'));
my $tea  = { currency => 'GBP', store => 'london', channel => 'web', lines => PosTest::lines('TEA', 1) };
my $bad  = { %$tea, lines => PosTest::lines('TEA', 2) };

# Of one cart it takes off 7, of the other it fails.
my $source = "return promotion { id = 'frail', name = 'Frail', class = 'line', apply = function(cart)\n"
    . "  if cart:items():quantity() == 2 then error('two of \"it\"') end\n"
    . "  cart:items():amount_off(7, 'Frail', 'line')\nend }";
publish('frail', $source);
publish('sound', $source =~ s/frail/sound/r =~ s/ error\(.*?\) end/ cart:message('two') end/r);

subtest 'now and then' => sub {
    for (1 .. 3) {
        quotes($bad, 99);
        quotes($tea, 1);
    }
    is(state('frail'), 'active', '99 failures in a row, three times: it stays');
    is(applied($tea), 'frail sound', 'and sells');
};

subtest 'a hundred in a row' => sub {
    quotes($bad, 100);
    my $the = suspended('frail');
    is($the->{suspended_reason}, q{its script failed 100 times in a row, the last time with: line 2: two of "it"}, 'why');
    is($the->{published_version}, 1, 'which version it is');
    is(events('frail'), 1, 'the outbox has one event of it');
    is($pos->sql("select data ->> 'reason' from pos.event where aggregate = 'promotion/frail' and type = 'promotion.suspended'"),
        $the->{suspended_reason}, 'with the reason');
    ok($pos->wait_for('the book', 10, sub { applied($tea) eq 'sound' }), 'the book has it no more; the other sells on');
    like($pos->log_text, qr/\[warn\].*suspended, since its script fails: \{"promotion":"frail"/, 'the log says so');
    quotes($bad, 120);
    is(events('frail'), 1, 'it is told once');
};

subtest 'published again' => sub {
    publish('frail');
    ok($pos->wait_for('the book', 10, sub { applied($tea) eq 'frail sound' }), 'it sells');
    quotes($bad, 99);
    is(state('frail'), 'active', 'and is counted anew');
    quotes($bad, 1);
    suspended('frail');
    is(events('frail'), 2, 'told again');
};

subtest 'another version, and a batch' => sub {
    publish('frail', "-- two\n$source");
    my $lines = (PosTest::json($bad) . "\n") x 100;
    my $r = $pos->request('POST', '/v1/quotes/batch', %shop, body => $lines, headers => { 'Content-Type' => 'application/x-ndjson' });
    is($r->{status}, 200, 'a batch of a hundred');
    is(suspended('frail')->{published_version}, 2, 'suspends that version');
};

# Storefronts choose their carts: no size of one takes a promotion from the others.
subtest 'limits' => sub {
    my $work = $source =~ s/frail/busy/r =~ s/if cart.*? end\n/for a in cart:items():each() do for b in cart:items():each() do if b.quantity == 3 then while true do end end end end\n/r;
    publish('busy', $work);
    my $huge = { %$tea, lines => [map { { id => "$_", sku => 'TEA', quantity => 1, attributes => { engraving => "$_" } } } 1 .. 600] };
    my ($said) = grep { $_->{id} eq 'busy' } @{ $pos->quote({ %$huge, explain => Cpanel::JSON::XS::true }, %shop)->{json}{explain} };
    is($said->{reason}, 'script_error', 'a cart of 600 lines is too much for it');
    quotes($huge, 120);
    is(state('busy'), 'active', 'which does not suspend it');
    quotes({ %$tea, lines => PosTest::lines('TEA', 3) }, 100);
    is(suspended('busy')->{suspended_reason}, 'its script failed 100 times in a row, the last time with: line 2: over the limit of instructions',
        'one line that it never comes to an end of does');
};

subtest 'without a database' => sub {
    publish('frail', "-- three\n$source");
    $pos->expect_log(qr/terminating connection|database system is/);
    is($pos->stop_postgres, 0, 'PostgreSQL is stopped');
    quotes($bad, 100);
    is(applied($tea), 'frail sound', 'it stays in the book');
    is($pos->start_postgres, 0, 'PostgreSQL is back');
    ok($pos->wait_for('the database', 20, sub { $pos->get('/v1/categories?limit=1')->{status} == 200 }), 'and reached');
    is(state('frail'), 'active', 'nothing was told then');
    quotes($bad, 100);
    suspended('frail');
};

# The count is of the worker's; what it says of another retailer's book or source is nothing.
subtest 'only what the book runs' => sub {
    my %retailer = map { $_ => $pos->sql("select retailer_id from pos.retailer where mode = '$_'") } qw(test live);
    my $tell = sub {
        my ($id, $sha, $retailer) = @_;
        return $pos->sql("begin; select set_config('pos.retailer', '$retailer{$retailer}', true) is null;"
            . " select pos.suspend_failing(jsonb_build_object('promotion', '$id', 'source', '$sha', 'failures', 100, 'last', 'x')); commit", 'pos_api');
    };
    my $sha = $pos->sql("select encode(v.source, 'hex') from pos.promotion_version v join pos.retailer r using (retailer_id) where r.mode = 'test' and v.promotion_id = 'sound'");
    is($tell->('sound', 'ab' x 32, 'test'), "f\nf", 'not by another source');
    is($tell->('sound', $sha, 'live'), "f\nf", 'not in another shop');
    is($tell->('nonsuch', $sha, 'test'), "f\nf", 'not what is not there');
    is(state('sound'), 'active', 'it goes on');
    is($tell->('sound', $sha, 'test'), "f\nt", 'by its own');
    is(state('sound'), 'suspended', 'it is suspended');
};

$pos->check_replica;
done_testing;

sub quotes {
    my ($cart, $count) = @_;
    my $socket = $pos->connect;
    my @other = grep { $pos->request('POST', '/v1/quotes', %shop, json => $cart, socket => $socket)->{status} != 200 } 1 .. $count;
    return is(scalar @other, 0, "$count quotes go on");
}

sub applied {
    my ($cart) = @_;
    return join ' ', sort map { $_->{id} } @{ $pos->quote($cart, %shop)->{json}{promotions} };
}

sub state { my ($id) = @_; return $pos->get("/v1/promotions/$id")->{json}{state} }

sub suspended {
    my ($id) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($pos->wait_for("$id suspended", 10, sub { state($id) eq 'suspended' }), "$id is suspended") or diag($pos->log_tail);
    return $pos->get("/v1/promotions/$id")->{json};
}

sub events {
    my ($id) = @_;
    return $pos->sql("select count(*) from pos.event where aggregate = 'promotion/$id' and type = 'promotion.suspended'");
}

# Stored where there is a source, published, and quoted by.
sub publish {
    my ($id, $text) = @_;
    my $match = sub { my $etag = $pos->get("/v1/promotions/$id")->{headers}{etag}; return $etag ? ('If-Match' => $etag) : () };
    if ($text) {
        my $put = $pos->put_lua($id, $text, headers => { $match->() });
        like($put->{status}, qr/^20[01]$/, "$id is stored") or diag($put->{body});
    }
    my $r = $pos->publish($id, {}, headers => { $match->() });
    is($r->{status}, 200, "$id is published") or diag($r->{body});
    return ok($pos->wait_for("$id in the book", 10, sub { applied($tea) =~ /\b$id\b/ }), 'and sells');
}
