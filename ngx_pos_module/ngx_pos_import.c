/*
 * POST /v1/imports: the body, up to 1 GiB, went to a file while it arrived. A
 * thread reads it once for its digest, makes it durable and gives it its name
 * in the spool; only then does the database hear of it, so what is acknowledged
 * is on disk. A file that no job names is posd's to sweep.
 */

#include "ngx_pos_contract.h"

#include <openssl/rand.h>

#define NGX_POS_IMPORT_TIMEOUT  (10 * 60 * 1000)   /* ms, of the thread's work */
#define NGX_POS_IMPORT_BUFFER   (256 * 1024)

typedef struct {
    ngx_http_request_t *request;
    ngx_event_t         guard;       /* keeps a leaving worker until it is done */
    ngx_str_t           from, to, dir;          /* zero-terminated */
    ngx_str_t           name;
    off_t               size;
    ngx_err_t           error;
    u_char              sha256[POS_SHA256_SIZE];
    u_char              buffer[NGX_POS_IMPORT_BUFFER];
} ngx_pos_import_t;

/* ---- in the thread: no request, no pool, no log ---- */

static ngx_err_t
ngx_pos_import_digest(ngx_pos_import_t *import, ngx_fd_t fd)
{
    ssize_t       n;
    pos_sha256_t  sha;

    pos_sha256_init(&sha);
    import->size = 0;

    while ((n = read(fd, import->buffer, NGX_POS_IMPORT_BUFFER)) > 0) {
        pos_sha256_update(&sha, pos_str_of((char *) import->buffer, n));
        import->size += n;
    }

    if (n < 0) {
        return ngx_errno;
    }

    pos_sha256_final(&sha, import->sha256);

    return fsync(fd) == 0 ? 0 : ngx_errno;
}

static ngx_err_t
ngx_pos_import_sync_dir(const ngx_str_t *dir)
{
    int       fd;
    ngx_err_t err = 0;

    fd = open((char *) dir->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd == -1) {
        return ngx_errno;
    }

    if (fsync(fd) != 0) {
        err = ngx_errno;
    }

    (void) close(fd);

    return err;
}

static void
ngx_pos_import_work(void *data, ngx_log_t *log)
{
    int               fd;
    ngx_pos_import_t *import = data;

    fd = open((char *) import->from.data, O_RDONLY | O_CLOEXEC);
    if (fd == -1) {
        import->error = ngx_errno;
        return;
    }

    import->error = ngx_pos_import_digest(import, fd);
    (void) close(fd);

    if (import->error == 0 && rename((char *) import->from.data, (char *) import->to.data) != 0) {
        import->error = ngx_errno;
    }

    if (import->error == 0) {
        import->error = ngx_pos_import_sync_dir(&import->dir);
    }
}

/* ---- in the event loop ---- */

static void
ngx_pos_import_fail(ngx_pos_ctx_t *ctx, ngx_err_t err)
{
    ngx_log_error(NGX_LOG_CRIT, ctx->request->connection->log, err, "pos: an import could not be spooled");

    if (err == ENOSPC || err == EDQUOT) {
        ngx_pos_problem(ctx, 507, "disk_full", "There is no space for the import; nothing was taken.");
        return;
    }

    ngx_pos_problem(ctx, NGX_HTTP_INTERNAL_SERVER_ERROR, "internal", "The import could not be stored.");
}

static void
ngx_pos_import_resume(ngx_http_request_t *r)
{
    pos_writer_t      w;
    ngx_pos_ctx_t    *ctx = ngx_pos_ctx(r);
    ngx_pos_import_t *import = ctx->work;
    char              hex[2 * POS_SHA256_SIZE];

    r->write_event_handler = ngx_http_request_empty_handler;

    if (import->error != 0) {
        ngx_pos_import_fail(ctx, import->error);
        return;
    }

    pos_hex(pos_str_of((char *) import->sha256, POS_SHA256_SIZE), hex);

    pos_writer_init(&w, ctx->arena, 512, 4096);
    pos_write_object_begin(&w);
    pos_write_key(&w, "spool");
    pos_write_string(&w, ngx_pos_str(import->name));
    pos_write_key(&w, "size");
    pos_write_int(&w, import->size);
    pos_write_key(&w, "sha256");
    pos_write_string(&w, pos_str_of(hex, sizeof(hex)));
    pos_write_object_end(&w);

    if (w.status != POS_OK) {
        ngx_pos_import_fail(ctx, ENOMEM);
        return;
    }

    ctx->prepared = pos_writer_result(&w);
    ngx_memcpy(ctx->body_digest, import->sha256, POS_SHA256_SIZE);
    ctx->has_body_digest = 1;

    ngx_pos_request_dispatch(ctx);
}

