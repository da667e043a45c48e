#!/usr/bin/perl
# The sample retailer's book: Harbour & Field, a homeware and outdoor shop with two stores
# in Britain (prices with VAT) and one in New York (prices without sales tax). Always the
# same bytes. Prints one book document as in docs/pricing; scripts/promotions/*.lua and
# scripts/sample/promotions.json are put into it.

use strict;
use warnings;

use Cpanel::JSON::XS;
use File::Basename qw(dirname basename);
use FindBin;

my $json = Cpanel::JSON::XS->new->utf8->canonical->indent->space_after;
my (@products, @prices, %seen);

my @categories = map { { code => $_->[0], name => $_->[1], parent => $_->[2] } } (
    ['home', 'Home', undef], ['kitchen', 'Kitchen', 'home'], ['cookware', 'Cookware', 'kitchen'],
    ['appliances', 'Small appliances', 'kitchen'], ['tableware', 'Tableware', 'kitchen'],
    ['bedroom', 'Bedroom', 'home'], ['bathroom', 'Bathroom', 'home'], ['lighting', 'Lighting', 'home'],
    ['candles', 'Candles', 'home'],
    ['clothing', 'Clothing', undef], ['tops', 'Tops', 'clothing'], ['knitwear', 'Knitwear', 'clothing'],
    ['outerwear', 'Coats and jackets', 'clothing'], ['childrens', "Children's clothing", 'clothing'],
    ['shoes', 'Shoes and boots', 'clothing'], ['accessories', 'Accessories', 'clothing'],
    ['outdoor', 'Garden and outdoor', undef], ['garden', 'Garden', 'outdoor'], ['camping', 'Camping', 'outdoor'],
    ['toys', 'Toys and games', undef], ['books', 'Books', undef],
    ['food', 'Food hall', undef], ['drinks', 'Drinks', 'food'], ['snacks', 'Snacks', 'food'],
    ['sandwiches', 'Sandwiches', 'food'], ['produce', 'Fruit and vegetables', 'food'],
    ['gift-cards', 'Gift cards', undef],
);

my %colours = (
    soft => [qw(White Navy Sage Oatmeal Charcoal)],
    bold => [qw(Red Blue Green Black)],
    wood => ['Oak', 'Walnut'],
);
my @adult = qw(S M L XL);
my @child = ('Age 2-3', 'Age 4-5', 'Age 6-7', 'Age 8-9');
my @feet  = map { "UK $_" } 4 .. 11;

