/*
 * Is a promotion live at the cart's time? Dates are instants; weekdays and
 * hours are of the store's own day.
 */

#include "engine/cart.h"

static bool
weekday_on(const pos_promotion_t *p, unsigned weekday)
{
    return (p->weekdays >> weekday & 1) != 0;
}


/* A window past midnight belongs to the day it began: ["22:00", "02:00"] on
 * Fridays goes on until two on Saturday. */
static bool
window_open(const pos_promotion_t *p, const pos_minutes_t *w, int32_t minute,
    unsigned today)
{
    unsigned yesterday = (today + 6) % 7;

    if (w->from < w->until) {
        return weekday_on(p, today) && minute >= w->from && minute < w->until;
    }
    return (weekday_on(p, today) && minute >= w->from)
           || (weekday_on(p, yesterday) && minute < w->until);
}


static bool
hours_open(const pos_promotion_t *p, const pos_civil_t *local)
{
    int32_t minute = local->hour * 60 + local->minute;

    if (p->hours_count == 0) {
        return weekday_on(p, local->weekday);
    }
    for (uint32_t i = 0; i < p->hours_count; i++) {
        if (window_open(p, &p->hours[i], minute, local->weekday)) {
            return true;
        }
    }
    return false;
}


const char *
pos_promotion_inactive(const pos_promotion_t *promotion, const pos_cart_t *cart)
{
    if (cart->at < promotion->from) {
        return "not_started";
    }
    if (cart->at >= promotion->until) {
        return "ended";
    }
    if (promotion->weekdays == 0x7f && promotion->hours_count == 0) {
        return NULL;
    }
    return hours_open(promotion, &cart->local) ? NULL : "outside_hours";
}
