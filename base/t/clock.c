/* The calendar, RFC 3339 and time zones of /usr/share/zoneinfo. */

#include "base/clock.h"
#include "base/json_write.h"
#include "base/t/tap.h"

#define US  INT64_C(1000000)


static void
reading(void)
{
    static const struct { const char *text; int64_t want; } good[] = {
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01t00:00:00z", 0 },
        { "1969-12-31T23:59:59.999999Z", -1 },
        { "2026-11-27T09:00:00Z", INT64_C(1795770000) * US },
        { "2026-11-27T09:00:00+01:00", INT64_C(1795766400) * US },
        { "2026-11-27T09:00:00-00:00", INT64_C(1795770000) * US },
        { "2026-11-27T09:00:00.5Z", INT64_C(1795770000) * US + 500000 },
        { "2026-11-27T09:00:00.000001Z", INT64_C(1795770000) * US + 1 },
        { "2024-02-29T00:00:00Z", INT64_C(1709164800) * US },
        { "2000-02-29T23:59:59+15:59", INT64_C(951811259) * US },
        { "0001-01-01T00:00:00Z", INT64_C(-62135596800) * US },
        { "9999-12-31T23:59:59.999999Z", INT64_C(253402300799) * US + 999999 },
    };
    static const char *const bad[] = {
        "", "2026", "2026-11-27", "2026-11-27T09:00Z", "2026-11-27 09:00:00Z",
        "2026-11-27T09:00:00", "2026-11-27T09:00:60Z", "2026-11-27T24:00:00Z",
        "2026-11-27T23:60:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-01-00T00:00:00Z", "2026-11-27T09:00:00.Z", "2026-11-27T09:00:00.1234567Z",
        "2026-11-27T09:00:00+0100", "2026-11-27T09:00:00+16:00", "2026-11-27T09:00:00-23:00", "2026-11-27T09:00:00+01:60",
        "2026-11-27T09:00:00+1:00", "2026-11-27T09:00:00ZZ", "2026-11-27T09:00:00Z ",
        " 2026-11-27T09:00:00Z", "+2026-11-27T09:00:00Z", "2026-1-27T09:00:00Z",
        "2026-11-27T9:00:00Z", "2026/11/27T09:00:00Z", "20261127T090000Z",
        "2026-11-27T09:00:00,5Z", "2026-11-27T09:00:00 Z", "٢026-11-27T09:00:00Z",
        "10000-01-01T00:00:00Z", "0000-12-31T00:00:00Z", "-001-01-01T00:00:00Z",
    };
    size_t  i;
    int64_t got;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        got = 77;
        ok(pos_time_read(pos_str_z(good[i].text), NULL, &got) && got == good[i].want,
           "%s is %lld", good[i].text, (long long) got);
    }

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(!pos_time_read(pos_str_z(bad[i]), NULL, &got), "refused: '%s'", bad[i]);
    }

    ok(pos_time_read(pos_str("2026-11-27T09:00:00"), pos_zone_utc(), &got)
           && got == INT64_C(1795770000) * US,
       "without offset it is in the zone");
    ok(!pos_time_read(pos_str("2026-11-27T09:00:00x"), pos_zone_utc(), &got), "but nothing else may follow");
}


static void
dates_and_minutes(void)
{
    int32_t n;

    ok(pos_date_read(pos_str("1970-01-02"), &n) && n == 1, "a date");
    ok(pos_date_read(pos_str("1969-12-31"), &n) && n == -1, "before 1970");
    ok(!pos_date_read(pos_str("2025-02-29"), &n), "no such day");
    ok(!pos_date_read(pos_str("0000-01-01"), &n) && pos_date_read(pos_str("0001-01-01"), &n), "no year 0");
    ok(!pos_date_read(pos_str("2025-02-2"), &n) && !pos_date_read(pos_str(""), &n), "too short");
    ok(pos_minutes_read(pos_str("00:00"), &n) && n == 0, "midnight");
    ok(pos_minutes_read(pos_str("17:30"), &n) && n == 1050, "half past five");
    ok(pos_minutes_read(pos_str("24:00"), &n) && n == 1440, "the day's end");
    ok(!pos_minutes_read(pos_str("24:01"), &n) && !pos_minutes_read(pos_str("12:60"), &n)
           && !pos_minutes_read(pos_str("7:30"), &n) && !pos_minutes_read(pos_str("07.30"), &n)
           && !pos_minutes_read(pos_str("25:00"), &n),
       "no such time");
}


