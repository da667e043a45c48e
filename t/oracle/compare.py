#!/usr/bin/env python3
"""Runs poscalc and the oracle over the same random carts and says where they part.

usage: compare.py [--carts N] [--seed S] [--jobs N] [--poscalc PATH] [--show N] [--prove] [--json]
       compare.py --one FILE      a file with {"book":…, "request":…}

Every difference comes with a book and a request made as small as the difference allows; save
the two lines that follow "book:" and "request:" and run
    build/poscalc --book BOOK < REQUEST        t/oracle/oracle.py BOOK < REQUEST
"""

import argparse
import collections
import concurrent.futures
import copy
import json
import os
import subprocess
import sys
import tempfile

import generator
import oracle

# Once the engine proves every small cart, an answer that is not proved is a difference.
NOT_PROVED_IS_WRONG = False
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MOST_CHOICES = 30_000  # carts with more permitted choices are left out, and counted


class TooWide(Exception):
    pass


# --- both sides ---------------------------------------------------------------------------

def engine(poscalc, book, request):
    with tempfile.NamedTemporaryFile("w", suffix=".json", dir=scratch()) as file:
        json.dump(book, file)
        file.flush()
        done = subprocess.run([poscalc, "--book", file.name], input=json.dumps(request) + "\n",
                              capture_output=True, text=True, check=False, timeout=60)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return {"code": f"exit {done.returncode}", "detail": (done.stdout + done.stderr)[:400]}
    return answer


def scratch():
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def paid_for(answer):
    """What the optimum is about: 'lines plus shipping (before added tax, fees and cash rounding)'."""
    return sum(line["total"] for line in answer["lines"]) + answer["shipping_total"]


