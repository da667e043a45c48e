/* JSON mutated as JSON: bytes changed at random are refused at the door nearly always,
 * and what is behind it would stay untried. */

#include "t/fuzz/fuzz.h"

#include <stdio.h>

#define SPANS  2000

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max) __attribute__((weak));

/* A value's bytes; `head` is where its key begins, or the value itself. */
typedef struct {
    size_t head, start, end;
    bool   number, object, array, member, element;
} span_t;

typedef struct {
    size_t  count;
    span_t  spans[SPANS];
} spans_t;

static uint32_t
next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t) (*state >> 33);
}


/* ---- values and where they stand ---- */

static size_t
blanks(const uint8_t *s, size_t n, size_t i)
{
    while (i < n && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r')) {
        i++;
    }
    return i;
}


/* The end of the string at `i`; 0: it has none. */
static size_t
string_end(const uint8_t *s, size_t n, size_t i)
{
    for (i++; i < n && s[i] != '"'; i++) {
        i += s[i] == '\\';
    }
    return i < n ? i + 1 : 0;
}


static size_t scan_value(const uint8_t *s, size_t n, size_t i, unsigned depth, spans_t *out, size_t head, int of);

/* Behind the bracket that closes; 0: this is no JSON. */
static size_t
scan_members(const uint8_t *s, size_t n, size_t i, unsigned depth, spans_t *out)
{
    bool    object = s[i] == '{';
    uint8_t close = object ? '}' : ']';

    i = blanks(s, n, i + 1);
    while (i < n && s[i] != close) {
        size_t head = i;

        if (object) {
            if (s[i] != '"' || (i = string_end(s, n, i)) == 0) {
                return 0;
            }
            i = blanks(s, n, i);
            if (i >= n || s[i] != ':') {
                return 0;
            }
            i = blanks(s, n, i + 1);
        }
        i = scan_value(s, n, i, depth + 1, out, object ? head : i, object ? 1 : 2);
        if (i == 0) {
            return 0;
        }
        i = blanks(s, n, i);
        if (i < n && s[i] == ',') {
            i = blanks(s, n, i + 1);
        }
    }
    return i < n ? i + 1 : 0;
}


static size_t
scan_value(const uint8_t *s, size_t n, size_t i, unsigned depth, spans_t *out, size_t head, int of)
{
    size_t at = out->count, start = i;

    if (i >= n || depth > POS_JSON_MAX_DEPTH || at == SPANS) {
        return 0;
    }
    out->count++;
    if (s[i] == '{' || s[i] == '[') {
        i = scan_members(s, n, i, depth, out);
    } else if (s[i] == '"') {
        i = string_end(s, n, i);
    } else {
        while (i < n && ((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'z') || s[i] == '-' || s[i] == '.')) {
            i++;
        }
        i = i == start ? 0 : i;
    }
    out->spans[at] = (span_t) { head, start, i, s[start] == '-' || (s[start] >= '0' && s[start] <= '9'), s[start] == '{',
        s[start] == '[', of == 1, of == 2 };

    return i;
}


/* Values one behind the other, with commas or line feeds between them. */
static bool
scan(const uint8_t *s, size_t n, spans_t *out)
{
    size_t i = blanks(s, n, 0);

    out->count = 0;
    while (i < n) {
        i = scan_value(s, n, i, 0, out, i, 0);
        if (i == 0) {
            return false;
        }
        i = blanks(s, n, i);
        if (i < n && s[i] == ',') {
            i = blanks(s, n, i + 1);
        }
    }
    return out->count > 0;
}


/* ---- changes ---- */

/* What stands from `from` to `to` becomes `text`; the size as it was where that is too much. */
static size_t
splice(uint8_t *data, size_t size, size_t max, size_t from, size_t to, const void *text, size_t len)
{
    if (size - (to - from) + len > max) {
        return size;
    }
    memmove(data + from + len, data + to, size - to);
    if (len > 0) {
        memcpy(data + from, text, len);
    }
    return size - (to - from) + len;
}


