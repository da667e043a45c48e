/*
 * A promotion's document compiled. One with a script is first run through the
 * sandbox, which gives the script's own document; the outer fields go over it.
 */

#include "engine/promotion.h"
#include "base/json_write.h"
#include "engine/index.h"
#include "engine/promotion_decode.h"
#include "engine/script.h"

#include <stdlib.h>

#define BLOCK_SIZE    1024
#define EFFECTS_MAX   100
#define LIMITS_MAX    20
#define HOURS_MAX     50

static const char *const promotion_fields[] = { "id", "name", "description", "class",
    "priority", "stacking", "group", "active", "coupon", "when", "then", "limits",
    "floor", "tax_basis", "returns", "experiment", "script", "settings", NULL };

/* in the order of the enums */
static const char *const class_words[] = { "line", "order", "shipping", NULL };
static const char *const stacking_words[] = { "combine", "exclusive", "alone", NULL };
static const char *const limit_of_words[] = { "uses", "orders", "amount", NULL };
static const char *const limit_per_words[] = { "order", "customer", "store", "all",
    NULL };
static const char *const window_words[] = { "day", "week", "month", NULL };
static const char *const tax_basis_words[] = { "after", "before", NULL };
static const char *const returns_words[] = { "paid", "reprice", NULL };
static const char *const weekday_words[] = { "mon", "tue", "wed", "thu", "fri", "sat",
    "sun", NULL };


/* ---- active ---- */

static void
decode_weekdays(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_promotion_t *p)
{
    const pos_json_t *list;
    pos_at_t          at = pos_at_key(up, "weekdays");
    uint8_t           days = 0;
    size_t            i = 0;

    if (!pos_decode_array(d, up, json, "weekdays", &list)) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(&at, i++);
        int      day = 0;

        while (e->type == POS_JSON_STRING && weekday_words[day] != NULL
               && !pos_str_eq(e->text, pos_str_z(weekday_words[day])))
        {
            day++;
        }
        if (e->type != POS_JSON_STRING || weekday_words[day] == NULL) {
            pos_decode_fault(d, &here, "enum",
                "must be one of mon, tue, wed, thu, fri, sat, sun");
        } else {
            days |= (uint8_t) (1u << day);
        }
    }
    if (days != 0) {
        p->weekdays = days;
    }
}


static bool
decode_clock(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *v, bool end,
    int32_t *out)
{
    if (v == NULL || v->type != POS_JSON_STRING || !pos_minutes_read(v->text, out)
        || (*out == 1440 && !end))
    {
        return pos_decode_fault(d, at, "format", "must be a time of day as HH:MM");
    }
    return true;
}


static void
decode_hours(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_promotion_t *p)
{
    const pos_json_t *list;
    pos_minutes_t    *hours;
    pos_at_t          at = pos_at_key(up, "hours");
    size_t            i = 0;

    if (!pos_decode_array(d, up, json, "hours", &list)) {
        return;
    }
    if (list->count > HOURS_MAX) {
        pos_decode_fault(d, &at, "max_items", "has at most %d windows", HOURS_MAX);
        return;
    }
    hours = pos_decode_alloc(d, list->count, sizeof(*hours));
    if (hours == NULL) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(&at, i++);
        pos_at_t from = pos_at_index(&here, 0), until = pos_at_index(&here, 1);

        if (e->type != POS_JSON_ARRAY || e->count != 2) {
            pos_decode_fault(d, &here, "type", "must be a pair of times: [from, until]");
            continue;
        }
        bool begins = decode_clock(d, &from, e->first, false, &hours[p->hours_count].from);
        bool ends = decode_clock(d, &until, e->first->next, true, &hours[p->hours_count].until);

        p->hours_count += begins && ends;
    }
    p->hours = hours;
}


