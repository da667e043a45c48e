/*
 * Which arm of an experiment a cart is in: a hash of the experiment's code and
 * the customer or session, so that every node says the same without asking.
 */

#include "engine/cart.h"

/* A customer's arm follows the customer; who has no id goes by session. */
static pos_str_t
subject_of(const pos_experiment_t *experiment, const pos_cart_t *cart)
{
    if (experiment->by_customer && cart->customer_known && cart->customer_id.len > 0) {
        return cart->customer_id;
    }
    return cart->session;
}


/* 0 to weight_sum - 1, evenly: the first 64 bits of SHA-256 as a fraction. */
static int64_t
point_of(const pos_experiment_t *experiment, pos_str_t subject)
{
    uint8_t      digest[POS_SHA256_SIZE];
    pos_sha256_t ctx;
    uint64_t     h = 0;

    pos_sha256_init(&ctx);
    pos_sha256_update(&ctx, experiment->code);
    pos_sha256_update(&ctx, pos_str_of("", 1));
    pos_sha256_update(&ctx, subject);
    pos_sha256_final(&ctx, digest);
    for (int i = 0; i < 8; i++) {
        h = h << 8 | digest[i];
    }
    return (int64_t) ((unsigned __int128) h * (uint64_t) experiment->weight_sum >> 64);
}


/* Without anybody to hash there is no arm: an anonymous price check sees none. */
bool
pos_experiment_in_arm(const pos_promotion_t *promotion, const pos_cart_t *cart)
{
    const pos_experiment_t *experiment;
    pos_str_t               subject;
    int64_t                 point;

    if (promotion->experiment.len == 0) {
        return true;
    }
    experiment = pos_map_get(&cart->book->experiments, promotion->experiment);
    if (experiment == NULL) {
        return false;
    }
    subject = subject_of(experiment, cart);
    if (subject.len == 0) {
        return false;
    }
    point = point_of(experiment, subject);
    for (uint32_t i = 0; i < experiment->arm_count; i++) {
        if (point < experiment->arms[i].weight) {
            return pos_str_eq(experiment->arms[i].code, promotion->arm);
        }
        point -= experiment->arms[i].weight;
    }
    return false;
}
