/*
 * A book's promotions by number, and the numbers by id.
 *
 * A number is a promotion's own as long as books follow one another: what is
 * filed under it stays right when others come and go. Books share what holds
 * the promotions in folders that are counted; a book that changes one makes a
 * copy of its folder alone. A promotion is released with the last folder that
 * holds it, in whichever order books end.
 */

#ifndef POS_ROSTER_H
#define POS_ROSTER_H

#include "engine/promotion.h"

#define POS_FOLDER  32      /* promotions of a folder */

typedef struct {
    uint32_t         refs;                /* books                           */
    pos_promotion_t *held[POS_FOLDER];    /* a reference each; NULL: nobody's number */
} pos_folder_t;

/* Zeroed, it is empty and has room for none. */
typedef struct {
    pos_folder_t **folders;     /* a reference each; NULL: empty             */
    uint32_t       folder_count;
    uint32_t       room;        /* numbers that there can be                 */
    uint32_t       next;        /* where a free number is looked for         */
    uint32_t      *ids;         /* by id's hash, open addressing: number + 1; 0: free */
    uint32_t       mask;
} pos_roster_t;

/* Room for `count` and for a quarter more that may come; in `arena`. Of no use until
 * pos_roster_clear() has emptied it, `slots` at a time; `*done` begins at 0. */
pos_status_t pos_roster_reserve(pos_roster_t *roster, pos_arena_t *arena, uint32_t count)
    POS_MUSTCHECK;
bool pos_roster_clear(pos_roster_t *roster, size_t *done, size_t slots);

/* The same promotions by the same numbers, in `arena`. */
pos_status_t pos_roster_copy(const pos_roster_t *from, pos_arena_t *arena, pos_roster_t *out)
    POS_MUSTCHECK;

/* Takes over the caller's reference. `*number` must be free, or UINT32_MAX: any that is.
 * There must be room, and its id must not be there. POS_NO_MEMORY: nothing was taken. */
pos_status_t pos_roster_add(pos_roster_t *roster, pos_promotion_t *promotion, uint32_t *number)
    POS_MUSTCHECK;
pos_status_t pos_roster_remove(pos_roster_t *roster, uint32_t number) POS_MUSTCHECK;

static inline pos_promotion_t *
pos_roster_at(const pos_roster_t *roster, uint32_t number)
{
    return roster->folders[number / POS_FOLDER]->held[number % POS_FOLDER];
}
bool pos_roster_find(const pos_roster_t *roster, pos_str_t id, uint32_t *number);

/* Lets go of folders, about `*rows` promotions of them, and takes those from `*rows`.
 * True: of all. */
bool pos_roster_release(pos_roster_t *roster, unsigned *rows);

#endif
