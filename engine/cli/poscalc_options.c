/* The command line of poscalc, and what --help says. */

#include "engine/cli/poscalc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ZONE_DIR  "/usr/share/zoneinfo"

static const char *const help_text =
"usage: poscalc --book BOOK.json [OPTIONS] < LINES.ndjson\n"
"       poscalc --batch [OPTIONS] < BATCH.ndjson\n"
"\n"
"One JSON document a line in, one a line out: a quote for a request, or a problem\n"
"(RFC 9457) that names every fault by its pointer. Exit code 0: every line was\n"
"answered; 1: the book is at fault (its problem is the one line out); 2: wrong use.\n"
"\n"
"  --batch           the books come along, one a line with the requests to it:\n"
"                    {\"book\": BOOK, \"requests\": [REQUEST, ...]}; each request has its\n"
"                    line out, the book's problem where the book is at fault\n"
"  --explain         as if every request said so\n"
"  --at TIME         what `at` is where a request does not say; else now\n"
"  --for-order       each discount of a line says what each of its `units` bore\n"
"  --return          lines are returns, see below\n"
"  --order-book FILE with --return: the book that the orders were priced by, where\n"
"                    it is not that of --book\n"
"  --budget N        steps of the solver (docs/solver.md); else 1500000\n"
"  --stats           what the solver did for each line, instead of the quote\n"
"  --bench N         all lines N times over; prints what one costs\n"
"  --bench           alone: a table of what quotes of its own cost\n"
"  --check           reads the book, prints its revision, and warns of names that are\n"
"                    not there and of promotions that no cart can get\n"
"  --zoneinfo DIR    time zones; else " ZONE_DIR "\n"
"\n"
"Inputs. A request may carry `inputs`, what is read beside the book:\n"
"  {\"lines\": [...], \"inputs\": {\"usage\": [{\"promotion\": \"p\", \"of\": \"uses\",\n"
"   \"per\": \"customer\", \"subject\": \"cus_1\", \"window\": \"day\", \"from\": \"2026-11-27\",\n"
"   \"used\": 3}], \"coupons\": [{\"code\": \"SAVE5\", \"per\": \"all\", \"used\": 12}],\n"
"   \"scripts_skipped\": [\"q\"]}}\n"
"`usage` counts what earlier orders took of a limit: `of` orders, uses or amount; `per`\n"
"customer, store or all (`subject` is the customer's id or the store's code); with a\n"
"window, `from` is its first day in the retailer's zone (a week's is Monday). What is\n"
"not there is 0. Without `usage`, and for customers and stores that the request does\n"
"not name, a limit bounds each order by itself. `coupons` counts how many orders used a\n"
"code, of its `remaining` (`per` all) and of its `per_customer` (`per` customer, with\n"
"their id as `subject`); without it each is as the book says. The quote's own `inputs`\n"
"are what was read: the same book, request and those inputs give the same bytes.\n"
"\n"
"Returns. With --return a line is\n"
"  {\"quote\": the stored quote, \"request\": what it was asked with,\n"
"   \"before\": the `state` of the return before (none: nothing came back yet),\n"
"   \"lines\": [{\"line\": 0, \"quantity\": 1, \"unit\": 1}], \"shipping\": false,\n"
"   \"sale\": a request, \"inputs\": its inputs}\n"
"`line` counts the quote's lines from 0 (or `id` names one); `quantity` is all that is\n"
"left unless said; `unit` counts the line's `units` from 0: unless said, those that\n"
"paid least come back first. `shipping` refunds the shipping paid too. The answer:\n"
"  lines       what came back, with what it paid, its fees, taxes and discounts\n"
"  goods, fees, shipping, tax, taxes   what is refunded; tax within the others where\n"
"              prices include it, beside them where they do not\n"
"  promotions  what the units that came back had of each; points: to take back\n"
"  refund      the sum to pay out\n"
"  gifts       gifts the customer keeps, and how many of them are charged\n"
"  state       `before` of the next return; send it as it is\n"
"Policy `paid`: each unit gets back what it paid, in any order; discounts are never\n"
"spread anew over what is kept, and a gift that is kept is not charged. Policy\n"
"`reprice` (of the retailer, or of a promotion that applied): what is kept is priced\n"
"again by the order's own revision, time and inputs, `kept` is what it costs, and the\n"
"refund is what the order paid so far less that, never below zero; a gift that is kept\n"
"and not earned any more is charged at its price; promotions whose own policy is\n"
"`paid` keep their share. It needs `request` and the order's book.\n"
"With `sale` it is an exchange: the sale is priced by --book, and `balance` is its\n"
"total less the refund: above zero the customer pays it, below it is paid out.\n";


