#!/usr/bin/perl
# What the house rules forbid, checked by reading the sources.

use strict;
use warnings;

use FindBin;
use Test::More;

chdir "$FindBin::Bin/.." or die;

# Money is never parsed by floating point; nothing blocks an nginx worker; no string
# function writes without a bound.
my @banned = (
    [qr/\b(?:strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atof|strtok|system|popen)\s*\(/, [qw(base engine replica posd ngx_pos_module)]],
    # (Lua's own numbers are doubles; at that door they become integers.)
    [qr/\b(?:strtod|double|float)\b/, ['engine'], qr{engine/script}],
    [qr/\b(?:sleep|usleep|getaddrinfo|PQexec|PQexecParams|PQexecPrepared|PQcancel|PQconnectdb|PQreset)\s*\(/, ['ngx_pos_module']],
    [qr/(?<![_\w])(?:malloc|calloc|realloc)\s*\(/, ['ngx_pos_module']],
);
for my $rule (@banned) {
    my ($pattern, $rooms, $except) = @$rule;
    $except //= qr/^$/;
    my @hits;
    for my $file (grep { !/$except/ } sources(@$rooms)) {
        my $text = code_only(slurp($file));
        my $line = 0;
        for (split /\n/, $text) { $line++; push @hits, "$file:$line: $_" if /$pattern/ }
    }
    is(join("\n", @hits), '', "@$rooms: nothing of $pattern");
}

# The arrows between the rooms.
my %may = (
    base           => qr{^base/},
    engine         => qr{^(?:base|engine)/},
    replica        => qr{^(?:base|engine|replica)/},
    posd           => qr{^(?:base|engine|replica|posd)/},
    ngx_pos_module => qr{^(?:base|engine|replica|ngx_pos_module)/},
);
for my $room (sort keys %may) {
    my @wrong;
    for my $file (sources($room)) {
        my @includes = slurp($file) =~ /^\s*#\s*include\s+"([^"]+\/[^"]+)"/mg;
        push @wrong, map { "$file includes $_" } grep { $_ !~ $may{$room} } @includes;
    }
    is(join("\n", @wrong), '', "$room includes only what lies below it");
}
my @glue = grep { slurp($_) =~ /include\s*[<"](?:ngx_|libpq|lmdb|curl)/ } sources('engine', 'base');
is("@glue", '', 'engine and base know no nginx, libpq, LMDB or curl');

my @long = grep { my $n = () = slurp($_) =~ /\n/g; $n > 750 } sources(qw(base engine engine/cli engine/t base/t replica posd posd/t replica/t ngx_pos_module));
is("@long", '', 'no C file is longer than 750 lines');

my @tracked = split /\n/, qx{git ls-files 2>/dev/null};
SKIP: {
    skip 'not a git checkout', 1 if !@tracked;
    my @todo = grep { -f && !/^t\/style\.t$/ && slurp($_) =~ /\b(?:TODO|FIXME)\b/ } @tracked;
    is("@todo", '', 'nothing is left for later in a comment');
}

for my $tool (['luacheck', glob 'scripts/promotions/*.lua']) {
    my ($program, @files) = @$tool;
    SKIP: {
        skip "$program finds no files", 1 if !@files;
        my $out = qx{luacheck --no-color --config .luacheckrc @files 2>&1};
        is($?, 0, 'scripts/promotions are luacheck clean') or diag($out);
    }
}

# Each token stands as .clang-format says. Where a line breaks, and what is put under what,
# is the writer's: a table in code is read as one.
SKIP: {
    skip 'clang-format is not here', 1 if !grep { -x "$_/clang-format" } split /:/, $ENV{PATH};
    my @differ;
    for my $room (qw(base engine replica posd ngx_pos_module)) {
        my @files = sources($room);
        my $is    = tokens(join '', map { slurp($_) } @files);
        my $asked = tokens(scalar qx{clang-format @files});
        next if $is eq $asked;
        my $at = 0;
        $at += 1000 while substr($is, $at, 1000) eq substr($asked, $at, 1000);
        $at++ while substr($is, $at, 1) eq substr($asked, $at, 1);
        push @differ, "$room: " . substr($is, $at > 60 ? $at - 60 : 0, 120) . "\nasked: " . substr($asked, $at > 60 ? $at - 60 : 0, 120);
    }
    is(join("\n", @differ), '', 'the code is set as .clang-format says');
}
my @ragged = grep { slurp($_) =~ /\t|[ \r]$|\n\n\n\n|[^\n]\z/m } sources(qw(base engine replica posd ngx_pos_module));
is("@ragged", '', 'no tab, no space at a line\'s end, no heap of empty lines');

# The catalogue has every code that an answer can carry.
my %documented = map { $_ => 1 } slurp('docs/errors.md') =~ /<a id="(\w+)">/g;
my %missing;
for my $file (sources(qw(base engine engine/cli posd ngx_pos_module)), glob 'sql/api/*.sql') {
    my $text = slurp($file);
    my @codes = $file =~ /sql$/
        ? ($text =~ /refuse\(\s*'POS\d\d',\s*'([a-z_]+)'/g, $text =~ /refuse_field\([^,]*,\s*'([a-z_]+)'/g, $text =~ /'code',\s*'([a-z_]+[a-z])'/g)
        : (codes_of($text), $text =~ /\bngx_pos_problem(?:_faults|_send)?\s*\([^;]*?,\s*"([a-z][a-z0-9_]{2,})"/g);
    $missing{$_} = $file for grep { !$documented{$_} && $_ ne 'schema_keyword' } @codes;
}
is(join(' ', map { "$_ ($missing{$_})" } sort keys %missing), '', 'docs/errors.md knows every code');

# And with the status that it carries, as do the contract's examples.
my %status = slurp('docs/errors.md') =~ /<a id="(\w+)"><\/a>`\w+` \| (\d{3}) \|/g;
my %number = (BAD_REQUEST => 400, UNAUTHORIZED => 401, FORBIDDEN => 403, NOT_FOUND => 404, NOT_ALLOWED => 405, CONFLICT => 409, LENGTH_REQUIRED => 411,
    REQUEST_ENTITY_TOO_LARGE => 413, UNSUPPORTED_MEDIA_TYPE => 415, INTERNAL_SERVER_ERROR => 500, SERVICE_UNAVAILABLE => 503, GATEWAY_TIME_OUT => 504, INSUFFICIENT_STORAGE => 507);
my (%carried, @other);
for my $file (sources('ngx_pos_module'), glob 'api/*.yaml') {
    my $text = slurp($file);
    my @pairs = $file =~ /yaml$/ ? $text =~ /"type": "\/docs\/errors#\w+".*?"status": (\d{3}).*?"code": "(\w+)"/g
        : ($text =~ /\bngx_pos_problem\w*\s*\(\s*ctx,\s*(?:NGX_HTTP_)?([A-Z_]+|\d+),\s*"(\w+)"/g, map({ (503, $_) } $text =~ /\bngx_pos_problem_unavailable\s*\(\s*ctx,\s*"(\w+)"/g),
            $text =~ /^    \{ "\w+", (\d{3}), "(\w+)"/mg);
    while (my ($status, $code) = splice @pairs, 0, 2) {
        $carried{$code}++;
        $status = $number{$status} // $status;
        push @other, "$code of $status ($file)" if ($status{$code} // 'none') ne $status;
    }
}
cmp_ok(scalar keys %carried, '>', 30, 'many codes are looked at');
is(join("\n", @other), '', 'each has the status that docs/errors.md says');

for my $script ('build.sh', '.ci/run') {
    is(system('bash', '-n', $script), 0, "$script parses");
}
for my $perl (grep { -f } glob('bench/*.pl scripts/sample/*.pl api/*.pl sql/*.pl t/*.pl')) {
    my $out = qx{perl -It/lib -Ibench -c $perl 2>&1};
    is($?, 0, "$perl compiles") or diag($out);
}

done_testing;

sub sources { return map { glob("$_/*.c $_/*.h $_/*.cc") } @_ }
sub slurp   { my ($path) = @_; open my $f, '<', $path or die "$path: $!"; local $/; return scalar(<$f>) // '' }

# What is passed to fault(…), bad(…) and refuse(…), whatever goes before: of the words those
# that stand before the first sentence. (pos_memory_refuse names a member first.)
sub codes_of {
    my ($text) = @_;
    my @codes;
    while ($text =~ /\b(\w*(?:fault|bad|refuse)(?:_at|_member)?)\s*\(([^;]*);/g) {
        my ($name, $arguments) = ($1, $2);
        $arguments =~ s/pos_str\("[^"]*"\)//g;
        my @words = $arguments =~ /"((?:[^"\\]|\\.)*)"/g;
        shift @words if $name =~ /refuse/;
        for (@words) {
            last if !/^[a-z][a-z0-9_]{2,}$/;
            push @codes, $_;
        }
    }
    return @codes;
}

# The text without its line breaks. (clang-format takes C for C++, so <, > and `class` may
# mislead it; what stands around these and around * is not compared.)
sub tokens {
    my ($text) = @_;
    $text =~ s/\\\n/\n/g;
    $text =~ s/\s+/ /g;
    $text =~ s/([(\[]) /$1/g;
    $text =~ s/ ([)\],;])/$1/g;
    $text =~ s/" "//g;
    $text =~ s/\) \[/)[/g;
    $text =~ s/ ?(\+\+|[*<>]) ?/$1/g;
    return $text;
}

# Comments and strings may say what code may not; lines keep their numbers.
sub code_only {
    my ($text) = @_;
    $text =~ s{(/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*")}{ my $m = $1; $m =~ tr/\n//cd; $m }gse;
    return $text;
}
