package Bench;

# What the benchmarks share: books, carts, wrk on its own core, tables in Markdown.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use PosTest;
use Time::HiRes qw(time);

our $SECONDS = $ENV{POS_BENCH_SECONDS} || 5;
our $ROUNDS  = $ENV{POS_BENCH_ROUNDS}  || 3;


sub sku { return sprintf 'SKU%07d', $_[0] }

# A small retailer with `products` goods, priced in pounds with VAT.
sub book {
    my (%o) = @_;
    my $n = $o{products};
    return {
        retailer => { code => 'bench', currency => 'GBP', timezone => 'Europe/London', rounding => 'half_up', tax_rounding => 'line',
            optimise => 'customer', cash_rounding => 1, shipping_tax_category => 'standard', points_per => 100 },
        stores      => [{ code => 'london', tax_region => 'GB', timezone => 'Europe/London' }],
        categories  => [{ code => 'all' }, map { { code => "cat$_", parent => 'all' } } 0 .. 9],
        products    => [map { product($_) } 1 .. $n],
        price_lists => [{ code => 'base', currency => 'GBP', tax_included => Cpanel::JSON::XS::true, priority => 0, stores => [], channels => [], customer_groups => [], from => undef, until => undef }],
        prices      => [map { price($_) } 1 .. $n],
        taxes       => [{ region => 'GB', category => 'standard', code => 'vat', percent => 20, compound => Cpanel::JSON::XS::false }],
        promotions  => $o{promotions} || [], coupons => [], experiments => [],
    };
}

sub product {
    my ($i) = @_;
    return { sku => sku($i), name => "Product $i", categories => ['cat' . $i % 10], brand => 'b' . $i % 50, tags => [], unit => 'each',
        attributes => { colour => 'red' }, tax_category => 'standard', weight_grams => 100, cost => 100, min_price => 0 };
}

sub price {
    my ($i) = @_;
    return { sku => sku($i), list => 'base', amount => 500 + $i * 37 % 4000, min_quantity => 1, kind => 'regular' };
}

# `count` live promotions of which five touch the cart below: a markdown, a buy-get, a
# bundle, one in Lua and an order discount. The others are for goods that it lacks.
sub promotions {
    my ($count) = @_;
    my @p = (
        { id => 'markdown', name => 'Markdown', class => 'line', then => [{ percent_off => 10, items => { sku => [sku(1), sku(2)] } }] },
        { id => 'buy-get', name => 'Two and one', class => 'line', then => [{ buy => [{ items => { sku => [sku(3)] }, quantity => 2 }], get => [{ items => { sku => [sku(3)] }, quantity => 1, percent_off => 100 }] }] },
        { id => 'bundle', name => 'Bundle', class => 'line', then => [{ bundle => [{ items => { sku => [sku(4)] }, quantity => 1 }, { items => { sku => [sku(5)] }, quantity => 1 }], price => 900 }] },
        { id => 'lua', script => "return promotion {\n  id = 'lua', name = 'By Lua', class = 'line',\n  when = { items = { sku = { '" . sku(6) . "' } }, quantity = { min = 1 } },\n  apply = function(cart)\n"
            . "    local sel = cart:items { sku = { '" . sku(6) . "' } }\n    local percent = sel:quantity() >= 3 and 25 or 15\n    sel:percent_off(percent, 'By Lua')\n  end,\n}\n" },
        { id => 'order', name => 'Order', class => 'order', when => { subtotal => { min => 3000 } }, then => [{ amount_off => 500 }] },
    );
    for my $i (@p .. $count - 1) {
        push @p, { id => "other-$i", name => "Other $i", class => 'line', then => [{ percent_off => 5 + $i % 20, items => { sku => [sku(50 + $i % 140)] } }] };
    }
    return \@p;
}