# [category, code, name, brand, pence, options…]
#   of: variants by colour or size; tax: category; grams; cost in percent of the price;
#   tags; attributes; unit; fee.
my @range = (
    ['appliances', 'KETTLE', 'Cordless kettle 1.7 l', 'Brindle', 3999, of => $colours{soft}, as => 'colour', grams => 1300],
    ['appliances', 'TOASTER', 'Four-slice toaster', 'Brindle', 4999, of => $colours{soft}, as => 'colour', grams => 2100],
    ['appliances', 'BLENDER', 'Stick blender', 'Brindle', 3499, of => $colours{bold}, as => 'colour', grams => 900],
    ['appliances', 'COFFEE', 'Filter coffee maker', 'Brindle', 6999, of => ['Black', 'Steel'], as => 'colour', grams => 2600],
    ['appliances', 'MIXER', 'Stand mixer 4.5 l', 'Brindle', 24900, of => $colours{soft}, as => 'colour', grams => 9800],
    ['cookware', 'PAN', 'Non-stick frying pan', 'Copperhill', 2899, of => ['20 cm', '24 cm', '28 cm', '30 cm'], as => 'size', grams => 1100],
    ['cookware', 'SAUCEPAN', 'Stainless saucepan', 'Copperhill', 3299, of => ['16 cm', '18 cm', '20 cm'], as => 'size', grams => 1400],
    ['cookware', 'CASSEROLE', 'Cast-iron casserole 5 l', 'Copperhill', 11900, of => $colours{bold}, as => 'colour', grams => 5400],
    ['cookware', 'KNIFE', "Cook's knife", 'Copperhill', 4500, of => ['15 cm', '20 cm', '25 cm'], as => 'size', grams => 300],
    ['cookware', 'BOARD', 'Chopping board', 'Copperhill', 1999, of => $colours{wood}, as => 'material', grams => 1200],
    ['cookware', 'TRAY', 'Baking tray', 'Copperhill', 1299, of => ['Small', 'Medium', 'Large'], as => 'size', grams => 700],
    ['tableware', 'MUG', 'Stoneware mug', 'Saltmarsh', 850, of => [@{ $colours{soft} }, @{ $colours{bold} }], as => 'colour', grams => 380],
    ['tableware', 'PLATE', 'Dinner plate', 'Saltmarsh', 1100, of => $colours{soft}, as => 'colour', grams => 620],
    ['tableware', 'SIDEPLATE', 'Side plate', 'Saltmarsh', 850, of => $colours{soft}, as => 'colour', grams => 400],
    ['tableware', 'BOWL', 'Pasta bowl', 'Saltmarsh', 1050, of => $colours{soft}, as => 'colour', grams => 560],
    ['tableware', 'GLASS', 'Tumbler', 'Saltmarsh', 495, of => ['Clear', 'Smoke', 'Amber', 'Green'], as => 'colour', grams => 240],
    ['tableware', 'JUG', 'Water jug', 'Saltmarsh', 2450, of => ['Clear', 'Smoke'], as => 'colour', grams => 900],
    ['bedroom', 'DUVETCOVER', 'Washed linen duvet cover', 'Loom & Lane', 8900, of => [map { my $c = $_; map { "$c $_" } qw(Single Double King) } qw(White Sage Oatmeal)], as => 'style', grams => 1800],
    ['bedroom', 'PILLOW', 'Feather pillow', 'Loom & Lane', 2900, of => ['Soft', 'Medium', 'Firm'], as => 'style', grams => 1000],
    ['bedroom', 'PILLOWCASE', 'Cotton pillowcase', 'Loom & Lane', 1400, of => $colours{soft}, as => 'colour', grams => 150],
    ['bedroom', 'THROW', 'Lambswool throw', 'Loom & Lane', 6900, of => $colours{soft}, as => 'colour', grams => 950],
    ['bathroom', 'TOWEL', 'Bath towel', 'Loom & Lane', 2200, of => $colours{soft}, as => 'colour', grams => 600],
    ['bathroom', 'HANDTOWEL', 'Hand towel', 'Loom & Lane', 1200, of => $colours{soft}, as => 'colour', grams => 280],
    ['bathroom', 'BATHMAT', 'Bath mat', 'Loom & Lane', 1900, of => $colours{soft}, as => 'colour', grams => 700],
    ['bathroom', 'SOAP', 'Hand soap', 'Fell & Fern', 650, of => ['Lavender', 'Rosemary', 'Sea salt', 'Unscented'], as => 'scent', grams => 320],
    ['lighting', 'LAMP', 'Table lamp', 'Brindle', 5900, of => $colours{soft}, as => 'colour', grams => 2200],
    ['lighting', 'PENDANT', 'Pendant shade', 'Brindle', 4500, of => $colours{bold}, as => 'colour', grams => 900],
    ['lighting', 'BULB', 'LED bulb E27', 'Brindle', 699, of => ['4 W', '8 W', '11 W'], as => 'power', grams => 60, fee => [weee => 12]],
    ['candles', 'CANDLE', 'Scented candle', 'Fell & Fern', 1600, of => ['Lavender', 'Rosemary', 'Fig', 'Cedar', 'Orange', 'Sea salt'], as => 'scent', grams => 400, tags => ['gift']],
    ['candles', 'TEALIGHTS', 'Tealights, box of 24', 'Fell & Fern', 900, grams => 380],
    ['tops', 'TSHIRT', 'Organic cotton T-shirt', 'Harbour', 2200, of => [map { my $c = $_; map { "$c $_" } @adult } qw(White Navy Sage)], as => 'style', grams => 180],
    ['tops', 'SHIRT', 'Oxford shirt', 'Harbour', 4900, of => [map { my $c = $_; map { "$c $_" } @adult } qw(White Blue)], as => 'style', grams => 280],
    ['knitwear', 'JUMPER', 'Merino jumper', 'Harbour', 7900, of => [map { my $c = $_; map { "$c $_" } @adult } qw(Navy Oatmeal Charcoal)], as => 'style', grams => 380],
    ['knitwear', 'CARDIGAN', 'Lambswool cardigan', 'Harbour', 8900, of => [map { my $c = $_; map { "$c $_" } @adult } qw(Navy Sage)], as => 'style', grams => 450],
    ['tops', 'JEANS', 'Straight jeans', 'Harbour', 6900, of => [map { my $c = $_; map { "$c $_" } @adult } qw(Indigo Black)], as => 'style', grams => 620],
    ['tops', 'CHINOS', 'Cotton chinos', 'Harbour', 5900, of => [map { my $c = $_; map { "$c $_" } @adult } qw(Stone Navy)], as => 'style', grams => 520],
    ['tops', 'DRESS', 'Linen dress', 'Harbour', 8500, of => [map { my $c = $_; map { "$c $_" } @adult } qw(Sage Navy Rust)], as => 'style', grams => 400],
    ['tops', 'PYJAMAS', 'Cotton pyjamas', 'Loom & Lane', 5500, of => [map { my $c = $_; map { "$c $_" } @adult } qw(Striped Navy)], as => 'style', grams => 450],
    ['childrens', 'KIDSJEANS', "Children's jeans", 'Tidepool', 2400, of => \@child, as => 'size', grams => 300, tax => 'zero'],
    ['childrens', 'KIDSJUMPER', "Children's jumper", 'Tidepool', 2900, of => [map { my $c = $_; map { "$c $_" } @child } qw(Navy Mustard)], as => 'style', grams => 250, tax => 'zero'],
    ['shoes', 'SANDAL', 'Leather sandal', 'Cairn', 6900, of => \@feet, as => 'size', grams => 600],
    ['shoes', 'BROGUE', 'Suede brogue', 'Cairn', 11900, of => \@feet, as => 'size', grams => 950],
    ['camping', 'RUCKSACK', 'Day rucksack 25 l', 'Cairn', 6500, of => $colours{bold}, as => 'colour', grams => 780],
    ['bathroom', 'ROBE', 'Waffle robe', 'Loom & Lane', 5900, of => \@adult, as => 'size', grams => 850],
    ['toys', 'TRAIN', 'Wooden train set', 'Tidepool', 4500, of => ['20 pieces', '40 pieces'], as => 'style', grams => 1900],
    ['outerwear', 'RAINCOAT', 'Waterproof raincoat', 'Harbour', 14900, of => [map { my $c = $_; map { "$c $_" } @adult } qw(Navy Yellow)], as => 'style', grams => 900],
    ['outerwear', 'GILET', 'Quilted gilet', 'Harbour', 9500, of => \@adult, as => 'size', grams => 520],
    ['childrens', 'KIDSTEE', "Children's T-shirt", 'Tidepool', 1200, of => [map { my $c = $_; map { "$c $_" } @child } qw(Red Blue)], as => 'style', grams => 110, tax => 'zero'],
    ['childrens', 'KIDSCOAT', "Children's raincoat", 'Tidepool', 3900, of => [map { my $c = $_; map { "$c $_" } @child } qw(Yellow Navy)], as => 'style', grams => 480, tax => 'zero'],
    ['childrens', 'WELLIES', "Children's wellies", 'Tidepool', 2400, of => \@child, as => 'size', grams => 800, tax => 'zero'],
    ['shoes', 'BOOT', 'Leather walking boot', 'Cairn', 12900, of => \@feet, as => 'size', grams => 1500],
    ['shoes', 'TRAINER', 'Canvas trainer', 'Cairn', 5900, of => \@feet, as => 'size', grams => 800],
    ['shoes', 'SLIPPER', 'Sheepskin slipper', 'Cairn', 4500, of => \@feet, as => 'size', grams => 500],
    ['accessories', 'SOCKS', 'Wool socks', 'Cairn', 1200, of => [qw(Navy Green Grey Mustard)], as => 'colour', grams => 90],
    ['accessories', 'SCARF', 'Lambswool scarf', 'Harbour', 3500, of => $colours{soft}, as => 'colour', grams => 180, tags => ['gift']],
    ['accessories', 'BEANIE', 'Ribbed beanie', 'Harbour', 1900, of => $colours{bold}, as => 'colour', grams => 90],
    ['accessories', 'TOTE', 'Canvas tote', 'Harbour', 1500, of => ['Natural', 'Navy'], as => 'colour', grams => 250],
    ['garden', 'TROWEL', 'Hand trowel', 'Fieldgate', 1400, grams => 320],
    ['garden', 'FORK', 'Hand fork', 'Fieldgate', 1400, grams => 340],
    ['garden', 'SECATEURS', 'Bypass secateurs', 'Fieldgate', 3200, grams => 250],
    ['garden', 'WATERCAN', 'Watering can 9 l', 'Fieldgate', 2900, of => ['Green', 'Slate'], as => 'colour', grams => 1200],
    ['garden', 'SEEDS', 'Seed packet', 'Fieldgate', 295, of => ['Tomato', 'Basil', 'Carrot', 'Beetroot', 'Sweet pea', 'Sunflower', 'Lettuce', 'Courgette', 'Chilli', 'Radish'], as => 'variety', grams => 15, tax => 'zero'],
    ['garden', 'POT', 'Terracotta pot', 'Fieldgate', 900, of => ['12 cm', '18 cm', '24 cm', '30 cm'], as => 'size', grams => 1500],
    ['garden', 'COMPOST', 'Peat-free compost 40 l', 'Fieldgate', 899, grams => 14_000],
    ['camping', 'TENT', 'Dome tent', 'Cairn', 17900, of => ['2 person', '4 person'], as => 'size', grams => 4200],
    ['camping', 'SLEEPBAG', 'Sleeping bag', 'Cairn', 6900, of => ['2 season', '3 season'], as => 'style', grams => 1500],
    ['camping', 'FLASK', 'Vacuum flask', 'Cairn', 2400, of => $colours{bold}, as => 'colour', grams => 420],
    ['camping', 'TORCH', 'Head torch', 'Cairn', 2900, grams => 95, fee => [weee => 12]],
    ['toys', 'JIGSAW', 'Jigsaw', 'Tidepool', 1499, of => ['Harbour, 500 pieces', 'Lighthouse, 500 pieces', 'Map of Britain, 1000 pieces', 'Garden birds, 1000 pieces'], as => 'title', grams => 700],
    ['toys', 'BLOCKS', 'Wooden blocks', 'Tidepool', 2499, grams => 1600],
    ['toys', 'BEAR', 'Teddy bear', 'Tidepool', 1999, of => ['Small', 'Large'], as => 'size', grams => 350, tags => ['gift']],
    ['toys', 'BOARDGAME', 'Board game', 'Tidepool', 2799, of => ['Ferry Lines', 'Herb Garden', 'Night Train'], as => 'title', grams => 1100],
    ['books', 'BOOK', 'Paperback', 'Gannet Press', 999, of => ['The Salt Road', 'A Year in the Hedgerow', 'Night Ferry', 'Bread for Everyone', 'The Small Garden', 'Islands and Weather', 'Walking the Coast', 'One-Pan Suppers', 'The Lighthouse Log', 'Birds at the Window', 'Knitting by the Sea', 'The Quiet Orchard'], as => 'title', grams => 260, tax => 'zero', tags => ['three-for-two']],
    ['drinks', 'COLA', 'Cola 500 ml', 'Northwell', 165, grams => 530, fee => [deposit => 20], tags => ['meal-drink']],
    ['drinks', 'WATER', 'Still water 500 ml', 'Northwell', 110, grams => 520, fee => [deposit => 20], tags => ['meal-drink']],
    ['drinks', 'JUICE', 'Orange juice 330 ml', 'Northwell', 195, grams => 350, fee => [deposit => 20], tags => ['meal-drink']],
    ['drinks', 'COFFEEBEANS', 'Coffee beans 500 g', 'Northwell', 895, of => ['House', 'Dark', 'Decaf'], as => 'roast', grams => 520, tax => 'zero'],
    ['drinks', 'TEA', 'Breakfast tea, 80 bags', 'Northwell', 425, grams => 260, tax => 'zero'],
    ['drinks', 'WINE', 'Wine 75 cl', 'Northwell', 1150, of => ['Red', 'White', 'Rosé'], as => 'colour', grams => 1250, tags => ['age-18']],
    ['sandwiches', 'SANDWICH', 'Sandwich', 'Northwell', 375, of => ['Egg & cress', 'Ham & mustard', 'Cheddar & pickle', 'Falafel & houmous'], as => 'filling', grams => 190, tax => 'zero', tags => ['meal-main']],
    ['snacks', 'CRISPS', 'Crisps 40 g', 'Northwell', 120, of => ['Sea salt', 'Salt & vinegar', 'Cheese & onion'], as => 'flavour', grams => 42, tags => ['meal-snack']],
    ['snacks', 'CHOCOLATE', 'Chocolate bar 100 g', 'Northwell', 295, of => ['Milk', 'Dark', 'Sea salt'], as => 'flavour', grams => 105, tags => ['meal-snack', 'gift']],
    ['snacks', 'BISCUITS', 'Shortbread tin', 'Northwell', 750, grams => 420, tags => ['gift'], tax => 'zero'],
    ['produce', 'APPLES', 'Cox apples', 'Local', 320, unit => 'kg', tax => 'zero'],
    ['produce', 'TOMATOES', 'Vine tomatoes', 'Local', 450, unit => 'kg', tax => 'zero'],
    ['produce', 'CHEESE', 'Farmhouse cheddar, cut to order', 'Local', 1690, unit => 'kg', tax => 'zero'],
    ['gift-cards', 'GIFTCARD', 'Gift card', 'Harbour', 2500, of => ['25', '50', '100'], as => 'value', tax => 'none', fixed => 1],
    ['accessories', 'BAG', 'Carrier bag', 'Harbour', 10, tags => ['bag'], grams => 40],
);