/* nginx's own way back from a thread (ngx_http_upstream.c has the like): when
 * the request ended meanwhile, its write handler is the one that frees it. */
static void
ngx_pos_import_done(ngx_event_t *ev)
{
    ngx_pos_import_t   *import = ev->data;
    ngx_connection_t   *c;
    ngx_http_request_t *r = import->request;

    c = r->connection;

    if (import->guard.timer_set) {
        ngx_del_timer(&import->guard);
    }

    r->main->blocked--;
    r->aio = 0;

    if (r->done) {
        c->write->handler(c->write);
        return;
    }

    r->write_event_handler(r);
    ngx_http_run_posted_requests(c);
}

static void
ngx_pos_import_slow(ngx_event_t *ev)
{
    ngx_pos_import_t *import = ev->data;

    ngx_log_error(NGX_LOG_CRIT, ev->log, 0, "pos: an import is being spooled for very long: the disk is slow");
    ngx_add_timer(&import->guard, NGX_POS_IMPORT_TIMEOUT);
}

static ngx_int_t
ngx_pos_import_names(ngx_pos_ctx_t *ctx, ngx_pos_import_t *import)
{
    char                 id[4 + 27];
    u_char               random[10], *p;
    ngx_str_t            spool = ngx_pos_worker.conf->spool;
    ngx_pool_t          *pool = ctx->request->pool;
    ngx_temp_file_t     *file = ctx->request->request_body->temp_file;

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    pos_id_write("imp_", (int64_t) ngx_time() * 1000000, random, id);

    import->dir = spool;
    import->from = file->file.name;
    import->name.len = ngx_strlen(id) + sizeof(".json") - 1;
    import->name.data = ngx_pnalloc(pool, import->name.len + 1);
    import->to.len = spool.len + 1 + import->name.len;
    import->to.data = ngx_pnalloc(pool, import->to.len + 1);

    if (import->name.data == NULL || import->to.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(import->name.data, "%s.json", id);
    *p = '\0';
    p = ngx_sprintf(import->to.data, "%V/%V", &spool, &import->name);
    *p = '\0';

    return NGX_OK;
}

void
ngx_pos_import_prepare(ngx_pos_ctx_t *ctx)
{
    ngx_pos_import_t   *import;
    ngx_thread_task_t  *task;
    ngx_http_request_t *r = ctx->request;

    if (ngx_pos_worker.conf->spool.len == 0) {
        ngx_pos_problem_unavailable(ctx, "imports_unavailable", "This node takes no imports.");
        return;
    }

    if (r->request_body == NULL || r->request_body->temp_file == NULL) {
        ngx_pos_problem(ctx, NGX_HTTP_BAD_REQUEST, "body_missing", "An import needs a body.");
        return;
    }

    task = ngx_thread_task_alloc(r->pool, sizeof(ngx_pos_import_t));
    if (task == NULL) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    import = task->ctx;
    ngx_memzero(import, offsetof(ngx_pos_import_t, buffer));
    import->request = r;
    import->guard.handler = ngx_pos_import_slow;
    import->guard.data = import;
    import->guard.log = ngx_cycle->log;
    ctx->work = import;

    if (ngx_pos_import_names(ctx, import) != NGX_OK) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    task->handler = ngx_pos_import_work;
    task->event.handler = ngx_pos_import_done;
    task->event.data = import;

    ngx_pos_request_suspend(ctx);
    r->write_event_handler = ngx_pos_import_resume;

    if (ngx_thread_task_post(ngx_pos_worker.conf->threads, task) != NGX_OK) {
        ngx_pos_request_finish(ctx, NGX_ERROR);
        return;
    }

    r->main->blocked++;
    r->aio = 1;
    ngx_add_timer(&import->guard, NGX_POS_IMPORT_TIMEOUT);
}
