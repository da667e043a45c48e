/* Inputs as a document, and the windows that limits are counted in. */

#include "engine/inputs.h"

#include "engine/decode.h"

#define USAGE_MAX  100000
#define DAY_US     (INT64_C(86400) * 1000000)

/* In the order of their enumerations. */
static const char *const of_words[] = { "uses", "orders", "amount", NULL };
static const char *const per_words[] = { "order", "customer", "store", "all", NULL };
static const char *const window_words[] = { "none", "day", "week", "month", NULL };

/* ---- windows ---- */

static int32_t
window_start(pos_limit_window_t window, const pos_civil_t *at)
{
    pos_civil_t midnight = { .year = at->year, .month = at->month, .day = at->day };
    int64_t     day = pos_civil_to_time(pos_zone_utc(), &midnight) / DAY_US;

    switch (window) {
    case POS_WINDOW_DAY:
        return (int32_t) day;
    case POS_WINDOW_WEEK:
        return (int32_t) (day - at->weekday);
    case POS_WINDOW_MONTH:
        return (int32_t) (day - at->day + 1);
    default:
        return 0;
    }
}

bool
pos_usage_key(const pos_limit_t *limit, pos_str_t promotion, pos_str_t subject,
    const pos_civil_t *at, pos_usage_key_t *out)
{
    bool all = limit->per == POS_LIMIT_PER_ALL;

    if (limit->per == POS_LIMIT_PER_ORDER || (!all && subject.len == 0)) {
        return false;
    }
    *out = (pos_usage_key_t) { promotion, limit->of, limit->per,
        all ? pos_str("") : subject, limit->window, window_start(limit->window, at) };
    return true;
}

/* ---- the document ---- */

typedef struct {
    pos_decoder_t d;
    pos_map_t     usage, coupons;      /* by the key's text */
} reader_t;

/* The promotion's length keeps its end apart from what follows. */
static pos_str_t
key_text(const pos_usage_key_t *key, pos_arena_t *arena)
{
    return pos_arena_printf(arena, "%d %d %d %d %zu %.*s %.*s", (int) key->of, (int) key->per,
        (int) key->window, (int) key->from, key->promotion.len, (int) key->promotion.len,
        key->promotion.data, (int) key->subject.len, key->subject.data);
}

static pos_status_t
find_usage(void *ctx, const pos_usage_key_t *key, int64_t *used)
{
    const pos_map_t   *map = &((const reader_t *) ctx)->usage;
    pos_str_t          text = key_text(key, map->arena);
    const pos_usage_t *found;

    if (text.data == NULL) {
        return POS_NO_MEMORY;
    }
    found = pos_map_get(map, text);
    *used = found ? found->used : 0;
    return POS_OK;
}

/* Codes match in any letters. */
static pos_str_t
coupon_text(const pos_coupon_usage_t *key, pos_arena_t *arena)
{
    pos_str_t code = pos_coupon_key(key->code, arena);

    if (code.data == NULL) {
        return code;
    }
    return pos_arena_printf(arena, "%d %zu %.*s %.*s", (int) key->per, code.len, (int) code.len, code.data,
        (int) key->subject.len, key->subject.data);
}

static pos_status_t
find_coupon(void *ctx, const pos_coupon_usage_t *key, int64_t *used)
{
    const pos_map_t          *map = &((const reader_t *) ctx)->coupons;
    pos_str_t                 text = coupon_text(key, map->arena);
    const pos_coupon_usage_t *found;

    if (text.data == NULL) {
        return POS_NO_MEMORY;
    }
    found = pos_map_get(map, text);
    *used = found ? found->used : 0;
    return POS_OK;
}

/* A counter of the week of a Tuesday would never be read, and nobody would know. */
static void
read_from(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json, pos_usage_key_t *key)
{
    pos_at_t    here = pos_at_key(at, "from");
    pos_str_t   text;
    pos_civil_t first;

    if (key->window == POS_WINDOW_NONE) {
        if (pos_member(json, "from") != NULL) {
            pos_decode_fault(d, &here, "unknown_field", "without a window nothing begins");
        }
        return;
    }
    if (!pos_decode_string(d, at, json, "from", POS_REQUIRED, POS_CODE_MAX, &text)) {
        return;
    }
    if (!pos_date_read(text, &key->from)) {
        pos_decode_fault(d, &here, "format", "must be a date, YYYY-MM-DD");
        return;
    }
    pos_civil_of(pos_zone_utc(), key->from * DAY_US, &first);
    if (window_start(key->window, &first) != key->from) {
        pos_decode_fault(d, &here, "format", "must be the first day of its %s",
            window_words[key->window]);
    }
}

