#!/usr/bin/perl
# A merchandiser takes a rule of the shipped library as it is and sets its values over the
# API: the script stays, the quotes follow, and a value that does not fit is refused.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos    = PosTest->start;
my $script = PosTest::slurp("$PosTest::ROOT/scripts/promotions/case-discount.lua");
my $cart   = { lines => PosTest::lines('TOWEL-WHITE' => 4), explain => Cpanel::JSON::XS::true };
utf8::decode($script);

my $put = put({ bottles => 3, percent => 50, items => { sku => ['TOWEL-WHITE'] } });
is($put->{status}, 201, 'it is put with values of its own') or diag($put->{body});
is_deeply([sort keys %{ $put->{json}{document}{settings} || {} }], [qw(bottles items percent)], 'and says them') or diag($put->{body});
publish();
my $q = $pos->quote($cart)->{json};
my $towel = $q->{lines}[0]{unit_price};
is(given($q), int($towel * 3 / 2 + 0.5), 'three of four towels at half price');

$put = put({ bottles => 2, percent => 25, items => { sku => ['TOWEL-WHITE'] } });
is($put->{status}, 200, 'other values are another version') or diag($put->{body});
is(given($pos->quote($cart)->{json}), int($towel * 3 / 2 + 0.5), 'which is not live yet');
publish();
is(given($pos->quote($cart)->{json}), int($towel + 0.5), 'and then is: a quarter off all four');

my $before = $pos->get('/v1/promotions/case-discount')->{body};
my %wrong = (
    'a quantity out of its bounds' => [{ bottles => 1 },         qr/setting 'bottles'.*bounds/],
    'no whole number'              => [{ bottles => 2.5 },       qr/setting 'bottles'.*whole/],
    'a percentage of text'         => [{ percent => 'half' },    qr/setting 'percent'/],
    'more than all'                => [{ percent => 101 },       qr/setting 'percent'.*bounds/],
    'a filter that is none'        => [{ items => 'wine' },      qr/setting 'items'.*filter/],
    'a word that a filter lacks'   => [{ items => { skuu => ['A'] } }, qr/skuu/],
    'a setting that is none'       => [{ bottels => 6 },         qr/bottels/],
);
for my $name (sort keys %wrong) {
    my ($settings, $said) = @{ $wrong{$name} };
    my $r = put($settings);
    PosTest::is_problem($r, 422, undef, "$name is refused");
    like($r->{body}, $said, 'and named');
}
is($pos->get('/v1/promotions/case-discount')->{body}, $before, 'and nothing has changed');

done_testing;

sub put {
    my ($settings) = @_;
    my $etag = $pos->get('/v1/promotions/case-discount')->{headers}{etag};
    return $pos->put('/v1/promotions/case-discount', { id => 'case-discount', script => $script, settings => $settings },
        $etag ? (headers => { 'If-Match' => $etag }) : ());
}

sub publish {
    my $etag = $pos->get('/v1/promotions/case-discount')->{headers}{etag};
    my $live = $pos->publish('case-discount', {}, headers => { 'If-Match' => $etag });
    is($live->{status}, 200, 'it is published') or diag($live->{body});
    my ($revision) = ($live->{headers}{'pos-revision'} // '') =~ /^(\d+)/;
    $pos->wait_for("revision $revision", 5, sub { $pos->at_revision($revision) });
    return;
}

# What the promotion takes off the cart.
sub given {
    my ($quote) = @_;
    my ($of) = grep { $_->{id} eq 'case-discount' } @{ $quote->{promotions} || [] };
    return $of ? $of->{amount} : 0;
}
