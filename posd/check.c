/*
 * The proof by content: every row that the tables say the book has, made into
 * a replica's row by the feed's own code, equals what the replica holds, and
 * it holds nothing else. Both are read at the same revision.
 */

#include <stdio.h>
#include <stdlib.h>

#include "posd/commands.h"
#include "posd/feed.h"

#define CHECK_DEADLINE_US  15000000
#define CHECK_PRINTED_MAX  100

typedef struct {
    pos_pg_t        pg;
    pos_replica_t  *replica;
    pos_snapshot_t *snapshot;
    pos_entities_t *entities;
    uint64_t        rows, differences;
} check_t;


static void
check_differs(check_t *c, const pos_head_t *h, pos_kind_t kind, pos_str_t key,
    const char *how)
{
    if (c->differences++ < CHECK_PRINTED_MAX) {
        printf("retailer %s %s %.*s: %s\n", h->id, pos_kind_name(kind),
               (int) key.len, key.data, how);
    }
}


/* The replica keeps the framed record of these two, and gives its payload. */
static bool
check_same(const pos_row_t *row, pos_str_t stored)
{
    pos_str_t value = row->value;

    if (row->kind == POS_KIND_SKU || row->kind == POS_KIND_COUPON) {
        value = pos_str_of(value.data + 5, value.len - 5);
    }

    return pos_str_eq(value, stored);
}


static void
check_key(check_t *c, const pos_head_t *h, const pos_row_t *row)
{
    uint8_t   hash[POS_SHA256_SIZE];
    pos_str_t json;
    uint32_t  no;

    if (!pos_unhex(row->key, hash)
        || pos_snapshot_key(c->snapshot, hash, &no, &json) != POS_OK
        || no != h->no)
    {
        check_differs(c, h, row->kind, row->key, "is not found by its hash");
    }
}


/* Where the merge of one kind stands in the replica. */
typedef struct {
    pos_kind_t kind;
    char       last[512];
    pos_str_t  after;
    pos_str_t  key, value;
    bool       started, end;
} side_t;


static void
side_next(check_t *c, const pos_head_t *h, side_t *s)
{
    pos_status_t status;

    if (s->started) {
        memcpy(s->last, s->key.data, s->key.len);
        s->after = pos_str_of(s->last, s->key.len);
    }

    status = pos_snapshot_next_row(c->snapshot, h, s->kind,
                                   s->started ? &s->after : NULL, &s->key,
                                   &s->value);
    s->started = true;
    if (status == POS_BROKEN) {
        check_differs(c, h, s->kind, s->key, "is damaged in the replica");
        s->value = pos_str("");
    }
    s->end = status != POS_OK && status != POS_BROKEN;
}


static void
check_row(check_t *c, const pos_head_t *h, const pos_row_t *row, side_t *s)
{
    int order = s->end ? 1 : pos_str_cmp(s->key, row->key);

    c->rows++;
    while (order < 0) {
        check_differs(c, h, s->kind, s->key, "only in the replica");
        side_next(c, h, s);
        order = s->end ? 1 : pos_str_cmp(s->key, row->key);
    }

    if (order > 0) {
        check_differs(c, h, row->kind, row->key, "missing in the replica");
        return;
    }
    if (!check_same(row, s->value)) {
        check_differs(c, h, row->kind, row->key, "differs");
    }
    if (row->kind == POS_KIND_KEY) {
        check_key(c, h, row);
    }
    side_next(c, h, s);
}


