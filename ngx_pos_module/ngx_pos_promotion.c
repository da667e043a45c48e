/*
 * Promotions as people send them, a JSON document or a Lua source, compiled
 * before anything is stored: what could not be sold by never reaches the
 * database. The scripts run in the same sandbox as in quotes.
 */

#include "ngx_pos_generation.h"
#include "ngx_pos_promotion.h"

#include "engine/promotion.h"
#include "engine/script.h"

int64_t
ngx_pos_promotion_now(void)
{
    pos_replica_clock_t clock;

    if (ngx_pos_generation_replica() != NULL
        && pos_replica_clock(ngx_pos_generation_replica(), &clock) == POS_OK)
    {
        return clock.now;
    }

    return (int64_t) ngx_time() * 1000000;
}

/* {"id": …, "script": …} as text and tree: the form in which a script stands
 * in a book. */
static pos_json_t *
ngx_pos_promotion_wrap(ngx_pos_ctx_t *ctx, pos_str_t id, pos_str_t source)
{
    pos_json_t   *json;
    pos_faults_t  faults;
    pos_writer_t  w;

    pos_writer_init(&w, ctx->arena, source.len + 256, NGX_POS_PROMOTION_MAX);
    pos_write_object_begin(&w);
    pos_write_key(&w, "id");
    pos_write_string(&w, id);
    pos_write_key(&w, "script");
    pos_write_string(&w, source);
    pos_write_object_end(&w);

    pos_faults_init(&faults, ctx->arena);

    if (w.status != POS_OK
        || pos_json_read(ngx_pos_worker.reader, pos_writer_result(&w), ctx->arena, &faults, &json) != POS_OK)
    {
        return NULL;
    }

    return json;
}

/* The script's table with the outer document's fields over it; the source is
 * kept apart. */
static pos_status_t
ngx_pos_promotion_merge(const pos_json_t *outer, const pos_json_t *inner, pos_writer_t *w)
{
    const pos_json_t *member;

    pos_write_object_begin(w);

    for (member = inner->first; member != NULL; member = member->next) {
        if (pos_json_get_str(outer, member->key) == NULL) {
            pos_write_key_str(w, member->key);
            pos_write_json(w, member);
        }
    }

    for (member = outer != NULL ? outer->first : NULL; member != NULL; member = member->next) {
        if (!pos_str_eq(member->key, pos_str("script"))) {
            pos_write_key_str(w, member->key);
            pos_write_json(w, member);
        }
    }

    pos_write_object_end(w);

    return w->status;
}

/* What a document's check adds to the source's own: filters, effects, dates. */
static pos_status_t
ngx_pos_promotion_check(ngx_pos_ctx_t *ctx, const pos_json_t *document)
{
    pos_status_t      rc;
    pos_promotion_t  *promotion;

    rc = pos_promotion_compile(document, pos_zone_utc(), ngx_pos_generation_vm(), pos_str(""), &ctx->faults,
        &promotion);

    if (rc == POS_OK) {
        pos_promotion_release(promotion);
    }

    return rc;
}

pos_str_t
ngx_pos_promotion_base(ngx_pos_ctx_t *ctx, const ngx_pos_promotion_t *out, uint32_t i)
{
    return out->count == 1 ? pos_str("") : pos_arena_printf(ctx->arena, "/%u", i);
}

/* A promotion of the file as it would stand in the book. A document with a
 * script is about one of the file's promotions only. */
static pos_status_t
ngx_pos_promotion_row(ngx_pos_ctx_t *ctx, const pos_json_t *outer, const pos_script_promotion_t *made,
    ngx_pos_promotion_t *out)
{
    const pos_json_t        *id;
    ngx_pos_promotion_row_t *row = &out->rows[out->row_count];

    row->cases = made->cases;

    if (outer == NULL) {
        row->document = ngx_pos_promotion_wrap(ctx, made->id, out->source);
        out->row_count++;
        return row->document != NULL ? POS_OK : POS_NO_MEMORY;
    }

    id = pos_json_get(outer, "id");

    if (out->count == 1 || (id != NULL && pos_str_eq(id->text, made->id))) {
        row->document = outer;
        out->row_count++;
    }

    return POS_OK;
}

/* One of the file's promotions: into the list of documents, checked, and a row. */
static pos_status_t
ngx_pos_promotion_take(ngx_pos_ctx_t *ctx, const pos_json_t *outer, const pos_script_promotion_t *made, uint32_t i,
    ngx_pos_promotion_t *out, pos_writer_t *w)
{
    pos_str_t     base;
    pos_json_t   *inner;
    pos_fault_t **last = ctx->faults.last;
    pos_status_t  rc;

    rc = pos_json_read(ngx_pos_worker.reader, made->document, ctx->arena, &ctx->faults, &inner);

    if (rc == POS_OK) {
        rc = ngx_pos_promotion_merge(outer, inner, w);
    }

    if (rc == POS_OK && outer == NULL) {
        base = ngx_pos_promotion_base(ctx, out, i);
        rc = base.data != NULL
             ? pos_promotion_check(inner, made->script, pos_zone_utc(), base, &ctx->faults) : POS_NO_MEMORY;

        if (rc == POS_INVALID) {
            pos_script_locate(out->source, pos_str(""), NULL, *last);
        }
    }

    return rc == POS_OK ? ngx_pos_promotion_row(ctx, outer, made, out) : rc;
}

/* One file may return several promotions; each is checked by itself, the faults
 * of all are told. */
