/*
 * Which arm of an experiment a cart is in: a hash of the experiment's code and
 * the customer or session, so that every node says the same without asking. And
 * which experiments a cart was part of, for its order to keep.
 */

#include "engine/plan.h"

/* A customer's arm follows the customer; who has no id goes by session. */
static pos_str_t
subject_of(const pos_experiment_t *experiment, const pos_cart_t *cart, bool *by_customer)
{
    *by_customer = experiment->by_customer && cart->customer_known && cart->customer_id.len > 0;
    return *by_customer ? cart->customer_id : cart->session;
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
const pos_arm_t *
pos_experiment_arm(const pos_experiment_t *experiment, const pos_cart_t *cart, bool *by_customer)
{
    pos_str_t subject = subject_of(experiment, cart, by_customer);
    int64_t   point;

    if (subject.len == 0) {
        return NULL;
    }
    point = point_of(experiment, subject);
    for (uint32_t i = 0; i < experiment->arm_count; i++) {
        if (point < experiment->arms[i].weight) {
            return &experiment->arms[i];
        }
        point -= experiment->arms[i].weight;
    }
    return NULL;
}


/* Worked out once a quote: thousands of promotions may be of one experiment. */
static pos_status_t
share_of(pos_plan_t *plan, const pos_experiment_t *experiment, pos_share_t **out)
{
    const pos_cart_t *cart = &plan->work->cart;
    pos_share_t      *share;

    if (plan->shares == NULL) {
        plan->shares = pos_arena_zalloc(plan->work->arena,
            plan->work->book->experiments.count * sizeof(*plan->shares));
    }
    if (plan->shares == NULL) {
        return POS_NO_MEMORY;
    }
    share = &plan->shares[experiment->number];
    if (share->experiment == NULL) {
        share->experiment = experiment;
        share->arm = pos_experiment_arm(experiment, cart, &share->by_customer);
    }
    *out = share;
    return POS_OK;
}


pos_status_t
pos_experiment_look(pos_plan_t *plan, const pos_promotion_t *promotion, bool reachable, bool *in_arm)
{
    const pos_experiment_t *experiment = pos_map_get(&plan->work->book->experiments, promotion->experiment);
    pos_share_t            *share;
    pos_status_t            status;

    *in_arm = false;
    if (experiment == NULL) {
        return POS_OK;
    }
    status = share_of(plan, experiment, &share);
    if (status == POS_OK && share->arm != NULL) {
        *in_arm = pos_str_eq(share->arm->code, promotion->arm);
        plan->exposures += reachable && !share->exposed;
        share->exposed |= reachable;
    }
    return status;
}


void
pos_experiments_write(const pos_plan_t *plan, pos_writer_t *out)
{
    if (plan->exposures == 0) {
        return;
    }
    pos_write_key(out, "experiments");
    pos_write_array_begin(out);
    for (size_t i = 0; i < plan->work->book->experiments.count; i++) {
        const pos_share_t *share = &plan->shares[i];

        if (share->exposed) {
            pos_write_object_begin(out);
            pos_write_key(out, "code");
            pos_write_string(out, share->experiment->code);
            pos_write_key(out, "arm");
            pos_write_string(out, share->arm->code);
            pos_write_key(out, "unit");
            pos_write_string(out, share->by_customer ? pos_str("customer") : pos_str("session"));
            pos_write_object_end(out);
        }
    }
    pos_write_array_end(out);
}
