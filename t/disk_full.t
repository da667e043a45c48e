#!/usr/bin/perl
# The disk of the replica and of the spool is full. The shop goes on selling by the book it
# has and says how old it is; changes are kept in PostgreSQL; an import is refused with a
# clear word; when there is room again, all is well by itself.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;

plan skip_all => 'only root may mount a small disk' if $>;

my $pos  = PosTest->start(env => { POS_WATCH => 0 });
my %disk = (replica => 6, spool => 4);
my %shop = (key => $pos->key('storefront'));
my $cart = { lines => PosTest::lines('MUG-RED', 6) };

$pos->stop;
for my $name (sort keys %disk) {
    my $folder = "$pos->{state}/$name";
    my ($uid, $gid) = (stat $folder)[4, 5];
    if (PosTest::quietly('mount', '-t', 'tmpfs', '-o', "size=$disk{$name}m,mode=700,uid=$uid,gid=$gid", 'tmpfs', $folder)) {
        unmount();
        plan skip_all => 'a small disk cannot be mounted here';
    }
}
$pos->start_again;
my $before = $pos->quote($cart, %shop)->{json};
ok($before->{total}, 'the shop sells from a small disk');
my ($posd, @workers) = ($pos->pid('posd'), $pos->workers);

subtest 'the spool is full' => sub {
    fill('spool');
    my $book = PosTest::json({ products => [map { { sku => "D$_", name => 'x' x 60, unit => 'each', tax_category => 'standard' } } 1 .. 3000] });
    for my $how ([], [chunked => 65_536]) {
        my $r = $pos->request('POST', '/v1/imports', body => $book, @$how);
        PosTest::is_problem($r, 507, 'disk_full', 'an import is refused');
    }
    is($pos->quote($cart, %shop)->{json}{total}, $before->{total}, 'quotes go on');
    drain('spool');
    my $job = $pos->import_book(PosTest::slurp("$PosTest::BUILD/sample.json"));
    is($job->{json}{status} // '', 'succeeded', 'with room again an import is taken') or diag($job->{body});
};

subtest 'the replica is full' => sub {
    fill('replica');
    my $size = -s "$pos->{state}/log/posd.log";
    my $n = 0;
    my $stuck = $pos->wait_for('the replica to be stuck', 30, sub {
        $n++;
        # Large enough to want pages of its own: the file has free ones, how many hangs on what was swept when.
        my $r = $pos->put("/v1/products/full-$n", { sku => "full-$n", name => 'Full', unit => 'each', tax_category => 'standard',
            attributes => { map { ("a$_" => 'x' x 100) } 1 .. 60 } });
        return 'refused' if $r->{status} !~ /^20/;
        return posd_log() =~ /No space left/ ? 'full' : '';
    });
    is($stuck, 'full', "writes commit in PostgreSQL; after $n of them the replica's disk is full");
    my ($cpu, @seen) = cpu($posd);
    my $end = time + 6;
    while (time < $end) {
        my $r = $pos->quote($cart, %shop);
        push @seen, $r if $r->{status} != 200 || $r->{json}{total} != $before->{total};
        select undef, undef, undef, 0.05;
    }
    is(scalar @seen, 0, 'quotes go on from the book that is there') or diag($seen[0]{body});
    ok($pos->wait_for('staleness', 15, sub {
        my $r = $pos->quote($cart, %shop);
        return grep { /stale|age/i } keys %{ $r->{headers} };
    }), 'and say that it is old');
    like($pos->put('/v1/categories/late', { code => 'late', name => 'Late' })->{status}, qr{^20}, 'a write still commits');
    ok(PosTest::alive($posd), 'posd lives');
    my $busy = cpu($posd) - $cpu;
    cmp_ok($busy, '<', 200, "and does not spin: $busy ticks");
    my @lines = split /\n/, substr posd_log(), $size;
    cmp_ok(scalar @lines, '<', 60, 'nor fills its log: ' . @lines . ' lines');
    drain('replica');
    $pos->check_replica('with room again the replica follows by itself');
    ok($pos->wait_for('freshness', 15, sub {
        my $r = $pos->quote($cart, %shop);
        return !grep { /stale|age/i } keys %{ $r->{headers} };
    }), 'and quotes are fresh');
    is_deeply([$pos->workers], \@workers, 'no worker died');
};

$pos->stop;
unmount();
done_testing;

sub posd_log { return PosTest::slurp("$pos->{state}/log/posd.log") }

# Ticks that a process has used.
sub cpu {
    my ($pid) = @_;
    my @f = split ' ', (PosTest::slurp("/proc/$pid/stat") =~ s/.*\) //sr);
    return $f[11] + $f[12];
}

sub fill {
    my ($name) = @_;
    open my $f, '>:raw', "$pos->{state}/$name/ballast" or die "ballast: $!";
    $f->autoflush(1);
    for my $piece (65_536, 4096) { 1 while syswrite($f, 'x' x $piece) }
    close $f;
    return;
}

sub drain { my ($name) = @_; unlink "$pos->{state}/$name/ballast" or die "ballast: $!"; return }

sub unmount {
    PosTest::quietly('umount', '-l', "$pos->{state}/$_") for sort keys %disk;
    return;
}
