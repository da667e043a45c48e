#!/usr/bin/perl
# A merchandiser changes goods while a large import holds the retailer's book: told
# within seconds to come back, and served once the import is over. Nobody else waits.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;
use Time::HiRes qw(time);

my $pos = PosTest->start;
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

close $import;
is($pos->put('/v1/products/TEA-NEW', \%tea)->{status}, 201, 'after the import it is put');
$pos->check_replica;

done_testing;
