#!/usr/bin/perl
# A script that runs on where the sandbox's limits do not look: it ends one worker, once,
# and is kept out from then on, by its source, of nginx and of posd; its promotion is
# suspended, and everybody else goes on selling.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use Digest::SHA qw(sha256_hex);
use PosTest;
use Test::More;

# An instruction that compares 32 KiB. The first fence would let a call run with it for some
# 25 ms; with a hundred times the instructions, and 40 ms allowed, the second is the first.
my $LONG = "local a = 'x' for i = 1, 15 do a = a .. a end local b = a .. 'b' a = a .. 'a'\n"
    . '    while true do if ' . join(' and ', ('a < b') x 8) . " then end end\n";

my $pos = PosTest->start(workers => 2, env => { POS_WATCH => 0 }, nginx_http => 'pos_script_cpu_time 40ms; pos_script_instructions 10000000;');
$pos->expect_log(qr/in one call: its source \(SHA-256 [0-9a-f]{64}\) is quarantined|exited on signal 6/);

my $true   = Cpanel::JSON::XS::true();
my $cart   = { lines => PosTest::lines('MUG-RED', 5), explain => $true };
my $small  = { lines => PosTest::lines('MUG-RED', 1), explain => $true };
my $honest = script('honest', "cart:message('honest')");
my $trap   = script('trap', "cart:items():percent_off(50, 'Trap')\n  if cart.subtotal == 4250 then\n    $LONG\n  end");
my $mended = script('trap', "cart:items():percent_off(50, 'Trap')");

subtest 'it sells, until it meets the cart on which it runs on' => sub {
    publish('honest', $honest);
    publish('trap',   $trap);
    my $q = $pos->quote($small);
    is($q->{status}, 200, 'a cart that it can do') or diag($q->{body});
    ok(told($q, 'trap')->{applied}, 'has its discount');
    my @workers = ends_a_worker(sub { $pos->quote($cart) }, 'the one that it cannot');
    my ($gone) = grep { !alive_in($_, $pos->workers) } @workers;
    ok($gone, 'is another worker\'s to answer from now on');
};

subtest 'it is kept out, and named' => sub {
    my @workers = $pos->workers;
    my @odd;
    for my $n (1 .. 40) {    # on new connections: both workers are met
        my $q = $pos->quote($cart);
        my $trapped = grep { $_->{id} eq 'trap' } @{ $q->{json}{promotions} || [] };
        push @odd, "$n: $q->{status} $q->{body}" if $q->{status} != 200 || $trapped || !told($q, 'honest')->{applied};
    }
    is("@odd[0 .. ($#odd < 1 ? $#odd : 1)]", '', 'the cart is priced, by all promotions but this one');
    is_deeply([sort $pos->workers], [sort @workers], 'and no other worker ends, not even one that has it compiled');
    my $sha = sha256_hex($trap);
    my $log = $pos->log_text;
    like($log, qr/\[alert\].*promotion "trap" has used 40 ms .*SHA-256 $sha\) is quarantined/, 'the log says who and why');
    like($log, qr/promotion "trap" left out: .*ran for longer/, 'and that it is left out');
    like(metrics(), qr/^pos_script_quarantined\{promotion="trap",source="$sha"\} 1$/m, 'so do the metrics');
    is(counted('pos_script_watchdog_total'), 1, 'with one worker ended');
};

