/* A slice's two clocks. */

#include "ngx_pos_slice.h"
#include "ngx_pos_metrics.h"


static uint64_t
ngx_pos_slice_cpu_us(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}


void
ngx_pos_slice_begin(ngx_pos_slice_t *slice)
{
    slice->begun = ngx_pos_metrics_now_us();
    slice->begun_cpu = ngx_pos_slice_cpu_us();
}


ngx_flag_t
ngx_pos_slice_over(const ngx_pos_slice_t *slice, uint64_t most_us)
{
    return ngx_pos_metrics_now_us() - slice->begun >= most_us;
}


void
ngx_pos_slice_end(const ngx_pos_slice_t *slice,
    ngx_pos_generation_stats_t *stats)
{
    uint64_t  used, used_cpu;

    used = ngx_pos_metrics_now_us() - slice->begun;
    used_cpu = ngx_pos_slice_cpu_us() - slice->begun_cpu;

    stats->slices_cpu += used_cpu;

    if (used > stats->slice_max) {
        stats->slice_max = (ngx_msec_t) used;
    }

    if (used_cpu > stats->slice_cpu_max) {
        stats->slice_cpu_max = (ngx_msec_t) used_cpu;
    }
}
