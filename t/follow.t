#!/usr/bin/perl
# A worker makes its next book from the one it has and what changed: through publishing,
# editing, suspending and rolling back, whoever is killed in between and however far it
# is behind; and where it does not know what changed, it builds the whole.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos = PosTest->start(workers => 1);
$pos->expect_log(qr/exited on signal 9|terminated by signal 9|was terminated/);
my $cart = { at => '2026-11-02T12:00:00Z', explain => Cpanel::JSON::XS::true, lines => PosTest::lines(TEA => 2, 'MUG-RED' => 1) };

ok($pos->wait_for('a book', 10, sub { $pos->quote($cart)->{status} == 200 }), 'a book is there');
publish('off', 10);      # the sample may have come as a copy, that nobody can follow

subtest 'publishing, editing, suspending, rolling back' => sub {
    follows('another is published', sub { publish('more', 3) }, { off => 10, more => 3 });
    follows('one is edited', sub { publish('off', 12) }, { off => 12, more => 3 });
    follows('one in Lua is published', sub { publish_lua('lua', 5) }, { off => 12, more => 3, lua => 5 });
    follows('and edited', sub { publish_lua('lua', 6) }, { off => 12, more => 3, lua => 6 });
    follows('one is suspended', sub { is($pos->post('/v1/promotions/more/suspend', { reason => 'test' })->{status}, 200, 'suspended') }, { off => 12, lua => 6 });
    follows('one is rolled back', sub { is($pos->publish('off', { version => 1 })->{status}, 200, 'version 1 again') }, { off => 10, lua => 6 });
    follows('and the other published again', sub { is($pos->publish('more', {})->{status}, 200, 'published') }, { off => 10, more => 3, lua => 6 });
    same_as_whole();
};

subtest 'what promotions stand on' => sub {
    my $before = books();
    like($pos->put('/v1/categories/attic', { code => 'attic', name => 'Attic' })->{status}, qr/^20[01]$/, 'a category comes') or return;
    ok($pos->wait_for('its book', 10, sub { books()->{compiled} > $before->{compiled} }), 'it needs a new book');
    is(books()->{followed}, $before->{followed}, 'which is built as a whole');
    is_deeply(discounts(), { off => 10, more => 3, lua => 6 }, 'and sells the same');
    follows('the next change', sub { publish('off', 11) }, { off => 11, more => 3, lua => 6 });
};

subtest 'posd is killed' => sub {
    follows('a change before', sub { publish('off', 20) }, { off => 20, more => 3, lua => 6 });
    $pos->kill9($pos->pid('posd'));
    follows('and one after it', sub { publish('off', 21) }, { off => 21, more => 3, lua => 6 });
    same_as_whole();
};

subtest 'the worker is killed' => sub {
    my ($pid) = $pos->workers;
    $pos->kill9($pid);
    ok($pos->wait_for('another', 10, sub { my ($now) = $pos->workers; $now && $now != $pid && $pos->quote($cart)->{status} == 200 }), 'another comes');
    my $books = books();
    is($books->{followed}, 0, 'its first book follows none');
    is($books->{compiled} > 0, 1, 'it is built as a whole');
    is_deeply(discounts(), { off => 21, more => 3, lua => 6 }, 'and sells the same');
    follows('the next change', sub { publish('off', 22) }, { off => 22, more => 3, lua => 6 });
};

subtest 'a worker that is behind' => sub {
    my $before = books();
    behind(sub { by_sql('off', $_) for 30 .. 39 });
    ok($pos->wait_for('the last', 20, sub { discounts()->{off} == 39 }), 'ten revisions later it has the last');
    my $after = books();
    cmp_ok($after->{followed}, '>', $before->{followed}, 'it follows them');
    is($after->{whole}, $before->{whole}, 'and builds no whole book');
    same_as_whole();
};