for my $row (@range) { add_range(@$row) }
add_special();

print $json->encode({
    retailer => {
        code => 'sample', name => 'Harbour & Field', currency => 'GBP', timezone => 'Europe/London',
        rounding => 'half_up', tax_rounding => 'line', optimise => 'customer', cash_rounding => 1,
        shipping_tax_category => 'standard', points_per => 100,
    },
    stores => [
        { code => 'london',     name => 'London, Borough',       tax_region => 'GB',    timezone => 'Europe/London' },
        { code => 'manchester', name => 'Manchester, Deansgate', tax_region => 'GB',    timezone => 'Europe/London' },
        { code => 'new-york',   name => 'New York, Hudson',      tax_region => 'US-NY', timezone => 'America/New_York' },
    ],
    categories  => [map { defined $_->{parent} ? $_ : { code => $_->{code}, name => $_->{name} } } @categories],
    products    => \@products,
    price_lists => [
        list('gb', 'GBP', 1, 0, stores => ['london', 'manchester']),
        list('gb-app', 'GBP', 1, 10, stores => ['london', 'manchester'], channels => ['app']),
        list('gb-trade', 'GBP', 1, 20, stores => ['london', 'manchester'], customer_groups => ['trade']),
        list('us', 'USD', 0, 0, stores => ['new-york']),
        list('us-web', 'USD', 0, 10, stores => ['new-york'], channels => ['web', 'app']),
    ],
    prices => \@prices,
    taxes  => [
        tax('GB', 'standard', 'vat', 20), tax('GB', 'reduced', 'vat', 5), tax('GB', 'zero', 'vat', 0),
        tax('US-NY', 'standard', 'ny-state', 4), tax('US-NY', 'standard', 'ny-city', 4.5),
        tax('US-NY', 'standard', 'mctd', 0.375),
    ],
    promotions => promotions(),
    coupons    => [
        { code => 'WELCOME10', promotions => ['welcome-10'],   remaining => undef, per_customer => 1, from => undef, until => undef },
        { code => 'SHIPFREE',  promotions => ['free-shipping-code'], remaining => 10_000, per_customer => undef, from => undef, until => undef },
        { code => 'SUMMER24',  promotions => ['welcome-10'],   remaining => undef, per_customer => undef, from => '2024-06-01T00:00:00Z', until => '2024-09-01T00:00:00Z' },
    ],
    experiments => [],
});

