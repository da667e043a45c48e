/*
 * What is counted: of a chunk in its own arena, of all in one of bounded size. A group
 * that comes when a table is full is counted with the others; which do follows from the
 * order of the orders alone.
 */

#include "posd/backtest_data.h"

#include <stdlib.h>


static bool
groups_init(pos_groups_t *g, pos_arena_t *arena)
{
    memset(g, 0, sizeof(*g));
    g->arena = arena;
    g->last = &g->first;
    return pos_map_init(&g->by_key, arena, 16) == POS_OK;
}


static bool
counts_init(pos_counts_t *c, pos_arena_t *arena)
{
    memset(c, 0, sizeof(*c));
    c->arena = arena;
    c->last = &c->first;
    return pos_map_init(&c->by_key, arena, 16) == POS_OK;
}


bool
pos_tally_reset(pos_tally_t *t, uint32_t sample)
{
    static const uint32_t most[POS_CARTS] = { POS_BACKTEST_WORST, POS_BACKTEST_WORST, 0 };
    pos_arena_t          *arena = t->arena;

    pos_arena_reset(arena);
    memset(t, 0, sizeof(*t));
    t->arena = arena;
    for (unsigned k = 0; k < POS_CARTS; k++) {
        t->carts[k].kind = (pos_carts_kind_t) k;
        t->carts[k].most = k == POS_CARTS_SAMPLE ? sample : most[k];
    }
    return groups_init(&t->totals, arena) && groups_init(&t->days, arena) && groups_init(&t->stores, arena)
           && groups_init(&t->categories, arena) && groups_init(&t->customer_groups, arena)
           && counts_init(&t->reasons, arena) && counts_init(&t->conflicts, arena)
           && counts_init(&t->failures, arena);
}


/* ---- groups ---- */

/* The first of those of its key, or where that one goes; full: that of the others. */
static pos_group_t **
groups_head(pos_groups_t *g, pos_str_t key, pos_group_t **found)
{
    *found = pos_map_get(&g->by_key, key);
    if (*found != NULL) {
        return found;
    }
    return g->count >= POS_BACKTEST_GROUPS ? &g->others : NULL;
}


static pos_group_t *
groups_add(pos_groups_t *g, pos_str_t key, pos_str_t currency)
{
    pos_group_t *row = pos_arena_zalloc(g->arena, sizeof(*row));

    if (row == NULL) {
        return NULL;
    }
    row->currency = pos_arena_str(g->arena, currency);
    if (key.data != NULL) {
        row->key = pos_arena_str(g->arena, key);
    }
    if (row->currency.data == NULL || (key.data != NULL && row->key.data == NULL)) {
        return NULL;
    }
    *g->last = row;
    g->last = &row->next;
    g->count++;
    return row;
}


static pos_group_t *
of_currency(pos_group_t *row, pos_str_t currency)
{
    while (row != NULL && !pos_str_eq(row->currency, currency)) {
        row = row->same;
    }
    return row;
}


static pos_group_t *
find_row(pos_groups_t *g, pos_str_t key, pos_str_t currency)
{
    pos_group_t *found = NULL, **head = key.data == NULL ? &g->none : groups_head(g, key, &found), *row;

    row = head != NULL ? of_currency(*head, currency) : NULL;
    if (row != NULL) {
        return row;
    }
    row = groups_add(g, head == &g->others ? (pos_str_t) { NULL, 0 } : key, currency);
    if (row == NULL) {
        return NULL;
    }
    row->others = head == &g->others;
    if (head == NULL) {
        return pos_map_set(&g->by_key, row->key, row, NULL) == POS_OK ? row : NULL;
    }
    if (*head == NULL) {
        *head = row;
    } else {
        row->same = (*head)->same;
        (*head)->same = row;
    }
    return row;
}


