#!/usr/bin/env python3
"""The pricing page as a slow, plain calculator for small carts.

Every permitted choice is tried; nothing is clever. A sentence in quotation marks is the
sentence of the page that the code below it implements; "Reading:" marks a place where the
page leaves a choice, and says which one is taken here.

usage: oracle.py BOOK.json < REQUESTS.ndjson      one answer a line
"""

import itertools
import json
import math
import sys
from datetime import datetime, timezone
from fractions import Fraction
from zoneinfo import ZoneInfo

MILLION = 1_000_000
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
CLASSES = ["line", "order", "shipping"]
PAYS = ("0-pays",)  # the role of a unit that a deal counts but does not reward


class Undetermined(Exception):
    """The page does not say what this book means."""


# --- numbers ------------------------------------------------------------------------------

def ppm(percent):
    """'"percent": 12.5 is read as decimal text, at most 4 decimals, exactly.'"""
    return int(Fraction(str(percent)) * 10_000)


def thousandths(quantity):
    """'Quantity: thousandths.'"""
    return int(Fraction(str(quantity)) * 1000)


def rounded(numerator, denominator, mode):
    """'half_up (away from zero; default), half_even, down'; nothing here is negative."""
    whole, rest = divmod(numerator, denominator)
    if mode == "down" or 2 * rest < denominator:
        return whole
    if mode == "half_even" and 2 * rest == denominator:
        return whole + whole % 2
    return whole + 1


