/* Points: one for each so many minor units paid for goods, then what
 * promotions multiply and add, in order. */

#include "engine/state.h"

static int64_t
add_points(int64_t points, const pos_effect_t *e)
{
    int64_t n = points;

    if (e->points_multiply > 0 &&
        !pos_muldiv(points, e->points_multiply, POS_PPM, POS_ROUND_DOWN, &n)) {
        n = points;
    }
    return n > POS_MONEY_MAX - e->points_add ? n : n + e->points_add;
}

int64_t
pos_points(pos_state_t *s)
{
    const pos_plan_t *plan = s->plan;
    const pos_book_t *book = plan->work->book;
    int64_t           points = book->points_per > 0 ? s->lines_left / book->points_per : 0;

    for (uint32_t a = 0; a < plan->act_count; a++) {
        const pos_act_t *act = &plan->acts[a];

        if (act->effect->kind == POS_EFFECT_POINTS && s->choice->used[act->candidate] &&
            s->off[act->candidate] != 2 && !s->off_act[a]) {
            points = add_points(points, act->effect);
        }
    }
    return points;
}
