#include "engine/index.h"
#include "engine/cart.h"
#include "engine/sorter.h"

#include <stdlib.h>

#define BLOCK    16
#define VISITED  32

typedef struct {
    int64_t  from, until, subtotal;
    uint64_t key;
    uint32_t promotion;
} entry_t;

/* Bounds over up to BLOCK entries of one list. */
typedef struct {
    int64_t  from, until, subtotal;    /* least, greatest, least */
    uint32_t first, count;             /* entries                */
} block_t;

typedef struct {
    uint64_t key;                      /* 0: free */
    uint32_t first, count;             /* blocks  */
} slot_t;

struct pos_index_s {
    uint32_t  words;                   /* of a set of promotions, 64 a word  */
    uint32_t  kinds;                   /* bit: some promotion is filed so    */
    uint32_t  entry_count, block_count;
    entry_t  *entries;                 /* by key, then latest end first      */
    block_t  *blocks;
    slot_t   *slots;
    size_t    mask;
};


/* ---- build ---- */

typedef enum {
    STAGE_GATHER,      /* asks each promotion for its keys       */
    STAGE_CLEAR,       /* empties the slots                      */
    STAGE_TOUCH,       /* and the room for entries               */
    STAGE_COUNT,       /* a slot a key, with how many it has     */
    STAGE_PLACE,       /* where each key's entries begin         */
    STAGE_SCATTER,     /* entries to their keys' places          */
    STAGE_CUT,         /* orders each list and cuts it in blocks */
    STAGE_DONE
} stage_t;

#define MOVES  16      /* small steps that a row counts */

struct pos_index_building_s {
    pos_book_t  *book;
    pos_index_t *index;
    stage_t      stage;
    uint32_t     next;                 /* promotion to ask                   */
    size_t       at;                   /* of the stage: slot or entry        */
    uint32_t     entries, blocks;      /* placed so far                      */
    entry_t     *gathered;             /* spare for sorting, once scattered  */
    uint32_t     count, room;
    bool         sorting;              /* the list of the slot `at`          */
    pos_sorter_t sorter;
};