sub cart {
    my (@skus) = @_;
    @skus = map { sku($_) } 1 .. 10 if !@skus;
    my $n = 0;
    return { currency => 'GBP', store => 'london', channel => 'web', lines => [map { $n++; { id => "$n", sku => $_, quantity => $n == 3 ? 3 : 1 + $n % 2 } } @skus] };
}

# One instance, one worker pinned to core 0. Its database waits for the disk as a shop's does:
# one that never does leaves all its pages to the kernel, which then writes them in bursts of
# hundreds of megabytes that everybody else's commits stand behind.
sub instance {
    my (%o) = @_;
    my $pos = PosTest->start(check_responses => 'off', workers => 1, durable => 1, %o);
    pin($pos);
    return $pos;
}

sub pin {
    my ($pos) = @_;
    PosTest::quietly('taskset', '-cp', 0, $_) for $pos->workers;
    return;
}

sub import_book {
    my ($pos, $book, %o) = @_;
    my $job = $pos->import_book($book, seconds => 600, timeout => 600, %o);
    die "import: $job->{status} $job->{body}\n" if (($job->{json} || {})->{status} // '') ne 'succeeded';
    return $job->{json};
}

# wrk on core 1: {rps, p50, p99 in µs, errors}; and cpu, the worker's own µs a request with
# the kernel's for it, and busy, the part of the time that it worked. Where the client is the
# slower of the two, requests a second are the client's: cpu is the server's still.
# `script` is wrk's own Lua.
sub wrk {
    my ($pos, $path, $script, %o) = @_;
    my $file = "$pos->{dir}.wrk.lua";
    PosTest::spurt($file, $script . <<'LUA');

function done(summary, latency)
  io.write(string.format("\nRESULT %d %f %d %d %d\n", summary.requests, summary.duration / 1e6, latency:percentile(50),
    latency:percentile(99), summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
LUA
    my $before = workers_cpu($pos);
    my $out = PosTest::command_output('taskset', '-c', 1, 'wrk', '-t1', '-c' . ($o{connections} || 16), '-d' . ($o{seconds} || $SECONDS) . 's',
        '-s', $file, "http://127.0.0.1:$pos->{port}$path");
    my $cpu = workers_cpu($pos) - $before;
    unlink $file;
    my ($requests, $seconds, $p50, $p99, $errors) = $out =~ /RESULT (\d+) ([\d.]+) (\d+) (\d+) (\d+)/ or die "wrk: $out\n";
    warn "wrk saw $errors errors on $path\n" if $errors;
    return { rps => $requests / $seconds, p50 => $p50, p99 => $p99, errors => $errors, cpu => 1e6 * $cpu / $requests, busy => $cpu / $seconds };
}

# Seconds of processor time, user's and system's.
sub workers_cpu {
    my ($pos) = @_;
    my $ns = 0;
    for my $pid ($pos->workers) {
        my ($ran) = (PosTest::slurp("/proc/$pid/schedstat") // '') =~ /^(\d+)/ or die "no schedstat of $pid\n";
        $ns += $ran;
    }
    return $ns / 1e9;
}

# What the largest worker shares with no other process.
sub private_mb {
    my ($pos) = @_;
    my $kb = 0;
    for my $pid ($pos->workers) {
        my ($dirty) = (PosTest::slurp("/proc/$pid/smaps_rollup") // '') =~ /^Private_Dirty:\s+(\d+)/m;
        $kb = $dirty if ($dirty // 0) > $kb;
    }
    return $kb / 1024;
}

sub post_script {
    my ($key, $body) = @_;
    $body =~ s/([\\'])/\\$1/g;
    return "wrk.method = 'POST'\nwrk.body = '$body'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.headers['Authorization'] = 'Bearer $key'\n";
}

# Several runs in turn, so that a slow minute of the machine hits all alike; the median of each.
sub in_turn {
    my (@what) = @_;
    my @results;
    for my $round (1 .. $ROUNDS) { push @{ $results[$_] }, $what[$_]->() for 0 .. $#what }
    return map { my @r = sort { $a->{rps} <=> $b->{rps} } @$_; $r[ @r / 2 ] } @results;
}

my @rows;
our $failed = 0;

# bound: undef, or [">=" | "<=", number].
sub row {
    my ($what, $value, $unit, $bound) = @_;
    my $ok = !$bound ? '' : $bound->[0] eq '>=' ? $value >= $bound->[1] : $value <= $bound->[1];
    $failed++ if $bound && !$ok;
    my $shown = $value >= 1000 ? sprintf('%.0f', $value) : $value >= 10 ? sprintf('%.1f', $value) : sprintf('%.2f', $value);
    push @rows, sprintf '| %s | %s %s | %s | %s |', $what, $shown, $unit, $bound ? "$bound->[0] $bound->[1]" : '', $bound ? ($ok ? 'holds' : '**missed**') : '';
    print STDERR "$rows[-1]\n";
    return;
}

sub table {
    my ($title) = @_;
    print "\n### $title\n\n| measure | value | bound | |\n| --- | --- | --- | --- |\n", map({ "$_\n" } @rows), "\n";
    @rows = ();
    return;
}

sub percentile {
    my ($p, @values) = @_;
    @values = sort { $a <=> $b } @values;
    return $values[ int($p / 100 * $#values + 0.5) ] // 0;
}

# Publishes `rounds` times a promotion of the key's retailer while clients price a cart that
# shows it: for each, how long after the 200 an older price was still given, however many
# publishes later that was. An amount comes again after 90 rounds, some ten seconds.
sub publish_delays {
    my ($pos, %o) = @_;
    my %admin = (key => $o{admin});
    my $load  = $pos->load(clients => 2, pause => 0.0005, key => $o{shop}, cart => $o{cart});
    my (@published, $n);
    while (++$n && ($o{until} ? !$o{until}->() : $n <= $o{rounds})) {
        my $etag = $pos->get('/v1/promotions/bench-flip', %admin)->{headers}{etag};
        my $put = $pos->put('/v1/promotions/bench-flip', { id => 'bench-flip', name => "Round $n", class => 'line',
                then => [{ amount_off => 1 + $n % 90, per => 'line', items => { sku => [$o{cart}{lines}[0]{sku}] } }] },
            %admin, headers => { $etag ? ('If-Match' => $etag) : () });
        my $r = $pos->publish('bench-flip', {}, %admin, headers => { $put->{headers}{etag} ? ('If-Match' => $put->{headers}{etag}) : () });
        die "publish: $put->{body} $r->{body}\n" if $r->{status} != 200;
        push @published, [time, 1 + $n % 90];
        select undef, undef, undef, 0.12;
    }
    my $records = $load->stop;
    my @bad = grep { $_->[2] != 200 } @$records;
    warn scalar(@bad), " quotes failed while publishing\n" if @bad;
    return delays(\@published, [grep { $_->[2] == 200 } @$records]);
}

# published: [when, amount] in order; records of quotes, [when it was sent, …, amounts].
sub delays {
    my ($published, $records) = @_;
    my @delays = (0) x @$published;
    my $last = -1;    # the last one published when the quote was sent
    for my $r (sort { $a->[0] <=> $b->[0] } @$records) {
        $last++ while $last < $#$published && $published->[ $last + 1 ][0] < $r->[0];
        my $amount = $r->[5]{'bench-flip'} // 0;
        # Its answer may be newer than what was acknowledged when it was sent.
        next if $last < 0 || $last < $#$published && $published->[ $last + 1 ][1] == $amount;
        for (my $i = $last; $i >= 0 && $published->[$i][1] != $amount && $last - $i < 90; $i--) {
            $delays[$i] = 1000 * ($r->[0] - $published->[$i][0]);
        }
    }
    return @delays;
}

END { $? ||= 1 if $failed }

1;
