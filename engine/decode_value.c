/*
 * Single values: texts, codes, numbers, times, words and ranges.
 */

#include "engine/decode.h"

#include <stdio.h>


/* The member, or NULL with a fault when it is required. */
static const pos_json_t *
present(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence)
{
    const pos_json_t *v = pos_member(object, name);

    if (v == NULL && presence == POS_REQUIRED) {
        pos_at_t at = pos_at_key(up, name);
        pos_decode_fault(d, &at, "required", "is required");
    }
    return v;
}


/* ---- texts and codes ---- */

bool
pos_decode_string(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence, size_t max, pos_str_t *out)
{
    const pos_json_t *v = present(d, up, object, name, presence);
    pos_at_t          at = pos_at_key(up, name);

    if (v == NULL) {
        return false;
    }
    if (v->type != POS_JSON_STRING) {
        return pos_decode_fault(d, &at, "type", "must be a string");
    }
    if (v->text.len > max) {
        return pos_decode_fault(d, &at, "max_length", "must be at most %zu bytes", max);
    }
    *out = pos_decode_copy(d, v->text);
    return true;
}


bool
pos_decode_code_value(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *v,
                      pos_str_t *out)
{
    if (v->type != POS_JSON_STRING) {
        return pos_decode_fault(d, at, "type", "must be a string");
    }
    if (v->text.len == 0) {
        return pos_decode_fault(d, at, "min_length", "must not be empty");
    }
    if (v->text.len > POS_CODE_MAX) {
        return pos_decode_fault(d, at, "max_length", "must be at most %d bytes",
            POS_CODE_MAX);
    }
    for (size_t i = 0; i < v->text.len; i++) {
        if ((unsigned char) v->text.data[i] < 0x20 || v->text.data[i] == 0x7f) {
            return pos_decode_fault(d, at, "pattern", "must hold no control characters");
        }
    }
    *out = pos_decode_copy(d, v->text);
    return true;
}


bool
pos_decode_code(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence, pos_str_t *out)
{
    const pos_json_t *v = present(d, up, object, name, presence);
    pos_at_t          at = pos_at_key(up, name);

    return v != NULL && pos_decode_code_value(d, &at, v, out);
}


/* ---- numbers ---- */

static const int64_t powers[] = { 1, 10, 100, 1000, 10000, 100000, 1000000, 10000000,
    100000000, 1000000000 };


/* A limit as people write it: 100000 with digits 3 is 100. */
static const char *
scaled_text(int64_t n, unsigned digits, char *out, size_t size)
{
    int64_t whole = n / powers[digits], rest = n % powers[digits];

    if (rest == 0) {
        (void) snprintf(out, size, "%lld", (long long) whole);
    } else {
        (void) snprintf(out, size, "%lld.%0*lld", (long long) whole, (int) digits,
            (long long) (rest < 0 ? -rest : rest));
    }
    return out;
}


static bool
decimal_value(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *v, unsigned digits,
    int64_t min, int64_t max, int64_t *out)
{
    char    limit[40];
    int64_t n;

    if (v->type != POS_JSON_NUMBER) {
        return pos_decode_fault(d, at, "type", "must be a %s%s",
            digits ? "number" : "whole number",
            v->type == POS_JSON_STRING ? ", without quotes" : "");
    }
    if (!pos_json_decimal(v, digits, &n)) {
        return digits ? pos_decode_fault(d, at, "decimals",
                   "must be a decimal with at most %u places, without exponent", digits)
                      : pos_decode_fault(d, at, "type", "must be a whole number");
    }
    if (n < min) {
        return pos_decode_fault(d, at, "min", "must be at least %s",
            scaled_text(min, digits, limit, sizeof(limit)));
    }
    if (n > max) {
        return pos_decode_fault(d, at, "max", "must be at most %s",
            scaled_text(max, digits, limit, sizeof(limit)));
    }
    *out = n;
    return true;
}


bool
pos_decode_decimal(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence, unsigned digits, int64_t min, int64_t max,
    int64_t *out)
{
    const pos_json_t *v = present(d, up, object, name, presence);
    pos_at_t          at = pos_at_key(up, name);

    return v != NULL && decimal_value(d, &at, v, digits, min, max, out);
}


bool
pos_decode_int(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence, int64_t min, int64_t max, int64_t *out)
{
    return pos_decode_decimal(d, up, object, name, presence, 0, min, max, out);
}


bool
pos_decode_percent(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence, int64_t max_ppm, int64_t *out)
{
    /* One percent is 10,000 ppm: 4 decimals of a percent are exactly a ppm. */
    return pos_decode_decimal(d, up, object, name, presence, 4, 0, max_ppm, out);
}


bool
pos_decode_range(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, unsigned digits, int64_t max, pos_range_t *out)
{
    static const char *const fields[] = { "min", "max", NULL };
    const pos_json_t        *v = pos_member(object, name);
    pos_at_t                 at = pos_at_key(up, name);
    uint32_t                 before = d->faults->count;

    if (v == NULL || !pos_decode_object(d, &at, v, fields)) {
        return false;
    }
    out->min = POS_NONE;
    out->max = POS_INF;
    pos_decode_decimal(d, &at, v, "min", POS_OPTIONAL, digits, 0, max, &out->min);
    pos_decode_decimal(d, &at, v, "max", POS_OPTIONAL, digits, 0, max, &out->max);
    if (d->faults->count != before) {
        return false;
    }
    if (out->min == POS_NONE && out->max == POS_INF) {
        return pos_decode_fault(d, &at, "required", "needs min or max");
    }
    if (out->min > out->max) {
        return pos_decode_fault(d, &at, "empty_range", "min is above max");
    }
    return true;
}


/* ---- yes and no, times, words ---- */

bool
pos_decode_bool(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, bool *out)
{
    const pos_json_t *v = pos_member(object, name);
    pos_at_t          at = pos_at_key(up, name);

    if (v == NULL) {
        return false;
    }
    if (!pos_json_is_bool(v)) {
        return pos_decode_fault(d, &at, "type", "must be true or false");
    }
    *out = v->type == POS_JSON_TRUE;
    return true;
}


bool
pos_decode_time(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, int64_t *out)
{
    const pos_json_t *v = pos_member(object, name);
    pos_at_t          at = pos_at_key(up, name);

    if (v == NULL) {
        return false;
    }
    if (v->type != POS_JSON_STRING) {
        return pos_decode_fault(d, &at, "type", "must be a string");
    }
    if (!pos_time_read(v->text, d->zone, out)) {
        return pos_decode_fault(d, &at, "format",
            "must be a time as RFC 3339 writes it: 2026-11-27T09:00:00Z");
    }
    return true;
}


bool
pos_decode_enum(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *object,
    const char *name, pos_presence_t presence, const char *const *words, int *out)
{
    const pos_json_t *v = present(d, up, object, name, presence);
    pos_at_t          at = pos_at_key(up, name);
    char              list[200];
    size_t            used = 0;

    if (v == NULL) {
        return false;
    }
    for (int i = 0; v->type == POS_JSON_STRING && words[i] != NULL; i++) {
        if (pos_str_eq(v->text, pos_str_z(words[i]))) {
            *out = i;
            return true;
        }
    }
    list[0] = '\0';
    for (int i = 0; words[i] != NULL && used < sizeof(list) - 1; i++) {
        used += (size_t) snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
            words[i]);
    }
    return pos_decode_fault(d, &at, "enum", "must be one of %s", list);
}
