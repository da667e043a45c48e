#!/usr/bin/perl
# What Prometheus reads: well-formed, explained, counted where it should be, and silent
# about anything that is nobody else's business.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

my $pos  = PosTest->start(workers => 2, env => { POS_WATCH => 0 });
my $cart = { lines => PosTest::lines('MUG-RED' => 1, 'TEA' => 2) };

subtest 'it is Prometheus text' => sub {
    $pos->quote($cart) for 1 .. 3;
    $pos->get('/v1/nothing');
    my $r = $pos->get('/metrics', key => undef);
    is($r->{status}, 200, 'no key is needed');
    like($r->{headers}{'content-type'}, qr{^text/plain; version=0\.0\.4}, 'of its own type');
    my ($families, @faults) = exposition($r->{body});
    is(join("\n", @faults), '', 'well-formed: HELP, TYPE, then all lines of a metric together');
    is(join(' ', grep { !$families->{$_}{help} } sort keys %$families), '', 'each metric is explained');
    is(join(' ', grep { $families->{$_}{kind} eq 'counter' && !/_total$/ } sort keys %$families), '', 'counters are named as such');
    is(join(' ', histogram_faults($families)), '', 'histograms add up');
    my @named = named_in_documents();
    cmp_ok(scalar(@named), '>=', 4, "the documents name metrics: @named");
    is(join(' ', grep { !$families->{$_} } @named), '', 'all of which are here');
};

subtest 'quotes, errors and requests are counted' => sub {
    counts('a quote', { pos_quotes_total => 1, pos_quote_lines_total => 2, 'pos_requests_total create_quote 2xx' => 1, 'pos_request_seconds_count create_quote' => 1 },
        sub { $pos->quote($cart) });
    counts('a batch of three', { pos_quotes_total => 3, pos_quote_lines_total => 6, 'pos_requests_total create_quote_batch 2xx' => 1 },
        sub { $pos->request('POST', '/v1/quotes/batch', body => join('', (PosTest::json({ currency => 'GBP', store => 'london', channel => 'web', %$cart }) . "\n") x 3), headers => { 'Content-Type' => 'application/x-ndjson' }) });
    counts('a quote that differs from the old system\'s', { pos_quotes_total => 1, pos_quote_compare_differs_total => 1 },
        sub { $pos->quote({ %$cart, compare => { total => 1 } }) });
    counts('a cart at fault', { pos_quotes_total => 0, 'pos_requests_total create_quote 4xx' => 1 },
        sub { $pos->quote({ lines => PosTest::lines('NO-SUCH-THING', 1) }) });
    counts('a key that is none', { 'pos_requests_total create_quote 4xx' => 1 }, sub { $pos->quote($cart, key => 'pos_test_' . 'x' x 32) });
    counts('a path that is none', { 'pos_requests_total none 4xx' => 1 }, sub { $pos->get('/v1/nothing') });
    publish('breaks', "return promotion { id = 'breaks', name = 'Breaks', class = 'line', apply = function(cart) if cart.subtotal == 2222 then error('no') end end }");
    counts('a script that fails', { pos_quotes_total => 1, pos_quote_script_errors_total => 1 },
        sub { $pos->quote({ lines => [{ id => '1', sku => 'BLOCKS', quantity => 1, price_override => { amount => 2222, reason => 'test' } }] }) });
};

subtest 'a publish shows in every worker' => sub {
    my $before = figures();
    publish('new', "return promotion { id = 'new', name = 'New', class = 'line', apply = function(cart) end }");
    my $after;
    ok($pos->wait_for('all workers', 10, sub {
        $after = figures();
        return 2 == grep { $after->{"pos_book_revisions $_"} > $before->{"pos_book_revisions $_"} } 0, 1;
    }), 'the revision that each works by goes up');
    is($after->{'pos_book_revisions 0'}, $after->{'pos_book_revisions 1'}, 'and is the same in both');
    for my $worker (0, 1) {
        cmp_ok($after->{"pos_generations_total $worker"}, '>', $before->{"pos_generations_total $worker"}, "worker $worker has a new generation");
        cmp_ok($after->{"pos_books_compiled_total $worker"}, '>', $before->{"pos_books_compiled_total $worker"}, "worker $worker compiled it");
    }
    is($after->{pos_ready}, 1, 'the node is ready');
};

