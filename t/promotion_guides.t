#!/usr/bin/perl
# What docs/promotions-lua.md and docs/migrating-promotions.md show is what happens: each
# script of theirs passes its rehearsal, each promotion prices the carts beside it to the
# figures beside them, and the tables have every file and word that there is.

use v5.30;
use warnings;

use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";
use List::Util qw(uniq);
use PosCarts qw(encode decode slurp);
use PosCases qw(quotes differs loaded rehearsed effect_of);
use Test::More;

my $root = "$FindBin::Bin/..";
my $dir  = tempdir(CLEANUP => 1);
my %page = map { $_ => slurp("$root/docs/$_.md") } qw(promotions-lua migrating-promotions);

subtest 'docs/promotions-lua.md: its examples run' => sub {
    my @scripts = blocks($page{'promotions-lua'}, 'lua');
    cmp_ok(scalar @scripts, '>=', 6, 'there are examples');
    for my $i (0 .. $#scripts) {
        my @promotions = runs("reference-$i", $scripts[$i]);
        for my $promotion (@promotions) {
            cmp_ok(scalar @{ $promotion->{cases} }, '>=', 2, "$promotion->{id} has cases");
            both_ways($promotion->{id}, $promotion->{cases}, $i, $scripts[$i]);
        }
    }
    lints(\@scripts);
};

subtest 'docs/promotions-lua.md: its words are all that there are' => sub {
    my $said = $page{'promotions-lua'};
    my %words = (
        'a cart, its places'     => [source_words('script_cart.c', qr/\{ "(\w+)", (?:CART|AT|CUSTOMER|SHIP\w*)_\w+ \}/)],
        'a line'                 => [source_words('script_line.c', qr/\{ "(\w+)", LINE_\w+ \}/), 'is_in'],
        'a selection'            => [source_words('script_selection.c', qr/\{ "(\w+)", selection_\w+ \}/)],
        'proposals'              => [source_words('script_proposals.c', qr/\{ "(\w+)", (?:cart|selection)_\w+ \}/)],
        'functions'              => [source_words('script_env.c', qr/\{ "(\w+)", env_\w+ \}/)],
        'functions of texts'     => [map { /"(\w+)"/g } source_words('script_string.c', qr/counted\[\] = \{([^}]*)\}/), source_words('script_string.c', qr/\{ "(\w+)", \w+ \}/)],
        'functions of tables'    => [source_words('script_table.c', qr/\{ "(\w+)", \w+ \}/)],
        'the types of a setting' => [grep { $_ ne 'string' } source_words('script_settings.c', qr/strcmp\(s->type, "(\w+)"\)/)],
    );
    for my $of (sort keys %words) {
        my @words = uniq @{ $words{$of} };
        cmp_ok(scalar @words, '>=', 3, "$of: the engine's words are found");
        my @missing = grep { $said !~ /`[^`]*\b\Q$_\E\b[^`]*`/ } @words;
        is("@missing", '', "$of: @words");
    }
    my $out = qx{perl $root/docs/library.pl --check 2>&1};
    is("$?$out", '0', 'the library is listed as it is; docs/library.pl writes it anew');
    my @listed = $said =~ m{^\| \[[\w-]+\]\(\.\./scripts/promotions/([\w-]+\.lua)\) \|}mg;
    is_deeply(\@listed, [map { m{([^/]+)$} } sort glob "$root/scripts/promotions/*.lua"], 'file by file');
};

