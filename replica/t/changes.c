#define _GNU_SOURCE
/*
 * What changed since: a reader that has a revision before is told which promotions, over
 * as many revisions as are kept; and where that is not known it is told so, never less
 * than there was.
 */

#include "replica/changes.h"
#include "replica/t/fixture.h"

#define PROMOTION(key, text)  { POS_KIND_PROMOTION, pos_str(key), pos_str(text) }
#define GONE(key)             { POS_KIND_PROMOTION, pos_str(key), { NULL, 0 } }


typedef struct {
    const pos_row_t *rows;
    size_t           count;
} batch_t;


static bool
write_batch(pos_replica_writer_t *w, void *arg)
{
    const batch_t    *b = arg;
    const pos_head_t *h = pos_writer_head(w, "1");
    pos_revision_t    r = revision("1", h != NULL ? h->rev + 1 : 1);

    return pos_writer_apply(w, &r, b->rows, b->count, NULL) == POS_OK;
}


static void
apply(const pos_row_t *rows, size_t count)
{
    batch_t b = { rows, count };

    if (!by_writer(0, write_batch, &b)) {
        ok(false, "a revision is applied");
        exit(1);
    }
}
#define APPLY(...)  apply((const pos_row_t[]) { __VA_ARGS__ }, sizeof((const pos_row_t[]) { __VA_ARGS__ }) / sizeof(pos_row_t))


static pos_head_t
head_now(pos_replica_t *r)
{
    pos_snapshot_t *s = look(r);
    pos_head_t      h;

    if (!head_of(s, "1", &h)) {
        exit(1);
    }
    pos_snapshot_close(s);
    return h;
}


/* The keys with spaces between; "?": not known. */
static const char *
since(pos_replica_t *r, const pos_head_t *before)
{
    static char      text[400];
    pos_snapshot_t  *s = look(r);
    const pos_str_t *keys;
    pos_head_t       h;
    pos_status_t     status;
    uint32_t         count;
    size_t           at = 0;

    pos_arena_reset(arena);
    status = head_of(s, "1", &h) ? pos_snapshot_changes(s, &h, before->small, arena, &keys, &count) : POS_BROKEN;
    snprintf(text, sizeof(text), "%s", status == POS_NOT_FOUND ? "?" : status == POS_OK ? "" : "failed");
    for (uint32_t i = 0; status == POS_OK && i < count && at < sizeof(text) - 100; i++) {
        at += (size_t) snprintf(text + at, sizeof(text) - at, "%s%.*s", i ? " " : "", (int) keys[i].len, keys[i].data);
    }
    pos_snapshot_close(s);
    return text;
}


static void
is_since(pos_replica_t *r, const pos_head_t *before, const char *expected, const char *what)
{
    is_str(pos_str_z(since(r, before)), expected, "%s", what);
}


static void
test_followed(pos_replica_t *r, pos_head_t heads[4])
{
    char       name[32];
    pos_head_t nobody = { 0 };

    heads[1] = head_now(r);
    is_since(r, &heads[1], "", "nothing since itself");
    APPLY(PROMOTION("a", "{\"v\":2}"));
    heads[2] = head_now(r);
    is_since(r, &heads[1], "a", "one promotion");
    APPLY(GONE("b"), PROMOTION("c", "{}"), GONE("never"));
    heads[3] = head_now(r);
    is_since(r, &heads[1], "a b c", "over two revisions, what went and what came; what never was is no change");
    is_since(r, &heads[2], "b c", "since the one between");
    APPLY(PROMOTION("c", "{}"));
    APPLY(sku_row(name, sizeof(name), 1, 100));
    is_since(r, &heads[3], "", "the same again, and a price: nothing to compile");
    APPLY(PROMOTION("a", "{\"v\":3}"));
    APPLY(PROMOTION("a", "{\"v\":4}"));
    is_since(r, &heads[3], "a", "twice the same one: told once");
    APPLY(PROMOTION("a", "{\"v\":2}"));
    is_since(r, &heads[3], "", "what it was before is no change at all");
    is_since(r, &heads[2], "a b c", "on the way from further back it is looked at again");
    is_since(r, &nobody, "?", "what was never here is not known");
}


static void
test_not_known(pos_replica_t *r)
{
    static pos_row_t many[600];
    static char      names[600][40];
    pos_head_t       before = head_now(r), between, after;

    APPLY({ POS_KIND_STORE, pos_str("s"), pos_str("{}") });
    between = head_now(r);
    APPLY(PROMOTION("d", "{}"));
    is_since(r, &before, "?", "a store too: that is not followed");
    is_since(r, &between, "d", "but what came after it is");

    before = head_now(r);
    for (size_t i = 0; i < 600; i++) {
        snprintf(names[i], sizeof(names[i]), "a-promotion-with-a-long-name-%zu", i);
        many[i] = (pos_row_t) { POS_KIND_PROMOTION, pos_str_z(names[i]), pos_str("{}") };
    }
    apply(many, 600);
    after = head_now(r);
    APPLY(PROMOTION("e", "{}"));
    is_since(r, &before, "?", "a revision too big to list is not followed");
    is_since(r, &after, "e", "but what came after it is");
}