sub list {
    my ($code, $currency, $included, $priority, %o) = @_;
    return {
        code => $code, currency => $currency, tax_included => $included ? \1 : \0, priority => $priority,
        stores => [], channels => [], customer_groups => [], from => undef, until => undef, %o,
    };
}

sub tax {
    my ($region, $category, $code, $percent) = @_;
    return { region => $region, category => $category, code => $code, percent => $percent, compound => \0 };
}

sub add_range {
    my ($category, $code, $name, $brand, $pence, %o) = @_;
    my @of = @{ $o{of} || [] };
    add_product($category, $code, $name, $brand, $pence, %o) if !@of;
    my $n = 0;
    for my $variant (@of) {
        my $amount = $o{fixed} ? $variant * 100 : $pence + step($o{as}, $n++) * int($pence / 10 / 50 + 0.5) * 50;
        my %attributes = ($o{as} => $variant);
        if ($variant =~ /^(\w+) (S|M|L|XL|Age .*|Single|Double|King)$/) { %attributes = (colour => $1, size => $2) }
        add_product($category, "$code-" . short($variant), "$name, $variant", $brand, $amount, %o, attributes => \%attributes);
    }
    return;
}

# Bigger sizes cost a step more, colours the same.
sub step { my ($as, $n) = @_; return $as eq 'size' && $n < 4 ? $n : 0 }

