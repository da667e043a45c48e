#!/usr/bin/perl
# Draws the worked carts of docs/pricing.md and the lists of docs/promotions.md: each table
# and picture is what the engine answers. After a change of a page, a cart or the engine:
#
#   docs/carts/draw.pl              writes the pages and docs/carts/*.svg anew
#   docs/carts/draw.pl --check      writes nothing, says what differs; exit 1 if anything does
#   docs/carts/draw.pl --cart NAME  prints a cart and its book, a line for poscalc --batch
#
# A cart is docs/carts/NAME.json or, by its id, a case of engine/t/cases. In a page
#   <!-- KIND NAME: p = What to call promotion p, q = … -->
# stands before what is drawn and <!-- end --> behind it; KIND is a `draw_` below.
use v5.30;
use warnings;
use utf8;
use FindBin qw($Bin);
use lib "$Bin/../../t/lib", "$Bin";
use Carts qw(cart quote words);
use PosCarts qw(slurp sum encode);

my %digits = (JPY => 0, KRW => 0, KWD => 3, TND => 3);

sub main {
    my (@options) = @_;
    if (@options == 2 && $options[0] eq '--cart') {
        my $cart = cart($options[1]);
        print encode({ book => $cart->{book}, requests => [$cart->{request}] }), "\n";
        return 0;
    }
    binmode $_, ':utf8' for *STDOUT, *STDERR;
    die "usage: draw.pl [--check | --cart NAME]\n" if @options && "@options" ne '--check';
    my %drawn;
    $drawn{$_} = drawn_page(text($_), \%drawn) for map { "$Bin/../$_.md" } qw(pricing promotions);
    my @differ = grep { text($_) ne $drawn{$_} } sort keys %drawn;
    push @differ, grep { !exists $drawn{$_} } glob "$Bin/*.svg";
    if (@options) {
        print map { (s{^\Q$Bin/\E}{docs/carts/}r =~ s{carts/\.\./}{}r) . " is not as docs/carts/draw.pl draws it\n" } @differ;
        return @differ ? 1 : 0;
    }
    for my $path (@differ) {
        unlink $path or die "$path: $!" if !exists $drawn{$path};
        write_text($path, $drawn{$path}) if exists $drawn{$path};
    }
    return 0;
}

sub text {
    my ($path) = @_;
    return '' if !-e $path;
    my $text = slurp($path);
    utf8::decode($text) or die "$path is not UTF-8\n";
    return $text;
}

sub write_text {
    my ($path, $text) = @_;
    open my $f, '>:utf8', $path or die "$path: $!\n";
    print $f $text;
    close $f or die "$path: $!\n";
    return;
}

