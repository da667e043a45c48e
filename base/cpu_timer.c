/* POSIX timers over the thread's clock; the signal to one thread is Linux's. */

#define _GNU_SOURCE    /* gettid, SIGEV_THREAD_ID */

#include "base/cpu_timer.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id  _sigev_un._tid
#endif

static int
arm(timer_t timer, uint64_t period_us)
{
    struct itimerspec every = { 0 };

    every.it_interval.tv_sec = (time_t) (period_us / 1000000);
    every.it_interval.tv_nsec = (long) (period_us % 1000000) * 1000;
    every.it_value = every.it_interval;
    return timer_settime(timer, 0, &every, NULL);
}

pos_status_t
pos_cpu_timer_start(uint64_t period_us, void (*handler)(int signal), timer_t *out)
{
    struct sigaction action;
    struct sigevent  event;

    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    memset(&event, 0, sizeof(event));
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGVTALRM;
    event.sigev_notify_thread_id = gettid();

    if (sigaction(SIGVTALRM, &action, NULL) != 0
        || timer_create(CLOCK_THREAD_CPUTIME_ID, &event, out) != 0)
    {
        return POS_BROKEN;
    }
    if (arm(*out, period_us) != 0) {
        (void) timer_delete(*out);
        return POS_BROKEN;
    }
    return POS_OK;
}

void
pos_cpu_timer_stop(timer_t timer)
{
    (void) timer_delete(timer);
    /* One that was on its way would end the process if nobody took it. */
    (void) signal(SIGVTALRM, SIG_IGN);
}
