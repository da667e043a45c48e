/*
 * A script's own example: a cart that says its products' facts itself, and what
 * its quote must come to. It is priced by a book of its own, so that it holds in
 * every shop.
 */

#include "engine/rehearse_data.h"

#define MESSAGE_MAX  300

static const char *const request_fields[] = { "customer", "coupons", "tenders", "fulfilment",
    "ship_to", "shipping", "attributes", "session", NULL };
static const char *const product_fields[] = { "categories", "brand", "tags", "cost",
    "weight_grams", "tax_category", "fees", "min_price", NULL };
static const char *const line_fields[] = { "attributes", "price_override", "discount", NULL };


/* ---- the book and the request that a case means ---- */

static void
copy_fields(pos_writer_t *w, const pos_json_t *from, const char *const *names)
{
    for (; *names != NULL; names++) {
        const pos_json_t *v = pos_json_get(from, *names);

        if (v != NULL) {
            pos_write_key_str(w, pos_str_z(*names));
            pos_write_json(w, v);
        }
    }
}


static void
write_member(pos_writer_t *w, const char *name, const pos_json_t *from, const char *field,
    pos_str_t otherwise)
{
    const pos_json_t *v = from ? pos_json_get(from, field) : NULL;

    pos_write_key_str(w, pos_str_z(name));
    if (v != NULL) {
        pos_write_json(w, v);
    } else {
        pos_write_string(w, otherwise);
    }
}


typedef struct {
    pos_rehearsal_t  *r;
    const pos_json_t *cart;
    const pos_json_t *lists[2];       /* cart.products, cart.lines           */
    pos_map_t         seen;
    pos_status_t      status;
} writing_t;


/* True the first time a name comes. */
static bool
first_time(writing_t *t, char kind, const pos_json_t *name)
{
    pos_str_t key;

    if (name == NULL || name->type != POS_JSON_STRING) {
        return false;
    }
    key = pos_arena_printf(t->r->scratch, "%c%.*s", kind, (int) name->text.len, name->text.data);
    if (key.data == NULL || pos_map_get(&t->seen, key) != NULL) {
        return false;
    }
    if (pos_map_set(&t->seen, key, t, NULL) != POS_OK) {
        t->status = POS_NO_MEMORY;
    }
    return true;
}


static void
write_price(pos_writer_t *w, const pos_json_t *line, const char *field, const char *kind)
{
    const pos_json_t *amount = pos_json_get(line, field), *unit = pos_json_get(line, "unit");

    if (amount == NULL) {
        return;
    }
    pos_write_object_begin(w);
    write_member(w, "sku", line, "sku", pos_str(""));
    pos_write_key(w, "list");
    pos_write_string(w, pos_str("base"));
    pos_write_key(w, "amount");
    pos_write_json(w, amount);
    pos_write_key(w, "min_quantity");
    pos_write_decimal(w, unit && !pos_str_eq(unit->text, pos_str("each")) ? 1 : POS_THOUSANDTHS, 3);
    pos_write_key(w, "kind");
    pos_write_string(w, pos_str_z(kind));
    pos_write_object_end(w);
}


static void
write_products(writing_t *t, pos_writer_t *w)
{
    pos_write_key(w, "products");
    pos_write_array_begin(w);
    for (int k = 0; k < 2; k++) {
        for (const pos_json_t *e = t->lists[k] ? t->lists[k]->first : NULL; e; e = e->next) {
            if (first_time(t, 's', pos_json_get(e, "sku"))) {
                pos_write_object_begin(w);
                write_member(w, "sku", e, "sku", pos_str(""));
                write_member(w, "name", pos_json_get(e, "name") ? e : NULL, "name",
                    pos_json_get(e, "sku")->text);
                write_member(w, "unit", e, "unit", pos_str("each"));
                copy_fields(w, e, product_fields);
                pos_write_object_end(w);
            }
        }
    }
    pos_write_array_end(w);
    pos_write_key(w, "prices");
    pos_write_array_begin(w);
    for (int k = 0; k < 2; k++) {
        for (const pos_json_t *e = t->lists[k] ? t->lists[k]->first : NULL; e; e = e->next) {
            if (first_time(t, 'p', pos_json_get(e, "sku"))) {
                write_price(w, e, "price", "regular");
                write_price(w, e, "sale", "sale");
            }
        }
    }
    pos_write_array_end(w);
}


