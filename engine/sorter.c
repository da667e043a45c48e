/* Merging runs of growing width, from below. What comes in order, as most of what is ordered
 * anew after a change does, is only looked through. */

#include "engine/sorter.h"


static uint32_t
least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}


/* The pair of runs that begins at `first`. */
static void
open_pair(pos_sorter_t *s, uint32_t first)
{
    s->left = first;
    s->left_end = s->right = first + least(s->width, s->count - first);
    s->right_end = s->right + least(s->width, s->count - s->right);
}


void
pos_sorter_init(pos_sorter_t *s, void *items, void *spare, uint32_t count, size_t size,
    pos_order_pt order)
{
    *s = (pos_sorter_t) { .from = items, .to = spare, .items = items, .size = size,
        .count = count, .width = 1, .order = order };
    open_pair(s, 0);
}


static bool
takes_left(const pos_sorter_t *s)
{
    if (s->left == s->left_end || s->right == s->right_end) {
        return s->right == s->right_end;
    }
    return s->order(s->from + s->left * s->size, s->from + s->right * s->size) <= 0;
}


static void
move(pos_sorter_t *s)
{
    uint32_t which;

    if (s->left == s->left_end && s->right == s->right_end) {
        open_pair(s, s->right_end);
    }
    which = takes_left(s) ? s->left++ : s->right++;
    memcpy(s->to + s->out * s->size, s->from + which * s->size, s->size);
    s->out++;
}


/* A last pass over one run only copies: back to where the items shall be. */
static bool
done(const pos_sorter_t *s)
{
    return s->width >= s->count && s->from == s->items;
}


/* Looks at most `moves` items further; true: all are in order. */
static bool
ascends(pos_sorter_t *s, uint32_t *moves)
{
    for (; s->ascend + 1 < s->count && *moves > 0; s->ascend++, --*moves) {
        const char *item = s->items + s->ascend * s->size;

        if (s->order(item, item + s->size) > 0) {
            s->merging = true;
            return false;
        }
    }
    return s->ascend + 1 >= s->count;
}


bool
pos_sorter_step(pos_sorter_t *s, uint32_t moves)
{
    char *from;

    if (!s->merging && ascends(s, &moves)) {
        return true;
    }
    if (!s->merging) {
        return false;
    }
    while (!done(s)) {
        while (s->out < s->count && moves > 0) {
            move(s);
            moves--;
        }
        if (s->out < s->count) {
            return false;
        }
        from = s->from;
        s->from = s->to;
        s->to = from;
        s->width = s->width > s->count / 2 ? s->count : s->width * 2;
        s->out = 0;
        open_pair(s, 0);
    }
    return true;
}