static int
latest_first(const void *a, const void *b)
{
    const entry_t *x = a, *y = b;

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


static bool
gather(pos_index_building_t *g, uint64_t key, int64_t subtotal)
{
    const pos_promotion_t *p = g->book->promotions[g->next];

    if (g->count == g->room) {
        uint32_t room = g->room * 2;
        entry_t *grown = realloc(g->gathered, room * sizeof(*grown));

        if (grown == NULL) {
            return false;
        }
        g->gathered = grown;
        g->room = room;
    }
    g->gathered[g->count++] = (entry_t) { p->from, p->until, subtotal, key, g->next };
    return true;
}


static pos_status_t
gather_next(pos_index_building_t *g)
{
    uint64_t            always = pos_anchor_key(POS_ANCHOR_ALWAYS, 0);
    const pos_anchor_t *a = &g->book->promotions[g->next]->anchor;
    bool                any = a->kind == POS_ANCHOR_ALWAYS, room = true;

    for (uint32_t k = 0; room && k < (any ? 1 : a->count); k++) {
        room = gather(g, any ? always : a->keys[k], a->subtotal);
    }
    g->index->kinds |= a->kinds;
    g->next++;
    return room ? POS_OK : POS_NO_MEMORY;
}


static slot_t *
slot_of(const pos_index_t *index, uint64_t key)
{
    size_t i = key & index->mask;

    while (index->slots[i].key != 0 && index->slots[i].key != key) {
        i = (i + 1) & index->mask;
    }
    return &index->slots[i];
}


static pos_status_t
make_room(pos_index_building_t *g)
{
    pos_index_t *index = g->index;
    size_t       size = 16;

    while (size < 2 * (size_t) g->count) {
        size *= 2;
    }
    index->mask = size - 1;
    index->slots = pos_arena_alloc(g->book->arena, size * sizeof(*index->slots));
    index->entries = pos_arena_alloc(g->book->arena,
        (g->count + 1) * sizeof(*index->entries));
    index->entry_count = g->count;
    return index->slots == NULL || index->entries == NULL ? POS_NO_MEMORY : POS_OK;
}


/* How far a stage goes in one step: `at` up to what is given back. */
static size_t
until(const pos_index_building_t *g, size_t all, size_t moves)
{
    return moves < all - g->at ? g->at + moves : all;
}


static void
clear_slots(pos_index_building_t *g, size_t end)
{
    memset(&g->index->slots[g->at], 0, (end - g->at) * sizeof(*g->index->slots));
    g->at = end;
}


/* Scattering goes all over the entries: its first step would fault in a page a move,
 * which costs milliseconds where faults are dear. In order, a step takes a few. */
static void
touch_entries(pos_index_building_t *g, size_t end)
{
    memset(&g->index->entries[g->at], 0, (end - g->at) * sizeof(*g->index->entries));
    g->at = end;
}


static void
count_keys(pos_index_building_t *g, size_t end)
{
    for (; g->at < end; g->at++) {
        slot_t *slot = slot_of(g->index, g->gathered[g->at].key);

        slot->key = g->gathered[g->at].key;
        slot->count++;
    }
}


/* A slot's `first` and `count` are of entries here, of blocks in the end. */
static void
place_keys(pos_index_building_t *g, size_t end)
{
    for (; g->at < end; g->at++) {
        slot_t *slot = &g->index->slots[g->at];

        slot->first = g->entries;
        g->entries += slot->count;
        g->blocks += (slot->count + BLOCK - 1) / BLOCK;
        slot->count = 0;
    }
}


static void
scatter(pos_index_building_t *g, size_t end)
{
    pos_index_t *index = g->index;

    for (; g->at < end; g->at++) {
        slot_t *slot = slot_of(index, g->gathered[g->at].key);

        index->entries[slot->first + slot->count++] = g->gathered[g->at];
    }
}


static void
add_to_block(block_t *b, const entry_t *e)
{
    b->from = e->from < b->from ? e->from : b->from;
    b->until = e->until > b->until ? e->until : b->until;
    b->subtotal = e->subtotal < b->subtotal ? e->subtotal : b->subtotal;
    b->count++;
}


/* Cuts what is left of a list, at most `moves` entries; how many it cut. While a
 * list is cut its slot's `first` and `count` are of the entries left, and
 * `entries` and `blocks` of the building say where its blocks began. */
static uint32_t
cut_list(pos_index_building_t *g, slot_t *slot, uint32_t moves)
{
    pos_index_t *index = g->index;
    uint32_t     end = slot->first + (moves < slot->count ? moves : slot->count);
    uint32_t     cut = end - slot->first;
    block_t     *block;

    for (; slot->first < end; slot->first++, slot->count--) {
        block = index->block_count > g->blocks ? &index->blocks[index->block_count - 1] : NULL;
        if (block == NULL || block->count == BLOCK) {
            block = &index->blocks[index->block_count++];
            *block = (block_t) { INT64_MAX, INT64_MIN, INT64_MAX, slot->first, 0 };
        }
        add_to_block(block, &index->entries[slot->first]);
    }
    return cut;
}


/* One slot, or a part of one. */
static uint32_t
cut_slot(pos_index_building_t *g, uint32_t moves)
{
    pos_index_t *index = g->index;
    slot_t      *slot = &index->slots[g->at];
    uint32_t     cut;

    if (slot->key == 0) {
        g->at++;
        return 1;
    }
    if (!g->sorting) {
        g->sorting = true;
        g->blocks = index->block_count;
        pos_sorter_init(&g->sorter, &index->entries[slot->first], g->gathered, slot->count,
            sizeof(*index->entries), latest_first);
    }
    if (!pos_sorter_step(&g->sorter, moves)) {
        return moves;
    }
    cut = cut_list(g, slot, moves);
    if (slot->count == 0) {
        slot->first = g->blocks;
        slot->count = index->block_count - g->blocks;
        g->sorting = false;
        g->at++;
    }
    return cut;
}


static void
cut(pos_index_building_t *g, uint32_t moves)
{
    while (g->at <= g->index->mask && moves > 0) {
        uint32_t done = cut_slot(g, moves);

        moves -= done < moves ? done : moves;
    }
}


/* What begins a stage, once for all. */
static pos_status_t
enter_stage(pos_index_building_t *g)
{
    pos_index_t *index = g->index;

    g->at = 0;
    switch (++g->stage) {
    case STAGE_CLEAR:
        return make_room(g);
    case STAGE_SCATTER:
        index->blocks = pos_arena_alloc(g->book->arena, (g->blocks + 1) * sizeof(*index->blocks));
        return index->blocks == NULL ? POS_NO_MEMORY : POS_OK;
    default:
        return POS_OK;
    }
}


static pos_status_t
step_stage(pos_index_building_t *g, unsigned rows)
{
    size_t       moves = (size_t) rows * MOVES, slots = g->index->mask + 1;
    pos_status_t status = POS_OK;
    bool         over;

    switch (g->stage) {
    case STAGE_GATHER:
        while (rows-- > 0 && g->next < g->book->promotion_count && status == POS_OK) {
            status = gather_next(g);
        }
        over = g->next == g->book->promotion_count;
        break;
    case STAGE_CLEAR:
        clear_slots(g, until(g, slots, moves * 4));
        over = g->at == slots;
        break;
    case STAGE_TOUCH:
        touch_entries(g, until(g, g->count, moves));
        over = g->at == g->count;
        break;
    case STAGE_COUNT:
        count_keys(g, until(g, g->count, moves));
        over = g->at == g->count;
        break;
    case STAGE_PLACE:
        place_keys(g, until(g, slots, moves * 4));
        over = g->at == slots;
        break;
    case STAGE_SCATTER:
        scatter(g, until(g, g->count, moves));
        over = g->at == g->count;
        break;
    default:
        cut(g, (uint32_t) moves);
        over = g->at == slots;
        break;
    }
    return status == POS_OK && over ? enter_stage(g) : status;
}


pos_status_t
pos_index_building_create(pos_book_t *book, pos_index_building_t **out)
{
    pos_index_building_t *g = calloc(1, sizeof(*g));

    if (g == NULL) {
        return POS_NO_MEMORY;
    }
    g->book = book;
    g->room = 4 * book->promotion_count + 64;    /* seldom grows; untouched it costs nothing */
    g->index = pos_arena_zalloc(book->arena, sizeof(*g->index));
    g->gathered = malloc(g->room * sizeof(*g->gathered));
    if (g->index == NULL || g->gathered == NULL) {
        pos_index_building_destroy(g);
        return POS_NO_MEMORY;
    }
    g->index->words = (book->promotion_count + 63) / 64;
    *out = g;
    return POS_OK;
}


pos_status_t
pos_index_building_step(pos_index_building_t *g, unsigned rows)
{
    pos_status_t status = step_stage(g, rows > 0 ? rows : 1);

    if (status != POS_OK) {
        return status;
    }
    if (g->stage < STAGE_DONE) {
        return POS_AGAIN;
    }
    g->book->index = g->index;
    return POS_OK;
}


void
pos_index_building_destroy(pos_index_building_t *g)
{
    if (g != NULL) {
        free(g->gathered);
        free(g);
    }
}


pos_status_t
pos_index_build(pos_book_t *book)
{
    pos_index_building_t *g;
    pos_status_t          status = pos_index_building_create(book, &g);

    if (status != POS_OK) {
        return status;
    }
    do {
        status = pos_index_building_step(g, 1000);
    } while (status == POS_AGAIN);
    pos_index_building_destroy(g);
    return status;
}


/* ---- look up ---- */

typedef struct {
    const pos_index_t *index;
    const pos_cart_t  *cart;
    uint64_t          *set;
    uint32_t           marked;
    uint32_t           visited_count;
    const slot_t      *visited[VISITED];
} lookup_t;


static void
mark(lookup_t *l, uint32_t promotion)
{
    uint64_t bit = UINT64_C(1) << promotion % 64;

    l->marked += (l->set[promotion / 64] & bit) == 0;
    l->set[promotion / 64] |= bit;
}


/* A category's long list is walked once, however many lines are in it. */
static bool
visited_before(lookup_t *l, const slot_t *slot)
{
    if (slot->count == 1) {
        return false;
    }
    for (uint32_t i = 0; i < l->visited_count; i++) {
        if (l->visited[i] == slot) {
            return true;
        }
    }
    if (l->visited_count < VISITED) {
        l->visited[l->visited_count++] = slot;
    }
    return false;
}


static void
visit_block(lookup_t *l, const block_t *b)
{
    int64_t at = l->cart->at, subtotal = l->cart->subtotal;

    for (uint32_t i = b->first; i < b->first + b->count; i++) {
        const entry_t *e = &l->index->entries[i];

        if (e->until > at && e->from <= at && e->subtotal <= subtotal) {
            mark(l, e->promotion);
        }
    }
}


static void
visit(lookup_t *l, uint64_t key)
{
    const slot_t  *slot = slot_of(l->index, key);
    const block_t *b, *end;

    if (slot->key == 0 || visited_before(l, slot)) {
        return;
    }
    b = &l->index->blocks[slot->first];
    end = b + slot->count;
    /* Latest end first: once a block has ended, all behind it have. */
    for (; b < end && b->until > l->cart->at; b++) {
        if (b->from <= l->cart->at && b->subtotal <= l->cart->subtotal) {
            visit_block(l, b);
        }
    }
}


static bool
filed(const lookup_t *l, pos_anchor_kind_t kind)
{
    return (l->index->kinds >> kind & 1) != 0;
}


static void
visit_attributes(lookup_t *l, pos_anchor_kind_t kind, const pos_attribute_t *a,
    uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        visit(l, pos_anchor_pair(kind, a[i].name, a[i].value));
    }
}