static void
write_category(pos_writer_t *w, const pos_json_t *code, const pos_json_t *parent)
{
    pos_write_object_begin(w);
    pos_write_key(w, "code");
    pos_write_json(w, code);
    if (parent != NULL) {
        pos_write_key(w, "parent");
        pos_write_json(w, parent);
    }
    pos_write_object_end(w);
}


static void
write_categories(writing_t *t, pos_writer_t *w)
{
    const pos_json_t *given = pos_json_get(t->cart, "categories");

    pos_write_key(w, "categories");
    pos_write_array_begin(w);
    for (const pos_json_t *e = given ? given->first : NULL; e; e = e->next) {
        if (first_time(t, 'c', pos_json_get(e, "code"))) {
            write_category(w, pos_json_get(e, "code"), pos_json_get(e, "parent"));
        }
    }
    for (int k = 0; k < 2; k++) {
        for (const pos_json_t *e = t->lists[k] ? t->lists[k]->first : NULL; e; e = e->next) {
            const pos_json_t *in = pos_json_get(e, "categories");

            for (const pos_json_t *c = in ? in->first : NULL; c; c = c->next) {
                if (first_time(t, 'c', c)) {
                    write_category(w, c, NULL);
                }
            }
        }
    }
    pos_write_array_end(w);
}


/* The zone's bytes are those of the retailer's book. */
static pos_status_t
load_zone(void *ctx, pos_str_t name, pos_str_t *tzif)
{
    const pos_book_source_t *source = ((pos_rehearsal_t *) ctx)->options.source;
    pos_str_t                after, key;
    pos_status_t             status = source->next(source->ctx, POS_KIND_ZONE, NULL, &key, tzif);

    while (status == POS_OK && !pos_str_eq(key, name)) {
        after = key;
        status = source->next(source->ctx, POS_KIND_ZONE, &after, &key, tzif);
    }
    return status;
}


static void
write_retailer(writing_t *t, pos_writer_t *w)
{
    const pos_json_t *zone = pos_json_get(t->cart, "timezone");
    const pos_json_t *cost = pos_json_get(t->cart, "script_cost");
    pos_str_t         unused;

    pos_write_key(w, "retailer");
    pos_write_object_begin(w);
    pos_write_key(w, "code");
    pos_write_string(w, pos_str("case"));
    write_member(w, "currency", t->cart, "currency", pos_str("GBP"));
    if (zone != NULL || load_zone(t->r, pos_str("Europe/London"), &unused) == POS_OK) {
        write_member(w, "timezone", t->cart, "timezone", pos_str("Europe/London"));
    }
    pos_write_key(w, "points_per");
    pos_write_int(w, 100);
    pos_write_key(w, "script_cost");
    pos_write_bool(w, cost != NULL && cost->type == POS_JSON_TRUE);
    pos_write_object_end(w);
}


static void
write_book(writing_t *t, pos_writer_t *w)
{
    pos_write_object_begin(w);
    write_retailer(t, w);
    pos_write_key(w, "stores");
    pos_write_array_begin(w);
    pos_write_object_begin(w);
    write_member(w, "code", t->cart, "store", pos_str("shop"));
    pos_write_key(w, "tax_region");
    pos_write_string(w, pos_str("none"));
    pos_write_object_end(w);
    pos_write_array_end(w);
    write_categories(t, w);
    write_products(t, w);
    pos_write_key(w, "price_lists");
    pos_write_array_begin(w);
    pos_write_object_begin(w);
    pos_write_key(w, "code");
    pos_write_string(w, pos_str("base"));
    write_member(w, "currency", t->cart, "currency", pos_str("GBP"));
    pos_write_key(w, "tax_included");
    pos_write_bool(w, true);
    pos_write_object_end(w);
    pos_write_array_end(w);
    pos_write_object_end(w);
}


