#define _GNU_SOURCE
/*
 * The replica from both ends: what a writer commits, a reader in another
 * process sees, whole or not at all.
 */

#include <sys/stat.h>

#include "replica/store.h"
#include "replica/t/fixture.h"


/* ---- revisions ---- */

#define KEY_HEX  "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static bool
write_first(pos_replica_writer_t *w, void *arg)
{
    char           name[32];
    pos_revision_t r = revision("1", 1);
    pos_coupon_t   coupon = { .code = pos_str("Save10"), .remaining = -1, .per_customer = 1,
                              .from = POS_TIME_MIN, .until = POS_TIME_MAX };
    uint8_t        buffer[200];
    size_t         len, refused = 0;
    pos_row_t      rows[6];

    (void) arg;
    if (pos_coupon_encode(&coupon, buffer, sizeof(buffer), &len) != POS_OK) {
        return false;
    }

    rows[0] = (pos_row_t) { POS_KIND_RETAILER, pos_str(""), pos_str("{\"code\":\"acme\"}") };
    rows[1] = (pos_row_t) { POS_KIND_STORE, pos_str("london"), pos_str("{\"code\":\"london\"}") };
    rows[2] = (pos_row_t) { POS_KIND_KEY, pos_str(KEY_HEX), pos_str("{\"id\":\"key_1\"}") };
    rows[3] = (pos_row_t) { POS_KIND_COUPON, pos_str("Save10"), pos_str_of((char *) buffer, len) };
    rows[4] = sku_row(name, sizeof(name), 1, 5000);
    rows[5] = (pos_row_t) { POS_KIND_KEY, pos_str("no hash"), pos_str("{}") };
    return pos_writer_clock(w, 1000000, true, POS_REPLICA_FOLLOWING) == POS_OK
           && pos_writer_apply(w, &r, rows, 6, &refused) == POS_OK && refused == 1;
}


static bool
write_price(pos_replica_writer_t *w, void *arg)
{
    const int64_t *amount = arg;
    char           name[32];
    pos_revision_t r = revision("1", pos_writer_head(w, "1")->rev + 1);
    pos_row_t      row = sku_row(name, sizeof(name), 1, *amount);

    return pos_writer_apply(w, &r, &row, 1, NULL) == POS_OK;
}


static bool
write_store(pos_replica_writer_t *w, void *arg)
{
    const char    *json = arg;
    pos_revision_t r = revision("1", pos_writer_head(w, "1")->rev + 1);
    pos_row_t      row = { POS_KIND_STORE, pos_str("london"), pos_str_z(json) };

    return pos_writer_apply(w, &r, &row, 1, NULL) == POS_OK;
}


static void
test_apply(pos_replica_t **replica)
{
    const pos_coupon_t    *coupon;
    pos_replica_t         *r;
    pos_replica_clock_t    clock;
    pos_snapshot_source_t  ctx;
    pos_book_source_t      source;
    pos_snapshot_t        *s, *later;
    pos_head_t             h, h2;
    pos_str_t              json, key, value;
    uint8_t                hash[POS_SHA256_SIZE];
    uint32_t               no;
    int64_t                amount = 4000;

    is_int(pos_replica_open(dir, &r), POS_NOT_FOUND, "no replica yet: not found");
    ok(by_writer(0, write_first, NULL), "a revision is applied; one bad key is refused alone");
    is_int(pos_replica_open(dir, &r), POS_OK, "now it opens");
    *replica = r;

    s = look(r);
    ok(head_of(s, "1", &h), "the retailer is there");
    is_int(h.rev, 1, "at its revision");
    is_int(h.rows[POS_KIND_SKU], 1, "one SKU is counted");
    is_int(price_of(s, "1", "SKU-0000001"), 5000, "its price");
    is_int(price_of(s, "1", "nothing"), -2, "an unknown SKU is not found");

    (void) pos_unhex(pos_str(KEY_HEX), hash);
    is_int(pos_snapshot_key(s, hash, &no, &json), POS_OK, "the key is known by its hash");
    is_str(json, "{\"id\":\"key_1\"}", "with its document");
    hash[0] ^= 1;
    is_int(pos_snapshot_key(s, hash, &no, &json), POS_NOT_FOUND, "another is not");

    pos_snapshot_source(s, &h, &ctx, &source);
    is_int(source.coupon(source.ctx, pos_str("SAVE10"), arena, &coupon), POS_OK, "the coupon, in upper case");
    is_str(coupon->code, "Save10", "has its code as written");
    is_int(source.next(source.ctx, POS_KIND_STORE, NULL, &key, &value), POS_OK, "the first store");
    is_str(key, "london", "by its code");
    is_int(source.next(source.ctx, POS_KIND_STORE, &key, &key, &value), POS_NOT_FOUND, "and no other");

    is_int(pos_replica_clock(r, &clock), POS_OK, "the clock is known");
    ok(clock.now >= 1000000 && clock.now < 61000000 && clock.steady, "and goes on");
    is_int(clock.state, POS_REPLICA_FOLLOWING, "the state is as written");

    ok(!pos_replica_changed(r), "nothing changed");
    ok(by_writer(0, write_price, &amount), "a price changes");
    ok(pos_replica_changed(r), "that is seen");
    is_int(price_of(s, "1", "SKU-0000001"), 5000, "the pinned snapshot has the old price");
    later = look(r);
    is_int(price_of(later, "1", "SKU-0000001"), 4000, "the new one the new");
    ok(head_of(later, "1", &h2) && memcmp(h.small, h2.small, 32) == 0, "nothing to compile for a price");
    pos_snapshot_close(later);

    ok(by_writer(0, write_store, (void *) "{\"code\":\"london\",\"x\":1}"), "a store changes");
    later = look(r);
    ok(head_of(later, "1", &h2) && memcmp(h.small, h2.small, 32) != 0, "the digest tells");
    pos_snapshot_close(later);
    ok(by_writer(0, write_store, (void *) "{\"code\":\"london\"}"), "and back");
    later = look(r);
    ok(head_of(later, "1", &h2) && memcmp(h.small, h2.small, 32) == 0, "the same content, the same digest");
    pos_snapshot_close(later);
    pos_snapshot_close(s);
}


