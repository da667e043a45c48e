/*
 * Reading files.
 */

#include "posd/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>


static char *
read_all(int fd, size_t size, size_t *len)
{
    char   *text = malloc(size + 1);
    ssize_t n;

    *len = 0;
    while (text != NULL && *len < size) {
        n = read(fd, text + *len, size - *len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        *len += (size_t) n;
    }

    if (text != NULL) {
        text[*len] = '\0';
    }

    return text;
}


char *
pos_file_read(const char *path, size_t max, size_t *len)
{
    struct stat st;
    char       *text = NULL;
    int         fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return NULL;
    }

    if (fstat(fd, &st) == 0) {
        if ((size_t) st.st_size > max) {
            errno = EFBIG;
        } else {
            text = read_all(fd, (size_t) st.st_size, len);
        }
    }

    close(fd);
    return text;
}
