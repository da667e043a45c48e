#define _GNU_SOURCE
/*
 * The replica from both ends: what a writer commits, a reader in another
 * process sees, whole or not at all, whatever is killed or damaged.
 */

#include "base/t/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "replica/reader.h"
#include "replica/sku.h"
#include "replica/store.h"
#include "replica/writer.h"

static char dir[] = "/tmp/pos-replica-XXXXXX";
static pos_arena_t *arena;


/* A generator of our own: the same run every time. */
static uint64_t
chance(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}


static pos_product_t
sample(const char *sku, int64_t amount)
{
    static const pos_str_t       categories[] = { { "shoes", 5 }, { "boots", 5 } };
    static const pos_attribute_t attributes[] = { { { "colour", 6 }, { "red", 3 } } };
    static const pos_fee_t       fees[] = { { { "bag", 3 }, 25, { "standard", 8 } } };
    static pos_price_t           prices[4];
    pos_product_t                p = { 0 };

    prices[0] = (pos_price_t) { pos_str("base"), amount, 1000, POS_TIME_MIN, POS_TIME_MAX, false };
    prices[1] = (pos_price_t) { pos_str("base"), amount / 2, 1000, 1700000000000000, POS_TIME_MAX, true };
    prices[2] = (pos_price_t) { pos_str("staff"), amount - 1, 12500, POS_TIME_MIN, 1800000000000000, false };
    prices[3] = (pos_price_t) { pos_str("base"), amount / 3, 10000, POS_TIME_MIN, POS_TIME_MAX, false };
    p.sku = pos_str_z(sku);
    p.name = pos_str("A boot that is red");
    p.brand = pos_str("b");
    p.tax_category = pos_str("standard");
    p.unit = pos_str("each");
    p.has_cost = true;
    p.cost = 2100;
    p.weight_grams = 900;
    p.categories = categories;
    p.category_count = 2;
    p.attributes = attributes;
    p.attribute_count = 1;
    p.fees = fees;
    p.fee_count = 1;
    p.prices = prices;
    p.price_count = 4;
    return p;
}


static bool
same_product(const pos_product_t *a, const pos_product_t *b)
{
    uint32_t i;

    if (!pos_str_eq(a->sku, b->sku) || !pos_str_eq(a->name, b->name)
        || !pos_str_eq(a->brand, b->brand) || !pos_str_eq(a->unit, b->unit)
        || !pos_str_eq(a->tax_category, b->tax_category)
        || a->measured != b->measured || a->has_cost != b->has_cost
        || a->cost != b->cost || a->min_price != b->min_price
        || a->weight_grams != b->weight_grams
        || a->category_count != b->category_count || a->tag_count != b->tag_count
        || a->attribute_count != b->attribute_count
        || a->fee_count != b->fee_count || a->price_count != b->price_count)
    {
        return false;
    }

    for (i = 0; i < a->price_count; i++) {
        if (!pos_str_eq(a->prices[i].list, b->prices[i].list)
            || a->prices[i].amount != b->prices[i].amount
            || a->prices[i].min_quantity != b->prices[i].min_quantity
            || a->prices[i].from != b->prices[i].from
            || a->prices[i].until != b->prices[i].until
            || a->prices[i].sale != b->prices[i].sale)
        {
            return false;
        }
    }

    return pos_str_eq(a->categories[1], b->categories[1])
           && pos_str_eq(a->attributes[0].value, b->attributes[0].value)
           && a->fees[0].amount == b->fees[0].amount;
}


/* ---- the record ---- */

