/*
 * Time zones: TZif (RFC 8536), its 64-bit block and its footer, a POSIX TZ
 * string that holds behind the last transition. A file of version 1 has only
 * 32-bit times and no footer.
 */

#include "base/zone.h"

#define POS_TZIF_HEADER   44
#define POS_TZIF_MAX      (1 << 20)
#define POS_OFFSET_MAX    (26 * 3600)
#define POS_ZONE_DAY      INT64_C(86400)

/* A day of the year and a second of that day, as in a POSIX TZ string. */
typedef struct {
    enum { POS_RULE_JULIAN, POS_RULE_DAY, POS_RULE_MONTH } kind;
    int32_t month, week, day;
    int32_t seconds;
} pos_zone_rule_t;

typedef struct {
    bool            present;
    bool            has_dst;
    int32_t         standard;   /* seconds east of UTC */
    int32_t         dst;
    pos_zone_rule_t start;      /* of daylight time, in standard wall time */
    pos_zone_rule_t end;        /* in daylight wall time                   */
} pos_zone_footer_t;

struct pos_zone_s {
    size_t            count;
    const int64_t    *times;     /* rising                                 */
    const int32_t    *offsets;   /* from times[i] on                       */
    int32_t           before;    /* offset ahead of the first transition   */
    pos_zone_footer_t footer;    /* from the last transition on            */
};


const pos_zone_t *
pos_zone_utc(void)
{
    static const pos_zone_t utc = { 0 };

    return &utc;
}


static int64_t
pos_rule_day(const pos_zone_rule_t *rule, int32_t year)
{
    int64_t     first;
    int32_t     day;
    pos_civil_t civil;

    switch (rule->kind) {
    case POS_RULE_JULIAN:
        /* 1 to 365; 29 February is never counted. */
        day = rule->day - 1;
        day += rule->day >= 60 && pos_days_in_month(year, 2) == 29;
        return pos_days_of(year, 1, 1) + day;

    case POS_RULE_DAY:
        return pos_days_of(year, 1, 1) + rule->day;

    case POS_RULE_MONTH:
        break;
    }

    first = pos_days_of(year, (unsigned) rule->month, 1);
    pos_date_of(first, &civil);

    /* POSIX counts from Sunday, pos_civil_t from Monday. */
    day = (rule->day + 6 - civil.weekday) % 7 + (rule->week - 1) * 7;
    if (day >= (int32_t) pos_days_in_month(year, (unsigned) rule->month)) {
        day -= 7;
    }

    return first + day;
}


static int32_t
pos_footer_offset(const pos_zone_footer_t *footer, int64_t seconds)
{
    int64_t     start, end, local = seconds + footer->standard;
    bool        dst;
    pos_civil_t civil;

    if (!footer->has_dst) {
        return footer->standard;
    }

    pos_date_of(local / POS_ZONE_DAY - (local % POS_ZONE_DAY < 0), &civil);

    start = pos_rule_day(&footer->start, civil.year) * POS_ZONE_DAY + footer->start.seconds
            - footer->standard;
    end = pos_rule_day(&footer->end, civil.year) * POS_ZONE_DAY + footer->end.seconds
          - footer->dst;

    if (start < end) {
        dst = seconds >= start && seconds < end;
    } else {
        dst = seconds >= start || seconds < end;
    }

    return dst ? footer->dst : footer->standard;
}


int32_t
pos_zone_offset(const pos_zone_t *zone, int64_t seconds)
{
    size_t low = 0, high = zone->count, mid;

    if (zone->count == 0 || seconds >= zone->times[zone->count - 1]) {
        if (zone->footer.present) {
            return pos_footer_offset(&zone->footer, seconds);
        }

        return zone->count ? zone->offsets[zone->count - 1] : zone->before;
    }

    while (low < high) {
        mid = low + (high - low) / 2;

        if (zone->times[mid] <= seconds) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }

    return low ? zone->offsets[low - 1] : zone->before;
}


int64_t
pos_zone_from_local(const pos_zone_t *zone, int64_t local)
{
    int32_t before = pos_zone_offset(zone, local - POS_OFFSET_MAX);
    int32_t after = pos_zone_offset(zone, local + POS_OFFSET_MAX);
    bool    by_before, by_after;

    if (before == after) {
        return local - before;
    }

    by_before = pos_zone_offset(zone, local - before) == before;
    by_after = pos_zone_offset(zone, local - after) == after;

    if (by_after && !by_before) {
        return local - after;
    }

    /* Ahead of the change, or in a fold, where the old offset names the
     * earlier time; or in a gap, where it names a time past the gap. */
    return local - before;
}


/* The bytes not yet read. `failed` sticks. */
typedef struct {
    const uint8_t *pos;
    const uint8_t *end;
    bool           failed;
} pos_zone_reader_t;