static void
decode_active(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_promotion_t *p)
{
    static const char *const fields[] = { "from", "until", "weekdays", "hours", NULL };
    const pos_json_t        *v = pos_member(json, "active");
    pos_at_t                 at = pos_at_key(up, "active");
    pos_at_t                 until = pos_at_key(&at, "until");

    if (v == NULL || !pos_decode_object(d, &at, v, fields)) {
        return;
    }
    pos_decode_time(d, &at, v, "from", &p->from);
    if (pos_decode_time(d, &at, v, "until", &p->until) && p->until <= p->from) {
        pos_decode_fault(d, &until, "empty_window", "must be after from");
    }
    decode_weekdays(d, &at, v, p);
    decode_hours(d, &at, v, p);
}


/* ---- limits, floor, experiment ---- */

static void
decode_limit(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_limit_t *out)
{
    static const char *const fields[] = { "max", "of", "per", "window", NULL };
    int                      of = POS_LIMIT_USES, per = POS_LIMIT_PER_ALL, window = 0;

    memset(out, 0, sizeof(*out));
    if (!pos_decode_object(d, at, json, fields)) {
        return;
    }
    pos_decode_int(d, at, json, "max", POS_REQUIRED, 1, POS_MONEY_MAX, &out->max);
    pos_decode_enum(d, at, json, "of", POS_OPTIONAL, limit_of_words, &of);
    pos_decode_enum(d, at, json, "per", POS_OPTIONAL, limit_per_words, &per);
    out->of = (pos_limit_of_t) of;
    out->per = (pos_limit_per_t) per;
    if (pos_decode_enum(d, at, json, "window", POS_OPTIONAL, window_words, &window)) {
        out->window = (pos_limit_window_t) (window + POS_WINDOW_DAY);
    }
}


static void
decode_limits(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_promotion_t *p)
{
    const pos_json_t *list;
    pos_limit_t      *limits;
    pos_at_t          at = pos_at_key(up, "limits");

    if (!pos_decode_array(d, up, json, "limits", &list)) {
        return;
    }
    if (list->count > LIMITS_MAX) {
        pos_decode_fault(d, &at, "max_items", "has at most %d limits", LIMITS_MAX);
        return;
    }
    limits = pos_decode_alloc(d, list->count, sizeof(*limits));
    if (limits == NULL) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(&at, p->limit_count);
        decode_limit(d, &here, e, &limits[p->limit_count++]);
    }
    p->limits = limits;
}


static void
decode_floor(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_promotion_t *p)
{
    static const char *const fields[] = { "margin_percent", NULL };
    const pos_json_t        *v = pos_member(json, "floor");
    pos_at_t                 at = pos_at_key(up, "floor");

    if (v != NULL && pos_decode_object(d, &at, v, fields)) {
        /* At 100 % margin no price would do. */
        pos_decode_percent(d, &at, v, "margin_percent", POS_REQUIRED, POS_PPM - 1,
            &p->floor_ppm);
    }
}


static void
decode_experiment(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_promotion_t *p)
{
    static const char *const fields[] = { "code", "arm", NULL };
    const pos_json_t        *v = pos_member(json, "experiment");
    pos_at_t                 at = pos_at_key(up, "experiment");

    if (v != NULL && pos_decode_object(d, &at, v, fields)) {
        pos_decode_code(d, &at, v, "code", POS_REQUIRED, &p->experiment);
        pos_decode_code(d, &at, v, "arm", POS_REQUIRED, &p->arm);
    }
}


/* ---- effects and the whole ---- */

