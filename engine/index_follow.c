/*
 * The index of a book that follows another: the drawers are the same ones but for those
 * in which a promotion that came or went is filed, and these are made anew.
 */

#include "engine/index_data.h"
#include "engine/sorter.h"

#include <stdlib.h>

#define GROWN_MOST  2       /* times the entries that drawers were laid out for … */
#define GROWN_LEAST 1024    /* … and these: beyond, they would be too full        */

typedef enum {
    STAGE_LEAVE,       /* asks those that went for their keys      */
    STAGE_COME,        /* and those that came                      */
    STAGE_SORT,        /* puts new entries in their order          */
    STAGE_MERGE,       /* and makes each drawer with what it has   */
    STAGE_DONE
} stage_t;

struct pos_index_following_s {
    pos_book_t            *book;
    const pos_moved_t     *went, *came;
    uint32_t               went_count, came_count;
    pos_index_t           *index;
    stage_t                stage;
    uint32_t               at;             /* of the stage: promotion or drawer */
    uint64_t              *gone;           /* bit: the number of one that went */
    uint64_t              *touched;        /* bit: a drawer                     */
    pos_entry_t           *added, *spare;
    uint32_t               added_count, added_room, added_at;
    bool                   sorting, merging, making;    /* the drawer `at`    */
    pos_sorter_t           sorter;
    pos_entry_t           *merged;
    uint32_t               merged_count, merged_room, old_at;
    pos_drawer_making_t    made;
};


static void
set_bit(uint64_t *bits, uint32_t at)
{
    bits[at / 64] |= UINT64_C(1) << at % 64;
}


static bool
has_bit(const uint64_t *bits, uint32_t at)
{
    return (bits[at / 64] >> at % 64 & 1) != 0;
}


bool
pos_index_may_follow(const pos_index_t *before)
{
    return before->entry_count <= GROWN_MOST * before->entries_made + GROWN_LEAST;
}


/* ---- beginning ---- */

static pos_status_t
copy_index(pos_index_following_t *f, const pos_index_t *before)
{
    pos_arena_t *arena = f->book->arena;
    size_t       bytes = before->drawer_count * sizeof(*before->drawers);
    pos_index_t *index = pos_arena_alloc(arena, sizeof(*index));
    pos_drawer_t **drawers = pos_arena_alloc(arena, bytes);

    if (index == NULL || drawers == NULL) {
        return POS_NO_MEMORY;
    }
    *index = *before;
    index->drawers = drawers;
    index->words = (f->book->promotion_count + 63) / 64;
    memcpy(drawers, before->drawers, bytes);
    for (uint32_t i = 0; i < index->drawer_count; i++) {
        if (drawers[i] != NULL) {
            drawers[i]->refs++;
        }
    }
    f->index = index;
    return POS_OK;
}


pos_status_t
pos_index_following_create(pos_book_t *book, const pos_index_t *before,
    const pos_moved_t *went, uint32_t went_count, const pos_moved_t *came, uint32_t came_count,
    pos_index_following_t **out)
{
    pos_index_following_t *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        return POS_NO_MEMORY;
    }
    *f = (pos_index_following_t) { .book = book, .went = went, .went_count = went_count,
        .came = came, .came_count = came_count };
    f->gone = calloc(book->roster.room / 64 + 1, sizeof(*f->gone));
    f->touched = calloc(before->drawer_count / 64 + 1, sizeof(*f->touched));
    if (f->gone == NULL || f->touched == NULL || copy_index(f, before) != POS_OK) {
        pos_index_following_destroy(f);
        return POS_NO_MEMORY;
    }
    *out = f;
    return POS_OK;
}


void
pos_index_following_destroy(pos_index_following_t *f)
{
    if (f != NULL) {
        pos_index_release(f->index);
        pos_drawer_release(f->made.drawer);
        free(f->gone);
        free(f->touched);
        free(f->added);
        free(f->spare);
        free(f->merged);
        free(f);
    }
}


/* ---- who went, who came ---- */

static void
leave(pos_index_following_t *f, const pos_moved_t *m)
{
    const pos_anchor_t *a = &m->promotion->anchor;
    uint64_t            key;
    uint32_t            k;

    for (k = 0; pos_anchor_at(a, k, &key); k++) {
        set_bit(f->touched, (uint32_t) (key >> f->index->shift));
    }
    f->index->entry_count -= k;
    pos_index_count(f->index, a, -1);
    set_bit(f->gone, m->number);
}


static bool
add(pos_index_following_t *f, pos_entry_t e)
{
    if (f->added_count == f->added_room) {
        uint32_t     room = f->added_room ? 2 * f->added_room : 64;
        pos_entry_t *grown = realloc(f->added, room * sizeof(*grown));

        if (grown == NULL) {
            return false;
        }
        f->added = grown;
        f->added_room = room;
    }
    f->added[f->added_count++] = e;
    return true;
}


static pos_status_t
come(pos_index_following_t *f, const pos_moved_t *m)
{
    const pos_promotion_t *p = m->promotion;
    uint64_t               key;
    uint32_t               k;

    for (k = 0; pos_anchor_at(&p->anchor, k, &key); k++) {
        if (!add(f, (pos_entry_t) { p->from, p->until, p->anchor.subtotal, key, m->number })) {
            return POS_NO_MEMORY;
        }
        set_bit(f->touched, (uint32_t) (key >> f->index->shift));
    }
    f->index->entry_count += k;
    pos_index_count(f->index, &p->anchor, 1);
    return POS_OK;
}


