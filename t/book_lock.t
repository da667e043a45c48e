#!/usr/bin/perl
# A merchandiser changes goods while a large import holds the retailer's book: told
# within seconds to come back, and served once the import is over. Nobody else waits.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use PosTest;
use Test::More;
use Time::HiRes qw(time);

my $pos = PosTest->start(workers => 1, pool => 4);
my %tea = (sku => 'TEA-NEW', name => 'New tea', unit => 'each');

# What an import does first and keeps until its commit: here, until its session ends.
my $id = $pos->sql("select retailer_id from pos.retailer where mode = 'test'");
open my $import, '|-', PosTest::service_user(), 'psql', '-Xq', '-o', '/dev/null', '-h', "$pos->{state}/run", '-U', 'pos_super', '-d', 'pos'
    or die "psql: $!";
$import->autoflush(1);
print $import "begin; select from pos.revision where retailer_id = $id for update;\n";
ok($pos->wait_for('the import', 5, sub {
    return $pos->sql("select count(*) from pg_stat_activity where state = 'idle in transaction' and query like '%for update%'") == 1;
}), 'an import holds the book');

my $start = time;
my $put = $pos->put('/v1/products/TEA-NEW', \%tea);
PosTest::is_problem($put, 503, 'busy', 'a product put meanwhile is refused as busy');
ok($put->{headers}{'retry-after'}, 'to be tried again');
cmp_ok(time - $start, '<', 5, 'before long');
is($pos->get('/v1/products/TEA-NEW')->{status}, 404, 'and it is not there');
is($pos->quote({ lines => PosTest::lines('TEA', 1) })->{status}, 200, 'quotes go on');
is($pos->put('/v1/products/TEA-NEW', \%tea, key => $pos->key('admin', 'live'))->{status}, 201, 'and so does another retailer');

# However many of them there are, they do not hold all the connections for those seconds.
my @put  = map { my $s = $pos->connect; PosTest::send_all($s, $pos->request_text('PUT', "/v1/products/TEA-$_", socket => 1, json => { %tea, sku => "TEA-$_" }), 5); $s } 1 .. 30;
my ($others, @late) = (0);
while (time - $start < 60 && !IO::Select->new($put[0])->can_read(0)) {
    my $began = time;
    my $r = $pos->put("/v1/categories/other-$others", { code => "other-$others" }, key => $pos->key('admin', 'live'));
    push @late, sprintf '%s after %.1f s', $r->{status}, time - $began if $r->{status} != 201;
    $r = $pos->get('/v1/categories?limit=1');
    push @late, "reading: $r->{status}" if $r->{status} != 200;
    $others++;
}
cmp_ok($others, '>', 2, "while thirty such puts wait, others read and write $others times");
is("@late", '', 'and each is done');
my %status;
$status{ PosTest::read_answer($_, 'PUT', 10)->{status} }++ for @put;
is_deeply(\%status, { 503 => 30 }, 'the thirty are told to come back');

close $import;
is($pos->put('/v1/products/TEA-NEW', \%tea)->{status}, 201, 'after the import it is put');
$pos->check_replica;

done_testing;