static void __attribute__((noreturn))
misused(const char *what, const char *why)
{
    fprintf(stderr, "poscalc: %s %s; see poscalc --help\n", what, why);
    exit(2);
}


static const char *
value_of(int argc, char **argv, int *i)
{
    if (*i + 1 >= argc) {
        misused(argv[*i], "needs a value");
    }
    return argv[++*i];
}


/* Of 1 to `most`, in digits alone. */
static uint64_t
number_of(int argc, char **argv, int *i, uint64_t most)
{
    const char *name = argv[*i], *text = value_of(argc, argv, i);
    char       *end;
    uint64_t    n;

    errno = 0;
    n = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || n < 1 || n > most) {
        misused(name, "needs a whole number above zero");
    }
    return n;
}


static int64_t
time_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t) t.tv_sec * 1000000 + t.tv_nsec / 1000;
}


static void
check_options(const pos_calc_options_t *o)
{
    if (o->book == NULL && !o->batch) {
        misused("--book", "is needed, or --batch");
    }
    if (o->batch && (o->book != NULL || o->check || o->stats || o->bench > 0 || o->order_book)) {
        misused("--batch", "goes with none of --book, --check, --stats, --bench and --order-book");
    }
    if (o->check + o->stats + (o->bench > 0) > 1) {
        misused("--check, --stats and --bench", "are one at a time");
    }
    if (o->returns && (o->explain || o->stats)) {
        misused("--return", "goes with neither --explain nor --stats");
    }
    if (o->order_book != NULL && !o->returns) {
        misused("--order-book", "needs --return");
    }
}


pos_calc_options_t
pos_calc_options(int argc, char **argv)
{
    pos_calc_options_t o = { .zone_dir = ZONE_DIR, .now = time_now() };

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--book") == 0) {
            o.book = value_of(argc, argv, &i);
        } else if (strcmp(argv[i], "--explain") == 0) {
            o.explain = true;
        } else if (strcmp(argv[i], "--check") == 0) {
            o.check = true;
        } else if (strcmp(argv[i], "--batch") == 0) {
            o.batch = true;
        } else if (strcmp(argv[i], "--for-order") == 0) {
            o.for_order = true;
        } else if (strcmp(argv[i], "--stats") == 0) {
            o.stats = true;
        } else if (strcmp(argv[i], "--budget") == 0) {
            o.budget = number_of(argc, argv, &i, INT64_MAX);
        } else if (strcmp(argv[i], "--return") == 0) {
            o.returns = true;
        } else if (strcmp(argv[i], "--order-book") == 0) {
            o.order_book = value_of(argc, argv, &i);
        } else if (strcmp(argv[i], "--help") == 0) {
            fputs(help_text, stdout);
            exit(0);
        } else if (strcmp(argv[i], "--zoneinfo") == 0) {
            o.zone_dir = value_of(argc, argv, &i);
        } else if (strcmp(argv[i], "--bench") == 0 && argc == 2) {
            o.table = true;
            return o;
        } else if (strcmp(argv[i], "--bench") == 0) {
            o.bench = (long) number_of(argc, argv, &i, 10000000);
        } else if (strcmp(argv[i], "--at") == 0) {
            if (!pos_time_read(pos_str_z(value_of(argc, argv, &i)), NULL, &o.now)) {
                pos_calc_die(2, "--at needs a time such as", "2026-11-27T09:00:00Z");
            }
        } else {
            misused(argv[i], "is no option");
        }
    }
    check_options(&o);
    return o;
}
