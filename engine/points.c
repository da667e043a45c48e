/* Points: one for each so many minor units paid for goods, then what promotions
 * multiply and add, in order of application: by class, then priority, then id. Exact
 * until the end, where whole points are left, so that half a point is not lost twice. */

#include "engine/state.h"

typedef struct {
    __int128 points;    /* over `parts` */
    int64_t  parts;
} sum_t;

static int64_t
common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t t = a % b;

        a = b;
        b = t;
    }
    return a;
}

/* What would be more than any amount may be is left as it was. */
static void
add_points(sum_t *s, const pos_effect_t *e)
{
    sum_t n = *s;

    if (e->points_multiply > 0) {
        int64_t shared = common_divisor(e->points_multiply, POS_PPM), parts = POS_PPM / shared;

        if (n.parts > POS_PPM / parts) {
            n = (sum_t) { n.points / n.parts, 1 };
        }
        n.points *= e->points_multiply / shared;
        n.parts *= parts;
    }
    n.points += (__int128) e->points_add * n.parts;
    *s = n.points / n.parts > POS_MONEY_MAX ? *s : n;
}

int64_t
pos_points(pos_state_t *s)
{
    const pos_plan_t *plan = s->plan;
    const pos_book_t *book = plan->work->book;
    uint32_t          from = plan->act_count;
    sum_t             sum = { book->points_per > 0 ? s->lines_left / book->points_per : 0, 1 };

    while (from > 0 && plan->acts[from - 1].phase == POS_PHASE_BONUS) {
        from--;
    }
    for (int class = POS_CLASS_LINE; class <= POS_CLASS_SHIPPING; class++) {
        for (uint32_t a = from; a < plan->act_count; a++) {
            const pos_act_t *act = &plan->acts[a];

            if (act->effect->kind == POS_EFFECT_POINTS && s->choice->used[act->candidate] && s->off[act->candidate] != 2 &&
                !s->off_act[a] && plan->candidates[act->candidate].promotion->class == (pos_class_t) class) {
                add_points(&sum, act->effect);
            }
        }
    }
    return (int64_t) (sum.points / sum.parts);
}