static bool
check_kind(check_t *c, const pos_head_t *h, pos_kind_t kind,
    const pos_zone_t *zone)
{
    const pos_row_t *rows;
    PGresult        *r;
    side_t           side = { .kind = kind };
    char             sql[300];
    size_t           i, count;
    bool             more = true;

    snprintf(sql, sizeof(sql), "declare book_check no scroll cursor for"
             " select kind, key, value from pos.%s where retailer_id = %s"
             " and kind = '%s' order by key collate \"C\"",
             kind == POS_KIND_SKU ? "book_sku" : "book_small", h->id,
             pos_kind_name(kind));
    if (!pos_pg_run(&c->pg, POS_FEED_TIMEOUT, sql)) {
        return false;
    }

    side_next(c, h, &side);
    while (more) {
        r = pos_pg_query(&c->pg, POS_FEED_TIMEOUT,
                         "fetch 1000 from book_check", 0, NULL);
        if (r == NULL) {
            return false;
        }

        pos_entities_reset(c->entities);
        for (i = 0; i < (size_t) PQntuples(r); i++) {
            if (pos_entities_add(c->entities, h->id,
                                 pos_pg_value(r, (int) i, 0),
                                 pos_pg_value(r, (int) i, 1),
                                 pos_pg_value(r, (int) i, 2), zone) != POS_OK)
            {
                PQclear(r);
                return false;
            }
        }

        more = PQntuples(r) > 0;
        PQclear(r);
        rows = pos_entities_rows(c->entities, &count);
        for (i = 0; i < count; i++) {
            /* One that cannot be read is rightly not in the replica. */
            if (rows[i].value.data != NULL) {
                check_row(c, h, &rows[i], &side);
            }
        }
    }

    for (; !side.end; side_next(c, h, &side)) {
        check_differs(c, h, kind, side.key, "only in the replica");
    }

    return pos_pg_run(&c->pg, POS_FEED_TIMEOUT, "close book_check");
}


/* Zones in use must be there; ones that are used no more may stay. */
static bool
check_zones(check_t *c, const pos_head_t *h)
{
    pos_book_source_t      source;
    pos_snapshot_source_t  ctx;
    const pos_row_t       *rows;
    pos_str_t              key, value, before;
    char                   name[80];
    size_t                 i, count;

    pos_entities_reset(c->entities);
    if (pos_feed_add_zones(&c->pg, h->id, c->entities) != POS_OK) {
        return false;
    }

    pos_snapshot_source(c->snapshot, h, &ctx, &source);
    rows = pos_entities_rows(c->entities, &count);
    for (i = 0; i < count; i++) {
        /* The greatest name below this one's: it is what comes next. */
        memcpy(name, rows[i].key.data, rows[i].key.len);
        name[rows[i].key.len - 1]--;
        before = pos_str_of(name, rows[i].key.len);
        do {
            if (source.next(source.ctx, POS_KIND_ZONE, &before, &key, &value)
                != POS_OK)
            {
                key = pos_str("");
                break;
            }
            before = key;
        } while (pos_str_cmp(key, rows[i].key) < 0);

        c->rows++;
        if (!pos_str_eq(key, rows[i].key)) {
            check_differs(c, h, POS_KIND_ZONE, rows[i].key, "missing in the replica");
        } else if (!pos_str_eq(value, rows[i].value)) {
            check_differs(c, h, POS_KIND_ZONE, rows[i].key, "differs");
        }
    }

    return true;
}


static bool
check_retailer(check_t *c, const pos_head_t *h)
{
    const pos_zone_t *zone;
    uint64_t          rows = c->rows, differences = c->differences;
    unsigned          kind;
    bool              ok;

    if (!pos_feed_enter(&c->pg, h->id)) {
        return false;
    }

    zone = pos_feed_zone(&c->pg, h->id, c->entities, &ok);
    for (kind = 0; ok && kind < POS_KIND_COUNT; kind++) {
        ok = kind == POS_KIND_ZONE ? check_zones(c, h)
                                   : check_kind(c, h, (pos_kind_t) kind, zone);
    }
    if (!ok) {
        return false;
    }

    printf("retailer %s at revision %lld: %llu rows, %llu differences\n", h->id,
           (long long) h->rev, (unsigned long long) (c->rows - rows),
           (unsigned long long) (c->differences - differences));
    return true;
}