def split(amount, costs):
    """'proportional to what each part still costs, by largest remainder, ties to the earlier
    part; parts sum to the whole exactly, and no part goes below zero or above its own price'"""
    whole = sum(costs)
    if whole == 0:
        return [0] * len(costs)
    amount = min(amount, whole)
    shares = [amount * cost // whole for cost in costs]
    by_remainder = sorted(range(len(costs)), key=lambda i: -(amount * costs[i] % whole))
    for i in by_remainder[:amount - sum(shares)]:
        shares[i] += 1
    return shares


def split_bearing(amount, costs, bearable):
    """'what one line cannot bear of an order discount goes to the others'. Reading: where one
    cannot, a part is full that cannot bear its exact share, be it by a fraction; the rest is
    rounded once, at the end."""
    shares = split(amount, costs)
    if all(share <= most for share, most in zip(shares, bearable)):
        return shares
    shares, parts = [0] * len(costs), list(range(len(costs)))
    while amount > 0 and parts:
        whole = sum(costs[i] for i in parts)
        full = [i for i in parts if amount * costs[i] > bearable[i] * whole]
        if not full:
            for i, share in zip(parts, split(amount, [costs[i] for i in parts])):
                shares[i] = share
            break
        for i in full:
            shares[i] = bearable[i]
            parts.remove(i)
        amount -= sum(bearable[i] for i in full)
    return shares


# --- the cart -----------------------------------------------------------------------------

class Item:
    """'Lines of the same SKU, unit price, attributes, manual discount and tax category are one
    item for all arithmetic'; 'a measured line is never merged: it is one unit'."""

    def __init__(self, product, price, line):
        self.product = product
        self.sku = product["sku"]
        self.price, self.list_price, self.on_sale = price
        self.attributes = line.get("attributes") or {}
        self.manual = line.get("discount")
        self.tax_category = line.get("tax_category") or product.get("tax_category")
        self.measured = product.get("unit", "each") != "each"
        self.lines = []      # (line id, thousandths)
        self.thousandths = 0
        self.gift_of = None

    def add(self, line_id, quantity):
        self.lines.append((line_id, quantity))
        self.thousandths += quantity

    @property
    def units(self):
        return 1 if self.measured else self.thousandths // 1000

    def key(self):
        """'in a canonical order (SKU, then price, then attributes)'. Reading: then what else tells
        items apart: the manual discount (none, percents, amounts), the tax category, the measure."""
        return (self.sku, self.price, sorted(self.attributes.items()), self.manual_key(),
                self.tax_category or "", self.thousandths if self.measured else 0)

    def manual_key(self):
        manual = self.manual
        if not manual:
            return (0,)
        kind = 0 if "percent" in manual else 1
        return (1, kind, Fraction(str(manual["amount" if kind else "percent"])), manual.get("reason") or "")

    def has_attribute(self, name, values):
        """Reading: a line's own attributes stand before its product's."""
        own = (self.product.get("attributes") or {}) | self.attributes
        return own.get(name) in values


def canonical(value):
    return json.dumps(value, sort_keys=True, default=str)


class Promotion:
    def __init__(self, document):
        self.id = document["id"]
        self.cls = document["class"]
        self.priority = document.get("priority") or 0
        self.stacking = document.get("stacking") or "combine"
        self.group = document.get("group")
        self.when = document.get("when")
        self.coupon = bool(document.get("coupon"))
        self.active = document.get("active") or {}
        floor = document.get("floor")
        self.margin = ppm(floor["margin_percent"]) if floor else None
        self.taxed_before = document.get("tax_basis") == "before"
        limits = [one for one in document.get("limits") or [] if one["per"] == "order"]
        self.max_uses = min([one["max"] for one in limits if one["of"] == "uses"], default=None)
        self.max_amount = min([one["max"] for one in limits if one["of"] == "amount"], default=None)
        self.effects = []

    def shuns(self, other):
        """'exclusive shares no unit with another promotion, by unit'; 'At most one promotion of a
        group touches a unit.'"""
        return self is not other and (
            self.stacking == "exclusive" or other.stacking == "exclusive"
            or (self.group is not None and self.group == other.group))

    def rank(self):
        """'greater priority first, then id ascending'"""
        return (-self.priority, self.id)


class Effect:
    def __init__(self, promotion, document):
        self.promotion = promotion
        self.doc = document
        self.when = document.get("when")
        if "gift" in document:
            self.kind = "gift"
        elif "points" in document:
            self.kind = "points"
        elif "message" in document:
            self.kind = "message"
        elif "buy" in document or "nth" in document or "bundle" in document:
            self.kind = "deal"
        else:
            self.kind = {"line": "markdown"}.get(promotion.cls, promotion.cls)
        self.filter = document.get("items") or {}
        self.max_units = document.get("max_units")
        self.items = set()  # numbers of the items that match; of tiers, of those that reach one
        self.counted = set()  # numbers of the items that match
        self.number = None  # in order of application

    def on_units(self):
        return self.kind in ("markdown", "order")


# --- one quote ----------------------------------------------------------------------------

class Quote:
    def __init__(self, book, request):
        self.book, self.request = book, request
        self.retailer = book["retailer"]
        self.mode = self.retailer.get("rounding") or "half_up"
        self.at = datetime.fromisoformat(request["at"].replace("Z", "+00:00"))
        self.store = next((s for s in book.get("stores") or [] if s["code"] == request.get("store")), {})
        self.customer = request.get("customer") or {}
        self.products = {p["sku"]: p for p in book["products"]}
        self.items = self.merged_items()
        self.shipping = (request.get("shipping") or {}).get("amount") or 0
        self.included = self.tax_included()
        self.promotions = self.candidates()
        self.effects = [e for p in self.promotions for e in p.effects]
        self.line_memo, self.order_memo = {}, {}

    # --- Step 1: price --------------------------------------------------------------------

    def merged_items(self):
        self.cart_quantity = {}
        for line in self.request["lines"]:
            self.cart_quantity[line["sku"]] = (self.cart_quantity.get(line["sku"], 0)
                                               + thousandths(line["quantity"]))
        items = {}
        for line in self.request["lines"]:
            one = Item(self.products[line["sku"]], self.price_of(line["sku"], line), line)
            key = line["id"] if one.measured else canonical(one.key())
            items.setdefault(key, one).add(line["id"], thousandths(line["quantity"]))
        return sorted(items.values(), key=Item.key)

    def price_of(self, sku, line):
        """'Of the price rows valid at `at` for the SKU whose list fits store, channel, customer
        group and currency and whose min_quantity is reached (quantity of that SKU over the
        whole cart): the list of highest priority that has a regular row wins, and only its rows
        count; within it the lowest amount.' 'An override replaces the unit price, keeps
        list_price.' Returns price, list price, and whether a sale row made it."""
        quantity = self.cart_quantity.get(sku, 0)
        lists = {}
        for one in self.book["price_lists"]:
            if (one["currency"] == self.request["currency"] and self.valid(one)
                    and any_of(one.get("stores"), [self.request.get("store")])
                    and any_of(one.get("channels"), [self.request.get("channel")])
                    and any_of(one.get("customer_groups"), self.customer.get("groups") or [])):
                lists[one["code"]] = one
        rows = [r for r in self.book["prices"] if r["sku"] == sku and r["list"] in lists
                and self.valid(r) and thousandths(r.get("min_quantity") or 1) <= max(quantity, 1000)]
        regular = [r for r in rows if r.get("kind", "regular") == "regular"]
        best = max(regular, key=lambda r: lists[r["list"]].get("priority") or 0)["list"]
        self.won_list = lists[best]
        rows = [r for r in rows if r["list"] == best]
        # "`list_price` is that list's regular row at the quantity reached"
        reached = max((r for r in regular if r["list"] == best),
                      key=lambda r: thousandths(r.get("min_quantity") or 1))
        lowest = min(r["amount"] for r in rows)
        by_regular = min(r["amount"] for r in rows if r in regular)
        price, on_sale = lowest, lowest < by_regular
        if line.get("price_override"):
            price = line["price_override"]["amount"]
            on_sale = False  # Reading: an override is no sale.
        return price, reached["amount"], on_sale

    def tax_included(self):
        """'A cart never mixes included and excluded lists.'"""
        return bool(self.won_list.get("tax_included"))

    def valid(self, row):
        """'`from` is included, `until` is not.'"""
        start, end = self.moment(row.get("from")), self.moment(row.get("until"))
        return (start is None or start <= self.at) and (end is None or self.at < end)

    def moment(self, text):
        """'Times are RFC 3339; one without offset is in the retailer's zone.'"""
        if text is None:
            return None
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
        if time.tzinfo is None:
            time = time.replace(tzinfo=ZoneInfo(self.retailer.get("timezone") or "UTC"))
        return time.astimezone(timezone.utc)

    def local(self):
        """Reading: weekdays, hours and birthdays are those of the store's zone."""
        zone = self.store.get("timezone") or self.retailer.get("timezone") or "UTC"
        return self.at.astimezone(ZoneInfo(zone))

    def amount_for(self, item, unit_amount):
        """'An amount for a measured quantity is rounded once, at the line.' For one unit."""
        if item.measured:
            return rounded(unit_amount * item.thousandths, 1000, self.mode)
        return unit_amount

    def unit_price(self, item):
        """'Filters, choose and sorting go by the unit price before discounts'. Reading: a measured
        line 'is one unit for deals and max_units', so of two packs of cheese the cheaper one is
        the one that costs less, whatever a kilogram of either does; filters ask for the price row."""
        return self.amount_for(item, item.price)

    def percent_of(self, amount, percent):
        return rounded(amount * ppm(percent), MILLION, self.mode)

    # --- filters and conditions -----------------------------------------------------------

    def matches(self, wanted, item):
        """'Filter over lines; its keys are and-ed, a list's values or-ed, {} matches all'"""
        product = item.product
        for key, value in (wanted or {}).items():
            if key == "sku":
                fits = item.sku in listed(value)
            elif key == "category":
                fits = bool(set(listed(value)) & self.categories_of(product))
            elif key == "brand":
                fits = product.get("brand") in listed(value)
            elif key == "tag":
                fits = bool(set(listed(value)) & set(product.get("tags") or []))
            elif key == "attribute":
                fits = all(item.has_attribute(name, listed(values)) for name, values in value.items())
            elif key == "unit_price":
                fits = within(item.price, value)  # "by the unit price before discounts"
            elif key == "on_sale":
                fits = item.on_sale == value
            elif key == "not":
                fits = not self.matches(value, item)
            else:
                raise Undetermined("filter " + key)
            if not fits:
                return False
        return True

    def categories_of(self, product):
        """'category (descendants too)'"""
        parents = {c["code"]: c.get("parent") for c in self.book.get("categories") or []}
        found = set()
        for code in product.get("categories") or []:
            while code is not None and code not in found:
                found.add(code)
                code = parents.get(code)
        return found

    def holds(self, condition, after_line=None):
        """Whether a condition holds; None where it hangs on what line discounts leave, and
        that is not given."""
        results = [self.holds_one(key, condition, after_line) for key in condition
                   if key not in ("quantity", "amount", "min", "after")] if condition else []
        if False in results:
            return False
        return None if None in results else True

    def holds_one(self, key, condition, after_line):
        value = condition[key]
        if key in ("all", "any"):
            inner = [self.holds(one, after_line) for one in value]
            decisive = key == "any"
            if decisive in inner:
                return decisive
            return None if None in inner else not decisive
        if key == "not":
            inner = self.holds(value, after_line)
            return None if inner is None else not inner
        if key == "items":
            fitting = [i for i in self.items if self.matches(value, i)]
            # Reading: the quantity of a measured line is its measure.
            return (within(sum(i.thousandths for i in fitting), condition.get("quantity"), 1000)
                    and within(sum(self.subtotal(i) for i in fitting), condition.get("amount"))
                    and (bool(fitting) or "quantity" in condition or "amount" in condition))
        if key == "line":
            # "(on some one line)"; "Wherever promotions say "line", they mean an item."
            return any(within(i.thousandths, condition.get("quantity"), 1000)
                       for i in self.items if self.matches(value, i))
        if key == "distinct":
            # Reading: distinct SKUs.
            return len({i.sku for i in self.items if self.matches(value, i)}) >= condition["min"]
        if key == "subtotal":
            # "before discounts, or after line discounts, the default"
            if condition.get("after", "line") == "none":
                return within(sum(self.subtotal(i) for i in self.items), value)
            return None if after_line is None else within(after_line, value)
        if key == "weight_grams":
            weight = sum((i.product.get("weight_grams") or 0) * i.thousandths for i in self.items)
            return within(weight, value, 1000)
        if key == "customer":
            return all(self.customer_is(fact, wanted) for fact, wanted in value.items())
        if key == "store":
            return self.request.get("store") in listed(value)
        if key == "channel":
            return self.request.get("channel") in listed(value)
        if key == "tender":
            return bool(set(listed(value)) & set(self.request.get("tenders") or []))
        if key == "fulfilment":
            return self.request.get("fulfilment") in listed(value)
        if key == "ship_to":
            there = self.request.get("ship_to") or {}
            return all(there.get(part) in listed(places) for part, places in value.items())
        if key == "attribute":
            own = self.request.get("attributes") or {}
            return all(own.get(name) in listed(values) for name, values in value.items())
        raise Undetermined("condition " + key)

    def customer_is(self, fact, wanted):
        if fact == "groups":
            return bool(set(listed(wanted)) & set(self.customer.get("groups") or []))
        if fact == "ids":
            return self.customer.get("id") in listed(wanted)
        if fact == "orders":
            return self.customer.get("orders") is not None and within(self.customer["orders"], wanted)
        if fact == "birthday":
            today = self.local().strftime("%m-%d")
            return ((self.customer.get("birthday") or "")[5:] == today) == wanted
        if fact == "known":
            return (self.customer.get("id") is not None) == wanted
        raise Undetermined("customer " + fact)

    def subtotal(self, item):
        return self.amount_for(item, item.price) * item.units

    # --- which promotions may be used at all ----------------------------------------------

    def candidates(self):
        found = []
        for document in self.book.get("promotions") or []:
            promotion = Promotion(document)
            if (not self.is_active(promotion) or promotion.max_uses == 0 or promotion.max_amount == 0
                    or (promotion.coupon and not self.has_coupon(promotion))
                    or self.holds(promotion.when) is False):
                continue
            for one in document["then"]:
                effect = Effect(promotion, one)
                holds = self.holds(effect.when)
                if holds is None:
                    # Such an effect's units would hang on what its like leave.
                    raise Undetermined("an effect's `when` after line discounts")
                if holds and self.can_do(effect):
                    promotion.effects.append(effect)
            if promotion.effects:
                found.append(promotion)
        found.sort(key=Promotion.rank)
        for number, effect in enumerate(e for p in found for e in p.effects):
            effect.number = number
        return found

    def can_do(self, effect):
        """Whether there is anything in the cart for it to act on."""
        if effect.kind in ("markdown", "order"):
            effect.counted = {n for n, item in enumerate(self.items) if self.matches(effect.filter, item)}
            # Reading: tiers do not touch what reaches none, so nothing need give way to them there.
            effect.items = {n for n in effect.counted if effect.kind == "order" or "tiers" not in effect.doc
                            or self.best_tier(effect.doc, effect, n)}
            return bool(effect.items) or (bool(effect.doc.get("shipping")) and self.shipping > 0)
        if effect.kind == "shipping":
            methods = effect.doc.get("methods")
            shipping = self.request.get("shipping")
            return bool(shipping) and self.shipping > 0 and any_of(methods, [shipping.get("method")])
        if effect.kind == "gift":
            return self.gift_quantity(effect) > 0
        return True

    def gift_quantity(self, effect):
        """'once, or for every so many'"""
        gift = effect.doc["gift"]
        quantity = gift.get("quantity", 1)
        per = gift.get("per")
        times = 1
        if per:
            have = sum(i.thousandths for i in self.items if self.matches(per.get("items"), i))
            times = have // thousandths(per["quantity"])
        limits = effect.promotion
        if limits.max_uses is not None:
            times = min(times, limits.max_uses)
        if limits.max_amount is not None:
            # Reading: nothing is given in part; what is over the limit is not given.
            times = min(times, limits.max_amount // (quantity * self.price_of(gift["sku"], {})[0]))
        return quantity * times

    def is_active(self, promotion):
        active = promotion.active
        now = self.local()
        if not self.valid(active):
            return False
        if active.get("weekdays") and WEEKDAYS[now.weekday()] not in active["weekdays"]:
            return False
        clock = now.strftime("%H:%M")
        return not active.get("hours") or any(
            start <= clock < end if start < end else (clock >= start or clock < end)
            for start, end in active["hours"])

    def has_coupon(self, promotion):
        return any(self.coupon_status(code) == "valid"
                   and promotion.id in self.coupon(code)["promotions"]
                   for code in self.request.get("coupons") or [])

    def coupon(self, code):
        """'codes match case-insensitively'"""
        return next((c for c in self.book.get("coupons") or [] if c["code"].lower() == code.lower()), None)

    def coupon_status(self, code):
        coupon = self.coupon(code)
        if coupon is None:
            return "unknown"
        if coupon.get("from") and self.at < self.moment(coupon["from"]):
            return "not_started"
        if coupon.get("until") and self.at >= self.moment(coupon["until"]):
            return "expired"
        return "used_up" if coupon.get("remaining") == 0 else "valid"

    # --- deals: which units they may claim ------------------------------------------------

    def claims(self, effect, kinds, cart=None):
        """Every way in which a deal can claim units. `kinds` lists [(item, how many)]; units of
        one kind are equal. A claim is (times, {(kind, role): count}), as sorted tuples. `cart`:
        the units of the cart, where those of `kinds` are what other deals left."""
        document, promotion = effect.doc, effect.promotion
        # Reading: without `repeat` a deal goes on as long as there are units.
        most = min(x for x in (document.get("repeat"), promotion.max_uses, sum(n for _, n in kinds))
                   if x is not None)
        found = set()
        for times in range(1, most + 1):
            ways = list(self.claims_of(document, kinds, times))
            for roles in self.by_choose(document, kinds, ways, times, cart):
                found.add((times, tuple(sorted(roles.items()))))
        return sorted(found)

    def claims_of(self, document, kinds, times):
        if "nth" in document:
            yield from self.nth_claims(document, kinds, times)
            return
        parts = [(part, self.part_role(document, n)) for n, part in enumerate(self.parts(document))]
        free = [n for _, n in kinds]

        def fill(number, free, roles):
            if number == len(parts):
                yield roles
                return
            part, role = parts[number]
            able = [self.matches(part.get("items"), item) for item, _ in kinds]
            if "amount" in part:
                chosen = self.picks_by_amount(part["amount"], times, kinds, free, able)
            else:
                chosen = picks(part.get("quantity", 1) * times, [n if a else 0 for n, a in zip(free, able)])
            for counts in chosen:
                more = dict(roles)
                for kind, count in enumerate(counts):
                    if count:
                        more[kind, role] = more.get((kind, role), 0) + count
                yield from fill(number + 1, [f - c for f, c in zip(free, counts)], more)

        yield from fill(0, free, {})

    def parts(self, document):
        return document["bundle"] if "bundle" in document else document["buy"] + document["get"]

    def part_role(self, document, number):
        """Reading: all that is bought has one role, all of a bundle has one; each part of `get`
        has its own, as it is rewarded in its own way."""
        if "bundle" in document:
            return ("1-bundled",)
        bought = len(document["buy"])
        return PAYS if number < bought else ("2-got", number - bought)

    def picks_by_amount(self, amount, times, kinds, free, able):
        """'a `buy` part may ask for `amount` instead'. Reading: unit prices before discounts sum
        to it, and no unit is claimed that is not needed; each repetition for itself."""
        one = []
        for size in range(1, sum(free) + 1):
            for counts in picks(size, [n if a else 0 for n, a in zip(free, able)]):
                worth = [self.amount_for(item, item.price) for item, _ in kinds]
                whole = sum(w * c for w, c in zip(worth, counts))
                least = min(w for w, c in zip(worth, counts) if c)
                if whole >= amount > whole - least:
                    one.append(counts)
        sums = {tuple([0] * len(kinds))}
        for _ in range(times):
            sums = {tuple(a + b for a, b in zip(had, more)) for had in sums for more in one}
            sums = {s for s in sums if all(c <= f for c, f in zip(s, free))}
        return sums

    def nth_claims(self, document, kinds, times):
        """'units sorted, cut into whole groups, the one at the position rewarded'; which units
        these are is looked at in `nth_from_the_start`."""
        nth = document["nth"]
        able = [n if self.matches(nth.get("items"), item) else 0 for item, n in kinds]
        down = document.get("order", "priciest") == "priciest"
        order = sorted(range(len(kinds)),
                       key=lambda k: self.unit_price(kinds[k][0]) * (-1 if down else 1))
        for counts in picks(nth["group"] * times, able):
            roles = {}
            for place, kind in enumerate(k for k in order for _ in range(counts[k])):
                rewarded = place % nth["group"] == nth["position"] - 1
                role = (kind, ("2-got", 0) if rewarded else PAYS)
                roles[role] = roles.get(role, 0) + 1
            yield roles

    def by_choose(self, document, kinds, ways, times, cart):
        """'cheapest (the rewarded units are the cheapest that match in the cart), priciest'.
        Reading: the cheapest of those that the deal could reward, done as often, were the cart
        there for it alone; when another deal has them, this one does not go on to the next. All of
        a bundle is rewarded."""
        choose = document.get("choose", "best")
        if choose == "best" or "nth" in document:
            return ways
        sign = 1 if choose == "cheapest" else -1

        def worths(kinds, ways):
            return [sum(sign * self.unit_price(kinds[kind][0]) * count
                        for (kind, role), count in roles.items() if role != PAYS) for roles in ways]

        worth = worths(kinds, ways)
        first = min(worths(cart, self.claims_of(document, cart, times)) if cart and ways else worth, default=0)
        return [roles for roles, one in zip(ways, worth) if one == first]

    # --- what is chosen -------------------------------------------------------------------

    def choose(self):
        """'of all permitted choices, the one that makes lines plus shipping least; ties: more
        points, then the set of used promotions first by (priority, id), then the earliest
        units in canonical order'"""
        if self.retailer.get("optimise") == "priority":
            return self.by_priority()
        best = None
        for result in self.outcomes():
            if best is None or (result.objective <= best.objective and result.rank() < best.rank()):
                best = result
        return best

    def outcomes(self):
        """What every permitted choice comes to."""
        for used, classes, times, on_shipping in self.choices():
            result = self.outcome(used, classes, times, on_shipping)
            if result is not None:
                yield result

    def choices(self):
        """'A promotion is used or not; a used one applies all its effects'"""
        deals = [e for e in self.effects if e.kind == "deal"]
        kinds = [(item, item.units) for item in self.items]
        ways = [[(deal, claim) for claim in self.claims(deal, kinds)] for deal in deals]
        others = [p for p in self.promotions if any(e.kind != "deal" for e in p.effects)]
        for claimed in packings(ways, [n for _, n in kinds]):
            by_deal = {deal.promotion for deal, _ in claimed}
            times = {deal: claim[0] for deal, claim in claimed}
            free_to_choose = [p for p in others if p not in by_deal]
            for size in range(len(free_to_choose) + 1):
                for more in itertools.combinations(free_to_choose, size):
                    used = by_deal | set(more)
                    # "alone is the only promotion of the order"
                    if len(used) > 1 and any(p.stacking == "alone" for p in used):
                        continue
                    for classes in self.settlements(used, claimed):
                        for on_shipping in self.together([p for p in self.promotions if p in used
                                                          and self.touches_shipping(p)]):
                            yield used, classes, times, on_shipping

    def settlements(self, used, claimed):
        """'only exclusive and group conflicts are settled unit by unit'; 'its markdowns take
        every matching unit that stacking allows'."""
        stacks = [(item, None, None, self.items[item].units) for item in range(len(self.items))]
        for deal, (_, roles) in claimed:
            for (item, role), count in roles:
                stacks.append((item, deal, role, count))
                at, none, no_role, left = stacks[item]
                stacks[item] = (at, none, no_role, left - count)
        stacks = [s for s in stacks if s[3]]
        options = [self.unit_options(used, item, deal) for item, deal, _, _ in stacks]
        limited = any(e.max_units is not None for p in used for e in p.effects if e.kind == "markdown")
        ways = [itertools.combinations_with_replacement(o, s[3]) for o, s in zip(options, stacks)]
        for way in itertools.product(*ways):
            units = [(s[0], s[1], s[2], frozenset(with_them)) for s, chosen in zip(stacks, way)
                     for with_them in chosen]
            if limited:
                yield from self.limited_settlements(used, units)
            else:
                yield self.classes([(item, deal, role, self.touching(item, with_them))
                                    for item, deal, role, with_them in units])

    def unit_options(self, used, item, deal):
        """The sets of used promotions, deals apart, that may together touch a unit."""
        able = [p for p in self.promotions if p in used
                and any(e.on_units() and item in e.items for e in p.effects)
                and not (deal and p.shuns(deal.promotion))]
        return self.together(able)

    def touches_shipping(self, promotion):
        """Reading: shipping is as one unit, which promotions may share or not."""
        return self.shipping > 0 and any(e.kind == "shipping" or (e.kind == "order" and e.doc.get("shipping"))
                                         for e in promotion.effects)

    def together(self, able):
        """The largest sets of these that may touch one unit together."""
        if not any(a.shuns(b) for a, b in itertools.combinations(able, 2)):
            return [tuple(able)]
        together = [some for size in range(len(able) + 1) for some in itertools.combinations(able, size)
                    if not any(a.shuns(b) for a, b in itertools.combinations(some, 2))]
        # One that `max_units` will keep off this unit may be in the set all the same.
        return [some for some in together
                if not any(set(some) < set(larger) for larger in together)]

    def touching(self, item, promotions):
        """The effects of these promotions that act on a unit of the item."""
        return frozenset(e for p in promotions for e in p.effects if e.on_units() and item in e.items)

    def limited_settlements(self, used, units):
        """'`max_units`, `choose` limit which': the first by unit price, then in canonical order.
        Deals choose units, so every order of an item's units is tried."""
        by_item = [sorted([u for u in units if u[0] == n], key=unit_key) for n in range(len(self.items))]
        orders = [list(arrangements(group)) if any(n in e.items for p in used for e in p.effects if e.max_units is not None)
                  else [tuple(group)] for n, group in enumerate(by_item)]
        for arranged in itertools.product(*orders):
            row = [unit for group in arranged for unit in group]
            touched = self.take_limited(used, row)
            if self.takes_all_it_can(used, row, touched):
                yield self.classes([(u[0], u[1], u[2], frozenset(t)) for u, t in zip(row, touched)])

    def preferred(self, effect, row):
        """Reading: `best` is the priciest, where a markdown saves most."""
        sign = 1 if effect.doc.get("choose") == "cheapest" else -1
        return sorted((n for n, u in enumerate(row) if u[0] in effect.items),
                      key=lambda n: (sign * self.unit_price(self.items[row[n][0]]), n))

    def take_limited(self, used, row):
        touched = [set(e for e in self.touching(u[0], u[3]) if e.max_units is None) for u in row]
        for effect in self.effects:
            if effect.kind == "markdown" and effect.promotion in used and effect.max_units is not None:
                able = [n for n in self.preferred(effect, row) if effect.promotion in row[n][3]]
                for n in able[:effect.max_units]:
                    touched[n].add(effect)
        return touched

    def takes_all_it_can(self, used, row, touched):
        for effect in self.effects:
            if effect.promotion not in used or not effect.on_units():
                continue
            order = self.preferred(effect, row)
            taken = [n for n in order if effect in touched[n]]
            for place, n in enumerate(order):
                there = {e.promotion for e in touched[n]} | ({row[n][1].promotion} if row[n][1] else set())
                if effect in touched[n] or any(effect.promotion.shuns(p) for p in there):
                    continue
                full = effect.max_units is not None and len(taken) >= effect.max_units
                if not full or any(order.index(t) > place for t in taken):
                    return False
        return True

    def classes(self, units):
        """'Units of one item that are treated alike (the same promotions, in the same roles) are
        a class.' Returns (item, deal, role, effects, count), in canonical order."""
        counted = {}
        for unit in units:
            counted[unit] = counted.get(unit, 0) + 1
        return tuple(sorted(((item, deal, role, effects, count)
                             for (item, deal, role, effects), count in counted.items()), key=unit_key))

    def by_priority(self):
        """'promotions in order of priority then id, each used if it can be, each deal as often as
        it can', whatever their class; what is used stays used."""
        used, times, on_shipping = set(), {}, ()
        row = [(n, None, None, frozenset()) for n, item in enumerate(self.items) for _ in range(item.units)]
        best = self.outcome(used, self.classes(row), times, on_shipping)
        for promotion in self.promotions:
            if used and (promotion.stacking == "alone" or any(p.stacking == "alone" for p in used)):
                continue
            tried = self.add_promotion(promotion, used, row, times, on_shipping, best.objective)
            if tried is not None:
                used, row, times, on_shipping, best = tried
        return best

    def add_promotion(self, promotion, used, row, times, on_shipping, least):
        used = used | {promotion}
        if self.touches_shipping(promotion) and not any(promotion.shuns(p) for p in on_shipping):
            on_shipping += (promotion,)
        times = dict(times)

        def may_touch(unit):
            there = {e.promotion for e in unit[3]} | ({unit[1].promotion} if unit[1] else set())
            return not any(promotion.shuns(p) for p in there)

        row = list(row)
        for effect in promotion.effects:
            if effect.on_units():
                able = [n for n in self.preferred(effect, row) if may_touch(row[n])]
                for n in able[:effect.max_units]:
                    item, deal, role, effects = row[n]
                    row[n] = (item, deal, role, effects | {effect})
        best = self.outcome(used, self.classes(row), times, on_shipping, promotion)
        before = best.objective if best else least
        for effect in promotion.effects:
            if effect.kind != "deal":
                continue
            kinds = {}
            for n, unit in enumerate(row):
                if unit[1] is None and may_touch(unit):
                    kinds.setdefault((unit[0], unit[3]), []).append(n)
            numbers = list(kinds.values())
            claims = self.claims(effect, [(self.items[item], len(ns)) for (item, _), ns in kinds.items()],
                                 [(item, item.units) for item in self.items])
            # Reading: as often as one time more lowers the sum.
            found = None
            for often in sorted({c[0] for c in claims}):
                better = None
                for _, roles in (c for c in claims if c[0] == often):
                    tried, at = list(row), {}
                    for (kind, role), count in roles:
                        for _ in range(count):
                            n = numbers[kind][at.setdefault(kind, 0)]
                            at[kind] += 1
                            tried[n] = (tried[n][0], effect, role, tried[n][3])
                    result = self.outcome(used, self.classes(tried), {**times, effect: often}, on_shipping,
                                          promotion)
                    # "`best` (default; the grouping that saves the customer most)"
                    if result and (better is None or (result.objective, result.units_key())
                                   < (better[1].objective, better[1].units_key())):
                        better = (tried, result, often)
                least = found[1].objective if found else before
                if better is None or better[1].objective >= least:
                    break
                found = better
            if found:
                row, best, times[effect] = found
        return None if best is None else (used, row, times, on_shipping, best)

    def nth_from_the_start(self, classes, times):
        """Reading: an nth deal takes its units from the start of the sorted ones, without those
        that another deal claims or that a promotion touches with which it cannot share."""
        for deal in times:
            if "nth" not in deal.doc:
                continue
            sign = -1 if deal.doc.get("order", "priciest") == "priciest" else 1
            last = max(sign * self.unit_price(self.items[c[0]]) for c in classes if c[1] is deal)
            for item, other, _, effects, _ in classes:
                if (other is None and sign * self.unit_price(self.items[item]) < last
                        and self.matches(deal.doc["nth"].get("items"), self.items[item])
                        and not any(e.promotion.shuns(deal.promotion) for e in effects)):
                    return False
        return True

    # --- Steps 2 to 4: discounts ----------------------------------------------------------

    def outcome(self, used, classes, times, on_shipping, by_priority=None):
        """The result of one choice, or None where it is not permitted."""
        for promotion in used:
            if promotion not in on_shipping and not any(
                    e.kind in ("gift", "points", "message") or e in times or any(e in c[3] for c in classes)
                    for e in promotion.effects):
                return None  # it would be used for nothing
        if not self.nth_from_the_start(classes, times):
            return None
        lines = self.line_discounts(used, classes, times)
        after_line = lines.goods
        for promotion in used:
            if self.holds(promotion.when) is None and not self.holds(promotion.when, after_line):
                return None
        return self.order_discounts(used, classes, lines, on_shipping, by_priority)

    def line_discounts(self, used, classes, times):
        key = (tuple((item, deal, role, tuple(sorted(e.number for e in effects if e.kind == "markdown")),
                      count) for item, deal, role, effects, count in classes), tuple(times.items()))
        if key not in self.line_memo:
            self.line_memo[key] = self.work_line_discounts(used, classes, times)
        return self.line_memo[key]

    def work_line_discounts(self, used, classes, times):
        """'within a line: manual, markdowns, deals; within each, greater priority first, then id
        ascending'"""
        state = State(self, classes)
        for number, (item_number, _, _, _, _) in enumerate(classes):
            item = self.items[item_number]
            if item.manual and "percent" in item.manual:
                state.give(None, [([number], self.percent_of(state.left(number), item.manual["percent"]))])
        for number, numbers in group_by_item(state, range(len(classes))):
            manual = self.items[number].manual
            if manual and "amount" in manual:
                # Reading: of the item, as every amount off a line.
                state.give(None, [(numbers, manual["amount"])])
        for effect in self.effects:
            if effect.kind == "markdown" and effect.promotion in used:
                touched = [n for n, c in enumerate(classes) if effect in c[3]]
                self.apply_markdown(state, effect, touched)
        for effect in self.effects:
            if effect in times:
                self.apply_deal(state, effect, times[effect])
        state.goods = sum(map(sum, state.lefts))
        return state

    def apply_markdown(self, state, effect, touched):
        document, parts = effect.doc, []
        if "tiers" in document:
            for number, numbers in group_by_item(state, touched):
                tier = self.best_tier(document, effect, number)
                if tier:
                    parts += self.simple_parts(state, effect, tier, numbers)
        else:
            parts = self.simple_parts(state, effect, document, touched)
        state.give(effect.promotion, parts, document.get("max_amount"))

    def best_tier(self, document, effect, item_number):
        """'the best tier reached'; `count` is of the line or of all that match."""
        counted = [item_number] if document.get("count", "line") == "line" else effect.counted
        have = sum(self.items[n].thousandths for n in counted)
        reached = [t for t in document["tiers"] if thousandths(t["quantity"]) <= have]
        return max(reached, key=lambda t: thousandths(t["quantity"]), default=None)

    def simple_parts(self, state, effect, how, touched):
        """percent_off, amount_off, unit_price; 'An effect is computed on its class's whole amount
        and rounded once there'. Returns [(classes of one item, amount)]."""
        per = effect.doc.get("per", "unit")
        if "amount_off" in how and per == "line":
            return [(numbers, how["amount_off"]) for _, numbers in group_by_item(state, touched)]
        if "amount_off" in how and per == "all":
            # "`all` splits one amount over them": over the lines, and a line's over its units.
            return state.over_items(effect.promotion, touched, how["amount_off"])
        return [([n], self.class_discount(state, effect, how, n)) for n in touched]

    def class_discount(self, state, effect, how, number):
        item_number, _, _, _, count = state.classes[number]
        item = self.items[item_number]
        left = state.left(number)
        if "percent_off" in how:
            # "applies to what the earlier ones left unless its `of` says `original`"
            original = effect.doc.get("of") == "original"
            return self.percent_of(self.amount_for(item, item.price) * count if original else left,
                                   how["percent_off"])
        if "amount_off" in how:
            return self.amount_for(item, how["amount_off"]) * count
        return max(0, left - self.amount_for(item, how["unit_price"]) * count)

    def apply_deal(self, state, effect, times):
        document = effect.doc
        claimed = [n for n, c in enumerate(state.classes) if c[1] is effect]
        if "bundle" not in document or "percent_off" in document:
            parts = []
            for n in claimed:
                role = state.classes[n][2]
                if role != PAYS:
                    how = (document if "bundle" in document else document["nth"] if "nth" in document
                           else document["get"][role[1]])
                    parts.append(([n], self.class_discount(state, effect, how, n)))
            state.give(effect.promotion, parts)
            return
        # Reading: the price of a bundle is for all its repetitions together, since only classes
        # are told apart; split over the lines, and a line's over its units.
        if "price" in document:
            amount = max(0, sum(map(state.left, claimed)) - document["price"] * times)
        else:
            amount = document["amount_off"] * times
        state.give(effect.promotion, state.over_items(effect.promotion, claimed, amount))

    def order_discounts(self, used, classes, lines, on_shipping, by_priority):
        effects = [e for kind in ("order", "shipping") for e in self.effects
                   if e.kind == kind and e.promotion in used]
        key = (id(lines), tuple(e.number for e in effects), tuple(p.id for p in on_shipping),
               tuple(tuple(e.number for e in effects if e in c[3]) for c in classes))
        if key not in self.order_memo:
            state = lines.copy(classes)
            for effect in effects:
                if effect.kind == "order":
                    self.apply_order(state, effect, lines, on_shipping)
                elif effect.promotion in on_shipping:
                    self.apply_shipping(state, effect)
            gave = {promotion for (promotion, _), amount in state.given.items() if amount}
            self.order_memo[key] = (state, sum(map(sum, state.lefts)) + state.shipping, gave)
        state, objective, gave = self.order_memo[key]
        if any(p not in gave and all(e.kind not in ("gift", "points", "message") for e in p.effects)
               for p in ([by_priority] if by_priority else used)):
            return None  # Reading: what lowers nothing is not used, so nothing need give way to it.
        return Outcome(self, used, classes, state, objective)

    def apply_order(self, state, effect, lines, on_shipping):
        """'split over the lines that match'; `shipping: true` 'to bear on shipping too'"""
        document = effect.doc
        touched = [n for n, c in enumerate(state.classes) if effect in c[3]]
        items = group_by_item(state, touched)
        costs = [sum(map(state.left, numbers)) for _, numbers in items]
        bears_shipping = bool(document.get("shipping")) and effect.promotion in on_shipping
        base = sum(costs) + (state.shipping if bears_shipping else 0)
        how = document
        if "tiers" in document:
            # Reading: reached by what line discounts left of the lines that match.
            subtotal = sum(sum(lines.lefts[n]) for n, c in enumerate(state.classes) if c[0] in effect.items)
            reached = [t for t in document["tiers"] if t["subtotal"] <= subtotal]
            how = max(reached, key=lambda t: t["subtotal"], default=None)
            if how is None:
                return
        if "percent_off" in how:
            if document.get("of") == "original":
                base = sum(self.amount_for(self.items[state.classes[n][0]],
                                           self.items[state.classes[n][0]].price) * state.classes[n][4]
                           for n in touched) + (self.shipping if bears_shipping else 0)
            amount = self.percent_of(base, how["percent_off"])
        elif "amount_off" in how:
            amount = how["amount_off"]
        else:
            amount = max(0, base - how["price"])
        amount = state.within_limits(effect.promotion, amount, document.get("max_amount"))
        bearable = [sum(state.bearable(n, effect.promotion) for n in numbers) for _, numbers in items]
        if bears_shipping:
            costs, bearable = costs + [state.shipping], bearable + [state.shipping]
        shares = split_bearing(amount, costs, bearable)
        for (_, numbers), share in zip(items, shares):
            state.take(effect.promotion, numbers, share)
        if bears_shipping:
            state.take_shipping(effect.promotion, shares[-1])

    def apply_shipping(self, state, effect):
        document = effect.doc
        if "percent_off" in document:
            amount = self.percent_of(self.shipping if document.get("of") == "original" else state.shipping,
                                     document["percent_off"])
        elif "amount_off" in document:
            amount = document["amount_off"]
        else:
            amount = max(0, state.shipping - document["price"])
        amount = state.within_limits(effect.promotion, amount, document.get("max_amount"))
        state.take_shipping(effect.promotion, min(amount, state.shipping))

    # --- taxes ----------------------------------------------------------------------------

    def rates(self, category):
        """'for shipped orders the destination's rows win over the store's region'; 'a category
        without a tax row is untaxed'. Returns (code, percent, factor of the net price)."""
        if self.customer.get("tax_exempt"):
            return []
        rows = [r for r in self.book.get("taxes") or [] if r["category"] == category]
        there = self.request.get("ship_to") or {}
        shipped = [r for r in rows if r.get("ship_to") and self.request.get("fulfilment") == "ship"
                   and r["ship_to"].get("country") == there.get("country")
                   and r["ship_to"].get("region") in (None, there.get("region"))]
        local = [r for r in rows if not r.get("ship_to") and r.get("region") == self.store.get("tax_region")]
        found, so_far = [], Fraction(0)
        for row in shipped or local:
            # "Compound rates apply on price plus earlier, unrounded taxes."
            factor = Fraction(ppm(row["percent"]), MILLION) * (1 + so_far if row.get("compound") else 1)
            so_far += factor
            found.append((row["code"], str(row["percent"]), factor))
        return found

    def net_factor(self, item):
        return 1 + sum(f for _, _, f in self.rates(item.tax_category)) if self.included else Fraction(1)

    def taxes(self, parts):
        """parts: [(amount taxed, category)]. Returns the taxes of each part as {code: amount}."""
        found = [dict() for _ in parts]
        by_order = self.retailer.get("tax_rounding") == "order"
        exact = []  # (part, rate, unrounded)
        for number, (amount, category) in enumerate(parts):
            rates = self.rates(category)
            whole = 1 + sum(f for _, _, f in rates)
            part = [(code, percent, amount * f / (whole if self.included else 1)) for code, percent, f in rates]
            exact += [(number, (code, percent), tax) for code, percent, tax in part]
            if by_order or not part:
                continue
            if self.included:
                # "the whole tax of an item is rounded in total, then split over its rates by
                # largest remainder, so that net + taxes = total"
                tax = sum(t for _, _, t in part)
                whole = self.round(tax)
                amounts = proportionally(whole, [t for _, _, t in part])
            else:
                # "`tax_rounding: line` rounds each line and rate"
                amounts = [self.round(t) for _, _, t in part]
            for (code, percent, _), tax in zip(part, amounts):
                found[number][code, percent] = found[number].get((code, percent), 0) + tax
        if by_order:
            # "`order` sums unrounded per rate, rounds once, and splits back"
            for rate in dict.fromkeys(r for _, r, _ in exact):
                mine = [(n, t) for n, r, t in exact if r == rate]
                amounts = proportionally(self.round(sum(t for _, t in mine)), [t for _, t in mine])
                for (n, _), tax in zip(mine, amounts):
                    found[n][rate] = found[n].get(rate, 0) + tax
        return found

    def round(self, value):
        value = Fraction(value)
        return rounded(value.numerator, value.denominator, self.mode)

    # --- the answer -----------------------------------------------------------------------

    def answer(self, best=None):
        best = best or self.choose()
        items = [self.item_answer(best, n) for n in range(len(self.items))]
        gifts = [g for g in map(self.gift_answer, best.effects("gift")) if g]
        parts, owners = [], []
        for number, entry in enumerate(items + gifts):
            parts.append((entry.pop("taxed"), entry.pop("tax_category")))
            owners.append(entry)
            for fee in entry.pop("fee_parts"):
                # "never discounted, taxed by their own category"
                parts.append(fee)
                owners.append(entry)
        before = sum(amount for (promotion, n), amount in best.state.given.items()
                     if n is None and promotion.taxed_before and not self.included)
        parts.append((best.state.shipping + before, self.retailer.get("shipping_tax_category")))
        owners.append(None)
        taxes, shipping_tax, total_tax, by_code = self.taxes(parts), 0, 0, {}
        for owner, tax in zip(owners, taxes):
            total_tax += sum(tax.values())
            for (code, percent), amount in tax.items():
                by_code[code] = by_code.get(code, 0) + amount
                if owner is not None:
                    owner["taxes"][code] = owner["taxes"].get(code, 0) + amount
                else:
                    shipping_tax += amount
        entries = items + gifts
        fees = sum(e["fees"] for e in entries)
        goods = sum(e["total"] for e in entries)
        total = goods + fees + best.state.shipping + (0 if self.included else total_tax)
        return {
            "items": entries,
            "shipping": {"amount": self.shipping, "discount": self.shipping - best.state.shipping,
                         "total": best.state.shipping, "tax": shipping_tax},
            "subtotal": sum(e["subtotal"] for e in entries),
            "discount": sum(e["discount"] for e in entries) + self.shipping - best.state.shipping,
            "fees": fees, "tax": total_tax, "taxes": {k: v for k, v in sorted(by_code.items()) if v},
            "total": total, "cash_total": self.cash(total), "points": best.points,
            "objective": best.objective, "tax_included": self.included,
            "promotions": best.promotion_answer(gifts),
            "used": [p.id for p in self.promotions if p in best.used],
            "coupons": {code: self.coupon_status(code) for code in self.request.get("coupons") or []},
        }

    def cash(self, total):
        """'for cash the rounded `cash_total`'"""
        step = self.retailer.get("cash_rounding") or 1
        return rounded(total, step, self.mode) * step

    def item_answer(self, best, number):
        item = self.items[number]
        units, before = [], 0
        for n, c in enumerate(best.classes):
            if c[0] == number:
                units += best.state.lefts[n]
                # "taxes the price before this discount (a manufacturer's coupon), for
                # tax-excluded lists only"
                before += sum(amount for (promotion, m), amount in best.state.given.items()
                              if m == n and promotion and promotion.taxed_before)
        total = sum(units)
        fees = [(self.amount_for(item, f["amount"]) * item.units, f.get("tax_category"))
                for f in item.product.get("fees") or []]
        return {"lines": [line for line, _ in item.lines], "sku": item.sku, "unit_price": item.price,
                "list_price": item.list_price, "subtotal": self.subtotal(item),
                "discount": self.subtotal(item) - total, "total": total, "units": sorted(units, reverse=True),
                "measured": item.measured, "fees": sum(a for a, _ in fees), "fee_parts": fees, "taxes": {}, "gift": None,
                "taxed": total + (0 if self.included else before), "tax_category": item.tax_category}

    def gift_answer(self, effect):
        """'adds the item as its own line at its price, wholly discounted'"""
        sku = effect.doc["gift"]["sku"]
        quantity = self.gift_quantity(effect)
        price, list_price, _ = self.price_of(sku, {})
        product = self.products[sku]
        fees = [(f["amount"] * quantity, f.get("tax_category")) for f in product.get("fees") or []]
        return {"lines": [], "sku": sku, "unit_price": price, "list_price": list_price,
                "subtotal": price * quantity, "discount": price * quantity, "total": 0,
                "units": [0] * quantity, "fees": sum(a for a, _ in fees), "fee_parts": fees, "taxes": {},
                "gift": effect.promotion.id,
                # "taxes the price before this discount"
                "taxed": 0 if self.included or not effect.promotion.taxed_before else price * quantity, "tax_category": product.get("tax_category")}


class State:
    """What each unit still costs, class by class, and what each promotion gave."""

    def __init__(self, quote, classes):
        self.quote, self.classes = quote, classes
        self.lefts = [[quote.amount_for(quote.items[c[0]], quote.items[c[0]].price)] * c[4] for c in classes]
        self.shipping = quote.shipping
        self.margins = [None] * len(classes)  # the highest of the floors that came so far
        self.given = {}  # (promotion, class number) -> amount; class None is shipping

    def copy(self, classes):
        other = State(self.quote, classes)
        other.lefts = [list(units) for units in self.lefts]
        other.given = dict(self.given)
        other.margins = list(self.margins)
        return other

    def left(self, number):
        return sum(self.lefts[number])

    def amount_of(self, promotion):
        return sum(amount for (p, _), amount in self.given.items() if p is promotion)

    def within_limits(self, promotion, amount, cap):
        """'`max_amount` caps the whole'. Reading: so does a limit of `amount` per order."""
        if promotion and promotion.max_amount is not None:
            amount = min(amount, promotion.max_amount - self.amount_of(promotion))
        return amount if cap is None else min(amount, cap)

    def bearable(self, number, promotion):
        """'a product's min_price does always'; '`floor` stops discounts where the net price after
        all of them would fall under cost ÷ (1 − margin)'. Reading: once a promotion with a floor
        has come to a unit, that floor stops all that come after it, too; a cost is in the retailer's
        currency, and held against no price in another."""
        item_number, _, _, _, count = self.classes[number]
        item = self.quote.items[item_number]
        product = item.product
        share = Fraction(count * (item.thousandths if item.measured else 1000), 1000)
        least = self.quote.amount_for(item, product.get("min_price") or 0) * count
        margins = [m for m in (self.margins[number], promotion and promotion.margin) if m is not None]
        if margins and product.get("cost") is not None and self.quote.request["currency"] == self.quote.retailer["currency"]:
            net = Fraction(product["cost"] * MILLION, MILLION - max(margins))
            least = max(least, net * share * self.quote.net_factor(item))
        return max(0, self.left(number) - math.ceil(least))

    def give(self, promotion, parts, cap=None):
        """A line discount: parts are [(classes of one item, amount)]; what a class cannot bear is
        not given."""
        parts = [(numbers, min(amount, sum(self.bearable(n, promotion) for n in numbers)))
                 for numbers, amount in parts]
        whole = sum(amount for _, amount in parts)
        allowed = self.within_limits(promotion, whole, cap)
        most = {}
        if allowed < whole:
            # Reading: what is capped leaves no class with less than the effect alone would.
            most = {numbers[0]: amount for numbers, amount in parts if len(numbers) == 1}
            items = {}
            for numbers, amount in parts:
                had, sum_of = items.get(self.classes[numbers[0]][0], ([], 0))
                items[self.classes[numbers[0]][0]] = (had + numbers, sum_of + amount)
            parts = list(items.values())
            shares = split_bearing(allowed, [sum(map(self.left, ns)) for ns, _ in parts], [a for _, a in parts])
            parts = [(numbers, share) for (numbers, _), share in zip(parts, shares)]
        for numbers, amount in parts:
            self.take(promotion, numbers, amount, most)

    def over_items(self, promotion, numbers, amount):
        """One amount split over the items of these classes: 'parts sum to the whole exactly'.
        Reading: so what one cannot bear goes to the others, as with an order discount."""
        items = group_by_item(self, numbers)
        shares = split_bearing(amount, [sum(map(self.left, ns)) for _, ns in items],
                               [sum(self.bearable(n, promotion) for n in ns) for _, ns in items])
        return [(ns, share) for (_, ns), share in zip(items, shares)]

    def take(self, promotion, numbers, amount, most=None):
        """'a line's over its units'. Reading: over its classes, and 'splitting then gives each
        unit's share'."""
        if promotion and promotion.margin is not None:
            for n in numbers:
                self.margins[n] = max(self.margins[n] or 0, promotion.margin)
        shares = split_bearing(amount, [self.left(n) for n in numbers],
                               [min(self.bearable(n, promotion), (most or {}).get(n, math.inf)) for n in numbers])
        for n, share in zip(numbers, shares):
            self.lefts[n] = [left - part for left, part in zip(self.lefts[n], split(share, self.lefts[n]))]
            self.given[promotion, n] = self.given.get((promotion, n), 0) + share

    def take_shipping(self, promotion, amount):
        self.shipping -= amount
        self.given[promotion, None] = self.given.get((promotion, None), 0) + amount


class Outcome:
    def __init__(self, quote, used, classes, state, objective):
        self.quote, self.used, self.classes, self.state = quote, used, classes, state
        self.objective = objective
        self._points = None

    def effects(self, kind):
        return [e for e in self.quote.effects if e.kind == kind and e.promotion in self.used]

    @property
    def points(self):
        """'one point for each so many minor units paid for goods'"""
        if self._points is None:
            per = self.quote.retailer.get("points_per")
            points = Fraction(sum(map(sum, self.state.lefts)) // per if per else 0)
            for cls in CLASSES:  # "Classes in the order line, order, shipping"
                for effect in self.effects("points"):
                    if effect.promotion.cls == cls:
                        points = points * Fraction(str(effect.doc["points"].get("multiply", 1)))
                        points += effect.doc["points"].get("add", 0)
            self._points = int(points)
        return self._points

    def rank(self):
        return (self.objective, -self.points, self.used_key(), self.units_key())

    def used_key(self):
        """Reading: at the first promotion in which two sets differ, the one that has it is first."""
        return tuple(0 if p in self.used else 1 for p in self.quote.promotions)

    def units_key(self):
        """'then the earliest units in canonical order'. Reading: those that promotions touch, in
        order of promotions; of the same ones, those that its deals reward."""
        key = []
        for promotion in self.quote.promotions:
            mine = []
            for item, deal, role, effects, count in self.classes:
                own = deal is not None and deal.promotion is promotion
                if own or any(e.promotion is promotion for e in effects):
                    mine += [(item, 0 if own and role != PAYS else 1)] * count
            key.append((sorted(i for i, _ in mine), sorted(mine)))
        return key

    def promotion_answer(self, gifts):
        amounts = {}
        for (promotion, _), amount in self.state.given.items():
            if promotion:
                amounts[promotion.id] = amounts.get(promotion.id, 0) + amount
        for gift in gifts:
            amounts[gift["gift"]] = amounts.get(gift["gift"], 0) + gift["discount"]
        return {k: v for k, v in sorted(amounts.items()) if v}


# --- small helpers ------------------------------------------------------------------------

def listed(value):
    return value if isinstance(value, list) else [value]


def any_of(selector, values):
    """'An empty or missing selector list means any'"""
    return not selector or any(v in selector for v in values)


def within(value, limits, scale=1):
    """{min, max}, both included."""
    if not limits:
        return True
    low, high = limits.get("min"), limits.get("max")
    return ((low is None or value >= Fraction(str(low)) * scale)
            and (high is None or value <= Fraction(str(high)) * scale))


def picks(size, available):
    """Every way to take `size` units out of so many of each kind, as counts."""
    if not available:
        if size == 0:
            yield ()
        return
    for count in range(min(size, available[0]) + 1):
        for rest in picks(size - count, available[1:]):
            yield (count,) + rest


def packings(ways, free):
    """'a unit belongs to at most one deal, once': every way to give each deal one of its claims
    or none."""
    if not ways:
        yield []
        return
    yield from packings(ways[1:], free)
    for deal, claim in ways[0]:
        left = list(free)
        for (kind, _), count in claim[1]:
            left[kind] -= count
        if min(left) >= 0:
            for rest in packings(ways[1:], left):
                yield [(deal, claim)] + rest


def arrangements(units):
    """Every order of these units that can be told apart."""
    if not units:
        yield ()
    for first in dict.fromkeys(units):
        rest = list(units)
        rest.remove(first)
        for order in arrangements(rest):
            yield (first,) + order


def group_by_item(state, numbers):
    items = {}
    for n in numbers:
        items.setdefault(state.classes[n][0], []).append(n)
    return sorted(items.items())


def proportionally(whole, exact):
    """Splits a rounded sum over its unrounded parts, by largest remainder."""
    if not any(exact):
        return [0] * len(exact)
    ideal = [whole * part / sum(exact) for part in exact]
    shares = [part.__floor__() for part in ideal]
    order = sorted(range(len(exact)), key=lambda i: -(ideal[i] - shares[i]))
    for i in order[:whole - sum(shares)]:
        shares[i] += 1
    return shares


def unit_key(unit):
    """Reading: of an item, deals buy and bundle the first units and reward the last ones; in
    between stand those that no deal has. Of units in one place those come first that the first
    discount touches in which they differ."""
    item, deal, role, effects = unit[:4]
    if deal is None:
        place = (0,)
    elif role[0] == "2-got":
        place = (1, -deal.number, -role[1])
    else:
        place = (-1, deal.number)
    touching = [(0 if e.kind == "markdown" else 1, e.number) if isinstance(e, Effect) else e.rank() for e in effects]
    return (item, place, sorted(touching) + [(math.inf,)])


def read_json(text):
    return json.loads(text, parse_float=Fraction)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        book = read_json(file.read())
    for line in sys.stdin:
        print(json.dumps(Quote(book, read_json(line)).answer(), default=str), flush=True)


if __name__ == "__main__":
    main()