subtest 'the replica falls behind, the database goes away' => sub {
    $pos->get('/v1/categories') for 1 .. 6;
    my $before = figures();
    cmp_ok($before->{pos_database_connections}, '>=', 1, 'connections are counted');
    is($before->{pos_database_busy}, 0, 'none is busy');
    my $posd = $pos->pid('posd');
    kill 'STOP', $posd;
    my $lag = 0;
    ok($pos->wait_for('lag', 30, sub { $lag = figures()->{pos_replica_lag_milliseconds}; $lag > 2500 }), 'with posd stopped the lag grows');
    cmp_ok(figures()->{pos_replica_lag_milliseconds}, '>=', $lag, 'and grows on');
    kill 'CONT', $posd;
    ok($pos->wait_for('no lag', 30, sub { figures()->{pos_replica_lag_milliseconds} < $lag }), 'and goes down when it works again');

    is($pos->stop_postgres('immediate'), 0, 'PostgreSQL is stopped');
    my $after;
    ok($pos->wait_for('failures', 30, sub { $after = figures(); $after->{pos_database_connect_failures_total} >= $before->{pos_database_connect_failures_total} + 4 }),
        'attempts that fail are counted');
    is($after->{pos_database_connections}, 0, 'no connection is left');
    is($after->{pos_database_lost_total} - $before->{pos_database_lost_total}, $before->{pos_database_connections}, 'each is counted as lost');
    counts('a call without a database', { 'pos_requests_total list_categories 5xx' => 1 }, sub { $pos->get('/v1/categories') });
    is($pos->start_postgres, 0, 'PostgreSQL is back');
    ok($pos->wait_for('a connection', 30, sub { figures()->{pos_database_connections} >= 1 }), 'and so are connections');
};

# While nginx reloads, the old workers serve to their end what they have: each process has a
# place of its own, so that neither writes over the other's figures.
subtest 'old and new workers' => sub {
    $pos->get('/v1/categories') for 1 .. 6;
    my $before = figures();
    my %old = map { $_ => 1 } $pos->workers;
    my @held = map { my $s = $pos->connect; PosTest::send_all($s, substr($pos->request_text('POST', '/v1/quotes', socket => 1, json => { currency => 'GBP', store => 'london', channel => 'web', %$cart }), 0, -10), 5); $s } 1 .. 8;
    $pos->reload;
    ok($pos->wait_for('new workers', 20, sub { my @w = $pos->workers; @w == 2 && !grep { $old{$_} } @w }), 'new workers are there');
    cmp_ok(scalar(grep { PosTest::alive($_) } keys %old), '>=', 1, 'and an old one still is');
    my @one = map { figures() } 1 .. 8;
    for my $name (qw(pos_quotes_total pos_quote_lines_total pos_database_lost_total)) {
        is(join(' ', map { $_->{$name} } @one), join(' ', ($before->{$name}) x 8), "$name goes on from where it was, whoever is asked");
    }
    is(join(' ', map { $_->{'pos_book_revisions 0'} - $before->{'pos_book_revisions 0'} } @one), join(' ', (0) x 8), 'the revision is that of the new');
    counts('a quote by a new one', { pos_quotes_total => 1 }, sub { $pos->quote($cart) });
    my $rest = substr $pos->request_text('POST', '/v1/quotes', socket => 1, json => { currency => 'GBP', store => 'london', channel => 'web', %$cart }), -10;
    counts('those of the old ones', { pos_quotes_total => 8 }, sub {
        PosTest::send_all($_, $rest, 5) for @held;
        is(join(' ', map { PosTest::read_answer($_, 'POST', 10)->{status} } @held), join(' ', (200) x 8), 'they are answered');
    });
    ok($pos->wait_for('old workers gone', 30, sub { !grep { PosTest::alive($_) } keys %old }), 'the old ones end');
    my $after = figures();
    is($after->{pos_quotes_total}, $before->{pos_quotes_total} + 9, 'what they counted stays');
    ok($pos->wait_for('connections', 10, sub { figures()->{pos_database_connections} == $pos->sql("select count(*) from pg_stat_activity where usename = 'pos_api'") }),
        'and connections are those that there are');
    is(figures()->{pos_ready}, 1, 'ready');
    # A killed one's place is taken over by who comes after it.
    $pos->expect_log(qr/exited on signal 9/);
    my ($killed) = $pos->workers;
    $pos->kill9($killed);
    ok($pos->wait_for('another', 10, sub { my @w = $pos->workers; @w == 2 && !grep { $_ == $killed } @w }), 'one is killed and replaced');
    is(figures()->{pos_quotes_total}, $before->{pos_quotes_total} + 9, 'which counts on');
    is(scalar(grep { /^pos_quotes_total \d/ } keys %{ figures() }), 2, 'there are two workers\' lines');
};

subtest 'it says nothing that is nobody else\'s business' => sub {
    my $text = $pos->get('/metrics', key => undef)->{body};
    my @secrets = map { values %{ $pos->{keys}{$_} } } qw(live sandbox);
    is(scalar(@secrets), 4, 'of four keys');
    is(scalar(grep { index($text, $_) >= 0 || index($text, substr $_, 9, 12) >= 0 } @secrets), 0, 'none is in it');
    unlike($text, qr/pos_(?:live|test)_|Bearer|password/, 'nor is anything like one');
    unlike($text, qr{\Q$pos->{state}\E|pos_api|dbname}, 'nor how the database is reached');
    unlike($text, qr/Harbour|london|MUG|TEA|GBP/, 'nor what the shop is and sells');
};

done_testing;

