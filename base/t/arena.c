/* Arenas, faults and maps. */

#include "base/arena.h"
#include "base/map.h"
#include "base/t/tap.h"


static void
alignment_and_reuse(void)
{
    void        *p;
    bool         aligned = true;
    size_t       i, held;
    pos_arena_t *arena = pos_arena_create(1024, 0);

    for (i = 0; i < 1000; i++) {
        p = pos_arena_alloc(arena, i % 97);
        aligned &= p != NULL && ((uintptr_t) p & 15) == 0;
        memset(p, 0xAA, i % 97);
    }

    ok(aligned, "every piece is aligned to 16");
    p = pos_arena_alloc(arena, 100000);
    ok(p != NULL, "a piece larger than a block gets its own");
    held = pos_arena_held(arena);
    ok(pos_arena_used(arena) > 100000, "used counts what was handed out");

    pos_arena_reset(arena);
    is_int(pos_arena_used(arena), 0, "reset forgets");
    is_int(pos_arena_held(arena), held, "reset keeps the blocks");

    for (i = 0; i < 1000; i++) {
        p = pos_arena_alloc(arena, i % 97);
    }

    p = pos_arena_alloc(arena, 100000);
    ok(p != NULL, "the large block is found again");
    is_int(pos_arena_held(arena), held, "a warm arena asks for nothing");

    p = pos_arena_zalloc(arena, 64);
    ok(p && memcmp(p, (char[64]) { 0 }, 64) == 0, "zalloc zeroes reused memory");
    ok(pos_arena_array(arena, SIZE_MAX / 2, 4) == NULL, "array checks for overflow");
    ok(pos_arena_alloc(arena, SIZE_MAX) == NULL, "an absurd size is refused");
    ok(pos_arena_alloc(arena, 0) != NULL, "an empty piece has an address");
    pos_arena_destroy(arena);
    pos_arena_destroy(NULL);
}


static void
limits(void)
{
    size_t       n = 0;
    pos_arena_t *arena = pos_arena_create(1024, 10000);

    while (pos_arena_alloc(arena, 128)) {
        n++;
    }

    ok(n >= 64 && n <= 78, "the limit holds (%zu pieces of 128 in 10000)", n);
    ok(pos_arena_held(arena) <= 10000, "no more is held than the limit");
    pos_arena_destroy(arena);
}


static void
strings(void)
{
    char         source[4] = "abc";
    pos_str_t    s;
    pos_arena_t *arena = pos_arena_create(1024, 0);

    s = pos_arena_str(arena, pos_str_of(source, 3));
    source[0] = 'x';
    is_str(s, "abc", "text is copied");
    is_int(s.data[3], 0, "with a zero behind it");
    is_str(pos_arena_printf(arena, "%d-%s", 42, "x"), "42-x", "printf");
    ok(pos_arena_str(arena, pos_str_of(NULL, 0)).data != NULL, "empty text is not NULL");
    pos_arena_destroy(arena);
}


static void
failing(void)
{
    void        *p;
    pos_arena_t *arena;

    pos_arena_fail_nth(1);
    ok(pos_arena_create(64, 0) == NULL, "the first allocation fails");
    arena = pos_arena_create(64, 0);
    ok(arena != NULL, "only once");

    pos_arena_fail_nth(2);
    p = pos_arena_alloc(arena, 64);
    ok(p != NULL, "the one before does not");
    ok(pos_arena_alloc(arena, 64) == NULL, "the second block fails");
    ok(pos_arena_alloc(arena, 64) != NULL, "and then there is memory again");
    pos_arena_fail_nth(0);
    pos_arena_destroy(arena);
}


static void
faults(void)
{
    int          i;
    char         longer[2000];
    pos_arena_t *arena = pos_arena_create(4096, 0);
    pos_faults_t f;

    pos_faults_init(&f, arena);
    is_int(pos_fault(&f, pos_str("/a"), "type", "n is %d", 3), POS_INVALID, "a fault is POS_INVALID");
    pos_fault_at(&f, pos_str(""), 7, 9, "json_syntax", "x");
    is_int(f.count, 2, "two faults");
    is_str(f.first->pointer, "/a", "in the order found");
    is_str(f.first->message, "n is 3", "with their message");
    is_int(f.first->next->line, 7, "and their line");
    is_int(f.first->next->column, 9, "and column");

    for (i = 0; i < 200; i++) {
        pos_fault(&f, pos_str("/b"), "type", "x");
    }

    is_int(f.count, 202, "all are counted");
    for (i = 0; f.first; f.first = f.first->next) {
        i++;
    }
    is_int(i, 100, "as many as fit are kept");

    pos_faults_init(&f, arena);
    for (i = 0; i < 1998; i += 3) {
        memcpy(longer + i, "\xE2\x82\xAC", 3);
    }
    longer[1998] = '\0';
    pos_fault(&f, pos_str(""), "x", "%s", longer);
    ok(f.first->message.len <= 500 && f.first->message.len % 3 == 0,
       "a long message is cut between code points");

    pos_faults_init(&f, NULL);
    pos_fault(&f, pos_str(""), "x", "y");
    is_int(f.count, 1, "without an arena a fault is counted only");
    is_int(pos_fault(NULL, pos_str(""), "x", "y"), POS_INVALID, "without a collection it is told");
    pos_arena_destroy(arena);
}


