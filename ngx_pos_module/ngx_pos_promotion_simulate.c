/*
 * POST /v1/promotions/{id}/simulations: carts priced with a version in the book and
 * without the promotion, and what that makes. On this node's book; nothing is stored.
 */

#include "ngx_pos_promotion.h"

#include "engine/quote.h"

#define NGX_POS_SIMULATE_MAX         (16 * 1024 * 1024)   /* bytes of an answer   */
#define NGX_POS_SIMULATE_CURRENCIES  16

typedef struct {
    pos_str_t  currency;
    int64_t    carts, changed, with, without;
} ngx_pos_simulate_sum_t;

typedef struct {
    pos_str_t   text;
    pos_json_t *json;
} ngx_pos_simulated_t;

typedef struct {
    ngx_pos_stage_t         stage;
    const pos_json_t       *cart;       /* the next                             */
    uint32_t                number;     /* of it                                */
    bool                    refused;    /* some cart cannot be priced           */
    pos_json_t             *request;    /* of the cart at hand, which is priced with; or NULL */
    ngx_pos_simulated_t     with;       /* of it                                */
    pos_writer_t            w;          /* the list of what came of them        */
    uint32_t                sum_count;
    ngx_pos_simulate_sum_t  sums[NGX_POS_SIMULATE_CURRENCIES];
} ngx_pos_simulate_t;

/* The cart, explained, and at a time that is said, so that no price is promised: its
 * own, else the simulation's, else now. */
static pos_status_t
ngx_pos_simulate_request(ngx_pos_simulate_t *s, pos_json_t **out)
{
    bool              has_at = false;
    pos_writer_t      w;
    pos_faults_t      faults;
    ngx_pos_ctx_t    *ctx = s->stage.ctx;
    const pos_json_t *m, *at = pos_json_get(ctx->json, "at");

    pos_writer_init(&w, ctx->arena, s->cart->text.len + 128, NGX_POS_SIMULATE_MAX);
    pos_write_object_begin(&w);

    for (m = s->cart->first; m != NULL; m = m->next) {
        if (pos_str_eq(m->key, pos_str("at"))) {
            if (m->type != POS_JSON_STRING) {
                continue;
            }
            has_at = true;
        }
        if (!pos_str_eq(m->key, pos_str("explain"))) {
            pos_write_key_str(&w, m->key);
            pos_write_json(&w, m);
        }
    }

    if (!has_at) {
        pos_write_key(&w, "at");
        if (at != NULL && at->type == POS_JSON_STRING) {
            pos_write_json(&w, at);
        } else {
            pos_write_time(&w, ngx_pos_promotion_now());
        }
    }

    pos_write_key(&w, "explain");
    pos_write_bool(&w, true);
    pos_write_object_end(&w);

    if (w.status != POS_OK) {
        return w.status;
    }

    pos_faults_init(&faults, ctx->arena);

    return pos_json_read(ngx_pos_worker.reader, pos_writer_result(&w), ctx->arena, &faults, out);
}

static pos_status_t
ngx_pos_simulate_price(ngx_pos_simulate_t *s, const pos_json_t *request, const pos_book_t *book,
    const pos_book_source_t *source, pos_faults_t *faults, ngx_pos_simulated_t *out)
{
    pos_writer_t         w;
    pos_status_t         rc;
    ngx_pos_ctx_t       *ctx = s->stage.ctx;
    pos_quote_stats_t    stats;
    pos_quote_options_t  options;

    ngx_memzero(&options, sizeof(options));
    ngx_memzero(&stats, sizeof(stats));
    options.book = book;
    options.source = source;
    options.vm = ngx_pos_generation_vm();
    options.revision = s->stage.shop->revision;
    options.now = ngx_pos_promotion_now();
    options.may_simulate = true;
    options.may_override = true;
    options.may_customer = true;
    options.may_shipping = true;
    options.trial = true;
    options.pointer = pos_arena_printf(ctx->arena, "/carts/%u", s->number);

    pos_writer_init(&w, ctx->arena, POS_QUOTE_ROOM, NGX_POS_SIMULATE_MAX);

    rc = options.pointer.data != NULL
       ? pos_quote(&options, request, ctx->arena, faults, &w, &stats) : POS_NO_MEMORY;

    if (rc == POS_OK) {
        rc = w.status;
    }

    out->text = pos_writer_result(&w);

    return rc == POS_OK ? pos_json_read(ngx_pos_worker.reader, out->text, ctx->arena, faults, &out->json) : rc;
}