static void
visit_item(lookup_t *l, const pos_item_t *item)
{
    const pos_product_t *p = item->product;

    if (filed(l, POS_ANCHOR_SKU)) {
        visit(l, pos_anchor_key(POS_ANCHOR_SKU, item->sku_hash));
    }
    if (filed(l, POS_ANCHOR_ATTRIBUTE)) {
        visit_attributes(l, POS_ANCHOR_ATTRIBUTE, p->attributes, p->attribute_count);
        if (item->line != NULL) {
            visit_attributes(l, POS_ANCHOR_ATTRIBUTE, item->line->attributes,
                item->line->attribute_count);
        }
    }
    for (uint32_t i = 0; i < p->tag_count && filed(l, POS_ANCHOR_TAG); i++) {
        visit(l, pos_anchor_key(POS_ANCHOR_TAG, pos_hash64(p->tags[i])));
    }
    if (filed(l, POS_ANCHOR_BRAND)) {
        visit(l, pos_anchor_key(POS_ANCHOR_BRAND, pos_hash64(p->brand)));
    }
    for (uint32_t i = 0; i < item->category_count && filed(l, POS_ANCHOR_CATEGORY); i++) {
        visit(l, pos_anchor_key(POS_ANCHOR_CATEGORY, item->categories[i]->hash));
    }
}