static void
decode_effects(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *json,
    pos_promotion_t *p)
{
    const pos_json_t *list = pos_member(json, "then");
    pos_effect_t     *effects;
    pos_at_t          at = pos_at_key(up, "then");

    if (list == NULL && p->script != NULL) {
        return;
    }
    if (list == NULL) {
        pos_decode_fault(d, &at, "required", "is required");
        return;
    }
    if (list->type != POS_JSON_ARRAY || list->count > EFFECTS_MAX
        || (list->count == 0 && p->script == NULL))
    {
        pos_decode_fault(d, &at, list->type != POS_JSON_ARRAY ? "type" : "min_items",
            "must be a list of 1 to %d effects", EFFECTS_MAX);
        return;
    }
    effects = pos_decode_alloc(d, list->count, sizeof(*effects));
    if (effects == NULL) {
        return;
    }
    for (const pos_json_t *e = list->first; e != NULL; e = e->next) {
        pos_at_t here = pos_at_index(&at, p->effect_count);
        pos_decode_effect(d, &here, e, p->class, &effects[p->effect_count++]);
    }
    p->effects = effects;
}


/* What a quote writes of it on each line that it lowers. */
static void
write_ends(pos_decoder_t *d, pos_promotion_t *p)
{
    char *head = pos_decode_alloc(d, 1, 30 + POS_STRING_ROOM(p->id)), *at;
    char *tail = pos_decode_alloc(d, 1, 12 + POS_STRING_ROOM(p->name));

    if (head == NULL || tail == NULL) {
        return;
    }
    at = pos_put_literal(head, "{\"promotion\":");
    at = pos_put_string(at, p->id);
    at = pos_put_literal(at, ",\"amount\":");
    p->head = pos_str_of(head, (size_t) (at - head));
    at = pos_put_literal(tail, ",\"label\":");
    at = pos_put_string(at, p->name);
    *at++ = '}';
    p->tail = pos_str_of(tail, (size_t) (at - tail));
}


/* A document has no fields but these; one that a Lua file may have is told so. */
static void
check_fields(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json)
{
    pos_at_t here = pos_at_key(at, "cases");

    for (const pos_json_t *m = json->first; m != NULL; m = m->next) {
        const char *const *name = promotion_fields;

        while (*name != NULL && !pos_str_eq(m->key, pos_str_z(*name))) {
            name++;
        }
        if (pos_str_eq(m->key, pos_str("cases"))) {
            pos_decode_fault(d, &here, "unknown_field",
                "cases belong into the Lua file of a script; a JSON document has none");
        } else if (*name == NULL) {
            pos_decode_unknown(d, at, promotion_fields, m->key);
        }
    }
}


static void
decode_promotion(pos_decoder_t *d, const pos_at_t *at, const pos_json_t *json,
    pos_promotion_t *p)
{
    const pos_json_t *when;
    pos_at_t          here = pos_at_key(at, "when");
    int               class = 0, stacking = 0, basis = 0, returns = 0;

    if (!pos_decode_object(d, at, json, NULL)) {
        return;
    }
    check_fields(d, at, json);
    pos_decode_code(d, at, json, "id", POS_REQUIRED, &p->id);
    p->name = p->id;
    pos_decode_string(d, at, json, "name", POS_OPTIONAL, POS_TEXT_MAX, &p->name);
    pos_decode_enum(d, at, json, "class", POS_REQUIRED, class_words, &class);
    p->class = (pos_class_t) class;
    pos_decode_int(d, at, json, "priority", POS_OPTIONAL, -1000000000, 1000000000,
        &p->priority);
    pos_decode_enum(d, at, json, "stacking", POS_OPTIONAL, stacking_words, &stacking);
    p->stacking = (pos_stacking_t) stacking;
    pos_decode_code(d, at, json, "group", POS_OPTIONAL, &p->group);
    decode_active(d, at, json, p);
    pos_decode_bool(d, at, json, "coupon", &p->coupon);
    when = pos_member(json, "when");
    if (when != NULL) {
        p->when = pos_decode_condition(d, &here, when, 0);
    }
    decode_effects(d, at, json, p);
    decode_limits(d, at, json, p);
    decode_floor(d, at, json, p);
    pos_decode_enum(d, at, json, "tax_basis", POS_OPTIONAL, tax_basis_words, &basis);
    p->tax_before = basis == 1;
    if (pos_decode_enum(d, at, json, "returns", POS_OPTIONAL, returns_words, &returns)) {
        p->returns = (pos_returns_t) (returns + POS_RETURNS_PAID);
    }
    decode_experiment(d, at, json, p);
    write_ends(d, p);
}


