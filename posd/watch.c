#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu_timer.h"
#include "posd/pg.h"
#include "posd/watch.h"
#include "replica/quarantine_file.h"

#define WATCH_PERIODS  2
#define WATCH_LEAST    20        /* ms; the kernel counts by up to 10 */
#define WATCH_MOST     60000

static pos_quarantine_t *quarantine;       /* of the process              */

/* Of the thread; its tick comes to it alone. */
static _Thread_local struct {
    const pos_script_vm_t *vm;
    pos_script_watch_t     watch;
    timer_t                timer;
    bool                   ticking;
} watch;


/* Says it by write() alone: nothing else is safe in a handler. */
static void
say(const pos_culprit_t *culprit)
{
    static const char before[] = "posd [error] the script of promotion \"";
    static const char middle[] = "\" does not come to an end where no limit looks:"
                                 " its source (SHA-256 ";
    static const char after[] = ") is quarantined and this process ends\n";
    char              text[sizeof(before) + sizeof(middle) + sizeof(after)
              + POS_CULPRIT_NAME + 2 * POS_SHA256_SIZE];
    size_t            n = sizeof(before) - 1;

    memcpy(text, before, n);
    memcpy(text + n, culprit->promotion, culprit->len);
    n += culprit->len;
    memcpy(text + n, middle, sizeof(middle) - 1);
    n += sizeof(middle) - 1;
    pos_hex(pos_str_of((const char *) culprit->source, POS_SHA256_SIZE), text + n);
    n += 2 * POS_SHA256_SIZE;
    memcpy(text + n, after, sizeof(after) - 1);
    n += sizeof(after) - 1;
    if (write(STDERR_FILENO, text, n) < 0) {
        return;       /* the daemon says at least that the process ended */
    }
}


static void
on_tick(int signal)
{
    (void) signal;
    if (pos_script_watch(&watch.watch, watch.vm, WATCH_PERIODS)) {
        say(pos_quarantine_add(quarantine, pos_script_running_source(watch.vm),
                               pos_script_running(watch.vm)));
        abort();
    }
}


bool
pos_watch_limit(const char *text, long *ms)
{
    char *end;

    *ms = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0'
        || (*ms != 0 && (*ms < WATCH_LEAST || *ms > WATCH_MOST)))
    {
        pos_log("error", "--script-cpu-time is neither 0 (off) nor %d to %d ms",
                WATCH_LEAST, WATCH_MOST);
        return false;
    }

    return true;
}


bool
pos_watch_limits(const char *instructions, pos_script_limits_t *out)
{
    char *end;
    long  n;

    pos_script_limits_default(out);
    if (instructions == NULL) {
        return true;
    }

    n = strtol(instructions, &end, 10);
    if (*instructions == '\0' || *end != '\0' || n < POS_SCRIPT_INSTRUCTIONS_LEAST
        || n > POS_SCRIPT_INSTRUCTIONS_MOST)
    {
        pos_log("error", "--script-instructions is not %d to %d",
                POS_SCRIPT_INSTRUCTIONS_LEAST, POS_SCRIPT_INSTRUCTIONS_MOST);
        return false;
    }

    out->instructions = (uint32_t) n;
    return true;
}


bool
pos_watch_open(const char *replica)
{
    static pos_quarantine_t own;

    if (quarantine != NULL) {
        return true;
    }
    if (replica != NULL && pos_quarantine_open(replica, &quarantine) != POS_OK) {
        pos_log("error", "the quarantine in %s: %s", replica, strerror(errno));
        quarantine = NULL;
        return false;
    }

    quarantine = quarantine != NULL ? quarantine : &own;
    return true;
}


bool
pos_watch_start(pos_script_vm_t *vm, long ms, const char *replica)
{
    if (!pos_watch_open(replica)) {
        return false;
    }

    watch.vm = vm;
    pos_script_vm_quarantine(vm, quarantine);
    if (ms == 0) {
        return true;
    }
    if (pos_cpu_timer_start((uint64_t) ms * 1000 / WATCH_PERIODS, on_tick,
                            &watch.timer) != POS_OK)
    {
        pos_log("error", "no timer to watch scripts by: %s", strerror(errno));
        return false;
    }

    watch.ticking = true;
    return true;
}


void
pos_watch_leave(void)
{
    if (watch.ticking) {
        (void) timer_delete(watch.timer);
        watch.ticking = false;
    }
    watch.vm = NULL;
}


void
pos_watch_stop(void)
{
    if (watch.ticking) {
        pos_cpu_timer_stop(watch.timer);
        watch.ticking = false;
    }
    watch.vm = NULL;      /* a tick may be on its way still */
}
