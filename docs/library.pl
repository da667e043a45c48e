#!/usr/bin/perl
# The table of scripts/promotions in docs/promotions-lua.md: a row a file, its rule as its
# first line says it and its settings with their defaults. After a change of the library:
#
#   docs/library.pl            writes the page anew
#   docs/library.pl --check    writes nothing; exit 1 where the page is not as it would be
use v5.30;
use warnings;
use FindBin qw($Bin);
use lib "$Bin/../t/lib";
use PosCarts qw(slurp encode);
use PosCases qw(loaded);

my $page = "$Bin/promotions-lua.md";
my ($from, $until) = ("<!-- library -->\n", "<!-- end -->\n");

sub main {
    my (@options) = @_;
    die "usage: library.pl [--check]\n" if @options && "@options" ne '--check';
    my $text = slurp($page);
    my $table = table();
    my $drawn = $text =~ s/\Q$from\E.*?\Q$until\E/$from$table$until/sr;
    die "$page has no place for the table\n" if index($drawn, $from) < 0;
    return 0 if $drawn eq $text;
    if (@options) {
        print "docs/promotions-lua.md is not as docs/library.pl writes it\n";
        return 1;
    }
    open my $f, '>:raw', $page or die "$page: $!\n";
    print $f $drawn;
    close $f or die "$page: $!\n";
    return 0;
}

sub table {
    my @rows = map { row($_) } sort glob "$Bin/../scripts/promotions/*.lua";
    return join '', map { "$_\n" } '| file | rule | settings |', '| --- | --- | --- |', @rows;
}

sub row {
    my ($file) = @_;
    my ($name) = $file =~ m{([^/]+)\.lua$};
    my ($rule) = slurp($file) =~ /\A-- ([^\n]+)\n/ or die "$file does not say what it does\n";
    my ($promotion, @more) = loaded($file);
    die "$file is not one promotion\n" if !$promotion || @more;
    my $settings = $promotion->{settings};
    my $list = join ', ', map { "`$_` " . shown($settings->{$_}) } sort keys %$settings;
    return "| [$name](../scripts/promotions/$name.lua) | $rule | $list |";
}

# A default as the table shows it: money with its minor units, lists and filters by their words.
sub shown {
    my ($setting) = @_;
    my ($type, $value) = @$setting{qw(type default)};
    return "$value %" if $type eq 'percent';
    return sprintf '%.2f', $value / 100 if $type eq 'amount';
    return join ' ', @$value if $type eq 'list';
    return '`' . encode($value) . '`' if $type eq 'filter';
    return $value;
}

exit main(@ARGV);
