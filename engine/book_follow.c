/*
 * The book that another becomes by a few changes of its promotions. What did not
 * change is the previous book's own: settings and entities, the folders of its roster,
 * the drawers of its index. What lists all promotions is copied as it is, which takes
 * microseconds where going over ten thousand of them takes milliseconds.
 */

#include "engine/book_builder.h"

#include <stdlib.h>

#define CHANGES_MOST  4096    /* beyond, building the whole book is as soon done */

typedef enum {
    STAGE_REPORTS,     /* takes over what is reported of other things */
    STAGE_ROSTER,      /* copies it                                   */
    STAGE_ROWS,        /* each change: compiled, put in, taken out    */
    STAGE_ORDER,       /* who stands where                            */
    STAGE_INDEX,
    STAGE_DONE
} stage_t;

/* A promotion that came or went, and the place in the previous book that it comes before or
 * had. */
typedef struct {
    const pos_promotion_t *promotion;
    uint32_t               number, place;
} place_t;

struct pos_follow_s {
    const pos_book_change_t *changes;
    uint32_t                 count, at;
    stage_t                  stage;
    place_t                 *went, *came, *spare;
    pos_moved_t             *moved;         /* both, as the index takes them   */
    uint32_t                 went_count, came_count;
    pos_index_following_t   *index;
};


/* ---- beginning ---- */

/* Are all promotions that are reported among the changes? */
static bool
names_reported(const pos_book_t *previous, const pos_book_change_t *changes, uint32_t count)
{
    uint32_t at = 0;

    for (const pos_book_report_t *r = previous->reports; r != NULL; r = r->next) {
        if (r->kind != POS_KIND_PROMOTION) {
            continue;
        }
        while (at < count && pos_str_cmp(changes[at].key, r->key) < 0) {
            at++;
        }
        if (at == count || !pos_str_eq(changes[at].key, r->key)) {
            return false;
        }
    }
    return true;
}


static bool
may_follow(const pos_book_t *previous, const pos_script_vm_t *vm,
    const pos_book_change_t *changes, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (pos_str_cmp(changes[i - 1].key, changes[i].key) >= 0) {
            return false;
        }
    }
    return previous->vm == vm && count <= CHANGES_MOST
           && previous->promotion_count + count <= previous->roster.room
           && pos_index_may_follow(previous->index)
           && names_reported(previous, changes, count);
}


static pos_follow_t *
follow_new(const pos_book_change_t *changes, uint32_t count)
{
    pos_follow_t *f = calloc(1, sizeof(*f));

    if (f == NULL) {
        return NULL;
    }
    f->changes = changes;
    f->count = count;
    f->went = malloc((count + 1) * sizeof(*f->went));
    f->came = malloc((count + 1) * sizeof(*f->came));
    f->spare = malloc((count + 1) * sizeof(*f->spare));
    f->moved = malloc((2 * count + 1) * sizeof(*f->moved));
    if (f->went == NULL || f->came == NULL || f->spare == NULL || f->moved == NULL) {
        pos_follow_destroy(f);
        return NULL;
    }
    return f;
}


pos_status_t
pos_book_builder_follow(const pos_book_t *previous, pos_script_vm_t *vm,
    const pos_book_change_t *changes, uint32_t count, pos_book_builder_t **out)
{
    pos_book_builder_t *b;
    pos_status_t        status;

    if (!may_follow(previous, vm, changes, count)) {
        return POS_LIMIT;
    }
    status = pos_builder_new(previous, pos_book_on(previous), &b);
    if (status != POS_OK) {
        return status;
    }
    b->follow = follow_new(changes, count);
    if (b->follow == NULL) {
        pos_book_builder_destroy(b);
        return POS_NO_MEMORY;
    }
    *out = b;
    return POS_OK;
}


