#!/usr/bin/perl
# The head is locked first: whoever changes a book waits for an import holding nothing
# that the import may need, so none of the two can be the other's deadlock.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../../t/lib";
use Cwd qw(abs_path);
use Test::More;
use PosSql;

my $sql = PosSql->start(abs_path("$FindBin::Bin/../.."));
$sql->query(q(select pos.create_retailer('{"code": "acme", "currency": "GBP"}')));
my $as = q(set role pos_api; select set_config('pos.retailer', '1', false) \g /dev/null
);
sub request { return Cpanel::JSON::XS->new->canonical->encode({ path => {}, query => {}, headers => {}, actor => { scopes => ['*'] }, @_ }) }
sub call { my ($operation, @request) = @_; my $r = request(@request); return "select status from api.$operation('$r');\n" }

# A session that holds the head until another waits for it, then says which tables
# that one has locked by then, and runs `after`.
sub holder {
    my ($after) = @_;
    return <<"SQL" . $as . ($after // '') . "commit;\n";
begin;
select from pos.revision where retailer_id = 1 for update;
select pg_advisory_xact_lock(1) \\g /dev/null
do \$\$ begin
    for i in 1 .. 1000 loop
        exit when exists (select from pg_locks where not granted and locktype = 'transactionid' and pid <> pg_backend_pid());
        perform pg_sleep(0.01);
    end loop;
end \$\$;
select 'waits holding: ' || coalesce(string_agg(distinct c.relname, ' '), 'nothing')
  from pg_locks w join pg_locks h on h.pid = w.pid and h.granted and h.mode in ('RowShareLock', 'RowExclusiveLock')
  join pg_class c on c.oid = h.relation and c.relkind = 'r' and c.relname <> 'revision'
 where not w.granted and w.locktype = 'transactionid' having count(w.pid) > 0
    or exists (select from pg_locks where not granted and locktype = 'transactionid');
SQL
}

# For the other one: until the head is held.
my $held = <<'SQL';
do $$ begin
    for i in 1 .. 3000 loop
        exit when exists (select from pg_locks where locktype = 'advisory' and granted);
        perform pg_sleep(0.01);
    end loop;
end $$;
SQL

my @put = (
    put_store => [path => { code => 'new' }, body => { name => 'n' }],
    put_category => [path => { code => 'new' }, body => { name => 'n' }],
    put_product => [path => { sku => 'NEW' }, body => { name => 'n' }],
    put_price_list => [path => { code => 'new' }, body => { currency => 'GBP' }],
    put_prices => [body => { prices => [{ sku => 'NEW', list => 'new', amount => 1 }] }],
    put_tax => [path => { region => 'GB' }, body => { rows => [{ category => 'standard', code => 'vat', percent => 20 }] }],
    put_coupon => [path => { code => 'NEW' }, body => { promotions => [] }],
    put_experiment => [path => { code => 'new' }, body => { arms => [{ code => 'a' }] }],
    put_experiment => [path => { code => 'other' }, body => { arms => [{ code => 'a' }] }],
    ship_experiment => [path => { code => 'new' }, body => { arm => 'a' }],
    stop_experiment => [path => { code => 'other' }, body => {}],
    create_key => [body => { name => 'k', scopes => ['*'] }],
    patch_retailer => [body => { optimise => 'margin' }],
    publish_promotion => [path => { id => 'p' }, body => {}, prepared => { version => 1, findings => [] }],
    suspend_promotion => [path => { id => 'p' }, body => { reason => 'r' }],
    archive_promotion => [path => { id => 'p' }],
    delete_prices => [query => { sku => 'NEW', list => 'new' }],
    delete_product => [path => { sku => 'NEW' }],
    delete_price_list => [path => { code => 'new' }],
    delete_category => [path => { code => 'new' }],
    delete_tax => [path => { region => 'GB' }],
    revoke_coupon => [path => { code => 'NEW' }],
    revoke_coupon_batch => [path => { id => 'BATCH' }],
    delete_coupon => [path => { code => 'OLD' }],
    delete_experiment => [path => { code => 'new' }],
    delete_store => [path => { code => 'new' }],
    revoke_key => [path => { id => 'KEY' }],
);
my $put_promotion = call('put_promotion', path => { id => 'p' }, body => { id => 'p' }, prepared => { documents => [{ id => 'p', class => 'order', then => [] }] });
$sql->query("$as$put_promotion" =~ s/ \\g \/dev\/null\n/;/r);

$sql->query(q(insert into pos.job (retailer_id, job_id, kind, state) values (1, 'job_b', 'coupon_batch', 'succeeded');
    insert into pos.coupon_batch (retailer_id, batch_id, pattern, codes, document, state, job_id) values (1, 'BATCH', '##', 1, '{}', 'active', 'job_b');
    insert into pos.coupon (retailer_id, code, document) values (1, 'OLD', '{"code": "OLD", "promotions": []}')));
my %seen;
while (my ($operation, $request) = splice @put, 0, 2) {
    $seen{$operation} = 1;
    my %r = @$request;
    $r{path} = { id => $sql->query("select key_id from pos.api_key where name = 'k'") } if $operation eq 'revoke_key';
    my ($waits, $said) = $sql->together(holder(), $held . $as . call($operation, %r));
    is($waits, "waits holding: nothing\n", "$operation waits for the head holding nothing");
    like($said, qr/\A20[014]\n\z/, '... and goes on when it is let go');
}

# What changes no book, by name: all others are above.
my %other = map { $_ => 1 } qw(put_promotion submit_promotion approve_promotion reject_promotion create_import cancel_job create_coupon_batch create_coupon_reservation create_backtest
    commit_coupon_reservation release_coupon_reservation);
my @missing = grep { !$seen{$_} && !$other{$_} && !/^(?:get|list|diff|export)_/ }
    split /\n/, $sql->query("select proname from pg_proc where pronamespace = 'api'::regnamespace");
is("@missing", '', 'every operation that writes is looked at');

# The same goods put by an import and by a client at once.
my $import = <<'SQL';
reset role;
select pos.open_import() \g /dev/null
insert into pg_temp.import_row values ('products', 0, 'SAME', '{"sku": "SAME", "name": "imported"}');
insert into pos.job (retailer_id, job_id, kind, state, lease) values (1, 'job_1', 'import', 'running', 1);
select pos.apply_import('job_1', 1) ->> 'changed';
SQL
my ($imported, $said) = $sql->together(holder($import),
    $held . $as . call('put_product', path => { sku => 'SAME' }, body => { name => 'put' }));
is($imported, "waits holding: nothing\n1\n", 'an import goes on while a client puts one of its goods');
is($said, "200\n", 'which waits, and finds it there');
is($sql->query("select document ->> 'name' from pos.product where sku = 'SAME'"), 'put', 'the later change stays');

# A client whose request, with an Idempotency-Key, refers to the retailer already.
($imported, $said) = $sql->together(
    holder(call('patch_retailer', body => { optimise => 'customer' })),
    $held . $as
        . call('create_key', body => { name => 'second', scopes => ['*'] }, idempotency_key => 'once', request_hash => 'h'));
like($imported, qr/^200$/m, 'the retailer is changed while a client waits with an Idempotency-Key');
is($said, "201\n", 'which goes on then: neither is refused');

undef $sql;
done_testing;