/* ---- bulk ---- */

/* Half of the copy, then it dies. */
static bool
write_bulk_half(pos_replica_writer_t *w, void *arg)
{
    pos_bulk_t *bulk;

    (void) arg;
    return pos_bulk_begin(w, "1", &bulk) == POS_OK && bulk_fill(bulk, 1, BULK / 2);
}


static void
test_bulk(pos_replica_t *r)
{
    pos_snapshot_t *s = look(r), *later;
    pos_head_t      h;
    int64_t         amount = 7000;
    struct stat     st;
    char            path[300];
    int             i;

    ok(by_writer(1 << 18, write_bulk_half, NULL), "half a copy, then the writer is gone; the map grew");
    later = look(r);
    is_int(price_of(later, "1", "SKU-0000001"), 4000, "nothing of it shows");
    pos_snapshot_close(later);

    ok(by_writer(1 << 18, write_bulk, &amount), "a whole copy, beside another retailer's revision");
    is_int(price_of(s, "1", "SKU-0000001"), 4000, "the pinned reader still has the old book, swept as it is");
    later = look(r);
    is_int(price_of(later, "1", "SKU-0000001"), 7000, "a new one all of the new");
    is_int(price_of(later, "1", "SKU-0019999"), 7000, "to the last");
    ok(head_of(later, "1", &h) && h.rev == 7100, "at the copy's revision");
    is_int(h.rows[POS_KIND_SKU], BULK, "all SKUs are counted");
    is_int(h.rows[POS_KIND_STORE], 0, "what the copy had not is gone");
    ok(head_of(later, "2", &h) && h.rev == 7000, "the other retailer moved on");
    pos_snapshot_close(later);
    pos_snapshot_close(s);

    for (i = 0; i < 4; i++) {
        amount++;
        if (!by_writer(0, write_bulk, &amount)) {
            break;
        }
    }
    snprintf(path, sizeof(path), "%s/book.1.mdb", dir);
    ok(i == 4 && stat(path, &st) == 0 && st.st_size < 4 * BULK * 400, "four copies more reuse the room: %lld bytes",
       (long long) st.st_size);
}


/* ---- products asked for again and again ---- */

static const pos_product_t *
product_of(const pos_book_source_t *source, unsigned n)
{
    const pos_product_t *p = NULL;
    char                 name[32];

    snprintf(name, sizeof(name), "SKU-%07u", n);
    return source->product(source->ctx, pos_str_z(name), arena, &p) == POS_OK
           && pos_str_eq(p->sku, pos_str_z(name)) ? p : NULL;
}