subtest 'its promotion is suspended, and says so' => sub {
    my $the = suspended('trap');
    my $sha = sha256_hex($trap);
    is($the->{suspended_reason}, "its script ran for longer than a script may: its source (SHA-256 $sha) is quarantined", 'why');
    is($the->{published_version}, 1, 'and which version it is');
    is(events('trap'), 1, 'the outbox has one event of it');
    is($pos->sql("select data ->> 'reason' from pos.event where aggregate = 'promotion/trap' and type = 'promotion.suspended'"),
        $the->{suspended_reason}, 'with the reason');
    ok($pos->wait_for('both workers', 5, sub { $pos->quote($small); counted('pos_book_rows_left_out') == 0 }), 'the book has it no more');
    is(told($pos->quote($cart), 'trap')->{id}, undef, 'nor has a quote');
    my $r = $pos->publish('trap', { version => 1 }, headers => { etag('trap') });
    PosTest::is_problem($r, 422, 'checks_failed', 'publishing that version again is refused');
    is(events('trap'), 1, 'it stays suspended');
    is(counted('pos_script_watchdog_total'), 1, 'without being run');
    my $job = $pos->import_book({ promotions => [ { id => 'trap', script => $trap } ] });
    is($job->{json}{result}{errors}[0]{code}, 'script_quarantined', 'posd does not load it either') or diag($job->{body});
};

subtest 'its source is refused by name' => sub {
    refused($trap, 'by PUT');
    my $v = validate($trap);
    is($v->{json}{valid}, Cpanel::JSON::XS::false(), 'by validate');
    is($v->{json}{diagnostics}[0]{code}, 'script_quarantined', 'with the code');
};

subtest 'a mended source sells again' => sub {
    publish('trap', $mended);
    ok(told($pos->quote($cart), 'trap')->{applied}, 'on the very cart');
    ok($pos->wait_for('both workers', 5, sub { $pos->quote($small); counted('pos_book_rows_left_out') == 0 }), 'nothing is left out');
};

subtest 'a database that is down only delays it' => sub {
    my $late = script('late', "if cart.subtotal == 4250 then\n    $LONG\n  end");
    publish('late', $late);
    $pos->expect_log(qr/terminating connection|database system is/);
    is($pos->stop_postgres, 0, 'the database is stopped');
    ends_a_worker(sub { $pos->quote($cart) }, 'a script that runs away meanwhile');
    is($pos->quote($cart)->{status}, 200, 'is kept out');
    is($pos->start_postgres, 0, 'the database is back');
    suspended('late');
    is(events('late'), 1, 'it is told once');
    kill 'TERM', suspender();
    ok($pos->wait_for('another process for suspending', 10, sub { suspender() }), 'the process for it is replaced');
    publish('late', script('late', "cart:message('late')"));
    ok($pos->wait_for('its look', 10, sub { looked() }), 'and has looked');
    is($pos->get('/v1/promotions/late')->{json}{state}, 'active', 'a mended one stays active');
    is(events('late'), 1, 'and nothing more is told');
};

subtest 'validating and loading stand behind the same fence' => sub {
    my $rehearsed = script('caught', $LONG);
    ends_a_worker(sub { validate($rehearsed) }, 'a rehearsal that runs on');
    my $v = validate($rehearsed);
    is($v->{json}{diagnostics}[0]{code}, 'script_quarantined', 'the next is told') or diag($v->{body});
    my $loaded = "$LONG\nreturn promotion { id = 'caught', class = 'line' }";
    ends_a_worker(sub { $pos->put_lua('caught', $loaded) }, 'a file that does not load');
    refused($loaded, 'and is refused then');
    is($pos->get('/v1/promotions/caught')->{status}, 404, 'nothing of it is stored');
    is(counted('pos_script_watchdog_total'), 4, 'four in all');
};

subtest 'a reload forgets nothing' => sub {
    my %before = map { $_ => 1 } $pos->workers;
    $pos->reload;
    $pos->wait_for('new workers', 10, sub { my @w = $pos->workers; @w == 2 && !grep { $before{$_} } @w });
    refused($trap, 'the quarantined source still');
    ok(told($pos->quote($cart), 'trap')->{applied}, 'the mended one is sold by');
    is(counted('pos_script_watchdog_total'), 4, 'and it counts on');
};

