/*
 * POST /v1/promotions/validate: the promotion is compiled and then rehearsed,
 * over carts made from the retailer's own book and over its script's cases.
 * Faults are the answer, not a refusal; nothing is stored.
 *
 * A rehearsal may take some ten milliseconds where a script uses up its limits,
 * so it is done in slices; between two of them the worker serves others.
 */

#include "ngx_pos_generation.h"
#include "ngx_pos_metrics.h"
#include "ngx_pos_promotion.h"

#include "engine/references.h"
#include "engine/rehearse.h"

#define NGX_POS_REHEARSE_SLICE_US    1000
#define NGX_POS_REHEARSE_TIMEOUT     (30 * 1000)   /* ms, of all of it          */
#define NGX_POS_REHEARSE_PROMOTIONS  20            /* of one file               */
#define NGX_POS_REHEARSE_SKU_MAX     128           /* bytes                     */

typedef struct {
    ngx_pos_ctx_t        *ctx;
    ngx_event_t           event;     /* posted between slices; its timer is the
                                        deadline and keeps a leaving worker up */
    ngx_pos_promotion_t   promotion;
    pos_rehearsal_t      *rehearsal;
    pos_faults_t          missing;   /* what it names and the book has not    */
    uint32_t              row;       /* the next to add                       */
    pos_status_t          status;    /* of compiling                          */
} ngx_pos_rehearse_t;

static void
ngx_pos_rehearse_cleanup(void *data)
{
    ngx_pos_rehearse_t *work = data;

    if (work->event.timer_set) {
        ngx_del_timer(&work->event);
    }

    if (work->event.posted) {
        ngx_delete_posted_event(&work->event);
    }

    pos_rehearsal_destroy(work->rehearsal);
    work->rehearsal = NULL;
}

/* ---- a sample of the retailer's products ---- */

typedef struct {
    ngx_pos_shop_t       *shop;
    pos_snapshot_t       *snapshot;
    pos_arena_t          *arena;
    pos_str_t            *skus;
    uint32_t              count;
} ngx_pos_sample_t;

/* The first product behind the prefix, unless it is known already. */
static pos_status_t
ngx_pos_sample_behind(ngx_pos_sample_t *sample, pos_str_t prefix)
{
    uint32_t     i;
    pos_str_t    key, value;
    pos_status_t rc;

    rc = pos_snapshot_next_row(sample->snapshot, &sample->shop->head, POS_KIND_SKU,
        prefix.len > 0 ? &prefix : NULL, &key, &value);

    if (rc != POS_OK || key.len > NGX_POS_REHEARSE_SKU_MAX) {
        return rc == POS_NO_MEMORY ? rc : POS_OK;
    }

    for (i = 0; i < sample->count; i++) {
        if (pos_str_eq(sample->skus[i], key)) {
            return POS_OK;
        }
    }

    sample->skus[sample->count] = pos_arena_str(sample->arena, key);

    return sample->skus[sample->count++].data == NULL ? POS_NO_MEMORY : POS_OK;
}

/* Spread over the book: by first characters, then by what follows those that
 * were found, so that a shop of one numbering is sampled all over too. */
static pos_status_t
ngx_pos_sample(ngx_pos_sample_t *sample)
{
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    char              prefix[NGX_POS_REHEARSE_SKU_MAX + 1];
    uint32_t          from, k, depth;
    pos_status_t      rc;

    rc = ngx_pos_sample_behind(sample, pos_str(""));

    for (k = 0; k < sizeof(letters) - 1 && rc == POS_OK && sample->count < POS_REHEARSAL_SAMPLES; k++) {
        rc = ngx_pos_sample_behind(sample, pos_str_of(&letters[k], 1));
    }

    for (from = 0; from < sample->count && from < 16 && rc == POS_OK; from++) {
        for (depth = 1; depth <= 6 && depth < sample->skus[from].len; depth++) {
            ngx_memcpy(prefix, sample->skus[from].data, depth);

            for (k = 0; k < sizeof(letters) - 1 && rc == POS_OK; k += 5) {
                if (sample->count == POS_REHEARSAL_SAMPLES) {
                    return POS_OK;
                }
                prefix[depth] = letters[k];
                rc = ngx_pos_sample_behind(sample, pos_str_of(prefix, depth + 1));
            }
        }
    }

    return rc;
}

/* ---- the answer ---- */