/* Lines are of a few categories in turn: most rows were asked for a moment ago. */
pos_group_t *
pos_groups_row(pos_groups_t *g, pos_str_t key, pos_str_t currency)
{
    pos_group_t **lately, *row;

    if (key.len == 0) {
        return find_row(g, key, currency);
    }
    lately = &g->lately[((unsigned char) key.data[0] + 3u * (unsigned char) key.data[key.len / 2]
        + 7u * (unsigned char) key.data[key.len - 1]) % POS_GROUPS_LATELY];
    row = *lately;
    if (row == NULL || !pos_str_eq(row->key, key) || !pos_str_eq(row->currency, currency)) {
        row = *lately = find_row(g, key, currency);
    }
    return row;
}


void
pos_group_order(pos_group_t *row, uint64_t order, bool touched)
{
    if (row->last != order) {
        row->last = order;
        row->orders++;
        row->touched += touched;
    }
}


/* For every line of every order: without a branch, so that several are added at once. A sum is over
 * where its sign is neither of those that were added. */
bool
pos_figures_add(pos_figures_t *restrict to, const pos_figures_t *restrict from)
{
    int64_t       *restrict a = to->amount[0];
    const int64_t *restrict b = from->amount[0];
    int64_t                 over = 0;

    for (unsigned k = 0; k < POS_WAYS * POS_AMOUNTS; k++) {
        int64_t sum = (int64_t) ((uint64_t) a[k] + (uint64_t) b[k]);

        over |= (a[k] ^ sum) & (b[k] ^ sum);
        a[k] = sum;
    }
    return !__builtin_add_overflow(to->costed, from->costed, &to->costed) && over >= 0;
}


static void
groups_merge(pos_tally_t *all, pos_groups_t *to, const pos_groups_t *from)
{
    for (const pos_group_t *row = from->first; row != NULL; row = row->next) {
        pos_group_t *sum;

        if (row->others) {
            pos_group_t *head = to->others;

            sum = of_currency(head, row->currency);
            if (sum == NULL) {
                sum = groups_add(to, row->key, row->currency);
                if (sum != NULL) {
                    sum->others = true;
                    sum->same = head;
                    to->others = sum;
                }
            }
        } else {
            sum = pos_groups_row(to, row->key, row->currency);
        }
        if (sum == NULL) {
            all->no_memory = true;
            return;
        }
        sum->orders += row->orders;
        sum->touched += row->touched;
        all->overflow |= !pos_figures_add(&sum->figures, &row->figures);
    }
}


/* ---- counts ---- */

pos_count_t *
pos_counts_row(pos_counts_t *c, pos_str_t a, pos_str_t b, uint32_t most, bool *full)
{
    char         bytes[512];
    pos_str_t    key = { bytes, a.len + 1 + b.len };
    pos_count_t *row;

    *full = false;
    if (key.len > sizeof(bytes)) {
        b.len = sizeof(bytes) - 1 - (a.len < 256 ? a.len : 256);
        a.len = a.len < 256 ? a.len : 256;
        key.len = a.len + 1 + b.len;
    }
    memcpy(bytes, a.data, a.len);
    bytes[a.len] = 0;
    if (b.len > 0) {
        memcpy(bytes + a.len + 1, b.data, b.len);
    }
    row = pos_map_get(&c->by_key, key);
    if (row != NULL) {
        return row;
    }
    *full = most > 0 && c->count >= most;
    row = *full ? NULL : pos_arena_zalloc(c->arena, sizeof(*row));
    if (row == NULL) {
        return NULL;
    }
    row->key = pos_arena_str(c->arena, key);
    if (row->key.data == NULL || pos_map_set(&c->by_key, row->key, row, NULL) != POS_OK) {
        return NULL;
    }
    *c->last = row;
    c->last = &row->next;
    c->count++;
    return row;
}


static void
counts_merge(pos_tally_t *all, pos_counts_t *to, const pos_counts_t *from, uint32_t most)
{
    for (const pos_count_t *row = from->first; row != NULL; row = row->next) {
        size_t       a = strnlen(row->key.data, row->key.len);
        bool         full;
        pos_count_t *sum = pos_counts_row(to, pos_str_of(row->key.data, a),
                  pos_str_of(row->key.data + a + 1, row->key.len - a - 1), most, &full);

        if (full) {
            all->refused_otherwise += row->orders;
            continue;
        }
        if (sum == NULL) {
            all->no_memory = true;
            return;
        }
        if (sum->orders == 0) {
            sum->first = row->first.data != NULL ? pos_arena_str(to->arena, row->first) : row->first;
            sum->message = row->message.data != NULL ? pos_arena_str(to->arena, row->message) : row->message;
            all->no_memory |= (row->first.data != NULL && sum->first.data == NULL)
                              || (row->message.data != NULL && sum->message.data == NULL);
        }
        sum->orders += row->orders;
        all->overflow |= __builtin_add_overflow(sum->without, row->without, &sum->without)
                         || __builtin_add_overflow(sum->with, row->with, &sum->with);
    }
}


