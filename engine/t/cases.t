#!/usr/bin/perl
# Carts with expected figures, in words a merchandiser can read: cases/*.json.
#
# A case says only what matters to it. Sections that its `book` does not give are
# those of shop.json, and a request is from London at noon UTC. A file is a list
# of cases, or {"books": {NAME: book}, "cases": [...]}; there `"book": NAME` is
# the shared one, and {"like": NAME, ...} the shared one but for what is said.
# Figures come from the design, never from an answer: where the engine does not
# come to them yet, `todo` says why, and says so no longer once it does.
use v5.30;
use warnings;
use FindBin qw($Bin);
use lib "$FindBin::Bin/../../t/lib";
use Cpanel::JSON::XS ();
use PosCarts qw(price_all calculator encode decode slurp whole_book differences broken_invariants fault_differences);
use Test::More;

my $calculator = calculator();
die "$calculator is not built" if !-x $calculator;

my $shop  = decode(slurp("$Bin/shop.json"));
my %visit = (currency => 'GBP', store => 'london', channel => 'web', at => '2026-06-01T12:00:00Z');
my (%seen, @held);

for my $file (sort glob "$Bin/cases/*.json") {
    my $page = decode(slurp($file));
    my ($books, $cases) = ref $page eq 'HASH' ? @$page{qw(books cases)} : ({}, $page);
    my (@order, %of);
    for my $case (@$cases) {
        die "$file: the id '$case->{id}' is taken" if $seen{ $case->{id} }++;
        my $book = encode(whole_book($shop, $case, $books));
        push @order, $book if !$of{$book};
        push @{ $of{$book} }, $case;
    }
    # One process a file, each cart twice; tests in the file's order.
    my @answers = price_all(map { { book => decode($_), requests => [map { both_ways($_) } @{ $of{$_} }] } } @order);
    my %answer;
    for my $i (0 .. $#order) {
        $answer{ $of{ $order[$i] }[$_]{id} } = [@{ $answers[$i] }[2 * $_, 2 * $_ + 1]] for 0 .. $#{ $of{ $order[$i] } };
    }
    check($_, @{ $answer{ $_->{id} } }, $file) for @$cases;
}
is("@held", '', 'what is to be done is not done yet');
done_testing();

# The cart as it is, and the other way round: last line first, explained or not.
sub both_ways {
    my ($case) = @_;
    my %request = (%visit, %{ $case->{request} });
    my $lines   = $request{lines};
    return (\%request, { %request, lines => ref $lines eq 'ARRAY' ? [reverse @$lines] : $lines,
        ref($request{explain} // \1) ? (explain => $request{explain} ? Cpanel::JSON::XS::false : Cpanel::JSON::XS::true) : () });
}

# Neither the order of lines nor asking why changes what is paid.
sub same_either_way {
    my ($quote, $other) = @_;
    return map { "$_: $quote->{$_}, but the other way round " . ($other->{$_} // 'nothing') }
        grep { $quote->{$_} != ($other->{$_} // -1) } qw(subtotal discount shipping_total fees tax total points);
}

sub check {
    my ($case, $out, $other, $file) = @_;
    my ($id, $expect) = @$case{qw(id expect)};
    die "$file: '$id' expects nothing" if !%{ $expect // {} };
    my @bad = !defined $out ? 'no answer'
        : $expect->{faults} ? fault_differences($expect->{faults}, $out)
        : !$out->{lines}    ? 'a problem: ' . encode($out)
        :                     (differences($expect, $out), broken_invariants($out), same_either_way($out, $other));
    if (my $why = $case->{todo}) {
        push @held, $id if !@bad;
        Test::More->builder->todo_start($why);
        ok(!@bad, "$id: $case->{shows}") or note(map { "  $_\n" } @bad);
        Test::More->builder->todo_end;
        return;
    }
    ok(!@bad, "$id: $case->{shows}") or diag(map { "  $_\n" } @bad);
    return;
}
