/* Coupons: what each code given is worth before any promotion is chosen. */

#include "engine/plan.h"

bool
pos_coupon_names(const pos_coupon_t *coupon, pos_str_t promotion)
{
    for (uint32_t i = 0; i < coupon->promotion_count; i++) {
        if (pos_str_eq(coupon->promotions[i], promotion)) {
            return true;
        }
    }
    return false;
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

static const char *
standing(const pos_cart_t *cart, const pos_coupon_t *coupon)
{
    if (cart->at < coupon->from) {
        return "not_started";
    }
    if (cart->at >= coupon->until) {
        return "expired";
    }
    return coupon->remaining == 0 || coupon->per_customer == 0 ? "used_up" : NULL;
}

pos_status_t
pos_coupons_read(pos_work_t *w, const pos_coupon_t ***good, uint32_t *count)
{
    const pos_book_source_t *source = w->options->source;
    uint32_t                 n = w->cart.coupon_count;

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
        pos_coupon_state_t *c = &w->coupons[i];
        pos_str_t           code = pos_coupon_key(w->cart.coupons[i], w->arena);
        pos_status_t        status;

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
            continue;
        }
        c->status = standing(&w->cart, c->coupon);
        if (c->status == NULL) {
            (*good)[(*count)++] = c->coupon;
        }
    }
    return POS_OK;
}