static pos_status_t
sort(pos_index_following_t *f, uint32_t moves)
{
    if (!f->sorting) {
        f->spare = malloc((f->added_count + 1) * sizeof(*f->spare));
        if (f->spare == NULL) {
            return POS_NO_MEMORY;
        }
        f->sorting = true;
        pos_sorter_init(&f->sorter, f->added, f->spare, f->added_count, sizeof(*f->added),
            pos_entry_order);
    }
    return pos_sorter_step(&f->sorter, moves) ? POS_OK : POS_AGAIN;
}


/* ---- drawers ---- */

/* How many of the new entries are the drawer's. */
static uint32_t
added_here(const pos_index_following_t *f)
{
    uint32_t i = f->added_at;

    while (i < f->added_count && f->added[i].key >> f->index->shift == f->at) {
        i++;
    }
    return i - f->added_at;
}


static pos_status_t
begin_merge(pos_index_following_t *f)
{
    const pos_drawer_t *old = f->index->drawers[f->at];
    uint32_t            most = (old != NULL ? old->entry_count : 0) + added_here(f);

    if (most > f->merged_room) {
        free(f->merged);
        f->merged = malloc(most * sizeof(*f->merged));
        f->merged_room = f->merged != NULL ? most : 0;
        if (f->merged == NULL) {
            return POS_NO_MEMORY;
        }
    }
    f->merged_count = f->old_at = 0;
    f->merging = true;
    return POS_OK;
}


/* What the drawer had and keeps, and what it gets, in one order. */
static bool
merge(pos_index_following_t *f, uint32_t *moves)
{
    const pos_drawer_t *old = f->index->drawers[f->at];
    uint32_t            old_count = old != NULL ? old->entry_count : 0;

    for (; *moves > 0; --*moves) {
        const pos_entry_t *e = f->old_at < old_count ? &old->entries[f->old_at] : NULL;
        const pos_entry_t *a = f->added_at < f->added_count
                                       && f->added[f->added_at].key >> f->index->shift == f->at
                                   ? &f->added[f->added_at] : NULL;

        if (e == NULL && a == NULL) {
            return true;
        }
        if (e == NULL || (a != NULL && pos_entry_order(a, e) < 0)) {
            f->merged[f->merged_count++] = *a;
            f->added_at++;
            continue;
        }
        f->old_at++;
        if (!has_bit(f->gone, e->promotion)) {
            f->merged[f->merged_count++] = *e;
        }
    }
    return false;
}


static void
put_drawer(pos_index_following_t *f, pos_drawer_t *drawer)
{
    pos_drawer_release(f->index->drawers[f->at]);
    f->index->drawers[f->at++] = drawer;
    f->merging = f->making = false;
}


/* One drawer, or a part of its work. */
static pos_status_t
make_drawer(pos_index_following_t *f, uint32_t *moves)
{
    pos_status_t status = f->merging ? POS_OK : begin_merge(f);

    if (status != POS_OK) {
        return status;
    }
    if (!f->making) {
        if (!merge(f, moves)) {
            return POS_AGAIN;
        }
        f->making = true;
        pos_drawer_making_init(&f->made, f->merged, f->merged_count);
    }
    if (f->merged_count == 0) {
        put_drawer(f, NULL);
        return POS_OK;
    }
    status = pos_drawer_making_step(&f->made, moves);
    if (status == POS_OK) {
        put_drawer(f, f->made.drawer);
        f->made.drawer = NULL;
    }
    return status;
}


static pos_status_t
make_drawers(pos_index_following_t *f, uint32_t moves)
{
    while (f->at < f->index->drawer_count && moves > 0) {
        pos_status_t status = POS_OK;

        if (!has_bit(f->touched, f->at)) {
            f->at++;
            moves--;
        } else {
            status = make_drawer(f, &moves);
        }
        if (status != POS_OK && status != POS_AGAIN) {
            return status;
        }
    }
    return f->at < f->index->drawer_count ? POS_AGAIN : POS_OK;
}


/* ---- steps ---- */

static pos_status_t
step_stage(pos_index_following_t *f, unsigned rows)
{
    uint32_t     moves = rows * POS_INDEX_MOVES;
    pos_status_t status = POS_OK;

    switch (f->stage) {
    case STAGE_LEAVE:
        for (; rows > 0 && f->at < f->went_count; rows--) {
            leave(f, &f->went[f->at++]);
        }
        return f->at < f->went_count ? POS_AGAIN : POS_OK;
    case STAGE_COME:
        for (; status == POS_OK && rows > 0 && f->at < f->came_count; rows--) {
            status = come(f, &f->came[f->at++]);
        }
        return status == POS_OK && f->at < f->came_count ? POS_AGAIN : status;
    case STAGE_SORT:
        return sort(f, moves);
    default:
        return make_drawers(f, moves);
    }
}


pos_status_t
pos_index_following_step(pos_index_following_t *f, unsigned rows)
{
    pos_status_t status = step_stage(f, rows);

    if (status != POS_OK) {
        return status;
    }
    f->at = 0;
    if (++f->stage < STAGE_DONE) {
        return POS_AGAIN;
    }
    f->book->index = f->index;
    f->index = NULL;
    return POS_OK;
}