void
pos_follow_destroy(pos_follow_t *f)
{
    if (f != NULL) {
        pos_index_following_destroy(f->index);
        free(f->went);
        free(f->came);
        free(f->spare);
        free(f->moved);
        free(f);
    }
}


/* ---- rows ---- */

static void
take_reports(pos_book_builder_t *b)
{
    for (const pos_book_report_t *r = b->previous->reports; r != NULL; r = r->next) {
        if (r->kind != POS_KIND_PROMOTION) {
            pos_builder_report(b, r->kind, r->key, "", r->message, r->kept_before);
        }
    }
}


static pos_status_t
go(pos_book_builder_t *b, uint32_t number)
{
    pos_follow_t *f = b->follow;

    f->went[f->went_count++] = (place_t) { pos_roster_at(&b->previous->roster, number), number,
        b->previous->places[number] };
    return pos_roster_remove(&b->book->roster, number);
}


/* Takes over the reference. */
static pos_status_t
come(pos_book_builder_t *b, pos_promotion_t *p, uint32_t number)
{
    pos_follow_t *f = b->follow;
    pos_status_t  status = pos_roster_add(&b->book->roster, p, &number);

    if (status != POS_OK) {
        pos_promotion_release(p);
        return status;
    }
    f->came[f->came_count++] = (place_t) { p, number, 0 };
    return POS_OK;
}


/* One that is there in both versions keeps its number. */
static pos_status_t
change_row(pos_book_builder_t *b, const pos_book_change_t *c, unsigned *cost)
{
    pos_promotion_t *before = NULL, *now = NULL;
    uint32_t         number = UINT32_MAX;
    pos_status_t     status = POS_OK;

    if (pos_roster_find(&b->previous->roster, c->key, &number)) {
        before = pos_roster_at(&b->previous->roster, number);
    }
    pos_arena_reset(b->scratch);
    if (c->value.data != NULL) {
        status = pos_builder_compile(b, c->key, c->value, before, cost, &now);
    }
    if (status != POS_OK) {
        return status;
    }
    if (now == before) {
        pos_promotion_release(now);
        return POS_OK;
    }
    if (before != NULL) {
        status = go(b, number);
    }
    if (status != POS_OK) {
        pos_promotion_release(now);
        return status;
    }
    return now != NULL ? come(b, now, number) : POS_OK;
}


static pos_status_t
change_rows(pos_book_builder_t *b, unsigned rows)
{
    pos_follow_t *f = b->follow;
    unsigned      done = 0;

    while (f->at < f->count && done < rows) {
        unsigned     cost = 1;
        pos_status_t status = change_row(b, &f->changes[f->at++], &cost);

        if (status != POS_OK) {
            return status;
        }
        done += cost;
    }
    return f->at < f->count ? POS_AGAIN : POS_OK;
}


/* ---- order ---- */

static int
by_place(const void *a, const void *b)
{
    const place_t *x = a, *y = b;

    return (x->place > y->place) - (x->place < y->place);
}


static int
by_rank(const void *a, const void *b)
{
    const pos_promotion_t *x = ((const place_t *) a)->promotion;
    const pos_promotion_t *y = ((const place_t *) b)->promotion;

    return x->priority != y->priority ? (x->priority < y->priority ? 1 : -1)
                                      : pos_str_cmp(x->id, y->id);
}


static void
sort(pos_follow_t *f, place_t *places, uint32_t count, pos_order_pt order)
{
    pos_sorter_t sorter;

    pos_sorter_init(&sorter, places, f->spare, count, sizeof(*places), order);
    while (!pos_sorter_step(&sorter, UINT32_MAX)) {
        /* to the end */
    }
}