static void
write_request(writing_t *t, pos_writer_t *w)
{
    const pos_json_t *lines = t->lists[1];

    pos_write_object_begin(w);
    write_member(w, "currency", t->cart, "currency", pos_str("GBP"));
    write_member(w, "store", t->cart, "store", pos_str("shop"));
    write_member(w, "channel", t->cart, "channel", pos_str("web"));
    write_member(w, "at", t->cart, "at", pos_str("2026-11-27T12:00:00"));
    copy_fields(w, t->cart, request_fields);
    pos_write_key(w, "lines");
    pos_write_array_begin(w);
    for (const pos_json_t *e = lines ? lines->first : NULL; e; e = e->next) {
        const pos_json_t *quantity = pos_json_get(e, "quantity");

        pos_write_object_begin(w);
        write_member(w, "sku", e, "sku", pos_str(""));
        pos_write_key(w, "quantity");
        if (quantity != NULL) {
            pos_write_json(w, quantity);
        } else {
            pos_write_int(w, 1);
        }
        copy_fields(w, e, line_fields);
        pos_write_object_end(w);
    }
    pos_write_array_end(w);
    pos_write_key(w, "explain");
    pos_write_bool(w, true);
    pos_write_object_end(w);
}


/* ---- what was expected ---- */

/* Equal as data: numbers by value, members in any order. */
static bool
same(const pos_json_t *a, const pos_json_t *b)
{
    const pos_json_t *y;
    int64_t           m, n;

    if (a == NULL || b == NULL || a->type != b->type || a->count != b->count) {
        return false;
    }
    switch (a->type) {
    case POS_JSON_NUMBER:
        return pos_json_decimal(a, 4, &m) && pos_json_decimal(b, 4, &n) && m == n;
    case POS_JSON_STRING:
        return pos_str_eq(a->text, b->text);
    case POS_JSON_ARRAY:
        y = b->first;
        for (const pos_json_t *x = a->first; x != NULL; x = x->next, y = y->next) {
            if (!same(x, y)) {
                return false;
            }
        }
        return true;
    case POS_JSON_OBJECT:
        for (const pos_json_t *x = a->first; x != NULL; x = x->next) {
            if (!same(x, pos_json_get_str(b, x->key))) {
                return false;
            }
        }
        return true;
    default:
        return true;
    }
}


/* The figure of each SKU that the expectation names, summed over its lines. */
static void
write_by_sku(pos_writer_t *w, const pos_json_t *quote, const pos_json_t *want, bool gifts)
{
    const pos_json_t *lines = pos_json_get(quote, "lines");

    pos_write_object_begin(w);
    for (const pos_json_t *x = want->first; x != NULL; x = x->next) {
        int64_t sum = 0, n, total;
        bool    there = false;

        for (const pos_json_t *e = lines ? lines->first : NULL; e; e = e->next) {
            if (!pos_str_eq(pos_json_get(e, "sku")->text, x->key)
                || !pos_json_int64(pos_json_get(e, "total"), &total) || (gifts && total != 0)
                || !pos_json_decimal(pos_json_get(e, gifts ? "quantity" : "discount"), 3, &n))
            {
                continue;
            }
            sum += n;
            there = true;
        }
        if (there) {
            pos_write_key_str(w, x->key);
            pos_write_decimal(w, sum, 3);
        }
    }
    pos_write_object_end(w);
}


static void
write_messages(pos_writer_t *w, const pos_json_t *quote)
{
    const pos_json_t *list = pos_json_get(quote, "messages");

    pos_write_array_begin(w);
    for (const pos_json_t *e = list ? list->first : NULL; e; e = e->next) {
        pos_write_json(w, pos_json_get(e, "text"));
    }
    pos_write_array_end(w);
}


