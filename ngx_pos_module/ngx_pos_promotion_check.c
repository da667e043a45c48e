/*
 * What is found against a version before it is published: by the tables (in the
 * database), by a rehearsal of it alone, and by pricing the shop's own products with
 * it in the book. `publish` has it found and leaves the judgement to the database;
 * `check` answers it and changes nothing.
 */

#include "ngx_pos_promotion.h"

#include "engine/references.h"

typedef enum {
    NGX_POS_CHECK_BEGIN,
    NGX_POS_CHECK_REHEARSE,
    NGX_POS_CHECK_SEE,          /* the shop's products                          */
    NGX_POS_CHECK_PRICE,
    NGX_POS_CHECK_DONE
} ngx_pos_check_phase_e;

struct ngx_pos_check_s {
    ngx_pos_stage_t        stage;
    void                 (*done)(ngx_pos_ctx_t *ctx, ngx_pos_check_t *check);   /* of what is given */
    ngx_pos_check_phase_e  phase;
    pos_rehearsal_t       *rehearsal;
    pos_check_t           *check;
    pos_faults_t           missing;     /* what it names and the book has not   */
    const pos_str_t       *skus;        /* all that it can touch; NULL: all     */
    uint32_t               sku_count, at;
    pos_str_t              after;       /* of the book's products, into the map */
};

static void
ngx_pos_check_drop(ngx_pos_stage_t *stage)
{
    ngx_pos_check_t *check = stage->data;

    pos_check_destroy(check->check);
    check->check = NULL;
    pos_rehearsal_destroy(check->rehearsal);
    check->rehearsal = NULL;
}

/* ---- the work ---- */

static int64_t
ngx_pos_check_margin(const ngx_pos_check_t *check)
{
    int64_t           ppm;
    const pos_json_t *percent = pos_json_get(check->stage.said, "margin_percent");

    return percent != NULL && pos_json_decimal(percent, 4, &ppm) ? ppm : -1;
}

static pos_status_t
ngx_pos_check_references(ngx_pos_check_t *check)
{
    uint32_t         left = POS_REFERENCES_MAX;
    ngx_pos_stage_t *stage = &check->stage;

    pos_faults_init(&check->missing, stage->ctx->arena);

    return stage->summary == NULL || check->done != NULL ? POS_OK
         : pos_references_check(stage->summary, pos_str(""), stage->shop->book, &stage->shop->source, &left,
               &check->missing);
}

static pos_status_t
ngx_pos_check_begin(ngx_pos_check_t *check)
{
    pos_str_t            cases;
    pos_status_t         rc;
    pos_faults_t         faults;
    ngx_pos_stage_t     *stage = &check->stage;
    pos_check_options_t  options;

    rc = ngx_pos_check_references(check);
    if (rc != POS_OK || stage->broken.len > 0) {
        check->phase = NGX_POS_CHECK_DONE;
        return rc;
    }

    /* validate has had its rehearsal */
    if (check->done == NULL) {
        rc = ngx_pos_promotion_cases(stage->ctx, stage->id, stage->row, &cases);
        if (rc == POS_OK) {
            rc = ngx_pos_rehearse_open(stage->generation, stage->shop, stage->ctx->arena, &check->rehearsal);
        }
        if (rc == POS_OK) {
            pos_faults_init(&faults, stage->ctx->arena);
            rc = pos_rehearsal_add(check->rehearsal, stage->row, cases, &faults);
        }
        if (rc != POS_OK) {
            return rc;
        }
    }

    ngx_memzero(&options, sizeof(options));
    options.book = stage->with_book;
    options.source = &stage->with_source;
    options.vm = ngx_pos_generation_vm();
    options.id = stage->id;
    options.now = ngx_pos_promotion_now();
    options.margin_ppm = ngx_pos_check_margin(check);
    options.show_costs = ngx_pos_key_may(stage->ctx, ngx_pos_worker.conf->contract->may_cost);

    rc = pos_check_create(&options, &check->check);
    if (rc != POS_OK) {
        return rc;
    }

    if (!pos_check_names(check->check, &check->skus, &check->sku_count)) {
        check->skus = NULL;
    }

    check->phase = check->rehearsal != NULL ? NGX_POS_CHECK_REHEARSE : NGX_POS_CHECK_SEE;

    return POS_AGAIN;
}

