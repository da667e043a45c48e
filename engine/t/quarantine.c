/*
 * The quarantine: who was put in stays in until so many others were, in whatever
 * process; and a file that was damaged is known for one.
 */

#include "base/t/tap.h"
#include "engine/quarantine.h"

static void
source_of(unsigned n, uint8_t out[POS_SHA256_SIZE])
{
    memset(out, 0, POS_SHA256_SIZE);
    memcpy(out, &n, sizeof(n));
}

int
main(void)
{
    static pos_quarantine_t q;
    uint8_t                 source[POS_SHA256_SIZE];
    const pos_culprit_t    *c;
    char                    longest[2 * POS_CULPRIT_NAME];
    unsigned                n, held = 0;

    ok(pos_quarantine_sound(&q), "an empty one is sound");
    ok(pos_quarantine_at(&q, 0) == NULL, "and holds nobody");
    source_of(1, source);
    ok(!pos_quarantine_holds(&q, source), "nor this source");
    c = pos_quarantine_add(&q, source, pos_str("a \"b\" \\ c\n\x7f\xc3\xa9"));
    ok(c != NULL && pos_quarantine_holds(&q, source), "until it is put in");
    is_str(pos_str_of(c->promotion, c->len), "a ?b? ? c????", "its name is made printable");
    is_int(pos_quarantine_changes(&q), 1, "whoever looks for changes finds one");
    pos_quarantine_add(&q, source, pos_str("again"));
    ok(pos_quarantine_at(&q, 0) != NULL && pos_quarantine_at(&q, 1) == NULL, "twice is told once");
    memset(longest, 'n', sizeof(longest));
    source_of(2, source);
    c = pos_quarantine_add(&q, source, pos_str_of(longest, sizeof(longest)));
    is_int(c->len, POS_CULPRIT_NAME, "a long name is cut");
    ok(pos_quarantine_sound(&q), "all that is sound");

    for (n = 100; n < 100 + POS_QUARANTINE_MAX; n++) {
        source_of(n, source);
        pos_quarantine_add(&q, source, pos_str("p"));
    }
    for (n = 100; n < 100 + POS_QUARANTINE_MAX; n++) {
        source_of(n, source);
        held += pos_quarantine_holds(&q, source);
    }
    is_int(held, POS_QUARANTINE_MAX, "the last %d are held", POS_QUARANTINE_MAX);
    source_of(1, source);
    ok(!pos_quarantine_holds(&q, source), "and the first is let go");

    q.ring[3].whole = 2;
    ok(!pos_quarantine_sound(&q), "an entry that is neither whole nor not is damage");
    q.ring[3].whole = 1;
    q.ring[3].len = POS_CULPRIT_NAME + 1;
    ok(!pos_quarantine_sound(&q), "so is a name longer than its room");
    q.ring[3].len = 1;
    q.ring[3].promotion[0] = '"';
    ok(!pos_quarantine_sound(&q), "or one that was never written so");
    q.ring[3].promotion[0] = 'p';
    ok(pos_quarantine_sound(&q), "mended, it is sound again");
    return tap_done();
}
