#!/usr/bin/perl

# Requests against the contract: routes, methods, types, bodies however they come, and
# all faults named at once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PgTest;
use Test::More;

my $true = Cpanel::JSON::XS::true;
my $id   = { name => 'id', in => 'path', required => $true, schema => { type => 'string', maxLength => 20 } };
my $body = { required => $true, content => { 'application/json' => { schema => { type => 'object',
    properties => { a => { type => 'integer', minimum => 1 }, b => { type => 'string' } }, required => ['a'] } }, 'text/x-lua' => {} } };

my $t = PgTest->new(
    contract => PgTest::contract(
        'get /things/{id}'        => { operationId => 'get_thing', parameters => [$id] },
        'get /things/special'     => { operationId => 'get_special' },
        'get /things/{id}/parts'  => { operationId => 'get_parts', parameters => [$id] },
        'get /openapi.json'       => { operationId => 'get_openapi', 'x-pos-native' => 'openapi' },
        'get /secret'             => { operationId => 'get_secret', 'x-pos-scope' => 'things:read' },
        'get /wrong'              => { operationId => 'get_wrong', responses => { 200 => { description => 'x',
            content => { 'application/json' => { schema => { type => 'object', properties => { a => { type => 'integer' } } } } } } } },
        'post /things'            => { operationId => 'add_thing', requestBody => $body, 'x-pos-idempotent' => $true,
            parameters => [ { name => 'n', in => 'query', schema => { type => 'integer', maximum => 9 } },
                { name => 'tag', in => 'query', schema => { type => 'array', items => { type => 'string' } } },
                { name => 'If-Match', in => 'header', schema => { type => 'string', maxLength => 8 } } ] },
        'post /small'             => { operationId => 'add_small', requestBody => $body, 'x-pos-max-body' => 1000 },
    ),
    functions => [qw(get_thing get_special get_parts get_secret get_wrong add_thing add_small)],
    http      => 'pos_check_responses on;',
    sql       => join('', <<'SQL', map { "create function api.$_(r jsonb) returns pos.response language sql as 'select pos.echo(r)';\n" } qw(get_thing get_special get_parts get_secret get_wrong add_thing add_small)),
create schema pos; create schema api;
create type pos.response as (status int, body jsonb, headers jsonb);
create function pos.echo(r jsonb) returns pos.response language sql as $$ select row(200, r, '{"ETag":"\"e1\""}'::jsonb)::pos.response $$;
SQL
);

ok($t->start_nginx, 'nginx runs') or BAIL_OUT(PgTest::slurp("$t->{dir}/start.log"));
my %json = ('Content-Type' => 'application/json');
my $r;

# Routes
is($t->request('GET', '/v1/things/a%2Fb')->{json}{path}{id}, 'a/b', 'a segment is decoded after the path is cut');
is($t->request('GET', '/v1/things/caf%C3%A9')->{json}{path}{id}, "caf\x{e9}", 'as UTF-8');
is($t->request('GET', '/v1/%74hing%73/%61%2Fb')->{json}{path}{id}, 'a/b', 'letters may be percent-encoded, in literals too');
is($t->request('GET', '/v1/things/%2541')->{json}{path}{id}, '%41', 'nothing is decoded twice');
is_deeply($t->request('GET', '/v1/things/special')->{json}{path}, {}, 'a literal comes before a parameter');
is($t->request('GET', '/v1/things/special/parts')->{json}{path}{id}, 'special', 'and gives way where it leads nowhere');
is($t->request('GET', $_)->{status}, 404, "404: $_") for '/', '/v1', '/v1/things/', '/v1/things/a/b', '/v1//things/a', '/v1/things/a/parts/', '/v2/things/a';
$r = $t->request('DELETE', '/v1/things/a');
is($r->{status}, 405, 'a method it does not take');
is($r->{headers}{allow}, 'GET, HEAD, OPTIONS', 'with Allow');
is($t->request('OPTIONS', '/v1/things')->{headers}{allow}, 'POST, OPTIONS', 'OPTIONS says what it takes');
is($t->request('HEAD', '/v1/things/a')->{body}, '', 'HEAD has no body');
is($t->request('GET', '/v1/things/a', headers => { 'If-None-Match' => '"x", W/"e1"' })->{status}, 304, 'If-None-Match');
like($t->request('GET', "/v1/things/$_")->{status}, qr/^4(?:00|22)$/, "refused: $_") for '%ff', 'a%00b', 'x' x 21, '%zz', '%4';

