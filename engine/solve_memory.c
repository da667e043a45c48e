/* Memory of the search: what it has from the start, and what comes and goes with it. */

#include "engine/solve.h"

/* ---- what comes and goes ---- */

void *
pos_pool_alloc(pos_solve_t *z, size_t size)
{
    pos_pool_t *p = &z->pool;
    void       *got;

    size = (size + 15) & ~(size_t) 15;
    if (size > POS_POOL_CHUNK || pos_broken(z)) {
        z->too_large = true;
        return NULL;
    }
    if (p->at.chunk == 0 || p->at.used + size > POS_POOL_CHUNK) {
        if (p->at.chunk == POS_POOL_CHUNKS) {
            z->too_large = true;
            return NULL;
        }
        if (p->at.chunk == p->count) {
            p->chunks[p->count] = pos_arena_alloc(z->plan->work->arena, POS_POOL_CHUNK);
            if (p->chunks[p->count] == NULL) {
                z->status = POS_NO_MEMORY;
                return NULL;
            }
            p->count++;
        }
        p->at = (pos_pool_mark_t) { p->at.chunk + 1, 0 };
    }
    got = p->chunks[p->at.chunk - 1] + p->at.used;
    p->at.used += size;
    return got;
}

bool
pos_pool_fits(const pos_solve_t *z, size_t size)
{
    const pos_pool_t *p = &z->pool;

    return size <= POS_POOL_CHUNK &&
        (p->at.chunk < POS_POOL_CHUNKS || p->at.used + ((size + 15) & ~(size_t) 15) <= POS_POOL_CHUNK);
}

/* ---- from the start ---- */

static pos_claims_t *
new_claims(const pos_plan_t *plan, uint32_t room)
{
    pos_arena_t  *arena = plan->work->arena;
    pos_claims_t *c = pos_arena_zalloc(arena, sizeof(*c));

    if (c == NULL) {
        return NULL;
    }
    c->room = room;
    c->items = pos_arena_alloc(arena, (room + 1) * sizeof(*c->items));
    c->units = pos_arena_alloc(arena, (room + 1) * sizeof(*c->units));
    c->bits = pos_arena_alloc(arena, (size_t) (room + 1) * plan->words * sizeof(*c->bits));
    c->times = pos_arena_array(arena, plan->act_count + 1, sizeof(*c->times));
    return c->items && c->units && c->bits && c->times ? c : NULL;
}

/* Do the model's sums fit? Each is of what units cost, once for each promotion at most. */
static bool
fits_model(const pos_plan_t *plan, size_t units)
{
    __int128 all = (__int128) plan->work->cart.subtotal + plan->work->cart.shipping_amount;

    return all * POS_SCALE * 8 * (__int128) (units + plan->act_count + 1) <= INT64_MAX;
}

#define MOST_DEPTH  400

bool
pos_solve_room(pos_solve_t *z, const pos_solution_t *known)
{
    const pos_plan_t *plan = z->plan;
    pos_arena_t      *arena = plan->work->arena;
    size_t            vars = 0, deals = 0, units = 0, cands = plan->candidate_count + 1;
    uint32_t          subsets = 1;

    z->item_count = plan->work->cart.item_count;
    for (uint32_t i = 0; i < z->item_count; i++) {
        units += (size_t) plan->work->cart.items[i].units;
    }
    for (uint32_t a = 0; a < plan->act_count; a++) {
        vars += (size_t) plan->acts[a].pick_count * (1 + plan->acts[a].effect->get_count);
        subsets = plan->acts[a].subset_count > subsets ? plan->acts[a].subset_count : subsets;
        deals += plan->acts[a].phase == POS_PHASE_DEAL;
    }
    z->too_large = vars > POS_SOLVE_VARS || units > POS_SOLVE_TABLE || !fits_model(plan, units);
    vars = vars < POS_SOLVE_VARS ? vars : POS_SOLVE_VARS;
    units = units < 4096 ? units : 4096;
    z->depth_room = MOST_DEPTH;
    z->trail_room = (uint32_t) vars * 4 + 4096;
    z->allowed = pos_arena_zalloc(arena, cands);
    z->must = pos_arena_zalloc(arena, cands);
    z->in_chain = pos_arena_zalloc(arena, plan->act_count + 1);
    z->items = pos_arena_array(arena, z->item_count + 1, sizeof(*z->items));
    z->vars = pos_arena_alloc(arena, (vars + 1) * sizeof(*z->vars));
    z->deals = pos_arena_alloc(arena, (deals + 1) * sizeof(*z->deals));
    z->slack = pos_arena_alloc(arena, subsets * sizeof(int64_t));
    z->best_x = pos_arena_alloc(arena, (vars + 1) * sizeof(int32_t));
    z->trail = pos_arena_alloc(arena, z->trail_room * sizeof(*z->trail));
    z->lambdas = pos_arena_alloc(arena, (size_t) z->depth_room * (z->item_count + 1) * sizeof(int64_t));
    z->mus = pos_arena_alloc(arena, z->depth_room * sizeof(int64_t));
    z->halves = pos_arena_alloc(arena, z->depth_room * sizeof(int32_t));
    z->left = pos_arena_alloc(arena, (z->item_count + 1) * sizeof(int32_t));
    z->elsewhere = pos_arena_alloc(arena, (z->item_count + 1) * sizeof(int64_t));
    z->keep = pos_arena_alloc(arena, (2 * vars + 1) * sizeof(int32_t));
    z->claims = new_claims(plan, (uint32_t) units);
    z->best_claims = new_claims(plan, (uint32_t) units);
    z->choice = pos_arena_zalloc(arena, sizeof(*z->choice));
    z->try_choice = pos_arena_zalloc(arena, sizeof(*z->try_choice));
    z->trial = pos_arena_zalloc(arena, sizeof(*z->trial));
    z->state = known->state;
    return z->vars && z->deals && z->allowed && z->must && z->in_chain && z->items && z->slack && z->best_x && z->trail && z->lambdas && z->mus &&
        z->halves && z->left && z->elsewhere && z->keep && z->claims && z->best_claims && z->choice && z->try_choice && z->trial &&
        pos_known_init(z) && pos_choice_init(z->choice, plan) == POS_OK && pos_choice_init(z->try_choice, plan) == POS_OK &&
        pos_state_init(z->trial, plan) == POS_OK;
}