static void
maps(void)
{
    int          i, wrong = 0;
    void        *old = &old;
    pos_map_t    map;
    pos_str_t    key;
    static int   values[5000];
    pos_arena_t *arena = pos_arena_create(4096, 0);

    ok(pos_map_init(&map, arena, 0) == POS_OK, "an empty map");
    ok(pos_map_get(&map, pos_str("x")) == NULL, "has nothing");

    for (i = 0; i < 5000; i++) {
        wrong += pos_map_set(&map, pos_arena_printf(arena, "k%d", i), &values[i], &old) != POS_OK
                 || old != NULL;
    }

    for (i = 0; i < 5000; i++) {
        key = pos_arena_printf(arena, "k%d", i);
        wrong += pos_map_get(&map, key) != &values[i]
                 || pos_map_get_hashed(&map, key, pos_hash64(key)) != &values[i];
    }

    is_int(wrong, 0, "5,000 keys are set and found");
    is_int(map.count, 5000, "and counted");
    ok(pos_map_get(&map, pos_str("k5000")) == NULL, "others are not there");
    ok(pos_map_set(&map, pos_str("k7"), &values[8], &old) == POS_OK && old == &values[7]
           && map.count == 5000,
       "setting again replaces and tells the old");
    ok(pos_map_set(&map, pos_str(""), &values[9], NULL) == POS_OK
           && pos_map_get(&map, pos_str("")) == &values[9],
       "the empty key is a key");
    pos_arena_destroy(arena);
}


static void
extending(void)
{
    pos_arena_t *arena = pos_arena_create(1024, 0);
    char        *p = pos_arena_alloc(arena, 20), *q;

    memset(p, 'x', 20);
    ok(pos_arena_extend(arena, p, 20, 200), "the last piece grows where it stands");
    memset(p, 'y', 200);
    q = pos_arena_alloc(arena, 16);
    ok(q >= p + 200, "and the next one stands behind it");
    ok(!pos_arena_extend(arena, p, 200, 300), "one that is not the last does not");
    ok(!pos_arena_extend(arena, q, 16, 2000), "nor over its block's end");
    ok(!pos_arena_extend(arena, q, 16, SIZE_MAX), "nor to an absurd size");
    pos_arena_destroy(arena);
}


/* A piece that is done with is cut again; what does not fit in it goes where it would have. */
static void
recycling(void)
{
    pos_arena_t *arena = pos_arena_create(4096, 0);
    char        *piece = pos_arena_alloc(arena, 256), *next = pos_arena_alloc(arena, 16);
    size_t       used = pos_arena_used(arena);
    char        *a, *b, *c;

    pos_arena_recycle(arena, piece, 256);
    a = pos_arena_alloc(arena, 128);
    b = pos_arena_alloc(arena, 512);
    c = pos_arena_alloc(arena, 128);
    ok(POS_ARENA_GUARDED || (a == piece && c == piece + 128), "what fits is cut from the recycled piece");
    ok(b == next + (POS_ARENA_GUARDED ? 144 : 16), "what does not is cut behind what was cut last");
    ok(POS_ARENA_GUARDED || pos_arena_used(arena) == used + 512, "and is all that is used more");
    ok(pos_arena_extend(arena, POS_ARENA_GUARDED ? c : b, POS_ARENA_GUARDED ? 128 : 512, 1024), "that one may grow");
    ok((char *) pos_arena_alloc(arena, 16) >= b + 512, "and is followed by others");
    pos_arena_reset(arena);
    ok(pos_arena_used(arena) == 0 && pos_arena_alloc(arena, 2048) == (void *) piece, "a reset forgets it all");
    pos_arena_destroy(arena);
}

/* A mark may be taken while a recycled piece is cut: that is the end of it. */
static void
marking_recycled(void)
{
    pos_arena_t     *arena = pos_arena_create(4096, 0);
    char            *piece = pos_arena_alloc(arena, 256), *next = pos_arena_alloc(arena, 16), *a;
    pos_arena_mark_t mark;
    size_t           used = pos_arena_used(arena);

    pos_arena_recycle(arena, piece, 256);
    mark = pos_arena_mark(arena);
    a = pos_arena_alloc(arena, 64);
    ok(a == next + 16, "after a mark the block goes on");
    pos_arena_rewind(arena, mark);
    is_int(pos_arena_used(arena), used, "rewound, as much is used as before");
    ok(pos_arena_alloc(arena, 64) == (void *) a, "and the same is cut again");
    pos_arena_destroy(arena);
}

int
main(void)
{
    alignment_and_reuse();
    extending();
    recycling();
    marking_recycled();
    limits();
    strings();
    failing();
    faults();
    maps();

    return tap_done();
}