/* `subject` names whose counter it is, where it is not all orders'. */
static void
read_subject(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json, bool all, pos_str_t *out)
{
    *out = pos_str("");
    pos_decode_string(d, at, json, "subject", all ? POS_OPTIONAL : POS_REQUIRED, POS_TEXT_MAX, out);
    if (all && out->len) {
        pos_at_t here = pos_at_key(at, "subject");

        pos_decode_fault(d, &here, "unknown_field", "what is of all is nobody's own");
    }
}

static void
keep_counter(pos_decoder_t *d, const pos_at_t *at, pos_map_t *map, pos_str_t key, void *counter)
{
    void *old = NULL;

    if (key.data == NULL || pos_map_set(map, key, counter, &old) != POS_OK) {
        d->no_memory = true;
    } else if (old != NULL) {
        pos_decode_fault(d, at, "duplicate", "this counter is there already");
    }
}

static void
read_usage(reader_t *r, const pos_at_t *at, const pos_json_t *json, void *counter)
{
    static const char *const fields[] = { "promotion", "of", "per", "subject", "window", "from",
        "used", NULL };
    pos_usage_t             *out = counter;
    pos_usage_key_t         *key = &out->key;
    int                      of = 0, per = POS_LIMIT_PER_ALL, window = 0;
    uint32_t                 before = r->d.faults->count;

    if (!pos_decode_object(&r->d, at, json, fields)) {
        return;
    }
    key->promotion = pos_str("");
    pos_decode_code(&r->d, at, json, "promotion", POS_REQUIRED, &key->promotion);
    pos_decode_enum(&r->d, at, json, "of", POS_REQUIRED, of_words, &of);
    if (pos_decode_enum(&r->d, at, json, "per", POS_REQUIRED, per_words + 1, &per)) {
        per += POS_LIMIT_PER_CUSTOMER;
    }
    pos_decode_enum(&r->d, at, json, "window", POS_OPTIONAL, window_words, &window);
    read_subject(&r->d, at, json, per == POS_LIMIT_PER_ALL, &key->subject);
    pos_decode_int(&r->d, at, json, "used", POS_REQUIRED, 0, POS_MONEY_MAX, &out->used);
    key->of = (pos_limit_of_t) of;
    key->per = (pos_limit_per_t) per;
    key->window = (pos_limit_window_t) window;
    read_from(&r->d, at, json, key);
    if (r->d.faults->count == before) {
        keep_counter(&r->d, at, &r->usage, key_text(key, r->d.arena), out);
    }
}

static void
read_coupon(reader_t *r, const pos_at_t *at, const pos_json_t *json, void *counter)
{
    static const char *const fields[] = { "code", "per", "subject", "used", NULL };
    static const char *const whose[] = { "customer", "all", NULL };
    pos_coupon_usage_t      *out = counter;
    int                      per = 1;
    uint32_t                 before = r->d.faults->count;

    if (!pos_decode_object(&r->d, at, json, fields)) {
        return;
    }
    out->code = pos_str("");
    pos_decode_code(&r->d, at, json, "code", POS_REQUIRED, &out->code);
    pos_decode_enum(&r->d, at, json, "per", POS_REQUIRED, whose, &per);
    read_subject(&r->d, at, json, per == 1, &out->subject);
    pos_decode_int(&r->d, at, json, "used", POS_REQUIRED, 0, POS_MONEY_MAX, &out->used);
    out->per = per == 1 ? POS_LIMIT_PER_ALL : POS_LIMIT_PER_CUSTOMER;
    if (r->d.faults->count == before) {
        keep_counter(&r->d, at, &r->coupons, coupon_text(out, r->d.arena), out);
    }
}

