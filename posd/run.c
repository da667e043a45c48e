/*
 * The daemon: follows the database here and keeps child processes, one that does
 * the jobs, one that runs back-tests, one that numbers the events, one that suspends
 * what is quarantined and one that gives back what checkouts let expire, so that
 * nothing they do can hold up or hurt the feed.
 */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "posd/commands.h"
#include "posd/feed.h"
#include "posd/pg.h"
#include "posd/watch.h"

#define CHILD_BACKOFF_US  1000000
#define CHILD_END_US      8000000

enum { CHILD_JOBS, CHILD_BACKTESTS, CHILD_EVENTS, CHILD_SUSPEND, CHILD_SWEEP, CHILDREN };

typedef struct {
    const char *name;          /* the command                 */
    pid_t       pid;           /* 0: none                     */
    int64_t     next_start;
} child_t;

typedef struct {
    const pos_options_t *options;
    child_t              list[CHILDREN];
} children_t;


/* In the child: a program of its own. Of the replica it has the quarantine only. */
static void
child_exec(const pos_options_t *o, int which, const char *name, pid_t parent)
{
    const char *jobs[] = { "posd", name, "--database", o->database, "--spool",
                           o->spool, "--contract", o->contract, "--replica",
                           o->replica, "--script-cpu-time", o->script_cpu,
                           o->instructions != NULL ? "--script-instructions" : NULL,
                           o->instructions, NULL };
    const char *backtests[] = { "posd", name, "--database", o->database, "--replica",
                                o->replica, "--script-cpu-time", o->script_cpu,
                                "--workers", o->workers != NULL ? o->workers : "0",
                                o->instructions != NULL ? "--script-instructions" : NULL,
                                o->instructions, NULL };
    const char *events[] = { "posd", name, "--database", o->database, NULL };
    const char *suspend[] = { "posd", name, "--database", o->database,
                              "--replica", o->replica, NULL };
    const char *sweep[] = { "posd", name, "--database", o->database, NULL };
    const char *const *list[CHILDREN] = { jobs, backtests, events, suspend, sweep };

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) {
        _exit(0);
    }

    execv("/proc/self/exe", (char *const *) list[which]);
    _exit(127);
}


static void
child_start(const pos_options_t *o, int which, child_t *c)
{
    pid_t parent = getpid();

    c->next_start = pos_now() + CHILD_BACKOFF_US;
    c->pid = fork();
    if (c->pid == 0) {
        child_exec(o, which, c->name, parent);
    }
    if (c->pid < 0) {
        pos_log("error", "cannot start the process for %s: %s", c->name,
                strerror(errno));
        c->pid = 0;
    }
}


static void
children_tick(void *ctx)
{
    children_t *all = ctx;
    child_t    *c;
    int         status;

    for (c = all->list; c < all->list + CHILDREN; c++) {
        if (c->pid > 0 && waitpid(c->pid, &status, WNOHANG) == c->pid) {
            pos_log("error", "the process for %s ended (status %d)", c->name, status);
            c->pid = 0;
        }
        if (c->pid == 0 && !pos_stop && pos_now() >= c->next_start) {
            child_start(all->options, (int) (c - all->list), c);
        }
    }
}


static void
child_end(child_t *c, int64_t until)
{
    struct timespec pause = { 0, 20000000 };

    while (c->pid > 0 && waitpid(c->pid, NULL, WNOHANG) == 0) {
        if (pos_now() >= until) {
            kill(c->pid, SIGKILL);
            (void) waitpid(c->pid, NULL, 0);
            return;
        }
        nanosleep(&pause, NULL);
    }
}


static void
children_end(children_t *all)
{
    int64_t  until = pos_now() + CHILD_END_US;
    child_t *c;

    for (c = all->list; c < all->list + CHILDREN; c++) {
        if (c->pid > 0) {
            kill(c->pid, SIGTERM);
        }
    }
    for (c = all->list; c < all->list + CHILDREN; c++) {
        child_end(c, until);
    }
}


int
pos_command_run(const pos_options_t *o)
{
    children_t          children = { .options = o };
    pos_script_limits_t limits;
    pos_status_t        status;
    long                ms;

    if (!pos_watch_limit(o->script_cpu, &ms)
        || !pos_watch_limits(o->instructions, &limits))
    {
        return 1;
    }

    children.list[CHILD_JOBS].name = "jobs";
    children.list[CHILD_BACKTESTS].name = "backtests";
    children.list[CHILD_EVENTS].name = "events";
    children.list[CHILD_SUSPEND].name = "suspend";
    children.list[CHILD_SWEEP].name = "sweep";

    pos_log("info", "started");
    status = pos_feed_run(o->database, o->replica, children_tick, &children);
    children_end(&children);
    pos_log("info", "%s", status == POS_OK ? "stopped" : "gave up");
    return status == POS_OK ? 0 : 1;
}
