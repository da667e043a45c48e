/*
 * The civil calendar and RFC 3339. Days are counted in the proleptic
 * Gregorian calendar; a day has 86,400 seconds, as POSIX has it.
 */

#include "base/clock.h"
#include "base/zone.h"

#define POS_US         INT64_C(1000000)
#define POS_DAY        INT64_C(86400)
#define POS_YEAR_MAX   9999
#define POS_OFFSET_HOURS_MAX  15


/* Days since 1970-01-01, by eras of 400 years that start in March. */
int64_t
pos_days_of(int32_t year, unsigned month, unsigned day)
{
    int64_t  y = (int64_t) year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400;
    unsigned of_era = (unsigned) (y - era * 400);
    unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}


void
pos_date_of(int64_t days, pos_civil_t *out)
{
    int64_t  z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned day = (unsigned) (z - era * 146097);
    unsigned year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    unsigned of_year = day - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * of_year + 2) / 153;
    int64_t  weekday = (days + 3) % 7;

    out->day = (uint8_t) (of_year - (153 * month + 2) / 5 + 1);
    out->month = (uint8_t) (month < 10 ? month + 3 : month - 9);
    out->year = (int32_t) (year + era * 400 + (out->month <= 2));
    out->weekday = (uint8_t) (weekday < 0 ? weekday + 7 : weekday);
}


unsigned
pos_days_in_month(int32_t year, unsigned month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        return 29;
    }

    return days[month - 1];
}


static int64_t
pos_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}


void
pos_civil_of(const pos_zone_t *zone, int64_t unix_us, pos_civil_t *out)
{
    int64_t seconds = pos_floor_div(unix_us, POS_US), days, rest;

    out->offset = pos_zone_offset(zone, seconds);
    seconds += out->offset;

    days = pos_floor_div(seconds, POS_DAY);
    rest = seconds - days * POS_DAY;

    pos_date_of(days, out);
    out->hour = (uint8_t) (rest / 3600);
    out->minute = (uint8_t) (rest / 60 % 60);
    out->second = (uint8_t) (rest % 60);
}


int64_t
pos_civil_to_time(const pos_zone_t *zone, const pos_civil_t *civil)
{
    int64_t local = pos_days_of(civil->year, civil->month, civil->day) * POS_DAY
                    + civil->hour * 3600 + civil->minute * 60 + civil->second;

    return pos_zone_from_local(zone, local) * POS_US;
}


/* Exactly `count` digits; false otherwise. */
static bool
pos_digits(const char *p, unsigned count, int32_t *out)
{
    int32_t n = 0;

    while (count--) {
        if (*p < '0' || *p > '9') {
            return false;
        }

        n = n * 10 + (*p++ - '0');
    }

    *out = n;

    return true;
}


static bool
pos_date_part(const char *p, int32_t *year, int32_t *month, int32_t *day)
{
    return pos_digits(p, 4, year) && p[4] == '-' && pos_digits(p + 5, 2, month)
           && p[7] == '-' && pos_digits(p + 8, 2, day) && *year >= 1 && *month >= 1 && *month <= 12
           && *day >= 1 && *day <= (int32_t) pos_days_in_month(*year, (unsigned) *month);
}


bool
pos_date_read(pos_str_t text, int32_t *days)
{
    int32_t year, month, day;

    if (text.len != 10 || !pos_date_part(text.data, &year, &month, &day)) {
        return false;
    }

    *days = (int32_t) pos_days_of(year, (unsigned) month, (unsigned) day);

    return true;
}


bool
pos_minutes_read(pos_str_t text, int32_t *minutes)
{
    int32_t hour, minute;

    if (text.len != 5 || text.data[2] != ':' || !pos_digits(text.data, 2, &hour)
        || !pos_digits(text.data + 3, 2, &minute)) {
        return false;
    }

    if (minute > 59 || hour > 24 || (hour == 24 && minute != 0)) {
        return false;
    }

    *minutes = hour * 60 + minute;

    return true;
}