static pos_status_t
ngx_pos_promotion_script(ngx_pos_ctx_t *ctx, const pos_json_t *outer, ngx_pos_promotion_t *out)
{
    bool                     invalid = false;
    uint32_t                 i;
    pos_status_t             rc;
    pos_writer_t             w;
    pos_script_promotion_t  *made;

    rc = pos_script_load(ngx_pos_generation_vm(), out->source, pos_str("promotion"),
        pos_json_get(outer, "settings"), outer != NULL ? pos_str("/script") : pos_str(""), ctx->arena, &ctx->faults,
        &made, &out->count);

    if (rc != POS_OK) {
        return rc;
    }

    pos_writer_init(&w, ctx->arena, 2048, NGX_POS_PROMOTION_MAX);
    pos_write_array_begin(&w);

    out->rows = pos_arena_array(ctx->arena, out->count + 1, sizeof(*out->rows));
    if (out->rows == NULL) {
        rc = POS_NO_MEMORY;
    }

    for (i = 0; i < out->count; i++) {
        if (rc == POS_OK) {
            rc = ngx_pos_promotion_take(ctx, outer, &made[i], i, out, &w);
            invalid |= rc == POS_INVALID;
            rc = rc == POS_INVALID ? POS_OK : rc;
        }

        if (made[i].script != NULL) {
            pos_script_release(made[i].script);
        }
    }

    pos_write_array_end(&w);
    out->documents = pos_writer_result(&w);

    if (rc == POS_OK && outer != NULL) {
        rc = ngx_pos_promotion_check(ctx, outer);
    }

    if (rc == POS_OK) {
        rc = w.status;
    }

    return rc == POS_OK && invalid ? POS_INVALID : rc;
}

pos_status_t
ngx_pos_promotion_read(ngx_pos_ctx_t *ctx, ngx_pos_promotion_t *out)
{
    const pos_json_t        *script;
    ngx_pos_promotion_row_t *row;

    ngx_memzero(out, sizeof(*out));

    if (ngx_pos_generation_vm() == NULL) {
        return POS_AGAIN;
    }

    if (ctx->json == NULL) {
        out->source = ctx->body;
        return ngx_pos_promotion_script(ctx, NULL, out);
    }

    script = pos_json_get(ctx->json, "script");

    if (script != NULL && script->type == POS_JSON_STRING) {
        out->source = script->text;
        return ngx_pos_promotion_script(ctx, ctx->json, out);
    }

    row = pos_arena_zalloc(ctx->arena, sizeof(*row));
    out->documents = pos_arena_printf(ctx->arena, "[%.*s]", (int) ctx->json->text.len, ctx->json->text.data);

    if (row == NULL || out->documents.data == NULL) {
        return POS_NO_MEMORY;
    }

    row->document = ctx->json;
    out->rows = row;
    out->count = out->row_count = 1;

    return ngx_pos_promotion_check(ctx, ctx->json);
}

pos_status_t
ngx_pos_promotion_cases(ngx_pos_ctx_t *ctx, pos_str_t id, const pos_json_t *row, pos_str_t *cases)
{
    uint32_t                 i, count;
    pos_status_t             rc;
    pos_faults_t             faults;
    const pos_json_t        *script = pos_json_get(row, "script");
    pos_script_promotion_t  *made;

    *cases = pos_str("");

    if (script == NULL || script->type != POS_JSON_STRING) {
        return POS_OK;
    }

    pos_faults_init(&faults, ctx->arena);
    rc = pos_script_load(ngx_pos_generation_vm(), script->text, pos_str("promotion"), pos_json_get(row, "settings"),
        pos_str(""), ctx->arena, &faults, &made, &count);

    if (rc != POS_OK) {
        return rc;
    }

    for (i = 0; i < count; i++) {
        if (count == 1 || pos_str_eq(id, made[i].id)) {
            *cases = made[i].cases;
        }

        if (made[i].script != NULL) {
            pos_script_release(made[i].script);
        }
    }

    return POS_OK;
}

void
ngx_pos_promotion_fail(ngx_pos_ctx_t *ctx, pos_status_t rc)
{
    if (rc == POS_INVALID) {
        ngx_pos_problem_faults(ctx, 422, "invalid_promotion",
            "The promotion does not compile; errors[] says where.");
        return;
    }

    if (rc == POS_LIMIT) {
        ngx_pos_problem(ctx, 422, "invalid_promotion", "The script does not keep the limits of a promotion.");
        return;
    }

    ngx_pos_problem_unavailable(ctx, "sandbox_unavailable", "The promotion cannot be compiled now; try again.");
}

/* PUT /v1/promotions/{id}: on to the database with what it came to. */
void
ngx_pos_promotion_prepare(ngx_pos_ctx_t *ctx)
{
    pos_writer_t         w;
    pos_status_t         rc;
    ngx_pos_promotion_t  promotion;

    rc = ngx_pos_promotion_read(ctx, &promotion);

    if (rc != POS_OK) {
        ngx_pos_promotion_fail(ctx, rc);
        return;
    }

    pos_writer_init(&w, ctx->arena, promotion.documents.len + promotion.source.len + 256, NGX_POS_PROMOTION_MAX);
    pos_write_object_begin(&w);
    pos_write_key(&w, "documents");
    pos_write_raw(&w, promotion.documents);
    pos_write_key(&w, "source");

    if (promotion.source.len > 0) {
        pos_write_string(&w, promotion.source);
    } else {
        pos_write_null(&w);
    }

    pos_write_object_end(&w);

    if (w.status != POS_OK) {
        ngx_pos_promotion_fail(ctx, w.status);
        return;
    }

    ctx->prepared = pos_writer_result(&w);
    ngx_pos_request_dispatch(ctx);
}
