/*
 * What a piece of a run of units has of the line's amounts. Every share is the
 * difference of a rising function at the piece's two ends, so shares are never
 * negative and add up to the whole.
 */

#include "engine/lines.h"
#include "engine/returns_data.h"

int64_t
pos_back_portion(int64_t amount, int64_t part, int64_t whole)
{
    if (whole <= 0) {
        return 0;
    }
    return (int64_t) (((__int128) amount * part * 2 + whole) / ((__int128) whole * 2));
}

int64_t
pos_back_paid(const pos_back_run_t *run, int64_t from, int64_t until)
{
    return pos_back_portion(run->paid, until, run->quantity) -
        pos_back_portion(run->paid, from, run->quantity);
}

int64_t
pos_back_fees(const pos_back_line_t *line, uint32_t run, int64_t from, int64_t until)
{
    int64_t at = line->runs[run].quantity_before;

    return pos_back_portion(line->fees, at + until, line->quantity) -
        pos_back_portion(line->fees, at + from, line->quantity);
}

int64_t
pos_back_taxed(const pos_back_line_t *line, uint32_t tax, uint32_t run, int64_t from, int64_t until)
{
    const pos_back_tax_t *t = &line->taxes[tax];
    const pos_back_run_t *r = &line->runs[run];
    int64_t               goods = t->amount - t->fees;
    int64_t               low = r->quantity_before + from, high = r->quantity_before + until;
    int64_t share = pos_back_portion(t->fees, high, line->quantity) -
        pos_back_portion(t->fees, low, line->quantity);

    /* Tax goes with what was paid; where nothing was (it is due on the price before a
     * discount), with the measure. */
    if (line->total == 0) {
        return share + pos_back_portion(goods, high, line->quantity) -
            pos_back_portion(goods, low, line->quantity);
    }
    low = r->paid_before + pos_back_paid(r, 0, from);
    high = r->paid_before + pos_back_paid(r, 0, until);
    return share + pos_back_portion(goods, high, line->total) -
        pos_back_portion(goods, low, line->total);
}

/* ---- discounts ---- */

/* Whole units of a run bear a discount evenly, the odd minor units going round from
 * where those of the discount before it ended: since all of them paid the same, each
 * then bears the same in all. */
int64_t
pos_back_discount(const pos_back_line_t *line, uint32_t adjust, uint32_t run, int64_t from,
    int64_t until)
{
    int64_t amount = line->adjusts[adjust].runs[run], quantity = line->runs[run].quantity;
    int64_t units = quantity / POS_THOUSANDTHS, shift = 0;

    if (line->measured) {
        return pos_back_portion(amount, until, quantity) - pos_back_portion(amount, from, quantity);
    }
    for (uint32_t i = 0; i < adjust; i++) {
        shift = (shift + line->adjusts[i].runs[run] % units) % units;
    }
    return pos_units_share(amount, units, shift, from / POS_THOUSANDTHS, until / POS_THOUSANDTHS);
}

/* What a run was given off that no discount accounts for yet. */
static int64_t
open_of(const pos_back_line_t *line, uint32_t run)
{
    const pos_back_run_t *r = &line->runs[run];
    int64_t               open = -r->paid;

    open += line->run_count == 1
        ? line->total
        : (int64_t) ((__int128) line->unit_price * r->quantity / POS_THOUSANDTHS);
    for (uint32_t i = 0; i < line->adjust_count; i++) {
        open += line->run_count == 1 ? line->adjusts[i].amount : 0;
        open -= line->adjusts[i].runs[run];
    }
    return open;
}

/* Does the discount bear on the run at all? One on few units is on those that were
 * given the most. */
static bool
bears_on(const pos_back_line_t *line, const pos_back_adjust_t *a, uint32_t run)
{
    const pos_back_run_t *r = &line->runs[run];
    int64_t               dearer = 0;

    for (uint32_t k = 0; k < line->run_count; k++) {
        const pos_back_run_t *other = &line->runs[k];
        __int128              x = (__int128) other->paid * r->quantity;
        __int128              y = (__int128) r->paid * other->quantity;

        dearer += x < y || (x == y && k < run) ? other->quantity : 0;
    }
    return a->quantity < 0 || dearer < a->quantity;
}

/* An order discount is shared out by what was paid, which is in proportion to what it
 * was worked out on; a line's by what is open. What rounding leaves goes where there is
 * room. */
static void
share_out(pos_back_line_t *line, uint32_t adjust)
{
    pos_back_adjust_t *a = &line->adjusts[adjust];
    int64_t            left = a->amount;
    __int128           whole = 0;

    for (uint32_t r = 0; r < line->run_count; r++) {
        whole += !bears_on(line, a, r) ? 0
            : a->quantity < 0          ? line->runs[r].paid
                                       : open_of(line, r);
    }
    for (uint32_t r = 0; r < line->run_count; r++) {
        int64_t open = open_of(line, r);
        int64_t weight = !bears_on(line, a, r) ? 0 : a->quantity < 0 ? line->runs[r].paid : open;
        int64_t part = whole > 0 ? (int64_t) ((__int128) a->amount * weight / whole) : 0;

        part = part < open ? part : open;
        part = part < left ? part : left;
        a->runs[r] = part;
        left -= part;
    }
    for (uint32_t r = 0; r < line->run_count && left > 0; r++) {
        int64_t room = open_of(line, r) < left ? open_of(line, r) : left;

        a->runs[r] += room;
        left -= room;
    }
}

void
pos_back_attribute(pos_back_line_t *line)
{
    for (int order = 1; order >= 0; order--) {
        for (uint32_t i = 0; i < line->adjust_count; i++) {
            if (!line->adjusts[i].told && (line->adjusts[i].quantity < 0) == order) {
                share_out(line, i);
            }
        }
    }
}