static size_t
splice_word(uint8_t *data, size_t size, size_t max, size_t from, size_t to, const char *word)
{
    return splice(data, size, max, from, to, word, strlen(word));
}


static const char *const atoms[] = { "0", "1", "2", "3", "5", "10", "33.3333", "50", "100", "0.001", "0.354", "999", "1000",
    "100000", "9007199254740991", "-1", "true", "false", "null", "{}", "[]", "\"\"", "\"BOOT\"", "\"SHOE\"", "\"HAT\"", "\"TEE\"",
    "\"CRISPS\"", "\"WATER\"", "\"CHEESE\"", "\"line\"", "\"order\"", "\"shipping\"", "\"exclusive\"", "\"alone\"", "\"best\"",
    "\"cheapest\"", "\"priciest\"", "\"original\"", "\"unit\"", "\"all\"", "\"reprice\"", "\"customer\"", "\"priority\"",
    "\"clothing\"", "\"denver\"", "\"USD\"", "\"web\"", "\"SAVE10\"", "\"2026-03-29T01:30:00\"", "\"2026-06-01T12:00:00Z\"" };

static const char *const members[] = { "\"max_units\": 1", "\"choose\": \"cheapest\"", "\"choose\": \"priciest\"", "\"of\": \"original\"",
    "\"max_amount\": 300", "\"repeat\": 2", "\"per\": \"all\"", "\"per\": \"line\"", "\"stacking\": \"exclusive\"", "\"stacking\": \"alone\"",
    "\"group\": \"g\"", "\"priority\": 3", "\"floor\": {\"margin_percent\": 20}", "\"tax_basis\": \"before\"", "\"returns\": \"reprice\"",
    "\"coupon\": true", "\"limits\": [{\"max\": 1, \"of\": \"uses\", \"per\": \"order\"}]",
    "\"limits\": [{\"max\": 500, \"of\": \"amount\", \"per\": \"all\", \"window\": \"day\"}]", "\"when\": {\"subtotal\": {\"min\": 2000}}",
    "\"when\": {\"items\": {}, \"quantity\": {\"min\": 3}}", "\"items\": {\"category\": [\"clothing\"]}", "\"shipping\": true",
    "\"discount\": {\"percent\": 5, \"reason\": \"r\"}", "\"price_override\": {\"amount\": 5, \"reason\": \"r\"}", "\"attributes\": {\"a\": \"b\"}",
    "\"tax_category\": \"zero\"", "\"explain\": true", "\"coupons\": [\"SAVE10\"]", "\"tenders\": [\"cash\"]", "\"fulfilment\": \"ship\"",
    "\"ship_to\": {\"country\": \"US\", \"region\": \"CO\"}", "\"customer\": {\"id\": \"c\", \"groups\": [\"staff\"], \"orders\": 0}",
    "\"shipping\": {\"method\": \"m\", \"amount\": 495}", "\"inputs\": {\"usage\": []}", "\"optimise\": \"priority\"", "\"tax_rounding\": \"order\"",
    "\"rounding\": \"down\"", "\"min_price\": 300", "\"cost\": 500", "\"compound\": true", "\"kind\": \"sale\"", "\"min_quantity\": 3" };

#define COUNT(list)  (sizeof(list) / sizeof((list)[0]))

static size_t
change_number(uint8_t *data, size_t size, size_t max, const span_t *v, uint64_t *state)
{
    char    text[32];
    int64_t n = 0;
    size_t  i;

    for (i = v->start; i < v->end && data[i] >= '0' && data[i] <= '9' && n < INT64_C(1) << 50; i++) {
        n = n * 10 + data[i] - '0';
    }
    switch (next_random(state) % 6) {
    case 0: n++; break;
    case 1: n--; break;
    case 2: n *= 2; break;
    case 3: n /= 2; break;
    case 4: n = next_random(state) % 2000; break;
    default: n = next_random(state) % 8; break;
    }
    snprintf(text, sizeof(text), "%lld", (long long) n);

    return splice_word(data, size, max, v->start, v->end, text);
}


