/*
 * A file is made whole under a name of its own and then given its place, so that
 * nobody maps half of one: a page that the disk has no room for would end the
 * process that writes to it. Of two that are made at once one stays.
 */

#include "replica/quarantine_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replica/store.h"

typedef struct {
    char             layout[16];
    pos_quarantine_t quarantine;
} file_t;

static const file_t fresh = { .layout = "pos quarantine1" };


/* NULL with errno 0: it is not of our making, or damaged. */
static file_t *
file_map(int fd)
{
    struct stat  st;
    file_t      *file;

    if (fstat(fd, &st) != 0) {
        return NULL;
    }

    errno = 0;
    if (st.st_size != (off_t) sizeof(*file)) {
        return NULL;
    }

    file = mmap(NULL, sizeof(*file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (file == MAP_FAILED) {
        return NULL;
    }
    if (memcmp(file->layout, fresh.layout, sizeof(fresh.layout)) != 0
        || !pos_quarantine_sound(&file->quarantine))
    {
        (void) munmap(file, sizeof(*file));
        errno = 0;
        return NULL;
    }

    return file;
}


/* NULL with errno 0: damaged; ENOENT: there is none. */
static file_t *
file_open(const char *path)
{
    file_t *file;
    int     error, fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        return NULL;
    }

    file = file_map(fd);
    error = errno;
    close(fd);
    errno = error;
    return file;
}


static bool
file_write(const char *path)
{
    ssize_t n;
    int     fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0664);

    if (fd < 0) {
        return false;
    }

    n = write(fd, &fresh, sizeof(fresh));
    if (n >= 0 && n < (ssize_t) sizeof(fresh)) {
        errno = ENOSPC;
    }
    return close(fd) == 0 && n == (ssize_t) sizeof(fresh);
}


/* Holding its lock: is this the file that is there, and still damaged? Somebody may have replaced
 * it before it was opened, or while its lock was waited for. */
static bool
file_is_damaged(const char *path, int fd)
{
    struct stat held, named;
    file_t     *file;

    if (fstat(fd, &held) != 0 || stat(path, &named) != 0 || held.st_ino != named.st_ino
        || held.st_dev != named.st_dev)
    {
        return false;
    }

    file = file_map(fd);
    if (file != NULL) {
        (void) munmap(file, sizeof(*file));
    }
    return file == NULL;
}


/* Of those that find it damaged at once, the first replaces it. */
static bool
file_replace(const char *path, const char *temporary)
{
    int  error, fd = open(path, O_RDWR | O_CLOEXEC);
    bool made;

    if (fd < 0) {
        return false;
    }

    made = flock(fd, LOCK_EX) == 0
           && (!file_is_damaged(path, fd) || rename(temporary, path) == 0);
    error = errno;
    close(fd);
    errno = error;
    return made;
}


/* A damaged one is replaced; one that another process made meanwhile stays. */
static bool
file_make(const char *path, bool damaged)
{
    char temporary[POS_STORE_PATH_MAX + 48];
    bool made;
    int  error;

    snprintf(temporary, sizeof(temporary), "%s.new.%ld", path, (long) getpid());
    (void) unlink(temporary);
    made = file_write(temporary);
    if (made && damaged) {
        made = file_replace(path, temporary);
    } else if (made) {
        made = link(temporary, path) == 0 || errno == EEXIST;
    }

    error = errno;
    (void) unlink(temporary);
    errno = error;
    return made;
}


pos_status_t
pos_quarantine_open(const char *dir, pos_quarantine_t **out)
{
    char    path[POS_STORE_PATH_MAX + 16];
    file_t *file;

    if (strlen(dir) + 32 > POS_STORE_PATH_MAX) {
        return POS_LIMIT;
    }

    snprintf(path, sizeof(path), "%s/quarantine", dir);
    file = file_open(path);
    if (file == NULL && (errno == 0 || errno == ENOENT)) {
        if (!file_make(path, errno == 0)) {
            return POS_BROKEN;
        }
        file = file_open(path);
    }
    if (file == NULL) {
        return POS_BROKEN;
    }

    *out = &file->quarantine;
    return POS_OK;
}