/* A list of counters of `size` bytes each. */
static void
read_counters(reader_t *r, const pos_at_t *at, const pos_json_t *list, size_t size,
    void (*read)(reader_t *r, const pos_at_t *at, const pos_json_t *json, void *out))
{
    char    *counters;
    uint32_t n = 0;

    if (list->count > USAGE_MAX) {
        pos_decode_fault(&r->d, at, "max_items", "has at most %d members", USAGE_MAX);
        return;
    }
    counters = pos_decode_alloc(&r->d, list->count + 1, size);
    for (const pos_json_t *e = list->first; e != NULL && counters != NULL; e = e->next, n++) {
        pos_at_t here = pos_at_index(at, n);

        read(r, &here, e, memset(counters + n * size, 0, size));
    }
}

pos_status_t
pos_inputs_read(const pos_json_t *json, pos_str_t base, pos_arena_t *arena,
    pos_faults_t *faults, pos_inputs_t *out)
{
    static const char *const fields[] = { "usage", "coupons", "scripts_skipped", NULL };
    reader_t                *r = pos_arena_zalloc(arena, sizeof(*r));
    pos_at_t                 root = pos_at_base(base), usage = pos_at_key(&root, "usage"), coupons = pos_at_key(&root, "coupons");
    const pos_json_t        *list;

    *out = (pos_inputs_t) { .ctx = r };
    if (r == NULL || pos_map_init(&r->usage, arena, 16) != POS_OK || pos_map_init(&r->coupons, arena, 16) != POS_OK) {
        return POS_NO_MEMORY;
    }
    pos_decoder_init(&r->d, arena, faults, NULL);
    if (!pos_decode_object(&r->d, &root, json, fields)) {
        return pos_decoder_status(&r->d);
    }
    if (pos_decode_array(&r->d, &root, json, "usage", &list)) {
        read_counters(r, &usage, list, sizeof(pos_usage_t), read_usage);
        out->usage = find_usage;
    }
    if (pos_decode_array(&r->d, &root, json, "coupons", &list)) {
        read_counters(r, &coupons, list, sizeof(pos_coupon_usage_t), read_coupon);
        out->coupon = find_coupon;
    }
    (void) pos_decode_strings(&r->d, &root, json, "scripts_skipped", &out->skipped_count,
        &out->skipped);
    return pos_decoder_status(&r->d);
}

/* ---- as it is written ---- */

static void
write_date(pos_writer_t *out, int32_t day)
{
    char text[POS_TIME_TEXT_MAX];

    /* A midnight's text begins with its date. */
    (void) pos_time_write(day * DAY_US, text);
    pos_write_string(out, pos_str_of(text, sizeof("YYYY-MM-DD") - 1));
}

void
pos_usage_write(pos_writer_t *out, const pos_usage_t *usage)
{
    const pos_usage_key_t *key = &usage->key;

    pos_write_object_begin(out);
    pos_write_key(out, "promotion");
    pos_write_string(out, key->promotion);
    pos_write_key(out, "of");
    pos_write_string(out, pos_str_z(of_words[key->of]));
    pos_write_key(out, "per");
    pos_write_string(out, pos_str_z(per_words[key->per]));
    if (key->subject.len) {
        pos_write_key(out, "subject");
        pos_write_string(out, key->subject);
    }
    if (key->window != POS_WINDOW_NONE) {
        pos_write_key(out, "window");
        pos_write_string(out, pos_str_z(window_words[key->window]));
        pos_write_key(out, "from");
        write_date(out, key->from);
    }
    pos_write_key(out, "used");
    pos_write_int(out, usage->used);
    pos_write_object_end(out);
}

void
pos_coupon_usage_write(pos_writer_t *out, const pos_coupon_usage_t *usage)
{
    pos_write_object_begin(out);
    pos_write_key(out, "code");
    pos_write_string(out, usage->code);
    pos_write_key(out, "per");
    pos_write_string(out, pos_str_z(per_words[usage->per]));
    if (usage->subject.len) {
        pos_write_key(out, "subject");
        pos_write_string(out, usage->subject);
    }
    pos_write_key(out, "used");
    pos_write_int(out, usage->used);
    pos_write_object_end(out);
}