def spread(entries):
    """Entries of several units as single units, as evenly as can be."""
    singles = []
    for count, paid in entries:
        singles += [paid // count + (1 if n < paid % count else 0) for n in range(count)]
    return sorted(singles, reverse=True)


def summed(rows, key, value="amount"):
    found = collections.Counter()
    for row in rows:
        found[row[key]] += row[value]
    return {k: v for k, v in sorted(found.items()) if v}


def figures_of_engine(answer, expected):
    """The engine's figures in the shape of the oracle's: lines summed over items."""
    asked = {line_id for item in expected["items"] for line_id in item["lines"]}
    lines = {line["id"]: line for line in answer["lines"] if line["id"] in asked}
    gifts = [line for line in answer["lines"] if line["id"] not in asked]
    found = {}
    for item in expected["items"]:
        if item["gift"]:
            continue
        mine = [lines[line_id] for line_id in item["lines"]]
        name = item["sku"] + " " + ",".join(item["lines"])
        found[name + " prices"] = sorted({(l["unit_price"], l["list_price"]) for l in mine})
        for key in ("subtotal", "discount", "total", "fees"):
            found[f"{name} {key}"] = sum(l[key] for l in mine)
        found[name + " taxes"] = summed([t for l in mine for t in l["taxes"]], "code")
        found[name + " units"] = ([sum(u["paid"] for l in mine for u in l["units"])] if item["measured"]
                                  else spread([(u["quantity"], u["paid"]) for l in mine for u in l["units"]]))
    found["gifts"] = sorted((l["sku"], l["subtotal"], l["discount"], l["total"]) for l in gifts)
    for key in ("subtotal", "discount", "fees", "tax", "total", "points"):
        found[key] = answer[key]
    shipping = answer.get("shipping") or {"amount": 0, "discount": 0, "total": 0, "taxes": []}
    found["shipping"] = [shipping[k] for k in ("amount", "discount", "total")] + [sum(t["amount"] for t in shipping["taxes"])]
    found["promotions"] = {k: v for k, v in sorted((p["id"], p.get("amount", 0)) for p in answer["promotions"]) if v}
    if "cash_total" in answer:
        found["cash_total"] = answer["cash_total"]
    return found


def figures_of_oracle(expected):
    found = {}
    for item in expected["items"]:
        if item["gift"]:
            continue
        name = item["sku"] + " " + ",".join(item["lines"])
        found[name + " prices"] = [(item["unit_price"], item["list_price"])]
        for key in ("subtotal", "discount", "total", "fees"):
            found[f"{name} {key}"] = item[key]
        found[name + " taxes"] = {k: v for k, v in sorted(item["taxes"].items()) if v}
        found[name + " units"] = item["units"]
    found["gifts"] = sorted((i["sku"], i["subtotal"], i["discount"], i["total"]) for i in expected["items"] if i["gift"])
    for key in ("subtotal", "discount", "fees", "tax", "total", "points"):
        found[key] = expected[key]
    shipping = expected["shipping"]
    found["shipping"] = [shipping[k] for k in ("amount", "discount", "total", "tax")]
    found["promotions"] = expected["promotions"]
    found["cash_total"] = expected["cash_total"]
    return found


def differing(got, want):
    """[(what, expected, got)]"""
    found = []
    for name in want:
        if name == "cash_total" and name not in got:
            continue
        mine, theirs = want[name], got.get(name)
        if mine != theirs:
            found.append((name, mine, theirs))
    return found


# --- the verdict --------------------------------------------------------------------------

def verdict(poscalc, book, request):
    """{"class": None or the kind of difference, "what": […], …} of one cart."""
    exact_book, exact_request = (oracle.read_json(json.dumps(one)) for one in (book, request))
    try:
        quote = oracle.Quote(exact_book, exact_request)
        outcomes = list_outcomes(quote)
    except oracle.Undetermined as why:
        return {"class": None, "skipped": "undetermined: " + str(why)}
    except TooWide:
        return {"class": None, "skipped": "too many choices"}
    got = engine(poscalc, book, request)
    if "lines" not in got:
        errors = [e.get("message") for e in got.get("errors") or []][:1] or [got.get("detail")]
        return {"class": f"refused: {errors[0]}", "what": [("answer", "a quote", got)]}
    least = min(o.objective for o in outcomes)
    best = min((o for o in outcomes if o.objective == least), key=oracle.Outcome.rank)
    by_priority = quote.by_priority()
    chosen = by_priority if quote.retailer.get("optimise") == "priority" else best
    paid = paid_for(got)
    facts = {"class": None, "priority": chosen is by_priority, "optimal": got.get("optimal"),
             "greedy_loses": by_priority.objective - best.objective, "loss": paid - best.objective, "best": best.objective,
             "choices": len(outcomes)}
    facts["what"] = []
    if paid < best.objective:
        return facts | named("below the optimum", [("objective", best.objective, paid)], chosen, got, quote)
    if got.get("bound") is not None and got["bound"] > best.objective:
        return facts | {"class": "bound above the optimum", "what": [("bound", best.objective, got["bound"])]}
    if chosen is by_priority:
        if paid != chosen.objective:
            return facts | named("priority: objective", [("objective", chosen.objective, paid)], chosen, got, quote)
        alike = [o for o in outcomes if o.objective == paid]
        return facts | same_figures("priority: ", alike, chosen, got, quote)
    if got.get("optimal") and paid != best.objective:
        return facts | named("optimal, and is not", [("objective", best.objective, paid)], chosen, got, quote)
    # By priority a promotion stays used that a later one left nothing to lower: it may part units, which no
    # permitted choice of `customer` does.
    if paid > by_priority.objective and paid > best.objective:
        return facts | named("worse than by priority", [("objective", by_priority.objective, paid)], chosen, got, quote)
    if not got.get("optimal") and NOT_PROVED_IS_WRONG:
        return facts | named("not proved", [("objective", best.objective, paid)], chosen, got, quote)
    alike = [o for o in outcomes if o.objective == paid]
    if not alike:
        return facts | named("no permitted choice comes to this", [("objective", best.objective, paid)], chosen, got, quote)
    return facts | same_figures("" if paid == best.objective else "worse choice: ", alike,
                                chosen if paid == best.objective else None, got, quote)


def list_outcomes(quote):
    found = []
    for outcome in quote.outcomes():
        found.append(outcome)
        if len(found) > MOST_CHOICES:
            raise TooWide
    return found


def named(name, what, chosen, got, quote):
    """A difference of objective, with the figures that lead to it."""
    expected = quote.answer(chosen)
    what = what + differing(figures_of_engine(got, expected), figures_of_oracle(expected))
    what.append(("used", expected["used"], [p["id"] for p in got["promotions"]]))
    return {"class": name, "what": what}


def same_figures(prefix, alike, chosen, got, quote):
    """Whether the engine's figures are those of the choice that the page determines; if not,
    whether they are those of another permitted choice that costs the same."""
    seen, nearest = set(), None
    if chosen is not None:
        expected = quote.answer(chosen)
        nearest = differing(figures_of_engine(got, expected), figures_of_oracle(expected))
        if not nearest:
            return {}
        first = nearest + [("used", expected["used"], [p["id"] for p in got["promotions"]])]
    for outcome in alike:
        expected = quote.answer(outcome)
        key = json.dumps(figures_of_oracle(expected), default=str)
        if key in seen:
            continue
        seen.add(key)
        what = differing(figures_of_engine(got, expected), figures_of_oracle(expected))
        if not what:
            if chosen is None or outcome.rank() == chosen.rank() or not got.get("optimal"):
                return {}  # what the page leaves open; ties are settled for what is proved
            tie = ("points" if outcome.points != chosen.points
                   else "used promotions" if outcome.used_key() != chosen.used_key() else "units")
            return {"class": prefix + "another choice of a tie: " + tie, "what": first}
        if nearest is None or len(what) < len(nearest):
            nearest = what + [("used", expected["used"], [p["id"] for p in got["promotions"]])]
    return {"class": prefix + "figures: " + kind_of(nearest[0][0]), "what": nearest}


def kind_of(name):
    return name.rsplit(" ", 1)[-1]


# --- minimising ---------------------------------------------------------------------------

def minimise(poscalc, book, request, wanted):
    """Drops whatever can go while the same kind of difference remains."""
    def remains(book, request):
        try:
            return verdict(poscalc, book, request).get("class") == wanted
        except (KeyError, ValueError, TypeError, IndexError, AttributeError, StopIteration):
            return False

    case, smaller = {"book": book, "request": request}, True
    while smaller:
        smaller = False
        for path, value in list(reductions(case)):
            tried = copy.deepcopy(case)
            if change(tried, path, value) and remains(tried["book"], tried["request"]):
                case, smaller = tried, True
    return case["book"], case["request"]


GONE = object()
KEPT = {"code", "currency", "id", "name", "class", "then", "sku", "unit", "lines", "quantity", "at", "retailer",
        "products", "price_lists", "prices", "stores", "timezone", "amount", "list", "tax_included"}


def reductions(case):
    """Paths and what to put there: the large first."""
    book, request = case["book"], case["request"]
    for name in ("promotions", "coupons", "prices", "price_lists", "taxes", "products", "stores", "categories"):
        for n in reversed(range(len(book.get(name) or []))):
            yield ("book", name, n), GONE
    for n in reversed(range(len(request["lines"]))):
        if len(request["lines"]) > 1:
            yield ("request", "lines", n), GONE
    for n, line in enumerate(request["lines"]):
        if isinstance(line["quantity"], int) and line["quantity"] > 1:
            yield ("request", "lines", n, "quantity"), line["quantity"] - 1
    yield from fields(case, ())


def fields(value, path):
    if isinstance(value, dict):
        for key in list(value):
            if key not in KEPT and path:
                yield path + (key,), GONE
            if key in ("rounding", "tax_rounding", "optimise", "stacking"):
                plain = {"rounding": "half_up", "tax_rounding": "line", "optimise": "customer", "stacking": "combine"}
                if value[key] != plain[key]:
                    yield path + (key,), plain[key]
            if key == "priority" and value[key]:
                yield path + (key,), 0
            if key == "items" and value[key]:
                yield path + (key,), {}
            yield from fields(value[key], path + (key,))
    elif isinstance(value, list):
        for n in range(len(value)):
            if len(path) > 3 and len(value) > 1:
                yield path + (n,), GONE
            yield from fields(value[n], path + (n,))


def change(case, path, value):
    """False where the place has gone, or has that value."""
    at = case
    try:
        for key in path[:-1]:
            at = at[key]
        if value is GONE:
            del at[path[-1]]
            return True
        if at[path[-1]] == value:
            return False
    except (KeyError, IndexError, TypeError):
        return False
    at[path[-1]] = value
    return True


# --- many carts ---------------------------------------------------------------------------

def judge(task):
    poscalc, seed = task
    book, request = generator.cart(seed)
    return seed, verdict(poscalc, book, request)


def smallest(task):
    poscalc, seed, wanted = task
    book, request = minimise(poscalc, *generator.cart(seed), wanted)
    return seed, book, request, verdict(poscalc, book, request)


def run(options):
    tally, classes, loss = collections.Counter(), collections.defaultdict(list), 0
    seeds = options.seeds or range(options.seed, options.seed + options.carts)
    with concurrent.futures.ProcessPoolExecutor(options.jobs) as pool:
        for seed, found in pool.map(judge, ((options.poscalc, s) for s in seeds), chunksize=20):
            tally["carts"] += 1
            if found.get("skipped"):
                tally[found["skipped"]] += 1
                continue
            if found.get("class"):
                classes[found["class"]].append(seed)
            if "optimal" not in found:
                continue
            tally["compared"] += 1
            tally["greedy is not the optimum"] += found["greedy_loses"] > 0
            if not found["priority"]:
                tally["proved"] += bool(found["optimal"])
                tally["not proved"] += not found["optimal"]
                if found["loss"] > 0 and not found["optimal"]:
                    tally["not proved, and worse"] += 1
                    loss += found["loss"] / max(1, found["best"] + found["loss"])
        tally["loss"] = round(10_000 * loss / max(1, tally["not proved, and worse"])) / 100
        shown = [(options.poscalc, seed, name) for name, all_of in sorted(classes.items())
                 for seed in all_of[:options.show] if name not in options.known]
        examples = list(pool.map(smallest, shown))
    return tally, classes, examples


def example(name, seed, book, request, found):
    lines = [f"{name}, seed {seed}:"]
    lines += [f"  {what}: expected {json.dumps(want, default=str)}, got {json.dumps(got, default=str)}"
              for what, want, got in found.get("what", [])]
    return "\n".join(lines + ["book:", json.dumps(book), "request:", json.dumps(request)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--carts", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--known", action="append", default=[], help="a kind of difference to count only")
    parser.add_argument("--seeds", type=lambda text: [int(s) for s in text.split(",")])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", type=int, default=1)
    parser.add_argument("--poscalc", default=os.path.join(os.environ.get("POS_BUILD", ROOT + "/build"), "poscalc"))
    parser.add_argument("--prove", action="store_true", help="an answer that is not proved is a difference")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--one")
    options = parser.parse_args()
    global NOT_PROVED_IS_WRONG
    NOT_PROVED_IS_WRONG |= options.prove
    if options.one:
        with open(options.one, encoding="utf-8") as file:
            case = json.load(file)
        found = verdict(options.poscalc, case["book"], case["request"])
        print(example(found["class"] or "the same", 0, case["book"], case["request"], found))
        return 1 if found["class"] else 0
    tally, classes, examples = run(options)
    shown = [example(found.get("class"), seed, book, request, found) for seed, book, request, found in examples]
    if options.json:
        print(json.dumps({"tally": tally, "differences": {k: len(v) for k, v in classes.items()},
                          "seeds": {k: v[:20] for k, v in classes.items()}, "examples": shown}))
    else:
        for name, count in tally.items():
            print(f"{count:>8}  {name}")
        for name, seeds in sorted(classes.items()):
            print(f"{len(seeds):>8}  DIFFERENCE {name}: seeds {seeds[:12]}")
        print("\n\n".join(shown))
    return 1 if classes else 0


if __name__ == "__main__":
    sys.exit(main())
