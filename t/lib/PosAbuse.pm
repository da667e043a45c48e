package PosAbuse;

# Wrong requests made from the contract: what its schemas rule out, one fault at a time,
# with the place that an answer has to name. No knowledge of any one operation is in here.
#
#   my $abuse = PosAbuse->new($contract, thorough => 0);
#   for my $op ($abuse->operations) {
#       for my $wrong ($abuse->wrong_bodies($op, $example)) { ... $wrong->{body}, $wrong->{pointer} }
#   }

use strict;
use warnings;

use Cpanel::JSON::XS ();

my $JSON  = Cpanel::JSON::XS->new->utf8->canonical->allow_nonref;
my $true  = Cpanel::JSON::XS::true();
my $GONE  = \'a member that is not there';

# A value of each type, to put where another is wanted.
my %OF_TYPE = (
    null => undef, boolean => $true, integer => 7, number => \'1.5', string => 'x', array => [], object => {},
);

# Text that no string may hold, as bytes of JSON: it is not JSON.
my @NOT_JSON_TEXT = (['a zero', '"a\u0000b"'], ['half a surrogate', '"\ud800"'], ['bad UTF-8', "\"\xff\xfe\""], ['an overlong zero', "\"\xc0\x80\""]);
# Numbers that fit nowhere.
my @HUGE = ('1e400', '-1e400', '99999999999999999999999999', '-9223372036854775809', '9223372036854775808', '1e308');

my %NOT_OF_FORMAT = (
    'date' => ['', 'yesterday', '2026-02-30', '2025-02-29', '2026-13-01', '2026-00-10', '2026-01-00', '0000-01-01', '10000-01-01', '-0001-01-01',
        '2026-1-1', '20260101', '2026-01-01T00:00:00Z', ' 2026-01-01', '2026-01-01 '],
    'date-time' => ['', 'yesterday', '2026-02-30T00:00:00Z', '2025-02-29T12:00:00Z', '2026-06-30T23:59:60Z', '2026-01-01T24:00:01Z', '2026-01-01T25:00:00Z',
        '0000-01-01T00:00:00Z', '10000-01-01T00:00:00Z', '2026-01-01', '2026-01-01T00:00:00+25:00', '2026-01-01T00:00Z', '2026-01-01T00:00:00.Z',
        'infinity', 'now', 'epoch', '2026-01-01T00:00:00ZZ'],
    'currency' => ['', 'gbp', 'XXQ', 'GB', 'POUND', "GB\N{U+20}"],
);

sub new {
    my ($class, $contract, %o) = @_;
    return bless { contract => $contract, thorough => $o{thorough} }, $class;
}