/* What the quote has to an expectation's name, as JSON text. */
static pos_str_t
got(pos_rehearsal_t *r, const pos_json_t *quote, const pos_json_t *explain, const pos_json_t *want)
{
    const pos_json_t *v = NULL;
    pos_writer_t      w;

    pos_writer_init(&w, r->scratch, 128, POS_REHEARSAL_TEXT);
    if (pos_str_eq(want->key, pos_str("lines")) || pos_str_eq(want->key, pos_str("gifts"))) {
        write_by_sku(&w, quote, want, want->key.data[0] == 'g');
    } else if (pos_str_eq(want->key, pos_str("messages"))) {
        write_messages(&w, quote);
    } else {
        if (!pos_str_eq(want->key, pos_str("reason")) && !pos_str_eq(want->key, pos_str("missing"))) {
            v = pos_json_get_str(quote, want->key);
        } else if (explain != NULL) {
            v = pos_json_get_str(explain, want->key);
        }
        if (v != NULL) {
            pos_write_json(&w, v);
        } else {
            pos_write_null(&w);
        }
    }
    return w.status == POS_OK ? pos_writer_result(&w) : pos_str("");
}


static pos_status_t
note(pos_rehearsal_t *r, pos_subject_t *s, const pos_json_t *item, const char *code,
    const char *at, pos_str_t what, pos_str_t text)
{
    const pos_json_t *name = pos_json_get(item, "name");
    pos_finding_t    *f;
    pos_str_t         message;

    if (s->found >= POS_REHEARSAL_FOUND) {
        return POS_OK;
    }
    message = pos_arena_printf(r->scratch, "case %u%s%.*s%s: %.*s", s->case_number,
        name ? " (" : "", name ? (int) name->text.len : 0, name ? name->text.data : "",
        name ? ")" : "", (int) text.len, text.data);
    if (message.data == NULL) {
        return POS_NO_MEMORY;
    }
    f = pos_rehearsal_find(r, s, code, message, 0);
    if (f == NULL) {
        return POS_NO_MEMORY;
    }
    f->number = s->case_number;
    f->pointer = pos_arena_printf(r->arena, "/cases/%u%s%.*s", s->case_number - 1, at,
        (int) what.len, what.data);
    return f->pointer.data == NULL ? POS_NO_MEMORY : POS_OK;
}


static pos_status_t
compare(pos_rehearsal_t *r, pos_subject_t *s, const pos_json_t *item, const pos_json_t *quote,
    const pos_json_t *explain)
{
    const pos_json_t *expect = pos_json_get(item, "expect");
    pos_status_t      status = POS_OK;

    for (const pos_json_t *want = expect ? expect->first : NULL; want && status == POS_OK;
         want = want->next)
    {
        pos_faults_t faults;
        pos_json_t  *is;
        pos_writer_t w;
        pos_str_t    text = got(r, quote, explain, want);

        pos_faults_init(&faults, r->scratch);
        status = pos_json_read(r->reader, text, r->scratch, &faults, &is);
        if (status != POS_OK || same(want, is)) {
            continue;
        }
        if (is->type == POS_JSON_NULL && !pos_str_eq(want->key, pos_str("reason"))
            && !pos_str_eq(want->key, pos_str("missing")))
        {
            text = pos_arena_printf(r->scratch, "a quote has no %.*s", (int) want->key.len,
                want->key.data);
            status = note(r, s, item, "case_failed", "/expect/", want->key, text);
            continue;
        }
        pos_writer_init(&w, r->scratch, 128, POS_REHEARSAL_TEXT);
        pos_write_json(&w, want);
        text = pos_arena_printf(r->scratch, "%.*s is %.*s instead of %.*s", (int) want->key.len,
            want->key.data, text.len > MESSAGE_MAX ? MESSAGE_MAX : (int) text.len, text.data,
            pos_writer_result(&w).len > MESSAGE_MAX ? MESSAGE_MAX : (int) pos_writer_result(&w).len,
            pos_writer_result(&w).data);
        status = note(r, s, item, "case_failed", "/expect/", want->key, text);
    }
    return status;
}