static pos_promotion_t *
promotion_new(void)
{
    pos_arena_t     *arena = pos_arena_create(BLOCK_SIZE, 0);
    pos_promotion_t *p;

    if (arena == NULL) {
        return NULL;
    }
    p = pos_arena_zalloc(arena, sizeof(*p));
    if (p == NULL) {
        pos_arena_destroy(arena);
        return NULL;
    }
    p->arena = arena;
    p->refs = 1;
    p->id = p->name = p->group = p->experiment = p->arm = pos_str("");
    p->from = POS_TIME_MIN;
    p->until = POS_TIME_MAX;
    p->weekdays = 0x7f;
    p->floor_ppm = -1;
    return p;
}


/* ---- scripts ---- */

static bool
overridden(const pos_json_t *outer, pos_str_t key)
{
    const pos_json_t *v = pos_json_get_str(outer, key);

    return v != NULL && (v->type != POS_JSON_NULL || pos_str_eq(key, pos_str("experiment")));
}


static bool
is_carrier(pos_str_t key)
{
    return pos_str_eq(key, pos_str("script")) || pos_str_eq(key, pos_str("settings"));
}


/* The script's document with the outer members over it, as a new object node;
 * both trees are left as they are. A null outside takes nothing away but the
 * experiment: without one it is for everybody. */