# An import loads scripts in a process of posd's own.
subtest 'an import stands behind it too' => sub {
    kill 'TERM', $pos->pid('posd');
    $pos->wait_for('posd gone', 10, sub { !PosTest::alive($pos->pid('posd')) });
    $pos->start_posd('--script-cpu-time', 40, '--script-instructions', 10_000_000);
    my $held = "$LONG\nreturn promotion { id = 'held', class = 'line' }";
    my $r = $pos->post('/v1/imports', { promotions => [ { id => 'held', script => $held } ] });
    is($r->{status}, 202, 'an import whose script does not load') or diag($r->{body});
    my $sha = sha256_hex($held);
    ok($pos->wait_for('the end of its process', 20, sub { posd_log() =~ /promotion "held" .*$sha\) is quarantined/ }), 'ends the process, which names it');
    # The next takes the job once the lease of the one before has run out.
    $pos->sql("update pos.job set leased_until = clock_timestamp() where state = 'running'");
    my $job = $pos->wait_job($r->{headers}{location}, 20);
    is($job->{json}{status}, 'failed', 'and fails with the next');
    is($job->{json}{result}{errors}[0]{pointer}, '/promotions/0/script', 'at the script') or diag($job->{body});
    is($job->{json}{result}{errors}[0]{code}, 'script_quarantined', 'for what it is');
    is(scalar(() = posd_log() =~ /"held" .*is quarantined/g), 1, 'once');
    refused($held, 'and nginx does not load it either');
    is(counted('pos_script_watchdog_total'), 5, 'it counts as one');
    my $good = $pos->import_book(PosTest::slurp("$PosTest::BUILD/sample.json"));
    is($good->{json}{status}, 'succeeded', 'other imports go on') or diag($good->{body});
};

# So does a seed, in the process that somebody started by hand.
subtest 'a seed does not hang' => sub {
    my $book = PosTest::parse(PosTest::slurp("$PosTest::BUILD/sample.json"));
    my $runs = "-- seed\n$LONG\nreturn promotion { id = 'sown', class = 'line' }";
    push @{ $book->{promotions} }, { id => 'sown', script => $runs };
    $book->{retailer}{code} = 'sown';
    PosTest::spurt("$pos->{state}/sown.json", PosTest::json($book));
    my $said = PosTest::command_output(PosTest::service_user(), "$pos->{state}/lib/posd", 'seed', '--script-cpu-time', 40, '--script-instructions', 10_000_000,
        '--database', "host=$pos->{state}/run dbname=pos user=pos_daemon", '--book', "$pos->{state}/sown.json");
    is($? & 127, 6, 'a book with a script that does not load ends it') or diag($said);
    my $sha = sha256_hex($runs);
    like($said, qr/"sown" does not come to an end .*SHA-256 $sha/, 'which says whose it is');
};

subtest 'a restart forgets nothing' => sub {
    is($pos->stop, 0, 'all is stopped');
    $pos->start_again;
    refused($trap, 'the quarantined source still');
    is(counted('pos_script_watchdog_total'), 5, 'and it counts on');
    is(events('trap'), 1, 'nothing is told again');
};

subtest 'the limit is checked at start' => sub {
    my $posd = qx{$PosTest::BUILD/posd run --database x --replica x --spool x --script-cpu-time 5 2>&1};
    like($posd, qr/--script-cpu-time is neither 0 \(off\) nor 20 to 60000 ms/, 'by posd');
    $posd = qx{$PosTest::BUILD/posd run --database x --replica x --spool x --script-instructions 5 2>&1};
    like($posd, qr/--script-instructions is not 1000 to 100000000/, 'and what is no number of instructions');
    my $conf = PosTest::slurp("$pos->{state}/nginx.conf");
    ok($conf && $conf =~ s/pos_script_cpu_time 40ms/pos_script_cpu_time 5ms/, 'a time too short to measure') or return;
    PosTest::spurt("$pos->{state}/nginx-bad.conf", $conf);
    local $ENV{PATH} = "$ENV{PATH}:/usr/sbin";
    my $nginx = $ENV{POS_NGINX} || q{nginx};
    my $said = qx{$nginx -t -e stderr -c $pos->{state}/nginx-bad.conf 2>&1};
    like($said, qr/"pos_script_cpu_time" is neither 0 \(off\) nor at least 20ms/, 'is refused');
};