/* ---- pricing it ---- */

typedef struct {
    pos_book_source_t     source;      /* the case's products                */
    const pos_promotion_t *promotion;
} case_source_t;


static pos_status_t
case_product(void *ctx, pos_str_t sku, pos_arena_t *arena, const pos_product_t **out)
{
    case_source_t *c = ctx;

    return c->source.product(c->source.ctx, sku, arena, out);
}


/* Every coupon that a case's cart gives is one for its promotion. */
static pos_status_t
case_coupon(void *ctx, pos_str_t code, pos_arena_t *arena, const pos_coupon_t **out)
{
    case_source_t *c = ctx;
    pos_coupon_t  *coupon = pos_arena_alloc(arena, sizeof(*coupon));

    if (coupon == NULL) {
        return POS_NO_MEMORY;
    }
    *coupon = (pos_coupon_t) { .code = code, .promotion_count = 1,
        .promotions = &c->promotion->id, .remaining = -1, .per_customer = -1,
        .from = POS_TIME_MIN, .until = POS_TIME_MAX };
    *out = coupon;
    return POS_OK;
}


static pos_status_t
price_on(pos_rehearsal_t *r, pos_subject_t *s, const pos_json_t *item, pos_stage_t *stage,
    const pos_json_t *request, pos_faults_t *faults)
{
    uint32_t          calls = pos_script_calls(r->options.vm);
    const pos_json_t *explain, *reason;
    pos_json_t       *quote;
    pos_status_t      status = pos_rehearsal_quote(r, stage, request, faults, &quote, &explain);

    if (status != POS_OK) {
        return status;
    }
    s->ran |= calls != pos_script_calls(r->options.vm);
    reason = explain ? pos_json_get(explain, "reason") : NULL;
    if (reason != NULL && pos_str_eq(reason->text, pos_str("script_error"))) {
        return pos_rehearsal_failed(r, s, explain, pos_str(""), s->case_number);
    }
    return compare(r, s, item, quote, explain);
}


/* The promotion as its file says it, under the case's settings. */
static pos_status_t
compile(pos_rehearsal_t *r, const pos_subject_t *s, const pos_json_t *item, pos_faults_t *faults,
    pos_promotion_t **out)
{
    const pos_json_t *script = pos_json_get(s->document, "script");
    const pos_json_t *settings = pos_json_get(item, "settings");
    pos_json_t       *json;
    pos_writer_t      w;
    pos_status_t      status;

    pos_writer_init(&w, r->scratch, 4096, POS_REHEARSAL_TEXT);
    pos_write_object_begin(&w);
    pos_write_key(&w, "id");
    pos_write_string(&w, s->promotion->id);
    pos_write_key(&w, "script");
    pos_write_json(&w, script);
    if (settings != NULL) {
        pos_write_key(&w, "settings");
        pos_write_json(&w, settings);
    }
    pos_write_object_end(&w);
    status = pos_json_read(r->reader, pos_writer_result(&w), r->scratch, faults, &json);
    return status == POS_OK
        ? pos_promotion_compile(json, pos_zone_utc(), r->options.vm, pos_str(""), faults, out)
        : status;
}


static pos_status_t
on_stage(pos_rehearsal_t *r, pos_subject_t *s, const pos_json_t *item, pos_promotion_t *promotion,
    pos_memory_book_t *memory, const pos_json_t *request, pos_faults_t *faults)
{
    case_source_t source = { .promotion = promotion };
    pos_book_t   *book = NULL;
    pos_stage_t   stage;
    pos_status_t  status;

    pos_memory_book_source(memory, &source.source);
    stage.source = (pos_book_source_t) { .ctx = &source, .product = case_product,
        .coupon = case_coupon };
    status = pos_rehearsal_build(&source.source, &book);
    if (status == POS_OK) {
        status = pos_stage_init(&stage, book, promotion, r->scratch);
    }
    if (status == POS_OK) {
        status = price_on(r, s, item, &stage, request, faults);
        pos_stage_close(&stage);
    }
    pos_book_release(book);
    return status;
}