/* A member or an element goes, and a comma with it. */
static size_t
drop(uint8_t *data, size_t size, const span_t *v)
{
    size_t from = v->head, to = blanks(data, size, v->end);

    if (to < size && data[to] == ',') {
        to++;
    } else {
        while (from > 0 && (data[from - 1] == ' ' || data[from - 1] == '\n')) {
            from--;
        }
        from -= from > 0 && data[from - 1] == ',';
    }
    return splice(data, size, size, from, to, NULL, 0);
}


static size_t
put_member(uint8_t *data, size_t size, size_t max, const span_t *v, uint64_t *state)
{
    char        text[160];
    const char *member = members[next_random(state) % COUNT(members)];
    bool        empty = data[blanks(data, size, v->start + 1)] == '}';

    snprintf(text, sizeof(text), "%s%s", member, empty ? "" : ", ");

    return splice_word(data, size, max, v->start + 1, v->start + 1, text);
}


static size_t
repeat(uint8_t *data, size_t size, size_t max, const span_t *v)
{
    size_t grown = splice(data, size, max, v->start, v->start, data + v->start, v->end - v->start);

    return grown == size ? size : splice_word(data, grown, max, v->end, v->end, ",");
}


/* The value becomes a copy of another one. */
static size_t
copy(uint8_t *data, size_t size, size_t max, const span_t *v, const uint8_t *from, const span_t *w)
{
    uint8_t text[4096];
    size_t  len = w->end - w->start;

    if (len > sizeof(text)) {
        return size;
    }
    memcpy(text, from + w->start, len);

    return splice(data, size, max, v->start, v->end, text, len);
}


static size_t
change(uint8_t *data, size_t size, size_t max, const spans_t *spans, uint64_t *state)
{
    const span_t *v = &spans->spans[next_random(state) % spans->count];
    const span_t *w = &spans->spans[next_random(state) % spans->count];

    if (v->number && next_random(state) % 2) {
        return change_number(data, size, max, v, state);
    }
    switch (next_random(state) % 6) {
    case 0:
        return copy(data, size, max, v, data, w);
    case 1:
        return v->member || v->element ? drop(data, size, v) : size;
    case 2:
        return v->element ? repeat(data, size, max, v) : size;
    case 3:
    case 4:
        return v->object ? put_member(data, size, max, v, state) : size;
    default:
        return v->object || v->array ? size : splice_word(data, size, max, v->start, v->end, atoms[next_random(state) % COUNT(atoms)]);
    }
}


size_t
pos_fuzz_mutate(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    static spans_t spans;
    uint64_t       state = seed * UINT64_C(2654435769) + 1;
    size_t         i, changes = 1 + next_random(&state) % 4;

    if (next_random(&state) % 8 == 0 || !scan(data, size, &spans)) {
        return LLVMFuzzerMutate(data, size, max);
    }
    for (i = 0; i < changes && scan(data, size, &spans); i++) {
        size = change(data, size, max, &spans, &state);
    }
    return size;
}


size_t
pos_fuzz_cross(const uint8_t *one, size_t one_size, const uint8_t *two, size_t two_size, uint8_t *out,
    size_t max, unsigned seed)
{
    static spans_t of_one, of_two;
    uint64_t       state = seed * UINT64_C(2654435769) + 1;

    if (one_size > max || !scan(one, one_size, &of_one) || !scan(two, two_size, &of_two)) {
        return 0;
    }
    memcpy(out, one, one_size);

    return copy(out, one_size, max, &of_one.spans[next_random(&state) % of_one.count], two,
        &of_two.spans[next_random(&state) % of_two.count]);
}