sub short {
    my ($text) = @_;
    $text =~ s/,.*//;
    $text =~ s/[^A-Za-z0-9]+/-/g;
    $text =~ s/^-+|-+$//g;
    return uc $text;
}

sub add_product {
    my ($category, $sku, $name, $brand, $amount, %o) = @_;
    die "twice: $sku\n" if $seen{$sku}++;
    my %fees = $o{fee} ? (fees => [{ code => $o{fee}[0], amount => $o{fee}[1], tax_category => 'zero' }]) : ();
    push @products, {
        sku => $sku, name => $name, categories => [$category], brand => $brand, tags => $o{tags} || [],
        unit => $o{unit} || 'each', attributes => $o{attributes} || {}, tax_category => $o{tax} || 'standard',
        ($o{grams} ? (weight_grams => $o{grams}) : ()), cost => int($amount * ($o{cost} || 45) / 100), min_price => 0, %fees,
    };
    add_prices($sku, $category, $amount, %o);
    return;
}

# Every tenth product is on sale this season, every twenty-third next; trade pays a tenth
# less and less still by the dozen; the app is 5 % cheaper on clothes.
sub add_prices {
    my ($sku, $category, $amount, %o) = @_;
    my $n = @products;
    my %least = ($o{unit} // 'each') eq 'each' ? () : (min_quantity => 0.001);
    price($sku, 'gb', $amount, %least);
    price($sku, 'us', ninety_five(int($amount * 1.35)), %least);
    return if %least || $o{fixed} || $sku eq 'BAG';
    price($sku, 'gb', down($amount, 80), kind => 'sale', from => '2025-01-01T00:00:00Z', until => '2035-01-01T00:00:00Z') if $n % 10 == 0;
    price($sku, 'us', down(int($amount * 1.35), 80), kind => 'sale', from => '2025-01-01T00:00:00Z', until => '2035-01-01T00:00:00Z') if $n % 10 == 5;
    price($sku, 'gb', down($amount, 75), kind => 'sale', from => '2035-06-01T00:00:00', until => '2035-07-01T00:00:00') if $n % 23 == 0;
    if ($category =~ /^(?:tops|knitwear|outerwear|childrens|shoes|accessories)$/) { price($sku, 'gb-app', down($amount, 95)) }
    if ($category =~ /^(?:cookware|tableware|garden)$/) {
        price($sku, 'gb-trade', down($amount, 90));
        price($sku, 'gb-trade', down($amount, 80), min_quantity => 12);
    }
    if ($category eq 'appliances') { price($sku, 'us-web', ninety_five(int($amount * 1.3))) }
    return;
}

sub down { my ($amount, $percent) = @_; return int($amount * $percent / 100) }
sub ninety_five { my ($amount) = @_; return $amount < 500 ? $amount : int($amount / 100) * 100 + 95 }

sub price {
    my ($sku, $list, $amount, %o) = @_;
    push @prices, { sku => $sku, list => $list, amount => $amount, min_quantity => 1, kind => 'regular', from => undef, until => undef, %o };
    return;
}

# Ex-display goods: same thing, a condition attribute, a lower price.
sub add_special {
    for my $row (['KETTLE-OB', 'Cordless kettle 1.7 l, open box', 'appliances', 2999],
        ['TOASTER-OB', 'Four-slice toaster, open box', 'appliances', 3799],
        ['LAMP-OB', 'Table lamp, open box', 'lighting', 4400],
        ['TENT-OB', 'Dome tent 2 person, open box', 'camping', 12900]) {
        my ($sku, $name, $category, $amount) = @$row;
        add_product($category, $sku, $name, 'Brindle', $amount, attributes => { condition => 'open-box' }, grams => 1500);
    }
    for my $row (['RUG-CLEAR', 'Wool rug 120 x 180, last ones', 'bedroom', 15900], ['VASE-CLEAR', 'Studio vase, last ones', 'tableware', 3900],
        ['COAT-CLEAR', 'Wool coat, last ones', 'outerwear', 18900]) {
        my ($sku, $name, $category, $amount) = @$row;
        add_product($category, $sku, $name, 'Harbour', $amount, tags => ['clearance'], attributes => { season => 'last' }, grams => 2000);
    }
    return;
}

# The shop's own promotions, then those of the shipped Lua library that it uses, with the
# outer fields that adapt them.
sub promotions {
    my $plan = decode_json(slurp("$FindBin::Bin/promotions.json"));
    my @list = @{ $plan->{promotions} };
    for my $use (@{ $plan->{lua} }) {
        my ($file, $outer) = ($use->{file}, $use->{with} || {});
        my $path = "$FindBin::Bin/../promotions/$file.lua";
        next if !-e $path;
        push @list, { id => $file, script => slurp_text($path), %$outer };
    }
    return \@list;
}

sub slurp { my ($path) = @_; open my $f, '<:raw', $path or die "$path: $!\n"; local $/; return scalar <$f> }
sub slurp_text { my $t = slurp(@_); utf8::decode($t); return $t }
