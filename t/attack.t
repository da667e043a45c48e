#!/usr/bin/perl
# Clients that mean harm, or are merely broken: they read nothing, leave, stall, reset, dribble.
# Others go on quoting, each stalled one is closed at its deadline, and memory is bounded.
# POS_REQUESTS sets how many mixed requests must not make a worker grow.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Socket qw(SOL_SOCKET SO_RCVBUF SO_LINGER sockaddr_in inet_aton PF_INET SOCK_STREAM);
use Test::More;
use Time::HiRes qw(time sleep);

my $requests = $ENV{POS_REQUESTS} || 20_000;
my $pos = PosTest->start(workers => 1, h2 => 1, check_responses => 'off',
    nginx_server => 'send_timeout 2s; client_body_timeout 2s; client_header_timeout 2s; keepalive_timeout 60s;');
my %shop  = (key => $pos->key('storefront'));
my $cart  = { currency => 'GBP', store => 'london', channel => 'web', lines => PosTest::lines('MUG-RED', 6) };
my $total = $pos->quote($cart, %shop)->{json}{total};
my ($worker) = $pos->workers;
my $idle  = sockets();

sub sockets { return scalar grep { (readlink($_) // '') =~ /^socket:/ } glob "/proc/$worker/fd/*" }
sub private { my ($kb) = PosTest::slurp("/proc/$worker/status") =~ /^RssAnon:\s+(\d+)/m; return $kb }

sub still_quoting {
    my ($name) = @_;
    my $good = grep { ($pos->quote($cart, %shop, timeout => 5)->{json}{total} // -1) == $total } 1 .. 20;
    return is($good, 20, "$name: others go on quoting");
}

# Each connection of the attack is closed, whatever pooled ones to the database there are.
sub all_closed {
    my ($name) = @_;
    return ok($pos->wait_for('connections closed', 15, sub { sockets() <= $idle + 4 }), "$name: all are closed at their deadline")
        || diag(sockets() . " sockets, $idle before");
}

# A window so small that what is not read stays in nginx.
sub small_window {
    socket my $socket, PF_INET, SOCK_STREAM, 0 or die "socket: $!";
    setsockopt $socket, SOL_SOCKET, SO_RCVBUF, 4096 or die "SO_RCVBUF: $!";
    connect $socket, sockaddr_in($pos->{port}, inet_aton('127.0.0.1')) or die "connect: $!";
    return bless $socket, 'IO::Socket::INET';
}

sub batch_text {
    my ($carts, $lines) = @_;
    my @lines = map { { id => "$_", sku => 'MUG-RED', quantity => 1 } } 1 .. $lines;
    my $body = (PosTest::json({ %$cart, lines => \@lines }) . "\n") x $carts;
    return $pos->request_text('POST', '/v1/quotes/batch', %shop, socket => 1, body => $body, headers => { 'Content-Type' => 'application/x-ndjson' });
}

subtest 'batches that nobody reads' => sub {
    my $clients = 24;
    my $text    = batch_text(1000, 30);
    my $before  = private();
    my @held;
    for (1 .. $clients) {
        my $socket = small_window();
        PosTest::send_all($socket, $text, 10);
        push @held, $socket;
    }
    my $peak = 0;
    for (1 .. 10) {
        $pos->quote($cart, %shop);
        my $now = private();
        $peak = $now if $now > $peak;
        sleep 0.05;
    }
    # its body, as read and as put together, and a slice of its answer
    my $bound = $clients * (2 * length($text) / 1024 + 1024);
    my $grown = $peak - $before;
    SKIP: {
        skip 'the sanitizer keeps what was freed', 1 if $ENV{POS_NGINX};
        cmp_ok($grown, '<', $bound, "$clients of a thousand carts take their bodies and little more");
    }
    note("$grown KB for $clients clients of " . length($text) . ' bytes each');
    still_quoting('batches unread');
    all_closed('batches unread');
    my $rest = '';
    1 while sysread $held[0], $rest, 65536, length $rest;
    unlike($rest, qr/\r\n0\r\n\r\n\z/, 'what was cut off does not look whole');
};

subtest 'a batch read late is whole' => sub {
    my $socket = small_window();
    PosTest::send_all($socket, batch_text(1000, 20), 10);
    sleep 1;
    my $r = PosTest::read_answer($socket, 'POST', 20);
    my %seen;
    $seen{$_}++ for split /\n/, $r->{body};
    is($r->{status}, 200, 'answered');
    is_deeply([values %seen], [1000], 'a thousand equal lines');
};

subtest 'leaving in the middle of a batch' => sub {
    my $text = batch_text(1000, 20);
    for my $abrupt (0, 1) {
        for (1 .. 10) {
            my $socket = small_window();
            PosTest::send_all($socket, $text, 10);
            sysread $socket, my $some, 1000;
            setsockopt $socket, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $abrupt;
            close $socket;
        }
    }
    still_quoting('clients gone');
    all_closed('clients gone');
};

subtest 'five hundred half bodies' => sub {
    my $text = $pos->request_text('POST', '/v1/quotes', %shop, socket => 1, json => $cart);
    my @held = map { $pos->connect } 1 .. 500;
    syswrite $_, substr($text, 0, -20) for @held;
    still_quoting('half bodies');
    all_closed('half bodies');
};

subtest 'headers a byte at a time' => sub {
    my @held = map { $pos->connect } 1 .. 200;
    syswrite $_, "POST /v1/quotes HTTP/1.1\r\nX-Slow: " for @held;
    local $SIG{PIPE} = 'IGNORE';
    my $open = @held;
    my $end = time + 10;
    while (sockets() > $idle + 4 && time < $end) {
        syswrite $_, 'x' for @held;
        sleep 0.2;
    }
    cmp_ok(time, '<', $end, 'dribbling does not move the deadline');
    still_quoting('slow headers');
};

subtest 'a key revoked on a kept connection' => sub {
    my $made = $pos->post('/v1/keys', { name => 'to go', scopes => ['quotes:create'] });
    is($made->{status}, 201, 'a key') or return diag($made->{body});
    my %as = (key => $made->{json}{secret}, json => $cart);
    ok($pos->wait_for('the key', 5, sub { $pos->request('POST', '/v1/quotes', %as)->{status} == 200 }), 'it quotes');
    my $socket = $pos->connect;
    is($pos->request('POST', '/v1/quotes', %as, socket => $socket)->{status}, 200, 'on a connection kept alive');
    like($pos->del("/v1/keys/$made->{json}{id}")->{status}, qr/^20/, 'it is revoked');
    my ($r, $until) = (undef, time + 2);
    do { $r = $pos->request('POST', '/v1/quotes', %as, socket => $socket) } while ($r->{status} == 200 && time < $until);
    PosTest::is_problem($r, 401, undef, 'and the same connection is refused within the feed\'s delay');
    PosTest::is_problem($pos->request('POST', '/v1/quotes', %as, socket => $socket), 401, undef, 'and stays so');
};

subtest 'a key that expires' => sub {
    my ($now) = map { $_->{json}{replica}{time} } $pos->get('/healthz', key => undef);
    my $soon = $pos->sql("select to_char('$now'::timestamptz at time zone 'UTC' + interval '6 s', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')");
    my $made = $pos->post('/v1/keys', { name => 'for a moment', scopes => ['quotes:create'], expires_at => $soon });
    is($made->{status}, 201, 'a key') or return diag($made->{body});
    my %as = (key => $made->{json}{secret}, json => $cart);
    ok($pos->wait_for('the key', 5, sub { $pos->request('POST', '/v1/quotes', %as)->{status} == 200 }), 'it quotes');
    my $r;
    ok($pos->wait_for('its end', 15, sub { ($r = $pos->request('POST', '/v1/quotes', %as))->{status} != 200 }), 'until its time is over');
    PosTest::is_problem($r, 401, 'key_expired', 'then it is refused');
    my $over = $pos->get('/healthz', key => undef)->{json}{replica}{time} =~ s/\.\d+//r;
    cmp_ok($over, 'ge', $soon, 'and not before') or diag("$over $soon");
};

subtest 'many at once on one connection' => sub {
    my $quote  = $pos->request_text('POST', '/v1/quotes', %shop, socket => 1, json => $cart);
    my $bad    = $pos->request_text('POST', '/v1/quotes', %shop, socket => 1, body => '{');
    my $prices = $pos->request_text('GET', '/v1/prices?sku=MUG-RED&store=london', %shop, socket => 1);
    my $socket = $pos->connect;
    my $text   = ($quote . batch_text(50, 2) . $prices . $bad) x 25;
    my $pid = fork // die "fork: $!";
    if (!$pid) { PosTest::send_all($socket, $text, 20); POSIX::_exit(0) }
    my @got = map { PosTest::read_answer($socket, 'POST', 10)->{status} } 1 .. 100;
    waitpid $pid, 0;
    is("@got", join(' ', (200, 200, 200, 400) x 25), 'a hundred answers in their order');
};

subtest 'odd requests' => sub {
    my $head = "Host: x\r\nAuthorization: Bearer $shop{key}\r\n";
    my $json = PosTest::json($cart);
    my $chunks = sprintf "%x;name=\"v\"\r\n%s\r\n0\r\nX-Trailer: 1\r\nContent-Length: 5\r\n\r\n", length $json, $json;
    my $socket = $pos->connect;
    for (1 .. 3) {
        PosTest::send_all($socket, "POST /v1/quotes HTTP/1.1\r\n${head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: X-Trailer\r\n\r\n$chunks", 5);
        is(PosTest::read_answer($socket, 'POST', 5)->{json}{total}, $total, 'chunks with extensions and trailers');
    }
    my $many = join '&', map { "a$_=$_" } 1 .. 1500;
    for my $case (
        ['1,500 unknown parameters', "GET /v1/prices?sku=TEA&$many HTTP/1.1\r\n$head\r\n", qr/^4\d\d$/],
        ['7,000 ampersands', 'GET /v1/prices?sku=TEA&store=london' . '&' x 7000 . " HTTP/1.1\r\n$head\r\n", qr/^(?:200|4\d\d)$/],
        ['2,000 times one parameter', 'GET /v1/prices?' . 'sku=TEA&' x 1900 . " HTTP/1.1\r\n$head\r\n", qr/^4\d\d$/],
        ['a thousand headers', "GET /v1/prices?sku=TEA&store=london HTTP/1.1\r\n$head" . join('', map { "X-$_: $_\r\n" } 1 .. 1000) . "\r\n", qr/^(?:200|431)$/],
        ['odd header names', "GET /v1/prices?sku=TEA&store=london HTTP/1.1\r\n${head}X_y: 1\r\nX.y: 2\r\n!#\$%: 3\r\n-: 4\r\n\r\n", qr/^200$/],
        ['an empty header name', "GET /v1/prices?sku=TEA&store=london HTTP/1.1\r\n${head}: 4\r\n\r\n", qr/^(?:200|400)$/],
        ['bytes above 127 in a header', "GET /v1/prices?sku=TEA&store=london HTTP/1.1\r\n${head}X: \xff\xfe\r\nX-\xe9: 1\r\n\r\n", qr/^(?:200|400)$/],
        ['two keys', "GET /v1/prices?sku=TEA&store=london HTTP/1.1\r\n${head}Authorization: Bearer pos_test_x\r\n\r\n", qr/^4\d\d$/],
    ) {
        my ($name, $text, $status) = @$case;
        my $c = $pos->connect;
        PosTest::send_all($c, $text, 5);
        my $r = PosTest::read_answer($c, 'GET', 5);
        like($r->{status}, $status, "$name: $r->{status}") or diag($r->{body});
        PosTest::is_problem($r, $r->{status}, undef, "$name: a problem") if $r->{status} >= 400;
    }
    still_quoting('odd requests');
};

# HTTP/2 by hand: only so can a stream be reset as soon as it is begun.
sub frame { my ($type, $flags, $stream, $body) = @_; return substr(pack('N', length $body), 1) . pack('CCN', $type, $flags, $stream) . ($body // '') }
sub field { return join '', "\0", map { length($_) < 127 ? chr(length) . $_ : die 'long' } @_ }

sub stream {
    my ($id, $path, $type, $body) = @_;
    my $fields = join '', map { field(@$_) } [':method', 'POST'], [':scheme', 'http'], [':path', $path], [':authority', 'x'],
        ['authorization', "Bearer $shop{key}"], ['content-type', $type];
    my $text = frame(1, 4, $id, $fields);
    my @parts = unpack '(a16000)*', $body;
    $text .= frame(0, $_ == $#parts ? 1 : 0, $id, $parts[$_]) for 0 .. $#parts;
    return $text;
}

subtest 'HTTP/2' => sub {
    PosTest::spurt("$pos->{dir}/cart.json", PosTest::json($cart));
    my $said = PosTest::command_output('h2load', '-n', 1000, '-c', 4, '-m', 100, '-d', "$pos->{dir}/cart.json",
        '-H', 'content-type: application/json', '-H', "authorization: Bearer $shop{key}", "http://127.0.0.1:$pos->{h2_port}/v1/quotes");
    like($said, qr/status codes: 1000 2xx/, 'a thousand quotes over four connections, a hundred at once') or diag($said);

    my $batch = (PosTest::json($cart) . "\n") x 100;
    my $reset = sub { my ($id) = @_; return frame(3, 0, $id, pack 'N', 8) };
    for my $case (['quotes', '/v1/quotes', 'application/json', PosTest::json($cart)], ['batches', '/v1/quotes/batch', 'application/x-ndjson', $batch]) {
        my ($name, @request) = @$case;
        for (1 .. 5) {
            my $socket = $pos->connect($pos->{h2_port});
            my $text = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, '');
            for my $n (0 .. 199) {
                my $id = 2 * $n + 1;
                $text .= stream($id, @request) . ($n % 4 ? $reset->($id) : '');
            }
            PosTest::send_all($socket, $text, 3);
            close $socket;
        }
        still_quoting("$name reset");
        all_closed("$name reset");
    }
    # no window at all: nothing can be sent, and the deadline holds here too
    my @held = map { $pos->connect($pos->{h2_port}) } 1 .. 10;
    for my $socket (@held) {
        PosTest::send_all($socket, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, pack 'nN', 4, 0)
            . join('', map { stream(2 * $_ + 1, '/v1/quotes/batch', 'application/x-ndjson', $batch) } 0 .. 1), 3);
    }
    still_quoting('no window');
    ok($pos->wait_for('streams ended', 10, sub {
        !grep { !stream_ended($_) } @held;
    }), 'a stream without a window ends at its deadline');

    # a window that opens by a few bytes now and then: no write is late, the whole is
    my $socket = $pos->connect($pos->{h2_port});
    PosTest::send_all($socket, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . frame(4, 0, 0, pack 'nN', 4, 0)
        . stream(1, '/v1/quotes/batch', 'application/x-ndjson', $batch), 3);
    my $opened = 0;
    ok($pos->wait_for('the stream ended', 60, sub {
        PosTest::send_all($socket, frame(8, 0, 1, pack 'N', 40), 1);
        $opened++;
        sleep 0.2;
        stream_ended($socket);
    }), 'a stream that takes 40 bytes at a time is ended too, long before all its time is up');
    cmp_ok($opened, '>', 5, "having taken some $opened times");
    unlike(${*$socket}{pos_h2}, qr/\n\z/, 'and does not look whole');
};

# RST_STREAM for its first stream, or the connection's end, has been seen.
sub stream_ended {
    my ($socket) = @_;
    my $rest = \(${*$socket}{pos_h2} //= '');
    while (IO::Select->new($socket)->can_read(0)) { sysread($socket, $$rest, 65536, length $$rest) or return 1 }
    my $at = 0;
    while ($at + 9 <= length $$rest) {
        my ($length, $type) = (unpack('N', "\0" . substr $$rest, $at, 3), unpack 'C', substr $$rest, $at + 3, 1);
        return 1 if $type == 3 || $type == 7;
        $at += 9 + $length;
    }
    return 0;
}

subtest "$requests mixed requests" => sub {
    my @texts = (
        map({ $pos->request_text('POST', '/v1/quotes', %shop, socket => 1, json => $_) } $cart, { %$cart, lines => PosTest::lines('KETTLE-OB', 3, 'TEA', 2) }),
        map({ $pos->request_text('POST', '/v1/quotes', %shop, socket => 1, body => $_) } '{', '{"lines":[]}', '{"lines":[{"sku":"NO"}]}', '[' x 200),
        $pos->request_text('POST', '/v1/quotes', key => undef, socket => 1, json => $cart),
        $pos->request_text('POST', '/v1/quotes', key => 'pos_test_' . 'x' x 32, socket => 1, json => $cart),
        $pos->request_text('GET', '/v1/prices?sku=MUG-RED,TEA,NO&store=london', %shop, socket => 1),
        $pos->request_text('GET', '/v1/nothing', %shop, socket => 1),
        $pos->request_text('POST', '/v1/promotions/validate', socket => 1, body => "return {", headers => { 'Content-Type' => 'text/x-lua' }),
        batch_text(5, 3),
    );
    my $socket = $pos->connect;
    my $some = sub {
        my ($count) = @_;
        my $bad = 0;
        while ($count > 0) {
            PosTest::send_all($socket, join('', @texts), 10);
            for (@texts) { my $r = PosTest::read_answer($socket, 'POST', 10); $bad++ if !$r->{status} || $r->{status} >= 500 }
            $count -= @texts;
        }
        return $bad;
    };
    is($some->($requests / 4), 0, 'each is answered');
    my $before = private();
    is($some->($requests * 3 / 4), 0, 'to the end');
    my $grown = private() - $before;
    SKIP: {
        skip 'the sanitizer keeps what was freed', 1 if $ENV{POS_NGINX};
        cmp_ok($grown, '<', 1024, "the worker is $grown KB larger");
    }
};

is(join(' ', $pos->workers), $worker, 'the worker is the one that began');
done_testing;