# Every answer
$r = $t->request('GET', '/v1/nothing');
is($r->{headers}{'content-type'}, 'application/problem+json', 'problems are RFC 9457');
is($r->{json}{request_id}, $r->{headers}{'request-id'}, 'with the request id');
is($r->{json}{status}, 404, 'and status');
like($r->{json}{type}, qr{^/docs/errors#no_such_path$}, 'and a link into the catalogue');

# Keys
$r = $t->request('GET', '/v1/secret');
is($r->{status}, 401, 'no key: 401');
like($r->{headers}{'www-authenticate'}, qr/^Bearer/, 'with a challenge');

# Bodies
is($t->request('POST', '/v1/things', headers => \%json, body => '{"a": 1}')->{json}{body}{a}, 1, 'a body');
is($t->request('POST', '/v1/things', headers => { 'Content-Type' => 'Application/JSON; Charset="UTF-8"' }, body => '{"a":1}')->{status}, 200, 'its type in any case');
is($t->request('POST', '/v1/things', headers => { 'Content-Type' => 'text/x-lua' }, body => "return 1\n")->{json}{body}, "return 1\n", 'a text body');
is($t->request('POST', '/v1/things', headers => {%$_}, body => '{"a":1}')->{status}, 415, '415 for another type')
    for {}, { 'Content-Type' => 'text/plain' }, { 'Content-Type' => 'application/json; charset=latin1' };
$r = $t->request('POST', '/v1/things', headers => { %json, 'Content-Encoding' => 'gzip' }, body => "\x1f\x8b\x08");
is($r->{status}, 415, 'a packed body');
is($r->{json}{code}, 'unsupported_encoding', 'is called that');
is($r->{headers}{'accept-encoding'}, 'identity', 'and what is taken is said');
is($t->request('POST', '/v1/things', headers => { %json, 'Content-Encoding' => 'Identity' }, body => '{"a":1}')->{status}, 200, 'one that says it is not');
is($t->request('POST', '/v1/things', headers => \%json)->{status}, 400, 'no body: 400');
for my $bad ('', '{', '{"a":1', '{"a":1}x', '{"a":1,"a":2}', '[' x 100 . ']' x 100, '{"a":1,}', "{\"a\":1,\"b\":\"\xff\"}", '{"a":01}', '{"a":1,"b":"\u0000"}', 'nul') {
    $r = $t->request('POST', '/v1/things', headers => \%json, body => $bad);
    is($r->{status}, 400, 'broken JSON is 400: ' . substr $bad, 0, 20);
    is($r->{headers}{'content-type'}, 'application/problem+json', 'as a problem');
}
$r = $t->request('POST', '/v1/things?n=12&n2=1&n=3&tag=a&tag=b', headers => { %json, 'If-Match' => 'much too long' }, body => '{"a":0,"b":7,"c":null}');
is($r->{status}, 422, 'many faults');
is_deeply([ sort map { $_->{pointer} } @{ $r->{json}{errors} } ],
    [qw(/a /b /c /headers/If-Match /query/n /query/n2)], 'are all named at once, each at its place');
$r = $t->request('POST', '/v1/things?tag=a&tag=b%20c&n=3', headers => \%json, body => '{"a":2}');
is_deeply($r->{json}{query}, { tag => [ 'a', 'b c' ], n => 3 }, 'parameters come typed');
is($t->request('POST', '/v1/things', headers => { %json, 'Idempotency-Key' => 'k-1' }, body => '{"a":2}')->{json}{idempotency_key}, 'k-1', 'Idempotency-Key');
is($t->request('POST', '/v1/things', headers => { %json, 'Idempotency-Key' => 'k' x 300 }, body => '{"a":2}')->{status}, 422, 'one too long');

# However they come
my $pad  = sub { '{"a":1,"b":"' . 'x' x $_[0] . '"}' };
for my $size (100, 20_000, 100_000, 900_000) {
    is(length $t->request('POST', '/v1/things', headers => \%json, body => $pad->($size))->{json}{body}{b}, $size, "a body of $size bytes");
    my $text = $pad->($size);
    my $chunks = join('', map { sprintf("%x\r\n", length) . "$_\r\n" } unpack '(a7000)*', $text) . "0\r\n\r\n";
    my $s = $t->begin('POST', '/v1/things', headers => { %json, 'Transfer-Encoding' => 'chunked' });
    syswrite $s, substr $chunks, 0, 50;
    select undef, undef, undef, 0.05;
    my $rest = substr $chunks, 50;
    while (length $rest) { my $n = syswrite $s, $rest or last; substr $rest, 0, $n, '' }
    $r = PgTest::answer($s);
    is(length($r->{json}{body}{b} // ''), $size, "the same in chunks");
}
is($t->request('POST', '/v1/small', headers => \%json, body => $pad->(2000))->{status}, 413, 'over its limit: 413');
{
    my $text = $pad->(2000);
    my $s = $t->begin('POST', '/v1/small', headers => { %json, 'Transfer-Encoding' => 'chunked' });
    syswrite $s, sprintf("%x\r\n%s\r\n0\r\n\r\n", length $text, $text);
    $r = PgTest::answer($s);
    is($r->{status}, 413, 'in chunks too');
    is($r->{json}{code}, 'body_too_large', 'as a problem');
}
is($t->request('POST', '/v1/things', headers => { %json, 'Content-Length' => 2_000_000 })->{status}, 413, '2 MB is refused before it is read');

# Keep-alive stays in step whatever was refused.
{
    my $s = $t->connect_to;
    for my $try (1 .. 3) {
        my $b = '{"a":';
        syswrite $s, "POST /v1/nothing HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n$b";
        my $in = '';
        sysread $s, $in, 65536;
        like($in, qr{^HTTP/1.1 404}, "refused with its body unread ($try)");
    }
}

# Our own answers are checked.
$r = $t->request('GET', '/v1/wrong');
is($r->{status}, 500, 'an answer against the contract is 500');
is($r->{json}{code}, 'contract_broken', 'and says so');
like(PgTest::slurp("$t->{dir}/error.log"), qr/operation "get_wrong" answered 200 against its contract/, 'the log names the operation');

# The contract itself
$r = $t->request('GET', '/v1/openapi.json');
is($r->{json}{openapi}, '3.1.0', 'the contract is served');
is($t->request('GET', '/v1/openapi.json', headers => { 'If-None-Match' => $r->{headers}{etag} })->{status}, 304, 'with a tag');

# HTTP/1.0 pipelined rubbish does not reach us as a crash.
for my $raw ("GET /v1/things/a\r\n\r\n", "POST /v1/things HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n", "BREW /v1/things/a HTTP/1.1\r\nHost: t\r\n\r\n") {
    my $s = $t->connect_to;
    syswrite $s, $raw;
    shutdown $s, 1;
    PgTest::answer($s, 2);
}
is($t->request('GET', '/v1/things/alive')->{status}, 200, 'still there');

$t->stop;
done_testing();