# Each operation as {id, method, path, parameters, media, statuses, …}, by path and method.
sub operations {
    my ($self) = @_;
    my @all;
    for my $path (sort keys %{ $self->{contract}{paths} }) {
        my $methods = $self->{contract}{paths}{$path};
        for my $method (sort keys %$methods) {
            my $op = $methods->{$method};
            push @all, {
                id => $op->{operationId}, method => uc $method, path => $path, native => $op->{'x-pos-native'},
                scope => $op->{'x-pos-scope'}, idempotent => $op->{'x-pos-idempotent'}, max_body => $op->{'x-pos-max-body'} // 1_048_576,
                parameters => [map { $self->schema($_) } @{ $op->{parameters} // [] }],
                media => $op->{requestBody}{content}, body_required => $op->{requestBody}{required},
                statuses => { map { $_ => 1 } keys %{ $op->{responses} } },
            };
        }
    }
    return @all;
}

# A schema, or whatever else, with its reference followed; what stands beside a reference stays.
sub schema {
    my ($self, $node) = @_;
    return $node if ref $node ne 'HASH' || !defined $node->{'$ref'};
    my $at = $self->{contract};
    $at = $at->{$_} for split m{/}, $node->{'$ref'} =~ s{^#/}{}r;
    my %beside = %$node;
    delete $beside{'$ref'};
    return { %{ $self->schema($at) }, %beside, _name => $node->{'$ref'} };
}

# The schema that a value other than null is held against, and the types that are taken.
sub forms {
    my ($self, $node) = @_;
    my $s = $self->schema($node);
    my %types;
    if ($s->{anyOf}) {
        my @branches = map { [$self->forms($_)] } @{ $s->{anyOf} };
        %types = (%types, %{ $_->[1] }) for @branches;
        my ($main) = grep { !$_->[1]{null} || keys %{ $_->[1] } > 1 } @branches;
        my %form = %{ $main->[0] };
        delete $form{minProperties} if grep { $_->[1]{object} && !$_->[0]{minProperties} } @branches;
        return (\%form, \%types);
    }
    my @types = ref $s->{type} ? @{ $s->{type} } : defined $s->{type} ? ($s->{type}) : ();
    @types{@types} = (1) x @types;
    return ($s, \%types);
}

# --- a value that a schema takes -------------------------------------------------

sub value_for {
    my ($self, $node, $depth) = @_;
    my ($s, $types) = $self->forms($node);
    $depth //= 0;
    return $s->{example} if exists $s->{example};
    return (grep { defined } @{ $s->{enum} })[0] if $s->{enum};
    return $s->{const} if exists $s->{const};
    return { map { $_ => $self->value_for($s->{properties}{$_}, $depth + 1) } @{ $s->{required} // [] } } if $types->{object};
    return [($depth < 12 ? $self->value_for($s->{items} // {}, $depth + 1) : ()) x ($s->{minItems} || 1)] if $types->{array};
    return $self->text_for($s) if $types->{string};
    return 1 + ($s->{minimum} // 0) if $types->{integer} || $types->{number};
    return $true if $types->{boolean};
    return 'x';
}

sub text_for {
    my ($self, $s) = @_;
    my $format = $s->{format} // '';
    return '2026-10-01' if $format eq 'date';
    return '2026-10-01T09:00:00Z' if $format eq 'date-time';
    return 'GBP' if $format eq 'currency';
    return '09:00' if ($s->{pattern} // '') =~ /^\^\\d\{2\}:/;
    return 'AB-########' if ($s->{pattern} // '') =~ /#/;
    return 'x' x ($s->{minLength} || 1);
}

# --- wrong bodies ------------------------------------------------------------------

# Each {name, body (bytes), pointer, status}: status 400 where it is no JSON, else 422.
sub wrong_bodies {
    my ($self, $node, $value) = @_;
    my @found;
    $self->{seen} = {};
    $self->spoil($node, $value, '', sub { $_[0] }, \@found);
    return map { { %$_, body => encode($_->{document}) } } @found;
}

# JSON of a document in which a reference to a text stands for these very bytes.
sub encode {
    my ($v) = @_;
    return $$v if ref $v eq 'SCALAR';
    return '[' . join(',', map { encode($_) } @$v) . ']' if ref $v eq 'ARRAY';
    return '{' . join(',', map { $JSON->encode($_) . ':' . encode($v->{$_}) } grep { !is_gone($v->{$_}) } sort keys %$v) . '}' if ref $v eq 'HASH';
    return $JSON->encode($v);
}

sub is_gone { my ($v) = @_; return ref $v && $v == $GONE }

sub child { my ($pointer, $name) = @_; return "$pointer/" . ($name =~ s/~/~0/gr =~ s{/}{~1}gr) }

# Adds to `found` each document that has one fault at `pointer` or below; `put` makes the
# whole document from what stands there.
sub spoil {
    my ($self, $node, $value, $pointer, $put, $found) = @_;
    my ($s, $types) = $self->forms($node);
    my $wrong = sub {
        my ($name, $bad, %o) = @_;
        push @$found, { name => ($pointer || 'the body') . ": $name", document => $put->($bad), pointer => $pointer, status => 422, %o };
    };
    if (%$types) {
        for my $type (grep { !$types->{$_} } sort keys %OF_TYPE) {
            next if $type eq 'integer' && $types->{number};
            $wrong->("$type in place of " . join(' or ', sort keys %$types), $OF_TYPE{$type});
        }
    }
    $self->spoil_text($s, $wrong) if $types->{string};
    $self->spoil_number($s, $types, $wrong) if $types->{integer} || $types->{number};
    $self->spoil_list($s, $value, $pointer, $put, $wrong, $found) if $types->{array};
    $self->spoil_object($s, $value, $pointer, $put, $wrong, $found) if $types->{object};
    return;
}

sub spoil_text {
    my ($self, $s, $wrong) = @_;
    $wrong->('not of ' . join('|', map { $_ // 'null' } @{ $s->{enum} }), $_) for $s->{enum} ? ('zz-none', '', uc($s->{enum}[0]) . ' ') : ();
    if (!$s->{enum}) {
        $wrong->("$_->[0] in it", \"$_->[1]", status => 400, pointer => undef) for $self->{thorough} ? @NOT_JSON_TEXT : $NOT_JSON_TEXT[ $self->{turn}++ % @NOT_JSON_TEXT ];
    }
    $wrong->("no $s->{format}: '$_'", $_) for @{ $NOT_OF_FORMAT{ $s->{format} // '' } // [] };
    $wrong->('too short', 'x' x ($s->{minLength} - 1)) if $s->{minLength};
    $wrong->('too long', 'x' x ($s->{maxLength} + 1)) if $s->{maxLength};
    my $pattern = $s->{pattern} // return;
    my $re = qr/$pattern/;
    $wrong->("'" . ($_ =~ s/[^ -~]/?/gr) . "' against its pattern", $_)
        for grep { $_ !~ $re } ' ', ' x', 'x ', '.', '..', "a\nb", "a\x7fb", "\x{1f}", "x\n", '9:00', '09-00', 'lower-##', 'NO-SIGN', '#';
    return;
}

sub spoil_number {
    my ($self, $s, $types, $wrong) = @_;
    $wrong->("below $s->{minimum}", \($s->{minimum} - 1)) if defined $s->{minimum};
    $wrong->("above $s->{maximum}", \sprintf('%.0f', int($s->{maximum}) + 1)) if defined $s->{maximum};
    $wrong->("not above $s->{exclusiveMinimum}", \"$s->{exclusiveMinimum}") if defined $s->{exclusiveMinimum};
    $wrong->('a fraction', \'0.5') if !$types->{number};
    my $least = ($s->{minimum} // 0) < 0 ? 0 : $s->{minimum} // 0;
    $wrong->("finer than $s->{multipleOf}", \sprintf('%.5f', $least + $s->{multipleOf} / 2)) if $s->{multipleOf};
    my @huge = $self->{thorough} || !$self->{huge}++ ? @HUGE : $HUGE[ $self->{turn}++ % @HUGE ];
    $wrong->("far too large: $_", \"$_") for defined $s->{maximum} ? @huge : ();
    return;
}

sub spoil_list {
    my ($self, $s, $value, $pointer, $put, $wrong, $found) = @_;
    my @now  = ref $value eq 'ARRAY' ? @$value : ();
    my $item = @now ? $now[0] : $self->value_for($s->{items} // {});
    $wrong->('none', []) if $s->{minItems};
    $wrong->('one too many', [($item) x ($s->{maxItems} + 1)]) if $s->{maxItems} && $s->{maxItems} <= 2000;
    push @$found, { name => "$pointer: the same twice", document => $put->([$item, $item]), pointer => $pointer, below => 1, status => 422 } if $s->{uniqueItems};
    return if !$s->{items};
    $self->deeper($s->{items}, $item, child($pointer, 0), sub { $put->([$_[0], @now[1 .. $#now]]) }, $found);
    return;
}

sub spoil_object {
    my ($self, $s, $value, $pointer, $put, $wrong, $found) = @_;
    my %now = ref $value eq 'HASH' ? %$value : ();
    %now = (%{ $self->value_for($s) // {} }, %now) if $s->{required};
    my $closed = !exists $s->{additionalProperties};
    my $with = sub { my ($name, $bad) = @_; return $put->({ %now, $name => $bad }) };
    push @$found, { name => "$pointer: an unknown member", document => $with->('zz_unknown', 1), pointer => child($pointer, 'zz_unknown'), status => 422 } if $closed;
    push @$found, { name => "$pointer: an unknown member with a name of signs", document => $with->('~/"', 1), pointer => child($pointer, '~/"'), status => 422 } if $closed && !$self->{signs}++;
    push @$found, { name => "$pointer: a member twice", document => $put->(\(encode(\%now) =~ s/\}\z/(%now ? ',' : '') . '"zz":1,"zz":2}'/er)), pointer => undef, status => 400 };
    push @$found, { name => "$pointer: without $_", document => $with->($_, $GONE), pointer => child($pointer, $_), status => 422 } for @{ $s->{required} // [] };
    $wrong->('no member', {}) if $s->{minProperties} && !$s->{required};
    $wrong->('too many members', { map { ("n$_" => $self->value_for($s->{additionalProperties} // {})) } 0 .. $s->{maxProperties} }, below => 1) if $s->{maxProperties};
    if (my $names = $s->{propertyNames}) {
        push @$found, { name => "$pointer: a member's name is $_->[0]", document => $with->($_->[1], $self->value_for($s->{additionalProperties} // {})), pointer => $pointer, below => 1, status => 422 }
            for ['empty', ''], ['too long', 'x' x ($names->{maxLength} + 1)];
    }
    for my $name (sort keys %{ $s->{properties} // {} }) {
        my $inner = exists $now{$name} ? $now{$name} : $self->value_for($s->{properties}{$name});
        $self->deeper($s->{properties}{$name}, $inner, child($pointer, $name), sub { $with->($name, $_[0]) }, $found);
    }
    my $more = $s->{additionalProperties};
    $self->deeper($more, $self->value_for($more), child($pointer, 'any'), sub { $with->('any', $_[0]) }, $found) if ref $more eq 'HASH' && %$more;
    return;
}

# Each named schema is gone through once in a body, or so often as the thorough run may: they contain one another.
sub deeper {
    my ($self, $node, $value, $pointer, $put, $found) = @_;
    my $name = ref $node eq 'HASH' ? $node->{'$ref'} : undef;
    my $limit = $self->{thorough} ? 3 : 1;
    if (defined $name && $name !~ /Code|Text|Time|Money|Range\z/) { return if ($self->{seen}{$name}++) >= $limit }
    elsif (!$self->{thorough} && defined $name && $self->{seen}{$name}++ >= 1) {
        # Seen in full elsewhere: that it is looked at here too.
        my ($s, $types) = $self->forms($node);
        push @$found, { name => "$pointer: a list of lists", document => $put->([[]]), pointer => $pointer, below => 1, status => 422 } if %$types;
        return;
    }
    return if ($pointer =~ tr{/}{}) > 16;
    return $self->spoil($node, $value, $pointer, $put, $found);
}

# --- right bodies, at the edge ----------------------------------------------------------

# Each {name, body, document} that the schema takes, one value at an edge of it at a time.
sub edge_bodies {
    my ($self, $node, $value) = @_;
    my @found;
    $self->{seen} = {};
    $self->edge($node, $value, '', sub { $_[0] }, \@found);
    return map { { %$_, body => encode($_->{document}) } } @found;
}

sub edge {
    my ($self, $node, $value, $pointer, $put, $found) = @_;
    my ($s, $types) = $self->forms($node);
    my $right = sub { my ($name, $good) = @_; push @$found, { name => ($pointer || 'the body') . ": $name", document => $put->($good) } };
    $right->('null', undef) if $types->{null};
    if ($s->{enum}) { $right->($_ // 'null', $_) for @{ $s->{enum} } }
    elsif ($types->{string}) { $right->($_->[0], $_->[1]) for edge_texts($s) }
    if ($types->{boolean}) { $right->($_ ? 'true' : 'false', $_ ? $true : Cpanel::JSON::XS::false()) for 0, 1 }
    if ($types->{integer} || $types->{number}) {
        $right->($_, \"$_") for grep { defined } $s->{minimum}, $s->{maximum}, ($types->{number} && $s->{multipleOf} ? sprintf('%.4f', $s->{multipleOf}) + 0 : ());
    }
    if ($types->{array}) {
        my @now  = ref $value eq 'ARRAY' ? @$value : ();
        my $item = @now ? $now[0] : $self->value_for($s->{items} // {});
        $right->('empty', []) if !$s->{minItems};
        $right->('the same twice', [$item, $item]) if !$s->{uniqueItems} && ($s->{maxItems} // 2) > 1;
        $self->edge_deeper($s->{items}, $item, child($pointer, 0), sub { $put->([$_[0], @now[1 .. $#now]]) }, $found) if $s->{items};
    }
    if ($types->{object}) {
        my %now = ref $value eq 'HASH' ? %$value : ();
        %now = (%{ $self->value_for($s) // {} }, %now) if $s->{required};
        my %least = map { $_ => $now{$_} } @{ $s->{required} // [] };
        $right->('only what is required', \%least) if !$s->{minProperties};
        for my $name (sort keys %{ $s->{properties} // {} }) {
            my $inner = exists $now{$name} ? $now{$name} : $self->value_for($s->{properties}{$name});
            $self->edge_deeper($s->{properties}{$name}, $inner, child($pointer, $name), sub { $put->({ %now, $name => $_[0] }) }, $found);
        }
        my $more = $s->{additionalProperties};
        if (my $names = $s->{propertyNames}) {
            push @$found, { name => "$pointer: a long name", document => $put->({ %now, $_ => $self->value_for($more) }) } for 'x' x $names->{maxLength}, "\x{1f600}" x $names->{maxLength};
        }
        $self->edge_deeper($more, $self->value_for($more), child($pointer, 'any'), sub { $put->({ %now, any => $_[0] }) }, $found) if ref $more eq 'HASH' && %$more;
    }
    return;
}

sub edge_texts {
    my ($s) = @_;
    my $format = $s->{format} // '';
    return map { [$_, $_] } '0001-01-01', '9999-12-31', '2024-02-29' if $format eq 'date';
    return map { [$_, $_] } '0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999999Z', '2024-02-29t00:00:00z', '2026-03-29T01:30:00', '2026-01-01T00:00:00+15:59', '0001-01-01T00:00:00' if $format eq 'date-time';
    return map { [$_, $_] } 'GBP', 'JPY', 'BHD' if $format eq 'currency';
    return if $s->{pattern} && $s->{pattern} =~ /#|\\d/;
    my $long = $s->{maxLength} && $s->{maxLength} <= 70_000 ? $s->{maxLength} : 0;
    my @texts = (['signs', "/~\"\\<&%\x{20ac}\x{1f600}"]);
    push @texts, $s->{minLength} || $s->{pattern} ? ['one letter', 'x'] : ['empty', ''];
    push @texts, ['as long as may be', 'x' x $long], ['as long, of four bytes', "\x{1f600}" x $long] if $long;
    return @texts;
}

sub edge_deeper {
    my ($self, $node, $value, $pointer, $put, $found) = @_;
    my $name = ref $node eq 'HASH' ? $node->{'$ref'} : undef;
    return if defined $name && $name !~ /Code|Text|Time|Money|Currency|Percent|Quantity|Range\z/ && $self->{seen}{$name}++ >= ($self->{thorough} ? 3 : 1);
    return if ($pointer =~ tr{/}{}) > 12;
    return $self->edge($node, $value, $pointer, $put, $found);
}

# --- wrong parameters -----------------------------------------------------------------

# Each {name, query => 'a=b', pointer} for an operation's query.
sub wrong_queries {
    my ($self, $op) = @_;
    my @found = { name => 'an unknown parameter', query => 'zz_unknown=1', pointer => '/query/zz_unknown' };
    for my $p (grep { $_->{in} eq 'query' } @{ $op->{parameters} }) {
        my ($s, $types) = $self->forms($p->{schema});
        my $name = $p->{name};
        my $list = $types->{array};
        ($s, $types) = $self->forms($s->{items}) if $list;
        my $wrong = sub { my ($why, $text) = @_; push @found, { name => "$name: $why", query => "$name=$text", pointer => "/query/$name", below => $list } };
        push @found, { name => "$name twice", query => "$name=1&$name=2", pointer => "/query/$name" } if !$list;
        if ($types->{integer} || $types->{number}) {
            $wrong->("'$_'", escape($_)) for '', 'x', '1x', '0x10', '+1', ' 1', ($types->{number} ? () : ('1e2', '1.5')), '99999999999999999999', '-99999999999999999999', 'null', 'NaN', '[]', '1,2';
            $wrong->("below $s->{minimum}", $s->{minimum} - 1) if defined $s->{minimum};
            $wrong->("above $s->{maximum}", $s->{maximum} + 1) if defined $s->{maximum};
        }
        $wrong->('none of its values', 'zz-none'), $wrong->('empty', '') if $s->{enum};
        $wrong->("no $s->{format}: '$_'", escape($_)) for @{ $NOT_OF_FORMAT{ $s->{format} // '' } // [] };
        $wrong->('too long', 'x' x ($s->{maxLength} + 1)) if $s->{maxLength} && !$s->{format};
        $wrong->('too short', 'x' x ($s->{minLength} - 1)) if $s->{minLength} && !$s->{format};
        $wrong->($_, $_) for '%00', '%ff', '%zz', '%', '%c0%80', '%ed%a0%80';
        if ($s->{pattern}) { my $re = qr/$s->{pattern}/; $wrong->("'$_' against its pattern", escape($_)) for grep { $_ !~ $re } '..', ' x', "a\nb" }
    }
    return @found;
}

sub escape { my ($text) = @_; return $text =~ s/([^A-Za-z0-9_.~-])/sprintf '%%%02X', ord $1/ger }

# What no place in a path takes: {name, text, schema's own pointer by its name}.
sub wrong_segments {
    my ($self, $parameter) = @_;
    my ($s, $types) = $self->forms($parameter->{schema});
    return map { [$_, $_] } '0', '-1', 'x', '1.5', '2147483648', '99999999999999999999', '%31x', '1e1', '%00', '%ff', '%zz' if $types->{integer};
    return (['a zero', 'a%00b'], ['bad UTF-8', '%ff%fe'], ['broken percents', '%zz'], ['an overlong zero', '%c0%80'], ['a surrogate', '%ed%a0%80'], ['too long', 'x' x 201],
        ['a line feed', 'a%0Ab'], ['spaces', '%20'], ['a space before', '%20a'], ['dots', '%2E%2E'], ['longer than a line may be', 'x' x 20_000]);
}

1;
