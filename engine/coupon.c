/* Coupons: what each code given is worth before any promotion is chosen. How often
 * orders used it so far is asked for, and kept with the quote. */

#include "engine/plan.h"

pos_opened_t *
pos_coupon_opens(const pos_work_t *w, pos_str_t promotion)
{
    return pos_map_get(&w->opened, promotion);
}

pos_str_t
pos_coupon_key(pos_str_t code, pos_arena_t *arena)
{
    char *out = pos_arena_alloc(arena, code.len + 1);

    if (out == NULL) {
        return (pos_str_t) { NULL, 0 };
    }
    for (size_t i = 0; i < code.len; i++) {
        char c = code.data[i];

        out[i] = c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c;
    }
    out[code.len] = 0;
    return pos_str_of(out, code.len);
}

/* What is left of it for an order; by `per`, of all or of the customer. */
static pos_status_t
coupon_left(pos_work_t *w, const pos_coupon_t *coupon, pos_limit_per_t per, int64_t most, int64_t *left)
{
    const pos_inputs_t *inputs = w->options->inputs;
    bool                all = per == POS_LIMIT_PER_ALL;
    pos_coupon_usage_t *usage;
    pos_status_t        status;

    *left = most < 0 ? POS_INF : most;
    if (most < 0 || inputs == NULL || inputs->coupon == NULL || (!all && w->cart.customer_id.len == 0)) {
        return POS_OK;
    }
    usage = pos_arena_zalloc(w->arena, sizeof(*usage));
    if (usage == NULL) {
        return POS_NO_MEMORY;
    }
    usage->code = coupon->code;
    usage->per = per;
    usage->subject = all ? pos_str("") : w->cart.customer_id;
    status = inputs->coupon(inputs->ctx, usage, &usage->used);
    if (status != POS_OK) {
        return status;
    }
    if (w->coupon_usage == NULL) {
        w->coupon_usage = usage;
    } else {
        w->coupon_usage_last->next = usage;
    }
    w->coupon_usage_last = usage;
    *left = usage->used < most ? most - usage->used : 0;
    return POS_OK;
}

static pos_status_t
standing(pos_work_t *w, pos_coupon_state_t *c)
{
    int64_t      all = 0, own = 0;
    pos_status_t status;

    if (w->cart.at < c->coupon->from) {
        c->status = "not_started";
        return POS_OK;
    }
    if (w->cart.at >= c->coupon->until) {
        c->status = "expired";
        return POS_OK;
    }
    status = coupon_left(w, c->coupon, POS_LIMIT_PER_ALL, c->coupon->remaining, &all);
    if (status == POS_OK) {
        status = coupon_left(w, c->coupon, POS_LIMIT_PER_CUSTOMER, c->coupon->per_customer, &own);
    }
    c->status = all < 1 || own < 1 ? "used_up" : NULL;
    return status;
}

/* The same code again, be it in other letters, is the same coupon. */
static const pos_coupon_state_t *
given_before(const pos_work_t *w, uint32_t i)
{
    for (uint32_t j = 0; j < i; j++) {
        if (w->coupons[j].coupon && pos_str_eq(w->coupons[j].coupon->code, w->coupons[i].coupon->code)) {
            return &w->coupons[j];
        }
    }
    return NULL;
}

static pos_status_t
read_coupon(pos_work_t *w, uint32_t i)
{
    const pos_book_source_t *source = w->options->source;
    pos_coupon_state_t      *c = &w->coupons[i];
    pos_str_t                code = pos_coupon_key(w->cart.coupons[i], w->arena);
    pos_status_t             status;

    if (code.data == NULL) {
        return POS_NO_MEMORY;
    }
    status = source->coupon(source->ctx, code, w->arena, &c->coupon);
    if (status == POS_NO_MEMORY) {
        return status;
    }
    if (status != POS_OK) {
        c->coupon = NULL;
        c->status = "unknown";
        return POS_OK;
    }
    if (given_before(w, i)) {
        *c = *given_before(w, i);
        return POS_OK;
    }
    return standing(w, c);
}

static pos_status_t
note_names(pos_work_t *w, uint32_t i)
{
    const pos_coupon_t *coupon = w->coupons[i].coupon;

    for (uint32_t k = 0; k < coupon->promotion_count; k++) {
        pos_opened_t *o;
        pos_status_t  status;

        if (w->opened.slots == NULL) {
            status = pos_map_init(&w->opened, w->arena, coupon->promotion_count);
            if (status != POS_OK) {
                return status;
            }
        } else if (pos_map_get(&w->opened, coupon->promotions[k])) {
            continue;
        }
        o = pos_arena_alloc(w->arena, sizeof(*o));
        if (o == NULL) {
            return POS_NO_MEMORY;
        }
        *o = (pos_opened_t) { i, POS_NIL };
        status = pos_map_set(&w->opened, coupon->promotions[k], o, NULL);
        if (status != POS_OK) {
            return status;
        }
    }
    return POS_OK;
}

pos_status_t
pos_coupons_read(pos_work_t *w, const pos_coupon_t ***good, uint32_t *count)
{
    uint32_t n = w->cart.coupon_count;

    *count = 0;
    *good = NULL;
    if (n == 0) {
        return POS_OK;
    }
    w->coupons = pos_arena_array(w->arena, n, sizeof(*w->coupons));
    *good = pos_arena_array(w->arena, n, sizeof(**good));
    if (w->coupons == NULL || *good == NULL) {
        return POS_NO_MEMORY;
    }
    for (uint32_t i = 0; i < n; i++) {
        pos_status_t status = read_coupon(w, i);

        if (status != POS_OK) {
            return status;
        }
        if (w->coupons[i].coupon && w->coupons[i].status == NULL) {
            (*good)[(*count)++] = w->coupons[i].coupon;
            status = note_names(w, i);
            if (status != POS_OK) {
                return status;
            }
        }
    }
    return POS_OK;
}
