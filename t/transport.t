#!/usr/bin/perl
# The same cart however it arrives: kept alive, pipelined, chunked, slowly, through a temp
# file, over HTTP/2, cut off half way.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos  = PosTest->start(h2 => 1);
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

subtest 'slowly' => sub {
    my $socket = $pos->connect;
    my $text = $pos->request_text('POST', '/v1/quotes', %shop, body => $body, socket => 1);
    for my $part (unpack '(a40)*', $text) { syswrite $socket, $part; select undef, undef, undef, 0.005 }
    is(PosTest::read_answer($socket, 'POST', 5)->{json}{total}, $total, 'forty bytes at a time');
};

subtest 'through a temp file' => sub {
    my $big = { %$cart, attributes => { note => 'x' x 400_000 } };
    my $r = $pos->request('POST', '/v1/quotes', %shop, body => PosTest::json($big));
    ok($r->{status} == 200 ? $r->{json}{total} == $total : $r->{status} == 422, 'a body larger than the buffer') or diag(substr $r->{body}, 0, 300);
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
    like($out, qr/"status": ?4\d\d/, 'a bad body is a problem here too');
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
    ok($r->{status} == 200 || $r->{status} == 405, 'HEAD') or diag($r->{status});
    is($pos->get('/v1/openapi.json', key => undef)->{json}{openapi} // '', '3.1.0', 'the contract is served');
    my $m = $pos->get('/metrics', key => undef);
    like($m->{body}, qr/^# TYPE /m, 'so are the metrics');
};

is_deeply([$pos->workers], \@workers, 'no worker died');
done_testing;

sub h2 {
    my (@args) = @_;
    return PosTest::command_output('nghttp', '-H', ":authority: 127.0.0.1", '-H', "authorization: Bearer $shop{key}", @args);
}