static void
writing(void)
{
    static const char *const times[] = {
        "1970-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "2026-11-27T09:00:00.5Z",
        "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2024-02-29T12:34:56.78Z",
    };
    char         out[POS_TIME_TEXT_MAX];
    int          wrong = 0;
    size_t       i, n;
    int64_t      time, again;
    uint64_t     state = 3;
    pos_civil_t  civil;

    for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        ok(pos_time_read(pos_str_z(times[i]), NULL, &time), "%s", times[i]);
        is_str(pos_str_of(out, pos_time_write(time, out)), times[i], "is written as it is read");
    }

    is_str(pos_str_of(out, pos_time_write(INT64_MAX, out)), "9999-12-31T23:59:59.999999Z", "the far end");
    is_str(pos_str_of(out, pos_time_write(INT64_MIN, out)), "0001-01-01T00:00:00Z", "the other");

    for (i = 0; i < 50000; i++) {
        time = (int64_t) (tap_random(&state) % (UINT64_C(315537897600) * 1000000)) - INT64_C(62135596800) * US;
        n = pos_time_write(time, out);
        wrong += !pos_time_read(pos_str_of(out, n), NULL, &again) || again != time;
        pos_civil_of(pos_zone_utc(), time, &civil);
        again = pos_civil_to_time(pos_zone_utc(), &civil);
        wrong += again > time || time - again >= US;
    }
    is_int(wrong, 0, "50,000 times there and back");

    pos_civil_of(pos_zone_utc(), 0, &civil);
    is_int(civil.weekday, 3, "1970 began on a Thursday");
    pos_civil_of(pos_zone_utc(), -US, &civil);
    is_int(civil.weekday, 2, "after a Wednesday");
}


static const pos_zone_t *
zone_of(pos_arena_t *arena, const char *name)
{
    char              path[256];
    pos_str_t         bytes;
    const pos_zone_t *zone = NULL;

    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
    bytes = tap_file(path);

    if (bytes.data == NULL || pos_zone_read(arena, bytes, &zone) != POS_OK) {
        zone = NULL;
    }

    free((char *) bytes.data);

    return zone;
}


/* Wall time `wall` in the zone is `utc`; and, unless it lies in a gap or is
 * the later of a fold, back. */
static void
wall(const pos_zone_t *zone, const char *name, const char *wall, const char *utc, const char *what)
{
    char    out[POS_TIME_TEXT_MAX];
    int64_t got;

    ok(pos_time_read(pos_str_z(wall), zone, &got), "%s %s: %s", name, wall, what);
    is_str(pos_str_of(out, pos_time_write(got, out)), utc, "is %s", utc);
}


static void
local(const pos_zone_t *zone, const char *utc, int hour, int minute, int offset)
{
    int64_t     time = 0;
    pos_civil_t civil;

    ok(pos_time_read(pos_str_z(utc), NULL, &time), "%s", utc);
    pos_civil_of(zone, time, &civil);
    ok(civil.hour == hour && civil.minute == minute && civil.offset == offset,
       "is %02d:%02d there (got %02d:%02d %d)", hour, minute, civil.hour, civil.minute, civil.offset);
}


static void
zones(pos_arena_t *arena)
{
    const pos_zone_t *london = zone_of(arena, "Europe/London");
    const pos_zone_t *york = zone_of(arena, "America/New_York");
    const pos_zone_t *kolkata = zone_of(arena, "Asia/Kolkata");
    const pos_zone_t *howe = zone_of(arena, "Australia/Lord_Howe");
    const pos_zone_t *apia = zone_of(arena, "Pacific/Apia");
    const pos_zone_t *dublin = zone_of(arena, "Europe/Dublin");
    const pos_zone_t *utc = zone_of(arena, "UTC");

    if (!ok(london && york && kolkata && howe && apia && dublin && utc, "the zones are read")) {
        return;
    }

    wall(london, "London", "2026-01-15T12:00:00", "2026-01-15T12:00:00Z", "winter");
    wall(london, "London", "2026-07-15T12:00:00", "2026-07-15T11:00:00Z", "summer");
    wall(london, "London", "2026-03-29T00:59:59", "2026-03-29T00:59:59Z", "before the gap");
    wall(london, "London", "2026-03-29T01:30:00", "2026-03-29T01:30:00Z", "in the gap, after it");
    wall(london, "London", "2026-03-29T02:00:00", "2026-03-29T01:00:00Z", "behind the gap");
    wall(london, "London", "2026-10-25T00:59:59", "2026-10-24T23:59:59Z", "before the fold");
    wall(london, "London", "2026-10-25T01:30:00", "2026-10-25T00:30:00Z", "in the fold, the earlier");
    wall(london, "London", "2026-10-25T02:00:00", "2026-10-25T02:00:00Z", "behind the fold");
    wall(london, "London", "2060-07-15T12:00:00", "2060-07-15T11:00:00Z", "by the footer's rule");
    wall(london, "London", "2060-01-15T12:00:00", "2060-01-15T12:00:00Z", "in winter too");
    wall(london, "London", "1970-06-01T12:00:00", "1970-06-01T11:00:00Z", "British Standard Time");
    local(london, "2026-10-25T00:30:00Z", 1, 30, 3600);
    local(london, "2026-10-25T01:30:00Z", 1, 30, 0);
    local(london, "2026-03-29T00:59:59.999999Z", 0, 59, 0);
    local(london, "2026-03-29T01:00:00Z", 2, 0, 3600);
    local(london, "2099-03-29T00:59:59Z", 0, 59, 0);
    local(london, "2099-03-29T01:00:00Z", 2, 0, 3600);

    wall(york, "New York", "2026-03-08T02:30:00", "2026-03-08T07:30:00Z", "in the gap, after it");
    wall(york, "New York", "2026-11-01T01:30:00", "2026-11-01T05:30:00Z", "in the fold, the earlier");
    wall(york, "New York", "2050-03-13T02:30:00", "2050-03-13T07:30:00Z", "a gap of the footer's");
    wall(york, "New York", "2050-11-06T01:30:00", "2050-11-06T05:30:00Z", "a fold of the footer's");
    wall(york, "New York", "2026-12-31T23:59:59", "2027-01-01T04:59:59Z", "over the year's end");
    wall(york, "New York", "1850-01-01T00:00:00", "1850-01-01T04:56:02Z", "local mean time");

    wall(kolkata, "Kolkata", "2026-07-15T12:00:00", "2026-07-15T06:30:00Z", "half an hour");
    local(kolkata, "2026-07-15T06:30:00Z", 12, 0, 19800);

    /* Half an hour of daylight time, and the south's seasons. */
    wall(howe, "Lord Howe", "2026-01-15T12:00:00", "2026-01-15T01:00:00Z", "summer");
    wall(howe, "Lord Howe", "2026-07-15T12:00:00", "2026-07-15T01:30:00Z", "winter");
    wall(howe, "Lord Howe", "2026-10-04T02:15:00", "2026-10-03T15:45:00Z", "in the gap, after it");
    wall(howe, "Lord Howe", "2026-04-05T01:45:00", "2026-04-04T14:45:00Z", "in the fold, the earlier");
    wall(howe, "Lord Howe", "2060-01-15T12:00:00", "2060-01-15T01:00:00Z", "by the footer");

    wall(apia, "Apia", "2011-12-30T12:00:00", "2011-12-30T22:00:00Z", "a day that never was");
    wall(apia, "Apia", "2011-12-31T12:00:00", "2011-12-30T22:00:00Z", "the day after");
    wall(dublin, "Dublin", "2060-07-15T12:00:00", "2060-07-15T11:00:00Z", "negative daylight time, summer");
    wall(dublin, "Dublin", "2060-01-15T12:00:00", "2060-01-15T12:00:00Z", "and winter");
    wall(utc, "UTC", "2026-07-15T12:00:00", "2026-07-15T12:00:00Z", "UTC as a file");
}