static void
test_hot(pos_replica_t *r)
{
    pos_snapshot_t        *s = look(r), *later;
    pos_snapshot_source_t  ctx;
    pos_book_source_t      source;
    const pos_product_t   *first, *kept;
    pos_head_t             h;
    int64_t                amount = 9000, was;
    unsigned               i, wrong = 0, again = 0, seen = 0;

    if (!ok(head_of(s, "1", &h), "a retailer of %u products", BULK)) {
        exit(1);
    }
    pos_snapshot_source(s, &h, &ctx, &source);
    pos_arena_reset(arena);
    first = product_of(&source, 1);
    kept = product_of(&source, 1);
    ok(first && kept && kept != first, "asked for twice, a product is kept by its snapshot");
    pos_arena_reset(arena);
    ok(product_of(&source, 1) == kept && pos_arena_used(arena) == 0, "and handed out again, without the arena");
    was = kept ? kept->prices[0].amount : 0;

    for (i = 0; i < 3 * BULK; i++) {
        const pos_product_t *p = product_of(&source, i / 3);

        wrong += p == NULL || p->prices[0].amount != was;
        pos_arena_reset(arena);
    }
    is_int(wrong, 0, "each is itself, whatever is kept");
    for (i = 0; i < BULK; i++) {
        const pos_product_t *p = product_of(&source, i);

        seen++;
        again += p != NULL && pos_arena_used(arena) == 0;
        pos_arena_reset(arena);
    }
    ok(again > 500 && again <= POS_HOT_SLOTS && pos_arena_held(s->hot->arena) <= POS_HOT_MAX,
       "the table is bounded: %u of %u, %zu bytes", again, seen, pos_arena_held(s->hot->arena));

    ok(by_writer(0, write_bulk, &amount), "all prices change");
    ok(product_of(&source, 1) == kept && kept->prices[0].amount == was, "what was handed out stays with its snapshot");
    later = look(r);
    for (i = 0; i < 3; i++) {
        is_int(price_of(later, "1", "SKU-0000001"), 9000, "a new one has the new price");
        is_int(price_of(later, "2", "SKU-0000001"), -2, "which is not another retailer's");
    }
    pos_snapshot_close(later);
    pos_snapshot_close(s);
}


/* ---- a new file ---- */

static bool
write_rebuild_half(pos_replica_writer_t *w, void *arg)
{
    (void) w;
    (void) arg;
    if (pos_writer_rebuild_begin(w) == POS_OK) {
        _exit(0);      /* as if killed */
    }
    return false;
}


static void
test_rebuild(pos_replica_t *r)
{
    pos_snapshot_t *old = look(r), *s;
    pos_head_t      h;
    int64_t         amount = 31;
    uint32_t        file = pos_snapshot_file(old);

    ok(by_writer(0, write_rebuild_half, NULL), "a rebuild that never ends");
    s = look(r);
    is_int(pos_snapshot_file(s), file, "changes nothing");
    pos_snapshot_close(s);

    ok(by_writer(0, write_rebuild, &amount), "a rebuild that does");
    ok(pos_replica_changed(r), "is noticed");
    s = look(r);
    ok(pos_snapshot_file(s) != file, "a new snapshot is of the new file");
    is_int(price_of(s, "9", "SKU-0000001"), 31, "with what is in it");
    ok(!head_of(s, "1", &h), "and nothing else");
    ok(head_of(old, "1", &h), "the old snapshot still has its book");
    pos_snapshot_close(old);
    pos_snapshot_close(s);
}


/* ---- whole ---- */

static bool
write_whole(pos_replica_writer_t *w, void *arg)
{
    (void) arg;
    return pos_writer_set_whole(w) == POS_OK && pos_writer_set_whole(w) == POS_OK;
}

/* Deletes nothing that is there: what was said stays said for later writers. */
static bool
write_heads_kept(pos_replica_writer_t *w, void *arg)
{
    (void) arg;
    return pos_writer_head(w, "9") != NULL && pos_writer_head_count(w) == 1 && write_whole(w, NULL);
}


static void
test_whole(pos_replica_t *r)
{
    pos_snapshot_t *before = look(r), *s;
    pos_head_t      h;

    ok(!pos_snapshot_whole(before), "a new file is not whole, whatever it holds");
    ok(by_writer(0, write_whole, NULL), "the writer says that it is");
    ok(!pos_snapshot_whole(before), "the snapshot of before is as it was");
    pos_snapshot_close(before);

    ok(by_writer(0, write_heads_kept, NULL), "the mark is no head");
    s = look(r);
    ok(pos_snapshot_whole(s), "a new snapshot says so");
    is_int(pos_snapshot_next_head(s, 0, &h), POS_OK, "its first head");
    is_str(pos_str_z(h.id), "9", "is a retailer's");
    pos_snapshot_close(s);
}


int
main(void)
{
    pos_replica_t *r;

    replica_begin();
    test_apply(&r);
    test_bulk(r);
    test_hot(r);
    test_rebuild(r);
    test_whole(r);
    pos_replica_close(r);
    return replica_done();
}