static const uint8_t *
pos_zone_take(pos_zone_reader_t *r, size_t n)
{
    const uint8_t *p = r->pos;

    if (r->failed || (size_t) (r->end - r->pos) < n) {
        r->failed = true;
        return NULL;
    }

    r->pos += n;

    return p;
}


static uint64_t
pos_zone_big_endian(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;

    while (n--) {
        v = v << 8 | *p++;
    }

    return v;
}


typedef struct {
    uint8_t  version;
    uint32_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
} pos_tzif_header_t;


static void
pos_tzif_header(pos_zone_reader_t *r, pos_tzif_header_t *header)
{
    const uint8_t *p = pos_zone_take(r, POS_TZIF_HEADER);

    memset(header, 0, sizeof(*header));

    if (p == NULL || memcmp(p, "TZif", 4) != 0) {
        r->failed = true;
        return;
    }

    header->version = p[4];
    header->isutcnt = (uint32_t) pos_zone_big_endian(p + 20, 4);
    header->isstdcnt = (uint32_t) pos_zone_big_endian(p + 24, 4);
    header->leapcnt = (uint32_t) pos_zone_big_endian(p + 28, 4);
    header->timecnt = (uint32_t) pos_zone_big_endian(p + 32, 4);
    header->typecnt = (uint32_t) pos_zone_big_endian(p + 36, 4);
    header->charcnt = (uint32_t) pos_zone_big_endian(p + 40, 4);
}


/* A number of the footer, `low` to `high`. */
static int32_t
pos_footer_number(pos_zone_reader_t *r, int32_t low, int32_t high)
{
    bool    any = false;
    int32_t n = 0;

    while (r->pos < r->end && *r->pos >= '0' && *r->pos <= '9' && n <= high) {
        n = n * 10 + (*r->pos++ - '0');
        any = true;
    }

    if (!any || n < low || n > high) {
        r->failed = true;
        return low;
    }

    return n;
}


static bool
pos_footer_has(pos_zone_reader_t *r, char c)
{
    if (r->failed || r->pos == r->end || *r->pos != (uint8_t) c) {
        return false;
    }

    r->pos++;

    return true;
}


/* [+-]hh[:mm[:ss]] in seconds. */
static int32_t
pos_footer_time(pos_zone_reader_t *r)
{
    int32_t sign = 1, seconds;

    if (pos_footer_has(r, '-')) {
        sign = -1;
    } else {
        (void) pos_footer_has(r, '+');
    }

    seconds = pos_footer_number(r, 0, 167) * 3600;

    if (pos_footer_has(r, ':')) {
        seconds += pos_footer_number(r, 0, 59) * 60;

        if (pos_footer_has(r, ':')) {
            seconds += pos_footer_number(r, 0, 59);
        }
    }

    return sign * seconds;
}


/* "GMT" or "<+0530>". */
static void
pos_footer_name(pos_zone_reader_t *r)
{
    bool           quoted = pos_footer_has(r, '<');
    const uint8_t *start = r->pos;

    while (r->pos < r->end) {
        uint8_t c = *r->pos;
        bool    letter = (c | 32) >= 'a' && (c | 32) <= 'z';

        if (!letter && !(quoted && ((c >= '0' && c <= '9') || c == '+' || c == '-'))) {
            break;
        }

        r->pos++;
    }

    if (r->pos == start || (quoted && !pos_footer_has(r, '>'))) {
        r->failed = true;
    }
}


static void
pos_footer_rule(pos_zone_reader_t *r, pos_zone_rule_t *rule)
{
    rule->seconds = 2 * 3600;

    if (!pos_footer_has(r, ',')) {
        r->failed = true;
        return;
    }

    if (pos_footer_has(r, 'M')) {
        rule->kind = POS_RULE_MONTH;
        rule->month = pos_footer_number(r, 1, 12);
        r->failed |= !pos_footer_has(r, '.');
        rule->week = pos_footer_number(r, 1, 5);
        r->failed |= !pos_footer_has(r, '.');
        rule->day = pos_footer_number(r, 0, 6);

    } else if (pos_footer_has(r, 'J')) {
        rule->kind = POS_RULE_JULIAN;
        rule->day = pos_footer_number(r, 1, 365);

    } else {
        rule->kind = POS_RULE_DAY;
        rule->day = pos_footer_number(r, 0, 365);
    }

    if (pos_footer_has(r, '/')) {
        rule->seconds = pos_footer_time(r);
    }
}


static void
pos_footer_read(pos_zone_reader_t *r, pos_zone_footer_t *footer)
{
    memset(footer, 0, sizeof(*footer));

    if (r->pos == r->end) {
        return;
    }

    footer->present = true;
    pos_footer_name(r);
    footer->standard = -pos_footer_time(r);
    footer->dst = footer->standard + 3600;

    if (r->failed || r->pos == r->end) {
        return;
    }

    footer->has_dst = true;
    pos_footer_name(r);

    if (r->pos < r->end && *r->pos != ',') {
        footer->dst = -pos_footer_time(r);
    }

    pos_footer_rule(r, &footer->start);
    pos_footer_rule(r, &footer->end);
    r->failed |= r->pos != r->end;
}


