/*
 * The daemon: follows the database here and keeps a child process that does
 * the jobs, so that nothing a job does can hold up or hurt the feed.
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

#define CHILD_BACKOFF_US  1000000
#define CHILD_END_US      8000000

typedef struct {
    const pos_options_t *options;
    pid_t                pid;          /* 0: none */
    int64_t              next_start;
} child_t;


/* In the child: a program of its own, without anything of the replica. */
static void
child_exec(const pos_options_t *o, pid_t parent)
{
    const char *argv[] = { "posd", "jobs", "--database", o->database, "--spool",
                           o->spool, "--contract", o->contract, NULL };

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) {
        _exit(0);
    }

    execv("/proc/self/exe", (char *const *) argv);
    _exit(127);
}


static void
child_start(child_t *c)
{
    pid_t parent = getpid();

    c->next_start = pos_now() + CHILD_BACKOFF_US;
    c->pid = fork();
    if (c->pid == 0) {
        child_exec(c->options, parent);
    }
    if (c->pid < 0) {
        pos_log("error", "cannot start the jobs' process: %s", strerror(errno));
        c->pid = 0;
    }
}


static void
child_tick(void *ctx)
{
    child_t *c = ctx;
    int      status;

    if (c->pid > 0 && waitpid(c->pid, &status, WNOHANG) == c->pid) {
        pos_log("error", "the jobs' process ended (status %d)", status);
        c->pid = 0;
    }
    if (c->pid == 0 && !pos_stop && pos_now() >= c->next_start) {
        child_start(c);
    }
}


static void
child_end(child_t *c)
{
    int64_t         until = pos_now() + CHILD_END_US;
    struct timespec pause = { 0, 20000000 };

    if (c->pid <= 0) {
        return;
    }

    kill(c->pid, SIGTERM);
    while (waitpid(c->pid, NULL, WNOHANG) == 0) {
        if (pos_now() >= until) {
            kill(c->pid, SIGKILL);
            (void) waitpid(c->pid, NULL, 0);
            return;
        }
        nanosleep(&pause, NULL);
    }
}


int
pos_command_run(const pos_options_t *o)
{
    child_t      child = { .options = o };
    pos_status_t status;

    pos_log("info", "started");
    status = pos_feed_run(o->database, o->replica, child_tick, &child);
    child_end(&child);
    pos_log("info", "%s", status == POS_OK ? "stopped" : "gave up");
    return status == POS_OK ? 0 : 1;
}
