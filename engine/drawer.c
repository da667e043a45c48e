/* A drawer of the index: its entries counted, then laid down with their bounds. */

#include "engine/index_data.h"

#include <stdlib.h>


int
pos_entry_order(const void *a, const void *b)
{
    const pos_entry_t *x = a, *y = b;

    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    if (x->until != y->until) {
        return x->until > y->until ? -1 : 1;
    }
    if (x->from != y->from) {
        return x->from < y->from ? -1 : 1;
    }
    if (x->subtotal != y->subtotal) {
        return x->subtotal < y->subtotal ? -1 : 1;
    }
    return (x->promotion > y->promotion) - (x->promotion < y->promotion);
}


void
pos_drawer_making_init(pos_drawer_making_t *m, const pos_entry_t *entries, uint32_t count)
{
    *m = (pos_drawer_making_t) { .entries = entries, .count = count };
}


static bool
begins_key(const pos_drawer_making_t *m)
{
    return m->at == 0 || m->entries[m->at - 1].key != m->entries[m->at].key;
}


static void
count_entry(pos_drawer_making_t *m)
{
    if (begins_key(m)) {
        m->keys++;
        m->run = 0;
    }
    if (m->run++ % POS_BLOCK == 0) {
        m->blocks++;
    }
}


static pos_status_t
make_room(pos_drawer_making_t *m)
{
    size_t        slots = 2, size;
    pos_drawer_t *d;

    while (slots < 2 * (size_t) m->keys) {
        slots *= 2;
    }
    size = sizeof(*d) + slots * sizeof(*d->slots) + m->blocks * sizeof(*d->blocks)
           + m->count * sizeof(*d->entries);
    d = malloc(size);
    if (d == NULL) {
        return POS_NO_MEMORY;
    }
    d->refs = 1;
    d->entry_count = m->count;
    d->mask = (uint32_t) slots - 1;
    d->slots = (pos_slot_t *) (d + 1);
    d->blocks = (pos_block_t *) (d->slots + slots);
    d->entries = (pos_entry_t *) (d->blocks + m->blocks);
    memset(d->slots, 0, slots * sizeof(*d->slots));
    m->drawer = d;
    m->at = m->blocks = 0;
    return POS_OK;
}


static void
add_to_block(pos_block_t *b, const pos_entry_t *e)
{
    b->from = e->from < b->from ? e->from : b->from;
    b->until = e->until > b->until ? e->until : b->until;
    b->subtotal = e->subtotal < b->subtotal ? e->subtotal : b->subtotal;
    b->count++;
}


static void
lay_entry(pos_drawer_making_t *m)
{
    pos_drawer_t      *d = m->drawer;
    const pos_entry_t *e = &m->entries[m->at];
    pos_slot_t        *slot = pos_drawer_slot(d, e->key);

    if (slot->key == 0) {
        *slot = (pos_slot_t) { .key = e->key, .first = m->blocks };
    }
    if (slot->count == 0 || d->blocks[m->blocks - 1].count == POS_BLOCK) {
        d->blocks[m->blocks++] = (pos_block_t) { INT64_MAX, INT64_MIN, INT64_MAX, m->at, 0 };
        slot->count++;
    }
    add_to_block(&d->blocks[m->blocks - 1], e);
    d->entries[m->at] = *e;
}


pos_status_t
pos_drawer_making_step(pos_drawer_making_t *m, uint32_t *moves)
{
    pos_status_t status;

    if (m->drawer == NULL) {
        for (; m->at < m->count && *moves > 0; m->at++, --*moves) {
            count_entry(m);
        }
        if (m->at < m->count) {
            return POS_AGAIN;
        }
        status = make_room(m);
        if (status != POS_OK) {
            return status;
        }
    }
    for (; m->at < m->count && *moves > 0; m->at++, --*moves) {
        lay_entry(m);
    }
    return m->at < m->count ? POS_AGAIN : POS_OK;
}


void
pos_drawer_release(pos_drawer_t *drawer)
{
    if (drawer != NULL && --drawer->refs == 0) {
        free(drawer);
    }
}
