/*
 * A slice of preparing a generation: how long it has held the worker, by the
 * clock and by the processor time that the worker had in it, which is less where
 * others ran on its core meanwhile.
 */

#ifndef NGX_POS_SLICE_H
#define NGX_POS_SLICE_H

#include "ngx_pos_generation.h"

typedef struct {
    uint64_t  begun;              /* by the clock, µs                         */
    uint64_t  begun_cpu;          /* by the processor time of this thread     */
} ngx_pos_slice_t;

void ngx_pos_slice_begin(ngx_pos_slice_t *slice);
/* By the clock, since that is what requests wait by. */
ngx_flag_t ngx_pos_slice_over(const ngx_pos_slice_t *slice, uint64_t most_us);
/* Counts it in. */
void ngx_pos_slice_end(const ngx_pos_slice_t *slice,
    ngx_pos_generation_stats_t *stats);

#endif
