/*
 * The folder of bodies that are read to disk. It must lie on the spool's file
 * system, since an import becomes part of the spool by a rename. Files that a
 * killed worker left there are swept by whoever is started in its place: a file
 * that no process has open belongs to no request.
 */

#include "ngx_pos.h"

#include <dirent.h>
#include <sys/file.h>

#define NGX_POS_SPOOL_TURN    500    /* files removed at a time              */
#define NGX_POS_SPOOL_AGAIN   100    /* ms until the next of them            */
#define NGX_POS_SPOOL_BUSY   1000    /* ms, while another worker sweeps      */
#define NGX_POS_SPOOL_LEVELS    4    /* nginx's three, and the files         */

/* ---- at the start ---- */

/* Of the path, or of the nearest folder above it that is there already. */
static ngx_int_t
ngx_pos_spool_device(ngx_conf_t *cf, const ngx_str_t *path, dev_t *device)
{
    u_char      *name, *slash;
    struct stat  st;

    name = ngx_pnalloc(cf->temp_pool, path->len + 1);
    if (name == NULL) {
        return NGX_ERROR;
    }
    (void) ngx_cpystrn(name, path->data, path->len + 1);

    while (stat((char *) name, &st) != 0) {
        slash = (u_char *) strrchr((char *) name, '/');
        if (slash == NULL || slash == name || ngx_errno != ENOENT) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "\"%V\" cannot be looked at", path);
            return NGX_ERROR;
        }
        *slash = '\0';
    }

    *device = st.st_dev;

    return NGX_OK;
}

ngx_int_t
ngx_pos_spool_check(ngx_conf_t *cf, ngx_pos_main_conf_t *conf)
{
    dev_t            spool, body;
    ngx_uint_t       i;
    ngx_path_t      *path;
    ngx_pos_place_t *place = conf->places.elts;

    if (conf->spool.len == 0) {
        return NGX_OK;
    }

    if (ngx_pos_spool_device(cf, &conf->spool, &spool) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < conf->places.nelts; i++) {
        path = place[i].location->client_body_temp_path;
        if (ngx_pos_spool_device(cf, &path->name, &body) != NGX_OK) {
            return NGX_ERROR;
        }
        if (body != spool) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"client_body_temp_path\" %V is on another file system than "
                "\"pos_spool\" %V: no import could be taken", &path->name, &conf->spool);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

/* ---- sweeping ---- */

/* The kernel gives a write lease only while nobody else has the file open, whoever
 * that is: a worker has its bodies' files open until their requests end. */
static ngx_uint_t
ngx_pos_spool_remove(int dir, const char *name)
{
    int         fd;
    ngx_uint_t  removed = 0;
    struct stat st;

    fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd == -1) {
        return 0;
    }

    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
        removed = unlinkat(dir, name, 0) == 0;
    }

    (void) close(fd);

    return removed;
}

/* nginx names its files and their folders by digits. How many were removed. */
static ngx_uint_t
ngx_pos_spool_sweep_dir(int fd, ngx_uint_t levels)
{
    int            sub;
    DIR           *dir;
    ngx_uint_t     removed = 0;
    struct dirent *e;

    dir = fdopendir(fd);
    if (dir == NULL) {
        (void) close(fd);
        return 0;
    }

    while (removed < NGX_POS_SPOOL_TURN && (e = readdir(dir)) != NULL) {
        if (e->d_name[strspn(e->d_name, "0123456789")] != '\0') {
            continue;
        }

        removed += ngx_pos_spool_remove(dirfd(dir), e->d_name);

        sub = levels > 1 ? openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
        if (sub != -1) {
            removed += ngx_pos_spool_sweep_dir(sub, levels - 1);
        }
    }

    (void) closedir(dir);

    return removed;
}

/* Two that sweep at once would each see the other's open files. Milliseconds
 * until this has to be done again; 0: it is done. */
static ngx_msec_t
ngx_pos_spool_sweep_path(const ngx_path_t *path, ngx_log_t *log)
{
    int        fd, walk;
    ngx_uint_t removed;

    fd = open((char *) path->name.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno, "pos: \"%V\" cannot be swept", &path->name);
        return 0;
    }

    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        (void) close(fd);
        return NGX_POS_SPOOL_BUSY;
    }

    walk = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    removed = walk == -1 ? 0 : ngx_pos_spool_sweep_dir(walk, NGX_POS_SPOOL_LEVELS);
    (void) close(fd);

    if (removed > 0) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0, "pos: removed %ui bodies of killed workers in \"%V\"", removed, &path->name);
    }

    return removed >= NGX_POS_SPOOL_TURN ? NGX_POS_SPOOL_AGAIN : 0;
}

/* Only a folder within the spool is known to hold nothing but our bodies. */
static bool
ngx_pos_spool_ours(const ngx_pos_main_conf_t *conf, const ngx_path_t *path)
{
    return path->name.len > conf->spool.len && path->name.data[conf->spool.len] == '/'
        && ngx_strncmp(path->name.data, conf->spool.data, conf->spool.len) == 0;
}

static void
ngx_pos_spool_sweep(ngx_event_t *ev)
{
    ngx_uint_t           i;
    ngx_msec_t           wait, again = 0;
    ngx_path_t          *path;
    ngx_pos_place_t     *place;
    ngx_pos_worker_t    *worker = ev->data;

    place = worker->conf->places.elts;
    for (i = 0; i < worker->conf->places.nelts; i++) {
        path = place[i].location->client_body_temp_path;
        if (ngx_pos_spool_ours(worker->conf, path)) {
            wait = ngx_pos_spool_sweep_path(path, ev->log);
            again = ngx_max(again, wait);
        }
    }

    if (again > 0) {
        ngx_add_timer(ev, again);
    }
}

void
ngx_pos_spool_init_worker(ngx_pos_worker_t *worker)
{
    ngx_event_t *ev = &worker->sweep;

    if (worker->conf->spool.len == 0) {
        return;
    }

    ev->handler = ngx_pos_spool_sweep;
    ev->data = worker;
    ev->log = worker->cycle->log;
    ev->cancelable = 1;
    ngx_add_timer(ev, 1);
}