static int64_t
ngx_pos_simulate_number(const ngx_pos_simulated_t *quote, const char *name)
{
    int64_t           n = 0;
    const pos_json_t *v = pos_json_get(quote->json, name);

    return v != NULL && pos_json_int64(v, &n) ? n : 0;
}

static void
ngx_pos_simulate_add(ngx_pos_simulate_t *s, const ngx_pos_simulated_t *with, const ngx_pos_simulated_t *without)
{
    uint32_t                 i;
    const pos_json_t        *currency = pos_json_get(with->json, "currency");
    ngx_pos_simulate_sum_t  *sum;

    for (i = 0; i < s->sum_count && !pos_str_eq(s->sums[i].currency, currency->text); i++) {
        /* void */
    }

    if (i == s->sum_count) {
        if (i == NGX_POS_SIMULATE_CURRENCIES) {
            return;
        }
        s->sums[s->sum_count++].currency = currency->text;
    }

    sum = &s->sums[i];
    sum->carts++;
    sum->with += ngx_pos_simulate_number(with, "total");
    sum->without += ngx_pos_simulate_number(without, "total");
    sum->changed += ngx_pos_simulate_number(with, "total") != ngx_pos_simulate_number(without, "total")
                    || ngx_pos_simulate_number(with, "points") != ngx_pos_simulate_number(without, "points");
}

static void
ngx_pos_simulate_write(ngx_pos_simulate_t *s, const ngx_pos_simulated_t *with, const ngx_pos_simulated_t *without)
{
    static const char *const  names[] = { "total", "discount", "tax", "points" };
    ngx_uint_t                i;
    pos_writer_t             *w = &s->w;

    pos_write_object_begin(w);
    pos_write_key(w, "with");
    pos_write_raw(w, with->text);
    pos_write_key(w, "without");
    pos_write_raw(w, without->text);
    pos_write_key(w, "difference");
    pos_write_object_begin(w);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        pos_write_key_str(w, pos_str_z(names[i]));
        pos_write_int(w, ngx_pos_simulate_number(with, names[i]) - ngx_pos_simulate_number(without, names[i]));
    }

    pos_write_object_end(w);
    pos_write_object_end(w);
}

/* A step is one pricing: first with the version ... */
static pos_status_t
ngx_pos_simulate_with(ngx_pos_simulate_t *s)
{
    pos_json_t      *request;
    pos_status_t     rc;
    ngx_pos_stage_t *stage = &s->stage;

    rc = ngx_pos_simulate_request(s, &request);
    if (rc == POS_OK) {
        rc = ngx_pos_simulate_price(s, request, stage->with_book, &stage->with_source, &stage->ctx->faults, &s->with);
    }
    if (rc == POS_OK) {
        s->request = request;
    }

    return rc;
}

/* ... and then without the promotion. */
static pos_status_t
ngx_pos_simulate_without(ngx_pos_simulate_t *s)
{
    pos_faults_t          again;
    pos_status_t          rc;
    ngx_pos_stage_t      *stage = &s->stage;
    ngx_pos_simulated_t   without;

    pos_faults_init(&again, stage->ctx->arena);
    rc = ngx_pos_simulate_price(s, s->request, stage->without_book, &stage->without_source, &again, &without);
    s->request = NULL;

    if (rc == POS_OK) {
        ngx_pos_simulate_add(s, &s->with, &without);
        ngx_pos_simulate_write(s, &s->with, &without);
        rc = s->w.status;
    }

    return rc;
}

/* A cart that cannot be priced is told with all others that cannot. */
static pos_status_t
ngx_pos_simulate_work(ngx_pos_stage_t *stage)
{
    pos_status_t         rc;
    ngx_pos_simulate_t  *s = stage->data;

    if (stage->row == NULL || stage->shop == NULL || stage->broken.len > 0 || s->cart == NULL) {
        return POS_OK;
    }

    rc = s->request == NULL ? ngx_pos_simulate_with(s) : ngx_pos_simulate_without(s);

    if (rc == POS_INVALID) {
        s->refused = true;
        rc = POS_OK;
    }

    if (s->request == NULL) {
        s->cart = s->cart->next;
        s->number++;
    }

    return rc == POS_OK ? POS_AGAIN : rc;
}

