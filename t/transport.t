#!/usr/bin/perl
# The same cart however it arrives: kept alive, pipelined, chunked, slowly, through a temp
# file, over HTTP/2, cut off half way.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos  = PosTest->start(h2 => 1, nginx_server => 'client_max_body_size 3m; location = /other { return 404; }');
my %shop = (key => $pos->key('storefront'));
my $cart = { currency => 'GBP', store => 'london', channel => 'web', lines => PosTest::lines('MUG-RED', 6) };
my $body = PosTest::json($cart);
my $total = $pos->quote($cart, %shop)->{json}{total};
my @workers = $pos->workers;

subtest 'one connection, many carts' => sub {
    my $socket = $pos->connect;
    my @bad = grep { ($pos->request('POST', '/v1/quotes', %shop, body => $body, socket => $socket)->{json}{total} // -1) != $total } 1 .. 50;
    is(scalar @bad, 0, 'fifty carts one after another');
    PosTest::is_problem($pos->request('POST', '/v1/quotes', %shop, body => '{', socket => $socket), 400, undef, 'a bad one between');
    is($pos->request('POST', '/v1/quotes', %shop, body => $body, socket => $socket)->{json}{total}, $total, 'does not spoil the next');
    my $text = $pos->request_text('POST', '/v1/quotes', %shop, body => $body, socket => 1);
    PosTest::send_all($socket, $text x 5, 5);
    my @answers = map { PosTest::read_answer($socket, 'POST', 5) } 1 .. 5;
    is(scalar(grep { ($_->{json}{total} // -1) == $total } @answers), 5, 'five at once');
};

subtest 'chunked' => sub {
    for my $size (1, 7, 4096) {
        is($pos->request('POST', '/v1/quotes', %shop, body => $body, chunked => $size)->{json}{total}, $total, "in chunks of $size");
    }
    my $r = $pos->request('POST', '/v1/quotes', %shop, body => '{"x": "' . ('y' x 2_000_000) . '"}', chunked => 65536);
    is($r->{status}, 413, 'too large without saying so before');
};

# What nginx refuses before our handler sees it, whole and with a pause in the middle.
subtest 'what is not HTTP' => sub {
    my $head = "Host: x\r\nAuthorization: Bearer $shop{key}\r\n";
    my $post = "POST /v1/quotes HTTP/1.1\r\n${head}Content-Type: application/json\r\n";
    my $long = 'x' x 70_000;
    my @cases = (
        ['broken percent-encoding', 400 => bad_request => "GET /v1/%zz HTTP/1.1\r\n$head\r\n"],
        ['an encoded zero byte', 400 => bad_request => "GET /v1/%00 HTTP/1.1\r\n$head\r\n"],
        ['a zero byte in the path', 400 => bad_request => "GET /v1/\0x HTTP/1.1\r\n$head\r\n"],
        ['a zero byte in a header', 400 => bad_request => "GET /v1/x HTTP/1.1\r\n${head}X: a\0b\r\n\r\n"],
        ['a line that is no request', 400 => bad_request => "hello\r\n\r\n"],
        ['TLS on a plain port', 400 => bad_request => "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"],
        ['a method in lower case', 400 => bad_request => "get / HTTP/1.1\r\n$head\r\n"],
        ['a space in the path', 400 => bad_request => "GET /v1/a b HTTP/1.1\r\n$head\r\n"],
        ['a path above the root', 400 => bad_request => "GET /v1/../../etc/passwd HTTP/1.1\r\n$head\r\n"],
        ['no Host', 400 => bad_request => "GET / HTTP/1.1\r\n\r\n"],
        ['a bad Host', 400 => bad_request => "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"],
        ['two Hosts', 400 => bad_request => "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"],
        ['a header too large', 431 => headers_too_large => "GET / HTTP/1.1\r\n${head}X: $long\r\n\r\n"],
        ['headers too large', 431 => headers_too_large => "GET / HTTP/1.1\r\n$head" . ("X: " . ('x' x 9000) . "\r\n") x 10 . "\r\n"],
        ['a request line too long', 414 => uri_too_long => "GET /$long HTTP/1.1\r\n$head\r\n"],
        ['a transfer encoding', 501 => not_implemented => "POST /v1/quotes HTTP/1.1\r\n${head}Transfer-Encoding: gzip\r\n\r\n"],
        ['TRACE', 405 => method_not_allowed => "TRACE / HTTP/1.1\r\n$head\r\n"],
        ['CONNECT', 400 => bad_request => "CONNECT x:1 HTTP/1.1\r\n$head\r\n"],
        ['a method of its own', 405 => method_not_allowed => "BREW /v1/quotes HTTP/1.1\r\n$head\r\n"],
        ['HTTP/9.9', 505 => http_version => "GET / HTTP/9.9\r\n$head\r\n"],
        ['HTTP/1.0', 405 => method_not_allowed => "GET /v1/quotes HTTP/1.0\r\n$head\r\n"],
        ['an absolute URI', 405 => method_not_allowed => "GET http://x/v1/quotes HTTP/1.1\r\n$head\r\n"],
        ['doubled slashes', 404 => no_such_path => "GET //v1//quotes HTTP/1.1\r\n$head\r\n"],
        ['a dot segment', 404 => no_such_path => "GET /v1/./quotes HTTP/1.1\r\n$head\r\n"],
        ['the path of our own error page', 404 => no_such_path => "GET /.pos/problem HTTP/1.1\r\n$head\r\n"],
        ['both lengths', 400 => bad_request => "${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
        ['two lengths', 400 => bad_request => "${post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"],
        ['a negative length', 400 => bad_request => "${post}Content-Length: -5\r\n\r\n"],
        ['a length beyond 64 bits', 400 => bad_request => "${post}Content-Length: 99999999999999999999999\r\n\r\n"],
        ['a huge length', 413 => body_too_large => "${post}Content-Length: 9999999999\r\n\r\n"],
        ['a huge length, expecting a word first', 413 => body_too_large => "${post}Expect: 100-continue\r\nContent-Length: 9999999999\r\n\r\n"],
        ['a chunk that is none', 400 => bad_request => "${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"],
        ['rubbish after a chunk', 400 => bad_request => "${post}Transfer-Encoding: chunked\r\n\r\n2\r\n{}zz"],
        ['a chunk beyond 64 bits', 400 => bad_request => "${post}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}"],
        ['chunks over the server\'s limit', 413 => body_too_large => "${post}Transfer-Encoding: chunked\r\n\r\n400000\r\n" . ('x' x 0x400000) . "\r\n0\r\n\r\n"],
        ['an import over it', 413 => body_too_large => import_head() . "400000\r\n" . ('x' x 0x400000) . "\r\n0\r\n\r\n"],
        ['an import in broken chunks', 400 => bad_request => import_head() . "2\r\n{}zz"],
    );
    for my $case (@cases) {
        my ($name, $status, $code, $text) = @$case;
        for my $at (length $text, $text =~ /\r\n\r\n/ ? $+[0] : 4) {
            my $socket = $pos->connect;
            PosTest::send_all($socket, substr($text, 0, $at), 5);
            if ($at < length $text) {
                # nothing is to be waited for: the answer is the same if this is too short
                select undef, undef, undef, 0.02;
                PosTest::send_all($socket, substr($text, $at), 5);
            }
            my $r = PosTest::read_answer($socket, 'GET', 5);
            PosTest::is_problem($r, $status, $code, $name);
            is($r->{headers}{'request-id'} // 'none', $r->{json}{request_id} // '', 'with its identifier');
            last if $at == length $text && $text =~ /\r\n\r\n\z/;
        }
    }
    isnt($pos->get('/other')->{headers}{'content-type'} // '', 'application/problem+json', 'another location keeps its own pages');
    my $socket = $pos->connect;
    PosTest::send_all($socket, "${post}Expect: 100-continue\r\nContent-Length: " . length($body) . "\r\n\r\n", 5);
    is(PosTest::read_answer($socket, 'HEAD', 5)->{status}, 100, 'who asks first is told to go on');
    PosTest::send_all($socket, $body, 5);
    is(PosTest::read_answer($socket, 'POST', 5)->{json}{total}, $total, 'and gets the quote');
};

subtest 'slowly' => sub {
    my $socket = $pos->connect;
    my $text = $pos->request_text('POST', '/v1/quotes', %shop, body => $body, socket => 1);
    for my $part (unpack '(a40)*', $text) { syswrite $socket, $part; select undef, undef, undef, 0.005 }
    is(PosTest::read_answer($socket, 'POST', 5)->{json}{total}, $total, 'forty bytes at a time');
};

subtest 'through a temp file' => sub {
    my $big = { %$cart, attributes => { note => 'x' x 400_000 } };
    my $r = $pos->request('POST', '/v1/quotes', %shop, body => PosTest::json($big));
    PosTest::is_problem($r, 422, 'invalid_request', 'a body larger than the buffer');
    is($r->{json}{errors}[0]{pointer}, '/attributes/note', 'is read to its end');
    my @lines = map { { id => "$_", sku => 'MUG-RED', quantity => 1 } } 1 .. 9000;
    $r = $pos->request('POST', '/v1/quotes', %shop, body => PosTest::json({ %$cart, lines => \@lines }));
    is($r->{status}, 200, 'nine thousand lines') or diag(substr $r->{body}, 0, 300);
    is(scalar @{ $r->{json}{lines} || [] }, 9000, 'each answered');
};

subtest 'HTTP/2' => sub {
    PosTest::spurt("$pos->{dir}/cart.json", $body);
    my $out = h2('-d', "$pos->{dir}/cart.json", '-H', "content-type: application/json", "http://127.0.0.1:$pos->{h2_port}/v1/quotes");
    like($out, qr/"total": ?$total\b/, 'a quote');
    PosTest::spurt("$pos->{dir}/bad.json", '{"lines":');
    $out = h2('-d', "$pos->{dir}/bad.json", '-H', 'content-type: application/json', "http://127.0.0.1:$pos->{h2_port}/v1/quotes");
    like($out, qr/"status": ?400\b.*"code": ?"invalid_json"/, 'a bad body is a problem here too');
    PosTest::spurt("$pos->{dir}/lines.json", PosTest::json({ %$cart, lines => [map { { id => "$_", sku => 'MUG-RED', quantity => 1 } } 1 .. 9000] }));
    $out = h2('-d', "$pos->{dir}/lines.json", '-H', 'content-type: application/json', "http://127.0.0.1:$pos->{h2_port}/v1/quotes");
    like($out, qr/"id":"9000"/, 'nine thousand lines, through a temp file');
    like(h2('-d', "$pos->{dir}/cart.json", "http://127.0.0.1:$pos->{h2_port}/v1/quotes"), qr/"code": ?"unsupported_media_type"/, 'a body without a type');
    for my $case (['/v1/%zz', 400, 'bad_request'], ['/v1/x', 405, 'method_not_allowed', '-H', ':method: TRACE']) {
        my ($path, $status, $code, @more) = @$case;
        like(h2(@more, "http://127.0.0.1:$pos->{h2_port}$path"), qr/"status": ?$status\b.*"code": ?"$code"/, "$code is a problem here too");
    }
    PosTest::spurt("$pos->{dir}/big.json", 'x' x 4_000_000);
    $out = h2('-d', "$pos->{dir}/big.json", '-H', 'content-type: application/json', "http://127.0.0.1:$pos->{h2_port}/v1/quotes");
    like($out, qr/"code": ?"body_too_large"/, 'so is a body over the limit');
    $out = h2("http://127.0.0.1:$pos->{h2_port}/healthz");
    like($out, qr/ready/, 'healthz');
};

subtest 'cut off' => sub {
    for my $at (10, 200, -1) {
        my $socket = $pos->connect;
        my $text = $pos->request_text('POST', '/v1/quotes', %shop, body => $body, socket => 1);
        syswrite $socket, substr($text, 0, $at);
        close $socket;
    }
    my $socket = $pos->connect;
    syswrite $socket, $pos->request_text('PUT', '/v1/categories/cut', json => { code => 'cut' });
    close $socket;
    is($pos->quote($cart, %shop)->{status}, 200, 'nginx does not mind');
};

subtest 'HEAD and OPTIONS' => sub {
    my $r = $pos->request('HEAD', '/healthz', key => undef);
    is("$r->{status} [$r->{body}]", '200 []', 'HEAD');
    is($pos->get('/v1/openapi.json', key => undef)->{json}{openapi} // '', '3.1.0', 'the contract is served');
    my ($page, $anchor) = split /#/, $pos->get('/v1/nowhere')->{json}{type};
    like($pos->get($page, key => undef)->{body}, qr/<a id="\Q$anchor\E">/, 'the type of a problem leads to what explains it');
    PosTest::is_problem($pos->request('POST', $page, body => '{}'), 404, 'no_such_path', 'which is there to be read only');
    my $m = $pos->get('/metrics', key => undef);
    like($m->{body}, qr/^# TYPE /m, 'so are the metrics');
};

is_deeply([$pos->workers], \@workers, 'no worker died');
done_testing;

sub import_head {
    my $key = $pos->key('admin');
    return "POST /v1/imports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer $key\r\n"
        . "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
}

sub h2 {
    my (@args) = @_;
    return PosTest::command_output('nghttp', '-H', ":authority: 127.0.0.1", '-H', "authorization: Bearer $shop{key}", @args);
}