/* One product of the shop. */
static pos_status_t
ngx_pos_check_see(ngx_pos_check_t *check)
{
    pos_str_t         key, value;
    pos_status_t      rc;
    ngx_pos_stage_t  *stage = &check->stage;

    if (check->skus != NULL) {
        if (check->at == check->sku_count) {
            check->phase = NGX_POS_CHECK_PRICE;
            return POS_AGAIN;
        }
        rc = pos_check_see(check->check, check->skus[check->at++]);
        return rc == POS_OK ? POS_AGAIN : rc;
    }

    rc = pos_snapshot_next_row(stage->generation->snapshot, &stage->shop->head, POS_KIND_SKU,
        check->after.data != NULL ? &check->after : NULL, &key, &value);

    if (rc == POS_NOT_FOUND) {
        check->phase = NGX_POS_CHECK_PRICE;
        return POS_AGAIN;
    }

    if (rc != POS_OK && rc != POS_BROKEN) {
        return rc;
    }

    check->after = key;
    rc = rc == POS_OK ? pos_check_see(check->check, key) : POS_OK;

    return rc == POS_OK ? POS_AGAIN : rc;
}

static pos_status_t
ngx_pos_check_work(ngx_pos_stage_t *stage)
{
    pos_status_t      rc;
    ngx_pos_check_t  *check = stage->data;

    if (stage->row == NULL || stage->shop == NULL) {
        return POS_OK;
    }

    switch (check->phase) {

    case NGX_POS_CHECK_BEGIN:
        return ngx_pos_check_begin(check);

    case NGX_POS_CHECK_REHEARSE:
        rc = pos_rehearsal_step(check->rehearsal);
        if (rc == POS_OK) {
            check->phase = NGX_POS_CHECK_SEE;
            rc = POS_AGAIN;
        }
        return rc;

    case NGX_POS_CHECK_SEE:
        return ngx_pos_check_see(check);

    case NGX_POS_CHECK_PRICE:
        rc = pos_check_step(check->check);
        if (rc == POS_OK) {
            check->phase = NGX_POS_CHECK_DONE;
        }
        return rc;

    case NGX_POS_CHECK_DONE:
        break;
    }

    return POS_OK;
}

/* What was priced by then is told, and that it is not all. */
static bool
ngx_pos_check_late(ngx_pos_stage_t *stage)
{
    ngx_pos_check_t *check = stage->data;

    return check->phase == NGX_POS_CHECK_PRICE;
}

/* ---- what was found ---- */

static void
ngx_pos_check_write(pos_writer_t *w, pos_str_t severity, pos_str_t code, pos_str_t message, pos_str_t pointer)
{
    pos_write_object_begin(w);
    pos_write_key(w, "severity");
    pos_write_string(w, severity);
    pos_write_key(w, "code");
    pos_write_string(w, code);
    pos_write_key(w, "message");
    pos_write_string(w, message);
    pos_write_key(w, "pointer");
    pos_write_string(w, pointer);
    pos_write_key(w, "related");
    pos_write_array_begin(w);
    pos_write_array_end(w);
    pos_write_object_end(w);
}

/* What a rehearsal calls an error is one at a till that a quote outlives: the
 * promotion is left out of it. Who means it so may publish it. */
static void
ngx_pos_check_rehearsed(ngx_pos_check_t *check, pos_writer_t *w)
{
    const pos_fault_t   *fault;
    const pos_finding_t *f;

    for (fault = check->missing.first; fault != NULL; fault = fault->next) {
        ngx_pos_check_write(w, pos_str("warning"), pos_str_z(fault->code), fault->message, fault->pointer);
    }

    f = check->rehearsal != NULL ? pos_rehearsal_result(check->rehearsal)->findings : NULL;

    for (/* void */; f != NULL; f = f->next) {
        ngx_pos_check_write(w, pos_str("warning"), pos_str_z(f->code), f->message, f->pointer);
    }
}

static void
ngx_pos_check_findings(ngx_pos_check_t *check, pos_writer_t *w)
{
    ngx_pos_stage_t  *stage = &check->stage;
    const pos_json_t *found = pos_json_get(stage->said, "findings"), *f;

    pos_write_array_begin(w);

    for (f = found != NULL ? found->first : NULL; f != NULL; f = f->next) {
        pos_write_json(w, f);
    }

    if (stage->broken.len > 0) {
        ngx_pos_check_write(w, pos_str("error"), pos_str("does_not_compile"), stage->broken, pos_str(""));
    }

    if (stage->behind) {
        ngx_pos_check_write(w, pos_str("warning"), pos_str("not_checked"), stage->shop == NULL
            ? pos_str("this node has no book of the shop: it was not tried on its products")
            : pos_str("this node's book is not as new as the shop: it was tried on an older one"), pos_str(""));
    }

    if (stage->shop != NULL) {
        ngx_pos_check_rehearsed(check, w);
    }

    if (check->check != NULL) {
        pos_check_write(check->check, w);
    }

    pos_write_array_end(w);
}

/* ---- publish ---- */