/* A file of version 1: one change, of 32 bits, before 1970. */
static void
version_1(pos_arena_t *arena)
{
    static const char bytes[] = "TZif\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0\4"
                                "\xff\xff\xff\xff\1\0\0\0\0\0\0\0\0\x0e\x10\0\0" "ABC";
    const pos_zone_t *zone;

    if (ok(pos_zone_read(arena, pos_str_of(bytes, sizeof(bytes)), &zone) == POS_OK, "version 1 is read")) {
        local(zone, "1969-12-31T23:59:58Z", 23, 59, 0);
        local(zone, "1970-01-01T00:00:00Z", 1, 0, 3600);
        local(zone, "2060-01-01T00:00:00Z", 1, 0, 3600);
    }
}


/* Cut and damaged files are refused or read; nothing else happens. */
static void
damaged(pos_arena_t *arena)
{
    char             *copy;
    size_t            i, n;
    pos_str_t         bytes = tap_file("/usr/share/zoneinfo/Europe/London");
    int               taken = 0;
    int64_t           time;
    uint64_t          state = 5;
    const pos_zone_t *zone;

    ok(pos_zone_read(arena, pos_str(""), &zone) == POS_INVALID, "an empty file");
    ok(pos_zone_read(arena, pos_str("TZif"), &zone) == POS_INVALID, "a short one");

    if (bytes.data == NULL) {
        return;
    }

    for (i = 0; i < bytes.len; i++) {
        copy = malloc(i ? i : 1);
        memcpy(copy, bytes.data, i);
        taken += pos_zone_read(arena, pos_str_of(copy, i), &zone) == POS_OK;
        free(copy);
    }
    is_int(taken, 0, "every cut is refused");

    copy = malloc(bytes.len);
    for (n = 0; n < 20000; n++) {
        memcpy(copy, bytes.data, bytes.len);
        i = n % 2 ? tap_random(&state) % bytes.len : bytes.len - 1 - tap_random(&state) % 40;
        copy[i] = (char) tap_random(&state);
        pos_arena_reset(arena);

        if (pos_zone_read(arena, pos_str_of(copy, bytes.len), &zone) == POS_OK) {
            pos_civil_t civil;

            (void) pos_time_read(pos_str("2060-07-15T12:00:00"), zone, &time);
            pos_civil_of(zone, time, &civil);
            taken++;
        }
    }
    ok(taken > 0, "20,000 damaged files do no harm (%d were still readable)", taken);
    free(copy);
    free((char *) bytes.data);
}


int
main(void)
{
    pos_arena_t *arena = pos_arena_create(65536, 0);

    reading();
    dates_and_minutes();
    writing();
    zones(arena);
    version_1(arena);
    damaged(arena);
    pos_arena_destroy(arena);

    return tap_done();
}
