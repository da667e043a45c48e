/* What changed, as readers ask for it: the records walked back from the newest. */

#include "engine/sorter.h"
#include "replica/changes.h"
#include "replica/reader.h"

#include <stdlib.h>

typedef struct {
    pos_snapshot_t *snapshot;
    uint8_t         now[POS_SHA256_SIZE];     /* the digest walked back to   */
    pos_str_t      *keys;
    uint32_t        count;
} walk_t;


static int
by_key(const void *a, const void *b)
{
    return pos_str_cmp(*(const pos_str_t *) a, *(const pos_str_t *) b);
}


/* A record's promotions; false: it is not the one before, or names something else. */
static bool
take_record(walk_t *w, MDB_val value)
{
    pos_bytes_in_t in;
    pos_str_t      payload;
    pos_kind_t     kind;
    uint8_t        before[POS_SHA256_SIZE], after[POS_SHA256_SIZE];

    if (!pos_frame_open(pos_store_str(value), &payload)) {
        (void) pos_reader_damaged(w->snapshot->replica, POS_KIND_COUNT, pos_str("change"));
        return false;
    }

    in = (pos_bytes_in_t) { (const uint8_t *) payload.data,
                            (const uint8_t *) payload.data + payload.len, false };
    pos_in_raw(&in, before, sizeof(before));
    pos_in_raw(&in, after, sizeof(after));
    if (in.bad || memcmp(after, w->now, sizeof(after)) != 0) {
        return false;
    }

    while (pos_in_left(&in) > 0) {
        if (w->count == POS_CHANGES_READ || !pos_store_kind_of(pos_in_u8(&in), &kind)
            || kind != POS_KIND_PROMOTION)
        {
            return false;
        }
        w->keys[w->count++] = pos_in_str(&in);
        if (in.bad) {
            return false;
        }
    }

    memcpy(w->now, before, sizeof(before));
    return true;
}


/* On the retailer's newest record. */
static int
seek_newest(MDB_cursor *cursor, const pos_head_t *head, MDB_val *key, MDB_val *value)
{
    uint8_t bytes[POS_CHANGES_KEY];
    int     rc;

    pos_changes_key(bytes, head->no, head->generation, UINT64_MAX);
    *key = pos_store_val(bytes, sizeof(bytes));
    rc = mdb_cursor_get(cursor, key, value, MDB_SET_RANGE);
    if (rc != 0 && rc != MDB_NOTFOUND) {
        return rc;
    }

    return mdb_cursor_get(cursor, key, value, rc == 0 ? MDB_PREV : MDB_LAST);
}


static bool
walk_back(walk_t *w, MDB_cursor *cursor, const pos_head_t *head,
    const uint8_t since[POS_SHA256_SIZE])
{
    uint8_t prefix[POS_CHANGES_KEY];
    MDB_val key, value;
    int     rc = seek_newest(cursor, head, &key, &value);

    pos_changes_key(prefix, head->no, head->generation, 0);
    while (memcmp(w->now, since, POS_SHA256_SIZE) != 0) {
        if (rc != 0 || key.mv_size != POS_CHANGES_KEY || memcmp(key.mv_data, prefix, 8) != 0
            || !take_record(w, value))
        {
            return false;
        }
        rc = mdb_cursor_get(cursor, &key, &value, MDB_PREV);
    }

    return true;
}


/* In order, each once. */
static bool
settle(walk_t *w, pos_arena_t *arena)
{
    pos_sorter_t sorter;
    pos_str_t   *spare = pos_arena_alloc(arena, (w->count + 1) * sizeof(*spare));
    uint32_t     kept = 0;

    if (spare == NULL) {
        return false;
    }

    pos_sorter_init(&sorter, w->keys, spare, w->count, sizeof(*w->keys), by_key);
    while (!pos_sorter_step(&sorter, UINT32_MAX)) { /* void */ }
    for (uint32_t i = 0; i < w->count; i++) {
        if (kept == 0 || !pos_str_eq(w->keys[kept - 1], w->keys[i])) {
            w->keys[kept++] = w->keys[i];
        }
    }

    w->count = kept;
    return true;
}


pos_status_t
pos_snapshot_changes(pos_snapshot_t *s, const pos_head_t *head,
    const uint8_t since[POS_SHA256_SIZE], pos_arena_t *arena, const pos_str_t **keys,
    uint32_t *count)
{
    walk_t      w = { .snapshot = s };
    MDB_cursor *cursor;
    bool        found;

    if (s->book->change == 0
        || mdb_cursor_open(s->txn, s->book->change, &cursor) != 0)
    {
        return POS_NOT_FOUND;
    }

    memcpy(w.now, head->small, sizeof(w.now));
    w.keys = pos_arena_alloc(arena, POS_CHANGES_READ * sizeof(*w.keys));
    found = w.keys != NULL && walk_back(&w, cursor, head, since);
    mdb_cursor_close(cursor);
    if (w.keys == NULL || (found && !settle(&w, arena))) {
        return POS_NO_MEMORY;
    }

    *keys = w.keys;
    *count = w.count;
    return found ? POS_OK : POS_NOT_FOUND;
}
