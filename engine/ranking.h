/* Promotions by priority and id, in steps. */

#ifndef POS_RANKING_H
#define POS_RANKING_H

#include "engine/promotion.h"

typedef struct pos_ranking_s pos_ranking_t;

#define POS_RANKING_CHUNK  1024    /* rows of a chunk: what grows never moves them */

/* The rows come by id, mostly; their chunks stay the caller's. The result is `arena`'s. */
pos_status_t pos_ranking_create(pos_promotion_t *const *const *chunks, uint32_t count,
    pos_arena_t *arena, pos_ranking_t **out) POS_MUSTCHECK;
/* POS_AGAIN: more to do. */
pos_status_t pos_ranking_step(pos_ranking_t *ranking, unsigned rows,
    pos_promotion_t ***out) POS_MUSTCHECK;
void pos_ranking_destroy(pos_ranking_t *ranking);

#endif
