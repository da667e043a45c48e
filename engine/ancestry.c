/* Up from each category to one that is known, and down again. */

#include "engine/ancestry.h"


void
pos_ancestry_init(pos_ancestry_t *a, pos_category_t **all, uint32_t count,
    pos_category_t **path)
{
    *a = (pos_ancestry_t) { .all = all, .count = count, .path = path };
}


static void
go_up(pos_ancestry_t *a)
{
    pos_category_t *c = a->walk;

    if (c == NULL || c->rank != POS_RANK_UNKNOWN) {
        a->returning = true;
        return;
    }
    c->rank = POS_RANK_ASKED;
    a->path[a->length++] = c;
    a->walk = c->parent;
}


/* A category met again on its own path is asked still: a circle. */
static void
go_down(pos_ancestry_t *a)
{
    pos_category_t *c = a->path[--a->length], *parent = c->parent;

    if (parent == NULL) {
        c->rank = POS_RANK_KNOWN;
    } else if (parent->rank == POS_RANK_KNOWN) {
        c->depth = parent->depth + 1;
        c->rank = POS_RANK_KNOWN;
    } else {
        c->broken = true;
        c->rank = POS_RANK_CIRCLE;
    }
    a->returning = a->length > 0;
}


bool
pos_ancestry_step(pos_ancestry_t *a, uint32_t moves)
{
    for (; moves > 0; moves--) {
        if (a->returning && a->length > 0) {
            go_down(a);
        } else if (a->length > 0) {
            go_up(a);
        } else if (a->next < a->count) {
            a->returning = false;
            a->walk = a->all[a->next++];
            go_up(a);
        } else {
            return true;
        }
    }
    return false;
}