static void
ngx_pos_check_publish(ngx_pos_stage_t *stage)
{
    pos_writer_t      w;
    ngx_pos_ctx_t    *ctx = stage->ctx;
    ngx_pos_check_t  *check = stage->data;

    pos_writer_init(&w, ctx->arena, 4096, NGX_POS_PROMOTION_MAX);
    pos_write_object_begin(&w);
    pos_write_key(&w, "version");
    if (stage->version > 0) {
        pos_write_int(&w, stage->version);
    } else {
        pos_write_null(&w);
    }
    pos_write_key(&w, "findings");
    if (stage->row != NULL) {
        ngx_pos_check_findings(check, &w);
    } else {
        pos_write_null(&w);
    }
    /* What the book says by then is checked against what it says when this is written. */
    pos_write_key(&w, "revision");
    if (stage->shop != NULL && !stage->behind) {
        pos_write_int(&w, stage->shop->head.rev);
    } else {
        pos_write_null(&w);
    }
    pos_write_object_end(&w);

    ctx->prepared = pos_writer_result(&w);
    ngx_pos_stage_close(stage);

    if (w.status != POS_OK) {
        ngx_pos_promotion_fail(ctx, w.status);
        return;
    }

    ngx_pos_request_dispatch(ctx);
}

static ngx_pos_check_t *
ngx_pos_check_create(ngx_pos_ctx_t *ctx)
{
    ngx_pos_check_t *check = ngx_pcalloc(ctx->request->pool, sizeof(ngx_pos_check_t));

    if (check == NULL) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return NULL;
    }

    check->stage.any_arm = true;
    check->stage.work = ngx_pos_check_work;
    check->stage.late = ngx_pos_check_late;
    check->stage.drop = ngx_pos_check_drop;
    check->stage.data = check;

    return check;
}

/* POST /v1/promotions/{id}/publish: on to the database with what was found. */
void
ngx_pos_promotion_publish_prepare(ngx_pos_ctx_t *ctx)
{
    ngx_pos_check_t *check = ngx_pos_check_create(ctx);

    if (check != NULL) {
        check->stage.publishing = true;
        check->stage.done = ngx_pos_check_publish;
        ngx_pos_stage_begin(ctx, &check->stage);
    }
}

/* ---- check ---- */

static void
ngx_pos_check_member(pos_writer_t *w, const pos_json_t *said, const char *name)
{
    pos_write_key_str(w, pos_str_z(name));
    pos_write_json(w, pos_json_get(said, name));
}

static void
ngx_pos_check_answer(ngx_pos_stage_t *stage)
{
    pos_writer_t      w;
    ngx_pos_ctx_t    *ctx = stage->ctx;
    ngx_pos_check_t  *check = stage->data;

    if (stage->row == NULL) {
        ngx_pos_stage_unknown(stage);
        return;
    }

    pos_writer_init(&w, ctx->arena, 4096, NGX_POS_PROMOTION_MAX);
    pos_write_object_begin(&w);
    pos_write_key(&w, "id");
    pos_write_string(&w, stage->id);
    ngx_pos_check_member(&w, stage->said, "version");
    ngx_pos_check_member(&w, stage->said, "needs_approval");
    ngx_pos_check_member(&w, stage->said, "approved");
    pos_write_key(&w, "findings");
    ngx_pos_check_findings(check, &w);
    pos_write_key(&w, "products");
    if (check->check != NULL) {
        pos_check_write_counts(check->check, &w);
    } else {
        pos_write_null(&w);
    }
    pos_write_object_end(&w);

    if (stage->shop != NULL) {
        ctx->revision = pos_arena_str(ctx->arena, stage->shop->revision);
    }

    ngx_pos_stage_close(stage);

    if (w.status != POS_OK) {
        ngx_pos_promotion_fail(ctx, w.status);
        return;
    }

    ngx_pos_answer(ctx, NGX_HTTP_OK, pos_str("application/json"), pos_writer_result(&w));
}

void
ngx_pos_promotion_check_handler(ngx_pos_ctx_t *ctx)
{
    ngx_pos_check_t *check = ngx_pos_check_create(ctx);

    if (check != NULL) {
        check->stage.done = ngx_pos_check_answer;
        ngx_pos_stage_begin(ctx, &check->stage);
    }
}

/* ---- validate ---- */

static void
ngx_pos_check_given(ngx_pos_stage_t *stage)
{
    ngx_pos_check_t *check = stage->data;

    check->done(stage->ctx, check);
}

void
ngx_pos_promotion_tried(ngx_pos_check_t *check, pos_writer_t *w)
{
    ngx_pos_check_findings(check, w);
    ngx_pos_stage_close(&check->stage);
}

void
ngx_pos_promotion_try(ngx_pos_ctx_t *ctx, pos_str_t id, const pos_json_t *row, const pos_json_t *summary,
    void (*done)(ngx_pos_ctx_t *ctx, ngx_pos_check_t *check))
{
    ngx_pos_check_t *check = ngx_pos_check_create(ctx);

    if (check != NULL) {
        check->done = done;
        check->stage.done = ngx_pos_check_given;
        ngx_pos_stage_given(ctx, &check->stage, id, row, summary);
    }
}
