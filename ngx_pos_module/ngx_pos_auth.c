/*
 * API keys: Bearer text → SHA-256 → the replica. A key once read is kept with
 * the generation it was read in, so the next request costs one digest and one
 * look-up; a new generation forgets them, and so sees revocations.
 */

#include "ngx_pos_contract.h"
#include "ngx_pos_generation.h"

#define NGX_POS_KEY_SLOTS  1024   /* a power of 2; a full place is replaced */
#define NGX_POS_KEY_MAX    256    /* bytes of a Bearer token */

typedef struct {
    uint8_t       hash[POS_SHA256_SIZE];
    pos_arena_t  *arena;            /* the slot's own; NULL: free */
    ngx_pos_key_t key;
    pos_str_t     json;             /* as in the snapshot: lives as long */
} ngx_pos_key_slot_t;

typedef struct {
    ngx_pos_key_slot_t slots[NGX_POS_KEY_SLOTS];
} ngx_pos_key_cache_t;

static pos_str_t
ngx_pos_key_text(const pos_json_t *json, const char *name)
{
    const pos_json_t *v = pos_json_get(json, name);

    return v != NULL && (v->type == POS_JSON_STRING || v->type == POS_JSON_NUMBER) ? v->text : pos_str("");
}

pos_status_t
ngx_pos_key_decode(pos_str_t text, pos_arena_t *arena, ngx_pos_key_t *out)
{
    pos_status_t      rc;
    pos_json_t       *json;
    pos_faults_t      faults;
    const pos_json_t *scopes, *scope, *v;

    ngx_memzero(out, sizeof(*out));
    pos_faults_init(&faults, arena);

    rc = pos_json_read(ngx_pos_worker.reader, text, arena, &faults, &json);
    if (rc != POS_OK) {
        return rc;
    }

    out->id = ngx_pos_key_text(json, "id");
    out->retailer = ngx_pos_key_text(json, "retailer");
    out->mode = ngx_pos_key_text(json, "mode");
    out->store = ngx_pos_key_text(json, "store");
    out->expires = POS_TIME_MAX;

    v = pos_json_get(json, "expires");
    if (v != NULL && v->type == POS_JSON_STRING && !pos_time_read(v->text, pos_zone_utc(), &out->expires)) {
        return POS_BROKEN;
    }

    v = pos_json_get(json, "revoked");
    out->revoked = v != NULL && v->type == POS_JSON_TRUE;

    scopes = pos_json_get(json, "scopes");
    out->scopes_json = scopes ? scopes->text : pos_str("[]");
    for (scope = scopes ? scopes->first : NULL; scope != NULL; scope = scope->next) {
        ngx_pos_contract_grant(ngx_pos_worker.conf->contract, scope->text, &out->scopes);
    }

    return POS_OK;
}

static void
ngx_pos_key_cache_free(void *data)
{
    ngx_uint_t           i;
    ngx_pos_key_cache_t *cache = data;

    for (i = 0; i < NGX_POS_KEY_SLOTS; i++) {
        if (cache->slots[i].arena != NULL) {
            pos_arena_destroy(cache->slots[i].arena);
        }
    }
}

static ngx_pos_key_cache_t *
ngx_pos_key_cache(ngx_pos_generation_t *generation)
{
    ngx_pool_cleanup_t  *cleanup;
    ngx_pos_key_cache_t *cache = generation->auth;

    if (cache != NULL) {
        return cache;
    }

    cleanup = ngx_pool_cleanup_add(generation->pool, 0);
    cache = ngx_pcalloc(generation->pool, sizeof(ngx_pos_key_cache_t));
    if (cleanup == NULL || cache == NULL) {
        return NULL;
    }

    cleanup->handler = ngx_pos_key_cache_free;
    cleanup->data = cache;
    generation->auth = cache;

    return cache;
}

/* The first `slots` places of a chain belong to requests that may still point
 * into them, so a taken place is never replaced: a key that finds none is read
 * for this request alone. That bounds the cache and keeps pointers true. */