done_testing;

# Waits until the API says so.
sub suspended {
    my ($id) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $the;
    my $is = $pos->wait_for("$id suspended", 20, sub { $the = $pos->get("/v1/promotions/$id")->{json} || {}; ($the->{state} // '') eq 'suspended' });
    ok($is, "$id is suspended") or diag(PosTest::json($the), $pos->log_tail);
    return $the;
}

# The numbered ones.
sub events {
    my ($id) = @_;
    my $where = "from pos.event where aggregate = 'promotion/$id' and type = 'promotion.suspended'";
    $pos->wait_for('numbers', 10, sub { $pos->sql("select count(*) $where and seq is null") eq '0' });
    return $pos->sql("select count(*) $where");
}

sub suspender {
    return (grep { (PosTest::slurp("/proc/$_/cmdline") // '') =~ /\0suspend\0/ } PosTest::children($pos->pid('posd')))[0];
}

# Its connection has been through a transaction since this revision: it asks for heads each turn.
sub looked {
    my $since = $pos->sql('select max(at) from pos.revision');
    return $pos->wait_for('a later query', 10, sub {
        $pos->sql("select count(*) from pg_stat_activity where application_name = 'posd suspend' and state = 'idle' and query_start > '$since'::timestamptz + interval '1 s'");
    });
}

sub script {
    my ($id, $body) = @_;
    return "return promotion { id = '$id', class = 'line', apply = function(cart)\n  $body\nend }";
}

sub told {
    my ($q, $id) = @_;
    my ($told) = grep { $_->{id} eq $id } @{ $q->{json}{explain} || [] };
    return $told || {};
}

sub alive_in { my ($pid, @pids) = @_; return grep { $_ == $pid } @pids }

# What it was asked gets no answer; one of the two is replaced; the master stays.
sub ends_a_worker {
    my ($do, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @before = $pos->workers;
    my $master = $pos->pid('nginx');
    is($do->()->{status}, 0, "$name gets no answer");
    my $two = $pos->wait_for('another worker', 10, sub {
        my @now = $pos->workers;
        return @now == 2 && 1 == grep { alive_in($_, @now) } @before;
    });
    ok($two, "$name: one worker of two is replaced");
    is($pos->pid('nginx'), $master, "$name: by the same master");
    return @before;
}

sub etag {
    my ($id) = @_;
    my $etag = $pos->get("/v1/promotions/$id")->{headers}{etag};
    return $etag ? ('If-Match' => $etag) : ();
}

# Stored, published, and quoted by in both workers.
sub publish {
    my ($id, $source) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $pos->put_lua($id, $source, headers => { etag($id) });
    like($r->{status}, qr/^20/, "$id is stored") or diag($r->{body});
    $r = $pos->publish($id, {}, headers => { etag($id) });
    is($r->{status}, 200, "$id is published") or diag($r->{body});
    my ($revision) = ($r->{headers}{'pos-revision'} // '') =~ /^(\d+)/;
    return ok($pos->wait_for("revision $revision", 5, sub { $pos->at_revision($revision) }), "$id is quoted by");
}

sub refused {
    my ($source, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $r = $pos->put_lua('trap', $source, headers => { etag('trap') });
    PosTest::is_problem($r, 422, 'invalid_promotion', $name);
    return is($r->{json}{errors}[0]{code}, 'script_quarantined', "$name, for what it is");
}

sub validate {
    my ($source) = @_;
    return $pos->request('POST', '/v1/promotions/validate', body => $source, headers => { 'Content-Type' => 'text/x-lua' });
}

sub posd_log { return PosTest::slurp("$pos->{state}/log/posd.log") // '' }

sub metrics { return $pos->get('/metrics')->{body} }

sub counted {
    my ($name) = @_;
    my $sum = 0;
    $sum += $_ for metrics() =~ /^$name(?:\{[^}]*\})? (\d+)$/mg;
    return $sum;
}
