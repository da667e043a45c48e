/*
 * What clock.c and zone.c share: civil days and a zone's offsets. For use
 * within base only; others take base/clock.h.
 */

#ifndef POS_ZONE_H
#define POS_ZONE_H

#include "base/clock.h"

int64_t  pos_days_of(int32_t year, unsigned month, unsigned day);
/* Fills year, month, day and weekday. */
void     pos_date_of(int64_t days, pos_civil_t *out);
unsigned pos_days_in_month(int32_t year, unsigned month);

/* Seconds east of UTC at a time in seconds since 1970. */
int32_t pos_zone_offset(const pos_zone_t *zone, int64_t seconds);
/* Wall seconds (as if UTC) to UTC seconds. */
int64_t pos_zone_from_local(const pos_zone_t *zone, int64_t local);

#endif