static void
ngx_pos_rehearse_place(pos_writer_t *w, uint32_t line, uint32_t column)
{
    pos_write_key(w, "line");
    if (line > 0) {
        pos_write_int(w, line);
    } else {
        pos_write_null(w);
    }

    pos_write_key(w, "column");
    if (column > 0) {
        pos_write_int(w, column);
    } else {
        pos_write_null(w);
    }
}

static void
ngx_pos_rehearse_faults(pos_writer_t *w, const pos_faults_t *faults, pos_str_t severity)
{
    const pos_fault_t *fault;

    for (fault = faults->first; fault != NULL; fault = fault->next) {
        pos_write_object_begin(w);
        pos_write_key(w, "severity");
        pos_write_string(w, severity);
        pos_write_key(w, "pointer");
        pos_write_string(w, fault->pointer);
        ngx_pos_rehearse_place(w, fault->line, fault->column);
        pos_write_key(w, "code");
        pos_write_string(w, pos_str_z(fault->code));
        pos_write_key(w, "message");
        pos_write_string(w, fault->message);
        pos_write_object_end(w);
    }
}

static void
ngx_pos_rehearse_findings(pos_writer_t *w, const pos_finding_t *finding)
{
    for (/* void */; finding != NULL; finding = finding->next) {
        pos_write_object_begin(w);
        pos_write_key(w, "severity");
        pos_write_string(w, finding->warning ? pos_str("warning") : pos_str("error"));
        pos_write_key(w, "promotion");
        pos_write_string(w, finding->promotion);
        pos_write_key(w, "pointer");
        pos_write_string(w, finding->pointer);
        ngx_pos_rehearse_place(w, finding->line, 0);
        pos_write_key(w, "code");
        pos_write_string(w, pos_str_z(finding->code));
        pos_write_key(w, "message");
        pos_write_string(w, finding->message);
        if (finding->number > 0) {
            pos_write_key(w, "case");
            pos_write_int(w, finding->number);
        }
        if (finding->cart.len > 0) {
            pos_write_key(w, "cart");
            pos_write_raw(w, finding->cart);
        }
        pos_write_object_end(w);
    }
}

static void
ngx_pos_rehearse_counts(pos_writer_t *w, const pos_rehearsal_result_t *result)
{
    pos_write_key(w, "rehearsal");
    pos_write_object_begin(w);
    pos_write_key(w, "carts");
    pos_write_int(w, result->carts);
    pos_write_key(w, "refused");
    pos_write_int(w, result->refused);
    pos_write_key(w, "ran");
    pos_write_int(w, result->ran);
    pos_write_key(w, "applied");
    pos_write_int(w, result->applied);
    pos_write_key(w, "cases");
    pos_write_int(w, result->cases);
    pos_write_object_end(w);
}

static void
ngx_pos_rehearse_answer(ngx_pos_rehearse_t *work, ngx_pos_check_t *check)
{
    bool                           compiled = work->status == POS_OK;
    pos_writer_t                   w;
    ngx_pos_ctx_t                 *ctx = work->ctx;
    pos_rehearsal_result_t         none = { 0 };
    const pos_rehearsal_result_t  *result = &none;

    if (work->rehearsal != NULL) {
        result = pos_rehearsal_result(work->rehearsal);
    }

    pos_writer_init(&w, ctx->arena, 4096, NGX_POS_PROMOTION_MAX);
    pos_write_object_begin(&w);
    pos_write_key(&w, "valid");
    pos_write_bool(&w, compiled && result->errors == 0);
    pos_write_key(&w, "diagnostics");
    pos_write_array_begin(&w);
    ngx_pos_rehearse_faults(&w, &ctx->faults, pos_str("error"));
    ngx_pos_rehearse_faults(&w, &work->missing, pos_str("warning"));
    ngx_pos_rehearse_findings(&w, result->findings);
    pos_write_array_end(&w);
    pos_write_key(&w, "findings");
    if (check != NULL) {
        ngx_pos_promotion_tried(check, &w);
    } else {
        pos_write_array_begin(&w);
        pos_write_array_end(&w);
    }
    ngx_pos_rehearse_counts(&w, result);
    pos_write_key(&w, "documents");
    pos_write_raw(&w, compiled ? work->promotion.documents : pos_str("[]"));
    pos_write_object_end(&w);

    ngx_pos_rehearse_cleanup(work);

    if (w.status != POS_OK) {
        ngx_pos_promotion_fail(ctx, w.status);
        return;
    }

    ngx_pos_answer(ctx, NGX_HTTP_OK, pos_str("application/json"), pos_writer_result(&w));
}