# { name => { help, kind, lines => [[labels, value]…] } } and what breaks the format.
sub exposition {
    my ($text) = @_;
    my (%families, @faults, $now, %seen);
    push @faults, 'does not end in a line feed' if $text !~ /\n\z/;
    for my $line (split /\n/, $text) {
        if ($line =~ /^# HELP ([a-z_]+) (.+)$/) {
            push @faults, "$1 comes twice" if $families{$1};
            $families{ $now = $1 } = { help => $2, lines => [] };
        }
        elsif ($line =~ /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/) {
            push @faults, "TYPE of $1 is not behind its HELP" if ($now // '') ne $1 || $families{$1}{kind};
            $families{$1}{kind} = $2;
        }
        elsif ($line =~ /^([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\]|\\["\\n])*",?)+)\})? (\d+(?:\.\d+)?)$/) {
            my ($name, $labels, $value) = ($1, $2 // '', $3);
            my $family = $name;
            $family =~ s/_(?:bucket|sum|count)$// if ($families{ $now // '' }{kind} // '') eq 'histogram';
            push @faults, "$name is not with its family: $line" if ($now // '') ne $family || !$families{$family}{kind};
            push @faults, "twice: $name $labels" if $seen{"$name $labels"}++;
            push @{ $families{$now}{lines} }, [$name, $labels, $value];
        }
        else { push @faults, "not understood: $line" }
    }
    return (\%families, @faults);
}

sub histogram_faults {
    my ($families) = @_;
    my @faults;
    for my $family (grep { $families->{$_}{kind} eq 'histogram' } sort keys %$families) {
        my (%last, %count, %sum);
        for (@{ $families->{$family}{lines} }) {
            my ($name, $labels, $value) = @$_;
            my ($of) = $labels =~ /operation="(\w+)"/;
            if ($name =~ /_bucket$/) {
                my ($le) = $labels =~ /le="([^"]+)"/;
                push @faults, "$of: le=$le is not above the last" if $last{$of} && $le ne '+Inf' && $le <= $last{$of}[0];
                push @faults, "$of: le=$le counts fewer than the last" if $last{$of} && $value < $last{$of}[1];
                $last{$of} = [$le, $value];
            }
            $count{$of} = $value if $name =~ /_count$/;
            $sum{$of}   = $value if $name =~ /_sum$/;
        }
        push @faults, map { "$_: +Inf is not the count" } grep { "@{ $last{$_} || [] }" ne "+Inf $count{$_}" } sort keys %count;
        push @faults, map { "$_: no sum" } grep { !defined $sum{$_} } sort keys %count;
        push @faults, 'nothing is counted' if !%count;
    }
    return @faults;
}

# Every metric by name, by name and its labels' values, and, over workers, the sum.
sub figures {
    my ($families) = exposition($pos->get('/metrics', key => undef)->{body});
    my %figure;
    for my $family (values %$families) {
        for (@{ $family->{lines} }) {
            my ($name, $labels, $value) = @$_;
            my @values = $labels =~ /="([^"]*)"/g;
            $figure{ join ' ', $name, @values } = $value;
            $figure{$name} += $value if $labels =~ /^worker=/;
        }
    }
    return \%figure;
}

# What a request adds to the figures. It is counted at its end, which may come after its
# answer: what was not read of a refused body is waited for.
sub counts {
    my ($what, $expected, $do) = @_;
    my $before = figures();
    $do->();
    my %is;
    $pos->wait_for($what, 10, sub {
        my $after = figures();
        %is = map { $_ => ($after->{$_} // 0) - ($before->{$_} // 0) } keys %$expected;
        return !grep { $is{$_} < $expected->{$_} } keys %is;
    });
    return is_deeply(\%is, $expected, $what);
}

# The names in backticks wherever the documents speak of /metrics, and the contract's example.
sub named_in_documents {
    my %names;
    for my $file (glob("$PosTest::ROOT/docs/*.md"), "$PosTest::ROOT/README.md") {
        $names{$_} = 1 for map { /`(pos_[a-z_]+)(?:\{[^`]*)?`/g } grep { m{`/metrics`} } split /\n/, PosTest::slurp($file);
    }
    my $contract = PosTest::parse(PosTest::slurp("$PosTest::BUILD/openapi.json"));
    my $example  = $contract->{paths}{'/metrics'}{get}{responses}{200}{content}{'text/plain'}{example};
    $names{$_} = 1 for $example =~ /^# TYPE (\w+)/mg;
    return sort keys %names;
}

sub publish {
    my ($id, $source) = @_;
    my $put = $pos->put_lua($id, $source);
    my $r   = $pos->publish($id, {}, headers => { 'If-Match' => $put->{headers}{etag} });
    is($r->{status}, 200, "$id is published") or diag("$put->{body} $r->{body}");
    my $explain = { %$cart, explain => Cpanel::JSON::XS::true };
    my $knows   = sub { return scalar grep { $_->{id} eq $id } @{ $pos->quote($explain)->{json}{explain} || [] } };
    ok($pos->wait_for("$id in all workers", 10, sub { return !grep { !$knows->() } 1 .. 8 }), 'and at work');
    return;
}
