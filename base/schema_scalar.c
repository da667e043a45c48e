/*
 * Single values against a schema: a number within its bounds, a string by its
 * length, its pattern and its format.
 */

#include "base/clock.h"
#include "base/money.h"
#include "base/schema_run.h"
#include "base/utf8.h"

#include <stdio.h>

#define BOUND_TEXT_MAX  48


/* ---- numbers ---- */

/* A bound as the contract wrote it: whole part, and decimals if any. */
static const char *
bound_text(__int128 n, char text[BOUND_TEXT_MAX])
{
    bool               negative = n < 0;
    unsigned           digits = POS_SCHEMA_DIGITS;
    unsigned long long whole, rest;

    n = negative ? -n : n;
    whole = (unsigned long long) (n / 1000000000);
    rest = (unsigned long long) (n % 1000000000);

    if (rest == 0) {
        (void) snprintf(text, BOUND_TEXT_MAX, "%s%llu", negative ? "-" : "", whole);
        return text;
    }

    for (; rest % 10 == 0; rest /= 10) {
        digits--;
    }

    (void) snprintf(text, BOUND_TEXT_MAX, "%s%llu.%0*llu", negative ? "-" : "", whole,
                    (int) digits, rest);

    return text;
}


/* A 128-bit remainder is a call; what fits 64 bits is one instruction. */
static bool
is_multiple(__int128 n, __int128 of)
{
    if (n == (int64_t) n && of == (int64_t) of) {
        return (int64_t) n % (int64_t) of == 0;
    }

    return n % of == 0;
}


void
pos_schema_check_number(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *v,
                        const pos_schema_place_t *place)
{
    char     text[BOUND_TEXT_MAX];
    __int128 n;

    if (!s->has_min && !s->has_max && !s->has_exclusive_min && !s->has_multiple) {
        return;
    }

    if (!pos_schema_decimal(v->text, &n)) {
        POS_SCHEMA_FAULT(run, place, "number",
                         "must be written plainly: no exponent, at most 24 "
                         "digits and 9 decimals");
        return;
    }

    if (s->has_min && n < s->min) {
        POS_SCHEMA_FAULT(run, place, "min", "must be at least %s",
                         bound_text(s->min, text));
    }

    if (s->has_exclusive_min && n <= s->exclusive_min) {
        POS_SCHEMA_FAULT(run, place, "min", "must be above %s",
                         bound_text(s->exclusive_min, text));
    }

    if (s->has_max && n > s->max) {
        POS_SCHEMA_FAULT(run, place, "max", "must be at most %s", bound_text(s->max, text));
    }

    if (s->has_multiple && !is_multiple(n, s->multiple)) {
        POS_SCHEMA_FAULT(run, place, "multiple_of",
                         "has more decimals than allowed, or is not a "
                         "multiple of what is asked");
    }
}


/* ---- strings ---- */

static bool
all_in(pos_str_t s, const char *set)
{
    for (size_t i = 0; i < s.len; i++) {
        if (strchr(set, s.data[i]) == NULL || s.data[i] == '\0') {
            return false;
        }
    }

    return true;
}


static bool
looks_like_email(pos_str_t s)
{
    const char *at = memchr(s.data, '@', s.len);
    size_t      rest;

    if (at == NULL || at == s.data || s.len > 254) {
        return false;
    }

    rest = s.len - (size_t) (at - s.data) - 1;

    return rest > 0 && memchr(at + 1, '@', rest) == NULL
           && memchr(s.data, ' ', s.len) == NULL;
}


static bool
format_holds(uint8_t format, pos_str_t s)
{
    int32_t  days;
    int64_t  time;
    unsigned exponent;

    switch (format) {
    case POS_FORMAT_DATE_TIME:
        /* Without an offset it is in the retailer's zone: any zone will do. */
        return pos_time_read(s, pos_zone_utc(), &time);
    case POS_FORMAT_DATE:
        return pos_date_read(s, &days);
    case POS_FORMAT_CURRENCY:
        return pos_currency_exponent(s, &exponent);
    case POS_FORMAT_ULID:
        return s.len == 26 && all_in(s, "0123456789ABCDEFGHJKMNPQRSTVWXYZ");
    case POS_FORMAT_EMAIL:
        return s.len > 0 && looks_like_email(s);
    case POS_FORMAT_URI:
        return s.len > 3 && memchr(s.data, ':', s.len) != NULL
               && memchr(s.data, ' ', s.len) == NULL;
    default:
        return true;
    }
}


static const char *
format_text(uint8_t format)
{
    static const char *const texts[] = {
        "", "a time as RFC 3339 has it, such as 2026-11-27T09:00:00Z",
        "a date such as 2026-11-27", "a URI", "an e-mail address",
        "a currency of ISO 4217, such as GBP", "a ULID"
    };

    return texts[format];
}


/* Match data and limits belong to the set: matching allocates nothing. */
static bool
pattern_holds(const pos_schema_t *s, pos_str_t text)
{
    if (s->jit) {
        return pcre2_jit_match(s->pattern, (PCRE2_SPTR) text.data, text.len, 0, 0,
                   s->set->match_data, s->set->match) >= 0;
    }

    return pcre2_match(s->pattern, (PCRE2_SPTR) text.data, text.len, 0,
               PCRE2_NO_UTF_CHECK, s->set->match_data, s->set->match) >= 0;
}


void
pos_schema_check_string(pos_schema_run_t *run, const pos_schema_t *s, const pos_json_t *v,
                        const pos_schema_place_t *place)
{
    size_t length;

    /* A code point has 1 to 4 bytes: most lengths need no counting. */
    if (v->text.len > s->max_length || v->text.len / 4 < s->min_length) {
        length = pos_utf8_count(v->text);

        if (length < s->min_length) {
            POS_SCHEMA_FAULT(run, place, "min_length",
                             "must be at least %u characters long", s->min_length);
        }

        if (length > s->max_length) {
            POS_SCHEMA_FAULT(run, place, "max_length", "must be at most %u characters long",
                  s->max_length);
            return;    /* patterns see bounded text only */
        }
    }

    if (v->text.len > s->max_bytes) {
        POS_SCHEMA_FAULT(run, place, "max_length", "must be at most %u bytes long in UTF-8", s->max_bytes);
        return;
    }

    if (s->pattern != NULL && !pattern_holds(s, v->text)) {
        if (s->pattern_message.len > 0) {
            POS_SCHEMA_FAULT(run, place, "pattern", "%.*s", (int) s->pattern_message.len,
                             s->pattern_message.data);
        } else {
            POS_SCHEMA_FAULT(run, place, "pattern", "must match %.*s",
                             (int) s->pattern_text.len, s->pattern_text.data);
        }
    }

    if (s->format != POS_FORMAT_NONE && !format_holds(s->format, v->text)) {
        POS_SCHEMA_FAULT(run, place, "format", "must be %s", format_text(s->format));
    }
}
