#!/usr/bin/perl
# Carts are read by code of their own, not by the contract's validator: so what the contract
# says of a cart is tried field by field, and what breaks it is refused at its place.

use strict;
use warnings;

use Cpanel::JSON::XS ();
use FindBin;
use lib "$FindBin::Bin/lib";
use PosTest;
use Test::More;
use Time::HiRes qw(time);

my $pos      = PosTest->start(workers => 1);
my $contract = $pos->get('/v1/openapi.json', key => undef)->{json};
my ($true, $false) = (Cpanel::JSON::XS::true, Cpanel::JSON::XS::false);
my $whole    = {
    currency => 'GBP', store => 'london', channel => 'web', at => '2026-03-02T12:00:00Z', session => 's',
    customer => { id => 'c', groups => ['staff'], orders => 1, birthday => '1990-01-01', tax_exempt => $false },
    coupons => ['X'], tenders => ['card'], fulfilment => 'ship', ship_to => { country => 'GB', region => 'r' }, attributes => { a => 'b' },
    lines => [{ id => '1', sku => 'MUG-RED', quantity => 1, attributes => { x => 'y' }, tax_category => 'standard',
            price_override => { amount => 5, reason => 'r' }, discount => { percent => 5, reason => 'r' } }],
    shipping => { method => 'standard', amount => 5 }, compare => { total => 5 }, explain => $false,
};
my %sample = (object => {}, array => [], string => 'x', number => 7.5, boolean => $true, null => undef);
is($pos->quote($whole)->{status}, 200, 'a cart with every field is priced');

sub resolved {
    my ($schema) = @_;
    while (my $ref = $schema->{'$ref'}) {
        $schema = $contract;
        $schema = $schema->{$_} for grep { length && $_ ne '#' } split m{/}, $ref;
    }
    my @any = @{ $schema->{anyOf} || [] } or return $schema;
    my ($real) = grep { ($_->{type} // '') ne 'null' } @any;
    my %one = %{ resolved($real) };
    $one{type} = [$one{type}, 'null'] if @any > 1;
    return \%one;
}

# [path, what, value]: each breaks one rule of the schema.
sub breaks {
    my ($schema, $value, @path) = @_;
    $schema = resolved($schema);
    my %types = map { $_ => 1 } ref $schema->{type} ? @{ $schema->{type} } : ($schema->{type});
    $types{number} = 1 if $types{integer} && !@path;
    my @found = map { [\@path, "type $_", $sample{$_}] } grep { !$types{$_} } sort keys %sample;
    return (@found, breaks_object($schema, $value, @path)) if ref $value eq 'HASH';
    return (@found, breaks_array($schema, $value, @path)) if ref $value eq 'ARRAY';
    my $try = sub { my ($keyword, $with) = @_; push @found, [\@path, $keyword, $with] if defined $schema->{$keyword} };
    if ($types{string}) {
        $try->('minLength', '');
        $try->('maxLength', 'A' x (($schema->{maxLength} // 0) + 1));
        $try->(format  => 'nope');
        $try->(pattern => "a\x01b");
    } elsif (!$types{boolean}) {
        $try->('minimum', ($schema->{minimum} // 0) - 1);
        $try->('exclusiveMinimum', 0 + ($schema->{exclusiveMinimum} // 0));
        $try->('maximum', ($schema->{maximum} // 0) + 1);
        $try->('multipleOf', 0.00001);
    }
    return @found;
}

sub breaks_object {
    my ($schema, $value, @path) = @_;
    my @found;
    push @found, [\@path, 'unknown field', { %$value, zzz => 1 }] if !defined $schema->{additionalProperties};
    for my $name (@{ $schema->{required} || [] }) {
        my %rest = %$value;
        delete $rest{$name};
        push @found, [\@path, "required $name", \%rest];
    }
    push @found, [\@path, 'maxProperties', { map { ("k$_" => 'x') } 0 .. $schema->{maxProperties} }] if $schema->{maxProperties};
    push @found, [\@path, 'propertyNames', { $_ => 'x' }] for $schema->{propertyNames} ? ('', 'k' x ($schema->{propertyNames}{maxLength} + 1)) : ();
    for my $name (sort keys %$value) {
        push @found, breaks($schema->{properties}{$name} || $schema->{additionalProperties}, $value->{$name}, @path, $name);
    }
    return @found;
}

sub breaks_array {
    my ($schema, $value, @path) = @_;
    my @found;
    push @found, [\@path, 'maxItems', [map { "k$_" } 0 .. $schema->{maxItems}]] if $schema->{maxItems};
    push @found, [\@path, 'minItems', []] if $schema->{minItems};
    return (@found, breaks($schema->{items}, $value->[0], @path, 0));
}

sub changed {
    my ($path, $value) = @_;
    return $value if !@$path;
    my $cart = PosTest::parse(PosTest::json($whole));
    my $at = $cart;
    $at = ref $at eq 'HASH' ? $at->{$_} : $at->[$_] for @$path[0 .. $#$path - 1];
    if (ref $at eq 'HASH') { $at->{ $path->[-1] } = $value } else { $at->[$path->[-1]] = $value }
    return $cart;
}

my @breaks = breaks({ '$ref' => '#/components/schemas/QuoteRequest' }, $whole);
cmp_ok(@breaks, '>', 250, 'the contract says many things of a cart');
for my $case (@breaks) {
    my ($path, $what, $value) = @$case;
    my $pointer = join '', map { "/$_" } @$path;
    my $r = $pos->request('POST', '/v1/quotes', body => PosTest::json(changed($path, $value)));
    my @named = map { $_->{pointer} } @{ ($r->{json} || {})->{errors} || [] };
    ok($r->{status} == 422 && (grep { $_ eq $pointer || index($_, "$pointer/") == 0 } @named), "$pointer: $what")
        or diag("$r->{status}, named: @named; " . substr $r->{body}, 0, 300);
}

# What is sorted as it is read must stay short: a worker stood still for 18 seconds here.
subtest 'long lists' => sub {
    my %long = (
        tenders    => [map { "t$_" } 1 .. 50_000],
        coupons    => [map { "c$_" } 1 .. 50_000],
        attributes => { map { ("a$_" => 1) } 1 .. 50_000 },
    );
    for my $name (sort keys %long) {
        my $r = $pos->quote({ %{ changed([$name], $long{$name}) } }, timeout => 20);
        PosTest::is_problem($r, 422, undef, $name);
        is_deeply([map { "$_->{pointer} $_->{code}" } @{ $r->{json}{errors} }], ["/$name " . (ref $long{$name} eq 'HASH' ? 'max_properties' : 'max_items')], 'is refused as a whole');
    }
};

# What it allows is taken.
my %free = (lines => [], currency => undef, store => 'new-york', attributes => undef, coupons => undef, tenders => undef, explain => undef, customer => undef,
    ship_to => {}, session => "\x{e9}" x 200);
for my $name (sort keys %free) {
    my $cart = changed([$name], $free{$name});
    $cart->{currency} = 'USD' if $name eq 'store';
    my $r = $pos->quote($cart);
    is($r->{status}, 200, "$name as the contract allows it") or diag($r->{body});
}
my $long = changed(['lines', 0, 'discount', 'reason'], "\x{e9}" x 4000);
is($pos->quote($long)->{status}, 200, 'a long reason too');

done_testing;
