/* The best tier reached: the one that lowers most; among equals the higher. */

#include "engine/plan.h"

static int64_t
worth(const pos_tier_t *tier, int64_t amount, int64_t units)
{
    int64_t n = 0;

    switch (tier->reduce) {
    case POS_REDUCE_PERCENT:
        return pos_muldiv(amount, tier->value, POS_PPM, POS_ROUND_HALF_UP, &n) ? n : 0;
    case POS_REDUCE_AMOUNT:
        n = tier->value > POS_MONEY_MAX / units ? POS_MONEY_MAX : tier->value * units;
        return n < amount ? n : amount;
    default:
        n = tier->value > POS_MONEY_MAX / units ? POS_MONEY_MAX : tier->value * units;
        return n < amount ? amount - n : 0;
    }
}

const pos_tier_t *
pos_tier_best(const pos_tier_t *tiers, uint32_t count, int64_t reached, int64_t amount,
    int64_t units)
{
    const pos_tier_t *best = NULL;
    int64_t           most = -1;

    for (uint32_t i = 0; i < count && tiers[i].threshold <= reached; i++) {
        int64_t n = worth(&tiers[i], amount, units > 0 ? units : 1);

        if (n >= most) {
            most = n;
            best = &tiers[i];
        }
    }
    return best;
}
