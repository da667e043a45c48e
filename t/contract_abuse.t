#!/usr/bin/perl
# Every operation of the contract is asked wrongly, in every way that its schemas rule out:
# each answer is a problem that names the place, and nothing is changed by any.
# POS_ABUSE=all tries more of each (build.sh soak does).

use strict;
use warnings;

use Encode ();
use FindBin;
use lib "$FindBin::Bin/lib";
use PosAbuse;
use PosTest;
use Socket qw(SOL_SOCKET SO_LINGER);
use List::Util qw(uniq);
use Test::More;
use Time::HiRes qw(time sleep);

my $thorough = ($ENV{POS_ABUSE} // '') eq 'all';
my $true = Cpanel::JSON::XS::true();
my $pos  = PosTest->start(sample => 0, workers => 1, check_responses => 'on', env => { POS_NGINX_LOG => 'warn' });
my $made = PosTest::parse($pos->sql(q(select pos.create_retailer('{"code": "acme", "currency": "GBP", "timezone": "Europe/London"}'))));
my $rival = PosTest::parse($pos->sql(q(select pos.create_retailer('{"code": "rival", "currency": "GBP", "timezone": "Europe/London"}'))));
my $admin = $made->{sandbox}{admin};
my %twin  = (live => $made->{live}{admin}, rival => $rival->{sandbox}{admin});
$pos->wait_for('the keys to work', 10, sub { !grep { $pos->get('/v1/retailer', key => $_)->{status} != 200 } $admin, values %twin });

my $contract = $pos->get('/v1/openapi.json')->{json};
my $abuse    = PosAbuse->new($contract, thorough => $thorough);
my @ops      = $abuse->operations;
my %documented = map { $_ => 1 } PosTest::slurp("$PosTest::ROOT/docs/errors.md") =~ /<a id="(\w+)">/g;
my $known = make_shop();
my ($worker) = $pos->workers;
my $socket;
my $sent = 0;
my %slow;

# --- the shop ---------------------------------------------------------------------------

# Something of every kind, in its own states; what stands for each {name} in a path.
sub make_shop {
    my %as = (key => $admin);
    my $must = sub {
        my ($want, $r) = @_;
        BAIL_OUT("the shop cannot be made: $r->{status} $r->{body}") if $r->{status} != $want;
        return $r->{json};
    };
    my $job = $pos->import_book({
        stores => [{ code => 'london', tax_region => 'GB', timezone => 'Europe/London' }], categories => [{ code => 'clothing' }, { code => 'shoes', parent => 'clothing' }],
        products => [{ sku => 'S1', name => 'Boot', categories => ['shoes'], tax_category => 'standard', cost => 2100 }],
        price_lists => [{ code => 'base', currency => 'GBP', tax_included => $true }], prices => [{ sku => 'S1', list => 'base', amount => 4999 }],
        taxes => [{ region => 'GB', category => 'standard', code => 'vat', percent => 20 }],
        orders => [{ id => 'A-1', at => '2026-10-01T08:26:00Z', store => 'london', lines => [{ sku => 'S1', quantity => 2, unit_price => 4999 }] }],
    }, %as);
    BAIL_OUT("no book: $job->{body}") if ($job->{json}{status} // '') ne 'succeeded';
    my %promotion = (
        'second-half' => { class => 'line', then => [{ percent_off => 10, items => { sku => ['S1'] } }] },
        'ten-off'     => { class => 'order', coupon => $true, then => [{ percent_off => 10 }], limits => [{ max => 1000, of => 'amount', window => 'day' }] },
        'free-from-30' => { class => 'order', experiment => { code => 'exp-1', arm => 'a' }, then => [{ amount_off => 100 }] },
        'free-from-40' => { class => 'order', experiment => { code => 'exp-1', arm => 'b' }, then => [{ amount_off => 200 }] },
        'draft'       => { class => 'line', then => [{ percent_off => 1 }] },
    );
    $must->(201, $pos->put("/v1/experiments/$_", { arms => [{ code => 'a' }, { code => 'b' }] }, %as)) for 'exp-1', 'exp-2';
    $must->(200, $pos->post('/v1/experiments/exp-2/stop', {}, %as));
    for my $id (sort keys %promotion) {
        $must->(201, $pos->put("/v1/promotions/$id", { id => $id, name => $id, %{ $promotion{$id} } }, %as));
        $must->(200, $pos->put("/v1/promotions/$id", { id => $id, name => "$id again", %{ $promotion{$id} } }, %as)) if $id eq 'second-half';
    }
    $must->(201, $pos->put('/v1/coupons/SAVE10', { promotions => ['ten-off'], remaining => 500 }, %as));
    $must->(200, $pos->publish($_, {}, %as)) for grep { $_ ne 'draft' } sort keys %promotion;
    my $batch = $must->(202, $pos->post('/v1/coupon-batches', { count => 10, pattern => 'SUMMER-####-####', promotions => ['ten-off'] }, %as));
    $pos->wait_job("/v1/jobs/$batch->{id}", 30, %as);
    $must->(201, $pos->post('/v1/coupon-reservations', { id => 'cart-8f2c', coupons => ['SAVE10'], expires_in => 3600 }, %as));
    my $backtest = $must->(202, $pos->post('/v1/promotions/second-half/backtests', { from => '2026-10-01', to => '2026-10-31' }, %as));
    $pos->wait_job("/v1/jobs/$backtest->{id}", 30, %as);
    my $key = $must->(201, $pos->post('/v1/keys', { name => 'spare', scopes => ['prices:read'] }, %as));
    return {
        stores => { code => 'london' }, categories => { code => 'shoes' }, 'price-lists' => { code => 'base' }, products => { sku => 'S1' }, taxes => { region => 'GB' },
        coupons => { code => 'SAVE10' }, 'coupon-batches' => { id => $batch->{batch} }, 'coupon-reservations' => { id => 'cart-8f2c' },
        experiments => { code => 'exp-1' }, keys => { id => $key->{id} }, jobs => { id => $backtest->{id} },
        promotions => { id => 'second-half', version => 1, backtest => $backtest->{backtest} },
    };
}

# --- asking ------------------------------------------------------------------------------

# The operation's path with what there is in the shop, or what is given instead.
sub path_of {
    my ($op, %instead) = @_;
    my ($kind) = $op->{path} =~ m{^/v1/([\w-]+)};
    my $path = $op->{path} =~ s/\{(\w+)\}/$instead{$1} \/\/ $known->{$kind}{$1}/ger;
    my ($required) = map { join '&', map { "$_->{name}=" . { sku => 'S1', list => 'base' }->{ $_->{name} } } grep { $_->{in} eq 'query' && $_->{required} } @$_ } $op->{parameters};
    my $query = defined $instead{query} ? $instead{query} : '';
    $query = join '&', grep { length } $query, (grep { my ($n) = /^(\w+)/; $query !~ /(?:^|&)\Q$n\E=/ } split /&/, $required // '') if !$instead{no_required};
    return $query eq '' ? $path : "$path?$query";
}

# An example of the body, as it stands in the contract, and its type.
sub example_of {
    my ($op) = @_;
    return if !$op->{media};
    my ($type) = sort { ($b =~ m{/json$}) <=> ($a =~ m{/json$}) || $a cmp $b } keys %{ $op->{media} };
    return ($type, $op->{media}{$type}{example});
}

sub ask {
    my ($op, %o) = @_;
    my $path = $o{path} // path_of($op);
    my $method = $o{method} // $op->{method};
    my ($type, $example) = $o{bare} ? () : example_of($op);
    my $body = exists $o{body} ? $o{body} : defined $example ? (ref $example ? PosTest::json($example) : $example) : undef;
    my %headers = (($type && defined $body ? ('Content-Type' => $type) : ()), %{ $o{headers} // {} });
    return raw($pos->request_text($method, $path, socket => 1, key => exists $o{key} ? $o{key} : $admin,
        (defined $body ? (body => $body) : ()), headers => \%headers), $method);
}

# Over one connection for as long as it lasts.
sub raw {
    my ($text, $method) = @_;
    my $began = time;
    my $r;
    for my $try (1, 2) {
        my $fresh = !$socket;
        $socket //= $pos->connect;
        PosTest::send_all($socket, $text, 20);
        $r = PosTest::read_answer($socket, $method, 20);
        undef $socket if !$r->{status} || ($r->{headers}{connection} // '') eq 'close';
        last if $r->{status} || $fresh;
    }
    $sent++;
    $r->{took} = time - $began;
    return $r;
}

# What is wrong with an answer that has to be a refusal; '' where nothing is.
sub amiss {
    my ($op, $r, %want) = @_;
    return 'no answer' if !$r->{status};
    $r = as_refusal($r) if $op->{id} eq 'validate_promotion' && $r->{status} == 200;
    my $said = "$r->{status} " . substr($r->{body} // '', 0, 600);
    return "status $said" if $want{status} ? !grep { $_ == $r->{status} } ref $want{status} ? @{ $want{status} } : $want{status} : $r->{status} < 400 || $r->{status} >= 500;
    return "no problem: $said" if ($r->{headers}{'content-type'} // '') !~ m{^application/problem\+json} || ref $r->{json} ne 'HASH';
    my $j = $r->{json};
    return "not one problem: $said" if ($j->{status} // 0) != $r->{status} || !length($j->{title} // '') || !length($j->{request_id} // '');
    return "code '$j->{code}' is not in docs/errors.md" if !$documented{ $j->{code} // '' };
    return "not a link to it: $said" if ($j->{type} // '') ne "/docs/errors#$j->{code}";
    return "$r->{status} is not declared" if !$op->{statuses}{ $r->{status} } && !$want{undeclared};
    return "code: $said" if $want{code} && $j->{code} !~ /^(?:$want{code})$/;
    return "it shows what it should not: $said" if $r->{body} =~ m{/[a-z]+/[a-z_]+\.(?:c|sql|lua)\b|select |\bpos\.|api\.|PL/pgSQL|0x[0-9a-f]{6}};
    return "answered after $r->{took} s" if $r->{took} > 15;
    my @errors = @{ $j->{errors} // [] };
    for my $e (@errors) {
        return "a fault without a pointer, code or message: $said" if !defined $e->{pointer} || !length($e->{code} // '') || !length($e->{message} // '');
        return "code '$e->{code}' is not in docs/errors.md" if !$documented{ $e->{code} };
    }
    return '' if !defined $want{pointer};
    my $p = $want{pointer};
    return (grep { $_->{pointer} eq $p || ($want{below} && index($_->{pointer}, "$p/") == 0) } @errors) ? '' : "names not '$p': $said";
}

# What is asked whether something is right says so, and is no refusal.
sub as_refusal {
    my ($r) = @_;
    my @found = @{ $r->{json}{diagnostics} // [] };
    return $r if !@found || $r->{json}{valid};
    return { %$r, status => 422, headers => { 'content-type' => 'application/problem+json' },
        json => { status => 422, title => 'not valid', request_id => 'none', code => 'invalid_promotion', type => '/docs/errors#invalid_promotion', errors => \@found } };
}

# One test for many tries: the first that are amiss are told.
sub all_refused {
    my ($name, @faults) = @_;
    my $show = $thorough ? 200 : 8;
    ok(!@faults, $name) or diag(join "\n", map { substr $_, 0, 700 } @faults[0 .. ($#faults < $show ? $#faults : $show - 1)], @faults > $show ? @faults . ' in all' : ());
    return;
}

# --- what is stored ---------------------------------------------------------------------------

$pos->sql(q{
create function public.fingerprint() returns jsonb language plpgsql as $$
declare t text; h text; found jsonb := '{}';
begin
  for t in select tablename from pg_tables where schemaname = 'pos' and tablename not in ('promotion_stat', 'migration') order by 1 loop
    execute format('select coalesce(md5(string_agg(x::text, chr(10) order by x::text)), %L) from pos.%I x', '', t) into h;
    found := found || jsonb_build_object(t, h);
  end loop;
  return found;
end $$});
my $before = fingerprint();

sub fingerprint { return PosTest::parse($pos->sql('select public.fingerprint()')) }

sub changed {
    my $now = fingerprint();
    my @changed = grep { ($now->{$_} // '') ne ($before->{$_} // '') } sort keys %$now;
    $before = $now;
    return @changed;
}

sub unchanged {
    my ($name) = @_;
    my @changed = changed();
    is("@changed", '', "$name: nothing stored is changed");
    return;
}

# --- bodies -------------------------------------------------------------------------------------

subtest 'bodies that break the schema' => sub {
    for my $op (grep { $_->{media} && $_->{id} !~ /^(?:create_import|create_quote_batch)$/ } @ops) {
        my ($type, $example) = example_of($op);
        my @faults;
        my $count = 0;
        for my $wrong ($abuse->wrong_bodies($op->{media}{$type}{schema}, $example)) {
            my $r = ask($op, body => $wrong->{body});
            $count++;
            my $said = amiss($op, $r, status => $wrong->{status}, pointer => $wrong->{pointer}, below => $wrong->{below});
            push @faults, "$op->{id} $wrong->{name}: $said\n    " . substr($wrong->{body}, 0, 200) if $said;
        }
        all_refused("$op->{id}: $count", @faults);
    }
};
unchanged('bodies');

# Imports are read by a job, whose result names each row's faults as an answer would; carts of a batch are answered line by line.
subtest 'rows of an import' => sub {
    my $book = $contract->{components}{schemas}{Book}{properties};
    my %row = (orders => { id => 'W', at => '2026-10-01T08:26:00Z', lines => [{ sku => 'S1', quantity => 2, unit_price => 4999 }] }, experiments => { code => 'W', arms => [{ code => 'a' }] },
        coupons => { code => 'W', promotions => ['ten-off'] });
    my @sections = $thorough ? grep { $_ ne 'retailer' && $_ ne 'promotions' } sort keys %$book : sort keys %row;
    for my $section (@sections) {
        my $schema = $book->{$section}{items};
        my (@faults, $count);
        my @wrong = grep { $_->{status} == 422 } $abuse->wrong_bodies($schema, $row{$section} // $abuse->value_for($schema));
        while (my @some = splice @wrong, 0, 40) {
            $count += @some;
            my $r = $pos->import_book('{"' . $section . '":[' . join(',', map { $_->{body} } @some) . ']}', key => $admin);
            my $job = $r->{json} // {};
            push @faults, "$section: $r->{status} $r->{body}" if ($job->{status} // '') ne 'failed';
            my @errors = @{ ($job->{result} // {})->{errors} // [] };
            push @faults, map { "$section: '$_->{code}' is not in docs/errors.md" } grep { !$documented{ $_->{code} } } @errors;
            for my $i (0 .. $#some) {
                my $p = "/$section/$i$some[$i]{pointer}";
                push @faults, "$section $some[$i]{name}: not named in " . join ' ', map { $_->{pointer} } grep { $_->{pointer} =~ m{^/$section/$i\b} } @errors
                    if @errors < 100 && !grep { $_->{pointer} eq $p || ($some[$i]{below} && index($_->{pointer}, "$p/") == 0) } @errors;
            }
        }
        all_refused("$section: $count", @faults);
    }
    my @faults;
    for my $body ('{"orders":', '{"orders":[{]}', '{"orders":7}', '{"orders":[[]]}', '{"orders":[null]}', '{"orders":[]}x', '{}', '[]', 'null', '7', '{"order":[]}', '{"orders":[],"orders":[]}', '', ' ', "\xff",
        '{"orders":[{"id":"a","at":"2026-10-01T00:00:00Z","lines":[]},{"id":"a","at":"2026-10-01T00:00:00Z","lines":[]}]}', ('[' x 5000) . (']' x 5000), '{"orders":[' . '[' x 5000 . ']' x 5000 . ']}', '{"orders":[{"id":"\u0000"}]}', '{"orders":[{"id":"\ud800"}]}',
        '{"orders":[{"id":"o","at":"2026-10-01T00:00:00Z","lines":[{"sku":"S1","quantity":1,"unit_price":1e400}]}]}', '{"orders":[{"id":"o","at":"2026-10-01T00:00:00Z","id":"p","lines":[]}]}', '{"experiments":[{"code":"w","arms":[{"code":"a"},{"code":"a"}]}]}',
        '{"experiments":[{"code":"w","arms":[{"code":"a","weight":0}]}]}', '{"experiments":[{"code":"exp-2","arms":[{"code":"a"}]}]}', '{"taxes":[{"category":"standard","code":"vat","percent":20}]}')
    {
        my $r = $pos->import_book($body, key => $admin);
        my $refused = $r->{status} >= 400 ? !amiss((grep { $_->{id} eq 'create_import' } @ops), $r) : ($r->{json}{status} // '') eq 'failed' && @{ $r->{json}{result}{errors} // [] };
        push @faults, substr($body, 0, 100) . ": $r->{status} " . substr $r->{body}, 0, 300 if !$refused;
    }
    all_refused('what is no import', @faults);
    my @changed = grep { $_ !~ /^(?:job|audit|event|idempotency)$/ } changed();
    is("@changed", '', 'and nothing of them is stored');
    $before = fingerprint();
};

subtest 'carts of a batch' => sub {
    my ($quote) = grep { $_->{id} eq 'create_quote' } @ops;
    my ($batch) = grep { $_->{id} eq 'create_quote_batch' } @ops;
    my (undef, $example) = example_of($quote);
    my @wrong = $abuse->wrong_bodies($quote->{media}{'application/json'}{schema}, $example);
    # A line is a line: what has a line feed in it cannot be one.
    @wrong = grep { $_->{body} !~ /\n/ } @wrong;
    my $r = ask($batch, body => join('', map { "$_->{body}\n" } @wrong));
    is($r->{status}, 200, 'answered') or diag($r->{body});
    my @lines = split /\n/, $r->{body};
    is(scalar @lines, scalar @wrong, 'each line');
    my @faults;
    for my $i (0 .. $#wrong) {
        my $j = PosTest::parse($lines[$i] // '') || {};
        my $said = amiss($quote, { status => $j->{status} // 200, headers => { 'content-type' => 'application/problem+json' }, json => $j, body => $lines[$i], took => 0 }, status => $wrong[$i]{status}, pointer => $wrong[$i]{pointer}, below => $wrong[$i]{below});
        push @faults, "$wrong[$i]{name}: $said" if $said;
    }
    all_refused('by its fault', @faults);
};

subtest 'what is no body' => sub {
    my @bad = (
        ['nothing', '', 400], ['a blank', ' ', 400], ['not JSON', 'hello', 400], ['half of it', '{"a": [', 400], ['two', '{}{}', 400], ['NaN', 'NaN', 400], ['a BOM', "\xef\xbb\xbf{}", 400],
        ['deep', ('[' x 3000) . (']' x 3000), 400], ['deep objects', ('{"a":' x 3000) . '1' . ('}' x 3000), 400], ['a zero byte', "{\0}", 400], ['bad UTF-8', "{\"a\":\"\xff\"}", 400],
        ['a comment', '{} // x', 400], ['single quotes', "{'a': 1}", 400], ['a comma too many', '{"a":1,}', 400], ['a long digit string', '1' x 100_000, [400, 422]],
        ['null', 'null', 422], ['a list', '[]', 422], ['a text', '"x"', 422], ['a number', '7', 422], ['true', 'true', 422],
        ['many names', '{' . join(',', map { qq("n$_":1) } 1 .. 20_000) . '}', 422],
    );
    for my $op (grep { $_->{media} && $_->{id} ne 'create_import' && $_->{id} ne 'create_quote_batch' } @ops) {
        my @faults;
        for my $case (@bad) {
            my ($name, $body, $status) = @$case;
            next if $body eq '' && !$op->{body_required};
            my $said = amiss($op, ask($op, body => $body), status => $status);
            push @faults, "$op->{id} $name: $said" if $said;
        }
        if ($op->{body_required}) {
            my $said = amiss($op, ask($op, bare => 1, headers => { 'Content-Type' => 'application/json' }), code => 'body_missing', status => 400);
            push @faults, "$op->{id} no body at all: $said" if $said;
        }
        all_refused("$op->{id}", @faults);
    }
};
unchanged('no bodies');

subtest 'types, packing and size' => sub {
    for my $op (grep { $_->{media} } @ops) {
        my @faults;
        my $try = sub {
            my ($name, $r, %want) = @_;
            my $said = amiss($op, $r, %want);
            push @faults, "$op->{id} $name: $said" if $said;
        };
        $try->("type " . ($_ // 'none'), ask($op, headers => { 'Content-Type' => $_ }), status => 415)
            for undef, '', 'text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/json; charset=latin1', 'application', '/', 'x' x 300, 'application/json, text/x-lua';
        $try->("packed by $_", ask($op, headers => { 'Content-Encoding' => $_ }), status => 415, code => 'unsupported_encoding') for 'gzip', 'br', 'zz', 'gzip, gzip';
        my ($type) = example_of($op);
        $try->('too large, said beforehand', raw($pos->request_text($op->{method}, path_of($op), socket => 1, key => $admin,
            headers => { 'Content-Type' => $type, 'Content-Length' => $op->{max_body} + 1 }), $op->{method}), status => 413, code => 'body_too_large');
        undef $socket;
        if ($op->{max_body} < 2_000_000 || $thorough && $op->{max_body} < 20_000_000) {
            my $large = '"' . 'x' x $op->{max_body} . '"';
            $try->('too large, in chunks', raw($pos->request_text($op->{method}, path_of($op), socket => 1, key => $admin, body => $large, chunked => 60_000, headers => { 'Content-Type' => $type }), $op->{method}), status => 413);
            undef $socket;
        }
        all_refused("$op->{id}", @faults);
    }
};
unchanged('types and sizes');

# --- parameters ----------------------------------------------------------------------------------

subtest 'queries' => sub {
    for my $op (grep { $_->{scope} ne 'public' } @ops) {
        my @faults;
        my $count = 0;
        for my $wrong ($abuse->wrong_queries($op)) {
            $count++;
            my $said = amiss($op, ask($op, path => path_of($op, query => $wrong->{query})), status => [400, 422], undeclared => 1, pointer => $wrong->{pointer}, below => 1);
            push @faults, "$op->{id} $wrong->{name} (?$wrong->{query}): $said" if $said;
        }
        for my $p (grep { $_->{in} eq 'query' && $_->{required} } @{ $op->{parameters} }) {
            my $rest = join '&', map { "$_->{name}=S1" } grep { $_->{in} eq 'query' && $_->{required} && $_ != $p } @{ $op->{parameters} };
            my $said = amiss($op, ask($op, path => path_of($op, query => $rest, no_required => 1)), status => 422, pointer => "/query/$p->{name}");
            push @faults, "$op->{id} without $p->{name}: $said" if $said;
        }
        all_refused("$op->{id}: $count", @faults);
    }
};

subtest 'cursors' => sub {
    for my $op (grep { grep { $_->{name} eq 'after' } @{ $_->{parameters} } } @ops) {
        my $first = ask($op, path => path_of($op, query => 'limit=1'))->{json};
        my @forged = ('nonsense', '00', 'ff', '[]', 'null', "'", '"', '%22%3B', '../..', '1%27%20or%201=1--', 'a' x 2000, '7b7d', '5b5d', '5b6e756c6c5d', '5b312c322c335d', '2230', '323032362d31332d3031', '225c753030303022', '313b', '0' x 1999, '6e756c6c', '31653430303030', '39' x 400);
        if (my $next = ($first // {})->{next}) {
            push @forged, $next . '00', substr($next, 0, -1), substr($next, 1), reverse($next) . '', uc($next) eq $next ? () : "$next$next";
        }
        my @faults;
        for my $cursor (@forged) {
            my $r = ask($op, path => path_of($op, query => "after=$cursor"));
            # Such a cursor may be one by chance; it is never more than a place in the list.
            next if $r->{status} == 200;
            my $said = amiss($op, $r, status => 422, pointer => '/query/after');
            push @faults, "$op->{id} after=" . substr($cursor, 0, 60) . ": $said" if $said;
        }
        all_refused($op->{id}, @faults);
    }
};

subtest 'paths' => sub {
    for my $op (grep { $_->{path} =~ /\{/ } @ops) {
        my @faults;
        for my $p (grep { $_->{in} eq 'path' } @{ $op->{parameters} }) {
            for my $segment ($abuse->wrong_segments($p)) {
                my ($name, $text) = @$segment;
                my $said = amiss($op, ask($op, path => path_of($op, $p->{name} => $text)), status => [400, 404, 414, 422], undeclared => 1);
                push @faults, "$op->{id} {$p->{name}} $name: $said" if $said;
            }
            next if $op->{method} eq 'PUT';
            my %other = (promotion => 'second-half', key => $known->{keys}{id}, job => $known->{jobs}{id}, batch => $known->{'coupon-batches'}{id}, nobody => 'zz-nobody', sql => "x'%20or%20'1'='1", percent => '%25', unicode => '%E2%80%AE');
            my ($kind) = $op->{path} =~ m{^/v1/([\w-]+)};
            for my $of (sort keys %other) {
                next if $other{$of} eq ($known->{$kind}{ $p->{name} } // '') || $p->{schema}{type};
                my $said = amiss($op, ask($op, path => path_of($op, $p->{name} => $other{$of})), status => [404, ($p->{name} eq 'version' ? 422 : ())], code => 'not_found|invalid_request');
                push @faults, "$op->{id} {$p->{name}} of another kind ($of): $said" if $said;
            }
        }
        all_refused($op->{id}, @faults);
    }
};
unchanged('parameters');

# --- headers --------------------------------------------------------------------------------------

subtest 'conditions' => sub {
    for my $op (grep { grep { $_->{name} eq 'If-Match' } @{ $_->{parameters} } } @ops) {
        my @faults;
        for my $tag ('"0"', '"stale", "staler"', 'W/"0"', 'abc', '"', '""', '"a', '0', ',', '" "', '"' . 'x' x 990 . '"') {
            my $said = amiss($op, ask($op, headers => { 'If-Match' => $tag }), status => [400, 412, 422], undeclared => 1);
            push @faults, "$op->{id} If-Match: $tag: $said" if $said;
        }
        my $said = amiss($op, ask($op, headers => { 'If-Match' => '"' . 'x' x 1000 . '"' }), status => 422, pointer => '/headers/If-Match');
        push @faults, "$op->{id} a long If-Match: $said" if $said;
        if ($op->{method} eq 'PUT') {
            for my $none ('*', 'W/"x", *') {
                last if $none ne '*';
                my $r = ask($op, headers => { 'If-None-Match' => $none });
                my $why = amiss($op, $r, status => 412);
                push @faults, "$op->{id} If-None-Match: $none: $why" if $why;
            }
        }
        all_refused($op->{id}, @faults);
    }
};

subtest 'Idempotency-Key' => sub {
    my $used = $pos->post('/v1/keys', { name => 'first', scopes => ['prices:read'] }, key => $admin, headers => { 'Idempotency-Key' => 'used' });
    is($used->{status}, 201, 'one is used') or diag($used->{body});
    $before = fingerprint();
    for my $op (grep { $_->{idempotent} } @ops) {
        my @faults;
        for my $case (['used for another request', 'used', 'idempotency_key_reused', 422], ['too long', 'x' x 256, undef, 422], ['empty', '', undef, [400, 422]]) {
            my ($name, $key, $code, $status) = @$case;
            my $r = ask($op, headers => { 'Idempotency-Key' => $key });
            my $said = amiss($op, $r, status => $status, code => $code, undeclared => 1);
            push @faults, "$op->{id} $name: $said" if $said;
        }
        all_refused($op->{id}, @faults);
    }
};
unchanged('headers');

# --- keys -------------------------------------------------------------------------------------------

subtest 'keys' => sub {
    my @scopes = grep { $_ ne '*' } @{ $contract->{components}{schemas}{Scope}{enum} };
    my %lacking;
    for my $scope (sort { $a cmp $b } uniq(map { $_->{scope} } grep { $_->{scope} ne 'public' } @ops)) {
        my $r = $pos->post('/v1/keys', { name => "all but $scope", scopes => [grep { $_ ne $scope } @scopes] }, key => $admin);
        $lacking{$scope} = $r->{json}{secret};
    }
    my $expired = $pos->post('/v1/keys', { name => 'revoked', scopes => ['*'] }, key => $admin)->{json};
    $pos->del("/v1/keys/$expired->{id}", key => $admin);
    $pos->wait_for('the keys', 10, sub { !grep { $pos->get('/v1/keys', key => $_)->{status} !~ /200|403/ } values %lacking });
    $pos->wait_for('the revocation', 10, sub { $pos->get('/v1/keys', key => $expired->{secret})->{status} == 401 });
    $before = fingerprint();
    (my $near = $admin) =~ s/(.)\z/$1 eq '0' ? '1' : '0'/e;
    my %unknown = (none => undef, empty => '', near => $near, long => 'pos_test_' . 'x' x 5000, revoked => $expired->{secret}, live => 'pos_live_' . substr($admin, 9), 'of signs' => "pos_test_'; drop table pos.api_key; --", short => 'p', 'with a space' => "$admin x");
    for my $op (grep { $_->{scope} ne 'public' } @ops) {
        my @faults;
        for my $name (sort keys %unknown) {
            my $said = amiss($op, ask($op, key => $unknown{$name}), status => 401, code => 'key_\w+');
            push @faults, "$op->{id} a key that is $name: $said" if $said;
        }
        for my $scheme ("Basic $admin", $admin, "Bearer", "bearer", "Bearer  ", "Token $admin", "Bearer $admin, Bearer $admin") {
            my $said = amiss($op, ask($op, key => undef, headers => { Authorization => $scheme }), status => 401);
            push @faults, "$op->{id} Authorization: $scheme: $said" if $said;
        }
        my $r = ask($op, key => $lacking{ $op->{scope} });
        my $said = amiss($op, $r, status => 403, code => 'scope_required') || ($r->{body} =~ /\Q$op->{scope}\E/ ? '' : "it names not $op->{scope}: $r->{body}");
        push @faults, "$op->{id} without $op->{scope}: $said" if $said;
        # A wrong request with a wrong key is told of the key only.
        $said = amiss($op, ask($op, key => $near, body => '{"zz":1}', headers => { 'Content-Type' => 'application/json' }), status => 401);
        push @faults, "$op->{id} a wrong body by a wrong key: $said" if $said && $op->{media};
        all_refused($op->{id}, @faults);
    }
};

# Another retailer, and the live twin, see nothing and change nothing.
subtest 'the keys of others' => sub {
    my @ours = ('second-half', 'ten-off', 'free-from-30', 'exp-1', 'SAVE10', 'S1', 'A-1', 'london', 'shoes', 'cart-8f2c', map { values %{ $known->{$_} } } qw(keys jobs coupon-batches));
    for my $whose (sort keys %twin) {
        for my $op (grep { $_->{scope} ne 'public' && $_->{method} ne 'PUT' && $_->{method} ne 'PATCH' && $_->{id} !~ /^create_(?:key|import|coupon_)/ } @ops) {
            my $path = path_of($op);
            my $r = ask($op, key => $twin{$whose});
            if ($op->{path} =~ /\{/) { is(amiss($op, $r, status => 404, code => 'not_found'), '', "$op->{id} for $whose") }
            elsif ($op->{method} eq 'GET') {
                my @seen = grep { $r->{body} =~ /"\Q$_\E"/ } grep { $path !~ /\Q$_\E/ } @ours;
                is("$r->{status} @seen", '200 ', "$op->{id} shows $whose nothing") if $op->{id} ne 'list_prices';
            }
            else { ok($r->{status} < 500 && $r->{body} !~ /4999|"Boot"/, "$op->{id} shows $whose nothing") or diag("$r->{status} $r->{body}") }
        }
    }
};
unchanged('keys');

# --- methods ------------------------------------------------------------------------------------------

subtest 'methods' => sub {
    my %takes;
    push @{ $takes{ $_->{path} } }, $_ for @ops;
    for my $path (sort keys %takes) {
        my @here = @{ $takes{$path} };
        my $op = $here[0];
        my %may = map { $_->{method} => 1 } @here;
        my @faults;
        for my $method (qw(GET POST PUT PATCH DELETE PROPFIND LOCK MOVE QUERY)) {
            next if $may{$method};
            my $r = ask($op, method => $method, bare => 1);
            my $said = amiss($op, $r, status => [405], undeclared => 1) || (($r->{headers}{allow} // '') =~ /\b$here[0]{method}\b/ ? '' : 'no Allow');
            push @faults, "$method $path: $said" if $said;
        }
        my $r = ask($op, method => 'OPTIONS', bare => 1);
        push @faults, "OPTIONS $path: $r->{status} $r->{body}" if $r->{status} !~ /^20[04]$/ || grep { ($r->{headers}{allow} // '') !~ /\b$_\b/ } keys %may;
        for my $odd ('TRACE', 'CONNECT', 'BREW', 'get') {
            $r = ask($op, method => $odd, bare => 1);
            push @faults, "$odd $path: $r->{status} $r->{body}" if $r->{status} < 400 || $r->{status} > 405;
            undef $socket;
        }
        if ($may{GET} && $path !~ m{^/metrics}) {
            my ($get) = grep { $_->{method} eq 'GET' } @here;
            my $head = ask($get, method => 'HEAD', bare => 1);
            push @faults, "HEAD $path: $head->{status}" if $head->{status} != 200;
            push @faults, "HEAD $path: a body" if length($head->{body} // '');
            undef $socket;
        }
        all_refused($path, @faults);
    }
};
unchanged('methods');

# The revision that the node sells by.
sub node_at {
    my $r = raw($pos->request_text('GET', '/v1/prices?sku=S1', socket => 1, key => $admin), 'GET');
    return ($r->{headers}{'pos-revision'} // '') =~ /^(\d+)/ ? $1 : -1;
}

# --- what the contract takes ---------------------------------------------------------------------------

# At the edges of the schemas: what is stored is taken by every node too, none of it left out of the book.
subtest 'what is taken is taken by all' => sub {
    my $n = 0;
    my $last = 0;
    my $send = sub {
        my ($op, $edge) = @_;
        my $document = { %{ $edge->{document} } };
        my $code = 'edge-' . ++$n;
        my ($name) = $op->{path} =~ /\{(\w+)\}/;
        $code = $known->{products}{sku} if $op->{id} eq 'put_prices';
        if ($name && exists $document->{$name}) { $code = $document->{$name} if $edge->{name} =~ m{^/$name:}; $document->{$name} = $code }
        return if ref $code || !defined $code;
        my $path = path_of($op, $name ? ($name => PosAbuse::escape(Encode::encode('UTF-8', $code))) : ());
        my $r = ask($op, path => $path, body => PosAbuse::encode($document));
        my ($revision) = ($r->{headers}{'pos-revision'} // '') =~ /^(\d+)/;
        $last = $revision if $revision && $revision > $last;
        return $r->{status} =~ /^20[01]$/ ? '' : amiss($op, $r);
    };
    for my $op (grep { $_->{id} =~ /^put_(?!promotion)/ } @ops) {
        my ($type, $example) = example_of($op);
        my (@faults, $taken);
        for my $edge ($abuse->edge_bodies($op->{media}{$type}{schema}, $example)) {
            my $said = $send->($op, $edge);
            push @faults, "$op->{id} $edge->{name}: $said" if $said;
        }
        all_refused("$op->{id} takes or refuses", @faults);
    }
    # The settings are one row, without which nothing is sold.
    my ($patch) = grep { $_->{id} eq 'patch_retailer' } @ops;
    my ($type) = example_of($patch);
    my @faults;
    for my $edge ($abuse->edge_bodies($patch->{media}{$type}{schema}, { code => 'acme' })) {
        my $r = ask($patch, body => $edge->{body});
        next if $r->{status} != 200 && !amiss($patch, $r);
        push @faults, "$edge->{name}: $r->{status} $r->{body}" if $r->{status} != 200;
        my ($revision) = ($r->{headers}{'pos-revision'} // '') =~ /^(\d+)/;
        push @faults, "$edge->{name}: the book is gone" if !$pos->wait_for('the node', 5, sub { node_at() >= ($revision // 0) });
    }
    all_refused('settings', @faults);
    ask($patch, body => '{"code":"acme","currency":"GBP","timezone":"Europe/London"}');
    $pos->wait_for('the node', 20, sub { node_at() >= $last });
    my @left_out = uniq($pos->log_text =~ /(\S+ \S+ (?:is )?left out: .*)/g);
    is("@left_out[0 .. ($#left_out < 9 ? $#left_out : 9)]", '', 'none is left out of the book');
};

subtest 'memory' => sub {
    my ($op) = grep { $_->{id} eq 'put_promotion' } @ops;
    my ($type, $example) = example_of($op);
    my @wrong = $abuse->wrong_bodies($op->{media}{$type}{schema}, $example);
    my $round = sub { ask($op, body => $_->{body}) for @wrong; my ($kb) = PosTest::slurp("/proc/$worker/status") =~ /^RssAnon:\s+(\d+)/m; return $kb };
    my $then = $round->();
    my $grown = $round->() - $then;
    SKIP: {
        skip 'the sanitizer keeps what was freed', 1 if $ENV{POS_NGINX};
        cmp_ok($grown, '<', 512, scalar(@wrong) . " faults more make the worker $grown KB larger");
    }
};

# What was refused is in no log as a fault of ours.
subtest 'logs' => sub {
    my @nginx = grep { /\[(?:error|crit|alert|emerg)\]/ && !/client (?:sent|intended)|left out|invalid URI|too (?:long|large)/ } split /\n/, PosTest::slurp("$pos->{dir}/log/nginx.log");
    all_refused('nginx says nothing of a fault', @nginx);
    my @posd = grep { /\[(?:error|crit)\]/ } split /\n/, PosTest::slurp("$pos->{dir}/log/posd.log");
    all_refused('nor does posd', @posd);
    my @postgres = grep { /(?:ERROR|FATAL|PANIC): / } split /\n/, PosTest::slurp("$pos->{dir}/log/postgres.log");
    all_refused('nor PostgreSQL', @postgres);
};

ok(kill(0, $worker), 'the worker is the one that began');
note("$sent requests");
done_testing;