subtest 'docs/migrating-promotions.md: both sides of each rule' => sub {
    my @sections = grep { /^### / } split /^(?=###? )/m, $page{'migrating-promotions'};
    cmp_ok(scalar @sections, '>=', 12, 'twelve rules at least');
    my (@scripts, %language);
    for my $i (0 .. $#sections) {
        my ($title) = $sections[$i] =~ /^### (.*)/;
        like($sections[$i], qr/^```ruby\n|^\| (?:apply|effect|campaign 1) /m, "$title: as it was");
        like($sections[$i], qr/^- /m, "$title: with its traps");
        my @promotions = map { decode($_) } blocks($sections[$i], 'json promotion');
        my @cases      = map { decode($_) } map { split /\n/ } blocks($sections[$i], 'json cases');
        my @lua        = blocks($sections[$i], 'lua');
        push @scripts, @lua;
        $language{ @lua ? 'lua' : 'json' }++;
        is(!!@promotions + @lua, 1, "$title: once in our words");
        if (@lua) {
            my ($promotion) = runs("migrating-$i", $lua[0]);
            both_ways($promotion->{id}, $promotion->{cases}, "m$i", $lua[0]) if $promotion;
            next;
        }
        cmp_ok(scalar @cases, '>=', 1, "$title: with carts");
        my @with = quotes(map { [$_->{cart}, @promotions] } @cases);
        for my $n (0 .. $#cases) {
            ok(%{ $cases[$n]{expect} }, "$title: $cases[$n]{name}: figures");
            my @wrong = differs($promotions[0]{id}, $cases[$n]{expect}, $with[$n]);
            is(join("\n", @wrong), '', "$title: $cases[$n]{name}") or diag(encode($with[$n]));
        }
        my @without = quotes(map { [$_->{cart}] } @cases);
        ok((grep { encode([$with[$_]{messages}, effect_of($with[$_])]) ne encode([$without[$_]{messages}, effect_of($without[$_])]) } 0 .. $#cases),
            "$title: which gives something");
    }
    cmp_ok($language{lua}, '>=', 3, 'some need Lua');
    cmp_ok($language{json}, '>=', 8, 'most do not');
    lints(\@scripts);
};

subtest 'links' => sub {
    for my $name (sort keys %page) {
        for my $link (uniq grep { !/^https?:/ } $page{$name} =~ /\]\(([^)\s]+)\)/g) {
            my ($file, $anchor) = $link =~ /^([^#]*)#?(.*)$/;
            my $path = "$root/docs/" . ($file || "$name.md");
            ok(-e $path, "$name: $link is there") or next;
            next if $anchor eq '';
            my @anchors = map { lc =~ s/[^\w -]//gr =~ tr/ /-/r } slurp($path) =~ /^#+ ([^\n]*)$/mg;
            ok((grep { $_ eq $anchor } @anchors), "$name: $link is a heading");
        }
        like(slurp("$root/README.md"), qr/\(docs\/\Q$name\E\.md\)/, "README.md leads to $name");
    }
};

done_testing();

# The contents of the page's blocks of that kind.
sub blocks {
    my ($text, $kind) = @_;
    return $text =~ /^```\Q$kind\E\n(.*?)^```$/gms;
}

# The promotions of a script that a rehearsal finds nothing wrong with.
sub runs {
    my ($name, $script) = @_;
    my $file = "$dir/$name.lua";
    open my $f, '>:raw', $file or die "$file: $!";
    print $f $script;
    close $f or die "$file: $!";
    is(rehearsed($file), '', "$name: a rehearsal finds nothing");
    like($script, qr/\A-- [A-Z0-9].*[.:]\n/, "$name: what it does stands above it");
    my @promotions = loaded($file);
    ok(@promotions, "$name loads") or diag($script);
    return @promotions;
}

# The script's cases once more, priced by poscalc: one of them gives something, one does not.
sub both_ways {
    my ($id, $cases, $name, $script) = @_;
    utf8::decode($script);
    my @with    = quotes(map { [$_->{cart}, { id => $id, script => $script, $_->{settings} ? (settings => $_->{settings}) : () }] } @$cases);
    my @without = quotes(map { [$_->{cart}] } @$cases);
    my %gives;
    for my $i (0 .. $#$cases) {
        my @wrong = differs($id, $cases->[$i]{expect}, $with[$i]);
        is(join("\n", @wrong), '', "$id: " . ($cases->[$i]{name} // $i)) or diag(encode($with[$i]));
        $gives{ effect_of($with[$i]) ne effect_of($without[$i]) ? 'yes' : 'no' }++;
    }
    ok($gives{yes} && $gives{no}, "$id: a cart that it is for, and one that it is not for");
    return;
}

sub lints {
    my ($scripts) = @_;
    SKIP: {
        skip 'luacheck is not here', 1 if !grep { -x "$_/luacheck" } split /:/, $ENV{PATH};
        my @files = glob "$dir/*.lua";
        my $said = qx{luacheck -q --no-color --config '$root/.luacheckrc' @files 2>&1};
        is($? >> 8, 0, scalar(@$scripts) . ' scripts, in which luacheck finds nothing') or diag($said);
    }
    return;
}

# The words that a file of the engine has at such places.
sub source_words {
    my ($file, $pattern) = @_;
    return slurp("$root/engine/$file") =~ /$pattern/g;
}
