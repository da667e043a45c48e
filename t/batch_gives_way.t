#!/usr/bin/perl
# A batch of a thousand large carts holds nobody up: who asks while it is priced, on the same
# worker, is answered before it ends.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use PosTest;
use Test::More;

my $pos   = PosTest->start(workers => 1, check_responses => 'off');
my %shop  = (key => $pos->key('storefront'));
my $cart  = { currency => 'GBP', store => 'london', channel => 'web', lines => PosTest::lines('TEA', 2, 'MUG-RED', 6, 'COLA', 1) };
my $line  = PosTest::json($cart) . "\n";
my $batch = $pos->request_text('POST', '/v1/quotes/batch', %shop, socket => 1, body => $line x 1000, headers => { 'Content-Type' => 'application/x-ndjson' });
my $quote = $pos->request_text('POST', '/v1/quotes', %shop, socket => 1, json => $cart);

# Both sockets read as they come; true if the quote's answer was whole before the batch's.
sub quote_was_first {
    my ($slow, $quick) = ($pos->connect, $pos->connect);
    PosTest::send_all($slow, $batch, 10);
    my ($text, $answer) = ('', '');
    sysread $slow, $text, 1 or die 'no answer to the batch';
    # it is being priced by now
    PosTest::send_all($quick, $quote, 10);
    my $select = IO::Select->new($slow, $quick);
    while (my @ready = $select->can_read(20)) {
        for my $socket (@ready) {
            my $into = $socket == $slow ? \$text : \$answer;
            sysread($socket, $$into, 65536, length $$into) or die 'closed';
        }
        my ($head, $body) = split /\r\n\r\n/, $answer, 2;
        my $whole = defined $body && $head =~ /^Content-Length: (\d+)/mi && length $body == $1;
        my $ended = $text =~ /\r\n0\r\n\r\n\z/;
        return 1 if $whole && !$ended;
        return 0 if $ended;
    }
    die 'nothing came for 20 s';
}

# Another process may hold this one up until the batch is over: once in ten will do.
my $first = 0;
for (1 .. 10) { last if $first = quote_was_first() }
ok($first, 'a quote is answered in the middle of a batch');

done_testing;
