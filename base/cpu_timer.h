/*
 * A signal for every stretch of processor time that the calling thread uses: a
 * thread that waits is not disturbed, a machine that is busy with others
 * changes nothing, and a thread that runs away is told whatever it does.
 */

#ifndef POS_CPU_TIMER_H
#define POS_CPU_TIMER_H

#include <stdint.h>
#include <time.h>

#include "base/base.h"

/* Starts it. The signal (SIGVTALRM) comes to the thread that called, in which
 * `handler` may do what is safe in a handler only. The kernel rounds up to its
 * own ticks, 1 to 10 ms. One a process. POS_BROKEN: errno says why. */
pos_status_t pos_cpu_timer_start(uint64_t period_us, void (*handler)(int signal),
    timer_t *out) POS_MUSTCHECK;
/* No signal comes after it. */
void pos_cpu_timer_stop(timer_t timer);

#endif
