#!/usr/bin/perl

# What nginx refuses to start with, and that it names the operation.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PgTest;
use Test::More;

my $id = { name => 'id', in => 'path', required => Cpanel::JSON::XS::true, schema => { type => 'string' } };

sub try_with {
    my ($contract, $functions, %how) = @_;
    my $t = PgTest->new(contract => $contract, functions => $functions, database => 0, %how);
    my ($ok, $text) = $t->check_conf;
    $t->stop;
    return ($ok, $text);
}

sub refuses {
    my ($name, $like, $contract, @functions) = @_;
    my ($ok, $text) = try_with($contract, \@functions);
    ok(!$ok, "$name: nginx does not start");
    like($text, $like, "$name: and says why");
    return;
}

my %thing = (operationId => 'get_thing', parameters => [$id]);

my ($ok, $text) = try_with(PgTest::contract('get /things/{id}' => {%thing}), ['get_thing']);
ok($ok, 'a sound contract starts') or diag $text;

refuses('no function', qr/"get_thing".*served by nothing/, PgTest::contract('get /things/{id}' => {%thing}), 'get_other');
refuses('no such native handler', qr/"get_thing".*x-pos-native/,
    PgTest::contract('get /things/{id}' => { %thing, 'x-pos-native' => 'telepathy' }), 'get_thing');
refuses('no such prepare step', qr/"get_thing".*x-pos-prepare/,
    PgTest::contract('get /things/{id}' => { %thing, 'x-pos-prepare' => 'prayer' }), 'get_thing');
refuses('a schema keyword nobody implements', qr/get_thing.*\n?.*contains/i,
    PgTest::contract('get /things/{id}' => { %thing,
        parameters => [ { %$id, schema => { type => 'array', contains => { type => 'string' } } } ] }), 'get_thing');
refuses('no scope', qr/"get_thing".*x-pos-scope/,
    PgTest::contract('get /things/{id}' => { %thing, 'x-pos-scope' => undef }), 'get_thing');
refuses('a path parameter nobody declared', qr/"get_thing".*not declared/,
    PgTest::contract('get /things/{id}' => { operationId => 'get_thing' }), 'get_thing');
refuses('an operation id that is no function name', qr/operationId/,
    PgTest::contract('get /things/{id}' => { %thing, operationId => 'get-thing; drop' }), 'get_thing');
refuses('two operations at one place', qr/"get_(?:one|two)".*same path/,
    PgTest::contract('get /things/{a}' => { operationId => 'get_one', parameters => [ { %$id, name => 'a' } ] },
        'get /things/{b}' => { operationId => 'get_two', parameters => [ { %$id, name => 'b' } ] }), 'get_one', 'get_two');

# Asking for a host's address would hold up a worker, and all that it serves.
my $sound = PgTest::contract('get /things/{id}' => {%thing});
my %database = (
    'a name'                    => ['host=db.example dbname=pos', qr/"pos_database": looking up the host "db\.example" would hold up a worker/],
    'a name among addresses'    => ['host=127.0.0.1,two.example,/run', qr/"two\.example"/],
    'a name in a URL'           => ['postgresql://pos@three.example/pos', qr/"three\.example"/],
    'an option that is none'    => ['hots=/run', qr/"pos_database":.*hots/],
    'a gap in the addresses'    => ['host=a.example,b.example hostaddr=127.0.0.1,', qr/"b\.example"/],
    'a service'                 => ['service=pos', qr/"pos_database": what is behind a service cannot be looked at/],
    'a folder'                  => ['host=/run dbname=pos'],
    'addresses'                 => ['host=127.0.0.1,::1 dbname=pos'],
    'a name with its address'   => ['host=db.example hostaddr=127.0.0.1 sslmode=verify-full'],
    'a URL without a host'      => ['postgresql:///pos?host=/run'],
);
for my $name (sort keys %database) {
    my ($conninfo, $like) = @{ $database{$name} };
    ($ok, $text) = try_with($sound, ['get_thing'], conninfo => $conninfo);
    if ($like) { ok(!$ok && $text =~ $like, "the database by $name: is refused") or diag $text }
    else       { ok($ok, "the database by $name: is fine") or diag $text }
}

done_testing();