static bool
snapshot_has(pos_snapshot_t *s, const char *id, int64_t rev, const uint8_t *hash,
    pos_head_t *out)
{
    uint32_t after = 0;

    while (pos_snapshot_next_head(s, after, out) == POS_OK) {
        if (strcmp(out->id, id) == 0) {
            return out->rev == rev && memcmp(out->hash, hash, 32) == 0;
        }
        after = out->no;
    }

    return false;
}


static size_t
snapshot_heads(pos_snapshot_t *s)
{
    pos_head_t h;
    uint32_t   after = 0;
    size_t     n = 0;

    while (pos_snapshot_next_head(s, after, &h) != POS_NOT_FOUND) {
        after = h.no;
        n++;
    }

    return n;
}


/* All heads equal in both: then what is behind them must be too. */
static bool
check_heads_equal(check_t *c, PGresult *r)
{
    pos_head_t h;
    uint8_t    hash[POS_SHA256_SIZE];
    int        i;

    for (i = 0; i < PQntuples(r); i++) {
        if (!pos_pg_bytes(r, i, 2, hash, sizeof(hash))
            || !snapshot_has(c->snapshot, PQgetvalue(r, i, 0),
                             pos_pg_int(r, i, 1), hash, &h))
        {
            snprintf(c->pg.error, sizeof(c->pg.error),
                     "retailer %s does not stand at the database's revision %s",
                     PQgetvalue(r, i, 0), PQgetvalue(r, i, 1));
            return false;
        }
    }

    return snapshot_heads(c->snapshot) == (size_t) PQntuples(r);
}


/* Both sides at the same heads, within the deadline. */
static PGresult *
check_align(check_t *c)
{
    int64_t   until = pos_now() + CHECK_DEADLINE_US;
    PGresult *r;

    while (!pos_stop && pos_now() < until) {
        if (!pos_pg_run(&c->pg, POS_FEED_TIMEOUT,
                        "begin isolation level repeatable read read only"))
        {
            return NULL;
        }

        r = pos_pg_query(&c->pg, POS_FEED_TIMEOUT,
            "select retailer_id, rev, hash from pos.book_heads()", 0, NULL);
        if (r == NULL || pos_snapshot_open(c->replica, &c->snapshot) != POS_OK) {
            PQclear(r);
            return NULL;
        }
        if (check_heads_equal(c, r)) {
            return r;
        }

        PQclear(r);
        pos_snapshot_close(c->snapshot);
        c->snapshot = NULL;
        if (!pos_pg_run(&c->pg, POS_FEED_TIMEOUT, "rollback")) {
            return NULL;
        }
        pos_wait(-1, 100000);
    }

    return NULL;
}


static bool
check_all(check_t *c)
{
    pos_head_t h;
    PGresult  *r = check_align(c);
    uint32_t   after = 0;
    bool       ok = true;

    if (r == NULL) {
        return false;
    }

    while (ok && pos_snapshot_next_head(c->snapshot, after, &h) == POS_OK) {
        ok = check_retailer(c, &h);
        after = h.no;
    }

    PQclear(r);
    return ok;
}


int
pos_command_check(const pos_options_t *o)
{
    check_t c = { 0 };
    bool    ok = false;

    c.entities = pos_entities_create();
    if (c.entities == NULL || pos_replica_open(o->replica, &c.replica) != POS_OK)
    {
        printf("the replica cannot be read: %s\n", pos_replica_error(NULL));
        pos_entities_destroy(c.entities);
        return 1;
    }

    if (pos_pg_connect(&c.pg, o->database, "posd check", 10000000) == POS_OK) {
        ok = check_all(&c);
    }
    if (!ok) {
        printf("not checked: %s\n", c.pg.error);
    }

    pos_snapshot_close(c.snapshot);
    pos_replica_close(c.replica);
    pos_pg_close(&c.pg);
    pos_entities_destroy(c.entities);
    return ok && c.differences == 0 ? 0 : 1;
}