/* ---- the work ---- */

/* One cart or case; the next promotion of the file once one is through. */
static pos_status_t
ngx_pos_rehearse_step(ngx_pos_rehearse_t *work)
{
    uint32_t                       most;
    pos_status_t                   rc;
    const ngx_pos_promotion_row_t *row;

    rc = pos_rehearsal_step(work->rehearsal);

    most = ngx_min(work->promotion.row_count, NGX_POS_REHEARSE_PROMOTIONS);

    if (rc != POS_OK || work->row == most) {
        return rc;
    }

    row = &work->promotion.rows[work->row++];
    rc = pos_rehearsal_add(work->rehearsal, row->document, row->cases, &work->ctx->faults);

    if (rc == POS_INVALID) {
        work->status = POS_INVALID;
        rc = POS_OK;
    }

    return rc == POS_OK ? POS_AGAIN : rc;
}

static void
ngx_pos_rehearse_checked(ngx_pos_ctx_t *ctx, ngx_pos_check_t *check)
{
    ngx_pos_rehearse_answer(ctx->work, check);
}

/* One promotion that can be sold by is tried in its shop, too. */
static void
ngx_pos_rehearse_check(ngx_pos_rehearse_t *work)
{
    const pos_json_t *id;
    const pos_json_t *row = work->promotion.row_count == 1 ? work->promotion.rows[0].document : NULL;

    id = row != NULL ? pos_json_get(row, "id") : NULL;

    if (work->status != POS_OK || work->promotion.count != 1 || id == NULL || id->type != POS_JSON_STRING
        || work->ctx->key == NULL || pos_rehearsal_result(work->rehearsal)->errors > 0)
    {
        ngx_pos_rehearse_answer(work, NULL);
        return;
    }

    if (work->event.timer_set) {
        ngx_del_timer(&work->event);
    }

    ngx_pos_promotion_try(work->ctx, id->text, row, NULL, ngx_pos_rehearse_checked);
}

static void
ngx_pos_rehearse_run(ngx_pos_rehearse_t *work)
{
    uint64_t     begun = ngx_pos_metrics_now_us();
    pos_status_t rc;

    do {
        rc = ngx_pos_rehearse_step(work);
    } while (rc == POS_AGAIN && ngx_pos_metrics_now_us() - begun < NGX_POS_REHEARSE_SLICE_US);

    if (rc == POS_AGAIN) {
        ngx_post_event(&work->event, &ngx_posted_next_events);
        return;
    }

    if (rc == POS_OK) {
        ngx_pos_rehearse_check(work);
        return;
    }

    ngx_log_error(NGX_LOG_ERR, work->ctx->request->connection->log, 0,
                  "pos: a promotion's rehearsal ended with status %d", (int) rc);
    ngx_pos_rehearse_cleanup(work);
    ngx_pos_promotion_fail(work->ctx, rc);
}

static void
ngx_pos_rehearse_event(ngx_event_t *ev)
{
    ngx_pos_rehearse_t *work = ev->data;

    if (ev->timedout) {
        ngx_log_error(NGX_LOG_ERR, ev->log, 0, "pos: a promotion's rehearsal took longer than it may");
        ngx_pos_rehearse_cleanup(work);
        ngx_pos_promotion_fail(work->ctx, POS_AGAIN);
        return;
    }

    ngx_pos_rehearse_run(work);
}

/* SKUs, categories and stores that are not there: a warning, since they may be on
 * their way. */
static pos_status_t
ngx_pos_rehearse_references(ngx_pos_rehearse_t *work, ngx_pos_shop_t *shop)
{
    uint32_t           i = 0, left = POS_REFERENCES_MAX;
    pos_str_t          base;
    pos_json_t        *documents;
    pos_status_t       rc;
    ngx_pos_ctx_t     *ctx = work->ctx;
    const pos_json_t  *document;

    rc = pos_json_read(ngx_pos_worker.reader, work->promotion.documents, ctx->arena, &work->missing, &documents);

    for (document = rc == POS_OK ? documents->first : NULL; document != NULL && rc == POS_OK; document = document->next) {
        base = ngx_pos_promotion_base(ctx, &work->promotion, i++);
        rc = base.data != NULL
             ? pos_references_check(document, base, shop->book, &shop->source, &left, &work->missing)
             : POS_NO_MEMORY;
    }

    if (ctx->json == NULL) {
        pos_script_locate(work->promotion.source, pos_str(""), NULL, work->missing.first);
    }

    return rc;
}