static bool
pos_tzif_transitions(const pos_tzif_header_t *header, unsigned width, const uint8_t *times,
    const uint8_t *indexes, const uint8_t *types, int64_t *out_times, int32_t *out_offsets)
{
    size_t i;

    for (i = 0; i < header->timecnt; i++) {
        out_times[i] = (int64_t) pos_zone_big_endian(times + width * i, width);
        out_times[i] = width == 4 ? (int32_t) out_times[i] : out_times[i];

        if (indexes[i] >= header->typecnt || (i > 0 && out_times[i] <= out_times[i - 1])) {
            return false;
        }

        out_offsets[i] = (int32_t) pos_zone_big_endian(types + 6 * indexes[i], 4);

        if (out_offsets[i] > POS_OFFSET_MAX || out_offsets[i] < -POS_OFFSET_MAX) {
            return false;
        }
    }

    return true;
}


/* A block: transitions, times of `width` bytes; types; the rest skipped. */
static pos_status_t
pos_tzif_block(pos_zone_reader_t *r, const pos_tzif_header_t *header, unsigned width,
    pos_arena_t *arena, pos_zone_t *zone)
{
    int64_t       *out_times;
    int32_t       *out_offsets;
    const uint8_t *times, *indexes, *types;

    times = pos_zone_take(r, (size_t) header->timecnt * width);
    indexes = pos_zone_take(r, header->timecnt);
    types = pos_zone_take(r, (size_t) header->typecnt * 6);
    (void) pos_zone_take(r, (size_t) header->charcnt + header->isstdcnt + header->isutcnt);

    /* A file of the "right" kind counts leap seconds: its times are not
     * those of POSIX, nor ours. */
    if (r->failed || header->leapcnt != 0 || header->typecnt == 0) {
        return POS_INVALID;
    }

    out_times = pos_arena_array(arena, (size_t) header->timecnt + 1, sizeof(int64_t));
    out_offsets = pos_arena_array(arena, (size_t) header->timecnt + 1, sizeof(int32_t));

    if (out_times == NULL || out_offsets == NULL) {
        return POS_NO_MEMORY;
    }

    if (!pos_tzif_transitions(header, width, times, indexes, types, out_times, out_offsets)) {
        return POS_INVALID;
    }

    zone->count = header->timecnt;
    zone->times = out_times;
    zone->offsets = out_offsets;
    zone->before = (int32_t) pos_zone_big_endian(types, 4);

    if (zone->before > POS_OFFSET_MAX || zone->before < -POS_OFFSET_MAX) {
        return POS_INVALID;
    }

    return POS_OK;
}


/* Behind the block: a line feed, the TZ string, a line feed. */
static bool
pos_tzif_footer(pos_zone_reader_t *r, pos_zone_footer_t *footer)
{
    const uint8_t *end;

    if (!pos_footer_has(r, '\n')) {
        return false;
    }

    end = memchr(r->pos, '\n', (size_t) (r->end - r->pos));
    if (end == NULL) {
        return false;
    }

    r->end = end;
    pos_footer_read(r, footer);

    return !r->failed;
}


pos_status_t
pos_zone_read(pos_arena_t *arena, pos_str_t tzif, const pos_zone_t **out)
{
    uint8_t           version;
    pos_zone_t       *zone;
    pos_status_t      status;
    pos_zone_reader_t r = { .pos = (const uint8_t *) tzif.data,
                            .end = (const uint8_t *) tzif.data + tzif.len };
    pos_tzif_header_t header;

    if (tzif.len > POS_TZIF_MAX) {
        return POS_INVALID;
    }

    pos_tzif_header(&r, &header);
    version = header.version;

    if (r.failed) {
        return POS_INVALID;
    }

    if (version >= '2') {
        /* The 32-bit block is for old readers. */
        (void) pos_zone_take(&r, (size_t) header.timecnt * 5 + (size_t) header.typecnt * 6
                                     + header.charcnt + (size_t) header.leapcnt * 8
                                     + header.isstdcnt + header.isutcnt);
        pos_tzif_header(&r, &header);
    }

    zone = pos_arena_zalloc(arena, sizeof(pos_zone_t));
    if (zone == NULL) {
        return POS_NO_MEMORY;
    }

    status = pos_tzif_block(&r, &header, version >= '2' ? 8 : 4, arena, zone);
    if (status != POS_OK) {
        return status;
    }

    if (version >= '2' && !pos_tzif_footer(&r, &zone->footer)) {
        return POS_INVALID;
    }

    *out = zone;

    return POS_OK;
}