static pos_status_t
read_text(pos_rehearsal_t *r, const pos_writer_t *w, pos_faults_t *faults, pos_json_t **out)
{
    return w->status == POS_OK
        ? pos_json_read(r->reader, pos_writer_result(w), r->scratch, faults, out) : w->status;
}


static pos_status_t
run_case(pos_rehearsal_t *r, pos_subject_t *s, const pos_json_t *item, const pos_json_t *cart,
    pos_faults_t *faults)
{
    writing_t          t = { .r = r, .cart = cart };
    pos_promotion_t   *promotion = NULL;
    pos_memory_book_t *memory = NULL;
    pos_json_t        *document, *request;
    pos_writer_t       book, asked;
    pos_status_t       status = pos_map_init(&t.seen, r->scratch, 32);

    if (status != POS_OK) {
        return status;
    }
    t.lists[0] = pos_json_get(cart, "products");
    t.lists[1] = pos_json_get(cart, "lines");
    pos_writer_init(&book, r->scratch, 4096, POS_REHEARSAL_TEXT);
    pos_writer_init(&asked, r->scratch, 2048, POS_REHEARSAL_TEXT);
    write_book(&t, &book);
    write_request(&t, &asked);
    status = t.status == POS_OK ? read_text(r, &book, faults, &document) : t.status;
    if (status == POS_OK) {
        status = read_text(r, &asked, faults, &request);
    }
    if (status == POS_OK) {
        status = pos_memory_book_create(document, load_zone, r, faults, &memory);
    }
    if (status == POS_OK) {
        status = compile(r, s, item, faults, &promotion);
    }
    if (status == POS_OK) {
        status = on_stage(r, s, item, promotion, memory, request, faults);
    }
    pos_promotion_release(promotion);
    pos_memory_book_destroy(memory);
    return status;
}


static pos_status_t
note_shape(pos_rehearsal_t *r, pos_subject_t *s, const pos_json_t *item,
    const pos_faults_t *faults)
{
    pos_status_t status = POS_OK;

    for (const pos_fault_t *f = faults->first; f != NULL && status == POS_OK; f = f->next) {
        pos_str_t text = f->pointer.len == 0 ? f->message
            : pos_arena_printf(r->scratch, "%.*s %.*s", (int) f->pointer.len,
                f->pointer.data, (int) f->message.len, f->message.data);

        status = text.data != NULL
            ? note(r, s, item, "case_invalid", "", f->pointer, text) : POS_NO_MEMORY;
    }
    return status;
}


pos_status_t
pos_rehearsal_case(pos_rehearsal_t *r, pos_subject_t *s, const pos_json_t *item)
{
    const pos_json_t *cart = pos_json_get(item, "cart");
    pos_faults_t      faults;
    pos_status_t      status;
    pos_str_t         text;

    pos_faults_init(&faults, r->scratch);
    if (item->type == POS_JSON_OBJECT && cart == NULL) {
        return note(r, s, item, "case_invalid", "/cart", pos_str(""), pos_str("a case needs a cart"));
    }
    status = pos_rehearsal_case_shape(r, item, &faults);
    if (status == POS_INVALID) {
        return note_shape(r, s, item, &faults);
    }
    if (status != POS_OK) {
        return status;
    }
    status = run_case(r, s, item, cart, &faults);
    if (status != POS_INVALID && status != POS_LIMIT && status != POS_BROKEN) {
        return status;
    }
    text = faults.first != NULL
        ? pos_arena_printf(r->scratch, "%.*s %.*s", (int) faults.first->pointer.len,
            faults.first->pointer.data, (int) faults.first->message.len, faults.first->message.data)
        : pos_str("its cart cannot be priced");
    return note(r, s, item, "case_invalid", "/cart", pos_str(""), text);
}