subtest 'a worker that is too far behind' => sub {
    my $before = books();
    behind(sub {
        my $written = written();
        by_sql('off', 40);
        ok($pos->wait_for('posd', 10, sub { written() ne $written }), 'posd has the first change for itself');
        by_sql('off', 41 .. 340);
    });
    ok($pos->wait_for('the last', 30, sub { (discounts()->{off} // 0) == 340 }), 'three hundred revisions later it has the last');
    is(books()->{whole}, $before->{whole} + 1, 'by a book that is built as a whole: the first of them are not kept');
    follows('the next change', sub { publish('off', 7) }, { off => 7, more => 3, lua => 6 });
    $pos->check_replica;
};
done_testing;

# --- what is checked ---------------------------------------------------------

# Compiled, and of these made from the book before, and not.
sub books {
    my $text = $pos->get('/metrics', key => undef)->{body};
    my %b = map { $_ => ($text =~ /^pos_books_${_}_total(?:\{[^}]*\})? (\d+)/m)[0] // 0 } qw(compiled followed);
    return { %b, whole => $b{compiled} - $b{followed} };
}

# By promotion: pennies off.
sub discounts {
    my $q = $pos->quote($cart);
    die "no quote: $q->{body}" if $q->{status} != 200;
    return { map { $_->{id} => $_->{amount} } grep { $_->{id} =~ /^(?:off|more|lua)$/ } @{ $q->{json}{promotions} } };
}

sub follows {
    my ($what, $change, $expected) = @_;
    my $before = books();
    $change->();
    ok($pos->wait_for($what, 10, sub { PosTest::json(discounts()) eq PosTest::json($expected) }), "$what: it is sold by") or diag(PosTest::json(discounts()));
    my $after = books();
    cmp_ok($after->{followed}, '>', $before->{followed}, "$what: the book follows the one before");
    is($after->{whole}, $before->{whole}, "$what: none is built as a whole");
    return;
}

# A new worker has a book of its own making: it must answer as the one before it.
sub same_as_whole {
    my $answer = sub { my $q = $pos->quote($cart)->{json}; delete @$q{qw(id)}; return PosTest::json($q) };
    my $before = $answer->();
    my ($pid) = $pos->workers;
    $pos->kill9($pid);
    ok($pos->wait_for('another worker', 10, sub { my ($now) = $pos->workers; $now && $now != $pid && $pos->quote($cart)->{status} == 200 }), 'another worker');
    is($answer->(), $before, 'answers by a whole book what the one before answered by what it followed');
    publish('off', discounts()->{off});
    return;
}

# While the worker stands still; posd goes on.
sub behind {
    my ($change) = @_;
    my ($pid) = $pos->workers;
    kill 'STOP', $pid;
    $change->();
    my $written = '';
    $pos->wait_for('posd', 20, sub { my $was = $written; $written = written(); select undef, undef, undef, 0.5; $was eq $written });
    kill 'CONT', $pid;
    return;
}

# What posd's file was last written.
sub written { return join ' ', map { (stat)[9] . ' ' . PosTest::command_output('stat', '-c', '%y', $_) } glob "$pos->{state}/replica/book.*.mdb" }

# --- what changes -------------------------------------------------------------

sub document {
    my ($id, $amount) = @_;
    return { id => $id, name => ucfirst $id, class => 'order', then => [{ amount_off => $amount }] };
}

sub publish {
    my ($id, $amount) = @_;
    my $put = $pos->put("/v1/promotions/$id", document($id, $amount));
    like($put->{status}, qr/^20[01]$/, "$id is put") or diag($put->{body});
    is($pos->publish($id, {})->{status}, 200, 'and published');
    return;
}

sub publish_lua {
    my ($id, $amount) = @_;
    my $put = $pos->put_lua($id, "return promotion { id = '$id', name = 'Lua', class = 'order', apply = function(cart) cart:amount_off($amount, 'Lua') end }\n");
    like($put->{status}, qr/^20[01]$/, "$id is put") or diag($put->{body});
    is($pos->publish($id, {})->{status}, 200, 'and published');
    return;
}

# Versions one after the other, through the database alone: a revision each.
sub by_sql {
    my ($id, @amounts) = @_;
    my $request = "jsonb_build_object('path', '{\"id\": \"$id\"}'::jsonb, 'query', '{}'::jsonb, 'headers', '{}'::jsonb,"
        . " 'actor', '{\"key_id\": \"test\", \"scopes\": [\"*\"]}'::jsonb, 'idempotency_key', null, 'body', ";
    while (my @some = splice @amounts, 0, 20) {
        $pos->sql(join '', map { version_sql($request, $id, $_) } @some);
    }
    return;
}

sub version_sql {
    my ($request, $id, $amount) = @_;
    my $document = PosTest::json(document($id, $amount));
    return "begin; select set_config('pos.retailer', (select retailer_id::text from pos.retailer where mode = 'test' limit 1), true);"
            . " select api.put_promotion($request '$document'::jsonb, 'prepared', '{\"documents\": [$document]}'::jsonb));"
            . " select api.publish_promotion($request '{}'::jsonb, 'prepared', jsonb_build_object('version',"
            . " (select version from pos.promotion where promotion_id = '$id'), 'findings', '[]'::jsonb))); commit;\n";
}
