#!/usr/bin/perl
# What of engine/ and base/ the engine's tests run, by file, from a build by gcc --coverage
# in the folder given. Fails where a test does, or where engine/ is under 95 % of lines
# or 85 % of branches. With sources named, tells instead which of their lines and
# branches nothing has run; POS_COVERAGE=kept looks at the last run again.
#
# A branch is what gcov counts: each outcome of each condition, && and || taken apart.
# Left out are, and nothing else:
#   assert(...), whose other outcome ends the process;
#   a branch on a line whose only purpose is to pass on that memory ran out, such as
#   `if (p == NULL) {` followed by `return POS_NO_MEMORY;`. Those are for torture, each
#   allocation failing once, not for carts. As lines they count; their number is told.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use File::Find ();
use FindBin;

my ($build, @sources) = @ARGV;
die "usage: coverage.pl FOLDER [SOURCE...]\n" if !$build;
my $root  = "$FindBin::Bin/..";
my %least = (lines => 95, branches => 85);
chdir $root or die "$root: $!";

my $failed = ($ENV{POS_COVERAGE} // '') eq 'kept' ? 0 : run_tests();
my $of     = counts();
my %memory = map { $_ => memory_lines($_) } keys %$of;
@sources ? tell_missing(@sources) : tell_table();
exit($failed ? 1 : 0);

# ---- the tests ----

sub run_tests {
    unlink found('gcda');
    my @units = sort grep { -x && -f } glob("$build/t/engine_*"), glob("$build/t/base_*");
    my @tests = grep { !m{/(?:cost|peers)\.t$} } sort glob 'engine/t/*.t';    # instructions; data of others
    local $ENV{POS_BUILD}        = $build;
    local $ENV{POS_ORACLE_CARTS} = $ENV{POS_ORACLE_CARTS} || 300;
    delete local $ENV{POS_SEED};
    my $code = system 'prove', '-Q', '-j2', '--rules', 'seq=*slices', '--rules', 'par=**', @units, @tests,
        map { "t/$_.t" } qw(oracle replay scripts_cases fuzz_corpora);
    print "tests failed\n" if $code;
    return $code;
}

sub found {
    my ($kind) = @_;
    my @found;
    File::Find::find(sub { push @found, $File::Find::name if /\.\Q$kind\E$/ }, "$build/o");
    return @found;
}

# ---- what gcov says ----

# By file: {line => times}, and {branch => times}, a branch being LINE/FUNCTION/NUMBER.
# What stands in a header is the same code wherever it is included.
sub counts {
    my %of;
    # What no test is linked with was never run, and counts.
    my @notes = grep { m{/o/((?:engine|base)/(?:cli/)?[^/]+)\.gcno$} && -e $1 } found('gcno');
    die "$build was not built by gcc --coverage\n" if !@notes;
    open my $gcov, '-|', "gcov --json-format --stdout --branch-probabilities @notes 2>/dev/null" or die "gcov: $!\n";
    while (my $text = <$gcov>) {
        for my $file (@{ Cpanel::JSON::XS::decode_json($text)->{files} }) {
            my $name = $file->{file} =~ s{^\Q$root\E/|^\./}{}r;
            next if $name !~ m{^(?:engine|base)/} || $name =~ m{/t/};
            my $it = $of{$name} //= { lines => {}, branches => {} };
            for my $line (@{ $file->{lines} }) {
                my $n = $line->{line_number};
                $it->{lines}{$n} += $line->{count};
                my $number = 0;
                $it->{branches}{"$n/" . $number++} += $_->{count} for @{ $line->{branches} };
            }
        }
    }
    close $gcov or die "gcov failed\n";
    return \%of;
}

# The lines that have branches which are left out.
sub memory_lines {
    my ($name) = @_;
    open my $f, '<', $name or die "$name: $!\n";
    my @text = ('', <$f>);
    my %out;
    for my $n (1 .. $#text) {
        $out{$n} = 1 if $text[$n] =~ /\bassert\(/;
        next if $text[$n] !~ /^\s*(?:return POS_NO_MEMORY;|return NULL;\s*\/\* no memory \*\/)/;
        # The condition before it, which may take several lines, asks for NULL.
        my $from = $n - 1;
        $from-- while $from > 1 && $n - $from < 6 && $text[$from] !~ /^\s*(?:\} else )?if \(/;
        my $condition = join '', @text[$from .. $n - 1];
        if ($condition =~ /== NULL|!\w+\(|NULL ==/) { $out{$_} = 1 for $from .. $n - 1 }
    }
    return \%out;
}

# ---- the answer ----

sub share { my ($hit, $all) = @_; return $all ? 100 * $hit / $all : 100 }

sub tell_table {
    my %sum;
    printf "%-36s %14s %18s\n", '', 'lines', 'branches';
    for my $name (sort keys %$of) {
        my $it = $of->{$name};
        my @branches = grep { !$memory{$name}{ (split m{/})[0] } } keys %{ $it->{branches} };
        my %n = (lines => scalar keys %{ $it->{lines} }, run => scalar(grep { $_ > 0 } values %{ $it->{lines} }),
            branches => scalar @branches, taken => scalar(grep { $it->{branches}{$_} > 0 } @branches),
            out => keys(%{ $it->{branches} }) - @branches);
        my ($room) = $name =~ m{^(engine|base)/};
        $sum{$room}{$_} += $n{$_} for keys %n;
        row($name, \%n);
    }
    row("$_/", $sum{$_}) for sort keys %sum;
    print "$sum{engine}{out} branches of engine/ left out: assert, and memory that ran out\n";
    for my $what ([ lines => 'run' ], [ branches => 'taken' ]) {
        my ($all, $hit) = @{ $sum{engine} }{@$what};
        my $is = share($hit, $all);
        next if $is >= $least{ $what->[0] };
        printf "engine/: %.2f %% of %s is less than %d %%\n", $is, $what->[0], $least{ $what->[0] };
        $failed = 1;
    }
    return;
}

sub row {
    my ($name, $n) = @_;
    printf "%-36s %6d %6.2f %% %9d %6.2f %%\n", $name, $n->{lines}, share($n->{run}, $n->{lines}),
        $n->{branches}, share($n->{taken}, $n->{branches});
    return;
}

sub tell_missing {
    for my $name (@_) {
        my $it = $of->{$name} or next;    # a header may hold no code
        open my $f, '<', $name or die "$name: $!\n";
        my @text = ('', <$f>);
        for my $n (1 .. $#text) {
            my $times = $it->{lines}{$n};
            next if !defined $times;
            my @never = grep { !$it->{branches}{"$n/$_"} } grep { exists $it->{branches}{"$n/$_"} } 0 .. 99;
            my $what = !$times ? 'never' : @never && !$memory{$name}{$n} ? "branch @never" : next;
            printf "%s:%d: %-12s %s", $name, $n, $what, $text[$n];
        }
    }
    return;
}