static bool
write_many(pos_replica_writer_t *w, void *arg)
{
    char text[40];

    for (int i = 0; i < *(int *) arg; i++) {
        pos_revision_t r = revision("1", pos_writer_head(w, "1")->rev + 1);
        pos_row_t      row = PROMOTION("f", "");

        row.value = pos_str_of(text, (size_t) snprintf(text, sizeof(text), "{\"v\":%d}", *(int *) arg * 1000 + i));
        if (pos_writer_apply(w, &r, &row, 1, NULL) != POS_OK) {
            return false;
        }
    }
    return true;
}


static size_t
records(pos_replica_t *r)
{
    pos_snapshot_t *s = look(r);
    MDB_stat        stat = { 0 };

    if (mdb_stat(s->txn, s->book->change, &stat) != 0) {
        exit(1);
    }
    pos_snapshot_close(s);
    return stat.ms_entries;
}


static void
test_bounded(pos_replica_t *r)
{
    pos_head_t first = head_now(r), later;
    int        some = 100, rest = POS_CHANGES_KEPT - 10;

    ok(by_writer(0, write_many, &some), "a hundred revisions");
    later = head_now(r);
    is_since(r, &first, "f", "are followed");
    ok(by_writer(0, write_many, &rest), "and so many more that the first ones are not kept");
    is_since(r, &first, "?", "who is so far behind is not told");
    is_since(r, &later, "f", "who is less so, is");
    is_int((int64_t) records(r), POS_CHANGES_KEPT, "no more than so many are kept");
}


static bool
write_damage(pos_replica_writer_t *w, void *arg)
{
    uint8_t  bytes[POS_CHANGES_KEY];
    MDB_val  key = pos_store_val(bytes, sizeof(bytes)), value = pos_store_val("damaged", 7);
    MDB_txn *txn;

    (void) arg;
    pos_changes_key(bytes, pos_writer_head(w, "1")->no, pos_writer_head(w, "1")->generation,
        (uint64_t) pos_writer_head(w, "1")->rev);
    return mdb_txn_begin(w->book.env, NULL, 0, &txn) == 0 && mdb_put(txn, w->book.change, &key, &value, 0) == 0
           && mdb_txn_commit(txn) == 0;
}


static void
test_damaged(pos_replica_t *r)
{
    pos_head_t           before = head_now(r), after;
    pos_replica_faults_t faults;

    APPLY(PROMOTION("g", "{}"));
    after = head_now(r);
    ok(by_writer(0, write_damage, NULL), "its record is damaged");
    is_since(r, &before, "?", "nothing is taken from it");
    pos_replica_faults(r, &faults);
    is_int((int64_t) faults.damaged, 1, "and it is counted");
    APPLY(PROMOTION("h", "{}"));
    is_since(r, &after, "h", "the next is sound");
}


static void
test_copied(pos_replica_t *r)
{
    pos_head_t before = head_now(r);
    int64_t    amount = 5000;

    ok(by_writer(0, write_bulk, &amount), "the retailer is copied in bulk");
    is_since(r, &before, "?", "that is not followed");
    is_int((int64_t) records(r), 1, "and what led to the copy is not kept: the other retailer's first remains");
    before = head_now(r);
    APPLY(PROMOTION("i", "{}"));
    is_since(r, &before, "i", "what comes after it is");
}


/* As a writer leaves it that knows nothing of changes. */
static bool
write_without(pos_replica_writer_t *w, void *arg)
{
    MDB_txn *txn;

    (void) arg;
    return mdb_txn_begin(w->book.env, NULL, 0, &txn) == 0 && mdb_drop(txn, w->book.change, 1) == 0
           && mdb_txn_commit(txn) == 0;
}


static void
test_older_file(void)
{
    pos_head_t     before;
    pos_replica_t *r;

    ok(by_writer(0, write_without, NULL), "a file of before there were changes");
    if (!ok(pos_replica_open(dir, &r) == POS_OK, "opens")) {
        return;
    }
    before = head_now(r);
    is_since(r, &before, "?", "and tells nothing");
    APPLY(PROMOTION("j", "{}"));
    is_since(r, &before, "j", "until a writer of today has it, without another opening");
    pos_replica_close(r);
}


int
main(void)
{
    pos_head_t     heads[4];
    pos_replica_t *r;

    replica_begin();
    APPLY({ POS_KIND_RETAILER, pos_str(""), pos_str("{}") }, PROMOTION("a", "{\"v\":1}"), PROMOTION("b", "{}"));
    if (!ok(pos_replica_open(dir, &r) == POS_OK, "a replica")) {
        return replica_done();
    }
    test_followed(r, heads);
    test_not_known(r);
    test_bounded(r);
    test_damaged(r);
    test_copied(r);
    pos_replica_close(r);
    test_older_file();
    return replica_done();
}