/* ---- carts ---- */

/* Is a shown before b? Of two alike the earlier order. */
static bool
before(pos_carts_kind_t kind, const pos_shown_t *a, const pos_shown_t *b)
{
    __int128 x = 0, y = 0;

    switch (kind) {
    case POS_CARTS_DEEPEST:
        x = (__int128) b->discount * a->before;
        y = (__int128) a->discount * b->before;
        break;
    case POS_CARTS_LOWEST:
        x = a->margin;
        y = b->margin;
        break;
    default:
        x = (__int128) a->hash;
        y = (__int128) b->hash;
        break;
    }
    return x != y ? x < y : a->seq < b->seq;
}


bool
pos_carts_wants(const pos_carts_t *carts, const pos_shown_t *cart)
{
    return carts->count < carts->most || (carts->most > 0 && before(carts->kind, cart, &carts->list[carts->count - 1]));
}


void
pos_carts_put(pos_carts_t *carts, const pos_shown_t *cart, pos_str_t *out)
{
    uint32_t i = carts->count;

    *out = (pos_str_t) { NULL, 0 };
    if (i == carts->most) {
        *out = carts->list[--i].text;
    } else {
        carts->count++;
    }
    for (; i > 0 && before(carts->kind, cart, &carts->list[i - 1]); i--) {
        carts->list[i] = carts->list[i - 1];
    }
    carts->list[i] = *cart;
}


static void
carts_merge(pos_tally_t *all, pos_carts_t *to, const pos_carts_t *from)
{
    for (uint32_t i = 0; i < from->count && pos_carts_wants(to, &from->list[i]); i++) {
        pos_shown_t cart = from->list[i];
        char       *text = malloc(cart.text.len);
        pos_str_t   out;

        if (text == NULL) {
            all->no_memory = true;
            return;
        }
        memcpy(text, cart.text.data, cart.text.len);
        cart.text.data = text;
        pos_carts_put(to, &cart, &out);
        free((char *) (uintptr_t) out.data);
    }
}


/* ---- all ---- */

void
pos_tally_add(pos_tally_t *all, const pos_tally_t *t)
{
    all->read += t->read;
    all->priced += t->priced;
    all->touched += t->touched;
    all->applied += t->applied;
    all->refused += t->refused;
    all->not_proved += t->not_proved;
    all->refused_otherwise += t->refused_otherwise;
    all->engine_ns += t->engine_ns;
    all->read_ns += t->read_ns;
    all->no_memory |= t->no_memory;
    all->overflow |= t->overflow;
    groups_merge(all, &all->totals, &t->totals);
    groups_merge(all, &all->days, &t->days);
    groups_merge(all, &all->stores, &t->stores);
    groups_merge(all, &all->categories, &t->categories);
    groups_merge(all, &all->customer_groups, &t->customer_groups);
    counts_merge(all, &all->reasons, &t->reasons, POS_BACKTEST_REASONS);
    counts_merge(all, &all->conflicts, &t->conflicts, 0);
    counts_merge(all, &all->failures, &t->failures, 0);
    for (unsigned k = 0; k < POS_CARTS; k++) {
        carts_merge(all, &all->carts[k], &t->carts[k]);
    }
}


void
pos_tally_drop(pos_tally_t *all)
{
    for (unsigned k = 0; k < POS_CARTS; k++) {
        for (uint32_t i = 0; i < all->carts[k].count; i++) {
            free((char *) (uintptr_t) all->carts[k].list[i].text.data);
        }
        all->carts[k].count = 0;
    }
}
