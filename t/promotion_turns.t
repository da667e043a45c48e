#!/usr/bin/perl
# Promotions are tried one at a time, so that a till does not wait for all of them: a
# publication before what only asks, not without end, and not again for what was answered.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use PosTest;
use Test::More;

my $pos = PosTest->start(workers => 1);

# For everything, in six quantities: some thousand carts.
my @tiers = map { { quantity => $_, percent_off => $_ } } 2 .. 6;
is($pos->put('/v1/promotions/wide', { id => 'wide', class => 'line', stacking => 'exclusive', then => [{ tiers => \@tiers, items => {} }] })->{status}, 201, 'a draft that takes a while');
is($pos->put('/v1/promotions/small', { id => 'small', class => 'line', then => [{ percent_off => 5, items => { sku => ['KETTLE-WHITE'] } }] })->{status}, 201, 'and a small one');
my $alone = check('wide');
ok($alone->{json}{products}{complete}, 'a check of it alone') or diag($alone->{body});

subtest 'a publication goes first' => sub {
    my @checks = begin(6);
    my $r = $pos->post('/v1/promotions/small/publish', {}, headers => { 'Idempotency-Key' => 'turns-publish' });
    my @left = grep { !IO::Select->new($_)->can_read(0) } @checks;
    is($r->{status}, 200, 'published') or diag($r->{body});
    cmp_ok(scalar @left, '>', 2, 'while others wait that came before it');
    my @answers = map { PosTest::read_answer($_, 'POST', 60) } @checks;
    is(join(' ', map { $_->{status} } @answers), join(' ', (200) x 6), 'which are answered, too');
    is_deeply([map { $_->{json}{products} } @answers], [($alone->{json}{products}) x 6], 'and found the same');
};

subtest 'not without end' => sub {
    my @checks = begin(44);
    my ($said) = IO::Select->new(@checks)->can_read(20);
    ok($said, 'some are told at once');
    # What was answered before is not tried again, so it waits for nothing.
    my $again = $pos->post('/v1/promotions/small/publish', {}, headers => { 'Idempotency-Key' => 'turns-publish' });
    my @left = grep { !IO::Select->new($_)->can_read(0) } @checks;
    is($again->{status}, 200, 'a repeated publication is answered') or diag($again->{body});
    cmp_ok(scalar @left, '>', 25, 'before those that wait');
    my @answers = map { PosTest::read_answer($_, 'POST', 60) } @checks;
    my @refused = grep { $_->{status} != 200 } @answers;
    cmp_ok(scalar @refused, '>', 0, 'more than can wait are refused');
    cmp_ok(@answers - @refused, '>=', 33, 'and none of those that can');
    for my $r (@refused) {
        PosTest::is_problem($r, 503, 'overloaded', 'to come back');
        ok($r->{headers}{'retry-after'}, 'when');
    }
};

subtest 'who goes away gives up the turn' => sub {
    close $_ for begin(40);
    my $r = check('small');
    is($r->{status}, 200, 'the next has it') or diag($r->{body});
};

done_testing;

sub check { my ($id) = @_; return $pos->post("/v1/promotions/$id/check", {}) }

# Checks of the wide one, sent and not waited for.
sub begin {
    my ($count) = @_;
    my $text = $pos->request_text('POST', '/v1/promotions/wide/check', json => {});
    my @sockets = map { $pos->connect } 1 .. $count;
    PosTest::send_all($_, $text, 20) for @sockets;
    return @sockets;
}