pos_status_t
ngx_pos_rehearse_open(ngx_pos_generation_t *generation, ngx_pos_shop_t *shop, pos_arena_t *arena,
    pos_rehearsal_t **out)
{
    pos_status_t             rc = POS_OK;
    ngx_pos_sample_t         sample;
    pos_rehearsal_options_t  options;

    ngx_memzero(&options, sizeof(options));
    options.vm = ngx_pos_generation_vm();
    options.now = ngx_pos_promotion_now();

    if (shop != NULL && shop->book != NULL) {
        ngx_memzero(&sample, sizeof(sample));
        sample.shop = shop;
        sample.snapshot = generation->snapshot;
        sample.arena = arena;
        sample.skus = pos_arena_array(arena, POS_REHEARSAL_SAMPLES + 1, sizeof(pos_str_t));

        rc = sample.skus != NULL ? ngx_pos_sample(&sample) : POS_NO_MEMORY;

        options.book = shop->book;
        options.source = &shop->source;
        options.skus = sample.skus;
        options.sku_count = sample.count;
    }

    return rc == POS_OK ? pos_rehearsal_create(&options, out) : rc;
}

/* The shop of the key, or none: then products are made up. */
static pos_status_t
ngx_pos_rehearse_begin(ngx_pos_rehearse_t *work)
{
    pos_status_t     rc = POS_OK;
    ngx_pos_ctx_t   *ctx = work->ctx;
    ngx_pos_shop_t  *shop = NULL;

    if (ctx->generation != NULL && ctx->key != NULL) {
        shop = ngx_pos_generation_shop(ctx->generation, ctx->key->retailer_no);
    }

    if (shop != NULL && shop->book != NULL) {
        rc = ngx_pos_rehearse_references(work, shop);
    }

    return rc == POS_OK ? ngx_pos_rehearse_open(ctx->generation, shop, ctx->arena, &work->rehearsal) : rc;
}

/* What a PUT would refuse by the contract's schema, beside what the compiler says
 * of the same place in the trade's words. */
static pos_status_t
ngx_pos_rehearse_schema(ngx_pos_ctx_t *ctx)
{
    pos_faults_t       found;
    pos_status_t       rc;
    const pos_fault_t *fault, *told;

    pos_faults_init(&found, ctx->arena);
    rc = ngx_pos_validate_json(ctx, &found);

    for (fault = found.first; fault != NULL; fault = fault->next) {
        for (told = ctx->faults.first; told != NULL && !pos_str_eq(told->pointer, fault->pointer); told = told->next) {
            /* void */
        }

        if (told == NULL) {
            (void) pos_fault(&ctx->faults, fault->pointer, fault->code, "%.*s", (int) fault->message.len,
                fault->message.data);
        }
    }

    return rc;
}

void
ngx_pos_promotion_validate_handler(ngx_pos_ctx_t *ctx)
{
    pos_status_t        rc;
    ngx_pos_rehearse_t *work;
    ngx_http_cleanup_t *cleanup;

    work = ngx_pcalloc(ctx->request->pool, sizeof(ngx_pos_rehearse_t));
    cleanup = ngx_http_cleanup_add(ctx->request, 0);
    if (work == NULL || cleanup == NULL) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    cleanup->handler = ngx_pos_rehearse_cleanup;
    cleanup->data = work;
    ctx->work = work;
    work->ctx = ctx;
    pos_faults_init(&work->missing, ctx->arena);
    work->event.handler = ngx_pos_rehearse_event;
    work->event.data = work;
    work->event.log = ctx->request->connection->log;

    rc = ngx_pos_promotion_read(ctx, &work->promotion);

    if ((rc == POS_OK || rc == POS_INVALID) && ngx_pos_rehearse_schema(ctx) != POS_OK) {
        rc = POS_INVALID;
    }

    work->status = rc;

    if (rc == POS_INVALID) {
        ngx_pos_rehearse_answer(work, NULL);
        return;
    }

    if (rc == POS_OK) {
        rc = ngx_pos_rehearse_begin(work);
    }

    if (rc != POS_OK) {
        ngx_pos_promotion_fail(ctx, rc);
        return;
    }

    ngx_add_timer(&work->event, NGX_POS_REHEARSE_TIMEOUT);
    ngx_pos_request_suspend(ctx);
    ngx_pos_rehearse_run(work);
}
