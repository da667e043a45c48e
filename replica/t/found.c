/*
 * The table of rows found: bounded, never one retailer's row for another, and
 * no harm where two products share an entry.
 */

#include <stdio.h>
#include <unistd.h>

#include "base/t/tap.h"
#include "replica/found.h"

#define HASH  UINT64_C(0xabcdef0123456789)


static void
test_remembers(void)
{
    pos_found_t *found = pos_found_create(10);
    pos_str_t    row = pos_str("the row of a boot"), got;

    ok(found != NULL && found->mask == POS_FOUND_SLOTS_MIN - 1, "a small book has a small table");
    ok(!pos_found_get(found, 1, HASH, &got), "an empty one remembers nothing");
    pos_found_put(found, 1, HASH, row);
    ok(pos_found_get(found, 1, HASH, &got) && got.data == row.data && got.len == row.len, "a row is where it was");
    ok(!pos_found_get(found, 2, HASH, &got), "and is nobody else's, even under the same hash");
    ok(!pos_found_get(found, 1, HASH ^ UINT64_C(1) << 63, &got), "nor another hash's in the same entry");
    pos_found_put(found, 2, HASH, pos_str("another's"));
    ok(!pos_found_get(found, 1, HASH, &got), "the newest has the entry");
    pos_found_fetch(found, HASH);
    pos_found_fetch_row(found, HASH);
    pos_found_fetch_row(found, HASH + 1);
    pos_found_destroy(found);
}


static void
test_bounds(void)
{
    static char  large[5000];
    pos_found_t *found = pos_found_create((size_t) 1 << 40);
    pos_str_t    got;

    ok(found != NULL && found->mask == POS_FOUND_SLOTS_MAX - 1, "the largest book has a bounded table");
    pos_found_put(found, 1, HASH, pos_str_of(large, 4095));
    ok(pos_found_get(found, 1, HASH, &got) && got.len == 4095, "a row of 4,095 bytes is remembered whole");
    pos_found_put(found, 1, HASH + 1, pos_str_of(large, 4096));
    ok(!pos_found_get(found, 1, HASH + 1, &got), "a larger one is not");
    pos_found_destroy(found);

    pos_found_put(NULL, 1, HASH, pos_str_of(large, 1));
    pos_found_fetch(NULL, HASH);
    pos_found_fetch_row(NULL, HASH);
    ok(!pos_found_get(NULL, 1, HASH, &got), "without memory nothing is remembered");
    pos_found_destroy(NULL);
}


static long
resident_kb(void)
{
    long  size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f == NULL || fscanf(f, "%ld %ld", &size, &pages) != 2) {
        pages = 0;
    }
    if (f != NULL) {
        fclose(f);
    }
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}


/* A snapshot after the other, as publishing makes them: the new one before the old one goes. */
static void
test_empty(void)
{
    pos_found_t *old = pos_found_create(POS_FOUND_SLOTS_MAX), *found;
    long         before = resident_kb();
    int          i;

    for (i = 0; i < 10; i++) {
        found = pos_found_create(POS_FOUND_SLOTS_MAX);
        pos_found_put(found, 1, HASH, pos_str("row"));
        pos_found_destroy(old);
        old = found;
    }
    pos_found_destroy(old);
    ok(before > 0 && resident_kb() - before < 1024, "large tables take memory only as they are used");
}


int
main(void)
{
    test_empty();
    test_remembers();
    test_bounds();
    return tap_done();
}