static void
visit_str(lookup_t *l, pos_anchor_kind_t kind, pos_str_t value)
{
    if (value.len > 0 && filed(l, kind)) {
        visit(l, pos_anchor_key(kind, pos_hash64(value)));
    }
}


static void
visit_set(lookup_t *l, pos_anchor_kind_t kind, const pos_strset_t *set)
{
    for (uint32_t i = 0; i < set->count && filed(l, kind); i++) {
        visit(l, pos_anchor_key(kind, set->hashes[i]));
    }
}


static void
visit_coupons(lookup_t *l, const pos_coupon_t *const *coupons, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < coupons[i]->promotion_count; k++) {
            uintptr_t found = (uintptr_t) pos_map_get(&l->cart->book->promotion_by_id,
                coupons[i]->promotions[k]);

            if (found != 0) {
                mark(l, (uint32_t) (found - 1));
            }
        }
    }
}


static void
visit_cart(lookup_t *l)
{
    const pos_cart_t *cart = l->cart;

    visit(l, pos_anchor_key(POS_ANCHOR_ALWAYS, 0));
    for (uint32_t i = 0; i < cart->item_count; i++) {
        if (!cart->items[i].gift) {
            visit_item(l, &cart->items[i]);
        }
    }
    visit_str(l, POS_ANCHOR_CUSTOMER, cart->customer_id);
    visit_set(l, POS_ANCHOR_GROUP, &cart->customer_groups);
    if (filed(l, POS_ANCHOR_CART_ATTRIBUTE)) {
        visit_attributes(l, POS_ANCHOR_CART_ATTRIBUTE, cart->attributes,
            cart->attribute_count);
    }
    if (cart->store != NULL) {
        visit_str(l, POS_ANCHOR_STORE, cart->store->code);
    }
    visit_str(l, POS_ANCHOR_CHANNEL, cart->channel);
    visit_set(l, POS_ANCHOR_TENDER, &cart->tenders);
    visit_str(l, POS_ANCHOR_COUNTRY, cart->ship_country);
    visit_str(l, POS_ANCHOR_FULFILMENT, cart->fulfilment);
}


/* With explain everything is looked at, so that each promotion can say why it
 * does not apply; which ones apply stays the same. */
static void
mark_all(lookup_t *l, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        mark(l, i);
    }
}


static pos_status_t
list_marked(const lookup_t *l, const uint32_t **out, uint32_t *count)
{
    uint32_t *list = pos_arena_alloc(l->cart->arena, (l->marked + 1) * sizeof(*list));
    uint32_t  left = l->marked;

    if (list == NULL) {
        return POS_NO_MEMORY;
    }
    *out = list;
    *count = l->marked;
    for (uint32_t w = 0; left > 0; w++) {
        if (l->set[w] == 0) {
            continue;
        }
        left -= (uint32_t) __builtin_popcountll(l->set[w]);
        for (uint64_t bits = l->set[w]; bits != 0; bits &= bits - 1) {
            *list++ = w * 64 + (uint32_t) __builtin_ctzll(bits);
        }
    }
    return POS_OK;
}


pos_status_t
pos_index_candidates(const pos_cart_t *cart, const pos_coupon_t *const *coupons,
    uint32_t coupon_count, const uint32_t **out, uint32_t *count)
{
    lookup_t l = { .index = cart->book->index, .cart = cart };

    l.set = pos_arena_array(cart->arena, l.index->words + 1, sizeof(*l.set));
    if (l.set == NULL) {
        return POS_NO_MEMORY;
    }
    if (cart->explain) {
        mark_all(&l, cart->book->promotion_count);
    } else {
        visit_cart(&l);
        visit_coupons(&l, coupons, coupon_count);
    }
    return list_marked(&l, out, count);
}