/* The first place in the previous book whose promotion does not come before it. */
static uint32_t
place_for(const pos_book_t *previous, const place_t *came)
{
    uint32_t low = 0, high = previous->promotion_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        place_t  there = { previous->promotions[middle], 0, middle };

        if (by_rank(&there, came) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}


static void
copy_run(pos_book_t *book, const pos_book_t *previous, uint32_t from, uint32_t to)
{
    uint32_t at = book->promotion_count, count = to - from;

    memcpy(book->promotions + at, previous->promotions + from, count * sizeof(*book->promotions));
    memcpy(book->numbers + at, previous->numbers + from, count * sizeof(*book->numbers));
    book->promotion_count += count;
}


/* Runs of the previous order between who went and who came. */
static void
lay_out(pos_book_builder_t *b)
{
    const pos_follow_t *f = b->follow;
    const pos_book_t   *previous = b->previous;
    pos_book_t         *book = b->book;
    uint32_t            from = 0, went = 0, came = 0;

    while (went < f->went_count || came < f->came_count) {
        if (came < f->came_count
            && (went == f->went_count || f->came[came].place <= f->went[went].place))
        {
            copy_run(book, previous, from, f->came[came].place);
            from = f->came[came].place;
            book->promotions[book->promotion_count] = pos_roster_at(&book->roster, f->came[came].number);
            book->numbers[book->promotion_count++] = f->came[came++].number;
        } else {
            copy_run(book, previous, from, f->went[went].place);
            from = f->went[went++].place + 1;
        }
    }
    copy_run(book, previous, from, previous->promotion_count);
    for (uint32_t i = 0; i < book->promotion_count; i++) {
        book->places[book->numbers[i]] = i;
    }
}


static pos_status_t
order(pos_book_builder_t *b)
{
    pos_follow_t *f = b->follow;
    pos_book_t   *book = b->book;
    uint32_t      most = b->previous->promotion_count + f->came_count + 1;

    book->promotions = pos_arena_alloc(book->arena, most * sizeof(*book->promotions));
    book->numbers = pos_arena_alloc(book->arena, most * sizeof(*book->numbers));
    book->places = pos_arena_alloc(book->arena, book->roster.room * sizeof(*book->places));
    if (book->promotions == NULL || book->numbers == NULL || book->places == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < f->came_count; i++) {
        f->came[i].place = place_for(b->previous, &f->came[i]);
    }
    sort(f, f->went, f->went_count, by_place);
    sort(f, f->came, f->came_count, by_rank);
    lay_out(b);
    return POS_OK;
}


static pos_status_t
begin_index(pos_book_builder_t *b)
{
    pos_follow_t *f = b->follow;
    pos_moved_t  *came = f->moved + f->went_count;

    for (uint32_t i = 0; i < f->went_count; i++) {
        f->moved[i] = (pos_moved_t) { f->went[i].promotion, f->went[i].number };
    }
    for (uint32_t i = 0; i < f->came_count; i++) {
        came[i] = (pos_moved_t) { f->came[i].promotion, f->came[i].number };
    }
    return pos_index_following_create(b->book, b->previous->index, f->moved, f->went_count, came,
        f->came_count, &f->index);
}


/* ---- steps ---- */

static pos_status_t
step_stage(pos_book_builder_t *b, unsigned rows)
{
    pos_follow_t *f = b->follow;

    switch (f->stage) {
    case STAGE_REPORTS:
        take_reports(b);
        return POS_OK;
    case STAGE_ROSTER:
        return pos_roster_copy(&b->previous->roster, b->book->arena, &b->book->roster);
    case STAGE_ROWS:
        return change_rows(b, rows);
    case STAGE_ORDER:
        return order(b);
    default:
        break;
    }
    if (f->index == NULL) {
        pos_status_t status = begin_index(b);

        return status == POS_OK ? POS_AGAIN : status;
    }
    return pos_index_following_step(f->index, rows);
}


pos_status_t
pos_follow_step(pos_book_builder_t *b, unsigned rows)
{
    pos_status_t status = step_stage(b, rows);

    if (status == POS_OK && ++b->follow->stage < STAGE_DONE) {
        return POS_AGAIN;
    }
    return status;
}
