#!/usr/bin/env python3
"""What explain tells is true: whoever does what `missing` says has the promotion, and with one less of it
has not; `without` is what the same cart costs in a book without the promotion.

usage: missing.py POSCALC SEED COUNT

Prints how often each was found true, as JSON, and whatever was not, with what shows it.
"""

import collections
import copy
import itertools
import json
import subprocess
import sys

import generator

PLAIN = "X-PLAIN"          # matches only what matches everything
PEOPLE = [{"id": "cus_1", "groups": ["staff", "vip"], "orders": n, "birthday": b}
          for n in (0, 2, 4) for b in ("1990-11-27", "1990-12-01")]
UNMET = {"condition", "no_items", "customer", "wrong_tender", "wrong_store", "wrong_channel"}


def main():
    poscalc, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    tally, wrong = collections.Counter(), []
    carts = [generator.cart(s) for s in range(seed, seed + count)]
    check_without(poscalc, carts, tally, wrong)
    check_missing(poscalc, carts, tally, wrong)
    print(json.dumps(tally))
    for what in wrong[:20]:
        print(json.dumps(what), file=sys.stderr)
    sys.exit(1 if wrong else 0)


def quotes(poscalc, entries):
    """A list of answers an entry {book, requests}."""
    text = "".join(json.dumps(e) + "\n" for e in entries)
    run = subprocess.run([poscalc, "--batch"], input=text, capture_output=True, text=True, check=True)
    answers = iter([json.loads(line) for line in run.stdout.splitlines()])
    return [[next(answers) for _ in e["requests"]] for e in entries]


def explained(request):
    return {**request, "explain": True}


# --- without ---

def less(book, promotion):
    """The book as if the promotion had never been."""
    return {**book, "promotions": [p for p in book["promotions"] if p["id"] != promotion],
            "coupons": [c for c in book["coupons"] if c["promotions"] != [promotion]]}


def check_without(poscalc, carts, tally, wrong):
    entries = [{"book": book, "requests": [request, explained(request)]} for book, request in carts]
    asked = []
    for (book, request), (plain, told) in zip(carts, quotes(poscalc, entries)):
        if "lines" not in plain:
            continue
        listed = told.pop("explain")
        tally["explained"] += 1
        if told != plain:
            wrong.append({"what": "explain changes the quote", "book": book, "request": request})
        for one in listed:
            if one["applied"]:
                asked.append((book, request, one))
            elif one["without"] != plain["total"]:
                wrong.append({"what": "without what did not apply it costs the same", "one": one, "book": book, "request": request})
    answers = quotes(poscalc, [{"book": less(book, one["id"]), "requests": [request]} for book, request, one in asked])
    for (book, request, one), (other,) in zip(asked, answers):
        if one.get("stopped") or not other["optimal"]:
            tally["without, not proved"] += 1
        elif one["without"] == other["total"]:
            tally["without"] += 1
        else:
            wrong.append({"what": f"without {one['id']}: {other['total']}", "one": one, "book": book, "request": request})


# --- missing ---

def check_missing(poscalc, carts, tally, wrong):
    """Each promotion by itself, so that no other one discounts what is added, or takes it."""
    alone = []
    for book, request in carts:
        for promotion in book["promotions"]:
            alone.append(({**book, "promotions": [promotion],
                           "coupons": [c for c in book["coupons"] if c["promotions"] == [promotion["id"]]]}, request))
    told = quotes(poscalc, [{"book": book, "requests": [explained(request)]} for book, request in alone])
    asked = []
    for (book, request), (quote,) in zip(alone, told):
        if "lines" not in quote:
            continue
        one = quote["explain"][0]
        tally["reason " + str(one.get("reason", "applied"))] += 1
        if "missing" in one:
            asked.append((book, request, one))
    entries, cuts = [], []
    for book, request, one in asked:
        enough = list(itertools.islice(changed(book, request, one["missing"]), 400))
        few = list(itertools.islice(itertools.chain.from_iterable(
            changed(book, request, m, False) for m in one_less(book, one["missing"])), 400))
        cuts.append(len(enough))
        entries.append({"book": with_plain(book), "requests": [explained(r) for r in enough + few] or [explained(request)]})
    for (book, request, one), cut, entry, answers in zip(asked, cuts, entries, quotes(poscalc, entries)):
        outcome = [a["explain"][0] if "explain" in a else {"applied": False, "reason": "condition"} for a in answers]
        if cut == 0:
            tally["missing, not tried"] += 1
        elif any(o["applied"] or o.get("reason") not in UNMET for o in outcome[:cut]):
            tally["missing"] += 1
        elif any(o["reason"] == "no_items" and "missing" not in o for o in outcome[:cut]):
            tally["missing, yet it saves nothing"] += 1      # its price is no lower
        else:
            wrong.append({"what": "with what is missing it does not apply", "one": one, "promotion": book["promotions"][0],
                          "request": request, "book": book})
        had = [r for o, r in zip(outcome[cut:], entry["requests"][cut:]) if o["applied"]]
        if had:
            wrong.append({"what": "it applies with one less", "one": one, "promotion": book["promotions"][0], "request": request,
                          "had": had[0]["lines"], "book": book})
        elif outcome[cut:]:
            tally["one less"] += 1


def with_plain(book):
    """A product for amounts and weights alone: by the line's own price, and as many as it takes."""
    grams = {"sku": PLAIN, "unit": "each", "tax_category": "none", "weight_grams": 1}
    copies = [dict(p, sku=p["sku"] + "-B") for p in book["products"]]
    prices = [dict(p, sku=p["sku"] + "-B") for p in book["prices"]]
    base = book["price_lists"][0]["code"]
    made = [fitting(f"F{n}", f, base) for n, f in enumerate(filters(book["promotions"]))]
    return {**book, "products": book["products"] + [grams] + copies + [p for p, _ in made],
            "prices": book["prices"] + [{"sku": PLAIN, "list": base, "amount": 1}] + prices + [r for _, rows in made for r in rows]}


