#define _GNU_SOURCE
/*
 * The quarantine's file: what a process that dies notes is there for the others
 * and for those that come later, and a damaged file is made anew.
 */

#include "base/t/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replica/quarantine_file.h"

static char          dir[] = "/tmp/pos-quarantine-XXXXXX";
static char          path[64];
static const uint8_t one[POS_SHA256_SIZE] = { 1 }, two[POS_SHA256_SIZE] = { 2 };


static pos_quarantine_t *
opened(void)
{
    pos_quarantine_t *q = NULL;

    return pos_quarantine_open(dir, &q) == POS_OK ? q : NULL;
}


static void
die_with(const uint8_t *source)
{
    pid_t pid = fork();
    int   status;

    if (pid == 0) {
        pos_quarantine_t *q = opened();

        if (q != NULL) {
            (void) pos_quarantine_add(q, source, pos_str("culprit"));
        }
        _exit(q == NULL);
    }
    waitpid(pid, &status, 0);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a process notes a source and is gone");
}


static void
test_shared(void)
{
    pos_quarantine_t *mine = opened(), *again;

    ok(mine != NULL && pos_quarantine_changes(mine) == 0, "the file is made, and empty");
    die_with(one);
    ok(mine != NULL && pos_quarantine_changes(mine) == 1 && pos_quarantine_holds(mine, one), "whoever had it mapped sees it");
    again = opened();
    ok(again != NULL && pos_quarantine_holds(again, one) && !pos_quarantine_holds(again, two), "so does who comes later");
    ok(again != NULL && pos_quarantine_at(again, 0)->len == 7 && memcmp(pos_quarantine_at(again, 0)->promotion, "culprit", 7) == 0,
        "with the promotion's name");
}


static void
change(off_t at, const char *bytes, size_t len, off_t cut)
{
    int fd = open(path, O_RDWR);

    ok(fd >= 0 && pwrite(fd, bytes, len, at) == (ssize_t) len && (cut == 0 || ftruncate(fd, cut) == 0), "damage at %ld", (long) at);
    close(fd);
}


static void
anew(const char *how)
{
    pos_quarantine_t *q = opened();

    ok(q != NULL && pos_quarantine_changes(q) == 0 && !pos_quarantine_holds(q, one), "%s: made anew", how);
    if (q != NULL) {
        (void) pos_quarantine_add(q, one, pos_str("culprit"));
    }
}


static void
test_damaged(void)
{
    char wild[sizeof(pos_culprit_t)];

    change(0, "x", 1, 0);
    anew("another layout");
    change(0, "p", 1, 20);
    anew("cut short");
    memset(wild, 0xff, sizeof(wild));
    change(16 + offsetof(pos_quarantine_t, ring), wild, sizeof(wild), 0);
    anew("an entry that cannot be");
    die_with(two);
    change(16 + offsetof(pos_quarantine_t, ring) + offsetof(pos_culprit_t, promotion), "\n", 1, 0);
    anew("a name that no log may show");
}


/* Processes that find it damaged at once: each must end with the file that is there. */
static void
test_together(void)
{
    int round, i, gate[2], status, apart = 0;

    for (round = 0; round < 40; round++) {
        change(0, "x", 1, 0);
        if (pipe(gate) != 0) {
            break;
        }
        for (i = 0; i < 4; i++) {
            if (fork() == 0) {
                pos_quarantine_t *q;
                char              line[1024], byte;
                bool              deleted = false;
                FILE             *maps;

                close(gate[1]);
                (void) !read(gate[0], &byte, 1);
                if (pos_quarantine_open(dir, &q) != POS_OK) {
                    _exit(2);
                }
                usleep(20000);
                maps = fopen("/proc/self/maps", "r");
                while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
                    /* What this test has mapped before was replaced, and is gone by right. */
                    char *at = strchr(line, '-');

                    deleted |= strtoull(line, NULL, 16) <= (uintptr_t) q && at != NULL
                               && strtoull(at + 1, NULL, 16) > (uintptr_t) q
                               && strstr(line, "(deleted)") != NULL;
                }
                _exit(deleted);
            }
        }
        close(gate[0]);
        close(gate[1]);
        while (wait(&status) > 0) {
            apart += status != 0;
        }
    }
    ok(round == 40 && apart == 0, "four processes that find it damaged at once share one: %d apart", apart);
}


static void
test_refused(void)
{
    pos_quarantine_t *q;
    char              long_path[600];

    ok(pos_quarantine_open("/nonexistent/pos", &q) == POS_BROKEN && errno == ENOENT, "no folder: an error that says so");
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    ok(pos_quarantine_open(long_path, &q) == POS_LIMIT, "a path that is too long");
    ok(unlink(path) == 0 && mkdir(path, 0755) == 0 && pos_quarantine_open(dir, &q) == POS_BROKEN, "a folder in its place");
    ok(rmdir(path) == 0 && rmdir(dir) == 0, "and nothing else lies about");
}


int
main(void)
{
    if (mkdtemp(dir) == NULL) {
        return 1;
    }

    snprintf(path, sizeof(path), "%s/quarantine", dir);
    test_shared();
    test_damaged();
    test_together();
    test_refused();
    return tap_done();
}
