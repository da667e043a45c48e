#define _GNU_SOURCE
/*
 * The replica when a writer is killed at any instant, or its file is damaged:
 * never half a revision, never a step back, never a wrong value.
 */

#include <fcntl.h>
#include <signal.h>
#include <time.h>

#include "replica/store.h"
#include "replica/t/fixture.h"


/* ---- killed at any instant ---- */

static void
run_until_killed(void)
{
    pos_replica_writer_t *w;
    int64_t               n;
    char                  names[20][32];
    pos_row_t             rows[20];
    unsigned              j;
    pos_revision_t        r;

    if (pos_writer_open(dir, 0, &w) != POS_OK) {
        _exit(1);
    }
    for (n = pos_writer_head(w, "3") ? pos_writer_head(w, "3")->rev + 1 : 1;; n++) {
        for (j = 0; j < 20; j++) {
            rows[j] = sku_row(names[j], sizeof(names[j]), j, n);
        }
        r = revision("3", n);
        if (pos_writer_apply(w, &r, rows, 20, NULL) != POS_OK) {
            _exit(1);
        }
    }
}


static void
test_killed(pos_replica_t *r)
{
    pos_snapshot_t *s;
    pos_head_t      h;
    uint64_t        seed = 7;
    int64_t         last = 0;
    unsigned        round, j, torn = 0, behind = 0;
    char            name[32];
    struct timespec pause = { 0, 0 };
    pid_t           pid;

    for (round = 0; round < 40; round++) {
        pid = fork();
        if (pid == 0) {
            run_until_killed();
        }
        pause.tv_nsec = (long) (2000000 + chance(&seed) % 20000000);
        nanosleep(&pause, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);

        s = look(r);
        if (head_of(s, "3", &h)) {
            behind += h.rev < last;
            last = h.rev;
            for (j = 0; j < 20; j++) {
                snprintf(name, sizeof(name), "SKU-%07u", j);
                torn += price_of(s, "3", name) != h.rev;
            }
        }
        pos_snapshot_close(s);
    }

    ok(last > 0, "killed 40 times, %lld revisions were written", (long long) last);
    is_int(torn, 0, "never half a revision");
    is_int(behind, 0, "never a step back");
}


/* ---- damage ---- */

/* Flips a byte in the middle of the SKU's value, within the file. */
static bool
damage(const char *path, const char *needle)
{
    static char bytes[1 << 22];
    ssize_t     n;
    char       *at, *from = bytes;
    unsigned    hits = 0;
    int         fd = open(path, O_RDWR);

    n = fd < 0 ? -1 : read(fd, bytes, sizeof(bytes));
    while (n > 0 && (at = memmem(from, (size_t) (bytes + n - from), needle, strlen(needle))) != NULL) {
        at[3] ^= 0x20;
        hits += pwrite(fd, at + 3, 1, at + 3 - bytes) == 1;
        from = at + 4;
    }
    if (fd >= 0) {
        close(fd);
    }

    return hits > 0;
}


static void
test_damage(pos_replica_t *r)
{
    pos_replica_faults_t faults;
    pos_snapshot_t      *s = look(r);
    char                 path[300];

    snprintf(path, sizeof(path), "%s/book.%u.mdb", dir, (unsigned) pos_snapshot_file(s));
    ok(damage(path, "A boot that is red"), "a value is damaged in the file");
    is_int(price_of(s, "9", "SKU-0000001"), -2, "it is refused");
    pos_replica_faults(r, &faults);
    is_int((int64_t) faults.damaged, 1, "and counted");
    is_str(pos_str_z(faults.key), "SKU-0000001", "by name");
    pos_snapshot_close(s);
}

/* A file that is no database any more: a new one is begun. */
static bool
write_nothing(pos_replica_writer_t *w, void *arg)
{
    (void) arg;
    return pos_writer_head_count(w) == 0;
}


static void
test_wrecked(void)
{
    char     path[300];
    uint32_t number = 0;
    int      fd;

    is_int(pos_store_current(dir, &number), POS_OK, "the current file");
    snprintf(path, sizeof(path), "%s/book.%u.mdb", dir, (unsigned) number);
    fd = open(path, O_WRONLY);
    ok(fd >= 0 && pwrite(fd, "wreckwreckwreckwreckwreckwreckwreck", 35, 0) == 35
       && pwrite(fd, "wreckwreckwreckwreckwreckwreckwreck", 35, 4096) == 35, "is wrecked");
    close(fd);
    ok(by_writer(0, write_nothing, NULL), "a writer begins an empty one");
    ok(pos_store_current(dir, &number) == POS_OK && access(path, F_OK) != 0, "under a new name");
}


int
main(void)
{
    pos_replica_t *r;
    int64_t        amount = 7000, alone = 31;

    replica_begin();
    ok(by_writer(1 << 18, write_bulk, &amount), "a replica of %u products", BULK);
    is_int(pos_replica_open(dir, &r), POS_OK, "it opens");
    test_killed(r);
    ok(by_writer(0, write_rebuild, &alone), "a new file, of one product");
    test_damage(r);
    pos_replica_close(r);
    test_wrecked();
    return replica_done();
}