# The page with all that stands between its marks drawn anew; pictures go to %$drawn.
sub drawn_page {
    my ($page, $drawn) = @_;
    my %draw = (receipt => \&draw_receipt, promotions => \&draw_promotions, explain => \&draw_explain, return => \&draw_return,
        split => \&draw_split, claims => \&draw_claims, words => \&draw_words);
    $page =~ s{(<!-- (\w+) ([\w-]+)(?:: ([^\n]*?))? -->\n)(.*?)(<!-- end -->)}{
        my ($mark, $kind, $name, $names, $end) = ($1, $2, $3, $4 // '', $6);
        my $draw = $draw{$kind} or die "the page marks a '$kind', which nothing draws\n";
        my %names = map { /^\s*([\w-]+) = (.*?)\s*$/ ? ($1 => $2) : die "$name: '$_' names no promotion\n" } split /,(?=\s*[\w-]+ = )/, $names;
        $mark . $draw->($name, \%names, $drawn) . $end;
    }gse;
    return $page;
}

# ---- words ----

sub money {
    my ($amount, $currency) = @_;
    my $digits = $digits{$currency} // 2;
    my $sign = $amount < 0 ? '−' : '';
    my $text = sprintf '%0*d', $digits + 1, abs $amount;
    $text =~ s/(\d{$digits})$/.$1/ if $digits;
    1 while $text =~ s/^(\d+)(\d{3})(?=[.,]|$)/$1,$2/;
    return "$sign$text";
}

# How to call a promotion: by the page's mark, its name or its id. What a mark says of
# percents and amounts must stand in the promotion.
sub caller_of {
    my ($cart, $names) = @_;
    my %promotion = map { $_->{id} => $_ } @{ $cart->{book}{promotions} };
    for my $id (keys %$names) {
        my $said = encode($promotion{$id} // die "there is no promotion '$id' in this cart\n");
        for my $figure ($names->{$id} =~ /(\d+\.\d\d|\d+(?= %))/g) {
            my $stands = $figure =~ tr/.//dr + 0;
            die "promotion '$id' is called '$names->{$id}', but says $said\n" if $said !~ /:$stands\b/;
        }
    }
    return sub { my ($id) = @_; return $names->{$id} // $promotion{$id}{name} // $id };
}

sub unit_of {
    my ($cart, $sku) = @_;
    my ($product) = grep { $_->{sku} eq $sku } @{ $cart->{book}{products} };
    my $unit = $product->{unit} // 'each';
    return $unit eq 'each' ? '' : " $unit";
}

sub title { my ($line) = @_; return $line->{name} || $line->{sku} }

sub row { return '| ' . join(' | ', @_) . " |\n" }

# JSON as a person writes it, on one line: who, what, on which, how much.
sub spaced {
    my ($value) = @_;
    state %rank = do { my $n = 1; map { $_ => $n++ } qw(id name description code class priority stacking sku items line distinct subtotal quantity group min max
        buy get nth bundle tiers gift position percent_off amount_off unit_price price points message max_units choose of per window from until weekdays
        hours coupon active when then) };
    if (ref $value eq 'HASH') {
        my @keys = sort { ($rank{$a} // 99) <=> ($rank{$b} // 99) || $a cmp $b } keys %$value;
        return '{' . join(', ', map { qq("$_": ) . spaced($value->{$_}) } @keys) . '}';
    }
    return '[' . join(', ', map { spaced($_) } @$value) . ']' if ref $value eq 'ARRAY';
    my $json = encode($value);
    utf8::decode($json);
    return $json;
}

# ---- tables ----

sub draw_receipt {
    my ($name, $names) = @_;
    my ($cart, $quote) = (cart($name), quote($name));
    my $called = caller_of($cart, $names);
    my $money = sub { money($_[0], $quote->{currency}) };
    my $cash = grep { $_ eq 'cash' } @{ $cart->{request}{tenders} // [] };
    my $out = row("`$name`", 'units', 'list price', 'discounts', 'paid', $quote->{tax_included} ? 'tax within' : 'tax added')
        . "| --- | ---: | ---: | --- | ---: | ---: |\n";
    for my $line (@{ $quote->{lines} }) {
        $out .= row(title($line), $line->{quantity} . unit_of($cart, $line->{sku}), price_cell($line, $money), discount_cell($line, $called, $money),
            paid_cell($line, $money), tax_cell($line->{taxes}, $money));
    }
    if (my $shipping = $quote->{shipping}) {
        my %on_lines;
        for my $line (@{ $quote->{lines} }) { $on_lines{ $_->{promotion} // '' } += $_->{amount} for @{ $line->{adjustments} } }
        my @parts = map { [ $_->{id}, $_->{amount} + ($on_lines{ $_->{id} } // 0) ] } @{ $quote->{promotions} };
        die "$name: what is off shipping is not its promotions'\n" if sum(map { $_->[1] } @parts) != $shipping->{discount};
        $out .= row('Shipping', '', $money->($shipping->{amount}), join('<br>', map { $called->($_->[0]) . ': ' . $money->(-$_->[1]) } grep { $_->[1] } @parts),
            $money->($shipping->{total}), tax_cell($shipping->{taxes}, $money));
    }
    $out .= row('Fees', '', '', 'never discounted', $money->($quote->{fees}), '') if $quote->{fees};
    $out .= row('Tax', '', '', '', $money->($quote->{tax}), '') if !$quote->{tax_included};
    $out .= row("**Total, $quote->{currency}**", '', '', $quote->{discount} ? $money->(-$quote->{discount}) : '', '**' . $money->($quote->{total}) . '**', $money->($quote->{tax}));
    $out .= row('**In cash**', '', '', '', '**' . $money->($quote->{cash_total}) . '**', '')
        if $cash;
    $out .= row("Coupon `$_->{code}`", '', '', $_->{status}, '', '') for @{ $quote->{coupons} };
    return $out;
}

sub price_cell {
    my ($line, $money) = @_;
    my $out = $money->($line->{list_price});
    $out .= ', here ' . $money->($line->{unit_price}) if $line->{unit_price} != $line->{list_price};
    $out .= '<br>30-day lowest ' . $money->($line->{lowest_30d}) if defined $line->{lowest_30d};
    return $out;
}

sub discount_cell {
    my ($line, $called, $money) = @_;
    my @parts;
    for my $adjustment (@{ $line->{adjustments} }) {
        my $whose = defined $adjustment->{promotion} ? $called->($adjustment->{promotion}) : "by hand ($adjustment->{label})";
        my $of = defined $adjustment->{quantity} && $adjustment->{quantity} != $line->{quantity} ? ", $adjustment->{quantity} of $line->{quantity}" : '';
        push @parts, "$whose$of: " . $money->($adjustment->{amount});
    }
    return join '<br>', @parts;
}

# What the line costs and, where units paid differently, what each did.
sub paid_cell {
    my ($line, $money) = @_;
    my @runs = @{ $line->{units} };
    my $out = $money->($line->{total});
    return $out if @runs < 2;
    return "$out<br>" . join ' + ', map {
        my ($n, $paid) = @$_{qw(quantity paid)};
        $n == 1 ? $money->($paid) : $paid % $n ? $money->($paid) . " for $n" : "$n × " . $money->($paid / $n);
    } @runs;
}

sub tax_cell {
    my ($taxes, $money) = @_;
    return join '<br>', map { $money->($_->{amount}) . " $_->{code} $_->{percent} %" } @$taxes;
}

# The promotions of a cart as they stand in its book.
sub draw_promotions {
    my ($name) = @_;
    return "```json\n" . join('', map { spaced($_) . "\n" } @{ cart($name)->{book}{promotions} }) . "```\n";
}

sub draw_explain {
    my ($name, $names) = @_;
    my ($cart, $quote) = (cart($name), quote($name, explain => 1));
    my $called = caller_of($cart, $names);
    my $money = sub { money($_[0], $quote->{currency}) };
    my $out = row("`$name`", 'applied', 'reason', 'missing', 'total without it') . "| --- | --- | --- | --- | ---: |\n";
    for my $told (@{ $quote->{explain} }) {
        my $reason = defined $told->{reason} ? "`$told->{reason}`" : '';
        $reason .= ': ' . $called->($told->{promotion}) if defined $told->{promotion};
        $reason .= ', by ' . $money->($told->{amount}) if defined $told->{amount};
        $out .= row($called->($told->{id}), $told->{applied} ? 'yes' : 'no', $reason, $told->{missing} ? '`' . spaced($told->{missing}) . '`' : '',
            defined $told->{without} ? $money->($told->{without}) : '');
    }
    return $out;
}

sub draw_return {
    my ($name) = @_;
    my ($quote, @back) = (quote($name), Carts::returned($name));
    my $money = sub { money($_[0], $quote->{currency}) };
    my $kept  = grep { defined $_->{kept} } @back;
    my $cells = sub { my ($what, $paid, $left, @rest) = @_; return row($what, $paid, $kept ? $left : (), @rest) };
    my $out   = $cells->("`$name`", 'had paid', 'what is kept costs', 'refund', 'tax in it') . $cells->('---', ('---:') x 4);
    for my $back (@back) {
        my $what = join ', ', map { "$_->{quantity} × " . ($_->{name} || $_->{sku}) } @{ $back->{lines} };
        $out .= $cells->("$what comes back", $money->(sum(map { $_->{paid} } @{ $back->{lines} })), defined $back->{kept} ? $money->($back->{kept}) : '',
            $money->($back->{refund}), $money->($back->{tax}));
        my $sale = $back->{sale} or next;
        $out .= $cells->(join(', ', map { "$_->{quantity} × " . title($_) } @{ $sale->{lines} }) . ' goes out for ' . $money->($sale->{total}), '', '',
            ($back->{balance} < 0 ? 'paid out: ' : 'to pay: ') . $money->(abs $back->{balance}), '');
    }
    return $out;
}

# A list of docs/carts/words.json; what is JSON there stands as such.
sub draw_words {
    my ($list) = @_;
    my $words = words($list);
    my $out = row(@{ $words->{titles} }) . '|' . ' --- |' x @{ $words->{titles} } . "\n";
    $out .= row(map { ref ? '`' . spaced($_) . '`' : $_ } @$_) for @{ $words->{rows} };
    return $out;
}

# ---- pictures ----

my $width = 720;
my @style = split /^/, <<'CSS';
text{font:14px system-ui,sans-serif;fill:#1f2328}
.s{font-size:12px}.b{font-weight:600}.r{text-anchor:end}.m{text-anchor:middle}
rect{stroke:#59636e;stroke-width:1}.got{stroke-width:3}
.paid{fill:#f6f8fa}.p0{fill:#bfdbfe}.p1{fill:#fed7aa}.p2{fill:#bbf7d0}.p3{fill:#fbcfe8}.p4{fill:#ddd6fe}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}rect{stroke:#9198a1}
.paid{fill:#21262d}.p0{fill:#1e40af}.p1{fill:#9a3412}.p2{fill:#166534}.p3{fill:#9d174d}.p4{fill:#5b21b6}}
CSS

sub escaped { my ($text) = @_; return $text =~ s/&/&amp;/gr =~ s/</&lt;/gr =~ s/>/&gt;/gr =~ s/"/&quot;/gr }

sub label { my ($x, $y, $class, $text) = @_; return qq(<text x="$x" y="$y" class="$class">@{[escaped($text)]}</text>\n) }

sub box { my ($x, $y, $w, $h, $class) = @_; return qq(<rect x="$x" y="$y" width="$w" height="$h" class="$class"/>\n) }

# A picture with its own words for those who do not see it, and the page's link to it.
sub picture {
    my ($file, $height, $title, $told, $body, $drawn) = @_;
    $drawn->{"$Bin/$file.svg"} = qq(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" width="$width" height="$height" role="img" aria-labelledby="title desc">\n)
        . '<title id="title">' . escaped($title) . "</title>\n<desc id=\"desc\">" . escaped($told) . "</desc>\n<style>\n" . join('', @style) . "</style>\n$body</svg>\n";
    my $alt = "$title. $told" =~ s/([\[\]])/\\$1/gr;
    return "[![$alt](carts/$file.svg)](carts/$file.svg)\n";
}

# A bar for each run of units that paid alike: what it paid, and what each promotion took.
sub draw_split {
    my ($name, $names, $drawn) = @_;
    my ($cart, $quote) = (cart($name), quote($name));
    my $called = caller_of($cart, $names);
    my $money = sub { money($_[0], $quote->{currency}) };
    my %colour = colours($quote);
    my (@bars, $longest);
    for my $line (@{ $quote->{lines} }) {
        my $unit = 0;
        for my $i (0 .. $#{ $line->{units} }) {
            my $run = $line->{units}[$i];
            my @off = grep { $_->[1] } map { [ $_->{promotion}, $_->{units}[$i] ] } @{ $line->{adjustments} };
            my $full = sum($run->{paid}, map { $_->[1] } @off);
            my ($from, $to) = ($unit + 1, $unit += $run->{quantity});
            my $which = $line->{quantity} == $run->{quantity} ? '' : $from == $to ? " $from" : " $from to $to";
            push @bars, { title => title($line) . $which, full => $full, paid => $run->{paid}, off => \@off };
            $longest = $full if !defined $longest || $full > $longest;
        }
    }
    my ($y, $body, @told) = (8, '');
    for my $bar (@bars) {
        my $x = 130;
        $body .= label(0, $y + 20, 'b', $bar->{title});
        for my $part ([ undef, $bar->{paid} ], reverse @{ $bar->{off} }) {
            my $w = int($part->[1] * 560 / $longest + 0.5) or next;
            $body .= box($x, $y, $w, 30, defined $part->[0] ? $colour{ $part->[0] } : 'paid');
            $body .= label($x + $w / 2, $y + 20, 'm', $money->($part->[1])) if $w > 45;
            $x += $w;
        }
        my $sum = join ' ', $money->($bar->{full}), (map { '− ' . $money->($_->[1]) . ' (' . $called->($_->[0]) . ')' } @{ $bar->{off} }), '= ' . $money->($bar->{paid}) . ' paid';
        $body .= label(130, $y + 46, 's', $sum);
        push @told, "$bar->{title}: $sum";
        $y += 60;
    }
    my %seen = map { $_->[0] => 1 } map { @{ $_->{off} } } @bars;
    delete @colour{ grep { !$seen{$_} } keys %colour };
    my ($legend, $height) = legend($y + 2, \%colour, $called);
    return picture("$name-split", $height, 'What each unit paid, and which promotion took the rest', join('. ', @told) . '.', $body . $legend, $drawn);
}

# Units as boxes, in the colour of the deal that has them.
sub draw_claims {
    my ($name, $names, $drawn) = @_;
    my ($cart, $quote) = (cart($name), quote($name));
    my $called = caller_of($cart, $names);
    my $money = sub { money($_[0], $quote->{currency}) };
    my @units = Carts::claimed($cart, $quote);
    my %colour = colours($quote);
    my ($x, $y, $body, $last, @told, %of) = (0, 26, '');
    for my $unit (sort { ($a->{deal} // '~') cmp($b->{deal} // '~') } @units) {
        my $deal = $unit->{deal};
        if (!defined $last || $last ne ($deal // '~')) {
            $x += 18 if defined $last;
            my ($times) = map { $_->{times} } grep { defined $deal && $_->{id} eq $deal } @{ $quote->{promotions} };
            my $head = !defined $deal ? 'in no deal' : $called->($deal) . ($times > 1 ? ", $times times" : '');
            $body .= label($x, 16, 'b', $head);
            push @told, $head . ':';
            $last = $deal // '~';
        }
        $body .= box($x, $y, 84, 74, defined $deal ? $colour{$deal} . ($unit->{role} =~ /free|reduced/ ? ' got' : '') : 'paid');
        $body .= label($x + 42, $y + 18, 'm', $unit->{title}) . label($x + 42, $y + 34, 'm s', 'at ' . $money->($unit->{price}));
        $body .= label($x + 42, $y + 50, 'm s', $unit->{role}) . label($x + 42, $y + 67, 'm s b', 'paid ' . $money->($unit->{paid}));
        push @told, "$unit->{title} at " . $money->($unit->{price}) . ($unit->{role} ? " ($unit->{role})" : '') . ' pays ' . $money->($unit->{paid}) . ';';
        $x += 90;
    }
    die "$name: too many units for one row\n" if $x > $width + 6;
    my $told = join(' ', @told) =~ s/;(?= [^;]*:|$)/./gr;
    return picture("$name-claims", 104, 'Which units each deal has: name, price, part in the deal, and what it paid', $told, $body, $drawn);
}

sub colours {
    my ($quote) = @_;
    my $n = 0;
    return map { $_->{id} => 'p' . $n++ % 5 } @{ $quote->{promotions} };
}

sub legend {
    my ($y, $colour, $called) = @_;
    my ($x, $out) = (130, '');
    for my $entry ([ 'paid', 'paid' ], map { [ $colour->{$_}, $called->($_) ] } sort { $colour->{$a} cmp $colour->{$b} } keys %$colour) {
        my ($class, $text) = @$entry;
        my $w = 34 + 7.5 * length $text;
        ($x, $y) = (130, $y + 22) if $x + $w > $width;
        $out .= box($x, $y, 14, 14, $class) . label($x + 20, $y + 12, 's', $text);
        $x += $w;
    }
    return ($out, $y + 22);
}

exit main(@ARGV);