static pos_status_t
ngx_pos_key_find(ngx_pos_ctx_t *ctx, const uint8_t hash[POS_SHA256_SIZE], const ngx_pos_key_t **out)
{
    uint32_t             start, i, no;
    pos_str_t            json;
    pos_status_t         rc;
    ngx_pos_key_t       *key;
    ngx_pos_key_slot_t  *slot = NULL;
    ngx_pos_key_cache_t *cache;

    cache = ngx_pos_key_cache(ctx->generation);
    if (cache == NULL) {
        return POS_NO_MEMORY;
    }

    ngx_memcpy(&start, hash, sizeof(start));

    for (i = 0; i < 4; i++) {
        slot = &cache->slots[(start + i) & (NGX_POS_KEY_SLOTS - 1)];
        if (slot->arena == NULL) {
            break;
        }
        if (ngx_memcmp(slot->hash, hash, POS_SHA256_SIZE) == 0) {
            *out = &slot->key;
            return POS_OK;
        }
    }

    rc = pos_snapshot_key(ctx->generation->snapshot, hash, &no, &json);
    if (rc != POS_OK) {
        return rc;
    }

    if (i < 4) {
        slot->arena = pos_arena_create(2048, 65536);
        if (slot->arena == NULL) {
            return POS_NO_MEMORY;
        }
        if (ngx_pos_key_decode(json, slot->arena, &slot->key) != POS_OK) {
            pos_arena_destroy(slot->arena);
            slot->arena = NULL;
            return POS_BROKEN;
        }
        ngx_memcpy(slot->hash, hash, POS_SHA256_SIZE);
        slot->key.retailer_no = no;
        *out = &slot->key;
        return POS_OK;
    }

    key = pos_arena_alloc(ctx->arena, sizeof(*key));
    if (key == NULL) {
        return POS_NO_MEMORY;
    }
    if (ngx_pos_key_decode(json, ctx->arena, key) != POS_OK) {
        return POS_BROKEN;
    }
    key->retailer_no = no;
    *out = key;

    return POS_OK;
}

static bool
ngx_pos_auth_refuse(ngx_pos_ctx_t *ctx, const char *code, const char *detail)
{
    pos_str_t challenge = ngx_strcmp(code, "key_missing") == 0
        ? pos_str("Bearer realm=\"ngx_pos\"")
        : pos_str("Bearer realm=\"ngx_pos\", error=\"invalid_token\"");

    if (ngx_pos_header(ctx, "WWW-Authenticate", challenge) != NGX_OK) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return false;
    }

    ngx_pos_problem(ctx, NGX_HTTP_UNAUTHORIZED, code, detail);

    return false;
}

bool
ngx_pos_key_may(const ngx_pos_ctx_t *ctx, ngx_uint_t scope)
{
    return ctx->key != NULL && (ctx->key->scopes.bits[scope / 64] >> (scope % 64) & 1);
}

static bool
ngx_pos_auth_scope(ngx_pos_ctx_t *ctx)
{
    pos_str_t detail, scope = ctx->op->scope_name;

    if (!ctx->op->has_scope || ngx_pos_key_may(ctx, ctx->op->scope)) {
        return true;
    }

    detail = pos_arena_printf(ctx->arena, "The key lacks the scope %.*s.", (int) scope.len, scope.data);
    ngx_pos_problem(ctx, NGX_HTTP_FORBIDDEN, "scope_required", detail.data ? detail.data : "");

    return false;
}

bool
ngx_pos_auth(ngx_pos_ctx_t *ctx)
{
    uint8_t              hash[POS_SHA256_SIZE];
    pos_str_t            token;
    pos_status_t         rc;
    ngx_table_elt_t     *header = ctx->request->headers_in.authorization;
    pos_replica_clock_t  clock;

    if (header == NULL || header->value.len <= 7
        || ngx_strncasecmp(header->value.data, (u_char *) "Bearer ", 7) != 0)
    {
        return ngx_pos_auth_refuse(ctx, "key_missing", "Send the API key as: Authorization: Bearer pos_...");
    }

    if (ctx->generation == NULL) {
        ngx_pos_problem_unavailable(ctx, "replica_unavailable", "Keys cannot be checked yet.");
        return false;
    }

    token = pos_str_of((char *) header->value.data + 7, header->value.len - 7);
    while (token.len > 0 && token.data[0] == ' ') {
        token.data++;
        token.len--;
    }

    rc = POS_NOT_FOUND;

    if (token.len <= NGX_POS_KEY_MAX) {
        pos_sha256(token, hash);
        rc = ngx_pos_key_find(ctx, hash, &ctx->key);
    }

    /* A key that cannot be read is not an unknown one: it may be tried again. */
    if (rc != POS_OK && rc != POS_NOT_FOUND) {
        ngx_log_error(NGX_LOG_CRIT, ctx->request->connection->log, 0, "pos: a key cannot be read: status %d, %s",
            (int) rc, pos_replica_error(ngx_pos_generation_replica()));
        ngx_pos_problem_unavailable(ctx, "replica_broken", "Keys cannot be checked now; try again.");
        return false;
    }

    if (rc == POS_NOT_FOUND && !ctx->generation->whole) {
        ngx_pos_problem_unavailable(ctx, "replica_unavailable", "Keys cannot be checked yet.");
        return false;
    }

    if (rc == POS_NOT_FOUND) {
        return ngx_pos_auth_refuse(ctx, "key_unknown", "There is no such API key.");
    }

    if (ctx->key->revoked) {
        ctx->key = NULL;
        return ngx_pos_auth_refuse(ctx, "key_revoked", "This API key was revoked.");
    }

    if (ctx->key->expires != POS_TIME_MAX
        && (pos_replica_clock(ngx_pos_generation_replica(), &clock) != POS_OK || clock.now >= ctx->key->expires))
    {
        ctx->key = NULL;
        return ngx_pos_auth_refuse(ctx, "key_expired", "This API key has expired.");
    }

    return ngx_pos_auth_scope(ctx);
}
