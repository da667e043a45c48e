/* What explaining takes, counted. */

#include "engine/effort.h"

#define ASK_ITEM    3    /* ticks of one item, whatever is asked */


void
pos_effort_init(pos_effort_t *e, const pos_cart_t *cart, uint64_t most)
{
    *e = (pos_effort_t) { .cart = cart, .most = most };
    for (uint32_t i = 0; i < cart->item_count; i++) {
        const pos_item_t *item = &cart->items[i];

        e->categories += item->category_count;
        e->tags += item->product->tag_count;
        e->attributes += item->product->attribute_count + (item->line ? item->line->attribute_count : 0);
    }
}


bool
pos_effort_take(pos_effort_t *e, uint64_t ticks)
{
    if (ticks > e->most - e->done) {
        e->stopped = true;
        return false;
    }
    e->done += ticks;
    return true;
}


/* Of one value against a set: short ones are compared one by one, others hashed first. */
static uint64_t
set_ticks(const pos_strset_t *set)
{
    return set->count > 4 ? 4 * POS_ASK_SET : POS_ASK_TEXT * (uint64_t) set->count;
}


bool
pos_effort_take_filter(pos_effort_t *e, const pos_filter_t *f)
{
    uint64_t n = e->cart->item_count, ticks = 10 + ASK_ITEM * n;

    for (; f != NULL; f = f->negated) {
        ticks += ASK_ITEM * n + (f->selection ? POS_ASK_SET * n : 0);
        if (f->any || f->sku.count == 1) {
            continue;    /* settled by that */
        }
        ticks += f->sku.count ? POS_ASK_SET * n : 0;
        ticks += f->category.count ? POS_ASK_SET * (n + e->categories) : 0;
        ticks += f->brand.count ? n * set_ticks(&f->brand) : 0;
        ticks += f->tag.count ? n + e->tags * set_ticks(&f->tag) : 0;
        for (uint32_t i = 0; i < f->attribute_count; i++) {
            ticks += POS_ASK_TEXT * e->attributes + n * set_ticks(&f->attributes[i].values);
        }
    }
    return pos_effort_take(e, ticks);
}