def filters(node):
    """Every filter in a promotion."""
    if isinstance(node, list):
        return [f for one in node for f in filters(one)]
    if not isinstance(node, dict):
        return []
    own = [node[k] for k in ("items", "line", "distinct") if isinstance(node.get(k), dict)]
    return own + [f for k, v in node.items() if k not in ("items", "line", "distinct") for f in filters(v)]


def fitting(sku, wanted, price_list):
    """A product that a filter of the generator's matches, with its prices."""
    price = min(1000, wanted.get("unit_price", {}).get("max", 1000))
    product = {"sku": sku, "unit": "each", "tax_category": "none", "categories": wanted.get("category", []),
               "brand": wanted.get("brand", ["c"])[0], "tags": wanted.get("tag", [])[:1],
               "attributes": {name: values[0] for name, values in wanted.get("attribute", {}).items()}}
    rows = [{"sku": sku, "list": price_list, "amount": price}]
    if wanted.get("on_sale"):
        rows.append({"sku": sku, "list": price_list, "amount": price - 1, "kind": "sale"})
    return product, rows


def changed(book, request, missing, spare=True):
    """The requests that do what is missing, each in another way."""
    variants = [copy.deepcopy(request)]
    if missing.get("customer"):
        variants = [{**v, "customer": who} for v in variants for who in PEOPLE]
    if "tender" in missing:
        variants = [{**v, "tenders": [t]} for v in variants for t in missing["tender"]]
    if "fulfilment" in missing:
        variants = [shipped({**v, "fulfilment": f}) for v in variants for f in missing["fulfilment"]]
    if "ship_to" in missing:
        to = missing["ship_to"]
        variants = [{**v, "ship_to": {"country": c, "region": r}} for v in variants
                    for c in to.get("country", ["GB"]) for r in to.get("region", [None])]
    for piece in [missing] + missing.get("also", []):
        variants = [v for variant in variants for v in itertools.islice(added(book, variant, piece, spare), 100)]
    return variants


def shipped(request):
    if request["fulfilment"] == "ship" and "ship_to" not in request:
        return {**request, "ship_to": {"country": "GB", "region": None}, "shipping": {"method": "standard", "amount": 495}}
    return request


def added(book, request, piece, spare):
    skus = [p["sku"] for p in book["products"] if p["sku"] != generator.GIFT]
    skus += [f"F{n}" for n in range(len(filters(book["promotions"])))]
    measured = {p["sku"] for p in book["products"] if p["unit"] != "each"}
    quantity, amount, weight, distinct = (piece.get(k, 0) for k in ("quantity", "amount", "weight_grams", "distinct"))
    if weight:
        request = plus(request, {"sku": PLAIN, "quantity": weight})
    if not (quantity or amount or distinct):
        yield request
        return
    if distinct:
        fresh = [s + "-B" for s in skus if s[0] == "S"] + skus
        for some in itertools.combinations(fresh, distinct):
            made = request
            for sku in some:
                made = plus(made, {"sku": sku, "quantity": max(1, -(-quantity // distinct))})
            yield plus(made, priced(PLAIN, 1, amount)) if amount else made
        return
    if quantity and quantity != int(quantity):
        skus = [s for s in skus if s in measured]
    if not quantity:
        for sku in [PLAIN] + [s for s in skus if s not in measured]:
            yield plus(request, priced(sku, 1, amount))
            if piece.get("items"):
                yield from engraved(plus(request, priced(sku, 1, amount)))
                if spare:
                    yield plus(request, {"sku": sku, "quantity": -(-amount // 10)})      # at its own price, enough of it
        return
    for at, line in enumerate(request["lines"]):
        if quantity == int(quantity) or line["sku"] in measured:
            made = copy.deepcopy(request)
            made["lines"][at]["quantity"] = round(made["lines"][at]["quantity"] + quantity, 3)
            yield plus(made, priced(PLAIN, 1, amount)) if amount else made
    for sku in skus:
        made = plus(request, {"sku": sku, "quantity": quantity})
        if sku in measured and quantity == int(quantity) and not piece.get("line"):
            made = request
            for _ in range(int(quantity)):      # each a unit of its own
                made = plus(made, {"sku": sku, "quantity": 1})
        for each in (made, *engraved(made)):
            yield plus(each, priced(PLAIN, 1, amount)) if amount else each


def priced(sku, quantity, amount):
    return {"sku": sku, "quantity": quantity, "price_override": {"amount": amount, "reason": "test"}}


def engraved(request):
    made = copy.deepcopy(request)
    made["lines"][-1]["attributes"] = {"engraved": "yes"}
    yield made


def plus(request, line):
    made = copy.deepcopy(request)
    made["lines"].append({"id": f"x{len(made['lines'])}", **line})
    return made


def one_less(book, missing):
    """Of one thing that is missing, one less; where there is one way to it alone."""
    text = json.dumps(book["promotions"][0])
    numbers = [k for k in ("quantity", "amount", "weight_grams", "distinct") if k in missing]
    others = set(missing) - set(numbers) - {"items", "line"}
    if others or len(numbers) != 1 or '"any"' in text or '"not"' in text or len(book["promotions"][0]["then"]) > 1:
        return
    n = missing[numbers[0]]
    if n > 1 and n == int(n):
        yield {**missing, numbers[0]: n - 1}


if __name__ == "__main__":
    main()
