/*
 * The bound on a component's options: that an item's units go to one deal each is
 * priced by a multiplier, and each deal then takes the option that is best for it
 * alone.
 */

#include "engine/solve_options.h"

#define PATIENCE   4
#define FULL_STEP  1024
#define FINE       256     /* of a direction */

/* What each deal would take at the multipliers, what is wanted of each item beyond
 * its units, and the bound. */
static int64_t
price(pos_component_t *c, int64_t *excess)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < c->item_count; i++) {
        sum += c->lambda[i] * c->units[i];
        excess[i] = -c->units[i];
    }
    for (uint32_t d = 0; d < c->count; d++) {
        pos_chooser_t *chooser = &c->choosers[d];
        int64_t        lambda[POS_OPTION_ITEMS], most = INT64_MIN;

        if (!chooser->alive) {
            continue;
        }
        for (uint32_t i = 0; i < chooser->own_count; i++) {
            lambda[i] = c->lambda[chooser->own[i]];
        }
        for (uint32_t k = 0; k < chooser->count; k++) {
            const pos_option_t *o = &chooser->options[k];
            int64_t             value = o->saved;

            for (uint32_t i = 0; i < chooser->own_count; i++) {
                value -= lambda[i] * o->take[chooser->own[i]];
            }
            if (value > most) {
                most = value;
                chooser->best = k;
            }
        }
        sum += most;
        for (uint32_t i = 0; i < chooser->own_count; i++) {
            excess[chooser->own[i]] += chooser->options[chooser->best].take[chooser->own[i]];
        }
        c->z->work += 1 + chooser->count * (2 + chooser->own_count) / 8;
    }
    return sum;
}

/* How much each option loses at the multipliers. */
static void
find_losses(pos_component_t *c)
{
    for (uint32_t d = 0; d < c->count; d++) {
        pos_chooser_t *chooser = &c->choosers[d];
        int64_t        most = INT64_MIN;

        for (uint32_t k = 0; k < chooser->count && chooser->alive; k++) {
            pos_option_t *o = &chooser->options[k];

            o->loss = o->saved;
            for (uint32_t i = 0; i < chooser->own_count; i++) {
                o->loss -= c->lambda[chooser->own[i]] * o->take[chooser->own[i]];
            }
            most = o->loss > most ? o->loss : most;
        }
        for (uint32_t k = 0; k < chooser->count && chooser->alive; k++) {
            chooser->options[k].loss = most - chooser->options[k].loss;
        }
        c->z->work += 1 + chooser->count / 4;
    }
}

static void
set_x(const pos_component_t *c, uint32_t chooser, uint32_t option)
{
    const pos_chooser_t *at = &c->choosers[chooser];
    const pos_option_t  *o = &at->options[option];

    if (at->deal == POS_NIL) {
        set_x(c, at->left, o->a);
        if (at->right != POS_NIL) {
            set_x(c, at->right, o->b);
        }
        return;
    }
    for (uint32_t k = 0; k < c->z->deals[at->deal].count; k++) {
        c->z->vars[c->z->deals[at->deal].first + k].x = at->x[(size_t) o->a * c->z->deals[at->deal].count + k];
    }
}

void
pos_options_note(pos_component_t *c)
{
    for (uint32_t d = 0; d < c->count; d++) {
        if (c->choosers[d].alive) {
            set_x(c, d, c->choosers[d].best);
        }
    }
    pos_search_note(c->z);
}

/* The way to go: against the excess, with what is left of the ways before. Its
 * square; 0: there is none. */
static int64_t
turn(const pos_component_t *c, const int64_t *excess, int64_t *way, bool *over)
{
    int64_t norm = 0, any = 0;

    *over = false;
    for (uint32_t i = 0; i < c->item_count; i++) {
        int64_t e = excess[i] < 0 && c->lambda[i] == 0 ? 0 : excess[i];

        *over |= e > 0;
        any |= e;
        way[i] = e * FINE + way[i] * 3 / 4;
        norm += way[i] * way[i];
    }
    return any ? norm : 0;
}

