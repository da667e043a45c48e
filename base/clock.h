/*
 * Times as microseconds since 1970-01-01T00:00:00Z, and time zones from TZif
 * bytes (RFC 8536), which the caller reads: nothing here touches a file, the
 * environment or the system's clock.
 */

#ifndef POS_CLOCK_H
#define POS_CLOCK_H

#include "base/arena.h"
#include "base/base.h"

#define POS_TIME_MIN  INT64_MIN   /* "from": null  */
#define POS_TIME_MAX  INT64_MAX   /* "until": null */

typedef struct pos_zone_s pos_zone_t;

typedef struct {
    int32_t year;
    uint8_t month;     /* 1 to 12 */
    uint8_t day;       /* 1 to 31 */
    uint8_t hour, minute, second;
    uint8_t weekday;   /* 0 Monday to 6 Sunday */
    int32_t offset;    /* seconds east of UTC */
} pos_civil_t;

/* Reads a TZif file's bytes (any version; footer included). */
pos_status_t pos_zone_read(pos_arena_t *arena, pos_str_t tzif,
    const pos_zone_t **out) POS_MUSTCHECK;
const pos_zone_t *pos_zone_utc(void);

void pos_civil_of(const pos_zone_t *zone, int64_t unix_us, pos_civil_t *out);
/* Wall time to UTC; in a gap the time after it, in a fold the earlier. */
int64_t pos_civil_to_time(const pos_zone_t *zone, const pos_civil_t *civil);

/* RFC 3339. Without an offset the time is in `zone`; a NULL zone then refuses.
 * At most 6 fraction digits; leap second 60, the year 0 and offsets of 16 hours or
 * more are refused. */
bool pos_time_read(pos_str_t text, const pos_zone_t *zone, int64_t *unix_us);
/* "YYYY-MM-DD" to days since 1970-01-01; the year 0, which PostgreSQL has not, is refused. */
bool pos_date_read(pos_str_t text, int32_t *days);
/* "HH:MM" to minutes of the day; "24:00" is 1440. */
bool pos_minutes_read(pos_str_t text, int32_t *minutes);
#define POS_TIME_TEXT_MAX  32
/* Writes RFC 3339 UTC; returns the length. */
size_t pos_time_write(int64_t unix_us, char out[POS_TIME_TEXT_MAX]);

#endif