static void
ngx_pos_simulate_sums(ngx_pos_simulate_t *s, pos_writer_t *w)
{
    uint32_t                       i;
    const ngx_pos_simulate_sum_t  *sum;

    pos_write_array_begin(w);

    for (i = 0; i < s->sum_count; i++) {
        sum = &s->sums[i];
        pos_write_object_begin(w);
        pos_write_key(w, "currency");
        pos_write_string(w, sum->currency);
        pos_write_key(w, "carts");
        pos_write_int(w, sum->carts);
        pos_write_key(w, "changed");
        pos_write_int(w, sum->changed);
        pos_write_key(w, "with");
        pos_write_int(w, sum->with);
        pos_write_key(w, "without");
        pos_write_int(w, sum->without);
        pos_write_key(w, "difference");
        pos_write_int(w, sum->with - sum->without);
        pos_write_object_end(w);
    }

    pos_write_array_end(w);
}

/* False: answered. */
static bool
ngx_pos_simulate_possible(ngx_pos_simulate_t *s)
{
    ngx_pos_ctx_t *ctx = s->stage.ctx;

    if (s->stage.row == NULL) {
        ngx_pos_stage_unknown(&s->stage);
        return false;
    }

    if (s->stage.shop == NULL) {
        ngx_pos_problem_unavailable(ctx, "book_unavailable", "This retailer's price book is not here yet.");
        return false;
    }

    if (s->stage.broken.len > 0) {
        (void) pos_fault(&ctx->faults, pos_str("/version"), "does_not_compile", "%.*s", (int) s->stage.broken.len,
            s->stage.broken.data);
        ngx_pos_problem_faults(ctx, 422, "invalid_promotion", "The version cannot be sold by.");
        return false;
    }

    if (s->refused) {
        ngx_pos_problem_faults(ctx, 422, "invalid_request", "Some carts cannot be priced; errors[] names each place.");
        return false;
    }

    return true;
}

static void
ngx_pos_simulate_answer(ngx_pos_stage_t *stage)
{
    pos_writer_t         w;
    ngx_pos_ctx_t       *ctx = stage->ctx;
    ngx_pos_simulate_t  *s = stage->data;

    if (!ngx_pos_simulate_possible(s)) {
        return;
    }

    pos_write_array_end(&s->w);
    pos_writer_init(&w, ctx->arena, (size_t) (s->w.pos - s->w.start) + 1024, NGX_POS_SIMULATE_MAX);
    pos_write_object_begin(&w);
    pos_write_key(&w, "id");
    pos_write_string(&w, stage->id);
    pos_write_key(&w, "version");
    pos_write_int(&w, stage->version);
    pos_write_key(&w, "book_is_behind");
    pos_write_bool(&w, stage->behind);
    pos_write_key(&w, "totals");
    ngx_pos_simulate_sums(s, &w);
    pos_write_key(&w, "carts");
    pos_write_raw(&w, pos_writer_result(&s->w));
    pos_write_object_end(&w);

    ctx->revision = pos_arena_str(ctx->arena, stage->shop->revision);
    ngx_pos_stage_close(stage);

    if (s->w.status != POS_OK || w.status != POS_OK) {
        ngx_pos_problem(ctx, 422, "too_large", "The answer would be larger than an answer may be; send fewer carts.");
        return;
    }

    ngx_pos_answer(ctx, NGX_HTTP_OK, pos_str("application/json"), pos_writer_result(&w));
}

void
ngx_pos_promotion_simulate_handler(ngx_pos_ctx_t *ctx)
{
    const pos_json_t    *carts = pos_json_get(ctx->json, "carts");
    ngx_pos_simulate_t  *s = ngx_pcalloc(ctx->request->pool, sizeof(ngx_pos_simulate_t));

    if (s == NULL) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    pos_writer_init(&s->w, ctx->arena, 16 * 1024, NGX_POS_SIMULATE_MAX);
    pos_write_array_begin(&s->w);
    s->cart = carts->first;
    s->stage.needs_without = true;
    s->stage.work = ngx_pos_simulate_work;
    s->stage.done = ngx_pos_simulate_answer;
    s->stage.data = s;
    ngx_pos_stage_begin(ctx, &s->stage);
}