/* To start from: half of what the best option with the item saves by unit. */
void
pos_options_guess(pos_component_t *c)
{
    for (uint32_t d = 0; d < c->count; d++) {
        for (uint32_t k = 0; k < c->choosers[d].count; k++) {
            const pos_option_t *o = &c->choosers[d].options[k];
            int64_t             units = 0;

            for (uint32_t i = 0; i < c->choosers[d].own_count; i++) {
                units += o->take[c->choosers[d].own[i]];
            }
            for (uint32_t i = 0; i < c->choosers[d].own_count; i++) {
                uint32_t item = c->choosers[d].own[i];

                if (o->take[item] && o->saved / units / 2 > c->lambda[item]) {
                    c->lambda[item] = o->saved / units / 2;
                }
            }
        }
        c->z->work += 1 + c->choosers[d].count / 2;
    }
}

int64_t
pos_options_bound(pos_component_t *c, uint32_t steps)
{
    pos_solve_t *z = c->z;
    int64_t      kept[POS_OPTION_ITEMS], excess[POS_OPTION_ITEMS], way[POS_OPTION_ITEMS] = { 0 };
    int64_t      best = INT64_MAX, theta = FULL_STEP;
    uint32_t     worse = 0;

    for (uint32_t k = 0; k < steps; k++) {
        int64_t now = price(c, excess), norm, gap, by;
        bool    over;

        z->work += c->item_count / 4;
        if (now < best) {
            best = now;
            worse = 0;
            memcpy(kept, c->lambda, sizeof(kept));
        } else if (++worse >= PATIENCE) {
            theta /= 2;
            worse = 0;
            memcpy(c->lambda, kept, sizeof(kept));
            (void) price(c, excess);
        }
        norm = turn(c, excess, way, &over);
        if (!over) {
            pos_options_note(c);
        }
        if (norm == 0 || best < z->best + POS_SCALE) {
            break;
        }
        gap = best - z->best < best / 16 ? best - z->best : best / 16;
        by = (int64_t) (((__int128) gap << 20) * theta / FULL_STEP * FINE / norm);
        for (uint32_t i = 0; i < c->item_count; i++) {
            int64_t to = c->lambda[i] + (int64_t) ((__int128) by * way[i] >> 20);

            c->lambda[i] = to > 0 ? to : 0;
        }
    }
    memcpy(c->lambda, kept, sizeof(kept));
    find_losses(c);
    return best;
}

static bool
before(const pos_option_key_t *a, const pos_option_key_t *b)
{
    return a->loss < b->loss || (a->loss == b->loss && a->at < b->at);
}

void
pos_options_order(pos_component_t *c, const pos_option_t *from, uint32_t count, pos_option_t *to)
{
    static const uint32_t steps[] = { 701, 301, 132, 57, 23, 10, 4, 1 };
    pos_option_key_t     *keys = c->keys;

    for (uint32_t k = 0; k < count; k++) {
        keys[k] = (pos_option_key_t) { from[k].loss, k };
    }
    for (uint32_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
        for (uint32_t k = steps[s]; k < count; k++) {
            pos_option_key_t key = keys[k];
            uint32_t         j = k;

            for (; j >= steps[s] && before(&key, &keys[j - steps[s]]); j -= steps[s]) {
                keys[j] = keys[j - steps[s]];
            }
            keys[j] = key;
        }
    }
    for (uint32_t k = 0; k < count; k++) {
        to[k] = from[keys[k].at];
    }
    c->z->work += 1 + count / 2;
}

void
pos_options_drop(pos_component_t *c, int64_t gap)
{
    for (uint32_t d = 0; d < c->count; d++) {
        pos_chooser_t *chooser = &c->choosers[d];
        uint32_t       n = 0;

        for (uint32_t k = 0; k < chooser->count; k++) {
            if (chooser->options[k].loss <= gap) {
                c->drafts[n++] = chooser->options[k];
            }
        }
        pos_options_order(c, c->drafts, n, chooser->options);
        chooser->count = chooser->listed = n;
    }
}
