#!/usr/bin/perl
# Merges the contract's files into one OpenAPI 3.1 document, JSON with its keys
# sorted, on stdout.
#   perl api/bundle.pl api/*.yaml > build/openapi.json
# Fails, naming each place, on a part defined twice, a reference to nothing, an
# operation without id, summary, description, scope or example, an operation id
# used twice, a scope that no key can have, and a problem that an operation can
# answer but does not declare.
use strict;
use warnings;
use Cpanel::JSON::XS ();
use YAML::PP;

my @methods = qw(get put post delete patch);
my %top     = map { $_ => 1 } qw(openapi info servers security tags paths components);
my %all;
my @faults;

for my $path (@ARGV) {
    die "$path: a contract's file is called *.yaml\n" unless $path =~ /\.yaml\z/;
    my $part = YAML::PP->new(boolean => 'JSON::PP', schema => [qw(Core Merge)], duplicate_keys => 0)->load_file($path);
    for my $key (sort keys %$part) {
        fault($path, "has an unknown part '$key'") unless $top{$key};
    }
    merge(\%all, $part, $path);
}

# Objects are merged member by member; anything else may be said once.
sub merge {
    my ($into, $from, $where) = @_;
    for my $key (sort keys %$from) {
        if (!exists $into->{$key}) {
            $into->{$key} = $from->{$key};
        } elsif (ref $into->{$key} eq 'HASH' && ref $from->{$key} eq 'HASH' && depth($where) < 3) {
            merge($into->{$key}, $from->{$key}, "$where > $key");
        } else {
            fault("$where > $key", 'is defined twice');
        }
    }
}

sub depth { return scalar(() = $_[0] =~ / > /g) }
sub fault { push @faults, "$_[0]: $_[1]" }

# What an operation can answer by what it is.
sub problems {
    my ($op, $path) = @_;
    my @params = map { resolve($_) } @{ $op->{parameters} // [] };
    my %must = (500 => 1);
    @must{ 401, 403 } = (1, 1) unless ($op->{'x-pos-scope'} // '') eq 'public';
    $must{503} = 1 unless $op->{'x-pos-native'};
    @must{ 400, 413, 415, 422 } = (1) x 4 if $op->{requestBody};
    $must{422} = 1 if @params;
    $must{404} = 1 if $path =~ /\{/;
    $must{412} = 1 if grep { $_->{name} eq 'If-Match' } @params;
    @must{ 409, 422 } = (1, 1) if $op->{'x-pos-idempotent'};
    return sort keys %must;
}

sub resolve {
    my ($node) = @_;
    return $node unless ref $node eq 'HASH' && defined $node->{'$ref'};
    my $at = \%all;
    my $ref = $node->{'$ref'};
    for my $step (split m{/}, $ref =~ s{^#/}{}r) {
        $at = ref $at eq 'HASH' ? $at->{$step} : undef;
    }
    return $at;
}

sub check_media {
    my ($where, $content) = @_;
    for my $type (sort keys %{ $content // {} }) {
        fault($where, "$type has no schema")  unless exists $content->{$type}{schema};
        fault($where, "$type has no example") unless exists $content->{$type}{example};
    }
}

# A key can be given no scope but these.
my %scopes = map { $_ => 1 } @{ $all{components}{schemas}{Scope}{enum} // [] };
sub check_operation {
    my ($where, $path, $op, $ids) = @_;
    for my $field (qw(operationId summary description x-pos-scope responses tags)) {
        fault($where, "has no $field") unless $op->{$field};
    }
    my $scope = $op->{'x-pos-scope'} // 'public';
    fault($where, "wants the scope $scope, which the schema Scope does not name") unless $scope eq 'public' || $scopes{$scope};
    my $id = $op->{operationId} // '';
    fault($where, "operationId '$id' is not snake_case") unless $id =~ /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
    fault($where, "operationId '$id' is that of $ids->{$id} too") if $ids->{$id};
    $ids->{$id} = $where;
    my %named = map { $_->{name} => 1 } grep { $_->{in} eq 'path' } map { resolve($_) // { in => '' } } @{ $op->{parameters} // [] };
    for my $name ($path =~ /\{(\w+)\}/g) {
        fault($where, "does not declare the path's {$name}") unless delete $named{$name};
    }
    fault($where, "declares {$_}, which is not in its path") for sort keys %named;
    for my $status (problems($op, $path)) {
        fault($where, "does not declare $status") unless $op->{responses}{$status};
    }
    fault($where, 'declares no success') unless grep { /^[23]/ } keys %{ $op->{responses} };
    check_media($where, $op->{requestBody}{content}) if $op->{requestBody};
    for my $status (sort keys %{ $op->{responses} }) {
        my $answer = resolve($op->{responses}{$status}) or next;
        fault($where, "$status has no description") unless $answer->{description};
        check_media("$where $status", $answer->{content});
    }
}

# Every reference leads somewhere; x- keys of ours are known.
my %ours = map { $_ => 1 } qw(x-pos-scope x-pos-native x-pos-prepare x-pos-idempotent x-pos-cost x-pos-max-body x-pos-max-bytes x-pos-message);
sub check_node {
    my ($where, $node) = @_;
    if (ref $node eq 'ARRAY') {
        check_node("$where/$_", $node->[$_]) for 0 .. $#$node;
    } elsif (ref $node eq 'HASH') {
        for my $key (sort keys %$node) {
            next if $key eq 'example';
            fault($where, "has an unknown key '$key'") if $key =~ /^x-/ && !$ours{$key};
            fault($where, "refers to nothing: $node->{$key}")
                if $key eq '$ref' && !ref $node->{$key} && !defined resolve($node);
            check_node("$where/$key", $node->{$key});
        }
    }
}

my %ids;
for my $path (sort keys %{ $all{paths} // {} }) {
    for my $method (sort keys %{ $all{paths}{$path} }) {
        my $where = uc($method) . " $path";
        if (!grep { $_ eq $method } @methods) {
            fault($where, 'is no method of ours');
            next;
        }
        check_operation($where, $path, $all{paths}{$path}{$method}, \%ids);
    }
}
fault('contract', 'is not OpenAPI 3.1') unless ($all{openapi} // '') =~ /^3\.1\./;
check_node('#', \%all);

if (@faults) {
    print STDERR "$_\n" for @faults;
    exit 1;
}
print Cpanel::JSON::XS->new->utf8->canonical->indent->space_after->convert_blessed->allow_blessed->encode(\%all);
