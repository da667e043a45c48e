#!/usr/bin/perl
# The replica follows the tables: by revision, in bulk, after kills, damage and another
# history; proved by content each time. PostgreSQL and posd alone, no nginx.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(remove_tree make_path);
use POSIX ();
use Test::More;
use Time::HiRes qw(time sleep);

my $root  = abs_path(dirname(__FILE__) . '/..');
my $build = abs_path($ENV{POS_BUILD} || "$root/build");
my $bin   = '/usr/lib/postgresql/15/bin';
my $dir   = "/tmp/pos-feed-$$";
my ($posd, $pg_running);

my @as = $< == 0 ? ('runuser', '-u', 'postgres', '--') : ();
my $data_no = 0;

sub conninfo { return "host=$dir/run dbname=pos user=$_[0]" }

sub quietly { return system('sh', '-c', 'exec "$@" >>"$0" 2>&1 </dev/null', "$dir/log", @_) == 0 }

sub sql {
    my ($text, $user) = @_;
    open my $p, '-|', 'psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-c', $text, conninfo($user || 'pos_super') or die $!;
    my @out = <$p>;
    close $p or BAIL_OUT("sql failed: $text");
    chomp @out;
    return wantarray ? @out : $out[-1];
}

sub start_postgres {
    my $data = "$dir/pg$data_no";
    quietly(@as, "$bin/initdb", '-D', $data, '-U', 'pos_super', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8')
        or BAIL_OUT('initdb') if !-d $data;
    quietly(@as, "$bin/pg_ctl", '-D', $data, '-w', '-l', "$data.log",
        '-o', "-k $dir/run -c listen_addresses= -c fsync=off", 'start') or BAIL_OUT('postgres does not start');
    $pg_running = $data;
}

sub stop_postgres {
    my ($mode) = @_;
    quietly(@as, "$bin/pg_ctl", '-D', $pg_running, '-w', '-m', $mode || 'fast', 'stop');
    undef $pg_running;
}

# A new cluster with the schema and the same retailers.
sub new_cluster {
    start_postgres();
    quietly('createdb', '-h', "$dir/run", '-U', 'pos_super', 'pos');
    ok(quietly("$build/posd", 'migrate', '--database', conninfo('pos_super'), '--sql', "$root/sql",
        '--functions', "$build/functions.txt"), 'posd migrates an empty database');
    sql(q{select pos.create_retailer('{"code": "acme", "currency": "GBP", "timezone": "Europe/London"}')}, 'pos_daemon');
}

sub start_posd {
    $posd = fork // die $!;
    return if $posd;
    open STDERR, '>>', "$dir/posd.log";
    open STDOUT, '>&', \*STDERR;
    exec "$build/posd", 'run', '--database', conninfo('pos_daemon'), '--replica', "$dir/replica",
        '--spool', "$dir/spool", '--contract', "$build/openapi.json" or POSIX::_exit(127);
}

sub end_posd {
    my ($signal) = @_;
    kill $signal, $posd;
    waitpid $posd, 0;
    my $status = $?;
    undef $posd;
    return $status;
}

my $said = '';

sub check {
    open my $p, '-|', "$build/posd", 'check', '--database', conninfo('pos_daemon'), '--replica', "$dir/replica" or die $!;
    local $/;
    $said = <$p> // '';
    close $p;
    return $? >> 8;
}

sub equal { my ($what) = @_; is(check(), 0, "$what: the replica equals the tables") or diag $said }

sub wait_for {
    my ($what, $seconds, $is) = @_;
    my $until = time + $seconds;
    while (time < $until) {
        return pass($what) if $is->();
        sleep 0.02;
    }
    fail("$what within $seconds s");
    return;
}

sub log_text { open my $f, '<', "$dir/posd.log" or return ''; local $/; return scalar <$f> }

# An import of this document; gives the job's state and result.
my $jobs = 0;

sub import_book {
    my ($retailer, $json) = @_;
    my $name = 'imp_' . ++$jobs . '.json';
    open my $f, '>', "$dir/spool/$name" or die $!;
    print $f $json;
    close $f;
    my $id = sql("insert into pos.job (retailer_id, job_id, kind, state, params) values ($retailer, pos.new_id('job'),"
        . " 'import', 'queued', jsonb_build_object('spool', '$name')) returning job_id");
    sql('notify pos_job');
    return $id;
}

sub job { my ($id) = @_; return split /\|/, sql("select state, result::text from pos.job where job_id = '$id'"), 2 }

sub import_ends {
    my ($id, $state) = @_;
    wait_for("the import ends as $state", 60, sub { (job($id))[0] =~ /^(succeeded|failed|cancelled)$/ });
    my ($is, $result) = job($id);
    is($is, $state, "it $state") or diag $result;
    return $result;
}

sub book {
    my ($count, $amount) = @_;
    my $products = join ',', map { qq({"sku":"S$_","name":"Product $_","tax_category":"standard","unit":"each"}) } 1 .. $count;
    my $prices   = join ',', map { qq({"sku":"S$_","list":"base","amount":$amount}) } 1 .. $count;
    return <<"END";
{"stores": [{"code": "london", "tax_region": "GB", "timezone": "Europe/Paris"}],
 "price_lists": [{"code": "base", "currency": "GBP", "tax_included": true, "priority": 0}],
 "products": [$products],
 "promotions": [{"id": "ten", "name": "Ten", "class": "order", "coupon": true, "then": [{"percent_off": 10}]}],
 "coupons": [{"code": "Save10", "promotions": ["ten"]}], "experiments": [],
 "prices": [$prices]}
END
}

make_path("$dir/run", "$dir/spool");
if ($< == 0) {
    my (undef, undef, $uid, $gid) = getpwnam 'postgres';
    chown $uid, $gid, $dir, "$dir/run";
}

new_cluster();
ok(quietly("$build/posd", 'migrate', '--database', conninfo('pos_super'), '--sql', "$root/sql",
    '--functions', "$build/functions.txt"), 'and again: nothing to do');
start_posd();
wait_for('the first copy', 10, sub { -e "$dir/replica/current" && check() == 0 });

import_ends(import_book(1, book(300, 1000)), 'succeeded');
equal('an import');
like($said, qr/retailer 1 at revision 2/, 'it was one revision');

# Faults are all named, nothing changes.
my $bad = book(3, 5);
$bad =~ s/"unit":"each"/"unit":"each","colour":"red"/;
$bad =~ s/"amount":5/"amount":-5/;
my $result = import_ends(import_book(1, $bad), 'failed');
like($result, qr{/products/0}, 'the unknown field is named');
like($result, qr{/prices/0}, 'and the amount below zero, in the same answer');
$result = import_ends(import_book(1, substr(book(3, 5), 0, -40)), 'failed');
like($result, qr/line \d/, 'a document cut off is named by line');
$result = import_ends(import_book(1, '{"prodcts": []}'), 'failed');
like($result, qr{/prodcts}, 'an unknown section is named');
$result = import_ends(import_book(1, '{"prices": [{"sku": "nowhere", "list": "base", "amount": 1}]}'), 'failed');
like($result, qr{/prices/0}, 'a price for a product that is not there is named');
equal('bad imports');
like($said, qr/retailer 1 at revision 2/, 'and made no revision');

# A publish of one row reaches the replica when it is told, not when it next looks: the
# quickest of twenty takes less than half of a poll's interval.
my @ms;
for my $n (1 .. 20) {
    sql("begin; select set_config('pos.retailer', '1', true);"
        . " update pos.store set document = document || '{\"name\": \"n$n\"}';"
        . " select pos.book_changed('[[\"store\", \"london\"]]'); commit");
    my $from = time;
    my $rev = 2 + $n;
    1 while check() != 0 && time < $from + 30;
    if ($said !~ /retailer 1 at revision $rev/) { diag $said; last }
    push @ms, 1000 * (time - $from);
}
is(scalar @ms, 20, '20 publishes, each seen');
@ms = sort { $a <=> $b } @ms;
cmp_ok($ms[0], '<', 500, 'at once, the check itself included');
note(sprintf 'median %.0f ms, worst %.0f ms', $ms[ @ms / 2 ], $ms[-1]);

# In bulk, with posd killed while it copies.
my $id = import_book(1, book(30_000, 2000));
import_ends($id, 'succeeded');
equal('a bulk import');
for my $round (1 .. 4) {
    $id = import_book(1, book(20_000, 2000 + $round));
    sleep 0.05 + rand 1.5;
    end_posd('KILL');
    start_posd();
    wait_for('the job is final', 150, sub { (job($id))[0] =~ /^(succeeded|failed)$/ });
    equal("posd killed, round $round");
    is((job($id))[0], 'succeeded', 'and the job was done');
}

# A damaged log: the chain does not hold, so the retailer is copied whole.
sql("begin; select set_config('pos.retailer', '2', true);"
    . " update pos.revision set rev = rev + 1, hash = sha256('not on the chain') where retailer_id = 2; commit");
equal('a chain that breaks');
like(log_text(), qr/its log does not lead here/, 'and posd said why');

# A row that cannot be read is left out, the others go on.
sql("begin; select set_config('pos.retailer', '1', true);"
    . " update pos.product set document = document || '{\"categories\": 7}' where sku = 'S1';"
    . " update pos.product set document = document || '{\"name\": \"fine\"}' where sku = 'S2';"
    . " select pos.book_changed('[[\"sku\", \"S1\"], [\"sku\", \"S2\"]]'); commit");
equal('a bad row');
like(log_text(), qr/sku S1 is left out/, 'is reported');

# The database goes away and comes back.
stop_postgres('immediate');
ok(waitpid($posd, POSIX::WNOHANG()) == 0, 'posd lives without a database');
start_postgres();
sql("begin; select set_config('pos.retailer', '1', true); delete from pos.coupon;"
    . " select pos.book_changed('[[\"coupon\", \"SAVE10\"]]'); commit");
wait_for('posd is back', 10, sub { check() == 0 }) or diag $said, log_text();

# What a kill left between a job's end and its upload's removal goes at the next start.
is(end_posd('TERM'), 0, 'posd ends in good order');
start_posd();
wait_for('posd tidies the spool', 10, sub { my @files = glob "$dir/spool/*"; !@files });

# Another cluster, where the same retailers have another history.
my $file = do { open my $f, '<', "$dir/replica/current" or die $!; <$f> };
stop_postgres();
$data_no++;
new_cluster();
wait_for('the replica is rebuilt', 20, sub { check() == 0 });
my $now = do { open my $f, '<', "$dir/replica/current" or die $!; <$f> };
isnt($now, $file, 'in a new file');
is(scalar(() = glob "$dir/replica/book.*.mdb"), 1, 'and the old one is gone');

my $from = time;
is(end_posd('TERM'), 0, 'posd ends in good order again');
cmp_ok(time - $from, '<', 30, 'and is not waited for until it is killed');
done_testing();

END {
    my $status = $?;
    if ($posd) { kill 'KILL', $posd; waitpid $posd, 0 }
    stop_postgres('immediate') if $pg_running;
    remove_tree($dir) if !$ENV{POS_KEEP};
    $? = $status;
}
