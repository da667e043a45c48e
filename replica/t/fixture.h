/*
 * What the tests of the replica share: a directory, samples of what is kept, a
 * writer in a process of its own, and looks at what a reader sees.
 */

#ifndef POS_REPLICA_FIXTURE_H
#define POS_REPLICA_FIXTURE_H

#include <sys/wait.h>
#include <unistd.h>

#include "base/t/tap.h"
#include "replica/reader.h"
#include "replica/sku.h"
#include "replica/writer.h"

static char dir[] = "/tmp/pos-replica-XXXXXX";


static pos_arena_t *arena;


/* A generator of our own: the same run every time. */
static inline uint64_t
chance(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}


static inline pos_product_t
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


/* ---- a writer in a process of its own ---- */

typedef bool (*writer_fn)(pos_replica_writer_t *w, void *arg);

/* Runs `fn` over the directory's writer; 0 is the map's usual size. */
static inline bool
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


static inline pos_revision_t
revision(const char *id, int64_t rev)
{
    pos_revision_t r = { .id = id, .epoch = "e-1", .rev = rev, .source_time = rev * 10 };

    memset(r.hash, (int) rev, sizeof(r.hash));
    return r;
}


static inline pos_row_t
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


/* ---- what is written in more than one place ---- */

#define BULK  20000

static inline bool
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

/* All products of retailer 1 at the amount, beside a revision of retailer 2. */
static inline bool
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

/* A new file, of one product of retailer 9. */
static inline bool
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


/* ---- what a reader sees ---- */

static inline bool
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

/* -1: no such retailer; -2: no such SKU. */
static inline int64_t
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


static inline pos_snapshot_t *
look(pos_replica_t *r)
{
    pos_snapshot_t *s;

    if (pos_snapshot_open(r, &s) != POS_OK) {
        ok(false, "a snapshot opens: %s", pos_replica_error(r));
        exit(1);
    }

    return s;
}


/* ---- a program of tests ---- */

static inline void
replica_begin(void)
{
    arena = pos_arena_create(64 * 1024, 0);
    if (arena == NULL || mkdtemp(dir) == NULL) {
        exit(1);
    }
    setvbuf(stdout, NULL, _IONBF, 0);
}


static inline int
replica_done(void)
{
    const char *args[] = { "rm", "-rf", dir, NULL };

    if (fork() == 0) {
        execvp("rm", (char *const *) args);
        _exit(1);
    }
    wait(NULL);
    pos_arena_destroy(arena);
    return tap_done();
}

#endif
