#!/usr/bin/perl
# The bundle is one sound document, and the bundler refuses what is not.
use strict;
use warnings;
use Cpanel::JSON::XS qw(decode_json);
use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use FindBin;
use Test::More;

my $api = abs_path("$FindBin::Bin/..");
my $dir = tempdir(CLEANUP => 1);

sub bundle { my $text = `perl $api/bundle.pl @_ 2>&1`; return ($? >> 8, $text) }

my ($rc, $text) = bundle("$api/*.yaml");
is($rc, 0, 'the contract bundles') or diag($text);
my $all = decode_json($text);
like($all->{openapi}, qr/^3\.1/, 'into OpenAPI 3.1');
is((bundle(reverse glob "$api/*.yaml"))[1], $text, 'the same bytes in any order of files');

my %functions = map { $_ => 1 } split /\n/, `perl $api/../sql/manifest.pl $api/../sql/api/*.sql`;
my @operations = map { values %$_ } values %{ $all->{paths} };
is_deeply([grep { !$functions{$_} } map { $_->{operationId} } grep { !$_->{'x-pos-native'} } @operations], [],
    'every operation has its function');
my %named = map { $_->{operationId} => 1 } @operations;
is_deeply([grep { !$named{$_} } sort keys %functions], [], 'every function has its operation');

# One change to a good document, and what the bundler says of it.
sub refused {
    my ($name, $from, $to, $says) = @_;
    my $wrong = 0;
    for my $path (glob "$api/*.yaml") {
        open my $in, '<:raw', $path or die "$path: $!";
        my $yaml = do { local $/; <$in> };
        $wrong += $yaml =~ s/$from/$to/ unless $wrong;
        my ($file) = $path =~ m{([^/]+)\z};
        open my $out, '>:raw', "$dir/$file" or die "$file: $!";
        print $out $yaml;
        close $out;
    }
    ok($wrong, "$name: changed");
    my ($status, $said) = bundle("$dir/*.yaml");
    is($status, 1, "$name: refused");
    like($said, $says, "$name: named");
}

refused('an id twice', qr/operationId: get_store\b/, 'operationId: list_stores', qr/'list_stores' is that of .* too/);
refused('no scope', qr/      x-pos-scope: "stores:read"\n/, '', qr/has no x-pos-scope/);
refused('a scope of no key', qr/x-pos-scope: "stores:read"/, 'x-pos-scope: "stores:reed"', qr/scope stores:reed, which the schema Scope does not name/);
refused('an undeclared problem', qr/        "401": [^\n]*\n/, '', qr/does not declare 401/);
refused('a reference to nothing', qr{schemas/Store" }, 'schemas/Shop" ', qr/refers to nothing: .*Shop/);
refused('an unknown extension', qr/x-pos-native: quote\n/, "x-pos-nativ: quote\n", qr/unknown key 'x-pos-nativ'/);
refused('an unknown part', qr/^components:/m, 'component:', qr/unknown part 'component'/);
refused('a parameter left out', qr/        - \$ref: "#\/components\/parameters\/PathSku"\n/, '', qr/does not declare the path's \{sku\}/);
is((bundle("$api/bundle.pl"))[0] != 0, 1, 'a file that is no contract is refused');

done_testing;