static pos_json_t *
merged(pos_arena_t *arena, const pos_json_t *inner, const pos_json_t *outer)
{
    pos_json_t *object = pos_arena_zalloc(arena, sizeof(*object));
    pos_json_t *nodes = pos_arena_array(arena, inner->count + outer->count + 1,
        sizeof(*nodes));
    uint32_t    n = 0;

    if (object == NULL || nodes == NULL) {
        return NULL;
    }
    for (const pos_json_t *m = inner->first; m != NULL; m = m->next) {
        if (!overridden(outer, m->key)) {
            nodes[n++] = *m;
        }
    }
    for (const pos_json_t *m = outer->first; m != NULL; m = m->next) {
        if (m->type != POS_JSON_NULL && !is_carrier(m->key)) {
            nodes[n++] = *m;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        nodes[i].next = i + 1 < n ? &nodes[i + 1] : NULL;
    }
    object->type = POS_JSON_OBJECT;
    object->count = n;
    object->first = n ? nodes : NULL;
    object->text = outer->text;
    return object;
}


/* The one of the file's promotions that the document is about. */
static const pos_script_promotion_t *
pick(const pos_script_promotion_t *list, uint32_t count, pos_str_t id)
{
    for (uint32_t i = 0; i < count; i++) {
        if (pos_str_eq(list[i].id, id)) {
            return &list[i];
        }
    }
    return count == 1 ? &list[0] : NULL;
}


static pos_status_t
merge_picked(const pos_script_promotion_t *picked, const pos_json_t *outer,
    pos_arena_t *arena, pos_faults_t *faults, const pos_json_t **out)
{
    pos_json_reader_t *reader = pos_json_reader_create(1 << 20);
    pos_json_t        *inner = NULL;
    pos_status_t       status;

    if (reader == NULL) {
        return POS_NO_MEMORY;
    }
    status = pos_json_read(reader, picked->document, arena, faults, &inner);
    pos_json_reader_destroy(reader);
    if (status != POS_OK) {
        return status;
    }
    *out = merged(arena, inner, outer);
    return *out == NULL ? POS_NO_MEMORY : POS_OK;
}


static pos_status_t
load_script(pos_decoder_t *d, const pos_at_t *up, const pos_json_t *outer,
    pos_script_vm_t *vm, pos_promotion_t *p, const pos_json_t **document)
{
    const pos_json_t             *source = pos_member(outer, "script");
    const pos_json_t             *id = pos_member(outer, "id");
    pos_str_t                     name = id && id->type == POS_JSON_STRING ? id->text
                                                                           : pos_str("");
    const pos_script_promotion_t *picked;
    pos_script_promotion_t       *list = NULL;
    pos_at_t                      at = pos_at_key(up, "script");
    pos_status_t                  status;
    uint32_t                      count = 0;

    if (source->type != POS_JSON_STRING) {
        pos_decode_fault(d, &at, "type", "must be a string");
        return POS_INVALID;
    }
    if (vm == NULL) {
        pos_decode_fault(d, &at, "script", "scripts cannot run here");
        return POS_INVALID;
    }
    status = pos_script_load(vm, source->text, name, pos_member(outer, "settings"),
        pos_at_pointer(&at, d->faults->arena), d->faults->arena, d->faults, &list,
        &count);
    if (status != POS_OK) {
        return status;
    }
    picked = pick(list, count, name);
    if (picked != NULL) {
        p->script = picked->script;
        status = merge_picked(picked, outer, d->faults->arena, d->faults, document);
    } else {
        pos_decode_fault(d, &at, "script_id",
            "the file returns several promotions and none is \"%.*s\"",
            (int) (name.len > 100 ? 100 : name.len), name.data);
        status = POS_INVALID;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (&list[i] != picked && list[i].script != NULL) {
            pos_script_release(list[i].script);
        }
    }
    return status;
}


pos_status_t
pos_promotion_compile(const pos_json_t *json, const pos_zone_t *zone, pos_script_vm_t *vm,
    pos_str_t base, pos_faults_t *faults, pos_promotion_t **out)
{
    pos_promotion_t  *p = promotion_new();
    const pos_json_t *document = json;
    pos_decoder_t     d;
    pos_status_t      status = POS_OK;
    pos_at_t          at = pos_at_base(base);
    pos_fault_t     **last = faults->last;

    if (p == NULL) {
        return POS_NO_MEMORY;
    }
    pos_decoder_init(&d, p->arena, faults, zone);
    if (pos_member(json, "script") != NULL) {
        status = load_script(&d, &at, json, vm, p, &document);
    }
    if (status == POS_OK) {
        decode_promotion(&d, &at, document, p);
        status = pos_decoder_status(&d);
        if (status == POS_INVALID && document != json) {
            pos_script_locate(pos_member(json, "script")->text, base, json, *last);
        }
    }
    if (status == POS_OK) {
        p->id_hash = pos_hash64(p->id);
        status = pos_anchor_of(p, p->arena, &p->anchor);
    }
    if (status != POS_OK) {
        pos_promotion_release(p);
        return status;
    }
    *out = p;
    return POS_OK;
}


pos_status_t
pos_promotion_check(const pos_json_t *document, pos_script_t *script, const pos_zone_t *zone,
    pos_str_t base, pos_faults_t *faults)
{
    pos_promotion_t *p = promotion_new();
    pos_decoder_t    d;
    pos_status_t     status;
    pos_at_t         at = pos_at_base(base);

    if (p == NULL) {
        return POS_NO_MEMORY;
    }
    pos_decoder_init(&d, p->arena, faults, zone);
    p->script = script;
    decode_promotion(&d, &at, document, p);
    status = pos_decoder_status(&d);
    p->script = NULL;      /* the caller's, who releases it */
    pos_promotion_release(p);
    return status;
}


void
pos_promotion_retain(pos_promotion_t *promotion)
{
    promotion->refs++;
}


void
pos_promotion_release(pos_promotion_t *promotion)
{
    if (promotion == NULL || --promotion->refs > 0) {
        return;
    }
    if (promotion->script != NULL) {
        pos_script_release(promotion->script);
    }
    pos_arena_destroy(promotion->arena);
}
