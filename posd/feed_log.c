/*
 * A retailer's log of revisions: proved complete, and the keys that it names.
 */

#include "posd/feed_data.h"

#include <stdio.h>


/* hash(n) = sha256(hash(n-1), n, nonce, sha256(keys), digest). */
static bool
log_chains(const PGresult *r, int row, int64_t rev, uint8_t hash[POS_SHA256_SIZE])
{
    pos_sha256_t ctx;
    uint8_t      n[8], nonce[16], keys[POS_SHA256_SIZE], digest[POS_SHA256_SIZE];
    uint8_t      said[POS_SHA256_SIZE];
    int          i;

    if (!pos_pg_bytes(r, row, 1, said, sizeof(said))
        || !pos_pg_bytes(r, row, 2, nonce, sizeof(nonce))
        || !pos_pg_bytes(r, row, 5, digest, sizeof(digest)))
    {
        return false;
    }

    for (i = 0; i < 8; i++) {
        n[i] = (uint8_t) ((uint64_t) rev >> (56 - 8 * i));
    }

    pos_sha256(pos_pg_value(r, row, 4), keys);
    pos_sha256_init(&ctx);
    pos_sha256_update(&ctx, pos_str_of((const char *) hash, POS_SHA256_SIZE));
    pos_sha256_update(&ctx, pos_str_of((const char *) n, sizeof(n)));
    pos_sha256_update(&ctx, pos_str_of((const char *) nonce, sizeof(nonce)));
    pos_sha256_update(&ctx, pos_str_of((const char *) keys, sizeof(keys)));
    pos_sha256_update(&ctx, pos_str_of((const char *) digest, sizeof(digest)));
    pos_sha256_final(&ctx, hash);
    return memcmp(hash, said, POS_SHA256_SIZE) == 0;
}


static pos_status_t
log_key(pos_feed_t *f, pos_feed_log_t *log, const pos_json_t *pair, pos_writer_t *w)
{
    const pos_json_t *kind = pair->first;
    const pos_json_t *key = kind ? kind->next : NULL;
    pos_str_t         name;
    pos_status_t      status;

    if (pair->type != POS_JSON_ARRAY || key == NULL
        || kind->type != POS_JSON_STRING || key->type != POS_JSON_STRING)
    {
        return POS_INVALID;
    }

    name = pos_arena_printf(f->arena, "%.*s\x1f%.*s", (int) kind->text.len,
                            kind->text.data, (int) key->text.len,
                            key->text.data);
    if (name.data == NULL) {
        return POS_NO_MEMORY;
    }
    if (pos_map_get(&log->keys, name) != NULL) {
        return POS_OK;
    }

    status = pos_map_set(&log->keys, name, log, NULL);
    log->retailer |= pos_str_eq(kind->text, pos_str("retailer"));
    log->places |= pos_str_eq(kind->text, pos_str("store"));
    pos_write_array_begin(w);
    pos_write_string(w, kind->text);
    pos_write_string(w, key->text);
    pos_write_array_end(w);
    return status;
}


static pos_status_t
log_keys(pos_feed_t *f, pos_feed_log_t *log, pos_str_t text, pos_writer_t *w)
{
    pos_faults_t      faults;
    pos_json_t       *root;
    const pos_json_t *pair;
    pos_status_t      status;

    pos_faults_init(&faults, f->arena);
    status = pos_json_read(f->reader, text, f->arena, &faults, &root);
    if (status != POS_OK || root->type != POS_JSON_ARRAY) {
        return status ? status : POS_INVALID;
    }

    for (pair = root->first; status == POS_OK && pair; pair = pair->next) {
        status = log_key(f, log, pair, w);
    }

    return status;
}


/* Rows must follow each other and the chain must end in the head's hash. */
static pos_status_t
log_take(pos_feed_t *f, const pos_head_t *have, pos_feed_log_t *log, const PGresult *r)
{
    pos_writer_t w;
    pos_status_t status;
    uint8_t      hash[POS_SHA256_SIZE];
    int64_t      rev = have->rev;
    int          i;

    memcpy(hash, have->hash, sizeof(hash));
    pos_writer_init(&w, f->arena, 4096, 64 * 1024 * 1024);
    status = pos_map_init(&log->keys, f->arena, 64);
    pos_write_array_begin(&w);

    for (i = 0; status == POS_OK && i < PQntuples(r); i++) {
        if (pos_pg_int(r, i, 0) != ++rev || !log_chains(r, i, rev, hash)) {
            return POS_INVALID;
        }
        log->bulk |= PQgetvalue(r, i, 3)[0] == 't';
        log->source_time = pos_pg_int(r, i, 6);
        status = log_keys(f, log, pos_pg_value(r, i, 4), &w);
    }

    pos_write_array_end(&w);
    if (status != POS_OK || w.status != POS_OK) {
        return status ? status : w.status;
    }
    if (rev != log->rev || memcmp(hash, log->hash, sizeof(hash)) != 0) {
        return POS_INVALID;
    }

    /* libpq takes it as a C string: the writer's bytes have no zero behind them. */
    log->json = pos_arena_str(f->arena, pos_writer_result(&w));
    return log->json.data ? POS_OK : POS_NO_MEMORY;
}


pos_status_t
pos_feed_log_read(pos_feed_t *f, const pos_head_t *have, pos_feed_log_t *log)
{
    char          from[24], to[24];
    const char   *params[] = { log->id, from, to };
    pos_status_t  status;
    PGresult     *r;

    snprintf(from, sizeof(from), "%lld", (long long) have->rev);
    snprintf(to, sizeof(to), "%lld", (long long) log->rev);
    r = pos_pg_query(&f->pg, POS_FEED_TIMEOUT,
        "select rev, hash, nonce, bulk, keys::text, digest,"
        " (extract(epoch from at) * 1000000)::bigint from pos.revision_log"
        " where retailer_id = $1::bigint and rev > $2::bigint"
        " and rev <= $3::bigint order by rev", 3, params);
    if (r == NULL) {
        return POS_FEED_LOST;
    }

    status = log_take(f, have, log, r);
    PQclear(r);
    return status;
}
