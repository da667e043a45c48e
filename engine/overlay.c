/* A source with one promotion more, less, or another. */

#include "engine/overlay.h"

static pos_status_t
overlay_product(void *ctx, pos_str_t sku, pos_arena_t *arena, const pos_product_t **out)
{
    const pos_overlay_t *overlay = ctx;

    return overlay->base.product(overlay->base.ctx, sku, arena, out);
}


static void
overlay_expect(void *ctx, const pos_str_t *skus, uint32_t count)
{
    const pos_overlay_t *overlay = ctx;

    if (overlay->base.expect != NULL) {
        overlay->base.expect(overlay->base.ctx, skus, count);
    }
}


static pos_status_t
overlay_coupon(void *ctx, pos_str_t code, pos_arena_t *arena, const pos_coupon_t **out)
{
    const pos_overlay_t *overlay = ctx;
    pos_coupon_t        *coupon;

    if (!overlay->coupon || !pos_str_eq(code, pos_str(POS_OVERLAY_COUPON))) {
        return overlay->base.coupon(overlay->base.ctx, code, arena, out);
    }
    coupon = pos_arena_alloc(arena, sizeof(*coupon));
    if (coupon == NULL) {
        return POS_NO_MEMORY;
    }
    *coupon = (pos_coupon_t) { .code = pos_str(POS_OVERLAY_COUPON), .promotion_count = 1,
        .promotions = &overlay->id, .remaining = -1, .per_customer = -1,
        .from = POS_TIME_MIN, .until = POS_TIME_MAX };
    *out = coupon;
    return POS_OK;
}


static int
compare(pos_str_t a, pos_str_t b)
{
    size_t least = a.len < b.len ? a.len : b.len;
    int    order = least > 0 ? memcmp(a.data, b.data, least) : 0;

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}


/* The base's rows in their order, the draft's own in its place among them. */
static pos_status_t
next_promotion(const pos_overlay_t *overlay, const pos_str_t *after, pos_str_t *key, pos_str_t *value)
{
    const pos_book_source_t *base = &overlay->base;
    bool                     due = overlay->row.len > 0 && (after == NULL || compare(*after, overlay->id) < 0);
    pos_status_t             status = base->next(base->ctx, POS_KIND_PROMOTION, after, key, value);

    if (status == POS_OK && pos_str_eq(*key, overlay->id)) {
        if (!due) {
            return base->next(base->ctx, POS_KIND_PROMOTION, &overlay->id, key, value);
        }
    } else if (status != POS_OK && status != POS_NOT_FOUND) {
        return status;
    } else if (!due || (status == POS_OK && compare(*key, overlay->id) < 0)) {
        return status;
    }
    *key = overlay->id;
    *value = overlay->row;
    return POS_OK;
}


static pos_status_t
overlay_next(void *ctx, pos_kind_t kind, const pos_str_t *after, pos_str_t *key, pos_str_t *value)
{
    const pos_overlay_t *overlay = ctx;

    return kind == POS_KIND_PROMOTION ? next_promotion(overlay, after, key, value)
                                      : overlay->base.next(overlay->base.ctx, kind, after, key, value);
}


void
pos_overlay_source(pos_overlay_t *overlay, pos_book_source_t *out)
{
    *out = (pos_book_source_t) { .ctx = overlay, .product = overlay_product, .expect = overlay_expect,
        .coupon = overlay_coupon, .next = overlay_next };
}