static void
test_record(void)
{
    const pos_product_t *out;
    pos_product_t        p = sample("S1", 4999);
    pos_str_t            payload;
    uint8_t              buffer[2048];
    size_t               len;
    struct timespec      a, b;
    int                  i;

    is_int(pos_sku_encode(&p, buffer, sizeof(buffer), &len), POS_OK, "a product is encoded");
    ok(len < 350, "its record with four prices is small: %zu bytes", len);
    ok(pos_frame_open(pos_str_of((char *) buffer, len), &payload), "the frame opens");
    is_int(pos_sku_decode(payload, arena, &out), POS_OK, "it decodes");
    ok(same_product(&p, out), "to the same product");

    p.unit = pos_str("metre");
    p.measured = true;
    p.min_price = 5;
    p.has_cost = false;
    p.cost = 0;
    is_int(pos_sku_encode(&p, buffer, sizeof(buffer), &len), POS_OK, "another unit, too");
    ok(pos_frame_open(pos_str_of((char *) buffer, len), &payload)
       && pos_sku_decode(payload, arena, &out) == POS_OK && same_product(&p, out),
       "is the same again");
    is_int(pos_sku_encode(&p, buffer, 40, &len), POS_LIMIT, "no room: a limit, not an overrun");

    p = sample("S1", 4999);
    is_int(pos_sku_encode(&p, buffer, sizeof(buffer), &len), POS_OK, "encoded");
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (i = 0; i < 200000; i++) {
        if ((i & 63) == 0) {
            pos_arena_reset(arena);
        }
        if (!pos_frame_open(pos_str_of((char *) buffer, len), &payload)
            || pos_sku_decode(payload, arena, &out) != POS_OK)
        {
            break;
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    is_int(i, 200000, "decoded 200,000 times");
    printf("# %lld ns to check and decode a record of four prices\n",
           (long long) ((b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec) / i);
}


/* With a right checksum, so that the decoder itself sees the damage. */
static void
test_record_damaged(void)
{
    const pos_product_t *out;
    pos_product_t        p = sample("S1", 4999);
    pos_str_t            payload;
    uint8_t              buffer[2048], copy[2048];
    uint64_t             seed = 42;
    size_t               len, n, i;
    unsigned             round, refused = 0, opened = 0;

    is_int(pos_sku_encode(&p, buffer, sizeof(buffer), &len), POS_OK, "encoded");
    for (i = 0; i < 8 * len; i++) {
        memcpy(copy, buffer, len);
        copy[i / 8] ^= (uint8_t) (1 << (i % 8));
        opened += pos_frame_open(pos_str_of((char *) copy, len), &payload);
    }
    is_int(opened, 0, "every single flipped bit is noticed");

    for (round = 0; round < 200000; round++) {
        memcpy(copy, buffer, len);
        n = chance(&seed) % 4 == 0 ? 5 + chance(&seed) % (len - 5) : len;
        for (i = chance(&seed) % 6; i > 0; i--) {
            copy[5 + chance(&seed) % (len - 5)] = (uint8_t) chance(&seed);
        }
        pos_arena_reset(arena);
        refused += pos_sku_decode(pos_str_of((char *) copy + 5, n - 5), arena, &out) != POS_OK;
    }
    ok(refused > 1000, "200,000 damaged records, %u refused, no crash", refused);
}


/* ---- a writer in a process of its own ---- */

typedef bool (*writer_fn)(pos_replica_writer_t *w, void *arg);

static bool
by_writer(size_t map, writer_fn fn, void *arg)
{
    pos_replica_writer_t *w;
    int                   status = 1;
    pid_t                 pid = fork();

    if (pid == 0) {
        if (pos_writer_open(dir, map, &w) != POS_OK) {
            printf("# %s\n", pos_writer_error(NULL));
            _exit(2);
        }
        if (!fn(w, arg)) {
            printf("# %s\n", pos_writer_error(w));
            fflush(stdout);
            _exit(1);
        }
        pos_writer_close(w);
        _exit(0);
    }

    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}


static pos_revision_t
revision(const char *id, int64_t rev)
{
    pos_revision_t r = { .id = id, .epoch = "e-1", .rev = rev, .source_time = rev * 10 };

    memset(r.hash, (int) rev, sizeof(r.hash));
    return r;
}


static pos_row_t
sku_row(char *name, size_t size, unsigned n, int64_t amount)
{
    static uint8_t buffers[64][512];
    static unsigned next;
    uint8_t        *buffer = buffers[next++ % 64];
    pos_product_t   p;
    size_t          len = 0;

    snprintf(name, size, "SKU-%07u", n);
    p = sample(name, amount);
    if (pos_sku_encode(&p, buffer, 512, &len) != POS_OK) {
        len = 0;
    }
    return (pos_row_t) { POS_KIND_SKU, pos_str_z(name), pos_str_of((char *) buffer, len) };
}


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


static bool
head_of(pos_snapshot_t *s, const char *id, pos_head_t *out)
{
    uint32_t after = 0;

    while (pos_snapshot_next_head(s, after, out) == POS_OK) {
        if (strcmp(out->id, id) == 0) {
            return true;
        }
        after = out->no;
    }

    return false;
}


static int64_t
price_of(pos_snapshot_t *s, const char *id, const char *sku)
{
    const pos_product_t   *p;
    pos_snapshot_source_t  ctx;
    pos_book_source_t      source;
    pos_head_t             h;

    if (!head_of(s, id, &h)) {
        return -1;
    }

    pos_snapshot_source(s, &h, &ctx, &source);
    pos_arena_reset(arena);
    return source.product(source.ctx, pos_str_z(sku), arena, &p) == POS_OK ? p->prices[0].amount : -2;
}


static pos_snapshot_t *
look(pos_replica_t *r)
{
    pos_snapshot_t *s;

    if (pos_snapshot_open(r, &s) != POS_OK) {
        ok(false, "a snapshot opens: %s", pos_replica_error(r));
        exit(1);
    }

    return s;
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

#define BULK  20000

static bool
bulk_fill(pos_bulk_t *bulk, int64_t amount, unsigned count)
{
    char      names[50][32];
    pos_row_t rows[50];
    unsigned  i, j;

    for (i = 0; i < count; i += 50) {
        for (j = 0; j < 50; j++) {
            rows[j] = sku_row(names[j], sizeof(names[j]), i + j, amount);
        }
        if (pos_bulk_put(bulk, rows, 50, NULL) != POS_OK) {
            return false;
        }
    }

    return true;
}


/* Half of the copy, then it dies. */
static bool
write_bulk_half(pos_replica_writer_t *w, void *arg)
{
    pos_bulk_t *bulk;

    (void) arg;
    return pos_bulk_begin(w, "1", &bulk) == POS_OK && bulk_fill(bulk, 1, BULK / 2);
}


static bool
write_bulk(pos_replica_writer_t *w, void *arg)
{
    const int64_t *amount = arg;
    pos_revision_t r = revision("1", 100 + *amount), other = revision("2", *amount);
    pos_row_t      row = { POS_KIND_RETAILER, pos_str(""), pos_str("{}") };
    pos_bulk_t    *bulk;
    pos_status_t   status;

    if (pos_bulk_begin(w, "1", &bulk) != POS_OK || !bulk_fill(bulk, *amount, BULK)
        || pos_writer_apply(w, &other, &row, 1, NULL) != POS_OK
        || pos_bulk_put(bulk, &row, 1, NULL) != POS_OK
        || pos_bulk_reveal(bulk, &r) != POS_OK)
    {
        return false;
    }

    while ((status = pos_writer_sweep(w, 1000)) == POS_AGAIN) { /* void */ }
    return status == POS_OK;
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


/* ---- killed at any instant ---- */

static void
run_until_killed(void)
{
    pos_replica_writer_t *w;
    int64_t               n;
    char                  names[20][32];
    pos_row_t             rows[20];
    unsigned              j;
    pos_revision_t        r;

    if (pos_writer_open(dir, 0, &w) != POS_OK) {
        _exit(1);
    }
    for (n = pos_writer_head(w, "3") ? pos_writer_head(w, "3")->rev + 1 : 1;; n++) {
        for (j = 0; j < 20; j++) {
            rows[j] = sku_row(names[j], sizeof(names[j]), j, n);
        }
        r = revision("3", n);
        if (pos_writer_apply(w, &r, rows, 20, NULL) != POS_OK) {
            _exit(1);
        }
    }
}


static void
test_killed(pos_replica_t *r)
{
    pos_snapshot_t *s;
    pos_head_t      h;
    uint64_t        seed = 7;
    int64_t         last = 0;
    unsigned        round, j, torn = 0, behind = 0;
    char            name[32];
    struct timespec pause = { 0, 0 };
    pid_t           pid;

    for (round = 0; round < 40; round++) {
        pid = fork();
        if (pid == 0) {
            run_until_killed();
        }
        pause.tv_nsec = (long) (2000000 + chance(&seed) % 20000000);
        nanosleep(&pause, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);

        s = look(r);
        if (head_of(s, "3", &h)) {
            behind += h.rev < last;
            last = h.rev;
            for (j = 0; j < 20; j++) {
                snprintf(name, sizeof(name), "SKU-%07u", j);
                torn += price_of(s, "3", name) != h.rev;
            }
        }
        pos_snapshot_close(s);
    }

    ok(last > 0, "killed 40 times, %lld revisions were written", (long long) last);
    is_int(torn, 0, "never half a revision");
    is_int(behind, 0, "never a step back");
}


/* ---- a new file ---- */

static bool
write_rebuild(pos_replica_writer_t *w, void *arg)
{
    const int64_t *amount = arg;
    char           name[32];
    pos_revision_t r = revision("9", 1);
    pos_row_t      row = sku_row(name, sizeof(name), 1, *amount);

    return pos_writer_rebuild_begin(w) == POS_OK && pos_writer_head(w, "1") == NULL
           && pos_writer_apply(w, &r, &row, 1, NULL) == POS_OK
           && pos_writer_rebuild_switch(w) == POS_OK;
}


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


/* ---- damage ---- */

/* Flips a byte in the middle of the SKU's value, within the file. */
static bool
damage(const char *path, const char *needle)
{
    static char bytes[1 << 22];
    ssize_t     n;
    char       *at, *from = bytes;
    unsigned    hits = 0;
    int         fd = open(path, O_RDWR);

    n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
    while (n > 0 && (at = memmem(from, (size_t) (bytes + n - from), needle, strlen(needle))) != NULL) {
        at[3] ^= 0x20;
        hits += pwrite(fd, at + 3, 1, at + 3 - bytes) == 1;
        from = at + 4;
    }
    if (fd >= 0) {
        close(fd);
    }

    return hits > 0;
}


static void
test_damage(pos_replica_t *r)
{
    pos_replica_faults_t faults;
    pos_snapshot_t      *s = look(r);
    char                 path[300];

    snprintf(path, sizeof(path), "%s/book.%u.mdb", dir, (unsigned) pos_snapshot_file(s));
    ok(damage(path, "A boot that is red"), "a value is damaged in the file");
    is_int(price_of(s, "9", "SKU-0000001"), -2, "it is refused");
    pos_replica_faults(r, &faults);
    is_int((int64_t) faults.damaged, 1, "and counted");
    is_str(pos_str_z(faults.key), "SKU-0000001", "by name");
    pos_snapshot_close(s);
}


/* A file that is no database any more: a new one is begun. */
static bool
write_nothing(pos_replica_writer_t *w, void *arg)
{
    (void) arg;
    return pos_writer_head_count(w) == 0;
}


static void
test_wrecked(void)
{
    char     path[300];
    uint32_t number = 0;
    int      fd;

    is_int(pos_store_current(dir, &number), POS_OK, "the current file");
    snprintf(path, sizeof(path), "%s/book.%u.mdb", dir, (unsigned) number);
    fd = open(path, O_WRONLY);
    ok(fd >= 0 && pwrite(fd, "wreckwreckwreckwreckwreckwreckwreck", 35, 0) == 35
       && pwrite(fd, "wreckwreckwreckwreckwreckwreckwreck", 35, 4096) == 35, "is wrecked");
    close(fd);
    ok(by_writer(0, write_nothing, NULL), "a writer begins an empty one");
    ok(pos_store_current(dir, &number) == POS_OK && access(path, F_OK) != 0, "under a new name");
}


int
main(void)
{
    pos_replica_t *r;

    arena = pos_arena_create(64 * 1024, 0);
    if (arena == NULL || mkdtemp(dir) == NULL) {
        return 1;
    }

    setvbuf(stdout, NULL, _IONBF, 0);
    test_record();
    test_record_damaged();
    test_apply(&r);
    test_bulk(r);
    test_hot(r);
    test_killed(r);
    test_rebuild(r);
    test_whole(r);
    test_damage(r);
    pos_replica_close(r);
    test_wrecked();

    const char *args[] = { "rm", "-rf", dir, NULL };
    if (fork() == 0) {
        execvp("rm", (char *const *) args);
        _exit(1);
    }
    wait(NULL);
    pos_arena_destroy(arena);
    return tap_done();
}