/* ".5" to 500000; moves `*p` behind it. */
static bool
pos_fraction(const char **p, const char *end, int64_t *us)
{
    int64_t scale = POS_US / 10;

    *us = 0;

    if (*p == end || **p != '.') {
        return true;
    }

    for (++*p; *p < end && **p >= '0' && **p <= '9'; ++*p, scale /= 10) {
        if (scale == 0) {
            return false;
        }

        *us += (**p - '0') * scale;
    }

    return scale != POS_US / 10;
}


/* "Z" or "+hh:mm", all that is left of the text. Nobody is 16 hours away from UTC, and
 * PostgreSQL, which must store what was taken here, refuses it. */
static bool
pos_offset(const char *p, const char *end, int32_t *seconds)
{
    int32_t hours, minutes;

    if (end - p == 1 && (*p == 'Z' || *p == 'z')) {
        *seconds = 0;
        return true;
    }

    if (end - p != 6 || (*p != '+' && *p != '-') || !pos_digits(p + 1, 2, &hours)
        || p[3] != ':' || !pos_digits(p + 4, 2, &minutes) || hours > POS_OFFSET_HOURS_MAX
        || minutes > 59) {
        return false;
    }

    *seconds = (hours * 3600 + minutes * 60) * (*p == '-' ? -1 : 1);

    return true;
}


bool
pos_time_read(pos_str_t text, const pos_zone_t *zone, int64_t *unix_us)
{
    int32_t     year, month, day, hour, minute, second, offset;
    int64_t     us, local;
    const char *p = text.data, *end = p + text.len;

    if (text.len < 19 || !pos_date_part(p, &year, &month, &day)
        || (p[10] != 'T' && p[10] != 't') || !pos_digits(p + 11, 2, &hour) || p[13] != ':'
        || !pos_digits(p + 14, 2, &minute) || p[16] != ':' || !pos_digits(p + 17, 2, &second)
        || hour > 23 || minute > 59 || second > 59) {
        return false;
    }

    p += 19;
    if (!pos_fraction(&p, end, &us)) {
        return false;
    }

    local = pos_days_of(year, (unsigned) month, (unsigned) day) * POS_DAY + hour * 3600
            + minute * 60 + second;

    if (p < end) {
        if (!pos_offset(p, end, &offset)) {
            return false;
        }

        local -= offset;

    } else if (zone) {
        local = pos_zone_from_local(zone, local);

    } else {
        return false;
    }

    *unix_us = local * POS_US + us;

    return true;
}


static char *
pos_put_digits(char *p, uint32_t n, unsigned count)
{
    unsigned i;

    for (i = count; i-- > 0; n /= 10) {
        p[i] = (char) ('0' + n % 10);
    }

    return p + count;
}


/* RFC 3339 has four digits for a year: times beyond are written as the
 * nearest that can be. */
static int64_t
pos_time_clamp(int64_t unix_us)
{
    const int64_t low = pos_days_of(1, 1, 1) * POS_DAY * POS_US;
    const int64_t high = (pos_days_of(POS_YEAR_MAX + 1, 1, 1) * POS_DAY) * POS_US - 1;

    return unix_us < low ? low : unix_us > high ? high : unix_us;
}


size_t
pos_time_write(int64_t unix_us, char out[POS_TIME_TEXT_MAX])
{
    char       *p = out;
    int64_t     us;
    pos_civil_t civil;

    unix_us = pos_time_clamp(unix_us);
    us = unix_us - pos_floor_div(unix_us, POS_US) * POS_US;
    pos_civil_of(pos_zone_utc(), unix_us, &civil);

    p = pos_put_digits(p, (uint32_t) civil.year, 4);
    *p++ = '-';
    p = pos_put_digits(p, civil.month, 2);
    *p++ = '-';
    p = pos_put_digits(p, civil.day, 2);
    *p++ = 'T';
    p = pos_put_digits(p, civil.hour, 2);
    *p++ = ':';
    p = pos_put_digits(p, civil.minute, 2);
    *p++ = ':';
    p = pos_put_digits(p, civil.second, 2);

    if (us) {
        *p++ = '.';
        p = pos_put_digits(p, (uint32_t) us, 6);

        while (p[-1] == '0') {
            p--;
        }
    }

    *p++ = 'Z';

    return (size_t) (p - out);
}
