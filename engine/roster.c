#include "engine/roster.h"

#include <stdlib.h>


pos_status_t
pos_roster_reserve(pos_roster_t *r, pos_arena_t *arena, uint32_t count)
{
    uint32_t room = count + count / 4 + POS_FOLDER, slots = 64;

    while (slots < 2 * room) {
        slots *= 2;
    }
    r->folder_count = (room + POS_FOLDER - 1) / POS_FOLDER;
    r->room = r->folder_count * POS_FOLDER;
    r->next = count;
    r->mask = slots - 1;
    r->folders = pos_arena_array(arena, r->folder_count, sizeof(*r->folders));
    r->ids = pos_arena_alloc(arena, slots * sizeof(*r->ids));
    if (r->folders == NULL || r->ids == NULL) {
        *r = (pos_roster_t) { 0 };
        return POS_NO_MEMORY;
    }
    return POS_OK;
}


bool
pos_roster_clear(pos_roster_t *r, size_t *done, size_t slots)
{
    size_t left = (size_t) r->mask + 1 - *done;

    slots = slots < left ? slots : left;
    memset(r->ids + *done, 0, slots * sizeof(*r->ids));
    *done += slots;
    return slots == left;
}


pos_status_t
pos_roster_copy(const pos_roster_t *from, pos_arena_t *arena, pos_roster_t *out)
{
    size_t         folders = from->folder_count * sizeof(*from->folders);
    size_t         ids = ((size_t) from->mask + 1) * sizeof(*from->ids);
    pos_folder_t **own = pos_arena_alloc(arena, folders);
    uint32_t      *own_ids = pos_arena_alloc(arena, ids);

    *out = (pos_roster_t) { 0 };
    if (own == NULL || own_ids == NULL) {
        return POS_NO_MEMORY;
    }
    memcpy(own, from->folders, folders);
    memcpy(own_ids, from->ids, ids);
    *out = *from;
    out->folders = own;
    out->ids = own_ids;
    for (uint32_t i = 0; i < out->folder_count; i++) {
        if (own[i] != NULL) {
            own[i]->refs++;
        }
    }
    return POS_OK;
}


/* ---- folders ---- */

/* A folder of this book's alone. */
static pos_folder_t *
own_folder(pos_roster_t *r, uint32_t number)
{
    pos_folder_t **place = &r->folders[number / POS_FOLDER], *before = *place, *own;

    if (before != NULL && before->refs == 1) {
        return before;
    }
    own = calloc(1, sizeof(*own));
    if (own == NULL) {
        return NULL;
    }
    if (before != NULL) {
        *own = *before;
        for (uint32_t i = 0; i < POS_FOLDER; i++) {
            if (own->held[i] != NULL) {
                pos_promotion_retain(own->held[i]);
            }
        }
        before->refs--;
    }
    own->refs = 1;
    *place = own;
    return own;
}


static void
release_folder(pos_folder_t *folder)
{
    for (uint32_t i = 0; i < POS_FOLDER; i++) {
        pos_promotion_release(folder->held[i]);
    }
    free(folder);
}


bool
pos_roster_release(pos_roster_t *r, unsigned *rows)
{
    while (r->folder_count > 0 && *rows > 0) {
        pos_folder_t *folder = r->folders[--r->folder_count];
        unsigned      cost = 1;

        if (folder != NULL && --folder->refs == 0) {
            release_folder(folder);
            cost = POS_FOLDER;
        }
        *rows -= cost < *rows ? cost : *rows;
    }
    return r->folder_count == 0;
}


/* ---- ids ---- */

/* Where it stands, or the free slot where it would. */
static uint32_t
id_slot(const pos_roster_t *r, pos_str_t id, uint64_t hash)
{
    uint32_t i = (uint32_t) hash & r->mask;

    for (; r->ids[i] != 0; i = (i + 1) & r->mask) {
        const pos_promotion_t *p = pos_roster_at(r, r->ids[i] - 1);

        if (p->id_hash == hash && pos_str_eq(p->id, id)) {
            break;
        }
    }
    return i;
}


bool
pos_roster_find(const pos_roster_t *r, pos_str_t id, uint32_t *number)
{
    uint32_t slot;

    if (r->room == 0) {
        return false;
    }
    slot = id_slot(r, id, pos_hash64(id));
    if (r->ids[slot] == 0) {
        return false;
    }
    *number = r->ids[slot] - 1;
    return true;
}


/* Is `home` in the stretch of slots behind `from` up to `to`, which may go round the end? */
static bool
behind(uint32_t home, uint32_t from, uint32_t to)
{
    return from <= to ? from < home && home <= to : from < home || home <= to;
}


/* What stands behind a slot that becomes free moves up, where it would be missed otherwise. */
static void
forget_id(pos_roster_t *r, const pos_promotion_t *p)
{
    uint32_t free_slot = id_slot(r, p->id, p->id_hash), i = free_slot;

    for (;;) {
        r->ids[free_slot] = 0;
        do {
            i = (i + 1) & r->mask;
            if (r->ids[i] == 0) {
                return;
            }
        } while (behind((uint32_t) pos_roster_at(r, r->ids[i] - 1)->id_hash & r->mask, free_slot, i));
        r->ids[free_slot] = r->ids[i];
        free_slot = i;
    }
}


/* ---- come and go ---- */

static uint32_t
free_number(pos_roster_t *r)
{
    for (;;) {
        uint32_t            number = r->next < r->room ? r->next : 0;
        const pos_folder_t *folder = r->folders[number / POS_FOLDER];

        r->next = number + 1;
        if (folder == NULL || folder->held[number % POS_FOLDER] == NULL) {
            return number;
        }
    }
}


pos_status_t
pos_roster_add(pos_roster_t *r, pos_promotion_t *p, uint32_t *number)
{
    uint32_t      at = *number != UINT32_MAX ? *number : free_number(r);
    pos_folder_t *folder = own_folder(r, at);

    if (folder == NULL) {
        return POS_NO_MEMORY;
    }
    r->ids[id_slot(r, p->id, p->id_hash)] = at + 1;
    folder->held[at % POS_FOLDER] = p;
    *number = at;
    return POS_OK;
}


pos_status_t
pos_roster_remove(pos_roster_t *r, uint32_t number)
{
    pos_folder_t     *folder = own_folder(r, number);
    pos_promotion_t **held;

    if (folder == NULL) {
        return POS_NO_MEMORY;
    }
    held = &folder->held[number % POS_FOLDER];
    forget_id(r, *held);
    pos_promotion_release(*held);
    *held = NULL;
    return POS_OK;
}
