#!/usr/bin/env python3
"""Random small books and carts, the same for the same seed.

usage: generator.py SEED [COUNT]     what COUNT carts from SEED on are like
       generator.py --print SEED     one book and its request, as {"book":…, "request":…}
"""

import collections
import json
import random
import sys

import oracle

CATEGORIES = [{"code": "goods", "parent": None}, {"code": "clothing", "parent": "goods"},
              {"code": "shoes", "parent": "clothing"}, {"code": "food", "parent": "goods"},
              {"code": "fruit", "parent": "food"}]
PRICES = [35, 95, 100, 199, 250, 299, 333, 450, 499, 777, 999, 1000, 1250, 1999, 2495, 4999]
GIFT = "Z-GIFT"


def cart(seed):
    """A book with one retailer, and one request for it."""
    return Shop(random.Random(seed)).make()


class Shop:
    def __init__(self, rng):
        self.rng = rng

    def one(self, *values):
        return self.rng.choice(values)

    def often(self, share):
        return self.rng.random() < share

    def make(self):
        self.mix = self.often(0.3)
        self.included = self.often(0.7)
        self.currency = self.one("GBP", "GBP", "EUR", "JPY", "KWD")
        self.products = [self.product(f"S{n}") for n in range(1, self.rng.randint(3, 5))]
        if self.often(0.15) and not self.mix:
            self.products.append(self.product("W1", "kg"))
        # What nothing but a gift matches has no part in conditions or price breaks.
        gift = {"sku": GIFT, "name": "Gift", "unit": "each", "tax_category": "standard",
                "categories": [], "brand": "gift", "tags": []}
        lists, prices = self.prices()
        self.lines = self.make_lines()
        promotions = self.mixed_deals() if self.mix else self.some_promotions()
        for number, promotion in enumerate(promotions):
            promotion["id"] = f"p{number + 1}"
            promotion.setdefault("name", promotion["id"])
        self.rng.shuffle(promotions)
        coupons = self.coupons(promotions)
        book = {
            "retailer": {"code": "acme", "currency": self.currency, "timezone": "Europe/London",
                         "rounding": self.one("half_up", "half_up", "half_even", "down"),
                         "tax_rounding": self.one("line", "order"),
                         "optimise": "priority" if self.often(0.12) else "customer",
                         "cash_rounding": self.one(1, 5), "shipping_tax_category": self.one("standard", "reduced"),
                         "points_per": self.one(1, 10, 100)},
            "stores": [{"code": "london", "tax_region": "GB", "timezone": "Europe/London"},
                       {"code": "york", "tax_region": "NY", "timezone": "America/New_York"}],
            "categories": CATEGORIES,
            "products": self.products + [gift],
            "price_lists": lists, "prices": prices,
            "taxes": self.taxes(), "promotions": promotions, "coupons": coupons,
        }
        return book, self.request(coupons)

    # --- products and prices ---

    def product(self, sku, unit="each"):
        one = {"sku": sku, "name": sku, "unit": unit, "brand": self.one("a", "b"),
               "categories": [self.one("clothing", "shoes", "food", "fruit")],
               "tags": [t for t in ("new", "eco") if self.often(0.4)],
               "attributes": {"colour": self.one("red", "blue")},
               "tax_category": self.one("standard", "standard", "reduced", "none"),
               "weight_grams": self.one(100, 250, 900)}
        one["price"] = self.one(*PRICES)
        if self.often(0.3):
            one["cost"] = one["price"] * self.rng.randint(30, 90) // 100
        if self.often(0.15):
            one["min_price"] = one["price"] * self.rng.randint(20, 90) // 100
        if self.often(0.12) and unit == "each":
            one["fees"] = [{"code": "deposit", "amount": self.one(8, 25), "tax_category": self.one("standard", "reduced")}]
        return one

    def prices(self):
        lists = [{"code": "base", "currency": self.currency, "tax_included": self.included, "priority": 0}]
        if self.often(0.3):
            lists.append({"code": "club", "currency": self.currency, "tax_included": self.included, "priority": 5,
                          "customer_groups": ["staff"] if self.often(0.5) else [],
                          "channels": ["web"] if self.often(0.3) else [],
                          "stores": ["york"] if self.often(0.2) else [],
                          "until": self.one(None, "2026-11-27T00:00:00Z")})
        rows = [{"sku": GIFT, "list": "base", "amount": 500}]
        for product in self.products:
            price, sku = product.pop("price"), product["sku"]
            rows.append({"sku": sku, "list": "base", "amount": price, "kind": "regular"})
            if self.often(0.2):
                rows.append({"sku": sku, "list": "base", "amount": price * 8 // 10, "kind": "sale",
                             "until": self.one(None, None, "2026-11-27T00:00:00Z")})
            if self.often(0.2):
                rows.append({"sku": sku, "list": "base", "amount": price * 9 // 10, "min_quantity": self.one(2, 3),
                             "kind": self.one("regular", "sale")})
            if len(lists) > 1 and self.often(0.7):
                rows.append({"sku": sku, "list": "club", "amount": price * 85 // 100, "kind": "regular"})
        if len(lists) > 1:
            rows.append({"sku": GIFT, "list": "club", "amount": 400, "kind": "regular"})
        return lists, rows

    def taxes(self):
        rows = [{"region": region, "category": "standard", "code": "vat", "percent": self.one(20, 19, 8.875)}
                for region in ("GB", "NY")]
        rows += [{"region": region, "category": "reduced", "code": "vat-low", "percent": self.one(5, 7)}
                 for region in ("GB", "NY")]
        if self.often(0.3):
            rows.append({"region": "GB", "category": "standard", "code": "local", "percent": self.one(1, 9.975),
                         "compound": self.often(0.6)})
        if self.often(0.2):
            rows += [{"ship_to": {"country": "FR"}, "category": category, "code": "tva", "percent": 20}
                     for category in ("standard", "reduced")]
        return rows

    def coupons(self, promotions):
        found = []
        for promotion in promotions:
            if promotion.get("coupon"):
                found.append({"code": "C" + promotion["id"].upper(), "promotions": [promotion["id"]],
                              "remaining": self.one(None, 5, 5, 0), "from": None,
                              "until": self.one(None, None, None, "2026-11-01T00:00:00Z")})
        return found

    # --- the request ---

    def make_lines(self):
        lines, left = [], self.rng.randint(4, 7)
        while left > 0 and len(lines) < 5:
            product = self.one(*self.products)
            line = {"id": str(len(lines) + 1), "sku": product["sku"]}
            if product["unit"] == "each":
                quantity = min(left, self.one(1, 1, 2, 2, 3))
                line["quantity"] = quantity
                left -= quantity
            else:
                line["quantity"] = self.one(0.354, 1.25, 2)
                left -= 1
            if self.often(0.06):
                line["attributes"] = {"engraved": "yes"}
            if self.often(0.05):
                line["price_override"] = {"amount": self.one(50, 900), "reason": "damaged"}
            if self.often(0.07):
                line["discount"] = {"reason": "kind", **self.one({"percent": 10}, {"percent": 33.3}, {"amount": 20})}
            if self.often(0.05):
                line["tax_category"] = self.one("none", "reduced")
            lines.append(line)
        return lines

    def request(self, coupons):
        request = {"currency": self.currency, "store": self.one("london", "london", "york"),
                   "channel": self.one("web", "till"), "at": self.one("2026-11-27T09:00:00Z", "2026-11-27T23:30:00Z",
                                                                    "2026-12-01T18:15:00Z"),
                   "coupons": [c["code"].lower() if self.often(0.5) else c["code"] for c in coupons if self.often(0.8)],
                   "tenders": self.one(["card"], ["cash"], []), "fulfilment": self.one("ship", "carry"),
                   "attributes": {"source": self.one("app", "ad")}, "lines": self.lines}
        if request["fulfilment"] == "ship":
            request["ship_to"] = {"country": self.one("GB", "FR"), "region": None}
            request["shipping"] = {"method": self.one("standard", "express"), "amount": self.one(0, 395, 495, 990)}
        if self.often(0.6):
            request["customer"] = {"id": self.one("cus_1", "cus_2"), "groups": self.one(["staff"], [], ["vip", "staff"]),
                                   "orders": self.rng.randint(0, 4), "birthday": self.one("1990-11-27", "1985-02-03"),
                                   "tax_exempt": self.often(0.1)}
        return request

    # --- filters and conditions ---

    def filter(self, wide=False):
        if self.often(0.4 if wide else 0.15):
            return {}
        kind = self.one("sku", "sku", "sku", "category", "category", "brand", "tag", "attribute", "unit_price",
                        "on_sale", "not", "two")
        skus = [p["sku"] for p in self.products]
        if kind == "sku":
            return {"sku": self.rng.sample(skus, min(len(skus), self.rng.randint(2 if wide else 1, 3)))}
        if kind == "category":
            return {"category": [self.one("goods", "clothing", "clothing", "shoes", "food", "food")]}
        if kind == "brand":
            return {"brand": [self.one("a", "b")]}
        if kind == "tag":
            return {"tag": [self.one("new", "eco")]}
        if kind == "attribute":
            return {"attribute": self.one({"colour": ["red"]}, {"colour": ["red", "blue"]}, {"engraved": ["yes"]})}
        if kind == "unit_price":
            return {"unit_price": self.one({"min": 250}, {"max": 1000}, {"min": 100, "max": 2000})}
        if kind == "on_sale":
            return {"on_sale": self.one(True, False, False)}
        if kind == "not":
            return {"not": self.one({"sku": [skus[0]]}, {"brand": ["b"]}, {"category": ["food"]})}
        return {"brand": [self.one("a", "b")], "unit_price": {"min": 100}}

    def condition(self, cls, depth=0):
        kinds = ["items", "amount", "line", "distinct", "before", "weight", "customer", "store", "channel",
                 "tender", "fulfilment", "ship_to", "attribute"]
        if depth < 2:
            kinds += ["all", "any", "not"]
        if cls != "line":
            kinds += ["after"] * 4
        kind = self.one(*kinds)
        if kind in ("all", "any"):
            return {kind: [self.condition(cls, depth + 1) for _ in range(2)]}
        if kind == "not":
            return {"not": self.condition(cls, depth + 1)}
        if kind == "items":
            return {"items": self.filter(True), "quantity": self.one({"min": 1}, {"min": 2}, {"min": 1, "max": 4})}
        if kind == "amount":
            return {"items": self.filter(True), "amount": {"min": self.one(100, 1000, 2500)}}
        if kind == "line":
            return {"line": self.filter(True), "quantity": {"min": self.one(1, 2, 3)}}
        if kind == "distinct":
            return {"distinct": self.filter(True), "min": self.one(1, 2, 3)}
        if kind == "before":
            return {"subtotal": self.one({"min": 500}, {"min": 3000}, {"max": 9000}), "after": "none"}
        if kind == "after":
            limits = self.one({"min": self.one(500, 1000, 2000, 3000, 5000)}, {"max": self.one(3000, 9000)})
            return {"subtotal": limits} if self.often(0.5) else {"subtotal": limits, "after": "line"}
        if kind == "weight":
            return {"weight_grams": self.one({"min": 500}, {"max": 3000})}
        if kind == "customer":
            return {"customer": self.one({"groups": ["staff"]}, {"ids": ["cus_1"]}, {"orders": {"max": 2}},
                                         {"birthday": True}, {"known": True}, {"groups": ["vip"], "orders": {"min": 1}})}
        if kind == "store":
            return {"store": self.one(["london"], ["london", "york"])}
        if kind == "channel":
            return {"channel": ["web"]}
        if kind == "tender":
            return {"tender": self.one(["card"], ["cash", "card"])}
        if kind == "fulfilment":
            return {"fulfilment": ["ship"]}
        if kind == "ship_to":
            return {"ship_to": {"country": ["GB"]}}
        return {"attribute": {"source": ["app"]}}

    # --- promotions ---

    def some_promotions(self):
        deals, found = 0, []
        for _ in range(self.rng.randint(2, 6)):
            kind = self.one("markdown", "markdown", "deal", "deal", "deal", "order", "order", "shipping", "other")
            if kind == "deal" and deals == 3:
                kind = "order"
            deals += kind == "deal"
            found.append(getattr(self, kind)())
        return found

    def mixed_deals(self):
        """A mix-and-match deal whose units at least three other deals want too."""
        found = [self.promotion("line", [self.mix_and_match()])]
        found[0]["name"] = "mix"
        for _ in range(3):
            effect = self.wide_deal()
            found.append(self.promotion("line", [effect]))
        for promotion in found:
            for key in ("when", "active", "coupon"):
                promotion.pop(key, None)
        if self.often(0.6):
            found.append(self.one(self.order, self.shipping, self.markdown)())
        return found

    def mix_and_match(self):
        effect = {"bundle": [{"items": {}, "quantity": self.one(2, 2, 3)}], **self.bundle_price(3)}
        if self.often(0.6):
            effect["repeat"] = self.one(1, 1, 2)
        return effect

    def wide_deal(self):
        kind = self.one("nth", "buy", "bundle")
        some = {"sku": sorted({self.lines[0]["sku"]} | {p["sku"] for p in self.products if self.often(0.7)})}
        some = self.one({}, some)
        if kind == "nth":
            group = self.one(2, 2, 3)
            return {"nth": {"items": some, "group": group, "position": group, **self.reward()},
                    "order": self.one("priciest", "priciest", "cheapest")}
        if kind == "buy":
            return {"buy": [{"items": some, "quantity": 1}], "get": [{"items": {}, "quantity": 1, **self.reward()}],
                    "repeat": self.one(1, 1, 2)}
        return {"bundle": [{"items": some, "quantity": 1}, {"items": {}, "quantity": 1}], **self.bundle_price(2),
                "repeat": self.one(1, 1, 2)}

    def promotion(self, cls, effects):
        one = {"class": cls, "priority": self.rng.randint(0, 3), "then": effects}
        stacking = self.one("combine", "combine", "combine", "combine", "group", "group", "exclusive", "exclusive", "alone")
        if self.mix and stacking != "group" and self.often(0.7):
            stacking = "combine"
        if stacking == "group":
            one["group"] = self.one("g", "h", "g")
        else:
            one["stacking"] = stacking
        if self.often(0.25 if not self.mix else 0.05):
            one["when"] = self.condition(cls)
        if self.often(0.1):
            one["active"] = self.one({"weekdays": ["fri", "sat"]}, {"hours": [["17:00", "24:00"]]},
                                     {"hours": [["08:00", "20:00"]]}, {"from": "2026-11-27T09:00:00"},
                                     {"until": "2026-12-01T00:00:00", "weekdays": ["fri"]})
        if self.often(0.08):
            one["coupon"] = True
        if self.often(0.12):
            one["limits"] = [self.one({"max": self.one(1, 2), "of": "uses", "per": "order"},
                                      {"max": self.one(100, 333, 1000), "of": "amount", "per": "order"})]
        if self.often(0.1) and cls != "shipping":
            one["floor"] = {"margin_percent": self.one(5, 12.5, 30)}
        if not self.included and self.often(0.15) and cls != "shipping":
            one["tax_basis"] = "before"
        return one

    def reward(self):
        return self.one({"percent_off": self.one(100, 50, 33.3, 20)}, {"percent_off": 100},
                        {"amount_off": self.one(50, 150, 500)}, {"unit_price": self.one(10, 99, 300)})

    def bundle_price(self, units):
        return self.one({"price": self.one(199, 500, 999, 1500)}, {"price": units * self.one(50, 100, 250, 333)},
                        {"percent_off": self.one(10, 15, 33.3)}, {"amount_off": self.one(75, 200, 400)})

    def markdown(self):
        effects = [self.markdown_effect()]
        if self.often(0.1):
            effects.append(self.markdown_effect())
        if self.often(0.08):
            effects.append({"points": {"add": 10}})
        if self.often(0.06):
            effects[0]["when"] = self.condition("line")
        return self.promotion("line", effects)

    def markdown_effect(self):
        kind = self.one("percent", "percent", "unit", "line", "all", "unit_price", "tiers")
        effect = {"items": self.filter()}
        if kind == "percent":
            effect["percent_off"] = self.one(5, 10, 12.5, 20, 33.3333, 50)
            if self.often(0.2):
                effect["of"] = self.one("original", "price")
        elif kind in ("unit", "line", "all"):
            effect |= {"amount_off": self.one(5, 33, 100, 250), "per": kind}
        elif kind == "unit_price":
            effect["unit_price"] = self.one(50, 90, 300, 900)
        else:
            how = self.one("percent_off", "amount_off")
            effect |= {"tiers": [{"quantity": 1, how: 5}, {"quantity": 2, how: 12}, {"quantity": 4, how: 25}],
                       "count": self.one("line", "all")}
        if kind != "tiers" and self.often(0.25):
            effect["max_units"] = self.one(1, 2)
            if self.often(0.6):
                effect["choose"] = self.one("best", "cheapest", "priciest")
        if self.often(0.15):
            effect["max_amount"] = self.one(50, 150, 400)
        return effect

    def deal(self):
        kind = self.one("buy", "buy", "buy amount", "nth", "bundle", "bundle")
        if kind == "nth":
            group = self.one(2, 3)
            effect = {"nth": {"items": self.filter(True), "group": group, "position": self.rng.randint(1, group),
                              **self.reward()}, "order": self.one("priciest", "cheapest")}
        elif kind == "bundle":
            parts = [{"items": self.filter(True), "quantity": self.one(1, 1, 2)} for _ in range(self.one(1, 2, 2))]
            effect = {"bundle": parts, **self.bundle_price(sum(p["quantity"] for p in parts))}
        else:
            bought = {"items": self.filter(True)} | ({"amount": self.one(300, 1000)} if kind == "buy amount"
                                                    else {"quantity": self.one(1, 1, 2)})
            effect = {"buy": [bought], "get": [{"items": self.filter(True), "quantity": 1, **self.reward()}]}
        if "nth" not in effect and self.often(0.5):
            effect["repeat"] = self.one(1, 2)
        if "nth" not in effect and self.often(0.2):
            effect["choose"] = self.one("cheapest", "priciest", "best")
        return self.promotion("line", [effect] + ([{"message": "lucky"}] if self.often(0.05) else []))

    def order(self):
        kind = self.one("percent", "percent", "amount", "price", "tiers")
        if kind == "percent":
            effect = {"percent_off": self.one(5, 10, 12.5, 25)}
        elif kind == "amount":
            effect = {"amount_off": self.one(50, 333, 500)}
        elif kind == "price":
            effect = {"price": self.one(500, 2000, 5000)}
        else:
            how = self.one("percent_off", "amount_off")
            effect = {"tiers": [{"subtotal": 500, how: 3}, {"subtotal": 2000, how: 10}, {"subtotal": 4000, how: 20}]}
        if self.often(0.4):
            effect["items"] = self.filter(True)
        if self.often(0.2):
            effect["max_amount"] = self.one(50, 250)
        if self.often(0.15):
            effect["shipping"] = True
        return self.promotion("order", [effect] + ([{"points": {"multiply": 2}}] if self.often(0.08) else []))

    def shipping(self):
        effect = self.one({"percent_off": self.one(100, 50, 33)}, {"amount_off": self.one(100, 500)},
                          {"price": self.one(0, 199)})
        if self.often(0.25):
            effect["methods"] = ["standard"]
        return self.promotion("shipping", [effect])

    def other(self):
        kind = self.one("gift", "points", "message")
        if kind == "gift":
            gift = {"sku": GIFT, "quantity": self.one(1, 2)}
            if self.often(0.5):
                gift["per"] = {"items": self.filter(True), "quantity": self.one(2, 3)}
            return self.promotion("line", [{"gift": gift}])
        if kind == "points":
            return self.promotion(self.one("line", "order"), [{"points": self.one({"multiply": 2}, {"multiply": 3}, {"add": 50})}])
        return self.promotion(self.one("line", "order", "shipping"), [{"message": "hello"}])


# --- what was made ------------------------------------------------------------------------

def features(book, request):
    """The words of the page that a book and its request use."""
    retailer, found = book["retailer"], set()
    found |= {f"{key} {retailer[key]}" for key in ("optimise", "rounding", "tax_rounding", "cash_rounding")}
    found.add("currency " + retailer["currency"])
    found.add("tax included" if book["price_lists"][0]["tax_included"] else "tax excluded")
    found |= {"compound tax" for t in book["taxes"] if t.get("compound")}
    found |= {"destination's tax" for t in book["taxes"] if t.get("ship_to")}
    for product in book["products"]:
        found |= {"product " + key for key in ("cost", "min_price", "fees") if product.get(key)}
    found |= {"sale price" for p in book["prices"] if p.get("kind") == "sale"}
    found |= {"quantity price" for p in book["prices"] if p.get("min_quantity", 1) > 1}
    found |= {"list " + l["code"] for l in book["price_lists"]}
    for line in request["lines"]:
        found |= {"line " + key for key in ("price_override", "discount", "tax_category", "attributes") if line.get(key)}
        if not isinstance(line["quantity"], int) or line["sku"].startswith("W"):
            found.add("measured line")
    if (request.get("customer") or {}).get("tax_exempt"):
        found.add("tax exempt")
    for promotion in book["promotions"]:
        cls = promotion["class"]
        found.add("stacking " + ("group" if promotion.get("group") else promotion["stacking"]) + " " + cls)
        found |= {"promotion " + key for key in ("when", "coupon", "floor", "tax_basis") if promotion.get(key)}
        found |= {"active " + key for key in promotion.get("active") or {}}
        found |= {f"limit {one['of']} per {one['per']}" for one in promotion.get("limits") or []}
        conditions_in(promotion.get("when"), found)
        for effect in promotion["then"]:
            conditions_in(effect.get("when"), found)
            found |= {"effect's when" for _ in [0] if effect.get("when")}
            effect_in(cls, effect, found)
    return found


def effect_in(cls, effect, found):
    for name in ("gift", "message", "points"):
        if name in effect:
            found.add(name)
    if "points" in effect:
        found |= {"points " + key for key in effect["points"]}
    if "per" in effect.get("gift", {}):
        found.add("gift per")
    for name in ("buy", "get", "bundle"):
        for part in effect.get(name, []):
            filters_in(part.get("items"), found)
            found |= {f"deal {name} {key}" for key in part if key != "items"}
    deal = "bundle" if "bundle" in effect else "nth" if "nth" in effect else "buy" if "buy" in effect else None
    for key in effect.get("nth", {}):
        found.add("deal nth " + key)
    if deal:
        found |= {f"deal {deal} {key}" + (f" {effect[key]}" if key in ("choose", "order") else "")
                  for key in effect if key not in ("bundle", "nth", "buy", "get")}
    else:
        filters_in(effect.get("items"), found)
        found |= {f"{cls} {key}" + (f" {effect[key]}" if key in ("choose", "per", "of", "count") else "")
                  for key in effect if key not in ("items", "gift", "message", "points", "when")}


def filters_in(wanted, found):
    if wanted is not None:
        found |= {"filter " + key for key in wanted} or {"filter {}"}


def conditions_in(condition, found):
    for key, value in (condition or {}).items():
        if key in ("all", "any"):
            for one in value:
                conditions_in(one, found)
        elif key == "not":
            conditions_in(value, found)
        elif key == "customer":
            found |= {"condition customer " + fact for fact in value}
        if key not in ("min", "after"):
            after = " after " + condition.get("after", "line") if key == "subtotal" else ""
            found.add("condition " + key + after)


def deal_overlaps(quote):
    """For each deal of a cart, with how many other deals it shares a unit it could claim."""
    reach = {}
    for effect in quote.effects:
        if effect.kind == "deal":
            filters = ([effect.doc["nth"].get("items")] if "nth" in effect.doc
                       else [p.get("items") for p in quote.parts(effect.doc)])
            reach[effect] = {n for n, item in enumerate(quote.items) for f in filters if quote.matches(f, item)}
    return {deal: sum(1 for other in reach if other is not deal and reach[deal] & reach[other]) for deal in reach}


def report(seed, count):
    seen, greedy, deals, wide, mixes, narrow, units = collections.Counter(), 0, 0, 0, 0, 0, 0
    for number in range(seed, seed + count):
        book, request = cart(number)
        seen.update(features(book, request))
        mix_deals = [p["id"] for p in book["promotions"] if p["name"] == "mix"]
        book, request = oracle.read_json(json.dumps(book)), oracle.read_json(json.dumps(request))
        quote = oracle.Quote(book, request)
        units += sum(i.units for i in quote.items)
        greedy += min(r.objective for r in quote.outcomes()) < quote.by_priority().objective
        for deal, others in deal_overlaps(quote).items():
            deals, wide = deals + 1, wide + (others >= 3)
            if deal.promotion.id in mix_deals:
                mixes, narrow = mixes + 1, narrow + (others < 3)
    print(f"{count} carts from seed {seed}: {units / count:.1f} units each")
    print(f"greedy is not the optimum: {100 * greedy / count:.1f} %")
    print(f"mix deals: {mixes}, of which {narrow} overlap with fewer than three others")
    print(f"deals: {deals}, of which {wide} overlap with at least three others")
    for name, times in sorted(seen.items()):
        print(f"{times:7d}  {name}")


def main():
    if sys.argv[1:2] == ["--print"]:
        book, request = cart(int(sys.argv[2]))
        print(json.dumps({"book": book, "request": request}))
    else:
        report(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)


if __name__ == "__main__":
    main()
